// SPDX-License-Identifier: Apache-2.0
// read - the public calls that give what arrays hold: elements, plans as text, counters.
#include <string.h>

#include "api/session.h"

weft_status wf_array_check_readable(const char *where, const weft_array *x)
{
    WF_TRY(wf_array_check(where, x));
    return x->node->kind == WF_NODE_SINK
               ? wf_fail(WEFT_INVALID, "%s: a sink has no elements", where)
               : WEFT_OK;
}

weft_status weft_get(weft_array *x, weft_dtype as, void *out, size_t bytes)
{
    WF_TRY(wf_array_check_readable("get", x));
    weft_dtype dtype = (weft_dtype)x->node->dtype;
    if (!as) as = dtype;
    if (!wf_dtype_is_valid(as))
        return wf_fail(WEFT_INVALID, "get: expected a dtype, got the number %d", (int)as);
    if (!wf_dtype_can_cast(dtype, as))
        return wf_fail(WEFT_INVALID, "get: cannot read %s as %s safely", wf_dtype_name(dtype),
                       wf_dtype_name(as));
    size_t want = (size_t)wf_shape_size(&x->node->shape) * wf_dtype_size(as);
    if (bytes != want)
        return wf_fail(WEFT_INVALID, "get: expected room for %zu bytes, got %zu", want, bytes);
    if (bytes == 0) return WEFT_OK;
    if (!out) return wf_fail(WEFT_INVALID, "get: out is NULL");
    return wf_node_read(x->session, "get", x->node, NULL, as, out);
}

static weft_status check_item(const weft_array *x, const void *out)
{
    WF_TRY(wf_array_check_readable("item", x));
    int64_t n = wf_shape_size(&x->node->shape);
    if (n != 1)
        return wf_fail(WEFT_INVALID, "item: expected an array of one element, got %" PRId64, n);
    return out ? WEFT_OK : wf_fail(WEFT_INVALID, "item: out is NULL");
}

static weft_status read_item(weft_array *x, weft_dtype as, void *out)
{
    weft_dtype dtype = (weft_dtype)x->node->dtype;
    if (!wf_dtype_can_cast(dtype, as))
        return wf_fail(WEFT_INVALID, "item: cannot read %s as %s safely", wf_dtype_name(dtype),
                       wf_dtype_name(as));
    return wf_node_read(x->session, "item", x->node, NULL, as, out);
}

weft_status weft_item_f64(weft_array *x, double *out)
{
    double value;
    WF_TRY(check_item(x, out));
    WF_TRY(read_item(x, WEFT_FLOAT64, &value));
    *out = value;
    return WEFT_OK;
}

weft_status weft_item_i64(weft_array *x, int64_t *out)
{
    int64_t value;
    WF_TRY(check_item(x, out));
    if (x->node->dtype == WEFT_UINT64) {
        uint64_t wide;
        WF_TRY(wf_node_read(x->session, "item", x->node, NULL, WEFT_UINT64, &wide));
        if (wide > INT64_MAX)
            return wf_fail(WEFT_OVERFLOW, "item: %" PRIu64 " does not fit in int64", wide);
        value = (int64_t)wide;
    } else {
        WF_TRY(read_item(x, WEFT_INT64, &value));
    }
    *out = value;
    return WEFT_OK;
}

weft_status weft_item_c128(weft_array *x, double out[2])
{
    double value[2];
    WF_TRY(check_item(x, out));
    WF_TRY(read_item(x, WEFT_COMPLEX128, value));
    memcpy(out, value, sizeof value);
    return WEFT_OK;
}

// --- plans as text ---

// The random arrays of the plan, so that a run can be repeated with the seeds it drew.
static void print_seeds(const wf_outline *outline, wf_text *text)
{
    for (int64_t i = 0; i < outline->count; i++) {
        const wf_node *n = outline->node[i];
        if (n->kind != WF_NODE_RANDOM || n->result) continue;
        const wf_scalar *param = n->extra;
        wf_text_add(text, "  random%s%s: seed %" PRIu64 ", stream %" PRIu64 "\n",
                    n->label ? " " : "", n->label ? n->label : "", param[0].u, param[1].u);
    }
}

