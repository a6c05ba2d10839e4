/* An audio or video file, as somebody may send it: our side of libsndfile and FFmpeg. */
#include "audio/file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads no more than a minute: a header may state days of silence. */
static void read_some(const char *path)
{
    asr_error error;
    asr_audio_file *file = asr_audio_file_open(path, 16000, &error);
    static float samples[16000];
    for (int i = 0; file && i < 60; i++) {
        double progress = asr_audio_file_progress(file);
        if (!(progress >= 0 && progress <= 1))
            abort();
        if (asr_audio_file_read(file, samples, 16000, &error) < 16000)
            break;
    }
    asr_audio_file_destroy(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int file = memfd_create("fuzz-audio-file", MFD_CLOEXEC);
    if (file < 0)
        return 0;
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    if (write(file, data, size) == (ssize_t)size)
        read_some(path);
    close(file);
    return 0;
}
