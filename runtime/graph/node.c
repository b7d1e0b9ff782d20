// SPDX-License-Identifier: Apache-2.0
// node - life and death of expression nodes.
#include "graph/node.h"

#include <string.h>

#include "base/thread.h"

void wf_node_retain(wf_node *node) { __atomic_add_fetch(&node->refs, 1, __ATOMIC_RELAXED); }

static void free_node(wf_node *node)
{
    if (node->grid) wf_grid_fini(node->grid);
    wf_free(node->grid);
    wf_free(node->extra);
    wf_object_release(node->object);
    wf_object_release(node->result);
    wf_list_release(node->list);
    wf_free(node->label);
    if (node->in != (wf_node **)(node + 1)) wf_free(node->in);
    wf_free(node);
}

// A solver's history may be a chain of a million nodes: dead nodes are strung through `site` instead of recursing.
void wf_node_release(wf_node *node)
{
    if (!node || __atomic_sub_fetch(&node->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
    wf_node *dead = node;
    dead->site = NULL;
    while (dead) {
        wf_node *n = dead;
        dead = (wf_node *)(uintptr_t)n->site;
        for (int i = 0; i < n->nin; i++) {
            if (__atomic_sub_fetch(&n->in[i]->refs, 1, __ATOMIC_ACQ_REL) > 0) continue;
            n->in[i]->site = dead;
            dead = n->in[i];
        }
        free_node(n);
    }
}

weft_status wf_node_create(wf_node_kind kind, weft_dtype dtype, const wf_shape *shape, int nin,
                           wf_node *const *in, wf_node **out)
{
    wf_node *n = wf_alloc(sizeof *n + (size_t)nin * sizeof(wf_node *));
    if (!n) return WEFT_NO_MEMORY;
    n->refs = 1;
    n->kind = (uint8_t)kind;
    n->dtype = (uint8_t)dtype;
    n->shape = *shape;
    n->nin = (int16_t)nin;
    n->in = (wf_node **)(n + 1);
    for (int i = 0; i < nin; i++) {
        n->in[i] = in[i];
        wf_node_retain(in[i]);
    }
    *out = n;
    return WEFT_OK;
}

weft_status wf_node_set_extra(wf_node *node, const void *data, size_t bytes)
{
    node->extra = wf_alloc(bytes);
    if (!node->extra) return WEFT_NO_MEMORY;
    if (bytes) memcpy(node->extra, data, bytes);
    return WEFT_OK;
}

weft_status wf_node_set_grid(wf_node *node, const wf_grid *grid)
{
    node->grid = wf_alloc(sizeof *node->grid);
    if (!node->grid) return WEFT_NO_MEMORY;
    *node->grid = wf_grid_share(grid);
    return WEFT_OK;
}

// Keeps an operand alive between the moment a constructor reads it and the moment it holds a reference.
static wf_mutex inputs_lock = WF_MUTEX_INIT;

wf_node *wf_node_share_input(wf_node *node, int k)
{
    wf_mutex_lock(&inputs_lock);
    wf_node *in = k < node->nin ? node->in[k] : NULL;
    if (in) wf_node_retain(in);
    wf_mutex_unlock(&inputs_lock);
    return in;
}

void wf_node_forget_inputs(wf_node *node)
{
    wf_mutex_lock(&inputs_lock);
    int n = node->nin;
    node->nin = 0;
    wf_mutex_unlock(&inputs_lock);
    for (int i = 0; i < n; i++) wf_node_release(node->in[i]);
    wf_object_release(node->object);
    node->object = NULL;
    wf_list_release(node->list);
    node->list = NULL;
}

const char *wf_node_kind_name(wf_node_kind kind)
{
    static const char *const names[] = { "scalar",  "leaf",  "counter",  "random",  "map",
                                         "cast",    "view",  "parts",    "rechunk", "reduce",
                                         "field",   "scan",  "contract", "reshape", "take",
                                         "compact", "group", "bincount", "call",    "sink" };
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "?";
}
