//! Twin of `shaders/augment/*`: torchvision's random operations on bytes, by Pillow's rules, and how they are drawn.

use super::random::random_bits;

/// What an operation does to one image.
#[derive(Clone, Debug, PartialEq)]
pub enum Warp {
    /// The nearest pixel under an affine map in 16.16 fixed point, from the indices of a pixel; 0 outside.
    Nearest([i32; 6]),
    /// The same by whole pixels, for a result of another size.
    Cut {
        /// Left and top.
        corner: [i32; 2],
        /// Height and width of the result.
        size: [usize; 2],
    },
    /// Between 2 x 2 pixels under a homography, from the centre of a pixel; 0 outside.
    Bilinear([f64; 8]),
    /// Between 4 x 4 pixels.
    Bicubic([f64; 8]),
    /// A box of the image, resized.
    Resize {
        /// Left, top, width, height.
        cut: [usize; 4],
        /// Height and width of the result.
        size: [usize; 2],
    },
}

/// Bytes `[height, width, channels]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub bytes: Vec<u8>,
}

impl Image {
    fn black([height, width]: [usize; 2], channels: usize) -> Self {
        Self {
            height,
            width,
            channels,
            bytes: vec![0; height * width * channels],
        }
    }

    fn index(&self, y: usize, x: usize, c: usize) -> usize {
        (y * self.width + x) * self.channels + c
    }

    fn clamped(&self, y: i64, x: i64, c: usize) -> f64 {
        let y = y.clamp(0, self.height as i64 - 1) as usize;
        let x = x.clamp(0, self.width as i64 - 1) as usize;
        self.bytes[self.index(y, x, c)].into()
    }
}

/// The image after an operation.
pub fn apply(warp: &Warp, image: &Image) -> Image {
    match warp {
        Warp::Nearest(matrix) => nearest(matrix, image),
        Warp::Cut { corner, size } => cut(*corner, *size, image),
        Warp::Resize { cut, size } => resize(cut, *size, image),
        Warp::Bilinear(_) | Warp::Bicubic(_) => {
            let mut result = Image::black([image.height, image.width], image.channels);
            for (byte, sample) in result.bytes.iter_mut().zip(samples(warp, image)) {
                *byte = if sample.inside { sample.value as u8 } else { 0 };
            }
            result
        }
    }
}

/// Pillow's `affine_fixed`.
fn nearest(m: &[i32; 6], image: &Image) -> Image {
    let mut result = Image::black([image.height, image.width], image.channels);
    for y in 0..image.height {
        for x in 0..image.width {
            let (i, j) = (x as i32, y as i32);
            let from_x = (m[0] * i + m[1] * j + m[2]) >> 16;
            let from_y = (m[3] * i + m[4] * j + m[5]) >> 16;
            if (0..image.width as i32).contains(&from_x)
                && (0..image.height as i32).contains(&from_y)
            {
                for c in 0..image.channels {
                    let to = result.index(y, x, c);
                    result.bytes[to] =
                        image.bytes[image.index(from_y as usize, from_x as usize, c)];
                }
            }
        }
    }
    result
}

/// `crop`: 0 outside the image.
fn cut([left, top]: [i32; 2], size: [usize; 2], image: &Image) -> Image {
    let mut result = Image::black(size, image.channels);
    for y in 0..size[0] {
        for x in 0..size[1] {
            let (from_x, from_y) = (x as i32 + left, y as i32 + top);
            if (0..image.width as i32).contains(&from_x)
                && (0..image.height as i32).contains(&from_y)
            {
                for c in 0..image.channels {
                    let to = result.index(y, x, c);
                    result.bytes[to] =
                        image.bytes[image.index(from_y as usize, from_x as usize, c)];
                }
            }
        }
    }
    result
}

/// A value between pixels before its fraction is cut off, and what f32 may make of it.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// From 0 to 255. It goes on a little outside the image, where the result is 0.
    pub value: f64,
    /// Where the value was taken, in pixels from the left and from the top.
    pub place: [f64; 2],
    /// The largest difference among the pixels that it is made of.
    pub contrast: f64,
    /// Whether the place is in the image.
    pub inside: bool,
}

