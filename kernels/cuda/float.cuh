// SPDX-License-Identifier: Apache-2.0
// float - every elementwise operation on float32 and float64, named float_<operation> after op.def.
// What IEEE 754 rounds correctly has the bits of kernels/cpu/map_float.inc; transcendental
// functions are CUDA's own (its manual states 1 to 4 ulp for most).
#ifndef WF_CUDA_FLOAT_CUH
#define WF_CUDA_FLOAT_CUH

#include "element.cuh"

// CUDA's functions have C's names: one overload for each type.
#define FLOAT_FUNCTION(name)                             \
    WF_DEVICE f32 c_##name(f32 x) { return name##f(x); } \
    WF_DEVICE f64 c_##name(f64 x) { return name(x); }
#define FLOAT_FUNCTION_OF_TWO(name)                                \
    WF_DEVICE f32 c_##name(f32 x, f32 y) { return name##f(x, y); } \
    WF_DEVICE f64 c_##name(f64 x, f64 y) { return name(x, y); }

FLOAT_FUNCTION(fabs)
FLOAT_FUNCTION(floor)
FLOAT_FUNCTION(ceil)
FLOAT_FUNCTION(trunc)
FLOAT_FUNCTION(rint)
FLOAT_FUNCTION(exp)
FLOAT_FUNCTION(exp2)
FLOAT_FUNCTION(expm1)
FLOAT_FUNCTION(log)
FLOAT_FUNCTION(log2)
FLOAT_FUNCTION(log10)
FLOAT_FUNCTION(log1p)
FLOAT_FUNCTION(sin)
FLOAT_FUNCTION(cos)
FLOAT_FUNCTION(tan)
FLOAT_FUNCTION(asin)
FLOAT_FUNCTION(acos)
FLOAT_FUNCTION(atan)
FLOAT_FUNCTION(sinh)
FLOAT_FUNCTION(cosh)
FLOAT_FUNCTION(tanh)
FLOAT_FUNCTION(asinh)
FLOAT_FUNCTION(acosh)
FLOAT_FUNCTION(atanh)
FLOAT_FUNCTION(cbrt)
FLOAT_FUNCTION(erf)
FLOAT_FUNCTION(erfc)
FLOAT_FUNCTION(lgamma)
FLOAT_FUNCTION(tgamma)
FLOAT_FUNCTION_OF_TWO(copysign)
FLOAT_FUNCTION_OF_TWO(fmod)
FLOAT_FUNCTION_OF_TWO(atan2)
FLOAT_FUNCTION_OF_TWO(hypot)
FLOAT_FUNCTION_OF_TWO(pow)
#undef FLOAT_FUNCTION
#undef FLOAT_FUNCTION_OF_TWO
WF_DEVICE f32 c_sqrt(f32 x) { return __fsqrt_rn(x); }
WF_DEVICE f64 c_sqrt(f64 x) { return __dsqrt_rn(x); }
WF_DEVICE f32 c_fma(f32 x, f32 y, f32 z) { return __fmaf_rn(x, y, z); }
WF_DEVICE f64 c_fma(f64 x, f64 y, f64 z) { return __fma_rn(x, y, z); }

template <class T> WF_DEVICE T float_infinity()
{
    if constexpr (sizeof(T) == 4) return float_of_bits(0x7f800000u);
    else return float_of_bits(0x7ff0000000000000ull);
}
// The NaN of results: positive, quiet, without payload.
template <class T> WF_DEVICE T float_nan()
{
    if constexpr (sizeof(T) == 4) return float_of_bits(0x7fc00000u);
    else return float_of_bits(0x7ff8000000000000ull);
}

template <class T> WF_DEVICE T float_add(T a, T b) { return a + b; }
template <class T> WF_DEVICE T float_subtract(T a, T b) { return a - b; }
template <class T> WF_DEVICE T float_multiply(T a, T b) { return a * b; }
template <class T> WF_DEVICE T float_divide(T a, T b) { return a / b; }
template <class T> WF_DEVICE T float_fmod(T a, T b) { return c_fmod(a, b); }

// The remainder with the sign of B.
template <class T> WF_DEVICE T float_remainder(T a, T b)
{
    const T m = c_fmod(a, b);
    if (m == 0) return b == 0 ? m : c_copysign((T)0, b);
    return (b < 0) != (m < 0) ? m + b : m;
}

// floor(a / b), exact where rounding a / b would cross an integer.
template <class T> WF_DEVICE T float_floor_divide(T a, T b)
{
    const T plain = a / b;
    if (b == 0) return plain;
    const T m = c_fmod(a, b);
    const T d = (a - m) / b - ((m != 0 && (b < 0) != (m < 0)) ? (T)1 : (T)0);
    const T f = c_floor(d);
    const T nearest = d - f > (T)0.5 ? f + 1 : f;
    return d == 0 ? c_copysign((T)0, plain) : nearest;
}

// A NaN wins in the first two, loses in the others. Of equal zeros the first is taken.
template <class T> WF_DEVICE T float_maximum(T a, T b) { return a >= b || a != a ? a : b; }
template <class T> WF_DEVICE T float_minimum(T a, T b) { return a <= b || a != a ? a : b; }
template <class T> WF_DEVICE T float_fmax(T a, T b) { return a >= b || b != b ? a : b; }
template <class T> WF_DEVICE T float_fmin(T a, T b) { return a <= b || b != b ? a : b; }
template <class T> WF_DEVICE T float_copysign(T a, T b) { return c_copysign(a, b); }

