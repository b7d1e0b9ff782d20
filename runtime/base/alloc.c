// SPDX-License-Identifier: Apache-2.0
// alloc - the C heap behind one hook: a countdown that makes one chosen allocation fail, and counts
// for leak checks. The counters are relaxed and lie on separate cache lines: they are read only
// when nothing runs.
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// No object of ours is larger: the size is a product that went wrong, and sanitizers abort on it.
#define LARGEST ((size_t)1 << 39)

static struct {
    _Alignas(64) atomic_int_fast64_t tried;  // every allocation and resize, failed ones included
    _Alignas(64) atomic_int_fast64_t freed;
    _Alignas(64)
        atomic_int_fast64_t neutral;   // tries that made no new object: resizes and failures
    atomic_int_fast64_t countdown;     // 0: off; 1: the next try fails
    atomic_int_fast64_t tried_before;  // `tried` at the last wf_alloc_fail_at
} counts;

static void count(atomic_int_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

// Counts one try; false when it is the one that must fail, or asks for too much.
static bool may_allocate(size_t size)
{
    int_fast64_t left = atomic_load_explicit(&counts.countdown, memory_order_relaxed);

    count(&counts.tried);
    while (left > 0)
        if (atomic_compare_exchange_weak_explicit(&counts.countdown, &left, left - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
            return left != 1 && size <= LARGEST;
    return size <= LARGEST;
}

static void *fail_memory(size_t size)
{
    count(&counts.neutral);
    wf_fail(WEFT_NO_MEMORY, "out of host memory: wanted %zu bytes", size);
    return NULL;
}

void *wf_alloc(size_t size)
{
    void *p = may_allocate(size) ? calloc(1, size ? size : 1) : NULL;
    return p ? p : fail_memory(size);
}

void *wf_calloc(size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes)) {
        wf_fail(WEFT_NO_MEMORY, "out of host memory: wanted %zu times %zu bytes", n, size);
        return NULL;
    }
    return wf_alloc(bytes);
}

void *wf_realloc(void *old, size_t size)
{
    void *p = may_allocate(size) ? realloc(old, size ? size : 1) : NULL;
    if (!p) return fail_memory(size);
    if (old) count(&counts.neutral);
    return p;
}

char *wf_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = wf_alloc(size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

char *wf_format(const char *fmt, ...)
{
    va_list args, again;
    char *text = NULL;

    va_start(args, fmt);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, fmt, args);
    if (length < 0) wf_fail(WEFT_INTERNAL, "wf_format: the C library refused \"%s\"", fmt);
    else text = wf_alloc((size_t)length + 1);
    if (text) vsnprintf(text, (size_t)length + 1, fmt, again);
    va_end(again);
    va_end(args);
    return text;
}

void wf_free(void *p)
{
    if (!p) return;
    count(&counts.freed);
    free(p);
}

int64_t wf_alloc_fail_at(int64_t n)
{
    int64_t tried = atomic_load(&counts.tried);

    atomic_store(&counts.countdown, n);
    return tried - atomic_exchange(&counts.tried_before, tried);
}

int64_t wf_alloc_live(void)
{
    return atomic_load(&counts.tried) - atomic_load(&counts.neutral) - atomic_load(&counts.freed);
}

weft_status wf_grow(void *items_ptr, int64_t *capacity, int64_t want, size_t item)
{
    void *items;
    size_t bytes;

    if (want <= *capacity) return WEFT_OK;
    int64_t next = *capacity < INT64_MAX / 2 ? *capacity * 2 : want;
    if (next < want) next = want;
    if (next < 8) next = 8;
    if (__builtin_mul_overflow((size_t)next, item, &bytes))
        return wf_fail(WEFT_NO_MEMORY, "out of host memory: wanted %" PRId64 " times %zu bytes",
                       next, item);

    memcpy(&items, items_ptr, sizeof items);  // the caller's pointer has its own type
    items = wf_realloc(items, bytes);
    if (!items) return WEFT_NO_MEMORY;
    memset((char *)items + (size_t)*capacity * item, 0, (size_t)(next - *capacity) * item);
    memcpy(items_ptr, &items, sizeof items);
    *capacity = next;
    return WEFT_OK;
}
