/* When each cue appears and disappears, in whole milliseconds. */
#include "text/subtitle-private.h"

#include <math.h>

/* A bound that no time reaches, for "never". */
#define NEVER INT64_MAX

static int64_t milliseconds(double seconds)
{
    return seconds > ASR_TRANSCRIPT_MAX_SECONDS * 2 ? NEVER
                                                    : (int64_t)llround(seconds * 1000);
}

static int64_t min_ms(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max_ms(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int asr_subtitle_line_columns(const asr_subtitle_profile *profile)
{
    return profile->line_characters * (profile->wide ? 2 : 1);
}

double asr_subtitle_columns_per_second(const asr_subtitle_profile *profile)
{
    return profile->characters_per_second * (profile->wide ? 2 : 1);
}

double asr_subtitle_reading_time(const asr_subtitle_profile *profile, int columns,
                                 int n_words)
{
    double speed = asr_subtitle_columns_per_second(profile);
    double by_columns = speed > 0 ? columns / speed : 0;
    double pace = profile->words_per_minute;
    double by_words = pace > 0 ? n_words * 60 / pace : 0;
    return fmax(by_columns, by_words);
}

double asr_subtitle_minimum_time(const asr_subtitle_profile *profile, int n_words)
{
    return fmax(profile->min_duration, n_words * profile->seconds_per_word);
}

/* Cues start with their speech, later only where no time at all would be left. */
static int64_t start_of(const asr_draft *draft, int64_t previous_start,
                        const asr_subtitle_profile *profile)
{
    double shortest = fmin(profile->min_duration, ASR_SUBTITLE_SHORTEST);
    int64_t least = max_ms(1, milliseconds(shortest)) + milliseconds(profile->gap);
    int64_t start = max_ms(0, milliseconds(draft->start));
    return previous_start < 0 ? start : max_ms(start, previous_start + least);
}

/* A cue ends with its speech; later, into silence, to be seen and read. `limit` is what
 * it must not pass, `next` when the next cue starts. */
static int64_t end_of(const asr_draft *draft, int64_t start, int64_t limit, int64_t next,
                      const asr_subtitle_profile *profile)
{
    int64_t spoken = milliseconds(draft->stop);
    /* Rounded up: a millisecond short is too fast. */
    double reading = asr_subtitle_reading_time(profile, draft->columns, draft->n_words);
    int64_t read = min_ms(start + (int64_t)ceil(reading * 1000),
                          spoken + milliseconds(profile->linger));
    double minimum = asr_subtitle_minimum_time(profile, draft->n_words);
    int64_t seen = start + max_ms(1, (int64_t)ceil(minimum * 1000));
    int64_t end = max_ms(max_ms(spoken, read), seen);

    int64_t longest = NEVER;
    if (profile->max_duration > 0)
        longest = start + milliseconds(profile->max_duration);
    end = min_ms(end, min_ms(limit, longest));
    bool jerky = next != NEVER && next - end < milliseconds(profile->chain_gap);
    return jerky && limit <= longest ? limit : end;
}

void asr_subtitle_time(const asr_draft *drafts, size_t n_drafts,
                       const asr_subtitle_profile *profile, double file_end,
                       asr_cue *cues)
{
    int64_t start = -1;
    if (n_drafts > 0)
        start = start_of(&drafts[0], -1, profile);
    for (size_t i = 0; i < n_drafts; i++) {
        int64_t next = NEVER;
        int64_t limit = max_ms(milliseconds(file_end), start + 1);
        if (i + 1 < n_drafts) {
            next = start_of(&drafts[i + 1], start, profile);
            limit = next - milliseconds(profile->gap);
        }
        int64_t end = end_of(&drafts[i], start, limit, next, profile);
        cues[i].start = (double)start / 1000;
        cues[i].end = (double)end / 1000;
        start = next;
    }
}
