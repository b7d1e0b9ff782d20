// SPDX-License-Identifier: Apache-2.0
// zarr_path - Zarr v2 hierarchies: which part of a path is the store, what is a group, and the
// metadata that a store keeps of all of it.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/temp.h"
#include "io/zarr2.h"

static const char group_text[] = "{\n    \"zarr_format\": 2\n}";

// Nothing here allocates: what is there must not seem to change when memory is short.
static bool has_file(const char *folder, const char *name)
{
    struct stat st;
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    return n > 0 && n < (int)sizeof path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

wf_zarr_node wf_zarr_look(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) return WF_ZARR_NOTHING;
    if (has_file(path, ".zarray")) return WF_ZARR_ARRAY;
    if (has_file(path, ".zgroup")) return WF_ZARR_GROUP;
    return has_file(path, "zarr.json") ? WF_ZARR_V3 : WF_ZARR_FOLDER;
}

static bool ends_with(const char *text, size_t length, const char *suffix)
{
    size_t n = strlen(suffix);
    return length > n && memcmp(text + length - n, suffix, n) == 0 && text[length - n - 1] != '/';
}

static bool is_root(const char *text, size_t length)
{
    if (ends_with(text, length, ".zarr") || ends_with(text, length, ".zr")) return true;
    char prefix[PATH_MAX];
    int n = snprintf(prefix, sizeof prefix, "%.*s", (int)length, text);
    return n > 0 && n < (int)sizeof prefix && wf_zarr_look(prefix) > WF_ZARR_FOLDER;
}

// Bytes of TEXT that name the store.
static size_t root_length(const char *text)
{
    size_t length = strlen(text);
    for (size_t n = strcspn(text + 1, "/") + 1; n < length; n += strcspn(text + n + 1, "/") + 1)
        if (n > 0 && text[n - 1] != '/' && is_root(text, n)) return n;
    return length;
}

// Appends the names of TEXT to OUT, "." left out and ".." taking back the name before; false when
// that leaves the store.
static bool clean_inside(const char *text, char *out)
{
    size_t length = 0;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            if (length == 0) return false;
            while (length > 0 && out[length - 1] != '/') length--;
            if (length > 0) length--;
        } else if (n > 0 && !(n == 1 && p[0] == '.')) {
            if (length > 0) out[length++] = '/';
            memcpy(out + length, p, n);
            length += n;
        }
        p += n;
        if (*p == '/') p++;
    }
    out[length] = '\0';
    return true;
}

weft_status wf_zarr_path_init(wf_zarr_path *path, const char *text)
{
    size_t n = root_length(text);
    wf_zarr_path p = { .root = wf_format("%.*s", (int)n, text), .inside = wf_strdup(text + n) };
    weft_status st = p.root && p.inside ? WEFT_OK : WEFT_NO_MEMORY;
    if (st == WEFT_OK && !clean_inside(text + n, p.inside))
        st = wf_fail(WEFT_INVALID, "zarr: path '%s' climbs out of its store '%s'", text, p.root);
    if (st == WEFT_OK && strlen(p.inside) >= WF_KEY_MAX - 256)
        st = wf_fail(WEFT_INVALID, "zarr: path '%.100s...' is too long", text);
    if (st == WEFT_OK) {
        p.full = *p.inside ? wf_format("%s/%s", p.root, p.inside) : wf_strdup(p.root);
        if (!p.full) st = WEFT_NO_MEMORY;
    }
    if (st != WEFT_OK) {
        wf_zarr_path_fini(&p);
        return st;
    }
    *path = p;
    return WEFT_OK;
}

void wf_zarr_path_fini(wf_zarr_path *path)
{
    wf_free(path->root);
    wf_free(path->inside);
    wf_free(path->full);
    *path = (wf_zarr_path){ 0 };
}

// The names in a group, sorted, so that an error reads the same on every file system.
typedef struct name_list {
    const char *group;
    char **name;
    int64_t count, capacity;
} name_list;

static weft_status visit_name(void *context, const char *name, bool folder)
{
    name_list *list = context;
    if (!folder || name[0] == '.') return WEFT_OK;
    char *path = wf_format("%s/%s", list->group, name);
    if (!path) return WEFT_NO_MEMORY;
    wf_zarr_node node = wf_zarr_look(path);
    wf_free(path);
    if (node < WF_ZARR_GROUP) return WEFT_OK;
    WF_TRY(wf_grow(&list->name, &list->capacity, list->count + 1, sizeof *list->name));
    char *copy = wf_format("%s%s", name, node == WF_ZARR_GROUP ? " (group)" : "");
    if (!copy) return WEFT_NO_MEMORY;
    int64_t at = list->count++;
    for (; at > 0 && strcmp(list->name[at - 1], copy) > 0; at--)
        list->name[at] = list->name[at - 1];
    list->name[at] = copy;
    return WEFT_OK;
}

weft_status wf_zarr_list(const char *path, wf_text *out)
{
    name_list list = { .group = path };
    wf_bytestore *store;
    WF_TRY(wf_bytestore_open_folder(path, NULL, &store));
    weft_status st = wf_bytestore_list(store, "", visit_name, &list);
    wf_bytestore_close(store);
    int64_t begin = out->length;
    for (int64_t i = 0; i < list.count; i++) {
        if (out->length - begin < 300) wf_text_add(out, "%s%s", i ? ", " : "", list.name[i]);
        else if (i == list.count - 1) wf_text_add(out, ", ...");
        wf_free(list.name[i]);
    }
    if (st == WEFT_OK && list.count == 0) wf_text_add(out, "none");
    wf_free(list.name);
    return st == WEFT_OK ? wf_text_status(out) : st;
}

