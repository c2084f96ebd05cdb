//! The flags that choose a data set and how it is read.

use clap::Args;

use crate::cli::text;
use crate::train::Config;

/// Which data, and how much of it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Data")]
pub struct DataFlags {
    /// A data set by name (see `spinal data --help`), a folder of data, or for regression a function: sum, sin-sum, product,
    /// sin-product
    #[arg(long, value_name = "NAME|DIR", value_parser = text::parser::<String>())]
    pub data: Option<String>,
    /// Use only N training samples: the first, or of a data set that is stored class by class, as folders are, of every class
    /// its share, drawn by the seed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit_train: Option<u32>,
    /// Use only N test samples, chosen in the same way, but the same ones for every seed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit_test: Option<u32>,
    /// Give the nets pictures of N rows and columns: those of a folder are scaled and cut, and the sizes of the augmentation
    /// keep their proportion to it. Without it, transfer experiments make 224 of pictures that differ in size.
    /// Those that take more than $SPINAL_MEMORY bytes, or a quarter of the memory, stay in a file in $SPINAL_CACHE
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    image_size: Option<u32>,
    /// Subtract N from the labels of IDX files
    #[arg(long, value_name = "N")]
    label_offset: Option<u8>,
    /// Let rows and columns of every image change places (EMNIST lies on its side)
    #[arg(long)]
    transposed: bool,
}

impl DataFlags {
    /// The configuration with these choices.
    pub fn apply(&self, config: Config) -> Config {
        Config {
            data: self.data.clone().unwrap_or(config.data),
            limit_train: self.limit_train.map(|limit| limit as usize),
            limit_test: self.limit_test.map(|limit| limit as usize),
            image_size: self.image_size,
            augment: match self.image_size {
                Some(side) => config.augment.with_side(side),
                None => config.augment,
            },
            label_offset: self.label_offset,
            transposed: self.transposed,
            ..config
        }
    }
}
