// SPDX-License-Identifier: Apache-2.0
// cudasim_device - what a kernel's text finds in CUDA, for the host's C++ compiler: no header is included, for NVRTC has none. Kernels start
// with kernels/cuda/kernel.cuh, which includes this one.
#ifndef CUDASIM_DEVICE_H
#define CUDASIM_DEVICE_H

#include "kernel_abi.h"

typedef __SIZE_TYPE__ size_t;

static cudasim_here cudasim_here_;
#define threadIdx cudasim_here_.thread
#define blockIdx cudasim_here_.block
#define blockDim cudasim_here_.block_dim
#define gridDim cudasim_here_.grid_dim
#define warpSize 32

#define WF_DEVICE static inline __attribute__((unused))
#define WF_SHARED static  // blocks of a GPU run one after the other
#define __device__ __attribute__((unused))
#define __constant__ __attribute__((unused))
#define __forceinline__ inline

#define CUDASIM_KERNEL(name, type, meeting)                                                 \
    static void name##_body(const type &A);                                                 \
    static void name##_call(const void *argument) { name##_body(*(const type *)argument); } \
    extern "C" __attribute__((visibility("default"))) const cudasim_kernel name;            \
    const cudasim_kernel name = { CUDASIM_KERNEL_ABI, sizeof(type), meeting, name##_call,   \
                                  &cudasim_here_ };                                         \
    static void name##_body([[maybe_unused]] const type &A)
#define WF_KERNEL(name, type) CUDASIM_KERNEL(name, type, 0)
#define WF_KERNEL_MEETING(name, type) CUDASIM_KERNEL(name, type, 1)

// --- vectors ---

#define CUDASIM_VECTOR2(type, name)         \
    struct alignas(2 * sizeof(type)) name { \
        type x, y;                          \
    };                                      \
    WF_DEVICE name make_##name(type x, type y) { return name{ x, y }; }
#define CUDASIM_VECTOR4(type, name)                                      \
    struct alignas(4 * sizeof(type) < 16 ? 4 * sizeof(type) : 16) name { \
        type x, y, z, w;                                                 \
    };                                                                   \
    WF_DEVICE name make_##name(type x, type y, type z, type w) { return name{ x, y, z, w }; }
// clang-format off
#define CUDASIM_VECTORS(X, n)                                                             \
    X(signed char, char##n) X(unsigned char, uchar##n) X(short, short##n)                 \
    X(unsigned short, ushort##n) X(int, int##n) X(unsigned, uint##n) X(float, float##n)   \
    X(long long, longlong##n) X(unsigned long long, ulonglong##n) X(double, double##n)
// clang-format on
CUDASIM_VECTORS(CUDASIM_VECTOR2, 2)
CUDASIM_VECTORS(CUDASIM_VECTOR4, 4)

// --- threads that meet ---

static inline unsigned cudasim_lane()
{
    return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32;
}

static inline cudasim_meeting cudasim_meet(int kind, unsigned mask, bool predicate)
{
    cudasim_meeting m = { kind, mask, 0, predicate, 0, {} };
    cudasim_here_.meet(&m);
    return m;
}

WF_DEVICE void __syncthreads() { cudasim_meet(CUDASIM_BARRIER, 0, false); }
WF_DEVICE int __syncthreads_count(int p) { return cudasim_meet(CUDASIM_BARRIER, 0, p != 0).result; }
WF_DEVICE int __syncthreads_or(int p) { return __syncthreads_count(p) > 0; }
WF_DEVICE int __syncthreads_and(int p) { return __syncthreads_count(!p) == 0; }
WF_DEVICE void __syncwarp(unsigned mask = 0xffffffffu) { cudasim_meet(CUDASIM_WARP, mask, false); }
WF_DEVICE unsigned __ballot_sync(unsigned mask, int p)
{
    return cudasim_meet(CUDASIM_BALLOT, mask, p != 0).result;
}
WF_DEVICE int __any_sync(unsigned mask, int p) { return __ballot_sync(mask, p) != 0; }
WF_DEVICE int __all_sync(unsigned mask, int p) { return __ballot_sync(mask, p) == mask; }

// The value of lane SOURCE, where that is one of this lane's segment; else this lane's own.
template <typename T> static inline T cudasim_shuffle(unsigned mask, T value, int source, int width)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "CUDA shuffles 4 or 8 bytes");
    const int lane = (int)cudasim_lane(), first = lane & ~(width - 1);
    const bool inside = source >= first && source < first + width;
    cudasim_meeting m = { CUDASIM_SHUFFLE, mask, (unsigned)(inside ? source : lane), 0, 0, {} };
    __builtin_memcpy(m.value, &value, sizeof value);
    cudasim_here_.meet(&m);
    __builtin_memcpy(&value, m.value, sizeof value);
    return value;
}
template <typename T>
static inline T __shfl_sync(unsigned mask, T value, int source, int width = 32)
{
    const int lane = (int)cudasim_lane();
    return cudasim_shuffle(mask, value, (lane & ~(width - 1)) + (source & (width - 1)), width);
}
template <typename T>
static inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32)
{
    return cudasim_shuffle(mask, value, (int)(cudasim_lane() + by), width);
}
template <typename T>
static inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32)
{
    return cudasim_shuffle(mask, value, (int)cudasim_lane() - (int)by, width);
}
// As on the GPU, lanes before one's own segment can be read.
template <typename T>
static inline T __shfl_xor_sync(unsigned mask, T value, int by, int width = 32)
{
    const int lane = (int)cudasim_lane(), source = lane ^ by;
    return cudasim_shuffle(mask, value, source < (lane & ~(width - 1)) + width ? source : lane, 32);
}

