//! WGSL files as the host sees them; what there is to know of their entry points is in `reflection`.

use std::fmt;
use std::sync::OnceLock;

use super::library::Factors;
use super::reflection::{EntryPoint, Reflection, Resources};

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

impl fmt::Debug for Shader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shaders/{}.wgsl", self.name)
    }
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
            .get_or_init(|| Reflection::read(self.name, self.source()))
    }
}
