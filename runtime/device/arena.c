// SPDX-License-Identifier: Apache-2.0
// arena - the host memory of a CPU device: one reservation of address space, cut into runs of
// pages.
// Any thread may call; one mutex guards the lists and is never held over a system call.
//
// Every page belongs to a run, and a run is in one state: used; hot (freed lately, not merged, so
// that the next request of its size gets pages that caches and page tables still know); touched
// (free, pages present) or clean (free, no pages). Touched and clean runs merge with neighbours of
// their own state and lie in lists by size. Memory is touched and given back in whole steps of 2
// MiB (less in a small arena), so that huge pages stay whole and what is counted as touched is what
// the machine gave; only when that is not enough to stay under the limit are smaller holes given
// back too. Descriptions of runs are kept beside the memory, in a map of one tag per page of which
// only the first and last page of a run are ever written: the map of untouched space costs nothing.
//
// Holes are fought with room: sixteen times the limit is reserved, which costs nothing, and small
// runs are kept out of large free ones while they can be.
//
// Rejected: exact-size caches over mmap (a workload with drifting sizes touches everything anew),
// and a heap allocator with huge blocks passed to mmap (64 MiB blocks would fault on every use).
#include "device/arena.h"

#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/thread.h"

enum {
    PAGE = 4096,
    NBIN = 256,       // size classes: eight per power of two
    NHOT = 16,        // recently freed runs kept whole
    MAX_PROBES = 32,  // runs looked at in a class that holds both fitting and too small ones
    SPREAD = 16,      // address space reserved, in limits
    FINE = 2,         // pages: the smallest hole worth a system call under pressure
};
#define MAX_STEP ((int64_t)2 << 20)
#define MAX_RESERVE ((int64_t)8 << 40)  // page numbers are 32-bit
#define NONE UINT32_MAX

enum run_state { RUN_USED, RUN_HOT, RUN_TOUCHED, RUN_CLEAN };

// Valid at the first and (pages and state only) the last page of a run.
typedef struct tag {
    uint32_t pages, state;
    uint32_t prev, next;  // in its list, while touched or clean
} tag;

typedef struct bins {
    uint64_t filled[NBIN / 64];
    uint32_t head[NBIN];
} bins;

struct wf_arena {
    wf_mutex lock;
    char *base;
    tag *map;
    size_t map_bytes;
    int64_t npages, limit;  // pages
    int64_t step;           // pages
    int64_t used, cached;   // pages; cached: hot or touched, or being given back
    int64_t wanted;         // pages that threads are about to take from clean space
    int nhot;
    uint32_t hot[NHOT];  // first pages, the latest last
    bins touched, clean;
};

static int bin_of(int64_t pages)
{
    if (pages < 8) return (int)pages;
    const int top = 63 - __builtin_clzll((unsigned long long)pages);
    return (top - 2) * 8 + (int)((pages >> (top - 3)) & 7);
}

static void set_run(wf_arena *arena, int64_t first, int64_t pages, enum run_state state)
{
    arena->map[first].pages = arena->map[first + pages - 1].pages = (uint32_t)pages;
    arena->map[first].state = arena->map[first + pages - 1].state = state;
}

static bins *bins_of(wf_arena *arena, enum run_state state)
{
    return state == RUN_CLEAN ? &arena->clean : &arena->touched;
}

static void list_push(wf_arena *arena, bins *list, int64_t first)
{
    tag *run = &arena->map[first];
    const int bin = bin_of(run->pages);

    run->prev = NONE;
    run->next = list->head[bin];
    if (run->next != NONE) arena->map[run->next].prev = (uint32_t)first;
    list->head[bin] = (uint32_t)first;
    list->filled[bin / 64] |= UINT64_C(1) << (bin % 64);
}

static void list_remove(wf_arena *arena, bins *list, int64_t first)
{
    const tag *run = &arena->map[first];
    const int bin = bin_of(run->pages);

    if (run->next != NONE) arena->map[run->next].prev = run->prev;
    if (run->prev != NONE) arena->map[run->prev].next = run->next;
    else list->head[bin] = run->next;
    if (list->head[bin] == NONE) list->filled[bin / 64] &= ~(UINT64_C(1) << (bin % 64));
}

