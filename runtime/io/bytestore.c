// SPDX-License-Identifier: Apache-2.0
// bytestore - what is the same for every kind of store: keys are checked here, once, before a table
// sees them.
#include "io/bytestore.h"

#include <string.h>

// One name of a key, LENGTH bytes at NAME.
static bool is_name(const char *name, size_t length)
{
    if (length == 0 || length > 255) return false;
    return !(name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')));
}

weft_status wf_bytestore_check_key(const char *store, const char *key)
{
    bool good = strlen(key) < WF_KEY_MAX;
    for (const char *p = key; good;) {
        size_t n = strcspn(p, "/");
        good = is_name(p, n);
        if (p[n] == '\0') break;
        p += n + 1;
    }
    if (good) return WEFT_OK;
    return wf_fail(WEFT_INVALID, "store '%s': key '%.100s' climbs out of it or is no list of names",
                   store, key);
}

void wf_bytestore_close(wf_bytestore *store)
{
    if (store) store->ops->close(store);
}

weft_status wf_bytestore_read(wf_bytestore *store, const char *key, int64_t offset, void *out,
                              int64_t capacity, int64_t *size, bool *found)
{
    WF_TRY(wf_bytestore_check_key(store->name, key));
    return store->ops->read(store, key, offset, out, capacity, size, found);
}

weft_status wf_bytestore_read_whole(wf_bytestore *store, const char *key, int64_t limit,
                                    char **data, int64_t *size)
{
    int64_t bytes = 0, now = 0;
    bool found = false;
    char byte;
    WF_TRY(wf_bytestore_read(store, key, 0, &byte, 0, &bytes, &found));
    if (!found) {
        *data = NULL;
        *size = 0;
        return WEFT_OK;
    }
    if (bytes > limit)
        return wf_fail(WEFT_FORMAT,
                       "store '%s': '%s' should have at most %" PRId64 " bytes, has %" PRId64,
                       store->name, key, limit, bytes);
    char *text = wf_alloc((size_t)bytes + 1);
    if (!text) return WEFT_NO_MEMORY;
    weft_status st = wf_bytestore_read(store, key, 0, text, bytes, &now, &found);
    if (st == WEFT_OK && (!found || now != bytes))
        st = wf_fail(WEFT_IO, "store '%s': '%s' changed while it was read", store->name, key);
    if (st != WEFT_OK) {
        wf_free(text);
        return st;
    }
    *data = text;
    *size = bytes;
    return WEFT_OK;
}

weft_status wf_bytestore_exists(wf_bytestore *store, const char *key, bool *out)
{
    int64_t size;
    char byte;
    return wf_bytestore_read(store, key, 0, &byte, 0, &size, out);
}

weft_status wf_bytestore_write(wf_bytestore *store, const char *key, const void *data,
                               int64_t bytes)
{
    WF_TRY(wf_bytestore_check_key(store->name, key));
    return store->ops->write(store, key, data, bytes);
}

weft_status wf_bytestore_remove(wf_bytestore *store, const char *key)
{
    WF_TRY(wf_bytestore_check_key(store->name, key));
    return store->ops->remove(store, key);
}

weft_status wf_bytestore_rename(wf_bytestore *store, const char *from, const char *to)
{
    WF_TRY(wf_bytestore_check_key(store->name, from));
    WF_TRY(wf_bytestore_check_key(store->name, to));
    return store->ops->rename(store, from, to);
}

weft_status wf_bytestore_list(wf_bytestore *store, const char *key, wf_bytestore_visit *visit,
                              void *context)
{
    if (*key) WF_TRY(wf_bytestore_check_key(store->name, key));
    return store->ops->list(store, key, visit, context);
}

weft_status wf_bytestore_sync(wf_bytestore *store) { return store->ops->sync(store); }

uint64_t wf_bytestore_stamp(wf_bytestore *store) { return store->ops->stamp(store); }

void wf_bytestore_prefetch(wf_bytestore *store, const char *key)
{
    if (store->ops->prefetch) store->ops->prefetch(store, key);
}
