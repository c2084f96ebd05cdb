//! The data sets known by name: what they hold, and where their files are published.

/// A data set that can be fetched.
#[derive(Debug)]
pub struct Entry {
    /// The name it is loaded by.
    pub name: &'static str,
    /// The files to fetch; EMNIST's sets share theirs.
    pub package: &'static Package<'static>,
    /// How the files are read.
    pub(super) format: Format,
    /// Published number of training images.
    pub train_count: usize,
    /// Published number of test images.
    pub test_count: usize,
}

/// How the files of a data set are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Format {
    /// Four IDX files called in the way of this data set, with labels of that many classes.
    Idx {
        layout: &'static str,
        classes: usize,
    },
    Cifar10,
    Cifar100,
    Stl10,
    Svhn,
}

/// Files that are fetched together.
#[derive(Clone, Copy, Debug)]
pub struct Package<'a> {
    /// The name of their folder in the cache and on a mirror.
    pub name: &'a str,
    /// The files.
    pub files: &'a [Remote<'a>],
}

/// A file as it is published.
#[derive(Clone, Copy, Debug)]
pub struct Remote<'a> {
    /// Its name.
    pub name: &'a str,
    /// The address it is published at.
    pub url: &'a str,
    /// What its contents hash to.
    pub hash: Hash<'a>,
    /// What to take out of it.
    pub contents: Contents<'a>,
}

/// A published hash, in lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash<'a> {
    /// The publisher gives no stronger one.
    Md5(&'a str),
    /// SHA-256.
    Sha256(&'a str),
    /// The first digits of the SHA-256, which the publisher gives no more of.
    Sha256Start(&'a str),
}

/// What a published file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents<'a> {
    /// It is used as it is.
    Data,
    /// A gzipped tar archive, of which the members with these file names are used.
    TarGz(&'a [&'a str]),
    /// A zip archive, of which the members with these file names are used.
    Zip(&'a [&'a str]),
}

/// The data set of that name.
pub fn find(name: &str) -> Option<&'static Entry> {
    CATALOG.iter().find(|entry| entry.name == name)
}

/// The names of all data sets that can be fetched.
pub fn names() -> Vec<&'static str> {
    CATALOG.iter().map(|entry| entry.name).collect()
}

static CATALOG: [Entry; 11] = [
    idx(
        "fashion-mnist",
        &FASHION_MNIST,
        "mnist",
        10,
        [60_000, 10_000],
    ),
    idx("kmnist", &KMNIST, "mnist", 10, [60_000, 10_000]),
    idx("qmnist", &QMNIST, "qmnist", 10, [60_000, 60_000]),
    idx(
        "emnist-digits",
        &EMNIST,
        "emnist-digits",
        10,
        [240_000, 40_000],
    ),
    idx(
        "emnist-letters",
        &EMNIST,
        "emnist-letters",
        26,
        [124_800, 20_800],
    ),
    idx(
        "emnist-balanced",
        &EMNIST,
        "emnist-balanced",
        47,
        [112_800, 18_800],
    ),
    idx(
        "emnist-byclass",
        &EMNIST,
        "emnist-byclass",
        62,
        [697_932, 116_323],
    ),
    Entry {
        name: "cifar10",
        package: &CIFAR10,
        format: Format::Cifar10,
        train_count: 50_000,
        test_count: 10_000,
    },
    Entry {
        name: "cifar100",
        package: &CIFAR100,
        format: Format::Cifar100,
        train_count: 50_000,
        test_count: 10_000,
    },
    Entry {
        name: "stl10",
        package: &STL10,
        format: Format::Stl10,
        train_count: 5_000,
        test_count: 8_000,
    },
    Entry {
        name: "svhn",
        package: &SVHN,
        format: Format::Svhn,
        train_count: 73_257,
        test_count: 26_032,
    },
];

const fn idx(
    name: &'static str,
    package: &'static Package<'static>,
    layout: &'static str,
    classes: usize,
    [train_count, test_count]: [usize; 2],
) -> Entry {
    Entry {
        name,
        package,
        format: Format::Idx { layout, classes },
        train_count,
        test_count,
    }
}

/// Files that are used as they are, by their names and MD5s.
macro_rules! data_files {
    ($folder:literal, $($name:literal $md5:literal,)+) => {
        &[$(Remote {
            name: $name,
            url: concat!($folder, $name),
            hash: Hash::Md5($md5),
            contents: Contents::Data,
        }),+]
    };
}

/// Source: <https://github.com/zalandoresearch/fashion-mnist>.
static FASHION_MNIST: Package = Package {
    name: "fashion-mnist",
    files: data_files!(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "train-images-idx3-ubyte.gz" "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz" "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz" "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz" "bb300cfdad3c16e7a12a480ee83cd310",
    ),
};

/// Source: <https://github.com/rois-codh/kmnist>; MD5s as in torchvision.
static KMNIST: Package = Package {
    name: "kmnist",
    files: data_files!(
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "train-images-idx3-ubyte.gz" "bdb82020997e1d708af4cf47b453dcf7",
        "train-labels-idx1-ubyte.gz" "e144d726b3acfaa3e44228e80efcd344",
        "t10k-images-idx3-ubyte.gz" "5c965bf0a639b31b8f53240b1b52f4d7",
        "t10k-labels-idx1-ubyte.gz" "7320c461ea6c1c855c0b718fb2a4b134",
    ),
};

