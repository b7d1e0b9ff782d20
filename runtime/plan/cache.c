// SPDX-License-Identifier: Apache-2.0
// cache - plans by key, so that the next turn of a loop binds new data to the plan of the last.
#include <string.h>

#include "plan/plan.h"

wf_plan *wf_plan_cache_find(wf_plan_cache *cache, const wf_outline *outline)
{
    for (wf_plan *p = cache->bucket[outline->hash & 63]; p; p = p->next) {
        if (p->hash != outline->hash || p->key_size != outline->key_size ||
            memcmp(p->key, outline->key, (size_t)p->key_size) != 0)
            continue;
        cache->hits++;
        wf_plan_retain(p);
        return p;
    }
    cache->misses++;
    return NULL;
}

static void drop_last(wf_plan_cache *cache, int bucket)
{
    wf_plan **at = &cache->bucket[bucket];
    while (*at && (*at)->next) at = &(*at)->next;
    wf_plan *old = *at;
    if (!old) return;
    *at = NULL;
    cache->count--;
    wf_plan_release(old);
}

void wf_plan_cache_add(wf_plan_cache *cache, wf_plan *plan)
{
    int bucket = (int)(plan->hash & 63);
    wf_plan_retain(plan);
    plan->next = cache->bucket[bucket];
    cache->bucket[bucket] = plan;
    cache->count++;
    for (int i = 1; cache->count > cache->capacity && i <= 64; i++)
        drop_last(cache, (bucket + i) & 63);
}

void wf_plan_cache_fini(wf_plan_cache *cache)
{
    for (int i = 0; i < 64; i++)
        while (cache->bucket[i]) drop_last(cache, i);
    memset(cache, 0, sizeof *cache);
}
