//! Measuring: whole steps, single operations, and PyTorch beside them.

pub mod ceilings;
pub mod conditions;
pub mod gemm;
mod noise;
pub mod peers;
pub mod row;
pub mod step;
pub mod subject;
pub mod table;
pub mod timing;
mod trial;
