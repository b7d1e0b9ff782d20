// SPDX-License-Identifier: Apache-2.0
// cudasim_test - the stand-in does what the CUDA module's tests count on: it finds wrong handles, addresses and dependencies, runs kernels as
// CUDA does, fails when told to, and says what leaked.
#include <cmath>
#include <complex>
#include <thread>

#include "cudasim/cudasim_fixture.h"

namespace cudasim {
namespace {

const char *const kernels = R"(
#include "kernel.cuh"
struct axpy { float *out; const float *x; float a; int64_t n; };
WF_KERNEL(k_axpy, axpy) {
    for (int64_t i = blockIdx.x * (int64_t)WF_THREADS + threadIdx.x; i < A.n; i += (int64_t)gridDim.x * WF_THREADS)
        A.out[i] = A.a * A.x[i] + A.out[i];
}
struct sums { double *out; const double *x; int64_t n; };
WF_KERNEL_MEETING(k_sum, sums) {
    WF_SHARED double part[WF_THREADS / 32];
    double s = 0;
    for (int64_t i = blockIdx.x * (int64_t)WF_THREADS + threadIdx.x; i < A.n; i += (int64_t)gridDim.x * WF_THREADS) s += A.x[i];
    for (int by = 16; by; by >>= 1) s += __shfl_down_sync(WF_FULL_WARP, s, by);
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = s;
    __syncthreads();
    if (threadIdx.x < 32) {
        s = threadIdx.x < WF_THREADS / 32 ? part[threadIdx.x] : 0;
        for (int by = 4; by; by >>= 1) s += __shfl_xor_sync(WF_FULL_WARP, s, by);
        if (threadIdx.x == 0) A.out[blockIdx.x] = s;
    }
}
struct copied { float *out; const float *in; int64_t n; };
WF_KERNEL(k_copy, copied) {  // loops that compilers make calls of memset and memcpy
    if (threadIdx.x) return;
    float *__restrict__ out = A.out;
    const float *__restrict__ in = A.in;
    for (int64_t i = 0; i < A.n; i++) out[i] = 0;
    for (int64_t i = 0; i < A.n / 2; i++) out[i] = in[i];
}
struct one { unsigned *out; int64_t at; };
WF_KERNEL(k_poke, one) { if (threadIdx.x == 0) A.out[A.at] = 7; }
WF_KERNEL(k_count, one) { atomicAdd(A.out, 1u); }
WF_KERNEL_MEETING(k_votes, one) {
    const unsigned lane = threadIdx.x % 32;
    unsigned votes = __ballot_sync(WF_FULL_WARP, lane % 3 == 0);
    unsigned right = __shfl_sync(WF_FULL_WARP, votes + lane, lane + 1), up = __shfl_up_sync(WF_FULL_WARP, lane, 2, 8);
    A.out[threadIdx.x] = votes == 0x49249249u && right == votes + (lane + 1) % 32 && up == (lane % 8 < 2 ? lane : lane - 2) &&
                         __any_sync(WF_FULL_WARP, lane == 9) && !__all_sync(WF_FULL_WARP, lane == 9) &&
                         __syncthreads_count(threadIdx.x < 100) == 100;
}
WF_KERNEL_MEETING(k_left, one) { if (threadIdx.x != 40) __syncthreads(); }
WF_KERNEL_MEETING(k_apart, one) { if (threadIdx.x < 16) __shfl_sync(WF_FULL_WARP, 1, 0); else __syncthreads(); }
WF_KERNEL(k_meets, one) { __syncthreads(); }
)";

struct Axpy {
    CUdeviceptr out, x;
    float a;
    int64_t n;
};
struct Sums {
    CUdeviceptr out, x;
    int64_t n;
};
struct Copied {
    CUdeviceptr out, in;
    int64_t n;
};
struct One {
    CUdeviceptr out;
    int64_t at;
};

// --- arguments, contexts, memory ---

TEST_F(Cuda, CallsNeedAContextOfTheThreadsOwn) {
    CUdeviceptr p = 0;
    CUresult elsewhere = 0;

    std::thread([&] { elsewhere = lib.driver.allocate(&p, 16); }).join();

    EXPECT_EQ(elsewhere, 201);
    EXPECT_EQ(p, 0u);
    EXPECT_EQ(lib.driver.context_set((CUcontext)&p), 201);
    ASSERT_EQ(lib.driver.context_set(nullptr), 0);
    EXPECT_EQ(lib.driver.allocate(&p, 16), 201);
}

TEST_F(Cuda, StaleAndForeignHandlesAreKnown) {
    CUstream here = stream();
    CUevent event0 = event();
    use(1);
    EXPECT_EQ(lib.driver.stream_synchronize(here), 400);
    EXPECT_EQ(lib.driver.event_record(event0, here), 400);
    use(0);
    EXPECT_EQ(lib.driver.stream_synchronize((CUstream)event0), 400);
    EXPECT_EQ(lib.driver.stream_synchronize(nullptr), 400);

    ASSERT_EQ(lib.driver.event_destroy(event0), 0);
    ASSERT_EQ(lib.driver.stream_destroy(here), 0);

    CUstream next = stream();  // takes the place of the first
    EXPECT_NE(next, here);
    EXPECT_EQ(lib.driver.stream_synchronize(here), 400);
    EXPECT_EQ(lib.driver.event_query(event0), 400);
    ASSERT_EQ(lib.driver.stream_destroy(next), 0);
}

TEST_F(Cuda, DevicesAreAsTheEnvironmentSays) {
    setenv("CUDASIM_MODE", "3", 1);
    setenv("CUDASIM_PEERS", "0", 1);
    lib.reset();
    int mode = 0, major = 0, peers = 1, count = 0;
    char name[32];

    ASSERT_EQ(lib.driver.device_attribute(&mode, CU_DEVICE_ATTRIBUTE_COMPUTE_MODE, 0), 0);
    ASSERT_EQ(lib.driver.device_attribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 1), 0);
    ASSERT_EQ(lib.driver.device_name(name, sizeof name, 1), 0);
    ASSERT_EQ(lib.driver.device_count(&count), 0);
    ASSERT_EQ(lib.driver.peer_possible(&peers, 0, 1), 0);

