//! Comparing a downloaded file with its published hash.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use md5::Md5;
use sha2::Sha256;
use sha2::digest::Digest;

use crate::data::catalog::Hash;
use crate::data::digest::hex;
use crate::error::{Error, Result};

/// Removes the file, which came from `url`, unless its contents have that hash.
///
/// # Errors
/// A file that cannot be read or hashes to something else.
pub(super) fn check(path: &Path, url: &str, expected: Hash) -> Result<()> {
    let (name, expected, found) = match expected {
        Hash::Md5(digits) => ("MD5", digits, digest::<Md5>(path)),
        Hash::Sha256(digits) | Hash::Sha256Start(digits) => {
            ("SHA-256", digits, digest::<Sha256>(path))
        }
    };
    let found = found.map_err(|error| {
        let what = format!("cannot be read: {error}");
        Error::file(path, what, "check the --cache folder")
    })?;
    if found.starts_with(expected) {
        return Ok(());
    }
    let rest = if expected.len() < found.len() {
        ".."
    } else {
        ""
    };
    // What cannot be removed is hashed again the next time.
    let _ = fs::remove_file(path);
    Err(Error::file(
        url,
        format!("has {name} {found}, expected {expected}{rest}; it is not kept"),
        "try again, or give a --mirror that has the published file",
    ))
}

fn digest<D: Digest>(path: &Path) -> io::Result<String> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut digest = D::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            bytes => digest.update(&buffer[..bytes]),
        }
    }
    Ok(hex(&digest.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5_OF_ABC: &str = "900150983cd24fb0d6963f7d28e17f72";
    const SHA256_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_published_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "abc").unwrap();
        check(&path, "url", Hash::Md5(MD5_OF_ABC)).unwrap();
        check(&path, "url", Hash::Sha256(SHA256_OF_ABC)).unwrap();
        check(&path, "url", Hash::Sha256Start(&SHA256_OF_ABC[..8])).unwrap();
        assert!(path.exists());
    }

    #[test]
    fn another_file_is_removed_and_both_hashes_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (hash, name) in [
            (Hash::Md5(MD5_OF_ABC), "url: has MD5 9d"),
            (Hash::Sha256(SHA256_OF_ABC), "url: has SHA-256 "),
            (Hash::Sha256Start(&SHA256_OF_ABC[..8]), "url: has SHA-256 "),
        ] {
            fs::write(&path, "x").unwrap();
            let message = check(&path, "url", hash).unwrap_err().to_string();
            assert!(message.starts_with(name), "{message}");
            assert!(message.contains("expected "), "{message}");
            assert!(!path.exists());
        }
        assert!(check(&path, "url", Hash::Md5(MD5_OF_ABC)).is_err());
    }
}
