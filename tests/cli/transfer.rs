//! Transferred initialisation: a backbone's weights under a new head, what of it is trained, and what is told of pictures by name.

use std::collections::BTreeMap;
use std::fs;

use image::{Rgb, RgbImage};
use serde_json::Value;
use spinalnet::checkpoint;
use spinalnet::models::{self, ModelOptions};

use super::data::write_digits;
use super::spinal::Place;

/// Pictures of so many pixels a side: dark blue whales and light yellow canaries, each of another brightness.
fn write_photographs(place: &Place, name: &str, side: u32) {
    for (part, count) in [("train", 6), ("test", 3)] {
        for (class, colour) in [("canaries", [200, 180, 20]), ("whales", [10, 20, 90])] {
            let folder = place.path(name).join(part).join(class);
            fs::create_dir_all(&folder).unwrap();
            for index in 0..count {
                let picture = RgbImage::from_fn(side + index, side, |x, y| {
                    Rgb(colour.map(|value| value + (5 * index + (x * y) % 7) as u8))
                });
                picture.save(folder.join(format!("{index}.png"))).unwrap();
            }
        }
    }
}

/// The smallest training of two nets on a ResNet-18 that begins at random, in the folder `run`.
fn train<'a>(extra: &[&'a str]) -> Vec<&'a str> {
    let all = [
        "train",
        "transfer",
        "--weights",
        "none",
        "--data",
        "photos",
        "--image-size",
        "32",
        "--net",
        "spinal,baseline",
        "--epochs",
        "2",
        "--batch-size",
        "4",
        "--out",
        "run",
    ];
    [&all, extra].concat()
}

/// The tensors of a file of weights whose names begin with `prefix`, as bytes.
fn tensors(place: &Place, file: &str, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(place.path(file)).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file
        .iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, view)| (name.to_owned(), view.data().to_vec()))
        .collect();
    tensors.sort();
    tensors
}

/// The middle of every picture, whether it is trained on or evaluated.
const CENTRE: &str = "resize:36+center-crop:32/resize:36+center-crop:32";

/// A probe computes the features of every picture once. Its weights are whole: they are evaluated, predict by the names of the
/// classes, and give their backbone to another training.
#[test]
fn a_probe_leaves_whole_weights_that_name_classes() {
    let place = Place::new();
    write_photographs(&place, "photos", 40);
    place
        .run_on_adapter(&train(&["--freeze", "backbone", "--augment", CENTRE]))
        .succeeded();
    let backbones = ["spinal", "baseline"]
        .map(|net| tensors(&place, &format!("run/{net}.safetensors"), "layer4."));
    assert!(!backbones[0].is_empty() && backbones[0] == backbones[1]);

    let last = place.metrics("run").pop().unwrap();
    let weights = [
        "--weights",
        "run/baseline.safetensors",
        "--model",
        "resnet18-baseline",
    ];
    let eval = [&["eval"][..], &weights, &["--data", "photos", "--json"]];
    let eval = place.run_on_adapter(&eval.concat()).succeeded().json();
    assert_eq!(last["net"], "baseline");
    let loss = |value: &Value| value.as_f64().unwrap();
    assert!(
        (loss(&eval["loss"]) - loss(&last["test_loss"])).abs() < 1e-5,
        "{eval} {last}"
    );

    let predict = [&["predict"][..], &weights, &["photos/test", "--json"]].concat();
    let outcome = place.run_on_adapter(&predict).succeeded();
    let lines: Vec<Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[0]["file"], "photos/test/canaries/0.png");
    let correct = lines.iter().filter(|line| {
        let top = &line["top"][0];
        let name = top["name"].as_str().unwrap();
        assert_eq!(top["class"], u64::from(name == "whales"), "{line}");
        line["file"].as_str().unwrap().contains(name)
    });
    assert_eq!(correct.count() as u64, eval["correct"].as_u64().unwrap());

    let again = [
        "train",
        "transfer",
        "--weights",
        "run/spinal.safetensors",
        "--data",
        "photos",
        "--image-size",
        "32",
        "--net",
        "fc",
        "--epochs",
        "1",
        "--freeze",
        "until:layer4.0",
        "--lr-backbone",
        "0.1",
        "--batch-size",
        "4",
        "--out",
        "again",
    ];
    let outcome = place.run_on_adapter(&again).succeeded();
    assert!(
        outcome.stderr.contains("classifier of the file left out"),
        "{outcome:#?}"
    );
    for (prefix, is_kept) in [("layer3.", true), ("layer4.0.", true), ("layer4.1.", false)] {
        let before = tensors(&place, "run/spinal.safetensors", prefix);
        let after = tensors(&place, "again/fc.safetensors", prefix);
        assert_eq!(before == after, is_kept, "{prefix}");
    }
}

#[test]
fn what_cannot_be_trained_is_refused_before_anything_is() {
    let place = Place::new();
    write_photographs(&place, "photos", 40);
    let refused = |extra: &[&str], what: &str| {
        let arguments = train(extra);
        let environment = [("VK_DRIVER_FILES", "/nosuch"), ("SPINAL_CACHE", "/nosuch")];
        let outcome = place.run_with(&arguments, &environment);
        assert!(outcome.stderr.contains(what), "{extra:?}: {outcome:#?}");
        outcome.refused(2, what);
        assert!(!place.path("run").exists());
    };
    refused(&["--backbone", "resnet19"], "--backbone resnet19");
    refused(
        &["--freeze", "backbone", "--lr-backbone", "0.1"],
        "--lr-backbone",
    );
    refused(&["--lr-backbone", "0"], "--lr-backbone");
    let plain = |arguments: &[&str], what: &str| {
        place
            .run_with(arguments, &[("VK_DRIVER_FILES", "/nosuch")])
            .refused(2, what);
    };
    plain(
        &["train", "mnist-cnn", "--backbone", "resnet18"],
        "--backbone resnet18",
    );
    plain(
        &["plan", "mnist-cnn-spinal", "--frozen-statistics"],
        "--frozen-statistics",
    );
    plain(&["train", "transfer", "--as-run"], "--as-run");
    plain(
        &["train", "transfer", "--data", "photos", "--net", "fc,fc"],
        "named twice",
    );
    plain(
        &["train", "hymenoptera-resnet18", "--weights", "none"],
        "hymenoptera",
    );
}

/// Neither pictures of classes that ImageNet does not have nor images of classes without names are scored by its classifier.
#[test]
fn the_original_classifier_takes_no_other_classes() {
    let place = Place::new();
    write_photographs(&place, "photos", 40);
    write_digits(&place, "digits", 20, 10);
    let model = models::build("resnet18-original", ModelOptions::default()).unwrap();
    let values = models::initial_values(&model.parameters, 1);
    let tensors = models::named_weights(&model.parameters, &values);
    checkpoint::save(&place.path("w"), &tensors, &BTreeMap::new()).unwrap();
    let eval = |data: &[&str], what: &str| {
        let arguments = [
            "eval",
            "--weights",
            "w",
            "--model",
            "resnet18-original",
            "--data",
        ];
        let arguments = [&arguments[..], data].concat();
        place
            .run_with(&arguments, &[("VK_DRIVER_FILES", "/nosuch")])
            .refused(2, what);
    };
    eval(
        &["photos", "--image-size", "32"],
        "class canaries is none of ImageNet's",
    );
    eval(&["digits"], "nothing tells what its classes are called");
}
