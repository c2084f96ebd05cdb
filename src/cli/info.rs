//! `spinal info`: the adapters.

use clap::Args;
use serde::Serialize;

use super::output::{print, print_json};
use crate::error::{Error, Result};
use crate::gpu::{AdapterChoice, AdapterReport, Backend, list_adapters};

/// Flags of `spinal info`.
#[derive(Args, Debug)]
pub struct Info {
    /// Only adapters of this backend
    #[arg(long, value_enum)]
    backend: Option<Backend>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    adapters: &'a [AdapterReport],
    reason: &'static str,
}

const REASON: &str =
    "the first one is used: discrete GPUs before integrated, virtual and CPU adapters";

impl Info {
    /// Lists the adapters, best first.
    pub fn run(&self) -> Result<()> {
        let adapters = list_adapters(&AdapterChoice {
            name: None,
            backend: self.backend,
        });
        if self.json {
            return print_json(&Report {
                adapters: &adapters,
                reason: REASON,
            });
        }
        if adapters.is_empty() {
            return Err(Error::adapter(
                "no GPU adapter was found",
                "`./spinal train` installs a software Vulkan driver on Linux; or install the driver of your GPU",
            ));
        }
        for adapter in &adapters {
            print(describe(adapter))?;
        }
        print(REASON)
    }
}

fn describe(adapter: &AdapterReport) -> String {
    let mark = if adapter.chosen { "*" } else { " " };
    let [smallest, largest] = adapter.subgroup_size;
    format!(
        "{mark} {name}\n    backend {backend}, {device_type}, driver {driver}\n    storage binding {binding} bytes, \
         buffer {buffer} bytes, {buffers} storage buffers a shader\n    workgroup {invocations} invocations, \
         {memory} bytes, subgroup {smallest} to {largest}\n    features: {features}",
        name = adapter.name,
        backend = adapter.backend,
        device_type = adapter.device_type,
        driver = adapter.driver,
        binding = adapter.max_storage_binding_bytes,
        buffer = adapter.max_buffer_bytes,
        buffers = adapter.max_storage_buffers,
        invocations = adapter.max_workgroup_invocations,
        memory = adapter.max_workgroup_bytes,
        features = if adapter.features.is_empty() {
            "none".to_owned()
        } else {
            adapter.features.join(", ")
        },
    )
}
