// SPDX-License-Identifier: Apache-2.0
// cluster - the daemons of a cluster and its keys: declared, checked, and not part of this version.
#include "api/session.h"
#include "weft/daemon.h"

weft_status weft_scheduler_run(const weft_scheduler_options *opts)
{
    WF_TRY(WF_CHECK_TAIL("scheduler_run", opts));
    return wf_fail(WEFT_UNSUPPORTED, "scheduler_run: clusters are not supported by this version");
}

weft_status weft_worker_run(const weft_worker_options *opts)
{
    WF_TRY(WF_CHECK_TAIL("worker_run", opts));
    return wf_fail(WEFT_UNSUPPORTED, "worker_run: clusters are not supported by this version");
}

weft_status weft_top_run(const weft_top_options *opts)
{
    WF_TRY(WF_CHECK_TAIL("top_run", opts));
    return wf_fail(WEFT_UNSUPPORTED, "top_run: clusters are not supported by this version");
}

weft_status weft_keygen(const weft_keygen_options *opts)
{
    WF_TRY(WF_CHECK_TAIL("keygen", opts));
    return wf_fail(WEFT_UNSUPPORTED, "keygen: clusters are not supported by this version");
}

void weft_daemon_stop(void)
{
    // No daemon can run.
}