// Makes [first, first + pages) a free run of STATE, merged with its free neighbours of that state.
static void insert_free(wf_arena *arena, int64_t first, int64_t pages, enum run_state state)
{
    bins *list = bins_of(arena, state);

    if (pages == 0) return;
    if (first > 0 && arena->map[first - 1].state == state) {
        const int64_t before = arena->map[first - 1].pages;
        list_remove(arena, list, first - before);
        first -= before;
        pages += before;
    }
    const int64_t end = first + pages;
    if (end < arena->npages && arena->map[end].state == state) {
        list_remove(arena, list, end);
        pages += arena->map[end].pages;
    }
    set_run(arena, first, pages, state);
    list_push(arena, list, first);
}

// Finds a run of at least PAGES, and of a class not above that of MOST: the smallest class that has
// one. -1: none.
static int64_t find_fit(wf_arena *arena, const bins *list, int64_t pages, int64_t most)
{
    const int last = bin_of(most);
    int bin = bin_of(pages), probes = 0;

    for (uint32_t run = list->head[bin]; run != NONE && probes < MAX_PROBES;
         run = arena->map[run].next, probes++)
        if (arena->map[run].pages >= pages) return run;
    for (bin++; bin < NBIN; bin = (bin / 64 + 1) * 64) {
        const uint64_t word = list->filled[bin / 64] >> (bin % 64);
        if (!word) continue;
        bin += __builtin_ctzll(word);
        return bin <= last ? (int64_t)list->head[bin] : -1;
    }
    return -1;
}

static void flush_hot(wf_arena *arena)
{
    while (arena->nhot > 0) {
        const uint32_t run = arena->hot[--arena->nhot];
        insert_free(arena, run, arena->map[run].pages, RUN_TOUCHED);
    }
}

static int64_t take_hot(wf_arena *arena, int64_t pages)
{
    for (int i = arena->nhot - 1; i >= 0; i--) {
        const uint32_t run = arena->hot[i];
        if (arena->map[run].pages != pages) continue;
        memmove(&arena->hot[i], &arena->hot[i + 1],
                (size_t)(arena->nhot - i - 1) * sizeof arena->hot[0]);
        arena->nhot--;
        arena->cached -= pages;
        return run;
    }
    return -1;
}

static int64_t take_touched(wf_arena *arena, int64_t pages, int64_t most)
{
    const int64_t run = find_fit(arena, &arena->touched, pages, most);

    if (run < 0) return -1;
    const int64_t have = arena->map[run].pages;
    list_remove(arena, &arena->touched, run);
    set_run(arena, run, pages, RUN_USED);
    insert_free(arena, run + pages, have - pages, RUN_TOUCHED);
    arena->cached -= pages;
    return run;
}

// Takes whole steps from clean space, behind the free touched run that ends where they begin, if
// one does (blocks of odd sizes pack without gaps). What the last step has too much is free and
// counts as touched.
static int64_t take_clean(wf_arena *arena, int64_t pages)
{
    const int64_t most = (pages + arena->step - 1) / arena->step * arena->step;
    int64_t run = find_fit(arena, &arena->clean, most, arena->npages), lead = 0;

    if (run < 0) return -1;
    const int64_t have = arena->map[run].pages;
    if (run > 0 && arena->map[run - 1].state == RUN_TOUCHED && arena->map[run - 1].pages < pages)
        lead = arena->map[run - 1].pages;
    const int64_t want = (pages - lead + arena->step - 1) / arena->step * arena->step;
    list_remove(arena, &arena->clean, run);
    if (lead > 0) list_remove(arena, &arena->touched, run - lead);
    set_run(arena, run - lead, lead + want, RUN_USED);
    insert_free(arena, run + want, have - want, RUN_CLEAN);
    set_run(arena, run - lead, pages, RUN_USED);
    insert_free(arena, run - lead + pages, lead + want - pages, RUN_TOUCHED);
    arena->cached += want - pages;  // LEAD was cached before
    return run - lead;
}

// Takes at most WANT pages, in aligned multiples of GRAIN pages, out of the free touched runs, the
// largest run first.
static int64_t take_purge(wf_arena *arena, int64_t want, int64_t grain, int64_t *out_pages)
{
    const int64_t most = (want + grain - 1) / grain * grain;

    for (int bin = NBIN - 1; bin >= bin_of(grain); bin--)
        for (uint32_t run = arena->touched.head[bin]; run != NONE; run = arena->map[run].next) {
            const int64_t end = run + (int64_t)arena->map[run].pages;
            const int64_t first = (run + grain - 1) / grain * grain;
            int64_t pages = end / grain * grain - first;
            if (pages <= 0) continue;
            if (pages > most) pages = most;
            list_remove(arena, &arena->touched, run);
            set_run(arena, first, pages, RUN_USED);
            insert_free(arena, run, first - run, RUN_TOUCHED);
            insert_free(arena, first + pages, end - first - pages, RUN_TOUCHED);
            *out_pages = pages;
            return first;
        }
    return -1;
}

