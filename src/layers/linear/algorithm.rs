//! The kernels of the fully connected layer, what they cost, and how they cut the work.
//!
//! All files have the same entry points and bindings; only what a workgroup covers differs.

use crate::layers::block::Block;
use crate::layers::processor::{H100, of_cpu_kernel, on_cpu, register_cycles};
use crate::layers::tile::{Cut, Product};
use crate::plan::{Candidate, Limits, Offer, Shader};

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

/// The ways to make sums which may be cut into chunks.
pub(super) fn of_sums(limits: &Limits, sums: Sums) -> Vec<Offer<Algorithm>> {
    offers(limits, sums, sums.product().cuts(limits))
}

/// The ways to make sums which are written at once.
pub(super) fn of_whole_sums(limits: &Limits, sums: Sums) -> Vec<Offer<Algorithm>> {
    offers(limits, sums, sums.product().whole_cuts(limits))
}

fn offers(limits: &Limits, sums: Sums, cuts: Vec<Cut>) -> Vec<Offer<Algorithm>> {
    let others = [Algorithm::Split, Algorithm::Broadcast, Algorithm::Direct];
    let all = cuts.into_iter().map(Algorithm::Tiled).chain(others);
    all.map(|algorithm| Offer::new(algorithm, algorithm.cost(limits, sums)))
        .collect()
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

    /// Elements that are written, but for the bias.
    pub(super) fn products(self) -> u64 {
        u64::from(self.rows) * u64::from(self.columns)
    }

    fn multiplications(self) -> u64 {
        self.products() * u64::from(self.summands)
    }

    /// Clock cycles that [`Algorithm::Split`] takes on [`H100`], which has at most 16 of its workgroups at a time on each of its
    /// processors: it waits for every summand, or for the bytes of all of them.
    fn split_cycles(self) -> f64 {
        const RESIDENT: u32 = H100.processors * 16;
        const SUMMAND_LATENCY: f64 = 600.0;
        const TREE_LATENCY: f64 = 800.0;
        const BYTES: f64 = 2_500.0;
        let lanes = SPLIT.constant("LANES");
        let workgroups =
            u64::from(self.rows.div_ceil(4)) * u64::from(self.columns_with_bias().div_ceil(4));
        let summands = f64::from(self.summands.div_ceil(lanes));
        let rounds = workgroups.div_ceil(RESIDENT.into()) as f64;
        let waiting = rounds * (summands * SUMMAND_LATENCY + TREE_LATENCY);
        let bytes = workgroups as f64 * summands * f64::from(lanes * 8 * 4);
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

    fn cost(self, limits: &Limits, sums: Sums) -> f64 {
        let multiplications = sums.multiplications();
        let plain_cycles = register_cycles(multiplications, sums.summands);
        let on_cpu = |factor: f64| factor * multiplications as f64;
        match self {
            Self::Tiled(_) | Self::Split if limits.is_cpu => on_cpu(on_cpu::WORKGROUP_TILES),
            Self::Tiled(cut) => cut.cycles(sums.product()),
            Self::Split => sums.split_cycles(),
            Self::Broadcast => of_cpu_kernel(limits, on_cpu(on_cpu::BROADCAST), plain_cycles),
            Self::Direct if limits.is_cpu => on_cpu(on_cpu::REGISTERS),
            Self::Direct => plain_cycles,
        }
    }

    /// Whether it takes its sums in pieces, each added to what the one before has written.
    pub(super) fn takes_pieces(self) -> bool {
        !matches!(self, Self::Tiled(_))
    }

    /// The overrides that only this algorithm has.
    pub(super) fn constants(self) -> Vec<(&'static str, f64)> {
        match self {
            Self::Split | Self::Direct => Vec::new(),
            Self::Broadcast => Block::TILE.constants().to_vec(),
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
