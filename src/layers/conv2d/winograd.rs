//! Convolution by Winograd's minimal filtering: transforms into a domain where it is a product at each of some points.
//!
//! Lavin and Gray 2015, arXiv 1509.09308. The gradient of x is a convolution of dy with the flipped weight; that of the
//! weight is the transpose of the same transforms.

use super::Conv2dOptions;
use crate::layers::block::Block;
use crate::layers::reduce::reduce_rows;
use crate::plan::{ALIGNMENT, Kernel, Limits, Shader, Tape, Target, Tensor};

static TRANSFORMS: Shader = crate::shader!("conv2d/winograd");
static PRODUCT: Shader = crate::shader!("conv2d/winograd_product");

/// Elements of a piece of the batch at all points, unless one image has more: 8 MiB stay in the caches between a transform
/// and the product.
const PIECE_ELEMENTS: u32 = 1 << 21;

/// How many multiplications of a product take as long as the transform of one element.
const TRANSFORM_COST: u64 = 32;

/// The algorithm for tiles of one size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Winograd {
    /// Pixels of y along each side of a tile: 2 or 4.
    tile: u32,
}

/// The images that a convolution with stride 1 reads and writes.
#[derive(Clone, Copy)]
pub(super) struct Images {
    /// What is convolved.
    pub(super) image: Tensor,
    /// What comes out.
    pub(super) out: Tensor,
    /// Zero rows and columns on each side of `image`.
    pub(super) padding: [u32; 2],
}

/// Some rows of the batch.
#[derive(Clone, Copy)]
struct Piece {
    start: u32,
    count: u32,
}

impl Winograd {
    /// The sizes of tiles for which a convolution has the shape.
    pub(super) fn of(
        limits: &Limits,
        options: &Conv2dOptions,
        x: [u32; 4],
        y: [u32; 4],
    ) -> Vec<Self> {
        let in_fours = x[3].is_multiple_of(4) && y[3].is_multiple_of(4);
        let suits = in_fours
            && options.groups == 1
            && options.kernel_size == [3, 3]
            && options.stride == [1, 1]
            && options.padding.iter().all(|&padding| padding <= 2);
        let mut tiles = [4, 2].map(|tile| Self { tile }).to_vec();
        tiles.retain(|tile| suits && tile.fits(limits, x, y) && tile.fits(limits, y, x));
        tiles
    }

    /// What it takes, in multiplications: the products, and the transforms of the weight, of x and of the products.
    pub(super) fn cost(self, x: [u32; 4], y: [u32; 4]) -> u64 {
        let [points, tiles] = [self.points(), y[0] * self.per_image(y)].map(u64::from);
        let [input, output] = [x[3], y[3]].map(u64::from);
        let transformed = input * output + tiles * (input + output);
        points * (tiles * input * output + TRANSFORM_COST * transformed)
    }

    /// The name of the candidate.
    pub(super) fn name(self) -> String {
        format!("winograd {0}x{0}", self.tile)
    }

    /// How many times larger than those of a plain sum its roundings can be, of y or of a gradient.
    ///
    /// With all factors at most 1, the magnitudes that meet in an element of y add up, along each direction, to at most the
    /// largest row of `|A^T| diag(|G| 1 * |B^T| 1)` where a plain sum's are 3; in one of the gradient of the weight to
    /// `|G^T| diag(|A| 1 * |B^T| 1)` where a plain sum's are the tile's side. The larger quotient, for two directions.
    pub(super) fn amplification(self) -> f64 {
        match self.tile {
            2 => 9.0,
            _ => 59.7,
        }
    }

    /// The WGSL files.
    pub(super) fn shaders() -> Vec<&'static Shader> {
        vec![&TRANSFORMS, &PRODUCT]
    }

    /// Points that a tile is taken at: its windows together have as many pixels.
    fn points(self) -> u32 {
        (self.tile + 2) * (self.tile + 2)
    }

    /// Tiles of an image of `[N, H, W, C]`.
    fn per_image(self, out: [u32; 4]) -> u32 {
        out[1].div_ceil(self.tile) * out[2].div_ceil(self.tile)
    }

    /// Whether the smallest piece of the batch can be bound, where `image` leads to `out`.
    fn fits(self, limits: &Limits, image: [u32; 4], out: [u32; 4]) -> bool {
        let rows = aligned_rows(image, out).min(image[0]);
        let sizes = [
            self.points(),
            self.per_image(out),
            rows,
            image[3].max(out[3]),
        ];
        let elements: u64 = sizes.iter().map(|&size| u64::from(size)).product();
        elements <= limits.binding_elements().into()
    }

    /// The batch in pieces.
    fn pieces(self, limits: &Limits, image: [u32; 4], out: [u32; 4]) -> Vec<Piece> {
        let per_image = self.points() * self.per_image(out) * image[3].max(out[3]);
        let step = aligned_rows(image, out);
        let elements = PIECE_ELEMENTS.min(limits.binding_elements());
        let count = (elements / per_image / step).max(1) * step;
        let starts = (0..image[0]).step_by(count as usize);
        starts
            .map(|start| Piece {
                start,
                count: count.min(image[0] - start),
            })
            .collect()
    }
}

