//! Operations and augmentations as text: `resize:272+rotate:15+crop:256+flip/resize:256`.
//!
//! Operations are joined by `+`, and those of evaluation stand behind a `/`. An operation is its name and then, behind colons,
//! its parameters in the order of the table in [`EXPECTED`]; those behind the last that is needed may be left out. A side
//! stands for a square, `272x320` for height and width.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Augmentation, Interpolation, MAX_TRANSFORMS, Transform, Transforms};

/// What may be written.
const EXPECTED: &str = "none, perspective-rotation, rotation-crop, crop-flip, or operations joined by +: resize:SIDE, \
     center-crop:SIDE, crop:SIDE[:PADDING], pad-crop:PADDING, resized-crop[:SIDE][:SCALE][:RATIO] (0.08-1, 0.75-1.3333), \
     rotate:DEGREES, affine:DEGREES:SHIFT, perspective[:SCALE[:P]][:bicubic], flip[:P], vflip[:P]; behind a / those of \
     evaluation";

/// The largest side that is written.
const MAX_SIDE: u32 = 4096;

/// The defaults of torchvision's `RandomResizedCrop`.
const SCALE: [f64; 2] = [0.08, 1.0];
const RATIO: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];

/// The default of everything that happens at times.
const P: f64 = 0.5;

/// What is wrong with a text.
type Parsed<T> = Result<T, String>;

impl FromStr for Augmentation {
    type Err = String;

    fn from_str(text: &str) -> Parsed<Self> {
        let named = [
            Self::None,
            Self::PerspectiveRotation,
            Self::RotationCrop,
            Self::CropFlip,
        ];
        if let Some(augmentation) = named.into_iter().find(|one| one.to_string() == text) {
            return Ok(augmentation);
        }
        let (train, evaluation) = match text.split_once('/') {
            Some((train, evaluation)) => (train, Some(evaluation.parse()?)),
            None => (text, None),
        };
        Self::chosen(train.parse()?, evaluation)
    }
}

impl fmt::Display for Augmentation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::None => write!(f, "none"),
            Self::PerspectiveRotation => write!(f, "perspective-rotation"),
            Self::RotationCrop => write!(f, "rotation-crop"),
            Self::CropFlip => write!(f, "crop-flip"),
            Self::Chosen { train, evaluation } => {
                write!(f, "{train}")?;
                match Self::chosen(*train, None) {
                    Ok(implied) if implied == *self => Ok(()),
                    _ => write!(f, "/{evaluation}"),
                }
            }
        }
    }
}

impl Serialize for Augmentation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Augmentation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl FromStr for Transforms {
    type Err = String;

    fn from_str(text: &str) -> Parsed<Self> {
        let transforms: Vec<Transform> = text.split('+').map(str::parse).collect::<Parsed<_>>()?;
        match transforms.len() {
            0..=MAX_TRANSFORMS => Ok(Self::new(&transforms)),
            count => Err(format!(
                "{count} operations, where {MAX_TRANSFORMS} have room"
            )),
        }
    }
}

impl fmt::Display for Transforms {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (index, transform) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { "+" };
            write!(f, "{separator}{transform}")?;
        }
        Ok(())
    }
}

impl FromStr for Transform {
    type Err = String;

    fn from_str(text: &str) -> Parsed<Self> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let mut parameters = Parameters {
            text,
            left: parts.collect(),
        };
        let transform = parameters.transform(name)?;
        match parameters.left.first() {
            Some(more) => Err(format!(
                "{text}: {more} is one parameter too many, expected {EXPECTED}"
            )),
            None => Ok(transform),
        }
    }
}

/// The parameters of an operation that have not been read.
struct Parameters<'a> {
    text: &'a str,
    left: Vec<&'a str>,
}

