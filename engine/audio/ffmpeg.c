/* Decoding by FFmpeg's libraries: MP4, Matroska, WebM, MP3, AAC, Ogg, AVI and the rest.
 *
 * Only the bytes of the source are read; anything a file refers to stays closed. Holes in
 * the timestamps, as live recordings have, become silence, so that captions stay in step
 * with the picture. */
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/log.h>
#include <libswresample/swresample.h>
#include <stdlib.h>
#include <string.h>

#include "audio/decoder.h"
#include "audio/mix.h"

enum {
    IO_BUFFER = 65536,
    MAX_FRAME = 1 << 22, /* samples a channel; decoders stay far below */
    MAX_RETRIES = 1000,  /* of a demuxer that keeps asking to be called again */
};

static const double max_duration = 30 * 24 * 3600.0; /* beyond, the header is damaged */
static const double min_hole = 0.1;  /* seconds; timestamps are no more exact than this */
static const double max_hole = 3600; /* beyond, the clock was set anew */

typedef struct ffmpeg_decoder {
    asr_decoder base;
    asr_source *source;
    AVIOContext *io;
    AVFormatContext *format;
    AVCodecContext *codec;
    SwrContext *converter; /* to planar float at base.sample_rate */
    int stream;
    AVPacket *packet;
    AVFrame *frame;    /* as decoded */
    AVFrame *planar;   /* as converted */
    int used;          /* samples of `planar` already given out */
    uint64_t silence;  /* samples of it to give out before `planar` */
    uint64_t position; /* samples given out */
    bool drained;      /* the demuxer has no more */
} ffmpeg_decoder;

static int on_read(void *opaque, uint8_t *bytes, int count)
{
    ptrdiff_t n = asr_source_read(opaque, bytes, (size_t)count);
    if (n < 0)
        return AVERROR(((asr_source *)opaque)->failure);
    return n == 0 ? AVERROR_EOF : (int)n;
}

static int64_t on_seek(void *opaque, int64_t offset, int whence)
{
    const asr_source *source = opaque;
    if (whence & AVSEEK_SIZE)
        return source->size;
    return asr_source_seek(opaque, offset, whence & ~AVSEEK_FORCE);
}

/* Playlists and the like ask for other files: never. */
static int refuse_open(AVFormatContext *format, AVIOContext **io, const char *url,
                       int flags, AVDictionary **options)
{
    (void)format, (void)io, (void)url, (void)flags, (void)options;
    return AVERROR(EACCES);
}

static bool fail_content(const asr_source *source, int reason, asr_error *error)
{
    switch (reason) {
    case AVERROR(ENOMEM):
        return asr_fail_memory(error);
    case AVERROR_STREAM_NOT_FOUND:
        return asr_fail(error, "%s has no sound; choose a file with an audio track.",
                        source->path);
    case AVERROR_DECODER_NOT_FOUND:
        return asr_fail(error,
                        "%s holds sound in a format that FFmpeg here cannot decode; "
                        "convert it to WAV or FLAC.",
                        source->path);
    default:
        return asr_fail(error,
                        "%s is not an audio or video file, or is damaged or incomplete; "
                        "choose another.",
                        source->path);
    }
}

static bool open_io(ffmpeg_decoder *decoder)
{
    unsigned char *buffer = av_malloc(IO_BUFFER);
    if (!buffer)
        return false;
    decoder->io = avio_alloc_context(buffer, IO_BUFFER, 0, decoder->source, on_read, NULL,
                                     decoder->source->size < 0 ? NULL : on_seek);
    if (!decoder->io)
        av_free(buffer);
    return decoder->io;
}

/* Returns 0 or FFmpeg's error code. */
static int open_format(ffmpeg_decoder *decoder)
{
    decoder->format = avformat_alloc_context();
    if (!decoder->format || !open_io(decoder))
        return AVERROR(ENOMEM);
    decoder->format->pb = decoder->io;
    decoder->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    decoder->format->io_open = refuse_open;
    AVDictionary *options = NULL;
    int status = av_dict_set(&options, "protocol_whitelist", "none", 0);
    if (status >= 0)
        status = avformat_open_input(&decoder->format, "sound", NULL, &options);
    av_dict_free(&options);
    if (status < 0)
        return status;
    status = avformat_find_stream_info(decoder->format, NULL);
    return status < 0 ? status : 0;
}

/* Finds the stream, and has the demuxer leave out the others. A stream of sound that
 * lacks a rate or channels is damage, not silence. */
static int choose_stream(ffmpeg_decoder *decoder, const AVCodec **codec)
{
    AVFormatContext *format = decoder->format;
    int status = av_find_best_stream(format, AVMEDIA_TYPE_AUDIO, -1, -1, codec, 0);
    decoder->stream = status;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        AVStream *stream = format->streams[i];
        bool sound = stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
        if (status == AVERROR_STREAM_NOT_FOUND && sound)
            status = AVERROR_INVALIDDATA;
        if ((int)i != decoder->stream)
            stream->discard = AVDISCARD_ALL;
    }
    return status;
}

