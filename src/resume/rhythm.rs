//! How often a training is saved.

use std::str::FromStr;
use std::time::{Duration, Instant};

/// The longest time between two checkpoints unless the user says otherwise.
const TIME: Duration = Duration::from_secs(300);

/// How much longer than writing a checkpoint took a training goes on before it writes the next of its own accord.
const PAUSE: u32 = 20;

/// How often a training is saved; at its end and where it is interrupted it is in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rhythm {
    /// Every five minutes and after every epoch, but not so often that it takes a twentieth of the time.
    Sparing,
    /// When so much time is over, within an epoch too.
    Time(Duration),
    /// After every so many epochs.
    Epochs(usize),
}

impl FromStr for Rhythm {
    type Err = String;

    /// A number of epochs, or a time in seconds, minutes or hours: `3`, `90s`, `5m`, `2h`; `500ms`, too.
    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
        let time = units.iter().find_map(|&(unit, milliseconds)| {
            let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
            Some(Duration::from_millis(u64::from(count) * milliseconds))
        });
        match (time, text.parse::<u32>()) {
            (Some(time), _) if !time.is_zero() => Ok(Self::Time(time)),
            (None, Ok(epochs)) if epochs > 0 => Ok(Self::Epochs(epochs as usize)),
            _ => Err("give a time such as 90s, 5m or 2h, or a number of epochs".to_owned()),
        }
    }
}

/// Tells when a training is to be saved.
#[derive(Debug)]
pub struct Metronome {
    rhythm: Rhythm,
    saved: Instant,
    cost: Duration,
}

impl Metronome {
    /// Starts with the training.
    pub fn new(rhythm: Rhythm) -> Self {
        Self {
            rhythm,
            saved: Instant::now(),
            cost: Duration::ZERO,
        }
    }

    /// Whether to save now, wherever in an epoch the training is.
    pub fn is_time(&self) -> bool {
        match self.rhythm {
            Rhythm::Sparing => self.saved.elapsed() >= TIME.max(self.pause()),
            Rhythm::Time(time) => self.saved.elapsed() >= time,
            Rhythm::Epochs(_) => false,
        }
    }

    /// Whether to save after so many epochs of all nets.
    pub fn is_epoch(&self, epochs: usize) -> bool {
        match self.rhythm {
            Rhythm::Sparing => self.saved.elapsed() >= self.pause(),
            Rhythm::Time(_) => self.is_time(),
            Rhythm::Epochs(every) => epochs.is_multiple_of(every),
        }
    }

    /// Hears that the training has been saved, and since when.
    pub fn saved(&mut self, since: Instant) {
        self.saved = Instant::now();
        self.cost = self.saved - since;
    }

    fn pause(&self) -> Duration {
        PAUSE * self.cost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_of_epochs_are_understood() {
        let seconds = |count| Ok(Rhythm::Time(Duration::from_secs(count)));
        assert_eq!("90s".parse(), seconds(90));
        assert_eq!("5m".parse(), seconds(300));
        assert_eq!("2h".parse(), seconds(7200));
        assert_eq!("3000ms".parse(), seconds(3));
        assert_eq!("3".parse(), Ok(Rhythm::Epochs(3)));
        for text in ["", "0", "0m", "m", "-1", "1.5h", "5 m", "99999999999", "3d"] {
            assert!(text.parse::<Rhythm>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_training_is_saved_by_time_or_by_epoch() {
        let hour = Duration::from_secs(3600);
        let after = |rhythm, elapsed| Metronome {
            saved: Instant::now().checked_sub(elapsed).unwrap(),
            ..Metronome::new(rhythm)
        };
        let second = Duration::from_secs(1);
        let minutes = after(Rhythm::Time(60 * second), 59 * second);
        assert!(!minutes.is_time() && !minutes.is_epoch(1));
        let minutes = after(Rhythm::Time(60 * second), 61 * second);
        assert!(minutes.is_time() && minutes.is_epoch(1));
        let epochs = after(Rhythm::Epochs(3), 2 * hour);
        assert!(!epochs.is_time() && !epochs.is_epoch(2) && epochs.is_epoch(6));
    }

    #[test]
    fn of_its_own_accord_it_is_saved_only_as_often_as_that_is_cheap() {
        let mut metronome = Metronome::new(Rhythm::Sparing);
        assert!(!metronome.is_time() && metronome.is_epoch(1));
        let ago = |seconds| {
            let elapsed = Duration::from_secs(seconds);
            Instant::now().checked_sub(elapsed).unwrap()
        };
        metronome.saved(ago(10));
        assert!(!metronome.is_time() && !metronome.is_epoch(2));
        metronome.saved = ago(190);
        assert!(!metronome.is_epoch(2));
        metronome.saved = ago(201);
        assert!(!metronome.is_time() && metronome.is_epoch(2));
        metronome.saved = ago(301);
        assert!(metronome.is_time());
    }
}
