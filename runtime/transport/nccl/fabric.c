// SPDX-License-Identifier: Apache-2.0
// fabric - the table: what callers ask of a member, and the loop of the member's thread.
//
// Tickets are numbers in the order of the queue, so that three of them say how everything stands:
// DONE, all up to it are; FENCE, what is before it was given up for a shrink; and with STATUS set,
// all after DONE have failed.
#include "transport/nccl/fabric.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const weft_host *wf_nccl_host;

#define FAIL(...) wf_nccl_host->fail(__VA_ARGS__)

int64_t wf_nccl_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void wf_nccl_wait(weft_fabric *f, pthread_cond_t *signal, int64_t ns)
{
    const int64_t until = wf_nccl_now() + ns;
    const struct timespec t = { .tv_sec = (time_t)(until / 1000000000),
                                .tv_nsec = (long)(until % 1000000000) };

    pthread_cond_timedwait(signal, &f->lock, &t);
}

// PATIENCE, which comes from the caller, in nanoseconds: at most a year.
static int64_t nanoseconds(int64_t patience)
{
    const int64_t year = INT64_C(365) * 86400 * 1000;
    return (patience < 0 ? 0 : patience > year ? year : patience) * 1000000;
}

// --- the queue ---

static wf_nccl_order *order_create(int64_t n, size_t item)
{
    wf_nccl_order *o = wf_nccl_host->alloc(sizeof *o + (size_t)n * item);

    if (!o) return NULL;
    o->n = n;
    o->moves = (weft_fabric_move *)(o + 1);  // the one that is meant is as long as N items
    o->lost = (int *)(o + 1);
    return o;
}

static void append(weft_fabric *f, wf_nccl_order *o)
{
    if (f->tail) f->tail->next = o;
    else f->head = o;
    f->tail = o;
    pthread_cond_signal(&f->asked);
}

static wf_nccl_order *take(weft_fabric *f)
{
    wf_nccl_order *o = f->head;

    f->head = o->next;
    if (!f->head) f->tail = NULL;
    return o;
}

static void drop_all(weft_fabric *f)
{
    while (f->head) wf_nccl_host->free(take(f));
}

// --- the thread ---

// The lock is held. An order from before a shrink is not heard of again.
static void conclude(weft_fabric *f, const wf_nccl_order *o, weft_status status)
{
    f->running = false;
    if (status == WEFT_OK) f->done = o->ticket;
    if (o->ticket >= f->fence && status != WEFT_OK && f->status == WEFT_OK && !f->interrupt) {
        f->status = status;
        memcpy(f->text, f->draft, sizeof f->text);
        drop_all(f);
    }
    pthread_cond_broadcast(&f->told);
}

static void serve_order(weft_fabric *f, weft_status ready)
{
    wf_nccl_order *o = take(f);

    f->running = true, f->interrupt = false;
    pthread_mutex_unlock(&f->lock);
    const weft_status st = ready == WEFT_OK ? wf_nccl_carry_out(f, o) : ready;
    if (st != WEFT_OK && st != WEFT_CANCELLED) wf_nccl_let_go(f);
    pthread_mutex_lock(&f->lock);
    conclude(f, o, st);
    wf_nccl_host->free(o);
}

static void serve_stop(weft_fabric *f)
{
    pthread_mutex_unlock(&f->lock);
    wf_nccl_let_go(f);
    pthread_mutex_lock(&f->lock);
    f->stop = false;
    pthread_cond_broadcast(&f->told);
}

static void *serve(void *argument)
{
    weft_fabric *f = argument;
    const weft_status ready = wf_nccl_start(f);

    pthread_mutex_lock(&f->lock);
    while (!f->closing) {
        if (f->stop) serve_stop(f);
        else if (f->head) serve_order(f, ready);
        else pthread_cond_wait(&f->asked, &f->lock);
    }
    const bool in_agreement = f->status == WEFT_OK && f->done == f->issued;
    f->interrupt = false;
    f->deadline = wf_nccl_now() + nanoseconds(f->patience);
    pthread_mutex_unlock(&f->lock);
    if (in_agreement) wf_nccl_end(f);
    else wf_nccl_let_go(f);
    wf_nccl_stop(f);
    return NULL;
}

// --- the table ---

static bool is_available(const char **why) { return wf_nccl_library_find(why) != NULL; }

static const char *version(void)
{
    const char *why;
    const wf_nccl_library *library = wf_nccl_library_find(&why);
    return library ? library->version : "";
}

static weft_status find_library(const wf_nccl_library **out)
{
    const char *why;

    *out = wf_nccl_library_find(&why);
    return *out ? WEFT_OK : FAIL(WEFT_UNSUPPORTED, "nccl: %s", why);
}

