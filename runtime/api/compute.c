// SPDX-License-Identifier: Apache-2.0
// compute - from arrays to a plan, from the plan to a run, and from the run back to the arrays:
// requests. Under the plan lock the graph is outlined, its plan found in the cache or built, and
// bound to a run; the run itself needs no lock. When it is over, each array's node becomes a leaf
// that holds the blocks, and what it was made of is let go.
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "api/session.h"
#include "base/clock.h"
#include "base/number.h"
#include "observe/log.h"

enum { INLINE_ROOTS = 8, INLINE_GRAVE = 32 };

struct weft_request {
    int refs;  // the user's, and one per thread that looks at it
    weft_session *session;
    wf_run *run;  // NULL: nothing was to be done
    const char *where;
    int nroot;
    wf_node **root;  // a reference each
    int ngrave;
    wf_node **grave;  // room for what the roots are made of, to be let go without a lock
    weft_request *prev, *next;
    bool listed;
    weft_progress_fn *progress;
    void *context;
    double timeout;
    int64_t deadline;  // 0: none
    atomic_bool timed_out;
    bool cached;  // its plan was found, not made
    bool logged;  // `before` is set
    int nlayer;   // of the plan
    int64_t ntask, task_bytes;
    wf_mutex lock;  // of what follows
    bool finished;  // results are handed over, and `error` stands
    wf_error error;
    wf_node *inline_root[INLINE_ROOTS];
    wf_node *inline_grave[INLINE_GRAVE];
    int64_t before[WF_STAT_COUNT];  // the session's counters when it began, for the log
};

// --- what needs computing ---

static bool is_done_sink(const wf_node *node)
{
    return node->kind == WF_NODE_SINK && node->nin == 0;  // what it was made of was let go
}

bool wf_node_is_ready(const wf_node *node)
{
    if (node->result || node->kind == WF_NODE_SCALAR || is_done_sink(node)) return true;
    return node->kind == WF_NODE_LEAF && node->object->type == WF_OBJECT_MEMORY;
}

static weft_status check_sink(const char *where, const wf_node *node)
{
    const wf_sink_leaf *sink = node->object->data;
    if (!sink->path || sink->create.overwrite || sink->create.region) return WEFT_OK;
    if (access(sink->path, F_OK) == 0)
        return wf_fail(WEFT_EXISTS, "%s: '%s' exists; set .overwrite to replace it", where,
                       sink->path);
    return WEFT_OK;
}

static weft_status check_sinks(const char *where, int n, wf_node *const *root)
{
    for (int i = 0; i < n; i++) {
        if (root[i]->kind != WF_NODE_SINK) continue;
        WF_TRY(check_sink(where, root[i]));
        const wf_sink_leaf *a = root[i]->object->data;
        for (int k = 0; k < i && a->path && !a->create.region; k++) {
            const wf_sink_leaf *b = root[k]->kind == WF_NODE_SINK ? root[k]->object->data : NULL;
            if (b && b->path && strcmp(a->path, b->path) == 0)
                return wf_fail(WEFT_INVALID, "%s: two sinks write to '%s'", where, a->path);
        }
    }
    return WEFT_OK;
}

// Keeps the nodes that need computing, once each. The plan lock is held.
static int pick_roots(weft_session *s, int n, wf_node *const *node, wf_node **root)
{
    uint64_t mark = ++s->epoch;
    int count = 0;
    for (int i = 0; i < n; i++) {
        if (wf_node_is_ready(node[i]) || node[i]->mark == mark) continue;
        node[i]->mark = mark;
        root[count++] = node[i];
    }
    return count;
}

// --- making a request ---

static void report(void *context, const wf_run_progress *p)
{
    weft_request *r = context;
    if (r->deadline && wf_clock_ns() >= r->deadline && !atomic_load(&r->timed_out)) {
        atomic_store(&r->timed_out, true);
        wf_run_cancel(r->run);
    }
    if (!r->progress) return;
    weft_progress told = { .blocks_done = p->done,
                           .blocks_total = p->total,
                           .bytes = p->bytes,
                           .seconds = p->seconds,
                           .eta = p->left };
    wf_callback_begin();
    r->progress(r->context, &told);
    (void)wf_callback_end("progress", WEFT_OK);
}

