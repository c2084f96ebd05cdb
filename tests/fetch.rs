//! Downloading from a server on this machine: cut connections, wrong contents, redirects, refusals. Whatever happens, a
//! data set is there whole and as published, or not at all.

#[path = "common/server.rs"]
mod server;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use spinalnet::data::Cache;
use spinalnet::data::catalog::{Contents, Hash, Package, Remote};
use spinalnet::data::fetch::{FetchOptions, Progress, fetch};
use spinalnet::error::Result;
use tempfile::TempDir;

use server::{Reply, Request, Server};

/// The published file: long enough for several reads.
fn contents() -> Vec<u8> {
    (0..300_000u32).map(|at| (at * at / 7) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A cache of its own.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn options(&self, mirror: &str) -> FetchOptions {
        FetchOptions {
            cache: Cache::choose(Some(self.folder.path())).unwrap(),
            mirror: Some(mirror.to_owned()),
            offline: false,
            retry_pause: Duration::ZERO,
        }
    }

    /// Fetches the package `set` of one file, `file.bin`, published as `published`.
    fn fetch(&self, server: &Server, published: &[u8]) -> Result<std::path::PathBuf> {
        self.fetch_contents(server, published, Contents::Data)
    }

    fn fetch_contents(
        &self,
        server: &Server,
        published: &[u8],
        contents: Contents,
    ) -> Result<std::path::PathBuf> {
        let hash = sha256(published);
        let files = [remote("file.bin", &hash, contents)];
        let package = Package {
            name: "set",
            files: &files,
        };
        fetch(&package, &self.options(&server.url()), &mut |_| {})
    }

    /// Asserts that the package is there, and only it.
    fn assert_fetched(&self, files: &[(&str, &[u8])]) {
        assert!(!self.path("set.part").exists());
        let mut names: Vec<String> = names(&self.path("set"));
        names.sort();
        let expected: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, expected);
        for (name, bytes) in files {
            assert!(
                fs::read(self.path("set").join(name)).unwrap() == *bytes,
                "{name}"
            );
        }
    }

    fn assert_not_fetched(&self) {
        assert!(!self.path("set").exists());
    }
}

fn remote<'a>(name: &'a str, hash: &'a str, contents: Contents<'a>) -> Remote<'a> {
    Remote {
        name,
        url: "http://127.0.0.1:9/never-asked",
        hash: Hash::Sha256(hash),
        contents,
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn first_bytes(server: &Server) -> Vec<Option<usize>> {
    let requests = server.requests();
    requests.iter().map(|request| request.first_byte).collect()
}

#[test]
fn a_file_is_fetched_once_and_shown_as_it_comes() {
    let place = Place::new();
    let server = Server::start(|_, _| Reply::Contents(contents()));
    let hash = sha256(&contents());
    let files = [remote("file.bin", &hash, Contents::Data)];
    let package = Package {
        name: "set",
        files: &files,
    };
    let mut seen = Vec::new();
    let mut show = |progress: Progress| {
        assert_eq!((progress.file, progress.total), ("file.bin", Some(300_000)));
        seen.push(progress.done);
    };
    let mirror = format!("{}/", server.url());
    let folder = fetch(&package, &place.options(&mirror), &mut show).unwrap();
    assert_eq!(folder, place.path("set"));
    assert!(seen.is_sorted());
    assert_eq!((seen.first(), seen.last()), (Some(&0), Some(&300_000)));
    place.assert_fetched(&[("file.bin", &contents())]);
    place.fetch(&server, &contents()).unwrap();
    let expected = Request {
        path: "/set/file.bin".to_owned(),
        first_byte: None,
    };
    assert_eq!(server.requests(), [expected]);
}

#[test]
fn cut_connections_are_taken_up_where_they_were_cut() {
    let place = Place::new();
    let server = Server::start(|_, index| match index {
        0 => Reply::Cut(contents(), 100_000),
        1 => Reply::Cut(contents(), 0),
        2 => Reply::Cut(contents(), 150_000),
        _ => Reply::Contents(contents()),
    });
    place.fetch(&server, &contents()).unwrap();
    place.assert_fetched(&[("file.bin", &contents())]);
    let expected = [None, Some(100_000), Some(100_000), Some(250_000)];
    assert_eq!(first_bytes(&server), expected);
}

#[test]
fn a_server_without_ranges_sends_it_all_again() {
    let place = Place::new();
    let server = Server::start(|_, index| match index {
        0 => Reply::Whole(contents(), 200_000),
        _ => Reply::Whole(contents(), usize::MAX),
    });
    place.fetch(&server, &contents()).unwrap();
    place.assert_fetched(&[("file.bin", &contents())]);
}

#[test]
fn a_download_given_up_goes_on_the_next_time() {
    let place = Place::new();
    let bad = Server::start(|_, index| match index {
        0 => Reply::Cut(contents(), 120_000),
        _ => Reply::Status(503),
    });
    let error = place.fetch(&bad, &contents()).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("answered 503, 120000 bytes are here"),
        "{message}"
    );
    assert!(error.hint().contains("run it again"));
    assert_eq!(bad.requests().len(), 4);
    place.assert_not_fetched();
    let part = fs::read(place.path("set.part/file.bin.part")).unwrap();
    assert!(part == contents()[..120_000]);

    let good = Server::start(|_, _| Reply::Contents(contents()));
    place.fetch(&good, &contents()).unwrap();
    place.assert_fetched(&[("file.bin", &contents())]);
    assert_eq!(first_bytes(&good), [Some(120_000)]);
}

