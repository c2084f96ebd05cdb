//! The pixels of images: in memory, or in a file where they are more than memory holds.

use std::borrow::Cow;
use std::ops::Range;

use super::Images;
use super::stored::Stored;
use crate::error::Result;

/// The bytes of images, one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pixels {
    /// All of them.
    Memory(Vec<u8>),
    /// Those of pictures that were decoded into a file.
    File(Stored),
}

impl From<Vec<u8>> for Pixels {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes)
    }
}

impl From<Stored> for Pixels {
    fn from(stored: Stored) -> Self {
        Self::File(stored)
    }
}

impl Pixels {
    /// The bytes of all images.
    ///
    /// # Panics
    /// Where they lie in a file.
    pub fn in_memory(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::File(_) => panic!("the pixels lie in a file"),
        }
    }

    /// The same, to be changed.
    pub(super) fn in_memory_mut(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Memory(bytes) => bytes,
            Self::File(_) => panic!("the pixels lie in a file"),
        }
    }

    /// Whether they lie in a file.
    pub fn are_in_a_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

impl Images {
    /// The bytes of one image, `[height, width, channels]`.
    ///
    /// # Errors
    /// `Error::File` if they lie in a file that is damaged.
    pub fn image(&self, index: usize) -> Result<Cow<'_, [u8]>> {
        let bytes = self.image_bytes();
        Ok(match &self.pixels {
            Pixels::Memory(pixels) => Cow::Borrowed(&pixels[index * bytes..][..bytes]),
            Pixels::File(stored) => Cow::Owned(stored.read(index)?),
        })
    }

    /// The bytes of some neighbouring images.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn images(&self, range: Range<usize>) -> impl Iterator<Item = Result<Cow<'_, [u8]>>> {
        range.map(|index| self.image(index))
    }

    /// Keeps the images at these places, which ascend.
    pub(super) fn keep(&mut self, places: &[usize]) {
        let bytes = self.image_bytes();
        for (count, &place) in places.iter().enumerate() {
            self.labels[count] = self.labels[place];
        }
        match &mut self.pixels {
            Pixels::Memory(pixels) => {
                for (count, &place) in places.iter().enumerate() {
                    pixels.copy_within(place * bytes..(place + 1) * bytes, count * bytes);
                }
                pixels.truncate(places.len() * bytes);
            }
            Pixels::File(stored) => stored.keep(places),
        }
        self.labels.truncate(places.len());
        self.count = places.len();
    }
}
