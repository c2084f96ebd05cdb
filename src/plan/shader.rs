//! WGSL files as the host sees them: what each entry point binds, needs and covers, read from the source by naga.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use super::library::Factors;
use naga::{AddressSpace, ArraySize, Expression, Literal, Module, StorageAccess, TypeInner};

/// One WGSL file with its part of the library behind it, and what naga reads from it.
pub struct Shader {
    name: &'static str,
    text: &'static str,
    factors: Factors,
    source: OnceLock<String>,
    reflection: OnceLock<Reflection>,
}

/// Makes the [`Shader`] of `shaders/NAME.wgsl`, with what the file names of the library behind it.
///
/// `shader!(f16 NAME)` makes the variant that multiplies f16 on matrix units: `f16/products.wgsl` takes the place of
/// `lib/products.wgsl`.
#[macro_export]
macro_rules! shader {
    ($name:literal) => {
        $crate::plan::Shader::new($name, $crate::wgsl!($name))
    };
    (f16 $name:literal) => {
        $crate::plan::Shader::f16(concat!($name, " (f16)"), $crate::wgsl!($name))
    };
}

/// How an entry point uses a binding.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Access {
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is written, and may be read.
    ReadWrite,
    /// A uniform buffer: its whole declared size is bound, whatever the tensor's.
    Uniform,
}

/// A buffer binding of an entry point.
#[derive(Clone, Debug)]
pub struct BindingSlot {
    /// The variable's name in the WGSL.
    pub name: String,
    /// Its `@binding` number (the group is always 0).
    pub slot: u32,
    /// Read, or read and written.
    pub access: Access,
    /// Bytes from one array element to the next: an offset or size must be a multiple of it.
    pub element_bytes: u32,
    /// Bytes of the declared array, for a uniform buffer.
    pub uniform_bytes: u32,
}

/// What the host must know of one entry point.
#[derive(Clone, Debug)]
pub struct EntryPoint {
    /// The buffers it uses.
    pub bindings: Vec<BindingSlot>,
    /// Invocations of a workgroup along x, y, z; 1 where the size is an override, so that extents count workgroups.
    pub workgroup_size: [u32; 3],
    /// How much of the extent one invocation covers along x, y, z: the WGSL constant `TILE_<ENTRY>`, or 1, 1, 1.
    pub tile: [u32; 3],
    /// The overrides it uses that have no default, and so must be given.
    pub required_overrides: Vec<String>,
}

impl fmt::Debug for Shader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shaders/{}.wgsl", self.name)
    }
}

struct Reflection {
    entry_points: BTreeMap<String, EntryPoint>,
    overrides: Vec<String>,
    constants: BTreeMap<String, u32>,
}

impl Shader {
    /// A shader from the text of its file. `name` is the path below `shaders/` without the extension.
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self::with_factors(name, text, Factors::F32)
    }

    /// The variant that multiplies f16 on matrix units.
    pub const fn f16(name: &'static str, text: &'static str) -> Self {
        Self::with_factors(name, text, Factors::F16)
    }

    const fn with_factors(name: &'static str, text: &'static str, factors: Factors) -> Self {
        Self {
            name,
            text,
            factors,
            source: OnceLock::new(),
            reflection: OnceLock::new(),
        }
    }

    /// The path below `shaders/`, without the extension, and ` (f16)` for that variant.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The complete WGSL.
    pub fn source(&self) -> &str {
        self.source.get_or_init(|| self.factors.module(self.text))
    }

    /// The entry point `entry`. Panics if there is none: a mistake of the layer that asks.
    pub fn entry_point(&self, entry: &str) -> &EntryPoint {
        self.reflection()
            .entry_points
            .get(entry)
            .unwrap_or_else(|| panic!("shader {} has no entry point `{entry}`", self.name))
    }

    /// The names of all entry points.
    pub fn entry_names(&self) -> impl Iterator<Item = &str> {
        self.reflection().entry_points.keys().map(String::as_str)
    }

    /// Whether the file declares an override of this name.
    pub fn has_override(&self, name: &str) -> bool {
        self.reflection()
            .overrides
            .iter()
            .any(|known| known == name)
    }

    /// The value of a `const NAME: u32` of the file or of the library, so that no number is written twice.
    pub fn constant(&self, name: &str) -> u32 {
        *self
            .reflection()
            .constants
            .get(name)
            .unwrap_or_else(|| panic!("shader {} has no u32 constant `{name}`", self.name))
    }

    fn reflection(&self) -> &Reflection {
        self.reflection
            .get_or_init(|| Reflection::read(self.name, self.source()))
    }
}

