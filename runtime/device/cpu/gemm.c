// SPDX-License-Identifier: Apache-2.0
// gemm - matrix products: by CBLAS where there is one, by the plain kernels for integers, bool and
// everything else.
#include <limits.h>
#include <string.h>

#include "array/dtype.h"
#include "device/cpu/blas.h"
#include "device/cpu/cpu.h"
#include "device/cpu/scratch.h"

enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };  // as CBLAS numbers them

typedef void real32_gemm(int, int, int, int, int, int, float, const void *, int, const void *, int,
                         float, void *, int);
typedef void real64_gemm(int, int, int, int, int, int, double, const void *, int, const void *, int,
                         double, void *, int);
typedef void complex_gemm(int, int, int, int, int, int, const void *, const void *, int,
                          const void *, int, const void *, void *, int);
typedef void real32_gemv(int, int, int, int, float, const void *, int, const void *, int, float,
                         void *, int);
typedef void real64_gemv(int, int, int, int, double, const void *, int, const void *, int, double,
                         void *, int);
typedef void complex_gemv(int, int, int, int, const void *, const void *, int, const void *, int,
                          const void *, void *, int);

// A ROWS x COLS operand as CBLAS takes it.
typedef struct matrix {
    const char *data;
    int64_t rows, cols, row, col;  // strides in elements
} matrix;

static bool is_row_major(const matrix *x)
{
    return (x->col == 1 || x->cols == 1) && (x->row >= x->cols || x->rows == 1);
}

static bool is_col_major(const matrix *x)
{
    return (x->row == 1 || x->rows == 1) && (x->col >= x->rows || x->cols == 1);
}

static bool fits(const matrix *x)
{
    return (is_row_major(x) || is_col_major(x)) && x->rows <= INT_MAX && x->cols <= INT_MAX &&
           x->row <= INT_MAX && x->col <= INT_MAX;
}

static int leading(const matrix *x)
{
    int64_t least = is_row_major(x) ? x->cols : x->rows, step = is_row_major(x) ? x->row : x->col;
    return (int)(step < least ? least : step);
}

static void pack(const wf_kernel_table *table, const matrix *x, int64_t first_col,
                 int64_t first_row, int64_t rows, int64_t cols, int64_t item, char *out)
{
    wf_nest nest;

    nest.ndim = nest.nop = 2;
    nest.count[0] = rows;
    nest.count[1] = cols;
    nest.stride[0][0] = x->row * item;
    nest.stride[1][0] = x->col * item;
    nest.stride[0][1] = cols * item;
    nest.stride[1][1] = item;
    wf_copy_run(table, &nest, item, x->data + (first_row * x->row + first_col * x->col) * item,
                out);
}

static void call_gemm(const wf_blas *blas, const weft_gemm *g, const matrix *a, const matrix *b)
{
    static const double one[2] = { 1, 0 }, zero[2] = { 0, 0 };
    static const float one32[2] = { 1, 0 }, zero32[2] = { 0, 0 };
    int ta = is_row_major(a) ? NO_TRANS : TRANS, tb = is_row_major(b) ? NO_TRANS : TRANS;
    int m = (int)g->m, n = (int)g->n, k = (int)g->k, lda = leading(a), ldb = leading(b);
    int ldo = (int)(g->out_row > g->n ? g->out_row : g->n);
    void (*f)(void) = blas->gemm[g->dtype];

    if (g->dtype == WEFT_FLOAT32)
        ((real32_gemm *)f)(ROW_MAJOR, ta, tb, m, n, k, 1, a->data, lda, b->data, ldb, g->accumulate,
                           g->out, ldo);
    else if (g->dtype == WEFT_FLOAT64)
        ((real64_gemm *)f)(ROW_MAJOR, ta, tb, m, n, k, 1, a->data, lda, b->data, ldb, g->accumulate,
                           g->out, ldo);
    else if (g->dtype == WEFT_COMPLEX64)
        ((complex_gemm *)f)(ROW_MAJOR, ta, tb, m, n, k, one32, a->data, lda, b->data, ldb,
                            g->accumulate ? one32 : zero32, g->out, ldo);
    else
        ((complex_gemm *)f)(ROW_MAJOR, ta, tb, m, n, k, one, a->data, lda, b->data, ldb,
                            g->accumulate ? one : zero, g->out, ldo);
}

// OUT = MATRIX (or its transpose) times the vector X.
static void call_gemv(const wf_blas *blas, const weft_gemm *g, const matrix *a, bool transposed,
                      const void *x, int64_t x_step, int64_t out_step)
{
    static const double one[2] = { 1, 0 }, zero[2] = { 0, 0 };
    static const float one32[2] = { 1, 0 }, zero32[2] = { 0, 0 };
    bool row_major = is_row_major(a);
    int rows = (int)(row_major ? a->rows : a->cols), cols = (int)(row_major ? a->cols : a->rows),
        ld = leading(a);
    int trans = row_major != transposed ? NO_TRANS : TRANS, incx = (int)x_step,
        incy = (int)out_step;
    void (*f)(void) = blas->gemv[g->dtype];

    if (g->dtype == WEFT_FLOAT32)
        ((real32_gemv *)f)(ROW_MAJOR, trans, rows, cols, 1, a->data, ld, x, incx, g->accumulate,
                           g->out, incy);
    else if (g->dtype == WEFT_FLOAT64)
        ((real64_gemv *)f)(ROW_MAJOR, trans, rows, cols, 1, a->data, ld, x, incx, g->accumulate,
                           g->out, incy);
    else if (g->dtype == WEFT_COMPLEX64)
        ((complex_gemv *)f)(ROW_MAJOR, trans, rows, cols, one32, a->data, ld, x, incx,
                            g->accumulate ? one32 : zero32, g->out, incy);
    else
        ((complex_gemv *)f)(ROW_MAJOR, trans, rows, cols, one, a->data, ld, x, incx,
                            g->accumulate ? one : zero, g->out, incy);
}

