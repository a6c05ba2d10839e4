/* A file from its bytes to mono samples at the wanted rate:
 *
 *     source -> decoder -> block -> resampler -> caller
 *
 * The block is all that is held between two reads. */
#include "audio/file.h"

#include <stdlib.h>
#include <string.h>

#include "audio/decoder.h"
#include "audio/resample.h"

enum { BLOCK = 4096 };

struct asr_audio_file {
    asr_source *source;
    asr_decoder *decoder;
    asr_resampler *resampler; /* NULL when the file has the wanted rate */
    int sample_rate;
    uint64_t delivered; /* samples given to the caller */
    float
        block[BLOCK]; /* decoded samples; those from start to end are still to be used */
    size_t start, end;
    bool ended; /* the decoder has no more */
};

static bool fail_read(const asr_source *source, asr_error *error)
{
    return asr_fail(error, "%s cannot be read any further (%s); check the disk it is on.",
                    source->path, strerror(source->failure));
}

static bool refill(asr_audio_file *file, asr_error *error)
{
    ptrdiff_t n = file->decoder->class->read(file->decoder, file->block, BLOCK, error);
    if (n < 0)
        return false;
    if (n == 0 && file->source->failure)
        return fail_read(file->source, error);
    file->start = 0;
    file->end = (size_t)n;
    file->ended = n == 0;
    return true;
}

static void close_decoder(asr_audio_file *file)
{
    if (file->decoder)
        file->decoder->class->destroy(file->decoder);
    file->decoder = NULL;
}

/* Has one decoder give its first block: accepting the header is not enough. */
static bool try_decoder(asr_audio_file *file,
                        asr_decoder *(*open)(asr_source *, asr_error *), asr_error *error)
{
    asr_source_seek(file->source, 0, SEEK_SET);
    file->source->failure = 0;
    file->decoder = open(file->source, error);
    if (!file->decoder)
        return file->source->failure ? fail_read(file->source, error) : false;
    if (refill(file, error) && file->end > 0)
        return true;
    if (file->ended)
        asr_fail(error,
                 "%s holds no sound: its length is zero, or it is damaged from the "
                 "start; choose another.",
                 file->source->path);
    close_decoder(file);
    return false;
}

/* The first refusal is the one to report: it comes from the decoder that knew the format,
 * since libsndfile leaves no word on what it does not know. */
static bool open_decoder(asr_audio_file *file, asr_error *error)
{
    asr_error first = {0}, second = {0};
    if (try_decoder(file, asr_sndfile_open, &first))
        return true;
    if (try_decoder(file, asr_ffmpeg_open, &second))
        return true;
    return asr_fail(error, "%s", first.message[0] ? first.message : second.message);
}

asr_audio_file *asr_audio_file_open(const char *path, int sample_rate, asr_error *error)
{
    asr_audio_file *file = calloc(1, sizeof(*file));
    if (!file) {
        asr_fail_memory(error);
        return NULL;
    }
    file->sample_rate = sample_rate;
    file->source = asr_source_open(path, error);
    if (!file->source || !open_decoder(file, error))
        goto fail;
    if (file->decoder->sample_rate != sample_rate) {
        file->resampler =
            asr_resampler_create(file->decoder->sample_rate, sample_rate, error);
        if (!file->resampler)
            goto fail;
    }
    return file;

fail:
    asr_audio_file_destroy(&file);
    return NULL;
}

/* Moves what it can from the block to samples[count]. */
static ptrdiff_t take(asr_audio_file *file, float *samples, size_t count,
                      asr_error *error)
{
    size_t held = file->end - file->start;
    const float *from = file->block + file->start;
    size_t consumed = held < count ? held : count;
    size_t produced = consumed;
    if (!file->resampler)
        memcpy(samples, from, consumed * sizeof(*samples));
    else if (!asr_resampler_process(file->resampler, file->ended ? NULL : from, held,
                                    &consumed, samples, count, &produced, error))
        return -1;
    file->start += consumed;
    return (ptrdiff_t)produced;
}

ptrdiff_t asr_audio_file_read(asr_audio_file *file, float *samples, size_t count,
                              asr_error *error)
{
    size_t done = 0;
    while (done < count) {
        if (file->start == file->end && !file->ended && !refill(file, error))
            return -1;
        ptrdiff_t n = take(file, samples + done, count - done, error);
        if (n < 0)
            return -1;
        if (n == 0 && file->ended)
            break;
        done += (size_t)n;
    }
    file->delivered += done;
    return (ptrdiff_t)done;
}

double asr_audio_file_duration(const asr_audio_file *file)
{
    return file->decoder->duration;
}

double asr_audio_file_progress(const asr_audio_file *file)
{
    double done = (double)file->source->position;
    double all = (double)file->source->size;
    if (file->decoder->duration > 0) {
        done = (double)file->delivered / file->sample_rate;
        all = file->decoder->duration;
    }
    if (all < 0)
        return -1;
    return done < all ? done / all : 1;
}

void asr_audio_file_destroy(asr_audio_file **file)
{
    if (!*file)
        return;
    close_decoder(*file);
    asr_resampler_destroy(&(*file)->resampler);
    asr_source_destroy(&(*file)->source);
    free(*file);
    *file = NULL;
}
