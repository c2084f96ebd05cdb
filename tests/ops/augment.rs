//! Augmentation while a batch is gathered: the draws and the images against their twins, and the images against torchvision.

use proptest::prelude::*;
use spinalnet::batch::{Batch, Part, Sample, Source};
use spinalnet::data::augment::{Interpolation, Transform, Transforms};
use spinalnet::plan::{Mode, Parameters, Plan, Tape};

use crate::common::tolerance::{DIVISION, EPS};
use crate::common::{AdapterClass, Bench, OpenPlan, Random, for_all};
use crate::reference::augment::{self, Draws, Image, Matrix, Warp, apply, samples};
use crate::reference::torchvision::{Case, Fixture};

/// Words of a `Warp` in `shaders/lib/warp.wgsl`: kind, height, width, six of the matrix, eight of the homography.
const WARP_WORDS: usize = 17;

/// Steps of the epoch; the last one is run.
const STEPS: u32 = 3;

/// An augmented batch of the last step of an epoch.
struct Setup {
    transforms: Transforms,
    /// Height and width of a stored image.
    size: [usize; 2],
    channels: usize,
    batch: usize,
    seed: u32,
    in_training: u32,
    /// Bytes of images that are bound at once: where all are more, those of the batch are brought together first.
    window_bytes: u64,
}

impl Setup {
    fn source(&self) -> Source {
        let sample = Sample::Image {
            height: self.size[0] as u32,
            width: self.size[1] as u32,
            channels: self.channels as u32,
        };
        let batch = self.batch as u32;
        Source {
            transforms: self.transforms,
            window_bytes: self.window_bytes,
            ..Source::whole(Part::Train, sample, STEPS * batch, batch)
        }
    }

    fn record(&self) -> (Plan, Batch) {
        let mut tape = Tape::new("gather", &Parameters::default(), Mode::Train)
            .with_kernels(AdapterClass::Cpu);
        let batch = self.source().record(&mut tape, self.batch as u32);
        (tape.finish(), batch)
    }

    fn images(&self) -> Vec<Image> {
        let mut random = Random(12);
        let [height, width] = self.size;
        let mut image = || Image {
            height,
            width,
            channels: self.channels,
            bytes: (0..height * width * self.channels)
                .map(|_| random.below(256) as u8)
                .collect(),
        };
        (0..STEPS as usize * self.batch).map(|_| image()).collect()
    }

    /// Writes the data set, and a normalisation that stays exact: x = byte / 2 + channel + 1.
    fn write(&self, open: &OpenPlan, images: &[Image], order: &[u32]) {
        let bytes: Vec<u8> = images
            .iter()
            .flat_map(|image| image.bytes.clone())
            .collect();
        let labels: Vec<u8> = (0..images.len()).map(|index| index as u8).collect();
        let shifts = (0..self.channels).map(|channel| channel as f32 + 1.0);
        let normalisation: Vec<f32> = vec![0.5; self.channels].into_iter().chain(shifts).collect();
        open.write_named("train.images", &bytes);
        open.write_named("train.labels", &labels);
        open.write_named("train.order", order);
        open.write_named("normalisation", &normalisation);
        open.write_named("train.step", &[self.seed, STEPS - 1, self.in_training, 0]);
    }

    /// The bytes of the batch.
    fn bytes(&self, x: &[f32]) -> Vec<f64> {
        let value = |(index, &x): (usize, &f32)| {
            2.0 * (f64::from(x) - 1.0 - (index % self.channels) as f64)
        };
        x.iter().enumerate().map(value).collect()
    }
}

/// What the device drew for each sample and operation.
fn read_warps(open: &OpenPlan, transforms: &Transforms) -> Vec<Warp> {
    let words: Vec<u32> = open.read_named("gather.warps");
    let transforms: Vec<Transform> = transforms.iter().collect();
    let rows = words.chunks_exact(WARP_WORDS).enumerate();
    rows.map(|(index, words)| read_warp(words, &transforms[index % transforms.len()]))
        .collect()
}

