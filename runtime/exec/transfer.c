// SPDX-License-Identifier: Apache-2.0
// transfer - between the caller's memory and blocks: reading results out, taking arrays in.
#include <string.h>

#include "exec/run.h"

typedef struct reader {
    wf_worker worker;     // only its device, stream
    wf_program *convert;  // NULL: same dtype
    int64_t in_item, out_item;
} reader;

static weft_status conversion(weft_dtype from, weft_dtype to, wf_program **out)
{
    wf_program_builder *b;
    *out = NULL;
    if (from == to) return WEFT_OK;
    WF_TRY(wf_program_builder_create(&b));
    int operand = wf_program_add_input(b, false, from);
    int value = operand < 0 ? -1 : wf_program_load(b, operand);
    if (value >= 0) value = wf_program_cast(b, value, to);
    weft_status st = value < 0 ? wf_last_status() : wf_program_store(b, value, to);
    if (st == WEFT_OK) return wf_program_build(b, out);
    wf_program_builder_destroy(b);
    return st;
}

// BOX of the source at DATA (address of the box's first element) to OUT, both strided.
static weft_status move_box(reader *r, const wf_box *box, const void *data,
                            const int64_t *in_stride, void *out, const int64_t *out_stride)
{
    const weft_device_ops *ops = r->worker.dev->ops;
    weft_status st;
    if (!r->convert) {
        weft_copy_box c = { .ndim = box->ndim, .item = r->in_item, .out = out, .in = data };
        memcpy(c.count, box->count, sizeof c.count);
        memcpy(c.in_stride, in_stride, (size_t)box->ndim * sizeof *in_stride);
        memcpy(c.out_stride, out_stride, (size_t)box->ndim * sizeof *out_stride);
        st = ops->copy_box(r->worker.stream, &c);
    } else {
        wf_operand in = { .data = (void *)(uintptr_t)data }, to = { .data = out };
        memcpy(in.stride, in_stride, (size_t)box->ndim * sizeof *in_stride);
        memcpy(to.stride, out_stride, (size_t)box->ndim * sizeof *out_stride);
        wf_launch l = { .program = r->convert, .ndim = box->ndim, .in = &in, .out = &to };
        memcpy(l.count, box->count, sizeof l.count);
        st = ops->launch(r->worker.stream, &l);
    }
    return st == WEFT_OK ? ops->stream_wait(r->worker.stream) : st;
}

// Whether PIECE of BLOCK, elsewhere than in memory that we read, is one run of bytes both there and
// where it goes: then these bytes are all that moves, and no memory is needed for them.
static bool is_one_run(const reader *r, const wf_stored *s, int64_t index, const wf_box *block,
                       const wf_box *piece, const int64_t *out_stride)
{
    int64_t there = r->in_item, want = r->in_item;
    if (r->convert || wf_block_is_resident(s->block[index], r->worker.device)) return false;
    for (int a = piece->ndim - 1; a >= 0; a--) {
        if (piece->count[a] > 1 && (there != want || out_stride[a] != want)) return false;
        there *= block->count[a];
        want *= piece->count[a];
    }
    return true;
}

static weft_status read_run(const reader *r, const wf_stored *s, int64_t index, const wf_box *block,
                            const wf_box *piece, const wf_box *box, char *out,
                            const int64_t *out_stride)
{
    int64_t offset = 0;
    for (int a = 0; a < piece->ndim; a++) {
        offset = offset * block->count[a] + piece->start[a] - block->start[a];
        out += (piece->start[a] - box->start[a]) * out_stride[a];
    }
    return wf_block_read(s->block[index], offset * r->in_item, wf_box_size(piece) * r->in_item,
                         out);
}

static weft_status read_block(reader *r, const wf_stored *s, int64_t index, const wf_box *box,
                              char *out, const int64_t *out_stride)
{
    wf_box block, piece;
    wf_grid_box(&s->header.grid, index, &block);
    if (!wf_box_intersect(&block, box, &piece)) return WEFT_OK;
    if (is_one_run(r, s, index, &block, &piece, out_stride))
        return read_run(r, s, index, &block, &piece, box, out, out_stride);
    wf_reservation memory = { 0 };
    void *data;
    weft_status st;
    for (int attempt = 0;; attempt++) {
        uint64_t turn = wf_store_turn(s->store);
        st = wf_store_reserve(s->store, r->worker.device,
                              wf_block_pin_bytes(s->block[index], r->worker.device), &memory);
        if (st == WEFT_BUSY && attempt < 60) {
            wf_store_wait(s->store, turn, 1.0);
            continue;
        }
        WF_TRY(st);
        st = wf_block_pin(s->block[index], r->worker.device, &memory, &data);
        wf_store_unreserve(s->store, &memory);
        if (st != WEFT_NO_MEMORY || attempt >= 60) break;
    }
    WF_TRY(st);
    int64_t stride[WEFT_MAX_NDIM];
    wf_contiguous_strides(box->ndim, block.count, r->in_item, stride);
    const char *from = data;
    for (int a = 0; a < box->ndim; a++) {
        from += (piece.start[a] - block.start[a]) * stride[a];
        out += (piece.start[a] - box->start[a]) * out_stride[a];
    }
    st = move_box(r, &piece, from, stride, out, out_stride);
    wf_block_unpin(s->block[index], r->worker.device);
    return st;
}

