//! Data sets of photographs that are not fetched: where they are published, and what a folder of theirs looks like.

/// A data set that has to be got by hand.
#[derive(Debug)]
pub struct Elsewhere {
    /// The name it goes by in the paper's experiments.
    pub name: &'static str,
    /// Where it is published.
    pub place: &'static str,
    /// What lies in its folder.
    pub tree: &'static str,
}

impl Elsewhere {
    /// What is to be done about it.
    pub fn hint(&self) -> String {
        format!(
            "get it from {} and give a folder with {}",
            self.place, self.tree
        )
    }
}

/// The data set of that name.
pub fn find(name: &str) -> Option<&'static Elsewhere> {
    ALL.iter().find(|elsewhere| elsewhere.name == name)
}

static ALL: [Elsewhere; 8] = [
    Elsewhere {
        name: "hymenoptera",
        place: "https://download.pytorch.org/tutorial/hymenoptera_data.zip",
        tree: "train/ants, train/bees, val/ants and val/bees",
    },
    Elsewhere {
        name: "caltech101",
        place: "https://data.caltech.edu/records/mzrjq-6wc02",
        tree: "101_ObjectCategories/CLASS/image_0001.jpg",
    },
    Elsewhere {
        name: "flowers102",
        place: "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
        tree: "jpg/image_00001.jpg, imagelabels.mat and setid.mat",
    },
    Elsewhere {
        name: "cars",
        place: "a copy of Stanford Cars, as its own server has gone",
        tree: "cars_train, cars_test, devkit/cars_train_annos.mat, devkit/cars_meta.mat and cars_test_annos_withlabels.mat",
    },
    Elsewhere {
        name: "fruits360",
        place: "https://www.kaggle.com/datasets/moltean/fruits",
        tree: "Training/CLASS and Test/CLASS",
    },
    Elsewhere {
        name: "birds225",
        place: "https://www.kaggle.com/datasets/gpiosenka/100-bird-species",
        tree: "train/CLASS, valid/CLASS and test/CLASS",
    },
    Elsewhere {
        name: "cinic10",
        place: "https://datashare.ed.ac.uk/handle/10283/3192",
        tree: "train/CLASS, valid/CLASS and test/CLASS",
    },
    Elsewhere {
        name: "monkeys10",
        place: "https://www.kaggle.com/datasets/slothkong/10-monkey-species",
        tree: "training/training/n0, validation/validation/n0 and monkey_labels.txt",
    },
];
