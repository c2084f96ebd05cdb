//! The lines of `pytorch.csv` and `freezing.csv`, which `pytorch.py` beside them writes.

use spinalnet::batch::Sample;
use spinalnet::error::Result;
use spinalnet::models::{self, Model, ModelOptions};
use spinalnet::optim::{Optimizer, Sgd};
use spinalnet::plan::{ParameterSpec, Role, Values};

use crate::common::course::{self, Course, Running};
use crate::common::formula;
use crate::common::tolerance::{EPS, LUCK, assert_within};

/// Steps of a training.
pub const STEPS: u32 = 3;

/// What PyTorch says of a number: what it is in f64, and how far from that PyTorch in f32 can come.
#[derive(Clone, Copy)]
pub struct Number {
    pub value: f64,
    pub error: f64,
}

/// What PyTorch says of one network.
pub struct Expected {
    /// The name of the network.
    pub model: String,
    /// Rows and columns of an image.
    size: [u32; 2],
    /// What it says of the training.
    pub training: Training,
}

/// What PyTorch says of a training.
pub struct Training {
    /// Samples of the batch.
    pub batch: u32,
    pub lr: f32,
    /// The loss of each training step and of the evaluation after them.
    losses: Vec<Number>,
    /// A norm of each trained parameter, in the order of their names.
    pub norms: Vec<Number>,
}

impl Expected {
    /// All lines.
    pub fn all() -> Vec<Self> {
        let lines = include_str!("pytorch.csv").lines().skip(1);
        lines.map(Self::parse).collect()
    }

    /// The line of a network.
    pub fn of(model: &str) -> Self {
        let found = Self::all().into_iter().find(|line| line.model == model);
        found.unwrap_or_else(|| panic!("{model}: write pytorch.csv anew"))
    }

    fn parse(line: &str) -> Self {
        let fields: Vec<&str> = line.split(',').collect();
        let [model, height, width, batch, ref training @ ..] = fields[..] else {
            panic!("{line}: too few fields")
        };
        Self {
            model: model.to_owned(),
            size: [number(height), number(width)],
            training: Training::parse(number(batch), training),
        }
    }

    /// The network.
    pub fn build(&self) -> Model {
        self.build_with(ModelOptions::default())
    }

    /// The network with such changes.
    pub fn build_with(&self, changes: ModelOptions) -> Model {
        let [height, width] = self.size;
        let options = ModelOptions {
            no_dropout: true,
            sample: Some(Sample::Image {
                height,
                width,
                channels: 3,
            }),
            ..changes
        };
        models::build(&self.model, options).expect("it is a model")
    }

    /// Trains and evaluates the network, and compares losses and gradients.
    pub fn check(&self) {
        let model = self.build();
        let compared = self.compare(&model);
        compared.unwrap_or_else(|error| panic!("{}: {error}", self.model));
    }

    fn compare(&self, model: &Model) -> Result<()> {
        let optimizer = Sgd {
            momentum: 0.5,
            ..Sgd::default()
        };
        let running = self.training.start(model, &optimizer)?;
        running.step(1)?;
        let gradients = running.gradients()?;
        let found = norms(model, |spec| spec.unpack(&gradients));
        running.step(STEPS - 1)?;

        self.training.assert_losses(model, &running)?;
        let expected = &self.training.norms;
        let error = backward_error(model, self.training.batch);
        assert_within(&self.model, &found, &values(expected), |index| {
            LUCK * expected[index].error + error * layer_scale(model, expected, index)
        });
        Ok(())
    }
}

impl Training {
    /// What the fields of a line from the learning rate on say.
    pub fn parse(batch: u32, fields: &[&str]) -> Self {
        let results: Vec<Number> = fields[1..].iter().map(|text| result(text)).collect();
        let (losses, norms) = results.split_at(STEPS as usize + 1);
        Self {
            batch,
            lr: number(fields[0]),
            losses: losses.to_vec(),
            norms: norms.to_vec(),
        }
    }

    /// Puts a network on the device for it.
    pub fn start(&self, model: &Model, optimizer: &dyn Optimizer) -> Result<Running> {
        let course = Course {
            batch: self.batch,
            steps: STEPS,
            optimizer,
            lr: self.lr,
        };
        course.start(model, &initial_values(model))
    }

