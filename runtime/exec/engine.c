// SPDX-License-Identifier: Apache-2.0
// engine - threads, devices and the queue of requests.
#include "exec/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/machine.h"
#include "exec/run.h"
#include "observe/log.h"

enum { SMALL_WORK = 1 << 16 };

weft_status wf_worker_init(wf_worker *w, wf_engine *engine, int device)
{
    w->engine = engine;
    w->device = device;
    w->dev = &engine->devices.device[device];
    return w->dev->ops->stream_open(w->dev->handle, &w->stream);
}

void wf_worker_fini(wf_worker *w)
{
    if (w->host) wf_worker_fini(w->host);
    wf_free(w->host);
    if (w->stream) w->dev->ops->stream_close(w->stream);
    wf_free(w->refs.item);
    wf_free(w->step_refs.item);
    wf_free(w->out);
    wf_free(w->data);
    wf_free(w->scratch);
    wf_free(w->pieces);
}

static int64_t default_memory_limit(const wf_settings *settings)
{
    int64_t asked = wf_settings_i64(settings, WF_SETTING_MEMORY_LIMIT);
    wf_machine machine;
    if (asked > 0) return asked;
    wf_machine_probe(&machine);
    return machine.memory_available / 10 * 7;
}

static void set_plan_options(wf_engine *e)
{
    wf_plan_options *o = &e->plan_options;
    memset(o, 0, sizeof *o);  // it is part of plan keys, padding and all
    o->host_visible = e->all_cpu = true;
    o->ndevice = e->devices.nworking;
    o->budget = o->host_budget = e->memory_limit;  // every task may have to be run on a CPU device
    int64_t visible = 0;
    for (int d = 0; d < e->devices.count; d++) {
        const weft_device_info *info = &e->devices.device[d].info;
        wf_store_usage usage;
        wf_store_get_usage(e->store, d, &usage);
        if (usage.limit < o->budget) o->budget = usage.limit;
        if (e->devices.device[d].is_cpu && usage.limit < o->host_budget)
            o->host_budget = usage.limit;
        e->all_cpu &= e->devices.device[d].is_cpu;
        if (d >= e->devices.nworking) continue;
        *(info->host_visible ? &visible : &o->budget_all) += usage.limit;
        o->slots += info->slots;
        o->host_visible &= info->host_visible;
    }
    o->budget_all += visible < e->memory_limit ? visible : e->memory_limit;
    o->block_size = wf_settings_i64(e->settings, WF_SETTING_BLOCK_SIZE);
    o->test = wf_settings_bool(e->settings, WF_SETTING_TEST);
}

static weft_status read_settings(wf_engine *e)
{
    wf_plan_options *o = &e->plan_options;
    const int64_t *blocks;
    int n = wf_settings_ints(e->settings, WF_SETTING_BLOCKS, &blocks);
    if (n > WEFT_MAX_NDIM)
        return wf_fail(WEFT_INVALID, "blocks: at most %d extents, got %d", WEFT_MAX_NDIM, n);
    o->nblock = n;
    if (n) memcpy(o->block, blocks, (size_t)n * sizeof *blocks);
    return WEFT_OK;
}

weft_status wf_engine_create(const wf_settings *settings, wf_engine **out)
{
    wf_engine *e = wf_alloc(sizeof *e);
    if (!e) return WEFT_NO_MEMORY;
    e->settings = settings;
    wf_mutex_init(&e->lock);
    wf_cond_init(&e->work);
    wf_cond_init(&e->over);
    e->stall_seconds = wf_settings_f64(settings, WF_SETTING_STALL_SECONDS);
    e->memory_limit = default_memory_limit(settings);
    e->sync = strcmp(wf_settings_text(settings, WF_SETTING_MODE), "sync") == 0;
    wf_cpu_device_limit_isa(wf_settings_text(settings, WF_SETTING_CPU_ISA));
    wf_device_keep_kernels_in(wf_settings_text(settings, WF_SETTING_KERNEL_CACHE));
    weft_status st =
        wf_device_list_open(wf_settings_text(settings, WF_SETTING_DEVICES),
                            (int)wf_settings_i64(settings, WF_SETTING_THREADS), e->memory_limit,
                            wf_settings_i64(settings, WF_SETTING_DEVICE_MEMORY_LIMIT), &e->devices);
    if (st == WEFT_OK) {
        e->lost = wf_calloc((size_t)e->devices.count, sizeof *e->lost);
        wf_device **device = wf_calloc((size_t)e->devices.count, sizeof *device);
        st = e->lost && device ? WEFT_OK : WEFT_NO_MEMORY;
        for (int d = 0; d < e->devices.count && st == WEFT_OK; d++)
            device[d] = &e->devices.device[d];
        const char *spill = wf_settings_bool(settings, WF_SETTING_SPILL)
                                ? wf_settings_text(settings, WF_SETTING_SPILL_DIR)
                                : NULL;
        wf_store_options so = { .ndevice = e->devices.count,
                                .device = device,
                                .host_limit = e->memory_limit,
                                .spill_dir = spill,
                                .stats = &e->stats };
        if (st == WEFT_OK) st = wf_store_create(&so, &e->store);
        wf_free(device);
    }
    if (st == WEFT_OK) {
        set_plan_options(e);
        st = read_settings(e);
    }
    if (st != WEFT_OK) {
        wf_error error;
        wf_error_take(&error);
        wf_engine_destroy(e);
        return wf_error_raise(&error);
    }
    *out = e;
    return WEFT_OK;
}

