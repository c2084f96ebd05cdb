//! What `Model::freeze` freezes stays as it is, and the rest is trained as PyTorch trains it: frozen modules in `eval()`, their
//! parameters with `requires_grad=False`, and the rate of the backbone in a parameter group of its own.

use spinalnet::error::Result;
use spinalnet::models::{Freeze, Model};
use spinalnet::optim::{Adam, Optimizer, Sgd};
use spinalnet::plan::{Access, Binding, ParameterSpec, Plan, Role, Values};

use super::expected::{
    Expected, Result64, STEPS, Training, backward_error, initial_values, layer_scale, norm, norms,
    trained, values,
};
use crate::common::tolerance::{EPS, LUCK, assert_within};

/// A line of `freezing.csv`.
struct Line {
    freeze: Freeze,
    rate_of_backbone: f64,
    optimizer: Box<dyn Optimizer>,
    training: Training,
}

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
            freeze: freeze.parse().expect("it is a choice"),
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
        let mut model = Expected::of(NETWORK).build();
        let freezes = model.freeze(&line.freeze, line.rate_of_backbone);
        freezes.expect("it has such layers");
        model.name = format!("{NETWORK} with --freeze {}", line.freeze);
        let checked = line.check(&model);
        checked.unwrap_or_else(|error| panic!("{}: {error}", model.name));
    }
}

impl Line {
    fn check(&self, model: &Model) -> Result<()> {
        let running = self.training.start(model, &*self.optimizer)?;
        assert_leaves_frozen_gradients(model, &running.plan);
        running.step(STEPS)?;
        let (before, after) = (initial_values(model), running.values()?);
        assert_frozen(model, &before, &after);
        self.training.assert_losses(model, &running)?;
        self.assert_changes(model, &before, &after);
        Ok(())
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
            let Result64 { error, .. } = expected[index];
            LUCK * error + moved + rounded
        });
    }
}

fn frozen(model: &Model) -> impl Iterator<Item = &ParameterSpec> {
    let specs = model.parameters.specs().iter();
    specs.filter(|spec| spec.rate == 0.0)
}

/// Parameters and running statistics that are frozen keep their bits, and no trained one does.
fn assert_frozen(model: &Model, before: &Values, after: &Values) {
    let bits = |values: &Values, spec: &ParameterSpec| -> Vec<u32> {
        values.get(spec).iter().map(|value| value.to_bits()).collect()
    };
    for spec in model.parameters.specs() {
        let is_same = bits(before, spec) == bits(after, spec);
        assert_eq!(is_same, spec.rate == 0.0, "{}: {}", model.name, spec.name);
    }
}

/// No dispatch of a plan writes the gradient of a frozen parameter.
fn assert_leaves_frozen_gradients(model: &Model, plan: &Plan) {
    let learnable = frozen(model).filter(|spec| spec.role == Role::Learnable);
    let ranges: Vec<_> = learnable
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
            let hit = ranges.iter().any(|range| first < range.end && range.start < end);
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
