// SPDX-License-Identifier: Apache-2.0
// task - the life of one task: know what it reads, reserve everything at once, pin, run, publish, let go.
#include <string.h>

#include "base/clock.h"
#include "exec/run.h"
#include "observe/log.h"
#include "observe/trace.h"

void wf_contiguous_strides(int ndim, const int64_t *count, int64_t item, int64_t *stride)
{
    for (int i = ndim - 1; i >= 0; i--) {
        stride[i] = item;
        item *= count[i];
    }
}

static wf_block *find_block(const wf_run *run, int value, int64_t block)
{
    const wf_run_value *v = &run->value[value];
    if (v->stored) return v->stored->block[block];
    return __atomic_load_n(&v->block[block], __ATOMIC_ACQUIRE);
}

static int64_t block_bytes(const wf_value *v, int64_t block)
{
    wf_box box;
    wf_grid_box(&v->grid, block, &box);
    return wf_box_size(&box) * (int64_t)wf_dtype_size(v->dtype);
}

// Which blocks the task will write.
static weft_status list_outputs(wf_task *t)
{
    wf_worker *w = t->worker;
    w->nout = 0;
    for (int k = 0; k < t->layer->nwrite; k++) {
        const wf_value *v = &t->run->plan->value[t->layer->write[k]];
        int64_t n = wf_layer_write_count(t->layer, v, t->number);
        if (w->nout + n > w->out_capacity)
            WF_TRY(wf_grow(&w->out, &w->out_capacity, w->nout + n, sizeof *w->out));
        for (int64_t i = 0; i < n; i++) {
            int64_t block = wf_layer_write_block(t->layer, v, t->number, i);
            w->out[w->nout++] = (wf_output){ .value = t->layer->write[k],
                                             .number = block,
                                             .bytes = block_bytes(v, block),
                                             .from = -1 };
        }
    }
    return WEFT_OK;
}

// Pins the inputs that are resident, without memory of our own. What is pinned cannot be evicted by the reservation that follows.
static void pin_resident(wf_task *t)
{
    wf_worker *w = t->worker;
    for (int64_t i = 0; i < t->refs->count; i++) {
        wf_block *block = find_block(t->run, t->refs->item[i].value, t->refs->item[i].block);
        wf_reservation none = { .device = w->device };
        w->data[i] = NULL;
        if (block && wf_block_pin_bytes(block, w->device) == 0 &&
            wf_block_pin(block, w->device, &none, &w->data[i]) != WEFT_OK)
            w->data[i] = NULL;
    }
}

static bool is_repeated(const wf_block_refs *refs, int64_t i)
{
    for (int64_t k = i - 1; k >= 0 && k >= i - 64; k--)
        if (refs->item[k].value == refs->item[i].value &&
            refs->item[k].block == refs->item[i].block)
            return true;
    return false;
}

// Everything the task will need beside what is pinned already.
static weft_status count_bytes(wf_task *t, int64_t *out)
{
    int64_t bytes = t->layer->scratch_bytes + t->layer->window_bytes;
    for (int64_t k = 0; k < t->worker->nout; k++)
        bytes += t->worker->out[k].lent ? 0 : t->worker->out[k].bytes;
    for (int64_t i = 0; i < t->refs->count; i++) {
        if (t->worker->data[i] || is_repeated(t->refs, i)) continue;
        wf_block *block = find_block(t->run, t->refs->item[i].value, t->refs->item[i].block);
        if (!block) return wf_fail(WEFT_LOST, "%s: an input block is gone", t->layer->name);
        bytes += wf_block_bytes(block);
    }
    *out = bytes;
    return WEFT_OK;
}

// A block that an output took over is no longer found, and its pin is the writer's.
static void unpin_inputs(wf_task *t)
{
    for (int64_t i = 0; i < t->refs->count; i++) {
        wf_block *block = find_block(t->run, t->refs->item[i].value, t->refs->item[i].block);
        if (t->worker->data[i] && block) wf_block_unpin(block, t->worker->device);
        t->worker->data[i] = NULL;
    }
}

