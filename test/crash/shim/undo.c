/*
 * WHAT A FAILED SYNC TAKES BACK: the bytes that lay in a file before each write since its last sync.
 *
 * (1) Only what was written before the sync began is forgotten when it succeeds.
 * (2) A file's size stays as it has become: what lay behind its end comes back as zeros.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "shim.h"

struct before {
  struct before *older;
  uint64_t number;
  dev_t device;
  ino_t inode;
  int64_t offset;
  size_t bytes;
  char data[];
};

static struct before *newest;
static uint64_t number;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void undo_remember(int fd, int64_t offset, size_t bytes) {
  struct stat status;
  if (bytes == 0 || fstat(fd, &status) != 0) return;
  struct before *before = calloc(1, sizeof *before + bytes);
  if (!before) return;
  (void)!syscall(SYS_pread64, fd, before->data, bytes, offset);
  before->device = status.st_dev;
  before->inode = status.st_ino;
  before->offset = offset;
  before->bytes = bytes;
  pthread_mutex_lock(&lock);
  before->number = ++number;
  before->older = newest;
  newest = before;
  pthread_mutex_unlock(&lock);
}

uint64_t undo_mark(void) { return number; }

/* Takes those of the file that are not younger out of the list, the newest first. */
static struct before *taken(int fd, uint64_t until) {
  struct before *first = NULL, **last = &first;
  struct stat status;
  if (fstat(fd, &status) != 0) return NULL;
  pthread_mutex_lock(&lock);
  for (struct before **at = &newest; *at;) {
    struct before *each = *at;
    if (each->device != status.st_dev || each->inode != status.st_ino || each->number > until) {
      at = &each->older;
      continue;
    }
    *at = each->older;
    each->older = NULL;
    *last = each;
    last = &each->older;
  }
  pthread_mutex_unlock(&lock);
  return first;
}

static void free_all(struct before *first) {
  while (first) {
    struct before *older = first->older;
    free(first);
    first = older;
  }
}

void undo_forget(int fd, uint64_t until) { free_all(taken(fd, until)); }

void undo_apply(int fd) {
  struct before *first = taken(fd, UINT64_MAX);
  for (struct before *each = first; each; each = each->older)
    (void)!syscall(SYS_pwrite64, fd, each->data, each->bytes, each->offset);
  free_all(first);
}
