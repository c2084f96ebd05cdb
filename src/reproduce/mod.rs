//! Reproductions: the nets of an experiment trained with several seeds by one protocol, and what follows from that.
//!
//! A reproduction is a folder. Its settings decide whether a command goes on with it; its numbers are read from the runs in
//! it, never from memory, so that what is written always follows from what lies there.

pub mod comparison;
pub mod folder;
mod markdown;
pub mod outcome;
pub mod protocol;
mod report;
pub mod seed;
pub mod settings;

pub use folder::Folder;
pub use outcome::Outcome;
pub use protocol::Protocol;
pub use settings::Settings;
