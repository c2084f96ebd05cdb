//! Schedules as text: what `--schedule` takes and `config.toml` holds.

use std::fmt::{self, Display, Formatter};
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Disappointment, OptimizerState, Phase, Phases, Rule, Schedule};
use crate::error::{Error, Result};

/// The valid forms, one line.
const FORMS: &str = "give constant, cosine, step:EPOCHS:FACTOR, random:POWER:worse|not-better, \
    random-after:EPOCH:RATE:POWER:fresh|keep, divide:FACTOR:worse|not-better, divide:FACTOR:after=EPOCHS (as 2,22-), \
    or phases:RATExEPOCHS,RATExEPOCHS:fresh|keep, to which one of the others may be added as :RULE";

impl Display for Schedule {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Some(Phases { list, state }) = &self.phases else {
            return self.rule.fmt(f);
        };
        let phase = |phase: &Phase| format!("{}x{}", phase.lr, phase.epochs);
        let list: Vec<String> = list.iter().map(phase).collect();
        write!(f, "phases:{}:{state}", list.join(","))?;
        match self.rule {
            Rule::Constant => Ok(()),
            ref rule => write!(f, ":{rule}"),
        }
    }
}

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Self::Constant => write!(f, "constant"),
            Self::Step { every, factor } => write!(f, "step:{every}:{factor}"),
            Self::Cosine => write!(f, "cosine"),
            Self::Random { power, when } => write!(f, "random:{power}:{when}"),
            Self::RandomAfter {
                epoch,
                lr,
                power,
                state,
            } => write!(f, "random-after:{epoch}:{lr}:{power}:{state}"),
            Self::Divide { by, when } => write!(f, "divide:{by}:{when}"),
            Self::DivideAfter { by, epochs } => {
                let epochs: Vec<String> = epochs.iter().map(range_text).collect();
                write!(f, "divide:{by}:after={}", epochs.join(","))
            }
        }
    }
}

impl Display for Disappointment {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Worse => "worse",
            Self::NotBetter => "not-better",
        })
    }
}

impl Display for OptimizerState {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Fresh => "fresh",
            Self::Keep => "keep",
        })
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).map_err(|what| Error::usage(format!("--schedule {text}: {what}"), FORMS))
    }
}

/// A part of a schedule, or what is wrong with it.
type Parsed<T> = std::result::Result<T, String>;

fn parse(text: &str) -> Parsed<Schedule> {
    let parts: Vec<&str> = text.split(':').collect();
    let ["phases", list, state, rule @ ..] = parts.as_slice() else {
        let (rule, phases) = (rule(&parts)?, None);
        return Ok(Schedule { rule, phases });
    };
    let list = list.split(',').map(phase).collect::<Parsed<_>>()?;
    let phases = Some(Phases {
        list,
        state: optimizer_state(state)?,
    });
    let rule = match rule {
        [] => Rule::Constant,
        parts => self::rule(parts)?,
    };
    Ok(Schedule { rule, phases })
}

fn rule(parts: &[&str]) -> Parsed<Rule> {
    match *parts {
        ["constant"] => Ok(Rule::Constant),
        ["cosine"] => Ok(Rule::Cosine),
        ["step", every, factor] => Ok(Rule::Step {
            every: count(every)?,
            factor: number(factor, 0.0, 1.0)?,
        }),
        ["random", power, when] => Ok(Rule::Random {
            power: self::power(power)?,
            when: disappointment(when)?,
        }),
        ["random-after", epoch, lr, power, state] => Ok(Rule::RandomAfter {
            epoch: count(epoch)?,
            lr: rate(lr)?,
            power: self::power(power)?,
            state: optimizer_state(state)?,
        }),
        ["divide", by, when] => {
            let by = number(by, 1.0, 1e6)?;
            match when.strip_prefix("after=") {
                Some(epochs) => Ok(Rule::DivideAfter {
                    by,
                    epochs: epochs.split(',').map(range).collect::<Parsed<_>>()?,
                }),
                None => Ok(Rule::Divide {
                    by,
                    when: disappointment(when)?,
                }),
            }
        }
        _ => Err("there is no such schedule".to_owned()),
    }
}

fn phase(text: &str) -> Parsed<Phase> {
    let (lr, epochs) = text
        .split_once('x')
        .ok_or_else(|| format!("`{text}` is not RATExEPOCHS"))?;
    Ok(Phase {
        lr: rate(lr)?,
        epochs: count(epochs)?,
    })
}

fn disappointment(text: &str) -> Parsed<Disappointment> {
    match text {
        "worse" => Ok(Disappointment::Worse),
        "not-better" => Ok(Disappointment::NotBetter),
        _ => Err(format!("`{text}` is neither worse nor not-better")),
    }
}

