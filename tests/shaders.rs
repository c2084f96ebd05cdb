//! Every WGSL file without an adapter: naga parses and validates it, and writes every entry point for every backend, so
//! that Vulkan, Metal and DX12 are covered on a machine that has none of them.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use common::AdapterClass;
use naga::back::{glsl, hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{
    Capabilities, ModuleInfo, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator,
};
use naga::{EntryPoint, Module, ScalarKind, ShaderStage, TypeInner};
use spinalnet::batch::{Part, Source};
use spinalnet::models::{self, ModelOptions};
use spinalnet::optim::{Adam, Optimizer, Sgd};
use spinalnet::plan::{Plan, Shader};
use spinalnet::steps;

/// One file of `shaders/` with its part of the library behind it.
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

/// The files below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let of_path = |path: PathBuf| {
        if path.is_dir() {
            below(&path)
        } else {
            vec![path]
        }
    };
    listed(folder).into_iter().flat_map(of_path).collect()
}

/// Every module on disk, as `shader!` puts it together, and those that multiply on matrix units.
fn files() -> Vec<File> {
    let is_module = |path: &PathBuf| {
        ["lib", "f16"]
            .iter()
            .all(|part| !path.starts_with(root().join(part)))
    };
    let mut files = Vec::new();
    for path in below(&root()).into_iter().filter(is_module) {
        let (name, text) = (name_of(&path).leak(), read(&path).leak());
        let shader = Shader::new(name, text);
        files.push(File {
            name: name.to_owned(),
            source: shader.source().to_owned(),
        });
        if name.starts_with("conv2d/tiled/") {
            files.push(File {
                name: format!("{name} (f16)"),
                source: Shader::f16(name, text).source().to_owned(),
            });
        }
    }
    files
}

/// The path below `shaders/`, without the extension.
fn name_of(path: &Path) -> String {
    let name = path
        .strip_prefix(root())
        .expect("it lies below")
        .with_extension("");
    let parts = name
        .components()
        .map(|part| part.as_os_str().to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
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

/// Training and evaluation plans of every model that begins at random, and of two on ImageNet's backbones, which have what there
/// is no other of; with both optimisers, for both classes of adapters.
fn plans() -> Vec<Plan> {
    let optimizers: [&dyn Optimizer; 2] = [
        &Sgd {
            momentum: 0.5,
            ..Sgd::default()
        },
        &Adam::default(),
    ];
    let mut plans = Vec::new();
    let from_scratch = models::FAMILIES.iter().filter(|family| !family.is_imagenet);
    let names = from_scratch.flat_map(|family| {
        let nets = family.nets.iter();
        nets.map(|net| format!("{}-{net}", family.name))
    });
    let others = ["resnet18-fc", "efficientnet_lite0-spinal"].map(str::to_owned);
    for name in names.chain(others) {
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

/// Nothing of the library stands behind a file that would be whole without it, and all of it stands behind one.
#[test]
fn files_name_what_they_need_of_the_library() {
    let files = files();
    for path in below(&root().join("lib")) {
        let text = read(&path);
        let mut users = files
            .iter()
            .filter(|file| file.source.contains(&text))
            .peekable();
        assert!(users.peek().is_some(), "no file needs {}", path.display());
        for file in users {
            let without = file.source.replace(&text, "");
            assert!(
                naga::front::wgsl::parse_str(&without).is_err(),
                "{} does not need {}",
                file.name,
                path.display()
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
            hlsl_of(place, entry, module, info, restrict_indexing);
        }
    });
}

fn hlsl_of(
    place: &str,
    entry: &str,
    module: &Module,
    info: &ModuleInfo,
    restrict_indexing: bool,
) -> String {
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
    text
}

/// Writes into the folder `SPINAL_TEST_SHADERS` what compilers of others check: `modules.json`, the WGSL of every module and
/// the overrides of its entry points, and for each of these `MODULE.CHECKS.ENTRY.hlsl`.
#[test]
#[ignore = "writes files for .ci/shaders"]
fn modules_are_written_for_other_compilers() {
    let folder = env::var_os("SPINAL_TEST_SHADERS").expect("SPINAL_TEST_SHADERS is a folder");
    let folder = Path::new(&folder);
    let plans = plans();
    let modules = files().into_iter().map(|file| {
        let (module, _) = parse(&file);
        let of_entry = |entry: &EntryPoint| {
            let constants = constants(&module, &file, &entry.name, &plans);
            (entry.name.clone(), constants)
        };
        let entries: BTreeMap<_, _> = module.entry_points.iter().map(of_entry).collect();
        serde_json::json!({ "name": file.name, "source": file.source, "entries": entries })
    });
    let modules: Vec<_> = modules.collect();
    let write =
        |name: &str, text: String| fs::write(folder.join(name), text).expect("a file is written");
    write("modules.json", serde_json::json!(modules).to_string());
    for_every_entry_point(|place, entry, module, info| {
        if needs_matrix_units(module) {
            return;
        }
        let file = place.trim_end_matches(entry).replace('/', "_");
        for (checks, restrict_indexing) in [("checked", true), ("trusted", false)] {
            let text = hlsl_of(place, entry, module, info, restrict_indexing);
            write(&format!("{file}{checks}.{entry}.hlsl"), text);
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
