// SPDX-License-Identifier: Apache-2.0
// layer - a symbolic task space: how many tasks there are, which blocks each reads and writes, by
// arithmetic and never as a list. Task t of a layer covers box t of the layer's `tasks` grid over
// its iteration space, and writes block t of each of its values; or, of a value that was cut for
// its readers, all the blocks in that box. Immutable once lowered; any thread may read.
#ifndef WF_TASK_LAYER_H
#define WF_TASK_LAYER_H

#include "array/map.h"
#include "array/program.h"

// Scratch of a COMPACT per element: it, it again where it is selected to, and its mask.
enum { WF_COMPACT_BYTES = 2 * 16 + 1 };

typedef enum wf_layer_kind {
    WF_LAYER_MAP,       // run a program over a box
    WF_LAYER_REDUCE,    // run a program over a box and reduce cells
    WF_LAYER_COMBINE,   // combine partial results of several fields
    WF_LAYER_SCAN,      // running sum; waits for the carry of the task before it on the axis
    WF_LAYER_CONTRACT,  // k steps into one private accumulator
    WF_LAYER_RESHAPE,   // boxes that are contiguous ranges of the C order
    WF_LAYER_TAKE,
    WF_LAYER_COMPACT,
    WF_LAYER_GROUP,  // run a program over a box and add up by label, in steps along the grouped axis into one accumulator
    WF_LAYER_BINCOUNT,
    WF_LAYER_CALL,    // a user's C function
    WF_LAYER_SOURCE,  // read a block from a file or callback
    WF_LAYER_SINK,    // write a block to a file or callback
} wf_layer_kind;

// An array in a plan: made by a layer, or bound from outside when the plan runs.
typedef struct wf_value {
    weft_dtype dtype;
    wf_shape shape;
    wf_grid grid;
    int layer;    // that makes it, or -1
    int leaf;     // which binding it is, or -1
    bool direct;  // a binding in host memory with strides: any box can be addressed, no blocks
    // It is host memory, read in place (direct) or by way of a layer that brings it to devices
    bool lent;
    bool keep;    // its blocks are results of the request
    bool cut;     // its grid refines the tasks of its layer: a task writes several of its blocks
    int nreader;  // layers that read it
    int *reader;  // owned
} wf_value;

typedef struct wf_read {
    int value;
    wf_map map;    // iteration coordinates -> value coordinates
    bool bounded;  // only inside `box` of the iteration space
    wf_box box;
} wf_read;

// One operand of a program: a read, or a counter over iteration coordinates.
typedef struct wf_part_input {
    int read;  // index into layer.read, or -1 for a counter
    int64_t origin;
    int64_t stride[WEFT_MAX_NDIM];
} wf_part_input;

// A box of the iteration space and the program that makes it. Most layers have one part that covers everything.
typedef struct wf_layer_part {
    wf_box box;
    wf_program *program;   // owned
    wf_part_input *input;  // program->ninput, owned
    int *param;            // program->nparam: numbers of plan parameters, owned
} wf_layer_part;

typedef struct wf_layer_reducer {
    uint8_t op, dtype;  // wf_reduce_op, accumulator
    int16_t output;     // program output it consumes
    int nfield;
    int value[WF_REDUCE_MAX_FIELDS];
} wf_layer_reducer;

