// SPDX-License-Identifier: Apache-2.0
// file - the public calls for array files: load, sink, save, and sinks that are functions of the
// user's.
#include <string.h>

#include "api/session.h"
#include "observe/log.h"

enum { ANY_BOX_SCRATCH = 1 << 20 };  // at least what an unchunked format converts at a time

// --- loading ---

static weft_status open_options(const weft_load_options *opts, wf_open_options *out)
{
    memset(out, 0, sizeof *out);
    if (!opts || !opts->raw) return WEFT_OK;
    if (!wf_dtype_is_valid(opts->dtype))
        return wf_fail(WEFT_INVALID, "load: a raw file needs a dtype, got the number %d",
                       (int)opts->dtype);
    if (opts->ndim > 0 && !opts->shape)
        return wf_fail(WEFT_INVALID, "load: %d axes, but the shape is NULL", opts->ndim);
    out->raw = true;
    out->dtype = opts->dtype;
    return wf_shape_init(&out->shape, "load", opts->ndim, opts->shape);
}

static weft_status load(const char *path, const weft_load_options *opts, wf_node **out)
{
    wf_open_options how;
    wf_object *object;

    WF_TRY(WF_CHECK_TAIL("load", opts));
    if (!path) return wf_fail(WEFT_INVALID, "load: the path is NULL");
    WF_TRY(open_options(opts, &how));
    WF_TRY(wf_file_leaf_create(path, &how, &object));
    const wf_leaf_header *h = wf_object_header(object);
    char shape[512];
    if (wf_log_is_on(WF_LOG_DEBUG))
        wf_log(WF_LOG_DEBUG, "load: opened '%s': %s %s%s", path, wf_dtype_name(h->dtype),
               wf_shape_text(&h->shape, shape), h->direct ? ", mapped" : "");
    weft_status st = wf_node_create(WF_NODE_LEAF, h->dtype, &h->shape, 0, NULL, out);
    if (st == WEFT_OK) (*out)->object = object;
    else wf_object_release(object);
    return st;
}

weft_array *weft_load(weft_session *session, const char *path, const weft_load_options *opts)
{
    wf_node *node = NULL;
    weft_status st = wf_session_check("load", session);
    if (st == WEFT_OK) st = load(path, opts, &node);
    return wf_array_give(session, st, node, SITE);
}

// --- sinks ---

static bool ends_in(const char *name, size_t n, const char *suffix)
{
    size_t k = strlen(suffix);
    return n > k && memcmp(name + n - k, suffix, k) == 0;
}

// Whether PATH's name asks for a format that is written in chunks.
static bool is_chunked(const char *path)
{
    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/");
        if (ends_in(p, n, ".zarr") || ends_in(p, n, ".zr")) return true;
        p += n;
        p += *p == '/';
    }
    return false;
}

// A packed chunk, which may be larger than the raw one; and a raw one where chunks hang over the
// array's end.
static int64_t chunk_scratch(int64_t chunk_bytes, bool packed, bool even)
{
    return (packed ? chunk_bytes + chunk_bytes / 8 + (64 << 10) : 0) + (even ? 0 : chunk_bytes) +
           128;
}

static bool divides(const wf_grid *grid)
{
    bool even = true;
    for (int i = 0; i < grid->ndim; i++)
        even &= grid->axis[i].extent > 0 && grid->axis[i].dim % grid->axis[i].extent == 0;
    return even;
}

static weft_status copy_text(const char *text, char **out)
{
    if (!text) return WEFT_OK;
    *out = wf_strdup(text);
    return *out ? WEFT_OK : WEFT_NO_MEMORY;
}

