// SPDX-License-Identifier: Apache-2.0
// report - what this machine, its settings, files and a session's time look like: the calls of
// weft/daemon.h that print, and profiles.
#include <errno.h>
#include <string.h>

#include "api/session.h"
#include "base/build_info.h"
#include "base/machine.h"
#include "base/number.h"
#include "io/json.h"
#include "observe/trace.h"
#include "weft/daemon.h"

static weft_status print_text(const char *where, FILE *file, wf_text *text)
{
    weft_status st = wf_text_status(text);
    errno = 0;
    if (st == WEFT_OK && text->data && (fputs(text->data, file) == EOF || fflush(file) == EOF))
        st = wf_fail_errno(errno ? errno : EIO, "%s: cannot write", where);
    wf_text_fini(text);
    return st;
}

static void add_json(wf_text *out, const char *text)
{
    wf_text_add(out, "\"");
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\') wf_text_add(out, "\\%c", *p);
        else if (*p < 0x20) wf_text_add(out, "\\u%04x", *p);
        else wf_text_add_bytes(out, p, 1);
    }
    wf_text_add(out, "\"");
}

// "time, lat" as ["time", "lat"].
static void add_json_names(wf_text *out, const char *list)
{
    const char *comma = "";

    wf_text_add(out, "[");
    for (const char *p = list; *p; p += strspn(p, ", ")) {
        size_t n = strcspn(p, ", ");
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)n, p);
        wf_text_add(out, "%s", comma);
        add_json(out, name);
        comma = ", ";
        p += n;
    }
    wf_text_add(out, "]");
}

// --- where the time goes ---

weft_status weft_profile_start(weft_session *session)
{
    WF_TRY(wf_session_check("profile_start", session));
    return wf_trace_start(0);
}

weft_status weft_profile_write(weft_session *session, const char *path)
{
    int64_t dropped = 0;

    WF_TRY(wf_session_check("profile_write", session));
    if (!path) return wf_fail(WEFT_INVALID, "profile_write: the path is NULL");
    if (!wf_trace_is_on()) return wf_fail(WEFT_INVALID, "profile_write: no recording was begun");
    FILE *file = fopen(path, "we");
    if (!file) return wf_fail_errno(errno, "profile_write: cannot open '%s'", path);
    weft_status st = wf_trace_stop(file, &dropped);
    if (fclose(file) != 0 && st == WEFT_OK)
        st = wf_fail_errno(errno, "profile_write: cannot write '%s'", path);
    return st;
}

// --- files ---

static void add_json_list(wf_text *out, int n, const int64_t *values)
{
    wf_text_add(out, "[");
    for (int i = 0; i < n; i++) wf_text_add(out, "%s%" PRId64, i ? ", " : "", values[i]);
    wf_text_add(out, "]");
}

static void add_json_ints(wf_text *out, const char *key, int n, const int64_t *values)
{
    wf_text_add(out, ", \"%s\": ", key);
    add_json_list(out, n, values);
}

static weft_status describe_json(const char *path, wf_text *out)
{
    wf_file *file;
    WF_TRY(wf_file_open(path, NULL, &file));
    const wf_file_info *info = wf_file_get_info(file);
    int64_t chunk[WEFT_MAX_NDIM];

    for (int i = 0; i < info->shape.ndim; i++) chunk[i] = info->grid.axis[i].extent;
    wf_text_add(out, "{\"path\": ");
    add_json(out, path);
    wf_text_add(out, ", \"format\": \"%s\", \"dtype\": \"%s\"", wf_file_format(file),
                wf_dtype_name(info->dtype));
    add_json_ints(out, "shape", info->shape.ndim, info->shape.dim);
    if (info->chunked) add_json_ints(out, "chunks", info->shape.ndim, chunk);
    wf_text_add(out, ", \"bytes\": %" PRId64,
                wf_shape_size(&info->shape) * (int64_t)wf_dtype_size(info->dtype));
    if (info->dims) {
        wf_text_add(out, ", \"dims\": ");
        add_json_names(out, info->dims);
    }
    wf_json attributes;
    if (info->attributes && wf_json_check("info: attributes", info->attributes,
                                          strlen(info->attributes), &attributes) == WEFT_OK) {
        wf_text_add(out, ", \"attributes\": ");
        wf_json_compact(out, attributes);
    }
    weft_status st = wf_file_details(file, out);
    wf_text_add(out, "}\n");
    wf_file_close(file);
    return st;
}

static weft_status describe_path(const weft_info_options *opts, const char *path, bool alone,
                                 wf_text *out)
{
    if (!path) return wf_fail(WEFT_INVALID, "info: a path is NULL");
    if (opts->json) return describe_json(path, out);
    if (!alone) wf_text_add(out, "%s\n", path);
    return wf_file_describe(path, out);
}

