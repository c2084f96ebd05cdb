//! A training that goes on where another stopped: what it has on the device, and the scores that the rest follows from.

use super::Trainer;
use super::net::Net;
use crate::checkpoint::NamedTensor;
use crate::error::Result;
use crate::plan::Values;
use crate::report::metrics::EpochRecord;

impl Trainer<'_> {
    /// What nets that have trained an epoch go on from: parameters, running statistics, the state of the optimiser, and where
    /// they are kept the weights of the best epoch. In the order of [`state_shapes`](Self::state_shapes).
    pub fn state(&self) -> Result<Vec<NamedTensor>> {
        let mut tensors = Vec::new();
        for net in &self.nets {
            for label in net.state_labels() {
                let values = self.memory.read_state(self.device, net.index, label)?;
                tensors.push(named(current_name(net, label), values));
            }
            if let Some(best) = &net.best.values {
                let values = [&best.parameters, &best.statistics];
                for (label, values) in net.weight_labels().into_iter().zip(values) {
                    tensors.push(named(best_name(net, label), values.clone()));
                }
            }
        }
        Ok(tensors)
    }

    /// Names and shapes of the state.
    pub fn state_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let mut shapes = Vec::new();
        for net in &self.nets {
            let shape = |label| {
                let bytes = self.memory.state_bytes(net.index, label);
                vec![bytes as usize / size_of::<f32>()]
            };
            let current = net.state_labels().into_iter();
            shapes.extend(current.map(|label| (current_name(net, label), shape(label))));
            if self.config.reload_best {
                let best = net.weight_labels().into_iter();
                shapes.extend(best.map(|label| (best_name(net, label), shape(label))));
            }
        }
        shapes
    }

    /// Goes on after the last of the epochs that are recorded, with the state at its end. A training that is interrupted and
    /// goes on like this is the same, bit for bit, as one that is not.
    ///
    /// # Panics
    /// If the tensors are not those of [`state_shapes`](Self::state_shapes), or if the records of a net miss an epoch.
    pub fn resume(&mut self, state: Vec<NamedTensor>, records: &[EpochRecord]) {
        let mut tensors = state.into_iter();
        let mut values_of = |name: String| {
            let tensor = tensors.next().expect("there is a tensor for every name");
            assert_eq!(tensor.name, name);
            tensor.values
        };
        let steps = self.train_source().steps();
        for net in &mut self.nets {
            for label in net.state_labels() {
                let values = values_of(current_name(net, label));
                let bytes = bytemuck::cast_slice(&values);
                self.memory
                    .write_state(self.device, net.index, label, bytes);
            }
            if self.config.reload_best {
                let labels = net.weight_labels().into_iter();
                let mut values = labels.map(|label| values_of(best_name(net, label)));
                net.best.values = Some(Values {
                    parameters: values.next().expect("every net has parameters"),
                    statistics: values.next().unwrap_or_default(),
                });
            }
            let mut epoch = 0;
            for record in records {
                if record.net == net.name() {
                    epoch += 1;
                    assert_eq!(record.epoch, epoch, "an epoch of {}", record.net);
                    net.replay(steps, epoch, record.score(), &self.config);
                }
            }
        }
        let epochs = records.iter().map(|record| record.epoch);
        self.epochs_done = epochs.max().unwrap_or(0);
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
