// SPDX-License-Identifier: Apache-2.0
// gang - what a member's thread does with NCCL: make a gang, run phases in it, go on without the
// dead, let go.
//
// The communicator is non-blocking: every call may leave it "in progress", and nothing else may be
// called then but the question how it stands (ncclCommGetAsyncError) and abort. A phase is on the
// stream only when that is over; so its event is recorded after, not before. A member of the same
// node that dies may never show as an error (nccl#279): then only the caller knows, and interrupts.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "transport/nccl/fabric.h"

enum {
    SHORTEST_REST = 20000,  // nanoseconds between two looks at what is in progress; doubled up to
    LONGEST_REST = 1000000,
    DRAIN = 10,  // seconds until a device that an aborted phase does not leave is given up on
};

// --- errors ---

static weft_status fail(weft_fabric *f, weft_status status, const char *fmt, ...) WEFT_PRINTF(3, 4);

static weft_status fail(weft_fabric *f, weft_status status, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(f->draft, sizeof f->draft, fmt, args);
    va_end(args);
    return status;
}

static weft_status fail_cuda(weft_fabric *f, CUresult result, const char *call)
{
    const char *text = NULL;

    f->library->cuda.error_text(result, &text);
    return fail(f, WEFT_DEVICE, "nccl: device %d: %s: %s", f->device, call,
                text ? text : "unknown error");
}
#define CUDA(call, ...)                                                   \
    do {                                                                  \
        const CUresult result_ = f->library->cuda.call(__VA_ARGS__);      \
        if (result_ != CUDA_SUCCESS) return fail_cuda(f, result_, #call); \
    } while (0)
#define TRY(call)                       \
    do {                                \
        const weft_status st_ = (call); \
        if (st_ != WEFT_OK) return st_; \
    } while (0)

static bool is_error(int result) { return result != ncclSuccess && result != ncclInProgress; }

static weft_status status_of(int result)
{
    switch (result) {
    case ncclRemoteError:
    case ncclSystemError: return WEFT_LOST;  // a connection broke
    case ncclInvalidArgument:
    case ncclInvalidUsage: return WEFT_INVALID;
    default: return WEFT_DEVICE;
    }
}

// The only other member that ORDER deals with, or -1: NCCL does not say who is gone.
static int suspect(const wf_nccl_order *o)
{
    int peer = o->count == 2 ? 1 - o->rank : -1;

    for (int64_t i = 0; i < o->n && !o->is_gang; i++) {
        if (peer >= 0 && o->moves[i].peer != peer) return -1;
        peer = o->moves[i].peer;
    }
    return peer;
}

static weft_status fail_nccl(weft_fabric *f, const wf_nccl_order *o, int result)
{
    const weft_status st = status_of(result);
    const char *last = f->library->nccl.last_error(f->comm);
    char what[64], who[64] = "";

    if (o->is_gang) snprintf(what, sizeof what, "making the gang");
    else snprintf(what, sizeof what, "phase %" PRId64, o->ticket);
    if (st == WEFT_LOST && suspect(o) >= 0)
        snprintf(who, sizeof who, " (rank %d is lost)", suspect(o));
    else if (st == WEFT_LOST) snprintf(who, sizeof who, " (a member is lost)");
    return fail(f, st, "nccl: rank %d of %d: %s: %s%s%s%s", o->rank, o->count, what,
                f->library->nccl.error_text(result), who, last && *last ? "; last error: " : "",
                last && *last ? last : "");
}

// --- waiting ---

// Rests *NS and makes it longer. False: the caller of the fabric wants something else, or time is
// up.
static bool rest(weft_fabric *f, int64_t *ns)
{
    pthread_mutex_lock(&f->lock);
    if (!f->interrupt) wf_nccl_wait(f, &f->asked, *ns);
    const bool go_on = !f->interrupt && (!f->deadline || wf_nccl_now() < f->deadline);
    pthread_mutex_unlock(&f->lock);
    *ns = *ns < LONGEST_REST / 2 ? *ns * 2 : LONGEST_REST;
    return go_on;
}

// How COMM stands: WEFT_BUSY while a call is in progress.
static weft_status look(weft_fabric *f, const wf_nccl_order *o, ncclComm_t comm)
{
    int result = ncclInProgress;
    const int call = f->library->nccl.async_error(comm, &result);

    if (is_error(call)) result = call;
    if (is_error(result)) return fail_nccl(f, o, result);
    return result == ncclInProgress ? WEFT_BUSY : WEFT_OK;
}

// Waits for the call in progress on COMM.
static weft_status settle(weft_fabric *f, const wf_nccl_order *o, ncclComm_t comm)
{
    int64_t ns = SHORTEST_REST;

    for (;;) {
        const weft_status st = look(f, o, comm);
        if (st != WEFT_BUSY) return st;
        if (!rest(f, &ns)) return WEFT_CANCELLED;
    }
}

// Waits for what is on the stream. The device knows when a phase is done; NCCL knows when it never
// will be.
static weft_status settle_stream(weft_fabric *f, const wf_nccl_order *o)
{
    int64_t ns = SHORTEST_REST;

    CUDA(event_record, f->event, f->stream);
    for (;;) {
        const CUresult result = f->library->cuda.event_query(f->event);
        if (result == CUDA_SUCCESS) return WEFT_OK;
        if (result != CUDA_ERROR_NOT_READY) return fail_cuda(f, result, "event_query");
        const weft_status st = look(f, o, f->comm);
        if (st != WEFT_OK && st != WEFT_BUSY) return st;
        if (!rest(f, &ns)) return WEFT_CANCELLED;
    }
}

// --- phases ---

static int issue(const weft_fabric *f, const weft_fabric_move *m)
{
    const size_t n = (size_t)m->bytes;
    return m->send ? f->library->nccl.send(m->memory, n, ncclInt8, m->peer, f->comm, f->stream)
                   : f->library->nccl.receive(m->memory, n, ncclInt8, m->peer, f->comm, f->stream);
}

// One group of all MOVES. ORDER says for whom.
static weft_status exchange(weft_fabric *f, const wf_nccl_order *o, const weft_fabric_move *moves,
                            int64_t n)
{
    int result = f->library->nccl.group_start();
    int64_t issued = 0;

    for (int64_t i = 0; i < n && !is_error(result); i++)
        if (moves[i].bytes > 0) result = issue(f, &moves[i]), issued++;
    const int end = f->library->nccl.group_end();  // also after an error, which it repeats
    if (is_error(result) || is_error(end)) return fail_nccl(f, o, is_error(result) ? result : end);
    if (issued == 0) return WEFT_OK;
    TRY(settle(f, o, f->comm));
    return settle_stream(f, o);
}

// --- gangs ---

static ncclConfig_t configuration(void)
{
    const int default_ = INT32_MIN;
    return (ncclConfig_t){ .size = sizeof(ncclConfig_t),
                           .magic = WF_NCCL_CONFIG_MAGIC,
                           .version = WF_NCCL_CONFIG_VERSION,
                           .blocking = 0,
                           .cgaClusterSize = default_,
                           .minCTAs = default_,
                           .maxCTAs = default_,
                           .splitShare = default_ };
}

// A byte from everyone to everyone. NCCL connects two members at their first exchange, and
// allocates for it, which no phase may wait for.
static weft_status connect_all(weft_fabric *f, const wf_nccl_order *o)
{
    const int n = o->count - 1;
    weft_fabric_move *moves = wf_nccl_host->alloc(((size_t)n * 2 + 1) * sizeof *moves);

    if (!moves) return fail(f, WEFT_NO_MEMORY, "nccl: no memory for a gang of %d", o->count);
    for (int i = 0; i < n; i++) {
        const int peer = (o->rank + 1 + i) % o->count;
        char *scratch = (char *)(uintptr_t)f->scratch;
        moves[2 * i] = (weft_fabric_move){ peer, true, scratch, 1 };
        moves[2 * i + 1] = (weft_fabric_move){ peer, false, scratch + 1 + peer, 1 };
    }
    const weft_status st = exchange(f, o, moves, 2 * (int64_t)n);
    wf_nccl_host->free(moves);
    return st;
}

static weft_status make(weft_fabric *f, const wf_nccl_order *o)
{
    ncclConfig_t config = configuration();
    ncclUniqueId id;

    wf_nccl_let_go(f);
    for (size_t i = 0; i < sizeof id.internal; i++) id.internal[i] = (char)o->id.bytes[i];
    const int result = f->library->nccl.init_rank(&f->comm, o->count, id, o->rank, &config);
    if (is_error(result)) return fail_nccl(f, o, result);
    return settle(f, o, f->comm);
}

static weft_status refuse(weft_fabric *f, const wf_nccl_order *o, const char *why)
{
    return fail(f, WEFT_UNSUPPORTED, "nccl: rank %d of %d: cannot shrink without a new id: %s",
                o->rank, o->count, why);
}

// By NCCL's own way, which takes only a communicator without an error and without a call in
// progress. It stops what is on the device; the old communicator is good for nothing but abort
// afterwards.
static weft_status shrink(weft_fabric *f, const wf_nccl_order *o)
{
    ncclConfig_t config = configuration();

    if (!f->library->nccl.shrink) return refuse(f, o, "it takes NCCL 2.27.3");
    const weft_status st = f->comm ? settle(f, o, f->comm) : WEFT_LOST;
    if (st != WEFT_OK) return st == WEFT_CANCELLED ? st : refuse(f, o, "the gang has failed");
    const int result =
        f->library->nccl.shrink(f->comm, o->lost, (int)o->n, &f->child, &config, NCCL_SHRINK_ABORT);
    if (is_error(result)) return refuse(f, o, f->library->nccl.error_text(result));
    TRY(settle(f, o, f->comm));
    ncclComm_t child = f->child;
    f->child = NULL;
    wf_nccl_let_go(f);
    f->comm = child;
    return settle(f, o, f->comm);
}

// --- what fabric.c calls ---

weft_status wf_nccl_carry_out(weft_fabric *f, wf_nccl_order *o)
{
    if (!o->is_gang && !f->comm) return fail(f, WEFT_INTERNAL, "nccl: a phase without a gang");
    if (!o->is_gang) return exchange(f, o, o->moves, o->n);
    TRY(o->has_id ? make(f, o) : shrink(f, o));
    return connect_all(f, o);
}

// An aborted kernel leaves the device when it sees that it is, which NCCL waits for in most of its
// versions and cases.
static void drain(weft_fabric *f)
{
    const int64_t until = wf_nccl_now() + DRAIN * INT64_C(1000000000);
    int result = f->library->cuda.event_record(f->event, f->stream);

    while (result == CUDA_SUCCESS && wf_nccl_now() < until) {
        result = f->library->cuda.event_query(f->event);
        if (result != CUDA_ERROR_NOT_READY) return;
        result = CUDA_SUCCESS;
        pthread_mutex_lock(&f->lock);
        wf_nccl_wait(f, &f->asked, SHORTEST_REST);
        pthread_mutex_unlock(&f->lock);
    }
    if (result == CUDA_SUCCESS)
        wf_nccl_host->log(2, "nccl: device %d: an aborted phase did not end within %d seconds",
                          f->device, DRAIN);
}

void wf_nccl_let_go(weft_fabric *f)
{
    if (!f->comm) return;
    f->library->nccl.abort(f->comm);
    if (f->child) f->library->nccl.abort(f->child);
    f->comm = f->child = NULL;
    drain(f);
}

void wf_nccl_end(weft_fabric *f)
{
    const wf_nccl_order nothing = { .is_gang = true, .rank = f->rank, .count = f->count };

    if (f->comm && !is_error(f->library->nccl.finalize(f->comm)) &&
        settle(f, &nothing, f->comm) == WEFT_OK) {
        f->library->nccl.destroy(f->comm);
        f->comm = NULL;
    }
    wf_nccl_let_go(f);
}

weft_status wf_nccl_start(weft_fabric *f)
{
    CUDA(device_get, &f->gpu, f->device);
    CUDA(context_retain, &f->context, f->gpu);
    CUDA(context_set, f->context);
    CUDA(stream_create, &f->stream, CU_STREAM_NON_BLOCKING);
    CUDA(event_create, &f->event, CU_EVENT_DISABLE_TIMING);
    CUDA(allocate, &f->scratch, (size_t)f->scratch_bytes);
    return WEFT_OK;
}

void wf_nccl_stop(weft_fabric *f)
{
    if (f->scratch) f->library->cuda.free(f->scratch);
    if (f->event) f->library->cuda.event_destroy(f->event);
    if (f->stream) f->library->cuda.stream_destroy(f->stream);
    if (!f->context) return;
    f->library->cuda.context_set(NULL);
    f->library->cuda.context_release(f->gpu);
}
