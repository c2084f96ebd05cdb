//! Decoding JPEGs that are whole. Decoders like to be lenient: what is missing comes out grey, and nobody is told.
//!
//! As with libjpeg, and so with Pillow, a file that ends before its end-of-image marker is refused. So is one whose scan
//! ends early or cannot be decoded, where libjpeg warns. Markers: ITU T.81, annex B.

use image::{ColorType, DynamicImage, GrayImage, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Every 8 x 8 block of a JPEG takes a bit at least, so that a byte of the file cannot stand for more pixels.
pub(super) const MAX_PIXELS_PER_BYTE: u64 = 8 * 64;

const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;

/// The picture in a file whose header gave it that colour type and size, or what is wrong with it.
pub(super) fn decode(
    bytes: &[u8],
    color: ColorType,
    [width, height]: [u32; 2],
) -> Result<DynamicImage, String> {
    let Some(markers) = Markers::read(bytes) else {
        return Err(format!(
            "is cut off: its {} bytes have no end-of-image marker",
            bytes.len()
        ));
    };
    let is_grey = color == ColorType::L8;
    let options = DecoderOptions::default()
        .set_strict_mode(markers.are_adjacent)
        .set_max_width(width as usize)
        .set_max_height(height as usize)
        .jpeg_set_out_colorspace(if is_grey {
            ColorSpace::Luma
        } else {
            ColorSpace::RGB
        });
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let pixels = decoder.decode().map_err(|error| {
        let message = error.to_string();
        format!(
            "cannot be decoded: {}",
            message.lines().next().unwrap_or("")
        )
    })?;
    let picture = if is_grey {
        GrayImage::from_raw(width, height, pixels).map(DynamicImage::from)
    } else {
        RgbImage::from_raw(width, height, pixels).map(DynamicImage::from)
    };
    picture.ok_or_else(|| format!("has other pixels than its {width} x {height}"))
}

/// What the markers of a whole file tell.
struct Markers {
    /// Whether each segment begins where the one before ends. libjpeg passes over what lies between; the strict mode of
    /// the decoder here refuses it.
    are_adjacent: bool,
}

impl Markers {
    /// Goes from marker to marker, up to the one that ends the image; `None` where the file ends first.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut are_adjacent = true;
        let mut in_scan = false;
        let mut at = 2;
        loop {
            let start = at;
            at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
            let filled = bytes[at..].iter().position(|&byte| byte != 0xff)?;
            are_adjacent &= in_scan || at == start;
            let marker = bytes[at + filled];
            at += filled + 1;
            match marker {
                END_OF_IMAGE => return Some(Self { are_adjacent }),
                // A byte of the scan, a restart within it, or a marker without a segment.
                0x00 | 0x01 | 0xd0..=0xd8 => {}
                _ => {
                    let length = bytes.get(at..at + 2)?;
                    at += usize::from(u16::from_be_bytes([length[0], length[1]]));
                    in_scan = marker == START_OF_SCAN;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::{ExtendedColorType, ImageEncoder};

    use super::*;

    const SIZE: [u32; 2] = [120, 90];

    /// A picture with detail everywhere.
    fn jpeg() -> Vec<u8> {
        let [width, height] = SIZE;
        let picture = RgbImage::from_fn(width, height, |x, y| {
            [x * y, x * x + y, x ^ y].map(|value| value as u8).into()
        });
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90)
            .write_image(&picture, width, height, ExtendedColorType::Rgb8)
            .unwrap();
        bytes
    }

    fn refusal(bytes: &[u8]) -> String {
        decode(bytes, ColorType::Rgb8, SIZE).unwrap_err()
    }

    #[test]
    fn a_whole_one_is_decoded_and_what_follows_it_is_passed_over() {
        let jpeg = jpeg();
        let picture = decode(&jpeg, ColorType::Rgb8, SIZE).unwrap();
        let lenient = image::load_from_memory(&jpeg).unwrap();
        assert_eq!(picture, lenient);
        let followed = [jpeg.as_slice(), b"\xff\xd8 and a preview"].concat();
        assert_eq!(decode(&followed, ColorType::Rgb8, SIZE).unwrap(), picture);
    }

    /// Cameras write them, and libjpeg passes over them.
    #[test]
    fn bytes_between_segments_are_passed_over() {
        let jpeg = jpeg();
        let spaced = [&jpeg[..2], b"\xff\xfe\x00\x04ab", &[0; 9], &jpeg[2..]].concat();
        let picture = decode(&spaced, ColorType::Rgb8, SIZE).unwrap();
        assert_eq!(picture, decode(&jpeg, ColorType::Rgb8, SIZE).unwrap());
    }

    #[test]
    fn every_cut_is_refused() {
        let jpeg = jpeg();
        for length in 2..jpeg.len() {
            let what = refusal(&jpeg[..length]);
            assert!(what.starts_with("is cut off: its "), "{length}: {what}");
        }
    }

    /// An end within a segment, such as that of a preview, is none.
    #[test]
    fn the_end_of_a_preview_is_not_the_end() {
        let jpeg = jpeg();
        let preview = b"\xff\xe1\x00\x08\xff\xd8\xff\xd9ab";
        let cut = [&jpeg[..2], preview, &jpeg[2..jpeg.len() / 2]].concat();
        assert!(refusal(&cut).starts_with("is cut off"));
    }

    #[test]
    fn a_scan_that_ends_early_is_refused() {
        let jpeg = jpeg();
        let early = [&jpeg[..jpeg.len() / 2], &[0xff, END_OF_IMAGE]].concat();
        let what = refusal(&early);
        assert!(what.starts_with("cannot be decoded: "), "{what}");
    }
}
