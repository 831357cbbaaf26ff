/* SPDX-License-Identifier: MIT */
/* mayfly.h - all of the public API; see the headers for what each call does. */
#ifndef MAYFLY_H
#define MAYFLY_H

#include <mayfly/base.h>
#include <mayfly/run.h>
#include <mayfly/scope.h>
#include <mayfly/task.h>
#include <mayfly/block.h>
#include <mayfly/sync.h>
#include <mayfly/chan.h>
#include <mayfly/select.h>
#include <mayfly/broadcast.h>
#include <mayfly/cqueue.h>
#include <mayfly/gen.h>
#include <mayfly/local.h>
#include <mayfly/signal.h>
#include <mayfly/proc.h>
#include <mayfly/fd.h>
#include <mayfly/file.h>
#include <mayfly/stream.h>
#include <mayfly/net.h>
#include <mayfly/dns.h>
#include <mayfly/unix.h>
#include <mayfly/http.h>
#include <mayfly/http_text.h>
#include <mayfly/http_files.h>

#endif
