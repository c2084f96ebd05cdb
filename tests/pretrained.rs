//! Reading the weights of others: files that PyTorch wrote (tests/fixtures/weights.py), and files made to do harm. Nothing panics, and
//! nothing is allocated that the length of a file does not account for.

mod pretrained {
    pub mod allocation;
    pub mod fixtures;
    pub mod hostile;
    pub mod pickle;
    pub mod whole;
}
