//! What the host does beside the device, measured by criterion: `cargo bench`.
//!
//! Recording, encoding, shuffling and files take no part in a step, but in how soon the first one begins and in how long
//! the device waits between epochs.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use spinalnet::bench::subject::{SGD, Subject, plans};
use spinalnet::checkpoint;
use spinalnet::data::shuffled_order;
use spinalnet::gpu::{AdapterChoice, Checks, Device};
use spinalnet::models::{self, Model, ModelOptions};
use spinalnet::plan::{Limits, Shader};

fn model(name: &str) -> Model {
    models::build(name, ModelOptions::default()).expect("it is listed")
}

/// Building a model and writing its training step and inference down.
fn record(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    for name in ["mnist-cnn-spinal", "vgg5-spinal", "cifar-resnet18-spinal"] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| plans(&model(name), 100, &SGD, &Limits::webgpu().into()));
        });
    }
    group.finish();
}

/// Parsing a shader and reading what its entry points bind.
fn reflect(criterion: &mut Criterion) {
    criterion.bench_function("reflect conv2d/direct", |bencher| {
        bencher.iter(|| {
            let shader: Shader = spinalnet::shader!("conv2d/direct");
            shader.entry_names().count()
        });
    });
}

/// Encoding a training step for one submission, without handing it over.
fn encode(criterion: &mut Criterion) {
    let Ok(device) = Device::open(&AdapterChoice::default(), Checks::Trusted) else {
        return eprintln!("no adapter: encoding is not measured");
    };
    let subject = Subject::new(&device, model("mnist-cnn-spinal"), 8).expect("it is small");
    criterion.bench_function("encode mnist-cnn-spinal", |bencher| {
        bencher.iter(|| subject.train_step.encode(&device, 1));
    });
}

/// The order of an epoch of MNIST.
fn shuffle(criterion: &mut Criterion) {
    criterion.bench_function("shuffle 60000", |bencher| {
        bencher.iter(|| shuffled_order(black_box(60_000), 1, 1));
    });
}

/// Drawing, saving and loading the weights of VGG-5.
fn weights(criterion: &mut Criterion) {
    let model = model("vgg5-spinal");
    let values = models::initial_values(&model.parameters, 1);
    let tensors = models::named_weights(&model.parameters, &values);
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let path = folder.path().join("vgg5-spinal.safetensors");
    criterion.bench_function("draw weights vgg5-spinal", |bencher| {
        bencher.iter(|| models::initial_values(&model.parameters, 1));
    });
    criterion.bench_function("save weights vgg5-spinal", |bencher| {
        bencher.iter(|| checkpoint::save(&path, &tensors, &BTreeMap::new()).expect("it is saved"));
    });
    criterion.bench_function("load weights vgg5-spinal", |bencher| {
        bencher.iter(|| models::load_weights(&path, &model.parameters).expect("it is loaded"));
    });
}

criterion_group!(host, record, reflect, encode, shuffle, weights);
criterion_main!(host);
