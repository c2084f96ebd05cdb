//! Running a plan many times: submissions long enough to hide the host, short enough for any driver's watchdog.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::device::Device;
use super::executable::{Executable, Submission};
use crate::error::Result;

/// How long one submission should take.
const SUBMISSION: Duration = Duration::from_millis(50);

/// Submissions under way before the host waits for the oldest.
const IN_FLIGHT: usize = 2;

/// The steps of a submission, learned from how long the ones before took.
#[derive(Default)]
pub struct Pace {
    step: Option<Duration>,
}

impl Pace {
    /// Runs `executable` `times` times and waits for the end. `feed` is asked before each submission how many runs what lies on
    /// the device lasts for, at least one, from the number of the next; `progress` hears of the runs that are done, and may stop.
    pub fn run(
        &mut self,
        device: &Device,
        executable: &Executable,
        times: u32,
        feed: &mut dyn FnMut(u32) -> Result<u32>,
        progress: &mut dyn FnMut(u32) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let mut in_flight: VecDeque<(Submission, u32)> = VecDeque::new();
        let (mut submitted, mut done) = (0, 0);
        let mut last = Instant::now();
        while done < times {
            if submitted < times && in_flight.len() < IN_FLIGHT {
                let fed = feed(submitted)?;
                let steps = self.steps_per_submission().min(times - submitted).min(fed);
                in_flight.push_back((executable.submit(device, steps), steps));
                submitted += steps;
                continue;
            }
            let Some((submission, steps)) = in_flight.pop_front() else {
                break;
            };
            submission.wait(device)?;
            self.step = Some(last.elapsed() / steps);
            last = Instant::now();
            done += steps;
            if progress(done).is_break() {
                while let Some((submission, _)) = in_flight.pop_front() {
                    submission.wait(device)?;
                }
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn steps_per_submission(&self) -> u32 {
        let Some(step) = self.step else { return 1 };
        let steps = SUBMISSION.as_secs_f64() / step.as_secs_f64().max(1e-6);
        (steps as u32).clamp(1, 1000)
    }
}
