// Four consecutive elements of a packed matrix as f32, without any extension.

vec4 unpack_f16(uvec2 words)
{
    return vec4(unpackHalf2x16(words.x), unpackHalf2x16(words.y));
}

vec4 unpack_bf16(uvec2 words)
{
    return uintBitsToFloat(uvec4(words.x << 16, words.x & 0xFFFF0000u,
                                 words.y << 16, words.y & 0xFFFF0000u));
}

ivec4 unpack_i8(uint word)
{
    int bits = int(word);
    return ivec4(bits << 24, bits << 16, bits << 8, bits) >> 24;
}

uint pack_i8(ivec4 v)
{
    uvec4 bytes = uvec4(v) & 0xFFu;
    return bytes.x | bytes.y << 8 | bytes.z << 16 | bytes.w << 24;
}
