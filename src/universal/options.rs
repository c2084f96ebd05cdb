//! What the check of universal approximation is run on, and the limits that keep it small.

use crate::error::{Error, Result};
use crate::layers::{Activation, SpinalOptions};

const MAX_NEURONS: u32 = 16_384;
const MAX_INPUTS: u32 = 16_384;
const MAX_OUTPUTS: u32 = 4_096;
const MAX_SPLITS: u32 = 64;
/// The fused chain keeps one sub-layer in workgroup memory: 4 KiB of the 16 KiB that every adapter has.
const MAX_WIDTH: u32 = 1_024;
const MAX_DEPTH: u64 = 1_024;
const MAX_RANGE: f64 = 1_000.0;
/// Rows of one batch that every kernel's grid covers.
const MAX_POINTS: u32 = 65_535;
/// Loop iterations of one invocation that runs along the chain. llvmpipe ends an invocation without a word after 65,535.
const MAX_STEPS: u64 = 1 << 15;
/// Elements of the largest buffer: 64 MiB, half of what the smallest adapter binds.
const MAX_ELEMENTS: u64 = 1 << 24;
/// Multiplications of all points: some ten seconds on a software adapter.
const MAX_MULTIPLICATIONS: u64 = 1 << 32;
/// Units of a sub-layer that the fused chain computes at a time.
const WORKGROUP: u64 = 64;

/// The two nets and the points to compare them on.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The activation of both nets.
    pub activation: Activation,
    /// Neurons of the single hidden layer, H.
    pub neurons: u32,
    /// Inputs, I.
    pub inputs: u32,
    /// Outputs, C.
    pub outputs: u32,
    /// Parts that the input of the Spinal net is cut into, n.
    pub splits: u32,
    /// Units of a sub-layer of the Spinal net, w.
    pub width: u32,
    /// Half the edge of the box that the points lie in, R: every input is in `-R..=R`.
    pub range: f64,
    /// Points to compare the nets on.
    pub points: u32,
    /// The seed of weights and points.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            activation: Activation::Relu,
            neurons: 16,
            inputs: 8,
            outputs: 3,
            splits: 2,
            width: 4,
            range: 1.0,
            points: 1000,
            seed: 1,
        }
    }
}

impl Options {
    /// Refuses, naming the flag, what is out of range, what leaves an input unseen, and what does not fit in memory.
    pub fn validate(&self) -> Result<()> {
        in_range("--neurons", self.neurons, MAX_NEURONS)?;
        in_range("--inputs", self.inputs, MAX_INPUTS)?;
        in_range("--outputs", self.outputs, MAX_OUTPUTS)?;
        in_range("--splits", self.splits, MAX_SPLITS)?;
        in_range("--width", self.width, MAX_WIDTH)?;
        in_range("--points", self.points, MAX_POINTS)?;
        if !(self.range > 0.0 && self.range <= MAX_RANGE) {
            return Err(Error::usage(
                format!("--range {}: not a number above 0", self.range),
                format!("choose one up to {MAX_RANGE}; the paper's box has 1"),
            ));
        }
        self.check_slices()?;
        self.check_size()
    }

    /// Sub-layers of the Spinal net, L: n for every w neurons.
    pub fn depth(&self) -> u32 {
        self.splits * self.neurons.div_ceil(self.width)
    }

    /// The Spinal net that has room for the neurons.
    pub(super) fn spinal(&self) -> SpinalOptions {
        SpinalOptions {
            splits: self.splits,
            activation: self.activation,
            ..SpinalOptions::halves(self.inputs, self.width, self.depth())
        }
    }

    /// The inputs that n consecutive sub-layers see, counted as often as they are seen.
    fn seen(&self, splits: u32) -> u32 {
        let spinal = SpinalOptions {
            splits,
            ..self.spinal()
        };
        splits * spinal.split_size()
    }

    /// A neuron is spread over n sub-layers. Rounding I / n down leaves inputs that none of the n sees.
    fn check_slices(&self) -> Result<()> {
        let seen = self.seen(self.splits);
        if seen >= self.inputs {
            return Ok(());
        }
        let others = (1..=MAX_SPLITS).rev();
        let nearest = others
            .filter(|&splits| self.seen(splits) >= self.inputs)
            .min_by_key(|splits| splits.abs_diff(self.splits))
            .unwrap_or(1);
        Err(Error::usage(
            format!(
                "--splits {}: slices of {} show a neuron only {seen} of its {} --inputs",
                self.splits,
                seen / self.splits,
                self.inputs
            ),
            format!("--splits {nearest} works, as does every number that divides --inputs"),
        ))
    }

