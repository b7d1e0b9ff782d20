// SPDX-License-Identifier: Apache-2.0
// reduce_test - reductions of every table against the canonical order of kernel.h written out naively, bit for bit.

#include <functional>

#include "kernels/tables.h"

namespace {

template <class T> struct Type;
#define DTYPE(T, D) \
    template <> struct Type<T> { \
        static constexpr int dtype = D; \
    };
DTYPE(int8_t, WEFT_INT8)
DTYPE(int16_t, WEFT_INT16)
DTYPE(int32_t, WEFT_INT32)
DTYPE(int64_t, WEFT_INT64)
DTYPE(uint8_t, WEFT_UINT8)
DTYPE(uint16_t, WEFT_UINT16)
DTYPE(uint32_t, WEFT_UINT32)
DTYPE(uint64_t, WEFT_UINT64)
DTYPE(float, WEFT_FLOAT32)
DTYPE(double, WEFT_FLOAT64)
DTYPE(std::complex<float>, WEFT_COMPLEX64)
DTYPE(std::complex<double>, WEFT_COMPLEX128)

template <class T> bool is_nan(T x) { return x != x; }

// NaN in results has one form.
template <class T> T clean(T x) {
    if constexpr (std::is_floating_point<T>::value)
        return is_nan(x) ? std::numeric_limits<T>::quiet_NaN() : x;
    else
        return x;
}
template <class R> std::complex<R> clean(std::complex<R> x) { return {clean(x.real()), clean(x.imag())}; }

template <class T> T plus(T a, T b) { return static_cast<T>(a + b); }
template <class T> T times(T a, T b) {
    if constexpr (std::is_integral<T>::value)
        return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    else
        return a * b;
}
template <> int64_t plus(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }
template <> int32_t plus(int32_t a, int32_t b) { return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b)); }
template <class R> std::complex<R> times(std::complex<R> a, std::complex<R> b) {
    return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}
template <class T> T smaller(T a, T b) { return a <= b || is_nan(a) ? a : b; }
template <class T> T larger(T a, T b) { return a >= b || is_nan(a) ? a : b; }
template <class T> T smaller_number(T a, T b) { return a <= b || is_nan(b) ? a : b; }
template <class T> T larger_number(T a, T b) { return a >= b || is_nan(b) ? a : b; }

template <class P> using Join = std::function<P(P, P)>;

// Lanes and tree of one piece of terms.
template <class P> P piece(const std::vector<P> &x, const Join<P> &join) {
    std::vector<std::vector<P>> lanes(WF_LANES);  // each empty or one partial result
    for (size_t i = 0; i < x.size(); i++) {
        std::vector<P> &lane = lanes[i % WF_LANES];
        if (lane.empty())
            lane.push_back(x[i]);
        else
            lane[0] = join(lane[0], x[i]);
    }
    for (int half = WF_LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++) {
            if (lanes[l + half].empty()) continue;
            lanes[l][0] = join(lanes[l][0], lanes[l + half][0]);
        }
    return lanes[0][0];
}

// The balanced tree over pieces, recursively: the largest power of two of them below all stands left.
template <class P> P tree(const std::vector<P> &x, size_t begin, size_t end, const Join<P> &join) {
    if (end - begin == 1) return x[begin];
    size_t left = 1;
    while (left * 2 < end - begin) left *= 2;
    return join(tree(x, begin, begin + left, join), tree(x, begin + left, end, join));
}

template <class T> T row_of(const T *x, int64_t n, const Join<T> &join) {
    std::vector<T> pieces;
    for (int64_t i = 0; i < n; i += WF_STRIP) pieces.push_back(piece<T>(std::vector<T>(x + i, x + std::min(n, i + WF_STRIP)), join));
    return tree(pieces, 0, pieces.size(), join);
}

template <class T> std::vector<T> noise(size_t n, bool nans) {
    Noise noise;
    std::vector<T> x(n);
    for (T &v : x) {
        if constexpr (std::is_integral<T>::value) {
            v = static_cast<T>(noise.bits() >> (noise.bits() % 2 ? 1 : 40));
        } else if constexpr (std::is_floating_point<T>::value) {
            v = static_cast<T>(std::floor(noise.between(-30, 30)) + (noise.bits() % 3 ? 0.5 : noise.unit()));
            if (noise.bits() % 9 == 0) v = noise.bits() % 2 ? T(0) : T(-0.0);
            if (nans && noise.bits() % 5 == 0) v = value_of_bits<T>(sizeof(T) == 4 ? 0xffc00123u : 0xfff8000000000123u);
        } else {
            using R = typename T::value_type;
            v = T(static_cast<R>(noise.between(-2, 2)), static_cast<R>(noise.between(-2, 2)));
            if (nans && noise.bits() % 5 == 0) v = T(v.real(), std::numeric_limits<R>::quiet_NaN());
        }
    }
    return x;
}

