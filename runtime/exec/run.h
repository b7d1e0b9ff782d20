// SPDX-License-Identifier: Apache-2.0
// run - the inside of the engine: a request in flight, a worker thread, a task being executed. Private to exec/.
#ifndef WF_EXEC_RUN_H
#define WF_EXEC_RUN_H

#include "exec/engine.h"

// One value of a plan while it runs.
typedef struct wf_run_value {
    int64_t nblock;
    wf_block **block;  // made by layers: NULL until done and after the last reader
    int32_t *
        left;  // tasks (and the request itself) that still need each block; WF_COUNTED once its readers are added
    const wf_leaf_header *direct;  // or: host memory
    wf_stored *stored;             // or: blocks computed before; borrowed from the leaf
} wf_run_value;

enum { WF_COUNTED = 1 << 30 };

enum { WF_RUN_LIVE, WF_RUN_ENDING, WF_RUN_OVER };

struct wf_run {
    wf_engine *engine;
    wf_plan *plan;
    wf_run_options opts;
    wf_object **leaf;
    wf_scalar *param;
    wf_list **list;
    wf_run_value *value;
    wf_writer **writer;  // per leaf: open sinks
    wf_sched *sched;
    int state;       // under the engine's lock; read atomically by wf_run_is_over
    int cancelled;   // set from anywhere
    int active;      // threads inside a task of this run
    int retries;     // tasks run again after losses; bounded
    wf_error error;  // the first failure
    int64_t started_ns, bytes, last_progress_ns;
    int64_t tasks_done;
    bool reporting;      // a progress callback is running
    bool streams_files;  // mapped files it reads are large: pages are let go of as tasks end
    bool losses;         // blocks may have been lost: looked for as soon as no thread is inside
    int hopeless;  // a block was lost that an earlier request computed: how is forgotten. Atomic
    uint8_t
        *on_host;  // per layer: some device has no kernel for it. NULL where all devices are CPUs
    wf_object **result;  // per root
    struct wf_run *next;
};

// A block that a task writes.
typedef struct wf_output {
    int value;
    int64_t number;  // among the value's blocks
    int64_t bytes;
    wf_block *block;
    void *data;
    int64_t from;  // the pinned reference whose block it took over, or -1
    bool lent;     // the block is memory of the caller's, whole already
} wf_output;

typedef struct wf_pieces wf_pieces;  // pieces.c

// A thread of a device, or a caller that runs tasks itself.
typedef struct wf_worker {
    wf_engine *engine;
    int device;
    wf_device *dev;
    weft_stream *stream;
    wf_thread thread;
    wf_block_refs refs;
    wf_block_refs step_refs;  // of the step at hand, in layers that have steps
    int64_t nout, out_capacity;
    struct wf_output *out;  // of the task at hand
    int64_t data_capacity;
    void **data;  // of the pinned references
    int64_t scratch_capacity;
    char *scratch;           // for tasks that need little
    wf_pieces *pieces;       // copies not yet asked for, on devices that take many at once
    struct wf_worker *host;  // does on a CPU device what this one cannot; made when first wanted
    struct wf_worker *next;  // idle inline workers
} wf_worker;

struct wf_engine {
    const wf_settings *settings;
    wf_stats stats;
    wf_device_list devices;
    wf_store *store;
    wf_plan_options plan_options;
    int64_t memory_limit;
    bool sync;
    bool *lost;      // per device; written under the lock, read atomically without
    int64_t losses;  // of devices so far
    bool all_cpu;
    bool helping;  // all working devices are lost: the CPU device beside them takes tasks now
    wf_mutex lock;
    wf_cond work;  // something may be ready, or the engine stops
    wf_cond over;  // a run is over
    int waiting;   // threads in `work`
    double stall_seconds;
    bool stopping, threads_up;
    int64_t tight;  // reservations that had to wait, now
    wf_run *runs;   // live, oldest first
    int nworker, worker_capacity;
    wf_worker *worker;
    wf_worker *idle_inline;
};

