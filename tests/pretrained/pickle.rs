//! Pickles written opcode by opcode, in archives as PyTorch makes them.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A pickle of these opcodes.
pub fn pickle(opcodes: &[&[u8]]) -> Vec<u8> {
    [b"\x80\x02", opcodes.concat().as_slice(), b"."].concat()
}

/// Short text.
pub fn text(text: &str) -> Vec<u8> {
    [b"\x8c", &[text.len() as u8][..], text.as_bytes()].concat()
}

/// A 64-bit integer.
pub fn int(value: i64) -> Vec<u8> {
    [b"\x8a\x08".as_slice(), &value.to_le_bytes()].concat()
}

/// A tuple of integers.
pub fn ints(values: &[i64]) -> Vec<u8> {
    let values = values.iter().flat_map(|&value| int(value));
    [vec![b'('], values.collect(), vec![b't']].concat()
}

/// A global.
pub fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

/// A storage of floats.
pub fn storage(key: &str, count: i64) -> Vec<u8> {
    [
        b"(".to_vec(),
        text("storage"),
        global("torch", "FloatStorage"),
        text(key),
        text("cpu"),
        int(count),
        b"tQ".to_vec(),
    ]
    .concat()
}

/// A view of a storage.
pub fn tensor(storage: &[u8], offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    [
        global("torch._utils", "_rebuild_tensor_v2"),
        b"(".to_vec(),
        storage.to_vec(),
        int(offset),
        ints(shape),
        ints(strides),
        b"\x89NtR".to_vec(),
    ]
    .concat()
}

/// A dict of one entry.
pub fn dict(name: &str, value: &[u8]) -> Vec<u8> {
    [b"}".as_slice(), &text(name), value, b"s"].concat()
}

/// An archive of these entries in the folder `net`, not compressed.
pub fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    archive_as(CompressionMethod::Stored, entries)
}

/// An archive of these entries in the folder `net`.
pub fn archive_as(method: CompressionMethod, entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in entries {
        zip.start_file(format!("net/{name}"), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// An archive with this pickle, and a storage `0` of six floats from 0 on.
pub fn saved(opcodes: &[&[u8]]) -> Vec<u8> {
    let floats: Vec<u8> = (0..6)
        .flat_map(|i: u16| f32::from(i).to_le_bytes())
        .collect();
    archive(&[("data.pkl", &pickle(opcodes)), ("data/0", &floats)])
}
