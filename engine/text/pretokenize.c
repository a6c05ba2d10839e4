/* The two pre-tokenisers, branch by branch in the order of their expressions' branches:
 * the first that matches wins, as in a backtracking matcher. */
#include "pretokenize.h"

#include "unicode.h"

#include <stdbool.h>
#include <stdint.h>

/* One character of the text and what comes behind it. */
typedef struct character {
    int32_t code; /* -1 at the end of the text */
    asr_unicode_class class;
    size_t end; /* its last byte's position, plus one */
} character;

/* Matches any class in its bit set. */
#define CLASS(name) (1u << ASR_UNICODE_##name)

static character read_character(const char *text, size_t length, size_t position)
{
    character c = {.code = -1, .class = ASR_UNICODE_SPACE, .end = position};
    if (position < length) {
        c.code = asr_unicode_next(text, length, &c.end);
        c.class = asr_unicode_class_of(c.code);
    }
    return c;
}

static bool is_class(character c, unsigned classes)
{
    return c.code >= 0 && (classes >> c.class & 1);
}

static bool is_newline(character c)
{
    return c.code == '\r' || c.code == '\n';
}

/* The end of the run of characters in `classes` that begins at `position`. */
static size_t skip_class(const char *text, size_t length, size_t position,
                         unsigned classes)
{
    character c = read_character(text, length, position);
    while (is_class(c, classes)) {
        position = c.end;
        c = read_character(text, length, position);
    }
    return position;
}

static size_t skip_newlines(const char *text, size_t length, size_t position)
{
    while (position < length && (text[position] == '\r' || text[position] == '\n'))
        position++;
    return position;
}

/* Lower case for the letters of contractions. Under (?i:) the long s is an s: the only
 * character beyond ASCII that folds to one of these letters. */
static int32_t fold(int32_t code, bool ignore_case)
{
    if (!ignore_case)
        return code;
    if (code >= 'A' && code <= 'Z')
        return code + ('a' - 'A');
    return code == 0x17F ? 's' : code;
}

/* 's|'t|'re|'ve|'m|'ll|'d at the start of the text: its length, or 0. */
static size_t match_contraction(const char *text, size_t length, bool ignore_case)
{
    if (text[0] != '\'')
        return 0;
    character first = read_character(text, length, 1);
    character second = read_character(text, length, first.end);
    int32_t a = fold(first.code, ignore_case);
    int32_t b = fold(second.code, ignore_case);
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return first.end;
    if (((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l'))
        return second.end;
    return 0;
}

/* \s+(?!\S)|\s+ where the text starts with white space: all of the run that ends the
 * text, else all but its last character, which goes with what follows; a run of one
 * character is taken whole. */
static size_t match_space(const char *text, size_t length)
{
    size_t end = skip_class(text, length, 0, CLASS(SPACE));
    if (end == length)
        return end;
    size_t last = end;
    asr_unicode_previous(text, &last);
    return last > 0 ? last : end;
}

static size_t next_gpt2(const char *text, size_t length)
{
    static const unsigned runs[] = {CLASS(LETTER), CLASS(NUMBER), CLASS(OTHER)};
    size_t contraction = match_contraction(text, length, false);
    if (contraction)
        return contraction;
    size_t start = text[0] == ' ' ? 1 : 0;
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        size_t end = skip_class(text, length, start, runs[i]);
        if (end > start)
            return end;
    }
    return match_space(text, length);
}

/* [^\r\n\p{L}\p{N}]?\p{L}+ at the start of the text: its length, or 0. */
static size_t match_qwen_word(const char *text, size_t length)
{
    character first = read_character(text, length, 0);
    bool leads = is_class(first, CLASS(SPACE) | CLASS(OTHER)) && !is_newline(first);
    size_t start = leads ? first.end : 0;
    size_t end = skip_class(text, length, start, CLASS(LETTER));
    return end > start ? end : 0;
}

/* \s*[\r\n]+ at the start of the text: up to the last line end of the white space. */
static size_t match_lines(const char *text, size_t length)
{
    size_t end = skip_class(text, length, 0, CLASS(SPACE));
    while (end > 0 && text[end - 1] != '\r' && text[end - 1] != '\n')
        end--;
    return end;
}

static size_t next_qwen(const char *text, size_t length)
{
    size_t end = match_contraction(text, length, true);
    if (end)
        return end;
    end = match_qwen_word(text, length);
    if (end)
        return end;
    character first = read_character(text, length, 0);
    if (is_class(first, CLASS(NUMBER)))
        return first.end;
    size_t start = text[0] == ' ' ? 1 : 0;
    end = skip_class(text, length, start, CLASS(OTHER));
    if (end > start)
        return skip_newlines(text, length, end);
    end = match_lines(text, length);
    return end ? end : match_space(text, length);
}

size_t asr_pretokenize_next(asr_pretokenize_kind kind, const char *text, size_t length)
{
    return kind == ASR_PRETOKENIZE_QWEN ? next_qwen(text, length)
                                        : next_gpt2(text, length);
}
