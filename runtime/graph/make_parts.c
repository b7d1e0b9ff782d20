// SPDX-License-Identifier: Apache-2.0
// make_parts - arrays put together from boxes of others: concat, stack, tile, roll, pad, setitem.
// Most are pieces laid side by side along one axis; what spans several axes does one after another.
#include <string.h>

#include "graph/make_chain.h"

enum { MAX_PIECES = 4096 };  // boxes of one axis that mirroring or tiling may make

// COUNT elements along the axis, from operand OPERAND at START, START + STEP, ... (step 0: one
// element repeated).
typedef struct piece {
    int operand;
    int64_t start, step, count;
} piece;

static weft_status create_parts(weft_dtype dtype, const wf_shape *shape, int nin,
                                wf_node *const *in, int npart, wf_part *parts,
                                wf_node **out)  // takes PARTS, whatever happens
{
    wf_node *n;
    weft_status st = wf_node_create(WF_NODE_PARTS, dtype, shape, nin, in, &n);

    if (st != WEFT_OK) {
        wf_free(parts);
        return st;
    }
    n->part = parts;
    n->npart = npart;
    *out = n;
    return WEFT_OK;
}

static void place_piece(const piece *p, const wf_shape *shape, int axis, int64_t at, wf_part *part)
{
    part->box = wf_box_whole(shape);
    part->box.start[axis] = at;
    part->box.count[axis] = p->count;
    part->operand = p->operand;
    part->map = wf_map_identity(shape->ndim);
    part->map.step[axis] = p->step;
    part->map.start[axis] = p->start - p->step * at;
    if (p->step == 0) part->map.axis[axis] = -1;
}

// One piece that is all of its operand.
static bool is_whole(const piece *p, const wf_node *x, int axis)
{
    return p->start == 0 && p->count == x->shape.dim[axis] && (p->step == 1 || p->count == 1);
}

// N pieces side by side along AXIS; SHAPE holds the other extents. Operands have the result's
// dtype; empty pieces are dropped.
static weft_status join(const char *where, wf_shape shape, int axis, int nin, wf_node *const *in,
                        int64_t n, const piece *pieces, wf_node **out)
{
    weft_dtype dtype = (weft_dtype)in[0]->dtype;
    int64_t at = 0, kept = 0, last = 0;

    shape.dim[axis] = 0;
    for (int64_t i = 0; i < n; i++) {
        if (pieces[i].count == 0) continue;
        kept++;
        last = i;
        if (__builtin_add_overflow(shape.dim[axis], pieces[i].count, &shape.dim[axis]))
            return wf_fail(WEFT_OVERFLOW, "%s: the number of elements does not fit in 64 bits",
                           where);
    }
    WF_TRY(wf_shape_init(&shape, where, shape.ndim, shape.dim));
    if (wf_shape_size(&shape) == 0) return wf_make_constant(dtype, &shape, 0, out);
    if (kept == 1 && is_whole(&pieces[last], in[pieces[last].operand], axis))
        return wf_make_same(in[pieces[last].operand], out);

    wf_part *parts = wf_calloc((size_t)kept, sizeof *parts);
    if (!parts) return WEFT_NO_MEMORY;
    int npart = 0;
    for (int64_t i = 0; i < n; i++) {
        if (pieces[i].count == 0) continue;
        place_piece(&pieces[i], &shape, axis, at, &parts[npart++]);
        at += pieces[i].count;
    }
    return create_parts(dtype, &shape, nin, in, npart, parts, out);
}

static weft_status check_concat(const char *where, int n, wf_node *const *x, int axis)
{
    char got[512], want[512];

    for (int i = 1; i < n; i++) {
        bool fits = x[i]->shape.ndim == x[0]->shape.ndim;
        for (int a = 0; fits && a < x[0]->shape.ndim; a++)
            fits = a == axis || x[i]->shape.dim[a] == x[0]->shape.dim[a];
        if (!fits)
            return wf_fail(WEFT_INVALID,
                           "%s: expected shape %s, except along axis %d, got %s for array %d",
                           where, wf_shape_text(&x[0]->shape, want), axis,
                           wf_shape_text(&x[i]->shape, got), i);
    }
    return WEFT_OK;
}