fn optimizer_state(text: &str) -> Parsed<OptimizerState> {
    match text {
        "fresh" => Ok(OptimizerState::Fresh),
        "keep" => Ok(OptimizerState::Keep),
        _ => Err(format!("`{text}` is neither fresh nor keep")),
    }
}

/// Epochs: one (`3`), some (`3-5`), or all from one on (`3-`).
fn range(text: &str) -> Parsed<RangeInclusive<usize>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first = count(first)?;
    let last = if last.is_empty() {
        usize::MAX
    } else {
        count(last)?
    };
    if last < first {
        return Err(format!("`{text}` ends before it begins"));
    }
    Ok(first..=last)
}

fn range_text(range: &RangeInclusive<usize>) -> String {
    match (*range.start(), *range.end()) {
        (first, usize::MAX) => format!("{first}-"),
        (first, last) if first == last => format!("{first}"),
        (first, last) => format!("{first}-{last}"),
    }
}

/// An epoch or a number of them: far from overflow, however many are added.
fn count(text: &str) -> Parsed<usize> {
    match text.parse::<u32>() {
        Ok(count) if count > 0 => Ok(count as usize),
        _ => Err(format!("`{text}` is not a number of epochs, 1 or more")),
    }
}

fn rate(text: &str) -> Parsed<f64> {
    number(text, 0.0, crate::train::MAX_LR)
}

fn power(text: &str) -> Parsed<f64> {
    number(text, 0.0, 100.0)
}

fn number(text: &str, low: f64, high: f64) -> Parsed<f64> {
    match text.parse::<f64>() {
        Ok(value) if (low..=high).contains(&value) => Ok(value),
        _ => Err(format!("`{text}` is not a number from {low} to {high}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment;

    #[test]
    fn text_and_schedule_are_the_same() {
        for text in [
            "constant",
            "cosine",
            "step:7:0.1",
            "random:3:worse",
            "random:5:not-better",
            "random-after:100:0.05:3:fresh",
            "random-after:50:0.025:3:keep",
            "divide:3:worse",
            "divide:3:not-better",
            "divide:3:after=2,5-9,22-",
            "phases:0.01x10,0.001x10:fresh",
            "phases:0.01x10,0.0001x5:keep:step:7:0.1",
        ] {
            let schedule: Schedule = text.parse().unwrap();
            assert_eq!(schedule.to_string(), text);
        }
        let schedule: Schedule = "phases:0.01x10,1e-4x5:keep".parse().unwrap();
        assert_eq!(schedule.epochs(), Some(15));
        assert_eq!(schedule.to_string(), "phases:0.01x10,0.0001x5:keep");
    }

    #[test]
    fn errors_name_the_part_and_list_the_forms() {
        for (text, what) in [
            ("", "no such schedule"),
            ("linear", "no such schedule"),
            ("step:7", "no such schedule"),
            ("constant:1", "no such schedule"),
            ("step:0:0.1", "`0` is not a number of epochs"),
            ("step:7:nan", "`nan` is not a number from 0 to 1"),
            ("step:7:2", "`2` is not a number from 0 to 1"),
            ("random:3:ties", "`ties` is neither worse nor not-better"),
            ("random:-3:worse", "`-3` is not a number"),
            (
                "random-after:9:0.1:3:new",
                "`new` is neither fresh nor keep",
            ),
            ("divide:0:worse", "`0` is not a number from 1"),
            ("divide:3:after=", "`` is not a number of epochs"),
            ("divide:3:after=9-2", "`9-2` ends before it begins"),
            ("phases:0.1:fresh", "`0.1` is not RATExEPOCHS"),
            ("phases:0.1x99999999999:fresh", "`99999999999`"),
            ("phases:0.1x2:fresh:phases:0.1x2:keep", "no such schedule"),
        ] {
            let error = text.parse::<Schedule>().unwrap_err();
            let message = error.to_string();
            assert!(message.starts_with(&format!("--schedule {text}: ")));
            assert!(message.contains(what), "{message}");
            assert!(error.hint().contains("divide:FACTOR:after="));
        }
    }

    #[test]
    fn every_recipe_has_schedules() {
        for experiment in experiment::all() {
            let others = experiment.recipes.iter().map(|(_, recipe)| recipe);
            for recipe in others.chain([&experiment.recipe]) {
                assert!(recipe.schedule.parse::<Schedule>().is_ok());
                for (net, schedule) in recipe.net_schedules {
                    assert!(experiment.nets.contains(net), "{net}");
                    assert!(schedule.parse::<Schedule>().is_ok(), "{schedule}");
                }
            }
        }
    }
}
