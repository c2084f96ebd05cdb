//! IDX files, the format MNIST and its relatives are published in, raw or gzip.
//!
//! Bytes 0-1 are zero, byte 2 the element type (0x08: unsigned byte), byte 3 the rank, then one
//! big-endian u32 per dimension, then the elements: `[count, height, width]` or `[count]`.
//! Source: <http://yann.lecun.com/exdb/mnist/>. A file that is not exactly that is refused.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::Images;
use crate::error::{Error, Result};

/// What a data folder holds; ends a sentence such as "give ...".
pub(super) const FOLDER_HINT: &str = "a folder with train-images-idx3-ubyte, \
     train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, raw or .gz";

const BROKEN_HINT: &str = "download the file again, or check that it is the file its name says";

/// Deflate never shrinks by more than this factor, which bounds what a gzip file can hold.
const DEFLATE_MAX_RATIO: u64 = 1032;

/// What the four files of a folder hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splits {
    /// From `train-images` and `train-labels`.
    pub train: Images,
    /// From `t10k-images` and `t10k-labels`.
    pub test: Images,
    /// Every label of both splits is below it.
    pub classes: usize,
}

/// Reads the four IDX files of `folder`: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and
/// the two beginning with `t10k`, each also with a dot before `idx`, raw or with `.gz` appended.
///
/// `classes` bounds the labels; `None` takes the largest training label plus one.
///
/// # Errors
/// A file that is missing or not exactly an IDX file of its kind, splits of different image size,
/// counts of images and labels that differ, or a label out of range.
pub fn read_folder(folder: &Path, classes: Option<usize>) -> Result<Splits> {
    let (train, train_labels) = read_split(folder, "train")?;
    let (test, test_labels) = read_split(folder, "t10k")?;
    let classes = classes.unwrap_or_else(|| {
        let largest = train.labels.iter().max().expect("a split is never empty");
        usize::from(*largest) + 1
    });
    check_labels(&train_labels, &train.labels, classes)?;
    check_labels(&test_labels, &test.labels, classes)?;
    if (test.height, test.width) != (train.height, train.width) {
        let what = format!(
            "the test images are {} x {}, expected {} x {} like the training images",
            test.height, test.width, train.height, train.width
        );
        return Err(Error::file(folder, what, BROKEN_HINT));
    }
    Ok(Splits {
        train,
        test,
        classes,
    })
}

/// The images of one split, and the path of its labels for later messages.
fn read_split(folder: &Path, split: &str) -> Result<(Images, PathBuf)> {
    let images_path = find(folder, &format!("{split}-images"), 3)?;
    let labels_path = find(folder, &format!("{split}-labels"), 1)?;
    let (dims, pixels) = read_idx(&images_path, 3)?;
    let (_, labels) = read_idx(&labels_path, 1)?;
    let [count, height, width] = dims[..] else {
        unreachable!("an IDX file of rank 3 has three dimensions")
    };
    if labels.len() != count {
        let what = format!(
            "holds {} labels, expected {count} as in {}",
            labels.len(),
            images_path.display()
        );
        return Err(Error::file(labels_path, what, BROKEN_HINT));
    }
    let images = Images {
        count,
        height,
        width,
        channels: 1,
        pixels,
        labels,
    };
    Ok((images, labels_path))
}

