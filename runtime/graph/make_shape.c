// SPDX-License-Identifier: Apache-2.0
// make_shape - the same elements seen with other coordinates: views wherever an affine map does it,
// else a RESHAPE.
#include <string.h>

#include "graph/make_chain.h"

// A map with nothing in the fields that mean nothing, so that equal maps are equal bytes.
static wf_map tidy(const wf_map *map)
{
    wf_map m;

    memset(&m, 0, sizeof m);
    m.ndim = map->ndim;
    for (int i = 0; i < map->ndim; i++) {
        m.axis[i] = map->axis[i] < 0 ? -1 : map->axis[i];
        m.start[i] = map->start[i];
        m.step[i] = map->axis[i] < 0 ? 0 : map->step[i];
    }
    return m;
}

static weft_status create_view(wf_node *x, const wf_shape *shape, const wf_map *map, wf_node **out)
{
    wf_node *n;

    if (wf_map_is_identity(map, shape->ndim) && wf_shape_equal(&x->shape, shape))
        return wf_make_same(x, out);
    if (wf_shape_size(shape) == 0 && x->kind != WF_NODE_SCALAR)  // nothing of X is ever read
        return wf_make_constant((weft_dtype)x->dtype, shape, 0, out);
    WF_TRY(wf_node_create(WF_NODE_VIEW, (weft_dtype)x->dtype, shape, 1, &x, &n));
    weft_status st = wf_node_set_extra(n, map, sizeof *map);
    if (st == WEFT_OK) *out = n;
    else wf_node_release(n);
    return st;
}

weft_status wf_make_view(const char *where, wf_node *x, const wf_shape *shape, const wf_map *map,
                         wf_node **out)
{
    wf_shape s;
    wf_map m = tidy(map);
    wf_node *source = x->kind == WF_NODE_VIEW ? wf_node_share_input(x, 0) : NULL;

    weft_status st = wf_shape_init(&s, where, shape->ndim, shape->dim);
    if (source) m = wf_map_compose(&m, x->map);
    if (st == WEFT_OK) st = create_view(source ? source : x, &s, &m, out);
    wf_node_release(source);
    return st;
}

wf_node *wf_node_constant(wf_node *x)
{
    if (x->kind == WF_NODE_SCALAR) {
        wf_node_retain(x);
        return x;
    }
    if (x->kind != WF_NODE_VIEW || x->map->ndim > 0) return NULL;
    wf_node *source = wf_node_share_input(x, 0);
    if (source && source->kind == WF_NODE_SCALAR) return source;
    wf_node_release(source);
    return NULL;
}

weft_status wf_make_broadcast_to(wf_node *x, const wf_shape *shape, wf_node **out)
{
    int lead = shape->ndim - x->shape.ndim;
    bool fits = lead >= 0;

    for (int i = 0; fits && i < x->shape.ndim; i++)
        fits = x->shape.dim[i] == 1 || x->shape.dim[i] == shape->dim[i + lead];
    if (!fits) {
        char from[512], to[512];
        return wf_fail(WEFT_INVALID, "broadcast_to: shape %s does not broadcast to %s",
                       wf_shape_text(&x->shape, from), wf_shape_text(shape, to));
    }
    wf_map map = wf_map_broadcast(&x->shape, shape);
    return wf_make_view("broadcast_to", x, shape, &map, out);
}

weft_status wf_make_axes(const char *where, int ndim, int naxes, const int *axes,
                         bool mark[WEFT_MAX_NDIM])
{
    for (int i = 0; i < WEFT_MAX_NDIM; i++) mark[i] = !axes && i < ndim;
    for (int i = 0; axes && i < naxes; i++) {
        int axis;
        WF_TRY(wf_axis_normalize(where, axes[i], ndim, &axis));
        if (mark[axis]) return wf_fail(WEFT_INVALID, "%s: axis %d is given twice", where, axis);
        mark[axis] = true;
    }
    return WEFT_OK;
}

weft_status wf_make_permute(const char *where, wf_node *x, int naxes, const int *axes,
                            wf_node **out)
{
    int nd = x->shape.ndim;
    bool seen[WEFT_MAX_NDIM];
    wf_shape shape = { .ndim = nd };
    wf_map map = { .ndim = nd };

    if (axes && naxes != nd)
        return wf_fail(WEFT_INVALID, "%s: expected %d axes, got %d", where, nd, naxes);
    WF_TRY(wf_make_axes(where, nd, naxes, axes, seen));
    for (int i = 0; i < nd; i++) {
        int from = axes ? (axes[i] < 0 ? axes[i] + nd : axes[i]) : nd - 1 - i;
        shape.dim[i] = x->shape.dim[from];
        map.axis[from] = (int8_t)i;
        map.step[from] = 1;
    }
    return wf_make_view(where, x, &shape, &map, out);
}

