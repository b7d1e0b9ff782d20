// SPDX-License-Identifier: Apache-2.0
// complex - every elementwise operation on complex numbers, named complex_<operation> after op.def.
// Sums, products and quotients have the bits of kernels/cpu/map_complex.inc. The others follow
// C99's annex G at infinities, zeros and NaN, and keep both parts accurate: the inverse functions
// after Hull, Fairgrieve and Tang (1997), the logarithm with |z|^2 - 1 in twice the precision where
// |z| is near 1.
#ifndef WF_CUDA_COMPLEX_CUH
#define WF_CUDA_COMPLEX_CUH

#include "float.cuh"

// What a real type is made of: its distance from 1 to the next number, its smallest normal number,
// the logarithm of its largest.
template <class R> WF_DEVICE R epsilon() { return sizeof(R) == 4 ? (R)0x1p-23 : (R)0x1p-52; }
template <class R> WF_DEVICE R smallest()
{
    if constexpr (sizeof(R) == 4) return 0x1p-126f;
    else return 0x1p-1022;
}
template <class R> WF_DEVICE R largest()
{
    if constexpr (sizeof(R) == 4) return 0x1.fffffep127f;
    else return 0x1.fffffffffffffp1023;
}
// Half its square root, a power of two.
template <class R> WF_DEVICE R root_of_largest()
{
    if constexpr (sizeof(R) == 4) return 0x1p63f;
    else return 0x1p511;
}
template <class R> WF_DEVICE R ln2() { return (R)0.69314718055994530942; }
template <class R> WF_DEVICE R half_pi() { return (R)1.57079632679489661923; }
template <class R> WF_DEVICE b8 is_nan(R x) { return x != x; }
template <class R> WF_DEVICE b8 is_infinite(R x) { return c_fabs(x) == float_infinity<R>(); }
template <class R> WF_DEVICE b8 is_finite(R x) { return c_fabs(x) < float_infinity<R>(); }
template <class R> WF_DEVICE b8 sign_of(R x) { return float_signbit(x); }
template <class R> WF_DEVICE complex<R> swapped(complex<R> a) { return make_complex(a.im, a.re); }
template <class R> WF_DEVICE complex<R> both_nan()
{
    return make_complex(float_nan<R>(), float_nan<R>());
}

template <class R> WF_DEVICE complex<R> complex_add(complex<R> a, complex<R> b)
{
    return make_complex(a.re + b.re, a.im + b.im);
}
template <class R> WF_DEVICE complex<R> complex_subtract(complex<R> a, complex<R> b)
{
    return make_complex(a.re - b.re, a.im - b.im);
}
template <class R> WF_DEVICE complex<R> complex_multiply(complex<R> a, complex<R> b)
{
    return make_complex(a.re * b.re + a.im * -b.im, a.re * b.im + a.im * b.re);
}

// Smith's division: scaled by the larger part of B, so that squares neither overflow nor vanish.
template <class R> WF_DEVICE complex<R> complex_divide(complex<R> a, complex<R> b)
{
    const b8 swap = c_fabs(b.re) < c_fabs(b.im);
    const R large = swap ? b.im : b.re, small = swap ? b.re : b.im;
    const R ratio = large == 0 ? large : small / large;
    const R d = large + small * ratio;
    const R re = swap ? a.re * ratio + a.im : a.re + a.im * ratio;
    const R im = swap ? a.im * ratio + -a.re : a.im + -a.re * ratio;
    return make_complex(re / d, im / d);
}

