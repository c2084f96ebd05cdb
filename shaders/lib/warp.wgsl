// What an operation of an augmentation does to one image: where each pixel of the result comes from. The host reads the
// numbers of the kinds from here by their names.
const NEAREST: u32 = 0u;   // the nearest pixel under the affine map `matrix`; 0 outside
const BILINEAR: u32 = 1u;  // between 2 x 2 pixels under `homography`; 0 outside
const BICUBIC: u32 = 2u;   // between 4 x 4 pixels under `homography`; 0 outside
const RESIZE: u32 = 3u;    // the box `matrix` = (left, top, width, height), averaged where it shrinks

struct Warp {
    kind: u32,
    height: u32,                 // of the result
    width: u32,
    matrix: array<i32, 6>,       // in 2^-16, from the indices of a pixel: (m0 x + m1 y + m2, m3 x + m4 y + m5)
    homography: array<f32, 8>,   // from the centre of a pixel: (h0 x + h1 y + h2, h3 x + h4 y + h5) / (h6 x + h7 y + 1)
}
