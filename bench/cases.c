// SPDX-License-Identifier: Apache-2.0
// cases - what ./dev bench measures of Weft, as a program of a user: one case per process, one run
// per line on standard input. usage: cases NAME FRACTION [MEMORY_LIMIT]    prints "ready", then for
// each line read "SECONDS VALUE", and at the end "peak KIB read BYTES written BYTES spilled BYTES
// unspilled BYTES disk_read BYTES disk_written BYTES" of all its runs together
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <weft.h>

typedef struct state {
    weft_session *s;
    double fraction;
    weft_array *a, *b, *c;
    double *data;
    float *data32;
    int64_t n;
} state;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const char *where)
{
    fprintf(stderr, "cases: %s: %s\n", where, weft_last_error());
    exit(1);
}

static double item(weft_array *x)
{
    double v;
    if (weft_item_f64(x, &v)) die("item");
    return v;
}

// Memory as a C program makes it, or LIKE_NUMPY: on huge pages where the system has them. Each case
// has what its peers have.
static void *make_memory(int64_t bytes, bool like_numpy)
{
    enum { HUGE = 2 << 20 };
    size_t size = ((size_t)bytes + HUGE) / HUGE * HUGE;
    void *p = aligned_alloc(HUGE, size);
    if (!p) exit(3);
#ifdef MADV_HUGEPAGE
    if (like_numpy) (void)madvise(p, size, MADV_HUGEPAGE);
#endif
    return p;
}

static double *fill(int64_t n, unsigned seed, bool like_numpy)
{
    double *p = make_memory(n * 8, like_numpy);
    uint64_t x = 88172645463325252ull + seed;
    for (int64_t i = 0; i < n; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        p[i] = (double)(x >> 11) * 0x1p-53;
    }
    return p;
}

static weft_array *lend(state *st, const void *data, weft_dtype dtype, int ndim,
                        const int64_t *shape)
{
    return weft_from_memory(st->s, data, dtype, ndim, shape,
                            &(weft_memory_options){ .borrow = true });
}

static int64_t scaled(const state *st, int64_t n)
{
    int64_t m = (int64_t)((double)n * st->fraction);
    return m > 1 ? m : 1;
}

static int64_t side(const state *st, int64_t n)  // of a square, by area
{
    int64_t m = (int64_t)((double)n * sqrt(st->fraction));
    return m > 8 ? m : 8;
}

/* ---- in memory ---- */

static void expsum_setup(state *st)
{
    st->n = scaled(st, 100000000);
    st->data = fill(st->n, 1, false);
    st->a = lend(st, st->data, WEFT_FLOAT64, WEFT_SHAPE(st->n));
}

static double expsum(state *st)
{
    weft_array *x = st->a, *one = weft_num(st->s, 1);
    return item(weft_sum(
        weft_multiply(weft_sqrt(weft_add(weft_multiply(x, x), one)), weft_exp(weft_negative(x))),
        WEFT_ALL_AXES, NULL));
}

static void make_square(state *st, bool like_numpy)
{
    st->n = side(st, 10000);
    st->data = fill(st->n * st->n, 2, like_numpy);
    st->a = weft_rechunk(lend(st, st->data, WEFT_FLOAT64, WEFT_SHAPE(st->n, st->n)), 2,
                         (const int64_t[]){ 1000, 1000 });
}

static void square_setup(state *st) { make_square(st, true); }
static void plain_square_setup(state *st) { make_square(st, false); }

static double transpose_mean(state *st)
{
    weft_array *m = weft_mean(weft_add(st->a, weft_matrix_transpose(st->a)), WEFT_AXES(0), NULL);
    if (weft_compute(WEFT_ARRAYS(m), NULL))
        die("transpose_mean");  // all of it: asked for one element, Weft computes only its blocks
    return item(weft_index(m, WEFT_CUTS(WEFT_AT(3))));
}

static double std_axis0(state *st)
{
    weft_array *d = weft_std(st->a, WEFT_AXES(0), NULL);
    if (weft_compute(WEFT_ARRAYS(d), NULL)) die("std_axis0");
    return item(weft_index(d, WEFT_CUTS(WEFT_AT(3))));
}

