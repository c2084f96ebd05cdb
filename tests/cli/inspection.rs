//! The commands that tell and check.

use std::fs;

use super::data::{FILES, write_digits};
use super::spinal::Place;

/// Parameters and multiplications of each network; those of the paper among them.
const NETWORKS: [(&str, u64, u64); 8] = [
    ("mnist-cnn-spinal", 13_818, 472_480),
    ("mnist-cnn-baseline", 21_840, 480_500),
    ("mnist-cnn-spinal-w10", 16_050, 474_700),
    ("mlp-spinal", 133_410, 133_100),
    ("mlp-baseline", 238_510, 238_200),
    ("regression-spinal", 14_301, 14_000),
    ("regression-spinal-tied", 8_801, 14_000),
    ("regression-baseline", 22_001, 21_700),
];

#[test]
fn list_tells_what_every_network_costs() {
    let place = Place::new();
    let text = place.run(&["list"]).succeeded().stdout;
    let json = place.run(&["list", "--json"]).succeeded().json();
    for (model, parameters, multiplications) in NETWORKS {
        let outputs = if model.starts_with("regression") {
            "1"
        } else {
            "10"
        };
        let costs = [parameters, multiplications].map(|cost| cost.to_string());
        let words = [model, &costs[0], &costs[1], outputs];
        let mut lines = text.lines();
        assert!(
            lines.any(|line| line.split_whitespace().eq(words)),
            "{model} in {text}"
        );
        let mut rows = json.as_array().unwrap().iter();
        let row = rows.find(|row| row["model"] == model).unwrap();
        assert_eq!(row["parameters"], parameters);
        assert_eq!(row["multiplications"], multiplications);
    }
    let all = place.run(&["list", "--all", "--json"]).succeeded().json();
    let rows = all.as_array().unwrap();
    assert!(rows.len() > json.as_array().unwrap().len());
    let letters = |row: &&serde_json::Value| row["model"] == "vgg5-spinal" && row["outputs"] == 62;
    assert_eq!(rows.iter().find(letters).unwrap()["parameters"], 3_656_446);
}

#[test]
fn a_conversion_tells_what_it_saves_or_costs() {
    let place = Place::new();
    let convert = |arguments: &[&str]| {
        let arguments = [&["convert"], arguments].concat();
        place.run(&arguments).succeeded().stdout
    };
    let smaller = convert(&["mnist-cnn-baseline"]);
    assert!(smaller.contains("is smaller"), "{smaller}");
    // Groups of 50 of 200 units over halves of 4: 3 x 50 x 50 edges are added and 200 x 4 are lost.
    let larger = convert(&["regression-baseline", "--spinal-width", "50"]);
    assert!(
        larger.contains("LARGER") && larger.contains("28,400"),
        "{larger}"
    );
    let blind = convert(&["mnist-cnn-baseline", "--spinal-depth", "1"]);
    assert!(blind.contains("never sees 160"), "{blind}");
    place
        .run(&["convert", "mnist-cnn-baseline", "--spinal-width", "7"])
        .refused(2, "--spinal-hidden");
    place
        .run(&["convert", "mnist-cnn-spinal"])
        .refused(2, "--spinal-hidden");
}

#[test]
fn converted_weights_are_those_of_the_converted_net() {
    let place = Place::new();
    write_digits(&place, "digits", 30, 20);
    let train = [
        "train", "mlp", "--net", "baseline", "--data", "digits", "--epochs", "1", "--out", "run",
    ];
    place.run_on_adapter(&train).succeeded();
    let convert = [
        "convert",
        "mlp-baseline",
        "--weights",
        "run/baseline.safetensors",
        "--out",
        "spinal.safetensors",
    ];
    place.run(&convert).succeeded();
    let eval = [
        "eval",
        "--weights",
        "spinal.safetensors",
        "--model",
        "mlp-baseline",
        "--data",
        "digits",
        "--json",
    ];
    let score = place.run_on_adapter(&eval).succeeded().json();
    assert_eq!(score["total"], 20);
}

#[test]
fn info_tells_the_adapters_and_which_one_is_used() {
    let place = Place::new();
    let json = place.run(&["info", "--json"]).succeeded().json();
    assert!(!json["reason"].as_str().unwrap().is_empty());
    let adapters = json["adapters"].as_array().unwrap();
    assert!(!adapters.is_empty());
    for (index, adapter) in adapters.iter().enumerate() {
        assert_eq!(adapter["chosen"], index == 0);
        for key in ["name", "backend", "device_type", "driver"] {
            assert!(adapter[key].is_string(), "{key} in {adapter}");
        }
        for key in [
            "max_storage_binding_bytes",
            "max_buffer_bytes",
            "max_storage_buffers",
            "max_workgroup_bytes",
            "max_workgroup_invocations",
        ] {
            assert!(adapter[key].as_u64().unwrap() > 0, "{key} in {adapter}");
        }
        assert!(adapter["features"].is_array() && adapter["subgroup_size"].is_array());
    }
    let text = place.run(&["info"]).succeeded().stdout;
    let name = adapters[0]["name"].as_str().unwrap();
    assert!(text.contains(&format!("* {name}")), "{text}");
}

