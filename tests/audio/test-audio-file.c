/* Audio files that need no tool to make: sound that must come out exactly, and files that
 * hold none. */
#include "audio/file.h"

#include <fcntl.h>
#include <sndfile.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inputs.h"
#include "test.h"

enum { RATE = 16000, WAV = SF_FORMAT_WAV | SF_FORMAT_PCM_16 };

/* A WAV header with nothing behind it, little-endian, as a hostile file states it. */
typedef struct __attribute__((packed)) wav_header {
    char riff[4];
    uint32_t riff_size;
    char wave[4], fmt[4];
    uint32_t fmt_size;
    uint16_t coding, channels;
    uint32_t rate, bytes_per_second;
    uint16_t block, bits;
    char data[4];
    uint32_t data_size;
} wav_header;

static wav_header header(uint32_t rate, uint16_t channels, uint32_t data_size)
{
    return (wav_header){{'R', 'I', 'F', 'F'},
                        36 + data_size,
                        {'W', 'A', 'V', 'E'},
                        {'f', 'm', 't', ' '},
                        16,
                        1,
                        channels,
                        rate,
                        rate * channels * 2,
                        (uint16_t)(channels * 2),
                        16,
                        {'d', 'a', 't', 'a'},
                        data_size};
}

/* Whether the refusal names the file, and says what is the matter in one sentence. */
static bool refused(const char *path, const char *words)
{
    const char *message = input_refusal(path);
    size_t length = strlen(message);
    bool good = strstr(message, path) && strstr(message, words) && length > 0 &&
                message[length - 1] == '.' && strchr(message, ';');
    if (!good)
        printf("# refusal: %s\n", message);
    return good;
}

TEST(wanted_rate_passes_exactly)
{
    float *tone = input_tone(440, RATE, RATE);
    const char *path =
        input_sound("exact.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, RATE, 1, tone, RATE);
    size_t n;
    float *samples = input_read(path, RATE, &n, NULL);
    REQUIRE(samples);
    EXPECT_INT(n, RATE);
    EXPECT(memcmp(samples, tone, RATE * sizeof(*tone)) == 0);
    free(samples);
    free(tone);
}

TEST(stereo_is_mixed_and_resampled)
{
    static float stereo[44100 * 2 * 2];
    for (int i = 0; i < 44100 * 2; i++) {
        stereo[2 * i] = (float)(0.8 * cos(2 * M_PI * 440 * i / 44100));
        stereo[2 * i + 1] = 0;
    }
    const char *path = input_sound("stereo.wav", WAV, 44100, 2, stereo, 44100 * 2);
    size_t n;
    float *samples = input_read(path, RATE, &n, NULL);
    REQUIRE(samples);
    EXPECT_INT(n, 2 * RATE);
    for (size_t i = RATE / 2; i < n - RATE / 2; i++)
        EXPECT_NEAR(samples[i], 0.4 * cos(2 * M_PI * 440 * (double)i / RATE), 1e-4);
    free(samples);
}

TEST(every_container_of_libsndfile)
{
    static const int formats[] = {
        SF_FORMAT_WAV | SF_FORMAT_PCM_24,  SF_FORMAT_WAV | SF_FORMAT_PCM_U8,
        SF_FORMAT_WAV | SF_FORMAT_ULAW,    SF_FORMAT_AIFF | SF_FORMAT_PCM_16,
        SF_FORMAT_FLAC | SF_FORMAT_PCM_16, SF_FORMAT_CAF | SF_FORMAT_PCM_16,
        SF_FORMAT_RF64 | SF_FORMAT_PCM_16, SF_FORMAT_W64 | SF_FORMAT_DOUBLE,
    };
    float *tone = input_tone(440, 48000, 48000);
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        const char *path = input_sound("container", formats[i], 48000, 1, tone, 48000);
        size_t n;
        float *samples = input_read(path, RATE, &n, NULL);
        REQUIRE(samples);
        EXPECT_INT(n, RATE);
        for (int t = RATE / 4; t < RATE * 3 / 4; t++)
            EXPECT_NEAR(samples[t], 0.5 * cos(2 * M_PI * 440 * t / RATE), 0.02);
        free(samples);
    }
    free(tone);
}

