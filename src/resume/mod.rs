//! Trainings that stop and go on, bit for bit as if they never had: what a run folder keeps for that, who may write there, and
//! what must not change.
//!
//! `checkpoint.safetensors` is one file with all that a training goes on from. It counts on two others: on `config.toml`, which
//! has the same configuration, and on the first bytes of `metrics.jsonl`, which it knows by their SHA-256.

pub mod conditions;
pub mod config_file;
pub mod lock;
pub mod rhythm;
pub mod saved;

pub use conditions::Conditions;
pub use config_file::{Change, ConfigFile};
pub use lock::Lock;
pub use rhythm::Rhythm;
pub use saved::Saved;
