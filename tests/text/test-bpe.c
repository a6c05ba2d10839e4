/* Byte-pair encoding on vocabularies small enough to follow by hand. */
#include "test.h"
#include "text/bpe-alphabet.h"
#include "text/bpe.h"

/* A vocabulary of the given tokens, ids from 0 on. */
static asr_bpe_vocab *create_vocab(const char *const *tokens, int count)
{
    asr_error error = {""};
    asr_bpe_vocab *vocab = asr_bpe_vocab_create(&error);
    for (int id = 0; vocab && id < count; id++)
        if (!asr_bpe_vocab_add(vocab, id, tokens[id], strlen(tokens[id]), true, "test",
                               &error))
            asr_bpe_vocab_destroy(&vocab);
    return vocab;
}

/* Encodes `word` and writes the tokens with bars between them to `out`. */
static const char *encode(const asr_bpe *bpe, const asr_bpe_vocab *vocab,
                          const char *word, char *out)
{
    asr_error error = {""};
    asr_bpe_ids ids = {0};
    char *end = out;
    EXPECT(asr_bpe_encode(bpe, word, strlen(word), &ids, &error));
    for (size_t i = 0; i < ids.n_items; i++) {
        size_t n;
        const char *bytes = asr_bpe_vocab_bytes(vocab, ids.items[i], &n);
        end += sprintf(end, "%s%.*s", i ? "|" : "", (int)n, bytes);
    }
    *end = '\0';
    asr_bpe_ids_clear(&ids);
    return out;
}

TEST(merges_in_the_order_learnt)
{
    static const char *const tokens[] = {"a", "b", "c", "ab", "bc", "abc", "aa"};
    char out[64];
    asr_bpe_vocab *vocab = create_vocab(tokens, 7);
    REQUIRE(vocab);
    asr_bpe *bpe = asr_bpe_create(vocab, false, NULL);
    REQUIRE(bpe);
    EXPECT_STR(encode(bpe, vocab, "abc", out), "a|b|c");
    EXPECT(asr_bpe_add_merge(bpe, 1, 2, 4, NULL)); /* b c */
    EXPECT(asr_bpe_add_merge(bpe, 0, 1, 3, NULL)); /* a b */
    EXPECT_STR(encode(bpe, vocab, "abc", out), "a|bc");
    EXPECT_STR(encode(bpe, vocab, "abab", out), "ab|ab");
    EXPECT(asr_bpe_add_merge(bpe, 0, 4, 5, NULL)); /* a bc */
    EXPECT_STR(encode(bpe, vocab, "abcab", out), "abc|ab");
    EXPECT(asr_bpe_add_merge(bpe, 0, 0, 6, NULL)); /* a a: leftmost first */
    EXPECT_STR(encode(bpe, vocab, "aaa", out), "aa|a");
    /* Given again, "b c" moves behind "a b". */
    EXPECT(asr_bpe_add_merge(bpe, 1, 2, 4, NULL));
    EXPECT_STR(encode(bpe, vocab, "abc", out), "ab|c");
    EXPECT_STR(encode(bpe, vocab, "", out), "");
    EXPECT_STR(encode(bpe, vocab, "axbz", out), "ab");
    asr_bpe_destroy(&bpe);
    asr_bpe_vocab_destroy(&vocab);
    EXPECT(!bpe && !vocab);
}

TEST(takes_whole_words_when_asked)
{
    static const char *const tokens[] = {"a", "b", "ab"};
    char out[64];
    asr_bpe_vocab *vocab = create_vocab(tokens, 3);
    REQUIRE(vocab);
    asr_bpe *bpe = asr_bpe_create(vocab, true, NULL);
    REQUIRE(bpe);
    EXPECT_STR(encode(bpe, vocab, "ab", out), "ab");
    EXPECT_STR(encode(bpe, vocab, "aba", out), "a|b|a");
    asr_bpe_destroy(&bpe);
    asr_bpe_vocab_destroy(&vocab);
}

/* The longest word merges down through every level of a chain: quadratic time would be
 * minutes here. */
