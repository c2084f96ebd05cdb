//! Decoding pictures on all cores, into memory or into a file.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::listing::Listed;
use super::storage::{self, Storage};
use crate::data::stored::{Key, Stored, Writer};
use crate::data::{Images, picture};
use crate::error::{Error, Result};

/// Bytes that are decoded before they are written to a file.
const BLOCK_BYTES: usize = 64 << 20;

/// Decodes the pictures of two parts, each to the side it is given or to the size that all pictures have. Those that take more
/// memory than they may stay in files; those that take long are kept in one, too, and read from it the next time.
///
/// Returns the parts, and what there is to tell, a line each.
///
/// # Errors
/// The first file of either part that is no picture or of another size, or a file of decoded pictures that cannot be written
/// where there has to be one.
pub(super) fn decode(
    parts: [&Listed; 2],
    sides: [Option<u32>; 2],
    storage: &Storage,
) -> Result<([Images; 2], Vec<String>)> {
    let first = &parts[0][0].0;
    let sizes = [
        Size::choose(first, sides[0])?,
        Size::choose(first, sides[1])?,
    ];
    let bytes = |part: usize| parts[part].len() as u64 * sizes[part].bytes() as u64;
    let fits = bytes(0) + bytes(1) <= storage.memory;
    let mut notes = Vec::new();
    let [train, test] = [0, 1].map(|part| {
        let part = Part {
            listed: parts[part],
            size: sizes[part],
        };
        part.decode(fits, storage, &mut notes)
    });
    Ok(([train?, test?], notes))
}

/// The size that every picture gets or has to have.
#[derive(Clone, Copy, Debug)]
struct Size {
    height: usize,
    width: usize,
    /// Whether pictures of another size are scaled and cut.
    fits: bool,
}

impl Size {
    fn choose(first: &Path, side: Option<u32>) -> Result<Self> {
        let (width, height) = match side {
            Some(side) => (side, side),
            None => picture::decode(first)?.dimensions(),
        };
        Ok(Self {
            height: height as usize,
            width: width as usize,
            fits: side.is_some(),
        })
    }

    fn bytes(self) -> usize {
        3 * self.height * self.width
    }

    fn load(self, path: &Path) -> Result<Vec<u8>> {
        if self.fits {
            return picture::load(path, self.height, self.width, 3);
        }
        let picture = picture::decode(path)?;
        let (width, height) = picture.dimensions();
        if (width as usize, height as usize) != (self.width, self.height) {
            return Err(Error::file(
                path,
                format!(
                    "is {width} x {height} pixels, expected {} x {} like the first picture",
                    self.width, self.height
                ),
                "add --image-size N to scale all pictures to one size",
            ));
        }
        Ok(picture.into_raw())
    }
}

/// The pictures of a part.
struct Part<'a> {
    listed: &'a Listed,
    size: Size,
}

