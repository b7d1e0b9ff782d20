// SPDX-License-Identifier: Apache-2.0
// creation - the public operations that make arrays from no array: scalars, constants, sequences,
// random numbers.
#include <math.h>
#include <string.h>

#include "api/session.h"

// --- one value as a scalar of a dtype ---

static weft_status fail_fit(const char *where, const char *value, weft_dtype dtype)
{
    return wf_fail(WEFT_OVERFLOW, "%s: %s does not fit in %s", where, value, wf_dtype_name(dtype));
}

static weft_status check_dtype(const char *where, weft_dtype dtype)
{
    if (dtype == WEFT_DTYPE_DEFAULT || wf_dtype_is_valid(dtype)) return WEFT_OK;
    return wf_fail(WEFT_INVALID, "%s: expected a dtype, got the number %d", where, (int)dtype);
}

// FROM, a value of dtype OF, as DTYPE.
static weft_status convert(weft_dtype of, const wf_scalar *from, weft_dtype dtype, wf_node **out)
{
    wf_node *plain;
    WF_TRY(wf_make_scalar(of, from, false, &plain));
    weft_status st = wf_make_scalar_as(plain, dtype, out);
    wf_node_release(plain);
    return st;
}

// Whether the integer of this MAGNITUDE and sign is one of DTYPE's.
static bool fits_integer(weft_dtype dtype, bool negative, uint64_t magnitude)
{
    int bits = 8 * (int)wf_dtype_size(dtype);
    if (wf_dtype_kind(dtype) == 'u')
        return (!negative || magnitude == 0) && (bits == 64 || magnitude >> bits == 0);
    uint64_t room = (uint64_t)1 << (bits - 1);
    return negative ? magnitude <= room : magnitude < room;
}

static bool is_integer(weft_dtype dtype)
{
    char kind = wf_dtype_kind(dtype);
    return kind == 'i' || kind == 'u';
}

weft_status wf_scalar_f64(const char *where, weft_dtype dtype, double value, wf_node **out)
{
    char text[64];
    wf_scalar s = { .f64 = value };

    WF_TRY(check_dtype(where, dtype));
    if (!dtype) dtype = WEFT_FLOAT64;
    if (!is_integer(dtype)) return convert(WEFT_FLOAT64, &s, dtype, out);
    if (!isfinite(value) || value != trunc(value))
        return wf_fail(WEFT_INVALID, "%s: expected an integer for %s, got %g", where,
                       wf_dtype_name(dtype), value);
    snprintf(text, sizeof text, "%.17g", value);
    double size = fabs(value);
    if (size >= 0x1p64 || !fits_integer(dtype, value < 0, (uint64_t)size))
        return fail_fit(where, text, dtype);
    if (wf_dtype_kind(dtype) == 'u') s.u = (uint64_t)value;
    else s.i = (int64_t)value;
    return wf_make_scalar(dtype, &s, false, out);
}

weft_status wf_scalar_i64(const char *where, weft_dtype dtype, int64_t value, wf_node **out)
{
    char text[32];
    wf_scalar s = { .i = value };

    WF_TRY(check_dtype(where, dtype));
    if (!dtype) dtype = WEFT_INT64;
    snprintf(text, sizeof text, "%" PRId64, value);
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (is_integer(dtype) && !fits_integer(dtype, value < 0, magnitude))
        return fail_fit(where, text, dtype);
    return convert(WEFT_INT64, &s, dtype, out);
}

weft_status wf_scalar_c128(const char *where, weft_dtype dtype, double re, double im, wf_node **out)
{
    wf_scalar s = { .c128 = { re, im } };

    WF_TRY(check_dtype(where, dtype));
    if (!dtype) dtype = WEFT_COMPLEX128;
    if (wf_dtype_kind(dtype) == 'c') return convert(WEFT_COMPLEX128, &s, dtype, out);
    if (im != 0)
        return wf_fail(WEFT_INVALID, "%s: %s has no imaginary part, got %g%+gi", where,
                       wf_dtype_name(dtype), re, im);
    return wf_scalar_f64(where, dtype, re, out);
}

static weft_array *weak(weft_session *session, weft_dtype dtype, const wf_scalar *value,
                        const void *site)
{
    wf_node *node = NULL;
    weft_status st = wf_session_check("num", session);
    if (st == WEFT_OK) st = wf_make_scalar(dtype, value, true, &node);
    return wf_array_give(session, st, node, site);
}

weft_array *weft_num(weft_session *session, double value)
{
    return weak(session, WEFT_FLOAT64, &(wf_scalar){ .f64 = value }, SITE);
}

weft_array *weft_num_i64(weft_session *session, int64_t value)
{
    return weak(session, WEFT_INT64, &(wf_scalar){ .i = value }, SITE);
}

weft_array *weft_num_c128(weft_session *session, double re, double im)
{
    return weak(session, WEFT_COMPLEX128, &(wf_scalar){ .c128 = { re, im } }, SITE);
}

