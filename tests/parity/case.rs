//! A network of a family and its fixture, compared by digests: of every tensor the norm, a random projection and some
//! elements.

use std::collections::BTreeMap;

use spinalnet::batch::Sample;
use spinalnet::gpu::Checks;
use spinalnet::models::{self, Model, ModelOptions};
use spinalnet::optim::Sgd;
use spinalnet::plan::{Mode, Role, Values};

use super::digest::{Digest, Expected};
use super::fixture::Fixture;
use super::training::{Course, Data, Training, WAYS, ways_with};
use crate::common::tolerance::EPS;
use crate::common::{AdapterClass, doubles, formula};

const STEPS: u32 = 5;

/// A network and its fixture.
pub struct Case {
    fixture: Fixture,
    seed: u8,
    model: Model,
    course: Course,
    initial: Values,
}

impl Case {
    /// `FILE` of `tests/fixtures/families` beside the model that it is of.
    pub fn new(file: &str, batch: u32, model: &str, options: ModelOptions) -> Self {
        let fixture = Fixture::read(&format!("families/{file}"));
        let (seed, lr) = (fixture.bytes("seed")[0], fixture.floats("lr")[0]);
        let model = models::build(
            model,
            ModelOptions {
                no_dropout: true,
                ..options
            },
        )
        .expect("it is a model");
        let initial = formula::initial_values(seed, 1.0, &model.parameters);
        Self {
            fixture,
            seed,
            model,
            course: Course {
                steps: STEPS,
                batch,
                lr,
            },
            initial,
        }
    }

    fn image(&self) -> [u32; 3] {
        let Sample::Image {
            height,
            width,
            channels,
        } = self.model.sample
        else {
            panic!("{} takes no images", self.model.name)
        };
        [height, width, channels]
    }

    fn write_data(&self, training: &Training) {
        let count = (STEPS * self.course.batch) as usize;
        let size = self.image().iter().product::<u32>() as usize;
        let images = formula::images(self.seed, count * size);
        let labels = formula::labels(self.seed, count, self.model.outputs);
        let [mean, std] = formula::normalisation(self.image()[2]);
        training.write_data(&Data::Images {
            images: &images,
            labels: &labels,
            mean,
            std,
        });
    }

    /// Error of an output, relative to the largest: the roundings of all sums add up like a random walk.
    fn forward_error(&self) -> f64 {
        EPS * formula::depth(&self.model.parameters).sqrt()
    }

    /// Error of a gradient, relative to the largest of its layer: there, back, and the sum over all positions of the batch.
    fn backward_error(&self) -> f64 {
        let [height, width, _] = self.image();
        let positions = f64::from(self.course.batch * height * width);
        EPS * (2.0 * formula::depth(&self.model.parameters) + positions).sqrt()
    }

    fn expected(&self, name: &str) -> Expected {
        Expected::new(&doubles(self.fixture.floats(name)))
    }

    /// The largest value that the fixture has under `KIND.` for the layer of a parameter. A bias before a BatchNorm has
    /// gradient 0, and its error is still that of a sum over the same gradients that its weight's is made of.
    fn layer_scale(&self, kind: &str, parameter: &str) -> f64 {
        let (layer, _) = parameter.rsplit_once('.').expect("LAYER.PART");
        let parts = self.fixture.under(&format!("{kind}.{layer}."));
        let largest = parts.values().map(|stored| Expected::new(stored).largest);
        largest.fold(0.0, f64::max)
    }

    /// Asserts that what the fixture calls `name` has been found, but for `rounding`.
    fn assert(&self, what: &str, name: &str, found: &[f64], rounding: f64) {
        let found = Digest::of(self.seed, name, found);
        let what = format!("{what}: {name}");
        self.expected(name).assert(&what, &found, rounding);
    }

    /// Asserts every tensor of one kind, whose names follow `KIND.` in the fixture.
    fn assert_all(
        &self,
        what: &str,
        kind: &str,
        found: &BTreeMap<&str, Vec<f64>>,
        rounding: impl Fn(&str) -> f64,
    ) {
        let expected = self.fixture.under(&format!("{kind}."));
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>(),
            "{what}: {kind}"
        );
        for (name, values) in found {
            self.assert(what, &format!("{kind}.{name}"), values, rounding(name));
        }
    }

    /// How far every weight has moved.
    fn change<'a>(&self, training: &Training<'a>) -> BTreeMap<&'a str, Vec<f64>> {
        let mut weights = training.state("parameters", Role::Learnable);
        for spec in self.model.parameters.specs() {
            let initial = self.initial.get(spec);
            if let Some(weights) = weights.get_mut(spec.name.as_str()) {
                for (weight, initial) in weights.iter_mut().zip(initial) {
                    *weight -= f64::from(initial);
                }
            }
        }
        weights
    }

    /// Trains it in every way and compares everything.
    pub fn check(&self) {
        self.check_in(&WAYS);
    }

    /// The same where another net of the family has the other kind of checks.
    pub fn check_with(&self, checks: Checks) {
        self.check_in(&ways_with(checks));
    }

    fn check_in(&self, ways: &[(Checks, AdapterClass)]) {
        let optimizer = Sgd {
            momentum: 0.5,
            ..Sgd::default()
        };
        for &way in ways {
            let what = format!("{} {way:?}", self.model.name);
            let training = Training::new(&self.model, self.course, &optimizer, way);
            self.write_data(&training);
            self.check_first_step(&what, &training);
            training.run(STEPS - 1);
            self.check_trained(&what, &training);
        }
    }

    fn check_first_step(&self, what: &str, training: &Training) {
        training.write_values(&self.initial);
        let logits = training.logits(Mode::Train);
        let rounding = self.forward_error() * self.expected("logits").largest;
        self.assert(what, "logits", &logits, rounding);

        // Forward has moved the running statistics.
        training.write_values(&self.initial);
        training.run(1);
        let gradients = training.state("gradients", Role::Learnable);
        let error = self.backward_error();
        self.assert_all(what, "grad", &gradients, |name| {
            error * self.layer_scale("grad", name)
        });
    }

    fn check_trained(&self, what: &str, training: &Training) {
        // Every step starts from weights that the steps before have made.
        let error = f64::from(STEPS).sqrt() * self.forward_error();
        let rounding = error * self.expected("losses").largest.max(1.0);
        self.assert(what, "losses", &training.losses(), rounding);
        self.assert_all(what, "change", &self.change(training), |name| {
            self.change_error(name)
        });
        if self.model.parameters.statistics_elements() > 0 {
            let statistics = training.state("statistics", Role::Statistic);
            self.assert_all(what, "statistics", &statistics, |name| {
                error * self.layer_scale("statistics", name)
            });
        }
        let rounding = error * self.expected("evaluated").largest;
        self.assert(
            what,
            "evaluated",
            &training.logits(Mode::Evaluate),
            rounding,
        );
    }

    /// Error of a weight's way: SGD with momentum 1/2 takes at most lr / (1 - 1/2) of each gradient's error, and every step
    /// rounds the weight.
    fn change_error(&self, name: &str) -> f64 {
        let gradient_error = self.backward_error() * self.layer_scale("grad", name);
        let steps = f64::from(STEPS);
        let moved = 2.0 * f64::from(self.course.lr) * steps * gradient_error;
        let mut specs = self.model.parameters.specs().iter();
        let spec = specs.find(|spec| spec.name == name);
        let weights = self.initial.get(spec.expect("it is a parameter"));
        let magnitudes = weights.iter().map(|weight| f64::from(weight.abs()));
        moved + EPS * steps.sqrt() * magnitudes.fold(0.0, f64::max)
    }
}
