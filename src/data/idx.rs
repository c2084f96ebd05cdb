//! IDX files, the format MNIST and its relatives are published in, raw or gzip.
//!
//! Bytes 0-1 are zero, byte 2 the element type (0x08: unsigned byte, 0x0c: 32-bit integer), byte 3
//! the rank, then one big-endian u32 per dimension, then the elements, big-endian too.
//! Source: <http://yann.lecun.com/exdb/mnist/>. A file that is not exactly that is refused.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::{BROKEN_HINT, DEFLATE_MAX_RATIO};
use crate::error::{Error, Result};
use crate::file;
use crate::host_memory;

/// Columns of QMNIST's extended labels: class, NIST series, writer, digit of this writer, NIST
/// class code, digit of all, duplicate, unused. Source: <https://github.com/facebookresearch/qmnist>.
const EXTENDED_COLUMNS: usize = 8;

/// What a file is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Bytes `[count, height, width]`.
    Images,
    /// Bytes `[count]`.
    Labels,
    /// QMNIST's integers `[count, 8]`, the class in the first column.
    ExtendedLabels,
}

impl Kind {
    /// How the published file names end.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Images => "idx3-ubyte",
            Self::Labels => "idx1-ubyte",
            Self::ExtendedLabels => "idx2-int",
        }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Images => 3,
            Self::Labels => 1,
            Self::ExtendedLabels => 2,
        }
    }

    /// Byte 2 of the file and what it stands for.
    fn element(self) -> (u8, &'static str) {
        match self {
            Self::Images | Self::Labels => (0x08, "unsigned bytes"),
            Self::ExtendedLabels => (0x0c, "32-bit integers"),
        }
    }

    fn element_bytes(self) -> u64 {
        match self {
            Self::Images | Self::Labels => 1,
            Self::ExtendedLabels => 4,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
            Self::ExtendedLabels => "extended labels",
        }
    }

    /// Bytes before the first element.
    fn header_bytes(self) -> u64 {
        4 + 4 * u64::from(self.rank())
    }
}

/// The contents of an image file.
#[derive(Debug)]
pub(super) struct Pixels {
    pub count: usize,
    pub height: usize,
    pub width: usize,
    /// `[count, height, width]`.
    pub bytes: Vec<u8>,
}

/// The contents of a label file.
#[derive(Debug)]
pub(super) struct Labels {
    pub values: Vec<u8>,
    path: PathBuf,
    kind: Kind,
}

impl Labels {
    /// Refuses the file for its label `index`; `expected` ends the sentence.
    pub(super) fn refuse(&self, index: usize, expected: &str) -> Error {
        self.refuse_with(index, expected, BROKEN_HINT)
    }

    /// Refuses the file for its label `index`, with what to do about it.
    pub(super) fn refuse_with(&self, index: usize, expected: &str, hint: &str) -> Error {
        let label = i64::from(self.values[index]);
        let what = wrong_label(self.kind, index, label, expected);
        Error::file(&self.path, what, hint)
    }

    /// Refuses the file for what it holds altogether.
    pub(super) fn refuse_all(&self, what: String) -> Error {
        Error::file(&self.path, what, BROKEN_HINT)
    }
}

fn wrong_label(kind: Kind, index: usize, label: i64, expected: &str) -> String {
    let bytes_per_label = match kind {
        Kind::ExtendedLabels => kind.element_bytes() * EXTENDED_COLUMNS as u64,
        Kind::Images | Kind::Labels => kind.element_bytes(),
    };
    let at = kind.header_bytes() + index as u64 * bytes_per_label;
    format!("label {label} at byte {at}, expected {expected}")
}

/// Reads an image file.
///
/// # Errors
/// A file that cannot be read or is not exactly an IDX file of bytes of rank 3.
pub(super) fn read_images(path: &Path) -> Result<Pixels> {
    let (dims, bytes) = read(path, Kind::Images)?;
    let [count, height, width] = dims[..] else {
        unreachable!("an IDX file of rank 3 has three dimensions")
    };
    Ok(Pixels {
        count,
        height,
        width,
        bytes,
    })
}

