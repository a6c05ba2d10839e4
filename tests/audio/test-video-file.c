/* Compressed audio and video, made by the ffmpeg program: length, time and level of what
 * comes out, and files cut, damaged or without sound. Where the program or one of its
 * encoders is missing, the test is skipped. */
#include "audio/file.h"

#include <fcntl.h>
#include <unistd.h>

#include "inputs.h"
#include "test.h"

enum { RATE = 16000 };

/* ffmpeg gives each of two channels -3 dB of one. */
static const double TONE_LEVEL = M_SQRT1_2;

#define TONE "-f lavfi -i sine=440:d=5:r=48000,volume=8 -ac 2 "
#define PICTURE "-f lavfi -i testsrc=d=5:s=64x64:r=10 "
#define NEED(path)                                                                       \
    do {                                                                                 \
        if (!(path))                                                                     \
            SKIP("the ffmpeg program is missing, or has no encoder for this");           \
    } while (0)

/* The level of 440 Hz in samples[n], 1 being full scale. */
static double level(const float *samples, size_t n)
{
    double re = 0, im = 0;
    for (size_t i = 0; i < n; i++) {
        re += samples[i] * cos(2 * M_PI * 440 * (double)i / RATE);
        im += samples[i] * sin(2 * M_PI * 440 * (double)i / RATE);
    }
    return 2 * hypot(re, im) / (double)n;
}

/* Reads a file and expects a tone as long as that of TONE; encoders add up to `padding`
 * seconds where the container cannot say how much is theirs. */
static void expect_tone(const char *path, double padding)
{
    asr_error error = {0};
    size_t n;
    float *samples = input_read(path, RATE, &n, &error);
    if (!samples)
        printf("# %s\n", error.message);
    REQUIRE(samples);
    double seconds = (double)n / RATE;
    if (!(seconds >= 4.999 && seconds <= 5.001 + padding))
        printf("# %s: %g s\n", path, seconds);
    EXPECT(seconds >= 4.999 && seconds <= 5.001 + padding);
    for (size_t t = RATE; t < 4 * RATE; t += RATE)
        EXPECT_NEAR(level(samples + t, RATE), TONE_LEVEL, 0.05);
    free(samples);
}

/* Each format is a test of its own, so that a missing encoder skips no other. */
#define FORMAT_TEST(id, name, arguments, padding)                                        \
    TEST(id)                                                                             \
    {                                                                                    \
        const char *path = input_ffmpeg(name, arguments);                                \
        NEED(path);                                                                      \
        expect_tone(path, padding);                                                      \
    }

FORMAT_TEST(mp3_of_44_khz, "a.mp3", TONE "-ar 44100 -c:a libmp3lame", 0)
FORMAT_TEST(mp3_without_a_length, "b.mp3", TONE "-c:a libmp3lame -q:a 5 -write_xing 0",
            0.08)
FORMAT_TEST(opus_in_webm, "a.webm", PICTURE TONE "-c:v libvpx -c:a libopus", 0)
FORMAT_TEST(aac_in_mp4, "a.mp4", PICTURE TONE "-c:v mpeg4 -c:a aac", 0.022)
FORMAT_TEST(aac_in_pieces_of_mp4, "b.mp4",
            PICTURE TONE "-c:v mpeg4 -c:a aac -movflags frag_keyframe+empty_moov", 0.064)
FORMAT_TEST(aac_in_m4a, "a.m4a", TONE "-c:a aac", 0.022)
FORMAT_TEST(alac_in_m4a, "b.m4a", TONE "-c:a alac", 0)
FORMAT_TEST(bare_aac, "a.aac", TONE "-c:a aac", 0.064)
FORMAT_TEST(aac_in_matroska, "a.mkv", PICTURE TONE "-c:v mpeg4 -c:a aac", 0.064)
FORMAT_TEST(vorbis_in_ogg, "a.ogg", TONE "-c:a libvorbis", 0)
FORMAT_TEST(opus_in_ogg, "a.opus", TONE "-c:a libopus", 0)
FORMAT_TEST(mp3_in_avi, "a.avi", PICTURE TONE "-c:v mpeg4 -c:a libmp3lame", 0.08)
FORMAT_TEST(mp2_in_transport_stream, "a.ts", PICTURE TONE "-c:v mpeg2video -c:a mp2",
            0.08)
FORMAT_TEST(wma, "a.wma", TONE "-c:a wmav2 -af apad=pad_dur=0.1", 0.13)
FORMAT_TEST(six_channels, "six.mka",
            "-f lavfi -i sine=440:d=5:r=48000,volume=5.657 "
            "-af 'pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0' -c:a flac",
            0)

/* Joined MP3 or Ogg files, as internet radio leaves them, are played to the last. */
TEST(chained_streams)
{
    const char *one = input_ffmpeg("one.ogg", TONE "-c:a libvorbis");
    NEED(one);
    size_t size = input_size(one);
    char *twice = malloc(2 * size);
    FILE *file = fopen(one, "rb");
    REQUIRE(twice && file && fread(twice, 1, size, file) == size);
    fclose(file);
    memcpy(twice + size, twice, size);
    size_t n;
    float *samples = input_read(input_bytes("two.ogg", twice, 2 * size), RATE, &n, NULL);
    EXPECT_NEAR((double)n / RATE, 10, 0.02);
    free(samples);
    free(twice);
}

