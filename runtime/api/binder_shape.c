// SPDX-License-Identifier: Apache-2.0
// binder_shape - calls in expressions that rearrange and select.
#include <string.h>

#include "api/binder_table.h"

weft_status wf_call_reshape(wf_call *c, wf_term *out)
{
    int64_t shape[WEFT_MAX_NDIM];
    weft_array *x = NULL;
    int n = 0;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_term_ints(c->b, c->arg[1], WEFT_MAX_NDIM, &n, shape));
    return wf_call_give(c, weft_reshape(x, n, shape), out);
}

weft_status wf_call_ravel(wf_call *c, wf_term *out)
{
    weft_array *x = NULL;
    WF_TRY(wf_arg_array(c, 0, &x));
    return wf_call_give(c, weft_reshape(x, 1, (const int64_t[]){ weft_array_size(x) }), out);
}

weft_status wf_call_permute_dims(wf_call *c, wf_term *out)
{
    int axes[WEFT_MAX_NDIM], n = 0;
    weft_array *x = NULL;
    WF_TRY(wf_arg_array(c, 0, &x));
    if (!wf_arg_is_given(c, 1)) return wf_call_give(c, weft_permute_dims(x, 0, NULL), out);
    WF_TRY(wf_term_axes(c->b, c->arg[1], &n, axes));
    return wf_call_give(c, weft_permute_dims(x, n, axes), out);
}

weft_status wf_call_moveaxis(wf_call *c, wf_term *out)
{
    int source = 0, destination = 0;
    weft_array *x = NULL;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_term_int(c->b, c->arg[1], &source));
    WF_TRY(wf_term_int(c->b, c->arg[2], &destination));
    return wf_call_give(c, weft_moveaxis(x, source, destination), out);
}

weft_status wf_call_swapaxes(wf_call *c, wf_term *out)
{
    int axis[2], axes[WEFT_MAX_NDIM];
    weft_array *x = NULL;

    WF_TRY(wf_arg_array(c, 0, &x));
    int nd = weft_array_ndim(x);
    for (int i = 0; i < nd; i++) axes[i] = i;
    for (int k = 0; k < 2; k++) {
        WF_TRY(wf_term_int(c->b, c->arg[k + 1], &axis[k]));
        if (axis[k] < -nd || axis[k] >= nd)
            return wf_call_fail(c, k + 1, WEFT_INVALID,
                                "axis %d is out of range for an array with %d axes", axis[k], nd);
        if (axis[k] < 0) axis[k] += nd;
    }
    axes[axis[0]] = axis[1];
    axes[axis[1]] = axis[0];
    return wf_call_give(c, weft_permute_dims(x, nd, axes), out);
}

weft_status wf_call_squeeze(wf_call *c, wf_term *out)
{
    int axes[WEFT_MAX_NDIM], n = 0;
    weft_array *x = NULL;
    WF_TRY(wf_arg_array(c, 0, &x));
    if (!wf_arg_is_given(c, 1)) return wf_call_give(c, weft_squeeze(x, 0, NULL), out);
    WF_TRY(wf_term_axes(c->b, c->arg[1], &n, axes));
    return wf_call_give(c, weft_squeeze(x, n, axes), out);
}

weft_status wf_call_expand_dims(wf_call *c, wf_term *out)
{
    weft_array *x = NULL;
    int axis = 0;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_term_int(c->b, c->arg[1], &axis));
    return wf_call_give(c, weft_expand_dims(x, axis), out);
}

weft_status wf_call_broadcast_to(wf_call *c, wf_term *out)
{
    int64_t shape[WEFT_MAX_NDIM];
    weft_array *x = NULL;
    int n = 0;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_term_ints(c->b, c->arg[1], WEFT_MAX_NDIM, &n, shape));
    return wf_call_give(c, weft_broadcast_to(x, n, shape), out);
}

