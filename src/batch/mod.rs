//! From a data set that lies on the device to a batch: the samples of a step, read in the order of this epoch, images
//! augmented on their way.

mod augment;
mod draw;
mod gather;
mod resident;
mod sample;
mod source;
mod stage;

pub use gather::Batch;
pub use sample::Sample;
pub use source::{Part, Source};
