// SPDX-License-Identifier: Apache-2.0
// run - one request from its bindings to its results: what it holds, how it ends, how it recovers when a device's memory is lost.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "exec/run.h"
#include "observe/log.h"

static void free_values(wf_run *run)
{
    for (int v = 0; run->value && v < run->plan->nvalue; v++) {
        wf_run_value *value = &run->value[v];
        for (int64_t i = 0; value->block && i < value->nblock; i++)
            wf_block_release(value->block[i]);
        wf_free(value->block);
        wf_free(value->left);
    }
    wf_free(run->value);
    run->value = NULL;
}

static void free_run(wf_run *run)
{
    free_values(run);
    for (int r = 0; run->result && r < run->plan->nroot; r++) wf_object_release(run->result[r]);
    for (int i = 0; i < run->plan->nleaf; i++) {
        if (run->writer) wf_writer_abort(run->writer[i]);
        if (run->leaf) wf_object_release(run->leaf[i]);
    }
    for (int i = 0; run->list && i < run->plan->nlist; i++) wf_list_release(run->list[i]);
    wf_sched_destroy(run->sched);
    wf_free(run->result);
    wf_free(run->writer);
    wf_free(run->leaf);
    wf_free(run->param);
    wf_free(run->list);
    wf_free(run->on_host);
    wf_plan_release(run->plan);
    wf_free(run);
}

// The task that makes a block of VALUE.
static int64_t writer_of(const wf_run *run, int value, int64_t block)
{
    const wf_value *v = &run->plan->value[value];
    return wf_layer_writer(&run->plan->layer[v->layer], v, block);
}

static weft_status find_deps(void *context, int layer, int64_t task, wf_deps *out)
{
    const wf_run *run = context;
    wf_block_refs refs = { 0 };
    weft_status st = wf_layer_reads(&run->plan->layer[layer], run->plan->value, task, &refs);
    for (int64_t i = 0; i < refs.count && st == WEFT_OK; i++) {
        int from = run->plan->value[refs.item[i].value].layer;
        if (from < 0) continue;
        if (out->count == out->capacity)
            st = wf_grow(&out->item, &out->capacity, out->count + 1, sizeof *out->item);
        if (st != WEFT_OK) break;
        int64_t writer = writer_of(run, refs.item[i].value, refs.item[i].block);
        out->item[out->count++] = (wf_dep){ .layer = from, .task = writer };
    }
    wf_free(refs.item);
    return st;
}

static weft_status bind_values(wf_run *run)
{
    const wf_plan *p = run->plan;
    run->value = wf_calloc((size_t)p->nvalue, sizeof *run->value);
    if (!run->value) return WEFT_NO_MEMORY;
    for (int v = 0; v < p->nvalue; v++) {
        wf_run_value *value = &run->value[v];
        value->nblock = wf_grid_nblock(&p->value[v].grid);
        if (p->value[v].layer < 0) {
            wf_object *leaf = run->leaf[p->value[v].leaf];
            if (p->value[v].direct) value->direct = wf_object_header(leaf);
            else value->stored = wf_object_stored(leaf);
            continue;
        }
        value->block = wf_calloc((size_t)value->nblock, sizeof *value->block);
        value->left = wf_calloc((size_t)value->nblock, sizeof *value->left);
        if (!value->block || !value->left) return WEFT_NO_MEMORY;
    }
    return WEFT_OK;
}

// Layers whose readers cannot be counted backwards are walked once.
static weft_status count_walked_readers(wf_run *run)
{
    const wf_plan *p = run->plan;
    wf_block_refs refs = { 0 };
    weft_status st = WEFT_OK;
    for (int l = 0; l < p->nlayer && st == WEFT_OK; l++) {
        if (wf_layer_is_separable(&p->layer[l])) continue;
        for (int64_t t = 0; t < p->layer[l].ntask && st == WEFT_OK; t++) {
            refs.count = 0;
            st = wf_layer_reads(&p->layer[l], p->value, t, &refs);
            for (int64_t i = 0; i < refs.count && st == WEFT_OK; i++)
                if (run->value[refs.item[i].value].left)
                    run->value[refs.item[i].value].left[refs.item[i].block]++;
        }
    }
    wf_free(refs.item);
    return st;
}

