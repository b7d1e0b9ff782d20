// SPDX-License-Identifier: Apache-2.0
// kernel_abi - what a compiled kernel and the stand-in's libcuda know of each other. Read by C and, without any header, by C++ kernels.
#ifndef CUDASIM_KERNEL_ABI_H
#define CUDASIM_KERNEL_ABI_H

#define CUDASIM_KERNEL_ABI 0x6377646173696d31ull

typedef struct cudasim_dim {
    unsigned x, y, z;
} cudasim_dim;

// One thread at a barrier, a shuffle or a vote. The kernel fills it, and finds the answer in it when the others have come too.
enum { CUDASIM_BARRIER, CUDASIM_WARP, CUDASIM_SHUFFLE, CUDASIM_BALLOT };
typedef struct cudasim_meeting {
    int kind;
    unsigned mask, source;  // lanes that must come; the lane whose value this one wants
    unsigned predicate;     // 0 or 1
    unsigned result;  // ballot: the lanes that said 1; barrier: the number of threads that did
    unsigned char value[16];  // shuffle: given, then received
} cudasim_meeting;

// The thread that runs now. Each loaded module has one, and only one operation of a GPU runs at a time.
typedef struct cudasim_here {
    cudasim_dim thread, block, block_dim, grid_dim;
    void (*meet)(cudasim_meeting *meeting);
} cudasim_here;

// The symbol NAME of WF_KERNEL(NAME, type).
typedef struct cudasim_kernel {
    unsigned long long abi;
    unsigned bytes;  // of the one argument
    int meeting;     // threads wait for each other: run them as fibers
    void (*body)(const void *argument);
    cudasim_here *here;
} cudasim_kernel;

#endif
