//! Images as PNG sheets: how the embedded data set is stored.
//!
//! A sheet is a grey PNG of 100 x 100 images in reading order; the last sheet of a split has only
//! the rows it needs, its unused cells black. The labels of a split are one more grey PNG, one
//! pixel high: pixel i is the label of image i, so its width is the number of images.

use std::fs;
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ColorType, ExtendedColorType, ImageEncoder};

use super::{Images, idx_folder, png};
use crate::error::{Error, Result};
use crate::file;

/// Images in a row of a sheet.
const COLUMNS: usize = 100;
/// Images in a full sheet.
const IMAGES_PER_SHEET: usize = 100 * COLUMNS;

const BROKEN_HINT: &str = "pack the sheets again with `spinal data pack`";

/// A PNG in memory and what to call it in a message.
#[derive(Clone, Copy, Debug)]
pub struct Png<'a> {
    /// Its file name.
    pub name: &'a str,
    /// Its contents.
    pub bytes: &'a [u8],
}

/// Packs the IDX files of a folder into `out` as `train-*.png` and `test-*.png`, and returns the
/// paths of the files.
///
/// # Errors
/// A folder that is not the four IDX files of one data set, one with other files in `out`, and as [`pack`].
pub fn pack_folder(idx_folder: &Path, out: &Path) -> Result<Vec<PathBuf>> {
    let splits = idx_folder::read(idx_folder, idx_folder::Expected::default())?;
    let mut sheets = draw(&splits.train, out, "train")?;
    sheets.extend(draw(&splits.test, out, "test")?);
    refuse_other_files(&sheets, out)?;
    write(sheets, out)
}

/// A sheet that is drawn: where it goes and its bytes.
type Drawn = (PathBuf, Vec<u8>);

/// Writes grey images to `dir` (made if missing) as `PREFIX-0.png`, `PREFIX-1.png`, ... and
/// `PREFIX-labels.png`, and returns the paths.
///
/// # Errors
/// A file that exists with other contents (nothing is written then), or that cannot be written.
pub fn pack(images: &Images, dir: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
    write(draw(images, dir, prefix)?, dir)
}

fn draw(images: &Images, dir: &Path, prefix: &str) -> Result<Vec<Drawn>> {
    assert_eq!(images.channels, 1, "a sheet is grey");
    let (height, width) = (images.height, images.width);
    let mut files = Vec::new();
    let pixels = images.pixels.in_memory();
    let sheets = pixels.chunks(IMAGES_PER_SHEET * height * width);
    for (index, pixels) in sheets.enumerate() {
        let path = dir.join(format!("{prefix}-{index}.png"));
        let sheet = tile(pixels, height, width);
        let png = encode(&path, &sheet, COLUMNS * width)?;
        files.push((path, png));
    }
    let path = dir.join(format!("{prefix}-labels.png"));
    let png = encode(&path, &images.labels, images.count)?;
    files.push((path, png));
    Ok(files)
}

/// Writes all sheets, or none where one may not be replaced.
fn write(files: Vec<Drawn>, dir: &Path) -> Result<Vec<PathBuf>> {
    for (path, png) in &files {
        refuse_other_contents(path, png)?;
    }
    fs::create_dir_all(dir).map_err(|error| {
        let what = format!("cannot be made: {error}");
        Error::file(dir, what, "give a folder that can be written")
    })?;
    for (path, png) in &files {
        write_whole(path, png)?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// Reads back what [`pack`] wrote: the sheets of one split in order, of `height` x `width` images.
///
/// # Errors
/// A PNG that is broken, not grey, or not of the size that the number of labels asks for.
pub fn unpack(sheets: &[Png], labels: Png, height: usize, width: usize) -> Result<Images> {
    let labels = decode(labels, None, 1)?;
    let count = labels.len();
    if count.div_ceil(IMAGES_PER_SHEET) != sheets.len() {
        let what = format!("{count} labels do not fit {} sheets", sheets.len());
        return Err(Error::file(sheets[0].name, what, BROKEN_HINT));
    }
    let mut pixels = vec![0; count * height * width];
    let shares = pixels.chunks_mut(IMAGES_PER_SHEET * height * width);
    std::thread::scope(|scope| {
        let workers: Vec<_> = sheets
            .iter()
            .zip(shares)
            .map(|(&sheet, share)| scope.spawn(move || untile(sheet, height, width, share)))
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("a decoder returns its errors"))
    })?;
    Ok(Images {
        count,
        height,
        width,
        channels: 1,
        pixels: pixels.into(),
        labels,
    })
}

/// Lays images `[count, height, width]` out as a sheet, `[rows * height, COLUMNS * width]`.
fn tile(pixels: &[u8], height: usize, width: usize) -> Vec<u8> {
    let rows = (pixels.len() / (height * width)).div_ceil(COLUMNS);
    let mut sheet = vec![0; rows * COLUMNS * height * width];
    for (index, line) in pixels.chunks_exact(width).enumerate() {
        let start = line_start(index, height, width);
        sheet[start..start + width].copy_from_slice(line);
    }
    sheet
}

/// Decodes a sheet into images `[count, height, width]`.
fn untile(png: Png, height: usize, width: usize, pixels: &mut [u8]) -> Result<()> {
    let rows = (pixels.len() / (height * width)).div_ceil(COLUMNS);
    let sheet = decode(png, Some(COLUMNS * width), rows * height)?;
    for (index, line) in pixels.chunks_exact_mut(width).enumerate() {
        let start = line_start(index, height, width);
        line.copy_from_slice(&sheet[start..start + width]);
    }
    Ok(())
}

/// Where in a sheet the line `index` of `[count * height]` lines begins.
fn line_start(index: usize, height: usize, width: usize) -> usize {
    let (image, y) = (index / height, index % height);
    let (row, column) = (image / COLUMNS, image % COLUMNS);
    ((row * height + y) * COLUMNS + column) * width
}

/// A grey PNG of lines of `width` pixels. Unfiltered, because deflate finds more repetition in
/// MNIST's bytes than in their differences (measured: 1.68 MB a sheet against 1.97 MB adaptive).
fn encode(path: &Path, pixels: &[u8], width: usize) -> Result<Vec<u8>> {
    let mut png = Vec::new();
    let height = pixels.len() / width;
    PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::NoFilter)
        .write_image(pixels, width as u32, height as u32, ExtendedColorType::L8)
        .map_err(|error| {
            let what = format!("cannot be encoded: {error}");
            Error::file(path, what, "pack smaller images")
        })?;
    Ok(png)
}

