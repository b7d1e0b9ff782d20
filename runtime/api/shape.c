// SPDX-License-Identifier: Apache-2.0
// shape - the public operations that rearrange: the same elements in another shape, order or
// blocks.
#include <string.h>

#include "api/session.h"

// N counts of something, given as a pointer.
static weft_status check_list(const char *where, const char *what, int n, const void *list)
{
    if (n < 0)
        return wf_fail(WEFT_INVALID, "%s: the number of %s must be >= 0, got %d", where, what, n);
    if (n > 0 && !list)
        return wf_fail(WEFT_INVALID, "%s: %d %s, but the list is NULL", where, n, what);
    return WEFT_OK;
}

weft_array *weft_reshape(weft_array *x, int ndim, const int64_t *shape)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("reshape", x)) return NULL;
    weft_status st = check_list("reshape", "extents", ndim, shape);
    if (st == WEFT_OK) st = wf_make_reshape(x->node, ndim, shape, &node);
    return wf_array_give_view(x, st, node, SITE);
}

weft_array *weft_permute_dims(weft_array *x, int naxes, const int *axes)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("permute_dims", x)) return NULL;
    weft_status st = wf_make_permute("permute_dims", x->node, naxes, axes, &node);
    return wf_array_give_view(x, st, node, SITE);
}

static weft_status move_axis(wf_node *x, int source, int destination, wf_node **out)
{
    int nd = x->shape.ndim, axes[WEFT_MAX_NDIM], next = 0;

    WF_TRY(wf_axis_normalize("moveaxis", source, nd, &source));
    WF_TRY(wf_axis_normalize("moveaxis", destination, nd, &destination));
    for (int i = 0; i < nd; i++) {
        if (i == destination) {
            axes[i] = source;
            continue;
        }
        if (next == source) next++;
        axes[i] = next++;
    }
    return wf_make_permute("moveaxis", x, nd, axes, out);
}

weft_array *weft_moveaxis(weft_array *x, int source, int destination)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("moveaxis", x)) return NULL;
    weft_status st = move_axis(x->node, source, destination, &node);
    return wf_array_give_view(x, st, node, SITE);
}

static weft_status transpose_last(wf_node *x, wf_node **out)
{
    int nd = x->shape.ndim, axes[WEFT_MAX_NDIM];

    if (nd < 2)
        return wf_fail(WEFT_INVALID, "matrix_transpose: expected at least 2 axes, got %d", nd);
    for (int i = 0; i < nd; i++) axes[i] = i;
    axes[nd - 1] = nd - 2;
    axes[nd - 2] = nd - 1;
    return wf_make_permute("matrix_transpose", x, nd, axes, out);
}

weft_array *weft_matrix_transpose(weft_array *x)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("matrix_transpose", x)) return NULL;
    weft_status st = transpose_last(x->node, &node);
    return wf_array_give_view(x, st, node, SITE);
}

weft_array *weft_squeeze(weft_array *x, int naxes, const int *axes)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("squeeze", x)) return NULL;
    weft_status st = wf_make_squeeze(x->node, naxes, axes, &node);
    return wf_array_give_view(x, st, node, SITE);
}

weft_array *weft_expand_dims(weft_array *x, int axis)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("expand_dims", x)) return NULL;
    weft_status st = wf_make_expand_dims(x->node, axis, &node);
    return wf_array_give_view(x, st, node, SITE);
}

weft_array *weft_broadcast_to(weft_array *x, int ndim, const int64_t *shape)
{
    wf_node *node = NULL;
    wf_shape s;
    if (!wf_array_is_usable("broadcast_to", x)) return NULL;
    weft_status st = check_list("broadcast_to", "extents", ndim, shape);
    if (st == WEFT_OK) st = wf_shape_init(&s, "broadcast_to", ndim, shape);
    if (st == WEFT_OK) st = wf_make_broadcast_to(x->node, &s, &node);
    return wf_array_give_view(x, st, node, SITE);
}

