// SPDX-License-Identifier: Apache-2.0
// cpu - the CPU device's ops table: opening and closing, memory within a limit, and the calls that do the work. A device
// has no threads and no queue: whoever calls does the work, so a stream is only a place to name the device.
// Several virtual devices may be open at once, each with an arena and a limit of its own.
#include "device/cpu/cpu.h"
#include "device/cpu/special.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/machine.h"
#include "base/thread.h"
#include "device/arena.h"
#include "device/cpu/blas.h"
#include "device/cpu/scratch.h"
#include "device/device.h"

#define PAGE 4096  // the arena rounds to it

struct weft_device {
    const wf_kernel_table *table;
    wf_arena *arena;
    int64_t limit;
    _Atomic int64_t used;
    int number, threads;
};

struct weft_stream {
    weft_device *device;
};

static wf_mutex open_lock = WF_MUTEX_INIT;
static int open_count;
static char isa_limit[16];

void wf_cpu_device_limit_isa(const char *name)
{
    wf_mutex_lock(&open_lock);
    snprintf(isa_limit, sizeof isa_limit, "%s", name ? name : "");
    wf_mutex_unlock(&open_lock);
}

const char *wf_cpu_blas_name(void) { return wf_blas_get()->name; }

static int count_devices(void) { return 1; }

static void fill_device(weft_device *device, int number, int64_t memory_limit, int threads)
{
    wf_machine machine;

    wf_machine_probe(&machine);
    device->number = number;
    device->threads = threads > 0 ? threads : machine.cpus;
    device->limit = memory_limit > 0 ? memory_limit : machine.memory_limit / 2;
    if (device->limit <= 0) device->limit = (int64_t)1 << 30;
}

static weft_status open_device(int number, int64_t memory_limit, int threads, weft_device **out)
{
    if (number < 0 || memory_limit < 0 || threads < 0)
        return wf_fail(WEFT_INVALID,
                       "cpu: number, memory limit and threads must be >= 0, got %d, %" PRId64
                       " and %d",
                       number, memory_limit, threads);
    weft_device *device = wf_alloc(sizeof *device);
    if (!device) return WEFT_NO_MEMORY;
    fill_device(device, number, memory_limit, threads);
    weft_status st = wf_arena_create(device->limit, &device->arena);
    if (st != WEFT_OK) {
        wf_free(device);
        return st;
    }
    wf_mutex_lock(&open_lock);
    device->table = wf_kernels(isa_limit[0] ? isa_limit : NULL);
    open_count++;
    wf_mutex_unlock(&open_lock);
    *out = device;
    return WEFT_OK;
}

static void close_device(weft_device *device)
{
    if (!device) return;
    wf_mutex_lock(&open_lock);
    if (--open_count == 0) wf_scratch_free_all();
    wf_mutex_unlock(&open_lock);
    wf_arena_destroy(device->arena);
    wf_free(device);
}

static void read_model(char *out, size_t bytes)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");

    snprintf(out, bytes, "CPU");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (!colon || strncmp(line, "model name", 10) != 0) continue;
        snprintf(out, bytes, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file) fclose(file);
}

static weft_status device_info(weft_device *device, weft_device_info *out)
{
    weft_device_info info = { .memory_bytes = device->limit,
                              .host_visible = true,
                              .slots = device->threads };
    int64_t used = atomic_load(&device->used);
    char model[48];

    read_model(model, sizeof model);
    snprintf(info.name, sizeof info.name, "cpu%d: %s, %d thread%s, %s", device->number, model,
             device->threads, device->threads == 1 ? "" : "s", device->table->name);
    info.memory_free = used < device->limit ? device->limit - used : 0;
    info.kernel_class = wf_hash_u64(wf_hash_text(0, device->table->name), wf_blas_identity());
    *out = info;
    return WEFT_OK;
}

static int64_t rounded(int64_t bytes)
{
    return bytes < 1 ? PAGE : (bytes + PAGE - 1) / PAGE * PAGE;
}

