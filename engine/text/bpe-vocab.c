/* All bytes lie in one block, in the order they came; a table by id points into it, and
 * an open-addressed table of ids, hashed by bytes, finds them. */
#include "bpe-vocab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

typedef struct entry {
    uint32_t offset; /* UNUSED where no token has the id */
    uint32_t length;
} entry;

#define UNUSED UINT32_MAX

struct asr_bpe_vocab {
    char *bytes;
    size_t n_bytes, bytes_capacity;
    entry *entries; /* by id */
    size_t n_entries, entries_capacity;
    int32_t *table; /* ids, -1 where empty; a power of two of slots */
    size_t n_findable, table_capacity;
    uint64_t seed;
};

uint64_t asr_bpe_hash(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t hash = (seed ^ a) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ hash >> 32 ^ b) * 0xD6E8FEB86659FD93u;
    return hash ^ hash >> 32;
}

uint64_t asr_bpe_hash_seed(void)
{
    uint64_t seed;
    /* Without entropy yet (early boot) any address still differs from run to run. */
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
        seed = (uintptr_t)&seed;
    return seed;
}

static uint64_t hash_bytes(uint64_t seed, const char *bytes, size_t length)
{
    uint64_t hash = seed ^ length;
    while (length > 0) {
        uint64_t word = 0;
        size_t n = length < sizeof(word) ? length : sizeof(word);
        memcpy(&word, bytes, n);
        hash = asr_bpe_hash(hash, word, seed);
        bytes += n;
        length -= n;
    }
    return hash;
}

asr_bpe_vocab *asr_bpe_vocab_create(asr_error *error)
{
    asr_bpe_vocab *vocab = calloc(1, sizeof(*vocab));
    if (!vocab)
        asr_fail_memory(error);
    else
        vocab->seed = asr_bpe_hash_seed();
    return vocab;
}

void asr_bpe_vocab_destroy(asr_bpe_vocab **vocab)
{
    if (!*vocab)
        return;
    free((*vocab)->bytes);
    free((*vocab)->entries);
    free((*vocab)->table);
    free(*vocab);
    *vocab = NULL;
}

/* The slot that holds the token, or the empty one where it belongs. The table is never
 * full. */
static size_t find_slot(const asr_bpe_vocab *vocab, const char *bytes, size_t length)
{
    size_t mask = vocab->table_capacity - 1;
    size_t slot = hash_bytes(vocab->seed, bytes, length) & mask;
    while (vocab->table[slot] >= 0) {
        const entry *e = &vocab->entries[vocab->table[slot]];
        if (e->length == length && memcmp(vocab->bytes + e->offset, bytes, length) == 0)
            break;
        slot = (slot + 1) & mask;
    }
    return slot;
}

static bool grow_table(asr_bpe_vocab *vocab)
{
    size_t old_capacity = vocab->table_capacity;
    size_t capacity = old_capacity ? old_capacity * 2 : 1024;
    int32_t *old = vocab->table;
    int32_t *table = malloc(capacity * sizeof(*table));
    if (!table)
        return false;
    memset(table, 0xFF, capacity * sizeof(*table));
    vocab->table = table;
    vocab->table_capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i] < 0)
            continue;
        const entry *e = &vocab->entries[old[i]];
        table[find_slot(vocab, vocab->bytes + e->offset, e->length)] = old[i];
    }
    free(old);
    return true;
}

/* Makes room for `need` items of `size` bytes, at least doubling what there is. */
static bool reserve(void **items, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return true;
    size_t grown = *capacity * 2 > need ? *capacity * 2 : need + 1024;
    void *moved = realloc(*items, grown * size);
    if (!moved)
        return false;
    *items = moved;
    *capacity = grown;
    return true;
}

/* Makes `entries` reach `id`. */
static bool extend_entries(asr_bpe_vocab *vocab, int id)
{
    void *entries = vocab->entries;
    if (!reserve(&entries, &vocab->entries_capacity, (size_t)id + 1, sizeof(entry)))
        return false;
    vocab->entries = entries;
    while (vocab->n_entries <= (size_t)id)
        vocab->entries[vocab->n_entries++] = (entry){.offset = UNUSED};
    return true;
}

static bool append_bytes(asr_bpe_vocab *vocab, const char *bytes, size_t length)
{
    void *block = vocab->bytes;
    /* One byte more, so that the empty token too has an address. */
    if (!reserve(&block, &vocab->bytes_capacity, vocab->n_bytes + length + 1, 1))
        return false;
    vocab->bytes = block;
    memcpy(vocab->bytes + vocab->n_bytes, bytes, length);
    vocab->n_bytes += length;
    return true;
}

bool asr_bpe_vocab_add(asr_bpe_vocab *vocab, int id, const char *bytes, size_t length,
                       bool findable, const char *file, asr_error *error)
{
    size_t known_length;
    const char *known = asr_bpe_vocab_bytes(vocab, id, &known_length);
    if (known && known_length == length && memcmp(known, bytes, length) == 0)
        return true;
    if (known)
        return asr_fail(error,
                        "%s gives the id %d to two tokens; the file may be damaged: "
                        "download the model again.",
                        file, id);
    if (vocab->n_bytes + length >= UNUSED || !extend_entries(vocab, id) ||
        !append_bytes(vocab, bytes, length))
        return asr_fail_memory(error);
    vocab->entries[id] = (entry){(uint32_t)(vocab->n_bytes - length), (uint32_t)length};
    if (!findable)
        return true;
    if (2 * (vocab->n_findable + 1) > vocab->table_capacity && !grow_table(vocab))
        return asr_fail_memory(error);
    size_t slot = find_slot(vocab, bytes, length);
    if (vocab->table[slot] < 0) {
        vocab->table[slot] = id;
        vocab->n_findable++;
    }
    return true;
}

int asr_bpe_vocab_find(const asr_bpe_vocab *vocab, const char *bytes, size_t length)
{
    return vocab->table_capacity ? vocab->table[find_slot(vocab, bytes, length)] : -1;
}

const char *asr_bpe_vocab_bytes(const asr_bpe_vocab *vocab, int id, size_t *length)
{
    *length = 0;
    if (id < 0 || (size_t)id >= vocab->n_entries || vocab->entries[id].offset == UNUSED)
        return NULL;
    *length = vocab->entries[id].length;
    return vocab->bytes + vocab->entries[id].offset;
}

int asr_bpe_vocab_size(const asr_bpe_vocab *vocab)
{
    return (int)vocab->n_entries;
}
