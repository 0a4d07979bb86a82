/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "arena.h"
#include "pool.h"

static alignas(max_align_t) char first[256];
static struct arena arena;

START_TEST(the_first_bytes_come_from_the_owners_block)
{
	char *got;

	arena_init(&arena, first, sizeof first, 1000);
	got = arena_alloc(&arena, 100);
	ck_assert_ptr_eq(got, first);
	ck_assert_uint_eq(arena.left, 1000);
	arena_fini(&arena);
}
END_TEST

START_TEST(memory_is_aligned_and_does_not_overlap)
{
	unsigned char *pieces[50];

	arena_init(&arena, first, sizeof first, 100000);
	for (size_t i = 0; i < 50; i++) {
		pieces[i] = arena_alloc(&arena, i + 1);
		ck_assert_ptr_nonnull(pieces[i]);
		ck_assert_uint_eq((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		memset(pieces[i], (int)i, i + 1);
	}
	for (size_t i = 0; i < 50; i++) {
		for (size_t j = 0; j <= i; j++)
			ck_assert_uint_eq(pieces[i][j], i);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(the_bound_holds)
{
	arena_init(&arena, first, sizeof first, 8000);
	ck_assert_ptr_null(arena_alloc(&arena, 9000));
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 8));
	ck_assert_ptr_nonnull(arena_alloc(&arena, 5000));
	ck_assert_ptr_nonnull(arena_alloc(&arena, 2900));
	ck_assert_ptr_null(arena_alloc(&arena, 5000));
	arena_fini(&arena);
}
END_TEST

START_TEST(a_copy_ends_in_nul)
{
	struct lop_str copy;

	arena_init(&arena, first, sizeof first, 1000);
	copy = arena_copy(&arena, (struct lop_str){ "abcdef", 3 });
	ck_assert_str_eq(copy.data, "abc");
	copy = arena_copy(&arena, (struct lop_str){ NULL, 0 });
	ck_assert_str_eq(copy.data, "");
	ck_assert_uint_eq(copy.length, 0);
	ck_assert_ptr_null(arena_copy(&arena, (struct lop_str){ first, 5000 }).data);
	arena_fini(&arena);
}
END_TEST

START_TEST(a_pool_gives_back_what_was_put)
{
	struct pool pool;
	void *one;
	void *two;

	pool_init(&pool, 40, 2);
	one = pool_get(&pool);
	two = pool_get(&pool);
	ck_assert_ptr_ne(one, two);
	ck_assert_uint_eq((uintptr_t)two % alignof(max_align_t), 0);
	memset(one, 1, 40);
	memset(two, 2, 40);
	pool_put(&pool, one);
	pool_put(&pool, two);
	ck_assert_ptr_nonnull(pool_get(&pool));
	ck_assert_ptr_nonnull(pool_get(&pool));
	ck_assert_ptr_nonnull(pool_get(&pool));
	pool_fini(&pool);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arena");
	TCase *test = tcase_create("arena");
	SRunner *runner = srunner_create(suite);

	tcase_add_test(test, the_first_bytes_come_from_the_owners_block);
	tcase_add_test(test, memory_is_aligned_and_does_not_overlap);
	tcase_add_test(test, the_bound_holds);
	tcase_add_test(test, a_copy_ends_in_nul);
	tcase_add_test(test, a_pool_gives_back_what_was_put);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
