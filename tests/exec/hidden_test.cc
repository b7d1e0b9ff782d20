// SPDX-License-Identifier: Apache-2.0
// hidden_test - the engine on devices whose memory the host cannot see (tests/support/hidden_device.c): the CPU's bits in every kind of layer;
// what comes in and goes out is copied once; memory stays within the device's limit; what a device cannot do, a CPU device does; and a device
// that dies takes nothing with it but its memory.
#include <gtest/gtest.h>

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "support/hidden_device.h"
#include "weft.h"
extern "C" {
#include "device/device.h"
#include "exec/engine.h"
wf_engine *wf_session_engine(weft_session *session);  // api/session.h, which speaks C11 atomics
}

namespace {

using Bytes = std::vector<unsigned char>;

// The module is loaded once per process, and stays.
void *symbol(const char *name)
{
    const weft_device_ops *ops = nullptr;
    Dl_info where = {};
    EXPECT_EQ(wf_device_module_load("hidden", getenv("WEFT_PLUGIN_PATH"), &ops), WEFT_OK) << wf_last_error();
    EXPECT_NE(dladdr(reinterpret_cast<const void *>(ops->open), &where), 0);
    return dlsym(dlopen(where.dli_fname, RTLD_NOW | RTLD_NOLOAD), name);
}

weft_hidden_counts counts()
{
    weft_hidden_counts c = {};
    reinterpret_cast<weft_hidden_get_counts_fn *>(symbol("weft_hidden_get_counts"))(&c);
    return c;
}

void reset_counts() { reinterpret_cast<weft_hidden_reset_counts_fn *>(symbol("weft_hidden_reset_counts"))(); }

struct Hidden : testing::Test {
    weft_session *s = nullptr;
    std::string dir;

