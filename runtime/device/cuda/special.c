// SPDX-License-Identifier: Apache-2.0
// special - selection by a mask, running sums, and sums by label: kernels/cuda/select.cuh and sum.cuh.
#include <stdio.h>
#include <string.h>

#include "device/cuda/module.h"

enum { KEY_SELECT = 2, KEY_SUM = 3, CHUNK = 4096 };

// --- selection ---

typedef struct select_args {
    const void *mask, *in;
    void *out;
    int64_t *start;
    int64_t n, chunks;
} select_args;

static weft_status select_kernel(weft_stream *s, const char *form, uint64_t number, CUfunction *out)
{
    const wf_cuda_key key = { KEY_SELECT, number };
    char name[32];
    if (wf_cuda_kernel_find(s->device, key, out)) return WEFT_OK;
    snprintf(name, sizeof name, "select_%s", form);
    return wf_cuda_kernel_make(s->device, key, "#include \"select.cuh\"\n", name, out);
}

static weft_status run_select(weft_stream *s, const weft_select *c, const select_args *a)
{
    CUfunction count, start, move;
    char item[8];
    snprintf(item, sizeof item, "%d", (int)c->item);
    const int64_t most = (int64_t)s->device->processors * 16,
                  blocks = a->chunks < most ? a->chunks : most;
    WF_CUDA_TRY(select_kernel(s, "count", 100, &count));
    WF_CUDA_TRY(select_kernel(s, "start", 101, &start));
    WF_CUDA_TRY(select_kernel(s, item, (uint64_t)c->item, &move));
    WF_CUDA_TRY(wf_cuda_kernel_start(s, count, blocks, a));
    WF_CUDA_TRY(wf_cuda_kernel_start(s, start, 1, a));
    WF_CUDA_TRY(wf_cuda_kernel_start(s, move, blocks, a));
    WF_CUDA_TRY(wf_cuda_copy_out(s, c->count, a->start + a->chunks, sizeof *c->count));
    WF_CUDA_CALL(s->device, stream_synchronize, s->stream);  // the caller reads the count
    wf_cuda_staging_drained(s);
    return WEFT_OK;
}

weft_status wf_cuda_select(weft_stream *s, const weft_select *c)
{
    select_args a = { c->mask, c->in, c->out, NULL, c->n, (c->n + CHUNK - 1) / CHUNK };
    const int64_t bytes = (a.chunks + 1) * (int64_t)sizeof *a.start;
    void *start = NULL;
    WF_CUDA_TRY(wf_cuda_pool_take(s->device, bytes, &start));
    a.start = start;
    const weft_status st = run_select(s, c, &a);
    wf_cuda_pool_give(s->device, start, bytes);
    return st;
}

// --- running sums, sums by label ---

enum { SUM_AXES = WEFT_MAX_NDIM };

typedef struct scan_args {
    const void *in;
    void *out;
    const void *carry;
    void *carry_out;
    int64_t lines, length, in_step, out_step;
    int32_t ndim, pad;
    int64_t count[SUM_AXES], in_stride[SUM_AXES], out_stride[SUM_AXES];
} scan_args;

typedef struct group_args {
    const void *label, *in;
    void *out;
    int64_t outer, rows, cols, in_outer, in_row, in_col, out_outer, out_row;
} group_args;

// How the kernels name an element type: integers wrap as unsigned ones, with the same bits. NULL: not summed.
static const char *type_name(weft_dtype dtype, int *bytes)
{
    static const char *const name[WEFT_NDTYPES] = {
        [WEFT_INT8] = "u8",     [WEFT_UINT8] = "u8",      [WEFT_INT16] = "u16",
        [WEFT_UINT16] = "u16",  [WEFT_INT32] = "u32",     [WEFT_UINT32] = "u32",
        [WEFT_INT64] = "u64",   [WEFT_UINT64] = "u64",    [WEFT_FLOAT32] = "f32",
        [WEFT_FLOAT64] = "f64", [WEFT_COMPLEX64] = "c64", [WEFT_COMPLEX128] = "c128",
    };
    static const int size[WEFT_NDTYPES] = { 0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 8, 16 };
    *bytes = size[dtype];
    return name[dtype];
}

