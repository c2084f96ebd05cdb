//! Table I: regressions, as the authors measured them.

use super::PaperNumber;
use crate::report::measure::Measure;

/// Function, then the numbers of the baseline after 100 and 200 epochs and those of the spinal net.
const TABLE: [(&str, [f64; 2], [f64; 2]); 4] = [
    ("sum", [1.178e-3, 0.887e-3], [1.007e-3, 0.855e-3]),
    ("sin-sum", [1.918e-3, 1.086e-3], [1.912e-3, 1.219e-3]),
    ("product", [3.875e-3, 3.875e-3], [3.966e-3, 2.217e-3]),
    ("sin-product", [3.403e-3, 1.554e-3], [0.910e-3, 0.910e-3]),
];

/// The row of a function, for one of the nets.
pub(super) fn numbers(net: &str, function: &str) -> Vec<PaperNumber> {
    let row = TABLE.iter().find(|(name, ..)| *name == function);
    let values = row.map(|(_, baseline, spinal)| match net {
        "spinal" => spinal,
        _ => baseline,
    });
    let epochs = [100, 200];
    let cells = values
        .into_iter()
        .flat_map(|values| epochs.iter().zip(values));
    cells
        .map(|(&epochs, &value)| PaperNumber {
            measure: Measure::LowestLastBatchLoss,
            epochs: Some(epochs),
            value,
            tag: "C",
        })
        .collect()
}
