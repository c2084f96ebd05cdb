//! Twin of `shaders/conv2d/winograd*`: Winograd's minimal filtering, from the points at which it interpolates.
//!
//! Along one direction, `TILE` outputs of a kernel of 3 are `A^T ((G g) . (B^T d))` of `POINTS = TILE + 2` inputs d, with
//! `A[k][i] = a_k^i`, `G[k][j] = a_k^j / N_k`, `N_k` the product of `a_k - a_l` over the other points, and the k-th row of
//! `B^T` the coefficients of the polynomial that vanishes at the other points; the last point is infinity.

use super::conv2d::Conv2d;

type Matrix = Vec<Vec<f64>>;

/// The transforms along one direction.
#[derive(Clone)]
pub struct Winograd {
    /// Outputs of a tile.
    pub tile: usize,
    /// `A^T`, `[TILE, POINTS]`.
    pub a: Matrix,
    /// `G`, `[POINTS, 3]`.
    pub g: Matrix,
    /// `B^T`, `[POINTS, POINTS]`.
    pub b: Matrix,
}

impl Winograd {
    /// For tiles of 2 or 4.
    pub fn new(tile: usize) -> Self {
        let (p, q) = (2.0 / 3.0, 3.0 / 2.0);
        let finite = match tile {
            2 => vec![0.0, 1.0, -1.0],
            4 => vec![0.0, p, -p, q, -q],
            _ => panic!("there are no points for tiles of {tile}"),
        };
        let points = tile + 2;
        let mut a = vec![vec![0.0; points]; tile];
        let mut g = vec![vec![0.0; 3]; points];
        let mut b = vec![vec![0.0; points]; points];
        for (k, &point) in finite.iter().enumerate() {
            let others: Vec<f64> = finite.iter().copied().filter(|&x| x != point).collect();
            let norm: f64 = others.iter().map(|other| point - other).product();
            for (i, row) in a.iter_mut().enumerate() {
                row[k] = point.powi(i as i32);
            }
            for (j, value) in g[k].iter_mut().enumerate() {
                *value = point.powi(j as i32) / norm;
            }
            b[k][..points - 1].copy_from_slice(&polynomial(&others));
        }
        a[tile - 1][points - 1] = 1.0;
        g[points - 1][2] = 1.0;
        b[points - 1] = polynomial(&finite);
        Self { tile, a, g, b }
    }

    /// The same with the magnitudes of all coefficients: what it makes of magnitudes bounds every intermediate sum.
    pub fn magnitudes(&self) -> Self {
        let of = |matrix: &Matrix| -> Matrix {
            let row = |row: &Vec<f64>| row.iter().map(|value| value.abs()).collect();
            matrix.iter().map(row).collect()
        };
        Self {
            tile: self.tile,
            a: of(&self.a),
            g: of(&self.g),
            b: of(&self.b),
        }
    }

    /// How many times larger than those of a plain sum the magnitudes can add up that meet in an output, or in an element
    /// of the weight's gradient, in two directions.
    pub fn amplification(&self) -> f64 {
        let m = self.magnitudes();
        let sum = |row: &Vec<f64>| row.iter().sum::<f64>();
        let (a, g) = (transposed(&m.a), transposed(&m.g));
        let largest = |rows: &Matrix, factors: &Matrix| {
            let of_row = |row: &Vec<f64>| {
                (0..row.len())
                    .map(|k| row[k] * sum(&factors[k]) * sum(&m.b[k]))
                    .sum::<f64>()
            };
            rows.iter().map(of_row).fold(0.0, f64::max)
        };
        let forward = largest(&m.a, &m.g) / 3.0;
        let backward = largest(&g, &a) / self.tile as f64;
        forward.max(backward).powi(2)
    }

    /// `y` without a bias, of a convolution with a kernel of 3 and stride 1.
    pub fn forward(&self, shape: &Conv2d, x: &[f64], weight: &[f64]) -> Vec<f64> {
        let factors = self.factors(shape, weight);
        let mut y = vec![0.0; shape.y_len()];
        for tile in self.tiles(shape) {
            let inputs = self.inputs(shape, x, tile);
            for o in 0..shape.out_channels {
                let mut sum = vec![vec![0.0; self.tile + 2]; self.tile + 2];
                for c in 0..shape.in_channels {
                    add_products(&mut sum, &factors[o * shape.in_channels + c], &inputs[c]);
                }
                let values = both_sides(&self.a, &sum);
                self.for_pixels(shape, tile, |row, column, pixel| {
                    y[pixel * shape.out_channels + o] = values[row][column];
                });
            }
        }
        y
    }

    /// `dx`: the convolution of `dy` with the weight that is turned by 180 degrees and transposed.
    pub fn backward_input(&self, shape: &Conv2d, weight: &[f64], dy: &[f64]) -> Vec<f64> {
        let flipped_shape = Conv2d {
            height: shape.out_height(),
            width: shape.out_width(),
            in_channels: shape.out_channels,
            out_channels: shape.in_channels,
            padding: shape.padding.map(|padding| 2 - padding),
            padding_end: shape.padding_end.map(|padding| 2 - padding),
            ..*shape
        };
        let mut flipped = vec![0.0; weight.len()];
        for o in 0..shape.out_channels {
            for c in 0..shape.in_channels {
                for tap in 0..9 {
                    flipped[(c * shape.out_channels + o) * 9 + 8 - tap] =
                        weight[(o * shape.in_channels + c) * 9 + tap];
                }
            }
        }
        self.forward(&flipped_shape, dy, &flipped)
    }

