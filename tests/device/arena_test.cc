// SPDX-License-Identifier: Apache-2.0
// arena_test - the arena gives disjoint runs, reuses what was freed, keeps touched memory within its limit and survives any order.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

extern "C" {
#include "base/alloc.h"
#include "device/arena.h"
}

namespace {

constexpr int64_t KiB = 1024, MiB = 1024 * KiB;

int64_t resident_anonymous() {
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long long kib = 0;
    while (f && fgets(line, sizeof line, f)) sscanf(line, "RssAnon: %lld", &kib);
    if (f) fclose(f);
    return kib * KiB;
}

struct Arena : testing::Test {
    wf_arena *arena = nullptr;
    void open(int64_t limit) { ASSERT_EQ(wf_arena_create(limit, &arena), WEFT_OK); }
    void *take(int64_t bytes) {
        void *p = nullptr;
        EXPECT_EQ(wf_arena_alloc(arena, bytes, &p), WEFT_OK) << wf_last_error();
        return p;
    }
    ~Arena() override { wf_arena_destroy(arena); }
};

TEST_F(Arena, RejectsALimitOfZero) {
    wf_arena *out = nullptr;
    EXPECT_EQ(wf_arena_create(0, &out), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "arena: limit must be >= 1 byte, got 0");
    EXPECT_EQ(out, nullptr);
}

TEST_F(Arena, GivesAFreedRunAgainFirst) {
    open(256 * MiB);
    void *a = take(8 * MiB), *b = take(8 * MiB);
    wf_arena_free(arena, a, 8 * MiB);
    wf_arena_free(arena, b, 8 * MiB);
    EXPECT_EQ(take(8 * MiB), b);
    EXPECT_EQ(take(8 * MiB), a);
    wf_arena_free(arena, a, 8 * MiB);
    wf_arena_free(arena, b, 8 * MiB);
}

TEST_F(Arena, RefusesMoreThanItsAddressSpaceAndStaysUsable) {
    open(MiB);
    void *p = &arena;
    EXPECT_EQ(wf_arena_alloc(arena, INT64_C(1) << 40, &p), WEFT_NO_MEMORY);
    EXPECT_EQ(p, &arena);
    EXPECT_EQ(wf_arena_alloc(arena, -1, &p), WEFT_NO_MEMORY);
    p = take(100);
    memset(p, 1, 100);
    wf_arena_free(arena, p, 100);
    wf_arena_free(arena, nullptr, 5);
}

// Sanitizers have memory of their own behind every page.
#if defined(WEFT_UNDER_TSAN) || defined(WEFT_UNDER_ASAN)
constexpr int64_t NOISE = INT64_C(1) << 40;
#else
constexpr int64_t NOISE = 8 * MiB;
#endif

TEST_F(Arena, TrimGivesEveryFreePageBack) {
    open(128 * MiB);
    const int64_t before = resident_anonymous();
    void *a = take(48 * MiB), *b = take(64 * KiB);
    memset(a, 1, 48 * MiB);
    memset(b, 2, 64 * KiB);
    EXPECT_GT(resident_anonymous() - before, 40 * MiB);

    wf_arena_free(arena, a, 48 * MiB);
    EXPECT_GE(wf_arena_touched(arena), 48 * MiB);
    wf_arena_trim(arena);

    EXPECT_EQ(wf_arena_touched(arena), 64 * KiB);
    EXPECT_LT(resident_anonymous() - before, NOISE);
    EXPECT_EQ(static_cast<char *>(b)[100], 2);
    wf_arena_free(arena, b, 64 * KiB);
}

// Sizes drift, so that no free run fits twice: without giving pages back this would touch several limits.
TEST_F(Arena, KeepsUsedAndCachedMemoryWithinItsLimit) {
    const int64_t limit = 64 * MiB;
    open(limit);
    std::mt19937 random(7);
    std::vector<std::pair<char *, int64_t>> live;
    int64_t used = 0;
    for (int i = 0; i < 20000; i++) {
        const int64_t bytes = (random() % 8 == 0 ? 64 * KiB : 1) * (1 + random() % (i % 1000 + 1)) / 4 + 4 * KiB;
        while (used + bytes > limit * 9 / 10) {
            const size_t k = random() % live.size();
            ASSERT_EQ(live[k].first[0], static_cast<char>(live[k].second));
            ASSERT_EQ(live[k].first[live[k].second - 1], static_cast<char>(live[k].second));
            wf_arena_free(arena, live[k].first, live[k].second);
            used -= live[k].second;
            live[k] = live.back();
            live.pop_back();
        }
        char *p = static_cast<char *>(take(bytes));
        ASSERT_EQ(reinterpret_cast<uintptr_t>(p) % 4096, 0u);
        p[0] = p[bytes - 1] = static_cast<char>(bytes);
        live.emplace_back(p, bytes);
        used += bytes;
        ASSERT_LE(wf_arena_used(arena), wf_arena_touched(arena));
        ASSERT_LE(wf_arena_touched(arena), limit + MiB) << "at turn " << i << ", used " << wf_arena_used(arena);
    }
    for (auto &run : live) wf_arena_free(arena, run.first, run.second);
    wf_arena_trim(arena);
    EXPECT_EQ(wf_arena_touched(arena), 0);
}

TEST_F(Arena, ServesManyThreadsWithoutOverlap) {
    open(32 * MiB);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([this, t] {
            std::mt19937 random(t);
            std::vector<std::pair<unsigned char *, int64_t>> live;
            for (int i = 0; i < 5000; i++) {
                const int64_t bytes = 1 + random() % (512 * KiB);
                void *p = nullptr;
                ASSERT_EQ(wf_arena_alloc(arena, bytes, &p), WEFT_OK);
                auto *data = static_cast<unsigned char *>(p);
                data[0] = data[bytes - 1] = static_cast<unsigned char>(t);
                live.emplace_back(data, bytes);
                if (live.size() < 12) continue;
                const size_t k = random() % live.size();
                ASSERT_EQ(live[k].first[0], t);
                ASSERT_EQ(live[k].first[live[k].second - 1], t);
                wf_arena_free(arena, live[k].first, live[k].second);
                live.erase(live.begin() + static_cast<long>(k));
            }
            for (auto &run : live) wf_arena_free(arena, run.first, run.second);
        });
    for (auto &t : threads) t.join();
    EXPECT_EQ(wf_arena_used(arena), 0);
    EXPECT_LE(wf_arena_touched(arena), 33 * MiB);
}

TEST(ArenaMemory, SurvivesTheFailureOfEachAllocation) {
    const int64_t live = wf_alloc_live();
    for (int64_t n = 1; n < 10; n++) {
        wf_arena *arena = nullptr;
        wf_alloc_fail_at(n);
        const weft_status st = wf_arena_create(MiB, &arena);
        wf_alloc_fail_at(0);
        if (st == WEFT_OK) {
            wf_arena_destroy(arena);
            EXPECT_GT(n, 1);
            break;
        }
        EXPECT_EQ(st, WEFT_NO_MEMORY);
        EXPECT_EQ(arena, nullptr);
    }
    EXPECT_EQ(wf_alloc_live(), live);
}

}  // namespace
