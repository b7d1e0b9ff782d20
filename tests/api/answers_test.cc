// SPDX-License-Identifier: Apache-2.0
// answers_test - NumPy's answers for combinations of operations that a differential fuzzer once found to be wrong or refused.
#include <cstdint>

#include "api/fixture.h"

namespace {

class Answers : public Api {
  protected:
    weft_array *expr(const char *text, std::vector<const char *> names = {}, std::vector<weft_array *> arrays = {})
    {
        return weft_expr(s, text, (int)names.size(), names.data(), arrays.data());
    }
    std::vector<uint8_t> bools(weft_array *x) { return values<uint8_t>(x); }
    std::vector<int64_t> ints(weft_array *x) { return values<int64_t>(x); }
};

TEST_F(Answers, OfAnEmptySliceOfAnArrayOfParts) {
    EXPECT_EQ(values(expr("pad(arange(3.0), ((5, 4),), mode='wrap')[:0]")).size(), 0u);
    EXPECT_EQ(values(expr("x = arange(6).reshape(2, 1, 3); stack([x, x], axis=2)[:, 0, 2:, 1] + 1")).size(), 0u);
    EXPECT_EQ(values(expr("setitem(arange(15.0).reshape(5, 3), '0, 1:', 2)[6:, 0]")).size(), 0u);
}

TEST_F(Answers, OfTakeAlongAnAxisBehindOneOfSeveralBlocks) {
    open("test=true; disable=group", "cpu:2@64MiB");
    weft_array *x = expr("rechunk(arange(4*5*6).reshape(4, 5, 6) * 1, 2, 2, 2)");
    weft_array *y = expr("take(x, asarray(i), axis=1)", { "x", "i" }, { x, longs({ 4, 0, 3, 0 }) });
    std::vector<int64_t> want;
    for (int i = 0; i < 4; i++)
        for (int j : { 4, 0, 3, 0 })
            for (int k = 0; k < 6; k++) want.push_back(30 * i + 6 * j + k);

    EXPECT_EQ(ints(y), want);
}

// Pairs of an int64 and a uint64 that float64 cannot tell apart, or tells apart wrongly.
TEST_F(Answers, OfComparingSignedIntegersWithUint64AreExact) {
    const int64_t most = INT64_MAX, least = INT64_MIN, step = INT64_C(1) << 53;
    const std::vector<int64_t> a = { most, most, step, step + 1, -1, least, 0, -1 };
    const std::vector<uint64_t> b = { (uint64_t)most + 1, (uint64_t)most, (uint64_t)step + 1, (uint64_t)step, UINT64_MAX, (uint64_t)most + 1, 0, 0 };
    weft_array *x = longs(a), *y = weft_from_memory(s, b.data(), WEFT_UINT64, WEFT_SHAPE(8), nullptr);

    EXPECT_EQ(bools(weft_equal(x, y)), (std::vector<uint8_t>{ 0, 1, 0, 0, 0, 0, 1, 0 }));
    EXPECT_EQ(bools(weft_equal(y, x)), (std::vector<uint8_t>{ 0, 1, 0, 0, 0, 0, 1, 0 }));
    EXPECT_EQ(bools(weft_not_equal(x, y)), (std::vector<uint8_t>{ 1, 0, 1, 1, 1, 1, 0, 1 }));
    EXPECT_EQ(bools(weft_less(x, y)), (std::vector<uint8_t>{ 1, 0, 1, 0, 1, 1, 0, 1 }));
    EXPECT_EQ(bools(weft_less_equal(x, y)), (std::vector<uint8_t>{ 1, 1, 1, 0, 1, 1, 1, 1 }));
    EXPECT_EQ(bools(weft_greater(x, y)), (std::vector<uint8_t>{ 0, 0, 0, 1, 0, 0, 0, 0 }));
    EXPECT_EQ(bools(weft_greater_equal(x, y)), (std::vector<uint8_t>{ 0, 1, 0, 1, 0, 0, 1, 0 }));
    EXPECT_EQ(bools(weft_less(y, x)), (std::vector<uint8_t>{ 0, 0, 0, 1, 0, 0, 0, 0 }));
    EXPECT_EQ(bools(weft_greater_equal(y, x)), (std::vector<uint8_t>{ 1, 1, 1, 0, 1, 1, 1, 1 }));
    EXPECT_EQ(bools(weft_less(weft_astype(x, WEFT_INT8), y)), (std::vector<uint8_t>{ 1, 1, 1, 1, 1, 1, 0, 1 }));  // -1, -1, 0, 1, -1, 0, 0, -1
}

}  // namespace
