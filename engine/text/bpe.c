/* The tokens of a word are a linked list in an array; a binary heap holds the pairs that
 * have a merge, lowest rank first and leftmost among equals. A pair that has changed
 * since it was put into the heap is recognised by its rank and passed over. */
#include "bpe.h"

#include <stdlib.h>
#include <string.h>

typedef struct merge {
    int32_t left, right; /* left is -1 in an empty slot */
    uint32_t rank;
    int32_t merged;
} merge;

struct asr_bpe {
    const asr_bpe_vocab *vocab; /* borrowed */
    bool whole_words;
    int byte_ids[256]; /* -1 for a byte that is no token */
    merge *table;      /* open-addressed by (left, right); a power of two of slots */
    size_t n_merges, capacity;
    uint32_t next_rank;
    uint64_t seed;
};

typedef struct asr_bpe_symbol {
    int32_t id;             /* -1 once joined to its left neighbour */
    int32_t previous, next; /* -1 at the ends */
} symbol;

asr_bpe *asr_bpe_create(const asr_bpe_vocab *vocab, bool whole_words, asr_error *error)
{
    asr_bpe *bpe = calloc(1, sizeof(*bpe));
    if (!bpe) {
        asr_fail_memory(error);
        return NULL;
    }
    bpe->vocab = vocab;
    bpe->whole_words = whole_words;
    bpe->seed = asr_bpe_hash_seed();
    for (int i = 0; i < 256; i++) {
        char byte = (char)i;
        bpe->byte_ids[i] = asr_bpe_vocab_find(vocab, &byte, 1);
    }
    return bpe;
}

void asr_bpe_destroy(asr_bpe **bpe)
{
    if (!*bpe)
        return;
    free((*bpe)->table);
    free(*bpe);
    *bpe = NULL;
}

/* The slot of the pair, or the empty one where it belongs. The table is never full. */
static merge *find_slot(const asr_bpe *bpe, int32_t left, int32_t right)
{
    size_t mask = bpe->capacity - 1;
    size_t slot = asr_bpe_hash(bpe->seed, (uint32_t)left, (uint32_t)right) & mask;
    while (bpe->table[slot].left >= 0 &&
           (bpe->table[slot].left != left || bpe->table[slot].right != right))
        slot = (slot + 1) & mask;
    return &bpe->table[slot];
}

static bool grow_table(asr_bpe *bpe)
{
    size_t old_capacity = bpe->capacity;
    size_t capacity = old_capacity ? old_capacity * 2 : 1024;
    merge *old = bpe->table;
    merge *table = malloc(capacity * sizeof(*table));
    if (!table)
        return false;
    for (size_t i = 0; i < capacity; i++)
        table[i].left = -1;
    bpe->table = table;
    bpe->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].left >= 0)
            *find_slot(bpe, old[i].left, old[i].right) = old[i];
    free(old);
    return true;
}

bool asr_bpe_add_merge(asr_bpe *bpe, int left, int right, int merged, asr_error *error)
{
    if (2 * (bpe->n_merges + 1) > bpe->capacity && !grow_table(bpe))
        return asr_fail_memory(error);
    merge *slot = find_slot(bpe, left, right);
    if (slot->left < 0)
        bpe->n_merges++;
    *slot = (merge){left, right, bpe->next_rank++, merged};
    return true;
}

bool asr_bpe_ids_append(asr_bpe_ids *ids, int id, asr_error *error)
{
    if (ids->n_items == ids->capacity) {
        size_t capacity = ids->capacity ? ids->capacity * 2 : 64;
        int *items = realloc(ids->items, capacity * sizeof(*items));
        if (!items)
            return asr_fail_memory(error);
        ids->items = items;
        ids->capacity = capacity;
    }
    ids->items[ids->n_items++] = id;
    return true;
}

void asr_bpe_ids_clear(asr_bpe_ids *ids)
{
    free(ids->items);
    free(ids->symbols);
    free(ids->heap);
    *ids = (asr_bpe_ids){0};
}

/* Room for a word of `length` bytes. Every merge puts at most two pairs into the heap
 * beside the length − 1 it starts with, and there are fewer merges than bytes: three
 * times the length is enough. */
