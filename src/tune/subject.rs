//! What is tuned: plans that hold the operations of a model on their real shapes.

use crate::batch::{Part, Source};
use crate::models::{Model, initial_values};
use crate::optim::Sgd;
use crate::plan::{Kernels, Plan};
use crate::steps::{forward_plan, train_plan};

/// A plan whose operations are tuned, and what its parameters buffer holds.
pub struct Subject<'a> {
    /// Records the plan with the given kernels.
    pub record: Box<dyn Fn(&Kernels) -> Plan + 'a>,
    /// Initial parameters, in their device layout.
    pub parameters: Vec<f32>,
}

/// The plans of a training step (SGD with momentum) and of an inference, for measuring their kernels.
pub fn subjects(model: &Model, batch: u32) -> [Subject<'_>; 2] {
    let source = Source::whole(Part::Train, model.sample, batch * 2, batch);
    let parameters = initial_values(&model.parameters, 1).parameters;
    let train = move |kernels: &Kernels| {
        let optimizer = Sgd {
            momentum: 0.5,
            ..Sgd::default()
        };
        train_plan(model, &source, batch, &optimizer, kernels.clone())
    };
    let infer = move |kernels: &Kernels| forward_plan(model, batch, kernels.clone());
    [
        Subject {
            record: Box::new(train),
            parameters: parameters.clone(),
        },
        Subject {
            record: Box::new(infer),
            parameters,
        },
    ]
}
