// SPDX-License-Identifier: Apache-2.0
// trace - spans in per-thread chunks. A thread takes one of a fixed set of lanes at its first span
// of a trace, and adds to it under the lane's own lock, which only wf_trace_stop ever contends for.
// Lanes are static: a thread may end, or a trace stop, at any moment, and nothing dangles.
#include "observe/trace.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/thread.h"

#define MAX_LANES 256
#define CHUNK_SPANS 256
#define DEFAULT_BYTES (INT64_C(64) << 20)

typedef struct span {
    const char *category;
    int64_t start, duration, block, bytes;
    char name[48];
} span;

typedef struct chunk {
    struct chunk *next;
    int count;
    span span[CHUNK_SPANS];
} chunk;

typedef struct lane {
    wf_mutex lock;
    int generation;  // the trace that its spans belong to
    char name[16];   // of the thread
    chunk *first, *last;
} lane;

int wf_trace_state;  // the trace's generation while one runs, else 0

static struct {
    wf_mutex lock;  // start and stop
    lane lane[MAX_LANES];
    int generation;
    int nlane;        // atomic; may run past MAX_LANES
    int64_t start;    // spans that began before it belong to another trace
    int64_t room;     // atomic: bytes that chunks may still take
    int64_t dropped;  // atomic
} state = { .lock = WF_MUTEX_INIT };

static _Thread_local struct {
    int generation, lane;
} mine;

static void init_lanes(void)
{
    for (int i = 0; i < MAX_LANES; i++) wf_mutex_init(&state.lane[i].lock);
}

weft_status wf_trace_start(int64_t max_bytes)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_lanes);
    wf_mutex_lock(&state.lock);
    if (wf_trace_is_on()) {
        wf_mutex_unlock(&state.lock);
        return wf_fail(WEFT_BUSY, "trace: one is running already");
    }
    __atomic_store_n(&state.nlane, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&state.room, max_bytes > 0 ? max_bytes : DEFAULT_BYTES, __ATOMIC_RELAXED);
    __atomic_store_n(&state.dropped, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&state.start, wf_clock_ns(), __ATOMIC_RELAXED);
    __atomic_store_n(&wf_trace_state, ++state.generation, __ATOMIC_SEQ_CST);
    wf_mutex_unlock(&state.lock);
    return WEFT_OK;
}

// This thread's lane in the trace GENERATION; NULL when there are too many threads.
static lane *find_lane(int generation)
{
    if (mine.generation != generation) {
        mine.lane = __atomic_fetch_add(&state.nlane, 1, __ATOMIC_SEQ_CST);
        mine.generation = generation;
    }
    return mine.lane < MAX_LANES ? &state.lane[mine.lane] : NULL;
}

// A chunk with room for one more span; NULL when memory is short. Leaves the thread's last error as
// it is.
static chunk *find_chunk(lane *l)
{
    wf_error before;

    if (l->last && l->last->count < CHUNK_SPANS) return l->last;
    if (__atomic_sub_fetch(&state.room, (int64_t)sizeof(chunk), __ATOMIC_RELAXED) < 0) return NULL;
    wf_error_take(&before);
    chunk *made = wf_alloc(sizeof *made);
    if (!made) {
        wf_error_raise(&before);
        return NULL;
    }
    if (l->last) l->last->next = made;
    else l->first = made;
    return l->last = made;
}

static void set_name(span *s, const char *name)
{
    size_t n = strnlen(name, sizeof s->name - 1);

    memcpy(s->name, name, n);
    s->name[n] = '\0';
}

// Adds to lane L unless the trace GENERATION is over; false when the span had to be dropped.
static bool add_span(lane *l, int generation, const span *s, const char *name)
{
    bool dropped = false;

    wf_mutex_lock(&l->lock);
    // With the trace seen running under this lock, wf_trace_stop has yet to come by and collect
    // what is added here.
    if (__atomic_load_n(&wf_trace_state, __ATOMIC_SEQ_CST) == generation) {
        if (l->generation != generation) wf_thread_name(l->name);
        l->generation = generation;
        chunk *c = find_chunk(l);
        if (c) {
            c->span[c->count] = *s;
            set_name(&c->span[c->count++], name);
        }
        dropped = !c;
    }
    wf_mutex_unlock(&l->lock);
    return !dropped;
}

