/* Pre-tokenisers: the pieces, written with bars between them, and that they always cover
 * the text. Expected: the expressions, run by the tokenizers library. */
#include "test.h"
#include "text/pretokenize.h"

/* Whether cutting the text of `pieces` (bars left out) gives those pieces. */
static bool cuts(asr_pretokenize_kind kind, const char *pieces)
{
    char text[256], result[512];
    size_t length = 0, written = 0;
    for (const char *c = pieces; *c; c++)
        if (*c != '|')
            text[length++] = *c;
    for (size_t i = 0, n; i < length; i += n) {
        n = asr_pretokenize_next(kind, text + i, length - i);
        if (i > 0)
            result[written++] = '|';
        memcpy(result + written, text + i, n);
        written += n;
    }
    result[written] = '\0';
    if (strcmp(result, pieces) != 0)
        printf("# cut to \"%s\", expected \"%s\"\n", result, pieces);
    return strcmp(result, pieces) == 0;
}

#define GPT2(pieces) EXPECT(cuts(ASR_PRETOKENIZE_GPT2, pieces))
#define QWEN(pieces) EXPECT(cuts(ASR_PRETOKENIZE_QWEN, pieces))

TEST(words_and_numbers)
{
    GPT2("Hello| world|,| it|'s| 2024|!");
    QWEN("Hello| world|,| it|'s| |2|0|2|4|!");
    GPT2("3|.|14|x|²٣");
    QWEN("3|.|1|4|x|²|٣");
    GPT2("(|word|)");
    QWEN("(word|)");
    GPT2("cafe|\u0301| à");
    QWEN("cafe|\u0301| à");
    GPT2("\u0301|cafe");
    QWEN("\u0301cafe");
    GPT2("你好|，|世界");
    QWEN("你好|，世界");
    GPT2("i|++;| x|_|y");
    QWEN("i|++;| x|_y");
}

TEST(contractions)
{
    GPT2("we|'re| they|'ll| I|'ve| I|'d| I|'m| don|'t| it|'s");
    QWEN("we|'re| they|'ll| I|'ve| I|'d| I|'m| don|'t| it|'s");
    GPT2("x|'s|abc");
    QWEN("x|'s|abc");
    GPT2("WE|'|RE| it|'|S| x|'|lLa");
    QWEN("WE|'RE| it|'S| x|'lL|a");
    GPT2("x|'|ſa");
    QWEN("x|'ſ|a");
    GPT2("'|x|'");
    QWEN("'x|'");
    GPT2("''|s");
    QWEN("''|s");
    GPT2("'|l| '|r| '|ve");
    QWEN("'l| '|r| '|ve");
}

TEST(white_space)
{
    GPT2(" ");
    QWEN(" ");
    GPT2("   ");
    QWEN("   ");
    GPT2("a|  | b");
    QWEN("a|  | b");
    GPT2("a|   | b");
    QWEN("a|   | b");
    GPT2("a| |\t|b");
    QWEN("a| |\tb");
    GPT2("a|\u00A0|b");
    QWEN("a|\u00A0b");
    GPT2("a|\u2028|\u3000|b");
    QWEN("a|\u2028|\u3000b");
    GPT2("a| \n\n| b");
    QWEN("a| \n\n| b");
    GPT2("a|.|\r\n\n \xC2\x85| b");
    QWEN("a|.\r\n\n| \xC2\x85| b");
    GPT2("a| \n \r  | b");
    QWEN("a| \n \r|  | b");
    GPT2("a|.|\n|b");
    QWEN("a|.\n|b");
    GPT2("a|\n|b");
    QWEN("a|\n|b");
    GPT2("a| \x1C|b");
    QWEN("a| \x1C|b");
    GPT2("a|  ");
    QWEN("a|  ");
    GPT2("a| .|  ");
    QWEN("a| .|  ");
    GPT2("\n\n|\n|a");
    QWEN("\n\n\n|a");
    GPT2("a| \n");
    QWEN("a| \n");
}

int main(void)
{
    RUN(words_and_numbers);
    RUN(contractions);
    RUN(white_space);
    return test_end();
}
