//! Which addresses files may come from: encrypted ones, and this machine.

use ureq::http::Uri;

/// Whether files may come from an address, or from where a server redirects.
pub(super) fn is_trusted(address: &str) -> bool {
    address.parse().is_ok_and(|uri: Uri| is_trusted_uri(&uri))
}

/// The same of a parsed address.
pub(super) fn is_trusted_uri(uri: &Uri) -> bool {
    match uri.scheme_str() {
        Some("https") => uri.host().is_some_and(|host| !host.is_empty()),
        Some("http") => uri.host() == Some("127.0.0.1"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_trusted;

    #[test]
    fn files_come_encrypted_or_from_this_machine() {
        for address in [
            "https://example.org",
            "https://example.org/a/b",
            "http://127.0.0.1:8000/a",
        ] {
            assert!(is_trusted(address), "{address}");
        }
        for address in [
            "http://example.org",
            "http://localhost/a",
            "http://127.0.0.1.example.org/a",
            "http://127.0.0.1@example.org/a",
            "ftp://127.0.0.1/a",
            "file:///etc/passwd",
            "https://",
            "example.org/a",
            "",
        ] {
            assert!(!is_trusted(address), "{address}");
        }
    }
}
