//! Ends the tests where a reader never comes back, and leaves the files that it hangs on.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

/// No machine is that busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// The folder that is being read, and since when.
static WATCHED: Mutex<Option<(PathBuf, Instant)>> = Mutex::new(None);

/// Expects [`rest`] before long.
pub fn watch(folder: &Path) {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| drop(std::thread::spawn(guard)));
    set(Some((folder.to_path_buf(), Instant::now())));
}

/// Expects nothing any more.
pub fn rest() {
    set(None);
}

fn set(watched: Option<(PathBuf, Instant)>) {
    *WATCHED.lock().unwrap_or_else(PoisonError::into_inner) = watched;
}

fn guard() {
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((folder, since)) = watched
            .as_ref()
            .filter(|(_, since)| since.elapsed() > PATIENCE)
        {
            eprintln!(
                "reading {} has taken {:?}",
                folder.display(),
                since.elapsed()
            );
            std::process::abort();
        }
    }
}
