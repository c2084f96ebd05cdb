//! What torchvision itself makes of pictures, its draws as warps: `augmentation.safetensors` of small ones and
//! `photographs.safetensors` of the sizes of paper.md 3.4, both in `tests/fixtures`.

use std::collections::HashMap;
use std::path::Path;

use safetensors::SafeTensors;

use super::augment::{self, Image, Warp};

/// One tensor of the fixture; all its numbers are whole but for angles and coefficients.
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f64>,
}

/// Both files.
pub struct Fixture(HashMap<String, Tensor>);

/// Pictures that went through the same operations.
pub struct Case {
    /// The pictures and the operations: `grey.rotation`.
    pub name: String,
    /// The pictures.
    pub images: Vec<Image>,
    /// What each operation did to each picture.
    pub warps: Vec<Vec<Warp>>,
    /// What torchvision made of them.
    pub results: Vec<Image>,
}

/// A homography that torchvision solved.
pub struct Homography {
    /// Height and width of the picture.
    pub size: [usize; 2],
    /// The corners that it drew.
    pub corners: [[f64; 2]; 4],
    /// The coefficients, rounded to f32.
    pub coefficients: [f64; 8],
}

/// The operations of each case.
const CASES: [(&str, &[&str]); 16] = [
    ("perspective-bilinear", &["bilinear"]),
    ("perspective-bicubic", &["bicubic"]),
    ("rotation", &["rotation"]),
    ("rotation-any", &["rotation"]),
    ("affine", &["affine"]),
    ("affine-turned", &["affine"]),
    ("resized-crop", &["resized-crop"]),
    ("resized-crop-small", &["resized-crop"]),
    ("pad-crop", &["pad-crop"]),
    ("horizontal-flip", &["horizontal-flip"]),
    ("vertical-flip", &["vertical-flip"]),
    ("resize-smaller", &["resize"]),
    ("resize-larger", &["resize"]),
    ("perspective-rotation", &["bicubic", "rotation"]),
    ("rotation-crop", &["rotation", "resized-crop"]),
    ("crop-flip", &["pad-crop", "horizontal-flip"]),
];

/// The same of photographs, each case with the pictures it is made of.
const PHOTOGRAPHS: [(&str, &str, &[&str]); 9] = [
    (
        "digits",
        "train",
        &["resize", "rotation", "crop", "bicubic"],
    ),
    ("digits", "evaluation", &["resize"]),
    (
        "digits",
        "clothes",
        &["resize", "horizontal-flip", "affine", "resized-crop"],
    ),
    (
        "small",
        "train",
        &["resize", "rotation", "crop", "horizontal-flip"],
    ),
    (
        "small",
        "wide",
        &["resize", "rotation", "center-crop", "crop"],
    ),
    ("fruits", "evaluation", &["resize"]),
    (
        "fruits",
        "train",
        &[
            "rotation",
            "resized-crop",
            "horizontal-flip",
            "vertical-flip",
        ],
    ),
    ("insects", "train", &["resized-crop", "horizontal-flip"]),
    ("insects", "evaluation", &["center-crop"]),
];

impl Fixture {
    /// Reads both files.
    pub fn read() -> Self {
        let mut all = Self::read_file("augmentation");
        all.0.extend(Self::read_file("photographs").0);
        all
    }

    fn read_file(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/fixtures/{name}.safetensors"));
        let file =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let tensors = SafeTensors::deserialize(&file).expect("a fixture is a safetensors file");
        let tensors = tensors.iter().map(|(name, tensor)| {
            let words = || {
                tensor
                    .data()
                    .chunks_exact(4)
                    .map(|word| word.try_into().unwrap())
            };
            let values = match tensor.dtype() {
                safetensors::Dtype::U8 => tensor.data().iter().map(|&byte| byte.into()).collect(),
                safetensors::Dtype::I32 => words()
                    .map(|word| i32::from_le_bytes(word).into())
                    .collect(),
                _ => words()
                    .map(|word| f32::from_le_bytes(word).into())
                    .collect(),
            };
            let shape = tensor.shape().to_vec();
            (name.to_owned(), Tensor { shape, values })
        });
        Self(tensors.collect())
    }

    fn tensor(&self, name: &str) -> &Tensor {
        self.0
            .get(name)
            .unwrap_or_else(|| panic!("the fixture has no {name}"))
    }

    /// Shape and numbers of a tensor.
    pub fn numbers(&self, name: &str) -> (&[usize], &[f64]) {
        let tensor = self.tensor(name);
        (&tensor.shape, &tensor.values)
    }

    /// Every case.
    pub fn cases(&self) -> Vec<Case> {
        let sets = ["grey", "colour"];
        let small = sets
            .iter()
            .flat_map(|set| CASES.map(|case| (*set, case.0, case.1)));
        small
            .chain(PHOTOGRAPHS)
            .map(|(set, case, operations)| self.case(set, case, operations))
            .collect()
    }

