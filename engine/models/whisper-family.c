/* Whisper on whole recordings.
 *
 * The recording is read a window of 30 s at a time. A window's last timestamp says where
 * the next one begins, so that no word is cut in two; its text is the next one's context.
 * Memory holds one window, however long the recording is. */
#include "models/whisper-family.h"

#include "models/whisper-decode.h"
#include "models/whisper-trace.h"
#include "models/whisper-words.h"
#include "text/language.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A rest of the recording shorter than this holds no word. */
#define SHORTEST_WINDOW_SECONDS 0.1

/* Text decoded with more randomness than this is no good context. */
#define MAX_CONTEXT_TEMPERATURE 0.5f

typedef struct whisper_recognizer {
    asr_recognizer base;
    asr_whisper *whisper;
} whisper_recognizer;

/* One recording being transcribed. */
typedef struct recording {
    asr_whisper *whisper;
    const asr_whisper_config *config;
    const asr_transcribe_params *params;
    asr_audio_file *audio;
    asr_transcript *transcript;
    float *samples; /* the window: [n_samples] of n_window */
    size_t n_samples, n_window;
    float *features; /* [2·n_audio_ctx, n_mels] */
    double offset;   /* seconds before the window */
    int language;    /* token; -1: none, or not known yet */
    bool language_known;
    int *context; /* hotwords, then the last tokens said; [n_text_ctx] at most */
    int n_context, n_hotwords;
} recording;

static bool recording_create(recording *r, asr_error *error)
{
    const asr_whisper_config *c = r->config;
    r->n_window = (size_t)c->n_audio_ctx * 2 * ASR_WHISPER_HOP;
    r->samples = malloc(r->n_window * sizeof(*r->samples));
    r->features =
        malloc(2 * (size_t)c->n_audio_ctx * (size_t)c->n_mels * sizeof(*r->features));
    r->context = malloc((size_t)c->n_text_ctx * sizeof(*r->context));
    return (r->samples && r->features && r->context) || asr_fail_memory(error);
}

static void recording_clear(recording *r)
{
    free(r->samples);
    free(r->features);
    free(r->context);
}

/* Puts the hotwords at the head of the context: "a, b, c". They get half of it at most.
 */
static bool add_hotwords(recording *r, asr_error *error)
{
    const asr_tokenizer *tokenizer = asr_whisper_get_tokenizer(r->whisper);
    int most = r->config->n_text_ctx / 4;
    for (size_t i = 0; i < r->params->n_hotwords; i++) {
        char *text = NULL;
        size_t n;
        if (asprintf(&text, "%s %s", i ? "," : "", r->params->hotwords[i]) < 0)
            return asr_fail_memory(error);
        int *tokens =
            asr_tokenizer_encode(tokenizer, text, strlen(text), false, &n, error);
        free(text);
        if (!tokens)
            return false;
        if (n <= (size_t)(most - r->n_hotwords)) {
            memcpy(r->context + r->n_hotwords, tokens, n * sizeof(*tokens));
            r->n_hotwords += (int)n;
        }
        free(tokens);
    }
    r->n_context = r->n_hotwords;
    return true;
}

/* Adds what was said to the context, whose oldest text gives way. */
static void add_context(recording *r, const int *tokens, size_t n)
{
    size_t room = (size_t)(r->config->n_text_ctx / 2 - 1 - r->n_hotwords);
    if (n > room) {
        tokens += n - room;
        n = room;
    }
    int *said = r->context + r->n_hotwords;
    size_t n_said = (size_t)(r->n_context - r->n_hotwords);
    size_t kept = n_said + n > room ? room - n : n_said;
    memmove(said, said + n_said - kept, kept * sizeof(*said));
    memcpy(said + kept, tokens, n * sizeof(*said));
    r->n_context = r->n_hotwords + (int)(kept + n);
}

/* Fills the window up from the file. */
static bool fill_window(recording *r, asr_error *error)
{
    while (r->n_samples < r->n_window) {
        ptrdiff_t n = asr_audio_file_read(r->audio, r->samples + r->n_samples,
                                          r->n_window - r->n_samples, error);
        if (n < 0)
            return false;
        if (n == 0)
            break;
        r->n_samples += (size_t)n;
    }
    return true;
}

