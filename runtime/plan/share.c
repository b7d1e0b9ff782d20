// SPDX-License-Identifier: Apache-2.0
// share - the items of a plan: one per traced node, equal subexpressions standing for one another,
// constants folded (fold.c) on the way.
#include <string.h>

#include "base/hash.h"
#include "plan/build.h"

bool wf_node_grids_equal(const wf_node *a, const wf_node *c)
{
    return a->grid == c->grid || (a->grid && c->grid && wf_grid_equal(a->grid, c->grid));
}

// Two of these are never equal: they differ in what is bound. SCALARs say by their parameter
// whether they do.
static bool is_unique(const wf_node *n)
{
    return n->kind == WF_NODE_RANDOM || n->kind == WF_NODE_SINK || n->kind == WF_NODE_CALL ||
           n->list;
}

static uint64_t item_hash(const wf_build *b, int i)
{
    const wf_item *it = &b->item[i];
    const wf_node *n = it->node;
    if (it->is_leaf || is_unique(n)) return wf_hash_u64(1, (uint64_t)i);
    uint64_t h = wf_hash_u64((uint64_t)n->kind << 32 | (uint64_t)n->op << 8 | n->dtype,
                             (uint64_t)n->field << 8 | (uint8_t)n->axis);
    h = wf_hash_bytes(h, n->shape.dim, (size_t)n->shape.ndim * 8);
    if (n->kind == WF_NODE_SCALAR) h = wf_hash_u64(h, (uint64_t)it->param);
    if (n->kind == WF_NODE_VIEW) h = wf_hash_bytes(h, n->map, sizeof *n->map);
    if (n->kind == WF_NODE_COUNTER) h = wf_hash_u64(h, (uint64_t)n->scalar.i);
    if (n->kind == WF_NODE_PARTS) h = wf_hash_bytes(h, n->part, sizeof *n->part);
    for (int k = 0; k < n->nin; k++) h = wf_hash_u64(h, (uint64_t)it->in[k]);
    return h;
}

static bool extra_equal(const wf_node *a, const wf_node *c)
{
    size_t nd = (size_t)a->shape.ndim * 8;
    switch (a->kind) {
    case WF_NODE_VIEW: return memcmp(a->map, c->map, sizeof *a->map) == 0;
    case WF_NODE_COUNTER:
        return a->scalar.i == c->scalar.i && memcmp(a->stride, c->stride, nd) == 0;
    case WF_NODE_REDUCE: return memcmp(a->cell, c->cell, nd) == 0;
    case WF_NODE_PARTS:
        return a->npart == c->npart &&
               memcmp(a->part, c->part, (size_t)a->npart * sizeof *a->part) == 0;
    case WF_NODE_BINCOUNT: return a->cell[0] == c->cell[0];
    default: return true;
    }
}

static bool items_equal(const wf_build *b, int i, int j)
{
    const wf_item *x = &b->item[i], *y = &b->item[j];
    const wf_node *a = x->node, *c = y->node;
    if (x->is_leaf || y->is_leaf || is_unique(a) || is_unique(c)) return false;
    if (a->kind != c->kind || a->op != c->op || a->dtype != c->dtype || a->nin != c->nin ||
        a->field != c->field || a->axis != c->axis)
        return false;
    if (a->kind == WF_NODE_SCALAR && x->param != y->param) return false;
    if (!wf_shape_equal(&a->shape, &c->shape) || !wf_node_grids_equal(a, c)) return false;
    for (int k = 0; k < a->nin; k++)
        if (x->in[k] != y->in[k]) return false;
    return extra_equal(a, c);
}

static int find_equal(wf_build *b, int i)
{
    int64_t mask = b->table_mask;
    uint64_t h = b->item[i].hash;
    for (int64_t at = (int64_t)(h & (uint64_t)mask);; at = (at + 1) & mask) {
        int j = b->table[at] - 1;
        if (j < 0) {
            b->table[at] = i + 1;
            return i;
        }
        if (b->item[j].hash == h && items_equal(b, i, j)) return j;
    }
}

int wf_item_add(wf_build *b, const wf_item *item)
{
    int i = b->nitem++;
    wf_item *it = &b->item[i];
    *it = *item;
    it->group = it->owner = -1;
    it->value[0] = it->value[1] = it->value[2] = it->host_value = -1;
    it->stored = it->is_leaf;
    it->hash = item_hash(b, i);
    it->rep = i;
    int equal = b->opts->disable & WF_PASS_SHARE ? i : find_equal(b, i);
    if (equal != i) it->rep = b->item[equal].rep;
    else if (!(b->opts->disable & WF_PASS_FOLD)) it->rep = wf_fold(b, i);
    return it->rep;
}

// Room for every traced node and, where constants are folded, for some made up on the way.
static weft_status make_room(wf_build *b)
{
    const wf_outline *t = b->outline;
    int64_t operands = 0, slots = 16, more = b->opts->disable & WF_PASS_FOLD ? 0 : t->count + 16;
    for (int64_t i = 0; i < t->count; i++)
        operands += wf_node_is_leaf(t->node[i]) ? 0 : t->node[i]->nin;
    b->item_capacity = t->count + more;
    while (slots < 2 * b->item_capacity) slots *= 2;
    b->table_mask = slots - 1;
    b->item = wf_calloc((size_t)b->item_capacity, sizeof *b->item);
    b->place = wf_calloc((size_t)t->count, sizeof *b->place);
    b->own = wf_calloc((size_t)t->count, sizeof *b->own);
    b->in_pool = wf_calloc((size_t)(operands + 2 * more), sizeof *b->in_pool);
    b->table = wf_calloc((size_t)slots, sizeof *b->table);
    b->in_next = b->in_pool;
    return b->item && b->place && b->own && b->in_pool && b->table ? WEFT_OK : WEFT_NO_MEMORY;
}

weft_status wf_build_items(wf_build *b)
{
    const wf_outline *t = b->outline;
    WF_TRY(make_room(b));
    int leaf = 0, param = 0, list = 0;
    for (int64_t i = 0; i < t->count; i++) {
        wf_node *n = t->node[i];
        wf_item it = { .node = n, .is_leaf = wf_node_is_leaf(n), .leaf = -1, .list = -1 };
        it.in = b->in_next;
        if (!it.is_leaf)
            for (int k = 0; k < n->nin; k++) *b->in_next++ = b->place[n->in[k]->number];
        if (it.is_leaf || n->object) it.leaf = leaf++;
        if (!it.is_leaf && n->list) it.list = list++;
        bool shares = wf_node_param_count(n) > 0 && !(b->opts->disable & WF_PASS_SHARE);
        it.param = shares ? t->mark[param].first : param;
        it.class = n->kind == WF_NODE_SCALAR ? wf_scalar_class(n) : WF_CLASS_OTHER;
        param += wf_node_param_count(n);
        b->own[i] = b->nitem;
        b->place[i] = wf_item_add(b, &it);
    }
    return WEFT_OK;
}

int wf_root_item(const wf_build *b, const wf_node *root)
{
    int item = b->place[root->number];
    return b->item[item].is_leaf ? b->own[root->number] : item;
}
