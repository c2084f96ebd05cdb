//! Plans on a device. This folder is the only one that knows wgpu.

mod adapter;
mod address_space;
mod clock;
mod device;
mod executable;
mod limits;
mod memory;
mod pace;
mod profile;

pub use adapter::{AdapterChoice, AdapterReport, Backend, list_adapters};
pub use clock::Clock;
pub use device::{Checks, Device};
pub use executable::{Encoded, Executable, Submission};
pub use memory::Memory;
pub use pace::Pace;
pub use profile::Span;
