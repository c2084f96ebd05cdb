//! The part of a data set that a limit leaves.

use std::fmt;

use super::order::shuffled;
use super::statistics::class_counts;
use super::{ImageSet, MAX_CLASSES, Table};

/// The ChaCha stream used here, so that another use of the same seed draws other bits.
const STREAM: u64 = u64::from_be_bytes(*b"limit\0\0\0");

/// The seed of the images to test on, the same for every training, so that their scores can be compared.
const TEST_SEED: u64 = 0;

/// Which samples a limit leaves. Nothing of it depends on anything but the data set, the limit and the seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// The first ones, of a set whose samples are in no order.
    First,
    /// Of every class its share, drawn by a seed, of a set that is stored class by class.
    Stratified {
        /// The seed.
        seed: u64,
    },
}

/// A limit that leaves samples out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// What is done with them: `training` or `testing`.
    pub purpose: &'static str,
    /// What they are: `images` or `rows`.
    pub samples: &'static str,
    /// How many are left.
    pub used: usize,
    /// How many there are.
    pub all: usize,
    /// Which.
    pub rule: Rule,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { used, all, .. } = self;
        write!(f, "{} on {used} of {all} {}: ", self.purpose, self.samples)?;
        match self.rule {
            Rule::First => write!(f, "the first"),
            Rule::Stratified { seed } => write!(f, "stratified by class, seed {seed}"),
        }
    }
}

impl ImageSet {
    /// Leaves at most `n` images to train on, and all that are held out.
    pub fn limit_train(&mut self, n: usize, seed: u64) -> Option<Limit> {
        let all = self.train.count - self.held_out;
        let held_out = all..self.train.count;
        let (places, rule) = choose(&self.train.labels[..all], n, seed)?;
        let kept: Vec<usize> = places.into_iter().chain(held_out).collect();
        self.train.keep(&kept);
        Some(Limit {
            purpose: "training",
            samples: "images",
            used: n,
            all,
            rule,
        })
    }

    /// Leaves at most `n` images to test on.
    pub fn limit_test(&mut self, n: usize) -> Option<Limit> {
        let all = self.test.count;
        let (places, rule) = choose(&self.test.labels, n, TEST_SEED)?;
        self.test.keep(&places);
        Some(Limit {
            purpose: "testing",
            samples: "images",
            used: n,
            all,
            rule,
        })
    }
}

impl Table {
    /// Leaves the first `n` rows, whose purpose is `training` or `testing`.
    pub fn limit(&mut self, n: usize, purpose: &'static str) -> Option<Limit> {
        let all = self.count;
        if n >= all {
            return None;
        }
        self.count = n;
        self.inputs.truncate(n * self.features);
        self.targets.truncate(n * self.outputs);
        Some(Limit {
            purpose,
            samples: "rows",
            used: n,
            all,
            rule: Rule::First,
        })
    }
}

/// The places of `n` of these samples, ascending, and the rule that chose them; nothing where there are no more than `n`.
fn choose(labels: &[u8], n: usize, seed: u64) -> Option<(Vec<usize>, Rule)> {
    if n >= labels.len() {
        return None;
    }
    if !is_class_by_class(labels) {
        return Some(((0..n).collect(), Rule::First));
    }
    let mut places = evenly(labels, seed);
    places.truncate(n);
    places.sort_unstable();
    Some((places, Rule::Stratified { seed }))
}

/// Whether the samples of every class lie together, as class folders give them.
fn is_class_by_class(labels: &[u8]) -> bool {
    let counts = class_counts(labels, MAX_CLASSES);
    let classes = counts.iter().filter(|&&count| count > 0).count();
    labels.chunk_by(|a, b| a == b).count() == classes
}

