// SPDX-License-Identifier: Apache-2.0
// reduce - what the two ways of reducing a tile share: a box of whole cells of equal size, and its
// reducers. The tile is cut into such boxes (the short last cells of an axis make boxes of their
// own), in which the number of the cell is one more kept axis. Used by one thread.
#ifndef WF_CPU_REDUCE_H
#define WF_CPU_REDUCE_H

#include "array/dtype.h"
#include "device/cpu/cpu.h"
#include "device/cpu/eval.h"
#include "device/cpu/scratch.h"

#define WF_REDUCE_BLOCK \
    (256 << 10)  // bytes that several reducers read one after another: half of a small L2

typedef struct wf_cell_reducer {
    wf_reduce_kernels kernel;
    bool arg, moments;
    int sink, nfield;
    int op[WF_REDUCE_MAX_FIELDS];          // of the nest
    int item, size[WF_REDUCE_MAX_FIELDS];  // bytes of an element, of each field
    const wf_operand *field;               // of the tile
    char *cell[WF_REDUCE_MAX_FIELDS];      // of the box: the first cell's results
    char *acc[WF_REDUCE_MAX_FIELDS];       // partial results: WF_STRIP of each
    char *part[WF_REDUCE_MAX_FIELDS];      // the next ones, to be combined
} wf_cell_reducer;

typedef struct wf_cells {
    const wf_kernel_table *table;
    const wf_reduce_launch *launch;
    wf_nest nest;  // kept axes, then reduced ones
    int nkept;
    int position_op;   // its strides are positions
    int64_t position;  // of the box's first element
    bool has_arg;
    int nreducer;
    wf_cell_reducer reducer[WF_NEST_REDUCERS];
    wf_eval eval;
} wf_cells;

// Reduces one box. The first takes the reduced elements of a cell as a row, the second each kept
// column by itself.
weft_status wf_cells_reduce_rows(wf_cells *cells) WEFT_WARN_UNUSED;
weft_status wf_cells_reduce_cols(wf_cells *cells) WEFT_WARN_UNUSED;

// For both: memory is laid out twice, first to know its size (BASE is NULL).
typedef struct wf_layout {
    char *base;
    size_t used;
} wf_layout;
static inline char *wf_layout_take(wf_layout *l, int64_t bytes)
{
    char *p = l->base ? l->base + l->used : NULL;
    l->used += (size_t)(bytes + 63) / 64 * 64 + 128;
    return p;
}

// Whether every reducer consumes inputs as they lie in memory; ops[k]: which one.
bool wf_cells_are_loads(const wf_cells *cells, int *ops);
// Room for WF_STRIP partial results, twice, per reducer.
void wf_cells_place_parts(wf_cells *cells, wf_layout *l);
// Writes N partial results of reducer R, PARTS[f], to cells START.. of axes FIRST..END-1 at PLACE.
void wf_cells_write(const wf_cells *cells, const wf_cell_reducer *r, const wf_place *place,
                    int first, int end, int64_t start, int64_t n, char *const *parts);

#endif
