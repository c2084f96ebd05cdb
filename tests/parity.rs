//! The product against PyTorch through the plans that training runs, on every kind of kernels and checks: logits, losses,
//! every gradient by name, the trained weights and the running statistics.

mod common;

/// The two kinds of fixtures in `tests/fixtures`, and what their tests share.
mod parity {
    pub mod case;
    pub mod digest;
    pub mod families;
    pub mod fixture;
    pub mod training;
    pub mod whole;
}
