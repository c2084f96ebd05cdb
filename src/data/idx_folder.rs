//! Folders of four IDX files: MNIST and the sets published in its likeness.
//!
//! They differ in how the files are called and in the first label. QMNIST brings extended labels,
//! of which the class is kept; its test set has 60,000 images, MNIST's 10,000 first. EMNIST's
//! letters are labelled from 1, and all of EMNIST is stored with rows and columns swapped.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::idx::{self, Kind, Labels};
use super::{BROKEN_HINT, GREY_CLASSES, Images, Splits};
use crate::error::{Error, Result};

/// What a data folder holds; ends a sentence such as "give ...".
const FOLDER_HINT: &str = "a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, \
     t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, raw or .gz";

/// How the files of a data set are called and labelled.
#[derive(Debug)]
struct Layout {
    name: &'static str,
    /// What the names of the training files begin with.
    train: &'static str,
    test: &'static str,
    /// Number of classes, where the format fixes it.
    classes: Option<usize>,
    /// The label of the first class.
    first_label: u8,
}

const LAYOUTS: [Layout; 6] = [
    layout("mnist", ["train", "t10k"], None, 0),
    layout("qmnist", ["qmnist-train", "qmnist-test"], Some(10), 0),
    layout(
        "emnist-digits",
        ["emnist-digits-train", "emnist-digits-test"],
        Some(10),
        0,
    ),
    layout(
        "emnist-letters",
        ["emnist-letters-train", "emnist-letters-test"],
        Some(26),
        1,
    ),
    layout(
        "emnist-balanced",
        ["emnist-balanced-train", "emnist-balanced-test"],
        Some(47),
        0,
    ),
    layout(
        "emnist-byclass",
        ["emnist-byclass-train", "emnist-byclass-test"],
        Some(62),
        0,
    ),
];

const fn layout(
    name: &'static str,
    [train, test]: [&'static str; 2],
    classes: Option<usize>,
    first_label: u8,
) -> Layout {
    Layout {
        name,
        train,
        test,
        classes,
        first_label,
    }
}

/// What the caller knows about a folder.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expected<'a> {
    /// The layout, by its data set's name; the folder's files tell it otherwise.
    pub layout: Option<&'a str>,
    /// Number of classes; the largest training label plus one where neither this nor the layout says it.
    pub classes: Option<usize>,
    /// Subtracted from every published label; the first class's label otherwise.
    pub label_offset: Option<u8>,
    /// Classes that the user says there are: as many may be without a sample.
    pub told_classes: Option<usize>,
}

/// Whether the folder has a file of any layout.
pub(super) fn is_idx_folder(folder: &Path) -> bool {
    LAYOUTS.iter().any(|layout| layout.is_in(folder))
}

/// Reads the four files of `folder`, raw or with `.gz` appended, with a dash or a dot before `idx`.
///
/// # Errors
/// A file that is missing or not exactly an IDX file of its kind, files of several data sets,
/// splits of different image size, counts of images and labels that differ, a label out of range, or
/// one that leaves out classes before it.
pub(super) fn read(folder: &Path, expected: Expected) -> Result<Splits> {
    let layout = match expected.layout {
        Some(name) => LAYOUTS
            .iter()
            .find(|layout| layout.name == name)
            .expect("a layout is asked for by its name"),
        None => detect(folder)?,
    };
    let (mut train, train_labels) = read_split(folder, layout.train)?;
    let (mut test, test_labels) = read_split(folder, layout.test)?;
    let published = layout.published_labels(expected.classes, &train_labels.values);
    let offset = expected.label_offset.unwrap_or(layout.first_label);
    if usize::from(offset) >= published.end {
        return Err(Error::usage(
            format!(
                "label offset {offset}: the labels are below {}",
                published.end
            ),
            "give the label of the first class",
        ));
    }
    let classes = published.end - usize::from(offset);
    let are_given = expected.classes.or(layout.classes).is_some();
    let are_told = expected.told_classes.is_some_and(|told| told >= classes);
    if !are_given && !are_told {
        check_gaps(&train_labels, offset, classes)?;
    }
    let allowed = published.start.max(offset.into())..published.end;
    for (images, labels) in [(&mut train, &train_labels), (&mut test, &test_labels)] {
        check_labels(labels, &allowed)?;
        images.labels = labels.values.iter().map(|label| label - offset).collect();
    }
    if (test.height, test.width) != (train.height, train.width) {
        let what = format!(
            "the test images are {} x {}, expected {} x {} like the training images",
            test.height, test.width, train.height, train.width
        );
        return Err(Error::file(folder, what, BROKEN_HINT));
    }
    Ok(Splits {
        train,
        test,
        classes,
    })
}

