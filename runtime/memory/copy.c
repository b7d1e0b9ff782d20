// SPDX-License-Identifier: Apache-2.0
// copy - memory of its own for one copy of a block, and bytes from any place to any other: devices,
// host buffers, disk.
// Any thread may call, without the lock of a shard. Which copy goes where is not decided here.
#include <string.h>

#include "base/alloc.h"
#include "device/arena.h"
#include "memory/block.h"

enum {
    // Host memory between two places that cannot see each other; whole spill chunks
    BOUNCE_BYTES = 4 << 20,
    MAX_EVICTIONS = 4,  // of more and more bytes, before a device that refuses is believed
};

// --- memory ---

static weft_status take_buffer(wf_store *store, int64_t bytes, void **out)
{
    weft_status st = WEFT_OK;

    wf_mutex_lock(&store->buffers_lock);
    if (!store->buffers) {
        const int64_t limit = store->host.limit < INT64_MAX ? store->host.limit : INT64_C(64) << 30;
        st = wf_arena_create(limit, &store->buffers);
    }
    wf_mutex_unlock(&store->buffers_lock);
    WF_TRY(st);
    return wf_arena_alloc(store->buffers, bytes, out);
}

// Within the budget a device may still refuse: what it rounds or caches, and what lies in pieces,
// is in the way.
weft_status wf_memory_allocate(wf_store *store, int device, int64_t bytes, void **out)
{
    if (device == DEVICE_HOST) return take_buffer(store, bytes, out);
    const wf_device *d = store->place[device].device;
    weft_status st = d->ops->allocate(d->handle, bytes, out);
    if (st != WEFT_NO_MEMORY) return st;
    if (d->ops->trim) d->ops->trim(d->handle);
    st = d->ops->allocate(d->handle, bytes, out);
    for (int tries = 0; st == WEFT_NO_MEMORY && tries < MAX_EVICTIONS; tries++) {
        wf_evict_result got = { 0, 0 };
        wf_error why;
        wf_error_take(&why);
        if (wf_evict(store, device, 1, bytes << tries, true, &got) != WEFT_OK || got.freed == 0)
            return wf_error_raise(&why);
        if (d->ops->trim) d->ops->trim(d->handle);
        st = d->ops->allocate(d->handle, bytes, out);
    }
    return st;
}

void wf_memory_release(wf_store *store, int device, void *data, int64_t bytes)
{
    if (device == DEVICE_HOST) {
        wf_arena_free(store->buffers, data, bytes);
        return;
    }
    const wf_device *d = store->place[device].device;
    d->ops->release(d->handle, data, bytes);
}

// --- streams: kept open, one in use per copy ---

static weft_status take_stream(wf_place *place, weft_stream **out)
{
    weft_stream *stream = NULL;

    wf_mutex_lock(&place->lock);
    if (place->nstreams > 0) stream = place->streams[--place->nstreams];
    wf_mutex_unlock(&place->lock);
    if (!stream) return place->device->ops->stream_open(place->device->handle, out);
    *out = stream;
    return WEFT_OK;
}

static void give_stream(wf_place *place, weft_stream *stream)
{
    wf_mutex_lock(&place->lock);
    const bool keep = place->nstreams < MAX_IDLE_STREAMS;
    if (keep) place->streams[place->nstreams++] = stream;
    wf_mutex_unlock(&place->lock);
    if (!keep) place->device->ops->stream_close(stream);
}

void wf_place_close_streams(wf_place *place)
{
    while (place->nstreams > 0) place->device->ops->stream_close(place->streams[--place->nstreams]);
}

// --- bytes ---

// Waits in any case: the buffers are the caller's again afterwards, whatever failed.
static weft_status finish(wf_place *place, weft_stream *stream, weft_status queued)
{
    const weft_status done = place->device->ops->stream_wait(stream);

    give_stream(place, stream);
    return queued != WEFT_OK ? queued : done;
}

