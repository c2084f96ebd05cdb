//! Measuring: whole steps, single operations, and PyTorch beside them.

pub mod ceilings;
mod check;
pub mod cold;
pub mod compare;
pub mod conditions;
pub mod gemm;
mod noise;
pub mod ops;
pub mod peers;
pub mod row;
pub mod spinal;
pub mod step;
pub mod subject;
pub mod sweep;
pub mod table;
pub mod timing;
pub mod trace;
mod trial;
