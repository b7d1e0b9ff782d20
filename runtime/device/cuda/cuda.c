// SPDX-License-Identifier: Apache-2.0
// cuda - the table of CUDA devices that the module hands the core: devices, streams, events and copies. Everything else it points to stands in
// the other files of this folder. A device is a GPU's primary context and a share of its memory; several may share one GPU.
#include <stdio.h>
#include <string.h>

#include "device/cuda/module.h"

const weft_host *wf_cuda_host;

enum { DEFAULT_SHARE_PERCENT = 85, LEAST_WORKSPACE = 4 << 20 };

// Bytes that the core may fill: a workspace of cuBLAS for every task in flight, and for one on the caller's thread, are set aside.
static int64_t memory_for_blocks(const weft_device *d)
{
    return d->memory_limit - (WF_CUDA_SLOTS + 1) * d->workspace;
}

// --- errors ---

// Errors after which every later call in the context fails as well.
static bool is_sticky(CUresult result)
{
    switch (result) {
    case 4:    // CUDA_ERROR_DEINITIALIZED
    case 214:  // ECC_UNCORRECTABLE
    case 220:  // NVLINK_UNCORRECTABLE
    case 700:  // ILLEGAL_ADDRESS
    case 702:  // LAUNCH_TIMEOUT
    case 709:  // CONTEXT_IS_DESTROYED
    case 710:  // ASSERT
    case 714:  // HARDWARE_STACK_ERROR
    case 715:  // ILLEGAL_INSTRUCTION
    case 716:  // MISALIGNED_ADDRESS
    case 717:  // INVALID_ADDRESS_SPACE
    case 718:  // INVALID_PC
    case 719:  // LAUNCH_FAILED
    case 721:  // CONTAINED
        return true;
    default: return false;
    }
}

weft_status wf_cuda_fail(weft_device *device, CUresult result, const char *call)
{
    const char *name = NULL, *text = NULL;
    if (result == CUDA_ERROR_OUT_OF_MEMORY)
        return wf_cuda_host->fail(WEFT_NO_MEMORY, "%s: the GPU has no memory left", device->name);
    if (is_sticky(result)) __atomic_store_n(&device->lost, 1, __ATOMIC_RELAXED);
    device->api->driver.error_name(result, &name);
    device->api->driver.error_text(result, &text);
    return wf_cuda_host->fail(WEFT_DEVICE, "%s: %s: %s (%s)", device->name, call,
                              text ? text : "unknown error", name ? name : "?");
}

// --- the context: the calling thread gets its own back, for it may be the host program's ---

static weft_status set_context(weft_device *device, CUcontext *before)
{
    WF_CUDA_CALL(device, context_get, before);
    if (*before != device->context) WF_CUDA_CALL(device, context_set, device->context);
    return WEFT_OK;
}

static weft_status enter(weft_device *device, CUcontext *before)
{
    if (__atomic_load_n(&device->lost, __ATOMIC_RELAXED))
        return wf_cuda_host->fail(WEFT_DEVICE, "%s: the device was lost", device->name);
    return set_context(device, before);
}

static weft_status leave(weft_device *device, CUcontext before, weft_status st)
{
    if (before != device->context) device->api->driver.context_set(before);
    return st;
}

// --- devices ---

static int count_devices(void)
{
    const char *why;
    const wf_cuda_api *api = wf_cuda_api_find(&why);
    int n = 0;
    return api && api->driver.device_count(&n) == CUDA_SUCCESS ? n : 0;
}

static int attribute(const weft_device *device, int which)
{
    int value = 0;
    return device->api->driver.device_attribute(&value, which, device->device) == CUDA_SUCCESS
               ? value
               : 0;
}

