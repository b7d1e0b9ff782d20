// SPDX-License-Identifier: Apache-2.0
// settings - what can be configured, each value with the place it came from. Weakest first:
// defaults, /etc/weft.yaml, ~/.config/weft.yaml (or $XDG_CONFIG_HOME/weft.yaml), $WEFT_CONFIG,
// WEFT_* environment variables, then the caller's overrides (session options, command line) in
// their order. An unknown key is an error that names the nearest known one. Not for changing while
// others read: build it, then share it. Getters may be called from any thread.
#ifndef WF_BASE_SETTINGS_H
#define WF_BASE_SETTINGS_H

#include "base/text.h"

// Every setting. X(NAME, key, type, default, allowed, doc); the variable is WEFT_<NAME>.
//   SIZE    bytes: "64MiB", "2e9"            allowed: the least value ("": 0)
//   INT     an int                           allowed: the least value ("": 0)
//   DOUBLE  a finite number                  allowed: the least value ("": 0)
//   BOOL    true/false, yes/no, on/off, 1/0
//   STRING  anything
//   CHOICE  one of `allowed`, separated by |
//   INTS    comma-separated integers         allowed: the least value of each ("": 0)
//   NAMES   comma-separated, each one of `allowed`
// clang-format off
#define WF_SETTING_LIST(X)                                                                                             \
    X(MEMORY_LIMIT, memory_limit, SIZE, "0", "", "host memory to use; 0: what the machine or its cgroup allows")       \
    X(THREADS, threads, INT, "0", "", "CPU threads; 0: every CPU this process may use")                                \
    X(DEVICES, devices, STRING, "", "", "devices: cpu, cpu:4, cpu:4@256MiB, joined by commas; empty: all there are")   \
    X(DEVICE_MEMORY_LIMIT, device_memory_limit, SIZE, "0", "", "memory of each GPU to use; 0: 85 % of what is free")   \
    X(KERNEL_CACHE, kernel_cache, STRING, "", "", "folder of compiled GPU kernels; empty: ~/.cache/weft/kernels; off") \
    X(BLOCK_SIZE, block_size, SIZE, "64MiB", "1", "bytes of a block where nothing else decides")                      \
    X(BLOCKS, blocks, INTS, "", "1", "extents of blocks of new arrays and of files without chunks, per axis")          \
    X(SPILL, spill, BOOL, "true", "", "whether blocks may go to disk when memory is short")                            \
    X(SPILL_DIR, spill_dir, STRING, "/tmp", "", "folder for spilled blocks; $TMPDIR where that is set")                \
    X(PROGRESS, progress, CHOICE, "auto", "auto|true|false", "progress bar; auto: on a terminal")                      \
    X(LOG_LEVEL, log_level, CHOICE, "off", "off|error|warn|info|debug", "what the command writes to standard error")   \
    X(CPU_ISA, cpu_isa, CHOICE, "", "|baseline|avx2|avx512", "limit of the CPU's vector instructions; empty: none")    \
    X(MODE, mode, CHOICE, "threads", "threads|sync", "sync: everything on the calling thread, for debuggers")          \
    X(SCHEDULER, scheduler, STRING, "", "", "address of a running scheduler: tcp://host:port")                         \
    X(SCHEDULER_FILE, scheduler_file, STRING, "", "", "file that holds the address and key of a scheduler")            \
    X(WORKERS, workers, INT, "0", "", "worker processes of a local cluster; 0: none, embedded")                        \
    X(PLUGIN_PATH, plugin_path, STRING, "", "", "folders searched for modules, joined by colons")                      \
    X(DISABLE, disable, NAMES, "", "share|prune|fold|push|fuse|align|group", "plan passes to leave out")               \
    X(STALL_SECONDS, stall_seconds, DOUBLE, "60", "", "a wait without progress for so long says what it waits for")    \
    X(CHECK, check, BOOL, "false", "", "name any use of a freed array")                                                \
    X(TEST, test, BOOL, "false", "", "shrink all thresholds, so that tiny arrays split, spill and move")

