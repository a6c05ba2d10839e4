/* What is asked of a recogniser when it transcribes a recording, and what it says while
 * it does. Shared by the public API and the model families. */
#ifndef ASR_TRANSCRIBE_H
#define ASR_TRANSCRIBE_H

#include "text/transcript.h"

#include <stdint.h>

/* How far a transcription is. `transcript` grows as the work goes on; what it holds
 * already does not change. */
typedef struct asr_progress {
    double seconds_done;
    double duration; /* of the recording; negative while unknown */
    const asr_transcript *transcript;
} asr_progress;

typedef struct asr_transcribe_params {
    const char *language; /* code; NULL: detect it */
    bool translate;       /* into English, where the model can */
    bool word_times;
    int beam_size;               /* 1: greedy; see ASR_BEAM_SIZE_MAX */
    bool previous_text;          /* use the text so far as context for what follows */
    const char *const *hotwords; /* phrases to expect; may be NULL */
    size_t n_hotwords;
    /* Called from the working thread after every stretch of audio; false stops the work,
     * and what was recognised so far is the result. May be NULL. */
    bool (*progress)(void *user, const asr_progress *progress);
    void *user;
} asr_transcribe_params;

#define ASR_BEAM_SIZE_DEFAULT 5
#define ASR_BEAM_SIZE_MAX 15

#endif