fn read_warp(words: &[u32], transform: &Transform) -> Warp {
    let matrix: [i32; 6] = std::array::from_fn(|k| words[3 + k] as i32);
    let homography = std::array::from_fn(|k| f64::from(f32::from_bits(words[9 + k])));
    match words[0] {
        0 if is_cut(transform) => {
            let corner = [2, 5].map(|k| (matrix[k] - 32_768) / 65_536);
            assert_eq!(augment::whole([1, 1], corner), Warp::Nearest(matrix));
            Warp::Cut {
                corner,
                size: [words[1] as usize, words[2] as usize],
            }
        }
        0 => Warp::Nearest(matrix),
        1 => Warp::Bilinear(homography),
        2 => Warp::Bicubic(homography),
        3 => Warp::Resize {
            cut: [0, 1, 2, 3].map(|k| matrix[k] as usize),
            size: [words[1] as usize, words[2] as usize],
        },
        kind => panic!("no kind of warp {kind}"),
    }
}

/// Whether an operation cuts whole pixels out.
fn is_cut(transform: &Transform) -> bool {
    matches!(
        transform,
        Transform::RandomCrop { .. } | Transform::CenterCrop { .. }
    )
}

fn write_warp(warp: &Warp, size: [usize; 2]) -> [u32; WARP_WORDS] {
    let mut words = [0; WARP_WORDS];
    let [height, width] = match warp {
        Warp::Resize { size, .. } | Warp::Cut { size, .. } => *size,
        _ => size,
    };
    (words[1], words[2]) = (height as u32, width as u32);
    match warp {
        Warp::Nearest(matrix) => words[3..9].copy_from_slice(&matrix.map(|number| number as u32)),
        Warp::Cut { corner, .. } => {
            let Warp::Nearest(matrix) = augment::whole([1, 1], *corner) else {
                panic!("a map by whole pixels is affine")
            };
            words[3..9].copy_from_slice(&matrix.map(|number| number as u32));
        }
        Warp::Bilinear(h) | Warp::Bicubic(h) => {
            words[0] = if matches!(warp, Warp::Bilinear(_)) {
                1
            } else {
                2
            };
            words[9..].copy_from_slice(&h.map(|number| (number as f32).to_bits()));
        }
        Warp::Resize { cut, .. } => {
            words[0] = 3;
            words[3..7].copy_from_slice(&cut.map(|number| number as u32));
        }
    }
    words
}

const PERSPECTIVE: Transform = Transform::RandomPerspective {
    distortion_scale: 0.5,
    p: 0.5,
    interpolation: Interpolation::Bicubic,
};

/// Every operation, with parameters of the paper and others.
const TRANSFORMS: [Transform; 15] = [
    PERSPECTIVE,
    Transform::RandomPerspective {
        distortion_scale: 0.3,
        p: 1.0,
        interpolation: Interpolation::Bilinear,
    },
    Transform::RandomRotation { degrees: 10.0 },
    Transform::RandomRotation { degrees: 180.0 },
    Transform::RandomAffine {
        degrees: 0.0,
        translate: [0.1, 0.3],
    },
    Transform::RandomAffine {
        degrees: 45.0,
        translate: [0.2, 0.0],
    },
    Transform::RandomResizedCrop {
        size: None,
        scale: [0.95, 1.0],
        ratio: [3.0 / 4.0, 4.0 / 3.0],
    },
    Transform::RandomResizedCrop {
        size: None,
        scale: [0.08, 1.0],
        ratio: [3.0 / 4.0, 4.0 / 3.0],
    },
    Transform::RandomCrop {
        size: None,
        padding: 4,
    },
    Transform::RandomHorizontalFlip { p: 0.5 },
    Transform::RandomVerticalFlip { p: 0.25 },
    Transform::RandomCrop {
        size: Some([1, 1]),
        padding: 0,
    },
    Transform::RandomCrop {
        size: Some([5, 4]),
        padding: 3,
    },
    Transform::CenterCrop { size: [1, 1] },
    Transform::RandomResizedCrop {
        size: Some([13, 9]),
        scale: [0.2, 0.9],
        ratio: [0.5, 2.0],
    },
];

