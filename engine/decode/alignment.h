/* When each token was said, from how the decoder attended to the audio.
 *
 * Attention of the alignment heads is normalised over the tokens, smoothed by a median
 * over time, averaged over heads, and the cheapest monotonic path through it found by
 * dynamic time warping (Giorgino 2009; as published with Whisper). */
#ifndef ASR_ALIGNMENT_H
#define ASR_ALIGNMENT_H

#include "error.h"

#include <stddef.h>

/* weights [n_heads, n_tokens, n_positions], of which the first n_frames positions hold
 * audio; they are overwritten. first[n_tokens − n_skip] receives the frame at which each
 * token after the first n_skip begins. n_frames > 0. */
bool asr_alignment_frames(float *weights, int n_heads, int n_tokens, int n_positions,
                          int n_frames, int n_skip, int *first, asr_error *error);

#endif
