// SPDX-License-Identifier: Apache-2.0
// zarr2 - reading Zarr v2 arrays as zarr-python 2 writes them: a folder with .zarray and one object
// per chunk. A chunk that the box takes whole is decompressed straight into place; others pass
// through the caller's scratch. Nothing is cached and nothing allocated per read.
#include "io/zarr2.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/number.h"
#include "io/element.h"
#include "io/strided.h"

weft_status wf_zarr_prepare(wf_zarr *zarr)
{
    const wf_zarr_meta *m = &zarr->meta;
    wf_strides_fill(m->shape.ndim, m->chunk, wf_dtype_size(m->dtype), m->fortran,
                    zarr->chunk_stride);
    return wf_grid_init(&zarr->grid, &m->shape, m->chunk);
}

void wf_zarr_fini(wf_zarr *zarr)
{
    wf_bytestore_close(zarr->store);
    wf_grid_fini(&zarr->grid);
    *zarr = (wf_zarr){ 0 };
}

// Says what is at PATH instead of an array.
static weft_status fail_no_array(const wf_zarr_path *path)
{
    wf_text names = { 0 };
    weft_status st = WEFT_OK;
    wf_zarr_node node = wf_zarr_look(path->full), root = wf_zarr_look(path->root);
    if (node == WF_ZARR_V3)
        return wf_fail(WEFT_UNSUPPORTED, "zarr: '%s' is Zarr format 3; this build reads format 2",
                       path->full);
    if (node == WF_ZARR_GROUP || node == WF_ZARR_FOLDER) st = wf_zarr_list(path->full, &names);
    else if (root >= WF_ZARR_FOLDER) st = wf_zarr_list(path->root, &names);
    if (st != WEFT_OK)
        ;
    else if (node == WF_ZARR_GROUP)
        st = wf_fail(WEFT_INVALID, "zarr: '%s' is a group; name an array in it: it has %s",
                     path->full, names.data);
    else if (node == WF_ZARR_FOLDER)
        st = wf_fail(WEFT_FORMAT, "zarr: '%s' has no .zarray; arrays in it: %s", path->full,
                     names.data);
    else if (*path->inside && root >= WF_ZARR_FOLDER)
        st = wf_fail(WEFT_NOT_FOUND, "zarr: '%s' has no array '%s'; it has: %s", path->root,
                     path->inside, names.data);
    else st = wf_fail(WEFT_NOT_FOUND, "zarr: no folder '%s'", path->full);
    wf_text_fini(&names);
    return st;
}

static weft_status read_meta(const wf_zarr_path *path, wf_zarr *zarr)
{
    char *text;
    int64_t bytes;
    WF_TRY(wf_bytestore_read_whole(zarr->store, ".zarray", WF_ZARR_META_MAX, &text, &bytes));
    if (!text) return fail_no_array(path);
    char *where = wf_format("zarr: '%s/.zarray'", path->full);
    weft_status st =
        where ? wf_zarr_meta_parse(where, text, (size_t)bytes, &zarr->meta) : WEFT_NO_MEMORY;
    wf_free(where);
    wf_free(text);
    return st == WEFT_OK ? wf_zarr_prepare(zarr) : st;
}

static weft_status read_attributes(const wf_zarr_path *path, const wf_zarr *zarr, char **out)
{
    char *text;
    int64_t bytes;
    wf_json root;
    WF_TRY(wf_bytestore_read_whole(zarr->store, ".zattrs", WF_ZARR_ATTRS_MAX, &text, &bytes));
    if (text) {
        char *where = wf_format("zarr: '%s/.zattrs'", path->full);
        weft_status st = where ? wf_json_check(where, text, (size_t)bytes, &root) : WEFT_NO_MEMORY;
        if (st == WEFT_OK && wf_json_get_kind(root) != WF_JSON_OBJECT)
            st = wf_fail(WEFT_FORMAT, "%s: must be a JSON object", where);
        wf_free(where);
        if (st != WEFT_OK) {
            wf_free(text);
            return st;
        }
    }
    *out = text;
    return WEFT_OK;
}

