/* Subtitles: what holds for every transcript, tried on many random ones.
 *
 * The first half of the rounds are speech as it is: steady times, pauses, several
 * segments. The second half are broken recognisers: times that run backwards, stand
 * still or jump. The seed of a failing round is printed. */
#include "test.h"
#include "text/subtitle.h"

#include <stdint.h>

#define N_ROUNDS 600
#define MAX_WORDS 120

typedef struct vocabulary {
    const char *language;
    const char *space; /* before each word */
    const char *articles[4];
    const char *words[16];
    const char *endings[6]; /* punctuation; "" for none */
} vocabulary;

static const vocabulary vocabularies[] = {
    {"en",
     " ",
     {"the", "a", "an", "the"},
     {"house", "walked", "and", "of", "with", "Ada", "Lovelace", "because", "25", "km",
      "is", "understanding", "it", "to", "extraordinary-looking", "we"},
     {"", "", "", ",", ".", "?"}},
    {"de",
     " ",
     {"der", "die", "eine", "im"},
     {"Haus", "gegangen", "und", "von", "mit", "Herr", "Müller", "weil", "25", "Prozent",
      "ist", "Donaudampfschifffahrtsgesellschaftskapitän", "es", "zu", "schön", "wir"},
     {"", "", "", ",", ".", "!"}},
    {"zh",
     "",
     {"这", "那", "个", "一"},
     {"天", "气", "很", "好", "我", "们", "去", "公", "园", "散", "步", "的", "了", "人",
      "多", "说"},
     {"", "", "", "", "，", "。"}},
    {"ja",
     "",
     {"こ", "そ", "あ", "ど"},
     {"私", "は", "東", "京", "へ", "行", "き", "ま", "し", "た", "コ", "ー", "ヒ", "ー",
      "を", "ッ"},
     {"", "", "", "", "、", "。"}},
    {"ko",
     " ",
     {"그", "이", "한", "저"},
     {"안녕하세요", "오늘은", "날씨가", "정말", "좋네요", "우리는", "함께", "공원에",
      "가서", "산책을", "하고", "커피를", "마셨습니다", "그리고", "카페에서", "있는"},
     {"", "", "", ".", ",", "?"}},
};

/* A random transcript, with what the rules need to know about it. */
typedef struct sample {
    const vocabulary *vocabulary;
    bool broken; /* a broken recogniser's times */
    asr_transcript *transcript;
    asr_word words[MAX_WORDS];
    char texts[MAX_WORDS][80];
    bool is_article[MAX_WORDS];
    size_t n_words;
} sample;

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static double uniform(uint32_t *state, double low, double high)
{
    return low + (high - low) * (next_random(state) % 100000) / 100000;
}

static void make_word(sample *s, uint32_t *state)
{
    const vocabulary *v = s->vocabulary;
    size_t i = s->n_words;
    bool after_article = i > 0 && s->is_article[i - 1];
    s->is_article[i] = !after_article && next_random(state) % 5 == 0;
    if (s->is_article[i])
        sprintf(s->texts[i], "%s%s", v->space, v->articles[next_random(state) % 4]);
    else
        sprintf(s->texts[i], "%s%s%s", v->space, v->words[next_random(state) % 16],
                v->endings[next_random(state) % 6]);
    s->n_words++;
}

static void time_words(sample *s, uint32_t *state)
{
    double now = uniform(state, 0, 3);
    double pace =
        s->vocabulary->space[0] ? uniform(state, 0.04, 0.12) : uniform(state, 0.05, 0.2);
    for (size_t i = 0; i < s->n_words; i++) {
        double length = pace * (double)strlen(s->texts[i]) * uniform(state, 0.7, 1.3);
        asr_word word = {.start = now, .end = now + length, .text = s->texts[i]};
        if (s->broken) {
            uint32_t kind = next_random(state) % 4;
            word.start = kind == 0 ? 5 : uniform(state, -20, 60);
            word.end = kind == 1 ? word.start : uniform(state, -20, 60);
        }
        s->words[i] = word;
        now += length;
        if (!s->is_article[i] && next_random(state) % 8 == 0)
            now += uniform(state, 0, 3);
    }
}

static void add_segments(sample *s, uint32_t *state)
{
    size_t first = 0;
    while (first < s->n_words) {
        size_t n = 1 + next_random(state) % 20;
        n = n < s->n_words - first ? n : s->n_words - first;
        char text[MAX_WORDS * 80] = "";
        for (size_t i = first; i < first + n; i++)
            strcat(text, s->texts[i]);
        asr_segment segment = {.start = s->words[first].start,
                               .end = s->words[first + n - 1].end,
                               .text = text,
                               .words = s->words + first,
                               .n_words = n};
        if (!asr_transcript_add_segment(s->transcript, &segment, NULL))
            abort();
        first += n;
    }
}

