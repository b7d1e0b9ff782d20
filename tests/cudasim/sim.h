// SPDX-License-Identifier: Apache-2.0
// sim - the inside of the stand-in's libcuda. Everything is under one lock, which an API call holds from ENTER to its return, and which is
// let go only while an operation runs.
//
// Nothing runs by itself. Calls queue operations; a call that must wait runs them, on the waiting thread, in a seeded order, until what it
// waits for is done. So work runs as late as the host allows, a missing dependency shows, and with one host thread a seed replays exactly.
#ifndef CUDASIM_SIM_H
#define CUDASIM_SIM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cudasim.h"
#include "device/cuda/driver.h"
#include "kernel_abi.h"

enum {
    SIM_GPUS = 8,
    SIM_ALIGN = 512,  // of every allocation
    SIM_POISON = 0xA5,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_NOT_INITIALIZED = 3,
    CUDA_ERROR_NO_DEVICE = 100,
    CUDA_ERROR_INVALID_DEVICE = 101,
    CUDA_ERROR_INVALID_IMAGE = 200,
    CUDA_ERROR_INVALID_CONTEXT = 201,
    CUDA_ERROR_PEER_ACCESS_UNSUPPORTED = 217,
    CUDA_ERROR_INVALID_HANDLE = 400,
    CUDA_ERROR_NOT_FOUND = 500,
    CUDA_ERROR_ILLEGAL_ADDRESS = 700,
    CUDA_ERROR_CONTEXT_IS_DESTROYED = 709,
    CUDA_ERROR_LAUNCH_FAILED = 719,
};

// --- what handles stand for ---

typedef enum { SIM_CONTEXT = 1, SIM_STREAM, SIM_EVENT, SIM_MODULE, SIM_FUNCTION } sim_kind;
typedef struct sim_gpu sim_gpu;

typedef struct sim_object {  // the head of each of them
    sim_kind kind;
    sim_gpu *gpu;
    void *handle;
} sim_object;

struct sim_gpu {
    sim_object context;  // handle NULL: not retained
    int number, retained;
    int error;  // sticky; 0: none
    bool busy;  // one of its operations runs now, outside the lock
    int nqueued;
    size_t used;
    unsigned peers;             // bit per GPU that it may access
    struct sim_block *threads;  // fiber.c
};

typedef struct sim_mark {  // a point of a stream, once recorded
    int refs;
    bool done;
} sim_mark;

typedef struct sim_event {
    sim_object object;
    sim_mark *last;  // NULL: never recorded
} sim_event;

typedef struct sim_range {  // device memory that an operation touches
    CUdeviceptr address;
    size_t bytes;
    sim_gpu *gpu;
} sim_range;

// The work of an operation: returns 0 or the sticky error of its GPU. Runs without the lock, one at a time on a GPU.
typedef int sim_work(sim_gpu *gpu, const void *argument);

typedef struct sim_stream {
    sim_object object;
    struct sim_stream *next;
    struct sim_operation *head, *tail;
    bool closing;       // destroyed, and freed when it has run dry
    unsigned priority;  // the highest that can run does; drawn anew now and then
} sim_stream;

typedef struct sim_module {
    sim_object object;
    void *library;  // of dlopen
    struct sim_function *functions;
} sim_module;

typedef struct sim_function {
    sim_object object;
    const cudasim_kernel *kernel;
    struct sim_function *next;
    char name[];
} sim_function;

typedef struct sim_state {
    pthread_mutex_t lock;
    pthread_cond_t moved;  // an operation ended
    bool ready;            // cuInit was called
    int ngpu, visible[SIM_GPUS], queue_limit, driver, mode, peers, protect, strict;
    size_t memory;
    uint64_t random;
    uint64_t queued;  // operations ever
    sim_gpu gpu[SIM_GPUS];
    sim_stream *streams;
    int ngate;                // gates that are closed
    void (*elsewhere)(void);  // what may open one; called without the lock
    long long leaked;
} sim_state;
extern sim_state sim;

// --- control.c: the environment, faults, counts, the way into every call ---

