// SPDX-License-Identifier: Apache-2.0
// make_scan - running sums and products along one axis.
#include "graph/make_chain.h"

static const char *scan_name(wf_scan_op op)
{
    return op == WF_SCAN_SUM ? "cumulative_sum" : "cumulative_prod";
}

static wf_node *scan(wf_chain *c, wf_scan_op op, int axis, wf_node *x)
{
    if (!x || wf_shape_size(&x->shape) == 0 || x->shape.dim[axis] == 1) return x;
    if (!wf_chain_hold(
            c, wf_node_create(WF_NODE_SCAN, (weft_dtype)x->dtype, &x->shape, 1, &x, &c->next)))
        return NULL;
    c->next->op = (uint16_t)op;
    c->next->axis = (int8_t)axis;
    return c->next;
}

// The value before the first element, in front of the others.
static wf_node *with_initial(wf_chain *c, wf_scan_op op, int axis, wf_node *y)
{
    if (!y) return NULL;
    wf_shape first = y->shape;
    first.dim[axis] = 1;
    wf_node *initial = wf_chain_full(c, (weft_dtype)y->dtype, &first, op == WF_SCAN_PROD);
    if (!initial) return NULL;
    return wf_chain_hold(
        c, wf_make_concat(scan_name(op), 2, (wf_node *[]){ initial, y }, axis, &c->next));
}

weft_status wf_make_scan(wf_scan_op op, wf_node *x, int axis, weft_dtype dtype,
                         bool include_initial, wf_node **out)
{
    weft_dtype result = dtype ? dtype : wf_dtype_sum((weft_dtype)x->dtype);
    wf_chain c = { 0 };

    WF_TRY(wf_axis_normalize(scan_name(op), axis, x->shape.ndim, &axis));
    if (!wf_dtype_is_valid(result))
        return wf_fail(WEFT_INVALID, "%s: expected a dtype, got the number %d", scan_name(op),
                       (int)dtype);
    if (result == WEFT_BOOL)
        return wf_fail(WEFT_INVALID, "%s: expected a numeric dtype, got bool", scan_name(op));
    wf_node *y = wf_chain_cast(&c, wf_chain_cast(&c, x, result), wf_dtype_compute(result));
    y = wf_chain_cast(&c, scan(&c, op, axis, y), result);
    if (include_initial) y = with_initial(&c, op, axis, y);
    return wf_chain_give(&c, y, out);
}
