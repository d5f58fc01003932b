/* SPDX-License-Identifier: BSD-2-Clause */
#include "imap/capability.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define AUTH "AUTH="

static const struct {
    const char *word;
    size_t flag; /* offset of a bool in struct capabilities */
} flags[] = {
    {"IMAP4", offsetof(struct capabilities, imap)},
    {"IMAP4rev1", offsetof(struct capabilities, imap)},
    {"IMAP4rev2", offsetof(struct capabilities, imap)},
    {"LOGINDISABLED", offsetof(struct capabilities, login_disabled)},
    {"STARTTLS", offsetof(struct capabilities, starttls)},
    {"ID", offsetof(struct capabilities, id)},
    {"SASL-IR", offsetof(struct capabilities, sasl_ir)},
};

/*
 * Extensions that take effect only after the login; "*" matches their parameters. They are from IANA's registry, with
 * the vendors' extensions that clients look for.
 */
/* clang-format off */
static const char *const post_login[] = {
    "IMAP4rev2", "ACL", "ANNOTATE-EXPERIMENT-1", "APPENDLIMIT", "APPENDLIMIT=*", "BINARY", "CATENATE", "CHILDREN",
    "CONDSTORE", "CONTEXT=*", "CONVERT", "CREATE-SPECIAL-USE", "ENABLE", "ESEARCH", "ESORT", "FILTERS",
    "I18NLEVEL=*", "IDLE", "INPROGRESS", "JMAPACCESS", "LIST-EXTENDED", "LIST-METADATA", "LIST-MYRIGHTS",
    "LIST-STATUS", "MAILBOX-REFERRALS", "MESSAGELIMIT=*", "METADATA", "METADATA-SERVER", "MOVE", "MULTIAPPEND",
    "MULTISEARCH", "NAMESPACE", "NOTIFY", "OBJECTID", "PARTIAL", "PREVIEW", "PREVIEW=*", "QRESYNC", "QUOTA",
    "QUOTA=*", "QUOTASET", "REPLACE", "RIGHTS=*", "SAVEDATE", "SAVELIMIT=*", "SEARCH=*", "SEARCHRES", "SNIPPET=*",
    "SORT", "SORT=*", "SPECIAL-USE", "STATUS=SIZE", "THREAD=*", "UIDBATCHES", "UIDONLY", "UIDPLUS", "UNSELECT",
    "URL-PARTIAL", "URLAUTH", "URLAUTH=*", "UTF8=ACCEPT", "UTF8=ONLY", "WITHIN", "XLIST", "X-GM-EXT-1",
    "XAPPLEPUSHSERVICE",
};
/* clang-format on */

/* Capabilities that are wrong for a connection through imapguard. */
static const char *const excluded[] = {"STARTTLS", "LOGINDISABLED", "UNAUTHENTICATE"};

uint32_t capability_bit(enum sasl_id id)
{
    return (uint32_t)1 << id;
}

static bool cut_auth(struct span *word)
{
    size_t len = strlen(AUTH);
    if (word->len <= len || strncasecmp((const char *)word->bytes, AUTH, len) != 0) {
        return false;
    }
    *word = (struct span){word->bytes + len, word->len - len};
    return true;
}

void capability_parse(struct span list, struct capabilities *out)
{
    struct span word;
    *out = (struct capabilities){.known = true};
    while (span_word(&list, &word)) {
        for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
            if (span_is(word, flags[i].word)) {
                *(bool *)((char *)out + flags[i].flag) = true;
            }
        }
        const struct sasl_mechanism *mechanism = cut_auth(&word) ? sasl_find(word) : NULL;
        if (mechanism != NULL) {
            out->auth |= capability_bit(mechanism->id);
        }
    }
}

static bool same(struct span a, struct span b)
{
    return a.len == b.len && strncasecmp((const char *)a.bytes, (const char *)b.bytes, a.len) == 0;
}

bool capability_has(struct span list, struct span word)
{
    struct span one;
    while (span_word(&list, &one)) {
        if (same(one, word)) {
            return true;
        }
    }
    return false;
}