/// The values of an interpolating operation, `[height, width, channels]`.
pub fn samples(warp: &Warp, image: &Image) -> Vec<Sample> {
    let (h, reach) = match warp {
        Warp::Bilinear(h) => (h, 1),
        Warp::Bicubic(h) => (h, 2),
        _ => panic!("{warp:?} takes whole pixels"),
    };
    let mut samples = Vec::new();
    for y in 0..image.height {
        for x in 0..image.width {
            let (centre_x, centre_y) = (x as f64 + 0.5, y as f64 + 0.5);
            let divisor = h[6] * centre_x + h[7] * centre_y + 1.0;
            let place = [
                (h[0] * centre_x + h[1] * centre_y + h[2]) / divisor,
                (h[3] * centre_x + h[4] * centre_y + h[5]) / divisor,
            ];
            for c in 0..image.channels {
                samples.push(sample(image, place, reach, c));
            }
        }
    }
    samples
}

/// Pillow's `bilinear_filter` (`reach` 1) and `bicubic_filter` (`reach` 2).
fn sample(image: &Image, place: [f64; 2], reach: i64, c: usize) -> Sample {
    let [x, y] = place.map(|coordinate| (coordinate - 0.5).floor());
    let [dx, dy] = [place[0] - 0.5 - x, place[1] - 0.5 - y];
    let mut all = Vec::new();
    let mut rows = Vec::new();
    for j in 1 - reach..=reach {
        let row: Vec<f64> = (1 - reach..=reach)
            .map(|i| image.clamped(y as i64 + j, x as i64 + i, c))
            .collect();
        all.extend_from_slice(&row);
        rows.push(interpolate(&row, dx));
    }
    let inside = place[0] >= 0.0
        && place[0] < image.width as f64
        && place[1] >= 0.0
        && place[1] < image.height as f64;
    let largest = all.iter().copied().fold(0.0, f64::max);
    let smallest = all.iter().copied().fold(255.0, f64::min);
    Sample {
        value: interpolate(&rows, dy).clamp(0.0, 255.0),
        place,
        contrast: largest - smallest,
        inside,
    }
}

/// Linear between two values, or the cubic convolution with a = -1 between the middle two of four.
fn interpolate(v: &[f64], d: f64) -> f64 {
    if v.len() == 2 {
        return v[0] + (v[1] - v[0]) * d;
    }
    let linear = -v[0] + v[2];
    let square = 2.0 * (v[0] - v[1]) + v[2] - v[3];
    let cube = -v[0] + v[1] - v[2] + v[3];
    v[1] + d * (linear + d * (square + d * cube))
}

/// Pillow's `resize` with the bilinear filter: along the rows, then down the columns, each time to bytes.
fn resize(&[left, top, width, height]: &[usize; 4], size: [usize; 2], image: &Image) -> Image {
    let mut wide = Image::black([height, size[1]], image.channels);
    for y in 0..height {
        for x in 0..size[1] {
            for c in 0..image.channels {
                let value = |tap| image.bytes[image.index(top + y, left + tap, c)];
                let to = wide.index(y, x, c);
                wide.bytes[to] = average(&coefficients(x, width, size[1]), value);
            }
        }
    }
    let mut result = Image::black(size, image.channels);
    for y in 0..size[0] {
        for x in 0..size[1] {
            for c in 0..image.channels {
                let value = |tap| wide.bytes[wide.index(tap, x, c)];
                let to = result.index(y, x, c);
                result.bytes[to] = average(&coefficients(y, height, size[0]), value);
            }
        }
    }
    result
}

/// Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc`: the first pixel that result `index` is made of, and the
/// coefficients from there on, in 2^-22.
fn coefficients(index: usize, before: usize, after: usize) -> (usize, Vec<i64>) {
    let scale = before as f64 / after as f64;
    let support = scale.max(1.0);
    let centre = (index as f64 + 0.5) * scale;
    let first = ((centre - support + 0.5) as i64).max(0) as usize;
    let end = ((centre + support + 0.5) as usize).min(before);
    let weight = |tap: usize| {
        let distance = ((tap as f64 - centre + 0.5) / support).abs();
        (1.0 - distance).max(0.0)
    };
    let total: f64 = (first..end).map(weight).sum();
    let rounded = |tap| (0.5 + weight(tap) / total * f64::from(1 << 22)) as i64;
    (first, (first..end).map(rounded).collect())
}

