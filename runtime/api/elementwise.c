// SPDX-License-Identifier: Apache-2.0
// elementwise - the public elementwise operations.
#include "api/session.h"

static weft_array *map(wf_op op, const char *name, int n, weft_array *const *arrays,
                       const void *site)
{
    wf_node *in[3], *node = NULL;

    if (!wf_arrays_are_usable(name, n, arrays)) return NULL;
    for (int i = 0; i < n; i++) in[i] = arrays[i]->node;
    weft_status st = wf_arrays_name(wf_make_map(op, in, &node), n, arrays);
    return wf_array_give(arrays[0]->session, st, node, site);
}

static weft_array *map1(wf_op op, const char *name, weft_array *x, const void *site)
{
    return map(op, name, 1, &x, site);
}

static weft_array *map2(wf_op op, const char *name, weft_array *a, weft_array *b, const void *site)
{
    return map(op, name, 2, (weft_array *[]){ a, b }, site);
}

// clang-format off
weft_array *weft_add(weft_array *a, weft_array *b) { return map2(WF_OP_ADD, "add", a, b, SITE); }
weft_array *weft_subtract(weft_array *a, weft_array *b) { return map2(WF_OP_SUBTRACT, "subtract", a, b, SITE); }
weft_array *weft_multiply(weft_array *a, weft_array *b) { return map2(WF_OP_MULTIPLY, "multiply", a, b, SITE); }
weft_array *weft_divide(weft_array *a, weft_array *b) { return map2(WF_OP_DIVIDE, "divide", a, b, SITE); }
weft_array *weft_floor_divide(weft_array *a, weft_array *b) { return map2(WF_OP_FLOOR_DIVIDE, "floor_divide", a, b, SITE); }
weft_array *weft_remainder(weft_array *a, weft_array *b) { return map2(WF_OP_REMAINDER, "remainder", a, b, SITE); }
weft_array *weft_fmod(weft_array *a, weft_array *b) { return map2(WF_OP_FMOD, "fmod", a, b, SITE); }
weft_array *weft_pow(weft_array *a, weft_array *b) { return map2(WF_OP_POW, "pow", a, b, SITE); }
weft_array *weft_maximum(weft_array *a, weft_array *b) { return map2(WF_OP_MAXIMUM, "maximum", a, b, SITE); }
weft_array *weft_minimum(weft_array *a, weft_array *b) { return map2(WF_OP_MINIMUM, "minimum", a, b, SITE); }
weft_array *weft_fmax(weft_array *a, weft_array *b) { return map2(WF_OP_FMAX, "fmax", a, b, SITE); }
weft_array *weft_fmin(weft_array *a, weft_array *b) { return map2(WF_OP_FMIN, "fmin", a, b, SITE); }
weft_array *weft_atan2(weft_array *a, weft_array *b) { return map2(WF_OP_ATAN2, "atan2", a, b, SITE); }
weft_array *weft_hypot(weft_array *a, weft_array *b) { return map2(WF_OP_HYPOT, "hypot", a, b, SITE); }
weft_array *weft_copysign(weft_array *a, weft_array *b) { return map2(WF_OP_COPYSIGN, "copysign", a, b, SITE); }
weft_array *weft_nextafter(weft_array *a, weft_array *b) { return map2(WF_OP_NEXTAFTER, "nextafter", a, b, SITE); }
weft_array *weft_logaddexp(weft_array *a, weft_array *b) { return map2(WF_OP_LOGADDEXP, "logaddexp", a, b, SITE); }
weft_array *weft_equal(weft_array *a, weft_array *b) { return map2(WF_OP_EQUAL, "equal", a, b, SITE); }
weft_array *weft_not_equal(weft_array *a, weft_array *b) { return map2(WF_OP_NOT_EQUAL, "not_equal", a, b, SITE); }
weft_array *weft_less(weft_array *a, weft_array *b) { return map2(WF_OP_LESS, "less", a, b, SITE); }
weft_array *weft_less_equal(weft_array *a, weft_array *b) { return map2(WF_OP_LESS_EQUAL, "less_equal", a, b, SITE); }
weft_array *weft_greater(weft_array *a, weft_array *b) { return map2(WF_OP_GREATER, "greater", a, b, SITE); }
weft_array *weft_greater_equal(weft_array *a, weft_array *b) { return map2(WF_OP_GREATER_EQUAL, "greater_equal", a, b, SITE); }
weft_array *weft_logical_and(weft_array *a, weft_array *b) { return map2(WF_OP_LOGICAL_AND, "logical_and", a, b, SITE); }
weft_array *weft_logical_or(weft_array *a, weft_array *b) { return map2(WF_OP_LOGICAL_OR, "logical_or", a, b, SITE); }
weft_array *weft_logical_xor(weft_array *a, weft_array *b) { return map2(WF_OP_LOGICAL_XOR, "logical_xor", a, b, SITE); }
weft_array *weft_bitwise_and(weft_array *a, weft_array *b) { return map2(WF_OP_BITWISE_AND, "bitwise_and", a, b, SITE); }
weft_array *weft_bitwise_or(weft_array *a, weft_array *b) { return map2(WF_OP_BITWISE_OR, "bitwise_or", a, b, SITE); }
weft_array *weft_bitwise_xor(weft_array *a, weft_array *b) { return map2(WF_OP_BITWISE_XOR, "bitwise_xor", a, b, SITE); }
weft_array *weft_bitwise_left_shift(weft_array *a, weft_array *b) { return map2(WF_OP_BITWISE_LEFT_SHIFT, "bitwise_left_shift", a, b, SITE); }
weft_array *weft_bitwise_right_shift(weft_array *a, weft_array *b) { return map2(WF_OP_BITWISE_RIGHT_SHIFT, "bitwise_right_shift", a, b, SITE); }
weft_array *weft_abs(weft_array *x) { return map1(WF_OP_ABS, "abs", x, SITE); }
weft_array *weft_negative(weft_array *x) { return map1(WF_OP_NEGATIVE, "negative", x, SITE); }
weft_array *weft_positive(weft_array *x) { return map1(WF_OP_POSITIVE, "positive", x, SITE); }
weft_array *weft_sign(weft_array *x) { return map1(WF_OP_SIGN, "sign", x, SITE); }
weft_array *weft_square(weft_array *x) { return map1(WF_OP_SQUARE, "square", x, SITE); }
weft_array *weft_sqrt(weft_array *x) { return map1(WF_OP_SQRT, "sqrt", x, SITE); }
weft_array *weft_cbrt(weft_array *x) { return map1(WF_OP_CBRT, "cbrt", x, SITE); }
weft_array *weft_reciprocal(weft_array *x) { return map1(WF_OP_RECIPROCAL, "reciprocal", x, SITE); }
weft_array *weft_exp(weft_array *x) { return map1(WF_OP_EXP, "exp", x, SITE); }
weft_array *weft_exp2(weft_array *x) { return map1(WF_OP_EXP2, "exp2", x, SITE); }
weft_array *weft_expm1(weft_array *x) { return map1(WF_OP_EXPM1, "expm1", x, SITE); }
weft_array *weft_log(weft_array *x) { return map1(WF_OP_LOG, "log", x, SITE); }
weft_array *weft_log2(weft_array *x) { return map1(WF_OP_LOG2, "log2", x, SITE); }
weft_array *weft_log10(weft_array *x) { return map1(WF_OP_LOG10, "log10", x, SITE); }
weft_array *weft_log1p(weft_array *x) { return map1(WF_OP_LOG1P, "log1p", x, SITE); }
weft_array *weft_sin(weft_array *x) { return map1(WF_OP_SIN, "sin", x, SITE); }
weft_array *weft_cos(weft_array *x) { return map1(WF_OP_COS, "cos", x, SITE); }
weft_array *weft_tan(weft_array *x) { return map1(WF_OP_TAN, "tan", x, SITE); }
weft_array *weft_asin(weft_array *x) { return map1(WF_OP_ASIN, "asin", x, SITE); }
weft_array *weft_acos(weft_array *x) { return map1(WF_OP_ACOS, "acos", x, SITE); }
weft_array *weft_atan(weft_array *x) { return map1(WF_OP_ATAN, "atan", x, SITE); }
weft_array *weft_sinh(weft_array *x) { return map1(WF_OP_SINH, "sinh", x, SITE); }
weft_array *weft_cosh(weft_array *x) { return map1(WF_OP_COSH, "cosh", x, SITE); }
weft_array *weft_tanh(weft_array *x) { return map1(WF_OP_TANH, "tanh", x, SITE); }
weft_array *weft_asinh(weft_array *x) { return map1(WF_OP_ASINH, "asinh", x, SITE); }
weft_array *weft_acosh(weft_array *x) { return map1(WF_OP_ACOSH, "acosh", x, SITE); }
weft_array *weft_atanh(weft_array *x) { return map1(WF_OP_ATANH, "atanh", x, SITE); }
weft_array *weft_erf(weft_array *x) { return map1(WF_OP_ERF, "erf", x, SITE); }
weft_array *weft_erfc(weft_array *x) { return map1(WF_OP_ERFC, "erfc", x, SITE); }
weft_array *weft_lgamma(weft_array *x) { return map1(WF_OP_LGAMMA, "lgamma", x, SITE); }
weft_array *weft_tgamma(weft_array *x) { return map1(WF_OP_TGAMMA, "tgamma", x, SITE); }
weft_array *weft_floor(weft_array *x) { return map1(WF_OP_FLOOR, "floor", x, SITE); }
weft_array *weft_ceil(weft_array *x) { return map1(WF_OP_CEIL, "ceil", x, SITE); }
weft_array *weft_trunc(weft_array *x) { return map1(WF_OP_TRUNC, "trunc", x, SITE); }
weft_array *weft_round(weft_array *x) { return map1(WF_OP_ROUND, "round", x, SITE); }
weft_array *weft_isnan(weft_array *x) { return map1(WF_OP_ISNAN, "isnan", x, SITE); }
weft_array *weft_isinf(weft_array *x) { return map1(WF_OP_ISINF, "isinf", x, SITE); }
weft_array *weft_isfinite(weft_array *x) { return map1(WF_OP_ISFINITE, "isfinite", x, SITE); }
weft_array *weft_signbit(weft_array *x) { return map1(WF_OP_SIGNBIT, "signbit", x, SITE); }
weft_array *weft_logical_not(weft_array *x) { return map1(WF_OP_LOGICAL_NOT, "logical_not", x, SITE); }
weft_array *weft_bitwise_invert(weft_array *x) { return map1(WF_OP_BITWISE_INVERT, "bitwise_invert", x, SITE); }
weft_array *weft_conj(weft_array *x) { return map1(WF_OP_CONJ, "conj", x, SITE); }
weft_array *weft_real(weft_array *x) { return map1(WF_OP_REAL, "real", x, SITE); }
weft_array *weft_imag(weft_array *x) { return map1(WF_OP_IMAG, "imag", x, SITE); }
// clang-format on

