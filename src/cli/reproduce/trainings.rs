//! The trainings of a reproduction that are missing, one after another.

use crate::cli::device::DeviceFlags;
use crate::cli::interruption::Interruption;
use crate::cli::kernels::use_winners;
use crate::cli::output::note;
use crate::cli::train::recorder::Recorder;
use crate::cli::train::{dataset, files};
use crate::data::digest;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::reproduce::outcome::Task;
use crate::reproduce::seed::SeedFolder;
use crate::reproduce::{Conditions, Folder, Outcome};
use crate::train::{self, Config, End, Trainer};

/// Trains the seeds 1 to `seeds` as far as they are not, and writes the outcome after each.
pub fn run(folder: &Folder, task: &Task, seeds: u64, flags: &DeviceFlags) -> Result<()> {
    let all = (1..=seeds).flat_map(|seed| folder.data().iter().map(move |data| (seed, data)));
    let missing: Vec<_> = all
        .filter(|(seed, data)| !folder.seed(data, *seed).is_finished())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut device = flags.open()?;
    let interruption = Interruption::catch();
    let mut lock = None;
    let weights = task.config.weights.as_deref().map(digest::of_file);
    let weights = weights.transpose()?;
    for (seed, data) in missing {
        note(format!("{data}, seed {seed} of {seeds}"));
        let config = Config {
            data: data.clone(),
            seed,
            ..task.config.clone()
        };
        let mut dataset = dataset::read(&config, task.experiment)?;
        let digest = dataset.digest()?;
        dataset::limit(&mut dataset, &config);
        // Kernels are measured for the first seed, and kept for the others.
        let adapter = device.limits().clone();
        match folder.conditions()? {
            Some(found) if device.kernels().winners().is_some() => {
                use_winners(&mut device, found.winners);
            }
            Some(_) => {}
            None => {
                let subjects = || train::subjects(&config, &dataset, &adapter);
                flags.kernels.refine(&mut device, subjects)?;
            }
        }
        let subjects = train::subjects(&config, &dataset, &adapter)?;
        let conditions = Conditions::on(&device, [digest, weights.clone()], &subjects);
        folder.check(&conditions)?;
        let mut trainer = Trainer::new(&device, config.clone(), dataset)?;
        trainer.notes().iter().for_each(note);
        trainer.micro_batch_note().into_iter().for_each(note);
        // Nothing is created before it is clear that there is something to train.
        if lock.is_none() {
            lock = Some(folder.open(&conditions)?);
        }
        let seed = folder.seed(data, seed);
        if train_seed(&mut trainer, &config, &device, &seed, &interruption)? == End::Interrupted {
            return Err(Error::training(
                "interrupted: finished seeds are kept, and most epochs of the unfinished one",
                format!("repeat the command to go on: {}", task.command),
            ));
        }
        if let Some(outcome) = Outcome::read(folder, task)? {
            outcome.write(folder)?;
        }
    }
    Ok(())
}

/// Trains a seed to the end, from the start or from where it was.
fn train_seed(
    trainer: &mut Trainer,
    config: &Config,
    device: &Device,
    seed: &SeedFolder,
    interruption: &Interruption,
) -> Result<End> {
    let (unfinished, epochs) = seed.start(trainer, &Environment::of(device))?;
    let run = &unfinished.run;
    if epochs.is_empty() {
        files::write_config(run, config, device)?;
    } else {
        note(format!("going on in {}", run.path().display()));
    }
    let recorder = Recorder::new(run, interruption.clone())?;
    let mut recorder = recorder.going_on(epochs, unfinished.states());
    if trainer.run(&mut recorder)? == End::Interrupted {
        return Ok(End::Interrupted);
    }
    files::write_weights(run, trainer, config)?;
    files::write_curves(run, config, &recorder.epochs)?;
    unfinished.finish()?;
    Ok(End::Completed)
}
