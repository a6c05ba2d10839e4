/* Headers as the hub and its storage servers send them, and as they should not. */
#include "weights/response.h"

#include "test.h"

static void add(asr_response *response, const char *const *lines)
{
    asr_response_reset(response);
    for (; *lines; lines++) {
        asr_response_add(response, *lines, strlen(*lines));
    }
}

TEST(redirection_keeps_what_the_hub_said)
{
    asr_response response;
    add(&response, (const char *const[]){
                       "HTTP/2 302 \r\n", "x-linked-size: 290403936\r\n",
                       "X-Linked-ETag: \"07cadb9f\"\r\n", "etag: \"abc\"\r\n",
                       "content-length: 1000\r\n", "\r\n", "HTTP/1.1 206 Partial\r\n",
                       "ETag: \"storage\"\r\n", "Content-Length: 36\r\n",
                       "Content-Range: bytes 100-135/136\r\n", "\r\n", NULL});
    EXPECT_INT(response.status, 206);
    EXPECT_STR(asr_response_tag(&response), "07cadb9f");
    EXPECT_INT(asr_response_size(&response), 290403936);
    EXPECT_INT(response.range_start, 100);
    EXPECT_INT(response.range_total, 136);
    EXPECT_INT(response.length, 36);
}

TEST(answer_without_redirection)
{
    asr_response response;
    add(&response, (const char *const[]){"HTTP/1.1 200 OK", "ETag:W/\"0a1b\"",
                                         "CONTENT-LENGTH:  1983  ",
                                         "Content-Type: text/HTML; charset=utf-8", NULL});
    EXPECT_INT(response.status, 200);
    EXPECT_STR(asr_response_tag(&response), "0a1b");
    EXPECT_INT(asr_response_size(&response), 1983);
    EXPECT(response.is_web_page);
    asr_response_add(&response, "HTTP/1.1 503 No\r\n", 17);
    EXPECT_INT(response.status, 503);
    EXPECT_STR(asr_response_tag(&response), "");
    EXPECT_INT(asr_response_size(&response), -1);
    EXPECT(!response.is_web_page);
}

TEST(size_of_an_unsatisfiable_range)
{
    asr_response response;
    add(&response,
        (const char *const[]){"HTTP/1.1 416 Range", "Content-Range: bytes */55",
                              "Content-Length: 7", NULL});
    EXPECT_INT(asr_response_size(&response), 55);
    EXPECT_INT(response.range_start, -1);
}

TEST(nonsense_is_as_if_absent)
{
    asr_response response;
    add(&response, (const char *const[]){"HTTP/1.1", "Content-Length: -5",
                                         "Content-Range: lines 1-2/3",
                                         "X-Linked-Size: 99999999999999999999999",
                                         "Retry-After: soon", "no colon", ":", "", NULL});
    EXPECT_INT(response.status, 0);
    EXPECT_INT(response.length, -1);
    EXPECT_INT(response.range_total, -1);
    EXPECT_INT(response.linked_size, -1);
    EXPECT_INT(response.retry_after, -1);
}

TEST(endless_lines_and_tags_are_ignored)
{
    char line[3000] = "ETag: \"";
    memset(line + 7, 'x', sizeof line - 7);
    asr_response response;
    asr_response_reset(&response);
    asr_response_add(&response, line, sizeof line);
    asr_response_add(&response, line, 500);
    EXPECT_STR(asr_response_tag(&response), "");
}

int main(void)
{
    RUN(redirection_keeps_what_the_hub_said);
    RUN(answer_without_redirection);
    RUN(size_of_an_unsatisfiable_range);
    RUN(nonsense_is_as_if_absent);
    RUN(endless_lines_and_tags_are_ignored);
    return test_end();
}
