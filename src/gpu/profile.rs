//! When work ran, by the clock of the device.

use super::clock::Clock;
use super::device::Device;
use super::executable::{Executable, encode, encode_runs};
use crate::error::Result;

/// Timestamps that every adapter keeps in one set of queries.
const MAX_QUERIES: usize = 4096;

/// When a dispatch ran, in milliseconds since the first of its run began.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Span {
    /// When it began.
    pub start_ms: f64,
    /// When it ended.
    pub end_ms: f64,
}

impl Span {
    /// How long it took.
    pub fn ms(&self) -> f64 {
        self.end_ms - self.start_ms
    }
}

impl Executable {
    /// Milliseconds that the device takes for `times` runs of the plan in one submission; `None` if it has no clock.
    pub fn device_ms(&self, device: &Device, times: u32) -> Result<Option<f64>> {
        if device.clock() == Clock::Absent {
            return Ok(None);
        }
        let timestamps = Timestamps::new(device, 2);
        let mut encoder = create_encoder(device);
        encode_runs(&mut timestamps.pass(&mut encoder, 0), &self.commands, times);
        let read = timestamps.read(device, encoder)?;
        Ok(Some(read[1] - read[0]))
    }

    /// When each dispatch ran in one run of the plan, after `lead_in` runs that bring the device up to speed. `None` if the
    /// device has no clock, or the plan has more dispatches than timestamps are kept.
    ///
    /// A dispatch ends when all before it have ended, too. Where the clock is one of passes, each dispatch is a pass.
    pub fn profile(&self, device: &Device, lead_in: u32) -> Result<Option<Vec<Span>>> {
        let fits = 2 * self.commands.len() <= MAX_QUERIES;
        match device.clock() {
            Clock::OfDispatches if fits => Ok(Some(self.profile_in_pass(device, lead_in)?)),
            Clock::OfPasses if fits => Ok(Some(self.profile_by_passes(device, lead_in)?)),
            _ => Ok(None),
        }
    }

    fn profile_in_pass(&self, device: &Device, lead_in: u32) -> Result<Vec<Span>> {
        let times = Timestamps::new(device, self.commands.len() + 1);
        let mut encoder = create_encoder(device);
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            encode_runs(&mut pass, &self.commands, lead_in);
            for (index, command) in (0..).zip(&self.commands) {
                pass.write_timestamp(&times.queries, index);
                encode(&mut pass, command);
            }
            pass.write_timestamp(&times.queries, self.commands.len() as u32);
        }
        let times = times.read(device, encoder)?;
        let spans = times.windows(2).map(|pair| Span {
            start_ms: pair[0],
            end_ms: pair[1],
        });
        Ok(spans.collect())
    }

    fn profile_by_passes(&self, device: &Device, lead_in: u32) -> Result<Vec<Span>> {
        let times = Timestamps::new(device, 2 * self.commands.len());
        let mut encoder = create_encoder(device);
        encode_runs(
            &mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()),
            &self.commands,
            lead_in,
        );
        for (index, command) in (0..).zip(&self.commands) {
            encode(&mut times.pass(&mut encoder, 2 * index), command);
        }
        let times = times.read(device, encoder)?;
        let spans = times.chunks(2).map(|pair| Span {
            start_ms: pair[0],
            end_ms: pair[1],
        });
        Ok(spans.collect())
    }
}

fn create_encoder(device: &Device) -> wgpu::CommandEncoder {
    device
        .device
        .create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
}

/// Timestamps on their way to the host.
struct Timestamps {
    queries: wgpu::QuerySet,
    count: usize,
}

impl Timestamps {
    fn new(device: &Device, count: usize) -> Self {
        let queries = device.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("timestamps"),
            ty: wgpu::QueryType::Timestamp,
            count: count as u32,
        });
        Self { queries, count }
    }

    /// A pass that writes timestamps `first` and `first + 1` at its ends.
    fn pass<'a>(&self, encoder: &'a mut wgpu::CommandEncoder, first: u32) -> wgpu::ComputePass<'a> {
        encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                query_set: &self.queries,
                beginning_of_pass_write_index: Some(first),
                end_of_pass_write_index: Some(first + 1),
            }),
        })
    }

    /// Submits what was encoded, waits for its end and reads the timestamps, in milliseconds since the first.
    fn read(self, device: &Device, mut encoder: wgpu::CommandEncoder) -> Result<Vec<f64>> {
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let bytes = 8 * self.count as u64;
        let ticks = device.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("timestamps"),
            size: bytes,
            usage,
            mapped_at_creation: false,
        });
        encoder.resolve_query_set(&self.queries, 0..self.count as u32, &ticks, 0);
        let ticks: Vec<u64> = device.read_buffer("timestamps", &ticks, encoder)?;
        let ms = f64::from(device.queue.get_timestamp_period()) * 1e-6;
        let since_first = |&tick: &u64| tick.saturating_sub(ticks[0]) as f64 * ms;
        Ok(ticks.iter().map(since_first).collect())
    }
}
