// SPDX-License-Identifier: Apache-2.0
// linalg - the public products of arrays.
#include "api/session.h"

typedef weft_status product_fn(wf_node *a, wf_node *b, wf_node **out);

static weft_array *product(const char *where, product_fn *make, weft_array *a, weft_array *b,
                           const void *site)
{
    weft_array *both[] = { a, b };
    wf_node *node = NULL;
    if (!wf_arrays_are_usable(where, 2, both)) return NULL;
    weft_status st = wf_arrays_name(make(a->node, b->node, &node), 2, both);
    return wf_array_give(a->session, st, node, site);
}

static weft_status vecdot_last(wf_node *a, wf_node *b, wf_node **out)
{
    return wf_make_vecdot(a, b, -1, out);
}

weft_array *weft_matmul(weft_array *a, weft_array *b)
{
    return product("matmul", wf_make_matmul, a, b, SITE);
}

weft_array *weft_vecdot(weft_array *a, weft_array *b)
{
    return product("vecdot", vecdot_last, a, b, SITE);
}

weft_array *weft_outer(weft_array *a, weft_array *b)
{
    return product("outer", wf_make_outer, a, b, SITE);
}

static weft_status tensordot(wf_node *a, wf_node *b, int n, const int *axes_a, const int *axes_b,
                             wf_node **out)
{
    int last[WEFT_MAX_NDIM], first[WEFT_MAX_NDIM];

    if (n < 0)
        return wf_fail(WEFT_INVALID, "tensordot: the number of axes must be >= 0, got %d", n);
    if (n > 0 && !axes_a != !axes_b)
        return wf_fail(WEFT_INVALID, "tensordot: axes of one operand only");
    if (axes_a || n == 0) return wf_make_tensordot(a, b, n, axes_a, axes_b, out);
    if (n > a->shape.ndim || n > b->shape.ndim)
        return wf_fail(WEFT_INVALID, "tensordot: expected at least %d axes, got %d and %d", n,
                       a->shape.ndim, b->shape.ndim);
    for (int i = 0; i < n; i++) {
        last[i] = a->shape.ndim - n + i;
        first[i] = i;
    }
    return wf_make_tensordot(a, b, n, last, first, out);
}

weft_array *weft_tensordot(weft_array *a, weft_array *b, int n, const int *axes_a,
                           const int *axes_b)
{
    weft_array *both[] = { a, b };
    wf_node *node = NULL;
    if (!wf_arrays_are_usable("tensordot", 2, both)) return NULL;
    weft_status st = tensordot(a->node, b->node, n, axes_a, axes_b, &node);
    return wf_array_give(a->session, wf_arrays_name(st, 2, both), node, SITE);
}
