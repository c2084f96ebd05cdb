//! The product against PyTorch: logits, loss, every gradient by name, ten losses and the trained weights of all five
//! networks in `tests/fixtures`, through the plans that training runs.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use common::tolerance::{EPS, assert_within};
use common::{device, doubles};
use safetensors::SafeTensors;
use spinalnet::gpu::{Checks, Device, Executable, Memory};
use spinalnet::layers::{Part, Sample, Source};
use spinalnet::models::{self, Model, ModelOptions};
use spinalnet::optim::{Adam, Optimizer, Sgd};
use spinalnet::plan::{AdapterClass, Allocation, Values};
use spinalnet::steps;

const STEPS: u32 = 10;

/// The ways to train: all kernels, and all checks. Any adapter runs the kernels of either class.
const WAYS: [(Checks, AdapterClass); 3] = [
    (Checks::Trusted, AdapterClass::Gpu),
    (Checks::Trusted, AdapterClass::Cpu),
    (Checks::Checked, AdapterClass::Gpu),
];

/// The learning rate of all fixtures.
const LR: f32 = 0.01;

/// One fixture file, with its numbers by name.
struct Fixture {
    floats: HashMap<String, Vec<f32>>,
    bytes: HashMap<String, Vec<u8>>,
}

impl Fixture {
    fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let path = folder.join(format!("{name}.safetensors"));
        let file =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let tensors =
            SafeTensors::deserialize(&file).expect("a fixture is a whole safetensors file");
        let (mut floats, mut bytes) = (HashMap::new(), HashMap::new());
        for (name, tensor) in tensors.iter() {
            if tensor.dtype() == safetensors::Dtype::F32 {
                floats.insert(name.to_owned(), bytemuck::pod_collect_to_vec(tensor.data()));
            } else {
                bytes.insert(name.to_owned(), tensor.data().to_vec());
            }
        }
        Self { floats, bytes }
    }

    fn floats(&self, name: &str) -> &[f32] {
        self.floats
            .get(name)
            .unwrap_or_else(|| panic!("the fixture has no {name}"))
    }

    /// The tensors under a prefix, by what follows it.
    fn under(&self, prefix: &str) -> BTreeMap<&str, Vec<f64>> {
        let named = self.floats.iter();
        named
            .filter_map(|(name, values)| Some((name.strip_prefix(prefix)?, doubles(values))))
            .collect()
    }
}

/// A net of a fixture on a device.
struct Training {
    fixture: Fixture,
    model: Model,
    batch: u32,
    device: &'static Device,
    memory: Memory,
    train: Executable,
    forward: Executable,
}

impl Training {
    fn new(
        name: &str,
        batch: u32,
        optimizer: &dyn Optimizer,
        (checks, class): (Checks, AdapterClass),
    ) -> Self {
        let fixture = Fixture::read(name);
        let model = models::build(
            name,
            ModelOptions {
                no_dropout: true,
                ..ModelOptions::default()
            },
        )
        .expect("it is a model");
        let source = Source::whole(Part::Train, model.sample, STEPS * batch, batch);
        let train = steps::train_plan(&model, &source, batch, optimizer, class);
        let forward = steps::forward_plan(&model, batch, class);
        let device = device(checks);
        let mut allocation = Allocation::default();
        allocation.add(0, [&train, &forward]);
        let memory = Memory::allocate(device, &allocation).expect("a fixture is small");
        let compile = |plan| Executable::new(device, &memory, plan, 0).expect("the plan compiles");
        let (train, forward) = (compile(&train), compile(&forward));
        let training = Self {
            fixture,
            model,
            batch,
            device,
            memory,
            train,
            forward,
        };
        training.write_state(optimizer);
        training.write_data();
        training
    }

    fn write_state(&self, optimizer: &dyn Optimizer) {
        let mut values = Values::zeros(&self.model.parameters);
        for spec in self.model.parameters.specs() {
            values.set(spec, self.fixture.floats(&format!("init.{}", spec.name)));
        }
        self.memory.write_values(self.device, 0, &values);
        let schedule: Vec<_> = (1..=STEPS)
            .map(|t| optimizer.schedule(LR, t.into()))
            .collect();
        self.write("train.schedule", bytemuck::cast_slice(&schedule));
    }