TEST(nonsense_becomes_silence)
{
    const float nonsense[] = {NAN, 0.25f, INFINITY, -INFINITY, 1e38f, -0.25f};
    const char *path =
        input_sound("nan.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, RATE, 1, nonsense, 6);
    size_t n;
    float *samples = input_read(path, RATE, &n, NULL);
    REQUIRE(samples && n == 6);
    const float expected[] = {0, 0.25f, 0, 0, 0, -0.25f};
    EXPECT(memcmp(samples, expected, sizeof(expected)) == 0);
    free(samples);
}

TEST(states_duration_and_progress)
{
    float *tone = input_tone(440, 8000, 20000);
    const char *path = input_sound("progress.wav", WAV, 8000, 1, tone, 20000);
    asr_audio_file *file = asr_audio_file_open(path, RATE, NULL);
    REQUIRE(file);
    EXPECT_NEAR(asr_audio_file_duration(file), 2.5, 1e-9);
    EXPECT_NEAR(asr_audio_file_progress(file), 0, 1e-9);
    static float samples[20000];
    EXPECT_INT(asr_audio_file_read(file, samples, 20000, NULL), 20000);
    EXPECT_NEAR(asr_audio_file_progress(file), 0.5, 1e-9);
    EXPECT_INT(asr_audio_file_read(file, samples, 20000, NULL), 20000);
    EXPECT_NEAR(asr_audio_file_progress(file), 1, 1e-9);
    EXPECT_INT(asr_audio_file_read(file, samples, 20000, NULL), 0);
    EXPECT_INT(asr_audio_file_read(file, samples, 20000, NULL), 0);
    asr_audio_file_destroy(&file);
    EXPECT(file == NULL);
    asr_audio_file_destroy(&file);
    free(tone);
}

TEST(name_does_not_matter)
{
    float *tone = input_tone(440, RATE, RATE);
    size_t n;
    const char *path = input_sound("really-flac.mp3", SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
                                   RATE, 1, tone, RATE);
    float *samples = input_read(path, RATE, &n, NULL);
    EXPECT_INT(n, RATE);
    free(samples);
    /* libsndfile takes the extension's word for headerless formats. */
    EXPECT(
        refused(input_bytes("letter.vox", "Dear Sir or Madam,\n", 19), "not an audio"));
    free(tone);
}

TEST(a_pipe_is_read)
{
    float *tone = input_tone(440, RATE, 8000);
    const char *path = input_sound("pipe.wav", WAV, RATE, 1, tone, 8000);
    char bytes[17000];
    size_t size = input_size(path);
    int ends[2], file = open(path, O_RDONLY | O_CLOEXEC);
    REQUIRE(size < sizeof(bytes) && file >= 0 && pipe2(ends, O_CLOEXEC) == 0);
    EXPECT_INT(read(file, bytes, size), size);
    EXPECT_INT(write(ends[1], bytes, size), size);
    close(file);
    close(ends[1]);
    char name[64];
    snprintf(name, sizeof(name), "/dev/fd/%d", ends[0]);
    size_t n;
    float *samples = input_read(name, RATE, &n, NULL);
    EXPECT_INT(n, 8000);
    for (size_t i = 0; samples && i < n; i++)
        EXPECT_NEAR(samples[i], tone[i], 1e-4);
    close(ends[0]);
    free(samples);
    free(tone);
}

TEST(cut_short_gives_what_is_there)
{
    static const int formats[] = {
        WAV, SF_FORMAT_FLAC | SF_FORMAT_PCM_16, SF_FORMAT_OGG | SF_FORMAT_VORBIS,
        SF_FORMAT_AIFF | SF_FORMAT_PCM_16, SF_FORMAT_CAF | SF_FORMAT_PCM_16};
    /* Noise, since ten seconds of a tone fill no more than one page of Ogg. */
    static float noise[RATE * 10];
    uint32_t state = 1;
    for (int t = 0; t < RATE * 10; t++)
        noise[t] = (float)((state = state * 1664525 + 1013904223) >> 8) * 0x1p-25f;
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        const char *whole = input_sound("whole", formats[i], RATE, 1, noise, RATE * 10);
        const char *cut = input_cut("cut", whole, input_size(whole) / 2);
        asr_error error = {0};
        size_t n;
        float *samples = input_read(cut, RATE, &n, &error);
        EXPECT_STR(error.message, "");
        EXPECT(n > RATE * 3 && n < RATE * 7);
        free(samples);
    }
}

/* The descriptor that the file has opened is made one that cannot be read. */
TEST(failing_disk_is_told_from_the_end)
{
    static float samples[RATE * 10];
    const char *path = input_sound("disk.wav", WAV, RATE, 1, samples, RATE * 10);
    int next = dup(STDIN_FILENO), unreadable = open("/dev/null", O_WRONLY | O_CLOEXEC);
    REQUIRE(next >= 0 && unreadable >= 0);
    close(next);
    asr_audio_file *file = asr_audio_file_open(path, RATE, NULL);
    REQUIRE(file);
    REQUIRE(dup2(unreadable, next) == next);
    asr_error error = {0};
    EXPECT_INT(asr_audio_file_read(file, samples, RATE * 10, &error), -1);
    EXPECT(strstr(error.message, "check the disk") && strstr(error.message, path));
    asr_audio_file_destroy(&file);
    close(unreadable);
}

