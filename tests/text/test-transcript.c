/* Transcripts: copies, growth and limits. */
#include "test.h"
#include "text/transcript.h"

static asr_transcript *create(void)
{
    asr_error error = {""};
    return asr_transcript_create("base", "en", &error);
}

TEST(holds_deep_copies)
{
    asr_transcript *transcript = create();
    REQUIRE(transcript);
    char text[] = " Hello world";
    char first[] = " Hello", second[] = " world";
    char speaker[] = "You";
    int tokens[] = {15947, 1002};
    asr_word words[] = {{0.5, 1, first, 0.9f}, {1, 1.5, second, 0.8f}};
    asr_segment segment = {.start = 0.5,
                           .end = 1.5,
                           .text = text,
                           .tokens = tokens,
                           .n_tokens = 2,
                           .words = words,
                           .n_words = 2,
                           .speaker = speaker};
    EXPECT(asr_transcript_add_segment(transcript, &segment, NULL));
    memset(text, 'x', sizeof(text) - 1);
    memset(first, 'x', sizeof(first) - 1);
    memset(speaker, 'x', sizeof(speaker) - 1);
    tokens[0] = 0;
    words[0].start = 9;

    REQUIRE(transcript->n_segments == 1);
    const asr_segment *copy = &transcript->segments[0];
    EXPECT_STR(copy->text, " Hello world");
    EXPECT_STR(copy->speaker, "You");
    EXPECT_INT(copy->tokens[0], 15947);
    REQUIRE(copy->n_words == 2);
    EXPECT_STR(copy->words[0].text, " Hello");
    EXPECT_NEAR(copy->words[0].start, 0.5, 0);
    EXPECT_NEAR(copy->words[1].probability, 0.8, 1e-6);
    asr_transcript_destroy(&transcript);
    EXPECT(transcript == NULL);
    asr_transcript_destroy(&transcript);
}

TEST(grows)
{
    asr_transcript *transcript = create();
    REQUIRE(transcript);
    for (int i = 0; i < 1000; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        asr_segment segment = {.start = i, .end = i + 1, .text = text};
        EXPECT(asr_transcript_add_segment(transcript, &segment, NULL));
    }
    REQUIRE(transcript->n_segments == 1000);
    EXPECT_STR(transcript->segments[0].text, "0");
    EXPECT_STR(transcript->segments[999].text, "999");
    asr_transcript_destroy(&transcript);
}

TEST(missing_texts_are_empty)
{
    asr_error error;
    asr_transcript *transcript = asr_transcript_create(NULL, NULL, &error);
    REQUIRE(transcript);
    EXPECT_STR(transcript->model, "");
    EXPECT_STR(transcript->language, "");
    asr_word word = {0, 1, NULL, 0};
    asr_segment segment = {.words = &word, .n_words = 1};
    REQUIRE(asr_transcript_add_segment(transcript, &segment, &error));
    EXPECT_STR(transcript->segments[0].text, "");
    EXPECT_STR(transcript->segments[0].words[0].text, "");
    EXPECT(transcript->segments[0].speaker == NULL);
    EXPECT(asr_transcript_set_language(transcript, "de", &error));
    EXPECT_STR(transcript->language, "de");
    asr_transcript_destroy(&transcript);
}

TEST(refuses_impossible_times)
{
    asr_transcript *transcript = create();
    REQUIRE(transcript);
    const double bad[] = {NAN, INFINITY, -INFINITY, 1e9};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        asr_error error = {""};
        asr_segment at_start = {.start = bad[i], .text = "x"};
        asr_segment at_end = {.end = bad[i], .text = "x"};
        asr_word word = {0, bad[i], "x", 1};
        asr_segment in_word = {.text = "x", .words = &word, .n_words = 1};
        EXPECT(!asr_transcript_add_segment(transcript, &at_start, &error));
        EXPECT(!asr_transcript_add_segment(transcript, &at_end, &error));
        EXPECT(!asr_transcript_add_segment(transcript, &in_word, &error));
        EXPECT(strstr(error.message, "time") != NULL);
    }
    EXPECT_INT(transcript->n_segments, 0);
    asr_transcript_destroy(&transcript);
}

TEST(refuses_runaway_segments)
{
    asr_transcript *transcript = create();
    REQUIRE(transcript);
    size_t length = ASR_TRANSCRIPT_MAX_SEGMENT_BYTES + 1;
    char *text = malloc(length + 1);
    REQUIRE(text);
    memset(text, 'a', length);
    text[length] = '\0';
    asr_segment segment = {.text = text};
    asr_error error = {""};
    EXPECT(!asr_transcript_add_segment(transcript, &segment, &error));
    EXPECT(strstr(error.message, "segment") != NULL);

    text[length - 1] = '\0';
    size_t n_added = 0;
    while (n_added < 300 && asr_transcript_add_segment(transcript, &segment, &error))
        n_added++;
    EXPECT(n_added >= 250 && n_added < 256);
    EXPECT(strstr(error.message, "too long") != NULL);
    EXPECT_INT(transcript->n_segments, n_added);
    free(text);
    asr_transcript_destroy(&transcript);
}

int main(void)
{
    RUN(holds_deep_copies);
    RUN(grows);
    RUN(missing_texts_are_empty);
    RUN(refuses_impossible_times);
    RUN(refuses_runaway_segments);
    return test_end();
}
