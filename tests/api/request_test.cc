// SPDX-License-Identifier: Apache-2.0
// request_test - computing: many results of one plan, requests that are waited for, cancelled, timed out or forgotten, and threads.
#include <atomic>
#include <chrono>
#include <thread>

#include <mutex>

#include "api/fixture.h"

namespace {

using Request = Api;

// A reader that stands still until it is told to go on.
struct Gate {
    std::atomic<bool> open{ false };
    std::atomic<int> calls{ 0 };
};

weft_status pass(void *context, const int64_t *, const int64_t *count, void *out)
{
    Gate *g = static_cast<Gate *>(context);
    ++g->calls;
    while (!g->open) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (int64_t i = 0; i < count[0]; i++) static_cast<double *>(out)[i] = 1;
    return WEFT_OK;
}

TEST_F(Request, ComputesManyArraysInOnePlan) {
    weft_array *x = count_to(100), *y = weft_add(x, x);
    weft_array *all[] = { y, weft_sum(y, WEFT_ALL_AXES, nullptr), y, weft_num(s, 4), x };

    EXPECT_EQ(weft_compute(5, all, nullptr), WEFT_OK) << weft_last_error();

    for (weft_array *a : all) EXPECT_TRUE(weft_array_is_computed(a));
    EXPECT_EQ(value(all[1]), 9900);
    EXPECT_EQ(weft_compute(0, nullptr, nullptr), WEFT_OK);
}

void keep_log(void *context, int, const char *text)
{
    static std::mutex lock;
    std::lock_guard<std::mutex> hold(lock);
    *static_cast<std::string *>(context) += std::string(text) + "\n";
}

TEST_F(Request, TheLogTellsOfPlansSpillsAndTheEnd) {
    std::string log;
    open("", "cpu:2@2MiB");
    weft_set_log(keep_log, &log);
    for (int turn = 0; turn < 2; turn++) {
        weft_array *x = weft_random_normal(s, WEFT_SHAPE(1000, 1000), nullptr);
        EXPECT_EQ(weft_compute(1, &x, nullptr), WEFT_OK) << weft_last_error();
    }
    weft_set_log(nullptr, nullptr);

    EXPECT_NE(log.find("compute: plan made: "), std::string::npos) << log;
    EXPECT_NE(log.find("compute: plan found in the cache: "), std::string::npos) << log;
    EXPECT_NE(log.find("spilled to '"), std::string::npos) << log;
    EXPECT_NE(log.find("compute: done: "), std::string::npos) << log;
}

TEST_F(Request, ALoopOfSolversUsesOnePlan) {
    weft_scope *turn = weft_scope_open(s);
    weft_array *x = count_to(50);
    weft_session_stats before, after;
    for (int i = 0; i < 20; i++) {
        x = weft_add(weft_multiply(x, weft_num(s, 0.5 + 0.01 * i)), weft_num(s, 3));
        ASSERT_EQ(weft_scope_reset(turn, 1, &x), WEFT_OK);
        ASSERT_EQ(weft_compute(1, &x, nullptr), WEFT_OK);
        ASSERT_EQ(weft_stats(s, i <= 3 ? &before : &after), WEFT_OK);
    }
    ASSERT_EQ(weft_stats(s, &after), WEFT_OK);

    EXPECT_EQ(after.plans_made, before.plans_made);
    EXPECT_EQ(after.plans_cached - before.plans_cached, 16);
    EXPECT_EQ(after.requests - before.requests, 16);
}

TEST_F(Request, IsStartedAndWaitedFor) {
    weft_scope *scope = weft_scope_open(s);
    Gate gate;
    weft_array *x = weft_from_reader(s, pass, &gate, WEFT_FLOAT64, WEFT_SHAPE(40));
    weft_array *y = weft_add(x, x);
    weft_request *r = weft_start(1, &y, nullptr);
    ASSERT_NE(r, nullptr);

    EXPECT_FALSE(weft_request_done(r));
    EXPECT_EQ(weft_wait(r, 0), WEFT_TIMEOUT);
    EXPECT_EQ(weft_wait(r, 0.01), WEFT_TIMEOUT);
    EXPECT_STREQ(weft_last_error(), "wait: the request has not ended after 0.01 s");
    gate.open = true;
    EXPECT_EQ(weft_wait(r, -1), WEFT_OK);
    EXPECT_EQ(weft_wait(r, 0), WEFT_OK);
    EXPECT_TRUE(weft_request_done(r));
    EXPECT_EQ(value(weft_sum(y, WEFT_ALL_AXES, nullptr)), 80);
    weft_request_free(r);
    EXPECT_EQ(weft_scope_close(scope, 0, nullptr), WEFT_OK);
}

TEST_F(Request, HoldsItsArraysWhenScopesClose) {
    weft_scope *scope = weft_scope_open(s);
    Gate gate;
    weft_array *y = weft_from_reader(s, pass, &gate, WEFT_FLOAT64, WEFT_SHAPE(40));
    y = weft_add(y, y);
    weft_request *r = weft_start(1, &y, nullptr);
    EXPECT_EQ(weft_scope_close(scope, 0, nullptr), WEFT_OK);

    gate.open = true;
    EXPECT_EQ(weft_wait(r, -1), WEFT_OK);
    weft_request_free(r);
}

TEST_F(Request, WhoNeedsItsArraysWaitsForItInsteadOfComputingThemAgain) {
    Gate gate;
    weft_array *x = weft_from_reader(s, pass, &gate, WEFT_FLOAT64, WEFT_SHAPE(4));
    weft_request *r = weft_start(1, &x, nullptr);
    std::thread later([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        gate.open = true;
    });

    EXPECT_EQ(values(x), (std::vector<double>{ 1, 1, 1, 1 }));

    later.join();
    EXPECT_EQ(gate.calls, 1);
    EXPECT_TRUE(weft_request_done(r));
    EXPECT_TRUE(weft_array_is_computed(x));
    weft_request_free(r);
}

TEST_F(Request, EndsCancelledAndLeavesArraysAsTheyWere) {
    Gate gate;
    weft_array *x = weft_rechunk(weft_from_reader(s, pass, &gate, WEFT_FLOAT64, WEFT_SHAPE(400)), WEFT_SHAPE(1));
    weft_request *r = weft_start(1, &x, nullptr);
    while (gate.calls == 0) std::this_thread::yield();

    weft_cancel(r);
    gate.open = true;

    EXPECT_EQ(weft_wait(r, -1), WEFT_CANCELLED);
    EXPECT_EQ(weft_wait(r, -1), WEFT_CANCELLED);
    EXPECT_FALSE(weft_array_is_computed(x));
    EXPECT_LT(gate.calls, 400);
    weft_cancel(r);
    weft_cancel(nullptr);
    weft_request_free(r);
    EXPECT_EQ(value(weft_sum(x, WEFT_ALL_AXES, nullptr)), 400);
}

TEST_F(Request, EndsWithItsTimeout) {
    Gate gate;
    weft_array *x = weft_rechunk(weft_from_reader(s, pass, &gate, WEFT_FLOAT64, WEFT_SHAPE(400)), WEFT_SHAPE(1));
    weft_compute_options o = {};
    o.timeout = 0.03;
    std::thread later([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        gate.open = true;
    });

    EXPECT_FAILS(weft_compute(1, &x, &o), WEFT_TIMEOUT, "compute: not done after 0.03 s");

    later.join();
    EXPECT_FALSE(weft_array_is_computed(x));
    o.timeout = -1;
    EXPECT_FAILS(weft_compute(1, &x, &o), WEFT_INVALID, "compute: .timeout must be >= 0 seconds, got -1");
}

TEST_F(Request, IsCancelledByCloseAndByItsOwnEnd) {
    Gate gate;
    weft_array *x = weft_rechunk(weft_from_reader(s, pass, &gate, WEFT_FLOAT64, WEFT_SHAPE(400)), WEFT_SHAPE(1));
    weft_request *freed = weft_start(1, &x, nullptr);
    ASSERT_NE(weft_start(1, &x, nullptr), nullptr);  // left to weft_close
    while (gate.calls == 0) std::this_thread::yield();
    gate.open = true;

    weft_request_free(freed);
    close();
}

struct Told {
    std::atomic<int> calls{ 0 }, inside{ 0 }, overlaps{ 0 };
    std::atomic<int64_t> done{ 0 }, total{ 0 };
    weft_array *other = nullptr;
    std::atomic<int> waited{ -1 };
};

void tell(void *context, const weft_progress *p)
{
    Told *t = static_cast<Told *>(context);
    if (++t->inside > 1) ++t->overlaps;
    ++t->calls;
    t->done = p->blocks_done;
    t->total = p->blocks_total;
    if (t->other) t->waited = weft_compute(1, &t->other, nullptr);
    --t->inside;
}

TEST_F(Request, TellsItsProgressOneCallAtATime) {
    Told told;
    told.other = count_to(5);
    weft_array *x = weft_rechunk(weft_random_normal(s, WEFT_SHAPE(2000, 300), nullptr), WEFT_SHAPE(10, 30));
    weft_compute_options o = {};
    o.progress = tell;
    o.context = &told;

    EXPECT_EQ(weft_compute(1, &x, &o), WEFT_OK);

    EXPECT_GE(told.calls, 1);
    EXPECT_EQ(told.overlaps, 0);
    EXPECT_EQ(told.done, told.total);
    EXPECT_EQ(told.waited, WEFT_BUSY);
}

TEST_F(Request, RunsFromManyThreadsOnOneSession) {
    std::atomic<int> wrong{ 0 };
    weft_array *shared = weft_add(count_to(500), weft_num(s, 1));
    auto work = [&](int k) {
        for (int i = 0; i < 20; i++) {
            weft_scope *scope = weft_scope_open(s);
            double v = 0;
            weft_array *y = weft_multiply(weft_index(shared, WEFT_CUTS(WEFT_FROM(k))), weft_num(s, k));
            if (weft_item_f64(weft_sum(y, WEFT_ALL_AXES, nullptr), &v)) wrong++;
            double n = 500 - k, want = k * (n * k + n * (n - 1) / 2 + n);
            if (v != want) wrong++;
            if (weft_add(y, weft_zeros(s, WEFT_FLOAT64, WEFT_SHAPE(3)))) wrong++;
            if (weft_error_take() != WEFT_INVALID) wrong++;
            if (i == 7 && weft_compute(1, &shared, nullptr)) wrong++;
            if (weft_scope_close(scope, 0, nullptr)) wrong++;
        }
    };
    std::vector<std::thread> threads;
    for (int k = 1; k <= 4; k++) threads.emplace_back(work, k);
    for (auto &t : threads) t.join();

    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(value(weft_sum(shared, WEFT_ALL_AXES, nullptr)), 500.0 * 501 / 2);
}

TEST_F(Request, ExplainsItsPlanWithoutRunningIt) {
    Gate gate;
    weft_random_options o = {};
    o.seed = 77;
    weft_array *x = weft_from_reader(s, pass, &gate, WEFT_FLOAT64, WEFT_SHAPE(4));
    weft_array *y = weft_add(x, weft_random_normal(s, WEFT_SHAPE(4), &o));

    char *text = weft_explain(y);

    ASSERT_NE(text, nullptr) << weft_last_error();
    EXPECT_NE(std::string(text).find("plan: "), std::string::npos) << text;
    EXPECT_NE(std::string(text).find("seed 77, stream 1"), std::string::npos) << text;
    EXPECT_EQ(gate.calls, 0);
    weft_text_free(text);
    EXPECT_EQ(weft_explain(nullptr), nullptr);
    EXPECT_EQ(weft_last_status(), WEFT_INVALID);
}

}  // namespace
