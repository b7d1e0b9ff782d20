// SPDX-License-Identifier: Apache-2.0
// chain - the chain functions of every instruction set, and which operations are links.
#include "device/cpu/chain.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define ROOT16_F64(v) (V) _mm_sqrt_pd((__m128d)(v))
#define ROOT16_F32(v) (V) _mm_sqrt_ps((__m128)(v))
#else
#define ROOT16_F64(v) ((V){ __builtin_sqrt((v)[0]), __builtin_sqrt((v)[1]) })
#define ROOT16_F32(v)                                                                \
    ((V){ __builtin_sqrtf((v)[0]), __builtin_sqrtf((v)[1]), __builtin_sqrtf((v)[2]), \
          __builtin_sqrtf((v)[3]) })
#endif

#define SIGN_F64 ((uint64_t)1 << 63)
#define SIGN_F32 ((uint32_t)1 << 31)

#define TARGET
#define BYTES 16

#define FN chain_baseline_f64
#define T double
#define BITS uint64_t
#define WIDE_SIGN SIGN_F64
#define SQRT ROOT16_F64
#include "device/cpu/chain_pass.inc"

#define FN chain_baseline_f32
#define T float
#define BITS uint32_t
#define WIDE_SIGN SIGN_F32
#define SQRT ROOT16_F32
#include "device/cpu/chain_pass.inc"

#undef TARGET
#undef BYTES

#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2")))
#define BYTES 32

#define FN chain_avx2_f64
#define T double
#define BITS uint64_t
#define WIDE_SIGN SIGN_F64
#define SQRT(v) (V) _mm256_sqrt_pd((__m256d)(v))
#include "device/cpu/chain_pass.inc"

#define FN chain_avx2_f32
#define T float
#define BITS uint32_t
#define WIDE_SIGN SIGN_F32
#define SQRT(v) (V) _mm256_sqrt_ps((__m256)(v))
#include "device/cpu/chain_pass.inc"

#undef TARGET
#undef BYTES
#define TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))
#define BYTES 64

#define FN chain_avx512_f64
#define T double
#define BITS uint64_t
#define WIDE_SIGN SIGN_F64
#define SQRT(v) (V) _mm512_sqrt_pd((__m512d)(v))
#include "device/cpu/chain_pass.inc"

#define FN chain_avx512_f32
#define T float
#define BITS uint32_t
#define WIDE_SIGN SIGN_F32
#define SQRT(v) (V) _mm512_sqrt_ps((__m512)(v))
#include "device/cpu/chain_pass.inc"
#endif

wf_chain_op wf_chain_find_op(wf_op op, int arg)
{
    switch (op) {
    case WF_OP_ADD: return arg < 2 ? WF_CHAIN_ADD : WF_CHAIN_NONE;
    case WF_OP_SUBTRACT:
        return arg == 0 ? WF_CHAIN_SUBTRACT : arg == 1 ? WF_CHAIN_SUBTRACT_FROM : WF_CHAIN_NONE;
    case WF_OP_MULTIPLY: return arg < 2 ? WF_CHAIN_MULTIPLY : WF_CHAIN_SQUARE;
    case WF_OP_DIVIDE:
        return arg == 0 ? WF_CHAIN_DIVIDE : arg == 1 ? WF_CHAIN_DIVIDE_INTO : WF_CHAIN_NONE;
    case WF_OP_SQUARE: return WF_CHAIN_SQUARE;
    case WF_OP_NEGATIVE: return WF_CHAIN_NEGATE;
    case WF_OP_ABS: return WF_CHAIN_ABS;
    case WF_OP_SQRT: return WF_CHAIN_SQRT;
    default: return WF_CHAIN_NONE;
    }
}

wf_chain_fn *wf_chain_find(const wf_kernel_table *table, weft_dtype dtype)
{
    if (dtype != WEFT_FLOAT32 && dtype != WEFT_FLOAT64) return NULL;
#if defined(__x86_64__)
    if (strncmp(table->name, "avx512", 6) == 0)
        return dtype == WEFT_FLOAT32 ? chain_avx512_f32 : chain_avx512_f64;
    if (strncmp(table->name, "avx2", 4) == 0)
        return dtype == WEFT_FLOAT32 ? chain_avx2_f32 : chain_avx2_f64;
#endif
    (void)table;
    return dtype == WEFT_FLOAT32 ? chain_baseline_f32 : chain_baseline_f64;
}
