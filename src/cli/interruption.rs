//! Ctrl-C, SIGTERM and a closed terminal as the wish to stop at the next good moment; the second time they stop at once.

use std::ffi::c_int;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGXFSZ};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::output::note;
use crate::error::Error;

/// Whether the user wants the program to stop.
#[derive(Clone, Debug)]
pub struct Interruption(Arc<AtomicUsize>);

impl Interruption {
    /// Takes the signals for the wish to stop, once for the life of the program.
    pub fn catch() -> Self {
        let signal = Arc::new(AtomicUsize::new(0));
        if let Err(error) = catch(&signal) {
            note(format!(
                "note: Ctrl-C will end the run without saving: {error}"
            ));
        }
        Self(signal)
    }

    /// Whether such a signal came.
    pub fn is_wished(&self) -> bool {
        self.signal().is_some()
    }

    fn signal(&self) -> Option<u8> {
        let signal = self.0.load(Ordering::Relaxed) as u8;
        (signal != 0).then_some(signal)
    }

    /// How the program ends once it has stopped, with what the user may do next.
    pub fn error(&self, what: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::Interrupted {
            signal: self.signal().unwrap_or(SIGINT as u8),
            what: what.into(),
            hint: hint.into(),
        }
    }
}

fn catch(wish: &Arc<AtomicUsize>) -> io::Result<()> {
    let again = Arc::new(AtomicBool::new(false));
    for signal in signals() {
        // In this order: the first signal finds the flag unset, and sets it.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))?;
        flag::register(signal, Arc::clone(&again))?;
        flag::register_usize(signal, Arc::clone(wish), signal as usize)?;
    }
    // A file that grows beyond what the user may write is then an error of writing, and not the end of the program.
    #[cfg(unix)]
    flag::register(SIGXFSZ, Arc::default())?;
    Ok(())
}

fn signals() -> Vec<c_int> {
    let mut signals = vec![SIGINT, SIGTERM];
    #[cfg(unix)]
    if !is_ignored(SIGHUP) {
        signals.push(SIGHUP);
    }
    signals
}

/// Whether whoever started the program made it deaf to a signal, as `nohup` does.
#[cfg(unix)]
fn is_ignored(signal: c_int) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call only writes the present one to a place that has room for it, and all bits zero are
    // a valid one.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