typedef struct wf_layer {
    wf_layer_kind kind;
    const char *name;  // of the operation, for messages; static
    char *label;       // owned: of the array, where it has one
    const void *site;  // in the user's program
    wf_shape shape;    // iteration space
    wf_grid tasks;
    int64_t ntask;
    int step_axis;      // -1, or the iteration axis walked in steps (CONTRACT, GROUP)
    wf_grid_axis step;  // its cuts
    int nread, nwrite;
    wf_read *read;  // owned
    int *write;     // values, owned
    int npart;
    wf_layer_part *part;  // MAP, REDUCE, GROUP; owned
    bool has_deps;        // some read value is made by a layer
    // REDUCE, COMBINE
    bool inner;
    bool reduced[WEFT_MAX_NDIM];
    int64_t cell[WEFT_MAX_NDIM];
    int nreducer;
    wf_layer_reducer *reducer;  // owned
    // SCAN, CONTRACT, TAKE, GROUP ...
    int axis;
    uint8_t op;
    weft_dtype dtype;  // accumulator
    int carry;         // SCAN: value that holds the carries, one per task
    int list;          // TAKE, COMPACT, GROUP: which list binding
    int64_t *
        table;  // TAKE: offsets into `blocks` per task on the axis; COMPACT: first and end element per task; owned
    int64_t *blocks;  // TAKE: distinct source blocks on the axis; owned
    int leaf;         // SOURCE, SINK, CALL: which object binding
    bool root;
    bool aside;  // SINK: its tiles are read from the operand's file aside, and turned around there
    // the bound
    int64_t
        task_bytes;  // the most memory one task needs at once: window of inputs, accumulator, outputs, scratch
    // Of which scratch; COMPACT: WF_COMPACT_BYTES for each element looked at together
    int64_t scratch_bytes;
    int64_t
        window_bytes;  // and, in layers with steps, the inputs of one step that may have to be read aside
    double cost;  // seconds per task, estimated
} wf_layer;

void wf_layer_fini(wf_layer *layer);

// Whether the layer's only program loads what it stores, bits and all: then its operand can be used where it lies.
bool wf_layer_is_plain_load(const wf_layer *layer);

// A block of a value.
typedef struct wf_block_ref {
    int read;  // which read of the layer asks, or -1 (a carry)
    int value;
    int64_t block;
} wf_block_ref;

typedef struct wf_block_refs {
    int64_t count, capacity;
    wf_block_ref *item;
} wf_block_refs;

// The blocks of one read's value that a box of the iteration space touches: per axis of the value, the first block and how many; only
// blocks with at least one sampled element on each axis count (see wf_read_touches). False when nothing is touched.
bool wf_read_range(const wf_layer *layer, const wf_read *read, const wf_value *value,
                   const wf_box *box, int64_t *first, int64_t *count);

// Appends every block that TASK reads to OUT, in reading order; values without blocks (direct) are left out. A block read through two
// reads appears twice: once per read, which is how readers are counted.
weft_status wf_layer_reads(const wf_layer *layer, const wf_value *values, int64_t task,
                           wf_block_refs *out) WEFT_WARN_UNUSED;

// The same for a box of the iteration space, in layers whose reads are all affine maps.
weft_status wf_layer_reads_box(const wf_layer *layer, const wf_value *values, const wf_box *box,
                               wf_block_refs *out) WEFT_WARN_UNUSED;

// The blocks of VALUE that TASK of LAYER, which makes it, writes: how many, and the K-th of them.
// And the inverse, the task that writes a block.
int64_t wf_layer_write_count(const wf_layer *layer, const wf_value *value, int64_t task);
int64_t wf_layer_write_block(const wf_layer *layer, const wf_value *value, int64_t task, int64_t k);
int64_t wf_layer_writer(const wf_layer *layer, const wf_value *value, int64_t block);

// How many (task, read) pairs of LAYER read BLOCK of VALUE: the inverse of wf_layer_reads. Separable layers only (wf_layer_is_separable);
// others are counted by walking their tasks.
int64_t wf_layer_reader_count(const wf_layer *layer, const wf_value *values, int value,
                              int64_t block);
bool wf_layer_is_separable(const wf_layer *layer);

// The box of iteration space of a task.
static inline void wf_layer_box(const wf_layer *layer, int64_t task, wf_box *out)
{
    wf_grid_box(&layer->tasks, task, out);
}

// Files and the user's functions: what only a device can do whose memory the host sees.
static inline bool wf_layer_is_for_host(const wf_layer *layer)
{
    return layer->kind == WF_LAYER_SOURCE || layer->kind == WF_LAYER_SINK ||
           layer->kind == WF_LAYER_CALL;
}

const char *wf_layer_kind_name(wf_layer_kind kind);

#endif
