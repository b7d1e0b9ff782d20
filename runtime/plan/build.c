// SPDX-License-Identifier: Apache-2.0
// build - the passes of a plan in their order, and its life.
#include "plan/build.h"

#include <stdlib.h>
#include <string.h>

enum { TILE = 4 << 20 };

static void fini_build(wf_build *b)
{
    for (int g = 0; g < b->ngroup; g++) wf_free(b->group[g].member);
    for (int i = 0; i < b->nitem && b->item; i++)
        if (b->item[i].has_grid) wf_grid_fini(&b->item[i].grid);
    for (int i = 0; i < b->nmade; i++) wf_free(b->made[i]);
    wf_free(b->group);
    wf_free(b->item);
    wf_free(b->place);
    wf_free(b->own);
    wf_free(b->in_pool);
    wf_free(b->made);
    wf_free(b->table);
}

static weft_status mark_roots(wf_build *b, wf_node *const *root)
{
    for (int r = 0; r < b->outline->nroot; r++) {
        wf_item *it = &b->item[wf_root_item(b, root[r])];
        it->needed = true;
        it->stored = true;
    }
    return WEFT_OK;
}

static int by_depth(const void *a, const void *b)
{
    const wf_group *x = *(wf_group *const *)a, *y = *(wf_group *const *)b;
    if (x->depth != y->depth) return x->depth < y->depth ? -1 : 1;
    return (x > y) - (x < y);
}

// Layers in the order of what waits for what.
static weft_status lower_all(wf_build *b)
{
    wf_group **order = wf_calloc((size_t)b->ngroup, sizeof *order);
    if (!order) return WEFT_NO_MEMORY;
    for (int g = 0; g < b->ngroup; g++) order[g] = &b->group[g];
    qsort(order, (size_t)b->ngroup, sizeof(wf_group *), by_depth);
    weft_status st = WEFT_OK;
    for (int g = 0; g < b->ngroup && st == WEFT_OK; g++)
        if (order[g]->nmember > 0) st = wf_lower_group(b, (int)(order[g] - b->group));
    wf_free(order);
    return st;
}

static weft_status link_readers(wf_plan *p)
{
    for (int l = 0; l < p->nlayer; l++) {
        wf_layer *layer = &p->layer[l];
        for (int r = 0; r < layer->nread + (layer->kind == WF_LAYER_SCAN); r++) {
            wf_value *v = &p->value[r < layer->nread ? layer->read[r].value : layer->carry];
            layer->has_deps |= v->layer >= 0;
            if (v->nreader > 0 && v->reader[v->nreader - 1] == l) continue;
            int *grown = wf_realloc(v->reader, (size_t)(v->nreader + 1) * sizeof *grown);
            if (!grown) return WEFT_NO_MEMORY;
            v->reader = grown;
            v->reader[v->nreader++] = l;
        }
    }
    return WEFT_OK;
}

// Which values the request keeps and which layers drive the scheduler: layers that make results, and sinks; the latest in the graph first, so
// that what it needs on the way is made while it is hot.
static weft_status set_roots(wf_build *b, int nroot, wf_node *const *root)
{
    wf_plan *p = b->plan;
    p->nroot = nroot;
    p->root = wf_calloc((size_t)nroot, sizeof *p->root);
    p->root_layer = wf_calloc((size_t)(p->nlayer + nroot),
                              sizeof *p->root_layer);  // a leaf asked for adds its source
    if (!p->root || !p->root_layer) return WEFT_NO_MEMORY;
    for (int r = 0; r < nroot; r++) {
        int item = wf_root_item(b, root[r]);
        const wf_item *it = &b->item[item];
        p->root[r] = -1;
        if (it->is_leaf) {
            if (!wf_object_header(it->node->result ? it->node->result : it->node->object)->blocks)
                WF_TRY(wf_item_value(b, item, 0, &p->root[r]));
        } else if (it->node->kind == WF_NODE_SINK) {
            p->layer[b->group[it->group].layer].root = true;
            continue;
        } else {
            WF_TRY(wf_item_value(b, item, it->node->kind == WF_NODE_FIELD ? it->node->field : 0,
                                 &p->root[r]));
        }
        if (p->root[r] < 0) continue;
        wf_value *v = &p->value[p->root[r]];
        v->keep = true;
        if (v->layer >= 0) p->layer[v->layer].root = true;
    }
    for (int l = p->nlayer - 1; l >= 0; l--) {
        if (b->opts->disable & WF_PASS_PRUNE)
            p->layer[l].root = true;  // every block of every layer
        if (p->layer[l].root) p->root_layer[p->nroot_layer++] = l;
    }
    return WEFT_OK;
}

