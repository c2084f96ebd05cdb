//! Fetching a batch from the resident data set.

use proptest::prelude::*;
use spinalnet::batch::{Part, Sample, Source};
use spinalnet::plan::{Mode, Parameters, Tape};

use crate::common::tolerance::{EPS, assert_exact, assert_within};
use crate::common::{Bench, Draw, Random, doubles, for_all};
use crate::reference::gather::{self, Gather};

/// Steps of the epoch; the last one is run, and it is ragged.
const STEPS: u32 = 3;

/// A full batch, the rows that the ragged one lacks, and whether the set is the training set.
fn batches() -> impl Strategy<Value = (u32, u32, bool)> {
    (1..20u32).prop_flat_map(|full| (Just(full), 0..full, any::<bool>()))
}

/// The mode and the buffer of its step.
fn mode(train: bool) -> (Mode, &'static str) {
    if train {
        (Mode::Train, "train.step")
    } else {
        (Mode::Evaluate, "test.step")
    }
}

/// A pass over all training samples, or over all but three of them as held-out ones.
fn pass(train: bool, full: u32, batch: u32) -> Source {
    let count = (STEPS - 1) * full + batch;
    let (part, resident) = if train {
        (Part::Train, count)
    } else {
        (Part::Validation, count + 3)
    };
    let sample = Sample::Row {
        features: 1,
        targets: 1,
    };
    Source {
        resident,
        ..Source::whole(part, sample, count, full)
    }
}

/// The order of a pass: each sample at most once.
fn order(source: &Source, random: &mut Random) -> Vec<u32> {
    let mut order = random.permutation(source.resident as usize);
    order.truncate(source.count as usize);
    order
}

/// An image of an odd number of bytes starts at any byte of a word, and so does its label.
pub fn images_match_their_twin(bench: &Bench) {
    images_in_windows(bench, u64::MAX, None);
}

/// Windows of whole images that begin at an aligned byte: 256 images where an image has an odd number of bytes.
pub fn images_that_are_staged_match_their_twin(bench: &Bench) {
    images_in_windows(bench, 1, None);
}

/// Only the images of the next two steps lie on the device: the last step's come first in their chunk, or behind those of the
/// step before.
pub fn images_that_are_streamed_match_their_twin(bench: &Bench) {
    for steps in [1, 2, STEPS] {
        images_in_windows(bench, u64::MAX, Some(steps));
    }
    images_in_windows(bench, 1, Some(STEPS));
}

/// Images that are read in windows, or are those of a chunk of so many steps.
fn images_in_windows(bench: &Bench, window_bytes: u64, chunk_steps: Option<u32>) {
    let listed = [
        ([1, 1, 1], (1, 0, true)),
        ([3, 3, 1], (5, 2, true)),
        ([28, 28, 1], (4, 1, false)),
        ([5, 3, 3], (7, 6, true)),
        ([3, 5, 1], (150, 3, true)),
        ([4, 4, 3], (40, 0, false)),
    ];
    for_all(
        &listed,
        4,
        ([1..8u32, 1..8, 1..5], batches()),
        |&(sizes, (full, lacking, train))| {
            let [height, width, channels] = sizes;
            let batch = full - lacking;
            let source = Source {
                sample: Sample::Image {
                    height,
                    width,
                    channels,
                },
                window_bytes,
                chunk: chunk_steps.map(|steps| steps * full),
                ..pass(train, full, batch)
            };
            let (mode, step) = mode(train);
            let mut tape = Tape::new("gather", &Parameters::default(), mode);
            let fetched = source.record(&mut tape, batch);

            let mut random = Random(10);
            let count = source.resident as usize;
            let mut bytes = |count: usize| {
                (0..count)
                    .map(|_| random.below(256) as u8)
                    .collect::<Vec<u8>>()
            };
            let (images, labels) = (
                bytes(count * (height * width * channels) as usize),
                bytes(count),
            );
            let order = order(&source, &mut random);
            let twin = Gather {
                batch: batch as usize,
                pixels: (height * width) as usize,
                start: ((STEPS - 1) * full) as usize,
                mean: (0..channels).map(|c| 0.13 + 0.1 * f64::from(c)).collect(),
                std: (0..channels).map(|c| 0.3 + 0.05 * f64::from(c)).collect(),
            };
            let scale = twin.std.iter().map(|std| (1.0 / (255.0 * std)) as f32);
            let shift = twin
                .mean
                .iter()
                .zip(&twin.std)
                .map(|(mean, std)| (-mean / std) as f32);
            let normalisation: Vec<f32> = scale.chain(shift).collect();
            let expected = gather::forward(&twin, &images, &order);
            let size = images.len() / count;
            let on_device = match source.chunk {
                None => images,
                Some(chunk) => {
                    let first = twin.start / chunk as usize * chunk as usize;
                    let next = order[first..].iter().map(|&image| image as usize);
                    next.flat_map(|image| images[image * size..][..size].to_vec())
                        .collect()
                }
            };

            for open in bench.open(&tape.finish()) {
                open.write_named("train.images", &on_device);
                open.write_named("train.labels", &labels);
                open.write_named(&format!("{}.order", source.part.prefix()), &order);
                open.write_named(step, &[0, STEPS - 1, 0, 0]);
                open.write_named("normalisation", &normalisation);
                open.run();
                // Scale, shift, their product and their sum round.
                assert_within("x", &doubles(&open.read(fetched.x)), &expected, |index| {
                    let (mean, std) = (
                        twin.mean[index % channels as usize],
                        twin.std[index % channels as usize],
                    );
                    3.0 * EPS * (expected[index].abs() + 2.0 * mean / std)
                });
                let wanted = order[twin.start..]
                    .iter()
                    .map(|&row| u32::from(labels[row as usize]));
                assert_eq!(open.read::<u32>(fetched.y), wanted.collect::<Vec<_>>());
            }
        },
    );
}

