//! Twin of `shaders/concat.wgsl`: copies a range of columns of `x` into a range of columns of `y`.
//! Concatenation is one copy per part; a slice is one copy into a narrower tensor.
//! The range wraps around in `x`, which is the input split of a spinal layer.

/// Which columns go where.
#[derive(Clone, Copy, Debug)]
pub struct Concat {
    /// Rows N of `x` and `y`.
    pub batch: usize,
    /// Columns copied.
    pub columns: usize,
    /// Columns of `x`.
    pub src: usize,
    /// First column read; column `j` of the range is column `(src_start + j) mod src` of `x`.
    pub src_start: usize,
    /// Columns of `y`.
    pub dst: usize,
    /// First column written; `dst_start + columns <= dst`.
    pub dst_start: usize,
}

impl Concat {
    /// Calls `copy(x, y)` with the two flat indices of every copied element.
    fn for_each_copy(&self, mut copy: impl FnMut(usize, usize)) {
        assert!(self.dst_start + self.columns <= self.dst);
        for n in 0..self.batch {
            for j in 0..self.columns {
                let from = n * self.src + (self.src_start + j) % self.src;
                let to = n * self.dst + self.dst_start + j;
                copy(from, to);
            }
        }
    }
}

/// Writes the range of `x` `[N, SRC]` into `y` `[N, DST]`; the other columns of `y` stay as they are.
pub fn forward(shape: &Concat, x: &[f64], y: &mut [f64]) {
    shape.for_each_copy(|from, to| y[to] = x[from]);
}

/// Adds the range of `dy` `[N, DST]` to the columns of `dx` `[N, SRC]` that it was copied from.
pub fn backward(shape: &Concat, dy: &[f64], dx: &mut [f64]) {
    shape.for_each_copy(|from, to| dx[from] += dy[to]);
}
