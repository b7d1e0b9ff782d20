// SPDX-License-Identifier: Apache-2.0
// api - the calls of NCCL that the module makes, declared by ourselves: nothing of NVIDIA is needed
// to build. tests/cudasim compares this with nccl.h where that is installed, and stands in for the
// library where there is no GPU.
#ifndef WF_NCCL_API_H
#define WF_NCCL_API_H

#include <stddef.h>

typedef struct CUstream_st *CUstream;
typedef struct ncclComm *ncclComm_t;
typedef int ncclResult_t;
typedef int ncclDataType_t;
typedef struct ncclUniqueId {
    char internal[128];
} ncclUniqueId;

enum {
    ncclSuccess = 0,
    ncclUnhandledCudaError = 1,
    ncclSystemError = 2,
    ncclInternalError = 3,
    ncclInvalidArgument = 4,
    ncclInvalidUsage = 5,
    ncclRemoteError = 6,
    ncclInProgress = 7,
    ncclInt8 = 0,
    NCCL_SHRINK_ABORT = 1,
};

// As of NCCL 2.18: a newer library sees by size and version that the rest is not there.
typedef struct ncclConfig_t {
    size_t size;
    unsigned magic, version;
    int blocking, cgaClusterSize, minCTAs, maxCTAs;
    const char *netName;
    int splitShare;
} ncclConfig_t;
#define WF_NCCL_CONFIG_MAGIC 0xcafebeefu
#define WF_NCCL_CONFIG_VERSION 21800

// X(result, name in our table, symbol in the library, parameters)
#define WF_NCCL_LIST(X)                                                                          \
    X(ncclResult_t, version, ncclGetVersion, (int *version))                                     \
    X(ncclResult_t, unique_id, ncclGetUniqueId, (ncclUniqueId * out))                            \
    X(ncclResult_t, init_rank, ncclCommInitRankConfig,                                           \
      (ncclComm_t * out, int count, ncclUniqueId id, int rank, ncclConfig_t *config))            \
    X(ncclResult_t, async_error, ncclCommGetAsyncError, (ncclComm_t comm, ncclResult_t * out))   \
    X(ncclResult_t, group_start, ncclGroupStart, (void))                                         \
    X(ncclResult_t, group_end, ncclGroupEnd, (void))                                             \
    X(ncclResult_t, send, ncclSend,                                                              \
      (const void *from, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,           \
       CUstream stream))                                                                         \
    X(ncclResult_t, receive, ncclRecv,                                                           \
      (void *to, size_t count, ncclDataType_t type, int peer, ncclComm_t comm, CUstream stream)) \
    X(ncclResult_t, finalize, ncclCommFinalize, (ncclComm_t comm))                               \
    X(ncclResult_t, destroy, ncclCommDestroy, (ncclComm_t comm))                                 \
    X(ncclResult_t, abort, ncclCommAbort, (ncclComm_t comm))                                     \
    X(const char *, error_text, ncclGetErrorString, (ncclResult_t result))                       \
    X(const char *, last_error, ncclGetLastError, (ncclComm_t comm))

// Not in every version that will do: NULL where it is not there.
#define WF_NCCL_OPTIONAL_LIST(X)                                                             \
    X(ncclResult_t, shrink, ncclCommShrink,                                                  \
      (ncclComm_t comm, int *excluded, int nexcluded, ncclComm_t *out, ncclConfig_t *config, \
       int flags))

#endif
