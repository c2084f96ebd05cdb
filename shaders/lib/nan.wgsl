// NaN is to come through everything and be seen in the loss. Compilers may take for granted that there is none, so it is
// told by its bits.

fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// Whether x is less than zero, or -0.
fn is_negative(x: f32) -> bool {
    return bitcast<u32>(x) - 0x80000000u <= 0x7f800000u;
}

// Whether a value takes the place of the largest so far: NaN is the largest of all, and the last one of several, as in
// PyTorch.
fn exceeds(value: f32, largest: f32) -> bool {
    return is_nan(value) || (value > largest && !is_nan(largest));
}
