// SPDX-License-Identifier: Apache-2.0
// task_sum - tasks with an accumulator or a carry: products of matrices, running sums, sums by label, user functions.
#include <string.h>

#include "exec/run.h"

// Rows and columns of an operand as a matrix, given its strides; a copy into scratch when neither is contiguous or it lies in several blocks.
static weft_status bind_matrix(wf_task *t, int read, const wf_box *box, int row, int col,
                               char **scratch, const void **data, int64_t *row_stride,
                               int64_t *col_stride)
{
    int64_t item = (int64_t)wf_dtype_size(t->layer->dtype), at;
    int axis;
    wf_span span;
    if (!wf_task_split(t, read, box, &axis, &at)) {
        WF_TRY(wf_task_locate(t, read, box, &span));
        int64_t r = span.stride[row], c = span.stride[col];
        if ((r == item || c == item || box->count[row] == 1 || box->count[col] == 1) &&
            r % item == 0 && c % item == 0 && r >= 0 && c >= 0) {
            *data = span.data;
            *row_stride = box->count[row] == 1 && r < c * box->count[col]
                              ? c * box->count[col] / item
                              : r / item;
            *col_stride = box->count[col] == 1 && c < r * box->count[row] ? 1 : c / item;
            if (box->count[col] == 1 && r != item) *col_stride = 1;
            if (box->count[row] == 1 && c == item && *row_stride < box->count[col])
                *row_stride = box->count[col];
            return WEFT_OK;
        }
    }
    int64_t stride[WEFT_MAX_NDIM] = { 0 };
    stride[row] = item * box->count[col];
    stride[col] = item;
    WF_TRY(wf_task_gather(t, read, box, *scratch, stride));
    *data = *scratch;
    *row_stride = box->count[col];
    *col_stride = 1;
    *scratch += (box->count[row] * box->count[col] * item + 63) & ~(int64_t)63;
    return WEFT_OK;
}

static wf_box restrict_to(const wf_box *box, const int64_t *axes,
                          int n)  // keeps counts only on the named axes
{
    wf_box b = *box;
    for (int a = 0; a < b.ndim; a++) {
        bool keep = false;
        for (int i = 0; i < n; i++) keep |= axes[i] == a;
        if (!keep) b.count[a] = 1;
    }
    return b;
}

static weft_status contract_step(wf_task *t, const wf_box *box, int64_t batch, bool first,
                                 char *scratch)
{
    int nb = t->box.ndim - 3, m = nb, n = nb + 1, k = nb + 2;
    int64_t item = (int64_t)wf_dtype_size(t->layer->dtype);
    weft_gemm g = { .dtype = t->layer->dtype,
                    .m = box->count[m],
                    .n = box->count[n],
                    .k = box->count[k],
                    .accumulate = !first };
    wf_box a = restrict_to(box, (const int64_t[]){ m, k }, 2),
           b = restrict_to(box, (const int64_t[]){ k, n }, 2);
    WF_TRY(bind_matrix(t, 0, &a, m, k, &scratch, &g.a, &g.a_row, &g.a_col));
    int second = t->layer->nread > 1 ? 1 : 0;
    WF_TRY(bind_matrix(t, second, &b, k, n, &scratch, &g.b, &g.b_row, &g.b_col));
    g.out_row = g.n;
    g.out = (char *)t->out_data[0] + batch * g.m * g.n * item;
    if (!t->worker->dev->ops->gemm) return WEFT_UNSUPPORTED;
    return t->worker->dev->ops->gemm(t->worker->stream, &g);
}

