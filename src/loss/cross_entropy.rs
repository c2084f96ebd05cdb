//! Negative log-likelihood of the log-softmax, averaged over the batch: PyTorch's `CrossEntropyLoss`.

use crate::layers::pieces_of_kernel;
use crate::plan::{Candidate, Kernel, Limits, Mode, Offer, Shader, Tape, Tensor};

static CROSS_ENTROPY: Shader = crate::shader!("cross_entropy");

/// Records the loss of `logits` `[N, classes]` against `labels` `[N]` and the number of correct rows, which go to the place
/// of the step in `losses` and `correct`, both `[steps of an epoch]`; when the tape trains, the gradient and the backward pass
/// of everything before it. The mean goes over `samples`: N, or the whole step where this is a micro-batch of it.
pub fn cross_entropy(
    tape: &mut Tape,
    logits: Tensor,
    labels: Tensor,
    samples: u32,
    [losses, correct]: [Tensor; 2],
) {
    let loss = Loss {
        logits,
        labels,
        samples,
        step: tape.step(),
        losses,
        correct,
    };
    match tape.mode() {
        Mode::Evaluate => loss.record(tape, None),
        Mode::Train => {
            tape.backward_from(logits, |tape, dlogits| loss.record(tape, Some(dlogits)));
        }
    }
}

/// How the rows of a batch are shared out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    /// One workgroup walks over all of them.
    Together,
    /// A workgroup takes a row; then they are added up. Any batch, any number of classes.
    ByRow,
}

struct Loss {
    logits: Tensor,
    labels: Tensor,
    samples: u32,
    step: Tensor,
    losses: Tensor,
    correct: Tensor,
}

impl Loss {
    /// Records the loss, and the gradient if it has a place.
    fn record(&self, tape: &mut Tape, dlogits: Option<Tensor>) {
        let outputs = [Some(self.losses), Some(self.correct), dlogits];
        let outputs: Vec<Tensor> = outputs.into_iter().flatten().collect();
        let shape = format!("{:?}", self.logits.shape());
        let offers = self.offers(tape.limits());
        tape.scope("cross_entropy", |tape| {
            let name = match dlogits {
                Some(_) => "cross_entropy.train",
                None => "cross_entropy.evaluate",
            };
            tape.operation(
                name,
                shape,
                &offers,
                &outputs,
                |tape, algorithm| match algorithm {
                    Algorithm::Together => self.record_together(tape, dlogits),
                    Algorithm::ByRow => self.record_by_row(tape, dlogits),
                },
            );
        });
    }

    /// What each algorithm costs: logits that an invocation reads one after another.
    fn offers(&self, limits: &Limits) -> [Offer<Algorithm>; 2] {
        /// A dispatch more, in logits.
        const DISPATCH: f64 = 300.0;
        /// A row's barriers where they run a workgroup as coroutines: llvmpipe of Mesa 22.3.6, 4096 x 40.
        const BARRIERS: f64 = 80.0;
        let workgroup = CROSS_ENTROPY.constant("WORKGROUP");
        let (rows, classes) = (self.logits.rows(), self.logits.columns());
        let together = f64::from(rows.div_ceil(workgroup)) * f64::from(classes);
        let row = f64::from(classes.div_ceil(workgroup));
        let by_row = if limits.is_cpu {
            DISPATCH + f64::from(rows) * (BARRIERS + row)
        } else {
            DISPATCH + row
        };
        [
            Offer::new(Algorithm::Together, together),
            Offer::new(Algorithm::ByRow, by_row),
        ]
    }

    fn record_together(&self, tape: &mut Tape, dlogits: Option<Tensor>) {
        let mut bindings = vec![
            ("logits", self.logits),
            ("labels", self.labels),
            ("step", self.step),
            ("losses", self.losses),
            ("correct", self.correct),
        ];
        bindings.extend(dlogits.map(|dlogits| ("dlogits", dlogits)));
        let entry = if dlogits.is_some() {
            "train"
        } else {
            "evaluate"
        };
        self.dispatch(tape, entry, &[], &bindings, 1);
    }

    fn record_by_row(&self, tape: &mut Tape, dlogits: Option<Tensor>) {
        let rows = self.logits.rows();
        let row_losses = tape.tensor("row_losses", [rows]);
        let row_correct = tape.tensor("row_correct", [rows]);
        let mut bindings = vec![
            ("logits", self.logits),
            ("labels", self.labels),
            ("row_losses", row_losses),
            ("row_correct", row_correct),
        ];
        bindings.extend(dlogits.map(|dlogits| ("dlogits", dlogits)));
        let entry = if dlogits.is_some() {
            "train_rows"
        } else {
            "evaluate_rows"
        };
        self.dispatch(tape, entry, &[], &bindings, rows);
        let bindings = [
            ("row_losses", row_losses),
            ("row_correct", row_correct),
            ("step", self.step),
            ("losses", self.losses),
            ("correct", self.correct),
        ];
        for piece in pieces_of_kernel(tape.limits(), (&CROSS_ENTROPY, "sum_rows"), &[], rows) {
            let [first, count] = piece.constants();
            let accumulate = ("ACCUMULATE", f64::from(u8::from(piece.first > 0)));
            self.dispatch(tape, "sum_rows", &[first, count, accumulate], &bindings, 1);
        }
    }

    fn dispatch(
        &self,
        tape: &mut Tape,
        entry: &'static str,
        piece: &[(&'static str, f64)],
        bindings: &[(&'static str, Tensor)],
        workgroups: u32,
    ) {
        let sizes = [
            ("BATCH", self.logits.rows().into()),
            ("CLASSES", self.logits.columns().into()),
            ("MEAN_OVER", self.samples.into()),
        ];
        tape.dispatch(Kernel {
            shader: &CROSS_ENTROPY,
            entry,
            constants: &[&sizes, piece].concat(),
            bindings,
            extent: [workgroups * CROSS_ENTROPY.constant("WORKGROUP"), 1, 1],
            multiplications: 0,
        });
    }
}

impl Candidate for Algorithm {
    fn name(&self) -> String {
        match self {
            Self::Together => "together".to_owned(),
            Self::ByRow => "by_row".to_owned(),
        }
    }

    fn shaders(&self) -> Vec<&'static Shader> {
        vec![&CROSS_ENTROPY]
    }

    /// The exponent of a probability is rounded before it is raised, and is up to some 16 units large.
    fn amplification(&self) -> f64 {
        16.0
    }
}
