// SPDX-License-Identifier: Apache-2.0
// driver - finds the driver, NVRTC and cuBLAS once per process and keeps them open.
#include "device/cuda/driver.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OLDEST_DRIVER = 12040 };

static wf_cuda_api api;
static const char *missing;
static char missing_text[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

// A library by the first of NAMES (NULL-terminated) that loads: from the loader's path, then from $CUDA_HOME, or, where that is not set, from
// where the toolkit usually lies.
static void *open_library(const char *const *names, char *found, size_t size)
{
    const char *home = getenv("CUDA_HOME");
    const char *const folders[] = { "", home && home[0] ? home : "/usr/local/cuda",
                                    home && home[0] ? "" : "/opt/cuda" };
    for (int f = 0; f < 3; f++) {
        if (f > 0 && !folders[f][0]) continue;
        for (int n = 0; names[n]; n++) {
            char path[512];
            if (f == 0) snprintf(path, sizeof path, "%s", names[n]);
            else snprintf(path, sizeof path, "%s/lib64/%s", folders[f], names[n]);
            void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
            if (!library) continue;
            snprintf(found, size, "%s", names[n]);
            return library;
        }
    }
    return NULL;
}

// The address of SYMBOL, as a function pointer of any type at *TO; what is not there is named in WHY.
static bool bind(void *library, const char *symbol, void *to, char *why, size_t size)
{
    void *address = dlsym(library, symbol);
    memcpy(to, &address, sizeof address);
    if (!address) snprintf(why, size, "the library has no %s: it is too old", symbol);
    return address != NULL;
}

#define BIND(result, name, symbol, parameters) \
    if (!bind(library, #symbol, &table->name, why, size)) return false;

static bool bind_driver(void *library, char *why, size_t size)
{
    __typeof__(api.driver) *table = &api.driver;
    WF_CUDA_DRIVER_LIST(BIND)
    return true;
}

static bool bind_nvrtc(void *library, char *why, size_t size)
{
    __typeof__(api.nvrtc) *table = &api.nvrtc;
    WF_CUDA_NVRTC_LIST(BIND)
    return true;
}

static bool bind_blas(void *library, char *why, size_t size)
{
    __typeof__(api.blas) *table = &api.blas;
    WF_CUDA_CUBLAS_LIST(BIND)
    return true;
}

static void find_nvrtc(void)
{
    static const char *const names[] = { "libnvrtc.so.13", "libnvrtc.so.12", NULL };
    void *library = open_library(names, api.nvrtc_file, sizeof api.nvrtc_file);
    if (!library)
        snprintf(api.nvrtc_missing, sizeof api.nvrtc_missing,
                 "NVRTC is not here (libnvrtc.so.13 or .12, part of the CUDA toolkit)");
    else if (bind_nvrtc(library, api.nvrtc_missing, sizeof api.nvrtc_missing) &&
             api.nvrtc.version(&api.nvrtc_major, &api.nvrtc_minor) == NVRTC_SUCCESS)
        return;
    api.nvrtc_file[0] = 0;
}

static void find_blas(void)
{
    static const char *const names[] = { "libcublas.so.13", "libcublas.so.12", NULL };
    void *library = open_library(names, api.blas_file, sizeof api.blas_file);
    if (!library)
        snprintf(api.blas_missing, sizeof api.blas_missing,
                 "cuBLAS is not here (libcublas.so.13 or .12, part of the CUDA toolkit)");
    else if (bind_blas(library, api.blas_missing, sizeof api.blas_missing)) return;
    api.blas_file[0] = 0;
}

static void find(void)
{
    static const char *const names[] = { "libcuda.so.1", NULL };
    char file[64], why[200];
    const char *text = NULL;
    void *library = open_library(names, file, sizeof file);
    missing = missing_text;
    if (!library) {
        missing = "no CUDA driver is installed (libcuda.so.1)";
        return;
    }
    if (!bind_driver(library, why, sizeof why)) {
        snprintf(missing_text, sizeof missing_text, "the CUDA driver cannot be used: %s", why);
        return;
    }
    const CUresult result = api.driver.init(0);
    if (result != CUDA_SUCCESS) {
        api.driver.error_text(result, &text);
        snprintf(missing_text, sizeof missing_text, "the CUDA driver does not start: %s",
                 text ? text : "unknown error");
        return;
    }
    if (api.driver.driver_version(&api.driver_number) != CUDA_SUCCESS ||
        api.driver_number < OLDEST_DRIVER) {
        snprintf(missing_text, sizeof missing_text,
                 "the CUDA driver is for CUDA %d.%d; 12.4 or newer is needed",
                 api.driver_number / 1000, api.driver_number % 1000 / 10);
        return;
    }
    find_nvrtc();
    find_blas();
    missing = NULL;
}

const wf_cuda_api *wf_cuda_api_find(const char **why)
{
    pthread_once(&once, find);
    *why = missing;
    return missing ? NULL : &api;
}
