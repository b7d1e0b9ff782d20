// SPDX-License-Identifier: Apache-2.0
// cuda - the table of CUDA devices that the module hands the core: devices, streams, events and copies. Everything else it points to stands in
// the other files of this folder. A device is a GPU's primary context and a share of its memory; several may share one GPU.
#include <stdio.h>
#include <string.h>

#include "device/cuda/module.h"

const weft_host *wf_cuda_host;

enum { DEFAULT_SHARE_PERCENT = 85, SLOTS = 4 };

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

weft_status wf_cuda_enter(weft_device *device)
{
    if (__atomic_load_n(&device->lost, __ATOMIC_RELAXED))
        return wf_cuda_host->fail(WEFT_DEVICE, "%s: the device was lost", device->name);
    WF_CUDA_CALL(device, context_set, device->context);
    return WEFT_OK;
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
    WF_CUDA_TRY(wf_cuda_enter(d));
    WF_CUDA_CALL(d, memory_info, &free, &total);
    d->memory_limit = limit > 0 ? limit : (int64_t)(free / 100 * DEFAULT_SHARE_PERCENT);
    if (d->memory_limit < 1 << 20)
        return wf_cuda_host->fail(WEFT_NO_MEMORY, "%s: only %zu bytes of its memory are free",
                                  d->name, free);
    return wf_cuda_pool_create(d, d->memory_limit);
}

static void close_device(weft_device *d)
{
    if (d->context) {
        d->api->driver.context_set(d->context);
        wf_cuda_kernels_destroy(d);
        wf_cuda_pool_destroy(d);
        d->api->driver.context_release(d->device);
    }
    wf_cuda_host->free(d);
}

static weft_status start_device(weft_device *d, int number, int64_t memory_limit)
{
    int physical = 0;
    WF_CUDA_CALL(d, device_count, &physical);
    if (physical < 1) return wf_cuda_host->fail(WEFT_NOT_FOUND, "cuda: the driver sees no GPU");
    WF_CUDA_CALL(d, device_get, &d->device, number % physical);
    describe(d);
    if (d->capability < 75)
        return wf_cuda_host->fail(WEFT_UNSUPPORTED,
                                  "%s: compute capability %d.%d; 7.5 or newer is needed", d->name,
                                  d->capability / 10, d->capability % 10);
    WF_CUDA_CALL(d, context_retain, &d->context, d->device);
    WF_CUDA_TRY(open_memory(d, memory_limit));
    return wf_cuda_kernels_create(d);
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
    const weft_status st = start_device(d, number, memory_limit);
    if (st == WEFT_OK) *out = d;
    else close_device(d);
    return st;
}

static weft_status device_info(weft_device *d, weft_device_info *out)
{
    size_t free = 0, total = 0;
    WF_CUDA_TRY(wf_cuda_enter(d));
    WF_CUDA_CALL(d, memory_info, &free, &total);
    *out = (weft_device_info){ .memory_bytes = d->memory_limit,
                               .memory_free = (int64_t)free,
                               .slots = SLOTS,
                               .kernel_class = (uint64_t)d->capability << 48 |
                                               (uint64_t)d->api->nvrtc_major << 40 |
                                               (uint64_t)d->api->nvrtc_minor << 32 | 0xc0da };
    snprintf(out->name, sizeof out->name, "%s", d->name);
    return WEFT_OK;
}

static weft_status allocate(weft_device *d, int64_t bytes, void **out)
{
    WF_CUDA_TRY(wf_cuda_enter(d));
    return wf_cuda_pool_take(d, bytes, out);
}

static void release(weft_device *d, void *memory, int64_t bytes)
{
    wf_cuda_pool_give(d, memory, bytes);
}

static void trim(weft_device *d)
{
    if (d->api->driver.context_set(d->context) == CUDA_SUCCESS) wf_cuda_pool_trim(d);
}

// --- streams and events ---

