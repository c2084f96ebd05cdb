//! Nets, batches and limits.

use proptest::prelude::*;
use spinalnet::batch::{Part, Sample, Source};
use spinalnet::models::{self, ModelOptions};
use spinalnet::optim::{Adam, Optimizer, Sgd};
use spinalnet::plan::{Limits, Plan};
use spinalnet::steps;

use crate::common::AdapterClass;

/// A net on images or rows, and what its plans are recorded for.
#[derive(Clone, Debug)]
pub struct Case {
    /// The name of the net.
    pub model: &'static str,
    /// Height and width of its images; `None` where it takes rows.
    pub image: Option<[u32; 2]>,
    /// Columns of its output.
    pub classes: u32,
    /// Samples of a step.
    pub batch: u32,
    /// Adam instead of SGD.
    pub adam: bool,
    /// What the adapter takes.
    pub limits: Limits,
}

/// Nets with the channels and the smallest side of their images.
const NETS: [(&str, u32, u32); 10] = [
    ("mnist-cnn-spinal", 1, 16),
    ("mnist-cnn-baseline", 1, 16),
    ("arch2-spinal", 1, 16),
    ("vgg5-spinal", 1, 16),
    ("cifar-cnn-baseline", 3, 8),
    ("cifar-resnet18-spinal", 3, 16),
    ("mlp-spinal", 3, 2),
    ("mlp-baseline", 1, 2),
    ("custom-spinal", 1, 2),
    ("custom-baseline", 3, 2),
];

fn channels(model: &str) -> u32 {
    let found = NETS.iter().find(|(name, ..)| *name == model);
    found.expect("it is in the list").1
}

impl Case {
    /// The same for another longest dimension of a grid.
    pub fn with_grid(&self, grid: u32) -> Self {
        let mut case = self.clone();
        case.limits.grid = grid;
        case
    }

    /// A training step and an evaluation.
    pub fn plans(&self) -> [Plan; 2] {
        let sample = self.image.map(|[height, width]| Sample::Image {
            height,
            width,
            channels: channels(self.model),
        });
        let options = ModelOptions {
            sample,
            classes: self.image.is_some().then_some(self.classes),
            ..ModelOptions::default()
        };
        let model = models::build(self.model, options).expect("it is a model");
        let optimizer: &dyn Optimizer = if self.adam {
            &Adam::default()
        } else {
            &Sgd::default()
        };
        let count = 2 * self.batch + 1;
        let source = |part| Source {
            window_bytes: self.limits.binding_bytes,
            ..Source::whole(part, model.sample, count, self.batch)
        };
        let kernels = || self.limits.clone();
        [
            steps::train_plan(
                &model,
                &source(Part::Train),
                self.batch,
                optimizer,
                kernels(),
            ),
            steps::evaluate_plan(&model, &source(Part::Test), self.batch, kernels()),
        ]
    }
}

/// Small nets for what tests of operations call tight, and for the two kinds of adapters.
pub fn listed() -> Vec<Case> {
    let net = |model, image, classes, batch| Case {
        model,
        image,
        classes,
        batch,
        adam: batch == 3,
        limits: AdapterClass::Tight.limits(),
    };
    let nets = [
        net("mnist-cnn-spinal", Some([28, 28]), 10, 40),
        net("mnist-cnn-baseline", Some([28, 28]), 10, 3),
        net("custom-spinal", Some([29, 31]), 3, 1),
        net("regression-spinal", None, 1, 3),
        net("mlp-baseline", Some([28, 28]), 10, 100),
    ];
    let classes = [AdapterClass::Tight, AdapterClass::Gpu, AdapterClass::Cpu];
    let pairs = nets
        .into_iter()
        .flat_map(|net| classes.map(|class| (net.clone(), class)));
    pairs
        .map(|(net, class)| Case {
            limits: class.limits(),
            ..net
        })
        .collect()
}

/// Any net of the list on images a little larger than the smallest, for any limits.
pub fn cases() -> impl Strategy<Value = Case> {
    let net = (
        proptest::sample::select(&NETS[..]),
        0..17u32,
        0..17u32,
        1..12u32,
    );
    (net, 2..40u32, any::<bool>(), limits()).prop_map(
        |(((model, _, side), wider, higher, classes), batch, adam, limits)| Case {
            model,
            image: Some([side + higher, side + wider]),
            classes,
            batch,
            adam,
            limits,
        },
    )
}

fn limits() -> impl Strategy<Value = Limits> {
    let subgroups = proptest::sample::select(vec![
        None,
        Some([4, 4]),
        Some([8, 8]),
        Some([8, 32]),
        Some([32, 32]),
    ]);
    let sizes = (9..17u32, 18..28u32, 6..16u32, 14..17u32, 8..11u32);
    (sizes, 4..32u32, subgroups, any::<bool>(), any::<bool>()).prop_map(
        |((loops, binding, grid, shared, invocations), storage, subgroup_sizes, int64, is_cpu)| {
            Limits {
                loop_iterations: (1 << loops) - 1,
                binding_bytes: 1 << binding,
                grid: (1 << grid) - 1,
                workgroup_bytes: 1 << shared,
                workgroup_invocations: 1 << invocations,
                storage_buffers: storage.max(8),
                subgroup_sizes,
                int64,
                is_cpu,
                ..Limits::webgpu()
            }
        },
    )
}