static weft_status check_many(const char *where, int n)
{
    if (n < 1) return wf_fail(WEFT_INVALID, "%s: expected at least one array, got %d", where, n);
    if (n > INT16_MAX)
        return wf_fail(WEFT_UNSUPPORTED, "%s: at most %d arrays, got %d", where, INT16_MAX, n);
    return WEFT_OK;
}

// Casts all of X to their common dtype and joins them.
static weft_status concat_promoted(const char *where, int n, wf_node *const *x, int axis,
                                   wf_node **in, piece *pieces, wf_node **out)
{
    weft_dtype dtype = (weft_dtype)x[0]->dtype;
    weft_status st = WEFT_OK;

    for (int i = 1; i < n; i++) dtype = wf_dtype_promote(dtype, (weft_dtype)x[i]->dtype);
    for (int i = 0; i < n && st == WEFT_OK; i++) {
        pieces[i] = (piece){ .operand = i, .step = 1, .count = x[i]->shape.dim[axis] };
        st = wf_make_cast(x[i], dtype, &in[i]);
    }
    return st == WEFT_OK ? join(where, x[0]->shape, axis, n, in, n, pieces, out) : st;
}

weft_status wf_make_concat(const char *where, int n, wf_node *const *x, int axis, wf_node **out)
{
    WF_TRY(check_many(where, n));
    if (x[0]->shape.ndim == 0)
        return wf_fail(WEFT_INVALID, "%s: expected arrays with axes, got one of none", where);
    WF_TRY(wf_axis_normalize(where, axis, x[0]->shape.ndim, &axis));
    WF_TRY(check_concat(where, n, x, axis));
    wf_node **in = wf_calloc((size_t)n, sizeof(wf_node *));
    piece *pieces = wf_calloc((size_t)n, sizeof *pieces);
    weft_status st = WEFT_NO_MEMORY;
    if (in && pieces) st = concat_promoted(where, n, x, axis, in, pieces, out);
    for (int i = 0; in && i < n; i++) wf_node_release(in[i]);
    wf_free(in);
    wf_free(pieces);
    return st;
}

weft_status wf_make_stack(int n, wf_node *const *x, int axis, wf_node **out)
{
    char got[512], want[512];

    WF_TRY(check_many("stack", n));
    WF_TRY(wf_axis_normalize("stack", axis, x[0]->shape.ndim + 1, &axis));
    for (int i = 1; i < n; i++)
        if (!wf_shape_equal(&x[0]->shape, &x[i]->shape))
            return wf_fail(WEFT_INVALID, "stack: expected shape %s, got %s for array %d",
                           wf_shape_text(&x[0]->shape, want), wf_shape_text(&x[i]->shape, got), i);
    wf_node **rows = wf_calloc((size_t)n, sizeof(wf_node *));
    if (!rows) return WEFT_NO_MEMORY;
    weft_status st = WEFT_OK;
    for (int i = 0; i < n && st == WEFT_OK; i++) st = wf_make_expand_dims(x[i], axis, &rows[i]);
    if (st == WEFT_OK) st = wf_make_concat("stack", n, rows, axis, out);
    for (int i = 0; i < n; i++) wf_node_release(rows[i]);
    wf_free(rows);
    return st;
}

// X COUNT times along AXIS, side by side.
static weft_status tile_by_parts(wf_node *x, int axis, int64_t count, wf_node **out)
{
    piece *pieces = wf_calloc((size_t)count, sizeof *pieces);

    if (!pieces) return WEFT_NO_MEMORY;
    for (int64_t i = 0; i < count; i++)
        pieces[i] = (piece){ .step = 1, .count = x->shape.dim[axis] };
    weft_status st = join("tile", x->shape, axis, 1, &x, count, pieces, out);
    wf_free(pieces);
    return st;
}

