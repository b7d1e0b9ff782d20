// SPDX-License-Identifier: Apache-2.0
// make_elementwise - elementwise operations: promotion (NEP 50), broadcasting, and what is written
// in terms of others.
#include <math.h>

#include "graph/make_chain.h"

// What a weak scalar of dtype WEAK becomes beside an array of dtype STRONG.
static weft_dtype weak_beside(weft_dtype weak, weft_dtype strong)
{
    char kind = wf_dtype_kind(strong), of = wf_dtype_kind(weak);

    if (of == 'c') return kind == 'f' || kind == 'c' ? wf_dtype_complex(strong) : WEFT_COMPLEX128;
    if (of == 'f') return kind == 'f' || kind == 'c' ? strong : WEFT_FLOAT64;
    return kind == 'b' ? weak : strong;
}

// The dtypes in which N operands enter the promotion. *WEAK: all of them are weak, and so is the
// result.
static void operand_dtypes(int n, wf_node *const *in, weft_dtype *out, bool *weak)
{
    weft_dtype strong = WEFT_DTYPE_DEFAULT;

    for (int i = 0; i < n; i++) {
        weft_dtype d = out[i] = (weft_dtype)in[i]->dtype;
        if (!in[i]->weak) strong = strong ? wf_dtype_promote(strong, d) : d;
    }
    *weak = !strong;
    for (int i = 0; i < n && strong; i++)
        if (in[i]->weak) out[i] = weak_beside(out[i], strong);
}

weft_dtype wf_make_common(wf_node *a, wf_node *b)
{
    weft_dtype d[2];
    bool weak;
    operand_dtypes(2, (wf_node *[]){ a, b }, d, &weak);
    return wf_dtype_promote(d[0], d[1]);
}

// An operation that changes nothing in an array of this dtype.
static bool is_identity(wf_op op, weft_dtype dtype)
{
    char kind = wf_dtype_kind(dtype);

    switch (op) {
    case WF_OP_POSITIVE: return true;
    case WF_OP_FLOOR:
    case WF_OP_CEIL:
    case WF_OP_TRUNC:
    case WF_OP_ROUND: return kind != 'f' && kind != 'c';
    case WF_OP_CONJ:
    case WF_OP_REAL: return kind != 'c';
    default: return false;
    }
}

static weft_status broadcast_shape(const char *where, int n, wf_node *const *in, wf_shape *out)
{
    *out = in[0]->shape;
    for (int i = 1; i < n; i++) {
        if (in[i]->shape.ndim == 0 || wf_shape_equal(out, &in[i]->shape)) continue;
        if (out->ndim == 0) *out = in[i]->shape;
        else WF_TRY(wf_shape_broadcast(where, out, &in[i]->shape, out));
    }
    return WEFT_OK;
}

static weft_status broadcast(wf_node *x, const wf_shape *shape, wf_node **out)
{
    if (wf_shape_equal(&x->shape, shape)) return wf_make_same(x, out);
    wf_map map = wf_map_broadcast(&x->shape, shape);
    return wf_make_view("broadcast", x, shape, &map, out);
}

// X as an operand of a MAP that computes in DTYPE and has SHAPE.
static weft_status as_operand(wf_op op, wf_node *x, weft_dtype dtype, const wf_shape *shape,
                              wf_node **out)
{
    wf_node *cast;

    if (x->dtype == dtype && (x->kind == WF_NODE_SCALAR || wf_shape_equal(&x->shape, shape)))
        return wf_make_same(x, out);
    WF_TRY(wf_make_fitting(wf_op_name(op), x, dtype, &cast));
    weft_status st = WEFT_OK;
    if (cast->kind == WF_NODE_SCALAR) *out = cast;
    else {
        st = broadcast(cast, shape, out);
        wf_node_release(cast);
    }
    return st;
}

static bool is_comparison(wf_op op) { return op >= WF_OP_EQUAL && op <= WF_OP_GREATER_EQUAL; }

