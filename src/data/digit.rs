//! A drawing made to look like an MNIST image, by MNIST's own recipe.
//!
//! Light ink on black; the ink's bounding box scaled, keeping its aspect and with grey edges, until
//! its longer side is 20/28 of the field; then placed so that its centre of mass is the centre of
//! the field. Source: <http://yann.lecun.com/exdb/mnist/>. (Measured on MNIST's test images: the
//! longer side is 20 pixels, and the mean pixel index 14 +- 0.5 on both axes.)
//! One step is ours: the result's lightest pixel is made white, or a thin pen would come out faint.

use image::GrayImage;
use image::imageops::{self, FilterType};

/// Pictures are first shrunk to this many times the field, which evens out a photograph's grain.
const WORKING_SCALE: u32 = 20;
/// Ink whose grey differs from the paper's by less than this is taken for paper, of 255.
const MIN_CONTRAST: f32 = 24.0;
/// From this tone on, of 255 after stretching, a pixel may belong to the ink.
const WEAK_INK: u8 = 64;
/// From this tone on, a pixel surely is ink, or dirt as dark as ink.
const STRONG_INK: u8 = 128;
/// A spot with less than this share of the largest stroke's ink is dirt.
const DIRT_SHARE: f32 = 0.05;

/// The drawing as `[height, width]`, light on dark; `None` where the picture is blank.
///
/// A picture of exactly that size that is light on dark already is returned byte for byte.
pub fn normalise(picture: GrayImage, height: u32, width: u32) -> Option<Vec<u8>> {
    let picture = shrink(picture, WORKING_SCALE * height.max(width));
    let level = level_light(&picture);
    let tones = Tones::measure(&level)?;
    if picture.dimensions() == (width, height) && !tones.dark_on_light {
        return Some(picture.into_raw());
    }
    let mut ink = tones.stretch(level);
    remove_dirt(&mut ink);
    let ink = crop_to_ink(&ink)?;
    let box_side = (height.min(width) * 20).div_ceil(28);
    let ink = whiten(scale_longer_side(&ink, box_side))?;
    Some(place_by_mass(&ink, height, width))
}

/// Takes a slope of the light off the paper, as the edges of the picture show it: their medians
/// become equal. A slope of half the tonal range or more is left, being ink along an edge.
fn level_light(picture: &GrayImage) -> GrayImage {
    let (width, height) = picture.dimensions();
    let column = |x| histogram((0..height).map(move |y| picture.get_pixel(x, y).0[0]));
    let row = |y| histogram((0..width).map(move |x| picture.get_pixel(x, y).0[0]));
    let rise = |from: Histogram, to: Histogram| {
        f32::from(quantile(&to, 0.5)) - f32::from(quantile(&from, 0.5))
    };
    let rise_x = rise(column(0), column(width - 1));
    let rise_y = rise(row(0), row(height - 1));
    let (darkest, lightest) = extremes(&histogram(picture.iter().copied()));
    if 2.0 * rise_x.abs().max(rise_y.abs()) >= f32::from(lightest - darkest) {
        return picture.clone();
    }
    GrayImage::from_fn(width, height, |x, y| {
        let from_centre = |at: u32, length: u32| (at as f32 + 0.5) / length as f32 - 0.5;
        let slope = rise_x * from_centre(x, width) + rise_y * from_centre(y, height);
        [(f32::from(picture.get_pixel(x, y).0[0]) - slope).round() as u8].into()
    })
}

/// The grey levels of paper and ink.
struct Tones {
    dark_on_light: bool,
    /// The lightness, after inversion if dark on light, up to which a pixel is paper.
    paper: f32,
    /// The lightness, after inversion if dark on light, of full ink.
    ink: f32,
}

impl Tones {
    /// Tells ink from paper: the border is mostly paper, and ink is what differs from it most.
    /// `None` where nothing differs enough.
    fn measure(picture: &GrayImage) -> Option<Self> {
        let all = histogram(picture.iter().copied());
        let border = border_histogram(picture);
        let paper = quantile(&border, 0.5);
        let (darkest, lightest) = extremes(&all);
        let dark_on_light = paper.abs_diff(darkest) > paper.abs_diff(lightest);
        let mut ink = [0; 256];
        let mut grain = [0; 256];
        for tone in 0..=255u8 {
            let at = usize::from(tone);
            let is_ink = if dark_on_light {
                tone <= darkest.midpoint(paper)
            } else {
                tone > paper.midpoint(lightest)
            };
            ink[at] = if is_ink { all[at] } else { 0 };
            grain[usize::from(tone.abs_diff(paper))] += border[at];
        }
        // Full ink is the tone that a twentieth of the ink exceeds. Paper reaches one standard
        // deviation beyond its median, estimated from the median deviation.
        let ink = quantile(&ink, if dark_on_light { 0.05 } else { 0.95 });
        let invert = |tone: u8| f32::from(if dark_on_light { 255 - tone } else { tone });
        let sigma = 1.4826 * f32::from(quantile(&grain, 0.5));
        let (paper, ink) = (invert(paper) + sigma, invert(ink));
        (ink - paper >= MIN_CONTRAST).then_some(Self {
            dark_on_light,
            paper,
            ink,
        })
    }

