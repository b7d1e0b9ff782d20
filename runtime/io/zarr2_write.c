// SPDX-License-Identifier: Apache-2.0
// zarr2_write - writing Zarr v2 arrays. A new array grows in a hidden folder beside its place,
// chunk by chunk; its .zarray comes last, so that a half-written one is no array to anybody; one
// rename shows it. A region write replaces single chunks of an array that is there.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "io/element.h"
#include "io/strided.h"
#include "io/temp.h"
#include "io/zarr2.h"

#define STRIPES 64
#define STREAM_BYTES \
    (INT64_C(1) << 30)  // an array from this size on would fill the page cache with itself

typedef struct zarr_writer {
    wf_zarr zarr;
    wf_zarr_path path;
    char *temp;           // the hidden folder; NULL for a region
    wf_text meta, attrs;  // .zarray, .zattrs; the latter may be empty
    int64_t stored;       // bytes of chunks
    bool overwrite;
    wf_mutex
        stripe[STRIPES];  // chunk c under stripe c % STRIPES while it is read, merged and written
} zarr_writer;

static void free_writer(zarr_writer *w)
{
    wf_zarr_fini(&w->zarr);
    wf_zarr_path_fini(&w->path);
    wf_free(w->temp);
    wf_text_fini(&w->meta);
    wf_text_fini(&w->attrs);
    for (int i = 0; i < STRIPES; i++) wf_mutex_fini(&w->stripe[i]);
    wf_free(w);
}

static bool is_empty_folder(const char *path)
{
    DIR *entries = opendir(path);
    int n = 0;
    if (!entries) return false;
    while (readdir(entries) && n < 3) n++;
    closedir(entries);
    return n == 2;  // "." and ".."
}

// What stands in the way of an array at PATH. A group or a folder of something else is never
// removed, whatever the caller allows.
static weft_status check_target(const wf_zarr_path *path, bool overwrite)
{
    struct stat st;
    wf_text names = { 0 };
    wf_zarr_node node = wf_zarr_look(path->full);
    if (lstat(path->full, &st) != 0) return WEFT_OK;
    if (node == WF_ZARR_GROUP) {
        weft_status status = wf_zarr_list(path->full, &names);
        if (status == WEFT_OK)
            status =
                wf_fail(WEFT_EXISTS,
                        "zarr: '%s' is a group (arrays: %s), which is not replaced by an array",
                        path->full, names.data);
        wf_text_fini(&names);
        return status;
    }
    if (!overwrite) return wf_fail(WEFT_EXISTS, "zarr: '%s' already exists", path->full);
    if (node == WF_ZARR_FOLDER && !is_empty_folder(path->full))
        return wf_fail(WEFT_EXISTS,
                       "zarr: '%s' is a folder that holds no Zarr array, it is not replaced",
                       path->full);
    return WEFT_OK;
}

// Every folder from the store down to the array's own must be able to be a group, and links must
// not lead out of the store.
static weft_status check_parents(const wf_zarr_path *path)
{
    wf_bytestore *store = NULL;
    char *prefix = wf_strdup(path->full);
    if (!prefix) return WEFT_NO_MEMORY;
    weft_status st = WEFT_OK;
    size_t root = strlen(path->root);
    for (char *slash = prefix + root; st == WEFT_OK && slash && *slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        wf_zarr_node node = wf_zarr_look(prefix);
        if (node == WF_ZARR_ARRAY)
            st = wf_fail(WEFT_INVALID, "zarr: '%s' is an array, it cannot hold others", prefix);
        if (node == WF_ZARR_V3)
            st = wf_fail(WEFT_UNSUPPORTED,
                         "zarr: '%s' is Zarr format 3; this build writes format 2", prefix);
        if (node >= WF_ZARR_FOLDER && st == WEFT_OK) {
            st = wf_bytestore_open_folder(
                path->root, slash == prefix + root ? NULL : prefix + root + 1, &store);
            if (st == WEFT_OK) wf_bytestore_close(store);
        }
        *slash = '/';
    }
    wf_free(prefix);
    return st;
}

static weft_status check_names(const wf_zarr_path *path)
{
    for (const char *p = path->inside; *p; p += strcspn(p, "/"), p += *p == '/')
        if (*p == '.')
            return wf_fail(WEFT_INVALID, "zarr: name '%s' in '%s' begins with a dot", p,
                           path->root);
    return WEFT_OK;
}

static int64_t largest_block(const wf_grid_axis *axis)
{
    int64_t largest = axis->extent;
    for (int64_t b = 0; axis->cuts && b < axis->nblock; b++) {
        int64_t extent = axis->cuts->edge[b + 1] - axis->cuts->edge[b];
        if (extent > largest) largest = extent;
    }
    return largest < 1 ? 1 : largest;
}

static void choose_chunks(const wf_create_options *opts, wf_zarr_meta *meta)
{
    for (int i = 0; i < opts->shape.ndim; i++) {
        int64_t dim = opts->shape.dim[i] > 0 ? opts->shape.dim[i] : 1;
        if (opts->nchunk) meta->chunk[i] = opts->chunk[i];
        else meta->chunk[i] = opts->grid ? largest_block(&opts->grid->axis[i]) : dim;
    }
}

