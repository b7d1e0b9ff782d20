// SPDX-License-Identifier: Apache-2.0
// select - the public operations that pick elements: by cuts, by integer arrays, by masks. What
// only data can tell - which indices, how many elements are true - is computed first, as a request
// of its own.
#include <string.h>

#include "api/session.h"

enum { COUNT_CELL = 65536, COUNT_CELL_TEST = 64 };

// --- cuts ---

void wf_selection_map(const wf_selection *sel, int ndim, wf_shape *shape, wf_map *map)
{
    memset(map, 0, sizeof *map);
    map->ndim = ndim;
    for (int i = 0; i < ndim; i++) {
        map->axis[i] = -1;
        map->start[i] = sel->index[i];
    }
    shape->ndim = sel->ndim;
    for (int o = 0; o < sel->ndim; o++) {
        const wf_cut_axis *a = &sel->axis[o];
        shape->dim[o] = a->count;
        if (a->input < 0) continue;
        map->axis[a->input] = (int8_t)o;
        map->start[a->input] = a->start;
        map->step[a->input] = a->step;
    }
}

static weft_status resolve(const char *where, const wf_node *x, int n, const weft_cut *cuts,
                           wf_shape *shape, wf_map *map)
{
    wf_selection sel;

    if (n < 0)
        return wf_fail(WEFT_INVALID, "%s: the number of cuts must be >= 0, got %d", where, n);
    if (n > 0 && !cuts) return wf_fail(WEFT_INVALID, "%s: %d cuts, but the list is NULL", where, n);
    WF_TRY(wf_cuts_resolve(where, x->shape.ndim, x->shape.dim, n, cuts, &sel));
    wf_selection_map(&sel, x->shape.ndim, shape, map);
    return WEFT_OK;
}

static weft_array *index_cuts(weft_array *x, int n, const weft_cut *cuts, const void *site)
{
    wf_node *node = NULL;
    wf_shape shape;
    wf_map map;

    weft_status st = resolve("index", x->node, n, cuts, &shape, &map);
    if (st == WEFT_OK) st = wf_make_view("index", x->node, &shape, &map, &node);
    return wf_array_give_view(x, st, node, site);
}

weft_array *weft_index(weft_array *x, int n, const weft_cut *cuts)
{
    return wf_array_is_usable("index", x) ? index_cuts(x, n, cuts, SITE) : NULL;
}

static weft_status parse(const char *where, const char *text, int *n, weft_cut *out)
{
    return text ? wf_cuts_parse(where, text, n, out)
                : wf_fail(WEFT_INVALID, "%s: the text is NULL", where);
}

weft_array *weft_index_text(weft_array *x, const char *cuts)
{
    weft_cut list[WF_CUTS_MAX];
    int n;

    if (!wf_array_is_usable("index", x)) return NULL;
    if (parse("index", cuts, &n, list) != WEFT_OK) return wf_pend();
    return index_cuts(x, n, list, SITE);
}

static int kind_rank(weft_dtype dtype)
{
    switch (wf_dtype_kind(dtype)) {
    case 'b': return 0;
    case 'f': return 2;
    case 'c': return 3;
    default: return 1;
    }
}

weft_status wf_check_holds(const char *where, weft_dtype target, weft_dtype value)
{
    return kind_rank(value) <= kind_rank(target)
               ? WEFT_OK
               : wf_fail(WEFT_INVALID, "%s: %s cannot hold %s; convert it by weft_astype", where,
                         wf_dtype_name(target), wf_dtype_name(value));
}

static weft_array *set_cuts(weft_array *x, int n, const weft_cut *cuts, weft_array *value,
                            const void *site)
{
    wf_node *node = NULL;
    wf_shape shape;
    wf_map map;

    weft_status st = resolve("setitem", x->node, n, cuts, &shape, &map);
    if (st == WEFT_OK)
        st = wf_check_holds("setitem", (weft_dtype)x->node->dtype, (weft_dtype)value->node->dtype);
    if (st == WEFT_OK) st = wf_make_setitem(x->node, &shape, &map, value->node, &node);
    return wf_array_give(x->session, st, node, site);
}

