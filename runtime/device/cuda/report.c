// SPDX-License-Identifier: Apache-2.0
// report - what the module found, in sentences for `weft doctor`: libraries, GPUs and why one cannot be used, the kernel cache on disk.
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/cuda/module.h"

typedef struct printer {
    wf_cuda_line *line;
    void *context;
} printer;

static void say(const printer *p, const char *what, const char *finding)
{
    p->line(p->context, what, finding);
}

static const wf_cuda_api *report_libraries(const printer *p)
{
    const char *why;
    char text[320];
    const wf_cuda_api *api = wf_cuda_api_find(&why);
    if (!api) {
        say(p, "cuda", why);
        return NULL;
    }
    snprintf(text, sizeof text, "driver for CUDA %d.%d", api->driver_number / 1000,
             api->driver_number % 1000 / 10);
    say(p, "cuda", text);
    if (api->nvrtc_file[0])
        snprintf(text, sizeof text, "%d.%d (%s)", api->nvrtc_major, api->nvrtc_minor,
                 api->nvrtc_file);
    say(p, "nvrtc", api->nvrtc_file[0] ? text : api->nvrtc_missing);
    say(p, "cublas", api->blas_file[0] ? api->blas_file : api->blas_missing);
    return api;
}

// NCCL belongs to another module; here only whether there is one.
static void report_nccl(const printer *p)
{
    char text[64];
    int version = 0;
    void *library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL),
         *symbol = library ? dlsym(library, "ncclGetVersion") : NULL;
    int (*get)(int *) = NULL;
    memcpy(&get, &symbol, sizeof get);
    if (!get || get(&version) != 0) {
        say(p, "nccl",
            "not here (libnccl.so.2): GPUs of different workers exchange blocks through host memory");
    } else {
        snprintf(text, sizeof text, "%d.%d.%d (libnccl.so.2)", version / 10000,
                 version % 10000 / 100, version % 100);
        say(p, "nccl", text);
    }
    if (library) dlclose(library);
}

static int attribute(const wf_cuda_api *api, CUdevice device, int which)
{
    int value = 0;
    return api->driver.device_attribute(&value, which, device) == CUDA_SUCCESS ? value : 0;
}

// ", peer access to cuda1 cuda2"
static void add_peers(const wf_cuda_api *api, CUdevice device, int number, int count, char *text,
                      size_t size)
{
    bool any = false;
    for (int i = 0; i < count; i++) {
        CUdevice peer;
        int possible = 0;
        const size_t used = strlen(text);
        if (i == number || api->driver.device_get(&peer, i) != CUDA_SUCCESS ||
            api->driver.peer_possible(&possible, device, peer) != CUDA_SUCCESS || !possible)
            continue;
        snprintf(text + used, size - used, "%s cuda%d", any ? "" : ", peer access to", i);
        any = true;
    }
}

// Why the GPU cannot be used, by its context; NULL: it can.
static const char *why_not(const wf_cuda_api *api, CUdevice device, int capability)
{
    CUcontext context;
    const char *text = NULL;
    if (capability < 75) return "compute capability 7.5 or newer is needed";
    const CUresult result = api->driver.context_retain(&context, device);
    if (result == CUDA_SUCCESS) {
        api->driver.context_release(device);
        return NULL;
    }
    api->driver.error_text(result, &text);
    return text ? text : "the driver gives it no context";
}

static void report_gpu(const printer *p, const wf_cuda_api *api, int number, int count)
{
    char what[16], model[64] = "GPU", text[512];
    CUdevice device;
    size_t bytes = 0;
    snprintf(what, sizeof what, "cuda%d", number);
    if (api->driver.device_get(&device, number) != CUDA_SUCCESS) return;
    api->driver.device_name(model, sizeof model, device);
    api->driver.device_memory(&bytes, device);
    const int capability =
        10 * attribute(api, device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) +
        attribute(api, device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    snprintf(text, sizeof text,
             "%s, %.1f GiB, compute capability %d.%d, %d processors, PCI %04x:%02x:%02x", model,
             (double)bytes / (1 << 30), capability / 10, capability % 10,
             attribute(api, device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
             (unsigned)attribute(api, device, CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID),
             (unsigned)attribute(api, device, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID),
             (unsigned)attribute(api, device, CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID));
    add_peers(api, device, number, count, text, sizeof text);
    const char *why = why_not(api, device, capability);
    const size_t used = strlen(text);
    if (why) snprintf(text + used, sizeof text - used, "; cannot be used: %s", why);
    say(p, what, text);
}

// Kernels on disk; CLEAR: removes them. Other files in the folder stay.
static void report_cache(const printer *p, bool clear)
{
    char folder[400], path[700], text[512];
    long long bytes = 0;
    int files = 0;
    if (!wf_cuda_cache_folder(folder, sizeof folder)) {
        say(p, "kernel cache", "off");
        return;
    }
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat status;
        const size_t n = strlen(e->d_name);
        if (n < 8 || strcmp(e->d_name + n - 7, ".kernel") != 0) continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (stat(path, &status) != 0 || (clear && unlink(path) != 0)) continue;
        files++;
        bytes += status.st_size;
    }
    if (d) closedir(d);
    snprintf(text, sizeof text, "%s, %d kernels%s, %lld bytes", folder, files,
             clear ? " removed" : "", bytes);
    say(p, "kernel cache", text);
}

void wf_cuda_report(bool clear_cache, wf_cuda_line *line, void *context)
{
    const printer p = { line, context };
    int count = 0;
    const wf_cuda_api *api = report_libraries(&p);
    if (api) {
        report_nccl(&p);
        if (api->driver.device_count(&count) != CUDA_SUCCESS || count < 1)
            say(&p, "cuda devices",
                "none: the driver shows no GPU (CUDA_VISIBLE_DEVICES can hide them)");
        for (int i = 0; i < count; i++) report_gpu(&p, api, i, count);
    }
    report_cache(&p, clear_cache);
}
