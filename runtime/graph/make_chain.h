// SPDX-License-Identifier: Apache-2.0
// make_chain - for constructors that build a small expression out of other constructors: the nodes
// made on the way, held until the result is known, and the first failure. A step given NULL does
// nothing, so that an expression is written without checks and checked once, at its end. Used by
// one thread; private to graph/make*.c.
#ifndef WF_GRAPH_MAKE_CHAIN_H
#define WF_GRAPH_MAKE_CHAIN_H

#include "graph/make.h"

#define WF_CHAIN_MAX 192

// A zeroed chain is empty. Every chain ends in wf_chain_give.
typedef struct wf_chain {
    weft_status status;
    int n;
    wf_node *next;  // where a constructor puts what wf_chain_hold is to hold
    wf_node *held[WF_CHAIN_MAX];
} wf_chain;

// wf_chain_hold(c, wf_make_...(..., &c->next)): takes the node made, or records the failure.
// Returns the node, borrowed from the chain, or NULL.
wf_node *wf_chain_hold(wf_chain *c, weft_status status);
// Gives RESULT, one of the chain's nodes or an operand, unless a step failed, and lets go of the
// rest.
weft_status wf_chain_give(wf_chain *c, wf_node *result, wf_node **out) WEFT_WARN_UNUSED;

wf_node *wf_chain_op(wf_chain *c, wf_op op, wf_node *a);
wf_node *wf_chain_op2(wf_chain *c, wf_op op, wf_node *a, wf_node *b);
wf_node *wf_chain_where(wf_chain *c, wf_node *condition, wf_node *a, wf_node *b);
wf_node *wf_chain_cast(wf_chain *c, wf_node *x, weft_dtype dtype);
wf_node *wf_chain_view(wf_chain *c, const char *where, wf_node *x, const wf_shape *shape,
                       const wf_map *map);
wf_node *wf_chain_num(wf_chain *c, double value);                       // a weak float
wf_node *wf_chain_int(wf_chain *c, int64_t value);                      // a weak integer
wf_node *wf_chain_scalar(wf_chain *c, weft_dtype dtype, double value);  // a strong scalar
// int64 = ORIGIN + sum of coordinate * STRIDE.
wf_node *wf_chain_counter(wf_chain *c, const wf_shape *shape, int64_t origin,
                          const int64_t *stride);
wf_node *wf_chain_full(wf_chain *c, weft_dtype dtype, const wf_shape *shape, double value);

// Shared by the constructors.
// VALUE as a scalar of DTYPE, any real dtype or complex.
wf_scalar wf_scalar_from_double(weft_dtype dtype, double value);
// An array of SHAPE filled with VALUE, which NaN and small integers may be.
weft_status wf_make_constant(weft_dtype dtype, const wf_shape *shape, double value,
                             wf_node **out) WEFT_WARN_UNUSED;
// The real value of a SCALAR; NaN for a complex one that is not real.
double wf_scalar_to_double(const wf_node *scalar);
// Whether an integer or bool SCALAR is representable in the integer DTYPE.
bool wf_scalar_fits(const wf_node *scalar, weft_dtype dtype);
// A value converted as assignment does it: a weak integer that does not fit in an integer DTYPE is
// WEFT_OVERFLOW, "add: 300 does not fit in uint8".
weft_status wf_make_fitting(const char *where, wf_node *x, weft_dtype dtype,
                            wf_node **out) WEFT_WARN_UNUSED;
// The dtype in which A and B, weak ones among them, meet.
weft_dtype wf_make_common(wf_node *a, wf_node *b);
// If X is one value everywhere: gives the SCALAR it repeats; else NULL.
wf_node *wf_node_constant(wf_node *x);
// Gives X itself.
static inline weft_status wf_make_same(wf_node *x, wf_node **out)
{
    wf_node_retain(x);
    *out = x;
    return WEFT_OK;
}
// AXES (NULL: all) as a set: mark[axis] for each. Fails for an axis out of bounds or given twice.
weft_status wf_make_axes(const char *where, int ndim, int naxes, const int *axes,
                         bool mark[WEFT_MAX_NDIM]) WEFT_WARN_UNUSED;
// What sums of DTYPE accumulate in by default: int64, uint64, or the dtype itself.
weft_dtype wf_dtype_sum(weft_dtype dtype);

#endif