weft_status wf_task_contract(wf_task *t)
{
    const wf_layer *l = t->layer;
    int nb = t->box.ndim - 3, k = nb + 2;
    int64_t item = (int64_t)wf_dtype_size(l->dtype), batch = 0, coord[WEFT_MAX_NDIM] = { 0 };
    int64_t deepest = l->step.extent < l->step.dim ? l->step.extent : l->step.dim;
    void *scratch;
    if (wf_box_size(&t->box) == 0) return WEFT_OK;
    WF_TRY(wf_task_scratch(t, (t->box.count[nb] + t->box.count[nb + 1]) * deepest * item + 256,
                           &scratch));
    for (;;) {
        for (int64_t s = 0; s < l->step.nblock; s++) {
            wf_box box = t->box;
            for (int a = 0; a < nb; a++) {
                box.start[a] += coord[a];
                box.count[a] = 1;
            }
            box.start[k] = wf_axis_start(&l->step, s);
            box.count[k] = wf_axis_start(&l->step, s + 1) - box.start[k];
            WF_TRY(wf_task_step_begin(t, &box));
            weft_status st =
                wf_task_device_error(t, contract_step(t, &box, batch, s == 0, scratch));
            WF_TRY(wf_task_step_end(t, st));
            wf_stats_add(&t->worker->engine->stats, WF_STAT_STEPS, 1);
        }
        batch++;
        int a = nb - 1;
        while (a >= 0 && ++coord[a] == t->box.count[a]) coord[a--] = 0;
        if (a < 0) return WEFT_OK;
    }
}

weft_status wf_task_scan(wf_task *t)
{
    const wf_layer *l = t->layer;
    int64_t item = (int64_t)wf_dtype_size(l->dtype), at;
    weft_scan s = { .op = l->op,
                    .dtype = l->dtype,
                    .ndim = t->box.ndim,
                    .axis = l->axis,
                    .out = t->out_data[0],
                    .carry_out = t->out_data[1] };
    int axis;
    if (wf_box_size(&t->box) == 0) return WEFT_OK;
    memcpy(s.count, t->box.count, sizeof s.count);
    if (!wf_task_split(t, 0, &t->box, &axis, &at)) {
        wf_span span;
        WF_TRY(wf_task_locate(t, 0, &t->box, &span));
        s.in = span.data;
        memcpy(s.in_stride, span.stride, sizeof s.in_stride);
    } else {  // gathered into the output, then scanned in place
        wf_contiguous_strides(s.ndim, s.count, item, s.in_stride);
        WF_TRY(wf_task_gather(t, 0, &t->box, t->out_data[0], s.in_stride));
        s.in = t->out_data[0];
    }
    const wf_block_refs *refs = t->refs;
    if (refs->count > 0 && refs->item[refs->count - 1].read < 0)
        s.carry = t->worker->data[refs->count - 1];
    if (!t->worker->dev->ops->scan) return wf_task_device_error(t, WEFT_UNSUPPORTED);
    return wf_task_device_error(t, t->worker->dev->ops->scan(t->worker->stream, &s));
}

// One box of what is grouped, at FROM: rows are the grouped axis, columns the last other axis; the rest is looped over.
static weft_status group_box(wf_task *t, const wf_box *box, const wf_span *from,
                             const wf_list *labels)
{
    int axis = t->layer->axis, nd = box->ndim, col = nd - 1 == axis ? -1 : nd - 1;
    int64_t item = (int64_t)wf_dtype_size(t->layer->dtype), stride[WEFT_MAX_NDIM],
            count[WEFT_MAX_NDIM], coord[WEFT_MAX_NDIM] = { 0 };
    memcpy(count, t->box.count, sizeof count);
    count[axis] = t->run->plan->value[t->layer->write[0]].shape.dim[axis];
    wf_contiguous_strides(nd, count, item, stride);
    for (;;) {
        weft_group g = { .dtype = t->layer->dtype,
                         .outer = 1,
                         .rows = box->count[axis],
                         .cols = col < 0 ? 1 : box->count[col],
                         .label = labels->item + box->start[axis],
                         .in_row = from->stride[axis],
                         .in_col = col < 0 ? item : from->stride[col],
                         .out_row = stride[axis] };
        const char *in = from->data;
        char *out = t->out_data[0];
        for (int a = 0; a < nd; a++) {
            in += coord[a] * from->stride[a];
            if (a != axis) out += (box->start[a] - t->box.start[a] + coord[a]) * stride[a];
        }
        g.in = in;
        g.out = out;
        WF_TRY(t->worker->dev->ops->group(t->worker->stream, &g));
        int a = nd - 1;
        while (a >= 0 && (a == axis || a == col || ++coord[a] == box->count[a])) coord[a--] = 0;
        if (a < 0) return WEFT_OK;
    }
}

