// SPDX-License-Identifier: Apache-2.0
// make - checked constructors of expression nodes: shapes, dtypes, promotion, weak scalars, and the rewriting of rich operations
// into the few kinds that plans know. Every function shares its operands and gives *out one reference; errors are WEFT_INVALID or
// WEFT_OVERFLOW with a sentence beginning with the operation's name, WEFT_NO_MEMORY otherwise. Any thread may call.
//
// Invariants that plans rely on:
//   MAP       every operand has the node's shape or is a SCALAR; every operand's dtype is the dtype computed in (WHERE: operand 0
//             is bool). node.dtype is the result's. Broadcasting is an explicit VIEW, conversion an explicit CAST.
//   CAST      node.dtype from in[0]->dtype, same shape
//   VIEW      map: node coordinates -> in[0] coordinates, always inside it. Views of views are composed when made.
//   PARTS     part[0..npart): boxes that cover the node's shape; where two overlap the first listed wins
//   REDUCE    in[0] of shape S; cell[axis] elements per partial (1 on kept axes); the node's shape is ceil(S / cell) per axis; `field`
//             fields, read through FIELD nodes only (also when there is one). op is a wf_reduce_op, dtype the accumulator's (never 16
//             bit), to which in[0] is converted. With nin == number of fields > 1 it combines partial results of a lower level, in order
//             of position. A cell of 1 on an axis longer than 1 means that a later level reduces it, if it is reduced at all. Positions
//             of the arg forms count in C order among the axes that level 0 reduces; what the others add is a MAP between the levels
//   SCAN      along `axis`, op is a wf_scan_op; in[0] has the node's dtype (the accumulator's, never 16 bit)
//   CONTRACT  in[0] (b..., m, k), in[1] (b..., k, n), same batch axes, k > 0, not empty; all of one dtype, the accumulator's (never 16
//             bit; bool: or of ands)
//   RESHAPE   in[0] has as many elements
//   TAKE      node.shape is in[0]'s with dim[axis] = list->count; list items are in 0..in[0]->dim[axis]-1
//   COMPACT   1-D; in[0] data, in[1] bool mask of the same length; list: count of true elements per cell of `cell[0]` elements
//   GROUP     in[0], of the node's dtype (never 16 bit), summed along axis by list labels (one per element of that axis, -1: skipped);
//             node.shape has dim[axis] = ngroups
//   BINCOUNT  in[0] 1-D int64 labels in 0..nbins-1, in[1] optional 1-D weights (node dtype); cell[0] labels per partial histogram;
//             node.shape = (ceil(n / cell), nbins), to be summed over axis 0 by a REDUCE
#ifndef WF_GRAPH_MAKE_H
#define WF_GRAPH_MAKE_H

#include "graph/node.h"

// Scalars. Weak ones take the other operand's dtype within their kind ('i', 'f', 'c' by dtype int64, float64, complex128).
weft_status wf_make_scalar(weft_dtype dtype, const wf_scalar *value, bool weak,
                           wf_node **out) WEFT_WARN_UNUSED;
// A SCALAR's value converted to DTYPE (new SCALAR, strong).
weft_status wf_make_scalar_as(wf_node *scalar, weft_dtype dtype, wf_node **out) WEFT_WARN_UNUSED;

