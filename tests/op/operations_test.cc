// SPDX-License-Identifier: Apache-2.0
// operations_test - operations over whole sessions: against plain loops, and the same bits however the work is cut and spread. What NumPy says
// of every operation and dtype is numpy_test.py's.
#include <cmath>
#include <cstring>
#include <functional>

#include "api/fixture.h"

namespace {

// Every way in which the same work may be run.
struct Way {
    const char *settings, *devices;
    std::vector<int64_t> blocks;
};
const Way ways[] = {
    { "mode=sync", nullptr, {} },
    { "", nullptr, {} },
    { "test=true", "cpu:1", {} },
    { "test=true", "cpu:3", {} },
    { "test=true; disable=fuse", "cpu:2", {} },
    { "test=true; disable=group,fold,align,push,share,prune", "cpu:2", {} },
    { "mode=sync", nullptr, { 7, 5 } },
    { "test=true", "cpu:2@1MiB", { 33 } },
    { "test=true", "hidden:1", {} },
    { "", "hidden:2", {} },
    { "test=true", "hidden:2@1MiB", { 33 } },
    { "test=true; disable=group,fold,align,push,share,prune", "cpu,hidden:1", { 7, 5 } },
    { "cpu_isa=baseline", nullptr, {} },
};

class Operations : public Api {
protected:
    void open_way(const Way &way)
    {
        close();
        weft_options o = {};
        o.settings = way.settings;
        o.devices = way.devices;
        o.nblocks = (int)way.blocks.size();
        o.blocks = way.blocks.data();
        s = weft_open(&o);
        ASSERT_NE(s, nullptr) << weft_last_error();
    }
    weft_array *random(std::vector<int64_t> shape, weft_dtype dtype)
    {
        weft_random_options o = {};
        o.seed = 5;
        o.stream = 9;
        o.dtype = dtype;
        return weft_random_normal(s, (int)shape.size(), shape.data(), &o);
    }
    static std::vector<unsigned char> bytes(weft_array *x)
    {
        std::vector<unsigned char> out(x ? (size_t)weft_array_nbytes(x) : 0);
        EXPECT_EQ(weft_get(x, WEFT_DTYPE_DEFAULT, out.data(), out.size()), WEFT_OK) << weft_last_error();
        return out;
    }
    void same_bits(const std::function<weft_array *()> &make)
    {
        std::vector<unsigned char> first;
        for (const Way &way : ways) {
            open_way(way);
            std::vector<unsigned char> got = bytes(make());
            if (&way == ways) first = got;
            EXPECT_TRUE(got == first && !got.empty()) << "settings '" << way.settings << "', devices " << (way.devices ? way.devices : "default");
        }
    }
};

TEST_F(Operations, SumsHaveTheSameBitsHoweverTheyAreCut) {
    for (weft_dtype d : { WEFT_FLOAT16, WEFT_FLOAT32, WEFT_FLOAT64 }) {
        same_bits([&] { return weft_sum(random({ 190, 333 }, d), WEFT_ALL_AXES, nullptr); });
        same_bits([&] { return weft_sum(random({ 190, 333 }, d), WEFT_AXES(0), nullptr); });
        same_bits([&] { return weft_mean(weft_square(random({ 190, 333 }, d)), WEFT_AXES(1), nullptr); });
        same_bits([&] { return weft_var(random({ 21, 40, 17 }, d), WEFT_AXES(0, 2), nullptr); });
    }
}

TEST_F(Operations, ScansAndGroupsHaveTheSameBits) {
    same_bits([&] { return weft_cumulative_sum(random({ 70, 50 }, WEFT_FLOAT64), 0, nullptr); });
    same_bits([&] { return weft_cumulative_sum(random({ 5000 }, WEFT_FLOAT32), 0, nullptr); });
    same_bits([&] { return weft_group_sum(random({ 300, 7 }, WEFT_FLOAT64), weft_remainder(weft_arange(s, 0, 300, 1, WEFT_INT64), weft_num_i64(s, 11)), 11, 0); });
}

TEST_F(Operations, MovesAndMasksHaveTheSameBits) {
    same_bits([&] {
        weft_array *x = random({ 40, 60 }, WEFT_FLOAT64);
        return weft_mask(x, weft_greater(x, weft_num(s, 0.5)));
    });
    same_bits([&] {
        weft_array *x = random({ 40, 60 }, WEFT_FLOAT64);
        return weft_add(weft_index_text(x, "1:, 1:"), weft_roll(weft_index_text(x, ":-1, :-1"), WEFT_SHAPE(3, -5), (const int[]){ 0, 1 }));
    });
    same_bits([&] { return weft_reshape(weft_matrix_transpose(random({ 40, 60 }, WEFT_FLOAT32)), WEFT_SHAPE(100, 24)); });
}

TEST_F(Operations, ALongChainEqualsItsLoop) {
    for (const Way &way : ways) {
        open_way(way);
        weft_array *x = weft_reshape(count_to(1200), WEFT_SHAPE(30, 40)), *y = x;
        std::vector<double> want(1200);
        for (size_t i = 0; i < want.size(); i++) want[i] = (double)i;
        for (int k = 0; k < 60; k++) {
            y = weft_where(weft_less(y, weft_num(s, 600)), weft_add(y, weft_num(s, k)), weft_multiply(y, weft_num(s, 0.75)));
            for (double &v : want) v = v < 600 ? v + k : v * 0.75;
        }
        EXPECT_EQ(values(y), want) << way.settings;
    }
}

TEST_F(Operations, JacobiEqualsItsLoop) {
    enum { N = 21, TURNS = 15 };
    double u[N][N] = {}, next[N][N];
    for (int j = 0; j < N; j++) u[0][j] = 100;
    for (int t = 0; t < TURNS; t++) {
        memcpy(next, u, sizeof u);
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++) next[i][j] = 0.25 * ((u[i - 1][j] + u[i + 1][j]) + (u[i][j - 1] + u[i][j + 1]));
        memcpy(u, next, sizeof u);
    }
    for (const Way &way : ways) {
        open_way(way);
        weft_array *x = weft_zeros(s, WEFT_FLOAT64, WEFT_SHAPE(N, N)), *quarter = weft_num(s, 0.25);
        x = weft_setitem(x, WEFT_CUTS(WEFT_AT(0)), weft_num(s, 100));
        weft_scope *turn = weft_scope_open(s);
        for (int t = 0; t < TURNS; t++) {
            weft_array *in = weft_multiply(quarter, weft_add(weft_add(weft_index_text(x, ":-2, 1:-1"), weft_index_text(x, "2:, 1:-1")),
                                                             weft_add(weft_index_text(x, "1:-1, :-2"), weft_index_text(x, "1:-1, 2:"))));
            x = weft_setitem(x, WEFT_CUTS(WEFT_SPAN(1, -1), WEFT_SPAN(1, -1)), in);
            ASSERT_EQ(weft_scope_reset(turn, 1, &x), WEFT_OK);
            if (t % 3) {
                ASSERT_EQ(weft_compute(1, &x, nullptr), WEFT_OK) << weft_last_error();
            }
        }
        EXPECT_EQ(values(x), std::vector<double>(&u[0][0], &u[0][0] + N * N)) << way.settings;
    }
}

