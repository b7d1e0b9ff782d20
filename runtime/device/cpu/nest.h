// SPDX-License-Identifier: Apache-2.0
// nest - the loop nest of one launch: the extent of each axis, and how far each operand moves along
// it. Brought into the shape that runs fastest: no axis of extent 1, the unit strides innermost,
// axes that every operand walks as one merged. Plain values, filled by one thread; nothing fails.
#ifndef WF_CPU_NEST_H
#define WF_CPU_NEST_H

#include "array/program.h"

#define WF_NEST_AXES \
    (2 * WEFT_MAX_NDIM)      // a reduced axis is two: which cell, and where in the cell
#define WF_NEST_REDUCERS 16  // of one pass over a tile
// Operands: a program's inputs, then what it writes (outputs, or the fields of reducers), then the
// position of the arg forms.
#define WF_NEST_OPS (WF_PROGRAM_MAX_INPUTS + WF_NEST_REDUCERS * WF_REDUCE_MAX_FIELDS + 1)
_Static_assert(WF_NEST_REDUCERS *WF_REDUCE_MAX_FIELDS >= WF_PROGRAM_MAX_OUTPUTS,
               "outputs must fit");

typedef struct wf_nest {
    int ndim, nop;
    int64_t count[WF_NEST_AXES];
    // Bytes; units for counters and positions. By axis, so that a step is one loop.
    int64_t stride[WF_NEST_AXES][WF_NEST_OPS];
} wf_nest;

// A place in a nest: how far each operand has moved from where the tile begins, and the
// coordinates.
typedef struct wf_place {
    int64_t at[WF_NEST_OPS];
    int64_t coord[WF_NEST_AXES];
} wf_place;

// Removes axes of extent 1 among FIRST..END-1; returns the new END.
int wf_nest_drop_ones(wf_nest *nest, int first, int end);
// Orders axes FIRST..END-1 so that the operands' strides fall from outer to inner; operand LEAD
// decides first, then LEAD + 1, ..., then from 0. A stride of 0 decides nothing.
void wf_nest_sort(wf_nest *nest, int first, int end, int lead);
// Merges neighbours among axes FIRST..END-1 that every operand walks as one; returns the new END.
int wf_nest_merge(wf_nest *nest, int first, int end);
void wf_nest_move(wf_nest *nest, int from, int to);  // moves one axis; those between shift

int64_t wf_nest_size(const wf_nest *nest, int first, int end);  // product of extents

// Sets PLACE to the origin.
void wf_place_init(wf_place *place, const wf_nest *nest);
void wf_place_copy(wf_place *to, const wf_place *from, const wf_nest *nest);
// Moves STEPS along AXIS, which must stay within its extent.
static inline void wf_place_step(wf_place *place, const wf_nest *nest, int axis, int64_t steps)
{
    for (int op = 0; op < nest->nop; op++) place->at[op] += steps * nest->stride[axis][op];
    place->coord[axis] += steps;
}
// Steps to the next coordinate of axes FIRST..END-1 in C order. False once all are done; PLACE is
// back at the start of these axes then.
static inline bool wf_place_next(wf_place *place, const wf_nest *nest, int first, int end)
{
    for (int a = end - 1; a >= first; a--) {
        const int64_t *stride = nest->stride[a];
        if (++place->coord[a] < nest->count[a]) {
            for (int op = 0; op < nest->nop; op++) place->at[op] += stride[op];
            return true;
        }
        place->coord[a] = 0;
        for (int op = 0; op < nest->nop; op++) place->at[op] -= (nest->count[a] - 1) * stride[op];
    }
    return false;
}

#endif
