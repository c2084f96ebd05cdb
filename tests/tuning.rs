//! Choosing kernels by measurement: wrong candidates are found, the cache is kept and distrusted, and results stay.

mod common;

use std::fs;
use std::time::Duration;

use common::{AdapterClass, device};
use spinalnet::environment::version;
use spinalnet::gpu::{AdapterChoice, Checks, Device};
use spinalnet::models::{self, ModelOptions};
use spinalnet::plan::{
    Candidate, Kernel, Kernels, Mode, Offer, Parameters, Plan, Precision, Shader, Tape, Winners,
};
use spinalnet::tune::{self, Outcome, Subject, TuningCache};

/// y = 2 x, right, and wrong in the ways that kernels are: an element forgotten, one too small by a rounding too many.
static DOUBLE: Shader = Shader::new(
    "double",
    "override SIZE: u32;
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64) fn right(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x < SIZE { y[id.x] = 2.0 * x[id.x]; }
    }
    @compute @workgroup_size(64) fn forgets_one(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x < SIZE - 1u { y[id.x] = 2.0 * x[id.x]; }
    }
    @compute @workgroup_size(64) fn is_rough(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x < SIZE { y[id.x] = 2.00001 * x[id.x]; }
    }",
);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Double {
    ForgetsOne,
    IsRough,
    Right,
}

impl Candidate for Double {
    fn name(&self) -> String {
        format!("{self:?}")
    }

    fn shaders(&self) -> Vec<&'static Shader> {
        vec![&DOUBLE]
    }
}

fn double(kernels: &Kernels) -> Plan {
    let mut tape =
        Tape::new("double", &Parameters::default(), Mode::Evaluate).with_kernels(kernels.clone());
    let x = tape.input("x", [1000]);
    let y = tape.tensor("y", [1000]);
    let candidates = [Double::ForgetsOne, Double::IsRough, Double::Right];
    let costs = [1.0, 2.0, 3.0].into_iter();
    let offers: Vec<_> = candidates
        .into_iter()
        .zip(costs)
        .map(|(candidate, cost)| Offer::new(candidate, cost))
        .collect();
    tape.operation("double", 1000, &offers, &[y], |tape, candidate| {
        tape.dispatch(Kernel {
            shader: &DOUBLE,
            entry: match candidate {
                Double::ForgetsOne => "forgets_one",
                Double::IsRough => "is_rough",
                Double::Right => "right",
            },
            constants: &[("SIZE", 1000.0)],
            bindings: &[("x", x), ("y", y)],
            extent: [1000, 1, 1],
            multiplications: 0,
        });
    });
    tape.finish()
}

/// A device of its own, whose kernels a test may set.
fn own_device() -> Device {
    let name = device(Checks::Trusted).adapter().name.clone();
    let choice = AdapterChoice {
        name: Some(name),
        ..AdapterChoice::default()
    };
    Device::open(&choice, Checks::Trusted).expect("it opened before")
}

fn all(device: &Device, subjects: &[Subject]) -> Vec<tune::Tuned> {
    tune::tune(device, subjects, Duration::MAX, &mut |_, _, _| {}).expect("the device works")
}

#[test]
fn a_wrong_candidate_never_wins() {
    let subject = Subject {
        record: Box::new(double),
        parameters: Vec::new(),
    };
    let tuned = all(device(Checks::Trusted), &[subject]);
    let [tuned] = &tuned[..] else {
        panic!("one operation, not {tuned:?}")
    };
    assert_eq!(tuned.winner(), "Right");
    for (name, outcome) in &tuned.outcomes {
        let wrong = matches!(outcome, Outcome::Wrong(_));
        assert_eq!(wrong, name != "Right", "{name}: {outcome:?}");
    }
}