struct Shape {
    int64_t rows, cols, gap;  // gap: elements between the end of a row and the next
};

const Shape kShapes[] = {{1, 1, 0},   {1, 31, 0},  {1, 32, 0},   {1, 33, 0},  {1, 512, 0}, {1, 513, 0}, {1, 5000, 0}, {2, 1537, 3},
                         {70, 3, 0},  {70, 3, 2},  {33, 16, 1},  {32, 31, 0}, {5, 100, 7}, {9, 1100, 0}, {300, 1, 0}, {131, 17, 1},
                         {1, 2049, 0}, {3, 4097, 1}};

template <class T> std::vector<std::pair<int, Join<T>>> simple_ops() {
    std::vector<std::pair<int, Join<T>>> ops = {{WF_REDUCE_SUM, plus<T>}, {WF_REDUCE_PROD, [](T a, T b) { return times(a, b); }}};
    if constexpr (std::is_arithmetic<T>::value) {
        ops.push_back({WF_REDUCE_MIN, smaller<T>});
        ops.push_back({WF_REDUCE_MAX, larger<T>});
    }
    if constexpr (std::is_floating_point<T>::value) {
        ops.push_back({WF_REDUCE_FMIN, smaller_number<T>});
        ops.push_back({WF_REDUCE_FMAX, larger_number<T>});
    }
    return ops;
}

template <class T> class Reduce : public testing::Test {};
using Types = testing::Types<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, float, double, std::complex<float>,
                             std::complex<double>>;
TYPED_TEST_SUITE(Reduce, Types);

TYPED_TEST(Reduce, RowsFollowTheCanonicalOrderToTheBit) {
    using T = TypeParam;
    for (bool nans : {false, true})
        for (const Shape &s : kShapes) {
            const int64_t pitch = s.cols + s.gap;
            const std::vector<T> x = noise<T>(s.rows * pitch, nans);
            for (auto &op : simple_ops<T>()) {
                std::vector<T> want(s.rows);
                for (int64_t r = 0; r < s.rows; r++) want[r] = clean(row_of<T>(&x[r * pitch], s.cols, op.second));
                for (const wf_kernel_table *table : all_tables()) {
                    std::vector<T> got(s.rows + 1, T(77));
                    void *out[] = {got.data()};
                    table->reduce[op.first][Type<T>::dtype].rows(s.rows, s.cols, x.data(), pitch * sizeof(T), 0, 0, out);
                    for (int64_t r = 0; r < s.rows; r++)
                        ASSERT_TRUE(same_bits(got[r], want[r])) << table->name << " op " << op.first << " " << s.rows << "x" << s.cols << " row " << r;
                    ASSERT_EQ(got[s.rows], T(77));
                }
            }
        }
}

TYPED_TEST(Reduce, ColumnsTakeRowsInOrderToTheBit) {
    using T = TypeParam;
    for (bool nans : {false, true})
        for (const Shape &s : kShapes) {
            const int64_t pitch = s.cols + s.gap;
            const std::vector<T> x = noise<T>(s.rows * pitch, nans);
            for (auto &op : simple_ops<T>()) {
                std::vector<T> want(x.begin(), x.begin() + s.cols);
                for (int64_t r = 1; r < s.rows; r++)
                    for (int64_t c = 0; c < s.cols; c++) want[c] = op.second(want[c], x[r * pitch + c]);
                for (const wf_kernel_table *table : all_tables()) {
                    std::vector<T> got(s.cols + 1, T(77));
                    void *out[] = {got.data()};
                    table->reduce[op.first][Type<T>::dtype].cols(s.rows, s.cols, x.data(), pitch * sizeof(T), 0, 0, out);
                    for (int64_t c = 0; c < s.cols; c++) ASSERT_TRUE(same_bits(got[c], clean(want[c]))) << table->name << " op " << op.first;
                    ASSERT_EQ(got[s.cols], T(77));
                }
            }
        }
}