/// The fewest rows of a batch after which both images begin at the alignment of bindings.
pub(super) fn aligned_rows(image: [u32; 4], out: [u32; 4]) -> u32 {
    let elements = |shape: [u32; 4]| shape[1] * shape[2] * shape[3];
    let aligned = |step: &u32| {
        let rows = [elements(image), elements(out)];
        rows.iter()
            .all(|row| (step * row).is_multiple_of(ALIGNMENT))
    };
    let powers = (0..ALIGNMENT.ilog2()).map(|exponent| 1 << exponent);
    powers.into_iter().find(aligned).unwrap_or(ALIGNMENT)
}

/// A convolution in the transformed domain, and the scratch that its pieces share.
struct Transformed {
    winograd: Winograd,
    images: Images,
    accumulate: bool,
    multiplications: u64,
    pieces: Vec<Piece>,
    inputs: Tensor,
    products: Tensor,
    factors: Tensor,
}

impl Winograd {
    /// Records y; `images` are x and y.
    pub(super) fn forward(
        self,
        tape: &mut Tape,
        images: Images,
        weight: Tensor,
        bias: Option<Tensor>,
        multiplications: u64,
    ) {
        let this = Transformed::new(self, tape, images, false, multiplications);
        let [input, output] = this.channels();
        this.transform_weight(
            tape,
            ("transform_weight", "weight"),
            weight,
            input * output / 2,
        );
        this.convolve(tape, bias);
    }

    /// Records the gradient of x; `images` are x and y, and `dy` the gradient of y.
    pub(super) fn backward_input(
        self,
        tape: &mut Tape,
        images: Images,
        weight: Tensor,
        dy: Tensor,
        dx: Target,
        multiplications: u64,
    ) {
        let flipped = Images {
            image: dy,
            out: dx.tensor,
            padding: images.padding.map(|padding| 2 - padding),
        };
        let this = Transformed::new(self, tape, flipped, dx.accumulate, multiplications);
        let [input, output] = this.channels();
        let side = TRANSFORMS.constant("FLIPPED_SIDE");
        let squares = input.div_ceil(side) * (output / 2).div_ceil(side);
        let entry = ("transform_weight_flipped", "elements");
        this.transform_weight(tape, entry, weight, squares * side * side);
        this.convolve(tape, None);
    }

    /// Records the gradients of the weight and the bias; `images` are x and dy.
    pub(super) fn backward_weight(
        self,
        tape: &mut Tape,
        images: Images,
        dweight: Target,
        dbias: Option<Target>,
        multiplications: u64,
    ) {
        let this = Transformed::new(self, tape, images, dweight.accumulate, multiplications);
        let sums = tape.tensor("sums", [this.tiles(this.pieces[0]), this.channels()[1]]);
        for &piece in &this.pieces {
            this.transform_input(tape, piece);
            let sums = sums.row_range(0, this.tiles(piece));
            this.transform_gradient(tape, piece, sums);
            this.multiply_gradient(tape, piece);
            if let Some(dbias) = dbias {
                reduce_rows(tape, sums, dbias.or_after(piece.start), None);
            }
        }
        this.transform_weight_gradient(tape, dweight.tensor);
    }
}

impl Transformed {
    fn new(
        winograd: Winograd,
        tape: &mut Tape,
        images: Images,
        accumulate: bool,
        multiplications: u64,
    ) -> Self {
        let (image, out) = (images.image.image_sizes(), images.out.image_sizes());
        let points = winograd.points();
        let pieces = winograd.pieces(tape.limits(), image, out);
        let tiles = pieces[0].count * winograd.per_image(out);
        Self {
            winograd,
            images,
            accumulate,
            multiplications,
            pieces,
            inputs: tape.tensor("inputs", [points, tiles, image[3]]),
            products: tape.tensor("products", [points, tiles, out[3]]),
            factors: tape.tensor("factors", [points, image[3], out[3]]),
        }
    }

    fn tiles(&self, piece: Piece) -> u32 {
        piece.count * self.winograd.per_image(self.images.out.image_sizes())
    }

    fn channels(&self) -> [u32; 2] {
        [self.images.image, self.images.out].map(|images| images.image_sizes()[3])
    }

    /// What a piece of the batch takes of scratch that has room for the largest.
    fn of_piece(&self, scratch: Tensor, piece: Piece) -> Tensor {
        let sizes = scratch.shape();
        let [points, _, channels] = <[u32; 3]>::try_from(sizes.sizes()).expect("points, tiles, C");
        let tiles = self.tiles(piece);
        let elements = points * tiles * channels;
        scratch
            .range(0, elements)
            .reshape([points, tiles, channels])
    }

