/* The line breaker: splits a text into pieces and grades the breaks between them. */
#include "text/linebreak.h"

#include "text/linebreak-words.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>

enum { AT_GRAPHEME = 1, AT_WORD = 2, AT_LINE = 4 };

/* What Unicode says about the text: for each index, which boundaries lie before it and
 * how many columns the clusters before it take. Both have length + 1 entries. */
typedef struct text_map {
    uint8_t *boundaries;
    int32_t *columns;
} text_map;

/* What a piece looks like to its neighbours. */
typedef struct piece_traits {
    unsigned classes;    /* ASR_WORD_… */
    UChar32 first, last; /* code points, closing quotes and brackets stripped from last */
    bool capital, lower; /* the case of the word's first letter */
    bool number;         /* the word ends in a digit */
    bool letter;         /* the word is a single letter */
    bool bare;           /* no punctuation follows the word */
    int n_units;         /* length of the word */
} piece_traits;

static bool mark_boundaries(uint8_t *boundaries, uint8_t mark, UBreakIteratorType type,
                            const char *locale, const UChar *text, int32_t length)
{
    UErrorCode status = U_ZERO_ERROR;
    UBreakIterator *iterator = ubrk_open(type, locale, text, length, &status);
    if (U_FAILURE(status))
        return false;
    int32_t at = ubrk_first(iterator);
    while (at != UBRK_DONE) {
        boundaries[at] |= mark;
        at = ubrk_next(iterator);
    }
    ubrk_close(iterator);
    return true;
}

/* Columns of a grapheme cluster, by the East Asian width of its first code point. */
static int cluster_columns(UChar32 c, bool wide)
{
    if (u_hasBinaryProperty(c, UCHAR_EMOJI_PRESENTATION))
        return 2;
    switch (u_getIntPropertyValue(c, UCHAR_EAST_ASIAN_WIDTH)) {
    case U_EA_FULLWIDTH:
    case U_EA_WIDE:
        return 2;
    case U_EA_AMBIGUOUS:
        return wide ? 2 : 1;
    default:
        return 1;
    }
}

static void count_columns(text_map *map, const UChar *text, int32_t length, bool wide)
{
    int32_t total = 0;
    int32_t before = 0;
    for (int32_t i = 0; i < length; i++) {
        if (map->boundaries[i] & AT_GRAPHEME) {
            UChar32 c;
            U16_GET(text, 0, i, length, c);
            before = total;
            total += cluster_columns(c, wide);
        }
        map->columns[i] = before;
    }
    map->columns[length] = total;
}

static bool map_create(text_map *map, const UChar *text, int32_t length,
                       const asr_linebreak_params *params, asr_error *error)
{
    map->boundaries = calloc((size_t)length + 1, sizeof(*map->boundaries));
    map->columns = malloc(((size_t)length + 1) * sizeof(*map->columns));
    if (!map->boundaries || !map->columns)
        return asr_fail_memory(error);
    /* "strict": small kana and the like do not begin a line either. */
    bool cjk = asr_language_matches(params->language, "ja") ||
               asr_language_matches(params->language, "zh");
    const char *locale = cjk ? "ja@lb=strict" : "en";
    uint8_t *boundaries = map->boundaries;
    if (!mark_boundaries(boundaries, AT_GRAPHEME, UBRK_CHARACTER, locale, text, length) ||
        !mark_boundaries(boundaries, AT_WORD, UBRK_WORD, locale, text, length) ||
        !mark_boundaries(boundaries, AT_LINE, UBRK_LINE, locale, text, length))
        return asr_fail(error, "The Unicode library has no text-breaking data; reinstall "
                               "the package of ICU.");
    count_columns(map, text, length, params->wide);
    return true;
}

static bool append(asr_pieces *pieces, size_t *capacity, asr_piece piece)
{
    if (pieces->n_items == *capacity) {
        size_t grown_capacity = *capacity ? *capacity * 2 : 64;
        asr_piece *grown = realloc(pieces->items, grown_capacity * sizeof(*grown));
        if (!grown)
            return false;
        pieces->items = grown;
        *capacity = grown_capacity;
    }
    pieces->items[pieces->n_items++] = piece;
    return true;
}

