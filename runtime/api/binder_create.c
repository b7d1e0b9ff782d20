// SPDX-License-Identifier: Apache-2.0
// binder_create - calls in expressions that make arrays of nothing: filled, sequences, random
// numbers.
#include "api/binder_table.h"

weft_status wf_call_filled(wf_call *c, wf_term *out)
{
    int64_t shape[WEFT_MAX_NDIM];
    weft_dtype dtype = WEFT_DTYPE_DEFAULT;
    int n = 0;
    WF_TRY(wf_term_ints(c->b, c->arg[0], WEFT_MAX_NDIM, &n, shape));
    WF_TRY(wf_arg_dtype(c, 1, &dtype));
    return wf_call_give(c, c->function->fn.filled(c->b->session, dtype, n, shape), out);
}

weft_status wf_call_like(wf_call *c, wf_term *out)
{
    weft_dtype dtype = WEFT_DTYPE_DEFAULT;
    weft_array *x = NULL;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_arg_dtype(c, 1, &dtype));
    return wf_call_give(c, c->function->fn.like(x, dtype), out);
}

// A number, or an array stretched to the shape.
static weft_status fill(wf_call *c, const wf_term *v, weft_dtype dtype, int n, const int64_t *shape,
                        wf_term *out)
{
    weft_session *s = c->b->session;
    weft_array *x;

    switch ((wf_term_kind)v->kind) {
    case WF_TERM_BOOL:
        return wf_call_give(c, weft_full_i64(s, dtype ? dtype : WEFT_BOOL, n, shape, v->as.i), out);
    case WF_TERM_INT: return wf_call_give(c, weft_full_i64(s, dtype, n, shape, v->as.i), out);
    case WF_TERM_FLOAT: return wf_call_give(c, weft_full(s, dtype, n, shape, v->as.f), out);
    case WF_TERM_COMPLEX:
        return wf_call_give(c, weft_full_c128(s, dtype, n, shape, v->as.c[0], v->as.c[1]), out);
    default: break;
    }
    WF_TRY(wf_term_array(c->b, v, &x));
    if (dtype) x = weft_astype(x, dtype);
    return wf_call_give(c, weft_broadcast_to(x, n, shape), out);
}

weft_status wf_call_full(wf_call *c, wf_term *out)
{
    int64_t shape[WEFT_MAX_NDIM];
    weft_dtype dtype = WEFT_DTYPE_DEFAULT;
    int n = 0;
    WF_TRY(wf_term_ints(c->b, c->arg[0], WEFT_MAX_NDIM, &n, shape));
    WF_TRY(wf_arg_dtype(c, 2, &dtype));
    return fill(c, c->arg[1], dtype, n, shape, out);
}

weft_status wf_call_full_like(wf_call *c, wf_term *out)
{
    weft_dtype dtype = WEFT_DTYPE_DEFAULT;
    weft_array *x = NULL;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_arg_dtype(c, 2, &dtype));
    return fill(c, c->arg[1], dtype ? dtype : weft_array_dtype(x), weft_array_ndim(x),
                weft_array_shape(x), out);
}

weft_status wf_call_array(wf_call *c, wf_term *out)
{
    weft_dtype dtype = WEFT_DTYPE_DEFAULT;
    weft_array *x = NULL;
    WF_TRY(wf_term_array(c->b, c->arg[0], &x));
    WF_TRY(wf_arg_dtype(c, 1, &dtype));
    if (!dtype) dtype = weft_array_dtype(x);  // a number becomes an array, which is not weak
    return wf_call_give(c, weft_astype(x, dtype), out);
}

// --- sequences ---

// Of integers alone, integers: as in NumPy.
weft_status wf_call_arange(wf_call *c, wf_term *out)
{
    double start = 0, stop = 0, step = 1;
    weft_dtype dtype = WEFT_DTYPE_DEFAULT;
    bool integers = true;

    for (int i = 0; i < 3; i++)
        integers = integers && (!wf_arg_is_given(c, i) || c->arg[i]->kind == WF_TERM_INT);
    WF_TRY(wf_term_f64(c->b, c->arg[0], &stop));
    if (wf_arg_is_given(c, 1)) {
        start = stop;
        WF_TRY(wf_arg_f64(c, 1, &stop));
    }
    WF_TRY(wf_arg_f64(c, 2, &step));
    WF_TRY(wf_arg_dtype(c, 3, &dtype));
    if (!dtype && integers) dtype = WEFT_INT64;
    return wf_call_give(c, weft_arange(c->b->session, start, stop, step, dtype), out);
}

weft_status wf_call_linspace(wf_call *c, wf_term *out)
{
    weft_dtype dtype = WEFT_DTYPE_DEFAULT;
    double start = 0, stop = 0;
    bool endpoint = true;
    int64_t num = 50;

    WF_TRY(wf_term_f64(c->b, c->arg[0], &start));
    WF_TRY(wf_term_f64(c->b, c->arg[1], &stop));
    WF_TRY(wf_arg_i64(c, 2, &num));
    WF_TRY(wf_arg_bool(c, 3, &endpoint));
    WF_TRY(wf_arg_dtype(c, 4, &dtype));
    const weft_linspace_options opts = { .exclude_endpoint = !endpoint };
    return wf_call_give(c, weft_linspace(c->b->session, start, stop, num, dtype, &opts), out);
}

