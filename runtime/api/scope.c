// SPDX-License-Identifier: Apache-2.0
// scope - what frees arrays: a stack of scopes per session and thread. A thread finds its innermost
// scope in a small cache of its own, so that making an array looks at nothing shared; only when the
// cache was used for another session in between are the session's open scopes searched.
#include "api/session.h"

enum { SCOPE_ALIVE = 0x73636f70, CACHE_SIZE = 8 };

static _Thread_local struct {
    uint64_t session;  // id; 0: empty
    weft_scope *top;   // NULL: this thread has no open scope there
} cache[CACHE_SIZE];

static uint64_t thread_id(void)
{
    static atomic_uint_fast64_t last;
    static _Thread_local uint64_t id;
    if (!id) id = atomic_fetch_add(&last, 1) + 1;
    return id;
}

static weft_scope *search_top(weft_session *session)
{
    uint64_t me = thread_id();
    weft_scope *best = NULL;

    wf_mutex_lock(&session->scope_lock);
    for (weft_scope *s = session->scopes; s; s = s->next)
        if (s->thread == me && (!best || s->depth > best->depth)) best = s;
    wf_mutex_unlock(&session->scope_lock);
    return best;
}

weft_scope *wf_scope_top(weft_session *session)
{
    int slot = (int)(session->id % CACHE_SIZE);
    if (cache[slot].session != session->id) {
        cache[slot].top = search_top(session);
        cache[slot].session = session->id;
    }
    return cache[slot].top;
}

static void set_top(weft_session *session, weft_scope *top)
{
    int slot = (int)(session->id % CACHE_SIZE);
    cache[slot].session = session->id;
    cache[slot].top = top;
}

weft_scope *weft_scope_open(weft_session *session)
{
    if (wf_session_check("scope_open", session)) return (void)wf_pend(), NULL;
    weft_scope *scope = wf_alloc(sizeof *scope);
    if (!scope) return (void)wf_pend(), NULL;
    scope->state = SCOPE_ALIVE;
    scope->thread = thread_id();
    scope->session = session;
    scope->outer = wf_scope_top(session);
    scope->depth = scope->outer ? scope->outer->depth + 1 : 1;

    wf_mutex_lock(&session->scope_lock);
    scope->next = session->scopes;
    if (scope->next) scope->next->prev = scope;
    session->scopes = scope;
    wf_mutex_unlock(&session->scope_lock);
    set_top(session, scope);
    return scope;
}

static weft_array *take_first(weft_session *session, wf_array_list *list)
{
    wf_mutex *lock = wf_list_lock(session, list);
    wf_mutex_lock(lock);
    weft_array *x = list->first;
    wf_mutex_unlock(lock);
    if (x) wf_list_remove(x);
    return x;
}

static void free_arrays(weft_session *session, wf_array_list *list)
{
    for (weft_array *x; (x = take_first(session, list));) wf_array_free(x);
}

static void move_arrays(weft_session *session, wf_array_list *from, wf_array_list *to)
{
    for (weft_array *x; (x = take_first(session, from));) wf_list_add(session, to, x);
}

// Frees SCOPE, whose arrays are gone.
static void destroy_scope(weft_scope *scope)
{
    weft_session *session = scope->session;

    wf_mutex_lock(&session->scope_lock);
    if (scope->prev) scope->prev->next = scope->next;
    else session->scopes = scope->next;
    if (scope->next) scope->next->prev = scope->prev;
    wf_mutex_unlock(&session->scope_lock);
    scope->state = 0;
    wf_free(scope);
}

static weft_status check_keep(const char *where, const weft_scope *scope, int n,
                              weft_array *const *keep)
{
    if (!scope) return wf_null_status(where, "scope");
    if (scope->state != SCOPE_ALIVE)
        return wf_fail(WEFT_INVALID, "%s: this scope is closed", where);
    WF_TRY(wf_session_check(where, scope->session));
    if (scope->thread != thread_id())
        return wf_fail(WEFT_INVALID, "%s: another thread opened this scope", where);
    weft_session *session;
    WF_TRY(wf_arrays_check(where, n, keep, &session));
    if (session && session != scope->session)
        return wf_fail(WEFT_INVALID, "%s: the arrays are of another session", where);
    return WEFT_OK;
}

// Whether LIST is SCOPE's or that of a scope inside it.
static bool is_inside(weft_scope *top, const weft_scope *scope, const wf_array_list *list)
{
    for (weft_scope *s = top;; s = s->outer) {
        if (list == &s->arrays) return true;
        if (s == scope) return false;
    }
}

// Frees all arrays of SCOPE and of those inside it but the N in KEEP, which go to KEPT; closes the
// scopes inside.
static void empty_scope(weft_scope *scope, int n, weft_array *const *keep, wf_array_list *kept)
{
    weft_session *session = scope->session;
    weft_scope *top = wf_scope_top(session);

    for (int i = 0; i < n; i++) {
        wf_array_list *list = __atomic_load_n(&keep[i]->list, __ATOMIC_ACQUIRE);
        if (!list || !is_inside(top, scope, list)) continue;
        wf_list_remove(keep[i]);
        wf_list_add(session, kept, keep[i]);
    }
    while (top != scope) {
        weft_scope *outer = top->outer;
        free_arrays(session, &top->arrays);
        destroy_scope(top);
        top = outer;
    }
    set_top(session, scope);
    free_arrays(session, &scope->arrays);
}

weft_status weft_scope_reset(weft_scope *scope, int n, weft_array *const *keep)
{
    WF_TRY(check_keep("scope_reset", scope, n, keep));
    wf_array_list kept = { NULL };

    empty_scope(scope, n, keep, &kept);
    move_arrays(scope->session, &kept, &scope->arrays);
    return WEFT_OK;
}

weft_status weft_scope_close(weft_scope *scope, int n, weft_array *const *keep)
{
    WF_TRY(check_keep("scope_close", scope, n, keep));
    weft_session *session = scope->session;
    weft_scope *outer = scope->outer;
    wf_array_list kept = { NULL };

    empty_scope(scope, n, keep, &kept);
    move_arrays(session, &kept, outer ? &outer->arrays : &session->arrays);
    set_top(session, outer);
    destroy_scope(scope);
    return WEFT_OK;
}

void wf_scopes_free(weft_session *session)
{
    while (session->scopes) {
        weft_scope *scope = session->scopes;
        free_arrays(session, &scope->arrays);
        destroy_scope(scope);
    }
    set_top(session, NULL);
}
