//! Names of a kernel's overrides and bindings, held against what its entry point has.

use super::Binding;
use super::grid::Grid;
use super::kernel::Kernel;
use super::parameters::ALIGNMENT;
use super::reflection::{Access, BindingSlot, EntryPoint};
use super::tensor::Tensor;

pub(super) fn check_constants(place: &str, kernel: &Kernel, entry: &EntryPoint) {
    for (index, (name, _)) in kernel.constants.iter().enumerate() {
        assert!(
            kernel.shader.has_override(name),
            "{place}: there is no override {name}"
        );
        let repeated = kernel.constants[..index]
            .iter()
            .any(|(earlier, _)| earlier == name);
        assert!(!repeated, "{place}: override {name} is given twice");
    }
    for name in &entry.required_overrides {
        let given = kernel
            .constants
            .iter()
            .any(|(constant, _)| constant == name);
        assert!(given, "{place}: override {name} is not set");
    }
}

/// The bytes that a tensor binds to a slot: its own, or the declared size of a uniform buffer.
fn bound_bytes(place: &str, slot: &BindingSlot, tensor: Tensor) -> u64 {
    let bytes = tensor.bytes();
    if slot.access == Access::Uniform {
        assert!(
            bytes <= slot.uniform_bytes.into(),
            "{place}: `{}` of {bytes} bytes does not fit the uniform buffer of {}",
            slot.name,
            slot.uniform_bytes
        );
        return slot.uniform_bytes.into();
    }
    assert!(
        bytes.is_multiple_of(slot.element_bytes.into()),
        "{place}: binding `{}` of {bytes} bytes is not a whole number of {}-byte elements",
        slot.name,
        slot.element_bytes
    );
    bytes
}

pub(super) fn bind(place: &str, kernel: &Kernel, entry: &EntryPoint) -> Vec<Binding> {
    for (name, _) in kernel.bindings {
        let known = entry.bindings.iter().any(|slot| slot.name == *name);
        assert!(known, "{place}: there is no binding `{name}`");
    }
    let bindings: Vec<Binding> = entry
        .bindings
        .iter()
        .map(|slot| {
            let given = kernel.bindings.iter().find(|(name, _)| *name == slot.name);
            let (_, tensor) =
                *given.unwrap_or_else(|| panic!("{place}: binding `{}` is missing", slot.name));
            assert!(
                tensor.offset.is_multiple_of(ALIGNMENT),
                "{place}: `{}` does not start at a multiple of 256 bytes",
                slot.name
            );
            Binding {
                name: slot.name.clone(),
                slot: slot.slot,
                access: slot.access,
                tensor,
                bytes: bound_bytes(place, slot, tensor),
            }
        })
        .collect();
    for written in bindings
        .iter()
        .filter(|binding| binding.access == Access::ReadWrite)
    {
        for other in &bindings {
            let clash =
                other.access != Access::ReadWrite && other.tensor.buffer == written.tensor.buffer;
            assert!(
                !clash,
                "{place}: `{}` is written in the buffer that `{}` is read from",
                written.name, other.name
            );
        }
    }
    bindings
}

/// The overrides that count for the entry point: the layer's, and those of a folded grid.
pub(super) fn constants(
    kernel: &Kernel,
    entry: &EntryPoint,
    grid: Option<Grid>,
) -> Vec<(&'static str, f64)> {
    let given = kernel.constants.iter().copied();
    let mut constants: Vec<_> = given
        .filter(|(name, _)| entry.overrides.contains(*name))
        .collect();
    if let Some([x, y, z]) = grid.and_then(|grid| grid.asked) {
        constants.extend([
            ("GRID_X", x.into()),
            ("GRID_Y", y.into()),
            ("GRID_Z", z.into()),
        ]);
    }
    constants
}
