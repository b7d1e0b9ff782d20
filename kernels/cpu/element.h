// SPDX-License-Identifier: Apache-2.0
// element - the element types that have no C type of their own: complex pairs and 16-bit floats,
// with their conversions. Everything is branch free, so that loops over it vectorise.
#ifndef WF_CPU_ELEMENT_H
#define WF_CPU_ELEMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct c64 {
    float re, im;
} c64;

typedef struct c128 {
    double re, im;
} c128;

static inline uint32_t bits_of_f32(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float f32_of_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline uint64_t bits_of_f64(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline double f64_of_bits(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

// -x by its sign bit. In a*b - c*d beside a*d + b*c, as complex products are, gcc 12 sees its
// fmaddsub pattern and fuses even under -ffp-contract=off, so that tables differ in the last bit;
// with sums only it does not.
static inline float flipped_f32(float x) { return f32_of_bits(bits_of_f32(x) ^ 0x80000000); }
static inline double flipped_f64(double x)
{
    return f64_of_bits(bits_of_f64(x) ^ 0x8000000000000000);
}

static inline c64 times_c64(c64 a, c64 b)
{
    return (c64){ a.re * b.re + a.im * flipped_f32(b.im), a.re * b.im + a.im * b.re };
}
static inline c128 times_c128(c128 a, c128 b)
{
    return (c128){ a.re * b.re + a.im * flipped_f64(b.im), a.re * b.im + a.im * b.re };
}

// Nearest float16, ties to even. A NaN stays a NaN: quiet, with the upper bits of its payload, as
// F16C does it.
static inline uint16_t f16_of_f32(float x)
{
    const uint32_t u = bits_of_f32(x), a = u & 0x7fffffff;
    const uint32_t normal = (a - 0x38000000 + 0xfff + ((a >> 13) & 1)) >> 13;
    // Below 2^-14 the spacing is 2^-24, which is the spacing of float32 just above 0.5: let the
    // adder round.
    const uint32_t small = bits_of_f32(f32_of_bits(a < 0x38800000 ? a : 0) + 0.5f) - 0x3f000000;
    const uint32_t nan = 0x7e00 | ((a >> 13) & 0x3ff);
    uint32_t h = a < 0x38800000 ? small : normal;
    h = a >= 0x47800000 ? 0x7c00 : h;
    h = a > 0x7f800000 ? nan : h;
    return (uint16_t)(h | ((u >> 16) & 0x8000));
}

static inline float f32_of_f16(uint16_t h)
{
    const uint32_t a = (uint32_t)(h & 0x7fff) << 13, exponent = h & 0x7c00;
    const uint32_t normal = a + 0x38000000;
    const uint32_t small =
        bits_of_f32(f32_of_bits((exponent ? 0 : a) + 0x38800000) - f32_of_bits(0x38800000));
    const uint32_t special = (a + 0x70000000) | ((h & 0x3ff) ? 0x400000 : 0);
    uint32_t u = exponent ? normal : small;
    u = exponent == 0x7c00 ? special : u;
    return f32_of_bits(u | (uint32_t)(h & 0x8000) << 16);
}

// Nearest bfloat16, ties to even; NaN as above.
static inline uint16_t bf16_of_f32(float x)
{
    const uint32_t u = bits_of_f32(x);
    const uint32_t rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    const uint32_t nan = (u >> 16) | 0x40;
    return (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

static inline float f32_of_bf16(uint16_t h) { return f32_of_bits((uint32_t)h << 16); }

// Rounds to odd, that is toward zero with the last bit set when anything was lost; a second
// rounding to a shorter format then gives what one rounding would have given.
static inline float f32_odd_of_f64(double x)
{
    const float f = (float)x;
    const uint32_t u = bits_of_f32(f);
    const double back = (double)f;
    const uint32_t above = __builtin_fabs(back) > __builtin_fabs(x);
    const uint32_t odd = (u - above) | 1;
    // NaN compares unequal to itself; an infinite x is exact; a finite x beyond float32 becomes the
    // largest float32, odd.
    return x != x || back == x ? f : f32_of_bits(odd);
}

// 53 bits at most, the last one sticky.
static inline double f64_odd_of_u64(uint64_t u)
{
    const uint64_t sticky = (u & ~(uint64_t)2047) | ((u & 2047) ? 2048 : 0);
    return (double)(u >> 53 ? sticky : u);
}

static inline double f64_odd_of_i64(int64_t i)
{
    const double magnitude = f64_odd_of_u64(i < 0 ? 0 - (uint64_t)i : (uint64_t)i);
    return i < 0 ? -magnitude : magnitude;
}

static inline uint16_t f16_of_f64(double x) { return f16_of_f32(f32_odd_of_f64(x)); }
static inline uint16_t bf16_of_f64(double x) { return bf16_of_f32(f32_odd_of_f64(x)); }

// Float to integer. C leaves values out of range undefined; these are defined, the same everywhere,
// and agree with what NumPy gives on x86: the value is truncated to int32 (targets up to 32 bits
// signed) or int64, out of range and NaN give the smallest of these, and the result is cut to the
// target's bits.
static inline int32_t i32_of_f64(double x)
{
    return x > -2147483649.0 && x < 2147483648.0 ? (int32_t)x : INT32_MIN;
}
static inline int32_t i32_of_f32(float x)
{
    return x >= -2147483648.0f && x < 2147483648.0f ? (int32_t)x : INT32_MIN;
}
static inline int64_t i64_of_f64(double x)
{
    return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN;
}
static inline int64_t i64_of_f32(float x)
{
    return x >= -0x1p63f && x < 0x1p63f ? (int64_t)x : INT64_MIN;
}
static inline uint64_t u64_of_f64(double x)
{
    return x >= 0x1p63 && x < 0x1p64 ? (uint64_t)(int64_t)(x - 0x1p63) + ((uint64_t)1 << 63)
                                     : (uint64_t)i64_of_f64(x);
}
static inline uint64_t u64_of_f32(float x) { return u64_of_f64((double)x); }

#endif
