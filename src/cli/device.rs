//! The flags that choose a device, shared by every subcommand that needs one.

use clap::{Args, ValueEnum};

use super::kernels::KernelFlags;
use super::output::note;
use crate::environment::Environment;
use crate::error::Result;
use crate::gpu::{AdapterChoice, Backend, Checks, Device};

/// Which device, and how careful.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Device")]
pub struct DeviceFlags {
    /// Use the adapter with this in its name (see `spinal info`)
    #[arg(long, value_name = "SUBSTRING")]
    adapter: Option<String>,
    /// Use this backend; Vulkan, Metal and DX12 are searched otherwise
    #[arg(long, value_enum)]
    backend: Option<Backend>,
    /// Let naga check every array index, loop and division in the shaders
    #[arg(long)]
    checked: bool,
    #[command(flatten)]
    /// Which kernels its plans are recorded with.
    pub kernels: KernelFlags,
}

impl DeviceFlags {
    /// What the flags say of the adapter.
    pub fn choice(&self) -> AdapterChoice {
        AdapterChoice {
            name: self.adapter.clone(),
            backend: self.backend,
        }
    }

    /// The same, and where they are silent as `found` has it.
    pub fn or(&self, found: &Environment) -> Self {
        let backend = || Backend::from_str(&found.backend, true).ok();
        Self {
            adapter: self.adapter.clone().or(Some(found.adapter.clone())),
            backend: self.backend.or_else(backend),
            ..self.or_mode(found)
        }
    }

    /// The same on whichever adapter.
    pub fn or_mode(&self, found: &Environment) -> Self {
        Self {
            checked: self.checked || found.checks == Checks::Checked.name(),
            kernels: self.kernels.or(found),
            ..self.clone()
        }
    }

    /// The flags as arguments of another process.
    pub fn arguments(&self) -> Vec<String> {
        let backend = self.backend.and_then(|backend| backend.to_possible_value());
        let backend = backend.map(|value| value.get_name().to_owned());
        let mut arguments = Vec::new();
        for (flag, value) in [("--adapter", self.adapter.clone()), ("--backend", backend)] {
            arguments.extend(
                value
                    .map(|value| [flag.to_owned(), value])
                    .into_iter()
                    .flatten(),
            );
        }
        arguments.extend(self.kernels.arguments());
        arguments.extend(self.checked.then(|| "--checked".to_owned()));
        arguments
    }

    /// Opens the same device with the other kind of checks, and the same kernels.
    pub fn open_with_other_checks(&self, device: &Device) -> Result<Device> {
        let checks = match device.checks() {
            Checks::Trusted => Checks::Checked,
            Checks::Checked => Checks::Trusted,
        };
        let mut other = Device::open(&self.choice(), checks)?;
        other.set_kernels(device.kernels().clone());
        Ok(other)
    }

    fn checks(&self) -> Checks {
        if self.checked {
            Checks::Checked
        } else {
            Checks::Trusted
        }
    }

    /// Opens the device and says on stderr which one it is.
    pub fn open(&self) -> Result<Device> {
        let mut device =
            Device::open_with(&self.choice(), self.checks(), self.kernels.precision())?;
        self.kernels.apply(&mut device)?;
        let adapter = device.adapter();
        let kind = if adapter.device_type == "CPU" {
            "a CPU adapter: slow, for checks and small nets"
        } else {
            adapter.device_type
        };
        note(format!(
            "device: {} ({}, {}), {kind}",
            adapter.name, adapter.backend, adapter.driver
        ));
        Ok(device)
    }
}
