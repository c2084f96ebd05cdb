//! What this program is built from, by its lock file and the manifests on this machine; the network is not asked.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Licences that let anyone do anything but blame the authors.
const PERMISSIVE: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// What is there in several versions because others ask for them; none of it by us.
const SEVERAL_VERSIONS: [&str; 7] = [
    "getrandom",
    "glam",
    "hashbrown",
    "jni-sys",
    "miniz_oxide",
    "syn",
    "windows-sys",
];

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// The packages of `Cargo.lock`, those of all platforms.
fn locked() -> Vec<toml::Table> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock");
    let lock: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let packages = lock["package"].as_array().unwrap().iter();
    packages
        .map(|package| package.as_table().unwrap().clone())
        .collect()
}

/// Whether a licence allows what permissive ones do. An `OR` within an `AND` stands in parentheses in all that there are.
fn is_permissive(licence: &str) -> bool {
    let alternatives = |part: &str| {
        let part = part.trim_matches(['(', ')']).replace('/', " OR ");
        part.split(" OR ").any(|name| PERMISSIVE.contains(&name))
    };
    licence.split(" AND ").all(alternatives)
}

#[test]
fn every_dependency_has_a_permissive_licence() {
    let version = cargo(&["--version", "--verbose"]);
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let metadata = [
        "metadata",
        "--offline",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        host,
    ];
    let metadata: Value = serde_json::from_str(&cargo(&metadata)).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(
            is_permissive(licence),
            "{} has the licence {licence}",
            package["name"]
        );
    }
}

#[test]
fn licences_are_understood() {
    for licence in [
        "MIT",
        "GPL-3.0 OR MIT",
        "Unlicense/MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
    ] {
        assert!(is_permissive(licence), "{licence}");
    }
    for licence in [
        "GPL-3.0",
        "MPL-2.0",
        "MIT AND GPL-3.0",
        "(MIT OR Apache-2.0) AND OFL-1.1",
        "",
        "none",
    ] {
        assert!(!is_permissive(licence), "{licence}");
    }
}

#[test]
fn every_dependency_is_a_checked_one_of_the_registry() {
    for package in locked()
        .iter()
        .filter(|package| package["name"].as_str() != Some("spinalnet"))
    {
        assert_eq!(package["source"].as_str(), Some(REGISTRY), "{package}");
        assert_eq!(package["checksum"].as_str().unwrap().len(), 64, "{package}");
    }
}

#[test]
fn nothing_else_is_there_in_several_versions() {
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    for package in locked() {
        *versions
            .entry(package["name"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    let several = versions.iter().filter(|(_, count)| **count > 1);
    let several: BTreeSet<&str> = several.map(|(name, _)| name.as_str()).collect();
    assert_eq!(several, BTreeSet::from(SEVERAL_VERSIONS));
}