weft_status wf_copy_out(wf_store *store, int from, const void *src, void *host, int64_t bytes)
{
    if (wf_is_visible(store, from)) {
        memcpy(host, src, (size_t)bytes);
        return WEFT_OK;
    }
    wf_place *place = &store->place[from];
    weft_stream *stream = NULL;
    WF_TRY(take_stream(place, &stream));
    wf_stats_add(store->stats, WF_STAT_BYTES_COPIED, bytes);
    return finish(place, stream, place->device->ops->copy_out(stream, host, src, bytes));
}

static weft_status copy_in(wf_store *store, const void *host, int to, void *dst, int64_t bytes)
{
    if (wf_is_visible(store, to)) {
        memcpy(dst, host, (size_t)bytes);
        return WEFT_OK;
    }
    wf_place *place = &store->place[to];
    weft_stream *stream = NULL;
    WF_TRY(take_stream(place, &stream));
    wf_stats_add(store->stats, WF_STAT_BYTES_COPIED, bytes);
    return finish(place, stream, place->device->ops->copy_in(stream, dst, host, bytes));
}

static weft_status copy_peer(wf_store *store, int from, const void *src, int to, void *dst,
                             int64_t bytes)
{
    wf_place *place = &store->place[to];
    weft_stream *stream = NULL;

    WF_TRY(take_stream(place, &stream));
    wf_stats_add(store->stats, WF_STAT_BYTES_COPIED, bytes);
    return finish(
        place, stream,
        place->device->ops->copy_peer(stream, dst, store->place[from].device->handle, src, bytes));
}

static weft_status copy_bounced(wf_store *store, int from, const char *src, int to, char *dst,
                                int64_t bytes)
{
    weft_status st = WEFT_OK;
    void *bounce = wf_alloc((size_t)(bytes < BOUNCE_BYTES ? bytes : BOUNCE_BYTES));

    if (!bounce) return WEFT_NO_MEMORY;
    for (int64_t at = 0; at < bytes && st == WEFT_OK; at += BOUNCE_BYTES) {
        const int64_t n = bytes - at < BOUNCE_BYTES ? bytes - at : BOUNCE_BYTES;
        st = wf_copy_out(store, from, src + at, bounce, n);
        if (st == WEFT_OK) st = copy_in(store, bounce, to, dst + at, n);
    }
    wf_free(bounce);
    return st;
}

weft_status wf_copy_bytes(wf_store *store, int from, const void *src, int to, void *dst,
                          int64_t bytes)
{
    if (wf_is_visible(store, from) && wf_is_visible(store, to))
        wf_stats_add(store->stats, WF_STAT_BYTES_COPIED, bytes);
    if (wf_is_visible(store, from)) return copy_in(store, src, to, dst, bytes);
    if (wf_is_visible(store, to)) return wf_copy_out(store, from, src, dst, bytes);
    const weft_device_ops *ops = store->place[to].device->ops;
    if (ops->copy_peer && ops == store->place[from].device->ops)
        return copy_peer(store, from, src, to, dst, bytes);
    return copy_bounced(store, from, src, to, dst, bytes);
}

weft_status wf_copy_from_disk(wf_store *store, const wf_extent *extent, int64_t offset,
                              int64_t bytes, int to, void *dst)
{
    wf_stats_add(store->stats, WF_STAT_BYTES_UNSPILLED, bytes);
    if (wf_is_visible(store, to)) return wf_spill_read(store->spill, extent, offset, bytes, dst);

    weft_status st = WEFT_OK;
    void *bounce = wf_alloc((size_t)(bytes < BOUNCE_BYTES ? bytes : BOUNCE_BYTES));
    if (!bounce) return WEFT_NO_MEMORY;
    for (int64_t at = 0; at < bytes && st == WEFT_OK; at += BOUNCE_BYTES) {
        const int64_t n = bytes - at < BOUNCE_BYTES ? bytes - at : BOUNCE_BYTES;
        st = wf_spill_read(store->spill, extent, offset + at, n, bounce);
        if (st == WEFT_OK) st = copy_in(store, bounce, to, (char *)dst + at, n);
    }
    wf_free(bounce);
    return st;
}
