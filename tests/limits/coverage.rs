//! Which workgroups of a dispatched grid take which place of the grid it stands for, as `shaders/lib/index.wgsl` has it.

use spinalnet::plan::{Dispatch, Plan, Unfolding};

/// The dispatches of a plan with the grids they stand for: those of the same plan where grids have no end. Where that chooses
/// other kernels, only those that are the same.
pub fn grids_asked<'a>(
    plan: &'a Plan,
    endless: &'a Plan,
) -> impl Iterator<Item = (&'a Dispatch, [u32; 3])> {
    let pairs = plan.dispatches.iter().zip(&endless.dispatches);
    pairs
        .filter(|(dispatch, endless)| {
            dispatch.kernel() == endless.kernel()
                && dispatch.layer == endless.layer
                && own_constants(dispatch) == own_constants(endless)
        })
        .map(|(dispatch, endless)| (dispatch, endless.grid))
}

/// The overrides that the layer gave.
fn own_constants(dispatch: &Dispatch) -> Vec<(&'static str, f64)> {
    let constants = dispatch.constants.iter().copied();
    constants
        .filter(|(name, _)| !["GRID_X", "GRID_Y", "GRID_Z"].contains(name))
        .collect()
}

/// The place of a workgroup, or `None` where it returns at once or lies behind the end.
fn place(dispatch: &Dispatch, workgroup: [u32; 3], asked: [u32; 3]) -> Option<[u32; 3]> {
    let [x, y, z] = workgroup;
    let [width, height, _] = dispatch.grid;
    let flat = (z * height + y) * width + x;
    let unfolding = dispatch.shader.entry_point(dispatch.entry).unfolding;
    let size = |name: &str| {
        let mut constants = dispatch.constants.iter();
        let found = constants.find(|(constant, _)| *constant == name);
        found.map_or(0, |(_, size)| *size as u32)
    };
    let place = match unfolding {
        Unfolding::Flat if asked[1..] == [1, 1] => [flat, 0, 0],
        Unfolding::Grid if size("GRID_X") > 0 => {
            let (width, height) = (size("GRID_X"), size("GRID_Y"));
            let place = [flat % width, flat / width % height, flat / (width * height)];
            if place[2] >= size("GRID_Z") {
                return None;
            }
            place
        }
        _ => workgroup,
    };
    let inside = place.iter().zip(asked).all(|(&place, size)| place < size);
    // Behind a folded line, elements beyond the extent are the kernel's to leave out; no grid has them anywhere else.
    let may_be_behind = unfolding == Unfolding::Flat && dispatch.grid != asked;
    assert!(
        inside || may_be_behind,
        "{}: workgroup {workgroup:?} of {:?} takes {place:?} of {asked:?}",
        dispatch.kernel(),
        dispatch.grid
    );
    inside.then_some(place)
}

/// Asserts that every place of the grid asked for is taken by exactly one workgroup.
pub fn assert_covers_once(dispatch: &Dispatch, asked: [u32; 3]) {
    let [width, height, layers] = asked.map(|size| size as usize);
    let mut taken = vec![false; width * height * layers];
    let [x_end, y_end, z_end] = dispatch.grid;
    for z in 0..z_end {
        for y in 0..y_end {
            for x in 0..x_end {
                if let Some(place) = place(dispatch, [x, y, z], asked) {
                    let [x, y, z] = place.map(|place| place as usize);
                    let taken = &mut taken[(z * height + y) * width + x];
                    assert!(!*taken, "{}: {place:?} twice", dispatch.kernel());
                    *taken = true;
                }
            }
        }
    }
    let missing = taken.iter().filter(|taken| !**taken).count();
    assert_eq!(
        missing,
        0,
        "{}: places of {asked:?} that {:?} leaves out",
        dispatch.kernel(),
        dispatch.grid
    );
}
