// SPDX-License-Identifier: Apache-2.0
// flat - one plain file of elements. A read walks the runs of bytes that are contiguous in the
// file: long ones are read straight into place (pread cannot be killed by a file that others
// truncate), short ones and transposed ones are copied from the mapping.
#include "io/flat.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "io/element.h"
#include "io/strided.h"
#include "io/temp.h"

// Bytes from which a system call per run costs less than faulting pages in and dropping them again.
#define LONG_RUN (2 << 10)
#define PIECE (64 << 10)     // bytes converted at a time
#define DROP_RUN (64 << 10)  // bytes from which pages are dropped run by run
#define FLUSH_BYTES (1 << 20)
#define FAULT_AROUND \
    (64 << 10)  // bytes that Linux maps about a page that is wanted, where it has them
#define MAX_HINTS 4096

// The runs of a box: spans of bytes contiguous in the file, in the file's order.
typedef struct run_walk {
    int ndim;                         // axes outside a run
    int axis[WEFT_MAX_NDIM];          // the file's order, outermost first
    int64_t at[WEFT_MAX_NDIM];        // by position in axis[]
    int64_t elements;                 // of one run
    int64_t file_offset, out_offset;  // bytes from the file's first element, and from the box's
    int64_t out_stride[WEFT_MAX_NDIM];
    int64_t run_stride;  // bytes between a run's elements in the box: the item, unless the file is
                         // in Fortran order
} run_walk;

// In Fortran order a run is one column only: farther elements lie elsewhere in the box.
static void walk_start(run_walk *w, const wf_flat *flat, const wf_box *box)
{
    int n = box->ndim;
    int64_t item = (int64_t)wf_dtype_size(flat->dtype);
    memset(w, 0, sizeof *w);
    wf_strides_fill(n, box->count, (size_t)item, false, w->out_stride);
    for (int k = 0; k < n; k++) w->axis[k] = flat->fortran ? n - 1 - k : k;
    w->ndim = n;
    w->elements = 1;
    w->run_stride = item;
    for (bool whole = true; w->ndim > 0 && whole; whole = whole && !flat->fortran) {
        int axis = w->axis[--w->ndim];
        w->elements *= box->count[axis];
        whole = box->count[axis] == flat->shape.dim[axis];
        if (flat->fortran) w->run_stride = w->out_stride[axis];
    }
    for (int i = 0; i < n; i++) w->file_offset += box->start[i] * flat->stride[i];
}

static bool walk_next(run_walk *w, const wf_flat *flat, const wf_box *box)
{
    for (int k = w->ndim - 1; k >= 0; k--) {
        int axis = w->axis[k];
        w->file_offset += flat->stride[axis];
        w->out_offset += w->out_stride[axis];
        if (++w->at[k] < box->count[axis]) return true;
        w->file_offset -= flat->stride[axis] * box->count[axis];
        w->out_offset -= w->out_stride[axis] * box->count[axis];
        w->at[k] = 0;
    }
    return false;
}

weft_status wf_flat_open(const char *format, const char *path, bool write, wf_flat **out,
                         int64_t *size)
{
    struct stat st;
    wf_flat *flat = wf_alloc(sizeof *flat);
    if (!flat) return WEFT_NO_MEMORY;
    *flat = (wf_flat){ .format = format, .path = wf_strdup(path), .fd = -1 };
    weft_status status = flat->path ? WEFT_OK : WEFT_NO_MEMORY;
    if (status == WEFT_OK) {
        flat->fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
        if (flat->fd < 0 || fstat(flat->fd, &st) != 0)
            status = wf_file_fail(errno, format, "open", path);
        else if (!S_ISREG(st.st_mode))
            status = wf_fail(WEFT_FORMAT, "%s: '%s' is not a regular file", format, path);
    }
    if (status != WEFT_OK) {
        wf_flat_close(flat);
        return status;
    }
    *out = flat;
    *size = st.st_size;
    return WEFT_OK;
}

