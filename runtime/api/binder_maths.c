// SPDX-License-Identifier: Apache-2.0
// binder_maths - calls in expressions that compute: elementwise, reductions, running sums,
// grouping, products.
#include "api/binder_table.h"

// --- elementwise ---

weft_status wf_call_unary(wf_call *c, wf_term *out)
{
    weft_array *x = NULL;
    WF_TRY(wf_arg_array(c, 0, &x));
    return wf_call_give(c, c->function->fn.unary(x), out);
}

weft_status wf_call_binary(wf_call *c, wf_term *out)
{
    weft_array *a = NULL, *b = NULL;
    WF_TRY(wf_term_array(c->b, c->arg[0], &a));
    WF_TRY(wf_term_array(c->b, c->arg[1], &b));
    return wf_call_give(c, c->function->fn.binary(a, b), out);
}

weft_status wf_call_ternary(wf_call *c, wf_term *out)
{
    weft_array *x[3] = { NULL };
    for (int i = 0; i < 3; i++) WF_TRY(wf_term_array(c->b, c->arg[i], &x[i]));
    return wf_call_give(c, c->function->fn.ternary(x[0], x[1], x[2]), out);
}

// NumPy rounds to decimals by scaling, and so do we.
weft_status wf_call_round(wf_call *c, wf_term *out)
{
    int64_t decimals = 0;
    weft_array *x = NULL, *scale;

    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_arg_i64(c, 1, &decimals));
    weft_dtype dtype = weft_array_dtype(x);
    if (decimals == 0 || (decimals > 0 && dtype < WEFT_FLOAT16))
        return wf_call_give(c, weft_round(x), out);
    if (decimals < 0)
        return wf_call_fail(c, 1, WEFT_UNSUPPORTED,
                            "negative decimals are not supported by this version");
    double power = 1;
    for (int64_t i = 0; i < decimals && i < 400; i++) power *= 10;
    scale = weft_num(c->b->session, power);
    return wf_call_give(c, weft_divide(weft_round(weft_multiply(x, scale)), scale), out);
}

weft_status wf_call_clip(wf_call *c, wf_term *out)
{
    weft_array *x = NULL, *lo = NULL, *hi = NULL;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_arg_array(c, 1, &lo));
    WF_TRY(wf_arg_array(c, 2, &hi));
    return wf_call_give(c, weft_clip(x, lo, hi), out);
}

weft_status wf_call_astype(wf_call *c, wf_term *out)
{
    weft_dtype dtype = WEFT_DTYPE_DEFAULT;
    weft_array *x = NULL;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_arg_dtype(c, 1, &dtype));
    if (!dtype) dtype = WEFT_FLOAT64;  // NumPy: None
    return wf_call_give(c, weft_astype(x, dtype), out);
}

static weft_status isclose(wf_call *c, weft_array **out)
{
    weft_isclose_options opts = {
        .rtol = 1e-5, .atol = 1e-8, .zero_rtol = true, .zero_atol = true
    };
    weft_array *a = NULL, *b = NULL;

    WF_TRY(wf_arg_array(c, 0, &a));
    WF_TRY(wf_arg_array(c, 1, &b));
    WF_TRY(wf_arg_f64(c, 2, &opts.rtol));
    WF_TRY(wf_arg_f64(c, 3, &opts.atol));
    WF_TRY(wf_arg_bool(c, 4, &opts.equal_nan));
    *out = weft_isclose(a, b, &opts);
    return WEFT_OK;
}

weft_status wf_call_isclose(wf_call *c, wf_term *out)
{
    weft_array *x = NULL;
    WF_TRY(isclose(c, &x));
    return wf_call_give(c, x, out);
}

weft_status wf_call_allclose(wf_call *c, wf_term *out)
{
    weft_array *x = NULL;
    WF_TRY(isclose(c, &x));
    return wf_call_give(c, weft_all(x, WEFT_ALL_AXES, NULL), out);
}

weft_status wf_call_nan_to_num(wf_call *c, wf_term *out)
{
    weft_nan_to_num_options opts = { .zero_posinf = wf_arg_is_given(c, 2),
                                     .zero_neginf = wf_arg_is_given(c, 3) };
    weft_array *x = NULL;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_arg_f64(c, 1, &opts.nan));
    WF_TRY(wf_arg_f64(c, 2, &opts.posinf));
    WF_TRY(wf_arg_f64(c, 3, &opts.neginf));
    return wf_call_give(c, weft_nan_to_num(x, &opts), out);
}

// --- reductions ---

// Argument 1 as axes; none given is all of them.
static weft_status reduce(wf_call *c, const weft_reduce_options *opts, wf_term *out)
{
    int axes[WEFT_MAX_NDIM], n = 0;
    weft_array *x = NULL;

    WF_TRY(wf_arg_array(c, 0, &x));
    if (!wf_arg_is_given(c, 1))
        return wf_call_give(c, c->function->fn.reduce(x, WEFT_ALL_AXES, opts), out);
    WF_TRY(wf_term_axes(c->b, c->arg[1], &n, axes));
    return wf_call_give(c, c->function->fn.reduce(x, n, axes, opts), out);
}