#[test]
fn a_wrong_file_is_refused_and_not_kept() {
    let place = Place::new();
    let server = Server::start(|_, _| Reply::Contents(contents()));
    let error = place.fetch(&server, b"as published").unwrap_err();
    let message = error.to_string();
    assert!(message.contains("/set/file.bin: has SHA-256 "), "{message}");
    assert!(message.contains(&sha256(b"as published")), "{message}");
    place.assert_not_fetched();
    assert!(names(&place.path("set.part")).is_empty());
}

/// Of published weights only the first digits of the hash are known, and they lie a folder deeper.
#[test]
fn the_start_of_a_hash_tells_weights_from_other_files() {
    let place = Place::new();
    let hash = sha256(&contents());
    let fetch_by = |start, server: &Server| {
        let files = [Remote {
            hash: Hash::Sha256Start(start),
            ..remote("net.pth", "", Contents::Data)
        }];
        let package = Package {
            name: "weights/net",
            files: &files,
        };
        fetch(&package, &place.options(&server.url()), &mut |_| {})
    };
    let target = Server::start(|_, index| match index {
        0 => Reply::Cut(contents(), 100_000),
        _ => Reply::Contents(contents()),
    });
    let url = target.url();
    let server = Server::start(move |request, _| Reply::Redirect(url.clone() + &request.path));
    let error = fetch_by("01234567", &server).unwrap_err().to_string();
    let expected = format!("has SHA-256 {hash}, expected 01234567..; it is not kept");
    assert!(error.contains(&expected), "{error}");
    assert!(!place.path("weights/net").exists());
    assert!(names(&place.path("weights/net.part")).is_empty());
    assert_eq!(first_bytes(&target), [None, Some(100_000)]);

    let folder = fetch_by(&hash[..8], &server).unwrap();
    assert_eq!(folder, place.path("weights/net"));
    assert!(fs::read(folder.join("net.pth")).unwrap() == contents());
    assert!(!place.path("weights/net.part").exists());
    assert_eq!(target.requests()[2].path, "/weights/net/net.pth");
}

#[test]
fn what_is_left_of_another_file_is_thrown_away() {
    for left in [vec![1; 1000], vec![1; 300_000], vec![1; 400_000]] {
        let place = Place::new();
        fs::create_dir(place.path("set.part")).unwrap();
        fs::write(place.path("set.part/file.bin.part"), &left).unwrap();
        let server = Server::start(|_, _| Reply::Contents(contents()));
        place.fetch(&server, &contents()).unwrap();
        place.assert_fetched(&[("file.bin", &contents())]);
        assert_eq!(first_bytes(&server), [Some(left.len()), None]);
    }
}

