//! The memory that the host has free, so that what cannot fit is refused before it is taken.

use std::path::Path;

use crate::error::{Error, Result};

/// Refuses a file that takes more memory than the host has free.
///
/// # Errors
/// `Error::File` with both numbers.
pub(crate) fn check(path: &Path, bytes: u64) -> Result<()> {
    check_within(available(), path, bytes)
}

fn check_within(free: Option<u64>, path: &Path, bytes: u64) -> Result<()> {
    match free {
        Some(free) if bytes > free => Err(Error::file(
            path,
            format!("takes {} of memory, and {} are free", gib(bytes), gib(free)),
            "close other programs, or use a machine with more memory",
        )),
        _ => Ok(()),
    }
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

/// The memory that the machine could give, where the system tells.
pub(crate) fn available() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/meminfo").ok()?;
    parse(&status)
}

fn parse(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_is_what_linux_calls_available() {
        let status = "MemTotal:       24609948 kB\nMemAvailable:   23000000 kB\n";
        assert_eq!(parse(status), Some(23_000_000 << 10));
        assert_eq!(parse("MemFree: 1 kB\n"), None);
        assert_eq!(parse("MemAvailable: many\n"), None);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_both_numbers() {
        let check = |free| check_within(free, Path::new("data.bin"), 3 << 30);
        let message = check(Some(1 << 30)).unwrap_err().to_string();
        assert_eq!(
            message,
            "data.bin: takes 3.0 GiB of memory, and 1.0 GiB are free"
        );
        assert!(check(Some(3 << 30)).is_ok());
        assert!(check(None).is_ok());
    }
}