static int open_codec(ffmpeg_decoder *decoder, const AVCodec *codec)
{
    const AVStream *stream = decoder->format->streams[decoder->stream];
    decoder->codec = avcodec_alloc_context3(codec);
    if (!decoder->codec)
        return AVERROR(ENOMEM);
    int status = avcodec_parameters_to_context(decoder->codec, stream->codecpar);
    if (status < 0)
        return status;
    decoder->codec->pkt_timebase = stream->time_base;
    decoder->codec->thread_count = 1;
    return avcodec_open2(decoder->codec, codec, NULL);
}

/* Seconds from the start of the container, which is where players begin to count. */
static double stream_time(const ffmpeg_decoder *decoder, int64_t timestamp)
{
    const AVFormatContext *format = decoder->format;
    double start = format->start_time == AV_NOPTS_VALUE
                       ? 0
                       : (double)format->start_time / AV_TIME_BASE;
    return (double)timestamp * av_q2d(format->streams[decoder->stream]->time_base) -
           start;
}

/* The end of the stream or, where only that is known, of the container. A duration that
 * FFmpeg guessed from the bit rate is none. */
static double stated_duration(const ffmpeg_decoder *decoder)
{
    const AVFormatContext *format = decoder->format;
    const AVStream *stream = format->streams[decoder->stream];
    if (format->duration_estimation_method == AVFMT_DURATION_FROM_BITRATE)
        return -1;
    double duration = -1;
    if (stream->duration != AV_NOPTS_VALUE && stream->start_time != AV_NOPTS_VALUE)
        duration = stream_time(decoder, stream->start_time) +
                   (double)stream->duration * av_q2d(stream->time_base);
    else if (format->duration != AV_NOPTS_VALUE)
        duration = (double)format->duration / AV_TIME_BASE;
    return duration > 0 && duration <= max_duration ? duration : -1;
}

/* Has the decoder take one packet of the stream, or the end of it. What it cannot decode
 * it passes over. Returns 0 or AVERROR(ENOMEM). */
static int feed(ffmpeg_decoder *decoder)
{
    int status = AVERROR(EAGAIN);
    for (int i = 0; status == AVERROR(EAGAIN) && i < MAX_RETRIES; i++)
        status = av_read_frame(decoder->format, decoder->packet);
    if (status < 0) {
        decoder->drained = true;
        status = avcodec_send_packet(decoder->codec, NULL);
    } else if (decoder->packet->stream_index == decoder->stream) {
        status = avcodec_send_packet(decoder->codec, decoder->packet);
    }
    av_packet_unref(decoder->packet);
    return status == AVERROR(ENOMEM) ? status : 0;
}

/* Decodes the next frame. Returns 0, AVERROR_EOF or AVERROR(ENOMEM). */
static int decode_frame(ffmpeg_decoder *decoder)
{
    for (;;) {
        int status = avcodec_receive_frame(decoder->codec, decoder->frame);
        if (status >= 0 || status == AVERROR(ENOMEM))
            return status;
        if (status == AVERROR_EOF || decoder->drained)
            return AVERROR_EOF;
        status = feed(decoder);
        if (status < 0)
            return status;
    }
}

/* Whether the frame, perhaps after a change in the middle of the stream, is one to use;
 * it may be damaged. The first sets the rate. Bounds what the converter allocates. */
static bool accept_frame(ffmpeg_decoder *decoder)
{
    const AVFrame *frame = decoder->frame;
    if (!asr_decoder_check(decoder->source, frame->sample_rate,
                           frame->ch_layout.nb_channels, NULL))
        return false;
    if (decoder->base.sample_rate == 0)
        decoder->base.sample_rate = frame->sample_rate;
    int64_t n =
        av_rescale(frame->nb_samples, decoder->base.sample_rate, frame->sample_rate);
    return n > 0 && n <= MAX_FRAME;
}

/* Turns `frame` into `planar`. The converter sets itself up by the first frame, and again
 * when the stream changes its format. */
static int convert_frame(ffmpeg_decoder *decoder)
{
    AVFrame *planar = decoder->planar;
    for (int attempt = 0;; attempt++) {
        av_frame_unref(planar);
        planar->format = AV_SAMPLE_FMT_FLTP;
        planar->sample_rate = decoder->base.sample_rate;
        int status =
            av_channel_layout_copy(&planar->ch_layout, &decoder->frame->ch_layout);
        if (status >= 0)
            status = swr_convert_frame(decoder->converter, planar, decoder->frame);
        if (status >= 0 || status == AVERROR(ENOMEM) || attempt > 0)
            return status;
        swr_close(decoder->converter);
    }
}

/* Holes are filled no further than the stated end, so that a damaged timestamp cannot ask
 * for days of silence. */
static uint64_t silence_before(const ffmpeg_decoder *decoder, const AVFrame *frame)
{
    if (frame->best_effort_timestamp == AV_NOPTS_VALUE)
        return 0;
    double time = stream_time(decoder, frame->best_effort_timestamp);
    double hole = time - (double)decoder->position / decoder->base.sample_rate;
    if (hole < min_hole || hole > max_hole || time > decoder->base.duration)
        return 0;
    return (uint64_t)(hole * decoder->base.sample_rate);
}

