/* Looking for the most probable tokens: greedy, beam search, or sampling.
 *
 * All three are one loop over hypotheses; they differ in how many there are and in which
 * tokens are proposed. The prompt is run once and shared; each hypothesis then adds one
 * cache row a step, and a fork copies only the list of its rows. Finished hypotheses are
 * ranked by log-probability per token. */
#ifndef ASR_SEARCH_H
#define ASR_SEARCH_H

#include "decode/decoder.h"

/* The widest beam: one more candidate than this is asked of the decoder. */
#define ASR_SEARCH_MAX_BEAM (ASR_PICK_MAX - 1)

typedef struct asr_search_params {
    int beam_size;     /* hypotheses kept when the temperature is 0; 1: greedy */
    int n_samples;     /* hypotheses drawn when it is not */
    float temperature; /* 0: the most probable tokens, above: sampled */
    uint32_t seed;
    int max_tokens; /* of a hypothesis, at most */
    int end_token;
    /* Writes the rule [ASR_RULE_COUNT] for what may follow `tokens`, the n tokens after
     * the prompt; seed and temperature are filled in by the search. */
    void (*rule)(void *user, const int *tokens, int n, int32_t *rule);
    void *user;
} asr_search_params;

/* What comes before the tokens searched for. With `probe_rule` the best token after
 * prompt[probe] by that rule is reported too. */
typedef struct asr_search_prompt {
    const int *tokens;
    int n;
    int probe;
    const int32_t *probe_rule; /* NULL: none */
} asr_search_prompt;

typedef struct asr_search_result {
    int *tokens;   /* [n], without the end token; owned */
    float *scores; /* [n] their log-probabilities; owned */
    int n;
    double total; /* sum of the scores, the end token's included */
    int probe_token;
    float probe_score; /* log-probability of the probe's token */
} asr_search_result;

/* Runs the search. The caller clears the result with asr_search_clear(). False with a
 * message when the decoder fails or memory is out. */
bool asr_search_run(const asr_decoder *decoder, const asr_search_params *params,
                    const asr_search_prompt *prompt, asr_search_result *result,
                    asr_error *error);
void asr_search_clear(asr_search_result *result);

#endif