/// Reads a label file, plain or extended.
///
/// # Errors
/// A file that cannot be read or is not exactly an IDX file of its kind, and an extended class
/// that does not fit a byte.
pub(super) fn read_labels(path: &Path, kind: Kind) -> Result<Labels> {
    let (dims, bytes) = read(path, kind)?;
    let values = match kind {
        Kind::Labels => bytes,
        Kind::ExtendedLabels => first_column(path, &dims, &bytes)?,
        Kind::Images => panic!("images are no labels"),
    };
    Ok(Labels {
        values,
        path: path.to_path_buf(),
        kind,
    })
}

/// The classes of extended labels.
fn first_column(path: &Path, dims: &[usize], bytes: &[u8]) -> Result<Vec<u8>> {
    let kind = Kind::ExtendedLabels;
    if dims[1] != EXTENDED_COLUMNS {
        let what = format!(
            "has {} columns by byte 8, expected {EXTENDED_COLUMNS}",
            dims[1]
        );
        return Err(Error::file(path, what, BROKEN_HINT));
    }
    let (integers, _) = bytes.as_chunks::<4>();
    let classes = integers.iter().step_by(EXTENDED_COLUMNS);
    let class = |(index, &bytes): (usize, &[u8; 4])| {
        let class = i32::from_be_bytes(bytes);
        u8::try_from(class).map_err(|_| {
            let what = wrong_label(kind, index, class.into(), "a class from 0 to 9");
            Error::file(path, what, BROKEN_HINT)
        })
    };
    classes.enumerate().map(class).collect()
}

/// The dimensions and elements of one file, gzip recognised by its content.
fn read(path: &Path, kind: Kind) -> Result<(Vec<usize>, Vec<u8>)> {
    let (file, file_bytes) = file::open(path, BROKEN_HINT)?;
    let mut reader = BufReader::new(file);
    let is_gzip = reader
        .fill_buf()
        .map_err(|error| Error::file(path, format!("cannot be read: {error}"), BROKEN_HINT))?
        .starts_with(&[0x1f, 0x8b]);
    if is_gzip {
        let most_bytes = file_bytes.saturating_mul(DEFLATE_MAX_RATIO);
        parse(MultiGzDecoder::new(reader), kind, file_bytes, most_bytes)
    } else {
        parse(reader, kind, file_bytes, file_bytes)
    }
    .map_err(|what| Error::file(path, what, BROKEN_HINT))
}

/// The dimensions and elements of a decompressed IDX file, or what is wrong with it.
///
/// `most_bytes` is the most that can come out of the reader, so a header that promises more is
/// refused unread; memory taken in advance never exceeds `file_bytes`.
fn parse(
    mut reader: impl Read,
    kind: Kind,
    file_bytes: u64,
    most_bytes: u64,
) -> std::result::Result<(Vec<usize>, Vec<u8>), String> {
    let header_bytes = kind.header_bytes();
    let mut header = Vec::new();
    read_up_to(&mut reader, header_bytes, 0, &mut header)?;
    let dims = parse_header(&header, kind)?;
    let body_bytes = dims.iter().try_fold(kind.element_bytes(), |product, &dim| {
        product.checked_mul(dim)
    });
    let end = body_bytes.and_then(|body_bytes| body_bytes.checked_add(header_bytes));
    let (Some(body_bytes), Some(end)) = (body_bytes, end) else {
        return Err(format!("its dimensions {dims:?} at byte 4 are absurd"));
    };
    let promise = format!("expected {end} by its dimensions {dims:?} at byte 4");
    if end > most_bytes {
        return Err(format!("is cut off: {file_bytes} bytes, {promise}"));
    }
    if let Some(shortage) = host_memory::shortage(body_bytes) {
        return Err(shortage);
    }
    let mut bytes = Vec::with_capacity(body_bytes.min(file_bytes) as usize);
    read_up_to(&mut reader, body_bytes + 1, header_bytes, &mut bytes)?;
    let read = bytes.len() as u64;
    if read < body_bytes {
        return Err(format!("ends at byte {}, {promise}", header_bytes + read));
    }
    if read > body_bytes {
        return Err(format!("goes on after byte {end}, {promise}"));
    }
    Ok((dims.into_iter().map(|dim| dim as usize).collect(), bytes))
}

