//! ImageNet's 1000 classes by their names, as torchvision has them (BSD-3-Clause), and other data sets' classes among them.

use crate::error::{Error, Result};

/// The names, one a line, in the order of the classes.
const NAMES: &str = include_str!("../../assets/imagenet_classes.txt");

/// The names of all classes.
pub fn class_names() -> Vec<String> {
    NAMES.lines().map(str::to_owned).collect()
}

/// For each class of a data set the one of ImageNet that has its name, as it is or in the plural, or its number.
///
/// # Errors
/// `Error::Usage` if a name is none of ImageNet's.
pub fn classes_of(names: &[String]) -> Result<Vec<usize>> {
    let known: Vec<String> = NAMES.lines().map(plain).collect();
    let find = |name: &String| {
        let plain = plain(name);
        let singulars = [
            Some(plain.as_str()),
            plain.strip_suffix('s'),
            plain.strip_suffix("es"),
        ];
        let named = |singular: &str| known.iter().position(|known| known == singular);
        let numbered = || {
            plain
                .parse()
                .ok()
                .filter(|&class: &usize| class < known.len())
        };
        let found = singulars.into_iter().flatten().find_map(named);
        found.or_else(numbered).ok_or_else(|| {
            Error::usage(
                format!("class {name} is none of ImageNet's 1000 classes"),
                "call the folder of a class as ImageNet does, or by its number, such as bee or 309",
            )
        })
    };
    names.iter().map(find).collect()
}

/// A name without what may be written in more than one way.
fn plain(name: impl AsRef<str>) -> String {
    name.as_ref().to_lowercase().replace(['_', '-'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str]) -> Result<Vec<usize>> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        classes_of(&names)
    }

    #[test]
    fn names_are_found_as_they_are_in_the_plural_and_by_number() {
        assert_eq!(
            classes(&["bees", "Ant", "great_white_shark", "torches", "309"]).unwrap(),
            [309, 310, 2, 862, 309]
        );
        assert_eq!(class_names().len(), 1000);
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["bumblebee", "1000", ""] {
            let error = classes(&["bee", name]).unwrap_err();
            assert!(
                error.to_string().contains(&format!("class {name} is none")),
                "{error}"
            );
        }
    }
}
