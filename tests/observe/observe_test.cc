// SPDX-License-Identifier: Apache-2.0
// observe_test - counters add up over threads; logs reach their callback and no longer than they
// may; traces are valid JSON.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

extern "C" {
#include "base/alloc.h"
#include "base/thread.h"
#include "observe/log.h"
#include "observe/stats.h"
#include "observe/trace.h"
}

namespace {

TEST(Stats, AddUpOverThreads) {
    static wf_stats stats = {};
    std::vector<std::thread> threads;
    for (int t = 0; t < 12; t++)
        threads.emplace_back([] {
            for (int i = 0; i < 1000; i++) wf_stats_add(&stats, WF_STAT_TASKS, 1);
            wf_stats_add(&stats, WF_STAT_BYTES_READ, 10);
            wf_stats_add(&stats, WF_STAT_BYTES_READ, -3);
        });
    for (auto &t : threads) t.join();

    int64_t all[WF_STAT_COUNT];
    wf_stats_read(&stats, all);

    EXPECT_EQ(wf_stats_get(&stats, WF_STAT_TASKS), 12000);
    EXPECT_EQ(all[WF_STAT_BYTES_READ], 84);
    EXPECT_EQ(all[WF_STAT_STEPS], 0);
}

TEST(Stats, PeaksKeepTheLargest) {
    static wf_stats stats = {};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([t] {
            for (int i = 0; i < 1000; i++) wf_stats_peak(&stats, WF_STAT_PEAK_BYTES, 4 * i + t);
        });
    for (auto &t : threads) t.join();

    wf_stats_peak(&stats, WF_STAT_PEAK_BYTES, 17);

    EXPECT_EQ(wf_stats_get(&stats, WF_STAT_PEAK_BYTES), 3999);
    EXPECT_STREQ(wf_stat_name(WF_STAT_PEAK_BYTES), "peak_bytes");
    EXPECT_STRNE(wf_stat_doc(WF_STAT_PEAK_BYTES), "");
}

struct Log : testing::Test {
    std::vector<std::string> heard;
    static void hear(void *context, int level, const char *text) {
        ((Log *)context)->heard.push_back(std::string(wf_log_level_name((wf_log_level)level)) + ": " + text);
    }
    ~Log() override { wf_log_set(nullptr, nullptr, 0); }
};

TEST_F(Log, IsSilentUntilAskedAndAfterwards) {
    wf_log(WF_LOG_ERROR, "before");
    wf_log_set(hear, this, WF_LOG_WARN);
    wf_log(WF_LOG_WARN, "%d fallbacks", 3);
    wf_log(WF_LOG_INFO, "too much detail");
    EXPECT_TRUE(wf_log_is_on(WF_LOG_WARN));
    EXPECT_FALSE(wf_log_is_on(WF_LOG_INFO));
    wf_log_set(nullptr, nullptr, WF_LOG_DEBUG);
    wf_log(WF_LOG_ERROR, "after");

    EXPECT_EQ(heard, std::vector<std::string>{"warn: 3 fallbacks"});
    EXPECT_FALSE(wf_log_is_on(WF_LOG_ERROR));
}

TEST_F(Log, SaysAThingOncePerKeyAndCallback) {
    const std::vector<std::string> expected = {"warn: no BLAS 0", "warn: no SLEEF", "warn: no BLAS 3"};
    wf_log_once("blas", WF_LOG_WARN, "nobody listens: this does not count");
    wf_log_set(hear, this, WF_LOG_WARN);

    for (int i = 0; i < 3; i++) wf_log_once("blas", WF_LOG_WARN, "no BLAS %d", i);
    wf_log_once("sleef", WF_LOG_WARN, "no SLEEF");
    wf_log_set(hear, this, WF_LOG_WARN);
    wf_log_once("blas", WF_LOG_WARN, "no BLAS %d", 3);

    EXPECT_EQ(heard, expected);
}

TEST_F(Log, FindsLevelsByName) {
    EXPECT_EQ(wf_log_level_find("off"), 0);
    EXPECT_EQ(wf_log_level_find("debug"), WF_LOG_DEBUG);
    EXPECT_EQ(wf_log_level_find("loud"), -1);
}

void set_and_log(void *context, int, const char *) {
    wf_log_set(nullptr, nullptr, 0);  // a lock held here would be a deadlock
    *(bool *)context = true;
}

TEST_F(Log, MayBeChangedInsideTheCallback) {
    bool called = false;
    wf_log_set(set_and_log, &called, WF_LOG_WARN);

    wf_log(WF_LOG_WARN, "x");

    EXPECT_TRUE(called);
    EXPECT_FALSE(wf_log_is_on(WF_LOG_ERROR));
}

struct Visit {
    int entered = 0, replacing = 0, replaced = 0, outlived = 0;
};

int read(int *flag) { return __atomic_load_n(flag, __ATOMIC_SEQ_CST); }
void raise(int *flag) { __atomic_store_n(flag, 1, __ATOMIC_SEQ_CST); }

// Stays inside while another thread replaces it, and looks whether that thread went on.
void linger(void *context, int, const char *) {
    auto *visit = (Visit *)context;
    raise(&visit->entered);
    while (!read(&visit->replacing)) std::this_thread::yield();
    for (int i = 0; i < 2000 && !visit->outlived; i++) {
        visit->outlived = read(&visit->replaced);
        std::this_thread::yield();
    }
}

TEST_F(Log, WaitsForTheOldCallbackToLeave) {
    Visit visit;
    wf_log_set(linger, &visit, WF_LOG_WARN);
    std::thread logger([] { wf_log(WF_LOG_WARN, "x"); });
    while (!read(&visit.entered)) std::this_thread::yield();

    raise(&visit.replacing);
    wf_log_set(hear, this, WF_LOG_WARN);
    raise(&visit.replaced);
    logger.join();

    EXPECT_EQ(visit.outlived, 0);
}

// A reader of JSON that only says whether a text is one value of it, and counts objects that have a
// given "ph".
struct Json {
    const char *p;
    int depth = 0;
    bool bad = false;
    void space() {
        while (*p && strchr(" \n\t\r", *p)) p++;
    }
    bool take(char c) {
        space();
        return *p == c ? p++, true : false;
    }
    void need(char c) { bad = bad || !take(c); }
    void string() {
        need('"');
        while (!bad && *p != '"') {
            unsigned char c = (unsigned char)*p;
            if (c < ' ')
                bad = true;
            else if (c == '\\' && p[1] == 'u')
                p += 6;
            else if (c == '\\')
                bad = !strchr("\"\\/bfnrt", p[1]), p += 2;
            else
                p++;
        }
        need('"');
    }
    void value() {
        space();
        if (bad || ++depth > 50) {
            bad = true;
            return;
        }
        if (*p == '{') {
            p++;
            if (!take('}')) {
                do {
                    space(), string(), need(':'), value();
                } while (!bad && take(','));
                need('}');
            }
        } else if (*p == '[') {
            p++;
            if (!take(']')) {
                do value();
                while (!bad && take(','));
                need(']');
            }
        } else if (*p == '"') {
            string();
        } else {
            size_t n = strspn(p, "0123456789.-");
            bad = n == 0;
            p += n;
        }
        depth--;
    }
};

bool is_json(const std::string &text) {
    Json json{text.c_str()};
    json.value();
    json.space();
    return !json.bad && *json.p == 0;
}

int count_of(const std::string &text, const std::string &what) {
    int n = 0;
    for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) n++;
    return n;
}

