//! Whole trainings on the adapter: they learn, they repeat bit for bit, and every batch is the one it should be.

mod common;

/// Trainings of a kind of their own.
mod training {
    mod micro_batches;
    mod streaming;
    mod tight_limits;
}

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::ValueEnum;
use common::device;
use spinalnet::checkpoint::{self, NamedTensor};
use spinalnet::data::regression::{self, Target};
use spinalnet::data::{
    Division, ImageSet, Images, MNIST_MEAN, MNIST_STD, embedded, shuffled_order,
};
use spinalnet::error::Result;
use spinalnet::experiment;
use spinalnet::gpu::{AdapterChoice, Backend, Checks, Device};
use spinalnet::models::ModelOptions;
use spinalnet::recipe::{OptimizerName, Validation};
use spinalnet::report::metrics::{EpochRecord, StepRecord};
use spinalnet::train::{Config, Dataset, End, Observer, Schedule, Trainer};

/// What a training reports, in memory.
#[derive(Default)]
struct Log {
    steps: Vec<StepRecord>,
    epochs: Vec<EpochRecord>,
    stopped: Vec<(String, usize)>,
}

impl Observer for Log {
    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.steps.push(record.clone());
        Ok(())
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.epochs.push(record.clone());
        Ok(())
    }

    fn stopped(&mut self, net: &str, epoch: usize) {
        self.stopped.push((net.to_owned(), epoch));
    }
}

impl Log {
    fn losses(&self, net: &str) -> Vec<f32> {
        let steps = self.steps.iter().filter(|step| step.net == net);
        steps.map(|step| step.loss).collect()
    }

    fn last(&self, net: &str) -> &EpochRecord {
        let mut epochs = self.epochs.iter().rev();
        epochs
            .find(|epoch| epoch.net == net)
            .expect("the net was trained")
    }
}

/// A finished training: what it reported, and the weights of each net.
struct Run {
    log: Log,
    weights: Vec<Vec<NamedTensor>>,
}

fn run(config: Config, dataset: Dataset) -> Run {
    run_on(device(Checks::Trusted), config, dataset)
}

fn run_on(device: &Device, config: Config, dataset: Dataset) -> Run {
    let mut trainer = Trainer::new(device, config, dataset).unwrap();
    let mut log = Log::default();
    assert_eq!(trainer.run(&mut log).unwrap(), End::Completed);
    let nets = 0..trainer.nets().len();
    let weights = nets.map(|index| trainer.weights(index).unwrap()).collect();
    Run { log, weights }
}

/// One epoch of both nets by SGD.
fn config(experiment: &str) -> Config {
    let experiment = experiment::find(experiment).unwrap();
    Config {
        epochs: 1,
        optimizer: OptimizerName::Sgd,
        momentum: 0.5,
        ..Config::of_recipe(experiment, &["spinal", "baseline"], None)
    }
}

/// One epoch of one net.
fn one_net(experiment: &str) -> Config {
    Config {
        nets: nets(&["spinal"]),
        ..config(experiment)
    }
}

fn nets(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// The images of MNIST's test set that `indices` name, in that order.
fn digits(indices: impl IntoIterator<Item = usize>) -> Images {
    let all = embedded::test_images().unwrap();
    let pixels = all.height * all.width;
    let (mut chosen, mut labels) = (Vec::new(), Vec::new());
    for index in indices {
        chosen.extend_from_slice(&all.pixels.in_memory()[index * pixels..][..pixels]);
        labels.push(all.labels[index]);
    }
    Images {
        count: labels.len(),
        pixels: chosen.into(),
        labels,
        ..all
    }
}

fn digit_set(train: Images, test: Images) -> Dataset {
    Dataset::Images(ImageSet {
        name: "digits".to_owned(),
        classes: 10,
        class_names: Vec::new(),
        train,
        held_out: 0,
        notes: Vec::new(),
        division: Division::Published,
        test,
        mean: vec![MNIST_MEAN],
        std: vec![MNIST_STD],
    })
}

/// The first `count` test images of MNIST to train on, and the ten after them to test on.
fn first_digits(count: usize) -> Dataset {
    digit_set(digits(0..count), digits(count..count + 10))
}

fn table(target: Target) -> Dataset {
    Dataset::Tables {
        name: target.name().to_owned(),
        train: regression::generate(target, 1000, 1),
        test: regression::generate(target, 1000, !1),
    }
}

/// The bytes of a weights file.
fn file_of(weights: &[NamedTensor]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    checkpoint::save(&path, weights, &BTreeMap::new()).unwrap();
    fs::read(path).unwrap()
}

fn assert_near(found: f64, expected: f64, what: &str) {
    let tolerance = 1e-5 * expected.abs().max(1.0);
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: {found}, expected {expected}"
    );
}

