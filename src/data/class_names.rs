//! What the classes of published data sets are called, in the order of their numbers.

/// Names as a data set keeps them.
pub(super) fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// The names of the classes of a data set that is known by this name; none of one that is not.
pub(super) fn of(data_set: &str) -> Vec<String> {
    let letters = |range: std::ops::RangeInclusive<char>| range.map(String::from);
    let digits = || letters('0'..='9');
    match data_set {
        "mnist" | "qmnist" | "emnist-digits" | "svhn" => digits().collect(),
        "emnist-letters" => letters('a'..='z').collect(),
        "emnist-balanced" => {
            let unlike_upper_case = owned(&EMNIST_UNLIKE_UPPER_CASE);
            digits()
                .chain(letters('A'..='Z'))
                .chain(unlike_upper_case)
                .collect()
        }
        "emnist-byclass" => digits()
            .chain(letters('A'..='Z'))
            .chain(letters('a'..='z'))
            .collect(),
        "fashion-mnist" => owned(&FASHION_MNIST),
        "kmnist" => owned(&KMNIST),
        "cifar10" => owned(&CIFAR10),
        "cifar100" => owned(&CIFAR100),
        "stl10" => owned(&STL10),
        _ => Vec::new(),
    }
}

/// The lower-case letters that EMNIST-balanced tells from their upper-case forms (Cohen et al., arXiv 1702.05373).
const EMNIST_UNLIKE_UPPER_CASE: [&str; 11] =
    ["a", "b", "d", "e", "f", "g", "h", "n", "q", "r", "t"];

/// Source: <https://github.com/zalandoresearch/fashion-mnist>.
const FASHION_MNIST: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Source: <https://github.com/rois-codh/kmnist>.
const KMNIST: [&str; 10] = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"];

/// Source: <https://www.cs.toronto.edu/~kriz/cifar.html>.
const CIFAR10: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

/// Source: <https://cs.stanford.edu/~acoates/stl10/>.
const STL10: [&str; 10] = [
    "airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck",
];

/// The fine labels. Source: <https://www.cs.toronto.edu/~kriz/cifar.html>.
const CIFAR100: [&str; 100] = [
    "apple",
    "aquarium_fish",
    "baby",
    "bear",
    "beaver",
    "bed",
    "bee",
    "beetle",
    "bicycle",
    "bottle",
    "bowl",
    "boy",
    "bridge",
    "bus",
    "butterfly",
    "camel",
    "can",
    "castle",
    "caterpillar",
    "cattle",
    "chair",
    "chimpanzee",
    "clock",
    "cloud",
    "cockroach",
    "couch",
    "crab",
    "crocodile",
    "cup",
    "dinosaur",
    "dolphin",
    "elephant",
    "flatfish",
    "forest",
    "fox",
    "girl",
    "hamster",
    "house",
    "kangaroo",
    "keyboard",
    "lamp",
    "lawn_mower",
    "leopard",
    "lion",
    "lizard",
    "lobster",
    "man",
    "maple_tree",
    "motorcycle",
    "mountain",
    "mouse",
    "mushroom",
    "oak_tree",
    "orange",
    "orchid",
    "otter",
    "palm_tree",
    "pear",
    "pickup_truck",
    "pine_tree",
    "plain",
    "plate",
    "poppy",
    "porcupine",
    "possum",
    "rabbit",
    "raccoon",
    "ray",
    "road",
    "rocket",
    "rose",
    "sea",
    "seal",
    "shark",
    "shrew",
    "skunk",
    "skyscraper",
    "snail",
    "snake",
    "spider",
    "squirrel",
    "streetcar",
    "sunflower",
    "sweet_pepper",
    "table",
    "tank",
    "telephone",
    "television",
    "tiger",
    "tractor",
    "train",
    "trout",
    "tulip",
    "turtle",
    "wardrobe",
    "whale",
    "willow_tree",
    "wolf",
    "woman",
    "worm",
];

/// The flowers of `imagelabels.mat`, as torchvision names them.
pub(super) const OXFORD_102: [&str; 102] = [
    "pink primrose",
    "hard-leaved pocket orchid",
    "canterbury bells",
    "sweet pea",
    "english marigold",
    "tiger lily",
    "moon orchid",
    "bird of paradise",
    "monkshood",
    "globe thistle",
    "snapdragon",
    "colt's foot",
    "king protea",
    "spear thistle",
    "yellow iris",
    "globe-flower",
    "purple coneflower",
    "peruvian lily",
    "balloon flower",
    "giant white arum lily",
    "fire lily",
    "pincushion flower",
    "fritillary",
    "red ginger",
    "grape hyacinth",
    "corn poppy",
    "prince of wales feathers",
    "stemless gentian",
    "artichoke",
    "sweet william",
    "carnation",
    "garden phlox",
    "love in the mist",
    "mexican aster",
    "alpine sea holly",
    "ruby-lipped cattleya",
    "cape flower",
    "great masterwort",
    "siam tulip",
    "lenten rose",
    "barbeton daisy",
    "daffodil",
    "sword lily",
    "poinsettia",
    "bolero deep blue",
    "wallflower",
    "marigold",
    "buttercup",
    "oxeye daisy",
    "common dandelion",
    "petunia",
    "wild pansy",
    "primula",
    "sunflower",
    "pelargonium",
    "bishop of llandaff",
    "gaura",
    "geranium",
    "orange dahlia",
    "pink-yellow dahlia?",
    "cautleya spicata",
    "japanese anemone",
    "black-eyed susan",
    "silverbush",
    "californian poppy",
    "osteospermum",
    "spring crocus",
    "bearded iris",
    "windflower",
    "tree poppy",
    "gazania",
    "azalea",
    "water lily",
    "rose",
    "thorn apple",
    "morning glory",
    "passion flower",
    "lotus",
    "toad lily",
    "anthurium",
    "frangipani",
    "clematis",
    "hibiscus",
    "columbine",
    "desert-rose",
    "tree mallow",
    "magnolia",
    "cyclamen",
    "watercress",
    "canna lily",
    "hippeastrum",
    "bee balm",
    "ball moss",
    "foxglove",
    "bougainvillea",
    "camellia",
    "mallow",
    "mexican petunia",
    "bromelia",
    "blanket flower",
    "trumpet creeper",
    "blackberry lily",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_name_for_every_class() {
        let counts = [
            ("mnist", 10),
            ("fashion-mnist", 10),
            ("kmnist", 10),
            ("qmnist", 10),
            ("emnist-digits", 10),
            ("emnist-letters", 26),
            ("emnist-balanced", 47),
            ("emnist-byclass", 62),
            ("cifar10", 10),
            ("cifar100", 100),
            ("stl10", 10),
            ("svhn", 10),
            ("nosuch", 0),
        ];
        for (data_set, count) in counts {
            let mut names = of(data_set);
            names.sort();
            names.dedup();
            assert_eq!(names.len(), count, "{data_set}");
        }
        assert_eq!(of("cifar10")[5], "dog");
        assert_eq!(of("emnist-balanced")[46], "t");
    }
}
