// SPDX-License-Identifier: Apache-2.0
// compile - from CUDA text to a kernel on the device. Two caches: in memory, per device, by what the text is made from, so that a known
// program costs a look-up and its text is not even written; and on disk, by content (text, our headers, options, architecture, NVRTC's version),
// so that a program is compiled once per machine. A file on disk carries a checksum and appears by one rename: a damaged or half-written one
// is compiled again, and a folder that cannot be written to costs time only.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/cuda/kernel_text.h"  // WF_CUDA_NHEADER, wf_cuda_header_name[], wf_cuda_header_text[]
#include "device/cuda/module.h"

typedef struct kernel {
    wf_cuda_key key;
    CUmodule module;
    CUfunction function;  // NULL: not compiled yet
    bool busy;            // some thread compiles it
} kernel;

struct wf_cuda_kernels {
    pthread_mutex_t lock;
    pthread_cond_t done;
    int64_t count, capacity;  // a power of two, at most half full
    kernel *table;
    char arch[40];  // the option
    bool
        native;  // cubin for this very device; else PTX for an older one, compiled on by the driver
    uint64_t headers;
};

typedef struct image {
    char *data;
    size_t bytes;
} image;

// --- hashing: FNV-1a (Fowler, Noll, Vo), 64 bits ---

static uint64_t hash(uint64_t h, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < bytes; i++) h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

enum { SEED_1 = 0x6b43a9b5, SEED_2 = 0x1d8e4e27 };

// --- the table in memory ---

// The lock is held. The entry of KEY, or the free one where it belongs.
static kernel *place_of(kernel *table, int64_t capacity, wf_cuda_key key)
{
    int64_t at = (int64_t)((key.what * UINT64_C(0x9e3779b97f4a7c15) ^ key.how) *
                               UINT64_C(0x9e3779b97f4a7c15) >>
                           20) &
                 (capacity - 1);
    while ((table[at].key.what || table[at].key.how) &&
           (table[at].key.what != key.what || table[at].key.how != key.how))
        at = (at + 1) & (capacity - 1);
    return &table[at];
}

static bool is_free(const kernel *k) { return !k->key.what && !k->key.how; }

// The lock is held.
static weft_status make_room(wf_cuda_kernels *k)
{
    if (2 * (k->count + 1) <= k->capacity) return WEFT_OK;
    const int64_t capacity = k->capacity ? 2 * k->capacity : 64;
    kernel *table = wf_cuda_host->alloc((size_t)capacity * sizeof *table);
    if (!table) return WEFT_NO_MEMORY;
    for (int64_t i = 0; i < k->capacity; i++)
        if (!is_free(&k->table[i])) *place_of(table, capacity, k->table[i].key) = k->table[i];
    wf_cuda_host->free(k->table);
    k->table = table;
    k->capacity = capacity;
    return WEFT_OK;
}

bool wf_cuda_kernel_find(weft_device *device, wf_cuda_key key, CUfunction *out)
{
    wf_cuda_kernels *k = device->kernels;
    CUfunction found = NULL;
    pthread_mutex_lock(&k->lock);
    if (k->capacity) found = place_of(k->table, k->capacity, key)->function;
    pthread_mutex_unlock(&k->lock);
    if (found) *out = found;
    return found != NULL;
}

// Of the architectures that NVRTC knows: the device's own, or the newest older one.
static weft_status choose_arch(weft_device *device, wf_cuda_kernels *k)
{
    const wf_cuda_api *api = device->api;
    int n = 0, archs[64], best = 0;
    if (api->nvrtc.arch_count(&n) != NVRTC_SUCCESS || n < 1 || n > 64 ||
        api->nvrtc.archs(archs) != NVRTC_SUCCESS)
        return wf_cuda_host->fail(WEFT_UNSUPPORTED, "%s: NVRTC names no architecture",
                                  device->name);
    for (int i = 0; i < n; i++)
        if (archs[i] <= device->capability && archs[i] > best) best = archs[i];
    if (!best)
        return wf_cuda_host->fail(WEFT_UNSUPPORTED,
                                  "%s: NVRTC %d.%d no longer knows compute capability %d.%d",
                                  device->name, api->nvrtc_major, api->nvrtc_minor,
                                  device->capability / 10, device->capability % 10);
    k->native = best == device->capability;
    snprintf(k->arch, sizeof k->arch, "--gpu-architecture=%s_%d", k->native ? "sm" : "compute",
             best);
    return WEFT_OK;
}

