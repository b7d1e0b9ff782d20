// SPDX-License-Identifier: Apache-2.0
// daemon - what the `weft` command needs beyond weft.h, and a program may want: the daemons of a
// cluster, and reports about this machine, its settings, files and a session's time.
//
// Errors, options and ownership are as in weft.h: zero fields are defaults, NULL is all defaults,
// the reserved tail is zero. What these functions have to say they print to the FILE given, and
// nowhere else; they set no signal handler and never exit.
#ifndef WEFT_DAEMON_H
#define WEFT_DAEMON_H

#include "weft.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

// -------------------------------------------------------------------------------------------------
// Several results of one text
// -------------------------------------------------------------------------------------------------

// Runs the statements of TEXT, as weft_expr does, and gives NOUT of the values: OUT[i] is the one
// that OUT_NAMES[i] has at the end, or, where that is NULL, the last statement's. Lazy: nothing is
// computed but what weft_expr would; the arrays belong to the scope. WEFT_INVALID for a name that
// no statement assigns; OUT is then untouched. The pending error is not set.
weft_status weft_expr_run(weft_session *session, const char *text, int n, const char *const *names,
                          weft_array *const *arrays, int nout, const char *const *out_names,
                          weft_array **out) WEFT_WARN_UNUSED;

// Prints to FILE the line of TEXT that the column in weft_last_error() points at, with a '^' under
// the place; nothing if the error names no place in TEXT.
void weft_expr_print_place(FILE *file, const char *text);

// Prints to FILE (NULL: stdout) every function that texts may call, a line each: what it takes,
// what it does, and its other names.
weft_status weft_functions_print(FILE *file) WEFT_WARN_UNUSED;

// -------------------------------------------------------------------------------------------------
// Where the time goes
// -------------------------------------------------------------------------------------------------

// Begins to record what every thread of SESSION does: tasks, reads, writes, spills. The newest
// events are kept if there are more than fit. WEFT_BUSY if it has begun already.
weft_status weft_profile_start(weft_session *session) WEFT_WARN_UNUSED;

// Ends the recording and writes it to PATH in Chrome's JSON trace format, which Perfetto opens: one
// row per thread, one span per event, with operation, label, block and bytes. Replaces PATH.
// WEFT_INVALID if no recording was begun; WEFT_IO, WEFT_DENIED, WEFT_NO_SPACE.
weft_status weft_profile_write(weft_session *session, const char *path) WEFT_WARN_UNUSED;

// -------------------------------------------------------------------------------------------------
// Reports
// -------------------------------------------------------------------------------------------------

typedef struct weft_info_options {
    FILE *out;                    // NULL: stdout
    int npaths;                   // entries of .paths
    const char *const *paths;     // array files and Zarr groups; none: the devices there are
    const weft_options *session;  // which devices: as weft_open would
    bool json;                    // one JSON object per path or device, a line each
    uint64_t reserved[8];         // zero
} weft_info_options;

// Prints what array files hold (format, shape, dtype, chunks, codec, bytes in memory and on disk,
// axis names, attributes; of a group its arrays), or what devices this process may use, with their
// memory. All paths are tried; returns the first error, as weft_load gives it.
weft_status weft_info_print(const weft_info_options *opts) WEFT_WARN_UNUSED;

typedef struct weft_config_options {
    FILE *out;                    // NULL: stdout
    const char *key;              // this setting alone: its value and nothing else; NULL: all
    const weft_options *session;  // the strongest source: what a session would be opened with
    bool json;                    // one object
    bool explain;                 // instead, what each setting is for
    uint64_t reserved[8];         // zero
} weft_config_options;

// Prints every setting, its value, and where that came from, with what a default comes to on this
// machine. As YAML, which a settings file may hold; or as JSON, with "effective" beside such a
// default. WEFT_INVALID for a setting that is not known, wherever it stands; the sentence names the
// nearest one that is, if any is near.
weft_status weft_config_print(const weft_config_options *opts) WEFT_WARN_UNUSED;

