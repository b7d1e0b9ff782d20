// SPDX-License-Identifier: Apache-2.0
// align - what plans look like without alignment: where operands are cut differently, tasks are cut
// at every edge of every operand, slivers and all (their common refinement). With the pass on,
// grid.c follows the largest operand and shifts the others under it; the bits are the same.
#include <stdlib.h>
#include <string.h>

#include "plan/build.h"

typedef struct edge_list {
    int64_t n, capacity;
    int64_t *at;
} edge_list;

// One operand of an item: its grid, and where the item's box BOX reads it.
typedef struct look {
    const wf_grid *grid;
    wf_map map;
    wf_box box;
} look;

static int count_looks(const wf_node *n) { return n->kind == WF_NODE_PARTS ? n->npart : n->nin; }

// Look K of ITEM. False: a scalar, which has no cut.
static bool look_at(wf_build *b, int item, int k, look *out)
{
    const wf_item *it = &b->item[item];
    const wf_node *n = it->node;
    bool parts = n->kind == WF_NODE_PARTS;
    int operand = parts ? n->part[k].operand : k;
    if (operand < 0 || b->item[it->in[operand]].node->kind == WF_NODE_SCALAR) return false;
    out->grid = &b->item[it->in[operand]].grid;  // made before this one: operands come first
    out->box = parts ? n->part[k].box : wf_box_whole(&n->shape);
    out->map = parts                     ? n->part[k].map
               : n->kind == WF_NODE_VIEW ? *n->map
                                         : wf_map_identity(n->shape.ndim);
    return true;
}

static weft_status add_edge(edge_list *e, int64_t at, int64_t dim)
{
    if (at <= 0 || at >= dim) return WEFT_OK;
    if (e->n == e->capacity) WF_TRY(wf_grow(&e->at, &e->capacity, e->n + 1, sizeof *e->at));
    e->at[e->n++] = at;
    return WEFT_OK;
}

// The edges of source axis I as the item's axis sees them.
static weft_status add_source_edges(edge_list *e, const look *l, int i, int64_t dim)
{
    const wf_grid_axis *from = &l->grid->axis[i];
    int t = l->map.axis[i];
    int64_t lo = l->box.start[t], hi = lo + l->box.count[t];
    for (int64_t k = 0; k < from->nblock; k++) {
        int64_t a, z;
        wf_map_preimage(&l->map, i, wf_axis_start(from, k), wf_axis_start(from, k + 1), hi, &a, &z);
        if (a < lo) a = lo;
        if (a >= z) continue;
        WF_TRY(add_edge(e, a, dim));
        WF_TRY(add_edge(e, z, dim));
    }
    return WEFT_OK;
}

static weft_status add_look_edges(edge_list *e, const look *l, int t, int64_t dim)
{
    WF_TRY(add_edge(e, l->box.start[t], dim));
    WF_TRY(add_edge(e, l->box.start[t] + l->box.count[t], dim));
    for (int i = 0; i < l->map.ndim; i++)
        if (l->map.axis[i] == t) WF_TRY(add_source_edges(e, l, i, dim));
    return WEFT_OK;
}

static bool equal_axes(const wf_grid_axis *a, const wf_grid_axis *c)
{
    return a->dim == c->dim && a->nblock == c->nblock && a->extent == c->extent &&
           a->cuts == c->cuts;
}

// The cut that every operand brings to axis T unshifted, or NULL: the usual case, and no list of
// edges.
static const wf_grid_axis *common_axis(wf_build *b, int item, int t)
{
    const wf_node *n = b->item[item].node;
    const wf_grid_axis *common = NULL;
    look l;
    if (n->kind == WF_NODE_PARTS) return NULL;
    for (int k = 0; k < count_looks(n); k++) {
        if (!look_at(b, item, k, &l)) continue;
        for (int i = 0; i < l.map.ndim; i++) {
            const wf_grid_axis *a = &l.grid->axis[i];
            if (l.map.axis[i] != t) continue;
            if (l.map.start[i] != 0 || l.map.step[i] != 1 || a->dim != n->shape.dim[t]) return NULL;
            if (common && !equal_axes(common, a)) return NULL;
            common = a;
        }
    }
    return common;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// Cuts AXIS at the edges listed, which are put in order.
static weft_status cut_at_edges(wf_grid *grid, int axis, edge_list *e)
{
    int64_t from = 0, n = 0, dim = grid->axis[axis].dim;
    WF_TRY(wf_grow(&e->at, &e->capacity, e->n + 1, sizeof *e->at));
    e->at[e->n++] = dim;
    qsort(e->at, (size_t)e->n, sizeof *e->at, by_value);
    for (int64_t k = 0; k < e->n; k++) {
        int64_t extent = e->at[k] - from;
        from = e->at[k];
        if (extent > 0) e->at[n++] = extent;
    }
    return wf_grid_set_axis(grid, axis, n, e->at);
}

weft_status wf_refine_grid(wf_build *b, int item, wf_grid *grid)
{
    const wf_node *n = b->item[item].node;
    edge_list e = { 0 };
    weft_status st = WEFT_OK;
    for (int t = 0; t < n->shape.ndim && st == WEFT_OK; t++) {
        const wf_grid_axis *common = common_axis(b, item, t);
        if (common) {
            grid->axis[t] = *common;
            if (common->cuts) __atomic_add_fetch(&common->cuts->refs, 1, __ATOMIC_RELAXED);
            continue;
        }
        e.n = 0;
        look l;
        for (int k = 0; k < count_looks(n) && st == WEFT_OK; k++)
            if (look_at(b, item, k, &l)) st = add_look_edges(&e, &l, t, n->shape.dim[t]);
        if (st == WEFT_OK && n->shape.dim[t] > 0) st = cut_at_edges(grid, t, &e);
    }
    wf_free(e.at);
    return st;
}

weft_status wf_recut_axis(wf_grid *grid, int axis, int64_t most, int64_t unit, bool merge)
{
    const wf_grid_axis *a = &grid->axis[axis];
    edge_list e = { 0 };
    int64_t begin = 0;  // of the block being put together
    weft_status st = WEFT_OK;
    for (int64_t k = 1; k <= a->nblock && st == WEFT_OK; k++) {
        int64_t end = (wf_axis_start(a, k) + unit - 1) / unit * unit;
        int64_t next =
            k < a->nblock ? (wf_axis_start(a, k + 1) + unit - 1) / unit * unit : INT64_MAX;
        if (merge && next != INT64_MAX && next - begin <= most) continue;
        for (; end - begin > most && st == WEFT_OK; begin += most)
            st = add_edge(&e, begin + most, a->dim);
        if (st == WEFT_OK) st = add_edge(&e, end, a->dim);
        begin = end;
    }
    if (st == WEFT_OK) st = cut_at_edges(grid, axis, &e);
    wf_free(e.at);
    return st;
}
