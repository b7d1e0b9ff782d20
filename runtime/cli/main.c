// SPDX-License-Identifier: Apache-2.0
// main - the command `weft`: which command was meant, and what help says.
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct command {
    const char *name, *summary;
    cli_command_fn *run;
    const char *help;
} command;

#define NO_CLUSTER "\n\nClusters are not supported by this version.\n"

#define SESSION_HELP                                                                              \
    "  --memory-limit SIZE    memory for blocks, as 512MiB; default: most of what there is\n"     \
    "  --device-memory-limit SIZE  memory of each GPU; default: 85 % of what is free\n"           \
    "  --threads N            CPU threads; default: as many as there are cores to use\n"          \
    "  --devices LIST         cpu, cpu:4, cpu:4@256MiB, joined by commas\n"                       \
    "  --blocks N[,N...]      extents of the blocks of new arrays and of files without chunks\n"  \
    "  --block-size SIZE      bytes of a block where nothing else decides\n"                      \
    "  --disable NAME[,...]   plan passes to leave out: share prune fold push fuse align group\n" \
    "  --set KEY=VALUE        any setting of `weft config`\n"

// clang-format off
static const command commands[] = {
    { "eval", "compute an expression over array files", cli_eval,
      "usage: weft eval EXPRESSION|-|-f TEXTFILE [NAME=PATH ...] [-o [NAME=]FILE ...] [options]\n"
      "\n"
      "Computes EXPRESSION, written as in NumPy, over arrays in files, block by block: they may be\n"
      "larger than memory. Prints the result, or with -o writes it.\n"
      "\n"
      "  weft eval 'mean(sqrt(u**2 + v**2), axis=0)' u=wind.zarr/u v=wind.zarr/v -o speed.zarr\n"
      "  weft eval 'm = mean(u); s = std(u)' u=u.npy -o m=m.npy -o s=s.npy\n"
      "  weft eval 'x[:5]' x=raw:float32:1000,1000:data.bin\n"
      "\n"
      "EXPRESSION holds operators, slices, and every operation of weft.h by its name (`weft help\n"
      "functions`); several statements are divided by ';', and the last one's value is the result.\n"
      "NAME=PATH names an input: .npy, Zarr (of a group the array NAME), or raw:DTYPE:SHAPE:PATH.\n"
      "\n"
      "  -f, --file TEXTFILE    read the expression from a file; - alone: from standard input\n"
      "  -o, --output [NAME=]FILE  write the result, or what NAME is at the end, to FILE: .npy, .zarr, .raw,\n"
      "                         .bin or .png; - is .npy on standard output, by way of a file in $TMPDIR\n"
      "  --overwrite            replace a FILE that is there, once the new one is complete\n"
      "  --chunks N[,N...]      chunks of a Zarr output along each axis\n"
      "  --codec NAME           of a Zarr output: blosc, zstd:9, zlib, gzip, lz4, none\n"
      "  --dims NAMES           names of its axes, as time,lat,lon\n"
      "  --explain              print the plan and its bound on memory; compute nothing\n"
      "  --stats                say what it took: time, memory, bytes\n"
      "  --profile FILE         write a trace of all threads, for Perfetto or chrome://tracing\n"
      "  --progress, --no-progress  a bar on stderr; default: on a terminal\n"
      SESSION_HELP
      "  --scheduler ADDRESS, --workers N  a cluster; not supported by this version\n"
      "\n"
      "Ctrl-C stops it; then outputs are as they were. Exit codes: 0 done, 1 failed, 2 wrong usage,\n"
      "130 interrupted.\n" },
    { "info", "what an array file holds, what devices there are", cli_info,
      "usage: weft info [PATH ...] [--json] [options]\n"
      "\n"
      "Prints what array files hold: format, shape, dtype, chunks, codec, bytes in memory and on disk,\n"
      "names of axes; of a Zarr group its arrays. Without a PATH: the devices that this process may use.\n"
      "\n"
      "  --json                 one JSON object per path or device, a line each\n"
      SESSION_HELP },
    { "config", "every setting, its value, and where it came from", cli_config,
      "usage: weft config [KEY] [--json] [options]\n"
      "\n"
      "Prints every setting with its value and its source: defaults, /etc/weft.yaml,\n"
      "~/.config/weft.yaml, $WEFT_CONFIG, WEFT_* variables, the options here. With KEY: that value alone.\n"
      "\n"
      "  --json                 one JSON object\n"
      SESSION_HELP },
    { "doctor", "check that this installation works", cli_doctor,
      "usage: weft doctor [--cache | --clear-cache] [--json] [options]\n"
      "\n"
      "Prints what this build has and lacks, the CPU, GPUs, limits and spill folder, and computes a small\n"
      "array on each device.\n"
      "\n"
      "  --cache                only the GPUs, their libraries and the kernels kept on disk\n"
      "  --clear-cache          removes these kernels\n"
      "  --json                 one JSON object\n"
      SESSION_HELP },
    { "scheduler", "run the scheduler of a cluster (not in this version)", cli_cluster,
      "usage: weft scheduler" NO_CLUSTER },
    { "worker", "run a worker of a cluster (not in this version)", cli_cluster,
      "usage: weft worker" NO_CLUSTER },
    { "top", "watch a cluster (not in this version)", cli_cluster,
      "usage: weft top" NO_CLUSTER },
    { "keygen", "make keys for a cluster (not in this version)", cli_cluster,
      "usage: weft keygen" NO_CLUSTER },
    { "run", "run a program on a cluster (not in this version)", cli_cluster,
      "usage: weft run PROGRAM" NO_CLUSTER },
};
// clang-format on

