// SPDX-License-Identifier: Apache-2.0
// transport - the table that a fabric module fills: blocks between the devices of different
// workers, in gang phases. A gang is a fixed set of members, each with one device; a phase is a
// list of sends and receives that every member makes for itself from the same plan, so that nothing
// but their order says which send meets which receive.
// A fabric is neither authenticated nor encrypted: it is for networks that the operator has called
// trusted.
//
// Deadlines are the caller's: nothing here gives up by itself. A call that cannot end
// stays WEFT_BUSY until the caller, who also hears from the control plane who died, aborts it or
// shrinks the gang.
// While a phase is in flight its device must not be synchronised as a whole, by
// anyone: memory comes from a pool that does not grow, and no kernel is loaded for the first time.
// (With NCCL, a kernel spins there until the others have come.)
#ifndef WEFT_TRANSPORT_H
#define WEFT_TRANSPORT_H

#include "weft/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_fabric weft_fabric;  // one member's end of a gang: a module's own structure

// What the members of one gang have in common. Made by one of them, brought to the others by the
// control plane.
typedef struct weft_fabric_id {
    unsigned char bytes[128];
} weft_fabric_id;

typedef struct weft_fabric_member {
    weft_fabric_id id;
    int rank, count;  // 0 <= rank < count; each rank once
    int device;       // the number of a device of the module's own kind ("nccl": of CUDA), as in
                      // weft_device_ops.open
} weft_fabric_member;

// One send to, or receive from, PEER. The n-th send from a to b meets the n-th receive of b from a,
// over all phases; both say the same BYTES. Moves of no bytes are left out at both ends.
typedef struct weft_fabric_move {
    int peer;  // another rank
    bool send;
    void *memory;  // of the member's device
    int64_t bytes;
} weft_fabric_move;

// Every call returns at once, except where it says that it waits. One fabric may be used from any
// thread, but phases from several have no order between them. A thread of the fabric's own makes
// all calls of the library below, strictly in the order in which phase and shrink were called.
typedef struct weft_fabric_ops {
    uint32_t abi;      // WEFT_PLUGIN_ABI
    const char *kind;  // "nccl"

    // Whether gangs can be made here. If not, *why says in one sentence what is missing (static).
    bool (*available)(const char **why);
    // One line for `weft doctor`: "NCCL 2.28.9"; "" where it is not available. Static.
    const char *(*version)(void);

    // Makes an id. Its maker listens for the others from now on, and so must itself be a member.
    weft_status (*make_id)(weft_fabric_id *out);

    // Gives a member of a gang that comes to be when all COUNT have called this with the same id;
    // poll of ticket 0 says when. Connections between all members are made then, not by the first
    // phase. WEFT_INVALID, WEFT_UNSUPPORTED (not available), WEFT_NOT_FOUND (no such device),
    // WEFT_DEVICE.
    weft_status (*open)(const weft_fabric_member *member, weft_fabric **out);

    // Queues a phase, which may be queued before the gang stands. MOVES are copied. Their memory is
    // borrowed until poll has said of *ticket anything but WEFT_BUSY, and no move touches memory of
    // another of the same phase, unless both send. What fills memory that is sent must be complete.
    // WEFT_INVALID: a peer, a size. On a fabric that has failed: the error that it failed with.
    weft_status (*phase)(weft_fabric *fabric, const weft_fabric_move *moves, int64_t nmove,
                         int64_t *ticket);

    // Waits up to PATIENCE milliseconds (0: only looks) for a ticket: 0 is the gang itself, else
    // phase's or shrink's. WEFT_OK: it is done, and so are all before it. WEFT_BUSY, which is not
    // recorded as an error: not yet. Else the error that the fabric failed with, the same for this
    // and every later ticket; the device has let go of all memory. WEFT_LOST: a member died; the
    // text names its rank if that is known. WEFT_CANCELLED: abort was called, or the ticket is from
    // before a shrink. WEFT_INVALID: no such ticket.
    weft_status (*poll)(weft_fabric *fabric, int64_t ticket, int64_t patience);

    // Goes on without the ranks LOST, which are different and not one's own: the others move up, in
    // order, and *ticket is done when the new gang stands. Phases that are not done are given up.
    // All survivors call this, with the same ranks and, each or none, the same new id.
    // With ID (made by a survivor when the dead are known) the gang is made anew from it: this
    // works whatever has happened, on a fabric that has failed or was aborted too, and with no rank
    // lost. Without, the library's own way is taken, which needs no id but is refused at every
    // member that has failed, and by NCCL before 2.27: there poll says WEFT_UNSUPPORTED, elsewhere
    // it may stay busy, and all must shrink again, with an id. Ranks are counted anew from this
    // call on, whatever becomes of it: each is less by the number of LOST below it.
    weft_status (*shrink)(weft_fabric *fabric, const int *lost, int nlost, const weft_fabric_id *id,
                          int64_t *ticket);

    // Gives up every phase and the gang: what is not done fails with WEFT_CANCELLED, or with what
    // it had failed with before, once memory is let go of. All members must.
    void (*abort)(weft_fabric *fabric);

    // Ends a member. A gang that stands and has nothing queued ends in agreement: waits up to
    // PATIENCE milliseconds for the others to call this too. Anything else is aborted; waits for
    // that. Takes the fabric; NULL is well.
    void (*close)(weft_fabric *fabric, int64_t patience);
} weft_fabric_ops;

// The one symbol a fabric module exports: weft_fabric_module. Returns NULL when HOST's abi is not
// its own. HOST is borrowed for ever.
typedef const weft_fabric_ops *weft_fabric_module_fn(const weft_host *host);

#ifdef __cplusplus
}
#endif
#endif
