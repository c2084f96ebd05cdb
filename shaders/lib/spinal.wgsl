// The chain of sub-layers of a Spinal layer (paper, section II). Each Linear holds [U_l, V_l] as one weight
// [WIDTH, SPLIT + WIDTH], the first one [WIDTH, SPLIT] (there is no h before it), followed by its bias. Tied sub-layers use the
// parameters of an earlier one.

override BATCH: u32;
override IN: u32;
override SPLIT: u32;
override WIDTH: u32;
override DEPTH: u32;
override LINEARS: u32;        // distinct Linears; the later sub-layers repeat the last PERIOD of them in turn
override PERIOD: u32;
override FIRST_BIAS: u32;     // where the bias of Linear 0 starts in `parameters`
override SECOND: u32;         // where Linear 1 starts
override BIAS: u32;           // from the start of Linear 1 to its bias
override STRIDE: u32;         // from Linear 1 to Linear 2, and so on
override ACTIVATION: u32;
override ACCUMULATE: bool;

override LAYERS_OF_LINEAR = 1u + (DEPTH - LINEARS + PERIOD - 1u) / PERIOD;  // sub-layers that apply one Linear, at most

// The Linear that sub-layer l applies.
fn linear_of(l: u32) -> u32 {
    if l < LINEARS {
        return l;
    }
    return LINEARS - PERIOD + (l - LINEARS) % PERIOD;
}

struct Linear {
    weight: u32,   // first element of [U, V]
    bias: u32,     // first element of b
    columns: u32,  // SPLIT, or SPLIT + WIDTH
}

fn linear_at(index: u32) -> Linear {
    if index == 0u {
        return Linear(0u, FIRST_BIAS, SPLIT);
    }
    let start = SECOND + (index - 1u) * STRIDE;
    return Linear(start, start + BIAS, SPLIT + WIDTH);
}
