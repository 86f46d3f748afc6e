/* A plugin in C: strategy `tiny`, which promotes at once. One fault can be compiled in.
 *
 * Its JSON is read by looking for keys, which is enough for what a host sends. */
#define _XOPEN_SOURCE 700
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wavegate_plugin.h"

static const wavegate_host *host;
static int is_down;

static void reply(uint64_t id, const char *rest) {
  char text[1024];
  int length = snprintf(text, sizeof text, "{\"id\":%llu,%s}", (unsigned long long)id, rest);
  wavegate_bytes bytes = {(const uint8_t *)text, (size_t)length};
  host->reply(host->ctx, id, bytes);
}

static void error(uint64_t id, const char *code, const char *message) {
  char text[256];
#ifdef NO_CODE
  if (!strcmp(code, "component.unknown")) code = "sorry";
#endif
  snprintf(text, sizeof text, "\"error\":{\"code\":\"%s\",\"message\":\"%s\"}", code, message);
  reply(id, text);
}

/* The number after `key`, or `otherwise`. */
static unsigned long long number(const char *text, const char *key, unsigned long long otherwise) {
  const char *found = strstr(text, key);
  return found ? strtoull(found + strlen(key), NULL, 10) : otherwise;
}

static int says(const char *text, const char *words) { return strstr(text, words) != NULL; }

static void describe(uint64_t id) {
  reply(id, "\"ok\":{\"name\":\"tiny\",\"version\":\"1\",\"protocol\":[1,1],\"components\":["
            "{\"kind\":\"strategy\",\"id\":\"tiny\",\"config_schema\":{\"type\":\"object\","
            "\"additionalProperties\":false}}]}");
}

/* Configs have no keys. */
static void validate(uint64_t id, const char *text) {
  if (says(text, "\"config\":{}"))
    reply(id, "\"ok\":{\"diagnostics\":[]}");
  else
    reply(id, "\"ok\":{\"diagnostics\":[{\"path\":\"wavegate_unknown_key\",\"severity\":\"error\","
              "\"message\":\"it takes no keys\"}]}");
}

static void decide(uint64_t id, const char *text) {
#ifdef CRASHES
  if (says(text, "\"bake_elapsed_ms\":18446744073709551615")) raise(SIGSEGV);
#endif
#ifdef HANGS
  for (;;) pause();
#endif
#ifdef HANGS_AT_THE_END
  while (says(text, "\"bake_elapsed_ms\":18446744073709551615")) pause();
#endif
  const char *decision = "promote\"";
  if (number(text, "\"alarms_firing\":", 0) > 0)
    decision = "rollback\",\"reason\":\"an alarm fires\"";
  else if (number(text, "\"alarms_unknown\":", 0) > 0)
    decision = "wait\",\"millis\":1000";
  char ok[256];
  snprintf(ok, sizeof ok, "\"ok\":{\"decision\":{\"kind\":\"%s},\"state\":null}", decision);
  reply(id, ok);
}

static void answer(uint64_t id, const char *text) {
#ifndef ANY_MESSAGE
  if (!says(text, "\"params\":{") || text[0] != '{' || text[strlen(text) - 1] != '}' ||
      says(text, "\xff")) {
    error(id, "message.invalid", "no call");
    return;
  }
#endif
  unsigned long long own = number(text, "{\"id\":", id);
  if (own != id) {
#ifdef ECHOES_ID
    describe(own);
#else
    error(id, "message.invalid", "another id");
#endif
    return;
  }
  if (says(text, "\"method\":\"plugin.describe\"")) {
    describe(id);
    return;
  }
#ifndef ANY_PROTOCOL
  if (number(text, "\"protocol\":", 1) != 1) {
    error(id, "protocol.unsupported", "protocol 1 is spoken here");
    return;
  }
#endif
  int is_known = says(text, "\"component\":\"tiny\"");
#ifdef ANY_PROTOCOL
  if (number(text, "\"protocol\":", 1) != 1) is_known = 1;
#endif
  if (says(text, "\"method\":\"wavegate.")) {
#ifdef ANY_METHOD
    if (says(text, "no_such_method")) {
      describe(id);
      return;
    }
#endif
    error(id, "method.unknown", "no such method");
  } else if (!is_known)
    error(id, "component.unknown", "no such component");
  else if (says(text, "\"method\":\"config.validate\""))
    validate(id, text);
  else if (says(text, "\"method\":\"strategy.outline\""))
    reply(id, "\"ok\":{\"steps\":[],\"duration_ms_max\":0}");
  else if (says(text, "\"method\":\"strategy.decide\""))
    decide(id, text);
  else
#ifdef ANY_MESSAGE
    describe(id);
#else
    error(id, "method.unknown", "no such method");
#endif
}