impl Part<'_> {
    fn decode(&self, fits: bool, storage: &Storage, notes: &mut Vec<String>) -> Result<Images> {
        let pixels = match (&storage.folder, fits) {
            (Some(folder), false) => self.open_or_write(folder, notes)?.into(),
            (Some(folder), true) => self
                .read_or_decode(folder, storage.kept_after, notes)?
                .into(),
            (None, false) => return Err(self.too_many(storage.memory)),
            (None, true) => self.decode_whole()?.into(),
        };
        Ok(Images {
            count: self.listed.len(),
            height: self.size.height,
            width: self.size.width,
            channels: 3,
            pixels,
            labels: self.listed.iter().map(|&(_, class)| class).collect(),
        })
    }

    /// The file of the pictures, which is written if it is not there.
    fn open_or_write(&self, folder: &Path, notes: &mut Vec<String>) -> Result<Stored> {
        let key = self.key()?;
        let path = Storage::file(folder, &key);
        if let Some(stored) = self.open(&path, &key) {
            return Ok(stored);
        }
        let unwritable = |error: std::io::Error| self.unwritable(folder, &error);
        storage::sweep(folder);
        let mut writer = Writer::begin(folder).map_err(unwritable)?;
        let bytes = self.size.bytes();
        let block = (BLOCK_BYTES / bytes).max(1);
        let mut pixels = vec![0; block.min(self.listed.len()) * bytes];
        for listed in self.listed.chunks(block) {
            let pixels = &mut pixels[..listed.len() * bytes];
            decode_block(listed, self.size, pixels)?;
            writer.add(pixels, bytes).map_err(unwritable)?;
        }
        writer.finish(&path, &key).map_err(unwritable)?;
        notes.push(self.kept(&path));
        self.open(&path, &key).ok_or_else(|| {
            let what = "cannot be read again, although it was written just now";
            Error::file(&path, what, "repeat the command")
        })
    }

    /// All pictures from their file, or decoded, and kept in a file if that took longer than `kept_after`.
    fn read_or_decode(
        &self,
        folder: &Path,
        kept_after: Duration,
        notes: &mut Vec<String>,
    ) -> Result<Vec<u8>> {
        let key = self.key()?;
        let path = Storage::file(folder, &key);
        let read = |stored: Stored| stored.read_all().ok();
        if let Some(pixels) = self.open(&path, &key).and_then(read) {
            return Ok(pixels);
        }
        let started = Instant::now();
        let pixels = self.decode_whole()?;
        if started.elapsed() <= kept_after {
            return Ok(pixels);
        }
        let write = || {
            storage::sweep(folder);
            let mut writer = Writer::begin(folder)?;
            writer.add(&pixels, self.size.bytes())?;
            writer.finish(&path, &key)
        };
        // Without the file, the next start takes as long as this one.
        match write() {
            Ok(()) => notes.push(self.kept(&path)),
            Err(error) => notes.push(format!(
                "decoded pictures are not kept: {}",
                self.unwritable(folder, &error)
            )),
        }
        Ok(pixels)
    }

    fn decode_whole(&self) -> Result<Vec<u8>> {
        let mut pixels = vec![0; self.listed.len() * self.size.bytes()];
        decode_block(self.listed, self.size, &mut pixels)?;
        Ok(pixels)
    }

    fn key(&self) -> Result<Key> {
        let Size {
            height,
            width,
            fits,
        } = self.size;
        storage::key(self.listed, [height, width], fits)
    }

    fn open(&self, path: &Path, key: &Key) -> Option<Stored> {
        Stored::open(path, key, self.listed.len(), self.size.bytes())
    }

    fn kept(&self, path: &Path) -> String {
        format!("{self}: kept decoded in {}", path.display())
    }

    fn unwritable(&self, folder: &Path, error: &std::io::Error) -> Error {
        Error::file(
            folder,
            format!("{self} cannot be written: {error}"),
            "make room, set SPINAL_CACHE to another folder, or give a smaller --image-size",
        )
    }

    fn too_many(&self, memory: u64) -> Error {
        Error::usage(
            format!(
                "{self} do not fit into the {} of memory that they may take, and there is no cache to keep them in",
                amount(memory)
            ),
            "set SPINAL_CACHE to a folder with room, or give a smaller --image-size",
        )
    }
}

impl std::fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Size { height, width, .. } = self.size;
        let count = self.listed.len();
        let bytes = count as u64 * self.size.bytes() as u64;
        write!(
            f,
            "{count} pictures of {height} x {width} pixels ({})",
            amount(bytes)
        )
    }
}

/// So many bytes, in the unit that suits them.
fn amount(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        1e9.. => format!("{:.1} GB", bytes / 1e9),
        _ => format!("{:.1} MB", bytes / 1e6),
    }
}