void wf_trace_add(int64_t start, const char *category, const char *name, int64_t block,
                  int64_t bytes)
{
    span s = { .category = category,
               .start = start,
               .duration = wf_clock_ns() - start,
               .block = block,
               .bytes = bytes };
    int generation = __atomic_load_n(&wf_trace_state, __ATOMIC_SEQ_CST);

    if (!generation || start < __atomic_load_n(&state.start, __ATOMIC_RELAXED)) return;
    lane *l = find_lane(generation);
    if (!l || !add_span(l, generation, &s, name))
        __atomic_fetch_add(&state.dropped, 1, __ATOMIC_RELAXED);
}

// Bytes of the UTF-8 character at P; 0 when it is none.
static int character_length(const unsigned char *p)
{
    int n = p[0] < 0x80   ? 1
            : p[0] < 0xC2 ? 0
            : p[0] < 0xE0 ? 2
            : p[0] < 0xF0 ? 3
            : p[0] < 0xF5 ? 4
                          : 0;

    for (int i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F))
        return 0;  // overlong; surrogates
    if ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F)) return 0;
    return n;
}

static void write_string(FILE *file, const char *text)
{
    putc('"', file);
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        int n = character_length(p);
        if (n == 0) putc('?', file), n = 1;
        else if (*p < ' ') fprintf(file, "\\u%04x", *p);
        else if (*p == '"' || *p == '\\') fprintf(file, "\\%c", *p);
        else fwrite(p, 1, (size_t)n, file);
        p += n;
    }
    putc('"', file);
}

// Microseconds, which the format counts in, with three decimals.
static void write_time(FILE *file, const char *key, int64_t ns)
{
    fprintf(file, ",\"%s\":%" PRId64 ".%03d", key, ns / 1000, (int)(ns % 1000));
}

static void write_span(FILE *file, int row, const span *s)
{
    fprintf(file, ",\n{\"ph\":\"X\",\"pid\":%d,\"tid\":%d,\"cat\":", (int)getpid(), row);
    write_string(file, s->category);
    fputs(",\"name\":", file);
    write_string(file, s->name);
    write_time(file, "ts", s->start - state.start);
    write_time(file, "dur", s->duration);
    fputs(",\"args\":{", file);
    if (s->block >= 0) fprintf(file, "\"block\":%" PRId64, s->block);
    if (s->bytes >= 0) fprintf(file, "%s\"bytes\":%" PRId64, s->block >= 0 ? "," : "", s->bytes);
    fputs("}}", file);
}

static void write_lane(FILE *file, int row, const char *name, const chunk *first)
{
    fprintf(file,
            ",\n{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":",
            (int)getpid(), row);
    write_string(file, name);
    fputs("}}", file);
    for (const chunk *c = first; c; c = c->next)
        for (int i = 0; i < c->count; i++) write_span(file, row, &c->span[i]);
}

// Takes the chunks out under the lane's lock, and writes without it: no thread waits for FILE.
static void collect_lane(FILE *file, int row, int generation)
{
    lane *l = &state.lane[row];
    char name[16];

    wf_mutex_lock(&l->lock);
    bool used = l->generation == generation;
    chunk *first = l->first;
    memcpy(name, l->name, sizeof name);
    l->first = l->last = NULL;
    wf_mutex_unlock(&l->lock);

    if (file && used) write_lane(file, row + 1, name, first);
    while (first) {
        chunk *next = first->next;
        wf_free(first);
        first = next;
    }
}

static void collect(FILE *file, int generation)
{
    int n = __atomic_load_n(&state.nlane, __ATOMIC_SEQ_CST);

    if (file)
        fprintf(file,
                "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
                "{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_name\",\"args\":{\"name\":\"weft\"}}",
                (int)getpid());
    for (int i = 0; i < n && i < MAX_LANES; i++) collect_lane(file, i, generation);
    if (file)
        fprintf(file, "\n],\"otherData\":{\"dropped_spans\":%" PRId64 "}}\n",
                __atomic_load_n(&state.dropped, __ATOMIC_RELAXED));
}

weft_status wf_trace_stop(FILE *file, int64_t *dropped)
{
    weft_status st = WEFT_OK;

    wf_mutex_lock(&state.lock);
    if (!wf_trace_is_on()) {
        wf_mutex_unlock(&state.lock);
        return wf_fail(WEFT_INVALID, "trace: none is running");
    }
    __atomic_store_n(&wf_trace_state, 0, __ATOMIC_SEQ_CST);
    errno = 0;
    collect(file, state.generation);
    if (file && (fflush(file) || ferror(file)))
        st = wf_fail_errno(errno ? errno : EIO, "trace: could not be written");
    if (dropped) *dropped = __atomic_load_n(&state.dropped, __ATOMIC_RELAXED);
    wf_mutex_unlock(&state.lock);
    return st;
}
