//! What one measured operation was worth: a row of a table.

use serde::Serialize;

use super::ceilings::Ceilings;
use super::conditions::Conditions;
use super::table::{Table, short};
use super::timing::Timing;
use crate::plan::{Cost, Dispatch};

/// The columns of a table of rows.
pub const HEADER: [&str; 9] = [
    "operation",
    "kernels",
    "dispatches",
    "median ms",
    "min ms",
    "GFLOP/s",
    "of ceiling",
    "GB/s",
    "of ceiling",
];

/// One operation.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What it is, by which reports are compared.
    pub name: String,
    /// The entry points that it ran.
    pub kernels: String,
    /// Dispatches of one run.
    pub dispatches: usize,
    /// Bytes bound: what must at least be read or written once.
    pub bytes: u64,
    /// Multiplications and additions of its mathematics.
    pub flop: u64,
    /// Its time; none if it computed something wrong.
    pub ms: Option<Timing>,
    /// Multiplications and additions per second, in units of 10^9, in the fastest run.
    pub gflops: Option<f64>,
    /// Bytes bound per second, in units of 10^9, in the fastest run.
    pub gbytes_per_s: Option<f64>,
    /// `gflops` as a part of the adapter's ceiling.
    pub of_product_ceiling: Option<f64>,
    /// `gbytes_per_s` as a part of the adapter's ceiling.
    pub of_copy_ceiling: Option<f64>,
    /// What is wrong with its output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
}

impl Row {
    /// What dispatches took together, or what is wrong with them: only what is right is worth a time.
    pub fn new<'a>(
        name: String,
        dispatches: impl IntoIterator<Item = &'a Dispatch>,
        outcome: Result<Timing, String>,
        ceilings: &Ceilings,
    ) -> Self {
        let (mut kernels, mut count, mut cost) = (Vec::new(), 0, Cost::default());
        for dispatch in dispatches {
            let kernel = dispatch.kernel();
            if !kernels.contains(&kernel) {
                kernels.push(kernel);
            }
            count += 1;
            cost.multiplications += dispatch.cost.multiplications;
            cost.bytes += dispatch.cost.bytes;
        }
        let ms = outcome.as_ref().ok().copied();
        let flop = 2 * cost.multiplications;
        let per_second = |amount: u64| ms.map(|ms| amount as f64 / (ms.min * 1e6));
        let (gflops, gbytes_per_s) = (per_second(flop), per_second(cost.bytes));
        Self {
            name,
            kernels: kernels.join(" "),
            dispatches: count,
            bytes: cost.bytes,
            flop,
            ms,
            gflops,
            gbytes_per_s,
            of_product_ceiling: gflops.map(|rate| rate / ceilings.gflops),
            of_copy_ceiling: gbytes_per_s.map(|rate| rate / ceilings.gbytes_per_s),
            wrong: outcome.err(),
        }
    }

    /// The cells under [`HEADER`].
    pub fn cells(&self) -> Vec<String> {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), short);
        let percent = |value: Option<f64>| {
            value.map_or("-".to_owned(), |part| format!("{:.0} %", 100.0 * part))
        };
        let name = match &self.wrong {
            Some(wrong) => format!("{}: WRONG: {wrong}", self.name),
            None => self.name.clone(),
        };
        vec![
            name,
            first_of(&self.kernels),
            self.dispatches.to_string(),
            number(self.ms.map(|ms| ms.median)),
            number(self.ms.map(|ms| ms.min)),
            number(self.gflops),
            percent(self.of_product_ceiling),
            number(self.gbytes_per_s),
            percent(self.of_copy_ceiling),
        ]
    }
}

/// Rows that were measured together.
#[derive(Clone, Debug, Serialize)]
pub struct RowsReport {
    /// The name of the subcommand.
    pub bench: &'static str,
    /// Where and how.
    #[serde(flatten)]
    pub conditions: Conditions,
    /// What the adapter can do at most.
    pub ceilings: Ceilings,
    /// The rows.
    pub rows: Vec<Row>,
}

impl std::fmt::Display for RowsReport {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        writeln!(f, "{}", self.conditions)?;
        writeln!(
            f,
            "ceilings: {} GFLOP/s in registers, {} GB/s in a copy",
            short(self.ceilings.gflops),
            short(self.ceilings.gbytes_per_s)
        )?;
        let mut table = Table::new(2, &HEADER);
        for row in &self.rows {
            table.push(row.cells());
        }
        write!(f, "{table}")
    }
}

/// The first kernel, and how many there are besides.
fn first_of(kernels: &str) -> String {
    match kernels.split_once(' ') {
        Some((first, others)) => format!("{first} + {}", others.split(' ').count()),
        None => kernels.to_owned(),
    }
}