template <class R> WF_DEVICE b8 complex_equal(complex<R> a, complex<R> b)
{
    return a.re == b.re && a.im == b.im;
}
template <class R> WF_DEVICE b8 complex_not_equal(complex<R> a, complex<R> b)
{
    return a.re != b.re || a.im != b.im;
}
template <class R> WF_DEVICE R complex_abs(complex<R> a) { return c_hypot(a.re, a.im); }
template <class R> WF_DEVICE complex<R> complex_negative(complex<R> a)
{
    return make_complex(-a.re, -a.im);
}
template <class R> WF_DEVICE complex<R> complex_positive(complex<R> a) { return a; }
template <class R> WF_DEVICE complex<R> complex_conj(complex<R> a)
{
    return make_complex(a.re, -a.im);
}
template <class R> WF_DEVICE R complex_real(complex<R> a) { return a.re; }
template <class R> WF_DEVICE R complex_imag(complex<R> a) { return a.im; }
template <class R> WF_DEVICE complex<R> complex_square(complex<R> a)
{
    return complex_multiply(a, a);
}
template <class R> WF_DEVICE complex<R> complex_reciprocal(complex<R> a)
{
    return complex_divide(make_complex((R)1, (R)0), a);
}
template <class R> WF_DEVICE complex<R> complex_round(complex<R> a)
{
    return make_complex(c_rint(a.re), c_rint(a.im));
}
template <class R> WF_DEVICE b8 complex_isnan(complex<R> a) { return is_nan(a.re) || is_nan(a.im); }
template <class R> WF_DEVICE b8 complex_isinf(complex<R> a)
{
    return is_infinite(a.re) || is_infinite(a.im);
}
template <class R> WF_DEVICE b8 complex_isfinite(complex<R> a)
{
    return is_finite(a.re) && is_finite(a.im);
}

// a / |a|; 0 for 0, NaN for NaN and for two infinite parts.
template <class R> WF_DEVICE complex<R> complex_sign(complex<R> a)
{
    const b8 far_re = is_infinite(a.re), far_im = is_infinite(a.im);
    if (far_re && far_im) return both_nan<R>();
    if (far_re || far_im)
        a = make_complex(far_re ? c_copysign((R)1, a.re) : a.re * 0,
                         far_im ? c_copysign((R)1, a.im) : a.im * 0);
    // Halved where the modulus might not be finite.
    const R scale = c_fabs(a.re) > 1 || c_fabs(a.im) > 1 ? (R)0.5 : (R)1;
    const R r = c_hypot(a.re * scale, a.im * scale);
    return r == 0 ? make_complex((R)0, (R)0) : make_complex(a.re * scale / r, a.im * scale / r);
}

template <class R> WF_DEVICE complex<R> complex_sqrt(complex<R> a)
{
    R x = a.re, y = a.im, after = 1;
    if (x == 0 && y == 0) return make_complex((R)0, y);
    if (is_infinite(y)) return make_complex(float_infinity<R>(), y);
    if (is_nan(x)) return both_nan<R>();
    if (is_infinite(x))
        return x < 0 ? make_complex(c_fabs(y - y), c_copysign(x, y))
                     : make_complex(x, c_copysign(y - y, y));
    if (c_fabs(x) > largest<R>() / 4 || c_fabs(y) > largest<R>() / 4)
        x *= (R)0.25, y *= (R)0.25, after = 2;
    else if (c_fabs(x) < 4 * smallest<R>() && c_fabs(y) < 4 * smallest<R>())
        x *= 0x1p54f, y *= 0x1p54f, after = 0x1p-27f;
    const R t = c_sqrt((c_fabs(x) + c_hypot(x, y)) * (R)0.5), other = c_fabs(y) / (2 * t);
    return x >= 0 ? make_complex(t * after, c_copysign(other, y) * after)
                  : make_complex(other * after, c_copysign(t, y) * after);
}

// factor * exp(x) * (cosine, sine), where exp(x) alone may overflow.
template <class R> WF_DEVICE complex<R> scaled_exp(R x, R cosine, R sine, R factor)
{
    const R step = sizeof(R) == 4 ? (R)88 : (R)709;
#pragma unroll
    for (int i = 0; i < 2; i++)
        if (x > step) {
            x -= step;
            cosine *= c_exp(step);
            sine *= c_exp(step);
        }
    const R e = c_exp(x) * factor;
    return make_complex(e * cosine, e * sine);
}

template <class R> WF_DEVICE complex<R> complex_exp(complex<R> a)
{
    if (a.im == 0) return make_complex(c_exp(a.re), a.im);
    if (!is_finite(a.im)) {
        if (a.re == -float_infinity<R>()) return make_complex((R)0, c_copysign((R)0, a.im));
        return make_complex(is_infinite(a.re) ? a.re : float_nan<R>(), float_nan<R>());
    }
    return scaled_exp(a.re, c_cos(a.im), c_sin(a.im), (R)1);
}

