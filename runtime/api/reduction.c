// SPDX-License-Identifier: Apache-2.0
// reduction - the public reductions and running sums.
#include "api/session.h"

enum { TAKES_DTYPE = 1, TAKES_CORRECTION = 2 };

// What the options of each kind of reduction may say.
static int options_of(wf_reduction kind)
{
    switch (kind) {
    case WF_REDUCTION_VAR:
    case WF_REDUCTION_STD:
    case WF_REDUCTION_NANVAR:
    case WF_REDUCTION_NANSTD: return TAKES_DTYPE | TAKES_CORRECTION;
    case WF_REDUCTION_SUM:
    case WF_REDUCTION_PROD:
    case WF_REDUCTION_MEAN:
    case WF_REDUCTION_NANSUM:
    case WF_REDUCTION_NANPROD:
    case WF_REDUCTION_NANMEAN: return TAKES_DTYPE;
    default: return 0;
    }
}

static weft_status check_options(wf_reduction kind, const char *name,
                                 const weft_reduce_options *opts)
{
    int takes = options_of(kind);

    WF_TRY(WF_CHECK_TAIL(name, opts));
    if (!opts) return WEFT_OK;
    if (opts->dtype && !(takes & TAKES_DTYPE))
        return wf_fail(WEFT_INVALID, "%s: .dtype must be 0 here", name);
    if (opts->dtype && !wf_dtype_is_valid(opts->dtype))
        return wf_fail(WEFT_INVALID, "%s: .dtype: expected a dtype, got the number %d", name,
                       (int)opts->dtype);
    if (opts->correction != 0 && !(takes & TAKES_CORRECTION))
        return wf_fail(WEFT_INVALID, "%s: .correction must be 0 here", name);
    if (opts->correction != opts->correction)
        return wf_fail(WEFT_INVALID, "%s: .correction must be a number, got nan", name);
    return WEFT_OK;
}

static weft_array *reduce(wf_reduction kind, const char *name, weft_array *x, int naxes,
                          const int *axes, const weft_reduce_options *opts, const void *site)
{
    wf_node *node = NULL;

    if (!wf_array_is_usable(name, x)) return NULL;
    weft_status st = check_options(kind, name, opts);
    if (st == WEFT_OK && naxes < 0)
        st = wf_fail(WEFT_INVALID, "%s: the number of axes must be >= 0, got %d", name, naxes);
    if (st == WEFT_OK)
        st = wf_make_reduction(kind, x->node, naxes, axes, opts ? opts->dtype : WEFT_DTYPE_DEFAULT,
                               opts && opts->keepdims, opts ? opts->correction : 0, &node);
    return wf_array_give(x->session, st, node, site);
}

static weft_array *reduce_one(wf_reduction kind, const char *name, weft_array *x, int axis,
                              const weft_reduce_options *opts, const void *site)
{
    return reduce(kind, name, x, axis != WEFT_AXIS_NONE, axis != WEFT_AXIS_NONE ? &axis : NULL,
                  opts, site);
}

weft_array *weft_sum(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_SUM, "sum", x, naxes, axes, opts, SITE);
}

weft_array *weft_prod(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_PROD, "prod", x, naxes, axes, opts, SITE);
}

weft_array *weft_min(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_MIN, "min", x, naxes, axes, opts, SITE);
}

weft_array *weft_max(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_MAX, "max", x, naxes, axes, opts, SITE);
}

weft_array *weft_mean(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_MEAN, "mean", x, naxes, axes, opts, SITE);
}

weft_array *weft_var(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_VAR, "var", x, naxes, axes, opts, SITE);
}

weft_array *weft_std(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_STD, "std", x, naxes, axes, opts, SITE);
}

weft_array *weft_any(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_ANY, "any", x, naxes, axes, opts, SITE);
}

weft_array *weft_all(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_ALL, "all", x, naxes, axes, opts, SITE);
}

weft_array *weft_count_nonzero(weft_array *x, int naxes, const int *axes,
                               const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_COUNT_NONZERO, "count_nonzero", x, naxes, axes, opts, SITE);
}

weft_array *weft_argmin(weft_array *x, int axis, const weft_reduce_options *opts)
{
    return reduce_one(WF_REDUCTION_ARGMIN, "argmin", x, axis, opts, SITE);
}

weft_array *weft_argmax(weft_array *x, int axis, const weft_reduce_options *opts)
{
    return reduce_one(WF_REDUCTION_ARGMAX, "argmax", x, axis, opts, SITE);
}

weft_array *weft_nansum(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_NANSUM, "nansum", x, naxes, axes, opts, SITE);
}

weft_array *weft_nanprod(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_NANPROD, "nanprod", x, naxes, axes, opts, SITE);
}

weft_array *weft_nanmin(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_NANMIN, "nanmin", x, naxes, axes, opts, SITE);
}

weft_array *weft_nanmax(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_NANMAX, "nanmax", x, naxes, axes, opts, SITE);
}

weft_array *weft_nanmean(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_NANMEAN, "nanmean", x, naxes, axes, opts, SITE);
}

weft_array *weft_nanvar(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_NANVAR, "nanvar", x, naxes, axes, opts, SITE);
}

weft_array *weft_nanstd(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts)
{
    return reduce(WF_REDUCTION_NANSTD, "nanstd", x, naxes, axes, opts, SITE);
}

weft_array *weft_nanargmin(weft_array *x, int axis, const weft_reduce_options *opts)
{
    return reduce_one(WF_REDUCTION_NANARGMIN, "nanargmin", x, axis, opts, SITE);
}

weft_array *weft_nanargmax(weft_array *x, int axis, const weft_reduce_options *opts)
{
    return reduce_one(WF_REDUCTION_NANARGMAX, "nanargmax", x, axis, opts, SITE);
}

static weft_array *scan(wf_scan_op op, const char *name, weft_array *x, int axis,
                        const weft_scan_options *opts, const void *site)
{
    wf_node *node = NULL, *flat = NULL;
    int64_t all = -1;

    if (!wf_array_is_usable(name, x)) return NULL;
    weft_status st = WF_CHECK_TAIL(name, opts);
    if (st == WEFT_OK && opts && opts->dtype && !wf_dtype_is_valid(opts->dtype))
        st = wf_fail(WEFT_INVALID, "%s: .dtype: expected a dtype, got the number %d", name,
                     (int)opts->dtype);
    if (st == WEFT_OK && axis == WEFT_AXIS_NONE) {
        all = wf_shape_size(&x->node->shape);
        st = wf_make_reshape(x->node, 1, &all, &flat);
        axis = 0;
    }
    if (st == WEFT_OK)
        st = wf_make_scan(op, flat ? flat : x->node, axis, opts ? opts->dtype : WEFT_DTYPE_DEFAULT,
                          opts && opts->include_initial, &node);
    wf_node_release(flat);
    return wf_array_give(x->session, st, node, site);
}

weft_array *weft_cumulative_sum(weft_array *x, int axis, const weft_scan_options *opts)
{
    return scan(WF_SCAN_SUM, "cumulative_sum", x, axis, opts, SITE);
}

weft_array *weft_cumulative_prod(weft_array *x, int axis, const weft_scan_options *opts)
{
    return scan(WF_SCAN_PROD, "cumulative_prod", x, axis, opts, SITE);
}
