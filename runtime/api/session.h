// SPDX-License-Identifier: Apache-2.0
// session - what the public calls share: the session, the handles of arrays, scopes, pending
// errors, and the way from a handle to its node and back. Not the operations: those are one-line
// definitions in the files beside. Locks, in the order in which they may be taken: request_lock,
// plan_lock, list_lock. No callback of a user's, and no release of caller memory, runs under any of
// them.
#ifndef WF_API_SESSION_H
#define WF_API_SESSION_H

#include <stdatomic.h>

#include "array/cut.h"
#include "exec/engine.h"
#include "graph/make.h"
#include "plan/plan.h"
#include "weft.h"

#define SITE __builtin_return_address(0)  // in a public function: the place in the user's program

// A handle. It is in exactly one list: its scope's, the session's, or the session's list of
// detached arrays.
enum { WF_ARRAY_ALIVE = 0x77656674, WF_ARRAY_FREED = 0x64656164, WF_ARRAY_HUSK = 0x6875736b };
typedef struct wf_array_list wf_array_list;
struct weft_array {
    wf_node *node;          // one reference; NULL in a husk
    weft_session *session;  // NULL in a husk
    uint32_t state;  // WF_ARRAY_*; not in the first 16 bytes, which the C library's heap reuses
    int32_t refs;    // of a detached array; 0: a list owns it
    wf_array_list *list;  // guarded by its list_lock
    weft_array *prev, *next;
    wf_grid *grid;        // as last looked at; under the plan lock
    const void *grid_of;  // the result that it was of
    char *freed_label;    // WEFT_CHECK: what a freed handle was called
};

struct wf_array_list {
    weft_array *first;
};

struct weft_scope {
    uint32_t state;
    int depth;
    uint64_t thread;  // the only one that may reset and close it
    weft_session *session;
    weft_scope *outer;        // of the same thread
    weft_scope *prev, *next;  // all open scopes of the session
    wf_array_list arrays;
};

enum { WF_LIST_LOCKS = 16 };

// Anything else that the session frees when it closes: kernels. First member of the object.
typedef struct wf_owned {
    struct wf_owned *prev, *next;
    void (*destroy)(struct wf_owned *owned);
} wf_owned;

struct weft_session {
    atomic_bool open;
    bool on_heap;    // not in one of the places that outlive it
    uint64_t id;     // never used again
    uint64_t forks;  // of this process when it was opened
    bool check;      // WEFT_CHECK: freed handles are kept and named
    wf_settings *settings;
    wf_engine *engine;

    wf_mutex plan_lock;  // outline, cache, epoch, and results and marks of nodes
    wf_plan_cache cache;
    wf_outline outline;
    uint64_t epoch;

    wf_mutex list_lock[WF_LIST_LOCKS];  // by list: wf_list_lock
    wf_array_list arrays, detached, freed;
    wf_mutex scope_lock;  // scopes, owned
    weft_scope *scopes;
    wf_owned *owned;

    wf_mutex request_lock;
    weft_request *requests;
    atomic_int nrequest;

    uint64_t entropy;             // seed of random arrays without one
    atomic_uint_fast64_t stream;  // last one given out
};

wf_engine *wf_session_engine(weft_session *session);  // tests only

// --- errors (error.c) ---

// Makes this thread's last error its pending one, unless one is pending; returns NULL.
weft_array *wf_pend(void);
bool wf_is_pending(void);
// What a working call returns that was given NULL: the pending error, or WEFT_INVALID "WHERE: WHAT
// is NULL and no call on this thread failed", or that the thread's last failure was told before.
weft_status wf_null_status(const char *where, const char *what);
void wf_pending_clear(void);

// Around every call of a function of the user's: inside, waiting is WEFT_BUSY. END returns STATUS
// as this thread's last error: the sentence given to weft_error_set, else "WHAT returned WEFT_IO".
void wf_callback_begin(void);
weft_status wf_callback_end(const char *what, weft_status status);
// WEFT_BUSY "WHERE: waiting in a callback would never end" inside one.
weft_status wf_callback_refuse(const char *where) WEFT_WARN_UNUSED;

// WEFT_INVALID unless the COUNT words of an options struct's tail are zero: "NAME options: reserved
// field is set; ...".
weft_status wf_reserved_check(const char *name, const uint64_t *reserved,
                              int count) WEFT_WARN_UNUSED;
#define WF_CHECK_TAIL(name, opts)                                                          \
    ((opts) ? wf_reserved_check(name, (opts)->reserved, (int)(sizeof(opts)->reserved / 8)) \
            : WEFT_OK)

// --- sessions (session.c) ---

// WEFT_INVALID for NULL, WEFT_CLOSED after fork or weft_close.
weft_status wf_session_check(const char *where, const weft_session *session) WEFT_WARN_UNUSED;
// The settings that OPTS ask for. Reads files and environment. Gives.
weft_status wf_session_settings(const weft_options *opts, wf_settings **out) WEFT_WARN_UNUSED;
void wf_session_own(weft_session *session, wf_owned *owned, void (*destroy)(wf_owned *));
void wf_session_disown(weft_session *session, wf_owned *owned);
bool wf_forked_since(uint64_t forks);
static inline wf_mutex *wf_list_lock(weft_session *session, const wf_array_list *list)
{
    return &session->list_lock[((uintptr_t)list >> 6) % WF_LIST_LOCKS];
}
static inline const wf_plan_options *wf_session_plan_options(const weft_session *session)
{
    return wf_engine_plan_options(session->engine);
}

