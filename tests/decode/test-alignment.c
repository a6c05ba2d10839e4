/* Alignment on attention that is made up, so that the right answer is known. */
#include "decode/alignment.h"

#include "test.h"

#include <stdint.h>

#define HEADS 2
#define TOKENS 6
#define POSITIONS 60

/* Token t attends to frames [t·8, t·8 + 8), blurred, with some noise. */
static void diagonal(float *weights)
{
    uint32_t state = 1;
    for (int h = 0; h < HEADS; h++)
        for (int t = 0; t < TOKENS; t++)
            for (int f = 0; f < POSITIONS; f++) {
                state = state * 1664525u + 1013904223u;
                float noise = (float)(state >> 8) / (float)(1 << 24) * 0.02f;
                bool inside = f >= t * 8 && f < t * 8 + 8;
                weights[(h * TOKENS + t) * POSITIONS + f] = noise + (inside ? 1.0f : 0);
            }
}

TEST(a_diagonal_is_followed)
{
    float weights[HEADS * TOKENS * POSITIONS];
    int first[TOKENS];
    asr_error error;
    diagonal(weights);
    REQUIRE(asr_alignment_frames(weights, HEADS, TOKENS, POSITIONS, TOKENS * 8, 0, first,
                                 &error));
    for (int t = 0; t < TOKENS; t++)
        EXPECT_NEAR(first[t], t * 8, 1);
}

TEST(skipped_tokens_have_no_times)
{
    float weights[HEADS * TOKENS * POSITIONS];
    int first[TOKENS] = {0};
    asr_error error;
    diagonal(weights);
    first[TOKENS - 2] = -7;
    REQUIRE(asr_alignment_frames(weights, HEADS, TOKENS, POSITIONS, TOKENS * 8, 2, first,
                                 &error));
    EXPECT_INT(first[0], 0); /* the path begins where the audio does */
    for (int t = 1; t < TOKENS - 2; t++)
        EXPECT_NEAR(first[t], (t + 2) * 8, 1);
    EXPECT_INT(first[TOKENS - 2], -7);
}

TEST(times_never_run_backwards)
{
    for (uint32_t seed = 1; seed < 60; seed++) {
        float weights[HEADS * TOKENS * POSITIONS];
        int first[TOKENS];
        int n_frames = (int)(seed % POSITIONS) + 1;
        asr_error error;
        uint32_t state = seed;
        for (int i = 0; i < HEADS * TOKENS * POSITIONS; i++) {
            state = state * 1664525u + 1013904223u;
            weights[i] = (float)(state >> 8) / (float)(1 << 24);
        }
        REQUIRE(asr_alignment_frames(weights, HEADS, TOKENS, POSITIONS, n_frames, 0,
                                     first, &error));
        for (int t = 0; t < TOKENS; t++) {
            EXPECT(first[t] >= 0 && first[t] < n_frames);
            EXPECT(t == 0 || first[t] >= first[t - 1]);
        }
    }
}

TEST(attention_of_zeros_is_survived)
{
    float weights[HEADS * TOKENS * POSITIONS] = {0};
    int first[TOKENS];
    asr_error error;
    REQUIRE(asr_alignment_frames(weights, HEADS, TOKENS, POSITIONS, 5, 0, first, &error));
    for (int t = 1; t < TOKENS; t++)
        EXPECT(first[t] >= first[t - 1] && first[t] < 5);
}

int main(void)
{
    RUN(a_diagonal_is_followed);
    RUN(skipped_tokens_have_no_times);
    RUN(times_never_run_backwards);
    RUN(attention_of_zeros_is_survived);
    return test_end();
}
