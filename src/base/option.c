/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/option.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 32, NEAR = 2 };

__attribute__((format(printf, 4, 0))) static void report(struct option_report *to, bool fatal, const char *path,
                                                         const char *format, va_list ap)
{
    char text[512];
    vsnprintf(text, sizeof text, format, ap);
    if (fatal) {
        to->errors++;
    }
    to->take(to, fatal, path, text);
}

void option_error(struct option_report *to, const char *path, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    report(to, true, path, format, ap);
    va_end(ap);
}

void option_warning(struct option_report *to, const char *path, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    report(to, false, path, format, ap);
    va_end(ap);
}

const struct option_row *option_find(const struct option_table *table, const char *name)
{
    for (const struct option_row *o = table->rows; o->name != NULL; o++) {
        if (strcmp(o->name, name) == 0) {
            return o;
        }
    }
    return NULL;
}

/* Levenshtein's distance of two names of at most NAME_MAX_LEN octets, one row at a time. */
static unsigned distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    unsigned row[NAME_MAX_LEN + 1];
    if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN) {
        return NAME_MAX_LEN;
    }
    for (unsigned j = 0; j <= lb; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= la; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= lb; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) {
                best = row[j] + 1;
            }
            if (row[j - 1] + 1 < best) {
                best = row[j - 1] + 1;
            }
            row[j] = best;
        }
    }
    return row[lb];
}

const char *option_nearest(const struct option_table *table, const char *name)
{
    const char *nearest = NULL;
    unsigned least = NEAR + 1;
    for (const struct option_row *o = table->rows; o->name != NULL; o++) {
        unsigned d = distance(name, o->name);
        if (d < least && d < strlen(o->name)) {
            least = d;
            nearest = o->name;
        }
    }
    return nearest;
}

const char *option_names(const struct option_table *table, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (const struct option_row *o = table->rows; o->name != NULL && used < size; o++) {
        used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", o->name);
    }
    return out;
}

const char *option_check_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t len = strspn(text, letters);
    return len > 0 && len <= NAME_MAX_LEN && text[len] == '\0'
               ? NULL
               : "a name of 1 to 32 letters, digits, \"-\", \"_\" and \".\"";
}

const char *option_check_path(const char *text)
{
    return text[0] == '\0' || text[0] == '/' ? NULL : "an absolute path, or \"\"";
}

int option_duration(const char *text, uint32_t *ms)
{
    static const struct {
        const char *name;
        uint32_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9) {
        return -1;
    }
    unsigned long long value = strtoull(text, NULL, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + digits, units[i].name) == 0) {
            if (value > UINT32_MAX / units[i].ms) {
                return -1;
            }
            *ms = (uint32_t)value * units[i].ms;
            return 0;
        }
    }
    return -1;
}

static const char *set_flag(bool *into, const char *text)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        return "true or false";
    }
    *into = text[0] == 't';
    return NULL;
}

/* Decimal, or hexadecimal after "0x"; "L" or "LL" may follow, as in libconfig. Saturates at 64 bits. */
static bool read_integer(const char *text, long long *value)
{
    const char *digits = text + (*text == '-' || *text == '+');
    bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    char *end;
    *value = strtoll(text, &end, hex ? 16 : 10);
    return *digits >= '0' && *digits <= '9' && (*end == '\0' || strcmp(end, "L") == 0 || strcmp(end, "LL") == 0);
}

static const char *set_count(const struct option_row *o, uint32_t *into, const char *text, char *expected, size_t size)
{
    long long value;
    if (!read_integer(text, &value) || value < o->min || value > o->max) {
        snprintf(expected, size, "a number from %u to %u", o->min, o->max);
        return expected;
    }
    *into = (uint32_t)value;
    return NULL;
}

static const char *set_duration(const struct option_row *o, uint32_t *into, const char *text, char *expected,
                                size_t size)
{
    uint32_t ms;
    if (option_duration(text, &ms) != 0) {
        return "a duration with its unit, such as \"90s\", \"15m\", \"24h\" or \"7d\"";
    }
    if (ms < o->min || ms > o->max) {
        snprintf(expected, size, "a duration from %u ms to %u s", o->min, o->max / 1000);
        return expected;
    }
    *into = ms;
    return NULL;
}

static const char *set_text(const struct option_row *o, char **into, const char *text)
{
    const char *wanted = o->check != NULL ? o->check(text) : NULL;
    if (wanted != NULL) {
        return wanted;
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return "a text that fits in memory";
    }
    free(*into);
    *into = copy;
    return NULL;
}