#[test]
fn plan_tells_every_dispatch_and_the_totals() {
    let place = Place::new();
    for (model, ..) in NETWORKS {
        for flags in [&[][..], &["--evaluate"], &["--batch-size", "1"]] {
            let text = place
                .run(&[&["plan", model], flags].concat())
                .succeeded()
                .stdout;
            let totals = text.lines().last().unwrap();
            assert!(
                totals.contains("dispatches, ") && totals.contains(" FLOP"),
                "{text}"
            );
            let gathers = text
                .lines()
                .filter(|line| line.contains(" gather."))
                .count();
            assert!(gathers >= 1, "{text}");
            let updates = text.lines().any(|line| line.contains("sgd.update"));
            assert_eq!(updates, !flags.contains(&"--evaluate"), "{text}");
        }
    }
}

#[test]
fn a_batch_without_variance_is_refused() {
    let place = Place::new();
    for command in ["plan vgg5-spinal", "tune vgg5-spinal"] {
        let arguments: Vec<&str> = command.split(' ').chain(["--batch-size", "1"]).collect();
        place
            .run(&arguments)
            .refused(2, "--batch-size 1: vgg5-spinal normalises over the batch");
    }
    let evaluate = ["plan", "vgg5-spinal", "--batch-size", "1", "--evaluate"];
    place.run(&evaluate).succeeded();
    let resnet = ["plan", "cifar-resnet18-baseline", "--batch-size", "1"];
    place.run(&resnet).succeeded();
}

#[test]
fn the_universal_approximation_holds_for_every_activation() {
    let place = Place::new();
    let text = place.run_on_adapter(&["universal"]).succeeded().stdout;
    let rows: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(rows.len(), 4, "{text}");
    for (row, activation) in rows.iter().zip(["relu", "leaky-relu", "sigmoid", "tanh"]) {
        assert!(
            row.starts_with(activation) && row.ends_with("yes"),
            "{text}"
        );
    }
}

#[test]
fn packed_data_is_the_data() {
    let place = Place::new();
    write_digits(&place, "idx", 130, 20);
    let outcome = place.run(&["data", "pack", "idx", "sheets"]).succeeded();
    let files = [
        "test-0.png",
        "test-labels.png",
        "train-0.png",
        "train-labels.png",
    ];
    assert_eq!(place.names("sheets"), files);
    assert_eq!(outcome.stdout.lines().count(), 4);
    for (split, sheet, rows) in [(0, "train-0.png", 2), (2, "test-0.png", 1)] {
        let picture = image::open(place.path("sheets").join(sheet))
            .unwrap()
            .into_luma8();
        assert_eq!(picture.dimensions(), (2800, 28 * rows));
        let idx = fs::read(place.path("idx").join(FILES[split])).unwrap();
        for (index, pixel) in idx[16..].iter().enumerate() {
            let (image, y, x) = (index / 784, index / 28 % 28, index % 28);
            let (column, row) = (image % 100, image / 100);
            let found = picture.get_pixel((28 * column + x) as u32, (28 * row + y) as u32);
            assert_eq!(found.0[0], *pixel, "image {image} of {sheet}");
        }
    }
    for (split, sheet) in [(1, "train-labels.png"), (3, "test-labels.png")] {
        let picture = image::open(place.path("sheets").join(sheet))
            .unwrap()
            .into_luma8();
        let idx = fs::read(place.path("idx").join(FILES[split])).unwrap();
        assert_eq!(picture.as_raw()[..], idx[8..]);
    }
    place.run(&["data", "pack", "idx", "sheets"]).succeeded();
    place.write("sheets/test-labels.png", "mine");
    place
        .run(&["data", "pack", "idx", "sheets"])
        .refused(1, "exists with other contents");
}

#[test]
fn runs_are_averaged() {
    let place = Place::new();
    write_digits(&place, "digits", 20, 10);
    for (out, seed) in [("a", "1"), ("b", "2")] {
        let train = [
            "train", "mlp", "--data", "digits", "--epochs", "1", "--seed", seed,
        ];
        place
            .run_on_adapter(&[&train[..], &["--out", out]].concat())
            .succeeded();
    }
    let table = place.run(&["report", "a", "b"]).succeeded().stdout;
    assert!(table.contains("| spinal | 1 | 2 |"), "{table}");
    assert!(table.contains("| baseline | 1 | 2 |"), "{table}");
}

#[test]
fn help_and_version_are_no_errors() {
    let place = Place::new();
    let version = place.run(&["--version"]).succeeded().stdout;
    assert_eq!(
        version.trim(),
        concat!("spinal ", env!("CARGO_PKG_VERSION"))
    );
    let help = place.run(&["train", "--help"]).succeeded().stdout;
    for flag in [
        "--net",
        "--data",
        "--limit-train",
        "--limit-test",
        "--epochs",
        "--batch-size",
        "--optimizer",
        "--lr",
        "--momentum",
        "--seed",
        "--no-shuffle",
        "--no-dropout",
        "--init",
        "--out",
        "--adapter",
        "--backend",
        "--checked",
    ] {
        assert!(help.contains(flag), "{flag} in {help}");
    }
    let nothing: [&str; 0] = [];
    assert!(place.run(&nothing).stderr.contains("Usage: spinal"));
}
