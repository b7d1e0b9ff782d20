// SPDX-License-Identifier: Apache-2.0
// program - a fused chain of elementwise operations in SSA form: what one kernel does to every element of a tile.
// It holds no shape, no pointer and no scalar value: those are bound at launch, so one program serves every block and every
// turn of a solver, and a GPU kernel made from it can be cached. Immutable once built; any thread may read it.
#ifndef WF_ARRAY_PROGRAM_H
#define WF_ARRAY_PROGRAM_H

#include "base/alloc.h"
#include "kernel.h"

// One scalar value, as bits of its dtype in the first bytes (little endian host layout).
typedef union wf_scalar {
    bool b;
    int64_t i;
    uint64_t u;
    float f32;
    double f64;
    float c64[2];
    double c128[2];
    unsigned char bytes[16];
} wf_scalar;

typedef enum wf_instr_kind {
    WF_INSTR_LOAD,  // element of memory operand `index`, converted: value dtype is the operand's, 16-bit floats become float32
    WF_INSTR_PARAM,    // scalar parameter `index`, of dtype `dtype` (never a 16-bit float)
    WF_INSTR_COUNTER,  // int64 value of counter operand `index`: origin + sum of coordinate * stride
    WF_INSTR_UNIFORM,  // random: arg[0] is a COUNTER instruction (element index); params index..index+1: seed, stream (uint64)
    WF_INSTR_NORMAL,   //   dtype float32 or float64
    WF_INSTR_INTEGERS,  //   params index..index+3: seed, stream, low, span (uint64); dtype int64
    WF_INSTR_MAP,       // wf_op `op` computed in `dtype` on arg[0..arity-1]
    WF_INSTR_CAST,      // arg[0] converted to `dtype`
    WF_INSTR_ROUND16,  // arg[0] (float32) rounded to the precision of `from` (FLOAT16 or BFLOAT16), still float32
} wf_instr_kind;

typedef struct wf_instr {
    uint8_t kind;   // wf_instr_kind
    uint8_t dtype;  // MAP: the dtype computed in; else the dtype of the value. Never a 16-bit float
    uint8_t from;   // ROUND16: the 16-bit format
    uint8_t
        result;  // dtype of the value made (MAP comparisons: bool; ABS of complex: real). Never a 16-bit float
    uint16_t op;     // wf_op, for MAP
    int16_t index;   // operand or parameter number
    int16_t arg[3];  // earlier instructions
} wf_instr;

typedef struct wf_program_output {
    int16_t value;  // the instruction stored
    uint8_t dtype;  // storage dtype: the value's, or a 16-bit float for a float32 value
} wf_program_output;

typedef struct wf_program_input {
    uint8_t counter;  // 1: a counter operand, no memory
    uint8_t dtype;    // storage dtype of a memory operand (may be a 16-bit float)
} wf_program_input;

#define WF_PROGRAM_MAX_INSTRS 256
#define WF_PROGRAM_MAX_INPUTS 32
#define WF_PROGRAM_MAX_OUTPUTS 16

typedef struct wf_program {
    int ninstr, ninput, noutput, nparam;
    wf_instr *instr;
    wf_program_input *input;
    wf_program_output *output;
    uint64_t hash;  // of all the above
    int nregister;  // strip buffers needed at once: instr_register[] was made by linear scan over lifetimes
    int16_t *instr_register;  // per instruction: its strip buffer; -1 for a value that needs none
} wf_program;

// One operand bound at launch. Memory: DATA points at the tile's first element, STRIDE in bytes per axis (0: broadcast,
// negative: flipped). Counter: ORIGIN is its value at the tile's first element, STRIDE in units per axis.
typedef struct wf_operand {
    void *data;
    int64_t origin;
    int64_t stride[WEFT_MAX_NDIM];
} wf_operand;

// One tile to run a program over: every coordinate of COUNT, in any order for maps.
typedef struct wf_launch {
    const wf_program *program;
    int ndim;
    int64_t count[WEFT_MAX_NDIM];
    const wf_operand *in;    // program->ninput
    const wf_operand *out;   // program->noutput
    const wf_scalar *param;  // program->nparam
} wf_launch;

// What stands at the end of a program whose outputs are reduced instead of stored. The tile is cut from its origin into cells of
// CELL[axis] elements (1 on kept axes; the last cell of an axis may be short). Each cell of reduced coordinates gives one partial
// result per kept coordinate. Output f of reducer k has one element per cell: on a reduced axis its coordinate is the cell's
// number in the tile, on a kept axis the element's.
// Canonical order inside a cell, where "inner" means that the last axis with count or cell > 1 considered over the whole ARRAY is
// reduced (INNER below, decided by the plan, never by the tile): the cell's reduced elements in C order, flattened, as
// wf_reduce_rows_fn does it; otherwise as wf_reduce_cols_fn does it.
typedef struct wf_reducer {
    uint8_t op;      // wf_reduce_op
    uint8_t dtype;   // the dtype accumulated in (the program output's dtype is converted to it)
    int16_t output;  // which program output it consumes
    wf_operand field
        [WF_REDUCE_MAX_FIELDS];  // where partial results go (strides over the tile's axes, counted in cells), bytes
} wf_reducer;

typedef struct wf_reduce_launch {
    wf_launch map;  // map.out is unused
    bool inner;
    bool reduced[WEFT_MAX_NDIM];
    int64_t cell[WEFT_MAX_NDIM];  // 1 on kept axes
    // For the arg forms: position of the tile's first element among the reduced elements, C order, and per reduced axis the
    // distance in positions of one step.
    int64_t position;
    int64_t position_stride[WEFT_MAX_NDIM];
    int nreducer;
    const wf_reducer *reducer;
} wf_reduce_launch;

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