static weft_status print_plan(weft_session *s, int n, wf_node *const *root, wf_text *text)
{
    const wf_plan_options *opts = wf_session_plan_options(s);
    wf_plan *plan;

    wf_mutex_lock(&s->plan_lock);
    weft_status st = wf_outline_run(&s->outline, ++s->epoch, n, root, opts);
    if (st == WEFT_OK) st = wf_plan_build(&s->outline, n, root, opts, &plan);
    if (st == WEFT_OK) {
        wf_plan_print(plan, opts, true, text);
        print_seeds(&s->outline, text);
        wf_plan_release(plan);
    }
    wf_mutex_unlock(&s->plan_lock);
    return st;
}

// Arrays whose value is there need no plan.
static weft_status explain(weft_session *s, int n, wf_node **node, wf_text *text)
{
    int left = 0;

    wf_mutex_lock(&s->plan_lock);
    for (int i = 0; i < n; i++)
        if (!wf_node_is_ready(node[i])) node[left++] = node[i];
    wf_mutex_unlock(&s->plan_lock);
    if (left > 0) return print_plan(s, left, node, text);
    wf_text_add(text, "plan: nothing to do, all is computed\n");
    return WEFT_OK;
}

char *weft_plan_explain(int n, weft_array *const *arrays)
{
    weft_session *session;
    wf_text text = { 0 };

    if (wf_arrays_check("explain", n, arrays, &session) != WEFT_OK) return NULL;
    if (n == 0) {
        (void)!wf_fail(WEFT_INVALID, "explain: expected at least one array, got none");
        return NULL;
    }
    wf_node **node = wf_calloc((size_t)n, sizeof *node);
    if (!node) return NULL;
    for (int i = 0; i < n; i++) node[i] = arrays[i]->node;
    weft_status st = explain(session, n, node, &text);
    wf_free(node);
    if (st == WEFT_OK) return wf_text_take(&text);
    wf_text_fini(&text);
    return NULL;
}

char *weft_explain(weft_array *x) { return weft_plan_explain(1, &x); }

void weft_text_free(char *text) { wf_free(text); }

// --- counters ---

static void read_usage(weft_session *session, weft_session_stats *out)
{
    wf_store *store = wf_engine_store(session->engine);
    const wf_device_list *devices = wf_engine_devices(session->engine);
    wf_store_usage usage;

    wf_store_get_usage(store, -1, &usage);
    out->host_bytes = usage.used;
    out->disk_bytes = usage.spilled;
    for (int d = 0; d < devices->count; d++) {
        if (devices->device[d].info.host_visible) continue;
        wf_store_get_usage(store, d, &usage);
        out->device_bytes += usage.used;
    }
}

weft_status weft_stats(weft_session *session, weft_session_stats *out)
{
    int64_t v[WF_STAT_COUNT];
    weft_session_stats s;

    WF_TRY(wf_session_check("stats", session));
    if (!out) return wf_fail(WEFT_INVALID, "stats: out is NULL");
    memset(&s, 0, sizeof s);
    wf_stats_read(wf_engine_stats(session->engine), v);
    read_usage(session, &s);
    s.peak_bytes = v[WF_STAT_PEAK_BYTES];
    s.peak_spilled = v[WF_STAT_PEAK_SPILLED];
    s.bytes_read = v[WF_STAT_BYTES_READ];
    s.bytes_written = v[WF_STAT_BYTES_WRITTEN];
    s.bytes_spilled = v[WF_STAT_BYTES_SPILLED];
    s.bytes_unspilled = v[WF_STAT_BYTES_UNSPILLED];
    s.bytes_copied = v[WF_STAT_BYTES_COPIED];
    s.blocks_made = v[WF_STAT_BLOCKS_MADE];
    s.blocks_reused = v[WF_STAT_BLOCKS_REUSED];
    s.blocks_dropped = v[WF_STAT_BLOCKS_DROPPED];
    s.blocks_recomputed = v[WF_STAT_BLOCKS_RECOMPUTED];
    s.requests = v[WF_STAT_REQUESTS];
    s.tasks = v[WF_STAT_TASKS];
    s.retries = v[WF_STAT_RETRIES];
    s.plans_made = v[WF_STAT_PLANS_MADE];
    s.plans_cached = v[WF_STAT_PLANS_CACHED];
    s.programs_built = v[WF_STAT_PROGRAMS_BUILT];
    s.kernels_compiled = v[WF_STAT_KERNELS_COMPILED];
    s.fallbacks = v[WF_STAT_FALLBACKS];
    s.devices_lost = v[WF_STAT_DEVICES_LOST];
    *out = s;
    return WEFT_OK;
}