typedef struct weft_doctor_options {
    FILE *out;                    // NULL: stdout
    const weft_options *session;  // what to check with
    bool json;                    // one object
    bool modules_only;     // only what device modules find: GPUs, their libraries, the kernel cache
    bool clear_cache;      // removes the kernels that modules keep on disk
    uint64_t reserved[8];  // zero
} weft_doctor_options;

// Checks that this installation works, and prints what it finds: version, build options and what is
// absent, CPU features and kernels in use, BLAS, modules, devices, limits, spill folder, and a
// small array computed on each device. Returns the first failure; what is merely absent is none.
weft_status weft_doctor(const weft_doctor_options *opts) WEFT_WARN_UNUSED;

// -------------------------------------------------------------------------------------------------
// The cluster. For now each of these is WEFT_UNSUPPORTED.
// -------------------------------------------------------------------------------------------------

// Told once, when a daemon can be reached at ADDRESS.
typedef void weft_ready_fn(void *context, const char *address);

typedef struct weft_scheduler_options {
    FILE *out;                   // one line per event; NULL: none
    const char *listen;          // default "tcp://127.0.0.1:*"; * is a free port
    const char *scheduler_file;  // leave address and key here, mode 0600
    const char *key_file;        // of weft_keygen; needed as soon as the address is not loopback
    const char *journal;         // folder in which to survive a restart; NULL: none
    weft_ready_fn *ready;        // NULL: none
    void *context;               // for .ready
    const char *settings;        // as in weft_options
    uint64_t reserved[8];        // zero
} weft_scheduler_options;

// Runs a scheduler on this thread until weft_daemon_stop.
weft_status weft_scheduler_run(const weft_scheduler_options *opts) WEFT_WARN_UNUSED;

typedef struct weft_worker_options {
    FILE *out;                   // one line per event; NULL: none
    const char *scheduler;       // "tcp://host:port"
    const char *scheduler_file;  // or the file in which it left its address and key
    const char *key_file;        // of weft_keygen
    const char *devices;         // as in weft_options
    int64_t memory_limit;        // bytes; as in weft_options
    int threads;                 // as in weft_options
    weft_ready_fn *ready;        // NULL: none
    void *context;               // for .ready
    const char *settings;        // as in weft_options
    uint64_t reserved[8];        // zero
} weft_worker_options;

// Runs a worker on this thread until weft_daemon_stop, or until the scheduler dismisses it. It
// hands its blocks over before it leaves.
weft_status weft_worker_run(const weft_worker_options *opts) WEFT_WARN_UNUSED;

typedef struct weft_top_options {
    FILE *out;                   // NULL: stdout
    const char *scheduler;       // "tcp://host:port"
    const char *scheduler_file;  // or the file in which it left its address and key
    const char *key_file;        // of weft_keygen
    double interval;             // seconds between two pictures; 0: 1
    bool once;                   // one picture, and return
    bool json;                   // one object per picture, a line each
    uint64_t reserved[8];        // zero
} weft_top_options;

// Prints what a cluster is doing, worker by worker, again and again until weft_daemon_stop.
weft_status weft_top_run(const weft_top_options *opts) WEFT_WARN_UNUSED;

typedef struct weft_keygen_options {
    FILE *out;             // NULL: none; else the public key
    const char *path;      // the secret key, mode 0600; the public one beside it, PATH.pub
    bool overwrite;        // replace keys that are there; else WEFT_EXISTS
    uint64_t reserved[8];  // zero
} weft_keygen_options;

// Makes a pair of keys for the encrypted links of a cluster (CURVE).
weft_status weft_keygen(const weft_keygen_options *opts) WEFT_WARN_UNUSED;

// Asks every daemon that this process runs to end in good order, and returns at once. Safe in a
// signal handler.
void weft_daemon_stop(void);

#ifdef __cplusplus
}  // extern "C"
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#endif
