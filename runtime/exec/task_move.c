// SPDX-License-Identifier: Apache-2.0
// task_move - tasks that move elements: reshape, take, mask compaction, sources and sinks.
#include <string.h>

#include "exec/run.h"
#include "observe/trace.h"

// Length of the runs in which BLOCK's memory order and the array's C order agree: the trailing axes that the block covers whole, and one more.
static int run_axis(const wf_shape *shape, const wf_box *block, int64_t *length)
{
    int a = shape->ndim - 1;
    int64_t n = 1;
    while (a > 0 && block->count[a] == shape->dim[a]) n *= shape->dim[a--];
    *length = shape->ndim > 0 ? n * block->count[a] : 1;
    return a;
}

static weft_status copy_flat(wf_task *t, void *out, const void *in, int64_t count, int64_t item)
{
    weft_copy_box c = { .ndim = 1, .item = item, .out = out, .in = in };
    c.count[0] = count;
    c.in_stride[0] = c.out_stride[0] = item;
    return t->worker->dev->ops->copy_box(t->worker->stream, &c);
}

typedef struct linear_part {
    const wf_shape *shape;
    wf_box block;      // of the source
    const char *data;  // of the block
    const int64_t *stride;
    int64_t item, begin, end;  // linear range wanted
    char *out;                 // of element `begin`
} linear_part;

// Copies what the source block has of the linear range, run by run.
static weft_status copy_runs(wf_task *t, const linear_part *p, bool contiguous)
{
    int nd = p->shape->ndim;
    int64_t length, coord[WEFT_MAX_NDIM] = { 0 };
    int axis = contiguous ? run_axis(p->shape, &p->block, &length) : nd - 1;
    if (!contiguous) length = nd > 0 ? p->block.count[nd - 1] : 1;
    for (;;) {
        int64_t linear = 0, offset = 0;
        for (int a = 0; a < nd; a++) {
            linear = linear * p->shape->dim[a] + p->block.start[a] + coord[a];
            offset += coord[a] * p->stride[a];
        }
        int64_t lo = linear > p->begin ? linear : p->begin,
                hi = linear + length < p->end ? linear + length : p->end;
        if (lo < hi) {
            weft_copy_box c = { .ndim = 1,
                                .item = p->item,
                                .out = p->out + (lo - p->begin) * p->item };
            int64_t step = nd == 0 || contiguous ? p->item : p->stride[nd - 1];
            c.in = p->data + offset + (lo - linear) * step;
            c.count[0] = hi - lo;
            c.in_stride[0] = step;
            c.out_stride[0] = p->item;
            WF_TRY(t->worker->dev->ops->copy_box(t->worker->stream, &c));
        }
        int a = axis - 1;
        while (a >= 0 && ++coord[a] == p->block.count[a]) coord[a--] = 0;
        if (a < 0) return WEFT_OK;
    }
}

weft_status wf_task_reshape(wf_task *t)
{
    const wf_value *v = &t->run->plan->value[t->layer->read[0].value];
    linear_part p = { .shape = &v->shape,
                      .item = (int64_t)wf_dtype_size(v->dtype),
                      .out = t->out_data[0] };
    for (int a = 0; a < t->box.ndim; a++)
        p.begin = p.begin * t->layer->shape.dim[a] + t->box.start[a];
    p.end = p.begin + wf_box_size(&t->box);
    if (p.begin == p.end) return WEFT_OK;

    const wf_leaf_header *direct = t->run->value[t->layer->read[0].value].direct;
    if (direct) {
        p.block = wf_box_whole(&v->shape);
        p.data = direct->data;
        p.stride = direct->stride;
        int64_t dense[WEFT_MAX_NDIM];
        wf_contiguous_strides(v->shape.ndim, v->shape.dim, p.item, dense);
        if (memcmp(dense, direct->stride, (size_t)v->shape.ndim * sizeof dense[0]) == 0)
            return copy_flat(t, p.out, p.data + p.begin * p.item, p.end - p.begin, p.item);
        // Only the rows that meet the range: narrow the slowest axis.
        if (v->shape.ndim > 0) {
            int64_t row = wf_shape_size(&v->shape) / v->shape.dim[0];
            p.block.start[0] = p.begin / row;
            p.block.count[0] = (p.end - 1) / row - p.block.start[0] + 1;
            p.data += p.block.start[0] * direct->stride[0];
        }
        return copy_runs(t, &p, false);
    }
    for (int64_t i = 0; i < t->worker->refs.count; i++) {
        int64_t stride[WEFT_MAX_NDIM];
        wf_grid_box(&v->grid, t->worker->refs.item[i].block, &p.block);
        wf_contiguous_strides(v->shape.ndim, p.block.count, p.item, stride);
        p.data = t->worker->data[i];
        p.stride = stride;
        WF_TRY(copy_runs(t, &p, true));
    }
    return WEFT_OK;
}

