//! Flags that say how a data set is to be read.

use std::path::PathBuf;

use clap::Args;

use crate::data::LoadOptions;

/// Flags that say how a data set is to be read.
#[derive(Args, Debug)]
pub struct LoadFlags {
    /// Scale and cut the pictures of class folders to N x N pixels
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    image_size: Option<u32>,
    /// Subtract N from the labels of IDX files (1 for EMNIST's letters, otherwise 0)
    #[arg(long, value_name = "N")]
    label_offset: Option<u8>,
    /// Classes, where the labels of IDX files leave some between others out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    classes: Option<u32>,
    /// Swap the rows and columns of every image, which turns EMNIST upright
    #[arg(long)]
    transposed: bool,
    /// Where fetched data sets and decoded pictures lie ($SPINAL_CACHE, or spinalnet in the user's cache folder)
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

impl LoadFlags {
    /// The options they give.
    pub fn options(&self) -> LoadOptions {
        LoadOptions {
            image_size: self.image_size,
            stored_sides: [None; 2],
            mixed_side: None,
            label_offset: self.label_offset,
            classes: self.classes.map(|classes| classes as usize),
            transposed: self.transposed,
            cache: self.cache.clone(),
        }
    }
}
