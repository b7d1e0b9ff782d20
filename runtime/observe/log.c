// SPDX-License-Identifier: Apache-2.0
// log - one callback for the process. The callback is copied out under the lock and called without
// it; a count of calls under way lets wf_log_set wait until the callback before is gone.
#include "observe/log.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/thread.h"

#define MAX_TEXT 1024
#define MAX_KEYS 256  // messages given once; more causes than that are not reported

static struct {
    wf_mutex lock;
    pthread_cond_t idle;
    wf_log_fn *fn;
    void *context;
    int level;    // read without the lock first
    int running;  // calls under way
    int nkeys;
    uint64_t keys[MAX_KEYS];  // hashes of what was given once
} state = { .lock = WF_MUTEX_INIT, .idle = PTHREAD_COND_INITIALIZER };

static _Thread_local int depth;  // calls under way on this thread

void wf_log_set(wf_log_fn *fn, void *context, int level)
{
    wf_mutex_lock(&state.lock);
    state.fn = NULL;  // no call begins while we wait for the old ones
    while (state.running > 0 && depth == 0) pthread_cond_wait(&state.idle, &state.lock);
    state.fn = fn;
    state.context = context;
    state.nkeys = 0;
    __atomic_store_n(&state.level, fn ? level : 0, __ATOMIC_RELAXED);
    wf_mutex_unlock(&state.lock);
}

bool wf_log_is_on(wf_log_level level)
{
    return (int)level <= __atomic_load_n(&state.level, __ATOMIC_RELAXED);
}

// Whether KEY (0: none) is new, and remembers it. The lock is held.
static bool note_key(uint64_t key)
{
    if (!key) return true;
    for (int i = 0; i < state.nkeys; i++)
        if (state.keys[i] == key) return false;
    if (state.nkeys == MAX_KEYS) return false;
    state.keys[state.nkeys++] = key;
    return true;
}

static void deliver(uint64_t key, wf_log_level level, const char *fmt, va_list args)
{
    char text[MAX_TEXT];

    vsnprintf(text, sizeof text, fmt, args);
    wf_mutex_lock(&state.lock);
    bool wanted = state.fn && (int)level <= state.level && note_key(key);
    wf_log_fn *fn = state.fn;
    void *context = state.context;
    state.running += wanted;
    wf_mutex_unlock(&state.lock);
    if (!wanted) return;

    depth++;
    fn(context, (int)level, text);
    depth--;
    wf_mutex_lock(&state.lock);
    if (--state.running == 0) pthread_cond_broadcast(&state.idle);
    wf_mutex_unlock(&state.lock);
}

void wf_log(wf_log_level level, const char *fmt, ...)
{
    va_list args;

    if (!wf_log_is_on(level)) return;
    va_start(args, fmt);
    deliver(0, level, fmt, args);
    va_end(args);
}

void wf_log_once(const char *key, wf_log_level level, const char *fmt, ...)
{
    va_list args;

    if (!wf_log_is_on(level)) return;
    va_start(args, fmt);
    deliver(wf_hash_text(1, key) | 1, level, fmt, args);
    va_end(args);
}

static const char *const names[] = { "off", "error", "warn", "info", "debug" };

const char *wf_log_level_name(wf_log_level level)
{
    return (unsigned)level < sizeof names / sizeof *names ? names[level] : "?";
}

int wf_log_level_find(const char *name)
{
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}