weft_status wf_zarr_open(const wf_zarr_path *path, wf_zarr *out, char **attributes)
{
    wf_zarr zarr = { 0 };
    weft_status st = wf_bytestore_open_folder(path->root, path->inside, &zarr.store);
    if (st == WEFT_NOT_FOUND) st = fail_no_array(path);
    if (st == WEFT_OK) st = read_meta(path, &zarr);
    if (st == WEFT_OK) st = read_attributes(path, &zarr, attributes);
    if (st != WEFT_OK) {
        wf_zarr_fini(&zarr);
        return st;
    }
    *out = zarr;
    return WEFT_OK;
}

static int64_t packed_room(const wf_zarr *zarr)
{
    if (zarr->meta.codec.kind == WF_CODEC_NONE) return 0;
    return (wf_codec_bound(zarr->meta.chunk_bytes) + 63) / 64 * 64;
}

int64_t wf_zarr_scratch(const wf_zarr *zarr) { return packed_room(zarr) + zarr->meta.chunk_bytes; }

// A chunk that is turned around goes through raw scratch: always in Fortran order; in the other
// byte order when it is written.
static bool is_turned(const wf_zarr *zarr, bool write)
{
    return zarr->meta.fortran || (write && zarr->meta.swapped);
}

static bool is_whole_chunk(const wf_zarr *zarr, const wf_box *box)
{
    for (int i = 0; i < box->ndim; i++)
        if (box->count[i] != zarr->meta.chunk[i] || box->start[i] % zarr->meta.chunk[i] != 0)
            return false;
    return true;
}

int64_t wf_zarr_box_scratch(const wf_zarr *zarr, const wf_box *box, bool write)
{
    bool straight = !is_turned(zarr, write) && is_whole_chunk(zarr, box);
    return straight ? packed_room(zarr) : wf_zarr_scratch(zarr);
}

int64_t wf_zarr_chunk_scratch(const wf_zarr *zarr, bool write)
{
    bool straight = !is_turned(zarr, write);
    for (int i = 0; i < zarr->meta.shape.ndim; i++)
        straight &= zarr->meta.shape.dim[i] % zarr->meta.chunk[i] == 0;
    return straight ? packed_room(zarr) : wf_zarr_scratch(zarr);
}

weft_status wf_zarr_check_scratch(const wf_zarr *zarr, const wf_box *box, bool write,
                                  const void *scratch, int64_t bytes)
{
    int64_t need = wf_zarr_box_scratch(zarr, box, write);
    if (need == 0 || (scratch && bytes >= need)) return WEFT_OK;
    return wf_fail(WEFT_INVALID, "zarr: '%s' needs %" PRId64 " bytes of scratch, got %" PRId64,
                   zarr->store->name, need, scratch ? bytes : 0);
}

char *wf_zarr_raw(const wf_zarr *zarr, void *scratch)
{
    return (char *)scratch + packed_room(zarr);
}

const char *wf_zarr_key(const wf_zarr *zarr, const int64_t *coord, char key[WF_KEY_MAX])
{
    char *at = key;
    if (zarr->meta.shape.ndim == 0) *at++ = '0';
    for (int i = 0; i < zarr->meta.shape.ndim; i++) {
        char digits[20];
        int n = 0;
        if (i) *at++ = zarr->meta.separator;
        for (uint64_t c = (uint64_t)coord[i]; n == 0 || c; c /= 10)
            digits[n++] = (char)('0' + c % 10);
        while (n > 0) *at++ = digits[--n];
    }
    *at = '\0';
    return key;
}

static void fill_chunk(const wf_zarr *zarr, void *raw)
{
    size_t item = wf_dtype_size(zarr->meta.dtype);
    int64_t count = zarr->meta.chunk_bytes / (int64_t)item, stride = (int64_t)item;
    wf_strided_fill(1, &count, item, raw, &stride, zarr->meta.fill);
}

static weft_status unpack(const wf_zarr *zarr, const char *key, const char *packed, int64_t bytes,
                          void *raw)
{
    char where[256];
    const char *name = zarr->store->name;
    size_t n = strlen(name),
           shown = n > 150 ? 150 : n;  // the end of a long path says more than its beginning
    snprintf(where, sizeof where, "zarr: chunk '%s%.160s/%.60s'", n > shown ? "..." : "",
             name + n - shown, key);
    if (zarr->meta.codec.kind != WF_CODEC_NONE)
        return wf_codec_decode(&zarr->meta.codec, where, packed, bytes, raw,
                               zarr->meta.chunk_bytes);
    if (bytes == zarr->meta.chunk_bytes) return WEFT_OK;  // read into place already
    return wf_fail(WEFT_FORMAT, "%s: expected %" PRId64 " bytes, found %" PRId64, where,
                   zarr->meta.chunk_bytes, bytes);
}

