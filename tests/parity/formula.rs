//! What the fixtures of the families do not store: both sides draw it from one formula. `families.py` has the same.

use spinalnet::plan::ParameterSpec;

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

/// What a weight or running statistic starts from, in PyTorch's order.
pub fn initial(seed: u8, spec: &ParameterSpec) -> Vec<f32> {
    let stream = Stream::new(seed, &spec.name);
    let fan_in = spec.shape[1..].iter().product::<usize>() as f64;
    let value = |draw: f64| match spec.name.rsplit('.').next() {
        Some("running_mean") => 0.0,
        Some("running_var") => 1.0,
        _ if spec.shape.len() > 1 => draw / fan_in.sqrt(),
        Some("weight") => 1.0 + draw / 4.0,
        _ => draw / 10.0,
    };
    (0..spec.elements())
        .map(|index| value(stream.uniform(index)) as f32)
        .collect()
}