// --- which devices there are ---

int wf_engine_host_device(const wf_engine *e)
{
    int found = -1;
    for (int d = 0; d < e->devices.count; d++) {
        if (!e->devices.device[d].is_cpu) continue;
        if (!wf_engine_is_lost(e, d)) return d;
        found = d;  // its memory was lost, the cores were not
    }
    return found;
}

static bool takes_tasks(const wf_engine *e, int device)
{
    return !wf_engine_is_lost(e, device) && (device < e->devices.nworking || e->helping);
}

// The next device after DEVICE, which may be -1, that takes tasks; itself if it is the only one.
static int next_taker(const wf_engine *e, int device)
{
    int n = e->devices.count;
    for (int i = 1; i <= n; i++)
        if (takes_tasks(e, (device + i) % n)) return (device + i) % n;
    return wf_engine_host_device(e);
}

static void remove_run(wf_engine *e, wf_run *run)
{
    wf_run **at = &e->runs;
    while (*at && *at != run) at = &(*at)->next;
    if (*at) *at = run->next;
}

// The lock is held. The last thread out of a run that failed or is complete finishes it.
static void end_if_over(wf_engine *e, wf_run *run, wf_sched_answer answer)
{
    bool over = run->error.status != WEFT_OK || answer == WF_SCHED_DONE;
    if (!over || run->active > 0 || run->state != WF_RUN_LIVE) return;
    run->state = WF_RUN_ENDING;
    remove_run(e, run);
    wf_mutex_unlock(&e->lock);
    wf_run_finish(run);
    wf_mutex_lock(&e->lock);
    __atomic_store_n(&run->state, WF_RUN_OVER, __ATOMIC_RELEASE);
    wf_cond_broadcast(&e->over);
}

// Something for WORKER from the oldest request that has anything. False: nothing now.
static bool serve_once(wf_worker *worker)
{
    wf_engine *e = worker->engine;
    for (wf_run *run = e->runs; run; run = run->next) {
        wf_sched_answer answer;
        if (run->state != WF_RUN_LIVE) continue;
        weft_status st = wf_run_step(worker, run, &answer);
        (void)st;  // failures are recorded in the run
        if (answer == WF_SCHED_RUN) {
            if (e->waiting > 0) wf_cond_broadcast(&e->work);
            return true;
        }
        if (answer != WF_SCHED_WAIT && run->active == 0) {
            end_if_over(e, run, answer);
            return true;  // the list has changed
        }
    }
    return false;
}

static void worker_main(void *context)
{
    wf_worker *w = context;
    wf_engine *e = w->engine;
    wf_mutex_lock(&e->lock);
    while (!e->stopping && !e->lost[w->device]) {
        if (serve_once(w)) continue;
        e->waiting++;
        wf_cond_wait(&e->work, &e->lock);
        e->waiting--;
    }
    wf_mutex_unlock(&e->lock);
}

static weft_status start_device(wf_engine *e, int device)
{
    for (int k = 0; k < e->devices.device[device].info.slots; k++) {
        wf_worker *w = &e->worker[e->nworker];
        char name[32];
        if (e->nworker == e->worker_capacity) break;
        snprintf(name, sizeof name, "weft-%d.%d", device, k);
        WF_TRY(wf_worker_init(w, e, device));
        e->nworker++;
        WF_TRY(wf_thread_start(&w->thread, name, worker_main, w));
    }
    return WEFT_OK;
}

// The lock is held. Threads start when the first request needs them, so that opening a session is cheap.
static weft_status start_threads(wf_engine *e)
{
    if (e->threads_up) return WEFT_OK;
    int n = 0;
    for (int d = 0; d < e->devices.count; d++) n += e->devices.device[d].info.slots;
    if (!e->worker) e->worker = wf_calloc((size_t)n, sizeof *e->worker);
    if (!e->worker) return WEFT_NO_MEMORY;
    e->worker_capacity = n;
    for (int d = 0; d < e->devices.count; d++)
        if (takes_tasks(e, d)) WF_TRY(start_device(e, d));
    e->threads_up = true;
    return WEFT_OK;
}

