// SPDX-License-Identifier: Apache-2.0
// nest - dropping, sorting and merging the axes of a launch.
#include "device/cpu/nest.h"

#include <string.h>

static void copy_axis(wf_nest *nest, int to, int from)
{
    nest->count[to] = nest->count[from];
    memcpy(nest->stride[to], nest->stride[from], (size_t)nest->nop * sizeof(int64_t));
}

static void remove_axis(wf_nest *nest, int axis)
{
    for (int a = axis; a + 1 < nest->ndim; a++) copy_axis(nest, a, a + 1);
    nest->ndim--;
}

int wf_nest_drop_ones(wf_nest *nest, int first, int end)
{
    for (int a = end - 1; a >= first; a--) {
        if (nest->count[a] != 1) continue;
        remove_axis(nest, a);
        end--;
    }
    return end;
}

void wf_nest_move(wf_nest *nest, int from, int to)
{
    int64_t count = nest->count[from], stride[WF_NEST_OPS];
    int step = from < to ? 1 : -1;

    memcpy(stride, nest->stride[from], (size_t)nest->nop * sizeof(int64_t));
    for (int a = from; a != to; a += step) copy_axis(nest, a, a + step);
    nest->count[to] = count;
    memcpy(nest->stride[to], stride, (size_t)nest->nop * sizeof(int64_t));
}

static int64_t distance(int64_t stride) { return stride < 0 ? -stride : stride; }

// Whether axis OUTER should lie inside axis INNER.
static bool is_misplaced(const wf_nest *nest, int outer, int inner, int lead)
{
    for (int k = 0; k < nest->nop; k++) {
        int op = (lead + k) % nest->nop;
        int64_t a = distance(nest->stride[outer][op]), b = distance(nest->stride[inner][op]);
        if (a != b && a != 0 && b != 0) return a < b;
    }
    return false;
}

void wf_nest_sort(wf_nest *nest, int first, int end, int lead)
{
    for (int a = first + 1; a < end; a++) {
        int to = a;
        while (to > first && is_misplaced(nest, to - 1, a, lead)) to--;
        if (to != a) wf_nest_move(nest, a, to);
    }
}

static bool walks_as_one(const wf_nest *nest, int axis)
{
    const int64_t *outer = nest->stride[axis], *inner = nest->stride[axis + 1];
    int64_t count = nest->count[axis + 1];

    for (int op = 0; op < nest->nop; op++)
        if (outer[op] != count * inner[op]) return false;
    return true;
}

int wf_nest_merge(wf_nest *nest, int first, int end)
{
    for (int a = end - 2; a >= first; a--) {
        if (!walks_as_one(nest, a)) continue;
        nest->count[a + 1] *= nest->count[a];
        remove_axis(nest, a);
        end--;
    }
    return end;
}

int64_t wf_nest_size(const wf_nest *nest, int first, int end)
{
    int64_t size = 1;
    for (int a = first; a < end; a++) size *= nest->count[a];
    return size;
}

void wf_place_init(wf_place *place, const wf_nest *nest)
{
    memset(place->at, 0, (size_t)nest->nop * sizeof(int64_t));
    memset(place->coord, 0, (size_t)nest->ndim * sizeof(int64_t));
}

void wf_place_copy(wf_place *to, const wf_place *from, const wf_nest *nest)
{
    memcpy(to->at, from->at, (size_t)nest->nop * sizeof(int64_t));
    memcpy(to->coord, from->coord, (size_t)nest->ndim * sizeof(int64_t));
}
