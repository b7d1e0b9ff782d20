// SPDX-License-Identifier: Apache-2.0
// source - arrays of data that exists: memory of the caller's, and functions that supply blocks.
#include <string.h>

#include "api/session.h"
#include "io/strided.h"

enum { SMALL_COPY = 64 << 10, READER_BLOCK = 16 << 20 };

// A leaf node over OBJECT, which it takes in any case. STORED: the object is a computed result.
static weft_status make_leaf(weft_dtype dtype, const wf_shape *shape, wf_object *object,
                             bool stored, wf_node **out)
{
    weft_status st = wf_node_create(WF_NODE_LEAF, dtype, shape, 0, NULL, out);
    if (st != WEFT_OK) {
        wf_object_release(object);
        return st;
    }
    if (stored) (*out)->result = object;
    else (*out)->object = object;
    return WEFT_OK;
}

// --- caller memory ---

static weft_status check_strides(const wf_shape *shape, const int64_t *stride)
{
    int64_t low = 0, high = 0;
    for (int i = 0; i < shape->ndim; i++) {
        int64_t reach;
        if (shape->dim[i] == 0) return WEFT_OK;
        if (__builtin_mul_overflow(stride[i], shape->dim[i] - 1, &reach) ||
            __builtin_add_overflow(reach < 0 ? low : high, reach, reach < 0 ? &low : &high))
            return wf_fail(WEFT_OVERFLOW,
                           "from_memory: stride %" PRId64 " on axis %d reaches beyond 64 bits",
                           stride[i], i);
    }
    return WEFT_OK;
}

static size_t alignment(weft_dtype dtype)
{
    size_t size = wf_dtype_size(dtype);
    return wf_dtype_kind(dtype) == 'c' ? size / 2 : size;
}

static bool is_aligned(const void *data, const wf_shape *shape, weft_dtype dtype,
                       const int64_t *stride)
{
    size_t bits = (uintptr_t)data;
    for (int i = 0; i < shape->ndim; i++)
        if (shape->dim[i] > 1) bits |= (size_t)stride[i];
    return bits % alignment(dtype) == 0;
}

// Elements in C order, whatever the strides and the alignment.
static void gather(const char *from, const wf_shape *shape, const int64_t *stride, size_t item,
                   char *out)
{
    int64_t index[WEFT_MAX_NDIM] = { 0 }, left = wf_shape_size(shape);
    int last = shape->ndim - 1;

    while (left > 0) {
        int64_t run = last >= 0 ? shape->dim[last] : 1, step = last >= 0 ? stride[last] : 0;
        if (step == (int64_t)item || run == 1) memcpy(out, from, (size_t)run * item);
        else
            for (int64_t i = 0; i < run; i++)
                memcpy(out + i * (int64_t)item, from + i * step, item);
        out += run * (int64_t)item;
        left -= run;
        for (int i = last - 1; i >= 0; i--) {
            from += stride[i];
            if (++index[i] < shape->dim[i]) break;
            from -= stride[i] * shape->dim[i];
            index[i] = 0;
        }
    }
}

static weft_status copy_small(const void *data, weft_dtype dtype, const wf_shape *shape,
                              const int64_t *stride, wf_object **out)
{
    size_t item = wf_dtype_size(dtype);
    char *copy = wf_alloc((size_t)wf_shape_size(shape) * item);
    if (!copy) return WEFT_NO_MEMORY;
    gather(data, shape, stride, item, copy);
    weft_status st = wf_borrowed_create(copy, dtype, shape, NULL, wf_free, copy, out);
    if (st != WEFT_OK) wf_free(copy);
    return st;
}

static weft_status take_memory(weft_session *session, const void *data, weft_dtype dtype,
                               const wf_shape *shape, const weft_memory_options *opts,
                               wf_node **out)
{
    int64_t size = wf_shape_size(shape), item = (int64_t)wf_dtype_size(dtype),
            stride[WEFT_MAX_NDIM];
    wf_object *object;
    bool stored = false;

    if (!data && size > 0)
        return wf_fail(WEFT_INVALID,
                       "from_memory: data is NULL, but the array has %" PRId64 " elements", size);
    if (opts && opts->strides) memcpy(stride, opts->strides, (size_t)shape->ndim * sizeof *stride);
    else wf_strides_fill(shape->ndim, shape->dim, (size_t)item, false, stride);
    WF_TRY(check_strides(shape, stride));
    if (opts && opts->borrow) {
        if (size > 0 && !is_aligned(data, shape, dtype, stride))
            return wf_fail(
                WEFT_INVALID,
                "from_memory: borrowed %s must be aligned to %zu bytes; without .borrow it is copied",
                wf_dtype_name(dtype), alignment(dtype));
        WF_TRY(
            wf_borrowed_create(data, dtype, shape, stride, opts->release, opts->context, &object));
    } else if (size * item <= SMALL_COPY) {
        WF_TRY(copy_small(data, dtype, shape, stride, &object));
    } else {
        stored = true;
        WF_TRY(wf_engine_import(session->engine, data, dtype, shape, stride, &object));
    }
    if (stored || !(opts && opts->borrow)) return make_leaf(dtype, shape, object, stored, out);
    // Until the array exists the memory is the caller's: a failure must not release it.
    wf_borrowed *b = object->data;
    b->release = NULL;
    WF_TRY(make_leaf(dtype, shape, object, false, out));
    b->release = opts->release;
    return WEFT_OK;
}

