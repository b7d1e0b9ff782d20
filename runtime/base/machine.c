// SPDX-License-Identifier: Apache-2.0
// machine - reads /proc and /sys. A cgroup's limits bind all groups inside it, so every level from
// this process's group up to the root is read. In a container the path in /proc/self/cgroup may be
// the host's and not exist here: then the walk up ends at the mount's own root, which holds the
// container's limits.
#include "base/machine.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

// Reads the beginning of ROOT/PATH as text; false where there is none.
static bool read_file(const char *root, const char *path, char *out, size_t capacity)
{
    char name[PATH_MAX];
    if (snprintf(name, sizeof name, "%s%s", root, path) >= (int)sizeof name) return false;

    FILE *file = fopen(name, "re");
    if (!file) return false;
    size_t n = fread(out, 1, capacity - 1, file);
    fclose(file);
    out[n] = '\0';
    return n > 0;
}

// The number behind "KEY" at a line's beginning in TEXT; -1 where there is none.
static int64_t find_number(const char *text, const char *key)
{
    size_t n = strlen(key);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, n) == 0) return strtoll(line + n, NULL, 10);
    }
    return -1;
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// What one kind of cgroup file tree says. Files of a version that is not mounted are simply not
// there.
typedef struct limits {
    const char *root;
    double cpus;       // quota; a large number when there is none
    int64_t memory;    // the least limit
    int64_t headroom;  // the least of (limit - what is used and cannot be reclaimed)
} limits;

// A limit of LONG_MAX rounded to pages means "none" in version 1; so does "max" in version 2.
static int64_t read_bytes(const limits *l, const char *folder, const char *file)
{
    char path[PATH_MAX], text[64], *end;

    if (snprintf(path, sizeof path, "%s/%s", folder, file) >= (int)sizeof path) return INT64_MAX;
    if (!read_file(l->root, path, text, sizeof text)) return INT64_MAX;
    int64_t value = strtoll(text, &end, 10);
    return end == text || value < 0 || value >= INT64_MAX / 2 ? INT64_MAX : value;
}

static void read_memory(limits *l, const char *folder, const char *limit_file,
                        const char *used_file, const char *cache_key)
{
    char path[PATH_MAX], stat[8192];
    int64_t limit = read_bytes(l, folder, limit_file), used = read_bytes(l, folder, used_file),
            cache = 0;

    if (limit == INT64_MAX) return;
    l->memory = smaller(l->memory, limit);
    if (used == INT64_MAX) used = 0;
    if (snprintf(path, sizeof path, "%s/memory.stat", folder) < (int)sizeof path &&
        read_file(l->root, path, stat, sizeof stat))
        cache =
            find_number(stat,
                        cache_key);  // file pages not in use lately: the kernel drops them first
    if (cache > 0) used -= smaller(cache, used);
    l->headroom = smaller(l->headroom, limit > used ? limit - used : 0);
}

static void take_quota(limits *l, double quota, double period)
{
    if (quota > 0 && period > 0 && quota / period < l->cpus) l->cpus = quota / period;
}

static void read_v2(limits *l, const char *folder)
{
    char path[PATH_MAX], text[64];

    read_memory(l, folder, "memory.max", "memory.current", "inactive_file ");
    read_memory(l, folder, "memory.high", "memory.current", "inactive_file ");
    if (snprintf(path, sizeof path, "%s/cpu.max", folder) >= (int)sizeof path) return;
    if (!read_file(l->root, path, text, sizeof text) || strncmp(text, "max", 3) == 0) return;
    char *end;
    double quota = (double)strtoll(text, &end, 10);
    take_quota(l, quota, (double)strtoll(end, NULL, 10));
}

static void read_v1_memory(limits *l, const char *folder)
{
    read_memory(l, folder, "memory.limit_in_bytes", "memory.usage_in_bytes",
                "total_inactive_file ");
}

static void read_v1_cpu(limits *l, const char *folder)
{
    int64_t quota = read_bytes(l, folder, "cpu.cfs_quota_us"),
            period = read_bytes(l, folder, "cpu.cfs_period_us");
    if (quota != INT64_MAX && period != INT64_MAX) take_quota(l, (double)quota, (double)period);
}

// Calls READ for MOUNT/PATH and each folder above it, MOUNT itself last.
static void walk_up(limits *l, const char *mount, const char *path,
                    void (*read)(limits *, const char *))
{
    char folder[PATH_MAX];
    size_t base = strlen(mount);

    if (snprintf(folder, sizeof folder, "%s%s", mount, path) >= (int)sizeof folder) return;
    for (size_t end = strlen(folder); end > base; end--)
        if (folder[end] == '/' || folder[end] == '\0') {
            folder[end] = '\0';
            if (folder[end - 1] != '/') read(l, folder);
        }
    read(l, mount);
}

static bool has_controller(const char *list, const char *end, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = list; p < end; p++) {
        if (strncmp(p, name, n) == 0 && (p[n] == ',' || p[n] == ':')) return true;
        p = memchr(p, ',', (size_t)(end - p));
        if (!p) break;
    }
    return false;
}

// LINE is "5:cpu,cpuacct:/path" in version 1, "0::/path" in version 2.
static void read_group(limits *l, char *line)
{
    char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;

    if (!path) return;
    list++;
    if (list == path) {
        walk_up(l, "/sys/fs/cgroup", path + 1, read_v2);
        walk_up(l, "/sys/fs/cgroup/unified", path + 1, read_v2);
    }
    if (has_controller(list, path, "memory"))
        walk_up(l, "/sys/fs/cgroup/memory", path + 1, read_v1_memory);
    if (has_controller(list, path, "cpu")) {
        walk_up(l, "/sys/fs/cgroup/cpu", path + 1, read_v1_cpu);
        walk_up(l, "/sys/fs/cgroup/cpu,cpuacct", path + 1, read_v1_cpu);
    }
}