// The engine computes long rows piece by piece; so combining pieces must give what the kernel gives for the row
// at once.
TYPED_TEST(Reduce, CombiningPiecesGivesTheWholeRow) {
    using T = TypeParam;
    const int64_t n = 7 * WF_STRIP + 100;
    for (bool nans : {false, true}) {
        const std::vector<T> x = noise<T>(n, nans);
        for (const wf_kernel_table *table : all_tables())
            for (int op = 0; op < WF_REDUCE_COUNT_; op++) {
                const wf_reduce_kernels &k = table->reduce[op][Type<T>::dtype];
                if (!k.rows) continue;
                struct Partial {
                    alignas(16) unsigned char field[WF_REDUCE_MAX_FIELDS][16] = {};
                    void *const *out() { return pointers[0] = field[0], pointers[1] = field[1], pointers[2] = field[2], pointers; }
                    void *pointers[3];
                };
                std::vector<Partial> stack;
                const auto join = [&] {
                    Partial later = stack.back();
                    stack.pop_back();
                    k.combine(1, stack.back().out(), const_cast<const void *const *>(later.out()));
                };
                for (int64_t i = 0; i < n; i += WF_STRIP) {
                    stack.emplace_back();
                    k.rows(1, std::min<int64_t>(WF_STRIP, n - i), &x[i], 0, 10 + i, 0, stack.back().out());
                    for (int64_t index = i / WF_STRIP; index & 1; index >>= 1) join();
                }
                while (stack.size() > 1) join();
                Partial whole, with_identity;
                k.rows(1, n, x.data(), 0, 10, 0, whole.out());
                ASSERT_EQ(std::memcmp(stack[0].field, whole.field, sizeof whole.field), 0) << table->name << " op " << op;

                if (op == WF_REDUCE_PROD && !std::is_arithmetic<T>::value) continue;  // 1 times a complex infinity has NaN parts
                k.identity(1, with_identity.out());
                k.combine(1, with_identity.out(), const_cast<const void *const *>(whole.out()));
                ASSERT_EQ(std::memcmp(with_identity.field, whole.field, sizeof whole.field), 0) << "identity of op " << op;
                k.identity(1, with_identity.out());
                k.combine(1, whole.out(), const_cast<const void *const *>(with_identity.out()));
                ASSERT_EQ(std::memcmp(stack[0].field, whole.field, sizeof whole.field), 0) << "identity on the right of op " << op;
            }
    }
}

template <class T> class ReduceArg : public testing::Test {};
using RealTypes = testing::Types<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, float, double>;
TYPED_TEST_SUITE(ReduceArg, RealTypes);

template <class T> int64_t expected_position(int op, const std::vector<T> &x) {
    const bool skip = op == WF_REDUCE_NANARGMIN || op == WF_REDUCE_NANARGMAX, least = op == WF_REDUCE_ARGMIN || op == WF_REDUCE_NANARGMIN;
    int64_t best = -1;
    for (size_t i = 0; i < x.size(); i++) {
        if (is_nan(x[i]) && skip) continue;
        if (best >= 0 && is_nan(x[best])) break;
        if (best < 0 || is_nan(x[i]) || (least ? x[i] < x[best] : x[i] > x[best])) best = static_cast<int64_t>(i);
    }
    return best;
}

TYPED_TEST(ReduceArg, FindsTheFirstOfEqualsInRowsAndColumns) {
    using T = TypeParam;
    for (int nans : {0, 1, 2})  // none, some, only NaN
        for (const Shape &s : kShapes) {
            const int64_t pitch = s.cols + s.gap;
            std::vector<T> x = noise<T>(s.rows * pitch, nans == 1);
            if (std::is_floating_point<T>::value)
                for (T &v : x) v = nans == 2 ? std::numeric_limits<T>::quiet_NaN() : std::floor(v);  // ties
            for (int op : {WF_REDUCE_ARGMIN, WF_REDUCE_ARGMAX, WF_REDUCE_NANARGMIN, WF_REDUCE_NANARGMAX})
                for (const wf_kernel_table *table : all_tables()) {
                    const wf_reduce_kernels &k = table->reduce[op][Type<T>::dtype];
                    std::vector<T> value(std::max(s.rows, s.cols));
                    std::vector<int64_t> position(value.size());
                    void *out[] = {value.data(), position.data()};
                    k.rows(s.rows, s.cols, x.data(), pitch * sizeof(T), 1000, 50, out);
                    for (int64_t r = 0; r < s.rows; r++) {
                        const int64_t want = expected_position(op, std::vector<T>(&x[r * pitch], &x[r * pitch] + s.cols));
                        ASSERT_EQ(position[r], want < 0 ? -1 : 1000 + 50 * r + want) << table->name << " op " << op << " " << s.rows << "x" << s.cols;
                        if (want >= 0) {
                            ASSERT_TRUE(same_bits(value[r], clean(x[r * pitch + want])));
                        }
                    }
                    k.cols(s.rows, s.cols, x.data(), pitch * sizeof(T), 1000, 50, out);
                    for (int64_t c = 0; c < s.cols; c++) {
                        std::vector<T> column;
                        for (int64_t r = 0; r < s.rows; r++) column.push_back(x[r * pitch + c]);
                        const int64_t want = expected_position(op, column);
                        ASSERT_EQ(position[c], want < 0 ? -1 : 1000 + 50 * want) << table->name << " op " << op;
                        if (want >= 0) {
                            ASSERT_TRUE(same_bits(value[c], clean(column[want])));
                        }
                    }
                }
        }
}

