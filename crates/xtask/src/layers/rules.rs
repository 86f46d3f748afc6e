//! The rules, as data: the same tables that ARCHITECTURE.md prints.

/// What a crate may use of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layer {
    name: &'static str,
    may_use: Allowed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Only(&'static [&'static str]),
    Everything,
}

/// From the bottom to the top. The plugins share one rule: see [`layer`].
const LAYERS: &[Layer] = &[
    only("wavegate-core", &[]),
    only("wavegate-config", &["wavegate-core"]),
    only("wavegate-package", &["wavegate-core"]),
    only("wavegate-engine", &["wavegate-core"]),
    only("wavegate-aws", &["wavegate-core", "wavegate-engine"]),
    only("wavegate-local", &["wavegate-core", "wavegate-engine"]),
    only("wavegate-report", &["wavegate-core", "wavegate-engine"]),
    only("wavegate-plugin-protocol", &[]),
    only("wavegate-plugin-sdk", &["wavegate-plugin-protocol"]),
    only("wavegate-plugin-host", &["wavegate-plugin-protocol"]),
    only(
        "wavegate-plugin-testkit",
        &["wavegate-plugin-sdk", "wavegate-plugin-protocol", "wavegate-plugin-host"],
    ),
    Layer { name: "wavegate-cli", may_use: Allowed::Everything },
    Layer { name: "wavegate-tests", may_use: Allowed::Everything },
    only("wavegate-sim", &["wavegate-core", "wavegate-engine", "wavegate-local"]),
    // It generates what is derived from types.
    only("xtask", &["wavegate-config", "wavegate-plugin-protocol"]),
];

/// Every plugin that ships with wavegate is written as anyone's: on the SDK alone.
const PLUGIN: Layer = only("wavegate-plugin-*", &["wavegate-plugin-sdk"]);

/// What nobody uses, not even in tests.
pub(super) const TOPS: &[&str] = &["wavegate-cli", "wavegate-tests", "wavegate-sim", "xtask"];

const fn only(name: &'static str, may_use: &'static [&'static str]) -> Layer {
    Layer { name, may_use: Allowed::Only(may_use) }
}

impl Layer {
    pub(super) fn may_use(self, name: &str) -> bool {
        match self.may_use {
            Allowed::Only(names) => names.contains(&name),
            Allowed::Everything => !TOPS.contains(&name) || self.name == "wavegate-tests",
        }
    }

    pub(super) fn allowed_words(self) -> String {
        match self.may_use {
            Allowed::Only([]) => "nothing of the house".to_owned(),
            Allowed::Only(names) => format!("only {}", names.join(", ")),
            Allowed::Everything => "everything but the top".to_owned(),
        }
    }
}

/// The layer of one of the house's crates; `None` for any other crate.
pub(super) fn layer(name: &str) -> Option<Layer> {
    let known = LAYERS.iter().find(|layer| layer.name == name).copied();
    known.or_else(|| PLUGINS.contains(&name).then_some(PLUGIN))
}

/// The crates under `plugins/`, and the one that tests load.
const PLUGINS: &[&str] = &[
    "wavegate-plugin-canary",
    "wavegate-plugin-linear",
    "wavegate-plugin-all-at-once",
    "wavegate-plugin-steps",
    "wavegate-plugin-lambda-hook",
    "wavegate-plugin-http-hook",
    "wavegate-plugin-command-hook",
    "wavegate-plugin-cloudwatch",
    "wavegate-plugin-prometheus",
    "wavegate-plugin-moody",
];

/// An outside crate, or a family of them, and where it may be used.
#[derive(Debug)]
pub(super) struct Home {
    pattern: &'static str,
    /// Who may use it.
    pub(super) homes: &'static [&'static str],
    /// What everybody else does.
    pub(super) instead: &'static str,
}

