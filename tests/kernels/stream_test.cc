// SPDX-License-Identifier: Apache-2.0
// stream_test - gathers, scatters, transposes, scans and plain matrix products against the obvious loops, in
// every table.

#include "kernels/tables.h"

namespace {

std::vector<unsigned char> noise_bytes(size_t n) {
    Noise noise;
    std::vector<unsigned char> bytes(n);
    for (unsigned char &b : bytes) b = static_cast<unsigned char>(noise.bits() >> 30);
    return bytes;
}

const int kSizes[] = {1, 2, 4, 8, 16};

TEST(Move, GathersAndScattersByAnyStride) {
    for (const wf_kernel_table *table : all_tables())
        for (int size : kSizes)
            for (int64_t step : {-3, -1, 0, 1, 2, 7})
                for (int64_t n : odd_lengths()) {
                    const std::vector<unsigned char> data = noise_bytes((512 * 7 + 8) * size);
                    const int64_t stride = step * size;
                    const unsigned char *origin = &data[step < 0 ? 511 * -stride : 0];
                    std::vector<unsigned char> out((n + 1) * size, 77);
                    table->gather[size](n, out.data(), origin, stride);
                    for (int64_t i = 0; i < n; i++)
                        ASSERT_EQ(std::memcmp(&out[i * size], origin + i * stride, size), 0) << table->name << " size " << size << " step " << step;
                    ASSERT_EQ(out[n * size], 77);

                    if (step == 0) continue;
                    std::vector<unsigned char> spread(data.size(), 77);
                    unsigned char *to = &spread[step < 0 ? 511 * -stride : 0];
                    table->scatter[size](n, to, stride, data.data());
                    int64_t changed = 0;
                    for (int64_t i = 0; i < n; i++) ASSERT_EQ(std::memcmp(to + i * stride, &data[i * size], size), 0);
                    for (size_t i = 0; i < spread.size(); i += size) {
                        bool same = true;
                        for (int k = 0; k < size; k++) same = same && spread[i + k] == 77;
                        changed += !same;
                    }
                    ASSERT_LE(changed, n) << "scatter touched other elements";
                }
}

TEST(Move, TransposesAnyRectangle) {
    const struct {
        int64_t rows, cols;
    } shapes[] = {{1, 1}, {1, 9}, {8, 8}, {7, 9}, {16, 24}, {63, 65}, {64, 64}, {130, 71}, {3, 200}};
    for (const wf_kernel_table *table : all_tables())
        for (int size : kSizes)
            for (const auto &s : shapes) {
                const int64_t in_row = (s.rows + 3) * size, out_row = (s.cols + 2) * size;
                const std::vector<unsigned char> in = noise_bytes(s.cols * in_row);
                std::vector<unsigned char> out(s.rows * out_row, 77);
                table->transpose[size](s.rows, s.cols, out.data(), out_row, in.data(), in_row);
                for (int64_t r = 0; r < s.rows; r++) {
                    for (int64_t c = 0; c < s.cols; c++)
                        ASSERT_EQ(std::memcmp(&out[r * out_row + c * size], &in[c * in_row + r * size], size), 0)
                            << table->name << " size " << size << " " << s.rows << "x" << s.cols << " at " << r << "," << c;
                    for (int64_t k = s.cols * size; k < out_row; k++) ASSERT_EQ(out[r * out_row + k], 77) << "wrote between rows";
                }
            }
}

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

template <class T> T number(Noise &noise) {
    if constexpr (std::is_integral<T>::value)
        return static_cast<T>(noise.bits() >> 7);
    else if constexpr (std::is_floating_point<T>::value)
        return static_cast<T>(noise.between(-1.5, 1.5));
    else
        return T(static_cast<typename T::value_type>(noise.between(-1, 1)), static_cast<typename T::value_type>(noise.between(-1, 1)));
}

template <class T> T plus(T a, T b) {
    if constexpr (std::is_integral<T>::value)
        return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    else
        return a + b;
}

template <class T> T times(T a, T b) {
    if constexpr (std::is_integral<T>::value)
        return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    else if constexpr (std::is_floating_point<T>::value)
        return a * b;
    else
        return T(a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real());
}

template <class T> class Stream : public testing::Test {};
using Types = testing::Types<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, float, double, std::complex<float>,
                             std::complex<double>>;
TYPED_TEST_SUITE(Stream, Types);

TYPED_TEST(Stream, ScansRowsInOrderAndHandsOnTheCarry) {
    using T = TypeParam;
    Noise noise;
    std::vector<T> x(600);
    for (T &v : x) v = number<T>(noise);
    for (const wf_kernel_table *table : all_tables())
        for (int op : {WF_SCAN_SUM, WF_SCAN_PROD})
            for (int64_t n : odd_lengths()) {
                std::vector<T> out(n + 1, T(77)), in_place(x.begin(), x.begin() + n + 1);
                T last = number<T>(noise), carry = last, carry2 = last;
                table->scan[op][Type<T>::dtype].row(n, x.data(), out.data(), &carry);
                table->scan[op][Type<T>::dtype].row(n, in_place.data(), in_place.data(), &carry2);
                for (int64_t i = 0; i < n; i++) {
                    last = op == WF_SCAN_SUM ? plus(last, x[i]) : times(last, x[i]);
                    ASSERT_TRUE(same_bits(out[i], last)) << table->name << " " << i;
                    ASSERT_TRUE(same_bits(in_place[i], last));
                }
                ASSERT_TRUE(same_bits(carry, last) && same_bits(carry2, last));
                ASSERT_EQ(out[n], T(77));
            }
}

TYPED_TEST(Stream, ScansColumnsIndependently) {
    using T = TypeParam;
    Noise noise;
    for (const wf_kernel_table *table : all_tables())
        for (int op : {WF_SCAN_SUM, WF_SCAN_PROD})
            for (int64_t cols : {1, 5, 33, 300}) {
                const int64_t rows = 9, pitch = cols + 1, out_pitch = cols + 2;
                std::vector<T> x(rows * pitch), out(rows * out_pitch, T(77)), carry(cols), want(cols);
                for (T &v : x) v = number<T>(noise);
                for (int64_t c = 0; c < cols; c++) want[c] = carry[c] = number<T>(noise);
                table->scan[op][Type<T>::dtype].cols(rows, cols, x.data(), pitch * sizeof(T), out.data(), out_pitch * sizeof(T), carry.data());
                for (int64_t r = 0; r < rows; r++)
                    for (int64_t c = 0; c < cols; c++) {
                        want[c] = op == WF_SCAN_SUM ? plus(want[c], x[r * pitch + c]) : times(want[c], x[r * pitch + c]);
                        ASSERT_TRUE(same_bits(out[r * out_pitch + c], want[c])) << table->name;
                    }
                for (int64_t c = 0; c < cols; c++) ASSERT_TRUE(same_bits(carry[c], want[c]));
            }
}

TYPED_TEST(Stream, MultipliesMatricesInTheOrderOfK) {
    using T = TypeParam;
    const struct {
        int64_t m, n, k;
    } shapes[] = {{1, 1, 1}, {4, 7, 3}, {5, 33, 130}, {6, 600, 2}, {2, 3, 0}};
    Noise noise;
    for (const auto &s : shapes) {
        const int64_t lda = s.k + 2, ldb = s.n + 1, ldo = s.n + 3;
        std::vector<T> a(s.m * lda), b(s.k * ldb + 1), out(s.m * ldo);
        for (std::vector<T> *v : {&a, &b, &out})
            for (T &x : *v) x = number<T>(noise);
        std::vector<T> want = out;
        for (int64_t i = 0; i < s.m; i++)
            for (int64_t j = 0; j < s.n; j++)
                for (int64_t p = 0; p < s.k; p++) want[i * ldo + j] = plus(want[i * ldo + j], times(a[i * lda + p], b[p * ldb + j]));
        for (const wf_kernel_table *table : all_tables()) {
            std::vector<T> got = out;
            table->gemm[Type<T>::dtype](s.m, s.n, s.k, a.data(), lda, b.data(), ldb, got.data(), ldo);
            ASSERT_EQ(std::memcmp(got.data(), want.data(), got.size() * sizeof(T)), 0) << table->name << " " << s.m << "x" << s.n << "x" << s.k;
        }
    }
}

TEST(StreamBool, MatrixProductIsOrOfAnds) {
    const uint8_t a[] = {1, 0, 0, 0, 1, 1}, b[] = {0, 1, 0, 1, 1, 0};  // 2x3, 3x2
    for (const wf_kernel_table *table : all_tables()) {
        uint8_t out[] = {0, 0, 0, 0};
        table->gemm[WEFT_BOOL](2, 2, 3, a, 3, b, 2, out, 2);
        const uint8_t want[] = {0, 1, 1, 1};
        EXPECT_EQ(std::memcmp(out, want, 4), 0) << table->name;
    }
}

}  // namespace
