//! A small app whose second release is a plugin's affair.

use std::fs;
use std::path::{Path, PathBuf};

use wavegate_plugin_host::{Isolation, host_target, inspect};
use wavegate_tests::binary::{Finished, Project};

use crate::moody::{Moody, library_file, set_mode};

/// As what the component `moody` takes part in the second release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// It moves the traffic.
    Strategy,
    /// It judges when all traffic is on the candidate.
    Hook,
    /// It watches while a tenth of the traffic is on the candidate.
    Alarm,
}

impl Part {
    /// The keys of the function, and the table that they name.
    fn manifest(self, config: &str) -> (&'static str, String) {
        match self {
            Self::Strategy => {
                ("strategy = 'odd'", format!("[strategies.odd]\nuse = 'moody'\n{config}\n"))
            }
            Self::Hook => (
                "strategy = 'AllAtOnce'\nhooks = { post_traffic = ['odd'] }",
                format!("[hooks.odd]\nuse = 'moody'\n{config}\n"),
            ),
            Self::Alarm => (
                "strategy = 'Canary10Percent1Minutes'\nalarms = ['odd']",
                format!("[alarms.odd]\nuse = 'moody'\n{config}\n"),
            ),
        }
    }
}

/// The function's code.
const CODE: &str = "functions/hello/app.py";

/// The app. Ten minutes pass in a second, so that nothing but a plugin keeps a test waiting.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) project: Project,
}

impl App {
    /// Version 1 of it is deployed, and its code is changed since.
    pub(crate) fn deployed() -> Self {
        let app = Self { project: Project::new() };
        // Plugins may lie here, whatever the umask.
        fs::create_dir(app.plugins()).expect("a directory");
        for directory in [app.project.path(""), app.plugins()] {
            set_mode(&directory, 0o755);
        }
        app.write("strategy = 'AllAtOnce'", "");
        app.project.write(CODE, "def handler(event, context):\n    return event\n");
        let _ = app.project.deploy().expect(0);
        app.change();
        app
    }

    /// Changes its code, so that there is something to release.
    pub(crate) fn change(&self) {
        self.project.write(CODE, &(self.project.read(CODE) + "# Changed.\n"));
    }

    /// One minute passes in a second from here on: what is borne for a while is borne ten times as
    /// long.
    pub(crate) fn slow_down(&self) -> &Self {
        self.project.edit("deploy.toml", "time_scale = 600", "time_scale = 60");
        self
    }

    fn write(&self, function: &str, rest: &str) {
        let text = format!(
            "[app]\nname = 'hello-world'\ntarget = 'local'\n\n[local]\ntime_scale = 600\n\n\
             [functions.hello]\ncode = 'functions/hello'\nhandler = 'app.handler'\n\
             runtime = 'python3.13'\n{function}\n\n{rest}"
        );
        self.project.write("deploy.toml", &text);
    }

    /// Where the plugins lie, and where they leave their notes.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.project.path("plugins")
    }

    /// Lets the component `moody` take part.
    pub(crate) fn involve(&self, part: Part) -> &Self {
        self.involve_with(part, "")
    }

    /// Lets the component `moody` take part, with this config.
    pub(crate) fn involve_with(&self, part: Part, config: &str) -> &Self {
        let (function, table) = part.manifest(config);
        self.write(function, &table);
        self
    }

    /// Builds a plugin, and names it in the manifest.
    pub(crate) fn add(&self, name: &str, plugin: &Moody, keys: &str) -> &Self {
        plugin.build(&self.plugins(), name);
        self.name(name, keys)
    }

    /// Builds a plugin, and names it in the manifest to run there, pinned.
    pub(crate) fn add_in(&self, isolation: Isolation, name: &str, plugin: &Moody) -> &Self {
        plugin.build(&self.plugins(), name);
        self.name_in(isolation, name)
    }

    /// Takes a library as a plugin, and names it in the manifest to run there, pinned.
    pub(crate) fn add_library_in(&self, isolation: Isolation, name: &str, library: &Path) -> &Self {
        fs::copy(library, self.library(name)).expect("a library");
        set_mode(&self.library(name), 0o755);
        self.name_in(isolation, name)
    }

    /// Names a plugin in the manifest.
    pub(crate) fn name(&self, name: &str, keys: &str) -> &Self {
        let text = self.project.read("deploy.toml");
        let table = format!("\n[plugins.{name}]\npath = 'plugins/{name}'\n{keys}\n");
        self.project.write("deploy.toml", &(text + &table));
        self
    }

    /// Names a plugin in the manifest to run there, pinned.
    pub(crate) fn name_in(&self, isolation: Isolation, name: &str) -> &Self {
        let word = match isolation {
            Isolation::Process => "process",
            Isolation::InProcess => "in-process",
        };
        self.name(name, &format!("isolation = '{word}'\n{}", self.pin(name)))
    }

    /// The library of a plugin.
    pub(crate) fn library(&self, name: &str) -> PathBuf {
        self.plugins().join(library_file(name))
    }

    /// The key that pins what a plugin's library is now.
    pub(crate) fn pin(&self, name: &str) -> String {
        let found = inspect(&self.library(name)).expect("a library");
        format!("sha256 = {{ {} = '{}' }}\n", host_target(), found.sha256)
    }

    /// Deploys, and the release is put back for this reason: the code, the plugin and its last words.
    #[track_caller]
    pub(crate) fn assert_put_back(&self, code: &str, words: &[&str]) -> Finished {
        let failed = self.project.deploy().expect(1);
        assert_eq!(failed.outcome(), "rolled_back", "{failed}");
        assert!(!failed.about("weight", "hello").is_empty(), "it was not under way\n{failed}");
        let aborting = failed.of("aborting");
        let reason = aborting.first().and_then(|event| event["reason"].as_str());
        let reason = reason.unwrap_or_default();
        for word in words.iter().chain([&code]) {
            assert!(reason.contains(word), "no `{word}`\n{failed}");
            assert!(failed.stderr.contains(word), "no `{word}`\n{failed}");
        }
        assert_eq!(self.project.status().serves("hello"), Some(1), "{failed}");
        failed
    }

    /// Deploys, and another version is served.
    #[track_caller]
    pub(crate) fn assert_released(&self) -> Finished {
        let before = self.project.status().serves("hello");
        let done = self.project.deploy().expect(0);
        assert_eq!(done.outcome(), "done", "{done}");
        assert!(self.project.status().serves("hello") > before, "{done}");
        done
    }

    /// Deploys, and it is refused before anything is touched, with these codes and words.
    #[track_caller]
    pub(crate) fn assert_refused(&self, words: &[&str]) -> Finished {
        let before = self.cloud();
        let refused = self.project.deploy().expect(2);
        assert_said(&refused, words);
        assert_said(&refused, &["deploy.toml:"]);
        assert!(refused.events.is_empty(), "{refused}");
        assert!(self.cloud() == before, "something was touched\n{refused}");
        assert_eq!(self.project.status().serves("hello"), Some(1), "{refused}");
        refused
    }

    /// All that the local cloud keeps: every call that writes would change it.
    fn cloud(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let local = self.project.path(".wavegate/local");
        self.project.kept().into_iter().filter(|(path, _)| path.starts_with(&local)).collect()
    }
}

/// Whether it said all of this, wherever its lines were broken.
#[track_caller]
pub(crate) fn assert_said(ended: &Finished, words: &[&str]) {
    let said: Vec<&str> = ended.stderr.split_whitespace().filter(|word| *word != "│").collect();
    let said = said.join(" ");
    for word in words {
        assert!(said.contains(word), "no `{word}`\n{ended}");
    }
}