// Finds or builds the plan for the request's roots and binds it to a run. The plan lock is held.
static weft_status plan_request(weft_session *s, weft_request *r)
{
    const wf_plan_options *opts = wf_session_plan_options(s);
    wf_run_options run = { .progress = report, .context = r };

    WF_TRY(wf_outline_run(&s->outline, ++s->epoch, r->nroot, r->root, opts));
    wf_plan *plan = wf_plan_cache_find(&s->cache, &s->outline);
    r->cached = plan != NULL;
    if (plan) {
        wf_stats_add(wf_engine_stats(s->engine), WF_STAT_PLANS_CACHED, 1);
    } else {
        WF_TRY(wf_plan_build(&s->outline, r->nroot, r->root, opts, &plan));
        wf_stats_add(wf_engine_stats(s->engine), WF_STAT_PLANS_MADE, 1);
        wf_stats_add(wf_engine_stats(s->engine), WF_STAT_PROGRAMS_BUILT, plan->nprogram);
        wf_plan_cache_add(&s->cache, plan);
    }
    r->nlayer = plan->nlayer;
    r->ntask = plan->ntask;
    r->task_bytes = plan->task_bytes;
    weft_status st = wf_run_create(s->engine, plan, &s->outline.bind,
                                   r->progress || r->deadline ? &run : NULL, &r->run);
    wf_plan_release(plan);
    return st;
}

// --- what the log tells of it; no lock is held ---

static void log_plan(weft_request *r)
{
    char bytes[WF_NUMBER_TEXT];

    if (!wf_log_is_on(WF_LOG_WARN)) return;
    r->logged = true;
    wf_stats_read(wf_engine_stats(r->session->engine), r->before);
    wf_number_format_bytes(r->task_bytes, bytes);
    wf_log(WF_LOG_DEBUG, "%s: plan %s: %d layers, %" PRId64 " tasks, at most %s a task", r->where,
           r->cached ? "found in the cache" : "made", r->nlayer, r->ntask, bytes);
    for (int i = 0; i < r->nroot; i++) {
        const wf_sink_leaf *sink =
            r->root[i]->kind == WF_NODE_SINK ? r->root[i]->object->data : NULL;
        if (sink && sink->path) wf_log(WF_LOG_DEBUG, "%s: writing '%s'", r->where, sink->path);
    }
}

static void log_end(const weft_request *r, weft_status st)
{
    int64_t now[WF_STAT_COUNT];
    char read[WF_NUMBER_TEXT], written[WF_NUMBER_TEXT], spilled[WF_NUMBER_TEXT];

    if (!r->logged) return;
    wf_stats_read(wf_engine_stats(r->session->engine), now);
    for (int i = 0; i < WF_STAT_COUNT; i++) now[i] -= r->before[i];
    wf_number_format_bytes(now[WF_STAT_BYTES_READ], read);
    wf_number_format_bytes(now[WF_STAT_BYTES_WRITTEN], written);
    wf_number_format_bytes(now[WF_STAT_BYTES_SPILLED], spilled);
    if (now[WF_STAT_RETRIES] || now[WF_STAT_BLOCKS_RECOMPUTED])
        wf_log(WF_LOG_WARN, "%s: %" PRId64 " tasks begun again, %" PRId64 " blocks made again",
               r->where, now[WF_STAT_RETRIES], now[WF_STAT_BLOCKS_RECOMPUTED]);
    if (now[WF_STAT_FALLBACKS])
        wf_log(WF_LOG_WARN, "%s: a slower way was taken %" PRId64 " times", r->where,
               now[WF_STAT_FALLBACKS]);
    if (now[WF_STAT_BYTES_SPILLED])
        wf_log(WF_LOG_INFO, "%s: %s spilled to '%s', because memory was short", r->where, spilled,
               wf_settings_text(r->session->settings, WF_SETTING_SPILL_DIR));
    wf_log(WF_LOG_DEBUG, "%s: %s: %" PRId64 " tasks, %s read, %s written", r->where,
           st == WEFT_OK ? "done" : wf_status_name(st), now[WF_STAT_TASKS], read, written);
}

