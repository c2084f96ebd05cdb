//! Matrix products on graphics processors: the tiles that `shaders/lib/tile.wgsl` takes, and which of them suit a product.

use super::processor::H100;
use crate::plan::Limits;

/// Elements of all partial sums together: 64 MiB, half of what every adapter binds, unless an adapter binds less.
const MAX_PARTIAL_ELEMENTS: u32 = 1 << 24;

/// Tiles for which the second best number of chunks is worth measuring, too.
const SECONDS: usize = 3;

/// Chunks that a sum is cut into at most.
const MAX_CHUNKS: u32 = 256;

/// What a workgroup makes of a product, and each of its invocations of that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tile {
    /// Rows of the product that a workgroup makes.
    rows: u32,
    /// Its columns.
    columns: u32,
    /// Rows of them that an invocation keeps in registers.
    block_rows: u32,
    /// Its columns.
    block_columns: u32,
}

/// A tile whose invocations, at most 256, each bring one share of a step, or two.
const fn tile([rows, columns]: [u32; 2], [block_rows, block_columns]: [u32; 2]) -> Tile {
    let invocations = rows / block_rows * (columns / block_columns);
    assert!(rows + columns <= 2 * invocations && invocations <= 256);
    Tile {
        rows,
        columns,
        block_rows,
        block_columns,
    }
}

/// The tiles, largest first: the more registers an invocation has, the less often it reads workgroup memory.
const TILES: [Tile; 7] = [
    tile([128, 128], [8, 8]),
    tile([128, 64], [8, 8]),
    tile([128, 64], [8, 4]),
    tile([64, 64], [8, 8]),
    tile([64, 64], [8, 4]),
    tile([64, 32], [4, 4]),
    tile([32, 32], [4, 4]),
];

impl Tile {
    /// Invocations of a workgroup.
    fn invocations(self) -> u32 {
        self.rows * self.columns / (self.block_rows * self.block_columns)
    }

    /// Shares of a step that an invocation must bring.
    fn shares(self) -> u32 {
        (self.rows + self.columns).div_ceil(self.invocations())
    }

    /// The share of a processor's multiplications that does not wait for workgroup memory; see [`Cut::cycles`].
    fn efficiency(self) -> f64 {
        match self.block_rows * self.block_columns {
            64 => 0.8,
            32 => 0.7,
            _ => 0.4,
        }
    }
}

/// The sizes of a product: how many rows and columns, and how many steps of `TILE_DEPTH` summands each of its sums takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product {
    /// Rows of one product.
    pub(super) rows: u32,
    /// Columns of one product.
    pub(super) columns: u32,
    /// Steps of the longest sum.
    pub(super) steps: u32,
    /// Products of this size that one dispatch makes.
    pub(super) count: u32,
    /// Shares of a step that an invocation of the kernel can bring: 1 or 2.
    pub(super) shares: u32,
}

/// A way to make a product: its tile, and the chunks that its sums are cut into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cut {
    /// The tile of a workgroup.
    pub(super) tile: Tile,
    /// Partial sums, which `reduce_rows` adds up.
    pub(super) chunks: u32,
}

impl Cut {
    /// The overrides of `shaders/lib/tile.wgsl`.
    pub(super) fn constants(self) -> [(&'static str, f64); 4] {
        [
            ("TILE_ROWS", self.tile.rows.into()),
            ("TILE_COLUMNS", self.tile.columns.into()),
            ("BLOCK_ROWS", self.tile.block_rows.into()),
            ("BLOCK_COLUMNS", self.tile.block_columns.into()),
        ]
    }

    /// `128x64 by 8x4`, or `128x64 by 8x4 in 3` for three chunks.
    pub(super) fn name(self) -> String {
        let Tile {
            rows,
            columns,
            block_rows,
            block_columns,
        } = self.tile;
        let tile = format!("{rows}x{columns} by {block_rows}x{block_columns}");
        match self.chunks {
            1 => tile,
            chunks => format!("{tile} in {chunks}"),
        }
    }

    /// The extent of a kernel, which is counted in workgroups.
    pub(super) fn extent(self, product: Product) -> [u32; 3] {
        [
            product.rows.div_ceil(self.tile.rows),
            product.columns.div_ceil(self.tile.columns),
            product.count * self.chunks,
        ]
    }

    /// Clock cycles that the product takes on [`H100`]: the fullest processor makes its workgroups one step after the other, and
    /// waits for memory where it has too few of them.
    pub(super) fn cycles(self, product: Product) -> f64 {
        let workgroups: u64 = self
            .extent(product)
            .iter()
            .map(|&size| u64::from(size))
            .product();
        let on_fullest = workgroups.div_ceil(H100.processors.into());
        let at_once = H100.resident_invocations / self.tile.invocations();
        let rounds = on_fullest.div_ceil(at_once.into());
        let depth = 16.0;
        let steps = f64::from(product.steps.div_ceil(self.chunks));
        let step_work = f64::from(self.tile.rows * self.tile.columns) * depth
            / (H100.multiplications * self.tile.efficiency());
        let sums = steps * (on_fullest as f64 * step_work).max(rounds as f64 * H100.step_latency);
        let partial = f64::from(product.rows) * f64::from(product.columns) * f64::from(self.chunks);
        let reduction = if self.chunks == 1 {
            0.0
        } else {
            H100.dispatch + 8.0 * partial * f64::from(product.count) / H100.bytes
        };
        sums + reduction
    }
}

impl Product {
    /// The ways to make it that are worth measuring, the one that should be the fastest first: for each tile the best number
    /// of chunks, and for the best tiles the second best, too.
    pub(super) fn cuts(self, limits: &Limits) -> Vec<Cut> {
        self.cuts_into(limits, MAX_CHUNKS)
    }

