//! In which modes of checks a trial runs, and how many cases are drawn. `SPINAL_TEST_CASES=full` asks for all of both.

use std::cell::Cell;
use std::env;

use spinalnet::gpu::Checks;

/// Every kind of checks that a user can train with.
pub const MODES: [Checks; 2] = [Checks::Checked, Checks::Trusted];

thread_local! {
    static TURN: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Whether everything is asked for, as in CI.
pub fn is_full() -> bool {
    env::var("SPINAL_TEST_CASES").is_ok_and(|cases| cases == "full")
}

/// Runs trials that take the modes by turns: this one the mode of its number, unless everything is asked for.
pub fn in_turn(turn: usize, trials: impl FnOnce()) {
    let before = TURN.replace(Some(turn));
    trials();
    TURN.set(before);
}

/// The modes of a trial: all, or the one whose turn it is.
pub fn modes() -> &'static [Checks] {
    match TURN.get() {
        Some(turn) if !is_full() => &MODES[turn % MODES.len()..][..1],
        _ => &MODES,
    }
}
