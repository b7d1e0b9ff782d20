// SPDX-License-Identifier: Apache-2.0
// programs_compile - programs as users write them compile, as pedantic C11, without a warning. They
// are functions here, compiled by header_test.sh and not run.
#include <math.h>
#include <stdlib.h>
#include <weft.h>

weft_status program_readme(void);
weft_status program_jacobi(int n);
weft_status program_gradients(weft_session *s, weft_array *A, weft_array *x, weft_array *b);
weft_status program_kernel(weft_session *s, weft_array *spot, weft_array *vol, double *out);
weft_status program_request(weft_session *s);
weft_status program_kmeans(weft_session *s, weft_array *points, int k, int turns);
weft_status program_own_format(weft_session *s, FILE *file);
weft_status program_options(weft_session *s, float *field, int64_t rows, int64_t cols);

// Ten lines, from a file to a file.
weft_status program_readme(void)
{
    weft_session *s = weft_open(NULL);
    weft_array *u = weft_load(s, "wind.zarr/u", NULL);
    weft_array *v = weft_load(s, "wind.zarr/v", NULL);
    weft_array *speed = weft_sqrt(weft_add(weft_square(u), weft_square(v)));
    weft_array *mean = weft_mean(speed, WEFT_AXES(0), NULL);
    weft_status st = weft_save(mean, "mean.zarr", NULL);
    if (st) fprintf(stderr, "%s\n", weft_last_error());
    weft_close(s);
    return st;
}

// 2-D Jacobi until it stops moving.
weft_status program_jacobi(int n)
{
    weft_session *s = weft_open(NULL);
    weft_array *u = weft_zeros(s, WEFT_FLOAT32, WEFT_SHAPE(n, n)), *quarter = weft_num(s, 0.25);
    u = weft_setitem(u, WEFT_CUTS(WEFT_AT(0)), weft_num(s, 100));

    weft_scope *turn = weft_scope_open(s);
    for (double diff = 1; diff > 1e-4;) {
        weft_array *in = weft_multiply(
            quarter,
            weft_add(weft_add(weft_index_text(u, ":-2, 1:-1"), weft_index_text(u, "2:, 1:-1")),
                     weft_add(weft_index_text(u, "1:-1, :-2"), weft_index_text(u, "1:-1, 2:"))));
        weft_array *next = weft_setitem(u, WEFT_CUTS(WEFT_SPAN(1, -1), WEFT_SPAN(1, -1)), in);
        weft_array *d = weft_max(weft_abs(weft_subtract(next, u)), WEFT_ALL_AXES, NULL);
        u = next;
        if (weft_scope_reset(turn, WEFT_ARRAYS(u, d)) || weft_compute(WEFT_ARRAYS(u, d), NULL) ||
            weft_item_f64(d, &diff))
            goto failed;
    }
    return weft_close(s);

failed:
    fprintf(stderr, "%s\n", weft_last_error());
    weft_close(s);
    return weft_last_status();
}

// Conjugate gradients: four results of one plan per turn.
weft_status program_gradients(weft_session *s, weft_array *A, weft_array *x, weft_array *b)
{
    double norm = 1;
    weft_scope *turn = weft_scope_open(s);
    weft_array *r = weft_subtract(b, weft_matmul(A, x)), *p = r, *rr = weft_vecdot(r, r);
    for (int k = 0; k < 1000 && norm > 1e-10; k++) {
        weft_array *Ap = weft_matmul(A, p), *alpha = weft_divide(rr, weft_vecdot(p, Ap)), *old = rr;
        x = weft_add(x, weft_multiply(alpha, p));
        r = weft_subtract(r, weft_multiply(alpha, Ap));
        rr = weft_vecdot(r, r);
        p = weft_add(r, weft_multiply(weft_divide(rr, old), p));
        if (weft_scope_reset(turn, WEFT_ARRAYS(x, r, p, rr)) ||
            weft_compute(WEFT_ARRAYS(x, r, p, rr), NULL) || weft_item_f64(rr, &norm))
            goto failed;
        norm = sqrt(norm);
    }
    return weft_scope_close(turn, WEFT_ARRAYS(x));

failed:
    return weft_last_status();
}

// A kernel of the user's own: arrays; scalars.
weft_status program_kernel(weft_session *s, weft_array *spot, weft_array *vol, double *out)
{
    weft_kernel *k = weft_kernel_create(
        s,
        &(weft_kernel_desc){ .name = "call",
                             .params = "spot, vol; strike, rate",
                             .body = "d = log(spot/strike) + rate\n"
                                     "result = where(d > 0, spot - strike*exp(-rate), 0*vol)\n" });
    weft_array *value =
        weft_kernel_map(k, WEFT_ARRAYS(spot, vol), 2, (const double[]){ 100, 0.03 });
    return weft_item_f64(weft_mean(value, WEFT_ALL_AXES, NULL), out);
}