impl Parameters<'_> {
    fn transform(&mut self, name: &str) -> Parsed<Transform> {
        Ok(match name {
            "resize" => {
                let [height, width] = self.size()?;
                Transform::Resize { height, width }
            }
            "center-crop" => Transform::CenterCrop { size: self.size()? },
            "crop" => Transform::RandomCrop {
                size: Some(self.size()?),
                padding: if self.left.is_empty() {
                    0
                } else {
                    self.padding()?
                },
            },
            "pad-crop" => Transform::RandomCrop {
                size: None,
                padding: self.padding()?,
            },
            "resized-crop" => self.resized_crop()?,
            "rotate" => Transform::RandomRotation {
                degrees: self.number(0.0..=180.0)?,
            },
            "affine" => {
                let degrees = self.number(0.0..=180.0)?;
                Transform::RandomAffine {
                    degrees,
                    translate: self.shift()?,
                }
            }
            "perspective" => self.perspective()?,
            "flip" => Transform::RandomHorizontalFlip {
                p: self.number_or(P)?,
            },
            "vflip" => Transform::RandomVerticalFlip {
                p: self.number_or(P)?,
            },
            _ => {
                return Err(format!(
                    "there is no operation '{}', expected {EXPECTED}",
                    self.text
                ));
            }
        })
    }

    fn resized_crop(&mut self) -> Parsed<Transform> {
        let is_side = |text: &&str| !text.contains('-');
        let size = match self.left.first().copied().filter(|text| is_side(text)) {
            Some(_) => Some(self.size()?),
            None => None,
        };
        Ok(Transform::RandomResizedCrop {
            size,
            scale: self.range_or(SCALE, 1.0)?,
            ratio: self.range_or(RATIO, 100.0)?,
        })
    }

    fn perspective(&mut self) -> Parsed<Transform> {
        let interpolation = match self.left.last() {
            Some(&"bicubic") => {
                self.left.pop();
                Interpolation::Bicubic
            }
            _ => Interpolation::Bilinear,
        };
        Ok(Transform::RandomPerspective {
            distortion_scale: self.number_or(0.5)?,
            p: self.number_or(P)?,
            interpolation,
        })
    }

    fn next(&mut self) -> Option<&str> {
        (!self.left.is_empty()).then(|| self.left.remove(0))
    }

    /// The next parameter as what `parse` makes of it.
    fn read<T>(&mut self, what: &str, parse: impl Fn(&str) -> Option<T>) -> Parsed<T> {
        let text = self.text;
        let parameter = self.next().unwrap_or_default();
        parse(parameter)
            .ok_or_else(|| format!("{text}: '{parameter}' is not {what}, expected {EXPECTED}"))
    }

    fn size(&mut self) -> Parsed<[u32; 2]> {
        let side = |text: &str| {
            text.parse()
                .ok()
                .filter(|side| (1..=MAX_SIDE).contains(side))
        };
        self.read(&format!("a side from 1 to {MAX_SIDE}"), |text| {
            let (height, width) = text.split_once('x').unwrap_or((text, text));
            Some([side(height)?, side(width)?])
        })
    }

    fn padding(&mut self) -> Parsed<u32> {
        self.read("a padding from 0 to 1024", |text| {
            text.parse().ok().filter(|padding| *padding <= 1024)
        })
    }

    fn number(&mut self, range: std::ops::RangeInclusive<f64>) -> Parsed<f64> {
        let what = format!("a number from {} to {}", range.start(), range.end());
        self.read(&what, |text| {
            text.parse().ok().filter(|number| range.contains(number))
        })
    }

    /// A part of the width and one of the height.
    fn shift(&mut self) -> Parsed<[f64; 2]> {
        let part = |text: &str| text.parse().ok().filter(|part| (0.0..=1.0).contains(part));
        self.read("a part from 0 to 1", |text| {
            let (x, y) = text.split_once('x').unwrap_or((text, text));
            Some([part(x)?, part(y)?])
        })
    }

    /// A number from 0 to 1, which may be left out.
    fn number_or(&mut self, default: f64) -> Parsed<f64> {
        match self.left.is_empty() {
            true => Ok(default),
            false => self.number(0.0..=1.0),
        }
    }

    /// Two numbers above 0, which may be left out.
    fn range_or(&mut self, default: [f64; 2], largest: f64) -> Parsed<[f64; 2]> {
        if self.left.is_empty() {
            return Ok(default);
        }
        self.read(
            "two numbers such as 0.08-1, the smaller one first",
            |text| {
                let (low, high) = text.split_once('-')?;
                let [low, high]: [f64; 2] = [low.parse().ok()?, high.parse().ok()?];
                (0.0 < low && low <= high && high <= largest).then_some([low, high])
            },
        )
    }
}

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let side = |[height, width]: [u32; 2]| match height == width {
            true => height.to_string(),
            false => format!("{height}x{width}"),
        };
        match *self {
            Self::Resize { height, width } => write!(f, "resize:{}", side([height, width])),
            Self::CenterCrop { size } => write!(f, "center-crop:{}", side(size)),
            Self::RandomCrop {
                size: Some(size),
                padding: 0,
            } => write!(f, "crop:{}", side(size)),
            Self::RandomCrop {
                size: Some(size),
                padding,
            } => write!(f, "crop:{}:{padding}", side(size)),
            Self::RandomCrop {
                size: None,
                padding,
            } => write!(f, "pad-crop:{padding}"),
            Self::RandomResizedCrop { size, scale, ratio } => {
                write!(f, "resized-crop")?;
                if let Some(size) = size {
                    write!(f, ":{}", side(size))?;
                }
                if scale != SCALE || ratio != RATIO {
                    write!(f, ":{}-{}", scale[0], scale[1])?;
                }
                if ratio != RATIO {
                    write!(f, ":{}-{}", ratio[0], ratio[1])?;
                }
                Ok(())
            }
            Self::RandomRotation { degrees } => write!(f, "rotate:{degrees}"),
            Self::RandomAffine {
                degrees,
                translate: [x, y],
            } => match x == y {
                true => write!(f, "affine:{degrees}:{x}"),
                false => write!(f, "affine:{degrees}:{x}x{y}"),
            },
            Self::RandomPerspective {
                distortion_scale,
                p,
                interpolation,
            } => {
                write!(f, "perspective:{distortion_scale}:{p}")?;
                match interpolation {
                    Interpolation::Bilinear => Ok(()),
                    Interpolation::Bicubic => write!(f, ":bicubic"),
                }
            }
            Self::RandomHorizontalFlip { p } => write_at_times(f, "flip", p),
            Self::RandomVerticalFlip { p } => write_at_times(f, "vflip", p),
        }
    }
}