// A task between begin and end: everything it reads is pinned, everything it writes exists.
typedef struct wf_task {
    wf_worker *worker;
    wf_run *run;
    const wf_layer *layer;
    int64_t number;
    wf_box box;
    const wf_block_refs *refs;  // what `worker->data` are the addresses of
    wf_box step;                // in layers that have steps: the one at hand
    wf_reservation memory;
    wf_block *aside[2];  // scratch and window, from the reservation
    char *aside_data[2];
    int64_t aside_bytes[2];
    void *out_data[16];  // per written value; of a value that was cut: of its block at hand
    bool begun;          // something was launched that writes outputs
} wf_task;

// Executes task NUMBER of LAYER: reserve, pin, run, publish, release; on WORKER's device, or on a
// CPU device for it where it cannot. WEFT_LOST: an input is gone, wanted again. Errors carry the
// operation.
weft_status wf_task_execute(wf_worker *worker, wf_run *run, int layer,
                            int64_t number) WEFT_WARN_UNUSED;
// The same on WORKER's device and no other. (task.c)
weft_status wf_task_execute_here(wf_worker *worker, wf_run *run, int layer,
                                 int64_t number) WEFT_WARN_UNUSED;

// The kinds' bodies.
weft_status wf_task_map(wf_task *task) WEFT_WARN_UNUSED;
weft_status wf_task_reduce(wf_task *task) WEFT_WARN_UNUSED;
weft_status wf_task_combine(wf_task *task) WEFT_WARN_UNUSED;
weft_status wf_task_scan(wf_task *task) WEFT_WARN_UNUSED;
weft_status wf_task_contract(wf_task *task) WEFT_WARN_UNUSED;
weft_status wf_task_reshape(wf_task *task) WEFT_WARN_UNUSED;
weft_status wf_task_take(wf_task *task) WEFT_WARN_UNUSED;
weft_status wf_task_compact(wf_task *task) WEFT_WARN_UNUSED;
weft_status wf_task_group(wf_task *task) WEFT_WARN_UNUSED;
weft_status wf_task_bincount(wf_task *task) WEFT_WARN_UNUSED;
weft_status wf_task_call(wf_task *task) WEFT_WARN_UNUSED;
void wf_task_count_mapped(wf_task *task, const wf_box *box);  // count.c
void wf_task_count_io(wf_task *task, wf_stat stat, int64_t bytes);
weft_status wf_task_source(wf_task *task) WEFT_WARN_UNUSED;
weft_status wf_task_sink(wf_task *task) WEFT_WARN_UNUSED;

// Memory of one read inside a box that lies in one block of it: the address of the element at the box's first coordinate and the byte stride
// per iteration axis.
typedef struct wf_span {
    char *data;
    int64_t stride[WEFT_MAX_NDIM];
} wf_span;
// BOX must not straddle blocks of the read (wf_task_split says where it does).
weft_status wf_task_locate(wf_task *task, int read, const wf_box *box,
                           wf_span *out) WEFT_WARN_UNUSED;
// Layers with steps: makes the blocks that BOX reads addressable until wf_task_step_end: resident ones are pinned where they are, the others read into
// the worker's window, so that however many steps there are, the task needs the memory of one.
weft_status wf_task_step_begin(wf_task *task, const wf_box *box) WEFT_WARN_UNUSED;
// STATUS of the step's work: gives it, or what waiting for that work brought up.
weft_status wf_task_step_end(wf_task *task, weft_status status) WEFT_WARN_UNUSED;
// Mapped files that BOX of the layer is read from: its pages will be needed soon, or are no longer.
// The third: those of a task that comes soon.
void wf_task_want_pages(const wf_task *task, const wf_box *box);
void wf_task_drop_pages(const wf_task *task, const wf_box *box);
void wf_task_want_next_pages(const wf_task *task);
bool wf_run_streams_files(const wf_run *run);
// Reads BOX, through READ whose steps are 1 or -1, from its file into ASIDE and copies it from
// there to OUT with byte strides.
weft_status wf_task_read_aside(wf_task *task, int read, const wf_box *box, void *aside, void *out,
                               const int64_t *out_stride) WEFT_WARN_UNUSED;