static weft_status make_meta(zarr_writer *w, const wf_create_options *opts)
{
    wf_zarr_meta *m = &w->zarr.meta;
    *m = (wf_zarr_meta){ .dtype = opts->dtype, .separator = '.', .shape = opts->shape };
    char *where = wf_format("zarr: '%s'", w->path.full);
    if (!where) return WEFT_NO_MEMORY;
    choose_chunks(opts, m);
    weft_status st = wf_codec_parse(opts->codec, &m->codec);
    if (st == WEFT_OK) st = wf_zarr_meta_measure(where, m);
    if (st == WEFT_OK) st = wf_zarr_meta_format(where, m, &w->meta);
    if (st == WEFT_OK)
        st = wf_zarr_attrs_format(where, opts->attributes, opts->dims, opts->shape.ndim, &w->attrs);
    wf_free(where);
    return st == WEFT_OK ? wf_zarr_prepare(&w->zarr) : st;
}

// The deepest folder that exists on the way to the array: there its hidden folder is on the same
// file system.
static char *existing_folder(const wf_zarr_path *path)
{
    struct stat st;
    char *dir = wf_path_dir(path->full);
    while (dir && strlen(dir) >= strlen(path->root) && stat(dir, &st) != 0) {
        char *up = wf_path_dir(dir);
        wf_free(dir);
        dir = up;
    }
    return dir;
}

static weft_status make_folder(zarr_writer *w)
{
    char *dir = existing_folder(&w->path);
    if (!dir) return WEFT_NO_MEMORY;
    wf_temp_sweep(dir);
    w->temp = wf_temp_path_in(dir, wf_path_name(w->path.full));
    wf_free(dir);
    if (!w->temp) return WEFT_NO_MEMORY;
    if (mkdir(w->temp, 0777) != 0) {
        int err = errno;
        wf_free(w->temp);
        w->temp = NULL;
        return wf_file_fail(err, "zarr", "create", w->path.full);
    }
    WF_TRY(wf_bytestore_open_folder(w->temp, NULL, &w->zarr.store));
    int64_t item = (int64_t)wf_dtype_size(w->zarr.meta.dtype);
    w->zarr.store->streams = wf_shape_size(&w->zarr.meta.shape) * item >= STREAM_BYTES;
    return WEFT_OK;
}

static weft_status start_new(zarr_writer *w, const wf_create_options *opts)
{
    WF_TRY(check_names(&w->path));
    WF_TRY(check_parents(&w->path));
    WF_TRY(check_target(&w->path, opts->overwrite));
    WF_TRY(make_meta(w, opts));
    return make_folder(w);
}

static weft_status start_region(zarr_writer *w, const wf_create_options *opts)
{
    char *attributes = NULL, have[512], want[512];
    WF_TRY(wf_zarr_open(&w->path, &w->zarr, &attributes));
    wf_free(attributes);
    const wf_zarr_meta *m = &w->zarr.meta;
    if (m->dtype == opts->dtype && wf_shape_equal(&m->shape, &opts->shape)) {
        wf_temp_sweep(w->path.full);
        return WEFT_OK;
    }
    return wf_fail(WEFT_INVALID, "zarr: '%s' holds %s %s, the region is of %s %s", w->path.full,
                   wf_dtype_name(m->dtype), wf_shape_text(&m->shape, have),
                   wf_dtype_name(opts->dtype), wf_shape_text(&opts->shape, want));
}

weft_status wf_zarr_create(const char *path, const wf_create_options *opts, void **state,
                           wf_grid *grid, bool *any_box)
{
    zarr_writer *w = wf_alloc(sizeof *w);
    if (!w) return WEFT_NO_MEMORY;
    for (int i = 0; i < STRIPES; i++) wf_mutex_init(&w->stripe[i]);
    w->overwrite = opts->overwrite;
    weft_status st = wf_zarr_path_init(&w->path, path);
    if (st == WEFT_OK) st = opts->region ? start_region(w, opts) : start_new(w, opts);
    if (st != WEFT_OK) {
        wf_zarr_abort(w);
        return st;
    }
    w->zarr.stored = &w->stored;
    *grid = wf_grid_share(&w->zarr.grid);
    *any_box = opts->region;
    *state = w;
    return WEFT_OK;
}

// Packs the raw chunk and stores it. RAW is turned to the array's byte order in place when that
// differs, so it must be scratch then.
static weft_status store_chunk(const wf_zarr *zarr, const int64_t *coord, const void *raw,
                               char *packed)
{
    const wf_zarr_meta *m = &zarr->meta;
    char key[WF_KEY_MAX], where[128];
    int64_t bytes = m->chunk_bytes;
    wf_zarr_key(zarr, coord, key);
    if (m->codec.kind != WF_CODEC_NONE) {
        snprintf(where, sizeof where, "zarr: chunk '%.80s'", key);
        WF_TRY(wf_codec_encode(&m->codec, where, raw, bytes, wf_dtype_size(m->dtype), packed,
                               wf_codec_bound(bytes), &bytes));
        raw = packed;
    }
    __atomic_add_fetch(zarr->stored, bytes, __ATOMIC_RELAXED);
    return wf_bytestore_write(zarr->store, key, raw, bytes);
}

