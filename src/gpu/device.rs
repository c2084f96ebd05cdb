//! An open device: shader modules and pipelines made once, and every failure of the driver caught.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::adapter::{self, AdapterChoice, AdapterReport};
use super::address_space;
use super::clock::Clock;
use super::limits;
use crate::error::{Error, Result};
use crate::plan::{Dispatch, Kernels, Limits, Precision, Shader};

/// How long a submission may take before the driver is given up.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Features that are used where the adapter has them.
const OPTIONAL_FEATURES: wgpu::Features = wgpu::Features::SUBGROUP
    .union(wgpu::Features::SHADER_INT64)
    .union(wgpu::Features::TIMESTAMP_QUERY)
    .union(wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS)
    .union(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES);

/// Which run-time checks naga adds to the shaders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checks {
    /// None: the shaders guard their own indices.
    Trusted,
    /// Bounds of every access, every loop and every division.
    Checked,
}

impl Checks {
    /// `trusted` or `checked`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Checked => "checked",
        }
    }
}

type PipelineKey = (&'static str, &'static str, Vec<(&'static str, u64)>);

/// A device, its queue and what was compiled on it.
pub struct Device {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    adapter: AdapterReport,
    checks: Checks,
    kernels: Kernels,
    failure: Arc<Mutex<Option<String>>>,
    modules: Mutex<HashMap<&'static str, wgpu::ShaderModule>>,
    pipelines: Mutex<HashMap<PipelineKey, wgpu::ComputePipeline>>,
}

impl Device {
    /// Opens the adapter that fits the choice, with all limits it has.
    pub fn open(choice: &AdapterChoice, checks: Checks) -> Result<Self> {
        Self::open_with(choice, checks, Precision::F32)
    }

    /// The same, with what products of a lower precision need.
    ///
    /// # Errors
    /// `Error::Adapter` if the adapter cannot make such products.
    pub fn open_with(choice: &AdapterChoice, checks: Checks, precision: Precision) -> Result<Self> {
        address_space::check()?;
        let adapter = adapter::choose(choice)?;
        let report = adapter::report(&adapter, true);
        let (features, experimental_features) = match precision {
            Precision::F32 => (
                wgpu::Features::empty(),
                wgpu::ExperimentalFeatures::disabled(),
            ),
            Precision::F16 => matrix_features(&adapter, &report)?,
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("spinalnet"),
            required_features: adapter.features() & OPTIONAL_FEATURES | features,
            experimental_features,
            required_limits: adapter.limits(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (device, queue) =
            pollster::block_on(adapter.request_device(&descriptor)).map_err(|error| {
                Error::adapter(
                    format!(
                        "{} ({}): the device does not open: {}",
                        report.name,
                        report.driver,
                        one_line(&error.to_string())
                    ),
                    "update its driver, or choose another one with --adapter",
                )
            })?;
        let failure = Arc::new(Mutex::new(None));
        let uncaptured = Arc::clone(&failure);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            note(&uncaptured, error.to_string())
        }));
        let lost = Arc::clone(&failure);
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                note(&lost, format!("the device was lost: {message}"));
            }
        });
        let kernels = limits::of(&report, &adapter.limits(), device.features()).into();
        Ok(Self {
            adapter: report,
            device,
            queue,
            checks,
            kernels,
            failure,
            modules: Mutex::default(),
            pipelines: Mutex::default(),
        })
    }

    /// What there is to say of the adapter.
    pub fn adapter(&self) -> &AdapterReport {
        &self.adapter
    }

    /// What the device takes.
    pub fn limits(&self) -> &Limits {
        self.kernels.limits()
    }

    /// The kernels that its plans are recorded with: the cheapest, if no others were set.
    pub fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// Lets its plans be recorded with other kernels.
    pub fn set_kernels(&mut self, kernels: Kernels) {
        self.kernels = kernels;
    }

    /// The run-time checks in force.
    pub fn checks(&self) -> Checks {
        self.checks
    }

    /// Where the device can write the time.
    pub fn clock(&self) -> Clock {
        let features = self.device.features();
        let of_dispatches =
            wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES;
        if features.contains(of_dispatches) {
            Clock::OfDispatches
        } else if features.contains(wgpu::Features::TIMESTAMP_QUERY) {
            Clock::OfPasses
        } else {
            Clock::Absent
        }
    }

    /// Pipelines compiled so far.
    pub fn pipelines(&self) -> usize {
        lock(&self.pipelines).len()
    }

    /// Bytes that the driver holds for this device, where the backend can tell.
    pub fn allocated_bytes(&self) -> Option<u64> {
        self.device
            .generate_allocator_report()
            .map(|report| report.total_allocated_bytes)
    }

    /// The pipeline of a dispatch, made at its first use.
    pub(super) fn pipeline(&self, dispatch: &Dispatch) -> wgpu::ComputePipeline {
        let constants: Vec<_> = dispatch
            .constants
            .iter()
            .map(|&(name, value)| (name, value.to_bits()))
            .collect();
        let key = (dispatch.shader.name(), dispatch.entry, constants);
        let mut pipelines = lock(&self.pipelines);
        pipelines
            .entry(key)
            .or_insert_with(|| self.create_pipeline(dispatch))
            .clone()
    }

    fn create_pipeline(&self, dispatch: &Dispatch) -> wgpu::ComputePipeline {
        let label = format!("{}.{}", dispatch.shader.name(), dispatch.entry);
        self.device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&label),
                layout: None,
                module: &self.module(dispatch.shader),
                entry_point: Some(dispatch.entry),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &dispatch.constants,
                    zero_initialize_workgroup_memory: self.checks == Checks::Checked,
                },
                cache: None,
            })
    }

    fn module(&self, shader: &'static Shader) -> wgpu::ShaderModule {
        let mut modules = lock(&self.modules);
        modules
            .entry(shader.name())
            .or_insert_with(|| self.create_module(shader))
            .clone()
    }

    fn create_module(&self, shader: &'static Shader) -> wgpu::ShaderModule {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(shader.name()),
            source: wgpu::ShaderSource::Wgsl(shader.source().into()),
        };
        match self.checks {
            Checks::Checked => self.device.create_shader_module(descriptor),
            // SAFETY: every shader guards its own indices and ends its own loops; the tests run all of them in both
            // modes and compare the results.
            Checks::Trusted => unsafe {
                self.device.create_shader_module_trusted(
                    descriptor,
                    wgpu::ShaderRuntimeChecks::unchecked(),
                )
            },
        }
    }

    /// Hands all writes to the device and waits for them, so that the host need not hold their staging copies.
    pub fn flush(&self) -> Result<()> {
        let submission = self.queue.submit([]);
        self.wait(Some(submission))
    }

    /// Waits until a submission is done, or all of them.
    pub(super) fn wait(&self, submission: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let poll = wgpu::PollType::Wait {
            submission_index: submission,
            timeout: Some(TIMEOUT),
        };
        if let Err(error) = self.device.poll(poll) {
            note(
                &self.failure,
                format!("waiting for the device failed: {error}"),
            );
        }
        self.check()
    }

    /// Submits what was encoded, and then reads a whole buffer back.
    pub(super) fn read_buffer<T: bytemuck::Pod>(
        &self,
        label: &str,
        buffer: &wgpu::Buffer,
        mut encoder: wgpu::CommandEncoder,
    ) -> Result<Vec<T>> {
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read back"),
            size: buffer.size(),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
        let submission = self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |_| {});
        self.wait(Some(submission))?;
        let view = staging.get_mapped_range(..).map_err(|error| {
            Error::adapter(
                format!(
                    "{}: reading {label} back failed: {error}",
                    self.adapter.name
                ),
                "update its driver, or choose another one with --adapter",
            )
        })?;
        Ok(bytemuck::pod_collect_to_vec(&view))
    }

    /// The first failure of the driver, if there was one.
    pub fn check(&self) -> Result<()> {
        match lock(&self.failure).as_deref() {
            None => Ok(()),
            Some(message) => Err(Error::adapter(
                format!(
                    "{} ({}): {}",
                    self.adapter.name,
                    self.adapter.driver,
                    one_line(message)
                ),
                "try --checked, a smaller --batch-size, or another --adapter",
            )),
        }
    }
}

