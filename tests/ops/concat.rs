//! Slices and concatenations: copies, so everything but sums of gradients is exact.

use proptest::prelude::*;
use spinalnet::layers::{Slice, concat, slice};

use crate::common::tolerance::assert_exact;
use crate::common::{Bench, Draw, Input, Random, Setup, for_all, magnitudes};
use crate::reference::concat::{self, Concat};

/// Rows, and for each operand its columns, the first column taken and how many are.
type Case = (u32, Vec<(u32, u32, u32)>);

fn cases() -> impl Strategy<Value = Case> {
    let operand = (1..12u32).prop_flat_map(|columns| (Just(columns), 0..columns, 1..=columns));
    (1..9u32, prop::collection::vec(operand, 1..4))
}

fn twins((rows, operands): &Case) -> Vec<Concat> {
    let dst = operands.iter().map(|operand| operand.2 as usize).sum();
    let mut dst_start = 0;
    let one = |&(columns, start, count): &(u32, u32, u32)| {
        dst_start += count as usize;
        Concat {
            batch: *rows as usize,
            columns: count as usize,
            src: columns as usize,
            src_start: start as usize,
            dst,
            dst_start: dst_start - count as usize,
        }
    };
    operands.iter().map(one).collect()
}

pub fn concat_matches_its_twin(bench: &Bench) {
    let listed = [
        (1, vec![(1, 0, 1)]),
        (65, vec![(3, 2, 3), (1, 0, 1)]),
        (2, vec![(70, 69, 70), (5, 1, 3), (2, 0, 2)]),
    ];
    for_all(&listed, 4, cases(), |case| {
        let (rows, operands) = case;
        let mut random = Random(5);
        let inputs = operands.iter().map(|&(columns, ..)| {
            Input::new(
                [*rows, columns],
                random.values(Draw::Uniform, (rows * columns) as usize),
            )
        });
        let setup = Setup {
            inputs: inputs.collect(),
            ..Setup::without_parameters(Input::drawn([1], Draw::Uniform), Draw::Uniform)
        };
        let outcomes = bench.trial(&setup, |tape, x| {
            let slices = operands
                .iter()
                .zip(x)
                .map(|(&(_, start, columns), &tensor)| Slice {
                    tensor,
                    start,
                    columns,
                });
            concat(tape, &slices.collect::<Vec<_>>())
        });
        for outcome in outcomes {
            let mut y = vec![0.0; outcome.y.len()];
            for (index, twin) in twins(case).iter().enumerate() {
                concat::forward(twin, &outcome.x[index], &mut y);
                let mut dx = vec![0.0; outcome.x[index].len()];
                concat::backward(twin, &outcome.dy, &mut dx);
                assert_exact("dx", &outcome.dx[index], &dx);
            }
            assert_exact("y", &outcome.y, &y);
        }
    });
}

/// The halves of a spinal layer: several slices of one tensor, whose gradients add up.
pub fn slices_wrap_and_share_a_tensor(bench: &Bench) {
    let (rows, columns, starts, count) = (3, 7, [0, 4, 1, 5], 4);
    let setup =
        Setup::without_parameters(Input::drawn([rows, columns], Draw::Uniform), Draw::Uniform);
    let outcomes = bench.trial(&setup, |tape, x| {
        let parts = starts.map(|start| {
            let part = Slice {
                tensor: x[0],
                start,
                columns: count,
            };
            Slice::all(slice(tape, part))
        });
        concat(tape, &parts)
    });
    for outcome in outcomes {
        let mut y = vec![0.0; outcome.y.len()];
        let (mut dx, mut scale) = (vec![0.0; outcome.x[0].len()], vec![0.0; outcome.x[0].len()]);
        for (index, start) in starts.into_iter().enumerate() {
            let twin = Concat {
                batch: rows as usize,
                columns: count as usize,
                src: columns as usize,
                src_start: start as usize,
                dst: starts.len() * count as usize,
                dst_start: index * count as usize,
            };
            concat::forward(&twin, &outcome.x[0], &mut y);
            concat::backward(&twin, &outcome.dy, &mut dx);
            concat::backward(&twin, &magnitudes(&outcome.dy), &mut scale);
        }
        assert_exact("y", &outcome.y, &y);
        outcome.assert_sums("dx", &outcome.dx[0], &dx, starts.len(), &scale);
    }
}
