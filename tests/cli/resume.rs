//! Trainings that are stopped, killed, and go on: to the same bits, in their own folder, or not at all.

#![expect(
    clippy::disallowed_types,
    reason = "moments to kill at are drawn anew each time, by the clock"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::data::write_digits;
use super::spinal::{Outcome, Place, adapter_flags};

const NETS: [&str; 2] = ["spinal", "baseline"];

fn place() -> Place {
    let place = Place::new();
    write_digits(&place, "digits", 200, 50);
    place
}

/// The command of a run whose 50 steps an epoch take some time, and which is saved all the time.
fn train<'a>(out: &'a str, epochs: &'a str) -> Vec<&'a str> {
    let flags = "train --data digits --batch-size 4 --checkpoint-every 20ms --epochs";
    let mut arguments: Vec<&str> = flags.split(' ').collect();
    arguments.extend([epochs, "--out", out]);
    arguments
}

fn resume(run: &str) -> Vec<&str> {
    vec!["train", "--checkpoint-every", "20ms", "--resume", run]
}

/// What a run leaves that does not differ from time to time: a checksum of all its weights, and its metrics without the times.
fn traces(place: &Place, run: &str) -> (Vec<String>, Vec<Value>) {
    let mut records = place.metrics(run);
    for record in &mut records {
        let record = record.as_object_mut().unwrap();
        record.remove("seconds");
        record.remove("images_per_second");
    }
    let files = NETS
        .iter()
        .flat_map(|net| [net.to_string(), format!("{net}.best")]);
    let sum = |name| {
        let bytes = fs::read(place.path(format!("{run}/{name}.safetensors"))).unwrap();
        let sum = Sha256::digest(bytes);
        sum.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    (files.map(sum).collect(), records)
}

fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

/// Waits for the lines of so many epochs on a child's standard output.
fn wait_for_epochs(child: &mut Child, count: usize) {
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..count {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.contains("  epoch "), "{line}");
    }
    // Somebody goes on reading, so that the program does not have to wait.
    thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
}

/// Asserts that a run was stopped by a signal and says how to go on.
fn assert_interrupted(output: &Output, code: i32, command: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    let last: Vec<&str> = stderr.lines().rev().take(2).collect();
    assert!(last[1].starts_with("error: interrupted"), "{stderr}");
    assert_eq!(last[0], format!("hint: go on with: {command}"), "{stderr}");
}

/// Starts and interrupts the same run until it is at its end, and breaks the last line of its metrics on the way.
#[test]
fn an_interrupted_training_says_how_to_go_on_and_goes_on_to_the_same_bits() {
    let place = place();
    place.run_on_adapter(&train("whole", "6")).succeeded();
    let mut arguments = train("run", "6");
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let mut child = place.start(&arguments);
        wait_for_epochs(&mut child, 2);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_interrupted(&output, code, "spinal train --resume run");
        arguments = resume("run");
        for net in NETS {
            assert!(place.path(format!("run/{net}.best.safetensors")).is_file());
        }
        let metrics = place.read("run/metrics.jsonl");
        place.write("run/metrics.jsonl", metrics + "{\"net\":\"spin");
        place.run(&["report", "run"]).succeeded();
    }
    let rest = place.run_on_adapter(&arguments).succeeded();
    assert!(rest.stderr.contains("going on in run, "), "{rest:#?}");
    assert!(!rest.stdout.contains("epoch 1/6"), "{rest:#?}");
    assert!(rest.stdout.contains("epoch 6 "), "the table has all epochs");
    assert_eq!(traces(&place, "run"), traces(&place, "whole"));
    let again = place.run_on_adapter(&resume("run")).succeeded();
    assert!(!again.stdout.contains("epoch 6/6"), "{again:#?}");
    assert_eq!(traces(&place, "run"), traces(&place, "whole"));
}

