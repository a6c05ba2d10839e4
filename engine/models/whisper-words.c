/* Cutting tokens into words and timing them.
 *
 * Tokens are bytes: they are joined until they spell whole characters. In languages that
 * write spaces a word begins at a space; in the others every such group is a word.
 * Punctuation belongs to the word it touches. */
#include "models/whisper-words.h"

#include "decode/alignment.h"
#include "models/whisper-decode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A word whose neighbour is a pause is often stretched over it: no word there lasts
 * longer than twice the median, and the median counts as no more than this. */
#define LONGEST_MEDIAN 0.7

/* A run of tokens that is a word, as byte and token ranges. */
typedef struct span {
    size_t first_token, n_tokens;
    size_t first_byte, n_bytes;
} span;

typedef struct span_list {
    span *spans;
    size_t n;
    char *text; /* what the tokens spell */
} span_list;

static bool has_spaces(const char *code)
{
    static const char *const without[] = {"zh", "ja", "th", "lo", "my", "yue", "km"};
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
        if (strcmp(code, without[i]) == 0)
            return false;
    return true;
}

static bool is_listed(const char *const *list, const char *text, size_t n)
{
    for (; *list; list++)
        if (strlen(*list) == n && memcmp(*list, text, n) == 0)
            return true;
    return false;
}

/* Whether the piece, spaces aside, is punctuation that opens (belongs to what follows) or
 * closes (belongs to what it follows). */
static bool is_opening(const char *text, size_t n)
{
    static const char *const marks[] = {"\"", "'", "“",  "¿",  "(",  "[", "{",
                                        "-",  "«", "「", "（", "《", NULL};
    return n > 1 && text[0] == ' ' && is_listed(marks, text + 1, n - 1);
}

static bool is_closing(const char *text, size_t n)
{
    static const char *const marks[] = {
        "\"", "'", ".",  "。", ",",  "，", "!",   "！", "?",  "？", ":",  "：", "”", ")",
        "]",  "}", "、", ";",  "；", "…",  "...", "»",  "」", "）", "》", "%",  NULL};
    return is_listed(marks, text, n);
}

/* Whether `text` of n bytes ends within a character. */
static bool ends_in_character(const char *text, size_t n)
{
    size_t back = 0;
    while (back < n && back < 4 && ((unsigned char)text[n - 1 - back] & 0xC0) == 0x80)
        back++;
    if (back == n || back == 4)
        return false;
    unsigned char lead = (unsigned char)text[n - 1 - back];
    size_t need = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    return back < need;
}

/* Concatenates the tokens' bytes and notes where each begins: starts [n + 1]. */
static char *spell(const asr_tokenizer *tokenizer, const int *tokens, size_t n,
                   size_t *starts, asr_error *error)
{
    size_t total = 0, length;
    for (size_t i = 0; i < n; i++) {
        asr_tokenizer_bytes(tokenizer, tokens[i], &length);
        total += length;
    }
    char *text = malloc(total + 1);
    if (!text) {
        asr_fail_memory(error);
        return NULL;
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const char *bytes = asr_tokenizer_bytes(tokenizer, tokens[i], &length);
        starts[i] = at;
        if (length > 0)
            memcpy(text + at, bytes, length);
        at += length;
    }
    starts[n] = at;
    text[at] = '\0';
    return text;
}

/* Whether a piece that spells whole characters begins a word. */
static bool begins_word(const span_list *list, const char *text, size_t n, bool spaced)
{
    if (list->n == 0)
        return true;
    const span *last = &list->spans[list->n - 1];
    const char *before = list->text + last->first_byte;
    if (is_opening(before, last->n_bytes))
        return false;
    if (is_closing(text, n))
        return false;
    return !spaced || text[0] == ' ';
}

static bool cut_words(const asr_tokenizer *tokenizer, const asr_word_params *params,
                      span_list *list, asr_error *error)
{
    size_t n = params->n;
    bool spaced = has_spaces(params->language_code);
    size_t *starts = malloc((n + 1) * sizeof(*starts));
    list->spans = calloc(n + 1, sizeof(*list->spans));
    if (!starts || !list->spans) {
        free(starts);
        return asr_fail_memory(error);
    }
    list->text = spell(tokenizer, params->tokens, n, starts, error);
    for (size_t i = 0; list->text && i < n;) {
        size_t end = i + 1;
        while (end < n &&
               ends_in_character(list->text + starts[i], starts[end] - starts[i]))
            end++;
        size_t bytes = starts[end] - starts[i];
        if (begins_word(list, list->text + starts[i], bytes, spaced))
            list->spans[list->n++] = (span){i, 0, starts[i], 0};
        list->spans[list->n - 1].n_tokens += end - i;
        list->spans[list->n - 1].n_bytes += bytes;
        i = end;
    }
    free(starts);
    return list->text != NULL;
}