static const char *set_choice(const struct option_row *o, uint32_t *into, const char *text, char *expected, size_t size)
{
    for (uint32_t i = 0; o->choices[i] != NULL; i++) {
        if (strcmp(o->choices[i], text) == 0) {
            *into = i;
            return NULL;
        }
    }
    size_t used = 0;
    for (uint32_t i = 0; o->choices[i] != NULL && used < size; i++) {
        const char *between = i == 0 ? "" : o->choices[i + 1] == NULL ? " or " : ", ";
        used += (size_t)snprintf(expected + used, size - used, "%s\"%s\"", between, o->choices[i]);
    }
    return expected;
}

/* "COUNT/DURATION": the count is in min..max of the row, the duration not nothing. */
static const char *set_rate(const struct option_row *o, struct option_rate *into, const char *text, char *expected,
                            size_t size)
{
    struct option_rate rate;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits] != '/' || option_duration(text + digits + 1, &rate.ms) != 0 ||
        rate.ms == 0) {
        return "a rate \"COUNT/DURATION\", such as \"120/1m\"";
    }
    rate.count = (uint32_t)strtoul(text, NULL, 10);
    if (rate.count < o->min || rate.count > o->max) {
        snprintf(expected, size, "a rate with a count from %u to %u", o->min, o->max);
        return expected;
    }
    *into = rate;
    return NULL;
}

/* Room for one more element of so many octets, zeroed; NULL when memory is short. */
static void *grow(struct option_list *list, size_t size)
{
    char *grown = realloc(list->items, (list->count + 1) * size);
    if (grown == NULL) {
        return NULL;
    }
    list->items = grown;
    return memset(grown + list->count * size, 0, size);
}

const char *option_add(const struct option_row *o, void *into, const char *text, char *expected, size_t size)
{
    struct option_list *list = (struct option_list *)((char *)into + o->offset);
    void *item = grow(list, o->type == OPTION_TEXTS ? sizeof(char *) : sizeof(uint32_t));
    if (item == NULL) {
        return "a list that fits in memory";
    }
    const char *wanted = o->type == OPTION_TEXTS ? set_text(o, item, text) : set_count(o, item, text, expected, size);
    list->count += wanted == NULL;
    return wanted;
}

const char *option_set(const struct option_row *o, void *into, const char *text, char *expected, size_t size)
{
    void *field = (char *)into + o->offset;
    switch (o->type) {
    case OPTION_FLAG:
        return set_flag(field, text);
    case OPTION_COUNT:
        return set_count(o, field, text, expected, size);
    case OPTION_DURATION:
        return set_duration(o, field, text, expected, size);
    case OPTION_TEXT:
        return set_text(o, field, text);
    case OPTION_CHOICE:
        return set_choice(o, field, text, expected, size);
    case OPTION_RATE:
        return set_rate(o, field, text, expected, size);
    case OPTION_TEXTS:
    case OPTION_COUNTS:
        return "an array [ ... ]";
    case OPTION_GROUP:
        return "a group { ... }";
    case OPTION_LIST:
        return "a list of groups ( { ... } )";
    }
    return "nothing";
}

void option_set_defaults(const struct option_table *table, void *into)
{
    char expected[64];
    for (const struct option_row *o = table->rows; o->name != NULL; o++) {
        if (o->type == OPTION_GROUP) {
            option_set_defaults(o->group, (char *)into + o->offset);
        } else if (o->type != OPTION_LIST && o->type != OPTION_TEXTS && o->type != OPTION_COUNTS &&
                   o->default_value != NULL) {
            (void)option_set(o, into, o->default_value, expected, sizeof expected);
        }
    }
}

void option_free(const struct option_table *table, void *into)
{
    for (const struct option_row *o = table->rows; o->name != NULL; o++) {
        void *field = (char *)into + o->offset;
        if (o->type == OPTION_TEXT) {
            free(*(char **)field);
            *(char **)field = NULL;
        } else if (o->type == OPTION_TEXTS || o->type == OPTION_COUNTS) {
            struct option_list *list = field;
            for (size_t i = 0; o->type == OPTION_TEXTS && i < list->count; i++) {
                free(((char **)list->items)[i]);
            }
            free(list->items);
            *list = (struct option_list){0};
        } else if (o->type == OPTION_GROUP) {
            option_free(o->group, field);
        } else if (o->type == OPTION_LIST) {
            struct option_list *list = field;
            for (size_t i = 0; i < list->count; i++) {
                option_free(o->group, (char *)list->items + i * o->group->size);
            }
            free(list->items);
            *list = (struct option_list){0};
        }
    }
}
