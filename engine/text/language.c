/* Whisper's languages, and the ways in which people name them. */
#include "language.h"

#include <stdbool.h>
#include <string.h>

/* Source: Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak
 * Supervision"; LANGUAGES and TO_LANGUAGE_CODE of its published tokenizer. */
static const asr_language languages[] = {
    {"en", "English"},     {"zh", "Chinese"},    {"de", "German"},
    {"es", "Spanish"},     {"ru", "Russian"},    {"ko", "Korean"},
    {"fr", "French"},      {"ja", "Japanese"},   {"pt", "Portuguese"},
    {"tr", "Turkish"},     {"pl", "Polish"},     {"ca", "Catalan"},
    {"nl", "Dutch"},       {"ar", "Arabic"},     {"sv", "Swedish"},
    {"it", "Italian"},     {"id", "Indonesian"}, {"hi", "Hindi"},
    {"fi", "Finnish"},     {"vi", "Vietnamese"}, {"he", "Hebrew"},
    {"uk", "Ukrainian"},   {"el", "Greek"},      {"ms", "Malay"},
    {"cs", "Czech"},       {"ro", "Romanian"},   {"da", "Danish"},
    {"hu", "Hungarian"},   {"ta", "Tamil"},      {"no", "Norwegian"},
    {"th", "Thai"},        {"ur", "Urdu"},       {"hr", "Croatian"},
    {"bg", "Bulgarian"},   {"lt", "Lithuanian"}, {"la", "Latin"},
    {"mi", "Maori"},       {"ml", "Malayalam"},  {"cy", "Welsh"},
    {"sk", "Slovak"},      {"te", "Telugu"},     {"fa", "Persian"},
    {"lv", "Latvian"},     {"bn", "Bengali"},    {"sr", "Serbian"},
    {"az", "Azerbaijani"}, {"sl", "Slovenian"},  {"kn", "Kannada"},
    {"et", "Estonian"},    {"mk", "Macedonian"}, {"br", "Breton"},
    {"eu", "Basque"},      {"is", "Icelandic"},  {"hy", "Armenian"},
    {"ne", "Nepali"},      {"mn", "Mongolian"},  {"bs", "Bosnian"},
    {"kk", "Kazakh"},      {"sq", "Albanian"},   {"sw", "Swahili"},
    {"gl", "Galician"},    {"mr", "Marathi"},    {"pa", "Punjabi"},
    {"si", "Sinhala"},     {"km", "Khmer"},      {"sn", "Shona"},
    {"yo", "Yoruba"},      {"so", "Somali"},     {"af", "Afrikaans"},
    {"oc", "Occitan"},     {"ka", "Georgian"},   {"be", "Belarusian"},
    {"tg", "Tajik"},       {"sd", "Sindhi"},     {"gu", "Gujarati"},
    {"am", "Amharic"},     {"yi", "Yiddish"},    {"lo", "Lao"},
    {"uz", "Uzbek"},       {"fo", "Faroese"},    {"ht", "Haitian Creole"},
    {"ps", "Pashto"},      {"tk", "Turkmen"},    {"nn", "Nynorsk"},
    {"mt", "Maltese"},     {"sa", "Sanskrit"},   {"lb", "Luxembourgish"},
    {"my", "Myanmar"},     {"bo", "Tibetan"},    {"tl", "Tagalog"},
    {"mg", "Malagasy"},    {"as", "Assamese"},   {"tt", "Tatar"},
    {"haw", "Hawaiian"},   {"ln", "Lingala"},    {"ha", "Hausa"},
    {"ba", "Bashkir"},     {"jw", "Javanese"},   {"su", "Sundanese"},
    {"yue", "Cantonese"},
};

enum { N_LANGUAGES = sizeof(languages) / sizeof(languages[0]) };

/* Other names and codes. Codes are ISO 639-1 where the model's differs, old ISO 639-1,
 * ISO 639-3 of a language within one of the table, and what other recognisers say. */
static const struct {
    const char *alias, *code;
} aliases[] = {
    {"Burmese", "my"},
    {"Valencian", "ca"},
    {"Flemish", "nl"},
    {"Haitian", "ht"},
    {"Letzeburgesch", "lb"},
    {"Pushto", "ps"},
    {"Panjabi", "pa"},
    {"Moldavian", "ro"},
    {"Moldovan", "ro"},
    {"Sinhalese", "si"},
    {"Castilian", "es"},
    {"Mandarin", "zh"},
    {"Mandarin Chinese", "zh"},
    {"Farsi", "fa"},
    {"Filipino", "tl"},
    {"Norwegian Bokmål", "no"},
    {"Norwegian Nynorsk", "nn"},
    {"jv", "jw"},
    {"nb", "no"},
    {"fil", "tl"},
    {"cmn", "zh"},
    {"iw", "he"},
    {"in", "id"},
    {"ji", "yi"},
};

enum { N_ALIASES = sizeof(aliases) / sizeof(aliases[0]) };

const asr_language *asr_language_list(size_t *count)
{
    if (count)
        *count = N_LANGUAGES;
    return languages;
}

/* Whether `name` is the first `length` bytes of `text`. ASCII letters of either case are
 * equal, whatever the locale is. */
static bool equal(const char *name, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char a = (unsigned char)name[i], b = (unsigned char)text[i];
        if (a >= 'A' && a <= 'Z')
            a += 'a' - 'A';
        if (b >= 'A' && b <= 'Z')
            b += 'a' - 'A';
        if (a != b)
            return false;
    }
    return name[length] == '\0';
}

static const asr_language *find_exact(const char *text, size_t length)
{
    for (size_t i = 0; i < N_LANGUAGES; i++)
        if (equal(languages[i].code, text, length) ||
            equal(languages[i].name, text, length))
            return &languages[i];
    for (size_t i = 0; i < N_ALIASES; i++)
        if (equal(aliases[i].alias, text, length))
            return find_exact(aliases[i].code, strlen(aliases[i].code));
    return NULL;
}

const asr_language *asr_language_find(const char *text)
{
    const asr_language *whole = find_exact(text, strlen(text));
    size_t code_length = strcspn(text, "-_.@");
    /* Only a code is followed by a region: "latin-america" is no language. */
    if (whole || code_length < 2 || code_length > 3)
        return whole;
    return find_exact(text, code_length);
}

const char *asr_language_name(const char *code)
{
    int index = asr_language_index(code);
    return index < 0 ? NULL : languages[index].name;
}

int asr_language_index(const char *code)
{
    for (int i = 0; i < N_LANGUAGES; i++)
        if (strcmp(languages[i].code, code) == 0)
            return i;
    return -1;
}
