// SPDX-License-Identifier: Apache-2.0
// make_group - selections and sums that follow lists of integers: the lists exist when the node is
// made, because they decide which data goes where. Checking and normalising them is the caller's
// work.
#include "graph/make_chain.h"

// Shares LIST with N, just made.
static wf_node *with_list(wf_node *n, wf_list *list, int axis)
{
    if (!n) return NULL;
    __atomic_add_fetch(&list->refs, 1, __ATOMIC_RELAXED);
    n->list = list;
    n->axis = (int8_t)axis;
    return n;
}

weft_status wf_make_take(wf_node *x, wf_list *indices, int axis, wf_node **out)
{
    wf_shape shape = x->shape;
    wf_chain c = { 0 };

    WF_TRY(wf_axis_normalize("take", axis, shape.ndim, &axis));
    shape.dim[axis] = indices->count;
    WF_TRY(wf_shape_init(&shape, "take", shape.ndim, shape.dim));
    if (wf_shape_size(&shape) == 0) return wf_make_constant((weft_dtype)x->dtype, &shape, 0, out);
    wf_node *y = wf_chain_hold(
        &c, wf_node_create(WF_NODE_TAKE, (weft_dtype)x->dtype, &shape, 1, &x, &c.next));
    return wf_chain_give(&c, with_list(y, indices, axis), out);
}

weft_status wf_make_compact(wf_node *x, wf_node *mask, wf_list *counts, int64_t cell, wf_node **out)
{
    wf_shape shape = { .ndim = 1 };
    wf_chain c = { 0 };

    if (x->shape.ndim != 1 || mask->shape.ndim != 1 || x->shape.dim[0] != mask->shape.dim[0] ||
        mask->dtype != WEFT_BOOL || cell < 1)
        return wf_fail(WEFT_INTERNAL, "mask: expected one axis of data and as long a bool mask");
    for (int64_t i = 0; i < counts->count; i++) shape.dim[0] += counts->item[i];
    if (shape.dim[0] == 0) return wf_make_constant((weft_dtype)x->dtype, &shape, 0, out);
    wf_node *y = wf_chain_hold(&c, wf_node_create(WF_NODE_COMPACT, (weft_dtype)x->dtype, &shape, 2,
                                                  (wf_node *[]){ x, mask }, &c.next));
    if (with_list(y, counts, 0)) c.status = wf_node_set_extra(y, &cell, sizeof cell);
    return wf_chain_give(&c, y, out);
}

weft_status wf_make_group_sum(wf_node *x, wf_list *labels, int64_t ngroups, int axis, wf_node **out)
{
    weft_dtype result = wf_dtype_sum((weft_dtype)x->dtype), computed = wf_dtype_compute(result);
    wf_shape shape = x->shape;
    wf_chain c = { 0 };

    WF_TRY(wf_axis_normalize("group_sum", axis, shape.ndim, &axis));
    if (labels->count != shape.dim[axis])
        return wf_fail(WEFT_INVALID,
                       "group_sum: expected %" PRId64
                       " labels, as many as axis %d has elements, got %" PRId64,
                       shape.dim[axis], axis, labels->count);
    shape.dim[axis] = ngroups;
    WF_TRY(wf_shape_init(&shape, "group_sum", shape.ndim, shape.dim));
    if (wf_shape_size(&shape) == 0 || labels->count == 0)
        return wf_make_constant(result, &shape, 0, out);
    wf_node *in = wf_chain_cast(&c, x, computed), *y = NULL;
    if (in) y = wf_chain_hold(&c, wf_node_create(WF_NODE_GROUP, computed, &shape, 1, &in, &c.next));
    return wf_chain_give(&c, wf_chain_cast(&c, with_list(y, labels, axis), result), out);
}

static weft_status check_bincount(const wf_node *labels, const wf_node *weights, int64_t nbins)
{
    char kind = wf_dtype_kind((weft_dtype)labels->dtype), got[512], want[512];

    if (labels->shape.ndim != 1)
        return wf_fail(WEFT_INVALID, "bincount: expected an array of one axis, got %d",
                       labels->shape.ndim);
    if (kind != 'i' && kind != 'u' && kind != 'b')
        return wf_fail(WEFT_INVALID, "bincount: expected integers, got %s",
                       wf_dtype_name((weft_dtype)labels->dtype));
    if (nbins < 0)
        return wf_fail(WEFT_INVALID, "bincount: the number of bins must be >= 0, got %" PRId64,
                       nbins);
    if (!weights) return WEFT_OK;
    if (!wf_shape_equal(&labels->shape, &weights->shape))
        return wf_fail(WEFT_INVALID, "bincount: expected weights of shape %s, got %s",
                       wf_shape_text(&labels->shape, want), wf_shape_text(&weights->shape, got));
    if (wf_dtype_kind((weft_dtype)weights->dtype) == 'c')
        return wf_fail(WEFT_INVALID, "bincount: expected real weights, got %s",
                       wf_dtype_name((weft_dtype)weights->dtype));
    return WEFT_OK;
}

// One histogram per cell of labels, large enough that the labels outweigh the bins.
static wf_node *histograms(wf_chain *c, wf_node *labels, wf_node *weights, int64_t nbins,
                           weft_dtype dtype)
{
    int64_t n = labels->shape.dim[0], cell = 65536, many;
    wf_shape shape = { .ndim = 2 };
    wf_node *in[2] = { wf_chain_cast(c, labels, WEFT_INT64),
                       weights ? wf_chain_cast(c, weights, dtype) : NULL };

    if (__builtin_mul_overflow(nbins, 8, &many)) many = INT64_MAX;
    if (many > cell) cell = many;
    if (cell > n) cell = n;
    if (c->status == WEFT_OK)
        c->status = wf_shape_init(&shape, "bincount", 2, (int64_t[]){ (n - 1) / cell + 1, nbins });
    if (c->status != WEFT_OK) return NULL;
    wf_node *y = wf_chain_hold(
        c, wf_node_create(WF_NODE_BINCOUNT, dtype, &shape, weights ? 2 : 1, in, &c->next));
    if (y) c->status = wf_node_set_extra(y, &cell, sizeof cell);
    return c->status == WEFT_OK ? y : NULL;
}

weft_status wf_make_bincount(wf_node *labels, wf_node *weights, int64_t nbins, wf_node **out)
{
    weft_dtype dtype = weights ? WEFT_FLOAT64 : WEFT_INT64;
    wf_shape shape = { .ndim = 1, .dim = { nbins } };
    wf_chain c = { 0 };

    WF_TRY(check_bincount(labels, weights, nbins));
    if (nbins == 0 || labels->shape.dim[0] == 0) return wf_make_constant(dtype, &shape, 0, out);
    wf_node *y = histograms(&c, labels, weights, nbins, dtype);
    if (y)
        y = wf_chain_hold(
            &c, wf_make_reduction(WF_REDUCTION_SUM, y, 1, (int[]){ 0 }, dtype, false, 0, &c.next));
    return wf_chain_give(&c, y, out);
}
