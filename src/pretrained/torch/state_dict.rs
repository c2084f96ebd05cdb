//! The tensors of what was saved: a state dict, or a checkpoint of a training that has one in it.

use std::collections::{BTreeMap, HashSet};

use super::super::float::Float;
use super::super::refusal::{Parsed, Refusal};
use super::super::{Contents, Found};
use super::Source;
use super::pickle::Pickle;
use super::value::{Element, Value, View};
use crate::checkpoint::{BATCH_COUNTER, NamedTensor, listed};

/// The names under which checkpoints of trainings keep the state dict.
const WRAPPERS: [&str; 5] = ["state_dict", "model_state_dict", "model", "net", "weights"];

/// How deep a state dict lies at most.
const MAX_DEPTH: usize = 3;

/// Numbers that the tensors of a file may have for each that it stores: views may share a storage, but not without end.
const MAX_SHARING: usize = 4;

/// Numbers that are never too many.
const FEW: usize = 1 << 20;

/// A tensor that is to be read.
struct Wanted<'a> {
    name: &'a str,
    storage: usize,
    view: &'a View,
    float: Float,
}

/// Reads the tensors that `saved` describes.
///
/// # Errors
/// Something else than a state dict, tensors of integers other than counts of batches, or storages that are not as described.
pub(super) fn read(saved: &Pickle, source: &mut impl Source) -> Parsed<Contents> {
    let mut notes = Vec::new();
    let entries = find(saved, &mut notes)?;
    let wanted = wanted(saved, entries)?;
    check_sharing(saved, &wanted)?;

    let mut sharers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, Wanted { storage, .. }) in wanted.iter().enumerate() {
        sharers.entry(*storage).or_default().push(index);
    }
    let mut values = vec![Vec::new(); wanted.len()];
    for (storage, indices) in sharers {
        let storage = &saved.heap.storages[storage];
        let floats = source.floats(storage, wanted[indices[0]].float)?;
        match indices[..] {
            [index] if wanted[index].view.is_whole(storage.count) => values[index] = floats,
            _ => indices
                .into_iter()
                .for_each(|index| values[index] = wanted[index].view.gather(&floats)),
        }
    }
    let found = |(wanted, values): (Wanted, Vec<f32>)| Found {
        tensor: NamedTensor {
            name: wanted.name.to_owned(),
            shape: wanted.view.shape.clone(),
            values,
        },
        stored: wanted.float,
    };
    Ok(Contents {
        found: wanted.into_iter().zip(values).map(found).collect(),
        notes,
    })
}

/// The entries of the state dict, wherever it lies.
fn find<'p, 'a>(
    saved: &'p Pickle<'a>,
    notes: &mut Vec<String>,
) -> Parsed<&'p [(Value<'a>, Value<'a>)]> {
    let mut value = saved.value;
    for _ in 0..MAX_DEPTH {
        let entries = saved.entries(value).ok_or_else(|| {
            Refusal::foreign("what was saved is no state dict, which maps names to tensors")
        })?;
        let wrapped = entries.iter().find_map(|&(key, value)| match (key, value) {
            (Value::Text(key), Value::Dict(_)) if WRAPPERS.contains(&key) => Some((key, value)),
            _ => None,
        });
        let Some((wrapper, inner)) = wrapped else {
            return Ok(entries);
        };
        let others = entries.iter().filter_map(|&(key, _)| match key {
            Value::Text(key) if key != wrapper => Some(key.to_owned()),
            _ => None,
        });
        let others: Vec<String> = others.collect();
        let passed_over = match others.is_empty() {
            true => String::new(),
            false => format!(", passed over {}", listed(&others)),
        };
        notes.push(format!("took the tensors under \"{wrapper}\"{passed_over}"));
        value = inner;
    }
    Err(Refusal::foreign(format!(
        "has its state dict in more than {MAX_DEPTH} dicts"
    )))
}

/// The tensors among `entries`, which have to be all of them but for counts of batches.
fn wanted<'p, 'a>(
    saved: &'p Pickle<'a>,
    entries: &'p [(Value<'a>, Value<'a>)],
) -> Parsed<Vec<Wanted<'p>>>
where
    'a: 'p,
{
    let mut names = HashSet::new();
    let mut wanted = Vec::with_capacity(entries.len());
    for &(key, value) in entries {
        let Value::Text(name) = key else {
            return Err(Refusal::foreign("has a tensor without a name"));
        };
        let Value::Tensor(tensor) = value else {
            return Err(Refusal::foreign(format!("its {name} is no tensor")));
        };
        if !names.insert(name) {
            return Err(Refusal::damaged(format!("has two tensors named {name}")));
        }
        let tensor = &saved.heap.tensors[tensor];
        match saved.heap.storages[tensor.storage].element {
            Element::Float(float) => wanted.push(Wanted {
                name,
                storage: tensor.storage,
                view: &tensor.view,
                float,
            }),
            Element::Whole { .. } if name.ends_with(BATCH_COUNTER) => {}
            Element::Whole { name: element, .. } => {
                return Err(Refusal::foreign(format!(
                    "its {name} is {element}, expected floating-point numbers"
                )));
            }
        }
    }
    if wanted.is_empty() {
        return Err(Refusal::foreign("has no tensors"));
    }
    Ok(wanted)
}

/// Refuses tensors that together are much larger than what they are views of.
fn check_sharing(saved: &Pickle, wanted: &[Wanted]) -> Parsed<()> {
    let sum = |counts: &mut dyn Iterator<Item = usize>| counts.fold(0, usize::saturating_add);
    let viewed = sum(&mut wanted.iter().map(|wanted| wanted.view.count));
    let storages: HashSet<usize> = wanted.iter().map(|wanted| wanted.storage).collect();
    let stored = sum(&mut storages
        .iter()
        .map(|&number| saved.heap.storages[number].count));
    if viewed > stored.saturating_mul(MAX_SHARING).saturating_add(FEW) {
        return Err(Refusal::damaged(format!(
            "its tensors have {viewed} numbers, but it stores {stored}"
        )));
    }
    Ok(())
}