// Waits, holding nothing, until the reservation succeeds. Says what it waited for when nothing moves for long.
static weft_status reserve(wf_task *t)
{
    wf_engine *e = t->worker->engine;
    int64_t waited = 0, bytes = 0;
    for (;;) {
        uint64_t turn = wf_store_turn(e->store);
        pin_resident(t);
        weft_status st = count_bytes(t, &bytes);
        if (st == WEFT_OK) st = wf_store_reserve(e->store, t->worker->device, bytes, &t->memory);
        if (st == WEFT_OK) return WEFT_OK;
        unpin_inputs(t);
        if (st != WEFT_BUSY) return st;
        if (__atomic_load_n(&t->run->cancelled, __ATOMIC_RELAXED))
            return wf_fail(WEFT_CANCELLED, "%s: cancelled", t->layer->name);
        __atomic_add_fetch(&e->tight, 1, __ATOMIC_RELAXED);
        int64_t from = wf_clock_ns();
        turn = wf_store_turn(e->store) == turn + 1 ? turn + 1 : turn;
        wf_store_wait(e->store, turn, 0.05);
        waited = wf_store_turn(e->store) == turn ? waited + (wf_clock_ns() - from) : 0;
        __atomic_sub_fetch(&e->tight, 1, __ATOMIC_RELAXED);
        if ((double)waited > e->stall_seconds * 1e9)
            return wf_fail(WEFT_NO_MEMORY,
                           "%s: waited %.0f s for %" PRId64 " bytes that nobody gives back",
                           t->layer->name, e->stall_seconds, bytes);
    }
}

// STATUS, that of bringing input I. What an earlier request computed and is lost cannot be made
// again.
static weft_status check_input(wf_task *t, int64_t i, weft_status status)
{
    const wf_stored *stored = t->run->value[t->refs->item[i].value].stored;
    if (status != WEFT_LOST || !stored) return status;
    __atomic_store_n(&t->run->hopeless, 1, __ATOMIC_RELAXED);
    return wf_fail(WEFT_LOST,
                   "%s: an operand computed earlier was lost with the memory that held it",
                   t->layer->name);
}

static weft_status pin_rest(wf_task *t)
{
    wf_worker *w = t->worker;
    for (int64_t i = 0; i < t->refs->count; i++) {
        if (w->data[i]) continue;
        wf_block *block = find_block(t->run, t->refs->item[i].value, t->refs->item[i].block);
        if (!block) return wf_fail(WEFT_LOST, "%s: an input block is gone", t->layer->name);
        weft_status st = wf_block_pin(block, w->device, &t->memory, &w->data[i]);
        if (st != WEFT_OK) {
            w->data[i] = NULL;
            return check_input(t, i, st);
        }
    }
    return WEFT_OK;
}

static weft_status grow_data(wf_worker *w, int64_t count)
{
    return count > w->data_capacity ? wf_grow(&w->data, &w->data_capacity, count, sizeof *w->data)
                                    : WEFT_OK;
}

enum { SCRATCH, WINDOW, SMALL_SCRATCH = 64 << 10 };

static weft_status worker_scratch(wf_worker *w, int64_t bytes, void **out)
{
    if (bytes > w->scratch_capacity) {
        wf_free(w->scratch);
        w->scratch_capacity = 0;
        w->scratch = wf_alloc((size_t)bytes + 64);
        if (!w->scratch) return WEFT_NO_MEMORY;
        w->scratch_capacity = bytes;
    }
    *out = (void *)(((uintptr_t)w->scratch + 63) & ~(uintptr_t)63);
    return WEFT_OK;
}

static void drop_aside(wf_task *t, int which)
{
    if (!t->aside[which]) return;
    wf_block_unpin(t->aside[which], t->worker->device);
    wf_block_release(t->aside[which]);
    t->aside[which] = NULL;
    t->aside_bytes[which] = 0;
}

