// SPDX-License-Identifier: Apache-2.0
// nccl - the stand-in's libnccl: communicators between virtual GPUs of this process and of others
// on this host, non-blocking only.
//
// The members of a communicator share a file in memory, named by the unique id. In it stands what
// each of them waits for, and through it goes the data, in chunks. A group is a gate on its stream:
// when the stream has reached it, its sends and receives move, whenever somebody asks how the
// communicator stands; when all are done the gate opens. Members whose groups wait for each other
// in a circle are told so on stderr and get ncclInternalError; a receive of another size than the
// send it meets, ncclInvalidUsage. A member that ends with moves outstanding, by abort or because
// its process dies, is ncclRemoteError to those who deal with it (CUDASIM_NCCL_SILENT=1: they never
// learn of it, as between processes of one node). The environment: CUDASIM_NCCL, what
// ncclGetVersion says (22809). Faults, beside those of the calls: "nccl init" stays in progress,
// "nccl move" breaks with the result given.
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "sim.h"
#include "transport/nccl/api.h"

#define PROTOTYPE(result, name, symbol, parameters) result symbol parameters;
WF_NCCL_LIST(PROTOTYPE)
WF_NCCL_OPTIONAL_LIST(PROTOTYPE)

enum { MEMBERS = 16, CHUNK = 1 << 16, MAGIC = 0x6c63636e };

// --- what members share ---

typedef enum { EMPTY, OFFERED, TAKEN, REFUSED } box_state;
typedef struct box {  // from one member to another, one message at a time
    box_state state;
    size_t bytes, put, taken;  // of the message: its size, what went in and came out
    char data[CHUNK];
} box;

typedef struct seat {  // of one member
    bool here, in_group, finalized;
    int gpu, told;  // TOLD: the error that another found for it
    uint64_t host;
    int sends[MEMBERS], receives[MEMBERS];  // of its group, outstanding
} seat;

typedef struct table {
    uint32_t magic;
    int count, here;
    pthread_mutex_t lock;
    seat seat[MEMBERS];
    box box[MEMBERS][MEMBERS];  // from, to
} table;

// --- a member ---

typedef struct move {
    bool send, done;
    int peer;
    char *memory;
    size_t bytes;
} move;

typedef enum { NOTHING, INIT, LAUNCH, SHRINK, FINALIZE } progress;

struct ncclComm {
    uint64_t magic;
    struct ncclComm *next;  // of this process
    int rank, count, fd;
    char path[96];
    table *t;
    void *context;
    progress what;  // in progress
    int delay;      // questions until it is launched
    int state;      // an error, once there is one
    bool stopped;   // by a shrink
    // The group that moves
    CUstream stream;
    bool gated;
    cudasim_gate gate;
    int nmove;
    move *moves;
    // A shrink
    struct ncclComm *child, **child_out;
};
static const uint64_t comm_magic = 0x636f6d6d6e63636c;

static pthread_mutex_t lock =
    PTHREAD_MUTEX_INITIALIZER;  // before a table's, before the simulator's
static struct ncclComm *comms;
static uint64_t seed;
static char last_error[256];

static __thread struct {
    int depth, error, nmove;
    struct ncclComm *comm;
    CUstream stream;
    move *moves;
} group;

static int wrong(int result, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int wrong(int result, const char *format, ...)
{
    char text[sizeof last_error];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(last_error, text, sizeof text);
    fprintf(stderr, "cudasim: nccl: %s (error %d)\n", text, result);
    return result;
}

#define REQUIRE(holds, result, ...)                        \
    do {                                                   \
        if (!(holds)) return wrong((result), __VA_ARGS__); \
    } while (0)
#define ENTER_NCCL()                                \
    do {                                            \
        const int fault_ = cudasim_enter(__func__); \
        if (fault_) return fault_;                  \
    } while (0)
#define REQUIRE_COMM(comm)                                              \
    REQUIRE((comm) && (comm)->magic == comm_magic, ncclInvalidArgument, \
            "%s: %p is no communicator, or no more", __func__, (const void *)(comm))

static int upto(int n)  // the lock is held
{
    if (!seed) {
        const char *text = getenv("CUDASIM_SEED");
        seed = text ? strtoull(text, NULL, 0) : 1;
    }
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int)((seed >> 33) % (uint64_t)n);
}