weft_status wf_call_flip(wf_call *c, wf_term *out)
{
    int axes[WEFT_MAX_NDIM], n = 0;
    weft_array *x = NULL;
    WF_TRY(wf_arg_array(c, 0, &x));
    if (!wf_arg_is_given(c, 1)) return wf_call_give(c, weft_flip(x, 0, NULL), out);
    WF_TRY(wf_term_axes(c->b, c->arg[1], &n, axes));
    return wf_call_give(c, weft_flip(x, n, axes), out);
}

// One shift for several axes, or one axis for several shifts, counts for all of them.
weft_status wf_call_roll(wf_call *c, wf_term *out)
{
    int axes[WEFT_MAX_NDIM], naxes = 0, n = 0;
    int64_t shifts[WEFT_MAX_NDIM];
    weft_array *x = NULL;

    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_term_ints(c->b, c->arg[1], WEFT_MAX_NDIM, &n, shifts));
    if (!wf_arg_is_given(c, 2)) return wf_call_give(c, weft_roll(x, n, shifts, NULL), out);
    WF_TRY(wf_term_axes(c->b, c->arg[2], &naxes, axes));
    if (n == 1)
        for (n = 1; n < naxes; n++) shifts[n] = shifts[0];
    if (n != naxes) return wf_call_fail(c, 2, WEFT_INVALID, "%d shifts for %d axes", n, naxes);
    return wf_call_give(c, weft_roll(x, n, shifts, axes), out);
}

// A list of arrays.
static weft_status read_arrays(wf_call *c, int *n, weft_array ***out)
{
    const wf_term *list = c->arg[0];

    if (list->kind != WF_TERM_SEQUENCE)
        return wf_call_fail(c, 0, WEFT_INVALID, "expected a list of arrays, got %s",
                            wf_term_describe(list));
    weft_array **x = wf_binder_alloc(c->b, (size_t)list->count * sizeof *x);
    if (!x) return WEFT_NO_MEMORY;
    for (int32_t i = 0; i < list->count; i++) WF_TRY(wf_term_array(c->b, &list->as.item[i], &x[i]));
    *n = list->count;
    *out = x;
    return WEFT_OK;
}

weft_status wf_call_concat(wf_call *c, wf_term *out)
{
    int n = 0, axis = c->arg[1] ? WEFT_AXIS_NONE : 0;  // axis=None flattens
    weft_array **x = NULL;
    WF_TRY(read_arrays(c, &n, &x));
    WF_TRY(wf_arg_int(c, 1, &axis));
    return wf_call_give(c, weft_concat(n, x, axis), out);
}

weft_status wf_call_stack(wf_call *c, wf_term *out)
{
    weft_array **x = NULL;
    int n = 0, axis = 0;
    WF_TRY(read_arrays(c, &n, &x));
    WF_TRY(wf_arg_int(c, 1, &axis));
    return wf_call_give(c, weft_stack(n, x, axis), out);
}

weft_status wf_call_tile(wf_call *c, wf_term *out)
{
    int64_t reps[WEFT_MAX_NDIM];
    weft_array *x = NULL;
    int n = 0;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_term_ints(c->b, c->arg[1], WEFT_MAX_NDIM, &n, reps));
    return wf_call_give(c, weft_tile(x, n, reps), out);
}

weft_status wf_call_repeat(wf_call *c, wf_term *out)
{
    int axis = WEFT_AXIS_NONE;
    weft_array *x = NULL;
    int64_t count = 0;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_term_i64(c->b, c->arg[1], &count));
    WF_TRY(wf_arg_int(c, 2, &axis));
    return wf_call_give(c, weft_repeat(x, count, axis), out);
}

// --- borders ---

