// SPDX-License-Identifier: Apache-2.0
// driver - the exported calls of libcuda: arguments are checked, here and strictly; the work is done elsewhere. The context rule is stricter
// than the driver's: what works on a stream must be called with the stream's context current.
#include "sim.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROTOTYPE(result, name, symbol, parameters) result symbol parameters;
WF_CUDA_DRIVER_LIST(PROTOTYPE)

#define REQUIRE(holds, result, ...)                         \
    do {                                                    \
        if (!(holds)) return MISUSE((result), __VA_ARGS__); \
    } while (0)
#define REQUIRE_VALUE(holds) REQUIRE(holds, CUDA_ERROR_INVALID_VALUE, "needs " #holds)
#define REQUIRE_DEVICE(device) \
    REQUIRE((device) >= 0 && (device) < sim.ngpu, CUDA_ERROR_INVALID_DEVICE, "no GPU %d", device)
// The object behind a handle, of the current context.
#define FIND(type, variable, handle, kind)                                             \
    type *variable = sim_find((handle), (kind));                                       \
    REQUIRE(variable, CUDA_ERROR_INVALID_HANDLE, "%p is no " #variable ", or no more", \
            (void *)(handle));                                                         \
    REQUIRE(variable->object.gpu == here.gpu, CUDA_ERROR_INVALID_HANDLE,               \
            "the " #variable " is GPU %d's, the current context GPU %d's",             \
            variable->object.gpu->number, here.gpu->number)

// --- the driver and its devices ---

CUresult cuInit(unsigned flags)
{
    ENTER(cuInit, SIM_NOTHING);
    REQUIRE_VALUE(flags == 0);
    if (sim.ngpu == 0) return CUDA_ERROR_NO_DEVICE;
    if (!sim.ready) sim_guard_install();
    sim.ready = true;
    return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int *version)
{
    ENTER(cuDriverGetVersion, SIM_NOTHING);
    REQUIRE_VALUE(version != NULL);
    *version = sim.driver;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count)
{
    ENTER(cuDeviceGetCount, SIM_INITIALIZED);
    REQUIRE_VALUE(count != NULL);
    *count = sim.ngpu;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
    ENTER(cuDeviceGet, SIM_INITIALIZED);
    REQUIRE_VALUE(device != NULL);
    REQUIRE_DEVICE(ordinal);
    *device = ordinal;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int length, CUdevice device)
{
    ENTER(cuDeviceGetName, SIM_INITIALIZED);
    REQUIRE_VALUE(name != NULL && length > 0);
    REQUIRE_DEVICE(device);
    snprintf(name, (size_t)length, "cudasim %d", sim.visible[device]);
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device)
{
    ENTER(cuDeviceGetAttribute, SIM_INITIALIZED);
    REQUIRE_VALUE(value != NULL);
    REQUIRE_DEVICE(device);
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 4; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_MODE: *value = sim.mode; break;
    case CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID: *value = 0; break;
    case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID: *value = 1 + sim.visible[device]; break;
    case CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID: *value = 0; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = 9; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = 0; break;
    default: return MISUSE(CUDA_ERROR_INVALID_VALUE, "attribute %d is not known here", attribute);
    }
    return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
    ENTER(cuDeviceTotalMem_v2, SIM_INITIALIZED);
    REQUIRE_VALUE(bytes != NULL);
    REQUIRE_DEVICE(device);
    *bytes = sim.memory;
    return CUDA_SUCCESS;
}

// --- contexts ---

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    ENTER(cuDevicePrimaryCtxRetain, SIM_INITIALIZED);
    REQUIRE_VALUE(context != NULL);
    REQUIRE_DEVICE(device);
    sim_gpu *gpu = &sim.gpu[device];
    if (gpu->retained++ == 0) sim_handle(&gpu->context, SIM_CONTEXT, gpu);
    *context = gpu->context.handle;
    return CUDA_SUCCESS;
}

static void event_close(sim_event *event)
{
    sim_mark_release(event->last);
    sim_forget(&event->object);
    free(event);
}

