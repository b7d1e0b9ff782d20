// SPDX-License-Identifier: Apache-2.0
// temp - hidden neighbours, their names, their removal, and the rename that ends their life.
#include "io/temp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "io/format.h"

#define NAME_SHOWN \
    160  // of the name; longer ones are stood for by a hash, so that the whole fits 255 bytes

const char *wf_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *wf_path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return wf_strdup(".");
    if (slash == path) return wf_strdup("/");
    return wf_format("%.*s", (int)(slash - path), path);
}

static uint32_t host_id(void)
{
    char name[256] = "";
    struct stat space = { 0 };
    if (gethostname(name, sizeof name - 1) != 0) name[0] = '\0';
    if (stat("/proc/self/ns/pid", &space) != 0) space.st_ino = 0;
    return (uint32_t)wf_hash_u64(wf_hash_text(0, name), (uint64_t)space.st_ino);
}

const char *wf_temp_suffix(char out[WF_TEMP_SUFFIX_MAX])
{
    static uint32_t counter;
    uint32_t n = __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
    snprintf(out, WF_TEMP_SUFFIX_MAX, ".weft-%08x-%ld-%u.tmp", host_id(), (long)getpid(), n);
    return out;
}

// What NAME's neighbours begin with.
static void name_prefix(const char *name, char *out, size_t capacity)
{
    if (name[0] == '\0') out[0] = '\0';
    else if (strlen(name) <= NAME_SHOWN) snprintf(out, capacity, ".%s", name);
    else snprintf(out, capacity, ".%.100s-%016" PRIx64, name, wf_hash_text(0, name));
}

char *wf_temp_path_in(const char *dir, const char *name)
{
    char prefix[NAME_SHOWN + 2], suffix[WF_TEMP_SUFFIX_MAX];
    struct stat st;
    name_prefix(name, prefix, sizeof prefix);
    for (;;) {
        char *path = wf_format("%s/%s%s", dir, prefix, wf_temp_suffix(suffix));
        if (!path || lstat(path, &st) != 0) return path;
        wf_free(path);  // left by an earlier process of this number
    }
}

char *wf_temp_path(const char *path)
{
    char *dir = wf_path_dir(path);
    if (!dir) return NULL;
    char *temp = wf_temp_path_in(dir, wf_path_name(path));
    wf_free(dir);
    return temp;
}

// ENTRY is .NAME.weft-HOST-PID-N.tmp of this host, and PID is gone.
static bool is_orphan(const char *entry)
{
    const char *mark = NULL;
    unsigned host, number;
    long pid;
    int end = 0;
    if (entry[0] != '.') return false;
    for (const char *p = entry; (p = strstr(p, ".weft-")); p++) mark = p;  // a name may hold it too
    if (!mark || sscanf(mark, ".weft-%8x-%ld-%u.tmp%n", &host, &pid, &number, &end) != 3 ||
        end == 0 || mark[end])
        return false;
    return host == host_id() && pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static void remove_at(int dir, const char *name, int depth);

static void remove_entries(int dir, int depth)
{
    DIR *entries = fdopendir(dir);
    if (!entries) {
        close(dir);
        return;
    }
    for (struct dirent *e; (e = readdir(entries));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            remove_at(dirfd(entries), e->d_name, depth);
    closedir(entries);
}

static void remove_at(int dir, const char *name, int depth)
{
    if (unlinkat(dir, name, 0) == 0 || (errno != EISDIR && errno != EPERM) || depth == 0) return;
    int sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub >= 0) remove_entries(sub, depth - 1);
    unlinkat(dir, name, AT_REMOVEDIR);
}

void wf_tree_remove(const char *path) { remove_at(AT_FDCWD, path, 64); }

void wf_temp_sweep(const char *dir)
{
    DIR *entries = opendir(dir);
    if (!entries) return;
    for (struct dirent *e; (e = readdir(entries));)
        if (is_orphan(e->d_name)) remove_at(dirfd(entries), e->d_name, 64);
    closedir(entries);
}

// A rename is durable once the folder is synced. File systems that cannot sync a folder say EINVAL.
static weft_status sync_folder(const char *format, const char *path)
{
    char *dir = wf_path_dir(path);
    if (!dir) return WEFT_NO_MEMORY;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = fd < 0 || fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    if (fd >= 0) close(fd);
    wf_free(dir);
    return err ? wf_file_fail(err, format, "sync the folder of", path) : WEFT_OK;
}

static weft_status fail_exists(const char *format, const char *path)
{
    return wf_fail(WEFT_EXISTS, "%s: '%s' already exists", format, path);
}

static weft_status publish_new(const char *format, const char *temp, const char *path)
{
    struct stat st;
    if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) == 0) return WEFT_OK;
    if (errno == EEXIST) return fail_exists(format, path);
    if (errno == EINVAL || errno == ENOSYS) {  // the file system cannot promise it; look first
        if (lstat(path, &st) == 0) return fail_exists(format, path);
        if (rename(temp, path) == 0) return WEFT_OK;
    }
    return wf_file_fail(errno, format, "rename the new array to", path);
}

// Two renames where the file system has no exchange; the old array lies under a hidden name in
// between.
static weft_status publish_aside(const char *format, const char *temp, const char *path)
{
    char *aside = wf_temp_path(path);
    if (!aside) return WEFT_NO_MEMORY;
    weft_status st = WEFT_OK;
    if (rename(path, aside) != 0) st = wf_file_fail(errno, format, "move away the old", path);
    else if (rename(temp, path) != 0) {
        int err = errno;
        if (rename(aside, path) != 0) err = errno;
        st = wf_file_fail(err, format, "rename the new array to", path);
    } else {
        wf_tree_remove(aside);
    }
    wf_free(aside);
    return st;
}

// What replaces another is as open or closed to others as that was. Where that cannot be done the
// new one has what this process gives new files.
static void keep_mode(const char *temp, const struct stat *old, const struct stat *new)
{
    if (S_ISLNK(old->st_mode) || S_ISDIR(old->st_mode) != S_ISDIR(new->st_mode)) return;
    bool same = old->st_uid == new->st_uid && old->st_gid == new->st_gid;
    if (!same && lchown(temp, old->st_uid, old->st_gid) != 0) return;
    (void)!chmod(temp, old->st_mode & 0777);
}

static weft_status publish_over(const char *format, const char *temp, const char *path)
{
    struct stat old, new;
    if (lstat(path, &old) != 0) return publish_new(format, temp, path);
    bool known = lstat(temp, &new) == 0;
    if (known) keep_mode(temp, &old, &new);
    if (known && !S_ISDIR(old.st_mode) && !S_ISDIR(new.st_mode)) {
        if (rename(temp, path) == 0) return WEFT_OK;
        return wf_file_fail(errno, format, "rename the new array to", path);
    }
    if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_EXCHANGE) == 0) {
        wf_tree_remove(temp);
        return WEFT_OK;
    }
    if (errno == EINVAL || errno == ENOSYS) return publish_aside(format, temp, path);
    return wf_file_fail(errno, format, "rename the new array to", path);
}

weft_status wf_temp_publish(const char *format, const char *temp, const char *path, bool overwrite)
{
    WF_TRY(overwrite ? publish_over(format, temp, path) : publish_new(format, temp, path));
    return sync_folder(format, path);
}