    EXPECT_EQ(mode, 3);
    EXPECT_EQ(major, 9);
    EXPECT_STREQ(name, "cudasim 1");
    EXPECT_EQ(count, 2);
    EXPECT_EQ(peers, 0);
    EXPECT_EQ(lib.driver.peer_enable(context[1], 0), 217);
    EXPECT_EQ(lib.driver.device_name(name, sizeof name, 2), 101);
    unsetenv("CUDASIM_MODE"), unsetenv("CUDASIM_PEERS");
}

TEST_F(Cuda, MemoryIsLimitedCountedAndPoisoned) {
    size_t free = 0, total = 0;
    CUdeviceptr big = 0;
    CUstream s = stream();
    CUdeviceptr p = memory(1000);
    ASSERT_EQ(lib.driver.memory_info(&free, &total), 0);

    EXPECT_EQ(total, 256u << 20);
    EXPECT_EQ(free, total - 1024);
    EXPECT_EQ(lib.count("bytes"), 1024);
    EXPECT_EQ(p % 512, 0u);
    EXPECT_EQ(lib.driver.allocate(&big, total - 1000), 2);
    EXPECT_EQ(lib.driver.allocate(&big, 0), 1);
    EXPECT_EQ(download<unsigned char>(p, 1000, s), std::vector<unsigned char>(1000, 0xA5));
    EXPECT_EQ(lib.driver.free(p + 1), 1);
    EXPECT_EQ(lib.driver.free(p), 0);
    EXPECT_EQ(lib.driver.free(p), 1);
    EXPECT_EQ(lib.count("peak"), 1024);
    lib.driver.stream_destroy(s);
}

TEST_F(Cuda, CopiesOutsideLiveMemoryAreStickyErrors) {
    char host[64] = {};
    CUdeviceptr p = memory(64), q = memory(64);
    ASSERT_EQ(lib.driver.free(q), 0);

    struct Case {
        CUdeviceptr to;
        size_t bytes;
    } cases[] = {{p + 1, 64}, {q, 1}, {(CUdeviceptr)(uintptr_t)host, 1}};
    for (const Case &c : cases) {
        CUstream s = stream();
        ASSERT_EQ(lib.driver.copy_to_device(c.to, host, c.bytes, s), 0);
        EXPECT_EQ(wait(s), 700);
        EXPECT_EQ(lib.driver.memory_info(nullptr, nullptr), 700);  // whatever is called from now on
        use(1);
        CUstream other = stream();  // the other GPU lives
        EXPECT_EQ(wait(other), 0);
        lib.driver.stream_destroy(other);
        use(0);
        lib.reset();
        lib.driver.stream_destroy(s);
    }
    CUstream s = stream();
    EXPECT_EQ(lib.driver.copy_to_device(p, (void *)(uintptr_t)p, 1, s), 1);  // device memory as the host's
    lib.driver.stream_destroy(s);
    EXPECT_EQ(lib.driver.free(p), 0);
}

TEST_F(Cuda, MemoryOfAnotherGpuNeedsAPeerCopy) {
    CUstream s = stream();
    CUdeviceptr mine = upload(std::vector<int>{1, 2, 3}, s);
    use(1);
    CUdeviceptr theirs = memory(12);
    use(0);

    ASSERT_EQ(lib.driver.copy_to_peer(theirs, context[1], mine, context[0], 12, s), 0);
    ASSERT_EQ(wait(s), 0);
    use(1);
    CUstream s1 = stream();
    EXPECT_EQ(download<int>(theirs, 3, s1), (std::vector<int>{1, 2, 3}));
    lib.driver.stream_destroy(s1);
    use(0);
    ASSERT_EQ(lib.driver.copy_on_device(theirs, mine, 12, s), 0);
    EXPECT_EQ(wait(s), 700);

    lib.reset();
    lib.driver.free(mine), lib.driver.free(theirs), lib.driver.stream_destroy(s);
}

TEST_F(Cuda, PinnedMemoryIsFreedOnceAndNotAsDeviceMemory) {
    void *p = nullptr;
    ASSERT_EQ(lib.driver.host_allocate(&p, 100, CU_MEMHOSTALLOC_PORTABLE), 0);
    memset(p, 1, 100);

    EXPECT_EQ(lib.count("host bytes"), 100);
    EXPECT_EQ(lib.driver.free((CUdeviceptr)(uintptr_t)p), 1);
    EXPECT_EQ(lib.driver.host_free(p), 0);
    EXPECT_EQ(lib.driver.host_free(p), 1);
    EXPECT_EQ(lib.count("host bytes"), 0);
}

