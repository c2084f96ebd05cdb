//! Decoding a PNG that is known to be of one size and colour type, such as a sheet of images.

use std::io::Cursor;
use std::path::Path;

use image::codecs::png::PngDecoder;
use image::{ColorType, ImageDecoder, ImageError};

use super::DEFLATE_MAX_RATIO;
use crate::error::{Error, Result};
use crate::host_memory;

/// What is wrong with a PNG that fails [`has_whole_palettes`].
pub(super) const BROKEN_PALETTE: &str = "is not a sound PNG: its palette has no whole colours";

/// A PNG and how to refuse it.
#[derive(Clone, Copy)]
pub(super) struct Png<'a> {
    pub name: &'a Path,
    pub bytes: &'a [u8],
    /// What to do about one that is broken.
    pub hint: &'a str,
}

impl Png<'_> {
    /// The pixels row by row, where they are of that type and `check_size` has nothing against width and height.
    ///
    /// # Errors
    /// A PNG that is broken or is not so; one that claims more pixels than can be in it, before memory is taken for them.
    pub(super) fn decode(
        self,
        color: ColorType,
        check_size: impl Fn(usize, usize) -> std::result::Result<(), String>,
    ) -> Result<Vec<u8>> {
        let refuse = |what: String| Error::file(self.name, what, self.hint);
        let broken = |error: ImageError| refuse(format!("is not a sound PNG: {error}"));
        if !has_whole_palettes(self.bytes) {
            return Err(refuse(BROKEN_PALETTE.to_owned()));
        }
        let decoder = PngDecoder::new(Cursor::new(self.bytes)).map_err(broken)?;
        let (width, height) = decoder.dimensions();
        check_size(width as usize, height as usize).map_err(refuse)?;
        if decoder.color_type() != color {
            let found = decoder.color_type();
            return Err(refuse(format!("has pixels {found:?}, expected {color:?}")));
        }
        let (claimed, present) = (decoder.total_bytes(), self.bytes.len());
        if claimed > (present as u64).saturating_mul(DEFLATE_MAX_RATIO) {
            return Err(refuse(format!(
                "claims {width} x {height} pixels, more than can be in its {present} bytes"
            )));
        }
        host_memory::check(self.name, claimed)?;
        let mut pixels = vec![0; claimed as usize];
        decoder.read_image(&mut pixels).map_err(broken)?;
        Ok(pixels)
    }
}

/// Whether every palette of a PNG has whole colours, from 1 to 256 of them. The decoder (png 0.18) takes that for granted, and
/// panics.
pub(super) fn has_whole_palettes(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(SIGNATURE_BYTES..).unwrap_or_default();
    while let [a, b, c, d, kind @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if kind.starts_with(b"PLTE") && !(length.is_multiple_of(3) && (3..=768).contains(&length)) {
            return false;
        }
        // Behind a length stand the chunk's kind, that many bytes, and a checksum.
        rest = kind.get(length.saturating_add(8)..).unwrap_or_default();
    }
    true
}

/// Bytes before the first chunk.
const SIGNATURE_BYTES: usize = 8;

#[cfg(test)]
pub(super) mod tests {
    /// A PNG without pixels that claims this size; of bytes, grey (0) or RGB (2).
    pub(in crate::data) fn claim(width: u32, height: u32, color_type: u8) -> Vec<u8> {
        let header = [width.to_be_bytes(), height.to_be_bytes()].concat();
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, body) in [
            (b"IHDR", [&header, &[8, color_type, 0, 0, 0][..]].concat()),
            (b"IDAT", b"\x78\x9c\x03\x00\x00\x00\x00\x01".to_vec()),
            (b"IEND", Vec::new()),
        ] {
            let mut checksum = flate2::Crc::new();
            checksum.update(kind);
            checksum.update(&body);
            png.extend((body.len() as u32).to_be_bytes());
            png.extend(kind);
            png.extend(&body);
            png.extend(checksum.sum().to_be_bytes());
        }
        png
    }
}