weft_status wf_zarr_load(const wf_zarr *zarr, const int64_t *coord, void *raw, char *packed)
{
    const wf_zarr_meta *m = &zarr->meta;
    size_t width = wf_dtype_width(m->dtype);
    bool plain = m->codec.kind == WF_CODEC_NONE, found;
    int64_t bytes = 0, room = plain ? m->chunk_bytes : wf_codec_bound(m->chunk_bytes);
    char key[WF_KEY_MAX];
    wf_zarr_key(zarr, coord, key);
    WF_TRY(wf_bytestore_read(zarr->store, key, 0, plain ? raw : packed, room, &bytes, &found));
    if (!found) {
        fill_chunk(zarr, raw);
        return WEFT_OK;
    }
    if (bytes > room && !plain)
        return wf_fail(WEFT_FORMAT,
                       "zarr: chunk '%s/%s': expected at most %" PRId64 " bytes, found %" PRId64,
                       zarr->store->name, key, room, bytes);
    WF_TRY(unpack(zarr, key, packed, bytes, raw));
    if (m->swapped) wf_bytes_swap(raw, m->chunk_bytes / (int64_t)width, width);
    return WEFT_OK;
}

static void walk_place(wf_chunk_walk *w, const wf_zarr *zarr, const wf_box *box)
{
    const wf_zarr_meta *m = &zarr->meta;
    w->piece.ndim = box->ndim;
    w->whole = w->covers = true;
    for (int i = 0; i < box->ndim; i++) {
        int64_t low = w->coord[i] * m->chunk[i], dim = m->shape.dim[i];
        int64_t high = dim - low < m->chunk[i] ? dim : low + m->chunk[i];
        int64_t start = box->start[i] > low ? box->start[i] : low,
                end = box->start[i] + box->count[i];
        if (end > high) end = high;
        w->origin[i] = low;
        w->piece.start[i] = start;
        w->piece.count[i] = end - start;
        w->covers = w->covers && end - start == high - low;
        w->whole = w->whole && end - start == m->chunk[i];
    }
}

void wf_chunk_walk_start(wf_chunk_walk *w, const wf_zarr *zarr, const wf_box *box)
{
    for (int i = 0; i < box->ndim; i++) {
        w->first[i] = w->coord[i] = box->start[i] / zarr->meta.chunk[i];
        w->last[i] = (box->start[i] + box->count[i] - 1) / zarr->meta.chunk[i];
    }
    walk_place(w, zarr, box);
}

bool wf_chunk_walk_next(wf_chunk_walk *w, const wf_zarr *zarr, const wf_box *box)
{
    int i = box->ndim - 1;
    for (; i >= 0 && w->coord[i] == w->last[i]; i--) w->coord[i] = w->first[i];
    if (i < 0) return false;
    w->coord[i]++;
    walk_place(w, zarr, box);
    return true;
}

static weft_status read_piece(const wf_zarr *zarr, const wf_chunk_walk *w, const wf_box *box,
                              char *out, void *scratch)
{
    size_t item = wf_dtype_size(zarr->meta.dtype);
    int64_t stride[WEFT_MAX_NDIM];
    wf_strides_fill(box->ndim, box->count, item, false, stride);
    out += wf_strided_offset(box->ndim, w->piece.start, box->start, stride);
    if (w->whole && !zarr->meta.fortran &&
        wf_counts_contiguous(box->ndim, w->piece.count, box->count))
        return wf_zarr_load(zarr, w->coord, out, scratch);
    char *raw = wf_zarr_raw(zarr, scratch);
    WF_TRY(wf_zarr_load(zarr, w->coord, raw, scratch));
    raw += wf_strided_offset(box->ndim, w->piece.start, w->origin, zarr->chunk_stride);
    wf_strided_copy(box->ndim, w->piece.count, item, out, stride, raw, zarr->chunk_stride);
    return WEFT_OK;
}

static weft_status zarr_read(void *state, const wf_box *box, void *out, void *scratch,
                             int64_t scratch_bytes)
{
    const wf_zarr *zarr = state;
    wf_chunk_walk walk;
    WF_TRY(wf_zarr_check_scratch(zarr, box, false, scratch, scratch_bytes));
    wf_chunk_walk_start(&walk, zarr, box);
    do WF_TRY(read_piece(zarr, &walk, box, out, scratch));
    while (wf_chunk_walk_next(&walk, zarr, box));
    return WEFT_OK;
}