// Room for the roots, before any lock is taken.
static weft_status hold_roots(weft_request *r, int n)
{
    r->root = r->inline_root;
    if (n <= INLINE_ROOTS) return WEFT_OK;
    r->root = wf_calloc((size_t)n, sizeof *r->root);
    return r->root ? WEFT_OK : WEFT_NO_MEMORY;
}

static weft_status make_grave(weft_request *r)
{
    int64_t want = 0;
    for (int i = 0; i < r->nroot; i++) want += r->root[i]->nin;
    r->grave = r->inline_grave;
    if (want <= INLINE_GRAVE) return WEFT_OK;
    r->grave = wf_calloc((size_t)want, sizeof *r->grave);
    return r->grave ? WEFT_OK : WEFT_NO_MEMORY;
}

static weft_status check_options(const char *where, const weft_compute_options *opts)
{
    WF_TRY(WF_CHECK_TAIL(where, opts));
    if (opts && !(opts->timeout >= 0))
        return wf_fail(WEFT_INVALID, "%s: .timeout must be >= 0 seconds, got %g", where,
                       opts->timeout);
    return WEFT_OK;
}

static weft_status init_request(weft_request *r, weft_session *s, const char *where, int n,
                                wf_node *const *node, const weft_compute_options *opts)
{
    r->refs = 1;
    r->session = s;
    r->where = where;
    wf_mutex_init(&r->lock);
    if (opts) {
        r->progress = opts->progress;
        r->context = opts->context;
        r->timeout = opts->timeout;
        if (opts->timeout > 0)
            r->deadline = wf_clock_ns() + (int64_t)(fmin(opts->timeout, 1e9) * 1e9);
    }
    WF_TRY(hold_roots(r, n));

    wf_mutex_lock(&s->plan_lock);
    r->nroot = pick_roots(s, n, node, r->root);
    for (int i = 0; i < r->nroot; i++) wf_node_retain(r->root[i]);
    weft_status st = check_sinks(where, r->nroot, r->root);
    if (st == WEFT_OK) st = make_grave(r);
    if (st == WEFT_OK && r->nroot > 0) st = plan_request(s, r);
    wf_mutex_unlock(&s->plan_lock);
    if (st == WEFT_OK && r->run) log_plan(r);
    return st;
}

static void fini_request(weft_request *r)
{
    wf_run_destroy(r->run);
    for (int i = 0; i < r->nroot; i++) wf_node_release(r->root[i]);
    if (r->root != r->inline_root) wf_free(r->root);
    if (r->grave != r->inline_grave) wf_free(r->grave);
    wf_mutex_fini(&r->lock);
}

// --- handing results over ---

// NODE's data is RESULT now; what it was made of is let go, by way of the grave: releasing caller
// memory calls the caller, which must not happen under the plan lock.
static void settle_root(weft_request *r, wf_node *node, wf_object *result)
{
    if (result && node->result)
        wf_object_release(result);  // another request was first; blocks only
    else if (result) __atomic_store_n(&node->result, result, __ATOMIC_RELEASE);
    for (int i = 0; i < node->nin; i++) {
        wf_node_retain(node->in[i]);
        r->grave[r->ngrave++] = node->in[i];
    }
    wf_node_forget_inputs(node);
}

static void hand_over(weft_request *r)
{
    weft_session *s = r->session;

    wf_mutex_lock(&s->plan_lock);
    for (int i = 0; i < r->nroot; i++) {
        wf_object *result = wf_run_take_result(r->run, i);
        if (result || r->root[i]->kind == WF_NODE_SINK) settle_root(r, r->root[i], result);
    }
    wf_mutex_unlock(&s->plan_lock);
    for (int i = 0; i < r->ngrave; i++) wf_node_release(r->grave[i]);
    r->ngrave = 0;
}

