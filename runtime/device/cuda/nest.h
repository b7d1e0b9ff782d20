// SPDX-License-Identifier: Apache-2.0
// nest - the axes of one launch, brought into the fewest: none of extent 1, none that the first
// output walks backward, neighbours merged where every operand walks them as one. Plain values,
// filled by one thread; nothing fails.
#ifndef WF_CUDA_NEST_H
#define WF_CUDA_NEST_H

#include "weft/program.h"

// A reduced axis is two: which cell, and where in the cell.
#define WF_CUDA_AXES (2 * WEFT_MAX_NDIM)
// Reducers of one kernel; more take several.
#define WF_CUDA_REDUCERS 16
// A program's inputs, then what it writes: its outputs, or the fields of reducers.
#define WF_CUDA_OPERANDS (WF_PROGRAM_MAX_INPUTS + WF_CUDA_REDUCERS * WF_REDUCE_MAX_FIELDS + 1)

// An operand at the nest's first element: an address, or a counter's value.
typedef struct wf_cuda_place {
    char *data;
    int64_t origin;
} wf_cuda_place;

typedef struct wf_cuda_nest {
    int ndim, nop;
    int64_t count[WF_CUDA_AXES];                     // axis 0 is the outermost
    int64_t stride[WF_CUDA_AXES][WF_CUDA_OPERANDS];  // bytes; units for counters
    wf_cuda_place place[WF_CUDA_OPERANDS];
} wf_cuda_nest;

void wf_cuda_nest_add(wf_cuda_nest *nest, int64_t count);  // an innermost axis, all strides 0
// Among axes FIRST..END-1; each returns the new END.
int wf_cuda_nest_drop_ones(wf_cuda_nest *nest, int first, int end);
int wf_cuda_nest_merge(wf_cuda_nest *nest, int first, int end);
void wf_cuda_nest_move(wf_cuda_nest *nest, int from, int to);  // one axis; those between shift
// Turns the axes round that operand LEAD walks backward.
void wf_cuda_nest_flip(wf_cuda_nest *nest, int first, int end, int lead);
// Orders axes so that strides fall from outer to inner; operand LEAD decides first, then the next
// ones. A stride of 0 decides nothing.
void wf_cuda_nest_sort(wf_cuda_nest *nest, int first, int end, int lead);

#endif
