// SPDX-License-Identifier: Apache-2.0
// options - the arguments of a command: options anywhere, "--name value" or "--name=value", and the
// session's settings among them.
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

// clang-format off
const cli_option cli_session_options[] = {
    { "memory-limit", 0, true, "memory_limit", 0 }, { "threads", 0, true, "threads", 0 }, { "devices", 0, true, "devices", 0 },
    { "device-memory-limit", 0, true, "device_memory_limit", 0 },
    { "blocks", 0, true, "blocks", 0 }, { "block-size", 0, true, "block_size", 0 }, { "disable", 0, true, "disable", 0 },
    { "spill-dir", 0, true, "spill_dir", 0 }, { "mode", 0, true, "mode", 0 }, { "scheduler", 0, true, "scheduler", 0 },
    { "scheduler-file", 0, true, "scheduler_file", 0 }, { "workers", 0, true, "workers", 0 }, { "set", 0, true, "", 0 },
    { NULL, 0, false, NULL, 0 },
};
// clang-format on

static const cli_option *find_in(const cli_option *list, const char *name, size_t length,
                                 char letter)
{
    for (; list && list->name; list++) {
        if (letter && list->letter == letter) return list;
        if (!letter && strlen(list->name) == length && memcmp(list->name, name, length) == 0)
            return list;
    }
    return NULL;
}

static const cli_option *find(const cli_args *args, const char *name, size_t length, char letter)
{
    const cli_option *own = find_in(args->option, name, length, letter);
    return own ? own : find_in(cli_session_options, name, length, letter);
}

static int fail_unknown(const cli_args *args, const char *arg)
{
    const char *names[64], *near = NULL;
    char name[64];
    int n = 0;

    for (const cli_option *o = args->option; o && o->name && n < 40; o++) names[n++] = o->name;
    for (const cli_option *o = cli_session_options; o->name && n < 63; o++) names[n++] = o->name;
    names[n] = NULL;
    if (arg[1] == '-') {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(arg + 2, "="), arg + 2);
        near = cli_nearest(name, names);
    }
    if (near) cli_usage(args->command, "unknown option '%s'; did you mean '--%s'?", arg, near);
    else cli_usage(args->command, "unknown option '%s'", arg);
    return CLI_ARG_BAD;
}

// A list of settings is one text, divided by ';', each as it is written on the command line:
// "--threads=4;--set check=1".
static int keep_setting(cli_args *args, const cli_option *o, const char *value)
{
    size_t used = args->settings ? strlen(args->settings) : 0,
           size = used + strlen(o->name) + strlen(value) + 5;
    char *text;

    if (strchr(value, ';')) {
        cli_usage(args->command, "--%s: ';' cannot stand in a setting, got '%s'", o->name, value);
        return CLI_ARG_BAD;
    }
    if (!*o->setting && !strchr(value, '=')) {
        cli_usage(args->command, "--%s: expected KEY=VALUE, got '%s'", o->name, value);
        return CLI_ARG_BAD;
    }
    text = realloc(args->settings, size);
    if (!text) {
        cli_fail("out of memory");
        return CLI_ARG_BAD;
    }
    args->settings = text;
    snprintf(text + used, size - used, "%s--%s%s%s", used ? ";" : "", o->name,
             *o->setting ? "=" : " ", value);
    return CLI_OK;
}

static bool is_option(const cli_args *args, const char *arg)
{
    return !args->only_positional && arg[0] == '-' && arg[1] != '\0';
}

// The value of option O in ARG, "--name=value" or "-ovalue", or in the next argument.
static int take_value(cli_args *args, const cli_option *o, const char *arg, const char *attached,
                      const char **value)
{
    *value = NULL;
    if (!o->has_value) {
        if (!attached) return CLI_OK;
        cli_usage(args->command, "--%s takes no value, got '%s'", o->name, arg);
        return CLI_ARG_BAD;
    }
    if (attached) *value = attached;
    else if (args->next < args->argc) *value = args->argv[args->next++];
    else {
        cli_usage(args->command, "%s needs a value", arg);
        return CLI_ARG_BAD;
    }
    return CLI_OK;
}

// An expression such as -x or -1 begins with a hyphen too: what is no option by its form is none.
static bool is_expression(const char *arg)
{
    return arg[0] == '-' && arg[1] != '-' && arg[2] != '\0' && arg[1] != 'o';
}

int cli_args_next(cli_args *args, const char **value)
{
    for (;;) {
        if (args->next >= args->argc) return CLI_ARG_END;
        const char *arg = args->argv[args->next++], *attached = NULL;
        if (!is_option(args, arg) || is_expression(arg)) {
            *value = arg;
            return CLI_ARG_POSITIONAL;
        }
        if (strcmp(arg, "--") == 0) {
            args->only_positional = true;
            continue;
        }
        const cli_option *o;
        if (arg[1] == '-') {
            size_t length = strcspn(arg + 2, "=");
            attached = arg[2 + length] ? arg + 3 + length : NULL;
            o = find(args, arg + 2, length, 0);
        } else {
            attached = arg[2] ? arg + 2 : NULL;
            o = find(args, NULL, 0, arg[1]);
        }
        if (!o) return fail_unknown(args, arg);
        if (take_value(args, o, arg, attached, value) != CLI_OK) return CLI_ARG_BAD;
        if (!o->setting) return o->id;
        if (keep_setting(args, o, *value) != CLI_OK) return CLI_ARG_BAD;
    }
}

void cli_args_fini(cli_args *args)
{
    free(args->settings);
    args->settings = NULL;
}
