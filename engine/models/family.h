/* A model family: how to open its checkpoints and what they can do.
 *
 * Adding one takes a file with an asr_family and a line in registry.c. */
#ifndef ASR_FAMILY_H
#define ASR_FAMILY_H

#include "audio/file.h"
#include "graph/backend.h"
#include "transcribe.h"

#include <stdint.h>

typedef struct asr_family asr_family;

/* An opened checkpoint; each family's own struct begins with this. Used by one thread at
 * a time. */
typedef struct asr_recognizer {
    const asr_family *family;
} asr_recognizer;

typedef struct asr_recognizer_params {
    const char *directory;
    const char *cache_directory; /* of converted weights; may be NULL */
    asr_backend *backend;        /* borrowed; outlives the recogniser */
    asr_precision precision;
    int max_beam_size;
} asr_recognizer_params;

/* A named result of `trace`: [rows, cols] f32. */
typedef struct asr_trace_item {
    const char *name; /* a literal */
    int rows, cols;
    float *data; /* owned by the trace */
} asr_trace_item;

#define ASR_TRACE_MAX_ITEMS 8

typedef struct asr_trace {
    asr_trace_item items[ASR_TRACE_MAX_ITEMS];
    int n_items;
} asr_trace;

/* Adds an item with room for its data, which the caller fills. NULL without memory. */
float *asr_trace_add(asr_trace *trace, const char *name, int rows, int cols,
                     asr_error *error);
void asr_trace_clear(asr_trace *trace);

struct asr_family {
    const char *model_type; /* of config.json */
    int sample_rate;        /* Hz, of the audio it is given */
    asr_recognizer *(*open)(const asr_recognizer_params *params, asr_error *error);
    void (*destroy)(asr_recognizer *recognizer);
    /* Appends segments to `transcript` and sets its language. */
    bool (*transcribe)(asr_recognizer *recognizer, asr_audio_file *audio,
                       const asr_transcribe_params *params, asr_transcript *transcript,
                       asr_error *error);
    /* What the model computes for the beginning of a recording; `tokens` may be NULL. */
    bool (*trace)(asr_recognizer *recognizer, asr_audio_file *audio, const int *tokens,
                  int n_tokens, asr_trace *trace, asr_error *error);
};

/* Opens the checkpoint in a directory by the family that its config.json names. */
asr_recognizer *asr_recognizer_open(const asr_recognizer_params *params,
                                    asr_error *error);
void asr_recognizer_destroy(asr_recognizer **recognizer);

#endif