// For many repetitions: a new axis before it, stretched and joined with it, which is one copy.
static weft_status tile_by_reshape(wf_node *x, int axis, int64_t count, wf_node **out)
{
    wf_chain c = { 0 };
    wf_shape shape = x->shape;
    wf_node *y = wf_chain_hold(&c, wf_make_expand_dims(x, axis, &c.next));

    shape.dim[axis] *= count;
    if (y) {
        wf_shape wide = y->shape;
        wide.dim[axis] = count;
        y = wf_chain_hold(&c, wf_make_broadcast_to(y, &wide, &c.next));
    }
    if (y) y = wf_chain_hold(&c, wf_make_reshape(y, shape.ndim, shape.dim, &c.next));
    return wf_chain_give(&c, y, out);
}

static weft_status tile_axis(wf_node *x, int axis, int64_t count, wf_node **out)
{
    wf_shape shape = x->shape;

    if (count == 1) return wf_make_same(x, out);
    shape.dim[axis] *= count;
    if (x->shape.dim[axis] == 1) return wf_make_broadcast_to(x, &shape, out);
    wf_node *constant = wf_node_constant(x);
    if (constant) {
        weft_status st = wf_make_view("tile", constant, &shape, &(wf_map){ .ndim = 0 }, out);
        wf_node_release(constant);
        return st;
    }
    return count <= 16 ? tile_by_parts(x, axis, count, out) : tile_by_reshape(x, axis, count, out);
}

// Checks the repetitions and the size of the result; FULL: X's shape with axes of length 1 in
// front; TIMES: one per axis of it.
static weft_status tile_shape(const wf_node *x, int n, const int64_t *reps, wf_shape *full,
                              int64_t *times, wf_shape *out)
{
    int nd = n > x->shape.ndim ? n : x->shape.ndim;
    wf_shape s = { .ndim = nd };

    if (nd > WEFT_MAX_NDIM) return wf_shape_init(out, "tile", nd, reps);
    *full = s;
    for (int i = 0; i < nd; i++) {
        int from = i - (nd - x->shape.ndim), rep = i - (nd - n);
        full->dim[i] = from < 0 ? 1 : x->shape.dim[from];
        times[i] = rep < 0 ? 1 : reps[rep];
        if (times[i] < 0)
            return wf_fail(WEFT_INVALID, "tile: a repetition must be >= 0, got %" PRId64, times[i]);
        if (__builtin_mul_overflow(full->dim[i], times[i], &s.dim[i]))
            return wf_fail(WEFT_OVERFLOW, "tile: the number of elements does not fit in 64 bits");
    }
    return wf_shape_init(out, "tile", nd, s.dim);
}

weft_status wf_make_tile(wf_node *x, int n, const int64_t *reps, wf_node **out)
{
    wf_shape full, result;
    int64_t times[WEFT_MAX_NDIM];
    wf_chain c = { 0 };

    WF_TRY(tile_shape(x, n, reps, &full, times, &result));
    if (wf_shape_size(&result) == 0) return wf_make_constant((weft_dtype)x->dtype, &result, 0, out);
    wf_node *y = wf_chain_hold(&c, wf_make_broadcast_to(x, &full, &c.next));
    for (int i = full.ndim - 1; i >= 0 && y; i--)
        y = wf_chain_hold(&c, tile_axis(y, i, times[i], &c.next));
    return wf_chain_give(&c, y, out);
}

static weft_status roll_axis(wf_node *x, int axis, int64_t shift, wf_node **out)
{
    int64_t dim = x->shape.dim[axis];

    shift = dim > 0 ? (shift % dim + dim) % dim : 0;
    if (shift == 0) return wf_make_same(x, out);
    const piece pieces[2] = { { .start = dim - shift, .step = 1, .count = shift },
                              { .step = 1, .count = dim - shift } };
    return join("roll", x->shape, axis, 1, &x, 2, pieces, out);
}

