//! Every WGSL file without an adapter: naga parses and validates it, and writes every entry point for every backend, so
//! that Vulkan, Metal and DX12 are covered on a machine that has none of them.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use common::AdapterClass;
use naga::back::{glsl, hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{
    Capabilities, ModuleInfo, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator,
};
use naga::{Module, ScalarKind, ShaderStage, TypeInner};
use spinalnet::batch::{Part, Source};
use spinalnet::models::{self, ModelOptions};
use spinalnet::optim::{Adam, Optimizer, Sgd};
use spinalnet::plan::Plan;
use spinalnet::steps;

/// One file of `shaders/` with the library appended.
struct File {
    name: String,
    source: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders")
}

/// The files of a folder by name, folders included.
fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the shaders lie there");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("a folder can be listed").path())
        .collect();
    paths.sort();
    paths
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every shader on disk, with the library appended in the order of names, as `shader!` appends it.
fn files() -> Vec<File> {
    let library: String = listed(&root().join("lib"))
        .iter()
        .map(|path| read(path))
        .collect();
    let mut files = Vec::new();
    for path in listed(&root()) {
        let is_library = path.ends_with("lib") || path.ends_with("f16");
        let paths = if path.is_dir() {
            listed(&path)
        } else {
            vec![path]
        };
        for path in paths.iter().filter(|_| !is_library) {
            let name = path
                .strip_prefix(root())
                .expect("it lies below")
                .with_extension("");
            let name: Vec<_> = name
                .components()
                .map(|part| part.as_os_str().to_string_lossy())
                .collect();
            files.push(File {
                name: name.join("/"),
                source: read(path) + &library,
            });
        }
    }
    files.push(matrix_units());
    files
}

/// The one file that multiplies on matrix units, as `shader!(f16 ..)` puts it together.
fn matrix_units() -> File {
    let mut source = "enable f16; enable wgpu_cooperative_matrix; ".to_owned();
    source += &read(&root().join("conv2d/tiled.wgsl"));
    for path in listed(&root().join("lib")) {
        let is_products = path.ends_with("products.wgsl");
        source += &read(&if is_products {
            root().join("f16/products.wgsl")
        } else {
            path
        });
    }
    File {
        name: "conv2d/tiled (f16)".to_owned(),
        source,
    }
}

fn parse(file: &File) -> (Module, ModuleInfo) {
    let module = naga::front::wgsl::parse_str(&file.source)
        .unwrap_or_else(|error| panic!("{}: {}", file.name, error.emit_to_string(&file.source)));
    let mut capabilities = Capabilities::SUBGROUP | Capabilities::SHADER_INT64;
    if file.name.ends_with("(f16)") {
        capabilities |= Capabilities::SHADER_FLOAT16 | Capabilities::COOPERATIVE_MATRIX;
    }
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .subgroup_stages(ShaderStages::COMPUTE)
        .subgroup_operations(SubgroupOperationSet::all())
        .validate(&module)
        .unwrap_or_else(|error| panic!("{}: {}", file.name, error.emit_to_string(&file.source)));
    (module, info)
}

/// Training and evaluation plans of every model, with both optimisers, for both classes of adapters.
fn plans() -> Vec<Plan> {
    let optimizers: [&dyn Optimizer; 2] = [
        &Sgd {
            momentum: 0.5,
            ..Sgd::default()
        },
        &Adam::default(),
    ];
    let mut plans = Vec::new();
    for name in models::names() {
        let model = models::build(&name, ModelOptions::default()).expect("it is listed");
        let source = Source::whole(Part::Train, model.sample, 100, 64);
        for class in [AdapterClass::Gpu, AdapterClass::Cpu] {
            let train = |optimizer| steps::train_plan(&model, &source, 64, optimizer, class);
            plans.extend(optimizers.map(train));
            plans.push(steps::evaluate_plan(&model, &source, 36, class));
        }
    }
    plans
}

/// Values of the overrides: those of the first dispatch of the entry point in a model's plan, or else of the file, and 3, true
/// or 0.5, after the type, for every override that it does not set.
fn constants(module: &Module, file: &File, entry: &str, plans: &[Plan]) -> HashMap<String, f64> {
    let dispatches = plans.iter().flat_map(|plan| &plan.dispatches);
    let of_file = || {
        dispatches
            .clone()
            .filter(|dispatch| file.name.starts_with(dispatch.shader.name()))
    };
    let real = of_file()
        .find(|dispatch| dispatch.entry == entry)
        .or_else(|| of_file().next());
    let mut constants: HashMap<String, f64> = HashMap::new();
    for (_, item) in module
        .overrides
        .iter()
        .filter(|(_, item)| item.init.is_none())
    {
        let TypeInner::Scalar(scalar) = module.types[item.ty].inner else {
            panic!("an override is a scalar")
        };
        let value = match scalar.kind {
            ScalarKind::Bool => 1.0,
            ScalarKind::Float => 0.5,
            _ => 3.0,
        };
        constants.insert(item.name.clone().expect("overrides have names"), value);
    }
    for &(name, value) in real.iter().flat_map(|dispatch| &dispatch.constants) {
        constants.insert(name.to_owned(), value);
    }
    constants
}

/// Calls `write` with every entry point of every file, its overrides folded.
fn for_every_entry_point(write: impl Fn(&str, &str, &Module, &ModuleInfo)) {
    let plans = plans();
    for file in files() {
        let (module, info) = parse(&file);
        for entry in &module.entry_points {
            let place = format!("{}.{}", file.name, entry.name);
            let constants = constants(&module, &file, &entry.name, &plans);
            let constants = constants.into_iter().collect();
            let stage = Some((ShaderStage::Compute, entry.name.as_str()));
            let (module, info) = process_overrides(&module, &info, stage, &constants)
                .unwrap_or_else(|error| panic!("{place}: {error:?}"));
            write(&place, &entry.name, &module, &info);
        }
    }
}

/// What naga adds in checked mode, and what in trusted mode.
fn policies() -> [BoundsCheckPolicies; 2] {
    [BoundsCheckPolicy::Restrict, BoundsCheckPolicy::Unchecked].map(|policy| BoundsCheckPolicies {
        index: policy,
        buffer: policy,
        image_load: policy,
        binding_array: policy,
    })
}

#[test]
fn every_file_is_what_the_program_compiles() {
    let files: BTreeMap<String, String> = files()
        .into_iter()
        .map(|file| (file.name, file.source))
        .collect();
    for plan in plans() {
        for dispatch in plan.dispatches {
            let name = dispatch.shader.name();
            assert!(
                files[name] == dispatch.shader.source(),
                "shaders/{name}.wgsl and `shader!` differ"
            );
        }
    }
}

/// An override without default cannot be forgotten, and a constant that two backends fold differently cannot hide. The grid is
/// what it is dispatched as by default, and the host alone reads a bound of iterations.
#[test]
fn shapes_have_no_defaults() {
    for file in files() {
        let (module, _) = parse(&file);
        for (_, item) in module.overrides.iter() {
            let literal = item.init.is_some_and(|init| {
                matches!(
                    module.global_expressions[init],
                    naga::Expression::Literal(_)
                )
            });
            let name = item.name.as_deref().unwrap_or_default();
            let may_be = name.starts_with("GRID_") || name.starts_with("ITERATIONS_");
            assert!(
                !literal || may_be,
                "{}: override {:?} has a literal default",
                file.name,
                item.name
            );
        }
    }
}

#[test]
fn vulkan_takes_every_entry_point() {
    for_every_entry_point(|place, entry, module, info| {
        for bounds_check_policies in policies() {
            let options = spv::Options {
                lang_version: (1, 3),
                bounds_check_policies,
                ..Default::default()
            };
            let pipeline = spv::PipelineOptions {
                shader_stage: ShaderStage::Compute,
                entry_point: entry.to_owned(),
            };
            let words = spv::write_vec(module, info, &options, Some(&pipeline))
                .unwrap_or_else(|error| panic!("{place}: SPIR-V: {error}"));
            assert_eq!(
                words[0], 0x0723_0203,
                "{place}: SPIR-V starts with its magic number"
            );
        }
    });
}

#[test]
fn metal_takes_every_entry_point() {
    for_every_entry_point(|place, entry, module, info| {
        if needs_matrix_units(module) {
            return;
        }
        for bounds_check_policies in policies() {
            // Every buffer at the slot of its binding, and the sizes that bounds checks read after them.
            let resources = module.global_variables.iter().filter_map(|(_, variable)| {
                let binding = variable.binding?;
                let target = msl::BindTarget {
                    buffer: Some(binding.binding as u8),
                    mutable: true,
                    ..Default::default()
                };
                Some((binding, target))
            });
            let resources = msl::EntryPointResources {
                resources: resources.collect(),
                sizes_buffer: Some(30),
                ..Default::default()
            };
            let options = msl::Options {
                lang_version: (2, 4),
                per_entry_point_map: [(entry.to_owned(), resources)].into_iter().collect(),
                fake_missing_bindings: false,
                bounds_check_policies,
                ..Default::default()
            };
            let pipeline = msl::PipelineOptions {
                entry_point: Some((ShaderStage::Compute, entry.to_owned())),
                ..Default::default()
            };
            let (text, written) = msl::write_string(module, info, &options, &pipeline)
                .unwrap_or_else(|error| panic!("{place}: MSL: {error}"));
            let names = written.entry_point_names.into_iter();
            for name in
                names.map(|name| name.unwrap_or_else(|error| panic!("{place}: MSL: {error}")))
            {
                assert!(
                    text.contains(&format!("kernel void {name}")),
                    "{place}: MSL: {text}"
                );
            }
        }
    });
}

#[test]
fn dx12_takes_every_entry_point() {
    for_every_entry_point(|place, entry, module, info| {
        if needs_matrix_units(module) {
            return;
        }
        for restrict_indexing in [true, false] {
            let options = hlsl::Options {
                shader_model: hlsl::ShaderModel::V6_0,
                restrict_indexing,
                ..Default::default()
            };
            let pipeline = hlsl::PipelineOptions {
                entry_point: Some((ShaderStage::Compute, entry.to_owned())),
            };
            let mut text = String::new();
            let written = hlsl::Writer::new(&mut text, &options, &pipeline)
                .write(module, info, None)
                .unwrap_or_else(|error| panic!("{place}: HLSL: {error}"));
            for name in written.entry_point_names {
                let name = name.unwrap_or_else(|error| panic!("{place}: HLSL: {error}"));
                assert!(
                    text.contains(&format!("void {name}(")),
                    "{place}: HLSL: {text}"
                );
            }
        }
    });
}

/// Whether a shader needs matrix units, which naga knows for Vulkan and Metal; only Vulkan's are used.
fn needs_matrix_units(module: &Module) -> bool {
    let matrix = |inner: &TypeInner| matches!(inner, TypeInner::CooperativeMatrix { .. });
    module.types.iter().any(|(_, ty)| matrix(&ty.inner))
}

/// Whether a shader needs wgpu's feature `SHADER_INT64`, which OpenGL never has: kernels are not chosen there then.
fn needs_int64(module: &Module) -> bool {
    let wide = |inner: &TypeInner| matches!(inner, TypeInner::Scalar(scalar) if scalar.width == 8);
    module.types.iter().any(|(_, ty)| wide(&ty.inner))
}

#[test]
fn opengl_takes_every_entry_point_without_64_bit_integers() {
    for_every_entry_point(|place, entry, module, info| {
        if needs_int64(module) || needs_matrix_units(module) {
            return;
        }
        let options = glsl::Options {
            version: glsl::Version::new_gles(310),
            ..Default::default()
        };
        let pipeline = glsl::PipelineOptions {
            shader_stage: ShaderStage::Compute,
            entry_point: entry.to_owned(),
            multiview: None,
        };
        for policies in policies() {
            let mut text = String::new();
            glsl::Writer::new(&mut text, module, info, &options, &pipeline, policies)
                .and_then(|mut writer| writer.write())
                .unwrap_or_else(|error| panic!("{place}: GLSL: {error}"));
            assert!(text.contains("void main()"), "{place}: GLSL: {text}");
        }
    });
}
