//! Operations: what several kernels can compute, and how each of them would.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use super::shader::Shader;
use super::tensor::{BufferId, Tensor};
use super::{BufferSpec, Lifetime, Plan};

/// A way to compute an operation.
pub trait Candidate: Copy {
    /// Its name, different from those of the other candidates: `implicit_gemm`.
    fn name(&self) -> String;

    /// The WGSL files it runs.
    fn shaders(&self) -> Vec<&'static Shader>;

    /// How many times larger than those of a plain sum its roundings can be.
    fn amplification(&self) -> f64 {
        1.0
    }
}

/// A candidate and what it costs.
#[derive(Clone, Copy, Debug)]
pub struct Offer<K> {
    /// The way.
    pub candidate: K,
    /// An estimate of the time it takes, in a unit that all candidates of an operation share.
    pub cost: f64,
}

impl<K: Candidate> Offer<K> {
    /// A way and its cost.
    pub fn new(candidate: K, cost: f64) -> Self {
        Self { candidate, cost }
    }

    /// What there is to know of it without its type.
    pub(super) fn info(&self) -> CandidateInfo {
        CandidateInfo {
            name: self.candidate.name(),
            amplification: self.candidate.amplification(),
            cost: self.cost,
        }
    }
}

/// An operation of a plan that was recorded by one of several candidates.
#[derive(Clone, Debug)]
pub struct Operation {
    /// What is computed, on which shape, and a fingerprint of the candidates' WGSL.
    pub key: String,
    /// The candidates that keep the adapter's limits, from the cheapest on, and the reference last.
    pub candidates: Vec<CandidateInfo>,
    /// Which of them is the cheapest: the one that is recorded unless another was asked for.
    pub cheapest: usize,
    /// Which of them was recorded.
    pub chosen: usize,
    /// Its dispatches in the plan: those of the way there and, where one choice rules both, those of the way back.
    pub dispatches: Vec<Range<usize>>,
    /// What it computes; other tensors that it writes are scratch.
    pub outputs: Vec<Tensor>,
    /// The gradient that its way back is given.
    pub upstream: Option<Tensor>,
}

impl Operation {
    /// The numbers of its dispatches in the plan.
    pub fn dispatches(&self) -> impl Iterator<Item = usize> + '_ {
        self.dispatches.iter().cloned().flatten()
    }

    /// Whether a candidate has this name.
    pub fn has_candidate(&self, name: &str) -> bool {
        self.candidates
            .iter()
            .any(|candidate| candidate.name == name)
    }
}

/// What there is to know of a candidate without its type.
#[derive(Clone, Debug)]
pub struct CandidateInfo {
    /// Its name.
    pub name: String,
    /// How many times larger than those of a plain sum its roundings can be.
    pub amplification: f64,
    /// An estimate of its time, in a unit that the candidates of an operation share.
    pub cost: f64,
}

/// The dispatches of one operation alone, over buffers that can all be written and read by their labels.
#[derive(Clone, Debug)]
pub struct OperationPlan {
    /// The dispatches, and the one operation. Of every buffer only the part is left that they bind.
    pub plan: Plan,
    /// The name of each buffer in the plan it was taken from, and which element of it is the first one here.
    pub origins: Vec<(String, u32)>,
}

impl OperationPlan {
    /// Takes an operation out of its plan.
    pub fn new(whole: &Plan, operation: &Operation) -> Self {
        let dispatches = operation.dispatches();
        let mut dispatches: Vec<_> = dispatches
            .map(|index| whole.dispatches[index].clone())
            .collect();
        let mut outputs = operation.outputs.clone();
        let mut upstream = operation.upstream;
        let mut ranges: BTreeMap<BufferId, Range<u64>> = BTreeMap::new();
        let bound = dispatches.iter().flat_map(|dispatch| &dispatch.bindings);
        for binding in bound {
            let (start, end) = (
                binding.offset_bytes(),
                binding.offset_bytes() + binding.bytes,
            );
            let range = ranges.entry(binding.tensor.buffer).or_insert(start..end);
            *range = range.start.min(start)..range.end.max(end);
        }
        let (mut buffers, mut origins) = (Vec::new(), Vec::new());
        let mut places = BTreeMap::new();
        for (&buffer, range) in &ranges {
            let label = &whole.buffers[buffer.0 as usize].label;
            let bytes = range.end - range.start;
            let (index, start) = (buffers.len(), (range.start / 4) as u32);
            places.insert(buffer, (BufferId(index as u32), start));
            // Candidates name their last tensor, and so its gradient, each in its own way.
            let is_upstream = upstream.is_some_and(|upstream| upstream.buffer == buffer);
            let origin = if is_upstream { "upstream" } else { label };
            origins.push((origin.to_owned(), start));
            buffers.push(BufferSpec {
                label: format!("{index} {label}"),
                elements: (bytes / 4) as u32,
                bytes,
                lifetime: Lifetime::Data,
            });
        }
        let bindings = dispatches
            .iter_mut()
            .flat_map(|dispatch| &mut dispatch.bindings);
        let bound = bindings.map(|binding| &mut binding.tensor);
        for tensor in bound.chain(&mut outputs).chain(&mut upstream) {
            let (buffer, start) = places[&tensor.buffer];
            tensor.buffer = buffer;
            tensor.offset -= start;
        }
        let all = 0..dispatches.len();
        let operations = vec![Operation {
            dispatches: Vec::from([all]),
            outputs,
            upstream,
            ..operation.clone()
        }];
        let plan = Plan {
            name: operation.key.clone(),
            buffers,
            dispatches,
            operations,
            excess: whole.excess.clone(),
        };
        Self { plan, origins }
    }
}

/// The key of an operation on a shape: a changed shader or another set of candidates is another key.
pub(super) fn key<K: Candidate>(
    name: &str,
    shape: &dyn fmt::Display,
    offers: &[Offer<K>],
) -> String {
    let mut hasher = Fnv::default();
    for Offer { candidate, .. } in offers {
        hasher.write(candidate.name().as_bytes());
        for shader in candidate.shaders() {
            hasher.write(shader.source().as_bytes());
        }
    }
    format!("{name} {shape} #{:016x}", hasher.0)
}

/// Fowler, Noll and Vo's hash (FNV-1a): the same on every machine and in every version of the compiler.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