/* The end of the longest part of [begin, end) that fits: at a place where Unicode allows
 * a line to end if there is one, else between two grapheme clusters. */
static int32_t fitting_end(const text_map *map, int32_t begin, int32_t end,
                           int max_columns)
{
    int32_t at_cluster = end;
    int32_t at_line = begin;
    for (int32_t i = begin + 1; i < end; i++) {
        if (!(map->boundaries[i] & AT_GRAPHEME))
            continue;
        if (map->columns[i] - map->columns[begin] > max_columns)
            break;
        at_cluster = i;
        if (map->boundaries[i] & AT_LINE)
            at_line = i;
    }
    return at_line > begin ? at_line : at_cluster;
}

/* Appends [begin, end), in parts if it is wider than a line. */
static bool append_fitting(asr_pieces *pieces, size_t *capacity, const text_map *map,
                           int32_t begin, int32_t end, int max_columns)
{
    while (max_columns > 0 && map->columns[end] - map->columns[begin] > max_columns) {
        int32_t cut = fitting_end(map, begin, end, max_columns);
        if (cut == end)
            break;
        asr_piece part = {.begin = begin,
                          .end = cut,
                          .columns = map->columns[cut] - map->columns[begin],
                          .break_after = ASR_BREAK_INSIDE};
        if (!append(pieces, capacity, part))
            return false;
        begin = cut;
    }
    asr_piece rest = {.begin = begin,
                      .end = end,
                      .columns = map->columns[end] - map->columns[begin],
                      .break_after = ASR_BREAK_WORD};
    return append(pieces, capacity, rest);
}

static bool split(asr_pieces *pieces, const text_map *map, const UChar *text,
                  int32_t length, int max_columns)
{
    size_t capacity = 0;
    int32_t begin = 0;
    for (int32_t i = 1; i <= length; i++) {
        uint8_t both = AT_LINE | AT_WORD;
        if (i < length && (map->boundaries[i] & both) != both)
            continue;
        int32_t end = i;
        while (begin < end && text[begin] == ' ')
            begin++;
        while (end > begin && text[end - 1] == ' ')
            end--;
        if (begin < end) {
            if (!append_fitting(pieces, &capacity, map, begin, end, max_columns))
                return false;
            pieces->items[pieces->n_items - 1].space_after = end < i;
        }
        begin = i;
    }
    return true;
}

static bool is_closing(UChar32 c)
{
    int8_t type = u_charType(c);
    return type == U_END_PUNCTUATION || type == U_FINAL_PUNCTUATION ||
           type == U_INITIAL_PUNCTUATION || c == '"' || c == '\'';
}

static UChar32 last_code_point(const UChar *text, int32_t begin, int32_t end)
{
    UChar32 c = 0;
    while (end > begin) {
        U16_PREV(text, begin, end, c);
        if (!is_closing(c))
            break;
    }
    return c;
}

/* Narrows [begin, end) to the word without the punctuation around it, unless it is all
 * punctuation. */
static void strip_punctuation(const UChar *text, int32_t *begin, int32_t *end)
{
    int32_t from = *begin, to = *end;
    while (from < to) {
        UChar32 c;
        int32_t next = from;
        U16_NEXT(text, next, to, c);
        if (!u_ispunct(c))
            break;
        from = next;
    }
    while (to > from) {
        UChar32 c;
        int32_t previous = to;
        U16_PREV(text, from, previous, c);
        if (!u_ispunct(c))
            break;
        to = previous;
    }
    if (from < to) {
        *begin = from;
        *end = to;
    }
}

static unsigned classes_of(const UChar *word, int32_t length, const char *language)
{
    UChar lower[24];
    char utf8[64];
    UErrorCode status = U_ZERO_ERROR;
    int32_t n = u_strToLower(lower, 24, word, length, "", &status);
    for (int32_t i = 0; i < n && i < 24; i++)
        if (lower[i] == 0x2019) /* the lists write don't, not don’t */
            lower[i] = '\'';
    u_strToUTF8(utf8, sizeof(utf8), NULL, lower, n, &status);
    if (U_FAILURE(status) || status == U_STRING_NOT_TERMINATED_WARNING)
        return 0; /* longer than any word of the lists */
    return asr_word_classes(language, utf8);
}

