/* Downloads of whole models from the hub.
 *
 * A model is built file by file in a hidden directory of the store. Each file is checked
 * against its SHA-256 from the catalogue or, where that has none, against the checksum
 * that the hub states; a file whose checksum nobody states is refused. The directory gets
 * its name when all files are there. An interrupted download goes on where it stopped. */
#ifndef ASR_DOWNLOAD_H
#define ASR_DOWNLOAD_H

#include "error.h"
#include "weights/catalogue.h"

#include <stdint.h>

#define ASR_DOWNLOAD_HUB "https://huggingface.co"

/* Called about once a second, on the caller's thread, with the file being fetched, its
 * bytes so far and its size (-1 while unknown). Returns false to stop the download. */
typedef bool (*asr_download_progress)(void *user, const char *file, int64_t done,
                                      int64_t total);

typedef struct asr_download_params {
    const char *store;  /* the folder of installed models; made when missing */
    const char *hub;    /* NULL: ASR_DOWNLOAD_HUB */
    int retry_delay_ms; /* 0: as asr_transfer_params */
    int stall_seconds;  /* 0: as asr_transfer_params */
    asr_download_progress progress; /* may be NULL */
    void *user;
} asr_download_params;

/* Installs `model` in the store; nothing to do when it is there already. Blocks.
 * Thread-safe, also between processes: a second download of the same model fails. */
bool asr_download_model(const asr_catalogue_model *model,
                        const asr_download_params *params, asr_error *error);

#endif
