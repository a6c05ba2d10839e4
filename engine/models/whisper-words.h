/* Words with times, from tokens and the decoder's attention to the audio. */
#ifndef ASR_WHISPER_WORDS_H
#define ASR_WHISPER_WORDS_H

#include "models/whisper.h"
#include "text/transcript.h"

/* A list of words that owns their text. */
typedef struct asr_word_list {
    asr_word *words;
    size_t n;
    size_t *first_token; /* [n] index of the word's first text token */
    char *text;          /* of all words */
} asr_word_list;

typedef struct asr_word_params {
    const int *tokens;   /* text tokens of a window, without timestamps */
    const float *scores; /* their log-probabilities */
    size_t n;
    int language; /* token, or -1 */
    const char *language_code;
    double seconds; /* of audio in the window */
    double offset;  /* of the window in the recording, added to all times */
} asr_word_params;

/* The words of a window whose audio was encoded last. Clear the list with
 * asr_word_list_clear(), also after a failure. */
bool asr_whisper_words(asr_whisper *whisper, const asr_word_params *params,
                       asr_word_list *list, asr_error *error);
void asr_word_list_clear(asr_word_list *list);

#endif
