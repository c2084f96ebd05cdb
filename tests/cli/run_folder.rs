//! What a training leaves behind, line by line.

use std::fs;

use safetensors::SafeTensors;
use serde_json::Value;

use super::data::{write_digits, write_patterns};
use super::spinal::Place;
use super::svg;

#[test]
fn a_run_leaves_its_configuration_metrics_weights_and_curves() {
    let place = Place::new();
    write_digits(&place, "digits", 100, 20);
    let arguments = [
        "train", "--data", "digits", "--epochs", "2", "--seed", "7", "--out", "deep/run",
    ];
    let outcome = place.run_on_adapter(&arguments).succeeded();
    let files = [
        "baseline.best.safetensors",
        "baseline.safetensors",
        "checkpoint.safetensors",
        "config.toml",
        "curves.svg",
        "metrics.jsonl",
        "spinal.best.safetensors",
        "spinal.safetensors",
    ];
    assert_eq!(place.names("deep/run"), files);
    assert_configuration(&place.read("deep/run/config.toml"));
    assert_metrics(&place.read("deep/run/metrics.jsonl"));
    svg::assert_well_formed(&place.read("deep/run/curves.svg"));
    let head = [
        ("spinal.output.weight", vec![10, 48]),
        ("spinal.output.bias", vec![10]),
        ("spinal.sub_layers.0.weight", vec![8, 160]),
        ("spinal.sub_layers.0.bias", vec![8]),
    ];
    let tail = (1..6).flat_map(|layer| {
        [("weight", vec![8, 168]), ("bias", vec![8])]
            .map(|(part, shape)| (format!("spinal.sub_layers.{layer}.{part}"), shape))
    });
    let head = head.map(|(name, shape)| (name.to_owned(), shape));
    assert_weights(&place, "spinal", head.into_iter().chain(tail).collect());
    let head = [
        ("fc1.weight", vec![50, 320]),
        ("fc1.bias", vec![50]),
        ("fc2.weight", vec![10, 50]),
        ("fc2.bias", vec![10]),
    ];
    let head = head.map(|(name, shape)| (name.to_owned(), shape));
    assert_weights(&place, "baseline", head.into());
    assert_table(&outcome.stdout);
}

fn assert_configuration(text: &str) {
    let config: toml::Table = text.parse().unwrap();
    let expected: toml::Table = r#"
        experiment = "mnist-cnn"
        nets = ["spinal", "baseline"]
        data = "digits"
        transposed = false
        augment = "none"
        normalization = "data-set"
        validation = "none"
        epochs = 2
        batch_size = 64
        optimizer = "sgd"
        lr = 0.01
        schedule = "constant"
        momentum = 0.5
        nesterov = false
        weight_decay = 0.0
        reload_best = false
        seed = 7
        shuffle = true
        dropout = true
        network = {}
    "#
    .parse()
    .unwrap();
    let mut options = config.clone();
    options.remove("environment");
    assert_eq!(options, expected);
    let environment = config["environment"].as_table().unwrap();
    let keys: Vec<&str> = environment.keys().map(String::as_str).collect();
    let mut expected = [
        "spinal",
        "adapter",
        "backend",
        "driver",
        "checks",
        "kernels",
        "precision",
        "wgpu",
        "naga",
    ];
    expected.sort_unstable();
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(environment["checks"].as_str(), Some("trusted"));
}