/// The dimensions in a header of the given kind.
fn parse_header(header: &[u8], kind: Kind) -> std::result::Result<Vec<u64>, String> {
    let expected = kind.header_bytes();
    if header.len() as u64 != expected {
        return Err(format!(
            "ends at byte {}, inside the {expected} bytes of an IDX header",
            header.len()
        ));
    }
    if header[..2] != [0, 0] {
        return Err(format!(
            "is not an IDX file: {:02x} {:02x} at byte 0, expected 00 00",
            header[0], header[1]
        ));
    }
    let (element, element_name) = kind.element();
    if header[2] != element {
        return Err(format!(
            "element type 0x{:02x} at byte 2, expected 0x{element:02x} ({element_name})",
            header[2]
        ));
    }
    if header[3] != kind.rank() {
        return Err(format!(
            "rank {} at byte 3, expected {} ({})",
            header[3],
            kind.rank(),
            kind.noun()
        ));
    }
    let (dims, _) = header[4..].as_chunks::<4>();
    let dims: Vec<u64> = dims
        .iter()
        .map(|&dim| u64::from(u32::from_be_bytes(dim)))
        .collect();
    match dims.iter().position(|&dim| dim == 0) {
        Some(axis) => Err(format!(
            "is empty: dimensions {dims:?}, zero at byte {}",
            4 + 4 * axis
        )),
        None => Ok(dims),
    }
}

/// Appends at most `limit` bytes; `offset` is where in the contents they begin.
fn read_up_to(
    reader: &mut impl Read,
    limit: u64,
    offset: u64,
    bytes: &mut Vec<u8>,
) -> std::result::Result<(), String> {
    let read = reader.take(limit).read_to_end(bytes);
    read.map(drop).map_err(|error| {
        format!(
            "unreadable after byte {}: {error}",
            offset + bytes.len() as u64
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    /// A file of 3 images of 2 x 3.
    fn images() -> Vec<u8> {
        let header = [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 3];
        header.into_iter().chain((0..18).map(|i| 7 * i)).collect()
    }

    /// Extended labels of these classes; the other columns hold other numbers.
    fn extended(classes: &[i32], columns: u32) -> Vec<u8> {
        let mut bytes = vec![0, 0, 0x0c, 2];
        bytes.extend((classes.len() as u32).to_be_bytes());
        bytes.extend(columns.to_be_bytes());
        for &class in classes {
            bytes.extend(class.to_be_bytes());
            (1..columns).for_each(|column| bytes.extend((70_000 + column).to_be_bytes()));
        }
        bytes
    }

    fn read_extended(bytes: &[u8]) -> Result<Labels> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        read_labels(file.path(), Kind::ExtendedLabels)
    }

    #[test]
    fn extended_labels_give_their_classes() {
        let labels = read_extended(&extended(&[5, 0, 9], 8)).unwrap();
        assert_eq!(labels.values, [5, 0, 9]);
        let error = labels.refuse(2, "less").to_string();
        assert!(
            error.ends_with("label 9 at byte 76, expected less"),
            "{error}"
        );
    }

    #[test]
    fn broken_extended_labels_are_refused() {
        let refusal = |bytes: &[u8]| read_extended(bytes).unwrap_err().to_string();
        let sound = extended(&[5, 0, 9], 8);
        let message = refusal(&extended(&[5, 0, 9], 7));
        assert!(
            message.contains("has 7 columns by byte 8, expected 8"),
            "{message}"
        );
        for class in [-1, 256] {
            let message = refusal(&extended(&[5, class], 8));
            let expected = format!("label {class} at byte 44, expected a class from 0 to 9");
            assert!(message.contains(&expected), "{message}");
        }
        let message = refusal(&sound[..sound.len() - 1]);
        assert!(message.contains("107 bytes, expected 108"), "{message}");
        let message = refusal(&[&sound[..], &[0]].concat());
        assert!(message.contains("goes on after byte 108"), "{message}");
        let message = refusal(&images());
        let expected = "0x08 at byte 2, expected 0x0c (32-bit integers)";
        assert!(message.contains(expected), "{message}");
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_result_and_never_a_panic(bytes: Vec<u8>, kind in 0usize..3) {
            let kind = [Kind::Images, Kind::Labels, Kind::ExtendedLabels][kind];
            let most = bytes.len() as u64;
            let _ = parse(bytes.as_slice(), kind, most, most);
        }

        #[test]
        fn any_flipped_byte_gives_a_result_and_never_a_panic(at in 0usize..34, value: u8) {
            let mut bytes = images();
            bytes[at] = value;
            let parsed = parse(bytes.as_slice(), Kind::Images, 34, 34);
            prop_assert_eq!(parsed.is_ok(), at >= 16 || value == images()[at]);
        }
    }
}