    /// Paper becomes 0, full ink 255.
    fn stretch(&self, mut picture: GrayImage) -> GrayImage {
        let table: [u8; 256] = std::array::from_fn(|tone| {
            let light = if self.dark_on_light { 255 - tone } else { tone } as f32;
            (255.0 * (light - self.paper) / (self.ink - self.paper)).round() as u8
        });
        picture
            .iter_mut()
            .for_each(|pixel| *pixel = table[usize::from(*pixel)]);
        picture
    }
}

/// How often each tone occurs.
type Histogram = [u64; 256];

fn histogram(tones: impl Iterator<Item = u8>) -> Histogram {
    let mut counts = [0; 256];
    tones.for_each(|tone| counts[usize::from(tone)] += 1);
    counts
}

fn border_histogram(picture: &GrayImage) -> Histogram {
    let (right, bottom) = (picture.width() - 1, picture.height() - 1);
    let on_border = |x, y| x == 0 || y == 0 || x == right || y == bottom;
    let border = picture
        .enumerate_pixels()
        .filter(|&(x, y, _)| on_border(x, y));
    histogram(border.map(|(_, _, pixel)| pixel.0[0]))
}

/// The darkest and lightest tones, one pixel in two thousand aside.
fn extremes(counts: &Histogram) -> (u8, u8) {
    (quantile(counts, 0.0005), quantile(counts, 0.9995))
}

/// The smallest tone that at least this share of the counted pixels does not exceed.
fn quantile(counts: &Histogram, share: f64) -> u8 {
    let rank = (share * counts.iter().sum::<u64>() as f64).ceil() as u64;
    let mut seen = 0;
    let tone = counts.iter().position(|count| {
        seen += count;
        seen >= rank
    });
    tone.expect("a share of at most one is reached") as u8
}

/// Averages a picture down until its longer side is at most `side`.
fn shrink(picture: GrayImage, side: u32) -> GrayImage {
    let (width, height) = picture.dimensions();
    if width.max(height) <= side {
        return picture;
    }
    let (new_width, new_height) = fit(width, height, side);
    imageops::thumbnail(&picture, new_width, new_height)
}

/// `width` x `height` scaled so that the longer side is `side`; no side becomes zero.
fn fit(width: u32, height: u32, side: u32) -> (u32, u32) {
    let scale = f64::from(side) / f64::from(width.max(height));
    let scaled = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    (scaled(width), scaled(height))
}

/// Clears every connected spot of weak ink that holds too little strong ink.
fn remove_dirt(ink: &mut GrayImage) {
    let spots = spots(ink);
    let largest = spots.iter().map(|spot| spot.strong).max().unwrap_or(0);
    for spot in spots {
        if (spot.strong as f32) < DIRT_SHARE * largest as f32 {
            for (x, y) in spot.pixels {
                ink.put_pixel(x, y, [0].into());
            }
        }
    }
}

/// Connected pixels of at least weak ink.
struct Spot {
    pixels: Vec<(u32, u32)>,
    /// How many of them are strong ink.
    strong: usize,
}

/// All spots, corners connecting.
fn spots(ink: &GrayImage) -> Vec<Spot> {
    let (width, height) = ink.dimensions();
    let mut seen = vec![false; (width * height) as usize];
    let mut visit = |x: u32, y: u32| {
        let is_new_ink = ink.get_pixel(x, y).0[0] >= WEAK_INK
            && !std::mem::replace(&mut seen[(y * width + x) as usize], true);
        is_new_ink.then_some((x, y))
    };
    let mut spots = Vec::new();
    for (x, y, _) in ink.enumerate_pixels() {
        let mut pixels = Vec::from_iter(visit(x, y));
        let mut next = 0;
        while let Some(&(x, y)) = pixels.get(next) {
            next += 1;
            for y in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for x in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    pixels.extend(visit(x, y));
                }
            }
        }
        if !pixels.is_empty() {
            let tones = pixels.iter().map(|&(x, y)| ink.get_pixel(x, y).0[0]);
            let strong = tones.filter(|&tone| tone >= STRONG_INK).count();
            spots.push(Spot { pixels, strong });
        }
    }
    spots
}

