// SPDX-License-Identifier: Apache-2.0
// shape - extents, boxes and grids.
#include "array/shape.h"

#include <stdio.h>
#include <string.h>

weft_status wf_shape_init(wf_shape *shape, const char *where, int ndim, const int64_t *dim)
{
    if (ndim < 0 || ndim > WEFT_MAX_NDIM)
        return wf_fail(WEFT_INVALID, "%s: number of axes must be 0..%d, got %d", where,
                       WEFT_MAX_NDIM, ndim);
    if (ndim > 0 && dim == NULL) return wf_fail(WEFT_INVALID, "%s: shape is NULL", where);

    wf_shape s = { .ndim = ndim };
    int64_t size = 1;
    for (int i = 0; i < ndim; i++) {
        if (dim[i] < 0)
            return wf_fail(WEFT_INVALID, "%s: extent of axis %d must be >= 0, got %" PRId64, where,
                           i, dim[i]);
        s.dim[i] = dim[i];
    }
    // Zeros are passed over, as NumPy does: strides and grids multiply the other extents of an empty array too.
    for (int i = 0; i < ndim; i++)
        if (dim[i] != 0 && (__builtin_mul_overflow(size, dim[i], &size) || size > INT64_MAX / 16))
            return wf_fail(WEFT_OVERFLOW, "%s: the number of elements does not fit in 64 bits",
                           where);
    *shape = s;
    return WEFT_OK;
}

int64_t wf_shape_size(const wf_shape *shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape->ndim; i++)
        if (shape->dim[i] == 0) return 0;
    for (int i = 0; i < shape->ndim; i++) n *= shape->dim[i];
    return n;
}

bool wf_shape_equal(const wf_shape *a, const wf_shape *b)
{
    return a->ndim == b->ndim && memcmp(a->dim, b->dim, (size_t)a->ndim * sizeof a->dim[0]) == 0;
}

const char *wf_shape_text(const wf_shape *shape, char *text)
{
    size_t at = 0;
    at += (size_t)snprintf(text + at, 512 - at, "(");
    for (int i = 0; i < shape->ndim; i++)
        at += (size_t)snprintf(text + at, 512 - at, "%s%" PRId64, i ? ", " : "", shape->dim[i]);
    snprintf(text + at, 512 - at, shape->ndim == 1 ? ",)" : ")");
    return text;
}

weft_status wf_shape_broadcast(const char *where, const wf_shape *a, const wf_shape *b,
                               wf_shape *out)
{
    wf_shape s = { .ndim = a->ndim > b->ndim ? a->ndim : b->ndim };
    for (int i = 0; i < s.ndim; i++) {
        int ia = i - (s.ndim - a->ndim), ib = i - (s.ndim - b->ndim);
        int64_t da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];
        if (da != db && da != 1 && db != 1) {
            char ta[512], tb[512];
            int axis = a->ndim == b->ndim ? i : i - s.ndim;  // one that counts alike in both
            return wf_fail(WEFT_INVALID,
                           "%s: shapes %s and %s do not broadcast: axis %d has %" PRId64
                           " and %" PRId64,
                           where, wf_shape_text(a, ta), wf_shape_text(b, tb), axis, da, db);
        }
        s.dim[i] = da == 1 ? db : da;
    }
    return wf_shape_init(out, where, s.ndim, s.dim);
}

weft_status wf_axis_normalize(const char *where, int axis, int ndim, int *out)
{
    if (axis < -ndim || axis >= ndim)
        return wf_fail(WEFT_INVALID, "%s: axis %d is out of bounds for an array of %d ax%s", where,
                       axis, ndim, ndim == 1 ? "is" : "es");
    *out = axis < 0 ? axis + ndim : axis;
    return WEFT_OK;
}

wf_box wf_box_whole(const wf_shape *shape)
{
    wf_box box = { .ndim = shape->ndim };
    memcpy(box.count, shape->dim, (size_t)shape->ndim * sizeof box.count[0]);
    return box;
}

int64_t wf_box_size(const wf_box *box)
{
    int64_t n = 1;
    for (int i = 0; i < box->ndim; i++) n *= box->count[i];
    return n;
}

