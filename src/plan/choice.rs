//! The choice between kernels that compute the same.
//!
//! A layer lists the kernels that fit an operation's shape and the adapter's class, the one that is usually fastest first
//! and the plainest one, the reference, last. Which of them is recorded is decided here, by the operation's key.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::shader::Shader;
use super::tape::AdapterClass;
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

/// Which kernels are recorded: those for a class of adapter, chosen by the layers' own order, by measurement, or for being
/// the reference.
#[derive(Clone, Debug, Default)]
pub struct Kernels {
    class: AdapterClass,
    precision: Precision,
    choice: Choice,
}

/// How exact the factors of products are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Precision {
    /// f32 throughout
    #[default]
    F32,
    /// Factors of convolutions are rounded to f16 and multiplied by matrix units; sums and everything stored stay f32
    F16,
}

impl Precision {
    /// `f32` or `f16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }
}

#[derive(Clone, Debug, Default)]
enum Choice {
    #[default]
    First,
    Last,
    Measured(Arc<Winners>),
}

/// The fastest candidate by the key of the operation.
pub type Winners = BTreeMap<String, String>;

impl From<AdapterClass> for Kernels {
    fn from(class: AdapterClass) -> Self {
        Self {
            class,
            precision: Precision::F32,
            choice: Choice::First,
        }
    }
}

impl Kernels {
    /// The references: the plainest kernels, which the others are compared with.
    pub fn reference(class: AdapterClass) -> Self {
        Self {
            class,
            precision: Precision::F32,
            choice: Choice::Last,
        }
    }

    /// The winners where the operation was measured, and the layers' first candidate elsewhere.
    pub fn measured(class: AdapterClass, winners: Winners) -> Self {
        Self {
            class,
            precision: Precision::F32,
            choice: Choice::Measured(Arc::new(winners)),
        }
    }

    /// How they are chosen: `default`, `tuned` or `reference`.
    pub fn choice_name(&self) -> &'static str {
        match self.choice {
            Choice::First => "default",
            Choice::Last => "reference",
            Choice::Measured(_) => "tuned",
        }
    }

    /// The same with other factors of products.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// How exact the factors of products are.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The class of adapter.
    pub fn class(&self) -> AdapterClass {
        self.class
    }

    /// Whether only references are recorded.
    pub fn is_reference(&self) -> bool {
        matches!(self.choice, Choice::Last)
    }

    /// The winners, if operations are chosen by measurement.
    pub fn winners(&self) -> Option<&Winners> {
        match &self.choice {
            Choice::Measured(winners) => Some(winners),
            Choice::First | Choice::Last => None,
        }
    }

    /// The same with another candidate for one operation.
    pub fn with_winner(&self, key: &str, name: &str) -> Self {
        let mut winners = self.winners().cloned().unwrap_or_default();
        winners.insert(key.to_owned(), name.to_owned());
        Self::measured(self.class, winners).with_precision(self.precision)
    }

    /// The place of the chosen one among the names of candidates.
    pub(super) fn choose(&self, key: &str, names: &[String]) -> usize {
        match &self.choice {
            Choice::First => 0,
            Choice::Last => names.len() - 1,
            Choice::Measured(winners) => {
                let winner = winners.get(key);
                let place = winner.and_then(|winner| names.iter().position(|name| name == winner));
                place.unwrap_or(0)
            }
        }
    }
}

/// An operation of a plan that was recorded by one of several candidates.
#[derive(Clone, Debug)]
pub struct Operation {
    /// What is computed, on which shape, and a fingerprint of the candidates' WGSL.
    pub key: String,
    /// The candidates, the layer's first choice first and the reference last.
    pub candidates: Vec<CandidateInfo>,
    /// Which of them was recorded.
    pub chosen: usize,
    /// Its dispatches in the plan.
    pub dispatches: Range<usize>,
    /// What it computes; other tensors that it writes are scratch.
    pub outputs: Vec<Tensor>,
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
        let mut dispatches = whole.dispatches[operation.dispatches.clone()].to_vec();
        let mut outputs = operation.outputs.clone();
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
            origins.push((label.clone(), start));
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
        for tensor in bound.chain(&mut outputs) {
            let (buffer, start) = places[&tensor.buffer];
            tensor.buffer = buffer;
            tensor.offset -= start;
        }
        let operations = vec![Operation {
            dispatches: 0..dispatches.len(),
            outputs,
            ..operation.clone()
        }];
        let plan = Plan {
            name: operation.key.clone(),
            buffers,
            dispatches,
            operations,
        };
        Self { plan, origins }
    }
}

/// What there is to know of a candidate without its type.
#[derive(Clone, Debug)]
pub struct CandidateInfo {
    /// Its name.
    pub name: String,
    /// How many times larger than those of a plain sum its roundings can be.
    pub amplification: f64,
}

/// The key of an operation on a shape: a changed shader or another set of candidates is another key.
pub(super) fn key<K: Candidate>(name: &str, shape: &dyn fmt::Display, candidates: &[K]) -> String {
    let mut hasher = Fnv::default();
    for candidate in candidates {
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
