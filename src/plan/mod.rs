//! Plans: a whole step written down as data. Nothing here knows wgpu, so all of it is tested without a GPU.
//!
//! Layers record dispatches on a [`Tape`]; [`Tape::finish`] gives the [`Plan`], which `gpu` compiles once and replays.

use std::collections::BTreeMap;

mod bind;
mod choose;
mod digest;
mod display;
mod evaluate;
mod fill;
mod grid;
mod kernel;
mod kernels;
mod library;
mod limits;
mod operation;
mod parameters;
mod reflection;
mod scratch;
mod shader;
mod tape;
mod tensor;
mod uniform;

pub use digest::digest;
pub use kernel::Kernel;
pub use kernels::{Kernels, Precision, Winners};
pub use limits::{CPU_LOOP_ITERATIONS, Excess, Limits, Need};
pub use operation::{Candidate, CandidateInfo, Offer, Operation, OperationPlan};
pub use parameters::{
    ALIGNMENT, Init, Layout, Parameter, ParameterGroup, ParameterSpec, Parameters, Role, Values,
};
pub use reflection::{Access, BindingSlot, EntryPoint, Resources, Unfolding};
pub use scratch::ScratchPlaces;
pub use shader::Shader;
pub use tape::{Mode, Tape, Target};
pub use tensor::{BufferId, Shape, Tensor};
pub use uniform::{RowCut, UNIFORM_ELEMENTS};

/// How long the contents of a buffer live, and who shares them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lifetime {
    /// Kept by a net from step to step and shared by its plans: parameters, gradients, moments.
    Net,
    /// Shared by all nets on one data set: images, order, losses.
    Data,
    /// Scratch of one run of this plan: activations and their gradients. Other plans may reuse the memory.
    Plan,
}

/// A buffer that a plan needs.
#[derive(Clone, Debug)]
pub struct BufferSpec {
    /// Its name: `parameters`, `train.images`, `conv1.y`.
    pub label: String,
    /// Elements that tensors use.
    pub elements: u32,
    /// Its size: the elements, and room behind them for uniform bindings of fixed size.
    pub bytes: u64,
    /// Who owns it.
    pub lifetime: Lifetime,
}

/// One buffer range bound to one variable of an entry point.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The variable's name in the WGSL.
    pub name: String,
    /// Its `@binding` number.
    pub slot: u32,
    /// Read, or read and written.
    pub access: Access,
    /// What is bound.
    pub tensor: Tensor,
    /// Bytes bound from the start of the tensor: more than its own for a uniform binding.
    pub bytes: u64,
}

impl Binding {
    /// Bytes from the start of the buffer to the first byte bound.
    pub fn offset_bytes(&self) -> u64 {
        u64::from(self.tensor.offset) * 4
    }
}

/// What a dispatch costs, as far as the shapes tell.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Multiplications of the layer's mathematics; bias, activation and pooling count nothing, as in the paper.
    pub multiplications: u64,
    /// Bytes bound: what must at least be read or written once.
    pub bytes: u64,
}

/// One dispatch of one entry point with everything it needs.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// The layer that recorded it.
    pub layer: String,
    /// The WGSL file.
    pub shader: &'static Shader,
    /// The entry point.
    pub entry: &'static str,
    /// Values of the overrides, in the order the layer gave them.
    pub constants: Vec<(&'static str, f64)>,
    /// The bound buffers, ordered by slot.
    pub bindings: Vec<Binding>,
    /// Workgroups along x, y, z.
    pub grid: [u32; 3],
    /// What it costs.
    pub cost: Cost,
}

impl Dispatch {
    /// What runs: `SHADER.ENTRY`.
    pub fn kernel(&self) -> String {
        format!("{}.{}", self.shader.name(), self.entry)
    }
}

/// A step as a flat list of dispatches over named buffers.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it is: `mnist-cnn-spinal train batch 64`.
    pub name: String,
    /// Every buffer the dispatches touch.
    pub buffers: Vec<BufferSpec>,
    /// The dispatches in order.
    pub dispatches: Vec<Dispatch>,
    /// The operations that several kernels can compute, in the order of their dispatches.
    pub operations: Vec<Operation>,
    /// The first limit of the adapter it was recorded for that it does not keep.
    pub excess: Option<Excess>,
}

impl Plan {
    /// The buffer a tensor lies in.
    pub fn buffer(&self, tensor: Tensor) -> &BufferSpec {
        &self.buffers[self.index(tensor)]
    }

    /// The place in [`buffers`](Self::buffers) of the buffer a tensor lies in.
    pub fn index(&self, tensor: Tensor) -> usize {
        tensor.buffer.0 as usize
    }

    /// The tensor of the whole buffer called `label`, as one row of elements.
    pub fn tensor(&self, label: &str) -> Option<Tensor> {
        let index = self
            .buffers
            .iter()
            .position(|buffer| buffer.label == label)?;
        let elements = self.buffers[index].elements;
        Some(Tensor {
            buffer: BufferId(index as u32),
            offset: 0,
            shape: Shape::from([elements]),
        })
    }

    /// The buffers it needs on its own.
    pub fn allocation(&self) -> Allocation {
        let mut allocation = Allocation::default();
        allocation.add(0, [self]);
        allocation
    }

    /// The cost of all dispatches.
    pub fn cost(&self) -> Cost {
        self.dispatches
            .iter()
            .fold(Cost::default(), |sum, dispatch| Cost {
                multiplications: sum.multiplications + dispatch.cost.multiplications,
                bytes: sum.bytes + dispatch.cost.bytes,
            })
    }
}

/// The buffers that nets need together, and their sizes: what executables allocate, known before any device is.
#[derive(Clone, Default, Debug)]
pub struct Allocation {
    /// Named buffers: the data's once, the nets' once for each net.
    pub named: BTreeMap<(Option<usize>, String), u64>,
    /// Scratch that all plans of all nets reuse: the places of each, largest first, fit into these.
    pub scratch: Vec<u64>,
}

impl Allocation {
    /// Adds the plans of net number `net`.
    pub fn add<'a>(&mut self, net: usize, plans: impl IntoIterator<Item = &'a Plan>) {
        for plan in plans {
            for buffer in &plan.buffers {
                let owner = match buffer.lifetime {
                    Lifetime::Net => Some(net),
                    Lifetime::Data => None,
                    Lifetime::Plan => continue,
                };
                let bytes = self.named.entry((owner, buffer.label.clone())).or_insert(0);
                *bytes = buffer.bytes.max(*bytes);
            }
            let sizes = ScratchPlaces::new(plan).sizes;
            self.scratch.resize(self.scratch.len().max(sizes.len()), 0);
            for (bytes, wanted) in self.scratch.iter_mut().zip(sizes) {
                *bytes = wanted.max(*bytes);
            }
        }
    }

    /// All bytes.
    pub fn bytes(&self) -> u64 {
        self.named.values().sum::<u64>() + self.scratch.iter().sum::<u64>()
    }
}