/* Drops the window's first `n` samples. */
static void advance_window(recording *r, size_t n)
{
    if (n > r->n_samples)
        n = r->n_samples;
    r->n_samples -= n;
    memmove(r->samples, r->samples + n, r->n_samples * sizeof(*r->samples));
    r->offset += (double)n / ASR_WHISPER_SAMPLE_RATE;
}

static double window_seconds(const recording *r)
{
    return (double)r->n_samples / ASR_WHISPER_SAMPLE_RATE;
}

static bool encode_window(recording *r, asr_error *error)
{
    return asr_mel_compute(asr_whisper_get_mel(r->whisper), r->samples, r->n_samples,
                           2 * r->config->n_audio_ctx, r->features, error) &&
           asr_whisper_encode(r->whisper, r->features, NULL, error);
}

static const char *language_code(const recording *r)
{
    if (r->language < 0)
        return "en";
    return asr_language_list(NULL)[r->language - r->config->tokens.first_language].code;
}

/* The language asked for, or the one heard in the first window. */
static bool find_language(recording *r, asr_error *error)
{
    if (r->language_known)
        return true;
    r->language = -1;
    if (r->params->language && r->config->tokens.n_languages > 0)
        r->language = asr_whisper_language_token(r->config, r->params->language);
    else if (!asr_whisper_detect_language(r->whisper, &r->language, error))
        return false;
    r->language_known = true;
    return asr_transcript_set_language(
        r->transcript, r->params->translate ? "en" : language_code(r), error);
}

/* Whether the model can do what is asked of it. */
static bool check_params(const recording *r, asr_error *error)
{
    const asr_whisper_tokens *t = &r->config->tokens;
    const char *language = r->params->language;
    if (t->n_languages == 0) {
        if (r->params->translate || (language && strcmp(language, "en") != 0))
            return asr_fail(error, "This model knows English only; choose a multilingual "
                                   "model, such as whisper-base.");
        return true;
    }
    if (language && asr_whisper_language_token(r->config, language) < 0)
        return asr_fail(error,
                        "This model does not know the language \"%.20s\"; choose another "
                        "language, or a newer model.",
                        language);
    if (r->params->translate && t->translate < 0)
        return asr_fail(error, "This model cannot translate; choose another one.");
    return true;
}

/* A stretch of a result's tokens that is one segment. Times are seconds in the window. */
typedef struct piece {
    int first, end; /* token range, timestamps included */
    double start_time, end_time;
} piece;

static double timestamp_seconds(const recording *r, int token)
{
    return (token - r->config->tokens.first_timestamp) * ASR_WHISPER_TIMESTAMP_STEP;
}

static bool is_timestamp(const recording *r, int token)
{
    return token >= r->config->tokens.first_timestamp;
}

/* Cuts a result where two timestamps meet: the end of one segment and the start of the
 * next. Returns the number of pieces; `*consumed` is how much of the window they cover,
 * in seconds. `pieces` has room for n + 1. */
static int cut_pieces(const recording *r, const asr_whisper_result *result, piece *pieces,
                      double *consumed)
{
    const int *tokens = result->tokens;
    int n = result->n, n_pieces = 0, first = 0;
    bool single_end =
        n >= 2 && is_timestamp(r, tokens[n - 1]) && !is_timestamp(r, tokens[n - 2]);
    *consumed = window_seconds(r);
    for (int i = 1; i <= n; i++) {
        bool cut = i < n && is_timestamp(r, tokens[i]) && is_timestamp(r, tokens[i - 1]);
        if (!cut && !(i == n && single_end && n_pieces > 0))
            continue;
        pieces[n_pieces++] = (piece){first, i, timestamp_seconds(r, tokens[first]),
                                     timestamp_seconds(r, tokens[i - 1])};
        first = i;
    }
    if (n_pieces > 0) {
        /* An unfinished segment at the end is heard again in the next window. */
        if (!single_end)
            *consumed = timestamp_seconds(r, tokens[first - 1]);
        return n_pieces;
    }
    double end = window_seconds(r);
    for (int i = n - 1; i > 0; i--)
        if (is_timestamp(r, tokens[i])) {
            end = timestamp_seconds(r, tokens[i]);
            break;
        }
    bool has_start = n > 0 && is_timestamp(r, tokens[0]);
    pieces[0] = (piece){0, n, has_start ? timestamp_seconds(r, tokens[0]) : 0, end};
    return 1;
}