static wf_worker *take_inline(wf_engine *e)
{
    wf_mutex_lock(&e->lock);
    wf_worker *w = e->idle_inline;
    if (w) e->idle_inline = w->next;
    int device = next_taker(e, -1);
    wf_mutex_unlock(&e->lock);
    if (w && w->device == device) return w;
    if (!w) w = wf_alloc(sizeof *w);
    else {
        wf_worker_fini(w);
        memset(w, 0, sizeof *w);
    }
    if (w && wf_worker_init(w, e, device) == WEFT_OK) return w;
    wf_free(w);
    return NULL;
}

static void give_inline(wf_engine *e, wf_worker *w)
{
    wf_mutex_lock(&e->lock);
    w->next = e->idle_inline;
    e->idle_inline = w;
    wf_mutex_unlock(&e->lock);
}

// All of a run on the calling thread: sync mode, and requests so small that waking a thread would cost more.
static weft_status run_here(wf_run *run)
{
    wf_engine *e = run->engine;
    wf_worker *w = take_inline(e);
    if (!w) {
        wf_error_take(&run->error);
        wf_run_finish(run);
        __atomic_store_n(&run->state, WF_RUN_OVER, __ATOMIC_RELEASE);
        return WEFT_OK;  // the run is over, with its error
    }
    wf_mutex_lock(&e->lock);
    for (;;) {
        wf_sched_answer answer;
        weft_status st = wf_run_step(w, run, &answer);
        (void)st;
        if (run->error.status != WEFT_OK || answer == WF_SCHED_DONE) break;
        bool lost = wf_engine_is_lost(e, w->device);
        if (answer != WF_SCHED_WAIT && !lost) continue;
        if (lost && wf_sched_drop_device(run->sched, w->device) != WEFT_OK) {
            wf_error_take(&run->error);
            break;
        }
        // The rest belongs to another device: be it for a while.
        int next = next_taker(e, w->device);
        wf_mutex_unlock(&e->lock);
        wf_worker_fini(w);
        memset(w, 0, sizeof *w);
        st = wf_worker_init(w, e, next);
        wf_mutex_lock(&e->lock);
        if (st != WEFT_OK) wf_error_take(&run->error);
    }
    run->state = WF_RUN_ENDING;
    wf_mutex_unlock(&e->lock);
    wf_run_finish(run);
    __atomic_store_n(&run->state, WF_RUN_OVER, __ATOMIC_RELEASE);
    give_inline(e, w);
    return WEFT_OK;
}

// By the elements that its layers walk over: about as many as one core does while another wakes up.
static bool is_small(const wf_run *run)
{
    const wf_plan *p = run->plan;
    int64_t work = 0;
    if (p->ntask > 64 || p->task_bytes > (2 << 20)) return false;
    for (int l = 0; l < p->nlayer && work <= SMALL_WORK; l++)
        work += wf_shape_size(&p->layer[l].shape);
    return work <= SMALL_WORK;
}

weft_status wf_run_start(wf_run *run, bool may_run_here)
{
    wf_engine *e = run->engine;
    WF_TRY(wf_run_prepare(run));
    run->started_ns = run->last_progress_ns = wf_clock_ns();
    if (run->opts.progress && (e->sync || may_run_here)) wf_run_report(run);
    if (e->sync || (may_run_here && is_small(run))) return run_here(run);
    wf_mutex_lock(&e->lock);
    weft_status st = e->stopping ? wf_fail(WEFT_CLOSED, "the session is closed") : start_threads(e);
    if (st == WEFT_OK) {
        wf_run **at = &e->runs;
        while (*at) at = &(*at)->next;
        *at = run;
        wf_cond_broadcast(&e->work);
    } else {
        run->state = WF_RUN_OVER;
        wf_error_take(&run->error);
    }
    wf_mutex_unlock(&e->lock);
    return st;
}

