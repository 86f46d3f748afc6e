//! A manifest that is read and not yet checked: what can be said before its plugins are loaded.
//!
//! Which components there are is only known when the plugins were loaded that the manifest itself
//! names. So it is read in two steps, and what both find, and what the loader found between them, is
//! told together.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::check::{self, Scope};
use crate::file::{self, Parsed};
use crate::findings::Findings;
use crate::node::{Data, Node, Origin};
use crate::plugins::{self, PluginUse, Plugins};
use crate::problem::{Problem, Problems, Source};
use crate::written::Written;
use crate::{Components, Manifest, Request, Target, codedeploy, layer, shape};

/// A manifest whose plugins are known, and whose components are not.
///
/// [`Draft::read`] makes it; [`Draft::check`] makes a [`Manifest`] of it.
pub struct Draft {
    written: Written,
    findings: Findings,
    plugins: Plugins,
    target: Target,
    dir: PathBuf,
    path: PathBuf,
    profile: Option<String>,
}

impl Draft {
    /// Reads the file, lays the layers on each other, holds the result against the schema, and checks
    /// `[plugins.NAME]`. What is wrong is kept for [`Draft::check`] to tell. The components of the
    /// request are not looked at.
    ///
    /// # Errors
    /// The file cannot be read, or is not TOML.
    pub fn read(request: &Request) -> Result<Self, Problems> {
        let alone = |problem| Problems::new(vec![problem]);
        let text = file::read(&request.path).map_err(alone)?;
        let source = Source::new(&request.path, &text);
        let parsed = Parsed::parse(&text, &source).map_err(alone)?;
        let mut findings = Findings::new(&request.path, Arc::clone(&source));
        let tree = layered(&parsed, request, &mut findings);
        let dir = directory(&request.path);
        let plugins = plugins::read(&tree, &dir, &mut findings);
        let secrets = findings.secrets();
        Ok(Self {
            target: check::target(&tree),
            written: Written { tree, source, secrets },
            findings,
            plugins,
            dir,
            path: request.path.clone(),
            profile: request.profile.clone(),
        })
    }

    /// The plugins whose tables are sound, by name.
    pub fn plugins(&self) -> &BTreeMap<String, PluginUse> {
        &self.plugins.sound
    }

    /// Where the library of a plugin is, also if something else in its table is wrong: for whoever
    /// puts that right. `None` if the file itself does not say.
    pub fn plugin_path_in_file(&self, name: &str) -> Option<PathBuf> {
        let node = self.written.tree.get(&["plugins", name, "path"])?;
        match (&node.data, &node.origin) {
            (Data::Text(path), Origin::File { .. }) => Some(self.dir.join(path)),
            _ => None,
        }
    }

    /// Where the app is deployed, as far as that can be understood; else the local cloud.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The directory of the manifest.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// An error at a dotted key, such as `plugins.ladder.path`, as [`Manifest::problem`] makes it.
    #[must_use]
    pub fn problem(
        &self,
        code: &'static str,
        dotted_key: &str,
        message: impl AsRef<str>,
        help: Option<&str>,
    ) -> Problem {
        self.written.problem(code, dotted_key, message.as_ref(), help)
    }

    /// Checks everything else, now that it is known which components there are. `more` is what the
    /// caller found since the draft was read.
    ///
    /// # Errors
    /// All problems of the file, of what was laid over it, and of `more`, warnings among them.
    pub fn check(self, components: &Components, more: Vec<Problem>) -> Result<Manifest, Problems> {
        let Self { written, mut findings, plugins, target, dir, path, profile } = self;
        let scope = Scope {
            tree: &written.tree,
            dir: &dir,
            target,
            components,
            incomplete: components.incomplete || plugins.some_broken,
        };
        findings.extend(more);
        let checked = check::check(&scope, &mut findings);
        let has_errors = findings.has_errors();
        let problems = Problems::new(findings.into_problems());
        let Some(checked) = checked.filter(|_| !has_errors) else { return Err(problems) };
        Ok(Manifest {
            app: checked.app,
            target,
            region: checked.region,
            artifact_bucket: checked.artifact_bucket,
            requests_per_second: checked.requests_per_second,
            local: checked.local,
            strategies: checked.strategies,
            plugins: plugins.sound,
            dir,
            path,
            profile,
            warnings: problems.into_vec(),
            written,
        })
    }
}

impl fmt::Debug for Draft {
    /// Without anything that may have come from the environment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("path", &self.path)
            .field("profile", &self.profile)
            .field("target", &self.target)
            .field("plugins", &self.plugins.sound)
            .finish_non_exhaustive()
    }
}

/// Lays the layers on each other and cuts off what does not fit the schema.
fn layered(parsed: &Parsed, request: &Request, findings: &mut Findings) -> Node {
    let profile = request.profile.as_deref();
    let mut tree = layer::stack(parsed, profile, &request.env, &request.flags, findings);
    let env: BTreeMap<&str, &str> =
        request.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    layer::interpolate(&mut tree, &env, findings);
    let mut tree = shape::check(tree, findings);
    if let Some(profiles) = parsed.profiles_but(profile) {
        // Those that are not chosen must have the right shape too. Their references stay as written.
        shape::check_profiles(layer::alone(profiles), findings);
    }
    check::spread_defaults(&mut tree);
    codedeploy::spread(&mut tree);
    tree
}

fn directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
