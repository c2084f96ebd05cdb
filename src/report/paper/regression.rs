//! Table I: regressions, as the authors measured them.

use super::PaperNumber;
use crate::report::measure::Measure;

/// Function, then 1000 times the numbers of the baseline after 100 and 200 epochs and those of the spinal net.
const TABLE: [(&str, [f64; 2], [f64; 2]); 4] = [
    ("sum", [1.178, 0.887], [1.007, 0.855]),
    ("sin-sum", [1.918, 1.086], [1.912, 1.219]),
    ("product", [3.875, 3.875], [3.966, 2.217]),
    ("sin-product", [3.403, 1.554], [0.910, 0.910]),
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
        .map(|(&epochs, thousandths)| PaperNumber {
            measure: Measure::LowestLastBatchLoss,
            epochs: Some(epochs),
            value: thousandths / 1000.0,
            tag: "C",
        })
        .collect()
}
