//! Plans without an adapter: what is recorded, what it costs, what recording refuses, and who gets which memory.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::AdapterClass;
use spinalnet::batch::{Part, Sample, Source};
use spinalnet::layers::spinal::Path;
use spinalnet::layers::{
    Activation, Add, AvgPool2d, BatchNorm, Conv2d, Conv2dOptions, Flatten, Layer, Linear,
    MaxPool2d, Spinal, SpinalOptions,
};
use spinalnet::models::{self, HeadKind, HeadOptions, Model, ModelOptions};
use spinalnet::optim::{Adam, Sgd};
use spinalnet::plan::{
    Access, Allocation, Kernel, Kernels, Lifetime, Mode, Parameters, Plan, ScratchPlaces, Shader,
    Shape, Tape, Tensor,
};
use spinalnet::steps;

fn build(name: &str) -> Model {
    models::build(name, ModelOptions::default()).expect("it is listed")
}

fn source(model: &Model, count: u32, batch_size: u32) -> Source {
    Source::whole(Part::Train, model.sample, count, batch_size)
}

fn sgd() -> Sgd {
    Sgd {
        momentum: 0.5,
        ..Sgd::default()
    }
}

fn train(name: &str, batch: u32, class: AdapterClass) -> Plan {
    let model = build(name);
    steps::train_plan(&model, &source(&model, 8, 4), batch, &sgd(), class)
}

// Snapshots: how each step is recorded. After an intended change, `INSTA_UPDATE=always cargo test --test plans` writes
// them again; read the difference before committing it.

#[test]
fn snapshot_mnist_cnn_spinal() {
    insta::assert_snapshot!(train("mnist-cnn-spinal", 4, AdapterClass::Gpu));
}

#[test]
fn snapshot_mnist_cnn_spinal_on_a_cpu_adapter() {
    insta::assert_snapshot!(train("mnist-cnn-spinal", 20, AdapterClass::Cpu));
}

#[test]
fn snapshot_mnist_cnn_baseline() {
    insta::assert_snapshot!(train("mnist-cnn-baseline", 4, AdapterClass::Gpu));
}

#[test]
fn snapshot_mnist_cnn_spinal_evaluation() {
    let model = build("mnist-cnn-spinal");
    insta::assert_snapshot!(steps::evaluate_plan(
        &model,
        &Source::whole(Part::Test, model.sample, 8, 4),
        4,
        AdapterClass::Gpu
    ));
}

#[test]
fn snapshot_regression_spinal() {
    let model = build("regression-spinal");
    insta::assert_snapshot!(steps::train_plan(
        &model,
        &source(&model, 8, 4),
        4,
        &Adam::default(),
        AdapterClass::Gpu
    ));
}

/// Parameters and multiplications for one sample of a Spinal layer with `outputs` outputs.
fn spinal_cost(options: SpinalOptions, outputs: u32) -> (u64, u64) {
    let mut parameters = Parameters::default();
    let layer = Spinal::new(&mut parameters, "spinal", options, outputs);
    let mut tape = Tape::new("plan", &parameters, Mode::Evaluate);
    let x = tape.tensor("x", [1, options.in_features]);
    layer.forward(&mut tape, x);
    (parameters.count(), tape.finish().cost().multiplications)
}

/// The heads of the paper's VGG, CIFAR, ResNet (four splits) and transfer networks, as its tables and scripts have them.
#[test]
fn heads_have_the_parameters_of_the_paper() {
    // I, n, w, L, C, and whether it is normalised.
    let heads = [
        ([256, 2, 128, 4, 10], true, 121_354),
        ([256, 2, 128, 4, 62], true, 148_030),
        ([4096, 2, 128, 4, 10], false, 1_103_370),
        ([4096, 2, 256, 4, 100], false, 2_397_284),
        ([512, 2, 512, 4, 10], false, 1_333_258),
        ([1024, 4, 256, 4, 10], false, 470_026),
        ([2048, 2, 20, 4, 10], false, 84_010),
        ([2048, 2, 512, 4, 100], true, 3_094_628),
        ([25_088, 2, 1024, 4, 225], true, 55_460_065),
    ];
    for ([in_features, splits, width, depth, outputs], batch_norm, expected) in heads {
        let options = SpinalOptions {
            splits,
            batch_norm,
            ..SpinalOptions::halves(in_features, width, depth)
        };
        assert_eq!(spinal_cost(options, outputs).0, expected, "{options:?}");
    }
}

