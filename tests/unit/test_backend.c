/* SPDX-License-Identifier: BSD-2-Clause */
/* What processes tell each other of a backend, and that none of it is believed blindly. */
#include "base/seqlock.h"
#include "proxy/backend_state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"

TestSuite(backend, .fini = test_over);

static void write_garbage(struct backends *b)
{
    const struct region *regions[] = {b->endpoints, b->offer.region};
    for (size_t i = 0; i < COUNT(regions); i++) {
        memset((char *)regions[i]->write + sizeof(struct seqlock), 0xff, regions[i]->size - sizeof(struct seqlock));
    }
}

Test(backend, what_is_no_endpoint_and_no_list_is_not_believed)
{
    struct rig r;
    struct endpoint e;
    char list[CAPABILITY_OFFER_MAX];
    rig_init(&r, LISTENER_IMPLICIT, WHOLE);
    free(r.backend_options.address);
    r.backend_options.address = strdup("localhost:1");
    rig_connect(&r);
    struct backends *b = r.generation.backends;
    backend_endpoint(&b->items[0], &e);
    cr_expect_gt(e.count, 0);
    write_garbage(b);
    backend_endpoint(&b->items[0], &e);
    cr_expect_eq(e.count, 0);
    offer_read(&b->offer, list);
    cr_expect_str_eq(list, CAPABILITY_TLS);
    rig_over(&r);
}

Test(backend, where_one_without_a_name_is_no_other_process_can_say)
{
    struct rig r;
    struct endpoint before, after;
    rig_init(&r, LISTENER_IMPLICIT, WHOLE);
    rig_connect(&r);
    struct backends *b = r.generation.backends;
    backend_endpoint(&b->items[0], &before);
    write_garbage(b);
    backend_endpoint(&b->items[0], &after);
    cr_expect(after.count == 1 && memcmp(&before, &after, sizeof before) == 0);
    rig_over(&r);
}

/* Each process writes its own column; here one process plays two. */
static void find(struct backends *b, unsigned column, bool up)
{
    unsigned own = b->own;
    usleep(2000); /* findings are told apart by the millisecond */
    b->own = column;
    if (up) {
        backend_mark_up(&b->items[0]);
    } else {
        backend_mark_down(&b->items[0], FAULT_CONNECTION_REFUSED, span_of(""));
    }
    b->own = own;
}

Test(backend, the_latest_finding_of_all_processes_holds)
{
    struct rig r;
    rig_init(&r, LISTENER_IMPLICIT, WHOLE);
    rig_connect(&r);
    struct backends *b = r.generation.backends;
    cr_expect(!backend_is_known(&b->items[0]) && backend_is_up(&b->items[0]));
    find(b, 1, false);
    cr_expect(backend_is_known(&b->items[0]) && !backend_is_up(&b->items[0]));
    find(b, 0, true);
    cr_expect(backend_is_up(&b->items[0]));
    find(b, 1, false);
    cr_expect(!backend_is_up(&b->items[0]));
    rig_over(&r);
}

Test(backend, a_finding_of_the_future_is_not_believed)
{
    struct rig r;
    rig_init(&r, LISTENER_IMPLICIT, WHOLE);
    rig_connect(&r);
    struct backends *b = r.generation.backends;
    memset(b->columns[1].write, 0xff, b->columns[1].size);
    cr_expect(backend_is_up(&b->items[0]) && !backend_is_known(&b->items[0]));
    rig_over(&r);
}
