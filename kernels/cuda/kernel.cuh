// SPDX-License-Identifier: Apache-2.0
// kernel - what every CUDA kernel of Weft begins with: fixed-width types without any header (NVRTC has none), and how a kernel is declared.
// The same text is compiled by NVRTC, by nvcc, and by a host compiler (WF_CUDASIM, tests/cudasim), where a block's threads are a loop.
//
// A kernel takes exactly one argument, a structure by value: WF_KERNEL(name, type) { ... A ... }. Kernels whose threads wait for each other
// (barriers, warp shuffles) are declared with WF_KERNEL_MEETING instead, so that the host compiler's threads can.
#ifndef WF_CUDA_KERNEL_CUH
#define WF_CUDA_KERNEL_CUH

typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long long int64_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;

// Sixteen bytes, moved as one.
struct alignas(16) item16 {
    uint64_t low, high;
};

// Threads of a block, of every kernel.
#define WF_THREADS 256
#define WF_FULL_WARP 0xffffffffu

#ifdef WF_CUDASIM
// The stand-in defines WF_DEVICE, WF_KERNEL, WF_KERNEL_MEETING, threadIdx, blockIdx, gridDim, the shuffles and the barriers.
#include <cudasim_device.h>
#else
#define WF_DEVICE static __device__ __forceinline__
#define WF_KERNEL(name, type) extern "C" __global__ void __launch_bounds__(WF_THREADS) name(const __grid_constant__ type A)
#define WF_KERNEL_MEETING(name, type) WF_KERNEL(name, type)
#define WF_SHARED __shared__
#endif

#endif
