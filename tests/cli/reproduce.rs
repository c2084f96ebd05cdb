//! Reproductions: what they leave, that their numbers follow from their runs, and that they go on where they stopped.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::data::write_digits;
use super::spinal::{Place, adapter_flags};
use super::svg;

const NETS: [&str; 2] = ["spinal", "baseline"];

fn place() -> Place {
    let place = Place::new();
    write_digits(&place, "digits", 100, 50);
    place
}

/// The command for the digits of a place.
fn reproduce<'a>(out: &'a str, epochs: &'a str, seeds: &'a str) -> Vec<&'a str> {
    vec![
        "reproduce",
        "mnist-cnn",
        "--data",
        "digits",
        "--epochs",
        epochs,
        "--seeds",
        seeds,
        "--out",
        out,
    ]
}

fn results(place: &Place, out: &str) -> Value {
    serde_json::from_str(&place.read(&format!("{out}/results.json"))).unwrap()
}

/// The epochs of a net in a run.
fn epochs(place: &Place, run: &str, net: &str) -> Vec<Value> {
    let mut records = place.metrics(run);
    records.retain(|record| record["net"] == net && record.get("test_loss").is_some());
    records
}

fn numbers(values: &Value) -> Vec<f64> {
    let values = values.as_array().unwrap().iter();
    values.map(|value| value.as_f64().unwrap()).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The test accuracy of the first epoch with the highest validation accuracy.
fn validated(epochs: &[Value]) -> f64 {
    let accuracy = |record: &Value, set: &str| record[set].as_f64().unwrap();
    let (mut best, mut tested) = (f64::NEG_INFINITY, f64::NAN);
    for record in epochs {
        if accuracy(record, "validation_accuracy") > best {
            best = accuracy(record, "validation_accuracy");
            tested = accuracy(record, "test_accuracy");
        }
    }
    tested
}

#[test]
fn the_numbers_of_a_fair_reproduction_follow_from_its_runs() {
    let place = place();
    let outcome = place.run_on_adapter(&reproduce("r", "3", "2")).succeeded();
    let files = [
        "conditions.toml",
        "curves.svg",
        "report.md",
        "reproduction.toml",
        "results.json",
        "seed-1",
        "seed-2",
    ];
    assert_eq!(place.names("r"), files);
    let run_files = [
        "baseline.best.safetensors",
        "baseline.safetensors",
        "config.toml",
        "curves.svg",
        "metrics.jsonl",
        "spinal.best.safetensors",
        "spinal.safetensors",
    ];
    assert_eq!(place.names("r/seed-2"), run_files);
    svg::assert_well_formed(&place.read("r/curves.svg"));
    assert!(place.read("r/curves.svg").contains("<polygon"));

    let results = results(&place, "r");
    let case = &results["cases"][0];
    assert_eq!(case["seeds"], serde_json::json!([1, 2]));
    let measured = &case["measures"][0];
    assert_eq!(measured["measure"], "validated-test-accuracy");
    let mut values = BTreeMap::new();
    for (net, found) in NETS.iter().zip(measured["nets"].as_array().unwrap()) {
        assert_eq!(found["net"], *net);
        let runs = ["r/seed-1", "r/seed-2"];
        let expected = runs.map(|run| validated(&epochs(&place, run, net)));
        assert_eq!(numbers(&found["values"]), expected);
        assert_eq!(found["mean"].as_f64().unwrap(), mean(&expected));
        values.insert(*net, expected);
    }
    let comparison = &measured["comparisons"][0];
    let differences = [0, 1].map(|seed| values["spinal"][seed] - values["baseline"][seed]);
    assert_eq!(
        comparison["difference"]["mean"].as_f64().unwrap(),
        mean(&differences)
    );
    let statement = comparison["statement"].as_str().unwrap();
    let report = place.read("r/report.md");
    for text in [
        statement,
        "13,818",
        "472,480",
        "[?]",
        "fair: the epoch is selected",
        "--epochs 3 --seeds 2",
        results["devices"][0].as_str().unwrap(),
        results["date"].as_str().unwrap(),
    ] {
        assert!(report.contains(text), "no `{text}` in {report}");
    }
    assert!(outcome.stdout.contains(&report), "{outcome:#?}");
}

#[test]
fn the_authors_protocol_selects_by_the_test_set() {
    let place = place();
    let mut arguments = reproduce("r", "3", "1");
    arguments.extend(["--protocol", "authors"]);
    place.run_on_adapter(&arguments).succeeded();
    let results = results(&place, "r");
    let measured = &results["cases"][0]["measures"][0];
    assert_eq!(measured["measure"], "highest-test-accuracy");
    for (index, net) in NETS.iter().enumerate() {
        let records = epochs(&place, "r/seed-1", net);
        let accuracies = records
            .iter()
            .map(|record| record["test_accuracy"].as_f64().unwrap());
        let highest = accuracies.fold(0.0, f64::max);
        assert_eq!(numbers(&measured["nets"][index]["values"]), [highest]);
        assert!(
            records
                .iter()
                .all(|record| record.get("validation_loss").is_none())
        );
    }
    let statement = measured["comparisons"][0]["statement"].as_str().unwrap();
    assert!(
        statement.starts_with("one seed: no statement"),
        "{statement}"
    );
}

#[test]
fn a_limited_reproduction_says_so_beside_the_papers_numbers() {
    let place = place();
    let mut arguments = reproduce("r", "1", "1");
    arguments.extend(["--limit-train", "90", "--limit-test", "40"]);
    let outcome = place.run_on_adapter(&arguments).succeeded();
    let line = "testing on 40 of 50 images: the first";
    assert!(outcome.stderr.contains(line), "{outcome:#?}");
    let results = results(&place, "r");
    assert_eq!(
        (&results["limit_train"], &results["limit_test"]),
        (&90.into(), &40.into())
    );
    let line = "\n- limited: at most 90 training samples and 40 test samples, not the whole";
    let report = place.read("r/report.md");
    assert!(report.contains(line), "{report}");
}

#[test]
fn regression_is_measured_as_in_the_paper_and_on_samples_of_its_own() {
    let place = Place::new();
    let arguments = [
        "reproduce",
        "regression",
        "--protocol",
        "authors",
        "--epochs",
        "3",
        "--seeds",
        "1",
        "--out",
        "r",
    ];
    place.run_on_adapter(&arguments).succeeded();
    let results = results(&place, "r");
    let functions = ["sum", "sin-sum", "product", "sin-product"];
    for (case, function) in results["cases"].as_array().unwrap().iter().zip(functions) {
        assert_eq!(case["data"], function);
        let run = format!("r/{function}/seed-1");
        let last_batches = place.metrics(&run).into_iter().filter(|record| {
            // 1000 samples in batches of 64: 16 steps an epoch.
            record["net"] == "spinal" && record["step"].as_u64().is_some_and(|step| step % 16 == 0)
        });
        let losses: Vec<f64> = last_batches
            .map(|record| record["loss"].as_f64().unwrap())
            .collect();
        assert_eq!(losses.len(), 3);
        let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let measured = &case["measures"][0];
        assert_eq!(measured["measure"], "lowest-last-batch-loss");
        let found = numbers(&measured["nets"][0]["values"])[0];
        assert_eq!(found as f32, lowest as f32);
        let last = epochs(&place, &run, "spinal").pop().unwrap();
        assert_eq!(
            case["measures"][1]["nets"][0]["values"][0],
            last["test_loss"]
        );
    }
    assert_eq!(results["cases"].as_array().unwrap().len(), 4);
}

#[test]
fn a_finished_reproduction_trains_nothing_again_and_can_be_extended() {
    let place = place();
    place.run_on_adapter(&reproduce("r", "1", "1")).succeeded();
    let first = place.read("r/seed-1/metrics.jsonl");
    let again = place.run_on_adapter(&reproduce("r", "1", "1")).succeeded();
    assert!(!again.stdout.contains("epoch 1/1"), "{again:#?}");
    assert!(
        again.stdout.contains("one seed: no statement"),
        "{again:#?}"
    );

    let more = place.run_on_adapter(&reproduce("r", "1", "2")).succeeded();
    assert_eq!(
        more.stdout.matches("spinal  epoch 1/1").count(),
        1,
        "{more:#?}"
    );
    assert_eq!(place.read("r/seed-1/metrics.jsonl"), first);
    assert_eq!(
        results(&place, "r")["cases"][0]["seeds"],
        serde_json::json!([1, 2])
    );

    let report = ["report", "r/seed-1", "r/seed-2"];
    let report = place.run(&report).succeeded();
    assert!(report.stdout.contains("| spinal | 1 | 2 |"), "{report:#?}");

    place
        .run_on_adapter(&reproduce("r", "2", "2"))
        .refused(1, "epochs = 1, and this one has epochs = 2");
    let mut other = reproduce("r", "1", "2");
    other.extend(["--limit-train", "90"]);
    place.run_on_adapter(&other).refused(1, "limit_train");
}

#[test]
fn a_reproduction_goes_on_under_its_conditions_only() {
    let place = place();
    place.run_on_adapter(&reproduce("r", "1", "1")).succeeded();
    let go_on = |flags: &[&'static str]| {
        let arguments = [&reproduce("r", "1", "2")[..], flags].concat();
        place.run_on_adapter(&arguments)
    };
    go_on(&["--checked"]).refused(1, "checks = \"trusted\", and here it is \"checked\"");
    let reference = ["--kernels", "reference"];
    go_on(&reference).refused(1, "kernels = \"default\", and here it is \"reference\"");

    let sound = place.read("r/conditions.toml");
    let adapter = sound.replace("adapter = \"", "adapter = \"another ");
    place.write("r/conditions.toml", adapter);
    go_on(&[]).refused(
        1,
        "r/conditions.toml: would not go on bit for bit: it has adapter = ",
    );
    fs::remove_file(place.path("r/conditions.toml")).unwrap();
    go_on(&[]).refused(1, "r/conditions.toml: is missing");
    place.write("r/conditions.toml", &sound);
    write_digits(&place, "digits", 101, 49);
    go_on(&[]).refused(1, "data = ");
    write_digits(&place, "digits", 100, 50);
    go_on(&[]).succeeded();
    assert_eq!(place.read("r/conditions.toml"), sound);
}

/// The second seed finds an empty cache, and takes what was measured for the first.
#[test]
fn measured_kernels_stay_the_same_for_all_seeds() {
    let place = place();
    let seeds = |count, cache: &str| {
        let mut arguments = reproduce("r", "1", count);
        arguments.extend(["--net", "baseline", "--kernels", "tuned"]);
        let mut arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
        arguments.extend(adapter_flags());
        place
            .run_with(&arguments, &[("SPINAL_CACHE", cache)])
            .succeeded()
    };
    let first = seeds("1", "first");
    assert!(first.stderr.contains("measuring"), "{first:#?}");
    let conditions = place.read("r/conditions.toml");
    assert!(conditions.contains("[winners]"), "{conditions}");
    let second = seeds("2", "second");
    assert!(!second.stderr.contains("measuring"), "{second:#?}");
    assert!(!place.path("second").exists());
    assert_eq!(place.read("r/conditions.toml"), conditions);
}

#[test]
fn what_cannot_be_reproduced_is_refused() {
    let place = place();
    place.run(&["reproduce", "nosuch"]).refused(2, "nosuch");
    place
        .run(&["reproduce", "mlp", "--net", "nosuch"])
        .refused(2, "nosuch");
    place
        .run(&["reproduce", "mlp", "--validation", "none"])
        .refused(2, "--validation");
    place
        .run(&["reproduce", "mlp", "--epochs", "0"])
        .refused(2, "--epochs 0");
    place
        .run(&["reproduce", "mlp", "--head", "linear"])
        .refused(2, "--head");
    place
        .run(&["reproduce", "mlp", "--seeds", "0"])
        .misused("--seeds");
    place
        .run(&["reproduce", "mlp", "--protocol", "nosuch"])
        .misused("--protocol");
    place
        .run_on_adapter(&["reproduce", "mlp", "--data", "nosuch"])
        .refused(2, "no data set");
    place
        .run(&["reproduce", "mlp", "--out", "digits"])
        .refused(1, "not empty");
}

/// What a run leaves that does not differ from time to time.
fn traces(place: &Place, run: &str) -> (Vec<Value>, Vec<Vec<u8>>) {
    let mut records = place.metrics(run);
    for record in &mut records {
        let record = record.as_object_mut().unwrap();
        record.remove("seconds");
        record.remove("images_per_second");
    }
    let weights = NETS.map(|net| fs::read(place.path(format!("{run}/{net}.safetensors"))).unwrap());
    (records, weights.into())
}

/// Waits until the state of the training is on disk.
fn wait_for_state(place: &Place, child: &mut std::process::Child) {
    let state = place.path("r/seed-1.unfinished/checkpoint.safetensors");
    while !state.is_file() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended too early");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_killed_reproduction_goes_on_to_the_same_bits() {
    let place = place();
    let arguments = |out| reproduce(out, "40", "1");
    let mut child = place.start(&arguments("r"));
    wait_for_state(&place, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.path("r/seed-1").exists());

    let rest = place.run_on_adapter(&arguments("r")).succeeded();
    assert!(
        rest.stderr.contains("going on in r/seed-1.unfinished"),
        "{rest:#?}"
    );
    assert!(!rest.stdout.contains("epoch 1/40"), "{rest:#?}");
    assert_eq!(place.names("r/seed-1").len(), 7);
    place.run_on_adapter(&arguments("whole")).succeeded();
    assert_eq!(traces(&place, "r/seed-1"), traces(&place, "whole/seed-1"));
}

/// Of a killed seed each file, changed, is refused before anything is trained.
#[test]
fn a_seed_that_is_not_as_it_was_left_is_refused() {
    let place = place();
    let arguments = reproduce("r", "40", "1");
    let mut child = place.start(&arguments);
    wait_for_state(&place, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let refused = |file: &str, bytes: Vec<u8>, what: &str| {
        let path = format!("r/seed-1.unfinished/{file}");
        let sound = fs::read(place.path(&path)).unwrap();
        place.write(&path, bytes);
        let what = format!("{path}: {what}");
        place.run_on_adapter(&arguments).refused(1, &what);
        place.write(&path, sound);
    };
    refused("config.toml", b"seed = ".to_vec(), "cannot be read");
    let config = place.read("r/seed-1.unfinished/config.toml");
    let other = config.replace("momentum = 0.5", "momentum = 0.25");
    refused(
        "config.toml",
        other.into(),
        "is not a checkpoint of this training",
    );
    // Each net has the first epoch, and the last of their lines is not there.
    let metrics = place.read("r/seed-1.unfinished/metrics.jsonl");
    let end = metrics.find("\"epoch\":2,").unwrap_or(metrics.len());
    let first_epoch = metrics[..end].rsplit_once('\n').unwrap().0;
    let without_last_net = first_epoch.rsplit_once('\n').unwrap().0;
    refused("metrics.jsonl", without_last_net.into(), "its first ");
    place.run_on_adapter(&arguments).succeeded();
}

#[test]
fn a_finished_seed_without_its_last_epoch_is_told() {
    let place = place();
    place.run_on_adapter(&reproduce("r", "2", "1")).succeeded();
    let metrics = place.read("r/seed-1/metrics.jsonl");
    let shorter = metrics.trim_end().rsplit_once('\n').unwrap().0;
    place.write("r/seed-1/metrics.jsonl", shorter);
    place
        .run_on_adapter(&reproduce("r", "2", "1"))
        .refused(1, "r/seed-1/metrics.jsonl: epoch 2 of baseline is missing");
}

/// One process is in the midst of the first seed while another does the second.
#[cfg(unix)]
#[test]
fn two_processes_share_the_seeds_of_a_reproduction() {
    let place = place();
    let mut child = place.start(&reproduce("r", "40", "1"));
    wait_for_state(&place, &mut child);
    let signal = |name: &str| {
        let kill = std::process::Command::new("kill")
            .args([&format!("-{name}"), &child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
    };
    signal("STOP");
    place
        .run_on_adapter(&reproduce("r", "40", "2"))
        .failed(1, "r/seed-1.unfinished: another process is working in it");
    assert_eq!(
        results(&place, "r")["cases"][0]["seeds"],
        serde_json::json!([2])
    );
    signal("CONT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let seeds = serde_json::json!([1, 2]);
    assert_eq!(results(&place, "r")["cases"][0]["seeds"], seeds);
}

#[cfg(unix)]
#[test]
fn control_c_tells_how_to_go_on_and_nobody_else_may_meanwhile() {
    let place = place();
    let arguments = reproduce("r", "100000", "1");
    let mut child = place.start(&arguments);
    wait_for_state(&place, &mut child);
    place
        .run_on_adapter(&arguments)
        .failed(1, "another process is working in it");
    let kill = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    let last: Vec<&str> = stderr.lines().rev().take(2).collect();
    assert!(last[1].starts_with("error: interrupted"), "{stderr}");
    let hint = "hint: repeat the command to go on: spinal reproduce mnist-cnn --data digits";
    assert!(last[0].starts_with(hint), "{stderr}");
}