static weft_status create_sched(wf_run *run)
{
    const wf_plan *p = run->plan;
    wf_sched_layer *layer = wf_calloc((size_t)p->nlayer, sizeof *layer);
    if (!layer) return WEFT_NO_MEMORY;
    for (int l = 0; l < p->nlayer; l++) {
        int64_t slots = run->engine->plan_options.slots, fair = p->layer[l].ntask / (8 * slots);
        int64_t most = p->layer[l].task_bytes < 65536       ? 128
                       : p->layer[l].task_bytes < (1 << 20) ? 8
                                                            : 1;
        layer[l] = (wf_sched_layer){ .ntask = p->layer[l].ntask,
                                     .range_max = fair < 1      ? 1
                                                  : fair < most ? fair
                                                                : most,
                                     .root = p->layer[l].root,
                                     .has_deps = p->layer[l].has_deps };
    }
    wf_sched_options opts = { .nlayer = p->nlayer,
                              .ndevice = run->engine->devices.count,
                              .nworking = run->engine->devices.nworking,
                              .layer = layer,
                              .nroot = p->nroot_layer,
                              .root = p->root_layer,
                              .deps = find_deps,
                              .context = run };
    weft_status st = wf_sched_create(&opts, &run->sched);
    wf_free(layer);
    return st;
}

static weft_status open_sink(wf_run *run, const wf_layer *layer)
{
    wf_sink_leaf *s = run->leaf[layer->leaf]->data;
    if (!s->path) return WEFT_OK;
    wf_create_options create = s->create;
    create.grid = create.region ? NULL : &layer->tasks;
    return wf_writer_create(s->path, &create, &run->writer[layer->leaf]);
}

static void abort_sinks(wf_run *run)
{
    for (int i = 0; i < run->plan->nleaf; i++) {
        wf_writer_abort(run->writer[i]);
        run->writer[i] = NULL;
    }
}

static weft_status open_sinks(wf_run *run)
{
    weft_status st = WEFT_OK;
    for (int l = 0; l < run->plan->nlayer && st == WEFT_OK; l++)
        if (run->plan->layer[l].kind == WF_LAYER_SINK) st = open_sink(run, &run->plan->layer[l]);
    if (st == WEFT_OK) return st;
    wf_error error;
    wf_error_take(&error);
    abort_sinks(run);
    return wf_error_raise(&error);
}

weft_status wf_run_prepare(wf_run *run)
{
    WF_TRY(bind_values(run));
    if (!run->engine->all_cpu) {
        run->on_host = wf_calloc((size_t)run->plan->nlayer, sizeof *run->on_host);
        if (!run->on_host) return WEFT_NO_MEMORY;
    }
    WF_TRY(count_walked_readers(run));
    run->streams_files = wf_run_streams_files(run);
    WF_TRY(create_sched(run));
    return open_sinks(run);
}

