//! The flags that choose a device, shared by every subcommand that needs one.

use clap::Args;

use super::kernels::KernelFlags;
use super::output::note;
use crate::error::Result;
use crate::gpu::{AdapterChoice, Backend, Checks, Device};

/// Which device, and how careful.
#[derive(Args, Debug)]
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

    /// Opens the device and says on stderr which one it is.
    pub fn open(&self) -> Result<Device> {
        let checks = if self.checked {
            Checks::Checked
        } else {
            Checks::Trusted
        };
        let mut device = Device::open(&self.choice(), checks)?;
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
