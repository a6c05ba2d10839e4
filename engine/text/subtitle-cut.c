/* Where one cue ends and the next begins, and where a cue's lines break: the cheapest way
 * by dynamic programming over the places where the text may be broken. */
#include "text/subtitle-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Costs, in points. Only their proportions matter: an ordinary cut in a sentence is 30,
 * half a second of missing reading time 15. */
static const double break_costs[ASR_BREAK_COUNT] = {
    [ASR_BREAK_SENTENCE] = 0,     [ASR_BREAK_CLAUSE] = 6,   [ASR_BREAK_CONJUNCTION] = 14,
    [ASR_BREAK_PREPOSITION] = 20, [ASR_BREAK_WORD] = 30,    [ASR_BREAK_POOR] = 70,
    [ASR_BREAK_UNIT] = 250,       [ASR_BREAK_INSIDE] = 500, [ASR_BREAK_ARTICLE] = 1000,
};
static const double segment_end_cost = 10;     /* where the model ended a segment */
static const double cue_cost = 10;             /* each cue is a change of picture */
static const double sentence_inside_cost = 12; /* a sentence ends inside a cue */
static const double dangling_cost = 15;        /* and the next does not end with it */
static const double orphan_cost = 15;          /* one word is left beside punctuation */
static const double pause_inside_cost = 40;    /* a second of silence inside a cue */
static const double slow_pause = 0.3;          /* seconds of silence that are speech */
static const double full_pause = 0.6;          /* seconds that mark a phrase's end */
static const double pause_discount = 0.8;      /* of a cut at such a pause */
static const double reading_cost = 30;         /* a second too little to read */
static const double flash_cost = 100;          /* a second less than the minimum */
static const double line_break_share = 0.5;    /* a line break against a cut */
static const double unbalance_cost = 12;       /* a line that is off by a whole line */
static const double top_heavy_cost = 2;        /* the upper line is the longer one */

typedef struct cutter {
    const asr_atom *atoms;
    size_t n_atoms;
    const asr_subtitle_profile *profile;
    double file_end;
    int line_columns; /* 0: any */
    double *best;     /* [n_atoms + 1] the cost of cutting all before an atom */
    size_t *from;     /* [n_atoms + 1] the first atom of the cue that ends there */
} cutter;

static double pause_after(const cutter *c, size_t i)
{
    return c->atoms[i + 1].start - c->atoms[i].stop;
}

/* True where a cue must end: at another speaker, at a long silence, at the end. */
static bool must_cut_after(const cutter *c, size_t i)
{
    if (i + 1 == c->n_atoms)
        return true;
    const char *left = c->atoms[i].speaker, *right = c->atoms[i + 1].speaker;
    if ((left || right) && (!left || !right || strcmp(left, right) != 0))
        return true;
    return c->profile->pause > 0 && pause_after(c, i) >= c->profile->pause;
}

static asr_break break_after(const cutter *c, size_t i)
{
    return c->atoms[i].piece.break_after;
}

/* What a break after atom i costs, in a cue or between two. */
static double break_cost(const cutter *c, size_t i)
{
    asr_break quality = break_after(c, i);
    if (quality <= ASR_BREAK_CLAUSE)
        return break_costs[quality];
    double cost = break_costs[quality];
    if (c->atoms[i].ends_segment && quality < ASR_BREAK_POOR)
        cost = fmin(cost, segment_end_cost);
    bool orphan_before = i > 0 && break_after(c, i - 1) <= ASR_BREAK_CLAUSE;
    bool orphan_after = i + 1 < c->n_atoms && break_after(c, i + 1) <= ASR_BREAK_CLAUSE;
    return cost + (orphan_before || orphan_after ? orphan_cost : 0);
}

static double cut_cost(const cutter *c, size_t i)
{
    if (must_cut_after(c, i))
        return 0;
    double cost = break_cost(c, i);
    if (break_after(c, i) > ASR_BREAK_POOR)
        return cost;
    double share = fmin(1, fmax(0, pause_after(c, i)) / full_pause);
    return cost * (1 - pause_discount * share);
}

/* What it costs that a cue goes on after atom i. */
static double keep_cost(const cutter *c, size_t i)
{
    double cost = pause_inside_cost * fmax(0, pause_after(c, i) - slow_pause);
    if (break_after(c, i) == ASR_BREAK_SENTENCE)
        cost += sentence_inside_cost;
    return cost;
}

static int space_columns(const asr_atom *atom)
{
    return atom->piece.space_after ? 1 : 0;
}

static int columns_of(const cutter *c, size_t first, size_t end)
{
    int columns = 0;
    for (size_t i = first; i < end; i++)
        columns +=
            c->atoms[i].piece.columns + (i + 1 < end ? space_columns(&c->atoms[i]) : 0);
    return columns;
}

static bool fits(const cutter *c, int columns)
{
    return c->line_columns == 0 || columns <= c->line_columns;
}

/* The cheapest way to break atoms [first, end), `columns` wide, into at most `n_lines`
 * lines that should be `ideal` columns wide each; HUGE_VAL if there is none. `ends`
 * receives the ends of the lines, `n_used` their number. */
