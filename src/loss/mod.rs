//! Losses: each records its value, its gradient and what is counted beside it.

mod cross_entropy;
mod mse;

pub use cross_entropy::cross_entropy;
pub use mse::mse;