// The operand is an array: it is cut only where it passes from block to block.
static weft_status group_in_place(wf_task *t, wf_box box, const wf_list *labels)
{
    int axis;
    int64_t at;
    while (wf_task_split(t, 0, &box, &axis, &at)) {
        wf_box low = box;
        low.count[axis] = at - box.start[axis];
        WF_TRY(group_in_place(t, low, labels));
        box.start[axis] = at;
        box.count[axis] -= low.count[axis];
    }
    wf_span span;
    WF_TRY(wf_task_locate(t, 0, &box, &span));
    return group_box(t, &box, &span, labels);
}

// The operand is computed, as much at a time as scratch takes. Of two halves along the grouped axis the first goes first.
static weft_status group_computed(wf_task *t, wf_box box, const wf_list *labels)
{
    const int64_t item = (int64_t)wf_dtype_size(t->layer->dtype);
    while (wf_box_size(&box) * item > t->layer->scratch_bytes) {
        int axis = 0;
        wf_box low = box;
        while (box.count[axis] == 1) axis++;
        low.count[axis] /= 2;
        WF_TRY(group_computed(t, low, labels));
        box.start[axis] += low.count[axis];
        box.count[axis] -= low.count[axis];
    }
    wf_span span = { 0 };
    void *memory;
    WF_TRY(wf_task_scratch(t, t->layer->scratch_bytes, &memory));
    span.data = memory;
    wf_contiguous_strides(box.ndim, box.count, item, span.stride);
    WF_TRY(wf_task_evaluate(t, &box, &span.data));
    return group_box(t, &box, &span, labels);
}

// Rows are added in order of the axis whatever the blocks, so the sums' bits do not depend on them.
weft_status wf_task_group(wf_task *t)
{
    const bool plain = wf_layer_is_plain_load(t->layer);
    const wf_list *labels = t->run->list[t->layer->list];
    wf_box out;
    wf_grid_box(&t->run->plan->value[t->layer->write[0]].grid, t->number, &out);
    if (!t->worker->dev->ops->group) return wf_task_device_error(t, WEFT_UNSUPPORTED);
    WF_TRY(wf_task_zero(t, t->out_data[0],
                        wf_box_size(&out) * (int64_t)wf_dtype_size(t->layer->dtype)));
    if (wf_box_size(&t->box) == 0) return WEFT_OK;
    for (int64_t s = 0; s < t->layer->step.nblock; s++) {
        wf_box box = t->box;
        int axis = t->layer->step_axis;
        box.start[axis] = wf_axis_start(&t->layer->step, s);
        box.count[axis] = wf_axis_start(&t->layer->step, s + 1) - box.start[axis];
        WF_TRY(wf_task_step_begin(t, &box));
        weft_status st = wf_task_device_error(t, plain ? group_in_place(t, box, labels)
                                                       : group_computed(t, box, labels));
        WF_TRY(wf_task_step_end(t, st));
    }
    return WEFT_OK;
}

// The labels of BOX at MEMORY, and where the host sees them.
static weft_status gather_labels(wf_task *t, const wf_box *box, void *memory, const int64_t **out)
{
    const wf_worker *w = t->worker;
    void *staged = memory;
    WF_TRY(wf_task_gather(t, 0, box, memory, (const int64_t[]){ 8 }));
    if (!w->dev->info.host_visible) {
        WF_TRY(wf_task_stage(t, box->count[0] * 8, &staged));
        WF_TRY(w->dev->ops->copy_out(w->stream, staged, memory, box->count[0] * 8));
        WF_TRY(w->dev->ops->stream_wait(w->stream));
    }
    *out = staged;
    return WEFT_OK;
}