TEST_F(Cuda, TheHostCannotTouchDeviceMemory) {
#ifdef WEFT_UNDER_ASAN
    const char *poisoned = "use-after-poison";
#else
    const char *poisoned = "";  // a plain fault
#endif
    EXPECT_DEATH(
        {
            setenv("CUDASIM_PROTECT", "1", 1);  // the AddressSanitizer build needs no asking
            lib.reset();
            *(volatile char *)(uintptr_t)memory(100) = 1;
        },
        poisoned);
    setenv("CUDASIM_PROTECT", "1", 1);
    lib.reset();
    CUstream s = stream();
    CUdeviceptr p = upload(std::vector<int>{4, 5}, s);  // but copies can
    EXPECT_EQ(download<int>(p, 2, s), (std::vector<int>{4, 5}));
    lib.driver.free(p), lib.driver.stream_destroy(s);
    unsetenv("CUDASIM_PROTECT");
}

TEST_F(Cuda, CopiesFromPinnedMemoryThatIsGoneAreStickyErrors) {
    void *host = nullptr;
    CUstream s = stream();
    CUdeviceptr p = memory(8);
    ASSERT_EQ(lib.driver.host_allocate(&host, 8, 0), 0);
    ASSERT_EQ(lib.driver.copy_to_device(p, host, 8, s), 0);
    ASSERT_EQ(lib.driver.host_free(host), 0);  // before the copy ran

    EXPECT_EQ(wait(s), 700);

    lib.reset();
    lib.driver.free(p), lib.driver.stream_destroy(s);
}

// No context is held, so that the number of GPUs may change.
TEST(Environment, SaysHowManyGpusThereAreAndWhatFails) {
    Libraries &lib = libraries();
    const struct {
        const char *devices, *visible;
        int init, count;
        const char *first;
    } cases[] = {{"4", nullptr, 0, 4, "cudasim 0"}, {"0", nullptr, 100, 0, ""},         {"4", "", 100, 0, ""},
                 {"4", "2,0", 0, 2, "cudasim 2"},   {"4", "3,nonsense,1", 0, 1, "cudasim 3"}, {"4", "7", 100, 0, ""}};
    for (const auto &c : cases) {
        setenv("CUDASIM_DEVICES", c.devices, 1);
        c.visible ? setenv("CUDA_VISIBLE_DEVICES", c.visible, 1) : unsetenv("CUDA_VISIBLE_DEVICES");
        lib.reset();
        int count = 0;
        char name[32] = "";
        EXPECT_EQ(lib.driver.init(0), c.init) << (c.visible ? c.visible : "all");
        if (c.init != 0) continue;
        EXPECT_EQ(lib.driver.device_count(&count), 0);
        EXPECT_EQ(lib.driver.device_name(name, sizeof name, 0), 0);
        EXPECT_EQ(count, c.count);
        EXPECT_STREQ(name, c.first);
    }
    unsetenv("CUDASIM_DEVICES"), unsetenv("CUDA_VISIBLE_DEVICES");
    setenv("CUDASIM_FAIL", "cuInit:2:999,nvrtcVersion:1:11", 1);
    setenv("CUDASIM_DRIVER", "12020", 1);
    lib.reset();
    int version = 0, minor = 0;
    EXPECT_EQ(lib.driver.init(0), 0);
    EXPECT_EQ(lib.driver.init(0), 999);
    EXPECT_EQ(lib.nvrtc.version(&version, &minor), 11);
    EXPECT_EQ(lib.driver.driver_version(&version), 0);
    EXPECT_EQ(version, 12020);
    unsetenv("CUDASIM_FAIL"), unsetenv("CUDASIM_DRIVER");
    lib.reset();
}

// --- order ---

TEST_F(Cuda, NothingRunsBeforeTheHostWaits) {
    int host = 5, back = 0;
    CUstream s = stream();
    CUdeviceptr p = memory(4);
    ASSERT_EQ(lib.driver.copy_to_device(p, &host, 4, s), 0);
    host = 6;  // too early, and it shows
    ASSERT_EQ(lib.driver.copy_to_host(&back, p, 4, s), 0);

    EXPECT_EQ(back, 0);
    EXPECT_EQ(lib.count("queued"), 2);
    ASSERT_EQ(wait(s), 0);
    EXPECT_EQ(back, 6);
    lib.driver.free(p), lib.driver.stream_destroy(s);
}

TEST_F(Cuda, AQueueThatIsFullRuns) {
    CUstream s = stream();
    CUdeviceptr p = memory(4);
    for (int i = 0; i < 1000; i++) ASSERT_EQ(lib.driver.fill(p, 1, 4, s), 0);

    EXPECT_LE(lib.count("queued"), 256);
    lib.driver.free(p), lib.driver.stream_destroy(s);
}

