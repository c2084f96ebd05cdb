//! Files made to do harm.

use spinalnet::checkpoint::NamedTensor;
use zip::CompressionMethod;

use super::fixtures::{Place, bytes, net};
use super::pickle::{
    archive, archive_as, dict, global, int, ints, pickle, saved, storage, tensor, text,
};

/// A pickle's bytes may not be more.
const LARGEST_PICKLE: usize = 2 << 20;

#[test]
fn pickles_by_hand_are_read_and_of_python_2_too() {
    let place = Place::new();
    let expected = NamedTensor {
        name: "a".to_owned(),
        shape: vec![2, 3],
        values: vec![0.0, 2.0, 4.0, 1.0, 3.0, 5.0],
    };
    let view = tensor(&storage("0", 6), 0, &[2, 3], &[1, 2]);
    let expected = [expected];
    let file = place.read(&saved(&[&dict("a", &view)])).unwrap();
    assert_eq!(file.tensors, expected);
    // OrderedDict([['a', tensor]]), the text as a byte string, the tensor of PyTorch before 0.4.
    let view = [
        &global("torch._utils", "_rebuild_tensor"),
        b"(".as_slice(),
        &storage("0", 6),
        b"K\x00K\x02K\x03\x86K\x01K\x02\x86tR",
    ];
    let old = [
        &global("collections", "OrderedDict"),
        b"]](U\x01a".as_slice(),
        &view.concat(),
        b"ea\x85R",
    ];
    assert_eq!(
        place.read(&saved(&[&old.concat()])).unwrap().tensors,
        expected
    );
}

#[test]
fn nothing_is_run() {
    let place = Place::new();
    let call = |callee: &[u8]| saved(&[callee, &text("touch /tmp/owned"), b"\x85R"]);
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("torch.hub", "load"),
        ("collections", "Counter"),
        ("torch", "load"),
    ] {
        let asks = format!("asks for {module}.{name}, which is not run");
        place.assert_refused(&call(&global(module, name)), &asks);
        let by_stack = [text(module), text(name), vec![0x93]].concat();
        place.assert_refused(&call(&by_stack), &asks);
    }
    for opcode in *b"iof012FIS\x81\x82\x8f\x92\x97" {
        let what = format!("opcode {opcode:#04x} at byte 3, which no state dict needs");
        place.assert_refused(&saved(&[b"N", &[opcode]]), &what);
    }
    place.assert_refused(&saved(&[b"NN\x85R"]), "a call of what is not callable");
    place.assert_refused(&saved(&[b"NNb"]), "attributes of what is no dict");
    place.assert_refused(
        &saved(&[&global("torch", "Size"), b")R"]),
        "Size with other arguments",
    );
    place.assert_refused(
        &saved(&[&global("torch", "FloatStorage"), b")R"]),
        "with other arguments",
    );
    let long_name = global(&"\n".repeat(3), "x");
    place.assert_refused(&saved(&[&long_name]), "asks for .,");
}

#[test]
fn what_is_no_dict_of_tensors_is_refused() {
    let place = Place::new();
    let view = tensor(&storage("0", 6), 0, &[6], &[1]);
    place.assert_refused(&saved(&[b"]"]), "is no state dict");
    place.assert_refused(&saved(&[&view]), "is no state dict");
    place.assert_refused(&saved(&[b"}"]), "has no tensors");
    place.assert_refused(&saved(&[&dict("a", b"K\x01")]), "its a is no tensor");
    place.assert_refused(
        &saved(&[b"}K\x01", &view, b"s"]),
        "has a tensor without a name",
    );
    let twice = [text("a"), view.clone(), b"s".to_vec()].concat();
    place.assert_refused(&saved(&[b"}", &twice, &twice]), "two tensors named a");
    let nested = (0..4).fold(dict("a", &view), |inner, _| dict("model", &inner));
    place.assert_refused(&saved(&[&nested]), "in more than 3 dicts");
    let control = place.refusal(&saved(&[&dict("a\nb\x1b[2J", b"K\x01")]));
    assert!(control.contains("a?b?[2J"), "{control}");
}

