//! Finding the adapters of this machine and choosing one.

use serde::Serialize;

use crate::error::{Error, Result};

/// A way to reach the hardware.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Linux, Windows, Android.
    Vulkan,
    /// macOS, iOS.
    Metal,
    /// Windows.
    Dx12,
    /// OpenGL: slow, never chosen unasked.
    Gl,
}

impl Backend {
    fn flags(self) -> wgpu::Backends {
        match self {
            Self::Vulkan => wgpu::Backends::VULKAN,
            Self::Metal => wgpu::Backends::METAL,
            Self::Dx12 => wgpu::Backends::DX12,
            Self::Gl => wgpu::Backends::GL,
        }
    }
}

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct AdapterChoice {
    /// Part of the adapter's name, in any case.
    pub name: Option<String>,
    /// The backend; Vulkan, Metal and DX12 if not given.
    pub backend: Option<Backend>,
}

/// What there is to say of an adapter.
#[derive(Clone, Debug, Serialize)]
pub struct AdapterReport {
    /// The name the driver gives.
    pub name: String,
    /// `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: String,
    /// `discrete GPU`, `integrated GPU`, `virtual GPU`, `CPU` or `other`.
    pub device_type: &'static str,
    /// The driver and its version.
    pub driver: String,
    /// Whether this program would choose it unasked.
    pub chosen: bool,
    /// Bytes that one binding of a storage buffer may have.
    pub max_storage_binding_bytes: u64,
    /// Bytes that one buffer may have.
    pub max_buffer_bytes: u64,
    /// Storage buffers that one shader may bind.
    pub max_storage_buffers: u32,
    /// Bytes of memory shared by a workgroup.
    pub max_workgroup_bytes: u32,
    /// Invocations of a workgroup.
    pub max_workgroup_invocations: u32,
    /// Smallest and largest subgroup.
    pub subgroup_size: [u32; 2],
    /// Optional features that matter for training.
    pub features: Vec<&'static str>,
}

/// All adapters of the machine, the best one first.
pub fn list_adapters(choice: &AdapterChoice) -> Vec<AdapterReport> {
    let adapters: Vec<_> = enumerate(choice.backend)
        .into_iter()
        .filter(is_able)
        .collect();
    adapters
        .iter()
        .enumerate()
        .map(|(index, adapter)| report(adapter, index == 0))
        .collect()
}

/// The adapter to use: the best one that fits the choice.
pub(super) fn choose(choice: &AdapterChoice) -> Result<wgpu::Adapter> {
    let (adapters, too_old): (Vec<_>, Vec<_>) =
        enumerate(choice.backend).into_iter().partition(is_able);
    let names: Vec<String> = adapters
        .iter()
        .map(|adapter| adapter.get_info().name)
        .collect();
    let wanted = choice.name.as_deref().unwrap_or("").to_lowercase();
    let found = adapters
        .into_iter()
        .find(|adapter| adapter.get_info().name.to_lowercase().contains(&wanted));
    found.ok_or_else(|| match (&choice.name, choice.backend) {
        (Some(name), _) if !names.is_empty() => Error::usage(
            format!("--adapter {name}: no adapter has this in its name"),
            format!("this machine has: {}", names.join(", ")),
        ),
        _ if !too_old.is_empty() => Error::adapter(
            format!("no adapter has shaders for computing: {}", drivers(&too_old)),
            "update the driver, or install the driver of your GPU",
        ),
        (_, Some(backend)) => Error::adapter(
            format!("no adapter for the backend {backend:?}").to_lowercase(),
            "leave --backend out, or name another one; `spinal info` lists the adapters",
        ),
        _ => Error::adapter(
            "no GPU adapter: neither Vulkan, Metal nor DX12 found one",
            "`./spinal train` installs a software Vulkan driver on Linux; or install the driver of your GPU",
        ),
    })
}

fn enumerate(backend: Option<Backend>) -> Vec<wgpu::Adapter> {
    let backends = backend.map_or(wgpu::Backends::PRIMARY, Backend::flags);
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(backends));
    adapters.sort_by_key(|adapter| rank(adapter.get_info().device_type));
    adapters
}

/// Whether an adapter has shaders for computing, which old drivers and OpenGL may lack.
fn is_able(adapter: &wgpu::Adapter) -> bool {
    adapter.limits().max_compute_invocations_per_workgroup >= 64
}

/// The names of adapters with their drivers.
fn drivers(adapters: &[wgpu::Adapter]) -> String {
    let described = adapters.iter().map(|adapter| {
        let adapter = report(adapter, false);
        format!("{} ({})", adapter.name, adapter.driver)
    });
    described.collect::<Vec<_>>().join(", ")
}

fn rank(device_type: wgpu::DeviceType) -> u32 {
    match device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

pub(super) fn report(adapter: &wgpu::Adapter, chosen: bool) -> AdapterReport {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let known = [
        (wgpu::Features::SUBGROUP, "subgroups"),
        (wgpu::Features::SHADER_F16, "f16"),
        (wgpu::Features::SHADER_INT64, "int64"),
        (wgpu::Features::TIMESTAMP_QUERY, "timestamps"),
    ];
    AdapterReport {
        name: info.name,
        backend: info.backend.to_str().to_owned(),
        device_type: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete GPU",
            wgpu::DeviceType::IntegratedGpu => "integrated GPU",
            wgpu::DeviceType::VirtualGpu => "virtual GPU",
            wgpu::DeviceType::Cpu => "CPU",
            wgpu::DeviceType::Other => "other",
        },
        driver: format!("{} {}", info.driver, info.driver_info)
            .trim()
            .to_owned(),
        chosen,
        max_storage_binding_bytes: limits.max_storage_buffer_binding_size,
        max_buffer_bytes: limits.max_buffer_size,
        max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
        max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
        max_workgroup_invocations: limits.max_compute_invocations_per_workgroup,
        subgroup_size: [info.subgroup_min_size, info.subgroup_max_size],
        features: known
            .into_iter()
            .filter(|(feature, _)| features.contains(*feature))
            .map(|(_, name)| name)
            .collect(),
    }
}
