// SPDX-License-Identifier: Apache-2.0
// array - handles of arrays: made in a scope, looked at, named, detached, freed. A handle is a
// reference to an expression node and a place in one list; the node knows everything else.
#include <string.h>

#include "api/session.h"

// --- may it be used? ---

static weft_status fail_dead(const char *where, const weft_array *x)
{
    if (x->state == WF_ARRAY_HUSK)
        return wf_fail(WEFT_CLOSED, "%s: the session of this array is closed", where);
    if (x->state != WF_ARRAY_FREED)
        return wf_fail(WEFT_INVALID, "%s: this is no array, or no longer one", where);
    const char *label = x->freed_label;
    return wf_fail(
        WEFT_INVALID,
        "%s: %s%s%s was freed (its scope was reset or closed, or its session closed, or it was released)",
        where, label ? "array '" : "this array", label ? label : "", label ? "'" : "");
}

weft_status wf_array_check(const char *where, const weft_array *x)
{
    if (!x) return wf_null_status(where, "array");
    if (x->state != WF_ARRAY_ALIVE) return fail_dead(where, x);
    return wf_session_check(where, x->session);
}

bool wf_array_is_usable(const char *where, const weft_array *x)
{
    if (!x) {
        if (!wf_is_pending() && wf_null_status(where, "array") != WEFT_OK) wf_pend();
        return false;
    }
    weft_status st =
        x->state != WF_ARRAY_ALIVE ? fail_dead(where, x) : wf_session_check(where, x->session);
    if (st == WEFT_OK && x->node->kind == WF_NODE_SINK)
        st = wf_fail(WEFT_INVALID, "%s: a sink is no operand, only computed", where);
    if (st != WEFT_OK) wf_pend();
    return st == WEFT_OK;
}

weft_status wf_arrays_check(const char *where, int n, weft_array *const *arrays, weft_session **out)
{
    if (n < 0)
        return wf_fail(WEFT_INVALID, "%s: the number of arrays must be >= 0, got %d", where, n);
    if (n > 0 && !arrays)
        return wf_fail(WEFT_INVALID, "%s: the list of %d arrays is NULL", where, n);
    for (int i = 0; i < n; i++) {
        WF_TRY(wf_array_check(where, arrays[i]));
        if (arrays[i]->session != arrays[0]->session)
            return wf_fail(WEFT_INVALID, "%s: the arrays are of two sessions", where);
    }
    *out = n > 0 ? arrays[0]->session : NULL;
    return WEFT_OK;
}

bool wf_arrays_are_usable(const char *where, int n, weft_array *const *arrays)
{
    for (int i = 0; i < n; i++)
        if (!wf_array_is_usable(where, arrays[i])) return false;
    for (int i = 1; i < n; i++) {
        if (arrays[i]->session == arrays[0]->session) continue;
        (void)!wf_fail(WEFT_INVALID, "%s: the arrays are of two sessions", where);
        wf_pend();
        return false;
    }
    return true;
}

// --- lists ---

void wf_list_add(weft_session *session, wf_array_list *list, weft_array *x)
{
    wf_mutex *lock = wf_list_lock(session, list);

    wf_mutex_lock(lock);
    x->prev = NULL;
    x->next = list->first;
    if (list->first) list->first->prev = x;
    list->first = x;
    __atomic_store_n(&x->list, list, __ATOMIC_RELEASE);
    wf_mutex_unlock(lock);
}

// The list may be closed, and X handed on, by the thread that owns it, until its lock is held.
// Locks are found by address alone and live in the session, so that looking at a list that is gone
// does no harm.
wf_array_list *wf_list_remove(weft_array *x)
{
    for (;;) {
        wf_array_list *list = __atomic_load_n(&x->list, __ATOMIC_ACQUIRE);
        if (!list) return NULL;
        wf_mutex *lock = wf_list_lock(x->session, list);
        wf_mutex_lock(lock);
        if (x->list != list) {
            wf_mutex_unlock(lock);
            continue;
        }
        if (x->prev) x->prev->next = x->next;
        else list->first = x->next;
        if (x->next) x->next->prev = x->prev;
        x->prev = x->next = NULL;
        __atomic_store_n(&x->list, NULL, __ATOMIC_RELEASE);
        wf_mutex_unlock(lock);
        return list;
    }
}

// --- life ---

// What a call makes may be several nodes; those that nobody else has are of this call too.
static void set_site(wf_node *node, const void *site, int depth)
{
    if (node->site || __atomic_load_n(&node->refs, __ATOMIC_RELAXED) != 1) return;
    node->site = site;
    for (int i = 0; i < node->nin && depth > 0; i++) set_site(node->in[i], site, depth - 1);
}

