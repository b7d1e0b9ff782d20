// SPDX-License-Identifier: Apache-2.0
// gpu_peer - what the GPU itself gives, by its libraries' plain calls: copies on the device and over
// the host link, one cuBLAS product, a context. Weft is held against these. No toolkit is needed:
// the libraries are found at run time.
// usage: gpu_peer NAME FRACTION [SECONDS]    prints one line as gpu.c does
#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef unsigned long long address;

enum { NOT_HERE = 77 };  // exit status: nothing to measure

#define CUDA_CALLS(X)                                                \
    X(cuInit, (unsigned flags))                                      \
    X(cuDeviceGet, (int *device, int ordinal))                       \
    X(cuDevicePrimaryCtxRetain, (void **context, int device))        \
    X(cuDevicePrimaryCtxRelease_v2, (int device))                    \
    X(cuCtxSetCurrent, (void *context))                              \
    X(cuMemAlloc_v2, (address * out, size_t bytes))                  \
    X(cuMemHostAlloc, (void **out, size_t bytes, unsigned flags))    \
    X(cuStreamCreate, (void **out, unsigned flags))                  \
    X(cuStreamSynchronize, (void *stream))                           \
    X(cuMemcpyHtoDAsync_v2, (address, const void *, size_t, void *)) \
    X(cuMemcpyDtoHAsync_v2, (void *, address, size_t, void *))       \
    X(cuMemcpyDtoDAsync_v2, (address, address, size_t, void *))
#define CUBLAS_CALLS(X)                                                                          \
    X(cublasCreate_v2, (void **out))                                                             \
    X(cublasSetStream_v2, (void *handle, void *stream))                                          \
    X(cublasGemmEx_64,                                                                           \
      (void *handle, int op_a, int op_b, int64_t m, int64_t n, int64_t k, const void *alpha,     \
       address a, int a_type, int64_t lda, address b, int b_type, int64_t ldb, const void *beta, \
       address c, int c_type, int64_t ldc, int compute, int algorithm))

#define POINTER(name, parameters) static int(*name) parameters;
CUDA_CALLS(POINTER)
CUBLAS_CALLS(POINTER)

static void die(const char *what, int code)
{
    enum { CUBLAS_NOT_SUPPORTED = 15 };
    fprintf(stderr, "gpu_peer: %s failed (%d)\n", what, code);
    exit(code == CUBLAS_NOT_SUPPORTED ? NOT_HERE : 1);
}

