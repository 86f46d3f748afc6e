/* two_step.c: a wavegate plugin in C, written against wavegate_plugin.h alone.
 *
 *   strategy two-step   a first share of the traffic, then all of it
 *   hook     moment     passes after a moment
 *
 * The strategy answers before `call` returns. The hook must not: its calls wait in a list, and one
 * thread, started by the first of them, replies when their moments have come. */
#define _POSIX_C_SOURCE 200809L

#include "json.h"
#include "wavegate_plugin.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* What the header allows. */
#define MESSAGE_BYTES_MAX (16u << 20)
/* How long to wait before an alarm is asked about again that could not be told. */
#define UNKNOWN_RECHECK_MS 10000

/* ---- what there is --------------------------------------------------------------------------- */

#define KEYS_MAX 2

/* A key of a component's config: a whole number. All keys are needed. */
typedef struct key {
  const char *name;
  uint64_t min;
  uint64_t max;
} key;

typedef struct component {
  const char *kind;
  const char *id;
  const char *summary;
  const char *example;
  key keys[KEYS_MAX];
} component;

static const component TWO_STEP = {
    "strategy",
    "two-step",
    "a first share of the traffic, then all of it",
    "{\"first_percent\":10,\"bake_seconds\":300}",
    {{"first_percent", 1, 99}, {"bake_seconds", 0, 86400}},
};
static const component MOMENT = {
    "hook", "moment", "passes after a moment", "{\"wait_ms\":20}", {{"wait_ms", 0, 60000}},
};
static const component *const COMPONENTS[] = {&TWO_STEP, &MOMENT};
#define COMPONENTS_COUNT (sizeof COMPONENTS / sizeof COMPONENTS[0])

/* ---- replies --------------------------------------------------------------------------------- */

/* A reply that is being written: {"id":N, and then "ok" or "error". */
typedef struct text {
  char *at;
  size_t length;
  size_t room;
  bool has_failed; /* there was no memory */
} text;

static void say_list(text *out, const char *format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  int more = vsnprintf(NULL, 0, format, again);
  va_end(again);
  size_t needed = out->length + (size_t)more + 1;
  out->has_failed |= more < 0;
  if (needed > out->room && !out->has_failed) {
    char *grown = realloc(out->at, 2 * needed);
    out->has_failed = grown == NULL;
    out->at = out->has_failed ? out->at : grown;
    out->room = out->has_failed ? out->room : 2 * needed;
  }
  if (!out->has_failed) {
    vsnprintf(out->at + out->length, out->room - out->length, format, arguments);
    out->length += (size_t)more;
  }
}

__attribute__((format(printf, 2, 3))) static void say(text *out, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say_list(out, format, arguments);
  va_end(arguments);
}

/* Why there is no answer, in place of one. */
__attribute__((format(printf, 3, 4))) static void fail(text *out, const char *code,
                                                       const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(out, "\"error\":{\"code\":\"%s\",\"message\":\"", code);
  say_list(out, format, arguments);
  say(out, "\"}");
  va_end(arguments);
}

/* A string of a message for "%.*s", without its quotes. It is escaped already. One that is too long
 * to be shown is not. */
#define SHOWN(string) shown_length(string), (string).at + 1
static int shown_length(json string) {
  ptrdiff_t length = string.end - string.at - 2;
  return length > 0 && length <= 200 ? (int)length : 0;
}

/* ---- the plugin ------------------------------------------------------------------------------ */

typedef enum moment_end { PASSES, IS_LATE, IS_CANCELLED } moment_end;

/* A hook's call that waits for its moment. */
typedef struct moment {
  struct moment *next;
  uint64_t call_id;
  uint64_t due_ms;
  moment_end end;
} moment;

/* One per init; it lives until the process ends. */
typedef struct plugin {
  void *host_ctx;
  void(WAVEGATE_CALL *host_reply)(void *ctx, uint64_t call_id, wavegate_bytes message);
  pthread_mutex_t lock; /* of all that follows; never held while the host is called */
  bool is_down;
  bool has_thread;
  pthread_t thread;
  int wake[2]; /* a pipe that ends the thread's wait */
  moment *moments;
} plugin;

static text begin_reply(uint64_t call_id) {
  text out = {0};
  say(&out, "{\"id\":%" PRIu64 ",", call_id);
  return out;
}

