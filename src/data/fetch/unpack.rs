//! Taking the data out of a published archive.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use zip::ZipArchive;

use super::{part_of, unwritable};
use crate::data::catalog::Contents;
use crate::error::{Error, Result};

/// Twice the largest file of a published archive, STL-10's unlabelled pictures.
const MAX_MEMBER_BYTES: u64 = 6 << 30;

const HINT: &str = "remove the folder it lies in and fetch it again";

/// Writes the wanted members of an archive into `folder`, whatever folders they have in it; each has
/// its name only when it is whole.
///
/// # Errors
/// An archive that cannot be read, lacks a member, or has one that is no file, leaves the folder or is absurdly large; or a
/// folder that cannot be written.
pub(super) fn unpack(archive: &Path, contents: Contents, folder: &Path) -> Result<()> {
    unpack_bounded(archive, contents, folder, MAX_MEMBER_BYTES)
}

fn unpack_bounded(
    archive: &Path,
    contents: Contents,
    folder: &Path,
    most_bytes: u64,
) -> Result<()> {
    let members = match contents {
        Contents::TarGz(members) | Contents::Zip(members) => members,
        Contents::Data => panic!("a data file is no archive"),
    };
    let target = Target {
        members,
        folder,
        most_bytes,
    };
    File::open(archive)
        .map_err(Failure::Archive)
        .and_then(|file| match contents {
            Contents::Zip(_) => unpack_zip(BufReader::new(file), &target),
            _ => unpack_tar(GzDecoder::new(BufReader::new(file)), &target),
        })
        .map_err(|failure| failure.of(archive))?;
    match members.iter().find(|name| !folder.join(name).is_file()) {
        None => Ok(()),
        Some(missing) => {
            let what = format!("has no member {missing}");
            Err(Error::file(archive, what, HINT))
        }
    }
}

/// What failed: reading the archive or writing a member.
enum Failure {
    Archive(io::Error),
    Member(PathBuf, io::Error),
    /// A member that no published archive has.
    Hostile(String),
}

impl Failure {
    fn of(self, archive: &Path) -> Error {
        match self {
            Self::Archive(error) => {
                Error::file(archive, format!("cannot be unpacked: {error}"), HINT)
            }
            Self::Member(path, error) => unwritable(&path, &error),
            Self::Hostile(what) => Error::file(archive, what, HINT),
        }
    }
}

/// Which members go where.
struct Target<'a> {
    members: &'a [&'a str],
    folder: &'a Path,
    /// No member has more.
    most_bytes: u64,
}

impl Target<'_> {
    /// Where a member goes, if it is wanted.
    fn place(&self, member: &Path) -> Option<PathBuf> {
        let name = member.file_name()?.to_str()?;
        self.members.contains(&name).then(|| self.folder.join(name))
    }

    /// Writes a member, if it is wanted.
    fn write(
        &self,
        member: &Path,
        is_file: bool,
        contents: &mut impl Read,
    ) -> std::result::Result<(), Failure> {
        let hostile =
            |what: &str| Failure::Hostile(format!("its member {} {what}", member.display()));
        let stays = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !member.components().all(stays) {
            return Err(hostile("leaves the folder"));
        }
        let Some(path) = self.place(member) else {
            return Ok(());
        };
        if !is_file {
            return Err(hostile("is no file"));
        }
        let part = part_of(&path);
        let unwritable = |error| Failure::Member(path.clone(), error);
        let mut file = File::create(&part).map_err(unwritable)?;
        copy(&mut contents.take(self.most_bytes + 1), &mut file, &path)?;
        if file.metadata().map_err(unwritable)?.len() > self.most_bytes {
            // Where even that fails, it is removed with the folder, as the hint says.
            let _ = fs::remove_file(&part);
            return Err(hostile(&format!("has more than {} bytes", self.most_bytes)));
        }
        file.sync_all().map_err(unwritable)?;
        fs::rename(&part, &path).map_err(unwritable)
    }
}

/// As [`io::copy`], telling which side failed.
fn copy(from: &mut impl Read, to: &mut File, path: &Path) -> std::result::Result<(), Failure> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let bytes = from.read(&mut buffer).map_err(Failure::Archive)?;
        if bytes == 0 {
            return Ok(());
        }
        io::Write::write_all(to, &buffer[..bytes])
            .map_err(|error| Failure::Member(path.to_path_buf(), error))?;
    }
}

fn unpack_tar(archive: impl Read, target: &Target) -> std::result::Result<(), Failure> {
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().map_err(Failure::Archive)? {
        let mut entry = entry.map_err(Failure::Archive)?;
        let kind = entry.header().entry_type();
        let member = entry.path().map_err(Failure::Archive)?.into_owned();
        target.write(&member, kind.is_file(), &mut entry)?;
    }
    Ok(())
}