// One slice of the source at index INDEX of the axis, over the task's other axes.
static weft_status take_slice(wf_task *t, const wf_box *box, int64_t index, int64_t run, char *out,
                              const int64_t *out_stride)
{
    int axis = t->layer->axis;
    wf_box from = *box;
    from.start[axis] = index;
    from.count[axis] = run;
    return wf_task_gather(t, 0, &from, out, out_stride);
}

weft_status wf_task_take(wf_task *t)
{
    const wf_list *list = t->run->list[t->layer->list];
    int axis = t->layer->axis;
    int64_t stride[WEFT_MAX_NDIM], end = t->box.start[axis] + t->box.count[axis];
    wf_contiguous_strides(t->box.ndim, t->box.count,
                          (int64_t)wf_dtype_size(t->run->plan->value[t->layer->write[0]].dtype),
                          stride);
    for (int64_t i = t->box.start[axis]; i < end;) {
        int64_t run = 1;  // consecutive indices are one copy
        while (i + run < end && list->item[i + run] == list->item[i] + run) run++;
        WF_TRY(take_slice(t, &t->box, list->item[i], run,
                          (char *)t->out_data[0] + (i - t->box.start[axis]) * stride[axis],
                          stride));
        i += run;
    }
    return WEFT_OK;
}

weft_status wf_task_compact(wf_task *t)
{
    const wf_layer *l = t->layer;
    int64_t item = (int64_t)wf_dtype_size(t->run->plan->value[l->read[0].value].dtype), done = 0,
            want = t->box.count[0];
    int64_t begin = l->table[2 * t->number], end = l->table[2 * t->number + 1];
    enum { CHUNK = 8192 };
    void *memory;
    WF_TRY(wf_task_scratch(t, CHUNK * (item + 1) + 64, &memory));
    unsigned char *mask = (unsigned char *)memory + CHUNK * item;
    for (int64_t at = begin; at < end; at += CHUNK) {
        wf_box box = { .ndim = 1,
                       .start = { at },
                       .count = { end - at < CHUNK ? end - at : CHUNK } };
        int64_t found;
        WF_TRY(wf_task_gather(t, 0, &box, memory, &item));
        WF_TRY(wf_task_gather(t, 1, &box, mask, (const int64_t[]){ 1 }));
        for (int64_t i = found = 0; i < box.count[0]; i++) found += mask[i] != 0;
        if (done + found > want)
            return wf_fail(WEFT_INTERNAL, "mask: more elements than were counted");
        weft_select s = { .item = item,
                          .n = box.count[0],
                          .in = memory,
                          .mask = mask,
                          .out = (char *)t->out_data[0] + done * item,
                          .count = &found };
        if (!t->worker->dev->ops->select) return wf_task_device_error(t, WEFT_UNSUPPORTED);
        WF_TRY(t->worker->dev->ops->select(t->worker->stream, &s));
        done += found;
    }
    return done == want ? WEFT_OK
                        : wf_fail(WEFT_INTERNAL, "mask: fewer elements than were counted");
}