/* Sound that starts after the picture, or stops for a while, stays in step with it. */
TEST(holes_are_silence)
{
    const char *path = input_ffmpeg(
        "late.mkv", PICTURE "-itsoffset 1.5 " TONE "-map 0 -map 1 -c:v mpeg4 -c:a flac");
    NEED(path);
    size_t n;
    float *samples = input_read(path, RATE, &n, NULL);
    EXPECT_NEAR((double)n / RATE, 6.5, 0.01);
    REQUIRE(samples && n > 6 * RATE);
    EXPECT_NEAR(level(samples, RATE), 0, 0.01);
    EXPECT_NEAR(level(samples + 2 * RATE, RATE), TONE_LEVEL, 0.05);
    free(samples);

    path =
        input_ffmpeg("hole.mkv", TONE "-af \"aselect='not(between(t,2,4))'\" -c:a flac");
    NEED(path);
    samples = input_read(path, RATE, &n, NULL);
    EXPECT_NEAR((double)n / RATE, 5, 0.05);
    REQUIRE(samples && n > 4 * RATE);
    EXPECT_NEAR(level(samples + RATE / 2, RATE), TONE_LEVEL, 0.05);
    EXPECT_NEAR(level(samples + 5 * RATE / 2, RATE), 0, 0.01);
    free(samples);
}

TEST(cut_short_gives_what_is_there)
{
    static const char *const names[][2] = {
        {"whole.mp3", TONE "-c:a libmp3lame"},
        {"whole.webm", TONE "-c:a libopus"},
        {"whole.mp4", TONE "-c:a aac -movflags faststart"},
        {"whole.aac", TONE "-c:a aac"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *whole = input_ffmpeg(names[i][0], names[i][1]);
        NEED(whole);
        asr_error error = {0};
        size_t n;
        float *samples = input_read(input_cut("cut", whole, input_size(whole) * 6 / 10),
                                    RATE, &n, &error);
        EXPECT(n > 2 * RATE && n < 4 * RATE);
        EXPECT_STR(error.message, "");
        free(samples);
    }
}

TEST(damage_is_passed_over)
{
    const char *whole = input_ffmpeg("sound.mp3", TONE "-c:a libmp3lame");
    NEED(whole);
    int file = open(whole, O_WRONLY | O_CLOEXEC);
    char damage[2000];
    memset(damage, 0x5a, sizeof(damage));
    REQUIRE(file >= 0 && pwrite(file, damage, sizeof(damage), 30000) == sizeof(damage));
    close(file);
    size_t n;
    float *samples = input_read(whole, RATE, &n, NULL);
    REQUIRE(samples);
    EXPECT(n > 4 * RATE && n < 5.2 * RATE);
    EXPECT_NEAR(level(samples + RATE / 2, RATE / 2), TONE_LEVEL, 0.05);
    free(samples);
}

TEST(index_lost_with_the_end)
{
    const char *whole = input_ffmpeg("index-last.mp4", TONE "-c:a aac");
    NEED(whole);
    const char *cut = input_cut("cut.mp4", whole, input_size(whole) / 2);
    EXPECT(strstr(input_refusal(cut), "damaged or incomplete"));
    EXPECT(strstr(input_refusal(cut), cut));
}

TEST(a_picture_has_no_sound)
{
    const char *film = input_ffmpeg("silent.mp4", PICTURE "-c:v mpeg4");
    NEED(film);
    EXPECT(strstr(input_refusal(film), "has no sound"));
    const char *picture = input_ffmpeg("still.png", PICTURE "-frames:v 1");
    NEED(picture);
    EXPECT(strstr(input_refusal(picture), "has no sound"));
}

/* What a playlist names is not opened: it could be any file of the user's, or an address.
 */
TEST(playlists_reach_nothing)
{
    const char *sound = input_ffmpeg("named.mp3", TONE "-c:a libmp3lame");
    NEED(sound);
    char text[1024];
    int n = snprintf(text, sizeof(text),
                     "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n%s\n#EXT-X-ENDLIST\n",
                     sound);
    EXPECT(input_refusal(input_bytes("list.m3u8", text, (size_t)n))[0]);
    n = snprintf(text, sizeof(text), "ffconcat version 1.0\nfile 'named.mp3'\n");
    EXPECT(input_refusal(input_bytes("list.ffconcat", text, (size_t)n))[0]);
}

TEST(decoders_are_silent)
{
    const char *sound = input_ffmpeg("loud.mp3", TONE "-c:a libmp3lame");
    NEED(sound);
    const char *cut = input_cut("loud-cut.mp3", sound, input_size(sound) / 2 + 7);
    const char *log = input_path("log");
    fflush(stderr);
    int kept = dup(STDERR_FILENO), file = open(log, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    REQUIRE(kept >= 0 && file >= 0 && dup2(file, STDERR_FILENO) >= 0);
    size_t n;
    free(input_read(cut, RATE, &n, NULL));
    input_refusal(input_bytes("loud.txt", "no sound at all", 15));
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(file);
    EXPECT_INT(input_size(log), 0);
}

int main(void)
{
    RUN(mp3_of_44_khz);
    RUN(mp3_without_a_length);
    RUN(opus_in_webm);
    RUN(aac_in_mp4);
    RUN(aac_in_pieces_of_mp4);
    RUN(aac_in_m4a);
    RUN(alac_in_m4a);
    RUN(bare_aac);
    RUN(aac_in_matroska);
    RUN(vorbis_in_ogg);
    RUN(opus_in_ogg);
    RUN(mp3_in_avi);
    RUN(mp2_in_transport_stream);
    RUN(wma);
    RUN(six_channels);
    RUN(chained_streams);
    RUN(holes_are_silence);
    RUN(cut_short_gives_what_is_there);
    RUN(damage_is_passed_over);
    RUN(index_lost_with_the_end);
    RUN(a_picture_has_no_sound);
    RUN(playlists_reach_nothing);
    RUN(decoders_are_silent);
    inputs_remove();
    return test_end();
}
