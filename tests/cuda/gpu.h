// SPDX-License-Identifier: Apache-2.0
// gpu - for tests of the CUDA module's table: the module, a device of it and one of the CPU, arrays on both. The libraries it runs on are the
// stand-in's (tests/cudasim) or the machine's own, as LD_LIBRARY_PATH says.
#ifndef CUDA_GPU_H
#define CUDA_GPU_H

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "weft.h"
extern "C" {
#include "device/device.h"
}

namespace gpu {

inline const weft_device_ops *module()
{
    static const weft_device_ops *ops = nullptr;
    const char *folder = getenv("WEFT_BINARY_DIR");
    if (!ops && wf_device_module_load("cuda", folder ? folder : WEFT_BUILD_FOLDER, &ops) != WEFT_OK)
        fprintf(stderr, "%s\n", weft_last_error());
    return ops;
}

// A device of either kind, one stream, and memory that the test's end gives back.
struct Place {
    const weft_device_ops *ops;
    weft_device *device = nullptr;
    weft_stream *stream = nullptr;
    std::vector<std::pair<void *, int64_t>> memory;

    explicit Place(const weft_device_ops *ops, int64_t limit = 64 << 20) : ops(ops)
    {
        EXPECT_EQ(ops->open(0, limit, 1, &device), WEFT_OK) << weft_last_error();
        if (!device) return;
        EXPECT_EQ(ops->stream_open(device, &stream), WEFT_OK) << weft_last_error();
    }
    ~Place()
    {
        if (stream) ops->stream_close(stream);
        clear();
        if (device) ops->close(device);
    }
    void clear()  // gives all memory back now
    {
        for (auto &[p, bytes] : memory) ops->release(device, p, bytes);
        memory.clear();
    }
    char *room(int64_t bytes)
    {
        void *p = nullptr;
        EXPECT_EQ(ops->allocate(device, bytes, &p), WEFT_OK) << weft_last_error();
        memory.emplace_back(p, bytes);
        return static_cast<char *>(p);
    }
    template <typename T> char *put(const std::vector<T> &host)
    {
        const int64_t bytes = (int64_t)(host.size() * sizeof(T));
        char *p = room(bytes);
        EXPECT_EQ(ops->copy_in(stream, p, host.data(), bytes), WEFT_OK) << weft_last_error();
        EXPECT_EQ(ops->stream_wait(stream), WEFT_OK) << weft_last_error();
        return p;
    }
    template <typename T> std::vector<T> get(const void *p, size_t n)
    {
        std::vector<T> host(n);
        EXPECT_EQ(ops->copy_out(stream, host.data(), p, (int64_t)(n * sizeof(T))), WEFT_OK)
            << weft_last_error();
        EXPECT_EQ(ops->stream_wait(stream), WEFT_OK) << weft_last_error();
        return host;
    }
};

struct Gpu : testing::Test {
    std::mt19937_64 random{ 7 };
    void SetUp() override
    {
        ASSERT_NE(module(), nullptr);
        if (module()->count() < 1) GTEST_SKIP() << "no CUDA device, and not the stand-in either";
    }
    std::vector<unsigned char> noise(size_t n)
    {
        std::vector<unsigned char> v(n);
        for (auto &x : v) x = (unsigned char)random();
        return v;
    }
    int64_t upto(int64_t n) { return (int64_t)(random() % (uint64_t)n); }
};

}  // namespace gpu
#endif
