// SPDX-License-Identifier: Apache-2.0
// cudasim - what tests may ask of the stand-in beside CUDA's own calls: to fail, to count, to replay. All of it is exported by libcuda.so.1.
//
// The environment, read by cudasim_reset and by the first call:
//   CUDASIM_DEVICES  virtual GPUs, 1 to 8 (2)          CUDASIM_MEMORY  bytes of each (268435456)
//   CUDASIM_SEED     of the order of execution (1)     CUDASIM_QUEUE   operations queued on a GPU before the host must run some (256)
//   CUDASIM_DRIVER   what cuDriverGetVersion says      CUDASIM_MODE    compute mode of every GPU (0; 2: prohibited, 3: exclusive)
//   CUDASIM_PEERS    0: no GPU can access another      CUDASIM_FAIL    faults, as "call:nth:result,..."
//   CUDASIM_STRICT   1: a leak ends the process with status 97
//   CUDASIM_PROTECT  1: the host cannot touch device memory but while something executes (the AddressSanitizer build has this always)
// and by libnvrtc: CUDASIM_CXX, the compiler (g++); CUDASIM_CACHE, the folder of what was compiled;
// and by libnccl: CUDASIM_NCCL, its version (22809); CUDASIM_NCCL_SILENT=1, a member that dies is no
// error to the others, as on one node.
#ifndef CUDASIM_H
#define CUDASIM_H

#ifdef __cplusplus
extern "C" {
#endif

// Forgets faults, counts and sticky errors, reads the environment again and starts the order of execution anew. The number of GPUs and their
// memory change only while no context is held.
void cudasim_reset(void);

// The order of execution from here on.
void cudasim_seed(unsigned long long seed);

// The NTH call of CALL from now (1: the next; 0: every one) returns RESULT and does nothing. CALL is a symbol ("cuMemAlloc_v2",
// "nvrtcCompileProgram", "cublasGemmEx_64") or "execute": an operation when it is run, which then is a sticky error of its GPU;
// or, of NCCL, "nccl init": with 7, a communicator that never comes to be, or "nccl move": an
// asynchronous error while a group moves.
void cudasim_fail(const char *call, int nth, int result);

// GPU number DEVICE dies: whatever needs it returns 700 from now on.
void cudasim_break_device(int device);

// How often CALL was called, or one of: "execute" operations run, "compile" runs of the compiler, "bytes" of device memory allocated now,
// "peak" the most that were, "host bytes" pinned now, "queued" operations not yet run.
long long cudasim_count(const char *what);

#ifdef __cplusplus
}
#endif
#endif
