// SPDX-License-Identifier: Apache-2.0
// copy - bytes between the host and the device. Pageable memory goes through two pinned buffers of the stream, so that the processor fills one
// while the GPU empties the other; the driver's own way for pageable memory is slower and waits. Small copies are left to the driver, which
// takes the bytes before the call returns.
#include <string.h>

#include "device/cuda/module.h"

enum { SMALL_COPY = 32 << 10 };

static CUdeviceptr address(const void *p) { return (CUdeviceptr)(uintptr_t)p; }

// Waits until the buffer's last copy is done, and brings what it holds for the host to its place.
static weft_status settle(weft_stream *s, wf_cuda_stage *stage)
{
    if (stage->used) WF_CUDA_CALL(s->device, event_synchronize, stage->free);
    if (stage->to) memcpy(stage->to, stage->memory, (size_t)stage->bytes);
    stage->to = NULL;
    stage->used = false;
    return WEFT_OK;
}

// The next pinned buffer, ready to be filled; WEFT_NO_MEMORY when none can be had.
static weft_status take_stage(weft_stream *s, wf_cuda_stage **out)
{
    wf_cuda_stage *stage = &s->stage[s->next_stage];
    s->next_stage = (s->next_stage + 1) % WF_CUDA_STAGES;
    if (!stage->memory) {
        void *memory = NULL;
        WF_CUDA_CALL(s->device, event_create, &stage->free, CU_EVENT_DISABLE_TIMING);
        const CUresult result =
            s->device->api->driver.host_allocate(&memory, WF_CUDA_STAGE, CU_MEMHOSTALLOC_PORTABLE);
        if (result != CUDA_SUCCESS) {
            s->device->api->driver.event_destroy(stage->free);
            stage->free = NULL;
            return wf_cuda_fail(s->device, result, "host_allocate");
        }
        stage->memory = memory;
    }
    WF_CUDA_TRY(settle(s, stage));
    *out = stage;
    return WEFT_OK;
}

static weft_status mark_used(weft_stream *s, wf_cuda_stage *stage)
{
    WF_CUDA_CALL(s->device, event_record, stage->free, s->stream);
    stage->used = true;
    return WEFT_OK;
}

weft_status wf_cuda_copy_in(weft_stream *s, void *device_dst, const void *host_src, int64_t bytes)
{
    if (bytes <= SMALL_COPY) {
        if (bytes > 0)
            WF_CUDA_CALL(s->device, copy_to_device, address(device_dst), host_src, (size_t)bytes,
                         s->stream);
        return WEFT_OK;
    }
    for (int64_t at = 0; at < bytes; at += WF_CUDA_STAGE) {
        const int64_t n = bytes - at < WF_CUDA_STAGE ? bytes - at : WF_CUDA_STAGE;
        wf_cuda_stage *stage = NULL;
        WF_CUDA_TRY(take_stage(s, &stage));
        memcpy(stage->memory, (const char *)host_src + at, (size_t)n);
        WF_CUDA_CALL(s->device, copy_to_device, address(device_dst) + (CUdeviceptr)at,
                     stage->memory, (size_t)n, s->stream);
        WF_CUDA_TRY(mark_used(s, stage));
    }
    return WEFT_OK;
}

// The last buffers are emptied when the stream is waited for.
weft_status wf_cuda_copy_out(weft_stream *s, void *host_dst, const void *device_src, int64_t bytes)
{
    for (int64_t at = 0; at < bytes; at += WF_CUDA_STAGE) {
        const int64_t n = bytes - at < WF_CUDA_STAGE ? bytes - at : WF_CUDA_STAGE;
        wf_cuda_stage *stage = NULL;
        WF_CUDA_TRY(take_stage(s, &stage));
        WF_CUDA_CALL(s->device, copy_to_host, stage->memory, address(device_src) + (CUdeviceptr)at,
                     (size_t)n, s->stream);
        stage->to = (char *)host_dst + at;
        stage->bytes = n;
        WF_CUDA_TRY(mark_used(s, stage));
    }
    return WEFT_OK;
}

void wf_cuda_staging_drained(weft_stream *s)
{
    for (int i = 0; i < WF_CUDA_STAGES; i++) {
        wf_cuda_stage *stage = &s->stage[i];
        if (stage->to) memcpy(stage->to, stage->memory, (size_t)stage->bytes);
        stage->to = NULL;
        stage->used = false;
    }
}

void wf_cuda_staging_close(weft_stream *s)
{
    for (int i = 0; i < WF_CUDA_STAGES; i++) {
        if (!s->stage[i].memory) continue;
        s->device->api->driver.host_free(s->stage[i].memory);
        s->device->api->driver.event_destroy(s->stage[i].free);
    }
}

weft_status wf_cuda_copy_peer(weft_stream *s, void *dst, weft_device *peer, const void *src,
                              int64_t bytes)
{
    if (bytes <= 0) return WEFT_OK;
    if (peer->context == s->device->context)
        WF_CUDA_CALL(s->device, copy_on_device, address(dst), address(src), (size_t)bytes,
                     s->stream);
    else
        WF_CUDA_CALL(s->device, copy_to_peer, address(dst), s->device->context, address(src),
                     peer->context, (size_t)bytes, s->stream);
    return WEFT_OK;
}