/// Sides of at least 4 pixels let a corner move; smaller ones keep it in its place.
fn shapes() -> impl Strategy<Value = ([usize; 2], usize, usize, [u32; 2])> {
    (
        [2..40usize, 2..40],
        1..4usize,
        1..40usize,
        any::<[u32; 2]>(),
    )
}

pub fn draws_match_their_twins(bench: &Bench) {
    let listed = [
        ([28, 28], 1, 100, [1, 0]),
        ([32, 32], 3, 64, [7, u32::MAX]),
        ([31, 37], 1, 65, [u32::MAX, 5]),
    ];
    for_all(
        &listed,
        2,
        shapes(),
        |&(size, channels, batch, [seed, in_training])| {
            for transform in TRANSFORMS {
                let setup = Setup {
                    transforms: Transforms::new(&[transform]),
                    size,
                    channels,
                    batch,
                    seed,
                    in_training,
                    window_bytes: u64::MAX,
                };
                for open in bench.open(&setup.record().0) {
                    let order: Vec<u32> = (0..STEPS * batch as u32).collect();
                    setup.write(&open, &setup.images(), &order);
                    open.run();
                    for (sample, warp) in read_warps(&open, &setup.transforms).iter().enumerate() {
                        let draws = Draws {
                            seed,
                            step: in_training,
                            stream: 1,
                            sample: sample as u32,
                        };
                        assert_drawn(&transform, &draws, size, warp);
                    }
                }
            }
        },
    );
}

/// Asserts that what the device drew is what the twin draws.
fn assert_drawn(transform: &Transform, draws: &Draws, size: [usize; 2], warp: &Warp) {
    let identity = augment::whole([1, 1], [0, 0]);
    let exact = match *transform {
        Transform::RandomHorizontalFlip { p } if draws.unit(0) < p => {
            augment::horizontal_flip(size)
        }
        Transform::RandomVerticalFlip { p } if draws.unit(0) < p => augment::vertical_flip(size),
        Transform::RandomCrop {
            size: result,
            padding,
        } => {
            let result = result.map_or(size, |result| result.map(|side| side as usize));
            Warp::Cut {
                corner: draws.crop(padding, size, result),
                size: result,
            }
        }
        Transform::CenterCrop { size: result } => {
            let result = result.map(|side| side as usize);
            Warp::Cut {
                corner: augment::center_corner(size, result),
                size: result,
            }
        }
        Transform::RandomPerspective {
            distortion_scale,
            p,
            ..
        } if draws.unit(0) < p => {
            return assert_homography(&draws.corners(distortion_scale, size), size, warp);
        }
        Transform::RandomRotation { degrees } => {
            let matrix = augment::rotation(draws.angle(degrees), size);
            return assert_matrix(&matrix, degrees, size, warp);
        }
        Transform::RandomAffine { degrees, translate } => {
            let translate = draws.translation(translate, size).map(f64::round_ties_even);
            let matrix = augment::affine(draws.angle(degrees), translate, size);
            return assert_matrix(&matrix, degrees, size, warp);
        }
        Transform::RandomResizedCrop {
            size: result,
            scale,
            ratio,
        } => {
            let (cut, tried) = draws.resized_crop(scale, ratio, size);
            if tried.iter().any(|&side| is_tie(side)) {
                return;
            }
            let size = result.map_or(size, |result| result.map(|side| side as usize));
            Warp::Resize { cut, size }
        }
        _ => identity,
    };
    assert_eq!(*warp, exact, "{transform:?}: {draws:?}");
}