fn average((first, coefficients): &(usize, Vec<i64>), value: impl Fn(usize) -> u8) -> u8 {
    let mut sum = 1 << 21;
    for (tap, coefficient) in coefficients.iter().enumerate() {
        sum += i64::from(value(first + tap)) * coefficient;
    }
    (sum >> 22).clamp(0, 255) as u8
}

/// A map by whole pixels: x -> sign x + shift, and y likewise.
pub fn whole(sign: [i32; 2], shift: [i32; 2]) -> Warp {
    let [x, y] = shift.map(|shift| 65_536 * shift + 32_768);
    Warp::Nearest([65_536 * sign[0], 0, x, 0, 65_536 * sign[1], y])
}

/// `hflip`.
pub fn horizontal_flip([_, width]: [usize; 2]) -> Warp {
    whole([-1, 1], [width as i32 - 1, 0])
}

/// `vflip`.
pub fn vertical_flip([height, _]: [usize; 2]) -> Warp {
    whole([1, -1], [0, height as i32 - 1])
}

/// `center_crop`: left and top of what is cut out, by Python's rounding.
pub fn center_corner(before: [usize; 2], size: [usize; 2]) -> [i32; 2] {
    [1, 0].map(|axis| ((before[axis] - size[axis]) as f64 / 2.0).round_ties_even() as i32)
}

/// An affine map before it is rounded to fixed point, in 2^-16, from the indices of a pixel.
pub type Matrix = [f64; 6];

/// `rotate(angle)`: counter-clockwise about the centre.
pub fn rotation(degrees: f64, size: [usize; 2]) -> Matrix {
    turned(-degrees, [0.0, 0.0], size)
}

/// `affine(angle, translate)`: clockwise about the centre, then moved by (x, y) pixels.
pub fn affine(degrees: f64, translate: [f64; 2], size: [usize; 2]) -> Matrix {
    turned(degrees, translate, size)
}

fn turned(degrees: f64, translate: [f64; 2], [height, width]: [usize; 2]) -> Matrix {
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let centre = [width as f64 / 2.0, height as f64 / 2.0];
    let (x, y) = (-centre[0] - translate[0], -centre[1] - translate[1]);
    let inverse = [
        cosine,
        sine,
        cosine * x + sine * y + centre[0],
        -sine,
        cosine,
        -sine * x + cosine * y + centre[1],
    ];
    let at_half = |m: &[f64]| m[2] + 0.5 * m[0] + 0.5 * m[1];
    let [a, b] = [&inverse[..3], &inverse[3..]].map(|m| [m[0], m[1], at_half(m)]);
    [a[0], a[1], a[2], b[0], b[1], b[2]].map(|value| 65_536.0 * value)
}

/// A map in fixed point.
pub fn fixed(matrix: Matrix) -> Warp {
    Warp::Nearest(matrix.map(|value| (value + 0.5).floor() as i32))
}

/// `_get_perspective_coeffs`: the homography that takes the corners (clockwise from the top left, x then y) to those of the
/// image, in f64.
pub fn homography(corners: &[[f64; 2]; 4], [height, width]: [usize; 2]) -> [f64; 8] {
    let (right, low) = (width as f64 - 1.0, height as f64 - 1.0);
    let image = [[0.0, 0.0], [right, 0.0], [right, low], [0.0, low]];
    let mut rows = Vec::new();
    for ([x, y], [to_x, to_y]) in corners.iter().zip(image) {
        rows.push([*x, *y, 1.0, 0.0, 0.0, 0.0, -to_x * x, -to_x * y, to_x]);
        rows.push([0.0, 0.0, 0.0, *x, *y, 1.0, -to_y * x, -to_y * y, to_y]);
    }
    solve(rows)
}

/// Solves eight equations by elimination with pivots; each row ends with its right-hand side.
fn solve(mut rows: Vec<[f64; 9]>) -> [f64; 8] {
    for column in 0..8 {
        let pivot = (column..8).max_by(|&a, &b| {
            let size = |row: usize| rows[row][column].abs();
            size(a).total_cmp(&size(b))
        });
        rows.swap(column, pivot.expect("a row is left"));
        for row in 0..8 {
            let factor = rows[row][column] / rows[column][column];
            for k in 0..9 {
                if row != column {
                    rows[row][k] -= factor * rows[column][k];
                }
            }
        }
    }
    std::array::from_fn(|k| rows[k][8] / rows[k][k])
}

