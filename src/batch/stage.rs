//! Bringing the images of a batch together, where the data set is larger than what an adapter binds at once, or holds.

use super::resident::Selection;
use crate::plan::{ALIGNMENT, Kernel, Shader, Tape, Tensor};

static STAGE: Shader = crate::shader!("stage");

/// A data set that is read in windows of whole images.
pub(super) struct Stage {
    /// Images that lie on the device.
    pub resident: u32,
    /// Whether they are only the next of the pass, in its order.
    pub streamed: bool,
    /// Bytes of an image.
    pub size: u32,
    /// Bytes of a window, at most.
    pub window_bytes: u64,
}

impl Stage {
    /// Whether the data set does not fit one window, or not the device.
    pub fn is_needed(&self) -> bool {
        self.streamed || u64::from(self.resident) * u64::from(self.size) > self.window_bytes
    }

    /// Words of an image that begins with a word.
    pub fn row_words(&self) -> u32 {
        self.size.div_ceil(4)
    }

    /// Records the staging of a batch of images: `[N, row_words]`.
    pub fn record(&self, tape: &mut Tape, images: Tensor, selection: Selection) -> Tensor {
        let Selection { batch, order, .. } = selection;
        let staged = tape.input("staged", [batch, self.row_words()]);
        let step = tape.step();
        let window = self.images_of_a_window();
        for first in (0..self.resident).step_by(window as usize) {
            let count = window.min(self.resident - first);
            tape.dispatch(Kernel {
                shader: &STAGE,
                entry: "forward",
                constants: &[
                    ("BATCH", batch.into()),
                    ("FULL_BATCH", selection.full_batch.into()),
                    ("SIZE", self.size.into()),
                    ("CHUNK", self.resident.into()),
                    ("STREAMED", f64::from(u8::from(self.streamed))),
                    ("FIRST", first.into()),
                    ("WINDOW", count.into()),
                ],
                bindings: &[
                    ("step", step),
                    ("order", order),
                    ("images", images.range(self.word(first), self.words(count))),
                    ("staged", staged),
                ],
                extent: [staged.elements(), 1, 1],
                multiplications: 0,
            });
        }
        staged
    }

    /// As many whole images as fit, so that the next window begins where a binding may.
    fn images_of_a_window(&self) -> u32 {
        let alignment = 4 * ALIGNMENT;
        let step = (1..=alignment)
            .find(|count| (count * self.size).is_multiple_of(alignment))
            .expect("as many images as the alignment has bytes are aligned");
        let fitting = u32::try_from(self.window_bytes / u64::from(self.size)).unwrap_or(u32::MAX);
        (fitting / step * step).max(step)
    }

    /// The word that an image which begins a window starts at.
    fn word(&self, image: u32) -> u32 {
        (u64::from(image) * u64::from(self.size) / 4) as u32
    }

    fn words(&self, images: u32) -> u32 {
        (u64::from(images) * u64::from(self.size)).div_ceil(4) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::Stage;

    fn stage(size: u32, window_bytes: u64) -> Stage {
        Stage {
            resident: 50_000,
            streamed: false,
            size,
            window_bytes,
        }
    }

    #[test]
    fn windows_are_whole_images_and_begin_at_an_aligned_byte() {
        for (size, window_bytes) in [(3072, 128 << 20), (784, 1 << 20), (75, 100_000), (1, 256)] {
            let window = stage(size, window_bytes).images_of_a_window();
            assert!((window * size).is_multiple_of(256), "{size}");
            assert!(u64::from(window * size) <= window_bytes, "{size}");
        }
    }

    /// CIFAR: 153.6 MB do not fit 128 MiB, 60,000 images of MNIST do.
    #[test]
    fn only_large_sets_are_staged() {
        assert!(stage(3072, 128 << 20).is_needed());
        assert!(!stage(784, 128 << 20).is_needed());
        let streamed = Stage {
            streamed: true,
            ..stage(784, 128 << 20)
        };
        assert!(streamed.is_needed());
    }
}