/// Whether f32 may round the side of a box otherwise: the area has 3 roundings, the exponential of the aspect ratio an error
/// of (3 + 2 |x|) and its argument 3 more units, with |x| < 1; a root halves both and adds 4.5 units.
fn is_tie(side: f64) -> bool {
    let relative = (3.0 + 3.0 + 2.0 + 3.0 + 2.0) / 2.0 + 4.5;
    ((side - side.floor()) - 0.5).abs() <= relative * EPS * side
}

/// An affine map is rounded to whole numbers of 2^-16, after errors of the angle (two roundings of a number up to twice the
/// largest, one of its radians), of the series (six roundings of numbers below 1), and of three terms of up to the image's size.
fn assert_matrix(expected: &Matrix, degrees: f64, [height, width]: [usize; 2], warp: &Warp) {
    let Warp::Nearest(matrix) = warp else {
        panic!("{warp:?} is not an affine map")
    };
    let turn = 3.0 * EPS * (2.0 * degrees).to_radians() + 6.0 * EPS;
    // The centre is half the size, and a shift at most the size.
    let reach = 1.5 * (height + width) as f64;
    for (index, (&got, &expected)) in matrix.iter().zip(expected).enumerate() {
        let error = if index % 3 == 2 {
            (turn + 4.0 * EPS) * reach
        } else {
            turn
        };
        let tolerance = 0.5 + 65_536.0 * error;
        assert!(
            (f64::from(got) - expected).abs() <= tolerance,
            "element {index}: {got}, expected {expected}, tolerance {tolerance}"
        );
    }
}

/// The coefficients are quotients of sums of two products. Up to the products all is exact in whole numbers of f32; they, their
/// sums and the scale are rounded.
fn assert_homography(corners: &[[f64; 2]; 4], size: [usize; 2], warp: &Warp) {
    let (Warp::Bilinear(got) | Warp::Bicubic(got)) = warp else {
        panic!("{warp:?} is not a homography")
    };
    let expected = augment::homography(corners, size);
    let (magnitudes, divisor) = homography_magnitudes(corners, size);
    // Eight steps in f64 on numbers up to the square of a side.
    let elimination = 8.0 * f64::EPSILON * size[0].max(size[1]).pow(2) as f64;
    for index in 0..8 {
        let error = magnitudes[index] + expected[index].abs() * divisor;
        let tolerance = (2.0 + 2.0 + 2.5 + 1.0) * EPS * error + elimination;
        assert!(
            (got[index] - expected[index]).abs() <= tolerance,
            "coefficient {index}: {}, expected {}, tolerance {tolerance}",
            got[index],
            expected[index]
        );
    }
}

/// The sums of the magnitudes of the products that make the coefficients and their common divisor, over the divisor.
fn homography_magnitudes(p: &[[f64; 2]; 4], [height, width]: [usize; 2]) -> ([f64; 8], f64) {
    let minus = |a: [f64; 2], b: [f64; 2]| [a[0] - b[0], a[1] - b[1]];
    let cross = |a: [f64; 2], b: [f64; 2]| a[0] * b[1] - a[1] * b[0];
    let (d1, d2) = (minus(p[1], p[2]), minus(p[3], p[2]));
    let sum = minus(minus(p[0], p[1]), minus(p[3], p[2]));
    let (i, g, h) = (cross(d1, d2), cross(sum, d2), cross(d1, sum));
    let column = |d: [f64; 2], factor: f64, at: [f64; 2]| [0, 1].map(|k| d[k] * i + factor * at[k]);
    let (u, v) = (
        column(minus(p[1], p[0]), g, p[1]),
        column(minus(p[3], p[0]), h, p[3]),
    );
    let t = p[0].map(|coordinate| coordinate * i);
    let divisor = cross(u, v).abs();
    let [x, y] = [width, height].map(|side| (side as f64 - 1.0) / divisor);
    let both = |a: f64, b: f64, c: f64, d: f64| (a * b).abs() + (c * d).abs();
    let magnitudes = [
        both(v[1], i, t[1], h) * x,
        both(t[0], h, v[0], i) * x,
        both(v[0], t[1], t[0], v[1]) * x,
        both(t[1], g, u[1], i) * y,
        both(u[0], i, t[0], g) * y,
        both(t[0], u[1], u[0], t[1]) * y,
        both(u[1], h, v[1], g) / divisor,
        both(v[0], g, u[0], h) / divisor,
    ];
    (magnitudes, both(u[0], v[1], u[1], v[0]) / divisor)
}

