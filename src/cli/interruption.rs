//! Ctrl-C as the wish to stop at the next good moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::output::note;

/// Whether the user wants the program to stop.
#[derive(Clone, Debug)]
pub struct Interruption(Arc<AtomicBool>);

impl Interruption {
    /// Takes Ctrl-C for the wish to stop, once for the life of the program.
    pub fn catch() -> Self {
        let wished = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&wished);
        let caught = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
        if let Err(error) = caught {
            note(format!(
                "note: Ctrl-C will end the run without saving: {error}"
            ));
        }
        Self(wished)
    }

    /// Whether Ctrl-C was pressed.
    pub fn is_wished(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
