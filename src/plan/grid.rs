//! Grids of workgroups: how many cover an extent, and how a grid that is too long along a dimension is folded.

use super::reflection::{EntryPoint, Unfolding};

/// A grid as it is dispatched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Grid {
    /// Workgroups along x, y, z.
    pub(super) dispatched: [u32; 3],
    /// The grid that was asked for, where the entry point unfolds it by the overrides `GRID_X`, `GRID_Y`, `GRID_Z`.
    pub(super) asked: Option<[u32; 3]>,
}

/// Workgroups along x, y, z that cover an extent.
pub(super) fn covering(extent: [u32; 3], entry: &EntryPoint) -> [u32; 3] {
    [0, 1, 2].map(|axis| extent[axis].div_ceil(entry.workgroup_size[axis] * entry.tile[axis]))
}

impl Grid {
    /// The grid where no dimension may be longer than `limit`; `None` if the entry point cannot find its place in a folded one.
    ///
    /// A folded grid has the same number of workgroups, and a few more where that is not a product of three numbers within
    /// the limit. They have nothing to do.
    pub(super) fn new(asked: [u32; 3], limit: u32, unfolding: Unfolding) -> Option<Self> {
        if asked.iter().all(|&size| size <= limit) {
            return Some(Self {
                dispatched: asked,
                asked: None,
            });
        }
        let is_flat = asked[1] == 1 && asked[2] == 1;
        let unfolds = match unfolding {
            Unfolding::None => false,
            Unfolding::Flat => is_flat,
            Unfolding::Grid => true,
        };
        let workgroups: u128 = asked.iter().map(|&size| u128::from(size)).product();
        let dispatched = folded(u32::try_from(workgroups).ok()?, limit)?;
        unfolds.then_some(Self {
            dispatched,
            asked: (unfolding == Unfolding::Grid).then_some(asked),
        })
    }
}

/// As few layers of as few lines as hold `workgroups`.
fn folded(workgroups: u32, limit: u32) -> Option<[u32; 3]> {
    let lines = workgroups.div_ceil(limit);
    let layers = lines.div_ceil(limit);
    let lines = lines.div_ceil(layers);
    let line = workgroups.div_ceil(lines * layers);
    (layers <= limit).then_some([line, lines, layers])
}

#[cfg(test)]
mod tests {
    use super::{Grid, folded};
    use crate::plan::reflection::Unfolding;

    #[test]
    fn folded_grids_hold_all_workgroups_and_few_more() {
        for (workgroups, limit) in [
            (65_536, 65_535),
            (513, 512),
            (262_145, 512),
            (1 << 27, 512),
            (7, 2),
        ] {
            let grid = folded(workgroups, limit).expect("it fits");
            let held: u32 = grid.iter().product();
            assert!(
                grid.iter().all(|&size| (1..=limit).contains(&size)),
                "{grid:?}"
            );
            assert!(
                held >= workgroups && held - workgroups < grid[1] * grid[2],
                "{grid:?}"
            );
        }
        assert_eq!(folded(9, 2), None);
    }

    #[test]
    fn only_kernels_that_unfold_are_folded() {
        let grid = |asked, unfolding| Grid::new(asked, 4, unfolding).map(|grid| grid.asked);
        assert_eq!(grid([4, 4, 4], Unfolding::None), Some(None));
        assert_eq!(grid([5, 1, 1], Unfolding::None), None);
        assert_eq!(grid([5, 1, 1], Unfolding::Flat), Some(None));
        assert_eq!(grid([5, 2, 1], Unfolding::Flat), None);
        assert_eq!(grid([5, 2, 1], Unfolding::Grid), Some(Some([5, 2, 1])));
    }
}
