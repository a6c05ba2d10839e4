/* Writing a file so that nobody ever sees a part of it: to a temporary file in the same
 * folder, flushed to the disk, then renamed. */
#ifndef ASR_SAVEFILE_H
#define ASR_SAVEFILE_H

#include "error.h"

#include <stdio.h>

/* Writes the contents to `out`; messages name the file `name`. False when it fails. */
typedef bool (*asr_file_writer)(FILE *out, const char *name, void *user,
                                asr_error *error);

/* Saves what `write` writes under `path`. Readers see the old file or the whole new one;
 * a failure leaves no trace. A symbolic link stays a link, a target that may not be
 * written is respected, and a device or a pipe is written directly. */
bool asr_file_save(const char *path, asr_file_writer write, void *user, asr_error *error);

/* Says why `name` could not be written, from an errno value. Always returns false. */
bool asr_file_save_failed(const char *name, int reason, asr_error *error);

#endif
