//! The command line as a user meets it: exit codes, one line of error, one of hint, nothing left behind.

use std::process::Output;

use assert_cmd::Command;

fn spinal(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spinal"));
    command.args(arguments).output().expect("the program runs")
}

/// Asserts the exit code and that stderr holds one error line with `what` and one hint.
fn refused(arguments: &[&str], code: i32, what: &str) {
    let output = spinal(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    let errors: Vec<_> = stderr
        .lines()
        .filter(|line| line.starts_with("error:"))
        .collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    assert!(errors[0].contains(what), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// Asserts that our own code, not clap, refused it: with a hint.
fn refused_with_hint(arguments: &[&str], code: i32, what: &str) {
    refused(arguments, code, what);
    let output = spinal(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let hints = stderr
        .lines()
        .filter(|line| line.starts_with("hint:"))
        .count();
    assert_eq!(hints, 1, "{stderr}");
}

#[test]
fn wrong_names_are_usage_errors_with_a_hint() {
    refused_with_hint(&["train", "nosuch"], 2, "nosuch");
    refused_with_hint(&["train", "--net", "nosuch"], 2, "nosuch");
    refused_with_hint(&["train", "--data", "nosuch"], 2, "nosuch");
    refused_with_hint(&["plan", "nosuch"], 2, "nosuch");
    refused_with_hint(&["train", "regression", "--data", "nosuch"], 2, "nosuch");
}

#[test]
fn values_out_of_range_are_usage_errors() {
    refused_with_hint(&["train", "--lr", "nan"], 2, "--lr");
    refused_with_hint(
        &["train", "--optimizer", "adam", "--momentum", "0.5"],
        2,
        "--momentum",
    );
    refused_with_hint(&["train", "--init", "x.safetensors"], 2, "--init");
    refused(&["train", "--batch-size", "0"], 2, "--batch-size");
    refused(&["train", "--limit-train", "0"], 2, "--limit-train");
}

#[test]
fn files_that_are_missing_are_run_time_errors() {
    refused_with_hint(
        &[
            "eval",
            "--weights",
            "nosuch.safetensors",
            "--model",
            "mnist-cnn-spinal",
        ],
        1,
        "nosuch.safetensors",
    );
    refused_with_hint(
        &[
            "predict",
            "--weights",
            "x",
            "--model",
            "mnist-cnn-spinal",
            "nosuch.png",
        ],
        1,
        "nosuch.png",
    );
}

#[test]
fn a_run_folder_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    std::fs::write(&kept, "mine").unwrap();
    let out = folder.path().to_str().unwrap();
    let arguments = ["train", "--epochs", "0", "--limit-test", "10", "--out", out];
    refused_with_hint(&arguments, 1, out);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "mine");
}

#[test]
fn a_short_run_leaves_what_the_readme_says_and_eval_repeats_its_score() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let out = out.to_str().unwrap();
    let limits = ["--limit-train", "128", "--limit-test", "100"];
    let train = [
        &["train", "--net", "spinal", "--epochs", "1", "--out", out][..],
        &limits,
    ]
    .concat();
    assert!(spinal(&train).status.success());
    for file in [
        "config.toml",
        "metrics.jsonl",
        "curves.svg",
        "spinal.safetensors",
    ] {
        assert!(std::path::Path::new(out).join(file).is_file(), "{file}");
    }
    let metrics = std::fs::read_to_string(format!("{out}/metrics.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    let weights = format!("{out}/spinal.safetensors");
    let eval = [
        "eval",
        "--weights",
        &weights,
        "--model",
        "mnist-cnn-spinal",
        "--limit-test",
        "100",
        "--json",
    ];
    let score: serde_json::Value = serde_json::from_slice(&spinal(&eval).stdout).unwrap();
    assert_eq!(score["accuracy"], last["test_accuracy"]);
    assert_eq!(score["total"], 100);
}

#[test]
fn list_prints_the_papers_numbers() {
    let output = String::from_utf8(spinal(&["list"]).stdout).unwrap();
    for number in [
        "21840", "13818", "16050", "480500", "472480", "22001", "14301", "21700", "14000",
    ] {
        assert!(output.contains(number), "{number} in {output}");
    }
}
