/* Where a text may be broken, and how good each place is.
 *
 * A text is split into pieces that stay whole on a line: words where words are written
 * apart, dictionary words in Chinese, Japanese and Thai (never against their rules on
 * what may begin or end a line), parts of a word only where it is wider than a line. The
 * break after each piece has a quality. Knows nothing of time. Stateless, thread-safe.
 *
 * Sources: Unicode UAX 14 and UAX 29 through ICU; Netflix Timed Text Style Guide,
 * General Requirements (lines end after punctuation, begin with conjunctions and
 * prepositions, and never part an article from its noun or a first from a last name). */
#ifndef ASR_LINEBREAK_H
#define ASR_LINEBREAK_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unicode/utypes.h>

/* The quality of a break, best first. */
typedef enum asr_break {
    ASR_BREAK_SENTENCE,    /* after a sentence */
    ASR_BREAK_CLAUSE,      /* after a comma, a semicolon, a dash … */
    ASR_BREAK_CONJUNCTION, /* before a conjunction */
    ASR_BREAK_PREPOSITION, /* before a preposition */
    ASR_BREAK_WORD,        /* between two words */
    ASR_BREAK_POOR,        /* after a word that leans on the next, or at a hyphen */
    ASR_BREAK_UNIT,        /* in a name, or between a number and its unit */
    ASR_BREAK_INSIDE,      /* in a word wider than a line */
    ASR_BREAK_ARTICLE,     /* between an article and its noun */
    ASR_BREAK_COUNT,
} asr_break;

/* `begin` to `end` of the text, in UTF-16 units, without surrounding space. */
typedef struct asr_piece {
    int32_t begin, end;
    int columns;      /* width: a narrow grapheme cluster is 1, a wide one 2 */
    bool space_after; /* a space parts it from the next piece, if on the same line */
    asr_break break_after;
} asr_piece;

typedef struct asr_pieces {
    asr_piece *items;
    size_t n_items;
} asr_pieces;

/* How to split: `max_columns` is the widest a piece may be (at least 2; 0: any);
 * `wide` counts characters of ambiguous width as wide, as East Asian fonts draw them. */
typedef struct asr_linebreak_params {
    const char *language; /* code such as "en", or "" */
    int max_columns;
    bool wide;
} asr_linebreak_params;

/* Splits `length` UTF-16 units of `text`, whose spaces are single U+0020. The pieces
 * cover everything that is not space, in order. Returns NULL and sets `error` when
 * memory is short or ICU lacks its data. */
asr_pieces *asr_linebreak_create(const UChar *text, int32_t length,
                                 const asr_linebreak_params *params, asr_error *error);

/* Frees the pieces and sets the pointer to NULL; NULL is left alone. */
void asr_linebreak_destroy(asr_pieces **pieces);

#endif