// How many of 100 seeds show the byte that stream A writes to stream B, which reads it.
struct Dependency : Cuda {
    int seeds_that_see(bool with_event, int reader) {
        int seen = 0;
        for (int seed = 0; seed < 100; seed++) {
            lib.seed(seed);
            use(0);
            CUstream a = stream();
            CUdeviceptr p = memory(1);
            CUevent e = event();
            use(reader);
            CUstream b = stream();
            CUdeviceptr q = memory(1);
            use(0);
            unsigned char byte = 0;
            EXPECT_EQ(lib.driver.fill(p, 42, 1, a), 0);
            EXPECT_EQ(lib.driver.event_record(e, a), 0);
            use(reader);
            if (with_event) { EXPECT_EQ(lib.driver.stream_wait_event(b, e, 0), 0); }
            EXPECT_EQ(lib.driver.copy_to_peer(q, context[reader], p, context[0], 1, b), 0);
            EXPECT_EQ(lib.driver.copy_to_host(&byte, q, 1, b), 0);
            EXPECT_EQ(wait(b), 0);
            seen += byte == 42;
            lib.driver.free(p), lib.driver.free(q), lib.driver.event_destroy(e), lib.driver.stream_destroy(b);
            use(0);
            lib.driver.stream_destroy(a);
        }
        return seen;
    }
};

TEST_F(Dependency, MissingShowsForSomeSeedsAndTheSameOnesAgain) {
    const int seen = seeds_that_see(false, 0);

    EXPECT_GT(seen, 10);
    EXPECT_LT(seen, 90);
    EXPECT_EQ(seeds_that_see(false, 0), seen);
}

TEST_F(Dependency, MissingShowsAcrossGpus) {
    const int seen = seeds_that_see(false, 1);
    EXPECT_GT(seen, 10);
    EXPECT_LT(seen, 90);
}

TEST_F(Dependency, AnEventMakesItRightForEverySeed) {
    EXPECT_EQ(seeds_that_see(true, 0), 100);
    EXPECT_EQ(seeds_that_see(true, 1), 100);
}

TEST_F(Cuda, AWaitMeansTheLastRecordBeforeIt) {
    CUstream a = stream(), b = stream();
    CUevent e = event();
    CUdeviceptr p = memory(1);
    for (int seed = 0; seed < 50; seed++) {
        lib.seed(seed);
        unsigned char byte = 0;
        ASSERT_EQ(lib.driver.fill(p, 1, 1, a), 0);
        ASSERT_EQ(lib.driver.event_record(e, a), 0);
        ASSERT_EQ(lib.driver.stream_wait_event(b, e, 0), 0);
        ASSERT_EQ(lib.driver.copy_to_host(&byte, p, 1, b), 0);
        ASSERT_EQ(lib.driver.event_record(e, b), 0);  // a later record: the wait above does not mean it
        ASSERT_EQ(lib.driver.stream_wait_event(a, e, 0), 0);
        ASSERT_EQ(lib.driver.fill(p, 2, 1, a), 0);
        ASSERT_EQ(wait(a), 0);
        EXPECT_EQ(byte, 1);
    }
    lib.driver.free(p), lib.driver.event_destroy(e), lib.driver.stream_destroy(a), lib.driver.stream_destroy(b);
}

TEST_F(Cuda, WaitingForAnEventRunsWhatIsBeforeIt) {
    CUstream s = stream();
    CUevent e = event();
    CUdeviceptr p = memory(1);
    unsigned char first = 0, second = 0;
    ASSERT_EQ(lib.driver.fill(p, 3, 1, s), 0);
    ASSERT_EQ(lib.driver.copy_to_host(&first, p, 1, s), 0);
    ASSERT_EQ(lib.driver.event_record(e, s), 0);
    ASSERT_EQ(lib.driver.copy_to_host(&second, p, 1, s), 0);

    EXPECT_EQ(lib.driver.event_synchronize(e), 0);
    EXPECT_EQ(first, 3);
    EXPECT_EQ(second, 0);
    EXPECT_EQ(lib.driver.free(p), 0);  // waits for all of the GPU
    EXPECT_EQ(second, 3);
    lib.driver.event_destroy(e), lib.driver.stream_destroy(s);
}

TEST_F(Cuda, PollingAnEventGetsThere) {
    CUstream s = stream();
    CUevent e = event();
    CUdeviceptr p = memory(1);
    EXPECT_EQ(lib.driver.event_query(e), 0);  // never recorded
    for (int i = 0; i < 20; i++) ASSERT_EQ(lib.driver.fill(p, 1, 1, s), 0);
    ASSERT_EQ(lib.driver.event_record(e, s), 0);

    int answers = 0;
    CUresult result;
    while ((result = lib.driver.event_query(e)) == CUDA_ERROR_NOT_READY && answers < 10000) answers++;

    EXPECT_EQ(result, 0);
    EXPECT_GT(answers, 5);
    EXPECT_EQ(lib.driver.event_synchronize(e), 0);
    lib.driver.free(p), lib.driver.event_destroy(e), lib.driver.stream_destroy(s);
}

TEST_F(Cuda, ADestroyedStreamsAndEventsWorkIsStillDone) {
    CUstream a = stream(), b = stream();
    CUevent e = event();
    CUdeviceptr p = memory(1);
    ASSERT_EQ(lib.driver.fill(p, 9, 1, a), 0);
    ASSERT_EQ(lib.driver.event_record(e, a), 0);
    ASSERT_EQ(lib.driver.stream_wait_event(b, e, 0), 0);
    ASSERT_EQ(lib.driver.event_destroy(e), 0);
    ASSERT_EQ(lib.driver.stream_destroy(a), 0);

    EXPECT_EQ(download<unsigned char>(p, 1, b), std::vector<unsigned char>{9});
    lib.driver.free(p), lib.driver.stream_destroy(b);
}

