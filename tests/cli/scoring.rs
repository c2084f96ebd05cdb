//! Saved weights, scored and used.

use std::path::Path;

use image::{DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage, imageops};

use super::data::{digits, write_digits};
use super::spinal::Place;

/// The keys of a JSON object, in the order of the text.
fn keys(json: &str) -> Vec<&str> {
    let quoted = json.split('"').skip(1).step_by(2);
    quoted.collect()
}

#[test]
fn evaluation_repeats_the_last_score_of_a_run() {
    let place = Place::new();
    write_digits(&place, "digits", 100, 30);
    let train = ["train", "--data", "digits", "--epochs", "2", "--out", "run"];
    place.run_on_adapter(&train).succeeded();
    let records = place.metrics("run");
    for net in ["spinal", "baseline"] {
        let mut records = records.iter().rev();
        let last = records.find(|record| record["net"] == net).unwrap();
        let outcome = place.evaluate(net, &["--json"]).succeeded();
        assert_eq!(
            keys(&outcome.stdout),
            ["loss", "accuracy", "correct", "total"]
        );
        let score = outcome.json();
        assert_eq!(score["loss"], last["test_loss"]);
        assert_eq!(score["accuracy"], last["test_accuracy"]);
        assert_eq!(score["total"], 30);
        let accuracy = score["correct"].as_f64().unwrap() / 30.0;
        assert_eq!(score["accuracy"].as_f64(), Some(accuracy));
        let text = place.evaluate(net, &[]).succeeded().stdout;
        assert!(text.contains("of 30)"), "{text}");
        let ten = place.evaluate(net, &["--json", "--limit-test", "10"]);
        assert_eq!(ten.succeeded().json()["total"], 10);
    }
}

#[test]
fn the_score_of_a_regression_is_its_loss() {
    let place = Place::new();
    let flags = ["--data", "sin-sum", "--seed", "5"];
    let train = [
        "train",
        "regression",
        "--net",
        "spinal",
        "--epochs",
        "1",
        "--out",
        "run",
    ];
    place
        .run_on_adapter(&[&train[..], &flags].concat())
        .succeeded();
    let weights = "run/spinal.safetensors";
    let eval = [
        "eval",
        "--weights",
        weights,
        "--model",
        "regression-spinal",
        "--json",
    ];
    let outcome = place
        .run_on_adapter(&[&eval[..], &flags].concat())
        .succeeded();
    assert_eq!(keys(&outcome.stdout), ["loss", "total"]);
    let last = place.metrics("run").pop().unwrap();
    assert_eq!(outcome.json()["loss"], last["test_loss"]);
    assert_eq!(outcome.json()["total"], 1000);
}

/// The classes and percentages of each line that `spinal predict` prints.
fn predictions(stdout: &str) -> Vec<(String, Vec<(u8, f64)>)> {
    let line = |line: &str| {
        let (path, classes) = line.split_once(": ").unwrap();
        let class = |text: &str| {
            let (class, percent) = text.split_once(" (").unwrap();
            let percent = percent.strip_suffix(" %)").unwrap();
            (class.parse().unwrap(), percent.parse().unwrap())
        };
        (path.to_owned(), classes.split(", ").map(class).collect())
    };
    stdout.lines().map(line).collect()
}

/// A digit as users may hand it in: as it is, and large on a page, of either polarity, in colour, as a JPEG whose name
/// says PNG.
fn write_pictures(folder: &Path, name: &str, digit: &GrayImage) -> Vec<String> {
    let large = imageops::resize(digit, 280, 280, imageops::FilterType::CatmullRom);
    let mut page = GrayImage::new(400, 350);
    imageops::replace(&mut page, &large, 50, 20);
    let mut paper = page.clone();
    imageops::invert(&mut paper);
    let colour = RgbImage::from_fn(400, 350, |x, y| {
        let ink = u32::from(page.get_pixel(x, y).0[0]);
        Rgb([
            250 - 200 * ink / 255,
            240 - 220 * ink / 255,
            210 - 60 * ink / 255,
        ]
        .map(|c| c as u8))
    });
    let pictures: [(&str, DynamicImage, ImageFormat); 5] = [
        ("exact.png", digit.clone().into(), ImageFormat::Png),
        ("light.png", page.into(), ImageFormat::Png),
        ("dark.jpg", paper.clone().into(), ImageFormat::Jpeg),
        ("colour.png", colour.into(), ImageFormat::Png),
        ("misnamed.png", paper.into(), ImageFormat::Jpeg),
    ];
    let save = |(kind, picture, format): (&str, DynamicImage, ImageFormat)| {
        let name = format!("{name}-{kind}");
        picture
            .save_with_format(folder.join(&name), format)
            .unwrap();
        name
    };
    pictures.into_iter().map(save).collect()
}

#[test]
fn pictures_of_any_size_colour_and_polarity_are_classified() {
    let place = Place::new();
    write_digits(&place, "digits", 400, 10);
    let train = [
        "train",
        "--net",
        "spinal",
        "--data",
        "digits",
        "--epochs",
        "25",
        "--optimizer",
        "adam",
        "--lr",
        "0.003",
        "--no-dropout",
        "--out",
        "run",
    ];
    place.run_on_adapter(&train).succeeded();
    let mut arguments = vec!["predict", "--weights", "run/spinal.safetensors"];
    arguments.extend(["--model", "mnist-cnn-spinal"]);
    let mut expected = Vec::new();
    for index in [0, 1, 3] {
        let digit = digits().pixels.in_memory()[784 * index..784 * (index + 1)].to_vec();
        let digit = GrayImage::from_raw(28, 28, digit).unwrap();
        let label = digits().labels[index];
        let names = write_pictures(&place.path(""), &format!("digit{index}"), &digit);
        expected.extend(names.into_iter().map(|name| (name, label)));
    }
    arguments.extend(expected.iter().map(|(name, _)| name.as_str()));
    let outcome = place.run_on_adapter(&arguments).succeeded();
    let found = predictions(&outcome.stdout);
    assert_eq!(found.len(), expected.len());
    for ((path, classes), (name, label)) in found.iter().zip(&expected) {
        assert_eq!(path, name);
        assert_eq!(classes.len(), 3, "{outcome:#?}");
        assert_eq!(classes[0].0, *label, "{path}: {classes:?}");
        assert!(classes.is_sorted_by(|a, b| a.1 >= b.1), "{classes:?}");
        assert!(classes.iter().map(|class| class.1).sum::<f64>() <= 100.02);
    }
}
