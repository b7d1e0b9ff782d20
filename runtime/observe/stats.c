// SPDX-License-Identifier: Apache-2.0
// stats - striped relaxed counters. Each thread adds to one stripe; a reader sums them up. Peaks
// live in the first stripe.
#include "observe/stats.h"

static const struct {
    const char *name, *doc;
} table[WF_STAT_COUNT] = {
#define STAT_ROW(NAME, name, kind, doc) { #name, doc },
    WF_STAT_LIST(STAT_ROW)
#undef STAT_ROW
};

static int my_stripe(void)
{
    static int next;
    static _Thread_local int mine;  // stripe + 1

    if (!mine) mine = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % WF_STATS_STRIPES + 1;
    return mine - 1;
}

void wf_stats_add(wf_stats *stats, wf_stat stat, int64_t n)
{
    __atomic_fetch_add(&stats->stripe[my_stripe()].value[stat], n, __ATOMIC_RELAXED);
}

void wf_stats_peak(wf_stats *stats, wf_stat stat, int64_t value)
{
    int64_t *peak = &stats->stripe[0].value[stat];
    int64_t seen = __atomic_load_n(peak, __ATOMIC_RELAXED);

    while (seen < value)
        if (__atomic_compare_exchange_n(peak, &seen, value, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return;
}

int64_t wf_stats_get(const wf_stats *stats, wf_stat stat)
{
    int64_t sum = 0;  // the other stripes of a peak are zero

    for (int i = 0; i < WF_STATS_STRIPES; i++)
        sum += __atomic_load_n(&stats->stripe[i].value[stat], __ATOMIC_RELAXED);
    return sum;
}

void wf_stats_read(const wf_stats *stats, int64_t *out)
{
    for (int i = 0; i < WF_STAT_COUNT; i++) out[i] = wf_stats_get(stats, (wf_stat)i);
}

const char *wf_stat_name(wf_stat stat) { return table[stat].name; }

const char *wf_stat_doc(wf_stat stat) { return table[stat].doc; }
