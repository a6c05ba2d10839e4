/* The formats made of cues: plain text, SubRip, WebVTT and tab-separated values. */
#include "text/export.h"

#include "savefile.h"
#include "text/export-private.h"
#include "text/subtitle.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char *const format_names[] = {
    [ASR_EXPORT_TXT] = "txt",   [ASR_EXPORT_SRT] = "srt", [ASR_EXPORT_VTT] = "vtt",
    [ASR_EXPORT_JSON] = "json", [ASR_EXPORT_TSV] = "tsv",
};

static const char *const timestamp_names[] = {
    [ASR_TIMESTAMPS_NONE] = "none",
    [ASR_TIMESTAMPS_SEGMENT] = "segment",
    [ASR_TIMESTAMPS_WORD] = "word",
};

bool asr_export_format_parse(const char *name, asr_export_format *format,
                             asr_error *error)
{
    for (size_t i = 0; i < sizeof(format_names) / sizeof(format_names[0]); i++) {
        if (strcmp(format_names[i], name) == 0) {
            *format = (asr_export_format)i;
            return true;
        }
    }
    return asr_fail(error,
                    "There is no format \"%.40s\"; choose txt, srt, vtt, json or "
                    "tsv.",
                    name);
}

bool asr_export_timestamps_parse(const char *name, asr_export_timestamps *timestamps,
                                 asr_error *error)
{
    for (size_t i = 0; i < sizeof(timestamp_names) / sizeof(timestamp_names[0]); i++) {
        if (strcmp(timestamp_names[i], name) == 0) {
            *timestamps = (asr_export_timestamps)i;
            return true;
        }
    }
    return asr_fail(error,
                    "There are no timestamps \"%.40s\"; choose none, segment or "
                    "word.",
                    name);
}

const char *asr_export_format_name(asr_export_format format)
{
    return format_names[format];
}

/* HH:MM:SS.mmm with the given separator; hours are left out where they may be and are
 * zero. */
static void put_clock(FILE *out, double seconds, bool hours, char separator)
{
    int64_t ms = asr_export_milliseconds(seconds);
    if (hours || ms >= 3600000)
        fprintf(out, "%02" PRId64 ":", ms / 3600000);
    fprintf(out, "%02d:%02d%c%03d", (int)(ms / 60000 % 60), (int)(ms / 1000 % 60),
            separator, (int)(ms % 1000));
}

static void put_times(FILE *out, const asr_cue *cue, bool hours, char separator)
{
    put_clock(out, cue->start, hours, separator);
    fputs(" --> ", out);
    put_clock(out, cue->end, hours, separator);
}

static void put_txt(FILE *out, const asr_cue *cue, bool timed)
{
    if (timed) {
        putc('[', out);
        put_times(out, cue, false, '.');
        fputs("]  ", out);
    }
    if (cue->speaker) {
        asr_export_put_text(out, cue->speaker, ASR_ESCAPE_LINE);
        fputs(": ", out);
    }
    fprintf(out, "%s\n", cue->text);
}

static void put_srt(FILE *out, const asr_cue *cue, size_t number)
{
    fprintf(out, "%s%zu\n", number > 1 ? "\n" : "", number);
    put_times(out, cue, true, ',');
    fprintf(out, "\n%s\n", cue->text);
}

static void put_vtt(FILE *out, const asr_cue *cue)
{
    putc('\n', out);
    put_times(out, cue, true, '.');
    putc('\n', out);
    if (cue->speaker) {
        fputs("<v ", out);
        asr_export_put_text(out, cue->speaker, ASR_ESCAPE_NAME);
        putc('>', out);
    }
    asr_export_put_text(out, cue->text, ASR_ESCAPE_MARKUP);
    putc('\n', out);
}

static void put_tsv(FILE *out, const asr_cue *cue)
{
    fprintf(out, "%" PRId64 "\t%" PRId64 "\t%s\n", asr_export_milliseconds(cue->start),
            asr_export_milliseconds(cue->end), cue->text);
}

static void write_cues(FILE *out, const asr_cues *cues, const asr_export_params *params)
{
    if (params->format == ASR_EXPORT_VTT)
        fputs("WEBVTT\n", out);
    if (params->format == ASR_EXPORT_TSV)
        fputs("start\tend\ttext\n", out);
    for (size_t i = 0; i < cues->n_items && !ferror(out); i++) {
        const asr_cue *cue = &cues->items[i];
        switch (params->format) {
        case ASR_EXPORT_SRT:
            put_srt(out, cue, i + 1);
            break;
        case ASR_EXPORT_VTT:
            put_vtt(out, cue);
            break;
        case ASR_EXPORT_TSV:
            put_tsv(out, cue);
            break;
        default:
            put_txt(out, cue, params->timestamps != ASR_TIMESTAMPS_NONE);
            break;
        }
    }
}

/* Subtitles follow the profile; text and tables have a row a segment. */
static asr_cues *make_cues(const asr_transcript *transcript,
                           const asr_export_params *params, asr_error *error)
{
    bool subtitles = params->format == ASR_EXPORT_SRT || params->format == ASR_EXPORT_VTT;
    if (params->timestamps == ASR_TIMESTAMPS_WORD)
        return asr_subtitle_create_words(transcript, error);
    const asr_subtitle_profile *profile = asr_subtitle_profile_find(
        subtitles ? params->profile : "plain", transcript->language, error);
    return profile ? asr_subtitle_create(transcript, profile, error) : NULL;
}

/* `name` is the file that a message should name. */
static bool write_stream(FILE *out, const char *name, const asr_transcript *transcript,
                         const asr_export_params *params, asr_error *error)
{
    if (params->format == ASR_EXPORT_JSON) {
        errno = 0;
        asr_export_put_json(out, transcript, params->timestamps == ASR_TIMESTAMPS_WORD);
    } else {
        asr_cues *cues = make_cues(transcript, params, error);
        if (!cues)
            return false;
        errno = 0;
        write_cues(out, cues, params);
        asr_subtitle_destroy(&cues);
    }
    if (fflush(out) != 0 || ferror(out))
        return asr_file_save_failed(name, errno ? errno : EIO, error);
    return true;
}

bool asr_export_write(FILE *out, const asr_transcript *transcript,
                      const asr_export_params *params, asr_error *error)
{
    return write_stream(out, "the output", transcript, params, error);
}

typedef struct export_job {
    const asr_transcript *transcript;
    const asr_export_params *params;
} export_job;

static bool write_job(FILE *out, const char *name, void *user, asr_error *error)
{
    const export_job *job = user;
    return write_stream(out, name, job->transcript, job->params, error);
}

bool asr_export_file(const char *path, const asr_transcript *transcript,
                     const asr_export_params *params, asr_error *error)
{
    export_job job = {transcript, params};
    return asr_file_save(path, write_job, &job, error);
}
