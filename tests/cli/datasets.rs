//! Data sets from files, folders and servers, as `spinal data` shows them.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{Rgb, RgbImage};
use serde_json::json;

use super::data::{FILES, digits, idx, write_digits};
use super::spinal::{Outcome, Place};
use crate::server::{Reply, Server};

/// Writes a PNG of one colour.
fn write_picture(place: &Place, name: &str, side: u32) {
    let path = place.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let picture = RgbImage::from_pixel(side, side, Rgb([255, 51, 0]));
    picture.save(path).unwrap();
}

/// Two classes in three splits.
fn write_pictures(place: &Place, folder: &str) {
    for split in ["train", "val", "test"] {
        for name in ["ants/1.png", "bees/1.png", "bees/2.png"] {
            write_picture(place, &format!("{folder}/{split}/{name}"), 4);
        }
    }
}

/// A record of CIFAR-100's binary version.
fn cifar100_record(coarse: u8, fine: u8) -> Vec<u8> {
    [vec![coarse, fine], vec![7; 3072]].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_data_set_is_described() {
    let place = Place::new();
    write_digits(&place, "digits", 30, 10);
    let outcome = place.run(&["data", "info", "digits", "--json"]).succeeded();
    let summary = outcome.json();
    assert_eq!(summary["name"], "digits");
    for (key, value) in [
        ("height", 28),
        ("width", 28),
        ("channels", 1),
        ("train", 30),
        ("held_out", 0),
        ("test", 10),
    ] {
        assert_eq!(summary[key], value, "{key}");
    }
    let labels = &digits().labels;
    let classes = summary["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 10);
    for (class, counts) in classes.iter().enumerate() {
        let count = |labels: &[u8]| labels.iter().filter(|&&l| usize::from(l) == class).count();
        assert_eq!(counts["name"], class.to_string());
        assert_eq!(counts["train"], count(&labels[..30]));
        assert_eq!(counts["test"], count(&labels[30..40]));
    }
    let pixels = &digits().pixels.in_memory()[..30 * 784];
    let sum: f64 = pixels.iter().map(|&pixel| f64::from(pixel)).sum();
    let mean = sum / 255.0 / pixels.len() as f64;
    assert!((summary["mean"][0].as_f64().unwrap() - mean).abs() < 1e-9);

    assert_eq!(summary["division"], "as published");
    let text = place.run(&["data", "info", "digits"]).succeeded().stdout;
    assert!(text.starts_with("digits: 28 x 28 grey, 10 classes\n30 training images,"));
    assert_eq!(text.lines().count(), 14);
}

#[test]
fn a_sheet_shows_the_images_of_every_class() {
    let place = Place::new();
    write_digits(&place, "digits", 30, 10);
    let arguments = ["data", "info", "digits", "--sheet", "sheet.png"];
    place.run(&arguments).succeeded();
    let sheet = image::open(place.path("sheet.png")).unwrap().into_luma8();
    assert_eq!(sheet.dimensions(), (280, 280));
    let digits = digits();
    let seven = digits.labels.iter().position(|&label| label == 7).unwrap();
    let image = &digits.pixels.in_memory()[784 * seven..];
    for (at, pixel) in image[..784].iter().enumerate() {
        let found = sheet.get_pixel(at as u32 % 28, 7 * 28 + at as u32 / 28);
        assert_eq!(found.0[0], *pixel);
    }
    let transposed = [&arguments[..4], &["turned.png", "--transposed"]].concat();
    place.run(&transposed).succeeded();
    let turned = image::open(place.path("turned.png")).unwrap().into_luma8();
    for (x, y) in [(3, 201), (20, 210), (14, 215)] {
        assert_eq!(turned.get_pixel(y - 196, 196 + x), sheet.get_pixel(x, y));
    }
    place
        .run(&["data", "info", "digits", "--sheet", "no/such/sheet.png"])
        .refused(1, "sheet.png: cannot be written");
}

#[test]
fn folders_of_pictures_are_described_by_their_names() {
    let place = Place::new();
    write_pictures(&place, "insects");
    let outcome = place
        .run(&["data", "info", "insects", "--json"])
        .succeeded();
    let summary = outcome.json();
    assert_eq!(summary["channels"], 3);
    let counts = ["train", "held_out", "test"].map(|key| summary[key].clone());
    assert_eq!(counts, [json!(3), json!(3), json!(3)]);
    let bees = json!({ "name": "bees", "train": 2, "held_out": 2, "test": 2 });
    assert_eq!(summary["classes"][1], bees);
    assert_eq!(summary["mean"], json!([1.0, 0.2, 0.0]));
    write_picture(&place, "insects/val/ants/large.png", 9);
    place
        .run(&["data", "info", "insects"])
        .refused(1, "large.png: is 9 x 9 pixels, expected 4 x 4");
    let scaled = ["data", "info", "insects", "--image-size", "6", "--json"];
    let summary = place.run(&scaled).succeeded().json();
    assert_eq!(
        (&summary["height"], &summary["held_out"]),
        (&json!(6), &json!(4))
    );
}

/// All pictures are the same, so half of them are told right, unless only one class is left to test on.
#[test]
fn limits_leave_every_class_folder_its_share_and_say_so() {
    let place = Place::new();
    for (split, class) in [
        ("train", "ants"),
        ("train", "bees"),
        ("val", "ants"),
        ("val", "bees"),
    ] {
        for number in 0..6 {
            write_picture(&place, &format!("insects/{split}/{class}/{number}.png"), 4);
        }
    }
    let arguments: Vec<&str> = "train mlp --net baseline --data insects --epochs 1 --seed 3 \
        --limit-train 6 --limit-test 4 --out run"
        .split_whitespace()
        .collect();
    let outcome = place.run_on_adapter(&arguments).succeeded();
    for line in [
        "training on 6 of 12 images: stratified by class, seed 3",
        "testing on 4 of 12 images: stratified by class, seed 0",
    ] {
        assert!(outcome.stderr.contains(line), "{outcome:#?}");
        assert!(outcome.stdout.contains(line), "{outcome:#?}");
    }
    let epoch = place.metrics("run").pop().unwrap();
    assert_eq!(epoch["test_accuracy"], 0.5);

    let report = place.run(&["report", "run"]).succeeded().stdout;
    let limited = "Limited: at most 6 training samples and 4 test samples, not the whole";
    assert!(report.starts_with(limited), "{report}");
    let arguments: Vec<&str> = "eval --weights run/baseline.safetensors --model mlp-baseline \
        --data insects --limit-test 4 --json"
        .split_whitespace()
        .collect();
    let scores = place.run_on_adapter(&arguments).succeeded().json();
    assert_eq!(
        (&scores["total"], &scores["accuracy"]),
        (&json!(4), &json!(0.5))
    );
    let limits = json!(["testing on 4 of 12 images: stratified by class, seed 0"]);
    assert_eq!(scores["limits"], limits);
}

#[test]
fn bad_folders_of_pictures_are_refused() {
    let place = Place::new();
    let info = |folder: &str| place.run(&["data", "info", folder]);
    write_pictures(&place, "text");
    place.write("text/train/bees/notes.txt", "no picture");
    info("text").refused(1, "notes.txt: is not a picture");
    write_pictures(&place, "empty");
    fs::create_dir(place.path("empty/train/wasps")).unwrap();
    info("empty").refused(1, "wasps: has no pictures");
    write_pictures(&place, "cut");
    let picture = fs::read(place.path("cut/test/bees/2.png")).unwrap();
    place.write("cut/test/bees/2.png", &picture[..picture.len() - 20]);
    info("cut").refused(1, "2.png: cannot be decoded");
    write_pictures(&place, "more");
    write_picture(&place, "more/test/wasps/1.png", 4);
    info("more").refused(1, "wasps: is a class that train does not have");
    fs::create_dir(place.path("nothing")).unwrap();
    info("nothing").refused(1, "nothing: holds no data known here");
    write_pictures(&place, "no-train");
    fs::remove_dir_all(place.path("no-train/train")).unwrap();
    info("no-train").refused(1, "no-train: has no train folder");
    info("nosuch").refused(2, "'nosuch'");
    info("text/train/ants/1.png").refused(1, "1.png: is a file");
}

#[cfg(unix)]
#[test]
fn an_unreadable_picture_is_refused() {
    let place = Place::new();
    write_pictures(&place, "insects");
    let path = place.path("insects/val/ants/1.png");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    place
        .run(&["data", "info", "insects"])
        .refused(1, "1.png: cannot be read");
}

#[test]
fn bad_binary_files_are_refused_with_their_offsets() {
    let place = Place::new();
    let info = |folder: &str| place.run(&["data", "info", folder]);
    let sound = cifar100_record(3, 42);
    for (folder, train, what) in [
        ("cut", &sound[..3073], "train.bin: ends at byte 3073"),
        ("long", &[&sound[..], &[0]].concat(), "begins at byte 3074"),
        ("empty", &[], "train.bin: is empty"),
        (
            "coarse",
            &cifar100_record(20, 0),
            "coarse label 20 at byte 0",
        ),
        ("fine", &cifar100_record(0, 100), "fine label 100 at byte 1"),
    ] {
        place.write(&format!("{folder}/train.bin"), train);
        place.write(&format!("{folder}/test.bin"), &sound);
        info(folder).refused(1, what);
    }
    place.write("stl/train_X.bin", vec![0; 27_648]);
    place.write("stl/train_y.bin", [11]);
    info("stl").refused(
        1,
        "train_y.bin: label 11 at byte 0, expected a label from 1 to 10",
    );
    place.write("svhn/train_32x32.mat", "MATLAB?");
    info("./svhn").refused(1, "train_32x32.mat: is shorter than the 128 bytes");
    let outcome = place
        .run_with(&["data", "info", "svhn"], &[("SPINAL_CACHE", "cache")])
        .refused(1, "svhn has not been fetched");
    assert!(outcome.stderr.contains("write ./svhn for the folder"));
    place.write("sheets/data_batch_1.png", "PNG?");
    info("sheets").refused(1, "data_batch_1.png: is not a sound PNG");
}

#[test]
fn label_offsets_are_subtracted_or_refused() {
    let place = Place::new();
    let write = |folder: &str, labels: &[u8]| {
        for split in ["train", "test"] {
            let name = |part: &str| format!("{folder}/emnist-letters-{split}-{part}-ubyte");
            let count = labels.len() as u32;
            let pixels = vec![1; 4 * labels.len()];
            place.write(&name("images-idx3"), idx(&[count, 2, 2], &pixels));
            place.write(&name("labels-idx1"), idx(&[count], labels));
        }
    };
    write("letters", &[1, 26]);
    let info = |flags: &[&str]| {
        let arguments = [&["data", "info", "letters", "--json"], flags].concat();
        place.run(&arguments).succeeded().json()
    };
    let classes = |summary: &serde_json::Value| summary["classes"].as_array().unwrap().len();
    assert_eq!(classes(&info(&[])), 26);
    assert_eq!(classes(&info(&["--label-offset", "0"])), 27);
    write("broken", &[1, 0]);
    place
        .run(&["data", "info", "broken"])
        .refused(1, "label 0 at byte 9, expected a label from 1 to 26");
    place
        .run(&["data", "info", "mnist", "--label-offset", "1"])
        .refused(2, "--label-offset");
}

/// Runs `spinal data fetch` with a cache of its own.
fn fetch(place: &Place, flags: &[&str]) -> Outcome {
    let arguments = [&["data", "fetch"], flags, &["--cache", "cache"]].concat();
    place.run_with(&arguments, &[("SPINAL_MIRROR", "")])
}

#[test]
fn what_the_mirror_does_not_have_as_published_is_not_fetched() {
    let place = Place::new();
    let server = Server::start(|_, _| Reply::Contents(b"something else".to_vec()));
    let mirror = server.url();
    fetch(&place, &["kmnist", "--mirror", &mirror])
        .failed(1, "train-images-idx3-ubyte.gz: has MD5");
    assert_eq!(
        server.requests()[0].path,
        "/kmnist/train-images-idx3-ubyte.gz"
    );
    let gone = Server::start(|_, _| Reply::Status(404));
    let variables = [
        ("SPINAL_MIRROR", gone.url()),
        ("SPINAL_CACHE", "cache".to_owned()),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, &**value));
    place
        .run_with(&["data", "fetch", "svhn"], &variables)
        .failed(1, "svhn/train_32x32.mat: the server answered 404");
    let mut left = place.names("cache");
    left.retain(|name| !name.ends_with(".part") && !name.ends_with(".lock"));
    assert!(left.is_empty(), "{left:?}");
    for part in ["cache/kmnist.part", "cache/svhn.part"] {
        assert!(place.names(part).is_empty());
    }
    let info = ["data", "info", "kmnist", "--cache", "cache"];
    let outcome = place.run(&info).refused(1, "kmnist has not been fetched");
    assert!(outcome.stderr.contains("spinal data fetch kmnist"));
    let train = ["train", "--data", "kmnist"];
    place
        .run_with(&train, &[("SPINAL_CACHE", "cache")])
        .refused(1, "kmnist has not been fetched");
}

#[test]
fn what_cannot_be_fetched_is_refused() {
    let place = Place::new();
    let outcome = fetch(&place, &["nosuch"]).refused(2, "'nosuch'");
    assert!(outcome.stderr.contains("kmnist, qmnist, emnist-digits"));
    let outcome = fetch(&place, &["fruits360"]).refused(2, "fruits360 is not fetched from here");
    assert!(outcome.stderr.contains("Training/CLASS and Test/CLASS"));
    fetch(&place, &["kmnist", "--offline"]).refused(1, "kmnist is not here");
    fetch(&place, &["kmnist", "--mirror", "somewhere"]).failed(2, "--mirror 'somewhere'");
    let outcome = fetch(&place, &["mnist"]).succeeded();
    assert!(outcome.stderr.contains("part of the program"));
}

#[test]
fn what_has_been_fetched_is_used_by_its_name() {
    let place = Place::new();
    let counts = [60_000, 60_000, 10_000, 10_000];
    for (name, count) in FILES.iter().zip(counts) {
        let bytes = match name.contains("images") {
            true => idx(&[count, 28, 28], &vec![0; 784 * count as usize]),
            false => idx(&[count], &vec![9; count as usize]),
        };
        place.write(&format!("cache/kmnist/{name}.gz"), gzip(&bytes));
    }
    let outcome = fetch(&place, &["kmnist", "--offline"]).succeeded();
    assert!(
        outcome.stdout.trim_end().ends_with("kmnist"),
        "{outcome:#?}"
    );
    let info = ["data", "info", "kmnist", "--cache", "cache", "--json"];
    let summary = place.run(&info).succeeded().json();
    assert_eq!(
        (&summary["name"], &summary["test"]),
        (&json!("kmnist"), &json!(10_000))
    );
    assert_eq!(summary["classes"][9]["train"], 60_000);
    write_digits(&place, "cache/kmnist", 3, 2);
    place
        .run(&info)
        .refused(1, "kmnist: holds 3 training images, expected 60000");
}
