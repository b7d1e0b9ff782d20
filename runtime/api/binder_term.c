// SPDX-License-Identifier: Apache-2.0
// binder_term - the values of an expression as what a public call wants: an array, an integer,
// axes, a dtype.
#include <string.h>

#include "api/binder.h"

bool wf_term_is_number(const wf_term *v)
{
    return v->kind >= WF_TERM_BOOL && v->kind <= WF_TERM_COMPLEX;
}

const char *wf_term_describe(const wf_term *v)
{
    static const char *const names[] = {
        "None",     "a bool",  "an integer",        "a float", "a complex number",
        "a string", "a dtype", "a tuple or a list", "a slice", "'...'",
        "an array", "a module"
    };
    return names[v->kind];
}

static weft_status fail_kind(wf_binder *b, const wf_term *v, const char *wanted)
{
    if (v->kind == WF_TERM_DTYPE)
        return wf_expr_fail(b->expr, v->node, WEFT_INVALID, "expected %s, got the dtype %s", wanted,
                            wf_dtype_name((weft_dtype)v->as.i));
    return wf_expr_fail(b->expr, v->node, WEFT_INVALID, "expected %s, got %s", wanted,
                        wf_term_describe(v));
}

weft_status wf_term_give(wf_binder *b, int32_t node, weft_array *x, wf_term *out)
{
    if (x) {
        // Where it was made is where the text was given, not here.
        if (__atomic_load_n(&x->node->refs, __ATOMIC_RELAXED) == 1) x->node->site = b->site;
        *out = (wf_term){ .kind = WF_TERM_ARRAY, .node = node, .as.array = x };
        return WEFT_OK;
    }
    wf_error error;
    weft_status st = weft_error_take();
    if (st == WEFT_OK)
        return wf_expr_fail(b->expr, node, WEFT_INTERNAL,
                            "an operation gave no array and no reason");
    wf_error_take(&error);
    return wf_expr_fail(b->expr, node, st, "%s", error.text);
}

weft_status wf_term_array(wf_binder *b, const wf_term *v, weft_array **out)
{
    wf_term made = { 0 };
    weft_array *x;

    switch ((wf_term_kind)v->kind) {
    case WF_TERM_ARRAY: *out = v->as.array; return WEFT_OK;
    case WF_TERM_BOOL: x = weft_full_i64(b->session, WEFT_BOOL, 0, NULL, v->as.i); break;
    case WF_TERM_INT: x = weft_num_i64(b->session, v->as.i); break;
    case WF_TERM_FLOAT: x = weft_num(b->session, v->as.f); break;
    case WF_TERM_COMPLEX: x = weft_num_c128(b->session, v->as.c[0], v->as.c[1]); break;
    case WF_TERM_SEQUENCE: return wf_term_list(b, v, out);
    default: return fail_kind(b, v, "an array or a number");
    }
    WF_TRY(wf_term_give(b, v->node, x, &made));
    *out = made.as.array;
    return WEFT_OK;
}

weft_status wf_term_i64(wf_binder *b, const wf_term *v, int64_t *out)
{
    if (v->kind != WF_TERM_INT) return fail_kind(b, v, "an integer");
    *out = v->as.i;
    return WEFT_OK;
}

weft_status wf_term_int(wf_binder *b, const wf_term *v, int *out)
{
    if (v->kind != WF_TERM_INT) return fail_kind(b, v, "an integer");
    if (v->as.i < -INT32_MAX || v->as.i > INT32_MAX)
        return wf_expr_fail(b->expr, v->node, WEFT_INVALID, "%" PRId64 " is out of range", v->as.i);
    *out = (int)v->as.i;
    return WEFT_OK;
}

weft_status wf_term_f64(wf_binder *b, const wf_term *v, double *out)
{
    if (v->kind == WF_TERM_FLOAT) *out = v->as.f;
    else if (v->kind == WF_TERM_INT || v->kind == WF_TERM_BOOL) *out = (double)v->as.i;
    else return fail_kind(b, v, "a number");
    return WEFT_OK;
}

weft_status wf_term_bool(wf_binder *b, const wf_term *v, bool *out)
{
    if (v->kind != WF_TERM_BOOL && v->kind != WF_TERM_INT) return fail_kind(b, v, "True or False");
    *out = v->as.i != 0;
    return WEFT_OK;
}

weft_status wf_term_dtype(wf_binder *b, const wf_term *v, weft_dtype *out)
{
    if (v->kind == WF_TERM_NONE) {
        *out = WEFT_DTYPE_DEFAULT;
        return WEFT_OK;
    }
    if (v->kind == WF_TERM_DTYPE) {
        *out = (weft_dtype)v->as.i;
        return WEFT_OK;
    }
    if (v->kind != WF_TERM_STRING) return fail_kind(b, v, "a dtype");
    if (weft_dtype_parse(v->as.text, out) == WEFT_OK) return WEFT_OK;
    wf_error error;
    wf_error_take(&error);
    return wf_expr_fail(b->expr, v->node, error.status, "%s", error.text);
}

weft_status wf_term_text(wf_binder *b, const wf_term *v, const char **out)
{
    if (v->kind != WF_TERM_STRING) return fail_kind(b, v, "a string");
    *out = v->as.text;
    return WEFT_OK;
}

weft_status wf_term_ints(wf_binder *b, const wf_term *v, int max, int *n, int64_t *out)
{
    if (v->kind == WF_TERM_INT) {
        out[0] = v->as.i;
        *n = 1;
        return WEFT_OK;
    }
    if (v->kind != WF_TERM_SEQUENCE) return fail_kind(b, v, "an integer or a tuple of integers");
    if (v->count > max)
        return wf_expr_fail(b->expr, v->node, WEFT_INVALID, "expected at most %d integers, got %d",
                            max, (int)v->count);
    for (int32_t i = 0; i < v->count; i++) WF_TRY(wf_term_i64(b, &v->as.item[i], &out[i]));
    *n = v->count;
    return WEFT_OK;
}

