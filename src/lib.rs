//! SpinalNet (arXiv 2007.03347) trained with hand-written WGSL compute shaders.
//!
//! Layers record a whole training step once; the device replays it. Three nouns carry everything: a [`plan::Tape`]
//! records, a [`plan::Plan`] is the recording as data, a [`gpu::Executable`] is a plan on a device.

pub mod batch;
pub mod bench;
pub mod checkpoint;
pub mod cli;
pub mod convert;
pub mod data;
pub mod environment;
pub mod error;
pub mod experiment;
mod file;
pub mod gpu;
mod host_memory;
pub mod layers;
pub mod loss;
pub mod models;
pub mod optim;
pub mod plan;
pub mod predict;
pub mod pretrained;
pub mod preview;
pub mod recipe;
pub mod report;
pub mod reproduce;
pub mod resume;
pub mod steps;
pub mod train;
pub mod tune;
pub mod universal;