// A comparison with a Python integer that the array's dtype cannot hold is decided by the sign of
// the integer.
static bool decided(wf_op op, wf_node *const *in, weft_dtype compute, bool *answer)
{
    char kind = wf_dtype_kind(compute);

    if (!is_comparison(op) || (kind != 'i' && kind != 'u')) return false;
    for (int i = 0; i < 2; i++) {
        if (in[i]->kind != WF_NODE_SCALAR || !in[i]->weak || wf_scalar_fits(in[i], compute))
            continue;
        bool first_is_less = (in[i]->scalar.i < 0) == (i == 0);
        *answer = op == WF_OP_NOT_EQUAL ||
                  ((op == WF_OP_LESS || op == WF_OP_LESS_EQUAL) && first_is_less) ||
                  ((op == WF_OP_GREATER || op == WF_OP_GREATER_EQUAL) && !first_is_less);
        return true;
    }
    return false;
}

// x ** 2 is x * x; an integer to a negative power has no integer value.
static weft_status rewrite_pow(wf_op *op, wf_node *const *in, weft_dtype compute)
{
    if (*op != WF_OP_POW || in[1]->kind != WF_NODE_SCALAR) return WEFT_OK;
    double exponent = wf_scalar_to_double(in[1]);
    char kind = wf_dtype_kind(compute);
    if (exponent == 2) *op = WF_OP_SQUARE;
    if (exponent < 0 && (kind == 'i' || kind == 'u'))
        return wf_fail(WEFT_INVALID, "pow: an integer to a negative power is no integer, got %.0f",
                       exponent);
    return WEFT_OK;
}

static weft_status map_promoted(wf_op op, wf_node *const *in, wf_node **out)
{
    int n = wf_op_arity(op), first = op == WF_OP_WHERE;
    weft_dtype dtype[3] = { WEFT_BOOL }, compute, result;
    wf_node *operand[3] = { NULL };
    wf_shape shape;
    bool weak, answer;

    operand_dtypes(n - first, in + first, dtype + first, &weak);
    WF_TRY(wf_op_types(op, dtype, &compute, &result));
    WF_TRY(broadcast_shape(wf_op_name(op), n, in, &shape));
    WF_TRY(rewrite_pow(&op, in, compute));
    if (n == 1 && is_identity(op, compute) && compute == in[0]->dtype)
        return wf_make_same(in[0], out);
    if (n == 2 && decided(op, in, compute, &answer))
        return wf_make_constant(WEFT_BOOL, &shape, answer, out);

    n = wf_op_arity(op);
    weft_status st = WEFT_OK;
    for (int i = 0; i < n && st == WEFT_OK; i++)
        st = as_operand(op, in[i], i < first ? WEFT_BOOL : compute, &shape, &operand[i]);
    if (st == WEFT_OK) st = wf_node_create(WF_NODE_MAP, result, &shape, n, operand, out);
    for (int i = 0; i < n; i++) wf_node_release(operand[i]);
    if (st != WEFT_OK) return st;
    (*out)->op = (uint16_t)op;
    (*out)->weak = weak && !(first && !in[0]->weak) && result != WEFT_BOOL;
    return WEFT_OK;
}

// Operands of one dtype and shape, computed in that dtype: nothing to convert, no node but the
// result.
static bool is_plain(wf_op op, int n, wf_node *const *in)
{
    if (op == WF_OP_WHERE || op == WF_OP_POW) return false;
    for (int i = 0; i < n; i++)
        if (in[i]->weak || in[i]->dtype != in[0]->dtype) return false;
    return n == 1 || in[0] == in[1] || wf_shape_equal(&in[0]->shape, &in[1]->shape);
}

