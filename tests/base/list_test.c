/* SPDX-License-Identifier: MIT */
/* list_test.c - order, emptiness, and a node that knows it is in no list. */
#include "base/list.h"

#include "test.h"

struct item {
    int value;
    struct list link;
};

static int value_of(struct list *link)
{
    return mfi_container_of(link, struct item, link)->value;
}

/* The values in order, as the digits of a number; both directions agree. */
static int digits(const struct list *head)
{
    int forward = 0, backward = 0, place = 1;

    mfi_list_for_each (pos, head)
        forward = forward * 10 + value_of(pos);
    for (struct list *pos = head->prev; pos != head; pos = pos->prev) {
        backward += value_of(pos) * place;
        place *= 10;
    }
    EXPECT_EQ(forward, backward);
    return forward;
}

MFI_TEST(tail_and_head_keep_order)
{
    struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
    struct list head;

    mfi_list_init(&head);
    EXPECT(mfi_list_empty(&head));
    mfi_list_add_tail(&head, &b.link);
    mfi_list_add_tail(&head, &c.link);
    mfi_list_add_head(&head, &a.link);
    EXPECT(!mfi_list_empty(&head));
    EXPECT_EQ(digits(&head), 123);
}

MFI_TEST(a_deleted_node_is_in_no_list)
{
    struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
    struct list head;

    EXPECT(!mfi_list_linked(&a.link)); /* zeroed */
    mfi_list_init(&head);
    mfi_list_add_tail(&head, &a.link);
    mfi_list_add_tail(&head, &b.link);
    mfi_list_add_tail(&head, &c.link);
    EXPECT(mfi_list_linked(&b.link));
    mfi_list_del_init(&b.link);
    EXPECT(!mfi_list_linked(&b.link));
    EXPECT_EQ(digits(&head), 13);
    mfi_list_del_init(&a.link);
    mfi_list_del_init(&c.link);
    EXPECT(mfi_list_empty(&head));
}

MFI_TEST(splice_moves_all_to_the_end_and_empties_the_source)
{
    struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
    struct list to, from;

    mfi_list_init(&to);
    mfi_list_init(&from);
    mfi_list_splice_tail(&to, &from); /* nothing to nothing */
    EXPECT(mfi_list_empty(&to));
    mfi_list_add_tail(&to, &a.link);
    mfi_list_add_tail(&from, &b.link);
    mfi_list_add_tail(&from, &c.link);
    mfi_list_splice_tail(&to, &from);
    EXPECT_EQ(digits(&to), 123);
    EXPECT(mfi_list_empty(&from));
    mfi_list_splice_tail(&to, &from);
    EXPECT_EQ(digits(&to), 123);
}
