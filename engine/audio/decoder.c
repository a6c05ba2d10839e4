/* What holds for every decoder. */
#include "audio/decoder.h"

bool asr_decoder_check(const asr_source *source, long long sample_rate,
                       long long channels, asr_error *error)
{
    if (channels >= 1 && channels <= ASR_MAX_CHANNELS && sample_rate >= ASR_MIN_RATE &&
        sample_rate <= ASR_MAX_RATE)
        return true;
    return asr_fail(error,
                    "%s states %lld channels at %lld Hz, which no recording has: it is "
                    "damaged; make or choose another.",
                    source->path, channels, sample_rate);
}
