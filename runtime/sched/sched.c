// SPDX-License-Identifier: Apache-2.0
// sched - the depth-first, demand-driven scheduler core.
//
// A frame is a task that somebody wants, with the tasks it needs. Frames of a device form a stack: the top one is scanned for a need that
// nobody serves yet, which is pushed on top. A frame whose needs are all being served elsewhere moves to `waiting`; when the last of them
// is done it becomes `ready` and runs before anything new is opened.
#include "sched/sched.h"

#include <string.h>

enum { NONE, OPEN, RUNNING, DONE };  // OPEN: in a frame, or ready
enum { BUCKETS = 256 };

typedef struct frame {
    int layer;
    int64_t task;
    wf_deps deps;
    int64_t scan;     // needs before this one have been looked at for work
    int64_t settled;  // needs before this one were done
    int64_t losses;   // the scheduler's, when that was so
} frame;

typedef struct frames {
    int64_t count, capacity;
    frame *item;
} frames;

typedef struct span {
    int64_t next, end;
} span;

typedef struct device_state {
    frames stack;
    span *rest;  // per root: tasks of it this device has not begun
    bool dropped;
} device_state;

struct wf_sched {
    wf_sched_options opts;
    wf_sched_layer *layer;
    int *root;
    uint8_t **state;     // per layer, two bits per task
    int64_t *root_left;  // per root layer number in `root`
    int64_t left;        // root tasks not done
    int64_t done, total, running;
    int64_t losses;  // of finished tasks' blocks so far
    device_state *device;
    frames waiting[BUCKETS];  // by the first need that is not done
    frames ready;
};

static int get_state(const wf_sched *s, int layer, int64_t task)
{
    return s->state[layer][task >> 2] >> ((task & 3) * 2) & 3;
}

static void set_state(wf_sched *s, int layer, int64_t task, int state)
{
    uint8_t *byte = &s->state[layer][task >> 2];
    int shift = (int)(task & 3) * 2;
    *byte = (uint8_t)((*byte & ~(3 << shift)) | state << shift);
}

static int bucket_of(int layer, int64_t task)
{
    return (int)(((uint64_t)task * 31 + (uint64_t)layer * 17) % BUCKETS);
}

static weft_status push_frame(frames *f, const frame *item)
{
    if (f->count == f->capacity)
        WF_TRY(wf_grow(&f->item, &f->capacity, f->count + 1, sizeof *f->item));
    f->item[f->count++] = *item;
    return WEFT_OK;
}

static void fini_frames(frames *f)
{
    for (int64_t i = 0; i < f->count; i++) wf_free(f->item[i].deps.item);
    wf_free(f->item);
}

// Deals each root's tasks to the devices in consecutive ranges.
static void deal_roots(wf_sched *s)
{
    int64_t nd = s->opts.nworking > 0 ? s->opts.nworking : s->opts.ndevice;
    for (int r = 0; r < s->opts.nroot; r++) {
        int64_t n = s->layer[s->root[r]].ntask;
        for (int64_t d = 0; d < nd; d++)
            s->device[d].rest[r] =
                (span){ n / nd * d + n % nd * d / nd, n / nd * (d + 1) + n % nd * (d + 1) / nd };
        s->left += n;
    }
}

weft_status wf_sched_create(const wf_sched_options *opts, wf_sched **out)
{
    wf_sched *s = wf_alloc(sizeof *s);
    if (!s) return WEFT_NO_MEMORY;
    s->opts = *opts;
    s->layer = wf_calloc((size_t)opts->nlayer, sizeof *s->layer);
    s->root = wf_calloc((size_t)opts->nroot, sizeof *s->root);
    s->state = wf_calloc((size_t)opts->nlayer, sizeof *s->state);
    s->device = wf_calloc((size_t)opts->ndevice, sizeof *s->device);
    if (!s->layer || !s->root || !s->state || !s->device) goto undo;
    memcpy(s->layer, opts->layer, (size_t)opts->nlayer * sizeof *s->layer);
    memcpy(s->root, opts->root, (size_t)opts->nroot * sizeof *s->root);
    for (int l = 0; l < opts->nlayer; l++) {
        s->state[l] = wf_alloc((size_t)(opts->layer[l].ntask / 4 + 1));
        if (!s->state[l]) goto undo;
        s->total += opts->layer[l].ntask;
    }
    for (int d = 0; d < opts->ndevice; d++) {
        s->device[d].rest = wf_calloc((size_t)opts->nroot, sizeof *s->device[d].rest);
        if (!s->device[d].rest) goto undo;
    }
    deal_roots(s);
    *out = s;
    return WEFT_OK;

undo:
    wf_sched_destroy(s);
    return WEFT_NO_MEMORY;
}

