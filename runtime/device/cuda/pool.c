// SPDX-License-Identifier: Apache-2.0
// pool - a device's memory: allocations are rounded to size classes and kept when they are given back, because the driver's own allocation and
// release cost tens of microseconds and wait for the whole GPU. The core gives memory back only when the work on it is done, so the next
// taker may use it at once, on any stream.
//
// Size classes are eighths between powers of two: at most an eighth is lost to rounding, and memory of a class fits every later taker of it,
// so churn does not leave pieces that fit nobody. When the limit or the GPU has nothing left, everything idle goes back to the driver and the
// request is made once more.
#include "device/cuda/module.h"

enum { SMALLEST = 4096, CLASSES = 8 * 40 };

typedef struct idle {
    CUdeviceptr memory;
    int64_t bytes;
    struct idle *next;
} idle;

struct wf_cuda_pool {
    pthread_mutex_t lock;
    int64_t limit;
    int64_t used, kept;  // bytes from the driver: in use, and idle
    idle *list[CLASSES];
    idle *spare;  // nodes without memory
};

// The class of BYTES, and the bytes that its members have: (8 + e) / 8 of a power of two.
static int size_class(int64_t bytes, int64_t *rounded)
{
    int64_t power = SMALLEST;
    int k = 0;
    for (; bytes > 2 * power; power *= 2) k += 8;
    const int64_t step = power / 8, eighths = bytes > power ? (bytes - power + step - 1) / step : 0;
    *rounded = power + eighths * step;
    return k + (int)eighths;
}

weft_status wf_cuda_pool_create(weft_device *device, int64_t limit)
{
    wf_cuda_pool *p = wf_cuda_host->alloc(sizeof *p);
    if (!p) return WEFT_NO_MEMORY;
    pthread_mutex_init(&p->lock, NULL);
    p->limit = limit + limit / 8 +
               (2 << 20);  // the core counts what it asked for, without what rounding adds
    device->pool = p;
    return WEFT_OK;
}

// The lock is held. Gives everything idle back to the driver.
static void empty(weft_device *device)
{
    wf_cuda_pool *p = device->pool;
    for (int k = 0; k < CLASSES; k++) {
        while (p->list[k]) {
            idle *i = p->list[k];
            p->list[k] = i->next;
            device->api->driver.free(i->memory);
            p->kept -= i->bytes;
            i->next = p->spare;
            p->spare = i;
        }
    }
}

// The lock is held.
static bool take_idle(wf_cuda_pool *p, int class, CUdeviceptr *out)
{
    idle *i = p->list[class];
    if (!i) return false;
    p->list[class] = i->next;
    p->kept -= i->bytes;
    *out = i->memory;
    i->next = p->spare;
    p->spare = i;
    return true;
}

// The lock is held.
static weft_status take_locked(weft_device *device, int class, int64_t bytes, CUdeviceptr *out)
{
    wf_cuda_pool *p = device->pool;
    if (take_idle(p, class, out)) return WEFT_OK;
    if (p->used + p->kept + bytes > p->limit) empty(device);
    if (p->used + bytes > p->limit)
        return wf_cuda_host->fail(
            WEFT_NO_MEMORY, "%s: %lld bytes do not fit beside %lld of %lld in use", device->name,
            (long long)bytes, (long long)p->used, (long long)p->limit);
    CUresult result = device->api->driver.allocate(out, (size_t)bytes);
    if (result == CUDA_ERROR_OUT_OF_MEMORY && p->kept > 0) {
        empty(device);
        result = device->api->driver.allocate(out, (size_t)bytes);
    }
    return result == CUDA_SUCCESS ? WEFT_OK : wf_cuda_fail(device, result, "allocate");
}

weft_status wf_cuda_pool_take(weft_device *device, int64_t bytes, void **out)
{
    wf_cuda_pool *p = device->pool;
    CUdeviceptr memory = 0;
    int64_t rounded;
    if (bytes < 0 || bytes > INT64_C(1) << 50)
        return wf_cuda_host->fail(WEFT_NO_MEMORY, "%s: no GPU has %lld bytes", device->name,
                                  (long long)bytes);
    const int class = size_class(bytes, &rounded);
    pthread_mutex_lock(&p->lock);
    const weft_status st = take_locked(device, class, rounded, &memory);
    if (st == WEFT_OK) p->used += rounded;
    pthread_mutex_unlock(&p->lock);
    if (st == WEFT_OK) *out = (void *)(uintptr_t)memory;
    return st;
}

// The lock is held. False: there is no memory to remember it by.
static bool keep_locked(wf_cuda_pool *p, int class, CUdeviceptr memory, int64_t bytes)
{
    idle *i = p->spare;
    if (i) p->spare = i->next;
    else i = wf_cuda_host->alloc(sizeof *i);
    if (!i) return false;
    *i = (idle){ .memory = memory, .bytes = bytes, .next = p->list[class] };
    p->list[class] = i;
    p->kept += bytes;
    return true;
}

void wf_cuda_pool_give(weft_device *device, void *memory, int64_t bytes)
{
    wf_cuda_pool *p = device->pool;
    int64_t rounded;
    if (!memory) return;
    const int class = size_class(bytes, &rounded);
    pthread_mutex_lock(&p->lock);
    p->used -= rounded;
    const bool kept = keep_locked(p, class, (CUdeviceptr)(uintptr_t)memory, rounded);
    pthread_mutex_unlock(&p->lock);
    if (!kept) device->api->driver.free((CUdeviceptr)(uintptr_t)memory);
}

void wf_cuda_pool_trim(weft_device *device)
{
    pthread_mutex_lock(&device->pool->lock);
    empty(device);
    pthread_mutex_unlock(&device->pool->lock);
}

void wf_cuda_pool_destroy(weft_device *device)
{
    wf_cuda_pool *p = device->pool;
    if (!p) return;
    empty(device);
    while (p->spare) {
        idle *i = p->spare;
        p->spare = i->next;
        wf_cuda_host->free(i);
    }
    pthread_mutex_destroy(&p->lock);
    wf_cuda_host->free(p);
    device->pool = NULL;
}
