// SPDX-License-Identifier: Apache-2.0
// hidden_device - a device for tests, as a module like any other: libweft_hidden.so, kind "hidden".
// The CPU's kernels do the work, but the host cannot touch the memory: addresses carry a tag above
// the bits that a processor takes, so that any access by the host faults; every address a call
// names is checked to lie in memory that this very device gave out, and host memory to be none of
// it. Fresh memory holds rubbish. Work is queued, and done as late as the contract allows: when the
// stream is waited for; so a buffer that is reused or freed too early spoils the answer, or is
// found out by AddressSanitizer.
//
// WEFT_DEV_HIDDEN, read when a device is opened, makes it behave worse; entries joined by ";":
//     slots=N              tasks at once (2)
//     count=N              devices there are (8)
//     unsupported=A,B      these slots answer WEFT_UNSUPPORTED: launch, launch_reduce, gemm,
//                          combine, scan, select, group
//     die=D@N              device D fails, for ever, with its N-th piece of work
//     now=1                work is done at once
// WEFT_DEV_HIDDEN_ABSENT=fill,copy_peer,copy_boxes, read when the module is loaded: these slots are
// NULL.
#include "hidden_device.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array/dtype.h"
#include "device/device.h"

#define EXPORT __attribute__((visibility("default")))

enum { TAG = 0x50, DEFAULT_LIMIT = 256 << 20, UNUSED = 0xa5 };

typedef struct piece {  // memory given out
    uintptr_t at;
    int64_t bytes;
} piece;

struct weft_device {
    weft_device *cpu;
    int number, slots;
    int64_t limit, used;
    char unsupported[128];
    int64_t dies_at, worked;
    bool late, dead;
    pthread_mutex_t lock;
    int64_t npiece, capacity;
    piece *piece;  // by address
};

enum work_kind { COPY, FILL, BOX, LAUNCH, REDUCE, GEMM, COMBINE, SCAN, SELECT, GROUP };

typedef struct work {
    struct work *next;
    enum work_kind kind;
    struct {
        void *to;
        const void *from;
        int64_t bytes;
        unsigned char value;
    } bytes;
    union {
        weft_copy_box box;
        wf_launch launch;
        wf_reduce_launch reduce;
        weft_gemm gemm;
        weft_combine combine;
        weft_scan scan;
        weft_select select;
        weft_group group;
    } as;
    // Of launches, which point here
    wf_program program;
    wf_operand in[WF_PROGRAM_MAX_INPUTS], out[WF_PROGRAM_MAX_OUTPUTS];
    wf_scalar *param;
    wf_reducer reducer[WF_PROGRAM_MAX_OUTPUTS];
} work;

struct weft_stream {
    weft_device *device;
    weft_stream *cpu;
    work *first, **last;
};

static const weft_host *host;
static weft_hidden_counts counts;

static void count(int64_t *counter, int64_t n) { __atomic_add_fetch(counter, n, __ATOMIC_RELAXED); }

EXPORT void weft_hidden_get_counts(weft_hidden_counts *out) { *out = counts; }
EXPORT void weft_hidden_reset_counts(void)
{
    counts = (weft_hidden_counts){ .live_bytes = counts.live_bytes };
}

// --- addresses ---

static uintptr_t tag_of(const weft_device *d)
{
    return (uintptr_t)(TAG << 8 | (d->number + 1)) << 48;
}

static bool is_tagged(const void *p) { return (uintptr_t)p >> 56 == TAG; }

// The last piece that begins at AT or before; -1.
static int64_t find_piece(const weft_device *d, uintptr_t at)
{
    int64_t lo = 0, hi = d->npiece;
    while (lo < hi) {
        int64_t mid = (lo + hi) / 2;
        if (d->piece[mid].at <= at) lo = mid + 1;
        else hi = mid;
    }
    return lo - 1;
}

static bool is_ours(weft_device *d, uintptr_t at, int64_t lo, int64_t hi)
{
    pthread_mutex_lock(&d->lock);
    int64_t i = find_piece(d, at);
    bool ours = i >= 0 && at + (uintptr_t)lo >= d->piece[i].at &&
                at + (uintptr_t)hi <= d->piece[i].at + (uintptr_t)d->piece[i].bytes;
    pthread_mutex_unlock(&d->lock);
    return ours;
}