void wf_sched_destroy(wf_sched *s)
{
    if (!s) return;
    for (int l = 0; s->state && l < s->opts.nlayer; l++) wf_free(s->state[l]);
    for (int d = 0; s->device && d < s->opts.ndevice; d++) {
        fini_frames(&s->device[d].stack);
        wf_free(s->device[d].rest);
    }
    for (int i = 0; i < BUCKETS; i++) fini_frames(&s->waiting[i]);
    fini_frames(&s->ready);
    wf_free(s->state);
    wf_free(s->device);
    wf_free(s->layer);
    wf_free(s->root);
    wf_free(s);
}

static weft_status open_frame(wf_sched *s, frames *to, int layer, int64_t task)
{
    frame f = { .layer = layer, .task = task, .losses = s->losses };
    if (s->layer[layer].has_deps) {
        weft_status st = s->opts.deps(s->opts.context, layer, task, &f.deps);
        if (st == WEFT_OK) st = push_frame(to, &f);
        if (st != WEFT_OK) {
            wf_free(f.deps.item);
            return st;
        }
    } else {
        WF_TRY(push_frame(to, &f));
    }
    set_state(s, layer, task, OPEN);
    return WEFT_OK;
}

// Half of the largest rest of any device, from its end.
static bool steal(wf_sched *s, int device)
{
    for (int r = 0; r < s->opts.nroot; r++) {
        int victim = -1;
        int64_t most = 0;
        for (int d = 0; d < s->opts.ndevice; d++) {
            int64_t n = s->device[d].rest[r].end - s->device[d].rest[r].next;
            if (d != device && n > most) {
                most = n;
                victim = d;
            }
        }
        if (victim < 0) continue;
        span *from = &s->device[victim].rest[r];
        int64_t take = s->device[victim].dropped ? most : (most + 1) / 2;
        s->device[device].rest[r] = (span){ from->end - take, from->end };
        from->end -= take;
        return true;
    }
    return false;
}

// The next task of a result that nobody has begun; consecutive ones without needs come as one range.
static bool next_root(wf_sched *s, int device, wf_range *out)
{
    do {
        for (int r = 0; r < s->opts.nroot; r++) {
            span *rest = &s->device[device].rest[r];
            int layer = s->root[r];
            while (rest->next < rest->end && get_state(s, layer, rest->next) != NONE) rest->next++;
            if (rest->next == rest->end) continue;
            *out = (wf_range){ layer, rest->next++, 1 };
            int64_t most = s->layer[layer].has_deps ? 1 : s->layer[layer].range_max;
            while (out->count < most && rest->next < rest->end &&
                   get_state(s, layer, rest->next) == NONE) {
                rest->next++;
                out->count++;
            }
            return true;
        }
    } while (steal(s, device));
    return false;
}

static void begin(wf_sched *s, const wf_range *range)
{
    for (int64_t t = range->first; t < range->first + range->count; t++)
        set_state(s, range->layer, t, RUNNING);
    s->running += range->count;
}

// Tasks without needs that the frame wants next to each other start as one range.
static void widen(wf_sched *s, frame *f, wf_range *range)
{
    while (f->scan < f->deps.count && range->count < s->layer[range->layer].range_max) {
        wf_dep *d = &f->deps.item[f->scan];
        if (d->layer != range->layer || d->task != range->first + range->count ||
            get_state(s, d->layer, d->task) != NONE)
            return;
        range->count++;
        f->scan++;
    }
}

static bool is_settled(wf_sched *s, frame *f)
{
    if (f->losses != s->losses) f->settled = 0;  // some may be wanted again
    f->losses = s->losses;
    while (f->settled < f->deps.count &&
           get_state(s, f->deps.item[f->settled].layer, f->deps.item[f->settled].task) == DONE)
        f->settled++;
    return f->settled == f->deps.count;
}

static frame pop(frames *f) { return f->item[--f->count]; }

static wf_sched_answer run_frame(wf_sched *s, frame *f, wf_range *out)
{
    *out = (wf_range){ f->layer, f->task, 1 };
    wf_free(f->deps.item);
    begin(s, out);
    return WF_SCHED_RUN;
}

// Works on the device's stack until something can run or the stack is empty.
static wf_sched_answer descend(wf_sched *s, frames *stack, wf_range *out)
{
    while (stack->count > 0) {
        frame *top = &stack->item[stack->count - 1];
        while (top->scan < top->deps.count && get_state(s, top->deps.item[top->scan].layer,
                                                        top->deps.item[top->scan].task) != NONE)
            top->scan++;
        if (top->scan < top->deps.count) {
            wf_dep need = top->deps.item[top->scan++];
            if (s->layer[need.layer].has_deps) {
                if (open_frame(s, stack, need.layer, need.task) != WEFT_OK) return WF_SCHED_FAILED;
                continue;
            }
            *out = (wf_range){ need.layer, need.task, 1 };
            widen(s, top, out);
            begin(s, out);
            return WF_SCHED_RUN;
        }
        frame f = pop(stack);
        if (is_settled(s, &f)) return run_frame(s, &f, out);
        // A need may have been lost again after it was scanned: look once more from the first unsettled one.
        if (get_state(s, f.deps.item[f.settled].layer, f.deps.item[f.settled].task) == NONE) {
            f.scan = f.settled;
            stack->item[stack->count++] = f;
            continue;
        }
        const wf_dep *first = &f.deps.item[f.settled];
        if (push_frame(&s->waiting[bucket_of(first->layer, first->task)], &f) != WEFT_OK) {
            stack->item[stack->count++] = f;  // its place is still there
            return WF_SCHED_FAILED;
        }
    }
    return WF_SCHED_WAIT;
}