/// Source: <https://github.com/facebookresearch/qmnist>; MD5s as in torchvision.
static QMNIST: Package = Package {
    name: "qmnist",
    files: data_files!(
        "https://raw.githubusercontent.com/facebookresearch/qmnist/master/",
        "qmnist-train-images-idx3-ubyte.gz" "ed72d4157d28c017586c42bc6afe6370",
        "qmnist-train-labels-idx2-int.gz" "0058f8dd561b90ffdd0f734c6a30e5e4",
        "qmnist-test-images-idx3-ubyte.gz" "1394631089c404de565df7b7aeaf9412",
        "qmnist-test-labels-idx2-int.gz" "5b5b05890a5e13444e108efe57b788aa",
    ),
};

/// Source: <https://www.nist.gov/itl/products-and-services/emnist-dataset>; MD5 as in torchvision.
static EMNIST: Package = Package {
    name: "emnist",
    files: &[Remote {
        name: "gzip.zip",
        url: "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
        hash: Hash::Md5("58c8d27c78d21e728a6bc7b3cc06412e"),
        contents: Contents::Zip(&[
            "emnist-digits-train-images-idx3-ubyte.gz",
            "emnist-digits-train-labels-idx1-ubyte.gz",
            "emnist-digits-test-images-idx3-ubyte.gz",
            "emnist-digits-test-labels-idx1-ubyte.gz",
            "emnist-letters-train-images-idx3-ubyte.gz",
            "emnist-letters-train-labels-idx1-ubyte.gz",
            "emnist-letters-test-images-idx3-ubyte.gz",
            "emnist-letters-test-labels-idx1-ubyte.gz",
            "emnist-balanced-train-images-idx3-ubyte.gz",
            "emnist-balanced-train-labels-idx1-ubyte.gz",
            "emnist-balanced-test-images-idx3-ubyte.gz",
            "emnist-balanced-test-labels-idx1-ubyte.gz",
            "emnist-byclass-train-images-idx3-ubyte.gz",
            "emnist-byclass-train-labels-idx1-ubyte.gz",
            "emnist-byclass-test-images-idx3-ubyte.gz",
            "emnist-byclass-test-labels-idx1-ubyte.gz",
        ]),
    }],
};

/// Source: <https://www.cs.toronto.edu/~kriz/cifar.html>.
static CIFAR10: Package = Package {
    name: "cifar10",
    files: &[Remote {
        name: "cifar-10-binary.tar.gz",
        url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        hash: Hash::Md5("c32a1d4ab5d03f1284b67883e8d87530"),
        contents: Contents::TarGz(&[
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
            "test_batch.bin",
        ]),
    }],
};

/// Source: <https://www.cs.toronto.edu/~kriz/cifar.html>.
static CIFAR100: Package = Package {
    name: "cifar100",
    files: &[Remote {
        name: "cifar-100-binary.tar.gz",
        url: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        hash: Hash::Md5("03b5dce01913d631647c71ecec9e9cb8"),
        contents: Contents::TarGz(&["train.bin", "test.bin"]),
    }],
};

/// Source: <https://cs.stanford.edu/~acoates/stl10/>; MD5 as in torchvision.
static STL10: Package = Package {
    name: "stl10",
    files: &[Remote {
        name: "stl10_binary.tar.gz",
        url: "https://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
        hash: Hash::Md5("91f7769df0f17e558f3565bffb0c7dfb"),
        contents: Contents::TarGz(&["train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin"]),
    }],
};

/// Source: <http://ufldl.stanford.edu/housenumbers/>; MD5s as in torchvision.
static SVHN: Package = Package {
    name: "svhn",
    files: data_files!(
        "https://ufldl.stanford.edu/housenumbers/",
        "train_32x32.mat" "e26dedcc434d2e4c54c9b2d4a06d8373",
        "test_32x32.mat" "eb5a983be6a315427106f1b164d9cef3",
    ),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_differ() {
        for name in names() {
            assert_eq!(find(name).unwrap().name, name);
            assert_eq!(names().iter().filter(|other| **other == name).count(), 1);
        }
        assert!(find("mnist").is_none());
        assert!(find("nosuch").is_none());
    }

    #[test]
    fn every_file_has_a_url_of_its_name_and_a_hash() {
        for file in CATALOG.iter().flat_map(|entry| entry.package.files) {
            assert!(file.url.starts_with("http"), "{file:?}");
            assert!(file.url.ends_with(&format!("/{}", file.name)), "{file:?}");
            let (digits, length) = match file.hash {
                Hash::Md5(digits) => (digits, 32),
                Hash::Sha256(digits) => (digits, 64),
                Hash::Sha256Start(_) => panic!("{file:?}"),
            };
            assert_eq!(digits.len(), length, "{file:?}");
            let is_hex = |digit: char| matches!(digit, '0'..='9' | 'a'..='f');
            assert!(digits.chars().all(is_hex), "{file:?}");
        }
    }
}