static weft_status describe_paths(const weft_info_options *opts, FILE *file)
{
    wf_error first = { .status = WEFT_OK };

    for (int i = 0; i < opts->npaths; i++) {
        wf_text text = { 0 };
        weft_status st = describe_path(opts, opts->paths[i], opts->npaths == 1, &text);
        if (st != WEFT_OK) {
            wf_error error;
            wf_error_take(&error);
            if (first.status == WEFT_OK) first = error;
            wf_text_fini(&text);
            if (opts->npaths > 1 && !opts->json)
                wf_text_add(&text, "%s\nerror       %s\n", opts->paths[i] ? opts->paths[i] : "",
                            error.text);
        }
        if (i > 0 && !opts->json && text.data && fputs("\n", file) == EOF)
            st = wf_fail_errno(errno, "info: cannot write");
        WF_TRY(print_text("info", file, &text));
    }
    return wf_error_raise(&first);
}

// --- devices ---

static weft_status open_devices(const wf_settings *settings, wf_device_list *out)
{
    int64_t limit = wf_settings_i64(settings, WF_SETTING_MEMORY_LIMIT);
    wf_machine machine;

    wf_machine_probe(&machine);
    if (limit == 0) limit = machine.memory_available / 10 * 7;
    return wf_device_list_open(wf_settings_text(settings, WF_SETTING_DEVICES),
                               (int)wf_settings_i64(settings, WF_SETTING_THREADS), limit,
                               wf_settings_i64(settings, WF_SETTING_DEVICE_MEMORY_LIMIT), out);
}

// HELPS: it takes no tasks of its own.
static void describe_device(const wf_device *device, bool helps, bool json, wf_text *out)
{
    char memory[WF_NUMBER_TEXT];

    wf_number_format_bytes(device->info.memory_bytes, memory);
    if (!json) {
        wf_text_add(out, "device %d    %s, %s, %d at once%s\n", device->number, device->info.name,
                    memory, device->info.slots, helps ? "; does what the others cannot" : "");
        return;
    }
    wf_text_add(out, "{\"device\": %d, \"name\": ", device->number);
    add_json(out, device->info.name);
    wf_text_add(out, ", \"memory_bytes\": %" PRId64 ", \"slots\": %d, \"helps\": %s}\n",
                device->info.memory_bytes, device->info.slots, helps ? "true" : "false");
}

static weft_status describe_devices(const weft_info_options *opts, FILE *file)
{
    wf_device_list devices;
    wf_settings *settings;
    wf_text text = { 0 };

    WF_TRY(wf_session_settings(opts->session, &settings));
    weft_status st = open_devices(settings, &devices);
    wf_settings_destroy(settings);
    WF_TRY(st);
    for (int d = 0; d < devices.count; d++)
        describe_device(&devices.device[d], d >= devices.nworking, opts->json, &text);
    wf_device_list_close(&devices);
    return print_text("info", file, &text);
}

weft_status weft_info_print(const weft_info_options *opts)
{
    static const weft_info_options none;

    WF_TRY(WF_CHECK_TAIL("info_print", opts));
    if (!opts) opts = &none;
    FILE *file = opts->out ? opts->out : stdout;
    if (opts->npaths < 0 || (opts->npaths > 0 && !opts->paths))
        return wf_fail(WEFT_INVALID, "info: .npaths is %d, but .paths is NULL", opts->npaths);
    return opts->npaths > 0 ? describe_paths(opts, file) : describe_devices(opts, file);
}

// --- settings ---

// What a value that leaves the choice to Weft comes to on this machine.
typedef struct effective {
    char memory[WF_NUMBER_TEXT], threads[WF_NUMBER_TEXT], devices[64];
    int64_t memory_bytes, nthreads;
    const char *note[WF_SETTING_COUNT];
} effective;

static void find_effective(const wf_settings *settings, effective *e)
{
    wf_machine machine;
    memset(e, 0, sizeof *e);
    wf_machine_probe(&machine);
    e->memory_bytes = machine.memory_available / 10 * 7;
    e->nthreads = machine.cpus;
    wf_number_format_bytes(e->memory_bytes, e->memory);
    strcat(e->memory, " here");
    snprintf(e->threads, sizeof e->threads, "%d here", machine.cpus);
    if (wf_settings_i64(settings, WF_SETTING_MEMORY_LIMIT) == 0)
        e->note[WF_SETTING_MEMORY_LIMIT] = e->memory;
    if (wf_settings_i64(settings, WF_SETTING_THREADS) == 0)
        e->note[WF_SETTING_THREADS] = e->threads;
    if (!*wf_settings_text(settings, WF_SETTING_DEVICES)) e->note[WF_SETTING_DEVICES] = "cpu here";
}

