// SPDX-License-Identifier: Apache-2.0
// walk - how a thread finds its elements: division of its number into coordinates, and loads and
// stores of N neighbours along the innermost axis. Generated code names the way in which each
// operand is reached.
#ifndef WF_CUDA_WALK_CUH
#define WF_CUDA_WALK_CUH

#include "element.cuh"

// An axis by whose extent numbers are divided, as a multiplication (Granlund and Montgomery, 1994).
// The numbers stay below 2^31, or 2^63.
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

// Bytes between neighbours along an axis, and how far C steps are: a 32-bit multiplication where
// the index is one.
WF_DEVICE i64 distance(i32 c, i64 stride) { return (i64)c * (i32)stride; }
WF_DEVICE i64 distance(i64 c, i64 stride) { return c * stride; }

template <class T, int N> struct alignas(N * sizeof(T)) pack {
    T at[N];
};

// Each way comes twice: for a whole group, and for the last one of an axis, of which LEFT < N
// elements are there (the others become 0, and are not stored).
template <class T, int N> WF_DEVICE void load_vector(pack<T, N> &x, const char *p)
{
    x = *(const pack<T, N> *)p;
}
template <class T, int N> WF_DEVICE void store_vector(const pack<T, N> &y, char *p)
{
    *(pack<T, N> *)p = y;
}

// Elements STEP bytes apart.
template <class T, int N> WF_DEVICE void load_strided(pack<T, N> &x, const char *p, i64 step)
{
#pragma unroll
    for (int e = 0; e < N; e++) x.at[e] = *(const T *)(p + e * step);
}
template <class T, int N>
WF_DEVICE void load_strided(pack<T, N> &x, const char *p, i64 step, i64 left)
{
#pragma unroll
    for (int e = 0; e < N; e++) x.at[e] = e < left ? *(const T *)(p + e * step) : T();
}
template <class T, int N> WF_DEVICE void store_strided(const pack<T, N> &y, char *p, i64 step)
{
#pragma unroll
    for (int e = 0; e < N; e++) *(T *)(p + e * step) = y.at[e];
}
template <class T, int N>
WF_DEVICE void store_strided(const pack<T, N> &y, char *p, i64 step, i64 left)
{
#pragma unroll
    for (int e = 0; e < N; e++)
        if (e < left) *(T *)(p + e * step) = y.at[e];
}
template <class T, int N> WF_DEVICE void load_vector(pack<T, N> &x, const char *p, i64 left)
{
    load_strided(x, p, sizeof(T), left);
}
template <class T, int N> WF_DEVICE void store_vector(const pack<T, N> &y, char *p, i64 left)
{
    store_strided(y, p, sizeof(T), left);
}

// One element for all.
template <class T, int N> WF_DEVICE void load_fixed(pack<T, N> &x, const char *p)
{
    const T one = *(const T *)p;
#pragma unroll
    for (int e = 0; e < N; e++) x.at[e] = one;
}

#endif
