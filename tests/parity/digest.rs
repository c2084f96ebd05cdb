//! Digests: what is stored of a tensor that is too large for a fixture, so that any wrong element shows.

use crate::common::formula::Stream;
use crate::common::tolerance::{LUCK, assert_within};

/// Elements of a large tensor that a digest keeps.
const ELEMENTS: usize = 64;

/// What is kept of a tensor.
pub struct Digest {
    /// How many values there are.
    count: usize,
    /// The square root of the sum of squares.
    norm: f64,
    /// The product with random numbers of [-1, 1): every element takes part, at its own place.
    projection: f64,
    /// Elements at random places, or all of a small tensor.
    elements: Vec<f64>,
}

impl Digest {
    /// The digest of the tensor that a fixture calls `name`.
    pub fn of(seed: u8, name: &str, values: &[f64]) -> Self {
        let places = Stream::new(seed, &format!("{name} elements"));
        let weights = Stream::new(seed, &format!("{name} projection"));
        let elements = if values.len() <= ELEMENTS {
            values.to_vec()
        } else {
            let place = |index| places.bits(index) % values.len() as u64;
            (0..ELEMENTS)
                .map(|index| values[place(index) as usize])
                .collect()
        };
        let products = values.iter().enumerate();
        Self {
            count: values.len(),
            norm: values.iter().map(|value| value * value).sum::<f64>().sqrt(),
            projection: products
                .map(|(index, value)| value * weights.uniform(index))
                .sum(),
            elements,
        }
    }
}

/// The digest of a tensor in a fixture, and what comparisons with it depend on.
pub struct Expected {
    /// The largest difference of PyTorch in f32, and the L2 norm of all differences.
    float32_error: [f64; 2],
    /// The largest value.
    pub largest: f64,
    norm: f64,
    projection: f64,
    elements: Vec<f64>,
}

impl Expected {
    pub fn new(stored: &[f64]) -> Self {
        let [
            error,
            error_norm,
            largest,
            norm,
            projection,
            ref elements @ ..,
        ] = *stored
        else {
            panic!("{stored:?} is no digest")
        };
        Self {
            float32_error: [error, error_norm],
            largest,
            norm,
            projection,
            elements: elements.to_vec(),
        }
    }

    /// Asserts that these are the values; `rounding` is the error that formulas allow each beside what PyTorch's own says.
    pub fn assert(&self, what: &str, found: &Digest, rounding: f64) {
        let [error, error_norm] = self.float32_error.map(|error| LUCK * error);
        assert_within(what, &found.elements, &self.elements, |_| error + rounding);
        let what = format!("{what}: norm and projection");
        let tolerance = error_norm + rounding * (found.count as f64).sqrt();
        let (found, expected) = ([found.norm, found.projection], [self.norm, self.projection]);
        assert_within(&what, &found, &expected, |_| tolerance);
    }
}