weft_array *weft_setitem(weft_array *x, int n, const weft_cut *cuts, weft_array *value)
{
    if (!wf_arrays_are_usable("setitem", 2, (weft_array *[]){ x, value })) return NULL;
    return set_cuts(x, n, cuts, value, SITE);
}

weft_array *weft_setitem_text(weft_array *x, const char *cuts, weft_array *value)
{
    weft_cut list[WF_CUTS_MAX];
    int n;

    if (!wf_arrays_are_usable("setitem", 2, (weft_array *[]){ x, value })) return NULL;
    if (parse("setitem", cuts, &n, list) != WEFT_OK) return wf_pend();
    return set_cuts(x, n, list, value, SITE);
}

// --- integer arrays ---

static weft_status check_integers(const char *where, const char *what, const wf_node *x)
{
    char kind = wf_dtype_kind((weft_dtype)x->dtype);
    if (kind == 'i' || kind == 'u') return WEFT_OK;
    return wf_fail(WEFT_INVALID, "%s: %s must be integers, got %s", where, what,
                   wf_dtype_name((weft_dtype)x->dtype));
}

// LIST's places in an axis of DIM elements: negative ones count from the end.
static weft_status resolve_indices(wf_list *list, int axis, int64_t dim)
{
    for (int64_t i = 0; i < list->count; i++) {
        int64_t at = list->item[i];
        if (at < -dim || at >= dim)
            return wf_fail(WEFT_INVALID,
                           "take: index %" PRId64
                           " is out of bounds for axis %d with size %" PRId64,
                           at, axis, dim);
        if (at < 0) list->item[i] = at + dim;
    }
    return WEFT_OK;
}

// X with AXIS replaced by the axes of SHAPE; TAKEN has as many elements along AXIS.
static weft_status spread_axis(wf_node *taken, int axis, const wf_shape *shape, wf_node **out)
{
    int64_t dim[2 * WEFT_MAX_NDIM];
    int nd = 0;

    for (int i = 0; i < axis; i++) dim[nd++] = taken->shape.dim[i];
    for (int i = 0; i < shape->ndim; i++) dim[nd++] = shape->dim[i];
    for (int i = axis + 1; i < taken->shape.ndim; i++) dim[nd++] = taken->shape.dim[i];
    if (nd > WEFT_MAX_NDIM)
        return wf_fail(WEFT_INVALID, "take: number of axes must be 0..%d, got %d", WEFT_MAX_NDIM,
                       nd);
    return wf_make_reshape(taken, nd, dim, out);
}

static weft_status take(weft_session *session, wf_node *x, wf_node *indices, int axis,
                        wf_node **out)
{
    wf_list *list;
    wf_node *taken;

    WF_TRY(wf_axis_normalize("take", axis, x->shape.ndim, &axis));
    WF_TRY(check_integers("take", "indices", indices));
    WF_TRY(wf_node_read_list(session, "take", indices, &list));
    weft_status st = resolve_indices(list, axis, x->shape.dim[axis]);
    if (st == WEFT_OK) st = wf_make_take(x, list, axis, &taken);
    wf_list_release(list);
    WF_TRY(st);
    st = spread_axis(taken, axis, &indices->shape, out);
    wf_node_release(taken);
    return st;
}

weft_array *weft_take(weft_array *x, weft_array *indices, int axis)
{
    wf_node *node = NULL;
    if (!wf_arrays_are_usable("take", 2, (weft_array *[]){ x, indices })) return NULL;
    weft_status st = take(x->session, x->node, indices->node, axis, &node);
    return wf_array_give(x->session, st, node, SITE);
}

// --- masks ---

// How many elements of MASK, 1-D bool, are true in each cell of CELL elements.
static weft_status count_node(wf_node *mask, int64_t cell, wf_node **out)
{
    wf_shape cells = { .ndim = 1, .dim = { (mask->shape.dim[0] + cell - 1) / cell } };
    wf_node *wide, *partial;

    WF_TRY(wf_make_cast(mask, WEFT_INT64, &wide));
    weft_status st = wf_node_create(WF_NODE_REDUCE, WEFT_INT64, &cells, 1, &wide, &partial);
    wf_node_release(wide);
    WF_TRY(st);
    partial->op = WF_REDUCE_SUM;
    partial->field = 1;
    partial->inner = true;
    st = wf_node_set_extra(partial, &cell, sizeof cell);
    if (st == WEFT_OK) st = wf_node_create(WF_NODE_FIELD, WEFT_INT64, &cells, 1, &partial, out);
    wf_node_release(partial);
    return st;
}