static void chain_setup(state *st)
{
    st->n = scaled(st, 100000000);
    st->data32 = make_memory(st->n * 4, false);
    st->data = make_memory(st->n * 4, false);
    if (!st->data32 || !st->data) exit(3);
    for (int64_t i = 0; i < st->n; i++) st->data32[i] = (float)(i % 1000) * 1e-3f;
    st->a = lend(st, st->data32, WEFT_FLOAT32, WEFT_SHAPE(st->n));
}

// ((((x*2+1)*x-3)*x+0.5)*x-x)*0.25 + x : ten operations
static double chain(state *st)
{
    weft_session *s = st->s;
    weft_array *x = st->a, *y = weft_add(weft_multiply(x, weft_num(s, 2)), weft_num(s, 1));
    y = weft_subtract(weft_multiply(y, x), weft_num(s, 3));
    y = weft_add(weft_multiply(y, x), weft_num(s, 0.5));
    y = weft_subtract(weft_multiply(y, x), x);
    y = weft_add(weft_multiply(y, weft_num(s, 0.25)), x);
    if (weft_compute(WEFT_ARRAYS(y), NULL)) die("chain");
    return item(weft_index(y, WEFT_CUTS(WEFT_AT(7))));
}

static void matmul_setup(state *st)
{
    st->n = side(st, 4000);
    double *a = fill(st->n * st->n, 3, true), *b = fill(st->n * st->n, 4, true);
    const int64_t block[] = { 1000, 1000 };
    st->a = weft_rechunk(lend(st, a, WEFT_FLOAT64, WEFT_SHAPE(st->n, st->n)), 2, block);
    st->b = weft_rechunk(lend(st, b, WEFT_FLOAT64, WEFT_SHAPE(st->n, st->n)), 2, block);
}

static double matmul(state *st)
{
    weft_array *c = weft_matmul(st->a, st->b);
    if (weft_compute(WEFT_ARRAYS(c), NULL)) die("matmul");
    return item(weft_index(c, WEFT_CUTS(WEFT_AT(3), WEFT_AT(5))));
}

static void none_setup(state *st) { st->n = scaled(st, 100000000); }

static double normals(state *st)
{
    return item(
        weft_sum(weft_random_normal(st->s, WEFT_SHAPE(st->n), &(weft_random_options){ .seed = 5 }),
                 WEFT_ALL_AXES, NULL));
}

static void blocks_setup(state *st)
{
    st->n = scaled(st, 1000000) * 20;
    st->data = fill(st->n, 6, true);
    st->a = weft_rechunk(lend(st, st->data, WEFT_FLOAT64, WEFT_SHAPE(st->n)), 1,
                         (const int64_t[]){ 20 });
}

static double blocks(state *st)
{
    return item(weft_sum(weft_add(st->a, weft_num(st->s, 1)), WEFT_ALL_AXES, NULL));
}

static double tiny(state *st)  // microseconds in the value
{
    int64_t turns = scaled(st, 100000);
    double from = now();
    weft_scope *turn = weft_scope_open(st->s);
    for (int64_t i = 0; i < turns; i++) {
        item(weft_add(weft_num(st->s, (double)i), weft_num(st->s, 2)));
        if (weft_scope_reset(turn, 0, NULL)) die("tiny");
    }
    double us = (now() - from) / (double)turns * 1e6;
    if (weft_scope_close(turn, 0, NULL)) die("tiny");
    return us;
}

static void cg_setup(state *st)
{
    st->n = side(st, 4000);
    int64_t n = st->n;
    double *a = fill(n * n, 7, true);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = a[i * n + j] + a[j * n + i];
        a[i * n + i] += (double)n * (0.1 + 99.9 * (double)i / (double)n);  // slow to converge
    }
    st->a = weft_rechunk(lend(st, a, WEFT_FLOAT64, WEFT_SHAPE(n, n)), 2,
                         (const int64_t[]){ 1000, 1000 });
}

static double cg(state *st)
{
    weft_array *A = st->a, *b = weft_ones(st->s, WEFT_FLOAT64, WEFT_SHAPE(st->n)),
               *x = weft_zeros(st->s, WEFT_FLOAT64, WEFT_SHAPE(st->n));
    weft_array *r = b, *p = b, *rr = weft_vecdot(b, b);
    if (weft_compute(WEFT_ARRAYS(b, x, rr), NULL)) die("cg");
    weft_scope *turn = weft_scope_open(st->s);
    for (int k = 0; k < 200; k++) {
        weft_array *Ap = weft_matmul(A, p), *alpha = weft_divide(rr, weft_vecdot(p, Ap)), *old = rr;
        x = weft_add(x, weft_multiply(alpha, p));
        r = weft_subtract(r, weft_multiply(alpha, Ap));
        rr = weft_vecdot(r, r);
        p = weft_add(r, weft_multiply(weft_divide(rr, old), p));
        if (weft_scope_reset(turn, WEFT_ARRAYS(x, r, p, rr)) ||
            weft_compute(WEFT_ARRAYS(x, r, p, rr), NULL))
            die("cg");
    }
    double v = item(weft_index(x, WEFT_CUTS(WEFT_AT(0))));
    if (weft_scope_close(turn, 0, NULL)) die("cg");
    return v;
}