static weft_status read_pad_mode(wf_call *c, int i, int *out)
{
    static const char *const names[] = { [WEFT_PAD_CONSTANT] = "constant",
                                         [WEFT_PAD_EDGE] = "edge",
                                         [WEFT_PAD_REFLECT] = "reflect",
                                         [WEFT_PAD_SYMMETRIC] = "symmetric",
                                         [WEFT_PAD_WRAP] = "wrap" };
    const char *name;

    if (!wf_arg_is_given(c, i)) return WEFT_OK;
    WF_TRY(wf_term_text(c->b, c->arg[i], &name));
    for (int m = 0; m < (int)(sizeof names / sizeof *names); m++) {
        if (strcmp(names[m], name) != 0) continue;
        *out = m;
        return WEFT_OK;
    }
    return wf_call_fail(c, i, WEFT_INVALID,
                        "unknown mode '%s'; expected constant, edge, reflect, symmetric or wrap",
                        name);
}

// WIDTH: n; (before, after) for all axes; or one such pair per axis.
static weft_status read_widths(wf_call *c, const wf_term *width, int nd, int64_t *before,
                               int64_t *after)
{
    bool pairs = width->kind == WF_TERM_SEQUENCE && width->count > 0 &&
                 width->as.item[0].kind == WF_TERM_SEQUENCE;
    int64_t value[2];
    int n;

    if (pairs && width->count != nd && width->count != 1)
        return wf_call_fail(c, 1, WEFT_INVALID, "expected %d pairs, one per axis, got %d", nd,
                            (int)width->count);
    for (int a = 0; a < nd; a++) {
        const wf_term *v = pairs ? &width->as.item[width->count == 1 ? 0 : a] : width;
        WF_TRY(wf_term_ints(c->b, v, 2, &n, value));
        if (n == 0) return wf_call_fail(c, 1, WEFT_INVALID, "expected a width or a pair of widths");
        before[a] = value[0];
        after[a] = value[n - 1];
    }
    return WEFT_OK;
}

weft_status wf_call_pad(wf_call *c, wf_term *out)
{
    int64_t before[WEFT_MAX_NDIM], after[WEFT_MAX_NDIM];
    weft_pad_options opts = { 0 };
    weft_array *x = NULL;

    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(read_widths(c, c->arg[1], weft_array_ndim(x), before, after));
    WF_TRY(read_pad_mode(c, 2, &opts.mode));
    WF_TRY(wf_arg_f64(c, 3, &opts.value));
    return wf_call_give(c, weft_pad(x, weft_array_ndim(x), before, after, &opts), out);
}

weft_status wf_call_rechunk(wf_call *c, wf_term *out)
{
    int64_t block[WEFT_MAX_NDIM];
    weft_array *x = NULL;
    int n = 0;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_term_ints(c->b, c->arg[1], WEFT_MAX_NDIM, &n, block));
    return wf_call_give(c, weft_rechunk(x, n, block), out);
}

// --- selection ---

weft_status wf_call_index(wf_call *c, wf_term *out)
{
    weft_array *x = NULL;
    const char *text;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_term_text(c->b, c->arg[1], &text));
    return wf_call_give(c, weft_index_text(x, text), out);
}

weft_status wf_call_setitem(wf_call *c, wf_term *out)
{
    weft_array *x = NULL, *value = NULL;
    const char *text;
    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_term_text(c->b, c->arg[1], &text));
    WF_TRY(wf_arg_array(c, 2, &value));
    return wf_call_give(c, weft_setitem_text(x, text, value), out);
}

weft_status wf_call_take(wf_call *c, wf_term *out)
{
    weft_array *x = NULL, *indices = NULL;
    int axis = 0;

    WF_TRY(wf_arg_array(c, 0, &x));
    WF_TRY(wf_arg_array(c, 1, &indices));
    WF_TRY(wf_arg_int(c, 2, &axis));
    if (!wf_arg_is_given(c, 2))
        x = weft_reshape(x, 1, (const int64_t[]){ weft_array_size(x) });  // as NumPy's axis=None
    return wf_call_give(c, weft_take(x, indices, axis), out);
}
