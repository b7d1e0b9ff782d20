// SPDX-License-Identifier: Apache-2.0
// outline - one walk over the graph under the requested arrays: topological order, bindings, and the key of everything that is not bound.
#include <string.h>

#include "base/hash.h"
#include "plan/plan.h"

enum { LOOK_BACK = 16 };

int wf_node_param_count(const wf_node *n)
{
    if (n->result) return 0;
    if (n->kind == WF_NODE_SCALAR) return 1;
    if (n->kind == WF_NODE_RANDOM) return n->op == WF_INSTR_INTEGERS ? 4 : 2;
    return 0;
}

static weft_status put(wf_outline *t, const void *bytes, size_t size)
{
    if (t->key_size + (int64_t)size > t->key_capacity)
        WF_TRY(wf_grow(&t->key, &t->key_capacity, t->key_size + (int64_t)size, 1));
    memcpy(t->key + t->key_size, bytes, size);
    t->key_size += (int64_t)size;
    return WEFT_OK;
}

static weft_status put_grid(wf_outline *t, const wf_grid *grid)
{
    for (int i = 0; i < grid->ndim; i++) {
        const wf_grid_axis *a = &grid->axis[i];
        int64_t cut[2] = { a->nblock, a->extent };
        WF_TRY(put(t, cut, sizeof cut));
        if (a->cuts)
            WF_TRY(put(t, a->cuts->edge, (size_t)(a->nblock + 1) * sizeof a->cuts->edge[0]));
    }
    return WEFT_OK;
}

// Scalars are parameters; only what a rewrite may look at is part of the key: this, and which of
// them are equal.
uint8_t wf_scalar_class(const wf_node *n)
{
    double v = 3;
    switch (wf_dtype_kind((weft_dtype)n->dtype)) {
    case 'b': v = n->scalar.b; break;
    case 'i':
        v = n->scalar.i == 0 || n->scalar.i == 1 || n->scalar.i == -1 || n->scalar.i == 2
                ? (double)n->scalar.i
                : 3;
        break;
    case 'u': v = n->scalar.u <= 2 ? (double)n->scalar.u : 3; break;
    case 'f':
        v = n->dtype == WEFT_FLOAT64   ? n->scalar.f64
            : n->dtype == WEFT_FLOAT32 ? (double)n->scalar.f32
                                       : 3;
        break;
    default: break;
    }
    return v == 0    ? WF_CLASS_ZERO
           : v == 1  ? WF_CLASS_ONE
           : v == -1 ? WF_CLASS_MINUS_ONE
           : v == 2  ? WF_CLASS_TWO
                     : WF_CLASS_OTHER;
}

static weft_status put_extra(wf_outline *t, const wf_node *n)
{
    switch (n->kind) {
    case WF_NODE_SCALAR: return put(t, &(uint8_t){ wf_scalar_class(n) }, 1);
    case WF_NODE_VIEW: return put(t, n->map, sizeof *n->map);
    case WF_NODE_COUNTER:
        WF_TRY(put(t, &n->scalar.i, 8));
        return put(t, n->stride, (size_t)n->shape.ndim * 8);
    case WF_NODE_PARTS:
        for (int p = 0; p < n->npart; p++) {
            WF_TRY(put(t, &n->part[p].operand, sizeof n->part[p].operand));
            WF_TRY(put(t, n->part[p].box.start, (size_t)n->shape.ndim * 8));
            WF_TRY(put(t, n->part[p].box.count, (size_t)n->shape.ndim * 8));
            WF_TRY(put(t, &n->part[p].map, sizeof n->part[p].map));
        }
        return WEFT_OK;
    case WF_NODE_REDUCE:
        WF_TRY(put(t, &(uint8_t){ n->inner }, 1));
        return put(t, n->cell, (size_t)n->shape.ndim * 8);
    case WF_NODE_BINCOUNT:
    case WF_NODE_COMPACT: return put(t, n->cell, 8);
    default: return WEFT_OK;
    }
}

static weft_status bind_leaf(wf_outline *t, wf_object *object)
{
    if (t->bind.nleaf == t->leaf_capacity)
        WF_TRY(wf_grow(&t->bind.leaf, &t->leaf_capacity, t->bind.nleaf + 1, sizeof *t->bind.leaf));
    t->bind.leaf[t->bind.nleaf++] = object;
    return WEFT_OK;
}

// The SCALAR among the latest few parameters that equals N, bits and dtype, or N's own number AT.
// So x*3 written twice can be computed once.
static int32_t equal_scalar(const wf_outline *t, const wf_node *n, int32_t at)
{
    for (int32_t k = at - 1; k >= 0 && k >= at - LOOK_BACK; k--)
        if (t->mark[k].dtype == n->dtype &&
            memcmp(&t->bind.param[k], &n->scalar, sizeof n->scalar) == 0)
            return t->mark[k].first;
    return at;
}

static weft_status bind_scalar(wf_outline *t, const wf_node *n)
{
    int32_t at = (int32_t)t->bind.nparam, first = equal_scalar(t, n, at);
    t->mark[at] = (wf_param_mark){ .first = first, .dtype = n->dtype };
    t->bind.param[t->bind.nparam++] = n->scalar;
    return put(t, &(int32_t){ at - first }, sizeof first);
}