// --- tables ---

static void table_lock(table *t)
{
    if (pthread_mutex_lock(&t->lock) == EOWNERDEAD) pthread_mutex_consistent(&t->lock);
}

static void table_init(table *t, int count)
{
    pthread_mutexattr_t shared;

    pthread_mutexattr_init(&shared);
    pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&shared, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&t->lock, &shared);
    pthread_mutexattr_destroy(&shared);
    t->count = count, t->magic = MAGIC;
}

// A member holds a lock on its own byte of the file: the kernel lets go of it when its process
// dies.
static bool claim(int fd, int rank)
{
    struct flock byte = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = rank, .l_len = 1 };
    return fcntl(fd, F_OFD_SETLK, &byte) == 0;
}

static bool is_alive(const struct ncclComm *c, int rank)
{
    struct flock byte = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = rank, .l_len = 1 };

    if (rank == c->rank) return true;
    return fcntl(c->fd, F_OFD_GETLK, &byte) == 0 && byte.l_type != F_UNLCK;
}

static uint64_t host_of_this_process(void)
{
    const char *text = getenv("NCCL_HOSTID");
    uint64_t hash = 1469598103934665603u;

    for (; text && *text; text++) hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}

static int sit_down(struct ncclComm *c)
{
    seat *s = &c->t->seat[c->rank];

    REQUIRE(c->t->count == c->count, ncclInvalidArgument, "rank %d joins %d members of a %d",
            c->rank, c->count, c->t->count);
    REQUIRE(!s->here && claim(c->fd, c->rank), ncclInvalidUsage, "there are two of rank %d",
            c->rank);
    s->here = true, s->gpu = cudasim_gpu(), s->host = host_of_this_process();
    if (++c->t->here == c->count) unlink(c->path);
    return ncclSuccess;
}