/// The smallest and the largest bytes that f32 may give.
struct Range {
    low: Image,
    high: Image,
}

impl Range {
    fn exactly(image: &Image) -> Self {
        Self {
            low: image.clone(),
            high: image.clone(),
        }
    }

    fn apply(self, warp: &Warp) -> Self {
        let (mut low, mut high) = (apply(warp, &self.low), apply(warp, &self.high));
        if let Warp::Bilinear(h) | Warp::Bicubic(h) = warp {
            assert_eq!(
                self.low, self.high,
                "what is between pixels is found from known pixels"
            );
            let pixels = samples(warp, &self.low);
            for (index, sample) in pixels.iter().enumerate() {
                let pixel = index / self.low.channels;
                let centre = [pixel % self.low.width, pixel / self.low.width];
                let places = place_errors(h, centre, sample.place);
                let error = value_error(warp, sample.contrast, places);
                let size = [self.low.width, self.low.height];
                let at_edge = (0..2).any(|axis| {
                    let place = sample.place[axis];
                    place.abs().min((place - size[axis] as f64).abs()) <= places[axis]
                });
                if sample.inside || at_edge {
                    low.bytes[index] = (sample.value - error).max(0.0) as u8;
                    high.bytes[index] = (sample.value + error) as u8;
                }
                if at_edge {
                    low.bytes[index] = 0;
                }
            }
        }
        Self { low, high }
    }
}

/// How far off f32 finds the place that a pixel comes from: numerator and divisor are sums of three terms, with at most three
/// roundings each; one more for taking half a pixel off.
fn place_errors(h: &[f64; 8], centre: [usize; 2], place: [f64; 2]) -> [f64; 2] {
    let [x, y] = centre.map(|index| index as f64 + 0.5);
    let divisor = h[6] * x + h[7] * y + 1.0;
    let divisor_error = 3.0 * EPS * ((h[6] * x).abs() + (h[7] * y).abs() + 1.0);
    [0, 1].map(|axis| {
        let row = &h[3 * axis..][..3];
        let error = 3.0 * EPS * ((row[0] * x).abs() + (row[1] * y).abs() + row[2].abs());
        let size = place[axis].abs();
        (error + size * divisor_error) / divisor.abs() + (DIVISION + EPS) * size + EPS
    })
}

/// How far off f32 finds a value among pixels of some contrast R. The slope of the linear interpolation is at most R. That of
/// the cubic one, c1 + 2 d c2 + 3 d^2 c3 with |c1| <= R, |c2| <= 3 R and |c3| <= 2 R, is at most 13 R, and its weights add up to
/// at most 1.5 in magnitude. Each of the two passes rounds a number of up to 7 * 1.5 * 255 at most ten times.
fn value_error(warp: &Warp, contrast: f64, places: [f64; 2]) -> f64 {
    let slope = if matches!(warp, Warp::Bilinear(_)) {
        1.0
    } else {
        1.5 * 13.0
    };
    slope * contrast * (places[0] + places[1]) + 2.0 * 10.0 * EPS * 7.0 * 1.5 * 255.0
}

