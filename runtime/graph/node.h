// SPDX-License-Identifier: Apache-2.0
// node - the expression graph: one operation each, immutable, lazy, counted. A node knows its shape and dtype and what it is made of;
// it holds no data unless it is a leaf or has been computed.
// Any thread may make nodes from nodes. `result` and `mark` belong to whoever holds the session's plan lock.
#ifndef WF_GRAPH_NODE_H
#define WF_GRAPH_NODE_H

#include "array/dtype.h"
#include "array/map.h"
#include "array/object.h"
#include "array/program.h"

typedef enum wf_node_kind {
    // leaves
    WF_NODE_SCALAR,   // a 0-d constant: a parameter of plans, never data
    WF_NODE_LEAF,     // data that exists: caller memory, a file, a reader callback (leaf.object)
    WF_NODE_COUNTER,  // int64 = origin + sum of coordinate * stride
    WF_NODE_RANDOM,   // drawn by global element index
    // elementwise
    WF_NODE_MAP,  // wf_op on operands that broadcast to this shape
    WF_NODE_CAST,
    WF_NODE_VIEW,  // one operand through an affine map
    WF_NODE_PARTS,  // boxes of this array, each read from an operand through an affine map; first match wins
    WF_NODE_RECHUNK,  // the same array on the grid it carries
    // everything that needs a layer of its own
    WF_NODE_REDUCE,  // one level of a reduction: cells of the operand to partial results, one field each
    WF_NODE_FIELD,  // one field of a REDUCE
    WF_NODE_SCAN,
    WF_NODE_CONTRACT,  // batched product of matrices (batch..., m, k) x (batch..., k, n)
    WF_NODE_RESHAPE,
    WF_NODE_TAKE,      // operand 0 along an axis by host indices held in `list`
    WF_NODE_COMPACT,   // 1-D operand 0 where 1-D operand 1 is true; counts held in `list`
    WF_NODE_GROUP,     // sums of operand 0 along an axis by label, labels held in `list`
    WF_NODE_BINCOUNT,  // operand 0 labels, optional operand 1 weights: partial histograms per cell
    WF_NODE_CALL,      // a user's C function on aligned blocks of operands
    WF_NODE_SINK,      // writes its operand to a file or callback (leaf.object)
} wf_node_kind;

typedef struct wf_part {
    wf_box box;   // of the output
    int operand;  // -1: the node's fill scalar (its last operand)
    wf_map map;   // output coordinates -> operand coordinates
} wf_part;

typedef struct wf_node wf_node;
struct wf_node {
    int64_t refs;
    uint8_t kind;
    uint8_t dtype;
    uint16_t op;  // MAP: wf_op; RANDOM: wf_instr_kind; REDUCE: wf_reduce_op; SCAN: wf_scan_op
    int16_t nin;
    int16_t field;  // FIELD: which; REDUCE: how many
    bool weak;      // SCALAR: takes the other operand's dtype within its kind
    bool inner;     // REDUCE: canonical order (program.h)
    int8_t axis;    // SCAN, TAKE, GROUP
    wf_shape shape;
    wf_node **in;
    wf_grid *
        grid;  // RECHUNK, LEAF, creation: the cut the user or the file asked for; NULL: plan decides
    wf_scalar scalar;  // SCALAR; COUNTER: scalar.i is the origin
    union {
        wf_map *map;      // VIEW
        int64_t *stride;  // COUNTER: per axis
        wf_part *part;    // PARTS: npart of them
        int64_t *cell;    // REDUCE: per operand axis
        void *extra;      // RANDOM: wf_scalar[4]: seed, stream, low, span
    };
    int npart;
    wf_object *object;  // LEAF, SINK, CALL
    wf_list *list;      // TAKE, COMPACT, GROUP
    char *label;
    const void *site;  // return address of the public call that made it
    uint64_t order;    // creation order in the session, for stable plans
    // guarded by the session's plan lock
    wf_object *result;  // WF_OBJECT_STORED once computed
    uint64_t mark;      // epoch of the traversal that numbered it
    int32_t number;
};

void wf_node_retain(wf_node *node);
void wf_node_release(wf_node *node);  // accepts NULL; frees long chains without recursion

// Raw constructors: inputs are shared; *out has one reference. Shapes and dtypes are the caller's duty (make.h checks).
weft_status wf_node_create(wf_node_kind kind, weft_dtype dtype, const wf_shape *shape, int nin,
                           wf_node *const *in, wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_node_set_extra(wf_node *node, const void *data,
                              size_t bytes) WEFT_WARN_UNUSED;  // copies into the union
weft_status wf_node_set_grid(wf_node *node, const wf_grid *grid) WEFT_WARN_UNUSED;  // shares

// Drops what the node was made of, once its result stands for it. Under the plan lock.
void wf_node_forget_inputs(wf_node *node);
// Gives a reference to operand K, or NULL once the node has forgotten it. Any thread, without the plan lock: constructors look through
// nodes that another thread may be computing.
wf_node *wf_node_share_input(wf_node *node, int k);

const char *wf_node_kind_name(wf_node_kind kind);

#endif