    fn case(&self, set: &str, case: &str, operations: &[&str]) -> Case {
        let name = format!("{set}.{case}");
        let images = self.images(&format!("{set}.images"));
        let results = self.images(&format!("{name}.result"));
        let stored = [images[0].height, images[0].width];
        let warps = (0..images.len()).map(|row| {
            let mut size = stored;
            let slots = operations.iter().enumerate();
            let warp = |(slot, operation): (usize, &&str)| {
                let draws = Drawn {
                    fixture: self,
                    prefix: format!("{name}.{slot}"),
                    row,
                };
                let after = draws.size().unwrap_or(match *operation {
                    "resize" => [results[0].height, results[0].width],
                    _ => size,
                });
                let before = std::mem::replace(&mut size, after);
                draws.warp(operation, before, after)
            };
            slots.map(warp).collect()
        });
        Case {
            warps: warps.collect(),
            name,
            images,
            results,
        }
    }

    fn images(&self, name: &str) -> Vec<Image> {
        let tensor = self.tensor(name);
        let [_, height, width, channels] = tensor.shape[..] else {
            panic!("{name} is not [N, H, W, C]")
        };
        let images = tensor.values.chunks_exact(height * width * channels);
        images
            .map(|values| Image {
                height,
                width,
                channels,
                bytes: values.iter().map(|&value| value as u8).collect(),
            })
            .collect()
    }
}

/// What torchvision drew for one operation on one picture.
struct Drawn<'a> {
    fixture: &'a Fixture,
    prefix: String,
    row: usize,
}

impl Drawn<'_> {
    fn numbers(&self, name: &str) -> &[f64] {
        let tensor = self.fixture.tensor(&format!("{}.{name}", self.prefix));
        let count = tensor.values.len() / tensor.shape[0];
        &tensor.values[self.row * count..][..count]
    }

    /// Height and width of the result, where the operation tells it.
    fn size(&self) -> Option<[usize; 2]> {
        let tensor = self.fixture.0.get(&format!("{}.size", self.prefix))?;
        Some([0, 1].map(|axis| tensor.values[2 * self.row + axis] as usize))
    }

    fn warp(&self, operation: &str, stored: [usize; 2], result: [usize; 2]) -> Warp {
        match operation {
            "bilinear" => Warp::Bilinear(self.coefficients()),
            "bicubic" => Warp::Bicubic(self.coefficients()),
            "rotation" => augment::fixed(augment::rotation(self.numbers("angle")[0], stored)),
            "affine" => {
                let translate = self.numbers("translate");
                let matrix = augment::affine(
                    self.numbers("angle")[0],
                    [translate[0], translate[1]],
                    stored,
                );
                augment::fixed(matrix)
            }
            "resized-crop" => {
                let [top, left, height, width] = self.numbers("box")[..] else {
                    panic!("a box has four numbers")
                };
                Warp::Resize {
                    cut: [left, top, width, height].map(|number| number as usize),
                    size: result,
                }
            }
            "pad-crop" => {
                let corner = self.numbers("corner");
                augment::whole(
                    [1, 1],
                    [corner[1], corner[0]].map(|number| number as i32 - 4),
                )
            }
            "crop" => {
                let corner = self.numbers("corner");
                Warp::Cut {
                    corner: [corner[1], corner[0]].map(|number| number as i32),
                    size: result,
                }
            }
            "center-crop" => Warp::Cut {
                corner: augment::center_corner(stored, result),
                size: result,
            },
            "resize" => Warp::Resize {
                cut: [0, 0, stored[1], stored[0]],
                size: result,
            },
            flip if self.numbers("flipped")[0] == 1.0 => match flip {
                "horizontal-flip" => augment::horizontal_flip(stored),
                "vertical-flip" => augment::vertical_flip(stored),
                unknown => panic!("no operation {unknown}"),
            },
            _ => augment::whole([1, 1], [0, 0]),
        }
    }

    fn coefficients(&self) -> [f64; 8] {
        self.numbers("coefficients")
            .try_into()
            .expect("a homography has eight coefficients")
    }

    /// The corners that the coefficients come from.
    fn corners(&self) -> [[f64; 2]; 4] {
        let numbers = self.numbers("corners");
        std::array::from_fn(|corner| [numbers[2 * corner], numbers[2 * corner + 1]])
    }
}

impl Fixture {
    /// The homographies of the bilinear cases.
    pub fn homographies(&self) -> Vec<Homography> {
        let mut all = Vec::new();
        for set in ["grey", "colour"] {
            let (shape, _) = self.numbers(&format!("{set}.images"));
            for row in 0..shape[0] {
                let prefix = format!("{set}.perspective-bilinear.0");
                let drawn = Drawn {
                    fixture: self,
                    prefix,
                    row,
                };
                all.push(Homography {
                    size: [shape[1], shape[2]],
                    corners: drawn.corners(),
                    coefficients: drawn.coefficients(),
                });
            }
        }
        all
    }
}
