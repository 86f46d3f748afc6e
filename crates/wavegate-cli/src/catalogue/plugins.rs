//! The pages about plugins (WG3xx).

use super::Entry;

/// In the order of their codes.
pub(super) const PAGES: &[Entry] = &[
    (
        "WG301",
        "a plugin that cannot be read",
        "`path` under [plugins.NAME] is relative to the manifest. It names a library, with or without \
      the prefix and the extension of this platform (`target/release/ladder` is \
      `target/release/libladder.so`), or the directory of a Cargo project that was built. What was \
      tried is listed.",
    ),
    (
        "WG302",
        "a plugin that is not a file",
        "`path` leads to a directory that is no Cargo project, or to something else that is no regular \
      file. Name the library itself.",
    ),
    (
        "WG303",
        "a plugin that others can change",
        "A library runs with your rights, so nobody else may be able to replace it: it and every \
      directory above it must belong to you or to root, and must not be writable by the group or by \
      others (sticky directories such as /tmp are). The path that is named is the one to mend: \
      `chmod go-w PATH`.",
    ),
    (
        "WG304",
        "a plugin that is not the one that was pinned",
        "The SHA-256 of the library is not the one in [plugins.NAME.sha256]. If you rebuilt or updated \
      it, look at what changed and write the new one with `wavegate plugin pin NAME`. If you did not, \
      somebody else did. None of its code was run.",
    ),
    (
        "WG305",
        "a plugin that is not pinned",
        "A pin says which library you mean. Without one for this target a plugin runs only in a process \
      of its own and only against the local cloud, where it is being written; that is said as a \
      warning. For anything else: `wavegate plugin pin NAME`, once on each platform of your team.",
    ),
    (
        "WG306",
        "a plugin for another ABI",
        "The library has an entry point, and it is for another major version of the plugin interface. \
      Build it with a wavegate-plugin-sdk of this wavegate's major version.",
    ),
    (
        "WG307",
        "a plugin that is not a library",
        "The file is not a shared library that this system could load: a text, a program, an archive, or \
      half a file. A Rust plugin has `crate-type = [\"rlib\", \"cdylib\"]` under [lib]; a C plugin is \
      linked with -shared.",
    ),
    (
        "WG308",
        "a plugin for another machine",
        "The library was built for another processor or operating system than this wavegate. Build it \
      for this one; `wavegate plugin inspect FILE` tells what it is.",
    ),
    (
        "WG309",
        "a library that is no plugin",
        "It exports no function whose name begins with `wavegate_plugin_init_v`. A Rust plugin calls \
      `export_plugin!` once, a C plugin defines `wavegate_plugin_init_v1` with WAVEGATE_EXPORT.",
    ),
    (
        "WG310",
        "a library with several plugins",
        "It exports more than one entry point, so that nobody can tell which is meant. It happens when a \
      plugin's crate depends on another plugin's: share code through a crate that exports none.",
    ),
    (
        "WG311",
        "a plugin that the system loader refuses",
        "The loader's own words are shown. A symbol or a library is missing, or the library was built \
      with a newer C library than this machine has: build it on the oldest system that it is to run on. \
      On macOS a signature of another team is refused too.",
    ),
    (
        "WG312",
        "a plugin that refuses to start",
        "Its own `init` said no. The last error that it logged is shown; its documentation knows more.",
    ),
    (
        "WG313",
        "a plugin without a function that it needs",
        "`init` was content and left `call` NULL, so that nothing can be asked. This is a mistake in the \
      plugin: report it to its author.",
    ),
    (
        "WG314",
        "a plugin that does not start",
        "`init` may take 5 seconds and does no I/O. One that waits longer is given up. This is a mistake \
      in the plugin: report it to its author.",
    ),
    (
        "WG315",
        "a plugin with another protocol",
        "The messages have versions, and these two have none in common. The newer side is named: update \
      the other one.",
    ),
    (
        "WG316",
        "a plugin that needs more than this wavegate has",
        "It requires features of the host that are named. Update wavegate, or use an older version of \
      the plugin.",
    ),
    (
        "WG317",
        "a plugin whose panics would end wavegate",
        "It was built with panic=abort: in this process one panic of it would be the end of the release. \
      Set `isolation = \"process\"`, or build it with panic=unwind.",
    ),
    (
        "WG318",
        "a wavegate that cannot load plugins",
        "This build is linked statically, and such programs cannot load libraries. Use a build for a gnu \
      target. The strategies, hooks and alarms that ship with wavegate work all the same.",
    ),
    (
        "WG319",
        "two components with one name",
        "Every component has a name of its own among those of its kind; nothing may shadow one that \
      ships with wavegate, or another plugin's. Take one of the two plugins out. A library that *is* a \
      built-in plugin takes its place with `builtin = true`.",
    ),
    (
        "WG320",
        "a component that a plugin does not have",
        "The components that it has are listed; `wavegate plugin list` lists those of all plugins.",
    ),
    (
        "WG321",
        "a component refuses its config",
        "The keys beside `use` in [strategies.NAME], [hooks.NAME] and [alarms.NAME] belong to the \
      component. It says which key is wrong and how to put it right; the place in the manifest is shown.",
    ),
    (
        "WG322",
        "a component doubts its config",
        "The component can run with it, but probably not as was meant.",
    ),
    (
        "WG323",
        "a plugin that is not built in",
        "`builtin = true` is for a library of a plugin that ships with this very version of wavegate: it \
      takes the place of the one that is linked in. For any other plugin, leave it out.",
    ),
    (
        "WG330",
        "a plugin that does not answer",
        "A call took longer than it may: `timeout` under [plugins.NAME] for strategies and alarms, \
      `timeout` under [hooks.NAME] for hooks. The call was cancelled. One that does not end after that \
      costs an isolated plugin its process.",
    ),
    (
        "WG331",
        "a plugin that breaks the protocol",
        "It answered with something that is no answer, or twice, or to something that was not asked. \
      The call has failed; after a second answer, or talk that is no message at all, nothing that it \
      says can be trusted, and it is not asked again. This is a mistake in the plugin: report it to its \
      author; `wavegate plugin check FILE` shows it.",
    ),
    (
        "WG332",
        "a plugin whose process ended",
        "It crashed, exited, was killed, or allocated more than `memory` under [plugins.NAME]. The calls \
      under way failed; wavegate itself is not touched. The process is started again for the next call, \
      and given up after three crashes within five minutes. Its last lines are shown.",
    ),
    (
        "WG333",
        "a plugin that panicked",
        "Its code met something that it did not expect. The panic was caught and the call failed. This \
      is a mistake in the plugin: report it to its author with the words that are shown.",
    ),
    (
        "WG334",
        "a plugin that is wedged",
        "Calls into it never came back although they were cancelled, and what runs in this process \
      cannot be killed. It is not asked again. Set `isolation = \"process\"`: a process can be killed.",
    ),
    (
        "WG335",
        "a strategy decided outside its outline",
        "Before a release a strategy promises an outline: its weights and how long each is baked. \
      Afterwards it may decide only inside it, and the release refuses anything else and goes back. \
      This is a mistake in the strategy: report it to its author.",
    ),
    (
        "WG336",
        "a component that could not answer",
        "It was asked and said that it cannot, in its own words and with a code of its own.",
    ),
    (
        "WG337",
        "a plugin of which no copy can be kept",
        "A plugin is loaded from a private copy under .wavegate/plugins, so that nobody can change it \
      between the look and the load. The copy could not be written: the disk is full, or the directory \
      belongs to somebody else. The operating system's own words are shown.",
    ),
    (
        "WG338",
        "a plugin that wavegate cannot ask",
        "wavegate itself could not do its part: there is no process or thread to be had, or the plugin was \
      shut down already. What stands in the way is said; the plugin is not to blame.",
    ),
    (
        "WG339",
        "a library that is loaded twice",
        "Two [plugins.NAME] tables with `isolation = \"in-process\"` name the same library. It is the same \
      code with the same variables, and can be started once in a process. Name it once, with all its \
      components, or set `isolation = \"process\"`.",
    ),
];