/* The text tokens of a result with their scores, and where each came from. A model may
 * say a special token, such as that of a language, which is no text either. */
typedef struct text_tokens {
    int *tokens;
    float *scores;
    int *origin; /* index in the result */
    size_t n;
} text_tokens;

static bool collect_text(const recording *r, const asr_whisper_result *result, int end,
                         text_tokens *text, asr_error *error)
{
    size_t room = (size_t)result->n + 1;
    text->tokens = malloc(room * sizeof(*text->tokens));
    text->scores = malloc(room * sizeof(*text->scores));
    text->origin = malloc(room * sizeof(*text->origin));
    if (!text->tokens || !text->scores || !text->origin)
        return asr_fail_memory(error);
    const asr_tokenizer *tokenizer = asr_whisper_get_tokenizer(r->whisper);
    for (int i = 0; i < end; i++)
        if (!is_timestamp(r, result->tokens[i]) &&
            !asr_tokenizer_is_special(tokenizer, result->tokens[i])) {
            text->tokens[text->n] = result->tokens[i];
            text->scores[text->n] = result->scores[i];
            text->origin[text->n++] = i;
        }
    return true;
}

static void text_tokens_clear(text_tokens *text)
{
    free(text->tokens);
    free(text->scores);
    free(text->origin);
}

static bool find_words(recording *r, const text_tokens *text, asr_word_list *words,
                       asr_error *error)
{
    asr_word_params params = {
        .tokens = text->tokens,
        .scores = text->scores,
        .n = text->n,
        .language = r->language,
        .language_code = r->params->translate ? "en" : language_code(r),
        .seconds = window_seconds(r),
        .offset = r->offset,
    };
    return asr_whisper_words(r->whisper, &params, words, error);
}

/* Adds one piece to the transcript, with the words whose first token lies in it. */
static bool add_piece(recording *r, const asr_whisper_result *result, const piece *p,
                      const asr_word_list *words, const text_tokens *text,
                      asr_error *error)
{
    size_t first = 0, end;
    int n_tokens = p->end - p->first;
    char *spelled =
        asr_whisper_text(r->whisper, result->tokens + p->first, n_tokens, NULL, error);
    if (!spelled)
        return false;
    while (first < words->n && text->origin[words->first_token[first]] < p->first)
        first++;
    end = first;
    while (end < words->n && text->origin[words->first_token[end]] < p->end)
        end++;
    asr_segment segment = {
        .start = r->offset + fmin(p->start_time, window_seconds(r)),
        .end = r->offset + fmin(p->end_time, window_seconds(r)),
        .text = spelled,
        .tokens = result->tokens + p->first,
        .n_tokens = (size_t)n_tokens,
        .words = words->words + first,
        .n_words = end - first,
    };
    if (segment.n_words > 0) {
        segment.start = segment.words[0].start;
        segment.end = fmax(segment.words[segment.n_words - 1].end, segment.start);
    }
    bool ok = spelled[strspn(spelled, " ")] == '\0' ||
              asr_transcript_add_segment(r->transcript, &segment, error);
    free(spelled);
    return ok;
}

/* Adds what was decoded to the transcript; `*consumed` as in cut_pieces(). */
static bool add_result(recording *r, const asr_whisper_result *result, double *consumed,
                       asr_error *error)
{
    text_tokens text = {0};
    asr_word_list words = {0};
    piece *pieces = malloc(((size_t)result->n + 1) * sizeof(*pieces));
    bool ok = pieces != NULL;
    if (!ok)
        asr_fail_memory(error);
    int n = ok ? cut_pieces(r, result, pieces, consumed) : 0;
    int end = n > 0 ? pieces[n - 1].end : 0;
    ok = ok && collect_text(r, result, end, &text, error);
    if (ok && r->params->word_times)
        ok = find_words(r, &text, &words, error);
    for (int i = 0; ok && i < n; i++)
        ok = add_piece(r, result, &pieces[i], &words, &text, error);
    if (ok && result->temperature > MAX_CONTEXT_TEMPERATURE)
        r->n_context = r->n_hotwords;
    else if (ok && r->params->previous_text)
        add_context(r, result->tokens, (size_t)end);
    asr_word_list_clear(&words);
    text_tokens_clear(&text);
    free(pieces);
    return ok;
}