static void jacobi_setup(state *st) { st->n = side(st, 4000); }

static double jacobi(state *st)
{
    int64_t n = st->n;
    weft_array *u = weft_zeros(st->s, WEFT_FLOAT64, WEFT_SHAPE(n, n)),
               *quarter = weft_num(st->s, 0.25), *d = NULL;
    u = weft_setitem(u, WEFT_CUTS(WEFT_AT(0)), weft_num(st->s, 100));
    weft_scope *turn = weft_scope_open(st->s);
    for (int k = 0; k < 1000; k++) {
        weft_array *in = weft_multiply(
            quarter,
            weft_add(weft_add(weft_index_text(u, ":-2, 1:-1"), weft_index_text(u, "2:, 1:-1")),
                     weft_add(weft_index_text(u, "1:-1, :-2"), weft_index_text(u, "1:-1, 2:"))));
        weft_array *next = weft_setitem(u, WEFT_CUTS(WEFT_SPAN(1, -1), WEFT_SPAN(1, -1)), in);
        d = weft_max(weft_abs(weft_subtract(next, u)), WEFT_ALL_AXES, NULL);
        u = next;
        if (weft_scope_reset(turn, WEFT_ARRAYS(u, d)) || weft_compute(WEFT_ARRAYS(u, d), NULL))
            die("jacobi");
    }
    double v = item(d);
    if (weft_scope_close(turn, 0, NULL)) die("jacobi");
    return v;
}

static void sweep_setup(state *st)
{
    st->n = scaled(st, 100000000);
    double *p = fill(st->n, 8, true);
    st->a = lend(st, p, WEFT_FLOAT64, WEFT_SHAPE(st->n));
}

// Turns of a loop that is to last about the same whatever the size.
static int64_t turns_of(int64_t n)
{
    int64_t turns = 20000000 / (n + 10000);
    return turns > 0 ? turns : 1;
}

static double sweep(
    state *st)  // a*b+c and a sum at the case's size; microseconds a turn in the value
{
    int64_t turns = turns_of(st->n);
    double from = now(), v;
    weft_scope *turn = weft_scope_open(st->s);
    for (int64_t i = 0; i < turns; i++) {
        weft_array *y = weft_add(weft_multiply(st->a, st->a), st->a),
                   *sum = weft_sum(st->a, WEFT_ALL_AXES, NULL);
        if (weft_compute(WEFT_ARRAYS(y, sum), NULL) || weft_item_f64(sum, &v) ||
            weft_scope_reset(turn, 0, NULL))
            die("sweep");
    }
    double us = (now() - from) / (double)turns * 1e6;
    if (weft_scope_close(turn, 0, NULL)) die("sweep");
    return us;
}

static int64_t entries(const char *path)
{
    int64_t n = 0;
    DIR *d = opendir(path);
    while (d && readdir(d)) n++;
    if (d) closedir(d);
    return n;
}

static int64_t resident_kib(void)
{
    long size, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%ld %ld", &size, &pages) != 2) pages = 0;
    if (f) fclose(f);
    return (int64_t)pages * (sysconf(_SC_PAGESIZE) / 1024);
}

// Many small requests, on the calling thread and on the engine's: the value is what the process has
// grown by after the first tenth, in KiB, plus a million for each descriptor or thread more.
static double requests(state *st)
{
    int64_t n = scaled(st, 1000000), before = 0, handles = 0;
    weft_scope *turn = weft_scope_open(st->s);
    weft_array *big = weft_ones(st->s, WEFT_FLOAT64, WEFT_SHAPE(300, 300));
    for (int64_t i = 0; i < n; i++) {
        if (i == n / 10) {
            before = resident_kib();
            handles = entries("/proc/self/fd") + entries("/proc/self/task");
        }
        weft_array *x = weft_add(weft_num(st->s, (double)i), weft_num(st->s, 2));
        if (i % 100 == 0) x = weft_sum(weft_multiply(big, x), WEFT_ALL_AXES, NULL);
        item(x);
        if (weft_scope_reset(turn, 1, &big)) die("requests");
    }
    handles = entries("/proc/self/fd") + entries("/proc/self/task") - handles;
    if (weft_scope_close(turn, 0, NULL)) die("requests");
    return (double)(resident_kib() - before) + 1e6 * (double)handles;
}