#[test]
fn a_range_that_was_not_asked_for_is_not_used() {
    let place = Place::new();
    let server = Server::start(|_, index| match index {
        0 => Reply::Cut(contents(), 100_000),
        1 => Reply::WrongRange(contents(), 99_999),
        _ => Reply::Contents(contents()),
    });
    place.fetch(&server, &contents()).unwrap();
    place.assert_fetched(&[("file.bin", &contents())]);
    assert_eq!(first_bytes(&server), [None, Some(100_000), None]);
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let place = Place::new();
    let target = Server::start(|_, _| Reply::Contents(contents()));
    let url = format!("{}/elsewhere", target.url());
    let server = Server::start(move |_, _| Reply::Redirect(url.clone()));
    place.fetch(&server, &contents()).unwrap();
    place.assert_fetched(&[("file.bin", &contents())]);
    assert_eq!(target.requests()[0].path, "/elsewhere");

    let place = Place::new();
    let circle = Server::start(|_, _| Reply::Redirect("/set/file.bin".to_owned()));
    let error = place.fetch(&circle, &contents()).unwrap_err();
    assert!(error.to_string().contains("redirect"), "{error}");
    place.assert_not_fetched();
}

/// The one server that may speak plainly is asked for as this machine's, and not by a name.
#[test]
fn redirects_to_addresses_without_encryption_are_refused() {
    let place = Place::new();
    let target = Server::start(|_, _| Reply::Contents(contents()));
    let url = target.url().replace("127.0.0.1", "localhost");
    let server = Server::start(move |_, _| Reply::Redirect(url.clone()));
    let error = place.fetch(&server, &contents()).unwrap_err().to_string();
    assert!(
        error.contains("/set/file.bin: redirects to http://localhost:"),
        "{error}"
    );
    assert_eq!(server.requests().len(), 1);
    place.assert_not_fetched();
    assert!(names(&place.path("set.part")).is_empty());
}

/// A hostile archive under a published name does not get as far as being opened.
#[test]
fn an_archive_is_hashed_before_it_is_opened() {
    let place = Place::new();
    let server = Server::start(|_, _| Reply::Contents(archive()));
    let members = Contents::TarGz(&["data.bin"]);
    let error = place.fetch_contents(&server, b"as published", members);
    let message = error.unwrap_err().to_string();
    assert!(message.contains("has SHA-256 "), "{message}");
    place.assert_not_fetched();
    assert!(names(&place.path("set.part")).is_empty());
}

#[test]
fn a_refusal_is_final_and_a_failure_is_not() {
    let place = Place::new();
    let server = Server::start(|_, _| Reply::Status(404));
    let error = place.fetch(&server, &contents()).unwrap_err();
    assert!(
        error.to_string().contains("the server answered 404"),
        "{error}"
    );
    assert_eq!(server.requests().len(), 1);
    place.assert_not_fetched();

    let server = Server::start(|_, index| match index {
        0 => Reply::Status(500),
        1 => Reply::Status(429),
        _ => Reply::Contents(contents()),
    });
    place.fetch(&server, &contents()).unwrap();
    place.assert_fetched(&[("file.bin", &contents())]);
}

