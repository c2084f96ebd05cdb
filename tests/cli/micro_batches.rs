//! Steps in micro-batches: what is refused, and what the program says.

use super::spinal::Place;

const TRAIN: [&str; 6] = ["train", "vgg5", "--limit-train", "13", "--limit-test", "10"];

#[test]
fn micro_batches_that_do_not_fit_their_step_are_refused() {
    let place = Place::new();
    let run = |flags: &[&str]| place.run(&[&TRAIN, flags].concat());
    run(&["--batch-size", "8", "--micro-batch", "9"])
        .refused(2, "--micro-batch 9: a step has 8 samples");
    run(&["--batch-size", "7", "--micro-batch", "6"])
        .refused(2, "micro-batches of 6 would leave one of 1");
    run(&["--batch-size", "10", "--micro-batch", "2"])
        .refused(2, "micro-batches of 2 would leave one of 1");
}

#[test]
fn a_net_that_normalises_batches_is_told_what_they_are() {
    let place = Place::new();
    let run = |batch_norm: &str| {
        let flags = "--limit-train 12 --limit-test 10 --epochs 1 --batch-size 6 --micro-batch 3 --net spinal";
        let flags: Vec<&str> = flags.split(' ').collect();
        place
            .run_on_adapter(&[&["train", "mlp", "--spinal-bn", batch_norm], &flags[..]].concat())
            .succeeded()
    };
    let note = "batch normalisation sees micro-batches of 3";
    assert!(run("true").stderr.contains(note));
    assert!(!run("false").stderr.contains(note));
}