weft_array *wf_array_create(weft_session *session, wf_node *node, const void *site)
{
    weft_array *x = wf_alloc(sizeof *x);
    if (!x) {
        wf_node_release(node);
        return wf_pend();
    }
    set_site(node, site, 8);
    x->state = WF_ARRAY_ALIVE;
    x->node = node;
    x->session = session;
    weft_scope *scope = wf_scope_top(session);
    wf_list_add(session, scope ? &scope->arrays : &session->arrays, x);
    return x;
}

weft_array *wf_array_give(weft_session *session, weft_status status, wf_node *node,
                          const void *site)
{
    return status == WEFT_OK ? wf_array_create(session, node, site) : wf_pend();
}

static weft_status inherit_label(weft_array *x, wf_node *node)
{
    weft_status st = WEFT_OK;

    wf_mutex_lock(&x->session->plan_lock);
    if (node != x->node && !node->label && x->node->label) {
        node->label = wf_strdup(x->node->label);
        if (!node->label) st = WEFT_NO_MEMORY;
    }
    wf_mutex_unlock(&x->session->plan_lock);
    return st;
}

weft_array *wf_array_give_view(weft_array *x, weft_status status, wf_node *node, const void *site)
{
    if (status == WEFT_OK) {
        status = inherit_label(x, node);
        if (status != WEFT_OK) wf_node_release(node);
    }
    return wf_array_give(x->session, status, node, site);
}

// "'u', 'v' and one without label"; nothing where none has one. Labels may be changed by other
// threads, so they are read under the lock.
static void add_labels(wf_text *text, int n, weft_array *const *arrays)
{
    bool any = false;

    wf_mutex_lock(&arrays[0]->session->plan_lock);
    for (int i = 0; i < n; i++) any |= arrays[i]->node->label != NULL;
    for (int i = 0; i < n && any; i++) {
        const char *label = arrays[i]->node->label;
        const char *comma = i == 0 ? "" : i == n - 1 ? " and " : ", ";
        wf_text_add(text, label ? "%s'%s'" : "%sone without label", comma, label);
    }
    wf_mutex_unlock(&arrays[0]->session->plan_lock);
}

weft_status wf_arrays_name(weft_status status, int n, weft_array *const *arrays)
{
    wf_text labels = { 0 };
    wf_error error;

    if (status != WEFT_INVALID || n > 8) return status;
    wf_error_take(&error);
    add_labels(&labels, n, arrays);
    if (labels.data && wf_text_status(&labels) == WEFT_OK)
        status = wf_fail(status, "%s; the arrays are %s", error.text, labels.data);
    else status = wf_error_raise(&error);
    wf_text_fini(&labels);
    return status;
}

static void free_grid(weft_array *x)
{
    if (!x->grid) return;
    wf_grid_fini(x->grid);
    wf_free(x->grid);
    x->grid = NULL;
}

void wf_array_free(weft_array *x)
{
    weft_session *session = x->session;
    bool keep = session && session->check;

    free_grid(x);
    x->state = WF_ARRAY_FREED;
    if (keep && x->node->label) x->freed_label = wf_strdup(x->node->label);
    wf_node_release(x->node);
    x->node = NULL;
    if (keep) wf_list_add(session, &session->freed, x);
    else {
        wf_free(x->freed_label);
        wf_free(x);
    }
}

weft_array *weft_array_detach(weft_array *x)
{
    if (!x) return NULL;
    if (x->state ==
        WF_ARRAY_HUSK) {  // its reference count still works: bindings hold husks like any other
        __atomic_add_fetch(&x->refs, 1, __ATOMIC_RELAXED);
        return x;
    }
    weft_status st = x->state == WF_ARRAY_ALIVE ? wf_session_check("array_detach", x->session)
                                                : fail_dead("array_detach", x);
    if (st != WEFT_OK) return wf_pend();
    if (__atomic_add_fetch(&x->refs, 1, __ATOMIC_ACQ_REL) == 1) {
        wf_list_remove(x);
        wf_list_add(x->session, &x->session->detached, x);
    }
    return x;
}

weft_array *weft_retain(weft_array *x)
{
    if (!x) return NULL;
    weft_status st = WEFT_OK;
    if (x->state != WF_ARRAY_ALIVE && x->state != WF_ARRAY_HUSK) st = fail_dead("retain", x);
    else if (__atomic_load_n(&x->refs, __ATOMIC_RELAXED) == 0)
        st = wf_fail(WEFT_INVALID, "retain: a scope owns this array; detach it first");
    if (st != WEFT_OK) return wf_pend();
    __atomic_add_fetch(&x->refs, 1, __ATOMIC_RELAXED);
    return x;
}