// The counts are needed now and the mask again when its elements are picked: one request makes
// both, so that whatever the mask is made of (a file, a product) is read or computed once. It costs
// a byte an element until the pick is done.
static weft_status count_true(weft_session *session, const char *where, wf_node *mask, int64_t cell,
                              wf_list **out)
{
    wf_node *counts;
    if (mask->shape.dim[0] == 0) return wf_list_create(0, out);
    WF_TRY(count_node(mask, cell, &counts));
    weft_status st = wf_compute_nodes(session, where, 2, (wf_node *[]){ counts, mask }, NULL);
    if (st == WEFT_OK) st = wf_node_read_list(session, where, counts, out);
    wf_node_release(counts);
    return st;
}

// The elements of X where MASK is true; both 1-D of one length.
static weft_status compact(weft_session *session, const char *where, wf_node *x, wf_node *mask,
                           wf_node **out)
{
    int64_t cell = wf_session_plan_options(session)->test ? COUNT_CELL_TEST : COUNT_CELL;
    wf_shape shape = { .ndim = 1 };
    wf_list *counts;
    wf_node *node;

    WF_TRY(count_true(session, where, mask, cell, &counts));
    for (int64_t i = 0; i < counts->count; i++) shape.dim[0] += counts->item[i];
    if (shape.dim[0] == 0) {
        wf_list_release(counts);
        return wf_make_full((weft_dtype)x->dtype, &shape, &(wf_scalar){ .c128 = { 0, 0 } }, NULL,
                            out);
    }
    weft_status st = wf_node_create(WF_NODE_COMPACT, (weft_dtype)x->dtype, &shape, 2,
                                    (wf_node *[]){ x, mask }, &node);
    if (st != WEFT_OK) {
        wf_list_release(counts);
        return st;
    }
    node->list = counts;
    st = wf_node_set_extra(node, &cell, sizeof cell);
    if (st == WEFT_OK) *out = node;
    else wf_node_release(node);
    return st;
}

static weft_status flatten(wf_node *x, wf_node **out)
{
    int64_t all = wf_shape_size(&x->shape);
    return wf_make_reshape(x, 1, &all, out);
}

// The positions, in C order, where MASK (1-D) is true.
static weft_status true_positions(weft_session *session, const char *where, wf_node *mask,
                                  wf_node **out)
{
    wf_node *all;
    WF_TRY(wf_make_arange(0, (double)mask->shape.dim[0], 1, WEFT_INT64, &all));
    weft_status st = compact(session, where, all, mask, out);
    wf_node_release(all);
    return st;
}

// A mask of X's first axes: whole rows are taken.
static weft_status take_rows(weft_session *session, wf_node *x, wf_node *mask, wf_node *flat_mask,
                             wf_node **out)
{
    int64_t dim[WEFT_MAX_NDIM + 1] = { flat_mask->shape.dim[0] };
    int nd = 1;
    wf_node *rows, *places;
    wf_list *list;

    for (int i = mask->shape.ndim; i < x->shape.ndim; i++) dim[nd++] = x->shape.dim[i];
    WF_TRY(true_positions(session, "mask", flat_mask, &places));
    weft_status st = wf_node_read_list(session, "mask", places, &list);
    wf_node_release(places);
    WF_TRY(st);
    st = wf_make_reshape(x, nd, dim, &rows);
    if (st == WEFT_OK) {
        st = wf_make_take(rows, list, 0, out);
        wf_node_release(rows);
    }
    wf_list_release(list);
    return st;
}