    /// `dweight`: `G^T (sum over the tiles of (B^T X B) . (A dY A^T)) G`.
    pub fn backward_weight(&self, shape: &Conv2d, x: &[f64], dy: &[f64]) -> Vec<f64> {
        let points = self.tile + 2;
        let pairs = shape.out_channels * shape.in_channels;
        let mut sums = vec![vec![vec![0.0; points]; points]; pairs];
        for tile in self.tiles(shape) {
            let inputs = self.inputs(shape, x, tile);
            for o in 0..shape.out_channels {
                let mut values = vec![vec![0.0; self.tile]; self.tile];
                self.for_pixels(shape, tile, |row, column, pixel| {
                    values[row][column] = dy[pixel * shape.out_channels + o];
                });
                let gradient = both_sides(&transposed(&self.a), &values);
                for c in 0..shape.in_channels {
                    add_products(&mut sums[o * shape.in_channels + c], &gradient, &inputs[c]);
                }
            }
        }
        let of_pair = |sum: &Matrix| both_sides(&transposed(&self.g), sum).concat();
        sums.iter().flat_map(of_pair).collect()
    }

    /// `(image, row, column)` of the first output of every tile.
    fn tiles(&self, shape: &Conv2d) -> Vec<[usize; 3]> {
        let mut tiles = Vec::new();
        for n in 0..shape.batch {
            for row in (0..shape.out_height()).step_by(self.tile) {
                for column in (0..shape.out_width()).step_by(self.tile) {
                    tiles.push([n, row, column]);
                }
            }
        }
        tiles
    }

    /// Calls `visit` with the row and column of every output of a tile, and the index of its pixel.
    fn for_pixels(
        &self,
        shape: &Conv2d,
        [n, y, x]: [usize; 3],
        mut visit: impl FnMut(usize, usize, usize),
    ) {
        for row in 0..self.tile.min(shape.out_height() - y) {
            for column in 0..self.tile.min(shape.out_width() - x) {
                let pixel = (n * shape.out_height() + y + row) * shape.out_width() + x + column;
                visit(row, column, pixel);
            }
        }
    }

    /// `G weight G^T` of every pair of channels, output channels outside.
    fn factors(&self, shape: &Conv2d, weight: &[f64]) -> Vec<Matrix> {
        let kernels = weight
            .chunks(9)
            .take(shape.out_channels * shape.in_channels);
        let transform = |kernel: &[f64]| {
            let kernel: Matrix = kernel.chunks(3).map(<[f64]>::to_vec).collect();
            both_sides(&self.g, &kernel)
        };
        kernels.map(transform).collect()
    }

    /// `B^T X B` of every channel of a tile of x, zero outside the image.
    fn inputs(&self, shape: &Conv2d, x: &[f64], [n, y0, x0]: [usize; 3]) -> Vec<Matrix> {
        let pixel = |row: usize, column: usize, c: usize| {
            let iy = (y0 + row).checked_sub(shape.padding[0])?;
            let ix = (x0 + column).checked_sub(shape.padding[1])?;
            let inside = iy < shape.height && ix < shape.width;
            let place = ((n * shape.height + iy) * shape.width + ix) * shape.in_channels + c;
            inside.then(|| x[place])
        };
        let points = self.tile + 2;
        let of_channel = |c: usize| {
            let row = |row: usize| {
                (0..points)
                    .map(|column| pixel(row, column, c).unwrap_or(0.0))
                    .collect()
            };
            both_sides(&self.b, &(0..points).map(row).collect())
        };
        (0..shape.in_channels).map(of_channel).collect()
    }
}

/// Coefficients, lowest first, of the polynomial with these roots.
fn polynomial(roots: &[f64]) -> Vec<f64> {
    let mut coefficients = vec![1.0];
    for root in roots {
        let mut product = vec![0.0; coefficients.len() + 1];
        for (power, value) in coefficients.iter().enumerate() {
            product[power + 1] += value;
            product[power] -= root * value;
        }
        coefficients = product;
    }
    coefficients
}

/// `matrix * values * matrix^T`.
fn both_sides(matrix: &Matrix, values: &Matrix) -> Matrix {
    times(&times(matrix, values), &transposed(matrix))
}

fn times(left: &Matrix, right: &Matrix) -> Matrix {
    let mut product = vec![vec![0.0; right[0].len()]; left.len()];
    for (row, sums) in left.iter().zip(&mut product) {
        for (value, other) in row.iter().zip(right) {
            for (sum, factor) in sums.iter_mut().zip(other) {
                *sum += value * factor;
            }
        }
    }
    product
}

fn transposed(matrix: &Matrix) -> Matrix {
    (0..matrix[0].len())
        .map(|column| matrix.iter().map(|row| row[column]).collect())
        .collect()
}

/// Adds the products element by element.
fn add_products(sum: &mut Matrix, left: &Matrix, right: &Matrix) {
    for (k, row) in sum.iter_mut().enumerate() {
        for (l, value) in row.iter_mut().enumerate() {
            *value += left[k][l] * right[k][l];
        }
    }
}