    fn transform(
        &self,
        tape: &mut Tape,
        entry: &'static str,
        rows: Piece,
        bindings: &[(&'static str, Tensor)],
        invocations: u32,
    ) {
        let [_, height, width, in_channels] = self.images.image.image_sizes();
        let [_, out_height, out_width, out_channels] = self.images.out.image_sizes();
        let [padding_h, padding_w] = self.images.padding;
        let constants = [
            ("TILE", self.winograd.tile.into()),
            ("BATCH", rows.count.into()),
            ("HEIGHT", height.into()),
            ("WIDTH", width.into()),
            ("OUT_HEIGHT", out_height.into()),
            ("OUT_WIDTH", out_width.into()),
            ("PADDING_H", padding_h.into()),
            ("PADDING_W", padding_w.into()),
            ("IN_CHANNELS", in_channels.into()),
            ("OUT_CHANNELS", out_channels.into()),
            ("ACCUMULATE", f64::from(u8::from(self.accumulate))),
        ];
        tape.dispatch(Kernel {
            shader: &TRANSFORMS,
            entry,
            constants: &constants,
            bindings,
            extent: [invocations, 1, 1],
            multiplications: 0,
        });
    }

    fn whole(&self) -> Piece {
        let count = self.images.image.rows();
        Piece { start: 0, count }
    }

    /// Records what comes out, once the weight is transformed.
    fn convolve(&self, tape: &mut Tape, bias: Option<Tensor>) {
        for &piece in &self.pieces {
            self.transform_input(tape, piece);
            self.multiply(tape, piece);
            self.transform_output(tape, piece, bias);
        }
    }

    fn transform_weight(
        &self,
        tape: &mut Tape,
        (entry, name): (&'static str, &'static str),
        weight: Tensor,
        invocations: u32,
    ) {
        let bindings = [(name, weight), ("factors", self.factors)];
        self.transform(tape, entry, self.whole(), &bindings, invocations);
    }

    fn transform_input(&self, tape: &mut Tape, piece: Piece) {
        let image = self.images.image.row_range(piece.start, piece.count);
        let inputs = self.of_piece(self.inputs, piece);
        let pairs = self.tiles(piece) * self.channels()[0] / 2;
        let bindings = [("image", image), ("inputs", inputs)];
        self.transform(tape, "transform_input", piece, &bindings, pairs);
    }

    fn transform_output(&self, tape: &mut Tape, piece: Piece, bias: Option<Tensor>) {
        let y = self.images.out.row_range(piece.start, piece.count);
        let products = self.of_piece(self.products, piece);
        let pairs = self.tiles(piece) * self.channels()[1] / 2;
        let mut bindings = vec![("products", products), ("y", y)];
        let entry = match bias {
            Some(bias) => {
                bindings.push(("bias", bias));
                "transform_output_bias"
            }
            None => "transform_output",
        };
        self.transform(tape, entry, piece, &bindings, pairs);
    }

    fn transform_gradient(&self, tape: &mut Tape, piece: Piece, sums: Tensor) {
        let dy = self.images.out.row_range(piece.start, piece.count);
        let gradients = self.of_piece(self.products, piece);
        let pairs = self.tiles(piece) * self.channels()[1] / 2;
        let bindings = [("dy", dy), ("gradients", gradients), ("sums", sums)];
        self.transform(tape, "transform_gradient", piece, &bindings, pairs);
    }

    fn transform_weight_gradient(&self, tape: &mut Tape, dweight: Tensor) {
        let [input, output] = self.channels();
        let bindings = [("dfactors", self.factors), ("dweight", dweight)];
        let entry = "transform_weight_gradient";
        self.transform(tape, entry, self.whole(), &bindings, input * output / 2);
    }

    fn multiply(&self, tape: &mut Tape, piece: Piece) {
        let bindings = [
            ("inputs", self.of_piece(self.inputs, piece)),
            ("factors", self.factors),
            ("products", self.of_piece(self.products, piece)),
        ];
        self.product(tape, "forward", piece, self.tiles(piece), &bindings);
    }

    fn multiply_gradient(&self, tape: &mut Tape, piece: Piece) {
        let bindings = [
            ("inputs", self.of_piece(self.inputs, piece)),
            ("gradients", self.of_piece(self.products, piece)),
            ("dfactors", self.factors),
        ];
        self.product(
            tape,
            "backward_weight",
            piece,
            self.channels()[0],
            &bindings,
        );
    }

    fn product(
        &self,
        tape: &mut Tape,
        entry: &'static str,
        piece: Piece,
        rows: u32,
        bindings: &[(&'static str, Tensor)],
    ) {
        let [input, output] = self.channels();
        let batch = u64::from(self.images.image.rows());
        let product = [self.winograd.points(), self.tiles(piece), input, output];
        let multiplications = product.iter().map(|&size| f64::from(size)).product();
        let block = Block::of(&PRODUCT, rows, output, multiplications);
        let sizes = [
            ("TILES", self.tiles(piece).into()),
            ("IN_CHANNELS", input.into()),
            ("OUT_CHANNELS", output.into()),
            ("ACCUMULATE", f64::from(u8::from(piece.start > 0))),
        ];
        tape.dispatch(Kernel {
            shader: &PRODUCT,
            entry,
            constants: &[&sizes[..], &block.constants()].concat(),
            bindings,
            extent: block.extent(&PRODUCT, [rows, output], self.winograd.points()),
            multiplications: self.multiplications / batch * u64::from(piece.count),
        });
    }
}
