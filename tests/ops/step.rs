//! The counting of steps and micro-batches.

use spinalnet::optim::{advance, advance_within};
use spinalnet::plan::{Mode, Parameters, Tape};

use crate::common::Bench;

pub fn steps_and_micro_batches_are_counted(bench: &Bench) {
    let mut tape = Tape::new("micro-batch", &Parameters::default(), Mode::Train);
    let step = tape.step();
    advance_within(&mut tape, 3);
    for open in bench.open(&tape.finish()) {
        open.write(step, &[7, 5, 9, 4]);
        open.run();
        assert_eq!(open.read::<u32>(step), [7, 5, 9, 7]);
    }
    let mut tape = Tape::new("step", &Parameters::default(), Mode::Train);
    let step = tape.step();
    advance(&mut tape);
    for open in bench.open(&tape.finish()) {
        open.write(step, &[7, 5, 9, 4]);
        open.run();
        assert_eq!(open.read::<u32>(step), [7, 6, 10, 0]);
    }
}
