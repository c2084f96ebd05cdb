//! Errors of the outside world: a flag, a file, an adapter, a limit. Each says what was wrong, where, and what to do.
//!
//! Our own mistakes (a wrong shape, a forgotten binding) are assertions made while a plan is recorded; they never appear here.

use std::path::{Path, PathBuf};

use crate::report::number::plain;

/// What went wrong outside the program, with the one thing to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag or an argument that cannot be honoured (exit code 2).
    #[error("{what}")]
    Usage {
        /// What was wrong, naming the flag.
        what: String,
        /// What to do next.
        hint: String,
    },
    /// A file or folder that cannot be read, written or understood.
    #[error("{}: {what}", one_line(path.display().to_string()))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was wrong, with offset and expectation where there is one.
        what: String,
        /// What to do next.
        hint: String,
    },
    /// A training that cannot go on.
    #[error("{what}")]
    Training {
        /// What was wrong, naming the net.
        what: String,
        /// What to do next.
        hint: String,
    },
    /// A job that the user stopped by a signal (exit code 128 and its number, as shells have it).
    #[error("{what}")]
    Interrupted {
        /// The signal.
        signal: u8,
        /// What is left undone.
        what: String,
        /// What to do next.
        hint: String,
    },
    /// No adapter fits, or the adapter or its driver failed.
    #[error("{what}")]
    Adapter {
        /// What was wrong, naming the adapter.
        what: String,
        /// What to do next.
        hint: String,
    },
}

/// The result of everything that touches the outside world.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A flag or an argument that cannot be honoured.
    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage {
            what: one_line(what),
            hint: one_line(hint),
        }
    }

    /// A file or folder that cannot be read, written or understood.
    pub fn file(path: impl AsRef<Path>, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::File {
            path: path.as_ref().to_path_buf(),
            what: one_line(what),
            hint: one_line(hint),
        }
    }

    /// A training that cannot go on.
    pub fn training(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Training {
            what: one_line(what),
            hint: one_line(hint),
        }
    }

    /// No adapter fits, or the adapter or its driver failed.
    pub fn adapter(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Adapter {
            what: one_line(what),
            hint: one_line(hint),
        }
    }

    /// Refuses the value of a flag that is not from `low` to `high`.
    pub fn refuse_outside(flag: &str, value: f64, low: f64, high: f64) -> Result<()> {
        if (low..=high).contains(&value) {
            return Ok(());
        }
        Err(Self::usage(
            format!("{flag} {}: it must be from {low} to {high}", plain(value)),
            "choose a value in this range",
        ))
    }

    /// What to do next, in one line.
    pub fn hint(&self) -> &str {
        match self {
            Self::Usage { hint, .. }
            | Self::File { hint, .. }
            | Self::Training { hint, .. }
            | Self::Interrupted { hint, .. }
            | Self::Adapter { hint, .. } => hint,
        }
    }

    /// The exit code of the program: 2 for usage, that of a signal, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } => 2,
            Self::Interrupted { signal, .. } => 128 + signal,
            _ => 1,
        }
    }
}

/// A text without line ends and other control characters, which the name or the contents of a file may bring into it.
fn one_line(text: impl Into<String>) -> String {
    text.into().replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn what_a_file_brings_into_a_message_commands_no_terminal() {
        let error = Error::file("a\nb", "no field \x1b[2J", "rename a\nb");
        assert_eq!(error.to_string(), "a?b: no field ?[2J");
        assert_eq!(error.hint(), "rename a?b");
        for error in [
            Error::usage("a\tb", "c\nd"),
            Error::training("a\tb", "c\nd"),
            Error::adapter("a\tb", "c\nd"),
        ] {
            assert_eq!(error.to_string(), "a?b");
            assert_eq!(error.hint(), "c?d");
        }
    }

    #[test]
    fn numbers_out_of_range_are_told_in_few_digits() {
        let error = Error::refuse_outside("--lr", 1e308, 0.0, 1e6).unwrap_err();
        assert_eq!(
            error.to_string(),
            "--lr 1e308: it must be from 0 to 1000000"
        );
    }
}
