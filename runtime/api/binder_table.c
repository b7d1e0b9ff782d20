// SPDX-License-Identifier: Apache-2.0
// binder_table - the list of functions, under the names of the Array API standard and those that
// NumPy has beside them.
#include <math.h>
#include <string.h>

#include "api/binder_table.h"

#define UNARY(f) \
    wf_call_unary, true, { .unary = f }
#define BINARY(f) \
    wf_call_binary, true, { .binary = f }
#define REDUCE(kind, f) \
    wf_call_##kind, false, { .reduce = f }

// clang-format off
#define ENTRY1(name) { #name, "x|a", UNARY(weft_##name) },
#define ENTRY2(name) { #name, "x1|a x2|b", BINARY(weft_##name) },
#define ENTRY3(name) { #name, "condition x1|a x2|b", wf_call_ternary, true, { .ternary = weft_##name } },
static const wf_function functions[] = {
    { "round", "x|a decimals?", wf_call_round, true, { .unary = weft_round } },  // before the plain one of op.def
#define WEFT_OP(NAME, name, arity, types, cost, doc) ENTRY##arity(name)
#include "weft/op.def"
    { "clip", "x|a min?|a_min max?|a_max", wf_call_clip, true, { NULL } },
    { "astype", "x|a dtype", wf_call_astype, true, { NULL } },
    { "isclose", "a|x1 b|x2 rtol? atol? equal_nan?", wf_call_isclose, true, { NULL } },
    { "allclose", "a|x1 b|x2 rtol? atol? equal_nan?", wf_call_allclose, false, { NULL } },
    { "nan_to_num", "x|a * nan? posinf? neginf?", wf_call_nan_to_num, true, { NULL } },

    { "sum", "x|a axis? * dtype? keepdims?", REDUCE(reduce, weft_sum) },
    { "prod", "x|a axis? * dtype? keepdims?", REDUCE(reduce, weft_prod) },
    { "mean", "x|a axis? * dtype? keepdims?", REDUCE(reduce, weft_mean) },
    { "nansum", "x|a axis? * dtype? keepdims?", REDUCE(reduce, weft_nansum) },
    { "nanprod", "x|a axis? * dtype? keepdims?", REDUCE(reduce, weft_nanprod) },
    { "nanmean", "x|a axis? * dtype? keepdims?", REDUCE(reduce, weft_nanmean) },
    { "var", "x|a axis? * dtype? keepdims? correction?|ddof", REDUCE(moment, weft_var) },
    { "std", "x|a axis? * dtype? keepdims? correction?|ddof", REDUCE(moment, weft_std) },
    { "nanvar", "x|a axis? * dtype? keepdims? correction?|ddof", REDUCE(moment, weft_nanvar) },
    { "nanstd", "x|a axis? * dtype? keepdims? correction?|ddof", REDUCE(moment, weft_nanstd) },
    { "min", "x|a axis? * keepdims?", REDUCE(plain_reduce, weft_min) },
    { "max", "x|a axis? * keepdims?", REDUCE(plain_reduce, weft_max) },
    { "any", "x|a axis? * keepdims?", REDUCE(plain_reduce, weft_any) },
    { "all", "x|a axis? * keepdims?", REDUCE(plain_reduce, weft_all) },
    { "count_nonzero", "x|a axis? * keepdims?", REDUCE(plain_reduce, weft_count_nonzero) },
    { "nanmin", "x|a axis? * keepdims?", REDUCE(plain_reduce, weft_nanmin) },
    { "nanmax", "x|a axis? * keepdims?", REDUCE(plain_reduce, weft_nanmax) },
    { "argmin", "x|a axis? * keepdims?", wf_call_arg, false, { .arg = weft_argmin } },
    { "argmax", "x|a axis? * keepdims?", wf_call_arg, false, { .arg = weft_argmax } },
    { "nanargmin", "x|a axis? * keepdims?", wf_call_arg, false, { .arg = weft_nanargmin } },
    { "nanargmax", "x|a axis? * keepdims?", wf_call_arg, false, { .arg = weft_nanargmax } },
    { "cumulative_sum", "x|a axis? * dtype? include_initial?", wf_call_scan, false, { .scan = weft_cumulative_sum } },
    { "cumulative_prod", "x|a axis? * dtype? include_initial?", wf_call_scan, false, { .scan = weft_cumulative_prod } },

    { "zeros", "shape dtype?", wf_call_filled, false, { .filled = weft_zeros } },
    { "ones", "shape dtype?", wf_call_filled, false, { .filled = weft_ones } },
    { "empty", "shape dtype?", wf_call_filled, false, { .filled = weft_empty } },
    { "zeros_like", "x|a dtype?", wf_call_like, false, { .like = weft_zeros_like } },
    { "ones_like", "x|a dtype?", wf_call_like, false, { .like = weft_ones_like } },
    { "empty_like", "x|a dtype?", wf_call_like, false, { .like = weft_empty_like } },
    { "full", "shape fill_value dtype?", wf_call_full, false, { NULL } },
    { "full_like", "x|a fill_value dtype?", wf_call_full_like, false, { NULL } },
    { "asarray", "x|a|object dtype?", wf_call_array, false, { NULL } },
    { "arange", "start stop? step? dtype?", wf_call_arange, false, { NULL } },
    { "linspace", "start stop num? endpoint? * dtype?", wf_call_linspace, false, { NULL } },
    { "eye", "n_rows|N n_cols?|M k? dtype?", wf_call_eye, false, { NULL } },
    { "random_uniform", "low? high? shape?|size * seed? stream? dtype?", wf_call_random_uniform, false, { NULL } },
    { "random_normal", "shape?|size * seed? stream? dtype?", wf_call_random_normal, false, { NULL } },
    { "random_integers", "low? high? shape?|size * seed? stream? dtype?", wf_call_random_integers, false, { NULL } },
    { "random.normal", "loc? scale? size?|shape * seed? stream? dtype?", wf_call_numpy_normal, false, { NULL } },

    { "reshape", "x|a +shape", wf_call_reshape, false, { NULL } },
    { "ravel", "x|a", wf_call_ravel, false, { NULL } },
    { "permute_dims", "x|a +axes?", wf_call_permute_dims, false, { NULL } },
    { "moveaxis", "x|a source destination", wf_call_moveaxis, false, { NULL } },
    { "swapaxes", "x|a axis1 axis2", wf_call_swapaxes, false, { NULL } },
    { "matrix_transpose", "x|a", wf_call_unary, false, { .unary = weft_matrix_transpose } },
    { "squeeze", "x|a axis?", wf_call_squeeze, false, { NULL } },
    { "expand_dims", "x|a axis", wf_call_expand_dims, false, { NULL } },
    { "broadcast_to", "x|a shape", wf_call_broadcast_to, false, { NULL } },
    { "flip", "x|a axis?", wf_call_flip, false, { NULL } },
    { "roll", "x|a shift axis?", wf_call_roll, false, { NULL } },
    { "concat", "arrays axis?", wf_call_concat, false, { NULL } },
    { "stack", "arrays axis?", wf_call_stack, false, { NULL } },
    { "tile", "x|a repetitions|reps", wf_call_tile, false, { NULL } },
    { "repeat", "x|a repeats axis?", wf_call_repeat, false, { NULL } },
    { "pad", "x|array pad_width mode? * constant_values?", wf_call_pad, false, { NULL } },
    { "rechunk", "x|a +blocks", wf_call_rechunk, false, { NULL } },

    { "index", "x|a cuts", wf_call_index, false, { NULL } },
    { "setitem", "x|a cuts value", wf_call_setitem, false, { NULL } },
    { "take", "x|a indices axis?", wf_call_take, false, { NULL } },
    { "nonzero", "x|a", wf_call_unary, false, { .unary = weft_nonzero } },
    { "mask", "x|a mask", wf_call_binary, false, { .binary = weft_mask } },
    { "bincount", "x weights? minlength?", wf_call_bincount, false, { NULL } },
    { "group_sum", "x|a labels ngroups axis?", wf_call_group, false, { .group = weft_group_sum } },
    { "group_mean", "x|a labels ngroups axis?", wf_call_group, false, { .group = weft_group_mean } },

    { "matmul", "x1|a x2|b", wf_call_binary, false, { .binary = weft_matmul } },
    { "tensordot", "x1|a x2|b axes?", wf_call_tensordot, false, { NULL } },
    { "vecdot", "x1|a x2|b", wf_call_binary, false, { .binary = weft_vecdot } },
    { "outer", "x1|a x2|b", wf_call_binary, false, { .binary = weft_outer } },
    { "dot", "a b", wf_call_dot, false, { NULL } },
};

