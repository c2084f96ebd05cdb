//! Tables in plain text: the first column to the left, numbers to the right.

use std::fmt;

/// Rows of cells under a header.
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Columns from the left that hold names.
    names: usize,
}

impl Table {
    /// An empty table whose first `names` columns hold names.
    pub fn new(names: usize, header: &[&str]) -> Self {
        Self {
            header: header.iter().map(|&cell| cell.to_owned()).collect(),
            rows: Vec::new(),
            names,
        }
    }

    /// Appends a row.
    pub fn push(&mut self, row: Vec<String>) {
        assert_eq!(row.len(), self.header.len(), "a row has all cells");
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let width = |column: usize| {
            let cells = std::iter::once(&self.header).chain(&self.rows);
            cells.map(|row| row[column].chars().count()).max()
        };
        let widths: Vec<usize> = (0..self.header.len()).filter_map(width).collect();
        for (line, row) in std::iter::once(&self.header).chain(&self.rows).enumerate() {
            if line > 0 {
                writeln!(f)?;
            }
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let space = if column > 0 { "  " } else { "" };
                if column < self.names {
                    write!(f, "{space}{cell:<width$}")?;
                } else {
                    write!(f, "{space}{cell:>width$}")?;
                }
            }
        }
        Ok(())
    }
}

/// A number with three significant digits, or all before the point.
pub fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 || size == 0.0 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.9995 => format!("{value:.2}"),
        size if size >= 0.001 => format!("{value:.4}"),
        _ => format!("{value:.2e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Table, short};

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(1, &["op", "ms"]);
        table.push(vec!["linear".into(), "1".into()]);
        table.push(vec!["add".into(), "10.25".into()]);
        assert_eq!(
            table.to_string(),
            "op         ms\nlinear      1\nadd     10.25"
        );
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 1234.5, 12.345, 1.2345, 0.012_345, 1.2e-6].map(short);
        assert_eq!(texts, ["0", "1234", "12.3", "1.23", "0.0123", "1.20e-6"]);
    }
}
