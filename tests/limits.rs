//! Plans of drawn nets for drawn limits, without an adapter: every dispatch keeps the limits and covers its grid exactly once,
//! and the plan's buffers are what is allocated.

mod common;

/// What is drawn, and what is asked of it.
mod limits {
    pub mod coverage;
    pub mod drawn;
    pub mod keeping;
    pub mod memory;
}

use std::cell::Cell;

use common::{AdapterClass, for_all};
use spinalnet::layers::{Activation, Layer};
use spinalnet::plan::{Limits, Mode, Parameters, Tape};

use limits::coverage::{assert_covers_once, grids_asked};
use limits::drawn::{Case, cases, listed};
use limits::keeping::assert_kept;
use limits::memory::assert_allocated;

/// Drawn cases of each test.
const DRAWN: u32 = 60;

#[test]
fn dispatches_keep_the_limits_they_are_recorded_for() {
    for_all(&listed(), DRAWN, cases(), |case| {
        for plan in case.plans() {
            assert_kept(&plan, &case.limits);
        }
    });
}

#[test]
fn small_nets_are_recorded_for_tight_limits() {
    for case in listed() {
        for plan in case.plans() {
            assert_eq!(plan.excess, None, "{case:?}");
        }
    }
}

/// The grid that a folded dispatch stands for is that of the same plan where grids have no end.
#[test]
fn every_place_of_a_grid_is_taken_exactly_once() {
    let folded = Cell::new(0);
    for_all(&listed(), DRAWN, cases(), |case| {
        for (plan, endless) in case.plans().iter().zip(case.with_grid(u32::MAX).plans()) {
            if plan.excess.is_some() {
                continue;
            }
            for (dispatch, asked) in grids_asked(plan, &endless) {
                folded.set(folded.get() + u32::from(dispatch.grid != asked));
                assert_covers_once(dispatch, asked);
            }
        }
    });
    assert!(folded.get() > 100, "{} were folded", folded.get());
}

/// The extent of a layer that is computed element by element is known: its output.
#[test]
fn grids_are_as_long_as_their_extent() {
    for elements in [1, 63, 64, 65, 65_537, 1_000_003] {
        for grid in [16, 64, 512, 65_535] {
            let limits = Limits {
                grid,
                ..Limits::webgpu()
            };
            let parameters = Parameters::default();
            let mut tape = Tape::new("plan", &parameters, Mode::Evaluate).with_kernels(limits);
            let x = tape.tensor("x", [1, elements]);
            Activation::Relu.forward(&mut tape, x);
            let plan = tape.finish();
            let [dispatch] = &plan.dispatches[..] else {
                panic!("ReLU is one dispatch")
            };
            let entry = dispatch.shader.entry_point(dispatch.entry);
            let resources = dispatch
                .shader
                .resources(dispatch.entry, &dispatch.constants);
            let of_workgroup = resources.workgroup_invocations * u64::from(entry.tile[0]);
            let workgroups = u64::from(elements).div_ceil(of_workgroup) as u32;
            assert_covers_once(dispatch, [workgroups, 1, 1]);
        }
    }
}

#[test]
fn buffers_are_what_is_allocated() {
    for_all(&listed(), DRAWN, cases(), |case| {
        assert_allocated(&case.plans());
    });
}

/// Nothing of a plan depends on limits that are far away.
#[test]
fn wider_limits_than_needed_change_nothing() {
    let case = |limits| Case {
        limits,
        ..listed().swap_remove(0)
    };
    let enough = AdapterClass::Gpu.limits();
    let endless = Limits {
        grid: u32::MAX,
        binding_bytes: u64::MAX,
        buffer_bytes: u64::MAX,
        ..enough.clone()
    };
    let text = |limits| -> Vec<String> {
        let plans = case(limits).plans();
        plans.iter().map(ToString::to_string).collect()
    };
    assert_eq!(text(enough), text(endless));
}
