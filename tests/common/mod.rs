//! What tests on an adapter share: the devices, plans whose every buffer a test can read and write, trials of one layer
//! against its twin, and the tolerances.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses part of this"
)]

mod adapter_class;
pub mod course;
mod device;
pub mod formula;
mod modes;
mod open_plan;
mod random;
pub mod tolerance;
mod trial;

pub use adapter_class::AdapterClass;
pub use device::device;
pub use modes::{MODES, in_turn, is_full, modes};
pub use open_plan::OpenPlan;
pub use random::{Draw, Random, for_all};
pub use trial::{Bench, Input, Outcome, Setup};

/// The values in double precision, where every comparison is made.
pub fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

/// The sizes of values: a twin that is given these adds up what could have gone wrong.
pub fn magnitudes(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.abs()).collect()
}
