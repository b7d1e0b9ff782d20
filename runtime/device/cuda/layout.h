// SPDX-License-Identifier: Apache-2.0
// layout - how the operands of a launch are reached: what, beside the program, a kernel's text
// depends on. Shapes matter only in so far as they say how wide accesses may be. Plain functions.
#ifndef WF_CUDA_LAYOUT_H
#define WF_CUDA_LAYOUT_H

#include "device/cuda/module.h"
#include "device/cuda/pack.h"
#include "device/cuda/source.h"

enum { WF_CUDA_WARPS = WF_CUDA_THREADS / 32 };  // of a block

// May change the order of NEST's axes.
void wf_cuda_layout_of_map(wf_cuda_layout *layout, wf_cuda_nest *nest, const wf_program *program);
// What operand OP of DTYPE (0: a counter) moves along, and how along the innermost axis, for groups
// of VECTOR.
void wf_cuda_layout_reach(wf_cuda_layout *layout, const wf_cuda_nest *nest, int op, int dtype);
uint64_t wf_cuda_layout_hash(const wf_cuda_layout *layout, int nop);

// Whether extents, GROUPS or strides need 64 bits.
bool wf_cuda_is_wide(const wf_cuda_nest *nest, int64_t groups);
// Address or origin, then strides, as the text declares them.
void wf_cuda_pack_operand(wf_cuda_pack *pack, const wf_cuda_nest *nest,
                          const wf_cuda_layout *layout, int op);
// Empty, with the room that kernels on DEVICE have for arguments.
void wf_cuda_pack_init(wf_cuda_pack *pack, const weft_device *device);
weft_status wf_cuda_too_long(const wf_cuda_pack *pack);

// Blocks for NEEDED blocks' worth of work: the rest is done in turns.
int64_t wf_cuda_blocks(const weft_device *device, int64_t needed);

#endif
