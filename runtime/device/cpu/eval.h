// SPDX-License-Identifier: Apache-2.0
// eval - a program bound to one tile: evaluates it strip by strip. A strip is at most WF_STRIP
// consecutive elements of the nest's flat axes (FIRST.. in C order); the axes before are stepped
// through by the caller. Used by one thread.
//
// What is decided once per launch: operands whose elements lie together in a strip are read where
// they are; others are gathered into a buffer, which is kept as long as the same elements are
// wanted; values that do not change within the tile (parameters, operands broadcast along every
// axis, and what is computed from them) are computed once; a result that is stored contiguously is
// written straight to its place by the instruction that makes it.
#ifndef WF_CPU_EVAL_H
#define WF_CPU_EVAL_H

#include "device/cpu/walk.h"

#define WF_EVAL_VALUES \
    (WF_PROGRAM_MAX_INSTRS + 2 * WF_NEST_REDUCERS)  // a reducer may add a rounding and a cast
#define WF_EVAL_SINKS WF_NEST_REDUCERS
#define WF_PANEL_ROWS 32  // rows of a transposed operand brought in at once
#define WF_BAND_ROWS 4    // rows brought in at once where each strip lies in another row

_Static_assert(WF_EVAL_SINKS >= WF_PROGRAM_MAX_OUTPUTS, "every output is a sink");

typedef struct wf_eval_load {
    int16_t value, op;
    uint8_t item;
    bool direct;        // read where it is
    bool fixed;         // the same for every element of the tile
    wf_cast_fn *widen;  // 16-bit floats: to float32
    wf_walk walk;
    char *raw, *wide;  // strip buffers: as stored; widened
    const char *here;  // direct: this strip's elements
    const char *seen;  // what RAW holds: the elements from here
    int64_t seen_n;
} wf_eval_load;

typedef struct wf_eval_step {
    wf_instr instr;
    int16_t value;
    int16_t sink;  // writes straight to this sink, or -1
    bool fixed;
    char *out;
    union {
        wf_map_fn *map;
        wf_cast_fn *cast;
        wf_random_fn *random;
        wf_random_integers_fn *integers;
    };
    const wf_walk *walk;  // COUNTER and random: the counter's
    int64_t origin;
    int16_t op;
    bool skipped;        // done by a later step's chain
    wf_chain_fn *chain;  // instead of the instruction: CHAIN_VALUE through NLINK links from LINK on
    int16_t chain_value, link, nlink;
} wf_eval_step;

typedef struct wf_eval_link {
    wf_link_op op;
    wf_link_from from;
    int16_t value;  // the operand; -1: none, or what was set aside
} wf_eval_link;
#define WF_EVAL_LINKS (2 * WF_EVAL_VALUES)  // setting a value aside is a link without a step

// Where one value of each strip goes.
typedef struct wf_eval_sink {
    int16_t value;
    int16_t
        op;  // the operand of the nest that is written; -1: the caller sets DEST before each strip
    uint8_t dtype, item;
    bool is_load;  // an input, stored as it is
    bool contiguous;
    bool streamed;  // past the caches: so much is written that its beginning would not stay there
    wf_cast_fn *narrow;  // to a 16-bit float
    wf_walk walk;
    char *data;          // OP's first element
    char *temp;          // narrowed, before it is scattered
    char *dest;          // contiguous; NULL: leave it where it is
    const char *result;  // after a run: the strip's elements (of a sink without OP)
} wf_eval_sink;

typedef struct wf_eval {
    const wf_kernel_table *table;
    const wf_program *program;
    const wf_scalar *param;
    const wf_nest *nest;
    int first, panel_axis;
    int band_axis;  // the axis along which the caller takes strip after strip, or -1; set before planning
    int64_t flat;                           // elements of the flat axes
    int64_t max_n;                          // the longest strip that will come, <= WF_STRIP
    char *data[WF_PROGRAM_MAX_INPUTS];      // of memory operands, the first element
    int64_t origin[WF_PROGRAM_MAX_INPUTS];  // of counters
    bool rows_first;  // the caller steps through all of PANEL_AXIS before it goes on
    int nvalue, nload, nstep, nsink, nextra, npanel, nlink;
    bool is_fixed[WF_EVAL_VALUES];
    bool stores_load;  // some sink is_load
    bool streams;      // some sink is streamed
    bool counts;       // some random step needs its counters one by one
    int reg_item;      // bytes of the largest value
    int64_t *counter;  // buffer for these
    char *value[WF_EVAL_VALUES];
    wf_instr extra[2 * WF_NEST_REDUCERS];  // instructions after the program's
    wf_eval_load load[WF_PROGRAM_MAX_INPUTS];
    wf_walk counter_walk[WF_PROGRAM_MAX_INPUTS];
    wf_eval_step step[WF_EVAL_VALUES];
    wf_eval_link link[WF_EVAL_LINKS];
    wf_eval_sink sink[WF_EVAL_SINKS];
} wf_eval;

// Begins EVAL: sets what does not depend on the nest. DATA and ORIGIN are taken from IN; the caller
// may move them before planning.
void wf_eval_init(wf_eval *eval, const wf_kernel_table *table, const wf_program *program,
                  const wf_operand *in, const wf_scalar *param);
// Adds a sink for the program's output OUTPUT that goes to memory at DATA, operand OP of the nest.
void wf_eval_store(wf_eval *eval, int output, int op, void *data);
// Adds a sink for OUTPUT converted to DTYPE that is handed to the caller strip by strip, or finds
// an equal one; returns its number.
int wf_eval_hand(wf_eval *eval, int output, weft_dtype dtype);
// Whether a sink made by wf_eval_hand is nothing but input *OP as it lies in memory.
bool wf_eval_is_load(const wf_eval *eval, int sink, int *op);

// Decides how each operand is reached over NEST, flat axes FIRST.., strips of at most MAX_N
// elements. PANEL_AXIS: the axis along which transposed operands have their unit stride and the
// caller steps in order, or -1. Borrows NEST until the last run. Fails with WEFT_UNSUPPORTED when
// there is no kernel.
weft_status wf_eval_plan(wf_eval *eval, const wf_nest *nest, int first, int64_t max_n,
                         int panel_axis) WEFT_WARN_UNUSED;
// The axis before FIRST that would serve as PANEL_AXIS for some operand, or -1. The innermost axis
// must be the only flat one.
int wf_eval_find_panel_axis(const wf_eval *eval, const wf_nest *nest, int from, int end);
size_t wf_eval_bytes(wf_eval *eval);  // of memory that wf_eval_bind takes, a multiple of 64
void wf_eval_bind(wf_eval *eval, char *memory);  // 64-byte aligned; computes what is fixed
void wf_eval_find_chains(wf_eval *eval);         // the last part of planning
void wf_eval_run_fixed(wf_eval *eval);           // its second half
// Bytes from one row of a transposed operand's buffer to the next.
static inline int64_t wf_eval_pitch(const wf_eval *eval, const wf_eval_load *load)
{
    return eval->max_n * load->item + 64;
}
// Evaluates elements START..START+N-1 of the flat axes at PLACE.
void wf_eval_run(wf_eval *eval, const wf_place *place, int64_t start, int64_t n);

#endif
