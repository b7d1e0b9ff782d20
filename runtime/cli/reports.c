// SPDX-License-Identifier: Apache-2.0
// reports - the commands that only tell: info, config, doctor; and those of the cluster, which this
// version lacks.
#include <string.h>

#include "cli/cli.h"

enum { JSON = 1, CACHE, CLEAR_CACHE };
static const cli_option json_option[] = { { "json", 0, false, NULL, JSON },
                                          { NULL, 0, false, NULL, 0 } };
static const cli_option doctor_options[] = { { "json", 0, false, NULL, JSON },
                                             { "cache", 0, false, NULL, CACHE },
                                             { "clear-cache", 0, false, NULL, CLEAR_CACHE },
                                             { NULL, 0, false, NULL, 0 } };

// The arguments of a report: --json, session options, and up to MAX others, moved to the front of
// ARGV.
typedef struct request {
    cli_args args;
    weft_options session;
    bool json, cache, clear_cache;
    int n;
} request;

static int read_request(request *r, const cli_option *own, int argc, char **argv)
{
    const char *value;

    *r = (request){
        .args = { .command = argv[0], .argc = argc, .argv = argv, .next = 1, .option = own }
    };
    for (int id; (id = cli_args_next(&r->args, &value)) != CLI_ARG_END;) {
        if (id == CLI_ARG_BAD) return CLI_USAGE;
        if (id == JSON) r->json = true;
        else if (id == CACHE) r->cache = true;
        else if (id == CLEAR_CACHE) r->cache = r->clear_cache = true;
        else argv[r->n++] = (char *)value;
    }
    r->session.settings = r->args.settings;
    return CLI_OK;
}

static int end(request *r, weft_status st)
{
    cli_args_fini(&r->args);
    return st == WEFT_OK ? CLI_OK : cli_fail_settings(r->args.command);
}

int cli_info(int argc, char **argv)
{
    request r;

    if (read_request(&r, json_option, argc, argv) != CLI_OK) return CLI_USAGE;
    const weft_info_options opts = {
        .npaths = r.n, .paths = (const char *const *)argv, .session = &r.session, .json = r.json
    };
    return end(&r, weft_info_print(&opts));
}

int cli_config(int argc, char **argv)
{
    request r;

    if (read_request(&r, json_option, argc, argv) != CLI_OK) return CLI_USAGE;
    if (r.n > 1) {
        cli_args_fini(&r.args);
        return cli_usage("config", "expected one KEY, got '%s' too", argv[1]);
    }
    const weft_config_options opts = { .key = r.n ? argv[0] : NULL,
                                       .session = &r.session,
                                       .json = r.json };
    return end(&r, weft_config_print(&opts));
}

int cli_doctor(int argc, char **argv)
{
    request r;

    if (read_request(&r, doctor_options, argc, argv) != CLI_OK) return CLI_USAGE;
    if (r.n > 0) {
        cli_args_fini(&r.args);
        return cli_usage("doctor", "expected no argument, got '%s'", argv[0]);
    }
    const weft_doctor_options opts = {
        .session = &r.session, .json = r.json, .modules_only = r.cache, .clear_cache = r.clear_cache
    };
    return end(&r, weft_doctor(&opts));
}

int cli_cluster(int argc, char **argv)
{
    weft_status st = WEFT_UNSUPPORTED;

    (void)argc;
    if (strcmp(argv[0], "scheduler") == 0) st = weft_scheduler_run(NULL);
    else if (strcmp(argv[0], "worker") == 0) st = weft_worker_run(NULL);
    else if (strcmp(argv[0], "top") == 0) st = weft_top_run(NULL);
    else if (strcmp(argv[0], "keygen") == 0) st = weft_keygen(NULL);
    else return cli_fail("run: clusters are not supported by this version");
    return st == WEFT_OK ? CLI_OK : cli_fail_weft();
}
