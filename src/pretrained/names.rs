//! Names of tensors as other programs write them: behind a prefix, or in another dialect.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::checkpoint::{NamedTensor, foreign_text};

/// Parts of a name that a prefix may have.
const MAX_PREFIX_PARTS: usize = 8;

/// Blocks in each stage of timm's efficientnet_lite0.
const BLOCKS_OF_STAGE: [usize; 7] = [1, 2, 2, 3, 3, 4, 1];

/// Gives the tensors the names that are `expected`, as far as a prefix or a dialect stands in the way. Returns what it did.
///
/// The prefix (`module.` of DataParallel, `backbone.`, `_orig_mod.`) is the one behind which most of the names are expected.
pub(super) fn adopt(tensors: &mut [NamedTensor], expected: &HashSet<&str>) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for NamedTensor { name, .. } in &*tensors {
        for (prefix, rest) in splits(name) {
            if expected.contains(&*spoken(rest)) {
                *counts.entry(prefix).or_default() += 1;
            }
        }
    }
    let best = counts
        .into_iter()
        .max_by_key(|&(prefix, count)| (count, std::cmp::Reverse(prefix.len())));
    let prefix = best.map_or("", |(prefix, _)| prefix).to_owned();

    let (mut prefixed, mut translated) = (0, 0);
    for NamedTensor { name, .. } in tensors {
        let Some(rest) = name.strip_prefix(&prefix) else {
            continue;
        };
        let own = spoken(rest);
        translated += usize::from(matches!(own, Cow::Owned(_)));
        prefixed += 1;
        *name = own.into_owned();
    }
    let mut notes = Vec::new();
    if !prefix.is_empty() {
        let prefix = foreign_text(&prefix);
        notes.push(format!("prefix \"{prefix}\" taken off {prefixed} names"));
    }
    if translated > 0 {
        notes.push(format!(
            "{translated} names of efficientnet-pytorch read as timm's"
        ));
    }
    notes
}

/// The ways to cut a name into a prefix and a rest.
fn splits(name: &str) -> impl Iterator<Item = (&str, &str)> {
    let dots = name.match_indices('.').map(|(at, _)| at + 1);
    std::iter::once(0)
        .chain(dots)
        .take(MAX_PREFIX_PARTS)
        .map(|at| name.split_at(at))
}

/// The name in torchvision's or timm's dialect.
fn spoken(name: &str) -> Cow<'_, str> {
    from_efficientnet_pytorch(name).map_or(Cow::Borrowed(name), Cow::Owned)
}

/// timm's name for a tensor of efficientnet_lite0 as efficientnet-pytorch calls it (`_blocks.3._bn0.weight`).
fn from_efficientnet_pytorch(name: &str) -> Option<String> {
    let (layer, rest) = name.strip_prefix('_')?.split_once('.')?;
    let layer = match layer {
        "conv_stem" | "conv_head" => layer,
        "bn0" => "bn1",
        "bn1" => "bn2",
        "fc" => "classifier",
        "blocks" => return from_block(rest),
        _ => return None,
    };
    Some(format!("{layer}.{rest}"))
}

