//! `spinal data show`: training images beside augmented versions of them.

use std::path::PathBuf;

use clap::Args;

use super::load_flags::LoadFlags;
use crate::cli::device::DeviceFlags;
use crate::cli::output::print;
use crate::cli::text;
use crate::data::augment::{Augmentation, MAX_TRANSFORMS, Transform, Transforms};
use crate::data::{self, ImageSet, LoadOptions};
use crate::error::{Error, Result};
use crate::preview::Preview;
use crate::report::labelled_sheet::{LabelledSheet, SheetRow};

/// Flags of `spinal data show`.
#[derive(Args, Debug)]
pub struct Show {
    /// A data set's name, or a folder
    #[arg(value_name = "NAME|DIR", value_parser = text::parser::<String>())]
    data: String,
    #[command(flatten)]
    load: LoadFlags,
    /// What happens to the images (see `spinal train --help`)
    #[arg(
        long,
        value_name = "NAME|OPERATIONS",
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
        let augment = match self.load.options().image_size {
            Some(side) => self.augment.with_side(side),
            None => self.augment,
        };
        let [train, evaluation] =
            [augment.transforms(), augment.evaluation()].map(|transforms| self.resized(transforms));
        let (train, evaluation) = (train?, evaluation?);
        let mut set = self.load(augment)?;
        set.train.truncate(self.count as usize);
        let images = &set.train;
        augment.check([images.height as u32, images.width as u32])?;
        let device = self.device.open()?;
        let run = |transforms, steps| {
            let preview = Preview {
                images,
                transforms,
                seed: self.seed,
            };
            preview.run(&device, steps)
        };
        let mut columns = run(evaluation, 1)?;
        columns.extend(run(train, self.versions)?);
        let stored = [images.height as u32, images.width as u32];
        let size = train.size().unwrap_or(stored);
        self.sheet(&set, size, &columns).write(&self.out)?;
        print(self.out.display())
    }

    /// The data set, its images of the size that an augmentation begins with.
    fn load(&self, augment: Augmentation) -> Result<ImageSet> {
        let options = self.load.options();
        let options = LoadOptions {
            image_size: options.image_size.filter(|_| augment.size().is_none()),
            stored_sides: augment.stored_sides(),
            ..options
        };
        data::load_with(&self.data, &options)
    }

    /// The operations, after the resize that is asked for.
    fn resized(&self, transforms: Transforms) -> Result<Transforms> {
        let resize = self.resize.map(|side| Transform::Resize {
            height: side,
            width: side,
        });
        let all: Vec<Transform> = resize.into_iter().chain(transforms.iter()).collect();
        match all.len() {
            0..=MAX_TRANSFORMS => Ok(Transforms::new(&all)),
            count => Err(Error::usage(
                format!(
                    "--resize: there would be {count} operations, where {MAX_TRANSFORMS} have room"
                ),
                "leave it out, and let --augment begin with a resize",
            )),
        }
    }

    /// A row for each image: as evaluation sees it, then its versions.
    fn sheet(&self, set: &ImageSet, size: [u32; 2], columns: &[Vec<u8>]) -> LabelledSheet {
        let images = &set.train;
        let [height, width] = size.map(|side| side as usize);
        let bytes = height * width * images.channels;
        let row = |(index, label): (usize, &u8)| SheetRow {
            label: format!("{}:", set.class_name(usize::from(*label))),
            pictures: columns
                .iter()
                .map(|column| column[index * bytes..][..bytes].to_vec())
                .collect(),
        };
        LabelledSheet {
            title: format!(
                "{}   class: original, then {} (seed {})",
                self.data, self.augment, self.seed
            ),
            height,
            width,
            channels: images.channels,
            rows: images.labels.iter().enumerate().map(row).collect(),
        }
    }
}
