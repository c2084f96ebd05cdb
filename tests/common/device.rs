//! The devices under test. `SPINAL_TEST_ADAPTER` (part of a name) and `SPINAL_TEST_BACKEND` (vulkan, metal, dx12, gl)
//! choose another adapter than the program would.

use std::env;
use std::sync::OnceLock;

use clap::ValueEnum;
use spinalnet::gpu::{AdapterChoice, Backend, Checks, Device};

/// The device of a kind of checks, opened once for a test binary.
pub fn device(checks: Checks) -> &'static Device {
    static CHECKED: OnceLock<Device> = OnceLock::new();
    static TRUSTED: OnceLock<Device> = OnceLock::new();
    let cell = match checks {
        Checks::Checked => &CHECKED,
        Checks::Trusted => &TRUSTED,
    };
    cell.get_or_init(|| {
        let backend = env::var("SPINAL_TEST_BACKEND").ok();
        let choice = AdapterChoice {
            name: env::var("SPINAL_TEST_ADAPTER").ok(),
            backend: backend
                .map(|name| Backend::from_str(&name, true).expect("SPINAL_TEST_BACKEND")),
        };
        Device::open(&choice, checks).unwrap_or_else(|error| panic!("{error}: {}", error.hint()))
    })
}
