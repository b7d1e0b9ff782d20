// SPDX-License-Identifier: Apache-2.0
// element - the element types, how they convert, and how several neighbours travel as one 16-byte
// load or store. The semantics are those of kernels/cpu/element.h and cast.inc, to the bit.
#ifndef WF_CUDA_ELEMENT_CUH
#define WF_CUDA_ELEMENT_CUH

#include "kernel.cuh"

typedef bool b8;  // in memory one byte, 0 or 1
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef float f32;
typedef double f64;

// 16-bit floats live in memory only; what is computed with them is float32.
struct f16 {
    u16 bits;
};
struct bf16 {
    u16 bits;
};

template <class R> struct alignas(2 * sizeof(R)) complex {
    R re, im;
};
typedef complex<f32> c64;
typedef complex<f64> c128;

// What is known about a type: its kind as in types.h (b i u f c; h and g are float16 and bfloat16),
// the type of its parts, and the unsigned type in which its bits are handled and integers wrap (at
// least 32 bits: arithmetic on shorter ones is done in int anyway).
template <char KIND, class PART, class BITS> struct described {
    static const char kind = KIND;
    typedef PART part;
    typedef BITS bits;
};
template <class T> struct type;
template <> struct type<b8> : described<'b', b8, u32> {};
template <> struct type<i8> : described<'i', i8, u32> {};
template <> struct type<i16> : described<'i', i16, u32> {};
template <> struct type<i32> : described<'i', i32, u32> {};
template <> struct type<i64> : described<'i', i64, u64> {};
template <> struct type<u8> : described<'u', u8, u32> {};
template <> struct type<u16> : described<'u', u16, u32> {};
template <> struct type<u32> : described<'u', u32, u32> {};
template <> struct type<u64> : described<'u', u64, u64> {};
template <> struct type<f16> : described<'h', f16, u32> {};
template <> struct type<bf16> : described<'g', bf16, u32> {};
template <> struct type<f32> : described<'f', f32, u32> {};
template <> struct type<f64> : described<'f', f64, u64> {};
template <> struct type<c64> : described<'c', f32, u32> {};
template <> struct type<c128> : described<'c', f64, u64> {};

WF_DEVICE u32 bits_of(f32 x) { return __float_as_uint(x); }
WF_DEVICE u64 bits_of(f64 x) { return (u64)__double_as_longlong(x); }
WF_DEVICE f32 float_of_bits(u32 u) { return __uint_as_float(u); }
WF_DEVICE f64 float_of_bits(u64 u) { return __longlong_as_double((i64)u); }

template <class R> WF_DEVICE complex<R> make_complex(R re, R im)
{
    complex<R> c;
    c.re = re;
    c.im = im;
    return c;
}

// Nearest float16, ties to even; a NaN keeps the upper bits of its payload. Below 2^-14 the spacing
// is that of float32 just above 0.5: there the adder rounds.
WF_DEVICE f16 f16_of_f32(f32 x)
{
    const u32 u = bits_of(x), a = u & 0x7fffffffu;
    const u32 normal = (a - 0x38000000u + 0xfffu + ((a >> 13) & 1)) >> 13;
    const u32 small = bits_of(float_of_bits(a < 0x38800000u ? a : 0u) + 0.5f) - 0x3f000000u;
    const u32 nan = 0x7e00u | ((a >> 13) & 0x3ffu);
    u32 h = a < 0x38800000u ? small : normal;
    h = a >= 0x47800000u ? 0x7c00u : h;
    h = a > 0x7f800000u ? nan : h;
    f16 result;
    result.bits = (u16)(h | ((u >> 16) & 0x8000u));
    return result;
}

WF_DEVICE f32 f32_of_f16(f16 x)
{
    const u32 h = x.bits, a = (h & 0x7fffu) << 13, exponent = h & 0x7c00u;
    const u32 normal = a + 0x38000000u;
    const u32 small =
        bits_of(float_of_bits((exponent ? 0u : a) + 0x38800000u) - float_of_bits(0x38800000u));
    const u32 special = (a + 0x70000000u) | ((h & 0x3ffu) ? 0x400000u : 0u);
    u32 u = exponent ? normal : small;
    u = exponent == 0x7c00u ? special : u;
    return float_of_bits(u | (h & 0x8000u) << 16);
}

