//! `spinal data show`: training images beside augmented versions of them.

use std::path::PathBuf;

use clap::Args;

use super::load_flags::LoadFlags;
use crate::cli::device::DeviceFlags;
use crate::cli::output::print;
use crate::data::augment::{Augmentation, Transform, Transforms};
use crate::data::{self, Images};
use crate::error::Result;
use crate::preview::Preview;
use crate::report::labelled_sheet::{LabelledSheet, SheetRow};

/// Flags of `spinal data show`.
#[derive(Args, Debug)]
pub struct Show {
    /// A data set's name, or a folder
    #[arg(value_name = "NAME|DIR")]
    data: String,
    #[command(flatten)]
    load: LoadFlags,
    /// What happens to the images
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        default_value = "perspective-rotation"
    )]
    augment: Augmentation,
    /// Resize the images to this side first
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..=512))]
    resize: Option<u32>,
    /// Determines the draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Images, from the start of the training set
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    count: u32,
    /// Augmented versions of each image
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100))]
    versions: u32,
    /// The PNG
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
    #[command(flatten)]
    device: DeviceFlags,
}

impl Show {
    /// Draws the sheet.
    pub fn run(&self) -> Result<()> {
        let mut images = data::load_with(&self.data, &self.load.options())?.train;
        images.truncate(self.count as usize);
        let device = self.device.open()?;
        let run = |transforms, steps| {
            let preview = Preview {
                images: &images,
                transforms,
                seed: self.seed,
            };
            preview.run(&device, steps)
        };
        let mut columns = run(self.resized(&[]), 1)?;
        let augmentation: Vec<Transform> = self.augment.transforms().iter().collect();
        columns.extend(run(self.resized(&augmentation), self.versions)?);
        self.sheet(&images, &columns).write(&self.out)?;
        print(self.out.display())
    }

    /// The operations, after the resize that is asked for.
    fn resized(&self, transforms: &[Transform]) -> Transforms {
        let resize = self.resize.map(|side| Transform::Resize {
            height: side,
            width: side,
        });
        Transforms::new(
            &resize
                .into_iter()
                .chain(transforms.iter().copied())
                .collect::<Vec<_>>(),
        )
    }

    /// A row for each image: the original, then its versions.
    fn sheet(&self, images: &Images, columns: &[Vec<u8>]) -> LabelledSheet {
        let side = self.resize.map(|side| side as usize);
        let (height, width) = (side.unwrap_or(images.height), side.unwrap_or(images.width));
        let size = height * width * images.channels;
        let row = |(index, label): (usize, &u8)| SheetRow {
            label: format!("{label}:"),
            pictures: columns
                .iter()
                .map(|column| column[index * size..][..size].to_vec())
                .collect(),
        };
        let name = clap::ValueEnum::to_possible_value(&self.augment);
        let name = name.expect("every augmentation has a name");
        LabelledSheet {
            title: format!(
                "{}   class: original, then {} (seed {})",
                self.data,
                name.get_name(),
                self.seed
            ),
            height,
            width,
            channels: images.channels,
            rows: images.labels.iter().enumerate().map(row).collect(),
        }
    }
}