weft_status wf_call_reduce(wf_call *c, wf_term *out)
{
    weft_reduce_options opts = { 0 };
    WF_TRY(wf_arg_dtype(c, 2, &opts.dtype));
    WF_TRY(wf_arg_bool(c, 3, &opts.keepdims));
    return reduce(c, &opts, out);
}

weft_status wf_call_moment(wf_call *c, wf_term *out)
{
    weft_reduce_options opts = { 0 };
    WF_TRY(wf_arg_dtype(c, 2, &opts.dtype));
    WF_TRY(wf_arg_bool(c, 3, &opts.keepdims));
    WF_TRY(wf_arg_f64(c, 4, &opts.correction));
    return reduce(c, &opts, out);
}

weft_status wf_call_plain_reduce(wf_call *c, wf_term *out)
{
    weft_reduce_options opts = { 0 };
    WF_TRY(wf_arg_bool(c, 2, &opts.keepdims));
    return reduce(c, &opts, out);
}

weft_status wf_call_arg(wf_call *c, wf_term *out)
{
    weft_reduce_options opts = { 0 };
    int axis = WEFT_AXIS_NONE;
    weft_array *x = NULL;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_arg_int(c, 1, &axis));
    WF_TRY(wf_arg_bool(c, 2, &opts.keepdims));
    return wf_call_give(c, c->function->fn.arg(x, axis, &opts), out);
}

weft_status wf_call_scan(wf_call *c, wf_term *out)
{
    weft_scan_options opts = { 0 };
    int axis = WEFT_AXIS_NONE;
    weft_array *x = NULL;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_arg_int(c, 1, &axis));
    WF_TRY(wf_arg_dtype(c, 2, &opts.dtype));
    WF_TRY(wf_arg_bool(c, 3, &opts.include_initial));
    return wf_call_give(c, c->function->fn.scan(x, axis, &opts), out);
}

// --- grouping ---

weft_status wf_call_bincount(wf_call *c, wf_term *out)
{
    weft_array *x = NULL, *weights = NULL;
    int64_t minlength = 0;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_arg_array(c, 1, &weights));
    WF_TRY(wf_arg_i64(c, 2, &minlength));
    return wf_call_give(c, weft_bincount(x, weights, minlength), out);
}

weft_status wf_call_group(wf_call *c, wf_term *out)
{
    weft_array *x = NULL, *labels = NULL;
    int64_t ngroups = 0;
    int axis = 0;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_arg_array(c, 1, &labels));
    WF_TRY(wf_term_i64(c->b, c->arg[2], &ngroups));
    WF_TRY(wf_arg_int(c, 3, &axis));
    return wf_call_give(c, c->function->fn.group(x, labels, ngroups, axis), out);
}

// --- products ---

// AXES is a number of axes, or a pair of axes or of lists of them.
weft_status wf_call_tensordot(wf_call *c, wf_term *out)
{
    int axes_a[WEFT_MAX_NDIM], axes_b[WEFT_MAX_NDIM], n = 2, nb;
    weft_array *a = NULL, *b = NULL;

    WF_TRY(wf_arg_array(c, 0, &a));
    WF_TRY(wf_arg_array(c, 1, &b));
    if (!wf_arg_is_given(c, 2) || c->arg[2]->kind == WF_TERM_INT) {
        WF_TRY(wf_arg_int(c, 2, &n));
        return wf_call_give(c, weft_tensordot(a, b, n, NULL, NULL), out);
    }
    if (c->arg[2]->kind != WF_TERM_SEQUENCE || c->arg[2]->count != 2)
        return wf_call_fail(c, 2, WEFT_INVALID, "expected a number of axes or a pair of lists");
    WF_TRY(wf_term_axes(c->b, &c->arg[2]->as.item[0], &n, axes_a));
    WF_TRY(wf_term_axes(c->b, &c->arg[2]->as.item[1], &nb, axes_b));
    if (n != nb)
        return wf_call_fail(c, 2, WEFT_INVALID, "the lists of axes have %d and %d entries", n, nb);
    return wf_call_give(c, weft_tensordot(a, b, n, axes_a, axes_b), out);
}

// NumPy's dot: a product of numbers, of matrices, or over the last axis of A and the last but one
// of B.
weft_status wf_call_dot(wf_call *c, wf_term *out)
{
    weft_array *a = NULL, *b = NULL;

    WF_TRY(wf_arg_array(c, 0, &a));
    WF_TRY(wf_arg_array(c, 1, &b));
    int na = weft_array_ndim(a), nb = weft_array_ndim(b);
    if (na == 0 || nb == 0) return wf_call_give(c, weft_multiply(a, b), out);
    if (nb <= 2) return wf_call_give(c, weft_matmul(a, b), out);
    return wf_call_give(
        c, weft_tensordot(a, b, 1, (const int[]){ na - 1 }, (const int[]){ nb - 2 }), out);
}