static void sample_create(sample *s, uint32_t seed)
{
    uint32_t state = seed * 2654435761u + 1;
    memset(s, 0, sizeof(*s));
    s->vocabulary = &vocabularies[seed % 5];
    s->broken = seed > N_ROUNDS / 2;
    s->transcript = asr_transcript_create("test", s->vocabulary->language, NULL);
    size_t n = next_random(&state) % MAX_WORDS;
    while (s->n_words < n)
        make_word(s, &state);
    time_words(s, &state);
    add_segments(s, &state);
}

/* Columns as the profile counts them; the test's words need no more than this. */
static int columns_of(const char *text, size_t n_bytes)
{
    int columns = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        if ((byte & 0xC0) != 0x80)
            columns += byte >= 0xE0 ? 2 : 1;
    }
    return columns;
}

static long ms(double seconds)
{
    return lround(seconds * 1000);
}

/* Every word once and in order: the texts agree but for white space. */
static bool all_words_appear(const sample *s, const asr_cues *cues)
{
    static char said[MAX_WORDS * 80], shown[MAX_WORDS * 160];
    char *at = said;
    for (size_t i = 0; i < s->n_words; i++)
        for (const char *c = s->texts[i]; *c; c++)
            if (*c != ' ')
                *at++ = *c;
    *at = '\0';
    at = shown;
    for (size_t i = 0; i < cues->n_items; i++)
        for (const char *c = cues->items[i].text; *c; c++)
            if (*c != ' ' && *c != '\n')
                *at++ = *c;
    *at = '\0';
    return strcmp(said, shown) == 0;
}

static void check_lines(const asr_cue *cue, const asr_subtitle_profile *profile)
{
    int limit = profile->line_characters * (profile->wide ? 2 : 1);
    int n_lines = 0;
    for (const char *line = cue->text; line; n_lines++) {
        size_t n_bytes = strcspn(line, "\n");
        EXPECT(n_bytes > 0 && line[0] != ' ' && line[n_bytes - 1] != ' ');
        EXPECT(columns_of(line, n_bytes) <= limit);
        line = line[n_bytes] ? line + n_bytes + 1 : NULL;
    }
    EXPECT(n_lines >= 1 && n_lines <= profile->max_lines);
    if (n_lines > 1) /* one line if it fits */
        EXPECT(columns_of(cue->text, strlen(cue->text)) > limit);
}

static void check_hard_times(const asr_cues *cues, const asr_subtitle_profile *profile)
{
    for (size_t i = 0; i < cues->n_items; i++) {
        const asr_cue *cue = &cues->items[i];
        EXPECT(cue->start >= 0);
        EXPECT(ms(cue->end) > ms(cue->start));
        EXPECT(ms(cue->end) - ms(cue->start) <= ms(profile->max_duration));
        if (i + 1 < cues->n_items)
            EXPECT(ms(cue[1].start) - ms(cue->end) >= ms(profile->gap));
    }
}

static int count_words(const char *text)
{
    int n = 1;
    for (; *text; text++)
        n += *text == ' ' || *text == '\n';
    return n;
}

