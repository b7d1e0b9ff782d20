// SPDX-License-Identifier: Apache-2.0
// integer - every elementwise operation on bool and on integers, named bool_<operation> and
// int_<operation> after op.def. The corners are those of kernels/kernel.h: arithmetic wraps, x / 0
// is 0, nothing traps.
#ifndef WF_CUDA_INTEGER_CUH
#define WF_CUDA_INTEGER_CUH

#include "element.cuh"

WF_DEVICE b8 bool_add(b8 a, b8 b) { return a | b; }
WF_DEVICE b8 bool_multiply(b8 a, b8 b) { return a & b; }
WF_DEVICE b8 bool_maximum(b8 a, b8 b) { return a | b; }
WF_DEVICE b8 bool_minimum(b8 a, b8 b) { return a & b; }
WF_DEVICE b8 bool_fmax(b8 a, b8 b) { return a | b; }
WF_DEVICE b8 bool_fmin(b8 a, b8 b) { return a & b; }
WF_DEVICE b8 bool_equal(b8 a, b8 b) { return a == b; }
WF_DEVICE b8 bool_not_equal(b8 a, b8 b) { return a != b; }
WF_DEVICE b8 bool_less(b8 a, b8 b) { return !a & b; }
WF_DEVICE b8 bool_less_equal(b8 a, b8 b) { return !a | b; }
WF_DEVICE b8 bool_greater(b8 a, b8 b) { return a & !b; }
WF_DEVICE b8 bool_greater_equal(b8 a, b8 b) { return a | !b; }
WF_DEVICE b8 bool_logical_and(b8 a, b8 b) { return a & b; }
WF_DEVICE b8 bool_logical_or(b8 a, b8 b) { return a | b; }
WF_DEVICE b8 bool_logical_xor(b8 a, b8 b) { return a != b; }
WF_DEVICE b8 bool_bitwise_and(b8 a, b8 b) { return a & b; }
WF_DEVICE b8 bool_bitwise_or(b8 a, b8 b) { return a | b; }
WF_DEVICE b8 bool_bitwise_xor(b8 a, b8 b) { return a != b; }
WF_DEVICE b8 bool_logical_not(b8 a) { return !a; }
WF_DEVICE b8 bool_bitwise_invert(b8 a) { return !a; }
WF_DEVICE b8 bool_abs(b8 a) { return a; }
WF_DEVICE b8 bool_conj(b8 a) { return a; }
WF_DEVICE b8 bool_real(b8 a) { return a; }
WF_DEVICE b8 bool_floor(b8 a) { return a; }
WF_DEVICE b8 bool_ceil(b8 a) { return a; }
WF_DEVICE b8 bool_trunc(b8 a) { return a; }
WF_DEVICE b8 bool_round(b8 a) { return a; }
WF_DEVICE b8 bool_imag(b8) { return false; }
WF_DEVICE b8 bool_signbit(b8) { return false; }
WF_DEVICE b8 bool_isnan(b8) { return false; }
WF_DEVICE b8 bool_isinf(b8) { return false; }
WF_DEVICE b8 bool_isfinite(b8) { return true; }

template <class T> WF_DEVICE b8 int_is_negative(T a)
{
    if constexpr (type<T>::kind == 'i') return a < 0;
    else return false;
}

template <class T> WF_DEVICE T int_add(T a, T b)
{
    typedef typename type<T>::bits bits;
    return (T)((bits)a + (bits)b);
}
template <class T> WF_DEVICE T int_subtract(T a, T b)
{
    typedef typename type<T>::bits bits;
    return (T)((bits)a - (bits)b);
}
template <class T> WF_DEVICE T int_multiply(T a, T b)
{
    typedef typename type<T>::bits bits;
    return (T)((bits)a * (bits)b);
}
template <class T> WF_DEVICE T int_negative(T a) { return int_subtract((T)0, a); }

// a / b toward zero.
template <class T> WF_DEVICE T int_divide(T a, T b)
{
    if (b == 0) return 0;
    if constexpr (type<T>::kind == 'i')
        if (b == (T)-1) return int_negative(a);
    return (T)(a / b);
}
template <class T> WF_DEVICE T int_fmod(T a, T b)
{
    return b == 0 ? (T)0 : int_subtract(a, int_multiply(int_divide(a, b), b));
}
template <class T> WF_DEVICE T int_remainder(T a, T b)
{
    const T r = int_fmod(a, b);
    return r != 0 && int_is_negative(r) != int_is_negative(b) ? int_add(r, b) : r;
}
template <class T> WF_DEVICE T int_floor_divide(T a, T b)
{
    const T q = int_divide(a, b), r = int_fmod(a, b);
    return r != 0 && int_is_negative(r) != int_is_negative(b) ? int_subtract(q, (T)1) : q;
}

