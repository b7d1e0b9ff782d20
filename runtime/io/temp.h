// SPDX-License-Identifier: Apache-2.0
// temp - hidden neighbours: where a file or folder is built before one rename shows it, and how
// what crashed processes left is found. A neighbour of DIR/NAME is DIR/.NAME.weft-HOST-PID-N.tmp;
// HOST stands for the host and its process numbers' namespace, so that only a process that can tell
// whether PID lives removes it. Any thread may call.
#ifndef WF_IO_TEMP_H
#define WF_IO_TEMP_H

#include "base/alloc.h"

#define WF_TEMP_SUFFIX_MAX 64  // bytes of ".weft-HOST-PID-N.tmp" and its NUL

// Writes the part behind the name, different at each call, into OUT and returns it.
const char *wf_temp_suffix(char out[WF_TEMP_SUFFIX_MAX]);
// Gives the path of a hidden neighbour of PATH that no file has yet; NULL when memory is short.
char *wf_temp_path(const char *path) __attribute__((warn_unused_result));
// The neighbour in folder DIR for something that will be called NAME.
char *wf_temp_path_in(const char *dir, const char *name) __attribute__((warn_unused_result));

// Removes from DIR the neighbours, of whatever name, that dead processes of this host left. Never
// fails.
void wf_temp_sweep(const char *dir);
// Removes a file, or a folder with all that is in it, following no link. Never fails; touches no
// error.
void wf_tree_remove(const char *path);

// Shows TEMP at PATH by one rename. Without OVERWRITE an existing PATH is WEFT_EXISTS and stays.
// With it the old one is exchanged and removed, and the new one has its owner and mode. FORMAT begins the error's sentence. On failure TEMP
// is still there.
weft_status wf_temp_publish(const char *format, const char *temp, const char *path,
                            bool overwrite) WEFT_WARN_UNUSED;

// Give "DIR" ("." where there is none) and the part behind it.
char *wf_path_dir(const char *path) __attribute__((warn_unused_result));
const char *wf_path_name(const char *path);

#endif
