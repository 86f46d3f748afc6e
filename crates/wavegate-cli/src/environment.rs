//! The process's surroundings, read once: variables, directory, user, terminal.
//!
//! The only place that reads them, so that everything else can be told something else in tests.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;

/// What a command finds around it.
#[derive(Clone)]
pub(crate) struct Environment {
    /// Those that are UTF-8: others cannot be named in a manifest.
    pub(crate) variables: BTreeMap<String, String>,
    /// The working directory.
    pub(crate) cwd: PathBuf,
    /// Whether stdin is a terminal.
    pub(crate) stdin_is_terminal: bool,
    /// Whether stdout is a terminal.
    pub(crate) stdout_is_terminal: bool,
    /// Whether stderr is a terminal.
    pub(crate) stderr_is_terminal: bool,
}

impl std::fmt::Debug for Environment {
    /// Without the variables: they hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").field("cwd", &self.cwd).finish_non_exhaustive()
    }
}

impl Environment {
    /// The process's own.
    pub(crate) fn of_process() -> Self {
        // Variables that are not UTF-8 cannot be named in a manifest and are none of ours.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            variables,
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Surroundings for tests: nothing is a terminal.
    #[cfg(test)]
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            variables: variables.iter().map(own).collect(),
            cwd: PathBuf::from("."),
            stdin_is_terminal: false,
            stdout_is_terminal: false,
            stderr_is_terminal: false,
        }
    }

    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All variables.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        self.variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Whether colours are welcome on a terminal: <https://no-color.org> and terminals that cannot.
    pub(crate) fn takes_colour(&self) -> bool {
        self.get("NO_COLOR").is_none() && self.get("TERM") != Some("dumb")
    }

    /// Whether the locale's characters are Unicode.
    pub(crate) fn takes_unicode(&self) -> bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| self.get(name));
        locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
    }

    /// Who this is, for people: `ana@laptop`.
    pub(crate) fn owner(&self) -> String {
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::current()).ok().flatten();
        let user = ["USER", "LOGNAME"]
            .iter()
            .find_map(|name| self.get(name).map(str::to_owned))
            .or(user.map(|user| user.name))
            .unwrap_or_else(|| "somebody".to_owned());
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        format!("{user}@{}", host.unwrap_or_else(|| "somewhere".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_none() {
        let environment = Environment::of(&[("NO_COLOR", ""), ("TERM", "xterm")]);
        assert!(environment.takes_colour());
        assert!(!Environment::of(&[("NO_COLOR", "1")]).takes_colour());
        assert!(!Environment::of(&[("TERM", "dumb")]).takes_colour());
    }

    #[test]
    fn the_first_locale_that_is_set_decides() {
        for (variables, unicode) in [
            (&[("LANG", "en_GB.UTF-8")][..], true),
            (&[("LANG", "C.utf8")], true),
            (&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")], false),
            (&[("LC_ALL", ""), ("LANG", "en_GB.UTF-8")], true),
            (&[], false),
        ] {
            assert_eq!(Environment::of(variables).takes_unicode(), unicode, "{variables:?}");
        }
    }

    #[test]
    fn an_owner_has_a_user_and_a_host() {
        let owner = Environment::of(&[("USER", "ana")]).owner();
        assert!(owner.starts_with("ana@") && owner.len() > 4, "{owner}");
    }
}
