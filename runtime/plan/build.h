// SPDX-License-Identifier: Apache-2.0
// build - the state that the plan's passes share while a plan is made: one item per traced node.
#ifndef WF_PLAN_BUILD_H
#define WF_PLAN_BUILD_H

#include "plan/plan.h"

typedef struct wf_item {
    const wf_node *node;
    int *in;                // canonical items of the operands
    int rep;                // the item that stands for this one (share, fold); itself if none
    uint8_t class;          // WF_CLASS_*: what a rewrite may know of a SCALAR's value
    int leaf, param, list;  // first binding of each sort, or -1
    bool is_leaf;
    bool stored;      // has blocks of its own: a leaf, or the output of a layer
    bool needed;      // reached from the roots after sharing
    int uses;         // operands of needed items that it is
    int size, loads;  // instructions and operands if inlined, as a tree (saturating)
    int64_t cost;     // tenths of cycles per element if inlined
    int64_t remake;   // the same from nothing but parameters, stored or not; -1: it needs data
    bool remade;      // stored for some consumers, made again by those that run programs
    bool square;      // read in both directions: square blocks serve it best
    int depth;        // layers between it and the leaves
    int group;        // which layer makes it, or -1
    uint64_t
        sources;     // bloom of what a consumer that inlines it reads: stored items and generators
    uint64_t reads;  // the same for what it reads itself
    int owner;       // the only group that inlines it; -1 none yet, -2 several
    wf_grid grid;    // natural grid, made on demand
    bool has_grid;
    int value[WF_REDUCE_MAX_FIELDS];  // plan values, -1 until made
    int host_value;  // of a leaf of host memory: for layers that run on the host in any case
    uint64_t hash;   // of its structure
} wf_item;

typedef struct wf_group {
    int nmember;
    int *member;  // items
    int depth;
    int layer;
} wf_group;

typedef struct wf_build {
    const wf_outline *outline;
    const wf_plan_options *opts;
    wf_plan *plan;
    int nitem;
    wf_item *item;
    int64_t item_capacity;
    int *place, *own;        // per traced node: the item that stands for it, and its own
    int *in_pool, *in_next;  // the items' operands
    int nmade;
    wf_node **made;  // by folding; owned
    int64_t made_capacity, derived_capacity;
    int ngroup;
    wf_group *group;
    int64_t value_capacity, layer_capacity, group_capacity;
    int64_t target;  // bytes of the largest tile aimed at
    int *table;      // share: hash table of items
    int64_t table_mask;
    int next_grid;  // items before this one have their natural grids
} wf_build;

// Canonical items: equal ones shared, constants folded. (share.c)
weft_status wf_build_items(wf_build *b) WEFT_WARN_UNUSED;
// Adds ITEM, whose operands are items already; gives the one that stands for it.
int wf_item_add(wf_build *b, const wf_item *item);
// The item that makes ROOT's blocks: its own where it would fold into data that is there already,
// since a result is always handed over.
int wf_root_item(const wf_build *b, const wf_node *root);
bool wf_node_grids_equal(const wf_node *a, const wf_node *c);
// The item that ITEM, just added, can be replaced by, bits unchanged; itself if none. (fold.c)
int wf_fold(wf_build *b, int item);

// Which items get blocks of their own, which layers make them. (fuse.c)
weft_status wf_build_groups(wf_build *b) WEFT_WARN_UNUSED;
// Whether NODE's operands must be stored values (true) or may be inlined.
bool wf_needs_value(const wf_node *node);
// Follows views down to a stored item: *map takes the item's coordinates to it. -1 when there is arithmetic between.
int wf_resolve_read(const wf_build *b, int item, wf_map *map);

// Blocks of a new array: --blocks (axis 0 first, its last entry for all further axes), else by the block-size setting. (grid.c)
weft_status wf_default_cut(const wf_plan_options *opts, const wf_shape *shape, weft_dtype dtype,
                           wf_grid *out) WEFT_WARN_UNUSED;
// The natural grid of an item. Borrowed from the item. (grid.c)
weft_status wf_item_grid(wf_build *b, int item, const wf_grid **out) WEFT_WARN_UNUSED;
// Adjusts GRID (over SHAPE) so that a tile of ITEM_BYTES per element is near the target and there are enough tiles; axes with cell[a] > 1 are
// cut at multiples of it. CELL may be NULL. EXACT: extents the user asked for; only cut further, never joined unless grouping is on.
weft_status wf_tile_fit(const wf_build *b, wf_grid *grid, int64_t item_bytes,
                        const int64_t *cell) WEFT_WARN_UNUSED;

// Without alignment. (align.c) The common refinement of the cuts that ITEM's operands bring; GRID
// has one block when it is called.
weft_status wf_refine_grid(wf_build *b, int item, wf_grid *grid) WEFT_WARN_UNUSED;
// Cuts blocks of an axis above MOST, and with MERGE joins neighbours while together they are at
// most MOST; other edges stay, at multiples of UNIT.
weft_status wf_recut_axis(wf_grid *grid, int axis, int64_t most, int64_t unit,
                          bool merge) WEFT_WARN_UNUSED;

// lower: a group to its layer. (lower.c, emit.c)
weft_status wf_lower_group(wf_build *b, int group) WEFT_WARN_UNUSED;
// The value that holds stored item's blocks (field F), making a source layer for chunked leaves when first asked.
weft_status wf_item_value(wf_build *b, int item, int field, int *out) WEFT_WARN_UNUSED;
weft_status wf_plan_add_value(wf_build *b, weft_dtype dtype, const wf_grid *grid, int layer,
                              int *out) WEFT_WARN_UNUSED;
weft_status wf_plan_add_layer(wf_build *b, wf_layer_kind kind, const wf_node *node, wf_layer **out,
                              int *number) WEFT_WARN_UNUSED;
// SHARE: an equal read that is there already serves (programs); else operand k is read k.
weft_status wf_layer_add_read(wf_layer *layer, int value, const wf_map *map, const wf_box *box,
                              bool share, int *out) WEFT_WARN_UNUSED;
weft_status wf_layer_add_write(wf_layer *layer, int value) WEFT_WARN_UNUSED;

// Emits the programs of a MAP or REDUCE group into LAYER's parts: outputs are the items OUT[0..nout). (emit.c)
weft_status wf_emit_parts(wf_build *b, wf_layer *layer, int nout, const int *out,
                          const weft_dtype *storage) WEFT_WARN_UNUSED;

// Cuts values for layers that read a little of very many blocks; keeps, sets and reads them as they
// were lowered. (exchange.c)
weft_status wf_plan_exchange(wf_build *b) WEFT_WARN_UNUSED;

// bound.c
// Bytes of all the blocks that one task may read through READ.
int64_t wf_read_window(const wf_layer *layer, const wf_read *read, const wf_value *value);
weft_status wf_plan_bound(wf_build *b) WEFT_WARN_UNUSED;

#endif
