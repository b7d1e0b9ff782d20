// SPDX-License-Identifier: Apache-2.0
// chain_test - a chain gives the bits of its links one by one, in every table and at every length; exp() is within
// an ulp over its whole range; put() copies everything and no more.
#include "kernels/tables.h"

namespace {

template <typename T> constexpr weft_dtype kDtype = sizeof(T) == 4 ? WEFT_FLOAT32 : WEFT_FLOAT64;

template <typename T> std::vector<T> noise(int64_t n, double low, double high) {
    static Noise source;
    std::vector<T> v(n);
    for (T &x : v) x = static_cast<T>(low + (high - low) * static_cast<double>(source.bits() >> 11) * 0x1p-53);
    return v;
}

template <typename T> std::vector<T> one(const wf_kernel_table *table, wf_op op, const std::vector<T> &a, const std::vector<T> &b) {
    std::vector<T> out(a.size());
    const void *in[] = {a.data(), b.data()};
    table->map[op][kDtype<T>](static_cast<int64_t>(a.size()), out.data(), in);
    return out;
}

// |((x + y) - c)| aside while z -> exp(-z * y); then aside / that, sqrt, squared: every source of an operand.
template <typename T> void check_chain(const wf_kernel_table *table, int64_t n) {
    std::vector<T> x = noise<T>(n, -3, 3), y = noise<T>(n, -3, 3), z = noise<T>(n, -3, 3), c(n, T(0.75)), out(n + 1, T(77));
    const wf_link link[] = {{WF_LINK_ADD, WF_LINK_MEMORY, y.data()},        {WF_LINK_SUBTRACT, WF_LINK_FIXED, c.data()}, {WF_LINK_ABS, WF_LINK_MEMORY, nullptr},
                            {WF_LINK_SET_ASIDE, WF_LINK_MEMORY, z.data()},  {WF_LINK_NEGATE, WF_LINK_MEMORY, nullptr},   {WF_LINK_MULTIPLY, WF_LINK_MEMORY, y.data()},
                            {WF_LINK_EXP, WF_LINK_MEMORY, nullptr},         {WF_LINK_DIVIDE_INTO, WF_LINK_ASIDE, nullptr}, {WF_LINK_SQRT, WF_LINK_MEMORY, nullptr},
                            {WF_LINK_SUBTRACT_FROM, WF_LINK_FIXED, c.data()}, {WF_LINK_DIVIDE, WF_LINK_MEMORY, x.data()}, {WF_LINK_SQUARE, WF_LINK_MEMORY, nullptr}};
    std::vector<T> aside = one<T>(table, WF_OP_ABS, one<T>(table, WF_OP_SUBTRACT, one<T>(table, WF_OP_ADD, x, y), c), c);
    std::vector<T> branch = one<T>(table, WF_OP_EXP, one<T>(table, WF_OP_MULTIPLY, one<T>(table, WF_OP_NEGATIVE, z, z), y), y);
    std::vector<T> want = one<T>(table, WF_OP_SQRT, one<T>(table, WF_OP_DIVIDE, aside, branch), c);
    want = one<T>(table, WF_OP_DIVIDE, one<T>(table, WF_OP_SUBTRACT, c, want), x);
    want = one<T>(table, WF_OP_SQUARE, want, c);
    ASSERT_NE(table->chain[kDtype<T>], nullptr);
    table->chain[kDtype<T>](n, out.data(), x.data(), 12, link);
    for (int64_t i = 0; i < n; i++) ASSERT_EQ(std::memcmp(&out[i], &want[i], sizeof(T)), 0) << table->name << " n " << n << " at " << i << ": " << out[i] << ", want " << want[i];
    ASSERT_EQ(out[n], T(77));
    table->chain[kDtype<T>](n, y.data(), x.data(), 12, link);  // over an operand
    for (int64_t i = 0; i < n; i++) ASSERT_EQ(std::memcmp(&y[i], &want[i], sizeof(T)), 0);
}

TEST(Chain, GivesTheBitsOfItsLinks) {
    for (const wf_kernel_table *table : all_tables())
        for (int64_t n : odd_lengths()) {
            check_chain<double>(table, n);
            check_chain<float>(table, n);
        }
}

// In units of the last place of WANT's binade, subnormal ones included.
template <typename T> double ulps_off(T got, long double want) {
    const int exponent = std::max(std::ilogb(static_cast<T>(want)), std::numeric_limits<T>::min_exponent - 1);
    return static_cast<double>(std::fabs(static_cast<long double>(got) - want) / std::ldexp(1.0L, exponent - std::numeric_limits<T>::digits + 1));
}

template <typename T> void check_exp(const wf_kernel_table *table, double low, double high) {
    const std::vector<T> x = noise<T>(200000, low, high), y = one<T>(table, WF_OP_EXP, x, x);
    for (size_t i = 0; i < x.size(); i++) {
        const long double want = std::exp(static_cast<long double>(x[i]));
        if (want > std::numeric_limits<T>::max()) {
            ASSERT_EQ(y[i], std::numeric_limits<T>::infinity()) << x[i];
            continue;
        }
        ASSERT_LE(ulps_off<T>(y[i], want), 1.0) << table->name << ": exp(" << x[i] << ") = " << y[i];
    }
}

TEST(Exp, IsWithinAnUlpFromZeroToInfinity) {
    for (const wf_kernel_table *table : all_tables()) {
        check_exp<double>(table, -750, 715);
        check_exp<double>(table, -1, 1);
        check_exp<float>(table, -106, 90);
        check_exp<float>(table, -1, 1);
    }
}

template <typename T> void check_exp_edges(const wf_kernel_table *table) {
    const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN(), most = std::numeric_limits<T>::max();
    const std::vector<T> x = {T(0), T(-0.0), inf, -inf, most, -most, nan, T(-1e-30)}, y = one<T>(table, WF_OP_EXP, x, x);
    const std::vector<T> want = {1, 1, inf, 0, inf, 0, nan, 1};
    for (size_t i = 0; i < x.size(); i++) ASSERT_TRUE(y[i] == want[i] || (y[i] != y[i] && want[i] != want[i])) << table->name << ": exp(" << x[i] << ") = " << y[i];
}

TEST(Exp, KeepsItsLimits) {
    for (const wf_kernel_table *table : all_tables()) {
        check_exp_edges<double>(table);
        check_exp_edges<float>(table);
    }
}

TEST(Put, CopiesEveryByteAndNoMore) {
    std::vector<unsigned char> from(5000), to(5200);
    for (size_t i = 0; i < from.size(); i++) from[i] = static_cast<unsigned char>(i * 7 + 1);
    for (const wf_kernel_table *table : all_tables())
        for (int64_t bytes : {0, 1, 63, 64, 65, 127, 200, 4096, 4999})
            for (int64_t shift : {0, 1, 8, 63}) {
                std::fill(to.begin(), to.end(), 0);
                table->put(bytes, &to[64 + shift], &from[shift % 2]);
                for (int64_t i = 0; i < bytes; i++) ASSERT_EQ(to[64 + shift + i], from[shift % 2 + i]) << table->name << " " << bytes << " bytes, shift " << shift;
                ASSERT_EQ(to[63 + shift], 0);
                ASSERT_EQ(to[64 + shift + bytes], 0);
            }
}

}  // namespace
