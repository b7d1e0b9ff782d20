// SPDX-License-Identifier: Apache-2.0
// leaf - making and unmaking what stands at the ends of a graph.
#include "exec/leaf.h"

#include <string.h>

#include "exec/run.h"

wf_stored *wf_object_stored(const wf_object *object)
{
    return object && object->type == WF_OBJECT_STORED ? object->data : NULL;
}

static void destroy_stored(void *data)
{
    wf_stored *s = data;
    for (int64_t i = 0; i < s->nblock; i++) wf_block_release(s->block[i]);
    wf_free(s->block);
    wf_grid_fini(&s->header.grid);
    wf_free(s);
}

weft_status wf_stored_create(wf_store *store, weft_dtype dtype, const wf_grid *grid,
                             wf_object **out)
{
    wf_stored *s = wf_alloc(sizeof *s);
    if (!s) return WEFT_NO_MEMORY;
    s->store = store;
    s->nblock = wf_grid_nblock(grid);
    s->header = (wf_leaf_header){
        .dtype = dtype, .shape = wf_grid_shape(grid), .grid = wf_grid_share(grid), .blocks = true
    };
    s->block = wf_calloc((size_t)s->nblock, sizeof *s->block);
    if (!s->block || wf_object_create(WF_OBJECT_STORED, s, destroy_stored, 0, out) != WEFT_OK) {
        s->nblock = 0;
        destroy_stored(s);
        return WEFT_NO_MEMORY;
    }
    return WEFT_OK;
}

static void destroy_borrowed(void *data)
{
    wf_borrowed *b = data;
    if (b->release) b->release(b->context);
    wf_grid_fini(&b->header.grid);
    wf_free(b->copy);
    wf_free(b);
}

static void one_block(wf_grid *grid, const wf_shape *shape)
{
    *grid = (wf_grid){ .ndim = shape->ndim };
    for (int i = 0; i < shape->ndim; i++)
        grid->axis[i] = (wf_grid_axis){ .dim = shape->dim[i],
                                        .extent = shape->dim[i] ? shape->dim[i] : 1,
                                        .nblock = shape->dim[i] ? 1 : 0 };
}

weft_status wf_borrowed_create(const void *data, weft_dtype dtype, const wf_shape *shape,
                               const int64_t *stride, void (*release)(void *), void *context,
                               wf_object **out)
{
    wf_borrowed *b = wf_alloc(sizeof *b);
    if (!b) return WEFT_NO_MEMORY;
    b->header = (wf_leaf_header){ .dtype = dtype, .shape = *shape, .direct = true, .data = data };
    one_block(&b->header.grid, shape);
    if (stride) memcpy(b->header.stride, stride, (size_t)shape->ndim * sizeof *stride);
    else
        wf_contiguous_strides(shape->ndim, shape->dim, (int64_t)wf_dtype_size(dtype),
                              b->header.stride);
    if (wf_object_create(WF_OBJECT_MEMORY, b, destroy_borrowed, 0, out) != WEFT_OK) {
        wf_free(b);
        return WEFT_NO_MEMORY;
    }
    b->release = release;
    b->context = context;
    return WEFT_OK;
}

static void destroy_file(void *data)
{
    wf_file_leaf *f = data;
    wf_file_close(f->file);
    wf_grid_fini(&f->header.grid);
    wf_free(f);
}

weft_status wf_file_leaf_create(const char *path, const wf_open_options *opts, wf_object **out)
{
    wf_file_leaf *f = wf_alloc(sizeof *f);
    if (!f) return WEFT_NO_MEMORY;
    weft_status st = wf_file_open(path, opts, &f->file);
    if (st == WEFT_OK) {
        const wf_file_info *info = wf_file_get_info(f->file);
        f->header = (wf_leaf_header){ .dtype = info->dtype,
                                      .shape = info->shape,
                                      .direct = info->mapped,
                                      .data = info->data,
                                      .scratch = wf_file_block_scratch(f->file) };
        memcpy(f->header.stride, info->stride, sizeof info->stride);
        if (info->chunked || !info->mapped) f->header.grid = wf_grid_share(&info->grid);
        else one_block(&f->header.grid, &info->shape);
        // A file without chunks that cannot be mapped reads equally well in any boxes: cut it.
        if (!info->chunked && !info->mapped)
            wf_grid_auto(&f->header.grid, &info->shape, wf_dtype_size(info->dtype), 4 << 20);
        st = wf_object_create(WF_OBJECT_FILE, f, destroy_file, info->fingerprint, out);
    }
    if (st != WEFT_OK) destroy_file(f);
    return st;
}

static void destroy_reader(void *data)
{
    wf_reader_leaf *r = data;
    wf_mutex_fini(&r->lock);
    wf_grid_fini(&r->header.grid);
    wf_free(r);
}

weft_status wf_reader_leaf_create(wf_read_callback *read, void *context, bool serial,
                                  weft_dtype dtype, const wf_shape *shape, const wf_grid *grid,
                                  wf_object **out)
{
    wf_reader_leaf *r = wf_alloc(sizeof *r);
    if (!r) return WEFT_NO_MEMORY;
    wf_mutex_init(&r->lock);
    r->header = (wf_leaf_header){ .dtype = dtype, .shape = *shape, .grid = wf_grid_share(grid) };
    r->read = read;
    r->context = context;
    r->serial = serial;
    weft_status st = wf_object_create(WF_OBJECT_READER, r, destroy_reader, 0, out);
    if (st != WEFT_OK) destroy_reader(r);
    return st;
}

void wf_sink_leaf_destroy(void *sink)
{
    wf_sink_leaf *s = sink;
    if (!s) return;
    wf_grid_fini(&s->header.grid);
    wf_free(s->path);
    wf_free(s->codec);
    wf_free(s->dims);
    wf_free(s->attributes);
    wf_free(s);
}