static int64_t zarr_read_scratch(void *state) { return wf_zarr_scratch(state); }

static int64_t zarr_read_block_scratch(void *state) { return wf_zarr_chunk_scratch(state, false); }

static void zarr_prefetch(void *state, const wf_box *box)
{
    const wf_zarr *zarr = state;
    wf_chunk_walk walk;
    char key[WF_KEY_MAX];
    int hints = 0;
    if (wf_box_size(box) == 0) return;
    wf_chunk_walk_start(&walk, zarr, box);
    do wf_bytestore_prefetch(zarr->store, wf_zarr_key(zarr, walk.coord, key));
    while (++hints < 256 && wf_chunk_walk_next(&walk, zarr, box));
}

static void zarr_close(void *state)
{
    wf_zarr_fini(state);
    wf_free(state);
}

static uint64_t fingerprint(const wf_zarr *zarr)
{
    const wf_zarr_meta *m = &zarr->meta;
    uint64_t hash = wf_hash_u64(wf_bytestore_stamp(zarr->store), (uint64_t)m->dtype);
    hash = wf_hash_bytes(hash, m->chunk, (size_t)m->shape.ndim * sizeof *m->chunk);
    return wf_hash_bytes(hash, m->shape.dim, (size_t)m->shape.ndim * sizeof *m->shape.dim);
}

static weft_status fill_info(const wf_zarr *zarr, wf_file_info *info)
{
    wf_json root;
    info->dtype = zarr->meta.dtype;
    info->shape = zarr->meta.shape;
    info->grid = wf_grid_share(&zarr->grid);
    info->chunked = true;
    info->fingerprint = fingerprint(zarr);
    if (!info->attributes) return WEFT_OK;
    WF_TRY(wf_json_check("zarr: .zattrs", info->attributes, strlen(info->attributes), &root));
    return wf_zarr_attrs_dims(root, zarr->meta.shape.ndim, &info->dims);
}

static weft_status open_path(const char *text, wf_zarr *zarr, wf_file_info *info)
{
    wf_zarr_path path;
    WF_TRY(wf_zarr_path_init(&path, text));
    weft_status st = wf_zarr_open(&path, zarr, &info->attributes);
    wf_zarr_path_fini(&path);
    if (st == WEFT_OK && (st = fill_info(zarr, info)) != WEFT_OK) wf_zarr_fini(zarr);
    return st;
}

static weft_status zarr_open(const char *path, const wf_open_options *opts, void **state,
                             wf_file_info *info)
{
    (void)opts;
    wf_zarr *zarr = wf_alloc(sizeof *zarr);
    if (!zarr) return WEFT_NO_MEMORY;
    weft_status st = open_path(path, zarr, info);
    if (st != WEFT_OK) {
        wf_free(zarr);
        return st;
    }
    *state = zarr;
    return WEFT_OK;
}

// Anything in a store but a plain file, which may be another format's.
static weft_status zarr_claims(const char *text, bool *out)
{
    wf_zarr_path path;
    struct stat st;
    WF_TRY(wf_zarr_path_init(&path, text));
    bool file = stat(path.full, &st) == 0 && S_ISREG(st.st_mode);
    *out = !file &&
           (wf_zarr_look(path.root) > WF_ZARR_FOLDER || wf_zarr_look(path.full) > WF_ZARR_FOLDER);
    wf_zarr_path_fini(&path);
    return WEFT_OK;
}

// Objects of the array's folder and what they hold, chunks of nested keys left out.
typedef struct stored_size {
    wf_bytestore *store;
    int64_t chunks, bytes;
} stored_size;

static weft_status visit_chunk(void *context, const char *name, bool folder)
{
    stored_size *s = context;
    int64_t size = 0;
    bool found = false;
    char byte;
    if (folder || name[0] == '.') return WEFT_OK;
    WF_TRY(wf_bytestore_read(s->store, name, 0, &byte, 0, &size, &found));
    s->chunks += found;
    s->bytes += found ? size : 0;
    return WEFT_OK;
}

