// SPDX-License-Identifier: Apache-2.0
// bytestore - where the objects of a chunked array lie, behind one table: a local folder today; a
// zip file or S3 fill the same table. An object is a run of bytes under a key, "u/.zarray" or
// "0.1.2": names joined by single slashes, none of them "." or "..". A key that would leave the
// store, by its text or through a link, is refused. Any thread may call anything on one store at
// once.
#ifndef WF_IO_BYTESTORE_H
#define WF_IO_BYTESTORE_H

#include "base/alloc.h"

#define WF_BYTESTORE_ABI 1
#define WF_KEY_MAX 1024  // bytes of a key with its NUL

typedef struct wf_bytestore wf_bytestore;
typedef weft_status wf_bytestore_visit(void *context, const char *name, bool folder);

// The table a kind of store fills. Keys were checked by the callers below. Object names in errors
// are "STORE/KEY".
typedef struct wf_bytestore_ops {
    uint32_t abi;      // WF_BYTESTORE_ABI
    const char *kind;  // "folder"

    // Copies bytes OFFSET.. of the object into OUT, at most CAPACITY of them, and gives the
    // object's whole SIZE. A missing object is WEFT_OK with *FOUND false.
    weft_status (*read)(wf_bytestore *store, const char *key, int64_t offset, void *out,
                        int64_t capacity, int64_t *size, bool *found);
    // Makes or replaces the object; readers see the old one or the new one, whole. Not synced.
    weft_status (*write)(wf_bytestore *store, const char *key, const void *data, int64_t bytes);
    // A missing object is no error.
    weft_status (*remove)(wf_bytestore *store, const char *key);
    weft_status (*rename)(wf_bytestore *store, const char *from, const char *to);
    // Visits the names directly below KEY ("" for the store itself), in no order. A missing folder
    // has none.
    weft_status (*list)(wf_bytestore *store, const char *key, wf_bytestore_visit *visit,
                        void *context);
    // Everything written before is durable after it.
    weft_status (*sync)(wf_bytestore *store);
    // A number that changes when objects at the top of the store are made, replaced or removed.
    uint64_t (*stamp)(wf_bytestore *store);
    // Optional: the object will be read soon.
    void (*prefetch)(wf_bytestore *store, const char *key);
    void (*close)(wf_bytestore *store);
} wf_bytestore_ops;

// What every store begins with.
struct wf_bytestore {
    const wf_bytestore_ops *ops;
    char *name;  // for errors; owned by the store
    // Set by a writer of far more than is read back soon: large objects may go past the caches.
    bool streams;
};

// Opens the folder PATH, or INSIDE in it ("" or NULL: PATH itself). WEFT_NOT_FOUND, WEFT_DENIED,
// WEFT_INVALID when INSIDE climbs out.
weft_status wf_bytestore_open_folder(const char *path, const char *inside,
                                     wf_bytestore **out) WEFT_WARN_UNUSED;
void wf_bytestore_close(wf_bytestore *store);  // accepts NULL

// WEFT_INVALID "store 'x.zarr': key '../y' climbs out of it".
weft_status wf_bytestore_check_key(const char *store, const char *key) WEFT_WARN_UNUSED;

weft_status wf_bytestore_read(wf_bytestore *store, const char *key, int64_t offset, void *out,
                              int64_t capacity, int64_t *size, bool *found) WEFT_WARN_UNUSED;
// Gives the whole object, NUL-terminated (wf_free it), when it has at most LIMIT bytes; else
// WEFT_FORMAT. *DATA is NULL when missing.
weft_status wf_bytestore_read_whole(wf_bytestore *store, const char *key, int64_t limit,
                                    char **data, int64_t *size) WEFT_WARN_UNUSED;
weft_status wf_bytestore_exists(wf_bytestore *store, const char *key, bool *out) WEFT_WARN_UNUSED;
weft_status wf_bytestore_write(wf_bytestore *store, const char *key, const void *data,
                               int64_t bytes) WEFT_WARN_UNUSED;
weft_status wf_bytestore_remove(wf_bytestore *store, const char *key) WEFT_WARN_UNUSED;
weft_status wf_bytestore_rename(wf_bytestore *store, const char *from,
                                const char *to) WEFT_WARN_UNUSED;
weft_status wf_bytestore_list(wf_bytestore *store, const char *key, wf_bytestore_visit *visit,
                              void *context) WEFT_WARN_UNUSED;
weft_status wf_bytestore_sync(wf_bytestore *store) WEFT_WARN_UNUSED;
uint64_t wf_bytestore_stamp(wf_bytestore *store);
void wf_bytestore_prefetch(wf_bytestore *store, const char *key);

// Test hook: folders are opened as on kernels without openat2 (before Linux 5.6), where any link
// inside a store is refused.
void wf_bytestore_folder_plain(bool on);

#endif
