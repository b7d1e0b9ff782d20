// SPDX-License-Identifier: Apache-2.0
// nvrtc - the stand-in's libnvrtc: compiles a kernel's text with the host's C++ compiler into a shared object, which is our "cubin", and keeps
// it in a folder by the hash of all that it depends on. Any thread may compile.
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim.h"

enum {
    NVRTC_ERROR_OUT_OF_MEMORY = 1,
    NVRTC_ERROR_INVALID_INPUT = 3,
    NVRTC_ERROR_INVALID_PROGRAM = 4,
    NVRTC_ERROR_INVALID_OPTION = 5,
    NVRTC_ERROR_COMPILATION = 6,
    NVRTC_ERROR_INTERNAL_ERROR = 11,
};
#define PROTOTYPE(result, name, symbol, parameters) result symbol parameters;
WF_CUDA_NVRTC_LIST(PROTOTYPE)

extern char **environ;

struct _nvrtcProgram {
    uint64_t magic;
    char *source, *name, **headers, **header_names;
    int nheader;
    char *log, *image;  // image NULL: not compiled
    size_t size;
    bool real;  // for sm_XX: there is a cubin, not PTX alone
};
static const uint64_t magic = 0x6e76727463736964;

static const int archs[] = { 75, 80, 86, 87, 89, 90 };
static const char *const result_names[] = {
    "NVRTC_SUCCESS",
    "NVRTC_ERROR_OUT_OF_MEMORY",
    "NVRTC_ERROR_PROGRAM_CREATION_FAILURE",
    "NVRTC_ERROR_INVALID_INPUT",
    "NVRTC_ERROR_INVALID_PROGRAM",
    "NVRTC_ERROR_INVALID_OPTION",
    "NVRTC_ERROR_COMPILATION",
    "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE",
    "NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION",
    "NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION",
    "NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID",
    "NVRTC_ERROR_INTERNAL_ERROR",
};

// The beginning of every exported call: counted, and failing when a test wants it to.
#define ENTER_NVRTC(name)                        \
    do {                                         \
        const int fault_ = cudasim_enter(#name); \
        if (fault_) return fault_;               \
    } while (0)
#define REQUIRE(holds, result, text)                                     \
    do {                                                                 \
        if (!(holds)) return sim_misuse(__func__, (result), "%s", text); \
    } while (0)
#define REQUIRE_PROGRAM(p) \
    REQUIRE((p) && (p)->magic == magic, NVRTC_ERROR_INVALID_PROGRAM, "no program, or no more")

// --- texts and files ---

static char *print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *print(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) abort();
    va_end(args);
    return text;
}

static bool write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    if (!f) return false;
    const bool whole = fputs(text, f) >= 0;
    return fclose(f) == 0 && whole;
}

static char *read_file(const char *path, size_t *size)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *bytes = NULL;

    if (fd < 0) return NULL;
    if (fstat(fd, &st) == 0 && (bytes = calloc(1, (size_t)st.st_size + 1)))
        if (read(fd, bytes, (size_t)st.st_size) != st.st_size) free(bytes), bytes = NULL;
    close(fd);
    if (bytes && size) *size = (size_t)st.st_size;
    return bytes;
}

// Makes the folders on the way to PATH.
static void make_folders(const char *path)
{
    char *copy = print("%s", path);

    for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = 0;
        mkdir(copy, 0777);
        *p = '/';
    }
    free(copy);
}

// --- the command ---

enum { MAX_WORDS = 64 };
typedef struct command {
    char *word[MAX_WORDS + 1];
    int n;
} command;

static void add(command *c, char *word)  // takes WORD
{
    if (c->n == MAX_WORDS) abort();
    c->word[c->n++] = word;
}