// A block of the task's own, made from its reservation, so that scratch is part of the budget like everything else.
static weft_status get_aside(wf_task *t, int which, int64_t bytes, void **out)
{
    if (bytes > t->aside_bytes[which]) {
        void *data;
        if (t->aside[which])  // work that uses it may still be queued
            WF_TRY(t->worker->dev->ops->stream_wait(t->worker->stream));
        drop_aside(t, which);
        // The bound looks at a sample of an axis's tiles: where this one needs more, top up if that can be had without waiting.
        if (t->memory.bytes < bytes) {
            wf_reservation more;
            weft_status st = wf_store_reserve(t->worker->engine->store, t->worker->device,
                                              bytes - t->memory.bytes, &more);
            if (st != WEFT_OK)
                return wf_fail(WEFT_NO_MEMORY,
                               "%s: one step needs %" PRId64 " bytes more than was planned",
                               t->layer->name, bytes);
            t->memory.bytes += more.bytes;
        }
        WF_TRY(wf_block_create(t->worker->engine->store, &t->memory, bytes, &t->aside[which]));
        wf_reservation none = { .device = t->worker->device };
        WF_TRY(wf_block_pin(t->aside[which], t->worker->device, &none, &data));
        t->aside_data[which] = data;
        t->aside_bytes[which] = bytes;
    }
    *out = t->aside_data[which];
    return WEFT_OK;
}

weft_status wf_task_scratch(wf_task *task, int64_t bytes, void **out)
{
    int64_t promised = task->layer->scratch_bytes;
    if (bytes <= SMALL_SCRATCH && task->worker->dev->info.host_visible)
        return worker_scratch(task->worker, bytes, out);
    if (!task->aside[SCRATCH] && bytes < promised)
        bytes = promised;  // all of it at once: the next call may want more
    return get_aside(task, SCRATCH, bytes, out);
}

weft_status wf_task_stage(wf_task *task, int64_t bytes, void **out)
{
    return worker_scratch(task->worker, bytes, out);
}

static weft_status window_bytes(wf_task *t, int64_t *out)
{
    int64_t bytes = 0;
    for (int64_t i = 0; i < t->refs->count; i++) {
        wf_block *block = find_block(t->run, t->refs->item[i].value, t->refs->item[i].block);
        if (!block) return wf_fail(WEFT_LOST, "%s: an input block is gone", t->layer->name);
        if (!t->worker->data[i]) bytes += (wf_block_bytes(block) + 63) & ~(int64_t)63;
    }
    *out = bytes;
    return WEFT_OK;
}

// Bringing a block to a device whose memory the host does not see costs more than keeping it there:
// later steps, and other tasks, find it. Only with memory that is to be had without waiting, since
// the task holds some already.
static weft_status pin_if_room(wf_task *t, int64_t i)
{
    wf_worker *w = t->worker;
    wf_block *block = find_block(t->run, t->refs->item[i].value, t->refs->item[i].block);
    wf_reservation memory = { .device = w->device };
    if (!block) return WEFT_OK;
    weft_status st = wf_store_reserve(w->engine->store, w->device,
                                      wf_block_pin_bytes(block, w->device), &memory);
    if (st == WEFT_OK) st = wf_block_pin(block, w->device, &memory, &w->data[i]);
    wf_store_unreserve(w->engine->store, &memory);
    if (st == WEFT_OK) return st;
    w->data[i] = NULL;
    return st == WEFT_BUSY || st == WEFT_NO_MEMORY ? WEFT_OK : check_input(t, i, st);
}

static weft_status pin_more(wf_task *t)
{
    weft_status st = WEFT_OK;
    if (t->worker->dev->info.host_visible) return WEFT_OK;
    for (int64_t i = 0; i < t->refs->count && st == WEFT_OK; i++)
        if (!t->worker->data[i]) st = pin_if_room(t, i);
    return st;
}

// Blocks of the step that are not resident are read into the task's window.
static weft_status read_window(wf_task *t)
{
    wf_worker *w = t->worker;
    int64_t bytes;
    void *window;
    WF_TRY(window_bytes(t, &bytes));
    if (bytes == 0) return WEFT_OK;
    WF_TRY(get_aside(t, WINDOW, bytes < t->layer->window_bytes ? t->layer->window_bytes : bytes,
                     &window));
    char *at = window;
    for (int64_t i = 0; i < t->refs->count; i++) {
        if (w->data[i]) continue;
        wf_block *block = find_block(t->run, t->refs->item[i].value, t->refs->item[i].block);
        WF_TRY(check_input(t, i, wf_block_fetch(block, w->device, at)));
        w->data[i] = at;
        at += (wf_block_bytes(block) + 63) & ~(int64_t)63;
    }
    return WEFT_OK;
}

