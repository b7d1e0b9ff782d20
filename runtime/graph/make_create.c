// SPDX-License-Identifier: Apache-2.0
// make_create - arrays from no array: constants, sequences, random numbers. None of them holds
// data: a constant is a view of a scalar, a sequence a function of the coordinates.
#include <math.h>

#include "graph/make_chain.h"

weft_status wf_make_full(weft_dtype dtype, const wf_shape *shape, const wf_scalar *value,
                         const wf_grid *grid, wf_node **out)
{
    wf_map map = { .ndim = 0 };
    wf_node *scalar, *full;

    WF_TRY(wf_make_scalar(dtype, value, false, &scalar));
    weft_status st = wf_make_view("full", scalar, shape, &map, &full);
    wf_node_release(scalar);
    if (st == WEFT_OK && grid && shape->ndim > 0) {
        st = wf_node_set_grid(full, grid);
        if (st != WEFT_OK) wf_node_release(full);
    }
    if (st == WEFT_OK) *out = full;
    return st;
}

weft_status wf_make_constant(weft_dtype dtype, const wf_shape *shape, double value, wf_node **out)
{
    wf_scalar s = wf_scalar_from_double(dtype, value);
    return wf_make_full(dtype, shape, &s, NULL, out);
}

static wf_node *count_from(wf_chain *c, int64_t n, int64_t origin, int64_t stride)
{
    return wf_chain_counter(c, &(wf_shape){ .ndim = 1, .dim = { n } }, origin, &stride);
}

// start + i*step in float64 for i < N.
static wf_node *sequence(wf_chain *c, int64_t n, double start, double step)
{
    wf_node *i = wf_chain_cast(c, count_from(c, n, 0, 1), WEFT_FLOAT64);
    wf_node *moved = step == 1 ? i : wf_chain_op2(c, WF_OP_MULTIPLY, i, wf_chain_num(c, step));
    return start == 0 ? moved : wf_chain_op2(c, WF_OP_ADD, wf_chain_num(c, start), moved);
}

static bool is_whole(double v) { return fabs(v) <= 0x1p53 && v == nearbyint(v); }

// Whether the counter start + i*step gives exactly what float64 arithmetic would, or, for an
// integer DTYPE, what is meant.
static bool counts_exactly(double start, double step, int64_t n, weft_dtype dtype)
{
    char kind = wf_dtype_kind(dtype);
    double most = kind == 'i' || kind == 'u' ? 0x1p62 : 0x1p53;
    return is_whole(start) && is_whole(step) && (double)n <= 0x1p53 &&
           fabs(start) + fabs(step) * (double)n <= most;
}

static weft_status arange_length(double start, double stop, double step, int64_t *out)
{
    double bad = !isfinite(start) ? start : !isfinite(stop) ? stop : step;

    if (!isfinite(bad))
        return wf_fail(WEFT_INVALID, "arange: start, stop and step must be finite, got %g", bad);
    if (step == 0) return wf_fail(WEFT_INVALID, "arange: step must not be 0");
    double n = ceil((stop - start) / step);
    if (n >= 0x1p59)
        return wf_fail(WEFT_OVERFLOW, "arange: the number of elements does not fit in 64 bits");
    *out = n > 0 ? (int64_t)n : 0;
    return WEFT_OK;
}

static weft_status default_dtype(const char *where, weft_dtype dtype, weft_dtype otherwise,
                                 weft_dtype *out)
{
    *out = dtype ? dtype : otherwise;
    if (wf_dtype_is_valid(*out)) return WEFT_OK;
    return wf_fail(WEFT_INVALID, "%s: expected a dtype, got the number %d", where, (int)dtype);
}

weft_status wf_make_arange(double start, double stop, double step, weft_dtype dtype, wf_node **out)
{
    wf_chain c = { 0 };
    wf_node *values;
    int64_t n = 0;

    WF_TRY(default_dtype("arange", dtype, WEFT_FLOAT64, &dtype));
    WF_TRY(arange_length(start, stop, step, &n));
    if (counts_exactly(start, step, n, dtype))
        values = count_from(&c, n, (int64_t)start, (int64_t)step);
    else values = sequence(&c, n, start, step);
    return wf_chain_give(&c, wf_chain_cast(&c, values, dtype), out);
}

static weft_status check_linspace(double start, double stop, int64_t num)
{
    if (num < 0)
        return wf_fail(WEFT_INVALID, "linspace: the number of points must be >= 0, got %" PRId64,
                       num);
    if (num > INT64_MAX / 16)
        return wf_fail(WEFT_OVERFLOW, "linspace: the number of elements does not fit in 64 bits");
    if (isfinite(start) && isfinite(stop)) return WEFT_OK;
    return wf_fail(WEFT_INVALID, "linspace: both ends must be finite, got %g",
                   isfinite(start) ? stop : start);
}

