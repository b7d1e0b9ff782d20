// SPDX-License-Identifier: Apache-2.0
// png - a two-dimensional result as a picture. Boxes arrive in any order and the colours need the
// whole range, so the values wait in a file without a name beside the target: one pixel per element
// up to 4096 on a side, beyond that the mean of a block of elements. The picture is drawn at
// commit, a row at a time. Weft writes pictures and reads none.
#include "io/format.h"

#ifndef WF_HAVE_PNG

static weft_status png_create(const char *path, const wf_create_options *opts, void **state,
                              wf_grid *grid, bool *any_box)
{
    (void)opts, (void)state, (void)grid, (void)any_box;
    return wf_fail(WEFT_UNSUPPORTED, "png: '%s' needs libpng, which this build lacks", path);
}

const wf_format_ops wf_png_format = {
    .abi = WF_FORMAT_ABI, .name = "png", .suffixes = ".png", .create = png_create
};

#else

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <png.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/thread.h"
#include "io/element.h"
#include "io/flat.h"
#include "io/picture.h"
#include "io/temp.h"

#define MAX_SIDE 4096

// What is known of one pixel.
typedef struct pixel {
    double sum;
    uint64_t count;  // elements that are numbers
} pixel;

typedef struct png_writer {
    char *path, *temp;
    int fd;  // the file being written
    bool overwrite;
    weft_dtype dtype;
    int64_t height, width;        // pixels
    int64_t per_row, per_column;  // elements of the array in one pixel, down and across
    pixel *pixels;                // mapped
    size_t bytes;
    bool in_file;
    wf_mutex lock;  // over the pixels: two boxes may share one
} png_writer;

// What libpng's callbacks work with.
typedef struct png_job {
    int fd, err;
    bool no_memory;
    char text[160];
} png_job;

static void on_error(png_structp png, png_const_charp text)
{
    png_job *job = png_get_error_ptr(png);
    strncpy(job->text, text, sizeof job->text - 1);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp text) { (void)png, (void)text; }

static void on_write(png_structp png, png_bytep data, size_t bytes)
{
    png_job *job = png_get_io_ptr(png);
    while (bytes > 0) {
        ssize_t n = write(job->fd, data, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            job->err = errno;
            png_error(png, "write");
        }
        data += n;
        bytes -= (size_t)n;
    }
}

static void on_flush(png_structp png) { (void)png; }

static png_voidp on_malloc(png_structp png, png_alloc_size_t bytes)
{
    png_job *job = png_get_mem_ptr(png);
    void *p = wf_alloc(bytes);
    if (!p) job->no_memory = true;
    return p;
}

static void on_free(png_structp png, png_voidp p)
{
    (void)png;
    wf_free(p);
}

static double pixel_mean(const pixel *p)
{
    return p->count ? p->sum / (double)p->count : (double)NAN;
}

static void find_range(const png_writer *w, wf_picture *picture)
{
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < w->height * w->width; i++) {
        double v = pixel_mean(&w->pixels[i]);
        if (!isfinite(v)) continue;
        if (v < low) low = v;
        if (v > high) high = v;
    }
    wf_picture_init(picture, w->height, w->width, low, high, low > high);
}

static void draw_rows(png_structp png, const png_writer *w, const wf_picture *picture,
                      double *values, unsigned char *rgb)
{
    for (int64_t y = 0; y < picture->rows; y++) {
        int64_t row = wf_picture_value_row(picture, y);
        for (int64_t x = 0; row >= 0 && x < w->width; x++)
            values[x] = pixel_mean(&w->pixels[row * w->width + x]);
        wf_picture_row(picture, y, row >= 0 ? values : NULL, rgb);
        png_write_row(png, rgb);
    }
}

