// SPDX-License-Identifier: Apache-2.0
// program - a fused chain of elementwise operations in SSA form: what one kernel does to every element of a tile.
// What it is made of, and how it is launched, stands in weft/program.h. This is how one is built, checked and printed.
// Immutable once built; any thread may read it.
#ifndef WF_ARRAY_PROGRAM_H
#define WF_ARRAY_PROGRAM_H

#include "base/alloc.h"
#include "weft/program.h"

// Building. A builder shares equal instructions as they are added (value numbering).
typedef struct wf_program_builder wf_program_builder;
weft_status wf_program_builder_create(wf_program_builder **out) WEFT_WARN_UNUSED;
void wf_program_builder_destroy(wf_program_builder *builder);  // accepts NULL
// Each returns the instruction's number, or -1 after recording an error (limits, memory).
int wf_program_add_input(wf_program_builder *builder, bool counter,
                         weft_dtype dtype);                     // returns the operand's number
int wf_program_add_param(wf_program_builder *builder);          // returns the parameter's number
int wf_program_load(wf_program_builder *builder, int operand);  // LOAD or COUNTER
int wf_program_param(wf_program_builder *builder, int param, weft_dtype dtype);
int wf_program_random(wf_program_builder *builder, wf_instr_kind kind, weft_dtype dtype,
                      int counter_value, int first_param);
int wf_program_cast(wf_program_builder *builder, int value,
                    weft_dtype to);  // 16-bit TO: cast to float32, then ROUND16
int wf_program_map(wf_program_builder *builder, wf_op op, weft_dtype dtype,
                   const int *args);  // computed in DTYPE; args have it
                                      // (WHERE: arg 0 is bool). 16-bit: float32 + ROUND16
weft_dtype wf_program_value_dtype(const wf_program_builder *builder, int value);
int wf_program_counts(const wf_program_builder *builder, int *ninput,
                      int *noutput);  // returns instructions so far
weft_status wf_program_store(wf_program_builder *builder, int value,
                             weft_dtype storage) WEFT_WARN_UNUSED;  // adds an output
// Drops instructions that no output needs, assigns registers, hashes. The builder is spent.
weft_status wf_program_build(wf_program_builder *builder, wf_program **out) WEFT_WARN_UNUSED;
void wf_program_destroy(wf_program *program);  // accepts NULL
// One line per instruction: "%3 = add.f64 %1, %2".
struct wf_text;
void wf_program_print(const wf_program *program, struct wf_text *text);

// The dtype rules of op.def: what OP computes in and returns for operands of dtypes IN. Fails with WEFT_INVALID:
// "sqrt: bool is ..." / "less: complex64 has no order". For 16-bit floats *compute is the 16-bit dtype.
weft_status wf_op_types(wf_op op, const weft_dtype *in, weft_dtype *compute,
                        weft_dtype *result) WEFT_WARN_UNUSED;
const char *wf_op_name(wf_op op);
int wf_op_arity(wf_op op);
int wf_op_cost(wf_op op);
bool wf_op_find(const char *name, wf_op *out);

#endif