// Other names, NumPy's and SciPy's, for the same.
static const struct { const char *alias, *name; } aliases[] = {
    { "absolute", "abs" }, { "fabs", "abs" }, { "power", "pow" }, { "mod", "remainder" }, { "true_divide", "divide" },
    { "arcsin", "asin" }, { "arccos", "acos" }, { "arctan", "atan" }, { "arctan2", "atan2" },
    { "arcsinh", "asinh" }, { "arccosh", "acosh" }, { "arctanh", "atanh" }, { "conjugate", "conj" },
    { "rint", "round" }, { "around", "round" }, { "fix", "trunc" },
    { "invert", "bitwise_invert" }, { "bitwise_not", "bitwise_invert" }, { "left_shift", "bitwise_left_shift" },
    { "right_shift", "bitwise_right_shift" }, { "gamma", "tgamma" }, { "gammaln", "lgamma" },
    { "amin", "min" }, { "amax", "max" }, { "cumsum", "cumulative_sum" }, { "cumprod", "cumulative_prod" },
    { "array", "asarray" }, { "identity", "eye" }, { "concatenate", "concat" }, { "transpose", "permute_dims" },
    { "flatten", "ravel" }, { "random.uniform", "random_uniform" }, { "random.random", "random_uniform" },
    { "random.standard_normal", "random_normal" }, { "random.integers", "random_integers" }, { "linalg.outer", "outer" },
    { "linalg.matmul", "matmul" }, { "special.erf", "erf" }, { "special.erfc", "erfc" },
};
// clang-format on