// The next 16-bit float cannot be had by rounding the next float32. In float64, a little more than half a unit further and rounded once, it
// can: half a unit of X at most 0.55 * 2^-p * |x|, of subnormals 0.55 of the smallest; infinity counts as the power of two after the largest.
static weft_status next_half(weft_dtype half, wf_node *a, wf_node *b, wf_node **out)
{
    bool brain = half == WEFT_BFLOAT16;
    wf_chain c = { 0 };
    wf_node *x = wf_chain_cast(&c, a, WEFT_FLOAT64), *to = wf_chain_cast(&c, b, WEFT_FLOAT64);
    wf_node *most = wf_chain_num(&c, brain ? 0x1p128 : 65536);
    wf_node *near = wf_chain_op2(
        &c, WF_OP_MINIMUM,
        wf_chain_op2(&c, WF_OP_MAXIMUM, x, wf_chain_op(&c, WF_OP_NEGATIVE, most)), most);
    wf_node *step = wf_chain_op2(&c, WF_OP_MULTIPLY, wf_chain_op(&c, WF_OP_ABS, near),
                                 wf_chain_num(&c, brain ? 0.55 * 0x1p-7 : 0.55 * 0x1p-10));
    step = wf_chain_op2(&c, WF_OP_MAXIMUM, step,
                        wf_chain_num(&c, brain ? 0.55 * 0x1p-133 : 0.55 * 0x1p-24));
    wf_node *up = wf_chain_op2(&c, WF_OP_GREATER, to, x);
    wf_node *next = wf_chain_op2(
        &c, WF_OP_ADD, near, wf_chain_where(&c, up, step, wf_chain_op(&c, WF_OP_NEGATIVE, step)));
    wf_node *same = wf_chain_op2(&c, WF_OP_LOGICAL_OR, wf_chain_op2(&c, WF_OP_EQUAL, x, to),
                                 wf_chain_op(&c, WF_OP_ISNAN, to));
    wf_node *result = wf_chain_cast(&c, wf_chain_where(&c, same, to, next), half);
    return wf_chain_give(&c, result, out);
}

// Signed integers and uint64 meet in float64, which does not tell 2^53 from 2^53 + 1; their comparisons are exact, as in NumPy 2.
static bool is_signed_beside_uint64(wf_op op, wf_node *const *in)
{
    if (!is_comparison(op) || in[0]->weak || in[1]->weak) return false;
    for (int i = 0; i < 2; i++)
        if (wf_dtype_kind((weft_dtype)in[i]->dtype) == 'i' && in[!i]->dtype == WEFT_UINT64)
            return true;
    return false;
}

// A signed number below 0 is less than any uint64; from 0 on both are uint64.
static weft_status compare_signs(wf_op op, wf_node *const *in, wf_node **out)
{
    bool first = wf_dtype_kind((weft_dtype)in[0]->dtype) == 'i';  // the signed one is the first
    bool less = op == WF_OP_LESS || op == WF_OP_LESS_EQUAL;
    bool greater = op == WF_OP_GREATER || op == WF_OP_GREATER_EQUAL;
    wf_chain c = { 0 };

    wf_node *s = in[!first], *bits = wf_chain_cast(&c, s, WEFT_UINT64);
    wf_node *answer = wf_chain_op2(&c, op, first ? bits : in[0], first ? in[1] : bits);
    if (op == WF_OP_NOT_EQUAL || (first ? less : greater))
        answer = wf_chain_op2(&c, WF_OP_LOGICAL_OR,
                              wf_chain_op2(&c, WF_OP_LESS, s, wf_chain_int(&c, 0)), answer);
    else
        answer =
            wf_chain_op2(&c, WF_OP_LOGICAL_AND,
                         wf_chain_op2(&c, WF_OP_GREATER_EQUAL, s, wf_chain_int(&c, 0)), answer);
    return wf_chain_give(&c, answer, out);
}

