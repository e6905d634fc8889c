/*
 * RULES: which calls are refused, and how.
 *
 *   <calls> <part of the path> <what> <when>
 *
 *   calls   open read write sync truncate rename unlink link mkdir, separated by ','; or *
 *   path    what the path below the prefix has to contain; or *
 *   what    EIO ENOSPC EDQUOT EROFS EACCES EINTR, or short: less is done than was asked. `EIO+drop` on
 *           a sync: what was written since the last one is taken back, as some file systems do
 *   when    @5 the fifth such call; @5+ from the fifth on; %20 twenty of a thousand
 *
 * (1) EINTR and short calls hit a file twice in a row at most, or nobody could get on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "shim.h"

#define RULES_MAX 16
#define IN_A_ROW_MAX 2

struct rule {
  unsigned calls;
  char part[64];
  struct verdict verdict;
  int nth, onwards, per_mille;
  int seen, in_a_row;
};

static const char *const CALLS[CALL_COUNT] = {"open", "read", "write", "sync", "truncate",
                                              "rename", "unlink", "link", "mkdir"};
static const struct { const char *name; int error; } ERRORS[] = {
    {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS}, {"EACCES", EACCES},
    {"EINTR", EINTR}};

static struct rule rules[RULES_MAX];
static int count;
static const char *arm;
static int hits = -1;
static uint64_t state = 88172645463325252ull;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void refuse_rules(const char *text) {
  fprintf(stderr, "shim: no rule: %s\n", text);
  _exit(97);
}

static unsigned calls_of(char *names) {
  unsigned calls = 0;
  if (strcmp(names, "*") == 0) return ~0u;
  for (char *rest, *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
    unsigned before = calls;
    for (int n = 0; n < CALL_COUNT; n++)
      if (strcmp(CALLS[n], name) == 0) calls |= 1u << n;
    if (calls == before) refuse_rules(name);
  }
  return calls;
}

static struct verdict verdict_of(char *what) {
  struct verdict verdict = {0, 0, 0};
  char *drop = strstr(what, "+drop");
  if (drop) { verdict.drops = 1; *drop = '\0'; }
  if (strcmp(what, "short") == 0) { verdict.is_short = 1; return verdict; }
  for (size_t n = 0; n < sizeof ERRORS / sizeof *ERRORS; n++)
    if (strcmp(ERRORS[n].name, what) == 0) verdict.error = ERRORS[n].error;
  if (verdict.error == 0) refuse_rules(what);
  return verdict;
}

static void add_rule(const char *text) {
  char calls[128], what[32], when[32];
  struct rule rule = {0};
  if (count == RULES_MAX) refuse_rules(text);
  if (sscanf(text, " %127s %63s %31s %31s", calls, rule.part, what, when) != 4) refuse_rules(text);
  rule.calls = calls_of(calls);
  rule.verdict = verdict_of(what);
  if (when[0] == '@') {
    rule.nth = atoi(when + 1);
    rule.onwards = when[strlen(when) - 1] == '+';
  } else if (when[0] == '%') rule.per_mille = atoi(when + 1);
  if (rule.nth < 1 && rule.per_mille < 1) refuse_rules(text);
  rules[count++] = rule;
}

void rules_begin(void) {
  const char *text = getenv("BOP_SHIM_RULES"), *path = getenv("BOP_SHIM_HITS");
  const char *seed = getenv("BOP_SHIM_SEED");
  arm = getenv("BOP_SHIM_ARM");
  if (seed) state ^= strtoull(seed, NULL, 10) * 0x9e3779b97f4a7c15ull;
  if (path) hits = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (!text) return;
  char *copy = strdup(text);
  for (char *rest, *rule = strtok_r(copy, ";", &rest); rule; rule = strtok_r(NULL, ";", &rest))
    add_rule(rule);
  free(copy);
}

int rules_any(void) { return count > 0; }

int rules_drop(void) {
  for (int n = 0; n < count; n++)
    if (rules[n].verdict.drops) return 1;
  return 0;
}

/* xorshift64; the lock is held, or nobody minds. */
uint64_t chance(uint64_t below) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return below == 0 ? 0 : state % below;
}

static int hit(struct rule *rule) {
  rule->seen += 1;
  int now = rule->nth > 0 ? (rule->onwards ? rule->seen >= rule->nth : rule->seen == rule->nth)
                          : (int)chance(1000) < rule->per_mille;
  int passes = rule->verdict.is_short || rule->verdict.error == EINTR;
  if (now && passes && rule->in_a_row >= IN_A_ROW_MAX) now = 0;
  rule->in_a_row = now ? rule->in_a_row + 1 : 0;
  return now;
}

static void tell(enum call call, const char *path, struct verdict verdict) {
  char line[512];
  const char *name = "short";
  for (size_t n = 0; n < sizeof ERRORS / sizeof *ERRORS; n++)
    if (verdict.error == ERRORS[n].error) name = ERRORS[n].name;
  int bytes = snprintf(line, sizeof line, "%s %s%s %s\n", CALLS[call], name,
                       verdict.drops ? "+drop" : "", path);
  if (hits >= 0 && bytes > 0) (void)!syscall(SYS_write, hits, line, (size_t)bytes);
}

struct verdict rules_ask(enum call call, const char *path) {
  struct verdict none = {0, 0, 0};
  if (count == 0 || (arm && syscall(SYS_faccessat, AT_FDCWD, arm, F_OK) != 0)) return none;
  pthread_mutex_lock(&lock);
  for (int n = 0; n < count; n++) {
    struct rule *rule = &rules[n];
    int concerns = (rule->calls >> call & 1) &&
                   (strcmp(rule->part, "*") == 0 || strstr(path, rule->part) != NULL);
    if (!concerns || !hit(rule)) continue;
    tell(call, path, rule->verdict);
    none = rule->verdict;
    break;
  }
  pthread_mutex_unlock(&lock);
  return none;
}