static bool in_window(const wf_task *t, const void *data)
{
    const char *window = t->aside_data[WINDOW];
    return t->aside[WINDOW] && (const char *)data >= window &&
           (const char *)data < window + t->aside_bytes[WINDOW];
}

weft_status wf_task_step_begin(wf_task *t, const wf_box *box)
{
    wf_worker *w = t->worker;
    wf_task_count_mapped(t, box);
    w->step_refs.count = 0;
    t->refs = &w->step_refs;
    t->step = *box;
    wf_task_want_pages(t, box);
    WF_TRY(wf_layer_reads_box(t->layer, t->run->plan->value, box, &w->step_refs));
    WF_TRY(grow_data(w, t->refs->count));
    pin_resident(t);
    weft_status st = pin_more(t);
    if (st == WEFT_OK) st = read_window(t);
    if (st != WEFT_OK) return wf_task_step_end(t, st);
    return WEFT_OK;
}

// Waits in any case: what the step read may go away now.
weft_status wf_task_step_end(wf_task *t, weft_status status)
{
    weft_status done = t->worker->dev->ops->stream_wait(t->worker->stream);
    for (int64_t i = 0; i < t->refs->count; i++)
        if (t->worker->data[i] && in_window(t, t->worker->data[i])) t->worker->data[i] = NULL;
    unpin_inputs(t);
    wf_task_drop_pages(t, &t->step);
    t->worker->step_refs.count = 0;
    return status != WEFT_OK ? status : done;
}

// Whether a program may write its output over what it reads through READ: the same elements in the
// same places, through no other read.
static bool is_replaceable(const wf_task *t, int read)
{
    const wf_read *r = &t->layer->read[read];
    const wf_value *v = &t->run->plan->value[r->value];
    wf_box box;
    if (v->layer < 0 || v->cut || r->bounded || !wf_map_is_identity(&r->map, t->box.ndim) ||
        v->shape.ndim != t->box.ndim || t->number >= wf_grid_nblock(&v->grid))
        return false;
    for (int q = 0; q < t->layer->nread; q++)
        if (q != read && t->layer->read[q].value == r->value) return false;
    wf_grid_box(&v->grid, t->number, &box);
    return wf_box_equal(&box, &t->box);
}

// The last reader's output takes the place of its input: no memory is found, touched or given back
// for it.
static void take_over(wf_task *t, wf_output *out)
{
    wf_worker *w = t->worker;
    for (int64_t i = 0; i < t->refs->count; i++) {
        const wf_block_ref *ref = &t->refs->item[i];
        wf_run_value *v = &t->run->value[ref->value];
        if (ref->read < 0 || ref->block != t->number || !is_replaceable(t, ref->read)) continue;
        wf_block *block = v->block[ref->block];
        if (!block || __atomic_load_n(&v->left[ref->block], __ATOMIC_ACQUIRE) != (WF_COUNTED | 1) ||
            wf_block_bytes(block) != out->bytes || !wf_block_reuse(block, w->device))
            continue;
        wf_reservation none = { .device = w->device },
                       spare = { .device = w->device, .bytes = wf_block_bytes(block) };
        if (wf_block_pin(block, w->device, &none, &out->data) != WEFT_OK) return;  // it is resident
        v->block[ref->block] = NULL;
        out->block = block;
        out->from = i;
        t->memory.bytes -= spare.bytes;
        wf_store_unreserve(w->engine->store, &spare);
        return;
    }
}

static bool may_take_over(const wf_task *t)
{
    return t->layer->kind == WF_LAYER_MAP && t->layer->npart == 1 &&
           t->worker->nout == t->layer->nwrite;
}

// What was taken over goes back to where it was read; once the task has begun to write, as lost.
static void give_back(wf_task *t, wf_output *out, bool spoiled)
{
    const wf_block_ref *ref = &t->refs->item[out->from];
    wf_block_unpin(out->block, t->worker->device);
    if (spoiled) wf_block_spoil(out->block);
    else wf_block_seal(out->block, 0);
    t->worker->data[out->from] = NULL;
    t->run->value[ref->value].block[ref->block] = out->block;
    out->block = NULL;
    out->data = NULL;
    out->from = -1;
}