bool capability_allows_mechanism(struct span list, const struct sasl_mechanism *mechanism)
{
    struct span word;
    while (mechanism->passthrough && span_word(&list, &word)) {
        if (cut_auth(&word) && span_is(word, mechanism->name)) {
            return true;
        }
    }
    return !mechanism->passthrough;
}

static bool is_atom(struct span word)
{
    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = word.bytes[i];
        if (c <= 0x20 || c >= 0x7f || c == ']' || c == '"' || c == '\\') {
            return false;
        }
    }
    return true;
}

static bool is_post_login(struct span word)
{
    for (size_t i = 0; i < sizeof post_login / sizeof post_login[0]; i++) {
        size_t len = strlen(post_login[i]);
        bool open = post_login[i][len - 1] == '*';
        if (open ? word.len >= len && strncasecmp((const char *)word.bytes, post_login[i], len - 1) == 0
                 : span_is(word, post_login[i])) {
            return is_atom(word);
        }
    }
    return false;
}

static bool all_have(const struct span lists[], size_t count, struct span word)
{
    for (size_t i = 0; i < count; i++) {
        if (!capability_has(lists[i], word)) {
            return false;
        }
    }
    return true;
}

static int put(struct buffer *out, struct span s, size_t limit)
{
    return buffer_append(out, s.bytes, s.len, limit);
}

/* Appends the mechanisms of the set that all backends have, in the order of enum sasl_id. */
static int offer_mechanisms(const struct span lists[], size_t count, uint32_t mechanisms, struct buffer *out,
                            size_t limit)
{
    for (size_t i = 0; i < count; i++) {
        struct capabilities able;
        capability_parse(lists[i], &able);
        mechanisms &= able.auth;
    }
    for (int id = SASL_PLAIN + 1; id < SASL_COUNT && count > 0; id++) {
        if ((mechanisms & capability_bit((enum sasl_id)id)) != 0 &&
            (put(out, span_of(" " AUTH), limit) != 0 ||
             put(out, span_of(sasl_mechanism((enum sasl_id)id)->name), limit) != 0)) {
            return -1;
        }
    }
    return 0;
}

int capability_offer(const struct span lists[], size_t count, uint32_t mechanisms, struct buffer *out, size_t limit)
{
    struct span rest = count > 0 ? lists[0] : span_of(""), word;
    size_t start = out->len;
    if (put(out, span_of(CAPABILITY_TLS), limit) != 0 || offer_mechanisms(lists, count, mechanisms, out, limit) != 0) {
        return -1;
    }
    while (span_word(&rest, &word)) {
        struct span offered = {buffer_data(out) + start, out->len - start};
        if (is_post_login(word) && all_have(lists, count, word) && !capability_has(offered, word) &&
            (put(out, span_of(" "), limit) != 0 || put(out, word, limit) != 0)) {
            return -1;
        }
    }
    return 0;
}

static bool is_excluded(struct span word)
{
    for (size_t i = 0; i < sizeof excluded / sizeof excluded[0]; i++) {
        if (span_is(word, excluded[i])) {
            return true;
        }
    }
    return false;
}

int capability_append_filtered(struct span list, struct buffer *out, size_t limit)
{
    struct span word;
    bool first = true;
    while (span_word(&list, &word)) {
        if (is_excluded(word) || !is_atom(word)) {
            continue;
        }
        if ((!first && put(out, span_of(" "), limit) != 0) || put(out, word, limit) != 0) {
            return -1;
        }
        first = false;
    }
    return 0;
}

const char *capability_check(const char *word)
{
    struct span name = span_of(word);
    if (name.len == 0 || !is_atom(name)) {
        return "a capability, one word";
    }
    if (is_excluded(name)) {
        return "a capability that is true after TLS, through imapguard";
    }
    return cut_auth(&name) && sasl_find(name) == NULL
               ? "AUTH= of a mechanism that can pass: PLAIN, LOGIN, XOAUTH2, OAUTHBEARER, CRAM-MD5, SCRAM-SHA-1 or "
                 "SCRAM-SHA-256"
               : NULL;
}
