//! Residual blocks.

use super::{Activation, Add, Layer, Sequential};
use crate::plan::{Tape, Tensor};

/// phi(main(x) + shortcut(x)).
pub struct Residual {
    /// What is learned beside the shortcut.
    pub main: Sequential,
    /// The way round it; empty for x itself.
    pub shortcut: Sequential,
    /// The activation of the sum.
    pub activation: Activation,
}

impl Layer for Residual {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let main = self.main.forward(tape, x);
        let shortcut = tape.scope("shortcut", |tape| self.shortcut.forward(tape, x));
        let sum = tape.scope("sum", |tape| Add.forward(tape, main, shortcut));
        self.activation.forward(tape, sum)
    }
}
