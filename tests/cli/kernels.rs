//! `spinal tune` and `--kernels`: what is measured once is kept, and a seed stays a seed.

use std::path::Path;

use serde_json::Value;

use super::spinal::{Outcome, Place, adapter_flags};

/// Runs the program with the tuning cache in the folder `cache` of the place.
fn run(place: &Place, arguments: &[&str]) -> Outcome {
    let cache = place.path("cache");
    let mut arguments: Vec<_> = arguments.iter().map(|&flag| flag.to_owned()).collect();
    arguments.extend(adapter_flags());
    place.run_with(&arguments, &[("SPINAL_CACHE", cache.to_str().unwrap())])
}

/// Trains a net for a few steps and gives the losses.
fn losses(place: &Place, net: &str, out: &str, kernels: &str) -> (Vec<Value>, String) {
    let command = format!(
        "train {net} --net baseline --limit-train 256 --limit-test 64 --epochs 1 --kernels {kernels} --out {out}"
    );
    let arguments: Vec<_> = command.split(' ').collect();
    let outcome = run(place, &arguments).succeeded();
    let losses = place.metrics(out);
    let losses = losses.iter().filter_map(|line| line.get("loss").cloned());
    (losses.collect(), outcome.stderr)
}

fn cache_file(place: &Place) -> String {
    let names = place.names("cache/kernels");
    assert_eq!(names.len(), 1, "{names:?}");
    Path::new("cache/kernels")
        .join(&names[0])
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn what_is_measured_is_kept() {
    let place = Place::new();
    let tune = ["tune", "regression-baseline", "--batch-size", "8", "--json"];
    let first = run(&place, &tune).succeeded().json();
    for row in first.as_array().unwrap() {
        let candidates = row["candidates"].as_array().unwrap();
        assert!(candidates.len() > 1, "{row}");
        assert!(candidates.iter().all(|one| one["ms"].as_f64() > Some(0.0)));
        assert!(candidates.iter().any(|one| one["kernel"] == row["winner"]));
    }
    let again = run(&place, &tune).succeeded().json();
    assert_eq!(again, Value::Array(Vec::new()), "all is known");
}

#[test]
fn a_seed_gives_the_same_bits_within_one_cache() {
    let place = Place::new();
    let run = |out, kernels| losses(&place, "mnist-cnn", out, kernels);
    let (first, _) = run("first", "tuned");
    let (second, stderr) = run("second", "tuned");
    assert!(!stderr.contains("measuring"), "{stderr}");
    assert!(!first.is_empty());
    assert_eq!(first, second);
    let (reference, _) = run("reference", "reference");
    for (tuned, reference) in first.iter().zip(&reference) {
        let [tuned, reference] = [tuned, reference].map(|loss| loss.as_f64().unwrap());
        assert!((tuned - reference).abs() < 1e-3, "{tuned} {reference}");
    }
}

#[test]
fn a_broken_cache_is_ignored_with_a_notice() {
    let place = Place::new();
    let run = |out| losses(&place, "mlp --head linear", out, "tuned");
    let (first, _) = run("first");
    let file = cache_file(&place);
    place.write(&file, "{\"device\": 7");
    let (second, stderr) = run("second");
    assert!(stderr.contains("is no tuning cache"), "{stderr}");
    assert_eq!(first.len(), second.len());
    assert!(
        place.read(&file).contains("operations"),
        "it is written anew"
    );
}
