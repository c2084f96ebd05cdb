//! Arrays of whole numbers from MATLAB's MAT-files of level 5, as `save -v6` and `save -v7` write them; `structs.rs` reads
//! structs and cells of text.
//!
//! 128 bytes of header, then elements: a type and a length, four bytes each, and that many bytes. A
//! variable is a matrix element, alone or as a zlib stream of its own; in it, elements that begin at
//! multiples of eight bytes tell class, dimensions, name and values. Up to four bytes of values may
//! share the eight bytes of type and length. Source: MathWorks, "MAT-File Format", chapter 1.
//! (Read by hand because crates for it do not say where a file is broken.)

mod structs;

use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::ZlibDecoder;

use super::{BROKEN_HINT, DEFLATE_MAX_RATIO};
use crate::error::{Error, Result};
use crate::file;
use crate::host_memory;

#[cfg(test)]
pub(super) use structs::tests as struct_tests;
pub(super) use structs::{Field, read_structs, read_texts};

const HEADER_BYTES: u64 = 128;

/// Element types.
const INT8: u32 = 1;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// A numeric array whose values are all whole and fit `T`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Array<T = u8> {
    pub dims: Vec<usize>,
    /// The first axis the fastest.
    pub values: Vec<T>,
}

/// A whole number that values are read as.
pub(super) trait Whole: Copy + From<u8> + Into<f64> + std::fmt::Display {
    const MAX: Self;
    /// The nearest one towards zero.
    fn truncate(value: f64) -> Self;
}

impl Whole for u8 {
    const MAX: Self = Self::MAX;
    fn truncate(value: f64) -> Self {
        value as Self
    }
}

impl Whole for u32 {
    const MAX: Self = Self::MAX;
    fn truncate(value: f64) -> Self {
        value as Self
    }
}

/// What is wrong with a file.
type Parsed<T> = std::result::Result<T, String>;

/// Reads the arrays of these names; others are skipped.
///
/// # Errors
/// A file that cannot be read or is not of the format, a name that is missing, or an array that does
/// not hold whole numbers from 0 to what `T` has room for.
pub(super) fn read<T: Whole, const N: usize>(
    path: &Path,
    names: [&str; N],
) -> Result<[Array<T>; N]> {
    read_as(path, names, |matrix| matrix.array())
}

/// Reads the variables of these names as what `read` makes of each.
fn read_as<T, const N: usize>(
    path: &Path,
    names: [&str; N],
    read: impl Fn(Matrix) -> Parsed<T>,
) -> Result<[T; N]> {
    let refuse = |what: String| Error::file(path, what, BROKEN_HINT);
    let (file, file_bytes) = file::open(path, BROKEN_HINT)?;
    let mut found = [const { None }; N];
    parse(BufReader::new(file), file_bytes, |name, matrix| {
        let wanted = names.iter().position(|wanted| *wanted == name);
        if let Some(index) = wanted {
            found[index] = Some(read(matrix)?);
        }
        Ok(())
    })
    .map_err(refuse)?;
    for (array, name) in found.iter().zip(names) {
        if array.is_none() {
            return Err(refuse(format!("has no array named {name}")));
        }
    }
    Ok(found.map(|array| array.expect("all are found")))
}

/// Calls `visit` with the name and the rest of every matrix of the file.
fn parse(
    mut reader: impl Read,
    file_bytes: u64,
    mut visit: impl FnMut(&str, Matrix) -> Parsed<()>,
) -> Parsed<()> {
    check_header(&mut reader)?;
    let mut at = HEADER_BYTES;
    while at < file_bytes {
        let in_element = |what: String| format!("in the element that begins at byte {at}: {what}");
        let mut tag = [0; 8];
        reader
            .read_exact(&mut tag)
            .map_err(|error| in_element(format!("its first 8 bytes cannot be read: {error}")))?;
        let (kind, bytes) = split_tag(tag);
        let end = at + 8 + u64::from(bytes);
        if end > file_bytes {
            return Err(in_element(format!(
                "is cut off: it ends at byte {end}, the file at byte {file_bytes}"
            )));
        }
        let body = read_element(&mut reader, kind, bytes.into()).map_err(in_element)?;
        let (name, matrix) = open_matrix(&body).map_err(in_element)?;
        visit(name, matrix).map_err(in_element)?;
        at = end;
    }
    Ok(())
}

