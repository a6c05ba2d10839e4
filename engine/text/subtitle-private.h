/* What the parts of the subtitle maker share: text → atoms → cuts → times. */
#ifndef ASR_SUBTITLE_PRIVATE_H
#define ASR_SUBTITLE_PRIVATE_H

#include "text/linebreak.h"
#include "text/subtitle.h"

#include <stdint.h>

/* What a span of the text stands for. */
typedef enum asr_span_unit { ASR_SPAN_WORD, ASR_SPAN_SEGMENT } asr_span_unit;

/* A stretch of the text that was spoken between two times. */
typedef struct asr_span {
    int32_t begin, end;  /* UTF-16 units, without surrounding space */
    double start, stop;  /* seconds */
    const char *speaker; /* borrowed; may be NULL */
    bool ends_segment;
} asr_span;

/* The whole transcript as one text with single spaces and no control characters. Spans
 * follow each other in the text and in time and do not overlap. */
typedef struct asr_subtitle_text {
    UChar *units;
    int32_t n_units;
    int32_t capacity;
    asr_span *spans;
    size_t n_spans;
    size_t span_capacity;
} asr_subtitle_text;

/* Gathers the words or the segments of a transcript. A segment without words, or whose
 * words do not spell its text, is one span in either case. On failure the text is
 * cleared. */
bool asr_subtitle_text_init(asr_subtitle_text *text, const asr_transcript *transcript,
                            asr_span_unit unit, asr_error *error);
void asr_subtitle_text_clear(asr_subtitle_text *text);

/* [begin, end) as UTF-8, to be freed; NULL when memory is short. */
char *asr_subtitle_text_utf8(const asr_subtitle_text *text, int32_t begin, int32_t end);

/* The smallest thing that is cut: a piece of the line breaker with its times. */
typedef struct asr_atom {
    asr_piece piece;
    double start, stop;
    const char *speaker;
    bool ends_segment;
} asr_atom;

/* Gives each piece the times of the spans it lies in, in proportion to its place.
 * Returns an array of pieces->n_items atoms to be freed; NULL when memory is short. */
asr_atom *asr_subtitle_atoms(const asr_subtitle_text *text, const asr_pieces *pieces);

/* The lines of one cue: line k holds atoms[ends[k - 1]] (from `first` on) up to
 * atoms[ends[k]], the last excluded. */
typedef struct asr_cut {
    size_t first;
    size_t ends[ASR_SUBTITLE_MAX_LINES];
    int n_lines;
} asr_cut;

/* How many columns a line of the profile has, and how many are read in a second (0: no
 * limit). A column is a narrow character. */
int asr_subtitle_line_columns(const asr_subtitle_profile *profile);
double asr_subtitle_columns_per_second(const asr_subtitle_profile *profile);

/* Seconds that a cue should stay to be read, and must stay at least. */
double asr_subtitle_reading_time(const asr_subtitle_profile *profile, int columns,
                                 int n_words);
double asr_subtitle_minimum_time(const asr_subtitle_profile *profile, int n_words);

/* Chooses the cuts of least cost. `file_end` is when the recording ends, in seconds
 * (HUGE_VAL if unknown). `cuts` has room for n_atoms. Returns how many were made, or 0
 * when memory is short. n_atoms is at least 1. */
size_t asr_subtitle_cut(const asr_atom *atoms, size_t n_atoms,
                        const asr_subtitle_profile *profile, double file_end,
                        asr_cut *cuts);

/* What a cue says and when it is said. */
typedef struct asr_draft {
    double start, stop; /* of the speech, in seconds */
    int columns;
    int n_words;
} asr_draft;

/* Decides when each cue appears and disappears. */
void asr_subtitle_time(const asr_draft *drafts, size_t n_drafts,
                       const asr_subtitle_profile *profile, double file_end,
                       asr_cue *cues);

#endif
