//! Changes to the bytes of a file, as disks, networks and enemies make them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Numbers at the edges of what fields hold.
const EDGES: [u64; 18] = [
    0,
    1,
    2,
    7,
    8,
    255,
    256,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];

/// Words that formats of text do not expect where a number or another word stands.
const WORDS: [&str; 16] = [
    "-1",
    "0",
    "1e308",
    "1e999",
    "-0.0",
    "9223372036854775808",
    "null",
    "true",
    "\"\"",
    "[]",
    "{}",
    "[[[[",
    "{\"\":",
    "\\u0000",
    "\u{1b}[2J",
    "\n",
];

/// One change.
#[derive(Clone, Debug)]
pub enum Mutation {
    Flip {
        at: Index,
        bit: u8,
    },
    Set {
        at: Index,
        byte: u8,
    },
    /// A number of `1 << width` bytes.
    Number {
        at: Index,
        value: u64,
        width: u8,
        is_big_endian: bool,
    },
    /// A run of digits and letters becomes another word.
    Word {
        at: Index,
        word: &'static str,
    },
    Cut {
        at: Index,
    },
    Remove {
        at: Index,
        bytes: usize,
    },
    Repeat {
        at: Index,
        bytes: usize,
        times: usize,
    },
    Insert {
        at: Index,
        bytes: Vec<u8>,
    },
    Copy {
        from: Index,
        to: Index,
        bytes: usize,
    },
}

/// A few changes at once.
pub fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    vec(mutation(), 1..5)
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 0..8u8).prop_map(|(at, bit)| Mutation::Flip { at, bit }),
        (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set { at, byte }),
        (
            at(),
            proptest::sample::select(&EDGES[..]),
            0..4u8,
            any::<bool>()
        )
            .prop_map(|(at, value, width, is_big_endian)| Mutation::Number {
                at,
                value,
                width,
                is_big_endian
            }),
        (at(), proptest::sample::select(&WORDS[..]))
            .prop_map(|(at, word)| Mutation::Word { at, word }),
        at().prop_map(|at| Mutation::Cut { at }),
        (at(), 1..64usize).prop_map(|(at, bytes)| Mutation::Remove { at, bytes }),
        (at(), 1..64usize, 1..64usize).prop_map(|(at, bytes, times)| Mutation::Repeat {
            at,
            bytes,
            times
        }),
        (at(), vec(any::<u8>(), 1..16)).prop_map(|(at, bytes)| Mutation::Insert { at, bytes }),
        (at(), at(), 1..64usize).prop_map(|(from, to, bytes)| Mutation::Copy { from, to, bytes }),
    ]
}

impl Mutation {
    /// Changes a file; an empty one only grows.
    pub fn apply(&self, file: &mut Vec<u8>) {
        if file.is_empty() {
            file.push(0);
        }
        let length = file.len();
        let range = |at: &Index, bytes: usize| {
            let start = at.index(length);
            start..length.min(start + bytes)
        };
        match self {
            Self::Flip { at, bit } => file[at.index(length)] ^= 1 << bit,
            Self::Set { at, byte } => file[at.index(length)] = *byte,
            Self::Number {
                at,
                value,
                width,
                is_big_endian,
            } => {
                let range = range(at, 1 << width);
                let bytes = if *is_big_endian {
                    (value << (64 - (8 << width))).to_be_bytes()
                } else {
                    value.to_le_bytes()
                };
                let count = range.len();
                file[range].copy_from_slice(&bytes[..count]);
            }
            Self::Word { at, word } => {
                let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-+".contains(byte);
                let at = at.index(length);
                let start = file[..at]
                    .iter()
                    .rposition(|byte| !is_word(byte))
                    .map_or(0, |end| end + 1);
                let bytes = file[at..].iter().take_while(|byte| is_word(byte)).count();
                file.splice(start..at + bytes, word.bytes());
            }
            Self::Cut { at } => file.truncate(at.index(length)),
            Self::Remove { at, bytes } => drop(file.drain(range(at, *bytes))),
            Self::Repeat { at, bytes, times } => {
                let range = range(at, *bytes);
                let piece = file[range.clone()].repeat(*times);
                file.splice(range.end..range.end, piece);
            }
            Self::Insert { at, bytes } => {
                let at = at.index(length);
                file.splice(at..at, bytes.iter().copied());
            }
            Self::Copy { from, to, bytes } => {
                let piece = file[range(from, *bytes)].to_vec();
                let to = to.index(length);
                let end = length.min(to + piece.len());
                file[to..end].copy_from_slice(&piece[..end - to]);
            }
        }
    }
}