static piece_traits traits_of(const asr_piece *piece, const UChar *text,
                              const char *language)
{
    piece_traits traits = {0};
    int32_t begin = piece->begin, end = piece->end;
    strip_punctuation(text, &begin, &end);
    UChar32 letter, last_letter;
    U16_GET(text, 0, begin, end, letter);
    U16_GET(text, begin, end - 1, end, last_letter);
    U16_GET(text, 0, piece->begin, piece->end, traits.first);
    traits.last = last_code_point(text, piece->begin, piece->end);
    traits.n_units = end - begin;
    traits.number = u_isdigit(last_letter);
    traits.bare = end == piece->end;
    traits.letter = traits.n_units == 1 && u_isalpha(letter);
    traits.lower = u_islower(letter);
    /* The English "I" and "I'm" are no names. */
    bool pronoun = letter == 'I' && (end - begin == 1 || text[begin + 1] == '\'' ||
                                     text[begin + 1] == 0x2019);
    traits.capital = u_isupper(letter) && !pronoun;

    traits.classes = classes_of(text + begin, end - begin, language);
    if (!traits.bare)
        traits.classes &= ASR_WORD_TITLE | ASR_WORD_ABBREVIATION | ASR_WORD_UNIT;
    return traits;
}

/* Scripts whose words are written without spaces between them. */
static bool is_unspaced(UChar32 c)
{
    switch (u_getIntPropertyValue(c, UCHAR_LINE_BREAK)) {
    case U_LB_IDEOGRAPHIC:
    case U_LB_COMPLEX_CONTEXT:
    case U_LB_CONDITIONAL_JAPANESE_STARTER:
    case U_LB_NONSTARTER:
    case U_LB_H2:
    case U_LB_H3:
        return true;
    default:
        return false;
    }
}

static bool is_hiragana(UChar32 c)
{
    return c >= 0x3041 && c <= 0x309F;
}

/* Chinese particles that belong to the word before them. */
static bool is_chinese_particle(UChar32 c)
{
    static const UChar particles[] = u"的了吗嗎呢吧着著过過们們么麼啊得地";
    return c <= 0xFFFF && u_strchr(particles, (UChar)c) != NULL;
}

static bool is_sentence_end(UChar32 c)
{
    return u_hasBinaryProperty(c, UCHAR_S_TERM) || c == 0x2026;
}

static bool is_clause_end(UChar32 c, bool space_after)
{
    bool dash = u_hasBinaryProperty(c, UCHAR_DASH);
    return u_hasBinaryProperty(c, UCHAR_TERMINAL_PUNCTUATION) ||
           (dash && (space_after || c >= 0x2013));
}

/* The break where no space is written. */
static asr_break grade_unspaced(const piece_traits *left, const piece_traits *right)
{
    if (!is_unspaced(left->last) && !is_unspaced(right->first))
        return ASR_BREAK_POOR;
    if (left->number || is_chinese_particle(right->first))
        return ASR_BREAK_POOR;
    /* A Japanese phrase is a stem in kanji or katakana and its endings in hiragana. */
    if (is_hiragana(right->first) && !is_hiragana(left->last))
        return ASR_BREAK_POOR;
    return ASR_BREAK_WORD;
}

/* The break after a full stop, which may end a word or a number only. */
static asr_break grade_full_stop(const piece_traits *left, const piece_traits *right,
                                 const char *language)
{
    bool ordinal =
        left->number && left->n_units <= 2 && asr_language_matches(language, "de");
    bool initials = left->letter && left->capital && right->capital;
    bool abbreviation = left->letter && right->letter && !right->bare; /* z. B. */
    bool title = (left->classes & ASR_WORD_TITLE) && right->capital;
    if (initials || abbreviation || title || ordinal)
        return ASR_BREAK_UNIT;
    if (left->classes & ASR_WORD_ABBREVIATION)
        return right->lower ? ASR_BREAK_WORD : ASR_BREAK_CLAUSE;
    return right->lower ? ASR_BREAK_CLAUSE : ASR_BREAK_SENTENCE;
}