    fn write_data(&self) {
        let order: Vec<u32> = (0..STEPS * self.batch).collect();
        self.write("train.order", bytemuck::cast_slice(&order));
        let first_batch = match self.model.sample {
            Sample::Image { .. } => {
                let images = &self.fixture.bytes["inputs.images"];
                self.write("train.images", images);
                self.write("train.labels", &self.fixture.bytes["inputs.labels"]);
                let (mean, std) = (0.1307, 0.3081);
                let normalisation = [(1.0 / (255.0 * std)) as f32, (-mean / std) as f32];
                self.write("normalisation", bytemuck::cast_slice(&normalisation));
                let pixels = images[..self.batch as usize * 784].iter();
                pixels
                    .map(|&byte| ((f64::from(byte) / 255.0 - mean) / std) as f32)
                    .collect::<Vec<f32>>()
            }
            Sample::Row { features, .. } => {
                let x = self.fixture.floats("inputs.x");
                self.write("train.inputs", bytemuck::cast_slice(x));
                self.write(
                    "train.targets",
                    bytemuck::cast_slice(self.fixture.floats("inputs.y")),
                );
                x[..(self.batch * features) as usize].to_vec()
            }
        };
        self.write("input", bytemuck::cast_slice(&first_batch));
    }

    fn write(&self, label: &str, bytes: &[u8]) {
        self.memory.write_data(self.device, label, bytes);
    }

    fn run(&self, executable: &Executable, times: u32) {
        executable
            .submit(self.device, times)
            .wait(self.device)
            .expect("the device runs the plan");
    }

    fn data(&self, label: &str) -> Vec<f64> {
        doubles(
            &self
                .memory
                .read_data(self.device, label)
                .expect("the device answers"),
        )
    }

    /// A flat buffer of the net by the names of the parameters.
    fn state(&self, label: &str) -> BTreeMap<&str, Vec<f64>> {
        let flat = self
            .memory
            .read_state(self.device, 0, label)
            .expect("the device answers");
        let specs = self.model.parameters.specs().iter();
        specs
            .map(|spec| (spec.name.as_str(), doubles(&spec.unpack(&flat))))
            .collect()
    }
}

/// One network of the fixtures and what its tolerance depends on.
struct Case {
    name: &'static str,
    batch: u32,
    /// The lengths of the sums that follow one another from an input to an output.
    sums: &'static [u32],
    /// The most positions of an image at which one weight is used.
    positions: u32,
}

impl Case {
    /// Error of an output, relative to the largest: the roundings of all sums add up like a random walk.
    fn forward_error(&self) -> f64 {
        EPS * f64::from(self.sums.iter().sum::<u32>()).sqrt()
    }

    /// Error of a gradient, relative to the largest of its tensor: there, back, and the sum over the batch.
    fn backward_error(&self) -> f64 {
        let there_and_back = 2 * self.sums.iter().sum::<u32>();
        EPS * f64::from(there_and_back + self.batch * self.positions).sqrt()
    }
}

fn largest(values: &[f64]) -> f64 {
    values
        .iter()
        .fold(0.0, |largest, value| value.abs().max(largest))
}