// Gives back up to WANT free pages. Called with the lock held, which it lets go over the system
// call. False: none left.
static bool purge_locked(wf_arena *arena, int64_t want, int64_t grain)
{
    int64_t pages = 0;

    flush_hot(arena);
    const int64_t first = take_purge(arena, want, grain, &pages);
    if (first < 0) return false;
    wf_mutex_unlock(&arena->lock);
    // A kernel that refuses leaves the pages present: they are free all the same, only counted
    // wrongly.
    (void)madvise(arena->base + first * PAGE, (size_t)(pages * PAGE), MADV_DONTNEED);
    wf_mutex_lock(&arena->lock);
    insert_free(arena, first, pages, RUN_CLEAN);
    arena->cached -= pages;
    return true;
}

// Gives back cached pages until what all threads want could be used within the limit, or nothing is
// left to give.
static void stay_under_limit(wf_arena *arena)
{
    int64_t grain = arena->step;

    for (;;) {
        const int64_t over = arena->used + arena->cached + arena->wanted - arena->limit;
        if (over <= 0) return;
        if (purge_locked(arena, over, grain)) continue;
        if (grain == FINE) return;
        grain = FINE;
    }
}

static int64_t take_locked(wf_arena *arena, int64_t pages)
{
    const bool room = arena->used + arena->cached + arena->step <= arena->limit;
    const int64_t most = pages < arena->step && room ? 2 * arena->step : arena->npages;
    int64_t run = take_hot(arena, pages);

    if (run < 0) run = take_touched(arena, pages, most);
    if (run < 0 && arena->nhot > 0) {
        flush_hot(arena);
        run = take_touched(arena, pages, most);
    }
    if (run >= 0) return run;
    arena->wanted += (pages + arena->step - 1) / arena->step * arena->step;
    stay_under_limit(arena);
    arena->wanted -= (pages + arena->step - 1) / arena->step * arena->step;
    do run = take_clean(arena, pages);
    while (run < 0 && purge_locked(arena, arena->npages, 1));
    return run >= 0 ? run : take_touched(arena, pages, arena->npages);
}

weft_status wf_arena_alloc(wf_arena *arena, int64_t bytes, void **out)
{
    if (bytes < 0 || bytes > arena->npages * PAGE)
        return wf_fail(WEFT_NO_MEMORY,
                       "arena: wanted %" PRId64 " bytes, %" PRId64 " is all there is", bytes,
                       arena->npages * PAGE);
    const int64_t pages = bytes == 0 ? 1 : (bytes + PAGE - 1) / PAGE;
    wf_mutex_lock(&arena->lock);
    const int64_t run = take_locked(arena, pages);
    if (run >= 0) {
        arena->map[run].state = arena->map[run + pages - 1].state = RUN_USED;
        arena->used += pages;
    }
    const int64_t used = arena->used;
    wf_mutex_unlock(&arena->lock);
    if (run < 0)
        return wf_fail(WEFT_NO_MEMORY,
                       "arena: no room for %" PRId64 " bytes in one piece (%" PRId64 " of %" PRId64
                       " in use)",
                       bytes, used * PAGE, arena->npages * PAGE);
    *out = arena->base + run * PAGE;
    return WEFT_OK;
}

void wf_arena_free(wf_arena *arena, void *memory, int64_t bytes)
{
    if (!memory) return;
    const int64_t pages = bytes == 0 ? 1 : (bytes + PAGE - 1) / PAGE;
    const int64_t first = ((char *)memory - arena->base) / PAGE;

    wf_mutex_lock(&arena->lock);
    WF_ASSERT(arena->map[first].state == RUN_USED && arena->map[first].pages == pages);
    if (arena->nhot == NHOT) {
        const uint32_t oldest = arena->hot[0];
        memmove(&arena->hot[0], &arena->hot[1], (NHOT - 1) * sizeof arena->hot[0]);
        arena->nhot--;
        insert_free(arena, oldest, arena->map[oldest].pages, RUN_TOUCHED);
    }
    set_run(arena, first, pages, RUN_HOT);
    arena->hot[arena->nhot++] = (uint32_t)first;
    arena->used -= pages;
    arena->cached += pages;
    stay_under_limit(arena);  // used memory may have passed the limit by rounding
    wf_mutex_unlock(&arena->lock);
}

