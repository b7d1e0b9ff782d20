// SPDX-License-Identifier: Apache-2.0
// fuse - which nodes become one layer: elementwise chains are inlined into the layer that consumes
// them, and independent layers over the same iteration space become one layer with several outputs.
//
// Views need no pass of their own: a chain is emitted from its consumer toward its sources, and a
// view met on the way only composes an index map. So slices, transposes and broadcasts reach the
// sources by construction ("push"), and nothing is computed that no consumer reads ("prune").
// Turning these off means giving blocks to what would have none; see undo_passes.
#include <string.h>

#include "base/hash.h"
#include "plan/build.h"

enum { MAX_SIZE = 120, MAX_LOADS = 20, SATURATE = 1 << 20 };

static bool is_elementwise(const wf_node *n)
{
    switch (n->kind) {
    case WF_NODE_SCALAR:
    case WF_NODE_COUNTER:
    case WF_NODE_RANDOM:
    case WF_NODE_MAP:
    case WF_NODE_CAST:
    case WF_NODE_VIEW:
    case WF_NODE_PARTS:
    case WF_NODE_RECHUNK: return true;
    default: return false;
    }
}

bool wf_needs_value(const wf_node *node)
{
    if (node->kind == WF_NODE_REDUCE)
        return node->nin > 1;  // combining reads the fields as they are
    if (node->kind == WF_NODE_GROUP) return false;
    return !is_elementwise(node);
}

// Operands that a layer can read through an affine map; the others must have the operand's own blocks.
static bool reads_through_views(const wf_node *node)
{
    return node->kind == WF_NODE_CONTRACT || node->kind == WF_NODE_SINK ||
           node->kind == WF_NODE_SCAN || node->kind == WF_NODE_CALL;
}

static int saturate(int64_t v) { return v > SATURATE ? SATURATE : (int)v; }

static int64_t node_cost(const wf_node *n)
{
    if (n->kind == WF_NODE_MAP)
        return wf_op_cost((wf_op)n->op) * (wf_dtype_kind((weft_dtype)n->dtype) == 'c' ? 4 : 1);
    if (n->kind == WF_NODE_RANDOM) return n->op == WF_INSTR_NORMAL ? 350 : 120;
    return n->kind == WF_NODE_CAST ? 4 : 2;
}

// What inlining an item into its consumer would cost; decides what gets blocks because it would be too much.
static void weigh(wf_build *b, int i)
{
    wf_item *it = &b->item[i];
    const wf_node *n = it->node;
    it->reads = n->kind == WF_NODE_RANDOM ? 1ull << (wf_hash_u64(7, (uint64_t)i) & 63) : 0;
    for (int k = 0; !it->is_leaf && k < n->nin; k++) it->reads |= b->item[it->in[k]].sources;
    if (it->stored) {
        it->size = it->loads = 1;
        it->cost = 2;
        it->sources = 1ull << (wf_hash_u64(7, (uint64_t)i) & 63);
        return;
    }
    int64_t size = 1, loads = n->kind == WF_NODE_COUNTER || n->kind == WF_NODE_RANDOM,
            cost = node_cost(n);
    it->sources = it->reads;
    if (n->kind == WF_NODE_REDUCE && n->nin == 1) cost = 5;
    for (int k = 0; k < n->nin; k++) {
        const wf_item *in = &b->item[it->in[k]];
        size += in->size;
        loads += in->loads;
        cost += in->cost;
    }
    it->size = saturate(size);
    it->loads = saturate(loads);
    it->cost = saturate(cost);
}

static void mark_stored(wf_build *b, int i)
{
    if (b->item[i].node->kind != WF_NODE_SCALAR) b->item[i].stored = true;
}

// What is to have blocks so that a layer can read operand I through views: the first item on the
// way to the data that something else needs too, so that slices of one array do not become several
// arrays; else the operand itself, of which then no more is made than is read.
static int behind_views(const wf_build *b, int i)
{
    for (int at = i;; at = b->item[at].in[0]) {
        const wf_item *it = &b->item[at];
        if (it->uses > 1 && it->node->kind != WF_NODE_SCALAR) return at;
        if (it->stored || (it->node->kind != WF_NODE_VIEW && it->node->kind != WF_NODE_RECHUNK))
            return i;
    }
}

