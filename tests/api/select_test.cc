// SPDX-License-Identifier: Apache-2.0
// select_test - picking by what only data can tell: how often what a mask is made of is read.
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "weft.h"

namespace {

std::atomic<int> reads{0};

weft_status count_up(void *, const int64_t *start, const int64_t *count, void *out)
{
    reads++;
    for (int64_t i = 0; i < count[0]; i++) ((double *)out)[i] = (double)(start[0] + i);
    return WEFT_OK;
}

struct Select : testing::Test {
    weft_session *s = weft_open(nullptr);
    ~Select() override { weft_close(s); }
    // 0, 1, 2, ... read in 10 blocks
    weft_array *read(int64_t n)
    {
        const int64_t block = n / 10;
        reads = 0;
        return weft_rechunk(weft_from_reader(s, count_up, nullptr, WEFT_FLOAT64, 1, &n), 1, &block);
    }
};

TEST_F(Select, WhatAMaskIsMadeOfIsReadOnce) {
    const int64_t n = 100000;
    weft_array *y = weft_arange(s, 0, (double)n, 1, WEFT_FLOAT64);
    weft_array *m = weft_greater(read(n), weft_num(s, (double)n - 4));
    weft_array *picked = weft_mask(y, m);
    double v[3] = {};
    ASSERT_NE(picked, nullptr) << weft_last_error();
    int before = reads;

    ASSERT_EQ(weft_get(picked, WEFT_FLOAT64, v, sizeof v), WEFT_OK) << weft_last_error();

    EXPECT_GT(before, 0);
    EXPECT_EQ(reads, before);
    EXPECT_EQ(v[0], n - 3.0);
    EXPECT_EQ(v[2], n - 1.0);
}

TEST_F(Select, NonzeroReadsItsArrayOnce) {
    const int64_t n = 100000;
    weft_array *places = weft_nonzero(weft_less(read(n), weft_num(s, 3)));
    int64_t v[3] = {};
    ASSERT_NE(places, nullptr) << weft_last_error();
    int before = reads;

    ASSERT_EQ(weft_get(places, WEFT_INT64, v, sizeof v), WEFT_OK) << weft_last_error();

    EXPECT_GT(before, 0);
    EXPECT_EQ(reads, before);
    EXPECT_EQ(v[2], 2);
}

}  // namespace