/// The features of products on matrix units. Refused where there are none of the size that `shaders/f16/products.wgsl` takes.
fn matrix_features(
    adapter: &wgpu::Adapter,
    report: &AdapterReport,
) -> Result<(wgpu::Features, wgpu::ExperimentalFeatures)> {
    let wanted = wgpu::CooperativeMatrixProperties {
        m_size: 16,
        n_size: 16,
        k_size: 16,
        ab_type: wgpu::CooperativeScalarType::F16,
        cr_type: wgpu::CooperativeScalarType::F32,
        saturating_accumulation: false,
    };
    let needed = wgpu::Features::SHADER_F16
        | wgpu::Features::SUBGROUP
        | wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
    let able = adapter.features().contains(needed)
        && report.subgroup_size == [32, 32]
        && adapter.cooperative_matrix_properties().contains(&wanted);
    if !able {
        return Err(Error::adapter(
            format!(
                "--precision f16: {} has no matrix units for 16 x 16 x 16 products of f16 in subgroups of 32",
                report.name
            ),
            "leave --precision out, or choose another --adapter",
        ));
    }
    // SAFETY: the experimental feature is used by one shader, whose results the tests compare with those in f32.
    let enabled = unsafe { wgpu::ExperimentalFeatures::enabled() };
    Ok((needed, enabled))
}

/// A lock whose holder panicked still holds sound data here: each is written in one step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(failure: &Mutex<Option<String>>, message: String) {
    lock(failure).get_or_insert(message);
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{AdapterChoice, Checks, Device};

    /// Drivers crash, and machines go to sleep.
    #[test]
    fn a_lost_device_is_an_error_that_names_its_driver() {
        let device = Device::open(&AdapterChoice::default(), Checks::Trusted).unwrap();
        device.flush().unwrap();
        device.device.destroy();
        for _ in 0..2 {
            let message = device.flush().unwrap_err().to_string();
            assert!(message.contains(&device.adapter().driver), "{message}");
        }
    }
}