// Operands that must have blocks: those of layers that cannot run a program while reading, looked up through views where that is enough.
static void store_operands(wf_build *b, int i)
{
    const wf_node *n = b->item[i].node;
    for (int k = 0; k < n->nin; k++) {
        int in = b->item[i].in[k];
        wf_map map;
        if (!wf_needs_value(n)) continue;
        int stored = reads_through_views(n) ? wf_resolve_read(b, in, &map) : -1;
        if (stored < 0) mark_stored(b, stored = reads_through_views(n) ? behind_views(b, in) : in);
        b->item[stored].square |= n->kind == WF_NODE_CONTRACT;
    }
}

// Stores an item that was already weighed as part of its consumer.
static void cut_at(wf_build *b, int i)
{
    mark_stored(b, i);
    weigh(b, i);
}

// A view that repeats a computed operand many times: compute it once. Too large a tree: cut it here.
static void store_expensive(wf_build *b, int i)
{
    wf_item *it = &b->item[i];
    const wf_node *n = it->node;
    if (b->opts->disable & WF_PASS_FUSE && is_elementwise(n) && n->kind != WF_NODE_SCALAR &&
        n->kind != WF_NODE_VIEW)
        mark_stored(b, i);
    if (n->kind == WF_NODE_VIEW) {
        wf_item *in = &b->item[it->in[0]];
        if (!in->stored && in->cost > 20 && in->loads > 0 &&
            wf_shape_size(&n->shape) > 2 * wf_shape_size(&in->node->shape))
            cut_at(b, it->in[0]);
    }
    if (it->size <= MAX_SIZE && it->loads <= MAX_LOADS) return;
    for (int k = 0; k < n->nin; k++)
        if (b->item[it->in[k]].size > 1) cut_at(b, it->in[k]);
}

int wf_resolve_read(const wf_build *b, int item, wf_map *map)
{
    *map = wf_map_identity(b->item[item].node->shape.ndim);
    for (;;) {
        const wf_item *it = &b->item[item];
        if (it->stored) return item;
        if (it->node->kind == WF_NODE_VIEW) *map = wf_map_compose(map, it->node->map);
        else if (it->node->kind != WF_NODE_RECHUNK) return -1;
        item = it->in[0];
    }
}

static void measure(wf_build *b)
{
    for (int i = 0; i < b->nitem; i++) {
        if (!b->item[i].needed) continue;
        weigh(b, i);
        store_expensive(b, i);
        weigh(b, i);
    }
}

static void set_depths(wf_build *b)
{
    for (int i = 0; i < b->nitem; i++) {
        wf_item *it = &b->item[i];
        it->depth = 0;
        if (it->is_leaf || !it->needed) continue;
        for (int k = 0; k < it->node->nin; k++)
            if (b->item[it->in[k]].depth > it->depth) it->depth = b->item[it->in[k]].depth;
        if ((it->stored && it->node->kind != WF_NODE_FIELD) || it->node->kind == WF_NODE_REDUCE)
            it->depth++;
    }
}

static bool is_plain_reduce(const wf_node *n) { return n->kind == WF_NODE_REDUCE && n->nin == 1; }

// The iteration space of a layer.
static const wf_shape *space(const wf_build *b, int i)
{
    const wf_node *n = b->item[i].node;
    return n->kind == WF_NODE_REDUCE ? &b->item[b->item[i].in[0]].node->shape : &n->shape;
}

// Two layers that walk the same space, read something in common and do not wait for each other are one.
static bool can_join(const wf_build *b, int i, int j)
{
    const wf_item *x = &b->item[i], *y = &b->item[j];
    if (b->opts->disable & WF_PASS_FUSE || x->depth != y->depth || !(x->reads & y->reads))
        return false;
    if (!wf_shape_equal(space(b, i), space(b, j))) return false;
    if (is_plain_reduce(x->node) && is_plain_reduce(y->node))
        return x->node->inner == y->node->inner &&
               memcmp(x->node->cell, y->node->cell, (size_t)x->node->shape.ndim * 8) == 0;
    return is_elementwise(x->node) && is_elementwise(y->node) &&
           wf_node_grids_equal(x->node, y->node);
}

