/* The languages that the models know: codes, English names, and what people write
 * instead. Static tables; every function is thread-safe. */
#ifndef ASR_LANGUAGE_H
#define ASR_LANGUAGE_H

#include <stddef.h>

/* One language of Whisper. `code` is what its token `<|code|>` says: two letters of
 * ISO 639-1 where there are any, with the model's own "jw" for Javanese. */
typedef struct asr_language {
    const char *code;
    const char *name; /* English, capitalised: "Haitian Creole" */
} asr_language;

/* Whisper's 100 languages in the order of their tokens, which follow
 * "<|startoftranscript|>". Checkpoints before large-v3 have the first 99: Cantonese is
 * the last. `count` may be NULL. */
const asr_language *asr_language_list(size_t *count);

/* The language that `text` means: a code ("de"), an English name ("German"), an alias
 * ("Mandarin", "Castilian"), or a code with a script or region ("zh-CN", "en_US.UTF-8",
 * "yue-Hant-HK"). Case does not matter. NULL when unknown. */
const asr_language *asr_language_find(const char *text);

/* The English name for a code, or NULL when unknown. */
const char *asr_language_name(const char *code);

/* The place of `code` in the list, or -1. */
int asr_language_index(const char *code);

#endif