/* Makes the next frame that can be used ready in `planar`. */
static int next_frame(ffmpeg_decoder *decoder)
{
    decoder->used = 0;
    for (;;) {
        av_frame_unref(decoder->planar);
        int status = decode_frame(decoder);
        if (status < 0)
            return status;
        if (!accept_frame(decoder))
            continue;
        status = convert_frame(decoder);
        if (status == AVERROR(ENOMEM))
            return status;
        if (status < 0 || decoder->planar->nb_samples == 0)
            continue;
        decoder->silence = silence_before(decoder, decoder->frame);
        return 0;
    }
}

/* Gives out silence, or else samples of `planar`. */
static size_t give(ffmpeg_decoder *decoder, float *samples, size_t count)
{
    if (decoder->silence > 0) {
        size_t n = decoder->silence < count ? (size_t)decoder->silence : count;
        memset(samples, 0, n * sizeof(*samples));
        decoder->silence -= n;
        return n;
    }
    const AVFrame *planar = decoder->planar;
    size_t left = (size_t)(planar->nb_samples - decoder->used);
    size_t n = left < count ? left : count;
    const float *channels[ASR_MAX_CHANNELS];
    for (int c = 0; c < planar->ch_layout.nb_channels; c++)
        channels[c] = (const float *)planar->extended_data[c] + decoder->used;
    asr_mix_to_mono(channels, planar->ch_layout.nb_channels, 1, n, samples);
    decoder->used += (int)n;
    return n;
}

static ptrdiff_t ffmpeg_read(asr_decoder *base, float *samples, size_t count,
                             asr_error *error)
{
    ffmpeg_decoder *decoder = (ffmpeg_decoder *)base;
    size_t done = 0;
    while (done < count) {
        if (decoder->silence == 0 && decoder->used == decoder->planar->nb_samples) {
            int status = next_frame(decoder);
            if (status == AVERROR(ENOMEM)) {
                asr_fail_memory(error);
                return -1;
            }
            if (status < 0)
                break;
        }
        size_t n = give(decoder, samples + done, count - done);
        decoder->position += n;
        done += n;
    }
    return (ptrdiff_t)done;
}

static void ffmpeg_destroy(asr_decoder *base)
{
    ffmpeg_decoder *decoder = (ffmpeg_decoder *)base;
    av_frame_free(&decoder->planar);
    av_frame_free(&decoder->frame);
    av_packet_free(&decoder->packet);
    swr_free(&decoder->converter);
    avcodec_free_context(&decoder->codec);
    avformat_close_input(&decoder->format);
    if (decoder->io)
        av_freep(&decoder->io->buffer);
    avio_context_free(&decoder->io);
    free(decoder);
}

static const asr_decoder_class ffmpeg_class = {
    .read = ffmpeg_read,
    .destroy = ffmpeg_destroy,
};

static bool allocate(ffmpeg_decoder *decoder)
{
    decoder->packet = av_packet_alloc();
    decoder->frame = av_frame_alloc();
    decoder->planar = av_frame_alloc();
    decoder->converter = swr_alloc();
    return decoder->packet && decoder->frame && decoder->planar && decoder->converter;
}

/* What the header states; zero means that only the first frame will tell. */
static bool check_header(const ffmpeg_decoder *decoder, asr_error *error)
{
    const AVStream *stream = decoder->format->streams[decoder->stream];
    int rate = stream->codecpar->sample_rate;
    int channels = stream->codecpar->ch_layout.nb_channels;
    return asr_decoder_check(decoder->source, rate ? rate : ASR_MIN_RATE,
                             channels ? channels : 1, error);
}

/* Decodes the first frame, which tells the sample rate. */
static int start(ffmpeg_decoder *decoder)
{
    decoder->base.duration = stated_duration(decoder);
    int status = next_frame(decoder);
    return status == AVERROR_EOF ? 0 : status;
}

asr_decoder *asr_ffmpeg_open(asr_source *source, asr_error *error)
{
    ffmpeg_decoder *decoder = calloc(1, sizeof(*decoder));
    if (!decoder) {
        asr_fail_memory(error);
        return NULL;
    }
    decoder->base.class = &ffmpeg_class;
    decoder->source = source;
    /* Damage is reported in our own words, or passed over: nothing on standard error. */
    av_log_set_level(AV_LOG_QUIET);
    const AVCodec *codec = NULL;
    int status = allocate(decoder) ? open_format(decoder) : AVERROR(ENOMEM);
    if (status >= 0)
        status = choose_stream(decoder, &codec);
    if (status >= 0 && !check_header(decoder, error))
        goto fail;
    if (status >= 0)
        status = open_codec(decoder, codec);
    if (status >= 0)
        status = start(decoder);
    if (status >= 0)
        return &decoder->base;
    fail_content(source, status, error);

fail:
    ffmpeg_destroy(&decoder->base);
    return NULL;
}