weft_status wf_run_create(wf_engine *engine, wf_plan *plan, const wf_bindings *bind,
                          const wf_run_options *opts, wf_run **out)
{
    wf_run *run = wf_alloc(sizeof *run);
    if (!run) return WEFT_NO_MEMORY;
    wf_plan_retain(plan);
    run->engine = engine;
    run->plan = plan;
    if (opts) run->opts = *opts;
    run->leaf = wf_calloc((size_t)plan->nleaf, sizeof *run->leaf);
    run->writer = wf_calloc((size_t)plan->nleaf, sizeof *run->writer);
    run->param = wf_calloc((size_t)(plan->nparam + plan->nderived), sizeof *run->param);
    run->list = wf_calloc((size_t)plan->nlist, sizeof *run->list);
    run->result = wf_calloc((size_t)plan->nroot, sizeof *run->result);
    weft_status st = run->leaf && run->writer && run->param && run->list && run->result
                         ? WEFT_OK
                         : WEFT_NO_MEMORY;
    if (st == WEFT_OK) {
        for (int i = 0; i < plan->nleaf; i++) {
            run->leaf[i] = bind->leaf[i];
            wf_object_retain(run->leaf[i]);
        }
        for (int i = 0; i < plan->nlist; i++) {
            run->list[i] = bind->list[i];
            __atomic_add_fetch(&run->list[i]->refs, 1, __ATOMIC_RELAXED);
        }
        if (plan->nparam)
            memcpy(run->param, bind->param, (size_t)plan->nparam * sizeof *run->param);
        wf_plan_derive(plan, run->param);
    }
    if (st != WEFT_OK) {
        wf_error error;
        wf_error_take(&error);
        free_run(run);
        return wf_error_raise(&error);
    }
    wf_stats_add(&engine->stats, WF_STAT_REQUESTS, 1);
    *out = run;
    return WEFT_OK;
}

bool wf_run_is_over(const wf_run *run)
{
    return __atomic_load_n(&run->state, __ATOMIC_ACQUIRE) == WF_RUN_OVER;
}

void wf_run_cancel(wf_run *run) { __atomic_store_n(&run->cancelled, 1, __ATOMIC_RELAXED); }

// The kept blocks of a value become an array of their own.
static weft_status take_value(wf_run *run, int value, wf_object **out)
{
    wf_run_value *v = &run->value[value];
    const wf_value *pv = &run->plan->value[value];
    wf_object *object;
    WF_TRY(wf_stored_create(run->engine->store, pv->dtype, &pv->grid, &object));
    wf_stored *s = wf_object_stored(object);
    for (int64_t i = 0; i < v->nblock; i++) {
        s->block[i] = v->block[i];
        wf_block_retain(s->block[i]);
    }
    *out = object;
    return WEFT_OK;
}

static weft_status take_results(wf_run *run)
{
    for (int r = 0; r < run->plan->nroot; r++) {
        int value = run->plan->root[r];
        if (value < 0 || run->plan->value[value].layer < 0) continue;
        WF_TRY(take_value(run, value, &run->result[r]));
    }
    return WEFT_OK;
}

static weft_status commit_sinks(wf_run *run)
{
    for (int i = 0; i < run->plan->nleaf; i++) {
        wf_writer *w = run->writer[i];
        run->writer[i] = NULL;
        int64_t stored = 0;
        if (w) WF_TRY(wf_writer_finish(w, &stored));
        wf_stats_add(&run->engine->stats, WF_STAT_BYTES_WRITTEN, stored);
    }
    return WEFT_OK;
}

// No thread is inside any more, and no lock is held: files are committed or removed, results handed over, everything else freed.
void wf_run_finish(wf_run *run)
{
    if (run->opts.progress) wf_run_report(run);
    weft_status st = run->error.status;
    if (st == WEFT_OK) st = take_results(run);
    if (st == WEFT_OK) st = commit_sinks(run);
    if (st != WEFT_OK && run->error.status == WEFT_OK) wf_error_take(&run->error);
    abort_sinks(run);
    free_values(run);
}

wf_object *wf_run_take_result(wf_run *run, int r)
{
    wf_object *object = run->result[r];
    run->result[r] = NULL;
    return object;
}

void wf_run_get_progress(wf_run *run, wf_run_progress *out)
{
    double seconds = (double)(wf_clock_ns() - run->started_ns) * 1e-9;
    int64_t done = __atomic_load_n(&run->tasks_done, __ATOMIC_RELAXED);
    if (done > run->plan->ntask) done = run->plan->ntask;
    *out = (wf_run_progress){
        .done = done,
        .total = run->plan->ntask,
        .bytes = __atomic_load_n(&run->bytes, __ATOMIC_RELAXED),
        .seconds = seconds,
        .left = done > 0 ? seconds / (double)done * (double)(run->plan->ntask - done) : -1
    };
}