/// The first pattern that matches counts.
const HOMES: &[Home] = &[
    Home { pattern: "petgraph", homes: &["wavegate-core"], instead: "use wavegate_core::graph" },
    Home {
        pattern: "figment",
        homes: &["wavegate-config"],
        instead: "take the manifest from wavegate_config",
    },
    Home {
        pattern: "toml_edit",
        homes: &["wavegate-config", "xtask"],
        instead: "take the manifest from wavegate_config",
    },
    Home {
        pattern: "saphyr*",
        homes: &["wavegate-config", "wavegate-local"],
        instead: "take what was imported from wavegate_config::import",
    },
    Home {
        pattern: "libloading",
        homes: &["wavegate-plugin-host"],
        instead: "ask wavegate_plugin_host",
    },
    Home { pattern: "clap*", homes: &["wavegate-cli"], instead: "take values, not arguments" },
    Home {
        pattern: "aws-sdk-*",
        homes: &[
            "wavegate-aws",
            "wavegate-plugin-lambda-hook",
            "wavegate-plugin-cloudwatch",
            "wavegate-plugin-sdk",
        ],
        instead: "use the engine's `Cloud` port, or a hook or alarm provider",
    },
    Home {
        pattern: "aws-*",
        homes: &[
            "wavegate-aws",
            "wavegate-plugin-lambda-hook",
            "wavegate-plugin-cloudwatch",
            "wavegate-plugin-sdk",
            // Reads the region and credentials of the user's chain, to say where it deploys.
            "wavegate-cli",
        ],
        instead: "use the engine's `Cloud` port, or a hook or alarm provider",
    },
    Home {
        pattern: "wavegate-plugin-sdk/aws",
        homes: &["wavegate-plugin-lambda-hook", "wavegate-plugin-cloudwatch"],
        instead: "a component that does not talk to AWS leaves the SDK's feature `aws` off",
    },
    Home {
        pattern: "reqwest",
        homes: &["wavegate-plugin-sdk"],
        instead: "use wavegate_plugin_sdk::http",
    },
    Home {
        pattern: "wavegate-plugin-sdk/http",
        homes: &["wavegate-plugin-http-hook", "wavegate-plugin-prometheus"],
        instead: "a component that asks no server leaves the SDK's feature `http` off",
    },
    Home {
        pattern: "rusqlite",
        homes: &["wavegate-local", "wavegate-report"],
        instead: "keep state in the cloud; local files are audit, which wavegate_report::records keeps",
    },
    Home { pattern: "axum", homes: &["wavegate-local"], instead: "serve through wavegate-local" },
];

/// The rule for an outside crate, if there is one.
pub(super) fn home(name: &str) -> Option<&'static Home> {
    HOMES.iter().find(|rule| matches(rule.pattern, name))
}

/// A crate, and what must not be compiled into it however far below.
#[derive(Debug)]
pub(super) struct NeverBeneath {
    /// Which crate.
    pub(super) name: &'static str,
    /// Patterns of names.
    pub(super) forbidden: &'static [&'static str],
}

/// Purity and size, held transitively. Cargo resolves features for the workspace as a whole, so the
/// plugins that talk to nobody cannot be held this way: see `wavegate-plugin-sdk/aws` above.
pub(super) const NEVER_BENEATH: &[NeverBeneath] = &[
    NeverBeneath {
        name: "wavegate-core",
        forbidden: &[
            "tokio",
            "tokio-*",
            "aws-*",
            "hyper",
            "figment",
            "clap",
            "rusqlite",
            "getrandom",
        ],
    },
    NeverBeneath { name: "wavegate-config", forbidden: &["tokio", "aws-*", "hyper", "clap"] },
    NeverBeneath { name: "wavegate-package", forbidden: &["tokio", "aws-*", "hyper", "clap"] },
    NeverBeneath { name: "wavegate-engine", forbidden: &["aws-*", "hyper", "clap", "figment"] },
    NeverBeneath { name: "wavegate-local", forbidden: &["aws-*", "clap", "figment"] },
    NeverBeneath { name: "wavegate-plugin-protocol", forbidden: &["tokio", "aws-*", "hyper"] },
];

/// Whether a pattern, which may end in `*`, means a name.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_only_what_is_below() {
        for (place, layer) in LAYERS.iter().enumerate() {
            let Allowed::Only(names) = layer.may_use else { continue };
            for name in names {
                let below = LAYERS.iter().position(|other| other.name == *name);
                assert!(below.is_some_and(|below| below < place), "{} -> {name}", layer.name);
            }
        }
    }

    #[test]
    fn a_star_stands_for_any_end() {
        assert!(matches("aws-*", "aws-types"));
        assert!(!matches("aws-*", "aws"));
        assert!(matches("tokio", "tokio"));
        assert!(!matches("tokio", "tokio-util"));
    }
}