/// Every size by the paper's formulas: a sub-layer has S inputs, and w more from the second on if it is chained.
#[test]
fn spinal_layers_cost_what_the_formulas_say() {
    let mut all = Vec::new();
    for [in_features, splits] in [[1, 1], [5, 2], [9, 4], [320, 2], [784, 3]] {
        for [width, depth] in [[1, 1], [8, 6], [65, 2], [3, 40]] {
            for [batch_norm, chained] in
                [[false, true], [true, true], [false, false], [true, false]]
            {
                all.push(SpinalOptions {
                    splits,
                    batch_norm,
                    chained,
                    ..SpinalOptions::halves(in_features, width, depth)
                });
            }
        }
    }
    for (options, outputs) in all.into_iter().zip([1, 10, 7].into_iter().cycle()) {
        let SpinalOptions {
            width,
            depth,
            batch_norm,
            chained,
            ..
        } = options;
        let [w, l, c] = [width, depth, outputs].map(u64::from);
        let s = u64::from(options.split_size());
        let links = if chained { (l - 1) * w * w } else { 0 };
        let weights = l * s * w + links + l * w * c;
        let scales = if batch_norm { 2 * l * w } else { 0 };
        assert_eq!(
            spinal_cost(options, outputs),
            (weights + l * w + c + scales, weights),
            "{options:?} with {outputs} outputs"
        );
    }
}

/// The way back multiplies twice what the way there does, but for the gradient of the data, which nobody needs.
#[test]
fn a_training_step_multiplies_three_times_less_the_gradient_of_the_data() {
    for (name, first_layer) in [
        ("mnist-cnn-spinal", 24 * 24 * 10 * 25),
        ("mnist-cnn-baseline", 24 * 24 * 10 * 25),
        ("regression-baseline", 8 * 200),
        ("mlp-baseline", 784 * 300),
    ] {
        let forward = steps::multiplications(&build(name));
        for class in [AdapterClass::Gpu, AdapterClass::Cpu] {
            let multiplications = train(name, 4, class).cost().multiplications;
            assert_eq!(
                multiplications,
                4 * (3 * forward - first_layer),
                "{name} {class:?}"
            );
        }
    }
}

#[test]
fn the_second_optimiser_moment_is_the_only_difference_of_adam() {
    let model = build("regression-spinal");
    let source = source(&model, 8, 4);
    let bytes = |plan: Plan| plan.allocation().bytes();
    let flat = 4 * u64::from(model.parameters.device_elements());
    let adam = bytes(steps::train_plan(
        &model,
        &source,
        4,
        &Adam::default(),
        AdapterClass::Gpu,
    ));
    assert_eq!(
        adam,
        bytes(steps::train_plan(
            &model,
            &source,
            4,
            &sgd(),
            AdapterClass::Gpu
        )) + flat
    );
}

#[test]
fn evaluation_has_no_gradients_and_no_dropout() {
    for name in models::names() {
        let model = build(&name);
        let plan = steps::evaluate_plan(&model, &source(&model, 8, 4), 4, AdapterClass::Gpu);
        let entries = plan
            .dispatches
            .iter()
            .map(|dispatch| (dispatch.shader.name(), dispatch.entry));
        for (shader, entry) in entries {
            let trains = entry.contains("backward") || ["dropout", "sgd", "adam"].contains(&shader);
            assert!(!trains, "{name}: {shader}.{entry}");
        }
    }
}

