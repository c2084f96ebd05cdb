//! The same step in PyTorch and here, in turn within one run.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::conditions::Conditions;
use super::step::Steps;
use super::subject::Subject;
use super::timing::Timing;
use crate::batch::Sample;
use crate::error::{Error, Result};

/// The peer's side, which also describes what is said to and fro.
const SCRIPT: &str = include_str!("peer_step.py");

/// A turn lasts so long at least.
const TURN_SECONDS: f64 = 0.3;

/// Rest between turns, in which the threads of the one before fall asleep.
const REST: Duration = Duration::from_millis(250);

/// Where PyTorch runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TorchDevice {
    /// On the processor.
    Cpu,
    /// On an NVIDIA GPU, or an AMD one through ROCm.
    Cuda,
}

impl TorchDevice {
    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }
}

/// How the comparison is made.
#[derive(Clone, Debug)]
pub struct PeerOptions {
    /// A Python that has PyTorch.
    pub python: PathBuf,
    /// Devices of PyTorch; those that it does not see are left out.
    pub devices: Vec<TorchDevice>,
    /// Threads of PyTorch; as many as it wants if absent.
    pub threads: Option<u32>,
    /// Whether PyTorch keeps images channels last.
    pub channels_last: bool,
    /// Rounds, in each of which everyone takes a turn.
    pub rounds: u32,
}

/// The same steps here and in PyTorch.
#[derive(Clone, Debug, Serialize)]
pub struct PeersReport {
    /// `peers`.
    pub bench: &'static str,
    /// The model.
    pub model: String,
    /// Samples of a step.
    pub batch_size: u32,
    /// A whole training step, gather and update included.
    pub train_step_ms: Timing,
    /// The network alone on a batch that is on the device.
    pub inference_ms: Timing,
    /// Bytes of device memory that training takes.
    pub device_bytes: u64,
    /// Where and how.
    #[serde(flatten)]
    pub conditions: Conditions,
    /// PyTorch on each of its devices.
    pub peers: Vec<PeerReport>,
}

/// The steps in PyTorch.
#[derive(Clone, Debug, Serialize)]
pub struct PeerReport {
    /// `pytorch cpu` or `pytorch cuda`.
    pub name: String,
    /// The version.
    pub torch: String,
    /// The device that it names.
    pub device: String,
    /// Its threads on the processor.
    pub threads: u32,
    /// A whole training step.
    pub train_step_ms: Timing,
    /// The network alone.
    pub inference_ms: Timing,
    /// Bytes that training took at most: of the GPU, or of the process beyond what it held before.
    pub peak_bytes: u64,
    /// Our median over its median: below 1 we are faster.
    pub train_ratio: f64,
    /// The same of inference.
    pub inference_ratio: f64,
}

/// Times training steps and inferences in turn: here, there, here, there.
pub fn compare(subject: &Subject, options: &PeerOptions) -> Result<PeersReport> {
    let mut peers = Vec::new();
    for &device in &options.devices {
        peers.extend(Peer::start(subject, options, device)?);
    }
    if peers.is_empty() {
        return Err(Error::usage(
            "--torch-device cuda: PyTorch sees no such GPU",
            "choose --torch-device cpu, or install a PyTorch with CUDA",
        ));
    }
    let train = rounds(subject, &mut peers, Work::Train, options.rounds)?;
    let inference = rounds(subject, &mut peers, Work::Infer, options.rounds)?;
    let mut reports = Vec::new();
    for (index, peer) in peers.iter_mut().enumerate() {
        let (train_step_ms, inference_ms) = (train[index + 1], inference[index + 1]);
        reports.push(PeerReport {
            name: format!("pytorch {}", peer.torch_device.name()),
            torch: peer.greeting.torch.clone(),
            device: peer.greeting.device.clone(),
            threads: peer.greeting.threads,
            train_step_ms,
            inference_ms,
            peak_bytes: peer.memory()?,
            train_ratio: train[0].median / train_step_ms.median,
            inference_ratio: inference[0].median / inference_ms.median,
        });
    }
    Ok(PeersReport {
        bench: "peers",
        model: subject.model.name.clone(),
        batch_size: subject.batch_size,
        train_step_ms: train[0],
        inference_ms: inference[0],
        device_bytes: subject.device_bytes,
        conditions: Conditions::on(subject.device, options.rounds as usize),
        peers: reports,
    })
}

#[derive(Clone, Copy)]
enum Work {
    Train,
    Infer,
}

impl Work {
    fn command(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Infer => "infer",
        }
    }
}