static weft_status read_stored(reader *r, const wf_stored *s, const wf_box *box, void *out,
                               const int64_t *out_stride)
{
    int64_t first[WEFT_MAX_NDIM], count[WEFT_MAX_NDIM], at[WEFT_MAX_NDIM],
        coord[WEFT_MAX_NDIM] = { 0 };
    for (int a = 0; a < box->ndim; a++) {
        first[a] = wf_axis_find(&s->header.grid.axis[a], box->start[a]);
        count[a] =
            wf_axis_find(&s->header.grid.axis[a], box->start[a] + box->count[a] - 1) - first[a] + 1;
    }
    for (;;) {
        for (int a = 0; a < box->ndim; a++) at[a] = first[a] + coord[a];
        WF_TRY(read_block(r, s, wf_grid_index(&s->header.grid, at), box, out, out_stride));
        int a = box->ndim - 1;
        while (a >= 0 && ++coord[a] == count[a]) coord[a--] = 0;
        if (a < 0) return WEFT_OK;
    }
}

weft_status wf_engine_read(wf_engine *engine, const wf_object *object, const wf_box *box,
                           weft_dtype as, void *out)
{
    const wf_leaf_header *h = wf_object_header(object);
    reader r = { .in_item = (int64_t)wf_dtype_size(h->dtype),
                 .out_item = (int64_t)wf_dtype_size(as) };
    int64_t stride[WEFT_MAX_NDIM];
    if (wf_box_size(box) == 0) return WEFT_OK;
    WF_TRY(conversion(h->dtype, as, &r.convert));
    weft_status st = wf_worker_init(&r.worker, engine, wf_engine_host_device(engine));
    wf_contiguous_strides(box->ndim, box->count, r.out_item, stride);
    if (st == WEFT_OK && h->direct) {
        const char *from = h->data;
        for (int a = 0; a < box->ndim; a++) from += box->start[a] * h->stride[a];
        st = move_box(&r, box, from, h->stride, out, stride);
    } else if (st == WEFT_OK && h->blocks) {
        st = read_stored(&r, wf_object_stored(object), box, out, stride);
    } else if (st == WEFT_OK) {
        st = wf_fail(WEFT_INTERNAL, "get: the array was not computed");
    }
    wf_worker_fini(&r.worker);
    wf_program_destroy(r.convert);
    if (st == WEFT_DEVICE) wf_engine_check_devices(engine);
    return st;
}

static weft_status import_block(wf_engine *e, wf_worker *w, wf_stored *s, int64_t index,
                                const char *data, const int64_t *stride)
{
    wf_box box;
    int64_t item = (int64_t)wf_dtype_size(s->header.dtype);
    wf_grid_box(&s->header.grid, index, &box);
    int64_t bytes = wf_box_size(&box) * item;
    wf_reservation memory;
    weft_status st = WEFT_BUSY;
    for (int attempt = 0; attempt < 60 && st == WEFT_BUSY; attempt++) {
        uint64_t turn = wf_store_turn(e->store);
        st = wf_store_reserve(e->store, w->device, bytes, &memory);
        if (st == WEFT_BUSY) wf_store_wait(e->store, turn, 1.0);
    }
    WF_TRY(st);
    wf_block *block;
    void *to;
    st = wf_block_create(e->store, &memory, bytes, &block);
    if (st == WEFT_OK) {
        wf_reservation none = { .device = w->device };
        st = wf_block_pin(block, w->device, &none, &to);
        weft_copy_box c = { .ndim = box.ndim, .item = item, .out = to, .in = data };
        memcpy(c.count, box.count, sizeof c.count);
        memcpy(c.in_stride, stride, (size_t)box.ndim * sizeof *stride);
        wf_contiguous_strides(box.ndim, box.count, item, c.out_stride);
        for (int a = 0; a < box.ndim; a++) c.in = (const char *)c.in + box.start[a] * stride[a];
        if (st == WEFT_OK) {
            st = w->dev->ops->copy_box(w->stream, &c);
            if (st == WEFT_OK) st = w->dev->ops->stream_wait(w->stream);
            wf_block_unpin(block, w->device);
        }
        wf_block_seal(block, 1e9);  // cannot be made again: goes to disk last
        s->block[index] = block;
    }
    wf_store_unreserve(e->store, &memory);
    return st;
}

weft_status wf_engine_import(wf_engine *engine, const void *data, weft_dtype dtype,
                             const wf_shape *shape, const int64_t *stride, wf_object **out)
{
    wf_grid grid;
    wf_object *object;
    wf_worker w = { 0 };
    int64_t dense[WEFT_MAX_NDIM];
    int64_t most =
        engine->plan_options.budget / 8 < (4 << 20) ? engine->plan_options.budget / 8 : 4 << 20;
    wf_grid_auto(&grid, shape, wf_dtype_size(dtype), most);
    if (!stride) {
        wf_contiguous_strides(shape->ndim, shape->dim, (int64_t)wf_dtype_size(dtype), dense);
        stride = dense;
    }
    WF_TRY(wf_stored_create(engine->store, dtype, &grid, &object));
    wf_stored *s = wf_object_stored(object);
    weft_status st = wf_worker_init(&w, engine, wf_engine_host_device(engine));
    for (int64_t i = 0; i < s->nblock && st == WEFT_OK; i++)
        st = import_block(engine, &w, s, i, data, stride);
    wf_worker_fini(&w);
    if (st == WEFT_OK) *out = object;
    else wf_object_release(object);
    return st;
}