weft_status wf_cuda_kernels_create(weft_device *device)
{
    wf_cuda_kernels *k = wf_cuda_host->alloc(sizeof *k);
    if (!k) return WEFT_NO_MEMORY;
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->done, NULL);
    device->kernels = k;
    for (int i = 0; i < WF_CUDA_NHEADER; i++)
        k->headers = hash(k->headers, wf_cuda_header_text[i], strlen(wf_cuda_header_text[i]));
    return device->api->nvrtc_file[0] ? choose_arch(device, k) : WEFT_OK;
}

void wf_cuda_kernels_destroy(weft_device *device)
{
    wf_cuda_kernels *k = device->kernels;
    if (!k) return;
    for (int64_t i = 0; i < k->capacity; i++)
        if (k->table[i].module) device->api->driver.module_unload(k->table[i].module);
    wf_cuda_host->free(k->table);
    pthread_cond_destroy(&k->done);
    pthread_mutex_destroy(&k->lock);
    wf_cuda_host->free(k);
    device->kernels = NULL;
}

// --- compiling ---

// Division and square root are rounded correctly, and small numbers kept, without being asked.
static const char *const options[] = { "--std=c++17", "--fmad=false" };
enum { NOPTION = sizeof options / sizeof options[0] };

// The first line of NVRTC's log that says "error".
static weft_status report(weft_device *device, nvrtcProgram program, const char *name,
                          const char *source)
{
    size_t bytes = 0;
    char *log = NULL;
    if (device->api->nvrtc.log_size(program, &bytes) == NVRTC_SUCCESS && bytes > 0)
        log = wf_cuda_host->alloc(bytes + 1);
    if (!log || device->api->nvrtc.log(program, log) != NVRTC_SUCCESS) {
        wf_cuda_host->free(log);
        return wf_cuda_host->fail(WEFT_INTERNAL, "%s: NVRTC cannot compile %s", device->name, name);
    }
    wf_cuda_host->log(4, "kernel %s does not compile:\n%s\n%s", name, log, source);
    const char *line = strstr(log, "error");
    if (!line) line = log;
    const weft_status st = wf_cuda_host->fail(WEFT_INTERNAL, "%s: NVRTC cannot compile %s: %.*s",
                                              device->name, name, (int)strcspn(line, "\n"), line);
    wf_cuda_host->free(log);
    return st;
}

static weft_status take_image(weft_device *device, nvrtcProgram program, image *out)
{
    const bool native = device->kernels->native;
    nvrtcResult r = native ? device->api->nvrtc.cubin_size(program, &out->bytes)
                           : device->api->nvrtc.ptx_size(program, &out->bytes);
    if (r == NVRTC_SUCCESS && !(out->data = wf_cuda_host->alloc(out->bytes + 1)))
        return WEFT_NO_MEMORY;
    if (r == NVRTC_SUCCESS)
        r = native ? device->api->nvrtc.cubin(program, out->data)
                   : device->api->nvrtc.ptx(program, out->data);
    if (r == NVRTC_SUCCESS) return WEFT_OK;
    return wf_cuda_host->fail(WEFT_INTERNAL, "%s: NVRTC: %s", device->name,
                              device->api->nvrtc.error_text(r));
}

