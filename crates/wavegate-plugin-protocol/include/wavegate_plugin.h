/* wavegate_plugin.h: the binary interface between wavegate and its plugins, major version 1.
 *
 * A plugin is a shared library that exports ONE function of type wavegate_plugin_init_fn. Its name
 * is `wavegate_plugin_init_v1`, or that with `__` and anything behind it; wavegate reads the name
 * from the library's export table. The two sides hand each other a few function pointers there, and
 * from then on they only exchange messages: JSON objects in UTF-8, described by the schemas in
 * docs/plugin-protocol/v1. The same messages travel when the plugin runs in a process of its own.
 *
 *   Memory     No side frees what the other one made, so there is no `free` here. Bytes are
 *              BORROWED: good until the function that was given them returns. Copy what you keep.
 *   Threads    [any-thread] means: from any thread, at the same time as anything else.
 *              [once] means: one time in the life of the process.
 *              [no-block] means: return at once; wait for no I/O, no reply, no other thread.
 *   Unwinding  No exception, panic or longjmp crosses, in either direction. Catch it and answer
 *              with an error.
 *   Unloading  Never happens. Threads and function pointers may outlive `shutdown`.
 *   Growth     The major version is part of the symbol's name. Within a major version a struct only
 *              grows at its end, and `struct_size` tells how much of it the writer knows: never
 *              touch a field that does not lie wholly below the other side's `struct_size`.
 *              A function pointer that is NULL is a function that is not offered.
 *
 * A plugin must leave the process as it found it: no changed environment or working directory,
 * nothing on standard output, and nothing changed about the signals that a host relies on: SIGINT,
 * SIGTERM, SIGHUP, SIGQUIT, SIGCHLD, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2 and
 * SIGALRM. Handlers of faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP) and of SIGURG and SIGPROF
 * are a language runtime's own business. It has all rights of the process it runs in.
 */
#ifndef WAVEGATE_PLUGIN_H
#define WAVEGATE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define WAVEGATE_EXPORT __declspec(dllexport)
#define WAVEGATE_CALL __cdecl
#else
#define WAVEGATE_EXPORT __attribute__((visibility("default")))
#define WAVEGATE_CALL
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define WAVEGATE_ABI_MAJOR 1u
#define WAVEGATE_ABI_MINOR 0u

/* What a function returns. */
typedef int32_t wavegate_status;
#define WAVEGATE_OK 0            /* taken: exactly one reply follows, or has been given */
#define WAVEGATE_E_ARGUMENT 1    /* a NULL pointer or an impossible size: a mistake of the caller */
#define WAVEGATE_E_UNSUPPORTED 2 /* these two cannot work together */
#define WAVEGATE_E_SHUTDOWN 3    /* called after shutdown */
#define WAVEGATE_E_INTERNAL 4    /* the callee failed, for instance caught a panic */

/* How important a log record is. 0 is no level: nothing is wanted. */
typedef int32_t wavegate_level;
#define WAVEGATE_LEVEL_OFF 0
#define WAVEGATE_LEVEL_ERROR 1
#define WAVEGATE_LEVEL_WARN 2
#define WAVEGATE_LEVEL_INFO 3
#define WAVEGATE_LEVEL_DEBUG 4
#define WAVEGATE_LEVEL_TRACE 5

/* OWNERSHIP: borrowed until the function it is passed to returns.
 * Not terminated by NUL. `ptr` may be NULL when `len` is 0. At most 16 MiB. */
typedef struct wavegate_bytes {
  const uint8_t *ptr;
  size_t len;
} wavegate_bytes;

/* What the host offers.
 * OWNERSHIP: the host's; good until the process ends. */
typedef struct wavegate_host {
  uint32_t struct_size; /* the size of this struct as the host knows it */
  uint32_t abi_minor;   /* the host's WAVEGATE_ABI_MINOR: for messages to people */
  void *ctx;            /* the first argument of every function below */

  /* Gives the one reply to `call_id`: {"id":N,"ok":{...}} or {"id":N,"error":{...}}. It may be
   * given before `call` has returned. One that comes after its call was cancelled is dropped; a
   * second one, or one to a call that was never made, breaks the protocol, and the plugin is not
   * asked again. Never NULL. [any-thread, no-block] */
  void(WAVEGATE_CALL *reply)(void *ctx, uint64_t call_id, wavegate_bytes message);

  /* Hands over a log record: {"message":"...","target":"...","fields":{...}}. `call_id` is the
   * call it belongs to, or 0. [any-thread, no-block] */
  void(WAVEGATE_CALL *log)(void *ctx, wavegate_level level, uint64_t call_id,
                           wavegate_bytes record);

  /* The least important level that is wanted now: do not make records beyond it.
   * [any-thread, no-block] */
  wavegate_level(WAVEGATE_CALL *log_level)(void *ctx);
} wavegate_host;