static weft_status print_setting(const wf_settings *settings, const char *key, wf_text *out)
{
    wf_setting found;
    if (!wf_setting_find(key, &found)) return wf_setting_fail_unknown("config", key);
    wf_text_add(out, "%s\n", wf_settings_text(settings, found));
    return WEFT_OK;
}

static void add_json_setting(wf_text *out, const wf_settings *settings, wf_setting key)
{
    const char *text = wf_settings_text(settings, key);
    char number[WF_NUMBER_TEXT];
    const int64_t *list;
    int n;

    switch (wf_setting_form(key)) {
    case 'i': wf_text_add(out, "%" PRId64, wf_settings_i64(settings, key)); break;
    case 'f':
        wf_number_format_f64(wf_settings_f64(settings, key), number);
        wf_text_add(out, "%s", number);
        break;
    case 'b': wf_text_add(out, wf_settings_bool(settings, key) ? "true" : "false"); break;
    case 'I':
        n = wf_settings_ints(settings, key, &list);
        add_json_list(out, n, list);
        break;
    case 'S': add_json_names(out, text); break;
    default: add_json(out, text); break;
    }
}

static void add_json_effective(wf_text *out, const effective *e, wf_setting key)
{
    if (!e->note[key]) return;
    wf_text_add(out, ", \"effective\": ");
    if (key == WF_SETTING_MEMORY_LIMIT) wf_text_add(out, "%" PRId64, e->memory_bytes);
    else if (key == WF_SETTING_THREADS) wf_text_add(out, "%" PRId64, e->nthreads);
    else add_json(out, "cpu");
}

static void print_settings_json(const wf_settings *settings, const effective *e, const char *key,
                                wf_text *out)
{
    wf_setting only = WF_SETTING_COUNT;
    const char *comma = "";

    if (key) (void)wf_setting_find(key, &only);
    wf_text_add(out, "{");
    for (int k = 0; k < WF_SETTING_COUNT; k++) {
        wf_setting s = (wf_setting)k;
        if (key && s != only) continue;
        wf_text_add(out, "%s\"%s\": {\"value\": ", comma, wf_setting_key(s));
        add_json_setting(out, settings, s);
        add_json_effective(out, e, s);
        wf_text_add(out, ", \"origin\": ");
        add_json(out, wf_settings_origin(settings, s));
        wf_text_add(out, "}");
        comma = ", ";
    }
    wf_text_add(out, "}\n");
}

static void explain_settings(wf_text *out)
{
    for (int k = 0; k < WF_SETTING_COUNT; k++) {
        const char *allowed = wf_setting_allowed((wf_setting)k);
        wf_text_add(out, "  %-15s %s%s%s%s\n", wf_setting_key((wf_setting)k),
                    wf_setting_doc((wf_setting)k), allowed ? " (" : "", allowed ? allowed : "",
                    allowed ? ")" : "");
    }
}

static weft_status print_settings(const weft_config_options *opts, const wf_settings *settings,
                                  wf_text *out)
{
    wf_text value = { 0 };
    effective e;

    if (opts->key) {
        weft_status st = print_setting(settings, opts->key, &value);
        if (st == WEFT_OK && !opts->json) *out = value;
        else wf_text_fini(&value);
        if (st != WEFT_OK || !opts->json) return st;
    }
    find_effective(settings, &e);
    if (opts->json) print_settings_json(settings, &e, opts->key, out);
    else wf_settings_print(settings, e.note, out);
    return WEFT_OK;
}

weft_status weft_config_print(const weft_config_options *opts)
{
    static const weft_config_options none;
    wf_settings *settings;
    wf_text text = { 0 };
    weft_status st = WEFT_OK;

    WF_TRY(WF_CHECK_TAIL("config_print", opts));
    if (!opts) opts = &none;
    if (opts->explain) {
        explain_settings(&text);
    } else {
        WF_TRY(wf_session_settings(opts->session, &settings));
        st = print_settings(opts, settings, &text);
        wf_settings_destroy(settings);
    }
    if (st == WEFT_OK) return print_text("config", opts->out ? opts->out : stdout, &text);
    wf_text_fini(&text);
    return st;
}

// --- doctor ---

// Lines of "what  finding", or one JSON object of the same.
typedef struct findings {
    wf_text text;
    bool json;
    int count;
} findings;

static void find(findings *f, const char *what, const char *finding)
{
    if (!f->json) {
        wf_text_add(&f->text, "%-14s %s\n", what, finding);
        return;
    }
    wf_text_add(&f->text, "%s", f->count++ ? ", " : "{");
    add_json(&f->text, what);
    wf_text_add(&f->text, ": ");
    add_json(&f->text, finding);
}

