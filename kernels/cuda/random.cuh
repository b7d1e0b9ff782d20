// SPDX-License-Identifier: Apache-2.0
// random - Philox 4x32-10 and what is made of its words; kernels/kernel.h says what each element
// is, and kernels/cpu/random.inc gives the order of operations, which is kept here step by step, so
// that the bits are the CPU's. Needs a compiler that neither contracts nor flushes to zero.
#ifndef WF_CUDA_RANDOM_CUH
#define WF_CUDA_RANDOM_CUH

#include "walk.cuh"

#ifdef WF_CUDASIM
#define RANDOM_CALL static __attribute__((noinline, unused))
#else
#define RANDOM_CALL static __device__ __noinline__
#endif

struct words {
    u32 w[4];
};

// NVRTC makes more than one instruction of the plain product.
WF_DEVICE u64 wide_product(u32 a, u32 b)
{
#ifdef WF_CUDASIM
    return (u64)a * b;
#else
    u64 product;
    asm("mul.wide.u32 %0, %1, %2;" : "=l"(product) : "r"(a), "r"(b));
    return product;
#endif
}

// The keys of all rounds: K0 and K1 of each. The host adds them up, for an instruction takes an
// operand from the kernel's arguments at no cost.
struct round_keys {
    u32 k[20];
};

WF_DEVICE round_keys keys_of(u32 k0, u32 k1)
{
    round_keys keys;
#pragma unroll
    for (int r = 0; r < 10; r++) {
        keys.k[2 * r] = k0 + r * 0x9e3779b9u;
        keys.k[2 * r + 1] = k1 + r * 0xbb67ae85u;
    }
    return keys;
}

// The four words of counter (LOW, HIGH).
WF_DEVICE words philox(u64 low, u64 high, const round_keys &keys)
{
    u32 c0 = (u32)low, c1 = (u32)(low >> 32), c2 = (u32)high, c3 = (u32)(high >> 32);
#pragma unroll
    for (int r = 0; r < 10; r++) {
        const u64 p0 = wide_product(0xd2511f53u, c0), p1 = wide_product(0xcd9e8d57u, c2);
        c0 = (u32)(p1 >> 32) ^ c1 ^ keys.k[2 * r];
        c1 = (u32)p1;
        c2 = (u32)(p0 >> 32) ^ c3 ^ keys.k[2 * r + 1];
        c3 = (u32)p0;
    }
    words result;
    result.w[0] = c0;
    result.w[1] = c1;
    result.w[2] = c2;
    result.w[3] = c3;
    return result;
}

WF_DEVICE u64 bits64(const words &x, int half)
{
    return x.w[2 * half] | (u64)x.w[2 * half + 1] << 32;
}

// Quotient and root, rounded correctly, from the approximations of the hardware: without the
// branches for operands that never come here. Exact for every M in [sqrt(1/2), sqrt(2)), for X = 0
// and every X in [2^-100, 2^100], when Y is off by -1 to 4 ulp, or 3 either way:
// tests/device/cuda_exact_test.cc tries them all.
WF_DEVICE f32 exact_quotient(f32 m, f32 y)  // (m - 1) / (m + 1), y around 1 / (m + 1)
{
    const f32 f = m - 1.0f, d = m + 1.0f;
    y = float_of_bits(bits_of(y) + 2);
    f32 e = __fmaf_rn(-d, y, 1.0f);
    e = __fmaf_rn(e, e, e);
    y = __fmaf_rn(y, e, y);
    const f32 q = f * y;
    return __fmaf_rn(__fmaf_rn(-d, q, f), y, q);
}

WF_DEVICE f32 exact_root(f32 x, f32 y)  // sqrt(x), y around 1 / sqrt(x)
{
    f32 g = x * y, h = y * 0.5f;
    const f32 e = __fmaf_rn(-g, h, 0.5f);
    g = __fmaf_rn(g, e, g);
    h = __fmaf_rn(h, e, h);
    const f32 root = __fmaf_rn(__fmaf_rn(-g, g, x), h, g);
    return x == 0 ? x : root;
}

