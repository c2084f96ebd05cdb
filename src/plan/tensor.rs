//! Tensors: names for ranges of buffers, with a shape and no data.

use std::fmt;

/// The sizes of a tensor, slowest dimension first; images are channels last, `[N, H, W, C]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    sizes: [u32; 4],
    rank: u8,
}

impl Shape {
    /// The sizes, slowest dimension first.
    pub fn sizes(&self) -> &[u32] {
        &self.sizes[..self.rank as usize]
    }

    /// The number of elements.
    pub fn elements(&self) -> u32 {
        self.sizes().iter().product()
    }
}

impl<const RANK: usize> From<[u32; RANK]> for Shape {
    fn from(sizes: [u32; RANK]) -> Self {
        assert!(RANK <= 4, "a tensor has at most 4 dimensions, not {RANK}");
        let elements: u64 = sizes.iter().map(|&size| u64::from(size)).product();
        assert!(elements > 0, "shape {sizes:?} has no elements");
        assert!(
            elements <= u64::from(u32::MAX),
            "shape {sizes:?} is too large for 32-bit indices"
        );
        let mut padded = [1; 4];
        padded[..RANK].copy_from_slice(&sizes);
        Self {
            sizes: padded,
            rank: RANK as u8,
        }
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.sizes())
    }
}

/// Which buffer of a plan a tensor lies in: an index into [`Plan::buffers`](super::Plan::buffers).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct BufferId(pub(super) u32);

/// A contiguous range of a buffer of 4-byte elements, read with a shape. A handle: it is copied freely.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tensor {
    pub(super) buffer: BufferId,
    /// First element, counted in elements from the start of the buffer.
    pub(super) offset: u32,
    pub(super) shape: Shape,
}

impl Tensor {
    /// The shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// First element, counted from the start of the buffer.
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// The number of elements.
    pub fn elements(&self) -> u32 {
        self.shape.elements()
    }

    /// The number of bytes.
    pub fn bytes(&self) -> u64 {
        u64::from(self.elements()) * 4
    }

    /// The size of dimension 0: the batch.
    pub fn rows(&self) -> u32 {
        self.shape.sizes()[0]
    }

    /// Everything but dimension 0 taken together: the features of one row.
    pub fn columns(&self) -> u32 {
        self.elements() / self.rows()
    }

    /// `[N, H, W, C]` of a batch of images.
    pub fn image_sizes(&self) -> [u32; 4] {
        let sizes = self.shape.sizes();
        <[u32; 4]>::try_from(sizes)
            .unwrap_or_else(|_| panic!("{sizes:?} is not a batch of images [N, H, W, C]"))
    }

    /// Rows `start..start + count` of dimension 0.
    pub fn row_range(self, start: u32, count: u32) -> Self {
        assert!(
            start + count <= self.rows(),
            "rows {start}..{} of {:?}",
            start + count,
            self.shape
        );
        let offset = self.offset + start * self.columns();
        let mut shape = self.shape;
        shape.sizes[0] = count;
        Self {
            offset,
            shape,
            ..self
        }
    }

    /// `count` elements from element `start` on, as one dimension.
    pub fn range(self, start: u32, count: u32) -> Self {
        assert!(
            start + count <= self.elements(),
            "elements {start}..{} of {:?}",
            start + count,
            self.shape
        );
        Self {
            offset: self.offset + start,
            shape: Shape::from([count]),
            ..self
        }
    }

    /// The elements in ranges of at most `longest` that each begin at a multiple of `step` elements of this tensor.
    pub fn ranges(self, longest: u32, step: u32) -> impl Iterator<Item = Self> {
        let length = (longest / step).max(1) * step;
        let starts = (0..self.elements()).step_by(length as usize);
        starts.map(move |start| self.range(start, length.min(self.elements() - start)))
    }

    /// The range of this tensor that lies where `range` does in `other`, a tensor of as many elements.
    pub fn range_like(self, other: Self, range: Self) -> Self {
        self.range(range.offset - other.offset, range.elements())
    }

    /// All elements from the first one of this tensor to the last one of `last`, which lies behind it in the same buffer, as
    /// one dimension.
    pub fn through(self, last: Self) -> Self {
        assert!(
            self.buffer == last.buffer && self.offset + self.elements() <= last.offset,
            "{last:?} does not lie behind {self:?}"
        );
        let count = last.offset + last.elements() - self.offset;
        Self {
            shape: Shape::from([count]),
            ..self
        }
    }

    /// The same elements under another shape.
    pub fn reshape(self, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        assert_eq!(
            shape.elements(),
            self.elements(),
            "cannot read {:?} as {shape:?}: the element counts differ",
            self.shape
        );
        Self { shape, ..self }
    }
}