enum { MAX_MEMBERS = 6, LOOK_BACK = 32 };

static bool joins_any(const wf_build *b, const wf_group *group, int i)
{
    for (int m = 0; m < group->nmember; m++)
        if (can_join(b, group->member[m], i)) return true;
    return false;
}

static weft_status add_member(wf_build *b, int g, int i)
{
    wf_group *group = &b->group[g];
    int *grown = wf_realloc(group->member, (size_t)(group->nmember + 1) * sizeof *grown);
    if (!grown) return WEFT_NO_MEMORY;
    group->member = grown;
    group->member[group->nmember++] = i;
    b->item[i].group = g;
    return WEFT_OK;
}

static weft_status new_group(wf_build *b, int i)
{
    if (b->ngroup == b->group_capacity)
        WF_TRY(wf_grow(&b->group, &b->group_capacity, b->ngroup + 1, sizeof *b->group));
    b->group[b->ngroup] = (wf_group){ .depth = b->item[i].depth, .layer = -1 };
    return add_member(b, b->ngroup++, i);
}

// Puts the item with those it can be computed beside. It may be the link between groups that had nothing in common before it (u*u, v*v, then
// u*v): they become one; an emptied group makes no layer.
static weft_status join_group(wf_build *b, int i)
{
    int home = -1;
    for (int g = b->ngroup - 1; g >= 0 && g >= b->ngroup - LOOK_BACK; g--) {
        wf_group *group = &b->group[g];
        int have = home < 0 ? 1 : b->group[home].nmember;
        if (group->nmember == 0 || group->nmember + have > MAX_MEMBERS || !joins_any(b, group, i))
            continue;
        if (home < 0) {
            home = g;
            WF_TRY(add_member(b, g, i));
            continue;
        }
        for (int m = 0; m < group->nmember; m++) WF_TRY(add_member(b, home, group->member[m]));
        group->nmember = 0;
    }
    return home < 0 ? new_group(b, i) : WEFT_OK;
}

static void drop_groups(wf_build *b)
{
    for (int g = 0; g < b->ngroup; g++) wf_free(b->group[g].member);
    b->ngroup = 0;
    for (int i = 0; i < b->nitem; i++) b->item[i].group = -1;
}

static bool makes_layer(const wf_item *it)
{
    return it->needed && !it->is_leaf && it->node->kind != WF_NODE_FIELD &&
           (it->stored || it->node->kind == WF_NODE_REDUCE);
}

// Who inlines each item: one group, or several, in which case an expensive one is better computed once.
static bool store_shared(wf_build *b)
{
    bool changed = false;
    for (int i = 0; i < b->nitem; i++) b->item[i].owner = -1;
    for (int i = b->nitem - 1; i >= 0; i--) {
        wf_item *it = &b->item[i];
        if (!it->needed || it->is_leaf) continue;
        int64_t bytes =
            wf_shape_size(&it->node->shape) * (int64_t)wf_dtype_size((weft_dtype)it->node->dtype);
        bool fits = bytes <= b->opts->budget_all / 4;
        if (!makes_layer(it) && it->node->kind != WF_NODE_FIELD && it->owner == -2 &&
            it->cost > (fits ? 100 : 4000) && it->loads > 0 && it->node->kind != WF_NODE_VIEW &&
            it->node->kind != WF_NODE_RECHUNK) {
            mark_stored(b, i);
            changed = true;
            continue;
        }
        int from = makes_layer(it) ? it->group : it->owner;
        for (int k = 0; k < it->node->nin; k++) {
            wf_item *in = &b->item[it->in[k]];
            in->owner = in->owner == -1 || in->owner == from ? from : -2;
        }
    }
    return changed;
}

// A scalar, or one repeated: what has no blocks to read.
static bool is_constant(const wf_build *b, int i)
{
    while (!b->item[i].is_leaf && b->item[i].node->kind == WF_NODE_VIEW) i = b->item[i].in[0];
    return !b->item[i].is_leaf && b->item[i].node->kind == WF_NODE_SCALAR;
}