// A negative exponent gives the reciprocal, truncated.
template <class T> WF_DEVICE T int_pow(T a, T b)
{
    typedef typename type<T>::bits bits;
    if (int_is_negative(b)) return a == 1 ? (T)1 : a == (T)-1 ? (T)(b & 1 ? -1 : 1) : (T)0;
    bits result = 1, base = (bits)a;
    for (bits e = (bits)b; e; e >>= 1) {
        if (e & 1) result *= base;
        base *= base;
    }
    return (T)result;
}

template <class T> WF_DEVICE T int_maximum(T a, T b) { return a > b ? a : b; }
template <class T> WF_DEVICE T int_minimum(T a, T b) { return a < b ? a : b; }
template <class T> WF_DEVICE T int_fmax(T a, T b) { return a > b ? a : b; }
template <class T> WF_DEVICE T int_fmin(T a, T b) { return a < b ? a : b; }
template <class T> WF_DEVICE b8 int_equal(T a, T b) { return a == b; }
template <class T> WF_DEVICE b8 int_not_equal(T a, T b) { return a != b; }
template <class T> WF_DEVICE b8 int_less(T a, T b) { return a < b; }
template <class T> WF_DEVICE b8 int_less_equal(T a, T b) { return a <= b; }
template <class T> WF_DEVICE b8 int_greater(T a, T b) { return a > b; }
template <class T> WF_DEVICE b8 int_greater_equal(T a, T b) { return a >= b; }
template <class T> WF_DEVICE T int_bitwise_and(T a, T b) { return (T)(a & b); }
template <class T> WF_DEVICE T int_bitwise_or(T a, T b) { return (T)(a | b); }
template <class T> WF_DEVICE T int_bitwise_xor(T a, T b) { return (T)(a ^ b); }
template <class T> WF_DEVICE T int_bitwise_invert(T a) { return (T)~a; }

// Shifts by the width or more, negative counts among them, leave nothing but the sign.
template <class T> WF_DEVICE T int_bitwise_left_shift(T a, T b)
{
    typedef typename type<T>::bits bits;
    const bits width = 8 * sizeof(T);
    return (bits)b < width ? (T)((bits)a << (bits)b) : (T)0;
}
template <class T> WF_DEVICE T int_bitwise_right_shift(T a, T b)
{
    typedef typename type<T>::bits bits;
    const bits width = 8 * sizeof(T);
    if ((bits)b < width) return (T)(a >> b);
    return int_is_negative(a) ? (T)-1 : (T)0;
}

template <class T> WF_DEVICE T int_abs(T a) { return int_is_negative(a) ? int_negative(a) : a; }
template <class T> WF_DEVICE T int_sign(T a) { return int_is_negative(a) ? (T)-1 : (T)(a != 0); }
template <class T> WF_DEVICE T int_square(T a) { return int_multiply(a, a); }
template <class T> WF_DEVICE T int_reciprocal(T a)
{
    return a == 1 || (type<T>::kind == 'i' && a == (T)-1) ? a : (T)0;
}
template <class T> WF_DEVICE b8 int_signbit(T a) { return int_is_negative(a); }
template <class T> WF_DEVICE T int_positive(T a) { return a; }
template <class T> WF_DEVICE T int_conj(T a) { return a; }
template <class T> WF_DEVICE T int_real(T a) { return a; }
template <class T> WF_DEVICE T int_imag(T) { return 0; }
template <class T> WF_DEVICE T int_floor(T a) { return a; }
template <class T> WF_DEVICE T int_ceil(T a) { return a; }
template <class T> WF_DEVICE T int_trunc(T a) { return a; }
template <class T> WF_DEVICE T int_round(T a) { return a; }
template <class T> WF_DEVICE b8 int_isnan(T) { return false; }
template <class T> WF_DEVICE b8 int_isinf(T) { return false; }
template <class T> WF_DEVICE b8 int_isfinite(T) { return true; }

#endif
