// SPDX-License-Identifier: Apache-2.0
// make_scalar - SCALAR nodes and the conversion of single values. A scalar of a 16-bit float dtype
// is kept as a float32 that has been rounded to that format, since programs compute in float32.
#include <math.h>

#include "graph/make_chain.h"

// A value of any dtype: an integer exactly (I, or U above INT64_MAX), anything else as RE and IM.
typedef struct number {
    char kind;
    int64_t i;
    uint64_t u;
    double re, im;
} number;

static int64_t wrap_signed(int64_t v, weft_dtype dtype)
{
    switch (dtype) {
    case WEFT_INT8: return (int8_t)v;
    case WEFT_INT16: return (int16_t)v;
    case WEFT_INT32: return (int32_t)v;
    default: return v;
    }
}

static uint64_t wrap_unsigned(uint64_t v, weft_dtype dtype)
{
    switch (dtype) {
    case WEFT_UINT8: return (uint8_t)v;
    case WEFT_UINT16: return (uint16_t)v;
    case WEFT_UINT32: return (uint32_t)v;
    default: return v;
    }
}

static number read_number(weft_dtype dtype, const wf_scalar *s)
{
    number n = { .kind = wf_dtype_kind(dtype) };

    switch (n.kind) {
    case 'b': n.i = s->b, n.u = s->b, n.re = s->b; break;
    case 'i': n.i = wrap_signed(s->i, dtype), n.u = (uint64_t)n.i, n.re = (double)n.i; break;
    case 'u': n.u = wrap_unsigned(s->u, dtype), n.i = (int64_t)n.u, n.re = (double)n.u; break;
    case 'f': n.re = dtype == WEFT_FLOAT64 ? s->f64 : (double)s->f32; break;
    default:
        n.re = dtype == WEFT_COMPLEX64 ? (double)s->c64[0] : s->c128[0];
        n.im = dtype == WEFT_COMPLEX64 ? (double)s->c64[1] : s->c128[1];
    }
    return n;
}

// To nearest, ties to even, in a format of DIGITS binary digits whose smallest normal number has
// exponent LEAST.
static float round_to(double v, int digits, int least, double most)
{
    int e;

    if (!isfinite(v) || v == 0) return (float)v;
    frexp(v, &e);
    if (e - 1 < least) e = least + 1;
    double unit = ldexp(1, e - digits), r = nearbyint(v / unit) * unit;
    return (float)(fabs(r) > most ? copysign(INFINITY, v) : r);
}

static float narrow(double v, weft_dtype dtype)
{
    if (dtype == WEFT_FLOAT16) return round_to(v, 11, -14, 65504);
    return dtype == WEFT_BFLOAT16 ? round_to(v, 8, -126, 0x1.fep127) : (float)v;
}

static int64_t truncated(const number *n)
{
    if (n->kind != 'f' && n->kind != 'c') return n->i;
    return n->re >= -0x1p63 && n->re < 0x1p63 ? (int64_t)n->re : INT64_MIN;
}

static uint64_t truncated_unsigned(const number *n)
{
    bool large = (n->kind == 'f' || n->kind == 'c') && n->re >= 0x1p63 && n->re < 0x1p64;
    return large ? (uint64_t)n->re : (uint64_t)truncated(n);
}

static float to_f32(const number *n, weft_dtype dtype)
{
    if (dtype == WEFT_FLOAT32 && n->kind == 'i')
        return (float)n->i;  // not by way of double: one rounding
    if (dtype == WEFT_FLOAT32 && n->kind == 'u') return (float)n->u;
    return narrow(n->re, dtype);
}

static wf_scalar write_number(const number *n, weft_dtype dtype)
{
    wf_scalar s = { .c128 = { 0, 0 } };

    switch (dtype) {
    case WEFT_BOOL: s.b = n->re != 0 || n->im != 0; break;
    case WEFT_FLOAT64: s.f64 = n->re; break;
    case WEFT_COMPLEX64: s.c64[0] = to_f32(n, WEFT_FLOAT32), s.c64[1] = (float)n->im; break;
    case WEFT_COMPLEX128: s.c128[0] = n->re, s.c128[1] = n->im; break;
    case WEFT_FLOAT16:
    case WEFT_BFLOAT16:
    case WEFT_FLOAT32: s.f32 = to_f32(n, dtype); break;
    default:
        if (wf_dtype_kind(dtype) == 'i') s.i = wrap_signed(truncated(n), dtype);
        else s.u = wrap_unsigned(truncated_unsigned(n), dtype);
    }
    return s;
}

wf_scalar wf_scalar_from_double(weft_dtype dtype, double value)
{
    number n = { .kind = 'f', .re = value };
    return write_number(&n, dtype);
}

double wf_scalar_to_double(const wf_node *scalar)
{
    number n = read_number((weft_dtype)scalar->dtype, &scalar->scalar);
    return n.im == 0 ? n.re : NAN;
}

bool wf_scalar_fits(const wf_node *scalar, weft_dtype dtype)
{
    number n = read_number((weft_dtype)scalar->dtype, &scalar->scalar);
    int bits = 8 * (int)wf_dtype_size(dtype);

    if (wf_dtype_kind(dtype) == 'b') return n.u <= 1;
    bool negative = n.kind == 'i' && n.i < 0;
    if (wf_dtype_kind(dtype) == 'u') return !negative && (bits == 64 || n.u >> bits == 0);
    uint64_t room = (uint64_t)1 << (bits - 1);
    return negative ? n.i >= -(int64_t)(room - 1) - 1 : n.u < room;
}

static weft_status create_scalar(weft_dtype dtype, const number *value, bool weak, wf_node **out)
{
    wf_node *n;

    WF_TRY(wf_node_create(WF_NODE_SCALAR, dtype, &(wf_shape){ .ndim = 0 }, 0, NULL, &n));
    n->scalar = write_number(value, dtype);
    n->weak = weak;
    *out = n;
    return WEFT_OK;
}

weft_status wf_make_scalar(weft_dtype dtype, const wf_scalar *value, bool weak, wf_node **out)
{
    if (!wf_dtype_is_valid(dtype))
        return wf_fail(WEFT_INVALID, "scalar: expected a dtype, got the number %d", (int)dtype);
    number v = read_number(dtype, value);
    return create_scalar(dtype, &v, weak, out);
}

weft_status wf_make_scalar_as(wf_node *scalar, weft_dtype dtype, wf_node **out)
{
    number v = read_number((weft_dtype)scalar->dtype, &scalar->scalar);
    return create_scalar(dtype, &v, false, out);
}

static weft_status refuse_value(const char *where, const wf_node *scalar, weft_dtype dtype)
{
    if (wf_dtype_kind((weft_dtype)scalar->dtype) == 'u')
        return wf_fail(WEFT_OVERFLOW, "%s: %" PRIu64 " does not fit in %s", where, scalar->scalar.u,
                       wf_dtype_name(dtype));
    return wf_fail(WEFT_OVERFLOW, "%s: %" PRId64 " does not fit in %s", where, scalar->scalar.i,
                   wf_dtype_name(dtype));
}

weft_status wf_make_fitting(const char *where, wf_node *x, weft_dtype dtype, wf_node **out)
{
    char to = wf_dtype_kind(dtype);
    bool checked =
        x->kind == WF_NODE_SCALAR && x->weak && wf_dtype_kind((weft_dtype)x->dtype) == 'i';

    if (checked && (to == 'i' || to == 'u') && !wf_scalar_fits(x, dtype))
        return refuse_value(where, x, dtype);
    return wf_make_cast(x, dtype, out);
}