static void store_whole(wf_build *b, int i)
{
    for (int k = 0; k < b->item[i].node->nin; k++)
        if (!is_constant(b, b->item[i].in[k])) mark_stored(b, b->item[i].in[k]);
    if (!is_constant(b, i)) mark_stored(b, i);
}

static bool straddles(const wf_grid_axis *a, int64_t cell)
{
    if (!a->cuts) return a->nblock > 1 && a->extent % cell != 0;
    for (int64_t k = 1; k < a->nblock; k++)
        if (a->cuts->edge[k] % cell != 0) return true;
    return false;
}

// Cells that hold pieces of several blocks: each block is to be a task of its own, so the tasks
// that reduce a cell read what other tasks have written.
static weft_status store_small_blocks(wf_build *b, int i)
{
    const wf_node *n = b->item[i].node;
    int in = b->item[i].in[0];
    const wf_grid *grid;
    bool small = false;
    WF_TRY(wf_item_grid(b, in, &grid));
    for (int a = 0; a < grid->ndim; a++) small |= straddles(&grid->axis[a], n->cell[a]);
    if (small && !is_constant(b, in)) mark_stored(b, in);
    return WEFT_OK;
}

// What a pass that is turned off would have saved: views are copied by layers of their own (push),
// arrays made of parts are made whole, and so is every part (prune), every block is a task (group).
static weft_status undo_passes(wf_build *b, int i)
{
    const wf_node *n = b->item[i].node;
    unsigned off = b->opts->disable;
    bool view = n->kind == WF_NODE_VIEW || n->kind == WF_NODE_RECHUNK;
    if ((off & WF_PASS_PUSH && view) || (off & WF_PASS_PRUNE && n->kind == WF_NODE_PARTS))
        store_whole(b, i);
    if (off & WF_PASS_GROUP && n->kind == WF_NODE_REDUCE && n->nin == 1)
        return store_small_blocks(b, i);
    return WEFT_OK;
}

// Random numbers and counters cost less to make again than to write to disk and read back, or to keep while something else has to go: an array
// of them that a layer without a program needs whole, and that does not fit, is made anew by its other consumers.
static void find_remade(wf_build *b)
{
    enum { CHEAP = 400 };
    for (int i = 0; i < b->nitem; i++) {
        wf_item *it = &b->item[i];
        const wf_node *n = it->node;
        it->remake =
            it->is_leaf || n->kind == WF_NODE_PARTS || !is_elementwise(n) ? -1 : node_cost(n);
        for (int k = 0; k < n->nin && it->remake >= 0; k++) {
            const int64_t in = b->item[it->in[k]].remake;
            it->remake = in < 0 ? -1 : saturate(it->remake + in);
        }
        int64_t bytes = wf_shape_size(&n->shape) * (int64_t)wf_dtype_size((weft_dtype)n->dtype);
        it->remade = it->needed && it->stored && it->uses > 1 && it->remake >= 0 &&
                     it->remake <= CHEAP && bytes > b->opts->budget_all / 4;
    }
}

weft_status wf_build_groups(wf_build *b)
{
    for (int i = b->nitem - 1; i >= 0; i--) {
        wf_item *it = &b->item[i];
        if (!it->needed || it->is_leaf) continue;
        for (int k = 0; k < it->node->nin; k++) {
            b->item[it->in[k]].needed = true;
            b->item[it->in[k]].uses++;
        }
    }
    for (int i = 0; i < b->nitem; i++) {
        wf_item *it = &b->item[i];
        if (!it->needed || it->is_leaf) continue;
        if (!is_elementwise(it->node) && it->node->kind != WF_NODE_REDUCE) it->stored = true;
        WF_TRY(undo_passes(b, i));
        store_operands(b, i);
    }
    if (!(b->opts->disable & WF_PASS_FUSE)) find_remade(b);
    for (int round = 0; round < 8; round++) {
        drop_groups(b);
        measure(b);
        set_depths(b);
        for (int i = 0; i < b->nitem; i++)
            if (makes_layer(&b->item[i])) WF_TRY(join_group(b, i));
        if (b->opts->disable & WF_PASS_FUSE || !store_shared(b)) break;
    }
    return WEFT_OK;
}
