// SPDX-License-Identifier: Apache-2.0
// walk - how one operand is reached from a strip: the strip's elements are consecutive elements of
// the innermost axes of a nest (its flat axes), and here are the ways to bring them together and to
// spread them again. Plain functions; nothing allocates or fails.
#ifndef WF_CPU_WALK_H
#define WF_CPU_WALK_H

#include "device/cpu/nest.h"
#include "kernel.h"

typedef enum wf_walk_kind {
    WF_WALK_LINEAR,    // one stride
    WF_WALK_PERIODIC,  // a short pattern, over and over
    WF_WALK_BOX,       // several axes
    // One large stride, and another axis has the unit stride: brought in by transposing.
    WF_WALK_PANEL,
    WF_WALK_BAND,  // rows far apart, each contiguous: several are brought in together
} wf_walk_kind;

#define WF_WALK_PERIOD 64  // the longest pattern

typedef struct wf_walk {
    wf_walk_kind kind;
    int64_t step;    // LINEAR, PANEL
    int64_t period;  // PERIODIC
    int ndim;        // the flat axes, merged as this operand allows
    int64_t count[WF_NEST_AXES], stride[WF_NEST_AXES];
} wf_walk;

// Describes OP over axes FIRST..END-1 of NEST. UNIT is the stride of contiguous elements. Never
// makes a PANEL.
void wf_walk_init(wf_walk *walk, const wf_nest *nest, int first, int end, int op, int64_t unit);

// Brings elements START..START+N-1 of the flat axes together in OUT, and the reverse. BASE is
// element 0.
void wf_walk_gather(const wf_walk *walk, const wf_kernel_table *table, int item, const char *base,
                    int64_t start, int64_t n, char *out);
void wf_walk_scatter(const wf_walk *walk, const wf_kernel_table *table, int item, char *base,
                     int64_t start, int64_t n, const char *in);
// How far element I is from element 0, and how many elements from I on (at most N) lie at one
// stride, *STEP.
int64_t wf_walk_run(const wf_walk *walk, int64_t i, int64_t n, int64_t *offset, int64_t *step);
// OUT[i] = ORIGIN + the counter's value at element START + i.
void wf_walk_count(const wf_walk *walk, int64_t origin, int64_t start, int64_t n, int64_t *out);

// OUT[0..N-1] = the ITEM bytes at VALUE.
static inline void wf_walk_fill(const wf_kernel_table *table, int item, const void *value,
                                int64_t n, void *out)
{
    table->gather[item](n, out, value, 0);
}

#endif