static void read_groups(limits *l)
{
    char text[8192], *rest = text;

    if (!read_file(l->root, "/proc/self/cgroup", text, sizeof text)) return;
    for (char *line; (line = strsep(&rest, "\n"));) read_group(l, line);
}

static void read_memory_info(const char *root, wf_machine *out, int64_t *available)
{
    char text[8192];
    int64_t total = -1, free_now = -1;

    if (read_file(root, "/proc/meminfo", text, sizeof text)) {
        total = find_number(text, "MemTotal:");
        free_now = find_number(text, "MemAvailable:");
    }
    out->memory_total = total > 0 ? total * 1024 : 0;
    *available = free_now >= 0 ? free_now * 1024 : INT64_MAX;
}

void wf_machine_probe_at(const char *root, int affinity, wf_machine *out)
{
    wf_machine m = { .cpus = affinity, .page_size = sysconf(_SC_PAGESIZE) };
    limits l = { .root = root, .cpus = 1e9, .memory = INT64_MAX, .headroom = INT64_MAX };
    int64_t available;

    m.cpus_online = (int)sysconf(_SC_NPROCESSORS_ONLN);
    read_groups(&l);
    read_memory_info(root, &m, &available);
    if (l.cpus < m.cpus) m.cpus = (int)l.cpus + (l.cpus > (int)l.cpus);
    if (m.cpus < 1) m.cpus = 1;
    m.memory_limit = m.memory_total ? smaller(m.memory_total, l.memory) : l.memory;
    m.memory_available = smaller(m.memory_limit, smaller(available, l.headroom));
    *out = m;
}

// The mask grows until the kernel's fits in: machines have had more than 1024 CPUs for long.
static int count_affinity(void)
{
    for (int n = 1024; n <= 1 << 20; n *= 4) {
        cpu_set_t *set = CPU_ALLOC((size_t)n);
        if (!set) break;
        int failed = sched_getaffinity(0, CPU_ALLOC_SIZE((size_t)n), set), err = errno;
        int count = failed ? 0 : CPU_COUNT_S(CPU_ALLOC_SIZE((size_t)n), set);
        CPU_FREE(set);
        if (count > 0) return count;
        if (err != EINVAL) break;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

// Half of the address space that ulimit -v still leaves; the rest is for stacks, libraries and what is reserved but not used.
static int64_t address_room(void)
{
    struct rlimit limit;
    double pages = 0;

    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur > INT64_MAX) return INT64_MAX;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%lf", &pages) != 1) pages = 0;
    if (file) fclose(file);
    int64_t room = (int64_t)limit.rlim_cur - (int64_t)pages * sysconf(_SC_PAGESIZE);
    return room > 2 ? room / 2 : 1;
}

void wf_machine_probe(wf_machine *out)
{
    wf_machine_probe_at("", count_affinity(), out);
    out->memory_limit = smaller(out->memory_limit, address_room());
    out->memory_available = smaller(out->memory_available, out->memory_limit);
}

// The value of the first line of TEXT that begins with KEY, ended in place.
static char *find_line(char *text, const char *key)
{
    char *line = strstr(text, key), *colon = line ? strchr(line, ':') : NULL;

    if (!colon) return NULL;
    colon += 1 + (colon[1] == ' ');
    colon[strcspn(colon, "\n")] = '\0';
    return colon;
}

// The features that choose kernels, or that people ask about.
static const char *const features[] = { "sse4_2",   "avx",         "avx2",        "fma",
                                        "f16c",     "avx512f",     "avx512dq",    "avx512bw",
                                        "avx512vl", "avx512_fp16", "avx512_bf16", "amx_tile",
                                        "asimd",    "sve" };

void wf_machine_describe_cpu(wf_text *text)
{
    char info[16384], copy[16384];

    if (!read_file("", "/proc/cpuinfo", info, sizeof info)) {
        wf_text_add(text, "unknown");
        return;
    }
    memcpy(copy, info, sizeof copy);
    char *model = find_line(info, "model name");
    wf_text_add(text, "%s:", model ? model : "unknown model");
    char *flags = find_line(copy, "flags\t");
    if (!flags) flags = find_line(copy, "Features\t");
    for (char *flag; (flag = strsep(&flags, " "));)
        for (size_t i = 0; i < sizeof features / sizeof *features; i++)
            if (strcmp(flag, features[i]) == 0) wf_text_add(text, " %s", flag);
}

#define TMPFS_TYPE 0x01021994
#define RAMFS_TYPE 0x858458F6

weft_status wf_machine_is_tmpfs(const char *folder, bool *out)
{
    struct statfs info;

    if (statfs(folder, &info)) return wf_fail_errno(errno, "machine: %s", folder);
    *out = (uint32_t)info.f_type == TMPFS_TYPE || (uint32_t)info.f_type == RAMFS_TYPE;
    return WEFT_OK;
}

weft_status wf_machine_disk_free(const char *folder, int64_t *out)
{
    struct statvfs info;

    if (statvfs(folder, &info)) return wf_fail_errno(errno, "machine: %s", folder);
    unsigned __int128 bytes = (unsigned __int128)info.f_bavail * info.f_frsize;
    *out = bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes;
    return WEFT_OK;
}