// exp(z) - 1 without cancellation: expm1(x) cos(y) - 2 sin(y/2)^2 + i exp(x) sin(y).
template <class R> WF_DEVICE complex<R> complex_expm1(complex<R> a)
{
    if (a.im == 0) return make_complex(c_expm1(a.re), a.im);
    const R s = c_sin(a.im / 2);
    return make_complex(c_expm1(a.re) * c_cos(a.im) - 2 * s * s, c_exp(a.re) * c_sin(a.im));
}

// X^2 + Y^2 - 1 around the unit circle: five numbers that cancel, summed in three times the
// precision (Ogita, Rump and Oishi, 2005).
template <class R> WF_DEVICE R squares_less_one(R x, R y)
{
    const R xx = x * x, yy = y * y;
    R p[5] = { c_fma(x, x, -xx), c_fma(y, y, -yy), yy, xx, -1 };
#pragma unroll
    for (int pass = 0; pass < 2; pass++)
#pragma unroll
        for (int i = 1; i < 5; i++) {
            const R sum = p[i] + p[i - 1], part = sum - p[i];
            p[i - 1] = (p[i] - (sum - part)) + (p[i - 1] - part);
            p[i] = sum;
        }
    return p[4] + (((p[0] + p[1]) + p[2]) + p[3]);
}

// ln |x + iy|, X >= Y >= 0.
template <class R> WF_DEVICE R log_of_modulus(R x, R y)
{
    if (x > largest<R>() / 4) return c_log(c_hypot(x * (R)0.25, y * (R)0.25)) + 2 * ln2<R>();
    if (x < smallest<R>() / epsilon<R>())
        return c_log(c_hypot(x * 0x1p54f, y * 0x1p54f)) - 54 * ln2<R>();
    if (x > (R)0.5 && x < 2 && x * x + y * y > (R)0.5 && x * x + y * y < 3)
        return c_log1p(squares_less_one(x, y)) / 2;
    return c_log(c_hypot(x, y));
}

template <class R> WF_DEVICE complex<R> complex_log(complex<R> a)
{
    const R x = c_fabs(a.re), y = c_fabs(a.im), angle = c_atan2(a.im, a.re);
    if (is_infinite(x) || is_infinite(y)) return make_complex(float_infinity<R>(), angle);
    if (is_nan(x) || is_nan(y)) return both_nan<R>();
    if (x == 0 && y == 0) return make_complex(-float_infinity<R>(), angle);
    return make_complex(x >= y ? log_of_modulus(x, y) : log_of_modulus(y, x), angle);
}
template <class R> WF_DEVICE complex<R> scaled_log(complex<R> a, R scale)
{
    const complex<R> l = complex_log(a);
    return make_complex(l.re * scale, l.im * scale);
}
template <class R> WF_DEVICE complex<R> complex_log2(complex<R> a)
{
    return scaled_log(a, (R)1.4426950408889634);
}
template <class R> WF_DEVICE complex<R> complex_log10(complex<R> a)
{
    return scaled_log(a, (R)0.43429448190325183);
}

// Near zero the modulus is 1 + (x(2 + x) + y^2), whose logarithm must not lose what is beyond the
// 1.
template <class R> WF_DEVICE complex<R> complex_log1p(complex<R> a)
{
    const R angle = c_atan2(a.im, a.re + 1);
    if (c_fabs(a.re) <= (R)0.5 && c_fabs(a.im) <= (R)0.5)
        return make_complex(c_log1p(c_fma(a.re, 2 + a.re, a.im * a.im)) / 2, angle);
    const complex<R> l = complex_log(make_complex(a.re + 1, a.im));
    return make_complex(l.re, is_nan(a.re) ? l.im : angle);
}

// 1 or 0 with the sign of X: what is left of an infinity among finite numbers; and of NaN, 0.
template <class R> WF_DEVICE R boxed(R x) { return c_copysign(is_infinite(x) ? (R)1 : (R)0, x); }
template <class R> WF_DEVICE complex<R> boxed(complex<R> a)
{
    return make_complex(boxed(a.re), boxed(a.im));
}
template <class R> WF_DEVICE complex<R> without_nan(complex<R> a)
{
    return make_complex(is_nan(a.re) ? c_copysign((R)0, a.re) : a.re,
                        is_nan(a.im) ? c_copysign((R)0, a.im) : a.im);
}