weft_array *weft_from_memory(weft_session *session, const void *data, weft_dtype dtype, int ndim,
                             const int64_t *shape, const weft_memory_options *opts)
{
    wf_node *node = NULL;
    wf_shape s;

    weft_status st = wf_session_check("from_memory", session);
    if (st == WEFT_OK) st = WF_CHECK_TAIL("from_memory", opts);
    if (st == WEFT_OK && dtype && !wf_dtype_is_valid(dtype))
        st = wf_fail(WEFT_INVALID, "from_memory: expected a dtype, got the number %d", (int)dtype);
    if (st == WEFT_OK && ndim > 0 && !shape)
        st = wf_fail(WEFT_INVALID, "from_memory: %d axes, but the shape is NULL", ndim);
    if (st == WEFT_OK) st = wf_shape_init(&s, "from_memory", ndim, shape);
    if (st == WEFT_OK)
        st = take_memory(session, data, dtype ? dtype : WEFT_FLOAT64, &s, opts, &node);
    weft_array *x = wf_array_give(session, st, node, SITE);
    if (x && opts && !opts->borrow && opts->release) opts->release(opts->context);
    return x;
}

// --- readers ---

// What stands between the engine and a reader of the user's.
typedef struct reader {
    weft_read_fn *read;
    void *context;
    bool serial;
    void (*release)(void *data);  // of the leaf
} reader;

static weft_status call_reader(void *context, const int64_t *start, const int64_t *count, void *out)
{
    static wf_mutex turn = WF_MUTEX_INIT;  // all serial readers of the process
    const reader *r = context;

    if (r->serial) wf_mutex_lock(&turn);
    wf_callback_begin();
    weft_status st = wf_callback_end("from_reader", r->read(r->context, start, count, out));
    if (r->serial) wf_mutex_unlock(&turn);
    return st;
}

static void release_reader(void *data)
{
    reader *r = ((wf_reader_leaf *)data)->context;
    r->release(data);
    wf_free(r);
}

static weft_status make_reader(weft_session *session, const reader *how, weft_dtype dtype,
                               const wf_shape *shape, wf_node **out)
{
    wf_object *object;
    wf_grid grid;
    reader *r = wf_alloc(sizeof *r);

    if (!r) return WEFT_NO_MEMORY;
    *r = *how;
    weft_status st = wf_default_grid(session, shape, dtype, &grid);
    if (st == WEFT_OK) {
        st = wf_reader_leaf_create(call_reader, r, false, dtype, shape, &grid, &object);
        wf_grid_fini(&grid);
    }
    if (st != WEFT_OK) {
        wf_free(r);
        return st;
    }
    r->release = object->release;
    object->release = release_reader;
    return make_leaf(dtype, shape, object, false, out);
}

static weft_array *from_reader(const char *where, weft_session *session, const reader *how,
                               weft_dtype dtype, int ndim, const int64_t *dim, const void *site)
{
    wf_node *node = NULL;
    wf_shape shape;

    weft_status st = wf_session_check(where, session);
    if (st == WEFT_OK && !how->read) st = wf_fail(WEFT_INVALID, "%s: the function is NULL", where);
    if (st == WEFT_OK && dtype && !wf_dtype_is_valid(dtype))
        st = wf_fail(WEFT_INVALID, "%s: expected a dtype, got the number %d", where, (int)dtype);
    if (st == WEFT_OK && ndim > 0 && !dim)
        st = wf_fail(WEFT_INVALID, "%s: %d axes, but the shape is NULL", where, ndim);
    if (st == WEFT_OK) st = wf_shape_init(&shape, where, ndim, dim);
    if (st == WEFT_OK) st = make_reader(session, how, dtype ? dtype : WEFT_FLOAT64, &shape, &node);
    return wf_array_give(session, st, node, site);
}

weft_array *weft_from_reader(weft_session *session, weft_read_fn *read, void *context,
                             weft_dtype dtype, int ndim, const int64_t *shape)
{
    return from_reader("from_reader", session, &(reader){ .read = read, .context = context }, dtype,
                       ndim, shape, SITE);
}