// Where BOX must be cut so that READ finds all of it in one block: false when it need not be.
bool wf_task_split(const wf_task *task, int read, const wf_box *box, int *axis, int64_t *at);
// C-order byte strides of a block of COUNT elements per axis.
void wf_contiguous_strides(int ndim, const int64_t *count, int64_t item, int64_t *stride);
// At least BYTES of scratch, 64-byte aligned, kept until the task ends or asks again; from the task's reservation (scratch_bytes).
weft_status wf_task_scratch(wf_task *task, int64_t bytes, void **out) WEFT_WARN_UNUSED;
// Copies the elements of BOX (iteration coordinates), read through READ, to OUT with byte strides.
weft_status wf_task_gather(wf_task *task, int read, const wf_box *box, void *out,
                           const int64_t *out_stride) WEFT_WARN_UNUSED;
// The same, or one box on the device, among other pieces: done once they are flushed.
weft_status wf_task_gather_pieces(wf_task *task, int read, const wf_box *box, void *out,
                                  const int64_t *out_stride) WEFT_WARN_UNUSED;
weft_status wf_task_copy_piece(wf_task *task, const weft_copy_box *copy) WEFT_WARN_UNUSED;
weft_status wf_task_flush_pieces(wf_task *task) WEFT_WARN_UNUSED;
void wf_task_forget_pieces(wf_task *task);  // of a task that failed
// Runs PART's program over BOX (inside one block of every operand): outputs at OUT with strides.
weft_status wf_task_bind(wf_task *task, const wf_layer_part *part, const wf_box *box,
                         wf_operand *in, wf_scalar *param) WEFT_WARN_UNUSED;
// Evaluates the layer's programs over BOX: output k contiguous at BUFFER[k].
weft_status wf_task_evaluate(wf_task *task, const wf_box *box,
                             char *const *buffer) WEFT_WARN_UNUSED;
weft_status wf_task_device_error(wf_task *task, weft_status status);
// Launches; WEFT_UNSUPPORTED where the device has no such slot.
weft_status wf_task_launch(wf_task *task, const wf_launch *launch) WEFT_WARN_UNUSED;
// Sets BYTES bytes of device memory to zero. (host.c)
weft_status wf_task_zero(wf_task *task, void *data, int64_t bytes) WEFT_WARN_UNUSED;
// At least BYTES of host memory, kept until the task ends or asks again; not from its reservation,
// so little.
weft_status wf_task_stage(wf_task *task, int64_t bytes, void **out) WEFT_WARN_UNUSED;

// Sources whose leaf is host memory already, on devices that do not see it (lent.c): blocks over
// the leaf's own memory where it lies as a block does, before anything is reserved; and the copying
// of the others.
weft_status wf_task_lend_outputs(wf_task *task) WEFT_WARN_UNUSED;
weft_status wf_task_copy_lent(wf_task *task) WEFT_WARN_UNUSED;

// run.c, for engine.c
weft_status wf_run_step(wf_worker *worker, wf_run *run, wf_sched_answer *answer)
    WEFT_WARN_UNUSED;  // engine lock held on entry and exit
// Makes room for the state of every block and task and creates the files to write: what exists,
// what is full and what may not be written is known before anything runs. On failure the run is to
// be destroyed.
weft_status wf_run_prepare(wf_run *run) WEFT_WARN_UNUSED;
void wf_run_finish(wf_run *run);
void wf_run_report(wf_run *run);  // calls the progress callback; no lock held
weft_status wf_worker_init(wf_worker *worker, wf_engine *engine, int device) WEFT_WARN_UNUSED;
void wf_worker_fini(wf_worker *worker);
// The CPU device that does what others cannot.
int wf_engine_host_device(const wf_engine *engine);
// After WEFT_DEVICE: asks the devices whether they still work, and gives up those that do not. No
// lock is held.
void wf_engine_check_devices(wf_engine *engine);
static inline bool wf_engine_is_lost(const wf_engine *engine, int device)
{
    return __atomic_load_n(&engine->lost[device], __ATOMIC_RELAXED);
}

#endif
