//! Cutting a batch into pieces that fit uniform bindings.

use super::parameters::ALIGNMENT;

/// Elements of a uniform binding: 64 KiB, which every adapter takes.
pub const UNIFORM_ELEMENTS: u32 = 16_384;

/// Tensors of one batch, of which a dispatch takes some rows.
pub struct RowCut<'a> {
    /// Rows of the batch.
    pub rows: u32,
    /// Columns of the tensors that are bound as uniform buffers.
    pub uniform: &'a [u32],
    /// Columns of the tensors that are bound as storage buffers.
    pub storage: &'a [u32],
    /// A piece that is not the whole batch is a multiple of this many rows.
    pub step: u32,
}

impl RowCut<'_> {
    /// Rows `(start, count)` of each dispatch: as many at once as fit the uniform bindings and begin at the alignment of
    /// bindings. `None` if not even `step` rows do.
    pub fn ranges(&self) -> Option<Vec<(u32, u32)>> {
        let rows = self.rows_at_once()?;
        let starts = (0..self.rows).step_by(rows as usize);
        Some(
            starts
                .map(|start| (start, rows.min(self.rows - start)))
                .collect(),
        )
    }

    fn rows_at_once(&self) -> Option<u32> {
        let fits = |rows: u32| {
            self.uniform
                .iter()
                .all(|columns| rows * columns <= UNIFORM_ELEMENTS)
        };
        let aligned = |rows: u32| {
            let mut columns = self.uniform.iter().chain(self.storage);
            columns.all(|columns| (rows * columns).is_multiple_of(ALIGNMENT))
        };
        let pieces = (1..=self.rows / self.step)
            .rev()
            .map(|count| count * self.step);
        let whole = std::iter::once(self.rows).filter(|&rows| fits(rows));
        whole
            .chain(pieces.filter(|&rows| fits(rows) && aligned(rows)))
            .next()
    }
}

#[cfg(test)]
mod tests {
    use super::RowCut;

    #[test]
    fn a_batch_that_fits_is_not_cut() {
        let cut = RowCut {
            rows: 11,
            uniform: &[784],
            storage: &[7],
            step: 8,
        };
        assert_eq!(cut.ranges(), Some(vec![(0, 11)]));
    }

    #[test]
    fn pieces_fit_and_are_aligned() {
        let cut = RowCut {
            rows: 70,
            uniform: &[300],
            storage: &[8],
            step: 8,
        };
        assert_eq!(cut.ranges(), Some(vec![(0, 48), (48, 22)]));
    }

    #[test]
    fn rows_that_are_too_long_do_not_fit() {
        let cut = RowCut {
            rows: 8,
            uniform: &[3000],
            storage: &[],
            step: 8,
        };
        assert_eq!(cut.ranges(), None);
    }
}
