/* Sample rate conversion. soxr's "high quality" (20 bits) is well beyond what the models
 * can hear, and hundreds of times faster than real time. */
#include "audio/resample.h"

#include <soxr.h>
#include <stdlib.h>

struct asr_resampler {
    soxr_t soxr;
};

asr_resampler *asr_resampler_create(int from_rate, int to_rate, asr_error *error)
{
    asr_resampler *resampler = calloc(1, sizeof(*resampler));
    if (!resampler) {
        asr_fail_memory(error);
        return NULL;
    }
    soxr_error_t reason = NULL;
    soxr_io_spec_t format = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    soxr_runtime_spec_t threads = soxr_runtime_spec(1);
    resampler->soxr =
        soxr_create(from_rate, to_rate, 1, &reason, &format, &quality, &threads);
    if (!resampler->soxr) {
        asr_fail(error,
                 "Sound at %d Hz cannot be converted to %d Hz (%s); convert the "
                 "file to 16000 Hz first.",
                 from_rate, to_rate, reason ? soxr_strerror(reason) : "no reason given");
        asr_resampler_destroy(&resampler);
    }
    return resampler;
}

bool asr_resampler_process(asr_resampler *resampler, const float *input, size_t n_input,
                           size_t *consumed, float *output, size_t n_output,
                           size_t *produced, asr_error *error)
{
    *consumed = *produced = 0;
    soxr_error_t reason = soxr_process(resampler->soxr, input, n_input, consumed, output,
                                       n_output, produced);
    if (reason)
        return asr_fail(error,
                        "The sample rate cannot be converted (%s); convert the "
                        "file to 16000 Hz first.",
                        soxr_strerror(reason));
    return true;
}

void asr_resampler_destroy(asr_resampler **resampler)
{
    if (!*resampler)
        return;
    soxr_delete((*resampler)->soxr);
    free(*resampler);
    *resampler = NULL;
}