// Puts PIECE of the box into the chunk at SCRATCH and stores it.
static weft_status merge_chunk(const wf_zarr *zarr, const wf_chunk_walk *walk, const char *data,
                               const int64_t *stride, char *scratch)
{
    const wf_zarr_meta *m = &zarr->meta;
    size_t item = wf_dtype_size(m->dtype), width = wf_dtype_width(m->dtype);
    int ndim = m->shape.ndim;
    char *packed = scratch, *raw = wf_zarr_raw(zarr, scratch);
    if (!walk->covers) {
        WF_TRY(wf_zarr_load(zarr, walk->coord, raw, packed));
    } else if (!walk->whole) {  // padded with the fill value, as zarr-python does
        int64_t count = m->chunk_bytes / (int64_t)item, step = (int64_t)item;
        wf_strided_fill(1, &count, item, raw, &step, m->fill);
    }
    char *place =
        raw + wf_strided_offset(ndim, walk->piece.start, walk->origin, zarr->chunk_stride);
    wf_strided_copy(ndim, walk->piece.count, item, place, zarr->chunk_stride, data, stride);
    if (m->swapped) wf_bytes_swap(raw, m->chunk_bytes / (int64_t)width, width);
    return store_chunk(zarr, walk->coord, raw, packed);
}

static weft_status write_piece(zarr_writer *w, const wf_chunk_walk *walk, const wf_box *box,
                               const char *data, char *scratch)
{
    const wf_zarr *zarr = &w->zarr;
    const wf_zarr_meta *m = &zarr->meta;
    int64_t stride[WEFT_MAX_NDIM];
    wf_strides_fill(box->ndim, box->count, wf_dtype_size(m->dtype), false, stride);
    data += wf_strided_offset(box->ndim, walk->piece.start, box->start, stride);
    bool straight = walk->whole && !m->fortran && !m->swapped &&
                    wf_counts_contiguous(box->ndim, walk->piece.count, box->count);
    if (straight) return store_chunk(zarr, walk->coord, data, scratch);
    if (walk->covers) return merge_chunk(zarr, walk, data, stride, scratch);
    wf_mutex *lock = &w->stripe[(uint64_t)wf_grid_index(&zarr->grid, walk->coord) % STRIPES];
    wf_mutex_lock(lock);
    weft_status st = merge_chunk(zarr, walk, data, stride, scratch);
    wf_mutex_unlock(lock);
    return st;
}

weft_status wf_zarr_write(void *state, const wf_box *box, const void *data, void *scratch,
                          int64_t scratch_bytes)
{
    zarr_writer *w = state;
    wf_chunk_walk walk;
    WF_TRY(wf_zarr_check_scratch(&w->zarr, box, true, scratch, scratch_bytes));
    wf_chunk_walk_start(&walk, &w->zarr, box);
    do WF_TRY(write_piece(w, &walk, box, data, scratch));
    while (wf_chunk_walk_next(&walk, &w->zarr, box));
    return WEFT_OK;
}

int64_t wf_zarr_write_scratch(void *state, int64_t block_bytes)
{
    const zarr_writer *w = state;
    (void)block_bytes;
    return wf_zarr_scratch(&w->zarr);
}

// A region cuts chunks at its edges; a new array is written in whole ones.
int64_t wf_zarr_write_block_scratch(void *state)
{
    const zarr_writer *w = state;
    return w->temp ? wf_zarr_chunk_scratch(&w->zarr, true) : wf_zarr_scratch(&w->zarr);
}

static weft_status publish(zarr_writer *w)
{
    wf_bytestore *store = w->zarr.store;
    if (w->attrs.length)
        WF_TRY(wf_bytestore_write(store, ".zattrs", w->attrs.data, w->attrs.length));
    WF_TRY(wf_bytestore_write(store, ".zarray", w->meta.data, w->meta.length));
    WF_TRY(wf_bytestore_sync(store));
    WF_TRY(wf_zarr_make_groups(&w->path));
    WF_TRY(wf_temp_publish("zarr", w->temp, w->path.full, w->overwrite));
    return wf_zarr_consolidate(&w->path, w->meta.data, w->attrs.length ? w->attrs.data : NULL);
}

int64_t wf_zarr_stored(void *state)
{
    const zarr_writer *w = state;
    return __atomic_load_n(&w->stored, __ATOMIC_RELAXED) + w->meta.length + w->attrs.length;
}

weft_status wf_zarr_commit(void *state)
{
    zarr_writer *w = state;
    WF_TRY(w->temp ? publish(w) : wf_bytestore_sync(w->zarr.store));
    free_writer(w);
    return WEFT_OK;
}

void wf_zarr_abort(void *state)
{
    zarr_writer *w = state;
    if (w->temp) wf_tree_remove(w->temp);
    free_writer(w);
}
