// SPDX-License-Identifier: Apache-2.0
// driver - the calls of the CUDA driver, NVRTC and cuBLAS that the module makes, found at run time: nothing of CUDA is needed to build or to
// link it. The declarations are our own, of exactly what is used; tests/cudasim compares them with NVIDIA's headers where these are
// installed, and stands in for the libraries where there is no GPU.
#ifndef WF_CUDA_DRIVER_H
#define WF_CUDA_DRIVER_H

#include "weft/types.h"

// --- types and numbers of the driver (cuda.h) ---

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;

enum {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NOT_READY = 600,
    CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED = 704,
    CU_STREAM_NON_BLOCKING = 1,
    CU_EVENT_DISABLE_TIMING = 2,
    CU_MEMHOSTALLOC_PORTABLE = 1,
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
    CU_DEVICE_ATTRIBUTE_COMPUTE_MODE = 20,
    CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID = 50,
    CU_DEVICE_ATTRIBUTE_PCI_BUS_ID = 33,
    CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID = 34,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
};

// X(result, name in our table, symbol in the library, parameters)
#define WF_CUDA_DRIVER_LIST(X)                                                                    \
    X(CUresult, init, cuInit, (unsigned flags))                                                   \
    X(CUresult, driver_version, cuDriverGetVersion, (int *version))                               \
    X(CUresult, device_count, cuDeviceGetCount, (int *count))                                     \
    X(CUresult, device_get, cuDeviceGet, (CUdevice * device, int ordinal))                        \
    X(CUresult, device_name, cuDeviceGetName, (char *name, int length, CUdevice device))          \
    X(CUresult, device_attribute, cuDeviceGetAttribute,                                           \
      (int *value, int attribute, CUdevice device))                                               \
    X(CUresult, device_memory, cuDeviceTotalMem_v2, (size_t * bytes, CUdevice device))            \
    X(CUresult, context_retain, cuDevicePrimaryCtxRetain, (CUcontext * context, CUdevice device)) \
    X(CUresult, context_release, cuDevicePrimaryCtxRelease_v2, (CUdevice device))                 \
    X(CUresult, context_get, cuCtxGetCurrent, (CUcontext * context))                              \
    X(CUresult, context_set, cuCtxSetCurrent, (CUcontext context))                                \
    X(CUresult, memory_info, cuMemGetInfo_v2, (size_t * free, size_t * total))                    \
    X(CUresult, allocate, cuMemAlloc_v2, (CUdeviceptr * out, size_t bytes))                       \
    X(CUresult, free, cuMemFree_v2, (CUdeviceptr memory))                                         \
    X(CUresult, host_allocate, cuMemHostAlloc, (void **out, size_t bytes, unsigned flags))        \
    X(CUresult, host_free, cuMemFreeHost, (void *memory))                                         \
    X(CUresult, stream_create, cuStreamCreate, (CUstream * out, unsigned flags))                  \
    X(CUresult, stream_destroy, cuStreamDestroy_v2, (CUstream stream))                            \
    X(CUresult, stream_synchronize, cuStreamSynchronize, (CUstream stream))                       \
    X(CUresult, stream_wait_event, cuStreamWaitEvent,                                             \
      (CUstream stream, CUevent event, unsigned flags))                                           \
    X(CUresult, event_create, cuEventCreate, (CUevent * out, unsigned flags))                     \
    X(CUresult, event_record, cuEventRecord, (CUevent event, CUstream stream))                    \
    X(CUresult, event_query, cuEventQuery, (CUevent event))                                       \
    X(CUresult, event_synchronize, cuEventSynchronize, (CUevent event))                           \
    X(CUresult, event_destroy, cuEventDestroy_v2, (CUevent event))                                \
    X(CUresult, copy_to_device, cuMemcpyHtoDAsync_v2,                                             \
      (CUdeviceptr to, const void *from, size_t bytes, CUstream stream))                          \
    X(CUresult, copy_to_host, cuMemcpyDtoHAsync_v2,                                               \
      (void *to, CUdeviceptr from, size_t bytes, CUstream stream))                                \
    X(CUresult, copy_on_device, cuMemcpyDtoDAsync_v2,                                             \
      (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream))                          \
    X(CUresult, copy_to_peer, cuMemcpyPeerAsync,                                                  \
      (CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,            \
       size_t bytes, CUstream stream))                                                            \
    X(CUresult, fill, cuMemsetD8Async,                                                            \
      (CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream))                       \
    X(CUresult, peer_possible, cuDeviceCanAccessPeer,                                             \
      (int *possible, CUdevice device, CUdevice peer))                                            \
    X(CUresult, peer_enable, cuCtxEnablePeerAccess, (CUcontext peer, unsigned flags))             \
    X(CUresult, module_load, cuModuleLoadData, (CUmodule * out, const void *image))               \
    X(CUresult, module_unload, cuModuleUnload, (CUmodule module))                                 \
    X(CUresult, module_function, cuModuleGetFunction,                                             \
      (CUfunction * out, CUmodule module, const char *name))                                      \
    X(CUresult, launch, cuLaunchKernel,                                                           \
      (CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,  \
       unsigned block_y, unsigned block_z, unsigned shared_bytes, CUstream stream,                \
       void **parameters, void **extra))                                                          \
    X(CUresult, error_name, cuGetErrorName, (CUresult error, const char **name))                  \
    X(CUresult, error_text, cuGetErrorString, (CUresult error, const char **text))

