/*
 * THE RECORDING: what was asked of the disk, in order. Each entry is a header in the byte order of
 * the machine, the paths, each with a final NUL, and the bytes.
 *
 *   magic u32, kind u32, fd i32, call u32, offset i64, result i64, path bytes u32, zero u32,
 *   bytes u64
 *
 *   open       offset: 1 if the call made the file; result: the flags
 *   close      before the descriptor is given back
 *   write      before it is done; result: 1 if it is durable when it has ended (O_DSYNC)
 *   truncate   before it is done; offset: the new size
 *   sync, rename, unlink, link, mkdir, rmdir     before they are done
 *   end        of what has the same `call`; result: what the caller gets, or the negated error;
 *              offset: of a write, how many bytes have landed
 *   told       what the process printed: acknowledgements
 *   dropped    what was written to the file and not synced is gone, as of a failed sync
 *
 * (1) A write that had ended before a sync began is covered by it, and the order of entries says so.
 *     One that comes between them is not known to be covered.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "shim.h"

#define MAGIC 0x52504f42u

struct header {
  uint32_t magic, kind;
  int32_t fd;
  uint32_t call;
  int64_t offset, result;
  uint32_t path_bytes, zero;
  uint64_t bytes;
};

static int out = -1;
static uint32_t calls;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void record_begin(void) {
  const char *path = getenv("BOP_SHIM_RECORDING");
  if (path) out = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

int recording(void) { return out >= 0; }

static void put(const void *from, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    long count = syscall(SYS_write, out, (const char *)from + done, bytes - done);
    if (count < 0 && errno != EINTR) _exit(98); /* Half a recording would prove nothing. */
    if (count > 0) done += (size_t)count;
  }
}

uint32_t record(struct entry entry) {
  if (out < 0) return 0;
  int kept = errno;
  size_t path = entry.path ? strlen(entry.path) + 1 : 0;
  size_t path2 = entry.path2 ? strlen(entry.path2) + 1 : 0;
  pthread_mutex_lock(&lock);
  if (entry.kind != KIND_END) entry.call = ++calls;
  struct header header = {MAGIC, entry.kind, entry.fd, entry.call, entry.offset, entry.result,
                          (uint32_t)(path + path2), 0, entry.bytes};
  put(&header, sizeof header);
  put(entry.path, path);
  put(entry.path2, path2);
  put(entry.data, entry.bytes);
  pthread_mutex_unlock(&lock);
  errno = kept;
  return entry.call;
}

void record_end(uint32_t call, int64_t result, int64_t landed) {
  if (out < 0) return;
  record((struct entry){.kind = KIND_END, .call = call, .offset = landed,
                        .result = result < 0 ? -(int64_t)errno : result});
}