#[test]
fn nobody_listening_is_an_error() {
    let place = Place::new();
    let hash = sha256(&contents());
    let files = [remote("file.bin", &hash, Contents::Data)];
    let package = Package {
        name: "set",
        files: &files,
    };
    let gone = Server::start(|_, _| Reply::Status(404)).url();
    let error = fetch(&package, &place.options(&gone), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("cannot be fetched"), "{error}");
    for address in [
        "ftp://host",
        "http://host",
        "http://127.0.0.1.host",
        "http://127.0.0.1@host",
        "file:///etc",
        "host/folder",
        "",
    ] {
        let error = fetch(&package, &place.options(address), &mut |_| {}).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
    place.assert_not_fetched();
}

#[test]
fn offline_uses_what_is_here_and_asks_nobody() {
    let place = Place::new();
    let server = Server::start(|_, _| Reply::Contents(contents()));
    let hash = sha256(&contents());
    let files = [remote("file.bin", &hash, Contents::Data)];
    let package = Package {
        name: "set",
        files: &files,
    };
    let offline = FetchOptions {
        offline: true,
        ..place.options(&server.url())
    };
    let error = fetch(&package, &offline, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("set is not here"), "{error}");
    assert!(names(place.folder.path()).is_empty());
    assert!(server.requests().is_empty());
    place.fetch(&server, &contents()).unwrap();
    assert_eq!(
        fetch(&package, &offline, &mut |_| {}).unwrap(),
        place.path("set")
    );
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn of_several_files_those_that_came_are_not_asked_for_again() {
    let place = Place::new();
    let (first, second) = (contents(), b"second".to_vec());
    let hashes = [sha256(&first), sha256(&second)];
    let files = [
        remote("a.bin", &hashes[0], Contents::Data),
        remote("b.bin", &hashes[1], Contents::Data),
    ];
    let package = Package {
        name: "set",
        files: &files,
    };
    let bad = Server::start(|request, _| match request.path.as_str() {
        "/set/a.bin" => Reply::Contents(contents()),
        _ => Reply::Status(404),
    });
    assert!(fetch(&package, &place.options(&bad.url()), &mut |_| {}).is_err());
    place.assert_not_fetched();
    let good = Server::start(|_, _| Reply::Contents(b"second".to_vec()));
    fetch(&package, &place.options(&good.url()), &mut |_| {}).unwrap();
    place.assert_fetched(&[("a.bin", &first), ("b.bin", &second)]);
    assert_eq!(good.requests()[0].path, "/set/b.bin");
    assert_eq!(good.requests().len(), 1);
}

/// A gzipped tar archive of `inner/data.bin` and of a file nobody wants.
fn archive() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in [("inner/data.bin", &b"data"[..]), ("inner/readme", b"text")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes).unwrap();
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&tar.into_inner().unwrap()).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn an_archive_gives_its_members_and_goes() {
    let place = Place::new();
    let server = Server::start(|_, _| Reply::Contents(archive()));
    let members = Contents::TarGz(&["data.bin"]);
    place.fetch_contents(&server, &archive(), members).unwrap();
    place.assert_fetched(&[("data.bin", b"data")]);
}

#[test]
fn an_archive_without_a_member_is_no_data_set() {
    let place = Place::new();
    let server = Server::start(|_, _| Reply::Contents(archive()));
    let members = Contents::TarGz(&["data.bin", "more.bin"]);
    let error = place
        .fetch_contents(&server, &archive(), members)
        .unwrap_err();
    assert!(
        error.to_string().contains("has no member more.bin"),
        "{error}"
    );
    place.assert_not_fetched();
}

#[test]
fn two_at_a_time_do_not_disturb_each_other() {
    let place = Place::new();
    let server = Server::start(|_, _| Reply::Contents(contents()));
    let lock = File::create(place.path("set.lock")).unwrap();
    lock.lock().unwrap();
    let error = place.fetch(&server, &contents()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("another process is fetching set"),
        "{error}"
    );
    assert!(server.requests().is_empty());
    drop(lock);
    place.fetch(&server, &contents()).unwrap();
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let place = Place::new();
    fs::write(place.path("file"), "").unwrap();
    let server = Server::start(|_, _| Reply::Contents(contents()));
    let files = [];
    let package = Package {
        name: "set",
        files: &files,
    };
    let options = FetchOptions {
        cache: Cache::choose(Some(&place.path("file"))).unwrap(),
        ..place.options(&server.url())
    };
    let error = fetch(&package, &options, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("cannot be written"), "{error}");
}
