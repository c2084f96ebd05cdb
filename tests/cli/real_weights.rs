//! Real weights on real pictures, which are not part of the program:
//!
//! ```text
//! SPINAL_TEST_LITE0=efficientnet_lite0.safetensors SPINAL_TEST_HYMENOPTERA=hymenoptera \
//!     cargo test --release --test cli -- --ignored real_weights
//! ```
//!
//! The first is ImageNet's EfficientNet-Lite0, the second a folder with `train|val/ants|bees/*.jpg`.

use std::env;
use std::path::Path;

use serde_json::Value;

use super::spinal::Place;

/// ImageNet's numbers of the two classes.
const CLASSES: [(&str, u64); 2] = [("ants", 310), ("bees", 309)];

/// Of so many pictures of each class that come first by name, so many are found among the 1000 classes: what a PyTorch net with
/// these weights says of the same pixels.
const FOUND: [(usize, usize); 2] = [(12, 9), (12, 9)];

#[test]
#[ignore = "needs weights and pictures that are not part of the program"]
fn real_weights_find_ants_and_bees_among_a_thousand_classes() {
    let [weights, folder] = ["SPINAL_TEST_LITE0", "SPINAL_TEST_HYMENOPTERA"]
        .map(|name| env::var(name).unwrap_or_else(|_| panic!("{name} is not set")));
    let place = Place::new();
    for ((name, class), (count, expected)) in CLASSES.into_iter().zip(FOUND) {
        let folder = Path::new(&folder).join("val").join(name);
        let mut files: Vec<String> = folder
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        let model = ["--model", "efficientnet_lite0-original", "--json"];
        let mut arguments = vec!["predict", "--weights", &weights];
        arguments.extend(model);
        arguments.extend(files.iter().take(count).map(String::as_str));
        let outcome = place.run_on_adapter(&arguments).succeeded();
        let is_found = |line: &&str| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["top"][0]["class"] == class
        };
        let found = outcome.stdout.lines().filter(is_found).count();
        assert!(found.abs_diff(expected) <= 1, "{name}: {found} of {count}");
    }
}
