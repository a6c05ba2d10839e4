/* Sample rate conversion and mixing. */
#include "audio/mix.h"
#include "audio/resample.h"

#include "test.h"

/* Converts samples[n] in pieces, and returns how many came out. */
static size_t convert(int from, int to, const float *samples, size_t n, size_t n_in,
                      size_t n_out, float *out, size_t capacity)
{
    asr_resampler *resampler = asr_resampler_create(from, to, NULL);
    size_t used = 0, done = 0, consumed, produced;
    bool going = resampler != NULL;
    while (going) {
        size_t piece = n - used < n_in ? n - used : n_in;
        size_t room = capacity - done < n_out ? capacity - done : n_out;
        bool at_end = used == n;
        if (!asr_resampler_process(resampler, at_end ? NULL : samples + used, piece,
                                   &consumed, out + done, room, &produced, NULL))
            break;
        used += consumed;
        done += produced;
        going = !at_end || produced > 0;
    }
    asr_resampler_destroy(&resampler);
    return done;
}

static void check_tone(int from, int to)
{
    size_t n = (size_t)from, capacity = (size_t)to + 100;
    float *in = malloc(n * sizeof(*in)), *out = malloc(capacity * sizeof(*out));
    for (size_t i = 0; i < n; i++)
        in[i] = (float)sin(2 * M_PI * 440 * (double)i / from);
    size_t done = convert(from, to, in, n, 1000, 777, out, capacity);
    EXPECT_INT(done, to);
    double worst = 0;
    for (int i = to / 10; i < to * 9 / 10; i++)
        worst = fmax(worst, fabs(out[i] - sin(2 * M_PI * 440 * (double)i / to)));
    EXPECT_NEAR(worst, 0, 1e-5);
    free(in);
    free(out);
}

TEST(tone_keeps_time_and_level)
{
    static const int rates[] = {8000, 11025, 22050, 44100, 48000, 96000, 192000};
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++)
        check_tone(rates[i], 16000);
}

TEST(what_16_khz_cannot_hold_is_removed)
{
    enum { IN = 48000, OUT = 16000 };
    static float in[IN], out[OUT + 100];
    for (int i = 0; i < IN; i++)
        in[i] = i % 2 == 0 ? 0 : i % 4 == 1 ? 1 : -1; /* 12 kHz */
    size_t done = convert(IN, OUT, in, IN, IN, OUT + 100, out, OUT + 100);
    EXPECT_INT(done, OUT);
    for (int i = OUT / 10; i < OUT * 9 / 10; i++)
        EXPECT_NEAR(out[i], 0, 1e-5);
}

TEST(pieces_do_not_matter)
{
    enum { IN = 44100, OUT = 16000 };
    static float in[IN], whole[OUT + 100], pieces[OUT + 100];
    for (int i = 0; i < IN; i++)
        in[i] = (float)((i * 7919 % 2001) - 1000) / 1000.0f;
    size_t all = convert(IN, OUT, in, IN, IN, OUT + 100, whole, OUT + 100);
    size_t few = convert(IN, OUT, in, IN, 37, 5, pieces, OUT + 100);
    EXPECT_INT(all, few);
    for (size_t i = 0; i < all && i < few; i++)
        EXPECT_NEAR(pieces[i], whole[i], 1e-6);
}

TEST(mix_takes_the_mean)
{
    const float left[] = {1, 0.5f, -1}, right[] = {0, 0.5f, 1};
    const float *planes[] = {left, right};
    float mono[3];
    asr_mix_to_mono(planes, 2, 1, 3, mono);
    EXPECT(mono[0] == 0.5f && mono[1] == 0.5f && mono[2] == 0);

    const float interleaved[] = {1, 2, 6, -3, 0, 3};
    const float *channels[] = {interleaved, interleaved + 1, interleaved + 2};
    asr_mix_to_mono(channels, 3, 3, 2, mono);
    EXPECT_NEAR(mono[0], 3, 1e-6);
    EXPECT_NEAR(mono[1], 0, 1e-6);
}

TEST(mix_passes_no_nonsense)
{
    const float left[] = {NAN, INFINITY, -INFINITY, 1e30f}, right[] = {1, 1, 1, 1};
    const float *planes[] = {left, right};
    float mono[4];
    asr_mix_to_mono(planes, 2, 1, 4, mono);
    for (int i = 0; i < 4; i++)
        EXPECT(mono[i] == 0.5f);
}

int main(void)
{
    RUN(tone_keeps_time_and_level);
    RUN(what_16_khz_cannot_hold_is_removed);
    RUN(pieces_do_not_matter);
    RUN(mix_takes_the_mean);
    RUN(mix_passes_no_nonsense);
    return test_end();
}
