// The index of an invocation of a one-dimensional extent. A long extent is dispatched as rows of workgroups.
fn flat_index(workgroup_id: vec3<u32>, workgroups: vec3<u32>, local_index: u32, workgroup_size: u32) -> u32 {
    return (workgroup_id.y * workgroups.x + workgroup_id.x) * workgroup_size + local_index;
}