typedef enum wf_setting {
#define WF_SETTING_ENUM(NAME, key, type, initial, allowed, doc) WF_SETTING_##NAME,
    WF_SETTING_LIST(WF_SETTING_ENUM)
#undef WF_SETTING_ENUM
    WF_SETTING_COUNT
} wf_setting;
// clang-format on

typedef struct wf_settings wf_settings;

// One value set by the program itself: {"threads", "4", "--threads"}. A NULL value is skipped.
typedef struct wf_setting_override {
    const char *key, *value, *origin;
} wf_setting_override;

// Everything above, in order. Fails with WEFT_INVALID, WEFT_OVERFLOW or WEFT_FORMAT and a text that
// begins with the place: "settings: /etc/weft.yaml line 3: unknown key 'thread', did you mean
// 'threads'?", "settings: WEFT_SPILL: spill: expected ..."; WEFT_UNSUPPORTED when a file is there
// and this build cannot read YAML; WEFT_NOT_FOUND when $WEFT_CONFIG is not there.
weft_status wf_settings_load(int n, const wf_setting_override *overrides,
                             wf_settings **out) WEFT_WARN_UNUSED;
// The defaults alone: reads no file and no environment.
weft_status wf_settings_create(wf_settings **out) WEFT_WARN_UNUSED;
void wf_settings_destroy(wf_settings *settings);  // accepts NULL

// The single steps. On failure what was set before the bad value stays set. KEY may be written with
// hyphens.
weft_status wf_settings_set(wf_settings *settings, const char *key, const char *value,
                            const char *origin) WEFT_WARN_UNUSED;
weft_status wf_settings_set_i64(wf_settings *settings, wf_setting key, int64_t value,
                                const char *origin) WEFT_WARN_UNUSED;
// N bytes of YAML: "key: value" and "key: [a, b]" only. NAME is what messages call it.
weft_status wf_settings_parse_yaml(wf_settings *settings, const char *name, const char *text,
                                   size_t n) WEFT_WARN_UNUSED;
weft_status wf_settings_read_file(wf_settings *settings, const char *path,
                                  bool required) WEFT_WARN_UNUSED;
// ENV as in environ. Empty variables count as not set; so do WEFT_CONFIG and the names that the
// build's own scripts use.
weft_status wf_settings_parse_env(wf_settings *settings, char *const *env) WEFT_WARN_UNUSED;

// Reading. The type must be the setting's: SIZE or INT, DOUBLE, BOOL.
int64_t wf_settings_i64(const wf_settings *settings, wf_setting key);
double wf_settings_f64(const wf_settings *settings, wf_setting key);
bool wf_settings_bool(const wf_settings *settings, wf_setting key);
// A value of any type as it was written; never NULL. Borrows: until it is set again.
const char *wf_settings_text(const wf_settings *settings, wf_setting key);
// INTS: gives their number and borrows the list until it is set again.
int wf_settings_ints(const wf_settings *settings, wf_setting key, const int64_t **out);
// NAMES: whether NAME is among them.
bool wf_settings_names(const wf_settings *settings, wf_setting key, const char *name);
// "default", "WEFT_THREADS", "/etc/weft.yaml line 3"
const char *wf_settings_origin(const wf_settings *settings, wf_setting key);

const char *wf_setting_key(wf_setting key);  // "memory_limit"
const char *wf_setting_doc(wf_setting key);
// Finds a key (hyphens count as underscores). *OUT is written when it returns true.
bool wf_setting_find(const char *key, wf_setting *out);
// WEFT_INVALID "WHERE: unknown key 'thread', did you mean 'threads'?"; no guess when none is near.
weft_status wf_setting_fail_unknown(const char *where, const char *key) WEFT_WARN_UNUSED;
// What its values are: 'i' an integer, 'f' a number, 'b' a bool, 's' text, 'I' integers, 'S' names.
char wf_setting_form(wf_setting key);
// Of a CHOICE or NAMES what may be chosen, separated by |; else NULL.
const char *wf_setting_allowed(wf_setting key);

// One line per setting, "threads: 0  # default: 8 here": YAML that wf_settings_parse_yaml reads
// back. NOTE[key], or NULL, is added to the comment; NOTE may be NULL.
void wf_settings_print(const wf_settings *settings, const char *const *note, wf_text *text);

#endif
