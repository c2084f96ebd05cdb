//! Getting one file over HTTP, in as many pieces as the network makes of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use ureq::http::{Response, header};
use ureq::{Agent, Body, ResponseExt};

use super::address::is_trusted_uri;
use super::unwritable;
use crate::error::{Error, Result};

/// Tries in a row that bring nothing before a download is given up.
const FRUITLESS_TRIES: u32 = 3;
/// A server that sends nothing for so long has gone.
const SILENCE: Duration = Duration::from_secs(30);

/// How far a download has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file's name.
    pub file: &'a str,
    /// Bytes on disk.
    pub done: u64,
    /// Bytes of the whole file, if the server tells.
    pub total: Option<u64>,
}

/// Downloads files one after the other.
pub(super) struct Downloader {
    agent: Agent,
    retry_pause: Duration,
}

/// Why a try did not bring the whole file.
enum Failure {
    /// Another try may do better.
    Passing(String),
    /// No try will.
    Final(Error),
}

impl Downloader {
    pub(super) fn new(retry_pause: Duration) -> Self {
        // The file is wanted as it is published, and its hash is of that.
        let config = Agent::config_builder()
            .accept_encoding("identity")
            .save_redirect_history(true)
            .timeout_connect(Some(SILENCE))
            .timeout_per_read(Some(SILENCE));
        Self {
            agent: config.build().new_agent(),
            retry_pause,
        }
    }

    /// Completes the file `part`, which may hold the beginning of it already.
    ///
    /// # Errors
    /// A server that refuses or keeps failing, or a file that cannot be written. What has come stays.
    pub(super) fn download(
        &self,
        url: &str,
        name: &str,
        part: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let mut fruitless_tries = 0;
        loop {
            let before = length(part);
            let mut report = |done, total| {
                progress(Progress {
                    file: name,
                    done,
                    total,
                });
            };
            let what = match self.attempt(url, part, &mut report) {
                Ok(()) => return Ok(()),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(what)) => what,
            };
            fruitless_tries = if length(part) > before {
                0
            } else {
                fruitless_tries + 1
            };
            if fruitless_tries == FRUITLESS_TRIES {
                let what = format!("{what}, {} bytes are here", length(part));
                let hint = "run it again to go on from there, or give another --mirror";
                return Err(Error::file(url, what, hint));
            }
            std::thread::sleep(self.retry_pause);
        }
    }

    /// Asks once for what is missing of the file, and appends what comes.
    fn attempt(
        &self,
        url: &str,
        part: &Path,
        report: &mut dyn FnMut(u64, Option<u64>),
    ) -> std::result::Result<(), Failure> {
        let start = length(part);
        // To this machine alone a request goes unencrypted.
        let mut request = self
            .agent
            .get(url)
            .config()
            .https_only(!url.starts_with("http://"))
            .build();
        if start > 0 {
            request = request.header(header::RANGE, format!("bytes={start}-"));
        }
        let mut response = match request.call() {
            Ok(response) => response,
            // The file is no longer than what is here, or it is another one: the hash tells.
            Err(ureq::Error::StatusCode(416)) if start > 0 => return Ok(()),
            Err(error) => return Err(failure(url, &error)),
        };
        check_redirects(url, &response)?;
        let (offset, total) = extent(&response, start).map_err(|what| {
            // The next try asks for all of it. A file that cannot be removed fails that one, too.
            let _ = fs::remove_file(part);
            Failure::Passing(what)
        })?;
        let mut file = open(part, offset).map_err(|error| unwritten(part, &error))?;
        let mut body = response.body_mut().as_reader();
        let mut done = offset;
        let mut buffer = vec![0; 1 << 16];
        report(done, total);
        loop {
            let bytes = body
                .read(&mut buffer)
                .map_err(|error| Failure::Passing(format!("was cut off: {error}")))?;
            if bytes == 0 {
                break;
            }
            file.write_all(&buffer[..bytes])
                .map_err(|error| unwritten(part, &error))?;
            done += bytes as u64;
            report(done, total);
        }
        file.sync_all().map_err(|error| unwritten(part, &error))?;
        match total {
            Some(total) if done != total => Err(Failure::Passing(format!(
                "was cut off at byte {done}, expected {total}"
            ))),
            _ => Ok(()),
        }
    }
}

/// Refuses an answer that came by an address that files do not come from.
fn check_redirects(url: &str, response: &Response<Body>) -> std::result::Result<(), Failure> {
    let history = response.get_redirect_history().unwrap_or_default();
    match history.iter().find(|uri| !is_trusted_uri(uri)) {
        None => Ok(()),
        Some(uri) => Err(refused(
            url,
            format!("redirects to {uri}, which is not encrypted"),
        )),
    }
}

/// Where the body of an answer begins in the file, and how long the file is.
fn extent(
    response: &Response<Body>,
    start: u64,
) -> std::result::Result<(u64, Option<u64>), String> {
    if response.status() != 206 {
        return Ok((0, response.body().content_length()));
    }
    let range = response.headers().get(header::CONTENT_RANGE);
    let range = range.and_then(|range| range.to_str().ok());
    let parsed = range.and_then(parse_content_range);
    match parsed {
        Some((offset, total)) if offset == start => Ok((offset, total)),
        _ => Err(format!(
            "answered with the range {range:?}, expected one from byte {start}"
        )),
    }
}

/// The first byte and the file's length in `bytes FIRST-LAST/LENGTH`.
fn parse_content_range(range: &str) -> Option<(u64, Option<u64>)> {
    let (bytes, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = bytes.split_once('-')?;
    Some((first.parse().ok()?, total.parse().ok()))
}

/// Opens the file to go on at `offset`, which is its end or its beginning.
fn open(part: &Path, offset: u64) -> io::Result<File> {
    if offset == 0 {
        return File::create(part);
    }
    OpenOptions::new().append(true).open(part)
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn unwritten(part: &Path, error: &io::Error) -> Failure {
    Failure::Final(unwritable(part, error))
}

/// A failure that no other try mends.
fn refused(url: &str, what: String) -> Failure {
    let hint = "check the address, or give another --mirror";
    Failure::Final(Error::file(url, what, hint))
}

/// Whether a request that failed is worth another try.
fn failure(url: &str, error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::RequireHttpsOnly(to) => {
            refused(url, format!("redirects to {to}, which is not encrypted"))
        }
        ureq::Error::StatusCode(status @ (408 | 429 | 500..=599)) => {
            Failure::Passing(format!("the server answered {status}"))
        }
        ureq::Error::StatusCode(status) => refused(url, format!("the server answered {status}")),
        ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::TooManyRedirects
        | ureq::Error::InvalidProxyUrl => refused(url, format!("cannot be fetched: {error}")),
        _ => Failure::Passing(format!("cannot be fetched: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_parsed() {
        let parsed = parse_content_range;
        assert_eq!(parsed("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(parsed("bytes 5-9/*"), Some((5, None)));
        for range in ["", "bytes */10", "5-9/10", "bytes 5/10", "bytes x-9/10"] {
            assert_eq!(parsed(range), None, "{range}");
        }
    }
}
