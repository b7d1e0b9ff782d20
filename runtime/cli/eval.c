// SPDX-License-Identifier: Apache-2.0
// eval - `weft eval`: inputs from files, an expression over them, and its results printed or
// written, all in one plan.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/cli.h"

enum {
    OUTPUT = 1,
    PROGRAM,
    OVERWRITE,
    CHUNKS,
    CODEC,
    DIMS,
    EXPLAIN,
    STATS,
    PROFILE,
    PROGRESS,
    NO_PROGRESS
};
enum { MAX_ITEMS = 256, PRINTED_WHOLE = 1000 };

// clang-format off
static const cli_option options[] = {
    { "output", 'o', true, NULL, OUTPUT }, { "file", 'f', true, NULL, PROGRAM }, { "overwrite", 0, false, NULL, OVERWRITE }, { "chunks", 0, true, NULL, CHUNKS },
    { "codec", 0, true, NULL, CODEC }, { "dims", 0, true, NULL, DIMS }, { "explain", 0, false, NULL, EXPLAIN },
    { "stats", 0, false, NULL, STATS }, { "profile", 0, true, NULL, PROFILE }, { "progress", 0, false, NULL, PROGRESS },
    { "no-progress", 0, false, NULL, NO_PROGRESS }, { NULL, 0, false, NULL, 0 },
};
// clang-format on

// "NAME=PATH"; an output's NAME may be missing.
typedef struct item {
    char *name;
    const char *path;
    bool existed;  // outputs, before the work began
    ino_t inode;
} item;

typedef struct eval {
    cli_args args;
    const char *text;
    char *program;  // of -f, or of standard input; TEXT points at it
    char *piped;    // the file behind `-o -`
    int nin, nout;
    item in[MAX_ITEMS], out[MAX_ITEMS];
    weft_array *array[MAX_ITEMS], *result[MAX_ITEMS];  // results, and then their sinks
    int64_t chunk[WEFT_MAX_NDIM];
    weft_save_options save;
    bool explain, stats;
    const char *profile;
    int progress;  // 1, 0, or -1: as the setting says
    weft_session *session;
    double began;
} eval;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// --- the command line ---

static bool is_name(const char *text, size_t length)
{
    if (length == 0 || isdigit((unsigned char)text[0])) return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_') return false;
    return true;
}

static int set_item(item *it, const char *name, size_t length, const char *path)
{
    *it = (item){ .path = path };
    if (length == 0) return CLI_OK;
    it->name = strndup(name, length);
    return it->name ? CLI_OK : cli_fail("out of memory");
}

static int add_input(eval *e, const char *arg)
{
    size_t length = strcspn(arg, "=");

    if (!arg[length] || !arg[length + 1])
        return cli_usage("eval", "expected NAME=PATH behind the expression, got '%s'", arg);
    if (!is_name(arg, length))
        return cli_usage("eval", "expected a name before '=', got '%s'", arg);
    for (int i = 0; i < e->nin; i++)
        if (strlen(e->in[i].name) == length && memcmp(e->in[i].name, arg, length) == 0)
            return cli_usage("eval", "the input '%s' is given twice", e->in[i].name);
    if (e->nin == MAX_ITEMS) return cli_usage("eval", "more than %d inputs", MAX_ITEMS);
    int code = set_item(&e->in[e->nin++], arg, length, arg + length + 1);
    return code != CLI_OK ? code : cli_pipe_refuse(e->in[e->nin - 1].name, arg + length + 1);
}

static int add_output(eval *e, const char *arg)
{
    size_t length = strcspn(arg, "=");
    bool named = arg[length] && is_name(arg, length);
    const char *path = named ? arg + length + 1 : arg;

    if (!*path) return cli_usage("eval", "-o: expected [NAME=]FILE, got '%s'", arg);
    if (e->nout == MAX_ITEMS) return cli_usage("eval", "more than %d outputs", MAX_ITEMS);
    for (int i = 0; i < e->nout; i++)
        if (strcmp(e->out[i].path, path) == 0)
            return cli_usage("eval", "the output '%s' is given twice", path);
    return set_item(&e->out[e->nout++], arg, named ? length : 0, path);
}

