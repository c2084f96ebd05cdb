//! Counts and moments of labelled images.

use super::Images;
use crate::error::Result;

/// Mean and standard deviation of pixels, of 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// `[channels]`.
    pub mean: Vec<f64>,
    /// `[channels]`, of the whole population.
    pub std: Vec<f64>,
}

/// The moments of each channel of the first `count` images.
///
/// # Errors
/// `Error::File` if the images lie in a file that is damaged.
pub fn channel_moments(images: &Images, count: usize) -> Result<Moments> {
    let mut histograms = vec![[0u64; 256]; images.channels];
    for index in 0..count {
        for pixel in images.image(index)?.chunks_exact(images.channels) {
            for (histogram, &value) in histograms.iter_mut().zip(pixel) {
                histogram[usize::from(value)] += 1;
            }
        }
    }
    let (mean, std) = histograms.iter().map(moments).unzip();
    Ok(Moments { mean, std })
}

fn moments(histogram: &[u64; 256]) -> (f64, f64) {
    let count: u64 = histogram.iter().sum();
    let average = |term: &dyn Fn(f64) -> f64| {
        let tones = histogram.iter().enumerate();
        let sum: f64 = tones
            .map(|(tone, &times)| times as f64 * term(tone as f64))
            .sum();
        sum / count as f64
    };
    let mean = average(&|tone| tone);
    let variance = average(&|tone| (tone - mean) * (tone - mean));
    (mean / 255.0, variance.sqrt() / 255.0)
}

/// How many of the labels are of each class.
pub fn class_counts(labels: &[u8], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    labels
        .iter()
        .for_each(|&label| counts[usize::from(label)] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_of_each_channel_and_of_the_first_images_only() {
        let images = Images {
            count: 2,
            height: 1,
            width: 2,
            channels: 3,
            pixels: vec![0, 51, 255, 255, 51, 255, 9, 9, 9, 9, 9, 9].into(),
            labels: vec![0, 1],
        };
        let found = channel_moments(&images, 1).unwrap();
        assert_eq!(found.mean, [0.5, 0.2, 1.0]);
        assert_eq!(found.std, [0.5, 0.0, 0.0]);
        let all = channel_moments(&images, 2).unwrap();
        assert!((all.mean[1] - 30.0 / 255.0).abs() < 1e-15);
        assert!((all.std[1] - 21.0 / 255.0).abs() < 1e-15);
    }

    #[test]
    fn classes_are_counted() {
        assert_eq!(class_counts(&[2, 0, 2, 2], 4), [1, 0, 3, 0]);
    }
}