/// Compares everything. `update_error` gives the error of each weight's way over all steps, from the gradients of the first
/// step and their error.
fn check(case: &Case, optimizer: &dyn Optimizer, update_error: impl Fn(&[f64], f64) -> Vec<f64>) {
    for way in WAYS {
        let training = Training::new(case.name, case.batch, optimizer, way);
        let fixture = &training.fixture;
        let what = |what: &str| format!("{} {way:?}: {what}", case.name);

        training.run(&training.forward, 1);
        let logits = doubles(fixture.floats("logits"));
        let tolerance = case.forward_error() * largest(&logits);
        assert_within(&what("logits"), &training.data("output"), &logits, |_| {
            tolerance
        });

        training.run(&training.train, 1);
        let gradients = fixture.under("grad.");
        let found = training.state("gradients");
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            gradients.keys().collect::<Vec<_>>()
        );
        for (name, expected) in &gradients {
            let tolerance = case.backward_error() * largest(expected);
            assert_within(
                &what(&format!("grad.{name}")),
                &found[name],
                expected,
                |_| tolerance,
            );
        }

        training.run(&training.train, STEPS - 1);
        let losses = doubles(fixture.floats("losses"));
        assert_eq!(losses[0], f64::from(fixture.floats("loss")[0]));
        assert_within(
            &what("losses"),
            &training.data("train.losses"),
            &losses,
            |step| {
                // Every step starts from weights that the steps before have made.
                case.forward_error() * losses[step].max(1.0) * f64::from(step as u32 + 1).sqrt()
            },
        );

        let (initial, trained) = (fixture.under("init."), fixture.under("final."));
        for (name, found) in training.state("parameters") {
            let way = |values: &[f64]| -> Vec<f64> {
                let pairs = values.iter().zip(&initial[name]);
                pairs.map(|(value, initial)| value - initial).collect()
            };
            let expected = way(&trained[name]);
            assert!(largest(&expected) > 0.0, "{name} was not trained");
            let gradient_error = case.backward_error() * largest(&gradients[name]);
            let errors = update_error(&gradients[name], gradient_error);
            let rounding = EPS * f64::from(STEPS).sqrt() * largest(&trained[name]);
            assert_within(
                &what(&format!("final.{name}")),
                &way(&found),
                &expected,
                |index| errors[index] + rounding,
            );
        }
    }
}

/// SGD with momentum 1/2: at most lr / (1 - 1/2) of each gradient's error.
fn check_sgd(case: &Case) {
    let optimizer = Sgd {
        momentum: 0.5,
        ..Sgd::default()
    };
    check(case, &optimizer, |gradients, error| {
        vec![2.0 * f64::from(LR) * f64::from(STEPS) * error; gradients.len()]
    });
}

/// Adam moves by lr m / sqrt(v), so what counts is the error of the gradient relative to the gradient. In step t, v is at
/// least a t-th of the first gradient's square, the errors of t steps have added up like a random walk, and both m and v
/// err: 2 sqrt(t) sqrt(t) times the first step's relative error. No step moves by more than lr, so none errs by more than 2 lr.
fn check_adam(case: &Case) {
    check(case, &Adam::default(), |gradients, error| {
        let all_steps = |gradient: &f64| {
            let relative = error / gradient.abs();
            (1..=STEPS)
                .map(|t| f64::from(LR) * (2.0 * f64::from(t) * relative).min(2.0))
                .sum()
        };
        gradients.iter().map(all_steps).collect()
    });
}

#[test]
fn mnist_cnn_baseline() {
    check_sgd(&Case {
        name: "mnist-cnn-baseline",
        batch: 16,
        sums: &[25, 250, 320, 50],
        positions: 24 * 24,
    });
}

#[test]
fn mnist_cnn_spinal() {
    check_sgd(&Case {
        name: "mnist-cnn-spinal",
        batch: 16,
        sums: &[25, 250, 160, 168, 168, 168, 168, 168, 48],
        positions: 24 * 24,
    });
}

#[test]
fn regression_baseline() {
    check_adam(&Case {
        name: "regression-baseline",
        batch: 64,
        sums: &[8, 200, 100],
        positions: 1,
    });
}

#[test]
fn regression_spinal() {
    check_adam(&Case {
        name: "regression-spinal",
        batch: 64,
        sums: &[4, 54, 54, 54, 54, 54, 300],
        positions: 1,
    });
}

#[test]
fn regression_spinal_tied() {
    check_adam(&Case {
        name: "regression-spinal-tied",
        batch: 64,
        sums: &[4, 54, 54, 54, 54, 54, 300],
        positions: 1,
    });
}
