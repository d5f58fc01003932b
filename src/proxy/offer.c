/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/offer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/seqlock.h"

enum { PATH_SIZE = 64 };

int offer_map(struct offer *o, struct arena *arena)
{
    static const char minimum[CAPABILITY_OFFER_MAX] = CAPABILITY_TLS;
    struct arena_options options = {
        .name = "offer", .size = seqlock_space(CAPABILITY_OFFER_MAX), .writer = ARENA_MONITOR};
    o->region = arena_map(arena, &options);
    if (o->region == NULL) {
        return -1;
    }
    seqlock_write(o->region->write, minimum, sizeof minimum);
    return 0;
}

void offer_configure(struct offer *o, const struct option_list *words, struct option_report *report)
{
    char *const *texts = words->items;
    size_t len = 0;
    if (words->count == 0) {
        return;
    }
    o->configured = calloc(1, CAPABILITY_OFFER_MAX);
    for (size_t i = 0; i < words->count && o->configured != NULL; i++) {
        char path[PATH_SIZE];
        struct capabilities one;
        snprintf(path, sizeof path, "capabilities.[%zu]", i);
        capability_parse(span_of(texts[i]), &one);
        if ((one.auth & ~o->mechanisms) != 0) {
            option_error(report, path,
                         "\"%s\" cannot work with these routes: the user is not known in time, or is "
                         "to be renamed",
                         texts[i]);
        }
        int n = snprintf(o->configured + len, CAPABILITY_OFFER_MAX - len, "%s%s", i > 0 ? " " : "", texts[i]);
        if (n < 0 || (size_t)n >= CAPABILITY_OFFER_MAX - len) {
            option_error(report, path, "expected at most %d characters together", CAPABILITY_OFFER_MAX - 1);
            return;
        }
        len += (size_t)n;
    }
    struct span list = span_of(o->configured != NULL ? o->configured : "");
    if (!capability_has(list, span_of("IMAP4rev1"))) {
        option_error(report, "capabilities", "expected IMAP4rev1 among them");
    }
}

void offer_clear(struct offer *o)
{
    free(o->configured);
    *o = (struct offer){0};
}

/* Returns true if what the monitor published is one line of printable words: a reader does not trust it. */
static bool is_list(const char text[CAPABILITY_OFFER_MAX])
{
    size_t len = strnlen(text, CAPABILITY_OFFER_MAX);
    for (size_t i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            return false;
        }
    }
    return len < CAPABILITY_OFFER_MAX;
}

void offer_read(const struct offer *o, char out[CAPABILITY_OFFER_MAX])
{
    if (o->configured != NULL) {
        memcpy(out, o->configured, CAPABILITY_OFFER_MAX);
    } else if (seqlock_read(o->region->read, out, CAPABILITY_OFFER_MAX) != 0 || !is_list(out)) {
        snprintf(out, CAPABILITY_OFFER_MAX, "%s", CAPABILITY_TLS);
    }
}

static void publish(struct offer *o, struct span list)
{
    char now[CAPABILITY_OFFER_MAX], next[CAPABILITY_OFFER_MAX] = "";
    offer_read(o, now);
    memcpy(next, list.bytes, list.len);
    if (strcmp(now, next) != 0) {
        seqlock_write(o->region->write, next, sizeof next);
        log_event(LOG_LEVEL_INFO, "capabilities-learned", "list=\"%s\"", next);
    }
}

void offer_learn(struct offer *o, const struct span lists[], size_t count)
{
    struct buffer list = {0};
    if (o->configured == NULL && count > 0 &&
        capability_offer(lists, count, o->mechanisms, &list, CAPABILITY_OFFER_MAX - 1) == 0) {
        publish(o, (struct span){buffer_data(&list), list.len});
    }
    buffer_clear(&list);
}
