//! A data set as a number that tells it from others.

use std::io::{self, Read};
use std::path::Path;

use sha2::Sha256;
use sha2::digest::Digest;

use super::{ImageSet, Images};
use crate::error::{Error, Result};
use crate::file;

impl ImageSet {
    /// The SHA-256 of its images and labels, their sizes and their parts: nothing that a training can differ by is left out
    /// but the normalisation.
    ///
    /// # Errors
    /// `Error::File` if the images lie in a file that is damaged.
    pub fn digest(&self) -> Result<String> {
        let mut digest = Sha256::new();
        for count in [self.classes, self.held_out] {
            digest.update((count as u64).to_le_bytes());
        }
        for images in [&self.train, &self.test] {
            update(&mut digest, images)?;
        }
        Ok(hex(&digest.finalize()))
    }
}

/// The SHA-256 of a file.
///
/// # Errors
/// `Error::File` if it cannot be read.
pub(crate) fn of_file(path: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    let unreadable = |error: io::Error| {
        let what = format!("cannot be read: {error}");
        Error::file(path, what, HINT)
    };
    let (mut file, _) = file::open(path, HINT)?;
    let mut bytes = vec![0; BYTES_AT_ONCE];
    loop {
        match file.read(&mut bytes).map_err(unreadable)? {
            0 => return Ok(hex(&digest.finalize())),
            count => digest.update(&bytes[..count]),
        }
    }
}

/// What to do about a file that cannot be read.
const HINT: &str = "give the path of a file of weights";

/// Bytes of a file that are read at once.
const BYTES_AT_ONCE: usize = 1 << 20;

/// The bytes of a hash as it is written.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn update(digest: &mut Sha256, images: &Images) -> Result<()> {
    let sizes = [images.count, images.height, images.width, images.channels];
    for size in sizes {
        digest.update((size as u64).to_le_bytes());
    }
    for index in 0..images.count {
        digest.update(images.image(index)?);
    }
    digest.update(&images.labels);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Splits;

    #[test]
    fn any_change_gives_another_number() {
        let images = |count: usize| Images {
            count,
            height: 1,
            width: 2,
            channels: 1,
            pixels: vec![7; 2 * count].into(),
            labels: vec![1; count],
        };
        let set = |change: fn(&mut ImageSet)| {
            let splits = Splits {
                train: images(3),
                test: images(2),
                classes: 2,
            };
            let mut set = ImageSet::grey("set", splits);
            change(&mut set);
            set.digest().unwrap()
        };
        let same = set(|set| set.name.push('!'));
        assert_eq!(same.len(), 64);
        assert_eq!(same, set(|_| {}));
        let changes: [fn(&mut ImageSet); 6] = [
            |set| set.train.pixels.in_memory_mut()[5] = 8,
            |set| set.train.labels[2] = 0,
            |set| set.test.pixels.in_memory_mut()[0] = 8,
            |set| set.test.labels[0] = 0,
            |set| set.held_out = 1,
            |set| (set.train.height, set.train.width) = (2, 1),
        ];
        for change in changes {
            assert_ne!(set(change), same);
        }
    }
}
