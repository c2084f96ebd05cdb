//! The kernels of batch normalisation: which ones fit an adapter and a shape, and how they cut the rows.
//!
//! All files have the same entry points and bindings; only what an invocation covers differs.

use crate::plan::{AdapterClass, Shader};

static STRIPS: Shader = crate::shader!("batch_norm/strips");
static QUADS: Shader = crate::shader!("batch_norm/quads");
static PAIRS: Shader = crate::shader!("batch_norm/pairs");

/// Up to so many rows, one dispatch does everything: a GPU waits for its few workgroups for less time than for two more
/// dispatches, and a core of a CPU adapter keeps the rows of 16 channels in its cache.
const FEW_ROWS: u32 = 1024;

/// Rows that are added up one after another, more only if there would be more chunks than a second dispatch adds up.
const CHUNK_ROWS: u32 = 128;
const MAX_CHUNKS: u32 = 256;

/// The same on a GPU, where 16 invocations share a chunk: rows of the smallest one, and workgroups that occupy the device.
const SHARED_CHUNK_ROWS: u32 = 64;
const MAX_SHARED_CHUNKS: u32 = 512;

/// A way to normalise a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Algorithm {
    /// An invocation takes a strip of rows of one channel. Any number of channels, any adapter; no pooling.
    Strips,
    /// A workgroup takes rows and channels in fours. GPUs.
    Quads,
    /// An invocation takes rows of a pair of channels. CPU adapters.
    Pairs,
}

impl Algorithm {
    /// The fastest one.
    pub(super) fn of(class: AdapterClass, channels: u32) -> Self {
        match class {
            AdapterClass::Gpu if channels.is_multiple_of(4) => Self::Quads,
            AdapterClass::Cpu if channels.is_multiple_of(2) => Self::Pairs,
            _ => Self::Strips,
        }
    }

    /// The WGSL file.
    pub(super) fn shader(self) -> &'static Shader {
        match self {
            Self::Strips => &STRIPS,
            Self::Quads => &QUADS,
            Self::Pairs => &PAIRS,
        }
    }

    /// Whether the maximum over windows can be part of it.
    pub(super) fn pools(self) -> bool {
        self != Self::Strips
    }

    /// Whether forward is one dispatch for so many rows, and backward another.
    pub(super) fn is_whole(self, rows: u32) -> bool {
        self != Self::Strips && rows <= FEW_ROWS
    }

    /// Parts that sums over rows are cut into, none of them empty.
    pub(super) fn chunks(self, rows: u32, channels: u32) -> u32 {
        let (smallest, most) = match self {
            Self::Strips | Self::Pairs => (CHUNK_ROWS, MAX_CHUNKS),
            Self::Quads => {
                let most = MAX_SHARED_CHUNKS / self.groups(channels, "QUAD_LANES");
                (SHARED_CHUNK_ROWS, most.max(1))
            }
        };
        rows.div_ceil(smallest.max(rows.div_ceil(most)))
    }

    /// Invocations of a kernel that takes the chunks.
    pub(super) fn chunks_extent(self, chunks: u32, channels: u32) -> u32 {
        match self {
            Self::Strips => chunks * channels,
            Self::Pairs => chunks * (channels / 2),
            Self::Quads => self.workgroups(chunks * self.groups(channels, "QUAD_LANES")),
        }
    }

    /// Invocations of a kernel that takes all rows, or all chunks, of every channel.
    pub(super) fn whole_extent(self, channels: u32) -> u32 {
        match self {
            Self::Strips => channels,
            Self::Pairs => channels / 2,
            Self::Quads => self.workgroups(self.groups(channels, "FEW_QUAD_LANES")),
        }
    }

    /// Invocations of a kernel that takes every row, or every window, on its own.
    pub(super) fn elements_extent(self, windows: u32, channels: u32) -> u32 {
        let constant = |name| self.shader().constant(name);
        match self {
            Self::Strips => windows.div_ceil(constant("STRIP")) * channels,
            Self::Pairs => windows.div_ceil(constant("WINDOWS")) * (channels / 2),
            Self::Quads => {
                let lanes = constant("WORKGROUP") / constant("QUAD_LANES");
                let tiles = windows.div_ceil(lanes * constant("WINDOWS"));
                self.workgroups(tiles * self.groups(channels, "QUAD_LANES"))
            }
        }
    }

    /// Groups of channels that workgroups of `lanes` invocations side by side take.
    fn groups(self, channels: u32, lanes: &str) -> u32 {
        (channels / 4).div_ceil(self.shader().constant(lanes))
    }

    fn workgroups(self, count: u32) -> u32 {
        count * self.shader().constant("WORKGROUP")
    }
}