static weft_status allocate(weft_device *device, int64_t bytes, void **out)
{
    if (bytes < 0 || bytes > device->limit)
        return wf_fail(WEFT_NO_MEMORY, "cpu%d: %" PRId64 " bytes wanted, the limit is %" PRId64,
                       device->number, bytes, device->limit);
    int64_t size = rounded(bytes), used = atomic_fetch_add(&device->used, size);
    // The last page of a limit that is no multiple of a page may be used.
    weft_status st =
        used + size > rounded(device->limit)
            ? wf_fail(WEFT_NO_MEMORY,
                      "cpu%d: %" PRId64 " bytes wanted, %" PRId64 " of %" PRId64 " are in use",
                      device->number, bytes, used, device->limit)
            : wf_arena_alloc(device->arena, size, out);
    if (st != WEFT_OK) atomic_fetch_sub(&device->used, size);
    return st;
}

static void release(weft_device *device, void *memory, int64_t bytes)
{
    if (!memory) return;
    wf_arena_free(device->arena, memory, rounded(bytes));
    atomic_fetch_sub(&device->used, rounded(bytes));
}

static void trim(weft_device *device) { wf_arena_trim(device->arena); }

static weft_status stream_open(weft_device *device, weft_stream **out)
{
    weft_stream *stream = wf_alloc(sizeof *stream);
    if (!stream) return WEFT_NO_MEMORY;
    stream->device = device;
    *out = stream;
    return WEFT_OK;
}

static void stream_close(weft_stream *stream) { wf_free(stream); }

static weft_status stream_wait(weft_stream *stream)
{
    (void)stream;  // everything was done when it was asked for
    return WEFT_OK;
}

static weft_status copy_bytes(weft_stream *stream, void *to, const void *from, int64_t bytes)
{
    (void)stream;
    if (bytes > 0) memcpy(to, from, (size_t)bytes);
    return WEFT_OK;
}

static weft_status copy_peer(weft_stream *stream, void *to, weft_device *peer, const void *from,
                             int64_t bytes)
{
    (void)peer;
    return copy_bytes(stream, to, from, bytes);
}

static weft_status copy_box(weft_stream *stream, const weft_copy_box *copy)
{
    return wf_copy_box_run(stream->device->table, copy);
}

static weft_status fill(weft_stream *stream, void *to, unsigned char value, int64_t bytes)
{
    (void)stream;
    if (bytes > 0) memset(to, value, (size_t)bytes);
    return WEFT_OK;
}

static weft_status launch(weft_stream *stream, const wf_launch *launch)
{
    return wf_map_launch(stream->device->table, launch);
}

static weft_status launch_reduce(weft_stream *stream, const wf_reduce_launch *launch)
{
    return wf_reduce_run(stream->device->table, launch);
}

static weft_status gemm(weft_stream *stream, const weft_gemm *gemm)
{
    return wf_gemm_run(stream->device->table, gemm);
}

static weft_status combine(weft_stream *stream, const weft_combine *combine)
{
    return wf_combine_run(stream->device->table, combine);
}

static weft_status scan(weft_stream *stream, const weft_scan *scan)
{
    return wf_scan_run(stream->device->table, scan);
}

static weft_status select_true(weft_stream *stream, const weft_select *select)
{
    (void)stream;
    return wf_select_run(select);
}

static weft_status group(weft_stream *stream, const weft_group *group)
{
    return wf_group_run(stream->device->table, group);
}

static int64_t launch_scratch(weft_device *device, const wf_launch *launch)
{
    return wf_map_scratch(device->table, launch);
}

const weft_device_ops *wf_cpu_device_ops(void)
{
    static const weft_device_ops ops = {
        .abi = WEFT_PLUGIN_ABI,
        .kind = "cpu",
        .count = count_devices,
        .open = open_device,
        .close = close_device,
        .info = device_info,
        .allocate = allocate,
        .release = release,
        .trim = trim,
        .stream_open = stream_open,
        .stream_close = stream_close,
        .stream_wait = stream_wait,
        .copy_in = copy_bytes,
        .copy_out = copy_bytes,
        .copy_peer = copy_peer,
        .copy_box = copy_box,
        .fill = fill,
        .launch = launch,
        .launch_reduce = launch_reduce,
        .gemm = gemm,
        .combine = combine,
        .scan = scan,
        .select = select_true,
        .group = group,
        .launch_scratch = launch_scratch,
    };
    return &ops;
}
