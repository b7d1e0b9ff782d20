// SPDX-License-Identifier: Apache-2.0
// formats - the list of formats, and the calls that find the right one, check what comes from
// above, and pass it on.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/number.h"
#include "base/text.h"
#include "io/format.h"
#include "io/json.h"

// In the order they are asked whether a path is theirs.
static const wf_format_ops *const formats[] = { &wf_zarr_format, &wf_npy_format, &wf_raw_format,
                                                &wf_png_format };
#define NFORMATS (sizeof formats / sizeof *formats)

struct wf_file {
    const wf_format_ops *ops;
    void *state;
    char *path;
    wf_file_info info;
};

struct wf_writer {
    const wf_format_ops *ops;
    void *state;
    char *path;
    wf_grid grid;
    wf_shape shape;
    bool any_box;
};

weft_status wf_file_fail(int err, const char *format, const char *verb, const char *path)
{
    if (err == EROFS)
        return wf_fail(WEFT_DENIED, "%s: cannot %s '%s': the file system is read-only", format,
                       verb, path);
    return wf_fail_errno(err, "%s: cannot %s '%s'", format, verb, path);
}

weft_status wf_file_shape(const char *where, int ndim, const int64_t *dim, wf_shape *out)
{
    int64_t size = 1;
    for (int i = 0; i < ndim; i++)
        if (__builtin_mul_overflow(size, dim[i] > 0 ? dim[i] : 1, &size) || size > INT64_MAX / 16)
            return wf_fail(WEFT_FORMAT, "%s: the number of elements does not fit in 64 bits",
                           where);
    return wf_shape_init(out, where, ndim, dim);
}

void wf_file_info_fini(wf_file_info *info)
{
    wf_grid_fini(&info->grid);
    wf_free(info->attributes);
    wf_free(info->dims);
    *info = (wf_file_info){ 0 };
}

// "file:///x" is "/x"; any other scheme is a byte store of its own. Slashes at the end go; what is
// left must be a path.
static weft_status clean_path(const char *what, const char *path, char **out)
{
    if (!path || !*path) return wf_fail(WEFT_INVALID, "%s: the path is empty", what);
    const char *scheme = strstr(path, "://");
    if (scheme && strncmp(path, "file://", 7) == 0) path += 7;
    else if (scheme && !memchr(path, '/', (size_t)(scheme - path)))
        return wf_fail(WEFT_UNSUPPORTED, "%s: '%s': files under %.*s:// are not supported", what,
                       path, (int)(scheme - path), path);
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    if (n == 0) return wf_fail(WEFT_INVALID, "%s: the path is empty", what);
    if (n >= PATH_MAX - 256)
        return wf_fail(WEFT_INVALID, "%s: a path of %zu bytes is too long", what, n);
    *out = wf_format("%.*s", (int)n, path);
    return *out ? WEFT_OK : WEFT_NO_MEMORY;
}

static bool has_suffix(const wf_format_ops *ops, const char *name, size_t length)
{
    for (const char *p = ops->suffixes; *p;) {
        size_t n = strcspn(p, " ");
        if (length > n && memcmp(name + length - n, p, n) == 0) return true;
        p += n + strspn(p + n, " ");
    }
    return false;
}

// The format that PATH's name asks for: one that holds others by any folder on the way, the
// outermost first; else by its ending.
static const wf_format_ops *find_by_name(const char *path)
{
    const char *last = path;
    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/");
        for (size_t i = 0; i < NFORMATS; i++)
            if (formats[i]->container && has_suffix(formats[i], p, n)) return formats[i];
        if (n > 0) last = p;
        p += n;
        if (*p) p++;
    }
    for (size_t i = 0; i < NFORMATS; i++)
        if (has_suffix(formats[i], last, strlen(last))) return formats[i];
    return NULL;
}

static weft_status find_by_claim(const char *path, const wf_format_ops **out)
{
    for (size_t i = 0; i < NFORMATS; i++) {
        bool claims = false;
        if (formats[i]->claims) WF_TRY(formats[i]->claims(path, &claims));
        if (!claims) continue;
        *out = formats[i];
        return WEFT_OK;
    }
    *out = NULL;
    return WEFT_OK;
}

