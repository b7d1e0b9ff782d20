// SPDX-License-Identifier: Apache-2.0
// stop - Ctrl-C and SIGTERM: the first cancels what runs, so that outputs stay as they were; the
// second does not wait for that.
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

enum { IDLE, STARTING, RUNNING };

static volatile sig_atomic_t state, came;
static weft_request *volatile running;

static void end_now(int number)
{
    static const char text[] = "weft: interrupted\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    _exit(CLI_SIGNAL + number);
}

static void on_signal(int number)
{
    if (state == IDLE || came) end_now(number);
    came = number;
    if (state == RUNNING) weft_cancel(running);
}

void cli_stop_watch(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void cli_stop_starting(void) { state = STARTING; }

void cli_stop_running(weft_request *request)
{
    running = request;
    state = RUNNING;
    if (came) weft_cancel(request);
}

void cli_stop_idle(void)
{
    state = came ? STARTING : IDLE;  // once a signal has come the program is on its way out
    running = NULL;
}

int cli_stop_signal(void) { return came; }
