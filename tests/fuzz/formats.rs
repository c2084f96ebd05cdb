//! What makes a changed file look sound from outside, so that readers get to the change: streams and checksums made anew.

use std::io::Write;

use flate2::write::{GzEncoder, ZlibEncoder};
use flate2::{Compression, Crc};

/// The file as it is.
pub fn as_is(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

/// A gzip file of these bytes.
pub fn gzip(bytes: Vec<u8>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&bytes).unwrap();
    encoder.finish().unwrap()
}

/// A PNG with the checksums of its chunks; other files as they are.
pub fn png_checksums(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut at = 8;
    while bytes.starts_with(b"\x89PNG") && at + 12 <= bytes.len() {
        let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let end = at + 8 + length;
        let Some(body) = bytes.get(at + 4..end) else {
            break;
        };
        let checksum = crc(body).to_be_bytes();
        let Some(stored) = bytes.get_mut(end..end + 4) else {
            break;
        };
        stored.copy_from_slice(&checksum);
        at = end + 4;
    }
    bytes
}

/// A zip archive whose stored entries have the checksums of their bytes, in their heads and in the directory.
pub fn zip_checksums(mut bytes: Vec<u8>) -> Vec<u8> {
    let number = |bytes: &[u8], at: usize, count: usize| {
        let digits = bytes.get(at..at + count)?.iter().rev();
        Some(digits.fold(0, |number, &digit| number << 8 | usize::from(digit)))
    };
    let entries = |signature: &[u8], bytes: &[u8]| -> Vec<usize> {
        let windows = bytes.windows(4).enumerate();
        let found = windows.filter(|(_, window)| *window == signature);
        found.map(|(at, _)| at).collect()
    };
    for at in entries(b"PK\x01\x02", &bytes) {
        let checksum = || {
            let local = number(&bytes, at + 42, 4)?;
            let start =
                local + 30 + number(&bytes, local + 26, 2)? + number(&bytes, local + 28, 2)?;
            let body = bytes.get(start..start + number(&bytes, at + 20, 4)?)?;
            Some((local, crc(body).to_le_bytes()))
        };
        let Some((local, checksum)) = checksum() else {
            continue;
        };
        for place in [at + 16, local + 14] {
            if let Some(stored) = bytes.get_mut(place..place + 4) {
                stored.copy_from_slice(&checksum);
            }
        }
    }
    bytes
}

/// A MAT-file whose elements are compressed, as far as they are whole.
pub fn compressed_matrices(bytes: Vec<u8>) -> Vec<u8> {
    let Some((header, mut rest)) = bytes.split_at_checked(128) else {
        return bytes;
    };
    let mut file = header.to_vec();
    while let Some(length) = rest.get(4..8) {
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        let (element, behind) = rest.split_at((length + 8).min(rest.len()));
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(element).unwrap();
        let stream = encoder.finish().unwrap();
        file.extend([15, stream.len() as u32].map(u32::to_le_bytes).concat());
        file.extend(stream);
        rest = behind;
    }
    file
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
