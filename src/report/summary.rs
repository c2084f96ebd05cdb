//! The closing table of a training run: what each net costs, what it reached, and the difference.

use super::metrics::EpochRecord;
use super::number;

/// One net's row of facts, for [`render`].
#[derive(Debug, Clone)]
pub struct NetSummary {
    /// The net of the experiment: `spinal` or `baseline`.
    pub name: String,
    /// Trainable parameters.
    pub parameters: u64,
    /// Multiplications of one forward pass of one image.
    pub multiplications: u64,
    /// The trained epochs, in order.
    pub epochs: Vec<EpochRecord>,
    /// The evaluation of the initial weights, where there was one.
    pub initial: Option<EpochRecord>,
}

impl NetSummary {
    fn record(&self, epoch: usize) -> Option<&EpochRecord> {
        self.initial
            .iter()
            .chain(&self.epochs)
            .find(|record| record.epoch == epoch)
    }

    /// Median over the trained epochs, so that one that was disturbed does not count.
    fn images_per_second(&self) -> Option<f64> {
        let mut speeds: Vec<f64> = self
            .epochs
            .iter()
            .map(|record| record.images_per_second)
            .filter(|speed| speed.is_finite())
            .collect();
        speeds.sort_by(f64::total_cmp);
        let upper = *speeds.get(speeds.len() / 2)?;
        let lower = speeds[(speeds.len() - 1) / 2];
        Some((lower + upper) / 2.0)
    }
}

/// The table as text, a column per net; with both `spinal` and `baseline` another column for the difference
/// `spinal - baseline`.
pub fn render(nets: &[NetSummary]) -> String {
    let mut table = Table::new(nets);
    table.row(
        "parameters",
        |net| Some(net.parameters as f64),
        count,
        relative_change,
    );
    table.row(
        "multiplications per image",
        |net| Some(net.multiplications as f64),
        count,
        relative_change,
    );
    table.row(
        "images/s (median)",
        NetSummary::images_per_second,
        count,
        relative_change,
    );

    let epochs = epochs_of(nets);
    let accuracy = |net: &NetSummary, epoch| net.record(epoch)?.test_accuracy;
    if epochs
        .iter()
        .any(|&epoch| nets.iter().any(|net| accuracy(net, epoch).is_some()))
    {
        table.heading("test accuracy");
        for &epoch in &epochs {
            let label = format!("  epoch {epoch}");
            table.row(&label, |net| accuracy(net, epoch), number::percent, points);
        }
    }
    if !epochs.is_empty() {
        table.heading("test loss");
        for &epoch in &epochs {
            let loss = |net: &NetSummary| Some(net.record(epoch)?.test_loss);
            table.row(
                &format!("  epoch {epoch}"),
                loss,
                number::loss,
                |spinal, baseline| number::loss_difference(spinal - baseline),
            );
        }
    }
    add_best_epochs(&mut table, nets);
    table.aligned()
}

/// The section about the best epoch of each net, which says what it was chosen by.
fn add_best_epochs(table: &mut Table, nets: &[NetSummary]) {
    let best = |net: &NetSummary| EpochRecord::best(&net.epochs).cloned();
    let bests: Vec<EpochRecord> = nets.iter().filter_map(best).collect();
    if bests.is_empty() {
        return;
    }
    let validated = bests.iter().any(|best| best.validation_loss.is_some());
    let set = if validated { "validation" } else { "test" };
    let has_accuracy = bests.iter().any(|best| best.test_accuracy.is_some());
    let measure = if has_accuracy { "accuracy" } else { "loss" };
    table.heading(&format!("best by {set} {measure}"));
    let number = |net: &NetSummary| Some(best(net)?.epoch as f64);
    table.row("  epoch", number, count, |_, _| String::new());
    let loss_difference = |spinal, baseline| number::loss_difference(spinal - baseline);
    if validated && has_accuracy {
        let accuracy = |net: &NetSummary| best(net)?.validation_accuracy;
        table.row("  validation accuracy", accuracy, number::percent, points);
    }
    if validated {
        let loss = |net: &NetSummary| best(net)?.validation_loss;
        table.row("  validation loss", loss, number::loss, loss_difference);
    }
    if has_accuracy {
        let accuracy = |net: &NetSummary| best(net)?.test_accuracy;
        table.row("  test accuracy", accuracy, number::percent, points);
    }
    let loss = |net: &NetSummary| Some(best(net)?.test_loss);
    table.row("  test loss", loss, number::loss, loss_difference);
}

/// Every epoch that some net has a record of, ascending.
fn epochs_of(nets: &[NetSummary]) -> Vec<usize> {
    let records = nets
        .iter()
        .flat_map(|net| net.initial.iter().chain(&net.epochs));
    let mut epochs: Vec<usize> = records.map(|record| record.epoch).collect();
    epochs.sort_unstable();
    epochs.dedup();
    epochs
}

fn count(value: f64) -> String {
    number::thousands(value.round() as u64)
}

fn relative_change(spinal: f64, baseline: f64) -> String {
    format!("{:+.1} %", 100.0 * (spinal / baseline - 1.0))
}

fn points(spinal: f64, baseline: f64) -> String {
    format!("{:+.2} points", 100.0 * (spinal - baseline))
}

/// Rows of cells, the first of each row its label.
struct Table<'a> {
    nets: &'a [NetSummary],
    /// The nets of the difference column, if it has one.
    pair: Option<(&'a NetSummary, &'a NetSummary)>,
    rows: Vec<Vec<String>>,
}