/// Kills by SIGKILL at random moments, `SPINAL_TEST_KILLS` of them.
#[test]
fn a_killed_training_goes_on_to_the_same_bits() {
    let kills = std::env::var("SPINAL_TEST_KILLS");
    let kills: usize = kills.map_or(4, |kills| kills.parse().unwrap());
    let place = place();
    place.run_on_adapter(&train("whole", "4")).succeeded();
    let expected = traces(&place, "whole");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut random = now.as_nanos() as u64;
    let (mut killed, mut runs, mut within_writing) = (0, 0, 0);
    let mut run = "run-0".to_owned();
    while killed < kills {
        let has_begun = place.path(format!("{run}/config.toml")).is_file();
        if !has_begun {
            // Killed before it had written what it is.
            let _ = fs::remove_dir_all(place.path(&run));
        }
        let arguments = if has_begun {
            resume(&run)
        } else {
            train(&run, "4")
        };
        let mut child = place.start(&arguments);
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut lines = stderr.lines().map(Result::unwrap);
        assert!(lines.any(|line| line.starts_with("device memory")), "{run}");
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(Duration::from_millis(random >> 33 & 0x1ff));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        match status.signal() {
            Some(_) => killed += 1,
            None => {
                assert!(status.success(), "{run}");
                assert_eq!(traces(&place, &run), expected, "{run}");
                runs += 1;
                run = format!("run-{runs}");
                continue;
            }
        }
        let names = place.names(&run);
        within_writing += usize::from(names.iter().any(|name| name.ends_with(".partial")));
    }
    if place.path(format!("{run}/config.toml")).is_file() {
        place.run_on_adapter(&resume(&run)).succeeded();
        assert_eq!(traces(&place, &run), expected, "{run}");
        let names = place.names(&run);
        assert!(
            !names.iter().any(|name| name.ends_with(".partial")),
            "{names:?}"
        );
    }
    println!(
        "{killed} kills, {within_writing} while a file was written, {} runs",
        runs + 1
    );
}

/// The first signal is on its way through the program when the second comes.
#[test]
fn a_second_signal_leaves_at_once_with_files_whole() {
    let place = place();
    let mut child = place.start(&train("run", "1000"));
    wait_for_epochs(&mut child, 2);
    for name in ["STOP", "INT", "TERM", "CONT"] {
        signal(&child, name);
    }
    let output = child.wait_with_output().unwrap();
    assert!(
        [Some(130), Some(143)].contains(&output.status.code()),
        "{output:?}"
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("interrupted"), "{stderr}");
    let config = place.read("run/config.toml");
    place.write(
        "run/config.toml",
        config.replace("epochs = 1000", "epochs = 1001"),
    );
    let mut child = place.start(&resume("run"));
    wait_for_epochs(&mut child, 1);
    signal(&child, "INT");
    assert_interrupted(
        &child.wait_with_output().unwrap(),
        130,
        "spinal train --resume run",
    );
}

#[test]
fn a_closed_terminal_means_nothing_under_nohup() {
    let place = place();
    let mut child = Command::new("sh")
        .args([
            "-c",
            "trap '' HUP; exec \"$@\"",
            "sh",
            env!("CARGO_BIN_EXE_spinal"),
        ])
        .args(train("run", "100000"))
        .args(adapter_flags())
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..6 {
        signal(&child, "HUP");
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.contains("  epoch "), "{line}");
    }
    signal(&child, "INT");
    thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
    let output = child.wait_with_output().unwrap();
    assert_interrupted(&output, 130, "spinal train --resume run");
}

#[test]
fn two_programs_do_not_work_in_one_run() {
    let place = place();
    let mut child = place.start(&train("run", "100000"));
    wait_for_epochs(&mut child, 1);
    place
        .run_on_adapter(&resume("run"))
        .failed(1, "run: another process is working in it");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A run of two epochs that is done.
fn finished(place: &Place) {
    place.run_on_adapter(&train("run", "2")).succeeded();
}

fn with<'a>(run: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
    [&resume(run)[..], flags].concat()
}