static weft_status create_outputs(wf_task *t)
{
    wf_worker *w = t->worker;
    for (int64_t k = 0; k < w->nout; k++) {
        wf_output *out = &w->out[k];
        if (may_take_over(t)) take_over(t, out);
        if (out->block) continue;
        WF_TRY(wf_block_create(w->engine->store, &t->memory, out->bytes, &out->block));
        wf_reservation none = { .device = w->device };
        WF_TRY(wf_block_pin(out->block, w->device, &none, &out->data));
    }
    for (int k = 0; k < t->layer->nwrite && w->nout == t->layer->nwrite; k++)
        t->out_data[k] = w->out[k].data;
    return WEFT_OK;
}

static void drop_output(wf_task *t, wf_output *out, bool spoiled)
{
    if (out->from >= 0) give_back(t, out, spoiled);
    if (out->block && !out->lent) {
        if (out->data) wf_block_unpin(out->block, t->worker->device);
        wf_block_seal(out->block, 0);
    }
    wf_block_release(out->block);
    out->block = NULL;
    out->data = NULL;
    out->lent = false;
}

static void drop_outputs(wf_task *t, bool spoiled)
{
    for (int64_t k = 0; k < t->worker->nout; k++) drop_output(t, &t->worker->out[k], spoiled);
}

// Who will still need this block: arithmetic over the reading layers, and the request that keeps it. Layers that are not separable were
// counted when the run began and stand in `left` already.
static int64_t count_readers(const wf_run *run, int value, int64_t block)
{
    const wf_plan *p = run->plan;
    const wf_value *v = &p->value[value];
    int64_t n = v->keep;
    for (int r = 0; r < v->nreader; r++)
        if (wf_layer_is_separable(&p->layer[v->reader[r]]))
            n += wf_layer_reader_count(&p->layer[v->reader[r]], p->value, value, block);
    return n;
}

static void drop_reader(wf_run *run, int value, int64_t block)
{
    wf_run_value *v = &run->value[value];
    if (v->stored || v->direct ||
        (__atomic_sub_fetch(&v->left[block], 1, __ATOMIC_ACQ_REL) & (WF_COUNTED - 1)) > 0)
        return;
    wf_block_release(__atomic_exchange_n(&v->block[block], NULL, __ATOMIC_ACQ_REL));
}

static void publish_one(wf_task *t, wf_output *out, double cost)
{
    wf_run_value *v = &t->run->value[out->value];
    int64_t number = out->number;
    if (!out->lent) {
        wf_block_unpin(out->block, t->worker->device);
        wf_block_seal(out->block, cost);
    }
    if (v->block[number]) {  // made again with a lost neighbour, while this one still stands
        wf_block_release(out->block);
        return;
    }
    bool counted = __atomic_load_n(&v->left[number], __ATOMIC_RELAXED) & WF_COUNTED;
    int32_t readers = counted ? 0 : (int32_t)count_readers(t->run, out->value, number) | WF_COUNTED;
    __atomic_store_n(&v->block[number], out->block, __ATOMIC_RELEASE);
    if ((__atomic_add_fetch(&v->left[number], readers, __ATOMIC_ACQ_REL) & (WF_COUNTED - 1)) > 0)
        return;
    v->block[number] = NULL;
    wf_block_release(out->block);
}

static void publish(wf_task *t, double cost)
{
    for (int64_t k = 0; k < t->worker->nout; k++)
        publish_one(t, &t->worker->out[k], cost / (double)t->worker->nout);
}

