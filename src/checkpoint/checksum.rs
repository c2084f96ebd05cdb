//! The checksum of a file of tensors: the SHA-256 of all that it holds, in front of the text of its metadata.

use safetensors::tensor::View;
use sha2::Sha256;
use sha2::digest::Digest;

use crate::data::digest::hex;

/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;

/// The SHA-256 of tensors, in whichever order they come, and of the text of the metadata.
fn of<V: View>(mut tensors: Vec<(&str, V)>, text: &str) -> String {
    tensors.sort_by_key(|(name, _)| *name);
    let mut digest = Sha256::new();
    // With its length before it, no text can pass for another.
    let mut update = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    update(text.as_bytes());
    for (name, tensor) in &tensors {
        update(name.as_bytes());
        update(tensor.dtype().to_string().as_bytes());
        update(format!("{:?}", tensor.shape()).as_bytes());
        update(&tensor.data());
    }
    hex(&digest.finalize())
}

/// The text with the checksum in front.
pub(super) fn seal<V: View>(tensors: Vec<(&str, V)>, text: &str) -> String {
    format!("{} {text}", of(tensors, text))
}

/// A text with a checksum in front, taken apart; nothing of a text without.
pub(super) fn split(sealed: &str) -> Option<(&str, &str)> {
    let (sum, text) = sealed.split_once(' ')?;
    let is_sum = sum.len() == DIGITS && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_sum.then_some((sum, text))
}

/// Whether the tensors and the text are those that were sealed.
pub(super) fn is_right<V: View>(tensors: Vec<(&str, V)>, sum: &str, text: &str) -> bool {
    of(tensors, text) == sum
}
