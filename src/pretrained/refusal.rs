//! Why a foreign file is not read.

use std::io;
use std::path::Path;

use crate::checkpoint::foreign_text;
use crate::error::Error;

/// What was found in the file, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    what: String,
    hint: &'static str,
}

/// What reading a part of a file gives.
pub(super) type Parsed<T> = Result<T, Refusal>;

impl Refusal {
    /// The file is not as its writer wrote it.
    pub(super) fn damaged(what: impl AsRef<str>) -> Self {
        Self {
            what: foreign_text(what.as_ref()),
            hint: "the file is damaged or cut short: copy or download it again",
        }
    }

    /// The file holds more than the tensors of a net.
    pub(super) fn foreign(what: impl AsRef<str>) -> Self {
        Self {
            what: foreign_text(what.as_ref()),
            hint: "save the net's tensors alone (in PyTorch: torch.save(net.state_dict(), FILE))",
        }
    }

    /// The file is `path`.
    pub(super) fn of(self, path: &Path) -> Error {
        Error::file(path, self.what, self.hint)
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::damaged(format!("cannot be read to its end: {error}"))
    }
}
