// SPDX-License-Identifier: Apache-2.0
// nest - dropping, turning, sorting and merging the axes of a launch.
#include "device/cuda/nest.h"

#include <string.h>

_Static_assert(WF_CUDA_REDUCERS *WF_REDUCE_MAX_FIELDS >= WF_PROGRAM_MAX_OUTPUTS,
               "outputs must fit");

static void copy_axis(wf_cuda_nest *nest, int to, int from)
{
    nest->count[to] = nest->count[from];
    memcpy(nest->stride[to], nest->stride[from], (size_t)nest->nop * sizeof(int64_t));
}

static void remove_axis(wf_cuda_nest *nest, int axis)
{
    for (int a = axis; a + 1 < nest->ndim; a++) copy_axis(nest, a, a + 1);
    nest->ndim--;
}

void wf_cuda_nest_move(wf_cuda_nest *nest, int from, int to)
{
    int64_t count = nest->count[from], stride[WF_CUDA_OPERANDS];
    int step = from < to ? 1 : -1;

    memcpy(stride, nest->stride[from], (size_t)nest->nop * sizeof(int64_t));
    for (int a = from; a != to; a += step) copy_axis(nest, a, a + step);
    nest->count[to] = count;
    memcpy(nest->stride[to], stride, (size_t)nest->nop * sizeof(int64_t));
}

void wf_cuda_nest_add(wf_cuda_nest *nest, int64_t count)
{
    memset(nest->stride[nest->ndim], 0, sizeof nest->stride[0]);
    nest->count[nest->ndim++] = count;
}

int wf_cuda_nest_drop_ones(wf_cuda_nest *nest, int first, int end)
{
    for (int a = end - 1; a >= first; a--) {
        if (nest->count[a] != 1) continue;
        remove_axis(nest, a);
        end--;
    }
    return end;
}

void wf_cuda_nest_flip(wf_cuda_nest *nest, int first, int end, int lead)
{
    for (int a = first; a < end; a++) {
        if (nest->stride[a][lead] >= 0) continue;
        for (int op = 0; op < nest->nop; op++) {
            int64_t *stride = &nest->stride[a][op], way = (nest->count[a] - 1) * *stride;
            if (nest->place[op].data) nest->place[op].data += way;
            else nest->place[op].origin += way;
            *stride = -*stride;
        }
    }
}

static int64_t distance(int64_t stride) { return stride < 0 ? -stride : stride; }

// Whether axis OUTER should lie inside axis INNER.
static bool is_misplaced(const wf_cuda_nest *nest, int outer, int inner, int lead)
{
    for (int k = 0; k < nest->nop; k++) {
        int op = (lead + k) % nest->nop;
        int64_t a = distance(nest->stride[outer][op]), b = distance(nest->stride[inner][op]);
        if (a != b && a != 0 && b != 0) return a < b;
    }
    return false;
}

void wf_cuda_nest_sort(wf_cuda_nest *nest, int first, int end, int lead)
{
    for (int a = first + 1; a < end; a++) {
        int to = a;
        while (to > first && is_misplaced(nest, to - 1, a, lead)) to--;
        if (to != a) wf_cuda_nest_move(nest, a, to);
    }
}

static bool walks_as_one(const wf_cuda_nest *nest, int axis)
{
    const int64_t *outer = nest->stride[axis], *inner = nest->stride[axis + 1];

    for (int op = 0; op < nest->nop; op++)
        if (outer[op] != nest->count[axis + 1] * inner[op]) return false;
    return true;
}

int wf_cuda_nest_merge(wf_cuda_nest *nest, int first, int end)
{
    for (int a = end - 2; a >= first; a--) {
        if (!walks_as_one(nest, a)) continue;
        nest->count[a + 1] *= nest->count[a];
        remove_axis(nest, a);
        end--;
    }
    return end;
}