static int count_breaks(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* Times of real speech: cues start with it, stay long enough where there is room, and not
 * longer than needed. `first` and `last` are the cue's words. */
static void check_speech_times(const sample *s, const asr_cue *previous,
                               const asr_cue *cue, const asr_cue *next, size_t first,
                               size_t last, const asr_subtitle_profile *profile)
{
    double speed = profile->characters_per_second * (profile->wide ? 2 : 1);
    /* A line break stands for a space at most. */
    int columns = columns_of(cue->text, strlen(cue->text)) - count_breaks(cue->text);
    int n_words = count_words(cue->text) - count_breaks(cue->text);
    double reading = speed > 0 ? columns / speed : 0;
    if (profile->words_per_minute > 0)
        reading = fmax(reading, n_words * 60 / profile->words_per_minute);
    double minimum = fmax(profile->min_duration, n_words * profile->seconds_per_word);
    double shown = cue->end - cue->start, spoken = s->words[last].end;

    bool at_next = next && ms(cue->end) == ms(next->start) - ms(profile->gap);
    bool at_maximum = ms(shown) == ms(profile->max_duration);
    bool lingered = ms(cue->end) >= ms(spoken + profile->linger);
    double start = s->words[first].start;
    double earliest = fmin(profile->min_duration, ASR_SUBTITLE_SHORTEST) + profile->gap;
    if (previous)
        start = fmax(start, previous->start + earliest);
    EXPECT_NEAR(cue->start, start, 0.0011);
    EXPECT(shown >= minimum - 0.001 || at_next || at_maximum);
    EXPECT(shown >= reading - 0.001 || at_next || at_maximum || lingered);

    minimum += count_breaks(cue->text) * profile->seconds_per_word;
    double wanted = fmax(cue->start + minimum, spoken + profile->linger);
    EXPECT(cue->end <= fmax(wanted, spoken) + 0.002 || at_next);
    if (next && !at_next) {
        bool too_long = next->start - profile->gap - cue->start > profile->max_duration;
        EXPECT(ms(next->start) - ms(cue->end) >= ms(profile->chain_gap) || too_long);
    }
}

/* The index of the word that holds the n-th byte that is not a space. */
static size_t word_at(const sample *s, size_t n)
{
    for (size_t i = 0; i < s->n_words; i++) {
        size_t n_bytes = strlen(s->texts[i]) - (s->texts[i][0] == ' ');
        if (n < n_bytes)
            return i;
        n -= n_bytes;
    }
    return s->n_words;
}

static size_t count_ink(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text != ' ' && *text != '\n';
    return n;
}

/* True when a cut after word i parts an article from a noun that it could stay with: one
 * that leaves room for it on a line. */
static bool parts_article(const sample *s, size_t i)
{
    const char *noun = i + 1 < s->n_words ? s->texts[i + 1] : "";
    return s->is_article[i] && columns_of(noun, strlen(noun)) < 30;
}

static void check_speech(const sample *s, const asr_cues *cues,
                         const asr_subtitle_profile *profile)
{
    bool has_articles = strcmp(s->vocabulary->language, "en") == 0 ||
                        strcmp(s->vocabulary->language, "de") == 0;
    size_t ink = 0;
    for (size_t i = 0; i < cues->n_items; i++) {
        const asr_cue *cue = &cues->items[i];
        const asr_cue *next = i + 1 < cues->n_items ? cue + 1 : NULL;
        size_t first = word_at(s, ink);
        for (const char *newline = strchr(cue->text, '\n'); newline && has_articles;
             newline = strchr(newline + 1, '\n')) {
            char upper[200];
            snprintf(upper, sizeof(upper), "%.*s", (int)(newline - cue->text), cue->text);
            EXPECT(!parts_article(s, word_at(s, ink + count_ink(upper) - 1)));
        }
        ink += count_ink(cue->text);
        size_t last = word_at(s, ink - 1);
        if (has_articles && next)
            EXPECT(!parts_article(s, last));
        /* A word cut in two has parts that start and stop in its midst. */
        bool whole = (i == 0 || word_at(s, ink - count_ink(cue->text) - 1) != first) &&
                     (!next || word_at(s, ink) != last);
        if (whole)
            check_speech_times(s, i > 0 ? cue - 1 : NULL, cue, next, first, last,
                               profile);
    }
}

static void check_profile(const char *name, uint32_t seed)
{
    static sample s;
    sample_create(&s, seed);
    const asr_subtitle_profile *profile =
        asr_subtitle_profile_find(name, s.vocabulary->language, NULL);
    asr_cues *cues = asr_subtitle_create(s.transcript, profile, NULL);
    bool failed_before = test_case_failed;
    EXPECT(cues != NULL);
    if (cues) {
        EXPECT(all_words_appear(&s, cues));
        check_hard_times(cues, profile);
        for (size_t i = 0; i < cues->n_items; i++)
            check_lines(&cues->items[i], profile);
        if (!s.broken)
            check_speech(&s, cues, profile);
    }
    if (test_case_failed && !failed_before)
        printf("# first failure with seed %u, %s\n", seed, s.vocabulary->language);
    asr_subtitle_destroy(&cues);
    asr_transcript_destroy(&s.transcript);
}

TEST(default_rules_hold)
{
    for (uint32_t seed = 1; seed <= N_ROUNDS; seed++)
        check_profile("default", seed);
}

TEST(bbc_rules_hold)
{
    for (uint32_t seed = 1; seed <= N_ROUNDS; seed++)
        check_profile("bbc", seed);
}

/* Plain and word cues: every word, positive durations, no overlap. */
static void check_spans(uint32_t seed, bool words)
{
    static sample s;
    sample_create(&s, seed);
    const asr_subtitle_profile *plain = asr_subtitle_profile_find("plain", "", NULL);
    asr_cues *cues = words ? asr_subtitle_create_words(s.transcript, NULL)
                           : asr_subtitle_create(s.transcript, plain, NULL);
    REQUIRE(cues);
    EXPECT(all_words_appear(&s, cues));
    EXPECT_INT(cues->n_items, words ? s.n_words : s.transcript->n_segments);
    for (size_t i = 0; i < cues->n_items; i++) {
        EXPECT(ms(cues->items[i].end) > ms(cues->items[i].start));
        EXPECT(i == 0 || ms(cues->items[i].start) >= ms(cues->items[i - 1].end));
    }
    asr_subtitle_destroy(&cues);
    asr_transcript_destroy(&s.transcript);
}

TEST(plain_and_word_cues_do_not_overlap)
{
    for (uint32_t seed = 1; seed <= N_ROUNDS; seed++) {
        check_spans(seed, false);
        check_spans(seed, true);
    }
}

int main(void)
{
    RUN(default_rules_hold);
    RUN(bbc_rules_hold);
    RUN(plain_and_word_cues_do_not_overlap);
    return test_end();
}
