/* Subtitles: the profiles, and the way from a transcript to cues. */
#include "text/subtitle.h"

#include "text/linebreak-words.h"
#include "text/subtitle-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sources: Netflix Timed Text Style Guides (English: 42 characters, 20 a second; Chinese,
 * Korean and Japanese: 16 and 9, 16 and 12, 23 and 4; others: 42 and 17; two lines; 5/6 s
 * to 7 s; two frames between cues, gaps under half a second closed to two frames). BBC
 * Subtitle Guidelines 1.2.5 (37 characters, 160 to 180 words a minute, about 0.3 s a
 * word, no gap but at pauses and then at least a second, no lingering beyond 1.5 s);
 * where the BBC gives no figure, Netflix's. */
#define NETFLIX_TIMES                                                                    \
    .max_lines = 2, .min_duration = 5.0 / 6, .max_duration = 7, .gap = 2.0 / 24,         \
    .chain_gap = 12.0 / 24, .linger = 1.5, .pause = 2
#define BBC_TIMES                                                                        \
    .max_lines = 2, .min_duration = 0.3, .seconds_per_word = 0.3, .max_duration = 7,     \
    .chain_gap = 1, .linger = 1.5, .pause = 1.5
#define CHINESE                                                                          \
    .languages = "zh yue", .wide = true, .line_characters = 16, .characters_per_second = 9
#define KOREAN                                                                           \
    .languages = "ko", .wide = true, .line_characters = 16, .characters_per_second = 12
#define JAPANESE                                                                         \
    .languages = "ja", .wide = true, .line_characters = 23, .characters_per_second = 4

/* For a new profile, add a row; rows with languages come before the one without. */
static const asr_subtitle_profile profiles[] = {
    {.name = "default", CHINESE, NETFLIX_TIMES},
    {.name = "default", KOREAN, NETFLIX_TIMES},
    {.name = "default", JAPANESE, NETFLIX_TIMES},
    {.name = "default",
     .languages = "en",
     .line_characters = 42,
     .characters_per_second = 20,
     NETFLIX_TIMES},
    {.name = "default",
     .line_characters = 42,
     .characters_per_second = 17,
     NETFLIX_TIMES},
    {.name = "bbc", CHINESE, BBC_TIMES},
    {.name = "bbc", KOREAN, BBC_TIMES},
    {.name = "bbc", JAPANESE, BBC_TIMES},
    {.name = "bbc", .line_characters = 37, .words_per_minute = 180, BBC_TIMES},
    {.name = "plain", .whole_segments = true, .max_lines = 1},
};

static bool covers_language(const asr_subtitle_profile *profile, const char *language)
{
    const char *code = profile->languages;
    while (code) {
        size_t length = strcspn(code, " ");
        size_t primary = strcspn(language, "-_");
        if (length == primary && strncmp(code, language, length) == 0)
            return true;
        code = code[length] ? code + length + 1 : NULL;
    }
    return !profile->languages;
}

const asr_subtitle_profile *
asr_subtitle_profile_find(const char *name, const char *language, asr_error *error)
{
    if (!name)
        name = "default";
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
        if (strcmp(profiles[i].name, name) == 0 &&
            covers_language(&profiles[i], language ? language : ""))
            return &profiles[i];
    asr_fail(error,
             "There is no subtitle profile \"%.40s\"; choose default, bbc or plain.",
             name);
    return NULL;
}

static double file_end(const asr_transcript *transcript)
{
    return transcript->duration > 0 ? transcript->duration : HUGE_VAL;
}

static asr_cues *cues_create(size_t n_items)
{
    asr_cues *cues = calloc(1, sizeof(*cues));
    if (!cues)
        return NULL;
    cues->items = calloc(n_items ? n_items : 1, sizeof(*cues->items));
    if (!cues->items) {
        free(cues);
        return NULL;
    }
    cues->n_items = n_items;
    return cues;
}

void asr_subtitle_destroy(asr_cues **cues)
{
    if (!*cues)
        return;
    for (size_t i = 0; i < (*cues)->n_items; i++)
        free((*cues)->items[i].text);
    free((*cues)->items);
    free(*cues);
    *cues = NULL;
}

/* One cue a span. NULL when memory is short. */
static asr_cues *cues_of_spans(const asr_subtitle_text *text,
                               const asr_subtitle_profile *profile, double end)
{
    asr_cues *cues = cues_create(text->n_spans);
    asr_draft *drafts = calloc(text->n_spans + 1, sizeof(*drafts));
    if (!cues || !drafts)
        goto fail;
    for (size_t i = 0; i < text->n_spans; i++) {
        const asr_span *span = &text->spans[i];
        drafts[i] = (asr_draft){.start = span->start, .stop = span->stop};
        cues->items[i].speaker = span->speaker;
        cues->items[i].text = asr_subtitle_text_utf8(text, span->begin, span->end);
        if (!cues->items[i].text)
            goto fail;
    }
    asr_subtitle_time(drafts, text->n_spans, profile, end, cues->items);
    free(drafts);
    return cues;

fail:
    free(drafts);
    asr_subtitle_destroy(&cues);
    return NULL;
}

