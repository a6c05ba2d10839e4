/* Subtitles: golden examples of cuts, lines and times, one rule each. */
#include "spoken.h"
#include "test.h"
#include "text/subtitle.h"

#define MAX_SHOWN 4096

static const spoken english = {.language = "en", .seconds_per_byte = 0.065};
static const spoken german = {.language = "de", .seconds_per_byte = 0.065};

static asr_cues *cut(const spoken *how, const char *text, const char *profile_name)
{
    asr_transcript *transcript = spoken_transcript(how, text);
    const asr_subtitle_profile *profile =
        asr_subtitle_profile_find(profile_name, how->language, NULL);
    asr_cues *cues = profile ? asr_subtitle_create(transcript, profile, NULL) : NULL;
    asr_transcript_destroy(
        &transcript); /* these transcripts have no speakers to borrow */
    return cues;
}

/* All cues on one line: lines parted by " / ", cues by " | ". */
static const char *shown(const spoken *how, const char *text, const char *profile)
{
    static char all[MAX_SHOWN];
    asr_cues *cues = cut(how, text, profile);
    char *at = all;
    *at = '\0';
    for (size_t i = 0; cues && i < cues->n_items; i++) {
        if (i > 0)
            at = stpcpy(at, " | ");
        for (const char *c = cues->items[i].text; *c; c++) {
            if (*c == '\n')
                at = stpcpy(at, " / ");
            else
                *at++ = *c;
        }
        *at = '\0';
    }
    asr_subtitle_destroy(&cues);
    return all;
}

TEST(finds_profiles)
{
    asr_error error = {""};
    const asr_subtitle_profile *profile = asr_subtitle_profile_find(NULL, "en", &error);
    REQUIRE(profile);
    EXPECT_INT(profile->line_characters, 42);
    EXPECT_NEAR(profile->characters_per_second, 20, 0);
    EXPECT_NEAR(asr_subtitle_profile_find("default", "de", NULL)->characters_per_second,
                17, 0);
    EXPECT_NEAR(
        asr_subtitle_profile_find("default", "en-GB", NULL)->characters_per_second, 20,
        0);
    EXPECT_NEAR(asr_subtitle_profile_find("default", "", NULL)->characters_per_second, 17,
                0);
    EXPECT_INT(asr_subtitle_profile_find("default", "zh", NULL)->line_characters, 16);
    EXPECT_INT(asr_subtitle_profile_find("default", "yue", NULL)->line_characters, 16);
    EXPECT_INT(asr_subtitle_profile_find("default", "ja", NULL)->line_characters, 23);
    EXPECT_INT(asr_subtitle_profile_find("bbc", NULL, NULL)->line_characters, 37);
    EXPECT(!asr_subtitle_profile_find("netflix", "en", &error));
    EXPECT_STR(error.message,
               "There is no subtitle profile \"netflix\"; choose default, bbc or plain.");
}

TEST(cuts_after_sentences_and_clauses)
{
    EXPECT_STR(
        shown(&english,
              " And so, my fellow Americans, ask not what your country can do for you,"
              " ask what you can do for your country.",
              "default"),
        "And so, my fellow Americans, | ask not what your country can do for you, / "
        "ask what you can do for your country.");
}

TEST(sentences_span_segments)
{
    EXPECT_STR(
        shown(&english, " The old man| walked home.| He slept until noon.", "default"),
        "The old man walked home. | He slept until noon.");
}

TEST(short_sentences_share_a_cue)
{
    EXPECT_STR(
        shown(&english, " Oh yes. I know it. It was the best of all days.", "default"),
        "Oh yes. I know it. | It was the best of all days.");
}

TEST(one_line_if_it_fits)
{
    EXPECT_STR(
        shown(&english, " We met on the long road to London, of course.", "default"),
        "We met on the long road to London, / of course.");
    EXPECT_STR(shown(&english, " We met on the long road to the capital.", "default"),
               "We met on the long road to the capital.");
}