#[test]
fn kernels_choose_by_key() {
    let chosen = |kernels: &Kernels| {
        let plan = double(kernels);
        (plan.dispatches[0].entry, plan.operations[0].key.clone())
    };
    let class = AdapterClass::Gpu;
    let (entry, key) = chosen(&class.into());
    assert_eq!(entry, "forgets_one");
    assert_eq!(chosen(&Kernels::from(class).reference()).0, "right");
    let winners = |key: &str, name: &str| {
        Kernels::from(class).measured(Winners::from([(key.to_owned(), name.to_owned())]))
    };
    assert_eq!(chosen(&winners(&key, "IsRough")).0, "is_rough");
    assert_eq!(chosen(&winners(&key, "Unheard")).0, "forgets_one");
    assert_eq!(chosen(&winners("another", "Right")).0, "forgets_one");
    let f16 = Kernels::from(class).with_precision(Precision::F16);
    let changed = f16
        .with_winner("another", "Right")
        .with_winner(&key, "IsRough");
    assert_eq!(chosen(&changed).0, "is_rough");
    assert_eq!(changed.precision(), Precision::F16);
    assert_eq!(changed.winners().map(Winners::len), Some(2));
}

#[test]
fn every_candidate_of_the_networks_agrees_with_its_reference() {
    let device = device(Checks::Trusted);
    for name in ["mnist-cnn-spinal", "cifar-resnet18-baseline"] {
        let model = models::build(name, ModelOptions::default()).expect("the model exists");
        for tuned in all(device, &tune::subjects(&model, 2)) {
            for (candidate, outcome) in &tuned.outcomes {
                let timed = matches!(outcome, Outcome::Time(_));
                assert!(timed, "{}: {candidate}: {outcome:?}", tuned.key);
            }
        }
    }
}

/// On matrix units every candidate, in f16 and in f32, is within its own error; an adapter that has none says so.
#[test]
fn products_in_f16_agree_or_are_refused() {
    let name = device(Checks::Trusted).adapter().name.clone();
    let choice = AdapterChoice {
        name: Some(name.clone()),
        ..AdapterChoice::default()
    };
    let mut device = match Device::open_with(&choice, Checks::Trusted, Precision::F16) {
        Ok(device) => device,
        Err(error) => {
            let text = error.to_string();
            assert!(
                text.starts_with("--precision f16: ") && text.contains(&name),
                "{text}"
            );
            return;
        }
    };
    device.set_kernels(device.kernels().clone().with_precision(Precision::F16));
    let mut in_f16 = 0;
    for name in ["vgg5-spinal", "cifar-resnet18-baseline", "mnist-cnn-spinal"] {
        let model = models::build(name, ModelOptions::default()).expect("the model exists");
        for tuned in all(&device, &tune::subjects(&model, 3)) {
            for (candidate, outcome) in &tuned.outcomes {
                in_f16 += usize::from(candidate.contains("f16"));
                let timed = matches!(outcome, Outcome::Time(_));
                assert!(timed, "{}: {candidate}: {outcome:?}", tuned.key);
            }
        }
    }
    assert!(in_f16 > 0, "matrix units are used");
}

#[test]
fn the_cache_keeps_winners_and_distrusts_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut device = own_device();
    let subject = || Subject {
        record: Box::new(double),
        parameters: Vec::new(),
    };
    let loaded = TuningCache::load(folder.path(), &device);
    assert!(loaded.notice.is_none() && loaded.cache.winners().is_empty());
    let mut cache = loaded.cache;
    cache.extend(&all(&device, &[subject()]));
    cache.save().expect("the folder can be written to");

    let again = TuningCache::load(folder.path(), &device);
    assert!(again.notice.is_none());
    assert_eq!(again.cache.winners(), cache.winners());
    device.set_kernels(device.kernels().clone().measured(again.cache.winners()));
    assert!(
        all(&device, &[subject()]).is_empty(),
        "nothing is left to measure"
    );

    let text = fs::read_to_string(cache.path()).expect("it was written");
    let foreign = text.replace(&device.adapter().driver, "another driver");
    let naga = format!("\"naga\": \"{}\"", version("naga"));
    let older = text.replace(&naga, "\"naga\": \"1.0.0\"");
    assert!(older != text, "{text}");
    let halved = &text[..text.len() / 2];
    for broken in ["", "{", "[1, 2]", halved, &foreign, &older] {
        fs::write(cache.path(), broken).expect("it can be written to");
        let loaded = TuningCache::load(folder.path(), &device);
        let notice = loaded.notice.expect("a useless file is noticed");
        assert!(notice.contains("ignored"), "{notice}");
        assert!(loaded.cache.winners().is_empty());
    }
}