weft_status wf_make_roll(wf_node *x, int naxes, const int64_t *shifts, const int *axes,
                         wf_node **out)
{
    int64_t shift[WEFT_MAX_NDIM] = { 0 };
    wf_chain c = { 0 };
    wf_node *y = x;

    if (!axes) {
        if (naxes != 1)
            return wf_fail(WEFT_INVALID, "roll: expected 1 shift of the flattened array, got %d",
                           naxes);
        y = wf_chain_hold(&c, wf_make_reshape(x, 1, (int64_t[]){ -1 }, &c.next));
        if (y) y = wf_chain_hold(&c, roll_axis(y, 0, shifts[0], &c.next));
        if (y) y = wf_chain_hold(&c, wf_make_reshape(y, x->shape.ndim, x->shape.dim, &c.next));
        return wf_chain_give(&c, y, out);
    }
    for (int i = 0; i < naxes; i++) {  // an axis given twice moves by the sum
        int axis;
        WF_TRY(wf_axis_normalize("roll", axes[i], x->shape.ndim, &axis));
        int64_t dim = x->shape.dim[axis];
        if (dim > 0) shift[axis] = (shift[axis] + shifts[i] % dim) % dim;
    }
    for (int i = 0; i < x->shape.ndim && y; i++)
        y = wf_chain_hold(&c, roll_axis(y, i, shift[i], &c.next));
    return wf_chain_give(&c, y, out);
}

// The value in the border of a constant pad as an operand of X's dtype.
static wf_node *pad_value(wf_chain *c, wf_node *x, wf_node *fill)
{
    if (!fill) return wf_chain_scalar(c, (weft_dtype)x->dtype, 0);
    return wf_chain_hold(c, wf_make_fitting("pad", fill, (weft_dtype)x->dtype, &c->next));
}

static weft_status pad_constant(wf_node *x, const int64_t *before, const wf_shape *shape,
                                wf_node *fill, wf_node **out)
{
    wf_chain c = { 0 };
    wf_node *in[2] = { x, pad_value(&c, x, fill) };
    wf_part *parts = in[1] ? wf_calloc(2, sizeof *parts) : NULL;

    if (in[1] && in[1]->shape.ndim > 0)
        c.status =
            wf_fail(WEFT_INVALID, "pad: the value must have no axes, got %d", in[1]->shape.ndim);
    if (in[1] && !parts) c.status = WEFT_NO_MEMORY;
    if (c.status != WEFT_OK) {
        wf_free(parts);
        return wf_chain_give(&c, NULL, out);
    }
    wf_map inside = wf_map_identity(shape->ndim);
    for (int i = 0; i < shape->ndim; i++) inside.start[i] = -before[i];
    int n = 0;
    if (wf_shape_size(&x->shape) > 0) {
        parts[n] = (wf_part){ .box = wf_box_whole(&x->shape), .operand = 0, .map = inside };
        memcpy(parts[n++].box.start, before, (size_t)shape->ndim * sizeof *before);
    }
    parts[n++] =
        (wf_part){ .box = wf_box_whole(shape), .operand = in[1]->kind == WF_NODE_SCALAR ? -1 : 1 };
    wf_node *padded =
        wf_chain_hold(&c, create_parts((weft_dtype)x->dtype, shape, 2, in, n, parts, &c.next));
    return wf_chain_give(&c, padded, out);
}

static int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a ^ b) < 0); }

// Appends to PIECES the runs that positions [LO, HI) of an endless mirrored or repeated axis of DIM
// elements are made of.
static int64_t unroll(wf_pad_mode mode, int64_t dim, int64_t lo, int64_t hi, piece *pieces)
{
    int64_t period = mode == WF_PAD_REFLECT ? dim - 1 : dim, n = 0;

    for (int64_t at = lo; at < hi;) {
        int64_t lap = floor_divide(at, period), end = (lap + 1) * period, into = at - lap * period;
        if (end > hi) end = hi;
        bool back = mode != WF_PAD_WRAP && lap % 2 != 0;
        pieces[n++] = (piece){ .start = back ? dim - 1 - into : into,
                               .step = back ? -1 : 1,
                               .count = end - at };
        at = end;
    }
    return n;
}