static weft_status make_id(weft_fabric_id *out)
{
    const wf_nccl_library *library;
    ncclUniqueId id;

    const weft_status st = find_library(&library);
    if (st != WEFT_OK) return st;
    const int result = library->nccl.unique_id(&id);
    if (result != ncclSuccess)
        return FAIL(WEFT_DEVICE, "nccl: no id could be made: %s", library->nccl.error_text(result));
    _Static_assert(sizeof id.internal == sizeof out->bytes, "");
    memcpy(out->bytes, id.internal, sizeof out->bytes);
    return WEFT_OK;
}

static weft_status check_member(const wf_nccl_library *library, const weft_fabric_member *m)
{
    int devices = 0;

    if (m->count < 1 || m->rank < 0 || m->rank >= m->count)
        return FAIL(WEFT_INVALID, "nccl: expected a rank from 0 below the count, got rank %d of %d",
                    m->rank, m->count);
    library->cuda.device_count(&devices);
    if (m->device < 0 || m->device >= devices)
        return FAIL(WEFT_NOT_FOUND, "nccl: there is no device %d, only %d of them", m->device,
                    devices);
    return WEFT_OK;
}

static void init_sync(weft_fabric *f)
{
    pthread_condattr_t clock;

    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->asked, &clock);
    pthread_cond_init(&f->told, &clock);
    pthread_condattr_destroy(&clock);
}

static void destroy(weft_fabric *f)
{
    drop_all(f);
    pthread_cond_destroy(&f->told);
    pthread_cond_destroy(&f->asked);
    pthread_mutex_destroy(&f->lock);
    wf_nccl_host->free(f);
}

static weft_status fabric_open(const weft_fabric_member *member, weft_fabric **out)
{
    const wf_nccl_library *library;

    weft_status st = find_library(&library);
    if (st == WEFT_OK) st = check_member(library, member);
    if (st != WEFT_OK) return st;
    weft_fabric *f = wf_nccl_host->alloc(sizeof *f);
    wf_nccl_order *first = f ? order_create(0, 1) : NULL;
    if (!first) {
        wf_nccl_host->free(f);
        return WEFT_NO_MEMORY;
    }
    init_sync(f);
    f->library = library, f->device = member->device;
    f->rank = member->rank, f->count = member->count, f->scratch_bytes = member->count + 1;
    f->done = -1;
    first->is_gang = first->has_id = true;
    first->id = member->id, first->rank = member->rank, first->count = member->count;
    append(f, first);
    const int error = pthread_create(&f->thread, NULL, serve, f);
    if (error) {
        destroy(f);
        return FAIL(WEFT_NO_MEMORY, "nccl: the member's thread does not start: error %d", error);
    }
    *out = f;
    return WEFT_OK;
}

// What is wrong with MOVES for a gang of f->count; the lock is held.
static weft_status check_moves(const weft_fabric *f, const weft_fabric_move *moves, int64_t n,
                               char *text, size_t size)
{
    for (int64_t i = 0; i < n; i++) {
        const weft_fabric_move *m = &moves[i];
        if (m->peer < 0 || m->peer >= f->count || m->peer == f->rank)
            snprintf(text, size,
                     "nccl: move %" PRId64 ": expected another rank than %d of %d, got %d", i,
                     f->rank, f->count, m->peer);
        else if (m->bytes < 0 || (m->bytes > 0 && !m->memory))
            snprintf(text, size,
                     "nccl: move %" PRId64 ": expected bytes in device memory, got %" PRId64
                     " at %p",
                     i, m->bytes, m->memory);
        else continue;
        return WEFT_INVALID;
    }
    return WEFT_OK;
}

// Queues ORDER or frees it.
static weft_status issue_phase(weft_fabric *f, wf_nccl_order *o, int64_t *ticket)
{
    char text[sizeof f->text] = "";

    pthread_mutex_lock(&f->lock);
    weft_status st = f->status;
    if (st != WEFT_OK) memcpy(text, f->text, sizeof text);
    else st = check_moves(f, o->moves, o->n, text, sizeof text);
    if (st == WEFT_OK) {
        o->rank = f->rank, o->count = f->count;
        *ticket = o->ticket = ++f->issued;
        append(f, o);
    }
    pthread_mutex_unlock(&f->lock);
    if (st == WEFT_OK) return WEFT_OK;
    wf_nccl_host->free(o);
    return FAIL(st, "%s", text);
}

static weft_status fabric_phase(weft_fabric *f, const weft_fabric_move *moves, int64_t nmove,
                                int64_t *ticket)
{
    if (nmove < 0 || nmove > (INT64_C(1) << 40))
        return FAIL(WEFT_INVALID, "nccl: expected 0 moves or more, got %" PRId64, nmove);
    wf_nccl_order *o = order_create(nmove, sizeof *moves);
    if (!o) return WEFT_NO_MEMORY;
    if (nmove) memcpy(o->moves, moves, (size_t)nmove * sizeof *moves);
    return issue_phase(f, o, ticket);
}

