/* Writes a transcript as text, subtitles or data.
 *
 * What `timestamps` does to each format:
 *
 *            none                    segment                    word
 *     txt    a line a segment        the same after its times   a line a word
 *     srt    cues by the profile     the same as none           a cue a word
 *     vtt    cues by the profile     the same as none           a cue a word
 *     tsv    a row a segment         the same as none           a row a word
 *     json   segments                the same as none           segments with words
 *
 * A segment without word times counts as one word. Who speaks, where that is known, is
 * said by txt ("You: …"), vtt (<v You>) and json ("speaker").
 *
 * Whatever the transcript holds, the output is valid UTF-8 (U+FFFD stands for broken
 * bytes) with times that are not negative and, but for json, in order and without
 * overlap. Numbers are written the same way in every locale. */
#ifndef ASR_EXPORT_H
#define ASR_EXPORT_H

#include "error.h"
#include "text/transcript.h"

#include <stdbool.h>
#include <stdio.h>

typedef enum asr_export_format {
    ASR_EXPORT_TXT,
    ASR_EXPORT_SRT,
    ASR_EXPORT_VTT,
    ASR_EXPORT_JSON,
    ASR_EXPORT_TSV,
} asr_export_format;

typedef enum asr_export_timestamps {
    ASR_TIMESTAMPS_NONE,
    ASR_TIMESTAMPS_SEGMENT,
    ASR_TIMESTAMPS_WORD,
} asr_export_timestamps;

typedef struct asr_export_params {
    asr_export_format format;
    asr_export_timestamps timestamps;
    const char *profile; /* of subtitle.h, for srt and vtt; NULL is "default" */
} asr_export_params;

/* The format named "txt", "srt", "vtt", "json" or "tsv". False with a sentence that
 * lists them otherwise. */
bool asr_export_format_parse(const char *name, asr_export_format *format,
                             asr_error *error);

/* "none", "segment" or "word". False with a sentence that lists them otherwise. */
bool asr_export_timestamps_parse(const char *name, asr_export_timestamps *timestamps,
                                 asr_error *error);

/* The name of a format, which is also the end of its files' names. */
const char *asr_export_format_name(asr_export_format format);

/* Writes to an open stream and flushes it. */
bool asr_export_write(FILE *out, const asr_transcript *transcript,
                      const asr_export_params *params, asr_error *error);

/* Writes a file. Readers see the old file or the whole new one, never a part: the text
 * goes to a temporary file in the same folder, reaches the disk and is then renamed.
 * A path that exists and is no regular file (a pipe, a device) is written directly. */
bool asr_export_file(const char *path, const asr_transcript *transcript,
                     const asr_export_params *params, asr_error *error);

#endif
