// Two f32 as 64 bits. Adapters that run shaders on the CPU take as long to load 4 bytes as to load 8.

fn unpack_pair(bits: u64) -> vec2<f32> {
    return vec2<f32>(bitcast<f32>(u32(bits)), bitcast<f32>(u32(bits >> 32u)));
}

fn pack_pair(pair: vec2<f32>) -> u64 {
    return u64(bitcast<u32>(pair.x)) | (u64(bitcast<u32>(pair.y)) << 32u);
}

fn unpack_quad(bits: vec2<u64>) -> vec4<f32> {
    return vec4<f32>(unpack_pair(bits.x), unpack_pair(bits.y));
}