static weft_status fail_not_group(const char *path)
{
    return wf_fail(WEFT_INVALID, "zarr: '%s' is an array, it cannot hold others", path);
}

// Makes the folder PATH a group. A new one appears with its .zgroup in it, by one rename; whoever
// comes second finds it there.
static weft_status make_group(const char *path)
{
    wf_bytestore *store = NULL;
    wf_zarr_node node = wf_zarr_look(path);
    if (node == WF_ZARR_GROUP) return WEFT_OK;
    if (node == WF_ZARR_ARRAY) return fail_not_group(path);
    if (node == WF_ZARR_V3)
        return wf_fail(WEFT_UNSUPPORTED, "zarr: '%s' is Zarr format 3; this build writes format 2",
                       path);
    char *temp = node == WF_ZARR_FOLDER ? wf_strdup(path) : wf_temp_path(path);
    if (!temp) return WEFT_NO_MEMORY;
    weft_status st = WEFT_OK;
    bool made = node == WF_ZARR_NOTHING;
    if (made && mkdir(temp, 0777) != 0) st = wf_file_fail(errno, "zarr", "create the group", path);
    if (st == WEFT_OK) st = wf_bytestore_open_folder(temp, NULL, &store);
    if (st == WEFT_OK) st = wf_bytestore_write(store, ".zgroup", group_text, sizeof group_text - 1);
    wf_bytestore_close(store);
    if (st == WEFT_OK && made && wf_temp_publish("zarr", temp, path, false) != WEFT_OK &&
        wf_zarr_look(path) != WF_ZARR_GROUP)
        st = wf_last_status();
    if (made) wf_tree_remove(temp);
    wf_free(temp);
    return st;
}

weft_status wf_zarr_make_groups(const wf_zarr_path *path)
{
    if (!*path->inside) return WEFT_OK;
    size_t root = strlen(path->root);
    char *prefix = wf_strdup(path->full);
    if (!prefix) return WEFT_NO_MEMORY;
    weft_status st = WEFT_OK;
    for (char *slash = prefix + root; st == WEFT_OK && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        st = make_group(prefix);
        *slash = '/';
    }
    wf_free(prefix);
    return st;
}

static void add_entry(wf_text *out, bool *some, const char *inside, const char *file,
                      const char *text)
{
    if (!text) return;
    wf_text_add(out, "%s        ", *some ? ",\n" : "\n");
    char *key = wf_format("%s%s%s", inside, *inside ? "/" : "", file);
    if (!key) {
        out->failed = true;
        return;
    }
    wf_json_quote(out, key);
    wf_text_add(out, ": %s", text);
    wf_free(key);
    *some = true;
}

// Whether KEY is metadata of the array INSIDE, or of what an overwritten group held below it.
static bool is_own_entry(wf_json key, const char *inside)
{
    char name[WF_KEY_MAX + 64];
    size_t n = strlen(inside);
    if (n == 0 || !wf_json_string(key, name, sizeof name)) return n == 0;
    return strncmp(name, inside, n) == 0 && name[n] == '/';
}

static weft_status rewrite(wf_json root, const wf_zarr_path *path, const char *zarray,
                           const char *zattrs, wf_text *out)
{
    wf_json entries, key, value;
    const char *at = NULL;
    bool some = false;
    wf_text_add(out, "{\n    \"metadata\": {");
    if (wf_json_member(root, "metadata", &entries))
        while (wf_json_get_kind(entries) == WF_JSON_OBJECT &&
               wf_json_next(entries, &at, &key, &value)) {
            if (is_own_entry(key, path->inside)) continue;
            wf_text_add(out, "%s        ", some ? ",\n" : "\n");
            wf_text_add_bytes(out, key.at, (size_t)(key.end - key.at));
            wf_text_add(out, ": ");
            wf_text_add_bytes(out, value.at, (size_t)(value.end - value.at));
            some = true;
        }
    add_entry(out, &some, path->inside, ".zarray", zarray);
    add_entry(out, &some, path->inside, ".zattrs", zattrs);
    wf_text_add(out, "\n    },\n    \"zarr_consolidated_format\": 1\n}");
    return wf_text_status(out);
}

static weft_status update_metadata(wf_bytestore *store, const wf_zarr_path *path,
                                   const char *zarray, const char *zattrs)
{
    wf_json root;
    wf_text text = { 0 };
    char *old = NULL;
    int64_t bytes = 0;
    WF_TRY(wf_bytestore_read_whole(store, ".zmetadata", WF_ZARR_ATTRS_MAX, &old, &bytes));
    if (!old) return WEFT_OK;
    weft_status st = wf_json_check("zarr: .zmetadata", old, (size_t)bytes, &root);
    if (st == WEFT_OK) st = rewrite(root, path, zarray, zattrs, &text);
    if (st == WEFT_OK) st = wf_bytestore_write(store, ".zmetadata", text.data, text.length);
    wf_text_fini(&text);
    wf_free(old);
    return st;
}

weft_status wf_zarr_consolidate(const wf_zarr_path *path, const char *zarray, const char *zattrs)
{
    wf_bytestore *store;
    if (!*path->inside) return WEFT_OK;  // the array is the whole store, and new
    WF_TRY(wf_bytestore_open_folder(path->root, NULL, &store));
    // Several arrays of one group may be committed at once, by threads or processes: each must see
    // the others' entries.
    int lock = open(path->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock >= 0) flock(lock, LOCK_EX);
    weft_status st = update_metadata(store, path, zarray, zattrs);
    if (lock >= 0) close(lock);
    wf_bytestore_close(store);
    return st;
}
