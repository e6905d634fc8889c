/*
 * A FILE SYSTEM THAT FAILS: a library that is loaded before libc (LD_PRELOAD) and stands between a
 * process and its files below one folder. It refuses calls as rules say, and it writes down what is
 * asked of the disk, so that images of power cuts can be made of it (test/crash/cuts).
 *
 *   BOP_SHIM_PREFIX     the folder; calls for anything else pass
 *   BOP_SHIM_RULES      rules, separated by ';' (rules.c)
 *   BOP_SHIM_ARM        a file: rules count only while it exists
 *   BOP_SHIM_HITS       a file that gets a line for each call that was refused
 *   BOP_SHIM_SEED       of the rules that go by chance
 *   BOP_SHIM_RECORDING  a file that gets every change, in order (record.c)
 *
 * (1) What does not go through libc is not seen: io_uring (UV_USE_IO_URING must be 0) and pages that
 *     are written through a mapping. The manifest is not mapped for writing; lock.mdb is, and holds
 *     nothing that is needed after a crash.
 * (2) Real calls are made as system calls, so nothing here depends on what else is loaded.
 * (3) A refused write has written a beginning of its bytes, as often as nothing.
 */
#ifndef BOP_SHIM_H
#define BOP_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum call { CALL_OPEN, CALL_READ, CALL_WRITE, CALL_SYNC, CALL_TRUNCATE, CALL_RENAME, CALL_UNLINK,
            CALL_LINK, CALL_MKDIR, CALL_COUNT };

enum kind { KIND_OPEN = 1, KIND_CLOSE, KIND_WRITE, KIND_TRUNCATE, KIND_SYNC, KIND_END, KIND_RENAME,
            KIND_UNLINK, KIND_LINK, KIND_MKDIR, KIND_RMDIR, KIND_TOLD, KIND_DROPPED };

/* What a rule does to a call: `error` 0 is none; a short call does less than was asked. */
struct verdict { int error; int is_short; int drops; };

/* An entry of the log. `call` pairs a beginning with its end; numbers as record.c says. */
struct entry {
  enum kind kind;
  int fd;
  uint32_t call;
  int64_t offset;
  int64_t result;
  const char *path;
  const char *path2;
  const void *data;
  size_t bytes;
};

/* rules.c */
void rules_begin(void);
int rules_any(void);
int rules_drop(void);
struct verdict rules_ask(enum call call, const char *path);
uint64_t chance(uint64_t below);

/* record.c */
void record_begin(void);
int recording(void);
uint32_t record(struct entry entry);
void record_end(uint32_t call, int64_t result, int64_t landed);

/* undo.c */
void undo_remember(int fd, int64_t offset, size_t bytes);
uint64_t undo_mark(void);
void undo_forget(int fd, uint64_t until);
void undo_apply(int fd);

/* files.c */
void files_begin(void);
const char *below_prefix(const char *path);
void file_opened(int fd, const char *path, int flags);
void file_closed(int fd);
/* The path below the prefix, or NULL where the file is none of ours. */
const char *file_path(int fd);
int file_is_synchronous(int fd);
int file_is_direct(int fd);

#endif
