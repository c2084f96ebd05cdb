//! Every entry point of every shader against its f64 twin on the adapter: forward and every gradient, over listed and
//! drawn shapes, in checked and in trusted mode.

mod common;
mod reference;

/// One file for each shader, and one for the chain that is composed of several.
mod ops {
    pub mod activation;
    pub mod adam;
    pub mod add;
    pub mod augment;
    pub mod avg_pool2d;
    pub mod batch_norm;
    pub mod ceiling;
    pub mod clip;
    pub mod concat;
    pub mod conv2d;
    pub mod conv_block;
    pub mod cross_entropy;
    pub mod dropout;
    pub mod flatten;
    pub mod gather;
    pub mod linear;
    pub mod max_pool2d;
    pub mod mse;
    pub mod sgd;
    pub mod spinal;
    pub mod spinal_chain;
    pub mod step;
}

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::Bench;

/// Makes a test of each function, and one that asks whether together they reach every entry point.
macro_rules! tests {
    ($($module:ident::$test:ident,)*) => {
        mod on_the_adapter {
            use super::{Bench, ops};

            $(
                #[test]
                fn $test() {
                    ops::$module::$test(&Bench::on_device());
                }
            )*
        }

        #[test]
        fn every_entry_point_is_tested() {
            let bench = Bench::on_paper();
            $(ops::$module::$test(&bench);)*
            assert_eq!(bench.entry_points(), entry_points_on_disk());
        }
    };
}

tests! {
    activation::activations_match_their_twins,
    activation::activations_saturate_far_from_zero,
    activation::activations_let_nan_through,
    activation::a_long_extent_is_folded,
    adam::adam_matches_its_twin,
    add::add_matches_its_twin,
    augment::draws_match_their_twins,
    augment::augmented_images_match_their_twin,
    augment::large_augmented_images_match_their_twin,
    augment::augmented_images_are_torchvision_s,
    avg_pool2d::avg_pool2d_matches_its_twin,
    batch_norm::batch_norm_matches_its_twin,
    batch_norm::batch_norm_on_cpu_adapters_matches_its_twin,
    batch_norm::batch_norm_under_tight_limits_matches_its_twin,
    batch_norm::batch_norm_evaluates_with_running_statistics,
    batch_norm::batch_norm_evaluates_on_cpu_adapters,
    batch_norm::batch_norm_lets_nan_through,
    batch_norm::batch_norm_evaluates_nan,
    ceiling::copies_are_exact,
    ceiling::chains_of_products_match_their_twin,
    clip::clipping_matches_its_twin,
    concat::concat_matches_its_twin,
    concat::slices_wrap_and_share_a_tensor,
    conv2d::conv2d_matches_its_twin,
    conv2d::conv2d_on_cpu_adapters_matches_its_twin,
    conv2d::large_blocks_of_conv2d_match_their_twin,
    conv2d::every_tile_of_conv2d_matches_its_twin,
    conv2d::winograd_matches_its_twin,
    conv2d::conv2d_in_groups_matches_its_twin,
    conv2d::depthwise_convolution_matches_its_twin,
    conv2d::conv2d_of_a_million_pixels_matches_its_twin,
    conv2d::conv2d_under_tight_limits_matches_its_twin,
    conv2d::conv2d_of_integers_is_exact,
    conv_block::conv_blocks_match_their_twins,
    conv_block::conv_blocks_under_tight_limits_match_their_twins,
    conv_block::conv_blocks_let_nan_through,
    cross_entropy::cross_entropy_matches_its_twin,
    cross_entropy::a_large_batch_of_many_classes_matches_its_twin,
    cross_entropy::nan_among_the_logits_makes_the_loss_nan,
    dropout::dropout_matches_its_twin_bit_for_bit,
    dropout::dropout2d_matches_its_twin_bit_for_bit,
    dropout::dropout_adds_to_a_gradient,
    flatten::flatten_matches_pytorch_order,
    gather::images_match_their_twin,
    gather::images_that_are_staged_match_their_twin,
    gather::images_that_are_streamed_match_their_twin,
    gather::features_are_copied_with_their_classes,
    gather::rows_are_copied,
    linear::linear_matches_its_twin,
    linear::linear_on_cpu_adapters_matches_its_twin,
    linear::every_tile_of_linear_matches_its_twin,
    linear::linear_past_every_bound_matches_its_twin,
    linear::linear_under_tight_limits_matches_its_twin,
    linear::linear_of_integers_is_exact,
    max_pool2d::max_pool2d_matches_its_twin,
    max_pool2d::max_pool2d_lets_nan_through,
    mse::mse_matches_its_twin,
    mse::pieces_of_a_batch_add_up,
    sgd::sgd_matches_its_twin,
    spinal::the_fused_chain_matches_the_twin,
    spinal::both_paths_match_the_twin,
    spinal::chains_under_tight_limits_match_the_twin,
    spinal::independent_sub_layers_match_the_twin,
    spinal::a_chain_alone_matches_the_twin,
    spinal::dropout_in_the_chain_matches_the_twin,
    spinal::golden_vectors_come_out,
    spinal_chain::composed_chains_match_the_twins_of_their_layers,
    spinal_chain::four_splits_of_a_map_are_its_cells,
    step::steps_and_micro_batches_are_counted,
}

/// `SHADER.ENTRY` of every compute entry point below `shaders/`.
fn entry_points_on_disk() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let mut found = BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the shaders lie there") {
            let path = entry.expect("a folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path
                .strip_prefix(&root)
                .expect("it lies below")
                .with_extension("");
            let name = name
                .components()
                .map(|part| part.as_os_str().to_string_lossy());
            let name = name.collect::<Vec<_>>().join("/");
            let text = fs::read_to_string(&path).expect("shaders are text");
            let attribute = text.split("@compute").skip(1);
            let entries = attribute.filter_map(|rest| rest.split_once("fn ")?.1.split('(').next());
            found.extend(entries.map(|entry| format!("{name}.{entry}")));
        }
    }
    found
}
