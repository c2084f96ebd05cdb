//! Memory for scratch: buffers that are not needed at the same time share a place.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::{Lifetime, Plan};

/// Where the scratch buffers of a plan lie.
#[derive(Clone, Debug)]
pub struct ScratchPlaces {
    /// Bytes of the places, largest first.
    pub sizes: Vec<u64>,
    /// The place of each scratch buffer, by its index in [`Plan::buffers`].
    pub places: BTreeMap<usize, usize>,
}

impl ScratchPlaces {
    /// Places the scratch buffers of a plan: each, the largest first, in the smallest place that is free from the first
    /// dispatch that binds it to the last. A new place where there is none.
    pub fn new(plan: &Plan) -> Self {
        let uses = uses(plan);
        let mut order: Vec<usize> = plan.scratch().collect();
        order.sort_by_key(|&index| std::cmp::Reverse(plan.buffers[index].bytes));
        let mut sizes = Vec::new();
        let mut taken: Vec<Vec<RangeInclusive<usize>>> = Vec::new();
        let mut places = BTreeMap::new();
        for index in order {
            let used = uses.get(&index).cloned().unwrap_or(0..=0);
            let is_free = |place: &usize| !taken[*place].iter().any(|other| overlap(other, &used));
            let free = (0..sizes.len()).rev().find(is_free);
            let place = free.unwrap_or_else(|| {
                sizes.push(plan.buffers[index].bytes);
                taken.push(Vec::new());
                sizes.len() - 1
            });
            taken[place].push(used);
            places.insert(index, place);
        }
        Self { sizes, places }
    }
}

/// The first and the last dispatch that bind each buffer.
fn uses(plan: &Plan) -> BTreeMap<usize, RangeInclusive<usize>> {
    let mut uses: BTreeMap<usize, RangeInclusive<usize>> = BTreeMap::new();
    for (place, dispatch) in plan.dispatches.iter().enumerate() {
        for binding in &dispatch.bindings {
            let index = plan.index(binding.tensor);
            let used = uses.entry(index).or_insert(place..=place);
            *used = *used.start()..=place;
        }
    }
    uses
}

fn overlap(a: &RangeInclusive<usize>, b: &RangeInclusive<usize>) -> bool {
    a.start() <= b.end() && b.start() <= a.end()
}

impl Plan {
    /// Indices of the scratch buffers.
    pub fn scratch(&self) -> impl Iterator<Item = usize> + '_ {
        let buffers = self.buffers.iter().enumerate();
        buffers
            .filter(|(_, buffer)| buffer.lifetime == Lifetime::Plan)
            .map(|(index, _)| index)
    }

    /// The same plan with every scratch buffer in a place of its own, so that all of them can be read when it has run.
    pub fn apart(mut self) -> Self {
        for (index, buffer) in self.buffers.iter_mut().enumerate() {
            if buffer.lifetime == Lifetime::Plan {
                buffer.label = format!("{}: {}#{index}", self.name, buffer.label);
                buffer.lifetime = Lifetime::Data;
            }
        }
        self
    }
}
