// SPDX-License-Identifier: Apache-2.0
// move - copies of boxes within a device: as one copy by the driver where all is contiguous, else by the kernels of kernels/cuda/move.cuh.
#include <string.h>

#include "device/cuda/module.h"

enum { MOVE_AXES = 8, MOVE_TILE = 32, KEY_MOVE = 1 };

// As in move.cuh.
typedef struct move_args {
    const char *in;
    char *out;
    int64_t n;
    int32_t ndim, pad;
    int64_t count[MOVE_AXES];
    int64_t in_stride[MOVE_AXES], out_stride[MOVE_AXES];
} move_args;

// An axis of the box while it is put in order.
typedef struct axis {
    int64_t count, in, out;
} axis;

static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

// Axes of one item are dropped; the rest stand innermost (smallest step in the output) first.
static int sort_axes(const weft_copy_box *c, axis *axes)
{
    int n = 0;
    for (int a = c->ndim - 1; a >= 0; a--) {
        if (c->count[a] == 1) continue;
        axis x = { c->count[a], c->in_stride[a], c->out_stride[a] };
        int at = n++;
        for (; at > 0 && magnitude(axes[at - 1].out) > magnitude(x.out); at--)
            axes[at] = axes[at - 1];
        axes[at] = x;
    }
    return n;
}

// Neighbours that are one axis in both memories become one.
static int merge_axes(axis *axes, int n)
{
    int kept = 0;
    for (int i = 1; i < n; i++) {
        axis *low = &axes[kept];
        if (axes[i].in == low->in * low->count && axes[i].out == low->out * low->count)
            low->count *= axes[i].count;
        else axes[++kept] = axes[i];
    }
    return n > 0 ? kept + 1 : 0;
}

// Two items side by side become one of twice the size, as long as everything stays aligned.
static int64_t widen(const weft_copy_box *c, axis *axes, int n, int64_t item)
{
    while (n > 0 && item < 16 && axes[0].in == item && axes[0].out == item &&
           axes[0].count % 2 == 0) {
        uint64_t all = (uint64_t)(uintptr_t)c->in | (uint64_t)(uintptr_t)c->out;
        for (int i = 1; i < n; i++) all |= (uint64_t)axes[i].in | (uint64_t)axes[i].out;
        if (all % (uint64_t)(2 * item)) break;
        axes[0].count /= 2;
        item *= 2;
        axes[0].in = axes[0].out = item;
    }
    return item;
}

// Whether the input is contiguous along another axis than the output; that axis becomes the second.
static bool is_transposed(axis *axes, int n, int64_t item)
{
    if (n < 2 || axes[0].out != item || axes[0].in == item || axes[0].count < 4) return false;
    for (int i = 1; i < n; i++) {
        if (axes[i].in != item || axes[i].count < 4) continue;
        const axis second = axes[i];
        axes[i] = axes[1];
        axes[1] = second;
        return true;
    }
    return false;
}

static weft_status find_kernel(weft_stream *s, const char *form, int64_t item, CUfunction *out)
{
    char name[32];
    const wf_cuda_key key = { KEY_MOVE, (uint64_t)item << 8 | (uint64_t)(form[0] != 0) };
    if (wf_cuda_kernel_find(s->device, key, out)) return WEFT_OK;
    int length = 0;
    for (const char *p = "move_"; *p; p++) name[length++] = *p;
    for (const char *p = form; *p; p++) name[length++] = *p;
    if (item >= 10) name[length++] = '1';
    name[length++] = (char)('0' + item % 10);
    name[length] = 0;
    return wf_cuda_kernel_make(s->device, key, "#include \"move.cuh\"\n", name, out);
}

static weft_status run(weft_stream *s, move_args *a, const axis *axes, bool transposed,
                       int64_t item)
{
    CUfunction kernel;
    int64_t blocks, most = (int64_t)s->device->processors * 32;
    a->n = 1;
    for (int i = 0; i < a->ndim; i++) {
        a->n *= axes[i].count;
        a->count[i] = axes[i].count;
        a->in_stride[i] = axes[i].in;
        a->out_stride[i] = axes[i].out;
    }
    WF_CUDA_TRY(find_kernel(s, transposed ? "tiles_" : "", item, &kernel));
    if (transposed)
        blocks = ((axes[0].count + MOVE_TILE - 1) / MOVE_TILE) *
                 ((axes[1].count + MOVE_TILE - 1) / MOVE_TILE) *
                 (a->n / axes[0].count / axes[1].count);
    else blocks = (a->n + WF_CUDA_THREADS - 1) / WF_CUDA_THREADS;
    return wf_cuda_kernel_start(s, kernel, blocks < most ? blocks : most, a);
}

// More axes than the kernel takes: the outermost is stepped over here.
static weft_status copy_axes(weft_stream *s, const weft_copy_box *c, axis *axes, int n,
                             int64_t item)
{
    if (n > MOVE_AXES) {
        weft_copy_box slice = *c;
        for (int64_t i = 0; i < axes[n - 1].count; i++) {
            WF_CUDA_TRY(copy_axes(s, &slice, axes, n - 1, item));
            slice.in = (const char *)slice.in + axes[n - 1].in;
            slice.out = (char *)slice.out + axes[n - 1].out;
        }
        return WEFT_OK;
    }
    move_args a = { .in = c->in, .out = c->out, .ndim = n };
    axis own[WEFT_MAX_NDIM];
    memcpy(own, axes, sizeof own);
    return run(s, &a, own, is_transposed(own, n, item), item);
}

weft_status wf_cuda_copy_box(weft_stream *s, const weft_copy_box *c)
{
    axis axes[WEFT_MAX_NDIM] = { { 0 } };
    for (int a = 0; a < c->ndim; a++)
        if (c->count[a] == 0) return WEFT_OK;
    int n = merge_axes(axes, sort_axes(c, axes));
    if (n == 0) axes[n++] = (axis){ 1, c->item, c->item };
    if (n == 1 && axes[0].in == c->item && axes[0].out == c->item) {
        WF_CUDA_CALL(s->device, copy_on_device, (CUdeviceptr)(uintptr_t)c->out,
                     (CUdeviceptr)(uintptr_t)c->in, (size_t)(axes[0].count * c->item), s->stream);
        return WEFT_OK;
    }
    return copy_axes(s, c, axes, n, widen(c, axes, n, c->item));
}