// Notes how the run, which is over, ended, once; returns that.
static weft_status finish(weft_request *r, weft_status st)
{
    wf_mutex_lock(&r->lock);
    bool first = !r->finished;
    if (first) {
        if (st == WEFT_OK) hand_over(r);
        else if (atomic_load(&r->timed_out) && st == WEFT_CANCELLED)
            st = wf_fail(WEFT_TIMEOUT, "%s: not done after %g s", r->where, r->timeout);
        if (st != WEFT_OK) wf_error_take(&r->error);
        __atomic_store_n(&r->finished, true, __ATOMIC_RELEASE);
    }
    wf_mutex_unlock(&r->lock);
    if (first) log_end(r, r->error.status);
    return wf_error_raise(&r->error);
}

static weft_status wait_request(weft_request *r, double seconds)
{
    if (!r->run) return WEFT_OK;
    if (!__atomic_load_n(&r->finished, __ATOMIC_ACQUIRE)) {
        weft_status st = wf_run_wait(r->run, seconds);
        if (st == WEFT_TIMEOUT && !wf_run_is_over(r->run))
            return wf_fail(st, "wait: the request has not ended after %g s", seconds);
        return finish(r, st);
    }
    return wf_error_raise(&r->error);
}

// Waits to the end, or to the deadline and then, cancelled, to the end.
static weft_status wait_whole(weft_request *r)
{
    if (!r->deadline) return wait_request(r, -1);
    double left = (double)(r->deadline - wf_clock_ns()) * 1e-9;
    weft_status st = wait_request(r, left > 0 ? left : 0);
    if (st != WEFT_TIMEOUT || wf_run_is_over(r->run)) return st;
    atomic_store(&r->timed_out, true);
    wf_run_cancel(r->run);
    return wait_request(r, -1);
}

// --- requests in flight ---

static weft_request *retain_request(weft_request *r)
{
    __atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
    return r;
}