/* Gives the one reply to a call. */
static void end_reply(const plugin *self, uint64_t call_id, text *out) {
  char instead[128];
  say(out, "}");
  wavegate_bytes reply = {(const uint8_t *)out->at, out->length};
  if (out->has_failed) {
    int length = snprintf(instead, sizeof instead,
                          "{\"id\":%" PRIu64 ",\"error\":{\"code\":\"plugin.memory\","
                          "\"message\":\"there is no memory\"}}",
                          call_id);
    reply = (wavegate_bytes){(const uint8_t *)instead, (size_t)length};
  }
  self->host_reply(self->host_ctx, call_id, reply);
  free(out->at);
}

/* ---- configs --------------------------------------------------------------------------------- */

static const key *key_of(const component *of, json name) {
  for (const key *one = of->keys; one < of->keys + KEYS_MAX && one->name != NULL; one++) {
    if (json_is(name, one->name)) {
      return one;
    }
  }
  return NULL;
}

static void say_finding(text *out, size_t *found, int length, const char *path,
                        const char *words) {
  say(out, "%s{\"path\":\"%.*s\",\"severity\":\"error\",\"message\":\"%s\"}",
      (*found)++ == 0 ? "" : ",", length, path, words);
}

/* Reads a component's keys into `values`, in their order. Says all that is wrong, as diagnostics
 * with commas between, and returns how many. */
static size_t read_config(const component *of, json config, uint64_t *values, text *out) {
  size_t found = 0;
  json name, value, rest = config;
  if (!json_is_object(config)) {
    say_finding(out, &found, 0, "", "a config is a table of keys and values");
    return found;
  }
  while (json_next(&rest, &name, &value)) {
    if (key_of(of, name) == NULL) {
      say_finding(out, &found, SHOWN(name), "there is no such key");
    }
  }
  for (size_t i = 0; i < KEYS_MAX && of->keys[i].name != NULL; i++) {
    const key *one = &of->keys[i];
    int length = (int)strlen(one->name);
    char words[96];
    snprintf(words, sizeof words, "write a whole number from %" PRIu64 " to %" PRIu64, one->min,
             one->max);
    if (!json_member(config, one->name, &value)) {
      say_finding(out, &found, length, one->name, "it is missing");
    } else if (!json_uint(value, &values[i]) || values[i] < one->min || values[i] > one->max) {
      say_finding(out, &found, length, one->name, words);
    }
  }
  return found;
}

/* As above, for a call that needs the values: one without them fails. */
static bool has_config(const component *of, json params, uint64_t *values, text *out) {
  text findings = {0};
  json config;
  if (!json_member(params, "config", &config)) {
    fail(out, "message.invalid", "the params have no config");
    return false;
  }
  size_t found = read_config(of, config, values, &findings);
  free(findings.at);
  if (found > 0) {
    fail(out, "config.invalid", "the config of `%s` is wrong in %zu places", of->id, found);
  }
  return found == 0;
}

/* ---- methods: each says "ok" or "error" ------------------------------------------------------ */

static const component *find(const char *kind, json params, text *out) {
  json id;
  if (!json_member(params, "component", &id) || *id.at != '"') {
    fail(out, "message.invalid", "the params name no component");
    return NULL;
  }
  for (size_t i = 0; i < COMPONENTS_COUNT; i++) {
    if (strcmp(COMPONENTS[i]->kind, kind) == 0 && json_is(id, COMPONENTS[i]->id)) {
      return COMPONENTS[i];
    }
  }
  fail(out, "component.unknown", "there is no %s `%.*s` in this plugin", kind, SHOWN(id));
  return NULL;
}

static void say_component(text *out, const component *of) {
  say(out, "{\"kind\":\"%s\",\"id\":\"%s\",\"summary\":\"%s\",", of->kind, of->id, of->summary);
  say(out, "\"config_schema\":{\"type\":\"object\",\"additionalProperties\":false,"
           "\"examples\":[%s],\"properties\":{",
      of->example);
  for (size_t i = 0; i < KEYS_MAX && of->keys[i].name != NULL; i++) {
    const key *one = &of->keys[i];
    say(out, "%s\"%s\":{\"type\":\"integer\",\"minimum\":%" PRIu64 ",\"maximum\":%" PRIu64 "}",
        i == 0 ? "" : ",", one->name, one->min, one->max);
  }
  say(out, "},\"required\":[");
  for (size_t i = 0; i < KEYS_MAX && of->keys[i].name != NULL; i++) {
    say(out, "%s\"%s\"", i == 0 ? "" : ",", of->keys[i].name);
  }
  say(out, "]}}");
}

