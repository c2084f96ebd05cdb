// Where a workgroup and its invocations are. A grid that is longer than the adapter takes along a dimension is dispatched
// folded, with some workgroups behind its end.

// The index of an invocation of a one-dimensional extent: all three dimensions of the dispatched grid count.
fn flat_index(workgroup_id: vec3<u32>, workgroups: vec3<u32>, local_index: u32, workgroup_size: u32) -> u32 {
    let workgroup = (workgroup_id.z * workgroups.y + workgroup_id.y) * workgroups.x + workgroup_id.x;
    return workgroup * workgroup_size + local_index;
}

// The grid that a folded dispatch stands for; 0 where the grid is dispatched as it is.
override GRID_X: u32 = 0u;
override GRID_Y: u32 = 0u;
override GRID_Z: u32 = 0u;

// The place of a workgroup in its grid of up to three dimensions.
fn unfold(workgroup_id: vec3<u32>, workgroups: vec3<u32>) -> vec3<u32> {
    if GRID_X == 0u {
        return workgroup_id;
    }
    let workgroup = flat_index(workgroup_id, workgroups, 0u, 1u);
    let width = max(GRID_X, 1u);
    let height = max(GRID_Y, 1u);
    return vec3<u32>(workgroup % width, workgroup / width % height, workgroup / (width * height));
}

fn is_behind_grid(place: vec3<u32>) -> bool {
    return GRID_X > 0u && place.z >= GRID_Z;
}