TEST(keeps_bound_words_together)
{
    EXPECT_STR(shown(&english,
                     " Mr. Smith paid 3000 dollars for 25 kilograms of the finest coffee"
                     " that the New York Stock Exchange had ever traded",
                     "default"),
               "Mr. Smith paid 3000 dollars / for 25 kilograms of the finest coffee | "
               "that the New York Stock Exchange / had ever traded");
    EXPECT_STR(
        shown(&german,
              " Die Bundeskanzlerin Angela Merkel sagte am 3. Mai, dass die Regierung in"
              " den nächsten Jahren rund 20 Milliarden Euro für den Ausbau der"
              " Schienenwege ausgeben werde, weil die Bahn sonst nicht fährt.",
              "default"),
        "Die Bundeskanzlerin Angela Merkel sagte / am 3. Mai, | "
        "dass die Regierung in den nächsten Jahren / rund 20 Milliarden Euro für den "
        "Ausbau "
        "| der Schienenwege ausgeben werde, / weil die Bahn sonst nicht fährt.");
}

TEST(pauses_decide)
{
    /* The same words, cut where the speaker breathes. */
    EXPECT_STR(
        shown(&english, " one two three four five six seven_ eight nine", "default"),
        "one two three four five six seven | eight nine");
    EXPECT_STR(
        shown(&english, " one two three_ four five six seven eight nine", "default"),
        "one two three | four five six seven eight nine");
}

TEST(chinese_breaks_between_words)
{
    spoken chinese = {.language = "zh", .seconds_per_byte = 0.07, .by_character = true};
    EXPECT_STR(shown(&chinese,
                     "今天天气很好，我们一起去公园散步吧。公园里有很多人在跳舞唱歌，"
                     "孩子们在草地上跑来跑去，非常热闹。",
                     "default"),
               "今天天气很好， / 我们一起去公园散步吧。 | "
               "公园里有很多人在跳舞唱歌，孩子们 / 在草地上跑来跑去，非常热闹。");
}

TEST(japanese_keeps_particles)
{
    spoken japanese = {.language = "ja", .seconds_per_byte = 0.05, .by_character = true};
    EXPECT_STR(shown(&japanese,
                     "私は昨日東京へ行きました。天気がとても良かったので、"
                     "友達と一緒に公園を散歩しました。",
                     "default"),
               "私は昨日東京へ行きました。 | 天気がとても良かったので、 / "
               "友達と一緒に公園を散歩しました。");
}

TEST(korean_breaks_at_spaces)
{
    spoken korean = {.language = "ko", .seconds_per_byte = 0.06};
    EXPECT_STR(
        shown(
            &korean,
            " 안녕하세요. 오늘은 날씨가 정말 좋네요. 우리는 함께 공원에 가서 산책을 하고",
            "default"),
        "안녕하세요. | 오늘은 날씨가 정말 좋네요. | 우리는 함께 공원에 / 가서 산책을 "
        "하고");
}

TEST(without_word_times)
{
    spoken silent = english;
    silent.no_words = true;
    const char *text = " ask not what your country can do for you, ask what you can do.";
    char with_times[MAX_SHOWN];
    strcpy(with_times, shown(&english, text, "default"));
    EXPECT_STR(shown(&silent, text, "default"), with_times);
    asr_cues *cues =
        cut(&silent, " I walked to the river. Then I swam across it.", "default");
    REQUIRE(cues && cues->n_items == 2);
    EXPECT_NEAR(cues->items[1].start, 24 * 0.065, 0.07);
    asr_subtitle_destroy(&cues);
}

TEST(short_cues_extend_into_silence)
{
    asr_cues *cues = cut(&english, " Yes.___ No.", "default");
    REQUIRE(cues && cues->n_items == 2);
    EXPECT_NEAR(cues->items[0].start, 0, 1e-9);
    EXPECT_NEAR(cues->items[0].end, 0.834, 1e-9);
    EXPECT_NEAR(cues->items[1].start, 3.325, 1e-9);
    asr_subtitle_destroy(&cues);
}

TEST(short_gaps_are_closed)
{
    asr_transcript *transcript = asr_transcript_create("test", "en", NULL);
    asr_word first = {0, 2, " This is one sentence.", 1};
    asr_word second = {2.4, 5, " This is the second.", 1};
    asr_segment segments[] = {{0, 2, first.text, NULL, 0, &first, 1, NULL},
                              {2.4, 5, second.text, NULL, 0, &second, 1, NULL}};
    REQUIRE(asr_transcript_add_segment(transcript, &segments[0], NULL));
    REQUIRE(asr_transcript_add_segment(transcript, &segments[1], NULL));
    asr_cues *cues = asr_subtitle_create(
        transcript, asr_subtitle_profile_find("default", "en", NULL), NULL);
    REQUIRE(cues && cues->n_items == 2);
    EXPECT_NEAR(cues->items[0].end, 2.4 - 0.083, 1e-9);
    asr_subtitle_destroy(&cues);

    cues = asr_subtitle_create(transcript, asr_subtitle_profile_find("bbc", "en", NULL),
                               NULL);
    REQUIRE(cues && cues->n_items == 2);
    EXPECT_NEAR(cues->items[0].end, 2.4, 1e-9);
    asr_subtitle_destroy(&cues);
    asr_transcript_destroy(&transcript);
}

