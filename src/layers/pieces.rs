//! Cutting long sums into pieces that an invocation's loops can take.

use crate::plan::{Limits, Shader};

/// Some summands of a sum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    /// The first one.
    pub(crate) first: u32,
    /// How many.
    pub(crate) count: u32,
}

impl Piece {
    /// The overrides `FIRST` and `COUNT`.
    pub(crate) fn constants(self) -> [(&'static str, f64); 2] {
        [("FIRST", self.first.into()), ("COUNT", self.count.into())]
    }
}

/// The size, at most `limit`, that cuts `whole` into the fewest and most equal pieces.
pub(crate) fn balanced(whole: u32, limit: u32) -> u32 {
    whole.div_ceil(whole.div_ceil(limit))
}

/// The fewest pieces of `summands`, about equally long, whose loops keep the limit: `iterations` tells what a piece of so many
/// summands takes, and grows with them. Where not even one summand keeps it, pieces of one.
pub(crate) fn pieces(
    limits: &Limits,
    summands: u32,
    iterations: impl Fn(u32) -> u128,
) -> Vec<Piece> {
    let fits = |count: u32| iterations(count) <= limits.loop_iterations.into();
    let (mut longest, mut too_long) = (1, summands + 1);
    if fits(summands) {
        longest = summands;
        too_long = summands + 1;
    }
    while longest + 1 < too_long {
        let middle = longest.midpoint(too_long);
        if fits(middle) {
            longest = middle;
        } else {
            too_long = middle;
        }
    }
    let length = summands.div_ceil(summands.div_ceil(longest));
    let firsts = (0..summands).step_by(length as usize);
    let piece = |first| Piece {
        first,
        count: length.min(summands - first),
    };
    firsts.map(piece).collect()
}

/// The pieces of `summands` for an entry point that takes them by the overrides `FIRST` and `COUNT`. `constants` are all others
/// that its loops depend on.
pub fn pieces_of_kernel(
    limits: &Limits,
    (shader, entry): (&Shader, &str),
    constants: &[(&'static str, f64)],
    summands: u32,
) -> Vec<Piece> {
    pieces(limits, summands, |count| {
        let constants = [constants, &[("COUNT", count.into())]].concat();
        shader.resources(entry, &constants).iterations
    })
}

#[cfg(test)]
mod tests {
    use super::{Piece, pieces};
    use crate::plan::Limits;

    #[test]
    fn pieces_hold_every_summand_once_and_keep_the_limit() {
        let limits = Limits {
            loop_iterations: 1000,
            ..Limits::llvmpipe()
        };
        for summands in [1, 2, 499, 500, 501, 67_500] {
            let iterations = |count: u32| 2 * u128::from(count) + 1;
            let pieces = pieces(&limits, summands, iterations);
            let mut end = 0;
            for Piece { first, count } in pieces {
                assert_eq!(first, end);
                assert!(count > 0 && iterations(count) <= 1000);
                end += count;
            }
            assert_eq!(end, summands);
        }
        assert_eq!(pieces(&limits, 3, |_| 2000).len(), 3);
    }
}
