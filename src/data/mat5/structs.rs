//! Arrays of structs and cells of text: annotations of pictures.
//!
//! A struct array holds the names of its fields, one behind the other in places of equal length, and then for each struct a
//! matrix without a name for each field. A cell array holds a matrix for each cell.

use std::path::Path;

use super::{Elements, INT8, INT32, MATRIX, Matrix, Parsed, open_matrix, read_as};
use crate::error::Result;

/// Array classes.
const CELL: u8 = 1;
const STRUCT: u8 = 2;
const CHAR: u8 = 4;

/// What a field of a struct holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::data) enum Field {
    /// A line of text.
    Text(String),
    /// A whole number.
    Number(u32),
}

impl Field {
    /// The text in it.
    pub(in crate::data) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) => None,
        }
    }

    /// The number in it.
    pub(in crate::data) fn number(&self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) => None,
        }
    }
}

/// Reads these fields of every struct of the array `name`.
///
/// # Errors
/// A file that cannot be read or is not of the format, an array or a field that is missing, or a field that is neither text
/// nor one whole number.
pub(in crate::data) fn read_structs<const N: usize>(
    path: &Path,
    name: &str,
    fields: [&str; N],
) -> Result<Vec<[Field; N]>> {
    let [structs] = read_as(path, [name], |matrix| matrix.structs(fields))?;
    Ok(structs)
}

/// Reads the texts of the cell array `name`.
///
/// # Errors
/// A file that cannot be read or is not of the format, an array that is missing, or a cell that is no text.
pub(in crate::data) fn read_texts(path: &Path, name: &str) -> Result<Vec<String>> {
    let [texts] = read_as(path, [name], |matrix| matrix.texts())?;
    Ok(texts)
}

impl Matrix<'_> {
    fn structs<const N: usize>(mut self, fields: [&str; N]) -> Parsed<Vec<[Field; N]>> {
        self.expect_class(STRUCT, "structs")?;
        let count = self.count()?;
        let names = self.rest.field_names()?;
        let mut places = [0; N];
        for (place, field) in places.iter_mut().zip(fields) {
            let found = names.iter().position(|name| name == field);
            *place = found.ok_or_else(|| format!("has no field {field}"))?;
        }
        let mut structs = Vec::new();
        for index in 0..count {
            let in_struct = |what: String| format!("in struct {index}: {what}");
            let mut values = [const { None }; N];
            for field in 0..names.len() {
                let matrix = self.rest.matrix().map_err(in_struct)?;
                if let Some(place) = places.iter().position(|&place| place == field) {
                    values[place] = Some(matrix.field().map_err(in_struct)?);
                }
            }
            structs.push(values.map(|value| value.expect("every place is one of the fields")));
        }
        Ok(structs)
    }

    fn texts(mut self) -> Parsed<Vec<String>> {
        self.expect_class(CELL, "cells")?;
        let mut texts = Vec::new();
        for index in 0..self.count()? {
            let text = self.rest.matrix().and_then(Matrix::text);
            texts.push(text.map_err(|what| format!("in cell {index}: {what}"))?);
        }
        Ok(texts)
    }

    fn expect_class(&self, expected: u8, what: &str) -> Parsed<()> {
        let class = self.class;
        match class == expected {
            true => Ok(()),
            false => Err(format!("array class {class}, expected {expected} ({what})")),
        }
    }

    fn field(self) -> Parsed<Field> {
        if self.class == CHAR {
            return self.text().map(Field::Text);
        }
        match self.array()?.values.as_slice() {
            [number] => Ok(Field::Number(*number)),
            values => Err(format!("{} numbers in a field, expected one", values.len())),
        }
    }

    fn text(mut self) -> Parsed<String> {
        self.expect_class(CHAR, "text")?;
        let (kind, bytes) = self.rest.next_of_any_type("the text")?;
        let text = match kind {
            1 | 2 | 16 => String::from_utf8(bytes.to_vec()).ok(),
            4 | 17 => {
                let (units, _) = bytes.as_chunks::<2>();
                let units: Vec<u16> = units.iter().map(|&unit| u16::from_le_bytes(unit)).collect();
                String::from_utf16(&units).ok()
            }
            other => return Err(format!("text of type {other}, expected 1, 2, 4, 16 or 17")),
        };
        text.ok_or_else(|| "holds text that is not Unicode".to_owned())
    }
}

