/* Languages: the table, and every way to name one. */
#include "test.h"
#include "text/language.h"

static const char *code_of(const char *text)
{
    const asr_language *found = asr_language_find(text);
    return found ? found->code : NULL;
}

TEST(table_follows_the_tokens)
{
    size_t count = 0;
    const asr_language *list = asr_language_list(&count);
    REQUIRE(count == 100);
    EXPECT_STR(list[0].code, "en");
    EXPECT_STR(list[30].code, "th");
    EXPECT_STR(list[95].code, "ha");
    EXPECT_STR(list[98].code, "su");
    EXPECT_STR(list[99].code, "yue");
    for (size_t i = 0; i < count; i++) {
        EXPECT_INT(asr_language_index(list[i].code), i);
        EXPECT(asr_language_find(list[i].code) == &list[i]);
        EXPECT(asr_language_find(list[i].name) == &list[i]);
        EXPECT_STR(asr_language_name(list[i].code), list[i].name);
    }
}

TEST(finds_names_in_any_case)
{
    EXPECT_STR(code_of("german"), "de");
    EXPECT_STR(code_of("DE"), "de");
    EXPECT_STR(code_of("haitian CREOLE"), "ht");
    EXPECT_STR(code_of("mandarin"), "zh");
    EXPECT_STR(code_of("Castilian"), "es");
    EXPECT_STR(code_of("Farsi"), "fa");
    EXPECT_STR(code_of("jv"), "jw");
    EXPECT_STR(code_of("Cantonese"), "yue");
}

TEST(accepts_scripts_and_regions)
{
    EXPECT_STR(code_of("zh-CN"), "zh");
    EXPECT_STR(code_of("en_US"), "en");
    EXPECT_STR(code_of("en_US.UTF-8"), "en");
    EXPECT_STR(code_of("de.UTF-8"), "de");
    EXPECT_STR(code_of("sr@latin"), "sr");
    EXPECT_STR(code_of("yue-Hant-HK"), "yue");
    EXPECT_STR(code_of("NB-no"), "no");
    EXPECT_STR(code_of("haw-US"), "haw");
}

TEST(refuses_the_unknown)
{
    static const char *const unknown[] = {"",           "xx",   "e",         "engl",
                                          "english-us", "-en",  "en ",       "c",
                                          "C.UTF-8",    "auto", "deutsch-DE"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        EXPECT(!asr_language_find(unknown[i]));
    EXPECT(!asr_language_name("English"));
    EXPECT_INT(asr_language_index("EN"), -1);
}

int main(void)
{
    RUN(table_follows_the_tokens);
    RUN(finds_names_in_any_case);
    RUN(accepts_scripts_and_regions);
    RUN(refuses_the_unknown);
    return test_end();
}
