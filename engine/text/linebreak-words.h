/* What small words do to line breaks, as tables of languages.
 *
 * Languages without a table are broken by punctuation, pauses and balance alone. To add
 * one, add a row of lists. Constant data, thread-safe. */
#ifndef ASR_LINEBREAK_WORDS_H
#define ASR_LINEBREAK_WORDS_H

#include <stdbool.h>

/* A word may be in several classes: German "zum" is a preposition with its article. */
enum {
    ASR_WORD_ARTICLE = 1 << 0,      /* never parted from the next word */
    ASR_WORD_CONJUNCTION = 1 << 1,  /* begins a line well, ends one badly */
    ASR_WORD_PREPOSITION = 1 << 2,  /* begins a line well, ends one badly */
    ASR_WORD_LEANING = 1 << 3,      /* ends a line badly: possessives, auxiliaries … */
    ASR_WORD_TITLE = 1 << 4,        /* stands before a name */
    ASR_WORD_UNIT = 1 << 5,         /* stands after a number */
    ASR_WORD_ABBREVIATION = 1 << 6, /* its full stop ends no sentence */
};

/* The classes of a word, or 0. `word` is lower-case UTF-8 without punctuation around
 * it; `language` is a code such as "en" or "pt-BR". */
unsigned asr_word_classes(const char *language, const char *word);

/* True when two language codes agree up to a "-" or "_": "pt-BR" is "pt". */
bool asr_language_matches(const char *language, const char *code);

#endif
