//! The limit of the process's address space (`ulimit -v`), within which drivers have to find room.
//!
//! Mesa's driver for the CPU does not look whether it got its memory: at the end of the address space it finds no adapter,
//! loses the device, or ends the program by a segmentation fault within `vkCreateDevice` or its LLVM.

use crate::error::{Error, Result};

/// What an adapter and small nets take at least: lavapipe opens from 0.8 GB on.
const NEEDED_BYTES: u64 = 1 << 30;

/// Refuses to look for an adapter where the address space has no room for one.
///
/// # Errors
/// `Error::Adapter`.
pub(super) fn check() -> Result<()> {
    // Where there is no such file, the limit is not known to exist.
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    match limit(&limits) {
        Some(bytes) if bytes < NEEDED_BYTES => Err(Error::adapter(
            format!(
                "the address space of this process is limited to {bytes} bytes, and an adapter needs {NEEDED_BYTES}"
            ),
            "raise the limit with `ulimit -v`",
        )),
        _ => Ok(()),
    }
}

/// The limit in force, in bytes.
fn limit(limits: &str) -> Option<u64> {
    let mut lines = limits.lines();
    let limit = lines.find_map(|line| line.strip_prefix("Max address space"))?;
    limit.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::limit;

    #[test]
    fn the_soft_limit_counts() {
        let of = |values: &str| {
            limit(&format!(
                "Max pending signals 1 2 signals\nMax address space {values} bytes\n"
            ))
        };
        assert_eq!(of("614400000  unlimited"), Some(614_400_000));
        assert_eq!(of("unlimited  unlimited"), None);
        assert_eq!(limit(""), None);
    }
}
