//! Every network of `spinal list --all` that is not ImageNet's, at its own size: two training steps and an evaluation on the
//! adapter give the losses that PyTorch gives from the same weights. `tests/backbones.rs` holds the others.

mod common;

/// What PyTorch said.
mod zoo {
    pub mod expected;
}

use spinalnet::models::FAMILIES;

use zoo::expected::Expected;

/// Makes a test of each family, and a list of them.
macro_rules! families {
    ($($test:ident: $family:literal,)*) => {
        const TESTED: &[&str] = &[$($family),*];

        $(
            #[test]
            fn $test() {
                check($family);
            }
        )*
    };
}

families! {
    mnist_cnn: "mnist-cnn",
    arch2: "arch2",
    vgg5: "vgg5",
    cifar_cnn: "cifar-cnn",
    cifar_vgg11: "cifar-vgg11",
    cifar_vgg13: "cifar-vgg13",
    cifar_vgg16: "cifar-vgg16",
    cifar_vgg19: "cifar-vgg19",
    cifar_resnet18: "cifar-resnet18",
    cifar_resnet34: "cifar-resnet34",
    wrn_28_10: "wrn-28-10",
    wrn_16_8: "wrn-16-8",
    mlp: "mlp",
    custom: "custom",
    regression: "regression",
}

/// The networks of a family for all numbers of classes: `(name, classes)`.
fn networks(family: &str) -> Vec<(String, u32)> {
    let found = FAMILIES.iter().find(|known| known.name == family);
    let family = found.expect("it is a family");
    let of_classes = |&classes: &u32| {
        let nets = family.nets.iter();
        nets.map(move |net| (format!("{}-{net}", family.name), classes))
    };
    family.classes.iter().flat_map(of_classes).collect()
}

fn check(family: &str) {
    for (model, classes) in networks(family) {
        Expected::of(&model, classes).check();
    }
}

#[test]
fn every_network_has_a_line_and_a_test() {
    let families = FAMILIES.iter().filter(|family| !family.is_imagenet);
    let families: Vec<&str> = families.map(|family| family.name).collect();
    assert_eq!(families, TESTED);
    let networks: Vec<(String, u32)> = families.into_iter().flat_map(networks).collect();
    let lines = Expected::all();
    let lines: Vec<(String, u32)> = lines
        .into_iter()
        .map(|line| (line.model, line.classes))
        .collect();
    assert_eq!(lines, networks);
}