// A request that a callback watches and that is cancelled after a minute.
static void show(void *context, const weft_progress *p)
{
    fprintf((FILE *)context, "%lld/%lld blocks, %.0f s left\n", (long long)p->blocks_done,
            (long long)p->blocks_total, p->eta);
}

weft_status program_request(weft_session *s)
{
    weft_array *x =
        weft_random_normal(s, WEFT_SHAPE(100000, 100000), &(weft_random_options){ .seed = 7 });
    weft_array *m = weft_mean(x, WEFT_AXES(0), NULL),
               *d = weft_std(x, WEFT_AXES(0), &(weft_reduce_options){ .correction = 1 });
    weft_request *request =
        weft_start(WEFT_ARRAYS(weft_sink(m, "mean.npy", NULL),
                               weft_sink(d, "std.npy", &(weft_save_options){ .overwrite = true })),
                   &(weft_compute_options){ .progress = show, .context = stderr });
    weft_status st = weft_wait(request, 60);
    if (st == WEFT_TIMEOUT) {
        weft_cancel(request);
        st = weft_wait(request, -1);
    }
    weft_request_free(request);
    return st;
}

// k-means: labels are an array like any other.
weft_status program_kmeans(weft_session *s, weft_array *points, int k, int turns)
{
    weft_array *centres = weft_index(points, WEFT_CUTS(WEFT_TO(k)));
    weft_scope *turn = weft_scope_open(s);
    for (int i = 0; i < turns; i++) {
        weft_array *d = weft_subtract(weft_expand_dims(points, 1), centres);
        weft_array *labels = weft_argmin(weft_sum(weft_square(d), WEFT_AXES(-1), NULL), -1, NULL);
        centres = weft_label(weft_group_mean(points, labels, k, 0), "centres");
        weft_status st = weft_scope_reset(turn, WEFT_ARRAYS(centres));
        if (!st) st = weft_compute(WEFT_ARRAYS(centres), NULL);
        if (st) return st;
    }
    return weft_print(stdout, centres);
}

// Any format in twenty lines: rows of 1000 float64 behind a header of 512 bytes.
static weft_status read_rows(void *context, const int64_t *start, const int64_t *count, void *out)
{
    size_t bytes = (size_t)count[0] * 1000 * sizeof(double);
    if (count[1] != 1000) return weft_error_set(WEFT_INVALID, "rows: blocks must be whole rows");
    if (fseek(context, 512 + (long)start[0] * 8000, SEEK_SET) ||
        fread(out, 1, bytes, context) != bytes)
        return weft_error_set(WEFT_IO, "rows: the file is too short");
    return WEFT_OK;
}

static weft_status write_rows(void *context, const int64_t *start, const int64_t *count,
                              const void *data)
{
    (void)context, (void)start, (void)count, (void)data;
    return WEFT_OK;
}

static weft_status halve(const weft_kernel_call *call)
{
    for (int64_t i = 0; i < call->count; i++) {
        const double *x = (const double *)((const char *)call->in[0] + i * call->in_stride[0]);
        double *out = (double *)((char *)call->out + i * call->out_stride);
        *out = *x / call->params[0];
    }
    return WEFT_OK;
}

weft_status program_own_format(weft_session *s, FILE *file)
{
    weft_array *x =
        weft_from_reader_serial(s, read_rows, file, WEFT_FLOAT64, WEFT_SHAPE(50000, 1000));
    weft_kernel *k = weft_kernel_create(
        s, &(weft_kernel_desc){ .name = "halve", .params = "x; by", .cpu = halve });
    weft_array *y = weft_kernel_map(k, WEFT_ARRAYS(weft_rechunk(x, WEFT_SHAPE(1000, -1))), 1,
                                    (const double[]){ 2 });
    return weft_compute(WEFT_ARRAYS(weft_to_writer(y, write_rows, NULL)), NULL);
}

// Options, Fortran order, text.
weft_status program_options(weft_session *s, float *field, int64_t rows, int64_t cols)
{
    weft_array *x = weft_from_memory(
        s, field, WEFT_FLOAT32, WEFT_SHAPE(rows, cols),
        &(weft_memory_options){ .strides = (const int64_t[]){ 4, 4 * rows }, .borrow = true });
    weft_array *raw = weft_load(s, "field.bin",
                                &(weft_load_options){ .raw = true,
                                                      .dtype = WEFT_FLOAT32,
                                                      .ndim = 2,
                                                      .shape = (const int64_t[]){ rows, cols } });
    weft_array *z = weft_expr(s, "mean(x - y, axis=0)", 2, (const char *const[]){ "x", "y" },
                              (weft_array *const[]){ x, raw });
    weft_session_stats stats;
    char *text = weft_explain(z);
    weft_status st = text ? weft_stats(s, &stats) : weft_last_status();
    if (!st) printf("%s%lld bytes\n", text, (long long)stats.host_bytes);
    weft_text_free(text);
    return st ? st
              : weft_save(z, "all.zarr/mean",
                          &(weft_save_options){ .nregion = 1,
                                                .region = (const weft_cut[]){ WEFT_FROM(10) } });
}