    /// Compares the losses of a network that has taken all steps.
    pub fn assert_losses(&self, model: &Model, running: &Running) -> Result<()> {
        let mut losses = running.losses()?;
        losses.push(running.evaluate()?);
        // The roundings of all sums add up like a random walk, and every step starts from what the steps before have made.
        let rounding = EPS * formula::depth(&model.parameters).sqrt();
        let what = format!("the losses of {}", model.name);
        assert_within(&what, &losses, &values(&self.losses), |step| {
            let Number { value, error } = self.losses[step];
            LUCK * error + rounding * value.max(1.0) * (step as f64 + 1.0).sqrt()
        });
        Ok(())
    }
}

/// What a network starts from: as the formula says, and with a quarter of it for the last normalisation of every block of a
/// ResNet, so that f32 keeps its way through 50 of them.
pub fn initial_values(model: &Model) -> Values {
    let mut values = course::initial_values(model);
    let specs = model.parameters.specs();
    let exists = |name: &str| specs.iter().any(|spec| spec.name == name);
    for spec in specs {
        let [block, "bn2" | "bn3", "weight"] = parts(&spec.name)[..] else {
            continue;
        };
        let is_last = !spec.name.contains(".bn2.") || !exists(&format!("{block}.bn3.weight"));
        if block.starts_with("layer") && is_last {
            let quarters: Vec<f32> = values.get(spec).iter().map(|value| value / 4.0).collect();
            values.set(spec, &quarters);
        }
    }
    values
}

/// `[BLOCK, LAYER, PART]` of the name of a parameter.
fn parts(name: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = name.rsplitn(3, '.').collect();
    parts.reverse();
    parts
}

/// The trained parameters in the order of their names.
pub fn trained(model: &Model) -> Vec<&ParameterSpec> {
    let specs = model.parameters.specs().iter();
    let is_trained = |spec: &&ParameterSpec| spec.role == Role::Learnable && spec.rate != 0.0;
    let mut trained: Vec<&ParameterSpec> = specs.filter(is_trained).collect();
    trained.sort_by(|a, b| a.name.cmp(&b.name));
    trained
}

/// The L2 norm of some values of each trained parameter.
pub fn norms(model: &Model, of: impl Fn(&ParameterSpec) -> Vec<f32>) -> Vec<f64> {
    trained(model)
        .into_iter()
        .map(|spec| norm(&of(spec)))
        .collect()
}

/// The L2 norm of some values.
pub fn norm(values: &[f32]) -> f64 {
    let squares = values.iter().map(|&value| f64::from(value).powi(2));
    squares.sum::<f64>().sqrt()
}

/// The numbers without their errors.
pub fn values(results: &[Number]) -> Vec<f64> {
    results.iter().map(|result| result.value).collect()
}

/// Error of a gradient, relative to the largest of its layer: there, back, and the sum over all positions of the batch.
pub fn backward_error(model: &Model, batch: u32) -> f64 {
    let Sample::Image { height, width, .. } = model.sample else {
        panic!("{} takes no images", model.name)
    };
    let positions = f64::from(batch * height * width);
    EPS * (2.0 * formula::depth(&model.parameters) + positions).sqrt()
}

/// The largest norm of the layer of trained parameter `index`. A bias before a BatchNorm has gradient 0, and its error is still
/// that of a sum over the same gradients that its weight's is made of.
pub fn layer_scale(model: &Model, norms: &[Number], index: usize) -> f64 {
    let trained = trained(model);
    assert_eq!(
        trained.len(),
        norms.len(),
        "{}: trained parameters",
        model.name
    );
    let layer = |spec: &ParameterSpec| spec.name.rsplit_once('.').expect("LAYER.PART").0.to_owned();
    let own = layer(trained[index]);
    let of_layer = trained
        .iter()
        .zip(norms)
        .filter(|(spec, _)| layer(spec) == own);
    of_layer.map(|(_, norm)| norm.value).fold(0.0, f64::max)
}

fn result(text: &str) -> Number {
    let (value, error) = text
        .split_once("+-")
        .unwrap_or_else(|| panic!("`{text}` is not VALUE+-ERROR"));
    Number {
        value: number(value),
        error: number(error),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is no number"))
}
