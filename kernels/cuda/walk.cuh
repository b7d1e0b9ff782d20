// SPDX-License-Identifier: Apache-2.0
// walk - how a thread finds its elements: division of its number into coordinates, and loads and stores of N neighbours along the innermost
// axis. Generated code names the way each operand is reached; LEFT is how many elements of the axis are left, and may be below N.
#ifndef WF_CUDA_WALK_CUH
#define WF_CUDA_WALK_CUH

#include "element.cuh"

// An axis by whose extent numbers are divided, as a multiplication (Granlund and Montgomery, 1994). The numbers stay below 2^31, or 2^63.
struct axis32 {
    u32 count, factor, shift, unused;
};
struct axis64 {
    u64 count, factor, shift, unused;
};
WF_DEVICE i32 quotient(i32 n, const axis32 &a)
{
    return (i32)((__umulhi((u32)n, a.factor) + (u32)n) >> a.shift);
}
WF_DEVICE i64 quotient(i64 n, const axis64 &a)
{
    return (i64)((__umul64hi((u64)n, a.factor) + (u64)n) >> a.shift);
}
WF_DEVICE i32 rest(i32 n, i32 quotient, const axis32 &a) { return n - quotient * (i32)a.count; }
WF_DEVICE i64 rest(i64 n, i64 quotient, const axis64 &a) { return n - quotient * (i64)a.count; }

// Bytes between neighbours along an axis, and how far C steps are: a 32-bit multiplication where the index is one.
WF_DEVICE i64 distance(i32 c, i64 stride) { return (i64)c * (i32)stride; }
WF_DEVICE i64 distance(i64 c, i64 stride) { return c * stride; }

template <class T, int N> struct alignas(N * sizeof(T)) pack {
    T at[N];
};

// Neighbours in memory, the first one aligned to all of them.
template <class T, int N> WF_DEVICE void load_vector(pack<T, N> &x, const char *p, i64 left)
{
    if (left >= N) x = *(const pack<T, N> *)p;
    else {
#pragma unroll
        for (int e = 0; e < N; e++)
            x.at[e] = e < left ? ((const T *)p)[e] : T();
    }
}

// Elements STEP bytes apart.
template <class T, int N> WF_DEVICE void load_strided(pack<T, N> &x, const char *p, i64 step, i64 left)
{
#pragma unroll
    for (int e = 0; e < N; e++)
        x.at[e] = e < left ? *(const T *)(p + e * step) : T();
}

// One element for all.
template <class T, int N> WF_DEVICE void load_fixed(pack<T, N> &x, const char *p, i64 left)
{
    const T one = left > 0 ? *(const T *)p : T();
#pragma unroll
    for (int e = 0; e < N; e++) x.at[e] = one;
}

template <class T, int N> WF_DEVICE void store_vector(const pack<T, N> &y, char *p, i64 left)
{
    if (left >= N) *(pack<T, N> *)p = y;
    else {
#pragma unroll
        for (int e = 0; e < N; e++)
            if (e < left) ((T *)p)[e] = y.at[e];
    }
}

template <class T, int N> WF_DEVICE void store_strided(const pack<T, N> &y, char *p, i64 step, i64 left)
{
#pragma unroll
    for (int e = 0; e < N; e++)
        if (e < left) *(T *)(p + e * step) = y.at[e];
}

#endif
