/* From segments and words in UTF-8 to one text in UTF-16 with the time of each span. */
#include "text/subtitle-private.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

/* Room for one more code point and a space before it. */
static bool reserve_units(asr_subtitle_text *text)
{
    if (text->n_units + 3 <= text->capacity)
        return true;
    if (text->capacity > INT32_MAX / 4)
        return false;
    int32_t capacity = text->capacity ? text->capacity * 2 : 256;
    UChar *grown = realloc(text->units, (size_t)capacity * sizeof(*grown));
    if (!grown)
        return false;
    text->units = grown;
    text->capacity = capacity;
    return true;
}

static bool add_span(asr_subtitle_text *text, asr_span span)
{
    if (text->n_spans == text->span_capacity) {
        size_t capacity = text->span_capacity ? text->span_capacity * 2 : 64;
        asr_span *grown = realloc(text->spans, capacity * sizeof(*grown));
        if (!grown)
            return false;
        text->spans = grown;
        text->span_capacity = capacity;
    }
    text->spans[text->n_spans++] = span;
    return true;
}

/* Space that a line may end at; no-break spaces stay as they are. */
static bool is_space(UChar32 c)
{
    return u_isUWhiteSpace(c) && c != 0xA0 && c != 0x202F && c != 0x2007;
}

/* Appends UTF-8 and a span for it. Runs of white space become one space, none at the
 * start or the end; control characters are dropped; broken bytes become U+FFFD.
 * `space` says whether a space is due before the next character. */
static bool append(asr_subtitle_text *text, const char *utf8, asr_span span, bool *space)
{
    int32_t length = (int32_t)strlen(utf8);
    span.begin = -1;
    for (int32_t i = 0; i < length;) {
        UChar32 c;
        U8_NEXT_OR_FFFD((const uint8_t *)utf8, i, length, c);
        if (is_space(c)) {
            *space = true;
            continue;
        }
        if (u_charType(c) == U_CONTROL_CHAR)
            continue;
        if (!reserve_units(text))
            return false;
        if (*space && text->n_units > 0)
            text->units[text->n_units++] = ' ';
        *space = false;
        if (span.begin < 0)
            span.begin = text->n_units;
        U16_APPEND_UNSAFE(text->units, text->n_units, c);
    }
    span.end = text->n_units;
    return span.begin < 0 || add_span(text, span);
}

/* Segments are parted by a space, except after full-width punctuation, which brings its
 * own. Where words are written without spaces one still marks the phrase. */
static bool space_is_due(const asr_subtitle_text *text)
{
    if (text->n_units == 0)
        return false;
    UChar last = text->units[text->n_units - 1];
    int width = u_getIntPropertyValue(last, UCHAR_EAST_ASIAN_WIDTH);
    return !(u_ispunct(last) && (width == U_EA_WIDE || width == U_EA_FULLWIDTH));
}

/* True when the words put together are the segment's text, white space aside. */
static bool words_spell_text(const asr_segment *segment)
{
    const char *rest = segment->text;
    for (size_t i = 0; i < segment->n_words; i++) {
        for (const char *c = segment->words[i].text; *c; c++) {
            if (isspace((unsigned char)*c))
                continue;
            while (isspace((unsigned char)*rest))
                rest++;
            if (*rest++ != *c)
                return false;
        }
    }
    while (isspace((unsigned char)*rest))
        rest++;
    return *rest == '\0';
}

static bool append_segment(asr_subtitle_text *text, const asr_segment *segment,
                           asr_span_unit unit)
{
    asr_span span = {
        .start = segment->start, .stop = segment->end, .speaker = segment->speaker};
    size_t n_before = text->n_spans;
    bool space = space_is_due(text);
    if (unit == ASR_SPAN_SEGMENT || !words_spell_text(segment)) {
        if (!append(text, segment->text, span, &space))
            return false;
    } else {
        for (size_t i = 0; i < segment->n_words; i++) {
            span.start = segment->words[i].start;
            span.stop = segment->words[i].end;
            if (!append(text, segment->words[i].text, span, &space))
                return false;
        }
    }
    if (text->n_spans > n_before)
        text->spans[text->n_spans - 1].ends_segment = true;
    return true;
}

/* Makes times run forwards: recognisers place words before their predecessors, give them
 * no or negative lengths, and put them beyond the end of the recording. */
static void order_times(asr_subtitle_text *text, double duration)
{
    double earliest = 0;
    for (size_t i = 0; i < text->n_spans; i++) {
        asr_span *span = &text->spans[i];
        if (duration > 0) {
            span->start = fmin(span->start, duration);
            span->stop = fmin(span->stop, duration);
        }
        span->start = fmax(span->start, earliest);
        span->stop = fmax(span->stop, span->start);
        if (i > 0)
            span[-1].stop = fmin(span[-1].stop, span->start);
        earliest = span->start;
    }
}

bool asr_subtitle_text_init(asr_subtitle_text *text, const asr_transcript *transcript,
                            asr_span_unit unit, asr_error *error)
{
    *text = (asr_subtitle_text){0};
    for (size_t i = 0; i < transcript->n_segments; i++) {
        if (!append_segment(text, &transcript->segments[i], unit)) {
            asr_subtitle_text_clear(text);
            return asr_fail_memory(error);
        }
    }
    order_times(text, transcript->duration);
    return true;
}

void asr_subtitle_text_clear(asr_subtitle_text *text)
{
    free(text->units);
    free(text->spans);
    *text = (asr_subtitle_text){0};
}

char *asr_subtitle_text_utf8(const asr_subtitle_text *text, int32_t begin, int32_t end)
{
    /* A UTF-16 unit takes at most three bytes of UTF-8. */
    size_t capacity = (size_t)(end - begin) * 3 + 1;
    char *utf8 = malloc(capacity);
    if (!utf8)
        return NULL;
    UErrorCode status = U_ZERO_ERROR;
    int32_t length = 0;
    u_strToUTF8(utf8, (int32_t)capacity - 1, &length, text->units + begin, end - begin,
                &status);
    utf8[U_SUCCESS(status) ? length : 0] = '\0';
    return utf8;
}

/* When the text at index `at` is spoken, which lies in the span. */
static double time_at(const asr_span *span, int32_t at)
{
    double share = (double)(at - span->begin) / (span->end - span->begin);
    return span->start + (span->stop - span->start) * share;
}

asr_atom *asr_subtitle_atoms(const asr_subtitle_text *text, const asr_pieces *pieces)
{
    asr_atom *atoms = calloc(pieces->n_items, sizeof(*atoms));
    if (!atoms)
        return NULL;
    const asr_span *span = text->spans;
    for (size_t i = 0; i < pieces->n_items; i++) {
        asr_atom *atom = &atoms[i];
        atom->piece = pieces->items[i];
        while (span->end <= atom->piece.begin)
            span++;
        atom->start = time_at(span, atom->piece.begin);
        atom->speaker = span->speaker;
        while (span->end < atom->piece.end)
            span++;
        atom->stop = time_at(span, atom->piece.end);
        atom->ends_segment = span->ends_segment && span->end == atom->piece.end;
    }
    return atoms;
}
