// SPDX-License-Identifier: Apache-2.0
// engine - runs plans: the devices, the store, the threads that serve them, and the requests in flight. One engine for all modes: embedded it
// is driven by an in-process scheduler core (sched/); `sync` mode and small plans run on the calling thread with the very same code.
// Any thread may call. No callback of the user's runs under a lock.
#ifndef WF_EXEC_ENGINE_H
#define WF_EXEC_ENGINE_H

#include "base/settings.h"
#include "base/thread.h"
#include "exec/leaf.h"
#include "observe/stats.h"
#include "sched/sched.h"

typedef struct wf_engine wf_engine;
typedef struct wf_run wf_run;

weft_status wf_engine_create(const wf_settings *settings, wf_engine **out) WEFT_WARN_UNUSED;
void wf_engine_destroy(wf_engine *engine);  // cancels what runs and waits; accepts NULL
wf_store *wf_engine_store(wf_engine *engine);
wf_stats *wf_engine_stats(wf_engine *engine);
const wf_device_list *wf_engine_devices(const wf_engine *engine);
// What plans must know; constant over the engine's life but for losses of devices.
const wf_plan_options *wf_engine_plan_options(const wf_engine *engine);
void wf_engine_disable_passes(wf_engine *engine,
                              unsigned passes);  // wf_pass bits, before the first plan
int64_t wf_engine_memory_limit(const wf_engine *engine);

typedef struct wf_run_progress {
    int64_t done, total;   // tasks
    int64_t bytes;         // read and written so far, files and callbacks
    double seconds, left;  // since the start; estimated still to go, negative when unknown
} wf_run_progress;

typedef struct wf_run_options {
    void (*progress)(void *context, const wf_run_progress *progress);
    void *context;
} wf_run_options;

// Makes a run of PLAN with the bindings BIND (retained). Quick, since callers hold the plan lock:
// no I/O, nothing that grows with the blocks.
weft_status wf_run_create(wf_engine *engine, wf_plan *plan, const wf_bindings *bind,
                          const wf_run_options *opts, wf_run **out) WEFT_WARN_UNUSED;
// Prepares it (which may fail, by the files it writes for one), then runs it on the calling thread
// if it is small or the mode is sync; otherwise starts it on the engine's threads and returns.
weft_status wf_run_start(wf_run *run, bool may_run_here) WEFT_WARN_UNUSED;
// Waits at most SECONDS (negative: for ever). WEFT_TIMEOUT when it is not over; else the run's own status, its error raised.
weft_status wf_run_wait(wf_run *run, double seconds) WEFT_WARN_UNUSED;
bool wf_run_is_over(const wf_run *run);
void wf_run_cancel(wf_run *run);  // async-signal-safe: one atomic store
// After success: gives the object that stands for root R's result (WF_OBJECT_STORED); NULL for sinks and for leaves that were blocks already.
wf_object *wf_run_take_result(wf_run *run, int r);
void wf_run_destroy(wf_run *run);  // waits until it is over; accepts NULL
void wf_run_get_progress(wf_run *run, wf_run_progress *out);

// DEVICE's memory is lost; runs recover by lineage on the others, in the end on the CPU device that
// stands beside them. Also for tests.
void wf_engine_lose_device(wf_engine *engine, int device);

// Copies box BOX of a computed or addressable leaf to OUT, C order, as DTYPE. Brings blocks in one at a time.
weft_status wf_engine_read(wf_engine *engine, const wf_object *object, const wf_box *box,
                           weft_dtype as, void *out) WEFT_WARN_UNUSED;
// Copies caller memory into blocks of the store: a computed array.
weft_status wf_engine_import(wf_engine *engine, const void *data, weft_dtype dtype,
                             const wf_shape *shape, const int64_t *stride,
                             wf_object **out) WEFT_WARN_UNUSED;

#endif
