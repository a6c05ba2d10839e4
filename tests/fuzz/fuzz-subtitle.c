/* Subtitles and exports of any text at any times: what a broken model, or bytes that are
 * no UTF-8, could make. The first byte picks the language and the profile; then each line
 * is a word, whose first two bytes are its times and whose third ends a segment if odd.
 */
#include "text/export.h"
#include "text/subtitle.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_WORDS = 200, MAX_BYTES = 200 };

typedef struct word_list {
    asr_word words[MAX_WORDS];
    char texts[MAX_WORDS][MAX_BYTES];
    size_t n_words;
} word_list;

static void flush_words(word_list *list, asr_transcript *transcript)
{
    static char text[MAX_WORDS * MAX_BYTES];
    text[0] = '\0';
    for (size_t i = 0; i < list->n_words; i++)
        strcat(text, list->texts[i]);
    asr_segment segment = {.start = list->n_words ? list->words[0].start : 0,
                           .text = text,
                           .words = list->words,
                           .n_words = list->n_words};
    asr_transcript_add_segment(transcript, &segment, NULL);
    list->n_words = 0;
}

static void fill(asr_transcript *transcript, const uint8_t *data, size_t size)
{
    static word_list list;
    list.n_words = 0;
    while (size > 3) {
        const uint8_t *newline = memchr(data + 3, '\n', size - 3);
        size_t n_bytes = newline ? (size_t)(newline - data) - 3 : size - 3;
        char *text = list.texts[list.n_words];
        size_t n_kept = n_bytes < MAX_BYTES ? n_bytes : MAX_BYTES - 1;
        memcpy(text, data + 3, n_kept);
        text[n_kept] = '\0';
        list.words[list.n_words++] = (asr_word){
            .start = data[0] / 16.0 - 2, .end = data[1] / 16.0 - 2, .text = text};
        if (data[2] % 2 || list.n_words == MAX_WORDS)
            flush_words(&list, transcript);
        size_t used = n_bytes + 3 + (newline ? 1 : 0);
        data += used;
        size -= used;
    }
    flush_words(&list, transcript);
}

static void check_cues(const asr_transcript *transcript, const char *profile_name)
{
    const asr_subtitle_profile *profile =
        asr_subtitle_profile_find(profile_name, transcript->language, NULL);
    asr_cues *cues = asr_subtitle_create(transcript, profile, NULL);
    for (size_t i = 0; cues && i < cues->n_items; i++)
        if (cues->items[i].start < 0 || cues->items[i].end <= cues->items[i].start ||
            (i > 0 && cues->items[i].start < cues->items[i - 1].end))
            abort();
    asr_subtitle_destroy(&cues);
}

static void check_export(const asr_transcript *transcript, asr_export_format format)
{
    char *text = NULL;
    size_t size = 0;
    asr_export_params params = {.format = format, .timestamps = ASR_TIMESTAMPS_WORD};
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return;
    asr_export_write(out, transcript, &params, NULL);
    fclose(out);
    if (format == ASR_EXPORT_JSON) {
        json_t *root = json_loadb(text, size, 0, NULL);
        if (!root)
            abort();
        json_decref(root);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const languages[] = {"en", "de", "zh", "ja", "ko", "th", "fr", ""};
    static const char *const profiles[] = {"default", "bbc", "plain"};
    if (size == 0)
        return 0;
    asr_transcript *transcript =
        asr_transcript_create("model", languages[data[0] % 8], NULL);
    if (!transcript)
        return 0;
    transcript->duration = data[0] / 8 % 2 ? 0 : 10;
    fill(transcript, data + 1, size - 1);
    check_cues(transcript, profiles[data[0] / 16 % 3]);
    for (int format = ASR_EXPORT_TXT; format <= ASR_EXPORT_TSV; format++)
        check_export(transcript, (asr_export_format)format);
    asr_transcript_destroy(&transcript);
    return 0;
}