/// The body of a matrix element, decompressed.
fn read_element(reader: &mut impl Read, kind: u32, bytes: u64) -> Parsed<Vec<u8>> {
    let mut stored = reader.take(bytes);
    match kind {
        MATRIX => read_exactly(&mut stored, bytes),
        COMPRESSED => {
            let body = inflate(&mut stored, bytes)?;
            // The decoder may leave padding behind the stream unread.
            std::io::copy(&mut stored, &mut std::io::sink()).map_err(|error| error.to_string())?;
            Ok(body)
        }
        other => Err(format!(
            "type {other}, expected {MATRIX} (matrix) or {COMPRESSED} (compressed)"
        )),
    }
}

/// The body of the one matrix in a zlib stream of at most `bytes`.
fn inflate(stored: &mut impl Read, bytes: u64) -> Parsed<Vec<u8>> {
    let mut stream = ZlibDecoder::new(stored);
    let mut tag = [0; 8];
    stream
        .read_exact(&mut tag)
        .map_err(|error| format!("cannot be decompressed: {error}"))?;
    let (kind, length) = split_tag(tag);
    if kind != MATRIX {
        return Err(format!("holds type {kind}, expected {MATRIX} (matrix)"));
    }
    if u64::from(length) > bytes.saturating_mul(DEFLATE_MAX_RATIO) {
        return Err(format!("promises {length} bytes, more than can be in it"));
    }
    if let Some(shortage) = host_memory::shortage(length.into()) {
        return Err(shortage);
    }
    let body = read_exactly(&mut stream, length.into())?;
    match read_exactly(&mut stream, 1) {
        Ok(_) => Err(format!("goes on after the {length} bytes it promises")),
        Err(_) => Ok(body),
    }
}

fn read_exactly(reader: &mut impl Read, bytes: u64) -> Parsed<Vec<u8>> {
    let mut body = Vec::new();
    reader
        .take(bytes)
        .read_to_end(&mut body)
        .map_err(|error| format!("unreadable after byte {}: {error}", body.len()))?;
    if (body.len() as u64) < bytes {
        return Err(format!("ends after {} bytes, expected {bytes}", body.len()));
    }
    Ok(body)
}

fn check_header(reader: &mut impl Read) -> Parsed<()> {
    let mut header = [0; HEADER_BYTES as usize];
    reader
        .read_exact(&mut header)
        .map_err(|_| format!("is shorter than the {HEADER_BYTES} bytes of a MAT-file's header"))?;
    let [.., version_low, version_high, m, i] = header;
    match [version_low, version_high, m, i] {
        [0x00, 0x01, b'I', b'M'] => Ok(()),
        [0x01, 0x00, b'M', b'I'] => Err("is big-endian by byte 126, expected IM".to_owned()),
        [0x00, 0x02, b'I', b'M'] => {
            Err("is of version 7.3 by byte 124, expected a file of level 5".to_owned())
        }
        found => Err(format!(
            "is not a MAT-file of level 5: {found:02x?} at byte 124, expected [00, 01, 49, 4d]"
        )),
    }
}

/// Type and length at the start of an element.
fn split_tag([a, b, c, d, e, f, g, h]: [u8; 8]) -> (u32, u32) {
    (
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    )
}

/// A matrix whose name has been read.
#[derive(Debug)]
struct Matrix<'a> {
    class: u8,
    is_complex: bool,
    dims: Vec<usize>,
    /// What follows the name.
    rest: Elements<'a>,
}

/// The name of a matrix, and the rest.
fn open_matrix(body: &[u8]) -> Parsed<(&str, Matrix<'_>)> {
    let mut elements = Elements { body, at: 0 };
    let flags = elements.next(UINT32, "the array flags")?;
    let dims = elements.next(INT32, "the dimensions")?;
    let name = elements.next(INT8, "the name")?;
    let &[class, flag_bits, ..] = flags else {
        return Err("has empty array flags".to_owned());
    };
    let (dims, _) = dims.as_chunks::<4>();
    let dim = |&bytes| usize::try_from(i32::from_le_bytes(bytes));
    let dims: std::result::Result<Vec<usize>, _> = dims.iter().map(dim).collect();
    let name = std::str::from_utf8(name).map_err(|_| "has a name that is not text")?;
    let matrix = Matrix {
        class,
        is_complex: flag_bits & 0x08 != 0,
        dims: dims.map_err(|_| format!("{name} has a negative dimension"))?,
        rest: elements,
    };
    Ok((name, matrix))
}

