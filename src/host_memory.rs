//! The memory that the host has, and has free, so that what cannot fit is refused before it is taken.

use std::path::Path;

use crate::error::{Error, Result};

/// What takes less is not worth asking the system.
const WORTH_ASKING: u64 = 64 << 20;

/// Refuses a file that takes more memory than the host has free.
///
/// # Errors
/// `Error::File` with both numbers.
pub(crate) fn check(path: &Path, bytes: u64) -> Result<()> {
    const HINT: &str = "close other programs, or use a machine with more memory";
    shortage(bytes).map_or(Ok(()), |what| Err(Error::file(path, what, HINT)))
}

/// What to say of a file that takes more memory than the host has free.
pub(crate) fn shortage(bytes: u64) -> Option<String> {
    (bytes >= WORTH_ASKING).then(|| shortage_of(available(), bytes))?
}

fn shortage_of(free: Option<u64>, bytes: u64) -> Option<String> {
    let free = free.filter(|&free| bytes > free)?;
    Some(format!(
        "takes {} of memory, and {} are free",
        gib(bytes),
        gib(free)
    ))
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

/// The memory that the machine could give, where the system tells.
pub(crate) fn available() -> Option<u64> {
    of_machine("MemAvailable:")
}

/// The memory of the machine, where the system tells.
pub(crate) fn total() -> Option<u64> {
    of_machine("MemTotal:")
}

fn of_machine(entry: &str) -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/meminfo").ok()?, entry)
}

fn parse(meminfo: &str, entry: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(entry))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_linux_says() {
        let status = "MemTotal:       24609948 kB\nMemAvailable:   23000000 kB\n";
        assert_eq!(parse(status, "MemTotal:"), Some(24_609_948 << 10));
        assert_eq!(parse(status, "MemAvailable:"), Some(23_000_000 << 10));
        for entry in ["MemTotal:", "MemAvailable:"] {
            assert_eq!(parse("MemFree: 1 kB\n", entry), None);
            assert_eq!(parse(&format!("{entry} many\n"), entry), None);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_both_numbers() {
        let shortage = shortage_of(Some(1 << 30), 3 << 30).unwrap();
        assert_eq!(shortage, "takes 3.0 GiB of memory, and 1.0 GiB are free");
        assert_eq!(shortage_of(Some(3 << 30), 3 << 30), None);
        assert_eq!(shortage_of(None, u64::MAX), None);
        if available().is_some() {
            let error = check(Path::new("data.bin"), u64::MAX).unwrap_err();
            assert!(
                error.to_string().starts_with("data.bin: takes 1717"),
                "{error}"
            );
        }
    }
}
