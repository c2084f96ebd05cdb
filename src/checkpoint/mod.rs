//! Weights on disk: safetensors, 32-bit floats, PyTorch's layouts and `state_dict` names.
//!
//! The same weights and metadata give the same bytes. A file is loaded whole or refused by the names of
//! what does not fit. It carries a checksum, which is compared wherever it is read; files of others have none.

mod checksum;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};

use crate::error::{Error, Result};
use crate::file;
use crate::report::atomic_file;

/// The header's one entry of ours, holding a checksum and all metadata as JSON: safetensors writes its entries in an order
/// that differs from run to run, and one entry has one order.
const METADATA_KEY: &str = "spinalnet";

/// PyTorch's count of the batches that a BatchNorm has seen, which nothing depends on: passed over in a file.
pub(crate) const BATCH_COUNTER: &str = ".num_batches_tracked";

/// PyTorch's name for the variances that a BatchNorm divides by the roots of.
const RUNNING_VARIANCE: &str = ".running_var";

/// How many names an error lists before it counts the rest.
const NAMES_LISTED: usize = 5;

/// How many characters of a foreign name or message an error repeats.
const FOREIGN_TEXT_LENGTH: usize = 120;

/// A tensor under its `state_dict` name.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// The name, for instance `conv1.weight`.
    pub name: String,
    /// The shape as PyTorch writes it: `[out, in]`, `[out, in, kh, kw]`.
    pub shape: Vec<usize>,
    /// The elements in row-major order, as many as the shape says.
    pub values: Vec<f32>,
}

impl View for &NamedTensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        // The format is little-endian, and so is every machine that wgpu runs on.
        bytemuck::cast_slice(&self.values).into()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values.as_slice())
    }
}

/// Writes `tensors`, sorted by name, and `metadata` to `path`, replacing a file that is there.
///
/// # Errors
/// `Error::File` if the file cannot be written; an old file is then left as it was.
///
/// # Panics
/// If a tensor has not as many values as its shape says, or two have one name.
pub fn save(
    path: &Path,
    tensors: &[NamedTensor],
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let mut names = BTreeSet::new();
    for NamedTensor {
        name,
        shape,
        values,
    } in tensors
    {
        assert_eq!(
            values.len(),
            shape.iter().product::<usize>(),
            "{name}: values of shape {shape:?}"
        );
        assert!(names.insert(name), "two tensors are named {name}");
    }
    let json = serde_json::to_string(metadata).expect("a map of strings is valid JSON");
    let named_tensors = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor));
    let sealed = checksum::seal(named_tensors.clone().collect(), &json);
    let entry = HashMap::from([(METADATA_KEY.to_owned(), sealed)]);
    let bytes = safetensors::serialize(named_tensors, Some(entry)).map_err(|error| {
        Error::file(
            path,
            format!("cannot be written: {error}"),
            "shorten the metadata",
        )
    })?;
    atomic_file::write(path, &bytes)
}

/// Reads the tensors of `expected` (name and shape) from `path`, in that order.
///
/// # Errors
/// `Error::File` if the file cannot be read, is not whole or not what was written, if tensors are missing, unexpected, of
/// another shape or not 32-bit floats, if values are NaN or infinite, or if a running variance is negative.
pub fn load(path: &Path, expected: &[(String, Vec<usize>)]) -> Result<Vec<NamedTensor>> {
    let bytes = read(path)?;
    let file = parse(path, &bytes)?;
    let mut found: HashMap<&str, TensorView> = file.iter().collect();
    let kinds = found.iter().map(|(&name, view)| (name, Kind::of(view)));
    let hint = "check that the weights belong to the chosen model";
    check_agreement(path, &kinds.collect(), expected, hint)?;

    let tensors: Vec<NamedTensor> = expected
        .iter()
        .filter_map(|(name, shape)| {
            let view = found.remove(name.as_str())?;
            let values = floats(view.data());
            Some(NamedTensor {
                name: name.clone(),
                shape: shape.clone(),
                values,
            })
        })
        .collect();
    check_finite(path, &tensors)?;
    check_variances(path, &tensors)?;
    Ok(tensors)
}