#[test]
fn epochs_may_be_raised_and_nothing_else() {
    let place = place();
    finished(&place);
    place.run_on_adapter(&train("whole", "4")).succeeded();
    place
        .run_on_adapter(&with("run", &["--epochs", "1"]))
        .refused(2, "--epochs 1: the run has 2 already");
    let longer = with("run", &["--epochs", "4"]);
    place.run_on_adapter(&longer).succeeded();
    assert_eq!(traces(&place, "run"), traces(&place, "whole"));
    let config: toml::Table = place.read("run/config.toml").parse().unwrap();
    assert_eq!(config["epochs"].as_integer(), Some(4));
    let change = &config["history"].as_array().unwrap()[0];
    assert_eq!(change["place"].as_str(), Some("after epoch 2"));
    assert_eq!(
        change["what"].as_str(),
        Some("epochs = 2, and from here on 4")
    );
}

#[test]
fn a_run_goes_on_under_its_conditions_or_says_that_it_does_not() {
    let place = place();
    finished(&place);
    let refused = |flags: &[&str], what: &str| {
        let flags = [&["--epochs", "3"], flags].concat();
        place.run_on_adapter(&with("run", &flags)).refused(1, what)
    };
    refused(
        &["--checked"],
        "checks = \"trusted\", and here it is \"checked\"",
    );
    let reference = ["--kernels", "reference"];
    refused(
        &reference,
        "kernels = \"default\", and here it is \"reference\"",
    );
    write_digits(&place, "digits", 201, 49);
    refused(&[], "it has data = ");
    refused(&["--resume-anyway"], "it has data = ");
    write_digits(&place, "digits", 200, 50);

    let anyway = ["--epochs", "3", "--checked", "--resume-anyway"];
    let outcome = place.run_on_adapter(&with("run", &anyway)).succeeded();
    let difference = "checks = \"trusted\", and here it is \"checked\"";
    assert!(outcome.stderr.contains(difference), "{outcome:#?}");
    let config: toml::Table = place.read("run/config.toml").parse().unwrap();
    let history = config["history"].as_array().unwrap();
    assert_eq!(history[1]["what"].as_str(), Some(difference));
    // From now on it is a run with checks, and needs not be told.
    let outcome = place.run_on_adapter(&with("run", &["--epochs", "4"]));
    let outcome = outcome.succeeded();
    assert!(!outcome.stderr.contains("not bit for bit"), "{outcome:#?}");
}

/// Each file of a run, changed, is refused by name before anything is trained, and nothing is written.
#[test]
fn a_run_that_is_not_as_it_was_left_is_refused() {
    let place = place();
    finished(&place);
    let refused = |file: &str, bytes: &[u8], what: &str| {
        let sound = fs::read(place.path(file)).unwrap();
        place.write(file, bytes);
        let outcome = place.run_on_adapter(&with("run", &["--epochs", "3"]));
        let outcome = outcome.refused(1, what);
        assert!(
            outcome.stderr.contains(&format!("error: {file}: ")),
            "{outcome:#?}"
        );
        place.write(file, sound);
    };
    let file = "run/config.toml";
    let config = place.read(file);
    refused(file, b"", "missing field");
    refused(
        file,
        config.replace("lr = 0.01", "lr = 0.02").as_bytes(),
        "lr = 0.01, expected lr = 0.02",
    );
    refused(
        file,
        config.replace("seed = 1", "seed = ").as_bytes(),
        "cannot be read",
    );

    let file = "run/checkpoint.safetensors";
    let checkpoint = fs::read(place.path(file)).unwrap();
    let mut damaged = checkpoint.clone();
    *damaged.last_mut().unwrap() ^= 1;
    refused(file, &damaged, "is damaged");
    refused(
        file,
        &checkpoint[..checkpoint.len() / 2],
        "not a whole safetensors file",
    );
    let weights = fs::read(place.path("run/spinal.safetensors")).unwrap();
    refused(file, &weights, "is not a checkpoint of this training");

    let file = "run/metrics.jsonl";
    let metrics = place.read(file);
    let shorter = metrics.trim_end().rsplit_once('\n').unwrap().0;
    refused(
        file,
        format!("{shorter}\n").as_bytes(),
        "not those that were there when the checkpoint was written",
    );
    refused(
        file,
        metrics.replace("\"epoch\":1", "\"epoch\":3").as_bytes(),
        "not those",
    );

    place
        .run(&["train", "--resume", "nosuch"])
        .refused(1, "nosuch/config.toml: cannot be read");
    place
        .run(&["train", "--resume", "digits"])
        .refused(1, "digits/config.toml: cannot be read");
}

