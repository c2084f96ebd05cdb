//! Max pooling over rectangular windows.

use super::{Activation, Layer};
use crate::plan::{Kernel, Shader, Tape, Tensor};

static MAX_POOL2D: Shader = crate::shader!("max_pool2d");

/// The maximum of each window, without padding; windows that do not fit are left out, as in PyTorch.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool2d {
    /// Height and width of a window.
    pub window: [u32; 2],
    /// Rows and columns from one window to the next.
    pub stride: [u32; 2],
}

impl MaxPool2d {
    /// Square windows side by side.
    pub fn square(size: u32) -> Self {
        Self {
            window: [size; 2],
            stride: [size; 2],
        }
    }
}

impl Layer for MaxPool2d {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        self.forward_activated(tape, x, Activation::Identity)
    }
}

impl MaxPool2d {
    /// phi(max_pool(x)) in one dispatch, and in one on the way back.
    pub(super) fn forward_activated(
        &self,
        tape: &mut Tape,
        x: Tensor,
        activation: Activation,
    ) -> Tensor {
        let [batch, height, width, channels] = x.image_sizes();
        let ([window_h, window_w], [stride_h, stride_w]) = (self.window, self.stride);
        assert!(
            (1..=height).contains(&window_h)
                && (1..=width).contains(&window_w)
                && stride_h > 0
                && stride_w > 0,
            "{self:?} does not fit an image of {height} x {width}"
        );
        let out_height = (height - window_h) / stride_h + 1;
        let out_width = (width - window_w) / stride_w + 1;
        let constants = [
            ("BATCH", batch.into()),
            ("HEIGHT", height.into()),
            ("WIDTH", width.into()),
            ("CHANNELS", channels.into()),
            ("OUT_HEIGHT", out_height.into()),
            ("OUT_WIDTH", out_width.into()),
            ("WINDOW_H", window_h.into()),
            ("WINDOW_W", window_w.into()),
            ("STRIDE_H", stride_h.into()),
            ("STRIDE_W", stride_w.into()),
            activation.constant(),
        ];
        let y = tape.tensor("y", [batch, out_height, out_width, channels]);
        let winner = tape.tensor("winner", y.shape());
        tape.dispatch(Kernel {
            shader: &MAX_POOL2D,
            entry: "forward",
            constants: &constants,
            bindings: &[("x", x), ("y", y), ("winner", winner)],
            extent: [y.elements(), 1, 1],
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
                shader: &MAX_POOL2D,
                entry: "backward",
                constants: &constants,
                bindings: &[
                    ("dy", dy),
                    ("winners", winner),
                    ("output", y),
                    ("dx", dx.tensor),
                ],
                extent: [x.elements(), 1, 1],
                multiplications: 0,
            });
        });
        y
    }
}
