//! Files that once did harm, each by what it did.

use std::fs;
use std::path::{Path, PathBuf};

use spinalnet::data::{self, picture};
use spinalnet::gpu::{AdapterChoice, Checks, Device};
use spinalnet::tune::TuningCache;

fn file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/regressions");
    folder.join(name)
}

/// 65 bytes that ended the program on an allocation of 6.6 TB.
#[test]
fn a_sheet_that_claims_terabytes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        file("terabytes.png"),
        folder.path().join("data_batch_1.png"),
    )
    .unwrap();
    let error = data::load(folder.path().to_str().unwrap()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("claims 1024 x 2147483647 pixels")
    );
}

/// Nine tenths of a photograph, whose last tenth came out grey.
#[test]
fn a_cut_photograph_is_refused() {
    let error = picture::load(&file("cut.jpg"), 28, 28, 3).unwrap_err();
    assert!(error.to_string().contains("cut.jpg: is cut off"));
}

/// A palette of 40 bytes, on which the decoder panicked.
#[test]
fn a_palette_with_a_third_of_a_colour_is_refused() {
    let error = picture::load(&file("third-of-a-colour.png"), 28, 28, 3).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("its palette has no whole colours")
    );
}

/// A field's name with a control character, which went to the terminal as it was.
#[test]
fn a_field_commands_no_terminal() {
    let device = Device::open(&AdapterChoice::default(), Checks::Trusted).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cache = TuningCache::load(folder.path(), &device).cache;
    fs::copy(file("terminal.json"), cache.path()).unwrap();
    let notice = TuningCache::load(folder.path(), &device).notice.unwrap();
    assert!(notice.contains("unknown field `?evice`"), "{notice}");
}
