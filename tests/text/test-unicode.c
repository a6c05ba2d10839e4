/* Unicode: ill-formed UTF-8 as Python replaces it, sequences cut off, classes, NFC. */
#include "test.h"
#include "text/unicode.h"

/* Whether repairing `text` gives `expected`. */
static bool repairs_to(const char *text, const char *expected)
{
    asr_error error = {""};
    size_t length = 0;
    char *repaired = asr_unicode_repaired(text, strlen(text), &length, &error);
    bool same = repaired && strcmp(repaired, expected) == 0 && length == strlen(expected);
    if (!same)
        printf("# repaired to \"%s\"\n", repaired ? repaired : "(null)");
    free(repaired);
    return same;
}

#define FFFD "\xEF\xBF\xBD"

/* Expected: what CPython 3.11 gives for bytes.decode(errors="replace"). */
TEST(replaces_maximal_subparts)
{
    EXPECT(repairs_to("", ""));
    EXPECT(repairs_to("café 你好 😀", "café 你好 😀"));
    EXPECT(repairs_to("\x80", FFFD));
    EXPECT(repairs_to("a\xC3", "a" FFFD));
    EXPECT(repairs_to("\xC3(", FFFD "("));
    EXPECT(repairs_to("\xC0\x80", FFFD FFFD));
    EXPECT(repairs_to("\xE2\x82", FFFD));
    EXPECT(repairs_to("\xE2\x82\xE2\x82\xAC", FFFD "€"));
    EXPECT(repairs_to("\xED\xA0\x80", FFFD FFFD FFFD));
    EXPECT(repairs_to("\xE0\x80\x80", FFFD FFFD FFFD));
    EXPECT(repairs_to("\xF0\x9F\x98", FFFD));
    EXPECT(repairs_to("\xF0\x9F\x98x", FFFD "x"));
    EXPECT(repairs_to("\xF0\x80\x80\x80", FFFD FFFD FFFD FFFD));
    EXPECT(repairs_to("\xF4\x90\x80\x80", FFFD FFFD FFFD FFFD));
    EXPECT(repairs_to("\xF5\xFF", FFFD FFFD));
}

TEST(tells_valid_from_invalid)
{
    EXPECT(asr_unicode_is_valid("", 0));
    EXPECT(asr_unicode_is_valid("a\0é", 4));
    EXPECT(!asr_unicode_is_valid("é", 1));
    EXPECT(!asr_unicode_is_valid("\xED\xA0\x80", 3));
    EXPECT(asr_unicode_is_valid("\xF4\x8F\xBF\xBF", 4));
}

TEST(finds_what_is_cut_off)
{
    EXPECT_INT(asr_unicode_cut_off("", 0), 0);
    EXPECT_INT(asr_unicode_cut_off("abc", 3), 0);
    EXPECT_INT(asr_unicode_cut_off("a\xC3", 2), 1);
    EXPECT_INT(asr_unicode_cut_off("aé", 3), 0);
    EXPECT_INT(asr_unicode_cut_off("\xE4\xBD", 2), 2);
    EXPECT_INT(asr_unicode_cut_off("\xF0\x9F\x98", 3), 3);
    EXPECT_INT(asr_unicode_cut_off("😀", 4), 0);
    /* No byte could make these whole. */
    EXPECT_INT(asr_unicode_cut_off("\x80", 1), 0);
    EXPECT_INT(asr_unicode_cut_off("\xC0", 1), 0);
    EXPECT_INT(asr_unicode_cut_off("\xE0\x80", 2), 0);
    EXPECT_INT(asr_unicode_cut_off("\xED\xA0", 2), 0);
    EXPECT_INT(asr_unicode_cut_off("\xF4\x90", 2), 0);
    EXPECT_INT(asr_unicode_cut_off("é\xA9\xA9", 4), 0);
}

TEST(classes_characters)
{
    static const int32_t spaces[] = {' ',    '\t',   '\v',   '\n',   0x85,   0xA0,
                                     0x1680, 0x2000, 0x2028, 0x202F, 0x205F, 0x3000};
    static const int32_t others[] = {0,   0x1C,   0x1F,    0x200B, 0xFEFF,  0x300,
                                     '_', 0x180E, 0x1F600, 0xE000, 0x10FFFF};
    static const int32_t numbers[] = {'7', 0x664, 0xB2, 0x2167, 0x2460, 0x3007};
    static const int32_t letters[] = {'a', 0xAA, 0x1C5, 0x2B0, 0x4E00, 0xAC00, 0x1D400};
    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
        EXPECT_INT(asr_unicode_class_of(spaces[i]), ASR_UNICODE_SPACE);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        EXPECT_INT(asr_unicode_class_of(others[i]), ASR_UNICODE_OTHER);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        EXPECT_INT(asr_unicode_class_of(numbers[i]), ASR_UNICODE_NUMBER);
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
        EXPECT_INT(asr_unicode_class_of(letters[i]), ASR_UNICODE_LETTER);
    EXPECT(asr_unicode_is_word('_') && asr_unicode_is_word(0x301) &&
           asr_unicode_is_word(0x200D) && asr_unicode_is_word(0x664));
    EXPECT(!asr_unicode_is_word('-') && !asr_unicode_is_word(' ') &&
           !asr_unicode_is_word(0xB2));
}

static bool composes_to(const char *text, const char *expected)
{
    asr_error error = {""};
    size_t length = 0;
    char *composed = asr_unicode_nfc(text, strlen(text), &length, &error);
    bool same =
        composed && length == strlen(expected) && memcmp(composed, expected, length) == 0;
    free(composed);
    return same;
}

TEST(composes)
{
    EXPECT(composes_to("", ""));
    EXPECT(composes_to("cafe\u0301", "café"));
    EXPECT(composes_to("\u1100\u1161\u11A8", "각"));
    EXPECT(composes_to("a\u0323\u0307", "\u1EA1\u0307"));
    EXPECT(composes_to("a\u0307\u0323", "\u1EA1\u0307"));
    EXPECT(composes_to("\u212B", "Å"));
    EXPECT(composes_to("ﬁ", "ﬁ"));
    /* The greatest growth: three times, from UTF-16 with and without surrogates. */
    EXPECT(composes_to("\uFB2C", "\u05E9\u05BC\u05C1"));
    EXPECT(composes_to("\U0001D160", "\U0001D158\U0001D165\U0001D16E"));
}

int main(void)
{
    RUN(replaces_maximal_subparts);
    RUN(tells_valid_from_invalid);
    RUN(finds_what_is_cut_off);
    RUN(classes_characters);
    RUN(composes);
    return test_end();
}