weft_status wf_make_map(wf_op op, wf_node *const *in, wf_node **out)
{
    int n = wf_op_arity(op);
    weft_dtype compute, result;

    if (is_signed_beside_uint64(op, in)) return compare_signs(op, in, out);

    if (op == WF_OP_NEXTAFTER) {
        weft_dtype common = wf_make_common(in[0], in[1]);
        if (wf_dtype_is_half(wf_dtype_float(common)) && wf_dtype_kind(common) != 'c')
            return next_half(wf_dtype_float(common), in[0], in[1], out);
    }
    if (!is_plain(op, n, in)) return map_promoted(op, in, out);
    weft_dtype dtype[3] = { (weft_dtype)in[0]->dtype, (weft_dtype)in[0]->dtype };
    WF_TRY(wf_op_types(op, dtype, &compute, &result));
    if (compute != dtype[0]) return map_promoted(op, in, out);
    if (n == 1 && is_identity(op, compute)) return wf_make_same(in[0], out);
    WF_TRY(wf_node_create(WF_NODE_MAP, result, &in[0]->shape, n, in, out));
    (*out)->op = (uint16_t)op;
    return WEFT_OK;
}

weft_status wf_make_cast(wf_node *x, weft_dtype dtype, wf_node **out)
{
    if (!wf_dtype_is_valid(dtype))
        return wf_fail(WEFT_INVALID, "astype: expected a dtype, got the number %d", (int)dtype);
    if (x->dtype == dtype && !x->weak) return wf_make_same(x, out);
    if (x->kind == WF_NODE_SCALAR) return wf_make_scalar_as(x, dtype, out);
    return wf_node_create(WF_NODE_CAST, dtype, &x->shape, 1, &x, out);
}

static weft_status refuse_complex(const char *where, int n, wf_node *const *x)
{
    for (int i = 0; i < n; i++)
        if (x[i] && wf_dtype_kind((weft_dtype)x[i]->dtype) == 'c')
            return wf_fail(WEFT_INVALID, "%s: expected a real dtype, got %s", where,
                           wf_dtype_name((weft_dtype)x[i]->dtype));
    return WEFT_OK;
}

static weft_status check_broadcast(const char *where, int n, wf_node *const *x)
{
    wf_shape shape;
    return broadcast_shape(where, n, x, &shape);
}

weft_status wf_make_clip(wf_node *x, wf_node *lo, wf_node *hi, wf_node **out)
{
    wf_node *in[3] = { x, lo ? lo : x, hi ? hi : x };
    weft_dtype d[3];
    bool weak;
    wf_chain c = { 0 };

    WF_TRY(refuse_complex("clip", 3, in));
    WF_TRY(check_broadcast("clip", 3, in));
    operand_dtypes(3, in, d, &weak);
    weft_dtype common = wf_dtype_promote(wf_dtype_promote(d[0], d[1]), d[2]);
    if (weak) common = WEFT_DTYPE_DEFAULT;
    wf_node *y = common ? wf_chain_cast(&c, x, common) : x;
    for (int i = 1; i < 3 && y; i++) {
        if (!(i == 1 ? lo : hi)) continue;
        wf_node *bound = in[i];
        if (common) bound = wf_chain_hold(&c, wf_make_fitting("clip", in[i], common, &c.next));
        y = wf_chain_op2(&c, i == 1 ? WF_OP_MAXIMUM : WF_OP_MINIMUM, y, bound);
    }
    return wf_chain_give(&c, y, out);
}

static bool is_inexact(const wf_node *x)
{
    char kind = wf_dtype_kind((weft_dtype)x->dtype);
    return kind == 'f' || kind == 'c';
}

