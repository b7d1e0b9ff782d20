// SPDX-License-Identifier: Apache-2.0
// cut - basic indexing: a list of cuts as text, and what it selects from a given shape. Plain
// values; nothing allocates. Any thread may call.
#ifndef WF_ARRAY_CUT_H
#define WF_ARRAY_CUT_H

#include "base/text.h"
#include "weft.h"

#define WF_CUTS_MAX (2 * WEFT_MAX_NDIM + 1)  // every axis, every new axis and the ellipsis

// Parses what stands between the brackets of a Python index: "1:-1, ::2, ..., None, 3" (newaxis is
// None; a trailing comma is fine; numbers only). WHERE begins the errors. Fails with WEFT_INVALID:
// "index, column 4: expected ...".
weft_status wf_cuts_parse(const char *where, const char *text, int *n,
                          weft_cut out[WF_CUTS_MAX]) WEFT_WARN_UNUSED;
// Appends the same form.
void wf_cuts_print(int n, const weft_cut *cuts, wf_text *out);

// One axis of a selection: elements START, START + STEP, ... of the input axis, COUNT of them.
typedef struct wf_cut_axis {
    int input;      // the axis of the input it walks; -1 for a new one (start 0, step 1, count 1)
    int64_t start;  // 0 when count is 0
    int64_t step;   // never 0; 1 when count is 0 or 1
    int64_t count;
} wf_cut_axis;

// INDEX has an entry per axis of the input: where an integer cut it away, or -1 if the output has it.
typedef struct wf_selection {
    int ndim;  // axes of the output, in order
    wf_cut_axis axis[WEFT_MAX_NDIM];
    int64_t index[WEFT_MAX_NDIM];
} wf_selection;

// What CUTS select from an array of SHAPE, as NumPy's basic indexing: slices are clipped, negative
// bounds count from the end, axes not named are whole. Fails with WEFT_INVALID, WHERE first:
// "index: index 7 is out of bounds for axis 0 with size 5", "index: too many indices: array has 2
// axes, got 3", "index: slice step cannot be zero", ...
weft_status wf_cuts_resolve(const char *where, int ndim, const int64_t *shape, int ncuts,
                            const weft_cut *cuts, wf_selection *out) WEFT_WARN_UNUSED;

#endif