static void release_request(weft_request *r)
{
    if (__atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
    fini_request(r);
    wf_free(r);
}

static void list_request(weft_request *r)
{
    weft_session *s = r->session;
    wf_mutex_lock(&s->request_lock);
    r->next = s->requests;
    if (r->next) r->next->prev = r;
    s->requests = r;
    r->listed = true;
    atomic_fetch_add(&s->nrequest, 1);
    wf_mutex_unlock(&s->request_lock);
}

// True for the caller that took it off the list.
static bool unlist_request(weft_request *r)
{
    weft_session *s = r->session;
    wf_mutex_lock(&s->request_lock);
    bool listed = r->listed;
    if (listed) {
        if (r->prev) r->prev->next = r->next;
        else s->requests = r->next;
        if (r->next) r->next->prev = r->prev;
        r->prev = r->next = NULL;
        r->listed = false;
        atomic_fetch_sub(&s->nrequest, 1);
    }
    wf_mutex_unlock(&s->request_lock);
    return listed;
}

static bool is_root(const weft_request *r, int n, wf_node *const *node)
{
    for (int i = 0; i < r->nroot; i++)
        for (int k = 0; k < n; k++)
            if (r->root[i] == node[k]) return true;
    return false;
}

// A request that has ended and was not handed over, or that is computing one of the N nodes now:
// retained, or NULL.
static weft_request *find_request(weft_session *s, int n, wf_node *const *node)
{
    wf_mutex_lock(&s->request_lock);
    weft_request *r = s->requests;
    while (r && (__atomic_load_n(&r->finished, __ATOMIC_ACQUIRE) || !r->run ||
                 !(wf_run_is_over(r->run) || is_root(r, n, node))))
        r = r->next;
    if (r) retain_request(r);
    wf_mutex_unlock(&s->request_lock);
    return r;
}

// Whoever needs an array that a request is computing waits for that instead of computing it again.
// How it ended is that request's business.
static void harvest(weft_session *s, int n, wf_node *const *node)
{
    if (atomic_load_explicit(&s->nrequest, memory_order_relaxed) == 0) return;
    wf_error before;
    wf_error_take(&before);
    for (weft_request *r; (r = find_request(s, n, node));) {
        (void)wait_request(r, -1);
        release_request(r);
    }
    (void)wf_error_raise(&before);
}

void wf_requests_harvest(weft_session *session) { harvest(session, 0, NULL); }

void wf_requests_close(weft_session *session)
{
    for (weft_request *r = session->requests; r; r = r->next)
        if (r->run) wf_run_cancel(r->run);
    while (session->requests) weft_request_free(session->requests);
}

// --- the calls ---

weft_status wf_compute_nodes(weft_session *session, const char *where, int n, wf_node *const *node,
                             const weft_compute_options *opts)
{
    WF_TRY(wf_callback_refuse(where));
    harvest(session, n, node);
    weft_request r;
    memset(&r, 0, offsetof(weft_request, error));
    r.error.status = WEFT_OK;
    weft_status st = init_request(&r, session, where, n, node, opts);
    if (st == WEFT_OK && r.run) {
        st = wf_run_start(r.run, !r.deadline);
        if (st == WEFT_OK) st = wait_whole(&r);
    }
    fini_request(&r);
    return st;
}

// The nodes of N handles, in SMALL if they fit there.
static wf_node **nodes_of(int n, weft_array *const *arrays, wf_node **small, int capacity)
{
    wf_node **node = n <= capacity ? small : wf_calloc((size_t)n, sizeof *node);
    for (int i = 0; node && i < n; i++) node[i] = arrays[i]->node;
    return node;
}

weft_status weft_compute(int n, weft_array *const *arrays, const weft_compute_options *opts)
{
    weft_session *session;
    wf_node *small[INLINE_ROOTS];

    WF_TRY(wf_arrays_check("compute", n, arrays, &session));
    WF_TRY(check_options("compute", opts));
    if (n == 0) return WEFT_OK;
    wf_node **node = nodes_of(n, arrays, small, INLINE_ROOTS);
    if (!node) return WEFT_NO_MEMORY;
    weft_status st = wf_compute_nodes(session, "compute", n, node, opts);
    if (node != small) wf_free(node);
    return st;
}

static weft_status start_request(weft_session *session, int n, weft_array *const *arrays,
                                 const weft_compute_options *opts, weft_request **out)
{
    wf_node *small[INLINE_ROOTS];
    wf_node **node = nodes_of(n, arrays, small, INLINE_ROOTS);
    weft_request *r = wf_alloc(sizeof *r);
    weft_status st = node && r ? WEFT_OK : WEFT_NO_MEMORY;

    if (st == WEFT_OK) {
        harvest(session, 0, NULL);
        st = init_request(r, session, "start", n, node, opts);
        if (st == WEFT_OK && r->run) {
            st = wf_run_start(r->run, false);
        }
        if (st != WEFT_OK) fini_request(r);
    }
    if (node != small) wf_free(node);
    if (st != WEFT_OK) {
        wf_free(r);
        return st;
    }
    list_request(r);
    *out = r;
    return WEFT_OK;
}

weft_request *weft_start(int n, weft_array *const *arrays, const weft_compute_options *opts)
{
    weft_session *session;
    weft_request *request = NULL;
    weft_status st = wf_arrays_check("start", n, arrays, &session);
    if (st == WEFT_OK && n == 0)
        st = wf_fail(WEFT_INVALID, "start: expected at least one array, got none");
    if (st == WEFT_OK) st = check_options("start", opts);
    if (st == WEFT_OK) st = start_request(session, n, arrays, opts, &request);
    if (st != WEFT_OK) wf_pend();
    return request;
}

weft_status weft_wait(weft_request *request, double seconds)
{
    if (!request) return wf_null_status("wait", "request");
    if (seconds != seconds) return wf_fail(WEFT_INVALID, "wait: seconds must be a number, got nan");
    WF_TRY(wf_session_check("wait", request->session));
    WF_TRY(wf_callback_refuse("wait"));
    return wait_request(request, seconds);
}

bool weft_request_done(const weft_request *request)
{
    return !request || !request->run || __atomic_load_n(&request->finished, __ATOMIC_ACQUIRE) ||
           wf_run_is_over(request->run);
}

void weft_cancel(weft_request *request)
{
    if (request && request->run) wf_run_cancel(request->run);
}

void weft_request_free(weft_request *request)
{
    if (!request || wf_forked_since(request->session->forks) || !unlist_request(request)) return;
    wf_error before;
    wf_error_take(&before);
    weft_cancel(request);
    if (!__atomic_load_n(&request->finished, __ATOMIC_ACQUIRE)) (void)wait_request(request, -1);
    (void)wf_error_raise(&before);
    release_request(request);
}

// --- reading ---

wf_object *wf_node_get_data(weft_session *session, const wf_node *node)
{
    wf_object *object = NULL;
    wf_mutex_lock(&session->plan_lock);
    if (node->result) object = node->result;
    else if (node->kind == WF_NODE_LEAF && wf_object_header(node->object)->direct)
        object = node->object;
    if (object) wf_object_retain(object);
    wf_mutex_unlock(&session->plan_lock);
    return object;
}

// VALUE, which float16 can represent, as its bits.
static uint16_t half_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, exponent = bits >> 23 & 0xff, fraction = bits & 0x7fffff;
    if (exponent == 0xff) return (uint16_t)(sign | 0x7c00 | (fraction ? 0x200 : 0));
    if (exponent > 112) return (uint16_t)(sign | (exponent - 112) << 10 | fraction >> 13);
    return (uint16_t)(exponent < 102 ? sign : sign | (fraction | 0x800000) >> (126 - exponent));
}

