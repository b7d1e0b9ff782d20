// SPDX-License-Identifier: Apache-2.0
// queue - streams of operations, and who runs next. See sim.h for when they run.
//
// Each stream has a random priority, and the highest of those that can run does; the one that ran draws a new priority one time in eight.
// So a stream may lag behind all others for long, which is what finds a missing dependency; drawing each time would keep them abreast.
#include "sim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct sim_operation {
    struct sim_operation *next;
    uint64_t number;  // in the order of queueing, over all streams
    const char *call;
    sim_work *work;  // NULL: a record or a wait
    sim_mark *mark;
    bool waits;
    bool running;
    int nrange;
    sim_range ranges[3];
    _Alignas(16) char argument[];
} operation;

static operation *append(sim_stream *s, const char *call, size_t bytes)
{
    operation *op = calloc(1, sizeof *op + bytes);

    if (!op) abort();
    op->call = call, op->number = ++sim.queued;
    if (s->tail) s->tail->next = op;
    else s->head = op;
    s->tail = op;
    s->object.gpu->nqueued++;
    sim_count("queued", 1);
    return op;
}

static void unlink_stream(sim_stream *s)
{
    sim_stream **link = &sim.streams;

    while (*link != s) link = &(*link)->next;
    *link = s->next;
    free(s);
}

static void pop(sim_stream *s)
{
    operation *op = s->head;

    s->head = op->next;
    if (!s->head) s->tail = NULL;
    sim_mark_release(op->mark);
    free(op);
    s->object.gpu->nqueued--;
    sim_count("queued", -1);
    if (s->closing && !s->head) unlink_stream(s);
}

void sim_mark_release(sim_mark *mark)
{
    if (mark && --mark->refs == 0) free(mark);
}

static bool can_run(const sim_stream *s)
{
    const operation *op = s->head;

    if (!op || op->running) return false;
    if (op->work) return !s->object.gpu->busy;
    return !op->waits || op->mark->done;
}

// What is wrong with the memory that OP touches, now that it runs: 700, said on stderr; or 0.
static int check_ranges(const operation *op)
{
    char text[256];

    for (int i = 0; i < op->nrange; i++) {
        const char *wrong =
            op->ranges[i].bytes ? sim_range_wrong(&op->ranges[i], text, sizeof text) : NULL;
        if (wrong) return sim_misuse(op->call, CUDA_ERROR_ILLEGAL_ADDRESS, "%s", wrong);
    }
    return 0;
}

// The operation ran without the lock, but stands at the head of its stream until it is done.
static void run_work(sim_gpu *gpu, operation *op)
{
    int result = gpu->error;

    if (!result) {
        sim_count("execute", 1);
        result = sim_fault("execute");
    }
    if (!result) result = check_ranges(op);
    if (!result) {
        op->running = gpu->busy = true;
        sim_memory_open();
        pthread_mutex_unlock(&sim.lock);
        result = sim_guarded(op->work, gpu, op->argument);
        pthread_mutex_lock(&sim.lock);
        sim_memory_close();
        gpu->busy = false;
        pthread_cond_broadcast(&sim.moved);
    }
    if (result && !gpu->error) gpu->error = result;
}

static uint64_t steps;

bool sim_step(void)
{
    sim_stream *best = NULL;

    for (sim_stream *s = sim.streams; s; s = s->next)
        if (can_run(s) && (!best || s->priority > best->priority)) best = s;
    if (!best) return false;
    if (sim_random() % 8 == 0) best->priority = (unsigned)sim_random();
    operation *op = best->head;
    if (op->work) run_work(best->object.gpu, op);
    else if (!op->waits) op->mark->done = true;
    steps++;
    pop(best);
    return true;
}