static weft_status run_body(wf_task *t)
{
    static const wf_error silence = { .status = WEFT_UNSUPPORTED };
    // A module that has no kernel may say why, or leave that to wf_task_device_error
    if (!t->worker->dev->is_cpu) wf_error_raise(&silence);
    switch (t->layer->kind) {
    case WF_LAYER_MAP: return wf_task_map(t);
    case WF_LAYER_REDUCE: return wf_task_reduce(t);
    case WF_LAYER_COMBINE: return wf_task_combine(t);
    case WF_LAYER_SCAN: return wf_task_scan(t);
    case WF_LAYER_CONTRACT: return wf_task_contract(t);
    case WF_LAYER_RESHAPE: return wf_task_reshape(t);
    case WF_LAYER_TAKE: return wf_task_take(t);
    case WF_LAYER_COMPACT: return wf_task_compact(t);
    case WF_LAYER_GROUP: return wf_task_group(t);
    case WF_LAYER_BINCOUNT: return wf_task_bincount(t);
    case WF_LAYER_CALL: return wf_task_call(t);
    case WF_LAYER_SOURCE: return wf_task_source(t);
    case WF_LAYER_SINK: return wf_task_sink(t);
    }
    return wf_fail(WEFT_INTERNAL, "task: unknown layer kind %d", (int)t->layer->kind);
}

// Everything at once or nothing: outputs, inputs, scratch. A block evicted between counting and pinning sends us round again.
static weft_status acquire(wf_task *t)
{
    for (int attempt = 0;; attempt++) {
        WF_TRY(reserve(t));
        weft_status st = pin_rest(t);
        if (st == WEFT_OK) st = create_outputs(t);
        if (st == WEFT_OK) return WEFT_OK;
        drop_outputs(t, false);
        unpin_inputs(t);
        wf_store_unreserve(t->worker->engine->store, &t->memory);
        if (st != WEFT_NO_MEMORY || attempt == 100) return st;
    }
}

static void drop_readers(wf_task *t)
{
    const wf_block_refs *refs = &t->worker->refs;
    for (int64_t i = 0; i < refs->count; i++)
        drop_reader(t->run, refs->item[i].value, refs->item[i].block);
}

// Bytes of a task that takes about a microsecond: reading the clock twice would be a tenth of it.
enum { TINY_TASK = 2048 };

weft_status wf_task_execute_here(wf_worker *worker, wf_run *run, int layer, int64_t number)
{
    static const wf_block_refs none;
    wf_task t = {
        .worker = worker, .run = run, .layer = &run->plan->layer[layer], .number = number
    };
    bool tiny = t.layer->kind == WF_LAYER_MAP && t.layer->task_bytes <= TINY_TASK;
    int64_t from = wf_trace_begin(), clock = tiny ? 0 : wf_clock_ns();
    wf_layer_box(t.layer, number, &t.box);
    worker->refs.count = 0;
    WF_TRY(wf_layer_reads(t.layer, run->plan->value, number, &worker->refs));
    t.refs = t.layer->step_axis < 0 ? &worker->refs : &none;  // steps pin for themselves
    WF_TRY(grow_data(worker, t.refs->count));
    WF_TRY(list_outputs(&t));
    weft_status st = t.layer->kind == WF_LAYER_SOURCE ? wf_task_lend_outputs(&t) : WEFT_OK;
    if (st == WEFT_OK) st = acquire(&t);
    if (st != WEFT_OK) {
        drop_outputs(&t, false);
        return st;
    }

    if (t.layer->step_axis < 0) wf_task_want_next_pages(&t);
    st = run_body(&t);
    weft_status done = worker->dev->ops->stream_wait(worker->stream);  // whatever failed
    if (st == WEFT_OK) st = done;
    if (st != WEFT_OK) wf_task_forget_pieces(&t);
    if (t.layer->step_axis < 0) wf_task_drop_pages(&t, &t.box);
    unpin_inputs(&t);
    drop_aside(&t, SCRATCH);
    drop_aside(&t, WINDOW);
    if (st == WEFT_OK) {
        if (t.layer->step_axis < 0 && !tiny) wf_task_count_mapped(&t, &t.box);
        publish(&t, tiny ? 1e-6 : (double)(wf_clock_ns() - clock) * 1e-9);
        drop_readers(&t);
        wf_trace_end(from, wf_layer_kind_name(t.layer->kind), t.layer->name, number,
                     t.memory.bytes);
    } else {
        drop_outputs(&t, st != WEFT_UNSUPPORTED || t.begun);
    }
    wf_store_unreserve(worker->engine->store, &t.memory);
    return st;
}