// A graph of N nodes over small arrays that no plan fuses into one, computed: microseconds.
static double planned(state *st, weft_array *x, int64_t n)
{
    double from = now();
    weft_array *y = x, *mean = NULL;
    for (int64_t i = 0; i < n; i += 4) {
        mean = weft_mean(y, WEFT_AXES(0),
                         NULL);  // three nodes, with the division, and one that uses them
        y = weft_subtract(y, mean);
    }
    if (weft_compute(WEFT_ARRAYS(y), NULL)) die("plan");
    (void)st;
    return (now() - from) * 1e6;
}

// Microseconds a node that a plan costs: a request whose plan must be made, less the same request
// once its plan is known.
static double plan_first(state *st)
{
    static int64_t more;
    int64_t n = 1000 + 4 * more++;
    double first = planned(st, weft_ones(st->s, WEFT_FLOAT64, WEFT_SHAPE(4, 4)), n);
    double again = planned(st, weft_ones(st->s, WEFT_FLOAT64, WEFT_SHAPE(4, 4)), n);
    return (first - again) / (double)n;
}

static double plan_cached(state *st)  // microseconds a request of 20 nodes whose plan is known
{
    int64_t turns = scaled(st, 2000);
    double us = 0;
    weft_scope *turn = weft_scope_open(st->s);
    for (int64_t i = 0; i < turns; i++) {
        us += planned(st, weft_ones(st->s, WEFT_FLOAT64, WEFT_SHAPE(4, 4)), 20);
        if (weft_scope_reset(turn, 0, NULL)) die("plan");
    }
    if (weft_scope_close(turn, 0, NULL)) die("plan");
    return us / (double)turns;
}

static double open_close(state *st)
{
    (void)st;
    weft_session *s = weft_open(NULL);
    return s ? (double)weft_close(s) : -1;
}

/* ---- larger than the memory limit; GiB by fraction of 8 ---- */

static weft_array *drawn(state *st, int ndim, const int64_t *shape, int nblock,
                         const int64_t *block, uint64_t seed)
{
    weft_array *x =
        weft_random_uniform(st->s, 0, 1, ndim, shape, &(weft_random_options){ .seed = seed });
    return nblock ? weft_rechunk(x, nblock, block) : x;
}

static double basic_sum(state *st)
{
    int64_t n = scaled(st, (int64_t)273542);  // 8 GiB with 3925 columns
    weft_array *x = weft_rechunk(weft_zeros(st->s, WEFT_FLOAT64, WEFT_SHAPE(n, 3925)), 2,
                                 (const int64_t[]){ n, 64 });
    return item(weft_sum(weft_sum(x, WEFT_AXES(1), NULL), WEFT_ALL_AXES, NULL));
}

static weft_status drop(void *context, const int64_t *start, const int64_t *count, const void *data)
{
    (void)context, (void)start, (void)count, (void)data;
    return WEFT_OK;
}

static double vorticity(state *st)
{
    int64_t n = 1000, k = scaled(st, 537);
    weft_array *u = drawn(st, 3, (const int64_t[]){ n, n, k }, 3, (const int64_t[]){ n, n, 8 }, 11);
    weft_array *v = drawn(st, 3, (const int64_t[]){ n, n, k }, 3, (const int64_t[]){ n, n, 8 }, 12);
    weft_array *dx = drawn(st, 2, (const int64_t[]){ n + 1, n }, 0, NULL, 13),
               *dy = drawn(st, 2, (const int64_t[]){ n + 1, n }, 0, NULL, 14);
    const int64_t before[] = { 0, 0, 0 }, after[] = { 1, 0, 0 };
    weft_array *up = weft_pad(u, 3, before, after, &(weft_pad_options){ .mode = WEFT_PAD_WRAP });
    weft_array *vp = weft_pad(v, 3, before, after, &(weft_pad_options){ .mode = WEFT_PAD_WRAP });
    weft_array *w = weft_subtract(weft_multiply(weft_expand_dims(dx, 2), up),
                                  weft_multiply(weft_expand_dims(dy, 2), vp));
    weft_array *sink = weft_to_writer(w, drop, NULL);
    if (weft_compute(WEFT_ARRAYS(sink), NULL)) die("vorticity");
    return (double)weft_array_size(w);
}