#[test]
fn views_and_storages_have_to_agree() {
    let place = Place::new();
    let refused = |storage: &[u8], offset, shape: &[i64], strides: &[i64], what: &str| {
        let view = tensor(storage, offset, shape, strides);
        place.assert_refused(&saved(&[&dict("a", &view)]), what);
    };
    let six = storage("0", 6);
    refused(&six, 0, &[7], &[1], "is larger than its storage of 6");
    refused(&six, 1, &[6], &[1], "leaves its storage of 6");
    refused(&six, 0, &[1 << 62, 4], &[0, 0], "is larger than");
    refused(&six, 0, &[i64::MAX, i64::MAX], &[1, 1], "is larger than");
    refused(&six, 0, &[2], &[i64::MAX], "leaves");
    refused(&six, i64::MAX, &[2, 2], &[i64::MAX, i64::MAX], "leaves");
    refused(&six, 0, &[-1], &[1], "Int(-1) as a size, stride or offset");
    refused(&six, -1, &[1], &[1], "Int(-1) as a size, stride or offset");
    refused(&six, 0, &[1], &[-1], "Int(-1) as a size, stride or offset");
    refused(&six, 0, &[1; 2], &[1], "2 dimensions and 1 strides");
    refused(&six, 0, &[1; 500], &[1; 500], "9 dimensions and 9 strides");
    for claimed in [0, 5, 7, 1 << 40, i64::MAX] {
        let what = format!("has 24 bytes, expected {claimed} numbers of 4");
        refused(&storage("0", claimed), 0, &[0], &[1], &what);
    }
    refused(&storage("1", 6), 0, &[6], &[1], "has no net/data/1");
    refused(
        &storage("../data.pkl", 6),
        0,
        &[6],
        &[1],
        "has no net/data/../data.pkl",
    );
    refused(&storage("0", -6), 0, &[6], &[1], "Int(-6) as a size");
    let two = [storage("0", 6), storage("0", 3)].concat();
    place.assert_refused(&saved(&[&two]), "storage 0 is two different ones");
    place.assert_refused(&saved(&[b")Q"]), "no storage has that identity");
    place.assert_refused(&saved(&[b"K\x01Q"]), "no storage has that identity");
}

#[test]
fn pickles_that_make_no_sense_are_refused() {
    let place = Place::new();
    for (opcodes, what) in [
        (&b""[..], "values are missing"),
        (b"t", "a mark is missing"),
        (b"N\x87", "values are missing"),
        (b"N(\x85", "values are missing"),
        (b"h\x05", "nothing was remembered as 5"),
        (b"j\xff\xff\xff\xff", "nothing was remembered as 4294967295"),
        (b"q\x00", "nothing to remember"),
        (b"NNa", "items without a list"),
        (b"NNNs", "what is no dict"),
        (b"}(Nu", "a key without a value"),
        (b"K\x01K\x02\x93", "a global without a name"),
        (b"X\xff\xff\xff\xffabc", "inside an opcode"),
        (b"\x8a\xff", "inside an opcode"),
        (b"\x8a\x09123456789", "an integer of 9 bytes"),
        (b"\x8c\x01\xff", "that is not UTF-8"),
        (b"cos", "inside an opcode"),
    ] {
        place.assert_refused(&saved(&[opcodes]), what);
    }
}

#[test]
fn circles_and_towers_take_no_more_than_their_bytes() {
    let place = Place::new();
    let filled = |piece: &[u8]| piece.repeat(1_900_000 / piece.len());
    let of_tensor = dict("a", &tensor(&storage("0", 6), 0, &[6], &[1]));
    // A list and a dict that hold themselves.
    for circle in [&b"]q\x00h\x00a"[..], b"}q\x00(K\x01h\x00K\x02h\x00u"] {
        assert!(place.read(&saved(&[circle, &of_tensor])).is_ok());
    }
    let itself = [b"}q\x00".as_slice(), &text("model"), b"h\x00s"].concat();
    place.assert_refused(&saved(&[&itself]), "in more than 3 dicts");
    for piece in [
        &b"("[..],
        b"]",
        b"}",
        b"]\x94",
        b"N\x94",
        b")",
        b"N\x85",
        b"N",
        b"(t",
        b"](Ne",
        b"\x80\x02",
    ] {
        assert!(place.read(&saved(&[&filled(piece), &of_tensor])).is_ok());
    }
    let tower = [b"N", filled(b"\x85").as_slice()].concat();
    assert!(place.read(&saved(&[&tower, &of_tensor])).is_ok());

    // One long list in many tuples, one long shape in many tensors, one list of pairs in many dicts.
    let long = [b"](", b"K\x01".repeat(300_000).as_slice(), b"eq\x00"].concat();
    assert!(
        place
            .read(&saved(&[
                &long,
                &filled(b"h\x00\x85")[..900_000],
                &of_tensor
            ]))
            .is_ok()
    );
    let shape = [b"(", b"K\x01".repeat(300_000).as_slice(), b"tq\x00"].concat();
    let sized = [&global("torch", "Size"), b"q\x01".as_slice()].concat();
    let many = b"h\x01h\x00\x85R".repeat(100_000);
    assert!(
        place
            .read(&saved(&[&shape, &sized, &many, &of_tensor]))
            .is_ok()
    );
    let pairs = [b"](", b"NN\x86".repeat(300_000).as_slice(), b"eq\x00"].concat();
    let ordered = [&global("collections", "OrderedDict"), b"q\x01".as_slice()].concat();
    let many = b"h\x01h\x00\x85R".repeat(100_000);
    place.assert_refused(
        &saved(&[&pairs, &ordered, &many]),
        "one list makes many dicts",
    );
}

