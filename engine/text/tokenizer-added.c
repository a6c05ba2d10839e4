/* A sorted array serves as a trie: the patterns that share a prefix are neighbours, and
 * each further byte of the text narrows the range by two binary searches. */
#include "tokenizer-added.h"

#include <stdlib.h>
#include <string.h>

bool asr_added_set_append(asr_added_set *set, asr_added added, asr_error *error)
{
    if (set->n_items == set->capacity) {
        size_t capacity = set->capacity ? 2 * set->capacity : 64;
        asr_added *items = realloc(set->items, capacity * sizeof(*items));
        if (!items) {
            free(added.pattern);
            return asr_fail_memory(error);
        }
        set->items = items;
        set->capacity = capacity;
    }
    set->items[set->n_items++] = added;
    return true;
}

/* By bytes, then by length, then (for patterns that normalisation made equal) by id. */
static int compare(const void *left, const void *right)
{
    const asr_added *a = left, *b = right;
    size_t common = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->pattern, b->pattern, common);
    if (order == 0)
        order = (a->length > b->length) - (a->length < b->length);
    return order ? order : a->id - b->id;
}

void asr_added_set_sort(asr_added_set *set)
{
    if (set->n_items > 1)
        qsort(set->items, set->n_items, sizeof(*set->items), compare);
}

void asr_added_set_clear(asr_added_set *set)
{
    for (size_t i = 0; i < set->n_items; i++)
        free(set->items[i].pattern);
    free(set->items);
    *set = (asr_added_set){0};
}

/* The first pattern of `low` to `high` whose byte at `depth` is at least `byte`. All of
 * them are longer than `depth` and agree up to there. */
static size_t lower_bound(const asr_added_set *set, size_t low, size_t high, size_t depth,
                          int byte)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((unsigned char)set->items[middle].pattern[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest pattern that `text` begins with, or NULL. */
static const asr_added *match_prefix(const asr_added_set *set, const char *text,
                                     size_t length)
{
    const asr_added *longest = NULL;
    size_t low = 0, high = set->n_items;
    for (size_t depth = 0; depth < length && low < high; depth++) {
        int byte = (unsigned char)text[depth];
        low = lower_bound(set, low, high, depth, byte);
        high = lower_bound(set, low, high, depth, byte + 1);
        if (low < high && set->items[low].length == depth + 1)
            longest = &set->items[low];
        while (low < high && set->items[low].length == depth + 1)
            low++;
    }
    return longest;
}

const asr_added *asr_added_set_find(const asr_added_set *set, const char *text,
                                    size_t length, size_t *position)
{
    for (size_t i = *position; i < length && set->n_items > 0; i++) {
        const asr_added *found = match_prefix(set, text + i, length - i);
        if (!found)
            continue;
        *position = i;
        return found;
    }
    return NULL;
}
