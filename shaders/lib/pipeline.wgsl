// Library: tile, products
// The pipeline of a matrix product in tiles: while a step is multiplied out, the factors of the next one are on their way. The
// module says what they are:
//
//     struct Source                                                what a share is loaded from
//     fn source_of(id: vec3<u32>, share: Share) -> Source          for tile `id`
//     fn load_share(source: Source, step: u32) -> mat4x4<f32>      its columns are summands
//     const SUMS_SHARES: bool                                      whether the sums of shares are wanted, too

// The sums of all summands that an invocation has brought.
var<private> share_sum: vec4<f32>;
var<private> second_share_sum: vec4<f32>;

fn sum_of_summands(values: mat4x4<f32>) -> vec4<f32> {
    return values[0] + values[1] + values[2] + values[3];
}

// Adds the products of the steps from `begin` to `end` to an invocation's block of tile `id`.
fn add_steps(sums: ptr<function, Block>, id: vec3<u32>, invocation: Invocation, begin: u32, end: u32) {
    let share = share_of(invocation.index);
    let second = share_of(invocation.index + TILE_INVOCATIONS);
    let source = source_of(id, share);
    let second_source = source_of(id, second);
    var values = mat4x4<f32>();
    var second_values = mat4x4<f32>();
    if begin < end {
        values = load_share(source, begin);
        if TWO_SHARES {
            second_values = load_share(second_source, begin);
        }
    }
    begin_tile();
    for (var step = begin; step < end; step++) {
        stage_share(share, values);
        if SUMS_SHARES {
            share_sum += sum_of_summands(values);
        }
        if TWO_SHARES {
            stage_share(second, second_values);
            if SUMS_SHARES {
                second_share_sum += sum_of_summands(second_values);
            }
        }
        workgroupBarrier();
        if step + 1u < end {
            values = load_share(source, step + 1u);
            if TWO_SHARES {
                second_values = load_share(second_source, step + 1u);
            }
        }
        add_tile(sums, invocation);
        workgroupBarrier();
    }
    end_tile(sums, invocation);
}

// Puts the sums of all shares aside: `staged_sum` adds up those of a quad.
fn stage_share_sums(invocation: Invocation) {
    stage_sums(share_of(invocation.index), share_sum);
    if TWO_SHARES {
        stage_sums(share_of(invocation.index + TILE_INVOCATIONS), second_share_sum);
    }
    workgroupBarrier();
}