static void describe(text *out) {
  say(out, "\"ok\":{\"name\":\"two-step\",\"version\":\"0.1.0\",\"protocol\":[1,1],"
           "\"components\":[");
  for (size_t i = 0; i < COMPONENTS_COUNT; i++) {
    say(out, "%s", i == 0 ? "" : ",");
    say_component(out, COMPONENTS[i]);
  }
  say(out, "]}");
}

static void validate(json params, text *out) {
  json kind, config;
  uint64_t values[KEYS_MAX];
  if (!json_member(params, "kind", &kind) || !json_member(params, "config", &config)) {
    fail(out, "message.invalid", "the params need a kind and a config");
    return;
  }
  const char *name = json_is(kind, "strategy") ? "strategy"
                     : json_is(kind, "hook")   ? "hook"
                                               : "alarm";
  const component *of = find(name, params, out);
  if (of != NULL) {
    say(out, "\"ok\":{\"diagnostics\":[");
    read_config(of, config, values, out);
    say(out, "]}");
  }
}

static void outline(json params, text *out) {
  uint64_t values[KEYS_MAX];
  const component *of = find("strategy", params, out);
  if (of != NULL && has_config(of, params, values, out)) {
    uint64_t weight_bp = values[0] * 100, bake_ms = values[1] * 1000;
    say(out,
        "\"ok\":{\"steps\":[{\"weight_bp\":%" PRIu64 ",\"bake_ms_min\":%" PRIu64
        ",\"bake_ms_max\":%" PRIu64 "}],\"duration_ms_max\":%" PRIu64 "}",
        weight_bp, bake_ms, bake_ms, bake_ms);
  }
}

/* The state is null: the weight in force says where the rollout stands. */
__attribute__((format(printf, 2, 3))) static void decide_on(text *out, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(out, "\"ok\":{\"state\":null,\"decision\":{");
  say_list(out, format, arguments);
  say(out, "}}");
  va_end(arguments);
}

static bool observed(json seen, const char *name, uint64_t *number) {
  json value;
  return json_member(seen, name, &value) && json_uint(value, number);
}

static void decide(json params, text *out) {
  uint64_t values[KEYS_MAX], weight_bp, baked_ms, firing, unknown;
  json seen;
  const component *of = find("strategy", params, out);
  if (of == NULL || !has_config(of, params, values, out)) {
    return;
  }
  if (!json_member(params, "observation", &seen) || !observed(seen, "weight_bp", &weight_bp) ||
      !observed(seen, "bake_elapsed_ms", &baked_ms) || !observed(seen, "alarms_firing", &firing) ||
      !observed(seen, "alarms_unknown", &unknown)) {
    fail(out, "message.invalid", "the observation cannot be read");
    return;
  }
  uint64_t first_bp = values[0] * 100, bake_ms = values[1] * 1000;
  bool is_first = weight_bp >= first_bp;
  if (firing > 0) {
    decide_on(out, "\"kind\":\"rollback\",\"reason\":\"alarms that fire: %" PRIu64 "\"", firing);
  } else if (is_first && baked_ms < bake_ms) {
    decide_on(out, "\"kind\":\"wait\",\"millis\":%" PRIu64, bake_ms - baked_ms);
  } else if (unknown > 0) {
    decide_on(out, "\"kind\":\"wait\",\"millis\":%d", UNKNOWN_RECHECK_MS);
  } else if (is_first) {
    decide_on(out, "\"kind\":\"promote\"");
  } else {
    decide_on(out, "\"kind\":\"shift\",\"weight_bp\":%" PRIu64, first_bp);
  }
}

/* ---- the hook's thread ----------------------------------------------------------------------- */

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Wakes the thread. A pipe that is full has woken it already. */
static void wake(plugin *self) {
  ssize_t written = write(self->wake[1], "", 1);
  (void)written;
}