static uint64_t fingerprint(const wf_flat *flat)
{
    struct stat st;
    if (fstat(flat->fd, &st) != 0) return 0;
    uint64_t hash = wf_hash_u64((uint64_t)st.st_ino, (uint64_t)st.st_size);
    hash =
        wf_hash_u64(wf_hash_u64(hash, (uint64_t)st.st_mtim.tv_sec), (uint64_t)st.st_mtim.tv_nsec);
    hash = wf_hash_u64(wf_hash_u64(hash, (uint64_t)flat->offset),
                       (uint64_t)flat->dtype * 4 + flat->swapped * 2 + flat->fortran);
    for (int i = 0; i < flat->shape.ndim; i++)
        hash = wf_hash_u64(hash, (uint64_t)flat->shape.dim[i]);
    return hash;
}

// Where the array ends in the file. The shape was checked, so that only a hostile offset could
// overflow.
static bool needed_bytes(const wf_flat *flat, int64_t *out)
{
    int64_t bytes = wf_shape_size(&flat->shape) * (int64_t)wf_dtype_size(flat->dtype);
    return !__builtin_add_overflow(bytes, flat->offset, out);
}

static weft_status fail_short(const wf_flat *flat, int64_t size)
{
    int64_t needed = INT64_MAX;
    char shape[512];
    needed_bytes(flat, &needed);
    return wf_fail(WEFT_FORMAT,
                   "%s: '%s' is truncated: %s of %s needs %" PRId64 " bytes, the file has %" PRId64,
                   flat->format, flat->path, wf_dtype_name(flat->dtype),
                   wf_shape_text(&flat->shape, shape), needed, size);
}

static weft_status check_size(const wf_flat *flat)
{
    struct stat st;
    int64_t needed = 0;
    if (fstat(flat->fd, &st) != 0) return wf_file_fail(errno, flat->format, "examine", flat->path);
    return needed_bytes(flat, &needed) && st.st_size >= needed ? WEFT_OK
                                                               : fail_short(flat, st.st_size);
}

weft_status wf_flat_attach(wf_flat *flat, int64_t size, wf_file_info *info)
{
    int64_t block[WEFT_MAX_NDIM], item = (int64_t)wf_dtype_size(flat->dtype), needed = 0;
    if (!needed_bytes(flat, &needed) || size < needed) return fail_short(flat, size);
    if (flat->shape.ndim <= 1) flat->fortran = false;
    wf_strides_fill(flat->shape.ndim, flat->shape.dim, (size_t)item, flat->fortran, flat->stride);
    for (int i = 0; i < flat->shape.ndim; i++)
        block[i] = flat->shape.dim[i] > 0 ? flat->shape.dim[i] : 1;
    WF_TRY(wf_grid_init(&info->grid, &flat->shape, block));

    if (needed > flat->offset) {
        void *map = mmap(NULL, (size_t)needed, PROT_READ, MAP_SHARED, flat->fd, 0);
        flat->map = map == MAP_FAILED ? NULL : map;  // then reads do without
        flat->map_bytes = needed;
    }
    info->dtype = flat->dtype;
    info->shape = flat->shape;
    info->mapped = flat->map && !flat->swapped && flat->offset % item == 0;
    if (info->mapped) info->data = flat->map + flat->offset;
    memcpy(info->stride, flat->stride, sizeof info->stride);
    info->fingerprint = fingerprint(flat);
    return WEFT_OK;
}