static double double_diff(state *st)
{
    int64_t n = side(st, 32768);
    const int64_t block[] = { 1619, 1619 };
    weft_array *a = drawn(st, 2, (const int64_t[]){ n, n }, 2, block, 21),
               *b = drawn(st, 2, (const int64_t[]){ n, n }, 2, block, 22);
    weft_array *d = weft_subtract(weft_index_text(a, "1:, 1:"), weft_index_text(b, ":-1, :-1"));
    weft_array *sink = weft_to_writer(d, drop, NULL);
    if (weft_compute(WEFT_ARRAYS(sink), NULL)) die("double_diff");
    return (double)weft_array_size(d);
}

static double dot_product(state *st)
{
    int64_t n = side(st, 32768);
    weft_array *a = drawn(st, 2, (const int64_t[]){ n, n }, 2, (const int64_t[]){ 2000, 2000 }, 31);
    return item(weft_sum(weft_matmul(a, weft_matrix_transpose(a)), WEFT_ALL_AXES, NULL));
}

static double quadratic_mean(state *st)
{
    int64_t n = scaled(st, 283);
    const int64_t shape[] = { n, 1, 987, 1920 }, block[] = { 10, 1, 987, 1920 };
    weft_array *u = drawn(st, 4, shape, 4, block, 41), *v = drawn(st, 4, shape, 4, block, 42);
    weft_array *m[] = { weft_mean(weft_square(u), WEFT_AXES(0), NULL),
                        weft_mean(weft_square(v), WEFT_AXES(0), NULL),
                        weft_mean(weft_multiply(u, v), WEFT_AXES(0), NULL) };
    if (weft_compute(3, m, NULL)) die("quadratic_mean");
    return item(weft_sum(m[2], WEFT_ALL_AXES, NULL));
}

static double anom_mean(state *st)
{
    int64_t rows = 3925, cols = scaled(st, 273542);
    int64_t day[3925];
    for (int64_t i = 0; i < rows; i++) day[i] = i % 39;
    weft_array *x =
        drawn(st, 2, (const int64_t[]){ rows, cols }, 2, (const int64_t[]){ 1, cols }, 51);
    weft_array *d = weft_from_memory(st->s, day, WEFT_INT64, WEFT_SHAPE(rows), NULL);
    weft_array *clim = weft_group_mean(x, d, 39, 0),
               *anom = weft_subtract(x, weft_take(clim, d, 0));
    weft_array *m = weft_mean(anom, WEFT_AXES(0), NULL);
    return item(weft_sum(weft_abs(m), WEFT_ALL_AXES, NULL));
}

static double zmean(state *st)
{
    int64_t n = side(st, 32768);
    weft_array *z = drawn(st, 2, (const int64_t[]){ n, n }, 2, (const int64_t[]){ 2048, 2048 }, 61);
    return item(weft_sum(weft_subtract(z, weft_mean(z, WEFT_AXES(0), NULL)), WEFT_ALL_AXES, NULL));
}

/* ---- files: a folder in $BENCH_DIR ---- */

static char *file_path(const char *name)
{
    static char path[4][512];
    static int which;
    which = (which + 1) % 4;
    snprintf(path[which], sizeof path[which], "%s/%s",
             getenv("BENCH_DIR") ? getenv("BENCH_DIR") : ".", name);
    return path[which];
}

static void cool_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0) return;
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

// What lies under PATH leaves the page cache, or the disk.
static void each_file(const char *path, bool remove_it)
{
    DIR *entries = opendir(path);
    for (struct dirent *e; entries && (e = readdir(entries));) {
        char name[1024];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (remove_it) unlink(name);
        else cool_file(name);
    }
    if (entries) closedir(entries);
    if (!remove_it) cool_file(path);
    else if (entries) rmdir(path);
    else unlink(path);
}

static void cold_zarr(state *st)
{
    (void)st;
    each_file(file_path("out.zarr"), true);
    each_file(file_path("rows.zarr"), false);
}

