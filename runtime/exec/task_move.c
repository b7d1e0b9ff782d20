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
            WF_TRY(wf_task_copy_piece(t, &c));
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
        WF_TRY(copy_runs(t, &p, false));
        return wf_task_flush_pieces(t);
    }
    for (int64_t i = 0; i < t->worker->refs.count; i++) {
        int64_t stride[WEFT_MAX_NDIM];
        wf_grid_box(&v->grid, t->worker->refs.item[i].block, &p.block);
        wf_contiguous_strides(v->shape.ndim, p.block.count, p.item, stride);
        p.data = t->worker->data[i];
        p.stride = stride;
        WF_TRY(copy_runs(t, &p, true));
    }
    return wf_task_flush_pieces(t);
}

// One slice of the source at index INDEX of the axis, over the task's other axes.
static weft_status take_slice(wf_task *t, const wf_box *box, int64_t index, int64_t run, char *out,
                              const int64_t *out_stride)
{
    int axis = t->layer->axis;
    wf_box from = *box;
    from.start[axis] = index;
    from.count[axis] = run;
    return wf_task_gather_pieces(t, 0, &from, out, out_stride);
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
    return wf_task_flush_pieces(t);
}

static weft_status fail_more(void)
{
    return wf_fail(WEFT_INTERNAL, "mask: more elements than were counted");
}

// What S selects, to OUT, which has room for ROOM elements.
static weft_status select_seen(wf_task *t, weft_select *s, void *out, int64_t room)
{
    int64_t found = 0;
    for (int64_t i = 0; i < s->n; i++) found += s->mask[i] != 0;
    if (found > room) return fail_more();
    s->out = out;
    return t->worker->dev->ops->select(t->worker->stream, s);
}

// The host does not see how many there will be: into ASIDE first.
static weft_status select_unseen(wf_task *t, weft_select *s, void *aside, void *out, int64_t room)
{
    const wf_worker *w = t->worker;
    s->out = aside;
    weft_status st = w->dev->ops->select(w->stream, s);
    weft_status done = w->dev->ops->stream_wait(w->stream);  // COUNT is there now
    WF_TRY(st);
    WF_TRY(done);
    if (*s->count > room) return fail_more();
    return *s->count ? copy_flat(t, out, aside, *s->count, s->item) : WEFT_OK;
}

// The elements of the operand in BEGIN..END whose mask is true, CHUNK at a time in MEMORY: room for
// ROOM bytes of each, the last one its mask's.
static weft_status compact(wf_task *t, int64_t begin, int64_t end, char *memory, int64_t chunk,
                           int64_t room)
{
    int64_t item = (int64_t)wf_dtype_size(t->run->plan->value[t->layer->read[0].value].dtype);
    int64_t done = 0, want = t->box.count[0];
    char *aside = memory + chunk * item;
    unsigned char *mask = (unsigned char *)memory + chunk * (room - 1);
    for (int64_t at = begin; at < end; at += chunk) {
        wf_box box = { .ndim = 1,
                       .start = { at },
                       .count = { end - at < chunk ? end - at : chunk } };
        int64_t found = 0;
        char *out = (char *)t->out_data[0] + done * item;
        weft_select s = {
            .item = item, .n = box.count[0], .in = memory, .mask = mask, .count = &found
        };
        WF_TRY(wf_task_gather(t, 0, &box, memory, &item));
        WF_TRY(wf_task_gather(t, 1, &box, mask, (const int64_t[]){ 1 }));
        WF_TRY(t->worker->dev->info.host_visible ? select_seen(t, &s, out, want - done)
                                                 : select_unseen(t, &s, aside, out, want - done));
        done += found;
    }
    return done == want ? WEFT_OK
                        : wf_fail(WEFT_INTERNAL, "mask: fewer elements than were counted");
}

weft_status wf_task_compact(wf_task *t)
{
    const wf_layer *l = t->layer;
    int64_t chunk = l->scratch_bytes / WF_COMPACT_BYTES;
    int64_t item = (int64_t)wf_dtype_size(t->run->plan->value[l->read[0].value].dtype);
    int64_t room = (t->worker->dev->info.host_visible ? 1 : 2) * item + 1;
    void *memory;
    if (!t->worker->dev->ops->select) return wf_task_device_error(t, WEFT_UNSUPPORTED);
    WF_TRY(wf_task_scratch(t, chunk * room, &memory));
    return wf_task_device_error(
        t, compact(t, l->table[2 * t->number], l->table[2 * t->number + 1], memory, chunk, room));
}

void wf_task_count_io(wf_task *t, wf_stat stat, int64_t bytes)
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

// Later tasks' inputs travel while this one computes.
static void prefetch_source(const wf_task *t, wf_file *file)
{
    wf_box ahead;
    if (t->number + 2 >= t->layer->ntask) return;
    wf_layer_box(t->layer, t->number + 2, &ahead);
    wf_file_prefetch(file, &ahead);
}

static weft_status read_leaf(wf_object *leaf, const wf_box *box, void *out, void *scratch,
                             int64_t bytes)
{
    if (leaf->type == WF_OBJECT_READER) return read_callback(leaf->data, box, out);
    return wf_file_read(((wf_file_leaf *)leaf->data)->file, box, out, scratch, bytes);
}