// Runs libpng, which leaves by longjmp when anything fails; nothing here owns memory then.
static bool encode(png_structp png, png_infop info, const png_writer *w, const wf_picture *picture,
                   double *values, unsigned char *rgb)
{
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_IHDR(png, info, (png_uint_32)picture->columns, (png_uint_32)picture->rows, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    draw_rows(png, w, picture, values, rgb);
    png_write_end(png, info);
    return true;
}

static weft_status fail_encode(const png_writer *w, const png_job *job)
{
    if (job->err) return wf_file_fail(job->err, "png", "write", w->path);
    if (job->no_memory)
        return wf_fail(WEFT_NO_MEMORY, "png: not enough memory to draw '%s'", w->path);
    return wf_fail(WEFT_IO, "png: cannot write '%s': %s", w->path, job->text);
}

static weft_status draw(const png_writer *w)
{
    wf_picture picture;
    png_job job = { .fd = w->fd };
    find_range(w, &picture);
    double *values = wf_calloc((size_t)w->width, sizeof *values);
    unsigned char *rgb = wf_calloc((size_t)picture.columns, 3);
    weft_status st = values && rgb ? WEFT_OK : WEFT_NO_MEMORY;
    png_structp png = NULL;
    png_infop info = NULL;
    if (st == WEFT_OK)
        png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning, &job,
                                        on_malloc, on_free);
    if (png) info = png_create_info_struct(png);
    if (info) {
        png_set_write_fn(png, &job, on_write, on_flush);
        if (!encode(png, info, w, &picture, values, rgb)) st = fail_encode(w, &job);
    } else if (st == WEFT_OK) {
        st = fail_encode(w, &job);
    }
    png_destroy_write_struct(&png, &info);
    wf_free(values);
    wf_free(rgb);
    return st;
}

static void free_writer(png_writer *w)
{
    if (w->pixels) munmap(w->pixels, w->bytes);
    if (w->fd >= 0) close(w->fd);
    wf_mutex_fini(&w->lock);
    wf_free(w->path);
    wf_free(w->temp);
    wf_free(w);
}

static void png_abort(void *state)
{
    png_writer *w = state;
    if (w->temp) unlink(w->temp);
    free_writer(w);
}

static weft_status png_commit(void *state)
{
    png_writer *w = state;
    WF_TRY(draw(w));
    if (fsync(w->fd) != 0) return wf_file_fail(errno, "png", "sync", w->path);
    WF_TRY(wf_temp_publish("png", w->temp, w->path, w->overwrite));
    free_writer(w);
    return WEFT_OK;
}