weft_status wf_flat_read_bytes(const wf_flat *flat, int64_t offset, void *out, int64_t bytes)
{
    for (char *p = out; bytes > 0;) {
        ssize_t n = pread(flat->fd, p, (size_t)bytes, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return wf_file_fail(errno, flat->format, "read", flat->path);
        if (n == 0) return fail_short(flat, offset);
        p += n;
        offset += n;
        bytes -= n;
    }
    return WEFT_OK;
}

static weft_status write_bytes(const wf_flat *flat, int64_t offset, const char *data, int64_t bytes)
{
    for (; bytes > 0;) {
        ssize_t n = pwrite(flat->fd, data, (size_t)bytes, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return wf_file_fail(errno, flat->format, "write", flat->path);
        data += n;
        offset += n;
        bytes -= n;
    }
    return WEFT_OK;
}

// A run whose elements do not lie side by side in OUT, a piece at a time.
static weft_status read_scattered(const wf_flat *flat, const run_walk *w, char *out, char *scratch)
{
    int64_t item = (int64_t)wf_dtype_size(flat->dtype), step = PIECE / item;
    for (int64_t i = 0; i < w->elements; i += step) {
        int64_t n = w->elements - i < step ? w->elements - i : step;
        WF_TRY(
            wf_flat_read_bytes(flat, flat->offset + w->file_offset + i * item, scratch, n * item));
        wf_strided_copy(1, &n, (size_t)item, out + w->out_offset + i * w->run_stride,
                        &w->run_stride, scratch, &item);
    }
    return WEFT_OK;
}

static weft_status read_runs(const wf_flat *flat, const wf_box *box, char *out, char *scratch)
{
    run_walk w;
    int64_t item = (int64_t)wf_dtype_size(flat->dtype);
    walk_start(&w, flat, box);
    do {
        if (w.run_stride == item || w.elements == 1)
            WF_TRY(wf_flat_read_bytes(flat, flat->offset + w.file_offset, out + w.out_offset,
                                      w.elements * item));
        else WF_TRY(read_scattered(flat, &w, out, scratch));
    } while (walk_next(&w, flat, box));
    return WEFT_OK;
}

static void swap_order(const wf_flat *flat, void *data, int64_t elements)
{
    size_t width = wf_dtype_width(flat->dtype);
    if (flat->swapped)
        wf_bytes_swap(data, elements * (int64_t)(wf_dtype_size(flat->dtype) / width), width);
}

static int64_t scratch_wanted(const wf_flat *flat)
{
    return flat->fortran || flat->swapped ? PIECE : 0;
}

static weft_status check_scratch(const wf_flat *flat, const void *scratch, int64_t bytes)
{
    int64_t wanted = scratch_wanted(flat);
    if (wanted == 0 || (scratch && bytes >= wanted)) return WEFT_OK;
    return wf_fail(WEFT_INVALID, "%s: '%s' needs %" PRId64 " bytes of scratch, got %" PRId64,
                   flat->format, flat->path, wanted, bytes);
}

int64_t wf_flat_read_scratch(void *state) { return scratch_wanted(state); }

int64_t wf_flat_write_scratch(void *state, int64_t block_bytes)
{
    (void)block_bytes;
    return scratch_wanted(state);
}

// Drops the pages of BYTES at OFFSET and those about them that a fault maps on its way: a page of a
// neighbour comes back from the page cache if it is used again, while what nobody dropped would
// stay for ever.
static void drop_pages(const wf_flat *flat, int64_t offset, int64_t bytes)
{
    int64_t page = sysconf(_SC_PAGESIZE);
    int64_t first = (flat->offset + offset - FAULT_AROUND) / page * page,
            end = (flat->offset + offset + bytes + FAULT_AROUND + page - 1) / page * page;
    int64_t limit = (flat->map_bytes + page - 1) / page * page;
    if (first < 0) first = 0;
    madvise(flat->map + first, (size_t)((end < limit ? end : limit) - first), MADV_DONTNEED);
}

// Short runs are dropped with all that lies between them: one call and one flush of the address
// caches instead of thousands.
static void drop_box(const wf_flat *flat, const wf_box *box)
{
    int64_t item = (int64_t)wf_dtype_size(flat->dtype), span = item;
    run_walk w;
    walk_start(&w, flat, box);
    for (int i = 0; i < box->ndim; i++) span += (box->count[i] - 1) * flat->stride[i];
    if (w.elements * item < DROP_RUN) {
        drop_pages(flat, w.file_offset, span);
        return;
    }
    do drop_pages(flat, w.file_offset, w.elements * item);
    while (walk_next(&w, flat, box));
}

weft_status wf_flat_read(void *state, const wf_box *box, void *out, void *scratch,
                         int64_t scratch_bytes)
{
    const wf_flat *flat = state;
    int64_t item = (int64_t)wf_dtype_size(flat->dtype), out_stride[WEFT_MAX_NDIM];
    run_walk w;
    WF_TRY(check_scratch(flat, scratch, scratch_bytes));
    walk_start(&w, flat, box);
    bool copy = flat->map && (w.run_stride != item || w.elements * item < LONG_RUN);
    if (copy) {
        WF_TRY(check_size(flat));
        wf_strides_fill(box->ndim, box->count, (size_t)item, false, out_stride);
        wf_strided_copy(box->ndim, box->count, (size_t)item, out, out_stride,
                        flat->map + flat->offset + w.file_offset, flat->stride);
        drop_box(flat, box);  // the caller has its copy
    } else {
        WF_TRY(read_runs(flat, box, out, scratch));
    }
    swap_order(flat, out, wf_box_size(box));
    return WEFT_OK;
}

void wf_flat_prefetch(void *state, const wf_box *box)
{
    const wf_flat *flat = state;
    int64_t item = (int64_t)wf_dtype_size(flat->dtype);
    run_walk w;
    int hints = 0;
    if (wf_box_size(box) == 0) return;
    walk_start(&w, flat, box);
    do
        posix_fadvise(flat->fd, flat->offset + w.file_offset, w.elements * item,
                      POSIX_FADV_WILLNEED);
    while (++hints < MAX_HINTS && walk_next(&w, flat, box));
}

void wf_flat_done(void *state, const wf_box *box)
{
    const wf_flat *flat = state;
    if (flat->map && wf_box_size(box) > 0) drop_box(flat, box);
}

void wf_flat_close(void *state)
{
    wf_flat *flat = state;
    if (flat->map) munmap(flat->map, (size_t)flat->map_bytes);
    if (flat->fd >= 0) close(flat->fd);
    wf_free(flat->path);
    wf_free(flat->temp);
    wf_free(flat);
}

weft_status wf_flat_check_options(const char *format, const char *path,
                                  const wf_create_options *opts)
{
    const char *what = NULL;
    if (opts->codec && *opts->codec && strcmp(opts->codec, "none") != 0) what = "compress";
    if (opts->attributes) what = "hold attributes";
    if (opts->dims) what = "hold names of axes";
    if (opts->nchunk) what = "hold chunks";
    return what ? wf_fail(WEFT_UNSUPPORTED, "%s: '%s': this format cannot %s; .zarr can", format,
                          path, what)
                : WEFT_OK;
}

weft_status wf_flat_grid(const wf_create_options *opts, wf_grid *out)
{
    int64_t block[WEFT_MAX_NDIM];
    if (opts->grid) {
        *out = wf_grid_share(opts->grid);
        return WEFT_OK;
    }
    for (int i = 0; i < opts->shape.ndim; i++)
        block[i] = opts->shape.dim[i] > 0 ? opts->shape.dim[i] : 1;
    return wf_grid_init(out, &opts->shape, block);
}

// A file system that cannot reserve gets the size only; then a full disk shows when blocks are
// written.
static weft_status reserve(const wf_flat *flat, int64_t bytes)
{
    int rc;
    if (bytes == 0) return WEFT_OK;
    do rc = fallocate(flat->fd, 0, 0, bytes);
    while (rc != 0 && errno == EINTR);
    if (rc != 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) rc = ftruncate(flat->fd, bytes);
    return rc == 0 ? WEFT_OK : wf_file_fail(errno, flat->format, "make room for", flat->path);
}

static weft_status check_target(const char *format, const char *path, bool overwrite)
{
    struct stat st;
    if (lstat(path, &st) != 0) return WEFT_OK;
    if (S_ISDIR(st.st_mode)) return wf_fail(WEFT_EXISTS, "%s: '%s' is a folder", format, path);
    return overwrite ? WEFT_OK : wf_fail(WEFT_EXISTS, "%s: '%s' already exists", format, path);
}

static weft_status create_temp(wf_flat *flat)
{
    char *dir = wf_path_dir(flat->path);
    if (!dir) return WEFT_NO_MEMORY;
    wf_temp_sweep(dir);
    wf_free(dir);
    flat->temp = wf_temp_path(flat->path);
    if (!flat->temp) return WEFT_NO_MEMORY;
    mode_t mode = 0666;
    struct stat old;
    if (flat->overwrite && lstat(flat->path, &old) == 0 && S_ISREG(old.st_mode))
        mode = old.st_mode & 0666;  // nobody reads it meanwhile who could not read the old one
    flat->fd = open(flat->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode | 0200);
    return flat->fd >= 0 ? WEFT_OK : wf_file_fail(errno, flat->format, "create", flat->path);
}

static weft_status start_file(wf_flat *flat, const void *header, int64_t header_bytes)
{
    int64_t bytes = 0;
    if (!flat->path) return WEFT_NO_MEMORY;
    if (!needed_bytes(flat, &bytes))
        return wf_fail(WEFT_OVERFLOW, "%s: '%s' would be too large", flat->format, flat->path);
    WF_TRY(create_temp(flat));
    WF_TRY(reserve(flat, bytes));
    return write_bytes(flat, 0, header, header_bytes);
}

weft_status wf_flat_create(const char *format, const char *path, const wf_create_options *opts,
                           const void *header, int64_t header_bytes, wf_flat **out)
{
    WF_TRY(check_target(format, path, opts->overwrite));
    wf_flat *flat = wf_alloc(sizeof *flat);
    if (!flat) return WEFT_NO_MEMORY;
    *flat = (wf_flat){ .format = format,
                       .path = wf_strdup(path),
                       .fd = -1,
                       .overwrite = opts->overwrite,
                       .offset = header_bytes,
                       .dtype = opts->dtype,
                       .shape = opts->shape };
    wf_strides_fill(flat->shape.ndim, flat->shape.dim, wf_dtype_size(flat->dtype), false,
                    flat->stride);
    weft_status st = start_file(flat, header, header_bytes);
    if (st != WEFT_OK) {
        wf_flat_abort(flat);
        return st;
    }
    *out = flat;
    return WEFT_OK;
}

// Elements that must be gathered or turned around before they can be written, a piece at a time.
static weft_status write_converted(const wf_flat *flat, const run_walk *w, const char *data,
                                   char *scratch)
{
    int64_t item = (int64_t)wf_dtype_size(flat->dtype), step = PIECE / item;
    for (int64_t i = 0; i < w->elements; i += step) {
        int64_t n = w->elements - i < step ? w->elements - i : step;
        wf_strided_copy(1, &n, (size_t)item, scratch, &item,
                        data + w->out_offset + i * w->run_stride, &w->run_stride);
        swap_order(flat, scratch, n);
        WF_TRY(write_bytes(flat, flat->offset + w->file_offset + i * item, scratch, n * item));
    }
    return WEFT_OK;
}

weft_status wf_flat_write(void *state, const wf_box *box, const void *data, void *scratch,
                          int64_t scratch_bytes)
{
    wf_flat *flat = state;
    int64_t item = (int64_t)wf_dtype_size(flat->dtype);
    run_walk w;
    WF_TRY(check_scratch(flat, scratch, scratch_bytes));
    __atomic_add_fetch(&flat->stored, wf_box_size(box) * item, __ATOMIC_RELAXED);
    walk_start(&w, flat, box);
    do {
        if (w.run_stride != item || flat->swapped) {
            WF_TRY(write_converted(flat, &w, data, scratch));
            continue;
        }
        WF_TRY(write_bytes(flat, flat->offset + w.file_offset, (const char *)data + w.out_offset,
                           w.elements * item));
        // The disk starts now, so that the sync at the end has little left to do.
        if (w.elements * item >= FLUSH_BYTES)
            sync_file_range(flat->fd, flat->offset + w.file_offset, w.elements * item,
                            SYNC_FILE_RANGE_WRITE);
    } while (walk_next(&w, flat, box));
    return WEFT_OK;
}

int64_t wf_flat_stored(void *state)
{
    const wf_flat *flat = state;
    return __atomic_load_n(&flat->stored, __ATOMIC_RELAXED) + (flat->temp ? flat->offset : 0);
}

weft_status wf_flat_commit(void *state)
{
    wf_flat *flat = state;
    if (fsync(flat->fd) != 0) return wf_file_fail(errno, flat->format, "sync", flat->path);
    if (flat->temp) WF_TRY(wf_temp_publish(flat->format, flat->temp, flat->path, flat->overwrite));
    wf_flat_close(flat);
    return WEFT_OK;
}

void wf_flat_abort(void *state)
{
    wf_flat *flat = state;
    if (flat->temp) unlink(flat->temp);
    wf_flat_close(flat);
}