fn write_at_times(f: &mut fmt::Formatter, name: &str, p: f64) -> fmt::Result {
    match p == P {
        true => write!(f, "{name}"),
        false => write!(f, "{name}:{p}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        text.parse::<Augmentation>().unwrap_err()
    }

    /// The pipelines of paper.md 3.4.
    const PAPER: [&str; 9] = [
        "resize:120+rotate:10+crop:112+perspective:0.5:0.5:bicubic",
        "resize:120+flip+affine:10:0.2+resized-crop:112:0.95-1",
        "resize:272+rotate:15+crop:256+flip",
        "resize:230+rotate:15+crop:224+flip",
        "resize:272x320+rotate:15+center-crop:272+crop:256/resize:272x320+center-crop:256",
        "resize:456+rotate:15+crop:448+flip",
        "resize:140+rotate:15+resized-crop:128+flip+vflip",
        "resize:256+resized-crop:224+flip/resize:256+center-crop:224",
        "resize:320+rotate:15+resized-crop:300+flip+vflip",
    ];

    #[test]
    fn text_is_printed_as_it_is_read() {
        let named = ["none", "perspective-rotation", "rotation-crop", "crop-flip"];
        let others = [
            "pad-crop:4",
            "crop:20x30:2+flip:0.25",
            "resized-crop:0.5-1:0.9-1.1",
            "perspective:0.3:1",
            "affine:30:0.1x0.2",
        ];
        for text in PAPER.iter().chain(&named).chain(&others) {
            let augmentation: Augmentation = text.parse().unwrap();
            assert_eq!(augmentation.to_string(), *text);
            assert_eq!(augmentation.to_string().parse(), Ok(augmentation));
        }
        let short: Augmentation = "perspective:bicubic".parse().unwrap();
        assert_eq!(short.to_string(), "perspective:0.5:0.5:bicubic");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, what) in [
            (
                "nosuch",
                "there is no operation 'nosuch', expected none, perspective-rotation, rotation-crop",
            ),
            ("crop", "crop: '' is not a side from 1 to 4096"),
            ("crop:0", "'0' is not a side"),
            ("resize:5000", "'5000' is not a side"),
            ("rotate:181", "'181' is not a number from 0 to 180"),
            ("rotate:nan", "'nan' is not a number"),
            ("rotate:10:20", "20 is one parameter too many"),
            ("flip:2", "'2' is not a number from 0 to 1"),
            ("resized-crop:224:1-0.5", "'1-0.5' is not two numbers"),
            (
                "flip+flip+flip+flip+flip+flip+flip",
                "7 operations, where 6 have room",
            ),
            ("crop:224/crop:224", "crop:224: evaluation draws nothing"),
            (
                "crop:224/center-crop:220",
                "training makes images of 224 x 224 pixels, and evaluation of 220 x 220",
            ),
            ("flip/resize:8", "training makes images of the stored size"),
        ] {
            let message = refusal(text);
            assert!(message.contains(what), "{text}: {message}");
        }
    }
}
