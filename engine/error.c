/* Error messages: formatting that never overruns and never splits a character. */
#include "error.h"

#include <stdio.h>
#include <string.h>

/* Drops an incomplete UTF-8 sequence from the end of a truncated message. */
static void trim_partial_character(char *text)
{
    size_t length = strlen(text);
    size_t start = length;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (length - (start - 1) < need)
        text[start - 1] = '\0';
}

/* A file's name, or what stands in a file, may hold line breaks and escape sequences: the
 * message stays one line that a terminal does not obey. */
static void replace_controls(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7F)
            *text = '?';
}

bool asr_fail(asr_error *error, const char *format, ...)
{
    if (!error)
        return false;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(error->message, sizeof(error->message), format, args);
    va_end(args);
    if (n >= (int)sizeof(error->message))
        trim_partial_character(error->message);
    replace_controls(error->message);
    return false;
}

bool asr_fail_memory(asr_error *error)
{
    return asr_fail(error, "There is not enough memory; close other programs and try "
                           "again, or choose a smaller model.");
}