void wf_run_report(wf_run *run)
{
    wf_run_progress p;
    wf_run_get_progress(run, &p);
    run->opts.progress(run->opts.context, &p);
}

void wf_run_destroy(wf_run *run)
{
    if (!run) return;
    if (run->started_ns && !wf_run_is_over(run)) {
        wf_run_cancel(run);
        weft_status ignored = wf_run_wait(run, -1);
        (void)ignored;
    }
    free_run(run);
}

static weft_status remake(wf_run *run, int layer, int64_t task);

// TASK will be run again: its inputs have one more reader, and those that are gone are wanted again themselves.
static weft_status remake_inputs(wf_run *run, int layer, int64_t task)
{
    wf_block_refs refs = { 0 };
    weft_status st = wf_layer_reads(&run->plan->layer[layer], run->plan->value, task, &refs);
    for (int64_t i = 0; i < refs.count && st == WEFT_OK; i++) {
        wf_run_value *v = &run->value[refs.item[i].value];
        if (!v->block) continue;
        v->left[refs.item[i].block]++;
        if (!v->block[refs.item[i].block])
            st = remake(run, run->plan->value[refs.item[i].value].layer,
                        writer_of(run, refs.item[i].value, refs.item[i].block));
    }
    wf_free(refs.item);
    return st;
}

// Lineage: a finished task whose output is gone but needed is wanted again.
static weft_status remake(wf_run *run, int layer, int64_t task)
{
    if (!wf_sched_is_done(run->sched, layer, task)) return WEFT_OK;
    wf_stats_add(&run->engine->stats, WF_STAT_BLOCKS_RECOMPUTED, 1);
    WF_TRY(wf_sched_forget(run->sched, layer, task));
    return remake_inputs(run, layer, task);
}

// Every lost block of the run: its place is emptied, then its task reset. No thread is inside the run.
static weft_status forget_lost(wf_run *run)
{
    for (int v = 0; v < run->plan->nvalue; v++) {
        wf_run_value *value = &run->value[v];
        for (int64_t b = 0; value->block && b < value->nblock; b++) {
            if (!value->block[b] || !wf_block_is_lost(value->block[b])) continue;
            wf_block_release(value->block[b]);
            value->block[b] = NULL;
            WF_TRY(remake(run, run->plan->value[v].layer, writer_of(run, v, b)));
        }
    }
    return WEFT_OK;
}

// Where in the user's program the array was made: function and offset, or file and offset, for addr2line.
static void describe_site(const void *site, char *out, size_t size)
{
    Dl_info info;
    *out = 0;
    if (!site || !dladdr(site, &info) || !info.dli_fname) return;
    const char *slash = strrchr(info.dli_fname, '/');
    bool named = info.dli_sname != NULL;
    const char *from = named ? info.dli_saddr : info.dli_fbase;
    snprintf(out, size, ", made at %s+0x%zx",
             named   ? info.dli_sname
             : slash ? slash + 1
                     : info.dli_fname,
             (size_t)((const char *)site - from));
}

static void fail_run(wf_run *run, const wf_layer *layer, int64_t task, const wf_worker *worker)
{
    wf_error error;
    wf_error_take(&error);
    if (run->error.status != WEFT_OK) return;
    run->error = error;
    size_t n = strlen(run->error.text);
    if (!layer || error.status == WEFT_CANCELLED || n + 32 > sizeof run->error.text) return;
    char site[128];
    describe_site(layer->site, site, sizeof site);
    snprintf(run->error.text + n, sizeof run->error.text - n,
             " [in %s%s%s%s, block %" PRId64 " of %" PRId64 ", on %s%d%s]", layer->name,
             layer->label ? " \"" : "", layer->label ? layer->label : "", layer->label ? "\"" : "",
             task, layer->ntask, worker->dev->ops->kind, worker->device, site);
}