// --- constants ---

static weft_status read_shape(const char *where, int ndim, const int64_t *dim, wf_shape *out)
{
    if (ndim > 0 && !dim)
        return wf_fail(WEFT_INVALID, "%s: %d axes, but the shape is NULL", where, ndim);
    return wf_shape_init(out, where, ndim, dim);
}

// An array of SHAPE filled with VALUE, a scalar, which is released.
static weft_status fill(const wf_shape *shape, wf_node *value, const wf_grid *grid, wf_node **out)
{
    weft_status st = wf_make_full((weft_dtype)value->dtype, shape, &value->scalar, grid, out);
    wf_node_release(value);
    return st;
}

static weft_array *constant(const char *where, weft_session *session, weft_dtype dtype, int ndim,
                            const int64_t *dim, double value, const void *site)
{
    wf_node *node = NULL, *scalar;
    wf_shape shape;

    weft_status st = wf_session_check(where, session);
    if (st == WEFT_OK) st = read_shape(where, ndim, dim, &shape);
    if (st == WEFT_OK) st = wf_scalar_f64(where, dtype, value, &scalar);
    if (st == WEFT_OK) st = fill(&shape, scalar, NULL, &node);
    return wf_array_give(session, st, node, site);
}

weft_array *weft_zeros(weft_session *session, weft_dtype dtype, int ndim, const int64_t *shape)
{
    return constant("zeros", session, dtype, ndim, shape, 0, SITE);
}

weft_array *weft_ones(weft_session *session, weft_dtype dtype, int ndim, const int64_t *shape)
{
    return constant("ones", session, dtype, ndim, shape, 1, SITE);
}

weft_array *weft_empty(weft_session *session, weft_dtype dtype, int ndim, const int64_t *shape)
{
    return constant("empty", session, dtype, ndim, shape, 0, SITE);
}

weft_array *weft_full(weft_session *session, weft_dtype dtype, int ndim, const int64_t *shape,
                      double value)
{
    return constant("full", session, dtype, ndim, shape, value, SITE);
}

weft_array *weft_full_i64(weft_session *session, weft_dtype dtype, int ndim, const int64_t *shape,
                          int64_t value)
{
    wf_node *node = NULL, *scalar;
    wf_shape s;

    weft_status st = wf_session_check("full", session);
    if (st == WEFT_OK) st = read_shape("full", ndim, shape, &s);
    if (st == WEFT_OK) st = wf_scalar_i64("full", dtype, value, &scalar);
    if (st == WEFT_OK) st = fill(&s, scalar, NULL, &node);
    return wf_array_give(session, st, node, SITE);
}

weft_array *weft_full_c128(weft_session *session, weft_dtype dtype, int ndim, const int64_t *shape,
                           double re, double im)
{
    wf_node *node = NULL, *scalar;
    wf_shape s;

    weft_status st = wf_session_check("full", session);
    if (st == WEFT_OK) st = read_shape("full", ndim, shape, &s);
    if (st == WEFT_OK) st = wf_scalar_c128("full", dtype, re, im, &scalar);
    if (st == WEFT_OK) st = fill(&s, scalar, NULL, &node);
    return wf_array_give(session, st, node, SITE);
}

static weft_array *like(const char *where, weft_array *x, double value, weft_dtype dtype,
                        const void *site)
{
    wf_node *node = NULL, *scalar = NULL;
    wf_grid grid;

    if (!wf_array_is_usable(where, x)) return NULL;
    weft_status st =
        wf_scalar_f64(where, dtype ? dtype : (weft_dtype)x->node->dtype, value, &scalar);
    if (st == WEFT_OK) {
        st = wf_session_grid(x->session, x->node, &grid);
        if (st != WEFT_OK) wf_node_release(scalar);
    }
    if (st == WEFT_OK) {
        st = fill(&x->node->shape, scalar, &grid, &node);
        wf_grid_fini(&grid);
    }
    return wf_array_give(x->session, st, node, site);
}

weft_array *weft_zeros_like(weft_array *x, weft_dtype dtype)
{
    return like("zeros_like", x, 0, dtype, SITE);
}

weft_array *weft_ones_like(weft_array *x, weft_dtype dtype)
{
    return like("ones_like", x, 1, dtype, SITE);
}

weft_array *weft_empty_like(weft_array *x, weft_dtype dtype)
{
    return like("empty_like", x, 0, dtype, SITE);
}

weft_array *weft_full_like(weft_array *x, double value, weft_dtype dtype)
{
    return like("full_like", x, value, dtype, SITE);
}

// --- sequences ---

weft_array *weft_arange(weft_session *session, double start, double stop, double step,
                        weft_dtype dtype)
{
    wf_node *node = NULL;
    weft_status st = wf_session_check("arange", session);
    if (st == WEFT_OK) st = wf_make_arange(start, stop, step, dtype, &node);
    return wf_array_give(session, st, node, SITE);
}

