// SPDX-License-Identifier: Apache-2.0
// cpu_gemm_test - matrix products of the CPU device against naive sums, and the manners of its BLAS.
#include <dlfcn.h>

#include <atomic>
#include <cmath>
#include <complex>
#include <thread>

#include "device/cpu_tile.h"

using namespace cpu_tile;

namespace {

// Tolerance relative to the sum of magnitudes, per dtype: a few roundings of its precision per term.
double tolerance(weft_dtype d)
{
    if (wf_dtype_kind(d) != 'f' && wf_dtype_kind(d) != 'c') return 0;
    return wf_dtype_real(d) == WEFT_FLOAT32 ? 2e-6 : 4e-15;
}

// A matrix with strides in elements, inside memory of its own.
struct Matrix {
    Bytes memory;
    unsigned char *data = nullptr;
    int64_t rows, cols, row, col, item;

    Matrix(Random &random, weft_dtype dtype, int64_t nrows, int64_t ncols, int way) : rows(nrows), cols(ncols)
    {
        int64_t pad = pick(random, 0, 3), offset = 0;
        item = int64_t(wf_dtype_size(dtype));
        row = way == 1 ? 1 : cols + pad;
        col = way == 1 ? rows + pad : 1;
        if (way == 2) row *= 2, col = 2;                      // neither is 1
        if (way == 3) row = -row, offset = (rows - 1) * -row;  // upside down
        if (way == 4) row = 0;                                // one row, repeated
        memory.assign(size_t((std::max<int64_t>(rows, 1) + 4) * (cols + 4) * 4 * item + 64), 0);
        data = memory.data() + std::max<int64_t>(offset, 0) * item;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < cols; c++) put_random(random, dtype, at(r, c), false);
    }
    unsigned char *at(int64_t r, int64_t c) const { return data + (r * row + c * col) * item; }
};

std::complex<double> read(weft_dtype dtype, const void *p)
{
    double x[2];
    wf_kernels(nullptr)->cast[dtype][WEFT_COMPLEX128](1, x, p);
    return {x[0], x[1]};
}

class CpuGemm : public CpuDevice {
protected:
    void check(weft_dtype dtype, int64_t m, int64_t n, int64_t k, int way_a, int way_b, bool accumulate, Random &random)
    {
        Matrix a(random, dtype, m, k, way_a), b(random, dtype, k, n, way_b), out(random, dtype, m, n, 0);
        Bytes before = out.memory;
        weft_gemm g = {};
        g.dtype = dtype;
        g.m = m, g.n = n, g.k = k;
        g.a = a.data, g.b = b.data, g.out = out.data;
        g.a_row = a.row, g.a_col = a.col, g.b_row = b.row, g.b_col = b.col, g.out_row = out.row;
        g.accumulate = accumulate;

        ASSERT_EQ(ops->gemm(stream, &g), WEFT_OK) << wf_last_error();

        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                std::complex<double> sum = accumulate ? read(dtype, before.data() + (out.at(i, j) - out.memory.data())) : 0;
                double size = std::abs(sum);
                for (int64_t l = 0; l < k; l++) {
                    std::complex<double> term = read(dtype, a.at(i, l)) * read(dtype, b.at(l, j));
                    sum += term;
                    size += std::abs(term);
                }
                if (dtype == WEFT_BOOL) sum = sum.real() != 0;
                // Integers wrap: compare what their bits say.
                Value want = {};
                int64_t whole = int64_t(sum.real());
                wf_kernels(nullptr)->cast[WEFT_INT64][dtype](1, want.bytes, &whole);
                bool good = tolerance(dtype) == 0 ? memcmp(want.bytes, out.at(i, j), size_t(out.item)) == 0
                                                  : std::abs(read(dtype, out.at(i, j)) - sum) <= tolerance(dtype) * size;
                ASSERT_TRUE(good) << wf_dtype_name(dtype) << " " << m << "x" << k << "x" << n << " ways " << way_a << way_b
                                  << " at " << i << "," << j << ": " << shown(dtype, out.at(i, j)) << " expected " << sum;
                memcpy(before.data() + (out.at(i, j) - out.memory.data()), out.at(i, j), size_t(out.item));
            }
        EXPECT_TRUE(before == out.memory) << "bytes beside the product were written";
    }
};