TEST_F(Cuda, ThreadsShareTheGpus) {
    std::vector<std::thread> threads;
    std::vector<int> wrong(4);
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&, t] {
            lib.driver.context_set(context[t % 2]);
            CUstream s = nullptr;
            CUdeviceptr p = 0;
            wrong[t] += lib.driver.stream_create(&s, 0) != 0;
            for (int i = 0; i < 200; i++) {
                unsigned char byte = 0;
                wrong[t] += lib.driver.allocate(&p, 64) != 0;
                wrong[t] += lib.driver.fill(p, (unsigned char)i, 64, s) != 0;
                wrong[t] += lib.driver.copy_to_host(&byte, p + 63, 1, s) != 0;
                wrong[t] += lib.driver.stream_synchronize(s) != 0;
                wrong[t] += byte != (unsigned char)i;
                wrong[t] += lib.driver.free(p) != 0;
            }
            wrong[t] += lib.driver.stream_destroy(s) != 0;
        });
    for (std::thread &t : threads) t.join();

    EXPECT_EQ(wrong, std::vector<int>(4));
}

// --- kernels ---

struct Kernels : Cuda {
    CUmodule module = nullptr;
    CUstream s = nullptr;

    void SetUp() override {
        Cuda::SetUp();
        module = load(kernels);
        s = stream();
        ASSERT_TRUE(module);
    }
    void TearDown() override {
        lib.reset();
        lib.driver.stream_destroy(s);
        lib.driver.module_unload(module);
        Cuda::TearDown();
    }
};

TEST_F(Kernels, RunOverTheirGrid) {
    std::vector<float> x(10000), y(10000), want(10000);
    for (int i = 0; i < 10000; i++) x[i] = i * 0.1f, y[i] = i * 0.7f, want[i] = 3.3f * x[i] + y[i];
    CUdeviceptr out = upload(y, s), in = upload(x, s);

    ASSERT_EQ(launch(function(module, "k_axpy"), 7, Axpy{out, in, 3.3f, 10000}, s), 0);

    EXPECT_EQ(download<float>(out, 10000, s), want);
    lib.driver.free(out), lib.driver.free(in);
}

TEST_F(Kernels, MayCopyAndClear) {
    CUdeviceptr in = upload(std::vector<float>(600, 2), s), out = memory(2400);
    ASSERT_EQ(launch(function(module, "k_copy"), 1, Copied{out, in, 600}, s), 0);

    const std::vector<float> got = download<float>(out, 600, s);
    EXPECT_EQ(got[299], 2);
    EXPECT_EQ(got[300], 0);
    EXPECT_EQ(got[599], 0);
    lib.driver.free(in), lib.driver.free(out);
}

TEST_F(Kernels, ThatMeetReduceABlock) {
    std::vector<double> x(5000);
    double want = 0, sum = 0;
    for (int i = 0; i < 5000; i++) want += x[i] = i;
    CUdeviceptr in = upload(x, s), out = memory(3 * sizeof(double));
    for (int seed = 0; seed < 5; seed++) {
        lib.seed(seed);
        ASSERT_EQ(launch(function(module, "k_sum"), 3, Sums{out, in, 5000}, s), 0);
        sum = 0;
        for (double part : download<double>(out, 3, s)) sum += part;
        EXPECT_EQ(sum, want);
    }
    lib.driver.free(out), lib.driver.free(in);
}

TEST_F(Kernels, OfTwoGpusRunAtOnce) {
    std::vector<int> wrong(2);
    std::vector<char> cubin;
    ASSERT_EQ(compile(kernels, &cubin), 0);
    auto work = [&](int gpu) {
        lib.driver.context_set(context[gpu]);
        CUmodule m = nullptr;
        CUstream own = nullptr;
        wrong[gpu] += lib.driver.module_load(&m, cubin.data()) != 0 || lib.driver.stream_create(&own, 0) != 0;
        CUdeviceptr in = upload(std::vector<double>(3000, gpu + 1), own), out = memory(8);
        for (int i = 0; i < 50; i++) {
            wrong[gpu] += launch(function(m, "k_sum"), 1, Sums{out, in, 3000}, own) != 0;
            wrong[gpu] += download<double>(out, 1, own)[0] != 3000 * (gpu + 1);
        }
        lib.driver.free(in), lib.driver.free(out), lib.driver.stream_destroy(own), lib.driver.module_unload(m);
    };
    std::thread first(work, 0), second(work, 1);
    first.join(), second.join();

    EXPECT_EQ(wrong, std::vector<int>(2));
}

TEST_F(Kernels, VoteShuffleAndCount) {
    CUdeviceptr out = memory(1024);
    ASSERT_EQ(launch(function(module, "k_votes"), 1, One{out, 0}, s), 0);
    EXPECT_EQ(download<unsigned>(out, 256, s), std::vector<unsigned>(256, 1));
    ASSERT_EQ(lib.driver.fill(out, 0, 4, s), 0);
    ASSERT_EQ(launch(function(module, "k_count"), 5, One{out, 0}, s), 0);
    EXPECT_EQ(download<unsigned>(out, 1, s)[0], 5u * 256);
    lib.driver.free(out);
}

