// SPDX-License-Identifier: Apache-2.0
// bytestore_folder - a store that is a folder of this machine, objects being its files. Paths are
// resolved by the kernel beneath the folder's descriptor (openat2), so that no ".." and no link
// leads out, whoever changes the folder meanwhile. On kernels without it, names are opened one by
// one and every link is refused.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hash.h"
#include "io/bytestore.h"
#include "io/temp.h"

#define FEW_FILES 1024  // that are synced one by one
#define PAGE 4096
#define DIRECT_BYTES (1 << 20)

typedef struct folder_store {
    wf_bytestore base;
    int fd;
} folder_store;

static bool plain;  // no openat2 here

void wf_bytestore_folder_plain(bool on) { __atomic_store_n(&plain, on, __ATOMIC_RELAXED); }

// What a refused link looks like depends on the flags: ENOTDIR where a folder was wanted.
static int link_error(int dir, const char *name, int err)
{
    struct stat st;
    bool is_link =
        err == ENOTDIR && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
    return is_link ? ELOOP : err;
}

static int open_plain(int dir, const char *key, int flags, mode_t mode)
{
    char name[256];
    int at = dir;
    for (;;) {
        size_t n = strcspn(key, "/");
        memcpy(name, key, n);
        name[n] = '\0';
        bool last = key[n] == '\0';
        int next =
            openat(at, name, (last ? flags : O_PATH | O_DIRECTORY | O_CLOEXEC) | O_NOFOLLOW, mode);
        int err = next < 0 ? link_error(at, name, errno) : 0;
        if (at != dir) close(at);
        errno = err;
        if (last || next < 0) return next;
        at = next;
        key += n + 1;
    }
}

// Opens KEY beneath DIR. Gives -1 with errno: EXDEV or ELOOP where a link leads out.
static int open_beneath(int dir, const char *key, int flags, mode_t mode)
{
    struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
                            .mode = mode,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    for (int tries = 0; tries < 100 && !__atomic_load_n(&plain, __ATOMIC_RELAXED); tries++) {
        long fd = syscall(SYS_openat2, dir, key, &how, sizeof how);
        if (fd >= 0) return (int)fd;
        if (errno == ENOSYS)
            wf_bytestore_folder_plain(true);  // EPERM is the same said by an old container sandbox
        if (errno == EPERM) break;
        if (errno != EAGAIN && errno != EINTR && errno != ENOSYS) return -1;
    }
    return open_plain(dir, key, flags | O_CLOEXEC, mode);
}

static weft_status fail_key(const folder_store *f, int err, const char *verb, const char *key)
{
    const char *slash = *key ? "/" : "";
    if (err == EXDEV || err == ELOOP)
        return wf_fail(WEFT_DENIED, "store '%s': '%s' is a link that leads out of it", f->base.name,
                       key);
    if (err == EROFS)
        return wf_fail(WEFT_DENIED, "cannot %s '%s%s%s': the file system is read-only", verb,
                       f->base.name, slash, key);
    return wf_fail_errno(err, "cannot %s '%s%s%s'", verb, f->base.name, slash, key);
}

static bool is_missing(int err) { return err == ENOENT || err == ENOTDIR; }