static void close_stream(weft_stream *s)
{
    if (s->device->api->driver.context_set(s->device->context) == CUDA_SUCCESS) {
        wf_cuda_staging_close(s);
        wf_cuda_gemm_close(s);
        if (s->stream) s->device->api->driver.stream_destroy(s->stream);
    }
    wf_cuda_host->free(s);
}

static weft_status start_stream(weft_stream *s)
{
    WF_CUDA_TRY(wf_cuda_enter(s->device));
    WF_CUDA_CALL(s->device, stream_create, &s->stream, CU_STREAM_NON_BLOCKING);
    return WEFT_OK;
}

static weft_status open_stream(weft_device *device, weft_stream **out)
{
    weft_stream *s = wf_cuda_host->alloc(sizeof *s);
    if (!s) return WEFT_NO_MEMORY;
    s->device = device;
    const weft_status st = start_stream(s);
    if (st == WEFT_OK) *out = s;
    else close_stream(s);
    return st;
}

static weft_status wait_stream(weft_stream *s)
{
    WF_CUDA_TRY(wf_cuda_enter(s->device));
    WF_CUDA_CALL(s->device, stream_synchronize, s->stream);
    wf_cuda_staging_drained(s);
    return WEFT_OK;
}

struct weft_event {
    weft_device *device;
    CUevent event;
};

static void close_event(weft_event *e)
{
    if (!e) return;
    if (e->event && e->device->api->driver.context_set(e->device->context) == CUDA_SUCCESS)
        e->device->api->driver.event_destroy(e->event);
    wf_cuda_host->free(e);
}

static weft_status mark(weft_stream *s, weft_event *e)
{
    WF_CUDA_TRY(wf_cuda_enter(s->device));
    WF_CUDA_CALL(s->device, event_create, &e->event, CU_EVENT_DISABLE_TIMING);
    WF_CUDA_CALL(s->device, event_record, e->event, s->stream);
    return WEFT_OK;
}

static weft_status record_event(weft_stream *s, weft_event **out)
{
    weft_event *e = wf_cuda_host->alloc(sizeof *e);
    if (!e) return WEFT_NO_MEMORY;
    e->device = s->device;
    const weft_status st = mark(s, e);
    if (st == WEFT_OK) *out = e;
    else close_event(e);
    return st;
}

static weft_status query_event(weft_event *e, bool *done)
{
    WF_CUDA_TRY(wf_cuda_enter(e->device));
    const CUresult result = e->device->api->driver.event_query(e->event);
    if (result != CUDA_SUCCESS && result != CUDA_ERROR_NOT_READY)
        return wf_cuda_fail(e->device, result, "event_query");
    *done = result == CUDA_SUCCESS;
    return WEFT_OK;
}

static weft_status wait_for_event(weft_stream *s, weft_event *e)
{
    WF_CUDA_TRY(wf_cuda_enter(s->device));
    WF_CUDA_CALL(s->device, stream_wait_event, s->stream, e->event, 0);
    return WEFT_OK;
}

// --- the table ---

static const weft_device_ops ops = {
    .abi = WEFT_PLUGIN_ABI,
    .kind = "cuda",
    .count = count_devices,
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
    .copy_in = wf_cuda_copy_in,
    .copy_out = wf_cuda_copy_out,
    .copy_peer = wf_cuda_copy_peer,
    .copy_box = wf_cuda_copy_box,
    .launch = wf_cuda_launch,
    .launch_reduce = wf_cuda_launch_reduce,
    .gemm = wf_cuda_gemm,
    .scan = wf_cuda_scan,
    .select = wf_cuda_select,
    .group = wf_cuda_group,
};

__attribute__((visibility("default"))) const weft_device_ops *weft_device_module(
    const weft_host *host)
{
    if (!host || host->abi != WEFT_PLUGIN_ABI) return NULL;
    wf_cuda_host = host;
    return &ops;
}
