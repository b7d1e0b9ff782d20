// SPDX-License-Identifier: Apache-2.0
// device - reads a specification such as "cpu:4@256MiB,cuda" and opens what it names; finds and
// checks loadable modules.
// Any thread may call. Modules are loaded once and never unloaded: their code may be on any stack.
#include "device/device.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/build_info.h"
#include "base/machine.h"
#include "base/number.h"
#include "base/thread.h"
#include "observe/log.h"

enum { MAX_DEVICES = 250, MAX_KIND = 15, MAX_MODULES = 8, MAX_SLOTS = 64 };

// --- modules ---

static struct {
    wf_mutex lock;
    int count;
    char kind[MAX_MODULES][MAX_KIND + 1];
    const weft_device_ops *ops[MAX_MODULES];
} modules = { .lock = WF_MUTEX_INIT };

static void log_for_module(int level, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    wf_log((wf_log_level)level, "%s", text);
}

static struct {
    wf_mutex lock;
    char folder[512];
} kernel_cache = { .lock = WF_MUTEX_INIT };

void wf_device_keep_kernels_in(const char *folder)
{
    wf_mutex_lock(&kernel_cache.lock);
    snprintf(kernel_cache.folder, sizeof kernel_cache.folder, "%s", folder ? folder : "");
    wf_mutex_unlock(&kernel_cache.lock);
}

static void give_kernel_cache(char *out, size_t size)
{
    wf_mutex_lock(&kernel_cache.lock);
    snprintf(out, size, "%s", kernel_cache.folder);
    wf_mutex_unlock(&kernel_cache.lock);
}

static const weft_host host_table = {
    .abi = WEFT_PLUGIN_ABI,
    .fail = wf_fail_record,
    .alloc = wf_alloc,
    .free = wf_free,
    .log = log_for_module,
    .kernel_cache = give_kernel_cache,
};

static bool is_complete(const weft_device_ops *ops)
{
    return ops->kind && ops->count && ops->open && ops->close && ops->info && ops->allocate &&
           ops->release && ops->stream_open && ops->stream_close && ops->stream_wait &&
           ops->copy_in && ops->copy_out && ops->copy_box;
}

// PATH exists. A module is code that runs in this process, so what it hands over is checked only
// against mistakes.
static weft_status load_file(const char *kind, const char *path, const weft_device_ops **out)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!handle) return wf_fail(WEFT_DEVICE, "devices: cannot load '%s': %s", path, dlerror());
    weft_device_module_fn *module = NULL;
    void *symbol = dlsym(handle, "weft_device_module");
    memcpy(&module, &symbol, sizeof module);  // C has no cast from an object pointer to a function
    const weft_device_ops *ops = module ? module(&host_table) : NULL;
    weft_status st = WEFT_OK;
    if (!module)
        st = wf_fail(WEFT_UNSUPPORTED, "devices: '%s' has no symbol weft_device_module", path);
    else if (!ops || ops->abi != WEFT_PLUGIN_ABI)
        st = wf_fail(
            WEFT_UNSUPPORTED,
            "devices: '%s' is for another version of Weft: expected module version %d, got %u",
            path, WEFT_PLUGIN_ABI, ops ? ops->abi : 0);
    else if (!is_complete(ops) || strcmp(ops->kind, kind) != 0)
        st = wf_fail(WEFT_UNSUPPORTED, "devices: '%s' is no complete module for '%s'", path, kind);
    if (st != WEFT_OK) dlclose(handle);
    else *out = ops;
    return st;
}

// Looks in one FOLDER; adds it to LOOKED. WEFT_NOT_FOUND, not recorded as an error, when there is
// no such file.
static weft_status load_from(const char *kind, const char *folder, int length, wf_text *looked,
                             const weft_device_ops **out)
{
    char *path = wf_format("%.*s/libweft_%s.so", length, folder, kind);

    if (!path) return WEFT_NO_MEMORY;
    wf_text_add(looked, "%s%.*s", looked->length ? ", " : "", length, folder);
    const weft_status st = access(path, F_OK) == 0 ? load_file(kind, path, out) : WEFT_NOT_FOUND;
    wf_free(path);
    return st;
}

