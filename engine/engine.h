/* Verbatim's engine: speech in, text out. The only header that app/ includes.
 *
 * A model is opened on a device and transcribes recordings; transcripts are exported as
 * text and subtitles; models are listed, downloaded and removed. The engine looks at no
 * environment and keeps no global state: everything is passed in.
 *
 * Thread safety: a model is used by one thread at a time; different models are
 * independent. */
#ifndef ASR_ENGINE_H
#define ASR_ENGINE_H

#include "error.h"
#include "graph/backend.h"
#include "text/export.h"
#include "text/language.h"
#include "text/subtitle.h"
#include "transcribe.h"
#include "weights/catalogue.h"
#include "weights/download.h"
#include "weights/store.h"

typedef struct asr_model asr_model;

typedef struct asr_model_params {
    const char *directory;       /* the model, in the hub's layout */
    const char *cache_directory; /* for converted weights and pipelines; NULL: none */
    /* "auto" (a GPU where there is one, else the processor), "cpu", "vulkan",
     * "vulkan:N" or "reference"; NULL: "auto". */
    const char *device;
    asr_precision precision;
    int n_threads;     /* on the processor; 0: one for each core */
    int max_beam_size; /* the widest beam it will be asked for; 0: the default */
} asr_model_params;

/* NULL with a message when the model cannot be read or the device not be used. */
asr_model *asr_model_open(const asr_model_params *params, asr_error *error);
void asr_model_destroy(asr_model **model);

/* The name of the model's directory, and the device it runs on, in words. Owned by the
 * model. */
const char *asr_model_name(const asr_model *model);
const char *asr_model_device(const asr_model *model);

/* Transcribes an audio or video file; see transcribe.h for progress and stopping. The
 * caller owns the result. NULL with a message when the file cannot be read or decoding
 * fails. */
asr_transcript *asr_model_transcribe(asr_model *model, const char *path,
                                     const asr_transcribe_params *params,
                                     asr_error *error);

/* Writes what the model computes for the beginning of a recording to a safetensors file:
 * `features`, `encoder` and `logits` as f32; with `tokens` NULL the model's own greedy
 * path and the `tokens` of it. */
bool asr_model_trace(asr_model *model, const char *path, const int *tokens, int n_tokens,
                     const char *output, asr_error *error);

/* A device that a model can run on. */
typedef struct asr_device {
    char id[16];     /* what asr_model_params.device takes: "cpu", "vulkan:0" */
    char name[256];  /* for people */
    bool is_default; /* what "auto" means here */
} asr_device;

/* Fills in up to `capacity` devices and returns how many there are. */
int asr_device_list(asr_device *devices, int capacity);

/* "auto", "f32", "f16" or "int8". False with a sentence that lists them otherwise. */
bool asr_precision_parse(const char *name, asr_precision *precision, asr_error *error);

#endif
