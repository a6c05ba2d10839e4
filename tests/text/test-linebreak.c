/* The line breaker: where it allows a break, and how it grades it. */
#include "test.h"
#include "text/linebreak-words.h"
#include "text/linebreak.h"

#include <unicode/ustring.h>

#define MAX_UNITS 512

/* The pieces of a text, each followed by the letter of the break after it:
 * S(entence) C(lause) j(conjunction) p(reposition) w(ord) - (poor) u(nit) i(nside)
 * a(rticle). The last break, always a sentence's, is left out. */
static const char *breaks(const char *language, const char *utf8, int max_columns)
{
    static const char letters[] = "SCjpw-uia";
    static char shown[2048];
    UChar text[MAX_UNITS];
    int32_t length;
    UErrorCode status = U_ZERO_ERROR;
    u_strFromUTF8(text, MAX_UNITS, &length, utf8, -1, &status);
    asr_linebreak_params params = {.language = language, .max_columns = max_columns};
    asr_error error = {""};
    asr_pieces *pieces = asr_linebreak_create(text, length, &params, &error);
    if (!pieces)
        return error.message[0] ? "failed" : "failed without a message";
    char *at = shown;
    for (size_t i = 0; i < pieces->n_items; i++) {
        const asr_piece *piece = &pieces->items[i];
        int32_t n_bytes;
        u_strToUTF8(at, 128, &n_bytes, text + piece->begin, piece->end - piece->begin,
                    &status);
        at += n_bytes;
        if (i + 1 < pieces->n_items)
            at += sprintf(at, "[%c]", letters[piece->break_after]);
    }
    *at = '\0';
    asr_linebreak_destroy(&pieces);
    return shown;
}

static int columns(const char *utf8, bool wide)
{
    UChar text[MAX_UNITS];
    int32_t length;
    UErrorCode status = U_ZERO_ERROR;
    u_strFromUTF8(text, MAX_UNITS, &length, utf8, -1, &status);
    asr_linebreak_params params = {.language = "", .wide = wide};
    asr_pieces *pieces = asr_linebreak_create(text, length, &params, NULL);
    int total = 0;
    for (size_t i = 0; pieces && i < pieces->n_items; i++)
        total += pieces->items[i].columns;
    asr_linebreak_destroy(&pieces);
    return total;
}

TEST(grades_english)
{
    EXPECT_STR(breaks("en", "I came. You saw, and the dog ran to a house", 0),
               "I[-]came.[S]You[-]saw,[C]and[-]the[a]dog[w]ran[p]to[-]a[a]house");
    EXPECT_STR(breaks("en", "run because it's raining", 0),
               "run[j]because[-]it's[-]raining");
    EXPECT_STR(breaks("en", "don’t go", 0), "don’t[-]go");
}

TEST(keeps_names_numbers_and_units)
{
    EXPECT_STR(breaks("en", "saw Ada Lovelace walk 25 km today", 0),
               "saw[w]Ada[u]Lovelace[w]walk[w]25[u]km[w]today");
    EXPECT_STR(breaks("en", "with Mr. Smith and J. Doe. Then", 0),
               "with[-]Mr.[u]Smith[j]and[-]J.[u]Doe.[S]Then");
    EXPECT_STR(breaks("de", "Frau Merkel kam am 3. Mai", 0),
               "Frau[u]Merkel[w]kam[p]am[a]3.[u]Mai");
    EXPECT_STR(breaks("fr", "plus de 3 000 personnes", 0),
               "plus[p]de[-]3[u]000[w]personnes");
}

TEST(full_stops_of_abbreviations_end_nothing)
{
    EXPECT_STR(breaks("de", "sonst z. B. im Zug", 0), "sonst[w]z.[u]B.[w]im[a]Zug");
    EXPECT_STR(breaks("en", "apples, pears etc. are good", 0),
               "apples,[C]pears[w]etc.[w]are[-]good");
    EXPECT_STR(breaks("en", "“Stop!” he said… quietly. “Now?”", 0),
               "“Stop!”[C]he[-]said…[C]quietly.[S]“Now?”");
}

