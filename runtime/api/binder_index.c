// SPDX-License-Identifier: Apache-2.0
// binder_index - what stands in brackets behind an array: cuts, masks and lists of indices; in a
// kernel's body, neighbours.
#include "api/binder.h"
#include "array/cut.h"

static weft_status read_bound(wf_binder *b, const wf_term *v, uint32_t flag, weft_cut *cut,
                              int64_t *out)
{
    if (v->kind == WF_TERM_NONE) return WEFT_OK;
    WF_TRY(wf_term_i64(b, v, out));
    cut->bounds |= flag;
    return WEFT_OK;
}

static weft_status read_slice(wf_binder *b, const wf_term *v, weft_cut *out)
{
    weft_cut cut = weft_cut_all();
    int64_t step = 1;

    WF_TRY(read_bound(b, &v->as.item[0], 1, &cut, &cut.start));
    WF_TRY(read_bound(b, &v->as.item[1], 2, &cut, &cut.stop));
    if (v->as.item[2].kind != WF_TERM_NONE) WF_TRY(wf_term_i64(b, &v->as.item[2], &step));
    if (step == 0) return wf_expr_fail(b->expr, v->node, WEFT_INVALID, "slice step cannot be zero");
    cut.step = step;
    *out = cut;
    return WEFT_OK;
}

static weft_status read_cut(wf_binder *b, const wf_term *v, weft_cut *out)
{
    switch ((wf_term_kind)v->kind) {
    case WF_TERM_INT: *out = weft_cut_at(v->as.i); return WEFT_OK;
    case WF_TERM_NONE: *out = weft_cut_new(); return WEFT_OK;
    case WF_TERM_ELLIPSIS: *out = weft_cut_rest(); return WEFT_OK;
    case WF_TERM_SLICE: return read_slice(b, v, out);
    default:
        return wf_expr_fail(b->expr, v->node, WEFT_INVALID,
                            "expected an index, a slice, '...' or None, got %s",
                            wf_term_describe(v));
    }
}

// The items of an index. Of arrays among them, at most one; *AT is its place.
typedef struct cuts {
    int n, at;
    weft_array *array;
    weft_cut cut[WF_CUTS_MAX];
} cuts;

static weft_status read_cuts(wf_binder *b, int32_t node, cuts *out)
{
    int32_t n = b->expr->node[node].nchild - 1;

    *out = (cuts){ .at = -1 };
    if (n > WF_CUTS_MAX)
        return wf_expr_fail(b->expr, node, WEFT_INVALID, "expected at most %d indices, got %d",
                            WF_CUTS_MAX, (int)n);
    for (int32_t i = 0; i < n; i++) {
        const wf_term *v = &b->value[wf_expr_child(b->expr, node, i + 1)];
        if (v->kind != WF_TERM_ARRAY && v->kind != WF_TERM_SEQUENCE) {
            WF_TRY(read_cut(b, v, &out->cut[i]));
            continue;
        }
        if (out->array)
            return wf_expr_fail(
                b->expr, v->node, WEFT_UNSUPPORTED,
                "an index with more than one array is not supported by this version");
        WF_TRY(wf_term_array(b, v, &out->array));
        out->cut[i] = weft_cut_all();
        out->at = i;
    }
    out->n = n;
    return WEFT_OK;
}

// Where the axis of cut AT is, once the others have been made.
static weft_status result_axis(wf_binder *b, int32_t node, const weft_array *x, const cuts *c,
                               int *out)
{
    int named = 0, axis = 0;

    for (int i = 0; i < c->n; i++) {
        if (c->cut[i].kind == WEFT_CUT_AT)
            return wf_expr_fail(
                b->expr, node, WEFT_UNSUPPORTED,
                "an array and an integer in one index are not supported by this version");
        named += c->cut[i].kind == WEFT_CUT_SLICE;
    }
    for (int i = 0; i < c->at; i++)
        axis += c->cut[i].kind == WEFT_CUT_REST ? weft_array_ndim(x) - named : 1;
    *out = axis;
    return WEFT_OK;
}

static weft_status select_array(wf_binder *b, int32_t node, weft_array *x, const cuts *c,
                                wf_term *out)
{
    int axis = 0;

    if (weft_array_dtype(c->array) == WEFT_BOOL) {
        if (c->n != 1)
            return wf_expr_fail(b->expr, node, WEFT_UNSUPPORTED,
                                "a mask beside other indices is not supported by this version");
        return wf_term_give(b, node, weft_mask(x, c->array), out);
    }
    WF_TRY(result_axis(b, node, x, c, &axis));
    if (c->n > 1) {
        WF_TRY(wf_term_give(b, node, weft_index(x, c->n, c->cut), out));
        x = out->as.array;
    }
    return wf_term_give(b, node, weft_take(x, c->array, axis), out);
}