/// Decodes pictures on all cores. Of several that are broken the first is told.
fn decode_block(listed: &[(PathBuf, u8)], size: Size, pixels: &mut [u8]) -> Result<()> {
    let pictures = listed
        .par_iter()
        .zip(pixels.par_chunks_exact_mut(size.bytes()));
    let broken = pictures.find_map_first(|((path, _), pixels)| {
        let loaded = size.load(path);
        loaded.map(|bytes| pixels.copy_from_slice(&bytes)).err()
    });
    broken.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::super::trees::add;
    use super::*;

    /// So many pictures of 2 x 2 pixels.
    fn pictures(count: u8) -> (TempDir, Listed) {
        let root = tempfile::tempdir().unwrap();
        let listed = (0..count).map(|index| {
            let name = format!("{index:03}.png");
            add(&root, &name, 2, 2, index);
            (root.path().join(name), index)
        });
        let listed = listed.collect();
        (root, listed)
    }

    /// A place for files beside the pictures, and no memory.
    fn on_disk(root: &TempDir) -> Storage {
        Storage {
            memory: 0,
            folder: Some(root.path().join("decoded")),
            kept_after: Duration::MAX,
        }
    }

    fn decoded(listed: &Listed, storage: &Storage) -> Result<(Images, Vec<String>)> {
        let ([train, test], notes) = decode([listed, listed], [Some(2); 2], storage)?;
        assert_eq!(train.labels, test.labels);
        Ok((train, notes))
    }

    fn all(images: &Images) -> Vec<u8> {
        let images = images.images(0..images.count);
        images
            .flat_map(|image| image.unwrap().into_owned())
            .collect()
    }

    fn files(storage: &Storage) -> Vec<PathBuf> {
        let entries = fs::read_dir(storage.folder.as_ref().unwrap()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn pictures_keep_their_order_and_the_first_broken_one_is_named() {
        let (root, listed) = pictures(60);
        for storage in [
            Storage {
                memory: 1 << 20,
                ..on_disk(&root)
            },
            on_disk(&root),
        ] {
            let (images, _) = decoded(&listed, &storage).unwrap();
            assert_eq!(images.pixels.are_in_a_file(), storage.memory == 0);
            let first: Vec<u8> = all(&images).chunks(12).map(|image| image[0]).collect();
            assert_eq!(first, (0..60).collect::<Vec<u8>>());
        }
        for broken in [55, 31, 12] {
            fs::write(&listed[broken].0, "no picture").unwrap();
            let message = decoded(&listed, &on_disk(&root)).unwrap_err().to_string();
            assert!(message.contains(&format!("{broken:03}.png")), "{message}");
        }
        assert_eq!(files(&on_disk(&root)).len(), 1);
    }

    #[test]
    fn pictures_too_many_for_memory_are_the_same_from_their_file_and_decoded_once() {
        let (root, listed) = pictures(9);
        let in_memory = Storage {
            memory: 2 * 9 * 12,
            ..on_disk(&root)
        };
        let (expected, notes) = decoded(&listed, &in_memory).unwrap();
        assert!(notes.is_empty() && !root.path().join("decoded").exists());
        let storage = Storage {
            memory: 2 * 9 * 12 - 1,
            ..on_disk(&root)
        };
        let (images, notes) = decoded(&listed, &storage).unwrap();
        assert_eq!(all(&images), all(&expected));
        assert!(
            notes[0].starts_with("9 pictures of 2 x 2 pixels (0.0 MB): kept decoded in "),
            "{notes:?}"
        );
        // The same files by name, size and time are not looked into again.
        let bytes = fs::read(&listed[3].0).unwrap();
        let changed = fs::metadata(&listed[3].0).unwrap().modified().unwrap();
        fs::write(&listed[3].0, vec![0; bytes.len()]).unwrap();
        let file = fs::File::options().write(true).open(&listed[3].0).unwrap();
        file.set_times(fs::FileTimes::new().set_modified(changed))
            .unwrap();
        let (images, notes) = decoded(&listed, &storage).unwrap();
        assert_eq!((all(&images), notes.len()), (all(&expected), 0));
        // A changed one is.
        file.set_times(
            fs::FileTimes::new().set_modified(changed + std::time::Duration::from_secs(1)),
        )
        .unwrap();
        assert!(
            decoded(&listed, &storage)
                .unwrap_err()
                .to_string()
                .contains("003.png")
        );
    }

    #[test]
    fn pictures_that_take_long_are_kept_and_a_damaged_file_is_made_anew() {
        let (root, listed) = pictures(5);
        let storage = Storage {
            memory: 1 << 20,
            kept_after: Duration::ZERO,
            ..on_disk(&root)
        };
        let (expected, notes) = decoded(&listed, &storage).unwrap();
        assert_eq!((expected.pixels.are_in_a_file(), notes.len()), (false, 1));
        let path = files(&storage).remove(0);
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damaged[30] ^= 1;
        for bytes in [&damaged[..], &whole[..whole.len() - 1], &[]] {
            fs::write(&path, bytes).unwrap();
            let (images, notes) = decoded(&listed, &storage).unwrap();
            assert_eq!((&images, notes.len()), (&expected, 1));
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
        let soon = Storage {
            kept_after: Duration::MAX,
            ..storage.clone()
        };
        fs::remove_file(&path).unwrap();
        decoded(&listed, &soon).unwrap();
        assert!(files(&storage).is_empty());
    }

    #[test]
    fn where_no_file_can_be_written_only_those_too_many_are_refused() {
        let (root, listed) = pictures(5);
        let nowhere = Storage {
            folder: None,
            ..on_disk(&root)
        };
        let message = decoded(&listed, &nowhere).unwrap_err().to_string();
        assert!(
            message.starts_with("5 pictures of 2 x 2 pixels (0.0 MB) do not fit"),
            "{message}"
        );
        // A file stands where the folder should be.
        fs::write(root.path().join("decoded"), "").unwrap();
        let error = decoded(&listed, &on_disk(&root)).unwrap_err();
        assert!(error.to_string().contains("decoded: 5 pictures"), "{error}");
        assert!(error.hint().contains("SPINAL_CACHE"));
        let kept = Storage {
            memory: 1 << 20,
            kept_after: Duration::ZERO,
            ..on_disk(&root)
        };
        let (images, notes) = decoded(&listed, &kept).unwrap();
        assert_eq!((images.count, notes.len()), (5, 2));
        assert!(
            notes[0].starts_with("decoded pictures are not kept: "),
            "{notes:?}"
        );
    }
}