/// Asserts that a batch is what its operations make of its images, up to the bytes that f32 may give otherwise; returns how
/// many bytes are not the twin's, and of how many.
fn assert_augmented(what: &str, got: &[f64], images: &[&Image], warps: &[Vec<Warp>]) -> [usize; 2] {
    let mut counts = [0, 0];
    let size = got.len() / images.len();
    for (row, (image, warps)) in images.iter().zip(warps).enumerate() {
        let exact = warps
            .iter()
            .fold((*image).clone(), |image, warp| apply(warp, &image));
        let range = warps.iter().fold(Range::exactly(image), Range::apply);
        for (index, &got) in got[row * size..][..size].iter().enumerate() {
            let (low, high) = (range.low.bytes[index], range.high.bytes[index]);
            assert!(
                f64::from(low) <= got && got <= f64::from(high) && got.fract() == 0.0,
                "{what}: sample {row}, value {index}: {got}, expected {low} to {high}"
            );
            counts[0] += usize::from(got != f64::from(exact.bytes[index]));
            counts[1] += 1;
        }
    }
    counts
}

/// Operations one after another; only the first interpolates.
fn pipelines() -> Vec<Transforms> {
    let resize = Transform::Resize {
        height: 11,
        width: 41,
    };
    let mut pipelines: Vec<_> = TRANSFORMS
        .map(|transform| Transforms::new(&[transform]))
        .to_vec();
    pipelines.push(Transforms::new(&[resize]));
    pipelines.push(Transforms::new(&[PERSPECTIVE, TRANSFORMS[2]]));
    pipelines.push(Transforms::new(&[
        TRANSFORMS[1],
        resize,
        TRANSFORMS[5],
        TRANSFORMS[9],
    ]));
    pipelines.push(Transforms::new(&[
        TRANSFORMS[7],
        TRANSFORMS[8],
        TRANSFORMS[10],
    ]));
    pipelines.push(Transforms::new(&[
        resize,
        TRANSFORMS[2],
        Transform::CenterCrop { size: [8, 20] },
        TRANSFORMS[12],
        TRANSFORMS[14],
        TRANSFORMS[9],
    ]));
    pipelines
}

/// Every pipeline on images that are bound at once, and the last on images that are brought together first.
fn pipelines_in_windows() -> Vec<(Transforms, u64)> {
    let mut all: Vec<_> = pipelines().into_iter().map(|one| (one, u64::MAX)).collect();
    all.extend(pipelines().pop().map(|last| (last, 1)));
    all
}

pub fn augmented_images_match_their_twin(bench: &Bench) {
    let listed = [
        ([28, 28], 1, 5, [1, 0]),
        ([32, 32], 3, 3, [2, 3]),
        ([1, 1], 1, 1, [0, 0]),
        ([17, 23], 2, 4, [3, 9]),
    ];
    for_all(
        &listed,
        1,
        shapes(),
        |&(size, channels, batch, [seed, in_training])| {
            for (transforms, window_bytes) in pipelines_in_windows() {
                let transforms = transforms.on(size.map(|side| side as u32));
                if transforms == Transforms::default() {
                    continue;
                }
                let setup = Setup {
                    transforms,
                    size,
                    channels,
                    batch,
                    seed,
                    in_training,
                    window_bytes,
                };
                assert_matches_twin(bench, &setup);
            }
        },
    );
}

/// Images that a workgroup alone could not take through its operations where loops are bounded.
pub fn large_augmented_images_match_their_twin(bench: &Bench) {
    let resize = |height, width| Transform::Resize { height, width };
    let rotation = Transform::RandomRotation { degrees: 15.0 };
    let crop = Transform::RandomCrop {
        size: Some([448, 448]),
        padding: 0,
    };
    let resized_crop = Transform::RandomResizedCrop {
        size: Some([224, 224]),
        scale: [0.08, 1.0],
        ratio: [3.0 / 4.0, 4.0 / 3.0],
    };
    let pipelines = [
        Transforms::new(&[rotation, crop, TRANSFORMS[9], TRANSFORMS[10]]),
        Transforms::new(&[resized_crop, TRANSFORMS[9]]),
        Transforms::new(&[TRANSFORMS[2], TRANSFORMS[6]]),
        Transforms::new(&[resize(37, 600)]),
        Transforms::new(&[resize(1, 1)]),
    ];
    for transforms in pipelines {
        let setup = Setup {
            transforms,
            size: [512, 512],
            channels: 3,
            batch: 2,
            seed: 5,
            in_training: 1,
            window_bytes: u64::MAX,
        };
        assert_matches_twin(bench, &setup);
    }
}