void wf_arena_trim(wf_arena *arena)
{
    wf_mutex_lock(&arena->lock);
    while (purge_locked(arena, arena->npages, 1)) {}
    wf_mutex_unlock(&arena->lock);
}

int64_t wf_arena_used(wf_arena *arena)
{
    wf_mutex_lock(&arena->lock);
    const int64_t pages = arena->used;
    wf_mutex_unlock(&arena->lock);
    return pages * PAGE;
}

int64_t wf_arena_touched(wf_arena *arena)
{
    wf_mutex_lock(&arena->lock);
    const int64_t pages = arena->used + arena->cached;
    wf_mutex_unlock(&arena->lock);
    return pages * PAGE;
}

// Maps BYTES of lazily backed memory aligned to ALIGN; NULL when the machine refuses.
static char *map_space(int64_t bytes, int64_t align)
{
    char *space = mmap(NULL, (size_t)(bytes + align), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (space == MAP_FAILED) return NULL;
    char *base =
        (char *)(((uintptr_t)space + (uintptr_t)align - 1) / (uintptr_t)align * (uintptr_t)align);
    if (base > space) munmap(space, (size_t)(base - space));
    if (base < space + align) munmap(base + bytes, (size_t)(space + align - base));
    return base;
}

static int64_t step_for(int64_t limit)
{
    int64_t step = MAX_STEP;

    while (step > 65536 && step > limit / 64) step /= 2;
    return step;
}

// Reserves as much of SPREAD limits as the machine (RLIMIT_AS, strict overcommit) lets us have, at
// least about one.
static weft_status reserve_space(wf_arena *arena, int64_t limit, int64_t step)
{
    int64_t bytes = limit < MAX_RESERVE / SPREAD ? limit * SPREAD : MAX_RESERVE;

    if (bytes < 64 * MAX_STEP) bytes = 64 * MAX_STEP;
    // Refused once, it asks for a quarter: the stacks of threads and the libraries need room too.
    for (;; bytes = bytes / 4 < limit ? bytes / 2 : bytes / 4) {
        bytes = (bytes + step - 1) / step * step;
        arena->base = map_space(bytes, MAX_STEP);
        if (arena->base) break;
        if (bytes < limit || bytes < 4 * step)
            return wf_fail(WEFT_NO_MEMORY,
                           "arena: cannot reserve address space for %" PRId64 " bytes", limit);
    }
    arena->npages = bytes / PAGE;
    arena->map_bytes = (size_t)arena->npages * sizeof(tag);
    arena->map = (tag *)map_space((int64_t)(arena->map_bytes + PAGE - 1) / PAGE * PAGE, PAGE);
    if (arena->map) return WEFT_OK;
    munmap(arena->base, (size_t)bytes);
    return wf_fail(WEFT_NO_MEMORY, "arena: cannot reserve %zu bytes for its page map",
                   arena->map_bytes);
}

weft_status wf_arena_create(int64_t limit, wf_arena **out)
{
    if (limit < 1)
        return wf_fail(WEFT_INVALID, "arena: limit must be >= 1 byte, got %" PRId64, limit);
    wf_arena *arena = wf_alloc(sizeof *arena);
    if (!arena) return WEFT_NO_MEMORY;
    const int64_t step = step_for(limit);
    const weft_status st = reserve_space(arena, limit, step);
    if (st != WEFT_OK) {
        wf_free(arena);
        return st;
    }
#ifdef MADV_HUGEPAGE
    // A wish; not in a small arena, where a page of 2 MiB faulted for a few bytes would be more than the budget says.
    if (limit >= 256 * MAX_STEP)
        (void)madvise(arena->base, (size_t)(arena->npages * PAGE), MADV_HUGEPAGE);
#endif
    wf_mutex_init(&arena->lock);
    arena->limit = limit / PAGE;
    arena->step = step / PAGE;
    memset(arena->touched.head, 0xff, sizeof arena->touched.head);
    memset(arena->clean.head, 0xff, sizeof arena->clean.head);
    insert_free(arena, 0, arena->npages, RUN_CLEAN);
    *out = arena;
    return WEFT_OK;
}

void wf_arena_destroy(wf_arena *arena)
{
    if (!arena) return;
    munmap(arena->base, (size_t)(arena->npages * PAGE));
    munmap(arena->map, (arena->map_bytes + PAGE - 1) / PAGE * PAGE);
    wf_mutex_fini(&arena->lock);
    wf_free(arena);
}