static void cold_npy(state *st)
{
    (void)st;
    each_file(file_path("out.npy"), true);
    each_file(file_path("rows.npy"), false);
}

static weft_array *rows(state *st, int64_t n)
{
    return drawn(st, 2, (const int64_t[]){ n, n }, 2,
                 (const int64_t[]){ n / 64 > 0 ? n / 64 : 1, n }, 71);
}

static void save_zarr(weft_array *x, const char *path, bool columns, const char *codec)
{
    int64_t n = weft_array_dim(x, 0), thin = n / 64 > 0 ? n / 64 : 1;
    const int64_t chunks[] = { columns ? n : thin, columns ? thin : n };
    if (weft_save(x, path,
                  &(weft_save_options){
                      .overwrite = true, .nchunks = 2, .chunks = chunks, .codec = codec }))
        die("save");
}

static void zarr_setup(state *st)
{
    save_zarr(rows(st, side(st, 32768)), file_path("rows.zarr"), false, "none");
}

static void npy_setup(state *st)
{
    if (weft_save(rows(st, side(st, 32768)), file_path("rows.npy"),
                  &(weft_save_options){ .overwrite = true }))
        die("save");
}

// Half of the bits of each element are random: the codec has something to do, and finds something.
static void packed_setup(state *st)
{
    weft_array *x = weft_floor(weft_multiply(rows(st, side(st, 32768)), weft_num(st->s, 0x1p26)));
    save_zarr(x, file_path("rows.zarr"), false, NULL);
}

static double swap_as(state *st, const char *codec)
{
    weft_array *x = weft_load(st->s, file_path("rows.zarr"), NULL);
    save_zarr(x, file_path("out.zarr"), true, codec);
    return (double)weft_array_dim(x, 0);
}

static double copy_as(state *st, const char *codec)
{
    weft_array *x = weft_load(st->s, file_path("rows.zarr"), NULL);
    save_zarr(x, file_path("out.zarr"), false, codec);
    return (double)weft_array_dim(x, 0);
}

static double swap(state *st) { return swap_as(st, "none"); }
static double copy(state *st) { return copy_as(st, "none"); }
static double swap_packed(state *st) { return swap_as(st, NULL); }
static double copy_packed(state *st) { return copy_as(st, NULL); }

static double swap_npy(state *st)
{
    weft_array *x = weft_load(st->s, file_path("rows.npy"), NULL);
    if (weft_save(weft_matrix_transpose(x), file_path("out.npy"), NULL)) die("swap");
    return (double)weft_array_dim(x, 0);
}

static double copy_npy(state *st)
{
    weft_array *x = weft_load(st->s, file_path("rows.npy"), NULL);
    if (weft_save(x, file_path("out.npy"), NULL)) die("copy");
    return (double)weft_array_dim(x, 0);
}

/* ---- graphs ---- */

static double graph(state *st)  // nanoseconds a node to build
{
    int64_t n = scaled(st, 1000000);
    weft_scope *scope = weft_scope_open(st->s);
    weft_array *x = weft_zeros(st->s, WEFT_FLOAT64, WEFT_SHAPE(1000)), *one = weft_num(st->s, 1);
    double from = now();
    for (int64_t i = 0; i < n; i++) x = weft_add(x, one);
    double ns = (now() - from) / (double)n * 1e9;
    if (!x || weft_scope_close(scope, 0, NULL)) die("graph");
    return ns;
}

// Microseconds a node of a first plan, its text included: slices of an array of a million blocks,
// added up and summed.
static double plan(state *st)
{
    int64_t n = scaled(st, 1000), dim = 20000000, block = 20;
    weft_array *x = weft_rechunk(drawn(st, 1, &dim, 0, NULL, 3), 1, &block), *y = x;
    for (int64_t i = 1; i < n; i++)
        y = weft_add(weft_index(y, WEFT_CUTS(WEFT_SPAN(1, weft_array_dim(y, 0)))),
                     weft_index(x, WEFT_CUTS(WEFT_SPAN(0, weft_array_dim(y, 0) - 1))));
    y = weft_sum(y, WEFT_ALL_AXES, NULL);
    double from = now();
    char *text = weft_explain(y);
    double us = (now() - from) / (double)(3 * n) * 1e6;
    if (!text) die("plan");
    weft_text_free(text);
    return us;
}

