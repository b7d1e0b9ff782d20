// SPDX-License-Identifier: Apache-2.0
// random_test - Philox against its published vectors, the mapping of kernel.h, and the shape of the distributions.

#include <algorithm>

#include "kernels/tables.h"

extern "C" {
#include "cpu/philox.h"
}

namespace {

// From the known-answer tests that come with the paper's own implementation.
TEST(Philox, GivesThePublishedWords) {
    const struct {
        uint32_t counter[4], key[2], want[4];
    } vectors[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (const auto &v : vectors) {
        uint32_t c[4];
        std::copy(v.counter, v.counter + 4, c);
        wf_philox(c, v.key[0], v.key[1]);
        for (int i = 0; i < 4; i++) EXPECT_EQ(c[i], v.want[i]);
    }
}

struct Words {
    uint32_t w[4];
};

Words words_of(uint64_t block, uint64_t seed, uint64_t stream) {
    Words words = {{static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), static_cast<uint32_t>(stream),
                    static_cast<uint32_t>(stream >> 32)}};
    wf_philox(words.w, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
    return words;
}

uint64_t bits64(int64_t index, uint64_t seed, uint64_t stream) {
    const Words words = words_of(static_cast<uint64_t>(index) / 2, seed, stream);
    const int k = index % 2 * 2;
    return words.w[k] | static_cast<uint64_t>(words.w[k + 1]) << 32;
}

const uint64_t kSeed = 0xfedcba9876543210, kStream = 0x0123456789abcdef;
const int64_t kStarts[] = {0, 1, 2, 3, 5, 7, 1000003, (int64_t{1} << 33) - 5, (int64_t{1} << 34) - 9, INT64_MAX - 600};

TEST(Random, MapsIndicesToWordsAsStated) {
    for (const wf_kernel_table *table : all_tables())
        for (int64_t start : kStarts)
            for (int64_t n : odd_lengths()) {
                std::vector<double> wide(n + 1, 77);
                std::vector<float> narrow(n + 1, 77);
                std::vector<int64_t> whole(n + 1, 77);
                table->random_uniform[WEFT_FLOAT64](n, wide.data(), start, kSeed, kStream);
                table->random_uniform[WEFT_FLOAT32](n, narrow.data(), start, kSeed, kStream);
                table->random_integers(n, whole.data(), start, kSeed, kStream, 0, 0);
                for (int64_t i = 0; i < n; i++) {
                    const int64_t index = start + i;
                    const uint64_t bits = bits64(index, kSeed, kStream);
                    const uint32_t word = words_of(static_cast<uint64_t>(index) / 4, kSeed, kStream).w[index % 4];
                    ASSERT_EQ(wide[i], static_cast<double>(bits >> 11) * 0x1p-53) << table->name << " " << index;
                    ASSERT_EQ(narrow[i], static_cast<float>(word >> 8) * 0x1p-24f) << table->name << " " << index;
                    ASSERT_EQ(static_cast<uint64_t>(whole[i]), bits) << table->name << " " << index;
                }
                ASSERT_EQ(wide[n], 77);
                ASSERT_EQ(narrow[n], 77);
                ASSERT_EQ(whole[n], 77);
            }
}

template <class T> std::vector<T> normals(const wf_kernel_table *table, int64_t n, int64_t start, uint64_t seed = kSeed) {
    std::vector<T> out(n + 1, T(77));
    table->random_normal[sizeof(T) == 4 ? WEFT_FLOAT32 : WEFT_FLOAT64](n, out.data(), start, seed, kStream);
    EXPECT_EQ(out[n], T(77)) << "wrote past its end";
    out.pop_back();
    return out;
}

template <class T> class Normal : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Normal, Types);

TYPED_TEST(Normal, HasTheSameBitsInEveryTable) {
    using T = TypeParam;
    const std::vector<T> want = normals<T>(all_tables()[0], 20000, 12345);
    for (const wf_kernel_table *table : all_tables()) EXPECT_EQ(normals<T>(table, 20000, 12345), want) << table->name;
}

TYPED_TEST(Normal, DependsOnlyOnTheIndexNotOnTheStrip) {
    using T = TypeParam;
    for (const wf_kernel_table *table : all_tables())
        for (int64_t start : kStarts) {
            const std::vector<T> whole = normals<T>(table, 590, start);
            for (int64_t skip : {1, 2, 3, 4, 17, 64})
                for (int64_t n : odd_lengths()) {
                    const std::vector<T> part = normals<T>(table, n, start + skip);
                    for (int64_t i = 0; i < n; i++) ASSERT_TRUE(same_bits(part[i], whole[skip + i])) << table->name << " " << start << " " << skip;
                }
        }
}

// Box and Muller in long double from the same words: the kernel's polynomials are accurate.
TYPED_TEST(Normal, IsCloseToTheExactTransform) {
    using T = TypeParam;
    const long double right_angle = 3.14159265358979323846264338327950288L / 2;
    const std::vector<T> z = normals<T>(all_tables().back(), 20000, 0);
    double worst = 0;
    for (int64_t i = 0; i < 20000; i += 2) {
        long double u, t;  // t in [-1/2, 1/2) of a right angle, within its quadrant so that long double loses nothing
        int quadrant;
        if (sizeof(T) == 8) {
            const uint64_t x = bits64(i + 1, kSeed, kStream);
            u = 1 - std::ldexp(static_cast<long double>(bits64(i, kSeed, kStream) >> 12), -52);
            t = std::ldexp(static_cast<long double>((x << 2) >> 12), -52) - 0.5L;
            quadrant = static_cast<int>(x >> 62);
        } else {
            const Words words = words_of(i / 4, kSeed, kStream);
            const uint32_t x = words.w[i % 4 + 1];
            u = static_cast<float>(std::ldexp(words.w[i % 4] + 0.5L, -32));
            t = std::ldexp(static_cast<long double>((x << 2) >> 9), -23) - 0.5L;
            quadrant = static_cast<int>(x >> 30);
        }
        const long double radius = std::sqrt(-2 * std::log(u)), c = radius * std::cos(t * right_angle), s = radius * std::sin(t * right_angle);
        const long double cosine[] = {c, -s, -c, s}, sine[] = {s, c, -s, -c};
        worst = std::max({worst, ulps<T>(z[i], cosine[quadrant]), ulps<T>(z[i + 1], sine[quadrant])});
    }
    EXPECT_LE(worst, 6);
}

// 4 million of each: moments, the distance from the normal distribution function, tails. Bounds are five
// standard errors.
TYPED_TEST(Normal, HasTheShapeOfTheNormalDistribution) {
    using T = TypeParam;
    const int64_t n = 4 << 20;
    std::vector<T> z = normals<T>(all_tables().back(), n, 0, 42);
    long double m1 = 0, m2 = 0, m3 = 0, m4 = 0, lag = 0;
    int64_t beyond4 = 0, beyond3 = 0;
    for (int64_t i = 0; i < n; i++) {
        const long double x = z[i];
        m1 += x, m2 += x * x, m3 += x * x * x, m4 += x * x * x * x;
        if (i) lag += x * z[i - 1];
        beyond3 += std::fabs(x) > 3, beyond4 += std::fabs(x) > 4;
    }
    const double root = std::sqrt(static_cast<double>(n));
    EXPECT_NEAR(static_cast<double>(m1 / n), 0, 5 / root);
    EXPECT_NEAR(static_cast<double>(m2 / n), 1, 5 * std::sqrt(2.0) / root);
    EXPECT_NEAR(static_cast<double>(m3 / n), 0, 5 * std::sqrt(15.0) / root);
    EXPECT_NEAR(static_cast<double>(m4 / n), 3, 5 * std::sqrt(96.0) / root);
    EXPECT_NEAR(static_cast<double>(lag / n), 0, 5 / root) << "neighbours are correlated";
    const double p3 = std::erfc(3 / std::sqrt(2.0)), p4 = std::erfc(4 / std::sqrt(2.0));
    EXPECT_NEAR(static_cast<double>(beyond3), n * p3, 5 * std::sqrt(n * p3));
    EXPECT_NEAR(static_cast<double>(beyond4), n * p4, 5 * std::sqrt(n * p4));

    // Kolmogorov and Smirnov over a grid of points.
    double distance = 0;
    std::vector<int64_t> below(161);
    for (T x : z) below[std::min<int>(160, std::max<int>(0, static_cast<int>(std::ceil((x + 4) * 20))))]++;
    int64_t seen = 0;
    for (int k = 0; k < 160; k++) {
        seen += below[k];
        distance = std::max(distance, std::fabs(static_cast<double>(seen) / n - 0.5 * std::erfc(-(k / 20.0 - 4) / std::sqrt(2.0))));
    }
    EXPECT_LT(distance, 2.0 / root);  // exceeded once in 1500 truly normal samples; this one is fixed
}

TEST(Random, StreamsAndSeedsDiffer) {
    const wf_kernel_table *table = all_tables().back();
    double a[64], b[64], c[64];
    table->random_uniform[WEFT_FLOAT64](64, a, 0, 1, 1);
    table->random_uniform[WEFT_FLOAT64](64, b, 0, 1, 2);
    table->random_uniform[WEFT_FLOAT64](64, c, 0, 2, 1);
    for (int i = 0; i < 64; i++) {
        EXPECT_NE(a[i], b[i]);
        EXPECT_NE(a[i], c[i]);
    }
}

TEST(RandomIntegers, FollowLemireExactlyEvenWhereHalfIsRejected) {
    const uint64_t spans[] = {1, 2, 3, 10, 1000003, (uint64_t{1} << 63) + 1, ~uint64_t{0}, (uint64_t{3} << 62) - 1};
    for (const wf_kernel_table *table : all_tables())
        for (uint64_t span : spans) {
            std::vector<int64_t> out(512);
            const int64_t start = 12345;
            table->random_integers(512, out.data(), start, kSeed, kStream, static_cast<uint64_t>(-5), span);
            for (int64_t i = 0; i < 512; i++) {
                uint64_t x = bits64(start + i, kSeed, kStream);
                const uint64_t surplus = (0 - span) % span;
                for (uint32_t k = 1; static_cast<uint64_t>(static_cast<unsigned __int128>(x) * span) < surplus; k++) {
                    uint32_t c[4] = {static_cast<uint32_t>(start + i), static_cast<uint32_t>((start + i) >> 32),
                                     static_cast<uint32_t>(kStream), static_cast<uint32_t>(kStream >> 32)};
                    wf_philox(c, static_cast<uint32_t>(kSeed) ^ WF_RANDOM_REDRAW, static_cast<uint32_t>(kSeed >> 32) + k);
                    x = c[0] | static_cast<uint64_t>(c[1]) << 32;
                }
                const uint64_t want = static_cast<uint64_t>((static_cast<unsigned __int128>(x) * span) >> 64) - 5;
                ASSERT_EQ(static_cast<uint64_t>(out[i]), want) << table->name << " span " << span;
            }
        }
}

TEST(RandomIntegers, AreUniform) {
    const int64_t n = 1 << 20;
    const int span = 7;
    std::vector<int64_t> out(n);
    all_tables().back()->random_integers(n, out.data(), 0, 3, 4, 100, span);
    std::vector<double> count(span);
    for (int64_t x : out) {
        ASSERT_TRUE(x >= 100 && x < 100 + span);
        count[x - 100]++;
    }
    for (double c : count) EXPECT_NEAR(c, n / 7.0, 5 * std::sqrt(n / 7.0));
}

}  // namespace
