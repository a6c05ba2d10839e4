/* Half-precision conversions: every half, and floats of every kind, against an oracle
 * that searches instead of calculating. */
#include "graph/half.h"
#include "test.h"

static uint32_t state = 12345;

static uint32_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* What the bits of a half mean, by the definition of IEEE 754. */
static double f16_value(uint16_t half)
{
    int exponent = half >> 10 & 31, mantissa = half & 1023;
    double value = exponent == 31  ? (mantissa ? NAN : INFINITY)
                   : exponent == 0 ? ldexp(mantissa, -24)
                                   : ldexp(1024 + mantissa, exponent - 25);
    return half & 0x8000 ? -value : value;
}

/* The half nearest to a number ≥ 0, ties to even: by bisection over all of them. */
static uint16_t nearest_f16(double value)
{
    uint16_t low = 0, high = 0x7BFF; /* the largest finite one */
    if (value >= 65520)              /* half-way to what would come next */
        return 0x7C00;
    while (low < high) {
        uint16_t middle = (uint16_t)((low + high + 1) / 2);
        if (f16_value(middle) <= value)
            low = middle;
        else
            high = (uint16_t)(middle - 1);
    }
    double below = value - f16_value(low);
    double above = (low == 0x7BFF ? 65536 : f16_value((uint16_t)(low + 1))) - value;
    bool up = above < below || (above == below && (low & 1));
    return (uint16_t)(low + up);
}

static uint16_t expected_f16(float value)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    return sign | (isinf(value) ? 0x7C00 : nearest_f16(fabs((double)value)));
}

TEST(every_f16_means_what_ieee_says)
{
    for (uint32_t half = 0; half < 0x10000; half++) {
        double value = f16_value((uint16_t)half);
        float converted = asr_f16_to_f32((uint16_t)half);
        if (isnan(value))
            REQUIRE(isnan(converted));
        else
            REQUIRE(converted == value && !signbit(converted) == !signbit(value));
    }
}

TEST(every_f16_survives_the_round_trip)
{
    for (uint32_t half = 0; half < 0x10000; half++) {
        uint16_t back = asr_f32_to_f16(asr_f16_to_f32((uint16_t)half));
        bool nan = (half & 0x7FFF) > 0x7C00;
        REQUIRE(nan ? (back & 0x7FFF) > 0x7C00 : back == half);
    }
}

/* Between any two neighbours: the tie, and the floats just beside it. */
TEST(ties_go_to_even)
{
    for (uint32_t half = 0; half < 0x7C00; half++) {
        double next = half == 0x7BFF ? 65536 : f16_value((uint16_t)(half + 1));
        float tie = (float)((f16_value((uint16_t)half) + next) / 2);
        const float floats[] = {tie, nextafterf(tie, 0), nextafterf(tie, INFINITY), -tie,
                                -nextafterf(tie, 0)};
        for (int i = 0; i < 5; i++)
            REQUIRE(asr_f32_to_f16(floats[i]) == expected_f16(floats[i]));
        REQUIRE(asr_f32_to_f16(tie) == half + (half & 1));
    }
}

TEST(floats_round_to_the_nearest_f16)
{
    for (int i = 0; i < 300000; i++) {
        uint32_t bits = draw();
        if (i % 2) /* exponents where halves are */
            bits = (bits & 0x807FFFFF) | (uint32_t)(100 + bits % 45) << 23;
        float value = asr_bits_to_float(bits);
        if (isnan(value))
            REQUIRE((asr_f32_to_f16(value) & 0x7FFF) > 0x7C00);
        else
            REQUIRE(asr_f32_to_f16(value) == expected_f16(value));
    }
}

TEST(f16_of_special_floats)
{
    EXPECT_INT(asr_f32_to_f16(0.0f), 0);
    EXPECT_INT(asr_f32_to_f16(-0.0f), 0x8000);
    EXPECT_INT(asr_f32_to_f16(INFINITY), 0x7C00);
    EXPECT_INT(asr_f32_to_f16(-INFINITY), 0xFC00);
    EXPECT_INT(asr_f32_to_f16(65504), 0x7BFF);
    EXPECT_INT(asr_f32_to_f16(65519.996f), 0x7BFF);
    EXPECT_INT(asr_f32_to_f16(65520), 0x7C00);
    EXPECT_INT(asr_f32_to_f16(0x1p-24f), 1);
    EXPECT_INT(asr_f32_to_f16(0x1p-25f), 0);
    EXPECT_INT(asr_f32_to_f16(0x1.000002p-25f), 1);
    EXPECT_INT(asr_f32_to_f16(1e-45f), 0);
    EXPECT_INT(asr_f32_to_f16(-1e-45f), 0x8000);
    /* A signalling NaN whose mantissa is in the low bits alone. */
    EXPECT((asr_f32_to_f16(asr_bits_to_float(0x7F800001)) & 0x7FFF) > 0x7C00);
}

TEST(every_bf16_survives_the_round_trip)
{
    for (uint32_t half = 0; half < 0x10000; half++) {
        float value = asr_bf16_to_f32((uint16_t)half);
        REQUIRE(asr_float_to_bits(value) == half << 16);
        uint16_t back = asr_f32_to_bf16(value);
        REQUIRE(isnan(value) ? (back & 0x7FFF) > 0x7F80 : back == half);
    }
}

/* The neighbours of a float among the bf16 are its upper half and the one after it. */
TEST(floats_round_to_the_nearest_bf16)
{
    for (int i = 0; i < 300000; i++) {
        uint32_t bits = draw();
        if (i % 4 == 0)
            bits = (bits & 0xFFFF0000) | 0x8000;
        float value = asr_bits_to_float(bits);
        uint16_t half = asr_f32_to_bf16(value), low = (uint16_t)(bits >> 16);
        if (isnan(value)) {
            REQUIRE((half & 0x7FFF) > 0x7F80);
            continue;
        }
        bool up = (bits & 0xFFFF) > 0x8000 || ((bits & 0xFFFF) == 0x8000 && (low & 1));
        REQUIRE(half == (uint16_t)(low + up));
    }
    EXPECT_INT(asr_f32_to_bf16(INFINITY), 0x7F80);
    EXPECT_INT(asr_f32_to_bf16(0x1.fffffep127f), 0x7F80);
    EXPECT((asr_f32_to_bf16(asr_bits_to_float(0xFF800001)) & 0x7FFF) > 0x7F80);
}

int main(void)
{
    RUN(every_f16_means_what_ieee_says);
    RUN(every_f16_survives_the_round_trip);
    RUN(ties_go_to_even);
    RUN(floats_round_to_the_nearest_f16);
    RUN(f16_of_special_floats);
    RUN(every_bf16_survives_the_round_trip);
    RUN(floats_round_to_the_nearest_bf16);
    return test_end();
}