static bool is_step(int64_t step, int64_t count)
{
    return (step >= 1 && step <= INT_MAX) || count == 1;
}

static void run_blas(const wf_blas *blas, const weft_gemm *g, const matrix *a, const matrix *b)
{
    int64_t x = b->rows == 1 ? 1 : b->row, y = a->cols == 1 ? 1 : a->col,
            out = g->m == 1 ? 1 : g->out_row;

    if (g->n == 1 && is_step(x, 0) && is_step(out, 0))
        call_gemv(blas, g, a, false, b->data, x, out);
    else if (g->m == 1 && is_step(y, 0)) call_gemv(blas, g, b, true, a->data, y, 1);
    else call_gemm(blas, g, a, b);
}

// Both operands as CBLAS takes them, copied where they are not.
static weft_status run_with_blas(const wf_kernel_table *table, const wf_blas *blas,
                                 const weft_gemm *g, matrix *a, matrix *b)
{
    int64_t item = (int64_t)wf_dtype_size(g->dtype),
            need_a = fits(a) ? 0 : (a->rows * a->cols * item + 63) / 64 * 64;
    int64_t need_b = fits(b) ? 0 : b->rows * b->cols * item;
    char *memory;

    WF_TRY(wf_scratch_get((size_t)(need_a + need_b), &memory));
    if (need_a > 0) {
        pack(table, a, 0, 0, a->rows, a->cols, item, memory);
        *a = (matrix){ memory, a->rows, a->cols, a->cols, 1 };
    }
    if (need_b > 0) {
        pack(table, b, 0, 0, b->rows, b->cols, item, memory + need_a);
        *b = (matrix){ memory + need_a, b->rows, b->cols, b->cols, 1 };
    }
    run_blas(blas, g, a, b);
    wf_scratch_trim();
    return WEFT_OK;
}

#define PACK_COLS 256  // of the inner dimension at a time

static weft_status run_with_kernels(const wf_kernel_table *table, const weft_gemm *g,
                                    const matrix *a, const matrix *b)
{
    int64_t item = (int64_t)wf_dtype_size(g->dtype), step = g->k < PACK_COLS ? g->k : PACK_COLS;
    bool pack_a = !is_row_major(a), pack_b = !is_row_major(b);
    int64_t need_a = pack_a ? (g->m * step * item + 63) / 64 * 64 : 0,
            need_b = pack_b ? g->n * step * item : 0;
    char *memory;

    WF_TRY(wf_scratch_get((size_t)(need_a + need_b), &memory));
    for (int64_t k = 0; k < g->k; k += step) {
        int64_t n = g->k - k < step ? g->k - k : step;
        const char *left = a->data + k * item, *right = b->data + k * b->row * item;
        if (pack_a) pack(table, a, k, 0, g->m, n, item, memory);
        if (pack_b) pack(table, b, 0, k, n, g->n, item, memory + need_a);
        table->gemm[g->dtype](g->m, g->n, n, pack_a ? memory : left, pack_a ? n : a->row,
                              pack_b ? memory + need_a : right, pack_b ? g->n : b->row, g->out,
                              g->out_row);
    }
    wf_scratch_trim();
    return WEFT_OK;
}

static void clear_out(const weft_gemm *g, int64_t item)
{
    for (int64_t r = 0; r < g->m; r++)
        memset((char *)g->out + r * g->out_row * item, 0, (size_t)(g->n * item));
}

weft_status wf_gemm_run(const wf_kernel_table *table, const weft_gemm *g)
{
    matrix a = { g->a, g->m, g->k, g->a_row, g->a_col },
           b = { g->b, g->k, g->n, g->b_row, g->b_col };
    const wf_blas *blas;

    if (!wf_dtype_is_valid(g->dtype) || !table->gemm[g->dtype])
        return wf_fail(WEFT_UNSUPPORTED, "cpu: matmul is not defined for %s",
                       wf_dtype_name(g->dtype));
    if (g->m == 0 || g->n == 0) return WEFT_OK;
    if (g->k == 0) {
        if (!g->accumulate) clear_out(g, (int64_t)wf_dtype_size(g->dtype));
        return WEFT_OK;
    }
    blas = wf_dtype_kind(g->dtype) == 'f' || wf_dtype_kind(g->dtype) == 'c' ? wf_blas_get() : NULL;
    if (blas && blas->here && g->m <= INT_MAX && g->n <= INT_MAX && g->k <= INT_MAX &&
        g->out_row <= INT_MAX)
        return run_with_blas(table, blas, g, &a, &b);
    if (!g->accumulate) clear_out(g, (int64_t)wf_dtype_size(g->dtype));
    return run_with_kernels(table, g, &a, &b);
}