// The product as C's annex G has it: an infinite operand, or an overflow, is not lost in a NaN.
template <class R> WF_DEVICE complex<R> infinite_product(complex<R> a, complex<R> b)
{
    const complex<R> plain = complex_multiply(a, b);
    if (!is_nan(plain.re) || !is_nan(plain.im)) return plain;
    const b8 far_a = complex_isinf(a), far_b = complex_isinf(b);
    const b8 over = is_infinite(a.re * b.re) || is_infinite(a.im * b.im) ||
                    is_infinite(a.re * b.im) || is_infinite(a.im * b.re);
    if (far_a) a = boxed(a), b = without_nan(b);
    if (far_b) b = boxed(b), a = without_nan(a);
    if (!far_a && !far_b && over) a = without_nan(a), b = without_nan(b);
    if (!far_a && !far_b && !over) return plain;
    const R inf = float_infinity<R>();
    return make_complex(inf * (a.re * b.re - a.im * b.im), inf * (a.re * b.im + a.im * b.re));
}

// Small whole powers by multiplication, which keeps them exact where they can be; the rest by exp
// and log.
template <class R> WF_DEVICE complex<R> complex_pow(complex<R> a, complex<R> b)
{
    if (b.re == 0 && b.im == 0) return make_complex((R)1, (R)0);
    if (a.re == 0 && a.im == 0) return b.re > 0 ? make_complex((R)0, (R)0) : both_nan<R>();
    const int n = b.im == 0 && c_fabs(b.re) < 100 ? (int)b.re : 0;
    if (n == 0 || (R)n != b.re) return complex_exp(infinite_product(b, complex_log(a)));
    complex<R> result = a, base = a;
    b8 started = false;
    for (int e = n < 0 ? -n : n; e; e >>= 1) {
        if (e & 1) result = started ? complex_multiply(result, base) : base;
        started = started || (e & 1);
        base = complex_multiply(base, base);
    }
    return n < 0 ? complex_reciprocal(result) : result;
}

template <class R> WF_DEVICE complex<R> complex_sinh(complex<R> a)
{
    const R x = a.re, y = a.im, bound = sizeof(R) == 4 ? (R)80 : (R)700;
    if (y == 0) return make_complex(c_sinh(x), y);
    if (!is_finite(y))
        return make_complex(is_infinite(x) ? c_fabs(x)
                            : x == 0       ? x
                                           : float_nan<R>(),
                            float_nan<R>());
    const R cosine = c_cos(y), sine = c_sin(y);
    if (c_fabs(x) <= bound || !is_finite(x))
        return make_complex(x == 0 ? c_copysign((R)0, x * cosine) : c_sinh(x) * cosine,
                            c_cosh(x) * sine);
    const complex<R> e = scaled_exp(c_fabs(x), cosine, sine, (R)0.5);
    return make_complex(c_copysign((R)1, x) * e.re, e.im);
}

template <class R> WF_DEVICE complex<R> complex_cosh(complex<R> a)
{
    const R x = a.re, y = a.im, bound = sizeof(R) == 4 ? (R)80 : (R)700;
    if (y == 0) return make_complex(c_cosh(x), is_nan(x) ? y : c_copysign((R)0, x) * y);
    if (!is_finite(y))
        return make_complex(is_infinite(x) ? c_fabs(x) : float_nan<R>(),
                            x == 0 ? (R)0 : float_nan<R>());
    const R cosine = c_cos(y), sine = c_sin(y);
    if (x == 0) return make_complex(cosine, x * sine);
    if (c_fabs(x) <= bound || !is_finite(x))
        return make_complex(c_cosh(x) * cosine, c_sinh(x) * sine);
    const complex<R> e = scaled_exp(c_fabs(x), cosine, sine, (R)0.5);
    return make_complex(e.re, c_copysign((R)1, x) * e.im);
}

