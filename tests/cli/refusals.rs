//! Everything that can be wrong with flags and files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use image::{GrayImage, ImageFormat, Luma};
use spinalnet::checkpoint::{self, NamedTensor};
use spinalnet::models::{self, ModelOptions};

use super::data::{FILES, idx, write_digits, write_patterns};
use super::spinal::{Outcome, Place};

/// Random weights of a model as tensors.
fn weights_of(model: &str) -> Vec<NamedTensor> {
    let model = models::build(model, ModelOptions::default()).unwrap();
    let flat = models::initial_values(&model.parameters, 1);
    models::named_weights(&model.parameters, &flat)
}

fn save(path: &Path, tensors: &[NamedTensor]) {
    checkpoint::save(path, tensors, &BTreeMap::new()).unwrap();
}

#[test]
fn names_that_do_not_exist_are_refused_with_those_that_do() {
    let place = Place::new();
    let hint = |arguments: &[&str], hint: &str| {
        let outcome = place.run(arguments).refused(2, "nosuch");
        assert!(outcome.stderr.contains(hint), "{outcome:#?}");
    };
    hint(
        &["train", "nosuch"],
        "mnist-cnn, mnist-cnn-ablations, arch2",
    );
    hint(&["train", "--net", "nosuch"], "spinal, baseline");
    hint(&["train", "--data", "nosuch"], "mnist, fashion-mnist");
    hint(&["train", "regression", "--data", "nosuch"], "sin-product");
    // Of many names those that are most like it.
    let model = |arguments: &[&str]| {
        let outcome = place.run(arguments).refused(2, "resnet18-spina");
        assert!(outcome.stderr.contains("resnet18-spinal,"), "{outcome:#?}");
    };
    model(&["plan", "resnet18-spina"]);
    model(&["eval", "--weights", "x", "--model", "resnet18-spina"]);
    model(&[
        "predict",
        "--weights",
        "x",
        "--model",
        "resnet18-spina",
        "x.png",
    ]);
    place
        .run(&["train", "--data", ""])
        .refused(2, "no data set");
    place
        .run(&["train", "regression", "--data", "mnist"])
        .refused(2, "mnist");
    place
        .run(&["train", "mlp", "--data", "sum"])
        .refused(2, "sum");
    place.run(&["nosuch"]).misused("nosuch");
    place.run(&["train", "--nosuch"]).misused("--nosuch");
    place
        .run(&["train", "--optimizer", "nosuch"])
        .misused("adam");
    place
        .run(&["train", "--backend", "nosuch"])
        .misused("vulkan");
}

#[test]
fn numbers_out_of_range_are_refused() {
    let place = Place::new();
    for (flag, value) in [
        ("--limit-train", "0"),
        ("--limit-test", "0"),
        ("--limit-train", "4294967296"),
        ("--batch-size", "0"),
        ("--batch-size", "1000000000"),
        ("--batch-size", "64.5"),
        ("--micro-batch", "0"),
        ("--micro-batch", "8193"),
        ("--epochs", "-1"),
        ("--epochs", "18446744073709551615"),
        ("--seed", "9223372036854775808"),
        ("--seed", "one"),
        ("--lr", "fast"),
        ("--patience", "0"),
        ("--nesterov", "perhaps"),
        ("--validation", "some"),
        ("--normalize", "imagenet2"),
    ] {
        let argument = format!("{flag}={value}");
        place.run(&["train", &argument]).misused(flag);
    }
    for (flag, value) in [
        ("--lr", "nan"),
        ("--lr", "inf"),
        ("--lr", "-inf"),
        ("--lr", "-1"),
        ("--lr", "-1e-3"),
        ("--lr", "1e300"),
        ("--momentum", "-0.1"),
        ("--momentum", "1.5"),
        ("--momentum", "NaN"),
        ("--weight-decay", "-1"),
        ("--weight-decay", "2"),
        ("--clip-norm", "0"),
        ("--clip-norm", "-1"),
        ("--clip-norm", "inf"),
    ] {
        let argument = format!("{flag}={value}");
        place.run(&["train", &argument]).refused(2, flag);
    }
    place.run(&["train", "--lr", "-1"]).refused(2, "--lr -1");
    let adam = ["train", "--optimizer", "adam", "--momentum", "0.5"];
    place.run(&adam).refused(2, "--momentum");
    place
        .run(&["train", "regression", "--momentum", "0"])
        .refused(2, "--momentum");
    place
        .run(&["plan", "mlp-spinal", "--batch-size", "0"])
        .misused("--batch-size");
    place
        .run(&["universal", "--splits", "0"])
        .refused(2, "--splits");
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let place = Place::new();
    for (flags, what) in [
        ("--optimizer adam --nesterov", "--nesterov"),
        ("--optimizer adamw --momentum 0.9", "--momentum"),
        (
            "--momentum 0 --nesterov",
            "--nesterov: there is no momentum",
        ),
        ("--epochs 0 --patience 3", "--patience"),
        ("--epochs 0 --reload-best", "--reload-best"),
        ("--schedule linear", "--schedule linear: there is no such"),
        ("--schedule step:7", "--schedule step:7"),
        ("--schedule random:3", "--schedule random:3"),
        ("--schedule phases:0.1x2:fresh --lr 1", "--lr: the phases"),
        (
            "--schedule phases:0.1x2,0.01x3:fresh --epochs 6",
            "--epochs 6: the phases of the schedule end after 5",
        ),
    ] {
        let arguments = [vec!["train"], flags.split(' ').collect()].concat();
        let outcome = place.run(&arguments).refused(2, what);
        let hint = outcome.stderr.lines().last().unwrap();
        let about_schedule = what.starts_with("--schedule");
        assert_eq!(hint.contains("divide:FACTOR"), about_schedule, "{hint}");
    }
    let normalize = ["train", "regression", "--normalize", "half"];
    place.run(&normalize).refused(2, "--normalize");
    write_digits(&place, "digits", 3, 2);
    let colours = ["train", "--data", "digits", "--normalize", "cifar"];
    place.run(&colours).refused(2, "--normalize");
    write_digits(&place, "one", 1, 2);
    let nothing_left = ["train", "--data", "one", "--validation", "held-out"];
    place
        .run_on_adapter(&nothing_left)
        .refused(2, "--validation");
}

