//! Weights trained on ImageNet, and where they are published.

use std::path::{Path, PathBuf};

use super::architecture::{self, Architecture};
use crate::data::Cache;
use crate::data::catalog::{Contents, Hash, Package, Remote};
use crate::error::{Error, Result};

/// The folder of the cache, and of a mirror, that the weights lie in.
const FOLDER: &str = "weights";

/// Weights as they are published.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// The name they are fetched by.
    pub name: &'static str,
    /// The name of the backbone they are of.
    architecture: &'static str,
    /// The address of the file, whose name ends in the first digits of its SHA-256.
    pub url: &'static str,
    /// Size of the file in MiB, as the publisher tells it, rounded.
    mebibytes: f64,
    /// Who publishes them, under what licence.
    pub source: Source,
}

/// A publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// PyTorch's torchvision.
    Torchvision,
    /// Ross Wightman's timm, from Google's weights for TensorFlow.
    Timm,
}

impl Source {
    /// The name, and the licence as the publisher gives it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Torchvision => "torchvision, BSD-3-Clause",
            Self::Timm => "timm, Apache-2.0",
        }
    }
}

impl Published {
    /// What they are of.
    pub fn architecture(&self) -> &'static Architecture {
        architecture::find(self.architecture).expect("the table has all of them")
    }

    /// The name of the file.
    pub fn file_name(&self) -> &'static str {
        self.url.rsplit_once('/').map_or(self.url, |(_, name)| name)
    }

    /// The first eight digits of the file's SHA-256.
    fn hash_start(&self) -> &'static str {
        let name = self.url.strip_suffix(".pth");
        let digits = name.and_then(|name| name.rsplit_once('-'));
        digits.expect("the address ends in them").1
    }

    /// About how many megabytes the file has.
    pub fn megabytes(&self) -> f64 {
        self.mebibytes * f64::from(1 << 20) / 1e6
    }

    /// Where the file lies once it is fetched.
    pub fn path(&self, cache: &Cache) -> PathBuf {
        cache.package(&self.package_name()).join(self.file_name())
    }

    /// Lets `fetch` work with the file as a package of its own.
    pub fn with_package<T>(&self, fetch: impl FnOnce(&Package) -> T) -> T {
        fetch(&Package {
            name: &self.package_name(),
            files: &[Remote {
                name: self.file_name(),
                url: self.url,
                hash: Hash::Sha256Start(self.hash_start()),
                contents: Contents::Data,
            }],
        })
    }

    fn package_name(&self) -> String {
        format!("{FOLDER}/{}", self.name)
    }
}

/// All published weights.
pub fn published() -> &'static [Published] {
    &PUBLISHED
}

/// The weights of that name.
///
/// # Errors
/// `Error::Usage` if there are none.
pub fn find(name: &str) -> Result<&'static Published> {
    lookup(name).ok_or_else(|| {
        Error::usage(
            format!("no published weights are named '{name}'"),
            format!("give one of {}", names()),
        )
    })
}

/// The file that `--weights FILE|NAME` means: a file that exists, or published weights that have been fetched.
///
/// # Errors
/// `Error::File` if there is no such file or name, or the weights have not been fetched.
pub fn resolve(name_or_path: &str, cache: Option<&Path>) -> Result<PathBuf> {
    let path = PathBuf::from(name_or_path);
    if path.is_file() {
        return Ok(path);
    }
    let Some(published) = lookup(name_or_path) else {
        let what = "is neither a file nor the name of published weights";
        let hint = format!("give the path of a file, or one of {}", names());
        return Err(Error::file(path, what, hint));
    };
    let path = published.path(&Cache::choose(cache)?);
    if path.is_file() {
        return Ok(path);
    }
    let what = format!("the weights {name_or_path} have not been fetched");
    let hint = format!("run `spinal weights fetch {name_or_path}`, or give the path of a file");
    Err(Error::file(path, what, hint))
}

fn lookup(name: &str) -> Option<&'static Published> {
    PUBLISHED.iter().find(|published| published.name == name)
}

fn names() -> String {
    PUBLISHED.map(|published| published.name).join(", ")
}

/// Weights of torchvision: name, architecture, file and size as in torchvision/models/{alexnet,vgg,resnet}.py.
macro_rules! torchvision {
    ($name:literal, $architecture:literal, $file:literal, $mebibytes:literal) => {
        Published {
            name: $name,
            architecture: $architecture,
            url: concat!("https://download.pytorch.org/models/", $file),
            mebibytes: $mebibytes,
            source: Source::Torchvision,
        }
    };
}