static weft_status create_files(png_writer *w)
{
    struct stat st;
    bool there = lstat(w->path, &st) == 0;
    if (there && S_ISDIR(st.st_mode)) return wf_fail(WEFT_EXISTS, "png: '%s' is a folder", w->path);
    if (there && !w->overwrite) return wf_fail(WEFT_EXISTS, "png: '%s' already exists", w->path);
    char *dir = wf_path_dir(w->path);
    if (!dir) return WEFT_NO_MEMORY;
    wf_temp_sweep(dir);
    w->temp = wf_temp_path_in(dir, wf_path_name(w->path));
    wf_free(dir);
    if (!w->temp) return WEFT_NO_MEMORY;
    w->fd = open(w->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return w->fd >= 0 ? WEFT_OK : wf_file_fail(errno, "png", "create", w->path);
}

// Pixels in a file that the kernel may write out, where one can be reserved; a mapped page without
// a reserved block would be a SIGBUS on a full disk. Elsewhere plain memory.
static weft_status map_pixels(png_writer *w)
{
    char *name = wf_temp_path(w->path);
    if (!name) return WEFT_NO_MEMORY;
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc = -1, err = errno;
    if (fd >= 0) {
        unlink(name);
        rc = fallocate(fd, 0, 0, (off_t)w->bytes);
        err = errno;
    }
    wf_free(name);
    w->in_file = rc == 0;
    void *map = MAP_FAILED;
    if (w->in_file || err == EOPNOTSUPP || err == ENOSYS) {
        map = mmap(NULL, w->bytes, PROT_READ | PROT_WRITE,
                   w->in_file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, w->in_file ? fd : -1, 0);
        err = errno;
    }
    if (fd >= 0) close(fd);
    if (map == MAP_FAILED) return wf_file_fail(err, "png", "make room for", w->path);
    w->pixels = map;
    return WEFT_OK;
}

static weft_status check_array(const char *path, const wf_create_options *opts)
{
    char shape[512];
    WF_TRY(wf_flat_check_options("png", path, opts));
    if (opts->region)
        return wf_fail(WEFT_UNSUPPORTED, "png: '%s': a region of a picture cannot be written",
                       path);
    if (opts->shape.ndim != 2 || wf_shape_size(&opts->shape) == 0)
        return wf_fail(WEFT_INVALID,
                       "png: '%s': a picture needs two axes and at least one element, got shape %s",
                       path, wf_shape_text(&opts->shape, shape));
    if (wf_dtype_kind(opts->dtype) == 'c')
        return wf_fail(WEFT_UNSUPPORTED, "png: '%s': %s has no colours; take abs, real or imag",
                       path, wf_dtype_name(opts->dtype));
    return WEFT_OK;
}

static weft_status png_create(const char *path, const wf_create_options *opts, void **state,
                              wf_grid *grid, bool *any_box)
{
    WF_TRY(check_array(path, opts));
    png_writer *w = wf_alloc(sizeof *w);
    if (!w) return WEFT_NO_MEMORY;
    const int64_t *dim = opts->shape.dim;
    *w = (png_writer){
        .fd = -1, .overwrite = opts->overwrite, .dtype = opts->dtype, .path = wf_strdup(path)
    };
    wf_mutex_init(&w->lock);
    w->per_row = (dim[0] - 1) / MAX_SIDE + 1;
    w->per_column = (dim[1] - 1) / MAX_SIDE + 1;
    w->height = (dim[0] - 1) / w->per_row + 1;
    w->width = (dim[1] - 1) / w->per_column + 1;
    w->bytes = (size_t)(w->height * w->width) * sizeof(pixel);
    weft_status st = w->path ? create_files(w) : WEFT_NO_MEMORY;
    if (st == WEFT_OK) st = map_pixels(w);
    if (st == WEFT_OK) st = wf_flat_grid(opts, grid);
    if (st != WEFT_OK) {
        png_abort(w);
        return st;
    }
    *any_box = true;
    *state = w;
    return WEFT_OK;
}

static weft_status png_write(void *state, const wf_box *box, const void *data, void *scratch,
                             int64_t scratch_bytes)
{
    png_writer *w = state;
    (void)scratch, (void)scratch_bytes;
    wf_mutex_lock(&w->lock);
    for (int64_t y = 0; y < box->count[0]; y++) {
        pixel *row = w->pixels + (box->start[0] + y) / w->per_row * w->width;
        for (int64_t x = 0; x < box->count[1]; x++) {
            double v = wf_element_get(w->dtype, data, y * box->count[1] + x);
            if (isnan(v)) continue;
            pixel *p = row + (box->start[1] + x) / w->per_column;
            p->sum += v;
            p->count++;
        }
    }
    wf_mutex_unlock(&w->lock);
    if (w->in_file)
        madvise(w->pixels, w->bytes,
                MADV_DONTNEED);  // they are the page cache's, not this process's
    return WEFT_OK;
}

static int64_t png_write_scratch(void *state, int64_t block_bytes)
{
    (void)state, (void)block_bytes;
    return 0;
}

const wf_format_ops wf_png_format = {
    .abi = WF_FORMAT_ABI,
    .name = "png",
    .suffixes = ".png",
    .create = png_create,
    .write = png_write,
    .write_scratch = png_write_scratch,
    .commit = png_commit,
    .abort = png_abort,
};

#endif