/// The folder is looked at before the data and the device are.
#[test]
fn a_run_folder_in_use_is_refused_at_once() {
    let place = Place::new();
    place.write("full/notes.txt", "mine");
    let arguments = ["train", "--data", "nosuch", "--out", "full"];
    place.run(&arguments).refused(1, "exists and is not empty");
}

#[test]
fn broken_data_folders_are_refused_by_file() {
    let place = Place::new();
    let train = |folder: &str| place.run(&["train", "--data", folder]);
    write_digits(&place, "sound", 3, 2);
    for name in FILES {
        let sound = fs::read(place.path("sound").join(name)).unwrap();
        let variant = |kind: &str, bytes: Option<&[u8]>| {
            write_digits(&place, kind, 3, 2);
            let file = place.path(kind).join(name);
            match bytes {
                Some(bytes) => fs::write(file, bytes).unwrap(),
                None => fs::remove_file(file).unwrap(),
            }
            train(kind).refused(1, name);
        };
        variant("missing", None);
        variant("empty", Some(&[]));
        variant("truncated", Some(&sound[..sound.len() - 1]));
        variant("headless", Some(&sound[..6]));
        variant("long", Some(&[&sound[..], &[0]].concat()));
        variant("foreign", Some(b"\x89PNG\r\n\x1a\n and so on and so on"));
        variant("gzip", Some(b"\x1f\x8b\x08\x00 and no more"));
    }
    write_digits(&place, "few-labels", 3, 2);
    place.write("few-labels/train-labels-idx1-ubyte", idx(&[2], &[0, 1]));
    train("few-labels").refused(1, "2 labels");
    place.write("file", "not a folder");
    train("file").refused(1, "is a file");
    fs::create_dir(place.path("nothing")).unwrap();
    train("nothing").refused(1, "train-images");
}

#[test]
fn a_damaged_label_makes_no_classes() {
    let place = Place::new();
    let mut labels: Vec<u8> = (0..20).map(|index| index % 10).collect();
    labels[12] = 255;
    write_patterns(&place, "damaged", 28, &labels);
    let what = "train-labels-idx1-ubyte: label 255 at byte 20, expected at most 9";
    let train = |flags: &[&'static str]| {
        let run = ["train", "mlp", "--data", "damaged", "--epochs", "0"];
        place.run_on_adapter(&[&run[..], flags].concat())
    };
    let outcome = train(&[]).refused(1, what);
    assert!(outcome.stderr.contains("add --classes 256"), "{outcome:#?}");
    train(&["--classes", "10"]).refused(1, what);
    train(&["--limit-train", "5"]).refused(1, what);
    place.run(&["data", "info", "damaged"]).refused(1, what);
    let told = ["data", "info", "damaged", "--classes", "256"];
    place.run(&told).succeeded();
    train(&["--classes", "256"]).succeeded();
}