// Kahan (1987): with t = tan y and s = sinh x nothing cancels.
template <class R> WF_DEVICE complex<R> complex_tanh(complex<R> a)
{
    const R x = a.re, y = a.im, bound = sizeof(R) == 4 ? (R)11 : (R)22;
    if (is_nan(x)) return make_complex(x, y == 0 ? y : float_nan<R>());
    if (is_infinite(x))
        return make_complex(c_copysign((R)1, x),
                            c_copysign((R)0, is_finite(y) ? c_sin(y) * c_cos(y) : y));
    if (!is_finite(y)) return make_complex(x == 0 ? x : float_nan<R>(), float_nan<R>());
    if (c_fabs(x) >= bound) {
        const R e = c_exp(-c_fabs(x));
        return make_complex(c_copysign((R)1, x), 4 * c_sin(y) * c_cos(y) * e * e);
    }
    const R t = c_tan(y), beta = 1 + t * t, s = c_sinh(x), rho = c_sqrt(1 + s * s);
    if (is_infinite(t)) return make_complex(rho / s, 1 / t);
    const R d = 1 + beta * s * s;
    return make_complex(beta * rho * s / d, t / d);
}

template <class R> WF_DEVICE complex<R> complex_sin(complex<R> a)
{
    return swapped(complex_sinh(swapped(a)));
}
template <class R> WF_DEVICE complex<R> complex_cos(complex<R> a)
{
    return complex_cosh(make_complex(-a.im, a.re));
}
template <class R> WF_DEVICE complex<R> complex_tan(complex<R> a)
{
    return swapped(complex_tanh(swapped(a)));
}

// (|(A, B)| - B) / 2 without cancellation, H the modulus.
template <class R> WF_DEVICE R half_excess(R a, R b, R h)
{
    return b < 0 ? (h - b) / 2 : b == 0 ? a / 2 : a * a / (h + b) / 2;
}

// For X, Y >= 0, not huge: the real part of asinh(x + iy), and the two sides of its angle: asin(B)
// where B >= 0, else atan2(up, along).
template <class R> struct ellipse {
    R real, b, up, along;
};

template <class R> WF_DEVICE R real_of_asinh(R x, R y, R r, R s, R a)
{
    const R eps = epsilon<R>();
    if (a >= 10) return c_log(a + c_sqrt(a * a - 1));
    if (y == 1 && x < eps * eps / 128) return c_sqrt(x);
    if (x >= eps * c_fabs(y - 1)) {
        const R less_one = half_excess(x, 1 + y, r) + half_excess(x, 1 - y, s);
        return c_log1p(less_one + c_sqrt(less_one * (a + 1)));
    }
    if (y < 1) return x / c_sqrt((1 - y) * (1 + y));
    return c_log1p((y - 1) + c_sqrt((y - 1) * (y + 1)));
}

template <class R> WF_DEVICE ellipse<R> ellipse_through(R x, R y)
{
    const R eps = epsilon<R>(), r = c_hypot(x, y + 1), s = c_hypot(x, y - 1);
    const R half = (r + s) / 2, a = half < 1 ? 1 : half;
    ellipse<R> e;
    e.real = real_of_asinh(x, y, r, s, a);
    e.b = -1;
    e.up = y;
    e.along = 0;
    if (y < 4 * smallest<R>() / eps) {  // the angle is tiny: scaled, so that it is not lost
        e.along = a * (2 / eps);
        e.up = y * (2 / eps);
    } else if (y / a <= (R)0.6417) {
        e.b = y / a;
    } else if (y == 1 && x < eps / 128) {
        e.along = c_sqrt(x) * c_sqrt((a + y) / 2);
    } else if (x >= eps * c_fabs(y - 1)) {
        e.along = c_sqrt((half_excess(x, y + 1, r) + half_excess(x, y - 1, s)) * (a + y));
    } else if (y > 1) {
        e.along = x * (4 / eps / eps) * y / c_sqrt((y + 1) * (y - 1));
        e.up = y * (4 / eps / eps);
    } else {
        e.along = c_sqrt((1 - y) * (1 + y));
    }
    return e;
}

template <class R> WF_DEVICE complex<R> complex_asinh(complex<R> a)
{
    const R x = a.re, y = a.im, ax = c_fabs(x), ay = c_fabs(y), eps = epsilon<R>();
    if (is_nan(x) || is_nan(y)) {
        if (is_infinite(x)) return make_complex(x, y);
        if (is_infinite(y)) return make_complex(c_fabs(y), x);
        return y == 0 ? make_complex(x, y) : both_nan<R>();
    }
    if (ax > 1 / eps || ay > 1 / eps) {
        const complex<R> l = complex_log(make_complex(ax, ay));
        return make_complex(c_copysign(l.re + ln2<R>(), x), c_copysign(l.im, y));
    }
    if (ax < eps && ay < eps) return a;
    const ellipse<R> e = ellipse_through(ax, ay);
    const R angle = e.b >= 0 ? c_asin(e.b) : c_atan2(e.up, e.along);
    return make_complex(c_copysign(e.real, x), c_copysign(angle, y));
}

