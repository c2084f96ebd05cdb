//! Recording an operation by one of its candidates.

use std::fmt::Display;

use super::operation::{self, Candidate, Offer, Operation};
use super::tape::{Open, Tape};
use super::tensor::Tensor;

impl Tape {
    /// Records an operation that computes `outputs` by one of several kernels: `name` and `shape` say what it is, `offers`
    /// how it could be recorded. The last one is the reference: it copes with every shape, and is offered whatever the
    /// adapter's limits. Of the others those are offered that keep them.
    pub fn operation<K: Candidate>(
        &mut self,
        name: &str,
        shape: impl Display,
        offers: &[Offer<K>],
        outputs: &[Tensor],
        record: impl Fn(&mut Self, K),
    ) {
        let (open, candidate) = self.open_operation(name, &shape, offers, |tape, candidate| {
            record(tape, candidate);
            None
        });
        let first = self.plan.dispatches.len();
        record(self, candidate);
        let dispatches = first..self.plan.dispatches.len();
        let operation = &mut self.plan.operations[open.operation];
        operation.dispatches.push(dispatches);
        operation.outputs.extend(outputs);
    }

    /// The same for a whole layer, whose way back goes with its way there: `record` returns what the layer makes.
    pub fn layer_operation<K: Candidate>(
        &mut self,
        name: &str,
        shape: impl Display,
        offers: &[Offer<K>],
        record: impl Fn(&mut Self, K) -> Tensor,
    ) -> Tensor {
        let (open, candidate) = self.open_operation(name, &shape, offers, |tape, candidate| {
            Some(record(tape, candidate))
        });
        let first = self.plan.dispatches.len();
        self.open.push(open);
        let y = record(self, candidate);
        self.open.pop();
        let dispatches = first..self.plan.dispatches.len();
        let operation = &mut self.plan.operations[open.operation];
        operation.dispatches.push(dispatches);
        operation.outputs.push(y);
        y
    }

    /// Chooses a candidate and writes the operation down, so far without dispatches.
    fn open_operation<K: Candidate>(
        &mut self,
        name: &str,
        shape: &dyn Display,
        offers: &[Offer<K>],
        record: impl Fn(&mut Self, K) -> Option<Tensor>,
    ) -> (Open, K) {
        let offers = self.kept(offers, record);
        let key = operation::key(name, shape, &offers);
        let candidates: Vec<_> = offers.iter().map(Offer::info).collect();
        let costs = offers.iter().enumerate();
        let cheapest = costs.min_by(|(_, a), (_, b)| a.cost.total_cmp(&b.cost));
        let cheapest = cheapest.expect("an operation has a candidate").0;
        let chosen = self.kernels().choose(&key, &candidates, cheapest);
        let open = Open {
            operation: self.plan.operations.len(),
            buffers: self.plan.buffers.len(),
        };
        self.plan.operations.push(Operation {
            key,
            candidates,
            cheapest,
            chosen,
            dispatches: Vec::new(),
            outputs: Vec::new(),
            upstream: None,
        });
        (open, offers[chosen].candidate)
    }

    /// The candidates that are offered: the cheapest first, the reference last.
    fn kept<K: Candidate>(
        &mut self,
        offers: &[Offer<K>],
        record: impl Fn(&mut Self, K) -> Option<Tensor>,
    ) -> Vec<Offer<K>> {
        let (reference, others) = offers.split_last().expect("an operation has a candidate");
        let keeps = |offer: &&Offer<K>| self.keeps_limits(|tape| record(tape, offer.candidate));
        let mut kept: Vec<Offer<K>> = others.iter().filter(keeps).copied().collect();
        kept.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        kept.push(*reference);
        kept
    }
}
