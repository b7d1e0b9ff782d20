// SPDX-License-Identifier: Apache-2.0
// program - what the core hands a device to run: fused elementwise programs in SSA form, and what a launch binds them to.
// A program holds no shape, no pointer and no scalar value: those are bound at launch, so one program serves every block and every turn of
// a solver, and a kernel made from it can be cached. For authors of device modules (weft/plugin.h); its layout is part of WEFT_PLUGIN_ABI.
#ifndef WEFT_PROGRAM_H
#define WEFT_PROGRAM_H

#include "weft/types.h"

// Elements in one strip: the unit in which programs run, small enough to stay in L1. Kernels take
// any n >= 0; reductions and random numbers are defined in terms of it.
#define WF_STRIP 512

// The virtual lanes of a canonical strip reduction; the same on every backend, so that sums have
// the same bits.
#define WF_LANES 32

// Elementwise operations, in the order of op.def.
typedef enum wf_op {
#define WEFT_OP(NAME, name, arity, types, cost, doc) WF_OP_##NAME,
#include "weft/op.def"
    WF_OP_COUNT
} wf_op;

// How partial results of a reduction are kept. float16 and bfloat16 are accumulated as float32 and
// never appear here.
typedef enum wf_reduce_op {
    WF_REDUCE_SUM,   // fields: sum
    WF_REDUCE_PROD,  // fields: product
    WF_REDUCE_MIN,  // fields: minimum, NaN wins; identity +inf or the largest integer (bool: true);
                    // reals and bool
    WF_REDUCE_MAX,  // fields: maximum, NaN wins
    WF_REDUCE_FMIN,  // fields: minimum, NaN loses; identity NaN; floats only
    WF_REDUCE_FMAX,
    WF_REDUCE_ANY,     // fields: bool; input bool
    WF_REDUCE_ALL,     // fields: bool; input bool
    WF_REDUCE_ARGMIN,  // fields: value, int64 position; the first of equals; NaN wins; -1 where
                       // nothing was seen
    WF_REDUCE_ARGMAX,
    WF_REDUCE_NANARGMIN,  // NaN is skipped
    WF_REDUCE_NANARGMAX,
    WF_REDUCE_MOMENTS,  // fields: count (the real dtype), mean, sum of squared distances from the
                        // mean (real dtype); complex input has complex mean and real count and
                        // squares
    WF_REDUCE_NANMOMENTS,  // NaN is skipped
    WF_REDUCE_COUNT_
} wf_reduce_op;
#define WF_REDUCE_MAX_FIELDS 3

// Rows that the column form of MOMENTS takes together.
#define WF_MOMENT_ROWS 32

typedef enum wf_scan_op { WF_SCAN_SUM, WF_SCAN_PROD, WF_SCAN_OPS } wf_scan_op;

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

#endif
