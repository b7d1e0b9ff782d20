// SPDX-License-Identifier: Apache-2.0
// move_test - copies into, out of and within a CUDA device, selections, sums by label, running sums and products, against the CPU's.
#include <cmath>
#include <complex>

#include "cuda/gpu.h"

namespace {

using gpu::Gpu;
using gpu::Place;

TEST_F(Gpu, BytesComeBackAsTheyWent)
{
    Place g(gpu::module());
    for (size_t n : { size_t(1), size_t(1000), size_t(32 << 10), size_t((32 << 10) + 1), size_t(9 << 20) }) {
        const auto sent = noise(n);
        EXPECT_EQ(g.get<unsigned char>(g.put(sent), n), sent) << n;
    }
}

// A box with axes in any order, some reversed or repeated, inside a memory with gaps.
struct Box {
    weft_copy_box c = {};
    int64_t in_bytes = 0, out_bytes = 0, in_first = 0;
    Box(Gpu &test, int64_t item)
    {
        c.ndim = (int)test.upto(5);
        c.item = item;
        std::vector<int> order(c.ndim);
        for (int a = 0; a < c.ndim; a++) {
            c.count[a] = 1 + test.upto(a == c.ndim - 1 ? 70 : 9);
            order[a] = a;
        }
        if (c.ndim == 2 && test.upto(2)) c.count[0] = c.count[1] = 33 + test.upto(40);
        in_bytes = stride_by(order, c.in_stride, test, true);
        std::shuffle(order.begin(), order.end(), test.random);
        out_bytes = stride_by(order, c.out_stride, test, false);
        for (int a = 0; a < c.ndim; a++) {
            if (test.upto(8) == 0) c.in_stride[a] = 0;
            if (test.upto(6) == 0) {
                in_first += (c.count[a] - 1) * c.in_stride[a];
                c.in_stride[a] = -c.in_stride[a];
            }
        }
    }
    int64_t stride_by(const std::vector<int> &order, int64_t *stride, Gpu &test, bool gaps)
    {
        int64_t run = c.item;
        for (size_t k = order.size(); k-- > 0;) {
            stride[order[k]] = run;
            run *= c.count[order[k]];
            if (gaps && test.upto(4) == 0) run += c.item * test.upto(3);
        }
        return run;
    }
};

TEST_F(Gpu, BoxesOfAnyStridesAreCopiedAsTheCpuDoes)
{
    Place g(gpu::module()), cpu(wf_cpu_device_ops());
    for (int round = 0; round < 150; round++) {
        const int64_t items[] = { 1, 2, 4, 8, 16 };
        Box box(*this, items[upto(5)]);
        const auto source = noise((size_t)box.in_bytes), blank = noise((size_t)box.out_bytes);
        std::vector<unsigned char> result[2];
        Place *places[] = { &g, &cpu };
        for (int k = 0; k < 2; k++) {
            weft_copy_box c = box.c;
            c.in = places[k]->put(source) + box.in_first;
            char *out = places[k]->put(blank);
            c.out = out;
            ASSERT_EQ(places[k]->ops->copy_box(places[k]->stream, &c), WEFT_OK) << weft_last_error();
            result[k] = places[k]->get<unsigned char>(out, blank.size());
        }
        ASSERT_EQ(result[0], result[1]) << "round " << round;
    }
}

TEST_F(Gpu, SelectsWhatTheMaskSays)
{
    Place g(gpu::module());
    for (int64_t n : { 1, 255, 4096, 20000 }) {
        for (int64_t item : { 1, 2, 4, 8, 16 }) {
            const auto source = noise((size_t)(n * item));
            auto mask = noise((size_t)n);
            std::vector<unsigned char> want;
            for (int64_t i = 0; i < n; i++) {
                mask[i] &= 1;
                if (mask[i]) want.insert(want.end(), &source[i * item], &source[i * item] + item);
            }
            int64_t found = -1;
            char *out = g.room(n * item);
            weft_select s = { item, n, g.put(source), (unsigned char *)g.put(mask), out, &found };
            ASSERT_EQ(g.ops->select(g.stream, &s), WEFT_OK) << weft_last_error();
            ASSERT_EQ(found * item, (int64_t)want.size());
            EXPECT_EQ(g.get<unsigned char>(out, want.size()), want);
        }
    }
}

template <typename T> std::vector<T> small_numbers(Gpu &test, int64_t n)
{
    std::vector<T> v((size_t)n);
    for (auto &x : v) x = (T)((double)test.upto(1000) / 7);
    return v;
}

template <typename T> void scan_as_the_cpu(Gpu &test, weft_dtype dtype)
{
    Place g(gpu::module()), cpu(wf_cpu_device_ops());
    const int64_t count[] = { 5, 37, 11 };
    const int64_t n = 5 * 37 * 11;
    const auto source = small_numbers<T>(test, n), carry = small_numbers<T>(test, n);
    for (int axis = 0; axis < 3; axis++)
        for (int op = 0; op < WF_SCAN_OPS; op++)
            for (bool carried : { false, true }) {
                std::vector<T> result[2], last[2];
                Place *places[] = { &g, &cpu };
                const int64_t lines = n / count[axis];
                for (int k = 0; k < 2; k++) {
                    Place &p = *places[k];
                    char *out = p.room(n * (int64_t)sizeof(T)), *end = p.room(lines * (int64_t)sizeof(T));
                    weft_scan s = { op, dtype, 3, axis, { 5, 37, 11 }, p.put(source), out, {}, nullptr, end };
                    s.in_stride[0] = 37 * 11 * (int64_t)sizeof(T);
                    s.in_stride[1] = 11 * (int64_t)sizeof(T);
                    s.in_stride[2] = sizeof(T);
                    if (carried) s.carry = p.put(carry);
                    ASSERT_EQ(p.ops->scan(p.stream, &s), WEFT_OK) << weft_last_error();
                    result[k] = p.get<T>(out, (size_t)n);
                    last[k] = p.get<T>(end, (size_t)lines);
                }
                for (size_t i = 0; i < (size_t)n; i++)
                    ASSERT_EQ(memcmp(&result[0][i], &result[1][i], sizeof(T)), 0)
                        << "axis " << axis << " op " << op << " element " << i << ": " << +result[0][i] << ", not "
                        << +result[1][i];
                ASSERT_EQ(memcmp(last[0].data(), last[1].data(), last[0].size() * sizeof(T)), 0);
            }
}

TEST_F(Gpu, RunningSumsAndProductsHaveTheCpusBits)
{
    scan_as_the_cpu<float>(*this, WEFT_FLOAT32);
    scan_as_the_cpu<double>(*this, WEFT_FLOAT64);
    scan_as_the_cpu<int16_t>(*this, WEFT_INT16);
    scan_as_the_cpu<uint64_t>(*this, WEFT_UINT64);
    scan_as_the_cpu<std::complex<double>>(*this, WEFT_COMPLEX128);
}

TEST_F(Gpu, SumsByLabelHaveTheCpusBits)
{
    Place g(gpu::module()), cpu(wf_cpu_device_ops());
    enum { ROWS = 300, COLS = 41, GROUPS = 7 };
    const auto source = small_numbers<double>(*this, ROWS * COLS);
    std::vector<int64_t> label(ROWS);
    for (auto &l : label) l = upto(GROUPS + 1) - 1;
    std::vector<double> result[2];
    Place *places[] = { &g, &cpu };
    for (int k = 0; k < 2; k++) {
        Place &p = *places[k];
        char *out = p.put(std::vector<double>(GROUPS * COLS));
        weft_group c = { WEFT_FLOAT64, 1, ROWS, COLS, label.data(), p.put(source), 0, COLS * 8, 8, out, 0, COLS * 8 };
        ASSERT_EQ(p.ops->group(p.stream, &c), WEFT_OK) << weft_last_error();
        result[k] = p.get<double>(out, GROUPS * COLS);
    }
    EXPECT_EQ(result[0], result[1]);
}

template <typename T> void product_as_a_loop(Gpu &test, weft_dtype dtype, bool turn_a, bool turn_b, bool accumulate)
{
    Place g(gpu::module());
    enum { M = 13, N = 9, K = 21 };
    const auto a = small_numbers<T>(test, M * K), b = small_numbers<T>(test, K * N), before = small_numbers<T>(test, M * N);
    char *out = g.put(before);
    weft_gemm c = { dtype, M, N, K, g.put(a), g.put(b), out, K, 1, N, 1, N, accumulate };
    if (turn_a) c.a_row = 1, c.a_col = M;
    if (turn_b) c.b_row = 1, c.b_col = K;
    ASSERT_EQ(g.ops->gemm(g.stream, &c), WEFT_OK) << weft_last_error();
    const auto got = g.get<T>(out, M * N);
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            T want = accumulate ? before[i * N + j] : T(0);
            for (int k = 0; k < K; k++) want += a[i * c.a_row + k * c.a_col] * b[k * c.b_row + j * c.b_col];
            ASSERT_LT(std::abs(got[i * N + j] - want), 1e-4 * std::abs(want)) << i << ", " << j;
        }
}

TEST_F(Gpu, ProductsOfMatricesAreThoseOfALoop)
{
    for (int way = 0; way < 8; way++) {
        product_as_a_loop<float>(*this, WEFT_FLOAT32, way & 1, way & 2, way & 4);
        product_as_a_loop<double>(*this, WEFT_FLOAT64, way & 1, way & 2, way & 4);
        product_as_a_loop<std::complex<float>>(*this, WEFT_COMPLEX64, way & 1, way & 2, way & 4);
        product_as_a_loop<std::complex<double>>(*this, WEFT_COMPLEX128, way & 1, way & 2, way & 4);
    }
}

}  // namespace
