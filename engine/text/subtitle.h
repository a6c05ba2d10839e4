/* From a transcript to subtitles that can be read: cues cut, broken into lines and timed
 * by published rules.
 *
 * Cues are cut over the words of the whole transcript: a sentence may span segments and
 * a segment may hold several cues. The cuts are the cheapest ones by dynamic programming
 * over a cost that prefers, in this order: never between an article and its noun; not
 * inside a name, nor between a number and its unit; at the end of a sentence; at a pause
 * between words; after punctuation; before conjunctions and prepositions; with time
 * enough to read; in few cues of one line, or two of similar length.
 *
 * Speech is sometimes too fast for any rule. Then these always hold:
 *   - every word appears exactly once, in order;
 *   - cues have a positive duration, do not overlap and keep the gap;
 *   - no line is wider than the profile says, and no cue has more lines.
 * The maximum duration holds as well: a cue that would be longer ends early. What gives
 * way is, first, the reading speed: a cue never starts late to give the one before it
 * more time. The minimum duration gives way next, down to ASR_SUBTITLE_SHORTEST seconds.
 * Only where even less would be left, as when several cues start at the same moment, is
 * the next cue moved later.
 *
 * Functions are thread-safe as long as nobody changes the transcript. */
#ifndef ASR_SUBTITLE_H
#define ASR_SUBTITLE_H

#include "error.h"
#include "text/transcript.h"

#include <stdbool.h>
#include <stddef.h>

#define ASR_SUBTITLE_MAX_LINES 3
#define ASR_SUBTITLE_SHORTEST 0.2 /* seconds; or the profile's minimum, if less */

/* The rules for one kind of subtitle in one or more languages. Zero means "no limit"
 * except where said otherwise. */
typedef struct asr_subtitle_profile {
    const char *name;
    const char *languages; /* codes between spaces, or NULL: every language not named */
    bool whole_segments;   /* one cue a segment on one line: nothing is cut */
    bool wide;             /* a character is a full-width one; a Latin letter is half */
    int line_characters;   /* at most, grapheme clusters */
    int max_lines;         /* 1 to ASR_SUBTITLE_MAX_LINES */
    double characters_per_second; /* reading speed, spaces counted */
    double words_per_minute;      /* reading speed, where words are written apart */
    double seconds_per_word;      /* part of the minimum duration */
    double min_duration;          /* seconds */
    double max_duration;          /* seconds */
    double gap;                   /* seconds between two cues, at least */
    double chain_gap;             /* a gap shorter than this is closed to `gap` */
    double linger; /* a cue stays at most this long after its speech to be read */
    double pause;  /* a cue never holds a silence of this many seconds */
} asr_subtitle_profile;

/* One subtitle. Times are whole milliseconds. */
typedef struct asr_cue {
    double start, end;   /* seconds */
    char *text;          /* UTF-8, lines separated by '\n', never empty; owned */
    const char *speaker; /* borrowed from the transcript; may be NULL */
} asr_cue;

typedef struct asr_cues {
    asr_cue *items;
    size_t n_items;
} asr_cues;

/* The profile of that name ("default", "bbc", "plain"; NULL is "default") for a language
 * code such as "en" or "pt-BR", or NULL when there is no such profile; the error names
 * those there are. The profile is constant data. */
const asr_subtitle_profile *
asr_subtitle_profile_find(const char *name, const char *language, asr_error *error);

/* Cuts a transcript into cues. The cues borrow from the transcript, which must outlive
 * them. Returns NULL and sets `error` when memory is short. */
asr_cues *asr_subtitle_create(const asr_transcript *transcript,
                              const asr_subtitle_profile *profile, asr_error *error);

/* One cue a word, for karaoke-like display; a segment without word times is one cue. */
asr_cues *asr_subtitle_create_words(const asr_transcript *transcript, asr_error *error);

/* Frees the cues and sets the pointer to NULL; NULL is left alone. */
void asr_subtitle_destroy(asr_cues **cues);

#endif
