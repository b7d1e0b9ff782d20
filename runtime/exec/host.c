// SPDX-License-Identifier: Apache-2.0
// host - what a device whose memory the host cannot see leaves to a CPU device: files, callbacks
// and the user's functions always, and what it has no kernel for, which is logged once and counted.
// The same thread does it, as a worker of the CPU device; blocks go from one to the other through
// the store.
#include <stdio.h>

#include "base/alloc.h"
#include "exec/run.h"
#include "observe/log.h"

enum { ZEROES = 64 << 10 };

// The worker beside WORKER on the CPU device.
static weft_status host_worker(wf_worker *worker, wf_worker **out)
{
    int device = wf_engine_host_device(worker->engine);
    if (worker->host && worker->host->device != device) {  // that one was lost
        wf_worker_fini(worker->host);
        wf_free(worker->host);
        worker->host = NULL;
    }
    if (!worker->host) {
        wf_worker *host = wf_alloc(sizeof *host);
        if (!host) return WEFT_NO_MEMORY;
        weft_status st = wf_worker_init(host, worker->engine, device);
        if (st != WEFT_OK) {
            wf_free(host);
            return st;
        }
        worker->host = host;
    }
    *out = worker->host;
    return WEFT_OK;
}

static void note_fallback(const wf_worker *worker, const wf_layer *layer)
{
    char key[80];
    snprintf(key, sizeof key, "fallback:%s:%s", worker->dev->ops->kind, layer->name);
    wf_log_once(key, WF_LOG_WARN, "%s runs on a CPU device: %s has no kernel for it (%s)",
                layer->name, worker->dev->info.name, wf_last_error());
}

// What a device has no kernel for is not tried again in the same request.
static weft_status execute_aside(wf_worker *worker, wf_run *run, int layer, int64_t number)
{
    const wf_layer *l = &run->plan->layer[layer];
    wf_worker *host;
    bool always = wf_layer_is_for_host(l) && !worker->dev->info.host_visible;
    if (!always && !__atomic_load_n(&run->on_host[layer], __ATOMIC_RELAXED)) {
        weft_status st = wf_task_execute_here(worker, run, layer, number);
        if (st != WEFT_UNSUPPORTED) return st;
        note_fallback(worker, l);
        __atomic_store_n(&run->on_host[layer], 1, __ATOMIC_RELAXED);
    }
    if (!always) wf_stats_add(&worker->engine->stats, WF_STAT_FALLBACKS, 1);
    WF_TRY(host_worker(worker, &host));
    return wf_task_execute_here(host, run, layer, number);
}

weft_status wf_task_execute(wf_worker *worker, wf_run *run, int layer, int64_t number)
{
    return worker->dev->is_cpu ? wf_task_execute_here(worker, run, layer, number)
                               : execute_aside(worker, run, layer, number);
}

weft_status wf_task_zero(wf_task *t, void *data, int64_t bytes)
{
    static const char zeroes[ZEROES];
    const wf_worker *w = t->worker;
    if (w->dev->ops->fill) return w->dev->ops->fill(w->stream, data, 0, bytes);
    for (int64_t at = 0; at < bytes; at += ZEROES) {
        int64_t n = bytes - at < ZEROES ? bytes - at : ZEROES;
        WF_TRY(w->dev->ops->copy_in(w->stream, (char *)data + at, zeroes, n));
    }
    return WEFT_OK;
}