static bool reserve_symbols(asr_bpe_ids *ids, size_t length, asr_error *error)
{
    if (length <= ids->symbols_capacity)
        return true;
    free(ids->symbols);
    free(ids->heap);
    ids->symbols_capacity = 0;
    ids->symbols = malloc(length * sizeof(*ids->symbols));
    ids->heap = malloc(3 * length * sizeof(*ids->heap));
    if (!ids->symbols || !ids->heap)
        return asr_fail_memory(error);
    ids->symbols_capacity = length;
    return true;
}

static void heap_push(uint64_t *heap, size_t *size, uint64_t key)
{
    size_t child = (*size)++;
    while (child > 0 && heap[(child - 1) / 2] > key) {
        heap[child] = heap[(child - 1) / 2];
        child = (child - 1) / 2;
    }
    heap[child] = key;
}

static uint64_t heap_pop(uint64_t *heap, size_t *size)
{
    uint64_t top = heap[0], last = heap[--*size];
    size_t hole = 0;
    for (size_t child = 1; child < *size; child = 2 * hole + 1) {
        if (child + 1 < *size && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= last)
            break;
        heap[hole] = heap[child];
        hole = child;
    }
    heap[hole] = last;
    return top;
}

/* The merge of the symbol at `position` with the next one, or NULL. */
static const merge *merge_at(const asr_bpe *bpe, const symbol *symbols, int32_t position)
{
    if (bpe->capacity == 0 || position < 0 || symbols[position].id < 0 ||
        symbols[position].next < 0)
        return NULL;
    const merge *found =
        find_slot(bpe, symbols[position].id, symbols[symbols[position].next].id);
    return found->left >= 0 ? found : NULL;
}

/* Puts the pair that begins at `position` into the heap if it can be merged. The key
 * orders by rank, then by place. */
static void push_pair(const asr_bpe *bpe, const symbol *symbols, int32_t position,
                      uint64_t *heap, size_t *heap_size)
{
    const merge *found = merge_at(bpe, symbols, position);
    if (found)
        heap_push(heap, heap_size, (uint64_t)found->rank << 32 | (uint32_t)position);
}

/* Makes the list of single-byte tokens; returns how many there are. */
static int32_t list_bytes(const asr_bpe *bpe, const char *bytes, size_t length,
                          symbol *symbols)
{
    int32_t count = 0;
    for (size_t i = 0; i < length; i++) {
        int id = bpe->byte_ids[(unsigned char)bytes[i]];
        if (id < 0)
            continue;
        symbols[count] = (symbol){id, count - 1, count + 1};
        count++;
    }
    if (count > 0)
        symbols[count - 1].next = -1;
    return count;
}

/* Joins the symbol at `position` with the next one. */
static void join(symbol *symbols, int32_t position, int32_t merged)
{
    symbol *left = &symbols[position];
    symbol *right = &symbols[left->next];
    left->id = merged;
    left->next = right->next;
    if (right->next >= 0)
        symbols[right->next].previous = position;
    right->id = -1;
}

static void merge_all(const asr_bpe *bpe, symbol *symbols, int32_t count, uint64_t *heap)
{
    size_t heap_size = 0;
    for (int32_t i = 0; i + 1 < count; i++)
        push_pair(bpe, symbols, i, heap, &heap_size);
    while (heap_size > 0) {
        uint64_t key = heap_pop(heap, &heap_size);
        int32_t position = (int32_t)(uint32_t)key;
        const merge *found = merge_at(bpe, symbols, position);
        if (!found || found->rank != key >> 32)
            continue;
        join(symbols, position, found->merged);
        push_pair(bpe, symbols, symbols[position].previous, heap, &heap_size);
        push_pair(bpe, symbols, position, heap, &heap_size);
    }
}

bool asr_bpe_encode(const asr_bpe *bpe, const char *bytes, size_t length,
                    asr_bpe_ids *ids, asr_error *error)
{
    int whole = bpe->whole_words ? asr_bpe_vocab_find(bpe->vocab, bytes, length) : -1;
    if (whole >= 0)
        return asr_bpe_ids_append(ids, whole, error);
    if (!reserve_symbols(ids, length, error))
        return false;
    int32_t count = list_bytes(bpe, bytes, length, ids->symbols);
    merge_all(bpe, ids->symbols, count, ids->heap);
    for (int32_t i = count > 0 ? 0 : -1; i >= 0; i = ids->symbols[i].next)
        if (!asr_bpe_ids_append(ids, ids->symbols[i].id, error))
            return false;
    return true;
}
