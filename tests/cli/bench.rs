//! `spinal bench`: what it prints and refuses. Nothing here says how long anything may take.

use std::process::Command;

use serde_json::Value;

use super::spinal::{Outcome, Place};

/// Runs `spinal bench` on the adapter under test.
fn bench(place: &Place, arguments: &str) -> Outcome {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    place.run_on_adapter(&[&["bench"], &arguments[..]].concat())
}

/// The report of `spinal bench .. --json`.
fn report(place: &Place, arguments: &str) -> Value {
    bench(place, &format!("{arguments} --json"))
        .succeeded()
        .json()
}

/// Asserts that a report tells where and how it was measured, and gives its name.
fn assert_conditions(report: &Value, bench: &str) {
    assert_eq!(report["bench"], bench);
    for field in ["adapter", "driver", "checks", "warm_up", "date", "clock"] {
        assert!(
            !report[field].as_str().unwrap().is_empty(),
            "{field}: {report}"
        );
    }
    assert_eq!(report["checks"], "trusted");
}

fn is_timing(value: &Value) -> bool {
    let (min, median) = (value["min"].as_f64(), value["median"].as_f64());
    min.is_some_and(|min| min > 0.0) && median >= min
}

/// Asserts that every row was right, and has a time and both ceilings.
fn assert_rows(report: &Value) {
    let rows = report["rows"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        assert!(is_timing(&row["ms"]), "{row}");
        assert!(row.get("wrong").is_none(), "{row}");
        assert!(row["bytes"].as_u64() > Some(0), "{row}");
        assert!(row["of_copy_ceiling"].as_f64() > Some(0.0), "{row}");
        assert!(row["of_product_ceiling"].as_f64() >= Some(0.0), "{row}");
    }
    assert!(report["ceilings"]["gflops"].as_f64() > Some(0.0));
}

#[test]
fn steps_are_timed() {
    let place = Place::new();
    let report = report(
        &place,
        "step mlp-spinal --batch-size 2 --runs 1 --dispatches",
    );
    assert_conditions(&report, "step");
    assert_eq!(report["model"], "mlp-spinal");
    assert_eq!(report["batch_size"], 2);
    assert_eq!(report["runs"], 1);
    assert!(is_timing(&report["train_step_ms"]), "{report}");
    assert!(is_timing(&report["inference_ms"]), "{report}");
    assert!(is_timing(&report["encode_us_per_dispatch"]), "{report}");
    assert!(report["device_bytes"].as_u64() > Some(0));
    let shares = report["shares"].as_array().unwrap();
    assert_eq!(report["dispatches"], shares.len());
    let sum: f64 = shares
        .iter()
        .map(|share| share["share"].as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    if report["clock"] == "device" {
        assert!(is_timing(&report["device_train_step_ms"]), "{report}");
    }
}

#[test]
fn shares_are_grouped_and_sorted() {
    let place = Place::new();
    for (grouping, member) in [("layer", "optimizer"), ("kernel", "sgd.update")] {
        let arguments =
            format!("step mlp-baseline --batch-size 2 --runs 1 --dispatches={grouping}");
        let report = report(&place, &arguments);
        let shares = report["shares"].as_array().unwrap();
        assert!(
            shares.iter().any(|share| share["name"] == member),
            "{report}"
        );
        let part = |share: &Value| share["share"].as_f64().unwrap();
        assert!(shares.is_sorted_by(|a, b| part(a) >= part(b)), "{report}");
        let dispatches = shares
            .iter()
            .map(|share| share["dispatches"].as_u64().unwrap());
        assert_eq!(report["dispatches"], dispatches.sum::<u64>());
    }
    let text = bench(
        &place,
        "step mlp-baseline --batch-size 2 --runs 1 --dispatches",
    );
    assert!(text.succeeded().stdout.contains("sgd.update"));
}

#[test]
fn a_trace_has_every_dispatch_on_the_device_and_the_host_beside_it() {
    let place = Place::new();
    let arguments = "step mlp-spinal --batch-size 2 --runs 1 --trace trace.json";
    let report = report(&place, arguments);
    let trace: Value = serde_json::from_str(&place.read("trace.json")).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let spans = |track: u64| {
        let complete = events.iter().filter(|event| event["ph"] == "X");
        complete.filter(move |event| event["tid"] == track)
    };
    let host: Vec<&Value> = spans(1).map(|event| &event["name"]).collect();
    assert_eq!(host, ["encode", "submit", "wait"]);
    assert_eq!(report["dispatches"], spans(2).count());
    for event in spans(2) {
        assert!(event["dur"].as_f64() >= Some(0.0), "{event}");
        assert!(event["args"]["kernel"].is_string(), "{event}");
    }
    assert_eq!(place.names(""), ["trace.json"]);
}

#[test]
fn operations_are_checked_and_timed() {
    let place = Place::new();
    let ops = report(
        &place,
        "ops linear --model mlp-baseline --batch-size 3 --runs 1",
    );
    assert_conditions(&ops, "ops");
    assert_rows(&ops);
    let rows = ops["rows"].as_array().unwrap().iter();
    let kernels: Vec<&str> = rows.map(|row| row["kernels"].as_str().unwrap()).collect();
    assert!(
        kernels.iter().all(|kernel| kernel.contains("linear")),
        "{kernels:?}"
    );
    let gemm = report(&place, "gemm --sizes 9,5x17x3 --runs 1");
    assert_conditions(&gemm, "gemm");
    assert_rows(&gemm);
    assert_eq!(gemm["rows"].as_array().unwrap().len(), 12);
}

#[test]
fn spinal_heads_are_timed_both_ways() {
    let place = Place::new();
    let report = report(&place, "spinal --batch-size 3 --runs 1");
    assert_conditions(&report, "spinal");
    assert_rows(&report);
    assert_eq!(report["rows"].as_array().unwrap().len(), 6);
}

#[test]
fn batches_grow() {
    let place = Place::new();
    let sweep = |model: &str| report(&place, &format!("sweep {model} --largest 4 --runs 1"));
    let sizes = |report: &Value| -> Vec<u64> {
        let rows = report["rows"].as_array().unwrap().iter();
        rows.map(|row| row["batch_size"].as_u64().unwrap())
            .collect()
    };
    let plain = sweep("regression-baseline");
    assert_conditions(&plain, "sweep");
    assert_eq!(sizes(&plain), [1, 2, 4]);
    // Its batch normalisation needs two samples.
    assert_eq!(sizes(&sweep("custom-spinal --spinal-bn true")), [2, 4]);
}

#[test]
fn first_steps_are_timed_in_processes_of_their_own() {
    let place = Place::new();
    let report = report(&place, "cold regression-baseline --batch-size 2 --runs 1");
    assert_conditions(&report, "cold");
    assert!(report["pipelines"].as_u64() > Some(3), "{report}");
    let rows = report["rows"].as_array().unwrap();
    let names: Vec<&Value> = rows.iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["cache empty", "cache full"]);
    assert!(rows.iter().all(|row| is_timing(&row["first_step_ms"])));
}