static void count_io(wf_task *t, wf_stat stat, int64_t bytes)
{
    wf_stats_add(&t->worker->engine->stats, stat, bytes);
    __atomic_add_fetch(&t->run->bytes, bytes, __ATOMIC_RELAXED);
}

static weft_status read_callback(wf_reader_leaf *r, const wf_box *box, void *out)
{
    if (r->serial) wf_mutex_lock(&r->lock);
    weft_status st = r->read(r->context, box->start, box->count, out);
    if (r->serial) wf_mutex_unlock(&r->lock);
    return st;  // with the callback's own sentence
}

weft_status wf_task_source(wf_task *t)
{
    wf_object *leaf = t->run->leaf[t->layer->leaf];
    int64_t from = wf_trace_begin(),
            bytes = wf_box_size(&t->box) * (int64_t)wf_dtype_size(wf_object_header(leaf)->dtype);
    weft_status st;
    if (!t->worker->dev->info.host_visible)
        return wf_fail(WEFT_UNSUPPORTED, "source: reading into memory the host cannot see");
    if (leaf->type == WF_OBJECT_READER) {
        st = read_callback(leaf->data, &t->box, t->out_data[0]);
    } else {
        wf_file *file = ((wf_file_leaf *)leaf->data)->file;
        void *scratch;
        int64_t need = wf_file_scratch(file);
        if (t->number + 2 <
            t->layer->ntask) {  // the inputs of later tasks travel while this one computes
            wf_box ahead;
            wf_layer_box(t->layer, t->number + 2, &ahead);
            wf_file_prefetch(file, &ahead);
        }
        WF_TRY(wf_task_scratch(t, need, &scratch));
        st = wf_file_read(file, &t->box, t->out_data[0], scratch, need);
    }
    wf_trace_end(from, "read", "read", t->number, bytes);
    count_io(t, WF_STAT_BYTES_READ, bytes);
    return st;
}

weft_status wf_task_sink(wf_task *t)
{
    wf_sink_leaf *sink = t->run->leaf[t->layer->leaf]->data;
    wf_writer *writer = t->run->writer[t->layer->leaf];
    int64_t item = (int64_t)wf_dtype_size(sink->dtype), bytes = wf_box_size(&t->box) * item,
            stride[WEFT_MAX_NDIM];
    int64_t need = writer ? wf_writer_scratch(writer, bytes) : 0;
    void *scratch;
    if (bytes == 0) return WEFT_OK;
    WF_TRY(wf_task_scratch(t, need + bytes + 128, &scratch));

    // A chunk that is exactly one block is written from where it lies; anything else is assembled.
    int axis;
    int64_t at;
    wf_span span;
    const void *data = NULL;
    wf_contiguous_strides(t->box.ndim, t->box.count, item, stride);
    if (!wf_task_split(t, 0, &t->box, &axis, &at)) {
        WF_TRY(wf_task_locate(t, 0, &t->box, &span));
        bool dense = true;
        for (int a = 0; a < t->box.ndim; a++)
            dense &= t->box.count[a] == 1 || span.stride[a] == stride[a];
        if (dense) data = span.data;
    }
    if (!data) {
        char *assembled = (char *)scratch + ((need + 63) & ~(int64_t)63);
        WF_TRY(wf_task_gather(t, 0, &t->box, assembled, stride));
        WF_TRY(t->worker->dev->ops->stream_wait(t->worker->stream));
        data = assembled;
    }
    int64_t from = wf_trace_begin();
    wf_box box = t->box;
    for (int a = 0; a < box.ndim; a++) box.start[a] += sink->region.start[a];
    weft_status st;
    if (writer) st = wf_writer_write(writer, &box, data, scratch, need);
    else st = sink->write(sink->context, box.start, box.count, data);
    wf_trace_end(from, "write", "write", t->number, bytes);
    count_io(t, WF_STAT_BYTES_WRITTEN, bytes);
    return st;
}
