//! Files of PyTorch's `torch.save`, `.pth` or `.pt`: a pickle that describes tensors, and the numbers beside it.
//!
//! The crates that read them either bring a whole framework (candle) or do not read PyTorch's storages (serde-pickle); `zip`, which
//! data sets need anyway, and the machine in `pickle` are less, and that machine cannot run anything.

mod archive;
mod legacy;
mod pickle;
mod state_dict;
mod value;

use std::fs::File;
use std::io::Read;

use self::archive::Archive;
use self::value::Storage;
use super::Contents;
use super::float::Float;
use super::refusal::{Parsed, Refusal};

pub(super) use self::archive::SIGNATURE as ARCHIVE_SIGNATURE;
pub(super) use self::legacy::is_beginning as is_legacy;

/// Reads a file of PyTorch since 1.6.
pub(super) fn read_archive(file: File) -> Parsed<Contents> {
    let mut archive = Archive::open(file)?;
    archive.check_byte_order()?;
    let bytes = archive.pickle()?;
    let saved = pickle::load(&bytes)?;
    state_dict::read(&saved, &mut archive)
}

/// Reads a file of PyTorch before 1.6.
pub(super) fn read_legacy(file: File) -> Parsed<Contents> {
    let head = legacy::head(&file)?;
    let (saved, mut storages) = legacy::open(file, &head)?;
    state_dict::read(&saved, &mut storages)
}

/// Where storages are read from.
trait Source {
    /// The numbers of a storage.
    fn floats(&mut self, storage: &Storage, float: Float) -> Parsed<Vec<f32>>;
}

/// The numbers of a storage for which the file has so many bytes.
fn read_storage(
    storage: &Storage,
    float: Float,
    bytes: u64,
    reader: &mut impl Read,
) -> Parsed<Vec<f32>> {
    let Storage { key, count, .. } = *storage;
    if (count as u64).checked_mul(float.bytes()) != Some(bytes) {
        return Err(Refusal::damaged(format!(
            "its storage {key} has {bytes} bytes, expected {count} numbers of {}",
            float.bytes()
        )));
    }
    Ok(float.read(reader, count)?)
}
