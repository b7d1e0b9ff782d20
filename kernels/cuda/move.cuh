// SPDX-License-Identifier: Apache-2.0
// move - copies of strided boxes: one thread an item, the axis along which the output is contiguous innermost; and through a tile in shared
// memory where input and output are contiguous along different axes. Items are 1 to 16 bytes; the host has merged axes and made items as
// wide as strides and addresses allow.
#include "kernel.cuh"

#define WF_MOVE_AXES 8

struct move_args {
    const char *in;
    char *out;
    int64_t n;  // items
    int32_t ndim, pad;
    int64_t count[WF_MOVE_AXES];  // innermost first
    int64_t in_stride[WF_MOVE_AXES], out_stride[WF_MOVE_AXES];  // bytes
};

template <typename T, typename I> WF_DEVICE void move_items(const move_args &a)
{
    const I n = (I)a.n, step = (I)gridDim.x * WF_THREADS;
    for (I i = (I)blockIdx.x * WF_THREADS + threadIdx.x; i < n; i += step) {
        I rest = i;
        int64_t from = 0, to = 0;
        for (int d = 0; d + 1 < a.ndim; d++) {
            const I q = rest / (I)a.count[d], r = rest - q * (I)a.count[d];
            from += (int64_t)r * a.in_stride[d];
            to += (int64_t)r * a.out_stride[d];
            rest = q;
        }
        from += (int64_t)rest * a.in_stride[a.ndim - 1];
        to += (int64_t)rest * a.out_stride[a.ndim - 1];
        *(T *)(a.out + to) = *(const T *)(a.in + from);
    }
}

// 32-bit arithmetic where it suffices: a 64-bit division costs about ten times as much.
#define MOVE(T, suffix)                                                         \
    WF_KERNEL(move_##suffix, move_args)                                         \
    {                                                                           \
        if (A.n < (int64_t)1 << 31) move_items<T, uint32_t>(A);                 \
        else move_items<T, uint64_t>(A);                                        \
    }
MOVE(uint8_t, 1)
MOVE(uint16_t, 2)
MOVE(uint32_t, 4)
MOVE(uint64_t, 8)
MOVE(item16, 16)

// A transposed copy: axis 0 is contiguous in the output, axis 1 in the input; the other axes are stepped over. A block moves squares of TILE
// by TILE items, reading along one axis and writing along the other.
#define WF_TILE 32

template <typename T> WF_DEVICE void move_tiles(const move_args &a, T (*tile)[WF_TILE + 1])
{
    const int64_t across = (a.count[0] + WF_TILE - 1) / WF_TILE, down = (a.count[1] + WF_TILE - 1) / WF_TILE;
    const int x = threadIdx.x % WF_TILE, y = threadIdx.x / WF_TILE;
    int64_t planes = 1;
    for (int d = 2; d < a.ndim; d++) planes *= a.count[d];
    for (int64_t t = blockIdx.x; t < across * down * planes; t += gridDim.x) {
        int64_t rest = t / (across * down), from = 0, to = 0;
        for (int d = 2; d < a.ndim; d++) {
            const int64_t q = rest / a.count[d], r = rest - q * a.count[d];
            from += r * a.in_stride[d];
            to += r * a.out_stride[d];
            rest = q;
        }
        const int64_t c0 = t % across * WF_TILE, c1 = t / across % down * WF_TILE;
        for (int k = y; k < WF_TILE; k += WF_THREADS / WF_TILE)
            if (c0 + k < a.count[0] && c1 + x < a.count[1])
                tile[k][x] = *(const T *)(a.in + from + (c0 + k) * a.in_stride[0] + (c1 + x) * a.in_stride[1]);
        __syncthreads();
        for (int k = y; k < WF_TILE; k += WF_THREADS / WF_TILE)
            if (c0 + x < a.count[0] && c1 + k < a.count[1])
                *(T *)(a.out + to + (c0 + x) * a.out_stride[0] + (c1 + k) * a.out_stride[1]) = tile[x][k];
        __syncthreads();
    }
}

#define MOVE_TILES(T, suffix)                               \
    WF_KERNEL_MEETING(move_tiles_##suffix, move_args)       \
    {                                                       \
        WF_SHARED T tile[WF_TILE][WF_TILE + 1];             \
        move_tiles<T>(A, tile);                             \
    }
MOVE_TILES(uint8_t, 1)
MOVE_TILES(uint16_t, 2)
MOVE_TILES(uint32_t, 4)
MOVE_TILES(uint64_t, 8)
MOVE_TILES(item16, 16)