impl<'a> Table<'a> {
    fn new(nets: &'a [NetSummary]) -> Self {
        let named = |name| nets.iter().find(|net| net.name == name);
        let pair = named("spinal").zip(named("baseline"));
        let mut header = vec![String::new()];
        header.extend(nets.iter().map(|net| net.name.clone()));
        header.extend(pair.map(|_| "spinal - baseline".to_owned()));
        Self {
            nets,
            pair,
            rows: vec![header],
        }
    }

    fn heading(&mut self, text: &str) {
        self.rows.push(vec![]);
        self.rows.push(vec![text.to_owned()]);
    }

    /// A row of each net's `value`, and the `difference` of spinal and baseline; `-` where a value is missing.
    fn row(
        &mut self,
        label: &str,
        value: impl Fn(&NetSummary) -> Option<f64>,
        written: impl Fn(f64) -> String,
        difference: impl Fn(f64, f64) -> String,
    ) {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let mut row = vec![label.to_owned()];
        row.extend(
            self.nets
                .iter()
                .map(|net| or_dash(value(net).map(&written))),
        );
        row.extend(self.pair.map(|(spinal, baseline)| {
            or_dash(
                value(spinal)
                    .zip(value(baseline))
                    .map(|(s, b)| difference(s, b)),
            )
        }));
        self.rows.push(row);
    }

    /// The rows as lines: labels flush left, everything else flush right.
    fn aligned(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(String::len).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                line += &if column == 0 {
                    format!("{cell:<width$}")
                } else {
                    format!("  {cell:>width$}")
                };
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(epoch: usize, test_loss: f64, accuracy: Option<f64>, speed: f64) -> EpochRecord {
        EpochRecord {
            net: String::new(),
            epoch,
            lr: 0.01,
            train_loss: test_loss,
            validation_loss: None,
            validation_accuracy: None,
            test_loss,
            test_accuracy: accuracy,
            seconds: 1.0,
            images_per_second: speed,
        }
    }

    fn spinal() -> NetSummary {
        NetSummary {
            name: "spinal".into(),
            parameters: 13_818,
            multiplications: 472_480,
            initial: Some(record(0, 2.3103, Some(0.098), f64::NAN)),
            epochs: vec![
                record(1, 0.1803, Some(0.9435), 1200.0),
                record(2, 0.1145, Some(0.9648), 1300.0),
            ],
        }
    }

    fn baseline() -> NetSummary {
        NetSummary {
            name: "baseline".into(),
            parameters: 21_840,
            multiplications: 480_500,
            initial: None,
            epochs: vec![
                record(1, 0.2005, Some(0.9402), 1400.0),
                record(2, 0.1208, Some(0.9655), 900.0),
                record(3, 0.0998, Some(0.97), 1401.0),
            ],
        }
    }

    fn lines(nets: &[NetSummary]) -> Vec<String> {
        render(nets).lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_pair_shows_its_difference() {
        let expected = [
            "                            spinal  baseline  spinal - baseline",
            "parameters                  13,818    21,840            -36.7 %",
            "multiplications per image  472,480   480,500             -1.7 %",
            "images/s (median)            1,250     1,400            -10.7 %",
            "",
            "test accuracy",
            "  epoch 0                   9.80 %         -                  -",
            "  epoch 1                  94.35 %   94.02 %       +0.33 points",
            "  epoch 2                  96.48 %   96.55 %       -0.07 points",
            "  epoch 3                        -   97.00 %                  -",
            "",
            "test loss",
            "  epoch 0                   2.3103         -                  -",
            "  epoch 1                   0.1803    0.2005            -0.0202",
            "  epoch 2                   0.1145    0.1208            -0.0063",
            "  epoch 3                        -    0.0998                  -",
            "",
            "best by test accuracy",
            "  epoch                          2         3",
            "  test accuracy            96.48 %   97.00 %       -0.52 points",
            "  test loss                 0.1145    0.0998            +0.0147",
        ];
        assert_eq!(lines(&[spinal(), baseline()]), expected);
    }

    #[test]
    fn the_best_epoch_is_that_of_the_validation() {
        let mut net = spinal();
        for (record, accuracy) in net.epochs.iter_mut().zip([0.97, 0.96]) {
            record.validation_accuracy = Some(accuracy);
            record.validation_loss = Some(0.1);
        }
        let expected = [
            "best by validation accuracy",
            "  epoch                            1",
            "  validation accuracy        97.00 %",
            "  validation loss             0.1000",
            "  test accuracy              94.35 %",
            "  test loss                   0.1803",
        ];
        assert!(lines(&[net]).ends_with(&expected.map(str::to_owned)));
    }

    #[test]
    fn one_regression_net_has_neither_accuracy_nor_difference() {
        let mut net = spinal();
        net.initial = None;
        net.epochs = vec![record(1, 0.25, None, 512.0), record(2, 2.5e-5, None, 512.0)];
        let expected = [
            "                             spinal",
            "parameters                   13,818",
            "multiplications per image   472,480",
            "images/s (median)               512",
            "",
            "test loss",
            "  epoch 1                    0.2500",
            "  epoch 2                  2.500e-5",
            "",
            "best by test loss",
            "  epoch                           2",
            "  test loss                2.500e-5",
        ];
        assert_eq!(lines(&[net]), expected);
    }

    #[test]
    fn a_net_without_epochs_shows_its_size() {
        let mut net = spinal();
        net.initial = None;
        net.epochs.clear();
        let expected = [
            "                            spinal",
            "parameters                  13,818",
            "multiplications per image  472,480",
            "images/s (median)                -",
        ];
        assert_eq!(lines(&[net]), expected);
    }
}
