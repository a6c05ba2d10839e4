/* What a Whisper model computes on the way, for comparison with its reference. */
#ifndef ASR_WHISPER_TRACE_H
#define ASR_WHISPER_TRACE_H

#include "models/family.h"
#include "models/whisper.h"

/* Adds `features` [n_mels, frames], `encoder` [n_audio_ctx, d_model] and `logits`
 * [n, vocab_size] of a window of samples. `tokens` is the decoder's whole input; with n 0
 * it is the greedy path without rules, which is added as `tokens` [1, n]. */
bool asr_whisper_trace(asr_whisper *whisper, const float *samples, size_t n_samples,
                       const int *tokens, int n, asr_trace *trace, asr_error *error);

#endif
