/* The catalogue of models that can be downloaded: data/models.json.
 *
 * It says what a user needs to choose (name, languages, size) and what the download needs
 * (repository on the model hub, revision, files, checksums). Models that are installed
 * but not in the catalogue work all the same. */
#ifndef ASR_CATALOGUE_H
#define ASR_CATALOGUE_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct asr_catalogue_file {
    char *name;      /* in the repository and in the model's directory; no folders */
    int64_t size;    /* bytes; -1 where the catalogue does not say */
    char sha256[65]; /* lower-case hexadecimal; empty where it does not say */
} asr_catalogue_file;

typedef struct asr_catalogue_model {
    char *name;   /* "whisper-base": what users type, and the directory's name */
    char *title;  /* "Whisper base" */
    char *family; /* "whisper" */
    char *licence;
    char *repository; /* "openai/whisper-base" */
    char *revision;   /* a commit of the repository, or a branch */
    char **languages; /* codes such as "en" */
    size_t language_count;
    int64_t parameters;
    asr_catalogue_file *files;
    size_t file_count;
} asr_catalogue_model;

typedef struct asr_catalogue {
    asr_catalogue_model *models;
    size_t count;
} asr_catalogue;

/* Reads the catalogue at `path`. NULL when it cannot be read or says something that no
 * download should act on, such as a file name with a folder in it. Thread-safe. */
asr_catalogue *asr_catalogue_create(const char *path, asr_error *error);

/* As asr_catalogue_create, from text in memory; `path` names it in messages. */
asr_catalogue *asr_catalogue_parse(const char *text, size_t length, const char *path,
                                   asr_error *error);
void asr_catalogue_destroy(asr_catalogue **catalogue);

/* NULL when the catalogue has no model of that name. Borrowed from the catalogue. */
const asr_catalogue_model *asr_catalogue_find(const asr_catalogue *catalogue,
                                              const char *name);

/* The bytes to download; -1 when the catalogue does not know its largest file. */
int64_t asr_catalogue_size(const asr_catalogue_model *model);

#endif
