/* Unicode for the tokenizer: decoding with ICU's macros, properties and NFC from its
 * common library. */
#include "unicode.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

static const char replacement[3] = {'\xEF', '\xBF', '\xBD'};

asr_unicode_class asr_unicode_class_of(int32_t character)
{
    uint32_t category = U_MASK(u_charType(character));
    if (category & U_GC_L_MASK)
        return ASR_UNICODE_LETTER;
    if (category & U_GC_N_MASK)
        return ASR_UNICODE_NUMBER;
    return u_isUWhiteSpace(character) ? ASR_UNICODE_SPACE : ASR_UNICODE_OTHER;
}

bool asr_unicode_is_word(int32_t character)
{
    const uint32_t word = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
    return (U_MASK(u_charType(character)) & word) || u_isUAlphabetic(character) ||
           u_hasBinaryProperty(character, UCHAR_JOIN_CONTROL);
}

int32_t asr_unicode_next(const char *text, size_t length, size_t *position)
{
    const uint8_t *bytes = (const uint8_t *)text;
    UChar32 character;
    U8_NEXT(bytes, *position, length, character);
    return character;
}

int32_t asr_unicode_previous(const char *text, size_t *position)
{
    const uint8_t *bytes = (const uint8_t *)text;
    UChar32 character;
    U8_PREV_UNSAFE(bytes, *position, character);
    return character;
}

bool asr_unicode_is_valid(const char *text, size_t length)
{
    for (size_t i = 0; i < length;)
        if (asr_unicode_next(text, length, &i) < 0)
            return false;
    return true;
}

size_t asr_unicode_repair(const char *text, size_t length, char *out)
{
    size_t written = 0;
    for (size_t i = 0; i < length;) {
        size_t start = i;
        bool valid = asr_unicode_next(text, length, &i) >= 0;
        const char *from = valid ? text + start : replacement;
        size_t n = valid ? i - start : sizeof(replacement);
        if (out)
            memcpy(out + written, from, n);
        written += n;
    }
    return written;
}

char *asr_unicode_repaired(const char *text, size_t length, size_t *out_length,
                           asr_error *error)
{
    *out_length = asr_unicode_repair(text, length, NULL);
    char *repaired = malloc(*out_length + 1);
    if (!repaired) {
        asr_fail_memory(error);
        return NULL;
    }
    asr_unicode_repair(text, length, repaired);
    repaired[*out_length] = '\0';
    return repaired;
}

size_t asr_unicode_cut_off(const char *text, size_t length)
{
    /* A cut-off sequence is one maximal ill-formed subpart that reaches the end and that
     * some byte would continue. */
    for (size_t back = 1; back <= 3 && back <= length; back++) {
        const uint8_t *lead = (const uint8_t *)text + length - back;
        if (U8_IS_TRAIL(*lead))
            continue;
        size_t end = 0;
        size_t trail = U8_COUNT_TRAIL_BYTES(*lead);
        bool ends_short =
            asr_unicode_next((const char *)lead, back, &end) < 0 && end == back;
        return ends_short && trail >= back ? back : 0;
    }
    return 0;
}

/* UTF-8 to UTF-16; the result has room for `length` units, which is always enough. */
static UChar *to_utf16(const char *text, size_t length, int32_t *units)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar *wide = malloc((length + 1) * sizeof(*wide));
    if (wide)
        u_strFromUTF8(wide, (int32_t)length + 1, units, text, (int32_t)length, &status);
    return wide;
}

/* The NFC of `wide`, or NULL when memory is short. One code unit becomes at most three
 * (U+1D160 and its like, and U+FB2C: UAX 15, "maximum expansion factors"). */
static UChar *compose(const UNormalizer2 *nfc, const UChar *wide, int32_t units,
                      int32_t *composed_units)
{
    UErrorCode status = U_ZERO_ERROR;
    size_t room = 3 * (size_t)units + 1;
    UChar *composed = malloc(room * sizeof(*composed));
    if (!composed)
        return NULL;
    *composed_units =
        unorm2_normalize(nfc, wide, units, composed, (int32_t)room, &status);
    if (U_SUCCESS(status))
        return composed;
    free(composed);
    return NULL;
}

/* UTF-16 to NUL-terminated UTF-8: one unit gives at most three bytes. */
static char *to_utf8(const UChar *wide, int32_t units, size_t *length)
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t bytes = 0;
    size_t room = 3 * (size_t)units + 1;
    char *text = malloc(room);
    if (!text)
        return NULL;
    u_strToUTF8(text, (int32_t)room, &bytes, wide, units, &status);
    *length = (size_t)bytes;
    return text;
}

char *asr_unicode_nfc(const char *text, size_t length, size_t *out_length,
                      asr_error *error)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *nfc = unorm2_getNFCInstance(&status);
    int32_t units = 0, composed_units = 0;
    UChar *composed = NULL;
    char *result = NULL;
    UChar *wide = to_utf16(text, length, &units);
    if (wide && U_SUCCESS(status))
        composed = compose(nfc, wide, units, &composed_units);
    if (composed)
        result = to_utf8(composed, composed_units, out_length);
    free(composed);
    free(wide);
    if (!result)
        asr_fail_memory(error);
    return result;
}
