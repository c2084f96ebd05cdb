//! safetensors of other programs.

use std::path::Path;

use safetensors::tensor::Dtype;

use super::float::Float;
use super::refusal::Refusal;
use super::{Contents, Found};
use crate::checkpoint::{self, BATCH_COUNTER, NamedTensor};
use crate::error::Result;

/// Whether a file of `length` bytes that begins with `head` may be one: the length of a header in it, then the header, which is JSON.
pub(super) fn is_beginning(head: &[u8], length: u64) -> bool {
    head.split_first_chunk().is_some_and(|(&header, rest)| {
        u64::from_le_bytes(header) < length && rest.first() == Some(&b'{')
    })
}

/// Reads all tensors.
///
/// # Errors
/// A file that is not whole, or has tensors of integers other than counts of batches.
pub(super) fn read(path: &Path) -> Result<Contents> {
    let bytes = checkpoint::read(path)?;
    let mut found = Vec::new();
    for (name, view) in checkpoint::parse(path, &bytes)?.iter() {
        let stored = match view.dtype() {
            Dtype::F64 => Float::F64,
            Dtype::F32 => Float::F32,
            Dtype::F16 => Float::F16,
            Dtype::BF16 => Float::Bf16,
            _ if name.ends_with(BATCH_COUNTER) => continue,
            other => {
                let what = format!("its {name} is {other}, expected floating-point numbers");
                return Err(Refusal::foreign(what).of(path));
            }
        };
        let mut data = view.data();
        let count = data.len() / stored.bytes() as usize;
        let values = stored
            .read(&mut data, count)
            .map_err(|error| Refusal::from(error).of(path))?;
        let tensor = NamedTensor {
            name: name.to_owned(),
            shape: view.shape().to_vec(),
            values,
        };
        found.push(Found { tensor, stored });
    }
    Ok(Contents {
        found,
        notes: Vec::new(),
    })
}
