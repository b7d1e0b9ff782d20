// SPDX-License-Identifier: Apache-2.0
// memory - device and pinned host memory: each allocation is a mapping of its own between pages that nobody may touch, poisoned when given and
// never given again, so that whatever touches memory that is freed or beyond its end is found out.
#include "sim.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

typedef struct allocation {
    struct allocation *next;
    sim_gpu *gpu;  // NULL: pinned host memory
    char *begin;   // what the caller was given
    size_t bytes;
    char *pages;  // readable; one page before and one behind are not
    size_t length;
} allocation;
static allocation *live;
static int open_count;

// Present when the program is built with AddressSanitizer; these files never are.
extern void __asan_poison_memory_region(void const volatile *, size_t) __attribute__((weak));
extern void __asan_unpoison_memory_region(void const volatile *, size_t) __attribute__((weak));
extern void *__asan_region_is_poisoned(void *, size_t) __attribute__((weak));

// Makes device memory the host's to touch, or not. Kernels and copies are not instrumented, so that AddressSanitizer never sees them.
static void shield(const allocation *a, bool closed)
{
    if (!a->gpu) return;
    if (closed && __asan_poison_memory_region) __asan_poison_memory_region(a->pages, a->length);
    if (!closed && __asan_unpoison_memory_region)
        __asan_unpoison_memory_region(a->pages, a->length);
    if (sim.protect)
        mprotect(a->pages, a->length, closed && !open_count ? PROT_NONE : PROT_READ | PROT_WRITE);
}

void sim_memory_open(void)
{
    if (open_count++ == 0 && sim.protect)
        for (allocation *a = live; a; a = a->next)
            if (a->gpu) mprotect(a->pages, a->length, PROT_READ | PROT_WRITE);
}

void sim_memory_close(void)
{
    if (--open_count == 0 && sim.protect)
        for (allocation *a = live; a; a = a->next)
            if (a->gpu) mprotect(a->pages, a->length, PROT_NONE);
}

// Bytes of A's pages that are not the caller's: still poison, or someone wrote beyond.
static bool margin_is_whole(const allocation *a)
{
    for (const char *p = a->pages; p < a->pages + a->length; p++) {
        if (p == a->begin) p += a->bytes;
        if (p < a->pages + a->length && (unsigned char)*p != SIM_POISON) return false;
    }
    return true;
}