TYPED_TEST(ReduceArg, CombinesByPositionAmongEquals) {
    using T = TypeParam;
    for (const wf_kernel_table *table : all_tables()) {
        T value[] = {1, 5, 3, 2}, other[] = {1, 4, 3, 0};
        int64_t position[] = {7, 8, 9, -1}, other_position[] = {3, 2, 11, 4};
        void *acc[] = {value, position};
        const void *in[] = {other, other_position};
        table->reduce[WF_REDUCE_ARGMIN][Type<T>::dtype].combine(4, acc, in);
        const int64_t want[] = {3, 2, 9, 4};
        for (int i = 0; i < 4; i++) EXPECT_EQ(position[i], want[i]) << i;
        EXPECT_EQ(value[1], T(4));
        EXPECT_EQ(value[3], T(0));
    }
}

TEST(ReduceBool, AnyAndAllEverywhere) {
    for (const wf_kernel_table *table : all_tables())
        for (int64_t n : {1, 5, 31, 32, 33, 512, 700}) {
            std::vector<uint8_t> x(n, 0);
            uint8_t any, all;
            void *any_out[] = {&any}, *all_out[] = {&all};
            for (uint8_t rest : {0, 1})
                for (int64_t odd = 0; odd < n; odd++) {
                    std::fill(x.begin(), x.end(), rest);
                    x[odd] = !rest;
                    table->reduce[WF_REDUCE_ANY][WEFT_BOOL].rows(1, n, x.data(), 0, 0, 0, any_out);
                    table->reduce[WF_REDUCE_ALL][WEFT_BOOL].rows(1, n, x.data(), 0, 0, 0, all_out);
                    ASSERT_EQ(any, n > 1 ? 1 : !rest);
                    ASSERT_EQ(all, n > 1 ? 0 : !rest);
                }
            std::fill(x.begin(), x.end(), 0);
            table->reduce[WF_REDUCE_ANY][WEFT_BOOL].rows(1, n, x.data(), 0, 0, 0, any_out);
            EXPECT_EQ(any, 0);
        }
}

// --- moments ---

template <class T> struct RealOf {
    using type = T;
};
template <class R> struct RealOf<std::complex<R>> {
    using type = R;
};

template <class T> struct Moments {
    using R = typename RealOf<T>::type;
    R count = 0;
    T mean = 0;
    R squares = 0;
};

template <class T> typename RealOf<T>::type squared(T d) {
    if constexpr (std::is_floating_point<T>::value)
        return d * d;
    else
        return d.real() * d.real() + d.imag() * d.imag();
}

template <class T> Moments<T> join(Moments<T> a, Moments<T> b) {
    if (b.count == 0) return a;
    if (a.count == 0) return b;
    Moments<T> r;
    r.count = a.count + b.count;
    const auto share = b.count / r.count;
    const T d = b.mean - a.mean;
    r.mean = a.mean + d * share;
    r.squares = (a.squares + b.squares) + squared(d) * (a.count * share);
    return r;
}

// The moments of one piece of a row, or of one group of a column (in order, from 0).
template <class T> Moments<T> moments_of(const std::vector<T> &x, bool skip, bool in_order) {
    using R = typename RealOf<T>::type;
    std::vector<T> kept = x;
    std::vector<R> ones(x.size(), 1), distance(x.size());
    for (size_t i = 0; i < x.size(); i++)
        if (skip && is_nan(x[i])) kept[i] = 0, ones[i] = 0;
    Moments<T> m;
    for (R o : ones) m.count += o;
    T sum = 0;
    if (in_order)
        for (T k : kept) sum += k;
    else
        sum = piece<T>(kept, plus<T>);
    if (m.count != 0) m.mean = sum / m.count;
    for (size_t i = 0; i < x.size(); i++) distance[i] = ones[i] != 0 ? squared(T(x[i] - m.mean)) : R(0);
    if (in_order)
        for (R d : distance) m.squares += d;
    else
        m.squares = piece<R>(distance, plus<R>);
    return m;
}

template <class T> class ReduceMoments : public testing::Test {};
using MomentTypes = testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(ReduceMoments, MomentTypes);