fn assert_overfits(experiment: &str, epochs: usize) {
    let config = Config {
        epochs,
        optimizer: OptimizerName::Adam,
        lr: 0.005,
        dropout: false,
        ..config(experiment)
    };
    let log = run(config, first_digits(32)).log;
    for net in ["spinal", "baseline"] {
        let loss = log.last(net).train_loss;
        assert!(loss < 0.05, "{experiment}-{net}: loss {loss}");
    }
}

#[test]
fn one_batch_is_overfitted_by_the_convolutional_nets() {
    assert_overfits("mnist-cnn", 80);
}

#[test]
fn one_batch_is_overfitted_by_the_mlps() {
    assert_overfits("mlp", 40);
}

/// The noise alone has a loss of 0.0033, and the mean of the targets one of about 8.
#[test]
fn regression_learns_the_sum() {
    let config = Config {
        nets: nets(&["spinal", "spinal-tied", "baseline"]),
        epochs: 10,
        optimizer: OptimizerName::Adam,
        momentum: 0.0,
        ..config("regression")
    };
    let log = run(config, table(Target::Sum)).log;
    for net in ["spinal", "spinal-tied", "baseline"] {
        let epoch = log.last(net);
        assert!(epoch.test_loss < 0.06, "{net}: loss {}", epoch.test_loss);
        assert_eq!(epoch.test_accuracy, None);
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_does_not() {
    let train = |experiment: &str, seed: u64| {
        let config = Config {
            epochs: 2,
            seed,
            ..config(experiment)
        };
        let weights = run(config, first_digits(100)).weights;
        [file_of(&weights[0]), file_of(&weights[1])]
    };
    for experiment in ["mnist-cnn", "mlp"] {
        let first = train(experiment, 1);
        assert!(
            first == train(experiment, 1),
            "{experiment} does not repeat"
        );
        let other = train(experiment, 2);
        for net in 0..2 {
            assert!(first[net] != other[net], "{experiment}, net {net}");
        }
    }
}

#[test]
fn a_net_trains_the_same_alone_and_in_company() {
    let train = |names: &[&str]| {
        let config = Config {
            nets: nets(names),
            epochs: 2,
            ..config("mnist-cnn")
        };
        run(config, first_digits(100))
    };
    let both = train(&["spinal", "baseline"]);
    for (index, net) in ["spinal", "baseline"].into_iter().enumerate() {
        let alone = train(&[net]);
        assert_eq!(alone.log.losses(net), both.log.losses(net), "{net}");
        assert_eq!(alone.weights[0], both.weights[index], "{net}");
    }
}

/// A wide chain is evaluated in steps of fewer rows than the baseline, which must not change the baseline's steps.
#[test]
fn a_net_is_evaluated_the_same_alone_and_beside_a_larger_one() {
    let train = |names: &[&str]| {
        let mut network = ModelOptions::default();
        if names.contains(&"spinal") {
            network.head.spinal_width = Some(64);
            network.head.spinal_depth = Some(300);
        }
        let config = Config {
            nets: nets(names),
            epochs: 0,
            network,
            ..config("regression")
        };
        let mut trainer =
            Trainer::new(device(Checks::Trusted), config, table(Target::Sum)).unwrap();
        let nets = 0..names.len();
        let scores = nets.map(|index| trainer.evaluate(index).unwrap().loss.to_bits());
        scores.collect::<Vec<_>>()
    };
    assert_eq!(train(&["baseline", "spinal"])[0], train(&["baseline"])[0]);
    assert_eq!(train(&["spinal", "baseline"])[0], train(&["spinal"])[0]);
}

/// With a learning rate of zero the loss of a step is the mean over its samples of losses that never change, which a
/// batch size of one tells apart.
#[test]
fn every_batch_holds_the_samples_that_the_order_says() {
    const COUNT: usize = 150;
    let still = Config {
        lr: 0.0,
        dropout: false,
        ..config("mlp")
    };
    let singly = Config {
        batch_size: 1,
        shuffle: false,
        ..still.clone()
    };
    let singly = run(singly, first_digits(COUNT)).log;
    for shuffle in [true, false] {
        let batches = Config {
            shuffle,
            epochs: 2,
            ..still.clone()
        };
        let log = run(batches, first_digits(COUNT)).log;
        for net in ["spinal", "baseline"] {
            let sample_losses = singly.losses(net);
            let mean = |samples: &[u32]| {
                let losses = samples
                    .iter()
                    .map(|&i| f64::from(sample_losses[i as usize]));
                losses.sum::<f64>() / samples.len() as f64
            };
            let mut expected = Vec::new();
            for epoch in 1..=2 {
                let order = if shuffle {
                    shuffled_order(COUNT, still.seed, epoch)
                } else {
                    (0..COUNT as u32).collect()
                };
                expected.extend(order.chunks(64).map(mean));
            }
            let losses = log.losses(net);
            assert_eq!(losses.len(), 6, "150 = 64 + 64 + 22, twice");
            for (step, (&loss, &expected)) in losses.iter().zip(&expected).enumerate() {
                let what = format!("{net}, shuffle {shuffle}, step {}", step + 1);
                assert_near(loss.into(), expected, &what);
            }
            let all: Vec<u32> = (0..COUNT as u32).collect();
            assert_near(log.last(net).train_loss, mean(&all), net);
        }
    }
}

#[test]
fn steps_are_numbered_through_and_the_nets_take_turns() {
    let config = Config {
        epochs: 2,
        ..config("mlp")
    };
    let log = run(config, first_digits(100)).log;
    let steps: Vec<_> = log
        .steps
        .iter()
        .map(|step| (step.net.as_str(), step.epoch, step.step))
        .collect();
    let expected = [
        ("spinal", 1, 1),
        ("spinal", 1, 2),
        ("baseline", 1, 1),
        ("baseline", 1, 2),
        ("spinal", 2, 3),
        ("spinal", 2, 4),
        ("baseline", 2, 3),
        ("baseline", 2, 4),
    ];
    assert_eq!(steps, expected);
    assert!(log.steps.iter().all(|step| step.lr == 0.01));
    let epochs: Vec<_> = log
        .epochs
        .iter()
        .map(|epoch| (epoch.net.as_str(), epoch.epoch))
        .collect();
    let expected = [
        ("spinal", 1),
        ("baseline", 1),
        ("spinal", 2),
        ("baseline", 2),
    ];
    assert_eq!(epochs, expected);
}

/// Twice the same batch in one epoch, or once in each of two: momentum, Adam's moments and step number, and the dropout
/// masks go on over the epoch's end.
#[test]
fn the_end_of_an_epoch_changes_nothing() {
    for optimizer in [OptimizerName::Sgd, OptimizerName::Adam] {
        let config = Config {
            optimizer,
            shuffle: false,
            ..config("mnist-cnn")
        };
        let twice = (0..64).chain(0..64);
        let one_epoch = run(config.clone(), digit_set(digits(twice), digits(64..74)));
        let two_epochs = Config {
            epochs: 2,
            ..config
        };
        let two_epochs = run(two_epochs, first_digits(64));
        for net in ["spinal", "baseline"] {
            assert_eq!(one_epoch.log.losses(net), two_epochs.log.losses(net));
        }
        assert!(one_epoch.weights == two_epochs.weights, "{optimizer:?}");
    }
}

#[test]
fn a_batch_may_be_larger_than_the_data() {
    let train = |batch_size| {
        let config = Config {
            batch_size,
            ..config("mlp")
        };
        run(config, first_digits(20))
    };
    let (large, exact) = (train(1000), train(20));
    assert_eq!(large.log.losses("spinal").len(), 1);
    assert_eq!(large.log.losses("spinal"), exact.log.losses("spinal"));
    assert!(large.weights == exact.weights);
}

#[test]
fn without_dropout_the_evaluation_is_the_training_loss() {
    let still = Config {
        lr: 0.0,
        dropout: false,
        ..config("mnist-cnn")
    };
    let same = || digit_set(digits(0..50), digits(0..50));
    let log = run(still.clone(), same()).log;
    for net in ["spinal", "baseline"] {
        assert_near(log.last(net).test_loss, log.last(net).train_loss, net);
    }
    let with_dropout = Config {
        dropout: true,
        ..still
    };
    let dropped = run(with_dropout, same()).log;
    for net in ["spinal", "baseline"] {
        assert_eq!(dropped.last(net).test_loss, log.last(net).test_loss);
        assert_ne!(dropped.last(net).train_loss, log.last(net).train_loss);
    }
}

#[test]
fn saved_weights_go_on_where_they_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("spinal.safetensors");
    let spinal = Config {
        nets: nets(&["spinal"]),
        ..config("mnist-cnn")
    };
    let trained = run(spinal.clone(), first_digits(64));
    checkpoint::save(&path, &trained.weights[0], &BTreeMap::new()).unwrap();
    let resumed = Config {
        epochs: 0,
        init: Some(path),
        ..spinal
    };
    let mut trainer = Trainer::new(device(Checks::Trusted), resumed, first_digits(64)).unwrap();
    assert_eq!(trainer.weights(0).unwrap(), trained.weights[0]);
    let (score, before) = (trainer.evaluate(0).unwrap(), trained.log.last("spinal"));
    assert_eq!(score.loss, before.test_loss);
    assert_eq!(score.accuracy(), before.test_accuracy);
    assert_eq!(score.total, 10);
}

/// These images to train on, the last `held_out` of them held out, and some others to test on.
fn set_with_held_out(indices: impl IntoIterator<Item = usize>, held_out: usize) -> Dataset {
    let Dataset::Images(set) = digit_set(digits(indices), digits(500..520)) else {
        unreachable!("digits are images")
    };
    Dataset::Images(ImageSet { held_out, ..set })
}

/// Other images in the places that are held out change nothing but the validation scores; and these are the test scores of a
/// net that is tested on them.
#[test]
fn held_out_samples_are_scored_but_never_trained_on() {
    let config = Config {
        validation: Validation::HeldOut,
        epochs: 2,
        ..config("mlp")
    };
    let is_tenth = |index: &usize| index.is_multiple_of(10);
    let tenth = |index: usize| if is_tenth(&index) { 300 + index } else { index };
    let last = |index: usize| if index >= 60 { 300 + index } else { index };
    let cases = [
        (
            0,
            (0..75).map(tenth).collect::<Vec<_>>(),
            (0..75).filter(is_tenth).collect::<Vec<_>>(),
        ),
        (15, (0..75).map(last).collect(), (60..75).collect()),
    ];
    for (held_out, others, places) in cases {
        let first = run(config.clone(), set_with_held_out(0..75, held_out));
        let second = run(config.clone(), set_with_held_out(others.clone(), held_out));
        assert!(first.weights == second.weights, "{held_out}");
        let trained = (0..75).filter(|index| !places.contains(index));
        let tested = places.iter().map(|&place| others[place]);
        let without = Config {
            validation: Validation::None,
            ..config.clone()
        };
        let without = run(without, digit_set(digits(trained), digits(tested)));
        assert!(without.weights == second.weights, "{held_out}");
        for (validated, tested) in second.log.epochs.iter().zip(&without.log.epochs) {
            assert_near(validated.validation_loss.unwrap(), tested.test_loss, "loss");
            assert_eq!(validated.validation_accuracy, tested.test_accuracy);
            assert_eq!(validated.train_loss, tested.train_loss);
            assert_eq!(tested.validation_loss, None);
        }
        let losses = |run: &Run| {
            run.log
                .epochs
                .iter()
                .map(|epoch| epoch.validation_loss)
                .collect::<Vec<_>>()
        };
        assert_ne!(losses(&first), losses(&second), "{held_out}");
    }
}

#[test]
fn rows_of_a_table_are_held_out_too() {
    let config = Config {
        validation: Validation::HeldOut,
        ..one_net("regression")
    };
    let log = run(config, table(Target::Sum)).log;
    assert_eq!(log.steps.len(), 900_usize.div_ceil(64));
    let epoch = log.last("spinal");
    assert!(epoch.validation_loss.is_some() && epoch.validation_accuracy.is_none());
}

/// The first epochs learn; the one after them unlearns.
fn learn_and_unlearn(schedule: &str) -> Config {
    let schedule: Schedule = schedule.parse().unwrap();
    Config {
        epochs: schedule.epochs().unwrap(),
        schedule,
        ..one_net("mlp")
    }
}

#[test]
fn the_training_ends_with_the_weights_of_the_best_epoch() {
    let last_is_bad = learn_and_unlearn("phases:0.1x2,5x1:keep");
    let reloading = Config {
        reload_best: true,
        ..last_is_bad.clone()
    };
    let reloaded = run(reloading, first_digits(100));
    let best = EpochRecord::best(&reloaded.log.epochs).unwrap().epoch;
    assert!(best < 3);
    let until_best = Config {
        epochs: best,
        ..last_is_bad.clone()
    };
    let until_best = run(until_best, first_digits(100));
    assert!(reloaded.weights == until_best.weights);
    let last = run(last_is_bad, first_digits(100));
    assert!(reloaded.weights != last.weights);
}

/// Without a learning rate, the last epoch shows the weights that it starts from.
#[test]
fn a_phase_starts_with_the_weights_of_the_best_epoch() {
    let config = learn_and_unlearn("phases:0.1x1,5x1,0x1:fresh");
    let losses = |reload_best: bool| {
        let config = Config {
            reload_best,
            ..config.clone()
        };
        let log = run(config, first_digits(100)).log;
        let losses = log.epochs.iter().map(|epoch| epoch.test_loss);
        losses.collect::<Vec<_>>()
    };
    let (reloaded, kept) = (losses(true), losses(false));
    assert_eq!(reloaded[..2], kept[..2]);
    assert_eq!(reloaded[2], reloaded[0]);
    assert_eq!(kept[2], kept[1]);
}

/// An optimiser that starts afresh is that of a training which starts from the weights so far.
#[test]
fn a_fresh_optimiser_has_no_momentum_and_no_moments() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("spinal.safetensors");
    for optimizer in [
        OptimizerName::Sgd,
        OptimizerName::Adam,
        OptimizerName::AdamW,
    ] {
        let phase = Config {
            optimizer,
            shuffle: false,
            weight_decay: 0.01,
            clip_norm: Some(0.5),
            ..one_net("mlp")
        };
        let both_phases = |state: &str| {
            let config = Config {
                epochs: 2,
                schedule: format!("phases:0.01x1,0.01x1:{state}").parse().unwrap(),
                ..phase.clone()
            };
            run(config, first_digits(100)).weights
        };
        let first = run(phase.clone(), first_digits(100));
        checkpoint::save(&path, &first.weights[0], &BTreeMap::new()).unwrap();
        let second = Config {
            init: Some(path.clone()),
            ..phase.clone()
        };
        let second = run(second, first_digits(100));
        assert!(both_phases("fresh") == second.weights, "{optimizer:?}");
        assert!(both_phases("keep") != second.weights, "{optimizer:?}");
    }
}

