// SPDX-License-Identifier: Apache-2.0
// op - what op.def says about each elementwise operation, and its dtype rules. The rules are
// NumPy's, with these choices made in op.def: reciprocal refuses bool, exp2 and the orderings
// refuse complex, round leaves bool alone.
#include "array/op.h"

#include <string.h>

#include "array/dtype.h"
#include "array/program.h"

typedef enum rule {
    NUMERIC,
    NOBOOL,
    REAL,
    FLOAT,
    REALFLOAT,
    COMPARE,
    ORDER,
    TEST,
    LOGICAL,
    BITS,
    SHIFT,
    INTROUND,
    ABS,
    PARTS,
    SELECT
} rule;

static const struct {
    const char *name;
    uint8_t arity, rule;
    int16_t cost;
} ops[WF_OP_COUNT] = {
#define WEFT_OP(NAME, name, arity, types, cost, doc) [WF_OP_##NAME] = { #name, arity, types, cost },
#include "weft/op.def"
};

const char *wf_op_name(wf_op op) { return (unsigned)op < WF_OP_COUNT ? ops[op].name : "?"; }

int wf_op_arity(wf_op op) { return ops[op].arity; }

int wf_op_cost(wf_op op) { return ops[op].cost; }

bool wf_op_find(const char *name, wf_op *out)
{
    for (int op = 0; op < WF_OP_COUNT; op++)
        if (strcmp(name, ops[op].name) == 0) {
            *out = (wf_op)op;
            return true;
        }
    return false;
}

static weft_status refuse(wf_op op, const char *expected, weft_dtype got)
{
    return wf_fail(WEFT_INVALID, "%s: expected %s, got %s", ops[op].name, expected,
                   wf_dtype_name(got));
}

// The operations that have no bool form of their own, though bool is welcome.
static bool counts_bool_as_int8(wf_op op)
{
    switch (op) {
    case WF_OP_FLOOR_DIVIDE:
    case WF_OP_REMAINDER:
    case WF_OP_FMOD:
    case WF_OP_POW:
    case WF_OP_SQUARE:
    case WF_OP_CONJ:
    case WF_OP_BITWISE_LEFT_SHIFT:
    case WF_OP_BITWISE_RIGHT_SHIFT: return true;
    default: return false;
    }
}

static bool is_integral(weft_dtype d)
{
    return d == WEFT_BOOL || (d >= WEFT_INT8 && d <= WEFT_UINT64);
}

// NumPy turns each of several integers into a float of its own and promotes those: uint16 with int8
// gives float32, where their common integer would have given float64.
static weft_dtype promote_as_floats(wf_op op, const weft_dtype *in, int n, weft_dtype promoted)
{
    for (int i = 0; i < n; i++)
        if (!is_integral(in[i])) return promoted;
    if (op == WF_OP_DIVIDE) return WEFT_FLOAT64;

    weft_dtype d = wf_dtype_float(in[0]);
    for (int i = 1; i < n; i++) d = wf_dtype_promote(d, wf_dtype_float(in[i]));
    return d;
}

// Integers or bool throughout, with a common dtype that is one too.
static weft_status check_bits(wf_op op, const weft_dtype *in, int n, weft_dtype promoted)
{
    const char *expected = ops[op].rule == SHIFT ? "integers" : "integers or bool";

    for (int i = 0; i < n; i++)
        if (!is_integral(in[i])) return refuse(op, expected, in[i]);
    if (is_integral(promoted)) return WEFT_OK;
    return wf_fail(WEFT_INVALID, "%s: %s and %s have no common integer dtype", ops[op].name,
                   wf_dtype_name(in[0]), wf_dtype_name(in[1]));
}

static weft_status check_operands(wf_op op, const weft_dtype *in, int n, weft_dtype promoted)
{
    bool complex = wf_dtype_kind(promoted) == 'c';

    switch ((rule)ops[op].rule) {
    case NOBOOL: return promoted == WEFT_BOOL ? refuse(op, "a numeric dtype", promoted) : WEFT_OK;
    case REAL:
    case REALFLOAT: return complex ? refuse(op, "a real dtype", promoted) : WEFT_OK;
    case TEST:
        return complex && op == WF_OP_SIGNBIT ? refuse(op, "a real dtype", promoted) : WEFT_OK;
    case INTROUND:
        return complex && op != WF_OP_ROUND ? refuse(op, "a real dtype", promoted) : WEFT_OK;
    case ORDER:
        if (!complex) return WEFT_OK;
        return wf_fail(WEFT_INVALID, "%s: %s has no order", ops[op].name, wf_dtype_name(promoted));
    case BITS:
    case SHIFT: return check_bits(op, in, n, promoted);
    default: return WEFT_OK;
    }
}

weft_dtype wf_op_result(wf_op op, weft_dtype dtype)
{
    switch ((rule)ops[op].rule) {
    case COMPARE:
    case ORDER:
    case TEST:
    case LOGICAL: return WEFT_BOOL;
    case ABS:
    case PARTS: return wf_dtype_real(dtype);
    default: return dtype;
    }
}

static weft_dtype compute_of(wf_op op, const weft_dtype *in, int n, weft_dtype promoted)
{
    rule r = (rule)ops[op].rule;

    if (r == LOGICAL) return WEFT_BOOL;
    if (r == FLOAT || r == REALFLOAT) return promote_as_floats(op, in, n, promoted);
    return promoted == WEFT_BOOL && counts_bool_as_int8(op) ? WEFT_INT8 : promoted;
}

weft_status wf_op_types(wf_op op, const weft_dtype *in, weft_dtype *compute, weft_dtype *result)
{
    WF_ASSERT((unsigned)op < WF_OP_COUNT);
    int n = ops[op].arity;

    for (int i = 0; i < n; i++)
        if (!wf_dtype_is_valid(in[i]))
            return wf_fail(WEFT_INVALID, "%s: expected a dtype for operand %d, got the number %d",
                           ops[op].name, i + 1, (int)in[i]);
    if (ops[op].rule == SELECT) in++, n--;  // the condition has its own dtype
    weft_dtype promoted = in[0];
    for (int i = 1; i < n; i++) promoted = wf_dtype_promote(promoted, in[i]);
    WF_TRY(check_operands(op, in, n, promoted));
    *compute = compute_of(op, in, n, promoted);
    *result = wf_op_result(op, *compute);
    return WEFT_OK;
}
