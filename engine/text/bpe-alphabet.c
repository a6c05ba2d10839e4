/* From the printable alphabet back to bytes, by arithmetic: the four runs of bytes that
 * are not printable Latin-1 are mapped one after the other from U+0100 on. */
#include "bpe-alphabet.h"

#include "unicode.h"

/* The byte that `character` stands for, or -1. */
static int byte_of(int32_t character)
{
    if ((character >= 0x21 && character <= 0x7E) ||
        (character >= 0xA1 && character <= 0xAC) ||
        (character >= 0xAE && character <= 0xFF))
        return (int)character;
    int32_t index = character - 0x100;
    if (index < 0)
        return -1;
    if (index <= 0x20) /* 00 … 20 */
        return (int)index;
    if (index <= 0x42) /* 7F … A0 */
        return (int)(index - 0x21 + 0x7F);
    return index == 0x43 ? 0xAD : -1;
}

bool asr_bpe_alphabet_read(const char *text, size_t length, char *out, size_t *out_length)
{
    size_t written = 0;
    for (size_t i = 0; i < length;) {
        int byte = byte_of(asr_unicode_next(text, length, &i));
        if (byte < 0)
            return false;
        out[written++] = (char)byte;
    }
    *out_length = written;
    return true;
}