TEST(speakers_never_share_a_cue)
{
    asr_transcript *transcript = asr_transcript_create("test", "en", NULL);
    asr_segment segments[] = {
        {.start = 0, .end = 1, .text = " Is it", .speaker = "You"},
        {.start = 1, .end = 1.5, .text = " you?", .speaker = "You"},
        {.start = 1.5, .end = 2, .text = " Yes.", .speaker = "Others"}};
    for (size_t i = 0; i < 3; i++)
        REQUIRE(asr_transcript_add_segment(transcript, &segments[i], NULL));
    asr_cues *cues = asr_subtitle_create(
        transcript, asr_subtitle_profile_find(NULL, "en", NULL), NULL);
    REQUIRE(cues && cues->n_items == 2);
    EXPECT_STR(cues->items[0].text, "Is it you?");
    EXPECT_STR(cues->items[0].speaker, "You");
    EXPECT_STR(cues->items[1].speaker, "Others");
    asr_subtitle_destroy(&cues);
    asr_transcript_destroy(&transcript);
}

TEST(plain_keeps_segments)
{
    asr_transcript *transcript = asr_transcript_create("test", "en", NULL);
    asr_segment segments[] = {{.start = -1, .end = 3, .text = " A first\n one "},
                              {.start = 2, .end = 2, .text = "\t"},
                              {.start = 2, .end = 1, .text = " overlapping"},
                              {.start = 2, .end = 4, .text = " at the same time"}};
    for (size_t i = 0; i < 4; i++)
        REQUIRE(asr_transcript_add_segment(transcript, &segments[i], NULL));
    asr_cues *cues = asr_subtitle_create(
        transcript, asr_subtitle_profile_find("plain", "en", NULL), NULL);
    REQUIRE(cues && cues->n_items == 3);
    EXPECT_STR(cues->items[0].text, "A first one");
    EXPECT_NEAR(cues->items[0].start, 0, 1e-9);
    EXPECT_NEAR(cues->items[0].end, 2, 1e-9);
    EXPECT_NEAR(cues->items[1].end, 2.001, 1e-9);
    EXPECT_NEAR(cues->items[2].start, 2.001, 1e-9);
    EXPECT_NEAR(cues->items[2].end, 4, 1e-9);
    asr_subtitle_destroy(&cues);
    asr_transcript_destroy(&transcript);
}

TEST(words_become_cues)
{
    asr_transcript *transcript = spoken_transcript(&english, " Go on, then");
    asr_cues *cues = asr_subtitle_create_words(transcript, NULL);
    REQUIRE(cues && cues->n_items == 3);
    EXPECT_STR(cues->items[1].text, "on,");
    EXPECT_NEAR(cues->items[1].start, 3 * 0.065, 0.001);
    EXPECT_NEAR(cues->items[1].end, cues->items[2].start, 1e-9);
    asr_subtitle_destroy(&cues);
    asr_transcript_destroy(&transcript);
}

TEST(nothing_said_is_no_cue)
{
    EXPECT_STR(shown(&english, "", "default"), "");
    EXPECT_STR(shown(&english, "  | |  ", "bbc"), "");
    EXPECT_STR(shown(&english, " \xFF\xC3 bad \x01 bytes", "default"), "�� bad bytes");
}

int main(void)
{
    RUN(finds_profiles);
    RUN(cuts_after_sentences_and_clauses);
    RUN(sentences_span_segments);
    RUN(short_sentences_share_a_cue);
    RUN(one_line_if_it_fits);
    RUN(keeps_bound_words_together);
    RUN(pauses_decide);
    RUN(chinese_breaks_between_words);
    RUN(japanese_keeps_particles);
    RUN(korean_breaks_at_spaces);
    RUN(without_word_times);
    RUN(short_cues_extend_into_silence);
    RUN(short_gaps_are_closed);
    RUN(speakers_never_share_a_cue);
    RUN(plain_keeps_segments);
    RUN(words_become_cues);
    RUN(nothing_said_is_no_cue);
    return test_end();
}