    /// The same with whole sums.
    pub(super) fn whole_cuts(self, limits: &Limits) -> Vec<Cut> {
        self.cuts_into(limits, 1)
    }

    fn cuts_into(self, limits: &Limits, max_chunks: u32) -> Vec<Cut> {
        let most = u64::from(MAX_PARTIAL_ELEMENTS.min(limits.binding_elements()));
        let by_cycles = |cuts: &mut Vec<Cut>| {
            cuts.sort_by(|a, b| a.cycles(self).total_cmp(&b.cycles(self)));
        };
        let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
        for tile in TILES
            .into_iter()
            .filter(|tile| tile.shares() <= self.shares)
        {
            let powers = (0..=max_chunks.ilog2()).map(|power| 1 << power);
            let chunks = powers.filter_map(|wanted| self.whole_chunks(wanted, most));
            let mut cuts: Vec<Cut> = chunks.map(|chunks| Cut { tile, chunks }).collect();
            cuts.dedup();
            by_cycles(&mut cuts);
            firsts.extend(cuts.first());
            seconds.extend(cuts.get(1));
        }
        by_cycles(&mut seconds);
        firsts.extend(seconds.into_iter().take(SECONDS));
        by_cycles(&mut firsts);
        firsts
    }

    /// About so many chunks, of which none is empty, if the partial sums have no more than `most` elements.
    fn whole_chunks(self, wanted: u32, most: u64) -> Option<u32> {
        let chunks = self.steps.div_ceil(self.steps.div_ceil(wanted));
        let elements = [self.rows, self.columns, self.count, chunks];
        let elements: u64 = elements.iter().map(|&size| u64::from(size)).product();
        (chunks == 1 || elements <= most).then_some(chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::{Product, TILES};
    use crate::plan::Limits;

    fn product([rows, columns, steps]: [u32; 3]) -> Product {
        Product {
            rows,
            columns,
            steps,
            count: 1,
            shares: 2,
        }
    }

    #[test]
    fn every_tile_is_a_candidate_and_no_chunk_is_empty() {
        for sizes in [[1, 1, 1], [900, 256, 144], [10, 64, 4900], [78_400, 64, 36]] {
            let product = product(sizes);
            let cuts = product.cuts(&Limits::webgpu());
            for tile in TILES {
                assert!(
                    cuts.iter().any(|cut| cut.tile == tile),
                    "{sizes:?}: {tile:?}"
                );
            }
            for cut in cuts {
                let chunk = product.steps.div_ceil(cut.chunks);
                assert!(
                    (cut.chunks - 1) * chunk < product.steps,
                    "{sizes:?}: {cut:?}"
                );
            }
        }
    }

    #[test]
    fn few_rows_with_long_sums_are_cut_and_many_rows_are_not() {
        assert!(product([900, 256, 144]).cuts(&Limits::webgpu())[0].chunks > 1);
        assert!(product([10, 64, 4900]).cuts(&Limits::webgpu())[0].chunks > 1);
        assert_eq!(
            product([78_400, 64, 36]).cuts(&Limits::webgpu())[0].chunks,
            1
        );
        let whole = product([900, 256, 144]).whole_cuts(&Limits::webgpu());
        assert!(whole.iter().all(|cut| cut.chunks == 1));
    }
}
