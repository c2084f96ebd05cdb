//! The kernels of the fully connected layer: which ones fit an adapter, and how they cut the work.
//!
//! All files have the same entry points and bindings; only what a workgroup covers differs.

use crate::layers::tile::{Cut, Product};
use crate::plan::{AdapterClass, Candidate, Shader};

static DIRECT: Shader = crate::shader!("linear/direct");
static TILED_FORWARD: Shader = crate::shader!("linear/tiled/forward");
static TILED_BACKWARD_INPUT: Shader = crate::shader!("linear/tiled/backward_input");
static TILED_BACKWARD_WEIGHT: Shader = crate::shader!("linear/tiled/backward_weight");
static SPLIT: Shader = crate::shader!("linear/split");
static BROADCAST: Shader = crate::shader!("linear/broadcast");

/// A way to compute the product or one of its gradients.
#[derive(Clone, Copy)]
pub(super) enum Algorithm {
    /// Tiles that lie in workgroup memory. Graphics processors.
    Tiled(Cut),
    /// 4 x 4 outputs a workgroup, whose invocations split the sum. Graphics processors; best for few outputs.
    Split,
    /// 16 x 4 outputs an invocation, one factor passed round the subgroup. CPU adapters.
    Broadcast,
    /// 4 x 4 outputs an invocation. Any adapter.
    Direct,
}

/// The sums of a product.
#[derive(Clone, Copy)]
pub(super) struct Sums {
    /// Rows of what is written.
    pub(super) rows: u32,
    /// Its columns.
    pub(super) columns: u32,
    /// Whether the bias is one more column, except in tiles.
    pub(super) bias_column: bool,
    /// Summands of each sum.
    pub(super) summands: u32,
}

/// The kernels that fit sums which may be cut into chunks, the one that should be the fastest first.
pub(super) fn of_sums(class: AdapterClass, sums: Sums) -> Vec<Algorithm> {
    of(class, sums, Product::cuts)
}

/// The kernels that fit sums which are written at once.
pub(super) fn of_whole_sums(class: AdapterClass, sums: Sums) -> Vec<Algorithm> {
    of(class, sums, Product::whole_cuts)
}

fn of(class: AdapterClass, sums: Sums, cuts: impl Fn(Product) -> Vec<Cut>) -> Vec<Algorithm> {
    if class == AdapterClass::Cpu {
        return vec![Algorithm::Broadcast, Algorithm::Direct];
    }
    let product = sums.product();
    let cuts = cuts(product);
    let place = cuts
        .iter()
        .take_while(|cut| cut.cycles(product) < sums.split_cycles())
        .count();
    let mut algorithms: Vec<Algorithm> = cuts.into_iter().map(Algorithm::Tiled).collect();
    algorithms.insert(place, Algorithm::Split);
    algorithms.push(Algorithm::Direct);
    algorithms
}

impl Sums {
    fn product(self) -> Product {
        Product {
            rows: self.rows,
            columns: self.columns,
            steps: self.summands.div_ceil(TILED_FORWARD.constant("TILE_DEPTH")),
            count: 1,
            shares: 1,
        }
    }

    fn columns_with_bias(self) -> u32 {
        self.columns + u32::from(self.bias_column)
    }

    /// Clock cycles that [`Algorithm::Split`] takes on the processor of [`Cut::cycles`], which has at most 16 of its workgroups
    /// at a time on each of its 132 processors: it waits for every summand, or for the bytes of all of them.
    fn split_cycles(self) -> f64 {
        const RESIDENT: u32 = 132 * 16;
        const SUMMAND_LATENCY: f64 = 600.0;
        const TREE_LATENCY: f64 = 800.0;
        const BYTES: f64 = 2_500.0;
        let lanes = SPLIT.constant("LANES");
        let workgroups = self.rows.div_ceil(4) * self.columns_with_bias().div_ceil(4);
        let summands = f64::from(self.summands.div_ceil(lanes));
        let rounds = f64::from(workgroups.div_ceil(RESIDENT));
        let waiting = rounds * (summands * SUMMAND_LATENCY + TREE_LATENCY);
        let bytes = f64::from(workgroups) * summands * f64::from(lanes * 8 * 4);
        waiting.max(bytes / BYTES)
    }
}

impl Algorithm {
    /// The WGSL file with this entry point.
    pub(super) fn shader(self, entry: &str) -> &'static Shader {
        match self {
            Self::Tiled(_) => match entry {
                "forward" => &TILED_FORWARD,
                "backward_input" => &TILED_BACKWARD_INPUT,
                _ => &TILED_BACKWARD_WEIGHT,
            },
            Self::Split => &SPLIT,
            Self::Broadcast => &BROADCAST,
            Self::Direct => &DIRECT,
        }
    }

    /// The overrides that only this algorithm has.
    pub(super) fn constants(self, sums: Sums) -> Vec<(&'static str, f64)> {
        match self {
            Self::Split | Self::Broadcast | Self::Direct => {
                vec![("FIRST", 0.0), ("COUNT", sums.summands.into())]
            }
            Self::Tiled(cut) => {
                let mut constants = cut.constants().to_vec();
                constants.push(("CHUNKS", cut.chunks.into()));
                constants
            }
        }
    }

    /// Partial sums that it writes.
    pub(super) fn chunks(self) -> u32 {
        match self {
            Self::Split | Self::Broadcast | Self::Direct => 1,
            Self::Tiled(cut) => cut.chunks,
        }
    }

    /// The extent of the dispatch that makes `sums`.
    pub(super) fn extent(self, sums: Sums) -> [u32; 3] {
        let columns = sums.columns_with_bias();
        match self {
            Self::Tiled(cut) => cut.extent(sums.product()),
            Self::Split => {
                let lanes = SPLIT.constant("LANES");
                [sums.rows.div_ceil(4) * lanes, columns.div_ceil(4), 1]
            }
            Self::Broadcast | Self::Direct => [columns, sums.rows, 1],
        }
    }
}

impl Candidate for Algorithm {
    fn name(&self) -> String {
        match self {
            Self::Tiled(cut) => return format!("tiled {}", cut.name()),
            Self::Split => "split",
            Self::Broadcast => "broadcast",
            Self::Direct => "direct",
        }
        .to_owned()
    }

    fn shaders(&self) -> Vec<&'static Shader> {
        match self {
            Self::Tiled(_) => vec![
                &TILED_FORWARD,
                &TILED_BACKWARD_INPUT,
                &TILED_BACKWARD_WEIGHT,
            ],
            Self::Split => vec![&SPLIT],
            Self::Broadcast => vec![&BROADCAST],
            Self::Direct => vec![&DIRECT],
        }
    }
}
