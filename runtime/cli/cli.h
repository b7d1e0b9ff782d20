// SPDX-License-Identifier: Apache-2.0
// cli - what the files of the command share. The command is a program like any user's: it sees
// weft.h and weft/daemon.h, nothing else.
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include <weft.h>
#include <weft/daemon.h>

enum {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_SIGNAL = 128
};  // exit codes; a signal's number is added

// --- commands (main.c) ---

typedef int cli_command_fn(int argc, char **argv);  // argv[0] is the command's name
cli_command_fn cli_eval, cli_info, cli_config, cli_doctor, cli_cluster;

// Prints "weft: TEXT" to stderr and returns CLI_FAILED.
int cli_fail(const char *fmt, ...) WEFT_PRINTF(1, 2);
// The same with the library's last error.
int cli_fail_weft(void);
// The same; what is wrong with a setting given on the command line is cli_usage.
int cli_fail_settings(const char *command);
// Prints "weft COMMAND: TEXT" and where help is, and returns CLI_USAGE.
int cli_usage(const char *command, const char *fmt, ...) WEFT_PRINTF(2, 3);
// The candidate nearest to NAME, or NULL if none is near. CANDIDATES ends in NULL.
const char *cli_nearest(const char *name, const char *const *candidates);

// --- arguments (options.c) ---

// One option: "--memory-limit", or "-o", and what it does with its value.
typedef struct cli_option {
    const char *name;  // without hyphens
    char letter;       // or 0
    bool has_value;
    const char *setting;  // the session setting that it is, or NULL
    int id;               // handed to the caller
} cli_option;

typedef struct cli_args {
    const char *command;
    int argc;
    char **argv;
    int next;
    bool only_positional;      // behind "--"
    char *settings;            // "--threads=4;--set check=1": what the session options said
    const cli_option *option;  // NULL-named at its end
    bool help;
} cli_args;

enum { CLI_ARG_END = -1, CLI_ARG_BAD = -2, CLI_ARG_POSITIONAL = -3 };

// The next argument: an option's id, with its value in *VALUE, or one of the above. Session options
// are kept and passed over; BAD has been reported.
int cli_args_next(cli_args *args, const char **value);
void cli_args_fini(cli_args *args);
extern const cli_option cli_session_options[];  // what every command that opens a session takes

// --- pipes (pipe.c) ---

// The whole text of a file, "-" being standard input. *OUT is freed by the caller, on failure too.
int cli_text_read(const char *path, char **out);
// CLI_USAGE if PATH is a pipe or a device: blocks are read at any place, and perhaps twice.
int cli_pipe_refuse(const char *name, const char *path);
// The path of an .npy in a folder of its own, to be written, copied to standard output and removed
// with its folder. CLOSE accepts NULL.
int cli_pipe_open(char **out);
int cli_pipe_copy(const char *path);
void cli_pipe_close(char *path);

// --- signals (stop.c) ---

// Ctrl-C and SIGTERM from now on end the program: what runs is cancelled first. WHAT is said when
// nothing has begun.
void cli_stop_watch(void);
void cli_stop_starting(void);  // a request is being made: only note signals
void cli_stop_running(weft_request *request);
void cli_stop_idle(void);   // nothing runs that could be cancelled
int cli_stop_signal(void);  // the signal that came, or 0

// --- progress (progress.c) ---

typedef struct cli_progress {
    bool on;
    bool shown;
    int columns;
} cli_progress;

// WANTED: 1 always, 0 never, -1 when stderr is a terminal.
void cli_progress_init(cli_progress *p, int wanted);
void cli_progress_draw(
    void *context, const weft_progress *progress);  // a weft_progress_fn; context is a cli_progress
void cli_progress_erase(cli_progress *p);
// "1.5 GiB", "12 B".
const char *cli_bytes(double bytes, char out[32]);

#endif
