//! Twin of `shaders/cross_entropy.wgsl`: `loss = mean over the batch of -log_softmax(logits)[label]`, with its gradient
//! `dlogits = (softmax(logits) - onehot(label)) / N` and the number of right answers.

/// What one batch gives.
#[derive(Clone, Debug)]
pub struct CrossEntropy {
    /// Mean loss of the batch, in nats.
    pub loss: f64,
    /// Gradient of `loss`, `[N, C]`.
    pub dlogits: Vec<f64>,
    /// Rows whose first largest logit is at the label.
    pub correct: usize,
}

/// Loss, gradient and right answers of `logits` `[N, C]` for `labels` `[N]`.
pub fn forward(logits: &[f64], labels: &[u32]) -> CrossEntropy {
    let batch = labels.len();
    let classes = logits.len() / batch;
    assert_eq!(logits.len(), batch * classes);
    let mut loss = 0.0;
    let mut dlogits = vec![0.0; logits.len()];
    let mut correct = 0;
    for n in 0..batch {
        let row = &logits[n * classes..(n + 1) * classes];
        let label = labels[n] as usize;

        let mut best = 0;
        for c in 0..classes {
            if row[c] > row[best] {
                best = c;
            }
        }
        if best == label {
            correct += 1;
        }

        let max = row[best];
        let sum: f64 = row.iter().map(|logit| (logit - max).exp()).sum();
        loss += (max + sum.ln() - row[label]) / batch as f64;
        for c in 0..classes {
            let softmax = (row[c] - max).exp() / sum;
            let onehot = if c == label { 1.0 } else { 0.0 };
            dlogits[n * classes + c] = (softmax - onehot) / batch as f64;
        }
    }
    CrossEntropy {
        loss,
        dlogits,
        correct,
    }
}
