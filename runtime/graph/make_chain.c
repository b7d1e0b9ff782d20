// SPDX-License-Identifier: Apache-2.0
// make_chain - holding what is made on the way to a result.
#include "graph/make_chain.h"

wf_node *wf_chain_hold(wf_chain *c, weft_status status)
{
    if (status != WEFT_OK) {
        if (c->status == WEFT_OK) c->status = status;
        return NULL;
    }
    WF_ASSERT(c->n < WF_CHAIN_MAX);
    return c->held[c->n++] = c->next;
}

weft_status wf_chain_give(wf_chain *c, wf_node *result, wf_node **out)
{
    if (c->status == WEFT_OK) {
        wf_node_retain(result);
        *out = result;
    }
    while (c->n > 0) wf_node_release(c->held[--c->n]);
    return c->status;
}

wf_node *wf_chain_op(wf_chain *c, wf_op op, wf_node *a)
{
    return a ? wf_chain_hold(c, wf_make_map(op, &a, &c->next)) : NULL;
}

wf_node *wf_chain_op2(wf_chain *c, wf_op op, wf_node *a, wf_node *b)
{
    return a && b ? wf_chain_hold(c, wf_make_map(op, (wf_node *[]){ a, b }, &c->next)) : NULL;
}

wf_node *wf_chain_where(wf_chain *c, wf_node *condition, wf_node *a, wf_node *b)
{
    if (!condition || !a || !b) return NULL;
    return wf_chain_hold(c, wf_make_map(WF_OP_WHERE, (wf_node *[]){ condition, a, b }, &c->next));
}

wf_node *wf_chain_cast(wf_chain *c, wf_node *x, weft_dtype dtype)
{
    return x ? wf_chain_hold(c, wf_make_cast(x, dtype, &c->next)) : NULL;
}

wf_node *wf_chain_view(wf_chain *c, const char *where, wf_node *x, const wf_shape *shape,
                       const wf_map *map)
{
    return x ? wf_chain_hold(c, wf_make_view(where, x, shape, map, &c->next)) : NULL;
}

wf_node *wf_chain_num(wf_chain *c, double value)
{
    if (c->status != WEFT_OK) return NULL;
    return wf_chain_hold(
        c, wf_make_scalar(WEFT_FLOAT64, &(wf_scalar){ .f64 = value }, true, &c->next));
}

wf_node *wf_chain_int(wf_chain *c, int64_t value)
{
    if (c->status != WEFT_OK) return NULL;
    return wf_chain_hold(c, wf_make_scalar(WEFT_INT64, &(wf_scalar){ .i = value }, true, &c->next));
}

wf_node *wf_chain_scalar(wf_chain *c, weft_dtype dtype, double value)
{
    if (c->status != WEFT_OK) return NULL;
    wf_scalar s = wf_scalar_from_double(dtype, value);
    return wf_chain_hold(c, wf_make_scalar(dtype, &s, false, &c->next));
}

wf_node *wf_chain_counter(wf_chain *c, const wf_shape *shape, int64_t origin, const int64_t *stride)
{
    if (c->status != WEFT_OK) return NULL;
    wf_node *n =
        wf_chain_hold(c, wf_node_create(WF_NODE_COUNTER, WEFT_INT64, shape, 0, NULL, &c->next));
    if (!n) return NULL;
    n->scalar.i = origin;
    c->status = wf_node_set_extra(n, stride, (size_t)shape->ndim * sizeof *stride);
    return c->status == WEFT_OK ? n : NULL;
}

wf_node *wf_chain_full(wf_chain *c, weft_dtype dtype, const wf_shape *shape, double value)
{
    if (c->status != WEFT_OK) return NULL;
    return wf_chain_hold(c, wf_make_constant(dtype, shape, value, &c->next));
}
