//! Whether a JPEG is whole: decoders are lenient, and what is missing comes out grey.
//!
//! As with libjpeg, and so with Pillow, a file has to go on to its end-of-image marker. Markers: ITU T.81, annex B.

/// Every 8 x 8 block of a JPEG takes a bit at least, so that a byte of the file cannot stand for more pixels.
pub(super) const MAX_PIXELS_PER_BYTE: u64 = 8 * 64;

const END_OF_IMAGE: u8 = 0xd9;

/// Whether a JPEG has its end-of-image marker, outside of the segments before it (a preview in one has its own).
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        match next_marker(rest) {
            None => return false,
            Some((END_OF_IMAGE, _)) => return true,
            // A byte of a scan, a restart within it, or a marker without a segment.
            Some((0x00 | 0x01 | 0xd0..=0xd8, behind)) => rest = behind,
            Some((_, segment)) => {
                let [high, low, ..] = *segment else {
                    return false;
                };
                let length = usize::from(u16::from_be_bytes([high, low]));
                rest = segment.get(length..).unwrap_or_default();
            }
        }
    }
}

/// The second byte of the next marker, whose first byte may be repeated, and what lies behind it.
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let begun = bytes.iter().position(|&byte| byte == 0xff)?;
    let rest = &bytes[begun..];
    let filled = rest.iter().position(|&byte| byte != 0xff)?;
    Some((rest[filled], &rest[filled + 1..]))
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::{ExtendedColorType, ImageEncoder};

    use super::*;

    fn jpeg() -> Vec<u8> {
        let pixels: Vec<u8> = (0..120 * 90 * 3u32).map(|at| (at * at / 7) as u8).collect();
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90)
            .write_image(&pixels, 120, 90, ExtendedColorType::Rgb8)
            .unwrap();
        bytes
    }

    #[test]
    fn every_cut_is_seen() {
        let jpeg = jpeg();
        assert!(is_whole(&jpeg));
        for length in 0..jpeg.len() {
            assert!(!is_whole(&jpeg[..length]), "{length}");
        }
    }

    #[test]
    fn what_lies_between_and_behind_is_passed_over() {
        let jpeg = jpeg();
        let spaced = [&jpeg[..2], &[0; 9], &[0xff; 3], &jpeg[2..]].concat();
        assert!(is_whole(&spaced));
        let followed = [&jpeg, b"and more".as_slice()].concat();
        assert!(is_whole(&followed));
    }

    #[test]
    fn the_end_of_a_preview_is_not_the_end() {
        let jpeg = jpeg();
        let preview = b"\xff\xe1\x00\x08\xff\xd8\xff\xd9ab";
        let with = |rest: &[u8]| [&jpeg[..2], preview, rest].concat();
        assert!(is_whole(&with(&jpeg[2..])));
        assert!(!is_whole(&with(&jpeg[2..jpeg.len() / 2])));
    }
}