#define CALL(name, ...)                      \
    do {                                     \
        const int code_ = name(__VA_ARGS__); \
        if (code_) die(#name, code_);        \
    } while (0)

static void *open_first(const char *const *names)
{
    for (; *names; names++) {
        void *library = dlopen(*names, RTLD_NOW | RTLD_GLOBAL);
        if (library) return library;
    }
    fprintf(stderr, "gpu_peer: %s\n", dlerror());
    exit(NOT_HERE);
}

static void bind(void *library, const char *symbol, void *to)
{
    void *found = dlsym(library, symbol);
    if (!found) die(symbol, -1);
    memcpy(to, &found, sizeof found);
}

static void find_driver(void)
{
    void *library = open_first((const char *const[]){ "libcuda.so.1", NULL });
#define BIND(name, parameters) bind(library, #name, &name);
    CUDA_CALLS(BIND)
    CALL(cuInit, 0);
}

static void find_cublas(void)
{
    void *library = open_first((const char *const[]){
        "libcublas.so.13", "libcublas.so.12", "/usr/local/cuda/lib64/libcublas.so.13",
        "/usr/local/cuda/lib64/libcublas.so.12", NULL });
    CUBLAS_CALLS(BIND)
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct state {
    double fraction, bytes, flops;
    void *stream, *host, *handle;
    address a, b, c;
    size_t size;
    int64_t n;
    int item, type, compute;
} state;

static void open_device(state *st)
{
    int device;
    void *context;
    CALL(cuDeviceGet, &device, 0);
    CALL(cuDevicePrimaryCtxRetain, &context, device);
    CALL(cuCtxSetCurrent, context);
    CALL(cuStreamCreate, &st->stream, 1);
}

static size_t scaled(const state *st, double bytes)
{
    const size_t size = (size_t)(bytes * st->fraction) / 4096 * 4096;
    return size > 4096 ? size : 4096;
}

// Fills with numbers in [0, 1): products run faster on zeros.
static void draw(state *st, address to, size_t bytes)
{
    enum { PIECE = 1 << 20 };
    char *piece = malloc(PIECE);
    uint64_t x = 88172645463325252u + to;
    if (!piece) exit(3);
    for (size_t at = 0; at < bytes; at += PIECE) {
        for (int i = 0; i < PIECE / st->item && at < 64 * (size_t)PIECE; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            const double v = (double)(x >> 11) * 0x1p-53;
            const float f = (float)v;
            if (st->item == 8) memcpy(piece + 8 * i, &v, 8);
            else memcpy(piece + st->item * i, (const char *)&f + 4 - st->item, (size_t)st->item);
        }
        CALL(cuMemcpyHtoDAsync_v2, to + at, piece, bytes - at < PIECE ? bytes - at : PIECE,
             st->stream);
        CALL(cuStreamSynchronize, st->stream);
    }
    free(piece);
}

static void copy_setup(state *st)
{
    open_device(st);
    st->size = scaled(st, 4e9);  // as large as an operand of the elementwise cases
    st->bytes = 2. * (double)st->size;
    CALL(cuMemAlloc_v2, &st->a, st->size);
    CALL(cuMemAlloc_v2, &st->b, st->size);
    st->item = 4;
    draw(st, st->a, st->size);
}

static void copy(state *st) { CALL(cuMemcpyDtoDAsync_v2, st->b, st->a, st->size, st->stream); }

static void link_setup(state *st)
{
    open_device(st);
    st->size = scaled(st, 2e9);
    st->bytes = (double)st->size;
    CALL(cuMemAlloc_v2, &st->a, st->size);
    CALL(cuMemHostAlloc, &st->host, st->size, 1);
    memset(st->host, 0x5a, st->size);
}

static void link_in(state *st)
{
    CALL(cuMemcpyHtoDAsync_v2, st->a, st->host, st->size, st->stream);
}
static void link_out(state *st)
{
    CALL(cuMemcpyDtoHAsync_v2, st->host, st->a, st->size, st->stream);
}

static void gemm_setup(state *st, int item, int type, int compute)
{
    open_device(st);
    find_cublas();
    CALL(cublasCreate_v2, &st->handle);
    CALL(cublasSetStream_v2, st->handle, st->stream);
    st->item = item, st->type = type, st->compute = compute;
    st->n = (int64_t)(16384 * sqrt(st->fraction)) / 16 * 16;
    if (st->n < 16) st->n = 16;
    st->flops = 2 * pow((double)st->n, 3);
    st->size = (size_t)(st->n * st->n * item);
    CALL(cuMemAlloc_v2, &st->a, st->size);
    CALL(cuMemAlloc_v2, &st->b, st->size);
    CALL(cuMemAlloc_v2, &st->c, st->size);
    draw(st, st->a, st->size);
    draw(st, st->b, st->size);
}

// The numbers of CUDA_R_32F, _64F, _16BF and of CUBLAS_COMPUTE_32F, _64F.
static void gemm_f32_setup(state *st) { gemm_setup(st, 4, 0, 68); }
static void gemm_f64_setup(state *st) { gemm_setup(st, 8, 1, 70); }
static void gemm_bf16_setup(state *st) { gemm_setup(st, 2, 14, 68); }

static void gemm(state *st)
{
    const float one = 1, zero = 0;
    const double one64 = 1, zero64 = 0;
    const int64_t n = st->n;
    CALL(cublasGemmEx_64, st->handle, 0, 0, n, n, n, st->item == 8 ? (const void *)&one64 : &one,
         st->a, st->type, n, st->b, st->type, n, st->item == 8 ? (const void *)&zero64 : &zero,
         st->c, st->type, n, st->compute, -1);
}

static void context_setup(state *st) { (void)st; }

static void context(state *st)
{
    int device;
    void *made;
    (void)st;
    CALL(cuDeviceGet, &device, 0);
    CALL(cuDevicePrimaryCtxRetain, &made, device);
    CALL(cuDevicePrimaryCtxRelease_v2, device);
}

static const struct {
    const char *name;
    void (*setup)(state *), (*run)(state *);
} cases[] = {
    { "copy", copy_setup, copy },          { "link_in", link_setup, link_in },
    { "link_out", link_setup, link_out },  { "gemm_f32", gemm_f32_setup, gemm },
    { "gemm_f64", gemm_f64_setup, gemm },  { "gemm_bf16", gemm_bf16_setup, gemm },
    { "context", context_setup, context },
};

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double once(state *st, void (*run)(state *))
{
    const double from = now();
    run(st);
    if (st->stream) CALL(cuStreamSynchronize, st->stream);
    return now() - from;
}

int main(int argc, char **argv)
{
    enum { MOST = 50 };
    state st = { .fraction = argc > 2 ? atof(argv[2]) : 1 };
    const double seconds = argc > 3 ? atof(argv[3]) : 0.5;
    double t[MOST], spent = 0;
    size_t k = 0, count = sizeof cases / sizeof *cases;
    int n = 0;
    while (k < count && (argc < 2 || strcmp(argv[1], cases[k].name) != 0)) k++;
    if (k == count) {
        for (k = 0; k < count; k++) puts(cases[k].name);
        return argc < 2 ? 0 : 2;
    }
    find_driver();
    cases[k].setup(&st);
    const double first = once(&st, cases[k].run);
    for (; n < MOST && (n == 0 || spent < seconds); n++) spent += t[n] = once(&st, cases[k].run);
    qsort(t, (size_t)n, sizeof *t, by_size);
    printf("median %.9f least %.9f most %.9f runs %d first %.9f value %.9g n %lld bytes %.0f flops "
           "%.0f\n",
           t[n / 2], t[0], t[n - 1], n, first, t[n / 2] * 1e3, (long long)st.n, st.bytes, st.flops);
    return 0;
}
