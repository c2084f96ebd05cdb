//! How the images of a data set came to their parts.

use std::fmt;

/// How the images of a data set came to their parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Division {
    /// As they are published.
    #[default]
    Published,
    /// Every so many-th picture of a class, the first included, is to test on.
    Every(usize),
    /// Drawn from every class: one picture in so many.
    Drawn {
        /// Held out for validation.
        held_out: usize,
        /// To test on.
        test: usize,
        /// Determines which.
        seed: u64,
    },
}

impl fmt::Display for Division {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Published => write!(f, "as published"),
            Self::Every(step) => {
                write!(f, "no test images of its own: one in {step} of every class")
            }
            Self::Drawn {
                held_out,
                test,
                seed,
            } => write!(
                f,
                "no split of its own: of every class one image in {held_out} held out, one in {test} to test on, seed {seed}"
            ),
        }
    }
}
