//! The files that tell what a reproduction found.

use super::folder::Folder;
use super::outcome::Outcome;
use crate::error::Result;
use crate::report::atomic_file;
use crate::report::curves;

impl Outcome {
    /// Writes `report.md`, `results.json` and `curves.svg`.
    ///
    /// # Errors
    /// `Error::File` if that is not possible.
    pub fn write(&self, folder: &Folder) -> Result<()> {
        curves::write(&folder.curves(), &self.curves)?;
        let json = serde_json::to_string_pretty(self).expect("our own records are valid JSON");
        atomic_file::write(&folder.results(), format!("{json}\n").as_bytes())?;
        atomic_file::write(&folder.report(), self.markdown().as_bytes())
    }
}