// "100,100"; "" is no extents.
static bool read_ints(const char *text, size_t length, int *n, int64_t out[WEFT_MAX_NDIM])
{
    const char *end = text + length;
    int count = 0;

    while (text < end) {
        char *stop;
        if (count == WEFT_MAX_NDIM || !isdigit((unsigned char)*text)) return false;
        long long value = strtoll(text, &stop, 10);
        if (stop > end || (stop < end && *stop != ',') || (stop < end && stop + 1 == end))
            return false;
        out[count++] = value;
        text = stop < end ? stop + 1 : stop;
    }
    *n = count;
    return true;
}

// What stood where the text stands is an input: weft eval u=u.npy -f program
static int take_program(eval *e, const char *path)
{
    if (e->program) return cli_usage("eval", "expected one text, got '%s' too", path);
    int code = e->text ? add_input(e, e->text) : CLI_OK;
    if (code == CLI_OK) code = cli_text_read(path, &e->program);
    e->text = e->program;
    return code;
}

static int take_option(eval *e, int id, const char *value)
{
    switch (id) {
    case OUTPUT: return add_output(e, value);
    case PROGRAM: return take_program(e, value);
    case OVERWRITE: e->save.overwrite = true; break;
    case CHUNKS:
        if (!read_ints(value, strlen(value), &e->save.nchunks, e->chunk))
            return cli_usage("eval", "--chunks: expected N[,N...], got '%s'", value);
        e->save.chunks = e->chunk;
        break;
    case CODEC: e->save.codec = value; break;
    case DIMS: e->save.dims = value; break;
    case EXPLAIN: e->explain = true; break;
    case STATS: e->stats = true; break;
    case PROFILE: e->profile = value; break;
    case PROGRESS: e->progress = 1; break;
    case NO_PROGRESS: e->progress = 0; break;
    default:
        if (e->text) return add_input(e, value);
        if (strcmp(value, "-") == 0) return take_program(e, value);
        e->text = value;
        break;
    }
    return CLI_OK;
}

static int read_args(eval *e)
{
    const char *value;

    for (int id; (id = cli_args_next(&e->args, &value)) != CLI_ARG_END;) {
        if (id == CLI_ARG_BAD) return CLI_USAGE;
        int code = take_option(e, id, value);
        if (code != CLI_OK) return code;
    }
    return e->text ? CLI_OK : cli_usage("eval", "expected an expression");
}

// --- settings that are the command's own ---

// The value of one setting; "" when it cannot be had, which opening the session will report.
static void read_setting(const weft_options *session, const char *key, char out[32])
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    out[0] = '\0';
    if (!file) return;
    weft_status st =
        weft_config_print(&(weft_config_options){ .out = file, .key = key, .session = session });
    fclose(file);
    if (st == WEFT_OK && text) snprintf(out, 32, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
}

static void print_log(void *context, int level, const char *text)
{
    static const char *const names[] = { "", "error", "warning", "info", "debug" };
    if (level <= *(const int *)context)
        fprintf(stderr, "weft: %s: %s\n", level >= 1 && level <= 4 ? names[level] : "log", text);
}

static void apply_settings(eval *e, const weft_options *session)
{
    static const char *const levels[] = { "off", "error", "warn", "info", "debug" };
    static int level;
    char value[32];

    read_setting(session, "log_level", value);
    for (int i = 1; i <= 4; i++)
        if (strcmp(value, levels[i]) == 0) level = i;
    if (level > 0) weft_set_log(print_log, &level);
    if (e->progress >= 0) return;
    read_setting(session, "progress", value);
    if (strcmp(value, "true") == 0) e->progress = 1;
    if (strcmp(value, "false") == 0) e->progress = 0;
}

// --- inputs ---