static weft_status check_save(const char *where, const weft_save_options *opts)
{
    WF_TRY(WF_CHECK_TAIL(where, opts));
    if (!opts) return WEFT_OK;
    if (opts->zarr_format == 3)
        return wf_fail(WEFT_UNSUPPORTED, "%s: Zarr format 3 is not supported by this version",
                       where);
    if (opts->zarr_format != 0 && opts->zarr_format != 2)
        return wf_fail(WEFT_INVALID, "%s: .zarr_format must be 2 or 3, got %d", where,
                       opts->zarr_format);
    if (opts->nregion < 0 || (opts->nregion > 0 && !opts->region))
        return wf_fail(WEFT_INVALID, "%s: .nregion is %d, but .region is %s", where, opts->nregion,
                       opts->region ? "given" : "NULL");
    if (opts->nchunks < 0 || (opts->nchunks > 0 && !opts->chunks))
        return wf_fail(WEFT_INVALID, "%s: .nchunks is %d, but .chunks is %s", where, opts->nchunks,
                       opts->chunks ? "given" : "NULL");
    return WEFT_OK;
}

static weft_status read_chunks(const char *where, const wf_node *x, const weft_save_options *opts,
                               wf_create_options *create)
{
    if (opts->nchunks != x->shape.ndim)
        return wf_fail(WEFT_INVALID, "%s: expected %d chunk extents, one per axis, got %d", where,
                       x->shape.ndim, opts->nchunks);
    for (int i = 0; i < opts->nchunks; i++) {
        if (opts->chunks[i] < 1)
            return wf_fail(WEFT_INVALID, "%s: .chunks[%d] must be >= 1, got %" PRId64, where, i,
                           opts->chunks[i]);
        create->chunk[i] = opts->chunks[i];
    }
    create->nchunk = opts->nchunks;
    return WEFT_OK;
}

// The largest block of X's grid along each axis.
static weft_status chunks_of_blocks(weft_session *session, wf_node *x, wf_create_options *create)
{
    wf_grid grid;
    WF_TRY(wf_session_grid(session, x, &grid));
    create->nchunk = grid.ndim;
    for (int i = 0; i < grid.ndim; i++) {
        const wf_grid_axis *a = &grid.axis[i];
        create->chunk[i] = a->extent;
        for (int64_t b = 0; a->cuts && b < a->nblock; b++)
            if (a->cuts->edge[b + 1] - a->cuts->edge[b] > create->chunk[i])
                create->chunk[i] = a->cuts->edge[b + 1] - a->cuts->edge[b];
        if (create->chunk[i] > a->dim && a->dim > 0) create->chunk[i] = a->dim;
        if (create->chunk[i] < 1) create->chunk[i] = 1;
    }
    wf_grid_fini(&grid);
    return WEFT_OK;
}

// Halves chunks, slowest axis first, until writing one (its blocks, itself assembled, packed) leaves
// room for every slot to do the same.
static void fit_chunks(const wf_plan_options *plan, weft_dtype dtype, wf_create_options *create)
{
    enum { COPIES = 5, LEAST = 64 << 10 };
    int64_t most = plan->budget / (plan->slots / plan->ndevice + 1) / COPIES;
    int64_t bytes = (int64_t)wf_dtype_size(dtype);

    if (most < LEAST) most = LEAST;
    for (int i = 0; i < create->nchunk; i++)
        if (__builtin_mul_overflow(bytes, create->chunk[i], &bytes)) bytes = INT64_MAX;
    for (int i = 0; i < create->nchunk; i++)
        while (bytes > most && create->chunk[i] > 1) {
            bytes = bytes / create->chunk[i] * ((create->chunk[i] + 1) / 2);
            create->chunk[i] = (create->chunk[i] + 1) / 2;
        }
}

// A new array: how it is cut.
static weft_status plan_new(const char *where, weft_session *session, wf_node *x, const char *path,
                            const weft_save_options *opts, wf_sink_leaf *sink)
{
    sink->region = wf_box_whole(&x->shape);
    sink->create.dtype = (weft_dtype)x->dtype;
    sink->create.shape = x->shape;
    sink->header.any_box = !is_chunked(path);
    sink->header.scratch = ANY_BOX_SCRATCH;
    if (opts && opts->nchunks > 0) WF_TRY(read_chunks(where, x, opts, &sink->create));
    if (sink->header.any_box) return WEFT_OK;
    if (sink->create.nchunk == 0) {
        WF_TRY(chunks_of_blocks(session, x, &sink->create));
        fit_chunks(wf_engine_plan_options(session->engine), (weft_dtype)x->dtype, &sink->create);
    }
    WF_TRY(wf_grid_init(&sink->header.grid, &x->shape, sink->create.chunk));
    bool packed = !opts || !opts->codec || strcmp(opts->codec, "none") != 0;
    sink->header.scratch = chunk_scratch(wf_grid_max_block(&sink->header.grid) *
                                             (int64_t)wf_dtype_size((weft_dtype)x->dtype),
                                         packed, divides(&sink->header.grid));
    return WEFT_OK;
}