// X without the axes marked, each read at element 0.
static weft_status drop_axes(const char *where, wf_node *x, const bool *drop, wf_node **out)
{
    wf_shape shape = { .ndim = 0 };
    wf_map map = { .ndim = x->shape.ndim };

    for (int i = 0; i < x->shape.ndim; i++) {
        map.axis[i] = drop[i] ? -1 : (int8_t)shape.ndim;
        map.step[i] = !drop[i];
        if (!drop[i]) shape.dim[shape.ndim++] = x->shape.dim[i];
    }
    return wf_make_view(where, x, &shape, &map, out);
}

weft_status wf_make_squeeze(wf_node *x, int naxes, const int *axes, wf_node **out)
{
    bool drop[WEFT_MAX_NDIM];

    WF_TRY(wf_make_axes("squeeze", x->shape.ndim, naxes, axes, drop));
    for (int i = 0; i < x->shape.ndim; i++) {
        if (!axes) drop[i] = x->shape.dim[i] == 1;
        if (drop[i] && x->shape.dim[i] != 1)
            return wf_fail(WEFT_INVALID, "squeeze: axis %d must have 1 element, got %" PRId64, i,
                           x->shape.dim[i]);
    }
    return drop_axes("squeeze", x, drop, out);
}

weft_status wf_make_expand_dims(wf_node *x, int axis, wf_node **out)
{
    int nd = x->shape.ndim, at;
    wf_shape shape = { .ndim = nd + 1 };
    wf_map map = wf_map_identity(nd);

    if (nd == WEFT_MAX_NDIM)
        return wf_fail(WEFT_INVALID, "expand_dims: number of axes must be 0..%d, got %d",
                       WEFT_MAX_NDIM, nd + 1);
    WF_TRY(wf_axis_normalize("expand_dims", axis, nd + 1, &at));
    shape.dim[at] = 1;
    for (int i = 0; i < nd; i++) {
        map.axis[i] = (int8_t)(i + (i >= at));
        shape.dim[map.axis[i]] = x->shape.dim[i];
    }
    return wf_make_view("expand_dims", x, &shape, &map, out);
}

weft_status wf_make_flip(wf_node *x, int naxes, const int *axes, wf_node **out)
{
    bool mark[WEFT_MAX_NDIM];
    wf_map map = wf_map_identity(x->shape.ndim);

    WF_TRY(wf_make_axes("flip", x->shape.ndim, naxes, axes, mark));
    for (int i = 0; i < x->shape.ndim; i++) {
        if (!mark[i] || x->shape.dim[i] < 2) continue;
        map.start[i] = x->shape.dim[i] - 1;
        map.step[i] = -1;
    }
    return wf_make_view("flip", x, &x->shape, &map, out);
}

// Works out a -1 in DIM for SIZE elements.
static weft_status resolve_shape(const wf_shape *from, int ndim, const int64_t *dim, wf_shape *out)
{
    int64_t resolved[WEFT_MAX_NDIM], size = wf_shape_size(from), known = 1;
    int unknown = -1;
    char text[512], want[512];

    if (ndim < 0 || ndim > WEFT_MAX_NDIM) return wf_shape_init(out, "reshape", ndim, dim);
    wf_shape asked = { .ndim = ndim };
    for (int i = 0; i < ndim; i++) {
        resolved[i] = asked.dim[i] = dim[i];
        if (dim[i] != -1) {
            if (dim[i] >= 0 && __builtin_mul_overflow(known, dim[i], &known)) known = INT64_MAX;
            continue;
        }
        if (unknown >= 0)
            return wf_fail(WEFT_INVALID, "reshape: at most one extent may be -1, got %s",
                           wf_shape_text(&asked, text));
        unknown = i;
    }
    if (unknown >= 0) resolved[unknown] = known > 0 && size % known == 0 ? size / known : 0;
    WF_TRY(wf_shape_init(out, "reshape", ndim, resolved));
    if (wf_shape_size(out) == size && !(unknown >= 0 && known == 0)) return WEFT_OK;
    return wf_fail(WEFT_INVALID, "reshape: %" PRId64 " elements of shape %s do not make %s", size,
                   wf_shape_text(from, text), wf_shape_text(&asked, want));
}

