//! Many small images in one PNG, for a person to look at.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage, imageops};

use super::Images;
use crate::error::Result;

/// Images of a class that are shown.
const COLUMNS: usize = 10;
/// Images with more rows or columns are shrunk to this many.
const MAX_CELL: usize = 64;

/// A PNG with a row for every class, which shows the first ten images of it; missing ones are black.
///
/// # Errors
/// `Error::File` if the images lie in a file that is damaged.
///
/// # Panics
/// Where images have neither one nor three channels.
pub fn by_class(images: &Images, classes: usize) -> Result<Vec<u8>> {
    let (width, height) = cell(images);
    let mut sheet = RgbImage::new(COLUMNS as u32 * width, classes as u32 * height);
    let mut columns = vec![0; classes];
    for (index, &label) in images.labels.iter().enumerate() {
        let class = usize::from(label);
        let column = columns[class];
        if column < COLUMNS {
            let picture = imageops::thumbnail(&picture(images, index)?, width, height);
            let (x, y) = (column as u32 * width, class as u32 * height);
            imageops::replace(&mut sheet, &picture, x.into(), y.into());
            columns[class] += 1;
        }
    }
    let mut png = Cursor::new(Vec::new());
    sheet
        .write_to(&mut png, ImageFormat::Png)
        .expect("a picture in memory can be encoded in memory");
    Ok(png.into_inner())
}

/// Columns and rows that an image gets.
fn cell(images: &Images) -> (u32, u32) {
    let longer = images.height.max(images.width);
    let shrunk = |length: usize| (length * MAX_CELL.min(longer) / longer).max(1) as u32;
    (shrunk(images.width), shrunk(images.height))
}

fn picture(images: &Images, index: usize) -> Result<RgbImage> {
    let pixels = images.image(index)?;
    let picture = RgbImage::from_fn(images.width as u32, images.height as u32, |x, y| {
        let at = (y as usize * images.width + x as usize) * images.channels;
        match pixels[at..at + images.channels] {
            [grey] => Rgb([grey; 3]),
            [red, green, blue] => Rgb([red, green, blue]),
            _ => panic!("an image has 1 or 3 channels, not {}", images.channels),
        }
    });
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(side: usize, channels: usize, labels: &[u8]) -> Images {
        let bytes = side * side * channels;
        Images {
            count: labels.len(),
            height: side,
            width: side,
            channels,
            pixels: (0..labels.len())
                .flat_map(|index| vec![10 + index as u8; bytes])
                .collect::<Vec<u8>>()
                .into(),
            labels: labels.to_vec(),
        }
    }

    fn sheet(images: &Images, classes: usize) -> RgbImage {
        let png = by_class(images, classes).unwrap();
        image::load_from_memory(&png).unwrap().into_rgb8()
    }

    #[test]
    fn every_class_has_a_row_of_its_first_ten_images() {
        let labels = [[2; 12].as_slice(), &[0]].concat();
        let sheet = sheet(&images(3, 1, &labels), 3);
        assert_eq!(sheet.dimensions(), (30, 9));
        let grey = |x, y| sheet.get_pixel(x, y).0;
        assert_eq!(grey(0, 0), [22; 3]);
        assert_eq!(grey(3, 0), [0; 3]);
        assert_eq!(grey(0, 3), [0; 3]);
        let row: Vec<u8> = (0..10).map(|column| grey(3 * column + 2, 8)[0]).collect();
        assert_eq!(row, (10..20).collect::<Vec<u8>>());
    }

    #[test]
    fn colours_stay_and_large_images_shrink() {
        let mut coloured = images(2, 3, &[0]);
        coloured.pixels.in_memory_mut()[9..].copy_from_slice(&[1, 2, 3]);
        let small = sheet(&coloured, 1);
        assert_eq!(small.dimensions(), (20, 2));
        assert_eq!(small.get_pixel(1, 1).0, [1, 2, 3]);
        let mut large = images(200, 3, &[0, 1]);
        large.height = 100;
        large.width = 400;
        assert_eq!(sheet(&large, 2).dimensions(), (640, 32));
    }
}
