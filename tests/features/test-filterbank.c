/* Mel filters, against the published values of Whisper's mel_filters and their
 * definition. */
#include "features/filterbank.h"

#include "test.h"

enum { N_FFT = 400, BINS = N_FFT / 2 + 1 };

/* The weight of every filter at one bin. */
static void filters_at(int n_mels, int bin, float *weights)
{
    double power[BINS] = {0};
    power[bin] = 1;
    asr_filterbank *bank = asr_filterbank_create_slaney(16000, N_FFT, n_mels, NULL);
    if (bank)
        asr_filterbank_apply(bank, power, weights);
    asr_filterbank_destroy(&bank);
}

TEST(has_the_published_weights)
{
    float at_1[80], at_200[80], wide[128];
    filters_at(80, 1, at_1);
    EXPECT_NEAR(at_1[0], 0.02486259, 1e-7);
    EXPECT_NEAR(at_1[1], 0.00199082, 1e-7);
    EXPECT(at_1[2] == 0);
    filters_at(80, 200, at_200);
    EXPECT_NEAR(at_200[79], 0, 1e-12);
    filters_at(128, 1, wide);
    EXPECT_NEAR(wide[0], 0.01237399, 1e-7);
    EXPECT_NEAR(wide[1], 0.03039256, 1e-7);
}

TEST(filters_have_unit_area)
{
    double power[BINS];
    for (int k = 0; k < BINS; k++)
        power[k] = 16000.0 / N_FFT;
    float mels[80];
    asr_filterbank *bank = asr_filterbank_create_slaney(16000, N_FFT, 80, NULL);
    REQUIRE(bank);
    asr_filterbank_apply(bank, power, mels);
    asr_filterbank_destroy(&bank);
    EXPECT(bank == NULL);
    /* Low filters span two bins or three, and their sum is no integral. */
    for (int m = 50; m < 80; m++)
        EXPECT_NEAR(mels[m], 1, 0.02);
}

TEST(neighbours_share_every_bin)
{
    float weights[128];
    for (int bin = 2; bin < BINS - 1; bin++) {
        filters_at(128, bin, weights);
        int touched = 0;
        for (int m = 0; m < 128; m++)
            touched += weights[m] > 0;
        if (touched < 1 || touched > 2)
            printf("# bin %d lies in %d filters\n", bin, touched);
        EXPECT(touched == 1 || touched == 2);
    }
}

int main(void)
{
    RUN(has_the_published_weights);
    RUN(filters_have_unit_area);
    RUN(neighbours_share_every_bin);
    return test_end();
}
