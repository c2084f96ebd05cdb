//! The networks that weights are published of, by what tells them from each other: their number of parameters.

use crate::checkpoint::NamedTensor;

/// A network of 1000 classes.
#[derive(Clone, Copy, Debug)]
pub struct Architecture {
    /// The name of its backbone.
    pub name: &'static str,
    /// Learnable parameters.
    pub parameters: u64,
    /// Those of its classifier.
    classifier: u64,
}

/// Parts of the names of classifiers.
const CLASSIFIERS: [&str; 2] = ["fc", "classifier"];

const fn architecture(name: &'static str, parameters: u64, classifier: u64) -> Architecture {
    Architecture {
        name,
        parameters,
        classifier,
    }
}

/// As torchvision and timm count them.
static ARCHITECTURES: [Architecture; 18] = [
    architecture("alexnet", 61_100_840, 58_631_144),
    architecture("vgg11", 132_863_336, 123_642_856),
    architecture("vgg11_bn", 132_868_840, 123_642_856),
    architecture("vgg13", 133_047_848, 123_642_856),
    architecture("vgg13_bn", 133_053_736, 123_642_856),
    architecture("vgg16", 138_357_544, 123_642_856),
    architecture("vgg16_bn", 138_365_992, 123_642_856),
    architecture("vgg19", 143_667_240, 123_642_856),
    architecture("vgg19_bn", 143_678_248, 123_642_856),
    architecture("resnet18", 11_689_512, 513_000),
    architecture("resnet34", 21_797_672, 513_000),
    architecture("resnet50", 25_557_032, 2_049_000),
    architecture("resnet101", 44_549_160, 2_049_000),
    architecture("resnet152", 60_192_808, 2_049_000),
    architecture("wide_resnet50_2", 68_883_240, 2_049_000),
    architecture("wide_resnet101_2", 126_886_696, 2_049_000),
    architecture("resnext50_32x4d", 25_028_904, 2_049_000),
    architecture("efficientnet_lite0", 4_652_008, 1_281_000),
];

/// The architecture of that name.
pub(super) fn find(name: &str) -> Option<&'static Architecture> {
    ARCHITECTURES
        .iter()
        .find(|architecture| architecture.name == name)
}

/// The architecture whose backbone has as many parameters as `tensors` have beside a classifier.
pub(super) fn guess(tensors: &[NamedTensor]) -> Option<&'static Architecture> {
    let of_backbone = |tensor: &&NamedTensor| {
        let mut parts = tensor.name.split('.');
        parts.all(|part| !CLASSIFIERS.contains(&part) && !part.starts_with("running_"))
    };
    let counts = tensors.iter().filter(of_backbone);
    let count: u64 = counts.map(|tensor| tensor.values.len() as u64).sum();
    ARCHITECTURES
        .iter()
        .find(|architecture| architecture.parameters - architecture.classifier == count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backbones_differ_in_their_number_of_parameters() {
        for architecture in &ARCHITECTURES {
            let tensor = |name: &str, count: u64| NamedTensor {
                name: name.to_owned(),
                shape: vec![count as usize],
                values: vec![0.0; count as usize],
            };
            let tensors = [
                tensor(
                    "conv1.weight",
                    architecture.parameters - architecture.classifier,
                ),
                tensor("module.fc.weight", 17),
                tensor("bn1.running_mean", 3),
            ];
            assert_eq!(guess(&tensors).unwrap().name, architecture.name);
        }
        assert!(guess(&[]).is_none());
    }
}