// *P, of which bytes LO..HI around it will be used, becomes an address that the CPU's kernels can
// use.
static weft_status reveal(weft_device *d, const char *what, void *p, int64_t lo, int64_t hi)
{
    uintptr_t at;
    memcpy(&at, p, sizeof at);
    if (lo >= hi) return WEFT_OK;  // nothing will be touched
    if ((at ^ tag_of(d)) >> 48 != 0 || !is_ours(d, at ^ tag_of(d), lo, hi)) {
        count(&counts.wrong, 1);
        return host->fail(WEFT_INTERNAL,
                          "hidden%d: %s: bytes %+" PRId64 "..%+" PRId64
                          " of %p are no memory of this device",
                          d->number, what, lo, hi, (void *)at);
    }
    at ^= tag_of(d);
    memcpy(p, &at, sizeof at);
    return WEFT_OK;
}

static weft_status check_host(weft_device *d, const char *what, const void *p)
{
    if (!is_tagged(p)) return WEFT_OK;
    count(&counts.wrong, 1);
    return host->fail(WEFT_INTERNAL, "hidden%d: %s: %p is no host memory", d->number, what, p);
}

// The bytes around its first element that a tile of strided memory takes.
typedef struct extent {
    int64_t lo, hi;
} extent;

static extent span(int ndim, const int64_t *n, const int64_t *stride, int64_t item)
{
    extent e = { 0, item };
    for (int a = 0; a < ndim; a++) {
        if (n[a] <= 0) return (extent){ 0, 0 };
        int64_t reach = (n[a] - 1) * stride[a];
        if (reach < 0) e.lo += reach;
        else e.hi += reach;
    }
    return e;
}

#define REVEAL(d, what, pointer, ndim, n, stride, item)                  \
    do {                                                                 \
        extent e_ = span((ndim), (n), (stride), (int64_t)(item));        \
        weft_status st_ = reveal((d), (what), &(pointer), e_.lo, e_.hi); \
        if (st_ != WEFT_OK) return st_;                                  \
    } while (0)

// --- memory ---

static weft_status fail_dead(const weft_device *d)
{
    return host->fail(WEFT_DEVICE, "hidden%d: the device has stopped answering", d->number);
}

static bool is_dead(const weft_device *d) { return __atomic_load_n(&d->dead, __ATOMIC_ACQUIRE); }

static weft_status add_piece(weft_device *d, uintptr_t at, int64_t bytes)
{
    if (d->npiece == d->capacity) {
        d->capacity = d->capacity ? 2 * d->capacity : 64;
        d->piece = realloc(d->piece, (size_t)d->capacity * sizeof *d->piece);
        if (!d->piece) abort();
    }
    int64_t i = find_piece(d, at) + 1;
    memmove(d->piece + i + 1, d->piece + i, (size_t)(d->npiece - i) * sizeof *d->piece);
    d->piece[i] = (piece){ at, bytes };
    d->npiece++;
    return WEFT_OK;
}

