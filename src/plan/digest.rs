//! Plans as a number that tells them from others.

use sha2::Sha256;
use sha2::digest::Digest;

use super::Plan;
use crate::data::digest::hex;

/// The SHA-256 of what plans dispatch: shaders, constants and grids.
pub fn digest<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> String {
    let mut digest = Sha256::new();
    for dispatch in plans.into_iter().flat_map(|plan| &plan.dispatches) {
        let (constants, grid) = (&dispatch.constants, dispatch.grid);
        let text = format!("{} {constants:?} {grid:?}\n", dispatch.kernel());
        digest.update(dispatch.shader.source());
        digest.update(text);
    }
    hex(&digest.finalize())
}
