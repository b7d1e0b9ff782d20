// SPDX-License-Identifier: Apache-2.0
// scratch - one growing piece of memory per thread. All are listed, so that closing the last device
// frees those of threads that live on.
#include "device/cpu/scratch.h"

#include "base/thread.h"

#define KEEP_BYTES ((size_t)16 << 20)  // kept between launches

typedef struct scratch scratch;
struct scratch {
    char *memory;  // as allocated; the part given out begins at a multiple of 64
    size_t bytes;
    bool listed;
    scratch *next, *previous;
};

static _Thread_local scratch own;
static wf_mutex list_lock = WF_MUTEX_INIT;
static scratch *list;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool key_made;

static void unlist_locked(scratch *s)
{
    if (!s->listed) return;
    if (s->previous) s->previous->next = s->next;
    else list = s->next;
    if (s->next) s->next->previous = s->previous;
    s->listed = false;
}

static void list_own(void)
{
    wf_mutex_lock(&list_lock);
    own.previous = NULL;
    own.next = list;
    if (list) list->previous = &own;
    list = &own;
    own.listed = true;
    wf_mutex_unlock(&list_lock);
}

static void free_memory(scratch *s)
{
    wf_free(s->memory);
    s->memory = NULL;
    s->bytes = 0;
}

static void leave_thread(void *value)
{
    scratch *s = value;

    wf_mutex_lock(&list_lock);
    unlist_locked(s);
    wf_mutex_unlock(&list_lock);
    free_memory(s);
}

static void make_key(void) { key_made = pthread_key_create(&key, leave_thread) == 0; }

// The library may be unloaded while threads that used it live on: their ends must not call into it.
__attribute__((destructor)) static void drop_key(void)
{
    if (key_made) pthread_key_delete(key);
}

weft_status wf_scratch_get(size_t bytes, char **out)
{
    if (own.bytes < bytes || !own.listed) {
        pthread_once(&key_once, make_key);
        if (!key_made || pthread_setspecific(key, &own) != 0)
            return wf_fail(WEFT_NO_MEMORY,
                           "cpu: no thread-specific storage for a launch's working memory");
        if (!own.listed) list_own();
    }
    if (own.bytes < bytes) {
        free_memory(&own);
        own.memory = wf_alloc(bytes + 64);
        if (!own.memory) return WEFT_NO_MEMORY;
        own.bytes = bytes;
    }
    *out = own.memory ? own.memory + (64 - (uintptr_t)own.memory % 64) % 64 : NULL;
    return WEFT_OK;
}

void wf_scratch_trim(void)
{
    if (own.bytes > KEEP_BYTES) free_memory(&own);
}

void wf_scratch_free_all(void)
{
    wf_mutex_lock(&list_lock);
    while (list) {
        scratch *s = list;
        unlist_locked(s);
        free_memory(s);
    }
    wf_mutex_unlock(&list_lock);
}