static weft_status run_range(wf_worker *worker, wf_run *run, const wf_range *range, int64_t *done)
{
    for (*done = 0; *done < range->count; ++*done) {
        if (__atomic_load_n(&run->cancelled, __ATOMIC_RELAXED))
            return wf_fail(WEFT_CANCELLED, "the request was cancelled");
        WF_TRY(wf_task_execute(worker, run, range->layer, range->first + *done));
        __atomic_add_fetch(&run->tasks_done, 1, __ATOMIC_RELAXED);
    }
    wf_stats_add(&worker->engine->stats, WF_STAT_TASKS, range->count);
    return WEFT_OK;
}

// LOSSES: of devices, when the range was begun.
static weft_status settle(wf_worker *worker, wf_run *run, const wf_range *range, int64_t done,
                          weft_status st, int64_t losses)
{
    const wf_engine *e = worker->engine;
    bool lost_device = e->lost[worker->device] || (st == WEFT_DEVICE && e->losses > losses);
    wf_range finished = { range->layer, range->first, done },
             rest = { range->layer, range->first + done, range->count - done };
    if (done > 0) WF_TRY(wf_sched_done(run->sched, &finished));
    if (rest.count == 0) return st;
    if (st != WEFT_LOST && !lost_device) return st;
    if (st == WEFT_LOST && __atomic_load_n(&run->hopeless, __ATOMIC_RELAXED)) return st;
    if (++run->retries > 1000)
        return wf_fail(WEFT_LOST, "%s: its inputs were lost too often",
                       run->plan->layer[range->layer].name);
    run->losses =
        true;  // an input was lost, or the device under the task: it is wanted again, inputs first
    wf_stats_add(&worker->engine->stats, WF_STAT_RETRIES, rest.count);
    return wf_sched_retry(run->sched, &rest, worker->device);
}

// One range of RUN on WORKER's device, if the scheduler has one. The engine's lock is held on entry and exit, not meanwhile.
weft_status wf_run_step(wf_worker *worker, wf_run *run, wf_sched_answer *answer)
{
    wf_engine *e = worker->engine;
    wf_range range;
    *answer = WF_SCHED_DONE;
    if (run->error.status == WEFT_OK && __atomic_load_n(&run->cancelled, __ATOMIC_RELAXED)) {
        weft_status cancelled = wf_fail(WEFT_CANCELLED, "the request was cancelled");
        (void)cancelled;
        fail_run(run, NULL, 0, worker);
    }
    if (run->error.status != WEFT_OK) return WEFT_OK;
    if (run->losses) {
        *answer = WF_SCHED_WAIT;
        if (run->active > 0) return WEFT_OK;  // the last one out looks
        run->losses = false;
        if (forget_lost(run) != WEFT_OK) fail_run(run, NULL, 0, worker);
    }
    *answer = wf_sched_next(run->sched, worker->device,
                            __atomic_load_n(&e->tight, __ATOMIC_RELAXED) > 0, &range);
    if (*answer == WF_SCHED_FAILED) fail_run(run, NULL, 0, worker);
    if (*answer != WF_SCHED_RUN) return WEFT_OK;

    run->active++;
    int64_t done, losses = e->losses;
    wf_mutex_unlock(&e->lock);
    weft_status st = run_range(worker, run, &range, &done);
    if (st == WEFT_DEVICE) wf_engine_check_devices(e);
    wf_mutex_lock(&e->lock);
    st = settle(worker, run, &range, done, st, losses);
    if (st != WEFT_OK) fail_run(run, &run->plan->layer[range.layer], range.first + done, worker);
    int64_t now = run->opts.progress ? wf_clock_ns() : 0;
    if (run->opts.progress && !run->reporting && now - run->last_progress_ns > 50000000) {
        run->reporting = true;
        run->last_progress_ns = now;
        wf_mutex_unlock(&e->lock);
        wf_run_report(run);
        wf_mutex_lock(&e->lock);
        run->reporting = false;
    }
    run->active--;
    return WEFT_OK;
}
