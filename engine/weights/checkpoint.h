/* The weights of a model directory as the hub publishes them: `model.safetensors`, or
 * shards named by `model.safetensors.index.json`. */
#ifndef ASR_CHECKPOINT_H
#define ASR_CHECKPOINT_H

#include "weights/safetensors.h"

typedef struct asr_checkpoint asr_checkpoint;

/* NULL with a message that names the directory or file at fault. */
asr_checkpoint *asr_checkpoint_open(const char *directory, asr_error *error);
void asr_checkpoint_destroy(asr_checkpoint **checkpoint);

/* NULL when no shard has a tensor of that name. Borrowed from the checkpoint. */
const asr_stored_tensor *asr_checkpoint_find(const asr_checkpoint *checkpoint,
                                             const char *name);

/* Lets the pages read so far leave the resident set. */
void asr_checkpoint_release_pages(const asr_checkpoint *checkpoint);

/* Writes 32 hexadecimal digits that change when the weights do: of the files' headers,
 * sizes, and a sample of their contents. `text` has room for 33 bytes. */
bool asr_checkpoint_fingerprint(const asr_checkpoint *checkpoint, char *text,
                                asr_error *error);

#endif
