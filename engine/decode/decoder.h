/* An autoregressive decoder as searches see it: rows of tokens in, the best next tokens
 * out. A model family provides one; greedy and beam search run on any. */
#ifndef ASR_DECODER_H
#define ASR_DECODER_H

#include "graph/graph.h"

/* One token of one hypothesis. Its key and value go to row `slot` of the cache; it
 * attends to the slots in `history`, its own included. */
typedef struct asr_decoder_row {
    int token, position, slot;
    const int32_t *history;
    int n_history;
    const int32_t *rule; /* [ASR_RULE_COUNT]; NULL: nothing is picked after this row */
} asr_decoder_row;

typedef struct asr_decoder {
    void *model;
    int n_slots;     /* rows of the cache */
    int n_positions; /* the longest sequence */
    /* Runs the rows; for each that has a rule, in order, writes the k best next tokens
     * and their log-probabilities: ids, scores [picked, k] (see asr_graph_pick()). */
    bool (*run)(void *model, const asr_decoder_row *rows, int n_rows, int k, int32_t *ids,
                float *scores, asr_error *error);
} asr_decoder;

#endif
