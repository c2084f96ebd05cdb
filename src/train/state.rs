//! A training that goes on where another stopped.

use super::Trainer;
use super::net::Net;
use super::progress::{Progress, State};
use crate::checkpoint::NamedTensor;
use crate::error::Result;
use crate::plan::Values;

/// The name of the losses of the steps of an epoch that is not done.
const LOSSES: &str = "losses";

impl Trainer<'_> {
    /// What a training goes on from: parameters, running statistics, the state of the optimiser and where they are kept the
    /// weights of the best epoch, of all nets, and the losses of the steps of the epoch under way.
    ///
    /// # Errors
    /// `Error::Training` if there is a number in it that is none: from there nothing goes on.
    pub fn state(&self) -> Result<State> {
        let mut tensors = Vec::new();
        for net in &self.nets {
            for label in net.state_labels() {
                let values = self.memory.read_state(self.device, net.index, label)?;
                if let Some(cause) = net.unsound(label, &values) {
                    return Err(net.divergence(self.progress.epoch, &cause));
                }
                tensors.push(named(current_name(net, label), values));
            }
            if let Some(best) = &net.best.values {
                let values = [&best.parameters, &best.statistics];
                for (label, values) in net.weight_labels().into_iter().zip(values) {
                    tensors.push(named(best_name(net, label), values.clone()));
                }
            }
        }
        if self.progress.steps > 0 {
            tensors.push(named(LOSSES.to_owned(), self.losses()?));
        }
        Ok(State {
            progress: self.progress.clone(),
            tensors,
        })
    }

    /// Names and shapes of what is on the device at some place of the training.
    pub fn state_shapes(&self, progress: &Progress) -> Vec<(String, Vec<usize>)> {
        let mut shapes = Vec::new();
        for net in &self.nets {
            let shape = |label| {
                let bytes = self.memory.state_bytes(net.index, label);
                vec![bytes as usize / size_of::<f32>()]
            };
            let current = net.state_labels().into_iter();
            shapes.extend(current.map(|label| (current_name(net, label), shape(label))));
            let mut records = progress.records.iter();
            if self.config.reload_best && records.any(|record| record.net == net.name()) {
                let best = net.weight_labels().into_iter();
                shapes.extend(best.map(|label| (best_name(net, label), shape(label))));
            }
        }
        if progress.steps > 0 {
            shapes.push((LOSSES.to_owned(), vec![progress.steps as usize]));
        }
        shapes
    }

    /// Goes on from a state. A training that stops and goes on like this is the same, bit for bit, as one that does not.
    ///
    /// # Errors
    /// What is wrong with it, if no training of this configuration comes to this state.
    ///
    /// # Panics
    /// If the tensors are not those of [`state_shapes`](Self::state_shapes).
    pub fn resume(&mut self, state: State) -> std::result::Result<(), String> {
        let State { progress, tensors } = state;
        let steps = self.train_source().steps();
        if progress.net >= self.nets.len() || progress.steps > steps || progress.epoch == 0 {
            return Err("there is no such place in this training".to_owned());
        }
        let mut tensors = tensors.into_iter();
        let mut values_of = |name: String| {
            let tensor = tensors.next().expect("there is a tensor for every name");
            assert_eq!(tensor.name, name);
            tensor.values
        };
        for (index, net) in self.nets.iter_mut().enumerate() {
            for label in net.state_labels() {
                let values = values_of(current_name(net, label));
                let bytes = bytemuck::cast_slice(&values);
                self.memory
                    .write_state(self.device, net.index, label, bytes);
            }
            let mut epochs = 0;
            for record in &progress.records {
                if record.net != net.name() {
                    continue;
                }
                epochs += 1;
                if record.epoch != epochs {
                    return Err(format!("epoch {epochs} of {} is missing", net.name()));
                }
                // What the verdict calls for on the device is in the state that was saved there.
                net.judge(epochs, record.score(), steps, &self.config);
            }
            let expected = progress.epochs_of(index);
            if epochs > expected || (epochs < expected && !net.stopped) {
                return Err(format!("{} has {epochs} epochs, of {expected}", net.name()));
            }
            if self.config.reload_best && epochs > 0 {
                let labels = net.weight_labels().into_iter();
                let mut values = labels.map(|label| values_of(best_name(net, label)));
                net.best.values = Some(Values {
                    parameters: values.next().expect("every net has parameters"),
                    statistics: values.next().unwrap_or_default(),
                });
            }
        }
        if progress.steps > 0 {
            let losses = values_of(LOSSES.to_owned());
            let bytes = bytemuck::cast_slice(&losses);
            self.memory.write_data(self.device, "train.losses", bytes);
        }
        self.progress = progress;
        Ok(())
    }
}

fn current_name(net: &Net, label: &str) -> String {
    format!("{}.{label}", net.name())
}

fn best_name(net: &Net, label: &str) -> String {
    format!("{}.best.{label}", net.name())
}

fn named(name: String, values: Vec<f32>) -> NamedTensor {
    NamedTensor {
        name,
        shape: vec![values.len()],
        values,
    }
}
