// SPDX-License-Identifier: Apache-2.0
// library - opens NCCL and the CUDA driver once per process and keeps them open. What is missing is
// one sentence, said to whoever asks.
#include "transport/nccl/library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OLDEST_NCCL =
        21800,  // non-blocking communicators came with 2.14; the configuration we pass, with 2.18
    SHRINKS = 22703,  // ncclCommShrink
};

static wf_nccl_library found;
static char missing[320];  // "": nothing is
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *open_nccl(void)
{
    const char *home = getenv("CUDA_HOME"), *file = getenv("WEFT_NCCL");
    const char *const folders[] = { home ? home : "", "/usr/local/cuda", "/opt/cuda" };
    char path[512];

    if (file && *file) return dlopen(file, RTLD_NOW | RTLD_LOCAL);
    void *library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    for (int i = 0; i < 3 && !library; i++) {
        if (!folders[i][0]) continue;
        snprintf(path, sizeof path, "%s/lib64/libnccl.so.2", folders[i]);
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    return library;
}

// The address of SYMBOL, as a function pointer of any type at *TO.
static bool bind(void *library, const char *symbol, void *to)
{
    void *address = dlsym(library, symbol);
    memcpy(to, &address, sizeof address);
    return address != NULL;
}

#define BIND(result, name, symbol, parameters) \
    if (!bind(library, #symbol, &table->name)) return #symbol;
#define BIND_OPTIONAL(result, name, symbol, parameters) bind(library, #symbol, &table->name);

// The symbol that LIBRARY lacks, or NULL.
static const char *bind_nccl(void *library)
{
    __typeof__(found.nccl) *table = &found.nccl;
    WF_NCCL_LIST(BIND)
    WF_NCCL_OPTIONAL_LIST(BIND_OPTIONAL)
    return NULL;
}

static const char *bind_cuda(void *library)
{
    __typeof__(found.cuda) *table = &found.cuda;
    WF_NCCL_CUDA_LIST(BIND)
    return NULL;
}

#define MISSING(...) snprintf(missing, sizeof missing, __VA_ARGS__)

// "NCCL 2.28.9" of 22809; up to 2.8 the number was 2803.
static void name_version(void)
{
    const int n = found.number, of_major = n < 10000 ? 1000 : 10000;
    snprintf(found.version, sizeof found.version, "NCCL %d.%d.%d", n / of_major, n % of_major / 100,
             n % 100);
}

static void find_nccl(void)
{
    const char *file = getenv("WEFT_NCCL");
    void *library = open_nccl();
    const char *lacks = library ? bind_nccl(library) : NULL;

    if (!library && file && *file)
        MISSING("NCCL is not here: WEFT_NCCL names %.200s, which cannot be loaded", file);
    else if (!library) MISSING("NCCL is not here (libnccl.so.2)");
    if (missing[0]) return;
    if (!found.nccl.version || found.nccl.version(&found.number) != ncclSuccess) {
        MISSING("NCCL does not say its version: 2.18 or newer is needed");
        return;
    }
    name_version();
    if (found.number < OLDEST_NCCL)
        MISSING("%s is too old: 2.18 or newer is needed", found.version);
    else if (lacks) MISSING("%s cannot be used: it has no %s", found.version, lacks);
    if (found.number < SHRINKS) found.nccl.shrink = NULL;
}

static void find_cuda(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    const char *lacks = library ? bind_cuda(library) : NULL, *text = NULL;
    int count = 0;

    if (!library) MISSING("NCCL needs a CUDA driver, and none is installed (libcuda.so.1)");
    else if (lacks) MISSING("NCCL needs a newer CUDA driver: this one has no %s", lacks);
    if (missing[0]) return;
    CUresult result = found.cuda.init(0);
    if (result == CUDA_SUCCESS) result = found.cuda.device_count(&count);
    if (result == CUDA_SUCCESS && count > 0) return;
    if (result != CUDA_SUCCESS) found.cuda.error_text(result, &text);
    MISSING("NCCL needs a GPU, and the CUDA driver gives none: %s", text ? text : "there is none");
}

static void find(void)
{
    find_nccl();
    if (!missing[0]) find_cuda();
}

const wf_nccl_library *wf_nccl_library_find(const char **why)
{
    pthread_once(&once, find);
    *why = missing[0] ? missing : NULL;
    return missing[0] ? NULL : &found;
}
