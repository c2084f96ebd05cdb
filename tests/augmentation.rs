//! The twins of the augmentation against torchvision, byte for byte, and the distributions of what they draw. No GPU:
//! `tests/ops.rs` compares the shaders with the twins and with torchvision.

mod reference;

use reference::augment::{self, Draws};
use reference::torchvision::Fixture;

/// Samples of a distribution.
const SAMPLES: u32 = 200_000;

#[test]
fn the_twins_are_torchvision_to_the_byte() {
    for case in Fixture::read().cases() {
        for (row, image) in case.images.iter().enumerate() {
            let result = case.warps[row]
                .iter()
                .fold(image.clone(), |image, warp| augment::apply(warp, &image));
            let wrong = result
                .bytes
                .iter()
                .zip(&case.results[row].bytes)
                .filter(|(got, wanted)| got != wanted);
            assert_eq!(wrong.count(), 0, "{}: picture {row}", case.name);
            assert_eq!(result, case.results[row], "{}: picture {row}", case.name);
        }
    }
}

/// torchvision solves by least squares in f64 and rounds to f32, and so do we.
#[test]
fn homographies_are_torchvision_s() {
    for homography in Fixture::read().homographies() {
        let solved = augment::homography(&homography.corners, homography.size);
        for (got, expected) in solved.iter().zip(homography.coefficients) {
            let unit = f64::from(f32::EPSILON) * got.abs() + 1e-12;
            assert!((got - expected).abs() <= unit, "{got} and {expected}");
        }
    }
}

fn draws(stream: u32) -> impl Iterator<Item = Draws> {
    (0..SAMPLES).map(move |index| Draws {
        seed: 5,
        step: index / 64,
        stream,
        sample: index % 64,
    })
}

/// Pearson's chi-square of counts against expected counts; cells that expect fewer than 5 are taken together.
fn chi_square(counts: &[f64], expected: &[f64]) -> (f64, f64) {
    let (mut sum, mut cells, mut rest) = (0.0, 0.0, (0.0, 0.0));
    for (&count, &expected) in counts.iter().zip(expected) {
        if expected < 5.0 {
            rest = (rest.0 + count, rest.1 + expected);
        } else {
            sum += (count - expected).powi(2) / expected;
            cells += 1.0;
        }
    }
    if rest.1 >= 5.0 {
        sum += (rest.0 - rest.1).powi(2) / rest.1;
        cells += 1.0;
    }
    (sum, cells - 1.0)
}

/// Asserts that chi-square is within five standard deviations of its mean: under a true hypothesis one in a million fails.
fn assert_fits(what: &str, counts: &[f64], expected: &[f64]) {
    let (sum, freedom) = chi_square(counts, expected);
    let limit = freedom + 5.0 * (2.0 * freedom).sqrt() + 10.0;
    assert!(
        sum <= limit,
        "{what}: chi-square {sum} of {freedom} degrees, limit {limit}"
    );
}

#[test]
fn corners_are_uniform_and_reach_as_far_as_torchvision_s() {
    // 0.5 * 28 / 2 = 7 pixels and 0.5 * 31 / 2 = 7, cut off from 7.5; 36 wide gives 9.
    for (size, furthest) in [([28, 28], [7, 7]), ([31, 36], [9, 7])] {
        let mut counts = [(); 4].map(|()| furthest.map(|most| vec![0.0; most + 1]));
        for draws in draws(1) {
            let corners = draws.corners(0.5, size);
            let far = [size[1] as f64 - 1.0, size[0] as f64 - 1.0];
            for (corner, place) in corners.iter().enumerate() {
                for axis in 0..2 {
                    let at_far_end = [corner == 1 || corner == 2, corner >= 2][axis];
                    let inwards = if at_far_end {
                        far[axis] - place[axis]
                    } else {
                        place[axis]
                    };
                    counts[corner][axis][inwards as usize] += 1.0;
                }
            }
        }
        for counts in counts.iter().flatten() {
            let expected = vec![f64::from(SAMPLES) / counts.len() as f64; counts.len()];
            assert_fits("corners", counts, &expected);
        }
    }
}

#[test]
fn angles_and_probabilities_are_uniform() {
    let mut counts = vec![0.0; 100];
    let mut happened = 0.0;
    for draws in draws(2) {
        let angle = draws.angle(10.0);
        assert!((-10.0..10.0).contains(&angle));
        counts[((angle + 10.0) * 5.0) as usize] += 1.0;
        happened += f64::from(u8::from(draws.unit(0) < 0.5));
    }
    assert_fits("angles", &counts, &vec![f64::from(SAMPLES) / 100.0; 100]);
    let half = f64::from(SAMPLES) / 2.0;
    assert_fits("p", &[happened, 2.0 * half - happened], &[half, half]);
}

#[test]
fn crops_and_translations_are_uniform() {
    let (mut crops, mut shifts) = (vec![0.0; 81], vec![0.0; 100]);
    for draws in draws(3) {
        let [x, y] = draws.crop(4, [20, 40], [20, 40]);
        crops[(9 * (x + 4) + y + 4) as usize] += 1.0;
        let [x, y] = draws.translation([0.25, 0.5], [20, 40]);
        assert!(x.abs() <= 10.0 && y.abs() <= 10.0, "{x}, {y}");
        shifts[(((x + 10.0) / 2.0) as usize) * 10 + ((y + 10.0) / 2.0) as usize] += 1.0;
    }
    assert_fits("crops", &crops, &vec![f64::from(SAMPLES) / 81.0; 81]);
    assert_fits("shifts", &shifts, &vec![f64::from(SAMPLES) / 100.0; 100]);
}

/// Both are samples, so the expected counts vary as much as ours: the difference has twice the variance.
#[test]
fn boxes_are_as_often_of_each_size_as_torchvision_s() {
    let fixture = Fixture::read();
    for (name, scale) in [("nearly-whole", [0.95, 1.0]), ("any", [0.08, 1.0])] {
        let (shape, theirs) = fixture.numbers(&format!("box-counts.{name}"));
        let mut ours = vec![0.0; theirs.len()];
        for draws in draws(4) {
            let ([left, top, width, height], _) =
                draws.resized_crop(scale, [3.0 / 4.0, 4.0 / 3.0], [28, 28]);
            assert!(left + width <= 28 && top + height <= 28);
            ours[height * shape[1] + width] += 1.0;
        }
        assert_eq!(theirs.iter().sum::<f64>(), f64::from(SAMPLES));
        let pooled: Vec<f64> = ours
            .iter()
            .zip(theirs)
            .map(|(a, b)| (a + b) / 2.0)
            .collect();
        let halved: Vec<f64> = ours
            .iter()
            .zip(&pooled)
            .map(|(count, pooled)| pooled + (count - pooled) * 2f64.sqrt())
            .collect();
        assert_fits(name, &halved, &pooled);
    }
}
