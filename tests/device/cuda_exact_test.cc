// SPDX-License-Identifier: Apache-2.0
// cuda_exact_test - the quotient and the root of kernels/cuda/random.cuh are rounded correctly for every operand that can come, whatever
// the hardware's approximation within its stated error: all of them are tried. Written out again here, since device text does not meet the
// C++ library in one file.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>

namespace {

float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, 4);
    return x;
}
uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}

float exact_quotient(float m, float y)
{
    const float f = m - 1.0f, d = m + 1.0f;
    y = float_of(bits_of(y) + 2);
    float e = fmaf(-d, y, 1.0f);
    e = fmaf(e, e, e);
    y = fmaf(y, e, y);
    const float q = f * y;
    return fmaf(fmaf(-d, q, f), y, q);
}

float exact_root(float x, float y)
{
    float g = x * y, h = y * 0.5f;
    const float e = fmaf(-g, h, 0.5f);
    g = fmaf(g, e, g);
    h = fmaf(h, e, h);
    const float root = fmaf(fmaf(-g, g, x), h, g);
    return x == 0 ? x : root;
}

TEST(CudaExact, QuotientsOfTheLogarithmAreRoundedCorrectly)
{
    int64_t wrong = 0;
    for (uint32_t u = 0x3f3504f3; u <= 0x3fb504f3; u++) {
        const float m = float_of(u), want = (m - 1.0f) / (m + 1.0f);
        const uint32_t y = bits_of(1.0f / (m + 1.0f));
        for (int off : { -1, 1, 4 }) wrong += bits_of(exact_quotient(m, float_of(y + uint32_t(off)))) != bits_of(want);
    }
    EXPECT_EQ(wrong, 0);
}

// Other numbers are these times a power of 4, which changes nothing but exponents.
TEST(CudaExact, RootsAreRoundedCorrectly)
{
    int64_t wrong = 0;
    for (uint32_t u = 0x3f800000; u < 0x40800000; u++) {
        const float x = float_of(u);
        const uint32_t y = bits_of(float(1 / std::sqrt(double(x))));
        for (int off : { -3, 3 }) wrong += bits_of(exact_root(x, float_of(y + uint32_t(off)))) != bits_of(std::sqrt(x));
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(bits_of(exact_root(0.0f, INFINITY)), bits_of(0.0f));
    EXPECT_EQ(bits_of(exact_root(-0.0f, -INFINITY)), bits_of(-0.0f));
}

}  // namespace