#[test]
fn a_run_that_was_killed_before_it_was_saved_starts_over() {
    let place = place();
    finished(&place);
    let whole = traces(&place, "run");
    fs::remove_file(place.path("run/checkpoint.safetensors")).unwrap();
    let outcome = place.run_on_adapter(&resume("run")).succeeded();
    assert!(outcome.stdout.contains("epoch 1/2"), "{outcome:#?}");
    assert_eq!(traces(&place, "run"), whole);
}

/// Runs the program where no file may grow beyond so many blocks of 512 bytes.
fn limited(place: &Place, blocks: u32, arguments: &[&str]) -> Outcome {
    let script = format!("ulimit -f {blocks}; exec \"$@\"");
    let shell = ["sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_spinal")];
    let flags = adapter_flags();
    let flags = flags.iter().map(String::as_str);
    let arguments: Vec<&str> = arguments.iter().copied().chain(flags).collect();
    place.run_program(&[&shell[..], &arguments].concat())
}

/// The weights of a net have 56 or 88 kB, a checkpoint of both 286 kB.
#[test]
fn a_checkpoint_that_cannot_be_written_ends_the_run_and_leaves_the_one_before() {
    let place = place();
    let outcome = limited(&place, 400, &train("small", "2"));
    outcome.failed(
        1,
        "small/checkpoint.safetensors: cannot be written: File too large",
    );
    assert!(!place.path("small/checkpoint.safetensors").exists());

    place.run_on_adapter(&train("whole", "3")).succeeded();
    finished(&place);
    let file = place.path("run/checkpoint.safetensors");
    let before = fs::read(&file).unwrap();
    let longer = with("run", &["--epochs", "3"]);
    let outcome = limited(&place, 400, &longer);
    let outcome = outcome.failed(1, "run/checkpoint.safetensors: cannot be written");
    let way_on = "then go on after epoch 2 with: spinal train --resume run";
    assert!(outcome.stderr.contains(way_on), "{outcome:#?}");
    assert_eq!(fs::read(&file).unwrap(), before);
    place.run_on_adapter(&longer).succeeded();
    assert_eq!(traces(&place, "run"), traces(&place, "whole"));
}

/// The second phase diverges: what the first has made is left, and named.
#[test]
fn a_training_that_diverges_leaves_its_last_sound_epoch() {
    let place = place();
    let schedule = ["--schedule", "phases:0.01x1,1000000x1:keep"];
    let arguments = [&train("run", "2")[..], &schedule].concat();
    let outcome = place.run_on_adapter(&arguments);
    let outcome = outcome.failed(
        1,
        "spinal: the training diverged in epoch 2: the loss of step ",
    );
    let checkpoint = "; the last checkpoint is run/checkpoint.safetensors, ";
    assert!(outcome.stderr.contains(checkpoint), "{outcome:#?}");
    for net in NETS {
        place.evaluate(net, &[]).succeeded();
    }
}

#[test]
fn a_net_that_was_never_trained_has_no_weights() {
    let place = place();
    let arguments = [
        "train", "--data", "digits", "--lr", "1e6", "--epochs", "2", "--out", "run",
    ];
    place
        .run_on_adapter(&arguments)
        .failed(1, "diverged in epoch 1");
    assert_eq!(place.names("run"), ["config.toml", "metrics.jsonl"]);
}
