//! Matrix products by broadcasts, for adapters that run shaders on the CPU: the blocks that `shaders/lib/block.wgsl` takes.

use crate::plan::Shader;

/// Multiplications of a dispatch from which on a large block is worth its compilation, which takes three times as long: it must
/// save that much within a thousand steps.
const MANY_MULTIPLICATIONS: f64 = 33e6;

/// What a workgroup makes of a product: one tile or two high, one or two wide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Block {
    tall: bool,
    wide: bool,
}

impl Block {
    /// One tile.
    pub(super) const TILE: Self = Self {
        tall: false,
        wide: false,
    };

    /// The block for products of so many rows and columns, and `multiplications` in all: a large one, unless too much of it lies
    /// behind the end or the products are small.
    ///
    /// Measured on Mesa 22.3.6 (`assets/results/speed/lavapipe/attempts.md`): two tiles at once take some seven eighths of the
    /// time of one after the other where the second is below, eight ninths where it is to the right.
    pub(super) fn of(shader: &Shader, rows: u32, columns: u32, multiplications: f64) -> Self {
        let tile = [shader.constant("ROWS"), shader.constant("COLUMNS")];
        let is_worth = |size: u32, tile: u32, [time, times]: [u32; 2]| {
            multiplications >= MANY_MULTIPLICATIONS
                && time * size.next_multiple_of(2 * tile) <= times * size.next_multiple_of(tile)
        };
        Self {
            tall: is_worth(rows, tile[0], [7, 8]),
            wide: is_worth(columns, tile[1], [8, 9]),
        }
    }

    /// The overrides of `shaders/lib/block.wgsl`.
    pub(super) fn constants(self) -> [(&'static str, f64); 2] {
        [
            ("TALL", u32::from(self.tall).into()),
            ("WIDE", u32::from(self.wide).into()),
        ]
    }

    /// The extent of `count` products: of columns, of rows, and the products.
    pub(super) fn extent(self, shader: &Shader, [rows, columns]: [u32; 2], count: u32) -> [u32; 3] {
        let lanes = shader.constant("LANES");
        [
            columns.div_ceil(self.columns(shader)) * lanes,
            rows.div_ceil(self.rows(shader)),
            count,
        ]
    }

    /// Rows that a workgroup makes.
    pub(super) fn rows(self, shader: &Shader) -> u32 {
        shader.constant("ROWS") << u32::from(self.tall)
    }

    /// Columns that a workgroup makes.
    fn columns(self, shader: &Shader) -> u32 {
        shader.constant("COLUMNS") << u32::from(self.wide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static PRODUCT: Shader = crate::shader!("conv2d/winograd_product");

    #[test]
    fn large_products_take_large_blocks_where_little_of_them_is_behind_the_end() {
        let of = |rows, columns, multiplications| {
            let Block { tall, wide } = Block::of(&PRODUCT, rows, columns, multiplications);
            (tall, wide)
        };
        assert_eq!(of(1025, 324, 1e9), (true, true));
        assert_eq!(of(1025, 36, 1e9), (true, true));
        assert_eq!(of(1025, 32, 1e9), (true, false));
        assert_eq!(of(36, 228, 1e9), (false, true));
        assert_eq!(of(16, 96, 1e9), (false, false));
        assert_eq!(of(1025, 324, 1e6), (false, false));
    }

    #[test]
    fn blocks_cover_a_product() {
        let [tall, wide] = [true, true];
        let extent = Block { tall, wide }.extent(&PRODUCT, [33, 65], 7);
        assert_eq!(extent, [2 * 8, 2, 7]);
    }
}