static bool starts(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

// "--gpu-architecture=sm_90", "-arch=compute_75": is it one we list?
static bool read_arch(nvrtcProgram p, const char *text)
{
    p->real = starts(text, "sm_");
    const char *digits = strchr(text, '_');
    for (size_t i = 0; digits && i < sizeof archs / sizeof *archs; i++)
        if (atoi(digits + 1) == archs[i]) return p->real || starts(text, "compute_");
    return false;
}

// Without --fmad=false a GPU contracts a * b + c, so we let the host's compiler.
static bool read_option(nvrtcProgram p, command *c, const char *option, bool *contract)
{
    const char *value = strchr(option, '=');

    if (starts(option, "--gpu-architecture=") || starts(option, "-arch=") ||
        starts(option, "--gpu-arch="))
        return read_arch(p, value + 1);
    if (starts(option, "--std=") || starts(option, "-std=")) {
        add(c, print("-std%s", value));
        return starts(value, "=c++");
    }
    if (starts(option, "--fmad=") || starts(option, "-fmad=")) {
        *contract = strcmp(value, "=true") == 0;
        return *contract || strcmp(value, "=false") == 0;
    }
    if (starts(option, "-D") || starts(option, "--define-macro=")) {
        add(c, starts(option, "-D") ? print("%s", option) : print("-D%s", value + 1));
        return true;
    }
    static const char *const ignored[] = { "-default-device",
                                           "--device-as-default-execution-space",
                                           "--extra-device-vectorization",
                                           "-w",
                                           "--disable-warnings",
                                           "-lineinfo",
                                           "--generate-line-info",
                                           "--no-source-include" };
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        if (strcmp(option, ignored[i]) == 0) return true;
    return false;
}

static const char *compiler(void)
{
    const char *name = getenv("CUDASIM_CXX");

    return name && *name ? name : CUDASIM_DEFAULT_CXX;
}

// What every compilation has; the program's own options and files follow.
static void begin_command(command *c, bool contract)
{
    char words[] =
        "-x c++ -std=c++17 -O1 -g0 -w -shared -fPIC -fvisibility=hidden -nostdinc++ "
        "-fno-exceptions -fno-rtti -fno-strict-aliasing -fno-math-errno -nodefaultlibs -DWF_CUDASIM";
    char *rest = NULL;

    add(c, print("%s", compiler()));
    for (char *w = strtok_r(words, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
        add(c, print("%s", w));
    add(c, print("-I%s", CUDASIM_INCLUDE));
    add(c, print("-ffp-contract=%s", contract ? "fast" : "off"));
#if defined(__x86_64__)
    if (__builtin_cpu_supports("fma")) add(c, print("-mfma"));
#endif
}

static uint64_t hash_text(uint64_t h, const char *text)
{
    do h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    while (*text++);
    return h;
}

// The name of what C makes of P: over the command, the text, its headers and our own.
static char *cache_path(const nvrtcProgram p, const command *c)
{
    static const char *const own[] = { CUDASIM_INCLUDE "/cudasim_device.h",
                                       CUDASIM_INCLUDE "/kernel_abi.h" };
    const char *folder = getenv("CUDASIM_CACHE");
    uint64_t h[2] = { 0xcbf29ce484222325u, 0x9ae16a3b2f90404fu };

    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < c->n; i++) h[k] = hash_text(h[k], c->word[i]);
        h[k] = hash_text(hash_text(h[k], p->name), p->source);
        for (int i = 0; i < p->nheader; i++)
            h[k] = hash_text(hash_text(h[k], p->header_names[i]), p->headers[i]);
        for (int i = 0; i < 2; i++) {
            char *text = read_file(own[i], NULL);
            if (text) h[k] = hash_text(h[k], text);
            free(text);
        }
    }
    return print("%s/%016llx%016llx.so", folder && *folder ? folder : CUDASIM_DEFAULT_CACHE,
                 (unsigned long long)h[0], (unsigned long long)h[1]);
}

// Runs C in FOLDER, its words to FOLDER/log.
static bool run_command(const command *c, const char *folder)
{
    posix_spawn_file_actions_t actions;
    char *log = print("%s/log", folder);
    int status = -1;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    const int failed = posix_spawnp(&pid, c->word[0], &actions, NULL, c->word, environ);
    if (failed) {
        char *text = print("cannot run %s: %s\n", c->word[0], strerror(failed));
        write_file(log, text);
        free(text);
    } else {
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    }
    posix_spawn_file_actions_destroy(&actions);
    free(log);
    return status == 0;
}

// Headers lie beside the text, under their names.
static bool write_sources(const nvrtcProgram p, const char *folder)
{
    char *path = print("%s/%s", folder, p->name);
    bool ok = write_file(path, p->source);

    free(path);
    for (int i = 0; ok && i < p->nheader; i++) {
        path = print("%s/%s", folder, p->header_names[i]);
        make_folders(path);
        ok = write_file(path, p->headers[i]);
        free(path);
    }
    return ok;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static nvrtcResult build(nvrtcProgram p, command *c, const char *target)
{
    char *folder = print("%s.XXXXXX", target);
    nvrtcResult result = NVRTC_ERROR_INTERNAL_ERROR;

    make_folders(target);
    if (mkdtemp(folder) && write_sources(p, folder)) {
        char *out = print("%s/out.so", folder), *log = print("%s/log", folder);
        add(c, print("-I%s", folder)), add(c, print("-o")), add(c, print("%s", out));
        add(c, print("%s/%s", folder, p->name));
        add(c, print("-lm")), add(c, print("-lc")), add(c, print("-lgcc"));
        cudasim_add("compile", 1);
        const bool ok = run_command(c, folder) && rename(out, target) == 0;
        result = ok ? NVRTC_SUCCESS : NVRTC_ERROR_COMPILATION;
        free(p->log);
        p->log = read_file(log, NULL);
        free(out), free(log);
    }
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(folder);
    return result;
}

// --- the calls ---

nvrtcResult nvrtcVersion(int *major, int *minor)
{
    ENTER_NVRTC(nvrtcVersion);
    REQUIRE(major && minor, NVRTC_ERROR_INVALID_INPUT, "nowhere to put it");
    *major = 13, *minor = 0;
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetNumSupportedArchs(int *count)
{
    ENTER_NVRTC(nvrtcGetNumSupportedArchs);
    REQUIRE(count, NVRTC_ERROR_INVALID_INPUT, "nowhere to put it");
    *count = sizeof archs / sizeof *archs;
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetSupportedArchs(int *out)
{
    ENTER_NVRTC(nvrtcGetSupportedArchs);
    REQUIRE(out, NVRTC_ERROR_INVALID_INPUT, "nowhere to put them");
    memcpy(out, archs, sizeof archs);
    return NVRTC_SUCCESS;
}

// A file's name inside the folder of one compilation.
static bool is_inside(const char *name)
{
    return name && name[0] && name[0] != '/' && !strstr(name, "..") && strcmp(name, "log") != 0;
}

nvrtcResult nvrtcCreateProgram(nvrtcProgram *out, const char *source, const char *name, int nheader,
                               const char *const *headers, const char *const *header_names)
{
    ENTER_NVRTC(nvrtcCreateProgram);
    REQUIRE(out && source && nheader >= 0, NVRTC_ERROR_INVALID_INPUT, "no source");
    REQUIRE(nheader == 0 || (headers && header_names), NVRTC_ERROR_INVALID_INPUT, "no headers");
    for (int i = 0; i < nheader; i++)
        REQUIRE(headers[i] && is_inside(header_names[i]), NVRTC_ERROR_INVALID_INPUT,
                "a header without text, or with a name that is no relative path");
    nvrtcProgram p = calloc(1, sizeof *p);
    if (!p) return NVRTC_ERROR_OUT_OF_MEMORY;
    p->magic = magic, p->source = print("%s", source), p->nheader = nheader;
    p->name = print("%s", is_inside(name) && !strchr(name, '/') ? name : "default_program");
    p->headers = calloc((size_t)nheader + 1, sizeof *p->headers);
    p->header_names = calloc((size_t)nheader + 1, sizeof *p->header_names);
    for (int i = 0; i < nheader; i++) {
        p->headers[i] = print("%s", headers[i]);
        p->header_names[i] = print("%s", header_names[i]);
    }
    *out = p;
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcDestroyProgram(nvrtcProgram *program)
{
    ENTER_NVRTC(nvrtcDestroyProgram);
    REQUIRE(program, NVRTC_ERROR_INVALID_PROGRAM, "no program");
    REQUIRE_PROGRAM(*program);
    nvrtcProgram p = *program;
    for (int i = 0; i < p->nheader; i++) free(p->headers[i]), free(p->header_names[i]);
    free(p->headers), free(p->header_names);
    free(p->source), free(p->name), free(p->log), free(p->image);
    p->magic = 0;
    free(p);
    *program = NULL;
    return NVRTC_SUCCESS;
}

static nvrtcResult compile(nvrtcProgram p, command *c)
{
    char *path = cache_path(p, c);
    nvrtcResult result = NVRTC_SUCCESS;

    free(p->image);
    p->image = read_file(path, &p->size);
    if (!p->image) {
        result = build(p, c, path);
        if (result == NVRTC_SUCCESS) p->image = read_file(path, &p->size);
        if (result == NVRTC_SUCCESS && !p->image) result = NVRTC_ERROR_INTERNAL_ERROR;
    }
    free(path);
    return result;
}

nvrtcResult nvrtcCompileProgram(nvrtcProgram p, int noption, const char *const *options)
{
    ENTER_NVRTC(nvrtcCompileProgram);
    REQUIRE_PROGRAM(p);
    REQUIRE(noption == 0 || (noption > 0 && options), NVRTC_ERROR_INVALID_INPUT, "no options");
    command own = { .n = 0 }, c = { .n = 0 };
    bool contract = true;
    nvrtcResult result = NVRTC_SUCCESS;

    p->real = false;  // without an architecture there is PTX alone
    free(p->log), p->log = NULL;
    for (int i = 0; i < noption && result == NVRTC_SUCCESS; i++)
        if (!read_option(p, &own, options[i], &contract)) {
            p->log =
                print("nvrtc: error: invalid value for --gpu-architecture or unknown option: %s\n",
                      options[i]);
            result = NVRTC_ERROR_INVALID_OPTION;
        }
    begin_command(&c, contract);
    for (int i = 0; i < own.n; i++) add(&c, own.word[i]);
    if (result == NVRTC_SUCCESS) result = compile(p, &c);
    for (int i = 0; i < c.n; i++) free(c.word[i]);
    return result;
}

nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram p, size_t *bytes)
{
    ENTER_NVRTC(nvrtcGetProgramLogSize);
    REQUIRE_PROGRAM(p);
    REQUIRE(bytes, NVRTC_ERROR_INVALID_INPUT, "nowhere to put it");
    *bytes = p->log ? strlen(p->log) + 1 : 1;
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetProgramLog(nvrtcProgram p, char *log)
{
    ENTER_NVRTC(nvrtcGetProgramLog);
    REQUIRE_PROGRAM(p);
    REQUIRE(log, NVRTC_ERROR_INVALID_INPUT, "nowhere to put it");
    strcpy(log, p->log ? p->log : "");
    return NVRTC_SUCCESS;
}

static nvrtcResult give_size(nvrtcProgram p, size_t *bytes, bool there)
{
    REQUIRE_PROGRAM(p);
    REQUIRE(bytes, NVRTC_ERROR_INVALID_INPUT, "nowhere to put it");
    REQUIRE(p->image, NVRTC_ERROR_INVALID_PROGRAM, "the program is not compiled");
    *bytes = there ? p->size : 0;
    return NVRTC_SUCCESS;
}

static nvrtcResult give_image(nvrtcProgram p, char *out, bool there)
{
    REQUIRE_PROGRAM(p);
    REQUIRE(out, NVRTC_ERROR_INVALID_INPUT, "nowhere to put it");
    REQUIRE(p->image && there, NVRTC_ERROR_INVALID_PROGRAM,
            "not compiled, or a cubin asked of a virtual architecture");
    memcpy(out, p->image, p->size);
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetCUBINSize(nvrtcProgram p, size_t *bytes)
{
    ENTER_NVRTC(nvrtcGetCUBINSize);
    return give_size(p, bytes, p && p->real);
}

nvrtcResult nvrtcGetCUBIN(nvrtcProgram p, char *cubin)
{
    ENTER_NVRTC(nvrtcGetCUBIN);
    return give_image(p, cubin, p && p->real);
}

nvrtcResult nvrtcGetPTXSize(nvrtcProgram p, size_t *bytes)
{
    ENTER_NVRTC(nvrtcGetPTXSize);
    return give_size(p, bytes, true);
}

nvrtcResult nvrtcGetPTX(nvrtcProgram p, char *ptx)
{
    ENTER_NVRTC(nvrtcGetPTX);
    return give_image(p, ptx, true);
}

const char *nvrtcGetErrorString(nvrtcResult result)
{
    const int n = sizeof result_names / sizeof *result_names;

    return result >= 0 && result < n ? result_names[result] : "NVRTC_ERROR unknown";
}