bool wf_box_intersect(const wf_box *a, const wf_box *b, wf_box *out)
{
    wf_box r = { .ndim = a->ndim };
    for (int i = 0; i < a->ndim; i++) {
        int64_t lo = a->start[i] > b->start[i] ? a->start[i] : b->start[i];
        int64_t ea = a->start[i] + a->count[i], eb = b->start[i] + b->count[i];
        int64_t hi = ea < eb ? ea : eb;
        if (hi <= lo) return false;
        r.start[i] = lo;
        r.count[i] = hi - lo;
    }
    *out = r;
    return true;
}

bool wf_box_contains(const wf_box *outer, const wf_box *inner)
{
    for (int i = 0; i < outer->ndim; i++)
        if (inner->start[i] < outer->start[i] ||
            inner->start[i] + inner->count[i] > outer->start[i] + outer->count[i])
            return false;
    return true;
}

weft_status wf_grid_init(wf_grid *grid, const wf_shape *shape, const int64_t *block)
{
    wf_grid g = { .ndim = shape->ndim };
    for (int i = 0; i < shape->ndim; i++) {
        if (block[i] < 1)
            return wf_fail(WEFT_INVALID, "grid: block size on axis %d must be >= 1, got %" PRId64,
                           i, block[i]);
        int64_t dim = shape->dim[i], extent = block[i] < dim ? block[i] : dim;
        g.axis[i] = (wf_grid_axis){ .dim = dim, .extent = extent > 0 ? extent : 1 };
        g.axis[i].nblock = dim == 0 ? 0 : (dim - 1) / extent + 1;
    }
    *grid = g;
    return WEFT_OK;
}

weft_status wf_grid_set_axis(wf_grid *grid, int axis, int64_t n, const int64_t *extents)
{
    wf_grid_axis *a = &grid->axis[axis];
    int64_t total = 0;
    bool regular = true;
    for (int64_t i = 0; i < n; i++) {
        if (extents[i] < 1)
            return wf_fail(WEFT_INVALID, "grid: block size on axis %d must be >= 1, got %" PRId64,
                           axis, extents[i]);
        if (__builtin_add_overflow(total, extents[i], &total)) break;
        regular &= i == n - 1 ? extents[i] <= extents[0] : extents[i] == extents[0];
    }
    if (total != a->dim)
        return wf_fail(WEFT_INVALID,
                       "grid: block sizes on axis %d must add up to %" PRId64 ", got %" PRId64,
                       axis, a->dim, total);

    wf_cuts *cuts = NULL;
    if (!regular) {
        cuts = wf_alloc(sizeof *cuts + (size_t)(n + 1) * sizeof cuts->edge[0]);
        if (!cuts) return WEFT_NO_MEMORY;
        cuts->refs = 1;
        for (int64_t i = 0; i < n; i++) cuts->edge[i + 1] = cuts->edge[i] + extents[i];
    }
    if (a->cuts && __atomic_sub_fetch(&a->cuts->refs, 1, __ATOMIC_ACQ_REL) == 0) wf_free(a->cuts);
    *a = (wf_grid_axis){
        .dim = a->dim, .nblock = n, .extent = regular ? (n ? extents[0] : 1) : 0, .cuts = cuts
    };
    return WEFT_OK;
}

// Grows a block from the last axis toward the first: rows stay contiguous as long as they fit, and what does not fit whole is cut.
void wf_grid_auto(wf_grid *grid, const wf_shape *shape, size_t item, int64_t target_bytes)
{
    int64_t room = target_bytes / (int64_t)item;
    int64_t block[WEFT_MAX_NDIM];
    if (room < 1) room = 1;
    // A block that is long along the last axis only would be a sliver when the array is walked the other way: where there are two
    // large axes, share the room between the last two.
    int nd = shape->ndim;
    for (int i = nd - 1; i >= 0; i--) {
        int64_t dim = shape->dim[i] > 0 ? shape->dim[i] : 1, want = dim;
        if (dim > room) want = room;
        block[i] = want;
        room /= want;
        if (room < 1) room = 1;
    }
    wf_grid g = { .ndim = nd };
    for (int i = 0; i < nd; i++) {
        int64_t dim = shape->dim[i];
        // Even out: as many blocks as needed, all nearly the same size, on a multiple of 64 where they are large.
        int64_t n = dim == 0 ? 0 : (dim - 1) / block[i] + 1;
        int64_t extent = n <= 1 ? dim : (dim - 1) / n + 1;
        if (extent > 512) extent = (extent + 63) / 64 * 64;
        if (extent > block[i] && n > 1) extent = block[i];
        if (extent < 1) extent = 1;
        g.axis[i] = (wf_grid_axis){ .dim = dim,
                                    .extent = extent,
                                    .nblock = dim == 0 ? 0 : (dim - 1) / extent + 1 };
    }
    *grid = g;
}

