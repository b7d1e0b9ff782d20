// SPDX-License-Identifier: Apache-2.0
// binder_table - the functions that expressions know: their names, what they take, and the public
// call behind each.
#ifndef WF_API_BINDER_TABLE_H
#define WF_API_BINDER_TABLE_H

#include "api/binder.h"

enum { WF_CALL_ARGS = 8 };

typedef weft_array *wf_unary_fn(weft_array *x);
typedef weft_array *wf_binary_fn(weft_array *a, weft_array *b);
typedef weft_array *wf_ternary_fn(weft_array *a, weft_array *b, weft_array *c);
typedef weft_array *wf_reduce_fn(weft_array *x, int naxes, const int *axes,
                                 const weft_reduce_options *opts);
typedef weft_array *wf_arg_fn(weft_array *x, int axis, const weft_reduce_options *opts);
typedef weft_array *wf_scan_fn(weft_array *x, int axis, const weft_scan_options *opts);
typedef weft_array *wf_filled_fn(weft_session *session, weft_dtype dtype, int ndim,
                                 const int64_t *shape);
typedef weft_array *wf_like_fn(weft_array *x, weft_dtype dtype);
typedef weft_array *wf_group_fn(weft_array *x, weft_array *labels, int64_t ngroups, int axis);

typedef struct wf_function wf_function;
typedef struct wf_call {
    wf_binder *b;
    const wf_function *function;
    int32_t node;
    const wf_term *arg[WF_CALL_ARGS];  // in the order of the signature; NULL: not given
} wf_call;
typedef weft_status wf_call_fn(wf_call *c, wf_term *out);

// SIGNATURE names the arguments: "x axis? * dtype?": ? may be left out, what follows * goes by
// keyword only, a|b is one argument of two names, and +shape takes what is left of the positional
// ones, as one tuple where they are several.
struct wf_function {
    const char *name, *signature;
    wf_call_fn *call;
    bool elementwise;
    union {
        wf_unary_fn *unary;
        wf_binary_fn *binary;
        wf_ternary_fn *ternary;
        wf_reduce_fn *reduce;
        wf_arg_fn *arg;
        wf_scan_fn *scan;
        wf_filled_fn *filled;
        wf_like_fn *like;
        wf_group_fn *group;
    } fn;
};

const wf_function *wf_function_find(const char *name);  // aliases too; NULL: none
const char *wf_function_name(int i);                    // NULL behind the last; aliases too

// --- the calls (binder_maths.c; binder_create.c; binder_shape.c) ---

wf_call_fn wf_call_unary, wf_call_binary, wf_call_ternary, wf_call_round, wf_call_clip,
    wf_call_astype, wf_call_isclose, wf_call_allclose, wf_call_nan_to_num;
wf_call_fn wf_call_reduce, wf_call_moment, wf_call_plain_reduce, wf_call_arg, wf_call_scan,
    wf_call_bincount, wf_call_group;
wf_call_fn wf_call_tensordot, wf_call_dot;
wf_call_fn wf_call_filled, wf_call_like, wf_call_full, wf_call_full_like, wf_call_array,
    wf_call_arange, wf_call_linspace, wf_call_eye;
wf_call_fn wf_call_random_uniform, wf_call_random_normal, wf_call_numpy_normal,
    wf_call_random_integers;
wf_call_fn wf_call_reshape, wf_call_ravel, wf_call_permute_dims, wf_call_moveaxis, wf_call_swapaxes,
    wf_call_squeeze, wf_call_expand_dims, wf_call_broadcast_to, wf_call_flip, wf_call_roll,
    wf_call_concat, wf_call_stack, wf_call_tile, wf_call_repeat, wf_call_pad, wf_call_rechunk;
wf_call_fn wf_call_index, wf_call_setitem, wf_call_take;

// Argument I as what is wanted; where it was not given (or, for the last four, is None) OUT is left
// as it is.
weft_status wf_arg_array(wf_call *c, int i, weft_array **out) WEFT_WARN_UNUSED;
weft_status wf_arg_i64(wf_call *c, int i, int64_t *out) WEFT_WARN_UNUSED;
weft_status wf_arg_int(wf_call *c, int i, int *out) WEFT_WARN_UNUSED;
weft_status wf_arg_f64(wf_call *c, int i, double *out) WEFT_WARN_UNUSED;
weft_status wf_arg_bool(wf_call *c, int i, bool *out) WEFT_WARN_UNUSED;
weft_status wf_arg_dtype(wf_call *c, int i, weft_dtype *out) WEFT_WARN_UNUSED;
weft_status wf_arg_shape(wf_call *c, int i, int *n, int64_t out[WEFT_MAX_NDIM]) WEFT_WARN_UNUSED;
static inline bool wf_arg_is_given(const wf_call *c, int i)
{
    return c->arg[i] && c->arg[i]->kind != WF_TERM_NONE;
}
static inline weft_status wf_call_give(wf_call *c, weft_array *x, wf_term *out)
{
    return wf_term_give(c->b, c->node, x, out);
}
weft_status wf_call_fail(wf_call *c, int i, weft_status code, const char *fmt, ...)
    WEFT_PRINTF(4, 5);  // at argument I; -1: at the name

#endif