/// The bounding box of the ink; `None` where there is none.
fn crop_to_ink(ink: &GrayImage) -> Option<GrayImage> {
    let is_ink = |&(_, _, pixel): &(u32, u32, &image::Luma<u8>)| pixel.0[0] >= WEAK_INK;
    let inked = || ink.enumerate_pixels().filter(is_ink);
    let (left, right) = (inked().map(|p| p.0).min()?, inked().map(|p| p.0).max()?);
    let (top, bottom) = (inked().map(|p| p.1).min()?, inked().map(|p| p.1).max()?);
    Some(imageops::crop_imm(ink, left, top, right - left + 1, bottom - top + 1).to_image())
}

/// Resizes with grey edges, keeping the aspect.
fn scale_longer_side(ink: &GrayImage, side: u32) -> GrayImage {
    let (width, height) = fit(ink.width(), ink.height(), side);
    imageops::resize(ink, width, height, FilterType::CatmullRom)
}

/// Scales the tones so that the lightest is 255; `None` where all are 0.
fn whiten(mut ink: GrayImage) -> Option<GrayImage> {
    let lightest = u32::from(*ink.iter().max()?);
    for pixel in ink.iter_mut() {
        *pixel = (u32::from(*pixel) * 255).checked_div(lightest)? as u8;
    }
    Some(ink)
}