// --- regions ---

// The cells of BOX where the chunks of GRID cut it, so that each chunk is written by one task.
static weft_status cut_region(const wf_grid *grid, const wf_box *box, wf_grid *out)
{
    wf_shape shape = { .ndim = box->ndim };
    int64_t whole[WEFT_MAX_NDIM];

    for (int i = 0; i < box->ndim; i++) {
        shape.dim[i] = box->count[i];
        whole[i] = box->count[i] > 0 ? box->count[i] : 1;
    }
    WF_TRY(wf_grid_init(out, &shape, whole));
    for (int i = 0; i < box->ndim; i++) {
        if (box->count[i] == 0) continue;
        int64_t end = box->start[i] + box->count[i];
        int64_t first = wf_axis_find(&grid->axis[i], box->start[i]),
                last = wf_axis_find(&grid->axis[i], end - 1), n = last - first + 1;
        if (n == 1) continue;
        int64_t *extent = wf_calloc((size_t)n, sizeof *extent);
        weft_status st = extent ? WEFT_OK : WEFT_NO_MEMORY;
        for (int64_t b = first; extent && b <= last; b++) {
            int64_t from = wf_axis_start(&grid->axis[i], b),
                    to = wf_axis_start(&grid->axis[i], b + 1);
            extent[b - first] =
                (to < end ? to : end) - (from > box->start[i] ? from : box->start[i]);
        }
        if (st == WEFT_OK) st = wf_grid_set_axis(out, i, n, extent);
        wf_free(extent);
        if (st != WEFT_OK) {
            wf_grid_fini(out);
            return st;
        }
    }
    return WEFT_OK;
}

static bool broadcasts_to(const wf_shape *from, const wf_shape *to)
{
    int lead = to->ndim - from->ndim;

    for (int i = 0; i < from->ndim && lead >= 0; i++)
        if (from->dim[i] != 1 && from->dim[i] != to->dim[i + lead]) return false;
    return lead >= 0;
}

// X as an array of the region's box in the file: broadcast to what the cuts select, and with the
// axes that integers cut away.
static weft_status fit_region(const char *where, const char *path, wf_node *x,
                              const wf_selection *sel, int ndim, weft_dtype dtype, wf_node **out)
{
    wf_shape selected = { .ndim = sel->ndim }, box = { .ndim = ndim };
    wf_map map = { .ndim = sel->ndim };
    wf_node *wide, *cast;

    for (int i = 0; i < ndim; i++) box.dim[i] = 1;
    for (int o = 0; o < sel->ndim; o++) {
        selected.dim[o] = box.dim[sel->axis[o].input] = sel->axis[o].count;
        map.axis[o] = (int8_t)sel->axis[o].input;
        map.step[o] = 1;
    }
    if (!broadcasts_to(&x->shape, &selected)) {
        char from[512], to[512];
        return wf_fail(WEFT_INVALID,
                       "%s: '%s': an array of shape %s does not broadcast to the region, %s", where,
                       path, wf_shape_text(&x->shape, from), wf_shape_text(&selected, to));
    }
    WF_TRY(wf_make_broadcast_to(x, &selected, &wide));
    weft_status st = wf_make_cast(wide, dtype, &cast);
    wf_node_release(wide);
    WF_TRY(st);
    st = wf_make_view(where, cast, &box, &map, out);
    wf_node_release(cast);
    return st;
}