// Adds the elements of BOX, at MEMORY with room for MOST of them.
static weft_status count_box(wf_task *t, const wf_box *box, char *memory, int64_t most)
{
    int64_t item = (int64_t)wf_dtype_size(t->layer->dtype);
    char *weight = memory + most * 8;
    bool weighted = t->layer->nread > 1;
    weft_group g = { .dtype = t->layer->dtype,
                     .outer = 1,
                     .rows = box->count[0],
                     .cols = 1,
                     .in = weighted ? weight : NULL,
                     .in_row = item,
                     .in_col = item,
                     .out = t->out_data[0],
                     .out_row = item };
    WF_TRY(gather_labels(t, box, memory, &g.label));
    if (weighted) WF_TRY(wf_task_gather(t, 1, box, weight, &item));
    return wf_task_device_error(t, t->worker->dev->ops->group(t->worker->stream, &g));
}

// Labels are wanted by the host: where it does not see the device's memory they come out a few at a
// time. Elements are added in their order either way.
weft_status wf_task_bincount(wf_task *t)
{
    enum { LABELS = 128 << 10 };
    const wf_layer *l = t->layer;
    int64_t n = t->box.count[0], item = (int64_t)wf_dtype_size(l->dtype),
            most = t->worker->dev->info.host_visible || n < LABELS ? n : LABELS;
    void *memory;
    if (!t->worker->dev->ops->group) return wf_task_device_error(t, WEFT_UNSUPPORTED);
    WF_TRY(wf_task_scratch(t, most * (8 + item) + 128, &memory));
    WF_TRY(wf_task_zero(t, t->out_data[0], t->run->plan->value[l->write[0]].shape.dim[1] * item));
    for (int64_t at = 0; at < n; at += most) {
        wf_box box = { .ndim = 1,
                       .start = { t->box.start[0] + at },
                       .count = { n - at < most ? n - at : most } };
        WF_TRY(count_box(t, &box, memory, most));
    }
    return WEFT_OK;
}

// Rows of a box on which every operand lies in one block.
static weft_status call_box(wf_task *t, const wf_box *box)
{
    const wf_call_leaf *leaf = t->run->leaf[t->layer->leaf]->data;
    const void *in[32];
    wf_span span[32];
    int64_t in_stride[32], stride[WEFT_MAX_NDIM], coord[WEFT_MAX_NDIM] = { 0 };
    int nd = box->ndim, nin = t->layer->nread, last = nd - 1;
    if (nin > 32) return wf_fail(WEFT_UNSUPPORTED, "kernel: at most 32 operands, got %d", nin);
    for (int r = 0; r < nin; r++) {
        WF_TRY(wf_task_locate(t, r, box, &span[r]));
        in_stride[r] = nd > 0 ? span[r].stride[last] : 0;
    }
    wf_contiguous_strides(nd, t->box.count,
                          (int64_t)wf_dtype_size(t->run->plan->value[t->layer->write[0]].dtype),
                          stride);
    for (;;) {
        char *out = t->out_data[0];
        for (int a = 0; a < nd; a++)
            out += (box->start[a] - t->box.start[a] + coord[a]) * stride[a];
        for (int r = 0; r < nin; r++) {
            const char *p = span[r].data;
            for (int a = 0; a < nd; a++) p += coord[a] * span[r].stride[a];
            in[r] = p;
        }
        wf_call_run run = { .n = nd > 0 ? box->count[last] : 1,
                            .nin = nin,
                            .nparam = leaf->nparam,
                            .in = in,
                            .in_stride = in_stride,
                            .out = out,
                            .param = leaf->param };
        weft_status st = leaf->call(leaf->context, &run);
        if (st != WEFT_OK) return st;  // with the function's own sentence
        int a = last - 1;
        while (a >= 0 && ++coord[a] == box->count[a]) coord[a--] = 0;
        if (a < 0) return WEFT_OK;
    }
}

static weft_status call_pieces(wf_task *t, wf_box box)
{
    for (;;) {
        int axis = -1;
        int64_t at;
        for (int r = 0; r < t->layer->nread; r++)
            if (wf_task_split(t, r, &box, &axis, &at)) break;
        if (axis < 0) return call_box(t, &box);
        wf_box low = box;
        low.count[axis] = at - box.start[axis];
        WF_TRY(call_pieces(t, low));
        box.start[axis] = at;
        box.count[axis] -= low.count[axis];
    }
}

weft_status wf_task_call(wf_task *t)
{
    return wf_box_size(&t->box) == 0 ? WEFT_OK : call_pieces(t, t->box);
}