weft_status wf_make_linspace(double start, double stop, int64_t num, bool endpoint,
                             weft_dtype dtype, wf_node **out)
{
    wf_chain c = { 0 };

    WF_TRY(default_dtype("linspace", dtype, WEFT_FLOAT64, &dtype));
    WF_TRY(check_linspace(start, stop, num));
    int64_t parts = endpoint ? num - 1 : num;
    double step = parts > 0 ? (stop - start) / (double)parts : 0;
    if (!isfinite(step)) step = stop / (double)parts - start / (double)parts;
    wf_node *values = sequence(&c, num, start, step);
    if (endpoint && num > 1) {  // rounding must not move the last point
        wf_node *is_last =
            wf_chain_op2(&c, WF_OP_EQUAL, count_from(&c, num, 0, 1), wf_chain_int(&c, num - 1));
        values = wf_chain_where(&c, is_last, wf_chain_num(&c, stop), values);
    }
    char kind = wf_dtype_kind(dtype);
    if (kind == 'i' || kind == 'u')
        values =
            wf_chain_op(&c, WF_OP_FLOOR, values);  // as NumPy; a cast alone would round toward 0
    return wf_chain_give(&c, wf_chain_cast(&c, values, dtype), out);
}

weft_status wf_make_eye(int64_t rows, int64_t cols, int64_t k, weft_dtype dtype, wf_node **out)
{
    wf_chain c = { 0 };
    wf_shape shape;

    WF_TRY(default_dtype("eye", dtype, WEFT_FLOAT64, &dtype));
    WF_TRY(wf_shape_init(&shape, "eye", 2, (int64_t[]){ rows, cols }));
    if (k >= cols || k <= -rows) return wf_make_constant(dtype, &shape, 0, out);
    wf_node *offset = wf_chain_counter(&c, &shape, -k, (int64_t[]){ -1, 1 });
    wf_node *on = wf_chain_op2(&c, WF_OP_EQUAL, offset, wf_chain_int(&c, 0));
    return wf_chain_give(&c, wf_chain_cast(&c, on, dtype), out);
}

static wf_node *draw(wf_chain *c, wf_instr_kind kind, weft_dtype dtype, const wf_shape *shape,
                     const wf_scalar *params)
{
    if (!wf_chain_hold(c, wf_node_create(WF_NODE_RANDOM, dtype, shape, 0, NULL, &c->next)))
        return NULL;
    wf_node *n = c->next;
    n->op = (uint16_t)kind;
    c->status = wf_node_set_extra(n, params, 4 * sizeof *params);
    return c->status == WEFT_OK ? n : NULL;
}

static weft_status check_random(wf_instr_kind kind, weft_dtype dtype)
{
    char got = wf_dtype_kind(dtype);

    if (kind == WF_INSTR_INTEGERS && got != 'i' && got != 'u')
        return wf_fail(WEFT_INVALID, "random_integers: expected an integer dtype, got %s",
                       wf_dtype_name(dtype));
    if (kind != WF_INSTR_INTEGERS && got != 'f')
        return wf_fail(WEFT_INVALID, "%s: expected a float dtype, got %s",
                       kind == WF_INSTR_NORMAL ? "random_normal" : "random_uniform",
                       wf_dtype_name(dtype));
    return WEFT_OK;
}

weft_status wf_make_random(wf_instr_kind kind, weft_dtype dtype, const wf_shape *shape,
                           uint64_t seed, uint64_t stream, double a, double b, int64_t low,
                           uint64_t span, wf_node **out)
{
    wf_scalar params[4] = { { .u = seed }, { .u = stream }, { .u = (uint64_t)low }, { .u = span } };
    bool integers = kind == WF_INSTR_INTEGERS;
    wf_chain c = { 0 };

    WF_TRY(default_dtype("random", dtype, integers ? WEFT_INT64 : WEFT_FLOAT64, &dtype));
    WF_TRY(check_random(kind, dtype));
    wf_node *x = draw(&c, kind, integers ? WEFT_INT64 : wf_dtype_compute(dtype), shape, params);
    if (kind == WF_INSTR_UNIFORM && (a != 0 || b != 1)) {
        x = wf_chain_op2(&c, WF_OP_MULTIPLY, wf_chain_num(&c, b - a), x);
        x = wf_chain_op2(&c, WF_OP_ADD, wf_chain_num(&c, a), x);
    }
    return wf_chain_give(&c, wf_chain_cast(&c, x, dtype), out);
}