static void drop_objects(sim_gpu *gpu)
{
    int nstream = 0, nevent = 0, nmodule = 0;
    void *object;

    sim_until_gpu(gpu);
    for (; (object = sim_any(SIM_STREAM, gpu)); nstream++) sim_stream_close(object);
    for (; (object = sim_any(SIM_EVENT, gpu)); nevent++) event_close(object);
    for (; (object = sim_any(SIM_MODULE, gpu)); nmodule++) sim_module_close(object);
    if (gpu->error || nstream + nevent + nmodule == 0) return;
    sim_say("leak: %d streams, %d events, %d modules", nstream, nevent, nmodule);
    sim.leaked++;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    ENTER(cuDevicePrimaryCtxRelease_v2, SIM_INITIALIZED);
    REQUIRE_DEVICE(device);
    sim_gpu *gpu = &sim.gpu[device];
    REQUIRE(gpu->retained > 0, CUDA_ERROR_INVALID_CONTEXT, "the context is not retained");
    if (--gpu->retained) return CUDA_SUCCESS;
    drop_objects(gpu);
    sim_memory_drop(gpu);
    sim_forget(&gpu->context);
    gpu->peers = 0;
    return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext *context)
{
    ENTER(cuCtxGetCurrent, SIM_INITIALIZED);
    REQUIRE_VALUE(context != NULL);
    *context = sim_current();
    return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext context)
{
    ENTER(cuCtxSetCurrent, SIM_INITIALIZED);
    REQUIRE(!context || sim_find(context, SIM_CONTEXT), CUDA_ERROR_INVALID_CONTEXT,
            "%p is no context, or no more", (void *)context);
    sim_set_current(context);
    return CUDA_SUCCESS;
}

CUresult cuDeviceCanAccessPeer(int *possible, CUdevice device, CUdevice peer)
{
    ENTER(cuDeviceCanAccessPeer, SIM_INITIALIZED);
    REQUIRE_VALUE(possible != NULL);
    REQUIRE_DEVICE(device);
    REQUIRE_DEVICE(peer);
    *possible = sim.peers && device != peer;
    return CUDA_SUCCESS;
}

CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned flags)
{
    ENTER(cuCtxEnablePeerAccess, SIM_CURRENT);
    REQUIRE_VALUE(flags == 0);
    const sim_object *context = sim_find(peer, SIM_CONTEXT);
    REQUIRE(context && context->gpu != here.gpu, CUDA_ERROR_INVALID_CONTEXT,
            "%p is no other context", (void *)peer);
    const unsigned bit = 1u << context->gpu->number;
    if (!sim.peers) return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
    if (here.gpu->peers & bit) return CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
    here.gpu->peers |= bit;
    return CUDA_SUCCESS;
}

// --- memory ---

CUresult cuMemGetInfo_v2(size_t *free, size_t *total)
{
    ENTER(cuMemGetInfo_v2, SIM_CURRENT);
    REQUIRE_VALUE(free != NULL && total != NULL);
    *free = sim.memory - here.gpu->used;
    *total = sim.memory;
    return CUDA_SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr *out, size_t bytes)
{
    ENTER(cuMemAlloc_v2, SIM_CURRENT);
    REQUIRE_VALUE(out != NULL && bytes > 0);
    return sim_allocate(here.gpu, bytes, out);
}

CUresult cuMemFree_v2(CUdeviceptr memory)
{
    ENTER(cuMemFree_v2, SIM_CURRENT);
    if (!memory) return CUDA_SUCCESS;
    sim_gpu *owner = sim_owner(memory);
    REQUIRE(owner, CUDA_ERROR_INVALID_VALUE, "no device memory begins at 0x%llx", memory);
    sim_until_gpu(owner);
    sim_free(memory);
    return owner->error;
}

CUresult cuMemHostAlloc(void **out, size_t bytes, unsigned flags)
{
    ENTER(cuMemHostAlloc, SIM_CURRENT);
    REQUIRE_VALUE(out != NULL && bytes > 0);
    REQUIRE_VALUE((flags & ~(unsigned)CU_MEMHOSTALLOC_PORTABLE) == 0);
    return sim_host_allocate(bytes, out);
}

