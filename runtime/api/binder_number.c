// SPDX-License-Identifier: Apache-2.0
// binder_number - numbers of an expression among themselves, as Python computes them: integers stay
// exact or are refused, 1/2 is 0.5.
#include <complex.h>
#include <math.h>

#include "api/binder.h"

static double as_f64(const wf_term *v)
{
    return v->kind == WF_TERM_FLOAT ? v->as.f : (double)v->as.i;
}

// re + im*1i would make NaN of an infinite part.
static double complex join(double re, double im)
{
    const union {
        double part[2];
        double complex number;
    } u = { { re, im } };
    return u.number;
}

static double complex as_c128(const wf_term *v)
{
    return v->kind == WF_TERM_COMPLEX ? join(v->as.c[0], v->as.c[1]) : join(as_f64(v), 0);
}

static weft_status give_f64(double f, wf_term *out)
{
    *out = (wf_term){ .kind = WF_TERM_FLOAT, .as.f = f };
    return WEFT_OK;
}

static weft_status give_i64(int64_t i, wf_term *out)
{
    *out = (wf_term){ .kind = WF_TERM_INT, .as.i = i };
    return WEFT_OK;
}

static weft_status give_bool(bool i, wf_term *out)
{
    *out = (wf_term){ .kind = WF_TERM_BOOL, .as.i = i };
    return WEFT_OK;
}

static weft_status give_c128(double complex c, wf_term *out)
{
    *out = (wf_term){ .kind = WF_TERM_COMPLEX, .as.c = { creal(c), cimag(c) } };
    return WEFT_OK;
}

static weft_status fail_zero(wf_binder *b, int32_t node)
{
    return wf_expr_fail(b->expr, node, WEFT_INVALID, "division by zero");
}

static weft_status fail_operands(wf_binder *b, int32_t node, wf_expr_op op, const wf_term *x,
                                 const wf_term *y)
{
    return wf_expr_fail(b->expr, node, WEFT_INVALID, "'%s' does not work on %s and %s",
                        wf_expr_op_symbol(op), wf_term_describe(x), wf_term_describe(y));
}

static bool pow_overflow(int64_t x, int64_t y, int64_t *out)
{
    int64_t r = 1;
    while (y > 0) {
        if ((y & 1) && __builtin_mul_overflow(r, x, &r)) return true;
        y >>= 1;
        if (y && __builtin_mul_overflow(x, x, &x)) return true;
    }
    *out = r;
    return false;
}

static int64_t floor_div(int64_t x, int64_t y)
{
    int64_t q = x / y;
    return q - (x % y != 0 && (x < 0) != (y < 0));
}

static bool shift_overflow(int64_t x, int64_t y, int64_t *out)
{
    if (y >= 63 ? x != 0 : x > INT64_MAX >> y || x < INT64_MIN >> y) return true;
    *out = y >= 63 ? 0 : (int64_t)((uint64_t)x << y);
    return false;
}

static weft_status arithmetic_i64(wf_binder *b, int32_t node, wf_expr_op op, int64_t x, int64_t y,
                                  wf_term *out)
{
    bool overflow = false;
    int64_t r = 0;

    switch (op) {
    case WF_EXPR_OP_ADD: overflow = __builtin_add_overflow(x, y, &r); break;
    case WF_EXPR_OP_SUBTRACT: overflow = __builtin_sub_overflow(x, y, &r); break;
    case WF_EXPR_OP_MULTIPLY: overflow = __builtin_mul_overflow(x, y, &r); break;
    case WF_EXPR_OP_DIVIDE: return y ? give_f64((double)x / (double)y, out) : fail_zero(b, node);
    case WF_EXPR_OP_FLOOR_DIVIDE:
        if (!y) return fail_zero(b, node);
        overflow = x == INT64_MIN && y == -1;
        r = overflow ? 0 : floor_div(x, y);
        break;
    case WF_EXPR_OP_REMAINDER:
        if (!y) return fail_zero(b, node);
        r = y == -1 ? 0 : x - y * floor_div(x, y);
        break;
    case WF_EXPR_OP_POW:
        if (y < 0) return x ? give_f64(pow((double)x, (double)y), out) : fail_zero(b, node);
        overflow = pow_overflow(x, y, &r);
        break;
    case WF_EXPR_OP_LEFT_SHIFT:
    case WF_EXPR_OP_RIGHT_SHIFT:
        if (y < 0) return wf_expr_fail(b->expr, node, WEFT_INVALID, "negative shift count");
        if (op == WF_EXPR_OP_LEFT_SHIFT) overflow = shift_overflow(x, y, &r);
        else r = x >> (y > 63 ? 63 : y);
        break;
    case WF_EXPR_OP_AND: r = x & y; break;
    case WF_EXPR_OP_OR: r = x | y; break;
    default: r = x ^ y; break;
    }
    return overflow ? wf_expr_fail(b->expr, node, WEFT_OVERFLOW, "the result does not fit in int64")
                    : give_i64(r, out);
}