impl Layout {
    fn is_in(&self, folder: &Path) -> bool {
        let kinds = [Kind::Images, Kind::Labels, Kind::ExtendedLabels];
        [self.train, self.test].iter().any(|split| {
            let names = kinds.iter().flat_map(|&kind| names(split, kind));
            names.into_iter().any(|name| folder.join(name).exists())
        })
    }

    /// The labels that the files may hold.
    fn published_labels(&self, classes: Option<usize>, train: &[u8]) -> Range<usize> {
        let first = usize::from(self.first_label);
        let end = match classes.or(self.classes) {
            Some(classes) => first + classes,
            None => usize::from(*train.iter().max().expect("a split is never empty")) + 1,
        };
        first..end
    }
}

/// The layout of which the folder has files; MNIST's if it has none.
fn detect(folder: &Path) -> Result<&'static Layout> {
    let found: Vec<&Layout> = LAYOUTS
        .iter()
        .filter(|layout| layout.is_in(folder))
        .collect();
    match found[..] {
        [] => Ok(&LAYOUTS[0]),
        [layout] => Ok(layout),
        _ => {
            let names: Vec<&str> = found.iter().map(|layout| layout.name).collect();
            let what = format!(
                "holds files of {}, expected one data set",
                names.join(" and ")
            );
            let hint = "give a folder with the files of one of them";
            Err(Error::file(folder, what, hint))
        }
    }
}

/// The images of one split, not labelled yet, and their labels as published.
fn read_split(folder: &Path, split: &str) -> Result<(Images, Labels)> {
    let (images_path, _) = find(folder, split, &[Kind::Images])?;
    let (labels_path, kind) = find(folder, split, &[Kind::Labels, Kind::ExtendedLabels])?;
    let pixels = idx::read_images(&images_path)?;
    let labels = idx::read_labels(&labels_path, kind)?;
    if labels.values.len() != pixels.count {
        return Err(labels.refuse_all(format!(
            "holds {} labels, expected {} as in {}",
            labels.values.len(),
            pixels.count,
            images_path.display()
        )));
    }
    let images = Images {
        count: pixels.count,
        height: pixels.height,
        width: pixels.width,
        channels: 1,
        pixels: pixels.bytes.into(),
        labels: Vec::new(),
    };
    Ok((images, labels))
}

/// The names in use for this part of a data set.
fn names(split: &str, kind: Kind) -> [String; 4] {
    let part = if kind == Kind::Images {
        "images"
    } else {
        "labels"
    };
    let suffix = kind.suffix();
    [("-", ""), (".", ""), ("-", ".gz"), (".", ".gz")]
        .map(|(separator, ending)| format!("{split}-{part}{separator}{suffix}{ending}"))
}

