//! Measuring: whole steps, single operations, and PyTorch beside them.

pub mod conditions;
mod noise;
pub mod peers;
pub mod step;
pub mod subject;
pub mod table;
pub mod timing;
