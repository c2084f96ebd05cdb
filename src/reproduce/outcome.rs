//! What a reproduction found, computed from the runs in its folder.

use std::path::Path;

use serde::Serialize;

use super::comparison::Comparison;
use super::folder::Folder;
use super::protocol::Protocol;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::models::{self, WeightsMetadata};
use crate::report::curves;
use crate::report::history::{History, read_toml};
use crate::report::measure::{Measure, Reading};
use crate::report::metrics::EpochRecord;
use crate::report::paper::{self, PaperNumber};
use crate::report::run_folder::RunFolder;
use crate::report::statistics::mean_and_deviation;
use crate::steps::multiplications;
use crate::train::Config;

/// What a reproduction was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The experiment.
    pub experiment: &'a Experiment,
    /// The protocol.
    pub protocol: Protocol,
    /// What its trainings have in common.
    pub config: &'a Config,
    /// The command, as it was typed.
    pub command: &'a str,
}

/// What came out: the content of `results.json`.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The experiment.
    pub experiment: String,
    /// The protocol.
    pub protocol: Protocol,
    /// What it does.
    pub protocol_description: String,
    /// The command that wrote this.
    pub command: String,
    /// The day of that, in UTC.
    pub date: String,
    /// The version of the program.
    pub spinal: String,
    /// The devices that the runs were trained on, with backend and driver.
    pub devices: Vec<String>,
    /// What a reader must know of the authors' script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caveat: Option<&'static str>,
    /// Passes over the training data.
    pub epochs: usize,
    /// Training samples used, at most; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_train: Option<usize>,
    /// Test samples used, at most; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_test: Option<usize>,
    /// What each net costs.
    pub nets: Vec<NetCost>,
    /// What came out on each data set or function with a finished seed.
    pub cases: Vec<Case>,
    /// Their learning curves.
    #[serde(skip)]
    pub(super) curves: Vec<curves::Row>,
}

/// What a net costs.
#[derive(Debug, PartialEq, Serialize)]
pub struct NetCost {
    /// The net.
    pub net: String,
    /// Its model: `FAMILY-NET`.
    pub model: String,
    /// Learnable parameters.
    pub parameters: u64,
    /// Multiplications of one forward pass of one sample.
    pub multiplications: u64,
}

/// A data set or function.
#[derive(Debug, Serialize)]
pub struct Case {
    /// Its name.
    pub data: String,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// What was measured, the measure of the protocol first.
    pub measures: Vec<Measured>,
    /// What the paper has of these nets, as far as they were trained.
    pub beside_paper: Vec<BesidePaper>,
    /// The best SpinalNet of the paper on this data set.
    pub best_of_paper: Option<paper::Best>,
}

/// A measure of all nets.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// The measure.
    pub measure: Measure,
    /// In words.
    pub name: &'static str,
    /// The nets.
    pub nets: Vec<NetValues>,
    /// Each net but the reference, held against that.
    pub comparisons: Vec<Comparison>,
}

/// A measure of one net.
#[derive(Debug, Serialize)]
pub struct NetValues {
    /// The net.
    pub net: String,
    /// The value of each seed: fractions for accuracies, losses as they are.
    pub values: Vec<f64>,
    /// The epoch of each.
    pub epochs: Vec<usize>,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// What the paper has of it after as many epochs; nothing where that is not known.
    pub paper: Option<PaperNumber>,
}

/// A number of the paper and what was measured for it.
#[derive(Debug, Serialize)]
pub struct BesidePaper {
    /// The net.
    pub net: String,
    /// The paper's number.
    pub paper: PaperNumber,
    /// The mean over seeds.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
}

impl Outcome {
    /// Reads the finished runs of a folder; nothing if there are none.
    ///
    /// # Errors
    /// `Error::File` if one of them is not as it was left.
    pub fn read(folder: &Folder, task: &Task) -> Result<Option<Self>> {
        let mut runs = Vec::new();
        for data in folder.data() {
            let seeds = folder.finished_seeds(data)?;
            if !seeds.is_empty() {
                runs.push(Runs::read(folder, data, seeds, task.config)?);
            }
        }
        let Some(first) = runs.first() else {
            return Ok(None);
        };
        let nets = task.config.nets.iter();
        let costs = nets.map(|net| cost(first.run(), net));
        let nets = costs.collect::<Result<Vec<_>>>()?;
        let mut devices: Vec<String> = runs.iter().flat_map(|runs| runs.devices.clone()).collect();
        devices.sort();
        devices.dedup();
        let kind = task.experiment.data;
        Ok(Some(Self {
            experiment: task.experiment.name.to_owned(),
            caveat: task.experiment.caveat,
            protocol: task.protocol,
            protocol_description: task.protocol.description(kind).to_owned(),
            command: task.command.to_owned(),
            date: time::OffsetDateTime::now_utc().date().to_string(),
            spinal: env!("CARGO_PKG_VERSION").to_owned(),
            devices,
            epochs: task.config.epochs,
            limit_train: task.config.limit_train,
            limit_test: task.config.limit_test,
            cases: runs.iter().map(|runs| runs.case(task, &nets)).collect(),
            curves: runs.iter().map(|runs| runs.curves(task)).collect(),
            nets,
        }))
    }
}

