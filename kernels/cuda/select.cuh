// SPDX-License-Identifier: Apache-2.0
// select - the elements whose mask byte is not zero, in order, in three launches: how many each chunk has, where each chunk's begin, and the
// elements to their places. A chunk is a block's work: WF_CHUNK elements, a row of threads after another.
#include "kernel.cuh"

#define WF_CHUNK 4096
#define WF_WARPS (WF_THREADS / 32)

struct select_args {
    const uint8_t *mask;
    const char *in;
    char *out;
    int64_t *start;  // per chunk: how many, then where they begin; one more: how many in all
    int64_t n, chunks;
};

// The number of set flags before this thread's in the block, and in the whole block: ballots within warps, then over the warps.
WF_DEVICE int rank_in_block(bool flag, int *counts, int *total)
{
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const uint32_t votes = __ballot_sync(WF_FULL_WARP, flag);
    int before = __popc(votes & ((1u << lane) - 1));
    if (lane == 0) counts[warp] = __popc(votes);
    __syncthreads();
    int sum = 0;
    for (int w = 0; w < WF_WARPS; w++) {
        if (w < warp) before += counts[w];
        sum += counts[w];
    }
    __syncthreads();
    *total = sum;
    return before;
}

WF_KERNEL_MEETING(select_count, select_args)
{
    WF_SHARED int counts[WF_WARPS];
    for (int64_t c = blockIdx.x; c < A.chunks; c += gridDim.x) {
        int64_t found = 0;
        for (int64_t i = c * WF_CHUNK; i < (c + 1) * WF_CHUNK; i += WF_THREADS) {
            int total;
            rank_in_block(i + threadIdx.x < A.n && A.mask[i + threadIdx.x], counts, &total);
            found += total;
        }
        if (threadIdx.x == 0) A.start[c] = found;
    }
}

// One thread: as many steps as there are chunks, each 4,096 elements' worth.
WF_KERNEL(select_start, select_args)
{
    if (blockIdx.x > 0 || threadIdx.x > 0) return;
    int64_t at = 0;
    for (int64_t c = 0; c < A.chunks; c++) {
        const int64_t found = A.start[c];
        A.start[c] = at;
        at += found;
    }
    A.start[A.chunks] = at;
}

template <typename T> WF_DEVICE void select_items(const select_args &a, int *counts)
{
    for (int64_t c = blockIdx.x; c < a.chunks; c += gridDim.x) {
        int64_t at = a.start[c];
        for (int64_t i = c * WF_CHUNK; i < (c + 1) * WF_CHUNK; i += WF_THREADS) {
            int total;
            const bool wanted = i + threadIdx.x < a.n && a.mask[i + threadIdx.x];
            const int rank = rank_in_block(wanted, counts, &total);
            if (wanted) ((T *)a.out)[at + rank] = ((const T *)a.in)[i + threadIdx.x];
            at += total;
        }
    }
}

#define SELECT(T, suffix)                               \
    WF_KERNEL_MEETING(select_##suffix, select_args)     \
    {                                                   \
        WF_SHARED int counts[WF_WARPS];                 \
        select_items<T>(A, counts);                     \
    }
SELECT(uint8_t, 1)
SELECT(uint16_t, 2)
SELECT(uint32_t, 4)
SELECT(uint64_t, 8)
SELECT(item16, 16)
