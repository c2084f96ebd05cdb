//! What `Model::freeze` freezes stays as it is, and the rest is trained as PyTorch trains it: frozen modules in `eval()`, their
//! parameters with `requires_grad=False`, and the rate of the backbone in a parameter group of its own.

use spinalnet::error::Result;
use spinalnet::models::{Model, ModelOptions};
use spinalnet::optim::{Adam, Optimizer, Sgd};
use spinalnet::plan::{Access, Binding, ParameterSpec, Plan, Role, Values};

use super::expected::{
    Expected, Number, STEPS, Training, backward_error, initial_values, layer_scale, norm, norms,
    trained, values,
};
use crate::common::tolerance::{EPS, LUCK, assert_within};

/// A line of `freezing.csv`.
struct Line {
    /// What is frozen, or [`STATISTICS`].
    freeze: String,
    rate_of_backbone: f64,
    optimizer: Box<dyn Optimizer>,
    training: Training,
}

/// What is frozen where the normalisations of the whole backbone evaluate, and all parameters are trained.
const STATISTICS: &str = "statistics";

/// The network of all lines.
const NETWORK: &str = "resnet18-spinal";

fn lines() -> Vec<Line> {
    let batch = Expected::of(NETWORK).training.batch;
    let lines = include_str!("freezing.csv").lines().skip(1);
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [freeze, rate, optimizer, ref training @ ..] = fields[..] else {
            panic!("{line}: too few fields")
        };
        Line {
            freeze: freeze.to_owned(),
            rate_of_backbone: rate.parse().expect("it is a number"),
            optimizer: match optimizer {
                "sgd" => Box::new(Sgd {
                    momentum: 0.5,
                    ..Sgd::default()
                }),
                _ => Box::new(Adam {
                    weight_decay: 0.5,
                    decoupled: true,
                    ..Adam::default()
                }),
            },
            training: Training::parse(batch, training),
        }
    };
    lines.map(parse).collect()
}

#[test]
fn what_is_frozen_stays_and_the_rest_is_trained_as_by_pytorch() {
    for line in lines() {
        let mut model = line.model();
        model.name = format!("{NETWORK} with --freeze {}", line.freeze);
        let checked = line.check(&model);
        checked.unwrap_or_else(|error| panic!("{}: {error}", model.name));
    }
}

impl Line {
    fn model(&self) -> Model {
        if self.freeze == STATISTICS {
            return Expected::of(NETWORK).build_with(ModelOptions {
                frozen_statistics: true,
                ..ModelOptions::default()
            });
        }
        let mut model = Expected::of(NETWORK).build();
        let freeze = self.freeze.parse().expect("it is a choice");
        let frozen = model.freeze(&freeze, self.rate_of_backbone);
        frozen.expect("it has such layers");
        model
    }

    /// Whether a parameter or running statistic stays as it is.
    fn freezes(&self, spec: &ParameterSpec) -> bool {
        spec.rate == 0.0 || self.freeze == STATISTICS && spec.role == Role::Statistic
    }

    fn check(&self, model: &Model) -> Result<()> {
        let running = self.training.start(model, &*self.optimizer)?;
        assert_leaves_frozen_gradients(model, &running.plan);
        running.step(STEPS)?;
        let (before, after) = (initial_values(model), running.values()?);
        self.assert_frozen(model, &before, &after);
        self.training.assert_losses(model, &running)?;
        self.assert_changes(model, &before, &after);
        Ok(())
    }

    /// What is frozen keeps its bits, and nothing else does.
    fn assert_frozen(&self, model: &Model, before: &Values, after: &Values) {
        let bits = |values: &Values, spec: &ParameterSpec| -> Vec<u32> {
            let values = values.get(spec).into_iter();
            values.map(f32::to_bits).collect()
        };
        for spec in model.parameters.specs() {
            let is_same = bits(before, spec) == bits(after, spec);
            let what = format!("{}: {}", model.name, spec.name);
            assert_eq!(is_same, self.freezes(spec), "{what}");
        }
    }

    /// Compares how far the trained parameters have moved.
    fn assert_changes(&self, model: &Model, before: &Values, after: &Values) {
        let found = norms(model, |spec| {
            let pairs = before.get(spec).into_iter().zip(after.get(spec));
            pairs.map(|(before, after)| after - before).collect()
        });
        let expected = &self.training.norms;
        let trained = trained(model);
        // As wrong as the gradients that it is made of, and every step rounds the weight.
        let steps = f64::from(STEPS).sqrt();
        let error = steps * backward_error(model, self.training.batch);
        assert_within(&model.name, &found, &values(expected), |index| {
            let moved = error * layer_scale(model, expected, index);
            let rounded = EPS * steps * norm(&before.get(trained[index]));
            let Number { error, .. } = expected[index];
            LUCK * error + moved + rounded
        });
    }
}

/// No dispatch of a plan writes the gradient of a frozen parameter.
fn assert_leaves_frozen_gradients(model: &Model, plan: &Plan) {
    let specs = model.parameters.specs().iter();
    let ranges: Vec<_> = specs
        .filter(|spec| spec.role == Role::Learnable && spec.rate == 0.0)
        .map(|spec| spec.offset..spec.offset + spec.device_elements)
        .collect();
    let writes = |binding: &&Binding| {
        binding.access != Access::Read && plan.buffer(binding.tensor).label == "gradients"
    };
    for dispatch in &plan.dispatches {
        for binding in dispatch.bindings.iter().filter(writes) {
            let (first, end) = (
                binding.tensor.offset(),
                binding.tensor.offset() + binding.tensor.elements(),
            );
            let hit = ranges
                .iter()
                .any(|range| first < range.end && range.start < end);
            assert!(
                !hit,
                "{}: {} of {} writes a frozen gradient",
                model.name,
                dispatch.kernel(),
                dispatch.layer
            );
        }
    }
}