static weft_status check_mask(const wf_node *x, const wf_node *mask)
{
    char want[512], got[512];

    if (mask->dtype != WEFT_BOOL)
        return wf_fail(WEFT_INVALID, "mask: the mask must be bool, got %s",
                       wf_dtype_name((weft_dtype)mask->dtype));
    bool fits = mask->shape.ndim <= x->shape.ndim;
    for (int i = 0; fits && i < mask->shape.ndim; i++) fits = mask->shape.dim[i] == x->shape.dim[i];
    if (!fits)
        return wf_fail(
            WEFT_INVALID,
            "mask: the mask must have the array's shape %s, or that of its first axes, got %s",
            wf_shape_text(&x->shape, want), wf_shape_text(&mask->shape, got));
    if (mask->shape.ndim == 0 && x->shape.ndim == WEFT_MAX_NDIM)
        return wf_fail(WEFT_INVALID, "mask: number of axes must be 0..%d, got %d", WEFT_MAX_NDIM,
                       WEFT_MAX_NDIM + 1);
    return WEFT_OK;
}

static weft_status select_mask(weft_session *session, wf_node *x, wf_node *mask, wf_node **out)
{
    wf_node *flat_mask, *flat;

    WF_TRY(check_mask(x, mask));
    WF_TRY(flatten(mask, &flat_mask));
    weft_status st;
    if (mask->shape.ndim < x->shape.ndim) {
        st = take_rows(session, x, mask, flat_mask, out);
    } else {
        st = flatten(x, &flat);
        if (st == WEFT_OK) {
            st = compact(session, "mask", flat, flat_mask, out);
            wf_node_release(flat);
        }
    }
    wf_node_release(flat_mask);
    return st;
}

weft_array *weft_mask(weft_array *x, weft_array *mask)
{
    wf_node *node = NULL;
    if (!wf_arrays_are_usable("mask", 2, (weft_array *[]){ x, mask })) return NULL;
    weft_status st = select_mask(x->session, x->node, mask->node, &node);
    return wf_array_give(x->session, st, node, SITE);
}

static weft_status integer_op(wf_op op, wf_node *x, int64_t value, wf_node **out)
{
    wf_node *number;
    WF_TRY(wf_make_scalar(WEFT_INT64, &(wf_scalar){ .i = value }, false, &number));
    weft_status st = wf_make_map(op, (wf_node *[]){ x, number }, out);
    wf_node_release(number);
    return st;
}

// Coordinate AXIS of the elements at PLACES, positions in C order in an array of SHAPE.
static weft_status coordinate(wf_node *places, const wf_shape *shape, int axis, wf_node **out)
{
    int64_t behind = 1;
    wf_node *quotient;

    for (int i = axis + 1; i < shape->ndim; i++) behind *= shape->dim[i];
    if (behind == 0 || shape->dim[axis] == 0) behind = 1;  // nothing to place
    WF_TRY(integer_op(WF_OP_FLOOR_DIVIDE, places, behind, &quotient));
    weft_status st =
        integer_op(WF_OP_REMAINDER, quotient, shape->dim[axis] ? shape->dim[axis] : 1, out);
    wf_node_release(quotient);
    return st;
}

static weft_status stack_coordinates(wf_node *places, const wf_shape *shape, wf_node **out)
{
    wf_node *row[WEFT_MAX_NDIM] = { NULL };
    weft_status st = WEFT_OK;

    if (shape->ndim == 1) return wf_make_expand_dims(places, 0, out);
    for (int i = 0; i < shape->ndim && st == WEFT_OK; i++)
        st = coordinate(places, shape, i, &row[i]);
    if (st == WEFT_OK) st = wf_make_stack(shape->ndim, row, 0, out);
    for (int i = 0; i < shape->ndim; i++) wf_node_release(row[i]);
    return st;
}

static weft_status find_nonzero(weft_session *session, wf_node *x, wf_node **out)
{
    wf_node *mask, *flat, *places;

    if (x->shape.ndim == 0)
        return wf_fail(WEFT_INVALID, "nonzero: expected an array with axes, got one without");
    WF_TRY(wf_make_cast(x, WEFT_BOOL, &mask));
    weft_status st = flatten(mask, &flat);
    wf_node_release(mask);
    WF_TRY(st);
    st = true_positions(session, "nonzero", flat, &places);
    wf_node_release(flat);
    WF_TRY(st);
    st = stack_coordinates(places, &x->shape, out);
    wf_node_release(places);
    return st;
}

weft_array *weft_nonzero(weft_array *x)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("nonzero", x)) return NULL;
    weft_status st = find_nonzero(x->session, x->node, &node);
    return wf_array_give(x->session, st, node, SITE);
}
