// SPDX-License-Identifier: Apache-2.0
// fixture - a session per test, and short ways to make arrays and read them.
#ifndef TESTS_API_FIXTURE_H
#define TESTS_API_FIXTURE_H

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "weft.h"

class Api : public ::testing::Test {
  protected:
    // $WEFT_DEV_DEVICES: where all tests that do not choose are to be computed
    void SetUp() override
    {
        const char *devices = getenv("WEFT_DEV_DEVICES");
        open("test=true", devices ? devices : "cpu:2@64MiB");
    }
    void TearDown() override { close(); }

    void open(const char *settings, const char *devices = nullptr)
    {
        close();
        weft_options o = {};
        o.settings = settings;
        o.devices = devices;
        s = weft_open(&o);
        ASSERT_NE(s, nullptr) << weft_last_error();
    }
    void close()
    {
        EXPECT_EQ(weft_close(s), WEFT_OK) << weft_last_error();
        s = nullptr;
    }

    weft_array *doubles(const std::vector<double> &v)
    {
        return weft_from_memory(s, v.data(), WEFT_FLOAT64, WEFT_SHAPE((int64_t)v.size()), nullptr);
    }
    weft_array *longs(const std::vector<int64_t> &v)
    {
        return weft_from_memory(s, v.data(), WEFT_INT64, WEFT_SHAPE((int64_t)v.size()), nullptr);
    }
    weft_array *count_to(double n) { return weft_arange(s, 0, n, 1, WEFT_FLOAT64); }

    template <class T = double>
    static std::vector<T> values(weft_array *x, weft_dtype as = WEFT_DTYPE_DEFAULT)
    {
        std::vector<T> out(x ? (size_t)weft_array_size(x) : 0);
        EXPECT_EQ(weft_get(x, as, out.data(), out.size() * sizeof(T)), WEFT_OK)
            << weft_last_error();
        return out;
    }
    static double value(weft_array *x)
    {
        double v = -12345;
        EXPECT_EQ(weft_item_f64(x, &v), WEFT_OK) << weft_last_error();
        return v;
    }

    weft_session *s = nullptr;
};

#define EXPECT_FAILS(call, status, text)       \
    do {                                       \
        EXPECT_EQ(call, status);               \
        EXPECT_STREQ(weft_last_error(), text); \
    } while (0)

// A lazy call that fails: NULL, and what became pending.
#define EXPECT_PENDS(call, status, text)       \
    do {                                       \
        EXPECT_EQ(call, nullptr);              \
        EXPECT_EQ(weft_error_take(), status);  \
        EXPECT_STREQ(weft_last_error(), text); \
    } while (0)

#endif
