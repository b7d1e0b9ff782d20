// SPDX-License-Identifier: Apache-2.0
// thread - starting and joining.
#include "base/thread.h"

#include <fenv.h>
#include <signal.h>
#include <string.h>

static void *thread_main(void *self)
{
    wf_thread *thread = self;

    fesetenv(FE_DFL_ENV);  // threads inherit flush-to-zero and rounding from their creator
    pthread_setname_np(pthread_self(), thread->name);
    thread->run(thread->context);
    return NULL;
}

weft_status wf_thread_start(wf_thread *thread, const char *name, void (*run)(void *context),
                            void *context)
{
    sigset_t all, before;

    *thread = (wf_thread){ .run = run, .context = context };
    memcpy(thread->name, name, strnlen(name, sizeof thread->name - 1));

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // the new thread inherits it
    int err = pthread_create(&thread->id, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err)
        return wf_fail(WEFT_NO_MEMORY,
                       "thread: could not start '%s': the system has no thread left", thread->name);
    thread->started = true;
    return WEFT_OK;
}

void wf_thread_join(wf_thread *thread)
{
    if (!thread->started) return;
    pthread_join(thread->id, NULL);
    thread->started = false;
}

void wf_thread_name(char out[16])
{
    if (pthread_getname_np(pthread_self(), out, 16)) memcpy(out, "?", 2);
}