// What a call needs before it looks at its arguments.
typedef enum { SIM_NOTHING, SIM_INITIALIZED, SIM_CURRENT } sim_need;
typedef struct sim_call {
    int result;
    const char *name;
    sim_gpu *gpu;  // of the current context, with SIM_CURRENT
} sim_call;
sim_call sim_enter(const char *name, sim_need need);
void sim_leave(sim_call *call);
// The beginning of every exported call: counts it, fails when a test wants it to, takes the lock until the call returns.
#define ENTER(name, need)                                                         \
    __attribute__((cleanup(sim_leave))) sim_call here = sim_enter(#name, (need)); \
    if (here.result != CUDA_SUCCESS) return here.result

void sim_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
// RESULT, said on stderr: the caller broke a rule of CUDA's.
#define MISUSE(result, ...) sim_misuse(here.name, (result), __VA_ARGS__)
int sim_misuse(const char *call, int result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
uint64_t sim_random(void);
void sim_count(const char *what, long long add);
int sim_fault(const char *call);  // the result that a test wants, or 0
void *sim_current(void);          // the handle of this thread's current context
void sim_set_current(void *handle);

// --- control.c: handles, which carry a generation, so that a stale one is known ---

void *sim_handle(sim_object *object, sim_kind kind, sim_gpu *gpu);
void *sim_find(const void *handle, sim_kind kind);  // NULL: not one, or no more
void sim_forget(sim_object *object);
void *sim_any(sim_kind kind, const sim_gpu *gpu);  // NULL: there is none left

// --- memory.c ---

int sim_allocate(sim_gpu *gpu, size_t bytes, CUdeviceptr *out);
sim_gpu *sim_owner(CUdeviceptr address);  // whose allocation begins there; NULL: none does
bool sim_free(CUdeviceptr address);       // false: no allocation begins there
int sim_host_allocate(size_t bytes, void **out);
bool sim_host_free(void *memory);
// What is wrong with RANGE, or NULL.
const char *sim_range_wrong(const sim_range *range, char *text, size_t size);
bool sim_is_device(const void *address, size_t bytes);
// Device memory may be touched between the two (CUDASIM_PROTECT).
void sim_memory_open(void);
void sim_memory_close(void);
void sim_memory_drop(sim_gpu *gpu);  // a context goes: what it still has is a leak
// Copies without the eyes of AddressSanitizer on device memory, but with them on HOST (NULL: neither is).
void sim_move(void *to, const void *from, size_t bytes, const void *host);

// --- queue.c ---

int sim_queue(sim_stream *stream, const char *call, sim_work *work, const void *argument,
              size_t bytes, const sim_range *ranges, int nrange);
int sim_record(sim_stream *stream, sim_event *event);
int sim_wait(sim_stream *stream, sim_event *event);
void sim_mark_release(sim_mark *mark);
bool sim_step(void);  // runs one operation; false: nothing can run now
void sim_until_stream(sim_stream *stream);
void sim_until_gpu(sim_gpu *gpu);
void sim_until_mark(sim_mark *mark);
void sim_stream_close(sim_stream *stream);

// --- launch.c, fiber.c ---

int sim_launch(sim_stream *stream, sim_function *function, cudasim_dim grid, cudasim_dim block,
               const void *argument);
int sim_module_open(sim_gpu *gpu, const void *image, sim_module **out);
void sim_module_close(sim_module *module);
// Runs WORK so that a bad address in it is the GPU's error and not the process's end.
int sim_guarded(sim_work *work, sim_gpu *gpu, const void *argument);
void sim_guard_install(void);
// Ends the work that this thread runs, from anywhere inside it.
void sim_work_failed(int result) __attribute__((noreturn));
void sim_run_block(sim_gpu *gpu, const cudasim_kernel *kernel, const char *name,
                   const void *argument, unsigned seed);

// What libcublas queues its work with: the stream's context must be current. RANGES name no GPU.
int cudasim_queue(CUstream stream, const char *call, sim_work *work, const void *argument,
                  size_t bytes, const sim_range *ranges, int nrange);
// What libnccl puts on a stream for operations that others must join: a place that the stream reaches, and a gate behind it.
typedef struct cudasim_gate {
    sim_mark *reached, *open;
} cudasim_gate;
// ELSEWHERE is called when nothing can run, something is waited for and a gate is closed.
int cudasim_gate_queue(CUstream stream, const char *call, void (*elsewhere)(void),
                       cudasim_gate *out);
bool cudasim_gate_reached(const cudasim_gate *gate);
void cudasim_gate_open(cudasim_gate *gate);  // once
// Copies between memory of STREAM's GPU and the host's, now and as an operation of the stream would.
int cudasim_touch(CUstream stream, const char *call, void *to, const void *from, size_t bytes,
                  bool to_gpu);
int cudasim_gpu(void);  // the number of the current context's GPU; -1: none is current
// A fault or a count for a call of libnvrtc, libcublas or libnccl.
int cudasim_enter(const char *call);
void cudasim_add(const char *what, long long add);
// The current context of this thread, and of STREAM (NULL: not a stream).
void *cudasim_context(void);
void *cudasim_stream_context(CUstream stream);
// Whether BYTES at MEMORY lie in device memory of the current context.
bool cudasim_is_device(const void *memory, size_t bytes);

#endif
