// SPDX-License-Identifier: Apache-2.0
// library - NCCL and the few calls of the CUDA driver that the module makes beside it, found at run
// time.
#ifndef WF_NCCL_LIBRARY_H
#define WF_NCCL_LIBRARY_H

#include "transport/nccl/api.h"
#include "weft/types.h"

// --- the driver (cuda.h) ---

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUevent_st *CUevent;

enum {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_NOT_READY = 600,
    CU_STREAM_NON_BLOCKING = 1,
    CU_EVENT_DISABLE_TIMING = 2,
};

#define WF_NCCL_CUDA_LIST(X)                                                                      \
    X(CUresult, init, cuInit, (unsigned flags))                                                   \
    X(CUresult, device_count, cuDeviceGetCount, (int *count))                                     \
    X(CUresult, device_get, cuDeviceGet, (CUdevice * device, int ordinal))                        \
    X(CUresult, context_retain, cuDevicePrimaryCtxRetain, (CUcontext * context, CUdevice device)) \
    X(CUresult, context_release, cuDevicePrimaryCtxRelease_v2, (CUdevice device))                 \
    X(CUresult, context_set, cuCtxSetCurrent, (CUcontext context))                                \
    X(CUresult, allocate, cuMemAlloc_v2, (CUdeviceptr * out, size_t bytes))                       \
    X(CUresult, free, cuMemFree_v2, (CUdeviceptr memory))                                         \
    X(CUresult, stream_create, cuStreamCreate, (CUstream * out, unsigned flags))                  \
    X(CUresult, stream_destroy, cuStreamDestroy_v2, (CUstream stream))                            \
    X(CUresult, event_create, cuEventCreate, (CUevent * out, unsigned flags))                     \
    X(CUresult, event_record, cuEventRecord, (CUevent event, CUstream stream))                    \
    X(CUresult, event_query, cuEventQuery, (CUevent event))                                       \
    X(CUresult, event_destroy, cuEventDestroy_v2, (CUevent event))                                \
    X(CUresult, error_text, cuGetErrorString, (CUresult error, const char **text))

// --- what is found ---

#define WF_NCCL_POINTER(result, name, symbol, parameters) result(*name) parameters;
typedef struct wf_nccl_library {
    struct {
        WF_NCCL_LIST(WF_NCCL_POINTER)
        WF_NCCL_OPTIONAL_LIST(WF_NCCL_POINTER)
    } nccl;
    struct {
        WF_NCCL_CUDA_LIST(WF_NCCL_POINTER)
    } cuda;
    int number;        // 22809
    char version[32];  // "NCCL 2.28.9"
} wf_nccl_library;
#undef WF_NCCL_POINTER

// Finds both once; any thread. NULL where one is missing or too old, with one sentence in *why
// (static). NCCL is libnccl.so.2 of the loader's path, of $CUDA_HOME or of the toolkit's usual
// folders; or the file that the environment variable WEFT_NCCL names.
const wf_nccl_library *wf_nccl_library_find(const char **why);

#endif