/// Moves the ink by whole pixels so that its mean pixel index is half the field, on each axis.
fn place_by_mass(ink: &GrayImage, height: u32, width: u32) -> Vec<u8> {
    let (mut mass, mut moment_x, mut moment_y) = (0.0, 0.0, 0.0);
    for (x, y, pixel) in ink.enumerate_pixels() {
        let weight = f64::from(pixel.0[0]);
        mass += weight;
        moment_x += weight * f64::from(x);
        moment_y += weight * f64::from(y);
    }
    let offset = |field: u32, length: u32, mean: f64| {
        let wanted = f64::from(field / 2) - mean;
        (wanted.round().max(0.0) as u32).min(field - length)
    };
    let left = offset(width, ink.width(), moment_x / mass);
    let top = offset(height, ink.height(), moment_y / mass);
    let mut field = GrayImage::new(width, height);
    imageops::replace(&mut field, ink, i64::from(left), i64::from(top));
    field.into_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;

    const SIDE: usize = 28 * 28;

    fn test_digits(count: usize) -> Vec<Vec<u8>> {
        let images = embedded::test_images().unwrap();
        let digits = images.pixels.in_memory().chunks(SIDE).take(count);
        digits.map(<[u8]>::to_vec).collect()
    }

    /// A digit enlarged `scale` times onto a wider black page, away from its middle.
    fn page(digit: &[u8], scale: u32) -> GrayImage {
        let digit = GrayImage::from_raw(28, 28, digit.to_vec()).unwrap();
        let large = imageops::resize(&digit, 28 * scale, 28 * scale, FilterType::CatmullRom);
        let mut page = GrayImage::new(40 * scale, 35 * scale);
        imageops::replace(&mut page, &large, i64::from(5 * scale), 2);
        page
    }

    /// The page as dark pencil on sloping light with grain (an even mix, so runs are the same).
    fn photograph(page: &GrayImage) -> GrayImage {
        GrayImage::from_fn(page.width(), page.height(), |x, y| {
            let light = page.get_pixel(x, y).0[0];
            let grain = (x * 73 + y * 151 + x * y * 17) % 21;
            let slope = 40 * x / page.width();
            let tone = 220 - 130 * u32::from(light) / 255 - slope + grain;
            [tone as u8].into()
        })
    }

    /// How many drawings are nearest, of all the digits, to the digit they were made from.
    fn recognised(digits: &[Vec<u8>], draw: impl Fn(&[u8]) -> GrayImage) -> usize {
        let distance = |a: &[u8], b: &[u8]| -> u64 {
            let differences = a.iter().zip(b).map(|(&a, &b)| u64::from(a.abs_diff(b)));
            differences.map(|d| d * d).sum()
        };
        let is_recognised = |&index: &usize| {
            let found = normalise(draw(&digits[index]), 28, 28).unwrap();
            let nearest = (0..digits.len()).min_by_key(|&i| distance(&found, &digits[i]));
            nearest == Some(index)
        };
        (0..digits.len()).filter(is_recognised).count()
    }

    fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
        let sum: u32 = a
            .iter()
            .zip(b)
            .map(|(&a, &b)| u32::from(a.abs_diff(b)))
            .sum();
        f64::from(sum) / a.len() as f64
    }

    #[test]
    fn an_mnist_image_passes_through_byte_for_byte() {
        for digit in test_digits(10_000) {
            let picture = GrayImage::from_raw(28, 28, digit.clone()).unwrap();
            assert_eq!(normalise(picture, 28, 28), Some(digit));
        }
    }

    #[test]
    fn an_inverted_mnist_image_comes_back() {
        for digit in test_digits(200) {
            let mut picture = GrayImage::from_raw(28, 28, digit.clone()).unwrap();
            imageops::invert(&mut picture);
            let found = normalise(picture, 28, 28).unwrap();
            let difference = mean_difference(&found, &digit);
            assert!(difference < 25.0, "{difference}");
        }
    }

    #[test]
    fn large_drawings_of_either_polarity_become_their_digits() {
        let digits = test_digits(100);
        assert!(recognised(&digits, |digit| page(digit, 10)) >= 98);
        let inverted = |digit: &[u8]| {
            let mut page = page(digit, 10);
            imageops::invert(&mut page);
            page
        };
        assert!(recognised(&digits, inverted) >= 98);
        let median = {
            let difference =
                |d: &Vec<u8>| mean_difference(&normalise(inverted(d), 28, 28).unwrap(), d);
            let mut differences: Vec<f64> = digits.iter().map(difference).collect();
            differences.sort_by(f64::total_cmp);
            differences[50]
        };
        assert!(median < 8.0, "median difference {median} of 255");
    }

    #[test]
    fn small_drawings_and_photographs_become_their_digits() {
        let digits = test_digits(100);
        assert!(recognised(&digits, |digit| page(digit, 2)) >= 95);
        assert!(recognised(&digits, |digit| photograph(&page(digit, 10))) >= 95);
        let large = digits[..10].to_vec();
        assert!(recognised(&large, |digit| photograph(&page(digit, 40))) >= 9);
    }

    #[test]
    fn dirt_beside_the_drawing_is_ignored() {
        for digit in test_digits(20) {
            let clean = page(&digit, 10);
            let mut dirty = clean.clone();
            for (x, y) in [(3, 3), (390, 340), (200, 345), (201, 345)] {
                dirty.put_pixel(x, y, [255].into());
            }
            assert_eq!(normalise(dirty, 28, 28), normalise(clean, 28, 28));
        }
    }

    #[test]
    fn the_result_has_mnists_size_and_place() {
        for digit in test_digits(100) {
            let found = normalise(page(&digit, 7), 28, 28).unwrap();
            let found = GrayImage::from_raw(28, 28, found).unwrap();
            let ink = crop_to_ink(&found).unwrap();
            assert!((19..=20).contains(&ink.width().max(ink.height())));
            assert_eq!(place_by_mass(&found, 28, 28).len(), SIDE);
            let mass: f64 = found.iter().map(|&v| f64::from(v)).sum();
            let moment = found
                .enumerate_pixels()
                .map(|(x, _, p)| f64::from(x) * f64::from(p.0[0]));
            let mean_x = moment.sum::<f64>() / mass;
            assert!((mean_x - 14.0).abs() <= 0.501, "{mean_x}");
        }
    }

    #[test]
    fn a_thin_pen_is_made_as_light_as_a_thick_one() {
        let line = GrayImage::from_fn(500, 500, |x, y| {
            let is_ink = x.abs_diff(y) < 3 && (50..450).contains(&x);
            [if is_ink { 0 } else { 255 }].into()
        });
        let found = normalise(line, 28, 28).unwrap();
        assert_eq!(found.iter().max(), Some(&255));
    }

    #[test]
    fn a_blank_picture_is_none() {
        for tone in [0, 128, 255] {
            for (width, height) in [(28, 28), (1, 1), (1, 40), (300, 200)] {
                let blank = GrayImage::from_pixel(width, height, [tone].into());
                assert_eq!(normalise(blank, 28, 28), None);
            }
        }
        let faint = GrayImage::from_fn(100, 100, |x, y| [200 + ((x * y) % 10) as u8].into());
        assert_eq!(normalise(faint, 28, 28), None);
    }

    #[test]
    fn odd_shapes_fill_the_field_they_are_asked_for() {
        for (width, height) in [(600, 3), (3, 600), (2, 2), (1, 30), (29, 28), (2000, 10)] {
            let picture = GrayImage::from_fn(width, height, |x, y| {
                [if (x + y) % 7 == 1 { 255 } else { 0 }].into()
            });
            for (field_height, field_width) in [(28, 28), (32, 20), (1, 1), (9, 64)] {
                if let Some(found) = normalise(picture.clone(), field_height, field_width) {
                    assert_eq!(found.len(), (field_height * field_width) as usize);
                }
            }
        }
    }
}