/// Reads the metadata that [`save`] was given; of a file written by another program, its own entries.
///
/// # Errors
/// `Error::File` if the file cannot be read, is not whole or not what was written.
pub fn metadata(path: &Path) -> Result<BTreeMap<String, String>> {
    let bytes = read(path)?;
    parse(path, &bytes)?;
    let entries = entries(path, &bytes)?;
    let text = entries.get(METADATA_KEY);
    let json = text.map(|text| checksum::split(text).map_or(text.as_str(), |(_, json)| json));
    match json {
        Some(json) => serde_json::from_str(json).map_err(|error| {
            Error::file(
                path,
                format!("metadata entry {METADATA_KEY} is not a JSON map of strings: {error}"),
                "use a weights file as the program wrote it",
            )
        }),
        None => Ok(entries.into_iter().collect()),
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    file::read(path, u64::MAX, "give the path of a .safetensors file")
}

/// The tensors of a file, if they are those that were written.
pub(crate) fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<SafeTensors<'a>> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| not_whole(path, &error))?;
    for (key, text) in entries(path, bytes)? {
        let is_ours = key == METADATA_KEY;
        let is_sound = match checksum::split(&text) {
            Some((sum, json)) => is_ours && checksum::is_right(file.iter().collect(), sum, json),
            // Files that this program wrote before it knew checksums begin with the map.
            None => !is_ours || text.starts_with('{'),
        };
        if !is_sound {
            return Err(Error::file(
                path,
                "is damaged: its contents are not those of its checksum",
                "take a copy of it from elsewhere, or train again",
            ));
        }
    }
    Ok(file)
}

/// The entries of a file's metadata as they are.
fn entries(path: &Path, bytes: &[u8]) -> Result<HashMap<String, String>> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| not_whole(path, &error))?;
    Ok(header.metadata().clone().unwrap_or_default())
}

fn not_whole(path: &Path, error: &safetensors::SafeTensorError) -> Error {
    Error::file(
        path,
        format!(
            "not a whole safetensors file: {}",
            foreign_text(&error.to_string())
        ),
        "the file is damaged, cut short or of another format: copy or make it again",
    )
}

/// The elements of little-endian `bytes`, which need not be aligned.
fn floats(bytes: &[u8]) -> Vec<f32> {
    let (elements, _) = bytes.as_chunks();
    elements
        .iter()
        .map(|&element| f32::from_le_bytes(element))
        .collect()
}

/// What a tensor of a file is, beside its values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind<'a> {
    /// Its shape.
    pub shape: &'a [usize],
    /// How its elements are stored.
    pub dtype: Dtype,
}

impl<'a> Kind<'a> {
    fn of(view: &'a TensorView) -> Self {
        Self {
            shape: view.shape(),
            dtype: view.dtype(),
        }
    }
}

/// Refuses tensors that are missing, unexpected, of another shape or of another type, all in one line; `hint` says what to do
/// about all but the last.
pub(crate) fn check_agreement(
    path: &Path,
    found: &HashMap<&str, Kind>,
    expected: &[(String, Vec<usize>)],
    hint: &str,
) -> Result<()> {
    let (mut missing, mut misshapen, mut mistyped) = (vec![], vec![], vec![]);
    for (name, shape) in expected {
        match found.get(name.as_str()) {
            None => missing.push(format!("{name} {shape:?}")),
            Some(kind) if kind.shape != shape => {
                misshapen.push(format!("{name} is {:?}, not {shape:?}", kind.shape));
            }
            Some(kind) if kind.dtype != Dtype::F32 => {
                mistyped.push(format!("{name} is {}, not F32", kind.dtype));
            }
            Some(_) => {}
        }
    }
    let names: BTreeSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    let mut unexpected: Vec<String> = found
        .keys()
        .filter(|name| !names.contains(*name) && !name.ends_with(BATCH_COUNTER))
        .map(|name| foreign_text(name))
        .collect();
    unexpected.sort();

    let hint = if missing.is_empty() && misshapen.is_empty() && unexpected.is_empty() {
        "save the tensors as 32-bit floats (in PyTorch: tensor.float())"
    } else {
        hint
    };
    let problems: Vec<String> = [
        ("missing tensors", missing),
        ("unexpected tensors", unexpected),
        ("wrong shape", misshapen),
        ("wrong type", mistyped),
    ]
    .into_iter()
    .filter(|(_, names)| !names.is_empty())
    .map(|(problem, names)| format!("{problem}: {}", listed(&names)))
    .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::file(path, problems.join("; "), hint))
    }
}