/// The pixels of a grey PNG of that size; any width if `None`.
fn decode(png: Png, width: Option<usize>, height: usize) -> Result<Vec<u8>> {
    let png = png::Png {
        name: png.name.as_ref(),
        bytes: png.bytes,
        hint: BROKEN_HINT,
    };
    png.decode(ColorType::L8, |found_width, found_height| {
        let width = width.unwrap_or(found_width);
        if (found_width, found_height) == (width, height) {
            return Ok(());
        }
        Err(format!(
            "is {found_width} x {found_height} pixels, expected {width} x {height}"
        ))
    })
}

/// Refuses a folder that has other files than these.
fn refuse_other_files(files: &[Drawn], dir: &Path) -> Result<()> {
    let mut present = fs::read_dir(dir).into_iter().flatten().flatten();
    let is_other = |path: &PathBuf| !files.iter().any(|(own, _)| own == path);
    match present.find_map(|entry| Some(entry.path()).filter(is_other)) {
        None => Ok(()),
        Some(other) => {
            let what = "is in the folder that the sheets would go to";
            Err(Error::file(other, what, "give a folder of their own"))
        }
    }
}

/// Refuses to replace a file by other bytes.
fn refuse_other_contents(path: &Path, bytes: &[u8]) -> Result<()> {
    const HINT: &str = "remove it, or give another folder";
    if !path.try_exists().unwrap_or(true) || file::read(path, u64::MAX, HINT)? == bytes {
        return Ok(());
    }
    Err(Error::file(path, "exists with other contents", HINT))
}

