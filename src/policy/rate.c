/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/rate.h"

/* The `now_us` of two processes differ by less, although they read the clock at different moments. */
enum { SKEW_US = 60 * 1000000 };

static uint64_t interval_us(const struct option_rate *rate)
{
    uint64_t interval = (uint64_t)rate->ms * 1000 / rate->count;
    return interval > 0 ? interval : 1;
}

/*
 * Each event advances the time by one interval; it may be ahead of the clock by one duration. A time that is further
 * ahead is corrupt (a hostile worker can write it), and is ignored.
 */
bool rate_try(_Atomic uint64_t *arrival, const struct option_rate *rate, uint64_t now_us, uint64_t *value)
{
    uint64_t period = (uint64_t)rate->ms * 1000, interval = interval_us(rate);
    uint64_t before = atomic_load_explicit(arrival, memory_order_acquire), after;
    do {
        uint64_t from = before > now_us && before - now_us <= period + SKEW_US ? before : now_us;
        after = from + interval;
        if (after - now_us > interval * rate->count) {
            *value = before;
            return false;
        }
    } while (
        !atomic_compare_exchange_weak_explicit(arrival, &before, after, memory_order_acq_rel, memory_order_acquire));
    *value = after;
    return true;
}

bool rate_take(_Atomic uint64_t *arrival, const struct option_rate *rate, uint64_t now_us)
{
    uint64_t value;
    return rate_try(arrival, rate, now_us, &value);
}

static void move_back(_Atomic uint64_t *arrival, uint64_t by_us)
{
    uint64_t before = atomic_load_explicit(arrival, memory_order_acquire), after;
    do {
        after = before > by_us ? before - by_us : 0;
    } while (
        !atomic_compare_exchange_weak_explicit(arrival, &before, after, memory_order_acq_rel, memory_order_acquire));
}

void rate_give_back(_Atomic uint64_t *arrival, const struct option_rate *rate, uint64_t value, uint64_t now_us)
{
    uint64_t interval = interval_us(rate), left = value > now_us ? value - now_us : 0;
    move_back(arrival, left < interval ? left : interval);
}

void rate_make_room(_Atomic uint64_t *arrival, const struct option_rate *rate, uint64_t now_us)
{
    uint64_t interval = interval_us(rate), latest = now_us + interval * (rate->count - 1);
    uint64_t before = atomic_load_explicit(arrival, memory_order_acquire);
    while (before > latest && !atomic_compare_exchange_weak_explicit(arrival, &before, latest, memory_order_acq_rel,
                                                                     memory_order_acquire)) {
    }
}

void rate_give_back_lost(_Atomic uint64_t *arrival, const struct option_rate *rate, uint32_t count)
{
    move_back(arrival, interval_us(rate) * count);
}
