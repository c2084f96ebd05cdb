//! The pictures of a data set on disk, before they are decoded.

use std::path::PathBuf;

use crate::data::Division;

/// Pictures with their classes.
pub(super) type Listed = Vec<(PathBuf, u8)>;

/// All pictures of a data set.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// The names of the classes, in the order of their numbers.
    pub class_names: Vec<String>,
    /// Pictures to train on.
    pub train: Listed,
    /// Those that the data set itself holds out for validation.
    pub held_out: Listed,
    /// Pictures to test on.
    pub test: Listed,
    /// How they came to their parts.
    pub division: Division,
}
