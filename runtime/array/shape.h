// SPDX-License-Identifier: Apache-2.0
// shape - extents of arrays, boxes inside them, and grids that cut them into blocks. Plain values; no locking.
#ifndef WF_ARRAY_SHAPE_H
#define WF_ARRAY_SHAPE_H

#include "base/alloc.h"

typedef struct wf_shape {
    int ndim;
    int64_t dim[WEFT_MAX_NDIM];
} wf_shape;

// Checks ndim (0..16), that no extent is negative and that the element count times 16 bytes fits in int64.
// WHERE begins the error's sentence. Errors: WEFT_INVALID, WEFT_OVERFLOW.
weft_status wf_shape_init(wf_shape *shape, const char *where, int ndim,
                          const int64_t *dim) WEFT_WARN_UNUSED;
int64_t wf_shape_size(const wf_shape *shape);  // elements; 1 for 0-d
bool wf_shape_equal(const wf_shape *a, const wf_shape *b);
// NumPy broadcasting. WEFT_INVALID: "add: shapes (3, 4) and (5,) do not broadcast: axis -1 has 4
// and 5".
weft_status wf_shape_broadcast(const char *where, const wf_shape *a, const wf_shape *b,
                               wf_shape *out) WEFT_WARN_UNUSED;
// Writes "(3, 4)", "(5,)", "()" into TEXT (at least 512 bytes) and returns it.
const char *wf_shape_text(const wf_shape *shape, char *text);
// AXIS in -ndim..ndim-1 to 0..ndim-1. WEFT_INVALID: "sum: axis 3 is out of bounds for an array of 2 axes".
weft_status wf_axis_normalize(const char *where, int axis, int ndim, int *out) WEFT_WARN_UNUSED;

// A box of elements. An empty box has some count 0.
typedef struct wf_box {
    int ndim;
    int64_t start[WEFT_MAX_NDIM], count[WEFT_MAX_NDIM];
} wf_box;

wf_box wf_box_whole(const wf_shape *shape);
int64_t wf_box_size(const wf_box *box);
bool wf_box_intersect(const wf_box *a, const wf_box *b, wf_box *out);  // false when empty
bool wf_box_contains(const wf_box *outer, const wf_box *inner);
static inline bool wf_box_equal(const wf_box *a, const wf_box *b)
{
    for (int i = 0; i < a->ndim; i++)
        if (a->start[i] != b->start[i] || a->count[i] != b->count[i]) return false;
    return a->ndim == b->ndim;
}

// How one axis is cut: extents all EXTENT but the last, or an explicit list of edges. Shared, counted, immutable when explicit.
typedef struct wf_cuts wf_cuts;
struct wf_cuts {
    int64_t refs;
    int64_t edge[];  // nblocks + 1 edges, from 0 to dim
};

typedef struct wf_grid_axis {
    int64_t dim;     // elements
    int64_t nblock;  // blocks; 0 when dim is 0
    int64_t extent;  // regular: elements per block (the last may be short); 0 when irregular
    wf_cuts *cuts;   // irregular only
} wf_grid_axis;

typedef struct wf_grid {
    int ndim;
    wf_grid_axis axis[WEFT_MAX_NDIM];
} wf_grid;

// Cuts SHAPE into blocks of BLOCK elements per axis (clipped to the shape; must be >= 1). Errors as in the style guide:
// WEFT_INVALID "grid: block size on axis 1 must be >= 1, got 0".
weft_status wf_grid_init(wf_grid *grid, const wf_shape *shape,
                         const int64_t *block) WEFT_WARN_UNUSED;
// Makes AXIS irregular: N extents that must add up to its dim. Errors: WEFT_INVALID, WEFT_NO_MEMORY.
weft_status wf_grid_set_axis(wf_grid *grid, int axis, int64_t n,
                             const int64_t *extents) WEFT_WARN_UNUSED;
// Blocks of at most TARGET_BYTES, near-square, C order preferred: grows from the last axis; ITEM bytes per element.
void wf_grid_auto(wf_grid *grid, const wf_shape *shape, size_t item, int64_t target_bytes);
wf_grid wf_grid_share(const wf_grid *grid);   // shares irregular axes; wf_grid_fini it
void wf_grid_fini(wf_grid *grid);             // accepts a zeroed grid
int64_t wf_grid_nblock(const wf_grid *grid);  // product over axes; 1 for 0-d
bool wf_grid_equal(const wf_grid *a, const wf_grid *b);
wf_shape wf_grid_shape(const wf_grid *grid);
int64_t wf_grid_max_block(const wf_grid *grid);  // elements of the largest block

int64_t wf_axis_start(const wf_grid_axis *axis,
                      int64_t block);  // first element; block may equal nblock (gives dim)
int64_t wf_axis_find(const wf_grid_axis *axis,
                     int64_t element);  // block that holds element (0 <= element < dim)
void wf_grid_coord(const wf_grid *grid, int64_t index, int64_t *coord);  // C order
int64_t wf_grid_index(const wf_grid *grid, const int64_t *coord);
void wf_grid_box(const wf_grid *grid, int64_t index, wf_box *out);

#endif
