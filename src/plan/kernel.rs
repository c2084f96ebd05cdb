//! A dispatch before it is recorded.

use super::shader::Shader;
use super::tensor::Tensor;

/// A dispatch as a layer asks for it: names instead of numbers, an extent instead of a grid.
pub struct Kernel<'a> {
    /// The WGSL file.
    pub shader: &'static Shader,
    /// The entry point.
    pub entry: &'static str,
    /// Values of the overrides; those the entry point does not use are ignored, those the file does not have are refused.
    pub constants: &'a [(&'static str, f64)],
    /// The tensors by the names of the WGSL variables.
    pub bindings: &'a [(&'static str, Tensor)],
    /// The range of indices to cover along x (neighbouring invocations), y and z.
    pub extent: [u32; 3],
    /// Multiplications of the mathematics.
    pub multiplications: u64,
}