static weft_status read_range(const folder_store *f, const char *key, int fd, int64_t offset,
                              char *out, int64_t bytes)
{
    while (bytes > 0) {
        ssize_t n = pread(fd, out, (size_t)bytes, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_key(f, errno, "read", key);
        if (n == 0)
            return wf_fail(WEFT_IO, "'%s/%s' became shorter while it was read", f->base.name, key);
        out += n;
        offset += n;
        bytes -= n;
    }
    return WEFT_OK;
}

static weft_status folder_read(wf_bytestore *store, const char *key, int64_t offset, void *out,
                               int64_t capacity, int64_t *size, bool *found)
{
    folder_store *f = (folder_store *)store;
    struct stat st;
    int fd = open_beneath(f->fd, key, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0 && is_missing(errno)) {
        *found = false;
        return WEFT_OK;
    }
    if (fd < 0) return fail_key(f, errno, "open", key);
    weft_status status = WEFT_OK;
    if (fstat(fd, &st) != 0) status = fail_key(f, errno, "examine", key);
    else if (!S_ISREG(st.st_mode))
        status = wf_fail(WEFT_FORMAT, "'%s/%s' is not a regular file", f->base.name, key);
    else {
        int64_t left = st.st_size - offset;
        status = read_range(f, key, fd, offset, out, left < capacity ? left : capacity);
    }
    close(fd);
    if (status != WEFT_OK) return status;
    *size = st.st_size;
    *found = true;
    return WEFT_OK;
}

// Gives the folder that holds KEY's last name, made with its own parents when MAKE; the store's own
// descriptor where KEY has one name.
static int open_parent(const folder_store *f, const char *key, bool make)
{
    char path[WF_KEY_MAX];
    const char *end = strrchr(key, '/');
    if (!end) return f->fd;
    memcpy(path, key, (size_t)(end - key));
    path[end - key] = '\0';
    int fd = open_beneath(f->fd, path, O_PATH | O_DIRECTORY, 0);
    if (fd >= 0 || errno != ENOENT || !make) return fd;

    int above = open_parent(f, path, true);
    if (above < 0) return -1;
    if (mkdirat(above, wf_path_name(path), 0777) == 0 || errno == EEXIST)
        fd = openat(above, wf_path_name(path), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int err = errno;
    if (above != f->fd) close(above);
    errno = err;
    return fd;
}

static int write_bytes(int fd, const char *data, int64_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(fd, data, (size_t)bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        data += n;
        bytes -= n;
    }
    return 0;
}

// Whole pages of a large object go to the disk as they lie: through the page cache they would cost
// a copy, and push out what others have in it. Gives how many bytes went; the rest, or all where
// the file system will not, is written as usual.
static int64_t write_direct(int fd, const char *data, int64_t bytes)
{
    int64_t done = 0, whole = bytes / PAGE * PAGE;
    int flags = fcntl(fd, F_GETFL);
    if ((uintptr_t)data % PAGE != 0 || flags < 0 || fcntl(fd, F_SETFL, flags | O_DIRECT) != 0)
        return 0;
    (void)fallocate(fd, 0, 0, bytes);  // in one piece, if it can be had
    while (done < whole) {
        ssize_t n = write(fd, data + done, (size_t)(whole - done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0 || n % PAGE != 0) break;
        done += n;
    }
    if (fcntl(fd, F_SETFL, flags) != 0 || lseek(fd, done, SEEK_SET) != done) return 0;
    return done;
}

// Renames TEMP, at the top of the store, to KEY. Gives 0 or errno.
static int place(const folder_store *f, const char *temp, const char *key)
{
    int parent = open_parent(f, key, true);
    if (parent < 0) return errno;
    int err = renameat(f->fd, temp, parent, wf_path_name(key)) == 0 ? 0 : errno;
    if (parent != f->fd) close(parent);
    return err;
}

static weft_status folder_write(wf_bytestore *store, const char *key, const void *data,
                                int64_t bytes)
{
    folder_store *f = (folder_store *)store;
    char temp[WF_TEMP_SUFFIX_MAX];
    int fd = openat(f->fd, wf_temp_suffix(temp),
                    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) return fail_key(f, errno, "create", key);
    int64_t done = f->base.streams && bytes >= DIRECT_BYTES ? write_direct(fd, data, bytes) : 0;
    int err = write_bytes(fd, (const char *)data + done, bytes - done);
    if (close(fd) != 0 && err == 0) err = errno;
    if (err == 0) err = place(f, temp, key);
    if (err == 0) return WEFT_OK;
    unlinkat(f->fd, temp, 0);
    return fail_key(f, err, "write", key);
}

static weft_status folder_remove(wf_bytestore *store, const char *key)
{
    folder_store *f = (folder_store *)store;
    int parent = open_parent(f, key, false);
    int err = parent < 0 ? errno : unlinkat(parent, wf_path_name(key), 0) == 0 ? 0 : errno;
    if (parent >= 0 && parent != f->fd) close(parent);
    return err == 0 || is_missing(err) ? WEFT_OK : fail_key(f, err, "remove", key);
}

static weft_status folder_rename(wf_bytestore *store, const char *from, const char *to)
{
    folder_store *f = (folder_store *)store;
    int source = open_parent(f, from, false);
    if (source < 0) return fail_key(f, errno, "rename", from);
    int target = open_parent(f, to, true), err = errno;
    if (target >= 0)
        err = renameat(source, wf_path_name(from), target, wf_path_name(to)) == 0 ? 0 : errno;
    if (source != f->fd) close(source);
    if (target >= 0 && target != f->fd) close(target);
    return err == 0 ? WEFT_OK : fail_key(f, err, "rename", from);
}

static bool is_folder(int dir, const struct dirent *entry)
{
    struct stat st;
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK) return entry->d_type == DT_DIR;
    return fstatat(dir, entry->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static weft_status folder_list(wf_bytestore *store, const char *key, wf_bytestore_visit *visit,
                               void *context)
{
    folder_store *f = (folder_store *)store;
    int fd = *key ? open_beneath(f->fd, key, O_RDONLY | O_DIRECTORY, 0)
                  : openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && is_missing(errno)) return WEFT_OK;
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (!entries) {
        int err = errno;
        if (fd >= 0) close(fd);
        return fail_key(f, err, "list", key);
    }
    weft_status st = WEFT_OK;
    for (struct dirent *e; st == WEFT_OK && (e = readdir(entries));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            st = visit(context, e->d_name, is_folder(dirfd(entries), e));
    closedir(entries);
    return st;
}

static int sync_file(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno;
    int err = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return err;
}

// Syncs the files of the folder one by one and gives 0 or errno; -1 when they are too many or lie
// deeper.
static int sync_files(const folder_store *f)
{
    int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (!entries) {
        if (fd >= 0) close(fd);
        return -1;
    }
    int err = 0, count = 0;
    for (struct dirent *e; err == 0 && (e = readdir(entries));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        err =
            e->d_type != DT_REG || ++count > FEW_FILES ? -1 : sync_file(dirfd(entries), e->d_name);
    }
    if (err == 0 && fsync(fd) != 0 && errno != EINVAL) err = errno;
    closedir(entries);
    return err;
}

// syncfs waits for whatever anybody wrote to the file system, so it is for many files only.
static weft_status folder_sync(wf_bytestore *store)
{
    folder_store *f = (folder_store *)store;
    int err = sync_files(f);
    if (err < 0) err = syncfs(f->fd) == 0 ? 0 : errno;
    return err == 0 ? WEFT_OK : fail_key(f, err, "sync", "");
}

static uint64_t folder_stamp(wf_bytestore *store)
{
    folder_store *f = (folder_store *)store;
    struct stat st;
    if (fstat(f->fd, &st) != 0) return 0;
    uint64_t hash = wf_hash_u64((uint64_t)st.st_ino, (uint64_t)st.st_dev);
    return wf_hash_u64(wf_hash_u64(hash, (uint64_t)st.st_mtim.tv_sec),
                       (uint64_t)st.st_mtim.tv_nsec);
}

static void folder_prefetch(wf_bytestore *store, const char *key)
{
    folder_store *f = (folder_store *)store;
    int fd = open_beneath(f->fd, key, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) return;
    posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
    close(fd);
}

static void folder_close(wf_bytestore *store)
{
    folder_store *f = (folder_store *)store;
    if (f->fd >= 0) close(f->fd);
    wf_free(f->base.name);
    wf_free(f);
}

static const wf_bytestore_ops folder_ops = {
    .abi = WF_BYTESTORE_ABI,
    .kind = "folder",
    .read = folder_read,
    .write = folder_write,
    .remove = folder_remove,
    .rename = folder_rename,
    .list = folder_list,
    .sync = folder_sync,
    .stamp = folder_stamp,
    .prefetch = folder_prefetch,
    .close = folder_close,
};

// Narrows F, open on a whole store, to the folder INSIDE it.
static weft_status narrow(folder_store *f, const char *inside)
{
    WF_TRY(wf_bytestore_check_key(f->base.name, inside));
    int fd = open_beneath(f->fd, inside, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) return fail_key(f, errno, "open", inside);
    close(f->fd);
    f->fd = fd;
    char *name = wf_format("%s/%s", f->base.name, inside);
    if (!name) return WEFT_NO_MEMORY;
    wf_free(f->base.name);
    f->base.name = name;
    return WEFT_OK;
}

weft_status wf_bytestore_open_folder(const char *path, const char *inside, wf_bytestore **out)
{
    folder_store *f = wf_alloc(sizeof *f);
    if (!f) return WEFT_NO_MEMORY;
    *f = (folder_store){ .base = { .ops = &folder_ops, .name = wf_strdup(path) }, .fd = -1 };
    weft_status st = f->base.name ? WEFT_OK : WEFT_NO_MEMORY;
    if (st == WEFT_OK) {
        f->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (f->fd < 0) st = fail_key(f, errno, "open", "");
    }
    if (st == WEFT_OK && inside && *inside) st = narrow(f, inside);
    if (st != WEFT_OK) {
        folder_close(&f->base);
        return st;
    }
    *out = &f->base;
    return WEFT_OK;
}
