// SPDX-License-Identifier: Apache-2.0
// cublas - the stand-in's libcublas: matrix products as plain loops, queued on the handle's stream like any work.
#include <complex.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

enum {
    CUBLAS_STATUS_NOT_INITIALIZED = 1,
    CUBLAS_STATUS_INVALID_VALUE = 7,
    CUBLAS_STATUS_EXECUTION_FAILED = 13,
    CUBLAS_STATUS_NOT_SUPPORTED = 15,
    CUBLAS_OP_C = 2,
};
#define PROTOTYPE(result, name, symbol, parameters) result symbol parameters;
WF_CUDA_CUBLAS_LIST(PROTOTYPE)

struct cublasContext {
    uint64_t magic;
    void *context;
    CUstream stream;  // NULL: never set, and then nothing can be multiplied
};
static const uint64_t magic = 0x626c617363736964;

#define REQUIRE(holds, result, text)                                     \
    do {                                                                 \
        if (!(holds)) return sim_misuse(__func__, (result), "%s", text); \
    } while (0)
// The beginning of every exported call with a handle: counted, failing when a test wants it to, the handle's context current.
#define ENTER_CUBLAS(handle)                                                           \
    do {                                                                               \
        const int fault_ = cudasim_enter(__func__);                                    \
        if (fault_) return fault_;                                                     \
        REQUIRE((handle) && (handle)->magic == magic, CUBLAS_STATUS_NOT_INITIALIZED,   \
                "no handle, or no more");                                              \
        REQUIRE(cudasim_context() == (handle)->context, CUBLAS_STATUS_NOT_INITIALIZED, \
                "the handle's context is not current");                                \
    } while (0)

cublasStatus_t cublasCreate_v2(cublasHandle_t *out)
{
    const int fault = cudasim_enter(__func__);
    if (fault) return fault;
    REQUIRE(out, CUBLAS_STATUS_INVALID_VALUE, "nowhere to put it");
    REQUIRE(cudasim_context(), CUBLAS_STATUS_NOT_INITIALIZED, "no context is current");
    cublasHandle_t h = calloc(1, sizeof *h);
    if (!h) return CUBLAS_STATUS_ALLOC_FAILED;
    h->magic = magic, h->context = cudasim_context();
    *out = h;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t h)
{
    ENTER_CUBLAS(h);
    h->magic = 0;
    free(h);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t h, int *version)
{
    ENTER_CUBLAS(h);
    REQUIRE(version, CUBLAS_STATUS_INVALID_VALUE, "nowhere to put it");
    *version = 130000;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t h, CUstream stream)
{
    ENTER_CUBLAS(h);
    REQUIRE(cudasim_stream_context(stream) == h->context, CUBLAS_STATUS_INVALID_VALUE,
            "no stream of the handle's context");
    h->stream = stream;
    return CUBLAS_STATUS_SUCCESS;
}

// The loops need none, but the memory must be there.
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t h, void *workspace, size_t bytes)
{
    ENTER_CUBLAS(h);
    REQUIRE(!bytes || cudasim_is_device(workspace, bytes), CUBLAS_STATUS_INVALID_VALUE,
            "the workspace is not device memory of the handle's context");
    REQUIRE((uintptr_t)workspace % 256 == 0, CUBLAS_STATUS_INVALID_VALUE,
            "the workspace is not aligned to 256 bytes");
    return CUBLAS_STATUS_SUCCESS;
}

// --- products ---

typedef struct product {
    int op_a, op_b, type, compute;
    int64_t m, n, k, lda, ldb, ldc;
    const void *a, *b;
    void *c;
    double _Complex alpha, beta;
} product;

// What TF32 leaves of a float: ten bits of fraction, to nearest.
static float as_tf32(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, 4);
    bits = (bits + 0xfff + (bits >> 13 & 1)) & 0xffffe000u;
    memcpy(&x, &bits, 4);
    return x;
}
#define AS_IS(x) (x)
#define AS_ASKED(x) (p->compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? as_tf32(x) : (x))

// Column-major: column j of C is the sum over l of column l of op(A), which is kept aside, times op(B)[l, j].
#define GEMM(name, type, conjugate, see)                                                       \
    static int name(sim_gpu *gpu, const void *argument)                                        \
    {                                                                                          \
        const product *p = argument;                                                           \
        const type *a = p->a, *b = p->b, alpha = (type)p->alpha, beta = (type)p->beta;         \
        type *left = malloc((size_t)(p->m * p->k + p->m + 1) * sizeof *left), *sum;            \
        (void)gpu;                                                                             \
        if (!left) return CUDA_ERROR_OUT_OF_MEMORY;                                            \
        sum = left + p->m * p->k;                                                              \
        for (int64_t l = 0; l < p->k; l++)                                                     \
            for (int64_t i = 0; i < p->m; i++) {                                               \
                const type x = p->op_a == CUBLAS_OP_N ? a[i + l * p->lda] : a[l + i * p->lda]; \
                left[i + l * p->m] = see(p->op_a == CUBLAS_OP_C ? (type)conjugate(x) : x);     \
            }                                                                                  \
        for (int64_t j = 0; j < p->n; j++) {                                                   \
            type *c = (type *)p->c + j * p->ldc;                                               \
            for (int64_t i = 0; i < p->m; i++) sum[i] = 0;                                     \
            for (int64_t l = 0; l < p->k; l++) {                                               \
                type y = p->op_b == CUBLAS_OP_N ? b[l + j * p->ldb] : b[j + l * p->ldb];       \
                y = see(p->op_b == CUBLAS_OP_C ? (type)conjugate(y) : y);                      \
                for (int64_t i = 0; i < p->m; i++) sum[i] += left[i + l * p->m] * y;           \
            }                                                                                  \
            for (int64_t i = 0; i < p->m; i++)                                                 \
                c[i] = beta == 0 ? alpha * sum[i] : alpha * sum[i] + beta * c[i];              \
        }                                                                                      \
        free(left);                                                                            \
        return CUDA_SUCCESS;                                                                   \
    }