// The map when the two shapes differ only by axes of length 1.
static bool same_but_ones(const wf_shape *from, const wf_shape *to, wf_map *map)
{
    int t = 0;

    *map = (wf_map){ .ndim = from->ndim };
    for (int i = 0; i < from->ndim; i++) {
        map->axis[i] = -1;
        if (from->dim[i] == 1) continue;
        while (t < to->ndim && to->dim[t] == 1) t++;
        if (t == to->ndim || to->dim[t] != from->dim[i]) return false;
        map->axis[i] = (int8_t)t++;
        map->step[i] = 1;
    }
    while (t < to->ndim && to->dim[t] == 1) t++;
    return t == to->ndim;
}

static weft_status create_reshape(wf_node *x, const wf_shape *shape, wf_node **out)
{
    wf_node *source = x->kind == WF_NODE_RESHAPE ? wf_node_share_input(x, 0) : NULL;
    weft_status st;
    wf_map map;

    if (source) {  // only the order of the elements matters
        st = same_but_ones(&source->shape, shape, &map)
                 ? wf_make_view("reshape", source, shape, &map, out)
                 : wf_node_create(WF_NODE_RESHAPE, (weft_dtype)x->dtype, shape, 1, &source, out);
        wf_node_release(source);
        return st;
    }
    return wf_node_create(WF_NODE_RESHAPE, (weft_dtype)x->dtype, shape, 1, &x, out);
}

weft_status wf_make_reshape(wf_node *x, int ndim, const int64_t *shape, wf_node **out)
{
    wf_shape s;
    wf_map map;

    WF_TRY(resolve_shape(&x->shape, ndim, shape, &s));
    if (wf_shape_equal(&s, &x->shape)) return wf_make_same(x, out);
    if (wf_shape_size(&s) == 0) return wf_make_constant((weft_dtype)x->dtype, &s, 0, out);
    if (same_but_ones(&x->shape, &s, &map)) return wf_make_view("reshape", x, &s, &map, out);
    wf_node *constant = wf_node_constant(x);
    if (!constant) return create_reshape(x, &s, out);
    weft_status st = wf_make_view("reshape", constant, &s, &(wf_map){ .ndim = 0 }, out);
    wf_node_release(constant);
    return st;
}

static weft_status check_count(const char *where, const char *what, int64_t count)
{
    if (count >= 0) return WEFT_OK;
    return wf_fail(WEFT_INVALID, "%s: %s must be >= 0, got %" PRId64, where, what, count);
}

// Each element COUNT times: a new axis behind it, stretched and then joined with it.
weft_status wf_make_repeat(wf_node *x, int64_t count, int axis, wf_node **out)
{
    wf_chain c = { 0 };
    wf_shape shape = x->shape, wide;
    int64_t dim;

    WF_TRY(wf_axis_normalize("repeat", axis, shape.ndim, &axis));
    WF_TRY(check_count("repeat", "count", count));
    if (__builtin_mul_overflow(shape.dim[axis], count, &dim))
        return wf_fail(WEFT_OVERFLOW, "repeat: the number of elements does not fit in 64 bits");
    shape.dim[axis] = dim;
    WF_TRY(wf_shape_init(&shape, "repeat", shape.ndim, shape.dim));
    if (wf_shape_size(&shape) == 0) return wf_make_constant((weft_dtype)x->dtype, &shape, 0, out);
    if (count == 1) return wf_make_same(x, out);
    if (x->shape.dim[axis] == 1) return wf_make_broadcast_to(x, &shape, out);

    wf_node *y = wf_chain_hold(&c, wf_make_expand_dims(x, axis + 1, &c.next));
    if (y) {
        wide = y->shape;
        wide.dim[axis + 1] = count;
        y = wf_chain_hold(&c, wf_make_broadcast_to(y, &wide, &c.next));
    }
    if (y) y = wf_chain_hold(&c, wf_make_reshape(y, shape.ndim, shape.dim, &c.next));
    return wf_chain_give(&c, y, out);
}

weft_status wf_make_rechunk(wf_node *x, const wf_grid *grid, wf_node **out)
{
    wf_shape cut = wf_grid_shape(grid);
    wf_node *n;

    if (!wf_shape_equal(&cut, &x->shape)) {
        char want[512], got[512];
        return wf_fail(WEFT_INVALID, "rechunk: expected a grid over shape %s, got one over %s",
                       wf_shape_text(&x->shape, want), wf_shape_text(&cut, got));
    }
    WF_TRY(wf_node_create(WF_NODE_RECHUNK, (weft_dtype)x->dtype, &x->shape, 1, &x, &n));
    weft_status st = wf_node_set_grid(n, grid);
    if (st == WEFT_OK) *out = n;
    else wf_node_release(n);
    return st;
}
