// SPDX-License-Identifier: Apache-2.0
// lower - what the functions that turn groups of nodes into layers share. Private to the folder.
#ifndef WF_PLAN_LOWER_H
#define WF_PLAN_LOWER_H

#include "plan/build.h"

// A layer is put together aside, as a draft, and moved into the plan by commit when it is complete,
// because its operands may add source layers first. The draft stays the caller's to fini.
wf_layer wf_layer_draft(wf_layer_kind kind, const char *name);
weft_status wf_layer_commit(wf_build *b, wf_layer *draft, const wf_node *node,
                            int *number) WEFT_WARN_UNUSED;
void wf_layer_set_tasks(wf_layer *layer, wf_grid *tasks);  // takes TASKS
// Adds a read of ITEM through views; BEFORE maps the layer's coordinates to the item's (NULL: the
// same). OUT may be NULL.
weft_status wf_layer_read_operand(wf_build *b, wf_layer *layer, int item, const wf_map *before,
                                  int *out) WEFT_WARN_UNUSED;
// Adds a value over GRID (shared) that the layer writes.
weft_status wf_layer_add_output(wf_build *b, wf_layer *layer, weft_dtype dtype, const wf_grid *grid,
                                int *value) WEFT_WARN_UNUSED;

int64_t wf_item_size(const wf_build *b, int item);  // bytes of an element
// The bytes of the largest element that the layer reads or, BYTES, writes.
int64_t wf_layer_widest(const wf_build *b, const wf_layer *layer, int64_t bytes);
// Two large operands of which one is walked across the rows (x + x.T) want square tiles; so do
// readers of chunked data.
bool wf_layer_is_crossed(const wf_layer *layer);
void wf_tile_square(wf_grid *grid, const int64_t *cell);  // CELL may be NULL

// One kind of layer each; *number is the layer's.
weft_status wf_lower_reduce(wf_build *b, const wf_group *g, int *number) WEFT_WARN_UNUSED;
weft_status wf_lower_scan(wf_build *b, const wf_group *g, int *number) WEFT_WARN_UNUSED;
weft_status wf_lower_contract(wf_build *b, const wf_group *g, int *number) WEFT_WARN_UNUSED;
weft_status wf_lower_reshape(wf_build *b, const wf_group *g, int *number) WEFT_WARN_UNUSED;
weft_status wf_lower_take(wf_build *b, const wf_group *g, int *number) WEFT_WARN_UNUSED;
weft_status wf_lower_compact(wf_build *b, const wf_group *g, int *number) WEFT_WARN_UNUSED;
weft_status wf_lower_labels(wf_build *b, const wf_group *g, int *number) WEFT_WARN_UNUSED;
weft_status wf_lower_bincount(wf_build *b, const wf_group *g, int *number) WEFT_WARN_UNUSED;
weft_status wf_lower_call(wf_build *b, const wf_group *g, int *number) WEFT_WARN_UNUSED;
weft_status wf_lower_sink(wf_build *b, const wf_group *g, int *number) WEFT_WARN_UNUSED;

#endif