static weft_status arithmetic_f64(wf_binder *b, int32_t node, wf_expr_op op, double x, double y,
                                  wf_term *out)
{
    bool divides =
        op == WF_EXPR_OP_DIVIDE || op == WF_EXPR_OP_FLOOR_DIVIDE || op == WF_EXPR_OP_REMAINDER;

    if (divides && y == 0) return fail_zero(b, node);
    switch (op) {
    case WF_EXPR_OP_ADD: return give_f64(x + y, out);
    case WF_EXPR_OP_SUBTRACT: return give_f64(x - y, out);
    case WF_EXPR_OP_MULTIPLY: return give_f64(x * y, out);
    case WF_EXPR_OP_DIVIDE: return give_f64(x / y, out);
    case WF_EXPR_OP_FLOOR_DIVIDE: return give_f64(floor(x / y), out);
    case WF_EXPR_OP_REMAINDER: {
        double r = fmod(x, y);
        return give_f64(r != 0 && (r < 0) != (y < 0) ? r + y : copysign(r, r != 0 ? r : y), out);
    }
    default:
        if (x == 0 && y < 0) return fail_zero(b, node);
        if (x < 0 && y != floor(y) && isfinite(y)) return give_c128(cpow(x, y), out);
        return give_f64(pow(x, y), out);
    }
}

static weft_status arithmetic_c128(wf_binder *b, int32_t node, wf_expr_op op, const wf_term *vx,
                                   const wf_term *vy, wf_term *out)
{
    double complex x = as_c128(vx), y = as_c128(vy);

    switch (op) {
    case WF_EXPR_OP_ADD: return give_c128(x + y, out);
    case WF_EXPR_OP_SUBTRACT: return give_c128(x - y, out);
    case WF_EXPR_OP_MULTIPLY: return give_c128(x * y, out);
    case WF_EXPR_OP_DIVIDE: return y != 0 ? give_c128(x / y, out) : fail_zero(b, node);
    case WF_EXPR_OP_POW: {
        if (y == 2) return give_c128(x * x, out);
        return x == 0 && creal(y) < 0 ? fail_zero(b, node) : give_c128(cpow(x, y), out);
    }
    default: return fail_operands(b, node, op, vx, vy);
    }
}

static weft_status compare(wf_binder *b, int32_t node, wf_expr_op op, const wf_term *vx,
                           const wf_term *vy, wf_term *out)
{
    bool less, equal, unordered = false;

    if (vx->kind == WF_TERM_COMPLEX || vy->kind == WF_TERM_COMPLEX) {
        if (op != WF_EXPR_OP_EQUAL && op != WF_EXPR_OP_NOT_EQUAL)
            return fail_operands(b, node, op, vx, vy);
        equal = as_c128(vx) == as_c128(vy);
        return give_bool(op == WF_EXPR_OP_EQUAL ? equal : !equal, out);
    }
    if (vx->kind == WF_TERM_FLOAT || vy->kind == WF_TERM_FLOAT) {
        double x = as_f64(vx), y = as_f64(vy);
        less = x < y, equal = x == y, unordered = isnan(x) || isnan(y);
    } else {
        less = vx->as.i < vy->as.i, equal = vx->as.i == vy->as.i;
    }
    switch (op) {
    case WF_EXPR_OP_LESS: return give_bool(less, out);
    case WF_EXPR_OP_LESS_EQUAL: return give_bool(less || equal, out);
    case WF_EXPR_OP_GREATER: return give_bool(!less && !equal && !unordered, out);
    case WF_EXPR_OP_GREATER_EQUAL: return give_bool(!less && !unordered, out);
    case WF_EXPR_OP_EQUAL: return give_bool(equal, out);
    default: return give_bool(!equal, out);
    }
}

weft_status wf_number_binary(wf_binder *b, int32_t node, wf_expr_op op, const wf_term *x,
                             const wf_term *y, wf_term *out)
{
    bool bits = op >= WF_EXPR_OP_OR && op <= WF_EXPR_OP_RIGHT_SHIFT;
    bool logical = op >= WF_EXPR_OP_OR && op <= WF_EXPR_OP_AND;

    if (op <= WF_EXPR_OP_NOT_EQUAL) return compare(b, node, op, x, y, out);
    if (bits && (x->kind > WF_TERM_INT || y->kind > WF_TERM_INT))
        return fail_operands(b, node, op, x, y);
    if (x->kind == WF_TERM_COMPLEX || y->kind == WF_TERM_COMPLEX)
        return arithmetic_c128(b, node, op, x, y, out);
    if (x->kind == WF_TERM_FLOAT || y->kind == WF_TERM_FLOAT)
        return arithmetic_f64(b, node, op, as_f64(x), as_f64(y), out);
    WF_TRY(arithmetic_i64(b, node, op, x->as.i, y->as.i, out));
    if (logical && x->kind == WF_TERM_BOOL && y->kind == WF_TERM_BOOL) out->kind = WF_TERM_BOOL;
    return WEFT_OK;
}

weft_status wf_number_unary(wf_binder *b, int32_t node, wf_expr_op op, const wf_term *x,
                            wf_term *out)
{
    double sign = op == WF_EXPR_OP_NEGATIVE ? -1 : 1;

    if (op == WF_EXPR_OP_INVERT) {
        if (x->kind == WF_TERM_BOOL)
            return give_bool(!x->as.i, out);  // NumPy's ~True, not Python's -2
        if (x->kind != WF_TERM_INT)
            return wf_expr_fail(b->expr, node, WEFT_INVALID, "'~' does not work on %s",
                                wf_term_describe(x));
        return give_i64(~x->as.i, out);
    }
    if (x->kind == WF_TERM_FLOAT) return give_f64(sign * x->as.f, out);
    if (x->kind == WF_TERM_COMPLEX) return give_c128(sign < 0 ? -as_c128(x) : as_c128(x), out);
    if (sign < 0 && x->as.i == INT64_MIN)
        return wf_expr_fail(b->expr, node, WEFT_OVERFLOW, "the result does not fit in int64");
    return give_i64(sign < 0 ? -x->as.i : x->as.i, out);
}
