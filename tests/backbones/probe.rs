//! A linear probe: training heads on the features of a frozen backbone, computed once, is training them with the backbone in
//! every step.

use spinalnet::batch::Sample;
use spinalnet::data::{Division, ImageSet, Images};
use spinalnet::error::Result;
use spinalnet::experiment;
use spinalnet::gpu::Checks;
use spinalnet::models::Freeze;
use spinalnet::recipe::Validation;
use spinalnet::report::metrics::{EpochRecord, StepRecord};
use spinalnet::train::{Config, Dataset, End, Observer, Trainer};

use crate::common::tolerance::{EPS, assert_within};
use crate::common::{device, formula};

/// What a training reports, in one row: the loss of every step, and the test loss of every epoch.
#[derive(Default)]
struct Losses {
    steps: Vec<f64>,
    tests: Vec<f64>,
}

impl Observer for Losses {
    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.steps.push(record.loss.into());
        Ok(())
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.tests.push(record.test_loss);
        Ok(())
    }
}

fn images(seed: u8, count: usize) -> Images {
    let [height, width, channels] = [67, 61, 3];
    Images {
        count,
        height,
        width,
        channels,
        pixels: formula::images(seed, count * height * width * channels).into(),
        labels: formula::labels(seed, count, 10),
    }
}

fn dataset() -> Dataset {
    Dataset::Images(ImageSet {
        name: "noise".to_owned(),
        classes: 10,
        class_names: Vec::new(),
        train: images(1, 11),
        held_out: 0,
        test: images(2, 5),
        division: Division::Published,
        notes: Vec::new(),
        mean: vec![0.5; 3],
        std: vec![0.3; 3],
    })
}

/// What a training reports in which so much of both nets is frozen, whether it trained on features, and the roundings of a
/// loss: those of all sums on its way, which add up like a random walk.
fn train(freeze: Freeze) -> (Losses, bool, f64) {
    let experiment = experiment::find("transfer").expect("it is an experiment");
    let config = Config {
        epochs: 3,
        batch_size: 4,
        lr: 0.01,
        freeze,
        validation: Validation::None,
        ..Config::of_recipe(experiment, &["spinal", "baseline"], None)
    };
    let trainer = Trainer::new(device(Checks::Trusted), config, dataset());
    let mut trainer = trainer.expect("the networks fit");
    let mut losses = Losses::default();
    assert_eq!(trainer.run(&mut losses).expect("it trains"), End::Completed);
    let model = trainer.nets()[0].model();
    let on_features = matches!(model.sample, Sample::Features { .. });
    let rounding = EPS * formula::depth(&model.parameters).sqrt();
    (losses, on_features, rounding)
}

/// `layer4` is the last layer of the backbone that has parameters: nothing else is trained, but the backbone is in every step.
#[test]
fn a_probe_trains_as_the_frozen_backbone_in_every_step_does() {
    let (probe, on_features, rounding) = train(Freeze::Backbone);
    assert!(on_features, "features are computed once");
    let (whole, on_features, _) = train(Freeze::Until("layer4".to_owned()));
    assert!(!on_features, "the backbone is recorded in every step");
    let steps = whole.steps.len() as f64;
    for (what, probe, whole) in [
        ("steps", probe.steps, &whole.steps),
        ("tests", probe.tests, &whole.tests),
    ] {
        assert_within(what, &probe, whole, |index| {
            rounding * steps.sqrt() * whole[index].max(1.0)
        });
    }
}
