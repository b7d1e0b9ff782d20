// SPDX-License-Identifier: Apache-2.0
// map_float_test - elementwise kernels of float32 and float64 against long double, in every table.

#include <functional>

#include "kernels/tables.h"

namespace {

using real = long double;
using Oracle = std::function<real(real, real)>;

real exact_remainder(real a, real b) {  // NumPy's: the sign of b
    real m = std::fmod(a, b);
    if (b == 0) return m;
    if (m == 0) return std::copysign(0.0L, b);
    return (b < 0) != (m < 0) ? m + b : m;
}

real not_a_number() { return std::numeric_limits<real>::quiet_NaN(); }

struct Case {
    int op;
    double tolerance;  // units in the last place; 0: the correctly rounded result and the right sign of zero
    Oracle oracle;
};

// One row per operation whose result has its operands' type. Operations that depend on T itself are below.
const std::vector<Case> &cases() {
    static const std::vector<Case> rows = {
        {WF_OP_REMAINDER, 1, exact_remainder},  // a sum after the exact remainder
        {WF_OP_FMOD, 0, [](real a, real b) { return std::fmod(a, b); }},
        {WF_OP_POW, 2, [](real a, real b) { return std::pow(a, b); }},
        {WF_OP_MAXIMUM, 0, [](real a, real b) { return a != a || b != b ? not_a_number() : a >= b ? a : b; }},
        {WF_OP_MINIMUM, 0, [](real a, real b) { return a != a || b != b ? not_a_number() : a <= b ? a : b; }},
        {WF_OP_FMAX, 0, [](real a, real b) { return a != a ? b : b != b ? a : a >= b ? a : b; }},
        {WF_OP_FMIN, 0, [](real a, real b) { return a != a ? b : b != b ? a : a <= b ? a : b; }},
        {WF_OP_ATAN2, 2, [](real a, real b) { return std::atan2(a, b); }},
        {WF_OP_HYPOT, 1, [](real a, real b) { return std::hypot(a, b); }},
        {WF_OP_COPYSIGN, 0, [](real a, real b) { return std::copysign(a, b); }},
        {WF_OP_ABS, 0, [](real a, real) { return std::fabs(a); }},
        {WF_OP_NEGATIVE, 0, [](real a, real) { return -a; }},
        {WF_OP_POSITIVE, 0, [](real a, real) { return a; }},
        {WF_OP_SIGN, 0, [](real a, real) { return a != a ? a : a > 0 ? 1 : a < 0 ? -1 : 0; }},
        {WF_OP_CBRT, 4, [](real a, real) { return std::cbrt(a); }},
        {WF_OP_EXP, 2, [](real a, real) { return std::exp(a); }},
        {WF_OP_EXP2, 2, [](real a, real) { return std::exp2(a); }},
        {WF_OP_EXPM1, 2, [](real a, real) { return std::expm1(a); }},
        {WF_OP_LOG, 2, [](real a, real) { return std::log(a); }},
        {WF_OP_LOG2, 2, [](real a, real) { return std::log2(a); }},
        {WF_OP_LOG10, 2, [](real a, real) { return std::log10(a); }},
        {WF_OP_LOG1P, 2, [](real a, real) { return std::log1p(a); }},
        {WF_OP_SIN, 2, [](real a, real) { return std::sin(a); }},
        {WF_OP_COS, 2, [](real a, real) { return std::cos(a); }},
        {WF_OP_TAN, 2, [](real a, real) { return std::tan(a); }},
        {WF_OP_ASIN, 2, [](real a, real) { return std::asin(a); }},
        {WF_OP_ACOS, 2, [](real a, real) { return std::acos(a); }},
        {WF_OP_ATAN, 2, [](real a, real) { return std::atan(a); }},
        {WF_OP_SINH, 3, [](real a, real) { return std::sinh(a); }},
        {WF_OP_COSH, 2, [](real a, real) { return std::cosh(a); }},
        {WF_OP_TANH, 3, [](real a, real) { return std::tanh(a); }},
        {WF_OP_ASINH, 3, [](real a, real) { return std::asinh(a); }},
        {WF_OP_ACOSH, 3, [](real a, real) { return std::acosh(a); }},
        {WF_OP_ATANH, 3, [](real a, real) { return std::atanh(a); }},
        {WF_OP_ERF, 2, [](real a, real) { return std::erf(a); }},
        {WF_OP_ERFC, 4, [](real a, real) { return std::erfc(a); }},
        {WF_OP_LGAMMA, 4, [](real a, real) { return std::lgamma(a); }},
        {WF_OP_TGAMMA, 5, [](real a, real) { return std::tgamma(a); }},
        {WF_OP_FLOOR, 0, [](real a, real) { return std::floor(a); }},
        {WF_OP_CEIL, 0, [](real a, real) { return std::ceil(a); }},
        {WF_OP_TRUNC, 0, [](real a, real) { return std::trunc(a); }},
        {WF_OP_ROUND, 0, [](real a, real) { return std::nearbyint(a); }},
        {WF_OP_CONJ, 0, [](real a, real) { return a; }},
        {WF_OP_REAL, 0, [](real a, real) { return a; }},
        {WF_OP_IMAG, 0, [](real, real) { return 0.0L; }},
    };
    return rows;
}

// Operations that IEEE 754 rounds correctly, computed by the host compiler in T itself: every bit must agree.
template <class T> const std::vector<std::pair<int, std::function<T(T, T)>>> &rounded_cases() {
    static const std::vector<std::pair<int, std::function<T(T, T)>>> rows = {
        {WF_OP_ADD, [](T a, T b) { return a + b; }},
        {WF_OP_SUBTRACT, [](T a, T b) { return a - b; }},
        {WF_OP_MULTIPLY, [](T a, T b) { return a * b; }},
        {WF_OP_DIVIDE, [](T a, T b) { return a / b; }},
        {WF_OP_SQUARE, [](T a, T) { return a * a; }},
        {WF_OP_SQRT, [](T a, T) { return std::sqrt(a); }},
        {WF_OP_RECIPROCAL, [](T a, T) { return 1 / a; }},
        {WF_OP_NEXTAFTER, [](T a, T b) { return std::nextafter(a, b); }},
        // NumPy's npy_divmod, step by step.
        {WF_OP_FLOOR_DIVIDE, [](T a, T b) -> T {
             if (b == 0) return a / b;
             T m = std::fmod(a, b), d = (a - m) / b;
             if (m != 0 && (b < 0) != (m < 0)) d -= 1;
             if (d == 0) return std::copysign(T(0), a / b);
             T f = std::floor(d);
             return d - f > T(0.5) ? f + 1 : f;
         }},
    };
    return rows;
}

template <class T> const std::vector<std::pair<int, std::function<bool(T, T)>>> &bool_cases() {
    static const std::vector<std::pair<int, std::function<bool(T, T)>>> rows = {
        {WF_OP_EQUAL, [](T a, T b) { return a == b; }},
        {WF_OP_NOT_EQUAL, [](T a, T b) { return a != b; }},
        {WF_OP_LESS, [](T a, T b) { return a < b; }},
        {WF_OP_LESS_EQUAL, [](T a, T b) { return a <= b; }},
        {WF_OP_GREATER, [](T a, T b) { return a > b; }},
        {WF_OP_GREATER_EQUAL, [](T a, T b) { return a >= b; }},
        {WF_OP_ISNAN, [](T a, T) { return std::isnan(a); }},
        {WF_OP_ISINF, [](T a, T) { return std::isinf(a); }},
        {WF_OP_ISFINITE, [](T a, T) { return std::isfinite(a); }},
        {WF_OP_SIGNBIT, [](T a, T) { return std::signbit(a); }},
    };
    return rows;
}

template <class T> class FloatKernels : public testing::Test {
  protected:
    static constexpr int kDtype = sizeof(T) == 4 ? WEFT_FLOAT32 : WEFT_FLOAT64;

    // Pairs of telling values, then noise: any bits, around 1, around the limits of exp, moderate.
    FloatKernels() {
        using limits = std::numeric_limits<T>;
        const T inf = limits::infinity(), nan = limits::quiet_NaN(), tiny = limits::denorm_min(), top = limits::max();
        const T telling[] = {0,   T(-0.0), 1,    -1,      2,    -2,  3,    -3,   T(0.5), T(-0.5), T(1.5), T(2.5), T(-2.5), 10,  -10,
                             inf, -inf,    nan,  tiny,    -tiny, top, -top, limits::min(), T(710), T(-746), T(88.8), T(170.7), T(1e19),
                             T(1e-20), T(27)};
        for (T x : telling)
            for (T y : telling) push(x, y);
        Noise noise;
        while (a.size() < 8192) {
            push(value_of_bits<T>(noise.bits()), value_of_bits<T>(noise.bits()));
            push(T(noise.between(-2, 2)), T(noise.between(-2, 2)));
            push(T(noise.between(-750, 750)), T(noise.between(-5, 5)));
            push(T(noise.between(0, 40)), T(noise.between(-40, 40)));
        }
    }
    void push(T x, T y) { a.push_back(x), b.push_back(y); }

    template <class R> std::vector<R> run(wf_map_fn *kernel) const {
        std::vector<R> out(a.size());
        for (size_t i = 0; i < a.size(); i += WF_STRIP) {
            const void *in[] = {&a[i], &b[i]};
            kernel(std::min<size_t>(WF_STRIP, a.size() - i), &out[i], in);
        }
        return out;
    }
    std::vector<T> a, b;
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(FloatKernels, Types);

TYPED_TEST(FloatKernels, StayWithinTheToleranceOfTheirRow) {
    using T = TypeParam;
    for (const wf_kernel_table *table : all_tables())
        for (const Case &row : cases()) {
            const std::vector<T> out = this->template run<T>(table->map[row.op][this->kDtype]);
            int failures = 0;
            for (size_t i = 0; i < out.size() && failures < 3; i++) {
                const real want = row.oracle(this->a[i], this->b[i]);
                const bool zero_sign = row.tolerance == 0 && want == 0 && std::signbit(out[i]) != std::signbit(want);
                if (ulps<T>(out[i], want) <= row.tolerance && !zero_sign) continue;
                failures++;
                ADD_FAILURE() << table->name << " " << op_name(row.op) << "(" << this->a[i] << ", " << this->b[i] << ") gave "
                              << out[i] << ", want " << want << ", off by " << ulps<T>(out[i], want) << " ulp";
            }
        }
}

TYPED_TEST(FloatKernels, RoundAsTheHardwareDoes) {
    using T = TypeParam;
    for (const wf_kernel_table *table : all_tables()) {
        for (auto &row : rounded_cases<T>()) {
            const std::vector<T> out = this->template run<T>(table->map[row.first][this->kDtype]);
            for (size_t i = 0; i < out.size(); i++) {
                const T want = row.second(this->a[i], this->b[i]);
                ASSERT_TRUE(same_bits(out[i], want) || (std::isnan(out[i]) && std::isnan(want)))
                    << table->name << " " << op_name(row.first) << "(" << this->a[i] << ", " << this->b[i] << ") gave " << out[i]
                    << ", want " << want;
            }
        }
        for (auto &row : bool_cases<T>()) {
            const std::vector<uint8_t> out = this->template run<uint8_t>(table->map[row.first][this->kDtype]);
            for (size_t i = 0; i < out.size(); i++)
                ASSERT_EQ(out[i], row.second(this->a[i], this->b[i]) ? 1 : 0) << op_name(row.first) << " " << this->a[i] << " " << this->b[i];
        }
    }
}

TYPED_TEST(FloatKernels, AddExponentialsWithoutOverflow) {
    using T = TypeParam;
    for (const wf_kernel_table *table : all_tables()) {
        const std::vector<T> out = this->template run<T>(table->map[WF_OP_LOGADDEXP][this->kDtype]);
        for (size_t i = 0; i < out.size(); i++) {
            const real x = this->a[i], y = this->b[i];
            const real want = x == y ? x + std::log(2.0L) : std::fmax(x, y) + std::log1p(std::exp(-std::fabs(x - y)));
            // Around a sum of 1 the result nearly cancels: an absolute error of an ulp of the
            // larger operand is what there is.
            const real scale = std::fmax(std::fabs(x), std::fabs(y)) * std::numeric_limits<T>::epsilon();
            if (std::isnan(x) || std::isnan(y)) {
                ASSERT_TRUE(std::isnan(out[i])) << x << " " << y;
            } else if (std::isfinite(static_cast<T>(want))) {
                ASSERT_LE(std::fabs(out[i] - want), 2 * scale + 4 * std::fabs(want) * std::numeric_limits<T>::epsilon()) << x << " " << y;
            } else {
                ASSERT_EQ(out[i], static_cast<T>(want)) << x << " " << y;
            }
        }
    }
}

// A value must not depend on where in a strip it stands, nor on its neighbours, nor on the length of the strip.
TYPED_TEST(FloatKernels, GiveTheSameBitsAtAnyPlaceInAnyStrip) {
    using T = TypeParam;
    for (const wf_kernel_table *table : all_tables())
        for (int op = 0; op < WF_OP_COUNT; op++) {
            wf_map_fn *kernel = table->map[op][this->kDtype];
            if (!kernel || op == WF_OP_WHERE || (op >= WF_OP_EQUAL && op <= WF_OP_GREATER_EQUAL) ||
                (op >= WF_OP_ISNAN && op <= WF_OP_SIGNBIT))
                continue;
            const std::vector<T> whole = this->template run<T>(kernel);
            for (int64_t n : odd_lengths()) {
                const int64_t start = 1000 + n % 13;
                std::vector<T> out(n + 1, T(77));
                const void *in[] = {&this->a[start], &this->b[start]};
                kernel(n, out.data(), in);
                for (int64_t i = 0; i < n; i++)
                    ASSERT_TRUE(same_bits(out[i], whole[start + i]) || std::isnan(out[i]))
                        << table->name << " " << op_name(op) << " of " << this->a[start + i] << " at " << i << " of " << n;
                ASSERT_EQ(out[n], T(77)) << op_name(op) << " wrote past its end";
            }
        }
}

TYPED_TEST(FloatKernels, WorkInPlaceOnEitherOperand) {
    using T = TypeParam;
    for (const wf_kernel_table *table : all_tables())
        for (int op = 0; op < WF_OP_COUNT; op++) {
            wf_map_fn *kernel = table->map[op][this->kDtype];
            if (!kernel || op == WF_OP_WHERE || (op >= WF_OP_EQUAL && op <= WF_OP_GREATER_EQUAL) ||
                (op >= WF_OP_ISNAN && op <= WF_OP_SIGNBIT))
                continue;
            for (size_t start : {0, 512, 1024, 1536}) {
                const std::vector<T> x(&this->a[start], &this->a[start] + 512), y(&this->b[start], &this->b[start] + 512);
                std::vector<T> want(512), first = x, second = y;
                const void *apart[] = {x.data(), y.data()};
                const void *over_first[] = {first.data(), y.data()}, *over_second[] = {x.data(), second.data()};
                kernel(512, want.data(), apart);
                kernel(512, first.data(), over_first);
                ASSERT_EQ(std::memcmp(first.data(), want.data(), 512 * sizeof(T)), 0) << table->name << " " << op_name(op);
                if (op_arity(op) < 2) continue;
                kernel(512, second.data(), over_second);
                ASSERT_EQ(std::memcmp(second.data(), want.data(), 512 * sizeof(T)), 0) << table->name << " " << op_name(op);
            }
        }
}

// The two vector tables use the same functions of the same library, so a cluster of mixed machines agrees.
TYPED_TEST(FloatKernels, AgreeToTheBitBetweenVectorTables) {
    using T = TypeParam;
    const std::vector<const wf_kernel_table *> tables = all_tables();
    if (tables.size() < 3) GTEST_SKIP() << "this machine has no two vector tables";

    for (int op = 0; op < WF_OP_COUNT; op++) {
        if (!tables[1]->map[op][this->kDtype] || op == WF_OP_WHERE || (op >= WF_OP_EQUAL && op <= WF_OP_GREATER_EQUAL) ||
            (op >= WF_OP_ISNAN && op <= WF_OP_SIGNBIT))
            continue;
        const std::vector<T> narrow = this->template run<T>(tables[1]->map[op][this->kDtype]);
        const std::vector<T> wide = this->template run<T>(tables[2]->map[op][this->kDtype]);
        for (size_t i = 0; i < narrow.size(); i++)
            ASSERT_TRUE(same_bits(narrow[i], wide[i]) || (std::isnan(narrow[i]) && std::isnan(wide[i])))
                << op_name(op) << "(" << this->a[i] << ", " << this->b[i] << ")";
    }
}

}  // namespace
