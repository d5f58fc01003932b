/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_queue.h"

#include <string.h>

static void put(struct log_queue *q, const void *octets, size_t len)
{
    size_t at = (q->start + q->used) % LOG_QUEUE_SIZE;
    size_t first = len < LOG_QUEUE_SIZE - at ? len : LOG_QUEUE_SIZE - at;
    memcpy(q->octets + at, octets, first);
    memcpy(q->octets, (const char *)octets + first, len - first);
    q->used += len;
}

static void get(const struct log_queue *q, size_t offset, void *octets, size_t len)
{
    size_t at = (q->start + offset) % LOG_QUEUE_SIZE;
    size_t first = len < LOG_QUEUE_SIZE - at ? len : LOG_QUEUE_SIZE - at;
    memcpy(octets, q->octets + at, first);
    memcpy((char *)octets + first, q->octets, len - first);
}

void log_queue_add(struct log_queue *q, const char *record, size_t len)
{
    uint16_t size = (uint16_t)len;
    if (q->lost > 0 || sizeof size + len > LOG_QUEUE_SIZE - q->used) {
        q->lost++;
        return;
    }
    put(q, &size, sizeof size);
    put(q, record, len);
}

size_t log_queue_first(const struct log_queue *q, char *record)
{
    uint16_t size;
    get(q, 0, &size, sizeof size);
    get(q, sizeof size, record, size);
    return size;
}

void log_queue_remove(struct log_queue *q, size_t len)
{
    q->start = (q->start + sizeof(uint16_t) + len) % LOG_QUEUE_SIZE;
    q->used -= sizeof(uint16_t) + len;
    q->written = 0;
    if (q->used == 0) {
        q->start = 0; /* so that a queue that is never long uses few pages */
    }
}

void log_queue_clear(struct log_queue *q)
{
    char record[LOG_RECORD_MAX];
    for (; q->used > 0; q->lost++) {
        log_queue_remove(q, log_queue_first(q, record));
    }
}