weft_status wf_run_wait(wf_run *run, double seconds)
{
    wf_engine *e = run->engine;
    int64_t deadline =
        seconds < 0 || seconds > 1e9 ? INT64_MAX : wf_clock_ns() + (int64_t)(seconds * 1e9);
    wf_mutex_lock(&e->lock);
    while (run->state != WF_RUN_OVER) {
        // A cancel may come from a signal handler and cannot wake anybody: look at least every 50 ms.
        int64_t soon = wf_clock_ns() + 50000000;
        if (soon >= deadline && wf_clock_ns() >= deadline) break;
        wf_cond_wait_until(&e->over, &e->lock, soon < deadline ? soon : deadline);
        if (__atomic_load_n(&run->cancelled, __ATOMIC_RELAXED)) wf_cond_broadcast(&e->work);
    }
    bool over = run->state == WF_RUN_OVER;
    wf_mutex_unlock(&e->lock);
    if (!over) return WEFT_TIMEOUT;
    return run->error.status == WEFT_OK ? WEFT_OK : wf_error_raise(&run->error);
}

// The lock is held. The CPU device that stood beside the others does their work now.
static void help(wf_engine *e)
{
    int helper = e->devices.nworking;
    if (e->helping || helper == e->devices.count) return;
    wf_log(WF_LOG_WARN, "no other device is left: %s takes over",
           e->devices.device[helper].info.name);
    e->helping = true;
    if (!e->threads_up || start_device(e, helper) == WEFT_OK) return;
    for (wf_run *run = e->runs; run; run = run->next)
        if (run->error.status == WEFT_OK) wf_error_take(&run->error);
}

// The lock is held. The last CPU device is used again: its memory is gone, not the cores.
static void give_up_device(wf_engine *e, int device)
{
    int others = 0;
    for (int d = 0; d < e->devices.nworking; d++) others += d != device && takes_tasks(e, d);
    if (device >= e->devices.nworking) return;
    if (others == 0) help(e);
    if (others == 0 && !e->helping) return;
    __atomic_store_n(&e->lost[device], true, __ATOMIC_RELAXED);
    for (wf_run *run = e->runs; run; run = run->next)
        if (wf_sched_drop_device(run->sched, device) != WEFT_OK) wf_error_take(&run->error);
}

static void lose_locked(wf_engine *e, int device)
{
    wf_store_lose_device(e->store, device);
    wf_log(WF_LOG_WARN, "device %s lost its memory", e->devices.device[device].info.name);
    e->losses++;
    give_up_device(e, device);
    for (wf_run *run = e->runs; run; run = run->next) run->losses = true;
    wf_cond_broadcast(&e->work);
}

void wf_engine_lose_device(wf_engine *e, int device)
{
    wf_mutex_lock(&e->lock);
    lose_locked(e, device);
    wf_mutex_unlock(&e->lock);
}

void wf_engine_check_devices(wf_engine *e)
{
    wf_error before;
    wf_error_take(&before);
    for (int d = 0; d < e->devices.count; d++) {
        const wf_device *device = &e->devices.device[d];
        weft_device_info info;
        if (device->is_cpu || device->ops->info(device->handle, &info) == WEFT_OK) continue;
        wf_mutex_lock(&e->lock);
        if (!wf_engine_is_lost(e, d)) {
            wf_log(WF_LOG_WARN, "device %s: %s", device->info.name, before.text);
            lose_locked(e, d);
        }
        wf_mutex_unlock(&e->lock);
    }
    (void)wf_error_raise(&before);
}

void wf_engine_destroy(wf_engine *e)
{
    if (!e) return;
    wf_mutex_lock(&e->lock);
    for (wf_run *run = e->runs; run; run = run->next) wf_run_cancel(run);
    wf_cond_broadcast(&e->work);
    while (e->runs) wf_cond_wait_until(&e->over, &e->lock, wf_clock_ns() + 50000000);
    e->stopping = true;
    wf_cond_broadcast(&e->work);
    wf_mutex_unlock(&e->lock);
    for (int i = 0; i < e->nworker; i++) {
        wf_thread_join(&e->worker[i].thread);
        wf_worker_fini(&e->worker[i]);
    }
    for (wf_worker *w = e->idle_inline; w;) {
        wf_worker *next = w->next;
        wf_worker_fini(w);
        wf_free(w);
        w = next;
    }
    wf_free(e->worker);
    wf_store_destroy(e->store);
    wf_device_list_close(&e->devices);
    wf_free(e->lost);
    wf_cond_fini(&e->work);
    wf_cond_fini(&e->over);
    wf_mutex_fini(&e->lock);
    wf_free(e);
}

wf_store *wf_engine_store(wf_engine *e) { return e->store; }
wf_stats *wf_engine_stats(wf_engine *e) { return &e->stats; }
const wf_device_list *wf_engine_devices(const wf_engine *e) { return &e->devices; }
void wf_engine_disable_passes(wf_engine *e, unsigned passes) { e->plan_options.disable = passes; }
const wf_plan_options *wf_engine_plan_options(const wf_engine *e) { return &e->plan_options; }
int64_t wf_engine_memory_limit(const wf_engine *e) { return e->memory_limit; }