/// Writes a file beside its place and renames it, so that no half of it is ever seen.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    fs::write(&unfinished, bytes)
        .and_then(|()| fs::rename(&unfinished, path))
        .map_err(|error| {
            let _ = fs::remove_file(&unfinished);
            let what = format!("cannot be written: {error}");
            Error::file(path, what, "give a folder that can be written")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::png::tests::claim;

    /// Images of 3 x 2 with every byte depending on its place.
    fn images(count: usize) -> Images {
        Images {
            count,
            height: 3,
            width: 2,
            channels: 1,
            pixels: Vec::from_iter((0..count * 6).map(|i| (i * i / 7) as u8)).into(),
            labels: (0..count).map(|i| (i % 251) as u8).collect(),
        }
    }

    /// The files by name and contents.
    fn read(paths: &[PathBuf]) -> Vec<(String, Vec<u8>)> {
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let read = |path: &PathBuf| (name(path), fs::read(path).unwrap());
        paths.iter().map(read).collect()
    }

    fn unpack_files(files: &[(String, Vec<u8>)]) -> Result<Images> {
        let pngs: Vec<Png> = files
            .iter()
            .map(|(name, bytes)| Png { name, bytes })
            .collect();
        let (labels, sheets) = pngs.split_last().unwrap();
        unpack(sheets, *labels, 3, 2)
    }

    #[test]
    fn unpacking_gives_back_what_was_packed() {
        for count in [1, 99, 100, 101, 9_999, 10_000, 10_001, 20_001] {
            let dir = tempfile::tempdir().unwrap();
            let paths = pack(&images(count), dir.path(), "p").unwrap();
            assert_eq!(paths.len(), count.div_ceil(10_000) + 1);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), paths.len());
            assert_eq!(unpack_files(&read(&paths)).unwrap(), images(count));
        }
    }

    #[test]
    fn packing_again_leaves_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("new/folder");
        let first = read(&pack(&images(5), &out, "p").unwrap());
        let second = read(&pack(&images(5), &out, "p").unwrap());
        assert_eq!(first, second);
        assert_eq!(first[0].0, "p-0.png");
        assert_eq!(first[1].0, "p-labels.png");
    }

    #[test]
    fn a_file_with_other_contents_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("p-labels.png"), "mine").unwrap();
        let error = pack(&images(5), dir.path(), "p").unwrap_err();
        assert!(error.to_string().contains("p-labels.png"), "{error}");
        assert!(error.to_string().contains("exists with other contents"));
        assert!(!dir.path().join("p-0.png").exists());
    }

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write_idx(from.path());
        fs::write(to.path().join("notes.txt"), "mine").unwrap();
        let error = pack_folder(from.path(), to.path()).unwrap_err();
        assert!(error.to_string().contains("notes.txt: is in the folder"));
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 1);
        fs::remove_file(to.path().join("notes.txt")).unwrap();
        let first = pack_folder(from.path(), to.path()).unwrap();
        assert_eq!(pack_folder(from.path(), to.path()).unwrap(), first);
    }

    #[test]
    fn places_that_cannot_be_written_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(pack(&images(5), &file, "p").is_err());
        fs::create_dir(dir.path().join("p-0.png")).unwrap();
        let error = pack(&images(5), dir.path(), "p").unwrap_err();
        assert!(error.to_string().contains("is a folder"), "{error}");
    }

    /// An IDX folder of seven images to train on and four to test on.
    fn write_idx(folder: &Path) {
        let idx = |dims: &[u32], body: &[u8]| {
            let mut bytes = vec![0, 0, 8, dims.len() as u8];
            bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
            [&bytes, body].concat()
        };
        for (split, count) in [("train", 7), ("t10k", 4)] {
            let images = images(count);
            let write = |part: &str, bytes| {
                fs::write(folder.join(format!("{split}-{part}-ubyte")), bytes).unwrap();
            };
            write(
                "images-idx3",
                idx(&[count as u32, 3, 2], images.pixels.in_memory()),
            );
            write("labels-idx1", idx(&[count as u32], &images.labels));
        }
    }

    #[test]
    fn a_packed_idx_folder_unpacks_to_its_splits() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write_idx(from.path());
        let files = read(&pack_folder(from.path(), to.path()).unwrap());
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "train-0.png",
                "train-labels.png",
                "test-0.png",
                "test-labels.png"
            ]
        );
        assert_eq!(unpack_files(&files[..2]).unwrap(), images(7));
        assert_eq!(unpack_files(&files[2..]).unwrap(), images(4));
    }

    #[test]
    fn broken_sheets_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let files = read(&pack(&images(150), dir.path(), "p").unwrap());
        let replaced = |index: usize, bytes: &[u8]| {
            let mut files = files.clone();
            files[index].1 = bytes.to_vec();
            unpack_files(&files).unwrap_err().to_string()
        };
        let sound = &files[0].1;
        let cut = replaced(0, &sound[..60]);
        assert!(cut.starts_with("p-0.png: is not a sound PNG"), "{cut}");
        let mut flipped = sound.clone();
        flipped[80] ^= 1;
        let flipped = replaced(0, &flipped);
        assert!(flipped.starts_with("p-0.png: is not"), "{flipped}");
        let text = replaced(0, b"version https");
        assert!(text.starts_with("p-0.png: is not"), "{text}");
        let few_labels = encode(Path::new(""), &[0; 50], 50).unwrap();
        let size = replaced(1, &few_labels);
        assert!(size.contains("200 x 6 pixels, expected 200 x 3"), "{size}");
        let twice = [&files[..1], &files].concat();
        let twice = unpack_files(&twice).unwrap_err().to_string();
        assert!(twice.contains("150 labels do not fit 2 sheets"), "{twice}");
    }

    /// 65 bytes that claim two thousand gigabytes.
    #[test]
    fn a_sheet_that_claims_more_than_it_can_hold_is_refused() {
        let sheet = Png {
            name: "labels.png",
            bytes: &claim(i32::MAX as u32, 1, 0),
        };
        let error = unpack(&[], sheet, 3, 2).unwrap_err().to_string();
        let expected = "labels.png: claims 2147483647 x 1 pixels, more than can be in its 65 bytes";
        assert_eq!(error, expected);
    }

    #[test]
    fn a_coloured_sheet_is_refused() {
        let mut png = Vec::new();
        PngEncoder::new(&mut png)
            .write_image(&[0; 6], 2, 1, ExtendedColorType::Rgb8)
            .unwrap();
        let labels = Png {
            name: "labels.png",
            bytes: &png,
        };
        let error = unpack(&[], labels, 3, 2).unwrap_err();
        assert!(error.to_string().contains("expected L8"), "{error}");
    }
}
