/* THE CALLS that the process believes to be libc's. Each asks the rules, writes down, and does. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "shim.h"

#define GATHER_MAX (64 << 20)
#define DIRECT_STEP 4096

__attribute__((constructor)) static void begin(void) {
  files_begin();
  rules_begin();
  record_begin();
}

static int refused(int error) {
  errno = error;
  return -1;
}

/* ── names ─────────────────────────────────────────────────────────────────────────────────── */

static int open_below(const char *path, int flags, mode_t mode) {
  const char *below = below_prefix(path);
  if (!below) return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  struct verdict verdict = rules_ask(CALL_OPEN, below);
  if (verdict.error) return refused(verdict.error);
  int existed = !(flags & O_CREAT) || syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
  int fd = syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  if (fd < 0) return fd;
  file_opened(fd, below, flags);
  record((struct entry){.kind = KIND_OPEN, .fd = fd, .offset = !existed, .result = flags, .path = below});
  return fd;
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_below(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_below(path, flags, mode);
}

int close(int fd) {
  if (file_path(fd)) record((struct entry){.kind = KIND_CLOSE, .fd = fd});
  file_closed(fd);
  return syscall(SYS_close, fd);
}

/* Of a change of names: what was done, written down with its beginning and its end. */
#define NAMES(CALL, KIND, FROM, TO, DO)                                                            \
  const char *below = below_prefix(FROM), *other = below_prefix(TO);                               \
  if (!below && !other) return DO;                                                                 \
  struct verdict verdict = rules_ask(CALL, below ? below : other);                                 \
  if (verdict.error) return refused(verdict.error);                                                \
  uint32_t call = record((struct entry){.kind = KIND, .path = below ? below : "/", .path2 = other}); \
  int result = DO;                                                                                 \
  record_end(call, result, 0);                                                                     \
  return result

int rename(const char *from, const char *to) {
  NAMES(CALL_RENAME, KIND_RENAME, from, to, syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int link(const char *from, const char *to) {
  NAMES(CALL_LINK, KIND_LINK, from, to, syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int unlink(const char *path) {
  NAMES(CALL_UNLINK, KIND_UNLINK, path, NULL, syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int rmdir(const char *path) {
  NAMES(CALL_UNLINK, KIND_RMDIR, path, NULL, syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
}

int mkdir(const char *path, mode_t mode) {
  NAMES(CALL_MKDIR, KIND_MKDIR, path, NULL, syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

/* ── reads ─────────────────────────────────────────────────────────────────────────────────── */

static ssize_t read_at(int fd, void *into, size_t bytes, int64_t offset) {
  const char *path = file_path(fd);
  struct verdict verdict = path ? rules_ask(CALL_READ, path) : (struct verdict){0, 0, 0};
  if (verdict.error) return refused(verdict.error);
  if (verdict.is_short && bytes > 1) bytes = 1 + chance(bytes - 1);
  return offset < 0 ? syscall(SYS_read, fd, into, bytes) : syscall(SYS_pread64, fd, into, bytes, offset);
}

ssize_t read(int fd, void *into, size_t bytes) { return read_at(fd, into, bytes, -1); }
ssize_t pread(int fd, void *into, size_t bytes, off_t at) { return read_at(fd, into, bytes, at); }
ssize_t pread64(int fd, void *into, size_t bytes, off64_t at) { return read_at(fd, into, bytes, at); }

/* ── writes ────────────────────────────────────────────────────────────────────────────────── */

/* How much of a refused or short write lands. Direct writes land in whole blocks. */
static size_t landing(size_t bytes, struct verdict verdict, int is_direct) {
  size_t step = is_direct || bytes > DIRECT_STEP ? DIRECT_STEP : 1;
  size_t steps = bytes / step;
  if (verdict.is_short) return steps < 2 ? bytes : step * (1 + chance(steps - 1));
  return verdict.error == EINTR || chance(2) == 0 ? 0 : step * chance(steps + 1);
}

static ssize_t do_write(int fd, const void *from, size_t bytes, int64_t offset) {
  return offset < 0 ? syscall(SYS_write, fd, from, bytes)
                    : syscall(SYS_pwrite64, fd, from, bytes, offset);
}

static ssize_t write_at(int fd, const void *from, size_t bytes, int64_t offset) {
  const char *path = file_path(fd);
  if (!path) {
    if (fd == STDOUT_FILENO && recording())
      record((struct entry){.kind = KIND_TOLD, .fd = fd, .data = from, .bytes = bytes});
    return do_write(fd, from, bytes, offset);
  }
  int64_t at = offset < 0 ? syscall(SYS_lseek, fd, 0, SEEK_CUR) : offset;
  int lasts = file_is_synchronous(fd);
  struct verdict verdict = rules_ask(CALL_WRITE, path);
  if (rules_drop() && !lasts) undo_remember(fd, at, bytes);
  uint32_t call = record((struct entry){.kind = KIND_WRITE, .fd = fd, .offset = at, .result = lasts,
                                        .data = from, .bytes = bytes});
  ssize_t done;
  if (verdict.error || verdict.is_short) {
    size_t wanted = landing(bytes, verdict, file_is_direct(fd));
    done = wanted == 0 ? 0 : do_write(fd, from, wanted, offset);
    if (done < 0) done = 0;
    int64_t landed = done;
    if (verdict.error) done = refused(verdict.error);
    record_end(call, done, landed);
    return done;
  }
  done = do_write(fd, from, bytes, offset);
  record_end(call, done, done < 0 ? 0 : done);
  return done;
}

ssize_t write(int fd, const void *from, size_t bytes) { return write_at(fd, from, bytes, -1); }
ssize_t pwrite(int fd, const void *from, size_t n, off_t at) { return write_at(fd, from, n, at); }
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at) { return write_at(fd, from, n, at); }

/* Piece by piece: a gathering write is not one operation for the disk either. */
static ssize_t gather(int fd, const struct iovec *pieces, int count, int64_t offset) {
  ssize_t done = 0;
  for (int n = 0; n < count; n++) {
    ssize_t one = write_at(fd, pieces[n].iov_base, pieces[n].iov_len, offset < 0 ? -1 : offset + done);
    if (one < 0) return done > 0 ? done : one;
    done += one;
    if ((size_t)one < pieces[n].iov_len) break;
  }
  return done;
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
  return file_path(fd) ? gather(fd, pieces, count, -1) : syscall(SYS_writev, fd, pieces, count);
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t at) {
  return gather(fd, pieces, count, at);
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at) {
  return gather(fd, pieces, count, at);
}

int ftruncate64(int fd, off64_t bytes) {
  const char *path = file_path(fd);
  if (!path) return syscall(SYS_ftruncate, fd, bytes);
  struct verdict verdict = rules_ask(CALL_TRUNCATE, path);
  if (verdict.error) return refused(verdict.error);
  uint32_t call = record((struct entry){.kind = KIND_TRUNCATE, .fd = fd, .offset = bytes});
  int result = syscall(SYS_ftruncate, fd, bytes);
  record_end(call, result, 0);
  return result;
}
int ftruncate(int fd, off_t bytes) { return ftruncate64(fd, bytes); }

/* ── syncs ─────────────────────────────────────────────────────────────────────────────────── */

static int sync_file(int fd, long number) {
  const char *path = file_path(fd);
  if (!path) return syscall(number, fd);
  struct verdict verdict = rules_ask(CALL_SYNC, path);
  uint64_t mark = undo_mark();
  uint32_t call = record((struct entry){.kind = KIND_SYNC, .fd = fd});
  if (verdict.drops) {
    undo_apply(fd);
    record((struct entry){.kind = KIND_DROPPED, .fd = fd});
  }
  int result = verdict.error ? refused(verdict.error) : (int)syscall(number, fd);
  record_end(call, result, 0);
  if (result == 0) undo_forget(fd, mark);
  return result;
}

int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }
