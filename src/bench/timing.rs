//! How a time is taken: warm up until runs agree, then several runs, the fastest and the median of which are told.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::gpu::{Device, Executable};

/// Runs in a row that must agree before the warm-up ends.
const AGREEING: usize = 3;

/// By how much they may differ, as a fraction of the fastest.
const AGREEMENT: f64 = 0.1;

/// Where the warm-up ends at the latest.
const MOST_WARM_UP: (usize, Duration) = (20, Duration::from_secs(5));

/// The rule of the warm-up, for the reader of a report.
pub const WARM_UP: &str = "until 3 runs in a row agree within 10 %, at most 20 runs or 5 s";

/// A single timing lasts so long at least, if it can be repeated: clocks and submissions cost microseconds.
const TIMING_MS: f64 = 20.0;

/// Work that is handed to the device at once lasts about so long.
const SUBMISSION_MS: f64 = 4.0;

/// Repetitions in one timing, at most: what the data of a bench suffices for.
pub const MOST_REPEATS: u32 = 1024;

/// The fastest and the median of several timings, in milliseconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Timing {
    /// The fastest.
    pub min: f64,
    /// The median.
    pub median: f64,
}

impl Timing {
    /// Of one or more timings.
    pub fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self {
            min: times[0],
            median: times[times.len() / 2],
        }
    }
}

/// Takes `runs` timings after a warm-up by the rule of [`WARM_UP`].
pub fn sample(runs: usize, mut measure: impl FnMut() -> Result<f64>) -> Result<Timing> {
    let started = Instant::now();
    let mut times = Vec::new();
    while !(is_warm(&times) || times.len() >= MOST_WARM_UP.0 || started.elapsed() >= MOST_WARM_UP.1)
    {
        times.push(measure()?);
    }
    times.clear();
    for _ in 0..runs {
        times.push(measure()?);
    }
    Ok(Timing::of(times))
}

fn is_warm(times: &[f64]) -> bool {
    let Some(last) = times.last_chunk::<AGREEING>() else {
        return false;
    };
    let fastest = last.iter().copied().fold(f64::INFINITY, f64::min);
    last.iter().all(|time| *time <= fastest * (1.0 + AGREEMENT))
}

/// How often work is repeated in one timing, so that it lasts long enough; `measure` tells the milliseconds of so many
/// repetitions. What is compiled at the first use, is by then.
pub fn repeats(mut measure: impl FnMut(u32) -> Result<f64>) -> Result<u32> {
    measure(1)?;
    let mut repeats = 1;
    loop {
        let ms = measure(repeats)?;
        if ms >= TIMING_MS || repeats == MOST_REPEATS {
            return Ok(repeats);
        }
        let wanted = f64::from(repeats) * TIMING_MS / ms.max(1e-3) * 1.2;
        let next = (wanted as u32).clamp(repeats + 1, repeats * 16);
        repeats = next.min(MOST_REPEATS);
    }
}

/// Milliseconds on the host's clock from an idle device to an idle device for `times` runs of a plan that take about
/// `ms_of_one` each. As in training, the host hands over the next runs while the device works.
pub fn wall_ms(
    device: &Device,
    executable: &Executable,
    times: u32,
    ms_of_one: f64,
) -> Result<f64> {
    let at_once = ((SUBMISSION_MS / ms_of_one.max(1e-6)) as u32).clamp(1, times);
    device.flush()?;
    let started = Instant::now();
    let mut last = None;
    for first in (0..times).step_by(at_once as usize) {
        last = Some(executable.submit(device, at_once.min(times - first)));
    }
    if let Some(last) = last {
        last.wait(device)?;
    }
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

/// Milliseconds of one run of a plan: by the device's clock, or where there is none by the host's.
pub fn time(device: &Device, executable: &Executable, runs: usize) -> Result<Timing> {
    let once = |times| match executable.device_ms(device, times)? {
        Some(ms) => Ok(ms),
        None => wall_ms(device, executable, times, 0.0),
    };
    let times = repeats(once)?;
    sample(runs, || Ok(once(times)? / f64::from(times)))
}

/// Microseconds of the host for each of `dispatches` in one submission of `times` runs: encoding, finishing, submitting.
pub fn encode_us(
    device: &Device,
    executable: &Executable,
    times: u32,
    dispatches: usize,
) -> Result<f64> {
    device.flush()?;
    let started = Instant::now();
    let submission = executable.submit(device, times);
    let us = started.elapsed().as_secs_f64() * 1e6;
    submission.wait(device)?;
    Ok(us / (f64::from(times) * dispatches as f64))
}

#[cfg(test)]
mod tests {
    use super::{MOST_REPEATS, Timing, is_warm, repeats, sample};

    #[test]
    fn warm_up_ends_when_three_runs_agree() {
        assert!(!is_warm(&[1.0, 1.0]));
        assert!(!is_warm(&[9.0, 1.0, 1.2]));
        assert!(is_warm(&[9.0, 1.0, 1.05, 1.1]));
    }

    #[test]
    fn the_warm_up_does_not_count() {
        let mut times = [9.0, 5.0, 5.0, 5.0, 2.0, 1.0, 3.0].into_iter();
        let timing = sample(3, || Ok(times.next().unwrap())).unwrap();
        assert_eq!(
            timing,
            Timing {
                min: 1.0,
                median: 2.0
            }
        );
    }

    #[test]
    fn short_work_is_repeated_and_long_work_is_not() {
        let of = |ms: f64| repeats(|times| Ok(ms * f64::from(times))).unwrap();
        assert_eq!(of(30.0), 1);
        assert_eq!(of(1e-9), MOST_REPEATS);
        assert!(of(0.5) >= 40);
    }
}