static weft_status bind_params(wf_outline *t, const wf_node *n)
{
    int count = wf_node_param_count(n);
    int64_t want = t->bind.nparam + count;
    if (want > t->param_capacity)
        WF_TRY(wf_grow(&t->bind.param, &t->param_capacity, want, sizeof *t->bind.param));
    if (want > t->mark_capacity)
        WF_TRY(wf_grow(&t->mark, &t->mark_capacity, want, sizeof *t->mark));
    if (n->kind == WF_NODE_SCALAR) return bind_scalar(t, n);
    for (int i = 0; i < count; i++) {  // RANDOM: seed, stream, low, span
        t->mark[t->bind.nparam] = (wf_param_mark){ .first = (int32_t)t->bind.nparam };
        t->bind.param[t->bind.nparam++] = ((const wf_scalar *)n->extra)[i];
    }
    return WEFT_OK;
}

static weft_status bind_list(wf_outline *t, wf_list *list)
{
    if (t->bind.nlist == t->list_capacity)
        WF_TRY(wf_grow(&t->bind.list, &t->list_capacity, t->bind.nlist + 1, sizeof *t->bind.list));
    t->bind.list[t->bind.nlist++] = list;
    uint64_t hash = wf_hash_bytes(0, list->item, (size_t)list->count * sizeof list->item[0]);
    WF_TRY(put(t, &list->count, sizeof list->count));
    return put(t, &hash, sizeof hash);
}

static weft_status record(wf_outline *t, wf_node *n)
{
    if (t->count == t->capacity)
        WF_TRY(wf_grow(&t->node, &t->capacity, t->count + 1, sizeof *t->node));
    n->number = (int32_t)t->count;
    t->node[t->count++] = n;

    bool leaf = wf_node_is_leaf(n);
    struct {
        uint8_t kind, dtype, nin, ndim;
        uint16_t op, npart;
        int8_t axis, field, weak, grid;
        int32_t in[4];
    } head = { .kind = leaf ? WF_NODE_LEAF : n->kind,
               .dtype = n->dtype,
               .ndim = (uint8_t)n->shape.ndim };
    if (!leaf) {
        head.nin = (uint8_t)(n->nin > 255 ? 255 : n->nin);
        head.op = n->op;
        head.npart = (uint16_t)n->npart;
        head.axis = n->axis;
        head.field = (int8_t)n->field;
        head.grid = n->grid != NULL;
        for (int i = 0; i < n->nin && i < 4; i++) head.in[i] = n->in[i]->number;
    }
    WF_TRY(put(t, &head, sizeof head));
    WF_TRY(put(t, n->shape.dim, (size_t)n->shape.ndim * sizeof n->shape.dim[0]));
    if (leaf) {
        wf_object *object = n->result ? n->result : n->object;
        const wf_leaf_header *h = wf_object_header(object);
        WF_TRY(put(t, &(uint8_t[2]){ h->direct, h->blocks }, 2));
        WF_TRY(put_grid(t, &h->grid));
        return bind_leaf(t, object);
    }
    for (int i = 4; i < n->nin; i++) WF_TRY(put(t, &n->in[i]->number, sizeof n->in[i]->number));
    if (n->grid) WF_TRY(put_grid(t, n->grid));
    WF_TRY(put_extra(t, n));
    WF_TRY(bind_params(t, n));
    if (n->kind == WF_NODE_SINK) {
        const wf_sink_header *h = n->object->data;
        WF_TRY(put(t, &(uint8_t){ h->any_box }, 1));
        if (!h->any_box) WF_TRY(put_grid(t, &h->grid));
    }
    if (n->object) WF_TRY(bind_leaf(t, n->object));
    return n->list ? bind_list(t, n->list) : WEFT_OK;
}

static weft_status push(wf_outline *t, int64_t depth, wf_node *n)
{
    if (depth == t->stack_capacity)
        WF_TRY(wf_grow(&t->stack, &t->stack_capacity, depth + 1, sizeof *t->stack));
    t->stack[depth].node = n;
    t->stack[depth].next = 0;
    return WEFT_OK;
}

// Depth first with a stack of its own: graphs may be deeper than the thread's.
static weft_status visit(wf_outline *t, uint64_t epoch, wf_node *root)
{
    if (root->mark == epoch) return WEFT_OK;
    root->mark = epoch;
    WF_TRY(push(t, 0, root));
    for (int64_t depth = 1; depth > 0;) {
        wf_node *n = t->stack[depth - 1].node;
        int next = t->stack[depth - 1].next;
        if (wf_node_is_leaf(n) || next == n->nin) {
            WF_TRY(record(t, n));
            depth--;
            continue;
        }
        t->stack[depth - 1].next++;
        wf_node *in = n->in[next];
        if (in->mark == epoch) continue;
        in->mark = epoch;
        WF_TRY(push(t, depth++, in));
    }
    return WEFT_OK;
}

weft_status wf_outline_run(wf_outline *t, uint64_t epoch, int nroot, wf_node *const *root,
                           const wf_plan_options *opts)
{
    t->count = t->bind.nleaf = t->bind.nparam = t->bind.nlist = t->key_size = 0;
    t->nroot = nroot;
    for (int r = 0; r < nroot; r++) {
        WF_TRY(visit(t, epoch, root[r]));
        WF_TRY(put(t, &root[r]->number, sizeof root[r]->number));
    }
    WF_TRY(put(t, opts, sizeof *opts));
    t->hash = wf_hash_bytes(0, t->key, (size_t)t->key_size);
    return WEFT_OK;
}

void wf_outline_fini(wf_outline *t)
{
    wf_free(t->node);
    wf_free(t->bind.leaf);
    wf_free(t->bind.param);
    wf_free(t->mark);
    wf_free(t->bind.list);
    wf_free(t->key);
    wf_free(t->stack);
    memset(t, 0, sizeof *t);
}