static weft_status find_for_reading(const char *path, const wf_format_ops **out)
{
    struct stat st;
    WF_TRY(find_by_claim(path, out));
    if (*out) return WEFT_OK;
    const wf_format_ops *named = find_by_name(path);
    bool here = stat(path, &st) == 0;
    if (!here && errno != ENOENT && errno != ENOTDIR)
        return wf_file_fail(errno, "open", "examine", path);
    if (named && named->claims) {  // it says best what is missing
        *out = named;
        return WEFT_OK;
    }
    if (!here) return wf_fail(WEFT_NOT_FOUND, "open: no file or folder '%s'", path);
    if (named == &wf_raw_format)
        return wf_fail(WEFT_INVALID, "open: '%s' is raw data, which needs a dtype and a shape",
                       path);
    return wf_fail(
        WEFT_FORMAT,
        "open: '%s' is in no format that Weft reads (.npy, .zarr; raw data with a dtype and a shape)",
        path);
}

static weft_status find_format(const char *path, const wf_open_options *opts,
                               const wf_format_ops **out)
{
    wf_shape shape;
    if (!opts || !opts->raw) return find_for_reading(path, out);
    if (!wf_dtype_is_valid(opts->dtype))
        return wf_fail(WEFT_INVALID, "open: raw data '%s' needs a dtype", path);
    WF_TRY(wf_shape_init(&shape, "open", opts->shape.ndim, opts->shape.dim));
    *out = &wf_raw_format;
    return WEFT_OK;
}

weft_status wf_file_open(const char *path, const wf_open_options *opts, wf_file **out)
{
    wf_file *file = wf_alloc(sizeof *file);
    if (!file) return WEFT_NO_MEMORY;
    weft_status st = clean_path("open", path, &file->path);
    const wf_format_ops *ops = NULL;
    if (st == WEFT_OK) st = find_format(file->path, opts, &ops);
    if (st == WEFT_OK) st = ops->open(file->path, opts, &file->state, &file->info);
    if (st != WEFT_OK) {
        wf_file_close(file);
        return st;
    }
    file->ops = ops;
    *out = file;
    return WEFT_OK;
}

void wf_file_close(wf_file *file)
{
    if (!file) return;
    if (file->ops) file->ops->close(file->state);
    wf_file_info_fini(&file->info);
    wf_free(file->path);
    wf_free(file);
}

const wf_file_info *wf_file_get_info(const wf_file *file) { return &file->info; }

const char *wf_file_path(const wf_file *file) { return file->path; }

const char *wf_file_format(const wf_file *file) { return file->ops->name; }

int64_t wf_file_scratch(const wf_file *file) { return file->ops->read_scratch(file->state); }

int64_t wf_file_block_scratch(const wf_file *file)
{
    return file->ops->read_block_scratch ? file->ops->read_block_scratch(file->state)
                                         : file->ops->read_scratch(file->state);
}

static weft_status check_box(const char *path, const wf_shape *shape, const wf_box *box)
{
    char text[512];
    bool good = box->ndim == shape->ndim;
    for (int i = 0; good && i < shape->ndim; i++)
        good = box->start[i] >= 0 && box->count[i] >= 0 && box->start[i] <= shape->dim[i] &&
               box->count[i] <= shape->dim[i] - box->start[i];
    return good ? WEFT_OK
                : wf_fail(WEFT_INVALID, "'%s': the box lies outside the shape %s", path,
                          wf_shape_text(shape, text));
}

weft_status wf_file_read(wf_file *file, const wf_box *box, void *out, void *scratch,
                         int64_t scratch_bytes)
{
    WF_TRY(check_box(file->path, &file->info.shape, box));
    if (wf_box_size(box) == 0) return WEFT_OK;
    return file->ops->read(file->state, box, out, scratch, scratch_bytes);
}