struct Trace : testing::Test {
    int64_t live = wf_alloc_live(), dropped = -1;
    std::string stop() {
        char *data = nullptr;
        size_t size = 0;
        FILE *file = open_memstream(&data, &size);
        EXPECT_EQ(wf_trace_stop(file, &dropped), WEFT_OK) << wf_last_error();
        fclose(file);
        std::string text(data, size);
        free(data);
        EXPECT_TRUE(is_json(text)) << text;
        EXPECT_EQ(wf_alloc_live(), live);
        return text;
    }
    static void spans(int n, const char *name) {
        for (int i = 0; i < n; i++) {
            int64_t start = wf_trace_begin();
            wf_trace_end(start, "task", name, i, 100);
        }
    }
};

TEST_F(Trace, CostsNothingAndKeepsNothingWhenOff) {
    EXPECT_EQ(wf_trace_begin(), 0);
    spans(10, "x");
    EXPECT_EQ(wf_alloc_live(), live);
    EXPECT_EQ(wf_trace_stop(nullptr, nullptr), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "trace: none is running");
}

void named_spans(void *) { Trace::spans(600, "in the thread"); }

TEST_F(Trace, HasOneRowPerThreadWithItsName) {
    ASSERT_EQ(wf_trace_start(0), WEFT_OK);
    wf_thread threads[3] = {};
    const char *names[] = {"weft cpu 0", "weft cpu 1", "weft \"io\""};
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(wf_thread_start(&threads[i], names[i], named_spans, nullptr), WEFT_OK);
    spans(5, "here");
    for (auto &thread : threads) wf_thread_join(&thread);

    std::string text = stop();

    EXPECT_EQ(count_of(text, "\"thread_name\""), 4);
    EXPECT_EQ(count_of(text, "{\"name\":\"weft cpu 0\"}"), 1);
    EXPECT_EQ(count_of(text, "{\"name\":\"weft \\\"io\\\"\"}"), 1);
    EXPECT_EQ(count_of(text, "\"ph\":\"X\""), 1805);
    EXPECT_EQ(count_of(text, "\"block\":599,\"bytes\":100"), 3);
    EXPECT_EQ(dropped, 0);
}

