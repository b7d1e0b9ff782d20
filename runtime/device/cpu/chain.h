// SPDX-License-Identifier: Apache-2.0
// chain - several cheap operations in a row as one pass: an instruction at a time, each would read
// and write a strip of L1 for one addition, and the loads and stores would take longer than the
// arithmetic. Here a few vectors go through the whole chain in registers. Only operations that IEEE
// 754 rounds correctly are links, so the bits are those of the single kernels.
#ifndef WF_CPU_CHAIN_H
#define WF_CPU_CHAIN_H

#include "kernel.h"

#define WF_CHAIN_LINKS 16  // of one chain; a longer one is two

typedef enum wf_chain_op {
    WF_CHAIN_ADD,            // value + operand
    WF_CHAIN_SUBTRACT,       // value - operand
    WF_CHAIN_SUBTRACT_FROM,  // operand - value
    WF_CHAIN_MULTIPLY,
    WF_CHAIN_DIVIDE,       // value / operand
    WF_CHAIN_DIVIDE_INTO,  // operand / value
    WF_CHAIN_SQUARE,       // no operand, from here on
    WF_CHAIN_NEGATE,
    WF_CHAIN_ABS,
    WF_CHAIN_SQRT,
    WF_CHAIN_NONE,
} wf_chain_op;

typedef struct wf_chain_link {
    wf_chain_op op;
    bool fixed;           // one operand for all elements: the first at OPERAND
    const void *operand;  // as many elements as the chain has
} wf_chain_link;

// OUT[i] = FIRST[i] through all links. OUT may be FIRST or an operand that is not fixed.
typedef void wf_chain_fn(int64_t n, void *out, const void *first, int nlink,
                         const wf_chain_link *link);

// The link that OP is when the chain's value is its argument number ARG (both arguments: 2); NONE
// where it cannot be one.
wf_chain_op wf_chain_find_op(wf_op op, int arg);
// The function for DTYPE and TABLE's instruction set; NULL where there is none.
wf_chain_fn *wf_chain_find(const wf_kernel_table *table, weft_dtype dtype);

#endif
