//! What 10-monkeys calls its classes: their folders are `n0` to `n9`, and `monkey_labels.txt` beside them tells the rest.
//!
//! A line of it has columns between commas and any spaces: `Label`, `Latin Name`, `Common Name` and counts.
//! Source: <https://www.kaggle.com/datasets/slothkong/10-monkey-species>.

use std::path::Path;

use crate::error::{Error, Result};
use crate::file;

const FILE: &str = "monkey_labels.txt";

const HINT: &str = "get it again, or remove it";

/// Calls the classes by their common names, where the folder has the file; one that it does not list keeps its name.
///
/// # Errors
/// A file that cannot be read, or has no such columns.
pub(super) fn rename(folder: &Path, classes: &mut [String]) -> Result<()> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(());
    }
    let refuse = |what: String| Error::file(&path, what, HINT);
    let text = file::read_text(&path, HINT)?;
    let mut lines = text
        .lines()
        .map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
    let columns = lines.next().unwrap_or_default();
    let column = |name: &str| {
        let found = columns
            .iter()
            .position(|column| column.eq_ignore_ascii_case(name));
        found.ok_or_else(|| refuse(format!("has no column {name}")))
    };
    let (label, name) = (column("Label")?, column("Common Name")?);
    for fields in lines {
        let (Some(label), Some(name)) = (fields.get(label), fields.get(name)) else {
            continue;
        };
        if let Some(class) = classes.iter_mut().find(|class| class == label)
            && !name.is_empty()
        {
            *class = name.replace('_', " ");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The first lines of the published file.
    const PUBLISHED: &str = "Label, Latin Name              , Common Name                   , Train Images , Validation Images\n\
        n0   , alouatta_palliata\t, mantled_howler                , 131          , 26\n\
        n1   , erythrocebus_patas\t, patas_monkey                  , 139          , 28\n";

    fn renamed(text: Option<&str>) -> Result<[String; 3]> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = text {
            fs::write(folder.path().join(FILE), text).unwrap();
        }
        let mut classes = ["n0", "n1", "n2"].map(str::to_owned);
        rename(folder.path(), &mut classes)?;
        Ok(classes)
    }

    #[test]
    fn classes_have_their_common_names() {
        assert_eq!(
            renamed(Some(PUBLISHED)).unwrap(),
            ["mantled howler", "patas monkey", "n2"]
        );
        assert_eq!(renamed(None).unwrap(), ["n0", "n1", "n2"]);
    }

    #[test]
    fn a_file_without_names_is_refused() {
        for text in ["", "Label, Latin Name\nn0, alouatta_palliata\n"] {
            let message = renamed(Some(text)).unwrap_err().to_string();
            assert!(
                message.contains("monkey_labels.txt: has no column"),
                "{message}"
            );
        }
    }
}
