//! What naga reads from a WGSL file: what each entry point binds, covers, and needs of an adapter. The only truth about it.

use std::collections::{BTreeMap, BTreeSet};

use naga::{
    AddressSpace, ArraySize, Block, BuiltIn, Expression, Function, Handle, Literal, Module,
    Override, ScalarKind, Statement, StorageAccess, TypeInner,
};

use super::evaluate::{Expressions, Values};

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
    /// Whether it holds whole numbers, places and counts among them: an array of `u32` or of a structure.
    pub holds_places: bool,
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
    /// The overrides that it uses, or that its loop iterations depend on.
    pub overrides: BTreeSet<String>,
    /// Those of them that have no default, and so must be given.
    pub required_overrides: Vec<String>,
    /// How it finds its place in a grid that was folded.
    pub unfolding: Unfolding,
    /// Whether its invocations talk to one another within a subgroup.
    pub uses_subgroups: bool,
    /// Invocations of a subgroup that it is written for, the WGSL constant `SUBGROUP_SIZE`. Without it a workgroup that uses
    /// subgroups must be one subgroup.
    pub subgroup_size: Option<u32>,
    /// Whether it computes with 64-bit integers.
    pub uses_int64: bool,
    /// Whether it computes with 16-bit floats.
    pub uses_f16: bool,
    /// Whether it multiplies on matrix units.
    pub uses_matrix_units: bool,
    has_loops: bool,
    workgroup_arrays: Vec<(u32, Length)>,
    workgroup_sizes: [Option<Handle<Expression>>; 3],
    /// What the two are made of.
    expressions: Expressions,
}

/// How an entry point finds its place in a grid that is longer than the adapter takes along a dimension.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unfolding {
    /// It does not.
    None,
    /// By the number of its workgroup: grids of one dimension. `flat_index` in `shaders/lib/index.wgsl`.
    Flat,
    /// By the overrides `GRID_X`, `GRID_Y`, `GRID_Z`: any grid. `unfold` in `shaders/lib/index.wgsl`.
    Grid,
}

/// What one invocation or workgroup of an entry point takes under given overrides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resources {
    /// Iterations of all loops of one invocation together, at most: `ITERATIONS_<ENTRY>` in the WGSL.
    pub iterations: u128,
    /// Bytes of workgroup memory.
    pub workgroup_bytes: u64,
    /// Invocations of a workgroup.
    pub workgroup_invocations: u64,
}

/// The length of an array: a number, or an override.
#[derive(Clone, Copy, Debug)]
enum Length {
    Fixed(u32),
    Pending(Handle<Override>),
}

/// What was read from a file.
pub(super) struct Reflection {
    pub(super) entry_points: BTreeMap<String, EntryPoint>,
    pub(super) expressions: Expressions,
}

impl Reflection {
    pub(super) fn read(name: &str, source: &str) -> Self {
        let module = naga::front::wgsl::parse_str(source).unwrap_or_else(|error| {
            panic!("shaders/{name}.wgsl: {}", error.emit_to_string(source))
        });
        let expressions = Expressions::new(&module);
        let entry_points = module
            .entry_points
            .iter()
            .map(|entry| {
                (
                    entry.name.clone(),
                    read_entry_point(&module, &expressions, &entry.name),
                )
            })
            .collect();
        let this = Self {
            entry_points,
            expressions,
        };
        for (entry, read) in &this.entry_points {
            let counted = this
                .expressions
                .override_names()
                .any(|known| known == iterations_name(entry));
            assert_eq!(
                read.has_loops,
                counted,
                "shaders/{name}.wgsl: `{entry}` {} loops, but override {} is {}",
                if read.has_loops { "has" } else { "has no" },
                iterations_name(entry),
                if counted { "there" } else { "missing" },
            );
        }
        this
    }

    pub(super) fn resources(&self, name: &str, entry: &str, constants: Values) -> Resources {
        let read = &self.entry_points[entry];
        let known = |value: Option<i128>| {
            let value = value
                .unwrap_or_else(|| panic!("{name}.{entry}: an override that counts is not set"));
            value.max(0) as u128
        };
        let iterations = if read.has_loops {
            known(
                self.expressions
                    .override_value(&iterations_name(entry), constants),
            )
        } else {
            0
        };
        let arrays = read.workgroup_arrays.iter().map(|&(stride, length)| {
            let length = match length {
                Length::Fixed(length) => length.into(),
                Length::Pending(item) => known(read.expressions.value_of_override(item, constants)),
            };
            u128::from(stride) * length
        });
        let sizes = read.workgroup_sizes.iter().zip(read.workgroup_size);
        let sizes = sizes.map(|(size, fixed)| match size {
            Some(size) => known(read.expressions.value(*size, constants)),
            None => fixed.into(),
        });
        Resources {
            iterations,
            workgroup_bytes: saturated(arrays.sum()),
            workgroup_invocations: saturated(sizes.product()),
        }
    }
}

