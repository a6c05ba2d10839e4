/* What the writers share. */
#ifndef ASR_EXPORT_PRIVATE_H
#define ASR_EXPORT_PRIVATE_H

#include "text/export.h"

#include <stdint.h>

/* What stands for characters that a place cannot hold as they are. */
typedef enum asr_escaping {
    ASR_ESCAPE_LINE,   /* control characters become spaces */
    ASR_ESCAPE_MARKUP, /* & < > become WebVTT's entities */
    ASR_ESCAPE_NAME,   /* both: a name inside a WebVTT tag */
    ASR_ESCAPE_JSON,   /* the inside of a JSON string */
} asr_escaping;

/* Writes text as valid UTF-8, U+FFFD for broken bytes. */
void asr_export_put_text(FILE *out, const char *text, asr_escaping escaping);

/* A time in whole milliseconds, never negative. */
int64_t asr_export_milliseconds(double seconds);

/* Writes the JSON result of the design's contract. */
void asr_export_put_json(FILE *out, const asr_transcript *transcript, bool words);

#endif
