// Library: index, step
// staged[n] = images[order[n]], where that image lies in this window of the data set      forward
// staged[n] = images[n % CHUNK], where the images come in the order of the pass           forward, STREAMED
//
// A data set may be larger than what an adapter binds at once. Then the images of a batch are first brought together, by a
// dispatch for each window of whole images. It may be larger than what an adapter holds, too. Then only the images of the next
// steps lie there, a chunk of the pass in its order. Bytes lie four to a word; a staged image begins with a word.

override BATCH: u32;
override FULL_BATCH: u32;    // images of every step of the epoch but the last
override SIZE: u32;          // bytes of an image
override CHUNK: u32;         // images that lie on the device
override STREAMED: bool;     // they are the next of the pass
override FIRST: u32;         // first image of the window
override WINDOW: u32;        // images of the window

override ROW_WORDS = (SIZE + 3u) / 4u;

@group(0) @binding(0) var<storage, read> step: array<Step>;            // [1]
@group(0) @binding(1) var<storage, read> order: array<u32>;            // [count], a permutation of the data set
@group(0) @binding(2) var<storage, read> images: array<u32>;           // [WINDOW, SIZE] bytes
@group(0) @binding(3) var<storage, read_write> staged: array<u32>;     // [BATCH, ROW_WORDS]

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index >= BATCH * ROW_WORDS {
        return;
    }
    let place = step[0].in_epoch * FULL_BATCH + step[0].first + index / ROW_WORDS;
    let source = select(order[place], place % CHUNK, STREAMED);
    if source < FIRST || source >= FIRST + WINDOW {
        return;
    }
    let byte = (source - FIRST) * SIZE + 4u * (index % ROW_WORDS);
    let shift = 8u * (byte % 4u);
    var word = images[byte / 4u] >> shift;
    if shift > 0u {
        let next = min(byte / 4u + 1u, (WINDOW * SIZE + 3u) / 4u - 1u);
        word |= images[next] << (32u - shift);
    }
    staged[index] = word;
}