impl<'a> Elements<'a> {
    /// The matrix in the next element.
    fn matrix(&mut self) -> Parsed<Matrix<'a>> {
        Ok(open_matrix(self.next(MATRIX, "a matrix")?)?.1)
    }

    /// The names of the fields of a struct array.
    fn field_names(&mut self) -> Parsed<Vec<String>> {
        let length = self.next(INT32, "the length of the field names")?;
        let names = self.next(INT8, "the field names")?;
        let length = length
            .first_chunk::<4>()
            .map(|&bytes| i32::from_le_bytes(bytes));
        let length = length.and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|&length| length > 0);
        let length = length.ok_or("has field names of no length")?;
        let text = |name: &[u8]| {
            let end = name.iter().position(|&byte| byte == 0);
            String::from_utf8_lossy(&name[..end.unwrap_or(name.len())]).into_owned()
        };
        Ok(names.chunks_exact(length).map(text).collect())
    }
}

#[cfg(test)]
pub(in crate::data) mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::super::tests::{element, mat_file, matrix_of};
    use super::*;

    /// A line of text without a name.
    fn text(text: &str) -> Vec<u8> {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        matrix_of(CHAR, "", &[1, text.len() as i32], &element(4, &units))
    }

    /// A number without a name.
    fn number(number: u32) -> Vec<u8> {
        matrix_of(
            6,
            "",
            &[1, 1],
            &element(9, &f64::from(number).to_le_bytes()),
        )
    }

    /// A cell array of texts.
    pub(in crate::data) fn cells(name: &str, texts: &[&str]) -> Vec<u8> {
        let cells: Vec<u8> = texts.iter().flat_map(|line| text(line)).collect();
        matrix_of(CELL, name, &[1, texts.len() as i32], &cells)
    }

    /// A struct array as that of Stanford Cars: a box, a class and a file name.
    pub(in crate::data) fn annotations(of: &[(u32, &str)]) -> Vec<u8> {
        let names = ["bbox_x1", "class", "fname"].map(|name| {
            let mut bytes = name.as_bytes().to_vec();
            bytes.resize(32, 0);
            bytes
        });
        let fields = of
            .iter()
            .flat_map(|&(class, name)| [number(39), number(class), text(name)].concat());
        let body = [
            element(INT32, &32i32.to_le_bytes()),
            element(INT8, &names.concat()),
            fields.collect(),
        ];
        matrix_of(STRUCT, "annotations", &[1, of.len() as i32], &body.concat())
    }

    fn read<T>(bytes: &[u8], read: impl Fn(&Path) -> Result<T>) -> Result<T> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        read(file.path())
    }

    fn refusal(matrix: Vec<u8>, fields: [&str; 2]) -> String {
        let found = read(&mat_file(&[matrix]), |path| {
            read_structs(path, "annotations", fields)
        });
        found.unwrap_err().to_string()
    }

    #[test]
    fn fields_are_read_in_the_order_asked_for() {
        let file = mat_file(&[annotations(&[(14, "00001.jpg"), (196, "00002.jpg")])]);
        let found = read(&file, |path| {
            read_structs(path, "annotations", ["fname", "class"])
        });
        let found = found.unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[1],
            [Field::Text("00002.jpg".into()), Field::Number(196)]
        );
        assert_eq!(
            (found[0][0].text(), found[0][1].number()),
            (Some("00001.jpg"), Some(14))
        );
        assert_eq!((found[0][0].number(), found[0][1].text()), (None, None));
    }

    #[test]
    fn cells_of_text_are_read() {
        let file = mat_file(&[cells("class_names", &["AM General Hummer", "Citroën"])]);
        let found = read(&file, |path| read_texts(path, "class_names")).unwrap();
        assert_eq!(found, ["AM General Hummer", "Citroën"]);
    }

    #[test]
    fn what_is_missing_or_of_another_class_is_refused() {
        let sound = || annotations(&[(1, "a")]);
        assert!(refusal(sound(), ["fname", "test"]).contains("has no field test"));
        let cut = sound()[8..].to_vec();
        let cut = element(MATRIX, &cut[..cut.len() - 16]);
        assert!(refusal(cut, ["fname", "class"]).contains("in struct 0: ends inside a matrix"));
        let cells = cells("annotations", &["a"]);
        assert!(refusal(cells, ["fname", "class"]).contains("array class 1, expected 2 (structs)"));
        let bytes = matrix_of(9, "class_names", &[1, 1], &element(2, &[1]));
        let found = read(&mat_file(&[bytes]), |path| read_texts(path, "class_names"));
        assert!(
            found
                .unwrap_err()
                .to_string()
                .contains("expected 1 (cells)")
        );
    }

    proptest! {
        #[test]
        fn any_change_gives_a_result_and_never_a_panic(at in 8usize..400, values: Vec<u8>) {
            let mut bytes = annotations(&[(14, "00001.jpg"), (196, "00002.jpg")]);
            for (byte, value) in bytes.iter_mut().skip(at).zip(values) {
                *byte = value;
            }
            let _ = read(&mat_file(&[bytes]), |path| {
                read_structs(path, "annotations", ["fname", "class"])
            });
        }
    }
}