weft_array *weft_flip(weft_array *x, int naxes, const int *axes)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("flip", x)) return NULL;
    weft_status st = wf_make_flip(x->node, naxes, axes, &node);
    return wf_array_give_view(x, st, node, SITE);
}

static weft_status flatten(wf_node *x, wf_node **out)
{
    int64_t all = wf_shape_size(&x->shape);
    return wf_make_reshape(x, 1, &all, out);
}

static weft_status roll_flat(wf_node *x, int64_t shift, wf_node **out)
{
    wf_node *flat, *rolled;
    WF_TRY(flatten(x, &flat));
    weft_status st = wf_make_roll(flat, 1, &shift, &(int){ 0 }, &rolled);
    wf_node_release(flat);
    WF_TRY(st);
    st = wf_make_reshape(rolled, x->shape.ndim, x->shape.dim, out);
    wf_node_release(rolled);
    return st;
}

static weft_status roll(wf_node *x, int n, const int64_t *shifts, const int *axes, wf_node **out)
{
    WF_TRY(check_list("roll", "shifts", n, shifts));
    if (axes) return wf_make_roll(x, n, shifts, axes, out);
    if (n != 1) return wf_fail(WEFT_INVALID, "roll: without axes expected 1 shift, got %d", n);
    return roll_flat(x, shifts[0], out);
}

weft_array *weft_roll(weft_array *x, int naxes, const int64_t *shifts, const int *axes)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("roll", x)) return NULL;
    weft_status st = roll(x->node, naxes, shifts, axes, &node);
    return wf_array_give(x->session, st, node, SITE);
}

// --- several arrays ---

static weft_status check_arrays(const char *where, int n, weft_array *const *arrays)
{
    if (n < 1) return wf_fail(WEFT_INVALID, "%s: expected at least one array, got %d", where, n);
    return arrays ? WEFT_OK : wf_fail(WEFT_INVALID, "%s: the list of %d arrays is NULL", where, n);
}

typedef weft_status join_fn(int n, wf_node *const *x, int axis, wf_node **out);

static weft_status concat(int n, wf_node *const *x, int axis, wf_node **out)
{
    return wf_make_concat("concat", n, x, axis, out);
}

static weft_status concat_flat(int n, wf_node *const *x, int axis, wf_node **out)
{
    wf_node **flat = wf_calloc((size_t)n, sizeof *flat);
    weft_status st = flat ? WEFT_OK : WEFT_NO_MEMORY;

    for (int i = 0; i < n && st == WEFT_OK; i++) st = flatten(x[i], &flat[i]);
    if (st == WEFT_OK) st = wf_make_concat("concat", n, flat, axis, out);
    for (int i = 0; i < n && flat; i++) wf_node_release(flat[i]);
    wf_free(flat);
    return st;
}

static weft_array *join(const char *where, join_fn *make, int n, weft_array *const *arrays,
                        int axis, const void *site)
{
    wf_node *small[16], *node = NULL;

    if (check_arrays(where, n, arrays) != WEFT_OK) return wf_pend();
    if (!wf_arrays_are_usable(where, n, arrays)) return NULL;
    wf_node **in = n <= 16 ? small : wf_calloc((size_t)n, sizeof *in);
    if (!in) return wf_pend();
    for (int i = 0; i < n; i++) in[i] = arrays[i]->node;
    weft_status st = make(n, in, axis, &node);
    if (in != small) wf_free(in);
    return wf_array_give(arrays[0]->session, wf_arrays_name(st, n, arrays), node, site);
}

weft_array *weft_concat(int n, weft_array *const *arrays, int axis)
{
    bool flat = axis == WEFT_AXIS_NONE;
    return join("concat", flat ? concat_flat : concat, n, arrays, flat ? 0 : axis, SITE);
}

weft_array *weft_stack(int n, weft_array *const *arrays, int axis)
{
    return join("stack", wf_make_stack, n, arrays, axis, SITE);
}

// --- repetition and borders ---

