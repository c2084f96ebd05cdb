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
use super::tensor::Tensor;

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
    choice: Choice,
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
            choice: Choice::First,
        }
    }
}

impl Kernels {
    /// The references: the plainest kernels, which the others are compared with.
    pub fn reference(class: AdapterClass) -> Self {
        Self {
            class,
            choice: Choice::Last,
        }
    }

    /// The winners where the operation was measured, and the layers' first candidate elsewhere.
    pub fn measured(class: AdapterClass, winners: Winners) -> Self {
        Self {
            class,
            choice: Choice::Measured(Arc::new(winners)),
        }
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