#ifdef WF_CUDASIM
WF_DEVICE f32 near_reciprocal(f32 x) { return 1 / x; }
WF_DEVICE f32 near_root(f32 x) { return 1 / __fsqrt_rn(x); }
#else
WF_DEVICE f32 near_reciprocal(f32 x)
{
    f32 y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
WF_DEVICE f32 near_root(f32 x)
{
    f32 y;
    asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
#endif

// -2 ln(u) for u in (0, 1]: u = 2^e m with m around 1, ln m = 2 atanh(s), s = (m-1)/(m+1).
WF_DEVICE f64 minus_two_log(f64 u)
{
    const u64 biased = (bits_of(u) + (0x3ff0000000000000ull - 0x3fe6a09e00000000ull)) >> 52;
    const f64 m = float_of_bits(bits_of(u) - ((biased - 1023) << 52));
    const f64 e = float_of_bits(biased | 0x4330000000000000ull) - (4503599627370496.0 + 1023.0);
    const f64 f = m - 1.0, s = __ddiv_rn(f, m + 1.0), z = s * s;
    f64 p = 0x1.2b5900de53b32p-3;
    p = __fma_rn(p, z, 0x1.39fe51a7c18f9p-3);
    p = __fma_rn(p, z, 0x1.7462b51cb66b1p-3);
    p = __fma_rn(p, z, 0x1.c71c62e3f11e6p-3);
    p = __fma_rn(p, z, 0x1.2492492df281ap-2);
    p = __fma_rn(p, z, 0x1.99999999952d7p-2);
    p = __fma_rn(p, z, 0x1.5555555555558p-1);
    const f64 log_m = __fma_rn(s * z, p, s * 2.0);
    return __fma_rn(e, -0x1.62e42fefa39efp+0, log_m * -2.0);
}

WF_DEVICE f32 minus_two_log(f32 u)
{
    const u32 biased = (bits_of(u) + (0x3f800000u - 0x3f3504f3u)) >> 23;
    const f32 m = float_of_bits(bits_of(u) - ((biased - 127) << 23));
    const f32 e = float_of_bits(biased | 0x4b000000u) - (8388608.0f + 127.0f);
    const f32 s = exact_quotient(m, near_reciprocal(m + 1.0f)), z = s * s;
    f32 p = 0x1.2ee656p-2f;
    p = __fmaf_rn(p, z, 0x1.997c2ep-2f);
    p = __fmaf_rn(p, z, 0x1.55555cp-1f);
    const f32 log_m = __fmaf_rn(s * z, p, s * 2.0f);
    return __fmaf_rn(e, -0x1.62e430p+0f, log_m * -2.0f);
}

// A radius, and cosine and sine of a whole turn times the bits in X, less an eighth of a turn: two
// bits choose the quadrant, the rest the angle t in [-1/2, 1/2) of a right angle within it. The odd
// quadrants swap the two; signs follow.
template <class T> struct pair {
    T cosine, sine;
};

WF_DEVICE pair<f64> turned(f64 radius, u64 x)
{
    const f64 t = float_of_bits(((x << 2) >> 12) | 0x3ff0000000000000ull) - 1.5;
    const f64 z = t * t;
    f64 p = 0x1.e3f38399551bfp-25, q = -0x1.b2f3eb054afcdp-28;
    p = __fma_rn(p, z, -0x1.e30071afc3e59p-19);
    q = __fma_rn(q, z, 0x1.f9ce245cada0bp-22);
    p = __fma_rn(p, z, 0x1.50782fda12d96p-13);
    q = __fma_rn(q, z, -0x1.a6d1eef479be1p-16);
    p = __fma_rn(p, z, -0x1.32d2cce2e5b19p-8);
    q = __fma_rn(q, z, 0x1.e1f5068688d5bp-11);
    p = __fma_rn(p, z, 0x1.466bc677587f8p-4);
    q = __fma_rn(q, z, -0x1.55d3c7e3cb241p-6);
    p = __fma_rn(p, z, -0x1.4abbce625be41p-1);
    q = __fma_rn(q, z, 0x1.03c1f081b5ac0p-2);
    p = __fma_rn(p, z, 0x1.921fb54442d18p+0);
    q = __fma_rn(q, z, -0x1.3bd3cc9be45dep+0);
    const f64 s = p * t, c = __fma_rn(q, z, 1.0);
    const bool swap = (x >> 62) & 1;
    const u64 sine_sign = x & 0x8000000000000000ull;
    const u64 cosine_sign = (x ^ (x << 1)) & 0x8000000000000000ull;
    pair<f64> result;
    result.cosine = float_of_bits(bits_of(swap ? s : c) ^ cosine_sign) * radius;
    result.sine = float_of_bits(bits_of(swap ? c : s) ^ sine_sign) * radius;
    return result;
}

WF_DEVICE pair<f32> turned(f32 radius, u32 x)
{
    const f32 t = float_of_bits(((x << 2) >> 9) | 0x3f800000u) - 1.5f;
    const f32 z = t * t;
    f32 p = -0x1.2d9b40p-8f, q = 0x1.db6492p-11f;
    p = __fmaf_rn(p, z, 0x1.465ec4p-4f);
    q = __fmaf_rn(q, z, -0x1.55cb98p-6f);
    p = __fmaf_rn(p, z, -0x1.4abbbap-1f);
    q = __fmaf_rn(q, z, 0x1.03c1eap-2f);
    p = __fmaf_rn(p, z, 0x1.921fb6p+0f);
    q = __fmaf_rn(q, z, -0x1.3bd3ccp+0f);
    const f32 s = p * t, c = __fmaf_rn(q, z, 1.0f);
    const bool swap = (x >> 30) & 1;
    const u32 sine_sign = x & 0x80000000u, cosine_sign = (x ^ (x << 1)) & 0x80000000u;
    pair<f32> result;
    result.cosine = float_of_bits(bits_of(swap ? s : c) ^ cosine_sign) * radius;
    result.sine = float_of_bits(bits_of(swap ? c : s) ^ sine_sign) * radius;
    return result;
}

// The elements that one block of words makes: two of float64, four of float32.
template <class T> struct block {
    enum { SIZE = 16 / sizeof(T) };
    T at[SIZE];
};

WF_DEVICE void uniform_block(block<f64> &out, const words &x)
{
#pragma unroll
    for (int h = 0; h < 2; h++) {
        const f64 low = (f64)(x.w[2 * h] >> 11), high = (f64)x.w[2 * h + 1];
        out.at[h] = (high * 2097152.0 + low) * 0x1p-53;
    }
}

WF_DEVICE void uniform_block(block<f32> &out, const words &x)
{
#pragma unroll
    for (int i = 0; i < 4; i++) out.at[i] = (f32)(x.w[i] >> 8) * 0x1p-24f;
}

WF_DEVICE void normal_block(block<f64> &out, const words &x)
{
    const f64 u = 2.0 - float_of_bits((bits64(x, 0) >> 12) | 0x3ff0000000000000ull);
    const pair<f64> z = turned(__dsqrt_rn(minus_two_log(u)), bits64(x, 1));
    out.at[0] = z.cosine;
    out.at[1] = z.sine;
}

WF_DEVICE void normal_block(block<f32> &out, const words &x)
{
#pragma unroll
    for (int h = 0; h < 2; h++) {
        const f32 high = (f32)(x.w[2 * h] >> 16), low = (f32)(x.w[2 * h] & 0xffffu);
        const f32 u = __fmaf_rn(high, 0x1p-16f, __fmaf_rn(low, 0x1p-32f, 0x1p-33f));
        const f32 square = minus_two_log(u);
        const pair<f32> z = turned(exact_root(square, near_root(square)), x.w[2 * h + 1]);
        out.at[2 * h] = z.cosine;
        out.at[2 * h + 1] = z.sine;
    }
}

struct uniform {
    template <class T> WF_DEVICE void make(block<T> &out, const words &x) { uniform_block(out, x); }
};
struct normal {
    template <class T> WF_DEVICE void make(block<T> &out, const words &x) { normal_block(out, x); }
};

// Out of line, and adding up the keys itself: for what is not the common case.
template <class T, class KIND> RANDOM_CALL block<T> block_apart(i64 number, u64 seed, u64 stream)
{
    block<T> made;
    KIND::make(made, philox((u64)number, stream, keys_of((u32)seed, (u32)(seed >> 32))));
    return made;
}

// N neighbours FIRST, FIRST + STEP, ..: whole blocks where they are that, which is what long rows
// are made of; else one by one, what comes from the block before taken from it.
template <class KIND, class T, int N>
WF_DEVICE void random_neighbours(pack<T, N> &out, i64 first, i64 step, const round_keys &keys,
                                 u64 seed, u64 stream)
{
    const int size = block<T>::SIZE;
    if (N % size == 0 && step == 1 && first % size == 0) {
#pragma unroll
        for (int b = 0; b < N / size; b++) {
            block<T> made;
            KIND::make(made, philox((u64)first / size + b, stream, keys));
#pragma unroll
            for (int i = 0; i < size; i++) out.at[b * size + i] = made.at[i];
        }
        return;
    }
    block<T> made = block<T>();
    i64 number = -1;
#pragma unroll
    for (int e = 0; e < N; e++) {
        const u64 index = (u64)(first + e * step);
        if ((i64)(index / size) != number)
            made = block_apart<T, KIND>((i64)(index / size), seed, stream);
        number = (i64)(index / size);
        T x = made.at[0];
#pragma unroll
        for (int i = 1; i < size; i++) x = (int)(index % size) == i ? made.at[i] : x;
        out.at[e] = x;
    }
}

// For a warp whose lanes want neighbours, U times: OUT[u] of lane l is number FIRST + 32 u + l. Of whole
// blocks each lane makes one, and all of them meet in ROOM (the block's; a warp has 32 entries).
template <class KIND, class T, int U, int SIZE>
WF_DEVICE void random_row(pack<T, 1> (&out)[U], i64 first, const round_keys &keys, u64 seed,
                          u64 stream, pack<T, SIZE> *room, int lane)
{
    pack<T, SIZE> *of_warp = room + threadIdx.x / 32 * 32;
    if (first % SIZE != 0) {
#pragma unroll
        for (int u = 0; u < U; u++)
            random_neighbours<KIND>(out[u], first + 32 * u + lane, 1, keys, seed, stream);
        return;
    }
#pragma unroll
    for (int q = 0; q < U / SIZE; q++) {
        block<T> made;
        pack<T, SIZE> mine;
        KIND::make(made, philox((u64)first / SIZE + 32 * q + lane, stream, keys));
#pragma unroll
        for (int i = 0; i < SIZE; i++) mine.at[i] = made.at[i];
        of_warp[lane] = mine;
        __syncwarp();
#pragma unroll
        for (int t = 0; t < SIZE; t++)
            out[q * SIZE + t].at[0] = of_warp[8 * (4 / SIZE) * t + lane / SIZE].at[lane % SIZE];
        __syncwarp();
    }
}

template <class T, int N>
WF_DEVICE void random_uniform(pack<T, N> &out, i64 first, i64 step, const round_keys &keys,
                              u64 seed, u64 stream)
{
    random_neighbours<uniform>(out, first, step, keys, seed, stream);
}
template <class T, int N>
WF_DEVICE void random_normal(pack<T, N> &out, i64 first, i64 step, const round_keys &keys, u64 seed,
                             u64 stream)
{
    random_neighbours<normal>(out, first, step, keys, seed, stream);
}

// Lemire (2019): the high half of bits * span, rejecting the few low halves that would make some
// results likelier; what is rejected is drawn again from other counters.
RANDOM_CALL u64 drawn_again(u64 index, u64 seed, u64 stream, u64 span, u64 surplus)
{
    for (u32 k = 1;; k++) {
        const round_keys keys = keys_of((u32)seed ^ 0x52455452u, (u32)(seed >> 32) + k);
        const u64 x = bits64(philox(index, stream, keys), 0);
        if (x * span >= surplus) return x;
    }
}

template <int N>
WF_DEVICE void random_integers(pack<i64, N> &out, i64 first, i64 step, const round_keys &keys,
                               u64 seed, u64 stream, u64 low, u64 span)
{
    const u64 surplus = span ? (0 - span) % span : 0;
#pragma unroll
    for (int e = 0; e < N; e++) {
        const u64 index = (u64)(first + e * step);
        u64 x = bits64(philox(index / 2, stream, keys), (int)(index % 2));
        if (x * span < surplus) x = drawn_again(index, seed, stream, span, surplus);
        out.at[e] = (i64)(low + (span ? __umul64hi(x, span) : x));
    }
}

#endif
