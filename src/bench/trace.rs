//! One training step as a Chrome trace (chrome://tracing, <https://ui.perfetto.dev>): what the host did, and what the
//! device did when.

use std::time::Instant;

use serde_json::{Value, json};

use super::step::{gbytes_per_s, gflops, profile};
use super::subject::Subject;
use crate::error::Result;

/// The tracks.
const HOST: u32 = 1;
const DEVICE: u32 = 2;

/// Runs one training step and gives its events in the Trace Event Format, times in microseconds.
///
/// Host and device have clocks of their own. The step of the host's track is one without timestamps, and the device's track
/// begins where the host has handed its step over.
///
/// # Errors
/// `Error::Adapter` if the device has no clock.
pub fn record(subject: &Subject) -> Result<Value> {
    let device = subject.device;
    let spans = profile(subject, 1)?;
    subject.rewind();
    device.flush()?;
    let started = Instant::now();
    let micros = || started.elapsed().as_secs_f64() * 1e6;
    let encoded = subject.train_step.encode(device, 1);
    let encode_end = micros();
    let submission = encoded.submit(device);
    let submit_end = micros();
    submission.wait(device)?;
    let wait_end = micros();

    let mut events = vec![
        named(
            "process_name",
            HOST,
            &format!("{} batch {}", subject.model.name, subject.batch_size),
        ),
        named("thread_name", HOST, "host"),
        named(
            "thread_name",
            DEVICE,
            &format!("device: {}", device.adapter().name),
        ),
        event(
            "encode",
            HOST,
            [0.0, encode_end],
            json!({"dispatches": spans.len()}),
        ),
        event("submit", HOST, [encode_end, submit_end], json!({})),
        event("wait", HOST, [submit_end, wait_end], json!({})),
    ];
    for (dispatch, span) in subject.train.dispatches.iter().zip(&spans) {
        let arguments = json!({
            "layer": dispatch.layer,
            "kernel": dispatch.kernel(),
            "grid": dispatch.grid,
            "gflops": gflops(dispatch.cost, span.ms()),
            "gbytes_per_s": gbytes_per_s(dispatch.cost, span.ms()),
        });
        let name = format!("{} {}", dispatch.layer, dispatch.kernel());
        let times = [span.start_ms, span.end_ms].map(|ms| submit_end + 1e3 * ms);
        events.push(event(&name, DEVICE, times, arguments));
    }
    Ok(json!({"displayTimeUnit": "ms", "traceEvents": events}))
}

/// A complete event from one time to another.
fn event(name: &str, track: u32, [start, end]: [f64; 2], arguments: Value) -> Value {
    json!({
        "name": name, "ph": "X", "pid": 1, "tid": track,
        "ts": start, "dur": end - start, "args": arguments,
    })
}

/// A name of the process or of a track.
fn named(kind: &str, track: u32, name: &str) -> Value {
    json!({"name": kind, "ph": "M", "pid": 1, "tid": track, "args": {"name": name}})
}