weft_status wf_call_eye(wf_call *c, wf_term *out)
{
    weft_dtype dtype = WEFT_DTYPE_DEFAULT;
    int64_t rows = 0, cols, k = 0;
    WF_TRY(wf_term_i64(c->b, c->arg[0], &rows));
    cols = rows;
    WF_TRY(wf_arg_i64(c, 1, &cols));
    WF_TRY(wf_arg_i64(c, 2, &k));
    WF_TRY(wf_arg_dtype(c, 3, &dtype));
    return wf_call_give(c, weft_eye(c->b->session, rows, cols, k, dtype), out);
}

// --- random numbers ---

// Arguments I, I + 1, I + 2: seed, stream, dtype. A seed that is written down is that seed, 0 too.
static weft_status read_random(wf_call *c, int i, weft_random_options *opts)
{
    int64_t seed = 0, stream = 0;

    WF_TRY(wf_arg_i64(c, i, &seed));
    WF_TRY(wf_arg_i64(c, i + 1, &stream));
    if (seed < 0) return wf_call_fail(c, i, WEFT_INVALID, "seed must be >= 0, got %" PRId64, seed);
    if (stream < 0)
        return wf_call_fail(c, i + 1, WEFT_INVALID, "stream must be >= 0, got %" PRId64, stream);
    opts->seed = (uint64_t)seed;
    opts->stream = (uint64_t)stream;
    opts->zero_seed = wf_arg_is_given(c, i);
    return wf_arg_dtype(c, i + 2, &opts->dtype);
}

// random(shape) beside random(low, high, shape): a tuple in front is a shape.
static bool is_shape_first(const wf_call *c)
{
    return c->arg[0] && c->arg[0]->kind == WF_TERM_SEQUENCE && !c->arg[1] && !c->arg[2];
}

weft_status wf_call_random_uniform(wf_call *c, wf_term *out)
{
    weft_random_options opts = { 0 };
    int64_t shape[WEFT_MAX_NDIM];
    double low = 0, high = 1;
    int n = 0;

    WF_TRY(read_random(c, 3, &opts));
    if (is_shape_first(c)) {
        WF_TRY(wf_arg_shape(c, 0, &n, shape));
    } else {
        WF_TRY(wf_arg_f64(c, 0, &low));
        WF_TRY(wf_arg_f64(c, 1, &high));
        WF_TRY(wf_arg_shape(c, 2, &n, shape));
    }
    return wf_call_give(c, weft_random_uniform(c->b->session, low, high, n, shape, &opts), out);
}

weft_status wf_call_random_normal(wf_call *c, wf_term *out)
{
    weft_random_options opts = { 0 };
    int64_t shape[WEFT_MAX_NDIM];
    int n = 0;
    WF_TRY(wf_arg_shape(c, 0, &n, shape));
    WF_TRY(read_random(c, 1, &opts));
    return wf_call_give(c, weft_random_normal(c->b->session, n, shape, &opts), out);
}

// numpy.random.normal(loc, scale, size)
weft_status wf_call_numpy_normal(wf_call *c, wf_term *out)
{
    weft_session *s = c->b->session;
    weft_random_options opts = { 0 };
    int64_t shape[WEFT_MAX_NDIM];
    double loc = 0, scale = 1;
    int n = 0;

    WF_TRY(read_random(c, 3, &opts));
    if (is_shape_first(c)) {
        WF_TRY(wf_arg_shape(c, 0, &n, shape));
    } else {
        WF_TRY(wf_arg_f64(c, 0, &loc));
        WF_TRY(wf_arg_f64(c, 1, &scale));
        WF_TRY(wf_arg_shape(c, 2, &n, shape));
    }
    if (!(scale >= 0)) return wf_call_fail(c, 1, WEFT_INVALID, "scale must be >= 0, got %g", scale);
    weft_array *x = weft_random_normal(s, n, shape, &opts);
    if (scale != 1) x = weft_multiply(weft_num(s, scale), x);
    if (loc != 0) x = weft_add(weft_num(s, loc), x);
    return wf_call_give(c, x, out);
}

weft_status wf_call_random_integers(wf_call *c, wf_term *out)
{
    weft_random_options opts = { 0 };
    int64_t shape[WEFT_MAX_NDIM], low = 0, high = 0;
    int n = 0;

    if (!wf_arg_is_given(c, 0))
        return wf_call_fail(c, -1, WEFT_INVALID, "argument 'low' is missing");
    WF_TRY(read_random(c, 3, &opts));
    WF_TRY(wf_arg_i64(c, 0, &high));
    if (wf_arg_is_given(c, 1)) {
        low = high;
        WF_TRY(wf_arg_i64(c, 1, &high));
    }
    WF_TRY(wf_arg_shape(c, 2, &n, shape));
    return wf_call_give(c, weft_random_integers(c->b->session, low, high, n, shape, &opts), out);
}