fn saturated(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn iterations_name(entry: &str) -> String {
    format!("ITERATIONS_{}", entry.to_uppercase())
}

/// Drops everything that `entry` does not reach, then lists what is left.
fn read_entry_point(module: &Module, expressions: &Expressions, entry: &str) -> EntryPoint {
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

    let entry_point = &module.entry_points[0];
    let functions = module.functions.iter().map(|(_, function)| function);
    let functions: Vec<&Function> = functions.chain([&entry_point.function]).collect();
    let reaches = |wanted: fn(&Statement) -> bool| {
        functions.iter().any(|function| any(&function.body, wanted))
    };
    let has_scalar = |kind: fn(ScalarKind) -> bool, width| {
        let mut types = module.types.iter();
        types.any(|(_, item)| {
            item.inner
                .scalar()
                .is_some_and(|scalar| kind(scalar.kind) && scalar.width == width)
        })
    };
    let used = module
        .overrides
        .iter()
        .filter_map(|(_, item)| item.name.clone());
    let counted = expressions.overrides_within(&iterations_name(entry));
    let overrides: BTreeSet<String> = used.chain(counted).collect();
    let required = module
        .overrides
        .iter()
        .filter(|(_, item)| item.init.is_none());
    EntryPoint {
        bindings: bindings(&module),
        workgroup_size: entry_point.workgroup_size,
        tile,
        required_overrides: required.filter_map(|(_, item)| item.name.clone()).collect(),
        unfolding: if overrides.contains("GRID_X") {
            Unfolding::Grid
        } else if takes(&entry_point.function, BuiltIn::NumWorkGroups) {
            Unfolding::Flat
        } else {
            Unfolding::None
        },
        overrides,
        uses_subgroups: reaches(talks_to_subgroup),
        subgroup_size: expressions
            .constant_value("SUBGROUP_SIZE")
            .map(|size| size as u32),
        uses_int64: has_scalar(
            |kind| matches!(kind, ScalarKind::Sint | ScalarKind::Uint),
            8,
        ),
        uses_f16: has_scalar(|kind| kind == ScalarKind::Float, 2),
        uses_matrix_units: module
            .types
            .iter()
            .any(|(_, item)| matches!(item.inner, TypeInner::CooperativeMatrix { .. })),
        has_loops: reaches(|statement| matches!(statement, Statement::Loop { .. })),
        workgroup_arrays: workgroup_arrays(&module),
        workgroup_sizes: entry_point.workgroup_size_overrides.unwrap_or_default(),
        expressions: Expressions::new(&module),
    }
}

fn bindings(module: &Module) -> Vec<BindingSlot> {
    let bindings = module.global_variables.iter().filter_map(|(_, variable)| {
        let access = match variable.space {
            AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
                Access::ReadWrite
            }
            AddressSpace::Storage { .. } => Access::Read,
            AddressSpace::Uniform => Access::Uniform,
            _ => return None,
        };
        let TypeInner::Array { base, stride, size } = module.types[variable.ty].inner else {
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
            holds_places: matches!(
                module.types[base].inner,
                TypeInner::Scalar(naga::Scalar::U32) | TypeInner::Struct { .. }
            ),
        })
    });
    bindings.collect()
}

/// Element sizes and lengths of the variables that a workgroup shares.
fn workgroup_arrays(module: &Module) -> Vec<(u32, Length)> {
    let shared = module
        .global_variables
        .iter()
        .filter(|(_, variable)| variable.space == AddressSpace::WorkGroup);
    let arrays = shared.map(|(_, variable)| {
        let inner = &module.types[variable.ty].inner;
        match *inner {
            TypeInner::Array {
                stride,
                size: ArraySize::Constant(length),
                ..
            } => (stride, Length::Fixed(length.get())),
            TypeInner::Array {
                stride,
                size: ArraySize::Pending(item),
                ..
            } => (stride, Length::Pending(item)),
            _ => (inner.size(module.to_ctx()), Length::Fixed(1)),
        }
    });
    arrays.collect()
}

fn takes(function: &Function, builtin: BuiltIn) -> bool {
    let mut arguments = function.arguments.iter();
    arguments.any(|argument| argument.binding == Some(naga::Binding::BuiltIn(builtin)))
}

fn talks_to_subgroup(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::SubgroupBallot { .. }
            | Statement::SubgroupGather { .. }
            | Statement::SubgroupCollectiveOperation { .. }
    )
}

/// Whether a block or one within it holds such a statement.
fn any(block: &Block, wanted: fn(&Statement) -> bool) -> bool {
    block.iter().any(|statement| {
        wanted(statement)
            || match statement {
                Statement::Block(inner) => any(inner, wanted),
                Statement::If { accept, reject, .. } => any(accept, wanted) || any(reject, wanted),
                Statement::Switch { cases, .. } => cases.iter().any(|case| any(&case.body, wanted)),
                Statement::Loop {
                    body, continuing, ..
                } => any(body, wanted) || any(continuing, wanted),
                _ => false,
            }
    })
}

fn literal(module: &Module, expression: Handle<Expression>) -> Option<u32> {
    match module.global_expressions[expression] {
        Expression::Literal(Literal::U32(value)) => Some(value),
        _ => None,
    }
}

fn vector(module: &Module, expression: Handle<Expression>) -> [u32; 3] {
    let Expression::Compose { components, .. } = &module.global_expressions[expression] else {
        panic!("a TILE constant is a vec3<u32>(x, y, z) of literals")
    };
    let values: Vec<u32> = components
        .iter()
        .filter_map(|&component| literal(module, component))
        .collect();
    <[u32; 3]>::try_from(values).expect("a TILE constant is a vec3<u32>(x, y, z) of literals")
}
