//! Max pooling over rectangular windows.

use super::{Activation, Layer};
use crate::plan::{Kernel, Shader, Tape, Tensor};

static MAX_POOL2D: Shader = crate::shader!("max_pool2d");

/// The maximum of each window; windows that do not fit are left out, as in PyTorch.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool2d {
    /// Height and width of a window.
    pub window: [u32; 2],
    /// Rows and columns from one window to the next.
    pub stride: [u32; 2],
    /// Rows above and below the image and columns on both sides of it that win no window: at most half of a window.
    pub padding: [u32; 2],
}

impl MaxPool2d {
    /// Square windows side by side.
    pub fn square(size: u32) -> Self {
        Self::side_by_side([size; 2])
    }

    /// Windows side by side, without padding.
    pub fn side_by_side(window: [u32; 2]) -> Self {
        Self {
            window,
            stride: window,
            padding: [0; 2],
        }
    }

    /// Rows of y (axis 0) or columns (axis 1) on images of `size` rows or columns; `None` if no window fits.
    pub fn out_size(&self, axis: usize, size: u32) -> Option<u32> {
        let padded = size + 2 * self.padding[axis];
        let room = padded.checked_sub(self.window[axis])?;
        Some(room / self.stride[axis] + 1)
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
        let [padding_h, padding_w] = self.padding;
        let out = |axis: usize, size: u32| {
            let valid = self.window[axis] > 0
                && self.stride[axis] > 0
                && self.padding[axis] <= self.window[axis] / 2;
            let size = valid.then(|| self.out_size(axis, size)).flatten();
            size.unwrap_or_else(|| panic!("{self:?} does not fit an image of {height} x {width}"))
        };
        let (out_height, out_width) = (out(0, height), out(1, width));
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
            ("PADDING_H", padding_h.into()),
            ("PADDING_W", padding_w.into()),
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