fn unpack_zip(archive: impl Read + io::Seek, target: &Target) -> std::result::Result<(), Failure> {
    let broken = |error: zip::result::ZipError| Failure::Archive(error.into());
    let mut archive = ZipArchive::new(archive).map_err(broken)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(broken)?;
        let is_file = entry.is_file();
        let member = PathBuf::from(entry.name().map_err(broken)?.into_owned());
        target.write(&member, is_file, &mut entry)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    const FILES: [(&str, &[u8]); 3] = [
        ("set/a.bin", b"first"),
        ("set/readme.html", b"not wanted"),
        ("set/deeper/b.bin", b"second"),
    ];

    fn tar_gz() -> Vec<u8> {
        let gzip = GzEncoder::new(Vec::new(), Compression::default());
        let mut tar = tar::Builder::new(gzip);
        for (name, bytes) in FILES {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, name, bytes).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn zipped() -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in FILES {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// Unpacks and returns the names and contents of what is there then.
    fn unpacked(archive: &[u8], contents: Contents) -> Result<Vec<(String, Vec<u8>)>> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("archive");
        fs::write(&path, archive).unwrap();
        let folder = place.path().join("folder");
        fs::create_dir(&folder).unwrap();
        unpack(&path, contents, &folder)?;
        let mut files: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read(entry.path()).unwrap())
            })
            .collect();
        files.sort();
        Ok(files)
    }

    #[test]
    fn wanted_members_and_no_others_are_unpacked() {
        let wanted = ["a.bin", "b.bin"];
        let expected = [
            ("a.bin".to_owned(), b"first".to_vec()),
            ("b.bin".to_owned(), b"second".to_vec()),
        ];
        assert_eq!(
            unpacked(&tar_gz(), Contents::TarGz(&wanted)).unwrap(),
            expected
        );
        assert_eq!(
            unpacked(&zipped(), Contents::Zip(&wanted)).unwrap(),
            expected
        );
    }

    /// A tar archive of one entry, written byte by byte where the library has scruples.
    fn tar_of(name: &str, kind: tar::EntryType, body: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(body.len() as u64);
        header.as_old_mut().linkname[..11].copy_from_slice(b"/etc/passwd");
        header.set_cksum();
        let gzip = GzEncoder::new(Vec::new(), Compression::default());
        let mut tar = tar::Builder::new(gzip);
        tar.append(&header, body).unwrap();
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn zip_of(name: &str, body: &[u8]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(body).unwrap();
        zip.finish().unwrap().into_inner()
    }

    fn assert_refused(archive: &[u8], contents: Contents, what: &str) {
        let message = unpacked(archive, contents).unwrap_err().to_string();
        assert!(message.contains(what), "no `{what}` in {message}");
    }

    #[test]
    fn members_that_leave_the_folder_are_refused() {
        for name in ["../a.bin", "set/../../a.bin", "/tmp/a.bin", "../other"] {
            let what = format!("archive: its member {name} leaves the folder");
            let tar = tar_of(name, tar::EntryType::Regular, b"x");
            assert_refused(&tar, Contents::TarGz(&["a.bin"]), &what);
            assert_refused(&zip_of(name, b"x"), Contents::Zip(&["a.bin"]), &what);
        }
    }

    #[test]
    fn links_and_devices_are_refused() {
        let what = "its member set/a.bin is no file";
        for kind in [
            tar::EntryType::Symlink,
            tar::EntryType::Link,
            tar::EntryType::Char,
            tar::EntryType::Fifo,
            tar::EntryType::Directory,
        ] {
            let tar = tar_of("set/a.bin", kind, b"");
            assert_refused(&tar, Contents::TarGz(&["a.bin"]), what);
        }
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        zip.add_symlink("set/a.bin", "/etc/passwd", options)
            .unwrap();
        let zip = zip.finish().unwrap().into_inner();
        assert_refused(&zip, Contents::Zip(&["a.bin"]), what);
    }

    #[test]
    fn bombs_end_at_the_bound() {
        let body = vec![0; 100_000];
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("archive");
        for (archive, contents) in [
            (
                tar_of("a.bin", tar::EntryType::Regular, &body),
                Contents::TarGz(&["a.bin"]),
            ),
            (zip_of("a.bin", &body), Contents::Zip(&["a.bin"])),
        ] {
            fs::write(&path, &archive).unwrap();
            assert!(archive.len() < 1000);
            unpack_bounded(&path, contents, place.path(), 100_000).unwrap();
            fs::remove_file(place.path().join("a.bin")).unwrap();
            let error = unpack_bounded(&path, contents, place.path(), 99_999).unwrap_err();
            let what = "its member a.bin has more than 99999 bytes";
            assert!(error.to_string().contains(what), "{error}");
            assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn missing_members_are_named() {
        let wanted = ["a.bin", "c.bin"];
        for (archive, contents) in [
            (tar_gz(), Contents::TarGz(&wanted)),
            (zipped(), Contents::Zip(&wanted)),
        ] {
            let message = unpacked(&archive, contents).unwrap_err().to_string();
            assert!(message.contains("has no member c.bin"), "{message}");
        }
    }

    #[test]
    fn broken_archives_are_refused() {
        let wanted = ["a.bin", "b.bin"];
        let (tar, zip) = (tar_gz(), zipped());
        for (archive, contents) in [
            (&tar[..tar.len() / 2], Contents::TarGz(&wanted)),
            (&zip[..zip.len() / 2], Contents::Zip(&wanted)),
            (b"text".as_slice(), Contents::TarGz(&wanted)),
            (b"text".as_slice(), Contents::Zip(&wanted)),
        ] {
            let message = unpacked(archive, contents).unwrap_err().to_string();
            assert!(message.contains("archive: cannot be unpacked"), "{message}");
        }
    }
}
