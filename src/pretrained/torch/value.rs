//! What the pickle of a state dict is made of.
//!
//! Values refer to containers by number, so that they are copied freely, may refer to each other in circles, and are dropped
//! without recursion.

use super::super::float::Float;
use super::super::refusal::{Parsed, Refusal};

/// A value of a pickle, `'a` the life of its bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// Nothing, or a number that no tensor is described by.
    Other,
    Bool(bool),
    Int(i64),
    Text(&'a str),
    Global(Global),
    /// The sequence of that number.
    Tuple(usize),
    /// The sequence of that number.
    List(usize),
    /// The dict of that number.
    Dict(usize),
    /// The storage of that number.
    Storage(usize),
    /// The tensor of that number.
    Tensor(usize),
}

/// What the pickle of a state dict may ask for by name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    /// Of PyTorch before 0.4.
    RebuildTensor,
    RebuildTensorV2,
    RebuildParameter,
    Size,
    Storage(Element),
}

/// A number in a storage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Element {
    Float(Float),
    /// An integer or a truth value.
    Whole {
        name: &'static str,
        bytes: u64,
    },
}

impl Element {
    /// Bytes of a number.
    pub(super) fn bytes(self) -> u64 {
        match self {
            Self::Float(float) => float.bytes(),
            Self::Whole { bytes, .. } => bytes,
        }
    }
}

impl Global {
    /// The global of that name, if a state dict may ask for it.
    pub(super) fn find(module: &str, name: &str) -> Parsed<Self> {
        let whole = |name, bytes| Ok(Self::Storage(Element::Whole { name, bytes }));
        let float = |float| Ok(Self::Storage(Element::Float(float)));
        match (module, name) {
            ("collections", "OrderedDict") => Ok(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor") => Ok(Self::RebuildTensor),
            ("torch._utils", "_rebuild_tensor_v2") => Ok(Self::RebuildTensorV2),
            ("torch._utils", "_rebuild_parameter") => Ok(Self::RebuildParameter),
            ("torch", "Size") => Ok(Self::Size),
            ("torch", "DoubleStorage") => float(Float::F64),
            ("torch", "FloatStorage") => float(Float::F32),
            ("torch", "HalfStorage") => float(Float::F16),
            ("torch", "BFloat16Storage") => float(Float::Bf16),
            ("torch", "LongStorage") => whole("I64", 8),
            ("torch", "IntStorage") => whole("I32", 4),
            ("torch", "ShortStorage") => whole("I16", 2),
            ("torch", "CharStorage") => whole("I8", 1),
            ("torch", "ByteStorage") => whole("U8", 1),
            ("torch", "BoolStorage") => whole("BOOL", 1),
            _ => Err(Refusal::foreign(format!(
                "its pickle asks for {module}.{name}, which is not run: a state dict needs none"
            ))),
        }
    }
}

/// Numbers in a row, which tensors are views of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Storage<'a> {
    /// What it is called in the file.
    pub key: &'a str,
    /// What it is made of.
    pub element: Element,
    /// How many there are.
    pub count: usize,
}

/// A tensor as a view of a storage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    /// The number of its storage.
    pub storage: usize,
    /// Where it lies in it.
    pub view: View,
}

/// Which numbers of a storage make a tensor, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    offset: usize,
    /// The tensor's shape.
    pub shape: Vec<usize>,
    strides: Vec<usize>,
    /// Elements of the tensor.
    pub count: usize,
}

impl View {
    /// Dimensions that a tensor of a net has at most.
    pub(super) const MAX_DIMENSIONS: usize = 8;

