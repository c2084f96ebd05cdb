//! The library of WGSL functions, `shaders/lib`: a file names on its first line, `// Library: NAME, NAME`, what of it stands
//! behind its own text.

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

/// What an entry of the library is called by, for modules that compute in f32, and its text.
static FILES: [(&str, &str); 15] = [
    ("activation", wgsl!("lib/activation")),
    ("block", wgsl!("lib/block")),
    ("conv2d", wgsl!("lib/conv2d")),
    ("conv2d_tiles", wgsl!("lib/conv2d_tiles")),
    ("index", wgsl!("lib/index")),
    ("linear_tiles", wgsl!("lib/linear_tiles")),
    ("nan", wgsl!("lib/nan")),
    ("pairs", wgsl!("lib/pairs")),
    ("pipeline", wgsl!("lib/pipeline")),
    ("products", wgsl!("lib/products")),
    ("random", wgsl!("lib/random")),
    ("spinal", wgsl!("lib/spinal")),
    ("step", wgsl!("lib/step")),
    ("tile", wgsl!("lib/tile")),
    ("warp", wgsl!("lib/warp")),
];

/// The factors that the products of a tile are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Factors {
    /// Those that lie in memory.
    F32,
    /// Rounded to f16, on matrix units: `f16/products.wgsl` takes the place of `lib/products.wgsl`.
    F16,
}

impl Factors {
    /// A module from its own text: with what it names of the library behind it, and what that names in turn, each once.
    /// WGSL module scope is free of order, and so line numbers in messages stay those of the file.
    pub(super) fn module(self, text: &'static str) -> String {
        let mut names = Vec::new();
        let mut texts = vec![text];
        let mut next = 0;
        while let Some(&text) = texts.get(next) {
            for name in named(text) {
                if !names.contains(&name) {
                    names.push(name);
                    texts.push(self.file(name));
                }
            }
            next += 1;
        }
        self.enables().to_owned() + &texts.concat()
    }

    fn enables(self) -> &'static str {
        match self {
            Self::F32 => "",
            Self::F16 => "enable f16; enable wgpu_cooperative_matrix; ",
        }
    }

    fn file(self, name: &str) -> &'static str {
        if self == Self::F16 && name == "products" {
            return wgsl!("f16/products");
        }
        let file = FILES.iter().find(|(known, _)| *known == name);
        file.unwrap_or_else(|| panic!("there is no shaders/lib/{name}.wgsl"))
            .1
    }
}

/// What a file names of the library.
fn named(text: &'static str) -> impl Iterator<Item = &'static str> {
    let line = text.lines().next().unwrap_or_default();
    let names = line.strip_prefix("// Library: ").unwrap_or_default();
    names.split(", ").filter(|name| !name.is_empty())
}