/// The name of a tensor of a block: of the first, which does not expand its channels, or of the others.
fn from_block(rest: &str) -> Option<String> {
    let (number, rest) = rest.split_once('.')?;
    let (layer, rest) = rest.split_once('.')?;
    let mut block: usize = number.parse().ok()?;
    let mut stage = 0;
    while block >= *BLOCKS_OF_STAGE.get(stage)? {
        block -= BLOCKS_OF_STAGE[stage];
        stage += 1;
    }
    let layer = match (stage, layer) {
        (_, "_depthwise_conv") => "conv_dw",
        (0, "_bn1") => "bn1",
        (0, "_project_conv") => "conv_pw",
        (0, "_bn2") => "bn2",
        (0, _) => return None,
        (_, "_expand_conv") => "conv_pw",
        (_, "_bn0") => "bn1",
        (_, "_bn1") => "bn2",
        (_, "_project_conv") => "conv_pwl",
        (_, "_bn2") => "bn3",
        _ => return None,
    };
    Some(format!("blocks.{stage}.{block}.{layer}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adopted(names: &[&str], expected: &[&str]) -> (Vec<String>, Vec<String>) {
        let tensor = |&name: &&str| NamedTensor {
            name: name.to_owned(),
            shape: vec![0],
            values: vec![],
        };
        let mut tensors: Vec<_> = names.iter().map(tensor).collect();
        let notes = adopt(&mut tensors, &expected.iter().copied().collect());
        (
            tensors.into_iter().map(|tensor| tensor.name).collect(),
            notes,
        )
    }

    #[test]
    fn prefixes_are_taken_off_and_told() {
        let expected = ["conv1.weight", "layer1.0.conv1.weight"];
        for prefix in [
            "module.",
            "backbone.",
            "module.model.encoder.",
            "_orig_mod.",
        ] {
            let names = expected.map(|name| format!("{prefix}{name}"));
            let (names, notes) = adopted(&[&names[0], &names[1], "fc.weight"], &expected);
            assert_eq!(names, [expected[0], expected[1], "fc.weight"]);
            assert_eq!(notes, [format!("prefix \"{prefix}\" taken off 2 names")]);
        }
    }

    #[test]
    fn names_that_are_right_or_strange_stay() {
        let names = ["features.0.weight", "features.3.weight"];
        assert_eq!(
            adopted(&names, &names),
            (names.map(String::from).into(), vec![])
        );
        assert_eq!(
            adopted(&names, &["conv1.weight"]),
            (names.map(String::from).into(), vec![])
        );
        // The convolution of a block is not the first one behind a prefix.
        let names = [
            "layer1.0.conv1.weight",
            "layer1.0.bn1.weight",
            "bn1.weight",
            "conv1.weight",
        ];
        assert_eq!(adopted(&names, &["bn1.weight", "conv1.weight"]).1, [""; 0]);
        let dots = ".".repeat(1 << 20);
        assert_eq!(adopted(&[&dots], &["conv1.weight"]).0, [dots]);
    }

    #[test]
    fn efficientnet_pytorch_is_understood() {
        let names = [
            ("_conv_stem.weight", "conv_stem.weight"),
            ("_bn0.running_mean", "bn1.running_mean"),
            (
                "_blocks.0._depthwise_conv.weight",
                "blocks.0.0.conv_dw.weight",
            ),
            ("_blocks.0._bn1.weight", "blocks.0.0.bn1.weight"),
            (
                "_blocks.0._project_conv.weight",
                "blocks.0.0.conv_pw.weight",
            ),
            ("_blocks.0._bn2.bias", "blocks.0.0.bn2.bias"),
            ("_blocks.1._expand_conv.weight", "blocks.1.0.conv_pw.weight"),
            ("_blocks.2._bn0.bias", "blocks.1.1.bn1.bias"),
            ("_blocks.10._bn1.bias", "blocks.4.2.bn2.bias"),
            (
                "_blocks.14._project_conv.weight",
                "blocks.5.3.conv_pwl.weight",
            ),
            ("_blocks.15._bn2.running_var", "blocks.6.0.bn3.running_var"),
            ("_conv_head.weight", "conv_head.weight"),
            ("_bn1.weight", "bn2.weight"),
            ("_fc.bias", "classifier.bias"),
        ];
        let (theirs, ours): (Vec<&str>, Vec<&str>) = names.into_iter().unzip();
        let (names, notes) = adopted(&theirs, &ours[..13]);
        assert_eq!(names, ours);
        assert_eq!(notes, ["14 names of efficientnet-pytorch read as timm's"]);
        for name in [
            "_blocks.16._bn1.bias",
            "_blocks.0._expand_conv.weight",
            "_orig_mod.x",
        ] {
            assert_eq!(from_efficientnet_pytorch(name), None);
        }
    }
}