// raw:DTYPE:SHAPE:PATH
static int load_raw(eval *e, const item *it, weft_array **out)
{
    const char *dtype = it->path + 4, *shape = strchr(dtype, ':'),
               *path = shape ? strchr(shape + 1, ':') : NULL;
    int64_t dim[WEFT_MAX_NDIM];
    weft_load_options opts = { .raw = true, .shape = dim };
    char name[32];

    if (!path)
        return cli_usage("eval", "input '%s': expected raw:DTYPE:SHAPE:PATH, got '%s'", it->name,
                         it->path);
    snprintf(name, sizeof name, "%.*s", (int)(shape - dtype), dtype);
    if (weft_dtype_parse(name, &opts.dtype) != WEFT_OK) return cli_fail_weft();
    if (!read_ints(shape + 1, (size_t)(path - shape - 1), &opts.ndim, dim))
        return cli_usage("eval", "input '%s': expected a shape as 1000,1000, got '%.*s'", it->name,
                         (int)(path - shape - 1), shape + 1);
    *out = weft_load(e->session, path + 1, &opts);
    return CLI_OK;
}

// Of a group, the array that has the input's name.
static weft_array *load_member(eval *e, const item *it)
{
    size_t size = strlen(it->path) + strlen(it->name) + 2;
    char *path = malloc(size);
    weft_array *x = NULL;

    if (path) {
        snprintf(path, size, "%s/%s", it->path, it->name);
        x = weft_load(e->session, path, NULL);
        (void)weft_error_take();
    }
    free(path);
    return x;
}

static int load(eval *e, int i)
{
    const item *it = &e->in[i];
    weft_array *x = NULL;

    if (strncmp(it->path, "raw:", 4) == 0) {
        int code = load_raw(e, it, &x);
        if (code != CLI_OK) return code;
    } else {
        x = weft_load(e->session, it->path, NULL);
    }
    if (!x) {
        weft_status st = weft_error_take();
        char *sentence = strdup(weft_last_error());
        if (st == WEFT_INVALID) x = load_member(e, it);
        if (!x) cli_fail("%s", sentence ? sentence : "out of memory");
        free(sentence);
    }
    e->array[i] = weft_label(x, it->name);
    return x ? CLI_OK : CLI_FAILED;
}

static int bind(eval *e)
{
    const char *names[MAX_ITEMS], *out_names[MAX_ITEMS] = { NULL };
    int nout = e->nout > 0 ? e->nout : 1;

    for (int i = 0; i < e->nin; i++) {
        names[i] = e->in[i].name;
        int code = load(e, i);
        if (code != CLI_OK) return code;
    }
    for (int i = 0; i < e->nout; i++) out_names[i] = e->out[i].name;
    weft_status st =
        weft_expr_run(e->session, e->text, e->nin, names, e->array, nout, out_names, e->result);
    if (st == WEFT_OK) return CLI_OK;
    cli_fail_weft();
    weft_expr_print_place(stderr, e->text);
    return CLI_FAILED;
}

// --- computing ---

static void say_interrupted(const eval *e)
{
    fputs("weft: interrupted", stderr);
    for (int i = 0; i < e->nout; i++) {
        struct stat st;
        bool there = stat(e->out[i].path, &st) == 0,
             same = there && e->out[i].existed && st.st_ino == e->out[i].inode;
        fprintf(stderr, "%s %s %s", i ? "," : ";",
                !there ? "nothing was written to"
                : same ? "nothing was changed in"
                       : "complete is",
                e->out[i].path);
    }
    fputs("\n", stderr);
}

static int run(eval *e, int n, weft_array *const *arrays)
{
    cli_progress bar;
    cli_progress_init(&bar, e->progress);
    const weft_compute_options opts = { .progress = bar.on ? cli_progress_draw : NULL,
                                        .context = &bar };

    cli_stop_starting();
    weft_request *request = weft_start(n, arrays, &opts);
    if (request) cli_stop_running(request);
    weft_status st = weft_wait(request, -1);  // NULL: what weft_start failed with
    cli_stop_idle();
    weft_request_free(request);
    cli_progress_erase(&bar);
    if (cli_stop_signal() && st != WEFT_OK) {
        say_interrupted(e);
        return CLI_SIGNAL + cli_stop_signal();
    }
    return st == WEFT_OK ? CLI_OK : cli_fail_weft();
}