static bool is_function_word(const piece_traits *traits)
{
    return (traits->classes & (ASR_WORD_ARTICLE | ASR_WORD_CONJUNCTION |
                               ASR_WORD_PREPOSITION | ASR_WORD_LEANING)) != 0;
}

/* Numbers with their units, titles with names, first names with last names. */
static asr_break grade_bond(const piece_traits *left, const piece_traits *right,
                            const char *language)
{
    if (left->number && (right->number || (right->classes & ASR_WORD_UNIT)))
        return ASR_BREAK_UNIT;
    if (right->number && u_charType(left->last) == U_CURRENCY_SYMBOL)
        return ASR_BREAK_UNIT;
    if (!right->capital || is_function_word(right))
        return ASR_BREAK_WORD;
    if (left->classes & ASR_WORD_TITLE)
        return ASR_BREAK_UNIT;
    if (!left->capital || is_function_word(left))
        return ASR_BREAK_WORD;
    /* German writes every noun with a capital. */
    return asr_language_matches(language, "de") ? ASR_BREAK_POOR : ASR_BREAK_UNIT;
}

/* The break between two words without punctuation. */
static asr_break grade_words(const piece_traits *left, const piece_traits *right,
                             const char *language)
{
    if (left->classes & ASR_WORD_ARTICLE)
        return ASR_BREAK_ARTICLE;
    asr_break bond = grade_bond(left, right, language);
    if (bond != ASR_BREAK_WORD)
        return bond;
    if (left->classes & (ASR_WORD_CONJUNCTION | ASR_WORD_PREPOSITION))
        return ASR_BREAK_POOR;
    if (right->classes & ASR_WORD_CONJUNCTION)
        return ASR_BREAK_CONJUNCTION;
    if (right->classes & ASR_WORD_PREPOSITION)
        return ASR_BREAK_PREPOSITION;
    bool before_dash = u_hasBinaryProperty(right->first, UCHAR_DASH) && right->bare;
    if (before_dash || (left->classes & ASR_WORD_LEANING))
        return ASR_BREAK_POOR;
    return ASR_BREAK_WORD;
}

static asr_break grade(const piece_traits *left, const piece_traits *right,
                       bool space_after, const char *language)
{
    if (left->last == '.')
        return grade_full_stop(left, right, language);
    if (is_sentence_end(left->last))
        return right->lower ? ASR_BREAK_CLAUSE : ASR_BREAK_SENTENCE;
    if (is_clause_end(left->last, space_after))
        return ASR_BREAK_CLAUSE;
    if (!space_after)
        return grade_unspaced(left, right);
    return grade_words(left, right, language);
}

static void grade_breaks(asr_pieces *pieces, const UChar *text, const char *language)
{
    if (pieces->n_items == 0)
        return;
    piece_traits left = traits_of(&pieces->items[0], text, language);
    for (size_t i = 0; i + 1 < pieces->n_items; i++) {
        piece_traits right = traits_of(&pieces->items[i + 1], text, language);
        asr_piece *piece = &pieces->items[i];
        if (piece->break_after != ASR_BREAK_INSIDE)
            piece->break_after = grade(&left, &right, piece->space_after, language);
        left = right;
    }
    pieces->items[pieces->n_items - 1].break_after = ASR_BREAK_SENTENCE;
}

asr_pieces *asr_linebreak_create(const UChar *text, int32_t length,
                                 const asr_linebreak_params *params, asr_error *error)
{
    text_map map = {0};
    asr_pieces *pieces = calloc(1, sizeof(*pieces));
    if (!pieces) {
        asr_fail_memory(error);
        goto fail;
    }
    if (!map_create(&map, text, length, params, error))
        goto fail;
    if (!split(pieces, &map, text, length, params->max_columns)) {
        asr_fail_memory(error);
        goto fail;
    }
    grade_breaks(pieces, text, params->language);
    free(map.boundaries);
    free(map.columns);
    return pieces;

fail:
    free(map.boundaries);
    free(map.columns);
    asr_linebreak_destroy(&pieces);
    return NULL;
}

void asr_linebreak_destroy(asr_pieces **pieces)
{
    if (!*pieces)
        return;
    free((*pieces)->items);
    free(*pieces);
    *pieces = NULL;
}