/// Random numbers of one operation for one sample.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    pub seed: u32,
    pub step: u32,
    pub stream: u32,
    /// Place of the sample in its batch.
    pub sample: u32,
}

impl Draws {
    fn bits(&self, draw: u32) -> u32 {
        random_bits(self.seed, self.step, self.stream, 64 * self.sample + draw)
    }

    /// A multiple of 2^-24 in [0, 1).
    pub fn unit(&self, draw: u32) -> f64 {
        f64::from(self.bits(draw) >> 8) / 2f64.powi(24)
    }

    fn between(&self, draw: u32, [low, high]: [f64; 2]) -> f64 {
        low + (high - low) * self.unit(draw)
    }

    /// A whole number below `end`.
    pub fn below(&self, draw: u32, end: u32) -> u32 {
        ((self.bits(draw) >> 16) * end) >> 16
    }

    /// The angle of `RandomRotation` or `RandomAffine`.
    pub fn angle(&self, degrees: f64) -> f64 {
        self.between(0, [-degrees, degrees])
    }

    /// The shift of `RandomAffine` before it is rounded.
    pub fn translation(&self, translate: [f64; 2], [height, width]: [usize; 2]) -> [f64; 2] {
        let furthest = [translate[0] * width as f64, translate[1] * height as f64];
        [0, 1].map(|axis| self.between(1 + axis as u32, [-furthest[axis], furthest[axis]]))
    }

    /// The corners of `RandomPerspective`.
    pub fn corners(&self, distortion_scale: f64, [height, width]: [usize; 2]) -> [[f64; 2]; 4] {
        let furthest = |side: usize| (distortion_scale * (side / 2) as f64) as u32;
        std::array::from_fn(|corner| {
            let x = self.below(1 + 2 * corner as u32, furthest(width) + 1);
            let y = self.below(2 + 2 * corner as u32, furthest(height) + 1);
            let right = width as u32 - 1 - furthest(width);
            let low = height as u32 - 1 - furthest(height);
            let x = if corner == 1 || corner == 2 {
                right + x
            } else {
                x
            };
            let y = if corner >= 2 { low + y } else { y };
            [x.into(), y.into()]
        })
    }

    /// Left and top of `RandomCrop(size)` after padding, less the padding.
    pub fn crop(&self, padding: u32, before: [usize; 2], size: [usize; 2]) -> [i32; 2] {
        [0, 1].map(|axis| {
            let places = before[1 - axis] + 2 * padding as usize + 1 - size[1 - axis];
            self.below(axis as u32, places as u32) as i32 - padding as i32
        })
    }

    /// The box of `RandomResizedCrop` as left, top, width, height; and the widths and heights that were tried, unrounded.
    pub fn resized_crop(
        &self,
        scale: [f64; 2],
        ratio: [f64; 2],
        [height, width]: [usize; 2],
    ) -> ([usize; 4], Vec<f64>) {
        let mut tried = Vec::new();
        for draw in (0..40).step_by(4) {
            let area = (height * width) as f64 * self.between(draw, scale);
            let aspect = self.between(draw + 1, ratio.map(f64::ln)).exp();
            let sides = [(area * aspect).sqrt(), (area / aspect).sqrt()];
            tried.extend(sides);
            let [w, h] = sides.map(|side| side.round_ties_even() as usize);
            if 0 < w && w <= width && 0 < h && h <= height {
                let top = self.below(draw + 2, (height - h + 1) as u32) as usize;
                let left = self.below(draw + 3, (width - w + 1) as u32) as usize;
                return ([left, top, w, h], tried);
            }
        }
        let aspect = width as f64 / height as f64;
        let (w, h) = if aspect < ratio[0] {
            (width, (width as f64 / ratio[0]).round_ties_even() as usize)
        } else if aspect > ratio[1] {
            (
                (height as f64 * ratio[1]).round_ties_even() as usize,
                height,
            )
        } else {
            (width, height)
        };
        ([(width - w) / 2, (height - h) / 2, w, h], tried)
    }
}
