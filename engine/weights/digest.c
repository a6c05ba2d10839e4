/* Checksums of files, by OpenSSL. */
#include "weights/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 1 << 18 };

static bool start(EVP_MD_CTX *context, asr_digest_kind kind, int64_t size)
{
    if (kind == ASR_DIGEST_SHA256) {
        return EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    }
    char header[32];
    int length = snprintf(header, sizeof header, "blob %lld", (long long)size);
    return EVP_DigestInit_ex(context, EVP_sha1(), NULL) == 1 &&
           EVP_DigestUpdate(context, header, (size_t)length + 1) == 1;
}

/* Returns false with errno 0 when the library, not the file, is at fault. */
static bool add_file(EVP_MD_CTX *context, int file)
{
    unsigned char *block = malloc(BLOCK);
    bool good = block != NULL;
    while (good) {
        ssize_t count = read(file, block, BLOCK);
        if (count == 0) {
            break;
        }
        if (count < 0) {
            good = errno == EINTR;
            continue;
        }
        errno = 0;
        good = EVP_DigestUpdate(context, block, (size_t)count) == 1;
    }
    free(block);
    return good;
}

static bool finish(EVP_MD_CTX *context, char text[ASR_DIGEST_TEXT])
{
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned int length;
    if (EVP_DigestFinal_ex(context, value, &length) != 1 ||
        2 * length >= ASR_DIGEST_TEXT) {
        return false;
    }
    for (unsigned int i = 0; i < length; i++) {
        snprintf(text + 2 * i, 3, "%02x", value[i]);
    }
    return true;
}

bool asr_digest_file(const char *path, asr_digest_kind kind, char text[ASR_DIGEST_TEXT],
                     asr_error *error)
{
    struct stat status;
    bool good = false;
    EVP_MD_CTX *context = NULL;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0) {
        asr_fail(error, "%s cannot be read: %s.", path, strerror(errno));
        goto end;
    }
    context = EVP_MD_CTX_new();
    if (!context) {
        asr_fail_memory(error);
        goto end;
    }
    good = start(context, kind, status.st_size) && add_file(context, file) &&
           finish(context, text);
    if (!good) {
        asr_fail(error, "The checksum of %s cannot be computed: %s.", path,
                 errno ? strerror(errno) : "the cryptography library refuses");
    }
end:
    EVP_MD_CTX_free(context);
    if (file >= 0) {
        close(file);
    }
    return good;
}
