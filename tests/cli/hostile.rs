//! Files, folders, limits and drivers made to do harm: the program says so in one line, at once.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::assert::OutputAssertExt;
use image::{DynamicImage, ImageFormat, RgbImage};
use tempfile::TempDir;

use super::data::{FILES, write_digits};
use super::spinal::{Place, adapter_flags};

/// A folder beside the place, whose snapshots would wait for pipes themselves.
struct Trap(TempDir);

impl Trap {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The text of a path in it.
    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    #[cfg(unix)]
    fn pipe(&self, name: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    #[cfg(unix)]
    fn endless(&self, name: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    }
}

/// Whatever is read: nobody waits for a writer, and nothing is read without end.
#[cfg(unix)]
#[test]
fn pipes_and_endless_devices_are_refused_by_every_reader() {
    let place = Place::new();
    for (file, arguments) in [
        (FILES[0], vec!["data", "info", "DIR"]),
        ("data_batch_1.bin", vec!["data", "info", "DIR"]),
        ("train.bin", vec!["data", "info", "DIR"]),
        ("train_y.bin", vec!["data", "info", "DIR"]),
        ("train_32x32.mat", vec!["data", "info", "DIR"]),
        ("data_batch_1.png", vec!["data", "info", "DIR"]),
        (
            "train/a/x.png",
            vec!["data", "info", "DIR", "--image-size", "8"],
        ),
        (
            "weights",
            vec!["train", "--init", "FILE", "--net", "spinal"],
        ),
        ("config.toml", vec!["report", "DIR"]),
        (
            "old.json",
            vec!["bench", "step", "mlp-spinal", "--compare", "FILE"],
        ),
    ] {
        for endless in [false, true] {
            let trap = Trap::new();
            if endless {
                trap.endless(file);
            } else {
                trap.pipe(file);
            }
            if file.starts_with("train/") {
                for folder in ["train/b", "test/a", "test/b"] {
                    fs::create_dir_all(trap.path(folder)).unwrap();
                    RgbImage::new(8, 8)
                        .save(trap.path(folder).join("x.png"))
                        .unwrap();
                }
            }
            if file == "train_y.bin" {
                fs::write(trap.path("train_X.bin"), "").unwrap();
            }
            let (folder, path) = (trap.text(""), trap.text(file));
            let arguments = arguments.iter().map(|&argument| match argument {
                "DIR" => folder.as_str(),
                "FILE" => path.as_str(),
                other => other,
            });
            let arguments: Vec<_> = arguments.collect();
            place.run(&arguments).refused(1, "is not a regular file");
        }
    }
}

/// A photograph's JPEG.
fn jpeg() -> Vec<u8> {
    let picture = RgbImage::from_fn(160, 120, |x, y| {
        [x, y, x ^ y].map(|value| value as u8).into()
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    DynamicImage::from(picture)
        .write_to(&mut bytes, ImageFormat::Jpeg)
        .unwrap();
    bytes.into_inner()
}

#[test]
fn cut_photographs_are_refused_by_name() {
    let place = Place::new();
    let whole = jpeg();
    for class in ["train/a", "train/b", "test/a", "test/b"] {
        place.write(&format!("photos/{class}/whole.jpg"), &whole);
    }
    let info = ["data", "info", "photos", "--image-size", "16"];
    place.run(&info).succeeded();
    for length in [whole.len() / 10, whole.len() / 2, whole.len() - 2] {
        place.write("photos/train/b/cut.jpg", &whole[..length]);
        let what = "cut.jpg: is cut off";
        place.run(&info).refused(1, what);
        let train = ["train", "vgg5", "--data", "photos", "--image-size", "32"];
        place.run(&train).refused(1, what);
    }
}

#[test]
fn one_run_given_twice_is_refused() {
    let place = Place::new();
    for name in ["run", "other"] {
        let config = "experiment = \"mnist-cnn\"\nnets = [\"spinal\"]\nepochs = 1\nseed = 1\n";
        place.write(&format!("{name}/config.toml"), config);
        let epoch = "{\"net\":\"spinal\",\"epoch\":1,\"train_loss\":1,\"test_loss\":1,\"test_accuracy\":0.5}\n";
        place.write(&format!("{name}/metrics.jsonl"), epoch);
    }
    place.run(&["report", "run"]).succeeded();
    for again in ["run", "./run", "run/", "other"] {
        place
            .run(&["report", "run", again])
            .refused(1, "is a run of seed 1, as run is");
    }
}

/// Grids that once did not fit a CPU adapter's limits.
#[test]
fn the_largest_steps_are_recorded() {
    let place = Place::new();
    for flags in [
        "vgg5-spinal --image-size 224 --batch-size 32",
        "vgg5-spinal --batch-size 1024",
        "vgg5-spinal --batch-size 1338",
        "wrn-28-10-spinal --batch-size 1024",
    ] {
        let flags: Vec<_> = flags.split(' ').collect();
        place
            .run(&[&["plan", "--class", "cpu"], &flags[..]].concat())
            .succeeded();
    }
}

#[test]
fn opengl_trains_or_is_refused_in_one_line() {
    let place = Place::new();
    write_digits(&place, "digits", 64, 10);
    let train = "train mlp --net spinal --data digits --epochs 1 --backend gl --out run";
    let outcome = place.run(&train.split(' ').collect::<Vec<_>>());
    if outcome.stdout.is_empty() {
        outcome.refused(1, "");
    } else {
        outcome.succeeded();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_address_space_without_room_is_refused_before_the_driver_dies_of_it() {
    let place = Place::new();
    write_digits(&place, "digits", 64, 10);
    let script = "ulimit -v 765000; exec \"$0\" train mlp --data digits --out run";
    let output = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_spinal")])
        .current_dir(place.path(""))
        .assert()
        .code(1);
    let stderr = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(
        stderr.contains("error: the address space of this process is limited to 783360000"),
        "{stderr}"
    );
    assert!(!place.path("run").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn broken_drivers_are_refused_with_a_hint() {
    let place = Place::new();
    write_digits(&place, "digits", 3, 2);
    let library =
        r#"{"file_format_version":"1.0.0","ICD":{"library_path":"LIBRARY","api_version":"1.3.0"}}"#;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("library.so"), "no library").unwrap();
    for (name, text) in [
        ("text.json", "no driver".to_owned()),
        ("missing.json", library.replace("LIBRARY", "/nosuch.so")),
        (
            "broken.json",
            library.replace("LIBRARY", &path("library.so")),
        ),
    ] {
        fs::write(path(name), text).unwrap();
        let (driver, train) = (path(name), ["train", "mlp", "--data", "digits"]);
        let only = [
            ("VK_DRIVER_FILES", driver.as_str()),
            ("VK_ICD_FILENAMES", &driver),
        ];
        let outcome = place.run_with(&train, &only).refused(1, "no GPU adapter");
        assert!(outcome.stderr.contains("install"), "{outcome:#?}");
    }
}

/// What can be told without a device is told on a machine that has none.
#[test]
fn weights_are_checked_before_the_device_is_opened() {
    let place = Place::new();
    write_digits(&place, "digits", 3, 2);
    let train = [
        "train", "mlp", "--net", "spinal", "--data", "digits", "--init", "nosuch",
    ];
    let no_driver = [
        ("VK_DRIVER_FILES", "/nosuch"),
        ("VK_ICD_FILENAMES", "/nosuch"),
    ];
    place
        .run_with(&train, &no_driver)
        .refused(1, "nosuch: cannot be read");
}

#[test]
fn much_to_compile_is_said() {
    let place = Place::new();
    write_digits(&place, "digits", 64, 10);
    let train = "train mlp --net spinal --data digits --spinal-splits 64 --spinal-depth 64 --spinal-dropout 0.5";
    let mut child = place.start(&train.split(' ').collect::<Vec<_>>());
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let is_said = lines.any(|line| {
        let line = line.unwrap();
        line.starts_with("kernels: ")
            && line.contains("which the driver compiles in the first step")
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_said);
}

#[test]
fn a_tuning_cache_that_cannot_be_written_is_refused_before_anything_is_measured() {
    let place = Place::new();
    place.write("file", "no folder");
    let cache = place.path("file/cache");
    let mut tune = vec!["tune".to_owned(), "regression-baseline".to_owned()];
    tune.extend(adapter_flags());
    let outcome = place.run_with(&tune, &[("SPINAL_CACHE", cache.to_str().unwrap())]);
    let outcome = outcome.refused(1, "cannot be");
    assert!(!outcome.stderr.contains("measuring"), "{outcome:#?}");
}

#[test]
fn unknown_winners_of_a_tuning_cache_are_told_and_measured_again() {
    let place = Place::new();
    let cache = place.path("cache");
    let tune = || {
        let mut tune = vec!["tune", "regression-baseline", "--seconds", "1"];
        let adapter = adapter_flags();
        tune.extend(adapter.iter().map(String::as_str));
        place
            .run_with(&tune, &[("SPINAL_CACHE", cache.to_str().unwrap())])
            .succeeded()
    };
    tune();
    let name = Path::new("cache/kernels").join(&place.names("cache/kernels")[0]);
    let name = name.to_str().unwrap();
    let mut content: serde_json::Value = serde_json::from_str(&place.read(name)).unwrap();
    let operations = content["operations"].as_object_mut().unwrap();
    let winner = operations.values_mut().next().unwrap();
    winner["kernel"] = "nosuch".into();
    place.write(name, content.to_string());
    let outcome = tune();
    assert!(
        outcome
            .stderr
            .contains("there is no kernel \"nosuch\" for "),
        "{outcome:#?}"
    );
    assert!(!place.read(name).contains("nosuch"));
}
