//! WGSL files as the host sees them; what there is to know of their entry points is in `reflection`.

use std::fmt;
use std::sync::OnceLock;

use super::reflection::{EntryPoint, Reflection, Resources};

/// One WGSL file with the shared library appended, and what naga reads from it.
pub struct Shader {
    name: &'static str,
    source: &'static str,
    reflection: OnceLock<Reflection>,
}

/// Makes the [`Shader`] of `shaders/NAME.wgsl`, with the functions of `shaders/lib` appended.
///
/// WGSL module scope is free of order, so the library comes last and line numbers in messages stay those of the file.
///
/// `shader!(f16 NAME)` makes the variant that multiplies f16 on matrix units: `f16/products.wgsl` takes the place of
/// `lib/products.wgsl`.
#[macro_export]
macro_rules! shader {
    ($name:literal) => {
        $crate::plan::Shader::new($name, $crate::shader_source!("", $name, "lib/products"))
    };
    (f16 $name:literal) => {
        $crate::plan::Shader::new(
            concat!($name, " (f16)"),
            $crate::shader_source!(
                "enable f16; enable wgpu_cooperative_matrix; ",
                $name,
                "f16/products"
            ),
        )
    };
}

/// The WGSL of `shaders/NAME.wgsl` behind `enables`, with the library and the file of the tile's products behind it.
#[doc(hidden)]
#[macro_export]
macro_rules! shader_source {
    ($enables:literal, $name:literal, $products:literal) => {
        concat!(
            $enables,
            $crate::wgsl!($name),
            $crate::wgsl!("lib/activation"),
            $crate::wgsl!("lib/index"),
            $crate::wgsl!("lib/nan"),
            $crate::wgsl!($products),
            $crate::wgsl!("lib/random"),
            $crate::wgsl!("lib/step"),
            $crate::wgsl!("lib/tile"),
            $crate::wgsl!("lib/warp"),
        )
    };
}

/// The text of `shaders/NAME.wgsl`.
#[doc(hidden)]
#[macro_export]
macro_rules! wgsl {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/shaders/",
            $name,
            ".wgsl"
        ))
    };
}

impl fmt::Debug for Shader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shaders/{}.wgsl", self.name)
    }
}

impl Shader {
    /// A shader from complete WGSL. `name` is the path below `shaders/` without the extension.
    pub const fn new(name: &'static str, source: &'static str) -> Self {
        Self {
            name,
            source,
            reflection: OnceLock::new(),
        }
    }

    /// The path below `shaders/`, without the extension, and ` (f16)` for that variant.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The complete WGSL.
    pub fn source(&self) -> &'static str {
        self.source
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
            .expressions
            .override_names()
            .any(|known| known == name)
    }

    /// The value of a `const NAME: u32` of the file or of the library, so that no number is written twice.
    pub fn constant(&self, name: &str) -> u32 {
        let value = self.reflection().expressions.constant_value(name);
        value
            .and_then(|value| u32::try_from(value).ok())
            .unwrap_or_else(|| panic!("shader {} has no u32 constant `{name}`", self.name))
    }

    /// What the entry point `entry` takes of an adapter under these overrides. Panics if one that counts is missing.
    pub fn resources(&self, entry: &str, constants: &[(&'static str, f64)]) -> Resources {
        self.reflection().resources(self.name, entry, constants)
    }

    fn reflection(&self) -> &Reflection {
        self.reflection
            .get_or_init(|| Reflection::read(self.name, self.source))
    }
}