#[test]
fn many_views_of_one_storage_end_somewhere() {
    let place = Place::new();
    let floats = vec![0; 4 * 100_000];
    let view = [
        &global("torch._utils", "_rebuild_tensor_v2"),
        b"(".as_slice(),
        &storage("0", 100_000),
        &int(0),
        &ints(&[100_000]),
        &ints(&[1]),
        b"\x89NtRq\x00",
    ]
    .concat();
    let entries = |count: usize| -> Vec<u8> {
        let entry = |i: usize| [text(&format!("t{i}")), b"h\x00s".to_vec()].concat();
        [
            view.clone(),
            b"}".to_vec(),
            (0..count).flat_map(entry).collect(),
        ]
        .concat()
    };
    let file = |count| {
        archive(&[
            ("data.pkl", &pickle(&[&entries(count)])),
            ("data/0", &floats),
        ])
    };
    assert_eq!(place.read(&file(4)).unwrap().tensors.len(), 4);
    place.assert_refused(
        &file(5_000),
        "its tensors have 500000000 numbers, but it stores 100000",
    );
}

#[test]
fn bombs_do_not_go_off() {
    let place = Place::new();
    let millions = 256 << 20;
    let opcodes = dict("a", &tensor(&storage("0", 64 << 20), 0, &[64 << 20], &[1]));
    let zeros = vec![0; millions];
    let bomb = archive_as(
        CompressionMethod::Deflated,
        &[("data.pkl", &pickle(&[&opcodes])), ("data/0", &zeros)],
    );
    assert!(bomb.len() < 1 << 20);
    place.assert_refused(&bomb, "net/data/0 is compressed, which PyTorch never does");
    let long = archive_as(CompressionMethod::Deflated, &[("data.pkl", &zeros)]);
    place.assert_refused(
        &long,
        &format!("a pickle of more than {LARGEST_PICKLE} bytes"),
    );
    let order = [("data.pkl", &b"}."[..]), ("byteorder", &zeros)];
    place.assert_refused(
        &archive_as(CompressionMethod::Deflated, &order),
        "not little-endian",
    );
}

/// Two names in the directory for the same bytes: what the first of them took is not there for the second.
#[test]
fn entries_that_share_their_bytes_are_refused() {
    let place = Place::new();
    let floats = vec![0; 4 * 1000];
    let view = |key| tensor(&storage(key, 1000), 0, &[1000], &[1]);
    let opcodes = [dict("a", &view("0")), text("b"), view("1"), b"s".to_vec()].concat();
    let whole = archive(&[
        ("data.pkl", &pickle(&[&opcodes])),
        ("data/0", &floats),
        ("data/1", &[]),
    ]);
    let begin = |signature: &[u8], nth: usize| {
        let places = whole
            .windows(4)
            .enumerate()
            .filter(|(_, window)| *window == signature);
        places.map(|(at, _)| at).nth(nth).unwrap()
    };
    // The entry of `data/1` in the directory gets what that of `data/0` says, from its checksum to its size, and its place.
    let (first, second) = (begin(b"PK\x01\x02", 1), begin(b"PK\x01\x02", 2));
    let mut shared = whole.clone();
    shared.copy_within(first + 16..first + 28, second + 16);
    shared.copy_within(first + 42..first + 46, second + 42);
    place.assert_refused(&shared, "larger together than the file");
}

#[test]
fn broken_checksums_are_refused() {
    let place = Place::new();
    let whole = bytes("state");
    let element = 1.125_f32.to_le_bytes();
    let at = whole.windows(4).position(|window| window == element);
    let mut changed = whole.clone();
    changed[at.unwrap()] ^= 1;
    place.assert_refused(&changed, "checksum");
    let at = whole.windows(6).position(|window| window == b"conv1.");
    let mut renamed = whole;
    renamed[at.unwrap()] = b'C';
    place.assert_refused(&renamed, "checksum");
}

#[test]
fn every_truncation_is_refused() {
    let place = Place::new();
    for name in ["state", "state-legacy", "views-legacy"] {
        let whole = bytes(name);
        for length in 0..whole.len() {
            place.refusal(&whole[..length]);
        }
    }
    let longer = [bytes("state-legacy"), vec![0]].concat();
    place.assert_refused(&longer, "goes on behind its end");
}

/// An archive's checksums find every change of its contents; the old format has none.
#[test]
fn any_changed_byte_gives_a_result_and_never_a_panic() {
    let place = Place::new();
    for (name, is_checked) in [("state", true), ("views", true), ("views-legacy", false)] {
        let whole = bytes(name);
        for at in 0..whole.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[at] ^= change;
                let result = place.read(&changed);
                match result {
                    Ok(file) if is_checked => assert_eq!(file.tensors, net(), "{name} at {at}"),
                    Ok(_) => {}
                    Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
                }
            }
        }
    }
}
