// SPDX-License-Identifier: Apache-2.0
// make_setitem - an array with a region replaced. A box is one part before the rest; a region with
// steps is a box in which a pattern of the coordinates chooses between the old value and the new.
#include "graph/make_chain.h"

// Kinds in the order in which assignment may go up but not down.
static int rank(weft_dtype dtype)
{
    switch (wf_dtype_kind(dtype)) {
    case 'b': return 0;
    case 'i':
    case 'u': return 1;
    case 'f': return 2;
    default: return 3;
    }
}

// VALUE in X's dtype; leading axes of length 1 that the region does not have are dropped, as NumPy
// does.
static wf_node *fit_value(wf_chain *c, wf_node *x, const wf_shape *region, wf_node *value)
{
    weft_dtype to = (weft_dtype)x->dtype;
    int extra = value->shape.ndim - region->ndim, lead = 0;

    if (rank((weft_dtype)value->dtype) > rank(to)) {
        c->status = wf_fail(WEFT_INVALID, "setitem: expected a value that converts to %s, got %s",
                            wf_dtype_name(to), wf_dtype_name((weft_dtype)value->dtype));
        return NULL;
    }
    wf_node *v = wf_chain_hold(c, wf_make_fitting("setitem", value, to, &c->next));
    while (lead < extra && value->shape.dim[lead] == 1) lead++;
    if (lead > 0 && v)
        v = wf_chain_hold(
            c, wf_make_reshape(v, value->shape.ndim - lead, value->shape.dim + lead, &c->next));
    return v;
}

static bool broadcasts_to(const wf_shape *from, const wf_shape *to)
{
    int lead = to->ndim - from->ndim;

    for (int i = 0; i < from->ndim && lead >= 0; i++)
        if (from->dim[i] != 1 && from->dim[i] != to->dim[i + lead]) return false;
    return lead >= 0;
}

// The value as an array over X's axes: axis a of it is the region's axis that X's axis a follows,
// one element where X's axis is fixed; turned so that coordinates grow. Axes along which the value
// does not vary have length 1.
static wf_node *align_value(wf_chain *c, const wf_node *x, const wf_shape *region,
                            const wf_map *map, wf_node *value)
{
    int lead = region->ndim - value->shape.ndim;
    wf_shape shape = { .ndim = x->shape.ndim };
    wf_map back = { .ndim = value->shape.ndim };

    for (int i = 0; i < back.ndim; i++) back.axis[i] = -1;
    for (int a = 0; a < shape.ndim; a++) {
        int r = map->axis[a], v = r - lead;
        shape.dim[a] = 1;
        if (r < 0 || v < 0 || value->shape.dim[v] == 1) continue;
        shape.dim[a] = region->dim[r];
        back.axis[v] = (int8_t)a;
        back.step[v] = map->step[a] < 0 ? -1 : 1;
        back.start[v] = map->step[a] < 0 ? region->dim[r] - 1 : 0;
    }
    return wf_chain_view(c, "setitem", value, &shape, &back);
}

// The box of X that the region spans, and the distance of its elements per axis.
static wf_box region_box(const wf_node *x, const wf_shape *region, const wf_map *map, int64_t *step)
{
    wf_box box = { .ndim = x->shape.ndim };

    for (int a = 0; a < box.ndim; a++) {
        int r = map->axis[a];
        int64_t n = r < 0 ? 1 : region->dim[r], by = n > 1 ? map->step[a] : 1;
        box.start[a] = by < 0 ? map->start[a] + by * (n - 1) : map->start[a];
        step[a] = by < 0 ? -by : by;
        box.count[a] = (n - 1) * step[a] + 1;
    }
    return box;
}

// int64 coordinate along AXIS of a box, seen from all of it.
static wf_node *coordinate(wf_chain *c, const wf_shape *shape, int axis)
{
    int64_t stride[WEFT_MAX_NDIM] = { 0 };

    stride[axis] = 1;
    return wf_chain_counter(c, shape, 0, stride);
}

