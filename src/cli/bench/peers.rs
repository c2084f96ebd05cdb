//! `spinal bench peers`: the same steps in PyTorch.

use std::path::PathBuf;

use clap::Args;

use super::report::ReportFlags;
use crate::bench::peers::{PeerOptions, PeersReport, TorchDevice, compare};
use crate::bench::subject::Subject;
use crate::bench::table::{Table, short};
use crate::cli::device::DeviceFlags;
use crate::cli::model::SizeFlags;
use crate::error::Result;
use crate::models::ModelOptions;
use crate::tune;

/// Flags of `spinal bench peers`.
#[derive(Args, Debug)]
pub struct Peers {
    /// The network (see `spinal list`)
    model: String,
    /// Samples of a step
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=8192))]
    batch_size: u32,
    /// Rounds, in each of which everyone takes a turn
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// A Python that has PyTorch
    #[arg(long, default_value = "python3", value_name = "PATH")]
    python: PathBuf,
    /// Where PyTorch runs; on every device that it has if not given
    #[arg(long, value_enum)]
    torch_device: Option<TorchDevice>,
    /// Threads of PyTorch on the CPU; as many as it wants if not given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    threads: Option<u32>,
    /// Let PyTorch keep images channels last
    #[arg(long)]
    channels_last: bool,
    #[command(flatten)]
    size: SizeFlags,
    #[command(flatten)]
    report: ReportFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

impl Peers {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let teller = self.report.teller()?;
        let model = self.size.build(&self.model, ModelOptions::default())?;
        let mut device = self.device.open()?;
        model.check_batch(self.batch_size)?;
        let subjects = || Ok(tune::subjects(&model, self.batch_size).into());
        self.device.kernels.refine(&mut device, subjects)?;
        let subject = Subject::new(&device, model, self.batch_size)?;
        let all = vec![TorchDevice::Cpu, TorchDevice::Cuda];
        let options = PeerOptions {
            python: self.python.clone(),
            devices: self.torch_device.map_or(all, |device| vec![device]),
            threads: self.threads,
            channels_last: self.channels_last,
            rounds: self.rounds,
        };
        let report = compare(&subject, &options)?;
        let text = format!(
            "{}\n{} batch {}\n{}",
            report.conditions,
            report.model,
            report.batch_size,
            table(&report)
        );
        teller.tell(&report, text)
    }
}

fn table(report: &PeersReport) -> Table {
    let header = [
        "",
        "training step ms",
        "min",
        "ratio",
        "inference ms",
        "min",
        "ratio",
        "peak MB",
    ];
    let mut table = Table::new(1, &header);
    let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    table.push(vec![
        "spinal".to_owned(),
        short(report.train_step_ms.median),
        short(report.train_step_ms.min),
        "1".to_owned(),
        short(report.inference_ms.median),
        short(report.inference_ms.min),
        "1".to_owned(),
        megabytes(report.device_bytes),
    ]);
    for peer in &report.peers {
        table.push(vec![
            format!(
                "{} {} ({}, {} threads)",
                peer.name, peer.torch, peer.device, peer.threads
            ),
            short(peer.train_step_ms.median),
            short(peer.train_step_ms.min),
            format!("{:.2}", peer.train_ratio),
            short(peer.inference_ms.median),
            short(peer.inference_ms.min),
            format!("{:.2}", peer.inference_ratio),
            megabytes(peer.peak_bytes),
        ]);
    }
    table
}
