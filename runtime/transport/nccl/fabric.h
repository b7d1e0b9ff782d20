// SPDX-License-Identifier: Apache-2.0
// fabric - the inside of libweft_nccl.so: a member of a gang. Callers queue orders (fabric.c); the
// member's own thread carries them out, one after the other, and is the only one that calls NCCL
// (gang.c). The module has no undefined weft_ or wf_ symbol.
#ifndef WF_NCCL_FABRIC_H
#define WF_NCCL_FABRIC_H

#include <pthread.h>

#include "transport/nccl/library.h"
#include "weft/transport.h"

extern const weft_host *wf_nccl_host;  // set when the module is loaded

// What the thread is to do: a phase, or to make the gang (the first time, or without the ranks
// lost).
typedef struct wf_nccl_order {
    struct wf_nccl_order *next;
    int64_t ticket;
    bool is_gang, has_id;
    weft_fabric_id id;
    int rank, count;  // of the gang from here on
    int64_t n;
    weft_fabric_move *moves;  // n of them; both lists lie behind the order
    int *lost;
} wf_nccl_order;

struct weft_fabric {
    const wf_nccl_library *library;
    int device;
    int64_t scratch_bytes;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t asked, told;  // the thread waits for the one, callers for the other

    // Under the lock.
    wf_nccl_order *head, *tail;
    int rank, count;  // as the last order leaves them
    int64_t issued, done,
        fence;           // tickets: the last given out; the last of those done; the last shrink's
    bool running;        // an order is being carried out
    bool interrupt;      // it is to be given up
    bool stop, closing;  // abort, close were called, and the thread has not seen to it
    int64_t patience;    // of close
    weft_status status;  // WEFT_OK, or what all tickets after DONE failed with
    char text[480];

    // The thread's own.
    CUdevice gpu;
    CUcontext context;
    CUstream stream;
    CUevent event;
    CUdeviceptr scratch;  // what the first exchange of a gang moves
    ncclComm_t comm;      // NULL: no gang
    ncclComm_t child;     // NCCL's to fill while it shrinks COMM
    int64_t deadline;     // in nanoseconds of the monotonic clock; 0: none
    char draft[480];      // the text of what went wrong last
};

// --- fabric.c ---

int64_t wf_nccl_now(void);
// Waits up to NS nanoseconds for a signal. The lock is held.
void wf_nccl_wait(weft_fabric *fabric, pthread_cond_t *signal, int64_t ns);

// --- gang.c: called by the member's thread only, without the lock ---

// Takes hold of the device. What fails is in fabric->draft, here and below.
weft_status wf_nccl_start(weft_fabric *fabric);
void wf_nccl_stop(weft_fabric *fabric);
// WEFT_CANCELLED when it was interrupted, in which case the gang still has the memory of the phase.
weft_status wf_nccl_carry_out(weft_fabric *fabric, wf_nccl_order *order);
// Aborts the gang, if there is one. No operation of it runs on the device afterwards.
void wf_nccl_let_go(weft_fabric *fabric);
// Ends a gang that stands, with the others, or lets go when they do not come before
// fabric->deadline.
void wf_nccl_end(weft_fabric *fabric);

#endif