pub fn rows_are_copied(bench: &Bench) {
    let listed = [
        (1, 1, (1, 0, true)),
        (8, 1, (64, 1, true)),
        (3, 5, (7, 6, false)),
    ];
    for_all(
        &listed,
        3,
        (1..10u32, 1..5u32, batches()),
        |&(features, targets, (full, lacking, train))| {
            let batch = full - lacking;
            let source = Source {
                sample: Sample::Row { features, targets },
                ..pass(train, full, batch)
            };
            let (mode, step) = mode(train);
            let mut tape = Tape::new("gather", &Parameters::default(), mode);
            let fetched = source.record(&mut tape, batch);

            let mut random = Random(11);
            let inputs = random.values(Draw::Uniform, (source.resident * features) as usize);
            let wanted = random.values(Draw::Uniform, (source.resident * targets) as usize);
            let order = order(&source, &mut random);
            let rows = &order[((STEPS - 1) * full) as usize..];
            let picked = |values: &[f32], columns: u32| -> Vec<f64> {
                let columns = columns as usize;
                rows.iter()
                    .flat_map(|&row| doubles(&values[row as usize * columns..][..columns]))
                    .collect()
            };
            for open in bench.open(&tape.finish()) {
                open.write_named("train.inputs", &inputs);
                open.write_named("train.targets", &wanted);
                open.write_named(&format!("{}.order", source.part.prefix()), &order);
                open.write_named(step, &[0, STEPS - 1, 0, 0]);
                open.run();
                assert_exact(
                    "x",
                    &doubles(&open.read(fetched.x)),
                    &picked(&inputs, features),
                );
                assert_exact(
                    "y",
                    &doubles(&open.read(fetched.y)),
                    &picked(&wanted, targets),
                );
            }
        },
    );
}

/// Rows with classes: what a frozen backbone makes of images.
pub fn features_are_copied_with_their_classes(bench: &Bench) {
    let listed = [(1, (1, 0, true)), (8, (64, 1, true)), (3, (7, 6, false))];
    for_all(
        &listed,
        3,
        (1..10u32, batches()),
        |&(features, (full, lacking, train))| {
            let batch = full - lacking;
            let source = Source {
                sample: Sample::Features { features },
                ..pass(train, full, batch)
            };
            let (mode, step) = mode(train);
            let mut tape = Tape::new("gather", &Parameters::default(), mode);
            let fetched = source.record(&mut tape, batch);

            let mut random = Random(12);
            let inputs = random.values(Draw::Uniform, (source.resident * features) as usize);
            let labels: Vec<u8> = (0..source.resident)
                .map(|_| random.below(256) as u8)
                .collect();
            let order = order(&source, &mut random);
            let rows = order[((STEPS - 1) * full) as usize..].iter();
            let rows = rows.map(|&row| row as usize);
            let columns = features as usize;
            let picked = rows
                .clone()
                .flat_map(|row| &inputs[row * columns..][..columns]);
            let picked: Vec<f32> = picked.copied().collect();
            let classes: Vec<u32> = rows.map(|row| labels[row].into()).collect();
            for open in bench.open(&tape.finish()) {
                open.write_named("train.inputs", &inputs);
                open.write_named("train.labels", &labels);
                open.write_named(&format!("{}.order", source.part.prefix()), &order);
                open.write_named(step, &[0, STEPS - 1, 0, 0]);
                open.run();
                assert_exact("x", &doubles(&open.read(fetched.x)), &doubles(&picked));
                assert_eq!(open.read::<u32>(fetched.y), classes);
            }
        },
    );
}
