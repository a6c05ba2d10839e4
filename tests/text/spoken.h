/* Transcripts for tests, as if a text had been spoken at a steady rate.
 *
 * In the text "|" ends a segment and "_" is a second of silence; neither is spoken. Words
 * are parted at spaces; a text without spaces is parted at each character, as Whisper
 * does, with punctuation joined to what it follows. */
#ifndef SPOKEN_H
#define SPOKEN_H

#include "text/transcript.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SPOKEN_MAX_WORDS 512
#define SPOKEN_MAX_BYTES 96

typedef struct spoken {
    const char *language;
    double seconds_per_byte; /* of speech */
    bool by_character;       /* a word is a character */
    bool no_words;           /* leave word times out */
} spoken;

static inline size_t spoken_character_bytes(const char *text)
{
    unsigned char lead = (unsigned char)*text;
    return lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
}

/* Bytes of the word at the start of `text`, with its leading spaces. */
static inline size_t spoken_word_bytes(const spoken *how, const char *text)
{
    size_t n = strspn(text, " ");
    if (!how->by_character)
        return n + strcspn(text + n, " |_");
    n += spoken_character_bytes(text + n);
    static const char *const closing[] = {"。", "，", "、", "！", "？", "」"};
    for (size_t i = 0; i < sizeof(closing) / sizeof(closing[0]); i++)
        if (strncmp(text + n, closing[i], strlen(closing[i])) == 0)
            n += strlen(closing[i]);
    return n;
}

/* Adds the words as a segment. Their text is in `texts`. */
static inline void spoken_add(asr_transcript *transcript, const spoken *how,
                              asr_word *words, size_t n_words,
                              char texts[][SPOKEN_MAX_BYTES])
{
    if (n_words == 0)
        return;
    char *whole = calloc(n_words, SPOKEN_MAX_BYTES);
    for (size_t i = 0; i < n_words; i++)
        strcat(whole, texts[i]);
    asr_segment segment = {.start = words[0].start,
                           .end = words[n_words - 1].end,
                           .text = whole,
                           .words = how->no_words ? NULL : words,
                           .n_words = how->no_words ? 0 : n_words};
    if (!asr_transcript_add_segment(transcript, &segment, NULL))
        abort();
    free(whole);
}

/* A transcript of the text, to be destroyed. */
static inline asr_transcript *spoken_transcript(const spoken *how, const char *text)
{
    static char texts[SPOKEN_MAX_WORDS][SPOKEN_MAX_BYTES];
    static asr_word words[SPOKEN_MAX_WORDS];
    asr_transcript *transcript = asr_transcript_create("test", how->language, NULL);
    double now = 0;
    size_t n_words = 0;
    while (transcript && *text) {
        if (*text == '_') {
            now += 1;
            text++;
            continue;
        }
        if (*text == '|' || n_words == SPOKEN_MAX_WORDS) {
            spoken_add(transcript, how, words, n_words, texts);
            n_words = 0;
            text += *text == '|';
            continue;
        }
        size_t n_bytes = spoken_word_bytes(how, text);
        if (n_bytes >= SPOKEN_MAX_BYTES)
            abort();
        memcpy(texts[n_words], text, n_bytes);
        texts[n_words][n_bytes] = '\0';
        double length = (double)n_bytes * how->seconds_per_byte;
        words[n_words] = (asr_word){.start = now,
                                    .end = now + length,
                                    .text = texts[n_words],
                                    .probability = 0.5f};
        n_words++;
        now += length;
        text += n_bytes;
    }
    if (transcript)
        spoken_add(transcript, how, words, n_words, texts);
    return transcript;
}

#endif
