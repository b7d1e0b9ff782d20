// SPDX-License-Identifier: Apache-2.0
// engine_test - the engine as a whole through the public face: the same bits whatever the blocks, devices and memory; the memory bound; spilling;
// recovery after the loss of a virtual device; every allocation failing once.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "weft.h"
extern "C" {
#include "exec/engine.h"
wf_engine *wf_session_engine(weft_session *session);  // api/session.h, which speaks C11 atomics
}

namespace {

weft_session *open_with(const char *devices, int64_t limit, const char *settings = nullptr)
{
    weft_options o = {};
    o.devices = devices;
    o.memory_limit = limit;
    o.settings = settings;
    weft_session *s = weft_open(&o);
    EXPECT_NE(s, nullptr) << weft_last_error();
    return s;
}

weft_array *drawn(weft_session *s, std::vector<int64_t> shape, std::vector<int64_t> block, uint64_t seed)
{
    weft_random_options r = {};
    r.seed = seed;
    r.stream = 1;
    weft_array *x = weft_random_uniform(s, 0, 1, (int)shape.size(), shape.data(), &r);
    return block.empty() ? x : weft_rechunk(x, (int)block.size(), block.data());
}

std::vector<double> values(weft_array *x)
{
    std::vector<double> v((size_t)weft_array_size(x));
    EXPECT_EQ(weft_get(x, WEFT_FLOAT64, v.data(), v.size() * 8), WEFT_OK) << weft_last_error();
    return v;
}

bool same_bits(const std::vector<double> &a, const std::vector<double> &b)
{
    return a.size() == b.size() && memcmp(a.data(), b.data(), a.size() * 8) == 0;
}

// The jobs whose bits must not depend on how they are cut.
std::vector<double> job(weft_session *s, int which, std::vector<int64_t> block)
{
    const int axis0 = 0, axis1 = 1;
    weft_array *x = drawn(s, {301, 257}, block, 9);
    weft_array *y = drawn(s, {257, 301}, block.empty() ? block : std::vector<int64_t>{block[1], block[0]}, 10);
    switch (which) {
    case 0: return values(weft_sum(x, 0, nullptr, nullptr));
    case 1: return values(weft_std(x, 1, &axis0, nullptr));
    case 2: return values(weft_mean(weft_multiply(x, weft_matrix_transpose(y)), 1, &axis1, nullptr));
    case 3: return values(weft_var(weft_index_text(x, "1:, ::-2"), 0, nullptr, nullptr));
    case 4: return values(weft_cumulative_sum(x, 0, nullptr));
    case 5: return values(weft_sum(weft_subtract(x, weft_mean(x, 1, &axis0, nullptr)), 0, nullptr, nullptr));
    default: return values(weft_argmax(x, 1, nullptr));
    }
}

TEST(Engine, BitsDoNotDependOnBlocksDevicesMemoryOrPasses) {
    for (int which = 0; which < 7; which++) {
        weft_session *s = open_with("cpu", 64 << 20, "test=true");
        std::vector<double> want = job(s, which, {});
        weft_close(s);
        struct {
            const char *devices, *settings;
            int64_t limit;
            std::vector<int64_t> block;
        } ways[] = {{"cpu", "test=true", 4 << 20, {17, 23}},        {"cpu:3", "test=true", 16 << 20, {64, 64}},
                    {"cpu", "test=false", 64 << 20, {301, 1}},      {"cpu", "disable=fuse,group,share", 64 << 20, {50, 60}},
                    {"cpu", "test=true; disable=push,prune,align,group", 8 << 20, {50, 60}}, {"cpu:2", "disable=share,prune,fold,push,fuse,align,group", 64 << 20, {60, 7}},
                    {"cpu:2@2MiB", "test=true", 8 << 20, {33, 257}}, {"cpu", "mode=sync", 64 << 20, {100, 100}},
                    {"hidden:1", "test=true", 64 << 20, {17, 23}},          {"hidden:2@2MiB", "test=true", 8 << 20, {33, 257}},
                    {"cpu,hidden:1", "mode=sync", 64 << 20, {64, 64}},      {"hidden:3", "test=false", 64 << 20, {}}};
        for (auto &w : ways) {
            s = open_with(w.devices, w.limit, w.settings);
            EXPECT_TRUE(same_bits(job(s, which, w.block), want)) << "job " << which << " on " << w.devices << " with " << w.settings;
            weft_close(s);
        }
    }
}

TEST(Engine, SpillsWhatDoesNotFitAndKeepsTheLimit) {
    const int64_t limit = 24 << 20, n = 2048;  // x is 32 MiB and must be held whole between its two readers
    weft_session *s = open_with("cpu", limit);
    weft_array *x = drawn(s, {n, n}, {256, 256}, 5);

    ASSERT_EQ(weft_compute(1, &x, nullptr), WEFT_OK) << weft_last_error();
    weft_array *d = weft_subtract(x, weft_matrix_transpose(x));
    std::vector<double> total = values(weft_sum(weft_abs(weft_add(d, weft_matrix_transpose(d))), 0, nullptr, nullptr));

    EXPECT_EQ(total[0], 0);
    weft_session_stats stats = {};
    ASSERT_EQ(weft_stats(s, &stats), WEFT_OK);
    EXPECT_GT(stats.bytes_spilled, 0);
    EXPECT_LE(stats.peak_bytes, limit);
    weft_close(s);
}

TEST(Engine, TheLastReaderWritesOverItsInput) {
    for (const char *settings : {"test=false", "mode=sync", "disable=fuse"}) {
        weft_session *s = open_with("cpu", 64 << 20, settings);
        weft_array *x = drawn(s, {700, 700}, {100, 700}, 8);
        weft_array *c = weft_cumulative_sum(x, 0, nullptr);  // blocks that only the product below reads
        weft_array *y = weft_multiply(c, weft_num(s, 3)), *z = weft_add(c, weft_matrix_transpose(c));  // and here they are read twice

        std::vector<double> got = values(y);
        weft_session_stats stats = {};
        ASSERT_EQ(weft_stats(s, &stats), WEFT_OK);
        EXPECT_GT(stats.blocks_reused, 0) << settings;
        std::vector<double> twice = values(z), sum = values(c);
        for (size_t i = 0; i < got.size(); i += 97) {
            ASSERT_EQ(got[i], 3 * sum[i]) << settings;
            ASSERT_EQ(twice[i], sum[i] + sum[i % 700 * 700 + i / 700]) << settings;
        }
        weft_close(s);
    }
}

TEST(Engine, RefusesAPlanThatCannotFitBeforeItRuns) {
    weft_session *s = open_with("cpu", 1 << 20);
    const int64_t whole[] = {4096, 4096};
    static std::atomic<int> calls{0};
    calls = 0;
    weft_array *x = weft_from_reader(
        s, [](void *, const int64_t *, const int64_t *, void *) { calls++; return WEFT_OK; }, nullptr, WEFT_FLOAT64, 2, whole);
    x = weft_rechunk(x, 2, whole);
    double v = 7;

    EXPECT_EQ(weft_item_f64(weft_sum(x, 0, nullptr, nullptr), &v), WEFT_NO_MEMORY);

    EXPECT_NE(strstr(weft_last_error(), "bytes at once, the memory limit leaves"), nullptr) << weft_last_error();
    EXPECT_EQ(v, 7);
    EXPECT_EQ(calls, 0);
    weft_close(s);
}

TEST(Engine, RecoversByLineageWhenAVirtualDeviceLosesItsMemory) {
    for (int round = 0; round < 5; round++) {
        weft_session *s = open_with("cpu:3", 256 << 20);
        const int axis0 = 0;
        weft_array *x = drawn(s, {1500, 1500}, {100, 100}, 3);
        weft_array *y = weft_cumulative_sum(weft_add(weft_exp(x), weft_matrix_transpose(x)), 0, nullptr);
        weft_array *m = weft_mean(weft_subtract(y, weft_mean(y, 1, &axis0, nullptr)), 1, &axis0, nullptr);
        weft_request *r = weft_start(1, &m, nullptr);
        ASSERT_NE(r, nullptr) << weft_last_error();

        std::this_thread::sleep_for(std::chrono::milliseconds(3 + 7 * round));  // somewhere in the middle; any moment must do
        wf_engine_lose_device(wf_session_engine(s), round % 3);

        ASSERT_EQ(weft_wait(r, 60), WEFT_OK) << weft_last_error();
        std::vector<double> got = values(m);
        weft_session *plain = open_with("cpu", 256 << 20);
        weft_array *px = drawn(plain, {1500, 1500}, {100, 100}, 3);
        weft_array *py = weft_cumulative_sum(weft_add(weft_exp(px), weft_matrix_transpose(px)), 0, nullptr);
        EXPECT_TRUE(same_bits(got, values(weft_mean(weft_subtract(py, weft_mean(py, 1, &axis0, nullptr)), 1, &axis0, nullptr)))) << "round " << round;
        weft_close(plain);
        weft_request_free(r);
        weft_close(s);
    }
}

TEST(Engine, CancelEndsARequestSoon) {
    weft_session *s = open_with("cpu", 64 << 20);
    weft_array *x = weft_sum(weft_exp(drawn(s, {1000000, 1000}, {}, 1)), 0, nullptr, nullptr);  // minutes of work
    weft_request *r = weft_start(1, &x, nullptr);
    ASSERT_NE(r, nullptr);

    EXPECT_EQ(weft_wait(r, 0.05), WEFT_TIMEOUT);
    weft_cancel(r);

    EXPECT_EQ(weft_wait(r, 5), WEFT_CANCELLED);
    weft_request_free(r);
    weft_close(s);
}

TEST(Engine, ManyThreadsShareOneSession) {
    weft_session *s = open_with("cpu:2", 64 << 20, "test=true");
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 20; i++) {
                weft_scope *scope = weft_scope_open(s);
                double v = 0;
                int64_t n = 1000 + 10 * t;
                weft_array *x = weft_arange(s, 0, (double)n, 1, WEFT_FLOAT64);
                if (weft_item_f64(weft_sum(weft_add(x, weft_num(s, i)), 0, nullptr, nullptr), &v) != WEFT_OK) wrong++;
                if (v != (double)(n * (n - 1) / 2 + n * i)) wrong++;
                if (weft_scope_close(scope, 0, nullptr) != WEFT_OK) wrong++;
            }
        });
    for (auto &t : threads) t.join();
    EXPECT_EQ(wrong, 0);
    weft_close(s);
}

