// SPDX-License-Identifier: Apache-2.0
// plan - what comes out of planning and goes into the engine: values and symbolic layers, without data. plan/ makes it, exec/ runs it. Immutable.
#ifndef WF_TASK_PLAN_H
#define WF_TASK_PLAN_H

#include "array/object.h"
#include "task/layer.h"

typedef struct wf_plan_options {
    int64_t budget;       // bytes one device may use for blocks: the smallest device's
    int64_t budget_all;   // over all devices together
    int64_t host_budget;  // as budget, of a CPU device that does what others leave to it
    int slots, ndevice;   // tasks in flight, in all
    bool host_visible;    // every device can read host memory directly
    int64_t block_size;   // the setting: largest block the plan makes of its own accord
    int nblock;           // --blocks: default extents of new arrays, or 0
    int64_t block[WEFT_MAX_NDIM];
    unsigned disable;  // wf_pass bits
    bool test;         // WEFT_TEST: tiny thresholds, so that small arrays really split
} wf_plan_options;

// What varies from run to run of one plan, in the order in which its layers number them.
typedef struct wf_bindings {
    int64_t nleaf, nparam, nlist;
    wf_object **leaf;  // sources, sinks, functions, computed arrays
    wf_scalar *param;
    wf_list **list;
} wf_bindings;

// An integer parameter made of others when the plan is bound: param[a] OP param[b], or OP `number`
// when b is -1; wraps.
typedef struct wf_derived {
    uint16_t op;  // ADD, SUBTRACT, MULTIPLY
    int a, b;
    int64_t number;
} wf_derived;

typedef struct wf_plan {
    int64_t refs;
    int nvalue, nlayer, nleaf, nparam, nlist, nroot;
    int nderived;
    wf_derived *derived;  // parameters nparam, nparam + 1, ...
    wf_value *value;
    wf_layer *layer;
    int *root;  // per requested array: its value; -1 for a sink
    int nroot_layer;
    int *root_layer;  // layers that the scheduler drives, in the order to finish
    int nprogram;
    int64_t ntask;
    int64_t task_bytes;    // the bound: the most any task needs
    const char *bound_by;  // the operation that needs it
    // The same of tasks that run on a CPU device because others do not see the host's memory
    int64_t host_bytes;
    const char *host_bound_by;
    double cost;  // seconds, estimated, one slot
    int64_t io_bytes;
    unsigned char *key;
    int64_t key_size;
    uint64_t hash;
    struct wf_plan *next;  // cache
} wf_plan;

void wf_plan_retain(wf_plan *plan);
void wf_plan_release(wf_plan *plan);  // accepts NULL
// PARAM holds what was bound, nparam of them; fills in the nderived that follow.
void wf_plan_derive(const wf_plan *plan, wf_scalar *param);

#endif
