// SPDX-License-Identifier: Apache-2.0
// exp - the exponential function in vector lanes, below 1 ulp, the same bits in both vector tables.
// exp(x) = 2^k exp(r), k the integer nearest x / ln 2 (found by adding 1.5 * 2^52, whose low bits
// it becomes), r what is left, at most ln 2 / 2. exp(r) = 1 + r (1 + r (c0 + c1 r + ...)): the
// polynomial is a Chebyshev fit (60 digits, rounded), off by 1.6e-17 (float32: 1.0e-8). Written out
// here rather than taken from SLEEF because it is then inlined: between other operations of a chain
// it takes the issue slots that a square root or a division leaves idle.
#ifndef WF_CPU_EXP_H
#define WF_CPU_EXP_H

#include "vector.h"

#if WF_VECTOR_BYTES >= 32

#if WF_VECTOR_BYTES == 64
#define MIN_F64(c, v) (vf64) _mm512_min_pd((__m512d)(c), (__m512d)(v))
#define MAX_F64(c, v) (vf64) _mm512_max_pd((__m512d)(c), (__m512d)(v))
#define MIN_F32(c, v) (vf32) _mm512_min_ps((__m512)(c), (__m512)(v))
#define MAX_F32(c, v) (vf32) _mm512_max_ps((__m512)(c), (__m512)(v))
#else
#define MIN_F64(c, v) (vf64) _mm256_min_pd((__m256d)(c), (__m256d)(v))
#define MAX_F64(c, v) (vf64) _mm256_max_pd((__m256d)(c), (__m256d)(v))
#define MIN_F32(c, v) (vf32) _mm256_min_ps((__m256)(c), (__m256)(v))
#define MAX_F32(c, v) (vf32) _mm256_max_ps((__m256)(c), (__m256)(v))
#endif

// Y * 2^K. SHIFTED is K + 1.5 * 2^52 (float32: 2^23). Without the instruction in two steps, of
// which the first is exact, so that a subnormal result is rounded once.
static inline vf64 vscale_f64(vf64 y, vf64 k, vf64 shifted)
{
#if WF_VECTOR_BYTES == 64
    (void)shifted;
    return (vf64)_mm512_scalef_pd((__m512d)y, (__m512d)k);
#else
    (void)k;
    const vu64 n = (vu64)shifted - 0x4338000000000000 + 4096;  // k + 4096 > 0
    const vu64 half = n >> 1;                                  // (k >> 1) + 2048
    const vu64 rest = n - half;
    return y * (vf64)((half + (1023 - 2048)) << 52) * (vf64)((rest + (1023 - 2048)) << 52);
#endif
}

static inline vf32 vscale_f32(vf32 y, vf32 k, vf32 shifted)
{
#if WF_VECTOR_BYTES == 64
    (void)shifted;
    return (vf32)_mm512_scalef_ps((__m512)y, (__m512)k);
#else
    (void)k;
    const vu32 n = (vu32)shifted - 0x4b400000 + 1024;
    const vu32 half = n >> 1;
    const vu32 rest = n - half;
    return y * (vf32)((half + (127 - 512)) << 23) * (vf32)((rest + (127 - 512)) << 23);
#endif
}

// Beyond the clamps the result is infinite or 0 all the same; min and max hand on a NaN that is
// their second operand.
static inline vf64 vexp_f64(vf64 x)
{
#define C(c) ((c) - (vf64){ 0 })
    x = MIN_F64(C(710.0), MAX_F64(C(-746.0), x));
    const vf64 shifted = vfma_f64(x, C(0x1.71547652b82fep+0), C(0x1.8p52));
    const vf64 k = shifted - 0x1.8p52;
    vf64 r = vfma_f64(k, C(-0x1.62e42fefap-1), x);
    r = vfma_f64(k, C(-0x1.cf79abc9e3b3ap-40), r);
    vf64 p = C(0x1.af38a9b0ec855p-26);
    p = vfma_f64(p, r, C(0x1.289185613a3d6p-22));
    p = vfma_f64(p, r, C(0x1.71de0dae63bb3p-19));
    p = vfma_f64(p, r, C(0x1.a019b90d2ae7ap-16));
    p = vfma_f64(p, r, C(0x1.a01a01a7c41d5p-13));
    p = vfma_f64(p, r, C(0x1.6c16c1788bd90p-10));
    p = vfma_f64(p, r, C(0x1.11111111109b3p-7));
    p = vfma_f64(p, r, C(0x1.5555555553d63p-5));
    p = vfma_f64(p, r, C(0x1.5555555555556p-3));
    p = vfma_f64(p, r, C(0x1.0000000000001p-1));
    p = vfma_f64(p, r, C(1.0));
    p = vfma_f64(p, r, C(1.0));
    return vscale_f64(p, k, shifted);
#undef C
}

static inline vf32 vexp_f32(vf32 x)
{
#define C(c) ((c) - (vf32){ 0 })
    x = MIN_F32(C(89.0f), MAX_F32(C(-105.0f), x));
    const vf32 shifted = vfma_f32(x, C(0x1.715476p+0f), C(0x1.8p23f));
    const vf32 k = shifted - 0x1.8p23f;
    vf32 r = vfma_f32(k, C(-0x1.62e4p-1f), x);
    r = vfma_f32(k, C(-0x1.7f7d1cp-20f), r);
    vf32 p = C(0x1.6d110ap-10f);
    p = vfma_f32(p, r, C(0x1.120b6ep-7f));
    p = vfma_f32(p, r, C(0x1.55551ap-5f));
    p = vfma_f32(p, r, C(0x1.5554dcp-3f));
    p = vfma_f32(p, r, C(0.5f));
    p = vfma_f32(p, r, C(1.0f));
    p = vfma_f32(p, r, C(1.0f));
    return vscale_f32(p, k, shifted);
#undef C
}

#undef MIN_F64
#undef MAX_F64
#undef MIN_F32
#undef MAX_F32

#else  // libm, lane by lane: what the plain table's own loop calls

static inline vf64 vexp_f64(vf64 x)
{
    for (int l = 0; l < WF_W64; l++) x[l] = exp(x[l]);
    return x;
}

static inline vf32 vexp_f32(vf32 x)
{
    for (int l = 0; l < WF_W32; l++) x[l] = expf(x[l]);
    return x;
}

#endif
#endif