    /// Refuses a net or a number of points too large for a quick check on any adapter.
    fn check_size(&self) -> Result<()> {
        let [depth, width, inputs, outputs, points] = [
            self.depth(),
            self.width,
            self.inputs,
            self.outputs,
            self.points,
        ]
        .map(u64::from);
        let columns = u64::from(self.spinal().split_size()) + width;
        let steps = depth * width.div_ceil(WORKGROUP) * columns;
        let weights = depth * width * (columns + outputs);
        let layer = inputs.max(depth * width).max(outputs);
        #[rustfmt::skip]
        let limits = [
            ("sub-layers", depth, MAX_DEPTH, "fewer --neurons or --splits, or a larger --width"),
            ("steps along the chain", steps, MAX_STEPS, "fewer --neurons or --inputs, or a --width up to 64"),
            ("weights", weights, MAX_ELEMENTS, "fewer --neurons, --inputs or --outputs"),
            ("numbers in a layer", points * layer, MAX_ELEMENTS, "fewer --points"),
            ("multiplications", points * weights, MAX_MULTIPLICATIONS, "fewer --points"),
        ];
        for (what, count, limit, remedy) in limits {
            if count > limit {
                return Err(Error::usage(
                    format!(
                        "--neurons {}, --inputs {}, --outputs {}, --splits {}, --width {} and --points {} \
                         make {count} {what}: at most {limit} are taken",
                        self.neurons,
                        self.inputs,
                        self.outputs,
                        self.splits,
                        self.width,
                        self.points
                    ),
                    format!("choose {remedy}"),
                ));
            }
        }
        Ok(())
    }
}

fn in_range(flag: &str, value: u32, largest: u32) -> Result<()> {
    if (1..=largest).contains(&value) {
        return Ok(());
    }
    Err(Error::usage(
        format!("{flag} {value}: not in 1 to {largest}"),
        format!("give {flag} a number from 1 to {largest}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(options: Options) -> String {
        let error = options.validate().expect_err("these options do not fit");
        assert_eq!(error.exit_code(), 2);
        format!("{error} | {}", error.hint())
    }

    #[test]
    fn the_law_of_the_paper_gives_the_depth() {
        // Width 2 and 2 splits: as many neurons as sub-layers.
        let options = |neurons, width, splits| Options {
            neurons,
            width,
            splits,
            ..Options::default()
        };
        assert_eq!(options(2, 2, 2).depth(), 2);
        assert_eq!(options(4, 2, 2).depth(), 4);
        assert_eq!(options(5, 2, 2).depth(), 6);
        assert_eq!(options(7, 3, 4).depth(), 12);
    }

    #[test]
    fn sizes_are_limited_by_flag() {
        let default = Options::default;
        #[rustfmt::skip]
        let refused = [
            (Options { neurons: 0, ..default() }, "--neurons 0: not in 1 to 16384"),
            (Options { inputs: 16_385, ..default() }, "--inputs 16385: not in 1 to 16384"),
            (Options { outputs: 0, ..default() }, "--outputs 0: not in 1 to 4096"),
            (Options { splits: 65, ..default() }, "--splits 65: not in 1 to 64"),
            (Options { width: u32::MAX, ..default() }, "--width 4294967295: not in 1 to 1024"),
            (Options { points: 0, ..default() }, "--points 0: not in 1 to 65535"),
            (Options { range: 0.0, ..default() }, "--range 0: not a number above 0"),
            (Options { range: f64::NAN, ..default() }, "--range NaN: not a number above 0"),
            (Options { range: f64::INFINITY, ..default() }, "--range inf: not a number above 0"),
            (Options { neurons: 16_384, width: 1, ..default() }, "make 32768 sub-layers: at most 1024 are taken"),
            (Options { neurons: 1024, inputs: 4096, width: 512, ..default() }, "make 81920 steps along the chain"),
            (Options { neurons: 4096, outputs: 4096, width: 64, ..default() }, "weights: at most 16777216 are taken"),
            (Options { points: 65_535, width: 512, ..default() }, "numbers in a layer"),
            (Options { points: 8192, neurons: 1024, width: 64, inputs: 512, ..default() }, "multiplications"),
        ];
        for (options, expected) in refused {
            let text = refusal(options);
            assert!(text.contains(expected), "{text}");
        }
        assert!(default().validate().is_ok());
    }

    #[test]
    fn slices_must_show_every_input() {
        let slices = |inputs, splits| Options {
            inputs,
            splits,
            ..Options::default()
        };
        assert_eq!(
            refusal(slices(5, 2)),
            "--splits 2: slices of 2 show a neuron only 4 of its 5 --inputs | \
             --splits 3 works, as does every number that divides --inputs"
        );
        assert_eq!(
            refusal(slices(8, 16)),
            "--splits 16: slices of 0 show a neuron only 0 of its 8 --inputs | \
             --splits 15 works, as does every number that divides --inputs"
        );
        for (inputs, splits) in [(5, 1), (5, 3), (7, 2), (8, 15), (1, 1), (11, 3)] {
            assert!(
                slices(inputs, splits).validate().is_ok(),
                "{inputs} {splits}"
            );
        }
    }
}