// A frame that waited for its needs, or came from a dropped device: runs, or goes on STACK.
static wf_sched_answer next_ready(wf_sched *s, frames *stack, wf_range *out)
{
    if (s->ready.count == 0) return WF_SCHED_WAIT;
    frame f = pop(&s->ready);
    if (is_settled(s, &f)) return run_frame(s, &f, out);
    f.scan = f.settled;
    if (push_frame(stack, &f) == WEFT_OK) return WF_SCHED_WAIT;
    s->ready.item[s->ready.count++] = f;
    return WF_SCHED_FAILED;
}

wf_sched_answer wf_sched_next(wf_sched *s, int device, bool hold, wf_range *out)
{
    if (s->left == 0) return WF_SCHED_DONE;
    frames *stack = &s->device[device].stack;
    for (;;) {
        wf_sched_answer answer = next_ready(s, stack, out);
        if (answer == WF_SCHED_WAIT) answer = descend(s, stack, out);
        if (answer != WF_SCHED_WAIT) return answer;
        if (s->ready.count > 0) continue;  // one that waits for another may lie before it
        if (hold && s->running > 0) return WF_SCHED_WAIT;
        wf_range root;
        if (!next_root(s, device, &root)) return WF_SCHED_WAIT;
        if (!s->layer[root.layer].has_deps) {
            *out = root;
            begin(s, out);
            return WF_SCHED_RUN;
        }
        if (open_frame(s, stack, root.layer, root.first) != WEFT_OK) {
            return WF_SCHED_FAILED;
        }
    }
}

static bool is_root(const wf_sched *s, int layer) { return s->layer[layer].root; }

// TASK is done, or lost again: frames that waited for it become ready, wait for their next need, or (a need was lost) go back to a stack by way of
// ready.
static weft_status wake(wf_sched *s, int layer, int64_t task)
{
    frames *bucket = &s->waiting[bucket_of(layer, task)];
    for (int64_t i = 0; i < bucket->count;) {
        frame *f = &bucket->item[i];
        const wf_dep *first = &f->deps.item[f->settled];
        if (first->layer != layer || first->task != task) {
            i++;
            continue;
        }
        frames *to = &s->ready;
        if (!is_settled(s, f)) {
            first = &f->deps.item[f->settled];
            if (get_state(s, first->layer, first->task) != NONE)
                to = &s->waiting[bucket_of(first->layer, first->task)];
        }
        if (to == bucket) {
            i++;
            continue;
        }
        WF_TRY(push_frame(to, f));
        *f = bucket->item[--bucket->count];
    }
    return WEFT_OK;
}

weft_status wf_sched_done(wf_sched *s, const wf_range *range)
{
    for (int64_t t = range->first; t < range->first + range->count; t++)
        set_state(s, range->layer, t, DONE);
    s->running -= range->count;
    s->done += range->count;
    if (is_root(s, range->layer)) s->left -= range->count;
    for (int64_t t = range->first; t < range->first + range->count; t++)
        WF_TRY(wake(s, range->layer, t));
    return WEFT_OK;
}

weft_status wf_sched_retry(wf_sched *s, const wf_range *range, int device)
{
    frames *to = s->device[device].dropped ? &s->ready : &s->device[device].stack;
    s->running -= range->count;
    for (int64_t t = range->first; t < range->first + range->count; t++) {
        set_state(s, range->layer, t, NONE);
        WF_TRY(open_frame(s, to, range->layer, t));
    }
    return WEFT_OK;
}

weft_status wf_sched_forget(wf_sched *s, int layer, int64_t task)
{
    if (get_state(s, layer, task) != DONE) return WEFT_OK;
    set_state(s, layer, task, NONE);
    s->losses++;
    if (is_root(s, layer)) {
        s->left++;
        WF_TRY(open_frame(s, &s->ready, layer, task));
    }
    return wake(s, layer, task);
}

weft_status wf_sched_drop_device(wf_sched *s, int device)
{
    device_state *d = &s->device[device];
    d->dropped = true;
    while (d->stack.count > 0) {
        WF_TRY(push_frame(&s->ready, &d->stack.item[d->stack.count - 1]));
        d->stack.count--;
    }
    return WEFT_OK;
}

bool wf_sched_is_done(const wf_sched *s, int layer, int64_t task)
{
    return get_state(s, layer, task) == DONE;
}

void wf_sched_get_progress(const wf_sched *s, wf_sched_progress *out)
{
    *out = (wf_sched_progress){
        .done = s->done, .total = s->total, .running = s->running, .roots_left = s->left
    };
}
