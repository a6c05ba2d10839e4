/* What a recording says: the result every model family produces and every exporter
 * reads.
 *
 * A transcript belongs to one thread at a time. Times are seconds from the start of the
 * recording. They are finite; recognisers are trusted no further than that, so segments
 * and words may overlap or run backwards, and readers put them in order. */
#ifndef ASR_TRANSCRIPT_H
#define ASR_TRANSCRIPT_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

/* Limits that no recording reaches and a runaway decoder does. */
#define ASR_TRANSCRIPT_MAX_SECONDS 1e7
#define ASR_TRANSCRIPT_MAX_SEGMENTS ((size_t)4 << 20)
#define ASR_TRANSCRIPT_MAX_SEGMENT_BYTES ((size_t)1 << 20)
#define ASR_TRANSCRIPT_MAX_BYTES ((size_t)256 << 20)

/* One word with its times. `text` (UTF-8) keeps the space that precedes it in languages
 * that write spaces: the words of a segment, put together, spell the segment. */
typedef struct asr_word {
    double start, end; /* seconds */
    const char *text;
    float probability; /* 0 to 1 */
} asr_word;

/* A stretch of speech, usually a sentence or a phrase.
 * In a transcript every pointer is owned by it; in an argument every pointer is
 * borrowed. */
typedef struct asr_segment {
    double start, end; /* seconds */
    const char *text;  /* UTF-8 */
    const int *tokens; /* n_tokens ids of the model's vocabulary, or NULL */
    size_t n_tokens;
    const asr_word *words; /* n_words words, or NULL where no word times were made */
    size_t n_words;
    const char *speaker; /* a label to show, or NULL */
} asr_segment;

typedef struct asr_transcript {
    char *model;     /* name, owned */
    char *language;  /* code such as "en"; "" while unknown; owned */
    double duration; /* of the recording in seconds; 0 while unknown */
    asr_segment *segments;
    size_t n_segments;
    size_t capacity; /* of `segments` */
    size_t n_bytes;  /* held, against ASR_TRANSCRIPT_MAX_BYTES */
} asr_transcript;

/* An empty transcript. `model` and `language` are copied; NULL stands for "".
 * Returns NULL and sets `error` when memory is short. */
asr_transcript *asr_transcript_create(const char *model, const char *language,
                                      asr_error *error);

/* Frees the transcript and sets the pointer to NULL; a NULL transcript is left alone. */
void asr_transcript_destroy(asr_transcript **transcript);

/* Replaces the language, for instance once it was detected. `language` is copied. */
bool asr_transcript_set_language(asr_transcript *transcript, const char *language,
                                 asr_error *error);

/* Appends a deep copy of `segment`. Fails, leaving the transcript as it was, when memory
 * is short, a time is not finite or lies beyond ASR_TRANSCRIPT_MAX_SECONDS, or a limit
 * above is reached. NULL texts stand for "". */
bool asr_transcript_add_segment(asr_transcript *transcript, const asr_segment *segment,
                                asr_error *error);

#endif