// What was read of BOX, to the pieces that the value's readers want.
static weft_status cut_pieces(wf_task *t, const wf_box *box, const char *data)
{
    const wf_worker *w = t->worker;
    const wf_value *v = &t->run->plan->value[t->layer->write[0]];
    weft_copy_box c = { .ndim = box->ndim, .item = (int64_t)wf_dtype_size(v->dtype) };
    wf_contiguous_strides(c.ndim, box->count, c.item, c.in_stride);
    for (int64_t k = 0; k < w->nout; k++) {
        wf_box piece, part;
        wf_grid_box(&v->grid, w->out[k].number, &piece);
        if (!wf_box_intersect(&piece, box, &part)) continue;
        wf_contiguous_strides(c.ndim, piece.count, c.item, c.out_stride);
        memcpy(c.count, part.count, sizeof c.count);
        c.out = w->out[k].data;
        c.in = data;
        for (int a = 0; a < c.ndim; a++) {
            c.in = (const char *)c.in + (part.start[a] - box->start[a]) * c.in_stride[a];
            c.out = (char *)c.out + (part.start[a] - piece.start[a]) * c.out_stride[a];
        }
        WF_TRY(w->dev->ops->copy_box(w->stream, &c));
    }
    return w->dev->ops->stream_wait(w->stream);
}

// A task of a value that was cut covers one or more chunks: each is read whole, once, and cut.
static weft_status read_and_cut(wf_task *t, wf_object *leaf)
{
    const wf_leaf_header *h = wf_object_header(leaf);
    const wf_value chunks = { .grid = h->grid, .cut = true };
    int64_t most = wf_grid_max_block(&h->grid) * (int64_t)wf_dtype_size(h->dtype);
    int64_t n = wf_layer_write_count(t->layer, &chunks, t->number),
            room = (most + 63) & ~(int64_t)63;
    char *data;
    void *scratch;
    WF_TRY(wf_task_scratch(t, room + h->scratch, &scratch));
    data = scratch;
    for (int64_t k = 0; k < n; k++) {
        wf_box box;
        wf_grid_box(&h->grid, wf_layer_write_block(t->layer, &chunks, t->number, k), &box);
        WF_TRY(read_leaf(leaf, &box, data, data + room, h->scratch));
        WF_TRY(cut_pieces(t, &box, data));
    }
    return WEFT_OK;
}

weft_status wf_task_source(wf_task *t)
{
    wf_object *leaf = t->run->leaf[t->layer->leaf];
    const wf_leaf_header *h = wf_object_header(leaf);
    int64_t from = wf_trace_begin(),
            bytes = wf_box_size(&t->box) * (int64_t)wf_dtype_size(h->dtype);
    weft_status st;
    void *scratch;
    if (h->direct) return wf_task_copy_lent(t);
    if (leaf->type == WF_OBJECT_FILE) prefetch_source(t, ((wf_file_leaf *)leaf->data)->file);
    if (t->run->plan->value[t->layer->write[0]].cut) {
        st = read_and_cut(t, leaf);
    } else {
        WF_TRY(wf_task_scratch(t, h->scratch, &scratch));
        st = read_leaf(leaf, &t->box, t->out_data[0], scratch, h->scratch);
    }
    wf_trace_end(from, "read", "read", t->number, bytes);
    wf_task_count_io(t, WF_STAT_BYTES_READ, bytes);
    return st;
}

// The box as it is to be written, contiguous: where it lies, if it is one block, else put together
// at ASSEMBLED; ASIDE is room for it once more in layers that want it.
static weft_status assemble(wf_task *t, char *assembled, char *aside, const void **out)
{
    int64_t at, stride[WEFT_MAX_NDIM];
    int axis;
    wf_span span;
    wf_contiguous_strides(
        t->box.ndim, t->box.count,
        (int64_t)wf_dtype_size(t->run->plan->value[t->layer->read[0].value].dtype), stride);
    *out = assembled;
    if (t->layer->aside) return wf_task_read_aside(t, 0, &t->box, aside, assembled, stride);
    if (!wf_task_split(t, 0, &t->box, &axis, &at)) {
        bool dense = true;
        WF_TRY(wf_task_locate(t, 0, &t->box, &span));
        for (int a = 0; a < t->box.ndim; a++)
            dense &= t->box.count[a] == 1 || span.stride[a] == stride[a];
        if (dense) *out = span.data;
        if (dense) return WEFT_OK;
    }
    return wf_task_gather(t, 0, &t->box, assembled, stride);
}

weft_status wf_task_sink(wf_task *t)
{
    wf_sink_leaf *sink = t->run->leaf[t->layer->leaf]->data;
    wf_writer *writer = t->run->writer[t->layer->leaf];
    int64_t bytes = wf_box_size(&t->box) * (int64_t)wf_dtype_size(sink->dtype);
    int64_t need = writer ? wf_writer_block_scratch(writer, bytes) : 0;
    int64_t room = (bytes + 63) & ~(int64_t)63, used = t->layer->aside ? 2 * room : room;
    const void *data;
    void *memory;
    if (bytes == 0) return WEFT_OK;
    WF_TRY(wf_task_scratch(t, used + need,
                           &memory));  // what is written begins on a page, as direct I/O wants
    char *scratch = (char *)memory + used;
    WF_TRY(assemble(t, memory, (char *)memory + room, &data));
    WF_TRY(t->worker->dev->ops->stream_wait(t->worker->stream));

    int64_t from = wf_trace_begin();
    wf_box box = t->box;
    for (int a = 0; a < box.ndim; a++) box.start[a] += sink->region.start[a];
    weft_status st;
    if (writer) st = wf_writer_write(writer, &box, data, scratch, need);
    else st = sink->write(sink->context, box.start, box.count, data);
    wf_trace_end(from, "write", "write", t->number, bytes);
    if (!writer) wf_task_count_io(t, WF_STAT_BYTES_WRITTEN, bytes);
    else
        __atomic_add_fetch(&t->run->bytes, bytes, __ATOMIC_RELAXED);  // stored: when it is complete
    return st;
}
