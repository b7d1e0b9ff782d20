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
    int64_t memory_limit;  // with cuBLAS's workspaces
    int64_t workspace;     // bytes of one, a part of the limit: small GPUs have small ones
    wf_cuda_pool *pool;
    wf_cuda_kernels *kernels;
    int lost;  // atomic: a sticky error was seen, and every later call fails
};

enum {
    WF_CUDA_THREADS = 256,    // of a block, of every kernel (WF_THREADS)
    WF_CUDA_STAGES = 2,       // pinned buffers of a stream, made when first wanted
    WF_CUDA_STAGE = 4 << 20,  // bytes of each
    WF_CUDA_SLOTS = 4,        // tasks in flight on a device
    WF_CUDA_WORKSPACE =
        32 << 20,  // the most cuBLAS gets for a stream: what NVIDIA recommends on Hopper
};

// A pinned buffer between pageable host memory and the device.
typedef struct wf_cuda_stage {
    char *memory;
    CUevent free;  // recorded after the copy that uses it
    bool used;     // FREE was recorded
    // A copy to the host that is complete on the stream still has to go from MEMORY to TO
    void *to;
    int64_t bytes;
} wf_cuda_stage;

struct weft_stream {
    weft_device *device;
    CUstream stream;
    cublasHandle_t blas;  // made when first wanted
    void *blas_workspace;
    wf_cuda_stage stage[WF_CUDA_STAGES];
    int next_stage;
};

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

// --- copy.c: between the host and the device ---

weft_status wf_cuda_copy_in(weft_stream *stream, void *device_dst, const void *host_src,
                            int64_t bytes);
weft_status wf_cuda_copy_out(weft_stream *stream, void *host_dst, const void *device_src,
                             int64_t bytes);
weft_status wf_cuda_copy_peer(weft_stream *stream, void *dst, weft_device *peer, const void *src,
                              int64_t bytes);
// All work of STREAM is done: brings what is left in pinned buffers to where it belongs.
void wf_cuda_staging_drained(weft_stream *stream);
void wf_cuda_staging_close(weft_stream *stream);

// --- compile.c: kernels by structure (in memory) and by content (on disk) ---

weft_status wf_cuda_kernels_create(weft_device *device);
void wf_cuda_kernels_destroy(weft_device *device);
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

// Where kernels are kept on disk. False: nowhere.
bool wf_cuda_cache_folder(char *out, size_t size);

// --- report.c ---

typedef void wf_cuda_line(void *context, const char *what, const char *finding);
void wf_cuda_report(bool clear_cache, wf_cuda_line *line, void *context);

// --- map.c, reduce.c: programs ---

weft_status wf_cuda_launch(weft_stream *stream, const wf_launch *launch);
weft_status wf_cuda_launch_reduce(weft_stream *stream, const wf_reduce_launch *launch);

// --- move.c, gemm.c, special.c ---

weft_status wf_cuda_copy_box(weft_stream *stream, const weft_copy_box *copy);
void wf_cuda_gemm_close(weft_stream *stream);
weft_status wf_cuda_gemm(weft_stream *stream, const weft_gemm *gemm);
weft_status wf_cuda_combine(weft_stream *stream, const weft_combine *combine);
weft_status wf_cuda_scan(weft_stream *stream, const weft_scan *scan);
weft_status wf_cuda_select(weft_stream *stream, const weft_select *select);
weft_status wf_cuda_group(weft_stream *stream, const weft_group *group);

#endif