weft_status wf_term_axes(wf_binder *b, const wf_term *v, int *n, int out[WEFT_MAX_NDIM])
{
    if (v->kind == WF_TERM_INT) {
        *n = 1;
        return wf_term_int(b, v, &out[0]);
    }
    if (v->kind != WF_TERM_SEQUENCE) return fail_kind(b, v, "an axis or a tuple of axes");
    if (v->count > WEFT_MAX_NDIM)
        return wf_expr_fail(b->expr, v->node, WEFT_INVALID, "expected at most %d axes, got %d",
                            WEFT_MAX_NDIM, (int)v->count);
    for (int32_t i = 0; i < v->count; i++) WF_TRY(wf_term_int(b, &v->as.item[i], &out[i]));
    *n = v->count;
    return WEFT_OK;
}

// --- lists as arrays ---

typedef struct literal {
    wf_binder *b;
    int ndim;
    int64_t shape[WEFT_MAX_NDIM];
    int kind;     // the widest wf_term_kind of the numbers
    bool arrays;  // there are arrays among them
    double *out;  // pairs
    int64_t filled;
} literal;

// The extents along the first items, the kinds of all.
static weft_status measure(literal *l, const wf_term *v, int depth)
{
    if (v->kind == WF_TERM_ARRAY) {
        l->arrays = true;
        return WEFT_OK;
    }
    if (v->kind != WF_TERM_SEQUENCE) {
        if (!wf_term_is_number(v)) return fail_kind(l->b, v, "a number");
        if (v->kind > l->kind) l->kind = v->kind;
        if (l->ndim < 0) l->ndim = depth;
        if (l->ndim != depth && !l->arrays)
            return wf_expr_fail(l->b->expr, v->node, WEFT_INVALID,
                                "a list of arrays must have rows of equal length");
        return WEFT_OK;
    }
    if (depth == WEFT_MAX_NDIM)
        return wf_expr_fail(l->b->expr, v->node, WEFT_INVALID, "expected at most %d axes",
                            WEFT_MAX_NDIM);
    if (l->shape[depth] < 0) l->shape[depth] = v->count;
    if (v->count == 0 && l->ndim < 0) l->ndim = depth + 1;
    if (l->shape[depth] != v->count)
        return wf_expr_fail(l->b->expr, v->node, WEFT_INVALID,
                            "a list of lists must have rows of equal length");
    for (int32_t i = 0; i < v->count; i++) WF_TRY(measure(l, &v->as.item[i], depth + 1));
    return WEFT_OK;
}

static void fill(literal *l, const wf_term *v)
{
    if (v->kind == WF_TERM_SEQUENCE) {
        for (int32_t i = 0; i < v->count; i++) fill(l, &v->as.item[i]);
        return;
    }
    int64_t at = l->filled++;
    double re = v->kind == WF_TERM_COMPLEX ? v->as.c[0]
                : v->kind == WF_TERM_FLOAT ? v->as.f
                                           : (double)v->as.i;
    switch (l->kind) {
    case WF_TERM_BOOL: ((uint8_t *)l->out)[at] = v->as.i != 0; break;
    case WF_TERM_INT: ((int64_t *)l->out)[at] = v->as.i; break;
    case WF_TERM_COMPLEX:
        l->out[2 * at] = re;
        l->out[2 * at + 1] = v->kind == WF_TERM_COMPLEX ? v->as.c[1] : 0;
        break;
    default: l->out[at] = re; break;
    }
}

static weft_status stack_list(wf_binder *b, const wf_term *v, weft_array **out)
{
    weft_array **item = wf_binder_alloc(b, (size_t)v->count * sizeof *item);
    wf_term made = { 0 };

    if (!item) return WEFT_NO_MEMORY;
    for (int32_t i = 0; i < v->count; i++) WF_TRY(wf_term_array(b, &v->as.item[i], &item[i]));
    WF_TRY(wf_term_give(b, v->node, weft_stack(v->count, item, 0), &made));
    *out = made.as.array;
    return WEFT_OK;
}

weft_status wf_term_list(wf_binder *b, const wf_term *v, weft_array **out)
{
    static const weft_dtype dtypes[] = { [WF_TERM_BOOL] = WEFT_BOOL,
                                         [WF_TERM_INT] = WEFT_INT64,
                                         [WF_TERM_FLOAT] = WEFT_FLOAT64,
                                         [WF_TERM_COMPLEX] = WEFT_COMPLEX128 };
    literal l = { .b = b, .ndim = -1 };
    int64_t count = 1;
    wf_term made = { 0 };

    for (int i = 0; i < WEFT_MAX_NDIM; i++) l.shape[i] = -1;
    WF_TRY(measure(&l, v, 0));
    if (l.arrays) return stack_list(b, v, out);
    if (!l.kind) l.kind = WF_TERM_FLOAT;  // an empty list, as in NumPy
    for (int i = 0; i < l.ndim; i++) count *= l.shape[i];
    l.out = wf_calloc((size_t)count + 1, 2 * sizeof *l.out);
    if (!l.out) return WEFT_NO_MEMORY;
    fill(&l, v);
    weft_array *x = weft_from_memory(b->session, l.out, dtypes[l.kind], l.ndim, l.shape, NULL);
    wf_free(l.out);
    WF_TRY(wf_term_give(b, v->node, x, &made));
    *out = made.as.array;
    return WEFT_OK;
}
