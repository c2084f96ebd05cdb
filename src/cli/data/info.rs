//! `spinal data info`: what a data set holds.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::load_flags::LoadFlags;
use crate::cli::output::{note, print, print_json};
use crate::cli::text;
use crate::data::statistics::{channel_moments, class_counts};
use crate::data::{self, ImageSet, contact_sheet};
use crate::error::Result;
use crate::report::atomic_file;

/// Flags of `spinal data info`.
#[derive(Args, Debug)]
pub struct Info {
    /// A data set's name, or a folder
    #[arg(value_name = "NAME|DIR", value_parser = text::parser::<String>())]
    data: String,
    #[command(flatten)]
    load: LoadFlags,
    /// Write a PNG of the first ten training images of every class
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What there is to know about a data set.
#[derive(Debug, Serialize)]
struct Summary {
    name: String,
    height: usize,
    width: usize,
    channels: usize,
    /// Without the images held out.
    train: usize,
    held_out: usize,
    test: usize,
    /// How the images came to their parts.
    division: String,
    classes: Vec<Class>,
    /// Of the training pixels, of 1.
    mean: Vec<f64>,
    std: Vec<f64>,
    /// What a training normalises by.
    normalised_mean: Vec<f32>,
    normalised_std: Vec<f32>,
}

#[derive(Debug, Serialize)]
struct Class {
    name: String,
    train: usize,
    held_out: usize,
    test: usize,
}

impl Info {
    /// Prints the summary and writes the sheet.
    pub fn run(&self) -> Result<()> {
        let set = data::load_with(&self.data, &self.load.options())?;
        set.notes.iter().for_each(note);
        if let Some(path) = &self.sheet {
            let png = contact_sheet::by_class(&set.train, set.classes)?;
            atomic_file::write(path, &png)?;
        }
        let summary = summarise(&set)?;
        if self.json {
            print_json(&summary)
        } else {
            print(render(&summary))
        }
    }
}

fn summarise(set: &ImageSet) -> Result<Summary> {
    let train = set.train.count - set.held_out;
    let (train_labels, held_out_labels) = set.train.labels.split_at(train);
    let counts = |labels| class_counts(labels, set.classes);
    let (in_train, in_held_out) = (counts(train_labels), counts(held_out_labels));
    let in_test = counts(&set.test.labels);
    let classes = (0..set.classes).map(|class| Class {
        name: set.class_name(class),
        train: in_train[class],
        held_out: in_held_out[class],
        test: in_test[class],
    });
    let moments = channel_moments(&set.train, train)?;
    Ok(Summary {
        name: set.name.clone(),
        height: set.train.height,
        width: set.train.width,
        channels: set.train.channels,
        train,
        held_out: set.held_out,
        test: set.test.count,
        division: set.division.to_string(),
        classes: classes.collect(),
        mean: moments.mean,
        std: moments.std,
        normalised_mean: set.mean.clone(),
        normalised_std: set.std.clone(),
    })
}

/// The summary as lines of text.
fn render(summary: &Summary) -> String {
    let colour = match summary.channels {
        1 => "grey",
        _ => "RGB",
    };
    let mut lines = vec![
        format!(
            "{}: {} x {} {colour}, {} classes",
            summary.name,
            summary.height,
            summary.width,
            summary.classes.len()
        ),
        format!(
            "{} training images, {} held out for validation, {} test images ({})",
            summary.train, summary.held_out, summary.test, summary.division
        ),
        format!(
            "training pixels: mean {}, std {} (normalised by {} and {})",
            decimals(&summary.mean),
            decimals(&summary.std),
            decimals(&summary.normalised_mean),
            decimals(&summary.normalised_std)
        ),
    ];
    let row = |class: &str, train: String, held_out: String, test: String| {
        format!("{class:<24} {train:>8} {held_out:>8} {test:>8}")
    };
    lines.push(row(
        "class",
        "train".into(),
        "held out".into(),
        "test".into(),
    ));
    for class in &summary.classes {
        let [train, held_out, test] =
            [class.train, class.held_out, class.test].map(|count| count.to_string());
        lines.push(row(&class.name, train, held_out, test));
    }
    lines.join("\n")
}

fn decimals<T: std::fmt::Display>(values: &[T]) -> String {
    let values = values.iter().map(|value| format!("{value:.4}"));
    values.collect::<Vec<_>>().join(" ")
}
