// SPDX-License-Identifier: Apache-2.0
// writer - the parts of generated text that all kernels of programs share: operands, places, loads,
// and the program itself, one line per instruction. Used by one thread.
#ifndef WF_CUDA_WRITER_H
#define WF_CUDA_WRITER_H

#include "device/cuda/source.h"

typedef struct wf_cuda_writer {
    wf_cuda_text *text;
    const wf_program *p;
    const wf_cuda_layout *layout;
    int nop;       // inputs, then what is written, then the positions of arg reductions
    int position;  // that operand's number; -1: there is none
    bool uniform[WF_PROGRAM_MAX_INSTRS];
    bool in_rows;  // lanes hold neighbours, U times in a row: random numbers are a warp's work
} wf_cuda_writer;

// Text is added by ADD(...), of a writer named w.
#define ADD(...) wf_cuda_text_add(w->text, __VA_ARGS__)

// Sets up W for PROGRAM over LAYOUT, to write at the end of TEXT.
void wf_cuda_writer_init(wf_cuda_writer *w, wf_cuda_text *text, const wf_program *program,
                         const wf_cuda_layout *layout, int nwritten, bool positions);

// "in0", "out1", "position"
const char *wf_cuda_operand_name(const wf_cuda_writer *w, int op, char out[16]);

// The headers of what the program's instructions call.
void wf_cuda_write_includes(const wf_cuda_writer *w);
// The members of `arguments` for parameters, and for all operands.
void wf_cuda_write_params(const wf_cuda_writer *w);
void wf_cuda_write_operands(const wf_cuda_writer *w);
// The coordinates along axes FIRST..END-1 of number FROM: "c2", "c1", .. as constants.
void wf_cuda_write_coordinates(const wf_cuda_writer *w, const char *from, int first, int end);
// "START + distance(c0, A.in0_0) + ..": how far coordinates FIRST..END-1 take operand OP.
void wf_cuda_write_distance(const wf_cuda_writer *w, int op, const char *start, int first, int end);

// Whether some instruction that is not uniform loads input OP.
bool wf_cuda_is_loaded(const wf_cuda_writer *w, int op);
// The uniform values, before any loop.
void wf_cuda_write_uniform(const wf_cuda_writer *w);
// The buffers of the U groups that are in flight; loading group u, wherever at[u] is; the program's
// values for element e of group u. INDENT stands before each line.
void wf_cuda_write_buffers(const wf_cuda_writer *w, const char *indent);
void wf_cuda_write_loads(const wf_cuda_writer *w, const char *indent);
void wf_cuda_write_values(const wf_cuda_writer *w, const char *indent);
// Where IN_ROWS: shared memory for random numbers, and making them for all U groups at once, after the
// loads of each.
void wf_cuda_write_rooms(const wf_cuda_writer *w);
void wf_cuda_write_random_rows(const wf_cuda_writer *w, const char *indent);
// Loads (or stores) of group u, a whole one or what is left of it.
void wf_cuda_write_groups(const wf_cuda_writer *w, bool load, const char *indent);

// "map_multiply_add": START and the first operations of the program.
void wf_cuda_name_kernel(const wf_program *program, const char *start, wf_cuda_source *out);
weft_status wf_cuda_finish_source(wf_cuda_source *out);

#endif
