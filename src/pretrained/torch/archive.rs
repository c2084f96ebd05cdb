//! PyTorch's files since 1.6: a zip archive `NAME/data.pkl`, `NAME/data/KEY` for every storage, nothing compressed.
//!
//! A storage has to lie there as it is, so that a file cannot unfold into more than it holds.

use std::fs::File;
use std::io::{BufReader, Read};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::super::float::Float;
use super::super::refusal::{Parsed, Refusal};
use super::value::Storage;
use super::{Source, pickle, read_storage};

/// What a zip archive with a first entry begins with.
pub(in super::super) const SIGNATURE: &[u8] = b"PK\x03\x04";

const PICKLE: &str = "/data.pkl";

/// An archive whose pickle has been found.
pub(super) struct Archive {
    zip: ZipArchive<BufReader<File>>,
    /// The folder that everything lies in.
    folder: String,
    /// Bytes of the file that no storage has been read from yet: two entries may share bytes.
    unread: u64,
}

impl Archive {
    /// Opens the archive.
    ///
    /// # Errors
    /// A broken archive, or one that is not PyTorch's.
    pub(super) fn open(file: File) -> Parsed<Self> {
        let unread = file.metadata()?.len();
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| broken(&error))?;
        let folder_of = |name: &str| {
            let folder = name.strip_suffix(PICKLE)?;
            (!folder.contains('/')).then(|| folder.to_owned())
        };
        let folder = zip
            .file_names()
            .find_map(|name| folder_of(&name.ok()?))
            .ok_or_else(|| {
                Refusal::foreign("is a zip archive without the data.pkl of torch.save")
            })?;
        Ok(Self {
            folder,
            zip,
            unread,
        })
    }

    /// The bytes of the pickle.
    pub(super) fn pickle(&mut self) -> Parsed<Vec<u8>> {
        let name = format!("{}{PICKLE}", self.folder);
        let mut bytes = Vec::new();
        let entry = self.zip.by_name(&name).map_err(|error| broken(&error))?;
        entry.take(pickle::MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > pickle::MAX_BYTES {
            let what = format!("has a pickle of more than {} bytes", pickle::MAX_BYTES);
            return Err(Refusal::foreign(what));
        }
        Ok(bytes)
    }

    /// Refuses numbers of the other byte order, in which PyTorch writes on few machines.
    pub(super) fn check_byte_order(&mut self) -> Parsed<()> {
        let name = format!("{}/byteorder", self.folder);
        let mut order = Vec::new();
        match self.zip.by_name(&name) {
            Ok(entry) => entry.take(16).read_to_end(&mut order)?,
            Err(ZipError::FileNotFound) => return Ok(()),
            Err(error) => return Err(broken(&error)),
        };
        match order.as_slice() {
            b"little" => Ok(()),
            _ => Err(Refusal::foreign("has numbers that are not little-endian")),
        }
    }
}

impl Source for Archive {
    fn floats(&mut self, storage: &Storage, float: Float) -> Parsed<Vec<f32>> {
        let name = format!("{}/data/{}", self.folder, storage.key);
        let mut entry = self.zip.by_name(&name).map_err(|error| match error {
            ZipError::FileNotFound => Refusal::damaged(format!("has no {name}")),
            error => broken(&error),
        })?;
        if entry.compression() != CompressionMethod::Stored {
            return Err(Refusal::foreign(format!(
                "its {name} is compressed, which PyTorch never does"
            )));
        }
        let bytes = entry.size();
        self.unread = self.unread.checked_sub(bytes).ok_or_else(|| {
            Refusal::damaged("its storages are larger together than the file, or share bytes")
        })?;
        let values = read_storage(storage, float, bytes, &mut entry)?;
        // The checksum is compared where the entry ends.
        match entry.read(&mut [0])? {
            0 => Ok(values),
            _ => Err(Refusal::damaged(format!(
                "its {name} goes on behind its end"
            ))),
        }
    }
}

fn broken(error: &ZipError) -> Refusal {
    Refusal::damaged(format!("is not a whole zip archive: {error}"))
}