TEST(encodes_a_megabyte_in_one_word)
{
    enum { LEVELS = 12, LENGTH = 1 << 20 };
    asr_error error = {""};
    char *word = malloc(LENGTH);
    asr_bpe_vocab *vocab = asr_bpe_vocab_create(&error);
    REQUIRE(word && vocab);
    memset(word, 'a', LENGTH);
    for (int id = 0; id <= LEVELS; id++)
        EXPECT(asr_bpe_vocab_add(vocab, id, word, (size_t)1 << id, true, "test", &error));
    asr_bpe *bpe = asr_bpe_create(vocab, false, &error);
    REQUIRE(bpe);
    for (int id = 0; id < LEVELS; id++)
        EXPECT(asr_bpe_add_merge(bpe, id, id, id + 1, &error));
    asr_bpe_ids ids = {0};
    EXPECT(asr_bpe_encode(bpe, word, LENGTH - 1, &ids, &error));
    EXPECT_INT(ids.n_items, LENGTH / (1 << LEVELS) - 1 + LEVELS);
    EXPECT_INT(ids.items[0], LEVELS);
    EXPECT_INT(ids.items[ids.n_items - 1], 0);
    asr_bpe_ids_clear(&ids);
    asr_bpe_destroy(&bpe);
    asr_bpe_vocab_destroy(&vocab);
    free(word);
}

TEST(vocabulary_keeps_its_tokens)
{
    asr_error error = {""};
    asr_bpe_vocab *vocab = asr_bpe_vocab_create(&error);
    size_t length = 9;
    REQUIRE(vocab);
    EXPECT_INT(asr_bpe_vocab_find(vocab, "a", 1), -1);
    EXPECT_INT(asr_bpe_vocab_size(vocab), 0);
    EXPECT(asr_bpe_vocab_add(vocab, 5, "", 0, true, "f", &error));
    EXPECT(asr_bpe_vocab_add(vocab, 70000, "a\0b", 3, true, "f", &error));
    EXPECT(asr_bpe_vocab_add(vocab, 70000, "a\0b", 3, true, "f", &error));
    EXPECT(asr_bpe_vocab_add(vocab, 6, "hidden", 6, false, "f", &error));
    EXPECT(!asr_bpe_vocab_add(vocab, 5, "x", 1, true, "f", &error));
    EXPECT_STR(error.message, "f gives the id 5 to two tokens; the file may be damaged: "
                              "download the model again.");
    EXPECT_INT(asr_bpe_vocab_size(vocab), 70001);
    EXPECT_INT(asr_bpe_vocab_find(vocab, "a\0b", 3), 70000);
    EXPECT_INT(asr_bpe_vocab_find(vocab, "", 0), 5);
    EXPECT_INT(asr_bpe_vocab_find(vocab, "hidden", 6), -1);
    EXPECT(asr_bpe_vocab_bytes(vocab, 5, &length) && length == 0);
    EXPECT(!asr_bpe_vocab_bytes(vocab, 7, &length) && length == 0);
    EXPECT(!asr_bpe_vocab_bytes(vocab, -1, &length));
    EXPECT(!asr_bpe_vocab_bytes(vocab, 70001, &length));
    asr_bpe_vocab_destroy(&vocab);
}

TEST(alphabet_spells_every_byte)
{
    /* U+0120 is the space, U+010A the line feed, U+0143 the soft hyphen's byte. */
    char out[16];
    size_t length = 0;
    const char text[] = "\u0120a\u010A\u00E9\u0100\u0121\u0142\u0143~\u00A1";
    EXPECT(asr_bpe_alphabet_read(text, strlen(text), out, &length));
    EXPECT_INT(length, 10);
    EXPECT(memcmp(out, " a\n\xE9\0\x7F\xA0\xAD~\xA1", 10) == 0);
    EXPECT(!asr_bpe_alphabet_read(" ", 1, out, &length));
    EXPECT(!asr_bpe_alphabet_read("\u0144", 2, out, &length));
    EXPECT(!asr_bpe_alphabet_read("\u00AD", 2, out, &length));
    EXPECT(!asr_bpe_alphabet_read("a\u4E00", 4, out, &length));
    EXPECT(!asr_bpe_alphabet_read("\xFF", 1, out, &length));
}

int main(void)
{
    RUN(merges_in_the_order_learnt);
    RUN(takes_whole_words_when_asked);
    RUN(encodes_a_megabyte_in_one_word);
    RUN(vocabulary_keeps_its_tokens);
    RUN(alphabet_spells_every_byte);
    return test_end();
}