CUresult cuMemFreeHost(void *memory)
{
    ENTER(cuMemFreeHost, SIM_CURRENT);
    REQUIRE(sim_host_free(memory), CUDA_ERROR_INVALID_VALUE, "no pinned memory begins at %p",
            memory);
    return CUDA_SUCCESS;
}

// --- copies ---

typedef struct copy {
    void *to;
    const void *from, *host;  // the one of them that is the host's, or NULL
    size_t bytes;
    int value;  // of a fill
} copy;

static int run_copy(sim_gpu *gpu, const void *argument)
{
    const copy *c = argument;

    (void)gpu;
    sim_move(c->to, c->from, c->bytes, c->host);
    return CUDA_SUCCESS;
}

static int run_fill(sim_gpu *gpu, const void *argument)
{
    const copy *c = argument;
    volatile unsigned char *to = c->to;

    (void)gpu;
    for (size_t i = 0; i < c->bytes; i++) to[i] = (unsigned char)c->value;
    return CUDA_SUCCESS;
}

#define DEVICE(address) ((void *)(uintptr_t)(address))
// Memory that the host names as its own.
#define REQUIRE_HOST(address, bytes)                                                   \
    REQUIRE((address) && !sim_is_device((address), (bytes)), CUDA_ERROR_INVALID_VALUE, \
            "%p is no host memory", (const void *)(address))

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream handle)
{
    ENTER(cuMemcpyHtoDAsync_v2, SIM_CURRENT);
    FIND(sim_stream, stream, handle, SIM_STREAM);
    REQUIRE_HOST(from, bytes);
    const copy c = { DEVICE(to), from, from, bytes, 0 };
    return sim_queue(stream, here.name, run_copy, &c, sizeof c, &(sim_range){ to, bytes, here.gpu },
                     1);
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream handle)
{
    ENTER(cuMemcpyDtoHAsync_v2, SIM_CURRENT);
    FIND(sim_stream, stream, handle, SIM_STREAM);
    REQUIRE_HOST(to, bytes);
    const copy c = { to, DEVICE(from), to, bytes, 0 };
    return sim_queue(stream, here.name, run_copy, &c, sizeof c,
                     &(sim_range){ from, bytes, here.gpu }, 1);
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream handle)
{
    ENTER(cuMemcpyDtoDAsync_v2, SIM_CURRENT);
    FIND(sim_stream, stream, handle, SIM_STREAM);
    REQUIRE(to + bytes <= from || from + bytes <= to, CUDA_ERROR_INVALID_VALUE, "ranges overlap");
    const copy c = { DEVICE(to), DEVICE(from), NULL, bytes, 0 };
    const sim_range ranges[] = { { to, bytes, here.gpu }, { from, bytes, here.gpu } };
    return sim_queue(stream, here.name, run_copy, &c, sizeof c, ranges, 2);
}

CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
                           CUcontext from_context, size_t bytes, CUstream handle)
{
    ENTER(cuMemcpyPeerAsync, SIM_CURRENT);
    FIND(sim_stream, stream, handle, SIM_STREAM);
    const sim_object *to_gpu = sim_find(to_context, SIM_CONTEXT),
                     *from_gpu = sim_find(from_context, SIM_CONTEXT);
    REQUIRE(to_gpu && from_gpu, CUDA_ERROR_INVALID_CONTEXT, "one of the contexts is none");
    const copy c = { DEVICE(to), DEVICE(from), NULL, bytes, 0 };
    const sim_range ranges[] = { { to, bytes, to_gpu->gpu }, { from, bytes, from_gpu->gpu } };
    return sim_queue(stream, here.name, run_copy, &c, sizeof c, ranges, 2);
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream handle)
{
    ENTER(cuMemsetD8Async, SIM_CURRENT);
    FIND(sim_stream, stream, handle, SIM_STREAM);
    const copy c = { DEVICE(to), NULL, NULL, bytes, value };
    return sim_queue(stream, here.name, run_fill, &c, sizeof c, &(sim_range){ to, bytes, here.gpu },
                     1);
}

// --- streams and events ---

