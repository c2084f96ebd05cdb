//! What the check of universal approximation found.

use std::fmt;

use crate::layers::Activation;

/// A comparison of a Spinal net with the single-hidden-layer net it was constructed from.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The activation of both nets.
    pub activation: Activation,
    /// Neurons of the single hidden layer, H.
    pub neurons: u32,
    /// Sub-layers of the Spinal net, L.
    pub depth: u32,
    /// Units of a sub-layer, w.
    pub width: u32,
    /// Parameters of the Spinal net.
    pub parameters: u64,
    /// Those of them that the construction needs; the others are 0.
    pub parameters_used: u64,
    /// Points compared.
    pub points: u32,
    /// The largest absolute difference of an output; NaN if the device gave one.
    pub max_difference: f64,
    /// What rounding, and the curvature of sigmoid and tanh, may make of it.
    pub tolerance: f64,
}

impl Outcome {
    /// Whether the nets are equal within the tolerance.
    pub fn holds(&self) -> bool {
        self.max_difference <= self.tolerance
    }

    fn cells(&self) -> [String; 7] {
        [
            self.activation.to_string(),
            self.neurons.to_string(),
            format!("{} of {}", self.depth, self.width),
            format!("{} of {}", self.parameters_used, self.parameters),
            format!("{:.1e}", self.max_difference),
            format!("{:.1e}", self.tolerance),
            if self.holds() { "yes" } else { "NO" }.to_owned(),
        ]
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [
            activation,
            neurons,
            sub_layers,
            used,
            difference,
            tolerance,
            _,
        ] = self.cells();
        write!(
            f,
            "{activation}: {neurons} neurons in sub-layers {sub_layers}, parameters {used}, \
             max |difference| {difference} on {} points, tolerance {tolerance}",
            self.points
        )
    }
}

/// The outcomes as a table, a row each.
pub fn render(outcomes: &[Outcome]) -> String {
    let header = [
        "activation",
        "neurons",
        "sub-layers",
        "parameters used",
        "max |difference|",
        "tolerance",
        "equal",
    ];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(outcomes.iter().map(Outcome::cells));
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let lines = rows.iter().map(|row| {
        let mut line = format!("{:<width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            line += &format!("  {cell:>width$}");
        }
        line + "\n"
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(activation: Activation, max_difference: f64) -> Outcome {
        Outcome {
            activation,
            neurons: 16,
            depth: 8,
            width: 4,
            parameters: 1371,
            parameters_used: 251,
            points: 1000,
            max_difference,
            tolerance: 4.2e-5,
        }
    }

    #[test]
    fn a_row_for_each_outcome() {
        let outcomes = [
            outcome(Activation::LeakyRelu, 1.93e-7),
            outcome(Activation::Tanh, f64::NAN),
        ];
        let expected = [
            "activation  neurons  sub-layers  parameters used  max |difference|  tolerance  equal",
            "leaky-relu       16      8 of 4      251 of 1371            1.9e-7     4.2e-5    yes",
            "tanh             16      8 of 4      251 of 1371               NaN     4.2e-5     NO",
        ];
        assert_eq!(render(&outcomes).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_outcome_is_a_line() {
        assert_eq!(
            outcome(Activation::Relu, 1.93e-7).to_string(),
            "relu: 16 neurons in sub-layers 8 of 4, parameters 251 of 1371, \
             max |difference| 1.9e-7 on 1000 points, tolerance 4.2e-5"
        );
    }
}
