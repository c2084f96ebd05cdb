//! `spinal tune`: measures the kernels of networks and keeps the fastest.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::device::DeviceFlags;
use super::kernels::{load, tune_into_cache};
use super::model::ModelFlags;
use super::output::{print, print_json};
use crate::error::Result;
use crate::models;
use crate::tune::{self, Outcome, Tuned};

/// Flags of `spinal tune`.
#[derive(Args, Debug)]
pub struct Tune {
    /// The networks (see `spinal list`)
    #[arg(default_values_t = [String::from("mnist-cnn-spinal"), String::from("mnist-cnn-baseline")])]
    models: Vec<String>,
    /// Samples of a step
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=8192))]
    batch_size: u32,
    /// Stop after so many seconds; what is measured by then is kept
    #[arg(long, value_name = "N", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: ModelFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

/// An operation as `--json` prints it.
#[derive(Serialize)]
struct Row<'a> {
    operation: &'a str,
    winner: &'a str,
    candidates: Vec<CandidateRow<'a>>,
}

#[derive(Serialize)]
struct CandidateRow<'a> {
    kernel: &'a str,
    ms: Option<f64>,
    refused: Option<&'a str>,
}

impl Tune {
    /// Measures what the cache lacks for a training step and an inference of each network.
    pub fn run(&self) -> Result<()> {
        let models = self.models.iter();
        let models = models.map(|name| models::build(name, self.network.options()));
        let models = models.collect::<Result<Vec<_>>>()?;
        for model in &models {
            model.check_batch(self.batch_size)?;
        }
        let mut device = self.device.open()?;
        let subjects = models
            .iter()
            .flat_map(|model| tune::subjects(model, self.batch_size));
        let subjects: Vec<_> = subjects.collect();
        let budget = Duration::from_secs(self.seconds);
        let tuned = tune_into_cache(&mut device, &subjects, budget)?;
        if self.json {
            return print_json(&tuned.iter().map(Row::new).collect::<Vec<_>>());
        }
        for operation in &tuned {
            print(line(operation))?;
        }
        let cache = load(&device)?;
        print(format!(
            "{} operations measured, {} known: {}",
            tuned.len(),
            cache.winners().len(),
            cache.path().display()
        ))
    }
}

impl<'a> Row<'a> {
    fn new(tuned: &'a Tuned) -> Self {
        let candidates = tuned.outcomes.iter().map(|(kernel, outcome)| {
            let (ms, refused) = match outcome {
                Outcome::Time(ms) => (Some(*ms), None),
                Outcome::Wrong(why) | Outcome::Refused(why) => (None, Some(why.as_str())),
            };
            CandidateRow {
                kernel,
                ms,
                refused,
            }
        });
        Self {
            operation: &tuned.key,
            winner: tuned.winner(),
            candidates: candidates.collect(),
        }
    }
}

fn line(tuned: &Tuned) -> String {
    let candidates = tuned
        .outcomes
        .iter()
        .map(|(kernel, outcome)| match outcome {
            Outcome::Time(ms) => format!("{kernel} {ms:.3} ms"),
            Outcome::Wrong(why) => format!("{kernel} WRONG: {why}"),
            Outcome::Refused(why) => format!("{kernel} refused: {why}"),
        });
    let (operation, _) = tuned.key.split_once(" #").unwrap_or((&tuned.key, ""));
    let candidates: Vec<_> = candidates.collect();
    format!(
        "{operation}: {}   ({})",
        tuned.winner(),
        candidates.join(", ")
    )
}