static weft_status resolve_region(const char *where, const wf_file_info *info,
                                  const weft_save_options *opts, wf_selection *sel, wf_box *box)
{
    WF_TRY(wf_cuts_resolve(where, info->shape.ndim, info->shape.dim, opts->nregion, opts->region,
                           sel));
    *box = (wf_box){ .ndim = info->shape.ndim };
    for (int i = 0; i < box->ndim; i++) {
        box->start[i] = sel->index[i] >= 0 ? sel->index[i] : 0;
        box->count[i] = 1;
    }
    for (int o = 0; o < sel->ndim; o++) {
        const wf_cut_axis *a = &sel->axis[o];
        if (a->input < 0) return wf_fail(WEFT_INVALID, "%s: a region has no new axes", where);
        if (a->step != 1)
            return wf_fail(WEFT_INVALID,
                           "%s: steps of a region must be 1, got %" PRId64 " on axis %d", where,
                           a->step, a->input);
        box->start[a->input] = a->start;
        box->count[a->input] = a->count;
    }
    return WEFT_OK;
}

static weft_status plan_region(const char *where, const char *path, wf_node *x,
                               const weft_save_options *opts, wf_sink_leaf *sink, wf_node **out)
{
    wf_selection sel;
    wf_file *file;

    if (opts->overwrite)
        return wf_fail(WEFT_INVALID, "%s: .overwrite and .region exclude each other", where);
    WF_TRY(wf_file_open(path, NULL, &file));
    const wf_file_info *info = wf_file_get_info(file);
    int64_t chunk = wf_grid_max_block(&info->grid) * (int64_t)wf_dtype_size(info->dtype);
    sink->create.region = true;
    sink->create.dtype = info->dtype;
    sink->create.shape = info->shape;
    sink->header.any_box = !info->chunked;
    sink->header.scratch = info->chunked ? chunk_scratch(chunk, true, false) : ANY_BOX_SCRATCH;
    weft_status st = resolve_region(where, info, opts, &sel, &sink->region);
    if (st == WEFT_OK) st = wf_check_holds(where, info->dtype, (weft_dtype)x->dtype);
    if (st == WEFT_OK && info->chunked)
        st = cut_region(&info->grid, &sink->region, &sink->header.grid);
    if (st == WEFT_OK) st = fit_region(where, path, x, &sel, info->shape.ndim, info->dtype, out);
    wf_file_close(file);
    return st;
}

// --- the node ---

// A number is a parameter of plans and has no blocks; a sink needs one.
static weft_status store_number(wf_node *x, wf_node **out)
{
    weft_dtype dtype = (weft_dtype)x->dtype;
    wf_object *object;
    void *data = wf_alloc(16);

    if (!data) return WEFT_NO_MEMORY;
    weft_status st = wf_node_read(NULL, "sink", x, NULL, dtype, data);
    if (st == WEFT_OK)
        st = wf_borrowed_create(data, dtype, &x->shape, NULL, wf_free, data, &object);
    if (st != WEFT_OK) {
        wf_free(data);
        return st;
    }
    st = wf_node_create(WF_NODE_LEAF, dtype, &x->shape, 0, NULL, out);
    if (st == WEFT_OK) (*out)->object = object;
    else wf_object_release(object);
    return st;
}

// A SINK node over X that writes by SINK; takes SINK in any case.
static weft_status make_node(wf_node *x, int type, wf_sink_leaf *sink, void (*release)(void *),
                             wf_node **out)
{
    wf_object *object;

    sink->dtype = (weft_dtype)x->dtype;
    sink->shape = x->shape;
    weft_status st = wf_object_create(type, sink, release, 0, &object);
    if (st != WEFT_OK) {
        release(sink);
        return st;
    }
    wf_node *in = x;
    if (x->kind == WF_NODE_SCALAR) st = store_number(x, &in);
    if (st == WEFT_OK)
        st = wf_node_create(WF_NODE_SINK, (weft_dtype)x->dtype, &x->shape, 1, &in, out);
    if (in != x) wf_node_release(in);
    if (st == WEFT_OK) (*out)->object = object;
    else wf_object_release(object);
    return st;
}

