// SPDX-License-Identifier: Apache-2.0
// copy - moving elements without computing: rows that are contiguous on both sides by memcpy,
// transposed ones by blocks, all else through strips.
#include <string.h>

#include "device/cpu/cpu.h"
#include "device/cpu/walk.h"

#define SHORT_ROW 64  // shorter rows are taken several at a time

enum { IN, OUT };

// Whole blocks of a transpose: their input rows are few enough for the TLB, and long enough for
// whole cache lines.
#define BLOCK_ROWS 64
#define BLOCK_COLS 256

static void copy_rows(wf_nest *nest, int64_t item, const char *in, char *out)
{
    int last = nest->ndim - 1;
    size_t bytes = (size_t)(nest->count[last] * item);
    wf_place place;

    wf_place_init(&place, nest);
    do memcpy(out + place.at[OUT], in + place.at[IN], bytes);
    while (wf_place_next(&place, nest, 0, last));
}

static void copy_transposed(const wf_kernel_table *table, wf_nest *nest, int axis, int64_t item,
                            const char *in, char *out)
{
    int last = nest->ndim - 1, row_axis = last - 1;
    wf_place place;

    wf_nest_move(nest, axis, row_axis);
    int64_t rows = nest->count[row_axis], cols = nest->count[last];
    int64_t out_row = nest->stride[row_axis][OUT], in_row = nest->stride[last][IN];
    wf_place_init(&place, nest);
    do {
        char *to = out + place.at[OUT];
        const char *from = in + place.at[IN];
        for (int64_t r = 0; r < rows; r += BLOCK_ROWS)
            for (int64_t c = 0; c < cols; c += BLOCK_COLS)
                table->transpose[item](rows - r < BLOCK_ROWS ? rows - r : BLOCK_ROWS,
                                       cols - c < BLOCK_COLS ? cols - c : BLOCK_COLS,
                                       to + r * out_row + c * item, out_row,
                                       from + c * in_row + r * item, in_row);
    } while (wf_place_next(&place, nest, 0, row_axis));
}

static void copy_strips(const wf_kernel_table *table, wf_nest *nest, int64_t item, const char *in,
                        char *out)
{
    int first = nest->ndim - 1;
    int64_t flat = nest->count[first];
    _Alignas(64) char strip[WF_STRIP * 16];
    wf_walk from, to;
    wf_place place;

    while (first > 0 && flat < SHORT_ROW) flat *= nest->count[--first];
    wf_walk_init(&from, nest, first, nest->ndim, IN, item);
    wf_walk_init(&to, nest, first, nest->ndim, OUT, item);
    bool packed_in = from.kind == WF_WALK_LINEAR && from.step == item;
    bool packed_out = to.kind == WF_WALK_LINEAR && to.step == item;
    wf_place_init(&place, nest);
    do {
        const char *source = in + place.at[IN];
        char *target = out + place.at[OUT];
        for (int64_t i = 0; i < flat; i += WF_STRIP) {
            int64_t n = flat - i < WF_STRIP ? flat - i : WF_STRIP;
            const char *held = packed_in    ? source + i * item
                               : packed_out ? target + i * item
                                            : strip;
            if (!packed_in) wf_walk_gather(&from, table, (int)item, source, i, n, (char *)held);
            if (packed_in || !packed_out)
                wf_walk_scatter(&to, table, (int)item, target, i, n, held);
        }
    } while (wf_place_next(&place, nest, 0, first));
}

// The axis along which the input is contiguous while the output is along the last one; -1: none.
static int find_transposed_axis(const wf_nest *nest, int64_t item)
{
    int last = nest->ndim - 1;
    int64_t in_step = nest->stride[last][IN];

    if (nest->stride[last][OUT] != item || in_step == 0 || in_step == item || in_step == -item)
        return -1;
    if (nest->count[last] < 16) return -1;
    for (int a = 0; a < last; a++)
        if (nest->stride[a][IN] == item && nest->count[a] >= 4) return a;
    return -1;
}

// Walks axes forward in the output.
static void flip_axes(wf_nest *nest, const char **in, char **out)
{
    for (int a = 0; a < nest->ndim; a++) {
        int64_t *stride = nest->stride[a], steps = nest->count[a] - 1;
        if (stride[OUT] >= 0) continue;
        *in += steps * stride[IN];
        *out += steps * stride[OUT];
        stride[IN] = -stride[IN];
        stride[OUT] = -stride[OUT];
    }
}

// The kernels know elements of 1 to 16 bytes, a power of two, at natural alignment: anything else
// is an axis of smaller ones.
static int64_t cut_items(wf_nest *nest, int64_t item, const char *in, const char *out)
{
    uint64_t bits = (uint64_t)item | (uintptr_t)in | (uintptr_t)out | 16;
    int64_t unit;

    for (int a = 0; a < nest->ndim; a++)
        bits |= (uint64_t)nest->stride[a][IN] | (uint64_t)nest->stride[a][OUT];
    unit = (int64_t)(bits & (~bits + 1));
    if (unit == item || (item == 16 && unit == 8)) return item;
    nest->count[nest->ndim] = item / unit;
    nest->stride[nest->ndim][IN] = nest->stride[nest->ndim][OUT] = unit;
    nest->ndim++;
    return unit;
}

void wf_copy_run(const wf_kernel_table *table, wf_nest *nest, int64_t item, const char *in,
                 char *out)
{
    if (wf_nest_size(nest, 0, nest->ndim) == 0) return;
    wf_nest_drop_ones(nest, 0, nest->ndim);
    flip_axes(nest, &in, &out);
    item = cut_items(nest, item, in, out);
    wf_nest_sort(nest, 0, nest->ndim, OUT);
    wf_nest_merge(nest, 0, nest->ndim);
    if (nest->ndim == 0) {
        memcpy(out, in, (size_t)item);
        return;
    }
    int last = nest->ndim - 1, axis = find_transposed_axis(nest, item);
    if (nest->stride[last][IN] == item && nest->stride[last][OUT] == item)
        copy_rows(nest, item, in, out);
    else if (axis >= 0) copy_transposed(table, nest, axis, item, in, out);
    else copy_strips(table, nest, item, in, out);
}

weft_status wf_copy_box_run(const wf_kernel_table *table, const weft_copy_box *copy)
{
    wf_nest nest;

    if (copy->ndim < 0 || copy->ndim > WEFT_MAX_NDIM || copy->item < 1)
        return wf_fail(
            WEFT_INVALID,
            "cpu: a copy has 0 to %d axes of elements of at least 1 byte, got %d and %" PRId64,
            WEFT_MAX_NDIM, copy->ndim, copy->item);
    nest.ndim = copy->ndim;
    nest.nop = 2;
    for (int a = 0; a < copy->ndim; a++) {
        nest.count[a] = copy->count[a];
        nest.stride[a][IN] = copy->in_stride[a];
        nest.stride[a][OUT] = copy->out_stride[a];
    }
    wf_copy_run(table, &nest, copy->item, copy->in, copy->out);
    return WEFT_OK;
}
