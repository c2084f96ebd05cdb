//! What a training run leaves behind: its folder, metrics, learning curves, and the text a person reads.

pub(crate) mod atomic_file;
mod axis;
pub mod curves;
pub mod history;
pub mod labelled_sheet;
pub(crate) mod limits;
pub mod measure;
pub mod metrics;
pub(crate) mod number;
pub mod paper;
pub mod progress;
pub mod run_folder;
pub mod runs;
pub mod statistics;
pub mod summary;
