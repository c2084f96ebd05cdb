//! The program as a user meets it, a hostile one included: exit codes, one line of error and one of hint, nothing left
//! behind half-written, and the files and JSON that others script against.

#[allow(dead_code, reason = "the tests of fetching use all of it")]
#[path = "common/server.rs"]
mod server;

mod cli {
    pub mod augmentation;
    pub mod bench;
    pub mod data;
    pub mod datasets;
    pub mod hostile;
    pub mod inspection;
    pub mod kernels;
    #[cfg(target_os = "linux")]
    pub mod memory;
    pub mod micro_batches;
    pub mod pictures;
    pub mod real_weights;
    pub mod refusals;
    pub mod reproduce;
    #[cfg(unix)]
    pub mod resume;
    pub mod run_folder;
    pub mod scoring;
    pub mod spinal;
    #[cfg(unix)]
    pub mod streams;
    pub mod svg;
    pub mod transfer;
    pub mod weights;
}