// The end of the allocation lies as near to the page behind it as the alignment allows.
static allocation *map(sim_gpu *gpu, size_t bytes)
{
    allocation *a = calloc(1, sizeof *a);

    if (!a) return NULL;
    a->gpu = gpu, a->bytes = bytes, a->length = (bytes + PAGE - 1) / PAGE * PAGE;
    char *whole = mmap(NULL, a->length + 2 * PAGE, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    a->pages = whole + PAGE;
    if (whole == MAP_FAILED || mprotect(a->pages, a->length, PROT_READ | PROT_WRITE) != 0) {
        free(a);
        return NULL;
    }
    a->begin = a->pages + (a->length - bytes) / SIM_ALIGN * SIM_ALIGN;
    memset(a->pages, SIM_POISON, a->length);
    a->next = live;
    live = a;
    shield(a, true);
    return a;
}

// The addresses stay taken for ever; only the pages go back.
static void unmap(allocation **link)
{
    allocation *a = *link;

    shield(a, false);
    if (!margin_is_whole(a))
        sim_say("something wrote beyond the %zu bytes at %p", a->bytes, (void *)a->begin);
    mmap(a->pages, a->length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
         -1, 0);
    *link = a->next;
    free(a);
}

static allocation **find(const void *begin)
{
    allocation **link = &live;

    while (*link && (*link)->begin != begin) link = &(*link)->next;
    return link;
}

static size_t rounded(size_t bytes) { return (bytes + SIM_ALIGN - 1) / SIM_ALIGN * SIM_ALIGN; }

int sim_allocate(sim_gpu *gpu, size_t bytes, CUdeviceptr *out)
{
    if (bytes > sim.memory || rounded(bytes) > sim.memory - gpu->used)
        return CUDA_ERROR_OUT_OF_MEMORY;
    const allocation *a = map(gpu, bytes);
    if (!a) return CUDA_ERROR_OUT_OF_MEMORY;
    gpu->used += rounded(bytes);
    sim_count("bytes", (long long)rounded(bytes));
    *out = (CUdeviceptr)(uintptr_t)a->begin;
    return CUDA_SUCCESS;
}

sim_gpu *sim_owner(CUdeviceptr address)
{
    const allocation *a = *find((void *)(uintptr_t)address);

    return a ? a->gpu : NULL;
}

bool sim_free(CUdeviceptr address)
{
    allocation **link = find((void *)(uintptr_t)address);
    allocation *a = *link;

    if (!a || !a->gpu) return false;
    a->gpu->used -= rounded(a->bytes);
    sim_count("bytes", -(long long)rounded(a->bytes));
    unmap(link);
    return true;
}

int sim_host_allocate(size_t bytes, void **out)
{
    const allocation *a = map(NULL, bytes);

    if (!a) return CUDA_ERROR_OUT_OF_MEMORY;
    sim_count("host bytes", (long long)bytes);
    *out = a->begin;
    return CUDA_SUCCESS;
}

bool sim_host_free(void *memory)
{
    allocation **link = find(memory);

    if (!*link || (*link)->gpu) return false;
    sim_count("host bytes", -(long long)(*link)->bytes);
    unmap(link);
    return true;
}

const char *sim_range_wrong(const sim_range *range, char *text, size_t size)
{
    const char *p = (const char *)(uintptr_t)range->address;

    for (const allocation *a = live; a; a = a->next) {
        if (!a->gpu || p < a->begin || p >= a->begin + a->bytes) continue;
        if (a->gpu != range->gpu)
            snprintf(text, size, "%p is memory of GPU %d, not of GPU %d", (const void *)p,
                     a->gpu->number, range->gpu->number);
        else if (range->bytes > (size_t)(a->begin + a->bytes - p))
            snprintf(text, size, "%zu bytes at %p pass the end of the %zu bytes allocated at %p",
                     range->bytes, (const void *)p, a->bytes, (void *)a->begin);
        else return NULL;
        return text;
    }
    snprintf(text, size, "%p is no device memory, or no more", (const void *)p);
    return text;
}

bool sim_is_device(const void *address, size_t bytes)
{
    const char *p = address;

    for (const allocation *a = live; a; a = a->next)
        if (a->gpu && p < a->begin + a->bytes && p + bytes > a->begin) return true;
    return false;
}

void sim_memory_drop(sim_gpu *gpu)
{
    size_t bytes = 0, count = 0;

    for (allocation **link = &live; *link;) {
        if ((*link)->gpu != gpu) {
            link = &(*link)->next;
            continue;
        }
        bytes += (*link)->bytes, count++;
        if (gpu) sim_free((CUdeviceptr)(uintptr_t)(*link)->begin);
        else link = &(*link)->next;
    }
    if (!bytes || (gpu && gpu->error)) return;  // a dead GPU's memory cannot be freed
    sim_say("leak: %zu bytes in %zu allocations of %s", bytes, count,
            gpu ? "device memory" : "pinned host memory");
    sim.leaked += (long long)bytes;
}

void sim_move(void *to, const void *from, size_t bytes, const void *host)
{
    if (!__asan_region_is_poisoned) {
        memcpy(to, from, bytes);
        return;
    }
    if (host) {
        volatile char *bad = __asan_region_is_poisoned((void *)(uintptr_t)host, bytes);
        char byte;
        if (bad) memcpy(&byte, (void *)(uintptr_t)bad, 1);  // AddressSanitizer's own report
    }
#if defined(__x86_64__)
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
#else
    for (size_t i = 0; i < bytes; i++) ((volatile char *)to)[i] = ((const char *)from)[i];
#endif
}
