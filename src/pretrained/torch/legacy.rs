//! PyTorch's files before 1.6, as several of torchvision's are: a pickle each of a magic number, the version, the machine, what was
//! saved, and the keys of its storages; then each storage behind its count.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use super::super::float::Float;
use super::super::refusal::{Parsed, Refusal};
use super::pickle::{self, Pickle};
use super::value::{Storage, Value};
use super::{Source, read_storage};

/// The pickle of the magic number 0x1950a86a20f9469cfc6c, behind its two bytes of protocol.
const MAGIC: &[u8] = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// Bytes of the first pickle.
const MAGIC_BYTES: usize = 2 + MAGIC.len();

/// The version of the format, which never changed.
const VERSION: Value = Value::Int(1001);

/// Whether a file that begins so is of this format.
pub(in super::super) fn is_beginning(head: &[u8]) -> bool {
    head.get(2..).is_some_and(|rest| rest.starts_with(MAGIC))
}

/// As much of the file as its pickles may take.
pub(super) fn head(file: &File) -> Parsed<Vec<u8>> {
    let mut head = Vec::new();
    file.take(pickle::MAX_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// The storages of a file.
pub(super) struct Legacy {
    file: BufReader<File>,
    /// Where each storage begins, and its bytes.
    places: HashMap<String, (u64, u64)>,
}

/// Reads the pickles, which `head` has, and finds the storages.
///
/// # Errors
/// Pickles that are not those of the format, or storages that are cut off.
pub(super) fn open(file: File, head: &[u8]) -> Parsed<(Pickle<'_>, Legacy)> {
    let mut at = MAGIC_BYTES;
    let mut next = || -> Parsed<Pickle> {
        let pickle = pickle::load(&head[at..])?;
        at += pickle.length;
        Ok(pickle)
    };
    if next()?.value != VERSION {
        return Err(Refusal::damaged("is of a version that PyTorch never wrote"));
    }
    check_byte_order(&next()?)?;
    let (saved, keys) = (next()?, next()?);
    let places = find_places(&file, at as u64, &saved, &keys)?;
    let file = BufReader::new(file);
    Ok((saved, Legacy { file, places }))
}

/// Refuses numbers of the other byte order.
fn check_byte_order(machine: &Pickle) -> Parsed<()> {
    let entries = machine.entries(machine.value).unwrap_or_default();
    let is_little = |entry: &_| *entry == (Value::Text("little_endian"), Value::Bool(true));
    match entries.iter().any(is_little) {
        true => Ok(()),
        false => Err(Refusal::foreign("has numbers that are not little-endian")),
    }
}

/// Where the storages lie, of which the first begins at byte `at`.
fn find_places(
    mut file: &File,
    mut at: u64,
    saved: &Pickle,
    keys: &Pickle,
) -> Parsed<HashMap<String, (u64, u64)>> {
    let length = file.metadata()?.len();
    let storages = saved.heap.storages.iter();
    let storages: HashMap<&str, &Storage> =
        storages.map(|storage| (storage.key, storage)).collect();
    let mut places = HashMap::new();
    for &key in keys.items(keys.value) {
        let storage = match key {
            Value::Text(key) => storages.get(key).copied(),
            _ => None,
        };
        let Some(&Storage {
            key,
            element,
            count,
        }) = storage
        else {
            return Err(Refusal::damaged(
                "has a storage that nothing in it refers to",
            ));
        };
        let mut counted = [0; 8];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut counted)?;
        if u64::from_le_bytes(counted) != count as u64 {
            return Err(Refusal::damaged(format!(
                "its storage {key} at byte {at} has {} numbers, expected {count}",
                u64::from_le_bytes(counted)
            )));
        }
        let begin = at + 8;
        let bytes = (count as u64).checked_mul(element.bytes());
        let end = bytes.and_then(|bytes| begin.checked_add(bytes));
        at = end.filter(|&end| end <= length).ok_or_else(|| {
            Refusal::damaged(format!("ends at byte {length} inside its storage {key}"))
        })?;
        places.insert(key.to_owned(), (begin, at - begin));
    }
    match at {
        end if end == length => Ok(places),
        end => Err(Refusal::damaged(format!(
            "goes on behind its end at byte {end}"
        ))),
    }
}

impl Source for Legacy {
    fn floats(&mut self, storage: &Storage, float: Float) -> Parsed<Vec<f32>> {
        let place = self.places.get(storage.key).copied();
        let (begin, bytes) =
            place.ok_or_else(|| Refusal::damaged(format!("has no storage {}", storage.key)))?;
        self.file.seek(SeekFrom::Start(begin))?;
        read_storage(storage, float, bytes, &mut self.file)
    }
}