static int join(struct ncclComm *c)
{
    c->fd = open(c->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (c->fd < 0 || flock(c->fd, LOCK_EX) != 0 || ftruncate(c->fd, sizeof *c->t) != 0)
        return wrong(ncclSystemError, "%s: %s", c->path, strerror(errno));
    c->t = mmap(NULL, sizeof *c->t, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
    if (c->t == MAP_FAILED) return wrong(ncclSystemError, "mmap: %s", strerror(errno));
    if (c->t->magic != MAGIC) table_init(c->t, c->count);
    const int result = sit_down(c);
    flock(c->fd, LOCK_UN);
    return result;
}

// Leaves the table; the lock is held.
static void leave(struct ncclComm *c)
{
    struct ncclComm **link = &comms;

    while (*link && *link != c) link = &(*link)->next;
    if (*link) *link = c->next;
    if (c->gated) cudasim_gate_open(&c->gate);
    if (c->t && c->t != MAP_FAILED) {
        if (c->t->here < c->count) unlink(c->path);
        munmap(c->t, sizeof *c->t);
    }
    if (c->fd >= 0) close(c->fd);
    c->magic = 0;
    free(c->moves);
    free(c);
}

// A member at the table of KEY, under way. NULL with *result.
static struct ncclComm *sit(const char *key, int rank, int count, int *result)
{
    struct ncclComm *c = calloc(1, sizeof *c);

    if (!c) abort();
    c->magic = comm_magic, c->rank = rank, c->count = count, c->context = cudasim_context();
    snprintf(c->path, sizeof c->path, "/dev/shm/cudasim-nccl-%s", key);
    c->what = INIT;
    *result = join(c);
    if (*result != ncclSuccess) {
        leave(c);
        return NULL;
    }
    c->next = comms;
    comms = c;
    return c;
}

// --- moving ---

// Whether R has a move that P's group does not answer; both are in a group.
static bool is_unanswered(const seat *seats, int r, int p)
{
    return seats[r].sends[p] > seats[p].receives[r] || seats[r].receives[p] > seats[p].sends[r];
}

static bool waits_within(const seat *seats, int count, int r, unsigned among)
{
    for (int p = 0; p < count; p++)
        if ((among >> p & 1) && is_unanswered(seats, r, p)) return true;
    return false;
}

// A bit for each member that waits, in a group, for one that waits likewise: none of them ever
// ends.
static unsigned entangled(const struct ncclComm *c)
{
    const seat *seats = c->t->seat;
    unsigned among = 0, before;

    for (int r = 0; r < c->count; r++)
        if (seats[r].in_group) among |= 1u << r;
    do {
        before = among;
        for (int r = 0; r < c->count; r++)
            if ((among >> r & 1) && !waits_within(seats, c->count, r, among)) among &= ~(1u << r);
    } while (among != before);
    for (int r = 0; r < c->count && among; r++)  // the dead wait for nobody
        if ((among >> r & 1) && !is_alive(c, r)) return 0;
    return among;
}

static void report(const struct ncclComm *c, unsigned among)
{
    seat *seats = c->t->seat;
    char text[sizeof last_error];
    int n = snprintf(text, sizeof text, "deadlock: moves that nobody answers:");

    for (int r = 0; r < c->count; r++) {
        if (!(among >> r & 1)) continue;
        for (int p = 0; p < c->count; p++)
            if ((among >> p & 1) && is_unanswered(seats, r, p) && n < (int)sizeof text - 64)
                n += snprintf(text + n, sizeof text - (size_t)n, " rank %d's %d to and %d from %d,",
                              r, seats[r].sends[p], seats[r].receives[p], p);
        seats[r].told = ncclInternalError;
    }
    text[n - 1] = 0;
    wrong(ncclInternalError, "%s", text);
}

// True when M got on. *result becomes an error.
static bool send_some(struct ncclComm *c, move *m, int *result)
{
    box *b = &c->t->box[c->rank][m->peer];

    if (b->state == EMPTY) b->state = OFFERED, b->bytes = m->bytes, b->put = b->taken = 0;
    if (b->state == REFUSED) *result = ncclInvalidUsage;
    if (b->state == TAKEN) b->state = EMPTY, m->done = true;
    if (b->state != OFFERED || b->put != b->taken || b->put == b->bytes) return m->done;
    const size_t n = b->bytes - b->put < CHUNK ? b->bytes - b->put : CHUNK;
    if (cudasim_touch(c->stream, "ncclSend", b->data, m->memory + b->put, n, false))
        *result = ncclUnhandledCudaError;
    else b->put += n;
    return *result == ncclSuccess;
}

static bool receive_some(struct ncclComm *c, move *m, int *result)
{
    box *b = &c->t->box[m->peer][c->rank];
    seat *seats = c->t->seat;

    if (b->state != OFFERED) return false;
    if (b->bytes != m->bytes) {
        b->state = REFUSED;
        *result =
            wrong(ncclInvalidUsage, "rank %d receives %zu bytes from rank %d, which sends %zu",
                  c->rank, m->bytes, m->peer, b->bytes);
        return false;
    }
    const size_t n = b->put - b->taken;
    if (n && cudasim_touch(c->stream, "ncclRecv", m->memory + b->taken, b->data, n, true))
        *result = ncclUnhandledCudaError;
    b->taken += n;
    if (b->taken < b->bytes) return n > 0;
    b->state = TAKEN, m->done = true;
    seats[c->rank].receives[m->peer]--, seats[m->peer].sends[c->rank]--;
    return true;
}

static bool is_lost(const struct ncclComm *c, int rank)
{
    return !is_alive(c, rank) && !getenv("CUDASIM_NCCL_SILENT");
}

// One round over the group: of each peer and direction, the first move that is not done.
static bool move_some(struct ncclComm *c, int *result, bool *all_done)
{
    uint32_t seen[2] = { 0, 0 };
    bool some = false;

    *all_done = true;
    for (int i = 0; i < c->nmove && *result == ncclSuccess; i++) {
        move *m = &c->moves[i];
        if (m->done) continue;
        if (!(seen[m->send] >> m->peer & 1)) {
            const bool moved = m->send ? send_some(c, m, result) : receive_some(c, m, result);
            seen[m->send] |= 1u << m->peer;
            some |= moved;
            if (!moved && *result == ncclSuccess && is_lost(c, m->peer)) *result = ncclRemoteError;
        }
        *all_done &= m->done;
    }
    return some;
}

static void end_group(struct ncclComm *c)
{
    c->t->seat[c->rank].in_group = false;
    cudasim_gate_open(&c->gate);
    c->gated = false;
    free(c->moves);
    c->moves = NULL;
}

// Moves what the group can, but not always all that it could. The lock is held.
static void exchange(struct ncclComm *c)
{
    int result = cudasim_gate_reached(&c->gate) ? ncclSuccess : ncclInProgress;
    bool some = true, all_done = false;

    if (result != ncclSuccess) return;
    result = cudasim_enter("nccl move");
    table_lock(c->t);
    if (c->t->seat[c->rank].told) result = c->t->seat[c->rank].told;
    for (int rounds = 1 + upto(8); rounds-- && some && !all_done && result == ncclSuccess;)
        some = move_some(c, &result, &all_done);
    if (all_done && result == ncclSuccess) end_group(c);
    else if (!some && result == ncclSuccess) {
        const unsigned among = entangled(c);
        if (among) report(c, among);
    }
    pthread_mutex_unlock(&c->t->lock);
    if (result != ncclSuccess) c->state = result;
}

// --- progress ---

static int standing(const struct ncclComm *c)
{
    return c->state ? c->state : c->what ? ncclInProgress : ncclSuccess;
}

static int is_complete(struct ncclComm *c)
{
    if (cudasim_enter("nccl init") == ncclInProgress || c->t->here < c->count)
        return ncclInProgress;
    for (int r = 0; r < c->count; r++) {
        const seat *a = &c->t->seat[r], *mine = &c->t->seat[c->rank];
        REQUIRE(r == c->rank || a->gpu != mine->gpu || a->host != mine->host, ncclInvalidUsage,
                "duplicate GPU: rank %d and rank %d are both on GPU %d", c->rank, r, a->gpu);
    }
    return upto(3) ? ncclInProgress : ncclSuccess;
}

static int is_quiet(struct ncclComm *c)
{
    for (int r = 0; r < c->count; r++)
        if (!c->t->seat[r].finalized && is_alive(c, r)) return ncclInProgress;
    return ncclSuccess;
}

static void step(struct ncclComm *c);
static void step_all(void);

static int shrink_further(struct ncclComm *c)
{
    step(c->child);
    const int result = standing(c->child);
    if (result == ncclSuccess) *c->child_out = c->child, c->child = NULL;
    return result;
}

static int launch(struct ncclComm *c)
{
    if (c->delay-- > 0) return ncclInProgress;
    if (cudasim_gate_queue(c->stream, "ncclGroupEnd", step_all, &c->gate))
        return ncclUnhandledCudaError;
    c->gated = true;
    return ncclSuccess;
}

// What is in progress gets on. The lock is held.
static void step(struct ncclComm *c)
{
    int result = ncclInProgress;

    if (c->state != ncclSuccess) return;
    switch (c->what) {
    case NOTHING: break;
    case INIT: result = is_complete(c); break;
    case LAUNCH: result = launch(c); break;
    case SHRINK: result = shrink_further(c); break;
    case FINALIZE: result = is_quiet(c); break;
    }
    if (result != ncclInProgress) c->what = NOTHING, c->state = result;
    if (c->gated && c->state == ncclSuccess) exchange(c);
}

static void step_all(void)
{
    pthread_mutex_lock(&lock);
    for (struct ncclComm *c = comms; c; c = c->next) step(c);
    pthread_mutex_unlock(&lock);
}

// --- the calls ---

ncclResult_t ncclGetVersion(int *version)
{
    const char *text = getenv("CUDASIM_NCCL");

    ENTER_NCCL();
    *version = text ? atoi(text) : 22809;
    return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *out)
{
    uint64_t key[2];

    ENTER_NCCL();
    if (getrandom(key, sizeof key, 0) != sizeof key) return ncclSystemError;
    memset(out, 0, sizeof *out);
    snprintf(out->internal, sizeof out->internal, "%016llx%016llx", (unsigned long long)key[0],
             (unsigned long long)key[1]);
    return ncclSuccess;
}

static int check_config(const ncclConfig_t *config)
{
    REQUIRE(config && config->magic == WF_NCCL_CONFIG_MAGIC && config->size == sizeof *config &&
                config->version == WF_NCCL_CONFIG_VERSION,
            ncclInvalidArgument, "the configuration was not initialized");
    REQUIRE(config->blocking == 0, ncclInvalidArgument, "only non-blocking communicators here");
    return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *out, int count, ncclUniqueId id, int rank,
                                    ncclConfig_t *config)
{
    int result;

    ENTER_NCCL();
    REQUIRE(cudasim_context(), ncclUnhandledCudaError, "no context is current");
    REQUIRE(count > 0 && count <= MEMBERS && rank >= 0 && rank < count, ncclInvalidArgument,
            "rank %d of %d (at most %d here)", rank, count, MEMBERS);
    REQUIRE(strspn(id.internal, "0123456789abcdef") == 32 && !id.internal[32], ncclInvalidArgument,
            "this is no unique id");
    result = check_config(config);
    if (result != ncclSuccess) return result;
    pthread_mutex_lock(&lock);
    *out = sit(id.internal, rank, count, &result);
    pthread_mutex_unlock(&lock);
    return result == ncclSuccess ? ncclInProgress : result;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t c, ncclResult_t *out)
{
    ENTER_NCCL();
    REQUIRE_COMM(c);
    pthread_mutex_lock(&lock);
    step(c);
    *out = standing(c);
    pthread_mutex_unlock(&lock);
    return ncclSuccess;
}

// What every call but the question and abort begins with.
static int ensure_ready(const struct ncclComm *c, const char *call)
{
    pthread_mutex_lock(&lock);
    const int result = standing(c);
    pthread_mutex_unlock(&lock);
    REQUIRE(result != ncclInProgress, ncclInvalidArgument,
            "%s: the call before is still in progress", call);
    return result;
}

ncclResult_t ncclGroupStart(void)
{
    ENTER_NCCL();
    if (group.depth++ == 0) group.error = ncclSuccess;
    return ncclSuccess;
}

static int add_move(struct ncclComm *c, CUstream stream, const move *m, const char *call)
{
    REQUIRE_COMM(c);
    REQUIRE(group.depth > 0, ncclInvalidUsage, "%s: outside of a group here", call);
    REQUIRE(!group.comm || (group.comm == c && group.stream == stream), ncclInvalidUsage,
            "%s: one communicator and one stream in a group here", call);
    REQUIRE(m->peer >= 0 && m->peer < c->count && m->peer != c->rank, ncclInvalidArgument,
            "%s: peer %d of %d", call, m->peer, c->count);
    REQUIRE(m->bytes > 0, ncclInvalidArgument, "%s: nothing", call);
    REQUIRE(cudasim_stream_context(stream) == c->context, ncclInvalidArgument,
            "%s: a stream of another GPU than the communicator's", call);
    group.comm = c, group.stream = stream;
    group.moves = realloc(group.moves, (size_t)(group.nmove + 1) * sizeof *m);
    if (!group.moves) abort();
    group.moves[group.nmove++] = *m;
    return ensure_ready(c, call);
}

static int note(int result)
{
    if (result != ncclSuccess && !group.error) group.error = result;
    return result;
}

ncclResult_t ncclSend(const void *from, size_t count, ncclDataType_t type, int peer, ncclComm_t c,
                      CUstream stream)
{
    const move m = { true, false, peer, (char *)(uintptr_t)from, count };

    ENTER_NCCL();
    REQUIRE(type == ncclInt8, ncclInvalidArgument, "ncclSend: only ncclInt8 here");
    return note(add_move(c, stream, &m, "ncclSend"));
}

ncclResult_t ncclRecv(void *to, size_t count, ncclDataType_t type, int peer, ncclComm_t c,
                      CUstream stream)
{
    const move m = { false, false, peer, to, count };

    ENTER_NCCL();
    REQUIRE(type == ncclInt8, ncclInvalidArgument, "ncclRecv: only ncclInt8 here");
    return note(add_move(c, stream, &m, "ncclRecv"));
}

// The group's moves become C's, for all to see.
static int submit(struct ncclComm *c)
{
    seat *s = &c->t->seat[c->rank];

    REQUIRE(!c->gated && !c->stopped, ncclInvalidUsage, "one group at a time here");
    c->stream = group.stream, c->moves = group.moves, c->nmove = group.nmove;
    group.moves = NULL;
    table_lock(c->t);
    for (int i = 0; i < c->nmove; i++)
        (c->moves[i].send ? s->sends : s->receives)[c->moves[i].peer]++;
    s->in_group = true;
    pthread_mutex_unlock(&c->t->lock);
    c->what = LAUNCH, c->delay = upto(4);
    return ncclInProgress;
}

ncclResult_t ncclGroupEnd(void)
{
    int result = cudasim_enter(__func__);

    if (!result) result = group.error;
    REQUIRE(group.depth > 0, ncclInvalidUsage, "ncclGroupEnd: not in a group");
    if (--group.depth > 0) return ncclSuccess;
    if (group.comm && !result) {
        pthread_mutex_lock(&lock);
        result = submit(group.comm);
        pthread_mutex_unlock(&lock);
    }
    free(group.moves);
    memset(&group, 0, sizeof group);
    return result;
}

ncclResult_t ncclCommFinalize(ncclComm_t c)
{
    ENTER_NCCL();
    REQUIRE_COMM(c);
    const int result = ensure_ready(c, "ncclCommFinalize");
    if (result != ncclSuccess) return result;
    pthread_mutex_lock(&lock);
    c->t->seat[c->rank].finalized = true;
    c->what = FINALIZE;
    pthread_mutex_unlock(&lock);
    return ncclInProgress;
}

ncclResult_t ncclCommDestroy(ncclComm_t c)
{
    ENTER_NCCL();
    REQUIRE_COMM(c);
    const int result = ensure_ready(c, "ncclCommDestroy");
    REQUIRE(result == ncclSuccess && !c->gated, ncclInvalidUsage,
            "destroyed with an error or a group: it would hang");
    pthread_mutex_lock(&lock);
    leave(c);
    pthread_mutex_unlock(&lock);
    return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t c)
{
    ENTER_NCCL();
    REQUIRE_COMM(c);
    pthread_mutex_lock(&lock);
    if (c->child) leave(c->child);
    leave(c);
    pthread_mutex_unlock(&lock);
    return ncclSuccess;
}

// The survivors meet at a table named after the old one and those they leave out: who leaves out
// others waits for ever.
static int sit_again(struct ncclComm *c, unsigned excluded, int nexcluded)
{
    char key[64];
    int result, rank = c->rank;

    for (int r = 0; r < c->rank; r++) rank -= excluded >> r & 1;
    snprintf(key, sizeof key, "%.48s-%x", strrchr(c->path, '/') + strlen("/cudasim-nccl-"),
             excluded);
    c->child = sit(key, rank, c->count - nexcluded, &result);
    if (result != ncclSuccess) return result;
    if (c->gated) cudasim_gate_open(&c->gate);
    c->gated = false, c->stopped = true;
    c->what = SHRINK;
    return ncclInProgress;
}

ncclResult_t ncclCommShrink(ncclComm_t c, int *excluded, int nexcluded, ncclComm_t *out,
                            ncclConfig_t *config, int flags)
{
    unsigned among = 0;

    ENTER_NCCL();
    REQUIRE_COMM(c);
    REQUIRE(flags == NCCL_SHRINK_ABORT && nexcluded > 0, ncclInvalidArgument,
            "only NCCL_SHRINK_ABORT here");
    for (int i = 0; i < nexcluded; i++) {
        REQUIRE(excluded[i] >= 0 && excluded[i] < c->count && excluded[i] != c->rank &&
                    !(among >> excluded[i] & 1),
                ncclInvalidArgument, "rank %d excludes rank %d", c->rank, excluded[i]);
        among |= 1u << excluded[i];
    }
    int result = check_config(config);
    if (result == ncclSuccess) result = ensure_ready(c, "ncclCommShrink");
    if (result != ncclSuccess) return result;
    pthread_mutex_lock(&lock);
    *out = NULL;
    c->child_out = out;
    result = sit_again(c, among, nexcluded);
    pthread_mutex_unlock(&lock);
    return result;
}

const char *ncclGetErrorString(ncclResult_t result)
{
    static const char *const texts[] = { "no error",
                                         "unhandled cuda error",
                                         "unhandled system error",
                                         "internal error",
                                         "invalid argument",
                                         "invalid usage",
                                         "remote process exited or there was a network error",
                                         "NCCL operation in progress" };
    return result >= 0 && result <= ncclInProgress ? texts[result] : "unknown result code";
}

const char *ncclGetLastError(ncclComm_t c)
{
    (void)c;
    return last_error;
}