weft_array *weft_linspace(weft_session *session, double start, double stop, int64_t num,
                          weft_dtype dtype, const weft_linspace_options *opts)
{
    wf_node *node = NULL;
    weft_status st = wf_session_check("linspace", session);
    if (st == WEFT_OK) st = WF_CHECK_TAIL("linspace", opts);
    if (st == WEFT_OK)
        st = wf_make_linspace(start, stop, num, !(opts && opts->exclude_endpoint), dtype, &node);
    return wf_array_give(session, st, node, SITE);
}

weft_array *weft_eye(weft_session *session, int64_t rows, int64_t cols, int64_t k, weft_dtype dtype)
{
    wf_node *node = NULL;
    weft_status st = wf_session_check("eye", session);
    if (st == WEFT_OK) st = wf_make_eye(rows, cols, k, dtype, &node);
    return wf_array_give(session, st, node, SITE);
}

// --- random numbers ---

// What distinguishes the three distributions.
typedef struct draw {
    const char *name;
    wf_instr_kind kind;
    double a, b;
    int64_t low;
    uint64_t span;
} draw;

static weft_status draw_array(weft_session *session, const draw *d, int ndim, const int64_t *dim,
                              const weft_random_options *opts, wf_node **out)
{
    wf_shape shape;

    WF_TRY(read_shape(d->name, ndim, dim, &shape));
    uint64_t seed = opts && (opts->seed || opts->zero_seed) ? opts->seed : session->entropy;
    uint64_t stream =
        opts && opts->stream ? opts->stream : atomic_fetch_add(&session->stream, 1) + 1;
    return wf_make_random(d->kind, opts ? opts->dtype : WEFT_DTYPE_DEFAULT, &shape, seed, stream,
                          d->a, d->b, d->low, d->span, out);
}

static weft_status check_draw(const draw *d, weft_session *session, const weft_random_options *opts)
{
    WF_TRY(wf_session_check(d->name, session));
    WF_TRY(WF_CHECK_TAIL(d->name, opts));
    return check_dtype(d->name, opts ? opts->dtype : WEFT_DTYPE_DEFAULT);
}

weft_array *weft_random_uniform(weft_session *session, double low, double high, int ndim,
                                const int64_t *shape, const weft_random_options *opts)
{
    const draw d = { .name = "random_uniform", .kind = WF_INSTR_UNIFORM, .a = low, .b = high };
    wf_node *node = NULL;

    weft_status st = check_draw(&d, session, opts);
    if (st == WEFT_OK && !(isfinite(low) && isfinite(high) && low <= high))
        st = wf_fail(WEFT_INVALID,
                     "random_uniform: low <= high must hold, and both be finite, got %g and %g",
                     low, high);
    if (st == WEFT_OK) st = draw_array(session, &d, ndim, shape, opts, &node);
    return wf_array_give(session, st, node, SITE);
}

weft_array *weft_random_normal(weft_session *session, int ndim, const int64_t *shape,
                               const weft_random_options *opts)
{
    const draw d = { .name = "random_normal", .kind = WF_INSTR_NORMAL, .b = 1 };
    wf_node *node = NULL;

    weft_status st = check_draw(&d, session, opts);
    if (st == WEFT_OK) st = draw_array(session, &d, ndim, shape, opts, &node);
    return wf_array_give(session, st, node, SITE);
}

static weft_status check_integers(int64_t low, int64_t high, weft_dtype dtype)
{
    wf_node *bound;

    if (low >= high)
        return wf_fail(WEFT_INVALID,
                       "random_integers: low < high must hold, got %" PRId64 " and %" PRId64, low,
                       high);
    if (!dtype || !is_integer(dtype))
        return WEFT_OK;  // another dtype is refused where the array is made
    for (int i = 0; i < 2; i++) {
        int64_t v = i ? high - 1 : low;
        if (wf_scalar_i64("random_integers", dtype, v, &bound) != WEFT_OK)
            return wf_fail(WEFT_INVALID, "random_integers: %" PRId64 " does not fit in %s", v,
                           wf_dtype_name(dtype));
        wf_node_release(bound);
    }
    return WEFT_OK;
}

weft_array *weft_random_integers(weft_session *session, int64_t low, int64_t high, int ndim,
                                 const int64_t *shape, const weft_random_options *opts)
{
    const draw d = { .name = "random_integers",
                     .kind = WF_INSTR_INTEGERS,
                     .low = low,
                     .span = (uint64_t)high - (uint64_t)low };
    wf_node *node = NULL;

    weft_status st = check_draw(&d, session, opts);
    if (st == WEFT_OK) st = check_integers(low, high, opts ? opts->dtype : WEFT_DTYPE_DEFAULT);
    if (st == WEFT_OK) st = draw_array(session, &d, ndim, shape, opts, &node);
    return wf_array_give(session, st, node, SITE);
}