static wavegate_status call(void *ctx, uint64_t id, wavegate_bytes message) {
  (void)ctx;
  if (is_down) return WAVEGATE_E_SHUTDOWN;
#ifndef READS_NULL
  if (!message.ptr && message.len) return WAVEGATE_E_ARGUMENT;
#endif
#ifdef SMALL_BUFFER
  if (message.len > 1 << 20) abort();
#endif
#ifdef PRINTS
  printf("hello\n");
#endif
#ifdef CHANGES_DIRECTORY
  if (chdir("/tmp")) return WAVEGATE_E_INTERNAL;
#endif
  char *text = malloc(message.len + 1);
  if (!text) return WAVEGATE_E_INTERNAL;
  if (message.len) memcpy(text, message.ptr, message.len);
  text[message.len] = 0;
#ifdef ANY_MESSAGE
  if (!says(text, "\"method\"")) describe(id);
  else
#endif
  answer(id, text);
#ifdef REPLIES_TWICE
  if (id == 5000) answer(id, text);
#endif
  free(text);
  return WAVEGATE_OK;
}

static void cancel(void *ctx, uint64_t id) {
  (void)ctx;
  (void)id;
#ifdef REPLIES_TO_CANCEL
  if (id == 1) error(id, "call.cancelled", "as you wish");
#endif
}

static void take_down(void *ctx) {
  (void)ctx;
#ifndef IMMORTAL
  is_down = 1;
#endif
}

#ifdef TAKES_FAULTS
/* As a language's runtime does, which knows what to make of them. */
static void fault(int number) { _exit(128 + number); }
#endif

#define REACHES(size, type, field) ((size) >= offsetof(type, field) + sizeof(void *))

WAVEGATE_EXPORT wavegate_status wavegate_plugin_init_v1(const wavegate_host *given,
                                                        wavegate_plugin *out) {
  if (!given || !out) return WAVEGATE_E_ARGUMENT;
#ifdef EXACT_SIZES
  if (out->struct_size > sizeof *out) return WAVEGATE_E_UNSUPPORTED;
#endif
#ifdef ANY_SIZE
  out->call = call;
#endif
  if (!REACHES(given->struct_size, wavegate_host, reply) ||
      !REACHES(out->struct_size, wavegate_plugin, call))
    return WAVEGATE_E_UNSUPPORTED;
  host = given;
#ifdef SETS_VARIABLE
  setenv("TINY", "a secret", 1);
#endif
#ifdef TAKES_SIGNAL
  signal(SIGTERM, SIG_IGN);
#endif
#ifdef TAKES_FAULTS
  {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGURG, SIGPROF};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) signal(faults[i], fault);
  }
#endif
#ifdef CALLS_BEYOND
  {
    wavegate_bytes record = {(const uint8_t *)"{}", 2};
    host->log(host->ctx, 3, 0, record);
  }
#endif
  out->abi_minor = WAVEGATE_ABI_MINOR;
  out->ctx = NULL;
  out->call = call;
#ifdef WRITES_BEYOND
  out->cancel = cancel;
#else
  if (REACHES(out->struct_size, wavegate_plugin, cancel)) out->cancel = cancel;
#endif
  if (REACHES(out->struct_size, wavegate_plugin, shutdown)) out->shutdown = take_down;
  if (out->struct_size > sizeof *out) out->struct_size = sizeof *out;
  return WAVEGATE_OK;
}
