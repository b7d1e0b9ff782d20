// SPDX-License-Identifier: Apache-2.0
// device - the devices of this process: the built-in CPU device and what modules bring, opened by a specification such as "cpu:4@256MiB".
// Thin: the work is done by the ops table (weft/plugin.h).
#ifndef WF_DEVICE_DEVICE_H
#define WF_DEVICE_DEVICE_H

#include "array/program.h"
#include "weft/plugin.h"

typedef struct wf_device {
    const weft_device_ops *ops;
    weft_device *handle;
    weft_device_info info;
    int number;   // position in the session's list
    bool is_cpu;  // the built-in one: runs everything, sees the host's memory
} wf_device;

typedef struct wf_device_list {
    int count;
    // The first so many take tasks. Where the specification names no CPU device, one more stands
    // last: it reads and writes files, calls the user's functions and runs what the others have no
    // kernel for.
    int nworking;
    wf_device *device;  // owned
} wf_device_list;

// Opens the devices that SPEC names: "" or NULL: every device this process may use (a CUDA module's
// devices when a driver is there, those that cannot be opened left out and logged; else one CPU
// device with all allowed threads); "cpu", "cpu:N" (N virtual devices sharing the threads),
// "cpu:N@BYTES" (each with its own memory limit; "cuda:4@2GiB" likewise, on however few GPUs),
// several joined by ",". A CPU device is always among them. THREADS: in all (0: as allowed).
// MEMORY_LIMIT: of the CPU devices together; MODULE_LIMIT: of each of a module's devices without
// BYTES; 0: a default. Errors: WEFT_INVALID naming SPEC and what is wrong; WEFT_NOT_FOUND
// "devices: 'cuda' is not here: ...".
weft_status wf_device_list_open(const char *spec, int threads, int64_t memory_limit,
                                int64_t module_limit, wf_device_list *out) WEFT_WARN_UNUSED;
void wf_device_list_close(wf_device_list *list);  // accepts a zeroed list

// The CPU device: always there, complete, the oracle for the rest. (device/cpu/)
const weft_device_ops *wf_cpu_device_ops(void);
// Limits the instruction set of CPU devices opened later: "baseline", "avx2", "avx512"; NULL or "": best. (settings: cpu_isa)
void wf_cpu_device_limit_isa(const char *name);
// Text about BLAS for doctor: "OpenBLAS 0.3.21 (dlopen libopenblas.so.0)" or why there is none.
const char *wf_cpu_blas_name(void);
// Loads a module from PLUGIN_PATH, beside the library, or the install folder. WEFT_NOT_FOUND says where it looked.
weft_status wf_device_module_load(const char *kind, const char *plugin_path,
                                  const weft_device_ops **out) WEFT_WARN_UNUSED;
// Where modules keep compiled kernels, from now on: a folder, "" or NULL for the user's cache folder, "off". (settings: kernel_cache)
void wf_device_keep_kernels_in(const char *folder);
// What the module of KIND reports, for doctor; or one finding that says why there is none.
void wf_device_module_report(const char *kind, bool clear_cache,
                             void (*line)(void *context, const char *what, const char *finding),
                             void *context);

#endif
