// SPDX-License-Identifier: Apache-2.0
// thread - mutexes, conditions and threads: pthreads with the choices made once. Conditions wait on
// the monotonic clock; Weft's threads take no signal (those belong to the host program), and run
// with the default floating-point mode whatever the thread that started them had set.
#ifndef WF_BASE_THREAD_H
#define WF_BASE_THREAD_H

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/error.h"

typedef pthread_mutex_t wf_mutex;
typedef pthread_cond_t wf_cond;
#define WF_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER  // for statics

// A zeroed wf_mutex or wf_cond is not an object: init before use, fini once. Neither can fail on
// Linux.
static inline void wf_mutex_init(wf_mutex *mutex) { pthread_mutex_init(mutex, NULL); }
static inline void wf_mutex_fini(wf_mutex *mutex) { pthread_mutex_destroy(mutex); }
static inline void wf_mutex_lock(wf_mutex *mutex) { pthread_mutex_lock(mutex); }
static inline bool wf_mutex_try_lock(wf_mutex *mutex) { return pthread_mutex_trylock(mutex) == 0; }
static inline void wf_mutex_unlock(wf_mutex *mutex) { pthread_mutex_unlock(mutex); }

static inline void wf_cond_init(wf_cond *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}
static inline void wf_cond_fini(wf_cond *cond) { pthread_cond_destroy(cond); }
static inline void wf_cond_signal(wf_cond *cond) { pthread_cond_signal(cond); }
static inline void wf_cond_broadcast(wf_cond *cond) { pthread_cond_broadcast(cond); }
// Waits with MUTEX held; may return early: test the condition in a loop.
static inline void wf_cond_wait(wf_cond *cond, wf_mutex *mutex) { pthread_cond_wait(cond, mutex); }

// The same until wf_clock_ns() reaches DEADLINE_NS; false once it has.
static inline bool wf_cond_wait_until(wf_cond *cond, wf_mutex *mutex, int64_t deadline_ns)
{
    int64_t ns = deadline_ns > 0 ? deadline_ns : 0;
    struct timespec t;

    t.tv_sec = (time_t)(ns / 1000000000);
    t.tv_nsec = (long)(ns % 1000000000);
    return pthread_cond_timedwait(cond, mutex, &t) != ETIMEDOUT;
}

// A started thread. It lies in its owner's memory and must not move until it is joined; a zeroed
// one was never started.
typedef struct wf_thread {
    pthread_t id;
    bool started;
    char name[16];  // what ps, top, gdb and traces show; longer names are cut
    void (*run)(void *context);
    void *context;
} wf_thread;

// Starts RUN(CONTEXT) on a new thread called NAME. Fails with WEFT_NO_MEMORY when the system has no
// thread to give.
weft_status wf_thread_start(wf_thread *thread, const char *name, void (*run)(void *context),
                            void *context) WEFT_WARN_UNUSED;
// Waits for its end. Accepts a thread never started, and one already joined.
void wf_thread_join(wf_thread *thread);

// Copies the calling thread's name into OUT.
void wf_thread_name(char out[16]);

#endif
