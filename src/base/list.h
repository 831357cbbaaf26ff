/* SPDX-License-Identifier: MIT */
/*
 * list.h - intrusive doubly linked list: a ring through a head.
 *
 *     head <-> a <-> b <-> head        empty: head <-> head
 *
 * A node that is in no list is {NULL, NULL} after mfi_list_del_init, so
 * mfi_list_linked tells. Nothing here locks.
 */
#ifndef MFI_BASE_LIST_H
#define MFI_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

#define mfi_container_of(ptr, type, member) \
 ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* NOLINTBEGIN(clang-analyzer-core.NullDereference): links are never NULL */

static inline void mfi_list_init(struct list *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool mfi_list_empty(const struct list *head)
{
    return head->next == head;
}

static inline bool mfi_list_linked(const struct list *node)
{
    return node->next != NULL;
}

static inline void mfi_list_add_tail(struct list *head, struct list *node)
{
    node->next = head;
    node->prev = head->prev;
    head->prev->next = node;
    head->prev = node;
}

static inline void mfi_list_add_head(struct list *head, struct list *node)
{
    mfi_list_add_tail(head->next, node);
}

static inline void mfi_list_del_init(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = NULL;
    node->prev = NULL;
}

/* Move all of `from` to the end of `to`; `from` is empty after. */
static inline void mfi_list_splice_tail(struct list *to, struct list *from)
{
    if (mfi_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    mfi_list_init(from);
}

/* NOLINTBEGIN(bugprone-macro-parentheses): pos is a name, declared here */
#define mfi_list_for_each(pos, head) \
 for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
/* NOLINTEND(bugprone-macro-parentheses) */

/* NOLINTEND(clang-analyzer-core.NullDereference) */

#endif