template <class T> void expect_moments(const wf_kernel_table *table, const Moments<T> &want, typename RealOf<T>::type count, T mean,
                                       typename RealOf<T>::type squares) {
    ASSERT_EQ(count, want.count) << table->name;
    ASSERT_TRUE(mean == want.mean || same_bits(mean, clean(want.mean))) << table->name << " " << mean << " " << want.mean;
    ASSERT_TRUE(same_bits(squares, clean(want.squares))) << table->name << " " << squares << " " << want.squares;
}

TYPED_TEST(ReduceMoments, FollowTheCanonicalOrderToTheBit) {
    using T = TypeParam;
    using R = typename RealOf<T>::type;
    for (bool nans : {false, true})
        for (const Shape &s : kShapes) {
            const int64_t pitch = s.cols + s.gap;
            const std::vector<T> x = noise<T>(s.rows * pitch, nans);
            for (int op : {WF_REDUCE_MOMENTS, WF_REDUCE_NANMOMENTS}) {
                const bool skip = op == WF_REDUCE_NANMOMENTS;
                std::vector<Moments<T>> want_row(s.rows), want_col(s.cols);
                for (int64_t r = 0; r < s.rows; r++) {
                    std::vector<Moments<T>> pieces;
                    const T *row = &x[r * pitch];
                    for (int64_t i = 0; i < s.cols; i += WF_STRIP)
                        pieces.push_back(moments_of<T>(std::vector<T>(row + i, row + std::min(s.cols, i + WF_STRIP)), skip, false));
                    want_row[r] = tree<Moments<T>>(pieces, 0, pieces.size(), join<T>);
                }
                for (int64_t c = 0; c < s.cols; c++)
                    for (int64_t r0 = 0; r0 < s.rows; r0 += WF_MOMENT_ROWS) {
                        std::vector<T> group;
                        for (int64_t r = r0; r < std::min<int64_t>(s.rows, r0 + WF_MOMENT_ROWS); r++) group.push_back(x[r * pitch + c]);
                        want_col[c] = join(want_col[c], moments_of<T>(group, skip, true));
                    }
                for (const wf_kernel_table *table : all_tables()) {
                    const size_t most = std::max(s.rows, s.cols);
                    std::vector<R> count(most), squares(most);
                    std::vector<T> mean(most);
                    void *out[] = {count.data(), mean.data(), squares.data()};
                    table->reduce[op][Type<T>::dtype].rows(s.rows, s.cols, x.data(), pitch * sizeof(T), 0, 0, out);
                    for (int64_t r = 0; r < s.rows; r++)
                        ASSERT_NO_FATAL_FAILURE(expect_moments(table, want_row[r], count[r], mean[r], squares[r]));
                    table->reduce[op][Type<T>::dtype].cols(s.rows, s.cols, x.data(), pitch * sizeof(T), 0, 0, out);
                    for (int64_t c = 0; c < s.cols; c++)
                        ASSERT_NO_FATAL_FAILURE(expect_moments(table, want_col[c], count[c], mean[c], squares[c]));
                }
            }
        }
}

// Far from zero the naive sum of squares would have no digit left.
TYPED_TEST(ReduceMoments, KeepTheirDigitsFarFromZero) {
    using T = TypeParam;
    using R = typename RealOf<T>::type;
    const int64_t n = 20000;
    const R offset = sizeof(R) == 4 ? R(4096) : R(1e9);
    std::vector<T> x(n);
    Noise noise;
    long double sum = 0, squares = 0;
    for (T &v : x) v = T(static_cast<R>(offset + noise.between(-1, 1)));
    for (const T &v : x) sum += std::real(v);
    for (const T &v : x) squares += (std::real(v) - sum / n) * (std::real(v) - sum / n);

    for (const wf_kernel_table *table : all_tables()) {
        R count, m2;
        T mean;
        void *out[] = {&count, &mean, &m2};
        const wf_reduce_kernels &k = table->reduce[WF_REDUCE_MOMENTS][Type<T>::dtype];
        for (bool rows : {true, false}) {
            if (rows)
                k.rows(1, n, x.data(), 0, 0, 0, out);
            else
                k.cols(n, 1, x.data(), sizeof(T), 0, 0, out);
            EXPECT_EQ(count, n);
            EXPECT_NEAR(std::real(mean), static_cast<double>(sum / n), std::abs(offset) * 16 * std::numeric_limits<R>::epsilon());
            EXPECT_NEAR(m2, static_cast<double>(squares), static_cast<double>(squares) * (sizeof(R) == 4 ? 1e-3 : 1e-7));
        }
    }
}

}  // namespace
