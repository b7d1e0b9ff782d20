// SPDX-License-Identifier: Apache-2.0
// vector - what a kernel source needs to know about the instruction set it is being compiled for.
// The sources are compiled once per instruction set; the compiler's own macros say which one this
// is.
#ifndef WF_CPU_VECTOR_H
#define WF_CPU_VECTOR_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

// Promises the compiler that iterations do not depend on each other, so that it needs no check for
// overlap: an output that *is* an operand (same address) stays vectorised.
#if defined(__clang__)
#define WF_LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define WF_LOOP _Pragma("GCC ivdep")
#endif

#define WF_JOIN_(a, b) a##b
#define WF_JOIN(a, b) WF_JOIN_(a, b)
#define WF_PASTE_(a, b) a##_##b
#define WF_PASTE(a, b) WF_PASTE_(a, b)

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define WF_VECTOR_BYTES 64
#elif defined(__AVX2__) && defined(__FMA__)
#define WF_VECTOR_BYTES 32
#else
#define WF_VECTOR_BYTES 16
#endif

#define WF_W64 (WF_VECTOR_BYTES / 8)  // 64-bit lanes of a vector
#define WF_W32 (WF_VECTOR_BYTES / 4)  // 32-bit lanes of a vector

typedef double vf64 __attribute__((vector_size(WF_VECTOR_BYTES)));
typedef float vf32 __attribute__((vector_size(WF_VECTOR_BYTES)));
typedef uint64_t vu64 __attribute__((vector_size(WF_VECTOR_BYTES)));
typedef uint32_t vu32 __attribute__((vector_size(WF_VECTOR_BYTES)));
typedef int32_t vi32 __attribute__((vector_size(WF_VECTOR_BYTES)));

// The same vectors at any address.
typedef double vf64_any __attribute__((vector_size(WF_VECTOR_BYTES), aligned(8), may_alias));
typedef float vf32_any __attribute__((vector_size(WF_VECTOR_BYTES), aligned(4), may_alias));
typedef uint64_t vu64_any __attribute__((vector_size(WF_VECTOR_BYTES), aligned(8), may_alias));

static inline vf64 vload_f64(const double *p) { return *(const vf64_any *)p; }
static inline vf32 vload_f32(const float *p) { return *(const vf32_any *)p; }
static inline void vstore_f64(double *p, vf64 v) { *(vf64_any *)p = v; }
static inline void vstore_f32(float *p, vf32 v) { *(vf32_any *)p = v; }

// Products of the low 32 bits of each 64-bit lane; the high halves of the operands are ignored.
static inline vu64 vmul32(vu64 a, vu64 b)
{
#if WF_VECTOR_BYTES == 64
    return (vu64)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif WF_VECTOR_BYTES == 32
    return (vu64)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (vu64)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xffffffff) * (b & 0xffffffff);
#endif
}

// a*b + c, rounded once. Without an instruction for it libm's correctly rounded function gives the
// same bits.
static inline vf64 vfma_f64(vf64 a, vf64 b, vf64 c)
{
#if WF_VECTOR_BYTES == 64
    return (vf64)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif WF_VECTOR_BYTES == 32
    return (vf64)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#else
    vf64 r;
    for (int l = 0; l < WF_W64; l++) r[l] = __builtin_fma(a[l], b[l], c[l]);
    return r;
#endif
}

static inline vf32 vfma_f32(vf32 a, vf32 b, vf32 c)
{
#if WF_VECTOR_BYTES == 64
    return (vf32)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif WF_VECTOR_BYTES == 32
    return (vf32)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    vf32 r;
    for (int l = 0; l < WF_W32; l++) r[l] = __builtin_fmaf(a[l], b[l], c[l]);
    return r;
#endif
}

static inline vf64 vsqrt_f64(vf64 a)
{
#if WF_VECTOR_BYTES == 64
    return (vf64)_mm512_sqrt_pd((__m512d)a);
#elif WF_VECTOR_BYTES == 32
    return (vf64)_mm256_sqrt_pd((__m256d)a);
#elif defined(__SSE2__)
    return (vf64)_mm_sqrt_pd((__m128d)a);
#else
    vf64 r;
    for (int l = 0; l < WF_W64; l++) r[l] = __builtin_sqrt(a[l]);
    return r;
#endif
}

static inline vf32 vsqrt_f32(vf32 a)
{
#if WF_VECTOR_BYTES == 64
    return (vf32)_mm512_sqrt_ps((__m512)a);
#elif WF_VECTOR_BYTES == 32
    return (vf32)_mm256_sqrt_ps((__m256)a);
#elif defined(__SSE2__)
    return (vf32)_mm_sqrt_ps((__m128)a);
#else
    vf32 r;
    for (int l = 0; l < WF_W32; l++) r[l] = __builtin_sqrtf(a[l]);
    return r;
#endif
}

// a0 b0 a1 b1 ...: the low and the high half of the lanes of two vectors, interleaved.
#define vshuffle(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
static inline vf64 vzip_low_f64(vf64 a, vf64 b)
{
#if WF_VECTOR_BYTES == 64
    return vshuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#elif WF_VECTOR_BYTES == 32
    return vshuffle(a, b, 0, 4, 1, 5);
#else
    return vshuffle(a, b, 0, 2);
#endif
}

static inline vf64 vzip_high_f64(vf64 a, vf64 b)
{
#if WF_VECTOR_BYTES == 64
    return vshuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#elif WF_VECTOR_BYTES == 32
    return vshuffle(a, b, 2, 6, 3, 7);
#else
    return vshuffle(a, b, 1, 3);
#endif
}

static inline vf32 vzip_low_f32(vf32 a, vf32 b)
{
#if WF_VECTOR_BYTES == 64
    return vshuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#elif WF_VECTOR_BYTES == 32
    return vshuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
    return vshuffle(a, b, 0, 4, 1, 5);
#endif
}

static inline vf32 vzip_high_f32(vf32 a, vf32 b)
{
#if WF_VECTOR_BYTES == 64
    return vshuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif WF_VECTOR_BYTES == 32
    return vshuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
    return vshuffle(a, b, 2, 6, 3, 7);
#endif
}

#endif
