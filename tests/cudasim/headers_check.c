// SPDX-License-Identifier: Apache-2.0
// headers_check - compiles only if the declarations of runtime/device/cuda/driver.h say what NVIDIA's headers say. Numbers are compared one by
// one (a new one in driver.h belongs in CONSTANTS), functions as types; where NVIDIA has an enumeration and we an int, the sizes are compared.
#include <cublas_v2.h>
#include <cuda.h>
#include <nvrtc.h>

#include "weft/types.h"

#define CONSTANTS(X)                                \
    X(CUDA_SUCCESS)                                 \
    X(CUDA_ERROR_OUT_OF_MEMORY)                     \
    X(CUDA_ERROR_NOT_READY)                         \
    X(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED)       \
    X(CU_STREAM_NON_BLOCKING)                       \
    X(CU_EVENT_DISABLE_TIMING)                      \
    X(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)     \
    X(CU_DEVICE_ATTRIBUTE_COMPUTE_MODE)             \
    X(CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID)            \
    X(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID)               \
    X(CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID)            \
    X(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) \
    X(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR) \
    X(NVRTC_SUCCESS)                                \
    X(CUBLAS_STATUS_SUCCESS)                        \
    X(CUBLAS_STATUS_ALLOC_FAILED)                   \
    X(CUBLAS_OP_N)                                  \
    X(CUBLAS_OP_T)                                  \
    X(CUBLAS_COMPUTE_32F)                           \
    X(CUBLAS_COMPUTE_64F)                           \
    X(CUBLAS_COMPUTE_32F_FAST_TF32)                 \
    X(CUBLAS_GEMM_DEFAULT)

enum {
#define THEIRS(name) theirs_##name = name,
    CONSTANTS(THEIRS) theirs_CU_MEMHOSTALLOC_PORTABLE = CU_MEMHOSTALLOC_PORTABLE,
};
#undef CU_MEMHOSTALLOC_PORTABLE  // theirs is a macro

// Inside a function our names hide theirs.
void wf_cuda_numbers_agree(void);
void wf_cuda_numbers_agree(void)
{
#include "device/cuda/driver.h"
#define AGREES(name) _Static_assert((int)name == (int)theirs_##name, #name);
    CONSTANTS(AGREES)
    AGREES(CU_MEMHOSTALLOC_PORTABLE)
    _Static_assert((int)CUBLAS_R_32F == (int)CUDA_R_32F && (int)CUBLAS_R_64F == (int)CUDA_R_64F,
                   "");
    _Static_assert((int)CUBLAS_C_32F == (int)CUDA_C_32F && (int)CUBLAS_C_64F == (int)CUDA_C_64F,
                   "");
    _Static_assert(sizeof(CUdeviceptr) == 8 && sizeof(CUdevice) == sizeof(int), "");
}

// The functions that take enumerations: as NVIDIA declares them with the types given, and as we do with int.
#define ATTRIBUTE(type) CUresult (*)(int *, type, CUdevice)
#define GEMM(op, type, compute, algorithm)                                                     \
    cublasStatus_t (*)(cublasHandle_t, op, op, int64_t, int64_t, int64_t, const void *,        \
                       const void *, type, int64_t, const void *, type, int64_t, const void *, \
                       void *, type, int64_t, compute, algorithm)
#define SAME(a, b) __builtin_types_compatible_p(a, b)

// Outside of it the lists of driver.h mean NVIDIA's types. SAME does not hold for what takes an enumeration, which has its own line below.
#define FUNCTION_AGREES(result, name, symbol, parameters)                                        \
    _Static_assert(SAME(__typeof__(&symbol), result(*) parameters) ||                            \
                       (SAME(result(*) parameters, ATTRIBUTE(int)) &&                            \
                        SAME(__typeof__(&symbol), ATTRIBUTE(CUdevice_attribute))) ||             \
                       (SAME(result(*) parameters, GEMM(int, int, int, int)) &&                  \
                        SAME(__typeof__(&symbol), GEMM(cublasOperation_t, cudaDataType,          \
                                                       cublasComputeType_t, cublasGemmAlgo_t))), \
                   #symbol);
WF_CUDA_DRIVER_LIST(FUNCTION_AGREES)
WF_CUDA_NVRTC_LIST(FUNCTION_AGREES)
WF_CUDA_CUBLAS_LIST(FUNCTION_AGREES)

#define SIZE_OF_INT(type) _Static_assert(sizeof(type) == sizeof(int), #type);
SIZE_OF_INT(CUresult)
SIZE_OF_INT(CUdevice_attribute)
SIZE_OF_INT(nvrtcResult)
SIZE_OF_INT(cublasStatus_t)
SIZE_OF_INT(cublasOperation_t)
SIZE_OF_INT(cudaDataType)
SIZE_OF_INT(cublasComputeType_t)
SIZE_OF_INT(cublasGemmAlgo_t)