/* Takes the calls out of the list that are over, and tells how long the others have to wait. */
static moment *take_over(plugin *self, int *wait_ms) {
  moment *over = NULL;
  uint64_t now = now_ms();
  *wait_ms = -1;
  for (moment **link = &self->moments; *link != NULL;) {
    moment *one = *link;
    if (self->is_down) {
      one->end = IS_CANCELLED;
    }
    if (one->end == IS_CANCELLED || one->due_ms <= now) {
      *link = one->next;
      one->next = over;
      over = one;
      continue;
    }
    int left = (int)(one->due_ms - now);
    *wait_ms = *wait_ms < 0 || left < *wait_ms ? left : *wait_ms;
    link = &one->next;
  }
  return over;
}

static void reply_moment(const plugin *self, const moment *one) {
  text out = begin_reply(one->call_id);
  switch (one->end) {
  case PASSES:
    say(&out, "\"ok\":{\"outcome\":{\"kind\":\"pass\",\"detail\":\"a moment has passed\"}}");
    break;
  case IS_LATE:
    fail(&out, "call.deadline", "the moment is longer than the call may take");
    break;
  case IS_CANCELLED:
    fail(&out, "call.cancelled", "nobody waits any more");
    break;
  }
  end_reply(self, one->call_id, &out);
}

static void *run_moments(void *ctx) {
  plugin *self = ctx;
  bool is_down;
  do {
    int wait_ms;
    char woken[64];
    pthread_mutex_lock(&self->lock);
    is_down = self->is_down;
    moment *over = take_over(self, &wait_ms);
    pthread_mutex_unlock(&self->lock);
    while (over != NULL) {
      moment *one = over;
      over = one->next;
      reply_moment(self, one);
      free(one);
    }
    if (!is_down) {
      struct pollfd woke = {.fd = self->wake[0], .events = POLLIN};
      poll(&woke, 1, wait_ms);
      while (read(self->wake[0], woken, sizeof woken) > 0) {
      }
    }
  } while (!is_down);
  return NULL;
}

/* Starts the thread, if this is its first call. The lock is held. */
static bool has_thread(plugin *self) {
  if (self->has_thread) {
    return true;
  }
  if (pipe(self->wake) != 0) {
    return false;
  }
  for (int end = 0; end < 2; end++) {
    fcntl(self->wake[end], F_SETFL, O_NONBLOCK);
    fcntl(self->wake[end], F_SETFD, FD_CLOEXEC);
  }
  self->has_thread = pthread_create(&self->thread, NULL, run_moments, self) == 0;
  if (!self->has_thread) {
    close(self->wake[0]);
    close(self->wake[1]);
  }
  return self->has_thread;
}

/* Begins a hook's call. False: there was an error, which is said, and no reply is on its way. */
static bool begin_moment(plugin *self, uint64_t call_id, json params, text *out) {
  uint64_t values[KEYS_MAX], deadline_ms;
  const component *of = find("hook", params, out);
  if (of == NULL || !has_config(of, params, values, out)) {
    return false;
  }
  if (!observed(params, "deadline_ms", &deadline_ms)) {
    fail(out, "message.invalid", "the params have no deadline");
    return false;
  }
  bool is_late = values[0] > deadline_ms;
  moment *one = malloc(sizeof *one);
  pthread_mutex_lock(&self->lock);
  bool is_begun = one != NULL && !self->is_down && has_thread(self);
  if (is_begun) {
    *one = (moment){
        .next = self->moments,
        .call_id = call_id,
        .due_ms = now_ms() + (is_late ? deadline_ms : values[0]),
        .end = is_late ? IS_LATE : PASSES,
    };
    self->moments = one;
    wake(self);
  }
  pthread_mutex_unlock(&self->lock);
  if (!is_begun) {
    free(one);
    fail(out, "plugin.runtime", "a thread for hooks cannot be started");
  }
  return is_begun;
}

/* ---- what the host calls --------------------------------------------------------------------- */

/* Says the answer to a message. False: it will be given later. */
static bool answer(plugin *self, uint64_t call_id, json message, text *out) {
  json method, params;
  uint64_t id, protocol;
  if (!json_is_object(message) || !observed(message, "id", &id) || id != call_id ||
      !json_member(message, "method", &method) || *method.at != '"' ||
      !json_member(message, "params", &params) || !json_is_object(params)) {
    fail(out, "message.invalid", "the message is no call");
  } else if (json_is(method, "plugin.describe")) {
    describe(out);
  } else if (!observed(message, "protocol", &protocol) || protocol != 1) {
    fail(out, "protocol.unsupported", "only protocol 1 is spoken here");
  } else if (json_is(method, "config.validate")) {
    validate(params, out);
  } else if (json_is(method, "strategy.outline")) {
    outline(params, out);
  } else if (json_is(method, "strategy.decide")) {
    decide(params, out);
  } else if (json_is(method, "hook.run")) {
    return !begin_moment(self, call_id, params, out);
  } else {
    fail(out, "method.unknown", "there is no method `%.*s` here", SHOWN(method));
  }
  return true;
}