weft_status wf_make_isclose(wf_node *a, wf_node *b, double rtol, double atol, bool equal_nan,
                            wf_node **out)
{
    wf_chain c = { 0 };

    if (!(rtol >= 0) || !(atol >= 0))
        return wf_fail(WEFT_INVALID, "isclose: a tolerance must be >= 0, got %g",
                       rtol >= 0 ? atol : rtol);
    WF_TRY(check_broadcast("isclose", 2, (wf_node *[]){ a, b }));
    wf_node *y = is_inexact(b) ? b : wf_chain_cast(&c, b, WEFT_FLOAT64);
    wf_node *distance = wf_chain_op(&c, WF_OP_ABS, wf_chain_op2(&c, WF_OP_SUBTRACT, a, y));
    wf_node *relative =
        wf_chain_op2(&c, WF_OP_MULTIPLY, wf_chain_num(&c, rtol), wf_chain_op(&c, WF_OP_ABS, y));
    wf_node *allowed = wf_chain_op2(&c, WF_OP_ADD, wf_chain_num(&c, atol), relative);
    wf_node *near = wf_chain_op2(&c, WF_OP_LESS_EQUAL, distance, allowed);
    near = wf_chain_op2(&c, WF_OP_LOGICAL_AND, near, wf_chain_op(&c, WF_OP_ISFINITE, y));
    near = wf_chain_op2(&c, WF_OP_LOGICAL_OR, near, wf_chain_op2(&c, WF_OP_EQUAL, a, y));
    if (equal_nan) {
        wf_node *both = wf_chain_op2(&c, WF_OP_LOGICAL_AND, wf_chain_op(&c, WF_OP_ISNAN, a),
                                     wf_chain_op(&c, WF_OP_ISNAN, y));
        near = wf_chain_op2(&c, WF_OP_LOGICAL_OR, near, both);
    }
    return wf_chain_give(&c, near, out);
}

static double largest(weft_dtype dtype)
{
    switch (dtype) {
    case WEFT_FLOAT16: return 65504;
    case WEFT_BFLOAT16: return 0x1.fep127;
    case WEFT_FLOAT32: return 0x1.fffffep127;
    default: return 0x1.fffffffffffffp1023;
    }
}

static wf_node *replace(wf_chain *c, wf_node *x, wf_node *condition, double value)
{
    return wf_chain_where(c, condition, wf_chain_num(c, value), x);
}

static wf_node *real_to_num(wf_chain *c, wf_node *x, double nan, const double *posinf,
                            const double *neginf)
{
    if (!x) return NULL;
    double most = largest((weft_dtype)x->dtype);
    wf_node *y = replace(c, x, wf_chain_op2(c, WF_OP_EQUAL, x, wf_chain_num(c, -INFINITY)),
                         neginf ? *neginf : -most);
    y = replace(c, y, wf_chain_op2(c, WF_OP_EQUAL, x, wf_chain_num(c, INFINITY)),
                posinf ? *posinf : most);
    return replace(c, y, wf_chain_op(c, WF_OP_ISNAN, x), nan);
}

weft_status wf_make_nan_to_num(wf_node *x, double nan, const double *posinf, const double *neginf,
                               wf_node **out)
{
    wf_chain c = { 0 };

    if (!is_inexact(x)) return wf_make_same(x, out);
    if (wf_dtype_kind((weft_dtype)x->dtype) == 'f')
        return wf_chain_give(&c, real_to_num(&c, x, nan, posinf, neginf), out);

    // There is no operation that joins two parts: re + im*1j does it, but loses signs of zero, so
    // what is finite is kept as it is.
    wf_scalar i = { .c128 = { 0, 1 } };
    wf_node *unit = wf_chain_hold(&c, wf_make_scalar(WEFT_COMPLEX128, &i, true, &c.next));
    wf_node *re = real_to_num(&c, wf_chain_op(&c, WF_OP_REAL, x), nan, posinf, neginf);
    wf_node *im = real_to_num(&c, wf_chain_op(&c, WF_OP_IMAG, x), nan, posinf, neginf);
    wf_node *joined = wf_chain_op2(&c, WF_OP_ADD, re, wf_chain_op2(&c, WF_OP_MULTIPLY, im, unit));
    return wf_chain_give(&c, wf_chain_where(&c, wf_chain_op(&c, WF_OP_ISFINITE, x), x, joined),
                         out);
}