static void find_build(findings *f)
{
    find(f, "version", WF_BUILD_VERSION);
    find(f, "build", WF_BUILD_TYPE ", " WF_BUILD_COMPILER);
#define FIND_LIBRARY(name, found, what) find(f, name, found ? "yes: " what : "absent: no " what);
    WF_BUILD_SUMMARY(FIND_LIBRARY)
#undef FIND_LIBRARY
}

static void find_machine(findings *f, const wf_settings *settings)
{
    const char *folder = wf_settings_text(settings, WF_SETTING_SPILL_DIR);
    char total[WF_NUMBER_TEXT], limit[WF_NUMBER_TEXT], line[512];
    wf_text cpu = { 0 };
    wf_machine machine;
    int64_t free_bytes;
    bool memory;

    wf_machine_describe_cpu(&cpu);
    find(f, "cpu", cpu.data ? cpu.data : "unknown");
    wf_text_fini(&cpu);
    wf_machine_probe(&machine);
    wf_number_format_bytes(machine.memory_total, total);
    wf_number_format_bytes(machine.memory_limit, limit);
    snprintf(line, sizeof line, "%d of %d CPUs, %s of %s memory", machine.cpus, machine.cpus_online,
             limit, total);
    find(f, "may use", line);
    find(f, "blas", wf_cpu_blas_name());
    if (wf_machine_disk_free(folder, &free_bytes) != WEFT_OK ||
        wf_machine_is_tmpfs(folder, &memory) != WEFT_OK) {
        find(f, "spill folder", wf_last_error());
        return;
    }
    wf_number_format_bytes(free_bytes, limit);
    snprintf(line, sizeof line, "%s, %s free%s", folder, limit,
             memory ? "; it lies in memory: spilling there frees none" : "");
    find(f, "spill folder", line);
}

static void find_in_module(void *context, const char *what, const char *finding)
{
    find(context, what, finding);
}

// A small array over all devices, whose sum is known.
static weft_status try_devices(const weft_options *options, findings *f)
{
    enum { N = 100000 };
    double sum = 0;
    char line[256];

    weft_session *s = weft_open(options);
    if (!s) return weft_error_take();
    const wf_device_list *devices = wf_engine_devices(s->engine);
    for (int d = 0; d < devices->count; d++) {
        char memory[WF_NUMBER_TEXT];
        wf_number_format_bytes(devices->device[d].info.memory_bytes, memory);
        snprintf(line, sizeof line, "%s, %s", devices->device[d].info.name, memory);
        find(f, "device", line);
    }
    weft_array *x = weft_arange(s, 0, N, 1, WEFT_FLOAT64);
    x = weft_rechunk(x, 1, &(int64_t){ N / (4 * devices->count) });
    weft_status st = weft_item_f64(weft_sum(weft_add(x, x), WEFT_ALL_AXES, NULL), &sum);
    if (st == WEFT_OK && sum != (double)N * (N - 1))
        st = wf_fail(WEFT_INTERNAL, "doctor: a sum over all devices should be %.0f, got %.17g",
                     (double)N * (N - 1), sum);
    find(f, "computing", st == WEFT_OK ? "right" : weft_last_error());
    wf_error error = { .status = WEFT_OK };
    if (st != WEFT_OK) wf_error_take(&error);
    weft_status closed = weft_close(s);
    return st != WEFT_OK ? wf_error_raise(&error) : closed;
}

weft_status weft_doctor(const weft_doctor_options *opts)
{
    static const weft_doctor_options none;
    wf_settings *settings;

    WF_TRY(WF_CHECK_TAIL("doctor", opts));
    if (!opts) opts = &none;
    WF_TRY(wf_session_settings(opts->session, &settings));
    findings f = { .json = opts->json };
    if (!opts->modules_only) find_build(&f);
    if (!opts->modules_only) find_machine(&f, settings);
    wf_device_keep_kernels_in(wf_settings_text(settings, WF_SETTING_KERNEL_CACHE));
    wf_settings_destroy(settings);
    wf_device_module_report("cuda", opts->clear_cache, find_in_module, &f);
    weft_status st = opts->modules_only ? WEFT_OK : try_devices(opts->session, &f);
    wf_error error;
    if (st != WEFT_OK) wf_error_take(&error);
    if (f.json) wf_text_add(&f.text, "}\n");
    weft_status printed = print_text("doctor", opts->out ? opts->out : stdout, &f.text);
    return st != WEFT_OK ? wf_error_raise(&error) : printed;
}
