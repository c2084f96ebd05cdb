//! What plans bind against what is allocated for them.

use std::collections::{BTreeMap, BTreeSet};

use spinalnet::plan::{Allocation, Lifetime, Plan, ScratchPlaces};

/// Asserts that every range bound lies in its buffer, that buffers which are needed at the same time lie apart, and that
/// the bytes allocated are those of the named buffers, once, and of the places of scratch.
pub fn assert_allocated(plans: &[Plan]) {
    let mut allocation = Allocation::default();
    allocation.add(0, plans);
    let mut named = BTreeMap::new();
    let mut scratch: Vec<u64> = Vec::new();
    for plan in plans {
        assert_bound_within(plan);
        let places = ScratchPlaces::new(plan);
        assert_places_hold(plan, &places);
        for buffer in &plan.buffers {
            if buffer.lifetime != Lifetime::Plan {
                let bytes = named.entry(buffer.label.clone()).or_insert(0);
                *bytes = buffer.bytes.max(*bytes);
            }
        }
        scratch.resize(scratch.len().max(places.sizes.len()), 0);
        for (bytes, size) in scratch.iter_mut().zip(&places.sizes) {
            *bytes = (*bytes).max(*size);
        }
    }
    let expected = named.values().sum::<u64>() + scratch.iter().sum::<u64>();
    assert_eq!(allocation.bytes(), expected, "{}", plans[0].name);
}

fn assert_bound_within(plan: &Plan) {
    for dispatch in &plan.dispatches {
        for binding in &dispatch.bindings {
            let buffer = plan.buffer(binding.tensor);
            let end = binding.offset_bytes() + binding.bytes;
            assert!(
                end <= buffer.bytes,
                "{}: {} binds {end} bytes of {}, which has {}",
                plan.name,
                dispatch.kernel(),
                buffer.label,
                buffer.bytes
            );
        }
    }
}

fn assert_places_hold(plan: &Plan, places: &ScratchPlaces) {
    for (&index, &place) in &places.places {
        assert!(plan.buffers[index].bytes <= places.sizes[place]);
    }
    // Who lies in a place, from its first dispatch to its last.
    let mut last_use = BTreeMap::new();
    let mut first_use = BTreeMap::new();
    for (time, dispatch) in plan.dispatches.iter().enumerate() {
        for binding in &dispatch.bindings {
            let index = plan.index(binding.tensor);
            first_use.entry(index).or_insert(time);
            last_use.insert(index, time);
        }
    }
    for time in 0..plan.dispatches.len() {
        let alive = places
            .places
            .iter()
            .filter(|(index, _)| first_use[index] <= time && time <= last_use[index]);
        let mut taken = BTreeSet::new();
        for (index, place) in alive {
            assert!(
                taken.insert(place),
                "{}: {} shares its place at dispatch {time}",
                plan.name,
                plan.buffers[*index].label
            );
        }
    }
}
