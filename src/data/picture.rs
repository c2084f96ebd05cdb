//! One picture from a file, made into the input of a network.

use std::fs;
use std::io::Cursor;
use std::ops::Range;
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, Rgb, RgbImage, Rgba, imageops,
};

use super::augment::{Transform, Transforms};
use super::resize::{Window, resize};
use super::{DEFLATE_MAX_RATIO, digit, jpeg, png};
use crate::error::{Error, Result};
use crate::file;

/// A longer side than this is not a picture anyone means to classify.
const MAX_SIDE: u32 = 16_384;
/// Nor are more pixels than this (a phone's 50 megapixels pass).
const MAX_PIXELS: u64 = 1 << 26;
/// Nor is a larger file than this.
const MAX_FILE_BYTES: u64 = 1 << 28;

const HINT: &str = "give a PNG or JPEG picture";

/// Reads a PNG or JPEG of any size as `[height, width, channels]`, 0 to 255; the content decides
/// which of the two it is, not the name.
///
/// Transparent pixels are laid on white. For one channel the picture is taken for a drawing, dark
/// on light or light on dark, and becomes what MNIST would have made of it, except that a light on
/// dark picture of exactly `height` x `width` is kept byte for byte. For three channels it is
/// scaled to cover the field and cut around its centre.
///
/// # Errors
/// A file that is missing, not a file, not a picture, absurdly large, or blank.
pub fn load(path: &Path, height: usize, width: usize, channels: usize) -> Result<Vec<u8>> {
    let picture = decode(path)?;
    let (height, width) = (height as u32, width as u32);
    match channels {
        1 => {
            let grey = GrayImage::from(DynamicImage::ImageRgb8(picture));
            digit::normalise(grey, height, width).ok_or_else(|| {
                let what = "is blank: no drawing stands out from the background";
                Error::file(path, what, "give a picture with one drawing in it")
            })
        }
        3 => Ok(cover(&picture, width, height).into_raw()),
        _ => panic!("a picture has 1 or 3 channels, not {channels}"),
    }
}

/// The same as evaluation makes it of a picture in a folder: a square resize that comes first scales and cuts. Without a resize
/// first, and for drawings, it is [`load`].
///
/// # Errors
/// As [`load`].
pub fn load_as_evaluated(
    path: &Path,
    evaluation: &Transforms,
    [height, width, channels]: [usize; 3],
) -> Result<Vec<u8>> {
    let resizes = matches!(evaluation.iter().next(), Some(Transform::Resize { .. }));
    if channels == 1 || !resizes {
        return load(path, height, width, channels);
    }
    let mut picture = decode(path)?;
    for (index, transform) in evaluation.iter().enumerate() {
        picture = match transform {
            Transform::Resize { height, width } if index == 0 && height == width => {
                cover(&picture, width, height)
            }
            Transform::Resize { height, width } => {
                let window = Window {
                    columns: 0..width,
                    rows: 0..height,
                };
                resize(&picture, width, height, window)
            }
            Transform::CenterCrop {
                size: [height, width],
            } => {
                let corner = |side: u32, from: u32| centred(side, from).start;
                let (x, y) = (
                    corner(width, picture.width()),
                    corner(height, picture.height()),
                );
                imageops::crop_imm(&picture, x, y, width, height).to_image()
            }
            random => panic!("{random} is none of evaluation's"),
        };
    }
    Ok(picture.into_raw())
}

/// The PNG and JPEG files of a folder and of the folders in it, by their names' endings, sorted.
///
/// # Errors
/// A folder that cannot be read, or has none.
pub fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(folder, MAX_NESTING, &mut files)?;
    if files.is_empty() {
        return Err(Error::file(folder, "is a folder without pictures", HINT));
    }
    Ok(files)
}

/// Folders within folders that are looked into.
const MAX_NESTING: usize = 8;