/// The finished runs on a data set.
struct Runs {
    data: String,
    seeds: Vec<u64>,
    folders: Vec<RunFolder>,
    histories: Vec<History>,
    devices: Vec<String>,
}

impl Runs {
    fn read(folder: &Folder, data: &str, seeds: Vec<u64>, config: &Config) -> Result<Self> {
        let run = |&seed| RunFolder::existing(folder.seed(data, seed).finished());
        let folders: Vec<RunFolder> = seeds.iter().map(run).collect();
        let histories = folders.iter().map(|run| whole_history(run, config));
        let devices = folders.iter().map(|run| device(&run.config()));
        Ok(Self {
            data: data.to_owned(),
            histories: histories.collect::<Result<_>>()?,
            devices: devices.collect::<Result<_>>()?,
            seeds,
            folders,
        })
    }

    /// One of them.
    fn run(&self) -> &RunFolder {
        &self.folders[0]
    }

    fn case(&self, task: &Task, nets: &[NetCost]) -> Case {
        let measures = task.protocol.measures(task.experiment.data);
        Case {
            data: self.data.clone(),
            seeds: self.seeds.clone(),
            measures: measures
                .iter()
                .map(|&measure| self.measured(measure, task.config.epochs, nets))
                .collect(),
            beside_paper: nets.iter().flat_map(|net| self.beside_paper(net)).collect(),
            best_of_paper: paper::best(&self.data),
        }
    }

    /// What a measure finds in the first `epochs` epochs of each seed; nothing if a seed has none.
    fn readings(&self, measure: Measure, net: &str, epochs: usize) -> Option<Vec<Reading>> {
        let histories = self.histories.iter();
        histories
            .map(|history| measure.read(history, net, epochs))
            .collect()
    }

    fn measured(&self, measure: Measure, epochs: usize, nets: &[NetCost]) -> Measured {
        let values = |cost: &NetCost| {
            let readings = self.readings(measure, &cost.net, epochs)?;
            let values: Vec<f64> = readings.iter().map(|reading| reading.value).collect();
            let (mean, deviation) = mean_and_deviation(&values);
            let mut numbers = paper::numbers(&cost.model, &self.data).into_iter();
            Some(NetValues {
                net: cost.net.clone(),
                values,
                epochs: readings.iter().map(|reading| reading.epoch).collect(),
                mean,
                deviation,
                paper: numbers.find(|number| {
                    number.measure == measure && number.epochs.is_none_or(|told| told == epochs)
                }),
            })
        };
        let nets: Vec<NetValues> = nets.iter().filter_map(values).collect();
        Measured {
            measure,
            name: measure.name(),
            comparisons: compare(measure, &nets),
            nets,
        }
    }

    fn beside_paper(&self, cost: &NetCost) -> Vec<BesidePaper> {
        let trained = self.histories.iter().map(|history| {
            let epochs = history.of_net(&cost.net).into_iter();
            epochs.map(|record| record.epoch).max().unwrap_or(0)
        });
        let trained = trained.min().unwrap_or(0);
        let numbers = paper::numbers(&cost.model, &self.data).into_iter();
        let known = numbers.filter_map(|number| {
            let epochs = number.epochs.unwrap_or(trained);
            let readings = self.readings(number.measure, &cost.net, epochs)?;
            let values: Vec<f64> = readings.iter().map(|reading| reading.value).collect();
            let (mean, deviation) = mean_and_deviation(&values);
            (epochs <= trained).then(|| BesidePaper {
                net: cost.net.clone(),
                paper: number,
                mean,
                deviation,
            })
        });
        known.collect()
    }