// A GPU stands before a gate that another member, perhaps of another process, opens. That the host waits for it may be a
// mistake: the member that must open it may wait for this thread.
static void wait_for_others(void)
{
    static int waited;  // milliseconds without an operation run
    static uint64_t last;
    struct timespec until;

    pthread_mutex_unlock(&sim.lock);
    sim.elsewhere();
    pthread_mutex_lock(&sim.lock);
    const uint64_t run = steps;
    waited = run == last ? waited + 1 : 0;
    last = run;
    if (waited > 20000) {
        sim_say("the host waits for a GPU that has waited 20 seconds for members that do not come");
        abort();
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 1000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_cond_timedwait(&sim.moved, &sim.lock, &until);
}

// One step towards whatever the caller waits for; blocks only while another thread runs something.
static void advance(void)
{
    if (sim_step()) return;
    for (int i = 0; i < SIM_GPUS; i++)
        if (sim.gpu[i].busy) {
            pthread_cond_wait(&sim.moved, &sim.lock);
            return;
        }
    if (sim.ngate > 0) {
        wait_for_others();
        return;
    }
    sim_say("nothing can run, and something is waited for: the stand-in is broken");
    abort();
}

int sim_queue(sim_stream *s, const char *call, sim_work *work, const void *argument, size_t bytes,
              const sim_range *ranges, int nrange)
{
    while (s->object.gpu->nqueued >= sim.queue_limit) advance();
    operation *op = append(s, call, bytes);
    op->work = work;
    memcpy(op->argument, argument, bytes);
    op->nrange = nrange;
    if (nrange) memcpy(op->ranges, ranges, (size_t)nrange * sizeof *ranges);
    return CUDA_SUCCESS;
}

int sim_record(sim_stream *s, sim_event *event)
{
    sim_mark *mark = calloc(1, sizeof *mark);

    if (!mark) return CUDA_ERROR_OUT_OF_MEMORY;
    mark->refs = 2;
    append(s, "cuEventRecord", 0)->mark = mark;
    sim_mark_release(event->last);
    event->last = mark;
    return CUDA_SUCCESS;
}

int sim_wait(sim_stream *s, sim_event *event)
{
    if (!event->last) return CUDA_SUCCESS;  // never recorded: nothing to wait for
    operation *op = append(s, "cuStreamWaitEvent", 0);
    op->mark = event->last, op->waits = true;
    event->last->refs++;
    return CUDA_SUCCESS;
}

static bool is_queued(const sim_gpu *gpu, const sim_stream *stream, uint64_t until)
{
    for (const sim_stream *s = sim.streams; s; s = s->next)
        if (s->head && s->head->number <= until && (stream ? s == stream : s->object.gpu == gpu))
            return true;
    return false;
}

void sim_until_stream(sim_stream *stream)
{
    const uint64_t until = sim.queued;

    while (is_queued(NULL, stream, until)) advance();
}

void sim_until_gpu(sim_gpu *gpu)
{
    const uint64_t until = sim.queued;

    while (is_queued(gpu, NULL, until)) advance();
}

void sim_until_mark(sim_mark *mark)
{
    mark->refs++;
    while (!mark->done) advance();
    sim_mark_release(mark);
}

void sim_stream_close(sim_stream *s)
{
    sim_forget(&s->object);
    s->closing = true;
    if (!s->head) unlink_stream(s);  // else the last pop does it
}

// --- gates ---

int cudasim_gate_queue(CUstream handle, const char *call, void (*elsewhere)(void),
                       cudasim_gate *out)
{
    pthread_mutex_lock(&sim.lock);
    sim_stream *s = sim_find(handle, SIM_STREAM);
    sim_mark *reached = calloc(1, sizeof *reached), *opened = calloc(1, sizeof *opened);

    if (!s || !reached || !opened) {
        pthread_mutex_unlock(&sim.lock);
        free(reached);
        free(opened);
        return sim_misuse(call, CUDA_ERROR_INVALID_HANDLE, "the stream is none, or no more");
    }
    reached->refs = opened->refs = 2;
    append(s, call, 0)->mark = reached;
    operation *gate = append(s, call, 0);
    gate->mark = opened, gate->waits = true;
    sim.ngate++;
    sim.elsewhere = elsewhere;
    *out = (cudasim_gate){ reached, opened };
    pthread_mutex_unlock(&sim.lock);
    return CUDA_SUCCESS;
}

bool cudasim_gate_reached(const cudasim_gate *gate)
{
    pthread_mutex_lock(&sim.lock);
    const bool reached = gate->reached->done;
    pthread_mutex_unlock(&sim.lock);
    return reached;
}

void cudasim_gate_open(cudasim_gate *gate)
{
    pthread_mutex_lock(&sim.lock);
    gate->open->done = true;
    sim.ngate--;
    sim_mark_release(gate->reached);
    sim_mark_release(gate->open);
    *gate = (cudasim_gate){ NULL, NULL };
    pthread_cond_broadcast(&sim.moved);
    pthread_mutex_unlock(&sim.lock);
}

int cudasim_touch(CUstream handle, const char *call, void *to, const void *from, size_t bytes,
                  bool to_gpu)
{
    char text[256];

    pthread_mutex_lock(&sim.lock);
    const sim_stream *s = sim_find(handle, SIM_STREAM);
    sim_gpu *gpu = s ? s->object.gpu : NULL;
    const sim_range range = { (CUdeviceptr)(uintptr_t)(to_gpu ? to : from), bytes, gpu };
    const char *wrong = !gpu ? "the stream is no more" : sim_range_wrong(&range, text, sizeof text);
    int result = gpu ? gpu->error : CUDA_ERROR_INVALID_HANDLE;
    if (!result && wrong) result = sim_misuse(call, CUDA_ERROR_ILLEGAL_ADDRESS, "%s", wrong);
    if (result && gpu && !gpu->error) gpu->error = result;
    if (!result) {
        sim_memory_open();
        sim_move(to, from, bytes, NULL);
        sim_memory_close();
    }
    pthread_mutex_unlock(&sim.lock);
    return result;
}
