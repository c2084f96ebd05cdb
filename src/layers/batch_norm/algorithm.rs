//! The kernels of batch normalisation: what they cost, and how they cut the rows.
//!
//! All files have the same entry points and bindings; only what an invocation covers differs.

use crate::layers::processor::{of_cpu_kernel, on_cpu};
use crate::plan::{Candidate, Limits, Offer, Shader};

static STRIPS: Shader = crate::shader!("batch_norm/strips");
static QUADS: Shader = crate::shader!("batch_norm/quads");
static PAIRS: Shader = crate::shader!("batch_norm/pairs");

/// What takes the running statistics for those of a batch.
pub(super) static RUNNING: Shader = crate::shader!("batch_norm/running");

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
pub(super) struct Algorithm {
    kind: Kind,
    /// Whether one dispatch does everything forward, and another one backward.
    is_whole: bool,
    /// Values of a channel.
    rows: u32,
}

/// Which rows and channels an invocation takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// A strip of rows of one channel. Any number of channels, any adapter; no pooling.
    Strips,
    /// A workgroup takes rows and channels in fours. Graphics processors.
    Quads,
    /// Rows of a pair of channels. CPU adapters.
    Pairs,
}

impl Algorithm {
    /// Those that have the shape for `rows` of `channels`, pooled or not, with the statistics of the batch or the running ones; the
    /// last one copes with every shape.
    pub(super) fn offers(
        limits: &Limits,
        of_batch: bool,
        rows: u32,
        channels: u32,
        is_pooled: bool,
    ) -> Vec<Offer<Self>> {
        let algorithm = |kind, is_whole| Self {
            kind,
            is_whole,
            rows,
        };
        let mut algorithms = Vec::new();
        for (kind, multiple) in [(Kind::Quads, 4), (Kind::Pairs, 2)] {
            if channels.is_multiple_of(multiple) {
                algorithms.push(algorithm(kind, false));
                // With running statistics forward is one dispatch anyway.
                if of_batch {
                    algorithms.push(algorithm(kind, true));
                }
            }
        }
        algorithms.push(algorithm(Kind::Strips, false));
        let offer = |algorithm: Self| {
            Offer::new(algorithm, algorithm.cost(limits, rows, channels, is_pooled))
        };
        algorithms.into_iter().map(offer).collect()
    }

    /// Passes over the data, in those of the best kernel.
    fn cost(self, limits: &Limits, rows: u32, channels: u32, is_pooled: bool) -> f64 {
        /// Loads of single elements beside those of four, and what a pooling of its own adds.
        const ELEMENTS: f64 = 3.0;
        const POOLING: f64 = 2.0;
        let elements = f64::from(rows) * f64::from(channels);
        let scattered = ELEMENTS + if is_pooled { POOLING } else { 0.0 };
        let passes = match self.kind {
            Kind::Quads if limits.is_cpu => on_cpu::WORKGROUP_TILES * elements,
            Kind::Quads => elements,
            Kind::Pairs => of_cpu_kernel(limits, elements, elements),
            Kind::Strips => scattered * elements,
        };
        match (self.is_whole, rows <= FEW_ROWS) {
            (false, _) => passes,
            (true, true) => 0.5 * passes,
            (true, false) => 2.0 * passes,
        }
    }

    /// The WGSL file.
    pub(super) fn shader(self) -> &'static Shader {
        match self.kind {
            Kind::Strips => &STRIPS,
            Kind::Quads => &QUADS,
            Kind::Pairs => &PAIRS,
        }
    }

    /// Whether the maximum over windows can be part of it.
    pub(super) fn pools(self) -> bool {
        self.kind != Kind::Strips
    }

    /// Whether forward is one dispatch, and backward another.
    pub(super) fn is_whole(self) -> bool {
        self.is_whole
    }

    /// Parts that sums over rows are cut into, none of them empty, if an adapter's loops do not want more.
    pub(super) fn chunks(self, rows: u32, channels: u32) -> u32 {
        let (smallest, most) = match self.kind {
            Kind::Strips | Kind::Pairs => (CHUNK_ROWS, MAX_CHUNKS),
            Kind::Quads => {
                let most = MAX_SHARED_CHUNKS / self.groups(channels, "QUAD_LANES");
                (SHARED_CHUNK_ROWS, most.max(1))
            }
        };
        rows.div_ceil(smallest.max(rows.div_ceil(most)))
    }

    /// Invocations of a kernel that takes the chunks.
    pub(super) fn chunks_extent(self, chunks: u32, channels: u32) -> u32 {
        match self.kind {
            Kind::Strips => chunks * channels,
            Kind::Pairs => chunks * (channels / 2),
            Kind::Quads => self.workgroups(chunks * self.groups(channels, "QUAD_LANES")),
        }
    }

    /// Invocations of a kernel that takes all rows, or all chunks, of every channel.
    pub(super) fn whole_extent(self, channels: u32) -> u32 {
        match self.kind {
            Kind::Strips => channels,
            Kind::Pairs => channels / 2,
            Kind::Quads => self.workgroups(self.groups(channels, "FEW_QUAD_LANES")),
        }
    }

    /// Invocations of a kernel that takes every row, or every window, on its own.
    pub(super) fn elements_extent(self, windows: u32, channels: u32) -> u32 {
        let constant = |name| self.shader().constant(name);
        match self.kind {
            Kind::Strips => windows.div_ceil(constant("STRIP")) * channels,
            Kind::Pairs => windows.div_ceil(constant("WINDOWS")) * (channels / 2),
            Kind::Quads => {
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

impl Candidate for Algorithm {
    fn name(&self) -> String {
        match (self.kind, self.is_whole) {
            (Kind::Strips, _) => "strips",
            (Kind::Quads, false) => "quads",
            (Kind::Quads, true) => "quads whole",
            (Kind::Pairs, false) => "pairs",
            (Kind::Pairs, true) => "pairs whole",
        }
        .to_owned()
    }

    fn shaders(&self) -> Vec<&'static Shader> {
        vec![self.shader()]
    }

    /// Every value of a channel is off by the roundings of its variance, a sum of squares: as they have one sign, its roundings can
    /// be as many halves of a unit as terms are added one after another, here or in the reference; and half of that reaches
    /// the deviation. A plain sum's are taken as eight units.
    fn amplification(&self) -> f64 {
        let chunks = self.rows.div_ceil(CHUNK_ROWS).min(MAX_CHUNKS);
        let chunked = self.rows.div_ceil(chunks) + chunks;
        let longest = if self.is_whole {
            self.rows.max(chunked)
        } else {
            chunked
        };
        4.0_f64.max(f64::from(longest) / 32.0)
    }
}