impl Reflection {
    fn read(name: &str, source: &str) -> Self {
        let module = naga::front::wgsl::parse_str(source).unwrap_or_else(|error| {
            panic!("shaders/{name}.wgsl: {}", error.emit_to_string(source))
        });
        let entry_points = module
            .entry_points
            .iter()
            .map(|entry| (entry.name.clone(), read_entry_point(&module, &entry.name)))
            .collect();
        let overrides = module
            .overrides
            .iter()
            .filter_map(|(_, item)| item.name.clone())
            .collect();
        let constants = module
            .constants
            .iter()
            .filter_map(|(_, constant)| {
                Some((constant.name.clone()?, literal(&module, constant.init)?))
            })
            .collect();
        Self {
            entry_points,
            overrides,
            constants,
        }
    }
}

/// Drops everything that `entry` does not reach, then lists what is left.
fn read_entry_point(module: &Module, entry: &str) -> EntryPoint {
    let tile_name = format!("TILE_{}", entry.to_uppercase());
    let tile = module
        .constants
        .iter()
        .find(|(_, constant)| constant.name.as_deref() == Some(&tile_name))
        .map_or([1; 3], |(_, constant)| vector(module, constant.init));

    let mut module = module.clone();
    module
        .entry_points
        .retain(|candidate| candidate.name == entry);
    naga::compact::compact(&mut module, naga::compact::KeepUnused::No);

    let bindings = module.global_variables.iter().filter_map(|(_, variable)| {
        let access = match variable.space {
            AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
                Access::ReadWrite
            }
            AddressSpace::Storage { .. } => Access::Read,
            AddressSpace::Uniform => Access::Uniform,
            _ => return None,
        };
        let TypeInner::Array { stride, size, .. } = module.types[variable.ty].inner else {
            panic!("binding {:?} is not an array", variable.name)
        };
        let length = match size {
            ArraySize::Constant(length) => length.get(),
            ArraySize::Pending(_) | ArraySize::Dynamic => 0,
        };
        Some(BindingSlot {
            name: variable.name.clone()?,
            slot: variable.binding?.binding,
            access,
            element_bytes: stride,
            uniform_bytes: stride * length,
        })
    });
    let required = module
        .overrides
        .iter()
        .filter(|(_, item)| item.init.is_none());
    EntryPoint {
        bindings: bindings.collect(),
        workgroup_size: module.entry_points[0].workgroup_size,
        tile,
        required_overrides: required.filter_map(|(_, item)| item.name.clone()).collect(),
    }
}

fn literal(module: &Module, expression: naga::Handle<Expression>) -> Option<u32> {
    match module.global_expressions[expression] {
        Expression::Literal(Literal::U32(value)) => Some(value),
        _ => None,
    }
}

fn vector(module: &Module, expression: naga::Handle<Expression>) -> [u32; 3] {
    let Expression::Compose { components, .. } = &module.global_expressions[expression] else {
        panic!("a TILE constant is a vec3<u32>(x, y, z) of literals")
    };
    let values: Vec<u32> = components
        .iter()
        .filter_map(|&component| literal(module, component))
        .collect();
    <[u32; 3]>::try_from(values).expect("a TILE constant is a vec3<u32>(x, y, z) of literals")
}
