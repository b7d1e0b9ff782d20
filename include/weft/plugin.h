// SPDX-License-Identifier: Apache-2.0
// plugin - the tables that a loadable module fills: a kind of device. Modules have no undefined
// weft_ or wf_ symbol: the core hands them a host table at load. Everything a module returns is
// checked.
#ifndef WEFT_PLUGIN_H
#define WEFT_PLUGIN_H

#include "weft/program.h"

#ifdef __cplusplus
extern "C" {
#endif

// Bumped whenever a table or a structure handed to a module changes. Read before any other field.
#define WEFT_PLUGIN_ABI 2

typedef struct weft_device weft_device;  // a module's own structure
typedef struct weft_stream weft_stream;
typedef struct weft_event weft_event;

// What the core offers a module.
typedef struct weft_host {
    uint32_t abi;
    weft_status (*fail)(weft_status code, const char *fmt, ...) WEFT_PRINTF(2, 3);
    void *(*alloc)(size_t size);  // zeroed; NULL after recording the error
    void (*free)(void *p);
    void (*log)(int level, const char *fmt, ...) WEFT_PRINTF(2, 3);
    // The folder in which compiled kernels are kept: "" for the user's cache folder, "off" for none.
    void (*kernel_cache)(char *out, size_t size);
} weft_host;

typedef struct weft_device_info {
    char name[96];         // "cpu0: AMD EPYC, 2 threads, avx512+sleef"
    int64_t memory_bytes;  // what Weft may use of it
    int64_t memory_free;
    bool host_visible;      // the host may read and write its memory directly
    int slots;              // tasks that should be in flight at once
    uint64_t kernel_class;  // hash of what decides bits of transcendentals and products
                            // (instruction set, library build)
} weft_device_info;

// Products of matrices: OUT (m x n) = A (m x k) @ B (k x n) + (accumulate ? OUT : 0). Strides in
// elements; one of each pair is 1 or the operand is copied. dtype as accumulated; 16-bit floats
// come converted.
typedef struct weft_gemm {
    weft_dtype dtype;
    int64_t m, n, k;
    const void *a, *b;
    void *out;
    int64_t a_row, a_col, b_row, b_col, out_row;  // out columns are contiguous
    bool accumulate;
} weft_gemm;

// Copies a box between two strided memories of one device. Counts in elements, strides in bytes.
typedef struct weft_copy_box {
    int ndim;
    int64_t count[WEFT_MAX_NDIM];
    int64_t item;
    void *out;
    const void *in;
    int64_t out_stride[WEFT_MAX_NDIM], in_stride[WEFT_MAX_NDIM];
} weft_copy_box;

// Combines partial results: cells of CELL[axis] partials (1 on kept axes), in C order of position,
// earlier first, to one result each. Fields as in wf_reduce_op. Strides in bytes; OUT's count
// cells.
typedef struct weft_combine {
    int op;  // wf_reduce_op
    weft_dtype dtype;
    int ndim, nfield;
    int64_t count[WEFT_MAX_NDIM], cell[WEFT_MAX_NDIM];
    const void *in[3];
    void *out[3];
    int64_t in_stride[3][WEFT_MAX_NDIM], out_stride[3][WEFT_MAX_NDIM];
} weft_combine;

// Running sum or product along AXIS of a tile. CARRY holds one element per line (C order of the
// other axes): read when HAS_CARRY, and CARRY_OUT (same layout) receives the last elements.
typedef struct weft_scan {
    int op;  // wf_scan_op
    weft_dtype dtype;
    int ndim, axis;
    int64_t count[WEFT_MAX_NDIM];
    const void *in;
    void *out;  // C order, contiguous
    int64_t in_stride[WEFT_MAX_NDIM];
    const void *carry;
    void *carry_out;
} weft_scan;

// OUT takes, in order, the elements of IN whose MASK byte is not zero; *count, host memory,
// receives how many, at the latest when the stream has drained. All contiguous.
typedef struct weft_select {
    int64_t item, n;
    const void *in;
    const unsigned char *mask;
    void *out;
    int64_t *count;
} weft_select;

// OUT[label[i]][k] += IN[i][k] for i < ROWS, k < COLS, outer times; labels below 0 are skipped. A
// NULL IN counts 1 per element. Strides in bytes; columns contiguous. LABEL is host memory.
typedef struct weft_group {
    weft_dtype dtype;
    int64_t outer, rows, cols;
    const int64_t *label;
    const void *in;
    int64_t in_outer, in_row, in_col;
    void *out;
    int64_t out_outer, out_row;
} weft_group;

// A kind of device. Slots marked optional may be NULL. All calls on one device may come from
// several threads at once. Work is queued on a stream and completes in its order; a NULL stream is
// not allowed; a device without asynchrony works before the call returns.
//
// Memory that a call names is the device's own, unless it says host memory, and is borrowed until
// the stream drains, host memory too. The structures that describe the work (a launch, its program,
// operands and parameters) are borrowed for the call only.
//
// A device that no longer works says so with WEFT_DEVICE from every call, info among them: that is
// how the core tells the loss of its memory from a single failure. close, release and stream_close
// still work on it.
typedef struct weft_device_ops {
    uint32_t abi;      // WEFT_PLUGIN_ABI
    const char *kind;  // "cpu", "cuda"

    // How many physical devices this module can open now. SHARES: open also takes larger numbers,
    // further devices that share these.
    int (*count)(void);
    bool shares;
    // Opens device NUMBER with at most MEMORY_LIMIT bytes (0: the default share) and THREADS
    // threads (CPU; 0: all it may use).
    weft_status (*open)(int number, int64_t memory_limit, int threads, weft_device **out);
    void (*close)(weft_device *device);
    weft_status (*info)(weft_device *device, weft_device_info *out);

    // Gives BYTES of device memory, 64-byte aligned. WEFT_NO_MEMORY is expected under pressure and
    // is not logged.
    weft_status (*allocate)(weft_device *device, int64_t bytes, void **out);
    void (*release)(weft_device *device, void *memory, int64_t bytes);
    // Optional. Gives unused memory back to the machine.
    void (*trim)(weft_device *device);

    weft_status (*stream_open)(weft_device *device, weft_stream **out);
    void (*stream_close)(weft_stream *stream);
    // Blocks until all work queued on STREAM is done; returns the first error of that work, or of
    // the device.
    weft_status (*stream_wait)(weft_stream *stream);

    // Optional (NULL: the device is synchronous, and a stream's work is done when the call
    // returns). An event marks a point of a stream.
    weft_status (*event_record)(weft_stream *stream, weft_event **out);
    weft_status (*event_query)(weft_event *event, bool *done);
    weft_status (*stream_after)(weft_stream *stream, weft_event *event);
    void (*event_close)(weft_event *event);

    // Copies. Queue and return; both buffers are borrowed until the stream drains.
    weft_status (*copy_in)(weft_stream *stream, void *device_dst, const void *host_src,
                           int64_t bytes);
    weft_status (*copy_out)(weft_stream *stream, void *host_dst, const void *device_src,
                            int64_t bytes);
    // Optional; NULL sends the copy through host memory. SRC lies on PEER, another device of this
    // kind.
    weft_status (*copy_peer)(weft_stream *stream, void *dst, weft_device *peer, const void *src,
                             int64_t bytes);
    weft_status (*copy_box)(weft_stream *stream, const weft_copy_box *copy);
    // Optional; NULL copies them one by one. N boxes of one SHAPE, whose own addresses are not
    // used, from IN[i] to OUT[i]; they do not overlap. The arrays are borrowed for the call only.
    weft_status (*copy_boxes)(weft_stream *stream, const weft_copy_box *shape, int64_t n,
                              void *const *out, const void *const *in);
    // Optional; NULL copies the bytes in. Sets BYTES bytes to VALUE.
    weft_status (*fill)(weft_stream *stream, void *device_dst, unsigned char value, int64_t bytes);

    // Runs a program over a tile. What a device cannot run it answers with WEFT_UNSUPPORTED, having
    // queued nothing, and the core takes the CPU device instead, logged once and counted. So for
    // all slots from here on; a NULL slot says the same.
    weft_status (*launch)(weft_stream *stream, const wf_launch *launch);
    weft_status (*launch_reduce)(weft_stream *stream, const wf_reduce_launch *launch);
    weft_status (*gemm)(weft_stream *stream, const weft_gemm *gemm);

    weft_status (*combine)(weft_stream *stream, const weft_combine *combine);
    weft_status (*scan)(weft_stream *stream, const weft_scan *scan);
    weft_status (*select)(weft_stream *stream, const weft_select *select);
    weft_status (*group)(weft_stream *stream, const weft_group *group);

    // Bytes of scratch a launch takes beside its operands, for the plan's bound.
    int64_t (*launch_scratch)(weft_device *device, const wf_launch *launch);

    // Optional, for `weft doctor`: hands LINE one finding after another, a name and a sentence: the
    // module's libraries and their versions, every device and why one that is there cannot be used,
    // what it keeps on disk; CLEAR_CACHE: which it removes first.
    void (*report)(bool clear_cache,
                   void (*line)(void *context, const char *what, const char *finding),
                   void *context);
} weft_device_ops;

// The one symbol a device module exports: weft_device_module. Returns NULL when HOST's abi is not
// its own.
typedef const weft_device_ops *weft_device_module_fn(const weft_host *host);

#ifdef __cplusplus
}
#endif
#endif
