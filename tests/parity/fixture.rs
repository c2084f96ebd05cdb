//! The files of `tests/fixtures`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::SafeTensors;

use crate::common::doubles;

/// One fixture file, with its numbers by name.
pub struct Fixture {
    floats: HashMap<String, Vec<f32>>,
    bytes: HashMap<String, Vec<u8>>,
}

impl Fixture {
    /// Reads `tests/fixtures/NAME.safetensors`.
    pub fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let path = folder.join(format!("{name}.safetensors"));
        let file =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let tensors =
            SafeTensors::deserialize(&file).expect("a fixture is a whole safetensors file");
        let (mut floats, mut bytes) = (HashMap::new(), HashMap::new());
        for (name, tensor) in tensors.iter() {
            if tensor.dtype() == safetensors::Dtype::F32 {
                floats.insert(name.to_owned(), bytemuck::pod_collect_to_vec(tensor.data()));
            } else {
                bytes.insert(name.to_owned(), tensor.data().to_vec());
            }
        }
        Self { floats, bytes }
    }

    /// A tensor of numbers.
    pub fn floats(&self, name: &str) -> &[f32] {
        self.floats
            .get(name)
            .unwrap_or_else(|| panic!("the fixture has no {name}"))
    }

    /// A tensor of bytes.
    pub fn bytes(&self, name: &str) -> &[u8] {
        self.bytes
            .get(name)
            .unwrap_or_else(|| panic!("the fixture has no {name}"))
    }

    /// The tensors of numbers under a prefix, by what follows it.
    pub fn under(&self, prefix: &str) -> BTreeMap<&str, Vec<f64>> {
        let named = self.floats.iter();
        named
            .filter_map(|(name, values)| Some((name.strip_prefix(prefix)?, doubles(values))))
            .collect()
    }
}