/// Two nets, two epochs, and 100 images in batches of 64: the lines in order, their keys in order.
fn assert_metrics(text: &str) {
    assert!(text.ends_with('\n'));
    let mut lines = text.lines();
    let mut next = || lines.next().expect("there are more lines");
    for epoch in 1..=2 {
        for net in ["spinal", "baseline"] {
            for step in [2 * epoch - 1, 2 * epoch] {
                let line = next();
                let record: Value = serde_json::from_str(line).unwrap();
                let loss = record["loss"].as_f64().unwrap();
                assert!((0.5..5.0).contains(&loss), "{line}");
                let loss = &record["loss"];
                let expected = format!(
                    r#"{{"net":"{net}","epoch":{epoch},"step":{step},"loss":{loss},"lr":0.01}}"#
                );
                assert_eq!(line, expected);
            }
            let line = next();
            let record: Value = serde_json::from_str(line).unwrap();
            let value = |key: &str| record[key].as_f64().unwrap_or_else(|| panic!("{line}"));
            assert!((0.0..=1.0).contains(&value("test_accuracy")), "{line}");
            assert!(value("seconds") > 0.0, "{line}");
            let speed = value("images_per_second") * value("seconds");
            assert!((speed - 100.0).abs() < 0.01, "{line}");
            let keys = [
                "\"net\":",
                "\"epoch\":",
                "\"lr\":",
                "\"train_loss\":",
                "\"test_loss\":",
                "\"test_accuracy\":",
                "\"seconds\":",
                "\"images_per_second\":",
            ];
            assert_eq!(record.as_object().unwrap().len(), keys.len(), "{line}");
            let places = keys.map(|key| line.find(key).unwrap_or_else(|| panic!("{line}")));
            assert!(places.is_sorted(), "{line}");
            assert!(line.starts_with(&format!(r#"{{"net":"{net}","epoch":{epoch},"#)));
        }
    }
    assert_eq!(lines.next(), None);
}

/// Asserts the tensors of a net: the two convolutions and its head.
fn assert_weights(place: &Place, net: &str, head: Vec<(String, Vec<usize>)>) {
    let bytes = fs::read(place.path(format!("deep/run/{net}.safetensors"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut found: Vec<_> = file
        .iter()
        .map(|(name, tensor)| {
            assert_eq!(tensor.dtype(), safetensors::Dtype::F32, "{name}");
            (name.to_owned(), tensor.shape().to_vec())
        })
        .collect();
    found.sort();
    let convolutions = [
        ("conv1.weight", vec![10, 1, 5, 5]),
        ("conv1.bias", vec![10]),
        ("conv2.weight", vec![20, 10, 5, 5]),
        ("conv2.bias", vec![20]),
    ];
    let convolutions = convolutions.map(|(name, shape)| (name.to_owned(), shape));
    let mut expected: Vec<_> = convolutions.into_iter().chain(head).collect();
    expected.sort();
    assert_eq!(found, expected);
}

/// The closing table, and plain lines before it.
fn assert_table(stdout: &str) {
    for text in [
        "spinal  epoch 1/2  train loss ",
        "baseline  epoch 2/2  train loss ",
        "13,818    21,840",
        "472,480   480,500",
        "spinal - baseline",
        "test accuracy",
        "test loss",
        "best by test accuracy",
        "run folder: deep/run",
    ] {
        assert!(stdout.contains(text), "no `{text}` in {stdout}");
    }
}

/// Every flag of the recipe in `config.toml`, and what it does in `metrics.jsonl`.
#[test]
fn a_recipe_can_be_overridden_in_every_point() {
    let place = Place::new();
    write_digits(&place, "digits", 100, 20);
    let flags = "train mlp --data digits --batch-size 50 --optimizer sgd --momentum 0.9 --nesterov --weight-decay 1e-4 \
        --clip-norm 2 --schedule phases:0.02x2,0.01x3:fresh:step:1:0.5 --validation held-out --reload-best --patience 4 \
        --normalize half --no-dropout --no-shuffle --seed 3 --out run";
    let arguments: Vec<&str> = flags.split_whitespace().collect();
    let outcome = place.run_on_adapter(&arguments).succeeded();
    assert!(outcome.stdout.contains("best by validation accuracy"));
    let mut config: toml::Table = place.read("run/config.toml").parse().unwrap();
    config.remove("environment");
    let expected: toml::Table = r#"
        experiment = "mlp"
        nets = ["spinal", "baseline"]
        data = "digits"
        transposed = false
        augment = "none"
        normalization = "half"
        validation = "held-out"
        epochs = 5
        batch_size = 50
        optimizer = "sgd"
        lr = 0.02
        schedule = "phases:0.02x2,0.01x3:fresh:step:1:0.5"
        momentum = 0.9
        nesterov = true
        weight_decay = 0.0001
        clip_norm = 2.0
        reload_best = true
        patience = 4
        seed = 3
        shuffle = false
        dropout = false
        network = {}
    "#
    .parse()
    .unwrap();
    assert_eq!(config, expected);
    let records = place.metrics("run");
    let epochs = records
        .iter()
        .filter(|record| record["net"] == "spinal" && !record["train_loss"].is_null());
    let rates: Vec<f64> = epochs
        .map(|record| {
            assert!(record["validation_loss"].is_number(), "{record}");
            assert!(record["validation_accuracy"].is_number(), "{record}");
            record["lr"].as_f64().unwrap()
        })
        .collect();
    assert_eq!(rates, [0.02, 0.01, 0.01, 0.005, 0.0025][..rates.len()]);
    assert!(rates.len() > 3);
    // 90 of 100 samples in batches of 50.
    assert_eq!(records[1]["step"], 2);
    assert!(records[2]["train_loss"].is_number());
}

#[test]
fn a_net_without_progress_is_stopped_and_the_reader_is_told() {
    let place = Place::new();
    write_digits(&place, "digits", 20, 10);
    let flags = "train mlp --net spinal --data digits --epochs 9 --lr 0 --patience 1 --out run";
    let arguments: Vec<&str> = flags.split_whitespace().collect();
    let outcome = place.run_on_adapter(&arguments).succeeded();
    let note = "spinal: stopped after epoch 2, as it got no better";
    assert!(outcome.stderr.contains(note), "{outcome:#?}");
    assert_eq!(place.metrics("run").len(), 4);
}

#[test]
fn without_epochs_the_initial_weights_are_written_and_evaluated() {
    let place = Place::new();
    write_digits(&place, "digits", 30, 20);
    let arguments = [
        "train", "mlp", "--data", "digits", "--epochs", "0", "--out", "run",
    ];
    let outcome = place.run_on_adapter(&arguments).succeeded();
    assert!(outcome.stdout.contains("epoch 0"), "{outcome:#?}");
    let text = place.read("run/metrics.jsonl");
    let records = place.metrics("run");
    assert_eq!(records.len(), 2, "{text}");
    for (line, net) in text.lines().zip(["spinal", "baseline"]) {
        let record: Value = serde_json::from_str(line).unwrap();
        let (loss, accuracy) = (&record["test_loss"], &record["test_accuracy"]);
        assert!((1.0..5.0).contains(&loss.as_f64().unwrap()), "{line}");
        let expected = format!(
            r#"{{"net":"{net}","epoch":0,"lr":null,"train_loss":null,"test_loss":{loss},"test_accuracy":{accuracy},"seconds":0.0,"images_per_second":null}}"#
        );
        assert_eq!(line, expected);
        assert!(place.path(format!("run/{net}.safetensors")).is_file());
    }
    svg::assert_well_formed(&place.read("run/curves.svg"));
}

#[test]
fn runs_without_a_folder_get_the_next_number() {
    let place = Place::new();
    write_digits(&place, "digits", 3, 2);
    let arguments = [
        "train", "mlp", "--net", "spinal", "--data", "digits", "--epochs", "0",
    ];
    for run in ["runs/mlp-0001", "runs/mlp-0002"] {
        let outcome = place.run_on_adapter(&arguments).succeeded();
        assert!(outcome.stdout.contains(run), "{outcome:#?}");
    }
    assert_eq!(place.names("runs"), ["mlp-0001", "mlp-0002"]);
    fs::create_dir(place.path("mine")).unwrap();
    let into_an_empty_folder = [&arguments[..], &["--out", "mine"]].concat();
    place.run_on_adapter(&into_an_empty_folder).succeeded();
    assert_eq!(place.names("mine").len(), 4);
}

#[test]
fn a_regression_has_no_accuracy() {
    let place = Place::new();
    let arguments = [
        "train",
        "regression",
        "--net",
        "spinal-tied",
        "--epochs",
        "1",
        "--out",
        "run",
    ];
    place.run_on_adapter(&arguments).succeeded();
    let records = place.metrics("run");
    assert_eq!(records.len(), 1000_usize.div_ceil(64) + 1);
    let last = records[16].as_object().unwrap();
    assert!(last.contains_key("test_loss") && !last.contains_key("test_accuracy"));
    assert!(place.path("run/spinal-tied.safetensors").is_file());
    let config: toml::Table = place.read("run/config.toml").parse().unwrap();
    assert_eq!(config["optimizer"].as_str(), Some("adam"));
    assert_eq!(config["momentum"].as_float(), Some(0.0));
    svg::assert_well_formed(&place.read("run/curves.svg"));
}

/// Units die at once, the net guesses from then on, and by the end of the epoch its loss looks like any other.
#[test]
fn a_step_that_diverges_is_not_forgotten_by_the_end_of_the_epoch() {
    let place = Place::new();
    let arguments = [
        "train",
        "--net",
        "baseline",
        "--limit-train",
        "2000",
        "--limit-test",
        "100",
        "--epochs",
        "2",
        "--lr",
        "100",
        "--out",
        "run",
    ];
    place
        .run_on_adapter(&arguments)
        .failed(1, "diverged in epoch 1");
}

#[test]
fn a_run_that_diverges_says_so_and_keeps_its_metrics() {
    let place = Place::new();
    let arguments = [
        "train",
        "regression",
        "--optimizer",
        "sgd",
        "--lr",
        "1e6",
        "--epochs",
        "3",
        "--out",
        "run",
    ];
    let outcome = place
        .run_on_adapter(&arguments)
        .failed(1, "diverged in epoch 1");
    assert!(
        outcome.stderr.contains("use a smaller --lr"),
        "{outcome:#?}"
    );
    let records = place.metrics("run");
    assert_eq!(records.len(), 17);
    assert!(records[15]["loss"].is_null());
    assert!(records[16]["train_loss"].is_null() && records[16]["test_loss"].is_null());
    assert!(
        !place
            .names("run")
            .iter()
            .any(|name| name.contains("partial"))
    );
}

#[test]
fn the_curves_escape_whatever_the_folder_is_called() {
    let place = Place::new();
    let folder = "a&b <c> 'd'";
    write_patterns(&place, folder, 28, &[0, 1, 9]);
    let arguments = [
        "train", "mlp", "--net", "spinal", "--data", folder, "--epochs", "1", "--out", "run",
    ];
    place.run_on_adapter(&arguments).succeeded();
    svg::assert_well_formed(&place.read("run/curves.svg"));
    let config: toml::Table = place.read("run/config.toml").parse().unwrap();
    assert_eq!(config["data"].as_str(), Some(folder));
}

#[test]
fn checks_change_nothing_but_the_time() {
    let place = Place::new();
    write_digits(&place, "digits", 100, 20);
    let train = |out: &str, flags: &[&str]| {
        let arguments = ["train", "--data", "digits", "--epochs", "2", "--out", out];
        let arguments = [&arguments[..], flags].concat();
        place.run_on_adapter(&arguments).succeeded();
        place.metrics(out)
    };
    let (trusted, checked) = (train("trusted", &[]), train("checked", &["--checked"]));
    assert!(
        place
            .read("checked/config.toml")
            .contains("checks = \"checked\"")
    );
    assert_eq!(trusted.len(), checked.len());
    for (trusted, checked) in trusted.iter().zip(&checked) {
        for key in ["loss", "train_loss", "test_loss"] {
            let Some(expected) = trusted[key].as_f64() else {
                continue;
            };
            let found = checked[key].as_f64().unwrap();
            assert!(
                (found - expected).abs() <= 1e-5 * expected,
                "{trusted} and {checked}"
            );
        }
    }
}
