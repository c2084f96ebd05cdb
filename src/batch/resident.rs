//! A data set that lies on the device, as the kernels that make a batch of it bind it.

use crate::plan::Tensor;

/// The samples that a step takes.
#[derive(Clone, Copy)]
pub(super) struct Selection {
    /// How many.
    pub batch: u32,
    /// How many every step of the epoch but the last takes.
    pub full_batch: u32,
    /// The order in which they are read.
    pub order: Tensor,
}

/// A data set of images.
pub(super) struct Images {
    /// Which of them are read.
    pub selection: Selection,
    /// Height, width and channels of a stored image.
    pub size: [u32; 3],
    /// All images, or if they were staged those of the batch in its order.
    pub images: Tensor,
    /// Whether they were.
    pub staged: bool,
    /// Bytes from one image to the next.
    pub stride: u32,
    /// The class of every image.
    pub labels: Tensor,
    /// Scale and shift of each channel.
    pub normalisation: Tensor,
}

/// A data set of rows of numbers with classes.
pub(super) struct Features {
    /// Which of them are read.
    pub selection: Selection,
    /// Numbers given: `[count, features]`.
    pub inputs: Tensor,
    /// The class of every row.
    pub labels: Tensor,
}

/// A data set of rows of numbers.
pub(super) struct Rows {
    /// Which of them are read.
    pub selection: Selection,
    /// Numbers given: `[count, features]`.
    pub inputs: Tensor,
    /// Numbers to predict: `[count, targets]`.
    pub targets: Tensor,
}
