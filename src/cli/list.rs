//! `spinal list`: the networks and what they cost.

use clap::Args;
use serde::Serialize;

use super::output::{print, print_json};
use crate::error::Result;
use crate::models::{self, FAMILIES, Family, ModelOptions};
use crate::steps::{multiplications_of_backbone, multiplications_of_head};

/// Flags of `spinal list`.
#[derive(Args, Debug)]
pub struct List {
    /// Print the networks for all numbers of classes that the paper trains them on
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    model: String,
    parameters: u64,
    multiplications: u64,
    outputs: u32,
}

impl List {
    /// Prints a line for each network.
    pub fn run(&self) -> Result<()> {
        let rows = FAMILIES.iter().map(|family| self.rows(family));
        let rows: Vec<Row> = rows
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect();
        if self.json {
            return print_json(&rows);
        }
        print(format!(
            "{:<30} {:>12} {:>16} {:>8}",
            "model", "parameters", "multiplications", "outputs"
        ))?;
        for Row {
            model,
            outputs,
            parameters,
            multiplications,
        } in rows
        {
            print(format!(
                "{model:<30} {parameters:>12} {multiplications:>16} {outputs:>8}"
            ))?;
        }
        Ok(())
    }

    fn rows(&self, family: &Family) -> Result<Vec<Row>> {
        let shown = if self.all { family.classes.len() } else { 1 };
        let mut rows = Vec::new();
        // The nets on a backbone of ImageNet's share it.
        let mut shared = None;
        for number in 0..shown {
            for net in family.nets {
                let Some(&classes) = family.classes_of(net).get(number) else {
                    continue;
                };
                let options = ModelOptions {
                    classes: Some(classes),
                    ..ModelOptions::default()
                };
                let model = models::build(&format!("{}-{net}", family.name), options)?;
                let known = shared.filter(|_| family.is_imagenet);
                let backbone = known.unwrap_or_else(|| multiplications_of_backbone(&model));
                shared = Some(backbone);
                let (backbone, features) = backbone;
                rows.push(Row {
                    multiplications: backbone + multiplications_of_head(&model, features),
                    parameters: model.parameters.count(),
                    outputs: model.outputs,
                    model: model.name,
                });
            }
        }
        Ok(rows)
    }
}
