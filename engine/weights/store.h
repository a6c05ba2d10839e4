/* The folder where models are installed, one directory a model, named as users name it.
 *
 * Downloads are built in a hidden directory beside it and renamed, so that a directory
 * under a model's name is complete. Not safe against another process that changes the
 * same model at the same time; the download takes a lock. */
#ifndef ASR_STORE_H
#define ASR_STORE_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

/* Whether `name` can name a model: letters, digits and "-_.", not starting with a dot.
 * Such a name stays inside the store whatever is done with it. */
bool asr_store_valid_name(const char *name);

/* Whether a file of that name holds weights. */
bool asr_store_is_weights(const char *file);

/* The directory of the model `name` in `store`, installed or not; owned by the caller
 * (free). NULL when the name is not valid. */
char *asr_store_path(const char *store, const char *name, asr_error *error);

/* Whether the model `name` is installed: its directory has a configuration and weights.
 */
bool asr_store_has(const char *store, const char *name);

/* The installed models in alphabetical order: `count` names in an array; the caller
 * frees each and the array. A store that does not exist has none. NULL on failure. */
char **asr_store_list(const char *store, size_t *count, asr_error *error);

/* The bytes of the files of an installed model; 0 when it is not installed. */
int64_t asr_store_size(const char *store, const char *name);

/* Removes the directory of the model `name`, and what an interrupted download of it left
 * behind. Never follows a symbolic link out of the store. False when there was nothing to
 * remove or it could not be removed. */
bool asr_store_remove(const char *store, const char *name, asr_error *error);

/* The directory in which a download of the model `name` is built; owned by the caller.
 * NULL when the name is not valid. */
char *asr_store_staging_path(const char *store, const char *name, asr_error *error);

#endif
