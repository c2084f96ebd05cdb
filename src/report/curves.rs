//! Learning curves as a picture: loss on the left, test accuracy on the right. Of several runs, the mean and a band from the
//! lowest to the highest.
//!
//! SVG with the reader's own sans-serif font, on white so that it also reads on a dark page, in the colours of
//! Okabe and Ito, which colour-blind readers can tell apart.

use std::collections::BTreeMap;
use std::path::Path;

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::atomic_file;
use super::axis::Axis;
use super::metrics::EpochRecord;
use super::statistics::mean_and_deviation;
use crate::error::{Error, Result};

/// The curves of one net.
#[derive(Debug, Clone)]
pub struct Curve {
    /// The net of the experiment: `spinal` or `baseline`.
    pub name: String,
    /// The epochs of each of its runs.
    pub runs: Vec<Vec<EpochRecord>>,
}

/// A row of the picture: nets that are compared.
#[derive(Debug, Clone)]
pub struct Row {
    /// What stands above it.
    pub title: String,
    /// The nets.
    pub nets: Vec<Curve>,
}

const PANEL_SIZE: (u32, u32) = (480, 360);
const TITLE_HEIGHT: u32 = 40;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);

/// With more epochs than this, points are no longer marked one by one.
const MARKED_EPOCHS: usize = 30;

const BAND_OPACITY: f64 = 0.15;

/// Draws rows and writes the picture to `path`. Values that are not finite are left out; without any accuracy (regression)
/// the loss stands alone.
///
/// # Errors
/// `Error::File` if the file cannot be written.
pub fn write(path: &Path, rows: &[Row]) -> Result<()> {
    let svg = draw(rows).map_err(|error| {
        let what = format!("cannot be drawn: {error}");
        Error::file(path, what, "the numbers are in metrics.jsonl")
    })?;
    atomic_file::write(path, svg.as_bytes())
}

type Drawn<T> = std::result::Result<T, Box<dyn std::error::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw(rows: &[Row]) -> Drawn<String> {
    let panels: Vec<Vec<Panel>> = rows.iter().map(|row| panels(&row.nets)).collect();
    let columns = panels.iter().map(Vec::len).max().unwrap_or(1);
    let (width, height) = PANEL_SIZE;
    let row_height = height + TITLE_HEIGHT;
    let size = (width * columns as u32, row_height * rows.len() as u32);

    let mut svg = String::new();
    let picture = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    picture.fill(&WHITE)?;
    let areas = picture.split_evenly((rows.len(), 1));
    for ((row, panels), area) in rows.iter().zip(&panels).zip(&areas) {
        let (above, below) = area.split_vertically(TITLE_HEIGHT);
        above
            .margin(10, 0, 0, 0)
            .titled(&row.title, (FONT, 20).into_font().color(&INK))?;
        for (area, panel) in below.split_evenly((1, columns)).iter().zip(panels) {
            panel.draw(area)?;
        }
    }
    picture.present()?;
    drop((picture, areas));
    Ok(svg)
}

fn panels(nets: &[Curve]) -> Vec<Panel> {
    let mut records = nets.iter().flat_map(|net| net.runs.iter().flatten());
    let with_accuracy = records.any(|record| record.test_accuracy.is_some());
    let accuracy = with_accuracy.then(|| accuracy_panel(nets));
    [loss_panel(nets)].into_iter().chain(accuracy).collect()
}

fn loss_panel(nets: &[Curve]) -> Panel {
    let train = Line::of_each(nets, "train", |record| Some(record.train_loss));
    let test = Line::of_each(nets, "test", |record| Some(record.test_loss));
    let lines: Vec<Line> = train.map(Line::dashed).chain(test).collect();
    Panel {
        y_label: "loss",
        y_axis: Axis::loss(&heights(&lines)),
        lines,
        legend: SeriesLabelPosition::UpperRight,
    }
}

fn accuracy_panel(nets: &[Curve]) -> Panel {
    let percent = |record: &EpochRecord| Some(100.0 * record.test_accuracy?);
    let lines: Vec<Line> = Line::of_each(nets, "test", percent).collect();
    Panel {
        y_label: "test accuracy (%)",
        y_axis: Axis::percentage(&heights(&lines)),
        lines,
        legend: SeriesLabelPosition::LowerRight,
    }
}

fn heights(lines: &[Line]) -> Vec<f64> {
    let points = lines.iter().flat_map(|line| &line.points);
    points.flat_map(|point| [point.low, point.high]).collect()
}