weft_array *weft_from_reader_serial(weft_session *session, weft_read_fn *read, void *context,
                                    weft_dtype dtype, int ndim, const int64_t *shape)
{
    return from_reader("from_reader_serial", session,
                       &(reader){ .read = read, .context = context, .serial = true }, dtype, ndim,
                       shape, SITE);
}

weft_status wf_default_grid(const weft_session *session, const wf_shape *shape, weft_dtype dtype,
                            wf_grid *out)
{
    const wf_plan_options *opts = wf_session_plan_options(session);
    int64_t block[WEFT_MAX_NDIM];

    if (opts->nblock == 0) {
        int64_t bytes = opts->block_size < READER_BLOCK ? opts->block_size : READER_BLOCK;
        wf_grid_auto(out, shape, wf_dtype_size(dtype), bytes);
        return WEFT_OK;
    }
    for (int i = 0; i < shape->ndim; i++)
        block[i] = opts->block[i < opts->nblock ? i : opts->nblock - 1];
    return wf_grid_init(out, shape, block);
}

weft_status wf_node_grid(const weft_session *session, wf_node *node, wf_grid *out)
{
    // Memory has no blocks of its own: it is cut as new arrays are.
    const wf_object *object = node->result ? NULL : node->object;
    if (node->kind == WF_NODE_LEAF && object && !node->grid && wf_object_header(object)->direct &&
        wf_grid_nblock(&wf_object_header(object)->grid) <= 1)
        return wf_default_grid(session, &node->shape, (weft_dtype)node->dtype, out);
    return wf_node_natural_grid(node, wf_session_plan_options(session), out);
}

weft_status wf_session_grid(weft_session *session, wf_node *node, wf_grid *out)
{
    wf_mutex_lock(&session->plan_lock);
    weft_status st = wf_node_grid(session, node, out);
    wf_mutex_unlock(&session->plan_lock);
    return st;
}

// --- another grid for a source ---

// A leaf that looks at another's source.
typedef struct recut {
    union {
        wf_leaf_header header;
        wf_borrowed memory;
        wf_file_leaf file;
        wf_reader_leaf reader;
    } as;  // first: the engine sees only this
    wf_object *source;
} recut;

static void release_recut(void *data)
{
    recut *r = data;
    wf_grid_fini(&r->as.header.grid);
    wf_object_release(r->source);
    wf_free(r);
}

// Whether blocks of GRID are whole chunks of CHUNKS.
static bool is_whole_chunks(const wf_grid *grid, const wf_grid *chunks)
{
    for (int i = 0; i < grid->ndim; i++) {
        const wf_grid_axis *g = &grid->axis[i], *c = &chunks->axis[i];
        if (g->nblock <= 1) continue;
        if (g->cuts || c->cuts || c->extent == 0 || g->extent % c->extent != 0) return false;
    }
    return true;
}

static bool can_recut(const wf_object *source, const wf_grid *grid)
{
    switch (source->type) {
    case WF_OBJECT_MEMORY:
    case WF_OBJECT_READER: return true;
    case WF_OBJECT_FILE: {
        const wf_file_info *info = wf_file_get_info(((const wf_file_leaf *)source->data)->file);
        return !info->chunked || is_whole_chunks(grid, &info->grid);
    }
    default: return false;
    }
}

static size_t leaf_size(int type)
{
    return type == WF_OBJECT_MEMORY ? sizeof(wf_borrowed)
           : type == WF_OBJECT_FILE ? sizeof(wf_file_leaf)
                                    : sizeof(wf_reader_leaf);
}

// Takes SOURCE, a reference, in any case.
static weft_status make_recut(wf_object *source, const wf_grid *grid, wf_node **out)
{
    const wf_leaf_header *h = wf_object_header(source);
    recut *r = wf_alloc(sizeof *r);
    wf_object *object;

    if (!r) {
        wf_object_release(source);
        return WEFT_NO_MEMORY;
    }
    memcpy(&r->as, source->data,
           leaf_size(source->type));  // a reader's lock is not used: call_reader has its own
    r->as.header.grid = wf_grid_share(grid);
    r->source = source;
    weft_status st = wf_object_create(source->type, r, release_recut, source->identity, &object);
    if (st != WEFT_OK) {
        release_recut(r);
        return st;
    }
    return make_leaf(h->dtype, &h->shape, object, false, out);
}

weft_status wf_leaf_recut(weft_session *session, wf_node *x, const wf_grid *grid, wf_node **out)
{
    wf_object *source = NULL;

    *out = NULL;
    wf_mutex_lock(&session->plan_lock);
    if (x->kind == WF_NODE_LEAF && !x->result && x->object && can_recut(x->object, grid)) {
        source = x->object;
        wf_object_retain(source);
    }
    wf_mutex_unlock(&session->plan_lock);
    return source ? make_recut(source, grid, out) : WEFT_OK;
}
