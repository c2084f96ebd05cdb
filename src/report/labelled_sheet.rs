//! Rows of small pictures with a label each, as one PNG that a person can look at.

use std::io::Cursor;
use std::path::Path;

use font8x8::UnicodeFonts;
use image::{ImageFormat, Rgb, RgbImage};

use super::atomic_file;
use crate::error::Result;

/// The side that a small picture is enlarged to, by a whole factor.
const SHOWN_SIDE: usize = 84;
/// Pixels between pictures.
const GAP: usize = 6;
/// Width and height of a letter.
const LETTER: usize = 8;

const GROUND: Rgb<u8> = Rgb([58, 64, 74]);
const INK: Rgb<u8> = Rgb([232, 234, 238]);

/// Pictures of one size in rows.
pub struct LabelledSheet {
    /// A line above the rows.
    pub title: String,
    /// Rows of one picture.
    pub height: usize,
    /// Pixels of a row of one picture.
    pub width: usize,
    /// 1 for grey, 3 for RGB.
    pub channels: usize,
    /// The rows.
    pub rows: Vec<SheetRow>,
}

/// One row of pictures.
pub struct SheetRow {
    /// What stands to its left.
    pub label: String,
    /// The pictures, bytes `[height, width, channels]` each.
    pub pictures: Vec<Vec<u8>>,
}

impl LabelledSheet {
    /// Writes the sheet as a PNG, replacing a file that is there.
    ///
    /// # Errors
    /// `Error::File` if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut png = Cursor::new(Vec::new());
        self.draw()
            .write_to(&mut png, ImageFormat::Png)
            .expect("a picture in memory can be encoded");
        atomic_file::write(path, png.get_ref())
    }

    fn draw(&self) -> RgbImage {
        let columns = self.rows.iter().map(|row| row.pictures.len()).max();
        let columns = columns.unwrap_or(0);
        let [left, top] = [2 * GAP + LETTER * self.label_letters(), 2 * GAP + LETTER];
        let [cell_width, cell_height] =
            [self.width, self.height].map(|side| side * self.scale() + GAP);
        let width =
            (left + columns * cell_width).max(2 * GAP + LETTER * self.title.chars().count());
        let height = top + self.rows.len() * cell_height;
        let mut sheet = RgbImage::from_pixel(width as u32, height as u32, GROUND);
        write_text(&mut sheet, &self.title, [GAP, GAP]);
        for (index, row) in self.rows.iter().enumerate() {
            let y = top + index * cell_height;
            let middle = y + (cell_height - GAP - LETTER) / 2;
            write_text(&mut sheet, &row.label, [GAP, middle]);
            for (column, picture) in row.pictures.iter().enumerate() {
                self.paste(&mut sheet, picture, [left + column * cell_width, y]);
            }
        }
        sheet
    }

    fn label_letters(&self) -> usize {
        let letters = self.rows.iter().map(|row| row.label.chars().count());
        letters.max().unwrap_or(0)
    }

    /// Pixels of the sheet for a pixel of a picture, along each side.
    fn scale(&self) -> usize {
        (SHOWN_SIDE / self.height.max(self.width)).max(1)
    }

    fn paste(&self, sheet: &mut RgbImage, picture: &[u8], [left, top]: [usize; 2]) {
        let scale = self.scale();
        for y in 0..self.height * scale {
            for x in 0..self.width * scale {
                let first = (y / scale * self.width + x / scale) * self.channels;
                let value = |channel: usize| picture[first + channel.min(self.channels - 1)];
                let colour = Rgb([value(0), value(1), value(2)]);
                sheet.put_pixel((left + x) as u32, (top + y) as u32, colour);
            }
        }
    }
}

/// Writes letters from a place on, to the right; those that the font does not have are left out.
fn write_text(sheet: &mut RgbImage, text: &str, [left, top]: [usize; 2]) {
    for (place, letter) in text.chars().enumerate() {
        let rows = font8x8::BASIC_FONTS.get(letter).unwrap_or_default();
        for (y, bits) in rows.iter().enumerate() {
            for x in (0..LETTER).filter(|x| bits >> x & 1 == 1) {
                let at = [left + place * LETTER + x, top + y].map(|pixel| pixel as u32);
                sheet.put_pixel(at[0], at[1], INK);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(channels: usize) -> LabelledSheet {
        let picture = |value: u8| vec![value; 28 * 20 * channels];
        LabelledSheet {
            title: "|".to_owned(),
            height: 28,
            width: 20,
            channels,
            rows: vec![
                SheetRow {
                    label: "7".to_owned(),
                    pictures: vec![picture(10), picture(20)],
                },
                SheetRow {
                    label: "12".to_owned(),
                    pictures: vec![picture(30)],
                },
            ],
        }
    }

    #[test]
    fn pictures_lie_in_their_rows_and_columns() {
        for channels in [1, 3] {
            let drawn = sheet(channels).draw();
            let (left, top) = (2 * GAP + 2 * LETTER, 2 * GAP + LETTER);
            let (across, down) = (3 * 20 + GAP, 3 * 28 + GAP);
            assert_eq!(
                drawn.dimensions(),
                ((left + 2 * across) as u32, (top + 2 * down) as u32)
            );
            let at = |x: usize, y: usize| drawn.get_pixel(x as u32, y as u32).0;
            assert_eq!(at(left, top), [10; 3]);
            assert_eq!(at(left + across + 59, top + 83), [20; 3]);
            assert_eq!(at(left, top + down), [30; 3]);
            assert_eq!(at(left + across, top + down), GROUND.0);
            assert_eq!(at(left + across - 1, top), GROUND.0);
        }
    }

    #[test]
    fn letters_are_drawn_with_ink() {
        let drawn = sheet(1).draw();
        let ink = |left: usize, top: usize| {
            let pixels = (0..LETTER).flat_map(|y| (0..LETTER).map(move |x| (left + x, top + y)));
            pixels
                .filter(|&(x, y)| *drawn.get_pixel(x as u32, y as u32) == INK)
                .count()
        };
        assert!(ink(GAP, GAP) >= LETTER - 1);
        assert_eq!(ink(GAP + LETTER, GAP), 0);
    }
}
