//! Folders of photographs: too many for memory, and of different sizes.

use std::fs;
use std::path::PathBuf;

use image::{Rgb, RgbImage};

use super::spinal::{Outcome, Place, adapter_flags};

/// Pictures of two classes, 30 to train and 6 to test on, each a little wider than the one before if they differ.
fn write_photographs(place: &Place, name: &str, differ: bool) {
    for (part, count) in [("train", 15), ("test", 3)] {
        for (class, red) in [("dawn", 200), ("dusk", 60)] {
            let folder = place.path(name).join(part).join(class);
            fs::create_dir_all(&folder).unwrap();
            for index in 0..count {
                let width = 12 + if differ { index } else { 0 };
                let picture = RgbImage::from_fn(width, 12, |x, y| {
                    Rgb([red + index as u8, (9 * x) as u8, (x * y + index) as u8])
                });
                picture
                    .save(folder.join(format!("{index:02}.png")))
                    .unwrap();
            }
        }
    }
}

/// Runs on the adapter under test, with so many bytes of memory for pictures, and a cache of its own.
fn run(place: &Place, memory: &str, arguments: &[&str]) -> Outcome {
    let mut arguments: Vec<String> = arguments.iter().map(|&flag| flag.to_owned()).collect();
    arguments.extend(adapter_flags());
    let cache = place.path("cache");
    let variables = [
        ("SPINAL_MEMORY", memory),
        ("SPINAL_CACHE", cache.to_str().unwrap()),
    ];
    place.run_with(&arguments, &variables)
}

fn train<'a>(run: &'a str, extra: &[&'a str]) -> Vec<&'a str> {
    let all = [
        "train",
        "mlp",
        "--data",
        "photos",
        "--image-size",
        "8",
        "--epochs",
        "2",
        "--batch-size",
        "7",
        "--out",
        run,
    ];
    [&all, extra].concat()
}

fn decoded(place: &Place) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(place.path("cache/pictures")) else {
        return Vec::new();
    };
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn pictures_too_many_for_memory_are_trained_on_from_their_files_bit_for_bit() {
    let place = Place::new();
    write_photographs(&place, "photos", true);
    let selected = ["--validation", "held-out", "--limit-train", "24"];
    run(&place, "1000000", &train("whole", &selected)).succeeded();
    assert!(decoded(&place).is_empty());
    let first = run(&place, "0", &train("first", &selected));
    assert!(
        first.stderr.contains("photos: 30 pictures of 8 x 8 pixels"),
        "{first:#?}"
    );
    assert_eq!(decoded(&place).len(), 2);
    let second = run(&place, "0", &train("second", &selected));
    assert!(!second.stderr.contains("kept decoded"), "{second:#?}");
    for (outcome, name) in [(first, "first"), (second, "second")] {
        outcome.succeeded();
        for net in ["spinal", "baseline"] {
            let weights =
                |run: &str| fs::read(place.path(format!("{run}/{net}.safetensors"))).unwrap();
            assert!(weights(name) == weights("whole"), "{name} {net}");
        }
    }
    let info = |memory| {
        run(
            &place,
            memory,
            &["data", "info", "photos", "--image-size", "8", "--json"],
        )
        .json()
    };
    assert_eq!(info("0"), info("1000000"));
}

#[test]
fn a_damaged_file_of_pictures_is_one_line_and_made_anew() {
    let place = Place::new();
    write_photographs(&place, "photos", true);
    let info = ["data", "info", "photos", "--image-size", "8", "--json"];
    let expected = run(&place, "0", &info).json();
    for path in decoded(&place) {
        let mut bytes = fs::read(&path).unwrap();
        bytes[100] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    run(&place, "0", &info).failed(1, "is damaged: picture 0");
    assert_eq!(run(&place, "0", &info).json(), expected);
}

#[test]
fn memory_that_is_no_number_and_pictures_that_find_no_place_are_refused() {
    let place = Place::new();
    write_photographs(&place, "photos", true);
    run(&place, "much", &train("run", &[])).refused(2, "SPINAL_MEMORY=much");
    fs::write(place.path("cache"), "a file").unwrap();
    run(&place, "0", &train("run", &[])).refused(1, "cannot be written");
    let transposed = [
        "data",
        "info",
        "photos",
        "--image-size",
        "8",
        "--transposed",
    ];
    fs::remove_file(place.path("cache")).unwrap();
    run(&place, "0", &transposed).failed(2, "--transposed: the pictures");
}

/// A transfer takes pictures of different sizes at ImageNet's, and what is done with its weights follows them.
#[test]
fn transfer_scales_pictures_that_differ_and_evaluation_follows() {
    let place = Place::new();
    write_photographs(&place, "photos", true);
    let train = [
        "train",
        "transfer",
        "--weights",
        "none",
        "--data",
        "photos",
        "--net",
        "baseline",
        "--epochs",
        "0",
        "--out",
        "run",
    ];
    let outcome = run(&place, "1000000000", &train).succeeded();
    let note = "photos: pictures differ in size: scaled and cut to 224 x 224 pixels, or as --image-size says";
    assert!(outcome.stderr.contains(note), "{outcome:#?}");
    let weights = [
        "--weights",
        "run/baseline.safetensors",
        "--model",
        "resnet18-baseline",
    ];
    let eval = |data| {
        let arguments = [&["eval"][..], &weights, &["--data", data, "--json"]].concat();
        run(&place, "1000000000", &arguments).json()
    };
    let initial = &place.metrics("run")[0];
    assert_eq!(eval("photos")["loss"], initial["test_loss"]);
    // The same pictures before they were cut: all of one size, but not of the size that was trained on.
    write_photographs(&place, "alike", false);
    let outcome = run(
        &place,
        "1000000000",
        &[
            &["eval"][..],
            &weights,
            &["--data", "alike", "--image-size", "224", "--json"],
        ]
        .concat(),
    );
    assert_eq!(eval("alike"), outcome.json());
}