/// Colours of Okabe and Ito for nets other than the pair.
const OTHER_COLORS: [RGBColor; 4] = [
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
];

/// The colour of the net at `index`: fixed for the pair of every experiment.
fn color(net: &str, index: usize) -> RGBColor {
    match net {
        "spinal" => RGBColor(0xd5, 0x5e, 0x00),
        "baseline" => RGBColor(0x00, 0x72, 0xb2),
        _ => OTHER_COLORS[index % OTHER_COLORS.len()],
    }
}

/// One quantity of one net over the epochs.
struct Line {
    label: String,
    color: RGBColor,
    dashed: bool,
    points: Vec<Point>,
}

/// The finite values of all runs at an epoch.
struct Point {
    epoch: f64,
    mean: f64,
    low: f64,
    high: f64,
}

impl Point {
    /// Of the values at an epoch, if there are any.
    fn new(epoch: usize, values: &[f64]) -> Self {
        Self {
            epoch: epoch as f64,
            mean: mean_and_deviation(values).0,
            low: values.iter().copied().fold(f64::INFINITY, f64::min),
            high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

impl Line {
    /// The `value` of each net, measured on the `set` train or test.
    fn of_each<'a>(
        nets: &'a [Curve],
        set: &'a str,
        value: impl Fn(&EpochRecord) -> Option<f64> + 'a,
    ) -> impl Iterator<Item = Self> + 'a {
        nets.iter().enumerate().map(move |(index, net)| {
            let mut values: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
            for record in net.runs.iter().flatten() {
                if let Some(value) = value(record).filter(|value| value.is_finite()) {
                    values.entry(record.epoch).or_default().push(value);
                }
            }
            let points = values
                .iter()
                .map(|(&epoch, values)| Point::new(epoch, values));
            Self {
                label: format!("{} {set}", net.name),
                color: color(&net.name, index),
                dashed: false,
                points: points.collect(),
            }
        })
    }

    /// The means, as places in the chart.
    fn means(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        self.points.iter().map(|point| (point.epoch, point.mean))
    }

    /// The outline of what lies between the lowest and the highest run; a line where there is but one.
    fn band(&self) -> Vec<(f64, f64)> {
        let lower = self.points.iter().map(|point| (point.epoch, point.low));
        let upper = self.points.iter().rev();
        lower
            .chain(upper.map(|point| (point.epoch, point.high)))
            .collect()
    }

    fn has_band(&self) -> bool {
        self.points.iter().any(|point| point.low < point.high)
    }

    fn dashed(self) -> Self {
        Self {
            dashed: true,
            ..self
        }
    }
}

/// One pair of axes with its lines.
struct Panel {
    y_label: &'static str,
    y_axis: Axis,
    lines: Vec<Line>,
    legend: SeriesLabelPosition,
}

impl Panel {
    fn draw(&self, area: &Area) -> Drawn<()> {
        let epochs: Vec<f64> = self
            .lines
            .iter()
            .flat_map(|line| &line.points)
            .map(|point| point.epoch)
            .collect();
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(60)
            .build_cartesian_2d(Axis::epochs(&epochs), self.y_axis.clone())?;
        chart
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .label_style((FONT, 14).into_font().color(&INK))
            .axis_desc_style((FONT, 15).into_font().color(&INK))
            .x_desc("epoch")
            .y_desc(self.y_label)
            .draw()?;
        for line in self.lines.iter().filter(|line| line.has_band()) {
            let band = Polygon::new(line.band(), line.color.mix(BAND_OPACITY));
            chart.draw_series([band])?;
        }
        for line in &self.lines {
            let style = line.color.stroke_width(2);
            let points = line.means();
            let drawn = if line.dashed {
                chart.draw_series(DashedLineSeries::new(points, 6, 4, style))?
            } else {
                chart.draw_series(LineSeries::new(points, style))?
            };
            let dashed = line.dashed;
            drawn.label(&line.label).legend(move |(x, y)| {
                let ends = [(x, y), (x + 24, y)];
                if dashed {
                    DashedPathElement::new(ends, 6, 4, style).into_dyn()
                } else {
                    PathElement::new(ends, style).into_dyn()
                }
            });
            if line.points.len() <= MARKED_EPOCHS {
                let fill = if dashed {
                    WHITE.filled()
                } else {
                    line.color.filled()
                };
                for style in [fill, line.color.stroke_width(2)] {
                    let mark = |point| Circle::new(point, 3, style);
                    chart.draw_series(line.means().map(mark))?;
                }
            }
        }
        chart
            .configure_series_labels()
            .position(self.legend.clone())
            .legend_area_size(32)
            .background_style(WHITE.mix(0.85))
            .border_style(GRID)
            .label_font((FONT, 14).into_font().color(&INK))
            .draw()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(name: &str, losses: &[f64], accuracies: Option<&[f64]>) -> Curve {
        let record = |(index, &loss): (usize, &f64)| EpochRecord {
            net: name.into(),
            epoch: index + 1,
            lr: 0.01,
            train_loss: 1.3 * loss,
            validation_loss: None,
            validation_accuracy: None,
            test_loss: loss,
            test_accuracy: accuracies.map(|accuracies| accuracies[index]),
            seconds: 1.0,
            images_per_second: 1.0,
        };
        Curve {
            name: name.into(),
            runs: vec![losses.iter().enumerate().map(record).collect()],
        }
    }

    fn drawn(nets: &[Curve]) -> String {
        let row = Row {
            title: "mnist-cnn <seed 0>".into(),
            nets: nets.to_vec(),
        };
        let svg = draw(&[row]).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        svg
    }

    #[test]
    fn a_pair_has_both_panels_and_their_legend() {
        let losses = [0.9, 0.3, 0.12, 0.08, 0.06];
        let accuracies = [0.71, 0.9, 0.96, 0.975, 0.98];
        let nets = ["spinal", "baseline"].map(|name| curve(name, &losses, Some(&accuracies)));
        let svg = drawn(&nets);
        for text in [
            "spinal train",
            "baseline test",
            "#D55E00",
            "#0072B2",
            "accuracy",
            "&lt;seed",
        ] {
            assert!(svg.contains(text), "{text}");
        }
    }

    #[test]
    fn regression_has_the_loss_alone() {
        let svg = drawn(&[curve("spinal", &[0.5, 2e-3, 3e-5], None)]);
        assert!(!svg.contains("accuracy"));
    }

    #[test]
    fn several_runs_have_a_mean_and_a_band() {
        let mut net = curve("spinal", &[0.5, 0.4], None);
        assert!(!drawn(&[net.clone()]).contains("<polygon"));
        let other = curve("spinal", &[0.7, 0.2, 0.1], None);
        net.runs.extend(other.runs);
        let line = Line::of_each(&[net.clone()], "test", |record| Some(record.test_loss))
            .next()
            .unwrap();
        assert_eq!(
            line.means().collect::<Vec<_>>()[1..],
            [(2.0, 0.4_f64.midpoint(0.2)), (3.0, 0.1)]
        );
        let band = [
            (1.0, 0.5),
            (2.0, 0.2),
            (3.0, 0.1),
            (3.0, 0.1),
            (2.0, 0.4),
            (1.0, 0.7),
        ];
        assert_eq!(line.band(), band);
        assert_eq!(drawn(&[net]).matches("<polygon").count(), 2);
    }

    #[test]
    fn rows_stand_one_above_the_other() {
        let row = |title: &str| Row {
            title: title.into(),
            nets: vec![curve("spinal", &[0.5], None)],
        };
        let svg = draw(&[row("sum"), row("product")]).unwrap();
        let (sum, product) = (svg.find("sum").unwrap(), svg.find("product").unwrap());
        assert!(sum < product);
        assert!(svg.contains("height=\"800\""), "{svg}");
    }

    #[test]
    fn few_or_no_points_still_make_a_picture() {
        drawn(&[]);
        drawn(&[curve("spinal", &[], None)]);
        drawn(&[curve("spinal", &[0.3], Some(&[1.0]))]);
        drawn(&[curve("spinal", &[0.0, 0.0], Some(&[0.0, 0.0]))]);
        drawn(&[curve(
            "spinal",
            &[f64::NAN, 0.2, f64::INFINITY],
            Some(&[0.1, f64::NAN, 0.1]),
        )]);
        drawn(&[curve("spinal", &[f64::NAN], None)]);
        drawn(&[
            curve("spinal", &[3e38, 1e-38], None),
            curve("baseline", &[-1.0, 1e6], None),
        ]);
    }

    #[test]
    fn the_file_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curves.svg");
        let row = Row {
            title: "regression".into(),
            nets: vec![curve("spinal", &[0.5], None)],
        };
        write(&path, &[row]).unwrap();
        assert!(
            std::fs::read_to_string(path)
                .unwrap()
                .contains("regression")
        );
    }
}