static weft_status describe_storage(const wf_zarr *zarr, wf_text *out)
{
    stored_size stored = { .store = zarr->store };
    char size[WF_NUMBER_TEXT];
    wf_text_add(out, "codec       ");
    wf_codec_describe(&zarr->meta.codec, out);
    wf_text_add(out, "\norder       %s%s\nfill        ", zarr->meta.fortran ? "F" : "C",
                zarr->meta.swapped ? ", other byte order" : "");
    wf_zarr_meta_describe_fill(&zarr->meta, out);
    if (zarr->meta.separator == '.') {
        WF_TRY(wf_bytestore_list(zarr->store, "", visit_chunk, &stored));
        wf_number_format_bytes(stored.bytes, size);
        wf_text_add(out, "\nstored      %" PRId64 " of %" PRId64 " chunks, %s", stored.chunks,
                    wf_grid_nblock(&zarr->grid), size);
    }
    wf_text_add(out, "\n");
    return WEFT_OK;
}

static void add_compact(wf_text *out, const wf_text *json)
{
    wf_json value;
    if (json->data && wf_json_check("zarr", json->data, (size_t)json->length, &value) == WEFT_OK)
        wf_json_compact(out, value);
    else wf_text_add(out, "null");
}

// A complex fill value, which JSON has no number for, is text.
static void add_fill(const wf_zarr_meta *meta, wf_text *out)
{
    wf_text fill = { 0 };
    wf_json value;
    wf_zarr_meta_describe_fill(meta, &fill);
    if (!meta->has_fill || !fill.data) wf_text_add(out, "null");
    else if (wf_json_check("zarr", fill.data, (size_t)fill.length, &value) == WEFT_OK)
        wf_json_compact(out, value);
    else wf_json_quote(out, fill.data);
    wf_text_fini(&fill);
}

static weft_status zarr_details(void *state, wf_text *out)
{
    const wf_zarr *zarr = state;
    stored_size stored = { .store = zarr->store };
    wf_text codec = { 0 };
    wf_codec_to_json(&zarr->meta.codec, &codec);
    wf_text_add(out, ", \"codec\": ");
    add_compact(out, &codec);
    wf_text_fini(&codec);
    wf_text_add(out, ", \"order\": \"%c\", \"fill\": ", zarr->meta.fortran ? 'F' : 'C');
    add_fill(&zarr->meta, out);
    if (zarr->meta.separator != '.') return WEFT_OK;
    WF_TRY(wf_bytestore_list(zarr->store, "", visit_chunk, &stored));
    wf_text_add(out, ", \"stored_chunks\": %" PRId64 ", \"stored_bytes\": %" PRId64, stored.chunks,
                stored.bytes);
    return WEFT_OK;
}

static weft_status describe_array(const char *text, wf_text *out)
{
    wf_file_info info = { 0 };
    wf_zarr zarr;
    weft_status st = open_path(text, &zarr, &info);
    if (st == WEFT_OK) {
        wf_describe_info("zarr 2", &info, out);
        st = describe_storage(&zarr, out);
        wf_zarr_fini(&zarr);
    }
    wf_file_info_fini(&info);
    return st;
}

static weft_status zarr_describe(const char *text, wf_text *out)
{
    wf_zarr_path path;
    WF_TRY(wf_zarr_path_init(&path, text));
    weft_status st;
    if (wf_zarr_look(path.full) == WF_ZARR_GROUP) {
        wf_text_add(out, "format      zarr 2 group\narrays      ");
        st = wf_zarr_list(path.full, out);
        wf_text_add(out, "\n");
    } else {
        st = describe_array(text, out);
    }
    wf_zarr_path_fini(&path);
    return st == WEFT_OK ? wf_text_status(out) : st;
}

const wf_format_ops wf_zarr_format = {
    .abi = WF_FORMAT_ABI,
    .name = "zarr",
    .suffixes = ".zarr .zr",
    .container = true,
    .claims = zarr_claims,
    .open = zarr_open,
    .read = zarr_read,
    .read_scratch = zarr_read_scratch,
    .read_block_scratch = zarr_read_block_scratch,
    .prefetch = zarr_prefetch,
    .close = zarr_close,
    .create = wf_zarr_create,
    .write = wf_zarr_write,
    .write_scratch = wf_zarr_write_scratch,
    .write_block_scratch = wf_zarr_write_block_scratch,
    .stored = wf_zarr_stored,
    .commit = wf_zarr_commit,
    .abort = wf_zarr_abort,
    .describe = zarr_describe,
    .details = zarr_details,
};