/// The file of the folder that has one of the names in use, and its kind.
fn find(folder: &Path, split: &str, kinds: &[Kind]) -> Result<(PathBuf, Kind)> {
    let mut not_a_file = None;
    for &kind in kinds {
        for name in names(split, kind) {
            let path = folder.join(name);
            match path.metadata() {
                Ok(metadata) if metadata.is_file() => return Ok((path, kind)),
                Ok(_) => not_a_file = Some((path, "is not a regular file".to_owned())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => not_a_file = Some((path, format!("cannot be read: {error}"))),
            }
        }
    }
    let (path, what) = not_a_file.unwrap_or_else(|| {
        let [name, ..] = names(split, kinds[0]);
        (
            folder.to_path_buf(),
            format!("has no file {name}, raw or .gz"),
        )
    });
    Err(Error::file(path, what, format!("give {FOLDER_HINT}")))
}

/// Refuses the first label out of range.
fn check_labels(labels: &Labels, allowed: &Range<usize>) -> Result<()> {
    let is_wrong = |&label: &u8| !allowed.contains(&usize::from(label));
    match labels.values.iter().position(is_wrong) {
        None => Ok(()),
        Some(index) => Err(labels.refuse(
            index,
            &match allowed.start {
                0 => format!("a label below {}", allowed.end),
                first => format!("a label from {first} to {}", allowed.end - 1),
            },
        )),
    }
}

/// Refuses the first label behind a gap: one damaged byte would make a network of hundreds of classes.
///
/// Labels alone tell the number of `classes` here, so classes without a sample between others are taken
/// for damage. Ten are never too many: a part of MNIST has ten classes, whichever digits it holds.
fn check_gaps(labels: &Labels, offset: u8, classes: usize) -> Result<()> {
    if classes <= GREY_CLASSES {
        return Ok(());
    }
    let mut counts = vec![0; classes];
    let class = |label: &u8| usize::from(*label).checked_sub(offset.into());
    for class in labels.values.iter().filter_map(class) {
        counts[class] += 1;
    }
    let is_empty = |class: &usize| counts[*class] == 0;
    let first = (0..classes).find(|class| !is_empty(class));
    let gap = (first.unwrap_or(classes)..classes).find(is_empty);
    let Some(gap) = gap else {
        return Ok(());
    };
    let is_behind = |label: &u8| class(label).is_some_and(|class| class > gap);
    let index = labels.values.iter().position(is_behind);
    let index = index.expect("the last class has a sample");
    let missing = (0..classes).filter(is_empty).count();
    let expected = format!(
        "at most {}: of {classes} classes {missing} would have no sample",
        gap + usize::from(offset) - 1
    );
    let hint = format!("{BROKEN_HINT}; or add --classes {classes} if they are meant");
    Err(labels.refuse_with(index, &expected, &hint))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tempfile::TempDir;

    use super::*;

    /// A header of unsigned bytes followed by `body`.
    fn idx(dims: &[u32], body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
        bytes.extend_from_slice(body);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn images(count: u32) -> Vec<u8> {
        let body: Vec<u8> = (0..count * 6).map(|i| (7 * i) as u8).collect();
        idx(&[count, 2, 3], &body)
    }

    /// A folder of 3 training and 2 test images of 2 x 3, labels 0 2 1 and 1 2.
    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name, bytes| fs::write(folder.path().join(name), bytes).unwrap();
        write("train-images-idx3-ubyte", images(3));
        write("train-labels-idx1-ubyte", idx(&[3], &[0, 2, 1]));
        write("t10k-images-idx3-ubyte", images(2));
        write("t10k-labels-idx1-ubyte", idx(&[2], &[1, 2]));
        folder
    }

    fn of_classes(classes: usize) -> Expected<'static> {
        Expected {
            classes: Some(classes),
            ..Expected::default()
        }
    }

    /// The message for a folder in which one file is replaced.
    fn refusal(name: &str, bytes: &[u8]) -> String {
        let folder = folder();
        fs::write(folder.path().join(name), bytes).unwrap();
        let error = read(folder.path(), Expected::default()).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(!error.hint().is_empty());
        assert!(!error.to_string().contains('\n'));
        error.to_string()
    }

    fn assert_refused(name: &str, bytes: &[u8], what: &str) {
        let message = refusal(name, bytes);
        assert!(message.contains(name), "{message}");
        assert!(message.contains(what), "{message}");
    }

    #[test]
    fn a_sound_folder_is_read() {
        let splits = read(folder().path(), Expected::default()).unwrap();
        assert_eq!(splits.classes, 3);
        assert_eq!(splits.train.labels, [0, 2, 1]);
        assert_eq!(splits.test.labels, [1, 2]);
        assert_eq!(splits.train.pixels.in_memory(), &images(3)[16..]);
        assert_eq!(splits.test.pixels.in_memory(), &images(2)[16..]);
        let train = &splits.train;
        assert_eq!(
            (train.count, train.height, train.width, train.channels),
            (3, 2, 3, 1)
        );
    }

    #[test]
    fn gzip_and_the_dotted_spelling_read_the_same() {
        let raw = folder();
        let expected = read(raw.path(), Expected::default()).unwrap();
        let other = tempfile::tempdir().unwrap();
        for (index, entry) in fs::read_dir(raw.path()).unwrap().enumerate() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let name = if index % 2 == 0 {
                name.replace("-idx", ".idx")
            } else {
                name.to_owned()
            };
            let bytes = gzip(&fs::read(&path).unwrap());
            fs::write(other.path().join(name + ".gz"), bytes).unwrap();
        }
        assert_eq!(read(other.path(), Expected::default()).unwrap(), expected);
    }

    #[test]
    fn gzip_is_recognised_whatever_the_name() {
        let folder = folder();
        let expected = read(folder.path(), Expected::default()).unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            fs::write(&path, gzip(&fs::read(&path).unwrap())).unwrap();
        }
        assert_eq!(read(folder.path(), Expected::default()).unwrap(), expected);
    }

    #[test]
    fn truncated_files_are_refused_with_offset_and_expectation() {
        let name = "train-images-idx3-ubyte";
        let bytes = images(3);
        assert_refused(name, &bytes[..33], "33 bytes, expected 34");
        assert_refused(name, &bytes[..16], "16 bytes, expected 34");
        assert_refused(name, &bytes[..9], "ends at byte 9");
        assert_refused(name, &[], "ends at byte 0");
        assert_refused(name, &gzip(&bytes[..33]), "ends at byte 33, expected 34");
        assert_refused("t10k-labels-idx1-ubyte", &[0, 0, 8], "ends at byte 3");
    }

    #[test]
    fn oversized_files_are_refused_with_offset_and_expectation() {
        let mut bytes = images(3);
        bytes.push(0);
        let name = "train-images-idx3-ubyte";
        assert_refused(name, &bytes, "goes on after byte 34");
        assert_refused(name, &gzip(&bytes), "goes on after byte 34");
        let labels = idx(&[3], &[0, 1, 2, 0]);
        assert_refused("train-labels-idx1-ubyte", &labels, "goes on after byte 11");
    }

    #[test]
    fn a_wrong_magic_type_or_rank_is_refused() {
        let name = "t10k-images-idx3-ubyte";
        let mut bytes = images(2);
        bytes[0] = 0x89;
        assert_refused(name, &bytes, "89 00 at byte 0");
        bytes[0] = 0;
        bytes[2] = 0x0d;
        assert_refused(name, &bytes, "0x0d at byte 2, expected 0x08");
        let long_labels = idx(&[20], &[0; 20]);
        assert_refused(name, &long_labels, "rank 1 at byte 3, expected 3 (images)");
        assert_refused(
            "train-labels-idx1-ubyte",
            &images(3),
            "rank 3 at byte 3, expected 1 (labels)",
        );
    }

    #[test]
    fn empty_dimensions_are_refused() {
        let name = "train-images-idx3-ubyte";
        assert_refused(name, &idx(&[0, 2, 3], &[]), "zero at byte 4");
        assert_refused(name, &idx(&[3, 0, 3], &[]), "zero at byte 8");
        assert_refused(name, &idx(&[3, 2, 0], &[]), "zero at byte 12");
        assert_refused("t10k-labels-idx1-ubyte", &idx(&[0], &[]), "zero at byte 4");
    }

    #[test]
    fn absurd_headers_are_refused_without_reading_or_allocating() {
        let name = "train-images-idx3-ubyte";
        let overflowing = idx(&[u32::MAX; 3], &[0; 18]);
        assert_refused(name, &overflowing, "absurd");
        assert_refused(name, &gzip(&overflowing), "absurd");
        let huge = idx(&[u32::MAX, u32::MAX, 1], &[0; 18]);
        assert_refused(name, &huge, "is cut off: 34 bytes");
        assert_refused(name, &gzip(&huge), "is cut off");
    }

    #[test]
    fn broken_gzip_is_refused() {
        let name = "train-images-idx3-ubyte";
        let sound = gzip(&images(3));
        assert_refused(name, &[0x1f, 0x8b], "unreadable after byte 0");
        assert_refused(
            name,
            &[[0x1f, 0x8b].as_slice(), &[7; 64]].concat(),
            "unreadable",
        );
        assert_refused(name, &sound[..sound.len() - 9], "unreadable");
        assert_refused(name, &sound[..sound.len() - 1], "unreadable");
        assert_refused(name, &[&sound, [7u8; 20].as_slice()].concat(), "unreadable");
        let mut wrong_checksum = sound.clone();
        let at = wrong_checksum.len() - 6;
        wrong_checksum[at] ^= 1;
        assert_refused(name, &wrong_checksum, "unreadable");
    }

    #[test]
    fn counts_of_images_and_labels_must_agree() {
        assert_refused(
            "train-labels-idx1-ubyte",
            &idx(&[2], &[0, 1]),
            "holds 2 labels, expected 3",
        );
    }

    #[test]
    fn a_label_out_of_range_is_refused_with_its_offset() {
        assert_refused(
            "t10k-labels-idx1-ubyte",
            &idx(&[2], &[1, 3]),
            "label 3 at byte 9, expected a label below 3",
        );
        let error = read(folder().path(), of_classes(2)).unwrap_err();
        assert!(error.to_string().contains("label 2 at byte 9"), "{error}");
        assert_eq!(read(folder().path(), of_classes(10)).unwrap().classes, 10);
    }

    #[test]
    fn splits_of_different_size_are_refused() {
        let message = refusal("t10k-images-idx3-ubyte", &idx(&[2, 3, 2], &[0; 12]));
        assert!(message.contains("3 x 2, expected 2 x 3"), "{message}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = folder();
        fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte")).unwrap();
        let error = read(folder.path(), Expected::default()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("has no file t10k-labels-idx1-ubyte")
        );
        assert!(error.hint().contains("raw or .gz"));
        assert!(read(Path::new("no/such/folder"), Expected::default()).is_err());
    }

    #[test]
    fn a_directory_in_place_of_a_file_is_refused() {
        let folder = folder();
        let path = folder.path().join("train-images-idx3-ubyte");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let error = read(folder.path(), Expected::default()).unwrap_err();
        assert!(
            error.to_string().contains("is not a regular file"),
            "{error}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn an_unreadable_file_is_refused() {
        let folder = folder();
        let path = folder.path().join("train-images-idx3-ubyte");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&path, &path).unwrap();
        let error = read(folder.path(), Expected::default()).unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "{error}");
    }

    /// A folder of 3 + 2 images whose files begin with these prefixes.
    fn renamed(prefixes: [&str; 2], train_labels: &[u8]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: String, bytes| fs::write(folder.path().join(name), bytes).unwrap();
        for (prefix, labels) in prefixes.into_iter().zip([train_labels, &[1, 2]]) {
            let count = labels.len() as u32;
            write(format!("{prefix}-images-idx3-ubyte"), images(count));
            write(format!("{prefix}-labels-idx1-ubyte"), idx(&[count], labels));
        }
        folder
    }

    fn letters(train_labels: &[u8]) -> TempDir {
        renamed(
            ["emnist-letters-train", "emnist-letters-test"],
            train_labels,
        )
    }

    #[test]
    fn emnist_letters_begin_at_one() {
        let splits = read(letters(&[1, 26, 3]).path(), Expected::default()).unwrap();
        assert_eq!(splits.classes, 26);
        assert_eq!(splits.train.labels, [0, 25, 2]);
        assert_eq!(splits.test.labels, [0, 1]);
        let as_published = Expected {
            label_offset: Some(0),
            ..Expected::default()
        };
        let splits = read(letters(&[1, 26, 3]).path(), as_published).unwrap();
        assert_eq!(splits.classes, 27);
        assert_eq!(splits.train.labels, [1, 26, 3]);
    }

    #[test]
    fn letters_out_of_range_are_refused() {
        for label in [0, 27, 255] {
            let folder = letters(&[1, 2, label]);
            let error = read(folder.path(), Expected::default()).unwrap_err();
            let expected = format!("label {label} at byte 10, expected a label from 1 to 26");
            assert!(error.to_string().ends_with(&expected), "{error}");
        }
    }

    #[test]
    fn a_label_offset_leaves_a_class_or_is_refused() {
        let offset = |label_offset| Expected {
            label_offset: Some(label_offset),
            ..Expected::default()
        };
        let one_based = renamed(["train", "t10k"], &[1, 2, 2]);
        let splits = read(one_based.path(), offset(1)).unwrap();
        assert_eq!((splits.classes, splits.train.labels), (2, vec![0, 1, 1]));
        let error = read(folder().path(), offset(1)).unwrap_err();
        let expected = "label 0 at byte 8, expected a label from 1 to 2";
        assert!(error.to_string().ends_with(expected), "{error}");
        let error = read(folder().path(), offset(3)).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("label offset 3"), "{error}");
    }

    /// The message for training labels of a folder like MNIST's, unless they are taken.
    fn refused_labels(labels: &[u8], expected: Expected) -> Option<String> {
        let folder = renamed(["train", "t10k"], labels);
        let error = read(folder.path(), expected).err()?;
        assert_eq!(error.exit_code(), 1);
        assert!(error.hint().contains("--classes"), "{}", error.hint());
        Some(error.to_string())
    }

    #[test]
    fn classes_without_a_sample_between_others_are_damage() {
        let damaged: Vec<u8> = (0..10).chain([255]).chain(0..10).collect();
        let message = refused_labels(&damaged, Expected::default()).unwrap();
        let expected = "train-labels-idx1-ubyte: label 255 at byte 18, expected at most 9: of 256 classes 245 would have no sample";
        assert!(message.ends_with(expected), "{message}");
        let message = refused_labels(&[0, 1, 2, 12, 4], Expected::default()).unwrap();
        let expected =
            "label 12 at byte 11, expected at most 2: of 13 classes 8 would have no sample";
        assert!(message.ends_with(expected), "{message}");
        let shifted = Expected {
            label_offset: Some(1),
            ..Expected::default()
        };
        let message = refused_labels(&[1, 2, 30, 40], shifted).unwrap();
        let expected =
            "label 30 at byte 10, expected at most 2: of 40 classes 36 would have no sample";
        assert!(message.ends_with(expected), "{message}");
    }

    #[test]
    fn gaps_are_taken_where_the_number_of_classes_is_known() {
        for labels in [&[0, 1, 3][..], &[9, 2], &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12]] {
            assert_eq!(refused_labels(labels, Expected::default()), None);
        }
        let told = |classes| Expected {
            told_classes: Some(classes),
            ..Expected::default()
        };
        assert_eq!(refused_labels(&[0, 2, 12], told(13)), None);
        assert_eq!(refused_labels(&[0, 2, 12], told(20)), None);
        assert!(refused_labels(&[0, 2, 12], told(12)).is_some());
        assert_eq!(refused_labels(&[0, 2, 12], of_classes(13)), None);
    }

    #[test]
    fn qmnist_is_read_with_plain_or_extended_labels() {
        let folder = renamed(["qmnist-train", "qmnist-test"], &[5, 0, 9]);
        let expected = read(folder.path(), Expected::default()).unwrap();
        assert_eq!(expected.classes, 10);
        let path = |name| folder.path().join(name);
        fs::remove_file(path("qmnist-train-labels-idx1-ubyte")).unwrap();
        let mut extended = vec![0, 0, 0x0c, 2, 0, 0, 0, 3, 0, 0, 0, 8];
        for class in [5, 0, 9] {
            extended.extend([0, 0, 0, class]);
            extended.extend([1; 28]);
        }
        fs::write(path("qmnist-train-labels-idx2-int.gz"), gzip(&extended)).unwrap();
        assert_eq!(read(folder.path(), Expected::default()).unwrap(), expected);
    }

    #[test]
    fn a_folder_of_several_sets_needs_the_name() {
        let folder = letters(&[1, 2, 3]);
        for part in ["images-idx3", "labels-idx1"] {
            for split in ["train", "test"] {
                let name = |set: &str| {
                    folder
                        .path()
                        .join(format!("emnist-{set}-{split}-{part}-ubyte"))
                };
                fs::copy(name("letters"), name("digits")).unwrap();
            }
        }
        let error = read(folder.path(), Expected::default()).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("emnist-digits and emnist-letters"),
            "{message}"
        );
        let named = Expected {
            layout: Some("emnist-digits"),
            ..Expected::default()
        };
        assert_eq!(read(folder.path(), named).unwrap().classes, 10);
    }
}