    void SetUp() override
    {
        char path[] = "/tmp/weft-hidden-XXXXXX";
        ASSERT_NE(mkdtemp(path), nullptr);
        dir = path;
    }
    void TearDown() override
    {
        close();
        unsetenv("WEFT_DEV_HIDDEN");
        EXPECT_EQ(std::system(("rm -r " + dir).c_str()), 0);
        EXPECT_EQ(counts().live_bytes, 0);
        EXPECT_EQ(counts().wrong, 0);
    }
    void open(const char *devices, const char *behaviour = "", int64_t limit = 64 << 20, const char *settings = "test=true")
    {
        close();
        setenv("WEFT_DEV_HIDDEN", behaviour, 1);
        weft_options o = {};
        o.devices = devices;
        o.memory_limit = limit;
        o.settings = settings;
        s = weft_open(&o);
        ASSERT_NE(s, nullptr) << weft_last_error();
    }
    void close()
    {
        EXPECT_EQ(weft_close(s), WEFT_OK) << weft_last_error();
        s = nullptr;
    }
    weft_session_stats stats() const
    {
        weft_session_stats v = {};
        EXPECT_EQ(weft_stats(s, &v), WEFT_OK);
        return v;
    }
    weft_array *drawn(std::vector<int64_t> shape, std::vector<int64_t> block = {}, uint64_t seed = 9) const
    {
        weft_random_options r = {};
        r.seed = seed;
        r.stream = 1;
        weft_array *x = weft_random_uniform(s, 0, 1, (int)shape.size(), shape.data(), &r);
        return block.empty() ? x : weft_rechunk(x, (int)block.size(), block.data());
    }
    weft_array *borrowed(const std::vector<double> &v, std::vector<int64_t> shape, std::vector<int64_t> strides = {}) const
    {
        weft_memory_options o = {};
        o.borrow = true;
        o.strides = strides.empty() ? nullptr : strides.data();
        return weft_from_memory(s, v.data(), WEFT_FLOAT64, (int)shape.size(), shape.data(), &o);
    }
    weft_array *text(const char *expression, std::vector<const char *> names, std::vector<weft_array *> arrays) const
    {
        return weft_expr(s, expression, (int)names.size(), names.data(), arrays.data());
    }
    static Bytes read(weft_array *x)
    {
        Bytes v(x ? (size_t)weft_array_nbytes(x) : 0);
        EXPECT_EQ(weft_get(x, WEFT_DTYPE_DEFAULT, v.data(), v.size()), WEFT_OK) << weft_last_error();
        return v;
    }
    Bytes outlive(weft_array *make(const Hidden &));
    static std::vector<double> ramp(int64_t n)
    {
        std::vector<double> v((size_t)n);
        for (int64_t i = 0; i < n; i++) v[(size_t)i] = (double)(i * 7919 % 1000003) / 1000;
        return v;
    }
};

// --- work of every kind of layer ---

weft_status half(const weft_kernel_call *c)
{
    for (int64_t i = 0; i < c->count; i++) {
        double x;
        memcpy(&x, (const char *)c->in[0] + i * c->in_stride[0], 8);
        x /= 2;
        memcpy((char *)c->out + i * c->out_stride, &x, 8);
    }
    return WEFT_OK;
}

weft_status read_squares(void *, const int64_t *start, const int64_t *count, void *out)
{
    for (int64_t i = 0; i < count[0]; i++)
        for (int64_t k = 0; k < count[1]; k++)
            static_cast<double *>(out)[i * count[1] + k] = (double)((start[0] + i) * (start[0] + i) + start[1] + k);
    return WEFT_OK;
}

struct Job {
    const char *name;
    std::function<weft_array *(const Hidden &)> make;
};

const std::vector<double> lent = Hidden::ramp(301 * 257);

const Job jobs[] = {
    {"map", [](const Hidden &h) { return h.text("exp(x)*2 - x.T", {"x"}, {h.drawn({257, 257}, {50, 60})}); }},
    {"reduce", [](const Hidden &h) { return weft_sum(h.drawn({301, 257}, {17, 23}), 0, nullptr, nullptr); }},
    {"moments", [](const Hidden &h) { return h.text("std(x, axis=0)", {"x"}, {h.drawn({301, 257}, {64, 64})}); }},
    {"argument", [](const Hidden &h) { return h.text("argmax(x, axis=1)", {"x"}, {h.drawn({301, 257}, {64, 64})}); }},
    {"scan", [](const Hidden &h) { return h.text("cumulative_sum(x, axis=0)", {"x"}, {h.drawn({301, 257}, {33, 50})}); }},
    {"product", [](const Hidden &h) { return h.text("x @ x.T", {"x"}, {h.drawn({301, 257}, {60, 50})}); }},
    {"thin product of lent memory", [](const Hidden &h) { return h.text("x @ v", {"x", "v"}, {h.borrowed(lent, {301, 257}), h.drawn({257})}); }},
    {"reshape", [](const Hidden &h) { return h.text("reshape(x, (257, 301)) + 1", {"x"}, {h.drawn({301, 257}, {30, 40})}); }},
    {"reshape of lent memory", [](const Hidden &h) { return h.text("reshape(x.T, (301*257,))", {"x"}, {h.borrowed(lent, {301, 257})}); }},
    {"take", [](const Hidden &h) {
        weft_array *i = weft_remainder(weft_multiply(weft_arange(h.s, 0, 500, 1, WEFT_INT64), weft_num_i64(h.s, 117)), weft_num_i64(h.s, 301));
        return weft_take(h.drawn({301, 257}, {30, 40}), i, 0);
    }},
    {"mask", [](const Hidden &h) { weft_array *x = h.drawn({70001}, {1000}); return weft_mask(x, weft_less(x, weft_num(h.s, 0.3))); }},
    {"group", [](const Hidden &h) { return weft_group_sum(h.drawn({301, 257}, {30, 40}), weft_remainder(weft_arange(h.s, 0, 301, 1, WEFT_INT64), weft_num_i64(h.s, 7)), 7, 0); }},
    {"bincount", [](const Hidden &h) { return weft_bincount(weft_remainder(weft_arange(h.s, 0, 300001, 1, WEFT_INT64), weft_num_i64(h.s, 13)), h.drawn({300001}), 0); }},
    {"the user's function", [](const Hidden &h) {
        weft_kernel_desc d = {};
        d.name = "half";
        d.params = "x";
        d.cpu = half;
        weft_array *x = h.drawn({301, 257}, {30, 40});
        return weft_add(weft_kernel_map(weft_kernel_create(h.s, &d), 1, &x, 0, nullptr), x);
    }},
    {"reader", [](const Hidden &h) { return h.text("x + x[::-1]", {"x"}, {weft_from_reader(h.s, read_squares, nullptr, WEFT_FLOAT64, 2, std::vector<int64_t>{301, 257}.data())}); }},
    {"lent memory", [](const Hidden &h) { return h.text("x[1:, 1:] - x[:-1, :-1]", {"x"}, {h.borrowed(lent, {301, 257})}); }},
    {"lent memory, turned", [](const Hidden &h) { return h.text("x + y", {"x", "y"}, {h.borrowed(lent, {257, 257}, {8, 257 * 8}), h.borrowed(lent, {257, 257})}); }},
    {"lent memory, every other", [](const Hidden &h) { return h.text("x * 3", {"x"}, {h.borrowed(lent, {150, 128}, {2 * 257 * 8, 16})}); }},
    {"halves", [](const Hidden &h) { return h.text("sum(astype(x, float16), axis=1)", {"x"}, {h.drawn({301, 257}, {33, 50})}); }},
    {"empty", [](const Hidden &h) { return h.text("x[:0] + 1", {"x"}, {h.drawn({301, 257}, {33, 50})}); }},
};

TEST_F(Hidden, MemoryFaultsWhenTheHostTouchesIt) {
    wf_device_list list = {};
    ASSERT_EQ(wf_device_list_open("hidden:1", 1, 1 << 20, 0, &list), WEFT_OK) << wf_last_error();
    EXPECT_EQ(list.count, 2);  // and a CPU device, for what this one cannot do
    EXPECT_EQ(list.nworking, 1);
    EXPECT_TRUE(list.device[1].is_cpu);
    void *memory = nullptr;
    ASSERT_EQ(list.device[0].ops->allocate(list.device[0].handle, 64, &memory), WEFT_OK);

    EXPECT_DEATH(*static_cast<volatile char *>(memory) = 1, "");

    list.device[0].ops->release(list.device[0].handle, memory, 64);
    wf_device_list_close(&list);
}

TEST_F(Hidden, TheBitsAreTheCpus) {
    for (const Job &job : jobs)
        for (const char *settings : {"test=true", "test=false"}) {
            open("cpu", "", 64 << 20, settings);
            const Bytes want = read(job.make(*this));
            struct {
                const char *devices, *behaviour;
                int64_t limit;
            } ways[] = {{"hidden:1", "", 64 << 20},          {"hidden:1", "slots=1; now=1", 64 << 20}, {"hidden:2@4MiB", "", 16 << 20},
                        {"hidden:3@3MiB", "", 8 << 20},      {"cpu,hidden:1", "", 64 << 20},           {"hidden:1,cpu:2", "slots=3", 64 << 20}};
            for (auto &way : ways) {
                open(way.devices, way.behaviour, way.limit, settings);
                EXPECT_EQ(read(job.make(*this)), want) << job.name << " on " << way.devices << " with " << way.behaviour << ", " << settings;
                EXPECT_EQ(stats().fallbacks, 0) << job.name;
            }
        }
}

// --- what comes in and goes out ---

TEST_F(Hidden, OneScalarIsReadWithOneSmallCopy) {
    open("hidden:1", "", 64 << 20, "");
    weft_array *x = weft_sum(drawn({1000, 1000}), 0, nullptr, nullptr);
    double v = 0;
    ASSERT_EQ(weft_compute(1, &x, nullptr), WEFT_OK) << weft_last_error();
    reset_counts();

    ASSERT_EQ(weft_item_f64(x, &v), WEFT_OK) << weft_last_error();

    EXPECT_EQ(counts().copies_out, 1);
    EXPECT_EQ(counts().bytes_out, 8);
    EXPECT_EQ(counts().launches, 0);
    EXPECT_NEAR(v, 500000, 2000);
}

TEST_F(Hidden, ScalarsAndNumbersCostNoCopies) {
    open("hidden:1", "", 64 << 20, "");
    reset_counts();

    weft_array *x = weft_add(weft_multiply(drawn({1000}), weft_num(s, 3)), weft_full(s, WEFT_FLOAT64, 0, nullptr, 4));
    ASSERT_EQ(weft_compute(1, &x, nullptr), WEFT_OK) << weft_last_error();

    EXPECT_EQ(counts().copies_in, 0);
    EXPECT_EQ(counts().launches, 1);
}

TEST_F(Hidden, LentMemoryIsCopiedToTheDeviceAndNowhereElse) {
    const int64_t n = 1 << 20;
    std::vector<double> data = ramp(n);
    open("hidden:1", "", 64 << 20, "");
    reset_counts();

    double v = 0, want = 0;
    for (double d : data) want += d;
    ASSERT_EQ(weft_item_f64(weft_sum(borrowed(data, {1024, 1024}), 0, nullptr, nullptr), &v), WEFT_OK) << weft_last_error();

    EXPECT_NEAR(v, want, want * 1e-12);
    EXPECT_EQ(counts().bytes_in, n * 8);
    EXPECT_LT(stats().peak_bytes, 1 << 20);  // of the host's memory
}

TEST_F(Hidden, WhatWasBroughtToTheDeviceStaysForTheNextRequest) {
    std::vector<double> data = ramp(1 << 18);
    const int64_t n = 1 << 18;
    open("hidden:1", "", 64 << 20, "");
    weft_array *x = weft_from_memory(s, data.data(), WEFT_FLOAT64, 1, &n, nullptr);  // copied: the session's own
    double v = 0;
    ASSERT_EQ(weft_item_f64(weft_sum(x, 0, nullptr, nullptr), &v), WEFT_OK) << weft_last_error();
    reset_counts();

    ASSERT_EQ(weft_item_f64(weft_max(x, 0, nullptr, nullptr), &v), WEFT_OK) << weft_last_error();

    EXPECT_EQ(counts().bytes_in, 0);
    EXPECT_EQ(v, *std::max_element(data.begin(), data.end()));
}

TEST_F(Hidden, FilesAreReadAndWritten) {
    const std::string npy = dir + "/x.npy", zarr = dir + "/x.zarr", back = dir + "/y.npy";
    open("cpu", "", 64 << 20, "");
    Bytes want = read(drawn({300, 250}));
    ASSERT_EQ(weft_save(drawn({300, 250}), npy.c_str(), nullptr), WEFT_OK) << weft_last_error();
    for (const char *devices : {"hidden:1", "hidden:2@256KiB", "cpu,hidden:1"}) {
        open(devices, "", 16 << 20);
        weft_save_options o = {};
        o.overwrite = true;
        const int64_t chunks[] = {64, 100};
        o.nchunks = 2;
        o.chunks = chunks;

        ASSERT_EQ(weft_save(weft_load(s, npy.c_str(), nullptr), zarr.c_str(), &o), WEFT_OK) << weft_last_error();
        o.nchunks = 0;
        weft_array *x = weft_load(s, zarr.c_str(), nullptr);
        ASSERT_EQ(weft_save(weft_matrix_transpose(weft_multiply(x, weft_num(s, 2))), back.c_str(), &o), WEFT_OK) << weft_last_error();

        EXPECT_EQ(read(text("y.T / 2", {"y"}, {weft_load(s, back.c_str(), nullptr)})), want) << devices;
        EXPECT_EQ(stats().fallbacks, 0);
    }
}

TEST_F(Hidden, BlocksGoFromDeviceToDevice) {
    const int64_t block[] = {64, 512};
    open("hidden:2", "", 64 << 20, "");
    weft_array *x = weft_rechunk(drawn({512, 512}), 2, block);
    ASSERT_EQ(weft_compute(1, &x, nullptr), WEFT_OK) << weft_last_error();
    reset_counts();

    Bytes got = read(text("x + x.T", {"x"}, {x}));

    if (getenv("WEFT_DEV_HIDDEN_ABSENT")) EXPECT_EQ(counts().copies_peer, 0);  // by way of the host
    else EXPECT_GT(counts().copies_peer, 0);
    open("cpu", "", 64 << 20, "");
    EXPECT_EQ(got, read(text("x + x.T", {"x"}, {weft_rechunk(drawn({512, 512}), 2, block)})));
}

TEST_F(Hidden, ManyPiecesAreCopiedTogether) {
    const int64_t n = 5000;
    open("hidden:1", "", 64 << 20, "");
    weft_array *i = weft_remainder(weft_multiply(weft_arange(s, 0, (double)n, 1, WEFT_INT64), weft_num_i64(s, 1171)), weft_num_i64(s, 3000));
    weft_array *x = drawn({3000, 8}), *y = weft_take(x, i, 0), *z = text("reshape(x, (1000000,))", {"x"}, {drawn({1000, 1000}, {100, 100})});
    weft_array *both[] = {y, z};
    reset_counts();

    ASSERT_EQ(weft_compute(2, both, nullptr), WEFT_OK) << weft_last_error();

    if (getenv("WEFT_DEV_HIDDEN_ABSENT")) EXPECT_GT(counts().boxes, n);
    else EXPECT_LT(counts().boxes, 100);
    std::vector<double> source(24000), taken(40000);
    ASSERT_EQ(weft_get(x, WEFT_FLOAT64, source.data(), source.size() * 8), WEFT_OK);
    ASSERT_EQ(weft_get(y, WEFT_FLOAT64, taken.data(), taken.size() * 8), WEFT_OK);
    for (int64_t k = 0; k < n * 8; k++) ASSERT_EQ(taken[(size_t)k], source[(size_t)(k / 8 * 1171 % 3000 * 8 + k % 8)]);
    EXPECT_EQ(read(z), read(drawn({1000000})));
}

// --- memory ---

TEST_F(Hidden, ArraysLargerThanTheDeviceStreamThroughIt) {
    const int64_t n = 4 << 20;  // 32 MiB through 4
    std::vector<double> data = ramp(n);
    for (const char *expression : {"sum(sqrt(x)*2 + x, axis=0)", "max(x - x.T, axis=1)"}) {
        open("cpu", "", 256 << 20, "");
        Bytes want = read(text(expression, {"x"}, {borrowed(data, {2048, 2048})}));
        for (const char *devices : {"hidden:1@4MiB", "hidden:2@4MiB"}) {
            open(devices, "slots=3", 64 << 20, "");
            reset_counts();

            EXPECT_EQ(read(text(expression, {"x"}, {borrowed(data, {2048, 2048})})), want) << expression << " on " << devices;

            EXPECT_LE(counts().peak_bytes, 4 << 20);
            EXPECT_GT(counts().peak_bytes, 1 << 20);
            EXPECT_LE(stats().peak_bytes, 64 << 20);
            EXPECT_EQ(stats().bytes_spilled, 0);
        }
    }
}

TEST_F(Hidden, WhatDoesNotFitGoesToHostMemoryAndThenToDisk) {
    const int64_t n = 2048, host = 16 << 20;  // x is 32 MiB, held whole between its readers; the device has 8
    open("hidden:1@8MiB", "slots=2", host, "");
    reset_counts();
    weft_array *x = drawn({n, n}, {256, 256}, 5);
    ASSERT_EQ(weft_compute(1, &x, nullptr), WEFT_OK) << weft_last_error();
    weft_array *d = weft_subtract(x, weft_matrix_transpose(x));
    double total = 1;

    ASSERT_EQ(weft_item_f64(weft_sum(weft_abs(weft_add(d, weft_matrix_transpose(d))), 0, nullptr, nullptr), &total), WEFT_OK)
        << weft_last_error();

    EXPECT_EQ(total, 0);
    EXPECT_GT(stats().bytes_spilled, 0);
    EXPECT_LE(stats().peak_bytes, host);
    EXPECT_LE(counts().peak_bytes, 8 << 20);
}

TEST_F(Hidden, ProductsOfWhatDoesNotFitAreTheCpus) {
    auto product = [&] { return text("x @ y", {"x", "y"}, {drawn({900, 800}, {200, 200}, 1), drawn({800, 700}, {200, 200}, 2)}); };
    open("cpu", "", 256 << 20, "");
    Bytes want = read(product());
    for (const char *devices : {"hidden:1@4MiB", "hidden:2@4MiB"}) {
        open(devices, "", 64 << 20, "");
        reset_counts();

        EXPECT_EQ(read(product()), want) << devices;

        EXPECT_LE(counts().peak_bytes, 4 << 20);
    }
}

// --- what the device cannot do ---

struct Log {
    std::mutex lock;
    std::vector<std::string> lines;
    Log()
    {
        weft_set_log([](void *context, int, const char *text) {
            Log *log = static_cast<Log *>(context);
            std::lock_guard<std::mutex> hold(log->lock);
            log->lines.push_back(text);
        }, this);
    }
    ~Log() { weft_set_log(nullptr, nullptr); }
    int64_t count(const std::string &part)
    {
        std::lock_guard<std::mutex> hold(lock);
        return std::count_if(lines.begin(), lines.end(), [&](const std::string &l) { return l.find(part) != std::string::npos; });
    }
};

TEST_F(Hidden, WhatHasNoKernelRunsOnTheCpuLoggedOnceAndCounted) {
    const struct {
        const char *slot;
        std::vector<const char *> jobs;
    } ways[] = {{"launch", {"map", "lent memory", "reader"}}, {"launch_reduce", {"reduce", "moments", "argument", "halves"}},
                {"combine", {"moments"}}, {"gemm", {"product", "thin product of lent memory"}}, {"scan", {"scan"}},
                {"select", {"mask"}}, {"group", {"group", "bincount"}}};
    for (auto &way : ways)
        for (const char *name : way.jobs)
            for (const char *devices : {"hidden:1", "hidden:2@4MiB", "cpu,hidden:1"}) {
                const Job &job = *std::find_if(std::begin(jobs), std::end(jobs), [&](const Job &j) { return !strcmp(j.name, name); });
                open("cpu", "", 64 << 20, "test=true");
                const Bytes want = read(job.make(*this));
                Log log;
                open(devices, (std::string("unsupported=") + way.slot).c_str());

                EXPECT_EQ(read(job.make(*this)), want) << name << " without " << way.slot << " on " << devices;

                if (devices[0] == 'h') {  // else the CPU device may have done it all
                    EXPECT_GT(stats().fallbacks, 0) << name;
                    EXPECT_GE(log.count(" runs on a CPU device: hidden"), 1) << name;
                    EXPECT_LE(log.count(" runs on a CPU device: hidden"), 2) << name;  // once for each operation
                }
                close();
            }
}

TEST_F(Hidden, AChainOfWhatItCanAndCannotDoIsTheCpus) {
    auto chain = [&] {
        weft_array *x = drawn({700, 700}, {100, 700}, 8);
        weft_array *c = weft_cumulative_sum(x, 0, nullptr);
        return text("sum((3*c + c.T) @ c, axis=0)", {"c"}, {c});
    };
    open("cpu", "", 64 << 20, "");
    const Bytes want = read(chain());
    for (const char *unsupported : {"unsupported=scan", "unsupported=launch", "unsupported=launch_reduce,gemm", "unsupported=launch,launch_reduce,gemm,scan"})
        for (const char *devices : {"hidden:1", "hidden:2"}) {
            open(devices, unsupported, 64 << 20, "disable=fuse");
            EXPECT_EQ(read(chain()), want) << devices << " " << unsupported;
        }
}

// --- the loss of a device ---

weft_array *long_job(const Hidden &h)
{
    weft_array *x = h.drawn({600, 600}, {100, 100}, 3);
    weft_array *y = weft_cumulative_sum(h.text("exp(x) + x.T", {"x"}, {x}), 0, nullptr);
    return h.text("mean(y - mean(y, axis=0), axis=0)", {"y"}, {y});
}

// What MAKE's array holds. Where it was reading that the device died of, the array was done, and is gone with it: then once more.
Bytes Hidden::outlive(weft_array *make(const Hidden &))
{
    weft_array *x = make(*this);
    Bytes v((size_t)weft_array_nbytes(x));
    EXPECT_EQ(weft_compute(1, &x, nullptr), WEFT_OK) << weft_last_error();
    weft_status st = weft_get(x, WEFT_DTYPE_DEFAULT, v.data(), v.size());
    if (st == WEFT_OK) return v;
    EXPECT_TRUE(st == WEFT_DEVICE || st == WEFT_LOST) << weft_last_error();
    return read(make(*this));
}

TEST_F(Hidden, ARequestOutlivesADeviceThatDiesAtAnyMoment) {
    open("cpu", "", 256 << 20, "");
    const Bytes want = read(long_job(*this));
    int64_t died = 0;
    for (const char *devices : {"hidden:2", "hidden:1", "cpu,hidden:1", "hidden:2@4MiB"})
        for (const char *settings : {"", "mode=sync"})
            for (int at : {1, 2, 3, 10, 37, 80, 140, 200, 290}) {
                open(devices, ("die=0@" + std::to_string(at)).c_str(), 256 << 20, settings);

                EXPECT_EQ(outlive(long_job), want) << devices << ", died at " << at << ", " << settings;

                // Alone, it does not get through so little work.
                if (at <= 37 && !strcmp(devices, "hidden:1")) {
                    EXPECT_EQ(stats().devices_lost, 1) << "died at " << at << ", " << settings;
                }
                EXPECT_EQ(read(long_job(*this)), want) << devices << " once more";
                EXPECT_LE(stats().devices_lost, 1) << devices << ", died at " << at;
                died += stats().devices_lost;
            }
    EXPECT_GT(died, 18);
}

TEST_F(Hidden, SmallRequestsOutliveIt) {
    for (const char *devices : {"hidden:1", "hidden:2"})
        for (int at = 1; at < 12; at++) {
            Log log;
            open(devices, ("die=0@" + std::to_string(at)).c_str(), 64 << 20, "");
            for (int turn = 0; turn < 3; turn++) {
                double v = 0;
                weft_array *x = weft_sum(weft_add(weft_arange(s, 0, 100, 1, WEFT_FLOAT64), weft_num(s, turn)), 0, nullptr, nullptr);

                // Reading what was computed may be what it dies of; then it is told, and can be computed again.
                weft_status st = weft_item_f64(x, &v);

                if (st != WEFT_OK) {
                    EXPECT_TRUE(st == WEFT_DEVICE || st == WEFT_LOST) << weft_last_error();
                    turn--;
                } else {
                    EXPECT_EQ(v, 4950 + 100 * turn);
                }
                ASSERT_LT(log.count("lost its memory"), 2);
            }
            close();
        }
}

TEST_F(Hidden, MemoryOfAnyDeviceMayBeLostInMidRun) {
    auto make = [&] {
        weft_array *x = weft_from_reader(s, read_squares, nullptr, WEFT_FLOAT64, 2, std::vector<int64_t>{250, 250}.data());
        return text("mean(y - mean(y, axis=0), axis=0)", {"y"}, {weft_cumulative_sum(text("exp(x/1e6) + x.T", {"x"}, {x}), 0, nullptr)});
    };
    open("cpu", "", 256 << 20);
    const Bytes want = read(make());
    for (const char *devices : {"cpu:2", "cpu:3", "hidden:1", "hidden:2", "cpu,hidden:1"})
        for (int round = 0; round < 4; round++) {
            open(devices, "", 256 << 20);
            weft_array *m = make();
            weft_request *r = weft_start(1, &m, nullptr);
            ASSERT_NE(r, nullptr) << weft_last_error();

            usleep(2000 + 4000 * (unsigned)round);
            wf_engine_lose_device(wf_session_engine(s), round % 2);  // of "hidden:1" the second is the CPU device beside it

            EXPECT_EQ(weft_wait(r, 60), WEFT_OK) << weft_last_error();
            EXPECT_EQ(read(m), want) << devices << ", round " << round;
            weft_request_free(r);
        }
}

TEST_F(Hidden, ArraysThatWereOnALostDeviceAreToldSoAndTheSessionGoesOn) {
    open("hidden:1", "", 64 << 20, "");
    weft_array *x = drawn({300, 300}, {100, 100});
    ASSERT_EQ(weft_compute(1, &x, nullptr), WEFT_OK) << weft_last_error();

    wf_engine_lose_device(wf_session_engine(s), 0);

    std::vector<double> v(90000, 7);
    EXPECT_EQ(weft_get(x, WEFT_FLOAT64, v.data(), v.size() * 8), WEFT_LOST);
    EXPECT_EQ(v[0], 7);
    EXPECT_EQ(weft_item_f64(weft_sum(x, 0, nullptr, nullptr), v.data()), WEFT_LOST);
    EXPECT_EQ(std::string(weft_last_error()).rfind("sum: an operand computed earlier was lost with the memory that held it [in sum", 0), 0u)
        << weft_last_error();
    EXPECT_EQ(stats().retries, 0);
    EXPECT_EQ(weft_item_f64(weft_sum(text("x @ x", {"x"}, {x}), 0, nullptr, nullptr), v.data()), WEFT_LOST);
    EXPECT_EQ(read(weft_add(weft_full(s, WEFT_FLOAT64, 0, nullptr, 1), weft_num(s, 1))).size(), 8u);
    EXPECT_EQ(read(drawn({300, 300}, {100, 100})).size(), 720000u);
}

}  // namespace
