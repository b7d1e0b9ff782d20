// SPDX-License-Identifier: Apache-2.0
// control - the environment, faults and counts, the table of handles, and what every call does first.
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

sim_state sim = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };

static __thread void *current_context;

void sim_say(const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "cudasim: %s\n", text);
}

int sim_misuse(const char *call, int result, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "cudasim: %s: %s (error %d)\n", call, text, result);
    return result;
}

uint64_t sim_random(void)  // splitmix64
{
    uint64_t z = sim.random += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// --- counts and faults ---

typedef struct count {
    char what[48];
    long long value;
} count;
static count counts[128];

typedef struct fault {
    char call[48];
    int nth, result;  // calls until it strikes; 0: each
} fault;
static fault faults[64];

static count *count_of(const char *what)
{
    count *c = counts;

    while (c < counts + 127 && c->what[0] && strcmp(c->what, what) != 0) c++;
    if (!c->what[0]) snprintf(c->what, sizeof c->what, "%s", what);
    return c;
}

void sim_count(const char *what, long long add)
{
    count *c = count_of(what);

    c->value += add;
    if (strcmp(what, "bytes") == 0 && c->value > count_of("peak")->value)
        count_of("peak")->value = c->value;
}

int sim_fault(const char *call)
{
    int result = 0;

    for (fault *f = faults; f < faults + 64; f++) {
        if (strcmp(f->call, call) != 0) continue;
        if (f->nth > 1) {
            f->nth--;
            continue;
        }
        if (f->nth == 1) f->call[0] = 0;
        if (!result) result = f->result;
    }
    return result;
}

static void fault_add(const char *call, int nth, int result)
{
    for (fault *f = faults; f < faults + 64; f++)
        if (!f->call[0]) {
            *f = (fault){ .nth = nth, .result = result };
            snprintf(f->call, sizeof f->call, "%s", call);
            return;
        }
    sim_say("more than 64 faults at once: '%s' is not one", call);
}

// --- the environment ---

static long long setting(const char *name, long long otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoll(text, NULL, 0) : otherwise;
}

// CUDA_VISIBLE_DEVICES, as the driver reads it: numbers up to the first that is none.
static void read_visible(int n)
{
    const char *text = getenv("CUDA_VISIBLE_DEVICES");
    char *end;

    sim.ngpu = 0;
    if (!text)
        while (sim.ngpu < n) sim.visible[sim.ngpu] = sim.ngpu, sim.ngpu++;
    for (; text && *text && sim.ngpu < n; text = *end ? end + 1 : end) {
        const long number = strtol(text, &end, 10);
        if (end == text || number < 0 || number >= n) break;
        sim.visible[sim.ngpu++] = (int)number;
    }
}

static void read_faults(void)
{
    const char *text = getenv("CUDASIM_FAIL");
    char call[48];
    int nth, result, used = 0;

    for (; text && sscanf(text, "%47[^:]:%d:%d%n", call, &nth, &result, &used) == 3;
         text += used + (text[used] == ','))
        fault_add(call, nth, result);
}

static void read_environment(void)
{
    const long long n = setting("CUDASIM_DEVICES", 2);
    bool held = false;

    for (int i = 0; i < SIM_GPUS; i++) held |= sim.gpu[i].retained > 0;
    if (!held) {
        read_visible((int)(n < 0 ? 0 : n > SIM_GPUS ? SIM_GPUS : n));
        sim.memory = (size_t)setting("CUDASIM_MEMORY", 256 << 20);
    }
    sim.random = (uint64_t)setting("CUDASIM_SEED", 1);
    sim.queue_limit = (int)setting("CUDASIM_QUEUE", 256);
    sim.driver = (int)setting("CUDASIM_DRIVER", 13000);
    sim.mode = (int)setting("CUDASIM_MODE", 0);
    sim.peers = (int)setting("CUDASIM_PEERS", 1);
    sim.protect = (int)setting("CUDASIM_PROTECT", 0);
    sim.strict = (int)setting("CUDASIM_STRICT", 0);
    read_faults();
}

__attribute__((constructor)) static void begin(void)
{
    for (int i = 0; i < SIM_GPUS; i++) sim.gpu[i].number = i;
    read_environment();
}

__attribute__((destructor)) static void end(void)
{
    for (int i = 0; i < SIM_GPUS; i++)
        if (sim.gpu[i].retained) sim_memory_drop(&sim.gpu[i]);
    sim_memory_drop(NULL);
    if (sim.leaked && sim.strict) _exit(97);
}

// --- what tests call ---

void cudasim_reset(void)
{
    pthread_mutex_lock(&sim.lock);
    memset(faults, 0, sizeof faults);
    for (count *c = counts; c < counts + 128; c++)
        if (!strstr(c->what, "bytes") && strcmp(c->what, "queued") != 0) c->value = 0;
    for (int i = 0; i < SIM_GPUS; i++) sim.gpu[i].error = 0;
    sim.leaked = 0;
    read_environment();
    pthread_mutex_unlock(&sim.lock);
}

void cudasim_seed(unsigned long long seed)
{
    pthread_mutex_lock(&sim.lock);
    sim.random = seed;
    pthread_mutex_unlock(&sim.lock);
}

void cudasim_fail(const char *call, int nth, int result)
{
    pthread_mutex_lock(&sim.lock);
    fault_add(call, nth, result);
    pthread_mutex_unlock(&sim.lock);
}

void cudasim_break_device(int device)
{
    pthread_mutex_lock(&sim.lock);
    if (device >= 0 && device < SIM_GPUS) sim.gpu[device].error = CUDA_ERROR_ILLEGAL_ADDRESS;
    pthread_mutex_unlock(&sim.lock);
}

long long cudasim_count(const char *what)
{
    pthread_mutex_lock(&sim.lock);
    const long long value = count_of(what)->value;
    pthread_mutex_unlock(&sim.lock);
    return value;
}

void cudasim_add(const char *what, long long add)
{
    pthread_mutex_lock(&sim.lock);
    sim_count(what, add);
    pthread_mutex_unlock(&sim.lock);
}

int cudasim_enter(const char *call)
{
    pthread_mutex_lock(&sim.lock);
    sim_count(call, 1);
    const int result = sim_fault(call);
    pthread_mutex_unlock(&sim.lock);
    return result;
}

// --- handles ---

// A handle is kind (8 bits), generation (24), index + 1 (32): no address, so that following one is a fault.
static struct {
    sim_object *object;
    uint32_t generation, next_free;  // indices + 1
} * handles;
static uint32_t nhandle, free_handle;

void *sim_handle(sim_object *object, sim_kind kind, sim_gpu *gpu)
{
    uint32_t i = free_handle;

    if (i) {
        free_handle = handles[i - 1].next_free;
    } else {
        handles = realloc(handles, (nhandle + 1) * sizeof *handles);
        if (!handles) abort();
        handles[nhandle].generation = 0;
        i = ++nhandle;
    }
    handles[i - 1].object = object;
    handles[i - 1].generation = (handles[i - 1].generation + 1) & 0xffffff;
    object->kind = kind, object->gpu = gpu;
    object->handle = (void *)((uint64_t)kind << 56 | (uint64_t)handles[i - 1].generation << 32 | i);
    return object->handle;
}

void *sim_find(const void *handle, sim_kind kind)
{
    const uint32_t i = (uint32_t)(uintptr_t)handle;

    if (i < 1 || i > nhandle || !handles[i - 1].object) return NULL;
    sim_object *object = handles[i - 1].object;
    return object->handle == handle && object->kind == kind ? object : NULL;
}

void sim_forget(sim_object *object)
{
    const uint32_t i = (uint32_t)(uintptr_t)object->handle;

    if (!i) return;
    handles[i - 1].object = NULL;
    handles[i - 1].next_free = free_handle;
    free_handle = i;
    object->handle = NULL;
}

void *sim_any(sim_kind kind, const sim_gpu *gpu)
{
    for (uint32_t i = 0; i < nhandle; i++)
        if (handles[i].object && handles[i].object->kind == kind && handles[i].object->gpu == gpu)
            return handles[i].object;
    return NULL;
}

// --- the way in ---

void *sim_current(void) { return current_context; }
void sim_set_current(void *handle) { current_context = handle; }

static bool is_sticky(int result)
{
    return result == CUDA_ERROR_ILLEGAL_ADDRESS || (result >= 710 && result <= 719) ||
           result == 214;  // uncorrectable ECC error
}

static int need_context(sim_call *call)
{
    sim_object *context = sim_find(current_context, SIM_CONTEXT);

    if (context) {
        call->gpu = context->gpu;
        return CUDA_SUCCESS;
    }
    if (current_context)
        return sim_misuse(call->name, CUDA_ERROR_CONTEXT_IS_DESTROYED,
                          "this thread's current context was released");
    return sim_misuse(call->name, CUDA_ERROR_INVALID_CONTEXT, "no context is current");
}

sim_call sim_enter(const char *name, sim_need need)
{
    sim_call call = { .name = name };

    pthread_mutex_lock(&sim.lock);
    sim_count(name, 1);
    const int fault = sim_fault(name);
    if (need != SIM_NOTHING && !sim.ready) call.result = CUDA_ERROR_NOT_INITIALIZED;
    if (!call.result && need == SIM_CURRENT) call.result = need_context(&call);
    if (!call.result) call.result = fault;
    if (call.gpu && is_sticky(fault)) call.gpu->error = fault;
    if (!call.result && call.gpu) call.result = call.gpu->error;
    if (call.result) pthread_mutex_unlock(&sim.lock);
    return call;
}

void sim_leave(sim_call *call)
{
    if (!call->result) pthread_mutex_unlock(&sim.lock);
}

void *cudasim_context(void)
{
    pthread_mutex_lock(&sim.lock);
    void *context = sim_find(current_context, SIM_CONTEXT) ? current_context : NULL;
    pthread_mutex_unlock(&sim.lock);
    return context;
}

int cudasim_gpu(void)
{
    pthread_mutex_lock(&sim.lock);
    const sim_object *context = sim_find(current_context, SIM_CONTEXT);
    const int number = context ? sim.visible[context->gpu->number] : -1;
    pthread_mutex_unlock(&sim.lock);
    return number;
}

void *cudasim_stream_context(CUstream stream)
{
    pthread_mutex_lock(&sim.lock);
    const sim_stream *s = sim_find(stream, SIM_STREAM);
    void *context = s ? s->object.gpu->context.handle : NULL;
    pthread_mutex_unlock(&sim.lock);
    return context;
}

bool cudasim_is_device(const void *memory, size_t bytes)
{
    char text[256];

    pthread_mutex_lock(&sim.lock);
    const sim_object *context = sim_find(current_context, SIM_CONTEXT);
    const sim_range range = { (CUdeviceptr)(uintptr_t)memory, bytes,
                              context ? context->gpu : NULL };
    const bool is = context && !sim_range_wrong(&range, text, sizeof text);
    pthread_mutex_unlock(&sim.lock);
    return is;
}
