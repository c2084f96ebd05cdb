//! Decoding pictures on all cores into the memory that holds them.

use std::path::{Path, PathBuf};

use super::listing::Listed;
use crate::data::{Images, picture};
use crate::error::{Error, Result};
use crate::host_memory;

/// Decodes the pictures of two parts, each to the side it is given or to the size that all pictures have.
///
/// # Errors
/// The first file of either part that is no picture or of another size, or more bytes than the machine has free.
pub(super) fn decode(parts: [&Listed; 2], sides: [Option<u32>; 2]) -> Result<[Images; 2]> {
    let first = &parts[0][0].0;
    let sizes = [
        Size::choose(first, sides[0])?,
        Size::choose(first, sides[1])?,
    ];
    check_room(parts.map(Vec::len), sizes, host_memory::available())?;
    let [train, test] = [0, 1].map(|part| decode_part(parts[part], sizes[part]));
    Ok([train?, test?])
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

/// Refuses pictures that do not fit into the memory that the machine has free, before any of it is taken.
fn check_room(counts: [usize; 2], sizes: [Size; 2], free: Option<u64>) -> Result<()> {
    let bytes = |part: usize| counts[part] as u64 * sizes[part].bytes() as u64;
    let needed = bytes(0) + bytes(1);
    match free {
        Some(free) if needed > free => {
            let [height, width] = [sizes[0].height, sizes[0].width];
            let count = counts[0] + counts[1];
            let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
            Err(Error::usage(
                format!(
                    "{count} pictures of {height} x {width} pixels take {:.1} GiB of memory, and {:.1} GiB are free",
                    gib(needed),
                    gib(free)
                ),
                "give a smaller --image-size, or fewer pictures",
            ))
        }
        _ => Ok(()),
    }
}

/// Decodes the pictures of a part on all cores: each takes a share of neighbouring ones.
fn decode_part(listed: &Listed, size: Size) -> Result<Images> {
    let mut pixels = vec![0; listed.len() * size.bytes()];
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = listed.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = listed
            .chunks(share)
            .zip(pixels.chunks_mut(share * size.bytes()))
            .map(|(listed, pixels)| scope.spawn(move || decode_share(listed, size, pixels)))
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("a decoder returns its errors"))
    })?;
    Ok(Images {
        count: listed.len(),
        height: size.height,
        width: size.width,
        channels: 3,
        pixels,
        labels: listed.iter().map(|&(_, class)| class).collect(),
    })
}

fn decode_share(listed: &[(PathBuf, u8)], size: Size, pixels: &mut [u8]) -> Result<()> {
    for ((path, _), pixels) in listed.iter().zip(pixels.chunks_exact_mut(size.bytes())) {
        pixels.copy_from_slice(&size.load(path)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::trees::add;
    use super::*;

    fn square(side: usize) -> Size {
        Size {
            height: side,
            width: side,
            fits: true,
        }
    }

    #[test]
    fn pictures_that_do_not_fit_are_refused_before_they_are_read() {
        let check = |free| check_room([90_000, 90_000], [square(448), square(448)], free);
        let message = check(Some(64 << 30)).unwrap_err().to_string();
        let expected =
            "180000 pictures of 448 x 448 pixels take 100.9 GiB of memory, and 64.0 GiB are free";
        assert_eq!(message, expected);
        assert!(check(Some(128 << 30)).is_ok());
        assert!(check(None).is_ok());
    }

    #[test]
    fn pictures_keep_their_order_and_the_first_broken_one_is_named() {
        let root = tempfile::tempdir().unwrap();
        let name = |index: u8| format!("{index:03}.png");
        for index in 0..60 {
            add(&root, &name(index), 2, 2, index);
        }
        let listed: Listed = (0..60)
            .map(|index| (root.path().join(name(index)), index))
            .collect();
        let images = decode_part(&listed, square(2)).unwrap();
        let first: Vec<u8> = images.pixels.chunks(12).map(|image| image[0]).collect();
        assert_eq!(first, (0..60).collect::<Vec<u8>>());
        for broken in [55, 31, 12] {
            fs::write(root.path().join(name(broken)), "no picture").unwrap();
            let message = decode_part(&listed, square(2)).unwrap_err().to_string();
            assert!(message.contains(&name(broken)), "{message}");
        }
    }
}