TEST_F(CpuGemm, EveryDtypeShapeAndStrideEqualsTheNaiveSum)
{
    Random random(1);
    static const int64_t sizes[] = {1, 2, 3, 17, 64, 65};
    for (weft_dtype dtype : all_dtypes()) {
        if (wf_dtype_is_half(dtype)) continue;
        for (int i = 0; i < 60 && !HasFatalFailure(); i++)
            check(dtype, sizes[pick(random, 0, 5)], sizes[pick(random, 0, 5)], sizes[pick(random, 0, 5)], int(pick(random, 0, 4)),
                  int(pick(random, 0, 4)), pick(random, 0, 1), random);
        check(dtype, 5, 7, 700, 1, 2, true, random);
        check(dtype, 1, 1, 700, 0, 1, true, random);
        check(dtype, 300, 1, 20, 1, 0, false, random);
        check(dtype, 1, 300, 20, 0, 1, false, random);
    }
}

TEST_F(CpuGemm, AnEmptyInnerDimensionGivesZerosOrWhatWasThere)
{
    double out[6] = {1, 2, 3, 4, 5, 6};
    weft_gemm g = {};
    g.dtype = WEFT_FLOAT64;
    g.m = 2, g.n = 2, g.k = 0;
    g.a = g.b = out;
    g.out = out;
    g.a_col = g.b_col = 1, g.a_row = 0, g.b_row = 2, g.out_row = 3;
    g.accumulate = true;
    ASSERT_EQ(ops->gemm(stream, &g), WEFT_OK);
    EXPECT_EQ(out[4], 5);

    g.accumulate = false;
    ASSERT_EQ(ops->gemm(stream, &g), WEFT_OK);

    const double expected[] = {0, 0, 3, 0, 0, 6};
    for (int i = 0; i < 6; i++) EXPECT_EQ(out[i], expected[i]);
}

TEST_F(CpuGemm, SixteenBitFloatsAreTheCallersToConvert)
{
    weft_gemm g = {};
    g.dtype = WEFT_FLOAT16;

    EXPECT_EQ(ops->gemm(stream, &g), WEFT_UNSUPPORTED);
    EXPECT_STREQ(wf_last_error(), "cpu: matmul is not defined for float16");
}

// Whatever BLAS the host has, before or after ours is loaded, keeps its own number of threads.
TEST_F(CpuGemm, TheHostsBlasKeepsItsThreads)
{
#ifdef WEFT_UNDER_TSAN
    GTEST_SKIP() << "ThreadSanitizer's suppressions take one OpenBLAS in a process, and this test needs two";
#endif
    void *host = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!host) GTEST_SKIP() << "no OpenBLAS to be the host's";
    auto get = reinterpret_cast<int (*)()>(dlsym(host, "openblas_get_num_threads"));
    auto set = reinterpret_cast<void (*)(int)>(dlsym(host, "openblas_set_num_threads"));
    auto parallel = reinterpret_cast<int (*)()>(dlsym(host, "openblas_get_parallel"));
    if (parallel() == 0) GTEST_SKIP() << "the host's OpenBLAS has no threads";
    int before = get();
    set(2);
    Random random(2);

    check(WEFT_FLOAT64, 65, 65, 65, 0, 0, false, random);

    EXPECT_EQ(get(), 2);
    set(before);
    dlclose(host);
}

// A BLAS built without threads, and without locks, mixes up the buffers of those that call it at once.
TEST_F(CpuGemm, ThreadsThatMultiplyAtOnceGetTheirOwnProducts)
{
    const int64_t n = 20;  // the buffers are taken most often in small products with a transposed operand
    std::vector<double> a(size_t(n * n)), b(size_t(n * n)), want(size_t(n * n));
    for (size_t i = 0; i < a.size(); i++) {
        a[i] = double(i * 7919 % 1003) / 500;
        b[i] = double(i * 104729 % 997) / 400;
    }
    weft_gemm g = {};
    g.dtype = WEFT_FLOAT64;
    g.m = g.n = g.k = g.a_row = g.b_col = g.out_row = n;
    g.a_col = g.b_row = 1;
    g.a = a.data(), g.b = b.data(), g.out = want.data();
    ASSERT_EQ(ops->gemm(stream, &g), WEFT_OK);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;

    for (int t = 0; t < 4; t++)
        threads.emplace_back([&, g]() mutable {
            std::vector<double> out(want.size());
            g.out = out.data();
            for (int i = 0; i < 20000; i++)  // few differ: it takes two that begin at the same moment
                wrong += ops->gemm(stream, &g) != WEFT_OK || memcmp(out.data(), want.data(), want.size() * 8) != 0;
        });
    for (auto &t : threads) t.join();

    EXPECT_EQ(wrong, 0) << wf_cpu_blas_name();
}

TEST_F(CpuGemm, ItsNameSaysWhatWasLoaded)
{
    std::string name = wf_cpu_blas_name();

    EXPECT_FALSE(name.empty());
    EXPECT_TRUE(name.find('(') != std::string::npos || name.find("none: ") == 0) << name;
}

}  // namespace