static weft_status build_once(const wf_outline *outline, int nroot, wf_node *const *root,
                              const wf_plan_options *opts, int64_t target, wf_plan **out)
{
    wf_build b = { .outline = outline, .opts = opts, .target = target };
    b.plan = wf_alloc(sizeof *b.plan);
    if (!b.plan) return WEFT_NO_MEMORY;
    b.plan->refs = 1;
    weft_status st = wf_build_items(&b);
    if (st == WEFT_OK) st = mark_roots(&b, root);
    if (st == WEFT_OK) st = wf_build_groups(&b);
    if (st == WEFT_OK) st = lower_all(&b);
    if (st == WEFT_OK) st = set_roots(&b, nroot, root);
    if (st == WEFT_OK) st = wf_plan_exchange(&b);
    if (st == WEFT_OK) st = link_readers(b.plan);
    if (st == WEFT_OK) st = wf_plan_bound(&b);
    fini_build(&b);
    if (st == WEFT_OK) *out = b.plan;
    else wf_plan_release(b.plan);
    return st;
}

// Whether PARTS tasks fit at once.
static bool fits(const wf_plan *p, const wf_plan_options *opts, int64_t parts)
{
    return p->task_bytes <= opts->budget / parts && p->host_bytes <= opts->host_budget / parts;
}

// The part of its budget that the largest task takes.
static double need(const wf_plan *p, const wf_plan_options *opts)
{
    double device = (double)p->task_bytes / (double)opts->budget;
    double host = (double)p->host_bytes / (double)opts->host_budget;
    return device > host ? device : host;
}

static weft_status refuse(const wf_plan *p, const wf_plan_options *opts)
{
    bool host = p->task_bytes <= opts->budget;
    const char *by = host ? p->host_bound_by : p->bound_by;
    if (!by) by = "this request";
    const char *way = "cut the arrays into smaller blocks (weft_rechunk, --blocks)";
    if (strcmp(by, "save") == 0) way = "write smaller chunks (.chunks, --chunks)";
    return wf_fail(WEFT_NO_MEMORY,
                   "plan: one task of %s needs %" PRId64
                   " bytes at once, the memory limit leaves %" PRId64 "; raise the limit or %s",
                   by, host ? p->host_bytes : p->task_bytes,
                   host ? opts->host_budget : opts->budget, way);
}

// Smaller tiles until each slot's share of the budget holds the largest task; at the least, until one task fits alone.
weft_status wf_plan_build(const wf_outline *outline, int nroot, wf_node *const *root,
                          const wf_plan_options *opts, wf_plan **out)
{
    int64_t parts = opts->slots / opts->ndevice + 1, share = opts->budget / parts,
            target = opts->test ? 1024 : TILE;
    if (target > opts->block_size) target = opts->block_size;
    if (target > share / 4) target = share / 4 > 256 ? share / 4 : 256;
    wf_plan *plan = NULL;
    for (;;) {
        wf_plan *next = NULL;
        weft_status st = build_once(outline, nroot, root, opts, target, &next);
        if (st != WEFT_OK) {
            wf_plan_release(plan);
            return st;
        }
        bool better = !plan || need(next, opts) < need(plan, opts);
        if (better) {
            wf_plan_release(plan);
            plan = next;
        } else {
            wf_plan_release(next);
        }
        if (fits(plan, opts, parts) || !better || target <= 4096) break;
        target /= 4;
    }
    if (!fits(plan, opts, 1)) {
        weft_status st = refuse(plan, opts);
        wf_plan_release(plan);
        return st;
    }
    plan->nleaf = (int)outline->bind.nleaf;
    plan->nparam = (int)outline->bind.nparam;
    plan->nlist = (int)outline->bind.nlist;
    for (int l = 0; l < plan->nlayer; l++) plan->nprogram += plan->layer[l].npart;
    plan->hash = outline->hash;
    plan->key_size = outline->key_size;
    plan->key = wf_alloc((size_t)outline->key_size);
    if (!plan->key) {
        wf_plan_release(plan);
        return WEFT_NO_MEMORY;
    }
    memcpy(plan->key, outline->key, (size_t)outline->key_size);
    *out = plan;
    return WEFT_OK;
}

// The natural grid of a node that is not being planned: for the accessors that show a user how an array is cut.
weft_status wf_node_natural_grid(const wf_node *node, const wf_plan_options *opts, wf_grid *out)
{
    const wf_shape *shape = &node->shape;
    for (;;) {
        const wf_node *next = NULL;
        if (node->grid && !node->result) {
            *out = wf_grid_share(node->grid);
            return WEFT_OK;
        }
        if (wf_node_is_leaf(node)) {
            const wf_leaf_header *h = wf_object_header(node->result ? node->result : node->object);
            if (h->direct && wf_grid_nblock(&h->grid) <= 1) break;
            *out = wf_grid_share(&h->grid);
            return WEFT_OK;
        }
        for (int k = 0; k < node->nin && !next; k++)
            if (node->kind != WF_NODE_VIEW && node->kind != WF_NODE_RESHAPE &&
                wf_shape_equal(&node->in[k]->shape, shape))
                next = node->in[k];
        if (!next) break;
        node = next;
    }
    return wf_default_cut(opts, shape, (weft_dtype)node->dtype, out);
}
