// SPDX-License-Identifier: Apache-2.0
// progress - one line on stderr that says how far the work is, and goes away when it is done.
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"

static const double quiet_seconds = 0.3;  // what is done sooner needs no bar

const char *cli_bytes(double bytes, char out[32])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    int u = 0;

    while (bytes >= 1000 && u < 5) bytes /= 1024, u++;
    snprintf(out, 32,
             u == 0 || bytes >= 100 ? "%.0f %s"
             : bytes >= 10          ? "%.1f %s"
                                    : "%.2f %s",
             bytes, units[u]);
    return out;
}

void cli_progress_init(cli_progress *p, int wanted)
{
    struct winsize size;

    *p = (cli_progress){ .on = wanted < 0 ? isatty(STDERR_FILENO) : wanted, .columns = 80 };
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) p->columns = size.ws_col;
}

static void format_left(double seconds, char out[32])
{
    if (seconds < 0) snprintf(out, 32, "? left");
    else if (seconds < 99.5) snprintf(out, 32, "%.0f s left", seconds);
    else if (seconds < 5970) snprintf(out, 32, "%.0f min left", seconds / 60);
    else snprintf(out, 32, "%.1f h left", seconds / 3600);
}

// "  1.2 GiB/s", or nothing where the work hardly reads or writes: then it says nothing about the job.
static void format_rate(const weft_progress *now, char out[48])
{
    char rate[32];
    double each = now->seconds > 0 ? (double)now->bytes / now->seconds : 0;

    out[0] = '\0';
    if (each >= 1 << 20) snprintf(out, 48, "  %s/s", cli_bytes(each, rate));
}

// "[########            ]  12/30 blocks  1.2 GiB/s  4 s left"
void cli_progress_draw(void *context, const weft_progress *now)
{
    cli_progress *p = context;
    char rate[48], left[32], tail[160], bar[64];

    if (!p->on || (now->seconds < quiet_seconds && !p->shown) || now->blocks_total <= 0) return;
    double part = (double)now->blocks_done / (double)now->blocks_total;
    format_rate(now, rate);
    format_left(now->eta, left);
    snprintf(tail, sizeof tail, "%lld/%lld blocks%s  %s", (long long)now->blocks_done,
             (long long)now->blocks_total, rate, left);
    int width = p->columns - (int)strlen(tail) - 6;
    if (width > 40) width = 40;
    if (width >= 5) {
        for (int i = 0; i < width; i++) bar[i] = i < (int)(part * width + 0.5) ? '#' : ' ';
        bar[width] = '\0';
        fprintf(stderr, "\r[%s]  %s\033[K", bar, tail);
    } else {
        fprintf(stderr, "\r%.*s\033[K", p->columns - 1, tail);
    }
    fflush(stderr);
    p->shown = true;
}

void cli_progress_erase(cli_progress *p)
{
    if (p->shown) fputs("\r\033[K", stderr);
    p->shown = false;
}