CUresult cuStreamCreate(CUstream *out, unsigned flags)
{
    ENTER(cuStreamCreate, SIM_CURRENT);
    REQUIRE_VALUE(out != NULL && (flags & ~(unsigned)CU_STREAM_NON_BLOCKING) == 0);
    sim_stream *stream = calloc(1, sizeof *stream);
    if (!stream) return CUDA_ERROR_OUT_OF_MEMORY;
    stream->priority = (unsigned)sim_random();
    stream->next = sim.streams;
    sim.streams = stream;
    *out = sim_handle(&stream->object, SIM_STREAM, here.gpu);
    return CUDA_SUCCESS;
}

// Returns at once: what is queued still runs.
CUresult cuStreamDestroy_v2(CUstream handle)
{
    ENTER(cuStreamDestroy_v2, SIM_CURRENT);
    FIND(sim_stream, stream, handle, SIM_STREAM);
    sim_stream_close(stream);
    return CUDA_SUCCESS;
}

CUresult cuStreamSynchronize(CUstream handle)
{
    ENTER(cuStreamSynchronize, SIM_CURRENT);
    FIND(sim_stream, stream, handle, SIM_STREAM);
    sim_until_stream(stream);
    return here.gpu->error;
}

// The event may be another GPU's.
CUresult cuStreamWaitEvent(CUstream handle, CUevent event_handle, unsigned flags)
{
    ENTER(cuStreamWaitEvent, SIM_CURRENT);
    REQUIRE_VALUE(flags == 0);
    FIND(sim_stream, stream, handle, SIM_STREAM);
    sim_event *event = sim_find(event_handle, SIM_EVENT);
    REQUIRE(event, CUDA_ERROR_INVALID_HANDLE, "%p is no event, or no more", (void *)event_handle);
    return sim_wait(stream, event);
}

CUresult cuEventCreate(CUevent *out, unsigned flags)
{
    ENTER(cuEventCreate, SIM_CURRENT);
    REQUIRE_VALUE(out != NULL && (flags & ~3u) == 0);
    sim_event *event = calloc(1, sizeof *event);
    if (!event) return CUDA_ERROR_OUT_OF_MEMORY;
    *out = sim_handle(&event->object, SIM_EVENT, here.gpu);
    return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent event_handle, CUstream handle)
{
    ENTER(cuEventRecord, SIM_CURRENT);
    FIND(sim_stream, stream, handle, SIM_STREAM);
    FIND(sim_event, event, event_handle, SIM_EVENT);
    return sim_record(stream, event);
}

#define FIND_EVENT(handle)                            \
    sim_event *event = sim_find((handle), SIM_EVENT); \
    REQUIRE(event, CUDA_ERROR_INVALID_HANDLE, "%p is no event, or no more", (void *)(handle))