type Constants = Vec<(&'static str, f64)>;
type Bindings = Vec<(&'static str, Tensor)>;

static LINEAR: Shader = spinalnet::shader!("linear/direct");

/// A kernel that fits, as `linear/direct.forward` of 2 rows, 3 and 4 columns in a layer called `fc`; `change` spoils it.
fn record(change: impl FnOnce(&mut Constants, &mut Bindings, &mut Tape)) -> Plan {
    let mut tape = Tape::new("plan", &Parameters::default(), Mode::Train);
    let mut bindings = vec![
        ("x", tape.tensor("x", [2, 3])),
        ("weight", tape.tensor("weight", [4, 3])),
        ("bias", tape.tensor("bias", [4])),
        ("y", tape.tensor("y", [2, 4])),
    ];
    let mut constants = vec![
        ("BATCH", 2.0),
        ("IN", 3.0),
        ("OUT", 4.0),
        ("FIRST", 0.0),
        ("COUNT", 3.0),
        ("ACCUMULATE", 0.0),
    ];
    change(&mut constants, &mut bindings, &mut tape);
    tape.scope("fc", |tape| {
        tape.dispatch(Kernel {
            shader: &LINEAR,
            entry: "forward",
            constants: &constants,
            bindings: &bindings,
            extent: [4, 2, 1],
            multiplications: 0,
        });
    });
    tape.finish()
}

/// The message that recording panics with.
fn refusal<T>(record: impl FnOnce() -> T) -> String {
    let payload = catch_unwind(AssertUnwindSafe(record))
        .err()
        .expect("recording refuses");
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| {
        payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
    })
    .expect("a panic has a message")
}

#[test]
fn what_fits_is_recorded() {
    let plan = record(|_, _, _| ());
    let dispatch = &plan.dispatches[0];
    assert_eq!((dispatch.layer.as_str(), dispatch.grid), ("fc", [1, 1, 1]));
    let names: Vec<_> = dispatch
        .bindings
        .iter()
        .map(|binding| (binding.name.as_str(), binding.slot))
        .collect();
    assert_eq!(names, [("x", 0), ("weight", 1), ("bias", 2), ("y", 3)]);
}

#[test]
fn misfits_name_layer_entry_point_and_binding() {
    let refuse = |change: fn(&mut Constants, &mut Bindings, &mut Tape)| refusal(|| record(change));
    assert_eq!(
        refuse(|_, bindings, _| bindings.retain(|(name, _)| *name != "bias")),
        "fc: linear/direct.forward: binding `bias` is missing"
    );
    assert_eq!(
        refuse(|_, bindings, tape| bindings.push(("dy", tape.tensor("dy", [2, 4])))),
        "fc: linear/direct.forward: there is no binding `dy`"
    );
    assert_eq!(
        refuse(|constants, _, _| constants.retain(|(name, _)| *name != "IN")),
        "fc: linear/direct.forward: override IN is not set"
    );
    assert_eq!(
        refuse(|constants, _, _| constants.push(("CHANNELS", 1.0))),
        "fc: linear/direct.forward: there is no override CHANNELS"
    );
    assert_eq!(
        refuse(|constants, _, _| constants.push(("IN", 3.0))),
        "fc: linear/direct.forward: override IN is given twice"
    );
    assert_eq!(
        refuse(|_, bindings, _| bindings[3].1 = bindings[0].1),
        "fc: linear/direct.forward: `y` is written in the buffer that `x` is read from"
    );
}

#[test]
fn a_grid_too_large_names_the_extent() {
    static FILL: Shader = spinalnet::shader!("fill");
    let mut tape = Tape::new("plan", &Parameters::default(), Mode::Train);
    let y = tape.tensor("y", [1]);
    let mut dispatch = |extent| {
        tape.dispatch(Kernel {
            shader: &FILL,
            entry: "forward",
            constants: &[("ELEMENTS", 1.0), ("VALUE", 0.0)],
            bindings: &[("y", y)],
            extent,
            multiplications: 0,
        });
    };
    let message = refusal(AssertUnwindSafe(|| dispatch([0, 1, 1])));
    assert_eq!(
        message,
        ": fill.forward: extent [0, 1, 1] needs a grid of [0, 1, 1] workgroups"
    );
    // One dimension is folded into rows, more are not.
    dispatch([64 * 65_535, 1, 1]);
    dispatch([64 * 65_535 + 1, 1, 1]);
    dispatch([u32::MAX, 1, 1]);
    dispatch([64 * 65_536, 2, 1]);
    let plan = tape.finish();
    let grids: Vec<_> = plan
        .dispatches
        .iter()
        .map(|dispatch| dispatch.grid)
        .collect();
    let folded = [[65_535, 1, 1], [32_768, 2, 1], [65_473, 1025, 1]];
    assert_eq!(grids[..3], folded);
    let excess = plan.excess.expect("the last one cannot be folded");
    assert_eq!(
        excess.to_string(),
        ", fill.forward needs a grid of [65536, 2, 1] workgroups, of 65535 that the adapter takes along each dimension"
    );
}

/// A tape with one layer's input of a given shape.
fn refused_input(
    shape: impl Into<Shape>,
    layer: impl FnOnce(&mut Parameters) -> Box<dyn Layer>,
) -> String {
    let mut parameters = Parameters::default();
    let layer = layer(&mut parameters);
    let mut tape = Tape::new("plan", &parameters, Mode::Train);
    let x = tape.tensor("x", shape);
    refusal(AssertUnwindSafe(|| layer.forward(&mut tape, x)))
}

#[test]
fn layers_refuse_shapes_that_do_not_fit() {
    let messages = [
        refused_input([2, 5], |parameters| {
            Box::new(Linear::new(parameters, "fc", 4, 3))
        }),
        refused_input([2, 8, 8, 3], |parameters| {
            Box::new(Conv2d::new(
                parameters,
                "conv",
                Conv2dOptions::square(1, 2, 3),
            ))
        }),
        refused_input([2, 2, 8, 1], |parameters| {
            Box::new(Conv2d::new(
                parameters,
                "conv",
                Conv2dOptions::square(1, 2, 3),
            ))
        }),
        refused_input([2, 1, 8, 1], |_| Box::new(MaxPool2d::square(2))),
        refused_input([2, 8], |_| Box::new(Flatten)),
        refused_input([2, 8], |_| Box::new(AvgPool2d::global())),
        refused_input([2, 4, 4, 3], |_| Box::new(AvgPool2d { out: [2, 0] })),
        refused_input([4, 3], |parameters| {
            Box::new(BatchNorm::new(parameters, "norm", 5, Activation::Relu))
        }),
        refused_input([2, 4, 4, 3], |parameters| {
            Box::new(BatchNorm::new(parameters, "norm", 4, Activation::Relu))
        }),
        refused_input([1, 3], |parameters| {
            Box::new(BatchNorm::new(parameters, "norm", 3, Activation::Relu))
        }),
        refused_input([1, 1, 1, 3], |parameters| {
            Box::new(BatchNorm::new(parameters, "norm", 3, Activation::Relu))
        }),
        refused_input([2, 9], |parameters| {
            Box::new(Spinal::new(
                parameters,
                "spinal",
                SpinalOptions::halves(8, 2, 2),
                1,
            ))
        }),
    ];
    let parts = [
        ["4 features", "[2, 5]"],
        ["in_channels: 1", "[2, 8, 8, 3]"],
        ["kernel_size: [3, 3]", "[2, 2, 8, 1]"],
        ["MaxPool2d", "1 x 8"],
        ["[2, 8]", "not a batch of images"],
        ["[2, 8]", "not a batch of images"],
        ["out: [2, 0]", "no windows"],
        ["channels: 5", "[4, 3]"],
        ["channels: 4", "[2, 4, 4, 3]"],
        ["no variance", "[1, 3]"],
        ["no variance", "[1, 1, 1, 3]"],
        ["in_features: 8", "[2, 9]"],
    ];
    for (message, parts) in messages.iter().zip(parts) {
        assert!(
            parts.iter().all(|part| message.contains(part)),
            "{message:?} does not contain {parts:?}"
        );
    }
}

/// One row has no variance, but the running statistics have.
#[test]
fn one_row_can_be_evaluated() {
    let mut parameters = Parameters::default();
    let layer = BatchNorm::new(&mut parameters, "norm", 3, Activation::Relu);
    let mut tape = Tape::new("plan", &parameters, Mode::Evaluate);
    let x = tape.tensor("x", [1, 3]);
    layer.forward(&mut tape, x);
    let plan = tape.finish();
    let entries: Vec<_> = plan
        .dispatches
        .iter()
        .map(|dispatch| dispatch.entry)
        .collect();
    assert_eq!(entries, ["evaluate"]);
    // Two vectors each, at multiples of 64 elements.
    let elements = |label| plan.tensor(label).expect("it is there").elements();
    assert_eq!(["parameters", "statistics"].map(elements), [128, 128]);
}

/// As in PyTorch: `BatchNorm2d` takes one image of several pixels, `BatchNorm1d` does not take one row.
#[test]
fn the_smallest_batch_has_two_values_of_every_normalised_channel() {
    let tiny = ModelOptions {
        sample: Some(Sample::Image {
            height: 8,
            width: 8,
            channels: 3,
        }),
        ..ModelOptions::default()
    };
    for (name, options, smallest) in [
        ("cifar-resnet18-baseline", ModelOptions::default(), 1),
        ("wrn-16-8-spinal", ModelOptions::default(), 1),
        ("cifar-vgg11-baseline", ModelOptions::default(), 1),
        ("mnist-cnn-spinal", ModelOptions::default(), 1),
        ("vgg5-spinal", ModelOptions::default(), 2),
        ("cifar-resnet18-baseline", tiny, 2),
    ] {
        let model = models::build(name, options).expect("it is listed");
        assert_eq!(model.smallest_batch(), smallest, "{name}");
        let record = |batch| {
            let source = source(&model, batch, batch);
            steps::train_plan(&model, &source, batch, &sgd(), AdapterClass::Gpu)
        };
        assert!(!record(smallest).dispatches.is_empty());
        if smallest > 1 {
            assert!(refusal(|| record(1)).contains("one value has no variance"));
        }
    }
}

#[test]
fn impossible_layers_and_tensors_are_refused() {
    let spinal = |options: SpinalOptions| {
        refusal(|| Spinal::new(&mut Parameters::default(), "spinal", options, 1))
    };
    let halves = SpinalOptions::halves(8, 2, 2);
    assert!(spinal(SpinalOptions { depth: 0, ..halves }).contains("depth: 0"));
    assert!(
        spinal(SpinalOptions {
            splits: 17,
            ..halves
        })
        .contains("splits: 17")
    );
    for options in [
        SpinalOptions {
            batch_norm: true,
            ..halves
        },
        SpinalOptions {
            chained: false,
            ..halves
        },
        SpinalOptions {
            dropout: 0.5,
            ..halves
        },
    ] {
        let layer = Spinal::new(&mut Parameters::default(), "spinal", options, 1);
        assert!(refusal(|| layer.with_path(Path::Fused)).contains("cannot be fused"));
    }

    let mut tape = Tape::new("plan", &Parameters::default(), Mode::Train);
    let (a, b) = (tape.tensor("a", [2, 3]), tape.tensor("b", [3, 2]));
    assert!(refusal(AssertUnwindSafe(|| Add.forward(&mut tape, a, b))).contains("one shape"));
    assert!(refusal(|| a.reshape([7])).contains("[2, 3] as [7]"));
    assert!(refusal(|| Shape::from([0, 3])).contains("no elements"));
    assert!(refusal(|| Shape::from([1 << 16, 1 << 16])).contains("too large"));
    let mut parameters = Parameters::default();
    Linear::new(&mut parameters, "fc", 1, 1);
    let message = refusal(AssertUnwindSafe(|| {
        Linear::new(&mut parameters, "fc", 1, 1)
    }));
    assert_eq!(message, "parameter fc.weight exists already");
    assert_eq!(
        refusal(|| LINEAR.entry_point("sideways").tile),
        "shader linear/direct has no entry point `sideways`"
    );
}

/// A layer whose output nobody uses has no way back; a tensor with several users gets one gradient from all of them.
#[test]
fn gradients_flow_where_they_are_needed() {
    let mut tape = Tape::new("plan", &Parameters::default(), Mode::Train);
    let x = tape.tensor("x", [2, 3]);
    let unused = Activation::Tanh.forward(&mut tape, x);
    let (a, b) = (
        Activation::Relu.forward(&mut tape, x),
        Activation::Sigmoid.forward(&mut tape, x),
    );
    let y = Add.forward(&mut tape, a, b);
    tape.backward_from(y, |_, _| ());
    let message = refusal(AssertUnwindSafe(|| tape.gradient(unused)));
    assert!(message.contains("no gradient has reached"), "{message}");
    let accumulate = |plan: Plan| -> Vec<f64> {
        let backward = plan
            .dispatches
            .into_iter()
            .filter(|dispatch| dispatch.entry == "backward");
        let flags = backward.map(|dispatch| {
            dispatch
                .constants
                .iter()
                .find(|(name, _)| *name == "ACCUMULATE")
                .map(|(_, value)| *value)
        });
        flags
            .map(|flag| flag.expect("backward says whether it adds"))
            .collect()
    };
    // To a and b from the sum, then to x from the later user and from the earlier one.
    assert_eq!(accumulate(tape.finish()), [0.0, 0.0, 0.0, 1.0]);
}

/// Training and evaluation of a net of every family, for both classes of adapter.
fn plans_of_every_family() -> Vec<Plan> {
    let names = [
        "mnist-cnn-spinal",
        "vgg5-spinal",
        "cifar-resnet18-baseline",
        "regression-spinal",
    ];
    let mut plans = Vec::new();
    for (name, class) in names
        .iter()
        .flat_map(|name| [AdapterClass::Gpu, AdapterClass::Cpu].map(|class| (name, class)))
    {
        let model = build(name);
        let source = source(&model, 8, 4);
        plans.push(steps::train_plan(&model, &source, 4, &sgd(), class));
        plans.push(steps::evaluate_plan(&model, &source, 4, class));
        plans.push(steps::train_plan(
            &model,
            &source,
            2,
            &sgd(),
            AdapterClass::Gpu,
        ));
    }
    plans
}

/// Dispatches that bind a buffer, with what they do to it.
fn uses(plan: &Plan, index: usize) -> Vec<(usize, Access)> {
    let dispatches = plan.dispatches.iter().enumerate();
    let uses = dispatches.flat_map(|(place, dispatch)| {
        let bindings = dispatch.bindings.iter();
        bindings
            .filter(|binding| plan.index(binding.tensor) == index)
            .map(move |binding| (place, binding.access))
    });
    uses.collect()
}

/// Scratch holds what other plans or buffers left there: whoever reads it must have written it.
#[test]
fn scratch_is_written_before_it_is_read() {
    for plan in plans_of_every_family() {
        for index in plan.scratch() {
            let first = uses(&plan, index).first().map(|&(_, access)| access);
            let label = &plan.buffers[index].label;
            assert_eq!(first, Some(Access::ReadWrite), "{}: {label}", plan.name);
        }
    }
}

#[test]
fn buffers_that_are_needed_at_the_same_time_lie_apart() {
    for plan in plans_of_every_family() {
        let ScratchPlaces { sizes, places } = ScratchPlaces::new(&plan);
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{}", plan.name);
        let mut holders = vec![Vec::new(); sizes.len()];
        for index in plan.scratch() {
            let place = places[&index];
            assert!(sizes[place] >= plan.buffers[index].bytes);
            let uses = uses(&plan, index);
            holders[place].push((uses[0].0, uses[uses.len() - 1].0));
        }
        for mut holders in holders {
            holders.sort_unstable();
            let apart = holders.windows(2).all(|pair| pair[0].1 < pair[1].0);
            assert!(apart, "{}: {holders:?}", plan.name);
        }
    }
}

/// A step in micro-batches is compiled once: what differs between its plans is the size of the last micro-batch, and between
/// full and ragged steps what the loss is divided by.
#[test]
fn micro_batches_of_all_steps_share_their_pipelines() {
    let model = build("mnist-cnn-spinal");
    let source = Source {
        micro_batch: Some(4),
        ..source(&model, 27, 10)
    };
    let kernels = Kernels::from(AdapterClass::Cpu);
    let [full, ragged] =
        [10, 7].map(|batch| steps::train_step(&model, &source, batch, &sgd(), &kernels).parts);
    let runs = |parts: &[(Plan, u32)]| parts.iter().map(|part| part.1).collect::<Vec<_>>();
    assert_eq!(runs(&full), [2, 1, 1], "twice 4, 2, update");
    assert_eq!(runs(&ragged), [1, 1, 1], "4, 3, update");
    assert_eq!(steps::parts_of_step(&source), full.len());
    let pipelines = |plan: &Plan| {
        let dispatches = plan.dispatches.iter();
        let shared = dispatches.filter(|dispatch| dispatch.shader.name() != "cross_entropy");
        shared
            .map(|dispatch| format!("{} {:?}", dispatch.kernel(), dispatch.constants))
            .collect::<Vec<_>>()
    };
    for part in [0, 2] {
        assert_eq!(pipelines(&full[part].0), pipelines(&ragged[part].0));
    }
}

/// What is planned for several plans together has room for each of them.
#[test]
fn an_allocation_has_room_for_every_plan() {
    let plans = plans_of_every_family();
    let mut allocation = Allocation::default();
    allocation.add(0, &plans);
    for plan in &plans {
        let sizes = ScratchPlaces::new(plan).sizes;
        assert!(sizes.len() <= allocation.scratch.len());
        let fits = sizes
            .iter()
            .zip(&allocation.scratch)
            .all(|(size, room)| size <= room);
        assert!(fits, "{}", plan.name);
    }
}

/// Plans of all batch sizes over one net share parameters and scratch; two nets share the data set and scratch only.
#[test]
fn plans_share_what_they_may() {
    let model = build("mnist-cnn-spinal");
    let source = source(&model, 70, 64);
    let full = steps::train_plan(&model, &source, 64, &sgd(), AdapterClass::Gpu);
    let ragged = steps::train_plan(&model, &source, 6, &sgd(), AdapterClass::Gpu);
    let bytes = |nets: &[&[&Plan]]| {
        let mut allocation = Allocation::default();
        for (net, plans) in nets.iter().enumerate() {
            allocation.add(net, plans.iter().copied());
        }
        allocation.bytes()
    };
    assert_eq!(bytes(&[&[&full, &ragged]]), full.allocation().bytes());
    let kept = full
        .buffers
        .iter()
        .filter(|buffer| buffer.lifetime == Lifetime::Net);
    let kept: u64 = kept.map(|buffer| buffer.bytes).sum();
    assert_eq!(
        bytes(&[&[&full], &[&full]]),
        full.allocation().bytes() + kept
    );
}

/// Every backbone takes every kind of head, and a training step of it can be recorded for both classes of adapter.
#[test]
fn any_backbone_takes_any_head() {
    let backbones = [
        "mnist-cnn",
        "vgg5",
        "cifar-cnn",
        "cifar-vgg11",
        "cifar-resnet18",
        "wrn-16-8",
        "mlp",
        "custom",
    ];
    let heads = [
        HeadKind::Fc,
        HeadKind::Spinal,
        HeadKind::SpinalShared,
        HeadKind::Linear,
    ];
    for backbone in backbones {
        for head in heads {
            let options = ModelOptions {
                classes: Some(7),
                head: HeadOptions {
                    head: Some(head),
                    spinal_width: Some(6),
                    spinal_depth: Some(5),
                    spinal_splits: Some(3),
                    spinal_dropout: Some(0.25),
                    spinal_bn: Some(true),
                    activation: Some(Activation::Tanh),
                    ..HeadOptions::default()
                },
                ..ModelOptions::default()
            };
            let model = models::build(&format!("{backbone}-spinal"), options).expect(backbone);
            let is_spinal = matches!(head, HeadKind::Spinal | HeadKind::SpinalShared);
            assert_eq!(model.has_spinal(), is_spinal, "{backbone} {head:?}");
            for class in [AdapterClass::Gpu, AdapterClass::Cpu] {
                let plan = steps::train_plan(&model, &source(&model, 8, 4), 4, &sgd(), class);
                let gradients = plan.tensor("gradients").map(|tensor| tensor.elements());
                assert_eq!(gradients, Some(model.parameters.device_elements()));
            }
        }
    }
}

/// One sub-layer sees half of the input; fifty see it twenty-five times over.
#[test]
fn chains_of_one_and_of_many_sub_layers_are_built() {
    for depth in [1, 50] {
        let options = ModelOptions {
            head: HeadOptions {
                spinal_depth: Some(depth),
                ..HeadOptions::default()
            },
            ..ModelOptions::default()
        };
        let model = models::build("custom-spinal", options).expect("any depth will do");
        let later = u64::from(depth - 1) * (392 * 20 + 20 * 20 + 20);
        let output = u64::from(depth) * 20 * 10 + 10;
        assert_eq!(model.parameters.count(), 392 * 20 + 20 + later + output);
    }
}

/// Sizes that would not fit 32-bit indices are refused before anything is counted.
#[test]
fn chains_that_are_too_large_are_refused() {
    let refused = |classes, width, depth| {
        let options = ModelOptions {
            classes: Some(classes),
            head: HeadOptions {
                spinal_width: Some(width),
                spinal_depth: Some(depth),
                ..HeadOptions::default()
            },
            ..ModelOptions::default()
        };
        let built = models::build("custom-spinal", options);
        built
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    for (classes, width, depth) in [(10, 16_384, 1024), (10, 600, 1024), (65_536, 256, 1024)] {
        let message = refused(classes, width, depth);
        assert!(message.contains("weights"), "{width} x {depth}: {message}");
    }
    assert!(refused(10, 16_385, 1).contains("--spinal-width"));
    assert!(refused(10, 1, 1025).contains("--spinal-depth"));
    assert_eq!(refused(10, 64, 100), "");
}