static void describe(weft_device *d)
{
    char model[64] = "GPU";
    d->api->driver.device_name(model, sizeof model, d->device);
    d->capability = 10 * attribute(d, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) +
                    attribute(d, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    d->processors = attribute(d, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    snprintf(d->name, sizeof d->name, "cuda%d: %s", d->number, model);
}

static weft_status open_memory(weft_device *d, int64_t limit)
{
    size_t free = 0, total = 0;
    WF_CUDA_CALL(d, memory_info, &free, &total);
    d->memory_limit = limit > 0 ? limit : (int64_t)(free / 100 * DEFAULT_SHARE_PERCENT);
    if (d->memory_limit < 1 << 20)
        return wf_cuda_host->fail(WEFT_NO_MEMORY, "%s: only %zu bytes of its memory are free",
                                  d->name, free);
    d->workspace = d->memory_limit / 64;  // too small ones are left to cuBLAS
    if (d->workspace > WF_CUDA_WORKSPACE) d->workspace = WF_CUDA_WORKSPACE;
    if (d->workspace < LEAST_WORKSPACE) d->workspace = 0;
    return wf_cuda_pool_create(d, d->memory_limit);
}

static void close_device(weft_device *d)
{
    CUcontext before;
    if (d->context && set_context(d, &before) == WEFT_OK) {
        wf_cuda_kernels_destroy(d);
        wf_cuda_pool_destroy(d);
        leave(d, before, WEFT_OK);
        d->api->driver.context_release(d->device);
    }
    wf_cuda_host->free(d);
}

static weft_status open_context(weft_device *d, int64_t memory_limit)
{
    CUcontext before;
    WF_CUDA_CALL(d, context_retain, &d->context, d->device);
    WF_CUDA_TRY(enter(d, &before));
    weft_status st = open_memory(d, memory_limit);
    if (st == WEFT_OK) st = wf_cuda_kernels_create(d);
    return leave(d, before, st);
}

static weft_status start_device(weft_device *d, int64_t memory_limit)
{
    int physical = 0;
    WF_CUDA_CALL(d, device_count, &physical);
    if (physical < 1) return wf_cuda_host->fail(WEFT_NOT_FOUND, "cuda: the driver sees no GPU");
    WF_CUDA_CALL(d, device_get, &d->device, d->number % physical);
    describe(d);
    if (d->capability < 75)
        return wf_cuda_host->fail(WEFT_UNSUPPORTED,
                                  "%s: compute capability %d.%d; 7.5 or newer is needed", d->name,
                                  d->capability / 10, d->capability % 10);
    return open_context(d, memory_limit);
}

// Numbers beyond the GPUs there are open further devices on the same GPUs.
static weft_status open_device(int number, int64_t memory_limit, int threads, weft_device **out)
{
    const char *why;
    const wf_cuda_api *api = wf_cuda_api_find(&why);
    (void)threads;
    if (!api) return wf_cuda_host->fail(WEFT_NOT_FOUND, "cuda: %s", why);
    weft_device *d = wf_cuda_host->alloc(sizeof *d);
    if (!d) return WEFT_NO_MEMORY;
    d->api = api;
    d->number = number;
    snprintf(d->name, sizeof d->name, "cuda%d", number);
    const weft_status st = start_device(d, memory_limit);
    if (st == WEFT_OK) *out = d;
    else close_device(d);
    return st;
}

static weft_status read_info(weft_device *d, weft_device_info *out)
{
    size_t free = 0, total = 0;
    WF_CUDA_CALL(d, memory_info, &free, &total);
    *out = (weft_device_info){ .memory_bytes = memory_for_blocks(d),
                               .memory_free = (int64_t)free,
                               .slots = WF_CUDA_SLOTS,
                               .kernel_class = (uint64_t)d->capability << 48 |
                                               (uint64_t)d->api->nvrtc_major << 40 |
                                               (uint64_t)d->api->nvrtc_minor << 32 | 0xc0da };
    snprintf(out->name, sizeof out->name, "%s", d->name);
    return WEFT_OK;
}

static weft_status device_info(weft_device *d, weft_device_info *out)
{
    CUcontext before;
    WF_CUDA_TRY(enter(d, &before));
    return leave(d, before, read_info(d, out));
}

static weft_status allocate(weft_device *d, int64_t bytes, void **out)
{
    CUcontext before;
    WF_CUDA_TRY(enter(d, &before));
    return leave(d, before, wf_cuda_pool_take(d, bytes, out));
}

static void release(weft_device *d, void *memory, int64_t bytes)
{
    CUcontext before;
    if (set_context(d, &before) != WEFT_OK) return;
    wf_cuda_pool_give(d, memory, bytes);
    leave(d, before, WEFT_OK);
}

static void trim(weft_device *d)
{
    CUcontext before;
    if (set_context(d, &before) != WEFT_OK) return;
    wf_cuda_pool_trim(d);
    leave(d, before, WEFT_OK);
}

// --- streams ---

static void close_stream(weft_stream *s)
{
    CUcontext before;
    if (set_context(s->device, &before) == WEFT_OK) {
        wf_cuda_staging_close(s);
        wf_cuda_gemm_close(s);
        if (s->stream) s->device->api->driver.stream_destroy(s->stream);
        leave(s->device, before, WEFT_OK);
    }
    wf_cuda_host->free(s);
}

static weft_status start_stream(weft_stream *s)
{
    WF_CUDA_CALL(s->device, stream_create, &s->stream, CU_STREAM_NON_BLOCKING);
    return WEFT_OK;
}

static weft_status open_stream(weft_device *device, weft_stream **out)
{
    CUcontext before;
    WF_CUDA_TRY(enter(device, &before));
    weft_stream *s = wf_cuda_host->alloc(sizeof *s);
    if (!s) return leave(device, before, WEFT_NO_MEMORY);
    s->device = device;
    const weft_status st = leave(device, before, start_stream(s));
    if (st == WEFT_OK) *out = s;
    else close_stream(s);
    return st;
}

static weft_status drain(weft_stream *s)
{
    WF_CUDA_CALL(s->device, stream_synchronize, s->stream);
    wf_cuda_staging_drained(s);
    return WEFT_OK;
}

static weft_status wait_stream(weft_stream *s)
{
    CUcontext before;
    WF_CUDA_TRY(enter(s->device, &before));
    return leave(s->device, before, drain(s));
}

// --- events ---

struct weft_event {
    weft_device *device;
    CUevent event;
};

static void close_event(weft_event *e)
{
    CUcontext before;
    if (!e) return;
    if (e->event && set_context(e->device, &before) == WEFT_OK) {
        e->device->api->driver.event_destroy(e->event);
        leave(e->device, before, WEFT_OK);
    }
    wf_cuda_host->free(e);
}

static weft_status mark(weft_stream *s, weft_event *e)
{
    WF_CUDA_CALL(s->device, event_create, &e->event, CU_EVENT_DISABLE_TIMING);
    WF_CUDA_CALL(s->device, event_record, e->event, s->stream);
    return WEFT_OK;
}

static weft_status record_event(weft_stream *s, weft_event **out)
{
    CUcontext before;
    WF_CUDA_TRY(enter(s->device, &before));
    weft_event *e = wf_cuda_host->alloc(sizeof *e);
    if (!e) return leave(s->device, before, WEFT_NO_MEMORY);
    e->device = s->device;
    const weft_status st = leave(s->device, before, mark(s, e));
    if (st == WEFT_OK) *out = e;
    else close_event(e);
    return st;
}

static weft_status ask_event(weft_event *e, bool *done)
{
    const CUresult result = e->device->api->driver.event_query(e->event);
    if (result != CUDA_SUCCESS && result != CUDA_ERROR_NOT_READY)
        return wf_cuda_fail(e->device, result, "event_query");
    *done = result == CUDA_SUCCESS;
    return WEFT_OK;
}

static weft_status query_event(weft_event *e, bool *done)
{
    CUcontext before;
    WF_CUDA_TRY(enter(e->device, &before));
    return leave(e->device, before, ask_event(e, done));
}

static weft_status follow(weft_stream *s, weft_event *e)
{
    WF_CUDA_CALL(s->device, stream_wait_event, s->stream, e->event, 0);
    return WEFT_OK;
}

static weft_status wait_for_event(weft_stream *s, weft_event *e)
{
    CUcontext before;
    WF_CUDA_TRY(enter(s->device, &before));
    return leave(s->device, before, follow(s, e));
}

// --- work ---

static weft_status copy_in(weft_stream *s, void *device_dst, const void *host_src, int64_t bytes)
{
    CUcontext before;
    WF_CUDA_TRY(enter(s->device, &before));
    return leave(s->device, before, wf_cuda_copy_in(s, device_dst, host_src, bytes));
}

static weft_status copy_out(weft_stream *s, void *host_dst, const void *device_src, int64_t bytes)
{
    CUcontext before;
    WF_CUDA_TRY(enter(s->device, &before));
    return leave(s->device, before, wf_cuda_copy_out(s, host_dst, device_src, bytes));
}

static weft_status copy_peer(weft_stream *s, void *dst, weft_device *peer, const void *src,
                             int64_t bytes)
{
    CUcontext before;
    WF_CUDA_TRY(enter(s->device, &before));
    return leave(s->device, before, wf_cuda_copy_peer(s, dst, peer, src, bytes));
}

static weft_status copy_box(weft_stream *s, const weft_copy_box *copy)
{
    CUcontext before;
    WF_CUDA_TRY(enter(s->device, &before));
    return leave(s->device, before, wf_cuda_copy_box(s, copy));
}

static weft_status launch(weft_stream *s, const wf_launch *launch)
{
    CUcontext before;
    WF_CUDA_TRY(enter(s->device, &before));
    return leave(s->device, before, wf_cuda_launch(s, launch));
}

static weft_status gemm(weft_stream *s, const weft_gemm *gemm)
{
    CUcontext before;
    WF_CUDA_TRY(enter(s->device, &before));
    return leave(s->device, before, wf_cuda_gemm(s, gemm));
}

static weft_status launch_reduce(weft_stream *s, const wf_reduce_launch *launch)
{
    CUcontext before;
    WF_CUDA_TRY(enter(s->device, &before));
    return leave(s->device, before, wf_cuda_launch_reduce(s, launch));
}

static weft_status combine(weft_stream *s, const weft_combine *combine)
{
    CUcontext before;
    WF_CUDA_TRY(enter(s->device, &before));
    return leave(s->device, before, wf_cuda_combine(s, combine));
}

static weft_status scan(weft_stream *s, const weft_scan *scan)
{
    CUcontext before;
    WF_CUDA_TRY(enter(s->device, &before));
    return leave(s->device, before, wf_cuda_scan(s, scan));
}

static weft_status select_true(weft_stream *s, const weft_select *select)
{
    CUcontext before;
    WF_CUDA_TRY(enter(s->device, &before));
    return leave(s->device, before, wf_cuda_select(s, select));
}

static weft_status group(weft_stream *s, const weft_group *group)
{
    CUcontext before;
    WF_CUDA_TRY(enter(s->device, &before));
    return leave(s->device, before, wf_cuda_group(s, group));
}

// --- the table ---

static const weft_device_ops ops = {
    .abi = WEFT_PLUGIN_ABI,
    .kind = "cuda",
    .count = count_devices,
    .shares = true,
    .open = open_device,
    .close = close_device,
    .info = device_info,
    .allocate = allocate,
    .release = release,
    .trim = trim,
    .stream_open = open_stream,
    .stream_close = close_stream,
    .stream_wait = wait_stream,
    .event_record = record_event,
    .event_query = query_event,
    .stream_after = wait_for_event,
    .event_close = close_event,
    .copy_in = copy_in,
    .copy_out = copy_out,
    .copy_peer = copy_peer,
    .copy_box = copy_box,
    .launch = launch,
    .launch_reduce = launch_reduce,
    .gemm = gemm,
    .combine = combine,
    .scan = scan,
    .select = select_true,
    .group = group,
    .report = wf_cuda_report,
};

__attribute__((visibility("default"))) const weft_device_ops *weft_device_module(
    const weft_host *host)
{
    if (!host || host->abi != WEFT_PLUGIN_ABI) return NULL;
    wf_cuda_host = host;
    return &ops;
}