#[test]
fn data_that_does_not_fit_the_network_is_refused() {
    let place = Place::new();
    write_patterns(&place, "small", 8, &[0, 1, 2]);
    let small = ["train", "--data", "small"];
    place.run_on_adapter(&small).refused(2, "8x8 are too small");
    write_patterns(&place, "eleven", 28, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    let eleven = ["train", "--data", "eleven", "--classes", "10"];
    place.run_on_adapter(&eleven).refused(2, "has 11");
    let weights = place.path("spinal.safetensors");
    save(&weights, &weights_of("mnist-cnn-spinal"));
    let eval = [
        "eval",
        "--weights",
        "spinal.safetensors",
        "--model",
        "mnist-cnn-spinal",
    ];
    let eval = [&eval[..], &["--data", "small"]].concat();
    place.run_on_adapter(&eval).refused(2, "8x8 are too small");
}

#[test]
fn weights_that_do_not_fit_the_network_are_refused_by_tensor() {
    let place = Place::new();
    write_digits(&place, "digits", 3, 2);
    let init = |file: &str| -> Outcome {
        let arguments = [
            "train", "--data", "digits", "--net", "baseline", "--epochs", "0", "--init", file,
        ];
        place.run_on_adapter(&arguments)
    };
    let sound = || weights_of("mnist-cnn-baseline");
    let save = |name: &str, tensors: &[NamedTensor]| save(&place.path(name), tensors);
    let index = |name: &str| {
        sound()
            .iter()
            .position(|tensor| tensor.name == name)
            .unwrap()
    };

    init("nosuch.safetensors").refused(1, "nosuch.safetensors: cannot be read");
    init("digits").refused(1, "digits: is a folder");
    place.write("text", "these are no weights");
    init("text").refused(1, "text: not a whole safetensors file");

    save("whole", &sound());
    let bytes = fs::read(place.path("whole")).unwrap();
    place.write("cut", &bytes[..bytes.len() - 4]);
    init("cut").refused(1, "cut: not a whole safetensors file");

    let mut tensors = sound();
    tensors.remove(index("fc2.bias"));
    save("missing", &tensors);
    init("missing").refused(1, "missing tensors: fc2.bias [10]");

    let mut tensors = sound();
    tensors.push(NamedTensor {
        name: "fc3.bias".to_owned(),
        shape: vec![1],
        values: vec![0.0],
    });
    save("unexpected", &tensors);
    init("unexpected").refused(1, "unexpected tensors: fc3.bias");

    let mut tensors = sound();
    tensors[index("fc1.weight")].shape.reverse();
    save("misshapen", &tensors);
    init("misshapen").refused(1, "fc1.weight is [320, 50], not [50, 320]");

    let mut tensors = sound();
    tensors[index("conv1.bias")].values[3] = f32::NAN;
    save("nan", &tensors);
    init("nan").refused(1, "conv1.bias (NaN at element 3)");

    save("spinal", &weights_of("mnist-cnn-spinal"));
    init("spinal").refused(1, "missing tensors: fc1.weight");
    place
        .run(&["train", "--init", "whole"])
        .refused(2, "--init");
    let eval = [
        "eval",
        "--model",
        "mnist-cnn-spinal",
        "--data",
        "digits",
        "--weights",
        "whole",
    ];
    place
        .run_on_adapter(&eval)
        .refused(1, "spinal.sub_layers.0.weight");
}

#[test]
fn a_run_folder_that_cannot_be_used_is_left_as_it_was() {
    let place = Place::new();
    write_digits(&place, "digits", 3, 2);
    place.write("full/notes.txt", "mine");
    place.write("file", "mine");
    for (out, what) in [
        ("full", "exists and is not empty"),
        ("file", "cannot be used"),
        ("file/run", "cannot be used"),
        ("file/deep/run", "cannot be used"),
    ] {
        let arguments = [
            "train", "mlp", "--data", "digits", "--epochs", "0", "--out", out,
        ];
        place.run_on_adapter(&arguments).refused(1, what);
    }
    place.run(&["train", "--out", ""]).misused("--out");
}

#[cfg(target_os = "linux")]
#[test]
fn a_place_that_the_system_refuses_is_named() {
    let place = Place::new();
    write_digits(&place, "digits", 3, 2);
    let arguments = [
        "train",
        "mlp",
        "--data",
        "digits",
        "--epochs",
        "0",
        "--out",
        "/proc/run",
    ];
    place.run_on_adapter(&arguments).refused(1, "/proc/run");
}

#[test]
fn an_adapter_that_does_not_exist_is_refused_with_those_that_do() {
    let place = Place::new();
    let info = place.run(&["info", "--json"]).json();
    let name = info["adapters"][0]["name"].as_str().unwrap();
    write_digits(&place, "digits", 3, 2);
    let arguments = ["train", "--data", "digits", "--adapter", "no such adapter"];
    let outcome = place
        .run(&arguments)
        .refused(2, "--adapter no such adapter");
    assert!(outcome.stderr.contains(name), "{outcome:#?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_machine_without_adapters_gets_a_hint() {
    let place = Place::new();
    write_digits(&place, "digits", 3, 2);
    let train = ["train", "--data", "digits"];
    for backend in ["metal", "dx12"] {
        let arguments = [&train[..], &["--backend", backend]].concat();
        place.run(&arguments).refused(1, backend);
    }
    let no_driver = [
        ("VK_DRIVER_FILES", "/nosuch"),
        ("VK_ICD_FILENAMES", "/nosuch"),
    ];
    for arguments in [&train[..], &["universal"], &["info"]] {
        let outcome = place
            .run_with(arguments, &no_driver)
            .refused(1, "no GPU adapter");
        assert!(outcome.stderr.contains("install"), "{outcome:#?}");
    }
    let json = place
        .run_with(&["info", "--json"], &no_driver)
        .succeeded()
        .json();
    assert_eq!(json["adapters"].as_array().unwrap().len(), 0);
}

/// The adapter comes after the pictures: these are refused on a machine without any.
#[test]
fn pictures_that_are_none_are_refused_by_name() {
    let place = Place::new();
    save(&place.path("w"), &weights_of("mnist-cnn-spinal"));
    let predict = |model: &str, picture: &str| {
        let arguments = ["predict", "--weights", "w", "--model", model, picture];
        place.run_with(&arguments, &[("VK_DRIVER_FILES", "/nosuch")])
    };
    let spinal = |picture: &str| predict("mnist-cnn-spinal", picture);
    spinal("nosuch.png").refused(1, "nosuch.png: cannot be read");
    fs::create_dir(place.path("folder")).unwrap();
    spinal("folder").refused(1, "folder: is a folder");
    place.write("empty.png", "");
    spinal("empty.png").refused(1, "empty.png: is empty");
    place.write("text.png", "a picture of a seven");
    spinal("text.png").refused(1, "text.png: is not a picture");
    let blank = GrayImage::from_pixel(40, 30, Luma([200]));
    blank
        .save_with_format(place.path("blank.png"), ImageFormat::Png)
        .unwrap();
    spinal("blank.png").refused(1, "blank.png: is blank");
    let png = fs::read(place.path("blank.png")).unwrap();
    place.write("cut.png", &png[..png.len() / 2]);
    spinal("cut.png").refused(1, "cut.png: cannot be decoded");
    let jpeg = place.path("whole.jpg");
    blank.save_with_format(&jpeg, ImageFormat::Jpeg).unwrap();
    let jpeg = fs::read(jpeg).unwrap();
    place.write("cut.jpg", &jpeg[..jpeg.len() / 10 * 9]);
    spinal("cut.jpg").refused(1, "cut.jpg: is cut off");
    predict("regression-spinal", "blank.png").refused(2, "regression-spinal");
    let none = ["predict", "--weights", "w", "--model", "mnist-cnn-spinal"];
    place.run(&none).misused("IMAGE");
}

#[test]
fn reports_of_what_is_no_run_are_refused() {
    let place = Place::new();
    place.run(&["report", "nosuch"]).refused(1, "nosuch");
    place.run(&["report"]).misused("RUN");
    place
        .run(&["data", "pack", "nosuch", "out"])
        .refused(1, "nosuch");
}

/// The paths of a configuration are text, and a file name need not be.
#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_not_text_is_refused_or_used_but_never_a_panic() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    write_digits(&place, "digits", 3, 2);
    let odd = OsStr::from_bytes(b"odd\xff");
    let train = |flags: &[&str], odd_flag: &str| {
        let mut arguments = vec![OsStr::new("train"), OsStr::new("mlp")];
        arguments.extend(flags.iter().map(OsStr::new));
        arguments.extend([OsStr::new(odd_flag), odd]);
        place.run(&arguments)
    };
    save(&place.path(odd), &weights_of("mlp-spinal"));
    train(&["--net", "spinal", "--data", "digits"], "--init").misused("rename it");
    fs::remove_file(place.path(odd)).unwrap();
    train(&[], "--data").misused("it is not UTF-8: rename it, or make a link");
    train(&["--data", "digits", "--epochs", "0"], "--out").succeeded();
    assert!(place.path(odd).join("config.toml").is_file());
}