static double lay_out(const cutter *c, size_t first, size_t end, int columns, int n_lines,
                      double ideal, size_t *ends, int *n_used)
{
    double width = c->line_columns;
    if (fits(c, columns)) {
        ends[0] = end;
        *n_used = 1;
        return ideal > 0 ? unbalance_cost * fabs(columns - ideal) / width : 0;
    }
    double best = HUGE_VAL;
    if (n_lines == 1)
        return best;
    int upper = 0;
    for (size_t i = first; i + 1 < end; i++) {
        const asr_atom *atom = &c->atoms[i];
        upper += atom->piece.columns;
        if (!fits(c, upper))
            break;
        int lower = columns - upper - space_columns(atom);
        size_t rest_ends[ASR_SUBTITLE_MAX_LINES];
        int n_rest;
        double cost =
            lay_out(c, i + 1, end, lower, n_lines - 1, ideal, rest_ends, &n_rest) +
            line_break_share * break_cost(c, i) +
            unbalance_cost * fabs(upper - ideal) / width +
            (upper > lower && n_rest == 1 ? top_heavy_cost : 0);
        if (cost < best) {
            best = cost;
            ends[0] = i + 1;
            memcpy(ends + 1, rest_ends, (size_t)n_rest * sizeof(*ends));
            *n_used = n_rest + 1;
        }
        upper += space_columns(atom);
    }
    return best;
}

static double layout_cost(const cutter *c, size_t first, size_t end, int columns,
                          asr_cut *cut)
{
    cut->first = first;
    if (fits(c, columns))
        return lay_out(c, first, end, columns, 1, 0, cut->ends, &cut->n_lines);
    int n_lines = (columns + c->line_columns - 1) / c->line_columns;
    double ideal = (double)columns / n_lines;
    return lay_out(c, first, end, columns, c->profile->max_lines, ideal, cut->ends,
                   &cut->n_lines);
}

/* What it costs that the cue has too little time to be seen and read. */
static double time_cost(const cutter *c, size_t first, size_t end, int columns,
                        int n_words)
{
    const asr_subtitle_profile *profile = c->profile;
    double start = c->atoms[first].start, stop = c->atoms[end - 1].stop;
    double limit =
        end < c->n_atoms ? c->atoms[end].start - profile->gap : fmax(c->file_end, stop);
    double shown = limit - start;
    double readable = fmin(limit, stop + profile->linger) - start;
    if (profile->max_duration > 0)
        readable = fmin(readable, profile->max_duration);
    double reading = asr_subtitle_reading_time(profile, columns, n_words);
    double minimum = asr_subtitle_minimum_time(profile, n_words);
    return reading_cost * fmax(0, reading - readable) +
           flash_cost * fmax(0, minimum - shown);
}

/* Tries every cue that starts at atom `first`. */
static void extend(const cutter *c, size_t first)
{
    int columns = 0;
    int n_words = 0;
    int sentences = 0; /* that end before the last atom */
    double keep = 0;
    for (size_t last = first; last < c->n_atoms; last++) {
        const asr_atom *atom = &c->atoms[last];
        double spoken = atom->stop - c->atoms[first].start;
        columns += atom->piece.columns;
        bool too_long = c->profile->max_duration > 0 && spoken > c->profile->max_duration;
        asr_cut cut;
        double layout = layout_cost(c, first, last + 1, columns, &cut);
        /* A single atom always fits a line; whatever its times, it is a cue. */
        if (last > first && (too_long || layout == HUGE_VAL))
            return;
        if (last == first || atom[-1].piece.space_after)
            n_words++;
        bool dangling = sentences > 0 && break_after(c, last) != ASR_BREAK_SENTENCE;
        double cost = c->best[first] + cue_cost + keep + layout + cut_cost(c, last) +
                      time_cost(c, first, last + 1, columns, n_words) +
                      (dangling ? dangling_cost : 0);
        if (cost < c->best[last + 1]) {
            c->best[last + 1] = cost;
            c->from[last + 1] = first;
        }
        if (must_cut_after(c, last))
            return;
        keep += keep_cost(c, last);
        sentences += break_after(c, last) == ASR_BREAK_SENTENCE;
        columns += space_columns(atom);
    }
}

/* Follows the best cuts from the end to the start and writes them in order. */
static size_t trace_back(const cutter *c, asr_cut *cuts)
{
    size_t n_cuts = 0;
    for (size_t end = c->n_atoms; end > 0; end = c->from[end])
        n_cuts++;
    size_t at = n_cuts;
    for (size_t end = c->n_atoms; end > 0; end = c->from[end]) {
        size_t first = c->from[end];
        layout_cost(c, first, end, columns_of(c, first, end), &cuts[--at]);
    }
    return n_cuts;
}

size_t asr_subtitle_cut(const asr_atom *atoms, size_t n_atoms,
                        const asr_subtitle_profile *profile, double file_end,
                        asr_cut *cuts)
{
    cutter c = {
        .atoms = atoms,
        .n_atoms = n_atoms,
        .profile = profile,
        .file_end = file_end,
        .line_columns = asr_subtitle_line_columns(profile),
        .best = malloc((n_atoms + 1) * sizeof(*c.best)),
        .from = calloc(n_atoms + 1, sizeof(*c.from)),
    };
    size_t n_cuts = 0;
    if (c.best && c.from) {
        c.best[0] = 0;
        for (size_t i = 1; i <= n_atoms; i++)
            c.best[i] = HUGE_VAL;
        for (size_t i = 0; i < n_atoms; i++)
            extend(&c, i);
        n_cuts = trace_back(&c, cuts);
    }
    free(c.best);
    free(c.from);
    return n_cuts;
}
