//! The steps of a training, for measuring their kernels.

use std::rc::Rc;

use super::config::Config;
use super::resident::Dataset;
use super::sources::Sources;
use crate::error::Result;
use crate::models::initial_values;
use crate::plan::Limits;
use crate::steps::{evaluate_plan, parts_of_step, train_step};
use crate::tune::Subject;

/// The training and the evaluation step of every net that `config` trains on an adapter of these limits, for measuring their
/// kernels.
///
/// # Errors
/// As [`Trainer::new`](super::Trainer::new), where the nets and the data set do not fit.
pub fn subjects(
    config: &Config,
    dataset: &Dataset,
    limits: &Limits,
) -> Result<Vec<Subject<'static>>> {
    let split = dataset.split(config.validation)?;
    let models = config.build_models(dataset)?;
    let mut subjects = Vec::new();
    for model in models {
        let sources = Sources::new(config, dataset, &split, &model, limits)?;
        let parameters = initial_values(&model.parameters, 1).parameters;
        let (model, optimizer) = (Rc::new(model), Rc::new(config.optimizer()));
        if let Some(source) = sources.train {
            for part in 0..parts_of_step(&source) {
                let (model, optimizer) = (Rc::clone(&model), Rc::clone(&optimizer));
                subjects.push(Subject {
                    record: Box::new(move |kernels| {
                        let batch = source.batch_size;
                        let step = train_step(&model, &source, batch, &**optimizer, kernels);
                        step.parts[part].0.clone()
                    }),
                    parameters: parameters.clone(),
                });
            }
        }
        let source = sources.test;
        subjects.push(Subject {
            record: Box::new(move |kernels| {
                evaluate_plan(&model, &source, source.batch_size, kernels.clone())
            }),
            parameters,
        });
    }
    Ok(subjects)
}