// One item of a tuple, such as x.shape[0].
static weft_status pick(wf_binder *b, int32_t node, const wf_term *tuple, wf_term *out)
{
    int64_t i;

    if (b->expr->node[node].nchild != 2)
        return wf_expr_fail(b->expr, node, WEFT_INVALID, "a tuple has one index");
    WF_TRY(wf_term_i64(b, &b->value[wf_expr_child(b->expr, node, 1)], &i));
    if (i < -tuple->count || i >= tuple->count)
        return wf_expr_fail(b->expr, node, WEFT_INVALID,
                            "index %" PRId64 " is out of bounds for a tuple of %d", i,
                            (int)tuple->count);
    *out = tuple->as.item[i < 0 ? i + tuple->count : i];
    return WEFT_OK;
}

weft_status wf_binder_index(wf_binder *b, int32_t node, wf_term *out)
{
    const wf_term *object = &b->value[wf_expr_child(b->expr, node, 0)];
    weft_array *x;
    cuts c;

    if (object->kind == WF_TERM_SEQUENCE) return pick(b, node, object, out);
    if (object->kind != WF_TERM_ARRAY)
        return wf_expr_fail(b->expr, node, WEFT_INVALID, "%s has no index",
                            wf_term_describe(object));
    WF_TRY(wf_term_array(b, object, &x));
    WF_TRY(read_cuts(b, node, &c));
    if (c.array) return select_array(b, node, x, &c, out);
    return wf_term_give(b, node, weft_index(x, c.n, c.cut), out);
}

// --- neighbours ---

static const int pad_modes[] = { [WEFT_BOUNDARY_NEAREST] = WEFT_PAD_EDGE,
                                 [WEFT_BOUNDARY_ZERO] = WEFT_PAD_CONSTANT,
                                 [WEFT_BOUNDARY_WRAP] = WEFT_PAD_WRAP,
                                 [WEFT_BOUNDARY_REFLECT] = WEFT_PAD_REFLECT };

// X moved by OFFSET: element i is X[i + OFFSET], and beyond the ends what the boundary says.
static weft_array *shift(const wf_binder *b, weft_array *x, const int64_t *offset)
{
    const weft_pad_options opts = { .mode = pad_modes[b->boundary] };
    int64_t before[WEFT_MAX_NDIM], after[WEFT_MAX_NDIM];
    int nd = weft_array_ndim(x);
    weft_cut cut[WEFT_MAX_NDIM];

    for (int a = 0; a < nd; a++) {
        int64_t dim = weft_array_dim(x, a), start = offset[a] > 0 ? offset[a] : 0;
        before[a] = offset[a] < 0 ? -offset[a] : 0;
        after[a] = start;
        cut[a] = weft_cut_slice(start, start + dim, 1);
    }
    return weft_index(weft_pad(x, nd, before, after, &opts), nd, cut);
}

weft_status wf_binder_neighbour(wf_binder *b, int32_t node, wf_term *out)
{
    const wf_term *object = &b->value[wf_expr_child(b->expr, node, 0)];
    int n = b->expr->node[node].nchild - 1;
    int64_t offset[WEFT_MAX_NDIM];
    bool moved = false;

    if (object->kind != WF_TERM_ARRAY)
        return wf_expr_fail(b->expr, node, WEFT_INVALID, "%s has no neighbours",
                            wf_term_describe(object));
    weft_array *x = object->as.array;
    if (n != weft_array_ndim(x))
        return wf_expr_fail(b->expr, node, WEFT_INVALID,
                            "a neighbour has one offset per axis: expected %d, got %d",
                            weft_array_ndim(x), n);
    for (int a = 0; a < n; a++) {
        const wf_term *v = &b->value[wf_expr_child(b->expr, node, a + 1)];
        WF_TRY(wf_term_i64(b, v, &offset[a]));
        if (offset[a] < -INT32_MAX || offset[a] > INT32_MAX)
            return wf_expr_fail(b->expr, v->node, WEFT_INVALID,
                                "offset %" PRId64 " is out of range", offset[a]);
        moved |= offset[a] != 0;
    }
    if (!moved || weft_array_size(x) == 0) {
        *out = *object;
        return WEFT_OK;
    }
    return wf_term_give(b, node, shift(b, x, offset), out);
}
