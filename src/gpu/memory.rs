//! The buffers of the nets of one training: allocated once, before the first step.

use std::collections::HashMap;

use super::device::Device;
use crate::error::{Error, Result};
use crate::host_memory;
use crate::plan::{Allocation, Lifetime, Plan, ScratchPlaces, Values};

/// Every buffer of a set of plans. The plans of net number `net` share parameters; all share data and scratch.
pub struct Memory {
    named: HashMap<(Option<usize>, String), wgpu::Buffer>,
    scratch: Vec<wgpu::Buffer>,
    bytes: u64,
}

impl Memory {
    /// Allocates everything, zeroed. Refused if the adapter's limits or its memory do not allow it.
    pub fn allocate(device: &Device, allocation: &Allocation) -> Result<Self> {
        let limit = device.limits().buffer_bytes;
        let largest_named = allocation
            .named
            .iter()
            .map(|((_, label), &bytes)| (label.as_str(), bytes));
        let all = largest_named.chain(
            allocation
                .scratch
                .iter()
                .map(|&bytes| ("an activation", bytes)),
        );
        if let Some((label, bytes)) = all
            .max_by_key(|&(_, bytes)| bytes)
            .filter(|&(_, bytes)| bytes > limit)
        {
            return Err(too_large(device, label, bytes, limit));
        }
        if device.limits().is_cpu {
            check_host(host_memory::available(), allocation.bytes())?;
        }
        let scope = device
            .device
            .push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let named = allocation
            .named
            .iter()
            .map(|((net, label), &bytes)| ((*net, label.clone()), create(device, label, bytes)));
        let named = named.collect();
        let scratch = allocation
            .scratch
            .iter()
            .map(|&bytes| create(device, "scratch", bytes))
            .collect();
        if pollster::block_on(scope.pop()).is_some() {
            return Err(Error::adapter(
                format!(
                    "{} has no room for {} bytes",
                    device.adapter().name,
                    allocation.bytes()
                ),
                "use a smaller --batch-size, or another --adapter",
            ));
        }
        Ok(Self {
            named,
            scratch,
            bytes: allocation.bytes(),
        })
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes the start of a buffer of the data set.
    pub fn write_data(&self, device: &Device, label: &str, bytes: &[u8]) {
        self.write(device, &(None, label.to_owned()), bytes);
    }

    /// Writes the start of a buffer that net number `net` keeps.
    pub fn write_state(&self, device: &Device, net: usize, label: &str, bytes: &[u8]) {
        self.write(device, &(Some(net), label.to_owned()), bytes);
    }

    /// Writes the parameters and running statistics of net number `net`.
    pub fn write_values(&self, device: &Device, net: usize, values: &Values) {
        let parameters = bytemuck::cast_slice(&values.parameters);
        self.write_state(device, net, "parameters", parameters);
        if !values.statistics.is_empty() {
            let statistics = bytemuck::cast_slice(&values.statistics);
            self.write_state(device, net, "statistics", statistics);
        }
    }

    /// Reads the parameters and running statistics of net number `net`.
    pub fn read_values(&self, device: &Device, net: usize) -> Result<Values> {
        let has_statistics = self
            .named
            .contains_key(&(Some(net), "statistics".to_owned()));
        Ok(Values {
            parameters: self.read_state(device, net, "parameters")?,
            statistics: if has_statistics {
                self.read_state(device, net, "statistics")?
            } else {
                Vec::new()
            },
        })
    }

    /// Fills a buffer that net number `net` keeps with zeros.
    pub fn clear_state(&self, device: &Device, net: usize, label: &str) {
        let buffer = self.find(&(Some(net), label.to_owned()));
        let mut encoder = device
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.clear_buffer(buffer, 0, None);
        device.queue.submit([encoder.finish()]);
    }

    /// Reads a whole buffer of the data set.
    pub fn read_data<T: bytemuck::Pod>(&self, device: &Device, label: &str) -> Result<Vec<T>> {
        self.read(device, &(None, label.to_owned()))
    }

    /// Reads a whole buffer that net number `net` keeps.
    pub fn read_state<T: bytemuck::Pod>(
        &self,
        device: &Device,
        net: usize,
        label: &str,
    ) -> Result<Vec<T>> {
        self.read(device, &(Some(net), label.to_owned()))
    }

    /// Bytes of a buffer that net number `net` keeps.
    pub fn state_bytes(&self, net: usize, label: &str) -> u64 {
        self.find(&(Some(net), label.to_owned())).size()
    }

    /// The buffer of each entry of [`Plan::buffers`] for net number `net`.
    pub(super) fn buffers_of(&self, plan: &Plan, net: usize) -> Vec<wgpu::Buffer> {
        let scratch = ScratchPlaces::new(plan).places;
        let buffers = plan
            .buffers
            .iter()
            .enumerate()
            .map(|(index, spec)| match spec.lifetime {
                Lifetime::Plan => self.scratch[scratch[&index]].clone(),
                Lifetime::Net => self.find(&(Some(net), spec.label.clone())).clone(),
                Lifetime::Data => self.find(&(None, spec.label.clone())).clone(),
            });
        buffers.collect()
    }

    /// Writes the start of buffer number `index` of a plan of net number `net`, scratch too.
    pub fn write_plan_buffer(
        &self,
        device: &Device,
        plan: &Plan,
        net: usize,
        index: usize,
        bytes: &[u8],
    ) {
        let buffer = &self.buffers_of(plan, net)[index];
        device.queue.write_buffer(buffer, 0, bytes);
    }

    /// Reads the whole buffer number `index` of a plan of net number `net`, scratch too.
    pub fn read_plan_buffer<T: bytemuck::Pod>(
        &self,
        device: &Device,
        plan: &Plan,
        net: usize,
        index: usize,
    ) -> Result<Vec<T>> {
        let buffer = &self.buffers_of(plan, net)[index];
        let encoder = device
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        device.read_buffer(&plan.buffers[index].label, buffer, encoder)
    }

    fn find(&self, key: &(Option<usize>, String)) -> &wgpu::Buffer {
        self.named
            .get(key)
            .unwrap_or_else(|| panic!("no plan was allocated with the buffer {key:?}"))
    }

    fn write(&self, device: &Device, key: &(Option<usize>, String), bytes: &[u8]) {
        let buffer = self.find(key);
        let whole = bytes.len() - bytes.len() % 4;
        device.queue.write_buffer(buffer, 0, &bytes[..whole]);
        if whole < bytes.len() {
            let mut rest = [0; 4];
            rest[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
            device.queue.write_buffer(buffer, whole as u64, &rest);
        }
    }

    fn read<T: bytemuck::Pod>(
        &self,
        device: &Device,
        key: &(Option<usize>, String),
    ) -> Result<Vec<T>> {
        let buffer = self.find(key);
        let encoder = device
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        device.read_buffer(&key.1, buffer, encoder)
    }
}

fn create(device: &Device, label: &str, bytes: u64) -> wgpu::Buffer {
    device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: bytes,
        usage: wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::UNIFORM
            | wgpu::BufferUsages::COPY_DST
            | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    })
}

/// Refuses what does not fit into the host's memory, where that is the device's: it would be given, and end the program when
/// it is used.
fn check_host(free: Option<u64>, bytes: u64) -> Result<()> {
    match free {
        Some(free) if bytes > free => Err(Error::adapter(
            format!(
                "a CPU adapter would take {bytes} bytes of this machine's memory, and {free} are free"
            ),
            "use a smaller --batch-size or --limit-train, or another --adapter",
        )),
        _ => Ok(()),
    }
}

fn too_large(device: &Device, label: &str, bytes: u64, limit: u64) -> Error {
    Error::adapter(
        format!(
            "{} takes at most {limit} bytes at once, and {label} needs {bytes}",
            device.adapter().name
        ),
        "use a smaller --batch-size or --limit-train, or another --adapter",
    )
}

#[cfg(test)]
mod tests {
    use super::check_host;

    #[test]
    fn what_the_host_has_no_room_for_is_refused() {
        let error = check_host(Some(1000), 1001).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a CPU adapter would take 1001 bytes of this machine's memory, and 1000 are free"
        );
        assert!(check_host(Some(1000), 1000).is_ok());
        assert!(check_host(None, u64::MAX).is_ok());
    }
}
