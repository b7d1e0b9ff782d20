// SPDX-License-Identifier: Apache-2.0
// threads_test - many threads reserve, make, share, pin, take over, lose and free blocks at random: no budget is ever passed, every
// byte is right, nobody waits for ever, and nothing is left over.
#include "memory/fake_device.h"

#include <gtest/gtest.h>

#include <mutex>
#include <random>
#include <thread>

using fake::Folder;
using fake::World;

namespace {

constexpr int64_t KiB = 1024, MiB = 1024 * KiB;

#if defined(WEFT_UNDER_TSAN)
constexpr int TURNS = 300;  // every byte costs many times as much; fewer, and nothing may be taken over
#else
constexpr int TURNS = 400;
#endif

struct Shared {
    wf_block *block;
    int seed;
};

struct Crowd {
    World w;
    Folder folder;
    std::mutex lock;
    std::vector<Shared> pool;
    std::atomic<int64_t> made{0}, checked{0}, busy{0}, lost{0}, reused{0};
    bool losses = false;

    void check_budgets() {
        for (int d = -1; d < static_cast<int>(w.device.size()); d++) {
            const wf_store_usage u = w.usage(d);
            ASSERT_LE(u.used + u.reserved, u.limit);
            ASSERT_LE(u.peak, u.limit);
            ASSERT_GE(u.used, 0);
            ASSERT_GE(u.reserved, 0);
        }
    }
    // Reserves, waiting while the store is busy. False: in vain, which fails the test.
    bool reserve(int d, int64_t bytes, wf_reservation *out) {
        for (int waits = 0; waits < 2000; waits++) {
            const uint64_t turn = wf_store_turn(w.store);
            const weft_status st = wf_store_reserve(w.store, d, bytes, out);
            if (st == WEFT_OK) return true;
            EXPECT_EQ(st, WEFT_BUSY) << wf_last_error();
            if (st != WEFT_BUSY) return false;
            busy++;
            wf_store_wait(w.store, turn, 0.05);
        }
        ADD_FAILURE() << "waited for ever: " << wf_last_error();
        return false;
    }
    void make(std::mt19937 &random, int d) {
        static const int64_t sizes[] = {24, 160, 1000, 5000, 40000, 100 * KiB, 300 * KiB};
        const int64_t bytes = sizes[random() % 7];
        const int seed = static_cast<int>(random() % 250);
        wf_reservation r = {};
        wf_block *block = nullptr;
        if (!reserve(d, bytes, &r)) return;
        const weft_status st = wf_block_create(w.store, &r, bytes, &block);
        wf_store_unreserve(w.store, &r);
        ASSERT_EQ(st, WEFT_OK) << wf_last_error();
        void *data = World::data_of(block, d);
        if (data) w.fill(d, data, bytes, seed);  // else the device was lost meanwhile
        wf_block_seal(block, static_cast<double>(random() % 3) * 1e-4);
        made++;
        std::lock_guard<std::mutex> guard(lock);
        pool.push_back({block, seed});
    }
    bool pick(std::mt19937 &random, Shared *out, bool take) {
        std::lock_guard<std::mutex> guard(lock);
        if (pool.empty()) return false;
        const size_t k = random() % pool.size();
        *out = pool[k];
        if (!take) {
            wf_block_retain(out->block);
            return true;
        }
        pool[k] = pool.back();
        pool.pop_back();
        return true;
    }
    void use(std::mt19937 &random, int d) {
        Shared s = {};
        wf_reservation r = {};
        void *data = nullptr;
        if (!pick(random, &s, false)) return;
        if (reserve(d, wf_block_bytes(s.block), &r)) {
            const weft_status st = wf_block_pin(s.block, d, &r, &data);
            wf_store_unreserve(w.store, &r);
            if (st == WEFT_OK) {
                EXPECT_TRUE(w.holds(d, data, wf_block_bytes(s.block), s.seed));
                wf_block_unpin(s.block, d);
                checked++;
            } else {
                EXPECT_TRUE(losses && (st == WEFT_LOST || st == WEFT_DEVICE)) << wf_last_error();
                lost++;
            }
        }
        wf_block_release(s.block);
    }
    void read(std::mt19937 &random) {
        Shared s = {};
        if (!pick(random, &s, false)) return;
        const int64_t bytes = wf_block_bytes(s.block), at = static_cast<int64_t>(random()) % bytes;
        unsigned char byte = 0;
        const weft_status st = wf_block_read(s.block, at, 1, &byte);
        if (st == WEFT_OK)
            EXPECT_EQ(byte, World::value(s.seed, at));
        else
            EXPECT_TRUE(losses && st == WEFT_LOST) << wf_last_error();
        wf_block_release(s.block);
    }
    void take_over(std::mt19937 &random, int d) {
        Shared s = {};
        void *data = nullptr;
        if (!pick(random, &s, true)) return;
        if (wf_block_pin_bytes(s.block, d) == 0 && wf_block_pin(s.block, d, nullptr, &data) == WEFT_OK) {
            if (wf_block_reuse(s.block, d)) {
                s.seed = static_cast<int>(random() % 250);
                w.fill(d, data, wf_block_bytes(s.block), s.seed);
                wf_block_seal(s.block, 0);
                reused++;
            } else {
                wf_block_unpin(s.block, d);
            }
        }
        std::lock_guard<std::mutex> guard(lock);
        pool.push_back(s);
    }
    void free_some(std::mt19937 &random) {
        Shared s = {};
        if (pick(random, &s, true)) wf_block_release(s.block);
    }
    void work(unsigned seed, int turns) {
        std::mt19937 random(seed);
        const int devices = static_cast<int>(w.device.size());
        for (int i = 0; i < turns && !testing::Test::HasFatalFailure(); i++) {
            const int d = static_cast<int>(random() % static_cast<unsigned>(devices));
            const unsigned what = random() % 100;
            size_t held = 0;
            {
                std::lock_guard<std::mutex> guard(lock);
                held = pool.size();
            }
            if (held > 120 || what < 8)
                free_some(random);
            else if (what < 40)
                make(random, d);
            else if (what < 80)
                use(random, d);
            else if (what < 88)
                take_over(random, d);
            else if (what < 98)
                read(random);
            else if (losses && what == 99)
                wf_store_lose_device(w.store, d);
            check_budgets();
        }
    }
    void run(int nthreads, int turns) {
        std::vector<std::thread> threads;
        for (int t = 0; t < nthreads; t++) threads.emplace_back([this, t, turns] { work(static_cast<unsigned>(t) + 1, turns); });
        for (auto &t : threads) t.join();
        EXPECT_GT(made, 50);
        EXPECT_GT(checked, 50);
        for (auto &s : pool) wf_block_release(s.block);
        pool.clear();
        for (int d = -1; d < static_cast<int>(w.device.size()); d++) {
            EXPECT_EQ(w.usage(d).used, 0) << d;
            EXPECT_EQ(w.usage(d).reserved, 0) << d;
        }
        EXPECT_EQ(w.usage().spilled, 0);
        EXPECT_EQ(w.usage().blocks, 0);
    }
};

TEST(Crowd, KeepsEveryByteWithinTheBudget) {
    Crowd c;
    ASSERT_EQ(c.w.open("vvh", {MiB, 700 * KiB, MiB}, 1200 * KiB, c.folder.path.c_str()), WEFT_OK);
    c.run(6, TURNS);
    EXPECT_GT(c.reused, 0);
    EXPECT_GT(c.w.stat(WF_STAT_BYTES_SPILLED), 0);
    EXPECT_GT(c.w.stat(WF_STAT_BLOCKS_DROPPED), 0);
}

TEST(Crowd, SurvivesTheLossOfDevices) {
    Crowd c;
    c.losses = true;
    ASSERT_EQ(c.w.open("vh", {MiB, MiB}, 1500 * KiB, c.folder.path.c_str()), WEFT_OK);
    c.run(5, TURNS);
    EXPECT_GT(c.w.stat(WF_STAT_DEVICES_LOST), 0);
}

// Whoever makes room on one device drops a copy while the last user of its block lets go of it. (ThreadSanitizer sees it when it is not kept
// apart; without, it takes luck.)
TEST(Crowd, ABlockMayBeFreedWhileItsCopiesAreEvicted) {
    World w;
    const int64_t bytes = 8 * KiB, count = 64;
    const int turns = 60;
    ASSERT_EQ(w.open("vh", {2 * MiB, count * bytes}, 2 * MiB, ""), WEFT_OK);
    std::vector<wf_block *> blocks(count);
    std::atomic<int> turn{0}, ready{0};
    std::atomic<int64_t> reserved{0};
    std::thread other([&] {
        for (int t = 1; t <= turns; t++) {
            while (turn < t) std::this_thread::yield();
            for (int64_t n = 1; n <= count; n++) {
                wf_reservation r = {};
                if (wf_store_reserve(w.store, 1, n * bytes, &r) != WEFT_OK) continue;
                reserved++;
                wf_store_unreserve(w.store, &r);
            }
            ready++;
        }
    });
    for (int t = 1; t <= turns; t++) {
        for (auto &block : blocks) {
            wf_reservation r = {};
            void *data = nullptr;
            ASSERT_EQ(wf_store_reserve(w.store, 0, bytes, &r), WEFT_OK) << wf_last_error();
            ASSERT_EQ(wf_block_create(w.store, &r, bytes, &block), WEFT_OK) << wf_last_error();
            wf_block_seal(block, 0);
            ASSERT_EQ(wf_store_reserve(w.store, 1, bytes, &r), WEFT_OK) << wf_last_error();
            ASSERT_EQ(wf_block_pin(block, 1, &r, &data), WEFT_OK) << wf_last_error();
            wf_block_unpin(block, 1);
        }
        turn = t;
        for (auto &block : blocks) wf_block_release(block);
        while (ready < t) std::this_thread::yield();
        ASSERT_EQ(w.usage(1).used, 0);
    }
    other.join();
    EXPECT_GT(reserved, 0);
    EXPECT_EQ(w.usage().blocks, 0);
}

}  // namespace
