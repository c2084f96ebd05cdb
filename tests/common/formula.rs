//! What comparisons with PyTorch do not store: both sides draw it from one formula. `tests/fixtures/families.py` has the same.

use spinalnet::plan::{ParameterSpec, Parameters, Values};

/// The random numbers of one name: splitmix64 of the index, keyed by the FNV-1a hash of `SEED NAME`.
#[derive(Clone, Copy)]
pub struct Stream(u64);

impl Stream {
    pub fn new(seed: u8, name: &str) -> Self {
        let text = format!("{seed} {name}");
        Self(text.bytes().fold(0xcbf2_9ce4_8422_2325, |key, byte| {
            (key ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }

    /// The 64 bits at an index.
    pub fn bits(self, index: usize) -> u64 {
        let step = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0.wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of [-1, 1).
    pub fn uniform(self, index: usize) -> f64 {
        2.0 * ((self.bits(index) >> 11) as f64 * 2f64.powi(-53)) - 1.0
    }
}

/// What all weights and running statistics start from. Weights of layers come from +-`bound` / sqrt(fan_in).
pub fn initial_values(seed: u8, bound: f64, parameters: &Parameters) -> Values {
    let mut values = Values::zeros(parameters);
    for spec in parameters.specs() {
        values.set(spec, &initial(seed, bound, spec));
    }
    values
}

/// The same of one, in PyTorch's order.
fn initial(seed: u8, bound: f64, spec: &ParameterSpec) -> Vec<f32> {
    let stream = Stream::new(seed, &spec.name);
    let fan_in = spec.shape[1..].iter().product::<usize>() as f64;
    let value = |draw: f64| match spec.name.rsplit('.').next() {
        Some("running_mean") => 0.0,
        Some("running_var") => 1.0,
        _ if spec.shape.len() > 1 => bound * draw / fan_in.sqrt(),
        Some("weight") => 1.0 + draw / 4.0,
        _ => draw / 10.0,
    };
    (0..spec.elements())
        .map(|index| value(stream.uniform(index)) as f32)
        .collect()
}

/// Mean and deviation of the channels of grey and of coloured images.
const GREY: [&[f64]; 2] = [&[0.5], &[0.29]];
const COLOURED: [&[f64]; 2] = [&[0.52, 0.5, 0.48], &[0.27, 0.29, 0.31]];

/// By what images of so many channels are normalised: `[mean, std]` of each.
pub fn normalisation(channels: u32) -> [&'static [f64]; 2] {
    if channels == 1 { GREY } else { COLOURED }
}

/// The same as the device takes it: a factor for each channel, then what is added.
pub fn device_normalisation([mean, std]: [&[f64]; 2]) -> Vec<f32> {
    let scale = std.iter().map(|std| (1.0 / (255.0 * std)) as f32);
    let shift = mean.iter().zip(std).map(|(mean, std)| (-mean / std) as f32);
    scale.chain(shift).collect()
}

/// Images of so many uniform bytes.
pub fn images(seed: u8, bytes: usize) -> Vec<u8> {
    let stream = Stream::new(seed, "images");
    (0..bytes)
        .map(|index| (stream.bits(index) >> 56) as u8)
        .collect()
}

/// Labels below `classes`.
pub fn labels(seed: u8, count: usize, classes: u32) -> Vec<u8> {
    let stream = Stream::new(seed, "labels");
    (0..count)
        .map(|index| (stream.bits(index) % u64::from(classes)) as u8)
        .collect()
}

/// The lengths of all sums that follow one another from an input to an output, added up.
pub fn depth(parameters: &Parameters) -> f64 {
    let weights = parameters
        .specs()
        .iter()
        .filter(|spec| spec.shape.len() > 1);
    weights
        .map(|spec| spec.shape[1..].iter().product::<usize>() as f64)
        .sum()
}