static bool is_hintable(const wf_file *file, const wf_box *box)
{
    return wf_box_size(box) > 0 && check_box(file->path, &file->info.shape, box) == WEFT_OK;
}

void wf_file_prefetch(wf_file *file, const wf_box *box)
{
    if (file->ops->prefetch && is_hintable(file, box)) file->ops->prefetch(file->state, box);
}

void wf_file_done(wf_file *file, const wf_box *box)
{
    if (file->ops->done && is_hintable(file, box)) file->ops->done(file->state, box);
}

// A link is written through: the array goes where it points, and the link stays.
static weft_status follow_link(char **path)
{
    struct stat st;
    char target[PATH_MAX];
    if (lstat(*path, &st) != 0 || !S_ISLNK(st.st_mode) || !realpath(*path, target)) return WEFT_OK;
    char *copy = wf_strdup(target);
    if (!copy) return WEFT_NO_MEMORY;
    wf_free(*path);
    *path = copy;
    return WEFT_OK;
}

static weft_status check_chunks(const char *path, const wf_create_options *opts)
{
    if (opts->nchunk != 0 && opts->nchunk != opts->shape.ndim)
        return wf_fail(WEFT_INVALID, "save: '%s': %d chunk sizes for %d axes", path, opts->nchunk,
                       opts->shape.ndim);
    for (int i = 0; i < opts->nchunk; i++)
        if (opts->chunk[i] < 1)
            return wf_fail(WEFT_INVALID,
                           "save: '%s': chunk size on axis %d must be >= 1, got %" PRId64, path, i,
                           opts->chunk[i]);
    return WEFT_OK;
}

static weft_status check_create(const char *path, const wf_create_options *opts)
{
    wf_shape shape;
    if (!wf_dtype_is_valid(opts->dtype))
        return wf_fail(WEFT_INVALID, "save: '%s': %d is no dtype", path, (int)opts->dtype);
    WF_TRY(wf_shape_init(&shape, "save", opts->shape.ndim, opts->shape.dim));
    if (opts->grid) {
        shape = wf_grid_shape(opts->grid);
        if (!wf_shape_equal(&shape, &opts->shape))
            return wf_fail(WEFT_INVALID, "save: '%s': the grid is of another shape", path);
    }
    return check_chunks(path, opts);
}

static weft_status find_for_writing(const char *path, const wf_format_ops **out)
{
    *out = find_by_name(path);
    if (!*out) WF_TRY(find_by_claim(path, out));  // what is there, or the group it is to lie in
    if (*out && (*out)->create) return WEFT_OK;
    return wf_fail(WEFT_INVALID, "save: '%s' must end in .npy, .zarr, .png, .raw or .bin", path);
}

weft_status wf_writer_create(const char *path, const wf_create_options *opts, wf_writer **out)
{
    const wf_format_ops *ops = NULL;
    wf_writer *writer = wf_alloc(sizeof *writer);
    if (!writer) return WEFT_NO_MEMORY;
    weft_status st = clean_path("save", path, &writer->path);
    if (st == WEFT_OK) st = check_create(writer->path, opts);
    if (st == WEFT_OK) st = find_for_writing(writer->path, &ops);
    if (st == WEFT_OK) st = follow_link(&writer->path);
    if (st == WEFT_OK)
        st = ops->create(writer->path, opts, &writer->state, &writer->grid, &writer->any_box);
    if (st != WEFT_OK) {
        wf_writer_abort(writer);
        return st;
    }
    writer->ops = ops;
    writer->shape = opts->shape;
    *out = writer;
    return WEFT_OK;
}

static void free_writer(wf_writer *writer)
{
    wf_grid_fini(&writer->grid);
    wf_free(writer->path);
    wf_free(writer);
}

const wf_grid *wf_writer_grid(const wf_writer *writer) { return &writer->grid; }

bool wf_writer_any_box(const wf_writer *writer) { return writer->any_box; }

int64_t wf_writer_scratch(const wf_writer *writer, int64_t block_bytes)
{
    return writer->ops->write_scratch(writer->state, block_bytes);
}

