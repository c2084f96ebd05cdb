//! Files that are as PyTorch wrote them.

use spinalnet::checkpoint::{self, NamedTensor};
use spinalnet::pretrained::{read, select};

use super::fixtures::{Place, bytes, net, path};

/// The tensors and notes of a fixture.
fn contents(name: &str) -> (Vec<NamedTensor>, Vec<String>) {
    let file = read(&path(name)).unwrap_or_else(|error| panic!("{error}"));
    (file.tensors, file.notes)
}

fn shapes(tensors: &[NamedTensor]) -> Vec<(String, Vec<usize>)> {
    let shape = |tensor: &NamedTensor| (tensor.name.clone(), tensor.shape.clone());
    tensors.iter().map(shape).collect()
}

#[test]
fn state_dicts_are_read_in_every_format() {
    for name in [
        "state",
        "state-legacy",
        "state-protocol-4",
        "views",
        "views-legacy",
        "parameters",
    ] {
        assert_eq!(contents(name), (net(), vec![]), "{name}");
    }
}

#[test]
fn other_types_are_converted_and_told() {
    let notes = vec!["7 tensors of F16 read as 32-bit floats".to_owned()];
    assert_eq!(contents("halves"), (net(), notes));
    let notes = ["2 tensors of F64 read", "1 tensors of BF16 read"];
    let notes = notes.map(|note| format!("{note} as 32-bit floats"));
    assert_eq!(contents("mixed"), (net(), notes.into()));
}

#[test]
fn the_state_dict_of_a_checkpoint_is_found_and_told() {
    let note = "took the tensors under \"state_dict\", passed over epoch, best, optimizer, args";
    assert_eq!(contents("checkpoint"), (net(), vec![note.to_owned()]));
}

#[test]
fn a_net_of_data_parallel_loses_its_prefix() {
    let file = read(&path("parallel")).unwrap();
    assert!(
        file.tensors
            .iter()
            .all(|tensor| tensor.name.starts_with("module."))
    );
    let backbone = &net()[..5];
    let selection = select(file, &shapes(backbone), &["fc."]).unwrap();
    assert_eq!(selection.tensors, backbone);
    assert_eq!(
        selection.notes,
        [
            "prefix \"module.\" taken off 7 names",
            "classifier of the file left out: fc.weight [4, 3], fc.bias [4]"
        ]
    );
}

#[test]
fn safetensors_are_read_whatever_their_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pth");
    checkpoint::save(&path, &net(), &Default::default()).unwrap();
    let file = read(&path).unwrap();
    let selection = select(file, &shapes(&net()), &[]).unwrap();
    assert_eq!((selection.tensors, selection.notes), (net(), vec![]));
    let whole = std::fs::read(&path).unwrap();
    let place = Place::new();
    for length in 0..whole.len() {
        place.refusal(&whole[..length]);
    }
}

#[test]
fn what_is_no_state_dict_is_refused_by_its_name() {
    let place = Place::new();
    let asks = "asks for torch.nn.modules.linear.Linear, which is not run";
    place.assert_refused(&bytes("module"), asks);
    place.assert_refused(
        &bytes("integers"),
        "its index is I64, expected floating-point",
    );
    let neither = "is neither safetensors nor a file of torch.save";
    for bytes in [
        &b""[..],
        b"version https://git-lfs.github.com/spec/v1",
        b"<html>",
        b"\x80\x02}q\x00.",
    ] {
        place.assert_refused(bytes, neither);
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = read(&folder.path().join("none")).unwrap_err();
    assert!(
        error.to_string().contains("none: cannot be read"),
        "{error}"
    );
    let error = read(folder.path()).unwrap_err();
    assert!(error.to_string().contains("is a folder"), "{error}");
}