impl Matrix<'_> {
    /// The number of its values, by its dimensions.
    fn count(&self) -> Parsed<usize> {
        let size = |count, &dim: &usize| usize::checked_mul(count, dim);
        let count = self.dims.iter().try_fold(1, size);
        count
            .filter(|&count| count > 0)
            .ok_or_else(|| format!("its dimensions {:?} are empty or absurd", self.dims))
    }

    /// Its values.
    fn array<T: Whole>(mut self) -> Parsed<Array<T>> {
        if !(6..=15).contains(&self.class) || self.is_complex {
            let class = self.class;
            return Err(format!(
                "array class {class}, expected real numbers (6 to 15)"
            ));
        }
        let count = self.count()?;
        let (kind, bytes) = self.rest.next_of_any_type("the values")?;
        let values = to_whole(kind, bytes)?;
        if values.len() != count {
            return Err(format!(
                "holds {} values, expected {:?} by its dimensions",
                values.len(),
                self.dims
            ));
        }
        Ok(Array {
            dims: self.dims,
            values,
        })
    }
}

/// The elements in a matrix.
#[derive(Debug)]
struct Elements<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Elements<'a> {
    /// The contents of the next element, which has to be of that type.
    fn next(&mut self, expected: u32, what: &str) -> Parsed<&'a [u8]> {
        let at = self.at;
        match self.next_of_any_type(what)? {
            (kind, bytes) if kind == expected => Ok(bytes),
            (kind, _) => Err(format!(
                "type {kind} at byte {at} of the matrix, expected {expected} ({what})"
            )),
        }
    }

    /// The type and contents of the next element.
    fn next_of_any_type(&mut self, what: &str) -> Parsed<(u32, &'a [u8])> {
        let cut = || format!("ends inside {what}, after {} bytes", self.body.len());
        let rest = self.body.get(self.at..).ok_or_else(cut)?;
        let (&tag, after) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
        let (first, second) = split_tag(tag);
        let (kind, small_bytes) = (first & 0xffff, (first >> 16) as usize);
        if small_bytes > 0 {
            let bytes = rest[4..8].get(..small_bytes).ok_or_else(|| {
                format!(
                    "{small_bytes} bytes of {what} at byte {}, expected at most 4",
                    self.at
                )
            })?;
            self.at += 8;
            return Ok((kind, bytes));
        }
        let bytes = after.get(..second as usize).ok_or_else(cut)?;
        self.at += 8 + bytes.len().next_multiple_of(8);
        Ok((first, bytes))
    }
}

/// Values of an element type as whole numbers.
fn to_whole<T: Whole>(kind: u32, bytes: &[u8]) -> Parsed<Vec<T>> {
    match kind {
        1 => convert(bytes, |[a]: [u8; 1]| f64::from(a as i8)),
        2 => Ok(bytes.iter().map(|&byte| byte.into()).collect()),
        3 => convert(bytes, |value| i16::from_le_bytes(value).into()),
        4 => convert(bytes, |value| u16::from_le_bytes(value).into()),
        5 => convert(bytes, |value| i32::from_le_bytes(value).into()),
        6 => convert(bytes, |value| u32::from_le_bytes(value).into()),
        7 => convert(bytes, |value| f32::from_le_bytes(value).into()),
        9 => convert(bytes, f64::from_le_bytes),
        12 => convert(bytes, |value| i64::from_le_bytes(value) as f64),
        13 => convert(bytes, |value| u64::from_le_bytes(value) as f64),
        other => Err(format!("values of type {other}, expected numbers")),
    }
}