TEST_F(Trace, EscapesNamesAndLeavesOutWhatIsNone) {
    ASSERT_EQ(wf_trace_start(0), WEFT_OK);
    wf_trace_end(wf_trace_begin(), "read", "a\"b\\c\n\xC3\xA9\xFF", -1, -1);
    std::string cut = std::string(46, 'x') + "\xC3\xA9";  // cut inside a character
    wf_trace_end(wf_trace_begin(), "read", cut.c_str(), -1, 7);

    std::string text = stop();

    EXPECT_EQ(count_of(text, "\"name\":\"a\\\"b\\\\c\\u000a\xC3\xA9?\""), 1);
    EXPECT_EQ(count_of(text, "\"args\":{}"), 1);
    EXPECT_EQ(count_of(text, std::string(46, 'x') + "?\""), 1);
    EXPECT_EQ(count_of(text, "\"args\":{\"bytes\":7}"), 1);
}

TEST_F(Trace, CountsWhatDoesNotFit) {
    ASSERT_EQ(wf_trace_start(100000), WEFT_OK);
    EXPECT_EQ(wf_trace_start(0), WEFT_BUSY);
    EXPECT_STREQ(wf_last_error(), "trace: one is running already");
    spans(5000, "x");

    std::string text = stop();

    EXPECT_GT(dropped, 0);
    EXPECT_EQ(count_of(text, "\"ph\":\"X\"") + dropped, 5000);
    EXPECT_EQ(count_of(text, "\"dropped_spans\":" + std::to_string(dropped)), 1);
}

TEST_F(Trace, ForgetsTheTraceBefore) {
    ASSERT_EQ(wf_trace_start(0), WEFT_OK);
    int64_t old = wf_trace_begin();
    spans(3, "first");
    ASSERT_EQ(wf_trace_stop(nullptr, nullptr), WEFT_OK);
    ASSERT_EQ(wf_trace_start(0), WEFT_OK);
    wf_trace_end(old, "task", "begun too early", -1, -1);
    spans(2, "second");

    std::string text = stop();

    EXPECT_EQ(count_of(text, "\"ph\":\"X\""), 2);
    EXPECT_EQ(count_of(text, "\"second\""), 2);
}

TEST_F(Trace, LosesSpansButNoErrorWithoutMemory) {
    ASSERT_EQ(wf_trace_start(0), WEFT_OK);
    wf_fail(WEFT_IO, "mine");
    wf_alloc_fail_at(1);
    spans(1, "x");
    wf_alloc_fail_at(0);

    stop();

    EXPECT_EQ(dropped, 1);
    EXPECT_STREQ(wf_last_error(), "mine");
}

TEST_F(Trace, ReportsAFullDisk) {
    FILE *full = fopen("/dev/full", "w");
    if (!full) GTEST_SKIP() << "no /dev/full here";
    ASSERT_EQ(wf_trace_start(0), WEFT_OK);
    spans(10000, "x");

    EXPECT_EQ(wf_trace_stop(full, nullptr), WEFT_NO_SPACE);

    EXPECT_STREQ(wf_last_error(), "trace: could not be written: No space left on device");
    fclose(full);
    EXPECT_FALSE(wf_trace_is_on());
    EXPECT_EQ(wf_alloc_live(), live);
}

TEST_F(Trace, StartsAndStopsWhileThreadsAddSpans) {
    bool end = false;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; t++)
        threads.emplace_back([&end] {
            while (!__atomic_load_n(&end, __ATOMIC_SEQ_CST)) spans(3, "x");
        });

    for (int i = 0; i < 50; i++) {
        ASSERT_EQ(wf_trace_start(0), WEFT_OK);
        spans(10, "mine");
        std::string text = stop();
        EXPECT_EQ(count_of(text, "\"mine\""), 10);
    }
    __atomic_store_n(&end, true, __ATOMIC_SEQ_CST);
    for (auto &t : threads) t.join();
}

}  // namespace