/// `NAME` is torchvision's IMAGENET1K_V1, `NAME-v2` its IMAGENET1K_V2. The first ones of the wide networks are F16, by their size.
static PUBLISHED: [Published; 24] = [
    torchvision!("alexnet", "alexnet", "alexnet-owt-7be5be79.pth", 233.087),
    torchvision!("vgg11", "vgg11", "vgg11-8a719046.pth", 506.84),
    torchvision!("vgg11_bn", "vgg11_bn", "vgg11_bn-6002323d.pth", 506.881),
    torchvision!("vgg13", "vgg13", "vgg13-19584684.pth", 507.545),
    torchvision!("vgg13_bn", "vgg13_bn", "vgg13_bn-abd245e5.pth", 507.59),
    torchvision!("vgg16", "vgg16", "vgg16-397923af.pth", 527.796),
    torchvision!("vgg16_bn", "vgg16_bn", "vgg16_bn-6c64b313.pth", 527.866),
    torchvision!("vgg19", "vgg19", "vgg19-dcbb9e9d.pth", 548.051),
    torchvision!("vgg19_bn", "vgg19_bn", "vgg19_bn-c79401a0.pth", 548.143),
    torchvision!("resnet18", "resnet18", "resnet18-f37072fd.pth", 44.661),
    torchvision!("resnet34", "resnet34", "resnet34-b627a593.pth", 83.275),
    torchvision!("resnet50", "resnet50", "resnet50-0676ba61.pth", 97.781),
    torchvision!("resnet50-v2", "resnet50", "resnet50-11ad3fa6.pth", 97.79),
    torchvision!("resnet101", "resnet101", "resnet101-63fe2227.pth", 170.511),
    torchvision!(
        "resnet101-v2",
        "resnet101",
        "resnet101-cd907fc2.pth",
        170.53
    ),
    torchvision!("resnet152", "resnet152", "resnet152-394f9c45.pth", 230.434),
    torchvision!(
        "resnet152-v2",
        "resnet152",
        "resnet152-f82ba261.pth",
        230.474
    ),
    torchvision!(
        "wide_resnet50_2",
        "wide_resnet50_2",
        "wide_resnet50_2-95faca4d.pth",
        131.82
    ),
    torchvision!(
        "wide_resnet50_2-v2",
        "wide_resnet50_2",
        "wide_resnet50_2-9ba9bcbe.pth",
        263.124
    ),
    torchvision!(
        "wide_resnet101_2",
        "wide_resnet101_2",
        "wide_resnet101_2-32ee1156.pth",
        242.896
    ),
    torchvision!(
        "wide_resnet101_2-v2",
        "wide_resnet101_2",
        "wide_resnet101_2-d733dc28.pth",
        484.747
    ),
    torchvision!(
        "resnext50_32x4d",
        "resnext50_32x4d",
        "resnext50_32x4d-7cdf4587.pth",
        95.789
    ),
    torchvision!(
        "resnext50_32x4d-v2",
        "resnext50_32x4d",
        "resnext50_32x4d-1a0047aa.pth",
        95.833
    ),
    // timm's `tf_efficientnet_lite0.in1k` pads and normalises as our backbone does; its `efficientnet_lite0.ra_in1k` does not.
    // timm tells no size: this one is that of the numbers.
    Published {
        name: "efficientnet_lite0",
        architecture: "efficientnet_lite0",
        url: "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/tf_efficientnet_lite0-0aa007d2.pth",
        mebibytes: 17.9,
        source: Source::Timm,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_has_an_architecture_a_hash_and_a_size_of_its_numbers() {
        for published in &PUBLISHED {
            assert_eq!(find(published.name).unwrap().url, published.url);
            let digits = published.hash_start();
            let is_hex = |digit: char| matches!(digit, '0'..='9' | 'a'..='f');
            assert!(
                digits.len() == 8 && digits.chars().all(is_hex),
                "{published:?}"
            );
            let architecture = published.architecture();
            let name = published.name.strip_suffix("-v2").unwrap_or(published.name);
            assert_eq!(architecture.name, name);
            let bytes = 1e6 * published.megabytes() / architecture.parameters as f64;
            assert!(
                (1.9..2.1).contains(&bytes) || (3.9..4.1).contains(&bytes),
                "{name} {bytes}"
            );
        }
    }

    #[test]
    fn names_and_files_are_told_from_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Some(folder.path());
        let error = resolve("nosuch", cache).unwrap_err();
        assert!(
            error.to_string().contains("nosuch: is neither a file"),
            "{error}"
        );
        let error = resolve("resnet18", cache).unwrap_err();
        assert!(
            error.hint().contains("spinal weights fetch resnet18"),
            "{error}"
        );
        let path = find("resnet18")
            .unwrap()
            .path(&Cache::choose(cache).unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        assert_eq!(resolve("resnet18", cache).unwrap(), path);
        assert_eq!(resolve(path.to_str().unwrap(), None).unwrap(), path);
        assert_eq!(find("nosuch").unwrap_err().exit_code(), 2);
    }
}
