// SPDX-License-Identifier: Apache-2.0
// plan - from expression to symbolic layers: trace the graph and its key, fuse chains into programs, choose tiles, lower to layers, bound the
// memory of every task before anything runs. Pure: no thread, no I/O. A plan is immutable and holds no data: what varies from turn to turn of
// a solver (scalars, leaves, index lists) is bound when it runs, so that the same plan serves them all.
#ifndef WF_PLAN_PLAN_H
#define WF_PLAN_PLAN_H

#include "base/text.h"
#include "graph/make.h"
#include "task/plan.h"

// Named parts of the plan that --disable takes.
typedef enum wf_pass {
    WF_PASS_SHARE = 1,
    WF_PASS_PRUNE = 2,
    WF_PASS_FOLD = 4,
    WF_PASS_PUSH = 8,
    WF_PASS_FUSE = 16,
    WF_PASS_ALIGN = 32,
    WF_PASS_GROUP = 64
} wf_pass;
weft_status wf_pass_parse(const char *names, unsigned *out)
    WEFT_WARN_UNUSED;  // "group,fold"; WEFT_INVALID lists the known names

typedef struct wf_param_mark {
    int32_t first;  // the first parameter of the same value
    uint8_t dtype;  // of a SCALAR; 0: another parameter
} wf_param_mark;

// One traversal of the graph under the roots: nodes in topological order (operands first), numbered, with what varies collected in a fixed
// order, and a key of everything else. Under the session's plan lock.
typedef struct wf_outline {
    int64_t count, capacity;
    wf_node **node;    // borrowed
    wf_bindings bind;  // borrowed from the nodes: valid while they are
    int64_t leaf_capacity, param_capacity, list_capacity, mark_capacity;
    wf_param_mark *mark;  // per parameter
    unsigned char *key;
    int64_t key_size, key_capacity;
    uint64_t hash;
    int64_t stack_capacity;
    struct {
        wf_node *node;
        int next;
    } * stack;
    int nroot;
} wf_outline;

// EPOCH: a number never used before in this session. OUTLINE may be reused; its arrays are kept.
weft_status wf_outline_run(wf_outline *outline, uint64_t epoch, int nroot, wf_node *const *root,
                           const wf_plan_options *opts) WEFT_WARN_UNUSED;
void wf_outline_fini(wf_outline *outline);
// What a node takes from the bindings: how many leaf, parameter and list entries.
static inline bool wf_node_is_leaf(const wf_node *n)
{
    return n->result != NULL || n->kind == WF_NODE_LEAF;
}
int wf_node_param_count(const wf_node *n);
// What of a SCALAR's value is part of the key, so that a rewrite may depend on it.
enum { WF_CLASS_ZERO, WF_CLASS_ONE, WF_CLASS_MINUS_ONE, WF_CLASS_TWO, WF_CLASS_OTHER };
uint8_t wf_scalar_class(const wf_node *n);

// The grid on which a user would see NODE cut: asked for, inherited from its largest operand, or the default. *out owns its cuts.
weft_status wf_node_natural_grid(const wf_node *node, const wf_plan_options *opts,
                                 wf_grid *out) WEFT_WARN_UNUSED;
// Makes the plan of a trace. Errors: WEFT_NO_MEMORY "plan: matmul needs 3.1 GiB at once for one task, the limit is 1.0 GiB ...",
// WEFT_UNSUPPORTED.
weft_status wf_plan_build(const wf_outline *outline, int nroot, wf_node *const *root,
                          const wf_plan_options *opts, wf_plan **out) WEFT_WARN_UNUSED;
// The text of weft eval --explain: layers, programs, grids, bytes, bound.
void wf_plan_print(const wf_plan *plan, const wf_plan_options *opts, bool programs, wf_text *out);

// A cache of plans by key; oldest dropped beyond CAPACITY. The caller serialises.
typedef struct wf_plan_cache {
    wf_plan *bucket[64];
    int count, capacity;
    int64_t hits, misses;
} wf_plan_cache;
wf_plan *wf_plan_cache_find(wf_plan_cache *cache,
                            const wf_outline *outline);       // gives a reference, or NULL
void wf_plan_cache_add(wf_plan_cache *cache, wf_plan *plan);  // shares
void wf_plan_cache_fini(wf_plan_cache *cache);

#endif