static weft_status search(const char *kind, const char *plugin_path, wf_text *looked,
                          const weft_device_ops **out)
{
    weft_status st = WEFT_NOT_FOUND;
    Dl_info here;

    for (const char *p = plugin_path ? plugin_path : ""; *p && st == WEFT_NOT_FOUND;
         p += *p == ':') {
        const int length = (int)strcspn(p, ":");
        if (length > 0) st = load_from(kind, p, length, looked, out);
        p += length;
    }
    if (st == WEFT_NOT_FOUND && dladdr(&modules, &here) && here.dli_fname) {
        const char *slash = strrchr(here.dli_fname, '/');
        if (slash) st = load_from(kind, here.dli_fname, (int)(slash - here.dli_fname), looked, out);
    }
    if (st == WEFT_NOT_FOUND)
        st = load_from(kind, WF_MODULE_DIR, (int)strlen(WF_MODULE_DIR), looked, out);
    return st;
}

static bool is_kind(const char *kind)
{
    const size_t n = strlen(kind);
    return n > 0 && n <= MAX_KIND && strspn(kind, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

// The lock is held. WEFT_NOT_FOUND is not recorded as an error here.
static weft_status load_locked(const char *kind, const char *plugin_path, wf_text *looked,
                               const weft_device_ops **out)
{
    for (int i = 0; i < modules.count; i++)
        if (strcmp(modules.kind[i], kind) == 0) {
            *out = modules.ops[i];
            return WEFT_OK;
        }
    if (modules.count == MAX_MODULES)
        return wf_fail(WEFT_UNSUPPORTED, "devices: more than %d kinds", MAX_MODULES);
    WF_TRY(search(kind, plugin_path, looked, out));
    snprintf(modules.kind[modules.count], sizeof modules.kind[0], "%s", kind);
    modules.ops[modules.count++] = *out;
    return WEFT_OK;
}

static weft_status load_module(const char *kind, const char *plugin_path, wf_text *looked,
                               const weft_device_ops **out)
{
    wf_mutex_lock(&modules.lock);
    const weft_status st = load_locked(kind, plugin_path, looked, out);
    wf_mutex_unlock(&modules.lock);
    return st;
}

weft_status wf_device_module_load(const char *kind, const char *plugin_path,
                                  const weft_device_ops **out)
{
    const weft_device_ops *ops = NULL;
    wf_text looked = { 0 };

    if (!is_kind(kind))
        return wf_fail(WEFT_INVALID,
                       "devices: expected a kind of device such as cpu or cuda, got '%.40s'", kind);
    weft_status st = load_module(kind, plugin_path, &looked, &ops);
    if (st == WEFT_NOT_FOUND)
        st = wf_fail(WEFT_NOT_FOUND, "devices: '%s' is not here: no libweft_%s.so in %s", kind,
                     kind, looked.data ? looked.data : "any folder");
    wf_text_fini(&looked);
    if (st == WEFT_OK) *out = ops;
    return st;
}

void wf_device_module_report(const char *kind, bool clear_cache,
                             void (*line)(void *context, const char *what, const char *finding),
                             void *context)
{
    const weft_device_ops *ops = NULL;

    if (wf_device_module_load(kind, getenv("WEFT_PLUGIN_PATH"), &ops) != WEFT_OK)
        line(context, kind, wf_last_error());
    else if (ops->report) ops->report(clear_cache, line, context);
}

// --- specifications ---

// One part of a specification: COUNT devices of a kind, of BYTES each (0: not said).
typedef struct part {
    char kind[MAX_KIND + 1];
    const weft_device_ops *ops;
    int count;  // 0: all there are
    int64_t bytes;
    bool optional;  // what cannot be opened is left out
} part;

typedef struct parts {
    int count;
    bool helped;  // the last part is a CPU device that nobody asked for
    part part[MAX_MODULES + 1];
} parts;

static bool is_cpu(const part *p) { return strcmp(p->kind, "cpu") == 0; }

static weft_status parse_count(const char *spec, const char *text, int *out)
{
    int64_t n = 0;

    if (wf_number_parse_i64(text, &n) != WEFT_OK || n < 1 || n > MAX_DEVICES)
        return wf_fail(WEFT_INVALID, "devices: '%.80s': expected a count of 1 to %d, got '%.40s'",
                       spec, MAX_DEVICES, text);
    *out = (int)n;
    return WEFT_OK;
}

static weft_status parse_size(const char *spec, const char *text, int64_t *out)
{
    int64_t n = 0;

    if (wf_number_parse_bytes(text, &n) != WEFT_OK || n < 1)
        return wf_fail(WEFT_INVALID,
                       "devices: '%.80s': expected a size such as 256MiB, got '%.40s'", spec, text);
    *out = n;
    return WEFT_OK;
}

// TEXT is one part and is cut up.
static weft_status parse_part(const char *spec, char *text, part *out)
{
    char *at = strchr(text, '@');
    part p = { .count = 0 };

    if (at) {
        *at++ = 0;
        WF_TRY(parse_size(spec, at, &p.bytes));
    }
    char *colon = strchr(text, ':');
    if (colon) {
        *colon++ = 0;
        WF_TRY(parse_count(spec, colon, &p.count));
    }
    if (!is_kind(text))
        return wf_fail(
            WEFT_INVALID,
            "devices: '%.80s': expected a kind of device such as cpu or cuda, got '%.40s'", spec,
            text);
    snprintf(p.kind, sizeof p.kind, "%s", text);
    if (is_cpu(&p)) p.ops = wf_cpu_device_ops();
    else WF_TRY(wf_device_module_load(p.kind, getenv("WEFT_PLUGIN_PATH"), &p.ops));
    *out = p;
    return WEFT_OK;
}

static weft_status parse_spec(const char *spec, parts *out)
{
    char *copy = wf_strdup(spec);
    weft_status st = copy ? WEFT_OK : WEFT_NO_MEMORY;

    for (char *text = copy, *next = NULL; text && st == WEFT_OK; text = next) {
        next = strchr(text, ',');
        if (next) *next++ = 0;
        if (out->count == MAX_MODULES)
            st = wf_fail(WEFT_INVALID, "devices: '%.80s': expected at most %d parts", spec,
                         MAX_MODULES);
        else st = parse_part(spec, text, &out->part[out->count]);
        if (st == WEFT_OK) out->count++;
    }
    wf_free(copy);
    return st;
}

// Without a specification: the CUDA devices if their module is there and finds any.
static void choose_default(parts *out)
{
    part *gpu = &out->part[0];
    wf_text looked = { 0 };

    const weft_status st = load_module("cuda", getenv("WEFT_PLUGIN_PATH"), &looked, &gpu->ops);
    wf_text_fini(&looked);
    if (st != WEFT_OK && st != WEFT_NOT_FOUND)
        wf_log_once("devices:cuda", WF_LOG_WARN, "CUDA devices are left out: %s", wf_last_error());
    if (st != WEFT_OK || gpu->ops->count() < 1) return;
    snprintf(gpu->kind, sizeof gpu->kind, "cuda");
    gpu->optional = true;
    out->count = 1;
}

// Something must be able to do everything.
static void add_helper(parts *all)
{
    for (int i = 0; i < all->count; i++)
        if (is_cpu(&all->part[i])) return;
    all->part[all->count++] = (part){ .kind = "cpu", .ops = wf_cpu_device_ops(), .count = 1 };
    all->helped = true;
}

// A module that finds no device knows why.
static weft_status say_why_none(const part *p)
{
    weft_device *none = NULL;
    const weft_status st = p->ops->open(0, 0, 0, &none);
    if (none) p->ops->close(none);
    return st;
}

// How many devices each part opens. A module may open several on one of what it has.
static weft_status resolve_counts(const char *spec, parts *all, int *total)
{
    *total = 0;
    for (int i = 0; i < all->count; i++) {
        part *p = &all->part[i];
        const int there = is_cpu(p) ? MAX_DEVICES : p->ops->count();
        if (there < 1) WF_TRY(say_why_none(p));
        if (p->count == 0) p->count = is_cpu(p) ? 1 : there;
        const bool is_virtual = p->ops->shares && p->bytes > 0;  // each with a memory of its own
        if ((p->count > there && !is_virtual) || p->count < 1)
            return wf_fail(WEFT_NOT_FOUND, "devices: '%.80s': wanted %d of %s, found %d", spec,
                           p->count > 0 ? p->count : 1, p->kind, there > 0 ? there : 0);
        *total += p->count;
    }
    if (*total <= MAX_DEVICES) return WEFT_OK;
    return wf_fail(WEFT_INVALID, "devices: '%.80s': expected at most %d devices, got %d", spec,
                   MAX_DEVICES, *total);
}

// CPU devices share what is allowed: the bytes, less what the specification gives to some of them,
// and the threads.
typedef struct shares {
    int64_t bytes;            // of each CPU device without a size
    int64_t module_bytes;     // of each other device without one; 0: its own default
    int threads, ncpu, next;  // threads in all, CPU devices, how many are open
} shares;

static shares share_out(const parts *all, int threads, int64_t memory_limit)
{
    wf_machine machine;
    shares s = { .threads = threads };
    int unsized = 0;
    int64_t given = 0;

    wf_machine_probe(&machine);
    if (s.threads < 1) s.threads = machine.cpus;
    if (memory_limit <= 0) memory_limit = machine.memory_limit / 2;
    if (memory_limit <= 0) memory_limit = INT64_C(1) << 30;
    for (int i = 0; i < all->count; i++) {
        const part *p = &all->part[i];
        if (!is_cpu(p)) continue;
        s.ncpu += p->count;
        if (p->bytes == 0) unsized += p->count;
        else if (p->bytes < (memory_limit - given) / p->count) given += p->bytes * p->count;
        else given = memory_limit;
    }
    // When sizes given use up all there is, they overcommit it: the store's host budget stands
    // above them.
    if (unsized > 0)
        s.bytes = (given < memory_limit ? memory_limit - given : memory_limit) / unsized;
    if (s.bytes < 1) s.bytes = 1;
    return s;
}

// --- opening ---

// A CPU device gets a little more than it is said to have: whole pages and slabs take more than the
// blocks in them, and the store, which keeps the budget, counts that only afterwards.
static int64_t with_slack(int64_t bytes)
{
    const int64_t slack = bytes / 64 + (INT64_C(2) << 20);
    return bytes < INT64_MAX - slack ? bytes + slack : bytes;
}

static weft_status open_cpu(const part *p, shares *s, wf_device *out)
{
    const int64_t bytes = p->bytes ? p->bytes : s->bytes;
    const int k = s->next;
    const int threads = s->threads / s->ncpu + (k < s->threads % s->ncpu ? 1 : 0);

    WF_TRY(p->ops->open(k, with_slack(bytes), threads > 0 ? threads : 1, &out->handle));
    const weft_status st = p->ops->info(out->handle, &out->info);
    if (st != WEFT_OK) {
        p->ops->close(out->handle);
        return st;
    }
    s->next++;
    out->info.memory_bytes = bytes;
    if (out->info.memory_free > bytes) out->info.memory_free = bytes;
    return WEFT_OK;
}

static weft_status open_other(const part *p, int number, int64_t limit, wf_device *out)
{
    WF_TRY(p->ops->open(number, p->bytes ? p->bytes : limit, 0, &out->handle));
    const weft_status st = p->ops->info(out->handle, &out->info);
    if (st != WEFT_OK) p->ops->close(out->handle);
    out->info.name[sizeof out->info.name - 1] = 0;  // a module wrote it
    if (out->info.slots < 1) out->info.slots = 1;
    if (out->info.slots > MAX_SLOTS) out->info.slots = MAX_SLOTS;
    return st;
}

// Adds device K of part P to LIST, or leaves it out.
static weft_status open_one(const part *p, int k, shares *s, wf_device_list *list)
{
    wf_device device = { .ops = p->ops, .number = list->count, .is_cpu = is_cpu(p) };
    const weft_status st =
        is_cpu(p) ? open_cpu(p, s, &device) : open_other(p, k, s->module_bytes, &device);

    if (st == WEFT_OK) list->device[list->count++] = device;
    else if (p->optional)
        wf_log(WF_LOG_WARN, "%s device %d is left out: %s", p->kind, k, wf_last_error());
    return p->optional ? WEFT_OK : st;
}

static weft_status open_parts(const parts *all, shares *s, wf_device_list *list)
{
    for (int i = 0; i < all->count; i++)
        for (int k = 0; k < all->part[i].count; k++) WF_TRY(open_one(&all->part[i], k, s, list));
    list->nworking = all->helped && list->count > 1 ? list->count - 1 : list->count;
    return WEFT_OK;
}

weft_status wf_device_list_open(const char *spec, int threads, int64_t memory_limit,
                                int64_t module_limit, wf_device_list *out)
{
    parts all = { .count = 0 };
    wf_device_list list = { .count = 0 };
    int total = 0;

    if (threads < 0 || memory_limit < 0)
        return wf_fail(WEFT_INVALID,
                       "devices: threads and memory limit must be >= 0, got %d and %" PRId64,
                       threads, memory_limit);
    if (spec && spec[0]) WF_TRY(parse_spec(spec, &all));
    else choose_default(&all);
    add_helper(&all);
    WF_TRY(resolve_counts(spec ? spec : "", &all, &total));
    list.device = wf_calloc((size_t)total, sizeof *list.device);
    if (!list.device) return WEFT_NO_MEMORY;
    shares s = share_out(&all, threads, memory_limit);
    s.module_bytes = module_limit;
    const weft_status st = open_parts(&all, &s, &list);
    if (st != WEFT_OK) {
        wf_device_list_close(&list);
        return st;
    }
    *out = list;
    return WEFT_OK;
}

void wf_device_list_close(wf_device_list *list)
{
    while (list->count > 0) {
        wf_device *device = &list->device[--list->count];
        device->ops->close(device->handle);
    }
    wf_free(list->device);
    list->device = NULL;
    list->nworking = 0;
}