TEST(memory_does_not_grow)
{
    enum { SECONDS = 1800 };
    wav_header hour = header(44100, 2, SECONDS * 44100u * 4);
    const char *path = input_bytes("long.wav", &hour, sizeof(hour));
    REQUIRE(truncate(path, (off_t)sizeof(hour) + SECONDS * 44100L * 4) == 0);
    asr_audio_file *file = asr_audio_file_open(path, RATE, NULL);
    REQUIRE(file);
    static float samples[RATE];
    EXPECT_INT(asr_audio_file_read(file, samples, RATE, NULL), RATE);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    long seconds = 1;
    while (asr_audio_file_read(file, samples, RATE, NULL) == RATE)
        seconds++;
    getrusage(RUSAGE_SELF, &after);
    EXPECT_INT(seconds, SECONDS);
    EXPECT(after.ru_maxrss - before.ru_maxrss < 2048);
    asr_audio_file_destroy(&file);
}

TEST(refuses_what_is_no_file)
{
    EXPECT(refused(input_path("missing.wav"), "does not exist"));
    EXPECT(refused(input_path("."), "is a folder"));
    EXPECT(refused("/dev/null", "not an audio"));
    EXPECT(refused(input_bytes("empty.wav", "", 0), "is empty"));
}

TEST(refuses_what_may_not_be_read)
{
    const char *path = input_bytes("secret.wav", "RIFF", 4);
    REQUIRE(chmod(path, 0) == 0);
    uid_t user = geteuid();
    if (user == 0 && seteuid(65534) != 0)
        SKIP("this user may read everything");
    EXPECT(refused(path, "may not be read"));
    REQUIRE(seteuid(user) == 0);
}

TEST(refuses_what_is_no_sound)
{
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0,   0, 0,
                                  13,   'I', 'H', 'D', 'R',  0,    0,    0,    1,   0, 0,
                                  0,    1,   8,   0,   0,    0,    0,    0x3a, 0x7e};
    static uint8_t noise[200000], zeros[200000];
    uint32_t state = 1;
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (uint8_t)((state = state * 1664525 + 1013904223) >> 24);
    EXPECT(
        refused(input_bytes("letter.wav", "Dear Sir or Madam,\n", 19), "not an audio"));
    EXPECT(input_refusal(input_bytes("picture.png", png, sizeof(png)))[0]);
    EXPECT(refused(input_bytes("noise.mp3", noise, sizeof(noise)), "not an audio"));
    EXPECT(refused(input_bytes("zeros.mp4", zeros, sizeof(zeros)), "not an audio"));
    EXPECT(refused(input_bytes("riff.wav", "RIFF", 4), "not an audio"));
}

TEST(refuses_headers_of_no_recording)
{
    static const struct {
        uint32_t rate;
        uint16_t channels;
    } absurd[] = {{0, 1},     {1u << 31, 1}, {UINT32_MAX, 1}, {3, 1},
                  {16000, 0}, {16000, 1000}, {16000, 65535}};
    static struct {
        wav_header header;
        uint8_t data[100000];
    } file;
    for (size_t i = 0; i < sizeof(absurd) / sizeof(*absurd); i++) {
        file.header = header(absurd[i].rate, absurd[i].channels, sizeof(file.data));
        EXPECT(refused(input_bytes("absurd.wav", &file, sizeof(file)), "damaged"));
    }
    wav_header none = header(16000, 1, 0);
    EXPECT(refused(input_bytes("none.wav", &none, sizeof(none)), "length is zero"));
    wav_header lying = header(16000, 1, 1000000);
    EXPECT(refused(input_bytes("lying.wav", &lying, sizeof(lying)), "length is zero"));
}

TEST(error_is_optional)
{
    EXPECT(asr_audio_file_open(input_path("missing.wav"), RATE, NULL) == NULL);
}

int main(void)
{
    RUN(wanted_rate_passes_exactly);
    RUN(stereo_is_mixed_and_resampled);
    RUN(every_container_of_libsndfile);
    RUN(nonsense_becomes_silence);
    RUN(states_duration_and_progress);
    RUN(name_does_not_matter);
    RUN(a_pipe_is_read);
    RUN(cut_short_gives_what_is_there);
    RUN(failing_disk_is_told_from_the_end);
    RUN(memory_does_not_grow);
    RUN(refuses_what_is_no_file);
    RUN(refuses_what_may_not_be_read);
    RUN(refuses_what_is_no_sound);
    RUN(refuses_headers_of_no_recording);
    RUN(error_is_optional);
    inputs_remove();
    return test_end();
}
