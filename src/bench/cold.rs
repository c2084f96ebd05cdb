//! From the start of the program to the end of the first training step, with the driver's cache of shaders empty and full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::conditions::Conditions;
use super::subject::Subject;
use super::timing::Timing;
use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::models::Model;

/// Where drivers are told to keep compiled shaders: Mesa's variables, old and new, and NVIDIA's.
const CACHE_VARIABLES: [&str; 3] = [
    "MESA_SHADER_CACHE_DIR",
    "MESA_GLSL_CACHE_DIR",
    "__GL_SHADER_DISK_CACHE_PATH",
];

/// What a process says after its first step.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct FirstStep {
    /// Pipelines compiled.
    pub pipelines: usize,
    /// Milliseconds that opening the device took.
    pub open_ms: f64,
    /// Milliseconds that recording, allocating and compiling took.
    pub compile_ms: f64,
    /// Milliseconds of the first training step.
    pub step_ms: f64,
}

/// Cold and warm starts of a model.
#[derive(Clone, Debug, Serialize)]
pub struct ColdReport {
    /// `cold`.
    pub bench: &'static str,
    /// The model.
    pub model: String,
    /// Samples of a step.
    pub batch_size: u32,
    /// Pipelines compiled before the first step.
    pub pipelines: usize,
    /// Where and how.
    #[serde(flatten)]
    pub conditions: Conditions,
    /// Starts with an empty cache, and with a full one.
    pub rows: Vec<ColdRow>,
}

/// Starts of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct ColdRow {
    /// `cache empty` or `cache full`.
    pub name: &'static str,
    /// From the start of the process to the end of the first training step.
    pub first_step_ms: Timing,
    /// Of these, opening the device.
    pub open_ms: Timing,
    /// Of these, recording, allocating and compiling.
    pub compile_ms: Timing,
    /// Of these, the step itself.
    pub step_ms: Timing,
}

/// Takes the first training step of this process. `open` opens the device.
pub fn first_step(
    open: impl FnOnce() -> Result<Device>,
    model: Model,
    batch_size: u32,
) -> Result<FirstStep> {
    let mut last = Instant::now();
    let mut lap = || {
        let ms = last.elapsed().as_secs_f64() * 1e3;
        last = Instant::now();
        ms
    };
    let device = open()?;
    let open_ms = lap();
    let subject = Subject::new(&device, model, batch_size)?;
    let compile_ms = lap();
    subject.train_step.submit(&device, 1).wait(&device)?;
    Ok(FirstStep {
        pipelines: device.pipelines(),
        open_ms,
        compile_ms,
        step_ms: lap(),
    })
}

/// Starts this program with `arguments`, which make it take a first step and print it, `runs` times with an empty cache of
/// shaders and as often with a full one.
pub fn measure(
    device: &Device,
    model: &str,
    batch_size: u32,
    arguments: &[String],
    runs: usize,
) -> Result<ColdReport> {
    let cache = Cache::new()?;
    let (mut empty, mut full) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        cache.clear()?;
        empty.push(start(arguments, &cache.0)?);
        full.push(start(arguments, &cache.0)?);
    }
    Ok(ColdReport {
        bench: "cold",
        model: model.to_owned(),
        batch_size,
        pipelines: empty[0].1.pipelines,
        conditions: Conditions::on(device, runs),
        rows: vec![row("cache empty", &empty), row("cache full", &full)],
    })
}

fn row(name: &'static str, starts: &[(f64, FirstStep)]) -> ColdRow {
    let timing = |of: fn(&(f64, FirstStep)) -> f64| Timing::of(starts.iter().map(of).collect());
    ColdRow {
        name,
        first_step_ms: timing(|(ms, _)| *ms),
        open_ms: timing(|(_, step)| step.open_ms),
        compile_ms: timing(|(_, step)| step.compile_ms),
        step_ms: timing(|(_, step)| step.step_ms),
    }
}

/// Milliseconds from the start of a process to its answer, which is told as soon as its step is done.
fn start(arguments: &[String], cache: &Path) -> Result<(f64, FirstStep)> {
    let program =
        std::env::current_exe().map_err(|error| cannot_start(Path::new("spinal"), &error))?;
    let mut command = Command::new(&program);
    command.args(arguments).stderr(Stdio::null());
    for variable in CACHE_VARIABLES {
        command.env(variable, cache);
    }
    let started = Instant::now();
    let output = command
        .output()
        .map_err(|error| cannot_start(&program, &error))?;
    let ms = started.elapsed().as_secs_f64() * 1e3;
    let step = serde_json::from_slice(&output.stdout).map_err(|_| {
        Error::adapter(
            format!(
                "a first step in a process of its own failed: {}",
                output.status
            ),
            "try `spinal bench step` with the same flags, which says why",
        )
    })?;
    Ok((ms, step))
}

fn cannot_start(program: &Path, error: &std::io::Error) -> Error {
    Error::file(
        program,
        format!("cannot be started again: {error}"),
        "run the program from where it was installed",
    )
}

/// A folder for compiled shaders, removed in the end.
struct Cache(PathBuf);

impl Cache {
    fn new() -> Result<Self> {
        let name = format!("spinal-bench-cold-{}", std::process::id());
        let cache = Self(std::env::temp_dir().join(name));
        cache.clear()?;
        Ok(cache)
    }

    fn clear(&self) -> Result<()> {
        let removed = if self.0.exists() {
            fs::remove_dir_all(&self.0)
        } else {
            Ok(())
        };
        removed
            .and_then(|()| fs::create_dir_all(&self.0))
            .map_err(|error| {
                Error::file(
                    &self.0,
                    format!("cannot be emptied: {error}"),
                    "check that TMPDIR is a folder that may be written to",
                )
            })
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        // What is left of a folder for temporary files hurts nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}