// Elementwise, with broadcasting and promotion; NAME in errors is the operation's.
weft_status wf_make_map(wf_op op, wf_node *const *in, wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_cast(wf_node *x, weft_dtype dtype,
                         wf_node **out) WEFT_WARN_UNUSED;  // shares x itself when it has DTYPE
weft_status wf_make_clip(wf_node *x, wf_node *lo, wf_node *hi,
                         wf_node **out) WEFT_WARN_UNUSED;  // lo, hi may be NULL
weft_status wf_make_isclose(wf_node *a, wf_node *b, double rtol, double atol, bool equal_nan,
                            wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_nan_to_num(wf_node *x, double nan, const double *posinf, const double *neginf,
                               wf_node **out) WEFT_WARN_UNUSED;

// Creation. GRID may be NULL.
weft_status wf_make_full(weft_dtype dtype, const wf_shape *shape, const wf_scalar *value,
                         const wf_grid *grid, wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_arange(double start, double stop, double step, weft_dtype dtype,
                           wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_linspace(double start, double stop, int64_t num, bool endpoint,
                             weft_dtype dtype, wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_eye(int64_t rows, int64_t cols, int64_t k, weft_dtype dtype,
                        wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_random(wf_instr_kind kind, weft_dtype dtype, const wf_shape *shape,
                           uint64_t seed, uint64_t stream, double a, double b, int64_t low,
                           uint64_t span, wf_node **out)
    WEFT_WARN_UNUSED;  // uniform: a + (b-a)*u; normal: as drawn

// Shape.
weft_status wf_make_view(const char *where, wf_node *x, const wf_shape *shape, const wf_map *map,
                         wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_broadcast_to(wf_node *x, const wf_shape *shape, wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_permute(const char *where, wf_node *x, int naxes, const int *axes,
                            wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_reshape(wf_node *x, int ndim, const int64_t *shape,
                            wf_node **out) WEFT_WARN_UNUSED;  // one -1; a VIEW where possible
weft_status wf_make_squeeze(wf_node *x, int naxes, const int *axes, wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_expand_dims(wf_node *x, int axis, wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_flip(wf_node *x, int naxes, const int *axes,
                         wf_node **out) WEFT_WARN_UNUSED;  // NULL axes: all
weft_status wf_make_roll(wf_node *x, int naxes, const int64_t *shifts, const int *axes,
                         wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_concat(const char *where, int n, wf_node *const *x, int axis,
                           wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_stack(int n, wf_node *const *x, int axis, wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_tile(wf_node *x, int n, const int64_t *reps, wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_repeat(wf_node *x, int64_t count, int axis, wf_node **out) WEFT_WARN_UNUSED;
typedef enum wf_pad_mode {
    WF_PAD_CONSTANT,
    WF_PAD_EDGE,
    WF_PAD_REFLECT,
    WF_PAD_SYMMETRIC,
    WF_PAD_WRAP
} wf_pad_mode;
weft_status wf_make_pad(wf_node *x, const int64_t *before, const int64_t *after, wf_pad_mode mode,
                        wf_node *fill, wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_rechunk(wf_node *x, const wf_grid *grid, wf_node **out) WEFT_WARN_UNUSED;
// x with the box {start + step*i} replaced by VALUE (broadcast, cast to x's dtype). MAP: coordinates of the selected region -> x.
weft_status wf_make_setitem(wf_node *x, const wf_shape *region, const wf_map *map, wf_node *value,
                            wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_take(wf_node *x, wf_list *indices, int axis,
                         wf_node **out) WEFT_WARN_UNUSED;  // negative indices were resolved
// X where MASK is true: both 1-D and of one length; COUNTS: true elements per CELL elements of the mask.
weft_status wf_make_compact(wf_node *x, wf_node *mask, wf_list *counts, int64_t cell,
                            wf_node **out) WEFT_WARN_UNUSED;

// Reductions: names of op.def. AXES NULL: all. DTYPE 0: the rule's.
typedef enum wf_reduction {
#define WEFT_REDUCTION(NAME, name, result, doc) WF_REDUCTION_##NAME,
#include "weft/op.def"
    WF_REDUCTION_COUNT
} wf_reduction;
weft_status wf_make_reduction(wf_reduction kind, wf_node *x, int naxes, const int *axes,
                              weft_dtype dtype, bool keepdims, double correction,
                              wf_node **out) WEFT_WARN_UNUSED;
// The canonical cells of a reduction of SHAPE over REDUCED axes: a function of the shape alone, so that sums have the same bits whatever
// the grid, the devices and the memory (design, section 4). LEVEL 0: elements; above: partial results.
void wf_reduce_cells(const wf_shape *shape, const bool *reduced, int level, int64_t *cell,
                     bool *inner);
weft_status wf_make_scan(wf_scan_op op, wf_node *x, int axis, weft_dtype dtype,
                         bool include_initial, wf_node **out) WEFT_WARN_UNUSED;

// Linear algebra.
weft_status wf_make_matmul(wf_node *a, wf_node *b, wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_tensordot(wf_node *a, wf_node *b, int n, const int *axes_a, const int *axes_b,
                              wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_vecdot(wf_node *a, wf_node *b, int axis,
                           wf_node **out) WEFT_WARN_UNUSED;  // conj(a)
weft_status wf_make_outer(wf_node *a, wf_node *b, wf_node **out) WEFT_WARN_UNUSED;

// Grouping by small integers.
weft_status wf_make_group_sum(wf_node *x, wf_list *labels, int64_t ngroups, int axis,
                              wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_make_bincount(wf_node *labels, wf_node *weights, int64_t nbins,
                             wf_node **out) WEFT_WARN_UNUSED;

#endif