enum {
    FUNCTIONS = sizeof functions / sizeof *functions,
    ALIASES = sizeof aliases / sizeof *aliases
};

const char *wf_function_name(int i)
{
    return i < FUNCTIONS             ? functions[i].name
           : i < FUNCTIONS + ALIASES ? aliases[i - FUNCTIONS].alias
                                     : NULL;
}

const wf_function *wf_function_find(const char *name)
{
    for (int i = 0; i < ALIASES; i++)
        if (strcmp(aliases[i].alias, name) == 0) name = aliases[i].name;
    for (int i = 0; i < FUNCTIONS; i++)
        if (strcmp(functions[i].name, name) == 0) return &functions[i];
    return NULL;
}

bool wf_function_is_known(const char *name) { return wf_function_find(name) != NULL; }

bool wf_function_is_elementwise(const char *name)
{
    const wf_function *f = wf_function_find(name);
    return f && f->elementwise;
}

// --- constants ---

static const struct {
    const char *name;
    wf_term value;
} constants[] = {
    { "pi", { .kind = WF_TERM_FLOAT, .as.f = M_PI } },
    { "e", { .kind = WF_TERM_FLOAT, .as.f = M_E } },
    { "inf", { .kind = WF_TERM_FLOAT, .as.f = INFINITY } },
    { "nan", { .kind = WF_TERM_FLOAT, .as.f = NAN } },
    { "newaxis", { .kind = WF_TERM_NONE } },
    { "random", { .kind = WF_TERM_MODULE, .as.text = "random" } },
    { "linalg", { .kind = WF_TERM_MODULE, .as.text = "linalg" } },
    { "special", { .kind = WF_TERM_MODULE, .as.text = "special" } },
#define DTYPE(NAME, number, name, bytes, kind_) \
    { #name, { .kind = WF_TERM_DTYPE, .as.i = number } },
    WEFT_DTYPE_LIST(DTYPE)
#undef DTYPE
        { "bool_", { .kind = WF_TERM_DTYPE, .as.i = WEFT_BOOL } },
    { "int", { .kind = WF_TERM_DTYPE, .as.i = WEFT_INT64 } },
    { "float", { .kind = WF_TERM_DTYPE, .as.i = WEFT_FLOAT64 } },
    { "complex", { .kind = WF_TERM_DTYPE, .as.i = WEFT_COMPLEX128 } },
};

enum { CONSTANTS = sizeof constants / sizeof *constants };

bool wf_constant_find(const char *name, wf_term *out)
{
    for (int i = 0; i < CONSTANTS; i++) {
        if (strcmp(constants[i].name, name) != 0) continue;
        *out = constants[i].value;
        return true;
    }
    return false;
}

// --- the nearest name ---

// How many letters must be put in, left out or changed; more than LIMIT is LIMIT + 1.
static int distance(const char *a, const char *b, int limit)
{
    enum { MOST = 40 };
    int row[MOST + 1], na = (int)strlen(a), nb = (int)strlen(b);

    if (na > MOST || nb > MOST || na - nb > limit || nb - na > limit) return limit + 1;
    for (int j = 0; j <= nb; j++) row[j] = j;
    for (int i = 1; i <= na; i++) {
        int before = row[0];
        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            int change = before + (a[i - 1] != b[j - 1]),
                shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            before = row[j];
            row[j] = change < shift ? change : shift;
        }
    }
    return row[nb] < limit ? row[nb] : row[nb] == limit ? limit : limit + 1;
}

typedef struct nearest {
    const char *name, *best;
    int distance;
} nearest;

static void consider(nearest *n, const char *candidate)
{
    int d = distance(n->name, candidate, n->distance - 1);
    if (d >= n->distance) return;
    n->best = candidate;
    n->distance = d;
}

const char *wf_name_suggest(const wf_binder *b, const char *name, bool function)
{
    int length = (int)strlen(name);
    nearest n = { .name = name, .distance = length <= 3 ? 2 : length <= 7 ? 3 : 4 };

    if (length == 1) return NULL;  // every other letter would be near
    for (int64_t i = 0; !function && b && i < b->nbinding; i++) consider(&n, b->binding[i].name);
    for (int i = 0; !function && i < CONSTANTS; i++) consider(&n, constants[i].name);
    for (int i = 0; wf_function_name(i); i++) consider(&n, wf_function_name(i));
    return n.best;
}
