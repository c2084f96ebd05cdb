//! Adaptive average pooling.

use super::Layer;
use crate::plan::{Kernel, Shader, Tape, Tensor};

static AVG_POOL2D: Shader = crate::shader!("avg_pool2d");

/// The means of windows that cover the image: PyTorch's `AdaptiveAvgPool2d`. An output of 1 x 1 is the mean of all.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool2d {
    /// Height and width of y.
    pub out: [u32; 2],
}

impl AvgPool2d {
    /// The mean of each channel over the whole image.
    pub fn global() -> Self {
        Self { out: [1, 1] }
    }
}

impl Layer for AvgPool2d {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let [batch, height, width, channels] = x.image_sizes();
        let [out_height, out_width] = self.out;
        assert!(out_height > 0 && out_width > 0, "{self:?} has no windows");
        let constants = [
            ("BATCH", batch.into()),
            ("HEIGHT", height.into()),
            ("WIDTH", width.into()),
            ("CHANNELS", channels.into()),
            ("OUT_HEIGHT", out_height.into()),
            ("OUT_WIDTH", out_width.into()),
        ];
        let y = tape.tensor("y", [batch, out_height, out_width, channels]);
        tape.dispatch(Kernel {
            shader: &AVG_POOL2D,
            entry: "forward",
            constants: &constants,
            bindings: &[("x", x), ("y", y)],
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
                shader: &AVG_POOL2D,
                entry: "backward",
                constants: &constants,
                bindings: &[("dy", dy), ("dx", dx.tensor)],
                extent: [x.elements(), 1, 1],
                multiplications: 0,
            });
        });
        y
    }
}