// Says "not ready" of what is, now and then; half of such answers come with some progress, so that whoever polls gets on.
CUresult cuEventQuery(CUevent handle)
{
    ENTER(cuEventQuery, SIM_CURRENT);
    FIND_EVENT(handle);
    sim_gpu *gpu = event->object.gpu;
    sim_mark *mark = event->last;
    if (!mark || mark->done) return gpu->error;
    mark->refs++;
    if (sim_random() % 2) sim_step();
    const bool done = mark->done;
    sim_mark_release(mark);
    return gpu->error ? gpu->error : done ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

CUresult cuEventSynchronize(CUevent handle)
{
    ENTER(cuEventSynchronize, SIM_CURRENT);
    FIND_EVENT(handle);
    sim_gpu *gpu = event->object.gpu;
    if (event->last) sim_until_mark(event->last);
    return gpu->error;
}

CUresult cuEventDestroy_v2(CUevent handle)
{
    ENTER(cuEventDestroy_v2, SIM_CURRENT);
    FIND_EVENT(handle);
    event_close(event);
    return CUDA_SUCCESS;
}

// --- modules and launches ---

CUresult cuModuleLoadData(CUmodule *out, const void *image)
{
    ENTER(cuModuleLoadData, SIM_CURRENT);
    REQUIRE_VALUE(out != NULL && image != NULL);
    sim_module *module;
    const int result = sim_module_open(here.gpu, image, &module);
    if (result == CUDA_SUCCESS) *out = module->object.handle;
    return result;
}

CUresult cuModuleUnload(CUmodule handle)
{
    ENTER(cuModuleUnload, SIM_CURRENT);
    FIND(sim_module, module, handle, SIM_MODULE);
    sim_until_gpu(here.gpu);
    sim_module_close(module);
    return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *out, CUmodule handle, const char *name)
{
    ENTER(cuModuleGetFunction, SIM_CURRENT);
    REQUIRE_VALUE(out != NULL && name != NULL);
    FIND(sim_module, module, handle, SIM_MODULE);
    const cudasim_kernel *kernel = dlsym(module->library, name);
    if (!kernel || kernel->abi != CUDASIM_KERNEL_ABI) return CUDA_ERROR_NOT_FOUND;
    sim_function *function = calloc(1, sizeof *function + strlen(name) + 1);
    if (!function) return CUDA_ERROR_OUT_OF_MEMORY;
    strcpy(function->name, name);
    function->kernel = kernel;
    function->next = module->functions;
    module->functions = function;
    *out = sim_handle(&function->object, SIM_FUNCTION, here.gpu);
    return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function_handle, unsigned grid_x, unsigned grid_y,
                        unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
                        unsigned shared_bytes, CUstream handle, void **parameters, void **extra)
{
    ENTER(cuLaunchKernel, SIM_CURRENT);
    FIND(sim_function, function, function_handle, SIM_FUNCTION);
    FIND(sim_stream, stream, handle, SIM_STREAM);
    REQUIRE_VALUE(grid_x > 0 && grid_y > 0 && grid_z > 0 && grid_x <= 0x7fffffff);
    REQUIRE_VALUE(grid_y <= 65535 && grid_z <= 65535);
    REQUIRE_VALUE(block_x > 0 && block_y > 0 && block_z > 0 && block_z <= 64);
    REQUIRE_VALUE((uint64_t)block_x * block_y * block_z <= 1024);
    REQUIRE_VALUE(shared_bytes == 0);  // Weft's kernels declare what they share
    REQUIRE_VALUE(parameters != NULL && parameters[0] != NULL && extra == NULL);
    const cudasim_dim grid = { grid_x, grid_y, grid_z }, block = { block_x, block_y, block_z };
    return sim_launch(stream, function, grid, block, parameters[0]);
}

// --- errors ---

static const struct {
    int number;
    const char *name, *text;
} errors[] = {
    { 0, "CUDA_SUCCESS", "no error" },
    { 1, "CUDA_ERROR_INVALID_VALUE", "invalid argument" },
    { 2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory" },
    { 3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error" },
    { 46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable" },
    { 100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected" },
    { 101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal" },
    { 200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid" },
    { 201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context" },
    { 209, "CUDA_ERROR_NO_BINARY_FOR_GPU",
      "no kernel image is available for execution on the device" },
    { 214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered" },
    { 217, "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED",
      "peer access is not supported between these two devices" },
    { 304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS" },
    { 400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle" },
    { 500, "CUDA_ERROR_NOT_FOUND", "named symbol not found" },
    { 600, "CUDA_ERROR_NOT_READY", "device not ready" },
    { 700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered" },
    { 701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch" },
    { 704, "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED", "peer access is already enabled" },
    { 709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed" },
    { 719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure" },
    { 999, "CUDA_ERROR_UNKNOWN", "unknown error" },
};

static CUresult describe(CUresult error, const char **name, const char **text)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].number == error) {
            if (name) *name = errors[i].name;
            if (text) *text = errors[i].text;
            return CUDA_SUCCESS;
        }
    return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorName(CUresult error, const char **name) { return describe(error, name, NULL); }
CUresult cuGetErrorString(CUresult error, const char **text) { return describe(error, NULL, text); }

// --- what libcublas does on a stream ---

int cudasim_queue(CUstream handle, const char *call, sim_work *work, const void *argument,
                  size_t bytes, const sim_range *ranges, int nrange)
{
    ENTER(cudasim_queue, SIM_CURRENT);
    FIND(sim_stream, stream, handle, SIM_STREAM);
    sim_range own[3];
    for (int i = 0; i < nrange; i++)
        own[i] = (sim_range){ ranges[i].address, ranges[i].bytes, here.gpu };
    return sim_queue(stream, call, work, argument, bytes, own, nrange);
}