enum { COMMANDS = sizeof commands / sizeof *commands };

// --- what all commands say ---

int cli_fail(const char *fmt, ...)
{
    va_list args;

    fputs("weft: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputs("\n", stderr);
    return CLI_FAILED;
}

int cli_fail_weft(void) { return cli_fail("%s", weft_last_error()); }

// "settings: --threads: threads: expected ..." is wrong usage: "--threads: expected ...".
int cli_fail_settings(const char *command)
{
    static const char prefix[] = "settings: --";
    const char *text = weft_last_error();
    char option[64], key[68];

    if (strncmp(text, prefix, sizeof prefix - 1) != 0) return cli_fail_weft();
    text += sizeof prefix - 1;
    size_t n = strcspn(text, ":");
    if (text[n] != ':' || n + 3 > sizeof option) return cli_fail_weft();
    snprintf(option, sizeof option, "%.*s", (int)n, text);
    text += n + 2;
    snprintf(key, sizeof key, "%s: ", option);
    for (char *p = key; *p; p++)
        if (*p == '-') *p = '_';
    if (strncmp(text, key, strlen(key)) == 0) text += strlen(key);
    return cli_usage(command, "--%s: %s", option, text);
}

int cli_usage(const char *name, const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "weft%s%s: ", *name ? " " : "", name);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\nsee `weft help%s%s`\n", *name ? " " : "", name);
    return CLI_USAGE;
}

// Letters to put in, leave out or change.
static int distance(const char *a, const char *b)
{
    enum { MOST = 32 };
    int row[MOST + 1], na = (int)strlen(a), nb = (int)strlen(b);

    if (na > MOST || nb > MOST) return MOST;
    for (int j = 0; j <= nb; j++) row[j] = j;
    for (int i = 1; i <= na; i++) {
        int before = row[0];
        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            int change = before + (a[i - 1] != b[j - 1]),
                shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            before = row[j];
            row[j] = change < shift ? change : shift;
        }
    }
    return row[nb];
}

const char *cli_nearest(const char *name, const char *const *candidates)
{
    int best = strlen(name) < 4 ? 2 : 3;  // no nearer, no hint
    const char *found = NULL;

    for (; *candidates; candidates++) {
        int d = distance(name, *candidates);
        if (d >= best) continue;
        best = d;
        found = *candidates;
    }
    return found;
}

// --- help ---

static void print_help(FILE *file)
{
    fputs(
        "usage: weft COMMAND [ARGUMENTS]\n\nArrays larger than memory, computed in blocks on every core and every GPU.\n\n",
        file);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(file, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs(
        "  help       this text; `weft help COMMAND` says more, `weft help functions` lists what\n"
        "             expressions can call\n\n"
        "  weft eval 'mean(sqrt(u**2 + v**2), axis=0)' u=wind.zarr/u v=wind.zarr/v -o speed.zarr\n\n"
        "weft --version prints the version.\n",
        file);
}

static const command *find_command(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static int fail_unknown(const char *name)
{
    const char *names[COMMANDS + 2], *near;

    for (int i = 0; i < COMMANDS; i++) names[i] = commands[i].name;
    names[COMMANDS] = "help";
    names[COMMANDS + 1] = NULL;
    near = cli_nearest(name, names);
    if (near) return cli_usage("", "unknown command '%s'; did you mean '%s'?", name, near);
    return cli_usage("", "unknown command '%s'", name);
}

static int print_command_help(const command *c)
{
    fputs(c->help, stdout);
    if (c->run != cli_config) return CLI_OK;
    fputs("\nThe settings, as keys of files and of --set; WEFT_KEY is the variable of each:\n\n",
          stdout);
    return weft_config_print(&(weft_config_options){ .explain = true }) == WEFT_OK
               ? CLI_OK
               : cli_fail_weft();
}

static int help(int argc, char **argv)
{
    const command *c;

    if (argc < 2) {
        print_help(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "functions") == 0)
        return weft_functions_print(stdout) == WEFT_OK ? CLI_OK : cli_fail_weft();
    c = find_command(argv[1]);
    if (!c) return fail_unknown(argv[1]);
    return print_command_help(c);
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

static int run(int argc, char **argv)
{
    const command *c;

    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("weft %s\n", weft_version());
        return CLI_OK;
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(argc - 1, argv + 1);
    c = find_command(name);
    if (!c) return fail_unknown(name);
    if (asks_for_help(argc - 1, argv + 1)) {
        return print_command_help(c);
    }
    return c->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");  // for messages of the system; numbers are always written with a point
    signal(SIGXFSZ, SIG_IGN);  // a file that may not grow (ulimit -f) is an error with a sentence
    int code = run(argc, argv);
    if (fflush(stdout) != 0 && code == CLI_OK) code = cli_fail("cannot write to standard output");
    return code;
}