fn assert_matches_twin(bench: &Bench, setup: &Setup) {
    let (plan, recorded) = setup.record();
    assert_eq!(plan.excess, None);
    let images = setup.images();
    let order = Random(13).permutation(images.len());
    let rows = &order[(STEPS as usize - 1) * setup.batch..];
    let picked: Vec<&Image> = rows.iter().map(|&row| &images[row as usize]).collect();
    for open in bench.open(&plan) {
        setup.write(&open, &images, &order);
        open.run();
        let warps = read_warps(&open, &setup.transforms);
        let slots = warps.len() / setup.batch;
        let warps: Vec<Vec<Warp>> = warps.chunks_exact(slots).map(<[_]>::to_vec).collect();
        let got = setup.bytes(&open.read(recorded.x));
        assert_augmented("x", &got, &picked, &warps);
        let labels: Vec<u32> = rows.iter().map(|row| row % 256).collect();
        assert_eq!(open.read::<u32>(recorded.y), labels);
    }
}

/// The draws are torchvision's; what is drawn on the device is left out of the plan.
pub fn augmented_images_are_torchvision_s(bench: &Bench) {
    for case in Fixture::read().cases() {
        let (mut plan, recorded, setup) = record_case(&case);
        plan.dispatches
            .retain(|dispatch| dispatch.shader.name() != "augment/draw");
        let words: Vec<u32> = case
            .warps
            .iter()
            .flatten()
            .flat_map(|warp| write_warp(warp, setup.size))
            .collect();
        let images: Vec<Image> = vec![case.images.clone(); STEPS as usize].concat();
        let order: Vec<u32> = (0..images.len() as u32).collect();
        for open in bench.open(&plan) {
            setup.write(&open, &images, &order);
            open.write_named("gather.warps", &words);
            open.run();
            let got = setup.bytes(&open.read(recorded.x));
            let picked: Vec<&Image> = case.images.iter().collect();
            let [wrong, all] = assert_augmented(&case.name, &got, &picked, &case.warps);
            assert!(
                wrong * 1000 <= all,
                "{}: {wrong} of {all} bytes are not torchvision's",
                case.name
            );
            if !case.name.contains("perspective") {
                assert_eq!(
                    wrong, 0,
                    "{}: whole numbers leave no room for rounding",
                    case.name
                );
            }
        }
    }
}

/// A plan with as many operations as the case, which resize or not as those of the case do; what they do is then written
/// over.
fn record_case(case: &Case) -> (Plan, Batch, Setup) {
    let image = &case.images[0];
    let transforms = case.warps[0].iter().map(|warp| match warp {
        // Of what draws nothing, that which changes nothing would be left out.
        Warp::Resize { size, .. } => Transform::RandomResizedCrop {
            size: Some(size.map(|side| side as u32)),
            scale: [1.0, 1.0],
            ratio: [1.0, 1.0],
        },
        Warp::Cut { size, .. } => Transform::RandomCrop {
            size: Some(size.map(|side| side as u32)),
            padding: 0,
        },
        _ => Transform::RandomHorizontalFlip { p: 1.0 },
    });
    let setup = Setup {
        transforms: Transforms::new(&transforms.collect::<Vec<_>>()),
        size: [image.height, image.width],
        channels: image.channels,
        batch: case.images.len(),
        seed: 0,
        in_training: 0,
        window_bytes: u64::MAX,
    };
    let (plan, batch) = setup.record();
    (plan, batch, setup)
}