// --- memory ---

// The module's own, hidden, for the compiler calls them where it likes, and AddressSanitizer's would find device memory poisoned.
extern "C" {
#define CUDASIM_OWN __attribute__((visibility("hidden"), used))
CUDASIM_OWN void *memcpy(void *to, const void *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) ((volatile char *)to)[i] = ((const volatile char *)from)[i];
    return to;
}
CUDASIM_OWN void *memset(void *to, int value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) ((volatile char *)to)[i] = (char)value;
    return to;
}
CUDASIM_OWN void *memmove(void *to, const void *from, size_t bytes)
{
    if ((size_t)to - (size_t)from >= bytes) return memcpy(to, from, bytes);
    for (size_t i = bytes; i-- > 0;) ((volatile char *)to)[i] = ((const volatile char *)from)[i];
    return to;
}
}

WF_DEVICE void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
WF_DEVICE void __threadfence_block() {}
template <typename T> static inline T __ldg(const T *p) { return *p; }
template <typename T> static inline T __ldcs(const T *p) { return *p; }
template <typename T> static inline void __stcs(T *p, T value) { *p = value; }

// One operation of a GPU at a time, its threads one after the other; atomic all the same, for another GPU may look on.
template <typename T, typename F> static inline T cudasim_update(T *p, F change)
{
    T old, next;
    __atomic_load(p, &old, __ATOMIC_SEQ_CST);
    do next = change(old);
    while (!__atomic_compare_exchange(p, &old, &next, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return old;
}
#define CUDASIM_ATOMIC(name, type, expression)                                  \
    WF_DEVICE type name(type *p, type v)                                        \
    {                                                                           \
        return cudasim_update(p, [v](type old) { return (type)(expression); }); \
    }
#define CUDASIM_ATOMICS(type)                                                                   \
    CUDASIM_ATOMIC(atomicMin, type, old < v ? old : v)                                          \
    CUDASIM_ATOMIC(atomicMax, type, old > v ? old : v)                                          \
    CUDASIM_ATOMIC(atomicAnd, type, old &v)                                                     \
    CUDASIM_ATOMIC(atomicOr, type, old | v)                                                     \
    CUDASIM_ATOMIC(atomicXor, type, old ^ v)                                                    \
    CUDASIM_ATOMIC(atomicExch, type, ((void)old, v))                                            \
    WF_DEVICE type atomicCAS(type *p, type expected, type v)                                    \
    {                                                                                           \
        __atomic_compare_exchange(p, &expected, &v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
        return expected;                                                                        \
    }
CUDASIM_ATOMICS(int)
CUDASIM_ATOMICS(unsigned)
CUDASIM_ATOMICS(unsigned long long)
CUDASIM_ATOMIC(atomicMin, long long, old < v ? old : v)
CUDASIM_ATOMIC(atomicMax, long long, old > v ? old : v)
CUDASIM_ATOMIC(atomicAdd, int, (unsigned)old + (unsigned)v)
CUDASIM_ATOMIC(atomicAdd, unsigned, old + v)
CUDASIM_ATOMIC(atomicAdd, unsigned long long, old + v)
CUDASIM_ATOMIC(atomicAdd, float, old + v)
CUDASIM_ATOMIC(atomicAdd, double, old + v)
CUDASIM_ATOMIC(atomicExch, float, ((void)old, v))

// --- bits ---

WF_DEVICE int __popc(unsigned x) { return __builtin_popcount(x); }
WF_DEVICE int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
WF_DEVICE int __ffs(int x) { return __builtin_ffs(x); }
WF_DEVICE int __ffsll(long long x) { return __builtin_ffsll(x); }
WF_DEVICE int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
WF_DEVICE int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
WF_DEVICE unsigned __brev(unsigned x)
{
    x = (x & 0x55555555u) << 1 | (x >> 1 & 0x55555555u);
    x = (x & 0x33333333u) << 2 | (x >> 2 & 0x33333333u);
    x = (x & 0x0f0f0f0fu) << 4 | (x >> 4 & 0x0f0f0f0fu);
    return __builtin_bswap32(x);
}
WF_DEVICE unsigned long long __brevll(unsigned long long x)
{
    return (unsigned long long)__brev((unsigned)x) << 32 | __brev((unsigned)(x >> 32));
}
WF_DEVICE unsigned __umulhi(unsigned a, unsigned b)
{
    return (unsigned)((unsigned long long)a * b >> 32);
}
WF_DEVICE int __mulhi(int a, int b) { return (int)((long long)a * b >> 32); }
WF_DEVICE unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
WF_DEVICE long long __mul64hi(long long a, long long b)
{
    return (long long)((__int128)a * b >> 64);
}

#define CUDASIM_BITS(name, to, from)             \
    WF_DEVICE to name(from x)                    \
    {                                            \
        to y;                                    \
        static_assert(sizeof x == sizeof y, ""); \
        __builtin_memcpy(&y, &x, sizeof y);      \
        return y;                                \
    }
CUDASIM_BITS(__float_as_uint, unsigned, float)
CUDASIM_BITS(__float_as_int, int, float)
CUDASIM_BITS(__uint_as_float, float, unsigned)
CUDASIM_BITS(__int_as_float, float, int)
CUDASIM_BITS(__double_as_longlong, long long, double)
CUDASIM_BITS(__longlong_as_double, double, long long)

// --- arithmetic and mathematics, of the host's C library: other last bits than a GPU's ---

extern "C" {
// clang-format off
#define CUDASIM_MATH1(X)                                                                  \
    X(sin) X(cos) X(tan) X(asin) X(acos) X(atan) X(sinh) X(cosh) X(tanh) X(asinh)         \
    X(acosh) X(atanh) X(exp) X(exp2) X(exp10) X(expm1) X(log) X(log2) X(log10) X(log1p)   \
    X(sqrt) X(cbrt) X(floor) X(ceil) X(trunc) X(rint) X(nearbyint) X(round) X(fabs)       \
    X(erf) X(erfc) X(lgamma) X(tgamma) X(logb) X(j0) X(j1) X(y0) X(y1)
#define CUDASIM_MATH2(X)                                                                  \
    X(pow) X(atan2) X(hypot) X(fmod) X(remainder) X(copysign) X(nextafter) X(fmin)        \
    X(fmax) X(fdim)
#define X(name) double name(double); float name##f(float);
CUDASIM_MATH1(X)
#undef X
#define X(name) double name(double, double); float name##f(float, float);
CUDASIM_MATH2(X)
#undef X
// clang-format on
double fma(double, double, double);
float fmaf(float, float, float);
double ldexp(double, int);
float ldexpf(float, int);
double frexp(double, int *);
float frexpf(float, int *);
double modf(double, double *);
float modff(float, float *);
void sincos(double, double *, double *);
void sincosf(float, float *, float *);
int abs(int);
long long llabs(long long);
long long llrint(double);
long long llrintf(float);
}
// The overloads for float that CUDA has.
#define X(name) \
    WF_DEVICE float name(float x) { return name##f(x); }
CUDASIM_MATH1(X)
#undef X
#define X(name) \
    WF_DEVICE float name(float x, float y) { return name##f(x, y); }
CUDASIM_MATH2(X)
#undef X
WF_DEVICE float fma(float x, float y, float z) { return fmaf(x, y, z); }
WF_DEVICE float ldexp(float x, int n) { return ldexpf(x, n); }
WF_DEVICE float frexp(float x, int *n) { return frexpf(x, n); }
WF_DEVICE float abs(float x) { return fabsf(x); }
WF_DEVICE double abs(double x) { return fabs(x); }
WF_DEVICE long long abs(long long x) { return llabs(x); }
WF_DEVICE double rsqrt(double x) { return 1 / sqrt(x); }
WF_DEVICE float rsqrtf(float x) { return 1 / sqrtf(x); }
WF_DEVICE float rsqrt(float x) { return rsqrtf(x); }
WF_DEVICE double sinpi(double x) { return sin(x * 3.14159265358979323846); }
WF_DEVICE double cospi(double x) { return cos(x * 3.14159265358979323846); }
WF_DEVICE float sinpif(float x) { return (float)sinpi((double)x); }
WF_DEVICE float cospif(float x) { return (float)cospi((double)x); }
WF_DEVICE double normcdf(double x) { return erfc(x * -0.70710678118654752440) / 2; }
WF_DEVICE float normcdff(float x) { return (float)normcdf((double)x); }
template <typename T> static inline bool isnan(T x) { return __builtin_isnan(x); }
template <typename T> static inline bool isinf(T x) { return __builtin_isinf(x); }
template <typename T> static inline bool isfinite(T x) { return __builtin_isfinite(x); }
template <typename T> static inline bool signbit(T x) { return __builtin_signbit(x); }
template <typename T> static inline T min(T x, T y) { return y < x ? y : x; }
template <typename T> static inline T max(T x, T y) { return x < y ? y : x; }

WF_DEVICE float __fadd_rn(float x, float y) { return x + y; }
WF_DEVICE float __fsub_rn(float x, float y) { return x - y; }
WF_DEVICE float __fmul_rn(float x, float y) { return x * y; }
WF_DEVICE float __fdiv_rn(float x, float y) { return x / y; }
WF_DEVICE float __frcp_rn(float x) { return 1 / x; }
WF_DEVICE float __fsqrt_rn(float x) { return sqrtf(x); }
WF_DEVICE float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
WF_DEVICE double __dadd_rn(double x, double y) { return x + y; }
WF_DEVICE double __dsub_rn(double x, double y) { return x - y; }
WF_DEVICE double __dmul_rn(double x, double y) { return x * y; }
WF_DEVICE double __ddiv_rn(double x, double y) { return x / y; }
WF_DEVICE double __drcp_rn(double x) { return 1 / x; }
WF_DEVICE double __dsqrt_rn(double x) { return sqrt(x); }
WF_DEVICE double __fma_rn(double x, double y, double z) { return fma(x, y, z); }
WF_DEVICE float __double2float_rn(double x) { return (float)x; }
WF_DEVICE float __int2float_rn(int x) { return (float)x; }
WF_DEVICE float __uint2float_rn(unsigned x) { return (float)x; }
WF_DEVICE float __ll2float_rn(long long x) { return (float)x; }
WF_DEVICE float __ull2float_rn(unsigned long long x) { return (float)x; }
WF_DEVICE double __ll2double_rn(long long x) { return (double)x; }
WF_DEVICE double __ull2double_rn(unsigned long long x) { return (double)x; }

#endif