/// All places, in a random order that goes through every class at the same pace: it begins with a sample of each class, and
/// every longer start of it has of each class the share that the whole has, but for rounding.
fn evenly(labels: &[u8], seed: u64) -> Vec<usize> {
    let counts = class_counts(labels, MAX_CLASSES);
    let mut seen = [0u32; MAX_CLASSES];
    let mut order: Vec<(f64, usize)> = shuffled(labels.len(), seed, STREAM)
        .into_iter()
        .map(|place| {
            let place = place as usize;
            let class = usize::from(labels[place]);
            let pace = f64::from(seen[class]) / counts[class] as f64;
            seen[class] += 1;
            (pace, place)
        })
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    order.into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::regression::{Target, generate};
    use crate::data::{Images, Splits};

    /// A set whose pixels tell the place of an image.
    fn set(train: &[u8], held_out: &[u8], test: &[u8]) -> ImageSet {
        let images = |labels: &[u8]| Images {
            count: labels.len(),
            height: 1,
            width: 2,
            channels: 1,
            pixels: Vec::from_iter((0..2 * labels.len()).map(|byte| byte as u8 / 2)).into(),
            labels: labels.to_vec(),
        };
        let splits = Splits {
            train: images(&[train, held_out].concat()),
            test: images(test),
            classes: 3,
        };
        ImageSet {
            held_out: held_out.len(),
            ..ImageSet::grey("set", splits)
        }
    }

    fn places(images: &Images) -> Vec<u8> {
        let pixels = images.pixels.in_memory();
        assert_eq!(pixels.len(), 2 * images.count);
        let pixels = pixels.chunks(2);
        pixels.map(|image| image[0]).collect()
    }

    #[test]
    fn what_is_in_no_order_keeps_its_first() {
        let mut limited = set(&[0, 1, 0, 2, 1], &[2, 0], &[1, 0, 1]);
        let limit = limited.limit_train(2, 7).unwrap();
        assert_eq!(limit.to_string(), "training on 2 of 5 images: the first");
        assert_eq!(places(&limited.train), [0, 1, 5, 6]);
        assert_eq!(limited.train.labels, [0, 1, 2, 0]);
        let limit = limited.limit_test(1).unwrap();
        assert_eq!(limit.to_string(), "testing on 1 of 3 images: the first");
        assert_eq!(places(&limited.test), [0]);
    }

    #[test]
    fn what_lies_class_by_class_is_stratified() {
        let labels = [[0; 6].as_slice(), &[2; 3], &[1; 3]].concat();
        let mut limited = set(&labels, &[0, 1], &labels);
        let limit = limited.limit_train(4, 7).unwrap();
        let expected = "training on 4 of 12 images: stratified by class, seed 7";
        assert_eq!(limit.to_string(), expected);
        assert_eq!(limited.train.labels, [0, 0, 2, 1, 0, 1]);
        assert_eq!(places(&limited.train)[4..], [12, 13]);
        let limit = limited.limit_test(4).unwrap();
        let expected = "testing on 4 of 12 images: stratified by class, seed 0";
        assert_eq!(limit.to_string(), expected);
        assert_eq!(limited.test.labels, [0, 0, 2, 1]);
    }

    #[test]
    fn the_seed_decides_the_part() {
        let labels = [[0; 50], [1; 50]].concat();
        let part = |seed| choose(&labels, 20, seed).unwrap().0;
        assert_eq!(part(1), part(1));
        assert_ne!(part(1), part(2));
    }

    #[test]
    fn a_limit_that_leaves_nothing_out_changes_nothing() {
        let whole = set(&[0, 0, 1], &[1], &[0, 1]);
        for n in [3, 4, usize::MAX] {
            let mut limited = whole.clone();
            assert_eq!(limited.limit_train(n, 1), None);
            assert_eq!(limited.limit_test(n), None);
            assert_eq!(limited, whole);
        }
    }

    #[test]
    fn rows_keep_their_first() {
        let whole = generate(Target::Sum, 5, 1);
        let mut limited = whole.clone();
        assert_eq!(limited.limit(5, "testing"), None);
        assert_eq!(limited, whole);
        let limit = limited.limit(3, "testing").unwrap();
        assert_eq!(limit.to_string(), "testing on 3 of 5 rows: the first");
        assert_eq!(limited, generate(Target::Sum, 3, 1));
    }

    proptest! {
        #[test]
        fn every_class_has_its_share_and_every_sample_counts_once(
            counts in proptest::collection::vec(1usize..40, 1..8), n in 1usize..200, seed: u64,
        ) {
            let classes = counts.iter().enumerate();
            let labels: Vec<u8> = classes.flat_map(|(class, &count)| vec![class as u8; count]).collect();
            prop_assume!(n < labels.len());
            let (places, rule) = choose(&labels, n, seed).unwrap();
            prop_assert_eq!(rule, Rule::Stratified { seed });
            prop_assert_eq!(places.len(), n);
            prop_assert!(places.is_sorted_by(|a, b| a < b));
            let chosen: Vec<u8> = places.iter().map(|&place| labels[place]).collect();
            for (class, found) in class_counts(&chosen, counts.len()).into_iter().enumerate() {
                let share = n as f64 * counts[class] as f64 / labels.len() as f64;
                prop_assert!((found as f64 - share).abs() < counts.len() as f64, "{found} of {share}");
                prop_assert!(found > 0 || n < counts.len());
            }
        }
    }
}
