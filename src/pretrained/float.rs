//! The floating-point numbers of a file as f32.

use std::io::{self, Read};

use half::{bf16, f16};

/// Numbers converted at a time.
const CHUNK: usize = 1 << 13;

/// How a file stores a floating-point number, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Float {
    F64,
    F32,
    F16,
    Bf16,
}

impl Float {
    /// Bytes of a number.
    pub(super) fn bytes(self) -> u64 {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Its name, as safetensors writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        }
    }

    /// The next `count` numbers of `reader`. The caller knows that the file is long enough for them.
    pub(super) fn read(self, reader: &mut impl Read, count: usize) -> io::Result<Vec<f32>> {
        match self {
            Self::F64 => read_as(reader, count, |bytes| f64::from_le_bytes(bytes) as f32),
            Self::F32 => read_as(reader, count, f32::from_le_bytes),
            Self::F16 => read_as(reader, count, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Self::Bf16 => read_as(reader, count, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        }
    }
}

fn read_as<const N: usize>(
    reader: &mut impl Read,
    count: usize,
    value: impl Fn([u8; N]) -> f32,
) -> io::Result<Vec<f32>> {
    let mut values = Vec::with_capacity(count);
    let mut buffer = vec![[0; N]; count.min(CHUNK)];
    while values.len() < count {
        let chunk = &mut buffer[..CHUNK.min(count - values.len())];
        reader.read_exact(chunk.as_flattened_mut())?;
        values.extend(chunk.iter().map(|&bytes| value(bytes)));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_gives_the_same_numbers() {
        let expected: Vec<f32> = (0..20_000).map(|i| (i % 256) as f32 - 128.0).collect();
        let read = |float: Float, bytes: Vec<u8>| {
            assert_eq!(bytes.len() as u64, 20_000 * float.bytes());
            float.read(&mut bytes.as_slice(), 20_000).unwrap()
        };
        let doubles = expected.iter().flat_map(|&x| f64::from(x).to_le_bytes());
        assert_eq!(read(Float::F64, doubles.collect()), expected);
        let singles = expected.iter().flat_map(|&x| x.to_le_bytes());
        assert_eq!(read(Float::F32, singles.collect()), expected);
        let halves = expected
            .iter()
            .flat_map(|&x| f16::from_f32(x).to_le_bytes());
        assert_eq!(read(Float::F16, halves.collect()), expected);
        let brains = expected
            .iter()
            .flat_map(|&x| bf16::from_f32(x).to_le_bytes());
        assert_eq!(read(Float::Bf16, brains.collect()), expected);
    }

    #[test]
    fn too_few_bytes_are_an_error() {
        assert!(Float::F32.read(&mut &[0; 7][..], 2).is_err());
    }
}