static uint16_t bfloat_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)(value == value ? bits >> 16 : 0x7fc0);
}

static weft_status read_scalar(wf_node *node, weft_dtype as, void *out)
{
    wf_node *cast;
    WF_TRY(wf_make_scalar_as(node, as, &cast));
    if (wf_dtype_is_half(as)) {
        uint16_t half =
            as == WEFT_FLOAT16 ? half_bits(cast->scalar.f32) : bfloat_bits(cast->scalar.f32);
        memcpy(out, &half, sizeof half);
    } else {
        memcpy(out, cast->scalar.bytes, wf_dtype_size(as));
    }
    wf_node_release(cast);
    return WEFT_OK;
}

weft_status wf_node_read(weft_session *session, const char *where, wf_node *node, const wf_box *box,
                         weft_dtype as, void *out)
{
    if (node->kind == WF_NODE_SCALAR) return read_scalar(node, as, out);
    wf_object *object = wf_node_get_data(session, node);
    if (!object) {
        WF_TRY(wf_compute_nodes(session, where, 1, &node, NULL));
        object = wf_node_get_data(session, node);
        if (!object)
            return wf_fail(WEFT_INTERNAL, "%s: a %s was computed and has no blocks", where,
                           wf_node_kind_name(node->kind));
    }
    wf_box whole = wf_box_whole(&node->shape);
    weft_status st = wf_engine_read(session->engine, object, box ? box : &whole, as, out);
    wf_object_release(object);
    return st;
}

weft_status wf_node_read_list(weft_session *session, const char *where, wf_node *node,
                              wf_list **out)
{
    wf_list *list;
    wf_node *flat;
    int64_t count = wf_shape_size(&node->shape);

    WF_TRY(wf_list_create(count, &list));
    weft_status st = wf_make_reshape(node, 1, &count, &flat);
    if (st == WEFT_OK) {
        wf_node *wide;
        st = wf_make_cast(flat, WEFT_INT64, &wide);
        if (st == WEFT_OK) {
            st = count ? wf_node_read(session, where, wide, NULL, WEFT_INT64, list->item) : WEFT_OK;
            wf_node_release(wide);
        }
        wf_node_release(flat);
    }
    if (st == WEFT_OK) *out = list;
    else wf_list_release(list);
    return st;
}
