//! A machine for the pickles of state dicts. It runs nothing: it knows the opcodes that Python's pickler writes for dicts of
//! tensors, and the few names of `Global`; the first other one ends the reading.
//!
//! What it holds is bounded by the length of the pickle, whatever that claims: an opcode makes at most one value.

use std::collections::HashMap;

use super::super::refusal::{Parsed, Refusal};
use super::value::{Global, Storage, Tensor, Value, View};

/// Bytes that a pickle may have; those of a thousand tensors and their optimiser's state are a quarter of it.
pub(super) const MAX_BYTES: u64 = 2 << 20;

/// A pickle that has been read.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    /// What was pickled.
    pub value: Value<'a>,
    /// The containers that values refer to.
    pub heap: Heap<'a>,
    /// The bytes it took.
    pub length: usize,
}

impl<'a> Pickle<'a> {
    /// The items of a list or tuple; none of anything else.
    pub(super) fn items(&self, value: Value) -> &[Value<'a>] {
        self.heap.items(value)
    }

    /// The entries of a dict.
    pub(super) fn entries(&self, value: Value) -> Option<&[(Value<'a>, Value<'a>)]> {
        match value {
            Value::Dict(number) => Some(&self.heap.dicts[number]),
            _ => None,
        }
    }
}

/// The containers of a pickle.
#[derive(Debug, Default)]
pub(super) struct Heap<'a> {
    /// Lists and tuples.
    sequences: Vec<Vec<Value<'a>>>,
    /// Dicts, in the order in which their entries came.
    dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    /// Storages, each once.
    pub storages: Vec<Storage<'a>>,
    /// Tensors.
    pub tensors: Vec<Tensor>,
}

impl<'a> Heap<'a> {
    fn items(&self, value: Value) -> &[Value<'a>] {
        match value {
            Value::Tuple(number) | Value::List(number) => &self.sequences[number],
            _ => &[],
        }
    }
}

/// Reads the pickle that `bytes` begin with.
///
/// # Errors
/// An opcode or a name that no state dict needs, or a pickle that is cut off or makes no sense.
pub(super) fn load(bytes: &[u8]) -> Parsed<Pickle<'_>> {
    let input = Input { bytes, at: 0 };
    let machine = Machine {
        input,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        storage_of_key: HashMap::new(),
        heap: Heap::default(),
        copied: 0,
    };
    machine.run()
}

/// The bytes of a pickle.
struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Parsed<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or_else(|| {
            Refusal::damaged(format!(
                "its pickle ends at byte {} inside an opcode",
                self.bytes.len()
            ))
        })?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let bytes = self.take(N)?;
        Ok(*bytes.as_array().expect("as many as were taken"))
    }

    fn byte(&mut self) -> Parsed<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn length(&mut self) -> Parsed<usize> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn text(&mut self, count: usize) -> Parsed<&'a str> {
        let at = self.at;
        std::str::from_utf8(self.take(count)?).map_err(|_| {
            Refusal::damaged(format!(
                "its pickle has text at byte {at} that is not UTF-8"
            ))
        })
    }

    /// Text up to the end of its line.
    fn line(&mut self) -> Parsed<&'a str> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n');
        let line = self.text(length.unwrap_or(rest.len()))?;
        self.take(1)?;
        Ok(line)
    }
}

/// The state of Python's unpickler.
struct Machine<'a> {
    input: Input<'a>,
    stack: Vec<Value<'a>>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<usize, Value<'a>>,
    storage_of_key: HashMap<&'a str, usize>,
    heap: Heap<'a>,
    /// Entries that went from lists into dicts.
    copied: usize,
}