TEST_F(Kernels, ThatDivergeAreReportedAndDoNotHang) {
    const struct {
        const char *name, *says;
    } cases[] = {{"k_left", "divergence in k_left, block 0,0,0: thread 0 is at a barrier, thread 40 finished"},
                 {"k_apart", "divergence in k_apart, block 0,0,0: thread 0 is at a shuffle, thread 16 at a barrier"},
                 {"k_meets", "it must be a WF_KERNEL_MEETING"}};
    CUdeviceptr out = memory(1024);
    for (const auto &c : cases) {
        testing::internal::CaptureStderr();
        EXPECT_EQ(launch(function(module, c.name), 1, One{out, 0}, s), 0);
        EXPECT_EQ(wait(s), 719);
        EXPECT_NE(testing::internal::GetCapturedStderr().find(c.says), std::string::npos) << c.says;
        lib.reset();
    }
    lib.driver.free(out);
}

TEST_F(Kernels, ThatWriteBeyondTheirMemoryAreStickyErrors) {
    CUdeviceptr out = memory(512);
    CUfunction poke = function(module, "k_poke");
    ASSERT_EQ(launch(poke, 1, One{out, 128}, s), 0);  // the first byte behind
    EXPECT_EQ(wait(s), 700);
    EXPECT_EQ(launch(poke, 1, One{out, 0}, s), 700);
    lib.reset();

    CUdeviceptr small = memory(8);
    ASSERT_EQ(launch(poke, 1, One{small, 3}, s), 0);  // not the end of its page: found when freed
    ASSERT_EQ(wait(s), 0);
    testing::internal::CaptureStderr();
    EXPECT_EQ(lib.driver.free(small), 0);
    EXPECT_NE(testing::internal::GetCapturedStderr().find("wrote beyond the 8 bytes"), std::string::npos);
    lib.driver.free(out);
}

TEST_F(Kernels, UnknownNamesAndImagesAreRefused) {
    CUfunction f = nullptr;
    CUmodule m = nullptr;
    const char junk[128] = "no image";

    EXPECT_EQ(lib.driver.module_function(&f, module, "k_none"), 500);
    EXPECT_EQ(lib.driver.module_function(&f, module, "k_sum_call"), 500);
    EXPECT_EQ(lib.driver.module_load(&m, junk), 200);
    EXPECT_EQ(f, nullptr);
    EXPECT_EQ(m, nullptr);
}

TEST_F(Cuda, KernelsHaveCudasFunctions) {
    CUmodule m = load(R"(
#include "kernel.cuh"
struct args { double *out; const float *f; const double *d; };
WF_DEVICE double bits() {
    return __popc(0xf0f0u) == 8 && __clz(1) == 31 && __clz(0) == 32 && __clzll(1) == 63 && __ffs(8) == 4 && __ffs(0) == 0 &&
           __brev(1u) == 0x80000000u && __umulhi(0x80000000u, 6u) == 3 && __umul64hi(1ull << 63, 10) == 5 &&
           __float_as_uint(1.0f) == 0x3f800000u && __uint_as_float(0x40000000u) == 2 && __longlong_as_double(__double_as_longlong(3.5)) == 3.5;
}
WF_DEVICE double rounds(double d, float f) {
    return __fmaf_rn(f, f, -__fmul_rn(f, f)) == fma(f, f, -f * f) && __fma_rn(d, d, -__dmul_rn(d, d)) == fma(d, d, -d * d) &&
           fma(d, d, -d * d) != 0 && __dadd_rn(d, d) == 2 * d && __fdiv_rn(f, f) == 1 && __dsqrt_rn(d * d) == d;
}
WF_DEVICE double memory() {
    int i = 5; unsigned u = 6; float f = 1; double d = 2; unsigned long long l = 9;
    bool ok = atomicAdd(&i, 2) == 5 && i == 7 && atomicMax(&u, 9u) == 6 && u == 9 && atomicMin(&u, 3u) == 9 && atomicCAS(&l, 9ull, 1ull) == 9;
    ok = ok && atomicAdd(&f, 0.5f) == 1 && atomicAdd(&d, 0.5) == 2 && d == 2.5 && atomicExch(&i, 1) == 7 && i == 1 && l == 1;
    float4 v = make_float4(1, 2, 3, 4); longlong2 w = make_longlong2(1, 2);
    return ok && sizeof v == 16 && alignof(float4) == 16 && alignof(double2) == 16 && __ldg(&v).w == 4 && w.y == 2 && min(3, 2) == 2;
}
WF_KERNEL(k_functions, args) {
    if (threadIdx.x) return;
    double d = A.d[0]; float f = A.f[0], e = erf(f);
    A.out[0] = bits(), A.out[1] = rounds(d, f), A.out[2] = memory();
    A.out[3] = sin(d) + erf(d) + lgamma(d) + rsqrt(d) + pow(d, 0.3) + sinf(f) + e + rsqrt(f) + hypot(f, f) + exp10(d) + isnan(d);
}
)");
    const double d = 0.7;
    const float f = 0.3f;
    CUstream s = stream();
    CUdeviceptr df = upload(std::vector<float>{f}, s), dd = upload(std::vector<double>{d}, s), out = memory(32);

    struct Args {
        CUdeviceptr out, f, d;
    };
    ASSERT_EQ(launch(function(m, "k_functions"), 1, Args{out, df, dd}, s), 0);

    const std::vector<double> got = download<double>(out, 4, s);
    EXPECT_EQ(got[0], 1);
    EXPECT_EQ(got[1], 1);
    EXPECT_EQ(got[2], 1);
    EXPECT_NEAR(got[3],
                std::sin(d) + std::erf(d) + std::lgamma(d) + 1 / std::sqrt(d) + std::pow(d, 0.3) + std::sin(f) + std::erf(f) +
                    1 / std::sqrt(f) + std::hypot(f, f) + std::pow(10, d),
                1e-5);
    lib.driver.free(df), lib.driver.free(dd), lib.driver.free(out), lib.driver.stream_destroy(s), lib.driver.module_unload(m);
}

