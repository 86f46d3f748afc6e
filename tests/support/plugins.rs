//! The plugins that ship with wavegate, as libraries: each can also be loaded.

use std::fmt::Write as _;

use crate::binary::Project;
use crate::library::{Panics, library};

/// The directories under `plugins/`, and the variables that each needs in a process of its own.
pub const BUILT_IN: [(&str, &[&str]); 9] = [
    ("all-at-once", &[]),
    ("canary", &[]),
    ("linear", &[]),
    ("steps", &[]),
    ("lambda-hook", &[]),
    ("http-hook", &[]),
    // It runs programs.
    ("command-hook", &["PATH"]),
    ("cloudwatch", &[]),
    ("prometheus", &[]),
];

/// Where plugins run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Linked into wavegate: nothing is said about them.
    Linked,
    /// Loaded into wavegate's process, pinned.
    Loaded,
    /// Each in a process of its own.
    Isolated,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Linked, Self::Loaded, Self::Isolated];

    /// Makes a project run every built-in plugin this way, and pins them.
    ///
    /// # Panics
    /// If they cannot be pinned.
    pub fn of_built_in(self, project: &Project) {
        let isolation = match self {
            Self::Linked => return,
            Self::Loaded => "in-process",
            Self::Isolated => "process",
        };
        let mut manifest = project.read("deploy.toml");
        for (name, variables) in BUILT_IN {
            let path = library(&format!("wavegate-plugin-{name}"), Panics::Unwind);
            let path = path.display();
            let _ = writeln!(manifest, "\n[plugins.{name}]\npath = '{path}'\nbuiltin = true");
            let _ = writeln!(manifest, "isolation = \"{isolation}\"");
            if self == Self::Isolated {
                let _ = writeln!(manifest, "env = {variables:?}");
            }
        }
        project.write("deploy.toml", &manifest);
        for (name, _) in BUILT_IN {
            let _ = project.run(&["plugin", "pin", name]).expect(0);
        }
    }
}