struct FailingAllocations : testing::TestWithParam<const char *> {};

TEST_P(FailingAllocations, GiveAnErrorAndLeaveTheSessionUsable) {
    weft_close(open_with(GetParam(), 16 << 20));  // a module stays loaded
    int64_t live = wf_alloc_live();
    for (int64_t n = 1; n < 400; n += 3) {
        wf_alloc_fail_at(0);
        weft_options o = {};
        o.devices = GetParam();
        o.settings = "mode=sync; test=true";
        o.memory_limit = 16 << 20;
        weft_session *s = weft_open(&o);
        ASSERT_NE(s, nullptr);
        const int axis0 = 0;
        const int64_t shape[] = {60, 50};
        static const double lent[3000] = {};
        weft_memory_options borrow = {};
        borrow.borrow = true;
        double v = 0;
        wf_alloc_fail_at(n);
        weft_array *x = drawn(s, {60, 50}, {16, 16}, 2), *y = weft_from_memory(s, lent, WEFT_FLOAT64, 2, shape, &borrow);
        weft_status st = weft_item_f64(weft_sum(weft_mean(weft_add(x, y), 1, &axis0, nullptr), 0, nullptr, nullptr), &v);
        wf_alloc_fail_at(0);
        if (st != WEFT_OK) {
            EXPECT_EQ(st, WEFT_NO_MEMORY) << n << ": " << weft_last_error();
            EXPECT_EQ(v, 0);
        }
        y = weft_arange(s, 0, 10, 1, WEFT_FLOAT64);
        EXPECT_EQ(weft_item_f64(weft_sum(y, 0, nullptr, nullptr), &v), WEFT_OK) << n << ": " << weft_last_error();
        EXPECT_EQ(v, 45);
        weft_close(s);
        EXPECT_EQ(wf_alloc_live(), live) << "allocation " << n;
    }
}

INSTANTIATE_TEST_SUITE_P(Devices, FailingAllocations, testing::Values("cpu", "hidden:1"));

}  // namespace