fn convert<T: Whole, const N: usize>(
    bytes: &[u8],
    value: impl Fn([u8; N]) -> f64,
) -> Parsed<Vec<T>> {
    let (values, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        let length = bytes.len();
        return Err(format!(
            "{length} bytes of values, expected a multiple of {N}"
        ));
    }
    let to_whole = |(index, &bytes): (usize, &[u8; N])| {
        let value = value(bytes);
        let whole = T::truncate(value);
        (whole.into() == value).then_some(whole).ok_or_else(|| {
            let max = T::MAX;
            format!("value {value} at index {index}, expected a whole number from 0 to {max}")
        })
    };
    values.iter().enumerate().map(to_whole).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use proptest::prelude::*;

    use super::*;

    /// An element with padding behind it.
    pub(super) fn element(kind: u32, bytes: &[u8]) -> Vec<u8> {
        let mut element = [kind, bytes.len() as u32].map(u32::to_le_bytes).concat();
        element.extend_from_slice(bytes);
        element.resize(element.len().next_multiple_of(8), 0);
        element
    }

    /// An element of at most four bytes within the eight of type and length.
    fn small_element(kind: u16, bytes: &[u8]) -> Vec<u8> {
        let mut element = [kind, bytes.len() as u16].map(u16::to_le_bytes).concat();
        element.extend_from_slice(bytes);
        element.resize(8, 0);
        element
    }

    pub(super) fn matrix_of(class: u8, name: &str, dims: &[i32], values: &[u8]) -> Vec<u8> {
        let dims = dims.iter().flat_map(|dim| dim.to_le_bytes());
        let name = match name.len() {
            1..=4 => small_element(1, name.as_bytes()),
            _ => element(INT8, name.as_bytes()),
        };
        let body = [
            element(UINT32, &[class, 0, 0, 0, 0, 0, 0, 0]),
            element(INT32, &dims.collect::<Vec<u8>>()),
            name,
            values.to_vec(),
        ];
        element(MATRIX, &body.concat())
    }

    /// An array of bytes.
    pub(in crate::data) fn matrix(name: &str, dims: &[i32], values: &[u8]) -> Vec<u8> {
        matrix_of(9, name, dims, &element(2, values))
    }

    fn header() -> Vec<u8> {
        let mut header = b"MATLAB 5.0 MAT-file".to_vec();
        header.resize(124, b' ');
        header.extend([0, 1, b'I', b'M']);
        header
    }

    fn compressed(matrix: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(matrix).unwrap();
        let stream = encoder.finish().unwrap();
        let mut element = [COMPRESSED, stream.len() as u32]
            .map(u32::to_le_bytes)
            .concat();
        element.extend(stream);
        element
    }

    /// A file of these matrices, each compressed.
    pub(in crate::data) fn mat_file(matrices: &[Vec<u8>]) -> Vec<u8> {
        let elements = matrices.iter().map(|matrix| compressed(matrix));
        std::iter::once(header())
            .chain(elements)
            .collect::<Vec<_>>()
            .concat()
    }

    fn read_bytes(bytes: &[u8]) -> Result<[Array; 2]> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        read(file.path(), ["X", "labels"])
    }

    fn refusal(bytes: &[u8]) -> String {
        let message = read_bytes(bytes).unwrap_err().to_string();
        assert!(!message.contains('\n'), "{message}");
        message
    }

    fn assert_refused(bytes: &[u8], what: &str) {
        let message = refusal(bytes);
        assert!(message.contains(what), "no `{what}` in {message}");
    }

    /// `X` of bytes, `labels` of doubles, and one that nobody asks for.
    fn matrices() -> [Vec<u8>; 3] {
        let doubles: Vec<u8> = [3.0f64, 10.0]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        [
            matrix("X", &[2, 3], &[1, 2, 3, 4, 5, 255]),
            matrix_of(4, "text", &[1, 1], &small_element(4, &[65, 0])),
            matrix_of(6, "labels", &[1, 2], &element(9, &doubles)),
        ]
    }

    #[test]
    fn arrays_are_read_compressed_or_not() {
        let [x, text, labels] = matrices();
        let plain = [header(), x.clone(), text.clone(), labels.clone()].concat();
        let expected = [
            Array {
                dims: vec![2, 3],
                values: vec![1, 2, 3, 4, 5, 255],
            },
            Array {
                dims: vec![1, 2],
                values: vec![3, 10],
            },
        ];
        assert_eq!(read_bytes(&plain).unwrap(), expected);
        let reversed = mat_file(&[labels, text, x]);
        assert_eq!(read_bytes(&reversed).unwrap(), expected);
    }

    #[test]
    fn every_number_type_is_read() {
        let le = |kind: u32| match kind {
            1 | 2 => vec![0, 100],
            3 | 4 => vec![0, 0, 100, 0],
            5 | 6 => vec![0, 0, 0, 0, 100, 0, 0, 0],
            7 => [0f32, 100.0].iter().flat_map(|x| x.to_le_bytes()).collect(),
            9 => [0f64, 100.0].iter().flat_map(|x| x.to_le_bytes()).collect(),
            _ => [0u64, 100].iter().flat_map(|x| x.to_le_bytes()).collect(),
        };
        for kind in [1, 2, 3, 4, 5, 6, 7, 9, 12, 13] {
            assert_eq!(
                to_whole::<u8>(kind, &le(kind)).unwrap(),
                [0, 100],
                "type {kind}"
            );
        }
        assert!(
            to_whole::<u8>(16, &[65])
                .unwrap_err()
                .contains("values of type 16")
        );
    }

    #[test]
    fn values_that_are_no_bytes_are_refused() {
        for value in [-1.0, 256.0, 0.5, f64::NAN, f64::INFINITY] {
            let message = to_whole::<u8>(9, &value.to_le_bytes()).unwrap_err();
            assert!(
                message.contains(&format!("value {value} at index 0")),
                "{message}"
            );
        }
        assert!(to_whole::<u8>(1, &[255]).unwrap_err().contains("value -1"));
        let message = to_whole::<u8>(9, &[0; 15]).unwrap_err();
        assert!(message.contains("15 bytes of values, expected a multiple of 8"));
    }

    #[test]
    fn foreign_headers_are_refused() {
        assert_refused(&header()[1..], "is shorter than the 128 bytes");
        assert_refused(
            &[b'x'; 200],
            "is not a MAT-file of level 5: [78, 78, 78, 78]",
        );
        let ending = |ending: &[u8]| [&header()[..124], ending].concat();
        assert_refused(&ending(&[1, 0, b'M', b'I']), "is big-endian");
        assert_refused(&ending(&[0, 2, b'I', b'M']), "is of version 7.3");
    }

    #[test]
    fn missing_arrays_are_named() {
        assert_refused(&header(), "has no array named X");
        let [x, ..] = matrices();
        assert_refused(&mat_file(&[x]), "has no array named labels");
    }

    #[test]
    fn cut_files_are_refused_with_offset_and_expectation() {
        let [x, text, _] = matrices();
        let at = HEADER_BYTES as usize + x.len();
        let file = [header(), x, text].concat();
        let end = file.len();
        let expected = format!("begins at byte {at}: is cut off: it ends at byte {end}");
        assert_refused(&file[..end - 1], &expected);
        assert_refused(
            &file[..at + 7],
            &format!("begins at byte {at}: its first 8 bytes"),
        );
    }

    #[test]
    fn broken_elements_are_refused() {
        let [x, ..] = matrices();
        let file = |element: Vec<u8>| [header(), element].concat();
        assert_refused(
            &file(element(2, &[0; 8])),
            "type 2, expected 14 (matrix) or 15",
        );
        let nested = compressed(&element(2, &[0; 8]));
        assert_refused(&file(nested), "holds type 2, expected 14");
        assert_refused(
            &file(element(COMPRESSED, &[7; 40])),
            "cannot be decompressed",
        );
        let cut = compressed(&x[..x.len() - 8]);
        assert_refused(&file(cut), "ends after 48 bytes, expected 56");
        let long = compressed(&[x.clone(), vec![0; 8]].concat());
        assert_refused(&file(long), "goes on after the 56 bytes it promises");
        let mut greedy = x.clone();
        greedy[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_refused(&file(compressed(&greedy)), "more than can be in it");
    }

    #[test]
    fn broken_matrices_are_refused() {
        let file = |matrix: Vec<u8>| mat_file(&[matrix]);
        let values = element(2, &[0; 6]);
        let few = matrix_of(9, "X", &[2, 2], &values);
        assert_refused(&file(few), "holds 6 values, expected [2, 2]");
        let cell = matrix_of(1, "X", &[2, 3], &values);
        assert_refused(&file(cell), "array class 1, expected real numbers");
        let negative = matrix_of(9, "X", &[-2, -3], &values);
        assert_refused(&file(negative), "X has a negative dimension");
        let empty = matrix_of(9, "X", &[0, 3], &values);
        assert_refused(&file(empty), "[0, 3] are empty or absurd");
        let absurd = matrix_of(9, "X", &[i32::MAX; 3], &values);
        assert_refused(&file(absurd), "are empty or absurd");
        let cut = matrix_of(9, "X", &[2, 3], &values[..8]);
        assert_refused(&file(cut), "ends inside the values");
        let flags = element(MATRIX, &element(INT32, &[0; 8]));
        assert_refused(&file(flags), "type 5 at byte 0 of the matrix, expected 6");
        assert_refused(&file(element(MATRIX, &[])), "ends inside the array flags");
        let crowded = [0x0005_0006u32, 0].map(u32::to_le_bytes).concat();
        assert_refused(&file(element(MATRIX, &crowded)), "expected at most 4");
    }

    proptest! {
        #[test]
        fn any_change_gives_a_result_and_never_a_panic(
            at in 124usize..600,
            values: Vec<u8>,
            is_compressed: bool,
        ) {
            let [x, text, labels] = matrices();
            let mut bytes = if is_compressed {
                mat_file(&[x, text, labels])
            } else {
                [header(), x, text, labels].concat()
            };
            for (byte, value) in bytes.iter_mut().skip(at).zip(values) {
                *byte = value;
            }
            let _ = read_bytes(&bytes);
        }
    }
}