    /// A view of a storage of `stored` numbers.
    ///
    /// # Errors
    /// One that leaves the storage, or sees numbers of it many times.
    pub(super) fn new(
        offset: usize,
        shape: Vec<usize>,
        strides: Vec<usize>,
        stored: usize,
    ) -> Parsed<Self> {
        let refuse = |what: &str| {
            Err(Refusal::damaged(format!(
                "a tensor of shape {shape:?}, strides {strides:?} and offset {offset} {what} its storage of {stored}"
            )))
        };
        if shape.len() > Self::MAX_DIMENSIONS || shape.len() != strides.len() {
            return Err(Refusal::damaged(format!(
                "a tensor has {} dimensions and {} strides, expected as many and at most {}",
                shape.len(),
                strides.len(),
                Self::MAX_DIMENSIONS
            )));
        }
        let is_empty = shape.contains(&0);
        let product = |count: usize, &size| count.checked_mul(size);
        let count = match is_empty {
            true => 0,
            false => shape.iter().try_fold(1, product).unwrap_or(usize::MAX),
        };
        if count > stored {
            return refuse("is larger than");
        }
        let step = |last: usize, (&size, &stride): (&usize, &usize)| {
            last.checked_add(stride.checked_mul(size - 1)?)
        };
        let last = || shape.iter().zip(&strides).try_fold(offset, step);
        if !is_empty && last().is_none_or(|last| last >= stored) {
            return refuse("leaves");
        }
        Ok(Self {
            offset,
            shape,
            strides,
            count,
        })
    }

    /// Whether the tensor is the storage, in its order.
    pub(super) fn is_whole(&self, stored: usize) -> bool {
        self.count == stored && self.is_contiguous()
    }

    /// The tensor's elements in row-major order.
    pub(super) fn gather(&self, storage: &[f32]) -> Vec<f32> {
        if self.is_contiguous() {
            return storage[self.offset..][..self.count].to_vec();
        }
        let mut values = Vec::with_capacity(self.count);
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset;
        while values.len() < self.count {
            values.push(storage[at]);
            for axis in (0..self.shape.len()).rev() {
                index[axis] += 1;
                at += self.strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= self.strides[axis] * index[axis];
                index[axis] = 0;
            }
        }
        values
    }

    /// Whether neighbours in row-major order are neighbours in the storage.
    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        let mut axes = self.shape.iter().zip(&self.strides).rev();
        self.count == 0
            || axes.all(|(&size, &stride)| {
                let is_dense = size == 1 || stride == expected;
                expected *= size;
                is_dense
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(offset: usize, shape: &[usize], strides: &[usize]) -> Parsed<View> {
        View::new(offset, shape.to_vec(), strides.to_vec(), 12)
    }

    fn gathered(offset: usize, shape: &[usize], strides: &[usize]) -> Vec<f32> {
        let storage: Vec<f32> = (0..12).map(|i| i as f32).collect();
        view(offset, shape, strides).unwrap().gather(&storage)
    }

    #[test]
    fn strides_and_offsets_are_followed() {
        assert_eq!(gathered(1, &[2, 2], &[2, 1]), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(
            gathered(0, &[2, 3], &[1, 4]),
            [0.0, 4.0, 8.0, 1.0, 5.0, 9.0]
        );
        assert_eq!(gathered(7, &[3], &[2]), [7.0, 9.0, 11.0]);
        assert_eq!(gathered(3, &[2, 2], &[0, 0]), [3.0; 4]);
        assert_eq!(gathered(11, &[], &[]), [11.0]);
        assert!(gathered(12, &[0, 5], &[5, 1]).is_empty());
        assert!(view(0, &[3, 1, 4], &[4, 99, 1]).unwrap().is_whole(12));
        assert!(!view(0, &[4, 3], &[1, 4]).unwrap().is_whole(12));
    }

    #[test]
    fn views_that_leave_their_storage_are_refused() {
        let huge = usize::MAX;
        for (offset, shape, strides) in [
            (0, &[13][..], &[1][..]),
            (0, &[13], &[0]),
            (1, &[12], &[1]),
            (12, &[], &[]),
            (0, &[2], &[12]),
            (0, &[2], &[huge]),
            (huge, &[2], &[1]),
            (0, &[3], &[huge / 2 + 1]),
            (0, &[huge, huge], &[0, 0]),
            (0, &[1 << 33, 1 << 33], &[0, 0]),
            (0, &[1], &[]),
            (0, &[1; 9], &[1; 9]),
        ] {
            assert!(
                view(offset, shape, strides).is_err(),
                "{shape:?} {strides:?}"
            );
        }
    }
}