impl<'a> Machine<'a> {
    fn run(mut self) -> Parsed<Pickle<'a>> {
        loop {
            let at = self.input.at;
            match self.input.byte()? {
                b'.' => {
                    return Ok(Pickle {
                        value: self.pop()?,
                        heap: self.heap,
                        length: self.input.at,
                    });
                }
                // The protocol, and how the bytes are framed.
                0x80 => drop(self.input.byte()?),
                0x95 => drop(self.input.take(8)?),
                b'N' => self.stack.push(Value::Other),
                b'G' => {
                    self.input.take(8)?;
                    self.stack.push(Value::Other);
                }
                0x88 => self.stack.push(Value::Bool(true)),
                0x89 => self.stack.push(Value::Bool(false)),
                b'J' => {
                    let value = i32::from_le_bytes(self.input.array()?);
                    self.stack.push(Value::Int(value.into()));
                }
                b'K' => {
                    let value = self.input.byte()?;
                    self.stack.push(Value::Int(value.into()));
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.input.array()?);
                    self.stack.push(Value::Int(value.into()));
                }
                0x8a => self.long()?,
                b'X' | b'T' => {
                    let length = self.input.length()?;
                    self.text(length)?;
                }
                0x8c | b'U' => {
                    let length = self.input.byte()?.into();
                    self.text(length)?;
                }
                b'(' => self.marks.push(self.stack.len()),
                b')' => self.tuple(0)?,
                0x85 => self.tuple(1)?,
                0x86 => self.tuple(2)?,
                0x87 => self.tuple(3)?,
                b't' => {
                    let items = self.pop_mark()?;
                    let tuple = self.sequence(items);
                    self.stack.push(Value::Tuple(tuple));
                }
                b']' => {
                    let list = self.sequence(Vec::new());
                    self.stack.push(Value::List(list));
                }
                b'}' => self.dict(Vec::new()),
                b'a' => {
                    let item = self.pop()?;
                    self.append(&[item])?;
                }
                b'e' => {
                    let items = self.pop_mark()?;
                    self.append(&items)?;
                }
                b's' => {
                    let entry = self.pop_several(2)?;
                    self.set_items(&entry)?;
                }
                b'u' => {
                    let entries = self.pop_mark()?;
                    self.set_items(&entries)?;
                }
                b'q' => {
                    let slot = self.input.byte()?.into();
                    self.remember(slot)?;
                }
                b'r' => {
                    let slot = self.input.length()?;
                    self.remember(slot)?;
                }
                0x94 => self.remember(self.memo.len())?,
                b'h' => {
                    let slot = self.input.byte()?.into();
                    self.recall(slot)?;
                }
                b'j' => {
                    let slot = self.input.length()?;
                    self.recall(slot)?;
                }
                b'c' => {
                    let (module, name) = (self.input.line()?, self.input.line()?);
                    self.stack.push(Value::Global(Global::find(module, name)?));
                }
                0x93 => match self.pop_several(2)?[..] {
                    [Value::Text(module), Value::Text(name)] => {
                        self.stack.push(Value::Global(Global::find(module, name)?));
                    }
                    _ => return Err(self.senseless("a global without a name")),
                },
                b'Q' => self.storage()?,
                b'R' => self.reduce()?,
                // Attributes of the object below: PyTorch's versions of the modules, in `_metadata`.
                b'b' => {
                    self.pop()?;
                    self.top_dict()?;
                }
                opcode => {
                    return Err(Refusal::foreign(format!(
                        "its pickle has opcode {opcode:#04x} at byte {at}, which no state dict needs"
                    )));
                }
            }
        }
    }

    fn senseless(&self, what: &str) -> Refusal {
        Refusal::damaged(format!(
            "its pickle makes no sense before byte {}: {what}",
            self.input.at
        ))
    }

    fn pop(&mut self) -> Parsed<Value<'a>> {
        Ok(self.pop_several(1)?[0])
    }

    /// The top of the stack down to the last mark, the topmost last.
    fn pop_several(&mut self, count: usize) -> Parsed<Vec<Value<'a>>> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(from) if from >= floor => Ok(self.stack.drain(from..).collect()),
            _ => Err(self.senseless("values are missing")),
        }
    }

    fn pop_mark(&mut self) -> Parsed<Vec<Value<'a>>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.drain(mark..).collect()),
            None => Err(self.senseless("a mark is missing")),
        }
    }

    /// The integer of as many bytes as the next one says.
    fn long(&mut self) -> Parsed<()> {
        let count = usize::from(self.input.byte()?);
        let bytes = self.input.take(count)?;
        let is_negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut whole = [if is_negative { 0xff } else { 0 }; 8];
        let Some(place) = whole.get_mut(..count) else {
            return Err(self.senseless(&format!("an integer of {count} bytes")));
        };
        place.copy_from_slice(bytes);
        self.stack.push(Value::Int(i64::from_le_bytes(whole)));
        Ok(())
    }

    fn text(&mut self, length: usize) -> Parsed<()> {
        let text = self.input.text(length)?;
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn tuple(&mut self, count: usize) -> Parsed<()> {
        let items = self.pop_several(count)?;
        let tuple = self.sequence(items);
        self.stack.push(Value::Tuple(tuple));
        Ok(())
    }

    fn sequence(&mut self, items: Vec<Value<'a>>) -> usize {
        self.heap.sequences.push(items);
        self.heap.sequences.len() - 1
    }

    fn dict(&mut self, entries: Vec<(Value<'a>, Value<'a>)>) {
        self.heap.dicts.push(entries);
        self.stack.push(Value::Dict(self.heap.dicts.len() - 1));
    }

    fn append(&mut self, items: &[Value<'a>]) -> Parsed<()> {
        match self.stack.last() {
            Some(&Value::List(list)) => self.heap.sequences[list].extend_from_slice(items),
            _ => return Err(self.senseless("items without a list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Value<'a>]) -> Parsed<()> {
        let dict = self.top_dict()?;
        let (entries, rest) = items.as_chunks();
        if !rest.is_empty() {
            return Err(self.senseless("a key without a value"));
        }
        self.heap.dicts[dict].extend(entries.iter().map(|&[key, value]| (key, value)));
        Ok(())
    }

    fn top_dict(&self) -> Parsed<usize> {
        match self.stack.last() {
            Some(&Value::Dict(dict)) => Ok(dict),
            _ => Err(self.senseless("entries or attributes of what is no dict")),
        }
    }

    fn remember(&mut self, slot: usize) -> Parsed<()> {
        match self.stack.last() {
            Some(&value) => drop(self.memo.insert(slot, value)),
            None => return Err(self.senseless("nothing to remember")),
        }
        Ok(())
    }

    fn recall(&mut self, slot: usize) -> Parsed<()> {
        match self.memo.get(&slot) {
            Some(&value) => self.stack.push(value),
            None => return Err(self.senseless(&format!("nothing was remembered as {slot}"))),
        }
        Ok(())
    }

    /// PyTorch's persistent identity of a storage: its type, key, device, count, and in the old format a view, which is none.
    fn storage(&mut self) -> Parsed<()> {
        let identity = self.pop()?;
        let (
            Value::Text("storage"),
            Value::Global(Global::Storage(element)),
            Value::Text(key),
            count,
        ) = (match self.heap.items(identity) {
            [kind, element, key, _, count] | [kind, element, key, _, count, Value::Other] => {
                (*kind, *element, *key, self.size(*count)?)
            }
            _ => return Err(self.senseless("no storage has that identity")),
        })
        else {
            return Err(self.senseless("no storage has that identity"));
        };
        let storage = Storage {
            key,
            element,
            count,
        };
        let next = self.heap.storages.len();
        let number = *self.storage_of_key.entry(key).or_insert(next);
        if number == next {
            self.heap.storages.push(storage);
        } else if self.heap.storages[number] != storage {
            return Err(self.senseless(&format!("storage {key} is two different ones")));
        }
        self.stack.push(Value::Storage(number));
        Ok(())
    }

    /// What a call of the object below with the arguments above would give.
    fn reduce(&mut self) -> Parsed<()> {
        let arguments = self.pop()?;
        let Value::Global(callee) = self.pop()? else {
            return Err(self.senseless("a call of what is not callable"));
        };
        match (callee, self.heap.items(arguments)) {
            (Global::OrderedDict, []) => self.dict(Vec::new()),
            (Global::OrderedDict, &[Value::List(pairs)]) => {
                let entries = self.pairs(pairs)?;
                self.dict(entries);
            }
            (Global::Size, &[Value::Tuple(shape)]) => self.stack.push(Value::Tuple(shape)),
            (Global::RebuildParameter, &[Value::Tensor(tensor), ..]) => {
                self.stack.push(Value::Tensor(tensor));
            }
            (
                Global::RebuildTensor | Global::RebuildTensorV2,
                &[Value::Storage(storage), offset, shape, strides, ..],
            ) => {
                let stored = self.heap.storages[storage].count;
                let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
                let view = View::new(self.size(offset)?, shape, strides, stored)?;
                self.heap.tensors.push(Tensor { storage, view });
                let number = self.heap.tensors.len() - 1;
                self.stack.push(Value::Tensor(number));
            }
            _ => return Err(self.senseless(&format!("{callee:?} with other arguments"))),
        }
        Ok(())
    }

    /// The entries of an OrderedDict as Python 2 pickled them: a list of lists of two.
    fn pairs(&mut self, list: usize) -> Parsed<Vec<(Value<'a>, Value<'a>)>> {
        let pairs = &self.heap.sequences[list];
        self.copied += pairs.len();
        // Every pair takes more bytes than that, unless one list makes many dicts.
        if self.copied > self.input.bytes.len() {
            return Err(self.senseless("one list makes many dicts"));
        }
        let entry = |&pair: &Value<'a>| match *self.heap.items(pair) {
            [key, value] => Ok((key, value)),
            _ => Err(self.senseless("an entry of a dict that is no pair")),
        };
        pairs.iter().map(entry).collect()
    }

    fn size(&self, value: Value) -> Parsed<usize> {
        let size = match value {
            Value::Int(size) => usize::try_from(size).ok(),
            _ => None,
        };
        size.ok_or_else(|| self.senseless(&format!("{value:?} as a size, stride or offset")))
    }

    /// The sizes of a shape, or strides: of more dimensions than a view has, one more than those.
    fn sizes(&self, value: Value) -> Parsed<Vec<usize>> {
        if !matches!(value, Value::Tuple(_)) {
            return Err(self.senseless("a shape or strides that are no tuple"));
        }
        let items = self.heap.items(value).iter().take(View::MAX_DIMENSIONS + 1);
        items.map(|&size| self.size(size)).collect()
    }
}
