//! The report of a reproduction: tables and sentences in Markdown.

use std::fmt::Write;

use super::outcome::{BesidePaper, Case, Measured, NetCost, Outcome};
use crate::report::limits;
use crate::report::measure::Measure;
use crate::report::number::thousands;
use crate::report::paper::{self, UNKNOWN};

impl Outcome {
    /// The report in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = heading(self);
        if let Some(caveat) = self.caveat {
            let _ = writeln!(text, "{caveat}\n");
        }
        for case in &self.cases {
            text += &section(case, self);
        }
        let _ = writeln!(
            text,
            "![Learning curves](curves.svg)\n\nCurves are means over seeds, their bands reach from the lowest to the highest. After \
             +- and in the columns sd: standard deviations over seeds, with n - 1. Tests: Student's, two-sided, of the differences \
             seed by seed; with more than one comparison, p is not corrected for their number.\n\nWhere the paper's numbers come \
             from: {}.",
            paper::TAGS
        );
        text
    }
}

fn heading(outcome: &Outcome) -> String {
    let limits = limits::describe(outcome.limit_train, outcome.limit_test);
    let limits = limits.map(|limits| format!("- limited: {limits}\n"));
    format!(
        "# {}: {}\n\n```\n{}\n```\n\n- protocol {}\n- epochs: {}\n{}- device: {}\n- written {} by spinalnet {}\n\n",
        outcome.experiment,
        outcome.protocol.name(),
        outcome.command,
        outcome.protocol_description,
        outcome.epochs,
        limits.unwrap_or_default(),
        outcome.devices.join("; "),
        outcome.date,
        outcome.spinal,
    )
}

fn section(case: &Case, outcome: &Outcome) -> String {
    let seeds: Vec<String> = case.seeds.iter().map(u64::to_string).collect();
    let mut text = format!("## {}\n\nSeeds: {}\n\n", case.data, seeds.join(", "));
    text += &results(case, &outcome.nets);
    for measured in &case.measures {
        for comparison in &measured.comparisons {
            let _ = writeln!(text, "- {}: {}", measured.name, comparison.statement);
        }
    }
    text.push('\n');
    if !case.beside_paper.is_empty() {
        let is_limited = outcome.limit_train.or(outcome.limit_test).is_some();
        text += match is_limited {
            true => "Beside the paper, after as many epochs, but over limited data here:\n\n",
            false => "Beside the paper, after as many epochs:\n\n",
        };
        text += &beside_paper(&case.beside_paper);
    }
    if let Some(best) = case.best_of_paper {
        let percent = |value| Measure::HighestTestAccuracy.text(value);
        let _ = writeln!(
            text,
            "The paper's best SpinalNet of any kind on {}: {} % [{}]; the best known in June 2020: {} % [B].\n",
            case.data,
            percent(best.spinal),
            best.tag,
            percent(best.known)
        );
    }
    text
}

/// A row for each net.
fn results(case: &Case, costs: &[NetCost]) -> String {
    let mut header = vec![
        "net".to_owned(),
        "parameters".into(),
        "multiplications".into(),
    ];
    let titles = case.measures.iter();
    header.extend(titles.map(|measured| format!("{}, {}", measured.name, measured.measure.unit())));
    // The epochs belong to the measure of the protocol, the first.
    header.insert(4, "in epoch".to_owned());
    header.push("paper".to_owned());
    let mut rows = vec![header];
    for cost in costs {
        let mut row = vec![
            cost.net.clone(),
            thousands(cost.parameters),
            thousands(cost.multiplications),
        ];
        let values = case.measures.iter();
        row.extend(values.map(|measured| value(measured, &cost.net)));
        row.insert(4, selected(&case.measures[0], &cost.net));
        row.push(known(case, &cost.net));
        rows.push(row);
    }
    table(&rows)
}

/// Mean and deviation of a net.
fn value(measured: &Measured, net: &str) -> String {
    let values = measured.nets.iter().find(|values| values.net == net);
    let text = |value| measured.measure.text(value);
    values.map_or("-".to_owned(), |values| match values.values.len() {
        1 => text(values.mean),
        _ => format!("{} +- {}", text(values.mean), text(values.deviation)),
    })
}

/// The epochs that were selected, seed by seed.
fn selected(measured: &Measured, net: &str) -> String {
    let values = measured.nets.iter().find(|values| values.net == net);
    let epochs = values.map(|values| values.epochs.iter().map(usize::to_string));
    epochs.map_or("-".to_owned(), |epochs| {
        epochs.collect::<Vec<_>>().join(", ")
    })
}

/// What the paper has of the measures in the table, after as many epochs.
fn known(case: &Case, net: &str) -> String {
    let values = case.measures.iter().flat_map(|measured| &measured.nets);
    let numbers = values
        .filter(|values| values.net == net)
        .filter_map(|values| values.paper);
    let texts: Vec<String> = numbers
        .map(|number| {
            let measure = number.measure;
            format!(
                "{} {} [{}] ({})",
                measure.text(number.value),
                measure.unit(),
                number.tag,
                measure.name()
            )
        })
        .collect();
    match texts.is_empty() {
        true => UNKNOWN.to_owned(),
        false => texts.join("; "),
    }
}

/// A row for each number of the paper.
fn beside_paper(numbers: &[BesidePaper]) -> String {
    let header = [
        "net",
        "epochs",
        "measure",
        "here",
        "sd",
        "paper",
        "difference",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for BesidePaper {
        net,
        paper,
        mean,
        deviation,
    } in numbers
    {
        let measure = paper.measure;
        let text = |value| measure.text(value);
        let epochs = paper.epochs.map(|epochs| epochs.to_string());
        rows.push(vec![
            net.clone(),
            epochs.unwrap_or_else(|| "?".to_owned()),
            format!("{}, {}", measure.name(), measure.unit()),
            text(*mean),
            text(*deviation),
            format!("{} [{}]", text(paper.value), paper.tag),
            text(mean - paper.value),
        ]);
    }
    table(&rows)
}

/// A table in Markdown that is also one to the eye: the first row is its header, the first column flush left.
fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].len());
        cells.max().unwrap_or(0).max(2)
    };
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            text += &match column {
                0 => format!("| {cell:<width$} |"),
                _ => format!(" {cell:>width$} |"),
            };
        }
        text.push('\n');
        if number == 0 {
            for (column, &width) in widths.iter().enumerate() {
                text += &match column {
                    0 => format!("|{}|", "-".repeat(width + 2)),
                    _ => format!("{}:|", "-".repeat(width + 1)),
                };
            }
            text.push('\n');
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_one_to_the_eye() {
        let rows = [["net", "sd"], ["baseline", "0.1"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let expected = "\
            | net      |  sd |\n\
            |----------|----:|\n\
            | baseline | 0.1 |\n\n";
        assert_eq!(table(&rows), expected);
    }
}
