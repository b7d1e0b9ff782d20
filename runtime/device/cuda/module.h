// SPDX-License-Identifier: Apache-2.0
// module - the inside of libweft_cuda.so: what a device and a stream are, and the services its files share. The module has no undefined
// weft_ or wf_ symbol: memory, errors and the log come from the host table. Any thread may call anything on a device; a stream belongs to
// one thread at a time.
#ifndef WF_CUDA_MODULE_H
#define WF_CUDA_MODULE_H

#include <pthread.h>

#include "device/cuda/driver.h"
#include "weft/plugin.h"

extern const weft_host *wf_cuda_host;  // set when the module is loaded

#define WF_CUDA_TRY(call)                               \
    do {                                                \
        weft_status try_status_ = (call);               \
        if (try_status_ != WEFT_OK) return try_status_; \
    } while (0)

typedef struct wf_cuda_pool wf_cuda_pool;        // pool.c
typedef struct wf_cuda_kernels wf_cuda_kernels;  // compile.c

struct weft_device {
    const wf_cuda_api *api;
    int number;
    CUdevice device;
    CUcontext context;
    int capability;  // 90: compute capability 9.0
    int processors;  // streaming multiprocessors
    char name[96];
    int64_t memory_limit;
    wf_cuda_pool *pool;
    wf_cuda_kernels *kernels;
    int lost;  // atomic: a sticky error was seen, and every later call fails
};

struct weft_stream {
    weft_device *device;
    CUstream stream;
    cublasHandle_t blas;  // made when first wanted
    void *blas_workspace;
};

// Makes the device's context the calling thread's. Every entry of the table does so first.
weft_status wf_cuda_enter(weft_device *device);
// Records what RESULT says about CALL, as WEFT_NO_MEMORY, or WEFT_DEVICE with the driver's own words; sticky errors mark the device lost.
weft_status wf_cuda_fail(weft_device *device, CUresult result, const char *call);
#define WF_CUDA_CALL(device_, name, ...)                                             \
    do {                                                                             \
        CUresult result_ = (device_)->api->driver.name(__VA_ARGS__);                 \
        if (result_ != CUDA_SUCCESS) return wf_cuda_fail((device_), result_, #name); \
    } while (0)

// --- pool.c: device memory, in size classes, kept for the next taker ---

weft_status wf_cuda_pool_create(weft_device *device, int64_t limit);
void wf_cuda_pool_destroy(weft_device *device);
// 512-byte aligned. WEFT_NO_MEMORY when neither the limit nor the GPU has BYTES left.
weft_status wf_cuda_pool_take(weft_device *device, int64_t bytes, void **out);
void wf_cuda_pool_give(weft_device *device, void *memory, int64_t bytes);
void wf_cuda_pool_trim(weft_device *device);

// --- compile.c: kernels by structure (in memory) and by content (on disk) ---

// What a kernel's text depends on; two kernels with one key are one kernel.
typedef struct wf_cuda_key {
    uint64_t what, how;  // the program's hash, or a kind's number; the layout variant
} wf_cuda_key;

// False: not compiled yet.
bool wf_cuda_kernel_find(weft_device *device, wf_cuda_key key, CUfunction *out);
// Compiles SOURCE, or finds it on disk, and keeps the kernel NAME under KEY. SOURCE may #include the files of kernels/cuda by name.
// WEFT_UNSUPPORTED when NVRTC is missing; WEFT_INTERNAL with NVRTC's first error line when it does not compile.
weft_status wf_cuda_kernel_make(weft_device *device, wf_cuda_key key, const char *source,
                                const char *name, CUfunction *out);
// Queues BLOCKS blocks of 256 threads (WF_THREADS). ARGUMENT: the kernel's structure.
weft_status wf_cuda_kernel_start(weft_stream *stream, CUfunction function, int64_t blocks,
                                 const void *argument);

// --- map.c, reduce.c: programs ---

weft_status wf_cuda_launch(weft_stream *stream, const wf_launch *launch);
weft_status wf_cuda_launch_reduce(weft_stream *stream, const wf_reduce_launch *launch);

// --- move.c, gemm.c, special.c ---

weft_status wf_cuda_copy_box(weft_stream *stream, const weft_copy_box *copy);
weft_status wf_cuda_gemm(weft_stream *stream, const weft_gemm *gemm);
weft_status wf_cuda_combine(weft_stream *stream, const weft_combine *combine);
weft_status wf_cuda_scan(weft_stream *stream, const weft_scan *scan);
weft_status wf_cuda_select(weft_stream *stream, const weft_select *select);
weft_status wf_cuda_group(weft_stream *stream, const weft_group *group);

#endif