weft_array *weft_tile(weft_array *x, int n, const int64_t *reps)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("tile", x)) return NULL;
    weft_status st = check_list("tile", "repetitions", n, reps);
    if (st == WEFT_OK) st = wf_make_tile(x->node, n, reps, &node);
    return wf_array_give(x->session, st, node, SITE);
}

weft_array *weft_repeat(weft_array *x, int64_t count, int axis)
{
    wf_node *node = NULL, *flat = NULL;
    if (!wf_array_is_usable("repeat", x)) return NULL;
    weft_status st = axis == WEFT_AXIS_NONE ? flatten(x->node, &flat) : WEFT_OK;
    if (st == WEFT_OK) st = wf_make_repeat(flat ? flat : x->node, count, flat ? 0 : axis, &node);
    wf_node_release(flat);
    return wf_array_give(x->session, st, node, SITE);
}

static weft_status pad(wf_node *x, int n, const int64_t *before, const int64_t *after,
                       const weft_pad_options *opts, wf_node **out)
{
    static const wf_pad_mode modes[] = { WF_PAD_CONSTANT, WF_PAD_EDGE, WF_PAD_REFLECT,
                                         WF_PAD_SYMMETRIC, WF_PAD_WRAP };
    int nd = x->shape.ndim, mode = opts ? opts->mode : WEFT_PAD_CONSTANT;
    int64_t front[WEFT_MAX_NDIM], behind[WEFT_MAX_NDIM];
    wf_node *fill;

    WF_TRY(WF_CHECK_TAIL("pad", opts));
    WF_TRY(check_list("pad", "widths", n, before));
    if (n != nd && n != 1)
        return wf_fail(WEFT_INVALID, "pad: expected 1 width or %d, one per axis, got %d", nd, n);
    if (mode < 0 || mode >= (int)(sizeof modes / sizeof *modes))
        return wf_fail(WEFT_INVALID, "pad: .mode must be one of WEFT_PAD_*, got %d", mode);
    for (int i = 0; i < nd; i++) {
        int k = n == 1 ? 0 : i;
        front[i] = before[k];
        behind[i] = (after ? after : before)[k];
    }
    WF_TRY(wf_scalar_f64("pad", (weft_dtype)x->dtype, opts ? opts->value : 0, &fill));
    weft_status st = wf_make_pad(x, front, behind, modes[mode], fill, out);
    wf_node_release(fill);
    return st;
}

weft_array *weft_pad(weft_array *x, int n, const int64_t *before, const int64_t *after,
                     const weft_pad_options *opts)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("pad", x)) return NULL;
    weft_status st = pad(x->node, n, before, after, opts, &node);
    return wf_array_give(x->session, st, node, SITE);
}

// --- blocks ---

static weft_status rechunk(weft_session *session, wf_node *x, int n, const int64_t *block,
                           wf_node **out)
{
    int64_t extent[WEFT_MAX_NDIM];
    wf_grid grid;

    WF_TRY(check_list("rechunk", "extents", n, block));
    if (n != x->shape.ndim)
        return wf_fail(WEFT_INVALID, "rechunk: expected %d extents, one per axis, got %d",
                       x->shape.ndim, n);
    for (int i = 0; i < n; i++) {
        if (block[i] < 1 && block[i] != -1)
            return wf_fail(
                WEFT_INVALID,
                "rechunk: block size on axis %d must be >= 1, or -1 for the whole axis, got %" PRId64,
                i, block[i]);
        extent[i] = block[i] == -1 ? (x->shape.dim[i] ? x->shape.dim[i] : 1) : block[i];
    }
    WF_TRY(wf_grid_init(&grid, &x->shape, extent));
    weft_status st = wf_leaf_recut(session, x, &grid, out);
    if (st == WEFT_OK && !*out) st = wf_make_rechunk(x, &grid, out);
    wf_grid_fini(&grid);
    return st;
}

weft_array *weft_rechunk(weft_array *x, int n, const int64_t *block)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("rechunk", x)) return NULL;
    weft_status st = rechunk(x->session, x->node, n, block, &node);
    return wf_array_give_view(x, st, node, SITE);
}