/// The file of the folder that has one of the names in use for this part of a data set.
fn find(folder: &Path, stem: &str, rank: u8) -> Result<PathBuf> {
    let mut not_a_file = None;
    for ending in ["", ".gz"] {
        for separator in ['-', '.'] {
            let path = folder.join(format!("{stem}{separator}idx{rank}-ubyte{ending}"));
            match path.metadata() {
                Ok(metadata) if metadata.is_file() => return Ok(path),
                Ok(_) => not_a_file = Some((path, "is not a regular file".to_owned())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => not_a_file = Some((path, format!("cannot be read: {error}"))),
            }
        }
    }
    let (path, what) = not_a_file.unwrap_or_else(|| {
        let what = format!("has no file {stem}-idx{rank}-ubyte, raw or .gz");
        (folder.to_path_buf(), what)
    });
    Err(Error::file(path, what, format!("give {FOLDER_HINT}")))
}

/// Refuses the first label that is not below `classes`.
fn check_labels(path: &Path, labels: &[u8], classes: usize) -> Result<()> {
    match labels
        .iter()
        .position(|&label| usize::from(label) >= classes)
    {
        None => Ok(()),
        Some(index) => {
            let what = format!(
                "label {} at byte {}, expected a label below {classes}",
                labels[index],
                header_bytes(1) + index as u64
            );
            Err(Error::file(path, what, BROKEN_HINT))
        }
    }
}

/// The dimensions and elements of one file, gzip recognised by its content.
fn read_idx(path: &Path, rank: u8) -> Result<(Vec<usize>, Vec<u8>)> {
    let unreadable =
        |error: std::io::Error| Error::file(path, format!("cannot be read: {error}"), BROKEN_HINT);
    let file = File::open(path).map_err(unreadable)?;
    let file_bytes = file.metadata().map_err(unreadable)?.len();
    let mut reader = BufReader::new(file);
    let is_gzip = reader
        .fill_buf()
        .map_err(unreadable)?
        .starts_with(&[0x1f, 0x8b]);
    if is_gzip {
        let most_bytes = file_bytes.saturating_mul(DEFLATE_MAX_RATIO);
        parse(MultiGzDecoder::new(reader), rank, file_bytes, most_bytes)
    } else {
        parse(reader, rank, file_bytes, file_bytes)
    }
    .map_err(|what| Error::file(path, what, BROKEN_HINT))
}

/// Bytes before the first element.
fn header_bytes(rank: u8) -> u64 {
    4 + 4 * u64::from(rank)
}

/// The dimensions and elements of a decompressed IDX file, or what is wrong with it.
///
/// `most_bytes` is the most that can come out of the reader, so a header that promises more is
/// refused unread; memory taken in advance never exceeds `file_bytes`.
fn parse(
    mut reader: impl Read,
    rank: u8,
    file_bytes: u64,
    most_bytes: u64,
) -> std::result::Result<(Vec<usize>, Vec<u8>), String> {
    let header_bytes = header_bytes(rank);
    let mut header = Vec::new();
    read_up_to(&mut reader, header_bytes, 0, &mut header)?;
    let dims = parse_header(&header, rank)?;
    let elements = dims
        .iter()
        .try_fold(1u64, |product, &dim| product.checked_mul(dim));
    let end = elements.and_then(|elements| elements.checked_add(header_bytes));
    let (Some(elements), Some(end)) = (elements, end) else {
        return Err(format!("its dimensions {dims:?} at byte 4 are absurd"));
    };
    let promise = format!("expected {end} by its dimensions {dims:?} at byte 4");
    if end > most_bytes {
        return Err(format!("is cut off: {file_bytes} bytes, {promise}"));
    }
    let mut bytes = Vec::with_capacity(elements.min(file_bytes) as usize);
    read_up_to(&mut reader, elements + 1, header_bytes, &mut bytes)?;
    let read = bytes.len() as u64;
    if read < elements {
        return Err(format!("ends at byte {}, {promise}", header_bytes + read));
    }
    if read > elements {
        return Err(format!("goes on after byte {end}, {promise}"));
    }
    Ok((dims.into_iter().map(|dim| dim as usize).collect(), bytes))
}

/// The dimensions in a header of the given rank.
fn parse_header(header: &[u8], rank: u8) -> std::result::Result<Vec<u64>, String> {
    let expected = header_bytes(rank);
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
    if header[2] != 0x08 {
        return Err(format!(
            "element type 0x{:02x} at byte 2, expected 0x08 (unsigned bytes)",
            header[2]
        ));
    }
    if header[3] != rank {
        let kind = if rank == 3 { "images" } else { "labels" };
        return Err(format!(
            "rank {} at byte 3, expected {rank} ({kind})",
            header[3]
        ));
    }
    let dims: Vec<u64> = header[4..]
        .chunks_exact(4)
        .map(|dim| u64::from(u32::from_be_bytes([dim[0], dim[1], dim[2], dim[3]])))
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
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    /// A header of unsigned bytes followed by `body`.
    fn idx(dims: &[u32], body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
        bytes.extend_from_slice(body);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn images(count: u32) -> Vec<u8> {
        let body: Vec<u8> = (0..count * 6).map(|i| (7 * i) as u8).collect();
        idx(&[count, 2, 3], &body)
    }

    /// A folder of 3 training and 2 test images of 2 x 3, labels 0 2 1 and 1 2.
    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name, bytes| fs::write(folder.path().join(name), bytes).unwrap();
        write("train-images-idx3-ubyte", images(3));
        write("train-labels-idx1-ubyte", idx(&[3], &[0, 2, 1]));
        write("t10k-images-idx3-ubyte", images(2));
        write("t10k-labels-idx1-ubyte", idx(&[2], &[1, 2]));
        folder
    }

    /// The message for a folder in which one file is replaced.
    fn refusal(name: &str, bytes: &[u8]) -> String {
        let folder = folder();
        fs::write(folder.path().join(name), bytes).unwrap();
        let error = read_folder(folder.path(), None).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(!error.hint().is_empty());
        assert!(!error.to_string().contains('\n'));
        error.to_string()
    }

    fn assert_refused(name: &str, bytes: &[u8], what: &str) {
        let message = refusal(name, bytes);
        assert!(message.contains(name), "{message}");
        assert!(message.contains(what), "{message}");
    }

    #[test]
    fn a_sound_folder_is_read() {
        let splits = read_folder(folder().path(), None).unwrap();
        assert_eq!(splits.classes, 3);
        assert_eq!(splits.train.labels, [0, 2, 1]);
        assert_eq!(splits.test.labels, [1, 2]);
        assert_eq!(splits.train.pixels[..], images(3)[16..]);
        assert_eq!(splits.test.pixels[..], images(2)[16..]);
        let train = &splits.train;
        assert_eq!(
            (train.count, train.height, train.width, train.channels),
            (3, 2, 3, 1)
        );
    }

    #[test]
    fn gzip_and_the_dotted_spelling_read_the_same() {
        let raw = folder();
        let expected = read_folder(raw.path(), None).unwrap();
        let other = tempfile::tempdir().unwrap();
        for (index, entry) in fs::read_dir(raw.path()).unwrap().enumerate() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let name = if index % 2 == 0 {
                name.replace("-idx", ".idx")
            } else {
                name.to_owned()
            };
            let bytes = gzip(&fs::read(&path).unwrap());
            fs::write(other.path().join(name + ".gz"), bytes).unwrap();
        }
        assert_eq!(read_folder(other.path(), None).unwrap(), expected);
    }

    #[test]
    fn gzip_is_recognised_whatever_the_name() {
        let folder = folder();
        let expected = read_folder(folder.path(), None).unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            fs::write(&path, gzip(&fs::read(&path).unwrap())).unwrap();
        }
        assert_eq!(read_folder(folder.path(), None).unwrap(), expected);
    }

    #[test]
    fn truncated_files_are_refused_with_offset_and_expectation() {
        let name = "train-images-idx3-ubyte";
        let bytes = images(3);
        assert_refused(name, &bytes[..33], "33 bytes, expected 34");
        assert_refused(name, &bytes[..16], "16 bytes, expected 34");
        assert_refused(name, &bytes[..9], "ends at byte 9");
        assert_refused(name, &[], "ends at byte 0");
        assert_refused(name, &gzip(&bytes[..33]), "ends at byte 33, expected 34");
        assert_refused("t10k-labels-idx1-ubyte", &[0, 0, 8], "ends at byte 3");
    }

    #[test]
    fn oversized_files_are_refused_with_offset_and_expectation() {
        let mut bytes = images(3);
        bytes.push(0);
        let name = "train-images-idx3-ubyte";
        assert_refused(name, &bytes, "goes on after byte 34");
        assert_refused(name, &gzip(&bytes), "goes on after byte 34");
        let labels = idx(&[3], &[0, 1, 2, 0]);
        assert_refused("train-labels-idx1-ubyte", &labels, "goes on after byte 11");
    }

    #[test]
    fn a_wrong_magic_type_or_rank_is_refused() {
        let name = "t10k-images-idx3-ubyte";
        let mut bytes = images(2);
        bytes[0] = 0x89;
        assert_refused(name, &bytes, "89 00 at byte 0");
        bytes[0] = 0;
        bytes[2] = 0x0d;
        assert_refused(name, &bytes, "0x0d at byte 2, expected 0x08");
        let long_labels = idx(&[20], &[0; 20]);
        assert_refused(name, &long_labels, "rank 1 at byte 3, expected 3 (images)");
        assert_refused(
            "train-labels-idx1-ubyte",
            &images(3),
            "rank 3 at byte 3, expected 1 (labels)",
        );
    }

    #[test]
    fn empty_dimensions_are_refused() {
        let name = "train-images-idx3-ubyte";
        assert_refused(name, &idx(&[0, 2, 3], &[]), "zero at byte 4");
        assert_refused(name, &idx(&[3, 0, 3], &[]), "zero at byte 8");
        assert_refused(name, &idx(&[3, 2, 0], &[]), "zero at byte 12");
        assert_refused("t10k-labels-idx1-ubyte", &idx(&[0], &[]), "zero at byte 4");
    }

    #[test]
    fn absurd_headers_are_refused_without_reading_or_allocating() {
        let name = "train-images-idx3-ubyte";
        let overflowing = idx(&[u32::MAX; 3], &[0; 18]);
        assert_refused(name, &overflowing, "absurd");
        assert_refused(name, &gzip(&overflowing), "absurd");
        let huge = idx(&[u32::MAX, u32::MAX, 1], &[0; 18]);
        assert_refused(name, &huge, "is cut off: 34 bytes");
        assert_refused(name, &gzip(&huge), "is cut off");
    }

    #[test]
    fn broken_gzip_is_refused() {
        let name = "train-images-idx3-ubyte";
        let sound = gzip(&images(3));
        assert_refused(name, &[0x1f, 0x8b], "unreadable after byte 0");
        assert_refused(
            name,
            &[[0x1f, 0x8b].as_slice(), &[7; 64]].concat(),
            "unreadable",
        );
        assert_refused(name, &sound[..sound.len() - 9], "unreadable");
        assert_refused(name, &sound[..sound.len() - 1], "unreadable");
        assert_refused(name, &[&sound, [7u8; 20].as_slice()].concat(), "unreadable");
        let mut wrong_checksum = sound.clone();
        let at = wrong_checksum.len() - 6;
        wrong_checksum[at] ^= 1;
        assert_refused(name, &wrong_checksum, "unreadable");
    }

    #[test]
    fn counts_of_images_and_labels_must_agree() {
        assert_refused(
            "train-labels-idx1-ubyte",
            &idx(&[2], &[0, 1]),
            "holds 2 labels, expected 3",
        );
    }

    #[test]
    fn a_label_out_of_range_is_refused_with_its_offset() {
        assert_refused(
            "t10k-labels-idx1-ubyte",
            &idx(&[2], &[1, 3]),
            "label 3 at byte 9, expected a label below 3",
        );
        let error = read_folder(folder().path(), Some(2)).unwrap_err();
        assert!(error.to_string().contains("label 2 at byte 9"), "{error}");
        assert_eq!(read_folder(folder().path(), Some(10)).unwrap().classes, 10);
    }

    #[test]
    fn splits_of_different_size_are_refused() {
        let message = refusal("t10k-images-idx3-ubyte", &idx(&[2, 3, 2], &[0; 12]));
        assert!(message.contains("3 x 2, expected 2 x 3"), "{message}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = folder();
        fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte")).unwrap();
        let error = read_folder(folder.path(), None).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("has no file t10k-labels-idx1-ubyte")
        );
        assert!(error.hint().contains("raw or .gz"));
        assert!(read_folder(Path::new("no/such/folder"), None).is_err());
    }

    #[test]
    fn a_directory_in_place_of_a_file_is_refused() {
        let folder = folder();
        let path = folder.path().join("train-images-idx3-ubyte");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let error = read_folder(folder.path(), None).unwrap_err();
        assert!(
            error.to_string().contains("is not a regular file"),
            "{error}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn an_unreadable_file_is_refused() {
        let folder = folder();
        let path = folder.path().join("train-images-idx3-ubyte");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&path, &path).unwrap();
        let error = read_folder(folder.path(), None).unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_result_and_never_a_panic(bytes: Vec<u8>, rank in 1u8..4) {
            let most = bytes.len() as u64;
            let _ = parse(bytes.as_slice(), rank, most, most);
        }

        #[test]
        fn any_flipped_byte_gives_a_result_and_never_a_panic(at in 0usize..34, value: u8) {
            let mut bytes = images(3);
            bytes[at] = value;
            let parsed = parse(bytes.as_slice(), 3, 34, 34);
            prop_assert_eq!(parsed.is_ok(), at >= 16 || value == images(3)[at]);
        }
    }
}
