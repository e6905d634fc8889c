/* WHICH FILE A DESCRIPTOR IS. A path is kept until its descriptor is opened as something else. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "shim.h"

#define FILES_MAX 4096

struct file { char *path; int flags; int is_open; };

static struct file files[FILES_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *prefix;
static size_t prefix_bytes;

void files_begin(void) {
  prefix = getenv("BOP_SHIM_PREFIX");
  prefix_bytes = prefix ? strlen(prefix) : 0;
}

const char *below_prefix(const char *path) {
  if (!prefix || !path || strncmp(path, prefix, prefix_bytes) != 0) return NULL;
  if (path[prefix_bytes] == '\0') return "";
  return path[prefix_bytes] == '/' ? path + prefix_bytes + 1 : NULL;
}

void file_opened(int fd, const char *path, int flags) {
  if (fd < 0 || fd >= FILES_MAX) return;
  pthread_mutex_lock(&lock);
  /* The path before is not freed: a call that is under way may still look at it. */
  files[fd].path = strdup(path);
  files[fd].flags = flags;
  files[fd].is_open = 1;
  pthread_mutex_unlock(&lock);
}

void file_closed(int fd) {
  if (fd >= 0 && fd < FILES_MAX) files[fd].is_open = 0;
}

const char *file_path(int fd) {
  return fd >= 0 && fd < FILES_MAX && files[fd].is_open ? files[fd].path : NULL;
}

int file_is_synchronous(int fd) { return (files[fd].flags & O_DSYNC) != 0; }

int file_is_direct(int fd) { return (files[fd].flags & O_DIRECT) != 0; }