GEMM(gemm_f32, float, AS_IS, AS_ASKED)
GEMM(gemm_f64, double, AS_IS, AS_IS)
GEMM(gemm_c64, float _Complex, conjf, AS_IS)
GEMM(gemm_c128, double _Complex, conj, AS_IS)

static double _Complex read_scalar(const void *x, int type)
{
    switch (type) {
    case CUBLAS_R_32F: return *(const float *)x;
    case CUBLAS_R_64F: return *(const double *)x;
    case CUBLAS_C_32F: return *(const float _Complex *)x;
    default: return *(const double _Complex *)x;
    }
}

// The work for elements of TYPE accumulated as COMPUTE; NULL: there is none here.
static sim_work *work_of(int type, int compute, size_t *item)
{
    const bool single = compute == CUBLAS_COMPUTE_32F || compute == CUBLAS_COMPUTE_32F_FAST_TF32;

    *item = type == CUBLAS_C_64F ? 16 : type == CUBLAS_R_32F ? 4 : 8;
    if (type == CUBLAS_R_32F && single) return gemm_f32;
    if (type == CUBLAS_C_32F && single) return gemm_c64;
    if (type == CUBLAS_R_64F && compute == CUBLAS_COMPUTE_64F) return gemm_f64;
    if (type == CUBLAS_C_64F && compute == CUBLAS_COMPUTE_64F) return gemm_c128;
    return NULL;
}

// A matrix as it lies in memory.
static sim_range range_of(const void *p, int64_t rows, int64_t cols, int64_t ld, size_t item)
{
    const size_t bytes = rows && cols ? (size_t)((cols - 1) * ld + rows) * item : 0;

    return (sim_range){ .address = (CUdeviceptr)(uintptr_t)p, .bytes = bytes };
}

cublasStatus_t cublasGemmEx_64(cublasHandle_t h, int op_a, int op_b, int64_t m, int64_t n,
                               int64_t k, const void *alpha, const void *a, int a_type, int64_t lda,
                               const void *b, int b_type, int64_t ldb, const void *beta, void *c,
                               int c_type, int64_t ldc, int compute, int algorithm)
{
    ENTER_CUBLAS(h);
    const int64_t a_rows = op_a == CUBLAS_OP_N ? m : k, b_rows = op_b == CUBLAS_OP_N ? k : n;
    size_t item;
    sim_work *work = work_of(c_type, compute, &item);

    REQUIRE(op_a >= 0 && op_a <= 2 && op_b >= 0 && op_b <= 2, CUBLAS_STATUS_INVALID_VALUE, "op");
    REQUIRE(m >= 0 && n >= 0 && k >= 0, CUBLAS_STATUS_INVALID_VALUE, "a count below 0");
    REQUIRE(lda >= (a_rows > 1 ? a_rows : 1) && ldb >= (b_rows > 1 ? b_rows : 1) &&
                ldc >= (m > 1 ? m : 1),
            CUBLAS_STATUS_INVALID_VALUE, "a leading dimension below the number of rows");
    REQUIRE(alpha && beta, CUBLAS_STATUS_INVALID_VALUE, "no alpha, or no beta");
    REQUIRE(algorithm == CUBLAS_GEMM_DEFAULT, CUBLAS_STATUS_NOT_SUPPORTED, "an algorithm");
    REQUIRE(work && a_type == c_type && b_type == c_type, CUBLAS_STATUS_NOT_SUPPORTED,
            "types that the stand-in has no product for");
    REQUIRE(h->stream, CUBLAS_STATUS_INVALID_VALUE, "no stream was set");
    if (m == 0 || n == 0) return CUBLAS_STATUS_SUCCESS;
    const product p = { op_a,
                        op_b,
                        c_type,
                        compute,
                        m,
                        n,
                        k,
                        lda,
                        ldb,
                        ldc,
                        a,
                        b,
                        c,
                        read_scalar(alpha, c_type),
                        read_scalar(beta, c_type) };
    const sim_range ranges[] = { range_of(a, a_rows, op_a == CUBLAS_OP_N ? k : m, lda, item),
                                 range_of(b, b_rows, op_b == CUBLAS_OP_N ? n : k, ldb, item),
                                 range_of(c, m, n, ldc, item) };
    const int result = cudasim_queue(h->stream, "cublasGemmEx_64", work, &p, sizeof p, ranges, 3);
    return result == CUDA_SUCCESS ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

const char *cublasGetStatusString(cublasStatus_t status)
{
    switch (status) {
    case CUBLAS_STATUS_SUCCESS: return "success";
    case CUBLAS_STATUS_NOT_INITIALIZED: return "the library was not initialized";
    case CUBLAS_STATUS_ALLOC_FAILED: return "the resource allocation failed";
    case CUBLAS_STATUS_INVALID_VALUE: return "an unsupported value or parameter was passed";
    case CUBLAS_STATUS_EXECUTION_FAILED: return "the GPU program failed to execute";
    case CUBLAS_STATUS_NOT_SUPPORTED: return "the requested functionality is not supported";
    default: return "unknown cuBLAS status";
    }
}
