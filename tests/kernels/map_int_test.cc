// SPDX-License-Identifier: Apache-2.0
// map_int_test - elementwise kernels of the integers and bool against 128-bit arithmetic, in every table.

#include <functional>

#include "kernels/tables.h"

namespace {

using wide = __int128;

template <class T> struct Ops {
    using Binary = std::function<wide(wide, wide)>;
    static constexpr int kBits = 8 * sizeof(T);

    static wide wrapped(wide x) { return static_cast<T>(static_cast<unsigned __int128>(x)); }
    static wide floored(wide a, wide b) {
        if (b == 0) return 0;
        const wide q = a / b;
        return a % b != 0 && (a % b < 0) != (b < 0) ? q - 1 : q;
    }
    static wide power(wide a, wide b) {
        if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
        T result = 1;
        if (b > 70) {  // squares repeat modulo 2^64: by the definition, folded
            T base = static_cast<T>(a);
            for (; b; b /= 2) {
                if (b % 2) result = static_cast<T>(static_cast<uint64_t>(result) * static_cast<uint64_t>(base));
                base = static_cast<T>(static_cast<uint64_t>(base) * static_cast<uint64_t>(base));
            }
            return result;
        }
        for (; b > 0; b--) result = static_cast<T>(static_cast<uint64_t>(result) * static_cast<uint64_t>(a));
        return result;
    }

    static std::vector<std::pair<int, Binary>> same_type() {
        return {
            {WF_OP_ADD, [](wide a, wide b) { return a + b; }},
            {WF_OP_SUBTRACT, [](wide a, wide b) { return a - b; }},
            {WF_OP_MULTIPLY, [](wide a, wide b) { return static_cast<wide>(static_cast<unsigned __int128>(a) * static_cast<unsigned __int128>(b)); }},
            {WF_OP_FLOOR_DIVIDE, floored},
            {WF_OP_REMAINDER, [](wide a, wide b) { return b == 0 ? 0 : a - floored(a, b) * b; }},
            {WF_OP_FMOD, [](wide a, wide b) { return b == 0 ? 0 : a % b; }},
            {WF_OP_POW, power},
            {WF_OP_MAXIMUM, [](wide a, wide b) { return a > b ? a : b; }},
            {WF_OP_MINIMUM, [](wide a, wide b) { return a < b ? a : b; }},
            {WF_OP_FMAX, [](wide a, wide b) { return a > b ? a : b; }},
            {WF_OP_FMIN, [](wide a, wide b) { return a < b ? a : b; }},
            {WF_OP_BITWISE_AND, [](wide a, wide b) { return a & b; }},
            {WF_OP_BITWISE_OR, [](wide a, wide b) { return a | b; }},
            {WF_OP_BITWISE_XOR, [](wide a, wide b) { return a ^ b; }},
            {WF_OP_BITWISE_LEFT_SHIFT, [](wide a, wide b) { return b < 0 || b >= kBits ? 0 : static_cast<wide>(static_cast<unsigned __int128>(a) << b); }},
            {WF_OP_BITWISE_RIGHT_SHIFT, [](wide a, wide b) { return b < 0 || b >= kBits ? (a < 0 ? -1 : 0) : a >> b; }},
            {WF_OP_ABS, [](wide a, wide) { return a < 0 ? -a : a; }},
            {WF_OP_NEGATIVE, [](wide a, wide) { return -a; }},
            {WF_OP_POSITIVE, [](wide a, wide) { return a; }},
            {WF_OP_SIGN, [](wide a, wide) { return static_cast<wide>((a > 0) - (a < 0)); }},
            {WF_OP_SQUARE, [](wide a, wide) { return static_cast<wide>(static_cast<unsigned __int128>(a) * static_cast<unsigned __int128>(a)); }},
            {WF_OP_RECIPROCAL, [](wide a, wide) { return a == 0 ? 0 : 1 / a; }},
            {WF_OP_BITWISE_INVERT, [](wide a, wide) { return ~a; }},
            {WF_OP_CONJ, [](wide a, wide) { return a; }},
            {WF_OP_REAL, [](wide a, wide) { return a; }},
            {WF_OP_IMAG, [](wide, wide) { return static_cast<wide>(0); }},
            {WF_OP_FLOOR, [](wide a, wide) { return a; }},
            {WF_OP_CEIL, [](wide a, wide) { return a; }},
            {WF_OP_TRUNC, [](wide a, wide) { return a; }},
            {WF_OP_ROUND, [](wide a, wide) { return a; }},
        };
    }

    static std::vector<std::pair<int, Binary>> to_bool() {
        return {
            {WF_OP_EQUAL, [](wide a, wide b) { return static_cast<wide>(a == b); }},
            {WF_OP_NOT_EQUAL, [](wide a, wide b) { return static_cast<wide>(a != b); }},
            {WF_OP_LESS, [](wide a, wide b) { return static_cast<wide>(a < b); }},
            {WF_OP_LESS_EQUAL, [](wide a, wide b) { return static_cast<wide>(a <= b); }},
            {WF_OP_GREATER, [](wide a, wide b) { return static_cast<wide>(a > b); }},
            {WF_OP_GREATER_EQUAL, [](wide a, wide b) { return static_cast<wide>(a >= b); }},
            {WF_OP_SIGNBIT, [](wide a, wide) { return static_cast<wide>(a < 0); }},
            {WF_OP_ISNAN, [](wide, wide) { return static_cast<wide>(0); }},
            {WF_OP_ISINF, [](wide, wide) { return static_cast<wide>(0); }},
            {WF_OP_ISFINITE, [](wide, wide) { return static_cast<wide>(1); }},
        };
    }
};

// Every pair of the telling values, then noise of all magnitudes; 1024 elements.
template <class T> void fill(std::vector<T> &a, std::vector<T> &b) {
    using limits = std::numeric_limits<T>;
    const T telling[] = {0, 1, 2, 3, 7, 8, 31, 63, 64, 100, limits::max(), static_cast<T>(limits::max() - 1), limits::min(),
                         static_cast<T>(limits::min() + 1), static_cast<T>(-1), static_cast<T>(-2), static_cast<T>(-7)};
    Noise noise;
    for (T x : telling)
        for (T y : telling) a.push_back(x), b.push_back(y);
    while (a.size() < 1024) {
        a.push_back(static_cast<T>(noise.bits() >> noise.bits() % 64));
        b.push_back(static_cast<T>(noise.bits() >> noise.bits() % 64));
    }
}

template <class T> class IntKernels : public testing::Test {};
using Types = testing::Types<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>;
TYPED_TEST_SUITE(IntKernels, Types);

template <class T> int dtype_of() {
    const int bytes = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return (std::is_signed<T>::value ? WEFT_INT8 : WEFT_UINT8) + bytes;
}

template <class T, class R>
void check(const wf_kernel_table *table, int op, const typename Ops<T>::Binary &oracle, const std::vector<T> &a,
           const std::vector<T> &b) {
    wf_map_fn *kernel = table->map[op][dtype_of<T>()];
    for (size_t start : {0, 512})
        for (int64_t n : odd_lengths()) {
            const T *x = &a[start], *y = &b[start];
            const void *in[] = {x, y};
            std::vector<R> out(n + 1, 77);
            kernel(n, out.data(), in);
            for (int64_t i = 0; i < n; i++)
                ASSERT_EQ(out[i], static_cast<R>(oracle(x[i], y[i])))
                    << table->name << " " << op_name(op) << " of " << +x[i] << ", " << +y[i] << " dtype " << dtype_of<T>();
            ASSERT_EQ(out[n], 77) << op_name(op) << " wrote past its end";
        }
}

TYPED_TEST(IntKernels, AgreeWithWideArithmetic) {
    std::vector<TypeParam> a, b;
    fill(a, b);

    for (const wf_kernel_table *table : all_tables()) {
        for (auto &entry : Ops<TypeParam>::same_type()) check<TypeParam, TypeParam>(table, entry.first, entry.second, a, b);
        for (auto &entry : Ops<TypeParam>::to_bool()) check<TypeParam, uint8_t>(table, entry.first, entry.second, a, b);
    }
}

TYPED_TEST(IntKernels, WorkInPlaceOnEitherOperand) {
    std::vector<TypeParam> a, b;
    fill(a, b);

    for (const wf_kernel_table *table : all_tables())
        for (auto &entry : Ops<TypeParam>::same_type()) {
            wf_map_fn *kernel = table->map[entry.first][dtype_of<TypeParam>()];
            std::vector<TypeParam> want(512), x(a.begin(), a.begin() + 512), y(b.begin(), b.begin() + 512);
            const void *apart[] = {x.data(), y.data()};
            kernel(512, want.data(), apart);
            std::vector<TypeParam> first = x, second = y;
            const void *over_first[] = {first.data(), y.data()}, *over_second[] = {x.data(), second.data()};
            kernel(512, first.data(), over_first);
            ASSERT_EQ(first, want) << op_name(entry.first);
            if (op_arity(entry.first) < 2) continue;
            kernel(512, second.data(), over_second);
            ASSERT_EQ(second, want) << op_name(entry.first);
        }
}

TYPED_TEST(IntKernels, WhereFollowsTheMask) {
    std::vector<TypeParam> a, b;
    fill(a, b);
    std::vector<uint8_t> mask(512);
    for (size_t i = 0; i < mask.size(); i++) mask[i] = i % 3 == 0;

    for (const wf_kernel_table *table : all_tables()) {
        std::vector<TypeParam> out(512);
        const void *in[] = {mask.data(), a.data(), b.data()};
        table->map[WF_OP_WHERE][dtype_of<TypeParam>()](512, out.data(), in);
        for (int i = 0; i < 512; i++) ASSERT_EQ(out[i], mask[i] ? a[i] : b[i]);
    }
}

TEST(BoolKernels, FollowTheirTruthTables) {
    // Results for (0,0), (0,1), (1,0), (1,1).
    const struct {
        int op;
        uint8_t want[4];
    } truth[] = {
        {WF_OP_ADD, {0, 1, 1, 1}},         {WF_OP_MULTIPLY, {0, 0, 0, 1}},   {WF_OP_MAXIMUM, {0, 1, 1, 1}},
        {WF_OP_MINIMUM, {0, 0, 0, 1}},     {WF_OP_FMAX, {0, 1, 1, 1}},       {WF_OP_FMIN, {0, 0, 0, 1}},
        {WF_OP_EQUAL, {1, 0, 0, 1}},       {WF_OP_NOT_EQUAL, {0, 1, 1, 0}},  {WF_OP_LESS, {0, 1, 0, 0}},
        {WF_OP_LESS_EQUAL, {1, 1, 0, 1}},  {WF_OP_GREATER, {0, 0, 1, 0}},    {WF_OP_GREATER_EQUAL, {1, 0, 1, 1}},
        {WF_OP_LOGICAL_AND, {0, 0, 0, 1}}, {WF_OP_LOGICAL_OR, {0, 1, 1, 1}}, {WF_OP_LOGICAL_XOR, {0, 1, 1, 0}},
        {WF_OP_BITWISE_AND, {0, 0, 0, 1}}, {WF_OP_BITWISE_OR, {0, 1, 1, 1}}, {WF_OP_BITWISE_XOR, {0, 1, 1, 0}},
        {WF_OP_LOGICAL_NOT, {1, 1, 0, 0}}, {WF_OP_BITWISE_INVERT, {1, 1, 0, 0}}, {WF_OP_ABS, {0, 0, 1, 1}},
        {WF_OP_CONJ, {0, 0, 1, 1}},        {WF_OP_REAL, {0, 0, 1, 1}},       {WF_OP_IMAG, {0, 0, 0, 0}},
        {WF_OP_FLOOR, {0, 0, 1, 1}},       {WF_OP_CEIL, {0, 0, 1, 1}},       {WF_OP_TRUNC, {0, 0, 1, 1}},
        {WF_OP_ROUND, {0, 0, 1, 1}},       {WF_OP_ISNAN, {0, 0, 0, 0}},      {WF_OP_ISINF, {0, 0, 0, 0}},
        {WF_OP_ISFINITE, {1, 1, 1, 1}},    {WF_OP_SIGNBIT, {0, 0, 0, 0}},
    };
    std::vector<uint8_t> a(512), b(512);
    for (int i = 0; i < 512; i++) a[i] = i / 2 % 2, b[i] = i % 2;

    for (const wf_kernel_table *table : all_tables())
        for (auto &row : truth)
            for (int64_t n : odd_lengths()) {
                std::vector<uint8_t> out(n + 1, 77);
                const void *in[] = {a.data(), b.data()};
                table->map[row.op][WEFT_BOOL](n, out.data(), in);
                for (int64_t i = 0; i < n; i++) ASSERT_EQ(out[i], row.want[i % 4]) << table->name << " " << op_name(row.op);
                ASSERT_EQ(out[n], 77);
            }
}

}  // namespace
