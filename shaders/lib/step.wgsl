// The state of training that lives on the device, so that every step is the same list of dispatches.
struct Step {
    seed: u32,         // of the random draws
    in_epoch: u32,     // steps done in this epoch: indexes the order, the schedule and the losses
    in_training: u32,  // steps done since training began: a coordinate of the random draws
    first: u32,        // samples of this step that earlier micro-batches have taken
}

// What the schedule says of one step.
struct Schedule {
    lr: f32,
    bias_correction1: f32,  // 1 - beta1^t of Adam
    bias_correction2: f32,  // 1 - beta2^t of Adam
    padding: f32,
}