template <class T> WF_DEVICE T float_nextafter(T a, T b)
{
    typedef typename type<T>::bits bits;
    const bits u = bits_of(a);
    const T moved = a == 0 ? c_copysign(float_of_bits((bits)1), b)
                           : float_of_bits((a < b) == (a > 0) ? u + 1 : u - 1);
    if (a != a || b != b) return a + b;
    return a == b ? b : moved;
}

template <class T> WF_DEVICE b8 float_equal(T a, T b) { return a == b; }
template <class T> WF_DEVICE b8 float_not_equal(T a, T b) { return a != b; }
template <class T> WF_DEVICE b8 float_less(T a, T b) { return a < b; }
template <class T> WF_DEVICE b8 float_less_equal(T a, T b) { return a <= b; }
template <class T> WF_DEVICE b8 float_greater(T a, T b) { return a > b; }
template <class T> WF_DEVICE b8 float_greater_equal(T a, T b) { return a >= b; }

template <class T> WF_DEVICE T float_abs(T a) { return c_fabs(a); }
template <class T> WF_DEVICE T float_negative(T a) { return -a; }
template <class T> WF_DEVICE T float_positive(T a) { return a; }
template <class T> WF_DEVICE T float_conj(T a) { return a; }
template <class T> WF_DEVICE T float_real(T a) { return a; }
template <class T> WF_DEVICE T float_imag(T) { return 0; }
template <class T> WF_DEVICE T float_sign(T a) { return a != a ? a : (T)((a > 0) - (a < 0)); }
template <class T> WF_DEVICE T float_square(T a) { return a * a; }
template <class T> WF_DEVICE T float_sqrt(T a) { return c_sqrt(a); }
template <class T> WF_DEVICE T float_reciprocal(T a) { return 1 / a; }
template <class T> WF_DEVICE T float_floor(T a) { return c_floor(a); }
template <class T> WF_DEVICE T float_ceil(T a) { return c_ceil(a); }
template <class T> WF_DEVICE T float_trunc(T a) { return c_trunc(a); }
template <class T> WF_DEVICE T float_round(T a) { return c_rint(a); }
template <class T> WF_DEVICE b8 float_isnan(T a) { return a != a; }
template <class T> WF_DEVICE b8 float_isinf(T a) { return c_fabs(a) == float_infinity<T>(); }
template <class T> WF_DEVICE b8 float_isfinite(T a) { return c_fabs(a) < float_infinity<T>(); }
template <class T> WF_DEVICE b8 float_signbit(T a)
{
    return bits_of(a) >> (8 * sizeof(T) - 1) != 0;
}

template <class T> WF_DEVICE T float_exp(T a) { return c_exp(a); }
template <class T> WF_DEVICE T float_exp2(T a) { return c_exp2(a); }
template <class T> WF_DEVICE T float_expm1(T a) { return c_expm1(a); }
template <class T> WF_DEVICE T float_log(T a) { return c_log(a); }
template <class T> WF_DEVICE T float_log2(T a) { return c_log2(a); }
template <class T> WF_DEVICE T float_log10(T a) { return c_log10(a); }
template <class T> WF_DEVICE T float_log1p(T a) { return c_log1p(a); }
template <class T> WF_DEVICE T float_sin(T a) { return c_sin(a); }
template <class T> WF_DEVICE T float_cos(T a) { return c_cos(a); }
template <class T> WF_DEVICE T float_tan(T a) { return c_tan(a); }
template <class T> WF_DEVICE T float_asin(T a) { return c_asin(a); }
template <class T> WF_DEVICE T float_acos(T a) { return c_acos(a); }
template <class T> WF_DEVICE T float_atan(T a) { return c_atan(a); }
template <class T> WF_DEVICE T float_sinh(T a) { return c_sinh(a); }
template <class T> WF_DEVICE T float_cosh(T a) { return c_cosh(a); }
template <class T> WF_DEVICE T float_tanh(T a) { return c_tanh(a); }
template <class T> WF_DEVICE T float_asinh(T a) { return c_asinh(a); }
template <class T> WF_DEVICE T float_acosh(T a) { return c_acosh(a); }
template <class T> WF_DEVICE T float_atanh(T a) { return c_atanh(a); }
template <class T> WF_DEVICE T float_cbrt(T a) { return c_cbrt(a); }
template <class T> WF_DEVICE T float_erf(T a) { return c_erf(a); }
template <class T> WF_DEVICE T float_erfc(T a) { return c_erfc(a); }
template <class T> WF_DEVICE T float_lgamma(T a) { return c_lgamma(a); }
template <class T> WF_DEVICE T float_tgamma(T a) { return c_tgamma(a); }
template <class T> WF_DEVICE T float_atan2(T a, T b) { return c_atan2(a, b); }
template <class T> WF_DEVICE T float_hypot(T a, T b) { return c_hypot(a, b); }

// Squares, much the commonest power, are a multiplication.
template <class T> WF_DEVICE T float_pow(T a, T b) { return b == 2 ? a * a : c_pow(a, b); }

// Equal infinities have no difference.
template <class T> WF_DEVICE T float_logaddexp(T a, T b)
{
    const T d = a == b ? (T)0 : -c_fabs(a - b);
    return float_maximum(a, b) + c_log1p(c_exp(d));
}

#endif