// --- NVRTC (nvrtc.h) ---

typedef int nvrtcResult;
typedef struct _nvrtcProgram *nvrtcProgram;
enum { NVRTC_SUCCESS = 0 };

#define WF_CUDA_NVRTC_LIST(X)                                                                \
    X(nvrtcResult, version, nvrtcVersion, (int *major, int *minor))                          \
    X(nvrtcResult, arch_count, nvrtcGetNumSupportedArchs, (int *count))                      \
    X(nvrtcResult, archs, nvrtcGetSupportedArchs, (int *archs))                              \
    X(nvrtcResult, create, nvrtcCreateProgram,                                               \
      (nvrtcProgram * out, const char *source, const char *name, int nheader,                \
       const char *const *headers, const char *const *header_names))                         \
    X(nvrtcResult, compile, nvrtcCompileProgram,                                             \
      (nvrtcProgram program, int noption, const char *const *options))                       \
    X(nvrtcResult, log_size, nvrtcGetProgramLogSize, (nvrtcProgram program, size_t * bytes)) \
    X(nvrtcResult, log, nvrtcGetProgramLog, (nvrtcProgram program, char *log))               \
    X(nvrtcResult, cubin_size, nvrtcGetCUBINSize, (nvrtcProgram program, size_t * bytes))    \
    X(nvrtcResult, cubin, nvrtcGetCUBIN, (nvrtcProgram program, char *cubin))                \
    X(nvrtcResult, ptx_size, nvrtcGetPTXSize, (nvrtcProgram program, size_t * bytes))        \
    X(nvrtcResult, ptx, nvrtcGetPTX, (nvrtcProgram program, char *ptx))                      \
    X(nvrtcResult, destroy, nvrtcDestroyProgram, (nvrtcProgram * program))                   \
    X(const char *, error_text, nvrtcGetErrorString, (nvrtcResult result))

// --- cuBLAS (cublas_api.h) ---

typedef int cublasStatus_t;
typedef struct cublasContext *cublasHandle_t;
enum {
    CUBLAS_STATUS_SUCCESS = 0,
    CUBLAS_STATUS_ALLOC_FAILED = 3,
    CUBLAS_OP_N = 0,
    CUBLAS_OP_T = 1,
    CUBLAS_R_32F = 0,
    CUBLAS_R_64F = 1,
    CUBLAS_C_32F = 4,
    CUBLAS_C_64F = 5,
    CUBLAS_COMPUTE_32F = 68,
    CUBLAS_COMPUTE_64F = 70,
    CUBLAS_COMPUTE_32F_FAST_TF32 = 77,
    CUBLAS_GEMM_DEFAULT = -1,
};

#define WF_CUDA_CUBLAS_LIST(X)                                                                  \
    X(cublasStatus_t, create, cublasCreate_v2, (cublasHandle_t * out))                          \
    X(cublasStatus_t, destroy, cublasDestroy_v2, (cublasHandle_t handle))                       \
    X(cublasStatus_t, version, cublasGetVersion_v2, (cublasHandle_t handle, int *version))      \
    X(cublasStatus_t, set_stream, cublasSetStream_v2, (cublasHandle_t handle, CUstream stream)) \
    X(cublasStatus_t, set_workspace, cublasSetWorkspace_v2,                                     \
      (cublasHandle_t handle, void *workspace, size_t bytes))                                   \
    X(cublasStatus_t, gemm, cublasGemmEx_64,                                                    \
      (cublasHandle_t handle, int op_a, int op_b, int64_t m, int64_t n, int64_t k,              \
       const void *alpha, const void *a, int a_type, int64_t lda, const void *b, int b_type,    \
       int64_t ldb, const void *beta, void *c, int c_type, int64_t ldc, int compute,            \
       int algorithm))                                                                          \
    X(const char *, error_text, cublasGetStatusString, (cublasStatus_t status))

#define WF_CUDA_POINTER(result, name, symbol, parameters) result(*name) parameters;
typedef struct wf_cuda_api {
    struct {
        WF_CUDA_DRIVER_LIST(WF_CUDA_POINTER)
    } driver;
    struct {
        WF_CUDA_NVRTC_LIST(WF_CUDA_POINTER)
    } nvrtc;
    struct {
        WF_CUDA_CUBLAS_LIST(WF_CUDA_POINTER)
    } blas;
    int driver_number, nvrtc_major, nvrtc_minor;  // 13000; 13, 0
    char nvrtc_file[64],
        blas_file[64];  // what was found; "": nothing, and the sentence why in *_missing
    char nvrtc_missing[256], blas_missing[256];
} wf_cuda_api;
#undef WF_CUDA_POINTER

// Finds the libraries once; any thread. Without a driver: NULL, with one sentence in *why (static). NVRTC and cuBLAS are looked for under the
// names of CUDA 13 and 12, on the loader's path and in the usual folders of the toolkit.
const wf_cuda_api *wf_cuda_api_find(const char **why);

#endif
