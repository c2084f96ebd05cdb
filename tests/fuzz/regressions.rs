//! Files that once did harm, each named for what it did.

use std::path::Path;

use spinalnet::error::Result;

/// Reads every file, and asserts that it is refused in one line.
pub fn check() {
    let cases: [(&str, fn(&Path) -> Result<()>); 0] = [];
    for (name, read) in cases {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fuzz/regressions")
            .join(name);
        let message = read(&path).unwrap_err().to_string();
        assert!(!message.contains(char::is_control), "{name}: {message:?}");
    }
}
