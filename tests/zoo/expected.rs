//! The lines of `pytorch.csv`, which `pytorch.py` beside it writes.

use spinalnet::error::Result;
use spinalnet::models::{self, Model, ModelOptions};
use spinalnet::optim::Sgd;

use crate::common::course::{Course, initial_values};
use crate::common::formula;
use crate::common::tolerance::{EPS, LUCK, assert_within};

/// What PyTorch says of one network.
pub struct Expected {
    /// The name of the network.
    pub model: String,
    /// Columns of its output.
    pub classes: u32,
    batch: u32,
    lr: f32,
    /// The loss of each training step and of the evaluation after them, in f64.
    losses: Vec<f64>,
    /// How far PyTorch in f32 is from each.
    errors: Vec<f64>,
}

impl Expected {
    /// All lines.
    pub fn all() -> Vec<Self> {
        let lines = include_str!("pytorch.csv").lines().skip(1);
        lines.map(Self::parse).collect()
    }

    /// The line of a network for a number of classes.
    pub fn of(model: &str, classes: u32) -> Self {
        let mut lines = Self::all().into_iter();
        let found = lines.find(|line| line.model == model && line.classes == classes);
        found.unwrap_or_else(|| panic!("{model} for {classes} classes: write pytorch.csv anew"))
    }

    fn parse(line: &str) -> Self {
        let fields: Vec<&str> = line.split(',').collect();
        let [model, classes, batch, lr, ref results @ ..] = fields[..] else {
            panic!("{line}: too few fields")
        };
        let numbers: Vec<f64> = results.iter().map(|text| number(text)).collect();
        let (losses, errors) = numbers.split_at(3);
        Self {
            model: model.to_owned(),
            classes: number(classes),
            batch: number(batch),
            lr: number(lr),
            losses: losses.to_vec(),
            errors: errors.to_vec(),
        }
    }

    /// Trains and evaluates the network and compares its losses.
    pub fn check(&self) {
        let options = ModelOptions {
            classes: Some(self.classes),
            no_dropout: true,
            ..ModelOptions::default()
        };
        let model = models::build(&self.model, options).expect("it is a model");
        let what = format!("{} for {} classes", self.model, self.classes);
        let losses = self
            .train(&model)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        // The roundings of all sums add up like a random walk, and every step starts from what the steps before have made.
        let rounding = EPS * formula::depth(&model.parameters).sqrt();
        assert_within(&what, &losses, &self.losses, |step| {
            let scale = self.losses[step].max(1.0) * (step as f64 + 1.0).sqrt();
            LUCK * self.errors[step] + rounding * scale
        });
    }

    /// The losses of two steps and of an evaluation.
    fn train(&self, model: &Model) -> Result<Vec<f64>> {
        let optimizer = Sgd {
            momentum: 0.5,
            ..Sgd::default()
        };
        let course = Course {
            batch: self.batch,
            steps: 2,
            optimizer: &optimizer,
            lr: self.lr,
        };
        let running = course.start(model, &initial_values(model))?;
        running.step(course.steps)?;
        let mut losses = running.losses()?;
        losses.push(running.evaluate()?);
        Ok(losses)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is no number"))
}
