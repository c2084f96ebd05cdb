//! What a dispatch takes, counted here, against what the adapter takes.

use spinalnet::plan::{Access, Dispatch, Limits, Plan};

/// Asserts that every dispatch of a plan keeps the limits, or that the plan says that one does not.
pub fn assert_kept(plan: &Plan, limits: &Limits) {
    let broken = plan
        .dispatches
        .iter()
        .filter_map(|dispatch| Some((dispatch, broken_limit(dispatch, limits)?)));
    let broken: Vec<_> = broken.collect();
    match (&plan.excess, broken.first()) {
        (None, Some((dispatch, limit))) => {
            panic!(
                "{}: {} breaks {limit}, and the plan does not say so",
                plan.name,
                dispatch.kernel()
            )
        }
        (Some(excess), None) => panic!("{}: {excess}, but nothing is broken", plan.name),
        (Some(excess), Some((dispatch, _))) => {
            assert!(
                excess.place.ends_with(&dispatch.kernel()),
                "{excess} is not the first: {}",
                dispatch.kernel()
            );
        }
        (None, None) => {}
    }
}

/// The first limit that a dispatch breaks.
fn broken_limit(dispatch: &Dispatch, limits: &Limits) -> Option<&'static str> {
    let entry = dispatch.shader.entry_point(dispatch.entry);
    let resources = dispatch
        .shader
        .resources(dispatch.entry, &dispatch.constants);
    let stored = || {
        let bindings = dispatch.bindings.iter();
        bindings.filter(|binding| binding.access != Access::Uniform)
    };
    let within_subgroups =
        limits
            .subgroup_sizes
            .is_some_and(|[smallest, largest]| match entry.subgroup_size {
                Some(size) => smallest == size && largest == size,
                None => resources.workgroup_invocations <= smallest.into(),
            });
    let broken = [
        (
            resources.iterations > limits.loop_iterations.into(),
            "loop_iterations",
        ),
        (
            resources.workgroup_bytes > limits.workgroup_bytes,
            "workgroup_bytes",
        ),
        (
            resources.workgroup_invocations > limits.workgroup_invocations,
            "workgroup_invocations",
        ),
        (dispatch.grid.iter().any(|&size| size > limits.grid), "grid"),
        (
            stored().any(|binding| binding.bytes > limits.binding_bytes),
            "binding_bytes",
        ),
        (
            stored().count() > limits.storage_buffers as usize,
            "storage_buffers",
        ),
        (entry.uses_subgroups && !within_subgroups, "subgroup_sizes"),
        (entry.uses_int64 && !limits.int64, "int64"),
        (entry.uses_f16 && !limits.f16, "f16"),
        (
            entry.uses_matrix_units && !limits.matrix_units,
            "matrix_units",
        ),
    ];
    broken
        .into_iter()
        .find(|(is_broken, _)| *is_broken)
        .map(|(_, limit)| limit)
}