static int make_sinks(eval *e)
{
    for (int i = 0; i < e->nout; i++) {
        struct stat st;
        if (strcmp(e->out[i].path, "-") == 0) {
            int code = cli_pipe_open(&e->piped);
            if (code != CLI_OK) return code;
            e->out[i].path = e->piped;
        }
        e->out[i].existed = stat(e->out[i].path, &st) == 0;
        if (e->out[i].existed && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
            return cli_fail(
                "'%s' is no file: an array is written as a new one; `-o -` writes .npy to standard output",
                e->out[i].path);
        e->out[i].inode = e->out[i].existed ? st.st_ino : 0;
        if (e->out[i].existed && !e->save.overwrite && !e->explain)
            return cli_fail("'%s' exists; --overwrite replaces it", e->out[i].path);
        e->result[i] = weft_sink(e->result[i], e->out[i].path, &e->save);
        if (e->result[i]) continue;
        (void)weft_error_take();
        return cli_fail_weft();
    }
    return CLI_OK;
}

static int print_plan(const eval *e)
{
    char *text = weft_plan_explain(e->nout > 0 ? e->nout : 1, e->result);

    if (!text) return cli_fail_weft();
    fputs(text, stdout);
    weft_text_free(text);
    return CLI_OK;
}

// What is printed whole is computed first, with a bar; of the rest weft_print computes the corners
// alone.
static int print_result(eval *e)
{
    weft_array *x = e->result[0];

    if (weft_array_size(x) <= PRINTED_WHOLE) {
        int code = run(e, 1, &x);
        if (code != CLI_OK) return code;
    }
    return weft_print(stdout, x) == WEFT_OK ? CLI_OK : cli_fail_weft();
}

static void print_stats(const eval *e)
{
    weft_session_stats s;
    char peak[32], in[32], out[32], spilled[32];

    if (weft_stats(e->session, &s) != WEFT_OK) return;
    fprintf(stderr, "weft: %.3g s, peak memory %s, read %s, written %s, spilled %s\n",
            now() - e->began, cli_bytes((double)s.peak_bytes, peak),
            cli_bytes((double)s.bytes_read, in), cli_bytes((double)s.bytes_written, out),
            cli_bytes((double)s.bytes_spilled, spilled));
}

static int work(eval *e)
{
    int code = bind(e);

    if (code == CLI_OK && e->nout > 0) code = make_sinks(e);
    if (code != CLI_OK) return code;
    if (e->explain) return print_plan(e);
    if (e->profile && weft_profile_start(e->session) != WEFT_OK) return cli_fail_weft();
    code = e->nout > 0 ? run(e, e->nout, e->result) : print_result(e);
    if (code == CLI_OK && e->piped) code = cli_pipe_copy(e->piped);
    if (e->profile && weft_profile_write(e->session, e->profile) != WEFT_OK && code == CLI_OK)
        code = cli_fail_weft();
    if (code == CLI_OK && e->stats) print_stats(e);
    return code;
}

static int open_and_work(eval *e)
{
    const weft_options session = { .settings = e->args.settings };

    e->began = now();
    apply_settings(e, &session);
    cli_stop_watch();
    e->session = weft_open(&session);
    if (!e->session) {
        (void)weft_error_take();
        return cli_fail_settings("eval");
    }
    int code = work(e);
    weft_status st = weft_close(e->session);
    return st != WEFT_OK && code == CLI_OK ? cli_fail_weft() : code;
}

int cli_eval(int argc, char **argv)
{
    eval *e = calloc(1, sizeof *e);

    if (!e) return cli_fail("out of memory");
    e->args =
        (cli_args){ .command = "eval", .argc = argc, .argv = argv, .next = 1, .option = options };
    e->progress = -1;
    int code = read_args(e);
    if (code == CLI_OK) code = open_and_work(e);
    for (int i = 0; i < e->nin; i++) free(e->in[i].name);
    for (int i = 0; i < e->nout; i++) free(e->out[i].name);
    cli_pipe_close(e->piped);
    cli_args_fini(&e->args);
    free(e->program);
    free(e);
    return code;
}