TEST(other_languages_have_their_words)
{
    EXPECT_STR(breaks("de", "er sagte dass der Hund bellt", 0),
               "er[-]sagte[j]dass[-]der[a]Hund[w]bellt");
    EXPECT_STR(breaks("fr", "il dort parce que la nuit tombe", 0),
               "il[-]dort[j]parce[-]que[-]la[a]nuit[w]tombe");
    EXPECT_STR(breaks("es-MX", "vino a la casa porque llovía", 0),
               "vino[p]a[-]la[a]casa[j]porque[-]llovía");
    EXPECT_STR(breaks("it", "la casa della zia", 0), "la[a]casa[p]della[a]zia");
    EXPECT_STR(breaks("pt", "foi ao mercado mas voltou", 0),
               "foi[p]ao[a]mercado[j]mas[-]voltou");
    EXPECT_STR(breaks("nl", "hij zag het huis omdat hij liep", 0),
               "hij[-]zag[w]het[a]huis[j]omdat[-]hij[-]liep");
    EXPECT_STR(breaks("xx", "the cat and dog, too", 0), "the[w]cat[w]and[w]dog,[C]too");
}

TEST(lists_hold_words_not_parts_of_words)
{
    EXPECT_INT(asr_word_classes("en", "the"), ASR_WORD_ARTICLE);
    EXPECT_INT(asr_word_classes("en", "th"), 0);
    EXPECT_INT(asr_word_classes("en", ""), 0);
    EXPECT_INT(asr_word_classes("en", "a an"), 0);
    EXPECT_INT(asr_word_classes("de", "zum"), ASR_WORD_ARTICLE | ASR_WORD_PREPOSITION);
    EXPECT_INT(asr_word_classes("tlh", "km"), ASR_WORD_UNIT);
    EXPECT_INT(asr_word_classes("en", "floccinaucinihilipilificationfloccinaucinihili"),
               0);
}

/* What begins a line, or ends one, against the rules of East Asian typesetting. */
static bool breaks_kinsoku(const char *shown)
{
    static const char *const never_first[] = {"。", "、", "，", "！", "」",
                                              "ー", "ッ", "ゃ", "ょ", "）"};
    for (const char *at = strchr(shown, ']'); at; at = strchr(at + 1, ']'))
        for (size_t i = 0; i < sizeof(never_first) / sizeof(never_first[0]); i++)
            if (strncmp(at + 1, never_first[i], strlen(never_first[i])) == 0)
                return true;
    return strstr(shown, "「[") || strstr(shown, "（[");
}

TEST(keeps_east_asian_rules)
{
    const char *japanese =
        "私は「コーヒーをちょっと飲んだ。」と、（笑って）言ったのよ！ね、きっと";
    EXPECT(!breaks_kinsoku(breaks("ja", japanese, 0)));
    EXPECT(!breaks_kinsoku(breaks("ja", japanese, 8)));
    EXPECT_STR(breaks("zh", "我们去公园。你呢？", 0), "我们[w]去[w]公园。[S]你[-]呢？");
    EXPECT_STR(breaks("ko", "안녕하세요 오늘은 날씨가", 0),
               "안녕하세요[w]오늘은[w]날씨가");
    EXPECT_STR(breaks("th", "สวัสดีครับ", 0), "สวัสดี[w]ครับ");
}

TEST(breaks_wide_words)
{
    EXPECT_STR(breaks("en", "a pneumonoultramicroscopic end", 10),
               "a[a]pneumonoul[i]tramicrosc[i]opic[w]end");
    EXPECT_STR(breaks("en", "supercalifragilistic-expialidocious", 24),
               "supercalifragilistic-[-]expialidocious");
    EXPECT_STR(breaks("ko", "안녕하세요", 4), "안녕[i]하세[i]요");
    /* A cluster stays whole: e and its accent, a family emoji. */
    EXPECT_STR(breaks("en", "aae\xCC\x81", 2), "aa[i]e\xCC\x81");
}

TEST(counts_columns)
{
    EXPECT_INT(columns("abc", false), 3);
    EXPECT_INT(columns("中文", false), 4);
    EXPECT_INT(columns("e\xCC\x81", false), 1);
    EXPECT_INT(columns("👨‍👩‍👧", false), 2);
    EXPECT_INT(columns("…", false), 1);
    EXPECT_INT(columns("…", true), 2);
    EXPECT_INT(columns("", false), 0);
}

int main(void)
{
    RUN(grades_english);
    RUN(keeps_names_numbers_and_units);
    RUN(full_stops_of_abbreviations_end_nothing);
    RUN(other_languages_have_their_words);
    RUN(lists_hold_words_not_parts_of_words);
    RUN(keeps_east_asian_rules);
    RUN(breaks_wide_words);
    RUN(counts_columns);
    return test_end();
}
