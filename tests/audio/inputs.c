/* Making and reading audio files for tests. */
#include "inputs.h"

#include <dirent.h>
#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256];

static const char *input_folder(void)
{
    if (folder[0] == '\0') {
        const char *parent = getenv("TMPDIR");
        snprintf(folder, sizeof(folder), "%s/verbatim-audio-XXXXXX",
                 parent ? parent : "/tmp");
        if (!mkdtemp(folder))
            abort();
    }
    return folder;
}

const char *input_path(const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", input_folder(), name);
    return path;
}

const char *input_bytes(const char *name, const void *bytes, size_t count)
{
    const char *path = input_path(name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, count, file) != count || fclose(file) != 0)
        abort();
    return path;
}

const char *input_cut(const char *name, const char *whole, size_t count)
{
    void *bytes = malloc(count);
    FILE *file = fopen(whole, "rb");
    if (!bytes || !file || fread(bytes, 1, count, file) != count)
        abort();
    fclose(file);
    const char *path = input_bytes(name, bytes, count);
    free(bytes);
    return path;
}

const char *input_sound(const char *name, int format, int sample_rate, int channels,
                        const float *samples, size_t n_frames)
{
    const char *path = input_path(name);
    SF_INFO info = {.samplerate = sample_rate, .channels = channels, .format = format};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    if (!file ||
        sf_writef_float(file, samples, (sf_count_t)n_frames) != (sf_count_t)n_frames)
        abort();
    sf_close(file);
    return path;
}

const char *input_ffmpeg(const char *name, const char *arguments)
{
    const char *path = input_path(name);
    char command[2048];
    snprintf(command, sizeof(command),
             "cd '%s' && ffmpeg -nostdin -v quiet -y %s '%s' 2>/dev/null", input_folder(),
             arguments, name);
    return system(command) == 0 ? path : NULL;
}

size_t input_size(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (size_t)status.st_size : 0;
}

float *input_tone(double hz, int sample_rate, size_t n_samples)
{
    float *samples = malloc(n_samples * sizeof(*samples));
    if (!samples)
        abort();
    for (size_t i = 0; i < n_samples; i++)
        samples[i] = (float)(0.5 * cos(2 * M_PI * hz * (double)i / sample_rate));
    return samples;
}

float *input_read(const char *path, int sample_rate, size_t *n_samples, asr_error *error)
{
    enum { MOST = 8191 };
    *n_samples = 0;
    asr_audio_file *file = asr_audio_file_open(path, sample_rate, error);
    if (!file)
        return NULL;
    float *samples = NULL;
    size_t wanted = 1;
    ptrdiff_t n;
    do {
        samples = realloc(samples, (*n_samples + MOST) * sizeof(*samples));
        if (!samples)
            abort();
        n = asr_audio_file_read(file, samples + *n_samples, wanted, error);
        *n_samples += n > 0 ? (size_t)n : 0;
        wanted = wanted * 3 % MOST + 1;
    } while (n > 0);
    asr_audio_file_destroy(&file);
    if (n == 0)
        return samples;
    free(samples);
    return NULL;
}

const char *input_refusal(const char *path)
{
    static asr_error error;
    error.message[0] = '\0';
    asr_audio_file *file = asr_audio_file_open(path, 16000, &error);
    asr_audio_file_destroy(&file);
    return error.message;
}

void inputs_remove(void)
{
    DIR *listing = opendir(input_folder());
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        unlinkat(dirfd(listing), entry->d_name, 0);
    if (listing)
        closedir(listing);
    rmdir(folder);
}