// Inside BOX, where every STEP-th element is chosen: the new value there, the old one between.
static wf_node *weave(wf_chain *c, wf_node *x, const wf_box *box, const int64_t *step,
                      wf_node *value)
{
    wf_shape shape = { .ndim = box->ndim };
    wf_map at = wf_map_identity(box->ndim);
    wf_node *chosen = NULL;

    for (int a = 0; a < box->ndim; a++) {
        shape.dim[a] = box->count[a];
        at.start[a] = box->start[a];
    }
    wf_node *old = wf_chain_view(c, "setitem", x, &shape, &at);
    for (int a = 0; a < box->ndim && old && value; a++) {
        if (step[a] == 1) continue;
        wf_node *rest =
            wf_chain_op2(c, WF_OP_REMAINDER, coordinate(c, &shape, a), wf_chain_int(c, step[a]));
        wf_node *here = wf_chain_op2(c, WF_OP_EQUAL, rest, wf_chain_int(c, 0));
        chosen = chosen ? wf_chain_op2(c, WF_OP_LOGICAL_AND, chosen, here) : here;
        if (value->shape.dim[a] == 1) continue;
        value = wf_chain_hold(c, wf_make_repeat(value, step[a], a, &c->next));
        if (!value) return NULL;
        wf_shape cut = value->shape;  // the last element needs no gap behind it
        cut.dim[a] = box->count[a];
        wf_map whole = wf_map_identity(box->ndim);
        value = wf_chain_view(c, "setitem", value, &cut, &whole);
    }
    return chosen ? wf_chain_where(c, chosen, value, old) : value;
}

static wf_node *replace_box(wf_chain *c, wf_node *x, const wf_box *box, wf_node *value)
{
    wf_shape shape = { .ndim = box->ndim };
    wf_part part[2] = { { .box = *box, .operand = 0 }, { .operand = 1 } };

    for (int a = 0; a < box->ndim; a++) shape.dim[a] = box->count[a];
    if (value->kind == WF_NODE_SCALAR || !wf_shape_equal(&value->shape, &shape)) {
        value = wf_chain_hold(c, wf_make_broadcast_to(value, &shape, &c->next));
        if (!value) return NULL;
    }
    if (wf_shape_equal(&shape, &x->shape)) return value;
    part[0].map = wf_map_identity(box->ndim);
    for (int a = 0; a < box->ndim; a++) part[0].map.start[a] = -box->start[a];
    part[1].box = wf_box_whole(&x->shape);
    part[1].map = wf_map_identity(box->ndim);
    if (!wf_chain_hold(c, wf_node_create(WF_NODE_PARTS, (weft_dtype)x->dtype, &x->shape, 2,
                                         (wf_node *[]){ value, x }, &c->next)))
        return NULL;
    wf_node *n = c->next;
    c->status = wf_node_set_extra(n, part, sizeof part);
    n->npart = 2;
    return c->status == WEFT_OK ? n : NULL;
}

weft_status wf_make_setitem(wf_node *x, const wf_shape *region, const wf_map *map, wf_node *value,
                            wf_node **out)
{
    wf_chain c = { 0 };
    int64_t step[WEFT_MAX_NDIM];
    wf_node *v = fit_value(&c, x, region, value);

    if (v && !broadcasts_to(&v->shape, region)) {
        char from[512], to[512];
        c.status = wf_fail(WEFT_INVALID,
                           "setitem: a value of shape %s does not broadcast to the region %s",
                           wf_shape_text(&value->shape, from), wf_shape_text(region, to));
    }
    if (c.status != WEFT_OK) return wf_chain_give(&c, NULL, out);
    if (wf_shape_size(region) == 0) return wf_chain_give(&c, x, out);
    wf_box box = region_box(x, region, map, step);
    v = align_value(&c, x, region, map, v);
    if (v) v = weave(&c, x, &box, step, v);
    if (v) v = replace_box(&c, x, &box, v);
    return wf_chain_give(&c, v, out);
}