#[test]
fn reports_are_compared_with_older_ones() {
    let place = Place::new();
    let gemm = |sizes: &str| format!("gemm --sizes {sizes} --runs 1");
    let old = bench(&place, &format!("{} --json", gemm("4,5")))
        .succeeded()
        .stdout;
    place.write("old.json", old);
    let compare = |sizes: &str| bench(&place, &format!("{} --compare old.json", gemm(sizes)));
    let text = compare("4").succeeded().stdout;
    assert!(text.contains("rows: linear 4x4x4 forward: ms"), "{text}");
    assert!(
        text.contains("only in the old report: rows: linear 5x5x5 forward"),
        "{text}"
    );
    assert!(!text.contains("not the same"), "{text}");

    let other = place
        .read("old.json")
        .replace("\"driver\":\"", "\"driver\":\"other ");
    place.write("old.json", other);
    let text = compare("4").succeeded().stdout;
    assert!(text.contains("not the same driver"), "{text}");

    place.write("text.json", "no JSON");
    place.write("else.json", "{}");
    for name in ["text.json", "else.json", "missing.json"] {
        let arguments = ["bench", "gemm", "--compare", name];
        place.run(&arguments).refused(1, name);
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let place = Place::new();
    for command in ["step", "sweep", "cold", "peers"] {
        place
            .run(&["bench", command, "nosuch"])
            .refused(2, "nosuch");
    }
    bench(&place, "ops --model nosuch").refused(2, "nosuch");
    let trace = [
        "bench",
        "step",
        "mlp-spinal",
        "--trace",
        "missing/trace.json",
    ];
    place.run(&trace).refused(1, "missing/trace.json");
    place
        .run(&["bench", "step", "mlp-spinal", "--trace", "."])
        .refused(1, "cannot be written");
    place
        .run(&["bench", "gemm", "--sizes", "0"])
        .misused("--sizes");
    place
        .run(&["bench", "step", "mlp-spinal", "--runs", "0"])
        .misused("--runs");
    bench(&place, "step vgg5-spinal --batch-size 1").refused(2, "--batch-size 1");
    bench(&place, "ops nosuchkernel").refused(2, "nosuchkernel");
}

#[test]
fn a_python_without_pytorch_is_refused() {
    let place = Place::new();
    let outcome = bench(&place, "peers regression-baseline --python nosuch/python");
    let outcome = outcome.refused(2, "--python nosuch/python");
    assert!(outcome.stderr.contains("pip install torch"), "{outcome:#?}");
}

/// The script answers as the program expects, if this machine has PyTorch: `SPINAL_TEST_PYTHON`, or `python3`.
#[test]
fn pytorch_takes_turns_where_there_is_one() {
    let python = std::env::var("SPINAL_TEST_PYTHON").unwrap_or("python3".to_owned());
    let import = Command::new(&python).args(["-c", "import torch"]).output();
    if !import.is_ok_and(|output| output.status.success()) {
        return;
    }
    let place = Place::new();
    let peers = |model: &str| {
        let arguments = format!(
            "peers {model} --batch-size 2 --rounds 1 --threads 1 --torch-device cpu --python {python}"
        );
        bench(&place, &format!("{arguments} --json"))
    };
    for model in ["regression-spinal", "mnist-cnn-baseline"] {
        let report = peers(model).succeeded().json();
        assert_conditions(&report, "peers");
        let peer = &report["peers"][0];
        assert_eq!(peer["name"], "pytorch cpu");
        for field in ["train_step_ms", "inference_ms"] {
            assert!(
                is_timing(&report[field]) && is_timing(&peer[field]),
                "{report}"
            );
        }
        assert!(peer["train_ratio"].as_f64() > Some(0.0), "{report}");
    }
    peers("arch2-spinal").refused(2, "arch2-spinal");
}