template <class R> WF_DEVICE complex<R> complex_asin(complex<R> a)
{
    return swapped(complex_asinh(swapped(a)));
}

template <class R> WF_DEVICE complex<R> complex_acos(complex<R> a)
{
    const R x = a.re, y = a.im, ax = c_fabs(x), ay = c_fabs(y), eps = epsilon<R>();
    if (is_nan(x) || is_nan(y)) {
        if (is_infinite(x)) return make_complex(y, -float_infinity<R>());
        if (is_infinite(y)) return make_complex(x, -y);
        return x == 0 ? make_complex(half_pi<R>(), y) : both_nan<R>();
    }
    if (ax > 1 / eps || ay > 1 / eps) {
        const complex<R> l = complex_log(a);
        const R im = l.re + ln2<R>();
        return make_complex(c_fabs(l.im), sign_of(y) ? im : -im);
    }
    if (x == 1 && y == 0) return make_complex((R)0, -y);
    if (ax < eps / 4 && ay < eps / 4) return make_complex(half_pi<R>() - x, -y);
    const ellipse<R> e = ellipse_through(ay, ax);
    const R angle =
        e.b >= 0 ? c_acos(sign_of(x) ? -e.b : e.b) : c_atan2(e.along, sign_of(x) ? -e.up : e.up);
    return make_complex(angle, sign_of(y) ? e.real : -e.real);
}

template <class R> WF_DEVICE complex<R> complex_acosh(complex<R> a)
{
    const complex<R> w = complex_acos(a);
    if (is_nan(w.re) && is_nan(w.im)) return w;
    if (is_nan(w.re)) return make_complex(c_fabs(w.im), w.re);
    if (is_nan(w.im)) return make_complex(w.im, c_copysign(w.re, a.im));
    return make_complex(c_fabs(w.im), c_copysign(w.re, a.im));
}

// x / (x^2 + y^2) for large parts.
template <class R> WF_DEVICE R real_of_reciprocal(R x, R y)
{
    if (is_infinite(x) || is_infinite(y)) return c_copysign((R)0, x);
    if (c_fabs(x) >= c_fabs(y)) return 1 / (x + y / x * y);
    return x / y / (y + x / y * x);
}

template <class R> WF_DEVICE complex<R> complex_atanh(complex<R> a)
{
    const R x = a.re, y = a.im, ax = c_fabs(x), ay = c_fabs(y), eps = epsilon<R>();
    if (y == 0 && ax <= 1) return make_complex(c_atanh(x), y);
    if (x == 0) return make_complex(x, c_atan(y));
    if (is_nan(x) || is_nan(y)) {
        if (is_infinite(x)) return make_complex(c_copysign((R)0, x), y);
        if (is_infinite(y)) return make_complex(c_copysign((R)0, x), c_copysign(half_pi<R>(), y));
        return both_nan<R>();
    }
    if (ax > 1 / eps || ay > 1 / eps)
        return make_complex(real_of_reciprocal(x, y), c_copysign(half_pi<R>(), y));
    if (ax < eps && ay < eps) return a;
    const R off = ax - 1, yy = ay < smallest<R>() * root_of_largest<R>() ? (R)0 : ay * ay;
    const R re =
        ax == 1 && ay < eps ? (ln2<R>() - c_log(ay)) / 2 : c_log1p(4 * ax / (off * off + yy)) / 4;
    const R along = ax == 1 ? -ay : (1 - ax) * (1 + ax) - (ay < eps ? (R)0 : ay * ay);
    const R im = c_atan2(ax == 1 ? (R)2 : 2 * ay, along) / 2;
    return make_complex(c_copysign(re, x), c_copysign(im, y));
}

template <class R> WF_DEVICE complex<R> complex_atan(complex<R> a)
{
    return swapped(complex_atanh(swapped(a)));
}

#endif