static weft_status allocate(weft_device *d, int64_t bytes, void **out)
{
    if (is_dead(d)) return fail_dead(d);
    pthread_mutex_lock(&d->lock);
    bool fits = bytes <= d->limit - d->used;
    if (fits) d->used += bytes;
    int64_t used = d->used, peak = __atomic_load_n(&counts.peak_bytes, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&d->lock);
    while (peak < used && !__atomic_compare_exchange_n(&counts.peak_bytes, &peak, used, true,
                                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    if (!fits)
        return host->fail(WEFT_NO_MEMORY,
                          "hidden%d: %" PRId64 " bytes wanted, %" PRId64 " of %" PRId64
                          " are in use",
                          d->number, bytes, used, d->limit);
    size_t size = (size_t)(bytes < 1 ? 64 : (bytes + 63) / 64 * 64);
    void *p = aligned_alloc(64, size);
    if (!p) abort();
    memset(p, UNUSED, size);
    pthread_mutex_lock(&d->lock);
    add_piece(d, (uintptr_t)p, bytes);
    pthread_mutex_unlock(&d->lock);
    count(&counts.live_bytes, bytes);
    *out = (void *)((uintptr_t)p ^ tag_of(d));
    return WEFT_OK;
}

static void release(weft_device *d, void *memory, int64_t bytes)
{
    if (!memory) return;
    uintptr_t at = (uintptr_t)memory ^ tag_of(d);
    pthread_mutex_lock(&d->lock);
    int64_t i = find_piece(d, at);
    if (i < 0 || d->piece[i].at != at || d->piece[i].bytes != bytes) {
        fprintf(stderr, "hidden%d: released %p, %lld bytes, which it never gave\n", d->number,
                memory, (long long)bytes);
        abort();
    }
    memmove(d->piece + i, d->piece + i + 1, (size_t)(d->npiece - i - 1) * sizeof *d->piece);
    d->npiece--;
    d->used -= bytes;
    pthread_mutex_unlock(&d->lock);
    count(&counts.live_bytes, -bytes);
    free((void *)at);
}

// --- opening ---

// What WEFT_DEV_HIDDEN says of KEY: copied to OUT; false: nothing.
static bool find_setting(const char *key, char *out, size_t size)
{
    const char *text = getenv("WEFT_DEV_HIDDEN");
    size_t n = strlen(key);
    for (; text && *text; text += strcspn(text, ";"), text += *text == ';') {
        text += strspn(text, " ");
        if (strncmp(text, key, n) != 0 || text[n] != '=') continue;
        snprintf(out, size, "%.*s", (int)strcspn(text + n + 1, ";"), text + n + 1);
        return true;
    }
    return false;
}

static int number_setting(const char *key, int otherwise)
{
    char text[32];
    return find_setting(key, text, sizeof text) ? atoi(text) : otherwise;
}

static int count_devices(void) { return number_setting("count", 8); }

static weft_status open_device(int number, int64_t limit, int threads, weft_device **out)
{
    int dying = -1;
    long long at = 0;
    char text[64];
    (void)threads;
    weft_device *d = calloc(1, sizeof *d);
    if (!d) abort();
    d->number = number;
    d->limit = limit > 0 ? limit : DEFAULT_LIMIT;
    d->slots = number_setting("slots", 2);
    d->late = number_setting("now", 0) == 0;
    find_setting("unsupported", d->unsupported, sizeof d->unsupported);
    if (find_setting("die", text, sizeof text) && sscanf(text, "%d@%lld", &dying, &at) == 2 &&
        dying == number)
        d->dies_at = at;
    pthread_mutex_init(&d->lock, NULL);
    weft_status st = wf_cpu_device_ops()->open(0, 1 << 20, 1, &d->cpu);
    if (st != WEFT_OK) {
        free(d);
        return host->fail(st, "%s", wf_last_error());
    }
    *out = d;
    return WEFT_OK;
}

static void close_device(weft_device *d)
{
    if (d->npiece > 0) {
        fprintf(stderr, "hidden%d: closed with %lld pieces of memory not released\n", d->number,
                (long long)d->npiece);
        abort();
    }
    wf_cpu_device_ops()->close(d->cpu);
    pthread_mutex_destroy(&d->lock);
    free(d->piece);
    free(d);
}

static weft_status device_info(weft_device *d, weft_device_info *out)
{
    weft_device_info info;
    if (is_dead(d)) return fail_dead(d);
    weft_status st = wf_cpu_device_ops()->info(d->cpu, &info);
    if (st != WEFT_OK) return host->fail(st, "%s", wf_last_error());
    snprintf(info.name, sizeof info.name, "hidden%d: memory that the host cannot see", d->number);
    info.memory_bytes = d->limit;
    pthread_mutex_lock(&d->lock);
    info.memory_free = d->limit - d->used;
    pthread_mutex_unlock(&d->lock);
    info.host_visible = false;
    info.slots = d->slots;
    *out = info;
    return WEFT_OK;
}

// --- doing the work ---

static weft_status do_work(weft_stream *s, work *w)
{
    const weft_device_ops *cpu = wf_cpu_device_ops();
    switch (w->kind) {
    case COPY: memcpy(w->bytes.to, w->bytes.from, (size_t)w->bytes.bytes); return WEFT_OK;
    case FILL: memset(w->bytes.to, w->bytes.value, (size_t)w->bytes.bytes); return WEFT_OK;
    case BOX: return cpu->copy_box(s->cpu, &w->as.box);
    case LAUNCH: return cpu->launch(s->cpu, &w->as.launch);
    case REDUCE: return cpu->launch_reduce(s->cpu, &w->as.reduce);
    case GEMM: return cpu->gemm(s->cpu, &w->as.gemm);
    case COMBINE: return cpu->combine(s->cpu, &w->as.combine);
    case SCAN: return cpu->scan(s->cpu, &w->as.scan);
    case SELECT: return cpu->select(s->cpu, &w->as.select);
    case GROUP: return cpu->group(s->cpu, &w->as.group);
    }
    return WEFT_INTERNAL;
}

static void free_work(work *w)
{
    free(w->program.instr);
    free(w->program.input);
    free(w->program.output);
    free(w->program.instr_register);
    free(w->param);
    free(w);
}

// Everything queued; nothing of it once the device is dead.
static weft_status drain(weft_stream *s)
{
    weft_status st = WEFT_OK;
    while (s->first) {
        work *w = s->first;
        s->first = w->next;
        if (st == WEFT_OK && !is_dead(s->device)) {
            st = do_work(s, w);
            if (st != WEFT_OK) host->fail(st, "%s", wf_last_error());
        }
        free_work(w);
    }
    s->last = &s->first;
    return is_dead(s->device) ? fail_dead(s->device) : st;
}

static weft_status stream_open(weft_device *d, weft_stream **out)
{
    if (is_dead(d)) return fail_dead(d);
    weft_stream *s = calloc(1, sizeof *s);
    if (!s) abort();
    s->device = d;
    s->last = &s->first;
    if (wf_cpu_device_ops()->stream_open(d->cpu, &s->cpu) != WEFT_OK) abort();
    *out = s;
    return WEFT_OK;
}

static void stream_close(weft_stream *s)
{
    (void)drain(s);
    wf_cpu_device_ops()->stream_close(s->cpu);
    free(s);
}

// --- events: a mark that is reached at once ---

static weft_status event_record(weft_stream *s, weft_event **out)
{
    *out = (weft_event *)s->device;
    return drain(s);
}
static weft_status event_query(weft_event *event, bool *done)
{
    (void)event;
    *done = true;
    return WEFT_OK;
}
static weft_status stream_after(weft_stream *s, weft_event *event)
{
    (void)event;
    return is_dead(s->device) ? fail_dead(s->device) : WEFT_OK;
}
static void event_close(weft_event *event) { (void)event; }

// --- queueing it ---

static bool is_listed(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = list; (p = strstr(p, name)); p += n)
        if ((p == list || p[-1] == ',') && (p[n] == 0 || p[n] == ',')) return true;
    return false;
}

// Whether the slot NAME does anything now.
static weft_status begin(weft_stream *s, const char *name)
{
    weft_device *d = s->device;
    if (is_dead(d)) return fail_dead(d);
    if (is_listed(d->unsupported, name))
        return host->fail(WEFT_UNSUPPORTED, "hidden%d: no %s today", d->number, name);
    if (d->dies_at > 0 && __atomic_add_fetch(&d->worked, 1, __ATOMIC_RELAXED) >= d->dies_at) {
        __atomic_store_n(&d->dead, true, __ATOMIC_RELEASE);
        return fail_dead(d);
    }
    return WEFT_OK;
}

static work *new_work(enum work_kind kind)
{
    work *w = calloc(1, sizeof *w);
    if (!w) abort();
    w->kind = kind;
    return w;
}

// Takes W. ST: what checking it gave.
static weft_status queue(weft_stream *s, work *w, weft_status st)
{
    if (st != WEFT_OK) {
        free_work(w);
        return st;
    }
    *s->last = w;
    s->last = &w->next;
    return s->device->late ? WEFT_OK : drain(s);
}

#define BEGIN(s, name)                           \
    do {                                         \
        weft_status begun_ = begin((s), (name)); \
        if (begun_ != WEFT_OK) return begun_;    \
    } while (0)

static weft_status queue_copy(weft_stream *s, void *to, const void *from, int64_t bytes)
{
    work *w = new_work(COPY);
    w->bytes.to = to;
    w->bytes.from = from;
    w->bytes.bytes = bytes;
    return queue(s, w, WEFT_OK);
}

static weft_status copy_in(weft_stream *s, void *to, const void *from, int64_t bytes)
{
    BEGIN(s, "copy_in");
    weft_status st = check_host(s->device, "copy_in", from);
    if (st == WEFT_OK) st = reveal(s->device, "copy_in", &to, 0, bytes);
    if (st != WEFT_OK) return st;
    count(&counts.copies_in, 1);
    count(&counts.bytes_in, bytes);
    return queue_copy(s, to, from, bytes);
}

static weft_status copy_out(weft_stream *s, void *to, const void *from, int64_t bytes)
{
    BEGIN(s, "copy_out");
    weft_status st = check_host(s->device, "copy_out", to);
    if (st == WEFT_OK) st = reveal(s->device, "copy_out", &from, 0, bytes);
    if (st != WEFT_OK) return st;
    count(&counts.copies_out, 1);
    count(&counts.bytes_out, bytes);
    return queue_copy(s, to, from, bytes);
}

static weft_status copy_peer(weft_stream *s, void *to, weft_device *peer, const void *from,
                             int64_t bytes)
{
    BEGIN(s, "copy_peer");
    if (is_dead(peer)) return fail_dead(peer);
    weft_status st = reveal(s->device, "copy_peer", &to, 0, bytes);
    if (st == WEFT_OK) st = reveal(peer, "copy_peer", &from, 0, bytes);
    if (st != WEFT_OK) return st;
    count(&counts.copies_peer, 1);
    return queue_copy(s, to, from, bytes);
}

static weft_status fill(weft_stream *s, void *to, unsigned char value, int64_t bytes)
{
    BEGIN(s, "fill");
    weft_status st = reveal(s->device, "fill", &to, 0, bytes);
    if (st != WEFT_OK) return st;
    work *w = new_work(FILL);
    w->bytes.to = to;
    w->bytes.value = value;
    w->bytes.bytes = bytes;
    count(&counts.fills, 1);
    return queue(s, w, WEFT_OK);
}

static weft_status reveal_box(weft_device *d, weft_copy_box *c)
{
    REVEAL(d, "copy_box", c->in, c->ndim, c->count, c->in_stride, c->item);
    REVEAL(d, "copy_box", c->out, c->ndim, c->count, c->out_stride, c->item);
    return WEFT_OK;
}

static weft_status copy_box(weft_stream *s, const weft_copy_box *copy)
{
    BEGIN(s, "copy_box");
    work *w = new_work(BOX);
    w->as.box = *copy;
    count(&counts.boxes, 1);
    return queue(s, w, reveal_box(s->device, &w->as.box));
}

// N boxes of one shape: as many pieces of work, queued by one call.
static weft_status copy_boxes(weft_stream *s, const weft_copy_box *shape, int64_t n,
                              void *const *out, const void *const *in)
{
    BEGIN(s, "copy_boxes");
    count(&counts.boxes, 1);
    for (int64_t i = 0; i < n; i++) {
        work *w = new_work(BOX);
        w->as.box = *shape;
        w->as.box.out = out[i];
        w->as.box.in = in[i];
        weft_status st = queue(s, w, reveal_box(s->device, &w->as.box));
        if (st != WEFT_OK) return st;
    }
    return WEFT_OK;
}

static void *duplicate(const void *from, size_t count, size_t item)
{
    void *p = malloc(count * item + 1);
    if (!p) abort();
    if (count) memcpy(p, from, count * item);
    return p;
}

// The work's own copy of all that LAUNCH points to but outputs; they are borrowed for the call
// only.
static weft_status take_launch(weft_device *d, work *w, wf_launch *l)
{
    const wf_program *p = l->program;
    w->program = *p;
    w->program.instr = duplicate(p->instr, (size_t)p->ninstr, sizeof *p->instr);
    w->program.input = duplicate(p->input, (size_t)p->ninput, sizeof *p->input);
    w->program.output = duplicate(p->output, (size_t)p->noutput, sizeof *p->output);
    w->program.instr_register =
        duplicate(p->instr_register, (size_t)p->ninstr, sizeof *p->instr_register);
    w->param = duplicate(l->param, (size_t)p->nparam, sizeof *l->param);
    memcpy(w->in, l->in, (size_t)p->ninput * sizeof *l->in);
    l->program = &w->program;
    l->param = w->param;
    l->in = w->in;
    for (int i = 0; i < p->ninput; i++)
        if (!p->input[i].counter)
            REVEAL(d, "launch", w->in[i].data, l->ndim, l->count, w->in[i].stride,
                   wf_dtype_size((weft_dtype)p->input[i].dtype));
    return WEFT_OK;
}

static weft_status take_outputs(weft_device *d, work *w)
{
    wf_launch *l = &w->as.launch;
    memcpy(w->out, l->out, (size_t)w->program.noutput * sizeof *l->out);
    l->out = w->out;
    for (int i = 0; i < w->program.noutput; i++)
        REVEAL(d, "launch", w->out[i].data, l->ndim, l->count, w->out[i].stride,
               wf_dtype_size((weft_dtype)w->program.output[i].dtype));
    return WEFT_OK;
}

static weft_status launch(weft_stream *s, const wf_launch *launch)
{
    BEGIN(s, "launch");
    work *w = new_work(LAUNCH);
    w->as.launch = *launch;
    count(&counts.launches, 1);
    weft_status st = take_launch(s->device, w, &w->as.launch);
    if (st == WEFT_OK) st = take_outputs(s->device, w);
    return queue(s, w, st);
}

static int64_t cells(int64_t n, int64_t cell) { return cell > 1 ? (n + cell - 1) / cell : n; }

static int field_count(int op)
{
    return op == WF_REDUCE_MOMENTS || op == WF_REDUCE_NANMOMENTS ? 3
           : op >= WF_REDUCE_ARGMIN && op <= WF_REDUCE_NANARGMAX ? 2
                                                                 : 1;
}

static weft_status take_reducers(weft_device *d, work *w)
{
    wf_reduce_launch *r = &w->as.reduce;
    int64_t n[WEFT_MAX_NDIM];
    memcpy(w->reducer, r->reducer, (size_t)r->nreducer * sizeof *r->reducer);
    r->reducer = w->reducer;
    for (int a = 0; a < r->map.ndim; a++) n[a] = cells(r->map.count[a], r->cell[a]);
    for (int k = 0; k < r->nreducer; k++)
        for (int f = 0; f < field_count(w->reducer[k].op); f++)
            REVEAL(d, "launch_reduce", w->reducer[k].field[f].data, r->map.ndim, n,
                   w->reducer[k].field[f].stride, 1);
    return WEFT_OK;
}

static weft_status launch_reduce(weft_stream *s, const wf_reduce_launch *launch)
{
    BEGIN(s, "launch_reduce");
    work *w = new_work(REDUCE);
    w->as.reduce = *launch;
    count(&counts.launches, 1);
    weft_status st = take_launch(s->device, w, &w->as.reduce.map);
    if (st == WEFT_OK) st = take_reducers(s->device, w);
    return queue(s, w, st);
}

static weft_status reveal_gemm(weft_device *d, weft_gemm *g)
{
    int64_t item = (int64_t)wf_dtype_size(g->dtype);
    REVEAL(d, "gemm", g->a, 2, ((int64_t[]){ g->m, g->k }),
           ((int64_t[]){ g->a_row * item, g->a_col * item }), item);
    REVEAL(d, "gemm", g->b, 2, ((int64_t[]){ g->k, g->n }),
           ((int64_t[]){ g->b_row * item, g->b_col * item }), item);
    REVEAL(d, "gemm", g->out, 2, ((int64_t[]){ g->m, g->n }),
           ((int64_t[]){ g->out_row * item, item }), item);
    return WEFT_OK;
}

static weft_status gemm(weft_stream *s, const weft_gemm *gemm)
{
    BEGIN(s, "gemm");
    work *w = new_work(GEMM);
    w->as.gemm = *gemm;
    count(&counts.launches, 1);
    return queue(s, w, reveal_gemm(s->device, &w->as.gemm));
}

static weft_status reveal_combine(weft_device *d, weft_combine *c)
{
    int64_t n[WEFT_MAX_NDIM];
    for (int a = 0; a < c->ndim; a++) n[a] = cells(c->count[a], c->cell[a]);
    for (int f = 0; f < c->nfield; f++) {
        REVEAL(d, "combine", c->in[f], c->ndim, c->count, c->in_stride[f], 1);
        REVEAL(d, "combine", c->out[f], c->ndim, n, c->out_stride[f], 1);
    }
    return WEFT_OK;
}

static weft_status combine(weft_stream *s, const weft_combine *combine)
{
    BEGIN(s, "combine");
    work *w = new_work(COMBINE);
    w->as.combine = *combine;
    count(&counts.launches, 1);
    return queue(s, w, reveal_combine(s->device, &w->as.combine));
}

static weft_status reveal_scan(weft_device *d, weft_scan *c)
{
    int64_t item = (int64_t)wf_dtype_size(c->dtype), all = 1, lines = 1;
    for (int a = 0; a < c->ndim; a++) {
        all *= c->count[a];
        if (a != c->axis) lines *= c->count[a];
    }
    REVEAL(d, "scan", c->in, c->ndim, c->count, c->in_stride, item);
    weft_status st = reveal(d, "scan", &c->out, 0, all * item);
    if (st == WEFT_OK && c->carry) st = reveal(d, "scan", &c->carry, 0, lines * item);
    if (st == WEFT_OK && c->carry_out) st = reveal(d, "scan", &c->carry_out, 0, lines * item);
    return st;
}

static weft_status scan(weft_stream *s, const weft_scan *scan)
{
    BEGIN(s, "scan");
    work *w = new_work(SCAN);
    w->as.scan = *scan;
    count(&counts.launches, 1);
    return queue(s, w, reveal_scan(s->device, &w->as.scan));
}

static weft_status reveal_select(weft_device *d, weft_select *c)
{
    weft_status st = check_host(d, "select", c->count);
    if (st == WEFT_OK) st = reveal(d, "select", &c->in, 0, c->n * c->item);
    if (st == WEFT_OK) st = reveal(d, "select", &c->mask, 0, c->n);
    // As many may be selected as there are; the caller need not know how many.
    return st == WEFT_OK ? reveal(d, "select", &c->out, 0, c->n * c->item) : st;
}

static weft_status select_true(weft_stream *s, const weft_select *select)
{
    BEGIN(s, "select");
    work *w = new_work(SELECT);
    w->as.select = *select;
    count(&counts.launches, 1);
    return queue(s, w, reveal_select(s->device, &w->as.select));
}

static weft_status reveal_group(weft_device *d, weft_group *g)
{
    int64_t item = (int64_t)wf_dtype_size(g->dtype);
    weft_status st = check_host(d, "group", g->label);
    if (st != WEFT_OK) return st;
    if (g->in)
        REVEAL(d, "group", g->in, 3, ((int64_t[]){ g->outer, g->rows, g->cols }),
               ((int64_t[]){ g->in_outer, g->in_row, g->in_col }), item);
    REVEAL(d, "group", g->out, 2, ((int64_t[]){ g->outer, g->cols }),
           ((int64_t[]){ g->out_outer, item }), item);
    return WEFT_OK;
}

static weft_status group(weft_stream *s, const weft_group *group)
{
    BEGIN(s, "group");
    work *w = new_work(GROUP);
    w->as.group = *group;
    count(&counts.launches, 1);
    return queue(s, w, reveal_group(s->device, &w->as.group));
}

EXPORT const weft_device_ops *weft_device_module(const weft_host *core)
{
    static weft_device_ops ops = {
        .abi = WEFT_PLUGIN_ABI,
        .kind = "hidden",
        .count = count_devices,
        .open = open_device,
        .close = close_device,
        .info = device_info,
        .allocate = allocate,
        .release = release,
        .stream_open = stream_open,
        .stream_close = stream_close,
        .stream_wait = drain,
        .event_record = event_record,
        .event_query = event_query,
        .stream_after = stream_after,
        .event_close = event_close,
        .copy_in = copy_in,
        .copy_out = copy_out,
        .copy_peer = copy_peer,
        .copy_box = copy_box,
        .copy_boxes = copy_boxes,
        .fill = fill,
        .launch = launch,
        .launch_reduce = launch_reduce,
        .gemm = gemm,
        .combine = combine,
        .scan = scan,
        .select = select_true,
        .group = group,
    };
    const char *absent = getenv("WEFT_DEV_HIDDEN_ABSENT");
    if (absent && is_listed(absent, "fill")) ops.fill = NULL;
    if (absent && is_listed(absent, "copy_peer")) ops.copy_peer = NULL;
    if (absent && is_listed(absent, "copy_boxes")) ops.copy_boxes = NULL;
    host = core;
    return core->abi == WEFT_PLUGIN_ABI ? &ops : NULL;
}
