// SPDX-License-Identifier: Apache-2.0
// pipe - what of a command goes through pipes: texts from standard input, .npy to standard output.
// Arrays do not come from pipes.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

enum { MAX_TEXT = 1 << 20 };

static int read_stream(FILE *file, const char *path, char *text)
{
    size_t n = fread(text, 1, MAX_TEXT + 1, file);

    if (ferror(file)) return cli_fail("cannot read '%s'", path);
    if (n > MAX_TEXT) return cli_fail("'%s': expected a text of at most 1 MiB", path);
    text[n] = '\0';
    return strlen(text) == n ? CLI_OK : cli_fail("'%s': expected text, got a NUL byte", path);
}

int cli_text_read(const char *path, char **out)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");

    if (!file) return cli_fail("cannot read '%s': %s", path, strerror(errno));
    *out = malloc(MAX_TEXT + 2);
    int code = *out ? read_stream(file, path, *out) : cli_fail("out of memory");
    if (file != stdin) fclose(file);
    return code;
}

int cli_pipe_refuse(const char *name, const char *path)
{
    struct stat st;
    bool file = stat(path, &st) != 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);

    if (file && strcmp(path, "-") != 0) return CLI_OK;
    return cli_usage(
        "eval", "input '%s': expected a file or a store, got '%s', which cannot be read in blocks",
        name, path);
}

int cli_pipe_open(char **out)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];

    if (isatty(STDOUT_FILENO))
        return cli_usage("eval", "-o -: standard output is a terminal, not a place for .npy");
    if (!folder || !*folder) folder = "/tmp";
    snprintf(path, sizeof path - 16, "%s/weft-XXXXXX", folder);
    if (!mkdtemp(path))
        return cli_fail("cannot make a folder in '%s': %s", folder, strerror(errno));
    strcat(path, "/out.npy");
    *out = strdup(path);
    return *out ? CLI_OK : cli_fail("out of memory");
}

int cli_pipe_copy(const char *path)
{
    char buffer[65536];
    FILE *file = fopen(path, "r");
    bool good = true;

    if (!file) return cli_fail("cannot read '%s': %s", path, strerror(errno));
    for (size_t n; good && (n = fread(buffer, 1, sizeof buffer, file)) > 0;)
        good = fwrite(buffer, 1, n, stdout) == n;
    good = good && !ferror(file) && fflush(stdout) == 0;
    fclose(file);
    return good ? CLI_OK : cli_fail("cannot write to standard output");
}

void cli_pipe_close(char *path)
{
    if (!path) return;
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    free(path);
}