static weft_status fill_sink(const char *where, weft_session *session, wf_node *x, const char *path,
                             const weft_save_options *opts, wf_sink_leaf *sink, wf_node **in)
{
    WF_TRY(copy_text(path, &sink->path));
    WF_TRY(copy_text(opts ? opts->codec : NULL, &sink->codec));
    WF_TRY(copy_text(opts ? opts->dims : NULL, &sink->dims));
    WF_TRY(copy_text(opts ? opts->attributes : NULL, &sink->attributes));
    sink->create.codec = sink->codec;
    sink->create.dims = sink->dims;
    sink->create.attributes = sink->attributes;
    sink->create.overwrite = opts && opts->overwrite;
    if (opts && opts->nregion > 0) return plan_region(where, path, x, opts, sink, in);
    WF_TRY(plan_new(where, session, x, path, opts, sink));
    wf_node_retain(x);
    *in = x;
    return WEFT_OK;
}

static weft_status make_sink(const char *where, weft_session *session, wf_node *x, const char *path,
                             const weft_save_options *opts, wf_node **out)
{
    wf_node *in;

    WF_TRY(check_save(where, opts));
    if (!path || !*path)
        return wf_fail(WEFT_INVALID, "%s: the path is %s", where, path ? "empty" : "NULL");
    wf_sink_leaf *sink = wf_alloc(sizeof *sink);
    if (!sink) return WEFT_NO_MEMORY;
    weft_status st = fill_sink(where, session, x, path, opts, sink, &in);
    if (st != WEFT_OK) {
        wf_sink_leaf_destroy(sink);
        return st;
    }
    st = make_node(in, WF_OBJECT_SINKFILE, sink, wf_sink_leaf_destroy, out);
    wf_node_release(in);
    return st;
}

weft_array *weft_sink(weft_array *x, const char *path, const weft_save_options *opts)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("sink", x)) return NULL;
    weft_status st = make_sink("sink", x->session, x->node, path, opts, &node);
    return wf_array_give(x->session, st, node, SITE);
}

weft_status weft_save(weft_array *x, const char *path, const weft_save_options *opts)
{
    wf_node *node;

    WF_TRY(wf_array_check("save", x));
    if (x->node->kind == WF_NODE_SINK)
        return wf_fail(WEFT_INVALID, "save: a sink is no operand, only computed");
    WF_TRY(wf_callback_refuse("save"));
    WF_TRY(make_sink("save", x->session, x->node, path, opts, &node));
    node->site = SITE;
    weft_status st = wf_compute_nodes(x->session, "save", 1, &node, NULL);
    wf_node_release(node);
    return st;
}

// --- writers ---

// What stands between the engine and a writer of the user's.
typedef struct writer {
    weft_write_fn *write;
    void *context;
} writer;

static weft_status call_writer(void *context, const int64_t *start, const int64_t *count,
                               const void *data)
{
    const writer *w = context;
    wf_callback_begin();
    return wf_callback_end("to_writer", w->write(w->context, start, count, data));
}

static void release_writer(void *data)
{
    wf_sink_leaf *sink = data;
    wf_free(sink->context);
    wf_sink_leaf_destroy(sink);
}

static weft_status make_writer(wf_node *x, const writer *how, wf_node **out)
{
    if (!how->write) return wf_fail(WEFT_INVALID, "to_writer: the function is NULL");
    wf_sink_leaf *sink = wf_alloc(sizeof *sink);
    writer *w = wf_alloc(sizeof *w);
    if (!sink || !w) {
        wf_free(sink);
        wf_free(w);
        return WEFT_NO_MEMORY;
    }
    *w = *how;
    sink->write = call_writer;
    sink->context = w;
    sink->header.any_box = true;
    sink->region = wf_box_whole(&x->shape);
    return make_node(x, WF_OBJECT_WRITER, sink, release_writer, out);
}

weft_array *weft_to_writer(weft_array *x, weft_write_fn *write, void *context)
{
    wf_node *node = NULL;
    if (!wf_array_is_usable("to_writer", x)) return NULL;
    weft_status st = make_writer(x->node, &(writer){ write, context }, &node);
    return wf_array_give(x->session, st, node, SITE);
}