void weft_release(weft_array *x)
{
    if (!x || (x->state != WF_ARRAY_ALIVE && x->state != WF_ARRAY_HUSK)) return;
    if (__atomic_load_n(&x->refs, __ATOMIC_RELAXED) == 0) return;  // a scope frees it
    if (x->state == WF_ARRAY_ALIVE && wf_forked_since(x->session->forks)) return;
    if (__atomic_sub_fetch(&x->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
    if (x->state == WF_ARRAY_HUSK) {
        wf_free(x);
        return;
    }
    wf_list_remove(x);
    wf_array_free(x);
}

// --- looking ---

static bool is_alive(const weft_array *x) { return x && x->state == WF_ARRAY_ALIVE; }

int weft_array_ndim(const weft_array *x) { return is_alive(x) ? x->node->shape.ndim : -1; }

int64_t weft_array_dim(const weft_array *x, int axis)
{
    if (!is_alive(x)) return -1;
    int ndim = x->node->shape.ndim;
    if (axis < 0) axis += ndim;
    return axis >= 0 && axis < ndim ? x->node->shape.dim[axis] : -1;
}

const int64_t *weft_array_shape(const weft_array *x)
{
    return is_alive(x) ? x->node->shape.dim : NULL;
}

weft_dtype weft_array_dtype(const weft_array *x)
{
    return is_alive(x) ? (weft_dtype)x->node->dtype : WEFT_DTYPE_DEFAULT;
}

int64_t weft_array_size(const weft_array *x)
{
    return is_alive(x) ? wf_shape_size(&x->node->shape) : -1;
}

int64_t weft_array_nbytes(const weft_array *x)
{
    return is_alive(x)
               ? wf_shape_size(&x->node->shape) * (int64_t)wf_dtype_size((weft_dtype)x->node->dtype)
               : -1;
}

// The grid of X, as kept in the handle; NULL when memory is short. The plan lock is held.
static const wf_grid *look_at_grid(weft_array *x)
{
    wf_node *node = x->node;
    if (x->grid && x->grid_of == node->result) return x->grid;
    wf_grid grid;
    if (wf_node_grid(x->session, node, &grid)) return NULL;
    free_grid(x);
    x->grid = wf_alloc(sizeof *x->grid);
    if (!x->grid) {
        wf_grid_fini(&grid);
        return NULL;
    }
    *x->grid = grid;
    x->grid_of = node->result;
    return x->grid;
}

// Copies one axis of X's grid, with a share of its cuts.
static bool get_axis(const weft_array *x, int axis, int64_t index, int64_t *nblock, int64_t *dim)
{
    if (!is_alive(x) || wf_forked_since(x->session->forks)) return false;
    int ndim = x->node->shape.ndim;
    if (axis < 0) axis += ndim;
    if (axis < 0 || axis >= ndim) return false;

    wf_error before;
    wf_error_take(&before);  // accessors do not fail, and leave the last error alone
    wf_mutex_lock(&x->session->plan_lock);
    const wf_grid *grid = look_at_grid((weft_array *)x);  // a cache in the handle
    if (grid) {
        const wf_grid_axis *a = &grid->axis[axis];
        *nblock = a->nblock;
        if (index >= 0 && index < a->nblock)
            *dim = wf_axis_start(a, index + 1) - wf_axis_start(a, index);
    } else {
        (void)wf_error_raise(&before);
    }
    wf_mutex_unlock(&x->session->plan_lock);
    return grid != NULL;
}

int64_t weft_array_nblocks(const weft_array *x, int axis)
{
    int64_t n = -1, dim = -1;
    return get_axis(x, axis, -1, &n, &dim) ? n : -1;
}

int64_t weft_array_block_dim(const weft_array *x, int axis, int64_t index)
{
    int64_t n = -1, dim = -1;
    return get_axis(x, axis, index, &n, &dim) ? dim : -1;
}

bool weft_array_is_computed(const weft_array *x)
{
    if (!is_alive(x) || wf_forked_since(x->session->forks)) return false;
    wf_requests_harvest(x->session);
    wf_mutex_lock(&x->session->plan_lock);
    bool ready = wf_node_is_ready(x->node);
    wf_mutex_unlock(&x->session->plan_lock);
    return ready;
}

weft_session *weft_array_session(const weft_array *x) { return is_alive(x) ? x->session : NULL; }

const char *weft_array_label(const weft_array *x) { return is_alive(x) ? x->node->label : NULL; }

weft_array *weft_label(weft_array *x, const char *text)
{
    if (!x) return (void)wf_array_is_usable("label", x), NULL;
    weft_status st =
        x->state == WF_ARRAY_ALIVE ? wf_session_check("label", x->session) : fail_dead("label", x);
    if (st != WEFT_OK) return wf_pend();
    char *copy = text ? wf_strdup(text) : NULL;
    if (text && !copy) return wf_pend();
    wf_mutex_lock(&x->session->plan_lock);
    char *old = x->node->label;
    x->node->label = copy;
    wf_mutex_unlock(&x->session->plan_lock);
    wf_free(old);
    return x;
}
