/* Half-precision conversions in portable C, exact to the last bit (round to nearest
 * even), for weights on load and for the reference backend. */
#ifndef ASR_HALF_H
#define ASR_HALF_H

#include <stdint.h>
#include <string.h>

static inline float asr_bits_to_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline uint32_t asr_float_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline float asr_f16_to_f32(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t magnitude = (uint32_t)(half & 0x7FFFu);
    if (magnitude >= 0x7C00u) /* infinity, NaN */
        return asr_bits_to_float(sign | 0x7F800000u | (magnitude & 0x3FFu) << 13);
    if (magnitude >= 0x0400u) /* normal: rebias the exponent from 15 to 127 */
        return asr_bits_to_float(sign | ((magnitude << 13) + ((127u - 15u) << 23)));
    float value = (float)magnitude * 0x1p-24f; /* subnormal, zero */
    return sign ? -value : value;
}

static inline uint16_t asr_f32_to_f16(float value)
{
    uint32_t bits = asr_float_to_bits(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    uint32_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) /* NaN stays one */
        return (uint16_t)(sign | 0x7E00u);
    if (magnitude >= 0x477FF000u) /* rounds to 65536 or more */
        return (uint16_t)(sign | 0x7C00u);
    if (magnitude < 0x38800000u) { /* subnormal: the sum's last bit is 2^-24 */
        float sum = asr_bits_to_float(magnitude) + 0.5f;
        return (uint16_t)(sign | (asr_float_to_bits(sum) - 0x3F000000u));
    }
    uint32_t rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1u);
    return (uint16_t)(sign | ((rounded - ((127u - 15u) << 23)) >> 13));
}

static inline float asr_bf16_to_f32(uint16_t half)
{
    return asr_bits_to_float((uint32_t)half << 16);
}

static inline uint16_t asr_f32_to_bf16(float value)
{
    uint32_t bits = asr_float_to_bits(value);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

#endif