static weft_status sum_kernel(weft_stream *s, const char *kernel, weft_dtype dtype, bool product,
                              CUfunction *out)
{
    int bytes;
    char source[128];
    const char *type = dtype > 0 && dtype < WEFT_NDTYPES ? type_name(dtype, &bytes) : NULL;
    if (!type) return wf_cuda_host->fail(WEFT_UNSUPPORTED, "cuda: no running sums of this dtype");
    const wf_cuda_key key = { KEY_SUM,
                              (uint64_t)dtype << 8 | (uint64_t)product << 1 | (kernel[0] == 's') };
    if (wf_cuda_kernel_find(s->device, key, out)) return WEFT_OK;
    snprintf(source, sizeof source,
             "#define WF_T %s\n#define WF_PRODUCT %d\n#include \"sum.cuh\"\n", type, product);
    return wf_cuda_kernel_make(s->device, key, source, kernel, out);
}

static int64_t blocks_for(const weft_stream *s, int64_t threads)
{
    const int64_t most = (int64_t)s->device->processors * 32,
                  blocks = (threads + WF_CUDA_THREADS - 1) / WF_CUDA_THREADS;
    return blocks < most ? blocks : most;
}

weft_status wf_cuda_scan(weft_stream *s, const weft_scan *c)
{
    int bytes;
    CUfunction kernel;
    WF_CUDA_TRY(sum_kernel(s, "scan", c->dtype, c->op == WF_SCAN_PROD, &kernel));
    type_name(c->dtype, &bytes);
    scan_args a = {
        .in = c->in, .out = c->out, .carry = c->carry, .carry_out = c->carry_out, .lines = 1
    };
    for (int64_t d = c->ndim - 1, run = 1; d >= 0; run *= c->count[d--]) {
        if (c->count[d] == 0) return WEFT_OK;
        if (d == c->axis) {
            a.length = c->count[d];
            a.in_step = c->in_stride[d];
            a.out_step = run;
            continue;
        }
        a.count[a.ndim] = c->count[d];
        a.in_stride[a.ndim] = c->in_stride[d];
        a.out_stride[a.ndim++] = run;
        a.lines *= c->count[d];
    }
    return wf_cuda_kernel_start(s, kernel, blocks_for(s, a.lines), &a);
}

static weft_status run_group(weft_stream *s, const weft_group *c, CUfunction kernel, void *label)
{
    const group_args a = { label,       c->in,     c->out,    c->outer,     c->rows,   c->cols,
                           c->in_outer, c->in_row, c->in_col, c->out_outer, c->out_row };
    WF_CUDA_TRY(wf_cuda_copy_in(s, label, c->label, c->rows * (int64_t)sizeof *c->label));
    WF_CUDA_TRY(wf_cuda_kernel_start(s, kernel, blocks_for(s, c->outer * c->cols), &a));
    WF_CUDA_CALL(s->device, stream_synchronize, s->stream);  // the labels' memory is given back
    wf_cuda_staging_drained(s);
    return WEFT_OK;
}

weft_status wf_cuda_group(weft_stream *s, const weft_group *c)
{
    CUfunction kernel;
    void *label = NULL;
    const int64_t bytes = c->rows * (int64_t)sizeof *c->label;
    if (c->rows == 0) return WEFT_OK;
    WF_CUDA_TRY(sum_kernel(s, "group", c->dtype, false, &kernel));
    WF_CUDA_TRY(wf_cuda_pool_take(s->device, bytes, &label));
    const weft_status st = run_group(s, c, kernel, label);
    wf_cuda_pool_give(s->device, label, bytes);
    return st;
}