/// Without a learning rate, no epoch is better than the first.
#[test]
fn a_net_that_gets_no_better_is_stopped() {
    let config = Config {
        epochs: 10,
        lr: 0.0,
        patience: Some(2),
        ..config("mlp")
    };
    let log = run(config, first_digits(20)).log;
    let epochs = log
        .epochs
        .iter()
        .map(|epoch| (epoch.net.as_str(), epoch.epoch));
    let expected = (1..=3).flat_map(|epoch| [("spinal", epoch), ("baseline", epoch)]);
    assert!(epochs.eq(expected));
    assert_eq!(
        log.stopped,
        [("spinal".to_owned(), 3), ("baseline".to_owned(), 3)]
    );
}

/// Keeps the state after some epochs, and interrupts the training in the midst of the next.
struct Interrupter {
    log: Log,
    epochs: usize,
    state: Option<Vec<NamedTensor>>,
}

impl Observer for Interrupter {
    fn advanced(&mut self, _steps: u32) -> ControlFlow<()> {
        match self.state {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.log.step(record)
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.log.epoch(record)
    }

    fn epochs_done(
        &mut self,
        epoch: usize,
        state: &dyn Fn() -> Result<Vec<NamedTensor>>,
    ) -> Result<()> {
        if epoch == self.epochs {
            self.state = Some(state()?);
        }
        Ok(())
    }
}

/// Interrupts a training after some of its epochs, and lets another trainer go on with it.
fn run_in_two_parts(config: Config, epochs: usize) -> Run {
    let start = || Trainer::new(device(Checks::Trusted), config.clone(), first_digits(200));
    let mut interrupter = Interrupter {
        log: Log::default(),
        epochs,
        state: None,
    };
    let end = start().unwrap().run(&mut interrupter).unwrap();
    assert_eq!(end, End::Interrupted);
    let mut trainer = start().unwrap();
    let state = interrupter.state.unwrap();
    let shapes = state
        .iter()
        .map(|tensor| (tensor.name.clone(), tensor.shape.clone()));
    assert_eq!(shapes.collect::<Vec<_>>(), trainer.state_shapes());
    let mut log = interrupter.log;
    trainer.resume(state, &log.epochs);
    assert_eq!(trainer.run(&mut log).unwrap(), End::Completed);
    let nets = 0..trainer.nets().len();
    let weights = nets.map(|index| trainer.weights(index).unwrap()).collect();
    Run { log, weights }
}

/// Without what differs from run to run.
fn untimed(epochs: &[EpochRecord]) -> Vec<EpochRecord> {
    let untimed = |record: &EpochRecord| EpochRecord {
        seconds: 0.0,
        images_per_second: 0.0,
        ..record.clone()
    };
    epochs.iter().map(untimed).collect()
}

/// Moments, bias corrections, running statistics, random rates, phases and the best weights all have to come through.
#[test]
fn an_interrupted_training_goes_on_to_the_same_bits() {
    let mut adam = Config {
        epochs: 6,
        optimizer: OptimizerName::Adam,
        momentum: 0.0,
        validation: Validation::HeldOut,
        reload_best: true,
        schedule: "phases:0.003x4,0.001x2:fresh:random:3:not-better"
            .parse()
            .unwrap(),
        ..config("mnist-cnn")
    };
    adam.lr = 0.003;
    adam.network.head.spinal_bn = Some(true);
    let sgd = Config {
        epochs: 4,
        patience: Some(2),
        schedule: "random-after:1:0.05:3:keep".parse().unwrap(),
        ..config("mnist-cnn")
    };
    for (config, interruptions) in [(adam, 1..6), (sgd, 2..3)] {
        let whole = run(config.clone(), first_digits(200));
        for epochs in interruptions {
            let parts = run_in_two_parts(config.clone(), epochs);
            assert_eq!(parts.log.steps, whole.log.steps);
            assert_eq!(untimed(&parts.log.epochs), untimed(&whole.log.epochs));
            let bytes = |run: &Run| {
                run.weights
                    .iter()
                    .map(|net| file_of(net))
                    .collect::<Vec<_>>()
            };
            assert_eq!(bytes(&parts), bytes(&whole), "after {epochs} epochs");
        }
    }
}

#[test]
fn a_pair_draws_the_same_random_rates() {
    let config = Config {
        epochs: 4,
        schedule: "random-after:2:0.02:3:fresh".parse().unwrap(),
        ..config("mlp")
    };
    let log = run(config, first_digits(20)).log;
    let rates = |net: &str| -> Vec<f64> {
        let epochs = log.epochs.iter().filter(|epoch| epoch.net == net);
        epochs.map(|epoch| epoch.lr).collect()
    };
    let spinal = rates("spinal");
    assert_eq!(spinal, rates("baseline"));
    assert_eq!(spinal[..2], [0.01; 2]);
    assert!(spinal[2] != spinal[3]);
    assert!(spinal[2..].iter().all(|rate| (0.0..0.02).contains(rate)));
    for step in &log.steps {
        assert_eq!(step.lr, spinal[step.epoch - 1] as f32);
    }
}

#[test]
fn nets_may_have_schedules_of_their_own() {
    let config = Config {
        epochs: 3,
        net_schedules: BTreeMap::from([(
            "baseline".to_owned(),
            "divide:2:after=1-".parse().unwrap(),
        )]),
        ..config("mlp")
    };
    let log = run(config, first_digits(20)).log;
    let rates: Vec<_> = log.epochs.iter().map(|epoch| epoch.lr).collect();
    assert_eq!(rates, [0.01, 0.01, 0.01, 0.005, 0.01, 0.0025]);
}

/// Another device on the same adapter, where no other test allocates.
fn device_like(device: &Device) -> Device {
    let adapter = device.adapter();
    let choice = AdapterChoice {
        name: Some(adapter.name.clone()),
        backend: Backend::from_str(&adapter.backend, true).ok(),
    };
    Device::open(&choice, Checks::Trusted).unwrap()
}

#[test]
fn the_estimate_of_device_memory_is_what_is_allocated() {
    let device = device_like(device(Checks::Trusted));
    let Some(before) = device.allocated_bytes() else {
        return;
    };
    let trainer = Trainer::new(&device, config("mnist-cnn"), first_digits(1000)).unwrap();
    let estimate = trainer.device_bytes() as f64;
    let allocated = (device.allocated_bytes().unwrap() - before) as f64;
    let ratio = allocated / estimate;
    assert!(
        (0.9..=1.1).contains(&ratio),
        "{allocated} bytes allocated, {estimate} told"
    );
}
