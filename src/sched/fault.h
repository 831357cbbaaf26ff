/* SPDX-License-Identifier: MIT */
/*
 * fault.h - a stack overflow is reported by name, then takes its course.
 *
 * SIGSEGV (guard regions, mprotect) and SIGBUS (userfaultfd) are handled on an
 * alternate stack each worker has. A fault in the task's own guard is
 * printed with the task's name or spawn site, its stack size and a backtrace;
 * other faults of a task say which task it was. Then the handler installed
 * before gets the signal, or the default action ends the process.
 */
#ifndef MFI_SCHED_FAULT_H
#define MFI_SCHED_FAULT_H

int mfi_fault_init(void);
void mfi_fault_done(void);

#endif
