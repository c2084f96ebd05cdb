//! Universal approximation on the adapter: the constructed Spinal net equals the net with a single hidden layer.

use spinalnet::gpu::{AdapterChoice, Checks, Device};
use spinalnet::layers::Activation;
use spinalnet::layers::spinal::Path;
use spinalnet::universal::{ACTIVATIONS, Options, Trial, check, render};

fn device(checks: Checks) -> Device {
    let choice = AdapterChoice {
        name: std::env::var("SPINAL_TEST_ADAPTER").ok(),
        backend: None,
    };
    Device::open(&choice, checks).expect("the tests need an adapter")
}

/// `[neurons, inputs, outputs, splits, width]` and the range: widths that do not divide the neurons, splits that do not
/// divide the inputs, one of everything, and a net of some size.
const SIZES: [([u32; 5], f64); 11] = [
    ([4, 2, 2, 2, 2], 1.0),
    ([1, 1, 1, 1, 1], 1.0),
    ([16, 8, 3, 2, 4], 3.0),
    ([7, 5, 2, 1, 3], 1.0),
    ([7, 6, 1, 3, 3], 3.0),
    ([5, 8, 2, 4, 2], 1.0),
    ([3, 7, 2, 2, 5], 3.0),
    ([6, 5, 2, 3, 2], 0.1),
    ([3, 3, 2, 5, 2], 1.0),
    ([100, 50, 7, 2, 67], 3.0),
    ([256, 196, 10, 4, 32], 1.0),
];

fn options(activation: Activation, (size, range): ([u32; 5], f64)) -> Options {
    let [neurons, inputs, outputs, splits, width] = size;
    Options {
        activation,
        neurons,
        inputs,
        outputs,
        splits,
        width,
        range,
        points: 97,
        seed: 7,
    }
}

#[test]
fn the_nets_are_equal() {
    let device = device(Checks::Trusted);
    for activation in ACTIVATIONS {
        for size in SIZES {
            let options = options(activation, size);
            let trial = Trial::new(&options).expect("the sizes fit");
            for path in [Path::Fused, Path::Composed] {
                let outcome = trial.run(&device, path).expect("the device works");
                println!("{size:?} {path:?} {outcome}");
                assert!(outcome.holds(), "{options:?} {path:?}: {outcome}");
            }
        }
    }
}

/// At the default size numbers are of order one, and the nets differ by less than 1e-5, or 1e-4 where the zone is curved.
#[test]
fn the_default_check_holds() {
    let device = device(Checks::Checked);
    let outcomes = ACTIVATIONS.map(|activation| {
        let options = Options {
            activation,
            ..Options::default()
        };
        check(&device, &options).expect("the device works")
    });
    println!("{}", render(&outcomes));
    for outcome in &outcomes {
        assert!(outcome.holds(), "{outcome}");
        assert_eq!(outcome.depth, 8);
        assert_eq!(outcome.parameters, 371);
        assert!(outcome.tolerance < 2e-4, "{outcome}");
    }
    let limits = [1e-5, 1e-5, 1e-4, 1e-4];
    for (outcome, limit) in outcomes.iter().zip(limits) {
        assert!(outcome.max_difference <= limit, "{outcome}");
    }
}

/// Every kind of weight counts: the sums of the adders, what they pass on, the cut between blocks, the output.
#[test]
fn a_broken_construction_is_found() {
    let device = device(Checks::Trusted);
    for activation in ACTIVATIONS {
        let trial = Trial::new(&options(activation, ([16, 8, 3, 2, 4], 1.0))).expect("it fits");
        let outcome_of = |spoil: &dyn Fn(&mut Trial)| {
            let mut broken = trial.clone();
            spoil(&mut broken);
            broken.run(&device, Path::Fused).expect("the device works")
        };
        assert!(outcome_of(&|_| ()).holds());
        let broken = [
            outcome_of(&|trial| trial.construction.sub_layers[4].weight[0] *= 1.05),
            outcome_of(&|trial| trial.construction.sub_layers[3].weight[4] *= 1.05),
            outcome_of(&|trial| trial.construction.sub_layers[2].weight[5] = 0.05),
            outcome_of(&|trial| trial.construction.sub_layers[7].bias[3] += 0.05),
            outcome_of(&|trial| trial.construction.output.weight[4] *= 1.05),
            outcome_of(&|trial| trial.construction.output.weight[4] = f64::NAN),
        ];
        for (index, outcome) in broken.iter().enumerate() {
            assert!(!outcome.holds(), "weight {index}: {outcome}");
        }
    }
}

#[test]
fn the_seed_decides() {
    let device = device(Checks::Trusted);
    let difference = |seed| {
        let options = Options {
            seed,
            ..Options::default()
        };
        check(&device, &options)
            .expect("the device works")
            .max_difference
    };
    assert_eq!(difference(1).to_bits(), difference(1).to_bits());
    assert_ne!(difference(1).to_bits(), difference(2).to_bits());
}
