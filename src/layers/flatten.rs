//! Flattening images into rows of features, in PyTorch's channel, height, width order.

use super::Layer;
use crate::plan::{Kernel, Shader, Tape, Tensor};

static FLATTEN: Shader = crate::shader!("flatten");

/// `[N, H, W, C]` to `[N, C*H*W]`: what `torch.flatten(x, 1)` gives, so that the halves of a spinal head are the paper's.
pub struct Flatten;

impl Layer for Flatten {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let [batch, height, width, channels] = x.image_sizes();
        if height * width == 1 || channels == 1 {
            return x.reshape([batch, height * width * channels]);
        }
        let y = tape.tensor("y", [batch, height * width * channels]);
        let constants = [
            ("BATCH", batch.into()),
            ("PIXELS", (height * width).into()),
            ("CHANNELS", channels.into()),
        ];
        tape.dispatch(Kernel {
            shader: &FLATTEN,
            entry: "forward",
            constants: &constants,
            bindings: &[("x", x), ("y", y)],
            extent: [x.elements(), 1, 1],
            multiplications: 0,
        });
        tape.on_backward(y, move |tape| {
            let dy = tape.gradient(y);
            let Some(dx) = tape.gradient_of(x) else {
                return;
            };
            let [batch, pixels, channels] = constants;
            tape.dispatch(Kernel {
                shader: &FLATTEN,
                entry: "backward",
                constants: &[batch, pixels, channels, dx.constant()],
                bindings: &[("dy", dy), ("dx", dx.tensor)],
                extent: [x.elements(), 1, 1],
                multiplications: 0,
            });
        });
        y
    }
}

/// `[N, H, W, C]` to `[N, H*W*C]`, cell by cell: so that slice l of a spinal head over 2 x 2 cells is the channels of cell l.
pub struct ChannelsLastFlatten;

impl Layer for ChannelsLastFlatten {
    fn forward(&self, _tape: &mut Tape, x: Tensor) -> Tensor {
        x.reshape([x.rows(), x.columns()])
    }
}