static bool transcribe_window(recording *r, asr_error *error)
{
    if (!encode_window(r, error) || !find_language(r, error))
        return false;
    asr_whisper_decode_params params = {
        .language = r->language,
        .translate = r->params->translate,
        .timestamps = true,
        .seconds = window_seconds(r),
        .beam_size = r->params->beam_size,
        .previous = r->context,
        .n_previous = r->n_context,
        .seed = (uint32_t)(r->offset * 1000),
    };
    asr_whisper_result result;
    if (!asr_whisper_decode(r->whisper, &params, &result, error))
        return false;
    double consumed = window_seconds(r);
    bool ok = result.is_silence || add_result(r, &result, &consumed, error);
    asr_whisper_result_clear(&result);
    /* A model that never moves on would keep us here for ever. */
    if (consumed < SHORTEST_WINDOW_SECONDS)
        consumed = window_seconds(r);
    if (ok)
        advance_window(r, (size_t)lround(consumed * ASR_WHISPER_SAMPLE_RATE));
    return ok;
}

static bool report(const recording *r)
{
    asr_progress progress = {r->offset, asr_audio_file_duration(r->audio), r->transcript};
    return !r->params->progress || r->params->progress(r->params->user, &progress);
}

static bool transcribe(asr_recognizer *recognizer, asr_audio_file *audio,
                       const asr_transcribe_params *params, asr_transcript *transcript,
                       asr_error *error)
{
    asr_whisper *whisper = ((whisper_recognizer *)recognizer)->whisper;
    recording r = {.whisper = whisper,
                   .config = asr_whisper_get_config(whisper),
                   .params = params,
                   .audio = audio,
                   .transcript = transcript};
    bool ok = check_params(&r, error) && recording_create(&r, error) &&
              add_hotwords(&r, error) && fill_window(&r, error);
    while (ok && window_seconds(&r) >= SHORTEST_WINDOW_SECONDS) {
        ok = transcribe_window(&r, error) && fill_window(&r, error);
        if (ok && !report(&r))
            break;
    }
    transcript->duration = r.offset + window_seconds(&r);
    recording_clear(&r);
    return ok;
}

static bool trace(asr_recognizer *recognizer, asr_audio_file *audio, const int *tokens,
                  int n_tokens, asr_trace *out, asr_error *error)
{
    asr_whisper *whisper = ((whisper_recognizer *)recognizer)->whisper;
    recording r = {
        .whisper = whisper, .config = asr_whisper_get_config(whisper), .audio = audio};
    bool ok =
        recording_create(&r, error) && fill_window(&r, error) &&
        asr_whisper_trace(whisper, r.samples, r.n_samples, tokens, n_tokens, out, error);
    recording_clear(&r);
    return ok;
}

static void destroy(asr_recognizer *base)
{
    whisper_recognizer *recognizer = (whisper_recognizer *)base;
    asr_whisper_destroy(&recognizer->whisper);
    free(recognizer);
}

static asr_recognizer *open_recognizer(const asr_recognizer_params *params,
                                       asr_error *error)
{
    whisper_recognizer *recognizer = calloc(1, sizeof(*recognizer));
    asr_whisper_params whisper = {
        .directory = params->directory,
        .cache_directory = params->cache_directory,
        .backend = params->backend,
        .precision = params->precision,
        .max_hypotheses = params->max_beam_size > ASR_WHISPER_SAMPLES
                              ? params->max_beam_size
                              : ASR_WHISPER_SAMPLES,
    };
    if (!recognizer) {
        asr_fail_memory(error);
        return NULL;
    }
    recognizer->whisper = asr_whisper_open(&whisper, error);
    if (!recognizer->whisper) {
        free(recognizer);
        return NULL;
    }
    return &recognizer->base;
}

const asr_family asr_whisper_family = {
    .model_type = "whisper",
    .sample_rate = ASR_WHISPER_SAMPLE_RATE,
    .open = open_recognizer,
    .destroy = destroy,
    .transcribe = transcribe,
    .trace = trace,
};
