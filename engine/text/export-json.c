/* The JSON result, and text made safe for every format. Numbers go through integers:
 * printf's "%f" would follow the locale's decimal comma. */
#include "text/export-private.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unicode/utf8.h>

int64_t asr_export_milliseconds(double seconds)
{
    return seconds > 0 ? llround(seconds * 1000) : 0;
}

/* `buffer` has room for "\u001f" and its end. */
static const char *escape_json(char c, char buffer[7])
{
    if (c == '"' || c == '\\')
        snprintf(buffer, 7, "\\%c", c);
    else if ((unsigned char)c < 0x20 || c == 0x7F)
        snprintf(buffer, 7, "\\u%04x", (unsigned)c);
    else
        return NULL;
    return buffer;
}

static const char *escape_markup(char c)
{
    return c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : NULL;
}

static const char *escape_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7F ? " " : NULL;
}

/* The replacement of an ASCII character, or NULL where it stands for itself. */
static const char *escape(char c, asr_escaping escaping, char buffer[7])
{
    const char *control = escape_control(c);
    switch (escaping) {
    case ASR_ESCAPE_JSON:
        return escape_json(c, buffer);
    case ASR_ESCAPE_MARKUP:
        return escape_markup(c);
    case ASR_ESCAPE_NAME:
        return control ? control : escape_markup(c);
    default:
        return control;
    }
}

void asr_export_put_text(FILE *out, const char *text, asr_escaping escaping)
{
    int32_t length = (int32_t)strlen(text);
    for (int32_t i = 0; i < length;) {
        UChar32 c;
        U8_NEXT_OR_FFFD((const uint8_t *)text, i, length, c);
        char buffer[7];
        const char *replacement = c < 0x80 ? escape((char)c, escaping, buffer) : NULL;
        if (replacement) {
            fputs(replacement, out);
            continue;
        }
        uint8_t utf8[U8_MAX_LENGTH];
        int32_t n_utf8 = 0;
        U8_APPEND_UNSAFE(utf8, n_utf8, c);
        fwrite(utf8, 1, (size_t)n_utf8, out);
    }
}

static void put_string(FILE *out, const char *name, const char *text)
{
    fprintf(out, "\"%s\":\"", name);
    asr_export_put_text(out, text, ASR_ESCAPE_JSON);
    putc('"', out);
}

static void put_seconds(FILE *out, const char *name, double seconds)
{
    int64_t ms = asr_export_milliseconds(seconds);
    fprintf(out, "\"%s\":%" PRId64 ".%03d", name, ms / 1000, (int)(ms % 1000));
}

static void put_times(FILE *out, double start, double end)
{
    put_seconds(out, "start", start);
    putc(',', out);
    put_seconds(out, "end", fmax(start, end));
    putc(',', out);
}

static void put_words(FILE *out, const asr_segment *segment)
{
    fputs(",\"words\":[", out);
    for (size_t i = 0; i < segment->n_words; i++) {
        const asr_word *word = &segment->words[i];
        /* False for NaN too, which JSON cannot say. */
        double probability = word->probability > 0 ? fmin(word->probability, 1) : 0;
        int parts = (int)lround(probability * 10000);
        fputs(i > 0 ? ",{" : "{", out);
        put_times(out, word->start, word->end);
        put_string(out, "text", word->text);
        fprintf(out, ",\"probability\":%d.%04d}", parts / 10000, parts % 10000);
    }
    putc(']', out);
}

static void put_segment(FILE *out, const asr_segment *segment, bool words)
{
    putc('{', out);
    put_times(out, segment->start, segment->end);
    if (segment->speaker) {
        put_string(out, "speaker", segment->speaker);
        putc(',', out);
    }
    put_string(out, "text", segment->text);
    fputs(",\"tokens\":[", out);
    for (size_t i = 0; i < segment->n_tokens; i++)
        fprintf(out, i > 0 ? ",%d" : "%d", segment->tokens[i]);
    putc(']', out);
    if (words)
        put_words(out, segment);
    putc('}', out);
}

void asr_export_put_json(FILE *out, const asr_transcript *transcript, bool words)
{
    putc('{', out);
    put_string(out, "model", transcript->model);
    putc(',', out);
    put_string(out, "language", transcript->language);
    putc(',', out);
    put_seconds(out, "duration", transcript->duration);
    fputs(",\"segments\":[", out);
    for (size_t i = 0; i < transcript->n_segments && !ferror(out); i++) {
        fputs(i > 0 ? ",\n" : "\n", out);
        put_segment(out, &transcript->segments[i], words);
    }
    fputs("]}\n", out);
}
