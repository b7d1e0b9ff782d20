// SPDX-License-Identifier: Apache-2.0
// group - the public operations that gather elements by small integers: bincount, and sums and
// means by label.
#include <string.h>

#include "api/session.h"

static weft_status check_integers(const char *where, const char *what, const wf_node *x)
{
    char kind = wf_dtype_kind((weft_dtype)x->dtype);
    if (x->shape.ndim != 1)
        return wf_fail(WEFT_INVALID, "%s: %s must have one axis, got %d", where, what,
                       x->shape.ndim);
    if (kind == 'i' || kind == 'u') return WEFT_OK;
    return wf_fail(WEFT_INVALID, "%s: %s must be integers, got %s", where, what,
                   wf_dtype_name((weft_dtype)x->dtype));
}

// --- bincount ---

// The least and largest of X, int64, in one plan.
static weft_status find_range(weft_session *session, wf_node *x, int64_t out[2])
{
    wf_node *end[2] = { NULL, NULL };

    weft_status st =
        wf_make_reduction(WF_REDUCTION_MIN, x, 0, NULL, WEFT_DTYPE_DEFAULT, false, 0, &end[0]);
    if (st == WEFT_OK)
        st = wf_make_reduction(WF_REDUCTION_MAX, x, 0, NULL, WEFT_DTYPE_DEFAULT, false, 0, &end[1]);
    if (st == WEFT_OK) st = wf_compute_nodes(session, "bincount", 2, end, NULL);
    for (int i = 0; i < 2 && st == WEFT_OK; i++)
        st = wf_node_read(session, "bincount", end[i], NULL, WEFT_INT64, &out[i]);
    wf_node_release(end[0]);
    wf_node_release(end[1]);
    return st;
}

static weft_status count_bins(weft_session *session, wf_node *x, int64_t minlength, int64_t *out)
{
    int64_t range[2] = { 0, -1 };

    if (x->shape.dim[0] > 0) WF_TRY(find_range(session, x, range));
    if (range[0] < 0)
        return wf_fail(WEFT_INVALID, "bincount: numbers must be >= 0, got %" PRId64, range[0]);
    if (range[1] == INT64_MAX)
        return wf_fail(WEFT_OVERFLOW, "bincount: the number of bins does not fit in 64 bits");
    *out = range[1] + 1 > minlength ? range[1] + 1 : minlength;
    return WEFT_OK;
}

static weft_status check_weights(const wf_node *x, const wf_node *weights)
{
    char want[512], got[512];
    if (!weights) return WEFT_OK;
    if (!wf_shape_equal(&x->shape, &weights->shape))
        return wf_fail(WEFT_INVALID, "bincount: weights must have shape %s, got %s",
                       wf_shape_text(&x->shape, want), wf_shape_text(&weights->shape, got));
    if (wf_dtype_kind((weft_dtype)weights->dtype) == 'c')
        return wf_fail(WEFT_INVALID, "bincount: weights must be real, got %s",
                       wf_dtype_name((weft_dtype)weights->dtype));
    return WEFT_OK;
}

static weft_status bincount(weft_session *session, wf_node *x, wf_node *weights, int64_t minlength,
                            wf_node **out)
{
    wf_node *labels, *wide = NULL;
    int64_t nbins = 0;

    WF_TRY(check_integers("bincount", "the array", x));
    WF_TRY(check_weights(x, weights));
    if (minlength < 0)
        return wf_fail(WEFT_INVALID, "bincount: minlength must be >= 0, got %" PRId64, minlength);
    WF_TRY(wf_make_cast(x, WEFT_INT64, &labels));
    weft_status st = count_bins(session, labels, minlength, &nbins);
    if (st == WEFT_OK && weights) st = wf_make_cast(weights, WEFT_FLOAT64, &wide);
    if (st == WEFT_OK) st = wf_make_bincount(labels, wide, nbins, out);
    wf_node_release(wide);
    wf_node_release(labels);
    return st;
}

weft_array *weft_bincount(weft_array *x, weft_array *weights, int64_t minlength)
{
    wf_node *node = NULL;
    if (!weights && wf_is_pending()) return NULL;  // it may be what a failed chain left
    if (!wf_arrays_are_usable("bincount", weights ? 2 : 1, (weft_array *[]){ x, weights }))
        return NULL;
    weft_status st =
        bincount(x->session, x->node, weights ? weights->node : NULL, minlength, &node);
    return wf_array_give(x->session, st, node, SITE);
}

// --- by label ---

static weft_status check_labels(const char *where, wf_list *list, int64_t ngroups)
{
    for (int64_t i = 0; i < list->count; i++) {
        if (list->item[i] >= ngroups)
            return wf_fail(WEFT_INVALID, "%s: labels must be below %" PRId64 ", got %" PRId64,
                           where, ngroups, list->item[i]);
        if (list->item[i] < 0) list->item[i] = -1;
    }
    return WEFT_OK;
}

