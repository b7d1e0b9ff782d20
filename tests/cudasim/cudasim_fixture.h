// SPDX-License-Identifier: Apache-2.0
// cudasim_fixture - the stand-in's libraries, opened as the CUDA module opens CUDA's, and a GPU or two to work on.
#ifndef CUDASIM_FIXTURE_H
#define CUDASIM_FIXTURE_H

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "device/cuda/driver.h"
}
#include "cudasim/cudasim.h"

namespace cudasim {

struct Libraries : wf_cuda_api {
    decltype(&cudasim_reset) reset;
    decltype(&cudasim_seed) seed;
    decltype(&cudasim_fail) fail;
    decltype(&cudasim_break_device) break_device;
    decltype(&cudasim_count) count;

    Libraries()
    {
        void *driver_library = open("libcuda.so.1"), *nvrtc_library = open("libnvrtc.so.13"),
             *blas_library = open("libcublas.so.13");
#define FIND_DRIVER(result, name, symbol, parameters) find(driver_library, #symbol, driver.name);
        WF_CUDA_DRIVER_LIST(FIND_DRIVER)
#define FIND_NVRTC(result, name, symbol, parameters) find(nvrtc_library, #symbol, nvrtc.name);
        WF_CUDA_NVRTC_LIST(FIND_NVRTC)
#define FIND_CUBLAS(result, name, symbol, parameters) find(blas_library, #symbol, blas.name);
        WF_CUDA_CUBLAS_LIST(FIND_CUBLAS)
        find(driver_library, "cudasim_reset", reset);
        find(driver_library, "cudasim_seed", seed);
        find(driver_library, "cudasim_fail", fail);
        find(driver_library, "cudasim_break_device", break_device);
        find(driver_library, "cudasim_count", count);
    }

  private:
    static void *open(const char *name)
    {
        void *library =
            dlopen((std::string(CUDASIM_FOLDER "/") + name).c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!library) fprintf(stderr, "%s\n", dlerror()), abort();
        return library;
    }
    template <typename F> static void find(void *library, const char *symbol, F &out)
    {
        out = reinterpret_cast<F>(dlsym(library, symbol));
        if (!out) fprintf(stderr, "no %s\n", symbol), abort();
    }
};

inline Libraries &libraries()
{
    static auto *all = new Libraries;  // never closed: modules are not
    return *all;
}

// Holds the contexts of GPU 0 and 1; 0 is current. What a test leaves behind shows on stderr when they are released.
struct Cuda : testing::Test {
    Libraries &lib = libraries();
    CUcontext context[2] = {};

    void SetUp() override
    {
        lib.reset();
        ASSERT_EQ(lib.driver.init(0), 0);
        for (int g = 0; g < 2; g++) ASSERT_EQ(lib.driver.context_retain(&context[g], g), 0);
        use(0);
    }
    void TearDown() override
    {
        lib.reset();  // heals what the test broke
        for (int g = 0; g < 2; g++) EXPECT_EQ(lib.driver.context_release(g), 0);
        EXPECT_EQ(lib.count("bytes"), 0);
        lib.driver.context_set(nullptr);
    }

    void use(int gpu) { ASSERT_EQ(lib.driver.context_set(context[gpu]), 0); }
    CUstream stream()
    {
        CUstream s = nullptr;
        EXPECT_EQ(lib.driver.stream_create(&s, CU_STREAM_NON_BLOCKING), 0);
        return s;
    }
    CUevent event()
    {
        CUevent e = nullptr;
        EXPECT_EQ(lib.driver.event_create(&e, CU_EVENT_DISABLE_TIMING), 0);
        return e;
    }
    CUdeviceptr memory(size_t bytes)
    {
        CUdeviceptr p = 0;
        EXPECT_EQ(lib.driver.allocate(&p, bytes), 0);
        return p;
    }
    template <typename T> CUdeviceptr upload(const std::vector<T> &v, CUstream s)
    {
        CUdeviceptr p = memory(v.size() * sizeof(T));
        EXPECT_EQ(lib.driver.copy_to_device(p, v.data(), v.size() * sizeof(T), s), 0);
        EXPECT_EQ(lib.driver.stream_synchronize(s), 0);
        return p;
    }
    template <typename T> std::vector<T> download(CUdeviceptr p, size_t n, CUstream s)
    {
        std::vector<T> v(n);
        EXPECT_EQ(lib.driver.copy_to_host(v.data(), p, n * sizeof(T), s), 0);
        EXPECT_EQ(lib.driver.stream_synchronize(s), 0);
        return v;
    }

    // Compiles TEXT; the log in *log.
    nvrtcResult compile(const std::string &text, std::vector<char> *cubin,
                        std::string *log = nullptr,
                        std::vector<const char *> options = { "--gpu-architecture=sm_90",
                                                              "--std=c++17", "--fmad=false" })
    {
        const std::string own = read_file(WEFT_KERNELS "/cuda/kernel.cuh");
        const char *header = own.c_str(), *name = "kernel.cuh";
        nvrtcProgram p = nullptr;
        EXPECT_EQ(lib.nvrtc.create(&p, text.c_str(), "test.cu", 1, &header, &name), 0);
        const nvrtcResult result = lib.nvrtc.compile(p, (int)options.size(), options.data());
        size_t size = 0;
        if (log) {
            EXPECT_EQ(lib.nvrtc.log_size(p, &size), 0);
            log->resize(size);
            EXPECT_EQ(lib.nvrtc.log(p, log->data()), 0);
        }
        if (result == 0) {
            EXPECT_EQ(lib.nvrtc.cubin_size(p, &size), 0);
            cubin->resize(size);
            EXPECT_EQ(lib.nvrtc.cubin(p, cubin->data()), 0);
        }
        EXPECT_EQ(lib.nvrtc.destroy(&p), 0);
        return result;
    }
    CUmodule load(const std::string &text)
    {
        std::vector<char> cubin;
        std::string log;
        CUmodule m = nullptr;
        EXPECT_EQ(compile(text, &cubin, &log), 0) << log;
        if (!cubin.empty()) {
            EXPECT_EQ(lib.driver.module_load(&m, cubin.data()), 0);
        }
        return m;
    }
    CUfunction function(CUmodule m, const char *name)
    {
        CUfunction f = nullptr;
        EXPECT_EQ(lib.driver.module_function(&f, m, name), 0);
        return f;
    }
    template <typename A> CUresult launch(CUfunction f, int blocks, A argument, CUstream s)
    {
        void *parameters[] = { &argument };
        return lib.driver.launch(f, blocks, 1, 1, 256, 1, 1, 0, s, parameters, nullptr);
    }
    CUresult wait(CUstream s) { return lib.driver.stream_synchronize(s); }

    static std::string read_file(const char *path)
    {
        std::string text;
        char part[4096];
        FILE *f = fopen(path, "r");
        for (size_t n; f && (n = fread(part, 1, sizeof part, f)) > 0;) text.append(part, n);
        if (f) fclose(f);
        return text;
    }
};

}  // namespace cudasim
#endif
