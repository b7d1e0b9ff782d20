// SPDX-License-Identifier: Apache-2.0
// gemm - products of matrices by cuBLAS. cuBLAS is column major and ours is row major: OUT = A B is computed as OUT' = B' A', where a
// row-major matrix is the transpose of the column-major one in the same memory. A workspace of ours keeps it from allocating, and from
// choosing an algorithm by what happens to be free.
#include <stdio.h>

#include "device/cuda/module.h"

static weft_status fail_blas(weft_device *device, cublasStatus_t status, const char *call)
{
    const weft_status code = status == CUBLAS_STATUS_ALLOC_FAILED ? WEFT_NO_MEMORY : WEFT_DEVICE;
    return wf_cuda_host->fail(code, "%s: cuBLAS: %s: %s", device->name, call,
                              device->api->blas.error_text(status));
}

// cuBLAS allocates for itself when it is made: what is idle in the pool makes room for it.
static cublasStatus_t make_handle(weft_stream *s)
{
    const wf_cuda_api *api = s->device->api;
    cublasStatus_t status = api->blas.create(&s->blas);
    if (status != CUBLAS_STATUS_ALLOC_FAILED) return status;
    wf_cuda_pool_trim(s->device);
    return api->blas.create(&s->blas);
}

static weft_status open_blas(weft_stream *s)
{
    weft_device *d = s->device;
    if (s->blas) return WEFT_OK;
    if (!d->api->blas_file[0])
        return wf_cuda_host->fail(WEFT_UNSUPPORTED, "cuda: %s", d->api->blas_missing);
    if (d->workspace && !s->blas_workspace)
        WF_CUDA_TRY(wf_cuda_pool_take(d, d->workspace, &s->blas_workspace));
    cublasStatus_t status = make_handle(s);
    if (status != CUBLAS_STATUS_SUCCESS) {
        s->blas = NULL;
        return fail_blas(d, status, "create");
    }
    status = d->api->blas.set_stream(s->blas, s->stream);
    if (status == CUBLAS_STATUS_SUCCESS && d->workspace)
        status = d->api->blas.set_workspace(s->blas, s->blas_workspace, (size_t)d->workspace);
    return status == CUBLAS_STATUS_SUCCESS ? WEFT_OK : fail_blas(d, status, "set_workspace");
}

void wf_cuda_gemm_close(weft_stream *s)
{
    if (s->blas) s->device->api->blas.destroy(s->blas);
    if (s->blas_workspace) wf_cuda_pool_give(s->device, s->blas_workspace, s->device->workspace);
}

// How cuBLAS names a dtype; -1: it has none.
static int type_of(weft_dtype dtype, int *compute)
{
    *compute =
        dtype == WEFT_FLOAT64 || dtype == WEFT_COMPLEX128 ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F;
    switch (dtype) {
    case WEFT_FLOAT32: return CUBLAS_R_32F;
    case WEFT_FLOAT64: return CUBLAS_R_64F;
    case WEFT_COMPLEX64: return CUBLAS_C_32F;
    case WEFT_COMPLEX128: return CUBLAS_C_64F;
    default: return -1;
    }
}

// One operand as cuBLAS sees it: row r, column c of ours at r * ROW + c * COL.
static int orient(int64_t row, int64_t col, int64_t *leading)
{
    *leading = col == 1 ? row : col;
    if (*leading < 1) *leading = 1;
    return col == 1 ? CUBLAS_OP_N : CUBLAS_OP_T;
}

weft_status wf_cuda_gemm(weft_stream *s, const weft_gemm *g)
{
    static const double one[2] = { 1, 0 }, zero[2] = { 0, 0 };
    static const float one_f[2] = { 1, 0 }, zero_f[2] = { 0, 0 };
    int compute;
    int64_t lda, ldb;
    const int type = type_of(g->dtype, &compute);
    if (type < 0)
        return wf_cuda_host->fail(WEFT_UNSUPPORTED, "cuda: cuBLAS multiplies no integers");
    WF_CUDA_TRY(open_blas(s));
    const int op_a = orient(g->a_row, g->a_col, &lda), op_b = orient(g->b_row, g->b_col, &ldb);
    const bool wide = compute == CUBLAS_COMPUTE_64F;
    const void *alpha = wide ? (const void *)one : one_f;
    const void *beta = g->accumulate ? alpha : wide ? (const void *)zero : zero_f;
    const cublasStatus_t status = s->device->api->blas.gemm(
        s->blas, op_b, op_a, g->n, g->m, g->k, alpha, g->b, type, ldb, g->a, type, lda, beta,
        g->out, type, g->out_row, compute, CUBLAS_GEMM_DEFAULT);
    return status == CUBLAS_STATUS_SUCCESS ? WEFT_OK : fail_blas(s->device, status, "gemm");
}
