//! Output that is read by nobody, by another program, or cut off; and Ctrl-C.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use super::data::write_digits;
use super::spinal::Place;
use super::svg;

const RUN: [&str; 9] = [
    "train", "mlp", "--net", "spinal", "--data", "digits", "--epochs", "3", "--out",
];

/// A place with digits to train on.
fn place() -> Place {
    let place = Place::new();
    write_digits(&place, "digits", 64, 10);
    place
}

#[test]
fn output_that_is_no_terminal_has_no_bars() {
    let place = place();
    let outcome = place
        .run_on_adapter(&[&RUN[..], &["run"]].concat())
        .succeeded();
    for text in [&outcome.stdout, &outcome.stderr] {
        assert!(!text.contains(['\r', '\x1b']), "{text:?}");
    }
    let epochs = outcome
        .stdout
        .lines()
        .filter(|line| line.contains("  epoch ") && line.contains("images/s"));
    assert_eq!(epochs.count(), 3, "{outcome:#?}");
}

/// What `spinal train | head -1` and `spinal train 2>&1 | head -1` do to the program.
#[test]
fn a_reader_that_goes_away_does_not_stop_a_training() {
    let place = place();
    for (out, close_stderr) in [("a", false), ("b", true)] {
        let mut child = place.start(&[&RUN[..], &[out]].concat());
        drop(child.stdout.take());
        let stderr = child.stderr.take().unwrap();
        let mut text = String::new();
        if close_stderr {
            drop(stderr);
        } else {
            BufReader::new(stderr).read_to_string(&mut text).unwrap();
        }
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{text}");
        assert!(place.path(out).join("spinal.safetensors").is_file());
        assert!(place.path(out).join("curves.svg").is_file());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_the_output_is_an_error() {
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let spinal = || Command::new(env!("CARGO_BIN_EXE_spinal"));
    let output = spinal()
        .arg("list")
        .stdout(full())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with("error: standard output: cannot be written"),
        "{stderr}"
    );
    let unheard = spinal()
        .args(["train", "nosuch"])
        .stderr(full())
        .status()
        .unwrap();
    assert_eq!(unheard.code(), Some(2));
}

#[test]
fn an_interrupted_run_keeps_its_weights_and_whole_epochs() {
    let place = place();
    let run = [
        "train", "--data", "digits", "--epochs", "1000000", "--out", "run",
    ];
    let mut child = place.start(&run);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for net in ["spinal", "baseline"] {
        line.clear();
        stdout.read_line(&mut line).unwrap();
        assert!(
            line.starts_with(&format!("{net}  epoch 1/1000000")),
            "{line}"
        );
    }
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    stdout.read_to_string(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("error: interrupted"), "{stderr}");
    let hint = "hint: go on with: spinal train --resume run";
    assert_eq!(stderr.lines().last(), Some(hint));
    assert!(line.contains("run folder: run"), "{line}");
    let records = place.metrics("run");
    assert!(
        records.last().unwrap()["test_loss"].is_number(),
        "only whole epochs"
    );
    svg::assert_well_formed(&place.read("run/curves.svg"));
    for net in ["spinal", "baseline"] {
        place.evaluate(net, &[]).succeeded();
    }
}
