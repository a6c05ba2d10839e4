/* A small network that uses most operations: embedding rows, an MLP, attention over what
 * a cache has so far, and picking a token. */
#ifndef NETWORK_H
#define NETWORK_H

#include "graph/backend.h"

#define NETWORK_STEPS 6
#define NETWORK_BEST 3

typedef struct network network;

network *network_create(asr_backend *backend, asr_dtype weights, asr_error *error);

/* Feeds a token at a step from 0 on; the best tokens for the next one, with scores. */
bool network_step(network *n, int step, int token, int ids[NETWORK_BEST],
                  float scores[NETWORK_BEST], asr_error *error);
void network_destroy(network **n);

#endif
