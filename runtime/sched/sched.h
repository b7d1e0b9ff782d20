// SPDX-License-Identifier: Apache-2.0
// sched - decides which task runs next, on which device: a pure state machine over symbolic layers. Events come in as calls, decisions
// go out as results; it has no thread, no clock, no lock, no I/O and no randomness of its own, so the embedded engine, a cluster and a
// simulator run the same code. The caller serialises calls.
//
// It works from the results backwards and depth first: a device takes the next task of a result, and for every input that nobody has
// made or is making, descends into the task that makes it. So memory is freed as early as the graph allows, nothing is made that is not
// wanted soon, and a block that was lost or freed is simply wanted again. Results are dealt to devices in consecutive ranges; an idle
// device takes half of the largest rest. State is two bits a task and a few open frames.
#ifndef WF_SCHED_SCHED_H
#define WF_SCHED_SCHED_H

#include "task/layer.h"

typedef struct wf_sched wf_sched;

typedef struct wf_range {
    int layer;
    int64_t first, count;
} wf_range;

// A task that another needs.
typedef struct wf_dep {
    int layer;
    int64_t task;
} wf_dep;
typedef struct wf_deps {
    int64_t count, capacity;
    wf_dep *item;
} wf_deps;

// Appends the tasks whose blocks (LAYER, TASK) reads. Pure; duplicates are allowed.
typedef weft_status wf_deps_fn(void *context, int layer, int64_t task, wf_deps *out);

typedef struct wf_sched_layer {
    int64_t ntask;
    int64_t range_max;  // tasks worth handing out at once
    bool root;          // its tasks are what the request wants
    bool has_deps;      // false: its tasks read nothing that tasks make
} wf_sched_layer;

typedef struct wf_sched_options {
    int nlayer, ndevice;
    const wf_sched_layer *layer;  // copied
    int nroot;
    const int *root;  // layers wanted, in the order they should be finished; copied
    wf_deps_fn *deps;
    void *context;
    // The first so many devices are dealt results; others take some when they ask. 0: all
    int nworking;
} wf_sched_options;

weft_status wf_sched_create(const wf_sched_options *opts, wf_sched **out) WEFT_WARN_UNUSED;
void wf_sched_destroy(wf_sched *sched);  // accepts NULL

typedef enum wf_sched_answer {
    WF_SCHED_RUN,    // *out is to be run by the device
    WF_SCHED_WAIT,   // nothing can start now; ask again after the next event
    WF_SCHED_DONE,   // everything wanted is done
    WF_SCHED_FAILED  // out of memory for its own state; see wf_last_error
} wf_sched_answer;

// What should DEVICE run now? With HOLD (memory is tight) no new result is begun while some task still runs.
wf_sched_answer wf_sched_next(wf_sched *sched, int device, bool hold, wf_range *out);
// The range was run; its blocks exist.
weft_status wf_sched_done(wf_sched *sched, const wf_range *range) WEFT_WARN_UNUSED;
// The range could not be run because inputs vanished; it is wanted again, inputs first.
weft_status wf_sched_retry(wf_sched *sched, const wf_range *range, int device) WEFT_WARN_UNUSED;
// A finished task's block is gone: made again when something wants it. No effect on tasks that are not done.
weft_status wf_sched_forget(wf_sched *sched, int layer, int64_t task) WEFT_WARN_UNUSED;
// DEVICE will not ask again: its open work goes to the others.
weft_status wf_sched_drop_device(wf_sched *sched, int device) WEFT_WARN_UNUSED;
bool wf_sched_is_done(const wf_sched *sched, int layer, int64_t task);

typedef struct wf_sched_progress {
    int64_t done, total;  // tasks of all layers run so far (repeats count), tasks of all layers
    int64_t running;
    int64_t roots_left;
} wf_sched_progress;
void wf_sched_get_progress(const wf_sched *sched, wf_sched_progress *out);

#endif