WF_DEVICE bf16 bf16_of_f32(f32 x)
{
    const u32 u = bits_of(x);
    const u32 rounded = (u + 0x7fffu + ((u >> 16) & 1)) >> 16, nan = (u >> 16) | 0x40u;
    bf16 result;
    result.bits = (u16)((u & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
    return result;
}

WF_DEVICE f32 f32_of_bf16(bf16 x) { return float_of_bits((u32)x.bits << 16); }

WF_DEVICE f32 round_f16(f32 x) { return f32_of_f16(f16_of_f32(x)); }
WF_DEVICE f32 round_bf16(f32 x) { return f32_of_bf16(bf16_of_f32(x)); }

// Float to integer, as NumPy does it on x86: truncated to int32 (targets up to 32 bits signed) or
// int64; out of range and NaN give the smallest of these; then cut to the target.
WF_DEVICE i32 i32_of_float(f32 x)
{
    return x >= -2147483648.0f && x < 2147483648.0f ? (i32)x : (i32)0x80000000u;
}
WF_DEVICE i32 i32_of_float(f64 x)
{
    return x > -2147483649.0 && x < 2147483648.0 ? (i32)x : (i32)0x80000000u;
}
template <class R> WF_DEVICE i64 i64_of_float(R x)
{
    const R limit = (R)9223372036854775808.0;
    return x >= -limit && x < limit ? (i64)x : (i64)0x8000000000000000ull;
}
WF_DEVICE u64 u64_of_float(f64 x)
{
    const f64 half = 9223372036854775808.0;
    return x >= half && x < 2 * half ? (u64)(i64)(x - half) + 0x8000000000000000ull
                                     : (u64)i64_of_float(x);
}

template <class TO, class R> WF_DEVICE TO integer_of_float(R x)
{
    if constexpr (sizeof(TO) == 8 && type<TO>::kind == 'u') return (TO)u64_of_float((f64)x);
    else if constexpr (sizeof(TO) == 8 || (sizeof(TO) == 4 && type<TO>::kind == 'u'))
        return (TO)i64_of_float(x);
    else return (TO)i32_of_float(x);
}

// A value of any type computed in, as another.
template <class TO, class FROM> WF_DEVICE TO cast(FROM x)
{
    constexpr char from = type<FROM>::kind, to = type<TO>::kind;
    typedef typename type<TO>::part part;
    if constexpr (from == 'c' && to == 'c') return make_complex((part)x.re, (part)x.im);
    else if constexpr (from == 'c' && to == 'b') return (x.re != 0) | (x.im != 0);
    else if constexpr (from == 'c') return cast<TO>(x.re);
    else if constexpr (to == 'c') return make_complex((part)x, (part)0);
    else if constexpr (to == 'b') return x != 0;
    else if constexpr (from == 'f' && to != 'f') return integer_of_float<TO>(x);
    else return (TO)x;
}

// The operation where.
template <class T> WF_DEVICE T pick(b8 mask, T a, T b) { return mask ? a : b; }

// A value as it comes from memory, and as it goes there.
template <class T> WF_DEVICE T value_of(T x) { return x; }
WF_DEVICE f32 value_of(f16 x) { return f32_of_f16(x); }
WF_DEVICE f32 value_of(bf16 x) { return f32_of_bf16(x); }
template <class T, class V> WF_DEVICE T stored_as(V x)
{
    if constexpr (type<T>::kind == 'h') return f16_of_f32(x);
    else if constexpr (type<T>::kind == 'g') return bf16_of_f32(x);
    else return x;
}

// A scalar parameter, as bits (wf_scalar).
struct scalar {
    u64 word[2];
};

template <class T> WF_DEVICE T param(const scalar &s)
{
    typedef typename type<T>::bits bits;
    if constexpr (type<T>::kind == 'f') return float_of_bits((bits)s.word[0]);
    else if constexpr (type<T>::kind == 'b') return (s.word[0] & 255) != 0;
    else if constexpr (type<T>::kind != 'c') return (T)s.word[0];
    else if constexpr (sizeof(T) == 16)
        return make_complex(float_of_bits(s.word[0]), float_of_bits(s.word[1]));
    else return make_complex(float_of_bits((u32)s.word[0]), float_of_bits((u32)(s.word[0] >> 32)));
}

#endif
