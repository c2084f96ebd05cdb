// Library: conv2d, index, tile, products, pipeline
// What the products of a convolution in tiles have in common: the window is never written down, so that a factor is read
// through it. Channels are loaded by fours where they come in fours, and one by one otherwise. What lies outside of an image,
// past the last pixel or past the last channel is zero.

override IN_QUADS = (IN_CHANNELS + 3u) / 4u;
override OUT_QUADS = (OUT_CHANNELS + 3u) / 4u;   // weights hold output channels by fours, padded by zeros
override IN_FOURS = IN_CHANNELS % 4u == 0u;
override OUT_FOURS = OUT_CHANNELS % 4u == 0u;
override OUT_PIXELS = BATCH * OUT_HEIGHT * OUT_WIDTH;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;              // [BATCH, HEIGHT, WIDTH, IN_CHANNELS]
@group(0) @binding(1) var<storage, read> weight: array<vec4<f32>>;         // [KERNEL_H, KERNEL_W, IN_CHANNELS, OUT_QUADS]
@group(0) @binding(3) var<storage, read> dy: array<vec4<f32>>;             // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]

fn x_element(index: u32, inside: bool) -> f32 {
    let place = select(0u, index, inside);
    return select(0.0, x[place / 4u][place % 4u], inside);
}

fn x_elements(index: vec4<u32>, inside: vec4<bool>) -> vec4<f32> {
    return vec4<f32>(
        x_element(index.x, inside.x),
        x_element(index.y, inside.y),
        x_element(index.z, inside.z),
        x_element(index.w, inside.w),
    );
}

fn x_quad(index: u32, inside: bool) -> vec4<f32> {
    return select(vec4<f32>(), x[select(0u, index, inside)], inside);
}

fn weight_quad(row: u32, quad: u32, inside: bool) -> vec4<f32> {
    return select(vec4<f32>(), weight[select(0u, row * OUT_QUADS + quad, inside)], inside);
}

fn dy_element(pixel: u32, channel: u32, inside: bool) -> f32 {
    let is_element = inside && channel < OUT_CHANNELS;
    let place = select(0u, pixel * OUT_CHANNELS + channel, is_element);
    return select(0.0, dy[place / 4u][place % 4u], is_element);
}

// A quad of channels of dy at a pixel.
fn dy_quad(pixel: u32, quad: u32, inside: bool) -> vec4<f32> {
    if OUT_FOURS {
        let is_quad = inside && quad < OUT_QUADS;
        return select(vec4<f32>(), dy[select(0u, pixel * OUT_QUADS + quad, is_quad)], is_quad);
    }
    return vec4<f32>(
        dy_element(pixel, 4u * quad, inside),
        dy_element(pixel, 4u * quad + 1u, inside),
        dy_element(pixel, 4u * quad + 2u, inside),
        dy_element(pixel, 4u * quad + 3u, inside),
    );
}

// The first of four rows, and the quad of columns, of a share in the product: one of the two counts.
fn row_of_share(id: vec3<u32>, share: Share) -> vec4<u32> {
    return vec4<u32>(TILE_ROWS * id.x + 4u * share.quad) + vec4<u32>(0u, 1u, 2u, 3u);
}

fn column_of_share(id: vec3<u32>, share: Share) -> u32 {
    return COLUMN_QUADS * id.y + share.quad - ROW_QUADS;
}

// The row of the product, and its quad of columns, of row `row` of an invocation's block for tile `id`.
fn place_in_product(id: vec3<u32>, invocation: Invocation, row: u32, half: u32) -> vec2<u32> {
    return id.xy * vec2<u32>(TILE_ROWS, COLUMN_QUADS) + place_in_tile(invocation, row, half);
}