static asr_cues *create_by_spans(const asr_transcript *transcript, asr_span_unit unit,
                                 const asr_subtitle_profile *profile, asr_error *error)
{
    asr_subtitle_text text;
    if (!asr_subtitle_text_init(&text, transcript, unit, error))
        return NULL;
    asr_cues *cues = cues_of_spans(&text, profile, file_end(transcript));
    if (!cues)
        asr_fail_memory(error);
    asr_subtitle_text_clear(&text);
    return cues;
}

/* The lines of a cut, parted by '\n'. NULL when memory is short. */
static char *cut_text(const asr_subtitle_text *text, const asr_atom *atoms,
                      const asr_cut *cut)
{
    const asr_piece *head = &atoms[cut->first].piece;
    const asr_piece *tail = &atoms[cut->ends[cut->n_lines - 1] - 1].piece;
    size_t capacity = (size_t)(tail->end - head->begin) * 3 + ASR_SUBTITLE_MAX_LINES + 1;
    char *lines = malloc(capacity);
    if (!lines)
        return NULL;
    char *at = lines;
    size_t first = cut->first;
    for (int i = 0; i < cut->n_lines; i++) {
        char *line = asr_subtitle_text_utf8(text, atoms[first].piece.begin,
                                            atoms[cut->ends[i] - 1].piece.end);
        if (!line) {
            free(lines);
            return NULL;
        }
        if (i > 0)
            *at++ = '\n';
        at = stpcpy(at, line);
        free(line);
        first = cut->ends[i];
    }
    return lines;
}

static asr_draft cut_draft(const asr_atom *atoms, const asr_cut *cut)
{
    size_t end = cut->ends[cut->n_lines - 1];
    asr_draft draft = {
        .start = atoms[cut->first].start, .stop = atoms[end - 1].stop, .n_words = 1};
    for (size_t i = cut->first; i < end; i++) {
        bool spaced = atoms[i].piece.space_after && i + 1 < end;
        draft.columns += atoms[i].piece.columns + (spaced ? 1 : 0);
        draft.n_words += spaced ? 1 : 0;
    }
    return draft;
}

/* Cues from atoms. NULL when memory is short. */
static asr_cues *cues_of_atoms(const asr_subtitle_text *text, const asr_atom *atoms,
                               size_t n_atoms, const asr_subtitle_profile *profile,
                               double end)
{
    asr_cues *cues = NULL;
    asr_draft *drafts = NULL;
    asr_cut *cuts = calloc(n_atoms, sizeof(*cuts));
    if (!cuts)
        goto fail;
    size_t n_cuts = asr_subtitle_cut(atoms, n_atoms, profile, end, cuts);
    cues = cues_create(n_cuts);
    drafts = calloc(n_cuts + 1, sizeof(*drafts));
    if (n_cuts == 0 || !cues || !drafts)
        goto fail;
    for (size_t i = 0; i < n_cuts; i++) {
        drafts[i] = cut_draft(atoms, &cuts[i]);
        cues->items[i].speaker = atoms[cuts[i].first].speaker;
        cues->items[i].text = cut_text(text, atoms, &cuts[i]);
        if (!cues->items[i].text)
            goto fail;
    }
    asr_subtitle_time(drafts, n_cuts, profile, end, cues->items);
    free(drafts);
    free(cuts);
    return cues;

fail:
    free(drafts);
    free(cuts);
    asr_subtitle_destroy(&cues);
    return NULL;
}

/* Cues from a text that is not empty. */
static asr_cues *cues_of_text(const asr_subtitle_text *text,
                              const asr_transcript *transcript,
                              const asr_subtitle_profile *profile, asr_error *error)
{
    asr_linebreak_params params = {.language = transcript->language,
                                   .max_columns = asr_subtitle_line_columns(profile),
                                   .wide = profile->wide};
    asr_pieces *pieces = asr_linebreak_create(text->units, text->n_units, &params, error);
    if (!pieces)
        return NULL;
    asr_cues *cues = NULL;
    asr_atom *atoms = asr_subtitle_atoms(text, pieces);
    if (atoms)
        cues = cues_of_atoms(text, atoms, pieces->n_items, profile, file_end(transcript));
    if (!cues)
        asr_fail_memory(error);
    free(atoms);
    asr_linebreak_destroy(&pieces);
    return cues;
}

static asr_cues *create_by_profile(const asr_transcript *transcript,
                                   const asr_subtitle_profile *profile, asr_error *error)
{
    asr_subtitle_text text;
    if (!asr_subtitle_text_init(&text, transcript, ASR_SPAN_WORD, error))
        return NULL;
    asr_cues *cues = NULL;
    if (text.n_spans > 0) {
        cues = cues_of_text(&text, transcript, profile, error);
    } else {
        cues = cues_create(0);
        if (!cues)
            asr_fail_memory(error);
    }
    asr_subtitle_text_clear(&text);
    return cues;
}

asr_cues *asr_subtitle_create(const asr_transcript *transcript,
                              const asr_subtitle_profile *profile, asr_error *error)
{
    if (profile->whole_segments)
        return create_by_spans(transcript, ASR_SPAN_SEGMENT, profile, error);
    return create_by_profile(transcript, profile, error);
}

asr_cues *asr_subtitle_create_words(const asr_transcript *transcript, asr_error *error)
{
    const asr_subtitle_profile *profile = asr_subtitle_profile_find("plain", "", error);
    return create_by_spans(transcript, ASR_SPAN_WORD, profile, error);
}