/// Milliseconds of one step, ours first and then each peer's. The first round is a warm-up and does not count.
fn rounds(subject: &Subject, peers: &mut [Peer], work: Work, rounds: u32) -> Result<Vec<Timing>> {
    let executable = match work {
        Work::Train => &subject.train_step,
        Work::Infer => &subject.inference,
    };
    let steps = Steps::new(subject, executable)?;
    let times: Vec<u32> = peers
        .iter_mut()
        .map(|peer| peer.times(work))
        .collect::<Result<_>>()?;
    let mut all = vec![Vec::new(); peers.len() + 1];
    for round in 0..=rounds {
        sleep(REST);
        let mut turn = vec![steps.turn_ms(TURN_SECONDS * 1e3)?];
        for (peer, &times) in peers.iter_mut().zip(&times) {
            sleep(REST);
            turn.push(1e3 * peer.seconds(work, times)? / f64::from(times));
        }
        if round > 0 {
            all.iter_mut().zip(turn).for_each(|(all, ms)| all.push(ms));
        }
    }
    Ok(all.into_iter().map(Timing::of).collect())
}

/// A PyTorch process that waits for work.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    python: PathBuf,
    torch_device: TorchDevice,
    greeting: Greeting,
}

#[derive(serde::Deserialize)]
struct Greeting {
    torch: String,
    device: String,
    threads: u32,
    parameters: u64,
}

#[derive(serde::Deserialize)]
struct Seconds {
    seconds: f64,
}

#[derive(serde::Deserialize)]
struct Bytes {
    bytes: u64,
}

/// What stands in place of a greeting where there is no peer.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Start {
    Ready(Greeting),
    Absent {
        #[expect(dead_code, reason = "its presence tells the kind of line")]
        absent: bool,
    },
    Failed {
        error: String,
    },
}

impl Peer {
    /// Starts PyTorch on a device; `None` if it does not see that device.
    fn start(
        subject: &Subject,
        options: &PeerOptions,
        device: TorchDevice,
    ) -> Result<Option<Self>> {
        let python = &options.python;
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT, &subject.model.name]);
        command.args(["--batch-size", &subject.batch_size.to_string()]);
        command.args(["--device", device.name()]);
        if let Sample::Image { height, .. } = subject.model.sample {
            command.args(["--image-size", &height.to_string()]);
        }
        if let Some(threads) = options.threads {
            command.args(["--threads", &threads.to_string()]);
        }
        if options.channels_last {
            command.arg("--channels-last");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| no_python(python, &error))?;
        let input = child.stdin.take().expect("it is piped");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let greeting = match receive(python, &mut output)? {
            Start::Ready(greeting) => greeting,
            Start::Absent { .. } => return Ok(None),
            Start::Failed { error } => return Err(no_peer(python, &subject.model.name, &error)),
        };
        let ours = subject.model.parameters.count();
        if greeting.parameters != ours {
            return Err(Error::usage(
                format!(
                    "PyTorch's {} has {} parameters, and this one {ours}",
                    subject.model.name, greeting.parameters
                ),
                "leave out the flags that change the network",
            ));
        }
        Ok(Some(Self {
            child,
            input,
            output,
            python: python.clone(),
            torch_device: device,
            greeting,
        }))
    }

    /// Steps of one turn.
    fn times(&mut self, work: Work) -> Result<u32> {
        self.seconds(work, 1)?;
        let mut times = 1;
        loop {
            let seconds = self.seconds(work, times)?;
            if seconds >= TURN_SECONDS {
                return Ok(times);
            }
            let wanted = f64::from(times) * TURN_SECONDS / seconds.max(1e-6) * 1.2;
            times = (wanted as u32).clamp(times + 1, times * 16);
        }
    }

    fn seconds(&mut self, work: Work, times: u32) -> Result<f64> {
        let answer: Seconds = self.ask(&format!("{} {times}", work.command()))?;
        Ok(answer.seconds)
    }

    fn memory(&mut self) -> Result<u64> {
        let answer: Bytes = self.ask("memory")?;
        Ok(answer.bytes)
    }

    fn ask<T: DeserializeOwned>(&mut self, command: &str) -> Result<T> {
        // A peer that is gone shows in what it does not answer.
        let _ = writeln!(self.input, "{command}");
        receive(&self.python, &mut self.output)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Already ended, or about to: either way it is no longer ours.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn receive<T: DeserializeOwned>(python: &Path, output: &mut impl BufRead) -> Result<T> {
    let mut line = String::new();
    let read = output.read_line(&mut line);
    let value = read.ok().and_then(|_| serde_json::from_str(&line).ok());
    value.ok_or_else(|| {
        Error::file(
            python,
            "ended or answered something else; what it said stands above",
            "check that its PyTorch works: PYTHON -c 'import torch; print(torch.ones(2) + 1)'",
        )
    })
}

const INSTALL: &str = "python3 -m venv v && v/bin/pip install torch; then --python v/bin/python";

fn no_python(python: &Path, error: &std::io::Error) -> Error {
    Error::usage(
        format!("--python {}: it does not start: {error}", python.display()),
        INSTALL,
    )
}

fn no_peer(python: &Path, model: &str, error: &str) -> Error {
    if error.contains("module") {
        Error::usage(
            format!("--python {}: it has no PyTorch: {error}", python.display()),
            INSTALL,
        )
    } else {
        Error::usage(
            format!("{model} in PyTorch: {error}"),
            "choose one of these",
        )
    }
}