static wavegate_status WAVEGATE_CALL on_call(void *ctx, uint64_t call_id, wavegate_bytes bytes) {
  plugin *self = ctx;
  json message;
  if (self == NULL || (bytes.ptr == NULL && bytes.len > 0)) {
    return WAVEGATE_E_ARGUMENT;
  }
  pthread_mutex_lock(&self->lock);
  bool is_down = self->is_down;
  pthread_mutex_unlock(&self->lock);
  if (is_down) {
    return WAVEGATE_E_SHUTDOWN;
  }
  text out = begin_reply(call_id);
  bool is_answered = true;
  if (bytes.len > MESSAGE_BYTES_MAX) {
    fail(&out, "message.invalid", "a message of %zu bytes is too long", bytes.len);
  } else if (!json_message(bytes.ptr, bytes.len, &message)) {
    fail(&out, "message.invalid", "the message is not JSON");
  } else {
    is_answered = answer(self, call_id, message, &out);
  }
  if (is_answered) {
    end_reply(self, call_id, &out);
  } else {
    free(out.at);
  }
  return WAVEGATE_OK;
}

static void WAVEGATE_CALL on_cancel(void *ctx, uint64_t call_id) {
  plugin *self = ctx;
  if (self == NULL) {
    return;
  }
  pthread_mutex_lock(&self->lock);
  for (moment *one = self->moments; one != NULL; one = one->next) {
    if (one->call_id == call_id) {
      one->end = IS_CANCELLED;
      wake(self);
    }
  }
  pthread_mutex_unlock(&self->lock);
}

static void WAVEGATE_CALL on_shutdown(void *ctx) {
  plugin *self = ctx;
  if (self == NULL) {
    return;
  }
  pthread_mutex_lock(&self->lock);
  bool has_thread = self->has_thread && !self->is_down;
  self->is_down = true;
  if (has_thread) {
    wake(self);
  }
  pthread_mutex_unlock(&self->lock);
  if (has_thread) {
    pthread_join(self->thread, NULL);
  }
}

/* Whether the other side's struct reaches behind this field. */
#define HAS(other, type, field) \
  ((other)->struct_size >= offsetof(type, field) + sizeof(((type *)NULL)->field))

static wavegate_status refuse(const wavegate_host *host, wavegate_status status, const char *why) {
  char record[96];
  int length = snprintf(record, sizeof record, "{\"message\":\"%s\",\"target\":\"two_step\"}", why);
  if (HAS(host, wavegate_host, log) && host->log != NULL) {
    wavegate_bytes bytes = {(const uint8_t *)record, (size_t)length};
    host->log(host->ctx, WAVEGATE_LEVEL_ERROR, 0, bytes);
  }
  return status;
}

wavegate_status WAVEGATE_CALL wavegate_plugin_init_v1(const wavegate_host *host,
                                                      wavegate_plugin *out) {
  if (host == NULL || out == NULL) {
    return WAVEGATE_E_ARGUMENT;
  }
  if (!HAS(host, wavegate_host, reply) || host->reply == NULL ||
      !HAS(out, wavegate_plugin, call)) {
    return refuse(host, WAVEGATE_E_UNSUPPORTED, "this host has no room for calls and replies");
  }
  plugin *self = calloc(1, sizeof *self);
  if (self == NULL || pthread_mutex_init(&self->lock, NULL) != 0) {
    free(self);
    return refuse(host, WAVEGATE_E_INTERNAL, "there is no memory");
  }
  self->host_ctx = host->ctx;
  self->host_reply = host->reply;
  out->abi_minor = WAVEGATE_ABI_MINOR;
  out->ctx = self;
  out->call = on_call;
  if (HAS(out, wavegate_plugin, cancel)) {
    out->cancel = on_cancel;
  }
  if (HAS(out, wavegate_plugin, shutdown)) {
    out->shutdown = on_shutdown;
  }
  if (out->struct_size > sizeof *out) {
    out->struct_size = sizeof *out;
  }
  return WAVEGATE_OK;
}