// --- NVRTC ---

TEST_F(Cuda, CompileErrorsAreInTheLog) {
    std::vector<char> cubin;
    std::string log;

    EXPECT_EQ(compile("#include \"kernel.cuh\"\nint f() { return nonsense; }", &cubin, &log), 6);
    EXPECT_NE(log.find("nonsense"), std::string::npos) << log;
    EXPECT_EQ(compile("", &cubin, &log, {"--gpu-architecture=sm_42"}), 5);
    EXPECT_EQ(compile("", &cubin, &log, {"--use_magic"}), 5);
    EXPECT_NE(log.find("--use_magic"), std::string::npos) << log;
    EXPECT_STREQ(lib.nvrtc.error_text(6), "NVRTC_ERROR_COMPILATION");
}

TEST_F(Cuda, OneTextIsCompiledOnce) {
    char folder[] = "/tmp/cudasim-cache-XXXXXX";
    ASSERT_TRUE(mkdtemp(folder));
    setenv("CUDASIM_CACHE", folder, 1);
    std::vector<char> first, second;

    EXPECT_EQ(compile("#include \"kernel.cuh\"\n", &first), 0);
    EXPECT_EQ(compile("#include \"kernel.cuh\"\n", &second), 0);
    EXPECT_EQ(lib.count("compile"), 1);
    EXPECT_EQ(lib.count("nvrtcCompileProgram"), 2);
    EXPECT_EQ(first, second);
    EXPECT_EQ(compile("#include \"kernel.cuh\"\n// other\n", &second), 0);
    EXPECT_EQ(lib.count("compile"), 2);

    unsetenv("CUDASIM_CACHE");
    EXPECT_EQ(system((std::string("rm -r ") + folder).c_str()), 0);
}

// --- cuBLAS ---

template <typename T> struct Gemm;
template <> struct Gemm<float> { enum { type = CUBLAS_R_32F, compute = CUBLAS_COMPUTE_32F }; };
template <> struct Gemm<double> { enum { type = CUBLAS_R_64F, compute = CUBLAS_COMPUTE_64F }; };
template <> struct Gemm<std::complex<float>> { enum { type = CUBLAS_C_32F, compute = CUBLAS_COMPUTE_32F }; };
template <> struct Gemm<std::complex<double>> { enum { type = CUBLAS_C_64F, compute = CUBLAS_COMPUTE_64F }; };

template <typename T> struct Product : Cuda {
    static T element(int i) { return T((i * 7) % 11 - 5); }
    void compare(int op_a, int op_b, T alpha, T beta) {
        const int m = 5, n = 4, k = 3, ld = 6;
        std::vector<T> a(ld * 6), b(ld * 6), c(ld * n), want;
        for (int i = 0; i < ld * 6; i++) a[i] = element(i), b[i] = element(i * 3 + 1);
        for (int i = 0; i < ld * n; i++) c[i] = beta == T(0) ? T(NAN) : element(i * 5 + 2);
        want = c;
        for (int j = 0; j < n; j++)
            for (int i = 0; i < m; i++) {
                T sum = 0;
                for (int l = 0; l < k; l++) sum += (op_a ? a[l + i * ld] : a[i + l * ld]) * (op_b ? b[j + l * ld] : b[l + j * ld]);
                want[i + j * ld] = beta == T(0) ? alpha * sum : alpha * sum + beta * c[i + j * ld];
            }
        CUstream s = stream();
        CUdeviceptr da = upload(a, s), db = upload(b, s), dc = upload(c, s);
        cublasHandle_t h = nullptr;
        ASSERT_EQ(lib.blas.create(&h), 0);
        ASSERT_EQ(lib.blas.set_stream(h, s), 0);
        ASSERT_EQ(lib.blas.gemm(h, op_a, op_b, m, n, k, &alpha, (void *)da, Gemm<T>::type, ld, (void *)db, Gemm<T>::type, ld, &beta,
                                (void *)dc, Gemm<T>::type, ld, Gemm<T>::compute, CUBLAS_GEMM_DEFAULT),
                  0);
        std::vector<T> got = download<T>(dc, ld * n, s);
        for (int j = 0; j < n; j++)
            for (int i = 0; i < m; i++) EXPECT_EQ(got[i + j * ld], want[i + j * ld]) << op_a << op_b << " at " << i << ", " << j;
        if (beta != T(0)) { EXPECT_EQ(got, want); }  // the margins too
        lib.blas.destroy(h), lib.driver.free(da), lib.driver.free(db), lib.driver.free(dc), lib.driver.stream_destroy(s);
    }
};
using Elements = testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(Product, Elements);