/* The frame at which each text token begins; first[n] is where the last one ends. */
static bool align_tokens(asr_whisper *whisper, const asr_word_params *params, int *first,
                         asr_error *error)
{
    const asr_whisper_config *c = asr_whisper_get_config(whisper);
    int start[4];
    int n_start = asr_whisper_start_tokens(c, params->language, false, false, start);
    int n = n_start + (int)params->n;
    int n_frames = (int)ceil(params->seconds / ASR_WHISPER_TIMESTAMP_STEP);
    n_frames = n_frames < 1 ? 1 : n_frames > c->n_audio_ctx ? c->n_audio_ctx : n_frames;
    if (n > c->n_text_ctx)
        return asr_fail(error, "A window of the recording has more words than the model "
                               "can align; this is a bug, please report it.");
    size_t values = c->n_alignment_heads * (size_t)n * (size_t)c->n_audio_ctx;
    int *tokens = malloc((size_t)n * sizeof(*tokens));
    float *weights = malloc(values * sizeof(*weights));
    bool ok = tokens && weights;
    if (ok) {
        memcpy(tokens, start, (size_t)n_start * sizeof(*tokens));
        memcpy(tokens + n_start, params->tokens, params->n * sizeof(*tokens));
        /* The row of a token shows where the next one is: <|notimestamps|> shows the
         * first word, the last word's row the end. */
        ok = asr_whisper_attention(whisper, tokens, n, weights, error) &&
             asr_alignment_frames(weights, (int)c->n_alignment_heads, n, c->n_audio_ctx,
                                  n_frames, n_start - 1, first, error);
    } else {
        asr_fail_memory(error);
    }
    free(tokens);
    free(weights);
    return ok;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_duration(const asr_word *words, size_t n)
{
    double *durations = malloc((n + 1) * sizeof(*durations));
    size_t kept = 0;
    for (size_t i = 0; durations && i < n; i++)
        if (words[i].end > words[i].start)
            durations[kept++] = words[i].end - words[i].start;
    double median = LONGEST_MEDIAN;
    if (kept > 0) {
        qsort(durations, kept, sizeof(*durations), compare_doubles);
        median = durations[kept / 2];
    }
    free(durations);
    return fmin(median, LONGEST_MEDIAN);
}

static bool ends_sentence(const char *text)
{
    static const char *const marks[] = {".", "。", "!", "！", "?", "？", NULL};
    size_t n = strlen(text);
    for (const char *const *mark = marks; *mark; mark++) {
        size_t length = strlen(*mark);
        if (n >= length && memcmp(text + n - length, *mark, length) == 0)
            return true;
    }
    return false;
}

/* Shortens words beside the pauses between sentences. */
static void trim_words(asr_word *words, size_t n)
{
    double longest = 2 * median_duration(words, n);
    for (size_t i = 0; i < n; i++) {
        asr_word *word = &words[i];
        if (word->end - word->start <= longest)
            continue;
        if (i == 0 || ends_sentence(words[i - 1].text))
            word->start = word->end - longest;
        else if (i + 1 == n || ends_sentence(word->text))
            word->end = word->start + longest;
    }
}

/* Gives every span its text, times and probability. */
static bool fill_words(const span_list *spans, const asr_word_params *params,
                       const int *first, asr_word_list *list, asr_error *error)
{
    size_t bytes = spans->n; /* one NUL a word */
    for (size_t i = 0; i < spans->n; i++)
        bytes += spans->spans[i].n_bytes;
    list->words = calloc(spans->n + 1, sizeof(*list->words));
    list->first_token = calloc(spans->n + 1, sizeof(*list->first_token));
    list->text = malloc(bytes + 1);
    if (!list->words || !list->first_token || !list->text)
        return asr_fail_memory(error);
    char *text = list->text;
    for (size_t i = 0; i < spans->n; i++) {
        const span *s = &spans->spans[i];
        asr_word *word = &list->words[list->n];
        double score = 0;
        for (size_t t = 0; t < s->n_tokens; t++)
            score += exp(params->scores[s->first_token + t]);
        memcpy(text, spans->text + s->first_byte, s->n_bytes);
        text[s->n_bytes] = '\0';
        word->text = text;
        word->start = params->offset + first[s->first_token] * ASR_WHISPER_TIMESTAMP_STEP;
        word->end = params->offset +
                    first[s->first_token + s->n_tokens] * ASR_WHISPER_TIMESTAMP_STEP;
        word->probability = (float)(score / (double)s->n_tokens);
        list->first_token[list->n++] = s->first_token;
        text += s->n_bytes + 1;
    }
    trim_words(list->words, list->n);
    return true;
}

bool asr_whisper_words(asr_whisper *whisper, const asr_word_params *params,
                       asr_word_list *list, asr_error *error)
{
    *list = (asr_word_list){0};
    span_list spans = {0};
    int *first = calloc(params->n + 2, sizeof(*first));
    bool ok = first != NULL;
    if (!ok)
        asr_fail_memory(error);
    ok = ok && cut_words(asr_whisper_get_tokenizer(whisper), params, &spans, error) &&
         (spans.n == 0 || align_tokens(whisper, params, first, error)) &&
         fill_words(&spans, params, first, list, error);
    free(first);
    free(spans.spans);
    free(spans.text);
    return ok;
}

void asr_word_list_clear(asr_word_list *list)
{
    free(list->words);
    free(list->first_token);
    free(list->text);
    *list = (asr_word_list){0};
}
