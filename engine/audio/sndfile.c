/* Decoding by libsndfile: WAV, AIFF, FLAC, CAF, AU and the other formats it knows. */
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

#include "audio/decoder.h"
#include "audio/mix.h"

enum { BLOCK_FRAMES = 4096 };

typedef struct sndfile_decoder {
    asr_decoder base;
    SNDFILE *file;
    int channels;
    float *block; /* [BLOCK_FRAMES, channels] */
} sndfile_decoder;

static sf_count_t on_length(void *source)
{
    return ((asr_source *)source)->size;
}

static sf_count_t on_seek(sf_count_t offset, int whence, void *source)
{
    return asr_source_seek(source, offset, whence);
}

static sf_count_t on_read(void *bytes, sf_count_t count, void *source)
{
    ptrdiff_t n = asr_source_read(source, bytes, (size_t)count);
    return n < 0 ? 0 : n;
}

static sf_count_t on_tell(void *source)
{
    return ((asr_source *)source)->position;
}

static ptrdiff_t sndfile_read(asr_decoder *base, float *samples, size_t count,
                              asr_error *error)
{
    (void)error;
    sndfile_decoder *decoder = (sndfile_decoder *)base;
    size_t wanted = count < BLOCK_FRAMES ? count : BLOCK_FRAMES;
    sf_count_t n = sf_readf_float(decoder->file, decoder->block, (sf_count_t)wanted);
    if (n <= 0)
        return 0;
    const float *channels[ASR_MAX_CHANNELS];
    for (int c = 0; c < decoder->channels; c++)
        channels[c] = decoder->block + c;
    asr_mix_to_mono(channels, decoder->channels, (size_t)decoder->channels, (size_t)n,
                    samples);
    return n;
}

static void sndfile_destroy(asr_decoder *base)
{
    sndfile_decoder *decoder = (sndfile_decoder *)base;
    if (decoder->file)
        sf_close(decoder->file);
    free(decoder->block);
    free(decoder);
}

static const asr_decoder_class sndfile_class = {
    .read = sndfile_read,
    .destroy = sndfile_destroy,
};

/* MPEG audio (a frame's sync word, or a tag before it) and Ogg are left to FFmpeg:
 * libsndfile guesses the length of an MP3 without a Xing header from its first frames, of
 * chained Ogg streams reads the first only, and lets its MP3 decoder print warnings. */
static bool is_better_left(asr_source *source)
{
    uint8_t magic[4] = {0};
    bool read = asr_source_read(source, magic, sizeof(magic)) == sizeof(magic);
    asr_source_seek(source, 0, SEEK_SET);
    return !read || memcmp(magic, "OggS", 4) == 0 || memcmp(magic, "ID3", 3) == 0 ||
           (magic[0] == 0xFF && (magic[1] & 0xE0) == 0xE0);
}

asr_decoder *asr_sndfile_open(asr_source *source, asr_error *error)
{
    if (source->size < 0 || is_better_left(source))
        return NULL;
    sndfile_decoder *decoder = calloc(1, sizeof(*decoder));
    if (!decoder)
        goto no_memory;
    decoder->base.class = &sndfile_class;
    SF_VIRTUAL_IO io = {
        .get_filelen = on_length, .seek = on_seek, .read = on_read, .tell = on_tell};
    SF_INFO info = {0};
    decoder->file = sf_open_virtual(&io, SFM_READ, &info, source);
    if (!decoder->file ||
        !asr_decoder_check(source, info.samplerate, info.channels, error))
        goto fail;
    decoder->channels = info.channels;
    decoder->base.sample_rate = info.samplerate;
    decoder->base.duration =
        info.frames < SF_COUNT_MAX ? (double)info.frames / info.samplerate : -1.0;
    decoder->block =
        malloc((size_t)info.channels * BLOCK_FRAMES * sizeof(*decoder->block));
    if (!decoder->block)
        goto no_memory;
    return &decoder->base;

no_memory:
    asr_fail_memory(error);
fail:
    if (decoder)
        sndfile_destroy(&decoder->base);
    return NULL;
}