// Microseconds a turn of conjugate gradients on so small a matrix that little is left but to find
// the plan, bind it and hand over.
static void turn_setup(state *st)
{
    st->fraction = 1.6e-5;
    cg_setup(st);
}

static double turn(state *st)
{
    double from = now();
    (void)cg(st);
    return (now() - from) / 200 * 1e6;
}

static const struct {
    const char *name;
    void (*setup)(state *);
    double (*run)(state *);
    void (*prepare)(state *);  // before each run, not timed; may be NULL
} cases[] = {
    { "expsum", expsum_setup, expsum, NULL },
    { "transpose_mean", square_setup, transpose_mean, NULL },
    { "std_axis0", plain_square_setup, std_axis0, NULL },
    { "chain", chain_setup, chain, NULL },
    { "matmul", matmul_setup, matmul, NULL },
    { "normals", none_setup, normals, NULL },
    { "blocks", blocks_setup, blocks, NULL },
    { "tiny", none_setup, tiny, NULL },
    { "cg", cg_setup, cg, NULL },
    { "jacobi", jacobi_setup, jacobi, NULL },
    { "sweep", sweep_setup, sweep, NULL },
    { "requests", none_setup, requests, NULL },
    { "plan_first", none_setup, plan_first, NULL },
    { "plan_cached", none_setup, plan_cached, NULL },
    { "open_close", none_setup, open_close, NULL },
    { "basic_sum", none_setup, basic_sum, NULL },
    { "vorticity", none_setup, vorticity, NULL },
    { "double_diff", none_setup, double_diff, NULL },
    { "dot_product", none_setup, dot_product, NULL },
    { "quadratic_mean", none_setup, quadratic_mean, NULL },
    { "anom_mean", none_setup, anom_mean, NULL },
    { "zmean", none_setup, zmean, NULL },
    { "copy", zarr_setup, copy, cold_zarr },
    { "swap", zarr_setup, swap, cold_zarr },
    { "copy_packed", packed_setup, copy_packed, cold_zarr },
    { "swap_packed", packed_setup, swap_packed, cold_zarr },
    { "copy_npy", npy_setup, copy_npy, cold_npy },
    { "swap_npy", npy_setup, swap_npy, cold_npy },
    { "graph", none_setup, graph, NULL },
    { "plan", none_setup, plan, NULL },
    { "turn", turn_setup, turn, NULL },
};

// Bytes that really went to and came from the disk: 0 where the system does not say.
static int64_t disk_bytes(const char *which)
{
    char line[128];
    int64_t n = 0;
    FILE *f = fopen("/proc/self/io", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, which, strlen(which)) == 0) n = atoll(line + strlen(which) + 1);
    if (f) fclose(f);
    return n;
}

static void print_use(state *st)
{
    struct rusage usage;
    weft_session_stats s = { 0 };
    getrusage(RUSAGE_SELF, &usage);
    if (weft_stats(st->s, &s)) die("stats");
    printf("peak %ld read %lld written %lld spilled %lld unspilled %lld disk_read %lld "
           "disk_written %lld tracked %lld\n",
           usage.ru_maxrss, (long long)s.bytes_read, (long long)s.bytes_written,
           (long long)s.bytes_spilled, (long long)s.bytes_unspilled,
           (long long)disk_bytes("read_bytes"), (long long)disk_bytes("write_bytes"),
           (long long)s.peak_bytes);
}

int main(int argc, char **argv)
{
    state st = { .fraction = argc > 2 ? atof(argv[2]) : 1 };
    size_t k = 0, n = sizeof cases / sizeof *cases;
    while (k < n && (argc < 2 || strcmp(argv[1], cases[k].name) != 0)) k++;
    if (k == n) {
        for (k = 0; k < n; k++) puts(cases[k].name);
        return argc < 2 ? 0 : 2;
    }
    st.s = weft_open(&(weft_options){ .memory_limit = argc > 3 ? atoll(argv[3]) : 0 });
    if (!st.s) die("open");
    cases[k].setup(&st);
    puts("ready");
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        if (cases[k].prepare) cases[k].prepare(&st);
        double from = now();
        weft_scope *scope = weft_scope_open(st.s);
        double value = cases[k].run(&st), seconds = now() - from;
        if (weft_scope_close(scope, 0, NULL)) die("scope");
        printf("%.9f %.17g\n", seconds, value);
        fflush(stdout);
    }
    print_use(&st);
    weft_close(st.s);
    return 0;
}
