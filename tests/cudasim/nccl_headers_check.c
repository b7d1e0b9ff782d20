// SPDX-License-Identifier: Apache-2.0
// nccl_headers_check - compiles only if the declarations of runtime/transport/nccl/api.h and
// library.h say what NVIDIA's headers say, as headers_check.c does for the CUDA module.
#include <cuda.h>
#include <nccl.h>

#include "weft/types.h"

// Theirs is an enumeration, ours an int; the names are the same, so ours are looked at inside a
// function, where they hide theirs.
#define RESULTS(X)            \
    X(ncclSuccess)            \
    X(ncclUnhandledCudaError) \
    X(ncclSystemError)        \
    X(ncclInternalError)      \
    X(ncclInvalidArgument)    \
    X(ncclInvalidUsage)       \
    X(ncclRemoteError)        \
    X(ncclInProgress)         \
    X(ncclInt8)               \
    X(CUDA_SUCCESS)           \
    X(CUDA_ERROR_NOT_READY)   \
    X(CU_STREAM_NON_BLOCKING) \
    X(CU_EVENT_DISABLE_TIMING)
#define FIELDS(X) \
    X(size)       \
    X(magic) X(version) X(blocking) X(cgaClusterSize) X(minCTAs) X(maxCTAs) X(netName) X(splitShare)

enum {
#define THEIRS(name) theirs_##name = name,
    RESULTS(THEIRS) theirs_SHRINK_ABORT = NCCL_SHRINK_ABORT,
#define THEIR_OFFSET(field) theirs_at_##field = offsetof(ncclConfig_t, field),
    FIELDS(THEIR_OFFSET)
};
#undef NCCL_SHRINK_ABORT

void wf_nccl_numbers_agree(void);
void wf_nccl_numbers_agree(void)
{
#include "transport/nccl/library.h"
#define AGREES(name) _Static_assert((int)name == (int)theirs_##name, #name);
    RESULTS(AGREES)
    _Static_assert((int)NCCL_SHRINK_ABORT == (int)theirs_SHRINK_ABORT, "");
#define OFFSET_AGREES(field) \
    _Static_assert(offsetof(ncclConfig_t, field) == theirs_at_##field, #field);
    FIELDS(OFFSET_AGREES)
    _Static_assert(sizeof(ncclUniqueId) == NCCL_UNIQUE_ID_BYTES, "");
    _Static_assert(WF_NCCL_CONFIG_VERSION <= NCCL_VERSION_CODE, "");
}

#define SAME(a, b) __builtin_types_compatible_p(a, b)
#define FUNCTION_AGREES(result, name, symbol, parameters) \
    _Static_assert(SAME(__typeof__(&symbol), result(*) parameters), #symbol);
WF_NCCL_LIST(FUNCTION_AGREES)
WF_NCCL_OPTIONAL_LIST(FUNCTION_AGREES)
WF_NCCL_CUDA_LIST(FUNCTION_AGREES)
_Static_assert(sizeof(ncclResult_t) == sizeof(int) && sizeof(ncclDataType_t) == sizeof(int), "");
