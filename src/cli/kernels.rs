//! The flags that choose kernels, and tuning at first use.

use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::output::note;
use crate::data::Cache;
use crate::environment::Environment;
use crate::error::Result;
use crate::gpu::Device;
use crate::plan::{Precision, Winners};
use crate::tune::{self, Subject, Tuned, TuningCache};

/// How kernels are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Choice {
    /// By what a model of the adapter says they cost
    Default,
    /// By measurement: the tuning cache's, and what it lacks is measured at first use
    Tuned,
    /// The plainest kernels, which the others are compared with
    Reference,
}

/// How exact the factors of products are: [`Precision`] as a flag.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Factors {
    /// f32 throughout
    F32,
    /// Factors of convolutions are rounded to f16 and multiplied by matrix units; sums and everything stored stay f32
    F16,
}

/// Which kernels.
#[derive(Args, Clone, Copy, Debug)]
pub struct KernelFlags {
    /// How kernels are chosen; the same choice gives the same bits
    #[arg(
        long,
        value_enum,
        default_value = "default",
        env = "SPINAL_KERNELS",
        help_heading = "Device"
    )]
    kernels: Choice,
    /// Factors of products: f16 needs an adapter with matrix units
    #[arg(long, value_enum, default_value = "f32", help_heading = "Device")]
    precision: Factors,
    /// Seconds that measuring kernels at first use may take
    #[arg(long, value_name = "N", default_value_t = 20, help_heading = "Device", value_parser = clap::value_parser!(u64).range(..=86_400))]
    tune_seconds: u64,
}

impl KernelFlags {
    /// The same, and where it is the default as `found` has it.
    pub fn or(self, found: &Environment) -> Self {
        let kernels = Choice::from_str(&found.kernels, true).ok();
        let precision = Factors::from_str(&found.precision, true).ok();
        Self {
            kernels: match self.kernels {
                Choice::Default => kernels.unwrap_or(Choice::Default),
                chosen => chosen,
            },
            precision: match self.precision {
                Factors::F32 => precision.unwrap_or(Factors::F32),
                chosen => chosen,
            },
            ..self
        }
    }

    /// How exact the factors of products are.
    pub fn precision(self) -> Precision {
        match self.precision {
            Factors::F32 => Precision::F32,
            Factors::F16 => Precision::F16,
        }
    }

    /// The choice as arguments of another process.
    pub fn arguments(self) -> Vec<String> {
        let name = |value: Option<clap::builder::PossibleValue>| {
            value.map(|value| value.get_name().to_owned())
        };
        let flags = [
            ("--kernels", name(self.kernels.to_possible_value())),
            ("--precision", name(self.precision.to_possible_value())),
        ];
        let given = flags
            .into_iter()
            .filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        given.flatten().collect()
    }

    /// Lets the plans of a freshly opened device be recorded with the chosen kernels.
    pub fn apply(self, device: &mut Device) -> Result<()> {
        let kernels = match self.kernels {
            Choice::Default => device.kernels().clone().cheapest(),
            Choice::Reference => device.kernels().clone().reference(),
            Choice::Tuned => device.kernels().clone().measured(load(device)?.winners()),
        };
        device.set_kernels(kernels.with_precision(self.precision()));
        Ok(())
    }

    /// Lets the plans be recorded with these winners and no others, if kernels are chosen by measurement.
    pub fn keep(self, device: &mut Device, winners: &Winners) {
        if self.kernels == Choice::Tuned {
            use_winners(device, winners.clone());
        }
    }

    /// Measures what the tuning cache lacks for the plans of `subjects`, if kernels are chosen by measurement.
    pub fn refine<'a>(
        self,
        device: &mut Device,
        subjects: impl FnOnce() -> Result<Vec<Subject<'a>>>,
    ) -> Result<()> {
        if self.kernels != Choice::Tuned {
            return Ok(());
        }
        let subjects = subjects()?;
        tune_into_cache(device, &subjects, Duration::from_secs(self.tune_seconds))?;
        let open = tune::open_operations(&subjects, device.kernels()).len();
        if open > 0 {
            note(format!(
                "kernels: {open} operations were not measured in {} s and keep their default; `spinal tune` measures all",
                self.tune_seconds
            ));
        }
        Ok(())
    }
}

/// The device's tuning cache, with a notice if its file is of no use.
pub fn load(device: &Device) -> Result<TuningCache> {
    let folder = Cache::choose(None)?.folder().join("kernels");
    let loaded = TuningCache::load(&folder, device);
    if let Some(notice) = loaded.notice {
        note(format!("kernels: {notice}"));
    }
    Ok(loaded.cache)
}

/// So many different kernels take a driver for the CPU a minute.
const MANY_KERNELS: usize = 200;

/// Says why nothing happens for a while, where the driver has much to compile. Drivers do that when a kernel first runs.
pub fn note_compilation(device: &Device) {
    let kernels = device.pipelines();
    if kernels > MANY_KERNELS {
        note(format!(
            "kernels: {kernels} different ones, which the driver compiles in the first step"
        ));
    }
}

/// Lets the device use these winners and no others.
pub fn use_winners(device: &mut Device, winners: Winners) {
    let kernels = device.kernels().clone().measured(winners);
    device.set_kernels(kernels);
}

/// Measures what the tuning cache lacks, with a progress line, writes it, and lets the device use it.
pub fn tune_into_cache(
    device: &mut Device,
    subjects: &[Subject],
    budget: Duration,
) -> Result<Vec<Tuned>> {
    let mut cache = load(device)?;
    use_winners(device, cache.winners());
    for (operation, kernel) in tune::unknown_winners(subjects, device.kernels()) {
        note(format!(
            "kernels: {}: there is no kernel {kernel:?} for {operation}; it is measured again",
            cache.path().display()
        ));
    }
    let open = tune::open_operations(subjects, device.kernels()).len();
    if open == 0 {
        return Ok(Vec::new());
    }
    // What cannot be kept is not worth measuring.
    cache.save()?;
    note(format!("kernels: measuring {open} operations"));
    let style = ProgressStyle::with_template("kernels  [{bar:30}]  {pos}/{len}  {wide_msg}")
        .expect("the template is well formed");
    let bar = ProgressBar::new(open as u64).with_style(style);
    let tuned = tune::tune(device, subjects, budget, &mut |tuned, done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        bar.set_message(tuned.key.clone());
    });
    bar.finish_and_clear();
    let tuned = tuned?;
    cache.extend(&tuned);
    cache.save()?;
    use_winners(device, cache.winners());
    Ok(tuned)
}
