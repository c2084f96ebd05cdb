//! A plan as a table: what `spinal plan` prints and what snapshots compare.

use std::fmt;

use super::{Dispatch, Plan};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        writeln!(
            f,
            "{:<4} {:<24} {:<36} {:>14} {:>14} {:>12}  tensors",
            "#", "layer", "kernel", "grid", "FLOP", "bytes"
        )?;
        for (index, dispatch) in self.dispatches.iter().enumerate() {
            writeln!(
                f,
                "{:<4} {:<24} {:<36} {:>14} {:>14} {:>12}  {}",
                index,
                dispatch.layer,
                format!("{}.{}", dispatch.shader.name(), dispatch.entry),
                grid(dispatch.grid),
                2 * dispatch.cost.multiplications,
                dispatch.cost.bytes,
                tensors(self, dispatch)
            )?;
        }
        let cost = self.cost();
        write!(
            f,
            "{} dispatches, {} FLOP, {} bytes bound, {} bytes of device memory",
            self.dispatches.len(),
            2 * cost.multiplications,
            cost.bytes,
            self.allocation().bytes()
        )
    }
}

fn grid(grid: [u32; 3]) -> String {
    let [x, y, z] = grid;
    if z == 1 {
        format!("{x}x{y}")
    } else {
        format!("{x}x{y}x{z}")
    }
}

fn tensors(plan: &Plan, dispatch: &Dispatch) -> String {
    let named = dispatch.bindings.iter().map(|binding| {
        let label = &plan.buffer(binding.tensor).label;
        format!("{}={label}{:?}", binding.name, binding.tensor.shape())
    });
    named.collect::<Vec<_>>().join(" ")
}