fn collect(folder: &Path, nesting: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    let unreadable =
        |error: std::io::Error| Error::file(folder, format!("cannot be read: {error}"), HINT);
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<PathBuf>>>()
        .map_err(unreadable)?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if nesting > 0 {
                collect(&path, nesting - 1, files)?;
            }
        } else if is_named_like_a_picture(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether the name of a file ends as those of PNG and JPEG files do.
pub(super) fn is_named_like_a_picture(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| {
        ["png", "jpg", "jpeg"]
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

/// Scales a picture until it covers a field, and cuts it around its centre: for a square, torchvision's `Resize` of the shorter
/// side and `CenterCrop`, by Python's rounding.
fn cover(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    let (from_width, from_height) = picture.dimensions();
    let [w, h, from_w, from_h] = [width, height, from_width, from_height].map(u64::from);
    let (scaled_width, scaled_height) = if w * from_h >= h * from_w {
        (width, (w * from_h / from_w) as u32)
    } else {
        ((h * from_w / from_h) as u32, height)
    };
    let window = Window {
        columns: centred(width, scaled_width),
        rows: centred(height, scaled_height),
    };
    resize(picture, scaled_width, scaled_height, window)
}

/// The pixels in the middle of a side of `from`, by Python's rounding.
fn centred(side: u32, from: u32) -> Range<u32> {
    let corner = (f64::from(from - side) / 2.0).round_ties_even() as u32;
    corner..corner + side
}

/// A picture of any size, upright and on white; as [`load`] otherwise.
pub(super) fn decode(path: &Path) -> Result<RgbImage> {
    let mut decoder = decoder(path)?;
    let undecodable = |error| undecodable(path, &error);
    let orientation = decoder.orientation().map_err(undecodable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(undecodable)?;
    picture.apply_orientation(orientation);
    Ok(lay_on_white(picture))
}

/// Columns and rows of a picture that is upright.
///
/// # Errors
/// As [`load`], but for what only decoding would find.
pub(super) fn size(path: &Path) -> Result<(u32, u32)> {
    let mut decoder = decoder(path)?;
    let (width, height) = decoder.dimensions();
    let orientation = decoder.orientation();
    Ok(
        match orientation.map_err(|error| undecodable(path, &error))? {
            Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH => (height, width),
            _ => (width, height),
        },
    )
}

fn undecodable(path: &Path, error: &image::ImageError) -> Error {
    let message = error.to_string();
    let first_line = message.lines().next().unwrap_or_default();
    Error::file(path, format!("cannot be decoded: {first_line}"), HINT)
}

/// What decodes a file of a size that is not absurd.
fn decoder(path: &Path) -> Result<impl ImageDecoder> {
    let refuse = |what: String| Error::file(path, what, HINT);
    let bytes = file::read(path, MAX_FILE_BYTES, HINT)?;
    if bytes.is_empty() {
        return Err(refuse("is empty".to_owned()));
    }
    let Ok(format) = image::guess_format(&bytes) else {
        return Err(refuse("is not a picture in a format known here".to_owned()));
    };
    let most_pixels_per_byte = match format {
        ImageFormat::Jpeg if !jpeg::is_whole(&bytes) => {
            return Err(refuse("is cut off: no end-of-image marker".to_owned()));
        }
        ImageFormat::Jpeg => jpeg::MAX_PIXELS_PER_BYTE,
        ImageFormat::Png if !png::has_whole_palettes(&bytes) => {
            return Err(refuse(png::BROKEN_PALETTE.to_owned()));
        }
        _ => 8 * DEFLATE_MAX_RATIO,
    };
    let size = bytes.len();
    let decoder = ImageReader::with_format(Cursor::new(bytes), format)
        .into_decoder()
        .map_err(|error| undecodable(path, &error))?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(refuse(format!("has no pixels: {width} x {height}")));
    }
    if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(refuse(format!(
            "is {width} x {height} pixels, at most {MAX_SIDE} a side and {MAX_PIXELS} in all fit"
        )));
    }
    if u64::from(width) * u64::from(height) > most_pixels_per_byte * size as u64 {
        return Err(refuse(format!(
            "claims {width} x {height} pixels, more than can be in its {size} bytes"
        )));
    }
    Ok(decoder)
}

/// Composites over white.
fn lay_on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    let on_white = |&Rgba([r, g, b, alpha]): &Rgba<u8>| {
        let alpha = u32::from(alpha);
        let blend = |c: u8| ((u32::from(c) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        Rgb([blend(r), blend(g), blend(b)])
    };
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        on_white(picture.get_pixel(x, y))
    })
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::imageops::FilterType;
    use image::{ExtendedColorType, ImageEncoder, Luma, Rgba};
    use tempfile::TempDir;

    use super::*;
    use crate::data::embedded;
    use crate::data::png::tests::claim;

    /// A file of that name and contents; the folder lives as long as the first value.
    fn file(name: &str, bytes: &[u8]) -> (TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn load_bytes(name: &str, bytes: &[u8]) -> Result<Vec<u8>> {
        let (_folder, path) = file(name, bytes);
        load(&path, 28, 28, 1)
    }

    fn load_png(picture: &DynamicImage) -> Vec<u8> {
        load_bytes("picture.png", &encode(picture, ImageFormat::Png)).unwrap()
    }

    fn refusal(bytes: &[u8]) -> String {
        let error = load_bytes("picture.png", bytes).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(!error.hint().is_empty());
        let message = error.to_string();
        assert!(message.contains("picture.png: "), "{message}");
        assert!(!message.contains('\n'), "{message}");
        message
    }

    /// The first test image, a seven.
    fn seven() -> GrayImage {
        let images = embedded::test_images().unwrap();
        GrayImage::from_raw(28, 28, images.pixels.in_memory()[..784].to_vec()).unwrap()
    }

    /// The seven as dark ink on a large light page.
    fn page() -> GrayImage {
        let large = image::imageops::resize(&seven(), 280, 280, FilterType::CatmullRom);
        let mut page = GrayImage::new(400, 300);
        image::imageops::replace(&mut page, &large, 100, 10);
        image::imageops::invert(&mut page);
        page
    }

    fn assert_near(found: &[u8], expected: &[u8], tolerance: f64) {
        let pairs = found.iter().zip(expected);
        let sum: u32 = pairs.map(|(&a, &b)| u32::from(a.abs_diff(b))).sum();
        let difference = f64::from(sum) / expected.len() as f64;
        assert!(difference <= tolerance, "mean difference {difference}");
    }

    #[test]
    fn an_mnist_image_saved_as_png_passes_byte_for_byte() {
        let grey = DynamicImage::ImageLuma8(seven());
        for picture in [
            grey.clone(),
            grey.clone().into_rgb8().into(),
            grey.clone().into_rgba8().into(),
            grey.clone().into_luma16().into(),
        ] {
            assert_eq!(load_png(&picture), seven().into_raw());
        }
    }

    #[test]
    fn large_drawings_in_any_format_become_the_seven() {
        let grey = DynamicImage::ImageLuma8(page());
        let plain = load_png(&grey);
        assert_near(&plain, &seven(), 8.0);
        assert_eq!(load_png(&grey.clone().into_rgb8().into()), plain);
        assert_eq!(load_png(&grey.clone().into_luma16().into()), plain);
        let jpeg = encode(&grey, ImageFormat::Jpeg);
        assert_near(&load_bytes("picture.jpeg", &jpeg).unwrap(), &plain, 3.0);
        assert_near(&load_bytes("jpeg-named.png", &jpeg).unwrap(), &plain, 3.0);
    }

    #[test]
    fn coloured_ink_on_coloured_paper_becomes_the_seven() {
        let page = page();
        let picture = RgbImage::from_fn(page.width(), page.height(), |x, y| {
            let paper = u16::from(page.get_pixel(x, y).0[0]);
            let mix = |ink: u16, to: u16| (ink + (to - ink) * paper / 255) as u8;
            Rgb([mix(20, 250), mix(40, 240), mix(120, 200)])
        });
        assert_near(&load_png(&picture.into()), &seven(), 8.0);
    }

    #[test]
    fn ink_on_a_transparent_page_becomes_the_seven() {
        let page = page();
        let picture = image::RgbaImage::from_fn(page.width(), page.height(), |x, y| {
            Rgba([0, 0, 0, 255 - page.get_pixel(x, y).0[0]])
        });
        let plain = load_png(&DynamicImage::ImageLuma8(page));
        assert_eq!(load_png(&picture.into()), plain);
    }

    #[test]
    fn a_photograph_is_turned_upright() {
        let page = DynamicImage::ImageLuma8(page());
        let turned = page.rotate270().into_luma8();
        // A TIFF header and one entry: tag 0x0112 (orientation), a short, 6 (turn by 90 degrees).
        let mut exif = b"II*\0\x08\0\0\0\x01\0".to_vec();
        exif.extend(b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0");
        let mut jpeg = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 95);
        encoder.set_exif_metadata(exif).unwrap();
        let (width, height) = turned.dimensions();
        encoder
            .write_image(&turned, width, height, ExtendedColorType::L8)
            .unwrap();
        let (_folder, path) = file("upright.jpg", &jpeg);
        assert_eq!(size(&path).unwrap(), page.to_luma8().dimensions());
        let found = load_bytes("picture.jpg", &jpeg).unwrap();
        assert_near(&found, &load_png(&page), 3.0);
    }

    #[test]
    fn three_channels_are_scaled_and_cut_around_the_centre() {
        let picture = RgbImage::from_fn(90, 30, |x, _| match x / 30 {
            0 => Rgb([255, 0, 0]),
            1 => Rgb([0, 255, 0]),
            _ => Rgb([0, 0, 255]),
        });
        let (_folder, path) = file("p.png", &encode(&picture.into(), ImageFormat::Png));
        let found = load(&path, 10, 10, 3).unwrap();
        assert_eq!(found.len(), 300);
        assert_eq!(found[(5 * 10 + 5) * 3..][..3], [0, 255, 0]);
    }

    #[test]
    fn what_evaluation_does_to_pictures_in_folders_is_done_to_one() {
        let picture = RgbImage::from_fn(90, 60, |x, y| Rgb([x as u8, y as u8, (x * y) as u8]));
        let (_folder, path) = file("p.png", &encode(&picture.clone().into(), ImageFormat::Png));
        let of = |text: &str, size: [usize; 2]| {
            load_as_evaluated(&path, &text.parse().unwrap(), [size[0], size[1], 3]).unwrap()
        };
        assert_eq!(of("resize:20", [20, 20]), load(&path, 20, 20, 3).unwrap());
        assert_eq!(
            of("center-crop:20", [20, 20]),
            load(&path, 20, 20, 3).unwrap()
        );
        // The picture is cut to 60 columns, from the 15th on, and of those to 40, from the 10th on.
        let cut = of("resize:60+center-crop:40", [40, 40]);
        let expected = imageops::crop_imm(&picture, 25, 10, 40, 40).to_image();
        assert_eq!(cut, expected.into_raw());
        assert_eq!(of("resize:60x90+center-crop:30", [30, 30])[..2], [30, 15]);
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(refusal(b"").contains("is empty"));
        assert!(refusal(b"hello, world").contains("is not a picture"));
        let png = encode(&DynamicImage::ImageLuma8(page()), ImageFormat::Png);
        assert!(refusal(&png[..png.len() / 2]).contains("cannot be decoded"));
        assert!(refusal(&png[..20]).contains("cannot be decoded"));
        let jpeg = encode(&DynamicImage::ImageLuma8(page()), ImageFormat::Jpeg);
        assert!(refusal(&jpeg[..12]).contains("is cut off"));
        assert!(refusal(&jpeg[..jpeg.len() / 10 * 9]).contains("is cut off"));
        assert!(refusal(b"GIF89a\x01\0\x01\0\0\0\0;").contains("cannot be decoded"));
    }

    #[test]
    fn missing_files_and_folders_are_refused() {
        let error = load(Path::new("no/such.png"), 28, 28, 1).unwrap_err();
        assert!(error.to_string().contains("no/such.png: cannot be read"));
        let folder = tempfile::tempdir().unwrap();
        let error = load(folder.path(), 28, 28, 1).unwrap_err();
        assert!(error.to_string().contains("is a folder"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_refused() {
        let error = load(Path::new("/dev/zero"), 28, 28, 1).unwrap_err();
        assert!(error.to_string().contains("is not a regular file"));
    }

    #[test]
    fn blank_pictures_are_refused() {
        for tone in [0, 255] {
            let blank = GrayImage::from_pixel(28, 28, Luma([tone]));
            let png = encode(&blank.into(), ImageFormat::Png);
            assert!(refusal(&png).contains("is blank"));
        }
    }

    #[test]
    fn absurd_and_zero_dimensions_are_refused_unread() {
        let grey = |width, height| claim(width, height, 0);
        assert!(refusal(&grey(100_000, 100_000)).contains("100000 x 100000 pixels"));
        assert!(refusal(&grey(20_000, 1)).contains("20000 x 1 pixels"));
        assert!(refusal(&grey(16_000, 16_000)).contains("16000 x 16000 pixels"));
        assert!(refusal(&grey(i32::MAX as u32, i32::MAX as u32)).contains("picture.png: "));
        assert!(refusal(&grey(0, 5)).contains("picture.png: "));
        assert!(refusal(&grey(8_000, 8_000)).contains("claims 8000 x 8000 pixels"));
    }
}
