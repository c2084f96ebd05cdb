//! Dropout and Dropout2d: while training, zero a random part and scale the rest up.

use super::Layer;
use crate::plan::{Kernel, Mode, Shader, Tape, Tensor};

static DROPOUT: Shader = crate::shader!("dropout");

/// What is dropped as one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Granularity {
    /// Single elements: PyTorch's `Dropout`.
    Element,
    /// Whole channels of an image: PyTorch's `Dropout2d`.
    Channel,
}

/// Drops with probability p and scales what is kept by 1 / (1 - p). Nothing happens in evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    probability: f64,
    granularity: Granularity,
}

impl Dropout {
    /// Panics unless 0 <= probability < 1.
    pub fn new(probability: f64, granularity: Granularity) -> Self {
        assert!(
            (0.0..1.0).contains(&probability),
            "dropout probability {probability} is not in [0, 1)"
        );
        Self {
            probability,
            granularity,
        }
    }

    /// The mask of this use of the layer, drawn from a stream of its own.
    pub(super) fn mask(&self, tape: &mut Tape) -> Mask {
        let drops = tape.mode() == Mode::Train && self.probability > 0.0;
        Mask {
            probability: if drops { self.probability } else { 0.0 },
            stream: if drops { tape.random_stream() } else { 0 },
        }
    }
}

/// Which elements are dropped: a function of the state of training and of this.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask {
    probability: f64,
    stream: u32,
}

impl Mask {
    /// The overrides of `dropout.wgsl`, and of what drops on the way.
    pub(super) fn constants(self) -> [(&'static str, f64); 3] {
        [
            ("THRESHOLD", (self.probability * 4_294_967_296.0).floor()),
            ("SCALE", 1.0 / (1.0 - self.probability)),
            ("LAYER", self.stream.into()),
        ]
    }
}

impl Layer for Dropout {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        if tape.mode() == Mode::Evaluate || self.probability == 0.0 {
            return x;
        }
        let channels = *x
            .shape()
            .sizes()
            .last()
            .expect("a tensor has a last dimension");
        let [threshold, scale, layer] = self.mask(tape).constants();
        let constants = [
            ("ELEMENTS", x.elements().into()),
            ("CHANNELS", channels.into()),
            ("ROW", x.columns().into()),
            (
                "WHOLE_CHANNELS",
                f64::from(u8::from(self.granularity == Granularity::Channel)),
            ),
            threshold,
            scale,
            layer,
        ];
        let step = tape.step();
        let y = tape.tensor("y", x.shape());
        tape.dispatch(Kernel {
            shader: &DROPOUT,
            entry: "forward",
            constants: &constants,
            bindings: &[("x", x), ("step", step), ("y", y)],
            extent: [x.elements(), 1, 1],
            multiplications: 0,
        });
        tape.on_backward(y, move |tape| {
            let dy = tape.gradient(y);
            let Some(dx) = tape.gradient_of(x) else {
                return;
            };
            let mut constants = constants.to_vec();
            constants.push(dx.constant());
            tape.dispatch(Kernel {
                shader: &DROPOUT,
                entry: "backward",
                constants: &constants,
                bindings: &[("dy", dy), ("step", step), ("dx", dx.tensor)],
                extent: [x.elements(), 1, 1],
                multiplications: 0,
            });
        });
        y
    }
}
