/* The transcript: an owned, bounded, growing list of segments. */
#include "text/transcript.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void segment_free(asr_segment *segment)
{
    for (size_t i = 0; i < segment->n_words; i++)
        free((char *)segment->words[i].text);
    free((asr_word *)segment->words);
    free((int *)segment->tokens);
    free((char *)segment->text);
    free((char *)segment->speaker);
    *segment = (asr_segment){0};
}

asr_transcript *asr_transcript_create(const char *model, const char *language,
                                      asr_error *error)
{
    asr_transcript *transcript = calloc(1, sizeof(*transcript));
    if (!transcript)
        goto fail;
    transcript->model = strdup(model ? model : "");
    transcript->language = strdup(language ? language : "");
    if (!transcript->model || !transcript->language)
        goto fail;
    return transcript;

fail:
    asr_transcript_destroy(&transcript);
    asr_fail_memory(error);
    return NULL;
}

void asr_transcript_destroy(asr_transcript **transcript)
{
    asr_transcript *t = *transcript;
    if (!t)
        return;
    for (size_t i = 0; i < t->n_segments; i++)
        segment_free(&t->segments[i]);
    free(t->segments);
    free(t->language);
    free(t->model);
    free(t);
    *transcript = NULL;
}

bool asr_transcript_set_language(asr_transcript *transcript, const char *language,
                                 asr_error *error)
{
    char *copy = strdup(language ? language : "");
    if (!copy)
        return asr_fail_memory(error);
    free(transcript->language);
    transcript->language = copy;
    return true;
}

static bool time_is_sane(double seconds)
{
    return isfinite(seconds) && fabs(seconds) <= ASR_TRANSCRIPT_MAX_SECONDS;
}

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) : 0;
}

/* Checks a segment against the limits; `n_bytes` receives the size of all its parts. */
static bool segment_check(const asr_segment *segment, size_t *n_bytes, asr_error *error)
{
    bool sane = time_is_sane(segment->start) && time_is_sane(segment->end);
    size_t limit = ASR_TRANSCRIPT_MAX_SEGMENT_BYTES;
    size_t bytes = text_bytes(segment->text) + text_bytes(segment->speaker);
    if (bytes > limit || segment->n_words > limit || segment->n_tokens > limit)
        return asr_fail(error,
                        "The model wrote a segment of more than %zu bytes; choose "
                        "another model, this one is broken.",
                        limit);
    for (size_t i = 0; i < segment->n_words; i++) {
        const asr_word *word = &segment->words[i];
        sane = sane && time_is_sane(word->start) && time_is_sane(word->end);
        bytes += text_bytes(word->text);
    }
    if (!sane)
        return asr_fail(error, "The model placed a segment at an impossible time; choose "
                               "another model, this one is broken.");
    *n_bytes = bytes + segment->n_words * sizeof(asr_word) +
               segment->n_tokens * sizeof(int) + sizeof(asr_segment);
    return true;
}

static bool copy_words(asr_segment *copy, const asr_segment *segment)
{
    if (segment->n_words == 0)
        return true;
    asr_word *words = calloc(segment->n_words, sizeof(*words));
    if (!words)
        return false;
    copy->words = words;
    for (size_t i = 0; i < segment->n_words; i++) {
        const char *text = segment->words[i].text;
        words[i] = segment->words[i];
        words[i].text = strdup(text ? text : "");
        copy->n_words = i + 1;
        if (!words[i].text)
            return false;
    }
    return true;
}

static bool copy_tokens(asr_segment *copy, const asr_segment *segment)
{
    if (segment->n_tokens == 0)
        return true;
    int *tokens = malloc(segment->n_tokens * sizeof(*tokens));
    if (!tokens)
        return false;
    memcpy(tokens, segment->tokens, segment->n_tokens * sizeof(*tokens));
    copy->tokens = tokens;
    copy->n_tokens = segment->n_tokens;
    return true;
}

static bool segment_copy(asr_segment *copy, const asr_segment *segment)
{
    *copy = (asr_segment){.start = segment->start, .end = segment->end};
    copy->text = strdup(segment->text ? segment->text : "");
    copy->speaker = segment->speaker ? strdup(segment->speaker) : NULL;
    if (copy->text && (copy->speaker || !segment->speaker) && copy_words(copy, segment) &&
        copy_tokens(copy, segment))
        return true;
    segment_free(copy);
    return false;
}

static bool reserve_segment(asr_transcript *transcript)
{
    if (transcript->n_segments < transcript->capacity)
        return true;
    size_t capacity = transcript->capacity ? transcript->capacity * 2 : 16;
    asr_segment *grown = realloc(transcript->segments, capacity * sizeof(*grown));
    if (!grown)
        return false;
    transcript->segments = grown;
    transcript->capacity = capacity;
    return true;
}

bool asr_transcript_add_segment(asr_transcript *transcript, const asr_segment *segment,
                                asr_error *error)
{
    size_t n_bytes = 0;
    if (!segment_check(segment, &n_bytes, error))
        return false;
    if (transcript->n_segments >= ASR_TRANSCRIPT_MAX_SEGMENTS ||
        n_bytes > ASR_TRANSCRIPT_MAX_BYTES - transcript->n_bytes)
        return asr_fail(error, "The transcript is too long; split the recording into "
                               "shorter files.");
    if (!reserve_segment(transcript) ||
        !segment_copy(&transcript->segments[transcript->n_segments], segment))
        return asr_fail_memory(error);
    transcript->n_segments++;
    transcript->n_bytes += n_bytes;
    return true;
}