static weft_status read_labels(const char *where, weft_session *session, const wf_node *x,
                               wf_node *labels, int64_t ngroups, int *axis, wf_list **out)
{
    WF_TRY(wf_axis_normalize(where, *axis, x->shape.ndim, axis));
    WF_TRY(check_integers(where, "labels", labels));
    if (labels->shape.dim[0] != x->shape.dim[*axis])
        return wf_fail(WEFT_INVALID,
                       "%s: expected %" PRId64 " labels, one per element of axis %d, got %" PRId64,
                       where, x->shape.dim[*axis], *axis, labels->shape.dim[0]);
    if (ngroups < 0)
        return wf_fail(WEFT_INVALID, "%s: the number of groups must be >= 0, got %" PRId64, where,
                       ngroups);
    WF_TRY(wf_node_read_list(session, where, labels, out));
    weft_status st = check_labels(where, *out, ngroups);
    if (st != WEFT_OK) wf_list_release(*out);
    return st;
}

static weft_status group_sum(weft_session *session, wf_node *x, wf_node *labels, int64_t ngroups,
                             int axis, wf_node **out)
{
    wf_list *list;
    WF_TRY(read_labels("group_sum", session, x, labels, ngroups, &axis, &list));
    weft_status st = wf_make_group_sum(x, list, ngroups, axis, out);
    wf_list_release(list);
    return st;
}

weft_array *weft_group_sum(weft_array *x, weft_array *labels, int64_t ngroups, int axis)
{
    wf_node *node = NULL;
    if (!wf_arrays_are_usable("group_sum", 2, (weft_array *[]){ x, labels })) return NULL;
    weft_status st = group_sum(x->session, x->node, labels->node, ngroups, axis, &node);
    return wf_array_give(x->session, st, node, SITE);
}

// How many elements each group has, float64, shaped to stand under the sums of an array of NDIM
// axes.
static weft_status count_members(const wf_list *labels, int64_t ngroups, int ndim, int axis,
                                 wf_node **out)
{
    wf_shape shape = { .ndim = ndim };
    wf_object *object;
    double *count = wf_calloc((size_t)ngroups, sizeof *count);

    if (!count) return WEFT_NO_MEMORY;
    for (int64_t i = 0; i < labels->count; i++)
        if (labels->item[i] >= 0) count[labels->item[i]]++;
    for (int i = 0; i < ndim; i++) shape.dim[i] = i == axis ? ngroups : 1;
    weft_status st = wf_borrowed_create(count, WEFT_FLOAT64, &shape, NULL, wf_free, count, &object);
    if (st != WEFT_OK) {
        wf_free(count);
        return st;
    }
    st = wf_node_create(WF_NODE_LEAF, WEFT_FLOAT64, &shape, 0, NULL, out);
    if (st == WEFT_OK) (*out)->object = object;
    else wf_object_release(object);
    return st;
}

// SUM / COUNT in the dtype in which sums are made, then RESULT.
static weft_status divide(wf_node *sum, wf_node *count, weft_dtype result, wf_node **out)
{
    wf_node *same, *mean;

    WF_TRY(wf_make_cast(count, wf_dtype_real((weft_dtype)sum->dtype), &same));
    weft_status st = wf_make_map(WF_OP_DIVIDE, (wf_node *[]){ sum, same }, &mean);
    wf_node_release(same);
    WF_TRY(st);
    st = wf_make_cast(mean, result, out);
    wf_node_release(mean);
    return st;
}

static weft_status group_mean(weft_session *session, wf_node *x, wf_node *labels, int64_t ngroups,
                              int axis, wf_node **out)
{
    weft_dtype dtype = (weft_dtype)x->dtype;
    char kind = wf_dtype_kind(dtype);
    weft_dtype result = kind == 'f' || kind == 'c' ? dtype : WEFT_FLOAT64;
    wf_node *wide = NULL, *sum = NULL, *count = NULL;
    wf_list *list;

    WF_TRY(read_labels("group_mean", session, x, labels, ngroups, &axis, &list));
    weft_status st = wf_make_cast(x, wf_dtype_compute(result),
                                  &wide);  // 16-bit sums would overflow before they are divided
    if (st == WEFT_OK) st = wf_make_group_sum(wide, list, ngroups, axis, &sum);
    if (st == WEFT_OK) st = count_members(list, ngroups, x->shape.ndim, axis, &count);
    if (st == WEFT_OK) st = divide(sum, count, result, out);
    wf_node_release(count);
    wf_node_release(sum);
    wf_node_release(wide);
    wf_list_release(list);
    return st;
}

weft_array *weft_group_mean(weft_array *x, weft_array *labels, int64_t ngroups, int axis)
{
    wf_node *node = NULL;
    if (!wf_arrays_are_usable("group_mean", 2, (weft_array *[]){ x, labels })) return NULL;
    weft_status st = group_mean(x->session, x->node, labels->node, ngroups, axis, &node);
    return wf_array_give(x->session, st, node, SITE);
}
