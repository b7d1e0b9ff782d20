// SPDX-License-Identifier: Apache-2.0
// cpu_device_test - opening CPU devices, their memory limits, and what happens when memory runs out.
#include <thread>

#include "device/cpu_tile.h"

using namespace cpu_tile;

namespace {

TEST_F(CpuDevice, TellsWhatItIs)
{
    weft_device_info info = {};

    ASSERT_EQ(ops->info(device, &info), WEFT_OK);

    EXPECT_EQ(std::string(info.name).find("cpu0: "), 0u) << info.name;
    EXPECT_NE(std::string(info.name).find(", 2 threads, "), std::string::npos) << info.name;
    EXPECT_EQ(info.slots, 2);
    EXPECT_TRUE(info.host_visible);
    EXPECT_EQ(info.memory_bytes, int64_t(64) << 20);
    EXPECT_EQ(info.memory_free, int64_t(64) << 20);
    EXPECT_NE(info.kernel_class, 0u);
    EXPECT_EQ(ops->abi, uint32_t(WEFT_PLUGIN_ABI));
    EXPECT_STREQ(ops->kind, "cpu");
    EXPECT_EQ(ops->count(), 1);
}

TEST_F(CpuDevice, GivesMemoryUpToItsLimitAndNoMore)
{
    void *most = nullptr, *more = nullptr;
    weft_device_info info = {};
    ASSERT_EQ(ops->allocate(device, int64_t(63) << 20, &most), WEFT_OK);

    EXPECT_EQ(ops->allocate(device, int64_t(2) << 20, &more), WEFT_NO_MEMORY);
    EXPECT_STREQ(wf_last_error(), "cpu0: 2097152 bytes wanted, 66060288 of 67108864 are in use");
    EXPECT_EQ(more, nullptr);
    EXPECT_EQ(ops->allocate(device, int64_t(1) << 60, &more), WEFT_NO_MEMORY);
    EXPECT_STREQ(wf_last_error(), "cpu0: 1152921504606846976 bytes wanted, the limit is 67108864");
    ASSERT_EQ(ops->info(device, &info), WEFT_OK);
    EXPECT_EQ(info.memory_free, int64_t(1) << 20);

    EXPECT_EQ(reinterpret_cast<uintptr_t>(most) % 64, 0u);
    memset(most, 1, size_t(63) << 20);
    ops->release(device, most, int64_t(63) << 20);
    ops->trim(device);
    EXPECT_EQ(ops->allocate(device, int64_t(2) << 20, &more), WEFT_OK);
    ops->release(device, more, int64_t(2) << 20);
    ops->release(device, nullptr, 5);
}

TEST_F(CpuDevice, VirtualDevicesHaveLimitsOfTheirOwn)
{
    weft_device *other = nullptr;
    void *a = nullptr, *b = nullptr;
    ASSERT_EQ(ops->open(1, 1 << 20, 1, &other), WEFT_OK);

    EXPECT_EQ(ops->allocate(other, 2 << 20, &a), WEFT_NO_MEMORY);
    EXPECT_EQ(ops->allocate(device, 2 << 20, &a), WEFT_OK);
    EXPECT_EQ(ops->allocate(other, 1 << 20, &b), WEFT_OK);

    memset(b, 7, 1 << 20);
    EXPECT_EQ(ops->copy_peer(stream, a, other, b, 1 << 20), WEFT_OK);
    EXPECT_EQ(static_cast<unsigned char *>(a)[(1 << 20) - 1], 7);
    ops->release(device, a, 2 << 20);
    ops->release(other, b, 1 << 20);
    ops->close(other);
}

TEST_F(CpuDevice, TheInstructionSetCanBeLimited)
{
    weft_device *plain = nullptr;
    weft_device_info info = {}, best = {};

    wf_cpu_device_limit_isa("baseline");
    ASSERT_EQ(ops->open(3, 1 << 20, 1, &plain), WEFT_OK);
    wf_cpu_device_limit_isa(nullptr);

    ASSERT_EQ(ops->info(plain, &info), WEFT_OK);
    ASSERT_EQ(ops->info(device, &best), WEFT_OK);
    EXPECT_NE(std::string(info.name).find("cpu3: "), std::string::npos);
    EXPECT_NE(std::string(info.name).find("1 thread, baseline"), std::string::npos) << info.name;
    if (std::string(best.name).find("baseline") == std::string::npos) {
        EXPECT_NE(info.kernel_class, best.kernel_class);
    }
    ops->close(plain);
}

TEST(CpuOpen, RefusesNegativeNumbers)
{
    weft_device *device = nullptr;

    EXPECT_EQ(wf_cpu_device_ops()->open(0, -5, 1, &device), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "cpu: number, memory limit and threads must be >= 0, got 0, -5 and 1");
    EXPECT_EQ(device, nullptr);
}

// Runs a map and a reduction on the calling thread; the first status that is not WEFT_OK.
weft_status run_both(const weft_device_ops *ops, weft_stream *stream, Tile &tile)
{
    wf_launch launch = tile.launch();
    wf_reduce_launch reduce = {};
    wf_reducer reducer = {};
    Value result[3];
    weft_status st = ops->launch(stream, &launch);

    reduce.map = launch;
    reduce.inner = true;
    reduce.reduced[0] = true;
    reduce.cell[0] = launch.count[0];
    reduce.nreducer = 1;
    reduce.reducer = &reducer;
    reducer.op = WF_REDUCE_MOMENTS;
    reducer.dtype = WEFT_FLOAT64;
    for (int f = 0; f < 3; f++) reducer.field[f].data = result[f].bytes;
    return st == WEFT_OK ? ops->launch_reduce(stream, &reduce) : st;
}

void make_tile(Tile &tile)
{
    Random random(1);
    wf_program_builder *b = nullptr;
    ASSERT_EQ(wf_program_builder_create(&b), WEFT_OK);
    int x = wf_program_load(b, wf_program_add_input(b, false, WEFT_FLOAT64));
    ASSERT_EQ(wf_program_store(b, wf_program_map(b, WF_OP_EXP, WEFT_FLOAT64, &x), WEFT_FLOAT64), WEFT_OK);
    ASSERT_EQ(wf_program_build(b, &tile.program), WEFT_OK);
    tile.count = {3000};
    tile.bind(random, CONTIGUOUS, CONTIGUOUS, false);
}

TEST_F(CpuDevice, EveryFailedAllocationIsReportedAndHarmless)
{
    Tile tile;
    make_tile(tile);
    int64_t live = wf_alloc_live();

    for (int64_t n = 1; n < 20; n++) {
        // A fresh thread has no scratch yet.
        std::thread([&] {
            wf_alloc_fail_at(n);
            weft_status st = run_both(ops, stream, tile);
            bool failed = st != WEFT_OK;
            if (failed) {
                EXPECT_EQ(st, WEFT_NO_MEMORY);
                EXPECT_NE(std::string(wf_last_error()).find("out of host memory"), std::string::npos) << wf_last_error();
            }
            wf_alloc_fail_at(0);
            EXPECT_EQ(run_both(ops, stream, tile), WEFT_OK);
            if (n == 1) {
                EXPECT_TRUE(failed);
            }
        }).join();
        EXPECT_EQ(wf_alloc_live(), live) << "a thread's scratch must go with it";
    }
}

TEST_F(CpuDevice, LaunchingAgainAllocatesNothing)
{
    Tile tile;
    make_tile(tile);
    ASSERT_EQ(run_both(ops, stream, tile), WEFT_OK);

    wf_alloc_fail_at(0);
    for (int i = 0; i < 5; i++) ASSERT_EQ(run_both(ops, stream, tile), WEFT_OK);

    EXPECT_EQ(wf_alloc_fail_at(0), 0);
}

TEST_F(CpuDevice, ThreadsLaunchSideBySide)
{
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&] {
            Tile tile;
            make_tile(tile);
            for (int i = 0; i < 20; i++) EXPECT_EQ(run_both(ops, stream, tile), WEFT_OK);
        });
    for (std::thread &t : threads) t.join();
}

TEST(CpuClose, TheLastDeviceTakesAllScratchWithIt)
{
    int64_t live = wf_alloc_live();
    const weft_device_ops *ops = wf_cpu_device_ops();
    weft_device *device = nullptr;
    weft_stream *stream = nullptr;
    ASSERT_EQ(ops->open(0, 1 << 20, 1, &device), WEFT_OK);
    ASSERT_EQ(ops->stream_open(device, &stream), WEFT_OK);
    {
        Tile tile;
        make_tile(tile);
        ASSERT_EQ(run_both(ops, stream, tile), WEFT_OK);
        tile.in_operand[0].stride[0] = 16;
        wf_launch launch = tile.launch();
        launch.count[0] = 1500;
        EXPECT_GE(ops->launch_scratch(device, &launch), 500 * 8);
    }
    EXPECT_EQ(ops->stream_wait(stream), WEFT_OK);

    ops->stream_close(stream);
    ops->close(device);

    EXPECT_EQ(wf_alloc_live(), live);
    ops->close(nullptr);
}

}  // namespace