pub(crate) fn check_finite(path: &Path, tensors: &[NamedTensor]) -> Result<()> {
    let bad = with_values(tensors, |value| !value.is_finite());
    if bad.is_empty() {
        return Ok(());
    }
    Err(Error::file(
        path,
        format!("values that are not finite numbers: {}", listed(&bad)),
        "the training that wrote them has diverged: train again with a lower --lr",
    ))
}

pub(crate) fn check_variances(path: &Path, tensors: &[NamedTensor]) -> Result<()> {
    let variances = tensors
        .iter()
        .filter(|tensor| tensor.name.ends_with(RUNNING_VARIANCE));
    let bad = with_values(variances, |value| value < 0.0);
    if bad.is_empty() {
        return Ok(());
    }
    Err(Error::file(
        path,
        format!("negative variances: {}", listed(&bad)),
        "the file is damaged or holds other statistics under this name: copy or make it again",
    ))
}

/// The names of the tensors that have values which are `bad`, each with the first of them.
fn with_values<'a>(
    tensors: impl IntoIterator<Item = &'a NamedTensor>,
    bad: impl Fn(f32) -> bool,
) -> Vec<String> {
    let first = |NamedTensor { name, values, .. }: &NamedTensor| {
        let index = values.iter().position(|&value| bad(value))?;
        Some(format!("{name} ({} at element {index})", values[index]))
    };
    tensors.into_iter().filter_map(first).collect()
}