    fn curves(&self, task: &Task) -> curves::Row {
        let of_net = |net: &String| curves::Curve {
            name: net.clone(),
            runs: self
                .histories
                .iter()
                .map(|history| history.of_net(net))
                .collect(),
        };
        let protocol = task.protocol.name();
        let seeds = match self.seeds.len() {
            1 => "one seed".to_owned(),
            count => format!("{count} seeds"),
        };
        curves::Row {
            title: format!(
                "{} on {} ({protocol}, {seeds})",
                task.experiment.name, self.data
            ),
            nets: task.config.nets.iter().map(of_net).collect(),
        }
    }
}

/// Every net against `baseline` or, where there is none, against the first.
fn compare(measure: Measure, nets: &[NetValues]) -> Vec<Comparison> {
    let baseline = nets.iter().find(|net| net.net == "baseline");
    let Some(reference) = baseline.or(nets.first()) else {
        return Vec::new();
    };
    let others = nets.iter().filter(|net| net.net != reference.net);
    others
        .map(|net| {
            Comparison::new(
                measure,
                (&net.net, &net.values),
                (&reference.net, &reference.values),
            )
        })
        .collect()
}

/// What the net of a run costs, by the file of its weights.
fn cost(run: &RunFolder, net: &str) -> Result<NetCost> {
    let weights = run.weights(net);
    let metadata = WeightsMetadata::read_any(&weights)?.ok_or_else(|| {
        Error::file(
            &weights,
            "does not say which network it is of",
            "remove the folder of the run, and it is trained anew",
        )
    })?;
    let model = models::build(&metadata.model, metadata.network)?;
    Ok(NetCost {
        net: net.to_owned(),
        parameters: model.parameters.count(),
        multiplications: multiplications(&model),
        model: model.name,
    })
}

/// The history of a finished run of `config`.
fn whole_history(run: &RunFolder, config: &Config) -> Result<History> {
    let history = History::read(&run.metrics())?;
    for net in &config.nets {
        if let Some(epoch) = missing_epoch(&history.of_net(net), config) {
            return Err(Error::file(
                run.metrics(),
                format!("epoch {epoch} of {net} is missing"),
                "put the file back as the run left it, or remove its folder to train this seed anew",
            ));
        }
    }
    Ok(history)
}

/// The first epoch that a net has not in its place, if it was not stopped before for want of progress.
fn missing_epoch(records: &[EpochRecord], config: &Config) -> Option<usize> {
    let in_place = (1..).zip(records);
    let in_place = in_place.take_while(|(epoch, record)| record.epoch == *epoch);
    let epochs = in_place.count();
    let best = EpochRecord::best(&records[..epochs]).map_or(0, |best| best.epoch);
    let was_stopped = config
        .patience
        .is_some_and(|patience| epochs == records.len() && epochs - best >= patience);
    (epochs < config.epochs.max(records.len()) && !was_stopped).then_some(epochs + 1)
}

/// The device that a run was trained on.
fn device(config: &Path) -> Result<String> {
    let config = read_toml(config)?;
    let entry = |key: &str| {
        let environment = config.get("environment")?;
        environment.get(key)?.as_str()
    };
    let text = |key| entry(key).unwrap_or("?");
    Ok(format!(
        "{} ({}, {})",
        text("adapter"),
        text("backend"),
        text("driver")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment;

    fn records(epochs: &[usize], accuracies: &[f64]) -> Vec<EpochRecord> {
        let record = |(epoch, accuracy)| {
            let line = format!(r#"{{"net":"a","epoch":{epoch},"test_accuracy":{accuracy}}}"#);
            serde_json::from_str(&line).unwrap()
        };
        epochs.iter().zip(accuracies).map(record).collect()
    }

    #[test]
    fn an_epoch_that_is_missing_is_told() {
        let experiment = experiment::find("mnist-cnn").unwrap();
        let config = |patience| Config {
            epochs: 3,
            patience,
            ..Config::of_recipe(experiment, &["spinal"], None)
        };
        let missing = |epochs: &[usize], patience| {
            let accuracies = [0.5, 0.4, 0.3, 0.2];
            missing_epoch(&records(epochs, &accuracies), &config(patience))
        };
        assert_eq!(missing(&[1, 2, 3], None), None);
        assert_eq!(missing(&[1, 2], None), Some(3));
        assert_eq!(missing(&[1, 3], None), Some(2));
        assert_eq!(missing(&[1, 2, 2, 3], None), Some(3));
        assert_eq!(missing(&[], None), Some(1));
        assert_eq!(missing(&[1, 2], Some(1)), None);
        assert_eq!(missing(&[1, 2], Some(2)), Some(3));
        assert_eq!(missing(&[2, 3], Some(1)), Some(1));
    }
}
