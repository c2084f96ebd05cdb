//! Every reader of files against files that were sound before they were changed: no panic, no wait, one line of error, and no
//! more memory than the size of the file allows.
//!
//! A few seconds of this run with all tests. `SPINAL_FUZZ_SECONDS=300 cargo test --release --test fuzz -- --nocapture` goes on
//! for so long with every reader, or with those whose names are given behind `--`. What fails is made small, written beside
//! the other temporary files, and belongs into `fuzz/regressions`.

mod fuzz {
    pub mod allocation;
    pub mod formats;
    pub mod mutation;
    pub mod reader;
    pub mod regressions;
    pub mod seeds;
    pub mod watchdog;
}

use std::path::Path;

use spinalnet::bench::compare::OldReport;
use spinalnet::checkpoint;
use spinalnet::data::{self, LoadOptions, picture};
use spinalnet::error::{Error, Result};
use spinalnet::gpu::{AdapterChoice, Checks, Device};
use spinalnet::pretrained;
use spinalnet::report::runs::Runs;
use spinalnet::tune::TuningCache;

use fuzz::formats::{as_is, compressed_matrices, gzip, png_checksums, zip_checksums};
use fuzz::reader::Reader;
use fuzz::seeds;

/// Deflate never shrinks by more than this factor.
const DEFLATE: usize = 1032;
/// Bytes of a tree for each byte of its text: `[` makes a list.
const TREE: usize = 512;

fn load(folder: &Path) -> Result<()> {
    data::load(folder.to_str().unwrap()).map(drop)
}

#[test]
fn idx() {
    Reader::new("idx", seeds::idx(""), load)
        .bytes_per_byte(8)
        .fuzz(as_is);
}

#[test]
fn gz() {
    let gzipped = || {
        let files = seeds::idx(".gz").into_iter();
        files.map(|(name, bytes)| (name, gzip(bytes))).collect()
    };
    let reader = || Reader::new("gz", gzipped(), load).bytes_per_byte(4 * DEFLATE);
    reader().fuzz(as_is);
    // What is inside of a sound stream.
    Reader::new("gz of idx", seeds::idx(".gz"), load)
        .bytes_per_byte(4 * DEFLATE)
        .fuzz(gzip);
}

#[test]
fn cifar() {
    Reader::new("cifar10", seeds::cifar10(), load)
        .bytes_per_byte(8)
        .fuzz(as_is);
    Reader::new("cifar100", seeds::cifar100(), load)
        .bytes_per_byte(8)
        .fuzz(as_is);
}

#[test]
fn stl() {
    Reader::new("stl10", seeds::stl10(), load)
        .bytes_per_byte(8)
        .fuzz(as_is);
}

#[test]
fn mat() {
    Reader::new("mat", seeds::svhn(), load)
        .bytes_per_byte(16)
        .fuzz(as_is);
    let reader = Reader::new("compressed mat", seeds::svhn(), load);
    reader
        .bytes_per_byte(16 * DEFLATE)
        .fuzz(compressed_matrices);
}

#[test]
fn sheets() {
    let reader = || Reader::new("sheets", seeds::cifar_sheets(), load).bytes_per_byte(8 * DEFLATE);
    reader().fuzz(as_is);
    reader().fuzz(png_checksums);
}

#[test]
fn pictures() {
    let read = |folder: &Path| {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            picture::load(&path, 28, 28, 1)?;
            picture::load(&path, 20, 24, 3)?;
        }
        Ok(())
    };
    for file in seeds::pictures() {
        // Three bytes for each of the eight pixels of a byte, as decoded, turned and flattened.
        let reader = || {
            let reader = Reader::new(&file.0, vec![file.clone()], read);
            reader.bytes_per_byte(8 * 3 * 4 * DEFLATE)
        };
        reader().fuzz(as_is);
        if file.0.ends_with("png") {
            reader().fuzz(png_checksums);
        }
    }
}

#[test]
fn class_folders() {
    let read = |folder: &Path| {
        let options = LoadOptions {
            image_size: Some(16),
            ..LoadOptions::default()
        };
        data::load_with(folder.to_str().unwrap(), &options).map(drop)
    };
    let reader = Reader::new("class folders", seeds::class_folders(), read);
    reader.bytes_per_byte(8 * 3 * 4 * DEFLATE).fuzz(as_is);
}

#[test]
fn safetensors() {
    let read = |folder: &Path| {
        let path = folder.join("net.safetensors");
        let metadata = checkpoint::metadata(&path);
        let tensors = pretrained::read(&path);
        checkpoint::load(&path, &seeds::shapes())?;
        metadata?;
        tensors.map(drop)
    };
    let reader = Reader::new("safetensors", seeds::safetensors(), read);
    reader.bytes_per_byte(TREE).fuzz(as_is);
}

#[test]
fn pth() {
    for (name, bytes) in seeds::pth() {
        let read = |folder: &Path| pretrained::read(&folder.join("net.pth")).map(drop);
        let reader = || {
            let files = vec![("net.pth".to_owned(), bytes.clone())];
            Reader::new(&name, files, read).bytes_per_byte(TREE)
        };
        reader().fuzz(as_is);
        if !name.contains("legacy") {
            reader().fuzz(zip_checksums);
        }
    }
}

#[test]
fn runs() {
    let read = |folder: &Path| Runs::read(&[folder]).map(|runs| drop(runs.render()));
    Reader::new("runs", seeds::run(), read)
        .bytes_per_byte(TREE)
        .fuzz(as_is);
}

#[test]
fn bench_reports() {
    let read = |folder: &Path| {
        let report = OldReport::read(&folder.join("report.json"))?;
        report.compare(&seeds::bench_report());
        Ok(())
    };
    let reader = Reader::new("bench reports", seeds::bench_reports(), read);
    reader.bytes_per_byte(TREE).fuzz(as_is);
}

#[test]
fn tuning_cache() {
    let device = Device::open(&AdapterChoice::default(), Checks::Trusted).unwrap();
    let files = seeds::tuning_cache(&device);
    let read = move |folder: &Path| {
        let loaded = TuningCache::load(folder, &device);
        loaded.cache.winners();
        // The notice as it is, without what the constructors of errors do to it.
        loaded.notice.map_or(Ok(()), |what| {
            let hint = "none".to_owned();
            Err(Error::Usage { what, hint })
        })
    };
    let reader = Reader::new("tuning cache", files, read);
    reader.bytes_per_byte(TREE).fuzz(as_is);
}