/// `a, b, c, d, e and 2 more`.
pub(crate) fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(NAMES_LISTED)].join(", ");
    match names.len().saturating_sub(NAMES_LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Text from inside a file, fit for one line of an error.
pub(crate) fn foreign_text(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '?' } else { c };
    let mut line: String = text
        .chars()
        .take(FOREIGN_TEXT_LENGTH)
        .map(printable)
        .collect();
    if text.chars().nth(FOREIGN_TEXT_LENGTH).is_some() {
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use std::path::PathBuf;

    fn tensor(name: &str, shape: &[usize]) -> NamedTensor {
        let values = (0..shape.iter().product())
            .map(|i| i as f32 - 0.5)
            .collect();
        NamedTensor {
            name: name.into(),
            shape: shape.to_vec(),
            values,
        }
    }

    fn shapes(tensors: &[NamedTensor]) -> Vec<(String, Vec<usize>)> {
        tensors
            .iter()
            .map(|t| (t.name.clone(), t.shape.clone()))
            .collect()
    }

    fn network() -> Vec<NamedTensor> {
        vec![
            tensor("fc1.weight", &[3, 5]),
            tensor("fc1.bias", &[3]),
            tensor("conv.weight", &[2, 1, 1, 3]),
        ]
    }

    fn description() -> BTreeMap<String, String> {
        let pair = |i: usize| (format!("key {i}"), format!("\"value\" {i}\n"));
        (0..20).map(pair).collect()
    }

    /// A temporary folder and a weights file in it.
    fn saved(tensors: &[NamedTensor]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spinal.safetensors");
        save(&path, tensors, &description()).unwrap();
        (folder, path)
    }

    /// A file as another program might write it.
    fn foreign(
        dtype: Dtype,
        shape: &[usize],
        entries: &[(&str, &str)],
    ) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("foreign.safetensors");
        let data = vec![0; shape.iter().product::<usize>() * dtype.bitsize() / 8];
        let view = TensorView::new(dtype, shape.to_vec(), &data).unwrap();
        let entries = entries
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        fs::write(
            &path,
            safetensors::serialize([("fc1.bias", view)], Some(entries)).unwrap(),
        )
        .unwrap();
        (folder, path)
    }

    fn refusal(path: &Path, expected: &[(String, Vec<usize>)]) -> String {
        let text = load(path, expected).unwrap_err().to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        text.split_once(".safetensors: ").unwrap().1.to_owned()
    }

    #[test]
    fn a_round_trip_keeps_every_bit_and_the_asked_order() {
        let mut tensors = network();
        tensors.push(tensor("scalar", &[]));
        tensors.push(tensor("empty", &[0, 4]));
        tensors[0].values[0] = -0.0;
        let (_folder, path) = saved(&tensors);
        let loaded = load(&path, &shapes(&tensors)).unwrap();
        assert_eq!(loaded, tensors);
        assert!(loaded[0].values[0].is_sign_negative());
        assert_eq!(metadata(&path).unwrap(), description());
    }

    #[test]
    fn the_bytes_depend_on_nothing_else() {
        let (_a, first) = saved(&network());
        let bytes = fs::read(first).unwrap();
        let mut reordered = network();
        reordered.reverse();
        for _ in 0..20 {
            let (_b, again) = saved(&reordered);
            assert_eq!(fs::read(again).unwrap(), bytes);
        }
    }

    #[test]
    fn missing_unexpected_and_misshapen_tensors_are_named() {
        let (_folder, path) = saved(&network());
        let expected = [
            ("fc1.weight".to_owned(), vec![5, 3]),
            ("fc1.bias".to_owned(), vec![3]),
            ("fc2.bias".to_owned(), vec![10]),
        ];
        assert_eq!(
            refusal(&path, &expected),
            "missing tensors: fc2.bias [10]; unexpected tensors: conv.weight; \
             wrong shape: fc1.weight is [3, 5], not [5, 3]"
        );
    }

    #[test]
    fn long_lists_are_cut() {
        let (_folder, path) = saved(&[]);
        let expected: Vec<_> = (0..7).map(|i| (format!("fc{i}.bias"), vec![1])).collect();
        assert_eq!(
            refusal(&path, &expected),
            "missing tensors: fc0.bias [1], fc1.bias [1], fc2.bias [1], fc3.bias [1], fc4.bias [1] and 2 more"
        );
    }

    #[test]
    fn other_types_are_named() {
        let expected = [("fc1.bias".to_owned(), vec![4])];
        for dtype in [Dtype::F16, Dtype::BF16, Dtype::F64, Dtype::I32] {
            let (_folder, path) = foreign(dtype, &[4], &[]);
            assert_eq!(
                refusal(&path, &expected),
                format!("wrong type: fc1.bias is {dtype}, not F32")
            );
        }
    }

    #[test]
    fn values_that_are_not_finite_are_named() {
        let mut tensors = network();
        tensors[0].values[7] = f32::NAN;
        tensors[2].values[0] = f32::NEG_INFINITY;
        let (_folder, path) = saved(&tensors);
        assert_eq!(
            refusal(&path, &shapes(&tensors)),
            "values that are not finite numbers: fc1.weight (NaN at element 7), conv.weight (-inf at element 0)"
        );
    }

    /// PyTorch's count of batches is an int64 scalar.
    #[test]
    fn counts_of_batches_are_passed_over_and_nothing_else() {
        let (folder, _) = saved(&[]);
        let path = folder.path().join("pytorch.safetensors");
        let count = 7_i64.to_le_bytes();
        for (name, passes) in [
            ("norm.num_batches_tracked", true),
            ("norm.batches", false),
            ("num_batches_tracked.weight", false),
        ] {
            let mean = TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap();
            let counter = TensorView::new(Dtype::I64, vec![], &count).unwrap();
            let entries = [("norm.running_mean", mean), (name, counter)];
            fs::write(&path, safetensors::serialize(entries, None).unwrap()).unwrap();
            let expected = [("norm.running_mean".to_owned(), vec![1])];
            if passes {
                assert_eq!(load(&path, &expected).unwrap()[0].values, [0.0]);
            } else {
                assert_eq!(
                    refusal(&path, &expected),
                    format!("unexpected tensors: {name}")
                );
            }
        }
    }

    #[test]
    fn negative_variances_are_named() {
        let statistics = |name: &str, values: [f32; 3]| NamedTensor {
            name: name.into(),
            shape: vec![3],
            values: values.into(),
        };
        let mut tensors = vec![
            statistics("norm.running_mean", [-1.0, 0.0, 1.0]),
            statistics("norm.running_var", [0.0, -0.0, 1.0]),
        ];
        let (_folder, path) = saved(&tensors);
        assert_eq!(load(&path, &shapes(&tensors)).unwrap(), tensors);
        tensors[1].values[2] = -0.25;
        let (_folder, path) = saved(&tensors);
        assert_eq!(
            refusal(&path, &shapes(&tensors)),
            "negative variances: norm.running_var (-0.25 at element 2)"
        );
    }

    #[test]
    fn every_truncation_is_refused() {
        let (_folder, path) = saved(&network());
        let bytes = fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            assert!(
                refusal(&path, &shapes(&network())).starts_with("not a whole safetensors file: ")
            );
            assert!(metadata(&path).is_err());
        }
        fs::write(&path, [bytes.as_slice(), b"x"].concat()).unwrap();
        assert!(refusal(&path, &shapes(&network())).starts_with("not a whole safetensors file: "));
    }

    /// White space between the entries of the header may be of another kind; nothing else may change.
    #[test]
    fn every_changed_byte_is_refused() {
        let (_folder, path) = saved(&network());
        let whole = fs::read(&path).unwrap();
        let mut refused = 0;
        for place in 0..whole.len() {
            for flip in [1, 0x20, 0xff] {
                let mut bytes = whole.clone();
                bytes[place] ^= flip;
                fs::write(&path, &bytes).unwrap();
                match (load(&path, &shapes(&network())), metadata(&path)) {
                    (Err(_), _) => refused += 1,
                    (Ok(tensors), Ok(entries)) => {
                        assert_eq!(
                            (tensors, entries),
                            (network(), description()),
                            "byte {place}"
                        );
                    }
                    (Ok(_), Err(error)) => panic!("byte {place}: {error}"),
                }
            }
        }
        assert!(refused + 3 * 8 >= 3 * whole.len(), "{refused}");
        let mut bytes = whole.clone();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        let text = refusal(&path, &shapes(&network()));
        assert_eq!(
            text,
            "is damaged: its contents are not those of its checksum"
        );
    }

    #[test]
    fn garbage_and_absurd_headers_are_refused_in_one_line() {
        let (_folder, path) = saved(&network());
        let header = |json: &str| [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat();
        let overflow =
            r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#;
        let control = r#"{"a\nb":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#;
        let files = [
            b"not a safetensors file at all".to_vec(),
            u64::MAX.to_le_bytes().to_vec(),
            (1_u64 << 40).to_le_bytes().to_vec(),
            header("{\"a\": \n\"b\"}"),
            header(&format!("{{\"{}\": 1}}", "long".repeat(1000))),
            header(&"[".repeat(100_000)),
            header(overflow),
            header(control),
        ];
        for bytes in files {
            fs::write(&path, bytes).unwrap();
            let text = refusal(&path, &shapes(&network()));
            assert!(
                text.starts_with("not a whole safetensors file: ") && text.len() < 200,
                "{text}"
            );
        }
    }

    #[test]
    fn absent_files_and_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = load(&folder.path().join("none"), &[]).unwrap_err();
        assert!(
            error.to_string().contains("none: cannot be read"),
            "{error}"
        );
        let error = metadata(folder.path()).unwrap_err();
        assert!(error.to_string().contains("is a folder"), "{error}");
    }

    #[test]
    fn foreign_metadata_is_read_as_it_is() {
        let (_folder, path) = foreign(Dtype::F32, &[1], &[("format", "pt")]);
        assert_eq!(
            metadata(&path).unwrap(),
            BTreeMap::from([("format".into(), "pt".into())])
        );
        let (_folder, path) = foreign(Dtype::F32, &[1], &[(METADATA_KEY, r#"{"a":1}"#)]);
        assert!(
            metadata(&path)
                .unwrap_err()
                .to_string()
                .contains("is not a JSON map of strings")
        );
    }

    #[test]
    fn without_metadata_there_is_a_checksum_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        save(&path, &network(), &BTreeMap::new()).unwrap();
        assert!(metadata(&path).unwrap().is_empty());
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let (_, entry) = text
            .split_once(r#"{"__metadata__":{"spinalnet":""#)
            .unwrap();
        assert_eq!(&entry[64..69], " {}\"}", "{entry}");
    }

    /// Files of others, and those that this program wrote before it knew checksums.
    #[test]
    fn files_without_a_checksum_are_read() {
        let expected = [("fc1.bias".to_owned(), vec![3])];
        for entry in [
            ("format", "pt"),
            (METADATA_KEY, r#"{"model":"mlp-spinal"}"#),
        ] {
            let (_folder, path) = foreign(Dtype::F32, &[3], &[entry]);
            assert_eq!(load(&path, &expected).unwrap()[0].values, [0.0; 3]);
            assert_eq!(metadata(&path).unwrap().len(), 1);
        }
    }

    #[test]
    #[should_panic(expected = "two tensors are named fc1.bias")]
    fn two_tensors_of_one_name_are_a_mistake_of_ours() {
        let twice = [tensor("fc1.bias", &[1]), tensor("fc1.bias", &[1])];
        let _ = save(Path::new("unwritten"), &twice, &BTreeMap::new());
    }
}
