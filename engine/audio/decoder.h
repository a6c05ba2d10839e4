/* What a decoder of audio files is, to the file that uses it. Inside engine/audio only.
 */
#ifndef ASR_DECODER_H
#define ASR_DECODER_H

#include <stddef.h>

#include "audio/source.h"
#include "error.h"

typedef struct asr_decoder asr_decoder;

typedef struct asr_decoder_class {
    /* Writes up to `count` mono samples at the file's own rate. Returns how many: 0 at
     * the end, and where the file is cut short or damaged; -1 for want of memory. */
    ptrdiff_t (*read)(asr_decoder *decoder, float *samples, size_t count,
                      asr_error *error);
    void (*destroy)(asr_decoder *decoder);
} asr_decoder_class;

/* The first member of every decoder. */
struct asr_decoder {
    const asr_decoder_class *class;
    int sample_rate; /* Hz, within the limits below */
    double duration; /* seconds, or negative: not stated */
};

/* Both leave the source to the caller, who keeps it as long as the decoder. NULL when the
 * content is nothing for them. */
asr_decoder *asr_sndfile_open(asr_source *source, asr_error *error);
asr_decoder *asr_ffmpeg_open(asr_source *source, asr_error *error);

/* Refuses rates and channel counts that no recording has. The limits admit 64-channel
 * ambisonics and the rates of studio equipment, and bound the memory a header can ask. */
bool asr_decoder_check(const asr_source *source, long long sample_rate,
                       long long channels, asr_error *error);

enum { ASR_MAX_CHANNELS = 64, ASR_MIN_RATE = 1000, ASR_MAX_RATE = 768000 };

#endif
