// SPDX-License-Identifier: Apache-2.0
// leaf - what stands at the ends of a graph, as the engine sees it: computed blocks, caller memory, files, callbacks, sinks. Each begins
// with the header that plans read. They are made by api/ and by finished runs, and held by wf_object.
#ifndef WF_EXEC_LEAF_H
#define WF_EXEC_LEAF_H

#include "base/thread.h"
#include "io/format.h"
#include "memory/store.h"
#include "task/plan.h"

// A computed array: one block per cell of header.grid.
typedef struct wf_stored {
    wf_leaf_header header;
    wf_store *store;
    int64_t nblock;
    wf_block **block;  // a reference each
} wf_stored;

// Caller memory.
typedef struct wf_borrowed {
    wf_leaf_header header;
    void (*release)(void *context);
    void *context;
    void *copy;  // Weft's own copy of a small array, or NULL
} wf_borrowed;

typedef struct wf_file_leaf {
    wf_leaf_header header;
    wf_file *file;
} wf_file_leaf;

// Callbacks: START and COUNT have ndim entries; C order, contiguous.
typedef weft_status wf_read_callback(void *context, const int64_t *start, const int64_t *count,
                                     void *out);
typedef weft_status wf_write_callback(void *context, const int64_t *start, const int64_t *count,
                                      const void *data);

typedef struct wf_reader_leaf {
    wf_leaf_header header;
    wf_read_callback *read;
    void *context;
    bool serial;
    wf_mutex lock;  // serial readers: one call at a time
} wf_reader_leaf;

// Where a sink writes. A file is created when a run begins and committed when all its tasks are done.
typedef struct wf_sink_leaf {
    wf_sink_header header;
    weft_dtype dtype;
    wf_shape shape;
    wf_write_callback *write;
    void *context;
    char *path;                // files
    wf_create_options create;  // files; strings owned below
    char *codec, *dims, *attributes;
    wf_box region;  // where in the file the array goes; whole array unless create.region
} wf_sink_leaf;

// A user's C function over aligned runs of elements.
typedef struct wf_call_run {
    int64_t n;
    int nin, nparam;
    const void *const *in;     // first element of each operand
    const int64_t *in_stride;  // bytes; 0 repeats
    void *out;                 // contiguous
    const double *param;
} wf_call_run;
typedef struct wf_call_leaf {
    weft_status (*call)(void *context, const wf_call_run *run);
    void *context;
    int nparam;
    double param[16];
} wf_call_leaf;

wf_stored *wf_object_stored(const wf_object *object);  // NULL when it is not one
// A stored leaf over a fresh grid with no blocks yet. Takes nothing; GRID is shared.
weft_status wf_stored_create(wf_store *store, weft_dtype dtype, const wf_grid *grid,
                             wf_object **out) WEFT_WARN_UNUSED;
// A leaf of caller memory: DATA with byte STRIDES. RELEASE may be NULL.
weft_status wf_borrowed_create(const void *data, weft_dtype dtype, const wf_shape *shape,
                               const int64_t *stride, void (*release)(void *), void *context,
                               wf_object **out) WEFT_WARN_UNUSED;
weft_status wf_file_leaf_create(const char *path, const wf_open_options *opts,
                                wf_object **out) WEFT_WARN_UNUSED;
weft_status wf_reader_leaf_create(wf_read_callback *read, void *context, bool serial,
                                  weft_dtype dtype, const wf_shape *shape, const wf_grid *grid,
                                  wf_object **out) WEFT_WARN_UNUSED;
// Takes SINK (heap) on success; wf_sink_leaf_destroy otherwise.
void wf_sink_leaf_destroy(void *sink);

#endif
