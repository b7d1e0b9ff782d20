// SPDX-License-Identifier: Apache-2.0
// blas - finding and loading the CBLAS library.
//
// A host program may have a BLAS of its own, with a number of threads of its choice, before Weft or
// after it. Loading the same file again gives the very same library, and setting *our* number of
// threads would set the host's. So:
// - a build of OpenBLAS without threads is passed over: made without locks, as distributions make
//   it, two threads that call it get each other's buffers, and wrong products;
// - any other OpenBLAS is loaded from a private copy of its file in memory, which is nobody else's,
//   and set to one thread; where that cannot be, it is shared with the host and nothing is set;
// - MKL and BLIS have settings per thread, or run on one thread unless told otherwise;
// - symbols stay local (RTLD_LOCAL), the library sees its own first (RTLD_DEEPBIND), and its soname
//   is blanked in our mapping, because the dynamic linker would give our copy to a host that later
//   asks for a library of that soname.
#include "device/cpu/blas.h"

#include <dlfcn.h>
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/build_info.h"
#include "base/hash.h"
#include "base/thread.h"

#ifndef RTLD_DEEPBIND
#define RTLD_DEEPBIND 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DEEPBIND 0  // sanitizers cannot intercept the library then
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DEEPBIND 0
#endif
#endif
#ifndef DEEPBIND
#define DEEPBIND RTLD_DEEPBIND
#endif
#define OPEN_FLAGS (RTLD_NOW | RTLD_LOCAL | DEEPBIND)

static const char *const folders[] = {
#if defined(__x86_64__)
    "/usr/lib/x86_64-linux-gnu/openblas-pthread",
    "/usr/lib/x86_64-linux-gnu",
#elif defined(__aarch64__)
    "/usr/lib/aarch64-linux-gnu/openblas-pthread",
    "/usr/lib/aarch64-linux-gnu",
#endif
    "/usr/local/lib",
    "/usr/lib64",
    "/usr/lib",
};
static const char *const sonames[] = { WF_CBLAS_SONAMES };

static wf_blas blas;
static pthread_once_t once = PTHREAD_ONCE_INIT;

// A function pointer out of a data pointer, as POSIX allows and ISO C does not.
static void (*find(void *handle, const char *name))(void)
{
    void *symbol = dlsym(handle, name);
    void (*function)(void);

    memcpy(&function, &symbol, sizeof function);
    return function;
}

static const char *name_in(const struct link_map *map, const ElfW(Dyn) * *soname)
{
    const char *text = NULL;

    *soname = NULL;
    for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_STRTAB) text = (const char *)d->d_un.d_ptr;
        if (d->d_tag == DT_SONAME) *soname = d;
    }
    return *soname && text ? text + (*soname)->d_un.d_val : NULL;
}

// Makes the dynamic linker forget the soname of our copy. Where it cannot be done nothing is lost
// but the host's choice.
static void blank_soname(void *handle)
{
    struct link_map *map;
    const ElfW(Dyn) * entry;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return;
    char *soname = (char *)name_in(map, &entry);
    if (!soname || (uintptr_t)soname < map->l_addr)
        return;  // some linkers leave the table's address unrelocated
    void *start = (void *)((uintptr_t)soname / page * page);
    if (mprotect(start, page, PROT_READ | PROT_WRITE) != 0) return;
    soname[0] = '\1';
    (void)mprotect(start, page, PROT_READ);
}

// A copy of the file at PATH that lives in memory and has a name of its own under /proc; -1 when
// that fails.
static int copy_file(const char *path)
{
    FILE *file = fopen(path, "rbe");
    char buffer[1 << 14];
    int copy = file ? memfd_create("weft-blas", MFD_CLOEXEC) : -1;
    bool good = copy >= 0;

    for (size_t n; good && (n = fread(buffer, 1, sizeof buffer, file)) > 0;)
        good = write(copy, buffer, n) == (ssize_t)n;
    if (file) {
        if (ferror(file)) good = false;
        fclose(file);
    }
    if (good || copy < 0) return copy;
    close(copy);
    return -1;
}

// The loader knows a library by the name it was opened with, which outlives the descriptor: spelled as
// nobody else does, so that another's "/proc/self/fd/8" is not taken for this one.
static void *open_copy(const char *path)
{
    char name[64];
    int copy = copy_file(path);

    if (copy < 0) return NULL;
    snprintf(name, sizeof name, "/proc/self/fd/./%d", copy);
    void *handle = dlopen(name, OPEN_FLAGS);
    close(copy);
    return handle;
}

static bool load_functions(void *handle)
{
    static const struct {
        weft_dtype dtype;
        const char *gemm, *gemv;
    } names[] = {
        { WEFT_FLOAT32, "cblas_sgemm", "cblas_sgemv" },
        { WEFT_FLOAT64, "cblas_dgemm", "cblas_dgemv" },
        { WEFT_COMPLEX64, "cblas_cgemm", "cblas_cgemv" },
        { WEFT_COMPLEX128, "cblas_zgemm", "cblas_zgemv" },
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        blas.gemm[names[i].dtype] = find(handle, names[i].gemm);
        blas.gemv[names[i].dtype] = find(handle, names[i].gemv);
        if (!blas.gemm[names[i].dtype] || !blas.gemv[names[i].dtype]) return false;
    }
    return true;
}