/* What the plugin offers.
 * OWNERSHIP: the host's; the plugin fills it in during init. */
typedef struct wavegate_plugin {
  uint32_t struct_size; /* in: how much room there is; out: how much of it was filled */
  uint32_t abi_minor;   /* out: the plugin's WAVEGATE_ABI_MINOR */
  void *ctx;            /* out: the first argument of every function below */

  /* Begins one call: {"id":N,"method":"...","protocol":1,"params":{...}} with N == call_id.
   * After WAVEGATE_OK the plugin owes exactly one host->reply for it, cancelled or not; after
   * anything else it owes none. Must not be NULL.
   * [any-thread, no-block] except that plugin.*, config.* and strategy.* calls, which do no I/O,
   * may be worked out before it returns. */
  wavegate_status(WAVEGATE_CALL *call)(void *ctx, uint64_t call_id, wavegate_bytes message);

  /* Nobody waits for `call_id` any more: end it early if possible. The reply is still owed.
   * Ids that are not (or no longer) known are no mistake. [any-thread, no-block] */
  void(WAVEGATE_CALL *cancel)(void *ctx, uint64_t call_id);

  /* No more calls will come: cancel what runs, stop threads. [once] It may take as long as the
   * host's grace, which is 2 seconds. */
  void(WAVEGATE_CALL *shutdown)(void *ctx);
} wavegate_plugin;

/* The entry point. It answers within 5 seconds, does no I/O, and says why in a log record of level
 * error before it returns anything but WAVEGATE_OK. [once] */
typedef wavegate_status(WAVEGATE_CALL *wavegate_plugin_init_fn)(const wavegate_host *host,
                                                                wavegate_plugin *plugin);

WAVEGATE_EXPORT wavegate_status WAVEGATE_CALL
wavegate_plugin_init_v1(const wavegate_host *host, wavegate_plugin *plugin);

/* The layout is the contract, and the Rust side asserts the same numbers. */
#if UINTPTR_MAX == 0xffffffffffffffffu
#if defined(__cplusplus)
#define WAVEGATE_ASSERT(what, why) static_assert(what, why)
#else
#define WAVEGATE_ASSERT(what, why) _Static_assert(what, why)
#endif
WAVEGATE_ASSERT(sizeof(wavegate_bytes) == 16, "wavegate_bytes");
WAVEGATE_ASSERT(offsetof(wavegate_bytes, len) == 8, "wavegate_bytes.len");
WAVEGATE_ASSERT(sizeof(wavegate_host) == 40, "wavegate_host");
WAVEGATE_ASSERT(offsetof(wavegate_host, abi_minor) == 4, "wavegate_host.abi_minor");
WAVEGATE_ASSERT(offsetof(wavegate_host, ctx) == 8, "wavegate_host.ctx");
WAVEGATE_ASSERT(offsetof(wavegate_host, reply) == 16, "wavegate_host.reply");
WAVEGATE_ASSERT(offsetof(wavegate_host, log) == 24, "wavegate_host.log");
WAVEGATE_ASSERT(offsetof(wavegate_host, log_level) == 32, "wavegate_host.log_level");
WAVEGATE_ASSERT(sizeof(wavegate_plugin) == 40, "wavegate_plugin");
WAVEGATE_ASSERT(offsetof(wavegate_plugin, abi_minor) == 4, "wavegate_plugin.abi_minor");
WAVEGATE_ASSERT(offsetof(wavegate_plugin, ctx) == 8, "wavegate_plugin.ctx");
WAVEGATE_ASSERT(offsetof(wavegate_plugin, call) == 16, "wavegate_plugin.call");
WAVEGATE_ASSERT(offsetof(wavegate_plugin, cancel) == 24, "wavegate_plugin.cancel");
WAVEGATE_ASSERT(offsetof(wavegate_plugin, shutdown) == 32, "wavegate_plugin.shutdown");
#undef WAVEGATE_ASSERT
#endif

#ifdef __cplusplus
}
#endif
#endif /* WAVEGATE_PLUGIN_H */