// --- handles (array.c) ---

// For lazy calls: whether X can be used; else an error is pending. NULL where none was pending is
// said to be NULL, here rather than at the end of the chain.
bool wf_array_is_usable(const char *where, const weft_array *x);
// For working calls: NULL gives the pending error, freed arrays WEFT_INVALID, husks WEFT_CLOSED.
weft_status wf_array_check(const char *where, const weft_array *x) WEFT_WARN_UNUSED;
// And that it has elements: that it is no sink.
weft_status wf_array_check_readable(const char *where, const weft_array *x) WEFT_WARN_UNUSED;
// The same for N arrays of one session; *OUT is the session. ARRAYS may hold NULLs: the first
// decides.
weft_status wf_arrays_check(const char *where, int n, weft_array *const *arrays,
                            weft_session **out) WEFT_WARN_UNUSED;
// For lazy calls with several operands: all usable, none a sink, of one session.
bool wf_arrays_are_usable(const char *where, int n, weft_array *const *arrays);
// A handle for NODE in the innermost scope. Takes NODE in any case. NULL, and the error pending,
// when memory is short.
weft_array *wf_array_create(weft_session *session, wf_node *node, const void *site);
// What ends a lazy call: a handle for *NODE when STATUS is WEFT_OK; else the error becomes pending,
// and NULL.
weft_array *wf_array_give(weft_session *session, weft_status status, wf_node *node,
                          const void *site);
// The same for what shows X in another shape or grid: it keeps X's label.
weft_array *wf_array_give_view(weft_array *x, weft_status status, wf_node *node, const void *site);
// STATUS; if it is WEFT_INVALID and some of the N arrays have labels, the error's sentence now names
// them. For calls on several arrays.
weft_status wf_arrays_name(weft_status status, int n, weft_array *const *arrays);
void wf_array_free(weft_array *x);  // in no list; frees or, with WEFT_CHECK, keeps aside
void wf_list_add(weft_session *session, wf_array_list *list, weft_array *x);
// Unlinks X from whatever list it is in and returns that.
wf_array_list *wf_list_remove(weft_array *x);

// --- scopes (scope.c) ---

// This thread's innermost open scope in SESSION, or NULL.
weft_scope *wf_scope_top(weft_session *session);
void wf_scopes_free(weft_session *session);  // all of all threads, at close

// --- computing (compute.c) ---

// Computes N nodes (duplicates are fine) in one plan and waits. WHERE begins the errors of this
// layer.
weft_status wf_compute_nodes(weft_session *session, const char *where, int n, wf_node *const *node,
                             const weft_compute_options *opts) WEFT_WARN_UNUSED;
// The object that holds NODE's elements, retained, or NULL: not computed. A SCALAR has none.
wf_object *wf_node_get_data(weft_session *session, const wf_node *node);
// Computes NODE if need be and copies BOX (NULL: all of it) as dtype AS to OUT, in C order.
weft_status wf_node_read(weft_session *session, const char *where, wf_node *node, const wf_box *box,
                         weft_dtype as, void *out) WEFT_WARN_UNUSED;
// Computes an integer or bool NODE and gives its elements, flattened, as a list.
weft_status wf_node_read_list(weft_session *session, const char *where, wf_node *node,
                              wf_list **out) WEFT_WARN_UNUSED;
bool wf_node_is_ready(const wf_node *node);     // under the plan lock: nothing to compute
void wf_requests_close(weft_session *session);  // cancels, waits, frees all
// Requests that ended and that nobody waited for hand their results to their arrays.
void wf_requests_harvest(weft_session *session);

// The grid on which a user sees NODE cut. *out owns its cuts. wf_node_grid: under the plan lock.
weft_status wf_node_grid(const weft_session *session, wf_node *node, wf_grid *out) WEFT_WARN_UNUSED;
weft_status wf_session_grid(weft_session *session, wf_node *node, wf_grid *out) WEFT_WARN_UNUSED;
// A source is read on the grid that is asked for: gives *OUT, a leaf over the same source cut by
// GRID, or NULL where X is none, or its chunks do not allow it.
weft_status wf_leaf_recut(weft_session *session, wf_node *x, const wf_grid *grid,
                          wf_node **out) WEFT_WARN_UNUSED;
// The default grid of what has none of its own.
weft_status wf_default_grid(const weft_session *session, const wf_shape *shape, weft_dtype dtype,
                            wf_grid *out) WEFT_WARN_UNUSED;

// --- pieces of operations that others use too ---

// VALUE as a scalar node of DTYPE (0: FLOAT64, INT64, COMPLEX128), strong. WEFT_INVALID or
// WEFT_OVERFLOW where DTYPE cannot hold it.
weft_status wf_scalar_f64(const char *where, weft_dtype dtype, double value,
                          wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_scalar_i64(const char *where, weft_dtype dtype, int64_t value,
                          wf_node **out) WEFT_WARN_UNUSED;
weft_status wf_scalar_c128(const char *where, weft_dtype dtype, double re, double im,
                           wf_node **out) WEFT_WARN_UNUSED;
// WEFT_INVALID if values of dtype VALUE are of a higher kind than TARGET: floats for integers.
weft_status wf_check_holds(const char *where, weft_dtype target, weft_dtype value) WEFT_WARN_UNUSED;
// Selections: the part of X that a selection names, and X with it replaced.
void wf_selection_map(const wf_selection *sel, int ndim, wf_shape *shape, wf_map *map);

#endif