weft_array *weft_where(weft_array *condition, weft_array *a, weft_array *b)
{
    return map(WF_OP_WHERE, "where", 3, (weft_array *[]){ condition, a, b }, SITE);
}

weft_array *weft_clip(weft_array *x, weft_array *lo, weft_array *hi)
{
    weft_array *given[3] = { x };
    wf_node *node = NULL;
    int n = 1;

    if ((!lo || !hi) && wf_is_pending()) return NULL;  // it may be what a failed chain left
    if (lo) given[n++] = lo;
    if (hi) given[n++] = hi;
    if (!wf_arrays_are_usable("clip", n, given)) return NULL;
    weft_status st = wf_make_clip(x->node, lo ? lo->node : NULL, hi ? hi->node : NULL, &node);
    st = wf_arrays_name(st, n, given);
    return wf_array_give(x->session, st, node, SITE);
}

weft_array *weft_astype(weft_array *x, weft_dtype dtype)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("astype", x)) return NULL;
    weft_status st = wf_make_cast(x->node, dtype, &node);
    return wf_array_give(x->session, st, node, SITE);
}

weft_array *weft_isclose(weft_array *a, weft_array *b, const weft_isclose_options *opts)
{
    weft_array *both[] = { a, b };
    wf_node *node = NULL;
    if (!wf_arrays_are_usable("isclose", 2, both)) return NULL;
    weft_status st = WF_CHECK_TAIL("isclose", opts);
    double rtol = opts && (opts->rtol != 0 || opts->zero_rtol) ? opts->rtol : 1e-5;
    double atol = opts && (opts->atol != 0 || opts->zero_atol) ? opts->atol : 1e-8;
    if (st == WEFT_OK)
        st = wf_make_isclose(a->node, b->node, rtol, atol, opts && opts->equal_nan, &node);
    return wf_array_give(a->session, wf_arrays_name(st, 2, both), node, SITE);
}

weft_array *weft_nan_to_num(weft_array *x, const weft_nan_to_num_options *opts)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("nan_to_num", x)) return NULL;
    weft_status st = WF_CHECK_TAIL("nan_to_num", opts);
    const double *posinf = opts && (opts->posinf != 0 || opts->zero_posinf) ? &opts->posinf : NULL;
    const double *neginf = opts && (opts->neginf != 0 || opts->zero_neginf) ? &opts->neginf : NULL;
    if (st == WEFT_OK)
        st = wf_make_nan_to_num(x->node, opts ? opts->nan : 0, posinf, neginf, &node);
    return wf_array_give(x->session, st, node, SITE);
}
