//! What a measurement was taken on, told with every one.

use serde::Serialize;

use super::timing::WARM_UP;
use crate::gpu::{Clock, Device};

/// Device, driver, checks and how times were taken.
#[derive(Clone, Debug, Serialize)]
pub struct Conditions {
    /// The adapter.
    pub adapter: String,
    /// Its driver.
    pub driver: String,
    /// `trusted` or `checked`.
    pub checks: String,
    /// How kernels were chosen: `default`, `tuned` or `reference`.
    pub kernels: &'static str,
    /// Factors of products: `f32` or `f16`.
    pub precision: &'static str,
    /// The rule by which the warm-up ends.
    pub warm_up: &'static str,
    /// Timings taken of each.
    pub runs: usize,
    /// Which clock took those of single dispatches: `device`, or `host` where the device has none.
    pub clock: &'static str,
    /// The day, as `YYYY-MM-DD` in UTC.
    pub date: String,
}

impl Conditions {
    /// Those on a device.
    pub fn on(device: &Device, runs: usize) -> Self {
        let adapter = device.adapter();
        Self {
            adapter: adapter.name.clone(),
            driver: adapter.driver.clone(),
            checks: device.checks().name().to_owned(),
            kernels: device.kernels().choice_name(),
            precision: device.kernels().precision().name(),
            warm_up: WARM_UP,
            runs,
            clock: match device.clock() {
                Clock::Absent => "host",
                Clock::OfPasses | Clock::OfDispatches => "device",
            },
            date: time::OffsetDateTime::now_utc().date().to_string(),
        }
    }
}

impl std::fmt::Display for Conditions {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(
            f,
            "{}, {}, {} shaders, {} kernels in {}, {}; {} runs after a warm-up ({}); single dispatches by the {}'s clock",
            self.adapter,
            self.driver,
            self.checks,
            self.kernels,
            self.precision,
            self.date,
            self.runs,
            self.warm_up,
            self.clock
        )
    }
}