int64_t wf_writer_block_scratch(const wf_writer *writer, int64_t block_bytes)
{
    return writer->ops->write_block_scratch
               ? writer->ops->write_block_scratch(writer->state)
               : writer->ops->write_scratch(writer->state, block_bytes);
}

weft_status wf_writer_write(wf_writer *writer, const wf_box *box, const void *data, void *scratch,
                            int64_t scratch_bytes)
{
    WF_TRY(check_box(writer->path, &writer->shape, box));
    if (wf_box_size(box) == 0) return WEFT_OK;
    return writer->ops->write(writer->state, box, data, scratch, scratch_bytes);
}

weft_status wf_writer_commit(wf_writer *writer)
{
    int64_t stored;
    return wf_writer_finish(writer, &stored);
}

weft_status wf_writer_finish(wf_writer *writer, int64_t *stored)
{
    wf_error error;
    struct stat file;
    *stored = writer->ops->stored ? writer->ops->stored(writer->state) : 0;
    weft_status st = writer->ops->commit(writer->state);
    if (st == WEFT_OK && !writer->ops->stored && stat(writer->path, &file) == 0)
        *stored = file.st_size;
    if (st != WEFT_OK) {  // what went wrong must survive the cleaning up
        wf_error_take(&error);
        writer->ops->abort(writer->state);
        wf_error_raise(&error);
    }
    free_writer(writer);
    return st;
}

void wf_writer_abort(wf_writer *writer)
{
    if (!writer) return;
    if (writer->ops) writer->ops->abort(writer->state);
    free_writer(writer);
}

// A line each, without the names of axes, which stand on a line of their own.
static void describe_attributes(const char *text, wf_text *out)
{
    const char *at = NULL, *title = "attributes  ";
    wf_json root, key, value;

    if (wf_json_check("info: attributes", text, strlen(text), &root) != WEFT_OK) return;
    while (wf_json_next(root, &at, &key, &value)) {
        if (wf_json_equals(key, "_ARRAY_DIMENSIONS")) continue;
        wf_text_add(out, "%s%.*s: ", title, (int)(key.end - key.at - 2), key.at + 1);
        wf_json_compact(out, value);
        wf_text_add(out, "\n");
        title = "            ";
    }
}

weft_status wf_file_details(const wf_file *file, wf_text *out)
{
    return file->ops->details ? file->ops->details(file->state, out) : WEFT_OK;
}

void wf_describe_info(const char *format, const wf_file_info *info, wf_text *out)
{
    char shape[512], size[WF_NUMBER_TEXT];
    wf_shape chunk = { .ndim = info->shape.ndim };
    int64_t bytes = wf_shape_size(&info->shape) * (int64_t)wf_dtype_size(info->dtype);
    wf_number_format_bytes(bytes, size);
    wf_text_add(out, "format      %s\nshape       %s\ndtype       %s\nsize        %s\n", format,
                wf_shape_text(&info->shape, shape), wf_dtype_name(info->dtype), size);
    for (int i = 0; i < chunk.ndim; i++) chunk.dim[i] = info->grid.axis[i].extent;
    if (info->chunked)
        wf_text_add(out, "chunks      %s, %" PRId64 " of them\n", wf_shape_text(&chunk, shape),
                    wf_grid_nblock(&info->grid));
    if (info->dims) wf_text_add(out, "dimensions  %s\n", info->dims);
    if (info->attributes) describe_attributes(info->attributes, out);
}

weft_status wf_file_describe(const char *path, wf_text *out)
{
    const wf_format_ops *ops = NULL;
    wf_file *file;
    char *clean;
    WF_TRY(clean_path("info", path, &clean));
    weft_status st = find_for_reading(clean, &ops);
    if (st == WEFT_OK && ops->describe) {
        st = ops->describe(clean, out);
    } else if (st == WEFT_OK && (st = wf_file_open(clean, NULL, &file)) == WEFT_OK) {
        wf_describe_info(ops->name, &file->info, out);
        wf_file_close(file);
        st = wf_text_status(out);
    }
    wf_free(clean);
    return st;
}