TEST_F(Operations, ConjugateGradientsSolve) {
    enum { N = 60 };
    for (const Way &way : ways) {
        open_way(way);
        weft_array *A = weft_add(weft_multiply(weft_num(s, 4), weft_eye(s, N, N, 0, WEFT_FLOAT64)),
                                 weft_add(weft_eye(s, N, N, 1, WEFT_FLOAT64), weft_eye(s, N, N, -1, WEFT_FLOAT64)));
        A = weft_rechunk(A, WEFT_SHAPE(16, 16));
        weft_array *b = weft_sqrt(count_to(N)), *x = weft_zeros_like(b, WEFT_DTYPE_DEFAULT), *r = b, *p = b, *rr = weft_vecdot(r, r);
        weft_scope *turn = weft_scope_open(s);
        double norm = 1;
        int k = 0;
        for (; k < 100 && norm > 1e-20; k++) {
            weft_array *Ap = weft_matmul(A, p), *alpha = weft_divide(rr, weft_vecdot(p, Ap)), *old = rr;
            x = weft_add(x, weft_multiply(alpha, p));
            r = weft_subtract(r, weft_multiply(alpha, Ap));
            rr = weft_vecdot(r, r);
            p = weft_add(r, weft_multiply(weft_divide(rr, old), p));
            weft_array *keep[] = { x, r, p, rr };
            ASSERT_EQ(weft_scope_reset(turn, 4, keep), WEFT_OK);
            ASSERT_EQ(weft_compute(4, keep, nullptr), WEFT_OK) << weft_last_error();
            ASSERT_EQ(weft_item_f64(rr, &norm), WEFT_OK);
        }
        EXPECT_LT(k, 60) << way.settings;
        EXPECT_LT(value(weft_max(weft_abs(weft_subtract(weft_matmul(A, x), b)), WEFT_ALL_AXES, nullptr)), 1e-9) << way.settings;
    }
}

TEST_F(Operations, BfloatRoundsAfterEachOperation) {
    // 1 + 2^-8 is halfway between two bfloat16 numbers: to even, 1. So two steps of 2^-8 stay at 1, one of 2^-7 does not.
    weft_array *one = weft_ones(s, WEFT_BFLOAT16, WEFT_SHAPE(5)), *small = weft_full(s, WEFT_BFLOAT16, WEFT_SHAPE(5), 1.0 / 256);
    uint16_t got[5];

    ASSERT_EQ(weft_get(weft_add(weft_add(one, small), small), WEFT_DTYPE_DEFAULT, got, sizeof got), WEFT_OK) << weft_last_error();
    EXPECT_EQ(got[3], 0x3f80);
    ASSERT_EQ(weft_get(weft_add(one, weft_add(small, small)), WEFT_DTYPE_DEFAULT, got, sizeof got), WEFT_OK) << weft_last_error();
    EXPECT_EQ(got[3], 0x3f81);
}

TEST_F(Operations, ArraysLargerThanMemoryAreStreamed) {
    open("block_size=256KiB; spill=true", "cpu:2@2MiB");
    weft_random_options o = {};
    o.seed = 3;
    weft_array *x = weft_random_uniform(s, 0, 1, WEFT_SHAPE(2000, 1500), &o);  // 24 MB, 4 MiB of memory
    double sum = 0, again = 0;
    weft_session_stats stats;

    ASSERT_EQ(weft_item_f64(weft_sum(weft_sqrt(x), WEFT_ALL_AXES, nullptr), &sum), WEFT_OK) << weft_last_error();
    ASSERT_EQ(weft_compute(1, &x, nullptr), WEFT_OK) << weft_last_error();
    ASSERT_EQ(weft_item_f64(weft_sum(weft_sqrt(x), WEFT_ALL_AXES, nullptr), &again), WEFT_OK) << weft_last_error();
    ASSERT_EQ(weft_stats(s, &stats), WEFT_OK);

    EXPECT_EQ(sum, again);
    EXPECT_NEAR(sum, 2000.0 * 1500 * 2 / 3, 3000);
    EXPECT_GT(stats.bytes_spilled, 15 << 20);
    EXPECT_LE(stats.peak_bytes, 4 << 20);
}

}  // namespace