static weft_status pad_axis(wf_node *x, int axis, int64_t before, int64_t after, wf_pad_mode mode,
                            wf_node **out)
{
    int64_t dim = x->shape.dim[axis], n = 0;

    if (before == 0 && after == 0) return wf_make_same(x, out);
    if (mode == WF_PAD_EDGE || dim == 1) {
        const piece edge[3] = { { .count = before },
                                { .step = 1, .count = dim },
                                { .start = dim - 1, .count = after } };
        return join("pad", x->shape, axis, 1, &x, 3, edge, out);
    }
    int64_t laps = (before + after) / (mode == WF_PAD_REFLECT ? dim - 1 : dim);
    if (laps > MAX_PIECES)
        return wf_fail(WEFT_UNSUPPORTED,
                       "pad: axis %d of %" PRId64 " elements would be repeated %" PRId64
                       " times, the limit is %d",
                       axis, dim, laps, MAX_PIECES);
    piece *pieces = wf_calloc((size_t)laps + 6, sizeof *pieces);
    if (!pieces) return WEFT_NO_MEMORY;
    n = unroll(mode, dim, -before, 0, pieces);
    pieces[n++] = (piece){ .step = 1, .count = dim };
    n += unroll(mode, dim, dim, dim + after, pieces + n);
    weft_status st = join("pad", x->shape, axis, 1, &x, n, pieces, out);
    wf_free(pieces);
    return st;
}

static weft_status pad_shape(const wf_node *x, const int64_t *before, const int64_t *after,
                             wf_pad_mode mode, wf_shape *out)
{
    wf_shape s = x->shape;

    for (int i = 0; i < s.ndim; i++) {
        int64_t bad = before[i] < 0 ? before[i] : after[i];
        if (bad < 0)
            return wf_fail(WEFT_INVALID, "pad: a width must be >= 0, got %" PRId64 " on axis %d",
                           bad, i);
        if (mode != WF_PAD_CONSTANT && s.dim[i] == 0 && (before[i] > 0 || after[i] > 0))
            return wf_fail(WEFT_INVALID, "pad: axis %d is empty: there is nothing to repeat", i);
        if (__builtin_add_overflow(s.dim[i], before[i], &s.dim[i]) ||
            __builtin_add_overflow(s.dim[i], after[i], &s.dim[i]))
            return wf_fail(WEFT_OVERFLOW, "pad: the number of elements does not fit in 64 bits");
    }
    return wf_shape_init(out, "pad", s.ndim, s.dim);
}

weft_status wf_make_pad(wf_node *x, const int64_t *before, const int64_t *after, wf_pad_mode mode,
                        wf_node *fill, wf_node **out)
{
    wf_chain c = { 0 };
    wf_shape shape;
    wf_node *y = x;

    if ((unsigned)mode > WF_PAD_WRAP)
        return wf_fail(WEFT_INVALID, "pad: expected a mode, got the number %d", (int)mode);
    WF_TRY(pad_shape(x, before, after, mode, &shape));
    if (wf_shape_equal(&shape, &x->shape)) return wf_make_same(x, out);
    if (wf_shape_size(&shape) == 0) return wf_make_constant((weft_dtype)x->dtype, &shape, 0, out);
    if (mode == WF_PAD_CONSTANT) return pad_constant(x, before, &shape, fill, out);
    for (int i = 0; i < shape.ndim && y; i++)
        y = wf_chain_hold(&c, pad_axis(y, i, before[i], after[i], mode, &c.next));
    return wf_chain_give(&c, y, out);
}