static weft_status compile(weft_device *device, const char *source, const char *name, image *out)
{
    const char *all[NOPTION + 1];
    nvrtcProgram program = NULL;
    if (!device->api->nvrtc_file[0])
        return wf_cuda_host->fail(WEFT_UNSUPPORTED, "cuda: %s", device->api->nvrtc_missing);
    nvrtcResult r = device->api->nvrtc.create(&program, source, name, WF_CUDA_NHEADER,
                                              wf_cuda_header_text, wf_cuda_header_name);
    if (r != NVRTC_SUCCESS)
        return wf_cuda_host->fail(WEFT_INTERNAL, "%s: NVRTC: %s", device->name,
                                  device->api->nvrtc.error_text(r));
    memcpy(all, options, sizeof options);
    all[NOPTION] = device->kernels->arch;
    r = device->api->nvrtc.compile(program, NOPTION + 1, all);
    const weft_status st = r == NVRTC_SUCCESS ? take_image(device, program, out)
                                              : report(device, program, name, source);
    device->api->nvrtc.destroy(&program);
    return st;
}

// --- the cache on disk ---

typedef struct file_head {
    char magic[8];  // "weftk001"
    uint64_t bytes, check;
} file_head;

static const char magic[8] = { 'w', 'e', 'f', 't', 'k', '0', '0', '1' };

bool wf_cuda_cache_folder(char *out, size_t size)
{
    char own[512];
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n = -1;
    wf_cuda_host->kernel_cache(own, sizeof own);
    if (strcmp(own, "off") == 0) return false;
    if (own[0]) n = snprintf(out, size, "%s", own);
    else if (xdg && xdg[0]) n = snprintf(out, size, "%s/weft/kernels", xdg);
    else if (home && home[0]) n = snprintf(out, size, "%s/.cache/weft/kernels", home);
    return n > 0 && (size_t)n < size;
}

static bool cache_path(weft_device *device, const char *source, char *out, size_t size)
{
    char folder[400];
    const wf_cuda_kernels *k = device->kernels;
    uint64_t h[2] = { SEED_1, SEED_2 };
    if (!wf_cuda_cache_folder(folder, sizeof folder)) return false;
    const int version[2] = { device->api->nvrtc_major, device->api->nvrtc_minor };
    for (int i = 0; i < 2; i++) {
        h[i] = hash(h[i], source, strlen(source) + 1);
        h[i] = hash(h[i], &k->headers, sizeof k->headers);
        h[i] = hash(h[i], k->arch, strlen(k->arch) + 1);
        for (int o = 0; o < NOPTION; o++) h[i] = hash(h[i], options[o], strlen(options[o]) + 1);
        h[i] = hash(h[i], version, sizeof version);
    }
    const int n = snprintf(out, size, "%s/%016llx%016llx.kernel", folder, (unsigned long long)h[0],
                           (unsigned long long)h[1]);
    return n > 0 && (size_t)n < size;
}

static bool read_file(FILE *f, image *out)
{
    file_head head;
    if (fread(&head, sizeof head, 1, f) != 1 || memcmp(head.magic, magic, sizeof magic) != 0 ||
        head.bytes < 1 || head.bytes > 1 << 28)
        return false;
    out->bytes = (size_t)head.bytes;
    out->data = wf_cuda_host->alloc(out->bytes + 1);
    return out->data && fread(out->data, out->bytes, 1, f) == 1 && fgetc(f) == EOF &&
           hash(SEED_1, out->data, out->bytes) == head.check;
}

static bool read_cache(const char *path, image *out)
{
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    const bool good = read_file(f, out);
    fclose(f);
    if (good) return true;
    wf_cuda_host->free(out->data);
    *out = (image){ 0 };
    return false;
}

static void make_folders(char *path)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        mkdir(path, 0700);
        *p = '/';
    }
}

