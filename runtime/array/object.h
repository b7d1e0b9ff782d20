// SPDX-License-Identifier: Apache-2.0
// object - what graphs and plans hold without knowing what it is: files, caller memory, callbacks, computed blocks; and lists of integers.
// Counted; any thread may retain and release.
#ifndef WF_ARRAY_OBJECT_H
#define WF_ARRAY_OBJECT_H

#include "array/shape.h"

// Something outside the graph that a node holds: a file, caller memory, a callback. Counted; RELEASE runs once.
typedef struct wf_object {
    int64_t refs;
    int type;  // WF_OBJECT_*
    void *data;
    void (*release)(void *data);
    uint64_t identity;  // equal for objects that may share (files: path and fingerprint)
} wf_object;
enum {
    WF_OBJECT_MEMORY,
    WF_OBJECT_FILE,
    WF_OBJECT_READER,
    WF_OBJECT_STORED,
    WF_OBJECT_WRITER,
    WF_OBJECT_SINKFILE,
    WF_OBJECT_FUNCTION
};
weft_status wf_object_create(int type, void *data, void (*release)(void *), uint64_t identity,
                             wf_object **out) WEFT_WARN_UNUSED;
void wf_object_retain(wf_object *object);
void wf_object_release(wf_object *object);  // accepts NULL

// A list of integers computed by an earlier stage and needed to know where data goes. Counted.
typedef struct wf_list {
    int64_t refs, count;
    int64_t item[];
} wf_list;
weft_status wf_list_create(int64_t count, wf_list **out) WEFT_WARN_UNUSED;
void wf_list_release(wf_list *list);  // accepts NULL

// Every object that can be a leaf begins with this, so that plans know its cut without knowing what it is.
typedef struct wf_leaf_header {
    weft_dtype dtype;
    wf_shape shape;
    wf_grid grid;
    bool direct;  // data and stride (bytes) address all of it
    bool blocks;  // it is a computed result: blocks exist on `grid`
    const void *data;
    int64_t stride[WEFT_MAX_NDIM];
    int64_t scratch;  // bytes that reading one block takes beside the block
} wf_leaf_header;
static inline const wf_leaf_header *wf_object_header(const wf_object *o)
{
    return (const wf_leaf_header *)o->data;
}

// A sink's object begins with this.
typedef struct wf_sink_header {
    bool any_box;  // takes any boxes; else `grid` are its chunks
    wf_grid grid;
    int64_t
        scratch;  // bytes that writing one block takes beside the block, times the block's bytes when negative
} wf_sink_header;

#endif