TYPED_TEST(Product, IsThatOfAPlainLoopForEveryTranspose) {
    for (int op_a = 0; op_a < 2; op_a++)
        for (int op_b = 0; op_b < 2; op_b++) {
            this->compare(op_a, op_b, TypeParam(1), TypeParam(0));
            this->compare(op_a, op_b, TypeParam(2), TypeParam(-3));
        }
}

TEST_F(Cuda, ProductsAreCheckedAndWaitForTheirStream) {
    CUstream s = stream();
    CUdeviceptr p = memory(4 * 16);
    const float one = 1, zero = 0;
    cublasHandle_t h = nullptr;
    ASSERT_EQ(lib.blas.create(&h), 0);
    auto gemm = [&](int64_t m, int64_t lda, int type) {
        return lib.blas.gemm(h, 0, 0, m, 4, 4, &one, (void *)p, type, lda, (void *)p, type, 4, &zero, (void *)p, type, 4, CUBLAS_COMPUTE_32F, -1);
    };

    EXPECT_EQ(gemm(4, 4, CUBLAS_R_32F), 7);  // no stream yet
    ASSERT_EQ(lib.blas.set_stream(h, s), 0);
    EXPECT_EQ(lib.blas.set_workspace(h, (void *)p, 65), 7);
    EXPECT_EQ(lib.blas.set_workspace(h, (void *)p, 64), 0);
    EXPECT_EQ(gemm(4, 3, CUBLAS_R_32F), 7);
    EXPECT_EQ(gemm(4, 4, CUBLAS_R_64F), 15);
    EXPECT_EQ(lib.count("queued"), 0);
    EXPECT_EQ(gemm(4, 4, CUBLAS_R_32F), 0);
    EXPECT_EQ(lib.count("queued"), 1);
    EXPECT_EQ(gemm(4, 5, CUBLAS_R_32F), 0);  // passes the end of the memory
    EXPECT_EQ(wait(s), 700);

    lib.reset();
    lib.blas.destroy(h), lib.driver.free(p), lib.driver.stream_destroy(s);
}

// --- faults and leaks ---

TEST_F(Cuda, TheNthCallFailsOnDemand) {
    CUdeviceptr p = 0;
    lib.fail("cuMemAlloc_v2", 2, 2);
    EXPECT_EQ(lib.driver.allocate(&p, 64), 0);
    EXPECT_EQ(lib.driver.free(p), 0);
    EXPECT_EQ(lib.driver.allocate(&p, 64), 2);
    EXPECT_EQ(lib.driver.allocate(&p, 64), 0);
    EXPECT_EQ(lib.count("cuMemAlloc_v2"), 3);
    EXPECT_EQ(lib.driver.free(p), 0);

    int major, minor;
    lib.fail("nvrtcVersion", 0, 11);
    for (int i = 0; i < 3; i++) EXPECT_EQ(lib.nvrtc.version(&major, &minor), 11);
    lib.reset();
    EXPECT_EQ(lib.nvrtc.version(&major, &minor), 0);
    cublasHandle_t h;
    lib.fail("cublasCreate_v2", 1, 3);
    EXPECT_EQ(lib.blas.create(&h), 3);
}

TEST_F(Cuda, AnOperationThatFailsWhenRunIsAStickyErrorOfItsGpuAlone) {
    CUstream s = stream();
    CUdeviceptr p = memory(4);
    lib.fail("execute", 2, 719);
    ASSERT_EQ(lib.driver.fill(p, 0, 4, s), 0);
    ASSERT_EQ(lib.driver.fill(p, 0, 4, s), 0);

    EXPECT_EQ(wait(s), 719);
    EXPECT_EQ(lib.driver.free(p), 719);
    use(1);
    CUevent e = event();
    EXPECT_EQ(lib.driver.event_query(e), 0);
    lib.break_device(1);
    EXPECT_EQ(lib.driver.event_query(e), 700);
    const char *name = "", *text = "";
    EXPECT_EQ(lib.driver.error_name(700, &name), 0);
    EXPECT_EQ(lib.driver.error_text(700, &text), 0);
    EXPECT_STREQ(name, "CUDA_ERROR_ILLEGAL_ADDRESS");
    EXPECT_STREQ(text, "an illegal memory access was encountered");

    lib.reset();
    lib.driver.event_destroy(e);
    use(0);
    lib.driver.free(p), lib.driver.stream_destroy(s);
}

TEST_F(Cuda, WhatIsNotFreedIsReportedWhenTheContextGoes) {
    CUcontext again = nullptr;
    memory(3000);
    stream();
    testing::internal::CaptureStderr();

    ASSERT_EQ(lib.driver.context_release(0), 0);

    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("leak: 1 streams, 0 events, 0 modules"), std::string::npos) << said;
    EXPECT_NE(said.find("leak: 3000 bytes in 1 allocations of device memory"), std::string::npos) << said;
    CUdeviceptr p;
    EXPECT_EQ(lib.driver.allocate(&p, 1), 709);  // the current context is no more
    ASSERT_EQ(lib.driver.context_retain(&again, 0), 0);
    EXPECT_NE(again, context[0]);
    lib.reset();
}

TEST_F(Cuda, ALeakEndsAStrictProcessWith97) {
    EXPECT_EXIT(
        {
            setenv("CUDASIM_STRICT", "1", 1);
            lib.reset();
            memory(100);
            exit(0);
        },
        testing::ExitedWithCode(97), "cudasim: leak: 100 bytes");
}

}  // namespace
}  // namespace cudasim