wf_grid wf_grid_share(const wf_grid *grid)
{
    for (int i = 0; i < grid->ndim; i++)
        if (grid->axis[i].cuts) __atomic_add_fetch(&grid->axis[i].cuts->refs, 1, __ATOMIC_RELAXED);
    return *grid;
}

void wf_grid_fini(wf_grid *grid)
{
    for (int i = 0; i < grid->ndim; i++) {
        wf_cuts *cuts = grid->axis[i].cuts;
        if (cuts && __atomic_sub_fetch(&cuts->refs, 1, __ATOMIC_ACQ_REL) == 0) wf_free(cuts);
    }
    memset(grid, 0, sizeof *grid);
}

int64_t wf_grid_nblock(const wf_grid *grid)
{
    int64_t n = 1;
    for (int i = 0; i < grid->ndim; i++) n *= grid->axis[i].nblock;
    return n;
}

bool wf_grid_equal(const wf_grid *a, const wf_grid *b)
{
    if (a->ndim != b->ndim) return false;
    for (int i = 0; i < a->ndim; i++) {
        const wf_grid_axis *x = &a->axis[i], *y = &b->axis[i];
        if (x->dim != y->dim || x->nblock != y->nblock) return false;
        if (x->nblock <= 1) continue;
        if (x->extent != y->extent) return false;
        if (x->cuts != y->cuts && memcmp(x->cuts->edge, y->cuts->edge,
                                         (size_t)(x->nblock + 1) * sizeof x->cuts->edge[0]) != 0)
            return false;
    }
    return true;
}

wf_shape wf_grid_shape(const wf_grid *grid)
{
    wf_shape s = { .ndim = grid->ndim };
    for (int i = 0; i < grid->ndim; i++) s.dim[i] = grid->axis[i].dim;
    return s;
}

int64_t wf_grid_max_block(const wf_grid *grid)
{
    int64_t n = 1;
    for (int i = 0; i < grid->ndim; i++) {
        const wf_grid_axis *a = &grid->axis[i];
        int64_t largest = a->cuts ? 0 : (a->extent < a->dim ? a->extent : a->dim);
        for (int64_t b = 0; a->cuts && b < a->nblock; b++) {
            int64_t e = a->cuts->edge[b + 1] - a->cuts->edge[b];
            if (e > largest) largest = e;
        }
        n *= largest;
    }
    return n;
}

int64_t wf_axis_start(const wf_grid_axis *axis, int64_t block)
{
    if (axis->cuts) return axis->cuts->edge[block];
    return block < axis->nblock ? block * axis->extent
                                : axis->dim;  // the product would not always fit
}

int64_t wf_axis_find(const wf_grid_axis *axis, int64_t element)
{
    if (!axis->cuts) return element / axis->extent;
    int64_t lo = 0, hi = axis->nblock;  // edge[lo] <= element < edge[hi]
    while (hi - lo > 1) {
        int64_t mid = lo + (hi - lo) / 2;
        if (axis->cuts->edge[mid] <= element) lo = mid;
        else hi = mid;
    }
    return lo;
}

void wf_grid_coord(const wf_grid *grid, int64_t index, int64_t *coord)
{
    for (int i = grid->ndim - 1; i >= 0; i--) {
        int64_t n = grid->axis[i].nblock;
        coord[i] = index % n;
        index /= n;
    }
}

int64_t wf_grid_index(const wf_grid *grid, const int64_t *coord)
{
    int64_t index = 0;
    for (int i = 0; i < grid->ndim; i++) index = index * grid->axis[i].nblock + coord[i];
    return index;
}

void wf_grid_box(const wf_grid *grid, int64_t index, wf_box *out)
{
    int64_t coord[WEFT_MAX_NDIM];
    wf_grid_coord(grid, index, coord);
    out->ndim = grid->ndim;
    for (int i = 0; i < grid->ndim; i++) {
        out->start[i] = wf_axis_start(&grid->axis[i], coord[i]);
        out->count[i] = wf_axis_start(&grid->axis[i], coord[i] + 1) - out->start[i];
    }
}
