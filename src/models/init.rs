//! Initial weights, drawn on the host and reproducible on every platform.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::plan::{Init, ParameterSpec, Parameters, Values};

/// Gives convolution weights the initialisation of He et al. 2015 over their outputs: N(0, 2 / (kh kw out)).
pub(super) fn he_convolutions(parameters: &mut Parameters) {
    parameters.reinitialize(|spec| match spec.shape[..] {
        [out, _, height, width] => Some(Init::NormalFanOut((out * height * width) as u32)),
        _ => None,
    });
}

/// Gives the biases of convolutions 0, as torchvision does.
pub(super) fn zero_convolution_biases(parameters: &mut Parameters) {
    zero_biases(parameters, 4);
}

/// Gives the biases of Linears 0, as the authors' ResNet script does.
pub(super) fn zero_linear_biases(parameters: &mut Parameters) {
    zero_biases(parameters, 2);
}

/// Gives 0 to the biases that belong to weights of so many dimensions.
fn zero_biases(parameters: &mut Parameters, dimensions: usize) {
    let biases: Vec<String> = parameters
        .specs()
        .iter()
        .filter(|spec| spec.shape.len() == dimensions)
        .map(|spec| spec.name.replace(".weight", ".bias"))
        .collect();
    let is_bias = |spec: &ParameterSpec| biases.contains(&spec.name);
    parameters.reinitialize(|spec| is_bias(spec).then_some(Init::Constant(0.0)));
}

/// Freshly drawn parameters.
///
/// Each parameter has a random stream of its own, keyed by the seed and its name: parameters that two nets have in common
/// start equal, so that a comparison of heads is not one of luck.
pub fn initial_values(parameters: &Parameters, seed: u64) -> Values {
    let mut values = Values::zeros(parameters);
    for spec in parameters.specs() {
        values.set(spec, &draw(spec, seed));
    }
    values
}

fn draw(spec: &ParameterSpec, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(fnv1a(&spec.name));
    let mut one: Box<dyn FnMut() -> f64> = match spec.init {
        Init::Constant(value) => Box::new(move || value.into()),
        Init::UniformFanIn(fan_in) => {
            let bound = 1.0 / f64::from(fan_in).sqrt();
            Box::new(move || (2.0 * unit(&mut random) - 1.0) * bound)
        }
        Init::NormalFanOut(fan_out) => {
            let deviation = (2.0 / f64::from(fan_out)).sqrt();
            Box::new(move || deviation * normal(&mut random))
        }
    };
    (0..spec.elements()).map(|_| one() as f32).collect()
}

/// One draw from U(0, 1), ends excluded.
fn unit(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u32() as f64 + 0.5) / 4_294_967_296.0
}

/// One draw from N(0, 1), by the method of Box and Muller.
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (radius, angle) = (unit(random), unit(random));
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// The 64-bit FNV-1a hash.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Layout;

    /// The weight of a convolution of 32 channels to 64 with windows of 3 x 3, as He initialises it.
    fn draws(name: &str, seed: u64) -> Vec<f32> {
        let mut parameters = Parameters::default();
        let init = Init::NormalFanOut(64 * 3 * 3);
        parameters.add(name, &[64, 32, 3, 3], Layout::ConvolutionWeight, init);
        initial_values(&parameters, seed).get(&parameters.specs()[0])
    }

    /// Within five standard deviations of each estimate. The share within one deviation is that of no other distribution.
    #[test]
    fn he_draws_are_normal_with_the_right_deviation() {
        let deviation = (2.0f64 / (64.0 * 9.0)).sqrt();
        let draws: Vec<f64> = draws("conv.weight", 1)
            .iter()
            .map(|&value| f64::from(value) / deviation)
            .collect();
        let count = draws.len() as f64;
        let average = |of: &dyn Fn(f64) -> f64| draws.iter().map(|&x| of(x)).sum::<f64>() / count;
        let estimates = [
            (average(&|x| x), 0.0, 1.0),
            (average(&|x| x * x), 1.0, 2.0),
            (average(&|x| x.powi(3)), 0.0, 15.0),
            (
                average(&|x| f64::from(u8::from(x.abs() < 1.0))),
                0.682_689_5,
                0.216_624_6,
            ),
        ];
        for (estimate, expected, variance) in estimates {
            let tolerance = 5.0 * (variance / count).sqrt();
            assert!(
                (estimate - expected).abs() <= tolerance,
                "{estimate}, expected {expected} within {tolerance}"
            );
        }
    }

    #[test]
    fn draws_depend_on_seed_and_name_alone() {
        let first = draws("conv.weight", 1);
        assert_eq!(draws("conv.weight", 1), first);
        for other in [draws("conv.weight", 2), draws("conv2.weight", 1)] {
            let equal = first.iter().zip(&other).filter(|(a, b)| a == b).count();
            // Two of 2^32 draws hardly ever meet, and here 18,432 pairs try.
            assert!(equal < 3, "{equal} draws are equal");
        }
    }
}
