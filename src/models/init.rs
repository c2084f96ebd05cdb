//! Initial weights, drawn on the host and reproducible on every platform.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::plan::{Init, ParameterSpec, Parameters};

/// The flat device image of freshly drawn parameters.
///
/// Each parameter has a random stream of its own, keyed by the seed and its name: parameters that two nets have in common
/// start equal, so that a comparison of heads is not one of luck.
pub fn initial_values(parameters: &Parameters, seed: u64) -> Vec<f32> {
    let mut flat = vec![0.0; parameters.device_elements() as usize];
    for spec in parameters.specs() {
        spec.pack(&draw(spec, seed), &mut flat);
    }
    flat
}

fn draw(spec: &ParameterSpec, seed: u64) -> Vec<f32> {
    match spec.init {
        Init::Constant(value) => vec![value; spec.elements()],
        Init::UniformFanIn(fan_in) => {
            let bound = 1.0 / f64::from(fan_in).sqrt();
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(fnv1a(&spec.name));
            (0..spec.elements())
                .map(|_| uniform(&mut random, bound))
                .collect()
        }
    }
}

/// One draw from U(-bound, bound).
fn uniform(random: &mut ChaCha8Rng, bound: f64) -> f32 {
    let unit = (random.next_u32() as f64 + 0.5) / 4_294_967_296.0;
    ((2.0 * unit - 1.0) * bound) as f32
}

/// The 64-bit FNV-1a hash.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