// Whatever goes wrong, the kernel is compiled again next time.
static void write_cache(char *path, const image *kernel)
{
    char temporary[600];
    file_head head = { .bytes = kernel->bytes, .check = hash(SEED_1, kernel->data, kernel->bytes) };
    memcpy(head.magic, magic, sizeof magic);
    snprintf(temporary, sizeof temporary, "%s.%ld.%lx", path, (long)getpid(),
             (unsigned long)pthread_self());
    make_folders(path);
    FILE *f = fopen(temporary, "wb");
    if (!f) return;
    const bool written =
        fwrite(&head, sizeof head, 1, f) == 1 && fwrite(kernel->data, kernel->bytes, 1, f) == 1;
    if (fclose(f) != 0 || !written || rename(temporary, path) != 0) unlink(temporary);
}

// --- from text to function ---

static weft_status load(weft_device *device, const image *image, const char *name, kernel *out)
{
    WF_CUDA_CALL(device, module_load, &out->module, image->data);
    const CUresult result = device->api->driver.module_function(&out->function, out->module, name);
    if (result == CUDA_SUCCESS) return WEFT_OK;
    device->api->driver.module_unload(out->module);
    out->module = NULL;
    out->function = NULL;
    return wf_cuda_fail(device, result, name);
}

// A file that the driver does not take (an unknown format, another GPU's) counts as damaged.
static weft_status load_or_compile(weft_device *device, const char *source, const char *name,
                                   kernel *out)
{
    char path[512];
    image code = { 0 };
    const bool cached = cache_path(device, source, path, sizeof path);
    weft_status st = WEFT_INTERNAL;
    if (cached && read_cache(path, &code)) st = load(device, &code, name, out);
    if (st != WEFT_OK && !__atomic_load_n(&device->lost, __ATOMIC_RELAXED)) {
        wf_cuda_host->free(code.data);
        code = (image){ 0 };
        st = compile(device, source, name, &code);
        if (st == WEFT_OK && cached) write_cache(path, &code);
        if (st == WEFT_OK) st = load(device, &code, name, out);
    }
    wf_cuda_host->free(code.data);
    return st;
}

// The lock is held. *OUT: the kernel of KEY, waited for if some thread compiles it; NULL: the caller is to compile it.
static weft_status claim_locked(wf_cuda_kernels *k, wf_cuda_key key, CUfunction *out)
{
    for (;;) {
        WF_CUDA_TRY(make_room(k));
        kernel *entry = place_of(k->table, k->capacity, key);
        if (is_free(entry)) k->count++;
        entry->key = key;
        *out = entry->function;
        if (entry->function) return WEFT_OK;
        if (!entry->busy) {
            entry->busy = true;
            return WEFT_OK;
        }
        pthread_cond_wait(&k->done, &k->lock);
    }
}

weft_status wf_cuda_kernel_make(weft_device *device, wf_cuda_key key, const char *source,
                                const char *name, CUfunction *out)
{
    wf_cuda_kernels *k = device->kernels;
    kernel made = { .key = key };
    CUfunction known = NULL;
    pthread_mutex_lock(&k->lock);
    weft_status st = claim_locked(k, key, &known);
    pthread_mutex_unlock(&k->lock);
    if (st != WEFT_OK) return st;
    if (!known) {
        st = load_or_compile(device, source, name, &made);
        pthread_mutex_lock(&k->lock);
        *place_of(k->table, k->capacity, key) = made;
        pthread_cond_broadcast(&k->done);
        pthread_mutex_unlock(&k->lock);
        known = made.function;
    }
    if (st == WEFT_OK) *out = known;
    return st;
}

weft_status wf_cuda_kernel_start(weft_stream *stream, CUfunction function, int64_t blocks,
                                 const void *argument)
{
    void *parameters[] = { (void *)(uintptr_t)argument };
    if (blocks < 1) return WEFT_OK;
    if (blocks > INT32_MAX)
        return wf_cuda_host->fail(WEFT_OVERFLOW, "%s: a launch of %lld blocks",
                                  stream->device->name, (long long)blocks);
    WF_CUDA_CALL(stream->device, launch, function, (unsigned)blocks, 1, 1, WF_CUDA_THREADS, 1, 1, 0,
                 stream->stream, parameters, NULL);
    return WEFT_OK;
}
