// SPDX-License-Identifier: Apache-2.0
// map_complex_test - elementwise kernels of complex64 and complex128 against complex long double, in every table.

#include <functional>

#include "kernels/tables.h"

namespace {

using wide = std::complex<long double>;
using Oracle = std::function<wide(wide, wide)>;

// Tolerance in units of the last place of the larger part: errors of a complex number are measured by its modulus.
struct Case {
    int op;
    double tolerance;
    Oracle oracle;
};

const std::vector<Case> &cases() {
    static const std::vector<Case> rows = {
        {WF_OP_ADD, 1, [](wide a, wide b) { return a + b; }},
        {WF_OP_SUBTRACT, 1, [](wide a, wide b) { return a - b; }},
        {WF_OP_MULTIPLY, 2, [](wide a, wide b) { return a * b; }},
        {WF_OP_DIVIDE, 4, [](wide a, wide b) { return a / b; }},
        {WF_OP_POW, 60, [](wide a, wide b) { return std::pow(a, b); }},  // by exp(b log a), for |b log a| up to about 30
        {WF_OP_NEGATIVE, 0, [](wide a, wide) { return -a; }},
        {WF_OP_POSITIVE, 0, [](wide a, wide) { return a; }},
        {WF_OP_SIGN, 2, [](wide a, wide) { return a / std::abs(a); }},
        {WF_OP_SQUARE, 2, [](wide a, wide) { return a * a; }},
        {WF_OP_RECIPROCAL, 4, [](wide a, wide) { return 1.0L / a; }},
        {WF_OP_SQRT, 4, [](wide a, wide) { return std::sqrt(a); }},
        {WF_OP_EXP, 4, [](wide a, wide) { return std::exp(a); }},
        {WF_OP_EXPM1, 4, [](wide a, wide) { return wide(std::expm1(a.real()) * std::cos(a.imag()) - 2 * std::pow(std::sin(a.imag() / 2), 2), std::exp(a.real()) * std::sin(a.imag())); }},
        {WF_OP_LOG, 4, [](wide a, wide) { return std::log(a); }},
        {WF_OP_LOG2, 4, [](wide a, wide) { return std::log(a) / std::log(2.0L); }},
        {WF_OP_LOG10, 4, [](wide a, wide) { return std::log(a) / std::log(10.0L); }},
        {WF_OP_LOG1P, 4, [](wide a, wide) { return wide(std::log1p(a.real() * (2 + a.real()) + a.imag() * a.imag()) / 2, std::atan2(a.imag(), 1 + a.real())); }},
        {WF_OP_SIN, 4, [](wide a, wide) { return std::sin(a); }},
        {WF_OP_COS, 4, [](wide a, wide) { return std::cos(a); }},
        {WF_OP_TAN, 4, [](wide a, wide) { return std::tan(a); }},
        {WF_OP_ASIN, 4, [](wide a, wide) { return std::asin(a); }},
        {WF_OP_ACOS, 4, [](wide a, wide) { return std::acos(a); }},
        {WF_OP_ATAN, 4, [](wide a, wide) { return std::atan(a); }},
        {WF_OP_SINH, 4, [](wide a, wide) { return std::sinh(a); }},
        {WF_OP_COSH, 4, [](wide a, wide) { return std::cosh(a); }},
        {WF_OP_TANH, 4, [](wide a, wide) { return std::tanh(a); }},
        {WF_OP_ASINH, 4, [](wide a, wide) { return std::asinh(a); }},
        {WF_OP_ACOSH, 4, [](wide a, wide) { return std::acosh(a); }},
        {WF_OP_ATANH, 4, [](wide a, wide) { return std::atanh(a); }},
        {WF_OP_ROUND, 0, [](wide a, wide) { return wide(std::nearbyint(a.real()), std::nearbyint(a.imag())); }},
        {WF_OP_CONJ, 0, [](wide a, wide) { return std::conj(a); }},
    };
    return rows;
}

template <class R> class ComplexKernels : public testing::Test {
  protected:
    using T = std::complex<R>;
    static constexpr int kDtype = sizeof(R) == 4 ? WEFT_COMPLEX64 : WEFT_COMPLEX128;

    ComplexKernels() {
        Noise noise;
        const R telling[] = {1, -1, R(0.5), -2, 3, R(-0.25)};
        for (R re : telling)
            for (R im : telling) a.push_back(T(re, im)), b.push_back(T(im, -re));
        while (a.size() < 2048) {
            a.push_back(T(R(noise.between(-4, 4)), R(noise.between(-4, 4))));
            b.push_back(T(R(noise.between(-3, 3)), R(noise.between(-3, 3))));
        }
    }
    template <class S> std::vector<S> run(wf_map_fn *kernel) const {
        std::vector<S> out(a.size());
        for (size_t i = 0; i < a.size(); i += WF_STRIP) {
            const void *in[] = {&a[i], &b[i]};
            kernel(std::min<size_t>(WF_STRIP, a.size() - i), &out[i], in);
        }
        return out;
    }
    std::vector<T> a, b;
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(ComplexKernels, Types);

TYPED_TEST(ComplexKernels, StayWithinTheToleranceOfTheirRow) {
    using R = TypeParam;
    for (const wf_kernel_table *table : all_tables())
        for (const Case &row : cases()) {
            const auto out = this->template run<std::complex<R>>(table->map[row.op][this->kDtype]);
            int failures = 0;
            for (size_t i = 0; i < out.size() && failures < 3; i++) {
                const wide want = row.oracle(wide(this->a[i]), wide(this->b[i]));
                const long double scale = std::fmax(std::fabs(want.real()), std::fabs(want.imag()));
                const long double error = std::fmax(std::fabs(out[i].real() - want.real()), std::fabs(out[i].imag() - want.imag()));
                if (error <= row.tolerance * scale * std::numeric_limits<R>::epsilon()) continue;
                failures++;
                ADD_FAILURE() << table->name << " " << op_name(row.op) << "(" << this->a[i] << ", " << this->b[i] << ") gave " << out[i]
                              << ", want " << want;
            }
        }
}

TYPED_TEST(ComplexKernels, GiveRealPartsModulusAndTests) {
    using R = TypeParam;
    for (const wf_kernel_table *table : all_tables()) {
        const auto re = this->template run<R>(table->map[WF_OP_REAL][this->kDtype]);
        const auto im = this->template run<R>(table->map[WF_OP_IMAG][this->kDtype]);
        const auto modulus = this->template run<R>(table->map[WF_OP_ABS][this->kDtype]);
        const auto equal = this->template run<uint8_t>(table->map[WF_OP_EQUAL][this->kDtype]);
        const auto differs = this->template run<uint8_t>(table->map[WF_OP_NOT_EQUAL][this->kDtype]);
        for (size_t i = 0; i < re.size(); i++) {
            ASSERT_EQ(re[i], this->a[i].real());
            ASSERT_EQ(im[i], this->a[i].imag());
            ASSERT_LE(ulps<R>(modulus[i], std::abs(wide(this->a[i]))), 1);
            ASSERT_EQ(equal[i], this->a[i] == this->b[i]);
            ASSERT_EQ(differs[i], this->a[i] != this->b[i]);
        }
    }
}

template <class R> std::complex<R> one(wf_map_fn *kernel, std::complex<R> a, std::complex<R> b = {}) {
    std::complex<R> out;
    const void *in[] = {&a, &b};
    kernel(1, &out, in);
    return out;
}

TYPED_TEST(ComplexKernels, KnowTheSpecialValues) {
    using R = TypeParam;
    using T = std::complex<R>;
    const R inf = std::numeric_limits<R>::infinity(), nan = std::numeric_limits<R>::quiet_NaN(), top = std::numeric_limits<R>::max();
    for (const wf_kernel_table *table : all_tables()) {
        const auto kernel = [&](int op) { return table->map[op][this->kDtype]; };
        EXPECT_EQ(one(kernel(WF_OP_SIGN), T(0, 0)), T(0, 0));
        EXPECT_EQ(one(kernel(WF_OP_SIGN), T(top, 0)), T(1, 0));
        EXPECT_EQ(one(kernel(WF_OP_SIGN), T(0, -inf)), T(0, -1));
        EXPECT_TRUE(std::isnan(one(kernel(WF_OP_SIGN), T(inf, inf)).real()));
        EXPECT_TRUE(std::isnan(one(kernel(WF_OP_SIGN), T(nan, 1)).real()));
        EXPECT_EQ(one(kernel(WF_OP_POW), T(0, 0), T(0, 0)), T(1, 0));
        EXPECT_EQ(one(kernel(WF_OP_POW), T(0, 0), T(2, 1)), T(0, 0));
        EXPECT_EQ(one(kernel(WF_OP_POW), T(1, 1), T(2, 0)), T(0, 2));
        EXPECT_EQ(one(kernel(WF_OP_POW), T(0, 1), T(-1, 0)), T(0, -1));
        EXPECT_EQ(one(kernel(WF_OP_DIVIDE), T(top / 2, top / 2), T(top / 2, top / 2)), T(1, 0)) << "no overflow inside";
        EXPECT_TRUE(std::isinf(one(kernel(WF_OP_DIVIDE), T(1, 0), T(0, 0)).real()));
        EXPECT_EQ(one(kernel(WF_OP_RECIPROCAL), T(0, 2)), T(0, R(-0.5)));

        const T test_values[] = {T(1, 2), T(nan, 1), T(1, nan), T(inf, nan), T(0, -inf), T(inf, 1)};
        const uint8_t want_nan[] = {0, 1, 1, 1, 0, 0}, want_inf[] = {0, 0, 0, 1, 1, 1}, want_finite[] = {1, 0, 0, 0, 0, 0};
        uint8_t out[6];
        const void *in[] = {test_values};
        kernel(WF_OP_ISNAN)(6, out, in);
        EXPECT_EQ(std::memcmp(out, want_nan, 6), 0);
        kernel(WF_OP_ISINF)(6, out, in);
        EXPECT_EQ(std::memcmp(out, want_inf, 6), 0);
        kernel(WF_OP_ISFINITE)(6, out, in);
        EXPECT_EQ(std::memcmp(out, want_finite, 6), 0);
    }
}

TYPED_TEST(ComplexKernels, WorkInPlaceAtOddLengths) {
    using T = std::complex<TypeParam>;
    for (const wf_kernel_table *table : all_tables())
        for (const Case &row : cases())
            for (int64_t n : odd_lengths()) {
                wf_map_fn *kernel = table->map[row.op][this->kDtype];
                std::vector<T> want(n), x(this->a.begin(), this->a.begin() + n), y(this->b.begin(), this->b.begin() + n);
                std::vector<T> first = x, second = y;
                x.push_back(T()), y.push_back(T());  // so that n = 0 has an address
                const void *apart[] = {x.data(), y.data()}, *over_first[] = {first.data(), y.data()};
                const void *over_second[] = {x.data(), second.data()};
                kernel(n, want.data(), apart);
                kernel(n, first.data(), over_first);
                ASSERT_EQ(first, want) << table->name << " " << op_name(row.op);
                if (op_arity(row.op) < 2) continue;
                kernel(n, second.data(), over_second);
                ASSERT_EQ(second, want) << table->name << " " << op_name(row.op);
            }
}

// gcc 12 fuses complex products unless they are written to prevent it.
TYPED_TEST(ComplexKernels, MultiplyAndDivideToTheSameBitsInEveryTable) {
    using T = std::complex<TypeParam>;
    for (int op : {WF_OP_ADD, WF_OP_SUBTRACT, WF_OP_MULTIPLY, WF_OP_DIVIDE, WF_OP_SQUARE, WF_OP_RECIPROCAL, WF_OP_POW}) {
        const std::vector<T> want = this->template run<T>(all_tables()[0]->map[op][this->kDtype]);
        for (const wf_kernel_table *table : all_tables()) {
            const std::vector<T> got = this->template run<T>(table->map[op][this->kDtype]);
            ASSERT_EQ(std::memcmp(got.data(), want.data(), got.size() * sizeof(T)), 0) << table->name << " " << op_name(op);
        }
    }
}

TYPED_TEST(ComplexKernels, WhereFollowsTheMask) {
    using T = std::complex<TypeParam>;
    std::vector<uint8_t> mask(512);
    for (size_t i = 0; i < mask.size(); i++) mask[i] = i % 3 == 0;

    for (const wf_kernel_table *table : all_tables()) {
        std::vector<T> out(512);
        const void *in[] = {mask.data(), this->a.data(), this->b.data()};
        table->map[WF_OP_WHERE][this->kDtype](512, out.data(), in);
        for (int i = 0; i < 512; i++) ASSERT_EQ(out[i], mask[i] ? this->a[i] : this->b[i]);
    }
}

}  // namespace
