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
#include <mayfly/fd.h>
#include <mayfly/net.h>

#endif
