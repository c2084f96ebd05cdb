//! A report beside an older one: the ratio of every time that both have.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use super::table::{Table, short};
use crate::error::{Error, Result};
use crate::file;

/// An older report.
#[derive(Clone, Debug)]
pub struct OldReport(Value);

impl OldReport {
    /// Reads what `spinal bench SUBCOMMAND --json` printed.
    ///
    /// # Errors
    /// `Error::File` if there is no such file, or something else in it.
    pub fn read(path: &Path) -> Result<Self> {
        let hint = "give a file that `spinal bench .. --json` wrote";
        let text = file::read_text(path, hint)?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| Error::file(path, format!("is no bench report: {error}"), hint))?;
        if value["bench"].is_string() && value["adapter"].is_string() {
            Ok(Self(value))
        } else {
            Err(Error::file(
                path,
                "is no bench report: it names no bench and adapter",
                hint,
            ))
        }
    }

    /// The times of both reports with the ratio of new to old medians; what the two do not share is listed after them.
    pub fn compare(&self, new: &Value) -> String {
        let (before, after) = (timings(&self.0), timings(new));
        let mut text = String::new();
        for field in [
            "bench",
            "model",
            "batch_size",
            "adapter",
            "driver",
            "checks",
            "kernels",
        ] {
            if self.0[field] != new[field] {
                let _ = writeln!(
                    text,
                    "not the same {field}: {}, now {}",
                    self.0[field], new[field]
                );
            }
        }
        let mut table = Table::new(1, &["time", "old median", "new median", "new / old"]);
        let median = |times: &[Time], name: &str| {
            let found = times.iter().find(|time| time.name == name);
            found.map(|time| time.median)
        };
        for time in &after {
            if let Some(old) = median(&before, &time.name) {
                table.push(vec![
                    time.name.clone(),
                    short(old),
                    short(time.median),
                    format!("{:.3}", time.median / old),
                ]);
            }
        }
        let _ = write!(text, "{table}");
        for (what, times, others) in [("old", &before, &after), ("new", &after, &before)] {
            for time in times {
                if median(others, &time.name).is_none() {
                    let _ = write!(text, "\nonly in the {what} report: {}", time.name);
                }
            }
        }
        text
    }
}

struct Time {
    name: String,
    median: f64,
}

/// Everything in a report that has a median, by the names of the fields and rows that lead to it.
fn timings(report: &Value) -> Vec<Time> {
    let mut times = Vec::new();
    collect(report, "", &mut times);
    times
}

fn collect(value: &Value, path: &str, times: &mut Vec<Time>) {
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}: {name}")
        }
    };
    match value {
        Value::Object(fields) => {
            if let Some(median) = value["median"].as_f64() {
                times.push(Time {
                    name: path.to_owned(),
                    median,
                });
                return;
            }
            for (name, field) in fields {
                collect(field, &below(name), times);
            }
        }
        Value::Array(rows) => {
            for row in rows {
                if let Some(name) = row["name"].as_str() {
                    collect(row, &below(name), times);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::OldReport;

    #[test]
    fn times_are_matched_by_name() {
        let old = json!({
            "bench": "gemm", "adapter": "a", "driver": "1",
            "rows": [
                {"name": "x", "ms": {"min": 1.0, "median": 2.0}},
                {"name": "gone", "ms": {"min": 1.0, "median": 2.0}},
            ],
        });
        let new = json!({
            "bench": "gemm", "adapter": "a", "driver": "2",
            "rows": [
                {"name": "x", "ms": {"min": 1.0, "median": 1.0}},
                {"name": "wrong", "ms": null},
            ],
        });
        let text = OldReport(old).compare(&new);
        assert!(
            text.contains("not the same driver: \"1\", now \"2\""),
            "{text}"
        );
        assert!(
            text.contains("rows: x: ms        2.00        1.00      0.500"),
            "{text}"
        );
        assert!(
            text.ends_with("only in the old report: rows: gone: ms"),
            "{text}"
        );
    }
}
