// SPDX-License-Identifier: Apache-2.0
// source - programs as CUDA text. The text holds no shape, no scalar and no pointer: it depends on
// the program and on how its operands are reached (the layout), which together are a kernel's key.
// The functions it calls are those of kernels/cuda. Plain functions; any thread may call.
#ifndef WF_CUDA_SOURCE_H
#define WF_CUDA_SOURCE_H

#include "device/cuda/nest.h"
#include "device/cuda/text.h"

// How an operand is reached along the innermost axis.
typedef enum wf_cuda_reach {
    WF_CUDA_UNIFORM,  // one value for the whole tile
    WF_CUDA_FIXED,    // one for the innermost axis
    WF_CUDA_VECTOR,   // neighbours, as one access (counters: by ones)
    WF_CUDA_UNIT,     // neighbours, but not aligned for that
    WF_CUDA_STRIDED,
    WF_CUDA_STAGED,  // neighbours along the axis before: through a tile in shared memory
} wf_cuda_reach;

// Axis 0 is the outermost, NDIM - 1 the innermost; there is at least one.
typedef struct wf_cuda_layout {
    int ndim;
    bool wide;           // coordinates or strides need 64 bits
    int vector, unroll;  // neighbours a thread takes at once; how many such groups in flight
    // A block takes a tile of the two innermost axes: 8 * UNROLL rows of 32 * VECTOR elements.
    bool tiled;
    uint8_t reach[WF_CUDA_OPERANDS];   // wf_cuda_reach
    uint32_t walks[WF_CUDA_OPERANDS];  // bit a: moves along axis a
} wf_cuda_layout;

// The kernel's name says what it does; its argument is what the text declares as `arguments`.
typedef struct wf_cuda_source {
    wf_cuda_text text;
    char name[80];
} wf_cuda_source;

void wf_cuda_source_fini(wf_cuda_source *source);

// A kernel that computes and stores every element. Its arguments, in words of 8 bytes:
//   two per parameter; ten per seed (round_keys of random.cuh); groups (of VECTOR elements along the
//   innermost axis), the innermost extent;
//   the dividers of the groups in a row and of axes ndim-2 .. 1, if ndim > 1; then per operand,
//   inputs first, its address or origin, and its stride along each axis that it walks, from axis 0
//   on, but for the innermost one of VECTOR and UNIT.
// Where TILED:
//   tiles instead of groups, the innermost extent, the one before; the dividers by tiles in a row
//   and by rows of tiles, then of axes ndim-3 .. 1; the operands.
// A divider (axis32 of walk.cuh) is two words; four where WIDE.
weft_status wf_cuda_map_source(const wf_program *program, const wf_cuda_layout *layout,
                               wf_cuda_source *out) WEFT_WARN_UNUSED;

// How the tile of a reduction is reached: axes 0 .. NKEPT-1 are the cells', the rest the elements'
// inside a cell, in C order; at least one of each. Operands: inputs, then the fields of all
// reducers, then, where an arg form is among these, positions. VECTOR is 1.
typedef struct wf_cuda_reduction {
    wf_cuda_layout layout;
    int nkept, nreducer;
    bool inner;  // a cell is a row; else a column
    int width;   // rows of at most so many elements, up to 16, are a thread's each; 32: a warp's
    bool team;   // a block's warps share a row
    bool whole;  // a piece's elements are written out, so that lanes keep them in registers
    // Rows of which some input's neighbours lie along the last kept axis: a block takes 8 * UNROLL
    // rows that are neighbours along that axis, and such inputs come through tiles in shared
    // memory.
    bool turned;
    // The program's values are the fields of partial results of reducer 0, which are combined one
    // after another; INNER: by a warp.
    bool combines;
    struct {
        uint8_t op, dtype;
        int16_t output;
    } reducer[WF_CUDA_REDUCERS];
} wf_cuda_reduction;

// Longer rows are refused.
#define WF_CUDA_LONGEST_ROW (1024 * WF_STRIP)

int wf_cuda_fields(int op);  // of its partial results
bool wf_cuda_is_arg(int op);
bool wf_cuda_is_reducible(int op, int dtype);

// A kernel that reduces a box of equal cells. Its arguments, in words of 8 bytes: two per
// parameter; ten per seed; cells, elements of one; dividers of axes nkept-1 .. 1 and ndim-1 ..
// nkept+1; operands as above. Where TURNED: blocks instead of cells, elements of a cell, the extent
// of axis nkept-1; the divider by blocks along that axis, dividers of axes nkept-2 .. 1 and ndim-1
// .. nkept+1; operands.
weft_status wf_cuda_reduce_source(const wf_program *program, const wf_cuda_reduction *reduction,
                                  wf_cuda_source *out) WEFT_WARN_UNUSED;

// What both kinds of kernel share. "f32"
const char *wf_cuda_type_name(int dtype);
int wf_cuda_item(int dtype);   // bytes
char wf_cuda_kind(int dtype);  // as in types.h
// The next instruction after *V that brings a random generator's seed, param[index]; start with -1.
bool wf_cuda_next_seed(const wf_program *program, int *v);
bool wf_cuda_reads(const wf_instr *instr);  // an operand: LOAD and COUNTER
// Elementary operations a value costs, about: what unrolling multiplies.
int wf_cuda_weight(const wf_program *program);

#endif