// A gang of f->count can do without the ranks of O: their number below f->rank, else -1. The lock
// is held.
static int lost_below(const weft_fabric *f, const wf_nccl_order *o)
{
    int below = 0;

    for (int64_t i = 0; i < o->n; i++) {
        if (o->lost[i] < 0 || o->lost[i] >= f->count || o->lost[i] == f->rank) return -1;
        for (int64_t k = 0; k < i; k++)
            if (o->lost[k] == o->lost[i]) return -1;
        below += o->lost[i] < f->rank;
    }
    return below;
}

static weft_status fabric_shrink(weft_fabric *f, const int *lost, int nlost,
                                 const weft_fabric_id *id, int64_t *ticket)
{
    if (nlost < (id ? 0 : 1))
        return FAIL(WEFT_INVALID, "nccl: shrink: expected ranks, or an id and none, got %d", nlost);
    wf_nccl_order *o = order_create(nlost, sizeof *lost);
    if (!o) return WEFT_NO_MEMORY;
    if (nlost) memcpy(o->lost, lost, (size_t)nlost * sizeof *lost);
    o->is_gang = true;
    if (id) o->has_id = true, o->id = *id;
    pthread_mutex_lock(&f->lock);
    const int below = lost_below(f, o), rank = f->rank, count = f->count;
    if (below >= 0) {
        drop_all(f);
        f->rank = o->rank = rank - below, f->count = o->count = count - nlost;
        *ticket = o->ticket = f->fence = ++f->issued;
        f->status = WEFT_OK;
        f->interrupt = true;
        append(f, o);
    }
    pthread_mutex_unlock(&f->lock);
    if (below >= 0) return WEFT_OK;
    wf_nccl_host->free(o);
    return FAIL(WEFT_INVALID, "nccl: shrink: expected different ranks other than %d of %d", rank,
                count);
}

// How TICKET stands; the lock is held. What is from before a shrink is over when the shrink is.
static weft_status look(const weft_fabric *f, int64_t ticket)
{
    const bool failed = f->status != WEFT_OK && !f->running && !f->stop;

    if (ticket < f->fence) return f->done >= f->fence || failed ? WEFT_CANCELLED : WEFT_BUSY;
    if (ticket <= f->done) return WEFT_OK;
    return failed ? f->status : WEFT_BUSY;
}

static weft_status fabric_poll(weft_fabric *f, int64_t ticket, int64_t patience)
{
    const int64_t until = wf_nccl_now() + nanoseconds(patience);
    char text[sizeof f->text];

    pthread_mutex_lock(&f->lock);
    const int64_t issued = f->issued;
    weft_status st = ticket < 0 || ticket > issued ? WEFT_INVALID : look(f, ticket);
    for (int64_t left; st == WEFT_BUSY && (left = until - wf_nccl_now()) > 0;) {
        wf_nccl_wait(f, &f->told, left);
        st = look(f, ticket);
    }
    if (ticket < f->fence)
        snprintf(text, sizeof text, "nccl: ticket %" PRId64 " is from before a shrink", ticket);
    else memcpy(text, f->text, sizeof text);
    pthread_mutex_unlock(&f->lock);
    if (st == WEFT_OK || st == WEFT_BUSY) return st;
    if (ticket < 0 || ticket > issued)
        return FAIL(WEFT_INVALID, "nccl: expected a ticket from 0 to %" PRId64 ", got %" PRId64,
                    issued, ticket);
    return FAIL(st, "%s", text);
}

static void fabric_abort(weft_fabric *f)
{
    pthread_mutex_lock(&f->lock);
    drop_all(f);
    f->stop = f->interrupt = true;
    if (f->status == WEFT_OK)
        snprintf(f->text, sizeof f->text, "nccl: rank %d of %d: aborted", f->rank, f->count);
    if (f->status == WEFT_OK) f->status = WEFT_CANCELLED;
    pthread_cond_signal(&f->asked);
    pthread_mutex_unlock(&f->lock);
}

static void fabric_close(weft_fabric *f, int64_t patience)
{
    if (!f) return;
    pthread_mutex_lock(&f->lock);
    f->closing = f->interrupt = true;
    f->patience = patience;
    pthread_cond_signal(&f->asked);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    destroy(f);
}

static const weft_fabric_ops ops = {
    .abi = WEFT_PLUGIN_ABI,
    .kind = "nccl",
    .available = is_available,
    .version = version,
    .make_id = make_id,
    .open = fabric_open,
    .phase = fabric_phase,
    .poll = fabric_poll,
    .shrink = fabric_shrink,
    .abort = fabric_abort,
    .close = fabric_close,
};

__attribute__((visibility("default"))) const weft_fabric_ops *weft_fabric_module(
    const weft_host *host)
{
    if (!host || host->abi != WEFT_PLUGIN_ABI) return NULL;
    wf_nccl_host = host;
    return &ops;
}
