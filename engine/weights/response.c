/* Headers of HTTP answers. */
#include "weights/response.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { MAX_LINE = 1024 };

static void reset_answer(asr_response *response)
{
    response->status = 0;
    response->length = response->range_start = response->range_total = -1;
    response->retry_after = -1;
    response->is_web_page = false;
    response->tag[0] = '\0';
}

void asr_response_reset(asr_response *response)
{
    reset_answer(response);
    response->linked_tag[0] = '\0';
    response->linked_size = -1;
}

/* The whole number of at most 18 digits that `text` starts with; -1 for anything else. */
static int64_t parse_number(const char *text)
{
    int64_t value = 0;
    int digits = 0;
    while (digits < 18 && isdigit((unsigned char)text[digits])) {
        value = 10 * value + (text[digits++] - '0');
    }
    return digits > 0 && !isdigit((unsigned char)text[digits]) ? value : -1;
}

/* "bytes 100-199/200", or "bytes *" and "/200" with status 416. */
static void parse_range(const char *value, asr_response *response)
{
    const char *slash = strchr(value, '/');
    if (strncasecmp(value, "bytes ", 6) != 0 || !slash) {
        return;
    }
    response->range_start = parse_number(value + 6);
    response->range_total = parse_number(slash + 1);
}

/* The tag between the quotes; a weak one (W/) counts as well, for we check the bytes. */
static void parse_tag(const char *value, char tag[ASR_RESPONSE_TAG])
{
    if (strncmp(value, "W/", 2) == 0) {
        value += 2;
    }
    if (*value == '"') {
        value++;
    }
    size_t length = strcspn(value, "\"");
    if (length < ASR_RESPONSE_TAG) {
        memcpy(tag, value, length);
        tag[length] = '\0';
    }
}

static void set_field(asr_response *response, const char *name, const char *value)
{
    if (strcasecmp(name, "content-length") == 0) {
        response->length = parse_number(value);
    } else if (strcasecmp(name, "content-range") == 0) {
        parse_range(value, response);
    } else if (strcasecmp(name, "content-type") == 0) {
        response->is_web_page = strncasecmp(value, "text/html", 9) == 0;
    } else if (strcasecmp(name, "retry-after") == 0) {
        response->retry_after = parse_number(value);
    } else if (strcasecmp(name, "etag") == 0) {
        parse_tag(value, response->tag);
    } else if (strcasecmp(name, "x-linked-etag") == 0) {
        parse_tag(value, response->linked_tag);
    } else if (strcasecmp(name, "x-linked-size") == 0) {
        response->linked_size = parse_number(value);
    }
}

void asr_response_add(asr_response *response, const char *line, size_t size)
{
    char text[MAX_LINE];
    while (size > 0 && isspace((unsigned char)line[size - 1])) {
        size--;
    }
    if (size >= sizeof text) {
        return;
    }
    memcpy(text, line, size);
    text[size] = '\0';
    if (strncmp(text, "HTTP/", 5) == 0) {
        reset_answer(response);
        const char *space = strchr(text, ' ');
        response->status = space ? (int)parse_number(space + 1) : 0;
        return;
    }
    char *colon = strchr(text, ':');
    if (colon) {
        *colon = '\0';
        set_field(response, text, colon + 1 + strspn(colon + 1, " \t"));
    }
}

int64_t asr_response_size(const asr_response *response)
{
    if (response->linked_size >= 0) {
        return response->linked_size;
    }
    return response->status == 206 || response->status == 416 ? response->range_total
                                                              : response->length;
}

const char *asr_response_tag(const asr_response *response)
{
    return response->linked_tag[0] ? response->linked_tag : response->tag;
}
