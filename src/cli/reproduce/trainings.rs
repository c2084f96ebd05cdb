//! The trainings of a reproduction that are missing, one after another.

use crate::cli::device::DeviceFlags;
use crate::cli::interruption::Interruption;
use crate::cli::output::note;
use crate::cli::train::run::Run;
use crate::cli::train::{dataset, digest_of_weights};
use crate::environment::Environment;
use crate::error::Result;
use crate::gpu::Device;
use crate::reproduce::outcome::Task;
use crate::reproduce::{Folder, Outcome};
use crate::resume::{Conditions, ConfigFile, Rhythm, lock};
use crate::train::{self, Config, Dataset, End, Trainer};

/// The trainings.
pub struct Trainings<'a> {
    /// Where.
    pub folder: &'a Folder,
    /// What they have in common.
    pub task: &'a Task<'a>,
    /// On which device.
    pub flags: &'a DeviceFlags,
    /// How often they are saved.
    pub rhythm: Rhythm,
}

impl Trainings<'_> {
    /// Trains the seeds 1 to `seeds` as far as they are not, and writes the outcome after each. Those that another process
    /// works on are left to it.
    ///
    /// # Errors
    /// What the trainings say, and `Error::File` if seeds were left to others.
    pub fn run(&self, seeds: u64) -> Result<()> {
        let data = self.folder.data();
        let all = (1..=seeds).flat_map(|seed| data.iter().map(move |data| (seed, data)));
        let missing = all.filter(|(seed, data)| !self.folder.seed(data, *seed).is_finished());
        let missing: Vec<_> = missing.collect();
        let mut bench = None;
        for &(seed, data) in &missing {
            let place = self.folder.seed(data, seed);
            // By now another process may have got there.
            if place.is_finished() || place.is_taken() {
                continue;
            }
            note(format!("{data}, seed {seed} of {seeds}"));
            if bench.is_none() {
                bench = Some((self.flags.open()?, Interruption::catch()));
            }
            let (device, interruption) = bench.as_mut().expect("it was made");
            let config = Config {
                data: data.clone(),
                seed,
                ..self.task.config.clone()
            };
            self.train(&config, device, interruption)?;
        }
        let taken = missing
            .iter()
            .map(|(seed, data)| self.folder.seed(data, *seed));
        match taken.into_iter().find(|place| !place.is_finished()) {
            Some(place) => Err(lock::busy(place.unfinished())),
            None => Ok(()),
        }
    }

    /// Trains a seed to the end, from the start or from where it was, unless another process has begun to.
    fn train(
        &self,
        config: &Config,
        device: &mut Device,
        interruption: &Interruption,
    ) -> Result<()> {
        let mut dataset = dataset::read(config, self.task.experiment)?;
        let digests = [dataset.digest()?, digest_of_weights(config)?];
        dataset::limit(&mut dataset, config);
        self.choose_kernels(config, &dataset, device)?;
        let mut trainer = Trainer::new(device, config.clone(), dataset)?;
        let conditions = Conditions::on(device, digests, trainer.plans());
        self.folder.check(&conditions)?;
        trainer.notes().iter().for_each(note);
        trainer.micro_batch_note().into_iter().for_each(note);
        // Nothing is created before it is clear that there is something to train.
        self.folder.open(&conditions)?;
        let place = self.folder.seed(&config.data, config.seed);
        let Some(mut seed) = place.start(config, &conditions)? else {
            return Ok(());
        };
        let saved = seed.saved.take();
        let run = Run {
            folder: &seed.run,
            file: ConfigFile {
                config: config.clone(),
                environment: Environment::of(device),
                history: Vec::new(),
            },
            conditions,
            rhythm: self.rhythm,
            interruption,
            command: self.task.command,
        };
        let (end, _) = run.train(&mut trainer, saved)?;
        if end == End::Interrupted {
            return Err(interruption.error(
                format!(
                    "interrupted {}: it is saved, and so are finished seeds",
                    trainer.progress().describe()
                ),
                format!("repeat the command to go on: {}", self.task.command),
            ));
        }
        seed.finish()?;
        match Outcome::read(self.folder, self.task)? {
            Some(outcome) => outcome.write(self.folder),
            None => Ok(()),
        }
    }

    /// Kernels are measured for the first seed, and kept for the others.
    fn choose_kernels(
        &self,
        config: &Config,
        dataset: &Dataset,
        device: &mut Device,
    ) -> Result<()> {
        match self.folder.conditions()? {
            Some(found) => {
                self.flags.kernels.keep(device, &found.winners);
                Ok(())
            }
            None => {
                let limits = device.limits().clone();
                let subjects = || train::subjects(config, dataset, &limits);
                self.flags.kernels.refine(device, subjects)
            }
        }
    }
}
