// SPDX-License-Identifier: Apache-2.0
// store_test - budgets hold, blocks survive eviction wherever they go, and what cannot be had is refused in words.
#include "memory/fake_device.h"

#include <gtest/gtest.h>

#include <thread>

using fake::Folder;
using fake::World;

namespace {

constexpr int64_t KiB = 1024, MiB = 1024 * KiB;

struct Store : testing::Test {
    Folder folder;
    World w;
    wf_block *make(int64_t bytes, int seed, int device = 0, double cost = 0) {
        wf_block *block = nullptr;
        EXPECT_EQ(w.make(device, bytes, seed, &block, cost), WEFT_OK) << wf_last_error();
        return block;
    }
    void expect_holds(wf_block *block, int seed, int device = 0) {
        bool same = false;
        EXPECT_EQ(w.check(block, device, seed, &same), WEFT_OK) << wf_last_error();
        EXPECT_TRUE(same) << "block " << seed;
    }
};

TEST_F(Store, CountsReservationsAndBlocks) {
    ASSERT_EQ(w.open("v", {10 * MiB}, 0, nullptr), WEFT_OK);
    wf_reservation r = {};
    wf_block *block = nullptr;

    ASSERT_EQ(wf_store_reserve(w.store, 0, 3 * MiB, &r), WEFT_OK);
    EXPECT_EQ(w.usage().reserved, 3 * MiB);
    ASSERT_EQ(wf_block_create(w.store, &r, MiB, &block), WEFT_OK);
    EXPECT_EQ(r.bytes, 2 * MiB);
    EXPECT_EQ(w.usage().used, MiB);
    EXPECT_EQ(w.usage().reserved, 2 * MiB);
    EXPECT_EQ(w.usage().blocks, 1);
    EXPECT_EQ(wf_block_bytes(block), MiB);
    EXPECT_EQ(wf_block_device(block), 0);
    wf_store_unreserve(w.store, &r);
    wf_store_unreserve(w.store, &r);
    EXPECT_EQ(w.usage().reserved, 0);
    wf_block_seal(block, 0);
    wf_block_release(block);
    EXPECT_EQ(w.usage().used, 0);
    EXPECT_EQ(w.usage(-1).used, 0);
    EXPECT_EQ(w.usage().peak, 3 * MiB);
    EXPECT_EQ(w.usage().blocks, 0);
}

TEST_F(Store, RefusesForEverWhatExceedsTheLimit) {
    ASSERT_EQ(w.open("v", {MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_reservation r = {7, 7};

    EXPECT_EQ(wf_store_reserve(w.store, 0, 2 * MiB, &r), WEFT_NO_MEMORY);
    EXPECT_STREQ(wf_last_error(), "store: wanted 2097152 bytes on fake0, its limit is 1048576");
    EXPECT_EQ(wf_store_reserve(w.store, 1, 1, &r), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "store: expected one of 1 devices and bytes >= 0, got device 1 and 1");
    EXPECT_EQ(wf_store_reserve(w.store, 0, -1, &r), WEFT_INVALID);
    EXPECT_EQ(r.device, 7);
    EXPECT_EQ(r.bytes, 7);
}

TEST_F(Store, NamesTheHostBudgetWhenThatIsTheSmallerOne) {
    ASSERT_EQ(w.open("v", {4 * MiB}, MiB, nullptr), WEFT_OK);
    wf_reservation r = {};
    EXPECT_EQ(wf_store_reserve(w.store, 0, 2 * MiB, &r), WEFT_NO_MEMORY);
    EXPECT_STREQ(wf_last_error(), "store: wanted 2097152 bytes on host memory, its limit is 1048576");
}

TEST_F(Store, IsBusyWhileOthersHoldWhatIsMissing) {
    ASSERT_EQ(w.open("v", {4 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_reservation a = {}, b = {};

    ASSERT_EQ(wf_store_reserve(w.store, 0, 3 * MiB, &a), WEFT_OK);
    EXPECT_EQ(wf_store_reserve(w.store, 0, 2 * MiB, &b), WEFT_BUSY);
    EXPECT_STREQ(wf_last_error(), "store: wanted 2097152 bytes of fake0, 3145728 of 4194304 are taken");
    wf_store_unreserve(w.store, &a);
    EXPECT_EQ(wf_store_reserve(w.store, 0, 2 * MiB, &b), WEFT_OK);
    wf_store_unreserve(w.store, &b);
}

TEST_F(Store, SaysSoWhenItIsFullAndMayNotSpill) {
    ASSERT_EQ(w.open("v", {4 * MiB}, 0, nullptr), WEFT_OK);
    wf_block *block = make(3 * MiB, 1);
    wf_reservation r = {};

    EXPECT_EQ(wf_store_reserve(w.store, 0, 2 * MiB, &r), WEFT_NO_MEMORY);
    EXPECT_STREQ(wf_last_error(), "store: wanted 2097152 bytes of fake0, 3145728 of 4194304 hold blocks that are still needed "
                                  "and no spill folder is set");
    expect_holds(block, 1);
    wf_block_release(block);
}

TEST_F(Store, RefusesABlockLargerThanItsReservation) {
    ASSERT_EQ(w.open("v", {4 * MiB}, 0, nullptr), WEFT_OK);
    wf_reservation r = {};
    wf_block *block = nullptr;
    ASSERT_EQ(wf_store_reserve(w.store, 0, 100, &r), WEFT_OK);
    EXPECT_EQ(wf_block_create(w.store, &r, 101, &block), WEFT_NO_MEMORY);
    EXPECT_STREQ(wf_last_error(), "store: a block of 101 bytes does not fit a reservation of 100");
    EXPECT_EQ(block, nullptr);
    wf_store_unreserve(w.store, &r);
}

TEST_F(Store, BringsEveryBlockBackFromDisk) {
    ASSERT_EQ(w.open("v", {4 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    std::vector<wf_block *> blocks;
    const int64_t sizes[] = {MiB, 700001, 2 * MiB, 100, 4096, 4097, 40000, 160, 0};

    for (int i = 0; i < 40; i++) blocks.push_back(make(sizes[i % 9], i));
    EXPECT_GT(w.usage().spilled, 8 * MiB);
    EXPECT_LE(w.usage().peak, 4 * MiB);
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < 40; i++) expect_holds(blocks[static_cast<size_t>(i)], i);
    EXPECT_LE(w.usage().peak, 4 * MiB);
    EXPECT_LE(w.device[0]->peak, 4 * MiB + 256 * KiB);
    for (auto *b : blocks) wf_block_release(b);
    EXPECT_EQ(w.usage().spilled, 0);
    EXPECT_EQ(w.stat(WF_STAT_BLOCKS_FREED), 40);
    wf_store_trim(w.store);
    EXPECT_EQ(w.usage().spill_file, 0);
    EXPECT_EQ(w.usage().overhead, 0);
}

TEST_F(Store, BringsManySmallBlocksBackFromDisk) {
    ASSERT_EQ(w.open("v", {512 * KiB}, 512 * KiB, folder.path.c_str()), WEFT_OK);
    std::vector<wf_block *> blocks;

    for (int i = 0; i < 20000; i++) blocks.push_back(make(160, i));
    EXPECT_LE(w.usage(-1).peak, 512 * KiB);
    EXPECT_GT(w.usage().spilled, 2 * MiB);
    EXPECT_LT(w.usage().spill_file, 4 * w.usage().spilled) << "small blocks share extents";
    for (int i = 0; i < 20000; i += 7) expect_holds(blocks[static_cast<size_t>(i)], i);
    for (auto *b : blocks) wf_block_release(b);
    EXPECT_EQ(w.usage().spilled, 0);
}

TEST_F(Store, EvictsTheColdestFirst) {
    ASSERT_EQ(w.open("v", {4 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_block *a = make(MiB, 1), *b = make(MiB, 2), *c = make(MiB, 3), *d = make(MiB, 4);
    expect_holds(a, 1);

    wf_block *e = make(MiB, 5);

    EXPECT_TRUE(wf_block_is_resident(a, 0));
    EXPECT_FALSE(wf_block_is_resident(b, 0));
    EXPECT_TRUE(wf_block_is_resident(c, 0));
    EXPECT_TRUE(wf_block_is_resident(d, 0));
    EXPECT_EQ(wf_block_device(b), -1);
    EXPECT_EQ(wf_block_pin_bytes(b, 0), MiB);
    for (auto *x : {a, b, c, d, e}) wf_block_release(x);
}

TEST_F(Store, KeepsWhatIsCostlyToMakeAgain) {
    ASSERT_EQ(w.open("v", {3 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_block *costly = make(MiB, 1, 0, 10.0), *cheap = make(MiB, 2), *third = make(MiB, 3);
    wf_block *fourth = make(MiB, 4);
    EXPECT_TRUE(wf_block_is_resident(costly, 0));
    EXPECT_FALSE(wf_block_is_resident(cheap, 0));
    for (auto *x : {costly, cheap, third, fourth}) wf_block_release(x);
}

TEST_F(Store, DropsCleanCopiesWithoutWriting) {
    ASSERT_EQ(w.open("v", {2 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_block *a = make(MiB, 1), *b = make(MiB, 2);
    wf_block *c = make(MiB, 3);  // a goes to disk
    expect_holds(a, 1);          // a comes back and stays on disk; b went
    const int64_t written = w.stat(WF_STAT_BYTES_SPILLED);

    wf_block *held = nullptr;
    wf_reservation r = {};
    expect_holds(c, 3);  // a is now the coldest, but even were it not: it is clean
    expect_holds(a, 1);
    ASSERT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_OK);

    EXPECT_EQ(w.stat(WF_STAT_BYTES_SPILLED), written);
    EXPECT_GE(w.stat(WF_STAT_BLOCKS_DROPPED), 1);
    EXPECT_FALSE(wf_block_is_resident(a, 0));
    EXPECT_TRUE(wf_block_is_resident(c, 0));
    ASSERT_EQ(wf_block_create(w.store, &r, MiB, &held), WEFT_OK);
    wf_block_release(held);  // unsealed: its writer gave up
    for (auto *x : {a, b, c}) wf_block_release(x);
}

TEST_F(Store, NeverEvictsWhatIsPinnedOrBeingWritten) {
    ASSERT_EQ(w.open("v", {3 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_block *pinned = make(MiB, 1), *writing = nullptr;
    wf_reservation r = {}, more = {};
    void *data = nullptr, *again = nullptr;
    ASSERT_EQ(wf_block_pin(pinned, 0, nullptr, &data), WEFT_OK);
    ASSERT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_OK);
    ASSERT_EQ(wf_block_create(w.store, &r, MiB, &writing), WEFT_OK);

    EXPECT_EQ(wf_store_reserve(w.store, 0, 2 * MiB, &more), WEFT_BUSY);

    EXPECT_TRUE(w.holds(0, data, MiB, 1));
    ASSERT_EQ(wf_block_pin(pinned, 0, nullptr, &again), WEFT_OK);
    EXPECT_EQ(again, data);
    wf_block_unpin(pinned, 0);
    wf_block_unpin(pinned, 0);
    EXPECT_EQ(wf_store_reserve(w.store, 0, 2 * MiB, &more), WEFT_OK) << wf_last_error();
    EXPECT_FALSE(wf_block_is_resident(pinned, 0));
    wf_store_unreserve(w.store, &more);
    wf_block_release(writing);
    wf_block_release(pinned);
}

TEST_F(Store, PinningFromDiskNeedsARoomyReservation) {
    ASSERT_EQ(w.open("v", {2 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_block *a = make(MiB, 1), *b = make(MiB, 2), *c = make(MiB, 3);
    ASSERT_FALSE(wf_block_is_resident(a, 0));
    wf_reservation little = {0, 100};
    void *data = &w;

    EXPECT_EQ(wf_block_pin(a, 0, &little, &data), WEFT_NO_MEMORY);
    EXPECT_STREQ(wf_last_error(), "store: pinning a block of 1048576 bytes on fake0 needs them reserved, 100 are");
    EXPECT_EQ(wf_block_pin(a, 0, nullptr, &data), WEFT_NO_MEMORY);
    EXPECT_EQ(data, &w);
    for (auto *x : {a, b, c}) wf_block_release(x);
}

TEST_F(Store, ReadsPiecesOfASpilledBlockWithoutBringingItBack) {
    ASSERT_EQ(w.open("v", {4 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_block *a = make(3 * MiB + 17, 1), *small = make(200, 9), *b = make(3 * MiB, 2);
    ASSERT_FALSE(wf_block_is_resident(a, 0));
    std::vector<unsigned char> out(2 * MiB);

    for (int64_t offset : {INT64_C(0), MiB - 3, MiB, 3 * MiB}) {
        for (int64_t bytes : {INT64_C(1), INT64_C(17), MiB + 5}) {
            if (offset + bytes > wf_block_bytes(a)) continue;
            ASSERT_EQ(wf_block_read(a, offset, bytes, out.data()), WEFT_OK) << wf_last_error();
            for (int64_t i = 0; i < bytes; i++) ASSERT_EQ(out[static_cast<size_t>(i)], World::value(1, offset + i));
        }
    }
    ASSERT_EQ(wf_block_read(small, 100, 100, out.data()), WEFT_OK);
    EXPECT_EQ(out[0], World::value(9, 100));
    ASSERT_EQ(wf_block_read(b, 5, 10, out.data()), WEFT_OK);
    EXPECT_EQ(out[3], World::value(2, 8));
    EXPECT_FALSE(wf_block_is_resident(a, 0));
    EXPECT_EQ(wf_block_read(a, 3 * MiB, 18, out.data()), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "store: wanted bytes 3145728 to 3145746 of a block of 3145745");
    for (auto *x : {a, b, small}) wf_block_release(x);
}

TEST_F(Store, LastReaderTakesTheMemoryOver) {
    ASSERT_EQ(w.open("v", {2 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_block *a = make(MiB, 1);
    void *data = nullptr, *again = nullptr;

    EXPECT_FALSE(wf_block_reuse(a, 0)) << "not pinned";
    ASSERT_EQ(wf_block_pin(a, 0, nullptr, &data), WEFT_OK);
    wf_block_retain(a);
    EXPECT_FALSE(wf_block_reuse(a, 0)) << "shared";
    wf_block_release(a);
    ASSERT_EQ(wf_block_pin(a, 0, nullptr, &again), WEFT_OK);
    EXPECT_FALSE(wf_block_reuse(a, 0)) << "pinned twice";
    wf_block_unpin(a, 0);
    EXPECT_TRUE(wf_block_reuse(a, 0));
    EXPECT_FALSE(wf_block_reuse(a, 0)) << "being written";
    w.fill(0, data, MiB, 2);
    wf_block_seal(a, 0);
    expect_holds(a, 2);
    EXPECT_EQ(w.stat(WF_STAT_BLOCKS_REUSED), 1);
    wf_block_release(a);
}

TEST_F(Store, TakingOverForgetsTheCopyOnDisk) {
    ASSERT_EQ(w.open("v", {2 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_block *a = make(MiB, 1), *b = make(2 * MiB, 2);
    wf_block_release(b);
    wf_reservation r = {};
    void *data = nullptr;
    ASSERT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_OK);
    ASSERT_EQ(wf_block_pin(a, 0, &r, &data), WEFT_OK);
    ASSERT_EQ(w.usage().spilled, MiB);

    ASSERT_TRUE(wf_block_reuse(a, 0));

    EXPECT_EQ(w.usage().spilled, 0);
    w.fill(0, data, MiB, 3);
    wf_block_seal(a, 0);
    b = make(2 * MiB, 4);  // a is written again, with its new contents
    wf_block_release(b);
    expect_holds(a, 3);
    wf_block_release(a);
}

TEST_F(Store, WrapsMemoryWithoutAccountingOrEvictingIt) {
    ASSERT_EQ(w.open("vh", {MiB, MiB}, 0, folder.path.c_str()), WEFT_OK);
    std::vector<unsigned char> mine(2 * MiB);
    w.fill(0, mine.data(), 2 * MiB, 5);
    int released = 0;
    wf_block *block = nullptr;
    ASSERT_EQ(wf_block_wrap(w.store, 0, mine.data(), 2 * MiB, [](void *n) { ++*static_cast<int *>(n); }, &released, &block),
              WEFT_OK);

    EXPECT_EQ(w.usage().used, 0);
    wf_block *other = make(MiB, 1);
    EXPECT_TRUE(wf_block_is_resident(block, 0));
    void *data = nullptr;
    ASSERT_EQ(wf_block_pin(block, 0, nullptr, &data), WEFT_OK);
    EXPECT_EQ(data, mine.data());
    EXPECT_FALSE(wf_block_reuse(block, 0));
    wf_block_unpin(block, 0);
    wf_store_lose_device(w.store, 0);
    EXPECT_FALSE(wf_block_is_lost(block)) << "the caller's memory is not the device's";
    EXPECT_TRUE(wf_block_is_lost(other));
    EXPECT_EQ(released, 0);
    wf_block_release(block);
    EXPECT_EQ(released, 1);
    wf_block_release(other);

    ASSERT_EQ(wf_block_wrap(w.store, 0, mine.data(), 10, nullptr, nullptr, &block), WEFT_OK);
    wf_block_release(block);
    wf_block_release(nullptr);
}

TEST_F(Store, WaitEndsWhenMemoryIsReleasedOrUnpinned) {
    ASSERT_EQ(w.open("v", {2 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_block *a = make(2 * MiB, 1);
    void *data = nullptr;
    wf_reservation r = {};
    ASSERT_EQ(wf_block_pin(a, 0, nullptr, &data), WEFT_OK);

    uint64_t turn = wf_store_turn(w.store);
    ASSERT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_BUSY);
    wf_store_wait(w.store, turn, 0.001);
    std::thread other([&] { wf_block_unpin(a, 0); });
    wf_store_wait(w.store, turn, 60);  // far longer than the test may take
    other.join();
    EXPECT_NE(wf_store_turn(w.store), turn);
    EXPECT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_OK);

    turn = wf_store_turn(w.store);
    wf_store_unreserve(w.store, &r);
    wf_store_wait(w.store, turn, 60);
    wf_block_release(a);
}

TEST_F(Store, CopiesBetweenVisibleDevices) {
    ASSERT_EQ(w.open("vv", {4 * MiB, 4 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_block *a = make(MiB, 1), *small = make(100, 2);

    EXPECT_EQ(wf_block_pin_bytes(a, 1), MiB);
    expect_holds(a, 1, 1);
    expect_holds(small, 2, 1);
    EXPECT_TRUE(wf_block_is_resident(a, 0));
    EXPECT_TRUE(wf_block_is_resident(a, 1));
    EXPECT_EQ(wf_block_pin_bytes(a, 1), 0);
    EXPECT_EQ(w.usage(1).used, MiB + 100);
    EXPECT_EQ(w.usage(-1).used, 2 * MiB + 200);
    wf_store_lose_device(w.store, 0);
    EXPECT_FALSE(wf_block_is_lost(a));
    EXPECT_EQ(wf_block_device(a), 1);
    EXPECT_EQ(w.usage(0).used, 0);
    expect_holds(a, 1, 0);
    expect_holds(small, 2, 0);
    wf_block_release(a);
    wf_block_release(small);
}

TEST_F(Store, HiddenMemoryGoesToHostBuffersThenToDisk) {
    ASSERT_EQ(w.open("h", {2 * MiB}, 2 * MiB, folder.path.c_str()), WEFT_OK);
    std::vector<wf_block *> blocks;

    for (int i = 0; i < 4; i++) blocks.push_back(make(MiB, i));
    EXPECT_EQ(w.usage(-1).used, 2 * MiB) << "two are in host buffers";
    EXPECT_EQ(w.usage().spilled, 0);
    for (int i = 4; i < 8; i++) blocks.push_back(make(MiB, i));
    blocks.push_back(make(300, 8));
    EXPECT_GT(w.usage().spilled, 0);
    EXPECT_LE(w.usage(0).peak, 2 * MiB);
    EXPECT_LE(w.usage(-1).peak, 2 * MiB);
    std::vector<unsigned char> piece(100);
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < 9; i++) {
            wf_block *b = blocks[static_cast<size_t>(i)];
            ASSERT_EQ(wf_block_read(b, 150, 100, piece.data()), WEFT_OK) << wf_last_error();
            EXPECT_EQ(piece[10], World::value(i, 160));
            expect_holds(b, i);
        }
    EXPECT_LE(w.usage(-1).peak, 2 * MiB);
    for (auto *b : blocks) wf_block_release(b);
    EXPECT_EQ(w.usage(-1).used, 0);
    EXPECT_EQ(w.usage(-1).reserved, 0);
}

TEST_F(Store, HiddenMemoryGoesStraightToDiskWhenTheHostHasNoRoom) {
    ASSERT_EQ(w.open("h", {4 * MiB}, MiB, folder.path.c_str()), WEFT_OK);
    wf_block *a = make(2 * MiB + 5, 1), *b = make(2 * MiB - 5, 2), *c = make(3 * MiB, 3);
    EXPECT_EQ(w.usage(-1).used, 0);
    EXPECT_EQ(w.usage().spilled, 4 * MiB);
    expect_holds(a, 1);
    expect_holds(b, 2);
    expect_holds(c, 3);
    for (auto *x : {a, b, c}) wf_block_release(x);
}

TEST_F(Store, HiddenMemoryNeedsNoDiskWhileTheHostHasRoom) {
    ASSERT_EQ(w.open("h", {2 * MiB}, 2 * MiB, nullptr), WEFT_OK);
    wf_block *a = make(2 * MiB, 1), *b = make(2 * MiB, 2);
    wf_reservation r = {};
    EXPECT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_BUSY);
    expect_holds(b, 2);
    wf_block_release(b);
    expect_holds(a, 1);
    wf_block_release(a);
}

TEST_F(Store, CopiesBetweenHiddenDevicesByPeerOrThroughTheHost) {
    for (const bool peer : {true, false}) {
        World v;
        ASSERT_EQ(v.open("hh", {8 * MiB, 8 * MiB}, 0, nullptr, peer ? fake::ops() : fake::ops_without_peer()), WEFT_OK);
        wf_block *a = nullptr;
        bool same = false;
        ASSERT_EQ(v.make(0, 5 * MiB + 3, 1, &a), WEFT_OK);
        ASSERT_EQ(v.check(a, 1, 1, &same), WEFT_OK);
        EXPECT_TRUE(same);
        EXPECT_EQ(v.device[1]->copies_peer, peer ? 1 : 0);
        EXPECT_EQ(v.device[0]->copies_out, peer ? 0 : 2);
        wf_block_release(a);
    }
}

TEST_F(Store, AFailedCopyLeavesTheBlockWhereItIs) {
    ASSERT_EQ(w.open("h", {2 * MiB}, 4 * MiB, folder.path.c_str()), WEFT_OK);
    wf_block *a = make(2 * MiB, 1);
    wf_reservation r = {};
    w.device[0]->fail_copies = true;

    EXPECT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_DEVICE);
    EXPECT_STREQ(wf_last_error(), "fake: copy failed");
    EXPECT_TRUE(wf_block_is_resident(a, 0));
    EXPECT_EQ(w.usage(-1).used + w.usage(-1).reserved, 0);

    w.device[0]->fail_copies = false;
    expect_holds(a, 1);
    EXPECT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_OK);
    w.device[0]->fail_copies = true;
    wf_reservation room = {};
    void *data = nullptr;
    ASSERT_EQ(wf_store_reserve(w.store, 0, 0, &room), WEFT_OK);
    wf_store_unreserve(w.store, &r);
    ASSERT_EQ(wf_store_reserve(w.store, 0, 2 * MiB, &room), WEFT_OK);
    EXPECT_EQ(wf_block_pin(a, 0, &room, &data), WEFT_DEVICE);
    EXPECT_EQ(room.bytes, 2 * MiB);
    w.device[0]->fail_copies = false;
    EXPECT_EQ(wf_block_pin(a, 0, &room, &data), WEFT_OK);
    wf_block_unpin(a, 0);
    wf_store_unreserve(w.store, &room);
    expect_holds(a, 1);
    wf_block_release(a);
}

// What others do to a block while its bytes are on their way to the next tier: no lock is held then.
struct Meanwhile : Store {
    wf_block *a = nullptr;
    wf_reservation r = {};
    void open_full(int64_t host_limit) {
        ASSERT_EQ(w.open("h", {2 * MiB}, host_limit, folder.path.c_str()), WEFT_OK);
        a = make(2 * MiB, 1);
    }
};

TEST_F(Meanwhile, APinKeepsTheBlockWhereItIs) {
    for (const int64_t host : {INT64_C(4) * MiB, MiB}) {  // to a host buffer, to disk
        w.close();
        open_full(host);
        void *data = nullptr, *again = nullptr;
        w.device[0]->during_copy_out = [&] { ASSERT_EQ(wf_block_pin(a, 0, nullptr, &data), WEFT_OK); };

        EXPECT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_BUSY);

        ASSERT_NE(data, nullptr);
        EXPECT_TRUE(wf_block_is_resident(a, 0));
        EXPECT_EQ(w.device[0]->bytes, 2 * MiB);
        EXPECT_TRUE(w.holds(0, data, 2 * MiB, 1));
        wf_block_unpin(a, 0);
        EXPECT_EQ(wf_block_pin(a, 0, nullptr, &again), WEFT_OK);
        EXPECT_EQ(again, data);
        wf_block_unpin(a, 0);
        const int64_t copies = w.device[0]->copies_out;
        EXPECT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_OK) << wf_last_error();
        EXPECT_EQ(w.device[0]->copies_out, copies) << "the copy made then is still good";
        wf_store_unreserve(w.store, &r);
        expect_holds(a, 1);
        wf_block_release(a);
    }
}

TEST_F(Meanwhile, ItsLastUserMayLetGo) {
    open_full(4 * MiB);
    w.device[0]->during_copy_out = [&] { wf_block_release(a); };
    EXPECT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_OK) << wf_last_error();
    EXPECT_EQ(w.usage().blocks, 0);
    EXPECT_EQ(w.usage(-1).used, 0);
    wf_store_unreserve(w.store, &r);
    EXPECT_EQ(w.usage().reserved, 0);
}

TEST_F(Meanwhile, NobodyTakesItsMemoryOver) {
    open_full(4 * MiB);
    void *data = nullptr;
    w.device[0]->during_copy_out = [&] {
        ASSERT_EQ(wf_block_pin(a, 0, nullptr, &data), WEFT_OK);
        EXPECT_FALSE(wf_block_reuse(a, 0));
    };
    EXPECT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_BUSY);
    wf_block_unpin(a, 0);
    wf_block_release(a);
}

TEST_F(Meanwhile, TheLossOfItsDeviceVoidsTheCopy) {
    open_full(4 * MiB);
    w.device[0]->during_copy_out = [&] { wf_store_lose_device(w.store, 0); };
    EXPECT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_OK) << wf_last_error();
    EXPECT_TRUE(wf_block_is_lost(a));
    EXPECT_EQ(w.usage(-1).used, 0);
    wf_store_unreserve(w.store, &r);
    wf_block_release(a);
}

TEST_F(Store, LosingADeviceLosesOnlyWhatWasNowhereElse) {
    ASSERT_EQ(w.open("v", {2 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_block *spilled = make(MiB, 1), *clean = make(MiB, 2), *only = make(MiB, 3);
    expect_holds(clean, 2);
    ASSERT_FALSE(wf_block_is_resident(spilled, 0));

    wf_store_lose_device(w.store, 0);

    EXPECT_TRUE(wf_block_is_lost(only));
    EXPECT_FALSE(wf_block_is_lost(spilled));
    expect_holds(spilled, 1);
    wf_reservation r = {};
    void *data = &w;
    ASSERT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_OK);
    EXPECT_EQ(wf_block_pin(only, 0, &r, &data), WEFT_LOST);
    EXPECT_STREQ(wf_last_error(), "store: a block of 1048576 bytes was lost with the only copy of it");
    EXPECT_EQ(data, &w);
    char byte = 0;
    EXPECT_EQ(wf_block_read(only, 0, 1, &byte), WEFT_LOST);
    EXPECT_EQ(wf_block_device(only), -1);
    wf_store_unreserve(w.store, &r);
    EXPECT_EQ(w.stat(WF_STAT_DEVICES_LOST), 1);
    for (auto *x : {spilled, clean, only}) wf_block_release(x);
    EXPECT_EQ(w.usage().used, 0);
}

TEST_F(Store, MemoryOfALostDeviceStaysUntilItsUsersLetGo) {
    ASSERT_EQ(w.open("v", {4 * MiB}, 0, folder.path.c_str()), WEFT_OK);
    wf_block *pinned = make(MiB, 1), *writing = nullptr, *given_up = nullptr;
    void *data = nullptr, *again = nullptr;
    wf_reservation r = {};
    ASSERT_EQ(wf_block_pin(pinned, 0, nullptr, &data), WEFT_OK);
    ASSERT_EQ(wf_store_reserve(w.store, 0, 2 * MiB, &r), WEFT_OK);
    ASSERT_EQ(wf_block_create(w.store, &r, MiB, &writing), WEFT_OK);
    ASSERT_EQ(wf_block_create(w.store, &r, 1000, &given_up), WEFT_OK);
    wf_store_unreserve(w.store, &r);

    wf_store_lose_device(w.store, 0);

    EXPECT_TRUE(wf_block_is_lost(pinned));
    EXPECT_TRUE(w.holds(0, data, MiB, 1));
    EXPECT_EQ(wf_block_pin(pinned, 0, nullptr, &again), WEFT_LOST);
    EXPECT_EQ(w.usage().used, 2 * MiB + 1000);
    wf_block_unpin(pinned, 0);
    EXPECT_EQ(w.usage().used, MiB + 1000);
    wf_block_seal(writing, 0);
    EXPECT_TRUE(wf_block_is_lost(writing));
    EXPECT_EQ(w.usage().used, 1000);
    for (auto *x : {pinned, writing, given_up}) wf_block_release(x);
    EXPECT_EQ(w.usage().used, 0);
}

TEST_F(Store, AFolderThatIsNotThereLosesNothing) {
    const std::string missing = folder.path + "/none";
    ASSERT_EQ(w.open("v", {2 * MiB}, 0, missing.c_str()), WEFT_OK);
    wf_block *a = make(MiB, 1), *b = make(100, 2);
    wf_reservation r = {};

    EXPECT_EQ(wf_store_reserve(w.store, 0, 2 * MiB, &r), WEFT_NOT_FOUND);
    EXPECT_NE(strstr(wf_last_error(), ("spill: cannot make a file in '" + missing + "'").c_str()), nullptr) << wf_last_error();
    expect_holds(a, 1);
    expect_holds(b, 2);
    wf_block_release(a);
    EXPECT_EQ(wf_store_reserve(w.store, 0, MiB, &r), WEFT_OK);
    wf_store_unreserve(w.store, &r);
    wf_block_release(b);
}

TEST_F(Store, SmallBlocksAreAlignedAndCheap) {
    ASSERT_EQ(w.open("v", {64 * MiB}, 0, nullptr), WEFT_OK);
    std::vector<wf_block *> blocks;
    wf_reservation r = {};
    ASSERT_EQ(wf_store_reserve(w.store, 0, 60000 * 160, &r), WEFT_OK);

    for (int i = 0; i < 60000; i++) {
        wf_block *b = nullptr;
        ASSERT_EQ(wf_block_create(w.store, &r, 160, &b), WEFT_OK);
        ASSERT_EQ(reinterpret_cast<uintptr_t>(World::data_of(b, 0)) % 64, 0u);
        wf_block_seal(b, 0);
        blocks.push_back(b);
    }
    EXPECT_LT(w.device[0]->bytes, 60000 * 194);
    EXPECT_LT(w.device[0]->bytes + w.usage().overhead, 60000 * 300);
    for (auto *b : blocks) wf_block_release(b);
    wf_store_unreserve(w.store, &r);
    wf_store_trim(w.store);
    EXPECT_EQ(w.device[0]->bytes, 0);
}

TEST_F(Store, RejectsAStoreWithoutDevices) {
    wf_store_options opts = {};
    wf_store *store = nullptr;
    EXPECT_EQ(wf_store_create(&opts, &store), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "store: expected 1 to 250 devices, got 0");
    EXPECT_EQ(store, nullptr);
    wf_store_destroy(nullptr);
}

}  // namespace