static void describe(void *handle, const char *path)
{
    char *(*config)(void) = (char *(*)(void))find(handle, "openblas_get_config");
    char *(*blis)(void) = (char *(*)(void))find(handle, "bli_info_get_version_str");

    if (config) {
        char text[64];
        snprintf(text, sizeof text, "%s", config());
        char *end = strchr(text, ' ');  // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..."
        if (end && strchr(end + 1, ' ')) *strchr(end + 1, ' ') = '\0';
        snprintf(blas.name, sizeof blas.name, "%s (%s)", text, path);
    } else if (blis) {
        snprintf(blas.name, sizeof blas.name, "BLIS %s (%s)", blis(), path);
    } else {
        snprintf(blas.name, sizeof blas.name, "CBLAS (%s)", path);
    }
}

enum {
    NO_THREADS,
    OWN_THREADS
};  // openblas_get_parallel(); 2 is OpenMP, whose settings are the host's

// Opens the library at PATH, a file or a bare soname. *SHARED: it is, or may become, the host's
// too.
static void *open_library(const char *path, bool *shared)
{
    bool is_openblas = strstr(path, "openblas") != NULL;
    void *handle = is_openblas && strchr(path, '/') ? open_copy(path) : NULL;
    int (*parallel)(void);
    void (*set_threads)(int);

    *shared = false;
    if (handle) {
        parallel = (int (*)(void))find(handle, "openblas_get_parallel");
        set_threads = (void (*)(int))find(handle, "openblas_set_num_threads");
        if (parallel && set_threads && parallel() == OWN_THREADS) set_threads(1);
        return handle;
    }
    handle = dlopen(path, OPEN_FLAGS | RTLD_NOLOAD);
    *shared = handle || is_openblas;
    return handle ? handle : dlopen(path, OPEN_FLAGS);
}

// Whether several threads may call it at once. libblas.so.3 may be any library.
static bool is_safe(void *handle)
{
    int (*parallel)(void) = (int (*)(void))find(handle, "openblas_get_parallel");
    return !parallel || parallel() != NO_THREADS;
}

static bool take_library(const char *path)
{
    bool shared;
    void *handle = open_library(path, &shared);

    if (!handle) return false;
    if (!is_safe(handle) || !load_functions(handle)) {
        dlclose(handle);
        return false;
    }
    if (!shared) blank_soname(handle);
    describe(handle, path);
    return true;
}

static bool search(void)
{
    char path[256];

    for (size_t s = 0; s < sizeof sonames / sizeof *sonames; s++)
        for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
            snprintf(path, sizeof path, "%s/%s", folders[f], sonames[s]);
            if (access(path, R_OK) == 0 && take_library(path)) return true;
        }
    for (size_t s = 0; s < sizeof sonames / sizeof *sonames; s++)
        if (take_library(sonames[s])) return true;
    return false;
}

// OpenBLAS asks for a buffer of up to 128 MiB for each thread that multiplies, and asks for ever where it gets none: under a limit of address
// space (ulimit -v) that does not surely hold them it is left alone.
static bool has_room(void)
{
    const double buffer = 160 << 20;
    struct rlimit limit;
    double pages = 0;
    FILE *file;

    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return true;
    file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%lf", &pages) != 1) pages = 0;
    if (file) fclose(file);
    double used = pages * (double)sysconf(_SC_PAGESIZE);
    return used + buffer * (double)(sysconf(_SC_NPROCESSORS_ONLN) + 1) < (double)limit.rlim_cur;
}

static void load(void)
{
#ifdef WF_HAVE_CBLAS
    bool room = has_room();
    blas.here = room && search();
    if (!room)
        snprintf(blas.name, sizeof blas.name,
                 "none: the limit of address space (ulimit -v) leaves no room for a library's "
                 "buffers; products use plain kernels");
    else if (!blas.here)
        snprintf(blas.name, sizeof blas.name,
                 "none: no CBLAS library was found; products use plain kernels");
#else
    (void)search;
    (void)has_room;
    snprintf(blas.name, sizeof blas.name,
             "none: this build leaves CBLAS out; products use plain kernels");
#endif
}

uint64_t wf_blas_identity(void)
{
    char path[256], file[PATH_MAX];

    for (size_t s = 0; s < sizeof sonames / sizeof *sonames; s++)
        for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
            snprintf(path, sizeof path, "%s/%s", folders[f], sonames[s]);
            // The file's own name says its version: libopenblasp-r0.3.21.so.
            if (realpath(path, file)) return wf_hash_text(1, file);
        }
    return 0;
}

const wf_blas *wf_blas_get(void)
{
    pthread_once(&once, load);
    return &blas;
}
