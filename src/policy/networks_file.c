/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/networks_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 64 * 1024 * 1024 };

/* The line without its comment and the blanks around what is left. */
static struct span trim(struct span line)
{
    const uint8_t *comment = memchr(line.bytes, '#', line.len);
    if (comment != NULL) {
        line.len = (size_t)(comment - line.bytes);
    }
    while (line.len > 0 && (line.bytes[0] == ' ' || line.bytes[0] == '\t')) {
        line.bytes++;
        line.len--;
    }
    for (uint8_t last; line.len > 0; line.len--) {
        last = line.bytes[line.len - 1];
        if (last != ' ' && last != '\t' && last != '\r') {
            break;
        }
    }
    return line;
}

static void add_bad(struct networks_file_bad *bad, size_t number, struct span line)
{
    if (bad->count++ >= NETWORKS_FILE_BAD_MAX) {
        return;
    }
    char *found = bad->lines[bad->count - 1].text;
    size_t len = line.len < NETWORKS_FILE_FOUND_SIZE ? line.len : NETWORKS_FILE_FOUND_SIZE - 1;
    bad->lines[bad->count - 1].line = number;
    for (size_t i = 0; i < len; i++) {
        found[i] = (char)(line.bytes[i] < 0x20 || line.bytes[i] >= 0x7f ? '?' : line.bytes[i]);
    }
    found[len] = '\0';
}

int networks_file_parse(struct span text, struct network_set *set, struct networks_file_bad *bad)
{
    *bad = (struct networks_file_bad){0};
    for (size_t number = 1; text.len > 0; number++) {
        const uint8_t *lf = memchr(text.bytes, '\n', text.len);
        size_t len = lf != NULL ? (size_t)(lf - text.bytes) : text.len;
        struct span line = trim((struct span){text.bytes, len});
        struct network n;
        if (line.len > 0 && network_parse((const char *)line.bytes, line.len, &n) != 0) {
            add_bad(bad, number, line);
        } else if (line.len > 0 && network_set_add(set, &n) != 0) {
            return -1;
        }
        len += lf != NULL;
        text = (struct span){text.bytes + len, text.len - len};
    }
    return 0;
}

int networks_file_read(const char *path, struct network_set *set, struct networks_file_bad *bad,
                       char cause[FILE_CAUSE_SIZE])
{
    size_t len;
    *bad = (struct networks_file_bad){0};
    char *text = file_read(path, FILE_MAX, &len, cause);
    if (text == NULL) {
        return -1;
    }
    int result = networks_file_parse((struct span){(const uint8_t *)text, len}, set, bad);
    if (result != 0) {
        snprintf(cause, FILE_CAUSE_SIZE, "no memory for its networks");
    }
    free(text);
    return result;
}
